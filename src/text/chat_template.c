/* Messages, tools and variables -> a template's variables -> the conversation's text. */
#include "text/chat_template.h"

#include <stdio.h>
#include <string.h>

#include "text/template/template_json.h"
#include "text/template/text_template.h"

/* What a model without a template gets. ChatML says nothing of tools. */
static const char chatml[] =
    "{%- if tools %}{{ raise_exception('ChatML, which stands in for the template that this model "
    "lacks, has no place for tools') }}{% endif %}"
    "{%- for message in messages %}"
    "{%- if message.tool_calls %}{{ raise_exception('ChatML, which stands in for the template that "
    "this model lacks, has no place for tool calls') }}{% endif %}"
    "{{- '<|im_start|>' ~ message.role ~ '\\n' }}"
    "{%- if message.content is string %}{{- message.content }}"
    "{%- else %}"
    "{%- for part in message.content or [] %}"
    "{%- if part.type != 'text' %}{{ raise_exception('ChatML, which stands in for the template "
    "that this model lacks, has text alone') }}{% endif %}"
    "{{- part.text }}"
    "{%- endfor %}"
    "{%- endif %}"
    "{{- '<|im_end|>\\n' }}"
    "{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{% endif %}";

typedef struct chat {
    template_heap *heap;
    ondol_error *err;
} chat;

static ondol_status no_room(const chat *c) {
    const size_t used = c->heap->arena.total_bytes;
    if (!c->heap->over_maximum) return base_no_memory(c->err, "a conversation", used);
    return base_fail(c->err, ONDOL_E_LIMIT,
                     "the conversation: needs more than the %zu bytes allowed",
                     c->heap->arena.max_bytes);
}

static ondol_status put(const chat *c, template_dict *dict, const char *key, template_value value) {
    return template_dict_put_text(c->heap, dict, key, value) ? ONDOL_OK : no_room(c);
}

/* The bytes outlive the heap. */
static ondol_status put_text(const chat *c, template_dict *dict, const char *key, const char *bytes,
                             size_t n) {
    const template_string *text = template_string_view(c->heap, bytes, n);
    return text ? put(c, dict, key, template_from_string(text)) : no_room(c);
}

/* JSON that has to be of one kind. */
static ondol_status read_json(const chat *c, const char *text, const char *what, template_kind kind,
                              template_value *out) {
    const ondol_status status = template_json_read(c->heap, text, what, out, c->err);
    if (status != ONDOL_OK || out->kind == kind) return status;
    return base_fail(c->err, ONDOL_E_FORMAT, "%s: expected an %s, got a '%s'", what,
                     kind == TEMPLATE_DICT ? "object" : "array", template_type_name(*out));
}

/* The members of `from` into `dict`, but for names that are there already and stay. */
static ondol_status join(const chat *c, template_dict *dict, const template_dict *from,
                         const char *const *fixed, const char *what) {
    for (size_t i = 0; i < from->used; i++) {
        const template_string *name = from->pairs[i].key.as.string;
        for (size_t k = 0; fixed[k]; k++) {
            if (!template_string_is(name, fixed[k])) continue;
            return base_fail(c->err, ONDOL_E_FORMAT, "%s: the member '%s' is given elsewhere", what,
                             fixed[k]);
        }
        if (!template_dict_put(c->heap, dict, name, from->pairs[i].value)) return no_room(c);
    }
    return ONDOL_OK;
}

static ondol_status make_message(const chat *c, const text_chat_message *message, size_t index,
                                 template_value *out) {
    static const char *const both[] = {"role", "content", NULL}, *const role[] = {"role", NULL};
    char what[60];
    template_value extra = template_none();
    template_dict *dict = template_dict_create(c->heap);
    ondol_status status = dict ? ONDOL_OK : no_room(c);
    TRY(status);
    if (!message->role)
        return base_fail(c->err, ONDOL_E_ARGUMENT, "message %zu: has no role", index);
    TRY(put_text(c, dict, "role", message->role, strlen(message->role)));
    if (message->content)
        TRY(put_text(c, dict, "content", message->content, strlen(message->content)));
    else
        TRY(put(c, dict, "content", template_none()));
    if (message->extra_json) {
        snprintf(what, sizeof what, "message %zu: extra_json", index);
        TRY(read_json(c, message->extra_json, what, TEMPLATE_DICT, &extra));
        TRY(join(c, dict, extra.as.dict, message->content ? both : role, what));
    }
    *out = template_from_dict(dict);
done:
    return status;
}

static ondol_status make_messages(const chat *c, const text_chat_message *messages, size_t count,
                                  template_value *out) {
    template_list *list = template_list_create(c->heap, TEMPLATE_FORM_LIST, count);
    ondol_status status = list ? ONDOL_OK : no_room(c);
    for (size_t i = 0; i < count && status == ONDOL_OK; i++) {
        template_value message = template_none();
        status = make_message(c, &messages[i], i, &message);
        if (status == ONDOL_OK && !template_list_append(c->heap, list, message))
            status = no_room(c);
    }
    *out = template_from_list(list);
    return status;
}

static ondol_status make_variables(const chat *c, const text_chat_message *messages, size_t count,
                                   const text_chat_options *options, template_dict *dict) {
    static const char *const fixed[] = {"messages", "tools", "add_generation_prompt", NULL};
    template_value list = template_none(), tools = template_none(), more = template_none();
    ondol_status status = make_messages(c, messages, count, &list);
    TRY(status);
    TRY(put(c, dict, "messages", list));
    if (options->tools_json)
        TRY(read_json(c, options->tools_json, "tools_json", TEMPLATE_LIST, &tools));
    TRY(put(c, dict, "tools", tools));
    TRY(put(c, dict, "documents", template_none()));
    TRY(put(c, dict, "add_generation_prompt", template_bool(options->add_generation_prompt)));
    if (options->bos) TRY(put_text(c, dict, "bos_token", options->bos, options->bos_bytes));
    if (options->eos) TRY(put_text(c, dict, "eos_token", options->eos, options->eos_bytes));
    if (options->variables_json) {
        TRY(read_json(c, options->variables_json, "variables_json", TEMPLATE_DICT, &more));
        TRY(join(c, dict, more.as.dict, fixed, "variables_json"));
    }
done:
    return status;
}

ondol_status text_chat_render(const ondol_allocator *allocator, const char *source, size_t n,
                              const text_chat_message *messages, size_t count,
                              const text_chat_options *options, base_buffer *out,
                              ondol_error *err) {
    template_heap heap;
    text_template *tmpl = NULL;
    const text_template_limits limits = {.unix_time = options->unix_time,
                                         .utc_offset_seconds = options->utc_offset_seconds};
    const chat c = {&heap, err};
    template_heap_init(&heap, allocator, TEXT_TEMPLATE_HEAP_BYTES);
    template_dict *variables = template_dict_create(&heap);
    ondol_status status = variables ? ONDOL_OK : no_room(&c);
    TRY(status);
    TRY(text_template_compile(allocator, source ? source : chatml, source ? n : sizeof chatml - 1,
                              &tmpl, err));
    TRY(make_variables(&c, messages, count, options, variables));
    TRY(text_template_render(tmpl, &heap, variables, &limits, out, err));
done:
    text_template_destroy(tmpl);
    template_heap_destroy(&heap);
    return status;
}
