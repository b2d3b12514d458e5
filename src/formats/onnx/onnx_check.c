/* Rules on a model. In: the structures of a file. Out: the first rule of the specification that is
 * broken, in a sentence. */
#include "formats/onnx/onnx_check.h"

#include <inttypes.h>

#include "formats/onnx/onnx_checking.h"

ondol_status onnx_checking_imports(onnx_checking *c, const onnx_operator_set_list *list,
                                   onnx_check_body *body) {
    for (size_t i = 0; i < list->count; i++) {
        const onnx_operator_set *o = list->items + i;
        bool found = false; /* of two imports of a domain the higher one counts */
        if (o->version < INT32_MIN || o->version > INT32_MAX) {
            return base_fail(c->err, ONDOL_E_FORMAT,
                             "operator set '%.*s': version %" PRId64 ", expected 31 bits",
                             ONNX_BRIEF(o->domain), o->version);
        }
        ondol_status status = onnx_checking_name(c, &body->domains, o->domain, 0, &found);
        if (status != ONDOL_OK) return status;
    }
    return ONDOL_OK;
}

static ondol_status check_versions(onnx_checking *c, onnx_check_body *body) {
    const onnx_model_proto *m = c->model;
    bool found = false;
    if (m->ir_version < 1 || m->ir_version > ONNX_IR_VERSION_MAX) {
        return base_fail(c->err, ONDOL_E_FORMAT, "IR version %" PRId64 ", expected 1 to %d",
                         m->ir_version, ONNX_IR_VERSION_MAX);
    }
    if (m->ir_version >= 3 && m->opset_import.count == 0) {
        return base_fail(c->err, ONDOL_E_FORMAT,
                         "no operator set is imported, as a model has to from IR version 3 on");
    }
    if (m->ir_version < 3 && m->opset_import.count > 0) {
        return base_fail(
            c->err, ONDOL_E_FORMAT,
            "operator sets are imported, which came with IR version 3; this is %" PRId64,
            m->ir_version);
    }
    if (m->ir_version < 3) { /* version 1 of the default one */
        return onnx_checking_name(c, &body->domains, (onnx_string){"", 0}, 0, &found);
    }
    return onnx_checking_imports(c, &m->opset_import, body);
}

static ondol_status check_metadata(onnx_checking *c) {
    const onnx_string_entry_list *list = &c->model->metadata_props;
    ondol_status status = ONDOL_OK;
    base_map keys;
    base_map_init(&keys, c->allocator);
    for (size_t i = 0; i < list->count; i++) {
        bool found = false;
        TRY(onnx_checking_name(c, &keys, list->items[i].key, 0, &found));
        if (!found) continue;
        TRY(base_fail(c->err, ONDOL_E_FORMAT, "metadata '%.*s' is there twice",
                      ONNX_BRIEF(list->items[i].key)));
    }
done:
    base_map_destroy(&keys);
    return status;
}

/* ---- training ---- */

static ondol_status add_initializers(onnx_checking *c, base_map *names, const onnx_graph *g) {
    for (size_t i = 0; g && i < g->initializer.count; i++) {
        bool found = false;
        ondol_status status = onnx_checking_name(c, names, g->initializer.items[i].name, 0, &found);
        if (status != ONDOL_OK) return status;
    }
    return ONDOL_OK;
}

static ondol_status add_outputs(onnx_checking *c, base_map *names, const onnx_graph *g) {
    for (size_t i = 0; g && i < g->output.count; i++) {
        bool found = false;
        ondol_status status = onnx_checking_name(c, names, g->output.items[i].name, 0, &found);
        if (status != ONDOL_OK) return status;
    }
    return ONDOL_OK;
}

/* Names of the model's own graph that bindings may use, and those that were bound. */
typedef struct training_names {
    base_map initializers, outputs, initialized, updated;
} training_names;

/* Each key is an initializer of the model or of `algorithm`, and is bound once; each value is an
 * output of `from`, or of the model where `own` says so. */
