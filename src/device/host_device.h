/* What the devices that compute in host memory share: buffers, recorded plans, and steps cut into
 * units that the threads of a pool take as they are free. A device adds its steps. */
#ifndef DEVICE_HOST_DEVICE_H
#define DEVICE_HOST_DEVICE_H

#include "base/thread.h"
#include "plan/plan.h"

typedef struct host_device host_device;

/* What one unit of a step sees. */
typedef struct host_context {
    const host_device *device;
    const plan *p;
    const plan_binding *binding;
    const plan_step *step;
    unsigned phase;
    uint32_t unit, units;
    void *work; /* step_work_bytes at least, 64-byte aligned, of this thread alone */
} host_context;

struct host_device {
    plan_device base;
    const ondol_allocator *allocator;
    base_pool *pool; /* NULL: nothing is computed */
    /* Attention comes in phases 0 and 1, one after the other; for all else phase is 0. */
    void (*step_run)(const host_context *c);
    /* Units worth cutting the step into, at least 1; c's unit and units are not set. What a unit
     * computes must not depend on their number. */
    uint32_t (*step_units)(const host_context *c);
    uint64_t (*step_work_bytes)(const plan *p, const plan_step *s);
    unsigned char *work; /* [threads][work_bytes] */
    uint64_t work_bytes; /* a multiple of 64 */
};

/* Frees what this file has made. */
void host_device_release(host_device *d);

/* For a device's plan_device_ops. d begins with a host_device. */
ondol_status host_device_buffer_create(plan_device *d, uint64_t size_bytes, plan_buffer **out,
                                       ondol_error *err);
void host_device_buffer_destroy(plan_device *d, plan_buffer *b);
ondol_status host_device_upload(plan_device *d, plan_buffer *b, uint64_t offset, const void *from,
                                uint64_t size_bytes, ondol_error *err);
ondol_status host_device_read_back(plan_device *d, const plan_buffer *b, uint64_t offset, void *to,
                                   uint64_t size_bytes, ondol_error *err);
ondol_status host_device_copy(plan_device *d, plan_buffer *to, uint64_t to_offset,
                              const plan_buffer *from, uint64_t from_offset, uint64_t size_bytes,
                              ondol_error *err);
ondol_status host_device_record(plan_device *d, const plan *p, uint32_t first, uint32_t end,
                                const plan_binding *binding, plan_recorded **out, ondol_error *err);
void host_device_recorded_destroy(plan_device *d, plan_recorded *r);
ondol_status host_device_submit(plan_device *d, plan_recorded *r, uint64_t *fence,
                                ondol_error *err);
ondol_status host_device_wait(plan_device *d, uint64_t fence, ondol_error *err);

/* ---- for steps ---- */

/* Address of plan value v's first element: scratch, constant, or array of the step block; NULL for
 * PLAN_NONE. */
void *host_value_address(const host_context *c, uint32_t v);

/* Rows of plan value v from first_row on. */
typedef struct host_rows {
    float *at;
    size_t stride;
    uint32_t columns;
} host_rows;
host_rows host_value_rows(const host_context *c, uint32_t v, uint32_t first_row);

/* The unit's share of `count` things: [*first, *end). */
void host_share(const host_context *c, uint64_t count, uint64_t *first, uint64_t *end);

/* Units for `count` things of which `worth` keep a thread busy for some microseconds: no more than
 * a few for each thread, so that late ones leave little behind. */
uint32_t host_units(const host_context *c, uint64_t count, uint64_t worth);

/* Page p of a sequence's table holds its tokens from p * page_tokens on. */
const uint32_t *host_page_table(const host_context *c, uint32_t group, uint32_t sequence);

/* The layer's first byte in page 0 of its pool. */
unsigned char *host_layer_pool(const host_context *c, const plan_kv_layer *layer);

/* RotaryRows for rows [first, first + rows) of the step. */
void host_rotary_rows(const host_context *c, uint32_t first, uint32_t rows);

#endif
