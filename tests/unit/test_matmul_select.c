/* The choice of a matmul kernel: every encoding has one at every instruction set; the reasons. */
#include "unit.h"

#include "device/cpu/matmul.h"

static tensor_matrix matrix_of(tensor_encoding e, uint64_t n, uint64_t k) {
    return (tensor_matrix){.rows = n, .columns = k, .encoding = e};
}

static void every_encoding_has_a_config(void **state) {
    (void)state;
    for (int isa = 0; isa < BASE_ISA_COUNT; isa++) {
        for (int e = 0; e < TENSOR_ENCODING_COUNT; e++) {
            const tensor_encoding_info *info = tensor_encoding_info_of((tensor_encoding)e);
            const tensor_matrix w =
                matrix_of((tensor_encoding)e, 1, 3 * (uint64_t)info->block_elems);
            panel_form form;
            const cpu_matmul_config *config = cpu_matmul_select((base_isa)isa, &w, &form, NULL);
            assert_non_null(config);
            assert_true(base_isa_runs((base_isa)isa, config->isa));
            assert_non_null(strstr(config->name, base_isa_name(config->isa)));
            const bool codes = info->encoding_class == TENSOR_CLASS_QUANTISED;
            assert_int_equal(config->activation, codes ? PLAN_ACTIVATION_Q8 : PLAN_ACTIVATION_F32);
            assert_true(config->packed_bytes(form, 33, info->block_elems) ==
                        2 * config->packed_bytes(form, 1, info->block_elems));
        }
        assert_non_null(cpu_quantize_rows_select((base_isa)isa));
    }
}

static void better_levels_come_first(void **state) {
    (void)state;
    const tensor_matrix w = matrix_of(TENSOR_ENCODING_Q4_0, 1, 32);
    assert_int_equal(cpu_matmul_select(BASE_ISA_SCALAR, &w, NULL, NULL)->isa, BASE_ISA_SCALAR);
#if defined(__x86_64__)
    for (int isa = BASE_ISA_AVX2; isa <= BASE_ISA_AMX; isa++)
        assert_int_equal(cpu_matmul_select((base_isa)isa, &w, NULL, NULL)->isa, isa);
#endif
}

static void says_why(void **state) {
    (void)state;
    const ondol_allocator a = base_default_allocator();
    base_buffer why;
    base_buffer_init(&why, &a, 4096);
    const tensor_matrix odd = matrix_of(TENSOR_ENCODING_Q4_K, 8, 100);
    const tensor_matrix even = matrix_of(TENSOR_ENCODING_Q6_K, 8, 256);
    const tensor_matrix none = matrix_of(TENSOR_ENCODING_COUNT, 8, 256);
    assert_null(cpu_matmul_select(BASE_ISA_SCALAR, &odd, NULL, &why));
    ASSERT_CONTAINS(why.data, "100 columns");
    ASSERT_CONTAINS(why.data, "Q4_K");
    base_buffer_destroy(&why);
    base_buffer_init(&why, &a, 4096);
    base_buffer_append_text(&why, "");
    assert_non_null(cpu_matmul_select(BASE_ISA_SCALAR, &even, NULL, &why));
#if defined(__x86_64__)
    ASSERT_CONTAINS(why.data, "q6_k_p32_amx: needs amx;");
    ASSERT_CONTAINS(why.data, "q6_k_p32_avx512vnni: needs avx512vnni;");
    ASSERT_CONTAINS(why.data, "q6_k_p32_avx2: needs avx2;");
#endif
    assert_null(strstr(why.data, "q4_0"));
    base_buffer_destroy(&why);
    assert_null(cpu_matmul_select(BASE_ISA_SCALAR, &none, NULL, NULL));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_encoding_has_a_config),
        cmocka_unit_test(better_levels_come_first),
        cmocka_unit_test(says_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
