/* Rules on a model's functions. In: its FunctionProtos. Out: the first rule broken. */
#include <inttypes.h>
#include <string.h>

#include "formats/onnx/onnx_checking.h"

ondol_status onnx_checking_key(onnx_checking *c, onnx_string domain, onnx_string name,
                               onnx_string overload, onnx_string *out) {
    if (onnx_is(domain, "ai.onnx")) domain.size_bytes = 0;
    const onnx_string parts[] = {domain, name, overload};
    size_t size = 2;
    for (int i = 0; i < 3; i++) {
        if (parts[i].size_bytes > ONNX_MAX_NAME_BYTES) {
            return base_fail(c->err, ONDOL_E_LIMIT, "a name of %zu bytes, expected at most %u",
                             parts[i].size_bytes, ONNX_MAX_NAME_BYTES);
        }
        size += parts[i].size_bytes;
    }
    char *to = base_arena_alloc(&c->arena, size, 1);
    if (!to) return base_no_memory(c->err, "functions of an ONNX model", size);
    *out = (onnx_string){to, size};
    for (int i = 0; i < 3; i++) {
        if (parts[i].size_bytes) memcpy(to, parts[i].text, parts[i].size_bytes);
        to += parts[i].size_bytes + 1;
    }
    return ONDOL_OK;
}

ondol_status onnx_checking_callee(onnx_checking *c, const onnx_node *n, const onnx_function **out) {
    onnx_string key;
    uint32_t index = 0;
    *out = NULL;
    if (c->functions.count == 0) return ONDOL_OK;
    const size_t size = n->domain.size_bytes + n->op_type.size_bytes + n->overload.size_bytes;
    if (size > ONNX_MAX_NAME_BYTES) return ONDOL_OK;
    ondol_status status = onnx_checking_key(c, n->domain, n->op_type, n->overload, &key);
    if (status == ONDOL_OK && base_map_get(&c->functions, key.text, key.size_bytes, &index)) {
        *out = c->model->functions.items + index;
    }
    return status;
}

static ondol_status index_functions(onnx_checking *c) {
    const onnx_function_list *list = &c->model->functions;
    if (list->count > ONNX_MAX_FUNCTIONS) {
        return base_fail(c->err, ONDOL_E_LIMIT, "%zu functions, expected at most %d", list->count,
                         ONNX_MAX_FUNCTIONS);
    }
    for (size_t i = 0; i < list->count; i++) {
        const onnx_function *f = list->items + i;
        onnx_string key;
        bool found = false;
        ondol_status status = onnx_checking_key(c, f->domain, f->name, f->overload, &key);
        if (status != ONDOL_OK) return status;
        status = onnx_checking_name(c, &c->functions, key, (uint32_t)i, &found);
        if (status != ONDOL_OK) return status;
        if (!found) continue;
        return base_fail(c->err, ONDOL_E_FORMAT, "function '%.*s' of domain '%.*s' is there twice",
                         ONNX_BRIEF(f->name), ONNX_BRIEF(f->domain));
    }
    return ONDOL_OK;
}

/* ---- calls ---- */

/* Who calls whom: the callees of function i are callees[begin[i] .. begin[i + 1]). */
typedef struct call_list {
    uint32_t *callees;
    size_t count, capacity;
} call_list;

static ondol_status add_call(onnx_checking *c, call_list *calls, uint32_t callee) {
    if (calls->count == calls->capacity) {
        const size_t wanted = calls->capacity ? calls->capacity * 2 : 64;
        uint32_t *more = base_alloc(c->allocator, wanted, sizeof *more);
        if (!more) return base_no_memory(c->err, "calls of functions", wanted * sizeof *more);
        if (calls->count) memcpy(more, calls->callees, calls->count * sizeof *more);
        base_free(c->allocator, calls->callees);
        calls->callees = more;
        calls->capacity = wanted;
    }
    calls->callees[calls->count++] = callee;
    return ONDOL_OK;
}

static ondol_status add_calls(onnx_checking *c, call_list *calls, const onnx_node_list *nodes);

