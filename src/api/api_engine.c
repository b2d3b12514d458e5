/* Engines. In: options. Out: threads, devices, a lock that steps take turns by. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api_internal.h"
#include "base/os.h"

#define THREADS_MAX 1024u

#define TEXT_OF(number)  #number
#define VERSION(a, b, c) TEXT_OF(a) "." TEXT_OF(b) "." TEXT_OF(c)

const char *ondol_version(void) {
    return VERSION(ONDOL_VERSION_MAJOR, ONDOL_VERSION_MINOR, ONDOL_VERSION_PATCH);
}

const char *ondol_status_name(ondol_status status) {
    return base_status_name(status);
}

void api_log(const ondol_engine *e, ondol_log_level level, const char *format, ...) {
    char line[512];
    va_list arguments;
    if (!e->log) return;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    e->log(e->log_user, level, line);
}

static const char *or_environment(const char *value, const char *name, const char *otherwise) {
    if (value) return value;
    value = getenv(name);
    return value && *value ? value : otherwise;
}

static ondol_status choose_isa(ondol_engine *e, const char *name, ondol_error *err) {
    base_isa wanted = BASE_ISA_SCALAR;
    e->isa = base_cpu_isa();
    if (!name) return ONDOL_OK;
    ondol_status status = base_isa_parse(name, &wanted, err);
    if (status != ONDOL_OK) return status;
    if (base_isa_runs(e->isa, wanted)) {
        e->isa = wanted;
    } else {
        api_log(e, ONDOL_LOG_WARNING, "this processor has no %s; using %s", name,
                base_isa_name(e->isa));
    }
    return ONDOL_OK;
}

/* "auto" is cpu, with the oracle behind it for what cpu lacks. */
static ondol_status create_devices(ondol_engine *e, const char *name, ondol_error *err) {
    const device_settings settings = {&e->allocator, e->pool, e->isa};
    const bool automatic = strcmp(name, "auto") == 0;
    ondol_status status = device_create(automatic ? "cpu" : name, &settings, e->devices, err);
    if (status != ONDOL_OK) return status;
    e->device_count = 1;
    if (automatic || strcmp(name, "cpu") == 0) {
        status = device_create("ref", &settings, e->devices + 1, err);
        if (status == ONDOL_OK) e->device_count = 2;
    }
    return status;
}

static ondol_status fill(ondol_engine *e, const ondol_engine_options *o, ondol_error *err) {
    ondol_status status = ONDOL_OK;
    const uint32_t threads = o->threads ? o->threads : base_processor_count();
    if (o->threads > THREADS_MAX) {
        return base_fail(err, ONDOL_E_ARGUMENT, "%u threads: expected at most %u", o->threads,
                         THREADS_MAX);
    }
    TRY(choose_isa(e, or_environment(o->isa, "ONDOL_ISA", NULL), err));
    base_cpu_model(e->processor, sizeof e->processor);
    e->step_lock = base_mutex_create(&e->allocator);
    if (!e->step_lock) return base_no_memory(err, "engine", sizeof *e);
    TRY(base_pool_create(&e->allocator, threads < THREADS_MAX ? threads : THREADS_MAX, &e->pool,
                         err));
    TRY(create_devices(e, or_environment(o->device, "ONDOL_DEVICE", "auto"), err));
done:
    return status;
}

ondol_status ondol_engine_create(const ondol_engine_options *options, ondol_engine **out,
                                 ondol_error *err) {
    ondol_engine_options o = ONDOL_ENGINE_OPTIONS_INIT;
    ondol_status status = api_options_take(options, sizeof o, &o, "ondol_engine_options", err);
    if (status != ONDOL_OK) return status;
    const ondol_allocator a = o.allocator ? *o.allocator : base_default_allocator();
    ondol_engine *e = base_calloc(&a, 1, sizeof *e);
    if (!e) return base_no_memory(err, "engine", sizeof *e);
    e->allocator = a;
    e->log = o.log;
    e->log_user = o.log_user;
    atomic_init(&e->references, 1);
    status = fill(e, &o, err);
    if (status != ONDOL_OK) {
        api_engine_release(e);
        return status;
    }
    *out = e;
    return ONDOL_OK;
}

void api_engine_retain(ondol_engine *e) {
    atomic_fetch_add(&e->references, 1);
}

void api_engine_release(ondol_engine *e) {
    if (!e || atomic_fetch_sub(&e->references, 1) != 1) return;
    for (uint32_t i = 0; i < e->device_count; i++)
        device_destroy(e->devices[i]);
    base_pool_destroy(e->pool);
    base_mutex_destroy(e->step_lock);
    const ondol_allocator a = e->allocator;
    base_free(&a, e);
}

void ondol_engine_destroy(ondol_engine *engine) {
    api_engine_release(engine);
}

/* What every build has, whether or not this engine uses it. */
static const char *const device_names[] = {"cpu", "ref"};

size_t ondol_engine_device_count(const ondol_engine *engine) {
    (void)engine;
    return sizeof device_names / sizeof *device_names;
}

ondol_status ondol_engine_device(const ondol_engine *engine, size_t index, ondol_device_info *out,
                                 ondol_error *err) {
    if (index >= ondol_engine_device_count(engine)) {
        return base_fail(err, ONDOL_E_ARGUMENT, "device %zu: there are %zu", index,
                         ondol_engine_device_count(engine));
    }
    const bool cpu = index == 0;
    const ondol_device_info info = {
        .name = device_names[index],
        .description = cpu ? engine->processor : "scalar oracle, sums in double",
        .isa = cpu ? base_isa_name(engine->isa) : "",
        .threads = base_pool_thread_count(engine->pool),
        .memory_bytes = base_memory_total_bytes(),
        .chosen = strcmp(engine->devices[0]->ops->name, device_names[index]) == 0};
    return api_info_give(&info, sizeof info, out, err);
}

uint64_t ondol_process_peak_bytes(void) {
    return base_memory_peak_bytes();
}
