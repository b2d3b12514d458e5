/* Operators on numbers, strings and lists, as Python has them; integers have 64 bits. */
#include <math.h>

#include "text/template/template_operations.h"

bool template_is_number(template_value value) {
    return value.kind == TEMPLATE_BOOL || value.kind == TEMPLATE_INT ||
           value.kind == TEMPLATE_DOUBLE;
}

static int64_t whole(template_value value) {
    return value.kind == TEMPLATE_BOOL ? value.as.boolean : value.as.integer;
}

double template_as_double(template_value value) {
    return value.kind == TEMPLATE_DOUBLE ? value.as.real : (double)whole(value);
}

ondol_status template_as_int(template_run *run, template_value value, const char *what,
                             int64_t *out) {
    if (value.kind == TEMPLATE_UNDEFINED) return template_fail_undefined(run, value);
    if (value.kind != TEMPLATE_BOOL && value.kind != TEMPLATE_INT) {
        return template_fail(run, ONDOL_E_FORMAT, "%s: expected an integer, got '%s'", what,
                             template_type_name(value));
    }
    *out = whole(value);
    return ONDOL_OK;
}

ondol_status template_as_text(template_run *run, template_value value, const char *what,
                              const template_string **out) {
    if (value.kind == TEMPLATE_UNDEFINED) return template_fail_undefined(run, value);
    if (value.kind != TEMPLATE_STRING) {
        return template_fail(run, ONDOL_E_FORMAT, "%s: expected a string, got '%s'", what,
                             template_type_name(value));
    }
    *out = value.as.string;
    return ONDOL_OK;
}

static ondol_status overflow(template_run *run) {
    return template_fail(run, ONDOL_E_LIMIT, "a result does not fit into 64 bits");
}

static ondol_status by_zero(template_run *run) {
    return template_fail(run, ONDOL_E_FORMAT, "division by zero");
}

static ondol_status divide_whole(template_run *run, template_operation operation, int64_t x,
                                 int64_t y, template_value *out) {
    if (y == 0) return by_zero(run);
    if (operation == OPERATION_DIVIDE) {
        *out = template_double((double)x / (double)y);
        return ONDOL_OK;
    }
    if (y == -1) {
        if (operation == OPERATION_MODULO)
            *out = template_int(0);
        else if (x == INT64_MIN)
            return overflow(run);
        else
            *out = template_int(-x);
        return ONDOL_OK;
    }
    int64_t quotient = x / y, rest = x % y;
    if (rest != 0 && (rest < 0) != (y < 0)) {
        quotient--;
        rest += y;
    }
    *out = template_int(operation == OPERATION_MODULO ? rest : quotient);
    return ONDOL_OK;
}

static bool multiply_whole(int64_t x, int64_t y, int64_t *out) {
    if (x == 0 || y == 0) {
        *out = 0;
        return true;
    }
    if ((x == -1 && y == INT64_MIN) || (y == -1 && x == INT64_MIN)) return false;
    if (y > 0 ? x > INT64_MAX / y || x < INT64_MIN / y
              : (y == -1 ? false : x > INT64_MIN / y || x < INT64_MAX / y))
        return false;
    *out = x * y;
    return true;
}

static ondol_status power_real(template_run *run, double x, double y, template_value *out) {
    if (x == 0.0 && y < 0) return by_zero(run);
    if (x < 0 && isfinite(x) && isfinite(y) && floor(y) != y) {
        return template_fail(run, ONDOL_E_UNSUPPORTED,
                             "a negative number to a fractional power is complex");
    }
    double result = pow(x, y);
    if (isinf(result) && isfinite(x) && isfinite(y))
        return template_fail(run, ONDOL_E_FORMAT, "a power is too large for a float");
    *out = template_double(result);
    return ONDOL_OK;
}

static ondol_status power_whole(template_run *run, int64_t x, int64_t y, template_value *out) {
    if (y < 0) return power_real(run, (double)x, (double)y, out);
    int64_t result = 1;
    if (x == 0 || x == 1 || x == -1) {
        result = y == 0 || x == 1 ? 1 : x == 0 ? 0 : y % 2 ? -1 : 1;
        y = 0;
    }
    for (; y > 0; y--) /* at most 63 rounds fit */
        if (!multiply_whole(result, x, &result)) return overflow(run);
    *out = template_int(result);
    return ONDOL_OK;
}

static ondol_status binary_whole(template_run *run, template_operation operation, int64_t x,
                                 int64_t y, template_value *out) {
    int64_t result = 0;
    switch (operation) {
    case OPERATION_ADD:
        if (y > 0 ? x > INT64_MAX - y : x < INT64_MIN - y) return overflow(run);
        result = x + y;
        break;
    case OPERATION_SUBTRACT:
        if (y < 0 ? x > INT64_MAX + y : x < INT64_MIN + y) return overflow(run);
        result = x - y;
        break;
    case OPERATION_MULTIPLY:
        if (!multiply_whole(x, y, &result)) return overflow(run);
        break;
    case OPERATION_POWER: return power_whole(run, x, y, out);
    default: return divide_whole(run, operation, x, y, out);
    }
    *out = template_int(result);
    return ONDOL_OK;
}

/* x mod y with the sign of y, and the floor of x / y that goes with it. */
static double modulo_real(double x, double y, double *quotient) {
    double rest = fmod(x, y);
    double times = (x - rest) / y;
    if (rest != 0.0) {
        if ((y < 0) != (rest < 0)) {
            rest += y;
            times -= 1.0;
        }
    } else {
        rest = copysign(0.0, y);
    }
    if (times != 0.0) {
        *quotient = floor(times);
        if (times - *quotient > 0.5) *quotient += 1.0;
    } else {
        *quotient = copysign(0.0, x / y);
    }
    return rest;
}

