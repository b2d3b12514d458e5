/* Calls: arguments to parameters, of builtins by their signature and of macros by theirs. */
#include <string.h>

#include "text/template/template_operations.h"

typedef struct parameter {
    const char *name;
    size_t size;
} parameter;

/* Reads a signature: returns the number of parameters, *required of them without default. */
static size_t read_signature(const char *text, parameter *out, size_t *required, bool *named) {
    size_t n = 0;
    bool optional = false;
    *required = 0;
    *named = true;
    while (*text) {
        size_t size = strcspn(text, " ");
        if (size == 1 && *text == '|') {
            optional = true;
        } else if (size == 1 && *text == '/') {
            *named = false;
        } else if (n < TEMPLATE_PARAMETERS_MAX) {
            out[n++] = (parameter){text, size};
            if (!optional) *required = n;
        }
        text += size;
        text += strspn(text, " ");
    }
    return n;
}

static ondol_status bind_keyword(template_run *run, const template_builtin *builtin,
                                 const template_keyword *keyword, const parameter *parameters,
                                 size_t n, template_value *bound) {
    int shown = keyword->name->size < 60 ? (int)keyword->name->size : 60;
    for (size_t i = 0; i < n; i++) {
        if (parameters[i].size != keyword->name->size ||
            memcmp(parameters[i].name, keyword->name->bytes, parameters[i].size) != 0)
            continue;
        if (bound[i].kind != TEMPLATE_ABSENT) {
            return template_fail(run, ONDOL_E_FORMAT, "'%s' got its argument '%.*s' twice",
                                 builtin->name, shown, keyword->name->bytes);
        }
        bound[i] = keyword->value;
        return ONDOL_OK;
    }
    return template_fail(run, ONDOL_E_FORMAT, "'%s' takes no keyword argument '%.*s'",
                         builtin->name, shown, keyword->name->bytes);
}

ondol_status template_call_builtin(template_run *run, const template_builtin *builtin,
                                   template_value self, const template_arguments *arguments,
                                   template_value *out) {
    if (strcmp(builtin->signature, "*") == 0) return builtin->function(run, self, arguments, out);
    parameter parameters[TEMPLATE_PARAMETERS_MAX];
    template_value bound[TEMPLATE_PARAMETERS_MAX] = {{0}};
    size_t required = 0;
    bool named = true;
    size_t n = read_signature(builtin->signature, parameters, &required, &named);
    if (arguments->count > n) {
        return template_fail(run, ONDOL_E_FORMAT, "'%s' takes at most %zu arguments, got %zu",
                             builtin->name, n, arguments->count);
    }
    for (size_t i = 0; i < arguments->count; i++)
        bound[i] = arguments->values[i];
    for (size_t i = 0; i < arguments->keyword_count; i++) {
        ondol_status status =
            bind_keyword(run, builtin, &arguments->keywords[i], parameters, named ? n : 0, bound);
        if (status != ONDOL_OK) return status;
    }
    for (size_t i = 0; i < required; i++) {
        if (bound[i].kind != TEMPLATE_ABSENT) continue;
        return template_fail(run, ONDOL_E_FORMAT, "'%s' lacks its argument '%.*s'", builtin->name,
                             (int)parameters[i].size, parameters[i].name);
    }
    template_arguments ordered = {.values = bound, .count = n};
    return builtin->function(run, self, &ordered, out);
}

ondol_status template_make_callable(template_run *run, const template_builtin *builtin,
                                    template_value self, template_value *out) {
    template_callable *callable = template_heap_alloc(run->heap, 1, sizeof *callable);
    if (!callable) return template_no_memory(run);
    *callable =
        (template_callable){.kind = TEMPLATE_CALL_BUILTIN, .builtin = builtin, .self = self};
    *out = (template_value){.kind = TEMPLATE_CALLABLE, .as.callable = callable};
    return template_spend(run, 1);
}

