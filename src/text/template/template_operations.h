/* What Python does with values: truth, comparison, text, items, arithmetic. All errors name the
 * line of the template; comparisons and printing spend steps and depth. */
#ifndef TEMPLATE_OPERATIONS_H
#define TEMPLATE_OPERATIONS_H

#include "text/template/template_run.h"

/* ---- template_compare.c ---- */
bool template_truth(template_value value);
ondol_status template_equal(template_run *run, template_value a, template_value b, bool *out);
/* a < b. Errors: FORMAT when the types have no order. */
ondol_status template_less(template_run *run, template_value a, template_value b, bool *out);
ondol_status template_compare(template_run *run, template_operation operation, template_value a,
                              template_value b, bool *out);
/* Is item in container. */
ondol_status template_contains(template_run *run, template_value container, template_value item,
                               bool *out);
/* Stable merge sort of values[0..n) by keys[0..n); both are put in order. */
ondol_status template_sort(template_run *run, template_value *keys, template_value *values,
                           size_t n, bool descending);

/* ---- template_repr.c ---- */
/* str(value): a string stays as it is. */
ondol_status template_to_string(template_run *run, template_value value, template_value *out);
ondol_status template_build_str(template_run *run, template_builder *builder, template_value value);
ondol_status template_build_repr(template_run *run, template_builder *builder,
                                 template_value value);
/* Emits str(value). */
ondol_status template_print(template_run *run, template_value value);

/* ---- template_sequence.c ---- */
typedef struct template_iterator {
    template_value source;
    size_t position;
} template_iterator;

/* True, and *n, when the value has a length. */
bool template_length(template_value value, size_t *n);
bool template_is_iterable(template_value value);
bool template_is_text(template_value value);
/* list, but not its sisters; list or tuple. */
bool template_is_list(template_value value);
bool template_is_tuple(template_value value);
/* Errors: FORMAT when it cannot be walked. */
ondol_status template_iterate(template_run *run, template_value value, template_iterator *out);
/* *more false: the end. */
ondol_status template_next(template_run *run, template_iterator *iterator, template_value *item,
                           bool *more);
/* A new list (or other form) of the value's items; a generator is used up. */
ondol_status template_collect(template_run *run, template_value value, template_list_form form,
                              template_list **out);
/* value[index], then value.index; undefined when there is neither. */
ondol_status template_get_item(template_run *run, template_value value, template_value index,
                               template_value *out);
/* value.name, then value[name]. */
ondol_status template_get_attribute(template_run *run, template_value value,
                                    const template_string *name, template_value *out);
/* The attribute or method alone; *found false when there is none. */
ondol_status template_get_member(template_run *run, template_value value,
                                 const template_string *name, template_value *out, bool *found);
ondol_status template_get_slice(template_run *run, template_value value,
                                const template_value *begin, const template_value *end,
                                const template_value *step, template_value *out);

/* ---- template_arithmetic.c ---- */
ondol_status template_binary(template_run *run, template_operation operation, template_value a,
                             template_value b, template_value *out);
ondol_status template_negate(template_run *run, template_value value, bool negative,
                             template_value *out);
/* bool, int or float as a number. */
bool template_is_number(template_value value);
double template_as_double(template_value value);
/* An int or bool; FORMAT, naming `what`, for anything else. */
ondol_status template_as_int(template_run *run, template_value value, const char *what,
                             int64_t *out);
/* A string; FORMAT, naming `what`, for anything else. */
ondol_status template_as_text(template_run *run, template_value value, const char *what,
                              const template_string **out);

/* ---- template_escape.c ---- */
/* HTML-escaped markup; markup stays as it is. */
ondol_status template_escape(template_run *run, template_value value, template_value *out);

/* ---- template_format.c ---- */
/* format % arguments: a tuple, a dict for formats with keys, or the one argument. */
ondol_status template_format_percent(template_run *run, template_value format,
                                     template_value arguments, template_value *out);
/* kind 's': str(), 'r': repr(), 'a': ascii(). */
ondol_status template_convert(template_run *run, char kind, template_value value,
                              template_value *out);

/* ---- template_str_format.c: str.format ---- */
ondol_status template_format_braces(template_run *run, template_value format,
                                    const template_arguments *arguments, template_value *out);

/* ---- template_format_spec.c ---- */
/* format(value, spec) of Python. */
ondol_status template_build_format(template_run *run, template_builder *builder,
                                   template_value value, const template_string *spec);

/* ---- template_call.c ---- */
ondol_status template_call_value(template_run *run, template_value callee,
                                 const template_arguments *arguments, template_value *out);
ondol_status template_call_builtin(template_run *run, const template_builtin *builtin,
                                   template_value self, const template_arguments *arguments,
                                   template_value *out);
/* A callable value over the builtin; self ABSENT for a function. */
ondol_status template_make_callable(template_run *run, const template_builtin *builtin,
                                    template_value self, template_value *out);

/* ---- template_execute.c ---- */
ondol_status template_execute_body(template_run *run, template_scope *scope,
                                   const template_nodes *body);
/* Runs the loop of a recursive `for` over value, at depth0. */
ondol_status template_execute_for(template_run *run, template_scope *scope,
                                  const template_node *node, template_value value, int64_t depth0);

/* ---- template_evaluate.c ---- */
ondol_status template_evaluate(template_run *run, template_scope *scope, const template_node *node,
                               template_value *out);
/* The arguments of a call, filter or test node. */
ondol_status template_evaluate_arguments(template_run *run, template_scope *scope,
                                         const template_node *node, template_arguments *out);
/* A filter node applied to `self`, which stands in for the innermost NULL. */
ondol_status template_apply_filter(template_run *run, template_scope *scope,
                                   const template_node *node, template_value self,
                                   template_value *out);

/* ---- template_scope.c ---- */
template_value template_scope_get(template_run *run, const template_scope *scope, uint32_t name);
ondol_status template_scope_set(template_run *run, template_scope *scope, uint32_t name,
                                template_value value);
/* A scope within parent. */
ondol_status template_scope_open(template_run *run, template_scope *parent, template_scope **out);

#endif
