/* Filters for HTML and addresses: escape, safe, xmlattr, urlencode. */
#include <string.h>

#include "text/template/template_builtins.h"
#include "text/template/template_operations.h"

#define ARGUMENT(i) (arguments->values[i])

static ondol_status filter_escape(template_run *run, template_value self,
                                  const template_arguments *arguments, template_value *out) {
    (void)arguments;
    return template_escape(run, self, out);
}

static ondol_status filter_forceescape(template_run *run, template_value self,
                                       const template_arguments *arguments, template_value *out) {
    (void)arguments;
    self.flag = self.kind == TEMPLATE_STRING ? 0 : self.flag;
    return template_escape(run, self, out);
}

static ondol_status filter_safe(template_run *run, template_value self,
                                const template_arguments *arguments, template_value *out) {
    (void)arguments;
    const ondol_status status = template_to_string(run, self, out);
    if (status == ONDOL_OK) out->flag = 1;
    return status;
}

static ondol_status check_attribute(template_run *run, template_value key) {
    static const char refused[] = " \t\n\r\f\v/>=";
    const template_string *name = NULL;
    const ondol_status status = template_as_text(run, key, "a name of xmlattr", &name);
    for (size_t i = 0; status == ONDOL_OK && i < name->size; i++) {
        if (!name->bytes[i] || !strchr(refused, name->bytes[i])) continue;
        return template_fail(run, ONDOL_E_FORMAT,
                             "xmlattr: a name holds white space, '/', '>' or '='");
    }
    return status;
}

static ondol_status filter_xmlattr(template_run *run, template_value self,
                                   const template_arguments *arguments, template_value *out) {
    const bool space = ARGUMENT(0).kind == TEMPLATE_ABSENT || template_truth(ARGUMENT(0));
    template_builder b = {0};
    ondol_status status = ONDOL_OK;
    if (self.kind != TEMPLATE_DICT) {
        return template_fail(run, ONDOL_E_FORMAT, "xmlattr: expected a dict, got '%s'",
                             template_type_name(self));
    }
    const template_dict *dict = self.as.dict;
    for (size_t i = 0; i < dict->used; i++) {
        template_value key = dict->pairs[i].key, value = dict->pairs[i].value;
        if (key.kind == TEMPLATE_ABSENT || value.kind == TEMPLATE_NONE ||
            value.kind == TEMPLATE_UNDEFINED)
            continue;
        TRY(check_attribute(run, key));
        TRY(template_escape(run, key, &key));
        TRY(template_escape(run, value, &value));
        if (b.size > 0 || space) TRY(template_build(run, &b, " ", 1));
        TRY(template_build_str(run, &b, key));
        TRY(template_build(run, &b, "=\"", 2));
        TRY(template_build_str(run, &b, value));
        TRY(template_build(run, &b, "\"", 1));
    }
    TRY(template_build_finish(run, &b, out));
done:
    return status;
}

/* query: a part of a query string, where a space is '+' and '/' is quoted. */
static ondol_status build_quoted(template_run *run, template_builder *b, template_value value,
                                 bool query) {
    static const char digits[] = "0123456789ABCDEF";
    template_value text = value;
    ondol_status status = template_to_string(run, value, &text);
    TRY(status);
    const template_string *s = text.as.string;
    for (size_t i = 0; i < s->size; i++) {
        const unsigned char byte = (unsigned char)s->bytes[i];
        const bool plain = (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') ||
                           (byte >= 'a' && byte <= 'z') || (byte && strchr("_.-~", byte)) ||
                           (byte == '/' && !query);
        const char quoted[3] = {'%', digits[byte >> 4], digits[byte & 15]};
        if (plain)
            TRY(template_build(run, b, s->bytes + i, 1));
        else if (byte == ' ' && query)
            TRY(template_build(run, b, "+", 1));
        else
            TRY(template_build(run, b, quoted, sizeof quoted));
    }
    TRY(template_spend(run, s->size / 4));
done:
    return status;
}

static ondol_status build_pair(template_run *run, template_builder *b, template_value key,
                               template_value value) {
    ondol_status status = ONDOL_OK;
    if (b->size > 0) TRY(template_build(run, b, "&", 1));
    TRY(build_quoted(run, b, key, true));
    TRY(template_build(run, b, "=", 1));
    TRY(build_quoted(run, b, value, true));
done:
    return status;
}

static ondol_status build_pairs(template_run *run, template_builder *b, template_value self) {
    template_list *items = NULL, *pair = NULL;
    ondol_status status = template_collect(run, self, TEMPLATE_FORM_LIST, &items);
    TRY(status);
    for (size_t i = 0; i < items->count; i++) {
        TRY(template_collect(run, items->items[i], TEMPLATE_FORM_TUPLE, &pair));
        if (pair->count != 2) {
            return template_fail(run, ONDOL_E_FORMAT,
                                 "urlencode: expected pairs, got an item of %zu values",
                                 pair->count);
        }
        TRY(build_pair(run, b, pair->items[0], pair->items[1]));
    }
done:
    return status;
}

static ondol_status filter_urlencode(template_run *run, template_value self,
                                     const template_arguments *arguments, template_value *out) {
    template_builder b = {0};
    ondol_status status = ONDOL_OK;
    (void)arguments;
    if (self.kind == TEMPLATE_DICT) {
        for (size_t i = 0; i < self.as.dict->used; i++) {
            const template_pair *pair = &self.as.dict->pairs[i];
            if (pair->key.kind != TEMPLATE_ABSENT) TRY(build_pair(run, &b, pair->key, pair->value));
        }
    } else if (self.kind != TEMPLATE_STRING && template_is_iterable(self)) {
        TRY(build_pairs(run, &b, self));
    } else {
        TRY(build_quoted(run, &b, self, false));
    }
    TRY(template_build_finish(run, &b, out));
done:
    return status;
}

const template_builtin template_html_filters[] = {
    {"escape", "", filter_escape},
    {"e", "", filter_escape},
    {"forceescape", "", filter_forceescape},
    {"safe", "", filter_safe},
    {"xmlattr", "| autospace", filter_xmlattr},
    {"urlencode", "", filter_urlencode},
    {NULL, NULL, NULL},
};
