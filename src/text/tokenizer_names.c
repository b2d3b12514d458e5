/* Types and roles as files say them -> as the tokens' texts say them: many files are wrong or
 * silent about which tokens end a turn. The lists are those of llama.cpp's llama-vocab.cpp. */
#include <string.h>

#include "text/tokenizer_internal.h"

/* What a text means. NAME_ENDS: it ends a generation. */
typedef enum name_meaning {
    NAME_ENDS = 1,
    NAME_SHOWN = 2, /* control by type, but to be seen: gpt-oss's channels */
    NAME_ROLE = 4
} name_meaning;

typedef struct name_row {
    const char *text;
    unsigned meaning;
    text_special role;
} name_row;

/* Of several texts for one role that a vocabulary has, the first here takes it. */
static const name_row name_rows[] = {
    {"<|eot_id|>", NAME_ENDS | NAME_ROLE, TEXT_EOT},
    {"<|im_end|>", NAME_ENDS | NAME_ROLE, TEXT_EOT},
    {"<|end|>", NAME_ENDS | NAME_ROLE, TEXT_EOT},
    {"<end_of_turn>", NAME_ENDS | NAME_ROLE, TEXT_EOT},
    {"<|endoftext|>", NAME_ENDS | NAME_ROLE, TEXT_EOT},
    {"<|end_of_text|>", NAME_ENDS | NAME_ROLE, TEXT_EOT}, /* Granite */
    {"<EOT>", NAME_ENDS | NAME_ROLE, TEXT_EOT},
    {"_<EOT>", NAME_ENDS | NAME_ROLE, TEXT_EOT},
    {"[EOT]", NAME_ENDS | NAME_ROLE, TEXT_EOT}, /* Kimi K2 */
    {"<\xef\xbd\x9c"
     "end\xe2\x96\x81"
     "of\xe2\x96\x81sentence\xef\xbd\x9c>",
     NAME_ENDS | NAME_ROLE, TEXT_EOT},                       /* DeepSeek */
    {"<end_of_utterance>", NAME_ENDS | NAME_ROLE, TEXT_EOT}, /* SmolDocling */
    {"<|eom_id|>", NAME_ENDS | NAME_ROLE, TEXT_EOM},

    {"<|return|>", NAME_ENDS, TEXT_EOT}, /* gpt-oss */
    {"<|call|>", NAME_ENDS, TEXT_EOT},
    {"<|flush|>", NAME_ENDS, TEXT_EOT}, /* Solar Open */
    {"<|calls|>", NAME_ENDS, TEXT_EOT},
    {"</s>", NAME_ENDS, TEXT_EOT},
    {"[EOS]", NAME_ENDS, TEXT_EOT},
    {"<eos>", NAME_ENDS, TEXT_EOT}, /* Gemma */
    {"<turn|>", NAME_ENDS, TEXT_EOT},
    {"<|tool_response>", NAME_ENDS, TEXT_EOT},
    {"[e~[", NAME_ENDS, TEXT_EOT}, /* MiniMax M2 */

    {"<|fim_prefix|>", NAME_ROLE, TEXT_FIM_PREFIX},
    {"<fim-prefix>", NAME_ROLE, TEXT_FIM_PREFIX},
    {"<fim_prefix>", NAME_ROLE, TEXT_FIM_PREFIX},
    {"<\xef\xbd\x9c"
     "fim\xe2\x96\x81"
     "begin\xef\xbd\x9c>",
     NAME_ROLE, TEXT_FIM_PREFIX},
    {"<PRE>", NAME_ROLE, TEXT_FIM_PREFIX},
    {"\xe2\x96\x81<PRE>", NAME_ROLE, TEXT_FIM_PREFIX},
    {"<|code_prefix|>", NAME_ROLE, TEXT_FIM_PREFIX},
    {"<|prefix|>", NAME_ROLE, TEXT_FIM_PREFIX},

    {"<|fim_suffix|>", NAME_ROLE, TEXT_FIM_SUFFIX},
    {"<fim-suffix>", NAME_ROLE, TEXT_FIM_SUFFIX},
    {"<fim_suffix>", NAME_ROLE, TEXT_FIM_SUFFIX},
    {"<\xef\xbd\x9c"
     "fim\xe2\x96\x81hole\xef\xbd\x9c>",
     NAME_ROLE, TEXT_FIM_SUFFIX},
    {"<SUF>", NAME_ROLE, TEXT_FIM_SUFFIX},
    {"\xe2\x96\x81<SUF>", NAME_ROLE, TEXT_FIM_SUFFIX},
    {"<|code_suffix|>", NAME_ROLE, TEXT_FIM_SUFFIX},
    {"<|suffix|>", NAME_ROLE, TEXT_FIM_SUFFIX},

    {"<|fim_middle|>", NAME_ROLE, TEXT_FIM_MIDDLE},
    {"<fim-middle>", NAME_ROLE, TEXT_FIM_MIDDLE},
    {"<fim_middle>", NAME_ROLE, TEXT_FIM_MIDDLE},
    {"<\xef\xbd\x9c"
     "fim\xe2\x96\x81"
     "end\xef\xbd\x9c>",
     NAME_ROLE, TEXT_FIM_MIDDLE},
    {"<MID>", NAME_ROLE, TEXT_FIM_MIDDLE},
    {"\xe2\x96\x81<MID>", NAME_ROLE, TEXT_FIM_MIDDLE},
    {"<|code_middle|>", NAME_ROLE, TEXT_FIM_MIDDLE},
    {"<|middle|>", NAME_ROLE, TEXT_FIM_MIDDLE},

    {"<|fim_pad|>", NAME_ROLE, TEXT_FIM_PAD},
    {"<fim-pad>", NAME_ROLE, TEXT_FIM_PAD},
    {"<fim_pad>", NAME_ROLE, TEXT_FIM_PAD},
    {"<PAD>", NAME_ROLE, TEXT_FIM_PAD},
    {"[PAD]", NAME_ROLE, TEXT_FIM_PAD},

    {"<|fim_repo|>", NAME_ROLE, TEXT_FIM_REPO},
    {"<|repo_name|>", NAME_ROLE, TEXT_FIM_REPO},
    {"<fim-repo>", NAME_ROLE, TEXT_FIM_REPO},
    {"<REPO>", NAME_ROLE, TEXT_FIM_REPO},
    {"<reponame>", NAME_ROLE, TEXT_FIM_REPO},
    {"<|file_sep|>", NAME_ROLE, TEXT_FIM_FILE},

    {"<|channel|>", NAME_SHOWN, TEXT_EOT},
    {"<|message|>", NAME_SHOWN, TEXT_EOT},
    {"<|start|>", NAME_SHOWN, TEXT_EOT},
    {"<|constrain|>", NAME_SHOWN, TEXT_EOT},
    {"<|plamo:eos|>", 0, TEXT_EOT}, /* looked at below */
};
#define NAME_COUNT     (sizeof name_rows / sizeof name_rows[0])
#define NAME_BYTES_MAX 32u

