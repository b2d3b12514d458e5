/* Values of the template language, and the heap that they live in until a render is over.
 * Semantics are Python's, because chat templates are written for Python's Jinja. */
#ifndef TEMPLATE_VALUE_H
#define TEMPLATE_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"

typedef struct template_run template_run;
typedef struct template_dict template_dict;
typedef struct template_callable template_callable;
typedef struct template_loop template_loop;

typedef enum template_kind {
    TEMPLATE_ABSENT, /* an argument that was not given; no template ever sees one */
    TEMPLATE_UNDEFINED,
    TEMPLATE_NONE,
    TEMPLATE_BOOL,
    TEMPLATE_INT,
    TEMPLATE_DOUBLE,
    TEMPLATE_STRING,
    TEMPLATE_LIST, /* every sequence that is stored: see template_list_form */
    TEMPLATE_DICT,
    TEMPLATE_RANGE,
    TEMPLATE_NAMESPACE,
    TEMPLATE_CALLABLE,
    TEMPLATE_LOOP,
    TEMPLATE_CYCLER,
    TEMPLATE_JOINER
} template_kind;

/* Where the bytes of strings that grow by `+` lie: a string that ends at `used` can be continued in
 * place, so that building a text piece by piece costs linear time. */
typedef struct template_store {
    char *data;
    size_t used, capacity;
} template_store;

/* UTF-8 that never changes. length counts code points; equal to size when all is ASCII. */
typedef struct template_string {
    const char *bytes;
    size_t size, length;
    template_store *store; /* NULL: bytes belong to somebody else or cannot grow */
} template_string;

/* Why a value is undefined: decides the sentence that using it gives. */
typedef enum template_missing {
    TEMPLATE_MISSING_NAME,      /* no variable of that name */
    TEMPLATE_MISSING_ATTRIBUTE, /* `owner` is the kind of the object that lacks it */
    TEMPLATE_MISSING_PARAMETER, /* macro parameter that was not given */
    TEMPLATE_MISSING_ELSE,      /* `x if false` without else */
    TEMPLATE_MISSING_ITEM       /* first, last, min, max of nothing; loop.previtem, loop.nextitem */
} template_missing;

typedef struct template_value {
    uint8_t kind;  /* template_kind */
    uint8_t flag;  /* STRING: 1 = markup (came out of `safe` or `escape`). UNDEFINED: why */
    uint8_t owner; /* UNDEFINED, attribute: template_kind of the object */
    union {
        bool boolean;
        int64_t integer;
        double real;
        const template_string *string; /* STRING; UNDEFINED: its name or NULL */
        struct template_list *list;
        template_dict *dict; /* DICT, NAMESPACE */
        struct template_range *range;
        template_callable *callable;
        template_loop *loop;
        struct template_cycler *cycler;
        struct template_joiner *joiner;
    } as;
} template_value;

typedef enum template_list_form {
    TEMPLATE_FORM_LIST,
    TEMPLATE_FORM_TUPLE,
    TEMPLATE_FORM_GENERATOR, /* can be walked once, has no length, is always true */
    TEMPLATE_FORM_KEYS,      /* dict.keys() and its sisters: a length, but no index */
    TEMPLATE_FORM_VALUES,
    TEMPLATE_FORM_ITEMS,
    TEMPLATE_FORM_GROUP /* (grouper, list) of groupby: a tuple with two names */
} template_list_form;

typedef struct template_list {
    template_value *items;
    size_t count, capacity;
    size_t consumed; /* GENERATOR: items given out so far */
    template_list_form form;
} template_list;

typedef struct template_range {
    int64_t start, stop, step;
    size_t count;
} template_range;

typedef struct template_cycler {
    const template_list *items;
    size_t position;
} template_cycler;

typedef struct template_joiner {
    template_value separator;
    bool used;
} template_joiner;

/* All memory of one render. Thread class: one thread at a time. */
typedef struct template_heap {
    base_arena arena;
    uint64_t seed[2];  /* of the hashes of dicts */
    bool over_maximum; /* the last failure was the heap's maximum, not the system's */
} template_heap;

/* max_bytes bounds all values of the render (0: no bound). allocator is borrowed. */
void template_heap_init(template_heap *heap, const ondol_allocator *allocator, size_t max_bytes);
void template_heap_destroy(template_heap *heap);

/* Zeroed memory until the heap ends; NULL sets over_maximum. */
void *template_heap_alloc(template_heap *heap, size_t count, size_t size);

/* ---- makers; those that return a pointer give NULL when the heap is full ---- */

template_value template_none(void);
template_value template_bool(bool boolean);
template_value template_int(int64_t integer);
template_value template_double(double real);
template_value template_from_string(const template_string *string);
template_value template_from_list(template_list *list);
template_value template_from_dict(template_dict *dict);
template_value template_undefined(template_missing why, const template_string *name);

/* A copy of bytes[0..size), which should be UTF-8: a byte that is not counts as one character. */
template_string *template_string_copy(template_heap *heap, const char *bytes, size_t size);

/* The same without copying: bytes must outlive the heap. */
template_string *template_string_view(template_heap *heap, const char *bytes, size_t size);

/* a followed by b. Reuses a's memory where b can be put right behind it. */
template_string *template_string_concat(template_heap *heap, const template_string *a,
                                        const template_string *b);

/* size bytes to be filled by the caller before anyone sees them; then template_string_finish. */
template_string *template_string_blank(template_heap *heap, size_t size, char **bytes);
void template_string_finish(template_string *string);

bool template_string_equal(const template_string *a, const template_string *b);
bool template_string_is(const template_string *a, const char *text);

template_list *template_list_create(template_heap *heap, template_list_form form, size_t capacity);
bool template_list_append(template_heap *heap, template_list *list, template_value value);

/* Code points in bytes[0..size). */
size_t template_text_length(const char *bytes, size_t size);

/* Bytes of the character at bytes[at], 1 for a byte that is no UTF-8; *code is U+FFFD then. */
size_t template_text_next(const char *bytes, size_t size, size_t at, uint32_t *code);

/* Byte offset of code point `index` (at most length). */
size_t template_string_offset(const template_string *string, size_t index);

/* Python's type name: "str", "dict", "NoneType" ... */
const char *template_type_name(template_value value);

#endif
