/* The one place that names all devices. In: a name. Out: a device. */
#include "device/registry.h"

#include <string.h>

#include "device/cpu/cpu_device.h"
#include "device/null/null_device.h"
#include "device/ref/ref_device.h"

ondol_status device_create(const char *name, const device_settings *settings, plan_device **out,
                           ondol_error *err) {
    const ondol_allocator *a = settings->allocator;
    if (strcmp(name, "cpu") == 0) {
        return cpu_device_create(a, settings->pool, settings->isa, out, err);
    }
    if (strcmp(name, "ref") == 0) return ref_device_create(a, settings->pool, false, out, err);
    if (strcmp(name, "ref:planned") == 0) {
        return ref_device_create(a, settings->pool, true, out, err);
    }
    if (strcmp(name, "null") == 0) return null_device_create(a, out, err);
    return base_fail(err, ONDOL_E_ARGUMENT,
                     "device '%s': expected auto, cpu, ref, ref:planned or null", name);
}

void device_destroy(plan_device *d) {
    if (d) d->ops->destroy(d);
}
