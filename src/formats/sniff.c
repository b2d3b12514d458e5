/* Recognises files by their first bytes. In: a file that is not what was expected. Out: its kind,
 * and the sentence that names it. */
#include "formats/sniff.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define LOOK_BYTES 4096u /* how far into a file anything here looks */

static bool starts(const unsigned char *p, size_t n, const char *magic, size_t magic_bytes) {
    return n >= magic_bytes && memcmp(p, magic, magic_bytes) == 0;
}

static bool contains(const unsigned char *p, size_t n, const char *text) {
    size_t length = strlen(text);
    for (size_t i = 0; i + length <= n; i++) {
        if (memcmp(p + i, text, length) == 0) return true;
    }
    return false;
}

/* Like `starts`, for text in either case after white space and a byte order mark. */
static bool starts_with_tag(const unsigned char *p, size_t n, const char *tag) {
    if (starts(p, n, "\xef\xbb\xbf", 3)) p += 3, n -= 3;
    while (n > 0 && (*p == ' ' || *p == '\t' || *p == '\r' || *p == '\n'))
        p++, n--;
    size_t length = strlen(tag);
    if (n < length) return false;
    for (size_t i = 0; i < length; i++) {
        unsigned char c = p[i] >= 'A' && p[i] <= 'Z' ? (unsigned char)(p[i] + 32) : p[i];
        if (c != (unsigned char)tag[i]) return false;
    }
    return true;
}

/* 8 bytes of header size, then a JSON object of that size. */
static bool is_safetensors(const unsigned char *p, size_t n, uint64_t size_bytes) {
    if (n < 9 || p[8] != '{') return false;
    uint64_t header = 0;
    for (unsigned i = 0; i < 8; i++)
        header |= (uint64_t)p[i] << (8 * i);
    return header >= 2 && (header <= size_bytes - 8 || header < (1u << 28));
}

static bool read_varint(const unsigned char *p, size_t n, size_t *at, uint64_t *out) {
    *out = 0;
    for (unsigned shift = 0; shift < 64 && *at < n; shift += 7) {
        unsigned char c = p[(*at)++];
        *out |= (uint64_t)(c & 0x7f) << shift;
        if (!(c & 0x80)) return true;
    }
    return false;
}

/* The wire type of each field of a ModelProto; 9: there is no such field. */
static unsigned onnx_wire(uint64_t field) {
    switch (field) {
    case 1:
    case 5: return 0;
    case 2:
    case 3:
    case 4:
    case 6:
    case 7:
    case 8:
    case 14:
    case 20:
    case 25:
    case 26: return 2;
    default: return 9;
    }
}

/* A ModelProto has no magic: from the first byte on there are known fields alone, two or more, and
 * ir_version (a small number) among them, or both a graph (7) and imports of operator sets (8). */
static bool is_onnx(const unsigned char *p, size_t n) {
    size_t at = 0, fields = 0;
    bool version = false, graph = false, imports = false;
    while (at < n) {
        uint64_t tag = 0, value = 0;
        if (!read_varint(p, n, &at, &tag)) break;
        const uint64_t field = tag >> 3;
        if ((tag & 7) != onnx_wire(field)) return false;
        if (!read_varint(p, n, &at, &value)) break;
        if (field == 1 && (value < 1 || value > 64)) return false;
        version = version || field == 1;
        graph = graph || field == 7;
        imports = imports || field == 8;
        fields++;
        if ((tag & 7) == 2 && value >= n - at) break; /* beyond what is looked at */
        if ((tag & 7) == 2) at += (size_t)value;
    }
    return fields >= 2 && (version || (graph && imports));
}

static bool is_legacy(const unsigned char *p, size_t n) {
    static const char *const magics[] = {"lmgg", "fmgg", "tjgg", "algg", "nsgg"};
    for (size_t i = 0; i < sizeof magics / sizeof *magics; i++) {
        if (starts(p, n, magics[i], 4)) return true;
    }
    return false;
}

