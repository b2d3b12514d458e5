/* genai_config.json. In: its text. Out: names, lengths and ids of the model beside it. */
#include "models/genai_config.h"

#include <string.h>

#include "formats/json/json_read.h"

/* A file beside the config: a name alone. */
static ondol_status check_name(const char *key, const char *name, ondol_error *err) {
    if (!*name || strpbrk(name, "/\\:") || strcmp(name, "..") == 0 || strcmp(name, ".") == 0) {
        return base_fail(err, ONDOL_E_FORMAT,
                         "%s: expected the name of a file in the same folder, got '%s'", key, name);
    }
    return ONDOL_OK;
}

/* "past_key_values.%d.key": one %d and no other %. */
static ondol_status check_pattern(const char *key, const char *pattern, ondol_error *err) {
    const char *at = strchr(pattern, '%');
    if (!at || at[1] != 'd' || strchr(at + 1, '%') || strlen(pattern) > 200) {
        return base_fail(err, ONDOL_E_FORMAT, "%s: expected a name with one %%d, got '%s'", key,
                         pattern);
    }
    return ONDOL_OK;
}

/* One id or a list of them. */
static ondol_status read_ends(const json_t *tree, const char *path, models_genai_config *c,
                              ondol_error *err) {
    const json_t *v = json_read_path(tree, path);
    const size_t count = json_is_array(v) ? json_array_size(v) : v ? 1 : 0;
    for (size_t i = 0; i < count; i++) {
        const json_t *id = json_is_array(v) ? json_array_get(v, i) : v;
        const int64_t number = json_integer_value(id);
        if (!json_is_integer(id) || number < -1 || number > INT32_MAX) {
            return base_fail(err, ONDOL_E_FORMAT, "%s: expected ids, one or a list", path);
        }
        if (number >= 0 && c->end_count < MODELS_GENAI_ENDS_MAX)
            c->ends[c->end_count++] = (int32_t)number;
    }
    return ONDOL_OK;
}

static ondol_status read_id(const json_t *tree, const char *path, int32_t *out, ondol_error *err) {
    int64_t number = -1;
    ondol_status status = json_read_integer(tree, path, -1, INT32_MAX, &number, err);
    *out = (int32_t)number;
    return status;
}

static ondol_status read_size(const json_t *tree, const char *path, uint32_t *out,
                              ondol_error *err) {
    int64_t number = 0;
    ondol_status status = json_read_integer(tree, path, 0, INT32_MAX, &number, err);
    *out = (uint32_t)number;
    return status;
}

static ondol_status read_names(const json_t *tree, models_genai_config *c, ondol_error *err) {
    const struct {
        const char *path, *usual;
        const char **out;
        bool pattern;
    } names[] = {
        {"model.decoder.inputs.input_ids", "input_ids", &c->input_ids, false},
        {"model.decoder.inputs.attention_mask", "attention_mask", &c->attention_mask, false},
        {"model.decoder.inputs.position_ids", "position_ids", &c->position_ids, false},
        {"model.decoder.inputs.encoder_hidden_states", NULL, &c->encoder_hidden_states, false},
        {"model.decoder.outputs.logits", "logits", &c->logits, false},
        {"model.decoder.inputs.past_key_names", "past_key_values.%d.key", &c->past_key, true},
        {"model.decoder.inputs.past_value_names", "past_key_values.%d.value", &c->past_value, true},
        {"model.decoder.outputs.present_key_names", "present.%d.key", &c->present_key, true},
        {"model.decoder.outputs.present_value_names", "present.%d.value", &c->present_value, true},
    };
    ondol_status status = ONDOL_OK;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        *names[i].out = names[i].usual;
        TRY(json_read_string(tree, names[i].path, names[i].out, err));
        if (names[i].pattern) TRY(check_pattern(names[i].path, *names[i].out, err));
    }
done:
    return status;
}

