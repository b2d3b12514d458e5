/* Codes with scales apart. In: a node of com.microsoft, its constants. Out: the matrix. */
#include "graph/graph_nbits.h"

#include "graph/ops.h"

static void take_scales(const graph_value *scales, uint64_t blocks, tensor_nbits *n) {
    n->scales = scales->data;
    n->scales_bytes = scales->data_bytes;
    n->scale_element = scales->element;
    n->scale_elems = (tensor_strides){blocks, 1};
}

/* Zero points of whole bytes for each row, or floats. */
static void take_zeros(const graph_value *zeros, uint64_t blocks, tensor_nbits *n) {
    if (!zeros) return;
    n->zeros = zeros->data;
    n->zeros_bytes = zeros->data_bytes;
    if (tensor_element_kind_of(zeros->element) == TENSOR_KIND_FLOAT) {
        n->zero_element = zeros->element;
        n->zero_bits = (tensor_strides){blocks, 1};
    } else {
        const uint64_t row_bits =
            zeros->element == TENSOR_ELEMENT_U8 ? (blocks * n->bits + 7) / 8 * 8 : blocks * n->bits;
        n->zero_bits = (tensor_strides){row_bits, n->bits};
    }
}

const char *graph_nbits_of_matmul(const graph *g, graph_node_id id, const graph_nbits_parts *parts,
                                  tensor_nbits *out) {
    const graph_node *node = g->nodes + id;
    const int64_t rows = graph_get_int(g, id, "N"), columns = graph_get_int(g, id, "K");
    const int64_t bits = graph_get_int(g, id, "bits"), block = graph_get_int(g, id, "block_size");
    if (node->input_count > 4 && node->inputs[4] != GRAPH_NONE)
        return "its columns are in another order (g_idx)";
    if (graph_get_int(g, id, "weight_prepacked"))
        return "its weight is packed for one kind of processor";
    if (bits < 1 || bits > 8 || block < 16 || block > INT32_MAX || rows < 1 || columns < 1 ||
        rows > INT32_MAX || columns > INT32_MAX) {
        return "sizes that make no matrix";
    }
    const uint64_t blocks = ((uint64_t)columns + (uint64_t)block - 1) / (uint64_t)block;
    *out = (tensor_nbits){.bits = (unsigned)bits,
                          .rows = (uint64_t)rows,
                          .columns = (uint64_t)columns,
                          .block_elems = (uint64_t)block,
                          .default_zero = 1 << (bits - 1),
                          .codes = parts->codes->data,
                          .codes_bytes = parts->codes->data_bytes};
    out->code_bits =
        (tensor_strides){blocks * (((uint64_t)block * out->bits + 7) / 8) * 8, out->bits};
    take_scales(parts->scales, blocks, out);
    take_zeros(parts->zeros, blocks, out);
    return NULL;
}

/* Codes: [rows, columns * bits / 8] of bytes, or [rows, columns]. */
const char *graph_nbits_of_table(const graph *g, graph_node_id id, const graph_nbits_parts *parts,
                                 tensor_nbits *out) {
    const graph_value *data = parts->codes;
    const int64_t along = graph_get_int(g, id, "quantize_axis");
    if (data->shape.rank != 2 || graph_get_int(g, id, "gather_axis") != 0 ||
        (along != 1 && along != -1)) {
        return "expected rows of a quantised table";
    }
    const bool bytes = data->element == TENSOR_ELEMENT_U8;
    if (!bytes && data->element != TENSOR_ELEMENT_U4 && data->element != TENSOR_ELEMENT_I4)
        return "a table of another type";
    const int64_t block = graph_get_int(g, id, "block_size");
    const int64_t bits =
        bytes ? graph_get_int(g, id, "bits") : (int64_t)tensor_element_bits(data->element);
    if (bits < 1 || bits > 8 || block < 16 || block > INT32_MAX || data->shape.dims[0] < 1 ||
        data->shape.dims[1] < 1 || parts->scales->shape.rank < 1) {
        return "a table of another kind";
    }
    const uint64_t width = (uint64_t)data->shape.dims[1];
    *out = (tensor_nbits){.bits = (unsigned)bits,
                          .is_signed = data->element == TENSOR_ELEMENT_I4,
                          .rows = (uint64_t)data->shape.dims[0],
                          .columns = bytes ? width * 8 / (uint64_t)bits : width,
                          .block_elems = (uint64_t)block,
                          .default_zero = bytes ? 1 << (bits - 1) : 0,
                          .codes = data->data,
                          .codes_bytes = data->data_bytes};
    out->code_bits = (tensor_strides){bytes ? width * 8 : out->columns * out->bits, out->bits};
    const uint64_t blocks = (out->columns + out->block_elems - 1) / out->block_elems;
    take_scales(parts->scales, blocks, out);
    take_zeros(parts->zeros, blocks, out);
    return NULL;
}
