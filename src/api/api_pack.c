/* Packed weights, kept. In: a model's identity, how many bytes. Out: memory to pack into, which is
 * then written, or the file that an earlier run wrote, mapped.
 *
 * The file: a page of header, the weights as the store has them, slack. What it is told by is in
 * its name and header; whether it holds what would be packed now, each weight checks by a panel.
 * A file of weights whose model is gone, or is another one now, goes when the next is written. */
#include "api/api_pack.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/file_writer.h"
#include "base/folder.h"
#include "base/map.h"

#define HEADER_BYTES   4096u
#define LEAST_BYTES    ((uint64_t)64 << 20) /* less is packed sooner than a file is opened */
#define LAYOUT_VERSION 1u                   /* to be raised when a layout changes */
#define WRITE_BYTES    ((size_t)8 << 20)
#define MAP_BYTES      ((uint64_t)32 << 20)

#define VERSION    2u
#define PATH_BYTES 2048u

typedef struct pack_header {
    char magic[8];
    uint32_t version, layout_version;
    uint64_t identity, fingerprint, bytes;
    char isa[32];
    /* From here on only to tell whether the model is still there. */
    uint64_t file_identity;
    char file[PATH_BYTES]; /* "": too long a path */
} pack_header;

/* What has to be the same for a file to be taken. */
#define TOLD_BYTES offsetof(pack_header, file_identity)

struct api_pack {
    const ondol_allocator *allocator;
    base_pool *pool;
    char *folder, *path; /* NULL: nothing is kept */
    pack_header header;
    base_file file;
    void *memory;
    base_thread *writer;
    bool stale; /* the file is not to be opened again */
};

/* Where the model lies, for whoever cleans up. Without it the file stays. */
static void name_model(pack_header *h, const ondol_allocator *a, const char *file) {
    char *whole = NULL;
    if (!file || base_path_absolute(a, file, &whole, NULL) != ONDOL_OK) return;
    if (strlen(whole) < sizeof h->file) {
        memcpy(h->file, whole, strlen(whole) + 1);
        h->file_identity = base_file_identity(whole);
    }
    base_free(a, whole);
}

ondol_status api_pack_create(const ondol_allocator *a, base_pool *pool, const char *folder,
                             const char *file, uint64_t identity, const char *isa, api_pack **out,
                             ondol_error *err) {
    api_pack *p = base_calloc(a, 1, sizeof *p);
    if (!p) return base_no_memory(err, "packed weights", sizeof *p);
    *p = (api_pack){.allocator = a, .pool = pool};
    memcpy(p->header.magic, "ondolpak", 8);
    p->header.version = VERSION;
    p->header.layout_version = LAYOUT_VERSION;
    p->header.identity = identity;
    snprintf(p->header.isa, sizeof p->header.isa, "%s", isa);
    if (folder && *folder && identity) {
        const size_t size = strlen(folder) + strlen(isa) + 32;
        p->path = base_alloc(a, size, 1);
        p->folder = base_alloc(a, size, 1);
        if (!p->path || !p->folder) {
            api_pack_destroy(p);
            return base_no_memory(err, "packed weights", size);
        }
        snprintf(p->path, size, "%s/%016" PRIx64 "-%s.pack", folder, identity, isa);
        snprintf(p->folder, size, "%s", folder);
        name_model(&p->header, a, file);
    }
    *out = p;
    return ONDOL_OK;
}

void api_pack_destroy(api_pack *p) {
    if (!p) return;
    base_thread_join(p->writer);
    base_file_close(&p->file);
    base_free(p->allocator, p->memory);
    base_free(p->allocator, p->folder);
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
        memcmp(p->file.data, &p->header, TOLD_BYTES) == 0) {
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

/* Whether it is a file of packed weights that nothing will open again. */
static bool is_left_behind(const api_pack *p, const char *path) {
    base_file f;
    pack_header h;
    if (base_file_open(p->allocator, path, true, &f, NULL) != ONDOL_OK) return false;
    const bool ours = f.size >= HEADER_BYTES && memcmp(f.data, p->header.magic, 8) == 0;
    if (ours) memcpy(&h, f.data, sizeof h);
    base_file_close(&f);
    if (!ours) return false;
    if (h.version != VERSION || h.layout_version != LAYOUT_VERSION) return true;
    h.file[sizeof h.file - 1] = 0;
    return *h.file && base_file_identity(h.file) != h.file_identity;
}

static void clean_one(void *user, const char *name) {
    const api_pack *p = user;
    const size_t length = strlen(name), size = strlen(p->folder) + length + 2;
    if (length < 5 || strcmp(name + length - 5, ".pack") != 0) return;
    char *path = base_alloc(p->allocator, size, 1);
    if (!path) return;
    snprintf(path, size, "%s/%s", p->folder, name);
    if (is_left_behind(p, path)) remove(path);
    base_free(p->allocator, path);
}

static void write_file(void *argument) {
    api_pack *p = argument;
    base_folder_each(p->folder, clean_one, p);
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
