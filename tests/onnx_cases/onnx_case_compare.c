/* Compares values. In: what a network gave, what a case expects. Out: the same, or where not. */
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "onnx_cases.h"
#include "tensor/number.h"

#define LIST_MAX_DEPTH 16

static const char *const kinds[] = {"a tensor", "a sequence", "an optional", "a map"};

/* "[2,0,5]" of element i. */
static void print_index(const tensor_value *v, uint64_t i, char *out, size_t size) {
    int64_t index[TENSOR_MAX_RANK];
    size_t used = 1;
    for (uint32_t d = v->rank; d-- > 0;) {
        index[d] = (int64_t)(i % (uint64_t)v->dims[d]);
        i /= (uint64_t)v->dims[d];
    }
    snprintf(out, size, "[");
    for (uint32_t d = 0; d < v->rank && used < size; d++) {
        int n = snprintf(out + used, size - used, "%s%" PRId64, d ? "," : "", index[d]);
        used += n > 0 ? (size_t)n : 0;
    }
    if (used < size) snprintf(out + used, size - used, "]");
}

static void print_shape(const tensor_value *v, char *out, size_t size) {
    int n = snprintf(out, size, "%s[", tensor_element_onnx_name(v->element));
    size_t used = n > 0 ? (size_t)n : 0;
    for (uint32_t d = 0; d < v->rank && used < size; d++) {
        n = snprintf(out + used, size - used, "%s%" PRId64, d ? "," : "", v->dims[d]);
        used += n > 0 ? (size_t)n : 0;
    }
    if (used < size) snprintf(out + used, size - used, "]");
}

static bool same_shape(const tensor_value *a, const tensor_value *b) {
    if (a->element != b->element || a->rank != b->rank) return false;
    for (uint32_t d = 0; d < a->rank; d++)
        if (a->dims[d] != b->dims[d]) return false;
    return true;
}

/* How far a is from b beyond what is allowed; 0: within. Infinite for what cannot be measured. */
static double excess(double a, double b, case_tolerance t) {
    if (isnan(a) || isnan(b)) return isnan(a) && isnan(b) ? 0 : HUGE_VAL;
    if (isinf(a) || isinf(b)) return a == b ? 0 : HUGE_VAL;
    const double over = fabs(a - b) - (t.absolute + t.relative * fabs(b));
    return over > 0 ? over : 0;
}

static double part(const tensor_value *v, uint64_t i, int which) {
    if (v->element == TENSOR_ELEMENT_C64)
        return (double)((const float *)v->data)[2 * i + (uint64_t)which];
    return ((const double *)v->data)[2 * i + (uint64_t)which];
}

static double complex_excess(const tensor_value *a, const tensor_value *b, uint64_t i,
                             case_tolerance t) {
    const double re = part(a, i, 0), im = part(a, i, 1), wr = part(b, i, 0), wi = part(b, i, 1);
    if (!isfinite(re) || !isfinite(im) || !isfinite(wr) || !isfinite(wi)) {
        const double x = excess(re, wr, t), y = excess(im, wi, t);
        return x > y ? x : y;
    }
    const double over = hypot(re - wr, im - wi) - (t.absolute + t.relative * hypot(wr, wi));
    return over > 0 ? over : 0;
}

static double element_excess(const tensor_value *got, const tensor_value *expected, uint64_t i,
                             case_tolerance t) {
    switch (tensor_element_kind_of(got->element)) {
    case TENSOR_KIND_FLOAT:
        return excess(tensor_get_number(got->element, got->data, i),
                      tensor_get_number(expected->element, expected->data, i), t);
    case TENSOR_KIND_COMPLEX: return complex_excess(got, expected, i, t);
    case TENSOR_KIND_STRING: {
        const tensor_string *a = (const tensor_string *)got->data + i;
        const tensor_string *b = (const tensor_string *)expected->data + i;
        const bool same = a->size_bytes == b->size_bytes &&
                          (!a->size_bytes || memcmp(a->text, b->text, a->size_bytes) == 0);
        return same ? 0 : HUGE_VAL;
    }
    default: {
        const int64_t a = tensor_get_integer(got->element, got->data, i);
        const int64_t b = tensor_get_integer(expected->element, expected->data, i);
        return a == b ? 0 : fabs((double)a - (double)b) + 0.5;
    }
    }
}

static void print_element(const tensor_value *v, uint64_t i, char *out, size_t size) {
    switch (tensor_element_kind_of(v->element)) {
    case TENSOR_KIND_FLOAT:
        snprintf(out, size, "%.9g", tensor_get_number(v->element, v->data, i));
        break;
    case TENSOR_KIND_COMPLEX:
        snprintf(out, size, "%.9g%+.9gi", part(v, i, 0), part(v, i, 1));
        break;
    case TENSOR_KIND_STRING: {
        const tensor_string *s = (const tensor_string *)v->data + i;
        snprintf(out, size, "'%.*s'", s->size_bytes < 60 ? (int)s->size_bytes : 60, s->text);
        break;
    }
    default: snprintf(out, size, "%" PRId64, tensor_get_integer(v->element, v->data, i)); break;
    }
}

static bool compare_tensors(const tensor_value *got, const tensor_value *expected,
                            case_tolerance tolerance, char *text, size_t size) {
    char a[128], b[128], at[128];
    if (!same_shape(got, expected)) {
        print_shape(got, a, sizeof a);
        print_shape(expected, b, sizeof b);
        snprintf(text, size, "got %s, expected %s", a, b);
        return false;
    }
    uint64_t wrong = 0, worst = 0;
    double most = 0;
    for (uint64_t i = 0; i < got->elems; i++) {
        const double over = element_excess(got, expected, i, tolerance);
        if (over == 0) continue;
        wrong++;
        if (over > most) {
            most = over;
            worst = i;
        }
    }
    if (!wrong) return true;
    print_index(got, worst, at, sizeof at);
    print_element(got, worst, a, sizeof a);
    print_element(expected, worst, b, sizeof b);
    snprintf(text, size,
             "%" PRIu64 " of %" PRIu64 " elements differ, worst %s: got %s, expected %s", wrong,
             got->elems, at, a, b);
    return false;
}

static bool compare(const tensor_value *got, const tensor_value *expected, case_tolerance tolerance,
                    int depth, char *text, size_t size) {
    if (got->kind != expected->kind || depth > LIST_MAX_DEPTH) {
        snprintf(text, size, "got %s, expected %s", kinds[got->kind], kinds[expected->kind]);
        return false;
    }
    if (got->kind == TENSOR_VALUE_TENSOR) {
        return compare_tensors(got, expected, tolerance, text, size);
    }
    if (got->item_count != expected->item_count) {
        snprintf(text, size, "%" PRIu64 " items, expected %" PRIu64, got->item_count,
                 expected->item_count);
        return false;
    }
    for (uint64_t i = 0; i < got->item_count; i++) {
        int n = snprintf(text, size, "item %" PRIu64 ": ", i);
        const size_t used = n > 0 ? (size_t)n : 0;
        if (!compare(got->items[i], expected->items[i], tolerance, depth + 1, text + used,
                     size - used)) {
            return false;
        }
    }
    return true;
}

bool case_compare(const tensor_value *got, const tensor_value *expected, case_tolerance tolerance,
                  char *text, size_t size) {
    return compare(got, expected, tolerance, 0, text, size);
}
