/* Inside of the searches: inputs and states of their subgraphs. */
#ifndef DEVICE_REF_MS_SEARCH_STATES_H
#define DEVICE_REF_MS_SEARCH_STATES_H

#include "device/ref/ops/ref_ms_search.h"

/* Input i of a subgraph; the input of that name (UINT32_MAX: there is none); the first that is a
 * state; whether a state is of the encoder, which stays as it is. */
const graph_value *ref_ms_search_input(const graph *g, uint32_t i);
uint32_t ref_ms_search_find(const graph *g, const char *name);
uint32_t ref_ms_search_first_state(const graph *g);
bool ref_ms_search_is_cross(const graph *g, uint32_t i);
/* The dimension of a state that counts rows. */
uint32_t ref_ms_search_row_axis(const tensor_value *v);

/* i32 [rows, columns], uninitialised. Errors: LIMIT, MEMORY. */
ondol_status ref_ms_search_ids(const plan_call *c, uint64_t rows, uint64_t columns,
                               tensor_value **out, ondol_error *err);
/* `count` rows of v along the axis: each `times` times, or those of from[count]. Errors: FORMAT,
 * LIMIT, MEMORY. */
ondol_status ref_ms_search_take(const plan_call *c, const tensor_value *v, uint32_t axis,
                                uint64_t times, const uint64_t *from, uint64_t count,
                                tensor_value **out, ondol_error *err);
/* Input i of the decoder becomes v, whose reference goes over. */
void ref_ms_search_set(ref_ms_search *s, uint32_t i, tensor_value *v);
/* Input 0 becomes the tokens of all rows from place `from` on. Errors: LIMIT, MEMORY. */
ondol_status ref_ms_search_set_tokens(const plan_call *c, ref_ms_search *s, uint64_t from,
                                      ondol_error *err);

/* The decoder's first inputs, of a prompt or of what the encoder gives. Errors: FORMAT, LIMIT,
 * MEMORY, those of the encoder. */
ondol_status ref_ms_search_begin_decoder(plan_call *c, const ref_ms_search_roles *r,
                                         ref_ms_search *s, const tensor_value *ids,
                                         ondol_error *err);
ondol_status ref_ms_search_begin_encoder(plan_call *c, const ref_ms_search_roles *r,
                                         ref_ms_search *s, tensor_value *ids, ondol_error *err);

#endif