static ondol_status binary_real(template_run *run, template_operation operation, double x, double y,
                                template_value *out) {
    double result = 0, quotient = 0;
    switch (operation) {
    case OPERATION_ADD: result = x + y; break;
    case OPERATION_SUBTRACT: result = x - y; break;
    case OPERATION_MULTIPLY: result = x * y; break;
    case OPERATION_POWER: return power_real(run, x, y, out);
    default:
        if (y == 0.0) return by_zero(run);
        if (operation == OPERATION_DIVIDE) {
            result = x / y;
            break;
        }
        result = modulo_real(x, y, &quotient);
        if (operation == OPERATION_FLOOR_DIVIDE) result = quotient;
        break;
    }
    *out = template_double(result);
    return ONDOL_OK;
}

static ondol_status repeat_text(template_run *run, template_value text, int64_t times,
                                template_value *out) {
    template_builder b = {0};
    const template_string *s = text.as.string;
    ondol_status status =
        template_build_repeat(run, &b, s->bytes, s->size, times > 0 ? (uint64_t)times : 0);
    if (status == ONDOL_OK) status = template_build_finish(run, &b, out);
    out->flag = text.flag;
    return status;
}

static ondol_status repeat_list(template_run *run, const template_list *source, int64_t times,
                                template_value *out) {
    template_list *list = NULL;
    uint64_t n = times > 0 && source->count ? (uint64_t)times : 0;
    if (n > SIZE_MAX / 64 / (source->count + 1)) {
        run->heap->over_maximum = true;
        return template_no_memory(run);
    }
    ondol_status status = template_make_list(run, source->form, (size_t)n * source->count, &list);
    for (uint64_t i = 0; i < n && status == ONDOL_OK; i++)
        for (size_t k = 0; k < source->count && status == ONDOL_OK; k++)
            status = template_append(run, list, source->items[k]);
    *out = template_from_list(list);
    return status;
}

static ondol_status add_texts(template_run *run, template_value a, template_value b,
                              template_value *out) {
    ondol_status status = ONDOL_OK;
    uint8_t markup = a.flag | b.flag;
    if (markup) TRY(template_escape(run, a, &a));
    if (markup) TRY(template_escape(run, b, &b));
    const template_string *sum = template_string_concat(run->heap, a.as.string, b.as.string);
    if (!sum) return template_no_memory(run);
    *out = template_from_string(sum);
    out->flag = markup;
    status = template_spend(run, 1 + b.as.string->size / 16);
done:
    return status;
}

static ondol_status add_lists(template_run *run, const template_list *a, const template_list *b,
                              template_value *out) {
    template_list *list = NULL;
    ondol_status status = template_make_list(run, a->form, a->count + b->count, &list);
    size_t n = a->count + b->count, first = a->count;
    for (size_t i = 0; i < n && status == ONDOL_OK; i++)
        status = template_append(run, list, i < first ? a->items[i] : b->items[i - first]);
    *out = template_from_list(list);
    return status;
}

ondol_status template_binary(template_run *run, template_operation operation, template_value a,
                             template_value b, template_value *out) {
    static const char *const signs[] = {"+", "-", "*", "/", "//", "%", "**"};
    if (a.kind == TEMPLATE_UNDEFINED) return template_fail_undefined(run, a);
    if (template_is_text(a) && operation == OPERATION_MODULO)
        return template_format_percent(run, a, b, out);
    if (b.kind == TEMPLATE_UNDEFINED) return template_fail_undefined(run, b);
    if (template_is_number(a) && template_is_number(b)) {
        if (a.kind == TEMPLATE_DOUBLE || b.kind == TEMPLATE_DOUBLE)
            return binary_real(run, operation, template_as_double(a), template_as_double(b), out);
        return binary_whole(run, operation, whole(a), whole(b), out);
    }
    bool lists = (template_is_list(a) && template_is_list(b)) ||
                 (template_is_tuple(a) && template_is_tuple(b));
    if (operation == OPERATION_ADD) {
        if (template_is_text(a) && template_is_text(b)) return add_texts(run, a, b, out);
        if (lists) return add_lists(run, a.as.list, b.as.list, out);
    }
    if (operation == OPERATION_MULTIPLY) {
        template_value times = template_is_number(a) ? a : b, what = template_is_number(a) ? b : a;
        bool count = times.kind == TEMPLATE_INT || times.kind == TEMPLATE_BOOL;
        if (count && template_is_text(what)) return repeat_text(run, what, whole(times), out);
        if (count && (template_is_list(what) || template_is_tuple(what)))
            return repeat_list(run, what.as.list, whole(times), out);
    }
    return template_fail(run, ONDOL_E_FORMAT, "'%s' %s '%s' has no meaning", template_type_name(a),
                         signs[operation], template_type_name(b));
}

ondol_status template_negate(template_run *run, template_value value, bool negative,
                             template_value *out) {
    if (value.kind == TEMPLATE_UNDEFINED) return template_fail_undefined(run, value);
    if (!template_is_number(value)) {
        return template_fail(run, ONDOL_E_FORMAT, "a sign before '%s' has no meaning",
                             template_type_name(value));
    }
    if (value.kind == TEMPLATE_DOUBLE) {
        *out = template_double(negative ? -value.as.real : value.as.real);
        return ONDOL_OK;
    }
    if (negative && whole(value) == INT64_MIN) return overflow(run);
    *out = template_int(negative ? -whole(value) : whole(value));
    return ONDOL_OK;
}