/* Keywords of a macro call that no parameter has taken yet. */
typedef struct rest {
    template_keyword *keywords;
    size_t count;
} rest;

static bool take_keyword(rest *r, const template_string *name, template_value *out) {
    for (size_t i = 0; i < r->count; i++) {
        if (!template_string_equal(r->keywords[i].name, name)) continue;
        *out = r->keywords[i].value;
        r->count--;
        memmove(&r->keywords[i], &r->keywords[i + 1], (r->count - i) * sizeof *r->keywords);
        return true;
    }
    return false;
}

static ondol_status copy_keywords(template_run *run, const template_arguments *arguments, rest *r) {
    size_t n = arguments->keyword_count;
    *r = (rest){0};
    if (n == 0) return ONDOL_OK;
    r->keywords = template_heap_alloc(run->heap, n, sizeof *r->keywords);
    if (!r->keywords) return template_no_memory(run);
    memcpy(r->keywords, arguments->keywords, n * sizeof *r->keywords);
    for (size_t i = 0; i < n; i++) { /* as a Python dict: the last of two of one name */
        size_t k = 0;
        while (k < r->count && !template_string_equal(r->keywords[k].name, r->keywords[i].name))
            k++;
        r->keywords[k] = r->keywords[i];
        if (k == r->count) r->count++;
    }
    return template_spend(run, n * n);
}

/* Sets the parameters that were given; then, in order, the defaults of the others. */
static ondol_status bind_parameters(template_run *run, template_scope *scope,
                                    const template_node *macro, const template_arguments *arguments,
                                    rest *r) {
    ondol_status status = ONDOL_OK;
    uint32_t n = macro->more.count;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t name = macro->more.at[i]->name;
        template_value value = {0};
        if (i < arguments->count)
            value = arguments->values[i];
        else if (!take_keyword(r, run->tmpl->names[name], &value))
            continue;
        TRY(template_scope_set(run, scope, name, value));
    }
    for (uint32_t i = 0; i < n; i++) {
        const template_node *p = macro->more.at[i];
        bool given = i < arguments->count;
        for (uint32_t k = 0; k < scope->count && !given; k++)
            given = scope->variables[k].name == p->name;
        if (given) continue;
        template_value value =
            template_undefined(TEMPLATE_MISSING_PARAMETER, run->tmpl->names[p->name]);
        if (p->a) TRY(template_evaluate(run, scope, p->a, &value));
        TRY(template_scope_set(run, scope, p->name, value));
    }
done:
    return status;
}

static ondol_status bind_special(template_run *run, template_scope *scope,
                                 const template_node *macro, const template_arguments *arguments,
                                 rest *r) {
    ondol_status status = ONDOL_OK;
    uint32_t n = macro->more.count;
    const template_string *caller_name = run->tmpl->names[TEMPLATE_NAME_CALLER];
    if (macro->takes & TEMPLATE_TAKES_CALLER) {
        template_value caller = template_undefined(TEMPLATE_MISSING_NAME, caller_name);
        take_keyword(r, caller_name, &caller);
        TRY(template_scope_set(run, scope, TEMPLATE_NAME_CALLER, caller));
    }
    if (macro->takes & TEMPLATE_TAKES_KWARGS) {
        template_dict *dict = template_dict_create(run->heap);
        if (!dict) return template_no_memory(run);
        for (size_t i = 0; i < r->count; i++)
            TRY(template_dict_set(run, dict, template_from_string(r->keywords[i].name),
                                  r->keywords[i].value));
        TRY(template_scope_set(run, scope, TEMPLATE_NAME_KWARGS, template_from_dict(dict)));
    } else if (r->count) {
        const template_string *name = r->keywords[0].name;
        return template_fail(run, ONDOL_E_FORMAT, "the macro '%.*s' takes no keyword '%.*s'",
                             (int)(run->tmpl->names[macro->name]->size % 80),
                             run->tmpl->names[macro->name]->bytes, (int)(name->size % 80),
                             name->bytes);
    }
    if (macro->takes & TEMPLATE_TAKES_VARARGS) {
        template_list *list = NULL;
        TRY(template_make_list(run, TEMPLATE_FORM_TUPLE, 0, &list));
        for (size_t i = n; i < arguments->count; i++)
            TRY(template_append(run, list, arguments->values[i]));
        TRY(template_scope_set(run, scope, TEMPLATE_NAME_VARARGS, template_from_list(list)));
    } else if (arguments->count > n) {
        return template_fail(run, ONDOL_E_FORMAT,
                             "the macro '%.*s' takes at most %u arguments, got %zu",
                             (int)(run->tmpl->names[macro->name]->size % 80),
                             run->tmpl->names[macro->name]->bytes, (unsigned)n, arguments->count);
    }
done:
    return status;
}

