/* The program. In: --quick. Out: a table of versions, their speed, their share of the limit. */
#include "lab.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "base/cpu.h"

enum { ROUNDS = 7 };

void *lab_memory(size_t bytes, bool huge) {
    const size_t page = (size_t)2 << 20, size = (bytes + page - 1) / page * page;
    void *p = NULL;
    if (posix_memalign(&p, page, size)) {
        fputs("lab: out of memory\n", stderr);
        exit(1);
    }
    madvise(p, size, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
    memset(p, 0, size);
    return p;
}

float lab_random(void) {
    static uint64_t state = 1;
    float sum = 0;
    for (int i = 0; i < 4; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        sum += (float)(state >> 40) * 0x1p-24f - 0.5f;
    }
    return sum * 1.7320508f;
}

static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int by_value(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, int count) {
    qsort(values, (size_t)count, sizeof *values, by_value);
    return values[count / 2];
}

static bool is_right(const lab_kernel *k, const lab_version *v, const float *expected) {
    double worst = 0, most = 0;
    for (size_t i = 0; i < k->y_count; i++) {
        worst = fmax(worst, fabs((double)k->y[i] - (double)expected[i]));
        most = fmax(most, fabs((double)expected[i]));
    }
    if (v->rounds_otherwise) return worst <= k->tolerance * most;
    return memcmp(k->y, expected, k->y_count * sizeof *expected) == 0;
}

/* The limit before and behind each run: neighbours on the machine take from both alike. */
static void measure(const lab_kernel *k, const lab_version *v, int rounds) {
    double rates[ROUNDS], shares[ROUNDS], before = k->limit();
    for (int i = 0; i < rounds; i++) {
        const double begin = seconds();
        int runs = 0;
        do {
            v->run(k->problem);
            runs++;
        } while (rounds > 1 && seconds() - begin < 0.05);
        rates[i] = k->work * runs / (seconds() - begin);
        const double after = k->limit();
        shares[i] = rates[i] * 2 / (before + after);
        before = after;
    }
    printf("  %-10s %8.1f %5.1f %%  %s\n", v->name, median(rates, rounds) * 1e-9,
           100 * median(shares, rounds), v->what);
    fflush(stdout);
}

int lab_run(const lab_kernel *k, bool quick) {
    int wrong = 0;
    float *expected = malloc(k->y_count * sizeof *expected);
    if (!expected) return 1;
    k->versions[k->count - 1].run(k->problem);
    memcpy(expected, k->y, k->y_count * sizeof *expected);
    printf("%s, one thread; %s, share of the limit of %.1f\n", k->name, k->unit, k->limit() * 1e-9);
    for (size_t i = 0; i < k->count; i++) {
        const lab_version *v = k->versions + i;
        memset((void *)(uintptr_t)k->y, 0xff, k->y_count * sizeof *k->y);
        v->run(k->problem);
        if (!is_right(k, v, expected)) {
            printf("  %-10s differs from the library's kernel\n", v->name);
            wrong++;
        }
        measure(k, v, quick ? 1 : ROUNDS);
    }
    free(expected);
    return wrong;
}

int main(int argc, char **argv) {
    const bool quick = argc == 2 && strcmp(argv[1], "--quick") == 0;
    if (argc > 1 && !quick) {
        fputs("usage: lab [--quick]\n", stderr);
        return 2;
    }
    if (!base_isa_runs(base_cpu_isa(), BASE_ISA_AVX512VNNI)) {
        puts("lab: this processor has no AVX-512 VNNI, which the versions are written for");
        return 77;
    }
    return lab_prefill(quick) + lab_decode(quick) + lab_attention(quick) != 0;
}
