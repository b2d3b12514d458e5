/* A compiled chat template: the part of Jinja that chat templates are written in, set as the
 * transformers library sets it (trim_blocks, lstrip_blocks, loop controls, `generation` blocks).
 * Source of the semantics: Jinja 3.1 and Python 3.11, by comparison with both.
 * On purpose different: lists and dicts may be changed by their methods (transformers refuses),
 * integers have 64 bits (more is a LIMIT); the filters pprint, random, striptags, urlize and
 * wordwrap, lipsum, self, `\N{...}`, template inheritance and loading of other templates do not
 * exist, nor do attributes of numbers and methods of str that make bytes or tables. */
#ifndef TEXT_TEMPLATE_H
#define TEXT_TEMPLATE_H

#include "base/buffer.h"
#include "text/template/template_dict.h"
#include "text/template/template_value.h"

/* Thread class: shared (it never changes). */
typedef struct text_template text_template;

/* What one render may use. A 0 in any bound means its default. */
typedef struct text_template_limits {
    uint64_t max_steps;         /* units of about 20 ns; default 20 million */
    size_t max_output_bytes;    /* default 64 MiB */
    uint32_t max_depth;         /* nested evaluation and nested values; default and most 600 */
    int64_t unix_time;          /* what strftime_now tells, in seconds since 1970 */
    int32_t utc_offset_seconds; /* of the clock that strftime_now shows */
} text_template_limits;

/* For a heap of a render: enough for any conversation, too little to harm the machine. */
#define TEXT_TEMPLATE_HEAP_BYTES ((size_t)256 << 20)

/* Compiles source[0..n), which is copied. On failure *out is NULL.
 * Errors: FORMAT (syntax, unknown filter or test, not UTF-8), UNSUPPORTED (include, import,
 * extends, block, autoescape), LIMIT (nested too deep, longer than 16 MiB), MEMORY; all but MEMORY
 * name the line. */
ondol_status text_template_compile(const ondol_allocator *allocator, const char *source, size_t n,
                                   text_template **out, ondol_error *err);

/* Takes NULL. */
void text_template_destroy(text_template *tmpl);

/* Appends the text to *out. globals: the variables, made in `heap`; the template may change the
 * lists and dicts in it. All that the render makes stays in `heap` until that is destroyed, and its
 * maximum bounds it. On failure *out is as before.
 * Errors: FORMAT (the template failed, or refused by raise_exception: then the text ends in its
 * message), UNSUPPORTED, LIMIT (steps, depth, output, heap), MEMORY; all name the line. */
ondol_status text_template_render(const text_template *tmpl, template_heap *heap,
                                  const template_dict *globals, const text_template_limits *limits,
                                  base_buffer *out, ondol_error *err);

#endif
