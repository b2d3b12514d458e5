/* Tests: `is defined`, `is string`, `is divisibleby(3)` ... */
#include <string.h>

#include "text/template/template_builtins.h"
#include "text/template/template_edit.h"

#define ARGUMENT(i) (arguments->values[i])

#define KIND_TEST(name, condition)                                                                 \
    static ondol_status name(template_run *run, template_value self,                               \
                             const template_arguments *arguments, template_value *out) {           \
        (void)run;                                                                                 \
        (void)arguments;                                                                           \
        *out = template_bool(condition);                                                           \
        return ONDOL_OK;                                                                           \
    }

static bool has_index(template_value v) {
    return v.kind == TEMPLATE_STRING || v.kind == TEMPLATE_DICT || v.kind == TEMPLATE_RANGE ||
           v.kind == TEMPLATE_UNDEFINED || template_is_list(v) || template_is_tuple(v);
}

static bool is_callable(template_value v) {
    return v.kind == TEMPLATE_CALLABLE || v.kind == TEMPLATE_UNDEFINED || v.kind == TEMPLATE_LOOP ||
           v.kind == TEMPLATE_JOINER;
}

KIND_TEST(test_defined, self.kind != TEMPLATE_UNDEFINED)
KIND_TEST(test_undefined, self.kind == TEMPLATE_UNDEFINED)
KIND_TEST(test_none, self.kind == TEMPLATE_NONE)
KIND_TEST(test_boolean, self.kind == TEMPLATE_BOOL)
KIND_TEST(test_true, self.kind == TEMPLATE_BOOL && self.as.boolean)
KIND_TEST(test_false, self.kind == TEMPLATE_BOOL && !self.as.boolean)
KIND_TEST(test_integer, self.kind == TEMPLATE_INT)
KIND_TEST(test_float, self.kind == TEMPLATE_DOUBLE)
KIND_TEST(test_number, template_is_number(self))
KIND_TEST(test_string, self.kind == TEMPLATE_STRING)
KIND_TEST(test_mapping, self.kind == TEMPLATE_DICT)
KIND_TEST(test_sequence, has_index(self))
KIND_TEST(test_iterable, template_is_iterable(self) || self.kind == TEMPLATE_LOOP)
KIND_TEST(test_callable, is_callable(self))
KIND_TEST(test_escaped, self.kind == TEMPLATE_STRING && self.flag)

/* self % divisor == rest */
static ondol_status has_rest(template_run *run, template_value self, template_value divisor,
                             int64_t rest, template_value *out) {
    bool equal = false;
    ondol_status status = template_binary(run, OPERATION_MODULO, self, divisor, out);
    if (status == ONDOL_OK) status = template_equal(run, *out, template_int(rest), &equal);
    *out = template_bool(equal);
    return status;
}

static ondol_status test_odd(template_run *run, template_value self,
                             const template_arguments *arguments, template_value *out) {
    (void)arguments;
    return has_rest(run, self, template_int(2), 1, out);
}

static ondol_status test_even(template_run *run, template_value self,
                              const template_arguments *arguments, template_value *out) {
    (void)arguments;
    return has_rest(run, self, template_int(2), 0, out);
}

static ondol_status test_divisibleby(template_run *run, template_value self,
                                     const template_arguments *arguments, template_value *out) {
    return has_rest(run, self, ARGUMENT(0), 0, out);
}

static ondol_status compare(template_run *run, template_operation operation, template_value self,
                            const template_arguments *arguments, template_value *out) {
    *out = template_bool(false);
    return template_compare(run, operation, self, ARGUMENT(0), &out->as.boolean);
}

#define COMPARE_TEST(name, operation)                                                              \
    static ondol_status name(template_run *run, template_value self,                               \
                             const template_arguments *arguments, template_value *out) {           \
        return compare(run, operation, self, arguments, out);                                      \
    }

