/* phi2: Phi-1, 1.5 and 2 (Li et al. 2023, arXiv:2309.05463). One LayerNorm feeds attention and MLP
 * in parallel. In: a GGUF file. Out: a portable graph. */
#include "models/decoder.h"

void models_build_phi2(decoder *d) {
    decoder_begin(d, "attention.layer_norm_epsilon");
    decoder_rope rope = decoder_model_rope(d, false);
    decoder_attention attention = {.rope = &rope};
    graph_value_id x = decoder_embed(d, 1);
    for (int i = 0; i < (int)d->layers && d->status == ONDOL_OK; i++) {
        graph_value_id h = decoder_layer_norm(d, x, i, "attn_norm");
        graph_value_id a = decoder_self_attention(d, h, i, &attention);
        x = decoder_add(d, x, a, i, "attn_residual");
        h = decoder_plain_mlp(d, h, i);
        x = decoder_add(d, x, h, i, "ffn_residual");
    }
    x = decoder_layer_norm(d, x, DECODER_GLOBAL, "output_norm");
    decoder_finish(d, x, false, 0);
}
