"""smollm3: SmolLM3-3B. As llama, but every 4th layer has no position embedding (NoPE, arXiv:2501.18795)."""

from layers import (causal_mask, embed, gated_mlp, model_rope, output_logits, read_sizes, rms_norm, self_attention, silu)

NO_ROPE_STEP = 4  # not in the metadata


def forward(model, ids, trace):
    """ids [n] -> (final hidden [n, d], logits [n, V])."""
    sizes, n = read_sizes(model), len(ids)
    epsilon = float(model.key("attention.layer_norm_rms_epsilon"))
    rope, mask = model_rope(model, sizes, n, interleaved=True), causal_mask(n)
    x = embed(model, ids)
    for i in range(sizes.n_layers):
        layer = f"blk.{i}"
        has_rope = (i + 1) % NO_ROPE_STEP != 0
        h = rms_norm(x, model.weight(f"{layer}.attn_norm.weight"), epsilon)
        x = x + self_attention(model, layer, sizes, h, rope=rope if has_rope else None, mask=mask)
        h = rms_norm(x, model.weight(f"{layer}.ffn_norm.weight"), epsilon)
        x = x + gated_mlp(model, layer, h, silu)
        trace(i, x)
    x = rms_norm(x, model.weight("output_norm.weight"), epsilon)
    return x, output_logits(model, x)
