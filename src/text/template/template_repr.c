/* str() and repr() of values, as Python prints them. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "text/template/template_number.h"
#include "text/template/template_operations.h"
#include "text/template/template_text.h"

static ondol_status build_escape(template_run *run, template_builder *b, uint32_t code) {
    char text[16];
    switch (code) {
    case '\n': return template_build_text(run, b, "\\n");
    case '\r': return template_build_text(run, b, "\\r");
    case '\t': return template_build_text(run, b, "\\t");
    case '\\': return template_build_text(run, b, "\\\\");
    default: break;
    }
    if (code < 0x100)
        snprintf(text, sizeof text, "\\x%02" PRIx32, code);
    else if (code < 0x10000)
        snprintf(text, sizeof text, "\\u%04" PRIx32, code);
    else
        snprintf(text, sizeof text, "\\U%08" PRIx32, code);
    return template_build_text(run, b, text);
}

static ondol_status build_quoted(template_run *run, template_builder *b,
                                 const template_string *text) {
    bool single = memchr(text->bytes, '\'', text->size) != NULL;
    bool twice = memchr(text->bytes, '"', text->size) != NULL;
    char quote = single && !twice ? '"' : '\'';
    ondol_status status = template_build(run, b, &quote, 1);
    for (size_t at = 0; at < text->size && status == ONDOL_OK;) {
        uint32_t code = 0;
        size_t used = template_text_next(text->bytes, text->size, at, &code);
        if (code == (uint32_t)quote) status = template_build(run, b, "\\", 1);
        if (status != ONDOL_OK) break;
        if (code == '\\' || !template_code_is_printable(code))
            status = build_escape(run, b, code);
        else
            status = template_build(run, b, text->bytes + at, used);
        at += used;
    }
    if (status == ONDOL_OK) status = template_spend(run, text->size / 4);
    return status == ONDOL_OK ? template_build(run, b, &quote, 1) : status;
}

static ondol_status build_items(template_run *run, template_builder *b, const template_list *list,
                                const char *open, const char *close) {
    ondol_status status = template_build_text(run, b, open);
    for (size_t i = 0; i < list->count && status == ONDOL_OK; i++) {
        if (i) status = template_build_text(run, b, ", ");
        if (status == ONDOL_OK) status = template_build_repr(run, b, list->items[i]);
    }
    return status == ONDOL_OK ? template_build_text(run, b, close) : status;
}

static ondol_status build_list(template_run *run, template_builder *b, const template_list *list) {
    switch (list->form) {
    case TEMPLATE_FORM_LIST: return build_items(run, b, list, "[", "]");
    case TEMPLATE_FORM_GENERATOR: return template_build_text(run, b, "<generator object>");
    case TEMPLATE_FORM_KEYS: return build_items(run, b, list, "dict_keys([", "])");
    case TEMPLATE_FORM_VALUES: return build_items(run, b, list, "dict_values([", "])");
    case TEMPLATE_FORM_ITEMS: return build_items(run, b, list, "dict_items([", "])");
    default: return build_items(run, b, list, "(", list->count == 1 ? ",)" : ")");
    }
}

static ondol_status build_dict(template_run *run, template_builder *b, const template_dict *dict) {
    bool first = true;
    ondol_status status = template_build_text(run, b, "{");
    TRY(status);
    for (size_t i = 0; i < dict->used; i++) {
        const template_pair *pair = &dict->pairs[i];
        if (pair->key.kind == TEMPLATE_ABSENT) continue;
        if (!first) TRY(template_build_text(run, b, ", "));
        first = false;
        TRY(template_build_repr(run, b, pair->key));
        TRY(template_build_text(run, b, ": "));
        TRY(template_build_repr(run, b, pair->value));
    }
    TRY(template_build_text(run, b, "}"));
done:
    return status;
}

static ondol_status build_range(template_run *run, template_builder *b,
                                const template_range *range) {
    char text[100];
    int n = snprintf(text, sizeof text, "range(%" PRId64 ", %" PRId64, range->start, range->stop);
    if (range->step == 1)
        snprintf(text + n, sizeof text - (size_t)n, ")");
    else
        snprintf(text + n, sizeof text - (size_t)n, ", %" PRId64 ")", range->step);
    return template_build_text(run, b, text);
}

static ondol_status build_callable(template_run *run, template_builder *b,
                                   const template_callable *callable) {
    if (callable->kind == TEMPLATE_CALL_BUILTIN) {
        ondol_status status = template_build_text(run, b, "<function ");
        if (status == ONDOL_OK) status = template_build_text(run, b, callable->builtin->name);
        return status == ONDOL_OK ? template_build_text(run, b, ">") : status;
    }
    const template_string *name = run->tmpl->names[callable->macro->name];
    ondol_status status = template_build_text(run, b, "<Macro ");
    if (status == ONDOL_OK) status = build_quoted(run, b, name);
    return status == ONDOL_OK ? template_build_text(run, b, ">") : status;
}

static ondol_status build_other(template_run *run, template_builder *b, template_value value) {
    char text[80];
    switch ((template_kind)value.kind) {
    case TEMPLATE_NAMESPACE: {
        ondol_status status = template_build_text(run, b, "<Namespace ");
        if (status == ONDOL_OK) status = build_dict(run, b, value.as.dict);
        return status == ONDOL_OK ? template_build_text(run, b, ">") : status;
    }
    case TEMPLATE_LOOP:
        snprintf(text, sizeof text, "<LoopContext %" PRId64 "/%" PRId64 ">",
                 value.as.loop->index0 + 1, value.as.loop->length);
        return template_build_text(run, b, text);
    case TEMPLATE_CALLABLE: return build_callable(run, b, value.as.callable);
    case TEMPLATE_CYCLER: return template_build_text(run, b, "<Cycler>");
    case TEMPLATE_JOINER: return template_build_text(run, b, "<Joiner>");
    default: return template_build_text(run, b, "Undefined");
    }
}

static ondol_status build_scalar(template_run *run, template_builder *b, template_value value) {
    char text[TEMPLATE_NUMBER_BYTES];
    switch ((template_kind)value.kind) {
    case TEMPLATE_NONE: return template_build_text(run, b, "None");
    case TEMPLATE_BOOL: return template_build_text(run, b, value.as.boolean ? "True" : "False");
    case TEMPLATE_INT:
        snprintf(text, sizeof text, "%" PRId64, value.as.integer);
        return template_build_text(run, b, text);
    default: return template_build(run, b, text, template_number_repr(value.as.real, text));
    }
}

ondol_status template_build_repr(template_run *run, template_builder *b, template_value value) {
    ondol_status status = template_enter(run);
    if (status != ONDOL_OK) return status;
    switch ((template_kind)value.kind) {
    case TEMPLATE_NONE:
    case TEMPLATE_BOOL:
    case TEMPLATE_INT:
    case TEMPLATE_DOUBLE: status = build_scalar(run, b, value); break;
    case TEMPLATE_STRING:
        if (value.flag) status = template_build_text(run, b, "Markup(");
        if (status == ONDOL_OK) status = build_quoted(run, b, value.as.string);
        if (status == ONDOL_OK && value.flag) status = template_build_text(run, b, ")");
        break;
    case TEMPLATE_LIST: status = build_list(run, b, value.as.list); break;
    case TEMPLATE_DICT: status = build_dict(run, b, value.as.dict); break;
    case TEMPLATE_RANGE: status = build_range(run, b, value.as.range); break;
    default: status = build_other(run, b, value); break;
    }
    run->depth--;
    return status;
}

ondol_status template_build_str(template_run *run, template_builder *b, template_value value) {
    if (value.kind == TEMPLATE_UNDEFINED) return ONDOL_OK;
    if (value.kind != TEMPLATE_STRING) return template_build_repr(run, b, value);
    return template_build(run, b, value.as.string->bytes, value.as.string->size);
}

ondol_status template_to_string(template_run *run, template_value value, template_value *out) {
    *out = value;
    if (value.kind == TEMPLATE_STRING) return ONDOL_OK;
    template_builder b = {0};
    ondol_status status = template_build_str(run, &b, value);
    return status == ONDOL_OK ? template_build_finish(run, &b, out) : status;
}

ondol_status template_print(template_run *run, template_value value) {
    if (value.kind == TEMPLATE_STRING)
        return template_emit(run, value.as.string->bytes, value.as.string->size);
    template_value text = template_none();
    ondol_status status = template_to_string(run, value, &text);
    if (status != ONDOL_OK) return status;
    return template_emit(run, text.as.string->bytes, text.as.string->size);
}
