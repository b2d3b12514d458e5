/* Buffers of devices that compute in host memory. */
#ifndef DEVICE_HOST_BUFFER_H
#define DEVICE_HOST_BUFFER_H

#include "plan/device.h"

/* Memory as it comes (large caches take none until they are written), 64-byte aligned, with slack
 * for kernels that read past the end. Errors: MEMORY. */
ondol_status host_buffer_create(const ondol_allocator *a, uint64_t size_bytes, plan_buffer **out,
                                ondol_error *err);
void host_buffer_destroy(const ondol_allocator *a, plan_buffer *b);
/* Errors: ARGUMENT when the range is not in the buffer. */
ondol_status host_buffer_upload(plan_buffer *b, uint64_t offset, const void *from,
                                uint64_t size_bytes, ondol_error *err);
ondol_status host_buffer_read_back(const plan_buffer *b, uint64_t offset, void *to,
                                   uint64_t size_bytes, ondol_error *err);

ondol_status host_buffer_copy(plan_buffer *to, uint64_t to_offset, const plan_buffer *from,
                              uint64_t from_offset, uint64_t size_bytes, ondol_error *err);

/* The encoding in which a weight's bytes are read: its own, or that of its plain element type.
 * False when it has neither. */
bool host_weight_encoding(const graph_value *v, tensor_encoding *out);

/* Address of plan value v's first element: scratch, constant, or array of the step block. */
void *host_value_address(const plan *p, uint32_t v, const plan_binding *binding);

#endif
