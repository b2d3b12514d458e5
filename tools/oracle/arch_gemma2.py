"""gemma2: Gemma 2 (arXiv:2408.00118). Norms before and after each half, soft caps, window on every other layer."""

import math

from layers import (causal_mask, embed, gated_mlp, gelu_tanh, model_rope, output_logits, read_sizes, rms_norm,
                    self_attention, softcap, window_layers)


def forward(model, ids, trace):
    """ids [n] -> (final hidden [n, d], logits [n, V])."""
    sizes, n = read_sizes(model), len(ids)
    epsilon = float(model.key("attention.layer_norm_rms_epsilon"))
    is_27b = sizes.n_layers == 46  # query_pre_attn_scalar is d/H there, the head size in the others; no key says so
    scale = 1 / math.sqrt(sizes.hidden // sizes.n_heads if is_27b else sizes.head_size)
    attention_cap = float(model.key("attn_logit_softcapping", 50.0))
    logit_cap = float(model.key("final_logit_softcapping", 30.0))
    full, local = causal_mask(n), causal_mask(n, int(model.key("attention.sliding_window", 4096)))
    is_local = window_layers(model, sizes.n_layers, period=2)
    rope = model_rope(model, sizes, n, interleaved=False)
    x = embed(model, ids) * math.sqrt(sizes.hidden)
    for i in range(sizes.n_layers):
        layer = f"blk.{i}"
        h = rms_norm(x, model.weight(f"{layer}.attn_norm.weight"), epsilon)
        h = self_attention(model, layer, sizes, h, rope=rope, mask=local if is_local[i] else full, scale=scale, cap=attention_cap)
        x = x + rms_norm(h, model.weight(f"{layer}.post_attention_norm.weight"), epsilon)
        h = gated_mlp(model, layer, rms_norm(x, model.weight(f"{layer}.ffn_norm.weight"), epsilon), gelu_tanh)
        x = x + rms_norm(h, model.weight(f"{layer}.post_ffw_norm.weight"), epsilon)
        trace(i, x)
    x = rms_norm(x, model.weight("output_norm.weight"), epsilon)
    return x, softcap(output_logits(model, x, always_tied=True), logit_cap)
