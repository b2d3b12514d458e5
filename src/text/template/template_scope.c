/* Variables: a chain of scopes, the outermost being an array over all names of the template. */
#include <string.h>

#include "text/template/template_builtins.h"
#include "text/template/template_operations.h"

template_value template_scope_get(template_run *run, const template_scope *scope, uint32_t name) {
    uint64_t looks = 0;
    for (; scope; scope = scope->parent) {
        for (uint32_t i = 0; i < scope->count; i++)
            if (scope->variables[i].name == name) return scope->variables[i].value;
        looks += scope->count;
    }
    /* a lookup costs what it takes; a budget that ends here is noticed by the next spending */
    run->steps_left -= looks / 16 < run->steps_left ? looks / 16 : run->steps_left;
    if (run->outermost[name].kind != TEMPLATE_ABSENT) return run->outermost[name];
    return template_undefined(TEMPLATE_MISSING_NAME, run->tmpl->names[name]);
}

ondol_status template_scope_set(template_run *run, template_scope *scope, uint32_t name,
                                template_value value) {
    if (!scope) {
        run->outermost[name] = value;
        return ONDOL_OK;
    }
    for (uint32_t i = 0; i < scope->count; i++) {
        if (scope->variables[i].name != name) continue;
        scope->variables[i].value = value;
        return template_spend(run, i / 16);
    }
    if (scope->count == scope->capacity) {
        uint32_t capacity = scope->capacity ? scope->capacity * 2 : 4;
        template_variable *variables = template_heap_alloc(run->heap, capacity, sizeof *variables);
        if (!variables) return template_no_memory(run);
        if (scope->count) memcpy(variables, scope->variables, scope->count * sizeof *variables);
        scope->variables = variables;
        scope->capacity = capacity;
    }
    scope->variables[scope->count++] = (template_variable){.name = name, .value = value};
    return template_spend(run, 1 + scope->count / 16);
}

ondol_status template_scope_open(template_run *run, template_scope *parent, template_scope **out) {
    template_scope *scope = template_heap_alloc(run->heap, 1, sizeof *scope);
    if (!scope) return template_no_memory(run);
    scope->parent = parent;
    *out = scope;
    return ONDOL_OK;
}
