/* The turns of a chat: messages in memory <-> a JSON file. */
#include "ondol/conversation.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "common/report.h"
#include "common/whole_file.h"

#define CONVERSATION_BYTES_MAX (64u << 20)

static ondol_message make_message(const char *role, const char *content) {
    return (ondol_message){memory_text(role), memory_text(content), NULL};
}

static void free_message(ondol_message *m) {
    free((void *)m->role);
    free((void *)m->content);
}

void conversation_add(conversation *c, const char *role, const char *content) {
    c->messages = memory_resize(c->messages, (c->count + 1) * sizeof *c->messages);
    c->messages[c->count++] = make_message(role, content);
}

size_t conversation_first_turn(const conversation *c) {
    return c->count && strcmp(c->messages[0].role, "system") == 0;
}

void conversation_remove(conversation *c, size_t first, size_t n) {
    for (size_t i = first; i < first + n; i++)
        free_message(&c->messages[i]);
    memmove(c->messages + first, c->messages + first + n,
            (c->count - first - n) * sizeof *c->messages);
    c->count -= n;
}

void conversation_set_system(conversation *c, const char *content) {
    if (conversation_first_turn(c)) conversation_remove(c, 0, 1);
    if (!*content) return;
    conversation_add(c, "system", content);
    ondol_message system = c->messages[c->count - 1];
    memmove(c->messages + 1, c->messages, (c->count - 1) * sizeof *c->messages);
    c->messages[0] = system;
}

void conversation_free(conversation *c) {
    if (c->count) conversation_remove(c, 0, c->count);
    free(c->messages);
    *c = (conversation){0};
}

int conversation_save(const conversation *c, const char *path) {
    json_t *list = json_array();
    for (size_t i = 0; i < c->count; i++) {
        json_array_append_new(list, json_pack("{s:s, s:s}", "role", c->messages[i].role, "content",
                                              c->messages[i].content));
    }
    char *text = json_dumps(list, JSON_INDENT(2));
    json_decref(list);
    if (!text) return report_failure("the conversation holds text that is no UTF-8");
    output_file file;
    int status = output_open(&file, path);
    if (!status) {
        output_write(&file, text, strlen(text));
        output_write(&file, "\n", 1);
        status = output_commit(&file);
    }
    free(text);
    return status;
}

/* 0 where the value is no list of {role, content}. */
static int read_messages(json_t *list, conversation *out) {
    size_t i = 0;
    json_t *entry = NULL;
    if (!json_is_array(list)) return 0;
    json_array_foreach(list, i, entry) {
        const char *role = json_string_value(json_object_get(entry, "role"));
        const char *content = json_string_value(json_object_get(entry, "content"));
        if (!role || !content) return 0;
        conversation_add(out, role, content);
    }
    return 1;
}

int conversation_load(conversation *c, const char *path) {
    text_buffer text = {0};
    json_error_t fault = {0};
    conversation loaded = {0};
    int status = whole_file_read(path, CONVERSATION_BYTES_MAX, &text);
    json_t *list = status ? NULL : json_loadb(text.bytes, text.size, 0, &fault);
    if (!status && !list) {
        status = report_failure("'%s', line %d: %s", path, fault.line, fault.text);
    } else if (!status && !read_messages(list, &loaded)) {
        status = report_failure("'%s' is no list of {\"role\": ..., \"content\": ...}", path);
    }
    if (!status) {
        conversation_free(c);
        *c = loaded;
        loaded = (conversation){0};
    }
    conversation_free(&loaded);
    json_decref(list);
    text_free(&text);
    return status;
}
