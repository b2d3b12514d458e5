/* Inputs and outputs of decoders as exporters name them. In: a graph. Out: what each is for. */
#include "api/api_written_ports.h"

#include <string.h>

static bool is_name(const char *name, const char *usual, const char *given) {
    return strcmp(name, given ? given : usual) == 0 || strcmp(name, usual) == 0;
}

/* What is left of a name without the word that tells past from present: ".0.key". */
static const char *core_of(const char *name) {
    static const char *const words[] = {"past_key_values", "present_key_values", "past_key_value",
                                        "past", "present"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        const size_t n = strlen(words[i]);
        if (strncmp(name, words[i], n) == 0) return name + n;
    }
    return NULL;
}

static bool find_present(const graph *g, const char *core, uint32_t *out) {
    for (uint32_t i = 0; i < g->output_count; i++) {
        const char *other = core_of(g->output_names[i]);
        if (!other || strcmp(other, core) != 0) continue;
        *out = i;
        return true;
    }
    return false;
}

/* Where batch and tokens stand: keys and values apart, or together in front of them. */
static bool axes_of(uint32_t rank, uint32_t *batch, uint32_t *token) {
    *batch = rank == 5 ? 1 : 0;
    *token = rank == 3 ? 1 : rank == 4 ? 2 : 3;
    return rank >= 3 && rank <= 5;
}

/* Dimensions of a past without tokens: what the input does not say, the present may. */
static ondol_status fill_dims(const graph *g, const graph_value *v, const char *name,
                              written_port *p, const models_genai_config *names, ondol_error *err) {
    const graph_shape *present = &g->values[g->outputs[p->output]].shape;
    uint32_t batch = 0;
    p->rank = v->shape.rank;
    if (!axes_of(p->rank, &batch, &p->token_axis)) {
        return base_fail(err, ONDOL_E_UNSUPPORTED,
                         "input '%s': expected a past of rank 3 to 5 ([batch, heads, tokens, "
                         "size])",
                         name);
    }
    for (uint32_t i = 0; i < p->rank; i++) {
        int64_t d = v->shape.dims[i];
        if (d < 0 && present->rank == p->rank) d = present->dims[i];
        if (d < 0 && i + 1 == p->rank && names && names->head_size) d = names->head_size;
        if (i == batch) d = 1;
        if (i == p->token_axis) d = 0;
        if (d < 0) {
            return base_fail(err, ONDOL_E_UNSUPPORTED,
                             "input '%s': dimension %u of the past is not known", name, i);
        }
        p->dims[i] = d;
    }
    return ONDOL_OK;
}

/* Roles that a name tells alone. */
static bool role_by_name(const char *name, const models_genai_config *names, written_role *role) {
    const struct {
        const char *usual, *given;
        written_role role;
    } known[] = {
        {"input_ids", names ? names->input_ids : NULL, WRITTEN_IDS},
        {"decoder_input_ids", NULL, WRITTEN_IDS},
        {"input1", NULL, WRITTEN_IDS}, /* GPT-2 of the ONNX model zoo */
        {"attention_mask", names ? names->attention_mask : NULL, WRITTEN_MASK},
        {"decoder_attention_mask", NULL, WRITTEN_MASK},
        {"position_ids", names ? names->position_ids : NULL, WRITTEN_POSITIONS},
        {"cache_position", NULL, WRITTEN_POSITIONS},
        {"use_cache_branch", NULL, WRITTEN_USE_PAST},
        {"total_sequence_length", NULL, WRITTEN_TOTAL},
        {"seqlens_k", NULL, WRITTEN_LENGTH},
        {"past_sequence_length", NULL, WRITTEN_PAST_LENGTH},
        {"encoder_hidden_states", names ? names->encoder_hidden_states : NULL, WRITTEN_SOURCE},
        {"encoder_attention_mask", NULL, WRITTEN_SOURCE_MASK},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (!is_name(name, known[i].usual, known[i].given)) continue;
        *role = known[i].role;
        return true;
    }
    return false;
}

static ondol_status find_role(const graph *g, graph_value_id id, const models_genai_config *names,
                              written_port *p, ondol_error *err) {
    const graph_value *v = g->values + id;
    const char *core = core_of(v->name);
    *p = (written_port){.role = WRITTEN_ABSENT};
    if (role_by_name(v->name, names, &p->role)) return ONDOL_OK;
    if (v->data || v->type_kind == GRAPH_TYPE_OPTIONAL) return ONDOL_OK;
    if (v->type_kind == GRAPH_TYPE_TENSOR && core && find_present(g, core, &p->output)) {
        p->role = WRITTEN_PAST;
        p->cross = strstr(core, ".encoder.") || strstr(core, "cross");
        return fill_dims(g, v, v->name, p, names, err);
    }
    return base_fail(err, ONDOL_E_UNSUPPORTED,
                     "input '%s' is none that a decoder has (input_ids, attention_mask, "
                     "position_ids, past_key_values.N.key ...)",
                     v->name);
}

static ondol_status find_logits(const graph *g, const models_genai_config *names, uint32_t *out,
                                ondol_error *err) {
    for (uint32_t i = 0; i < g->output_count; i++) {
        *out = i;
        if (is_name(g->output_names[i], "logits", names ? names->logits : NULL)) return ONDOL_OK;
    }
    return base_fail(err, ONDOL_E_UNSUPPORTED, "the graph has no output '%s'",
                     names ? names->logits : "logits");
}

ondol_status written_ports_find(const graph *g, const models_genai_config *names,
                                written_ports *out, ondol_error *err) {
    bool has_ids = false;
    ondol_status status = find_logits(g, names, &out->logits, err);
    out->past_count = 0;
    out->has_source = false;
    for (uint32_t i = 0; i < g->input_count && status == ONDOL_OK; i++) {
        status = find_role(g, g->inputs[i], names, out->inputs + i, err);
        out->past_count += out->inputs[i].role == WRITTEN_PAST;
        out->has_source = out->has_source || out->inputs[i].role == WRITTEN_SOURCE;
        has_ids = has_ids || out->inputs[i].role == WRITTEN_IDS;
    }
    if (status == ONDOL_OK && !has_ids) {
        status = base_fail(err, ONDOL_E_UNSUPPORTED, "the graph has no input 'input_ids'");
    }
    return status;
}
