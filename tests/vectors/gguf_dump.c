/* Prints what formats/gguf reads in a file, one line for each key and tensor, for gguf_compare.py.
 * In: a path. Out: "key NAME TYPE COUNT CRC" and "tensor NAME ENCODING DIMS OFFSET BYTES CRC";
 * names in hex; the CRC-32 is of the value's little-endian bytes (strings: 8 bytes of length, then
 * text) or of the tensor's. With a second argument the data of tensors is not read (CRC 0). */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "formats/gguf/gguf_file.h"

typedef struct crc32_table {
    uint32_t of[256];
} crc32_table;

static void crc32_init(crc32_table *t) { /* the polynomial of IEEE 802.3 */
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int k = 0; k < 8; k++)
            c = c & 1 ? 0xedb88320u ^ c >> 1 : c >> 1;
        t->of[i] = c;
    }
}

static uint32_t crc32_add(const crc32_table *t, uint32_t crc, const void *bytes, uint64_t n) {
    const unsigned char *p = bytes;
    crc = ~crc;
    for (uint64_t i = 0; i < n; i++)
        crc = t->of[(crc ^ p[i]) & 255] ^ crc >> 8;
    return ~crc;
}

static uint32_t crc32_integer(const crc32_table *t, uint32_t crc, uint64_t value, size_t n) {
    unsigned char bytes[8];
    for (size_t i = 0; i < n; i++)
        bytes[i] = (unsigned char)(value >> (8 * i));
    return crc32_add(t, crc, bytes, n);
}

/* A number of any type by its public accessors, so that these are compared as well. */
static uint32_t crc32_number(const crc32_table *t, uint32_t crc, const gguf_value *v) {
    const size_t n = gguf_type_bytes(v->type);
    uint64_t bits = 0;
    int64_t integer = 0;
    double number = 0;
    bool truth = false;
    if (gguf_value_i64(v, &integer)) return crc32_integer(t, crc, (uint64_t)integer, n);
    if (gguf_value_u64(v, &bits)) return crc32_integer(t, crc, bits, n);
    if (gguf_value_bool(v, &truth)) return crc32_integer(t, crc, truth, 1);
    if (!gguf_value_f64(v, &number)) return crc;
    if (v->type == GGUF_TYPE_F64) {
        memcpy(&bits, &number, sizeof bits);
    } else {
        const float f = (float)number;
        uint32_t bits32 = 0;
        memcpy(&bits32, &f, sizeof bits32);
        bits = bits32;
    }
    return crc32_integer(t, crc, bits, n);
}

static uint32_t crc32_value(const crc32_table *t, uint32_t crc, const gguf_value *v) {
    gguf_string text = {0};
    gguf_value element;
    if (gguf_value_string(v, &text)) {
        crc = crc32_integer(t, crc, text.size_bytes, 8);
        return crc32_add(t, crc, text.text, text.size_bytes);
    }
    if (v->type != GGUF_TYPE_ARRAY) return crc32_number(t, crc, v);
    for (uint64_t i = 0; gguf_array_at(v, i, &element); i++)
        crc = crc32_value(t, crc, &element); /* at most GGUF_ARRAY_DEPTH_MAX deep */
    return crc;
}

static void print_name(gguf_string name) {
    for (size_t i = 0; i < name.size_bytes; i++)
        printf("%02x", (unsigned char)name.text[i]);
}

static int print_tensor(const crc32_table *t, gguf_file *file, const gguf_tensor *tensor,
                        bool with_data) {
    ondol_error err = {0};
    const unsigned char *data = NULL;
    if (gguf_tensor_data(file, tensor, &data, &err) != ONDOL_OK) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    printf("tensor ");
    print_name(tensor->name);
    printf(" %s ", tensor_encoding_info_of(tensor->encoding)->name);
    for (unsigned i = 0; i < tensor->n_dims; i++)
        printf(i ? "x%" PRIu64 : "%" PRIu64, tensor->dims[i]);
    printf(" %" PRIu64 " %" PRIu64 " %08" PRIx32 "\n", tensor->offset, tensor->size_bytes,
           with_data ? crc32_add(t, 0, data, tensor->size_bytes) : 0);
    return 0;
}

int main(int argc, char **argv) {
    const ondol_allocator heap = base_default_allocator();
    ondol_error err = {0};
    gguf_file *file = NULL;
    crc32_table table;
    if (argc < 2) {
        fprintf(stderr, "usage: %s FILE.gguf [no-data]\n", argv[0]);
        return 2;
    }
    if (gguf_file_open(&heap, argv[1], NULL, &file, &err) != ONDOL_OK) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    crc32_init(&table);
    for (size_t i = 0; i < gguf_key_count(file); i++) {
        const gguf_key *key = gguf_key_at(file, i);
        printf("key ");
        print_name(key->name);
        printf(" %s %" PRIu64 " %08" PRIx32 "\n", gguf_type_name(key->value.type),
               key->value.type == GGUF_TYPE_ARRAY ? key->value.count : 1,
               crc32_value(&table, 0, &key->value));
    }
    int fault = 0;
    for (size_t i = 0; i < gguf_tensor_count(file); i++)
        fault |= print_tensor(&table, file, gguf_tensor_at(file, i), argc < 3);
    gguf_file_close(file);
    return fault;
}
