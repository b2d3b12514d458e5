/* base/: error text, arena, buffer, reader, map, UTF-8, files, pool. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/checked.h"
#include "base/cpu.h"
#include "base/file.h"
#include "base/map.h"
#include "base/reader.h"
#include "base/thread.h"
#include "base/utf8.h"
#include "unit.h"

static void error_text_is_one_clean_line(void **state) {
    (void)state;
    ondol_error err = {0};
    assert_int_equal(base_fail(&err, ONDOL_E_FORMAT, "name '%s'", "a\nb\xff"), ONDOL_E_FORMAT);
    assert_string_equal(err.text, "name 'a?b?'");
    base_prefix(&err, ONDOL_E_FORMAT, "file %d", 7);
    assert_string_equal(err.text, "file 7: name 'a?b?'");
    assert_int_equal(base_fail(NULL, ONDOL_E_IO, "x"), ONDOL_E_IO);
    char big[2000];
    memset(big, 'x', sizeof big - 1);
    big[sizeof big - 1] = 0;
    base_fail(&err, ONDOL_E_IO, "%s", big);
    assert_int_equal(strlen(err.text), ONDOL_ERROR_TEXT_BYTES - 1);
    base_prefix(&err, ONDOL_E_IO, "%s", big);
    assert_int_equal(strlen(err.text), ONDOL_ERROR_TEXT_BYTES - 1);
}

static void arena_gives_zeroed_memory_up_to_its_maximum(void **state) {
    (void)state;
    ondol_allocator heap = base_default_allocator();
    base_arena arena;
    base_arena_init(&arena, &heap, 100000);
    for (size_t i = 1; i < 300; i++) {
        unsigned char *p = base_arena_alloc(&arena, i, 1);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % 16, 0);
        for (size_t k = 0; k < i; k++)
            assert_int_equal(p[k], 0);
        memset(p, 0xee, i);
    }
    assert_null(base_arena_alloc(&arena, 100000, 1));
    assert_null(base_arena_alloc(&arena, SIZE_MAX / 2, 3));
    assert_string_equal(base_arena_strndup(&arena, "hello", 3), "hel");
    base_arena_destroy(&arena);
}

static void buffer_stops_at_its_maximum(void **state) {
    (void)state;
    ondol_allocator heap = base_default_allocator();
    ondol_error err = {0};
    base_buffer b;
    base_buffer_init(&b, &heap, 10);
    assert_true(base_buffer_append_text(&b, "12345"));
    assert_true(base_buffer_append_format(&b, "%d", 678));
    assert_string_equal(b.data, "12345678");
    assert_false(base_buffer_append_text(&b, "abc"));
    assert_false(base_buffer_append_text(&b, "a"));
    assert_int_equal(b.size, 8);
    ASSERT_STATUS(base_buffer_status(&b, "text", &err), ONDOL_E_LIMIT);
    base_buffer_destroy(&b);
}

static void reader_never_passes_the_end(void **state) {
    (void)state;
    const unsigned char bytes[] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    base_reader r;
    base_reader_init(&r, bytes, sizeof bytes);
    assert_int_equal(base_read_u16(&r), 0x0201);
    r.big_endian = true;
    assert_int_equal(base_read_u32(&r), 0x03040506);
    assert_int_equal(base_reader_left(&r), 3);
    assert_int_equal(base_read_u32(&r), 0);
    assert_true(r.failed);
    assert_int_equal(base_read_u8(&r), 0);
    assert_null(base_read_view(&r, UINT64_MAX));
}

static void checked_arithmetic_refuses_overflow(void **state) {
    (void)state;
    uint64_t out = 42;
    assert_false(base_add(UINT64_MAX, 1, &out));
    assert_false(base_mul((uint64_t)1 << 32, (uint64_t)1 << 32, &out));
    assert_false(base_align_up(UINT64_MAX - 3, 16, &out));
    assert_int_equal(out, 42);
    assert_true(base_mul((uint64_t)1 << 32, ((uint64_t)1 << 32) - 1, &out));
    assert_true(base_align_up(33, 32, &out));
    assert_int_equal(out, 64);
    assert_true(base_range_ok(5, 5, 10));
    assert_false(base_range_ok(6, 5, 10));
    assert_false(base_range_ok(UINT64_MAX, 1, 10));
}

static void map_keeps_every_key(void **state) {
    (void)state;
    ondol_allocator heap = base_default_allocator();
    base_map m;
    base_map_init(&m, &heap);
    static char keys[5000][12];
    for (uint32_t i = 0; i < 5000; i++) {
        int n = snprintf(keys[i], sizeof keys[i], "key%u", i);
        assert_true(base_map_add(&m, keys[i], (size_t)n, i, NULL, NULL));
    }
    uint32_t value = 0;
    bool found = false;
    for (uint32_t i = 0; i < 5000; i++) {
        assert_true(base_map_get(&m, keys[i], strlen(keys[i]), &value));
        assert_int_equal(value, i);
    }
    assert_true(base_map_add(&m, "key17", 5, 9, &found, &value));
    assert_true(found);
    assert_int_equal(value, 17);
    assert_true(base_map_put(&m, "key17", 5, 9));
    assert_true(base_map_get(&m, "key17", 5, &value));
    assert_int_equal(value, 9);
    assert_false(base_map_get(&m, "absent", 6, &value));
    assert_true(base_map_add(&m, "", 0, 3, NULL, NULL));
    assert_true(base_map_get(&m, "", 0, &value));
    base_map_destroy(&m);
}

static void siphash_depends_on_seed_and_length(void **state) {
    (void)state;
    const uint64_t a[2] = {1, 2}, b[2] = {1, 3};
    unsigned char zeros[32] = {0};
    for (size_t i = 0; i < 31; i++) {
        assert_true(base_siphash(a, zeros, i) != base_siphash(a, zeros, i + 1));
        assert_true(base_siphash(a, zeros, i) != base_siphash(b, zeros, i));
    }
}

static void utf8_is_strict(void **state) {
    (void)state;
    uint32_t code = 0;
    assert_int_equal(base_utf8_decode((const unsigned char *)"\xed\x95\x9c", 3, &code), 3);
    assert_int_equal(code, 0xd55c);
    assert_int_equal(base_utf8_decode((const unsigned char *)"\xc0\x80", 2, &code), 0);
    assert_int_equal(base_utf8_decode((const unsigned char *)"\xed\xa0\x80", 3, &code), 0);
    assert_int_equal(base_utf8_decode((const unsigned char *)"\xf4\x90\x80\x80", 4, &code), 0);
    for (uint32_t c = 0; c <= 0x10ffff; c++) {
        if (c >= 0xd800 && c <= 0xdfff) continue;
        unsigned char out[4];
        size_t n = base_utf8_encode(c, out);
        assert_int_equal(base_utf8_decode(out, n, &code), n);
        assert_int_equal(code, c);
        for (size_t k = 1; k < n; k++)
            assert_int_equal(base_utf8_incomplete_tail(out, k), k);
        assert_int_equal(base_utf8_incomplete_tail(out, n), 0);
    }
    static const char *const hopeless[] = {"\xe0\x80", "\xed\xa0", "\xf0\x80", "\xf0\x8f\x80",
                                           "\xf4\x90", "\xf5",     "\x80",     "\xc0"};
    for (size_t i = 0; i < sizeof hopeless / sizeof hopeless[0]; i++) {
        const unsigned char *p = (const unsigned char *)hopeless[i];
        assert_int_equal(base_utf8_incomplete_tail(p, strlen(hopeless[i])), 0);
    }
}

static void files_are_whole_or_untouched(void **state) {
    (void)state;
    ondol_allocator heap = base_default_allocator();
    ondol_error err = {0};
    char path[] = "/tmp/ondol-test-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    ASSERT_OK(base_file_write(path, "hello", 5, &err));
    for (int use_map = 0; use_map < 2; use_map++) {
        base_file f;
        ASSERT_OK(base_file_open(&heap, path, use_map, &f, &err));
        assert_int_equal(f.size, 5);
        assert_memory_equal(f.data, "hello", 5);
        base_file_close(&f);
    }
    base_file f;
    ASSERT_STATUS(base_file_open(&heap, "/nonexistent/x", true, &f, &err), ONDOL_E_NOT_FOUND);
    ASSERT_STATUS(base_file_open(&heap, "/tmp", true, &f, &err), ONDOL_E_ARGUMENT);
    ASSERT_STATUS(base_file_open(&heap, "/dev/zero", true, &f, &err), ONDOL_E_ARGUMENT);
    ASSERT_STATUS(base_file_write("/dev/full", "x", 1, &err), ONDOL_E_IO);
    ASSERT_CONTAINS(err.text, "No space left");
    unlink(path);
}

typedef struct pool_test {
    unsigned threads;
    uint32_t units;
    atomic_uint times[300]; /* each unit ran */
    atomic_uint busy[5];    /* units that a thread is at */
    atomic_uint faults;
} pool_test;

