/* The `attribute` argument of filters: "a.b.0", 3, or none. */
#ifndef TEMPLATE_ATTRIBUTE_H
#define TEMPLATE_ATTRIBUTE_H

#include "text/template/template_operations.h"

/* The parts of one attribute path; none for ABSENT and none. */
ondol_status template_attribute_parse(template_run *run, template_value attribute,
                                      template_list **parts);

/* Follows the parts from item. fallback (ABSENT: none) replaces what is undefined on the way. */
ondol_status template_attribute_get(template_run *run, const template_list *parts,
                                    template_value item, template_value fallback,
                                    template_value *out);

/* Text in lower case, all else as it is: how filters compare unless case_sensitive. */
ondol_status template_attribute_ignore_case(template_run *run, template_value value,
                                            template_value *out);

#endif
