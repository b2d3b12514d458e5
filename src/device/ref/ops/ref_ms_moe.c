/* MoE, QMoE. In: rows of tokens, a score of each expert for each, the experts' weights. Out: for
 * each token the weighted sum of what its best experts make of it; in double, rounded once. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "device/ref/ops/ref_kernels.h"
#include "device/ref/ops/ref_ms_experts.h"
#include "device/ref/ops/ref_unary.h"

#define EXPERTS_MAX 65536

typedef enum gate_layout {
    GATE_NONE,        /* no gate */
    GATE_OWN,         /* fc1 gives the gate, fc3 what it gates */
    GATE_INTERLEAVED, /* both in fc1: gate, linear, gate, ... */
    GATE_HALVES       /* both in fc1: all gates, then all linear ones */
} gate_layout;

typedef double (*plain_activation)(double x);

typedef struct moe_call {
    uint64_t tokens, hidden, inter, experts, chosen; /* chosen: k */
    ref_ms_experts fc[3];
    gate_layout layout;
    plain_activation activation; /* of swiglu: NULL */
    double alpha, beta, limit;
    bool limits_after, normalizes, is_sparse_mixer;
    double *x, *scores, *weights; /* weights: of the mix, NULL: made of the scores */
    double *work;                 /* [tokens][work_elems] */
    uint64_t work_elems;
    tensor_value *y;
} moe_call;

/* ------------------------------------------------------------------------------- activation */

static double relu(double x) {
    return x > 0 || isnan(x) ? x : 0;
}
static double relu2(double x) {
    return x > 0 || isnan(x) ? x * x : 0;
}
static double silu(double x) {
    return x / (1 + exp(-x));
}
static double identity(double x) {
    return x;
}

static double clamp(double x, double low, double high) {
    return x < low ? low : x > high ? high : x;
}

static double gated(const moe_call *m, double gate, double linear) {
    if (m->activation) return m->activation(gate) * linear;
    const double l = clamp(linear, -m->limit, m->limit);
    if (m->limits_after) {
        const double g = gate / (1 + exp(-m->alpha * gate));
        return (g > m->limit ? m->limit : g) * (l + m->beta);
    }
    const double g = gate > m->limit ? m->limit : gate;
    return g / (1 + exp(-m->alpha * g)) * (l + m->beta);
}

/* inner[inter] from what fc1 (and fc3) gave. */
static void activate(const moe_call *m, const double *first, const double *third, double *inner) {
    for (uint64_t i = 0; i < m->inter; i++) {
        switch (m->layout) {
        case GATE_NONE: inner[i] = m->activation(first[i]); break;
        case GATE_OWN: inner[i] = gated(m, first[i], third[i]); break;
        case GATE_INTERLEAVED: inner[i] = gated(m, first[2 * i], first[2 * i + 1]); break;
        case GATE_HALVES: inner[i] = gated(m, first[i], first[i + m->inter]); break;
        }
    }
}

/* ------------------------------------------------------------------------------------ routing */

/* The best expert that is not taken; of equals the first. */
static uint64_t best_of(const double *scores, const bool *is_taken, uint64_t count) {
    uint64_t best = UINT64_MAX;
    for (uint64_t i = 0; i < count; i++)
        if (!is_taken[i] && (best == UINT64_MAX || scores[i] > scores[best])) best = i;
    return best;
}

static double softmax_share(const double *scores, uint64_t count, uint64_t at) {
    double most = -INFINITY, sum = 0;
    for (uint64_t i = 0; i < count; i++)
        if (scores[i] > most) most = scores[i];
    for (uint64_t i = 0; i < count; i++)
        sum += exp(scores[i] - most);
    return exp(scores[at] - most) / sum;
}

/* The share of `best` among the experts that are not taken and come near it. Source: SparseMixer
 * of PhiMoE. */
static double sparse_share(const double *scores, const bool *is_taken, uint64_t count,
                           uint64_t best) {
    const double threshold = 0.02, most = scores[best];
    double sum = 0;
    for (uint64_t i = 0; i < count; i++) {
        const double size = fabs(scores[i]) > most ? fabs(scores[i]) : most;
        if (!is_taken[i] && !((most - scores[i]) / size > threshold)) sum += exp(scores[i] - most);
    }
    return 1 / sum;
}

