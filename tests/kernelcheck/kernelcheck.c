/* The program: options, the list of cases, random numbers, guards, times, the count at the end. */
#include "kernelcheck.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <x86intrin.h>
#endif

#define CASE(name, run, bench) void run(check *c), bench(check *c);
#include "kernelcheck_cases.def"
#undef CASE

static const check_case CASES[] = {
#define CASE(name, run, bench) {name, run, bench},
#include "kernelcheck_cases.def"
#undef CASE
};

enum { GUARD_BYTES = 256, GUARD_BYTE = 0xa5, FAILURES_SHOWN = 4 };

/* ------------------------------------------------------------ subjects */

bool check_begin(check *c, const char *name) {
    c->name = name;
    c->subject_failures = 0;
    if (c->filter && !strstr(name, c->filter)) return false;
    if (c->list) {
        puts(name);
        return false;
    }
    c->subjects++;
    c->state = c->seed;
    for (const char *p = name; *p; p++)
        c->state = (c->state ^ (unsigned char)*p) * 0x100000001b3u;
    return true;
}

bool check_that(check *c, bool ok, const char *format, ...) {
    c->checks++;
    if (ok) return true;
    c->failures++;
    if (c->subject_failures++ < FAILURES_SHOWN) {
        va_list arguments;
        va_start(arguments, format);
        printf("FAIL %s: ", c->name);
        vprintf(format, arguments);
        putchar('\n');
        va_end(arguments);
    }
    return false;
}

/* A machine has one level, but AVX-512 ones may run the side branch AVX2VNNI too. */
static bool machine_runs(base_isa isa) {
#if defined(__x86_64__)
    unsigned a = 0, b, c, d;
    if (isa == BASE_ISA_AVX2VNNI && base_isa_runs(base_cpu_isa(), BASE_ISA_AVX2)) {
        return __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a >> 4 & 1);
    }
#endif
    return base_isa_runs(base_cpu_isa(), isa);
}

bool check_next_isa(const check *c, unsigned *index, base_isa *isa) {
    for (; *index < BASE_ISA_COUNT; ++*index) {
        const bool side = *index == BASE_ISA_AVX2VNNI && c->isa >= BASE_ISA_AVX512;
        if ((base_isa_runs(c->isa, (base_isa)*index) || side) && machine_runs((base_isa)*index)) {
            *isa = (base_isa)(*index)++;
            return true;
        }
    }
    return false;
}

/* ------------------------------------------------------------ numbers */

/* SplitMix64 (Steele, Lea & Flood 2014). */
uint32_t check_random(check *c) {
    uint64_t z = c->state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (uint32_t)((z ^ z >> 31) >> 32);
}

uint32_t check_random_below(check *c, uint32_t limit) {
    return (uint32_t)((uint64_t)check_random(c) * limit >> 32);
}

float check_random_float(check *c, float low, float high) {
    return low + (high - low) * ((float)(check_random(c) >> 8) * 0x1p-24f);
}

float check_random_normal(check *c, float deviation) {
    float sum = 0;
    for (int i = 0; i < 4; i++)
        sum += check_random_float(c, -1, 1);
    return sum * deviation * 0.8660254f; /* each has variance 1/3 */
}

bool check_same_float(float a, float b) {
    return memcmp(&a, &b, sizeof a) == 0 || (a != a && b != b);
}

/* ------------------------------------------------------------ guarded memory */

/* In front of the first guard. */
typedef struct guarded {
    unsigned char *block;
    size_t size;
} guarded;

static unsigned char *front_of(const void *p) {
    return (unsigned char *)p - GUARD_BYTES;
}

void *check_alloc(size_t size, size_t offset) {
    unsigned char *block = malloc(size + offset + 2 * GUARD_BYTES + sizeof(guarded) + 64);
    if (!block) {
        fprintf(stderr, "kernelcheck: no memory for %zu bytes\n", size);
        exit(1);
    }
    uintptr_t at = ((uintptr_t)block + sizeof(guarded) + GUARD_BYTES + 63) / 64 * 64 + offset;
    unsigned char *p = block + (at - (uintptr_t)block);
    memset(front_of(p), GUARD_BYTE, size + 2 * GUARD_BYTES);
    const guarded g = {block, size};
    memcpy(front_of(p) - sizeof g, &g, sizeof g);
    return p;
}

static guarded guarded_of(const void *p) {
    guarded g;
    memcpy(&g, front_of(p) - sizeof g, sizeof g);
    return g;
}

