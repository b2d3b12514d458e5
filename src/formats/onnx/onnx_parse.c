/* Reading protobuf. In: bytes that nobody vouches for. Out: messages in an arena, with views of the
 * bytes. Each message is walked twice: to count its lists, then to fill them. */
#include <inttypes.h>
#include <string.h>

#include "formats/onnx/onnx_table.h"

/* Wire types. */
enum { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

typedef struct parser {
    base_arena *arena;
    const unsigned char *start; /* of the whole */
    ondol_error *err;
} parser;

/* Bytes of a message that are still to be read. */
typedef struct span {
    const unsigned char *at, *end;
} span;

/* One field as it lies. */
typedef struct wire_field {
    uint32_t number;
    unsigned wire;
    uint64_t value; /* VARINT, 32, 64 */
    span bytes;     /* BYTES */
    span whole;     /* with its tag */
} wire_field;

static ondol_status fault(const parser *p, const unsigned char *at, const char *message,
                          const char *what) {
    return base_fail(p->err, ONDOL_E_FORMAT, "ONNX: %s at offset %" PRIu64 ": %s", message,
                     (uint64_t)(at - p->start), what);
}

static ondol_status short_fault(const parser *p, const unsigned char *at, const char *message,
                                uint64_t wanted, const span *left) {
    const uint64_t have = (uint64_t)(left->end - left->at);
    return base_fail(p->err, ONDOL_E_FORMAT,
                     "ONNX: %s at offset %" PRIu64 ": a field of %" PRIu64 " bytes, but %" PRIu64
                     " are left: the file is damaged or cut short",
                     message, (uint64_t)(at - p->start), wanted, have);
}

static bool read_varint(span *s, uint64_t *out) {
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
        if (s->at == s->end) return false;
        const unsigned char byte = *s->at++;
        if (shift == 63 && byte > 1) return false;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *out = value;
            return true;
        }
    }
    return false;
}

static bool read_fixed(span *s, unsigned bytes, uint64_t *out) {
    if ((size_t)(s->end - s->at) < bytes) return false;
    *out = 0;
    for (unsigned i = 0; i < bytes; i++)
        *out |= (uint64_t)s->at[i] << 8 * i;
    s->at += bytes;
    return true;
}

/* The next field of s, which has one. */
static ondol_status next_field(const parser *p, const char *message, span *s, wire_field *out) {
    const unsigned char *start = s->at;
    uint64_t tag = 0, length = 0;
    bool fine = true;
    if (!read_varint(s, &tag) || tag >> 3 == 0 || tag >> 3 > 0x1fffffff) {
        return fault(p, start, message, "no field's tag");
    }
    *out = (wire_field){.number = (uint32_t)(tag >> 3), .wire = (unsigned)(tag & 7)};
    switch (out->wire) {
    case WIRE_VARINT: fine = read_varint(s, &out->value); break;
    case WIRE_64: fine = read_fixed(s, 8, &out->value); break;
    case WIRE_32: fine = read_fixed(s, 4, &out->value); break;
    case WIRE_BYTES:
        fine = read_varint(s, &length);
        if (!fine) break;
        if (length > (uint64_t)(s->end - s->at)) return short_fault(p, start, message, length, s);
        out->bytes = (span){s->at, s->at + length};
        s->at += length;
        break;
    default: return fault(p, start, message, "a wire type that is none of 0, 1, 2, 5");
    }
    if (!fine)
        return fault(p, start, message, "a field that passes its end, or a varint over 10 bytes");
    out->whole = (span){start, s->at};
    return ONDOL_OK;
}

/* Files write fields mostly in the order of the table's rows or one of them many times. */
static const onnx_field *find_field(const onnx_message_info *m, uint32_t number, uint32_t *index) {
    for (uint32_t i = 0; i < m->field_count; i++) {
        if (m->fields[i].number != number) continue;
        *index = i;
        return m->fields + i;
    }
    return NULL;
}

static unsigned wire_of(onnx_kind kind) {
    switch (kind) {
    case ONNX_KIND_INT32:
    case ONNX_KIND_INT64:
    case ONNX_KIND_INT32S:
    case ONNX_KIND_INT64S:
    case ONNX_KIND_UINT64S: return WIRE_VARINT;
    case ONNX_KIND_FLOAT:
    case ONNX_KIND_FLOATS: return WIRE_32;
    case ONNX_KIND_DOUBLES: return WIRE_64;
    default: return WIRE_BYTES;
    }
}

static bool is_number_list(onnx_kind kind) {
    return kind >= ONNX_KIND_INT32S && kind <= ONNX_KIND_DOUBLES;
}

static size_t item_size(const onnx_field *f) {
    switch (f->kind) {
    case ONNX_KIND_INT32S: return sizeof(int32_t);
    case ONNX_KIND_FLOATS: return 4;
    case ONNX_KIND_INT64S:
    case ONNX_KIND_UINT64S:
    case ONNX_KIND_DOUBLES: return 8;
    case ONNX_KIND_STRINGS: return sizeof(onnx_string);
    default: return onnx_messages[f->of].size;
    }
}

