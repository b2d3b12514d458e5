/* The tables of everything that a template can name: filters, tests, global functions, methods. */
#ifndef TEMPLATE_BUILTINS_H
#define TEMPLATE_BUILTINS_H

#include "text/template/template_run.h"

/* NULL when there is none of that name. */
const template_builtin *template_filter_find(const template_string *name);
const template_builtin *template_test_find(const template_string *name);
const template_builtin *template_function_find(const template_string *name);
/* A method that values of this kind have. */
const template_builtin *template_method_find(template_value self, const template_string *name);

/* Within a table that ends in a row without a name. */
const template_builtin *template_builtin_find(const template_builtin *table,
                                              const template_string *name);

extern const template_builtin template_text_filters[];
extern const template_builtin template_layout_filters[];
extern const template_builtin template_list_filters[];
extern const template_builtin template_order_filters[];
extern const template_builtin template_number_filters[];
extern const template_builtin template_html_filters[];
extern const template_builtin template_json_filters[];
extern const template_builtin template_tests[];
extern const template_builtin template_functions[];
extern const template_builtin template_string_methods[];
extern const template_builtin template_string_search_methods[];
extern const template_builtin template_list_methods[];
extern const template_builtin template_sequence_methods[];
extern const template_builtin template_dict_methods[];
extern const template_builtin template_cycler_methods[];
extern const template_builtin template_loop_methods[];

#endif
