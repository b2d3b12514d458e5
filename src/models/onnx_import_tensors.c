/* Constant tensors of an ONNX file. In: TensorProto. Out: dense data, aligned for its type. */
#include <string.h>

#include "models/onnx_importer.h"

/* Alignment that loops over the elements need. */
static size_t alignment_of(tensor_element e) {
    const unsigned bits = tensor_element_bits(e);
    if (e == TENSOR_ELEMENT_STRING) return sizeof(void *);
    return bits < 16 ? 1 : bits > 64 ? 8 : bits / 8;
}

static ondol_status give(onnx_importer *im, graph *g, const onnx_tensor_view *view,
                         graph_tensor *out) {
    *out = (graph_tensor){.element = view->element,
                          .shape = {.rank = view->rank},
                          .data = view->data,
                          .data_bytes = view->size_bytes};
    memcpy(out->shape.dims, view->dims, sizeof view->dims);
    if ((uintptr_t)view->data % alignment_of(view->element) == 0) return ONDOL_OK;
    void *copy = base_arena_alloc(&g->arena, view->size_bytes, 1);
    if (!copy) return base_no_memory(im->err, "tensor", view->size_bytes);
    memcpy(copy, view->data, view->size_bytes);
    out->data = copy;
    return ONDOL_OK;
}

ondol_status onnx_import_tensor(onnx_importer *im, graph *g, const onnx_tensor *t,
                                graph_tensor *out) {
    onnx_tensor_view view;
    ondol_status status = onnx_tensor_read(im->file, &g->arena, t, &view, im->err);
    return status == ONDOL_OK ? give(im, g, &view, out) : status;
}

ondol_status onnx_import_sparse(onnx_importer *im, graph *g, const onnx_sparse_tensor *t,
                                graph_tensor *out) {
    onnx_tensor_view view;
    ondol_status status = onnx_sparse_tensor_read(im->file, &g->arena, t, &view, im->err);
    return status == ONDOL_OK ? give(im, g, &view, out) : status;
}
