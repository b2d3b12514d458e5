/* Which architecture. In: a GGUF file. Out: its portable graph. */
#include "models/model.h"

#include <string.h>

#include "models/decoder.h"

typedef struct architecture {
    const char *name;
    models_build build;
} architecture;

static const architecture architectures[] = {
#define ARCHITECTURE(name, build) {name, build},
#include "models/architectures.def"
#undef ARCHITECTURE
};

#define ARCHITECTURE_COUNT (sizeof architectures / sizeof *architectures)

static ondol_status unknown(gguf_string name, ondol_error *err) {
    char known[256] = "";
    size_t used = 0;
    for (size_t i = 0; i < ARCHITECTURE_COUNT; i++) {
        size_t length = strlen(architectures[i].name);
        if (used + length + 3 > sizeof known) break;
        if (i) {
            memcpy(known + used, ", ", 2);
            used += 2;
        }
        memcpy(known + used, architectures[i].name, length + 1);
        used += length;
    }
    int shown = name.size_bytes < 64 ? (int)name.size_bytes : 64;
    return base_fail(err, ONDOL_E_UNSUPPORTED, "architecture '%.*s' is not known; known are %s",
                     shown, name.text, known);
}

static ondol_status find_architecture(const gguf_file *file, const architecture **out,
                                      ondol_error *err) {
    gguf_string name;
    ondol_status status = gguf_get_string(file, "general.architecture", &name, err);
    if (status != ONDOL_OK) return status;
    for (size_t i = 0; i < ARCHITECTURE_COUNT; i++) {
        const architecture *a = architectures + i;
        if (strlen(a->name) != name.size_bytes) continue;
        if (memcmp(a->name, name.text, name.size_bytes) != 0) continue;
        *out = a;
        return ONDOL_OK;
    }
    return unknown(name, err);
}

ondol_status models_graph_from_gguf(const ondol_allocator *a, gguf_file *file, graph **out,
                                    models_info *info, ondol_error *err) {
    const architecture *which = NULL;
    decoder d = {.file = file, .err = err};
    ondol_status status = ONDOL_OK;
    TRY(find_architecture(file, &which, err));
    d.architecture = which->name;
    TRY(graph_create(a, which->name, &d.g, err));
    which->build(&d);
    TRY(d.status);
    *info = (models_info){.architecture = which->name,
                          .layers = d.layers,
                          .hidden = d.hidden,
                          .vocabulary = d.vocabulary,
                          .context = d.context};
    *out = d.g;
    return ONDOL_OK;
done:
    graph_destroy(d.g);
    return status;
}
