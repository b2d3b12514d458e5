/* Conversations. In: messages. Out: the text of the model's chat template. */
#include <string.h>

#include "api/api_internal.h"
#include "base/os.h"
#include "text/chat_template.h"

static void special_text(const ondol_model *m, text_special role, const char **text,
                         size_t *bytes) {
    const int32_t id = m->tokenizer ? text_token_special(m->tokenizer, role) : -1;
    if (id < 0) return;
    const text_view v = text_token_text(m->tokenizer, id);
    *text = v.data;
    *bytes = v.size;
}

static ondol_status render(const ondol_model *m, const text_chat_message *messages, size_t n,
                           const ondol_chat_options *o, base_buffer *out, ondol_error *err) {
    const char *source = o->template_text ? o->template_text : m->chat_template;
    text_chat_options how = {.add_generation_prompt = !o->no_generation_prompt,
                             .tools_json = o->tools_json,
                             .variables_json = o->variables_json,
                             .unix_time = o->unix_time ? o->unix_time : base_unix_time()};
    special_text(m, TEXT_BOS, &how.bos, &how.bos_bytes);
    special_text(m, TEXT_EOS, &how.eos, &how.eos_bytes);
    return text_chat_render(&m->engine->allocator, source, source ? strlen(source) : 0, messages, n,
                            &how, out, err);
}

ondol_status ondol_chat_format(const ondol_model *model, const ondol_message *messages, size_t n,
                               const ondol_chat_options *options, char *text, size_t capacity,
                               size_t *count, ondol_error *err) {
    const ondol_allocator *a = &model->engine->allocator;
    ondol_chat_options o = ONDOL_CHAT_OPTIONS_INIT;
    ondol_status status = api_options_take(options, sizeof o, &o, "ondol_chat_options", err);
    if (status != ONDOL_OK) return status;
    base_buffer b;
    base_buffer_init(&b, a, API_TEXT_BYTES_MAX);
    text_chat_message *list = base_calloc(a, n ? n : 1, sizeof *list);
    if (!list) return base_no_memory(err, "messages", n * sizeof *list);
    for (size_t i = 0; i < n; i++) {
        const ondol_message *m = messages + i;
        list[i] = (text_chat_message){m->role, m->content, m->extra_json};
    }
    status = render(model, list, n, &o, &b, err);
    if (status == ONDOL_OK) api_text_give(&b, text, capacity, count);
    base_free(a, list);
    base_buffer_destroy(&b);
    return status;
}
