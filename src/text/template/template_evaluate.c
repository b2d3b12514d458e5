/* Expressions: a node and the variables in sight -> a value. */
#include <string.h>

#include "text/template/template_operations.h"

static ondol_status evaluate_list(template_run *run, template_scope *scope,
                                  const template_node *node, template_value *out) {
    template_list *list = NULL;
    template_list_form form = node->kind == NODE_LIST ? TEMPLATE_FORM_LIST : TEMPLATE_FORM_TUPLE;
    ondol_status status = template_make_list(run, form, node->items.count, &list);
    for (uint32_t i = 0; i < node->items.count && status == ONDOL_OK; i++) {
        template_value item = template_none();
        status = template_evaluate(run, scope, node->items.at[i], &item);
        if (status == ONDOL_OK) status = template_append(run, list, item);
    }
    *out = template_from_list(list);
    return status;
}

static ondol_status evaluate_dict(template_run *run, template_scope *scope,
                                  const template_node *node, template_value *out) {
    ondol_status status = ONDOL_OK;
    template_dict *dict = template_dict_create(run->heap);
    if (!dict) return template_no_memory(run);
    for (uint32_t i = 0; i + 1 < node->items.count; i += 2) {
        template_value key = template_none(), value = template_none();
        TRY(template_evaluate(run, scope, node->items.at[i], &key));
        TRY(template_evaluate(run, scope, node->items.at[i + 1], &value));
        TRY(template_dict_set(run, dict, key, value));
    }
    *out = template_from_dict(dict);
done:
    return status;
}

static ondol_status evaluate_compare(template_run *run, template_scope *scope,
                                     const template_node *node, template_value *out) {
    template_value left = template_none(), right = template_none();
    bool holds = true;
    ondol_status status = template_evaluate(run, scope, node->a, &left);
    TRY(status);
    for (uint32_t i = 0; i < node->items.count && holds; i++) {
        const template_node *operand = node->items.at[i];
        TRY(template_evaluate(run, scope, operand->a, &right));
        run->line = node->line;
        TRY(template_compare(run, (template_operation)operand->operation, left, right, &holds));
        left = right;
    }
    *out = template_bool(holds);
done:
    return status;
}

/* A first operand that is text grows in place where it can: templates build their output by
 * `out = out ~ ...`, which has to stay linear. */
static ondol_status evaluate_concat(template_run *run, template_scope *scope,
                                    const template_node *node, template_value *out) {
    template_builder b = {0};
    const template_string *first = NULL;
    ondol_status status = ONDOL_OK;
    for (uint32_t i = 0; i < node->items.count; i++) {
        template_value part = template_none();
        TRY(template_evaluate(run, scope, node->items.at[i], &part));
        if (i == 0 && part.kind == TEMPLATE_STRING)
            first = part.as.string;
        else
            TRY(template_build_str(run, &b, part));
    }
    TRY(template_build_finish(run, &b, out));
    if (!first) return status;
    const template_string *whole = template_string_concat(run->heap, first, out->as.string);
    if (!whole) return template_no_memory(run);
    *out = template_from_string(whole);
    status = template_spend(run, 1 + b.size / 16);
done:
    return status;
}

/* and, or: the value that decides, as Python gives it. */
static ondol_status evaluate_logic(template_run *run, template_scope *scope,
                                   const template_node *node, template_value *out) {
    bool stop_at = node->kind == NODE_OR;
    ondol_status status = ONDOL_OK;
    for (uint32_t i = 0; i < node->items.count && status == ONDOL_OK; i++) {
        status = template_evaluate(run, scope, node->items.at[i], out);
        if (status == ONDOL_OK && template_truth(*out) == stop_at) break;
    }
    return status;
}

static ondol_status evaluate_item(template_run *run, template_scope *scope,
                                  const template_node *node, template_value *out) {
    template_value object = template_none(), part[3];
    const template_node *index = node->b;
    ondol_status status = template_evaluate(run, scope, node->a, &object);
    TRY(status);
    if (index->kind != NODE_SLICE) {
        TRY(template_evaluate(run, scope, index, &part[0]));
        run->line = node->line;
        return template_get_item(run, object, part[0], out);
    }
    const template_node *parts[3] = {index->a, index->b, index->c};
    for (int i = 0; i < 3; i++)
        if (parts[i]) TRY(template_evaluate(run, scope, parts[i], &part[i]));
    run->line = node->line;
    status = template_get_slice(run, object, parts[0] ? &part[0] : NULL, parts[1] ? &part[1] : NULL,
                                parts[2] ? &part[2] : NULL, out);
done:
    return status;
}

