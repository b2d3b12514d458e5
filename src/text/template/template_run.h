/* State of one render, and what every evaluating file needs of it: faults, budgets, output. */
#ifndef TEMPLATE_RUN_H
#define TEMPLATE_RUN_H

#include "text/template/template_ast.h"
#include "text/template/text_template.h"

typedef enum template_signal { TEMPLATE_GO_ON, TEMPLATE_BREAK, TEMPLATE_CONTINUE } template_signal;

typedef struct template_scope template_scope;

/* name: an id of the template. */
typedef struct template_variable {
    uint32_t name;
    template_value value;
} template_variable;

/* Variables of a block. The outermost has a slot for each name of the template. */
struct template_scope {
    template_scope *parent;
    template_variable *variables;
    uint32_t count, capacity;
    bool captured; /* a macro may look into it later */
};

struct template_run {
    const text_template *tmpl;
    template_heap *heap;
    base_buffer *out;
    size_t out_start;
    text_template_limits limits;
    uint64_t steps_left;
    uint32_t depth, line;
    template_signal signal;
    template_value *outermost; /* [name_count] of the template; ABSENT where not set */
    ondol_error *err;
};

typedef struct template_keyword {
    const template_string *name;
    template_value value;
} template_keyword;

/* Arguments of a call. A builtin with a signature gets `values` in the order of its parameters,
 * ABSENT where nothing was given, and no keywords. */
typedef struct template_arguments {
    const template_value *values;
    size_t count;
    const template_keyword *keywords;
    size_t keyword_count;
} template_arguments;

/* self: what a filter or test is applied to, the object of a method, ABSENT for a function. */
typedef ondol_status (*template_function)(template_run *run, template_value self,
                                          const template_arguments *arguments, template_value *out);

/* signature: parameter names divided by spaces; those behind '|' may be left out; a first "/" means
 * no keywords; "*" alone hands the arguments over as they are. */
typedef struct template_builtin {
    const char *name, *signature;
    template_function function;
} template_builtin;

#define TEMPLATE_PARAMETERS_MAX 8

typedef enum template_callable_kind {
    TEMPLATE_CALL_BUILTIN, /* function or bound method */
    TEMPLATE_CALL_MACRO
} template_callable_kind;

struct template_callable {
    template_callable_kind kind;
    const template_builtin *builtin;
    template_value self;
    const template_node *macro; /* NODE_MACRO or NODE_CALL_BLOCK */
    template_scope *scope;      /* where the macro was defined */
};

struct template_loop {
    template_value current, previous, next;
    template_value last_changed; /* tuple, ABSENT before the first loop.changed() */
    int64_t index0, depth0;
    int64_t length;            /* items, all of them known beforehand */
    const template_node *node; /* NODE_FOR */
    template_scope *scope;     /* that the loop stands in, for recursion */
};

/* "template line N: " before the sentence. */
ondol_status template_fail(template_run *run, ondol_status status, const char *format, ...)
    BASE_PRINTF(3, 4);

/* MEMORY, or LIMIT when the heap's own maximum was met. */
ondol_status template_no_memory(template_run *run);

/* FORMAT: the sentence for using an undefined value. */
ondol_status template_fail_undefined(template_run *run, template_value value);

/* Takes n steps from the budget; LIMIT when they are used up. */
ondol_status template_spend(template_run *run, uint64_t n);

/* One level deeper; every successful call is paired with run->depth--. */
ondol_status template_enter(template_run *run);

/* Appends to the output. */
ondol_status template_emit(template_run *run, const char *bytes, size_t size);

/* out = what was emitted since `mark` (an earlier run->out->size), which leaves the output. */
ondol_status template_take_output(template_run *run, size_t mark, template_value *out);

/* ---- makers that report their failure ---- */
ondol_status template_make_string(template_run *run, const char *bytes, size_t size,
                                  template_value *out);
ondol_status template_make_text(template_run *run, const char *text, template_value *out);
ondol_status template_make_view(template_run *run, const template_string *whole, size_t begin,
                                size_t end, template_value *out);
ondol_status template_make_list(template_run *run, template_list_form form, size_t capacity,
                                template_list **out);
ondol_status template_append(template_run *run, template_list *list, template_value value);

/* Growable text in the heap, for builders of strings; spends steps by its size. */
typedef struct template_builder {
    char *data;
    size_t size, capacity;
} template_builder;

ondol_status template_build(template_run *run, template_builder *builder, const char *bytes,
                            size_t size);
ondol_status template_build_text(template_run *run, template_builder *builder, const char *text);
ondol_status template_build_code(template_run *run, template_builder *builder, uint32_t code);
ondol_status template_build_repeat(template_run *run, template_builder *builder, const char *bytes,
                                   size_t size, uint64_t times);
ondol_status template_build_finish(template_run *run, template_builder *builder,
                                   template_value *out);

#endif
