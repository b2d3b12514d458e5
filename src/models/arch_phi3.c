/* phi3: Phi-3 mini 4k and 128k, 3.5 mini, Phi-4-mini (Abdin et al. 2024, arXiv:2404.14219). Fused
 * qkv, fused gate and up, a window on every layer where the file has one, LongRoPE. In: a GGUF
 * file. Out: a portable graph. */
#include "models/decoder.h"

void models_build_phi3(decoder *d) {
    decoder_begin(d, "attention.layer_norm_rms_epsilon");
    decoder_rope rope = decoder_model_rope(d, false);
    decoder_attention attention = {.rope = &rope,
                                   .window = decoder_key_u32(d, "attention.sliding_window", 0)};
    graph_value_id x = decoder_embed(d, 1);
    for (int i = 0; i < (int)d->layers && d->status == ONDOL_OK; i++) {
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
