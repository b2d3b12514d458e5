/* Third stage of compiling: one walk over the tree that finds the filters and tests it names and
 * checks what the grammar cannot. The walk is as deep as the tree, which the parser has bounded. */
#include "text/template/template_builtins.h"
#include "text/template/template_parser.h"

#include <string.h>

/* Where the walk is. soft: within an `if`, where an unknown filter fails only when reached. */
typedef struct place {
    bool soft, in_loop;
} place;

static ondol_status walk(template_parser *p, template_node *node, place at);

static ondol_status walk_list(template_parser *p, const template_nodes *list, place at) {
    ondol_status status = ONDOL_OK;
    for (uint32_t i = 0; i < list->count && status == ONDOL_OK; i++)
        status = walk(p, list->at[i], at);
    return status;
}

static ondol_status find_builtin(template_parser *p, template_node *node, place at) {
    bool is_filter = node->kind == NODE_FILTER;
    node->builtin = is_filter ? template_filter_find(node->text) : template_test_find(node->text);
    if (node->builtin || at.soft) return ONDOL_OK;
    int shown = node->text->size < 60 ? (int)node->text->size : 60;
    return template_parser_fail(p, node->line, ONDOL_E_FORMAT, "no %s is named '%.*s'",
                                is_filter ? "filter" : "test", shown, node->text->bytes);
}

/* Special names that `node` reads before it has set them itself, in the order of the text. */
static void find_special(const template_node *node, uint8_t *taken, uint8_t *hidden);

static void find_special_in(const template_nodes *list, uint8_t *taken, uint8_t *hidden) {
    for (uint32_t i = 0; i < list->count; i++)
        find_special(list->at[i], taken, hidden);
}

static uint8_t special_bit(uint32_t name) {
    switch (name) {
    case TEMPLATE_NAME_CALLER: return TEMPLATE_TAKES_CALLER;
    case TEMPLATE_NAME_KWARGS: return TEMPLATE_TAKES_KWARGS;
    case TEMPLATE_NAME_VARARGS: return TEMPLATE_TAKES_VARARGS;
    default: return 0;
    }
}

static void hide_target(const template_node *target, uint8_t *hidden) {
    if (target->kind == NODE_NAME) *hidden |= special_bit(target->name);
    for (uint32_t i = 0; i < target->items.count; i++)
        hide_target(target->items.at[i], hidden);
}

static void find_special(const template_node *node, uint8_t *taken, uint8_t *hidden) {
    if (!node) return;
    if (node->kind == NODE_NAME) *taken |= (uint8_t)(special_bit(node->name) & ~*hidden);
    bool sets = node->kind == NODE_SET || node->kind == NODE_FOR || node->kind == NODE_SET_BLOCK;
    if (sets)
        hide_target(node->a, hidden);
    else
        find_special(node->a, taken, hidden);
    find_special(node->b, taken, hidden);
    find_special(node->c, taken, hidden);
    find_special_in(&node->items, taken, hidden);
    find_special_in(&node->more, taken, hidden);
}

static ondol_status walk_macro(template_parser *p, template_node *node, place at) {
    uint8_t taken = 0, hidden = 0;
    bool has_caller = false, caller_default = false;
    find_special_in(&node->items, &taken, &hidden);
    for (uint32_t i = 0; i < node->more.count; i++) {
        const template_node *parameter = node->more.at[i];
        if (parameter->name == TEMPLATE_NAME_CALLER) {
            has_caller = true;
            caller_default = parameter->a != NULL;
        }
        taken &= (uint8_t)~special_bit(parameter->name);
    }
    if (has_caller && !caller_default) {
        return template_parser_fail(p, node->line, ONDOL_E_FORMAT,
                                    "the parameter 'caller' of a macro needs a default");
    }
    node->takes = taken;
    at.soft = at.in_loop = false;
    ondol_status status = walk_list(p, &node->more, at);
    return status == ONDOL_OK ? walk_list(p, &node->items, at) : status;
}

static ondol_status check_loop_name(template_parser *p, const template_node *target) {
    if (target->kind == NODE_NAME && target->name == TEMPLATE_NAME_LOOP) {
        return template_parser_fail(p, target->line, ONDOL_E_FORMAT,
                                    "within a loop 'loop' cannot be set");
    }
    ondol_status status = ONDOL_OK;
    for (uint32_t i = 0; i < target->items.count && status == ONDOL_OK; i++)
        status = check_loop_name(p, target->items.at[i]);
    return status;
}

static ondol_status walk_for(template_parser *p, template_node *node, place at) {
    place body = {.soft = false, .in_loop = true}, test = {.soft = false};
    ondol_status status = check_loop_name(p, node->a);
    TRY(status);
    TRY(walk(p, node->b, at));
    if (node->c) TRY(walk(p, node->c, test));
    TRY(walk_list(p, &node->items, body));
    body.in_loop = at.in_loop;
    TRY(walk_list(p, &node->more, body));
done:
    return status;
}

static ondol_status walk_children(template_parser *p, template_node *node, place at) {
    ondol_status status = ONDOL_OK;
    if (node->a) TRY(walk(p, node->a, at));
    if (node->b) TRY(walk(p, node->b, at));
    if (node->c) TRY(walk(p, node->c, at));
    TRY(walk_list(p, &node->items, at));
    TRY(walk_list(p, &node->more, at));
done:
    return status;
}

static ondol_status walk(template_parser *p, template_node *node, place at) {
    ondol_status status = ONDOL_OK;
    switch ((template_node_kind)node->kind) {
    case NODE_FILTER:
    case NODE_TEST: status = find_builtin(p, node, at); break;
    case NODE_IF:
    case NODE_CONDITION: at.soft = true; break;
    case NODE_FOR: return walk_for(p, node, at);
    case NODE_MACRO: return walk_macro(p, node, at);
    case NODE_CALL_BLOCK:
        status = walk(p, node->a, at);
        return status == ONDOL_OK ? walk_macro(p, node, at) : status;
    case NODE_SET:
        if (at.in_loop) status = check_loop_name(p, node->a);
        break;
    case NODE_SET_BLOCK:
    case NODE_FILTER_BLOCK:
    case NODE_SCOPE: at.soft = false; break;
    case NODE_BREAK:
    case NODE_CONTINUE:
        if (at.in_loop) break;
        return template_parser_fail(p, node->line, ONDOL_E_FORMAT,
                                    "'break' or 'continue' outside a loop");
    default: break;
    }
    return status == ONDOL_OK ? walk_children(p, node, at) : status;
}

ondol_status template_resolve(template_parser *p) {
    return walk_list(p, &p->tmpl->body, (place){0});
}
