/* kernelcheck: every kernel, at every instruction set that this machine runs, against a plain
 * computation in double and against the scalar kernel's bits. One file check_<what>.c for each
 * family; a row in kernelcheck_cases.def. */
#ifndef KERNELCHECK_H
#define KERNELCHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cpu.h"

/* One thread at a time. */
typedef struct check {
    uint64_t seed, state; /* of the random numbers */
    const char *filter;   /* NULL: all */
    base_isa isa;         /* the highest level to check */
    bool list, bench;
    bool quick;       /* smaller shapes: for an emulated processor */
    const char *name; /* the subject, between check_begin and the next one */
    unsigned subjects, checks, failures, subject_failures;
} check;

typedef struct check_case {
    const char *name;
    void (*run)(check *c);
    void (*bench)(check *c);
} check_case;

/* Begins a subject, say "q4_0_p32_avx2": false when it is filtered out or only listed. The random
 * numbers start anew, from the seed and the name. */
bool check_begin(check *c, const char *name);

/* Counts one check; a failure prints the subject and the sentence (the first few of a subject). */
bool check_that(check *c, bool ok, const char *format, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 3, 4)))
#endif
    ;

/* The levels to check, in ascending order: *isa is the next one that c->isa runs. Start with
 * index 0; false at the end. */
bool check_next_isa(const check *c, unsigned *index, base_isa *isa);

uint32_t check_random(check *c);
uint32_t check_random_below(check *c, uint32_t limit);
float check_random_float(check *c, float low, float high);
/* Sum of uniform numbers, about a normal of that deviation. */
float check_random_normal(check *c, float deviation);

/* size bytes aligned to 64 plus offset, between guards filled with a pattern; the bytes too are
 * filled with it. Exits the program when there is no memory. */
void *check_alloc(size_t size, size_t offset);
/* False when a byte in front of or behind p's was changed. */
bool check_guards(const void *p);
void check_free(void *p);

/* Seconds of a steady clock, and cycles of the time stamp counter (0 where there is none). */
double check_seconds(void);
uint64_t check_cycles(void);

/* Measures f(argument): the least seconds of a call, over calls that take `seconds` together. */
double check_time(void (*f)(void *argument), void *argument, double seconds, uint64_t *cycles);

/* Equal bits, or both NaN. */
bool check_same_float(float a, float b);

#endif
