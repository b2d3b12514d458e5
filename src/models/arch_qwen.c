/* qwen2: Qwen 2 and 2.5 (arXiv:2407.10671), biases on q, k, v. qwen3: Qwen 3 (arXiv:2505.09388), a
 * norm of each head of q and k instead. In: a GGUF file. Out: a portable graph. */
#include "models/decoder.h"

static void build(decoder *d, decoder_qk_norm qk_norm) {
    decoder_begin(d, "attention.layer_norm_rms_epsilon");
    decoder_rope rope = decoder_model_rope(d, false);
    decoder_attention attention = {.rope = &rope, .qk_norm = qk_norm};
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

void models_build_qwen2(decoder *d) {
    build(d, DECODER_QK_NONE);
}

void models_build_qwen3(decoder *d) {
    build(d, DECODER_QK_HEADS);
}
