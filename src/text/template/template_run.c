/* Budgets, faults and output of a render. */
#include "text/template/template_run.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

ondol_status template_fail(template_run *run, ondol_status status, const char *format, ...) {
    char text[ONDOL_ERROR_TEXT_BYTES];
    va_list args;
    va_start(args, format);
    if (vsnprintf(text, sizeof text, format, args) < 0) text[0] = 0;
    va_end(args);
    return base_fail(run->err, status, "template line %" PRIu32 ": %s", run->line, text);
}

ondol_status template_no_memory(template_run *run) {
    if (run->heap->over_maximum) {
        return template_fail(run, ONDOL_E_LIMIT, "its values need more than the %zu bytes allowed",
                             run->heap->arena.max_bytes);
    }
    return template_fail(run, ONDOL_E_MEMORY, "out of memory beside %zu bytes of values",
                         run->heap->arena.total_bytes);
}

static int shown(const template_string *name) {
    return name->size < 100 ? (int)name->size : 100;
}

ondol_status template_fail_undefined(template_run *run, template_value value) {
    const template_string unnamed = {.bytes = "value", .size = 5, .length = 5};
    const template_string *name = value.as.string ? value.as.string : &unnamed;
    int n = shown(name);
    switch ((template_missing)value.flag) {
    case TEMPLATE_MISSING_NAME:
        return template_fail(run, ONDOL_E_FORMAT, "'%.*s' is undefined", n, name->bytes);
    case TEMPLATE_MISSING_ATTRIBUTE:
        return template_fail(run, ONDOL_E_FORMAT, "'%s' object has no attribute '%.*s'",
                             value.owner == TEMPLATE_DICT     ? "dict"
                             : value.owner == TEMPLATE_STRING ? "str"
                             : value.owner == TEMPLATE_LIST   ? "list"
                             : value.owner == TEMPLATE_NONE   ? "None"
                                                              : "this",
                             n, name->bytes);
    case TEMPLATE_MISSING_PARAMETER:
        return template_fail(run, ONDOL_E_FORMAT, "parameter '%.*s' was not provided", n,
                             name->bytes);
    case TEMPLATE_MISSING_ELSE:
        return template_fail(run, ONDOL_E_FORMAT,
                             "an `if` expression was false, has no else, and its value is used");
    case TEMPLATE_MISSING_ITEM:
        return template_fail(run, ONDOL_E_FORMAT, "'%.*s' of nothing is undefined", n, name->bytes);
    }
    return template_fail(run, ONDOL_E_FORMAT, "an undefined value is used");
}

ondol_status template_spend(template_run *run, uint64_t n) {
    if (n <= run->steps_left) {
        run->steps_left -= n;
        return ONDOL_OK;
    }
    return template_fail(run, ONDOL_E_LIMIT, "more than the %" PRIu64 " steps allowed",
                         run->limits.max_steps);
}

ondol_status template_enter(template_run *run) {
    if (run->depth >= run->limits.max_depth) {
        return template_fail(run, ONDOL_E_LIMIT,
                             "nested deeper than the %" PRIu32 " levels allowed",
                             run->limits.max_depth);
    }
    run->depth++;
    return template_spend(run, 1);
}

ondol_status template_emit(template_run *run, const char *bytes, size_t size) {
    size_t used = run->out->size - run->out_start;
    if (size > run->limits.max_output_bytes || used > run->limits.max_output_bytes - size) {
        return template_fail(run, ONDOL_E_LIMIT, "output is longer than the %zu bytes allowed",
                             run->limits.max_output_bytes);
    }
    if (base_buffer_append(run->out, bytes, size)) return template_spend(run, size / 64);
    ondol_status status = base_buffer_status(run->out, "the rendered text", run->err);
    return base_prefix(run->err, status, "template line %" PRIu32, run->line);
}

ondol_status template_take_output(template_run *run, size_t mark, template_value *out) {
    ondol_status status = template_make_string(run, run->out->data ? run->out->data + mark : "",
                                               run->out->size - mark, out);
    run->out->size = mark;
    if (run->out->data) run->out->data[mark] = 0;
    return status;
}

ondol_status template_make_string(template_run *run, const char *bytes, size_t size,
                                  template_value *out) {
    const template_string *string = template_string_copy(run->heap, bytes, size);
    if (!string) return template_no_memory(run);
    *out = template_from_string(string);
    return template_spend(run, size / 16);
}

ondol_status template_make_text(template_run *run, const char *text, template_value *out) {
    return template_make_string(run, text, strlen(text), out);
}

ondol_status template_make_view(template_run *run, const template_string *whole, size_t begin,
                                size_t end, template_value *out) {
    const template_string *string =
        template_string_view(run->heap, whole->bytes + begin, end - begin);
    if (!string) return template_no_memory(run);
    *out = template_from_string(string);
    return template_spend(run, (end - begin) / 16);
}

ondol_status template_make_list(template_run *run, template_list_form form, size_t capacity,
                                template_list **out) {
    *out = template_list_create(run->heap, form, capacity);
    return *out ? template_spend(run, capacity / 4) : template_no_memory(run);
}

ondol_status template_append(template_run *run, template_list *list, template_value value) {
    if (!template_list_append(run->heap, list, value)) return template_no_memory(run);
    return template_spend(run, 1);
}

static ondol_status make_room(template_run *run, template_builder *builder, uint64_t size) {
    if (size <= builder->capacity - builder->size) return ONDOL_OK;
    uint64_t need = builder->size + size, capacity = builder->capacity * 2;
    if (capacity < 64) capacity = 64;
    if (capacity < need) capacity = need;
    if (size > SIZE_MAX / 8 || capacity > SIZE_MAX / 4) {
        run->heap->over_maximum = true;
        return template_no_memory(run);
    }
    char *data = template_heap_alloc(run->heap, (size_t)capacity, 1);
    if (!data) return template_no_memory(run);
    if (builder->size) memcpy(data, builder->data, builder->size);
    builder->data = data;
    builder->capacity = (size_t)capacity;
    return ONDOL_OK;
}

ondol_status template_build(template_run *run, template_builder *builder, const char *bytes,
                            size_t size) {
    ondol_status status = make_room(run, builder, size);
    if (status != ONDOL_OK) return status;
    if (size) memcpy(builder->data + builder->size, bytes, size);
    builder->size += size;
    return template_spend(run, size / 16);
}

ondol_status template_build_text(template_run *run, template_builder *builder, const char *text) {
    return template_build(run, builder, text, strlen(text));
}

ondol_status template_build_code(template_run *run, template_builder *builder, uint32_t code) {
    unsigned char bytes[4];
    return template_build(run, builder, (const char *)bytes, base_utf8_encode(code, bytes));
}

ondol_status template_build_repeat(template_run *run, template_builder *builder, const char *bytes,
                                   size_t size, uint64_t times) {
    if (size == 0 || times == 0) return ONDOL_OK;
    if (times > SIZE_MAX / 8 / size) {
        run->heap->over_maximum = true;
        return template_no_memory(run);
    }
    ondol_status status = make_room(run, builder, times * size);
    for (uint64_t i = 0; i < times && status == ONDOL_OK; i++)
        status = template_build(run, builder, bytes, size);
    return status == ONDOL_OK ? template_spend(run, times / 16) : status;
}

ondol_status template_build_finish(template_run *run, template_builder *builder,
                                   template_value *out) {
    const template_string *string =
        template_string_view(run->heap, builder->data ? builder->data : "", builder->size);
    if (!string) return template_no_memory(run);
    *out = template_from_string(string);
    return template_spend(run, builder->size / 64);
}