static ondol_status call_macro(template_run *run, const template_callable *callable,
                               const template_arguments *arguments, template_value *out) {
    const template_node *macro = callable->macro;
    template_scope *scope = NULL;
    rest r = {0};
    size_t mark = run->out->size;
    ondol_status status = template_scope_open(run, callable->scope, &scope);
    TRY(status);
    TRY(copy_keywords(run, arguments, &r));
    TRY(bind_parameters(run, scope, macro, arguments, &r));
    TRY(bind_special(run, scope, macro, arguments, &r));
    status = template_execute_body(run, scope, &macro->items);
    ondol_status taken = template_take_output(run, mark, out);
    if (status == ONDOL_OK) status = taken;
done:
    return status;
}

static ondol_status call_loop(template_run *run, const template_loop *loop,
                              const template_arguments *arguments, template_value *out) {
    if (!loop->node->operation) {
        return template_fail(run, ONDOL_E_FORMAT,
                             "`loop` is called, but its `for` is not marked recursive");
    }
    if (arguments->count != 1 || arguments->keyword_count)
        return template_fail(run, ONDOL_E_FORMAT, "`loop` takes 1 argument, got %zu",
                             arguments->count + arguments->keyword_count);
    size_t mark = run->out->size;
    ondol_status status =
        template_execute_for(run, loop->scope, loop->node, arguments->values[0], loop->depth0 + 1);
    ondol_status taken = template_take_output(run, mark, out);
    return status == ONDOL_OK ? taken : status;
}

static ondol_status call_joiner(template_run *run, template_joiner *joiner,
                                const template_arguments *arguments, template_value *out) {
    if (arguments->count || arguments->keyword_count)
        return template_fail(run, ONDOL_E_FORMAT, "a joiner takes no arguments");
    *out = joiner->separator;
    if (joiner->used) return ONDOL_OK;
    joiner->used = true;
    return template_make_text(run, "", out);
}

ondol_status template_call_value(template_run *run, template_value callee,
                                 const template_arguments *arguments, template_value *out) {
    ondol_status status = template_enter(run);
    if (status != ONDOL_OK) return status;
    const template_callable *callable = callee.as.callable;
    switch ((template_kind)callee.kind) {
    case TEMPLATE_CALLABLE:
        status =
            callable->kind == TEMPLATE_CALL_MACRO
                ? call_macro(run, callable, arguments, out)
                : template_call_builtin(run, callable->builtin, callable->self, arguments, out);
        break;
    case TEMPLATE_LOOP: status = call_loop(run, callee.as.loop, arguments, out); break;
    case TEMPLATE_JOINER: status = call_joiner(run, callee.as.joiner, arguments, out); break;
    case TEMPLATE_UNDEFINED: status = template_fail_undefined(run, callee); break;
    default:
        status = template_fail(run, ONDOL_E_FORMAT, "a '%s' cannot be called",
                               template_type_name(callee));
        break;
    }
    run->depth--;
    return status;
}
