/* smollm3: SmolLM3 (model card; NoPE after Yang et al. 2025, arXiv:2501.18795): Llama without
 * position embedding on every fourth layer. In: a GGUF file. Out: a portable graph. */
#include "models/decoder.h"

void models_build_smollm3(decoder *d) {
    decoder_begin(d, "attention.layer_norm_rms_epsilon");
    decoder_rope rope = decoder_model_rope(d, true);
    graph_value_id x = decoder_embed(d, 1);
    for (int i = 0; i < (int)d->layers && d->status == ONDOL_OK; i++) {
        decoder_attention attention = {.rope = (i + 1) % 4 == 0 ? NULL : &rope};
        graph_value_id h = decoder_rms_norm(d, x, i, "attn_norm");
        h = decoder_self_attention(d, h, i, &attention);
        x = decoder_add(d, x, h, i, "attn_residual");
        h = decoder_rms_norm(d, x, i, "ffn_norm");
        h = decoder_gated_mlp(d, h, i, DECODER_SILU);
        x = decoder_add(d, x, h, i, "ffn_residual");
    }
    x = decoder_rms_norm(d, x, DECODER_GLOBAL, "output_norm");
    decoder_finish(d, x, false, 0);
}