static ondol_status add_calls_within(onnx_checking *c, call_list *calls, const onnx_node *n) {
    ondol_status status = ONDOL_OK;
    for (size_t i = 0; i < n->attribute.count; i++) {
        const onnx_attribute *a = n->attribute.items + i;
        if (a->g) TRY(add_calls(c, calls, &a->g->node));
        for (size_t k = 0; k < a->graphs.count; k++)
            TRY(add_calls(c, calls, &a->graphs.items[k].node));
    }
done:
    return status;
}

/* As deep as ONNX_CHECK_MAX_DEPTH. */
static ondol_status add_calls(onnx_checking *c, call_list *calls, const onnx_node_list *nodes) {
    ondol_status status = ONDOL_OK;
    if (c->depth == ONNX_CHECK_MAX_DEPTH) {
        return base_fail(c->err, ONDOL_E_LIMIT, "graphs nest deeper than %u", ONNX_CHECK_MAX_DEPTH);
    }
    c->depth++;
    for (size_t i = 0; i < nodes->count; i++) {
        const onnx_function *f = NULL;
        TRY(onnx_checking_callee(c, nodes->items + i, &f));
        if (f) TRY(add_call(c, calls, (uint32_t)(f - c->model->functions.items)));
        TRY(add_calls_within(c, calls, nodes->items + i));
    }
done:
    c->depth--;
    return status;
}

/* A function while its calls are followed. */
typedef struct visit {
    size_t begin, end; /* of its callees */
    size_t next;
    uint32_t caller; /* by which it was come to; UINT32_MAX: none */
    uint32_t height; /* of the calls below it; 0: not yet known */
    bool open;
} visit;

static ondol_status fault_of_circle(onnx_checking *c, uint32_t function) {
    return base_fail(c->err, ONDOL_E_FORMAT,
                     "function '%.*s' calls itself, by way of others or not",
                     ONNX_BRIEF(c->model->functions.items[function].name));
}

/* Follows the calls from `root` on, each function once. */
static ondol_status follow(onnx_checking *c, visit *visits, const call_list *calls, uint32_t root) {
    uint32_t at = root;
    visits[at].open = true;
    visits[at].caller = UINT32_MAX;
    while (at != UINT32_MAX) {
        visit *v = visits + at;
        const uint32_t callee = v->next < v->end ? calls->callees[v->next] : 0;
        if (v->next == v->end) {
            uint32_t height = 0;
            for (size_t i = v->begin; i < v->end; i++) {
                const uint32_t below = visits[calls->callees[i]].height;
                if (below > height) height = below;
            }
            v->height = height + 1;
            v->open = false;
            at = v->caller;
        } else if (visits[callee].open) {
            return fault_of_circle(c, callee);
        } else if (visits[callee].height) {
            v->next++;
        } else {
            visits[callee].open = true;
            visits[callee].caller = at;
            at = callee;
        }
    }
    if (visits[root].height <= ONNX_MAX_FUNCTION_CALL) return ONDOL_OK;
    return base_fail(c->err, ONDOL_E_LIMIT,
                     "function '%.*s': calls nest %u deep, expected at most %d",
                     ONNX_BRIEF(c->model->functions.items[root].name), visits[root].height,
                     ONNX_MAX_FUNCTION_CALL);
}

static ondol_status check_circles(onnx_checking *c) {
    const size_t count = c->model->functions.count;
    call_list calls = {0};
    ondol_status status = ONDOL_OK;
    visit *visits = base_arena_alloc(&c->arena, count, sizeof *visits);
    if (!visits) return base_no_memory(c->err, "functions", count * sizeof *visits);
    for (size_t i = 0; i < count; i++) {
        visits[i].begin = visits[i].next = calls.count;
        TRY(add_calls(c, &calls, &c->model->functions.items[i].node));
        visits[i].end = calls.count;
    }
    for (size_t i = 0; i < count; i++)
        if (!visits[i].height) TRY(follow(c, visits, &calls, (uint32_t)i));
done:
    base_free(c->allocator, calls.callees);
    return status;
}

