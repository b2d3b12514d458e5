/* Page accounts. In: takes, holds, drops. Out: page numbers. */
#include "generate/pages.h"

ondol_status generate_pages_create(const ondol_allocator *a, uint32_t count, generate_pages *out,
                                   ondol_error *err) {
    generate_pages p = {.allocator = a, .count = count, .free_count = count};
    p.free_list = base_alloc(a, count, sizeof *p.free_list);
    p.holders = base_calloc(a, count, sizeof *p.holders);
    if (!p.free_list || !p.holders) {
        generate_pages_destroy(&p);
        return base_no_memory(err, "page accounts", 2 * (uint64_t)count * sizeof *p.holders);
    }
    /* The lowest page is taken first: memory is touched from its start. */
    for (uint32_t i = 0; i < count; i++)
        p.free_list[i] = count - 1 - i;
    *out = p;
    return ONDOL_OK;
}

void generate_pages_destroy(generate_pages *p) {
    if (!p->allocator) return;
    base_free(p->allocator, p->free_list);
    base_free(p->allocator, p->holders);
    *p = (generate_pages){0};
}

uint32_t generate_pages_take(generate_pages *p) {
    if (p->free_count == 0) return GENERATE_NO_PAGE;
    const uint32_t page = p->free_list[--p->free_count];
    p->holders[page] = 1;
    return page;
}

void generate_pages_hold(generate_pages *p, uint32_t page) {
    p->holders[page]++;
}

void generate_pages_drop(generate_pages *p, uint32_t page) {
    if (--p->holders[page] == 0) p->free_list[p->free_count++] = page;
}
