/* Prints what a tokenizer.json makes of texts, for tools/compare_hf_tokenizer.py.
 * In: paths of a tokenizer.json and, if given, of a tokenizer_config.json; on stdin records of one
 * byte of flags, four bytes of length (little endian) and the data. Flags: text_tokenize's, or 128:
 * the data are ids of four bytes. Out, for each: the ids on a line; the ids' text in hex, without
 * and with control tokens, and as a stream gives the latter, on three more. A line "error TEXT" and
 * three empty ones where tokenizing fails. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text/text_hugging_face.h"

#define DATA_MAX  (64u << 20)
#define FILE_MAX  (256u << 20)
#define FLAG_IDS  128u
#define HEAD_SIZE 5

static void print_hex(const base_buffer *text) {
    for (size_t i = 0; i < text->size; i++)
        printf("%02x", (unsigned char)text->data[i]);
    printf("\n");
}

static void print_texts(const text_tokenizer *tok, const ondol_allocator *heap, const int32_t *ids,
                        size_t count) {
    ondol_error err = {0};
    for (unsigned way = 0; way < 3; way++) {
        const unsigned flags = way > 0 ? TEXT_SHOW_CONTROL : 0;
        base_buffer out;
        base_buffer_init(&out, heap, SIZE_MAX / 4);
        ondol_status status = ONDOL_OK;
        if (way < 2) {
            status = text_detokenize(tok, ids, count, flags, &out, &err);
        } else {
            text_stream stream;
            text_stream_init(&stream, tok, flags);
            for (size_t i = 0; i < count && status == ONDOL_OK; i++)
                status = text_stream_push(&stream, ids[i], &out, &err);
            if (status == ONDOL_OK) status = text_stream_finish(&stream, &out, &err);
        }
        if (status == ONDOL_OK) print_hex(&out);
        if (status != ONDOL_OK) printf("error %s\n", err.text);
        base_buffer_destroy(&out);
    }
}

static void print_record(const text_tokenizer *tok, const ondol_allocator *heap, const char *text,
                         size_t n, unsigned flags) {
    ondol_error err = {0};
    size_t cap = n * 3 + 64, count = 0;
    int32_t *ids = malloc(cap * sizeof *ids);
    ondol_status status = ids ? ONDOL_OK : ONDOL_E_MEMORY;
    if (flags & FLAG_IDS && ids) {
        count = n / 4;
        memcpy(ids, text, count * 4);
    } else if (ids) {
        status = text_tokenize(tok, text, n, flags, ids, cap, &count, &err);
    }
    if (status == ONDOL_OK && count > cap) {
        free(ids);
        ids = malloc(count * sizeof *ids);
        if (ids) status = text_tokenize(tok, text, n, flags, ids, count, &count, &err);
    }
    if (!ids || status != ONDOL_OK) {
        printf("error %s\n\n\n\n", ids ? err.text : "no memory");
    } else {
        for (size_t i = 0; i < count; i++)
            printf(i ? " %d" : "%d", (int)ids[i]);
        printf("\n");
        print_texts(tok, heap, ids, count);
    }
    free(ids);
}

static int run(const text_tokenizer *tok, const ondol_allocator *heap) {
    unsigned char head[HEAD_SIZE];
    while (fread(head, 1, sizeof head, stdin) == sizeof head) {
        size_t n = head[1] | (size_t)head[2] << 8 | (size_t)head[3] << 16 | (size_t)head[4] << 24;
        char *text = n <= DATA_MAX ? malloc(n + 1) : NULL;
        if (!text || fread(text, 1, n, stdin) != n) {
            fprintf(stderr, "a record of %zu bytes that is not there\n", n);
            free(text);
            return 1;
        }
        print_record(tok, heap, text, n, head[0]);
        free(text);
    }
    return 0;
}

/* The whole of a file; data NULL when it cannot be read. */
static text_view read_file(const char *path) {
    FILE *file = fopen(path, "rb");
    char *data = NULL;
    long size = -1;
    if (file && fseek(file, 0, SEEK_END) == 0) size = ftell(file);
    if (size >= 0 && size <= (long)FILE_MAX) data = malloc((size_t)size + 1);
    if (data) {
        rewind(file);
        if (fread(data, 1, (size_t)size, file) != (size_t)size) {
            free(data);
            data = NULL;
        }
    }
    if (file) fclose(file);
    return (text_view){data, data ? (size_t)size : 0};
}

int main(int argc, char **argv) {
    const ondol_allocator heap = base_default_allocator();
    ondol_error err = {0};
    text_hf_files files = {.tokenizer = {NULL, 0}};
    text_tokenizer *tok = NULL;
    if (argc < 2 || argc > 3) {
        fprintf(stderr, "usage: %s tokenizer.json [tokenizer_config.json] < RECORDS\n", argv[0]);
        return 2;
    }
    files.tokenizer = read_file(argv[1]);
    if (argc == 3) files.tokenizer_config = read_file(argv[2]);
    int fault = 1;
    if (text_tokenizer_from_json(&heap, &files, NULL, &tok, &err) == ONDOL_OK) {
        fault = run(tok, &heap);
    } else {
        fprintf(stderr, "%s\n", err.text);
    }
    text_tokenizer_destroy(tok);
    free((char *)(uintptr_t)files.tokenizer.data);
    free((char *)(uintptr_t)files.tokenizer_config.data);
    return fault;
}
