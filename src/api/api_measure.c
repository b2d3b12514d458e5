/* The machine's limits. In: an engine. Out: what its threads can read and multiply at most. */
#include "api/api_internal.h"
#include "device/cpu/measure.h"

ondol_status ondol_engine_measure(ondol_engine *engine, double *read_bytes_per_s,
                                  double *int8_ops_per_s, ondol_error *err) {
    base_mutex_lock(engine->step_lock);
    ondol_status status = cpu_measure_read(&engine->allocator, engine->pool, read_bytes_per_s, err);
    if (status == ONDOL_OK) *int8_ops_per_s = cpu_measure_int8(engine->pool, engine->isa);
    base_mutex_unlock(engine->step_lock);
    return status;
}
