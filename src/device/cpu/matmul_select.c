/* Which config multiplies by a weight. In: instruction set, encoding, shape. Out: the first row of
 * matmul_configs.def that fits. */
#include "device/cpu/matmul.h"

#include "device/cpu/matmul_kernels.h"

typedef struct config_row {
    cpu_matmul_config config;
    panel_layout_kind layout;
} config_row;

#define ACTIVATION_CODES  PLAN_ACTIVATION_Q8
#define ACTIVATION_FLOATS PLAN_ACTIVATION_F32
#define PACK_CODES        panel_codes_pack
#define PACK_FLOATS       panel_floats_pack
#define DECODE_CODES      panel_codes_decode_row
#define DECODE_FLOATS     panel_floats_decode_row

static const config_row CONFIGS[] = {
#define CONFIG(isa_, layout_, name_, kind, matmul_, work_bytes_)                                   \
    {.config = {.name = name_,                                                                     \
                .isa = BASE_ISA_##isa_,                                                            \
                .activation = ACTIVATION_##kind,                                                   \
                .panel_rows = PANEL_ROWS,                                                          \
                .packed_bytes = panel_packed_bytes,                                                \
                .pack = PACK_##kind,                                                               \
                .matmul = matmul_,                                                                 \
                .decode_row = DECODE_##kind,                                                       \
                .work_bytes = work_bytes_},                                                        \
     .layout = PANEL_LAYOUT_##layout_},
#include "device/cpu/matmul_configs.def"
#undef CONFIG
};

const cpu_matmul_config *cpu_matmul_select(base_isa isa, const tensor_matrix *w, panel_form *form,
                                           base_buffer *why) {
    panel_form f;
    char name[TENSOR_MATRIX_NAME_BYTES];
    const tensor_encoding_info *info = w->nbits ? NULL : tensor_encoding_info_of(w->encoding);
    if (!w->nbits && (!info || w->columns % info->block_elems)) {
        if (why) {
            base_buffer_append_format(why, " matmul: %llu columns are no blocks of %s;",
                                      (unsigned long long)w->columns,
                                      info ? info->name : "any encoding");
        }
        return NULL;
    }
    if (!panel_form_of(w, &f)) {
        if (why) {
            base_buffer_append_format(why, " matmul: no layout for %s;",
                                      tensor_matrix_name(w, name));
        }
        return NULL;
    }
    for (size_t i = 0; i < sizeof CONFIGS / sizeof CONFIGS[0]; i++) {
        const config_row *row = CONFIGS + i;
        if (row->layout != (panel_layout_kind)f.layout) continue;
        if (base_isa_runs(isa, row->config.isa)) {
            if (form) *form = f;
            return &row->config;
        }
        if (why) {
            base_buffer_append_format(why, " %s: needs %s;", row->config.name,
                                      base_isa_name(row->config.isa));
        }
    }
    return NULL;
}

cpu_matmul_segments cpu_matmul_segments_select(base_isa isa) {
#if defined(__x86_64__)
    if (base_isa_runs(isa, BASE_ISA_AVX512)) return cpu_matmul_segments_avx512;
    if (base_isa_runs(isa, BASE_ISA_AVX2)) return cpu_matmul_segments_avx2;
#elif defined(__aarch64__)
    if (base_isa_runs(isa, BASE_ISA_NEON)) return cpu_matmul_segments_neon;
#endif
    return cpu_matmul_segments_scalar;
}
