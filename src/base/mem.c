/* Allocation through the engine's allocator, and the default one on the C heap. */
#ifdef __linux__
#define _DEFAULT_SOURCE
#elif !defined _WIN32
#define _POSIX_C_SOURCE 200809L
#endif
#include "base/mem.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#ifdef _WIN32
#include <malloc.h>
#endif
#ifdef __linux__
#include <sys/mman.h>
#endif

#define HUGE_PAGE ((size_t)2 << 20)

/* Large memory (weights, caches, images) in huge pages where the system gives them: reading it all
 * for each token misses the translation buffer otherwise. */
#ifdef __linux__
static void *large_alloc(size_t size, size_t align) {
    void *p = NULL;
    if (posix_memalign(&p, align < HUGE_PAGE ? HUGE_PAGE : align, size) != 0) return NULL;
    madvise(p, size / HUGE_PAGE * HUGE_PAGE, MADV_HUGEPAGE); /* a hint */
    return p;
}
#endif

static void *heap_alloc(void *user, size_t size, size_t align) {
    (void)user;
#ifdef __linux__
    if (size >= 2 * HUGE_PAGE) return large_alloc(size, align);
#endif
#ifdef _WIN32
    return _aligned_malloc(size ? size : 1, align);
#else
    void *p = NULL;
    return posix_memalign(&p, align, size ? size : 1) == 0 ? p : NULL;
#endif
}

static void heap_release(void *user, void *p) {
    (void)user;
#ifdef _WIN32
    _aligned_free(p);
#else
    free(p);
#endif
}

ondol_allocator base_default_allocator(void) {
    return (ondol_allocator){heap_alloc, heap_release, NULL};
}

void *base_alloc_aligned(const ondol_allocator *a, size_t size, size_t align) {
    if (size > SIZE_MAX / 2) return NULL;
    return a->alloc(a->user, size ? size : 1, align < 16 ? 16 : align);
}

void *base_alloc(const ondol_allocator *a, size_t count, size_t size) {
    if (size != 0 && count > SIZE_MAX / 2 / size) return NULL;
    return base_alloc_aligned(a, count * size, 16);
}

void *base_calloc(const ondol_allocator *a, size_t count, size_t size) {
    void *p = base_alloc(a, count, size);
    if (p) memset(p, 0, count * size);
    return p;
}

void base_free(const ondol_allocator *a, void *p) {
    if (p) a->release(a->user, p);
}

char *base_strndup(const ondol_allocator *a, const char *text, size_t n) {
    if (n == SIZE_MAX) return NULL;
    char *copy = base_alloc(a, n + 1, 1);
    if (!copy) return NULL;
    if (n) memcpy(copy, text, n);
    copy[n] = 0;
    return copy;
}

ondol_status base_no_memory(ondol_error *err, const char *what, uint64_t size_bytes) {
    return base_fail(err, ONDOL_E_MEMORY, "out of memory: %s needs %" PRIu64 " bytes", what,
                     size_bytes);
}
