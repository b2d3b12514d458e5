/* Statements: nodes and the variables in sight -> output. */
#include <string.h>

#include "text/template/template_operations.h"

static ondol_status execute(template_run *run, template_scope *scope, const template_node *node);

ondol_status template_execute_body(template_run *run, template_scope *scope,
                                   const template_nodes *body) {
    ondol_status status = ONDOL_OK;
    for (uint32_t i = 0; i < body->count && status == ONDOL_OK; i++) {
        status = execute(run, scope, body->at[i]);
        if (run->signal != TEMPLATE_GO_ON) break;
    }
    return status;
}

static ondol_status assign(template_run *run, template_scope *scope, const template_node *target,
                           template_value value);

static ondol_status assign_tuple(template_run *run, template_scope *scope,
                                 const template_node *target, template_value value) {
    template_list *list = NULL;
    ondol_status status = template_collect(run, value, TEMPLATE_FORM_TUPLE, &list);
    TRY(status);
    if (list->count != target->items.count) {
        return template_fail(run, ONDOL_E_FORMAT, "expected %u values to unpack, got %zu",
                             (unsigned)target->items.count, list->count);
    }
    TRY(template_enter(run));
    for (uint32_t i = 0; i < target->items.count && status == ONDOL_OK; i++)
        status = assign(run, scope, target->items.at[i], list->items[i]);
    run->depth--;
done:
    return status;
}

static ondol_status assign(template_run *run, template_scope *scope, const template_node *target,
                           template_value value) {
    run->line = target->line;
    if (target->kind == NODE_NAME) return template_scope_set(run, scope, target->name, value);
    if (target->kind == NODE_TUPLE) return assign_tuple(run, scope, target, value);
    template_value object = template_scope_get(run, scope, target->name);
    if (object.kind != TEMPLATE_NAMESPACE) {
        return template_fail(run, ONDOL_E_FORMAT,
                             "expected a namespace to set an attribute of, got '%s'",
                             template_type_name(object));
    }
    if (!template_dict_put(run->heap, object.as.dict, target->text, value))
        return template_no_memory(run);
    return template_spend(run, 1);
}

static ondol_status execute_set(template_run *run, template_scope *scope,
                                const template_node *node) {
    template_value value = template_none();
    ondol_status status = template_evaluate(run, scope, node->b, &value);
    return status == ONDOL_OK ? assign(run, scope, node->a, value) : status;
}

/* The output of a body in a scope of its own, as a string. */
static ondol_status capture(template_run *run, template_scope *scope, const template_nodes *body,
                            template_scope **inner, template_value *out) {
    size_t mark = run->out->size;
    ondol_status status = template_scope_open(run, scope, inner);
    if (status == ONDOL_OK) status = template_execute_body(run, *inner, body);
    ondol_status taken = template_take_output(run, mark, out);
    return status == ONDOL_OK ? taken : status;
}

static ondol_status execute_set_block(template_run *run, template_scope *scope,
                                      const template_node *node) {
    template_value text = template_none();
    template_scope *inner = NULL;
    ondol_status status = capture(run, scope, &node->items, &inner, &text);
    TRY(status);
    if (run->signal != TEMPLATE_GO_ON) return ONDOL_OK;
    if (node->b) TRY(template_apply_filter(run, inner, node->b, text, &text));
    TRY(assign(run, scope, node->a, text));
done:
    return status;
}

static ondol_status execute_filter_block(template_run *run, template_scope *scope,
                                         const template_node *node) {
    template_value text = template_none();
    template_scope *inner = NULL;
    ondol_status status = capture(run, scope, &node->items, &inner, &text);
    TRY(status);
    if (run->signal != TEMPLATE_GO_ON) return ONDOL_OK;
    TRY(template_apply_filter(run, inner, node->a, text, &text));
    TRY(template_print(run, text));
done:
    return status;
}

static ondol_status execute_output(template_run *run, template_scope *scope,
                                   const template_node *node) {
    ondol_status status = ONDOL_OK;
    for (uint32_t i = 0; i < node->items.count && status == ONDOL_OK; i++) {
        template_value value = template_none();
        status = template_evaluate(run, scope, node->items.at[i], &value);
        if (status == ONDOL_OK) status = template_print(run, value);
    }
    return status;
}

