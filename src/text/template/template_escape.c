/* HTML escaping, as MarkupSafe does it. */
#include "text/template/template_operations.h"

ondol_status template_escape(template_run *run, template_value value, template_value *out) {
    static const struct {
        char c;
        const char *text;
    } escapes[] = {
        {'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'"', "&#34;"}, {'\'', "&#39;"},
    };
    template_builder b = {0};
    ondol_status status = ONDOL_OK;
    template_value text = value;
    if (value.kind != TEMPLATE_STRING) TRY(template_to_string(run, value, &text));
    *out = text;
    out->flag = 1;
    if (value.kind == TEMPLATE_STRING && value.flag) return ONDOL_OK;
    const template_string *s = text.as.string;
    size_t begin = 0;
    for (size_t at = 0; at < s->size; at++) {
        for (size_t i = 0; i < sizeof escapes / sizeof *escapes; i++) {
            if (s->bytes[at] != escapes[i].c) continue;
            TRY(template_build(run, &b, s->bytes + begin, at - begin));
            TRY(template_build_text(run, &b, escapes[i].text));
            begin = at + 1;
        }
    }
    TRY(template_spend(run, s->size / 4));
    if (begin == 0) return ONDOL_OK;
    TRY(template_build(run, &b, s->bytes + begin, s->size - begin));
    TRY(template_build_finish(run, &b, out));
    out->flag = 1;
done:
    return status;
}
