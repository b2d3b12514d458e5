/* base/number_text: the shortest text that reads back. */
#include <locale.h>
#include <math.h>
#include <stdlib.h>

#include "base/number_text.h"
#include "unit.h"

static void known_doubles(void **state) {
    (void)state;
    static const struct {
        double v;
        const char *text;
    } cases[] = {
        {0, "0"},
        {-0.0, "-0"},
        {1, "1"},
        {-1.5, "-1.5"},
        {0.1, "0.1"},
        {0.001, "0.001"},
        {0.0001, "1e-04"},
        {0.00012, "0.00012"},
        {0.000012, "1.2e-05"},
        {100000, "1e+05"},
        {10000, "10000"},
        {123456, "123456"},
        {1e22, "1e+22"},
        {1e100, "1e+100"},
        {123456789012345680.0, "123456789012345680"},
        {5e-324, "5e-324"},
        {1.7976931348623157e308, "1.7976931348623157e+308"},
        {3.141592653589793, "3.141592653589793"},
        {INFINITY, "inf"},
        {-INFINITY, "-inf"},
    };
    char text[BASE_NUMBER_TEXT_BYTES];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(base_double_text(text, cases[i].v), strlen(cases[i].text));
        assert_string_equal(text, cases[i].text);
    }
    base_double_text(text, NAN);
    assert_non_null(strstr(text, "nan"));
}

static void known_floats(void **state) {
    (void)state;
    static const struct {
        float v;
        const char *text;
    } cases[] = {
        {0.1f, "0.1"},     {16777216.0f, "16777216"},        {123456789.0f, "123456792"},
        {1e-45f, "1e-45"}, {3.4028235e38f, "3.4028235e+38"}, {0.333333343f, "0.33333334"},
        {1e10f, "1e+10"},  {-2.5e-8f, "-2.5e-08"},           {7, "7"},
    };
    char text[BASE_NUMBER_TEXT_BYTES];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(base_float_text(text, cases[i].v), strlen(cases[i].text));
        assert_string_equal(text, cases[i].text);
    }
}

static uint64_t next_random(uint64_t *state) { /* splitmix64, Steele et al. 2014 */
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static void every_number_reads_back(void **state) {
    (void)state;
    uint64_t random = 1;
    char text[BASE_NUMBER_TEXT_BYTES];
    for (int i = 0; i < 20000; i++) {
        const uint64_t bits = next_random(&random);
        const uint32_t narrow = (uint32_t)bits;
        double d = 0;
        float f = 0;
        memcpy(&d, &bits, sizeof d);
        memcpy(&f, &narrow, sizeof f);
        assert_true(base_double_text(text, d) < sizeof text);
        if (!isnan(d)) assert_true(strtod(text, NULL) == d);
        assert_true(base_float_text(text, f) < sizeof text);
        if (!isnan(f)) assert_true(strtof(text, NULL) == f);
    }
}

/* Where a locale with another point is installed. */
static void locales_change_nothing(void **state) {
    (void)state;
    static const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "ps_AF.UTF-8"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char text[BASE_NUMBER_TEXT_BYTES];
        if (!setlocale(LC_NUMERIC, names[i])) continue;
        base_double_text(text, 1.25);
        assert_string_equal(text, "1.25");
    }
    setlocale(LC_NUMERIC, "C");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_doubles),
        cmocka_unit_test(known_floats),
        cmocka_unit_test(every_number_reads_back),
        cmocka_unit_test(locales_change_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
