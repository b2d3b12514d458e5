/* Writing protobuf by the table of fields. In: a message. Out: its bytes, in a buffer or a file. */
#include "formats/onnx/onnx_writing.h"

#include <inttypes.h>
#include <string.h>

enum { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

#define STAGE_BYTES ((size_t)1 << 16) /* gathered before they go to the file */

void onnx_writing_init(onnx_writing *w, const ondol_allocator *a, base_buffer *out,
                       ondol_error *err) {
    *w = (onnx_writing){.allocator = a, .out = out, .err = err};
    base_buffer_init(&w->sizes, a, SIZE_MAX / 2);
    base_buffer_init(&w->moved, a, SIZE_MAX / 2);
    base_arena_init(&w->arena, a, 0);
}

void onnx_writing_destroy(onnx_writing *w) {
    base_buffer_destroy(&w->sizes);
    base_buffer_destroy(&w->moved);
    base_arena_destroy(&w->arena);
}

static void keep(onnx_writing *w, ondol_status status) {
    if (w->status == ONDOL_OK) w->status = status;
}

/* ---- bytes ---- */

static void flush(onnx_writing *w) {
    if (w->status != ONDOL_OK || !w->file || w->out->size == 0) return;
    keep(w, base_file_writer_append(w->file, w->out->data, w->out->size, w->err));
    w->out->size = 0;
}

static void put(onnx_writing *w, const void *bytes, size_t n) {
    if (w->counting) w->count += n;
    if (w->counting || w->status != ONDOL_OK || n == 0) return;
    if (w->file && n >= STAGE_BYTES) {
        flush(w);
        if (w->status == ONDOL_OK) keep(w, base_file_writer_append(w->file, bytes, n, w->err));
        return;
    }
    if (!base_buffer_append(w->out, bytes, n)) {
        keep(w, base_buffer_status(w->out, "ONNX file", w->err));
    }
    if (w->out->size >= STAGE_BYTES) flush(w);
}

static void put_varint(onnx_writing *w, uint64_t value) {
    unsigned char bytes[10];
    size_t n = 0;
    while (value >= 0x80) {
        bytes[n++] = (unsigned char)(value | 0x80);
        value >>= 7;
    }
    bytes[n++] = (unsigned char)value;
    put(w, bytes, n);
}

static void put_fixed(onnx_writing *w, uint64_t value, unsigned n_bytes) {
    unsigned char bytes[8];
    for (unsigned i = 0; i < n_bytes; i++)
        bytes[i] = (unsigned char)(value >> 8 * i);
    put(w, bytes, n_bytes);
}

static void put_tag(onnx_writing *w, uint32_t number, unsigned wire) {
    put_varint(w, (uint64_t)number << 3 | wire);
}

static void put_string(onnx_writing *w, uint32_t number, const onnx_string *s) {
    put_tag(w, number, WIRE_BYTES);
    put_varint(w, s->size_bytes);
    put(w, s->text, s->size_bytes);
}

/* ---- lengths of what lies within: counted first, then taken in the same order ---- */

/* A place in w->sizes; a failure is kept. */
static size_t open_size(onnx_writing *w) {
    const uint64_t none = 0;
    const size_t slot = w->sizes.size;
    if (!base_buffer_append(&w->sizes, &none, sizeof none)) {
        keep(w, base_buffer_status(&w->sizes, "ONNX file", w->err));
    }
    return slot;
}

static void close_size(onnx_writing *w, size_t slot, uint64_t size) {
    if (w->status == ONDOL_OK) memcpy(w->sizes.data + slot, &size, sizeof size);
    put_varint(w, size);
}

static uint64_t take_size(onnx_writing *w) {
    uint64_t size = 0;
    memcpy(&size, w->sizes.data + w->next_size, sizeof size);
    w->next_size += sizeof size;
    return size;
}

/* ---- fields ---- */

static uint64_t number_at(const onnx_field *f, const onnx_any_list *list, size_t i) {
    uint64_t wide = 0;
    int32_t narrow = 0;
    if (f->kind == ONNX_KIND_INT32S) {
        memcpy(&narrow, (const char *)list->items + i * sizeof narrow, sizeof narrow);
        return (uint64_t)(int64_t)narrow;
    }
    memcpy(&wide, (const char *)list->items + i * sizeof wide, sizeof wide);
    return wide;
}

static unsigned wire_of_list(onnx_kind kind) {
    if (kind == ONNX_KIND_FLOATS) return WIRE_32;
    return kind == ONNX_KIND_DOUBLES ? WIRE_64 : WIRE_VARINT;
}

/* Floats and doubles lie in memory as in the file. */
static void put_number(onnx_writing *w, const onnx_field *f, const onnx_any_list *list, size_t i) {
    const size_t size = f->kind == ONNX_KIND_FLOATS ? 4 : 8;
    if (wire_of_list(f->kind) == WIRE_VARINT) {
        put_varint(w, number_at(f, list, i));
    } else {
        put(w, (const char *)list->items + i * size, size);
    }
}

static void put_numbers(onnx_writing *w, const onnx_field *f, const onnx_any_list *list) {
    const unsigned wire = wire_of_list(f->kind);
    if (f->packed) put_tag(w, f->number, WIRE_BYTES);
    if (f->packed && wire != WIRE_VARINT) {
        const size_t size = list->count * (wire == WIRE_32 ? 4 : 8);
        put_varint(w, size);
        put(w, list->items, size);
        return;
    }
    const size_t slot = f->packed && w->counting ? open_size(w) : 0;
    const uint64_t before = w->count;
    if (f->packed && !w->counting) put_varint(w, take_size(w));
    for (size_t i = 0; i < list->count && w->status == ONDOL_OK; i++) {
        if (!f->packed) put_tag(w, f->number, wire);
        put_number(w, f, list, i);
    }
    if (f->packed && w->counting) close_size(w, slot, w->count - before);
}

static void walk(onnx_writing *w, onnx_message kind, const void *message, unsigned depth);

/* The tensor that is written for t. */
static const onnx_tensor *placed(onnx_writing *w, const onnx_tensor *t, bool initializer) {
    if (w->options.placement == ONNX_DATA_AS_IS) return t;
    if (w->counting) {
        t = onnx_writing_place(w, t, initializer);
        if (!base_buffer_append(&w->moved, &t, sizeof t)) {
            keep(w, base_buffer_status(&w->moved, "ONNX file", w->err));
        }
        return t;
    }
    memcpy(&t, w->moved.data + w->next_moved, sizeof t);
    w->next_moved += sizeof t;
    return t;
}

static void put_message(onnx_writing *w, onnx_message kind, const onnx_field *f,
                        const void *message, unsigned depth) {
    if (w->status != ONDOL_OK) return;
    if (f->of == ONNX_MESSAGE_tensor) message = placed(w, message, kind == ONNX_MESSAGE_graph);
    if (w->status != ONDOL_OK) return;
    put_tag(w, f->number, WIRE_BYTES);
    if (w->counting) {
        const size_t slot = open_size(w);
        const uint64_t before = w->count;
        walk(w, f->of, message, depth + 1);
        close_size(w, slot, w->count - before);
    } else {
        put_varint(w, take_size(w));
        walk(w, f->of, message, depth + 1);
    }
}

static void put_scalar(onnx_writing *w, const onnx_field *f, const unsigned char *member) {
    int32_t narrow = 0;
    int64_t wide = 0;
    uint32_t bits = 0;
    onnx_string text;
    switch (f->kind) {
    case ONNX_KIND_INT32:
        memcpy(&narrow, member, sizeof narrow);
        put_tag(w, f->number, WIRE_VARINT);
        put_varint(w, (uint64_t)(int64_t)narrow);
        break;
    case ONNX_KIND_INT64:
        memcpy(&wide, member, sizeof wide);
        put_tag(w, f->number, WIRE_VARINT);
        put_varint(w, (uint64_t)wide);
        break;
    case ONNX_KIND_FLOAT:
        memcpy(&bits, member, sizeof bits);
        put_tag(w, f->number, WIRE_32);
        put_fixed(w, bits, 4);
        break;
    default: memcpy(&text, member, sizeof text); put_string(w, f->number, &text);
    }
}

static void put_list(onnx_writing *w, onnx_message kind, const onnx_field *f,
                     const onnx_any_list *list, unsigned depth) {
    if (list->count == 0) return;
    if (f->kind == ONNX_KIND_STRINGS) {
        const onnx_string *s = list->items;
        for (size_t i = 0; i < list->count; i++)
            put_string(w, f->number, s + i);
    } else if (f->kind == ONNX_KIND_MESSAGES) {
        const size_t size = onnx_messages[f->of].size;
        for (size_t i = 0; i < list->count; i++)
            put_message(w, kind, f, (const char *)list->items + i * size, depth);
    } else {
        put_numbers(w, f, list);
    }
}

/* The place of the field with the least number above `after`; field_count when there is none. */
static uint32_t next_place(const onnx_message_info *m, uint32_t after) {
    uint32_t best = m->field_count;
    for (uint32_t i = 0; i < m->field_count; i++) {
        if (m->fields[i].number <= after) continue;
        if (best == m->field_count || m->fields[i].number < m->fields[best].number) best = i;
    }
    return best;
}

/* As deep as ONNX_MAX_DEPTH. */
static void walk(onnx_writing *w, onnx_message kind, const void *message, unsigned depth) {
    const onnx_message_info *m = onnx_messages + kind;
    onnx_head head;
    memcpy(&head, message, sizeof head);
    if (w->status == ONDOL_OK && depth > ONNX_MAX_DEPTH) {
        keep(w, base_fail(w->err, ONDOL_E_LIMIT, "ONNX: messages nest deeper than %d",
                          ONNX_MAX_DEPTH));
    }
    if (w->status != ONDOL_OK) return;
    for (uint32_t i = next_place(m, 0); i < m->field_count;
         i = next_place(m, m->fields[i].number)) {
        const onnx_field *f = m->fields + i;
        const unsigned char *member = (const unsigned char *)message + f->offset;
        if (f->kind == ONNX_KIND_MESSAGE) {
            const void *child = NULL;
            memcpy(&child, member, sizeof child);
            if (child) put_message(w, kind, f, child, depth);
        } else if (f->kind >= ONNX_KIND_INT32S) {
            onnx_any_list list;
            memcpy(&list, member, sizeof list);
            put_list(w, kind, f, &list, depth);
        } else if (onnx_has(&head, i)) {
            put_scalar(w, f, member);
        }
    }
    for (size_t i = 0; i < head.unknown.count; i++)
        put(w, head.unknown.items[i].text, head.unknown.items[i].size_bytes);
}

/* ---- both walks ---- */

ondol_status onnx_writing_count(onnx_writing *w, onnx_message kind, const void *message) {
    w->counting = true;
    walk(w, kind, message, 1);
    w->counting = false;
    if (w->status == ONDOL_OK && w->count > INT32_MAX) {
        keep(w, base_fail(w->err, ONDOL_E_LIMIT,
                          "ONNX: %s of %" PRIu64 " bytes, expected at most %d, which is where "
                          "protobuf ends: external data is for what is larger",
                          onnx_messages[kind].name, w->count, INT32_MAX));
    }
    return w->status;
}

ondol_status onnx_writing_write(onnx_writing *w, onnx_message kind, const void *message) {
    walk(w, kind, message, 1);
    flush(w);
    return w->status;
}

ondol_status onnx_write(const ondol_allocator *a, onnx_message kind, const void *message,
                        base_buffer *out, ondol_error *err) {
    onnx_writing w;
    onnx_writing_init(&w, a, out, err);
    ondol_status status = onnx_writing_count(&w, kind, message);
    if (status == ONDOL_OK && !base_buffer_reserve(out, (size_t)w.count)) {
        status = base_buffer_status(out, "ONNX file", err);
    }
    if (status == ONDOL_OK) status = onnx_writing_write(&w, kind, message);
    onnx_writing_destroy(&w);
    return status;
}
