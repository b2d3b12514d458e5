"""gemma: Gemma 1 (arXiv:2403.08295). Pre-norm, GeGLU, embedding times sqrt(d), tied output. Norm weights hold their "1 +"."""

import math

from layers import (causal_mask, embed, gated_mlp, gelu_tanh, model_rope, output_logits, read_sizes, rms_norm, self_attention)


def forward(model, ids, trace):
    """ids [n] -> (final hidden [n, d], logits [n, V])."""
    sizes, n = read_sizes(model), len(ids)
    epsilon = float(model.key("attention.layer_norm_rms_epsilon"))
    rope, mask = model_rope(model, sizes, n, interleaved=False), causal_mask(n)
    x = embed(model, ids) * math.sqrt(sizes.hidden)
    for i in range(sizes.n_layers):
        layer = f"blk.{i}"
        h = rms_norm(x, model.weight(f"{layer}.attn_norm.weight"), epsilon)
        x = x + self_attention(model, layer, sizes, h, rope=rope, mask=mask)
        h = rms_norm(x, model.weight(f"{layer}.ffn_norm.weight"), epsilon)
        x = x + gated_mlp(model, layer, h, gelu_tanh)
        trace(i, x)
    x = rms_norm(x, model.weight("output_norm.weight"), epsilon)
    return x, output_logits(model, x, always_tied=True)
