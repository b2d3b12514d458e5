/* formats/sniff: files that are not what was expected are called by their name. */
#include <stdlib.h>

#include "formats/gguf/gguf_file.h"
#include "formats/sniff.h"
#include "unit.h"

typedef struct sniff_case {
    const char *bytes;
    size_t n;
    formats_kind kind;
    const char *part; /* of the sentence that gguf_file_open_memory gives */
} sniff_case;

#define BYTES(text) (text), sizeof(text) - 1

static const sniff_case cases[] = {
    {"", 0, FORMATS_KIND_EMPTY, "this is an empty file, expected GGUF: download it again"},
    {BYTES("GGUF\3\0\0\0"), FORMATS_KIND_GGUF, "number of tensors at byte 8 needs 8 bytes"},
    {BYTES("GG"), FORMATS_KIND_GGUF, "magic at byte 0 needs 4 bytes, 2 are left: 2 are missing"},
    {BYTES("version https://git-lfs.github.com/spec/v1\noid sha256:1234\nsize 98362432\n"),
     FORMATS_KIND_GIT_LFS,
     "a Git-LFS pointer, not the file itself (of 98362432 bytes), expected GGUF: fetch the file "
     "with 'git lfs pull'"},
    {BYTES("version https://git-lfs.github.com/spec/v1\nsize 99999999999999999999999\n"),
     FORMATS_KIND_GIT_LFS, "a Git-LFS pointer, not the file itself, expected"},
    {BYTES("<!DOCTYPE html><html>"), FORMATS_KIND_HTML, "this is an HTML page, not the file"},
    {BYTES("\xef\xbb\xbf\r\n  <HTML lang=en>"), FORMATS_KIND_HTML, "direct link"},
    {BYTES("<?xml version=\"1.0\"?><Error>"), FORMATS_KIND_HTML, "direct link"},
    {BYTES("\x1f\x8b\x08\x00"), FORMATS_KIND_GZIP, "this is gzip data, expected GGUF: unpack"},
    {BYTES("\xfd"
           "7zXZ\0"),
     FORMATS_KIND_XZ, "xz data"},
    {BYTES("\x28\xb5\x2f\xfd!"), FORMATS_KIND_ZSTD, "zstd data"},
    {BYTES("PK\3\4\x14\0\0\0\0\0hello.txt"), FORMATS_KIND_ZIP, "a zip archive"},
    {BYTES("PK\3\4\0\0\10\10\0\0\0\0archive/data.pkl"), FORMATS_KIND_PYTORCH_ZIP,
     "a PyTorch checkpoint (zip), expected GGUF: convert"},
    {BYTES("\x80\2\x8a\nl\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."), FORMATS_KIND_PICKLE, "pickle"},
    {BYTES("\x16\0\0\0\0\0\0\0{\"__metadata__\":{}}    "), FORMATS_KIND_SAFETENSORS,
     "this is safetensors, expected GGUF: convert"},
    {BYTES("\x08\x08\x12\x07pytorch\x1a\x05"
           "2.1.0"),
     FORMATS_KIND_ONNX, "this is an ONNX model, expected GGUF: open it as an ONNX model"},
    {BYTES("\x08\x0a\x3a\x90\x01\x0a"), FORMATS_KIND_ONNX, "ONNX"},
    {BYTES("\x42\x02\x10\x15\x3a\x90\x01\x0a"), FORMATS_KIND_ONNX, "ONNX"},
    {BYTES("\x12\x01p\x3a\x02\x12\x00\x08\x07"), FORMATS_KIND_ONNX, "ONNX"},
    {BYTES("\x08\xff\x3a\x02\x12\x00"), FORMATS_KIND_UNKNOWN, "no GGUF file"},
    {BYTES("\x08\x07\x3b\x02\x12\x00"), FORMATS_KIND_UNKNOWN, "no GGUF file"},
    {BYTES(":colon"), FORMATS_KIND_UNKNOWN, "no GGUF file"},
    {BYTES("lmgg\x01\0\0\0"), FORMATS_KIND_GGML_LEGACY, "a ggml file from before GGUF (2023)"},
    {BYTES("tjgg\3\0\0\0"), FORMATS_KIND_GGML_LEGACY, "before GGUF"},
    {BYTES("{\"architectures\": [\"LlamaForCausalLM\"]}"), FORMATS_KIND_JSON,
     "this is JSON text, expected GGUF: give the model file, not its configuration"},
    {BYTES("\0\0\0\0\0\0\0\0\0\0\0\0"), FORMATS_KIND_ZEROS,
     "a file of zeros, which a download has reserved but not filled"},
    {BYTES("hello"), FORMATS_KIND_UNKNOWN, "no GGUF file: it begins with bytes 68 65 6c 6c 6f"},
    {BYTES("\xff\1\2\3\4\5\6\7\10\11"), FORMATS_KIND_UNKNOWN, "bytes ff 01 02 03 04 05 06 07"},
};

static void kinds_are_told_apart(void **state) {
    (void)state;
    ondol_allocator heap = base_default_allocator();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const sniff_case *c = cases + i;
        /* A copy of exactly n bytes, so that a sanitizer sees the first byte too far. */
        char *copy = malloc(c->n ? c->n : 1);
        assert_non_null(copy);
        memcpy(copy, c->bytes, c->n);
        if (formats_sniff(copy, c->n) != c->kind) {
            fail_msg("case %zu is %s, expected %s", i, formats_kind_name(formats_sniff(copy, c->n)),
                     formats_kind_name(c->kind));
        }
        gguf_file *file = NULL;
        ondol_error err = {0};
        ondol_status status = gguf_file_open_memory(&heap, copy, c->n, NULL, &file, &err);
        assert_true(status == ONDOL_E_FORMAT || status == ONDOL_E_UNSUPPORTED);
        ASSERT_CONTAINS(err.text, c->part);
        for (size_t n = 0; n < c->n; n++)
            formats_sniff(copy + c->n - n, n); /* reads nothing past the end */
        free(copy);
    }
}

static void every_kind_has_a_name_and_a_sentence(void **state) {
    (void)state;
    for (int kind = -1; kind <= FORMATS_KIND_COUNT; kind++) {
        ondol_error err = {0};
        assert_true(strlen(formats_kind_name((formats_kind)kind)) > 3);
        ASSERT_STATUS(formats_sniff_fail((formats_kind)kind, "x", 1, "ONNX", &err), err.status);
        ASSERT_CONTAINS(err.text, "ONNX");
        assert_true(err.status == ONDOL_E_FORMAT || err.status == ONDOL_E_UNSUPPORTED);
    }
}

static void unfinished_downloads_are_known_by_name(void **state) {
    (void)state;
    assert_true(formats_path_unfinished("/a/model.gguf.part"));
    assert_true(formats_path_unfinished("model.crdownload"));
    assert_true(formats_path_unfinished("m.incomplete"));
    assert_false(formats_path_unfinished("model.gguf"));
    assert_false(formats_path_unfinished(".part"));
    assert_false(formats_path_unfinished(""));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinds_are_told_apart),
        cmocka_unit_test(every_kind_has_a_name_and_a_sentence),
        cmocka_unit_test(unfinished_downloads_are_known_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
