/* Shapes. In: Reshape, Transpose, Split, Slice of values on rows. Out: the same rows seen with or
 * without heads, and Columns; rows themselves never move. */
#include <string.h>

#include "optimize/lowering.h"

/* New tokens when a shape is asked for: a number that no model has heads or columns of. */
#define FRESH 251

uint32_t lower_dims(const lowering *l, graph_value_id v, uint64_t fresh, int64_t dims[4]) {
    const lower_state s = l->states[v];
    const int64_t columns = lower_columns(l, v), heads = s.heads ? s.heads : 1;
    const int64_t rows = (int64_t)fresh;
    switch (s.form) {
    case LOWER_ROWS: memcpy(dims, (int64_t[3]){1, rows, columns}, 3 * sizeof *dims); return 3;
    case LOWER_FLAT: memcpy(dims, (int64_t[2]){rows, columns}, 2 * sizeof *dims); return 2;
    case LOWER_HEADS:
        memcpy(dims, (int64_t[4]){1, rows, heads, columns / heads}, 4 * sizeof *dims);
        return 4;
    case LOWER_HEADS_FIRST:
        memcpy(dims, (int64_t[4]){1, heads, rows, columns / heads}, 4 * sizeof *dims);
        return 4;
    case LOWER_HEADS_FLAT:
        memcpy(dims, (int64_t[3]){1, rows * heads, columns / heads}, 3 * sizeof *dims);
        return 3;
    default: return 0;
    }
}

/* The form that dims are, of rows of `columns`. */
static bool form_of(const int64_t *dims, uint64_t rank, int64_t columns, lower_state *out) {
    const int64_t last = rank ? dims[rank - 1] : 0;
    if (last < 1 || columns % last) return false;
    const int64_t heads = columns / last;
    *out = (lower_state){LOWER_NONE, heads > 1 ? (uint32_t)heads : 0};
    if (rank == 3 && dims[0] == 1 && dims[1] == FRESH && heads == 1)
        out->form = LOWER_ROWS;
    else if (rank == 2 && dims[0] == FRESH && heads == 1)
        out->form = LOWER_FLAT;
    else if (rank == 4 && dims[0] == 1 && dims[1] == FRESH && dims[2] == heads)
        *out = (lower_state){LOWER_HEADS, (uint32_t)heads};
    else if (rank == 3 && dims[0] == 1 && dims[1] == FRESH * heads)
        *out = (lower_state){LOWER_HEADS_FLAT, (uint32_t)heads};
    return out->form != LOWER_NONE;
}

ondol_status lower_reshape(lowering *l, graph_node_id id) {
    const graph_value_id x = lower_in(l, id, 0);
    int64_t from[4], to[4], known = 1, total = 1;
    uint64_t rank = 0, hole = 4;
    lower_state state;
    if (!lower_is_rows(l, x)) return ONDOL_OK;
    const uint32_t from_rank = lower_dims(l, x, FRESH, from);
    if (!lower_probe(l, lower_in(l, id, 1), 3, FRESH, to, 4, &rank)) {
        return lower_unrecognised(l, id, "its shape depends on more than the tokens' number");
    }
    for (uint32_t i = 0; i < from_rank; i++)
        total *= from[i];
    const bool copies = graph_get_int(l->r.from, id, "allowzero") == 0;
    for (uint64_t i = 0; i < rank; i++) {
        if (to[i] == 0 && copies && i < from_rank) to[i] = from[i];
        if (to[i] == -1 && hole == 4)
            hole = i;
        else if (to[i] < 1 || to[i] > total)
            return lower_unrecognised(l, id, "a shape that does not fit");
        else if ((known *= to[i]) > total)
            return lower_unrecognised(l, id, "a shape that does not fit");
    }
    if (hole < 4) to[hole] = total / known;
    if (from_rank == 0 || (hole < 4 ? known * to[hole] : known) != total ||
        l->states[x].form == LOWER_HEADS_FIRST || !form_of(to, rank, lower_columns(l, x), &state)) {
        return lower_unrecognised(l, id, "expected heads to be split or joined");
    }
    lower_alias(l, lower_out(l, id, 0), l->r.map[x], state);
    return ONDOL_OK;
}

ondol_status lower_transpose(lowering *l, graph_node_id id) {
    static const int64_t SWAP[4] = {0, 2, 1, 3};
    const graph_value_id x = lower_in(l, id, 0);
    if (!lower_is_rows(l, x)) return ONDOL_OK;
    const graph_attribute *perm = graph_get_attribute(l->r.from, id, "perm");
    lower_state s = l->states[x];
    const bool swaps = perm && perm->int_count == 4 && memcmp(perm->ints, SWAP, sizeof SWAP) == 0;
    if (!swaps || (s.form != LOWER_HEADS && s.form != LOWER_HEADS_FIRST)) {
        return lower_unrecognised(l, id, "expected heads and tokens to change places");
    }
    s.form = s.form == LOWER_HEADS ? LOWER_HEADS_FIRST : LOWER_HEADS;
    lower_alias(l, lower_out(l, id, 0), l->r.map[x], s);
    return ONDOL_OK;
}