static ondol_status execute_if(template_run *run, template_scope *scope,
                               const template_node *node) {
    for (uint32_t i = 0; i < node->items.count; i++) {
        const template_node *branch = node->items.at[i];
        template_value test = template_bool(true);
        ondol_status status = ONDOL_OK;
        if (branch->a) status = template_evaluate(run, scope, branch->a, &test);
        if (status != ONDOL_OK) return status;
        if (template_truth(test)) return template_execute_body(run, scope, &branch->items);
    }
    return ONDOL_OK;
}

/* The items for which the loop's `if` holds. */
static ondol_status filter_items(template_run *run, template_scope *scope,
                                 const template_node *node, template_value value,
                                 template_value *out) {
    template_iterator iterator;
    template_list *kept = NULL;
    template_scope *inner = NULL;
    bool more = true;
    ondol_status status = template_iterate(run, value, &iterator);
    TRY(status);
    TRY(template_make_list(run, TEMPLATE_FORM_LIST, 0, &kept));
    TRY(template_scope_open(run, scope, &inner));
    while (more) {
        template_value item = template_none(), holds = template_none();
        TRY(template_next(run, &iterator, &item, &more));
        if (!more) break;
        TRY(assign(run, inner, node->a, item));
        TRY(template_evaluate(run, inner, node->c, &holds));
        if (template_truth(holds)) TRY(template_append(run, kept, item));
    }
    *out = template_from_list(kept);
done:
    return status;
}

static int64_t items_left(template_value value) {
    size_t n = 0;
    if (value.kind == TEMPLATE_LIST && value.as.list->form == TEMPLATE_FORM_GENERATOR) {
        size_t used = value.as.list->consumed;
        return used < value.as.list->count ? (int64_t)(value.as.list->count - used) : 0;
    }
    return template_length(value, &n) ? (int64_t)n : 0;
}

static ondol_status run_iteration(template_run *run, template_scope *scope,
                                  const template_node *node, template_loop *loop) {
    template_value self = {.kind = TEMPLATE_LOOP, .as.loop = loop};
    ondol_status status = template_scope_set(run, scope, TEMPLATE_NAME_LOOP, self);
    TRY(status);
    TRY(assign(run, scope, node->a, loop->current));
    TRY(template_execute_body(run, scope, &node->items));
done:
    return status;
}

ondol_status template_execute_for(template_run *run, template_scope *scope,
                                  const template_node *node, template_value value, int64_t depth0) {
    template_iterator iterator;
    template_scope *inner = NULL;
    template_loop *loop = template_heap_alloc(run->heap, 1, sizeof *loop);
    ondol_status status = ONDOL_OK;
    bool more = true, ended = false; /* ended: a body ran to its end */
    if (!loop) return template_no_memory(run);
    if (node->c) TRY(filter_items(run, scope, node, value, &value));
    TRY(template_iterate(run, value, &iterator));
    *loop = (template_loop){
        .index0 = -1, .depth0 = depth0, .length = items_left(value), .node = node, .scope = scope};
    TRY(template_next(run, &iterator, &loop->next, &more));
    while (more) {
        loop->index0++;
        loop->previous = loop->current;
        loop->current = loop->next;
        loop->next = (template_value){0};
        TRY(template_next(run, &iterator, &loop->next, &more));
        /* a scope that a macro looks into belongs to that macro from then on */
        if (!inner || inner->captured) TRY(template_scope_open(run, scope, &inner));
        inner->count = 0;
        TRY(run_iteration(run, inner, node, loop));
        const bool stop = run->signal == TEMPLATE_BREAK;
        ended = ended || run->signal == TEMPLATE_GO_ON;
        run->signal = TEMPLATE_GO_ON;
        if (stop) break;
        /* the body may have made the sequence longer */
        if (!more) TRY(template_next(run, &iterator, &loop->next, &more));
    }
    /* as Jinja: also after a loop whose bodies all left by break or continue */
    if (!ended && node->more.count) {
        TRY(template_scope_open(run, scope, &inner));
        TRY(template_execute_body(run, inner, &node->more));
    }
done:
    return status;
}