static ondol_status unpack_keywords(template_run *run, template_value value,
                                    template_keyword *keywords, size_t *count) {
    const template_dict *dict = value.as.dict;
    const size_t given = *count;
    const ondol_status status = template_spend(run, dict->count * given / 4);
    if (status != ONDOL_OK) return status;
    for (size_t i = 0; i < dict->used; i++) {
        if (dict->pairs[i].key.kind == TEMPLATE_ABSENT) continue;
        if (dict->pairs[i].key.kind != TEMPLATE_STRING) {
            return template_fail(run, ONDOL_E_FORMAT,
                                 "a name of a `**` argument: expected a string, got '%s'",
                                 template_type_name(dict->pairs[i].key));
        }
        const template_string *name = dict->pairs[i].key.as.string;
        for (size_t k = 0; k < given; k++) {
            if (!template_string_equal(keywords[k].name, name)) continue;
            return template_fail(run, ONDOL_E_FORMAT, "the keyword argument '%.*s' is given twice",
                                 name->size < 60 ? (int)name->size : 60, name->bytes);
        }
        keywords[*count].name = name;
        keywords[(*count)++].value = dict->pairs[i].value;
    }
    return ONDOL_OK;
}

static ondol_status evaluate_keywords(template_run *run, template_scope *scope,
                                      const template_node *node, template_arguments *out) {
    template_value spread = template_none();
    ondol_status status = ONDOL_OK;
    size_t capacity = node->more.count;
    if (node->c) {
        TRY(template_evaluate(run, scope, node->c, &spread));
        if (spread.kind != TEMPLATE_DICT) {
            return template_fail(run, ONDOL_E_FORMAT, "a `**` argument: expected a dict, got '%s'",
                                 template_type_name(spread));
        }
        capacity += spread.as.dict->count;
    }
    if (capacity == 0) return ONDOL_OK;
    template_keyword *keywords = template_heap_alloc(run->heap, capacity, sizeof *keywords);
    if (!keywords) return template_no_memory(run);
    size_t count = 0;
    for (uint32_t i = 0; i < node->more.count; i++) {
        keywords[count].name = node->more.at[i]->text;
        TRY(template_evaluate(run, scope, node->more.at[i]->a, &keywords[count++].value));
    }
    if (node->c) TRY(unpack_keywords(run, spread, keywords, &count));
    out->keywords = keywords;
    out->keyword_count = count;
done:
    return status;
}

ondol_status template_evaluate_arguments(template_run *run, template_scope *scope,
                                         const template_node *node, template_arguments *out) {
    template_list *list = NULL, *spread = NULL;
    template_value value = template_none();
    ondol_status status = ONDOL_OK;
    *out = (template_arguments){0};
    if (node->items.count || node->b)
        TRY(template_make_list(run, TEMPLATE_FORM_TUPLE, node->items.count, &list));
    for (uint32_t i = 0; i < node->items.count; i++) {
        TRY(template_evaluate(run, scope, node->items.at[i], &value));
        TRY(template_append(run, list, value));
    }
    if (node->b) {
        TRY(template_evaluate(run, scope, node->b, &value));
        TRY(template_collect(run, value, TEMPLATE_FORM_TUPLE, &spread));
        for (size_t i = 0; i < spread->count; i++)
            TRY(template_append(run, list, spread->items[i]));
    }
    if (list) {
        out->values = list->items;
        out->count = list->count;
    }
    if (node->more.count || node->c) TRY(evaluate_keywords(run, scope, node, out));
done:
    return status;
}

static ondol_status evaluate_call(template_run *run, template_scope *scope,
                                  const template_node *node, template_value *out) {
    template_value callee = template_none();
    template_arguments arguments;
    ondol_status status = template_evaluate(run, scope, node->a, &callee);
    TRY(status);
    TRY(template_evaluate_arguments(run, scope, node, &arguments));
    run->line = node->line;
    TRY(template_call_value(run, callee, &arguments, out));
done:
    return status;
}

