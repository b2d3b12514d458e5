/* Prints what a GGUF file's tokenizer makes of texts, for tools/compare_tokenizers.py.
 * In: a path; on stdin records of one byte of flags (text_tokenize's), four bytes of length (little
 * endian) and the text. Out, for each: its ids on a line, and the ids' text in hex on the next.
 * A line "error TEXT" takes the place of the ids when tokenizing fails. */
#include <stdio.h>
#include <stdlib.h>

#include "formats/gguf/gguf_file.h"
#include "models/gguf_text.h"
#include "text/text_tokenizer.h"

#define TEXT_MAX (64u << 20)

static void print_record(const text_tokenizer *tok, const ondol_allocator *heap, const char *text,
                         size_t n, unsigned flags) {
    ondol_error err = {0};
    size_t cap = n * 3 + 16; /* a broken byte gives three tokens; a few frame the text */
    size_t count = 0;
    int32_t *ids = malloc(cap * sizeof *ids);
    base_buffer out;
    base_buffer_init(&out, heap, TEXT_MAX * 4ull);
    if (!ids || text_tokenize(tok, text, n, flags, ids, cap, &count, &err) != ONDOL_OK) {
        printf("error %s\n\n", ids ? err.text : "no memory");
    } else {
        for (size_t i = 0; i < count && i < cap; i++)
            printf(i ? " %d" : "%d", (int)ids[i]);
        printf("\n");
        if (text_detokenize(tok, ids, count, TEXT_SHOW_CONTROL, &out, &err) == ONDOL_OK) {
            for (size_t i = 0; i < out.size; i++)
                printf("%02x", (unsigned char)out.data[i]);
        }
        printf("\n");
    }
    base_buffer_destroy(&out);
    free(ids);
}

static int run(const text_tokenizer *tok, const ondol_allocator *heap) {
    unsigned char head[5];
    while (fread(head, 1, sizeof head, stdin) == sizeof head) {
        size_t n = head[1] | (size_t)head[2] << 8 | (size_t)head[3] << 16 | (size_t)head[4] << 24;
        char *text = n <= TEXT_MAX ? malloc(n + 1) : NULL;
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

int main(int argc, char **argv) {
    const ondol_allocator heap = base_default_allocator();
    ondol_error err = {0};
    gguf_file *file = NULL;
    models_text *text = NULL;
    text_tokenizer *tok = NULL;
    if (argc != 2) {
        fprintf(stderr, "usage: %s FILE.gguf < RECORDS\n", argv[0]);
        return 2;
    }
    int fault = 1;
    if (gguf_file_open(&heap, argv[1], NULL, &file, &err) == ONDOL_OK &&
        models_text_from_gguf(&heap, file, &text, &err) == ONDOL_OK &&
        text_tokenizer_create(&heap, &text->spec, &tok, &err) == ONDOL_OK) {
        fault = run(tok, &heap);
    } else {
        fprintf(stderr, "%s\n", err.text);
    }
    text_tokenizer_destroy(tok);
    models_text_destroy(text);
    gguf_file_close(file);
    return fault;
}
