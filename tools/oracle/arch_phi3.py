"""phi3: Phi-3 mini (arXiv:2404.14219), 3.5 mini, Phi-4-mini (arXiv:2503.01743).

Pre-norm blocks, fused QKV, fused gate and up (gate first), sliding window on every layer, maybe LongRoPE."""

import numpy as np

from layers import (causal_mask, embed, linear, model_rope, output_logits, read_sizes, rms_norm, self_attention, silu)


def forward(model, ids, trace):
    """ids [n] -> (final hidden [n, d], logits [n, V])."""
    sizes, n = read_sizes(model), len(ids)
    epsilon = float(model.key("attention.layer_norm_rms_epsilon"))
    rope = model_rope(model, sizes, n, interleaved=False)
    mask = causal_mask(n, int(model.key("attention.sliding_window", 0)) or None)
    x = embed(model, ids)
    for i in range(sizes.n_layers):
        layer = f"blk.{i}"
        h = rms_norm(x, model.weight(f"{layer}.attn_norm.weight"), epsilon)
        x = x + self_attention(model, layer, sizes, h, rope=rope, mask=mask)
        h = rms_norm(x, model.weight(f"{layer}.ffn_norm.weight"), epsilon)
        gate, up = np.split(linear(model, f"{layer}.ffn_up", h), 2, axis=1)
        x = x + linear(model, f"{layer}.ffn_down", silu(gate) * up)
        trace(i, x)
    x = rms_norm(x, model.weight("output_norm.weight"), epsilon)
    return x, output_logits(model, x)
