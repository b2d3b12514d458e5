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

/* A job runs once on each thread of the pool; thread_index < thread_count. */
typedef void (*base_job)(unsigned thread_index, unsigned thread_count, void *argument);

/* A pool of thread_count threads, the caller of base_pool_run being thread 0.
 * Errors: MEMORY, DEVICE when the system gives no thread. */
ondol_status base_pool_create(const ondol_allocator *a, unsigned thread_count, base_pool **out,
                              ondol_error *err);
void base_pool_destroy(base_pool *pool);
unsigned base_pool_thread_count(const base_pool *pool);

/* Runs job on all threads and returns when all are done. Thread class: one thread at a time. */
void base_pool_run(base_pool *pool, base_job job, void *argument);

/* Within a job: no thread goes on before all threads of the pool have come here. */
void base_pool_barrier(base_pool *pool);

#endif