/* Experts and weights of one token, in the order of their scores. is_taken: [experts], false. */
static void route(const moe_call *m, uint64_t token, bool *is_taken, uint64_t *expert,
                  double *weight) {
    const double *scores = m->scores + token * m->experts;
    double sum = 0;
    for (uint64_t i = 0; i < m->chosen; i++) {
        expert[i] = best_of(scores, is_taken, m->experts);
        if (m->weights)
            weight[i] = m->weights[token * m->experts + expert[i]];
        else if (m->is_sparse_mixer)
            weight[i] = sparse_share(scores, is_taken, m->experts, expert[i]);
        else
            weight[i] = softmax_share(scores, m->experts, expert[i]);
        is_taken[expert[i]] = true;
        sum += weight[i];
    }
    for (uint64_t i = 0; i < m->chosen && m->normalizes && !m->is_sparse_mixer; i++)
        weight[i] /= sum;
}

static void run_expert(const moe_call *m, uint64_t expert, const double *x, double weight,
                       double *work, double *out) {
    double *first = work, *third = first + m->fc[0].rows, *inner = third + m->inter;
    for (uint64_t i = 0; i < m->fc[0].rows; i++)
        first[i] = ref_ms_experts_row(m->fc, expert, i, x);
    for (uint64_t i = 0; i < m->inter && m->layout == GATE_OWN; i++)
        third[i] = ref_ms_experts_row(m->fc + 2, expert, i, x);
    activate(m, first, third, inner);
    for (uint64_t i = 0; i < m->hidden; i++)
        out[i] += weight * ref_ms_experts_row(m->fc + 1, expert, i, inner);
}

/* A token's part of the working memory: first, third, inner, out, weights; then experts, flags. */
static uint64_t work_of(const moe_call *m) {
    const uint64_t flags = (m->experts * sizeof(bool) + sizeof(double) - 1) / sizeof(double);
    return m->fc[0].rows + 2 * m->inter + m->hidden + 2 * m->chosen + flags;
}

static void run_token(void *user, uint64_t token) {
    const moe_call *m = user;
    double *work = m->work + token * m->work_elems;
    double *out = work + m->fc[0].rows + 2 * m->inter, *weight = out + m->hidden;
    uint64_t *expert = (uint64_t *)(void *)(weight + m->chosen);
    bool *is_taken = (bool *)(void *)(expert + m->chosen);
    memset(is_taken, 0, m->experts * sizeof *is_taken);
    for (uint64_t i = 0; i < m->hidden; i++)
        out[i] = 0;
    route(m, token, is_taken, expert, weight);
    for (uint64_t i = 0; i < m->chosen; i++)
        run_expert(m, expert[i], m->x + token * m->hidden, weight[i], work, out);
    ref_store_numbers(m->y, token * m->hidden, m->hidden, out);
}

/* ------------------------------------------------------------------------------------- inputs */

static ondol_status read_activation(const plan_call *c, moe_call *m, bool has_third,
                                    ondol_error *err) {
    static const struct {
        const char *name;
        plain_activation function;
        bool needs_gate;
    } known[] = {{"relu", relu, false},   {"gelu", ref_gelu_tanh_of, false},
                 {"silu", silu, false},   {"identity", identity, false},
                 {"relu2", relu2, false}, {"geglu", ref_gelu_tanh_of, true},
                 {"swiglu", NULL, true}};
    const char *name = graph_get_string(c->g, c->node, "activation_type");
    const int64_t fusion = graph_get_int(c->g, c->node, "swiglu_fusion");
    size_t at = 0;
    while (at < sizeof known / sizeof *known && strcmp(known[at].name, name) != 0)
        at++;
    if (at == sizeof known / sizeof *known) {
        return plan_call_fail(c, err, "activation_type is '%.64s'", name);
    }
    m->activation = known[at].function;
    m->layout = has_third ? GATE_OWN : GATE_NONE;
    m->alpha = graph_get_float(c->g, c->node, "activation_alpha");
    m->beta = graph_get_float(c->g, c->node, "activation_beta");
    m->limit = ref_ms_float(c, "swiglu_limit", INFINITY);
    m->limits_after = graph_get_int(c->g, c->node, "swiglu_limit_after_activation") != 0;
    if (!known[at].needs_gate) return ONDOL_OK;
    if (fusion == 1 || fusion == 2) {
        m->layout = fusion == 1 ? GATE_INTERLEAVED : GATE_HALVES;
    } else if (fusion != 0 || !has_third) {
        return plan_call_fail(c, err, "%s with swiglu_fusion %" PRId64 " and %s third projection",
                              name, fusion, has_third ? "a" : "no");
    }
    if (has_third && m->layout != GATE_OWN) {
        return plan_call_fail(c, err, "%s has its gates fused, and a third projection", name);
    }
    return ONDOL_OK;
}

