"""olmo2: OLMo 2 (arXiv:2501.00656) and OLMo 3. Norms after attention and feed forward only; one q norm and one k norm over the
whole projection. OLMo 3 adds a window on 3 of 4 layers, which have plain rope."""

import math

from layers import (attend, causal_mask, embed, gated_mlp, linear, make_rope, model_rope, output_logits, project_qkv,
                    read_sizes, rms_norm, silu, split_heads, window_layers)


def forward(model, ids, trace):
    """ids [n] -> (final hidden [n, d], logits [n, V])."""
    sizes, n = read_sizes(model), len(ids)
    epsilon = float(model.key("attention.layer_norm_rms_epsilon"))
    window = int(model.key("attention.sliding_window", 0))
    is_local = window_layers(model, sizes.n_layers, period=4) if window else [False] * sizes.n_layers
    full_mask, local_mask = causal_mask(n), causal_mask(n, window)
    full_rope = model_rope(model, sizes, n, interleaved=False)
    local_rope = make_rope(n, sizes.rotated, float(model.key("rope.freq_base", 10000.0)), interleaved=False)
    x = embed(model, ids)
    for i in range(sizes.n_layers):
        layer = f"blk.{i}"
        q, k, v = project_qkv(model, layer, sizes, x)
        q = rms_norm(q, model.weight(f"{layer}.attn_q_norm.weight"), epsilon)
        k = rms_norm(k, model.weight(f"{layer}.attn_k_norm.weight"), epsilon)
        q, k, v = (split_heads(part, sizes.head_size) for part in (q, k, v))
        rope = local_rope if is_local[i] else full_rope
        h = attend(rope.rotate(q), rope.rotate(k), v, local_mask if is_local[i] else full_mask, 1 / math.sqrt(sizes.head_size))
        h = linear(model, f"{layer}.attn_output", h)
        x = x + rms_norm(h, model.weight(f"{layer}.post_attention_norm.weight"), epsilon)
        x = x + rms_norm(gated_mlp(model, layer, x, silu), model.weight(f"{layer}.post_ffw_norm.weight"), epsilon)
        trace(i, x)
    x = rms_norm(x, model.weight("output_norm.weight"), epsilon)
    return x, output_logits(model, x)
