/* .npy files. In: their bytes. Out: a dense array, row-major, little endian. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/npy.h"

typedef struct npy_header {
    bool big_endian, fortran, wide_text, narrow_text;
    size_t item_bytes; /* of one element in the file */
} npy_header;

typedef struct dtype_row {
    char kind;
    unsigned bytes;
    ondol_element element;
} dtype_row;

static const dtype_row dtypes[] = {
    {'f', 2, ONDOL_ELEMENT_FLOAT16},   {'f', 4, ONDOL_ELEMENT_FLOAT32},
    {'f', 8, ONDOL_ELEMENT_FLOAT64},   {'i', 1, ONDOL_ELEMENT_INT8},
    {'i', 2, ONDOL_ELEMENT_INT16},     {'i', 4, ONDOL_ELEMENT_INT32},
    {'i', 8, ONDOL_ELEMENT_INT64},     {'u', 1, ONDOL_ELEMENT_UINT8},
    {'u', 2, ONDOL_ELEMENT_UINT16},    {'u', 4, ONDOL_ELEMENT_UINT32},
    {'u', 8, ONDOL_ELEMENT_UINT64},    {'b', 1, ONDOL_ELEMENT_BOOL},
    {'c', 8, ONDOL_ELEMENT_COMPLEX64}, {'c', 16, ONDOL_ELEMENT_COMPLEX128},
    {'V', 2, ONDOL_ELEMENT_BFLOAT16}, /* as ml_dtypes writes it */
};

/* The text behind 'key': in the header's dictionary. */
static const char *find_key(const char *header, const char *key) {
    char quoted[32];
    snprintf(quoted, sizeof quoted, "'%s':", key);
    const char *at = strstr(header, quoted);
    if (!at) return NULL;
    at += strlen(quoted);
    while (*at == ' ')
        at++;
    return at;
}

static bool parse_dtype(const char *text, npy_header *h, npy_array *out, char *why, size_t n) {
    char descr[16] = {0};
    if (!text || *text != '\'' || sscanf(text + 1, "%15[^']", descr) != 1) {
        snprintf(why, n, "its dtype is none that can be read (a structure?)");
        return false;
    }
    const char order = descr[0], kind = strchr("<>|=", order) ? descr[1] : descr[0];
    const char *digits = strchr("<>|=", order) ? descr + 2 : descr + 1;
    char *end = NULL;
    const unsigned long count = strtoul(digits, &end, 10);
    h->big_endian = order == '>';
    if (*end == 0 && count && count < 1u << 24 && (kind == 'U' || kind == 'S')) {
        out->element = ONDOL_ELEMENT_STRING;
        h->wide_text = kind == 'U';
        h->narrow_text = kind == 'S';
        h->item_bytes = kind == 'U' ? 4 * count : count;
        return true;
    }
    for (size_t i = 0; *end == 0 && i < sizeof dtypes / sizeof *dtypes; i++) {
        if (dtypes[i].kind != kind || dtypes[i].bytes != count) continue;
        out->element = dtypes[i].element;
        h->item_bytes = count;
        return true;
    }
    snprintf(why, n, "dtype '%s': expected a number, bool or text type", descr);
    return false;
}

static bool parse_shape(const char *text, npy_array *out, char *why, size_t n) {
    if (!text || *text != '(') {
        snprintf(why, n, "its header has no shape");
        return false;
    }
    out->elements = 1;
    for (const char *at = text + 1; *at && *at != ')';) {
        char *end = NULL;
        if (*at == ' ' || *at == ',') {
            at++;
            continue;
        }
        const long long size = strtoll(at, &end, 10);
        if (end == at || size < 0 || out->rank == ONDOL_MAX_RANK) {
            snprintf(why, n, "its shape is none, or has more than %d dimensions", ONDOL_MAX_RANK);
            return false;
        }
        if (size && out->elements > (uint64_t)INT64_MAX / 16 / (uint64_t)size) {
            snprintf(why, n, "its shape has too many elements");
            return false;
        }
        out->dims[out->rank++] = size;
        out->elements *= (uint64_t)size;
        at = end;
    }
    return true;
}

