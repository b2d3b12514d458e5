"""phi2: Phi-1, 1.5 (arXiv:2309.05463) and 2. One LayerNorm a block feeds attention and feed forward in parallel."""

from layers import (causal_mask, embed, gelu_tanh, layer_norm, linear, model_rope, output_logits, read_sizes, self_attention)


def forward(model, ids, trace):
    """ids [n] -> (final hidden [n, d], logits [n, V])."""
    sizes, n = read_sizes(model), len(ids)
    epsilon = float(model.key("attention.layer_norm_epsilon"))
    rope, mask = model_rope(model, sizes, n, interleaved=False), causal_mask(n)
    x = embed(model, ids)
    for i in range(sizes.n_layers):
        layer = f"blk.{i}"
        h = layer_norm(x, model.weight(f"{layer}.attn_norm.weight"), model.optional(f"{layer}.attn_norm.bias"), epsilon)
        attention = self_attention(model, layer, sizes, h, rope=rope, mask=mask)
        x = x + attention + linear(model, f"{layer}.ffn_down", gelu_tanh(linear(model, f"{layer}.ffn_up", h)))
        trace(i, x)
    x = layer_norm(x, model.weight("output_norm.weight"), model.optional("output_norm.bias"), epsilon)
    return x, output_logits(model, x)