static ondol_status check_bindings(onnx_checking *c, const onnx_string_entry_list *list,
                                   const onnx_graph *algorithm, const onnx_graph *from, bool own,
                                   training_names *names) {
    base_map *bound = own ? &names->updated : &names->initialized;
    base_map initializers, outputs;
    ondol_status status = ONDOL_OK;
    base_map_init(&initializers, c->allocator);
    base_map_init(&outputs, c->allocator);
    TRY(add_initializers(c, &initializers, algorithm));
    TRY(add_outputs(c, &outputs, from));
    for (size_t i = 0; i < list->count; i++) {
        const onnx_string_entry *e = list->items + i;
        const char *fault = NULL;
        bool found = false;
        TRY(onnx_checking_name(c, bound, e->key, 0, &found));
        if (found) fault = "is bound twice";
        if (!onnx_checking_knows(&initializers, e->key) &&
            !onnx_checking_knows(&names->initializers, e->key)) {
            fault = "is no initializer";
        }
        if (!onnx_checking_knows(&outputs, e->value) &&
            !(own && onnx_checking_knows(&names->outputs, e->value))) {
            fault = "is bound to what is no output";
        }
        if (!fault) continue;
        TRY(base_fail(c->err, ONDOL_E_FORMAT, "training: '%.*s' %s", ONNX_BRIEF(e->key), fault));
    }
done:
    base_map_destroy(&initializers);
    base_map_destroy(&outputs);
    return status;
}

/* A graph of training; outer: what its nodes see besides, or NULL. */
static ondol_status check_part(onnx_checking *c, const onnx_graph *g,
                               const onnx_check_scope *outer) {
    if (!g || (g->node.count == 0 && g->name.size_bytes == 0))
        return ONDOL_OK; /* empty by default */
    onnx_check_scope scope = {.outer = outer};
    base_map_init(&scope.names, c->allocator);
    ondol_status status = onnx_checking_graph(c, g, &scope, false);
    base_map_destroy(&scope.names);
    return base_prefix(c->err, status, "training");
}

static ondol_status check_training(onnx_checking *c, const onnx_check_scope *scope) {
    const onnx_training_info_list *list = &c->model->training_info;
    training_names names;
    ondol_status status = ONDOL_OK;
    base_map *const maps[] = {&names.initializers, &names.outputs, &names.initialized,
                              &names.updated};
    if (list->count == 0) return ONDOL_OK;
    for (size_t i = 0; i < sizeof maps / sizeof *maps; i++)
        base_map_init(maps[i], c->allocator);
    TRY(add_initializers(c, &names.initializers, c->model->graph));
    TRY(add_outputs(c, &names.outputs, c->model->graph));
    for (size_t i = 0; i < list->count; i++) {
        const onnx_training_info *t = list->items + i;
        TRY(check_part(c, t->initialization, NULL));
        TRY(check_part(c, t->algorithm, scope));
        TRY(check_bindings(c, &t->initialization_binding, t->algorithm, t->initialization, false,
                           &names));
        TRY(check_bindings(c, &t->update_binding, t->algorithm, t->algorithm, true, &names));
    }
done:
    for (size_t i = 0; i < sizeof maps / sizeof *maps; i++)
        base_map_destroy(maps[i]);
    return status;
}

/* ---- the model ---- */

static ondol_status check_parts(onnx_checking *c, onnx_check_body *body, onnx_check_scope *scope) {
    ondol_status status = ONDOL_OK;
    TRY(check_versions(c, body));
    TRY(check_metadata(c));
    if (!c->model->graph) TRY(base_fail(c->err, ONDOL_E_FORMAT, "the model has no graph"));
    TRY(onnx_checking_functions(c));
    TRY(onnx_checking_graph(c, c->model->graph, scope, true));
    TRY(check_training(c, scope));
done:
    return status;
}

void onnx_checking_open(onnx_checking *c, const ondol_allocator *a, ondol_error *err) {
    *c = (onnx_checking){.allocator = a, .err = err};
    base_map_init(&c->functions, a);
    base_arena_init(&c->arena, a, 0);
}

void onnx_checking_close(onnx_checking *c) {
    base_map_destroy(&c->functions);
    base_arena_destroy(&c->arena);
}

ondol_status onnx_check_model(const ondol_allocator *a, const onnx_model_proto *model,
                              onnx_file *file, ondol_error *err) {
    onnx_checking c;
    onnx_check_body body = {0};
    onnx_check_scope scope = {0};
    onnx_checking_open(&c, a, err);
    base_map_init(&body.domains, a);
    base_map_init(&scope.names, a);
    c.model = model;
    c.file = file;
    c.body = &body;
    ondol_status status = check_parts(&c, &body, &scope);
    base_map_destroy(&scope.names);
    base_map_destroy(&body.domains);
    onnx_checking_close(&c);
    return status;
}
