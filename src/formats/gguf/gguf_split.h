/* Split sets: one model in files that end in -00001-of-00003.gguf. Inside of gguf/. */
#ifndef FORMATS_GGUF_SPLIT_H
#define FORMATS_GGUF_SPLIT_H

#include "formats/gguf/gguf_header.h"

#define GGUF_SPLIT_SUFFIX_BYTES 20 /* "-00001-of-00003.gguf" */

typedef struct gguf_split_keys {
    uint32_t number, count; /* number from 0; count 0: no part of a set */
    uint64_t tensor_count;  /* of the set, UINT64_MAX when not said */
} gguf_split_keys;

/* The keys split.no, split.count and split.tensors.count. Errors: FORMAT. */
ondol_status gguf_split_read(const gguf_header *header, gguf_split_keys *out, ondol_error *err);

/* Writes the GGUF_SPLIT_SUFFIX_BYTES of part `number` (from 0) of `count`, without a 0. */
void gguf_split_put_suffix(char *end, uint32_t number, uint32_t count);

/* FORMAT when the path does not end as that of part keys->number must. */
ondol_status gguf_split_check_path(const char *path, const gguf_split_keys *keys, ondol_error *err);

/* NOT_FOUND, naming the first part that is missing. Called before anything is taken for the parts:
 * a short file may claim 99999. The end of `path` (of any part) is overwritten. */
ondol_status gguf_split_check_exist(char *path, uint32_t count, ondol_error *err);

#endif
