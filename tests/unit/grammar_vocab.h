/* A small vocabulary for tests of grammars: all bytes, some words, and tokens with a role. */
#ifndef GRAMMAR_VOCAB_H
#define GRAMMAR_VOCAB_H

#include <stdio.h>
#include <string.h>

#include "text/grammar/text_grammar.h"

#define VOCAB_BYTES    256
#define VOCAB_EOS      256
#define VOCAB_THINK    257 /* control */
#define VOCAB_UNTHINK  258 /* control */
#define VOCAB_BOS      259
#define VOCAB_TOOL     260 /* user defined: has text */
#define VOCAB_WORDS    261
#define VOCAB_EXTRA    40
#define VOCAB_CAPACITY (VOCAB_WORDS + VOCAB_EXTRA)

static const char *const vocab_words[] = {
    "a",           "ab",      "abc",    "b",          "bc",
    "{\"",         "\":",     "\"}",    "\", \"",     "true",
    "false",       "nul",     "null",   "[",          "]",
    "[[",          "]]",      "1",      "12",         "123",
    "-1",          "0",       "00",     "\u3042",     "\u3042\u3044",
    "\xc3\xa9",    "\u2581a", "\u2581", "\n",         "\n\u2581",
    "caf\xc3\xa9", "aaaa",    "aa",     "\\u00",      "\\n",
    "{}",          "x",       "xy",     "\U0001f600", ","};

_Static_assert(sizeof vocab_words / sizeof vocab_words[0] == VOCAB_EXTRA, "words");

/* NULL on failure. */
static inline text_tokenizer *vocab_create(const ondol_allocator *allocator) {
    static char names[VOCAB_BYTES][8];
    text_view tokens[VOCAB_CAPACITY];
    uint8_t types[VOCAB_CAPACITY];
    static const char *const roles[] = {"</s>", "<think>", "</think>", "<s>", "<tool>"};
    for (size_t i = 0; i < VOCAB_BYTES; i++) {
        const int size = snprintf(names[i], sizeof names[i], "<0x%02X>", (unsigned)i);
        tokens[i] = (text_view){names[i], (size_t)size};
        types[i] = TEXT_TOKEN_BYTE;
    }
    for (size_t i = 0; i < 5; i++) {
        tokens[VOCAB_EOS + i] = (text_view){roles[i], strlen(roles[i])};
        types[VOCAB_EOS + i] = i < 4 ? TEXT_TOKEN_CONTROL : TEXT_TOKEN_USER_DEFINED;
    }
    for (size_t i = 0; i < VOCAB_EXTRA; i++) {
        tokens[VOCAB_WORDS + i] = (text_view){vocab_words[i], strlen(vocab_words[i])};
        types[VOCAB_WORDS + i] = TEXT_TOKEN_NORMAL;
    }
    text_spec spec;
    text_spec_init(&spec, TEXT_KIND_SPM);
    spec.n_tokens = VOCAB_CAPACITY;
    spec.tokens = tokens;
    spec.types = types;
    spec.special_ids[TEXT_EOS] = VOCAB_EOS;
    spec.special_ids[TEXT_BOS] = VOCAB_BOS;
    spec.special_ids[TEXT_UNK] = TEXT_ID_NONE;
    text_tokenizer *tok = NULL;
    return text_tokenizer_create(allocator, &spec, &tok, NULL) == ONDOL_OK ? tok : NULL;
}

#endif
