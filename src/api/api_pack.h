/* Packed weights that are kept from run to run, in a file of their own. */
#ifndef API_PACK_H
#define API_PACK_H

#include "base/file.h"
#include "base/thread.h"
#include "plan/plan.h"

typedef struct api_pack api_pack;

/* Weights of a model whose files have that identity (`file` is the first of them; it may be NULL),
 * packed for an instruction set, in a folder; folder NULL or identity 0: in memory alone.
 * Errors: MEMORY. */
ondol_status api_pack_create(const ondol_allocator *a, base_pool *pool, const char *folder,
                             const char *file, uint64_t identity, const char *isa, api_pack **out,
                             ondol_error *err);
/* Waits until what is being written is there. Behind the weights; takes NULL. */
void api_pack_destroy(api_pack *p);

/* A plan_store_open, user: the api_pack. The file of an earlier run where it fits, else memory. */
ondol_status api_pack_open(void *user, uint64_t bytes, uint64_t fingerprint, plan_store *out,
                           ondol_error *err);
/* Whether the store came out of a file. */
bool api_pack_is_filled(const api_pack *p);
/* The file does not hold these weights: the next open gives memory, and keeping replaces it. */
void api_pack_forget(api_pack *p);
/* Writes what has been packed, beside the steps that follow; when that fails nothing is kept. Files
 * in the folder whose model is no longer there, or was written anew, are removed. */
void api_pack_keep(api_pack *p);

#endif