static void append_utf8(text_buffer *out, uint32_t c) {
    char b[4];
    size_t n = 0;
    if (c < 0x80) {
        b[n++] = (char)c;
    } else if (c < 0x800) {
        b[n++] = (char)(0xc0 | c >> 6);
        b[n++] = (char)(0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
        b[n++] = (char)(0xe0 | c >> 12);
        b[n++] = (char)(0x80 | (c >> 6 & 0x3f));
        b[n++] = (char)(0x80 | (c & 0x3f));
    } else {
        b[n++] = (char)(0xf0 | (c >> 18 & 7));
        b[n++] = (char)(0x80 | (c >> 12 & 0x3f));
        b[n++] = (char)(0x80 | (c >> 6 & 0x3f));
        b[n++] = (char)(0x80 | (c & 0x3f));
    }
    text_append(out, b, n);
}

/* One element's text; NULs behind it are numpy's padding. */
static void append_text(const npy_header *h, const unsigned char *item, text_buffer *out) {
    if (h->narrow_text) {
        size_t n = h->item_bytes;
        while (n && item[n - 1] == 0)
            n--;
        text_append(out, (const char *)item, n);
        return;
    }
    for (size_t i = 0; i + 4 <= h->item_bytes; i += 4) {
        const unsigned char *p = item + i;
        const uint32_t little =
            p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
        const uint32_t big =
            p[3] | (uint32_t)p[2] << 8 | (uint32_t)p[1] << 16 | (uint32_t)p[0] << 24;
        const uint32_t c = h->big_endian ? big : little;
        if (c) append_utf8(out, c);
    }
}

static void append_number(const npy_header *h, ondol_element element, const unsigned char *item,
                          text_buffer *out) {
    char swapped[16];
    const bool pair = element == ONDOL_ELEMENT_COMPLEX64 || element == ONDOL_ELEMENT_COMPLEX128;
    const size_t word = pair ? h->item_bytes / 2 : h->item_bytes;
    for (size_t i = 0; i < h->item_bytes; i++) {
        const size_t from = h->big_endian ? i / word * word + (word - 1 - i % word) : i;
        swapped[i] = (char)item[from];
    }
    text_append(out, swapped, h->item_bytes);
}

/* Where row-major element i lies in the file. */
static uint64_t source_index(const npy_array *a, const npy_header *h, uint64_t i) {
    if (!h->fortran) return i;
    uint64_t index = 0, below = 1;
    uint64_t stride[ONDOL_MAX_RANK];
    for (size_t d = 0; d < a->rank; d++) {
        stride[d] = below;
        below *= (uint64_t)a->dims[d];
    }
    for (size_t d = a->rank; d-- > 0;) {
        index += i % (uint64_t)a->dims[d] * stride[d];
        i /= (uint64_t)a->dims[d];
    }
    return index;
}

static void take_data(const npy_header *h, const unsigned char *data, npy_array *out) {
    if (out->element == ONDOL_ELEMENT_STRING) {
        out->text_ends = memory_take((size_t)out->elements * sizeof *out->text_ends);
    } else if (!h->fortran && !h->big_endian) {
        text_append(&out->data, (const char *)data, (size_t)out->elements * h->item_bytes);
        return;
    }
    for (uint64_t i = 0; i < out->elements; i++) {
        const unsigned char *item = data + source_index(out, h, i) * h->item_bytes;
        if (out->text_ends) {
            append_text(h, item, &out->data);
            out->text_ends[i] = out->data.size;
        } else {
            append_number(h, out->element, item, &out->data);
        }
    }
}

bool npy_parse(const char *bytes, size_t size, npy_array *out, char *why, size_t n) {
    const unsigned char *b = (const unsigned char *)bytes;
    npy_header h = {0};
    *out = (npy_array){0};
    if (size < 12 || memcmp(bytes, "\x93NUMPY", 6) != 0) {
        snprintf(why, n, "it does not begin as a .npy file does");
        return false;
    }
    const size_t head = b[6] == 1 ? 10 : 12;
    size_t length = b[8] | (size_t)b[9] << 8;
    if (b[6] > 1) length |= (size_t)b[10] << 16 | (size_t)b[11] << 24;
    if (length > size - head || length > 1u << 20) {
        snprintf(why, n, "its header of %zu bytes passes its end", length);
        return false;
    }
    char *header = memory_take(length + 1);
    memcpy(header, bytes + head, length);
    header[length] = 0;
    const char *order = find_key(header, "fortran_order");
    h.fortran = order && strncmp(order, "True", 4) == 0;
    const bool parsed = parse_dtype(find_key(header, "descr"), &h, out, why, n) &&
                        parse_shape(find_key(header, "shape"), out, why, n);
    free(header);
    if (!parsed) return false;
    const uint64_t left = size - head - length;
    if (out->elements > left / h.item_bytes) {
        snprintf(why, n, "%llu elements of %zu bytes, but only %llu bytes follow its header",
                 (unsigned long long)out->elements, h.item_bytes, (unsigned long long)left);
        return false;
    }
    take_data(&h, b + head + length, out);
    return true;
}

void npy_free(npy_array *array) {
    text_free(&array->data);
    free(array->text_ends);
    *array = (npy_array){0};
}
