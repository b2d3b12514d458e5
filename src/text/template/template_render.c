/* One render: a template and its variables -> text. */
#include <string.h>

#include "text/template/template_builtins.h"
#include "text/template/template_operations.h"

#define STEPS_DEFAULT        20000000u
#define OUTPUT_BYTES_DEFAULT ((size_t)64 << 20)
#define DEPTH_MAX            600

static text_template_limits limits_or_defaults(const text_template_limits *given) {
    text_template_limits limits = given ? *given : (text_template_limits){0};
    if (limits.max_steps == 0) limits.max_steps = STEPS_DEFAULT;
    if (limits.max_output_bytes == 0) limits.max_output_bytes = OUTPUT_BYTES_DEFAULT;
    if (limits.max_depth == 0 || limits.max_depth > DEPTH_MAX) limits.max_depth = DEPTH_MAX;
    return limits;
}

/* Gives each name of the template its variable, or the function that is called so. */
static ondol_status bind_names(template_run *run, const template_dict *globals) {
    const text_template *tmpl = run->tmpl;
    ondol_status status = ONDOL_OK;
    run->outermost = template_heap_alloc(run->heap, tmpl->name_count, sizeof *run->outermost);
    if (!run->outermost) return template_no_memory(run);
    for (uint32_t i = 0; i < tmpl->name_count && status == ONDOL_OK; i++) {
        const template_string *name = tmpl->names[i];
        if (template_dict_find(run->heap, globals, name, &run->outermost[i])) continue;
        const template_builtin *function = template_function_find(name);
        if (function)
            status = template_make_callable(run, function, (template_value){0}, &run->outermost[i]);
    }
    return status;
}

ondol_status text_template_render(const text_template *tmpl, template_heap *heap,
                                  const template_dict *globals, const text_template_limits *limits,
                                  base_buffer *out, ondol_error *err) {
    template_run run = {
        .tmpl = tmpl,
        .heap = heap,
        .out = out,
        .out_start = out->size,
        .limits = limits_or_defaults(limits),
        .line = 1,
        .err = err,
    };
    const base_buffer_fault fault = out->fault;
    run.steps_left = run.limits.max_steps;
    ondol_status status = bind_names(&run, globals);
    if (status == ONDOL_OK) status = template_execute_body(&run, NULL, &tmpl->body);
    if (status == ONDOL_OK) return ONDOL_OK;
    out->size = run.out_start;
    out->fault = fault;
    if (out->data) out->data[out->size] = 0;
    return status;
}
