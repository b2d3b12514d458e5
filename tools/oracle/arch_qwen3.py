"""qwen3: Qwen 3 (arXiv:2505.09388), dense. As qwen2 without biases, with an RMS norm on each head of q and k."""

from layers import (causal_mask, embed, gated_mlp, model_rope, output_logits, read_sizes, rms_norm, self_attention, silu)


def forward(model, ids, trace):
    """ids [n] -> (final hidden [n, d], logits [n, V])."""
    sizes, n = read_sizes(model), len(ids)
    epsilon = float(model.key("attention.layer_norm_rms_epsilon"))
    rope, mask = model_rope(model, sizes, n, interleaved=False), causal_mask(n)
    x = embed(model, ids)
    for i in range(sizes.n_layers):
        layer = f"blk.{i}"
        h = rms_norm(x, model.weight(f"{layer}.attn_norm.weight"), epsilon)
        x = x + self_attention(model, layer, sizes, h, rope=rope, mask=mask, qk_norm_epsilon=epsilon)
        h = rms_norm(x, model.weight(f"{layer}.ffn_norm.weight"), epsilon)
        x = x + gated_mlp(model, layer, h, silu)
        trace(i, x)
    x = rms_norm(x, model.weight("output_norm.weight"), epsilon)
    return x, output_logits(model, x)
