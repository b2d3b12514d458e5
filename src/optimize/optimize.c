/* The passes in their order. In: a portable graph. Out: a recognised decoder, lowered. */
#include "optimize/optimize.h"

typedef ondol_status (*pass)(const graph *from, graph **out, ondol_error *err);

static const pass passes[] = {optimize_select_rows, optimize_fuse_projections};

void optimize_decoder_destroy(optimize_decoder *d) {
    if (!d) return;
    graph_destroy(d->lowered);
    base_free(d->allocator, d->layers);
    base_free(d->allocator, d);
}

ondol_status optimize_decoder_create(const ondol_allocator *a, const graph *portable,
                                     const optimize_options *options, optimize_decoder **out,
                                     ondol_error *err) {
    optimize_decoder *d = base_calloc(a, 1, sizeof *d);
    if (!d) return base_no_memory(err, "decoder", sizeof *d);
    d->allocator = a;
    const optimize_options none = {0};
    ondol_status status = optimize_lower_decoder(portable, options ? options : &none, d, err);
    for (size_t i = 0; i < sizeof passes / sizeof *passes && status == ONDOL_OK; i++) {
        graph *next = NULL;
        status = passes[i](d->lowered, &next, err);
        if (status != ONDOL_OK) break;
        graph_destroy(d->lowered);
        d->lowered = next;
    }
    if (status != ONDOL_OK) {
        optimize_decoder_destroy(d);
        return status;
    }
    *out = d;
    return ONDOL_OK;
}