static formats_kind sniff_archive(const unsigned char *p, size_t n) {
    if (starts(p, n, "\x1f\x8b", 2)) return FORMATS_KIND_GZIP;
    if (starts(p, n,
               "\xfd"
               "7zXZ",
               5))
        return FORMATS_KIND_XZ;
    if (starts(p, n, "\x28\xb5\x2f\xfd", 4)) return FORMATS_KIND_ZSTD;
    if (!starts(p, n, "PK\3\4", 4) && !starts(p, n, "PK\5\6", 4)) return FORMATS_KIND_UNKNOWN;
    return contains(p, n, "/data.pkl") ? FORMATS_KIND_PYTORCH_ZIP : FORMATS_KIND_ZIP;
}

static formats_kind sniff_text(const unsigned char *p, size_t n) {
    static const char *const tags[] = {"<!doctype", "<html", "<head", "<body", "<?xml", "<!--"};
    if (starts(p, n, "version https://git-lfs.github.com/spec/", 40)) return FORMATS_KIND_GIT_LFS;
    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++) {
        if (starts_with_tag(p, n, tags[i])) return FORMATS_KIND_HTML;
    }
    if (starts_with_tag(p, n, "{") && !memchr(p, 0, n)) return FORMATS_KIND_JSON;
    return FORMATS_KIND_UNKNOWN;
}

formats_kind formats_sniff(const void *bytes, uint64_t size_bytes) {
    const unsigned char *p = bytes;
    const size_t n = size_bytes < LOOK_BYTES ? (size_t)size_bytes : LOOK_BYTES;
    if (n == 0) return FORMATS_KIND_EMPTY;
    if (memcmp(p, "GGUF", n < 4 ? n : 4) == 0) return FORMATS_KIND_GGUF;
    if (is_legacy(p, n)) return FORMATS_KIND_GGML_LEGACY;
    formats_kind kind = sniff_archive(p, n);
    if (kind == FORMATS_KIND_UNKNOWN) kind = sniff_text(p, n);
    if (kind != FORMATS_KIND_UNKNOWN) return kind;
    if (is_safetensors(p, n, size_bytes)) return FORMATS_KIND_SAFETENSORS;
    /* Protocol 2 to 5 of pickle: opcode PROTO, then FRAME, EMPTY_DICT, GLOBAL, LONG1 or such. */
    if (n >= 3 && p[0] == 0x80 && p[1] >= 2 && p[1] <= 5) return FORMATS_KIND_PICKLE;
    if (is_onnx(p, n)) return FORMATS_KIND_ONNX;
    if (p[0] == 0 && memcmp(p, p + 1, n - 1) == 0) return FORMATS_KIND_ZEROS;
    return FORMATS_KIND_UNKNOWN;
}

typedef struct kind_text {
    const char *name;   /* "this is ..." */
    const char *advice; /* what to do */
    ondol_status status;
} kind_text;

