/* Ondol: status values, the error record and the allocator. Included by ondol.h; use that one. */
#ifndef ONDOL_STATUS_H
#define ONDOL_STATUS_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a call that can fail returns. Values are frozen: a number never changes its meaning.
 * The text of the fault is in ondol_error; ondol_status_name() gives the short name. */
typedef enum ondol_status {
    ONDOL_OK = 0,
    ONDOL_E_ARGUMENT = 1,    /* the caller passed what the declaration forbids */
    ONDOL_E_MEMORY = 2,      /* an allocation failed, or would exceed a stated maximum */
    ONDOL_E_IO = 3,          /* the operating system refused to open, read, map or write */
    ONDOL_E_FORMAT = 4,      /* a file, template, grammar or text is malformed */
    ONDOL_E_UNSUPPORTED = 5, /* well formed, but something that Ondol does not do */
    ONDOL_E_LIMIT = 6,       /* a stated limit was reached (steps, depth, output, size) */
    ONDOL_E_FULL = 7,        /* the KV cache or the context has no room for these tokens */
    ONDOL_E_CANCELLED = 8,   /* ondol_session_cancel, or a callback asked to stop */
    ONDOL_E_NOT_FOUND = 9,   /* a file, name, tensor or key does not exist */
    ONDOL_E_DEVICE = 10,     /* a device failed or is not there */
    ONDOL_E_INTERNAL = 11    /* a defect of Ondol itself; please report it with the text */
} ondol_status;

#define ONDOL_ERROR_TEXT_BYTES 504

/* Caller's record of a fault, filled once where the fault is found: what, where, expected, got.
 * Any call takes NULL in its place. Untouched on success. text always ends in 0, is UTF-8 and has
 * no line break. */
typedef struct ondol_error {
    ondol_status status;
    char text[ONDOL_ERROR_TEXT_BYTES];
} ondol_error;

/* Memory for everything that the library takes. alloc: `align` is a power of two >= 16; returns
 * NULL when there is none. release: takes what alloc returned (never NULL).
 * Thread class: both are called from any thread of the engine. */
typedef struct ondol_allocator {
    void *(*alloc)(void *user, size_t size_bytes, size_t align_bytes);
    void (*release)(void *user, void *memory);
    void *user;
} ondol_allocator;

#ifdef __cplusplus
}
#endif

#endif
