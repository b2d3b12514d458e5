/* Runs a fuzz target without a fuzzer: each seed of a folder as it is, then damaged in ways that
 * the run number alone decides, so that a failure repeats. In: folder, mutations of each seed, and,
 * to repeat one, a seed file and a mutation number. */
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "fuzz.h"

#define SEED_BYTES_MAX (16u << 20)
#define GROWTH_BYTES   256u /* room for what mutations insert */

static uint64_t next_random(uint64_t *state) { /* splitmix64, Steele et al. 2014 */
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* Numbers at which counts, lengths and sizes go wrong. */
static const uint64_t extremes[] = {0,          1,          0x7f,           0x80,
                                    0xff,       0x7fff,     0x8000,         0xffff,
                                    0x7fffffff, 0x80000000, 0xffffffff,     1ull << 61,
                                    INT64_MAX,  1ull << 63, UINT64_MAX - 7, UINT64_MAX};

static void put_number(uint8_t *p, uint64_t value, size_t n_bytes, int big_endian) {
    for (size_t i = 0; i < n_bytes; i++)
        p[big_endian ? n_bytes - 1 - i : i] = (uint8_t)(value >> (8 * i));
}

/* One damage to data[0..size); returns the new size, at most size + 16. */
static size_t mutate(uint8_t *data, size_t size, uint64_t *state) {
    const uint64_t kind = next_random(state) % 8, choice = next_random(state);
    if (size == 0) {
        data[0] = (uint8_t)choice;
        return 1;
    }
    const size_t at = next_random(state) % size, left = size - at;
    const size_t width = (size_t)1 << choice % 4;
    const uint64_t number = extremes[(choice >> 8) % (sizeof extremes / sizeof *extremes)];
    size_t n = (size_t)(choice >> 16) % 16 + 1;
    if (n > left) n = left;
    switch (kind) {
    case 0: data[at] ^= (uint8_t)(1u << choice % 8); return size;
    case 1: data[at] = (uint8_t)choice; return size;
    case 2:
    case 3:
        if (width <= left) put_number(data + at, number, width, choice >> 40 & 1);
        return size;
    case 4: return at; /* cut off */
    case 5: /* taken out */ memmove(data + at, data + at + n, left - n); return size - n;
    case 6: /* said twice */ memmove(data + at + n, data + at, left); return size + n;
    default: /* copied over another place */
        memmove(data + at, data + next_random(state) % (size - n + 1), n);
        return size;
    }
}

static void run_mutation(const uint8_t *seed, size_t size, uint64_t number) {
    uint64_t state = number * 0x2545f4914f6cdd1du + size;
    uint8_t *work = malloc(size + GROWTH_BYTES);
    if (!work) abort();
    memcpy(work, seed, size);
    size_t n = size;
    const uint64_t rounds = number == 0 ? 0 : next_random(&state) % 8 + 1;
    for (uint64_t i = 0; i < rounds; i++)
        n = mutate(work, n, &state);
    /* A block of exactly n bytes, so that a sanitizer sees the first byte too far. */
    uint8_t *exact = malloc(n ? n : 1);
    if (!exact) abort();
    memcpy(exact, work, n);
    free(work);
    LLVMFuzzerTestOneInput(exact, n);
    free(exact);
}

/* The bytes of a file; exits when they cannot be had. */
static uint8_t *read_seed(const char *path, size_t *size) {
    FILE *f = fopen(path, "rb");
    uint8_t *data = malloc(SEED_BYTES_MAX);
    if (!f || !data) {
        perror(path);
        exit(1);
    }
    *size = fread(data, 1, SEED_BYTES_MAX, f);
    fclose(f);
    return data;
}

static int is_file(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

static void run_seed(const char *path, uint64_t first, uint64_t last) {
    size_t size = 0;
    uint8_t *seed = read_seed(path, &size);
    /* The last path and number on stderr tell how to repeat a crash. */
    fprintf(stderr, "%s:", path);
    for (uint64_t number = first; number <= last; number++) {
        fprintf(stderr, " %" PRIu64, number);
        run_mutation(seed, size, number);
    }
    fprintf(stderr, "\n");
    free(seed);
}

int main(int argc, char **argv) {
    if (argc != 3) {
        fprintf(stderr,
                "usage: %s FOLDER MUTATIONS   runs each seed and its mutations 1 to "
                "MUTATIONS\n       %s FILE NUMBER        runs one mutation (0: none)\n",
                argv[0], argv[0]);
        return 2;
    }
    const uint64_t number = strtoull(argv[2], NULL, 10);
    if (is_file(argv[1])) {
        run_seed(argv[1], number, number);
        return 0;
    }
    struct dirent **entries = NULL;
    const int n = scandir(argv[1], &entries, NULL, alphasort);
    unsigned seeds = 0;
    for (int i = 0; i < n; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", argv[1], entries[i]->d_name);
        if (is_file(path)) {
            run_seed(path, 0, number);
            seeds++;
        }
        free(entries[i]);
    }
    free(entries);
    fprintf(stderr, "%u seeds, %" PRIu64 " mutations of each\n", seeds, number);
    return seeds > 0 ? 0 : 1; /* a folder without seeds tests nothing */
}
