/* Paths of attributes, as filters take them. */
#include "text/template/template_attribute.h"

#include "text/template/template_edit.h"
#include "text/template/template_text.h"

static bool is_number(const template_string *s) {
    size_t at = 0;
    while (at < s->size && s->bytes[at] >= '0' && s->bytes[at] <= '9')
        at++;
    return at == s->size && at > 0 && at < 18;
}

ondol_status template_attribute_parse(template_run *run, template_value attribute,
                                      template_list **parts) {
    template_value dot = template_none();
    ondol_status status = ONDOL_OK;
    if (attribute.kind == TEMPLATE_ABSENT || attribute.kind == TEMPLATE_NONE)
        return template_make_list(run, TEMPLATE_FORM_LIST, 0, parts);
    if (attribute.kind != TEMPLATE_STRING) {
        TRY(template_make_list(run, TEMPLATE_FORM_LIST, 1, parts));
        return template_append(run, *parts, attribute);
    }
    TRY(template_make_text(run, ".", &dot));
    TRY(template_edit_split(run, attribute, dot, -1, false, parts));
    for (size_t i = 0; i < (*parts)->count; i++) {
        const template_string *part = (*parts)->items[i].as.string;
        if (!is_number(part)) continue;
        int64_t number = 0;
        for (size_t k = 0; k < part->size; k++)
            number = number * 10 + (part->bytes[k] - '0');
        (*parts)->items[i] = template_int(number);
    }
done:
    return status;
}

ondol_status template_attribute_get(template_run *run, const template_list *parts,
                                    template_value item, template_value fallback,
                                    template_value *out) {
    ondol_status status = ONDOL_OK;
    bool replace = fallback.kind != TEMPLATE_ABSENT && fallback.kind != TEMPLATE_NONE;
    for (size_t i = 0; i < parts->count && status == ONDOL_OK; i++) {
        status = template_get_item(run, item, parts->items[i], &item);
        if (replace && item.kind == TEMPLATE_UNDEFINED) item = fallback;
    }
    *out = item;
    return status;
}

ondol_status template_attribute_ignore_case(template_run *run, template_value value,
                                            template_value *out) {
    *out = value;
    if (value.kind != TEMPLATE_STRING) return ONDOL_OK;
    return template_edit_change_case(run, value, TEMPLATE_EDIT_LOWER, out);
}
