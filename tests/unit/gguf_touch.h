/* Reads everything that an open GGUF file offers, so that sanitizers see each access. Used by tests
 * and by the fuzzer. */
#ifndef GGUF_TOUCH_H
#define GGUF_TOUCH_H

#include <stdint.h>
#include <string.h>

#include "formats/gguf/gguf_file.h"

static inline uint64_t gguf_touch_bytes(const void *bytes, uint64_t n) {
    uint64_t sum = n;
    for (uint64_t i = 0; i < n; i++)
        sum = sum * 31 + ((const unsigned char *)bytes)[i];
    return sum;
}

/* Depth is at most GGUF_ARRAY_DEPTH_MAX. */
static inline uint64_t gguf_touch_value(const gguf_value *value) { // NOLINT(misc-no-recursion)
    uint64_t sum = value->count, bits = 0;
    int64_t integer = 0;
    double number = 0;
    bool truth = false;
    gguf_string text = {0};
    gguf_value element;
    if (gguf_value_u64(value, &bits)) sum += bits;
    if (gguf_value_i64(value, &integer)) sum += (uint64_t)integer;
    if (gguf_value_f64(value, &number)) sum += gguf_touch_bytes(&number, sizeof number);
    if (gguf_value_bool(value, &truth)) sum += truth;
    if (gguf_value_string(value, &text)) sum += gguf_touch_bytes(text.text, text.size_bytes);
    for (uint64_t i = 0; gguf_array_at(value, i, &element); i++)
        sum = sum * 31 + gguf_touch_value(&element);
    return sum;
}

static inline uint64_t gguf_touch_file(gguf_file *file) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < gguf_part_count(file); i++) {
        const gguf_part *part = gguf_part_at(file, i);
        sum += part->header_bytes + gguf_touch_bytes(part->path, strlen(part->path));
    }
    for (size_t i = 0; i < gguf_key_count(file); i++) {
        const gguf_key *key = gguf_key_at(file, i);
        sum = sum * 31 + gguf_touch_bytes(key->name.text, key->name.size_bytes);
        sum = sum * 31 + gguf_touch_value(&key->value);
    }
    for (size_t i = 0; i < gguf_tensor_count(file); i++) {
        const gguf_tensor *tensor = gguf_tensor_at(file, i);
        const unsigned char *data = NULL;
        ondol_error err;
        sum = sum * 31 + gguf_touch_bytes(tensor->name.text, tensor->name.size_bytes);
        gguf_tensor_will_need(file, tensor);
        if (gguf_tensor_data(file, tensor, &data, &err) == ONDOL_OK) {
            sum = sum * 31 + gguf_touch_bytes(data, tensor->size_bytes);
        }
        gguf_tensor_release(file, tensor);
    }
    return sum;
}

#endif