/* clang-format off */
static const kind_text kind_texts[FORMATS_KIND_COUNT] = {
    [FORMATS_KIND_EMPTY] = {"an empty file", "download it again", ONDOL_E_FORMAT},
    [FORMATS_KIND_ZEROS] = {"a file of zeros, which a download has reserved but not filled",
                            "download it again", ONDOL_E_FORMAT},
    [FORMATS_KIND_GGUF] = {"GGUF", "open it as a GGUF model", ONDOL_E_UNSUPPORTED},
    [FORMATS_KIND_GGML_LEGACY] = {"a ggml file from before GGUF (2023)",
                                  "get the model's GGUF file, or convert it anew from its source",
                                  ONDOL_E_UNSUPPORTED},
    [FORMATS_KIND_SAFETENSORS] = {"safetensors",
                                  "convert its model to GGUF with llama.cpp's convert_hf_to_gguf.py",
                                  ONDOL_E_UNSUPPORTED},
    [FORMATS_KIND_ONNX] = {"an ONNX model", "open it as an ONNX model", ONDOL_E_UNSUPPORTED},
    [FORMATS_KIND_PYTORCH_ZIP] = {"a PyTorch checkpoint (zip)",
                                  "convert its model to GGUF with llama.cpp's convert_hf_to_gguf.py",
                                  ONDOL_E_UNSUPPORTED},
    [FORMATS_KIND_PICKLE] = {"a Python pickle, perhaps an old PyTorch checkpoint",
                             "convert its model to GGUF with llama.cpp's convert_hf_to_gguf.py",
                             ONDOL_E_UNSUPPORTED},
    [FORMATS_KIND_ZIP] = {"a zip archive", "unpack it first", ONDOL_E_FORMAT},
    [FORMATS_KIND_GZIP] = {"gzip data", "unpack it first with gunzip", ONDOL_E_FORMAT},
    [FORMATS_KIND_XZ] = {"xz data", "unpack it first with unxz", ONDOL_E_FORMAT},
    [FORMATS_KIND_ZSTD] = {"zstd data", "unpack it first with unzstd", ONDOL_E_FORMAT},
    [FORMATS_KIND_GIT_LFS] = {"a Git-LFS pointer, not the file itself",
                              "fetch the file with 'git lfs pull'", ONDOL_E_FORMAT},
    [FORMATS_KIND_HTML] = {"an HTML page, not the file",
                           "the link led to a web page: download from the file's direct link",
                           ONDOL_E_FORMAT},
    [FORMATS_KIND_JSON] = {"JSON text", "give the model file, not its configuration",
                           ONDOL_E_FORMAT},
};
/* clang-format on */

const char *formats_kind_name(formats_kind kind) {
    if (kind <= FORMATS_KIND_UNKNOWN || kind >= FORMATS_KIND_COUNT) return "of an unknown format";
    return kind_texts[kind].name;
}

/* The size that a Git-LFS pointer promises ("size 123\n"), 0 when it says none. */
static uint64_t lfs_size(const unsigned char *p, size_t n) {
    static const char label[] = "\nsize ";
    for (size_t i = 0; i + sizeof label - 1 < n; i++) {
        if (memcmp(p + i, label, sizeof label - 1) != 0) continue;
        uint64_t size = 0;
        for (i += sizeof label - 1; i < n && p[i] >= '0' && p[i] <= '9'; i++) {
            if (size > UINT64_MAX / 10 - 1) return 0;
            size = size * 10 + (uint64_t)(p[i] - '0');
        }
        return size;
    }
    return 0;
}

/* "47 47 55": the first bytes, at most 8. */
static void first_bytes(const unsigned char *p, uint64_t n, char out[32]) {
    size_t used = 0;
    out[0] = 0;
    for (size_t i = 0; i < n && i < 8; i++) {
        int wrote = snprintf(out + used, 32 - used, i ? " %02x" : "%02x", p[i]);
        if (wrote > 0) used += (size_t)wrote;
    }
}

ondol_status formats_sniff_fail(formats_kind kind, const void *bytes, uint64_t size_bytes,
                                const char *expected, ondol_error *err) {
    const size_t n = size_bytes < LOOK_BYTES ? (size_t)size_bytes : LOOK_BYTES;
    if (kind <= FORMATS_KIND_UNKNOWN || kind >= FORMATS_KIND_COUNT) {
        char hex[32];
        first_bytes(bytes, size_bytes, hex);
        return base_fail(err, ONDOL_E_FORMAT, "this is no %s file: it begins with bytes %s",
                         expected, hex);
    }
    const kind_text *text = kind_texts + kind;
    uint64_t promised = kind == FORMATS_KIND_GIT_LFS ? lfs_size(bytes, n) : 0;
    if (promised) {
        return base_fail(err, text->status, "this is %s (of %" PRIu64 " bytes), expected %s: %s",
                         text->name, promised, expected, text->advice);
    }
    return base_fail(err, text->status, "this is %s, expected %s: %s", text->name, expected,
                     text->advice);
}

bool formats_path_unfinished(const char *path) {
    static const char *const ends[] = {".part",       ".partial", ".crdownload", ".download",
                                       ".incomplete", ".!ut",     ".tmp"};
    size_t n = strlen(path);
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        size_t length = strlen(ends[i]);
        if (n > length && strcmp(path + n - length, ends[i]) == 0) return true;
    }
    return false;
}
