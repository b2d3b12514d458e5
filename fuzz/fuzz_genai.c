/* genai_config.json: read, or refused with a sentence. What is read keeps its promises: names are
 * there, the file lies in the same folder, names of a layer's values have one %d and no other. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "models/genai_config.h"

static void expect(bool holds) {
    if (!holds) abort();
}

/* "%%" is no directive. */
static unsigned directives(const char *text) {
    unsigned count = 0;
    for (; *text; text++) {
        if (*text != '%') continue;
        if (text[1] == '%') {
            text++;
            continue;
        }
        expect(text[1] == 'd');
        count++;
    }
    return count;
}

static void check_file(const char *name) {
    expect(name && *name && !strchr(name, '/') && !strchr(name, '\\') && strcmp(name, "..") != 0);
}

static void check(const models_genai_config *c) {
    const char *const names[] = {c->type, c->input_ids, c->attention_mask, c->position_ids,
                                 c->logits};
    const char *const layered[] = {c->past_key, c->past_value, c->present_key, c->present_value};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        expect(names[i] != NULL);
    for (size_t i = 0; i < sizeof layered / sizeof *layered; i++)
        expect(layered[i] && directives(layered[i]) == 1);
    check_file(c->filename);
    if (c->encoder) check_file(c->encoder);
    expect(c->end_count <= MODELS_GENAI_ENDS_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    models_genai_config config = {0};
    ondol_error err = {0};
    const ondol_status status = models_genai_config_read((const char *)data, size, &config, &err);
    if (status == ONDOL_OK)
        check(&config);
    else
        expect(err.status == status && err.text[0] != 0);
    models_genai_config_free(&config);
    return 0;
}
