/* An allocator that counts what is live and fails at a chosen call, so that a test can make each
 * allocation of an operation fail in turn:
 *
 *     for (size_t n = 0;; n++) {
 *         fail_alloc memory;
 *         fail_alloc_init(&memory, n);           // call number n (from 0) and all later ones fail
 *         status = work(&memory.api, &err);
 *         ... close what was opened ...
 *         fail_alloc_check_empty(&memory);       // no leak
 *         if (!memory.failed) break;             // the work no longer needs call n: done
 *         assert_int_equal(status, ONDOL_E_MEMORY);
 *     }
 */
#ifndef FAIL_ALLOC_H
#define FAIL_ALLOC_H

#include <stdatomic.h>
#include <stdbool.h>

#include "unit.h"

#define FAIL_ALLOC_NEVER SIZE_MAX

/* Thread class: shared. */
typedef struct fail_alloc {
    ondol_allocator api; /* hand this out */
    ondol_allocator heap;
    atomic_size_t calls, live_blocks, live_bytes, peak_bytes;
    atomic_bool failed; /* a call was refused */
    size_t fail_at;
} fail_alloc;

/* The size of each block stands before it, in as many bytes as the alignment asks for. */
typedef struct fail_alloc_block {
    size_t size_bytes, front_bytes;
} fail_alloc_block;

static inline void *fail_alloc_take(void *user, size_t size, size_t align) {
    fail_alloc *memory = user;
    if (atomic_fetch_add(&memory->calls, 1) >= memory->fail_at) {
        atomic_store(&memory->failed, true);
        return NULL;
    }
    size_t front = align < sizeof(fail_alloc_block) ? sizeof(fail_alloc_block) : align;
    if (size > SIZE_MAX - front) return NULL;
    unsigned char *p = memory->heap.alloc(memory->heap.user, front + size, align);
    if (!p) return NULL;
    fail_alloc_block block = {size, front};
    memcpy(p + front - sizeof block, &block, sizeof block);
    memset(p + front, 0xa5, size < 4096 ? size : 4096);
    atomic_fetch_add(&memory->live_blocks, 1);
    size_t live = atomic_fetch_add(&memory->live_bytes, size) + size;
    size_t peak = atomic_load(&memory->peak_bytes);
    while (live > peak && !atomic_compare_exchange_weak(&memory->peak_bytes, &peak, live)) {
    }
    return p + front;
}

static inline void fail_alloc_release(void *user, void *p) {
    fail_alloc *memory = user;
    fail_alloc_block block;
    memcpy(&block, (unsigned char *)p - sizeof block, sizeof block);
    atomic_fetch_sub(&memory->live_blocks, 1);
    atomic_fetch_sub(&memory->live_bytes, block.size_bytes);
    memory->heap.release(memory->heap.user, (unsigned char *)p - block.front_bytes);
}

/* fail_at: calls that succeed before the first that fails; FAIL_ALLOC_NEVER only counts. The struct
 * must not move afterwards. */
static inline void fail_alloc_init(fail_alloc *memory, size_t fail_at) {
    memset(memory, 0, sizeof *memory);
    memory->api = (ondol_allocator){fail_alloc_take, fail_alloc_release, memory};
    memory->heap = base_default_allocator();
    memory->fail_at = fail_at;
}

static inline void fail_alloc_check_empty(const fail_alloc *memory) {
    size_t blocks = memory->live_blocks;
    if (blocks) fail_msg("%zu blocks leaked (allocation %zu failed)", blocks, memory->fail_at);
}

#endif
