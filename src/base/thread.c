/* Mutexes and the thread pool. Workers spin for some microseconds, then sleep: a job of a decode
 * step follows the last one closely, and an idle engine must not burn a processor. */
#ifndef _WIN32
#define _POSIX_C_SOURCE 200809L
#endif
#include "base/thread.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>

#if defined(__x86_64__) || defined(__i386__)
#include <immintrin.h>
#define RELAX() _mm_pause()
#elif defined(__aarch64__)
#define RELAX() __asm__ volatile("yield")
#else
#define RELAX() ((void)0)
#endif

#define SPINS_BEFORE_SLEEP 4000u
#define SPINS_BEFORE_YIELD 20000u

struct base_mutex {
    pthread_mutex_t handle;
    const ondol_allocator *allocator;
};

base_mutex *base_mutex_create(const ondol_allocator *a) {
    base_mutex *m = base_calloc(a, 1, sizeof *m);
    if (!m) return NULL;
    m->allocator = a;
    if (pthread_mutex_init(&m->handle, NULL) != 0) {
        base_free(a, m);
        return NULL;
    }
    return m;
}

void base_mutex_destroy(base_mutex *m) {
    if (!m) return;
    pthread_mutex_destroy(&m->handle);
    base_free(m->allocator, m);
}

void base_mutex_lock(base_mutex *m) {
    pthread_mutex_lock(&m->handle);
}

void base_mutex_unlock(base_mutex *m) {
    pthread_mutex_unlock(&m->handle);
}

typedef struct worker {
    base_pool *pool;
    unsigned index;
    pthread_t thread;
} worker;

struct base_pool {
    const ondol_allocator *allocator;
    unsigned thread_count, started;
    worker *workers;
    base_job job;
    void *argument;
    bool stop;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    _Alignas(64) atomic_uint generation;
    _Alignas(64) atomic_uint running;
    _Alignas(64) atomic_uint sleepers;
    _Alignas(64) atomic_uint barrier_arrived;
    _Alignas(64) atomic_uint barrier_phase;
};

/* Waits until *word differs from `old`, giving the processor away when it takes long. */
static void spin_while_equal(const atomic_uint *word, unsigned old) {
    unsigned spins = 0;
    while (atomic_load_explicit(word, memory_order_acquire) == old) {
        RELAX();
        if (++spins >= SPINS_BEFORE_YIELD) sched_yield();
    }
}

static void wait_for_job(base_pool *pool, unsigned seen) {
    for (unsigned i = 0; i < SPINS_BEFORE_SLEEP; i++) {
        if (atomic_load_explicit(&pool->generation, memory_order_acquire) != seen) return;
        RELAX();
    }
    pthread_mutex_lock(&pool->mutex);
    atomic_fetch_add(&pool->sleepers, 1);
    while (atomic_load(&pool->generation) == seen)
        pthread_cond_wait(&pool->wake, &pool->mutex);
    atomic_fetch_sub(&pool->sleepers, 1);
    pthread_mutex_unlock(&pool->mutex);
}

static void *worker_main(void *argument) {
    worker *self = argument;
    base_pool *pool = self->pool;
    unsigned seen = 0;
    for (;;) {
        wait_for_job(pool, seen);
        seen++;
        if (pool->stop) return NULL;
        pool->job(self->index, pool->thread_count, pool->argument);
        atomic_fetch_sub_explicit(&pool->running, 1, memory_order_release);
    }
}

/* Publishes a new generation and wakes who sleeps. Sequentially consistent on purpose: a worker
 * counts itself as a sleeper before it looks at the generation for the last time. */
static void publish(base_pool *pool) {
    atomic_fetch_add(&pool->generation, 1);
    if (atomic_load(&pool->sleepers) == 0) return;
    pthread_mutex_lock(&pool->mutex);
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->mutex);
}

void base_pool_destroy(base_pool *pool) {
    if (!pool) return;
    pool->stop = true;
    publish(pool);
    for (unsigned i = 0; i < pool->started; i++)
        pthread_join(pool->workers[i].thread, NULL);
    pthread_cond_destroy(&pool->wake);
    pthread_mutex_destroy(&pool->mutex);
    base_free(pool->allocator, pool->workers);
    base_free(pool->allocator, pool);
}

ondol_status base_pool_create(const ondol_allocator *a, unsigned thread_count, base_pool **out,
                              ondol_error *err) {
    *out = NULL;
    if (thread_count < 1 || thread_count > 1024) {
        return base_fail(err, ONDOL_E_ARGUMENT, "thread count %u, expected 1 to 1024",
                         thread_count);
    }
    base_pool *pool = base_alloc_aligned(a, sizeof *pool, 64);
    if (!pool) return base_no_memory(err, "thread pool", sizeof *pool);
    *pool = (base_pool){.allocator = a, .thread_count = thread_count};
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->wake, NULL);
    pool->workers = base_calloc(a, thread_count, sizeof *pool->workers);
    if (!pool->workers) {
        base_pool_destroy(pool);
        return base_no_memory(err, "thread pool", thread_count * sizeof *pool->workers);
    }
    for (unsigned i = 0; i + 1 < thread_count; i++) {
        pool->workers[i] = (worker){.pool = pool, .index = i + 1};
        if (pthread_create(&pool->workers[i].thread, NULL, worker_main, pool->workers + i) != 0) {
            base_pool_destroy(pool);
            return base_fail(err, ONDOL_E_DEVICE, "the system gave %u of %u threads", i + 1,
                             thread_count);
        }
        pool->started++;
    }
    *out = pool;
    return ONDOL_OK;
}

unsigned base_pool_thread_count(const base_pool *pool) {
    return pool->thread_count;
}

void base_pool_run(base_pool *pool, base_job job, void *argument) {
    pool->job = job;
    pool->argument = argument;
    atomic_store_explicit(&pool->running, pool->started, memory_order_relaxed);
    if (pool->started) publish(pool);
    job(0, pool->thread_count, argument);
    unsigned left;
    while ((left = atomic_load_explicit(&pool->running, memory_order_acquire)) != 0)
        spin_while_equal(&pool->running, left);
}

void base_pool_barrier(base_pool *pool) {
    if (pool->thread_count == 1) return;
    unsigned phase = atomic_load_explicit(&pool->barrier_phase, memory_order_acquire);
    unsigned arrived = atomic_fetch_add_explicit(&pool->barrier_arrived, 1, memory_order_acq_rel);
    if (arrived + 1 == pool->thread_count) {
        atomic_store_explicit(&pool->barrier_arrived, 0, memory_order_relaxed);
        atomic_store_explicit(&pool->barrier_phase, phase + 1, memory_order_release);
    } else {
        spin_while_equal(&pool->barrier_phase, phase);
    }
}