static ondol_status execute_macro(template_run *run, template_scope *scope,
                                  const template_node *node) {
    template_callable *macro = template_heap_alloc(run->heap, 1, sizeof *macro);
    if (!macro) return template_no_memory(run);
    *macro = (template_callable){.kind = TEMPLATE_CALL_MACRO, .macro = node, .scope = scope};
    for (template_scope *s = scope; s; s = s->parent)
        s->captured = true;
    template_value value = {.kind = TEMPLATE_CALLABLE, .as.callable = macro};
    return template_scope_set(run, scope, node->name, value);
}

/* {% call %}: the call of node->a with the body as its keyword `caller`. */
static ondol_status execute_call_block(template_run *run, template_scope *scope,
                                       const template_node *node) {
    static const template_string caller_name = {"caller", 6, 6, NULL};
    template_value callee = template_none(), text = template_none();
    template_arguments arguments;
    template_callable *caller = template_heap_alloc(run->heap, 1, sizeof *caller);
    ondol_status status = ONDOL_OK;
    if (!caller) return template_no_memory(run);
    *caller = (template_callable){.kind = TEMPLATE_CALL_MACRO, .macro = node, .scope = scope};
    for (template_scope *s = scope; s; s = s->parent)
        s->captured = true;
    TRY(template_evaluate(run, scope, node->a->a, &callee));
    TRY(template_evaluate_arguments(run, scope, node->a, &arguments));
    size_t n = arguments.keyword_count;
    template_keyword *keywords = template_heap_alloc(run->heap, n + 1, sizeof *keywords);
    if (!keywords) return template_no_memory(run);
    if (n) memcpy(keywords, arguments.keywords, n * sizeof *keywords);
    keywords[n].name = &caller_name;
    keywords[n].value = (template_value){.kind = TEMPLATE_CALLABLE, .as.callable = caller};
    arguments.keywords = keywords;
    arguments.keyword_count = n + 1;
    run->line = node->line;
    TRY(template_call_value(run, callee, &arguments, &text));
    TRY(template_print(run, text));
done:
    return status;
}

static ondol_status execute_scope(template_run *run, template_scope *scope,
                                  const template_node *node) {
    template_scope *inner = NULL;
    ondol_status status = template_scope_open(run, scope, &inner);
    TRY(status);
    for (uint32_t i = 0; i < node->more.count; i++) {
        template_value value = template_none();
        TRY(template_evaluate(run, scope, node->more.at[i]->b, &value));
        TRY(assign(run, inner, node->more.at[i]->a, value));
    }
    TRY(template_execute_body(run, inner, &node->items));
done:
    return status;
}

static ondol_status execute_for_node(template_run *run, template_scope *scope,
                                     const template_node *node) {
    template_value value = template_none();
    ondol_status status = template_evaluate(run, scope, node->b, &value);
    run->line = node->line;
    return status == ONDOL_OK ? template_execute_for(run, scope, node, value, 0) : status;
}

static ondol_status execute(template_run *run, template_scope *scope, const template_node *node) {
    ondol_status status = template_enter(run);
    if (status != ONDOL_OK) return status;
    run->line = node->line;
    switch ((template_node_kind)node->kind) {
    case NODE_TEXT: status = template_emit(run, node->text->bytes, node->text->size); break;
    case NODE_OUTPUT: status = execute_output(run, scope, node); break;
    case NODE_IF: status = execute_if(run, scope, node); break;
    case NODE_FOR: status = execute_for_node(run, scope, node); break;
    case NODE_SET: status = execute_set(run, scope, node); break;
    case NODE_SET_BLOCK: status = execute_set_block(run, scope, node); break;
    case NODE_MACRO: status = execute_macro(run, scope, node); break;
    case NODE_CALL_BLOCK: status = execute_call_block(run, scope, node); break;
    case NODE_FILTER_BLOCK: status = execute_filter_block(run, scope, node); break;
    case NODE_SCOPE: status = execute_scope(run, scope, node); break;
    case NODE_BREAK: run->signal = TEMPLATE_BREAK; break;
    case NODE_CONTINUE: run->signal = TEMPLATE_CONTINUE; break;
    default:
        status = template_fail(run, ONDOL_E_INTERNAL, "node %d is no statement", node->kind);
        break;
    }
    run->depth--;
    return status;
}
