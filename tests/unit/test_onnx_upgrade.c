/* The table of upgrades: every version of every operator that a file may use has a way to the
 * newest ones, and none loses an attribute. */
#include "models/onnx_upgrade.h"
#include "unit.h"

/* Every row of ops.def. */
static const graph_schema all[] = {
#define OP(symbol, ...)   {{__VA_ARGS__}, GRAPH_OP_##symbol, false},
#define OLD(symbol, ...)  {{__VA_ARGS__}, GRAPH_OP_COUNT, false},
#define GONE(symbol, ...) {{__VA_ARGS__}, GRAPH_OP_COUNT, true},
#include "graph/ops.def"
#undef OP
#undef OLD
#undef GONE
};

#define COUNT (sizeof all / sizeof *all)

static void every_old_version_has_a_rule(void **state) {
    (void)state;
    size_t old = 0;
    for (size_t i = 0; i < COUNT; i++) {
        if (all[i].gone) continue;
        old += all[i].op == GRAPH_OP_COUNT;
        if (onnx_upgrade_find(&all[i].info)) continue;
        fail_msg("%s %s %u has no rule", all[i].info.domain, all[i].info.name,
                 all[i].info.since_version);
    }
    assert_true(old > 400);
}

/* A deprecated version is refused, but the one that exporters wrote all the same. */
static void versions_that_are_gone_have_none(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT; i++) {
        if (!all[i].gone) continue;
        const bool kept = strcmp(all[i].info.name, "GroupNormalization") == 0;
        if ((onnx_upgrade_find(&all[i].info) != NULL) != kept) {
            fail_msg("%s %u", all[i].info.name, all[i].info.since_version);
        }
    }
}

/* An attribute that says nothing of the result. */
static bool is_void(const char *name) {
    return strcmp(name, "consumed_inputs") == 0;
}

/* upgrade_same copies attributes by name: the newest version must have each, of the same type, and
 * as many inputs and outputs. */
static void same_is_the_same(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT; i++) {
        const graph_op_info *row = &all[i].info;
        graph_op op;
        if (all[i].gone || onnx_upgrade_find(row) != upgrade_same) continue;
        assert_true(graph_op_find(row->domain, row->name, &op));
        const graph_op_info *newest = graph_op_info_of(op);
        const char *list = row->attributes, *item = NULL;
        while ((item = graph_list_next(&list)) != NULL) {
            char name[64] = "", type = 0;
            memcpy(name, item, strcspn(item, ":"));
            if (is_void(name)) continue;
            if (!graph_op_attribute(newest, name, &type) || type != strchr(item, ':')[1]) {
                fail_msg("%s %u: attribute '%s' is lost", row->name, row->since_version, name);
            }
        }
        if (row->max_inputs > newest->max_inputs || row->max_outputs > newest->max_outputs ||
            row->min_inputs < newest->min_inputs || row->min_outputs < newest->min_outputs) {
            fail_msg("%s %u: other counts than %u", row->name, row->since_version,
                     newest->since_version);
        }
    }
}

/* What the newest version requires, an older one required or had a default for. */
static void same_leaves_nothing_out(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT; i++) {
        const graph_op_info *row = &all[i].info;
        graph_op op;
        if (all[i].gone || onnx_upgrade_find(row) != upgrade_same) continue;
        assert_true(graph_op_find(row->domain, row->name, &op));
        const char *list = graph_op_info_of(op)->attributes, *item = NULL;
        while ((item = graph_list_next(&list)) != NULL) {
            char name[64] = "", type = 0;
            const size_t length = strcspn(item, ":");
            memcpy(name, item, length);
            if (item[length + 2] != 0) continue;
            if (!graph_op_attribute(row, name, &type)) {
                fail_msg("%s %u lacks '%s'", row->name, row->since_version, name);
            }
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_old_version_has_a_rule),
        cmocka_unit_test(versions_that_are_gone_have_none),
        cmocka_unit_test(same_is_the_same),
        cmocka_unit_test(same_leaves_nothing_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
