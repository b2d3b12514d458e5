/* Placement, and weights made ready. In: a lowered graph and devices in order of preference. Out:
 * a device for each node, and for each weight what that device computes with. */
#include <inttypes.h>

#include <string.h>

#include "base/map.h"
#include "graph/ops.h"
#include "plan/plan.h"

ondol_status plan_place(plan_device *const *devices, uint32_t device_count, const graph *g,
                        graph_node_id n, uint32_t *device, plan_choice *choice, base_buffer *why,
                        ondol_error *err) {
    for (uint32_t i = 0; i < device_count; i++) {
        if (why) base_buffer_append_format(why, "  %s: ", devices[i]->ops->name);
        if (devices[i]->ops->accept(devices[i], g, n, choice, why)) {
            if (why) base_buffer_append_format(why, "%s\n", choice->kernel);
            *device = i;
            return ONDOL_OK;
        }
        if (why) base_buffer_append_text(why, " declined\n");
    }
    return base_fail(err, ONDOL_E_UNSUPPORTED, "no device computes node '%s' (%s)",
                     g->nodes[n].name, graph_op_info_of(g->nodes[n].op)->name);
}

/* Inputs of the node that are looked up or multiplied with, in the way that only devices know. */
static bool is_weight_input(const graph_node *n, uint32_t i) {
    if (n->op == GRAPH_OP_O_MATMUL) return i % 2 == 1;
    return n->op == GRAPH_OP_O_EMBED && i == 1;
}

typedef struct maker {
    plan_weights *w;
    bool counting; /* weights are counted, not made */
    plan_weights_options o;
    plan_store store;
    uint64_t done, total;         /* bytes of the file */
    uint64_t stored, fingerprint; /* bytes of the store so far; of what lies in it */
} maker;

/* Where the next weight of that many bytes lies in the store. */
static plan_place_of take_place(maker *m, const graph_value *v, const plan_device *d,
                                uint64_t bytes) {
    const plan_place_of place = {(char *)m->store.data + m->stored, bytes, m->store.filled};
    if (m->counting) {
        const uint64_t seed[2] = {m->fingerprint, bytes};
        const uint64_t hash = base_siphash(seed, v->name, strlen(v->name));
        m->fingerprint = base_siphash((const uint64_t[2]){hash, (uint64_t)v->shape.dims[0]},
                                      d->ops->name, strlen(d->ops->name));
    }
    m->stored += (bytes + 63) / 64 * 64;
    return place;
}

/* Weight v of one device: a step finds it by v alone, so no other device can hold it as well. */
static ondol_status make_one(maker *m, graph_value_id v, uint32_t device, bool matrix,
                             ondol_error *err) {
    plan_weights *w = m->w;
    const graph_value *value = w->source->values + v;
    plan_device *d = w->devices[device];
    uint32_t *holder = w->item_devices + v;
    if (*holder == device) return ONDOL_OK;
    if (*holder != PLAN_NONE) {
        return base_fail(err, ONDOL_E_UNSUPPORTED,
                         "tensor '%s' is used on device %s and on device %s; expected one",
                         value->name, w->devices[*holder]->ops->name, d->ops->name);
    }
    *holder = device;
    const uint64_t bytes = d->ops->weight_bytes(d, value, matrix);
    const plan_place_of place = take_place(m, value, d, bytes);
    if (m->counting) {
        w->memory_bytes += bytes;
        m->total += value->data_bytes;
        return ONDOL_OK;
    }
    const bool placed = m->store.data && bytes;
    ondol_status status =
        d->ops->weight_create(d, value, matrix, placed ? &place : NULL, w->items + v, err);
    if (status != ONDOL_OK) return base_prefix(err, status, "tensor '%s'", value->name);
    w->memory_bytes += w->items[v]->memory_bytes;
    m->done += value->data_bytes;
    if (m->o.progress && m->o.progress(m->o.user, value, w->items[v]->borrows, m->done, m->total)) {
        return base_fail(err, ONDOL_E_CANCELLED,
                         "opening was stopped at %" PRIu64 " of %" PRIu64 " bytes", m->done,
                         m->total);
    }
    return ONDOL_OK;
}

