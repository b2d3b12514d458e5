/* Split sets: one model in files that end in -00001-of-00003.gguf. In: the split.* keys and the
 * path of one part. Out: the paths of all, once they are known to exist. */
#include "formats/gguf/gguf_split.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"

#define SPLIT_COUNT_MAX 99999 /* what the names can count */

static ondol_status split_integer(const gguf_header *header, const char *key, uint64_t limit,
                                  uint64_t *out, ondol_error *err) {
    const gguf_value *value = gguf_header_find(header, key);
    if (!value) return ONDOL_OK;
    uint64_t number = 0;
    if (!gguf_value_u64(value, &number) || number > limit) {
        char expected[64];
        snprintf(expected, sizeof expected, "an integer from 0 to %" PRIu64, limit);
        return gguf_value_mismatch(key, value, expected, err);
    }
    *out = number;
    return ONDOL_OK;
}

ondol_status gguf_split_read(const gguf_header *header, gguf_split_keys *out, ondol_error *err) {
    ondol_status status = ONDOL_OK;
    uint64_t number = 0, count = 0;
    *out = (gguf_split_keys){.tensor_count = UINT64_MAX};
    TRY(split_integer(header, "split.count", SPLIT_COUNT_MAX, &count, err));
    TRY(split_integer(header, "split.no", SPLIT_COUNT_MAX, &number, err));
    TRY(split_integer(header, "split.tensors.count", UINT32_MAX, &out->tensor_count, err));
    if (count > 1 && number >= count) {
        return base_fail(err, ONDOL_E_FORMAT,
                         "key 'split.no' is %" PRIu64 ", expected below split.count %" PRIu64,
                         number, count);
    }
    out->number = (uint32_t)number;
    out->count = (uint32_t)count;
done:
    return status;
}

void gguf_split_put_suffix(char *end, uint32_t number, uint32_t count) {
    /* Both are at most 99999, so that the suffix has always the same length. */
    char suffix[GGUF_SPLIT_SUFFIX_BYTES + 16];
    snprintf(suffix, sizeof suffix, "-%05" PRIu32 "-of-%05" PRIu32 ".gguf", number + 1, count);
    memcpy(end, suffix, GGUF_SPLIT_SUFFIX_BYTES);
}

ondol_status gguf_split_check_path(const char *path, const gguf_split_keys *keys,
                                   ondol_error *err) {
    char suffix[GGUF_SPLIT_SUFFIX_BYTES + 1] = {0};
    gguf_split_put_suffix(suffix, keys->number, keys->count);
    size_t n = strlen(path);
    if (n >= GGUF_SPLIT_SUFFIX_BYTES && strcmp(path + n - GGUF_SPLIT_SUFFIX_BYTES, suffix) == 0) {
        return ONDOL_OK;
    }
    return base_fail(err, ONDOL_E_FORMAT,
                     "'%s' says that it is part %" PRIu32 " of %" PRIu32
                     ", so its name is expected to end in '%s'; without it the others cannot be "
                     "found",
                     path, keys->number + 1, keys->count, suffix);
}

ondol_status gguf_split_check_exist(char *path, uint32_t count, ondol_error *err) {
    char *end = path + strlen(path) - GGUF_SPLIT_SUFFIX_BYTES;
    for (uint32_t i = 0; i < count; i++) {
        gguf_split_put_suffix(end, i, count);
        if (base_path_kind_of(path) == BASE_PATH_MISSING) {
            return base_fail(err, ONDOL_E_NOT_FOUND,
                             "part %" PRIu32 " of %" PRIu32
                             " of the model is missing: there is no '%s'",
                             i + 1, count, path);
        }
    }
    return ONDOL_OK;
}