/* Tokens, scores and how many experts of them a token has. */
static ondol_status read_tokens(const plan_call *c, moe_call *m, tensor_value **x,
                                ondol_error *err) {
    tensor_value *scores = NULL;
    const int64_t k = graph_get_int(c->g, c->node, "k");
    ondol_status status = ONDOL_OK;
    TRY(ref_float_input(c, 0, x, err));
    TRY(ref_float_input(c, 1, &scores, err));
    if ((*x)->rank != 2) TRY(ref_ms_expect_rank(c, "input", *x, 3, err));
    TRY(ref_ms_expect_rank(c, "router_probs", scores, 2, err));
    const int64_t hidden = (*x)->dims[(*x)->rank - 1], experts = scores->dims[1];
    if (hidden < 1 || hidden > INT32_MAX || experts < 1 || experts > EXPERTS_MAX || k < 1 ||
        k > experts) {
        return plan_call_fail(c, err, "rows of %" PRId64 ", k %" PRId64 " of %" PRId64 " experts",
                              hidden, k, experts);
    }
    m->hidden = (uint64_t)hidden;
    m->tokens = (*x)->elems / m->hidden;
    m->experts = (uint64_t)experts;
    m->chosen = (uint64_t)k;
    m->normalizes = graph_get_int(c->g, c->node, "normalize_routing_weights") != 0;
    m->is_sparse_mixer = graph_get_int(c->g, c->node, "use_sparse_mixer") != 0;
    if (m->is_sparse_mixer && k != 2) {
        return plan_call_fail(c, err, "use_sparse_mixer with k %" PRId64, k);
    }
    const int64_t dims[2] = {(int64_t)m->tokens, experts};
    TRY(ref_ms_needed(c, 1, "router_probs", 2, dims, &m->scores, err));
    TRY(ref_all_numbers(c, *x, &m->x, err));
done:
    return status;
}

/* How weights are stored, and how many numbers stand between both projections: from the second. */
static ondol_status read_kind(const plan_call *c, moe_call *m, uint32_t second, ondol_error *err) {
    const bool is_quantised = c->g->nodes[c->node].op == GRAPH_OP_MS_Q_MOE;
    const char *name = is_quantised ? graph_get_string(c->g, c->node, "quant_type") : "";
    const int64_t packing = graph_get_int(c->g, c->node, "weights_prepacked");
    int64_t block = graph_get_int(c->g, c->node, "block_size");
    ref_ms_expert_kind kind = REF_MS_EXPERT_NUMBERS;
    tensor_value *w = NULL;
    uint64_t bits = 0;
    if (strcmp(name, "int") == 0) kind = REF_MS_EXPERT_CODES;
    if (strcmp(name, "fp8") == 0) kind = REF_MS_EXPERT_FP8;
    if (strcmp(name, "fp4") == 0 || strcmp(name, "wfp4afp8") == 0) kind = REF_MS_EXPERT_FP4;
    if (strcmp(name, "nvfp4") == 0)
        kind = packing == 1 ? REF_MS_EXPERT_FP4 : REF_MS_EXPERT_FP4_TURNED;
    if (is_quantised && kind == REF_MS_EXPERT_NUMBERS) {
        return plan_call_fail(c, err, "quant_type is '%.64s'", name);
    }
    if (kind == REF_MS_EXPERT_CODES && packing == 1) {
        return plan_call_fail(c, err, "its weights are packed for another device");
    }
    if (kind == REF_MS_EXPERT_FP4 || kind == REF_MS_EXPERT_FP4_TURNED)
        block = strcmp(name, "nvfp4") == 0 ? 16 : 32;
    if (block < 0 || block > INT32_MAX || kind == REF_MS_EXPERT_NUMBERS) block = 0;
    if (kind == REF_MS_EXPERT_CODES) {
        bits = (uint64_t)graph_get_int(c->g, c->node,
                                       ref_ms_has(c, "fc2_expert_weight_bits")
                                           ? "fc2_expert_weight_bits"
                                           : "expert_weight_bits");
    }
    if (kind == REF_MS_EXPERT_FP4 || kind == REF_MS_EXPERT_FP4_TURNED) bits = 4;
    ondol_status status = plan_call_tensor(c, second, &w, err);
    if (status != ONDOL_OK) return status;
    const uint64_t rows = m->experts * m->hidden, each = rows ? w->elems / rows : 0;
    if (bits > 8 || each == 0) {
        return plan_call_fail(c, err, "its second weights have %" PRIu64 " elements", w->elems);
    }
    m->inter = bits ? each * 8 / bits : each;
    for (int i = 0; i < 3; i++)
        m->fc[i] = (ref_ms_experts){.kind = kind, .experts = m->experts, .block = (uint64_t)block};
    return ONDOL_OK;
}

