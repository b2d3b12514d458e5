/* lab: what each idea in a hot kernel is worth. A kernel is a row of versions on the same problem,
 * from the plain one to the library's; docs/kernels.md tells the story. */
#ifndef LAB_H
#define LAB_H

#include <stdbool.h>
#include <stddef.h>

typedef struct lab_version {
    const char *name, *what;
    void (*run)(void *problem);
    bool rounds_otherwise; /* within `tolerance` of the library's; otherwise the same bits */
} lab_version;

typedef struct lab_kernel {
    const char *name, *unit;
    double (*limit)(void); /* what one thread can do at most, measured now; units per second */
    double work;           /* units of one run */
    void *problem;
    const lab_version *versions; /* the last one is the library's */
    size_t count;
    const float *y; /* what a run gives */
    size_t y_count;
    double tolerance; /* of the largest y */
} lab_kernel;

/* Checks every version, then times it beside the limit. quick: checks, and times one run. Returns
 * the versions that are wrong. */
int lab_run(const lab_kernel *k, bool quick);

/* One thread: int8 operations, float operations, bytes read from memory, each a second. */
double lab_limit_int8(void);
double lab_limit_float(void);
double lab_limit_read(void);

int lab_prefill(bool quick);
int lab_decode(bool quick);
int lab_attention(bool quick);

/* Memory on huge pages where the system has them, or on small ones; never NULL. */
void *lab_memory(size_t bytes, bool huge);
float lab_random(void); /* about normal, the same numbers in each run of the program */

#endif
