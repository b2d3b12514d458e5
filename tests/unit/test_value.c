/* tensor/value.h: values of a run: shapes, views, copies, strings, lists, and the heap that counts
 * their bytes. */
#include "fail_alloc.h"
#include "tensor/value.h"
#include "unit.h"

typedef struct fixture {
    ondol_allocator a;
    tensor_heap *h;
    ondol_error err;
} fixture;

static int begin(void **state) {
    static fixture f;
    f = (fixture){.a = base_default_allocator()};
    *state = &f;
    return tensor_heap_create(&f.a, 1 << 20, &f.h, &f.err) == ONDOL_OK ? 0 : 1;
}

/* Everything was given back. */
static int end(void **state) {
    fixture *f = *state;
    const bool fine = tensor_heap_used(f->h) == 0;
    tensor_heap_destroy(f->h);
    return fine ? 0 : 1;
}

static tensor_value *floats(fixture *f, int64_t rows, int64_t columns) {
    tensor_value *v = NULL;
    const int64_t dims[] = {rows, columns};
    ondol_error err;
    ASSERT_OK(tensor_value_create(f->h, TENSOR_ELEMENT_F32, 2, dims, &v, &err));
    for (uint64_t i = 0; i < v->elems; i++)
        ((float *)v->data)[i] = (float)i;
    return v;
}

static void shapes(void **state) {
    fixture *f = *state;
    ondol_error err = {0};
    tensor_value *v = NULL;
    const int64_t sixteen[17] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    ASSERT_OK(tensor_value_create(f->h, TENSOR_ELEMENT_I64, 0, NULL, &v, &err));
    assert_int_equal(v->elems, 1);
    assert_int_equal(tensor_value_bytes(v), 8);
    assert_int_equal((uintptr_t)v->data % 64, 0);
    tensor_value_release(v);
    const int64_t empty[] = {3, 0, INT64_MAX};
    ASSERT_OK(tensor_value_create(f->h, TENSOR_ELEMENT_F32, 3, empty, &v, &err));
    assert_int_equal(v->elems, 0);
    assert_non_null(v->data);
    tensor_value_release(v);
    ASSERT_OK(tensor_value_create(f->h, TENSOR_ELEMENT_U8, 16, sixteen, &v, &err));
    tensor_value_release(v);
    const int64_t three[] = {3};
    ASSERT_OK(tensor_value_create(f->h, TENSOR_ELEMENT_U4, 1, three, &v, &err));
    assert_int_equal(tensor_value_bytes(v), 2);
    tensor_value_release(v);
    ASSERT_STATUS(tensor_value_create(f->h, TENSOR_ELEMENT_U8, 17, sixteen, &v, &err),
                  ONDOL_E_LIMIT);
    ASSERT_CONTAINS(err.text, "rank 17");
}