/* ids[row] = the first token of that text, -1 when there is none. One pass over the vocabulary. */
static void names_find(const text_tokenizer *tok, int32_t ids[NAME_COUNT]) {
    for (size_t row = 0; row < NAME_COUNT; row++)
        ids[row] = -1;
    for (size_t i = 0; i < tok->n_tokens; i++) {
        text_view text = pool_at(&tok->texts, i);
        if (text.size == 0 || text.size > NAME_BYTES_MAX) continue;
        if (tok->hf && !(tok->flags[i] & TOKEN_SPECIAL)) continue; /* these files say which are */
        if (!strchr("<[_\xe2", text.data[0])) continue;
        for (size_t row = 0; row < NAME_COUNT; row++) {
            const char *name = name_rows[row].text;
            if (ids[row] < 0 && strlen(name) == text.size &&
                memcmp(name, text.data, text.size) == 0) {
                ids[row] = (int32_t)i;
            }
        }
    }
}

static int32_t names_id(const int32_t ids[NAME_COUNT], const char *text) {
    for (size_t row = 0; row < NAME_COUNT; row++) {
        if (strcmp(name_rows[row].text, text) == 0) return ids[row];
    }
    return -1;
}

static bool names_ends(const text_tokenizer *tok, int32_t id) {
    return id >= 0 && (tok->flags[id] & TOKEN_ENDS);
}

static void names_set_type(text_tokenizer *tok, int32_t id, unsigned type, unsigned clear) {
    tok->flags[id] = (uint16_t)((tok->flags[id] & ~(TOKEN_TYPES | clear)) | type);
}

/* A role's token ends a generation, too. */
static void names_mark_role(text_tokenizer *tok, text_special role) {
    int32_t id = tok->special_ids[role];
    if (id >= 0) tok->flags[id] |= TOKEN_ENDS;
}

/* Vocabularies in which a text of the list does not end a generation. */
static void names_exceptions(text_tokenizer *tok, const int32_t ids[NAME_COUNT]) {
    int32_t end = names_id(ids, "<|end|>");
    bool calls =
        names_ends(tok, names_id(ids, "<|call|>")) || names_ends(tok, names_id(ids, "<|calls|>"));
    bool stops =
        names_ends(tok, names_id(ids, "<|return|>")) || names_ends(tok, names_id(ids, "<|flush|>"));
    if (names_ends(tok, end) && calls && stops) { /* gpt-oss, Solar Open: ends a message only */
        names_set_type(tok, end, TOKEN_USER, TOKEN_ENDS);
    }
    int32_t slash = names_id(ids, "</s>");
    if (names_ends(tok, slash) && (names_ends(tok, names_id(ids, "<|tool_response>")) ||
                                   names_ends(tok, names_id(ids, "<|plamo:eos|>")))) {
        names_set_type(tok, slash, TOKEN_NORMAL, TOKEN_ENDS); /* a word like any other there */
    }
}

void tokenizer_names_apply(text_tokenizer *tok) {
    int32_t ids[NAME_COUNT];
    names_find(tok, ids);
    for (size_t row = 0; row < NAME_COUNT; row++) {
        if (ids[row] < 0) continue;
        const name_row *name = &name_rows[row];
        bool takes_role = (name->meaning & NAME_ROLE) && tok->special_ids[name->role] < 0;
        if (takes_role) tok->special_ids[name->role] = ids[row];
        if (takes_role || name->meaning & NAME_ENDS) tok->flags[ids[row]] |= TOKEN_CONTROL;
        if (name->meaning & NAME_ENDS) tok->flags[ids[row]] |= TOKEN_ENDS;
        if (name->meaning & NAME_SHOWN) names_set_type(tok, ids[row], TOKEN_USER, 0);
    }
    static const text_special ending[] = {TEXT_EOS,     TEXT_EOT,      TEXT_EOM,
                                          TEXT_FIM_PAD, TEXT_FIM_REPO, TEXT_FIM_FILE};
    for (size_t i = 0; i < sizeof ending / sizeof ending[0]; i++)
        names_mark_role(tok, ending[i]);
    names_exceptions(tok, ids);
}