COMPARE_TEST(test_equal, OPERATION_EQUAL)
COMPARE_TEST(test_not_equal, OPERATION_NOT_EQUAL)
COMPARE_TEST(test_less, OPERATION_LESS)
COMPARE_TEST(test_less_equal, OPERATION_LESS_EQUAL)
COMPARE_TEST(test_greater, OPERATION_GREATER)
COMPARE_TEST(test_greater_equal, OPERATION_GREATER_EQUAL)
COMPARE_TEST(test_in, OPERATION_IN)

static ondol_status test_sameas(template_run *run, template_value self,
                                const template_arguments *arguments, template_value *out) {
    template_value other = ARGUMENT(0);
    bool same = self.kind == other.kind;
    (void)run;
    switch (same ? (template_kind)self.kind : TEMPLATE_ABSENT) {
    case TEMPLATE_NONE: break;
    case TEMPLATE_ABSENT: same = false; break;
    case TEMPLATE_BOOL: same = self.as.boolean == other.as.boolean; break;
    case TEMPLATE_INT: same = self.as.integer == other.as.integer; break;
    case TEMPLATE_DOUBLE: same = self.as.real == other.as.real; break;
    case TEMPLATE_STRING: same = template_string_equal(self.as.string, other.as.string); break;
    default: same = self.as.dict == other.as.dict; break;
    }
    *out = template_bool(same);
    return ONDOL_OK;
}

static ondol_status ask_case(template_run *run, template_value self, const char *method,
                             template_value *out) {
    template_value text = self;
    ondol_status status = template_to_string(run, self, &text);
    if (status != ONDOL_OK) return status;
    const template_string name = {method, 7, 7, NULL};
    return template_method_find(text, &name)->function(run, text, &(template_arguments){0}, out);
}

static ondol_status test_lower(template_run *run, template_value self,
                               const template_arguments *arguments, template_value *out) {
    (void)arguments;
    return ask_case(run, self, "islower", out);
}

static ondol_status test_upper(template_run *run, template_value self,
                               const template_arguments *arguments, template_value *out) {
    (void)arguments;
    return ask_case(run, self, "isupper", out);
}

static ondol_status test_filter(template_run *run, template_value self,
                                const template_arguments *arguments, template_value *out) {
    (void)run;
    (void)arguments;
    *out = template_bool(self.kind == TEMPLATE_STRING && template_filter_find(self.as.string));
    return ONDOL_OK;
}

static ondol_status test_test(template_run *run, template_value self,
                              const template_arguments *arguments, template_value *out) {
    (void)run;
    (void)arguments;
    *out = template_bool(self.kind == TEMPLATE_STRING && template_test_find(self.as.string));
    return ONDOL_OK;
}

const template_builtin template_tests[] = {
    {"defined", "", test_defined},
    {"undefined", "", test_undefined},
    {"none", "", test_none},
    {"boolean", "", test_boolean},
    {"true", "", test_true},
    {"false", "", test_false},
    {"integer", "", test_integer},
    {"float", "", test_float},
    {"number", "", test_number},
    {"string", "", test_string},
    {"mapping", "", test_mapping},
    {"sequence", "", test_sequence},
    {"iterable", "", test_iterable},
    {"callable", "", test_callable},
    {"escaped", "", test_escaped},
    {"odd", "", test_odd},
    {"even", "", test_even},
    {"divisibleby", "num", test_divisibleby},
    {"sameas", "other", test_sameas},
    {"lower", "", test_lower},
    {"upper", "", test_upper},
    {"in", "seq", test_in},
    {"filter", "", test_filter},
    {"test", "", test_test},
    {"==", "/ other", test_equal},
    {"eq", "/ other", test_equal},
    {"equalto", "/ other", test_equal},
    {"!=", "/ other", test_not_equal},
    {"ne", "/ other", test_not_equal},
    {">", "/ other", test_greater},
    {"gt", "/ other", test_greater},
    {"greaterthan", "/ other", test_greater},
    {">=", "/ other", test_greater_equal},
    {"ge", "/ other", test_greater_equal},
    {"<", "/ other", test_less},
    {"lt", "/ other", test_less},
    {"lessthan", "/ other", test_less},
    {"<=", "/ other", test_less_equal},
    {"le", "/ other", test_less_equal},
    {NULL, NULL, NULL},
};