static void pool_unit(uint32_t unit, unsigned thread_index, void *argument) {
    pool_test *t = argument;
    if (thread_index >= t->threads || unit >= t->units ||
        atomic_fetch_add(t->busy + thread_index, 1) != 0) {
        atomic_fetch_add(&t->faults, 1);
        return;
    }
    atomic_fetch_add(t->times + unit, 1);
    atomic_fetch_sub(t->busy + thread_index, 1);
}

static void pool_runs_each_unit_once(void **state) {
    (void)state;
    static const uint32_t counts[] = {0, 1, 2, 3, 7, 64, 300};
    ondol_allocator heap = base_default_allocator();
    ondol_error err = {0};
    for (unsigned n = 1; n <= 5; n++) {
        base_pool *pool = NULL;
        ASSERT_OK(base_pool_create(&heap, n, &pool, &err));
        assert_int_equal(base_pool_thread_count(pool), n);
        for (int round = 0; round < 700; round++) {
            pool_test t = {.threads = n, .units = counts[round % 7]};
            base_pool_run(pool, t.units, pool_unit, &t);
            assert_int_equal(atomic_load(&t.faults), 0);
            for (uint32_t i = 0; i < t.units; i++)
                assert_int_equal(atomic_load(t.times + i), 1);
        }
        base_pool_destroy(pool);
    }
    base_pool *pool = NULL;
    ASSERT_STATUS(base_pool_create(&heap, 0, &pool, &err), ONDOL_E_ARGUMENT);
}

