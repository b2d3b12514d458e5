"""gemma3: Gemma 3 (arXiv:2503.19786), text. As gemma2 with q/k norms for the attention cap; 5 window layers to 1 full one,
each kind with its own rope base, and linear scaling on the full layers alone."""

import math

from layers import (causal_mask, embed, gated_mlp, gelu_tanh, make_rope, model_rope, output_logits, read_sizes, rms_norm,
                    self_attention, softcap, window_layers)


def forward(model, ids, trace):
    """ids [n] -> (final hidden [n, d], logits [n, V])."""
    sizes, n = read_sizes(model), len(ids)
    epsilon = float(model.key("attention.layer_norm_rms_epsilon"))
    is_27b = sizes.n_layers == 62  # as in gemma2
    scale = 1 / math.sqrt(sizes.hidden // sizes.n_heads if is_27b else sizes.head_size)
    logit_cap = float(model.key("final_logit_softcapping", 0.0))
    window = int(model.key("attention.sliding_window", 0))
    is_local = window_layers(model, sizes.n_layers, period=6) if window else [False] * sizes.n_layers
    full_mask, local_mask = causal_mask(n), causal_mask(n, window)
    full_rope = model_rope(model, sizes, n, interleaved=False)
    local_rope = make_rope(n, sizes.rotated, float(model.key("rope.freq_base_swa", 10000.0)), interleaved=False)
    x = embed(model, ids) * math.sqrt(sizes.hidden)
    for i in range(sizes.n_layers):
        layer = f"blk.{i}"
        h = rms_norm(x, model.weight(f"{layer}.attn_norm.weight"), epsilon)
        h = self_attention(model, layer, sizes, h, rope=local_rope if is_local[i] else full_rope,
                           mask=local_mask if is_local[i] else full_mask, scale=scale, qk_norm_epsilon=epsilon)
        x = x + rms_norm(h, model.weight(f"{layer}.post_attention_norm.weight"), epsilon)
        h = gated_mlp(model, layer, rms_norm(x, model.weight(f"{layer}.ffn_norm.weight"), epsilon), gelu_tanh)
        x = x + rms_norm(h, model.weight(f"{layer}.post_ffw_norm.weight"), epsilon)
        trace(i, x)
    x = rms_norm(x, model.weight("output_norm.weight"), epsilon)
    return x, softcap(output_logits(model, x), logit_cap)