static ondol_status call_named(template_run *run, template_scope *scope, const template_node *node,
                               template_value self, template_value *out) {
    template_arguments arguments;
    if (!node->builtin) {
        run->line = node->line;
        return template_fail(run, ONDOL_E_FORMAT, "no %s is named '%.*s'",
                             node->kind == NODE_FILTER ? "filter" : "test",
                             node->text->size < 60 ? (int)node->text->size : 60, node->text->bytes);
    }
    ondol_status status = template_evaluate_arguments(run, scope, node, &arguments);
    run->line = node->line;
    return status == ONDOL_OK ? template_call_builtin(run, node->builtin, self, &arguments, out)
                              : status;
}

ondol_status template_apply_filter(template_run *run, template_scope *scope,
                                   const template_node *node, template_value self,
                                   template_value *out) {
    ondol_status status = template_enter(run);
    if (status != ONDOL_OK) return status;
    if (node->a && node->a->kind == NODE_FILTER)
        status = template_apply_filter(run, scope, node->a, self, &self);
    if (status == ONDOL_OK) status = call_named(run, scope, node, self, out);
    run->depth--;
    return status;
}

static ondol_status evaluate_named(template_run *run, template_scope *scope,
                                   const template_node *node, template_value *out) {
    template_value self = template_none();
    ondol_status status = template_evaluate(run, scope, node->a, &self);
    return status == ONDOL_OK ? call_named(run, scope, node, self, out) : status;
}

static ondol_status evaluate_two(template_run *run, template_scope *scope,
                                 const template_node *node, template_value *out) {
    template_value a = template_none(), b = template_none();
    ondol_status status = template_evaluate(run, scope, node->a, &a);
    TRY(status);
    TRY(template_evaluate(run, scope, node->b, &b));
    run->line = node->line;
    status = template_binary(run, (template_operation)node->operation, a, b, out);
done:
    return status;
}

static ondol_status evaluate_one(template_run *run, template_scope *scope,
                                 const template_node *node, template_value *out) {
    template_value value = template_none();
    ondol_status status = template_evaluate(run, scope, node->a, &value);
    if (status != ONDOL_OK) return status;
    run->line = node->line;
    if (node->kind == NODE_ATTRIBUTE) return template_get_attribute(run, value, node->text, out);
    if (node->kind != NODE_NOT)
        return template_negate(run, value, node->kind == NODE_NEGATIVE, out);
    *out = template_bool(!template_truth(value));
    return ONDOL_OK;
}

static ondol_status evaluate_condition(template_run *run, template_scope *scope,
                                       const template_node *node, template_value *out) {
    template_value test = template_none();
    ondol_status status = template_evaluate(run, scope, node->b, &test);
    if (status != ONDOL_OK) return status;
    const template_node *chosen = template_truth(test) ? node->a : node->c;
    if (chosen) return template_evaluate(run, scope, chosen, out);
    *out = template_undefined(TEMPLATE_MISSING_ELSE, NULL);
    return ONDOL_OK;
}

ondol_status template_evaluate(template_run *run, template_scope *scope, const template_node *node,
                               template_value *out) {
    ondol_status status = template_enter(run);
    if (status != ONDOL_OK) return status;
    run->line = node->line;
    switch ((template_node_kind)node->kind) {
    case NODE_CONSTANT: *out = node->value; break;
    case NODE_NAME: *out = template_scope_get(run, scope, node->name); break;
    case NODE_LIST:
    case NODE_TUPLE: status = evaluate_list(run, scope, node, out); break;
    case NODE_DICT: status = evaluate_dict(run, scope, node, out); break;
    case NODE_NEGATIVE:
    case NODE_POSITIVE:
    case NODE_NOT:
    case NODE_ATTRIBUTE: status = evaluate_one(run, scope, node, out); break;
    case NODE_BINARY: status = evaluate_two(run, scope, node, out); break;
    case NODE_AND:
    case NODE_OR: status = evaluate_logic(run, scope, node, out); break;
    case NODE_COMPARE: status = evaluate_compare(run, scope, node, out); break;
    case NODE_CONCAT: status = evaluate_concat(run, scope, node, out); break;
    case NODE_CONDITION: status = evaluate_condition(run, scope, node, out); break;
    case NODE_ITEM: status = evaluate_item(run, scope, node, out); break;
    case NODE_CALL: status = evaluate_call(run, scope, node, out); break;
    case NODE_FILTER:
    case NODE_TEST: status = evaluate_named(run, scope, node, out); break;
    case NODE_SLICE:
        status = template_fail(run, ONDOL_E_FORMAT, "a slice stands among several indices");
        break;
    default:
        status = template_fail(run, ONDOL_E_INTERNAL, "node %d is no expression", node->kind);
        break;
    }
    run->depth--;
    return status;
}