static void sizes_past_the_cap(void **state) {
    fixture *f = *state;
    static const struct {
        int64_t dims[2];
        const char *part;
    } cases[] = {
        {{-1, 2}, "dimension 0 of a tensor is -1"},
        {{2, INT64_MIN}, "dimension 1"},
        {{(int64_t)1 << 40, 1}, "4398046511"},
        {{INT64_MAX, 2}, "more elements than 2^63"},
        {{(int64_t)1 << 32, (int64_t)1 << 32}, "more elements than 2^63"},
        {{INT64_MAX, 1}, "elements of type f32"},
        {{1 << 18, 1}, "1048576"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ondol_error err = {0};
        tensor_value *v = NULL;
        ASSERT_STATUS(tensor_value_create(f->h, TENSOR_ELEMENT_F32, 2, cases[i].dims, &v, &err),
                      ONDOL_E_LIMIT);
        assert_null(v);
        ASSERT_CONTAINS(err.text, cases[i].part);
        assert_int_equal(tensor_heap_used(f->h), 0);
    }
}

static void views(void **state) {
    fixture *f = *state;
    ondol_error err = {0};
    tensor_value *v = floats(f, 3, 4), *row = NULL, *inner = NULL;
    const int64_t four[] = {4}, two[] = {2}, five[] = {5};
    assert_true(tensor_value_is_own(v));
    ASSERT_OK(tensor_value_view(v, 1, four, 8, &row, &err));
    assert_true(((float *)row->data)[0] == 8);
    assert_false(tensor_value_is_own(v)); /* two see the data */
    assert_false(tensor_value_is_own(row));
    ASSERT_STATUS(tensor_value_view(v, 1, five, 8, &inner, &err), ONDOL_E_INTERNAL);
    ASSERT_STATUS(tensor_value_view(v, 1, two, UINT64_MAX, &inner, &err), ONDOL_E_INTERNAL);
    ASSERT_STATUS(tensor_value_view(row, 1, two, 3, &inner, &err), ONDOL_E_INTERNAL);
    ASSERT_OK(tensor_value_view(row, 1, two, 2, &inner, &err));
    tensor_value_release(v);
    tensor_value_release(row);
    assert_true(((float *)inner->data)[1] == 11); /* the last one keeps it */
    assert_true(tensor_value_is_own(inner));
    tensor_value_release(inner);
}

static void borrowed_is_not_own(void **state) {
    fixture *f = *state;
    ondol_error err = {0};
    const float data[] = {1, 2};
    const int64_t two[] = {2};
    tensor_value *v = NULL, *copy = NULL;
    ASSERT_OK(tensor_value_borrow(f->h, TENSOR_ELEMENT_F32, 1, two, data, &v, &err));
    assert_false(tensor_value_is_own(v));
    ASSERT_OK(tensor_value_copy(f->h, v, &copy, &err));
    assert_true(tensor_value_is_own(copy));
    tensor_value_release(v);
    assert_true(((float *)copy->data)[1] == 2);
    tensor_value_release(copy);
}

static void strings(void **state) {
    fixture *f = *state;
    ondol_error err = {0};
    const int64_t three[] = {3}, one[] = {1};
    tensor_value *v = NULL, *copy = NULL, *view = NULL;
    ASSERT_OK(tensor_value_create(f->h, TENSOR_ELEMENT_STRING, 1, three, &v, &err));
    assert_int_equal(((tensor_string *)v->data)[2].size_bytes, 0);
    ASSERT_OK(tensor_value_set_string(v, 0, "a\0b", 3, &err));
    ASSERT_OK(tensor_value_set_string(v, 1, "long enough to be on its own", 28, &err));
    ASSERT_OK(tensor_value_view(v, 1, one, 1, &view, &err));
    ASSERT_OK(tensor_value_copy(f->h, v, &copy, &err));
    tensor_value_release(v);
    const tensor_string *s = copy->data, *t = view->data;
    assert_int_equal(s[0].size_bytes, 3);
    assert_memory_equal(s[0].text, "a\0b", 3);
    assert_memory_equal(t[0].text, "long enough", 11); /* views hold the texts */
    tensor_value_release(copy);
    tensor_value_release(view);
}

static void channels(void **state) {
    fixture *f = *state;
    ondol_error err = {0};
    const int64_t dims[] = {1, 2, 3};
    tensor_value *v = NULL, *last = NULL, *back = NULL;
    ASSERT_OK(tensor_value_create(f->h, TENSOR_ELEMENT_F32, 3, dims, &v, &err));
    for (int i = 0; i < 6; i++)
        ((float *)v->data)[i] = (float)i;
    ASSERT_OK(tensor_value_channels_last(v, NULL, &last, &err));
    const float wanted[] = {0, 3, 1, 4, 2, 5};
    assert_true(last->channels_last);
    assert_memory_equal(last->data, wanted, sizeof wanted);
    ASSERT_OK(tensor_value_dense(last, NULL, &back, &err));
    assert_memory_equal(back->data, v->data, sizeof wanted);
    tensor_value_release(back);
    ASSERT_OK(tensor_value_dense(v, NULL, &back, &err));
    assert_ptr_equal(back, v);
    tensor_value_release(back);
    tensor_value_release(last);
    tensor_value_release(v);
}

static void lists(void **state) {
    fixture *f = *state;
    ondol_error err = {0};
    tensor_value *list = NULL, *item = floats(f, 1, 2);
    ASSERT_OK(tensor_value_create_list(f->h, TENSOR_VALUE_SEQUENCE, &list, &err));
    for (int i = 0; i < 9; i++)
        ASSERT_OK(tensor_value_append(list, item, &err));
    assert_int_equal(list->item_count, 9);
    assert_int_equal(list->element, TENSOR_ELEMENT_F32);
    assert_false(tensor_value_is_own(item));
    tensor_value_release(item);
    assert_true(((float *)list->items[8]->data)[1] == 1);
    tensor_value_release(list);
    tensor_value_release(NULL);
}

static void the_heap_counts(void **state) {
    fixture *f = *state;
    tensor_value *v = floats(f, 16, 16);
    const uint64_t used = tensor_heap_used(f->h);
    assert_true(used >= 1024 && used < 4096);
    tensor_value_release(v);
    assert_int_equal(tensor_heap_used(f->h), 0);
    assert_int_equal(tensor_heap_peak(f->h), used);
}

/* Each allocation fails in turn: a status, and nothing is lost. */
static void memory_that_fails(void **state) {
    (void)state;
    for (uint64_t at = 0; at < 64; at++) {
        fail_alloc memory;
        tensor_heap *h = NULL;
        ondol_error err = {0};
        fail_alloc_init(&memory, at);
        const int64_t two[] = {2};
        tensor_value *v = NULL, *copy = NULL, *list = NULL;
        ondol_status status = tensor_heap_create(&memory.api, 1 << 20, &h, &err);
        if (status == ONDOL_OK)
            status = tensor_value_create(h, TENSOR_ELEMENT_STRING, 1, two, &v, &err);
        if (status == ONDOL_OK) status = tensor_value_set_string(v, 0, "text", 4, &err);
        if (status == ONDOL_OK) status = tensor_value_copy(h, v, &copy, &err);
        if (status == ONDOL_OK)
            status = tensor_value_create_list(h, TENSOR_VALUE_SEQUENCE, &list, &err);
        if (status == ONDOL_OK) status = tensor_value_append(list, copy, &err);
        assert_true(status == ONDOL_OK || status == ONDOL_E_MEMORY);
        tensor_value_release(v);
        tensor_value_release(copy);
        tensor_value_release(list);
        tensor_heap_destroy(h);
        fail_alloc_check_empty(&memory);
        if (status == ONDOL_OK) return;
    }
    fail_msg("it never got through");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(shapes, begin, end),
        cmocka_unit_test_setup_teardown(sizes_past_the_cap, begin, end),
        cmocka_unit_test_setup_teardown(views, begin, end),
        cmocka_unit_test_setup_teardown(borrowed_is_not_own, begin, end),
        cmocka_unit_test_setup_teardown(strings, begin, end),
        cmocka_unit_test_setup_teardown(channels, begin, end),
        cmocka_unit_test_setup_teardown(lists, begin, end),
        cmocka_unit_test_setup_teardown(the_heap_counts, begin, end),
        cmocka_unit_test(memory_that_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