/* Items that one wire field adds to a list. Each takes a byte of the file at least. */
static ondol_status count_items(const parser *p, const onnx_message_info *m, const onnx_field *f,
                                const wire_field *w, size_t *count) {
    const unsigned wire = wire_of(f->kind);
    if (w->wire == wire) {
        *count += 1;
        return ONDOL_OK;
    }
    if (w->wire != WIRE_BYTES || !is_number_list(f->kind)) {
        return base_fail(p->err, ONDOL_E_FORMAT,
                         "ONNX: %s.%s at offset %" PRIu64 ": wire type %u, expected %u", m->name,
                         f->name, (uint64_t)(w->whole.at - p->start), w->wire, wire);
    }
    const size_t size = (size_t)(w->bytes.end - w->bytes.at);
    if (wire != WIRE_VARINT) {
        if (size % item_size(f))
            return fault(p, w->whole.at, m->name, "packed numbers that end in the midst of one");
        *count += size / item_size(f);
        return ONDOL_OK;
    }
    for (const unsigned char *at = w->bytes.at; at < w->bytes.end; at++)
        *count += *at < 0x80;
    return ONDOL_OK;
}

/* The lists of a message while they are filled. */
typedef struct filling {
    unsigned char *items[32];
    const unsigned char *view[32]; /* floats of one packed field: they stay where they are */
    size_t count[32], filled[32];
    onnx_string *unknown;
    size_t unknown_count, unknown_filled;
} filling;

static ondol_status take_lists(const parser *p, const onnx_message_info *m, span s, filling *out) {
    ondol_status status = ONDOL_OK;
    while (s.at < s.end) {
        wire_field w;
        uint32_t i = 0;
        status = next_field(p, m->name, &s, &w);
        if (status != ONDOL_OK) return status;
        const onnx_field *f = find_field(m, w.number, &i);
        if (!f) {
            out->unknown_count++;
        } else if (f->kind >= ONNX_KIND_INT32S) {
            const bool floats = f->kind == ONNX_KIND_FLOATS || f->kind == ONNX_KIND_DOUBLES;
            const bool only = floats && w.wire == WIRE_BYTES && out->count[i] == 0;
            out->view[i] = only ? w.bytes.at : NULL;
            status = count_items(p, m, f, &w, out->count + i);
            if (status != ONDOL_OK) return status;
        } else if (w.wire != wire_of(f->kind)) {
            return base_fail(p->err, ONDOL_E_FORMAT,
                             "ONNX: %s.%s at offset %" PRIu64 ": wire type %u, expected %u",
                             m->name, f->name, (uint64_t)(w.whole.at - p->start), w.wire,
                             wire_of(f->kind));
        }
    }
    return ONDOL_OK;
}

static ondol_status alloc_lists(const parser *p, const onnx_message_info *m, filling *l) {
    for (uint32_t i = 0; i < m->field_count; i++) {
        if (!l->count[i] || l->view[i]) continue;
        l->items[i] = base_arena_alloc(p->arena, l->count[i], item_size(m->fields + i));
        if (!l->items[i]) {
            return base_no_memory(p->err, "ONNX file", l->count[i] * item_size(m->fields + i));
        }
    }
    if (!l->unknown_count) return ONDOL_OK;
    l->unknown = base_arena_alloc(p->arena, l->unknown_count, sizeof *l->unknown);
    return l->unknown ? ONDOL_OK
                      : base_no_memory(p->err, "ONNX file", l->unknown_count * sizeof *l->unknown);
}

static void put_number(unsigned char *to, onnx_kind kind, uint64_t value) {
    if (kind == ONNX_KIND_FLOATS || kind == ONNX_KIND_DOUBLES) { /* onnx_packed */
        for (unsigned i = 0; i < (kind == ONNX_KIND_FLOATS ? 4 : 8); i++)
            to[i] = (unsigned char)(value >> 8 * i);
    } else if (kind == ONNX_KIND_INT32S) {
        const uint32_t narrow = (uint32_t)value;
        memcpy(to, &narrow, sizeof narrow);
    } else {
        memcpy(to, &value, sizeof value);
    }
}

/* Adds the numbers of one wire field to a list. Floats that came in one packed field stay there. */
static ondol_status fill_numbers(const parser *p, const onnx_message_info *m, const onnx_field *f,
                                 uint32_t i, const wire_field *w, filling *l) {
    const size_t size = item_size(f);
    if (l->view[i]) {
        l->filled[i] = l->count[i];
        return ONDOL_OK;
    }
    if (w->wire != WIRE_BYTES) {
        put_number(l->items[i] + size * l->filled[i]++, f->kind, w->value);
        return ONDOL_OK;
    }
    span s = w->bytes;
    while (s.at < s.end) {
        uint64_t value = 0;
        const unsigned char *at = s.at;
        const bool fine = wire_of(f->kind) == WIRE_VARINT ? read_varint(&s, &value)
                                                          : read_fixed(&s, (unsigned)size, &value);
        if (!fine) return fault(p, at, m->name, "a varint over 10 bytes");
        put_number(l->items[i] + size * l->filled[i]++, f->kind, value);
    }
    return ONDOL_OK;
}