/* ---- one function ---- */

static ondol_status check_twice(onnx_checking *c, base_map *names, onnx_string name,
                                const char *what) {
    bool found = false;
    ondol_status status = onnx_checking_name(c, names, name, 0, &found);
    if (status != ONDOL_OK || !found) return status;
    return base_fail(c->err, ONDOL_E_FORMAT, "%s '%.*s' is there twice", what, ONNX_BRIEF(name));
}

static ondol_status check_parameters(onnx_checking *c, const onnx_function *f) {
    base_map names;
    ondol_status status = ONDOL_OK;
    base_map_init(&names, c->allocator);
    for (size_t i = 0; i < f->attribute.count; i++)
        TRY(check_twice(c, &names, f->attribute.items[i], "attribute"));
    for (size_t i = 0; i < f->attribute_proto.count; i++) {
        const onnx_attribute *a = f->attribute_proto.items + i;
        TRY(check_twice(c, &names, a->name, "attribute"));
        if (onnx_has(&a->head, ONNX_HAS_attribute_ref_attr_name)) {
            TRY(base_fail(c->err, ONDOL_E_FORMAT, "attribute '%.*s' has no value of its own",
                          ONNX_BRIEF(a->name)));
        }
        TRY(onnx_checking_attribute(c, a, NULL));
    }
done:
    base_map_destroy(&names);
    return status;
}

static ondol_status check_results(onnx_checking *c, const onnx_function *f,
                                  const onnx_check_scope *scope) {
    base_map names;
    ondol_status status = ONDOL_OK;
    base_map_init(&names, c->allocator);
    for (size_t i = 0; i < f->output.count; i++) {
        const onnx_string name = f->output.items[i];
        TRY(check_twice(c, &names, name, "output"));
        if (onnx_checking_knows(&scope->names, name)) continue;
        TRY(base_fail(c->err, ONDOL_E_FORMAT, "output '%.*s' is no value of the function",
                      ONNX_BRIEF(name)));
    }
done:
    base_map_destroy(&names);
    return status;
}

static ondol_status check_body(onnx_checking *c, const onnx_function *f, onnx_check_scope *scope) {
    ondol_status status = ONDOL_OK;
    for (size_t i = 0; i < f->input.count; i++)
        TRY(check_twice(c, &scope->names, f->input.items[i], "input"));
    TRY(check_parameters(c, f));
    TRY(onnx_checking_nodes(c, &f->node, scope));
    TRY(check_results(c, f, scope));
done:
    return status;
}

static ondol_status check_function(onnx_checking *c, const onnx_function *f) {
    onnx_check_body body = {.function = f};
    onnx_check_scope scope = {0};
    ondol_status status = ONDOL_OK;
    const onnx_check_body *around = c->body;
    base_map_init(&body.domains, c->allocator);
    base_map_init(&scope.names, c->allocator);
    c->body = &body;
    if (f->name.size_bytes == 0) TRY(base_fail(c->err, ONDOL_E_FORMAT, "it has no name"));
    if (c->model->ir_version >= 8 && !onnx_has(&f->head, ONNX_HAS_function_domain)) {
        TRY(base_fail(c->err, ONDOL_E_FORMAT, "it has no domain"));
    }
    TRY(onnx_checking_imports(c, &f->opset_import, &body));
    TRY(check_body(c, f, &scope));
done:
    c->body = around;
    base_map_destroy(&scope.names);
    base_map_destroy(&body.domains);
    return base_prefix(c->err, status, "function '%.*s'", ONNX_BRIEF(f->name));
}

ondol_status onnx_checking_functions(onnx_checking *c) {
    ondol_status status = ONDOL_OK;
    if (c->model->functions.count == 0) return ONDOL_OK;
    TRY(index_functions(c));
    TRY(check_circles(c));
    for (size_t i = 0; i < c->model->functions.count; i++)
        TRY(check_function(c, c->model->functions.items + i));
done:
    return status;
}
