/* Mutexes and the thread pool. Workers spin for some microseconds, then sleep: a run of a decode
 * step follows the last one closely, and an idle engine must not burn a processor. */
#ifndef _WIN32
#define _POSIX_C_SOURCE 200809L
#endif
#include "base/thread.h"

#include <pthread.h>
#include <signal.h>
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
#define SPINS_BEFORE_YIELD 2000u

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

struct base_thread {
    const ondol_allocator *allocator;
    pthread_t handle;
    void (*run)(void *argument);
    void *argument;
};

static void *thread_main(void *argument) {
    base_thread *t = argument;
    t->run(t->argument);
    return NULL;
}

ondol_status base_thread_start(const ondol_allocator *a, void (*run)(void *argument),
                               void *argument, base_thread **out, ondol_error *err) {
    sigset_t all, before;
    base_thread *t = base_calloc(a, 1, sizeof *t);
    if (!t) return base_no_memory(err, "thread", sizeof *t);
    *t = (base_thread){.allocator = a, .run = run, .argument = argument};
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int fault = pthread_create(&t->handle, NULL, thread_main, t);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (fault) {
        base_free(a, t);
        return base_fail(err, ONDOL_E_DEVICE, "the system gave no thread");
    }
    *out = t;
    return ONDOL_OK;
}

void base_thread_join(base_thread *t) {
    if (!t) return;
    pthread_join(t->handle, NULL);
    base_free(t->allocator, t);
}

typedef struct worker {
    base_pool *pool;
    unsigned index;
    pthread_t thread;
} worker;

/* `claims` is one word so that a thread can take a unit of just the run that it saw: from the top
 * 24 bits of run number, 20 bits of unit count, 20 bits of the next unit. */
#define UNIT_BITS 20u

struct base_pool {
    const ondol_allocator *allocator;
    unsigned thread_count, started;
    worker *workers;
    base_unit run;
    void *argument;
    uint64_t run_number;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    _Alignas(64) _Atomic(uint64_t) claims;
    _Alignas(64) atomic_uint done;
    _Alignas(64) atomic_uint sleepers;
    atomic_bool stop;
};

static bool has_units(uint64_t claims) {
    const uint64_t mask = BASE_POOL_UNITS_MAX;
    return (claims & mask) < (claims >> UNIT_BITS & mask);
}

/* Does units of whatever run is there until none is left to take. */
static void take_units(base_pool *pool, unsigned thread_index) {
    uint64_t claims = atomic_load_explicit(&pool->claims, memory_order_acquire);
    while (has_units(claims)) {
        if (!atomic_compare_exchange_weak_explicit(&pool->claims, &claims, claims + 1,
                                                   memory_order_acq_rel, memory_order_acquire)) {
            continue;
        }
        /* The run cannot end before this unit is done, so its function stays. */
        pool->run((uint32_t)(claims & BASE_POOL_UNITS_MAX), thread_index, pool->argument);
        atomic_fetch_add_explicit(&pool->done, 1, memory_order_release);
        claims = atomic_load_explicit(&pool->claims, memory_order_acquire);
    }
}

/* False when the pool ends. */
static bool wait_for_units(base_pool *pool) {
    for (unsigned i = 0; i < SPINS_BEFORE_SLEEP; i++) {
        if (has_units(atomic_load_explicit(&pool->claims, memory_order_acquire))) return true;
        RELAX();
    }
    /* Sequentially consistent on purpose: a thread counts itself as a sleeper before it looks at
     * the claims for the last time, and publish() looks at the sleepers after it has changed them.
     */
    pthread_mutex_lock(&pool->mutex);
    atomic_fetch_add(&pool->sleepers, 1);
    while (!has_units(atomic_load(&pool->claims)) && !atomic_load(&pool->stop))
        pthread_cond_wait(&pool->wake, &pool->mutex);
    atomic_fetch_sub(&pool->sleepers, 1);
    pthread_mutex_unlock(&pool->mutex);
    return !atomic_load(&pool->stop);
}

static void *worker_main(void *argument) {
    worker *self = argument;
    while (wait_for_units(self->pool))
        take_units(self->pool, self->index);
    return NULL;
}

static void wake_sleepers(base_pool *pool) {
    if (atomic_load(&pool->sleepers) == 0) return;
    pthread_mutex_lock(&pool->mutex);
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->mutex);
}

void base_pool_destroy(base_pool *pool) {
    if (!pool) return;
    atomic_store(&pool->stop, true);
    wake_sleepers(pool);
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
    /* Signals are the program's own affair: none is to come to a thread that it does not know. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    for (unsigned i = 0; i + 1 < thread_count; i++) {
        pool->workers[i] = (worker){.pool = pool, .index = i + 1};
        if (pthread_create(&pool->workers[i].thread, NULL, worker_main, pool->workers + i) != 0) {
            break;
        }
        pool->started++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    unsigned started = pool->started + 1;
    if (started < thread_count) {
        base_pool_destroy(pool);
        return base_fail(err, ONDOL_E_DEVICE, "the system gave %u of %u threads", started,
                         thread_count);
    }
    *out = pool;
    return ONDOL_OK;
}

unsigned base_pool_thread_count(const base_pool *pool) {
    return pool->thread_count;
}

void base_pool_run(base_pool *pool, uint32_t unit_count, base_unit run, void *argument) {
    if (unit_count <= 1 || pool->started == 0) {
        for (uint32_t i = 0; i < unit_count; i++)
            run(i, 0, argument);
        return;
    }
    pool->run = run;
    pool->argument = argument;
    atomic_store_explicit(&pool->done, 0, memory_order_relaxed);
    const uint64_t number = ++pool->run_number << (2 * UNIT_BITS);
    atomic_store(&pool->claims, number | (uint64_t)unit_count << UNIT_BITS);
    wake_sleepers(pool);
    take_units(pool, 0);
    for (unsigned spins = 0;
         atomic_load_explicit(&pool->done, memory_order_acquire) != unit_count;) {
        RELAX();
        if (++spins >= SPINS_BEFORE_YIELD) sched_yield();
    }
}
