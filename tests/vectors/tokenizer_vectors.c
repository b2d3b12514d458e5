/* Every vocabulary of the test archive that has texts (.inp) and their ids (.out): the ids are the
 * same, and the ids' text is what a stream of them gives. In: $ONDOL_TEST_ARCHIVE, a folder with
 * models/ggml-vocab-*.gguf. Out: a line for each vocabulary; exit status 77 without the archive. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "formats/gguf/gguf_file.h"
#include "models/gguf_text.h"
#include "text/text_tokenizer.h"

#define SEPARATOR "\n__ggml_vocab_test__\n"
#define IDS_MAX   65536u
#define PATH_MAX_ 4096u

typedef struct vocabulary {
    ondol_allocator heap;
    gguf_file *file;
    models_text *text;
    text_tokenizer *tok;
    int32_t ids[IDS_MAX];
} vocabulary;

/* A whole file, ended by 0; NULL when there is none. Freed by the caller. */
static char *read_all(const char *path, size_t *size) {
    FILE *f = fopen(path, "rb");
    if (!f) return NULL;
    char *data = NULL;
    if (fseek(f, 0, SEEK_END) == 0) {
        long end = ftell(f);
        rewind(f);
        data = end >= 0 ? malloc((size_t)end + 1) : NULL;
        *size = data ? fread(data, 1, (size_t)end, f) : 0;
        if (data) data[*size] = 0;
    }
    fclose(f);
    return data;
}

static bool vocabulary_open(vocabulary *v, const char *path) {
    ondol_error err = {0};
    v->heap = base_default_allocator();
    if (gguf_file_open(&v->heap, path, NULL, &v->file, &err) != ONDOL_OK ||
        models_text_from_gguf(&v->heap, v->file, &v->text, &err) != ONDOL_OK ||
        text_tokenizer_create(&v->heap, &v->text->spec, &v->tok, &err) != ONDOL_OK) {
        printf("%s: %s\n", path, err.text);
        return false;
    }
    return true;
}

static void vocabulary_close(vocabulary *v) {
    text_tokenizer_destroy(v->tok);
    models_text_destroy(v->text);
    gguf_file_close(v->file);
}

/* A line of ids; *line moves behind it. */
static size_t parse_ids(char **line, int32_t *ids) {
    size_t n = 0;
    char *p = *line;
    while (*p && *p != '\n') {
        char *end = p;
        long id = strtol(p, &end, 10);
        if (end == p || n == IDS_MAX) break;
        ids[n++] = (int32_t)id;
        p = end;
        while (*p == ' ' || *p == '\r')
            p++;
    }
    *line = *p == '\n' ? p + 1 : p;
    return n;
}

/* The text of v->ids at once and as a stream; both the same, all of it UTF-8. */
static bool check_text(vocabulary *v, size_t n) {
    ondol_error err = {0};
    base_buffer whole;
    base_buffer streamed;
    text_stream stream;
    base_buffer_init(&whole, &v->heap, 1u << 24);
    base_buffer_init(&streamed, &v->heap, 1u << 24);
    bool good = text_detokenize(v->tok, v->ids, n, 0, &whole, &err) == ONDOL_OK;
    text_stream_init(&stream, v->tok, 0);
    for (size_t i = 0; i < n && good; i++) {
        good = text_stream_push(&stream, v->ids[i], &streamed, &err) == ONDOL_OK &&
               (streamed.size == 0 ||
                base_utf8_valid((const unsigned char *)streamed.data, streamed.size));
    }
    good = good && text_stream_finish(&stream, &streamed, &err) == ONDOL_OK;
    good = good && whole.size == streamed.size &&
           (whole.size == 0 || memcmp(whole.data, streamed.data, whole.size) == 0);
    base_buffer_destroy(&whole);
    base_buffer_destroy(&streamed);
    return good;
}

static bool check_one(vocabulary *v, const char *text, size_t n, const int32_t *want,
                      size_t n_want) {
    ondol_error err = {0};
    size_t count = 0;
    if (text_tokenize(v->tok, text, n, 0, v->ids, IDS_MAX, &count, &err) != ONDOL_OK) {
        printf("  %s\n", err.text);
        return false;
    }
    if (count != n_want || memcmp(v->ids, want, count * sizeof *want) != 0) {
        printf("  text '%.*s':\n  expected", (int)n, text);
        for (size_t i = 0; i < n_want; i++)
            printf(" %d", (int)want[i]);
        printf("\n  got     ");
        for (size_t i = 0; i < count && i < IDS_MAX; i++)
            printf(" %d", (int)v->ids[i]);
        printf("\n");
        return false;
    }
    if (check_text(v, count)) return true;
    printf("  text '%.*s': its ids give another text in a stream\n", (int)n, text);
    return false;
}

/* Counts texts and faults of one vocabulary. */
static void check_texts(vocabulary *v, char *in, size_t in_size, char *out, size_t *texts,
                        size_t *faults) {
    static int32_t want[IDS_MAX];
    char *end = in + in_size;
    for (char *at = in; at < end;) {
        char *stop = strstr(at, SEPARATOR);
        size_t n = stop ? (size_t)(stop - at) : (size_t)(end - at);
        size_t n_want = parse_ids(&out, want);
        (*texts)++;
        if (!check_one(v, at, n, want, n_want)) (*faults)++;
        at += n + (stop ? strlen(SEPARATOR) : 0);
    }
    if (*out) {
        printf("  the .out has more lines than the .inp has texts\n");
        (*faults)++;
    }
}

/* 1: a vocabulary with vectors, 0: one without. */
static int check_vocabulary(const char *path, size_t *faults) {
    char name[PATH_MAX_ + 8];
    size_t in_size = 0;
    size_t out_size = 0;
    size_t texts = 0;
    size_t before = *faults;
    snprintf(name, sizeof name, "%s.inp", path);
    char *in = read_all(name, &in_size);
    snprintf(name, sizeof name, "%s.out", path);
    char *out = read_all(name, &out_size);
    vocabulary *v = calloc(1, sizeof *v);
    int checked = in && out && v;
    if (checked) {
        if (vocabulary_open(v, path)) {
            check_texts(v, in, in_size, out, &texts, faults);
        } else {
            (*faults)++;
        }
        vocabulary_close(v);
        printf("%s: %zu texts, %zu faults\n", path, texts, *faults - before);
        if (texts == 0) (*faults)++;
    }
    free(v);
    free(in);
    free(out);
    return checked;
}

static int is_vocabulary(const struct dirent *entry) {
    size_t n = strlen(entry->d_name);
    return strncmp(entry->d_name, "ggml-vocab-", 11) == 0 && n > 5 &&
           strcmp(entry->d_name + n - 5, ".gguf") == 0;
}

int main(void) {
    const char *archive = getenv("ONDOL_TEST_ARCHIVE");
    if (!archive || !archive[0]) {
        printf("skipped: ONDOL_TEST_ARCHIVE names no folder with models/ggml-vocab-*.gguf\n");
        return 77;
    }
    char folder[PATH_MAX_ / 2];
    struct dirent **entries = NULL;
    size_t faults = 0;
    int checked = 0;
    snprintf(folder, sizeof folder, "%s/models", archive);
    int n = scandir(folder, &entries, is_vocabulary, alphasort);
    for (int i = 0; i < n; i++) {
        char path[PATH_MAX_];
        snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
        checked += check_vocabulary(path, &faults);
        free(entries[i]);
    }
    free(entries);
    printf("%d vocabularies, %zu faults\n", checked, faults);
    return checked > 0 && faults == 0 ? 0 : 1; /* an archive without vocabularies is no archive */
}
