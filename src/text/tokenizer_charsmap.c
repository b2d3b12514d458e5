/* precompiled_charsmap -> replacements of character sequences. */
#include "text/tokenizer_charsmap.h"

#include <stdbool.h>
#include <string.h>

#include "base/reader.h"

ondol_status charsmap_read(const ondol_allocator *allocator, text_view bytes, charsmap *out,
                           ondol_error *err) {
    *out = (charsmap){.allocator = allocator};
    base_reader reader;
    base_reader_init(&reader, bytes.data, bytes.size);
    uint64_t array_bytes = base_read_u32(&reader);
    if (reader.failed || array_bytes % 4 != 0 || array_bytes > base_reader_left(&reader)) {
        return base_fail(err, ONDOL_E_FORMAT,
                         "tokenizer: precompiled_charsmap: an array of %llu bytes in %zu bytes",
                         (unsigned long long)array_bytes, bytes.size);
    }
    size_t n_nodes = (size_t)array_bytes / 4;
    size_t left = bytes.size - 4 - (size_t)array_bytes;
    if (left == 0 || bytes.data[bytes.size - 1] != 0) {
        return base_fail(err, ONDOL_E_FORMAT,
                         "tokenizer: precompiled_charsmap: the replacements (%zu bytes) do not end "
                         "in a zero byte",
                         left);
    }
    out->nodes = base_alloc(allocator, n_nodes, sizeof *out->nodes);
    out->replacements = base_alloc(allocator, left, 1);
    if (!out->nodes || !out->replacements) {
        charsmap_destroy(out);
        return base_no_memory(err, "precompiled_charsmap", bytes.size);
    }
    for (size_t i = 0; i < n_nodes; i++)
        out->nodes[i] = base_read_u32(&reader);
    out->n_nodes = n_nodes;
    memcpy(out->replacements, bytes.data + 4 + array_bytes, left);
    out->replacement_bytes = left;
    return ONDOL_OK;
}

void charsmap_destroy(charsmap *map) {
    if (map->allocator) {
        base_free(map->allocator, map->nodes);
        base_free(map->allocator, map->replacements);
    }
    *map = (charsmap){.allocator = NULL};
}

/* Where the children of a node lie, as an XOR on its place: bits 10 to 30, times 256 if bit 9. */
static size_t charsmap_base(uint32_t node) {
    return (size_t)(node >> 10) << ((node & (1u << 9)) >> 6);
}

static size_t charsmap_search(const charsmap *map, const char *text, size_t n, bool shortest,
                              text_view *replacement) {
    size_t longest = 0;
    size_t value = 0;
    if (map->n_nodes == 0) return 0;
    size_t at = charsmap_base(map->nodes[0]);
    if (n > CHARSMAP_MATCH_MAX) n = CHARSMAP_MATCH_MAX;
    for (size_t i = 0; i < n; i++) {
        unsigned char byte = (unsigned char)text[i];
        at ^= byte;
        if (byte == 0 || at >= map->n_nodes) break;
        uint32_t node = map->nodes[at];
        if ((node & (1u << 31 | 0xffu)) != byte) break;
        at ^= charsmap_base(node);
        if (at >= map->n_nodes) break;
        if (node & (1u << 8)) { /* a string ends here; its value is where the base points */
            longest = i + 1;
            value = map->nodes[at] & ((1u << 31) - 1);
            if (shortest) break;
        }
    }
    if (longest == 0 || value >= map->replacement_bytes) return 0;
    replacement->data = map->replacements + value;
    replacement->size = strlen(replacement->data);
    return longest;
}

size_t charsmap_match(const charsmap *map, const char *text, size_t n, text_view *replacement) {
    return charsmap_search(map, text, n, false, replacement);
}

size_t charsmap_first(const charsmap *map, const char *text, size_t n, text_view *replacement) {
    return charsmap_search(map, text, n, true, replacement);
}
