/* The model of AMX's tiles, which checks kernels on machines without them: what it refuses, and one
 * product worked out by hand. */
#include "kernelcheck.h"

#include <string.h>

#include "device/cpu/x86/amx_tiles.h"

static void expect_fault(check *c, bool fault, const char *what) {
    const char *got = amx_model_take_fault();
    check_that(c, (got != NULL) == fault, "%s: %s", what, got ? got : "no fault");
}

static void check_configurations(check *c) {
    const tile_config good = {.palette = 1, .row_bytes = {64, 8, 64}, .rows = {3, 3, 2}};
    tile_config bad = good;
    amx_model_configure(&good);
    expect_fault(c, false, "a good configuration");
    bad.palette = 2;
    amx_model_configure(&bad);
    expect_fault(c, true, "palette 2");
    bad = good;
    bad.reserved[13] = 1;
    amx_model_configure(&bad);
    expect_fault(c, true, "reserved bytes");
    bad = good;
    bad.rows[0] = 17;
    amx_model_configure(&bad);
    expect_fault(c, true, "17 rows");
    bad = good;
    bad.row_bytes[2] = 65;
    amx_model_configure(&bad);
    expect_fault(c, true, "65 bytes to a row");
    bad = good;
    bad.rows[7] = 1;
    amx_model_configure(&bad);
    expect_fault(c, true, "rows of no bytes");
    bad = good;
    bad.rows[8] = 1;
    bad.row_bytes[8] = 4;
    amx_model_configure(&bad);
    expect_fault(c, true, "a ninth tile");
    amx_model_release();
}

static void check_dots(check *c) {
    static const tile_config CONFIG = {
        .palette = 1, .row_bytes = {8, 8, 8, 4}, .rows = {1, 1, 2, 1}};
    static const int8_t A[8] = {-128, 127, 1, 0, 2, -3, 0, -1};
    static const uint8_t B[16] = {255, 1, 2, 9, 1, 1, 1, 1, 3, 4, 200, 5, 0, 128, 7, 255};
    static const int32_t WANT[2] = {-128 * 255 + 127 + 2 + 6 - 12 - 5, -128 + 128 - 384 - 255};
    int32_t got[2] = {0};
    amx_model_zero(0);
    expect_fault(c, true, "a tile before any configuration");
    amx_model_configure(&CONFIG);
    amx_model_zero(0);
    amx_model_load(1, A, sizeof A);
    amx_model_load(2, B, 8);
    amx_model_dot_signed_unsigned(0, 1, 2);
    amx_model_store(0, got, 64);
    expect_fault(c, false, "a product");
    check_that(c, memcmp(got, WANT, sizeof got) == 0, "%d and %d, not %d and %d", got[0], got[1],
               WANT[0], WANT[1]);
    amx_model_dot_signed_unsigned(0, 1, 1);
    expect_fault(c, true, "a tile with itself");
    amx_model_dot_signed_unsigned(0, 3, 2);
    expect_fault(c, true, "4 columns by 8 rows of them");
    amx_model_dot_signed_unsigned(3, 1, 2);
    expect_fault(c, true, "sums of fewer columns");
    amx_model_load(4, A, sizeof A);
    expect_fault(c, true, "a tile that is not configured");
    amx_model_release();
    amx_model_store(0, got, 64);
    expect_fault(c, true, "a tile after the release");
}

void check_amx(check *c) {
    if (!check_begin(c, "amx_model")) return;
    check_configurations(c);
    check_dots(c);
}

void check_amx_bench(check *c) {
    (void)c;
}
