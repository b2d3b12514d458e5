/* gemma: Gemma 1 (arXiv:2403.08295); gemma2: Gemma 2 (arXiv:2408.00118), norms before and after,
 * soft caps, a window on every other layer; gemma3: Gemma 3 (arXiv:2503.19786), q/k norms, five
 * window layers to one full one, each kind with a rope of its own. The "1 +" of their norms is in
 * the file's weights already. In: a GGUF file. Out: a portable graph. */
#include <math.h>

#include "models/decoder.h"

void models_build_gemma(decoder *d) {
    decoder_begin(d, "attention.layer_norm_rms_epsilon");
    decoder_rope rope = decoder_model_rope(d, false);
    decoder_attention attention = {.rope = &rope};
    graph_value_id x = decoder_embed(d, sqrt(d->hidden));
    for (int i = 0; i < (int)d->layers && d->status == ONDOL_OK; i++) {
        graph_value_id h = decoder_rms_norm(d, x, i, "attn_norm");
        h = decoder_self_attention(d, h, i, &attention);
        x = decoder_add(d, x, h, i, "attn_residual");
        h = decoder_rms_norm(d, x, i, "ffn_norm");
        h = decoder_gated_mlp(d, h, i, DECODER_GELU_TANH);
        x = decoder_add(d, x, h, i, "ffn_residual");
    }
    x = decoder_rms_norm(d, x, DECODER_GLOBAL, "output_norm");
    decoder_finish(d, x, true, 0);
}

/* The block of Gemma 2 and 3: norms before and after both branches. */
static graph_value_id block(decoder *d, graph_value_id x, int i,
                            const decoder_attention *attention) {
    graph_value_id h = decoder_rms_norm(d, x, i, "attn_norm");
    h = decoder_self_attention(d, h, i, attention);
    h = decoder_rms_norm(d, h, i, "post_attention_norm");
    x = decoder_add(d, x, h, i, "attn_residual");
    h = decoder_rms_norm(d, x, i, "ffn_norm");
    h = decoder_gated_mlp(d, h, i, DECODER_GELU_TANH);
    h = decoder_rms_norm(d, h, i, "post_ffw_norm");
    return decoder_add(d, x, h, i, "ffn_residual");
}

/* 1/sqrt(hidden/heads) for the 27B of each family, which its number of layers tells. */
static double query_scale(const decoder *d, uint32_t layers_of_27b) {
    if (d->status != ONDOL_OK || d->layers != layers_of_27b) return 0;
    return 1 / sqrt(d->hidden / d->heads);
}

void models_build_gemma2(decoder *d) {
    decoder_begin(d, "attention.layer_norm_rms_epsilon");
    decoder_rope rope = decoder_model_rope(d, false);
    uint32_t window = decoder_key_u32(d, "attention.sliding_window", 4096);
    decoder_attention attention = {.rope = &rope, .scale = query_scale(d, 46)};
    attention.softcap = decoder_key_f64(d, "attn_logit_softcapping", 50);
    double logit_cap = decoder_key_f64(d, "final_logit_softcapping", 30);
    graph_value_id x = decoder_embed(d, sqrt(d->hidden));
    for (int i = 0; i < (int)d->layers && d->status == ONDOL_OK; i++) {
        attention.window = decoder_layer_has_window(d, (uint32_t)i, 2) ? window : 0;
        x = block(d, x, i, &attention);
    }
    x = decoder_rms_norm(d, x, DECODER_GLOBAL, "output_norm");
    decoder_finish(d, x, true, logit_cap);
}

void models_build_gemma3(decoder *d) {
    decoder_begin(d, "attention.layer_norm_rms_epsilon");
    decoder_rope full = decoder_model_rope(d, false);
    decoder_rope local =
        decoder_plain_rope(d, decoder_key_f64(d, "rope.freq_base_swa", 10000), false);
    uint32_t window = decoder_key_u32(d, "attention.sliding_window", 0);
    double logit_cap = decoder_key_f64(d, "final_logit_softcapping", 0);
    decoder_attention attention = {.scale = query_scale(d, 62), .qk_norm = DECODER_QK_HEADS};
    graph_value_id x = decoder_embed(d, sqrt(d->hidden));
    for (int i = 0; i < (int)d->layers && d->status == ONDOL_OK; i++) {
        bool is_local = window && decoder_layer_has_window(d, (uint32_t)i, 6);
        attention.rope = is_local ? &local : &full;
        attention.window = is_local ? window : 0;
        x = block(d, x, i, &attention);
    }
    x = decoder_rms_norm(d, x, DECODER_GLOBAL, "output_norm");
    decoder_finish(d, x, false, logit_cap);
}
