/* Renders conversations for template_compare.py. In: jobs on standard input, each a row of fields
 * (a length, -1 for NULL, and bytes). Out: for each a status, a length, and the text or the
 * error's. All numbers are 32 bits, little-endian. */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "text/chat_template.h"

#define MESSAGES_MAX 64

static bool read_number(int32_t *out) {
    unsigned char b[4];
    if (fread(b, 1, 4, stdin) != 4) return false;
    *out = (int32_t)((uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 |
                     (uint32_t)b[3] << 24);
    return true;
}

static void write_number(int32_t number) {
    for (unsigned shift = 0; shift < 32; shift += 8)
        putchar((int)((uint32_t)number >> shift & 255));
}

/* A field's bytes with a 0 behind them, or NULL. Freed by the caller. */
static char *read_field(size_t *size) {
    int32_t n = -1;
    *size = 0;
    if (!read_number(&n) || n < 0) return NULL;
    char *bytes = malloc((size_t)n + 1);
    if (!bytes || fread(bytes, 1, (size_t)n, stdin) != (size_t)n) exit(2);
    bytes[n] = 0;
    *size = (size_t)n;
    return bytes;
}

static void render(const char *source, size_t n, const text_chat_message *messages, size_t count,
                   const text_chat_options *options) {
    const ondol_allocator heap = base_default_allocator();
    ondol_error err = {0};
    base_buffer out;
    base_buffer_init(&out, &heap, (size_t)1 << 30);
    const ondol_status status =
        text_chat_render(&heap, source, n, messages, count, options, &out, &err);
    write_number((int32_t)status);
    const char *text = status == ONDOL_OK ? out.data : err.text;
    size_t size = status == ONDOL_OK ? out.size : 0;
    while (status != ONDOL_OK && err.text[size])
        size++;
    write_number((int32_t)size);
    if (size > 0) fwrite(text, 1, size, stdout);
    base_buffer_destroy(&out);
}

int main(void) {
    int32_t count = 0, prompt = 0, seconds = 0;
    while (read_number(&count)) {
        char *texts[MESSAGES_MAX * 3], *options_text[5];
        size_t sizes[5], ignored = 0;
        text_chat_message messages[MESSAGES_MAX];
        if (count < 0 || count > MESSAGES_MAX) return 2;
        for (int32_t i = 0; i < count * 3; i++)
            texts[i] = read_field(&ignored);
        for (int32_t i = 0; i < count; i++)
            messages[i] = (text_chat_message){texts[3 * i], texts[3 * i + 1], texts[3 * i + 2]};
        for (int i = 0; i < 5; i++)
            options_text[i] = read_field(&sizes[i]);
        if (!read_number(&prompt) || !read_number(&seconds)) return 2;
        const text_chat_options options = {
            .add_generation_prompt = prompt != 0,
            .tools_json = options_text[1],
            .variables_json = options_text[2],
            .unix_time = seconds,
            .bos = options_text[3],
            .bos_bytes = sizes[3],
            .eos = options_text[4],
            .eos_bytes = sizes[4],
        };
        render(options_text[0], sizes[0], messages, (size_t)count, &options);
        for (int32_t i = 0; i < count * 3; i++)
            free(texts[i]);
        for (int i = 0; i < 5; i++)
            free(options_text[i]);
    }
    return fflush(stdout) == 0 ? 0 : 2;
}