bool check_guards(const void *p) {
    const guarded g = guarded_of(p);
    const unsigned char *front = front_of(p), *behind = (const unsigned char *)p + g.size;
    for (size_t i = 0; i < GUARD_BYTES; i++) {
        if (front[i] != GUARD_BYTE || behind[i] != GUARD_BYTE) return false;
    }
    return true;
}

void check_free(void *p) {
    if (p) free(guarded_of(p).block);
}

/* ------------------------------------------------------------ time */

double check_seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

uint64_t check_cycles(void) {
#if defined(__x86_64__)
    return __rdtsc();
#else
    return 0;
#endif
}

/* Time of this thread alone where the system tells it: other programs cost less than their turn. */
static double thread_seconds(void) {
#if defined(CLOCK_THREAD_CPUTIME_ID)
    struct timespec t;
    if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t) == 0)
        return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
#endif
    return check_seconds();
}

double check_time(void (*f)(void *argument), void *argument, double seconds, uint64_t *cycles) {
    double best = 1e30;
    *cycles = UINT64_MAX;
    const double begin = check_seconds();
    do {
        const double t = thread_seconds();
        const uint64_t c = check_cycles();
        f(argument);
        const uint64_t took = check_cycles() - c;
        const double elapsed = thread_seconds() - t;
        if (elapsed < best) best = elapsed;
        if (took < *cycles) *cycles = took;
    } while (check_seconds() - begin < seconds);
    return best;
}

/* ------------------------------------------------------------ program */

static int usage(FILE *to, int status) {
    fputs(
        "usage: kernelcheck [--filter TEXT] [--seed N] [--isa LEVEL] [--quick] [--bench] [--list]\n"
        "  --filter  only subjects whose name contains TEXT\n"
        "  --isa     no level above this one (the variable ONDOL_ISA does the same)\n"
        "  --quick   smaller shapes, for an emulated processor\n"
        "  --bench   measure; nothing is checked\n"
        "  --list    names of all subjects\n",
        to);
    return status;
}

static bool cap_isa(check *c, const char *name) {
    base_isa cap;
    ondol_error err;
    if (base_isa_parse(name, &cap, &err) != ONDOL_OK) {
        fprintf(stderr, "kernelcheck: %s\n", err.text);
        return false;
    }
    if (machine_runs(cap)) {
        c->isa = cap;
    } else {
        printf("this machine runs %s, not %s\n", base_isa_name(base_cpu_isa()), name);
    }
    return true;
}

/* 0: go on; otherwise the exit status plus one. */
static int read_options(check *c, int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        const char *option = argv[i], *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (strcmp(option, "--help") == 0) return usage(stdout, 0) + 1;
        if (strcmp(option, "--list") == 0) {
            c->list = true;
        } else if (strcmp(option, "--quick") == 0) {
            c->quick = true;
        } else if (strcmp(option, "--bench") == 0) {
            c->bench = true;
        } else if (!value) {
            return usage(stderr, 2) + 1;
        } else if (strcmp(option, "--filter") == 0) {
            c->filter = argv[++i];
        } else if (strcmp(option, "--seed") == 0) {
            c->seed = strtoull(argv[++i], NULL, 0);
        } else if (strcmp(option, "--isa") == 0) {
            if (!cap_isa(c, argv[++i])) return 3;
        } else {
            return usage(stderr, 2) + 1;
        }
    }
    return 0;
}

int main(int argc, char **argv) {
    check c = {.isa = base_cpu_isa()};
    struct timespec t;
    timespec_get(&t, TIME_UTC);
    c.seed = (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
    const char *cap = getenv("ONDOL_ISA");
    if (cap && *cap && !cap_isa(&c, cap)) return 2;
    const int stop = read_options(&c, argc, argv);
    if (stop) return stop - 1;
    if (!c.list) printf("seed %" PRIu64 ", up to %s\n", c.seed, base_isa_name(c.isa));
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        const double begin = check_seconds();
        const unsigned subjects = c.subjects, checks = c.checks;
        if (!c.bench) {
            CASES[i].run(&c);
        } else {
            CASES[i].bench(&c);
        }
        if (!c.list && !c.bench) {
            printf("%-12s %4u subjects %8u checks %6.2f s\n", CASES[i].name, c.subjects - subjects,
                   c.checks - checks, check_seconds() - begin);
        }
    }
    if (c.list || c.bench) return 0;
    printf("%u subjects, %u checks, %u failures\n", c.subjects, c.checks, c.failures);
    if (c.failures) printf("again: kernelcheck --seed %" PRIu64 "\n", c.seed);
    return c.failures || !c.subjects ? 1 : 0;
}
