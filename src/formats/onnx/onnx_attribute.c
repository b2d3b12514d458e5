/* Attributes. In: an AttributeProto. Out: which of its fields is meant. */
#include "formats/onnx/onnx_model.h"

int32_t onnx_attribute_type_of(const onnx_attribute *a) {
    const struct {
        bool there;
        onnx_attribute_type type;
    } fields[] = {
        {onnx_has(&a->head, ONNX_HAS_attribute_f), ONNX_ATTRIBUTE_FLOAT},
        {onnx_has(&a->head, ONNX_HAS_attribute_i), ONNX_ATTRIBUTE_INT},
        {onnx_has(&a->head, ONNX_HAS_attribute_s), ONNX_ATTRIBUTE_STRING},
        {a->t != NULL, ONNX_ATTRIBUTE_TENSOR},
        {a->g != NULL, ONNX_ATTRIBUTE_GRAPH},
        {a->sparse_tensor != NULL, ONNX_ATTRIBUTE_SPARSE_TENSOR},
        {a->tp != NULL, ONNX_ATTRIBUTE_TYPE_PROTO},
        {a->floats.count > 0, ONNX_ATTRIBUTE_FLOATS},
        {a->ints.count > 0, ONNX_ATTRIBUTE_INTS},
        {a->strings.count > 0, ONNX_ATTRIBUTE_STRINGS},
        {a->tensors.count > 0, ONNX_ATTRIBUTE_TENSORS},
        {a->graphs.count > 0, ONNX_ATTRIBUTE_GRAPHS},
        {a->sparse_tensors.count > 0, ONNX_ATTRIBUTE_SPARSE_TENSORS},
        {a->type_protos.count > 0, ONNX_ATTRIBUTE_TYPE_PROTOS},
    };
    if (a->type != ONNX_ATTRIBUTE_UNDEFINED) return a->type;
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (fields[i].there) return (int32_t)fields[i].type;
    return ONNX_ATTRIBUTE_UNDEFINED;
}
