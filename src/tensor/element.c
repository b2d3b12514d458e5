/* Element types: names and sizes, one row each. */
#include "tensor/element.h"

#include <string.h>

#include "base/checked.h"

typedef struct element_row {
    const char *name, *onnx_name;
    uint8_t bits, kind;
} element_row;

static const element_row ROWS[TENSOR_ELEMENT_COUNT] = {
    [TENSOR_ELEMENT_UNDEFINED] = {"undefined", "undefined", 0, TENSOR_KIND_NONE},
    [TENSOR_ELEMENT_F32] = {"f32", "float", 32, TENSOR_KIND_FLOAT},
    [TENSOR_ELEMENT_U8] = {"u8", "uint8", 8, TENSOR_KIND_UNSIGNED},
    [TENSOR_ELEMENT_I8] = {"i8", "int8", 8, TENSOR_KIND_SIGNED},
    [TENSOR_ELEMENT_U16] = {"u16", "uint16", 16, TENSOR_KIND_UNSIGNED},
    [TENSOR_ELEMENT_I16] = {"i16", "int16", 16, TENSOR_KIND_SIGNED},
    [TENSOR_ELEMENT_I32] = {"i32", "int32", 32, TENSOR_KIND_SIGNED},
    [TENSOR_ELEMENT_I64] = {"i64", "int64", 64, TENSOR_KIND_SIGNED},
    [TENSOR_ELEMENT_STRING] = {"string", "string", 0, TENSOR_KIND_STRING},
    [TENSOR_ELEMENT_BOOL] = {"bool", "bool", 8, TENSOR_KIND_BOOL},
    [TENSOR_ELEMENT_F16] = {"f16", "float16", 16, TENSOR_KIND_FLOAT},
    [TENSOR_ELEMENT_F64] = {"f64", "double", 64, TENSOR_KIND_FLOAT},
    [TENSOR_ELEMENT_U32] = {"u32", "uint32", 32, TENSOR_KIND_UNSIGNED},
    [TENSOR_ELEMENT_U64] = {"u64", "uint64", 64, TENSOR_KIND_UNSIGNED},
    [TENSOR_ELEMENT_C64] = {"c64", "complex64", 64, TENSOR_KIND_COMPLEX},
    [TENSOR_ELEMENT_C128] = {"c128", "complex128", 128, TENSOR_KIND_COMPLEX},
    [TENSOR_ELEMENT_BF16] = {"bf16", "bfloat16", 16, TENSOR_KIND_FLOAT},
    [TENSOR_ELEMENT_F8E4M3FN] = {"f8e4m3fn", "float8e4m3fn", 8, TENSOR_KIND_FLOAT},
    [TENSOR_ELEMENT_F8E4M3FNUZ] = {"f8e4m3fnuz", "float8e4m3fnuz", 8, TENSOR_KIND_FLOAT},
    [TENSOR_ELEMENT_F8E5M2] = {"f8e5m2", "float8e5m2", 8, TENSOR_KIND_FLOAT},
    [TENSOR_ELEMENT_F8E5M2FNUZ] = {"f8e5m2fnuz", "float8e5m2fnuz", 8, TENSOR_KIND_FLOAT},
    [TENSOR_ELEMENT_U4] = {"u4", "uint4", 4, TENSOR_KIND_UNSIGNED},
    [TENSOR_ELEMENT_I4] = {"i4", "int4", 4, TENSOR_KIND_SIGNED},
    [TENSOR_ELEMENT_F4E2M1] = {"f4e2m1", "float4e2m1", 4, TENSOR_KIND_FLOAT},
    [TENSOR_ELEMENT_F8E8M0] = {"f8e8m0", "float8e8m0", 8, TENSOR_KIND_FLOAT},
    [TENSOR_ELEMENT_U2] = {"u2", "uint2", 2, TENSOR_KIND_UNSIGNED},
    [TENSOR_ELEMENT_I2] = {"i2", "int2", 2, TENSOR_KIND_SIGNED},
    [TENSOR_ELEMENT_F6E2M3] = {"f6e2m3", "float6e2m3", 6, TENSOR_KIND_FLOAT},
    [TENSOR_ELEMENT_F6E3M2] = {"f6e3m2", "float6e3m2", 6, TENSOR_KIND_FLOAT},
};

static const element_row *row_of(tensor_element e) {
    const bool valid = tensor_element_valid((int64_t)e);
    return &ROWS[valid ? e : TENSOR_ELEMENT_UNDEFINED];
}

bool tensor_element_valid(int64_t number) {
    return number > TENSOR_ELEMENT_UNDEFINED && number < TENSOR_ELEMENT_COUNT;
}

const char *tensor_element_name(tensor_element e) {
    return row_of(e)->name;
}

const char *tensor_element_onnx_name(tensor_element e) {
    return row_of(e)->onnx_name;
}

bool tensor_element_from_name(const char *name, tensor_element *out) {
    for (int e = 1; e < TENSOR_ELEMENT_COUNT; e++) {
        if (!strcmp(name, ROWS[e].name) || !strcmp(name, ROWS[e].onnx_name)) {
            *out = (tensor_element)e;
            return true;
        }
    }
    return false;
}

unsigned tensor_element_bits(tensor_element e) {
    return row_of(e)->bits;
}

tensor_element_kind tensor_element_kind_of(tensor_element e) {
    return (tensor_element_kind)row_of(e)->kind;
}

bool tensor_element_bytes(tensor_element e, uint64_t n_elems, uint64_t *bytes) {
    const unsigned bits = tensor_element_bits(e);
    if (bits == 0) return false;
    if (bits >= 8) return base_mul(n_elems, bits / 8, bytes);
    /* 8 elements take `bits` whole bytes; the rest is rounded up. */
    *bytes = n_elems / 8 * bits + (n_elems % 8 * bits + 7) / 8;
    return true;
}
