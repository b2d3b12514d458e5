/* olmo2: OLMo 2 (arXiv:2501.00656) and OLMo 3: norms after each branch only, one norm over all of q
 * and one over all of k. OLMo 3 has a window on three of four layers, which then have plain rope.
 * In: a GGUF file. Out: a portable graph. */
#include "models/decoder.h"

void models_build_olmo2(decoder *d) {
    decoder_begin(d, "attention.layer_norm_rms_epsilon");
    uint32_t window = decoder_key_u32(d, "attention.sliding_window", 0);
    decoder_rope full = decoder_model_rope(d, false), local = full;
    if (window) {
        local = decoder_plain_rope(d, decoder_key_f64(d, "rope.freq_base", 10000), false);
    }
    graph_value_id x = decoder_embed(d, 1);
    for (int i = 0; i < (int)d->layers && d->status == ONDOL_OK; i++) {
        bool is_local = window && decoder_layer_has_window(d, (uint32_t)i, 4);
        decoder_attention attention = {.rope = is_local ? &local : &full,
                                       .window = is_local ? window : 0,
                                       .qk_norm = DECODER_QK_WHOLE};
        graph_value_id h = decoder_self_attention(d, x, i, &attention);
        h = decoder_rms_norm(d, h, i, "post_attention_norm");
        x = decoder_add(d, x, h, i, "attn_residual");
        h = decoder_gated_mlp(d, x, i, DECODER_SILU);
        h = decoder_rms_norm(d, h, i, "post_ffw_norm");
        x = decoder_add(d, x, h, i, "ffn_residual");
    }
    x = decoder_rms_norm(d, x, DECODER_GLOBAL, "output_norm");
    decoder_finish(d, x, false, 0);
}