static ondol_status parse_message(parser *p, onnx_message kind, span s, unsigned depth, void *out);

static ondol_status parse_child(parser *p, const onnx_field *f, const wire_field *w, unsigned depth,
                                void **out) {
    *out = base_arena_alloc(p->arena, 1, onnx_messages[f->of].size);
    if (!*out) return base_no_memory(p->err, "ONNX file", onnx_messages[f->of].size);
    return parse_message(p, f->of, w->bytes, depth, *out);
}

static ondol_status fill_field(parser *p, const onnx_message_info *m, const onnx_field *f,
                               uint32_t i, const wire_field *w, unsigned depth, filling *l,
                               unsigned char *out) {
    const onnx_string text = {(const char *)w->bytes.at, (size_t)(w->bytes.end - w->bytes.at)};
    const int64_t whole = (int64_t)w->value;
    const int32_t narrow = (int32_t)(uint32_t)w->value;
    const uint32_t bits = (uint32_t)w->value;
    void *child = NULL;
    ondol_status status = ONDOL_OK;
    switch (f->kind) {
    case ONNX_KIND_INT32: memcpy(out + f->offset, &narrow, sizeof narrow); break;
    case ONNX_KIND_INT64: memcpy(out + f->offset, &whole, sizeof whole); break;
    case ONNX_KIND_FLOAT: memcpy(out + f->offset, &bits, sizeof bits); break;
    case ONNX_KIND_STRING: memcpy(out + f->offset, &text, sizeof text); break;
    case ONNX_KIND_STRINGS:
        memcpy(l->items[i] + sizeof text * l->filled[i]++, &text, sizeof text);
        break;
    case ONNX_KIND_MESSAGE:
        memcpy(&child, out + f->offset, sizeof child);
        if (child) return fault(p, w->whole.at, m->name, "a message that is given twice");
        status = parse_child(p, f, w, depth, &child);
        memcpy(out + f->offset, &child, sizeof child);
        break;
    case ONNX_KIND_MESSAGES:
        status =
            parse_message(p, f->of, w->bytes, depth, l->items[i] + item_size(f) * l->filled[i]++);
        break;
    default: status = fill_numbers(p, m, f, i, w, l); break;
    }
    return status;
}

/* As deep as ONNX_MAX_DEPTH. */
static ondol_status parse_message(parser *p, onnx_message kind, span s, unsigned depth, void *out) {
    const onnx_message_info *m = onnx_messages + kind;
    onnx_head head = {0};
    filling l = {0};
    ondol_status status = ONDOL_OK;
    if (depth > ONNX_MAX_DEPTH) {
        return base_fail(p->err, ONDOL_E_LIMIT,
                         "ONNX: %s at offset %" PRIu64 ": messages nest deeper than %d", m->name,
                         (uint64_t)(s.at - p->start), ONNX_MAX_DEPTH);
    }
    TRY(take_lists(p, m, s, &l));
    TRY(alloc_lists(p, m, &l));
    while (s.at < s.end) {
        wire_field w;
        uint32_t i = 0;
        TRY(next_field(p, m->name, &s, &w));
        const onnx_field *f = find_field(m, w.number, &i);
        if (!f) {
            l.unknown[l.unknown_filled++] =
                (onnx_string){(const char *)w.whole.at, (size_t)(w.whole.end - w.whole.at)};
            continue;
        }
        head.has |= 1u << i;
        TRY(fill_field(p, m, f, i, &w, depth + 1, &l, out));
    }
    for (uint32_t i = 0; i < m->field_count; i++) {
        const void *items = l.view[i] ? (const void *)l.view[i] : l.items[i];
        const onnx_any_list list = {items, l.filled[i]};
        if (m->fields[i].kind < ONNX_KIND_INT32S) continue;
        memcpy((unsigned char *)out + m->fields[i].offset, &list, sizeof list);
    }
    head.unknown = (onnx_strings){l.unknown, l.unknown_filled};
    memcpy(out, &head, sizeof head);
done:
    return status;
}

ondol_status onnx_parse(base_arena *arena, onnx_message kind, const void *bytes, uint64_t size,
                        const void **out, ondol_error *err) {
    parser p = {arena, bytes, err};
    void *message = base_arena_alloc(arena, 1, onnx_messages[kind].size);
    if (!message) return base_no_memory(err, "ONNX file", onnx_messages[kind].size);
    const span s = {bytes, p.start + size};
    ondol_status status = parse_message(&p, kind, s, 1, message);
    if (status == ONDOL_OK) *out = message;
    return status;
}

float onnx_packed_float(const onnx_packed *p, size_t i) {
    uint32_t bits = 0;
    float value = 0;
    for (unsigned b = 0; b < 4; b++)
        bits |= (uint32_t)p->items[4 * i + b] << 8 * b;
    memcpy(&value, &bits, sizeof value);
    return value;
}

double onnx_packed_double(const onnx_packed *p, size_t i) {
    uint64_t bits = 0;
    double value = 0;
    for (unsigned b = 0; b < 8; b++)
        bits |= (uint64_t)p->items[8 * i + b] << 8 * b;
    memcpy(&value, &bits, sizeof value);
    return value;
}
