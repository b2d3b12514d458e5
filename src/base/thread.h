/* Threads: mutex, condition, and the pool that every engine has one of. */
#ifndef BASE_THREAD_H
#define BASE_THREAD_H

#include "base/mem.h"

typedef struct base_mutex base_mutex;
typedef struct base_pool base_pool;

/* NULL when there is no memory. */
base_mutex *base_mutex_create(const ondol_allocator *a);
void base_mutex_destroy(base_mutex *m);
void base_mutex_lock(base_mutex *m);
void base_mutex_unlock(base_mutex *m);

/* A thread of its own, for work beside the steps. */
typedef struct base_thread base_thread;
/* Errors: MEMORY, DEVICE when the system gives no thread. */
ondol_status base_thread_start(const ondol_allocator *a, void (*run)(void *argument),
                               void *argument, base_thread **out, ondol_error *err);
/* Waits for its end, and frees it. Takes NULL. */
void base_thread_join(base_thread *t);

/* One unit of a job, on the thread of that index (the caller of base_pool_run is 0). */
typedef void (*base_unit)(uint32_t unit, unsigned thread_index, void *argument);

#define BASE_POOL_UNITS_MAX ((1u << 20) - 1)

/* A pool of thread_count threads, the caller of base_pool_run being thread 0.
 * Errors: MEMORY, DEVICE when the system gives no thread. */
ondol_status base_pool_create(const ondol_allocator *a, unsigned thread_count, base_pool **out,
                              ondol_error *err);
void base_pool_destroy(base_pool *pool);
unsigned base_pool_thread_count(const base_pool *pool);

/* Runs units 0 .. unit_count - 1 (at most BASE_POOL_UNITS_MAX), each once, and returns when all are
 * done. Threads take units one by one, in order, as they are free: on a busy machine the caller
 * waits for no thread that has not begun, it does the units itself. A single unit costs no more
 * than a call. Thread class: one thread at a time. */
void base_pool_run(base_pool *pool, uint32_t unit_count, base_unit run, void *argument);

#endif
