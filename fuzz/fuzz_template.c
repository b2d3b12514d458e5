/* A template and the JSON of its variables: compiled and rendered, or refused with a sentence,
 * within bounds; what is rendered twice is the same. In: the template, a 0, JSON (an object).
 * fuzz/make_template_seeds.py writes such files. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "text/template/template_json.h"
#include "text/template/text_template.h"

#define HEAP_BYTES   ((size_t)8 << 20)
#define OUTPUT_BYTES ((size_t)1 << 20)

/* Counts all that is ever taken. */
typedef struct bounded_heap {
    ondol_allocator heap;
    size_t left_bytes;
} bounded_heap;

static void *bounded_alloc(void *user, size_t size, size_t align) {
    bounded_heap *b = user;
    if (size > b->left_bytes) abort(); /* more than the input and the limits justify */
    b->left_bytes -= size;
    return b->heap.alloc(b->heap.user, size, align);
}

static void bounded_release(void *user, void *p) {
    bounded_heap *b = user;
    b->heap.release(b->heap.user, p);
}

static void check_refusal(ondol_status status, const ondol_error *err) {
    if (err->status != status || err->text[0] == 0) abort();
    if (status == ONDOL_E_INTERNAL || status == ONDOL_E_MEMORY) abort();
}

/* Empty, with *status set, when the template or the JSON refuse. */
static void render(const ondol_allocator *a, const text_template *tmpl, const char *json,
                   base_buffer *out, ondol_status *status) {
    const text_template_limits limits = {.max_steps = 300000, .max_output_bytes = OUTPUT_BYTES};
    template_heap heap;
    template_value globals = template_none();
    ondol_error err = {0};
    template_heap_init(&heap, a, HEAP_BYTES);
    *status = template_json_read(&heap, json, "variables", &globals, &err);
    if (*status == ONDOL_OK && globals.kind != TEMPLATE_DICT) {
        template_dict *none = template_dict_create(&heap);
        if (!none) abort();
        globals = template_from_dict(none);
    }
    if (*status == ONDOL_OK)
        *status = text_template_render(tmpl, &heap, globals.as.dict, &limits, out, &err);
    if (*status != ONDOL_OK) {
        check_refusal(*status, &err);
        if (out->size != 0) abort();
    }
    template_heap_destroy(&heap);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    bounded_heap bounded = {base_default_allocator(), size * 8192 + ((size_t)64 << 20)};
    const ondol_allocator allocator = {bounded_alloc, bounded_release, &bounded};
    const uint8_t *end = size > 0 ? memchr(data, 0, size) : NULL;
    const size_t n = end ? (size_t)(end - data) : size;
    text_template *tmpl = NULL;
    ondol_error err = {0};
    const ondol_status status =
        text_template_compile(&allocator, n > 0 ? (const char *)data : "", n, &tmpl, &err);
    if ((status == ONDOL_OK) != (tmpl != NULL)) abort();
    if (!tmpl) {
        check_refusal(status, &err);
        return 0;
    }
    char *json = calloc(size - n + 3, 1);
    if (!json) abort();
    if (end) memcpy(json, end + 1, size - n - 1);
    if (json[0] == 0) memcpy(json, "{}", 2);
    base_buffer one, two;
    ondol_status first = ONDOL_OK, second = ONDOL_OK;
    base_buffer_init(&one, &allocator, 2 * OUTPUT_BYTES);
    base_buffer_init(&two, &allocator, 2 * OUTPUT_BYTES);
    render(&allocator, tmpl, json, &one, &first);
    render(&allocator, tmpl, json, &two, &second);
    if (first != second || one.size != two.size) abort();
    if (one.size > 0 && memcmp(one.data, two.data, one.size) != 0) abort();
    base_buffer_destroy(&one);
    base_buffer_destroy(&two);
    free(json);
    text_template_destroy(tmpl);
    return 0;
}
