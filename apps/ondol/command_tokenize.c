/* ondol tokenize: text -> ids and pieces, or ids -> text. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <ondol/ondol.h>

#include "common/json_print.h"
#include "common/model_flags.h"
#include "common/report.h"
#include "common/text_buffer.h"
#include "common/whole_file.h"
#include "ondol/commands.h"

#define TEXT_BYTES_MAX (1u << 30)

typedef struct tokenize_flags {
    bool no_bos, no_special, count, json;
    const char *file, *ids;
    model_flags model;
} tokenize_flags;

#define AT(member) offsetof(tokenize_flags, member)
static const option_row rows[] = {
    {"no-bos", 0, OPTION_FLAG, AT(no_bos), NULL, "add neither BOS nor EOS", 0, 0},
    {"no-special", 0, OPTION_FLAG, AT(no_special), NULL,
     "read the text of special tokens as plain text; with --ids leave them out", 0, 0},
    {"file", 'f', OPTION_FILE, AT(file), "FILE", "the text is in a file", 0, 0},
    {"ids", 0, OPTION_TEXT, AT(ids), "1,2,3", "ids back to text", 0, 0},
    {"count", 0, OPTION_FLAG, AT(count), NULL, "print nothing but the number of tokens", 0, 0},
    {"json", 0, OPTION_FLAG, AT(json), NULL, "print JSON: ids, pieces (with --ids: text)", 0, 0},
};
#undef AT

static const option_group groups[] = {
    {"Options", OPTION_ROWS(rows), 0},
    MODEL_GROUP(tokenize_flags),
};

static const char *const examples[] = {
    "ondol tokenize smollm2 'Hello, world'",
    "ids and pieces, one token a line",
    "ondol tokenize model.gguf --file book.txt --count",
    "how many tokens a file has",
    "ondol tokenize model.gguf --ids 504,3575,282",
    "ids back to text",
    "ondol tokenize model.gguf --json '<|im_start|>user'",
    "special tokens are parsed; --no-special reads them as text",
    NULL,
};

/* The bytes of ids (text is replaced). */
static int ids_to_text(const ondol_model *model, const int32_t *ids, size_t n, uint32_t flags,
                       text_buffer *text) {
    ondol_error err;
    size_t count = 0;
    if (ondol_detokenize(model, ids, n, flags, NULL, 0, &count, &err)) return report_error(&err);
    char *bytes = memory_take(count);
    if (ondol_detokenize(model, ids, n, flags, bytes, count, &count, &err)) {
        free(bytes);
        return report_error(&err);
    }
    text_clear(text);
    text_append(text, bytes, count);
    free(bytes);
    return EXIT_DONE;
}

/* What a token adds to a text (piece is replaced). Alone it may look shorter: the space that a
 * tokenizer puts before a text is taken off again. So it is what a second one adds. */
static int piece_of(const ondol_model *model, int32_t id, text_buffer *piece) {
    const int32_t twice[2] = {id, id};
    int status = ids_to_text(model, twice, 1, ONDOL_TEXT_SHOW_SPECIAL, piece);
    size_t first = piece->size;
    if (!status) status = ids_to_text(model, twice, 2, ONDOL_TEXT_SHOW_SPECIAL, piece);
    if (status || piece->size < first) return status;
    memmove(piece->bytes, piece->bytes + first, piece->size - first + 1);
    piece->size -= first;
    return EXIT_DONE;
}

static int print_text(const tokenize_flags *flags, const ondol_model *model) {
    int32_t *ids = NULL;
    size_t count = 0;
    text_buffer text = {0};
    int status = list_to_ids("tokenize", flags->ids, &ids, &count);
    uint32_t show = flags->no_special ? 0 : ONDOL_TEXT_SHOW_SPECIAL;
    if (!status) status = ids_to_text(model, ids, count, show, &text);
    if (!status && flags->json) {
        status = json_print(json_pack("{s:o}", "text", json_text(text.bytes, text.size)));
    } else if (!status) {
        fwrite(text.bytes, 1, text.size, stdout);
        if (!text.size || text.bytes[text.size - 1] != '\n') putchar('\n');
    }
    free(ids);
    text_free(&text);
    return status;
}

/* One token a line: its id, and its piece as a JSON string. */
static int print_line(int32_t id, const text_buffer *piece) {
    json_t *text = json_text(piece->bytes, piece->size);
    char *quoted = json_dumps(text, JSON_ENCODE_ANY);
    json_decref(text);
    if (!quoted) return report_failure("out of memory for JSON");
    printf("%8d  %s\n", id, quoted);
    free(quoted);
    return EXIT_DONE;
}

static int print_ids(const tokenize_flags *flags, const ondol_model *model, const int32_t *ids,
                     size_t count) {
    if (flags->count) {
        if (flags->json) return json_print(json_pack("{s:I}", "count", (json_int_t)count));
        printf("%zu\n", count);
        return EXIT_DONE;
    }
    text_buffer piece = {0};
    json_t *pieces = json_array();
    int status = EXIT_DONE;
    for (size_t i = 0; i < count && !status; i++) {
        status = piece_of(model, ids[i], &piece);
        if (status) break;
        if (flags->json) {
            json_array_append_new(pieces, json_text(piece.bytes, piece.size));
        } else {
            status = print_line(ids[i], &piece);
        }
    }
    if (!status && flags->json) {
        status = json_print(json_pack("{s:o, s:O}", "ids", json_ids(ids, count), "pieces", pieces));
    }
    json_decref(pieces);
    text_free(&piece);
    return status;
}

static int tokenize_with(const tokenize_flags *flags, const char *model, const char *argument) {
    opened o = {0};
    text_buffer text = {0};
    int32_t *ids = NULL;
    size_t count = 0;
    int status = EXIT_DONE;
    if (!flags->ids && argument && strcmp(argument, "-") != 0) {
        text_append(&text, argument, strlen(argument));
    } else if (!flags->ids) {
        status = whole_file_read(flags->file ? flags->file : "-", TEXT_BYTES_MAX, &text);
    }
    if (!status) status = opened_model(&o, model, &flags->model, true);
    if (!status && flags->ids) {
        status = print_text(flags, o.model);
    } else if (!status) {
        uint32_t how = (flags->no_bos ? ONDOL_TOKENIZE_NO_BOS : 0) |
                       (flags->no_special ? ONDOL_TOKENIZE_NO_SPECIAL : 0);
        status = text_to_ids(o.model, text.bytes, text.size, how, &ids, &count);
        if (!status) status = print_ids(flags, o.model, ids, count);
    }
    free(ids);
    text_free(&text);
    opened_free(&o);
    return status;
}

static int run(const command *self, int argc, char **argv) {
    tokenize_flags flags = {0};
    int count = 0, status = EXIT_DONE;
    if (!options_parse(self, &flags, argc, argv, &count, &status)) return status;
    const char *text = count > 1 ? argv[1] : NULL;
    if ((text != NULL) + (flags.file != NULL) + (flags.ids != NULL) > 1) {
        return report_usage("tokenize", "give one of TEXT, --file and --ids");
    }
    if (!text && !flags.file && !flags.ids && isatty(STDIN_FILENO)) {
        return report_usage("tokenize", "expected a TEXT, or text from a pipe");
    }
    return tokenize_with(&flags, argv[0], text);
}

const command command_tokenize = {
    "tokenize",
    "MODEL [TEXT]",
    "Turns text into tokens and back",
    "BOS and EOS are added as the model says, and special tokens are parsed. TEXT - or no TEXT "
    "reads standard input. Bytes that are no whole character are shown as <0xE3>.",
    groups,
    2,
    examples,
    1,
    2,
    run};
