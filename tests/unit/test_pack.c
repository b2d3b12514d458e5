/* api/api_pack.h: packed weights kept in a file: what is written comes back, what does not fit is
 * not taken. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/api_pack.h"
#include "unit.h"

#define BYTES (((uint64_t)64 << 20) + 4160)

typedef struct fixture {
    ondol_allocator a;
    char folder[64], path[128];
} fixture;

static int begin(void **state) {
    static fixture f;
    f = (fixture){.a = base_default_allocator(), .folder = "/tmp/ondol-pack-XXXXXX"};
    *state = &f;
    if (!mkdtemp(f.folder)) return 1;
    snprintf(f.path, sizeof f.path, "%s/0000000000000007-test.pack", f.folder);
    return 0;
}

static int end(void **state) {
    const fixture *f = *state;
    unlink(f->path);
    return rmdir(f->folder); /* nothing else is left there */
}

static void fill(unsigned char *data, unsigned char first) {
    for (uint64_t i = 0; i < BYTES; i += 509)
        data[i] = (unsigned char)(i / 509 + first);
}

/* Whether a store of these comes out of the file, with what `fill` wrote. */
static bool is_kept(const fixture *f, uint64_t bytes, uint64_t fingerprint, unsigned char first) {
    ondol_error err;
    api_pack *p = NULL;
    plan_store s;
    ASSERT_OK(api_pack_create(&f->a, NULL, f->folder, NULL, 7, "test", &p, &err));
    ASSERT_OK(api_pack_open(p, bytes, fingerprint, &s, &err));
    assert_int_equal(s.filled, api_pack_is_filled(p));
    assert_int_equal((uintptr_t)s.data % 64, 0);
    const unsigned char *data = s.data;
    for (uint64_t i = 0; s.filled && i < bytes; i += 509)
        assert_int_equal(data[i], (unsigned char)(i / 509 + first));
    for (uint64_t i = 0; i < PLAN_STORE_SLACK; i++)
        assert_int_equal(data[bytes + i], 0);
    const bool filled = s.filled;
    api_pack_destroy(p);
    return filled;
}

static void write_one(const fixture *f, const char *folder, uint64_t bytes, unsigned char first) {
    ondol_error err;
    api_pack *p = NULL;
    plan_store s;
    ASSERT_OK(api_pack_create(&f->a, NULL, folder, NULL, 7, "test", &p, &err));
    ASSERT_OK(api_pack_open(p, bytes, 11, &s, &err));
    assert_false(s.filled);
    if (bytes == BYTES) fill(s.data, first);
    api_pack_keep(p);
    api_pack_destroy(p); /* waits for the file */
}

static void comes_back(void **state) {
    const fixture *f = *state;
    assert_false(is_kept(f, BYTES, 11, 3));
    write_one(f, f->folder, BYTES, 3);
    assert_true(is_kept(f, BYTES, 11, 3));
    assert_true(is_kept(f, BYTES, 11, 3));
}

static void what_does_not_fit_is_not_taken(void **state) {
    const fixture *f = *state;
    write_one(f, f->folder, BYTES, 5);
    assert_false(is_kept(f, BYTES, 12, 5));      /* other weights */
    assert_false(is_kept(f, BYTES + 64, 11, 5)); /* of another size */
    assert_true(is_kept(f, BYTES, 11, 5));
    struct stat st;
    assert_int_equal(stat(f->path, &st), 0);
    assert_int_equal(truncate(f->path, st.st_size - 1), 0);
    assert_false(is_kept(f, BYTES, 11, 5));
    unlink(f->path);
    write_one(f, f->folder, BYTES, 9); /* a header of another version */
    FILE *file = fopen(f->path, "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, 8, SEEK_SET), 0);
    assert_int_equal(fputc(99, file), 99);
    assert_int_equal(fclose(file), 0);
    assert_false(is_kept(f, BYTES, 11, 9));
}

static void nothing_is_written(void **state) {
    const fixture *f = *state;
    struct stat st;
    write_one(f, f->folder, 1 << 20, 0); /* too little to be worth it */
    assert_int_not_equal(stat(f->path, &st), 0);
    write_one(f, NULL, BYTES, 0);
    assert_int_not_equal(stat(f->path, &st), 0);
    write_one(f, "/nowhere/at/all", BYTES, 0); /* no fault */
}

/* What a file holds that no longer fits goes, and memory comes. */
static void forgets(void **state) {
    const fixture *f = *state;
    ondol_error err;
    api_pack *p = NULL;
    plan_store s;
    write_one(f, f->folder, BYTES, 1);
    ASSERT_OK(api_pack_create(&f->a, NULL, f->folder, NULL, 7, "test", &p, &err));
    ASSERT_OK(api_pack_open(p, BYTES, 11, &s, &err));
    assert_true(s.filled);
    api_pack_forget(p);
    ASSERT_OK(api_pack_open(p, BYTES, 11, &s, &err));
    assert_false(s.filled);
    fill(s.data, 77);
    api_pack_keep(p);
    api_pack_destroy(p);
    assert_true(is_kept(f, BYTES, 11, 77));
}

static void write_of(const fixture *f, const char *model, uint64_t identity) {
    ondol_error err;
    api_pack *p = NULL;
    plan_store s;
    ASSERT_OK(api_pack_create(&f->a, NULL, f->folder, model, identity, "test", &p, &err));
    ASSERT_OK(api_pack_open(p, BYTES, 11, &s, &err));
    fill(s.data, 0);
    api_pack_keep(p);
    api_pack_destroy(p);
}

static bool is_there(const fixture *f, const char *name) {
    char path[128];
    snprintf(path, sizeof path, "%s/%s", f->folder, name);
    return access(path, F_OK) == 0;
}

static void write_text(const char *path, const char *text) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
}

/* Models that were written anew or removed leave nothing; what is no packed weights stays. */
static void cleans_up(void **state) {
    const fixture *f = *state;
    char one[128], two[128], other[128];
    snprintf(one, sizeof one, "%s/one", f->folder);
    snprintf(two, sizeof two, "%s/two", f->folder);
    snprintf(other, sizeof other, "%s/other.pack", f->folder);
    write_text(one, "a model");
    write_text(two, "another");
    write_text(other, "ondolpak, says this file, that is too short to be one");
    write_of(f, one, 1);
    write_of(f, two, 2);
    write_of(f, NULL, 3); /* of a model that has no file: nobody can tell */
    assert_true(is_there(f, "0000000000000001-test.pack"));
    write_text(one, "a model, written anew");
    write_of(f, one, 4);
    assert_false(is_there(f, "0000000000000001-test.pack"));
    assert_true(is_there(f, "0000000000000002-test.pack"));
    unlink(two);
    write_of(f, one, 7);
    assert_false(is_there(f, "0000000000000002-test.pack"));
    assert_true(is_there(f, "0000000000000003-test.pack"));
    assert_true(is_there(f, "0000000000000004-test.pack"));
    assert_true(is_there(f, "other.pack"));
    unlink(one);
    unlink(other);
    for (int i = 3; i < 5; i++) {
        char path[128];
        snprintf(path, sizeof path, "%s/000000000000000%d-test.pack", f->folder, i);
        assert_int_equal(unlink(path), 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(comes_back, begin, end),
        cmocka_unit_test_setup_teardown(what_does_not_fit_is_not_taken, begin, end),
        cmocka_unit_test_setup_teardown(nothing_is_written, begin, end),
        cmocka_unit_test_setup_teardown(forgets, begin, end),
        cmocka_unit_test_setup_teardown(cleans_up, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