/* [b, c] of the last token to [b, 1, c]. */
ondol_status lower_unsqueeze(lowering *l, graph_node_id id) {
    const graph_value_id x = lower_in(l, id, 0);
    int64_t axis = 0;
    uint64_t count = 0;
    if (!lower_is_rows(l, x)) return ONDOL_OK;
    if (l->states[x].form != LOWER_LAST ||
        !lower_probe(l, lower_in(l, id, 1), 0, 1, &axis, 1, &count) || count != 1 ||
        (axis != 1 && axis != -2)) {
        return lower_unrecognised(l, id, "expected the last token's rows");
    }
    lower_alias(l, lower_out(l, id, 0), l->r.map[x], (lower_state){LOWER_ROWS, 0});
    return ONDOL_OK;
}

static bool along_columns(const lowering *l, graph_value_id x, int64_t axis) {
    const lower_form form = l->states[x].form;
    const int64_t rank = form == LOWER_ROWS ? 3 : 2;
    if (form != LOWER_ROWS && form != LOWER_FLAT && form != LOWER_LAST) return false;
    return axis == -1 || axis == rank - 1;
}

#define MAX_PARTS 16

ondol_status lower_split(lowering *l, graph_node_id id) {
    const graph_node *n = l->r.from->nodes + id;
    const graph_value_id x = lower_in(l, id, 0), sizes_id = lower_in(l, id, 1);
    int64_t sizes[MAX_PARTS];
    uint64_t count = n->output_count, first = 0;
    if (!lower_is_rows(l, x)) return ONDOL_OK;
    const uint64_t columns = lower_columns(l, x);
    if (!along_columns(l, x, graph_get_int(l->r.from, id, "axis")) || count > MAX_PARTS) {
        return lower_unrecognised(l, id, "expected columns to be split");
    }
    const uint64_t part = (columns + count - 1) / count;
    for (uint64_t i = 0; i < count; i++)
        sizes[i] = (int64_t)(i + 1 < count ? part : columns - (count - 1) * part);
    if (sizes_id != GRAPH_NONE && (!lower_probe(l, sizes_id, 3, FRESH, sizes, MAX_PARTS, &count) ||
                                   count != n->output_count)) {
        return lower_unrecognised(l, id, "sizes that are no constants");
    }
    for (uint64_t i = 0; i < count; i++) {
        graph_value_id out = GRAPH_NONE;
        if (sizes[i] < 1 || (uint64_t)sizes[i] > columns - first) {
            return lower_unrecognised(l, id, "its sizes do not add up");
        }
        ondol_status status =
            lower_add_columns(l, id, l->r.map[x], first, (uint64_t)sizes[i], &out);
        if (status != ONDOL_OK) return status;
        lower_alias(l, n->outputs[i], out, l->states[x]);
        first += (uint64_t)sizes[i];
    }
    return ONDOL_OK;
}

/* x[..., start : end], or the last token's rows. */
ondol_status lower_slice(lowering *l, graph_node_id id) {
    const graph_value_id x = lower_in(l, id, 0);
    int64_t v[4] = {0, 0, 0, 1}; /* start, end, axis, step */
    uint64_t count = 0;
    if (!lower_is_rows(l, x)) return ONDOL_OK;
    for (uint32_t i = 0; i < 4; i++) {
        const graph_value_id in = lower_in(l, id, i + 1);
        if (in == GRAPH_NONE) continue;
        if (!lower_probe(l, in, 3, FRESH, v + i, 1, &count) || count != 1) {
            return lower_unrecognised(l, id, "expected one slice by constants");
        }
    }
    if (l->states[x].form == LOWER_ROWS && v[2] == 1 && v[0] == -1 && v[1] >= FRESH) {
        lower_alias(l, lower_out(l, id, 0), l->r.map[x], l->states[x]);
        return ONDOL_OK;
    }
    const int64_t columns = lower_columns(l, x);
    for (int i = 0; i < 2; i++) {
        if (v[i] < 0) v[i] += columns;
        if (v[i] > columns) v[i] = columns;
    }
    if (!along_columns(l, x, v[2]) || v[3] != 1 || v[0] < 0 || v[1] <= v[0]) {
        return lower_unrecognised(l, id, "expected a run of columns");
    }
    graph_value_id out = GRAPH_NONE;
    ondol_status status =
        lower_add_columns(l, id, l->r.map[x], (uint64_t)v[0], (uint64_t)(v[1] - v[0]), &out);
    if (status == ONDOL_OK) lower_alias(l, lower_out(l, id, 0), out, l->states[x]);
    return status;
}
