/* The pages of one group of layers: which are free, and how many sequences hold each. Memory lies
 * with the device; here are numbers alone. Thread class: one thread at a time. */
#ifndef GENERATE_PAGES_H
#define GENERATE_PAGES_H

#include "base/mem.h"

#define GENERATE_NO_PAGE UINT32_MAX

typedef struct generate_pages {
    const ondol_allocator *allocator;
    uint32_t *free_list; /* [count]; the first free_count of it are free */
    uint32_t *holders;   /* [count] */
    uint32_t count, free_count;
} generate_pages;

/* Errors: MEMORY. */
ondol_status generate_pages_create(const ondol_allocator *a, uint32_t count, generate_pages *out,
                                   ondol_error *err);
/* Takes a zeroed one. */
void generate_pages_destroy(generate_pages *p);

/* A free page with one holder, GENERATE_NO_PAGE when there is none. */
uint32_t generate_pages_take(generate_pages *p);
/* One holder more, one holder less (the last one frees it). */
void generate_pages_hold(generate_pages *p, uint32_t page);
void generate_pages_drop(generate_pages *p, uint32_t page);

#endif
