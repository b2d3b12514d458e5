"""llama: Llama (arXiv:2302.13971), Llama 2 and 3, Mistral 7B, TinyLlama, SmolLM2.

Pre-norm blocks of grouped-query attention with interleaved rope and a SwiGLU feed forward. Biases are optional everywhere."""

from layers import (causal_mask, embed, gated_mlp, model_rope, output_logits, read_sizes, rms_norm, self_attention, silu)


def forward(model, ids, trace):
    """ids [n] -> (final hidden [n, d], logits [n, V])."""
    sizes, n = read_sizes(model), len(ids)
    epsilon = float(model.key("attention.layer_norm_rms_epsilon"))
    rope, mask = model_rope(model, sizes, n, interleaved=True), causal_mask(n)
    x = embed(model, ids)
    for i in range(sizes.n_layers):
        layer = f"blk.{i}"
        h = rms_norm(x, model.weight(f"{layer}.attn_norm.weight"), epsilon)
        x = x + self_attention(model, layer, sizes, h, rope=rope, mask=mask)
        h = rms_norm(x, model.weight(f"{layer}.ffn_norm.weight"), epsilon)
        x = x + gated_mlp(model, layer, h, silu)
        trace(i, x)
    x = rms_norm(x, model.weight("output_norm.weight"), epsilon)
    return x, output_logits(model, x)