static ondol_status read_experts(const plan_call *c, moe_call *m, const ref_ms_expert_inputs *in,
                                 ondol_error *err) {
    const bool has_third = plan_call_input(c, in[2].w) != NULL;
    ondol_status status = ONDOL_OK;
    TRY(read_activation(c, m, has_third, err));
    TRY(read_kind(c, m, in[1].w, err));
    const bool is_wide = m->layout == GATE_INTERLEAVED || m->layout == GATE_HALVES;
    m->fc[0].rows = is_wide ? 2 * m->inter : m->inter;
    m->fc[0].columns = m->fc[2].columns = m->fc[1].rows = m->hidden;
    m->fc[2].rows = m->fc[1].columns = m->inter;
    for (int i = 0; i < (has_third ? 3 : 2); i++)
        TRY(ref_ms_experts_begin(c, in + i, m->fc + i, err));
    m->work_elems = work_of(m);
done:
    return status;
}

static ondol_status run(plan_call *c, moe_call *m, const ref_ms_expert_inputs *in,
                        ondol_error *err) {
    tensor_value *x = NULL;
    void *memory = NULL;
    ondol_status status = ONDOL_OK;
    TRY(read_tokens(c, m, &x, err));
    TRY(read_experts(c, m, in, err));
    if (c->g->nodes[c->node].op == GRAPH_OP_MS_Q_MOE) {
        const int64_t dims[2] = {(int64_t)m->tokens, (int64_t)m->experts};
        TRY(ref_ms_numbers(c, 14, "router_weights", 2, dims, &m->weights, err));
    }
    TRY(plan_call_output(c, 0, x->element, x->rank, x->dims, &m->y, err));
    TRY(ref_alloc(c, m->tokens, m->work_elems * sizeof(double), "experts", &memory, err));
    m->work = memory;
    ref_run_tasks(c, m->tokens, run_token, m);
done:
    return status;
}

ondol_status ref_ms_moe(plan_call *c, ondol_error *err) {
    const uint32_t no = REF_MS_NO_INPUT;
    const ref_ms_expert_inputs plain[3] = {{"fc1", "", 2, 3, no, no, no},
                                           {"fc2", "", 4, 5, no, no, no},
                                           {"fc3", "", 6, 7, no, no, no}};
    const ref_ms_expert_inputs quantised[3] = {{"fc1", "fc1_expert_weight_bits", 2, 4, 3, 11, 15},
                                               {"fc2", "fc2_expert_weight_bits", 5, 7, 6, 12, 16},
                                               {"fc3", "fc3_expert_weight_bits", 8, 10, 9, 13, no}};
    const bool is_quantised = c->g->nodes[c->node].op == GRAPH_OP_MS_Q_MOE;
    moe_call m = {0};
    ondol_status status = run(c, &m, is_quantised ? quantised : plain, err);
    double *const all[] = {m.x,          m.scores,     m.weights,   m.work,
                           m.fc[0].bias, m.fc[1].bias, m.fc[2].bias};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        tensor_heap_free(c->heap, all[i]);
    return status;
}