static void isa_names_round_trip(void **state) {
    (void)state;
    ondol_error err = {0};
    for (int i = 0; i < BASE_ISA_COUNT; i++) {
        base_isa isa = BASE_ISA_SCALAR;
        ASSERT_OK(base_isa_parse(base_isa_name((base_isa)i), &isa, &err));
        assert_int_equal(isa, i);
    }
    base_isa isa = BASE_ISA_SCALAR;
    ASSERT_STATUS(base_isa_parse("sse9", &isa, &err), ONDOL_E_ARGUMENT);
    assert_true(base_isa_runs(base_cpu_isa(), BASE_ISA_SCALAR));
    assert_false(base_isa_runs(BASE_ISA_AVX512, BASE_ISA_NEON));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(error_text_is_one_clean_line),
        cmocka_unit_test(arena_gives_zeroed_memory_up_to_its_maximum),
        cmocka_unit_test(buffer_stops_at_its_maximum),
        cmocka_unit_test(reader_never_passes_the_end),
        cmocka_unit_test(checked_arithmetic_refuses_overflow),
        cmocka_unit_test(map_keeps_every_key),
        cmocka_unit_test(siphash_depends_on_seed_and_length),
        cmocka_unit_test(utf8_is_strict),
        cmocka_unit_test(files_are_whole_or_untouched),
        cmocka_unit_test(pool_runs_each_unit_once),
        cmocka_unit_test(isa_names_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
