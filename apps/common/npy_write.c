/* .npy files. In: a tensor. Out: header and data; types that numpy lacks are widened. */
#include <stdio.h>
#include <string.h>

#include "common/npy.h"

/* numpy's name of an element type; NULL: it has none that this writes. Types of fewer than 8 bits
 * become bytes, bfloat16 and the small floats stay as their bits. */
static const char *dtype_of(ondol_element element) {
    switch (element) {
    case ONDOL_ELEMENT_FLOAT16: return "<f2";
    case ONDOL_ELEMENT_FLOAT32: return "<f4";
    case ONDOL_ELEMENT_FLOAT64: return "<f8";
    case ONDOL_ELEMENT_INT8:
    case ONDOL_ELEMENT_INT4:
    case ONDOL_ELEMENT_INT2: return "|i1";
    case ONDOL_ELEMENT_INT16: return "<i2";
    case ONDOL_ELEMENT_INT32: return "<i4";
    case ONDOL_ELEMENT_INT64: return "<i8";
    case ONDOL_ELEMENT_UINT16: return "<u2";
    case ONDOL_ELEMENT_UINT32: return "<u4";
    case ONDOL_ELEMENT_UINT64: return "<u8";
    case ONDOL_ELEMENT_BOOL: return "|b1";
    case ONDOL_ELEMENT_COMPLEX64: return "<c8";
    case ONDOL_ELEMENT_COMPLEX128: return "<c16";
    case ONDOL_ELEMENT_BFLOAT16: return "<V2";
    case ONDOL_ELEMENT_STRING:
    case ONDOL_ELEMENT_UNKNOWN: return NULL;
    default: return "|u1";
    }
}

bool npy_append_header(const ondol_value_info *info, text_buffer *out) {
    const char *dtype = dtype_of(info->element);
    if (!dtype) return false;
    text_buffer text = {0};
    text_print(&text, "{'descr': '%s', 'fortran_order': False, 'shape': (", dtype);
    for (size_t i = 0; i < info->rank; i++)
        text_print(&text, "%s%lld", i ? ", " : "", (long long)info->dims[i]);
    text_print(&text, "%s), }", info->rank == 1 ? "," : "");
    /* Magic, version and length take 10 bytes; data begins at a multiple of 64. */
    while ((10 + text.size + 1) % 64)
        text_append(&text, " ", 1);
    text_append(&text, "\n", 1);
    const char head[10] = {
        '\x93', 'N', 'U', 'M', 'P', 'Y', 1, 0, (char)(text.size & 0xff), (char)(text.size >> 8)};
    text_append(out, head, sizeof head);
    text_append(out, text.bytes, text.size);
    text_free(&text);
    return true;
}

void npy_append_data(const ondol_value_info *info, text_buffer *out) {
    const unsigned bits = ondol_element_bits(info->element);
    if (bits >= 8) {
        text_append(out, info->data, (size_t)info->size_bytes);
        return;
    }
    const unsigned char *data = info->data;
    const bool is_signed =
        info->element == ONDOL_ELEMENT_INT4 || info->element == ONDOL_ELEMENT_INT2;
    for (uint64_t i = 0; i < info->elements; i++) {
        const uint64_t bit = i * bits;
        unsigned word = data[bit / 8];
        if (bit % 8 + bits > 8) word |= (unsigned)data[bit / 8 + 1] << 8;
        unsigned code = word >> bit % 8 & ((1u << bits) - 1);
        if (is_signed && code >> (bits - 1)) code |= 0xffu << bits;
        const char byte = (char)(code & 0xff);
        text_append(out, &byte, 1);
    }
}