/* Matrices first: a table that is multiplied with too (tied embeddings) then exists once. */
static ondol_status make_all(maker *m, graph_op op, ondol_error *err) {
    const graph *g = m->w->source;
    for (graph_node_id n = 0; n < g->node_count; n++) {
        if (g->nodes[n].op != op) continue;
        uint32_t device = 0;
        plan_choice choice;
        ondol_status status =
            plan_place(m->w->devices, m->w->device_count, g, n, &device, &choice, NULL, err);
        for (uint32_t i = 0; i < g->nodes[n].input_count && status == ONDOL_OK; i++) {
            if (!is_weight_input(g->nodes + n, i)) continue;
            status = make_one(m, g->nodes[n].inputs[i], device, op == GRAPH_OP_O_MATMUL, err);
        }
        if (status != ONDOL_OK) return status;
    }
    return ONDOL_OK;
}

static void forget_holders(plan_weights *w) {
    for (uint32_t i = 0; i < w->source->value_count; i++)
        w->item_devices[i] = PLAN_NONE;
}

static ondol_status create_blank(const ondol_allocator *a, const graph *g,
                                 plan_device *const *devices, uint32_t device_count,
                                 plan_weights **out, ondol_error *err) {
    plan_weights *w = base_calloc(a, 1, sizeof *w);
    if (!w) return base_no_memory(err, "weights", sizeof *w);
    *w = (plan_weights){.allocator = a, .source = g, .devices = devices};
    w->device_count = device_count;
    w->items = base_calloc(a, g->value_count, sizeof *w->items);
    w->item_devices = base_alloc(a, g->value_count, sizeof *w->item_devices);
    if (!w->items || !w->item_devices) {
        plan_weights_destroy(w);
        return base_no_memory(err, "weights", g->value_count * sizeof *w->items);
    }
    forget_holders(w);
    *out = w;
    return ONDOL_OK;
}

static ondol_status go_through(maker *m, ondol_error *err) {
    ondol_status status = make_all(m, GRAPH_OP_O_MATMUL, err);
    return status == ONDOL_OK ? make_all(m, GRAPH_OP_O_EMBED, err) : status;
}

ondol_status plan_weights_create_empty(const ondol_allocator *a, const graph *g,
                                       plan_device *const *devices, uint32_t device_count,
                                       plan_weights **out, ondol_error *err) {
    maker m = {.counting = true};
    ondol_status status = ONDOL_OK;
    TRY(create_blank(a, g, devices, device_count, &m.w, err));
    TRY(go_through(&m, err));
    *out = m.w;
    return ONDOL_OK;
done:
    plan_weights_destroy(m.w);
    return status;
}

ondol_status plan_weights_create(const ondol_allocator *a, const graph *g,
                                 plan_device *const *devices, uint32_t device_count,
                                 const plan_weights_options *options, plan_weights **out,
                                 ondol_error *err) {
    maker m = {.counting = true, .o = *options};
    ondol_status status = ONDOL_OK;
    TRY(create_blank(a, g, devices, device_count, &m.w, err));
    TRY(go_through(&m, err)); /* what there is to do, before it is done */
    if (m.stored && m.o.store) TRY(m.o.store(m.o.user, m.stored, m.fingerprint, &m.store, err));
    m.counting = false;
    m.stored = 0;
    m.w->memory_bytes = 0;
    forget_holders(m.w);
    TRY(go_through(&m, err));
    *out = m.w;
    return ONDOL_OK;
done:
    plan_weights_destroy(m.w);
    return status;
}

void plan_weights_destroy(plan_weights *w) {
    if (!w) return;
    base_free(w->allocator, w->times);
    for (uint32_t i = 0; w->items && i < w->source->value_count; i++) {
        if (!w->items[i]) continue;
        plan_device *d = w->devices[w->item_devices[i]];
        d->ops->weight_destroy(d, w->items[i]);
    }
    base_free(w->allocator, w->items);
    base_free(w->allocator, w->item_devices);
    base_free(w->allocator, w);
}
