/* .npz archives. In: their bytes, a member's name. Out: the member's bytes, inflated and checked.
 */
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "common/npy.h"

#define MEMBER_BYTES_MAX ((uint64_t)1 << 36)

typedef struct member {
    const char *name;
    size_t name_bytes;
    unsigned method;
    uint64_t packed_bytes, bytes, offset; /* offset: of its local header */
    uint32_t crc;
} member;

static uint64_t little(const char *at, unsigned bytes) {
    uint64_t value = 0;
    for (unsigned i = 0; i < bytes; i++)
        value |= (uint64_t)(unsigned char)at[i] << 8 * i;
    return value;
}

/* The sizes that 32 bits could not hold, from the extra field of a directory entry (4.5.3). */
static void take_zip64(const char *extra, size_t size, member *m) {
    while (size >= 4) {
        const uint64_t id = little(extra, 2), length = little(extra + 2, 2);
        if (length > size - 4) return;
        const char *at = extra + 4, *end = at + length;
        if (id == 1) {
            uint64_t *fields[] = {&m->bytes, &m->packed_bytes, &m->offset};
            for (int i = 0; i < 3; i++) {
                if (*fields[i] != UINT32_MAX || end - at < 8) continue;
                *fields[i] = little(at, 8);
                at += 8;
            }
        }
        extra = end;
        size -= 4 + (size_t)length;
    }
}

/* The end of the directory (4.3.16), within the last 64 KiB. */
static const char *find_end(const char *bytes, size_t size) {
    for (size_t back = 22; back <= size && back <= 22 + 65535; back++) {
        const char *at = bytes + size - back;
        if (memcmp(at, "PK\5\6", 4) == 0) return at;
    }
    return NULL;
}

static bool same_name(const member *m, const char *name) {
    const size_t n = strlen(name);
    if (m->name_bytes == n && memcmp(m->name, name, n) == 0) return true;
    return m->name_bytes == n + 4 && memcmp(m->name, name, n) == 0 &&
           memcmp(m->name + n, ".npy", 4) == 0;
}

static bool unpack(const char *bytes, size_t size, const member *m, text_buffer *out, char *why,
                   size_t n) {
    if (m->offset > size || size - m->offset < 30 || m->bytes > MEMBER_BYTES_MAX) {
        snprintf(why, n, "its entry '%.*s' lies past its end", (int)m->name_bytes, m->name);
        return false;
    }
    const char *local = bytes + m->offset;
    const uint64_t skip = 30 + little(local + 26, 2) + little(local + 28, 2);
    if (skip > size - m->offset || m->packed_bytes > size - m->offset - skip) {
        snprintf(why, n, "its entry '%.*s' lies past its end", (int)m->name_bytes, m->name);
        return false;
    }
    const char *data = local + skip;
    if (m->method == 0 && m->bytes == m->packed_bytes) {
        text_append(out, data, (size_t)m->bytes);
    } else if (m->method == 8) {
        char piece[65536];
        z_stream z = {.next_in = (Bytef *)(uintptr_t)data};
        uint64_t left = m->packed_bytes;
        int state = inflateInit2(&z, -MAX_WBITS);
        while (state == Z_OK) {
            if (z.avail_in == 0 && left) {
                z.avail_in = left > 1u << 30 ? 1u << 30 : (uInt)left;
                left -= z.avail_in;
            }
            z.next_out = (Bytef *)piece;
            z.avail_out = sizeof piece;
            state = inflate(&z, Z_NO_FLUSH);
            text_append(out, piece, sizeof piece - z.avail_out);
            if (out->size > m->bytes) state = Z_DATA_ERROR;
        }
        inflateEnd(&z);
        if (state != Z_STREAM_END) out->size = 0;
    }
    const uint32_t crc =
        (uint32_t)crc32_z(0, (const Bytef *)(out->bytes ? out->bytes : ""), out->size);
    if (out->size == m->bytes && crc == m->crc) return true;
    snprintf(why, n, "its entry '%.*s' is damaged, or packed in a way that is not known",
             (int)m->name_bytes, m->name);
    return false;
}

bool npz_find(const char *bytes, size_t size, const char *name, text_buffer *out, char *why,
              size_t n) {
    const char *end = find_end(bytes, size);
    if (!end) {
        snprintf(why, n, "it has no directory as a .npz archive has");
        return false;
    }
    const uint64_t count = little(end + 10, 2), first = little(end + 16, 4);
    char names[200] = "";
    member found = {0};
    uint64_t at = first;
    for (uint64_t i = 0; i < count; i++) {
        if (at > size || size - at < 46 || memcmp(bytes + at, "PK\1\2", 4) != 0) break;
        const char *e = bytes + at;
        const uint64_t name_bytes = little(e + 28, 2), extra = little(e + 30, 2);
        const uint64_t all = 46 + name_bytes + extra + little(e + 32, 2);
        if (all > size - at) break;
        member m = {e + 46,
                    (size_t)name_bytes,
                    (unsigned)little(e + 10, 2),
                    little(e + 20, 4),
                    little(e + 24, 4),
                    little(e + 42, 4),
                    (uint32_t)little(e + 16, 4)};
        take_zip64(e + 46 + name_bytes, (size_t)extra, &m);
        if (name ? same_name(&m, name) : count == 1) found = m;
        const size_t used = strlen(names);
        snprintf(names + used, sizeof names - used, "%s%.*s", used ? ", " : "", (int)m.name_bytes,
                 m.name);
        at += all;
    }
    if (!found.name) {
        snprintf(why, n,
                 name ? "it has no array '%s'; there are: %s" : "%sit has several arrays: %s",
                 name ? name : "", names);
        return false;
    }
    return unpack(bytes, size, &found, out, why, n);
}