static ondol_status read_all(const json_t *tree, models_genai_config *c, ondol_error *err) {
    ondol_status status = ONDOL_OK;
    if (!json_is_object(json_read_path(tree, "model"))) {
        return base_fail(err, ONDOL_E_FORMAT, "expected an object with a member 'model'");
    }
    c->type = "onnx";
    TRY(json_read_string(tree, "model.type", &c->type, err));
    TRY(json_read_string(tree, "model.decoder.filename", &c->filename, err));
    TRY(json_read_string(tree, "model.encoder.filename", &c->encoder, err));
    if (!c->filename) {
        return base_fail(err, ONDOL_E_UNSUPPORTED,
                         json_read_path(tree, "model.decoder.pipeline")
                             ? "model.decoder.pipeline: a decoder in several files is not "
                               "supported; expected model.decoder.filename"
                             : "expected model.decoder.filename");
    }
    TRY(check_name("model.decoder.filename", c->filename, err));
    if (c->encoder) TRY(check_name("model.encoder.filename", c->encoder, err));
    TRY(read_names(tree, c, err));
    TRY(read_size(tree, "model.context_length", &c->context, err));
    TRY(read_size(tree, "model.vocab_size", &c->vocabulary, err));
    TRY(read_size(tree, "model.decoder.num_hidden_layers", &c->layers, err));
    TRY(read_size(tree, "model.decoder.hidden_size", &c->hidden, err));
    TRY(read_size(tree, "model.decoder.head_size", &c->head_size, err));
    TRY(read_id(tree, "model.bos_token_id", &c->bos, err));
    TRY(read_id(tree, "model.pad_token_id", &c->pad, err));
    TRY(read_id(tree, "model.decoder_start_token_id", &c->decoder_start, err));
    TRY(read_ends(tree, "model.eos_token_id", c, err));
done:
    return status;
}

ondol_status models_genai_config_read(const char *text, size_t n, models_genai_config *out,
                                      ondol_error *err) {
    json_t *tree = NULL;
    ondol_status status = json_read_text(text, n, "genai_config.json", &tree, err);
    *out = (models_genai_config){.bos = -1, .pad = -1, .decoder_start = -1};
    if (status != ONDOL_OK) return status;
    status = read_all(tree, out, err);
    out->tree = tree;
    if (status == ONDOL_OK) return ONDOL_OK;
    models_genai_config_free(out);
    return base_prefix(err, status, "genai_config.json");
}

/* Sizes by the first of their names that is there. */
static ondol_status read_first_size(const json_t *tree, const char *const *names, uint32_t *out,
                                    ondol_error *err) {
    ondol_status status = ONDOL_OK;
    for (*out = 0; *names && !*out && status == ONDOL_OK; names++)
        status = read_size(tree, *names, out, err);
    return status;
}

static ondol_status read_hugging_face(const json_t *tree, models_genai_config *c,
                                      ondol_error *err) {
    static const char *const contexts[] = {"max_position_embeddings", "n_positions",
                                           "max_sequence_length", "n_ctx", NULL};
    static const char *const layers[] = {"num_hidden_layers", "n_layer", "num_layers", NULL};
    static const char *const widths[] = {"hidden_size", "n_embd", "d_model", NULL};
    static const char *const heads[] = {"head_dim", "d_kv", NULL};
    ondol_status status = ONDOL_OK;
    if (!json_is_object(tree)) return base_fail(err, ONDOL_E_FORMAT, "expected an object");
    c->type = "onnx";
    TRY(json_read_string(tree, "model_type", &c->type, err));
    TRY(read_names(NULL, c, err));
    TRY(read_first_size(tree, contexts, &c->context, err));
    TRY(read_first_size(tree, layers, &c->layers, err));
    TRY(read_first_size(tree, widths, &c->hidden, err));
    TRY(read_first_size(tree, heads, &c->head_size, err));
    TRY(read_size(tree, "vocab_size", &c->vocabulary, err));
    TRY(read_id(tree, "bos_token_id", &c->bos, err));
    TRY(read_id(tree, "pad_token_id", &c->pad, err));
    TRY(read_id(tree, "decoder_start_token_id", &c->decoder_start, err));
    TRY(read_ends(tree, "eos_token_id", c, err));
    c->has_encoder = json_is_true(json_read_member(tree, "is_encoder_decoder"));
done:
    return status;
}

ondol_status models_genai_config_from_hugging_face(const char *text, size_t n,
                                                   models_genai_config *out, ondol_error *err) {
    json_t *tree = NULL;
    ondol_status status = json_read_text(text, n, "config.json", &tree, err);
    *out = (models_genai_config){.bos = -1, .pad = -1, .decoder_start = -1};
    if (status != ONDOL_OK) return status;
    status = read_hugging_face(tree, out, err);
    out->tree = tree;
    if (status == ONDOL_OK) return ONDOL_OK;
    models_genai_config_free(out);
    return base_prefix(err, status, "config.json");
}

void models_genai_config_free(models_genai_config *c) {
    json_decref(c->tree);
    *c = (models_genai_config){0};
}
