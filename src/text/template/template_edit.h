/* The string operations that filters and methods share. Each keeps the markup flag of its text. */
#ifndef TEMPLATE_EDIT_H
#define TEMPLATE_EDIT_H

#include "text/template/template_operations.h"

typedef enum template_edit_case {
    TEMPLATE_EDIT_UPPER,
    TEMPLATE_EDIT_LOWER,
    TEMPLATE_EDIT_TITLE,      /* str.title(): after everything that has no case */
    TEMPLATE_EDIT_CAPITALIZE, /* the first character upper, the rest lower */
    TEMPLATE_EDIT_SWAP
} template_edit_case;

ondol_status template_edit_change_case(template_run *run, template_value text,
                                       template_edit_case to, template_value *out);

/* chars ABSENT or none: white space. */
ondol_status template_edit_strip(template_run *run, template_value text, template_value chars,
                                 bool left, bool right, template_value *out);

/* count < 0: all. */
ondol_status template_edit_replace(template_run *run, template_value text,
                                   const template_string *old, const template_string *new,
                                   int64_t count, template_value *out);

/* The lines, without their ends unless keep_ends. */
ondol_status template_edit_split_lines(template_run *run, template_value text, bool keep_ends,
                                       template_list **out);

/* separator ABSENT or none: runs of white space. max < 0: all. */
ondol_status template_edit_split(template_run *run, template_value text, template_value separator,
                                 int64_t max, bool from_right, template_list **out);

/* Fills up to `width` characters; left and right say on which sides. */
ondol_status template_edit_pad(template_run *run, template_value text, int64_t width, uint32_t fill,
                               bool left, bool right, template_value *out);

/* str.join. */
ondol_status template_edit_join(template_run *run, template_value separator, template_value items,
                                bool convert, template_value *out);

#endif
