/* Packed weights, kept. In: a model's identity, how many bytes. Out: memory to pack into, which is
 * then written, or the file that an earlier run wrote, mapped.
 *
 * The file: a page of header, the weights as the store has them, slack. What it is told by is in
 * its name and header; whether it holds what would be packed now, each weight checks by a panel. */
#include "api/api_pack.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/file_writer.h"
#include "base/map.h"

#define HEADER_BYTES   4096u
#define LEAST_BYTES    ((uint64_t)64 << 20) /* less is packed sooner than a file is opened */
#define LAYOUT_VERSION 1u                   /* to be raised when a layout changes */
#define WRITE_BYTES    ((size_t)8 << 20)
#define MAP_BYTES      ((uint64_t)32 << 20)

typedef struct pack_header {
    char magic[8];
    uint32_t version, layout_version;
    uint64_t identity, fingerprint, bytes;
    char isa[32];
} pack_header;

struct api_pack {
    const ondol_allocator *allocator;
    base_pool *pool;
    char *path; /* NULL: nothing is kept */
    pack_header header;
    base_file file;
    void *memory;
    base_thread *writer;
    bool stale; /* the file is not to be opened again */
};

ondol_status api_pack_create(const ondol_allocator *a, base_pool *pool, const char *folder,
                             uint64_t identity, const char *isa, api_pack **out, ondol_error *err) {
    api_pack *p = base_calloc(a, 1, sizeof *p);
    if (!p) return base_no_memory(err, "packed weights", sizeof *p);
    *p = (api_pack){.allocator = a, .pool = pool};
    memcpy(p->header.magic, "ondolpak", 8);
    p->header.version = 1;
    p->header.layout_version = LAYOUT_VERSION;
    p->header.identity = identity;
    snprintf(p->header.isa, sizeof p->header.isa, "%s", isa);
    if (folder && *folder && identity) {
        const size_t size = strlen(folder) + strlen(isa) + 32;
        p->path = base_alloc(a, size, 1);
        if (!p->path) {
            api_pack_destroy(p);
            return base_no_memory(err, "packed weights", size);
        }
        snprintf(p->path, size, "%s/%016" PRIx64 "-%s.pack", folder, identity, isa);
    }
    *out = p;
    return ONDOL_OK;
}

void api_pack_destroy(api_pack *p) {
    if (!p) return;
    base_thread_join(p->writer);
    base_file_close(&p->file);
    base_free(p->allocator, p->memory);
    base_free(p->allocator, p->path);
    base_free(p->allocator, p);
}

bool api_pack_is_filled(const api_pack *p) {
    return p->file.data != NULL;
}

void api_pack_forget(api_pack *p) {
    base_file_close(&p->file);
    p->stale = true;
}

/* Pages that are in the system's memory are mapped by all threads at once. */
static void map_unit(uint32_t unit, unsigned thread, void *argument) {
    (void)thread;
    base_file_map_pages(argument, unit * MAP_BYTES, MAP_BYTES);
}

static bool open_file(api_pack *p, uint64_t bytes) {
    if (!p->path || p->stale || bytes < LEAST_BYTES || bytes > SIZE_MAX / 2) return false;
    if (base_file_open(p->allocator, p->path, true, &p->file, NULL) != ONDOL_OK) return false;
    if (p->file.mapped && p->file.size == HEADER_BYTES + bytes + PLAN_STORE_SLACK &&
        memcmp(p->file.data, &p->header, sizeof p->header) == 0) {
        const uint64_t units = (p->file.size + MAP_BYTES - 1) / MAP_BYTES;
        if (p->pool && units <= BASE_POOL_UNITS_MAX)
            base_pool_run(p->pool, (uint32_t)units, map_unit, &p->file);
        return true;
    }
    base_file_close(&p->file);
    return false;
}

ondol_status api_pack_open(void *user, uint64_t bytes, uint64_t fingerprint, plan_store *out,
                           ondol_error *err) {
    api_pack *p = user;
    p->header.fingerprint = fingerprint;
    p->header.bytes = bytes;
    if (open_file(p, bytes)) {
        *out = (plan_store){(void *)(uintptr_t)(p->file.data + HEADER_BYTES), true};
        return ONDOL_OK;
    }
    if (bytes > SIZE_MAX / 2) return base_no_memory(err, "packed weights", bytes);
    p->memory = base_alloc_aligned(p->allocator, (size_t)bytes + PLAN_STORE_SLACK, 64);
    if (!p->memory) return base_no_memory(err, "packed weights", bytes);
    memset((char *)p->memory + bytes, 0, PLAN_STORE_SLACK);
    *out = (plan_store){p->memory, false};
    return ONDOL_OK;
}

static ondol_status write_all(base_file_writer *w, const unsigned char *data, size_t size) {
    ondol_status status = ONDOL_OK;
    for (size_t at = 0; at < size && status == ONDOL_OK; at += WRITE_BYTES) {
        const size_t left = size - at;
        status =
            base_file_writer_append(w, data + at, left < WRITE_BYTES ? left : WRITE_BYTES, NULL);
    }
    return status;
}

static void write_file(void *argument) {
    api_pack *p = argument;
    static const unsigned char zeros[HEADER_BYTES];
    base_file_writer *w = NULL;
    ondol_status status = base_file_writer_open(p->allocator, p->path, &w, NULL);
    if (status == ONDOL_OK) status = base_file_writer_append(w, &p->header, sizeof p->header, NULL);
    if (status == ONDOL_OK)
        status = base_file_writer_append(w, zeros, HEADER_BYTES - sizeof p->header, NULL);
    if (status == ONDOL_OK)
        status = write_all(w, p->memory, (size_t)p->header.bytes + PLAN_STORE_SLACK);
    if (status == ONDOL_OK) base_file_writer_commit(w, NULL);
    base_file_writer_close(w);
}

void api_pack_keep(api_pack *p) {
    if (!p->path || !p->memory || p->header.bytes < LEAST_BYTES) return;
    if (base_thread_start(p->allocator, write_file, p, &p->writer, NULL) != ONDOL_OK)
        p->writer = NULL;
}
