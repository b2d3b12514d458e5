/* An ONNX model is opened through the public API and run once: constants folded, optimised, on cpu
 * and ref or on ref alone, within small caps, on values that the model's bytes decide. It fails
 * with a sentence, or every output can be read. A run that takes long is cancelled and must end. */
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <ondol/ondol.h>

#include "fuzz.h"

#define RUN_BYTES_MAX      ((uint64_t)16 << 20)
#define RUN_ITERATIONS_MAX 1000u
#define INPUT_ELEMENTS_MAX 4096u
#define CANCEL_AFTER_S     2

/* ---- the clock ---- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static ondol_network *running; /* under lock */
static time_t began;

/* Asks from time to time whether the run has gone on too long. */
static void *watch(void *unused) {
    (void)unused;
    for (;;) {
        const struct timespec pause = {0, 200000000};
        nanosleep(&pause, NULL);
        pthread_mutex_lock(&lock);
        if (running && time(NULL) - began > CANCEL_AFTER_S) ondol_network_cancel(running);
        pthread_mutex_unlock(&lock);
    }
    return NULL;
}

static void set_running(ondol_network *n) {
    pthread_mutex_lock(&lock);
    running = n;
    began = time(NULL);
    pthread_mutex_unlock(&lock);
}

/* ---- values ---- */

typedef struct source {
    const uint8_t *data;
    size_t size;
    uint64_t state; /* of the numbers that inputs are made of */
} source;

static uint64_t next(source *s) { /* splitmix64, Steele et al. 2014 */
    uint64_t z = (s->state += 0x9e3779b97f4a7c15u);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* Small numbers, then those at which arithmetic goes wrong, then any bits. */
static void fill(source *s, ondol_element e, unsigned char *to, size_t n) {
    const uint64_t kind = next(s) % 4;
    const size_t width = ondol_element_bits(e) < 8 ? 1 : ondol_element_bits(e) / 8;
    static const int64_t extremes[] = {INT64_MIN, INT64_MAX, -1,    0,         1,
                                       INT32_MIN, INT32_MAX, 32768, 0x7f800000};
    for (size_t i = 0; i + width <= n; i += width) {
        const uint64_t r = next(s);
        int64_t v = (int64_t)(r % 5) - 1;
        const float f = (float)(int64_t)(r % 2000) / 500 - 2;
        const double d = (double)f;
        if (kind == 3) v = (int64_t)next(s);
        if (kind == 2) v = extremes[r % (sizeof extremes / sizeof *extremes)];
        if (kind < 2 && e == ONDOL_ELEMENT_FLOAT32)
            memcpy(to + i, &f, sizeof f);
        else if (kind < 2 && e == ONDOL_ELEMENT_FLOAT64)
            memcpy(to + i, &d, sizeof d);
        else if (e == ONDOL_ELEMENT_BOOL)
            to[i] = (unsigned char)(v & 1);
        else
            memcpy(to + i, &v, width < sizeof v ? width : sizeof v);
    }
}

/* A value of the port's type, or NULL where it is not worth one. */
static ondol_value *make_tensor(ondol_network *n, const ondol_port *p, ondol_element e, source *s) {
    int64_t dims[ONDOL_MAX_RANK];
    const size_t rank = p->rank < 0 ? next(s) % 5 : (size_t)p->rank;
    uint64_t elements = 1;
    ondol_value *v = NULL;
    for (size_t i = 0; i < rank; i++) {
        static const int64_t sizes[] = {1, 2, 3, 4, 1, 2, 8, 0};
        dims[i] = p->rank >= 0 && p->dims[i] >= 0 ? p->dims[i] : sizes[next(s) % 8];
        if (dims[i] > INPUT_ELEMENTS_MAX) return NULL;
        elements *= (uint64_t)dims[i];
        if (elements > INPUT_ELEMENTS_MAX) return NULL;
    }
    const size_t size = ((size_t)elements * ondol_element_bits(e) + 7) / 8;
    unsigned char *data = malloc(size + 1);
    if (!data) abort();
    memset(data, 0, size + 1);
    if (e != ONDOL_ELEMENT_STRING) fill(s, e, data, size);
    ondol_status status =
        ondol_value_create(n, e, rank, dims, e == ONDOL_ELEMENT_STRING ? NULL : data, &v, NULL);
    free(data);
    if (status != ONDOL_OK) return NULL;
    for (uint64_t i = 0; e == ONDOL_ELEMENT_STRING && i < elements; i++) {
        static const char *const texts[] = {"", "a", "b c", "1.5", "-3", "\xed\x95\x9c", "\xff"};
        const char *text = texts[next(s) % 7];
        if (ondol_value_set_string(v, i, text, strlen(text), NULL) != ONDOL_OK) abort();
    }
    return v;
}

static ondol_element any_element(source *s) {
    static const ondol_element some[] = {ONDOL_ELEMENT_FLOAT32, ONDOL_ELEMENT_INT64,
                                         ONDOL_ELEMENT_UINT8, ONDOL_ELEMENT_FLOAT16};
    return some[next(s) % 4];
}

static ondol_value *make_value(ondol_network *n, const ondol_port *p, source *s) {
    const bool tensor = p->element != ONDOL_ELEMENT_UNKNOWN;
    const bool sequence = strncmp(p->type, "seq(", 4) == 0;
    const bool optional = strncmp(p->type, "optional(", 9) == 0;
    if (tensor || !(sequence || optional))
        return make_tensor(n, p, tensor ? p->element : any_element(s), s);
    ondol_value *list = NULL;
    const ondol_element e = any_element(s);
    if (ondol_value_create_list(n, sequence ? ONDOL_VALUE_SEQUENCE : ONDOL_VALUE_OPTIONAL, &list,
                                NULL) != ONDOL_OK) {
        return NULL;
    }
    for (uint64_t k = next(s) % (sequence ? 4 : 2); k; k--) {
        ondol_value *item = make_tensor(n, p, e, s);
        if (item) ondol_value_append(list, item, NULL);
        ondol_value_release(item);
    }
    return list;
}

/* ---- a run ---- */

static void expect_sentence(ondol_status status, const ondol_error *err) {
    if (status != ONDOL_OK && (err->status != status || err->text[0] == 0)) abort();
}

static void bind_inputs(ondol_network *n, source *s) {
    for (size_t i = 0; i < ondol_network_input_count(n); i++) {
        ondol_port port = {.struct_size = sizeof port};
        if (ondol_network_input(n, i, &port, NULL) != ONDOL_OK) abort();
        if (port.has_default && next(s) % 8) continue;
        ondol_value *v = make_value(n, &port, s);
        if (v && ondol_network_bind(n, i, v, NULL) != ONDOL_OK) abort();
        ondol_value_release(v);
    }
}

/* Touches every byte; what is not a value of its own is found by a sanitizer. */
static uint64_t read_value(const ondol_value *v) {
    ondol_value_info info = {.struct_size = sizeof info};
    uint64_t sum = 0;
    if (!v || ondol_value_get_info(v, &info, NULL) != ONDOL_OK) abort();
    for (size_t i = 0; i < info.items; i++)
        sum += read_value(ondol_value_item(v, i));
    if (info.kind != ONDOL_VALUE_TENSOR) return sum;
    for (uint64_t i = 0; info.data && i < info.size_bytes; i++)
        sum += ((const unsigned char *)info.data)[i];
    for (uint64_t i = 0; info.element == ONDOL_ELEMENT_STRING && i < info.elements; i++) {
        const char *text = NULL;
        size_t size = 0;
        if (ondol_value_string(v, i, &text, &size, NULL) != ONDOL_OK) abort();
        for (size_t k = 0; k < size; k++)
            sum += (unsigned char)text[k];
    }
    return sum;
}

static void run(ondol_network *n, source *s, uint64_t *sink) {
    ondol_error err = {0};
    bind_inputs(n, s);
    set_running(n);
    const ondol_status status = ondol_network_run(n, &err);
    set_running(NULL);
    expect_sentence(status, &err);
    if (status != ONDOL_OK) return;
    for (size_t i = 0; i < ondol_network_output_count(n); i++)
        *sink += read_value(ondol_network_result(n, i));
}

static int read_source(void *user, uint64_t offset, void *to, size_t size) {
    const source *s = user;
    if (offset > s->size || size > s->size - offset) return 1;
    if (size) memcpy(to, s->data + offset, size);
    return 0;
}

static ondol_engine *create_engine(const char *device) {
    ondol_engine_options options = ONDOL_ENGINE_OPTIONS_INIT;
    ondol_engine *engine = NULL;
    options.threads = 1;
    options.device = device;
    if (ondol_engine_create(&options, &engine, NULL) != ONDOL_OK) abort();
    return engine;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static ondol_engine *engines[2]; /* kept */
    static pthread_t watcher;
    uint64_t sum = 0;
    source s = {data, size, size};
    ondol_network_options options = ONDOL_NETWORK_OPTIONS_INIT;
    ondol_network *n = NULL;
    ondol_error err = {0};
    if (!engines[0]) {
        engines[0] = create_engine("cpu");
        engines[1] = create_engine("ref");
        if (pthread_create(&watcher, NULL, watch, NULL) != 0) abort();
    }
    for (size_t i = 0; i < size; i++)
        s.state = s.state * 0x100000001b3u ^ data[i];
    const ondol_source from = {size, read_source, &s, "fuzz"};
    options.max_bytes = RUN_BYTES_MAX;
    options.max_iterations = RUN_ITERATIONS_MAX;
    const ondol_status status =
        ondol_network_open_source(engines[next(&s) % 2], &from, &options, &n, &err);
    expect_sentence(status, &err);
    if (status == ONDOL_OK) run(n, &s, &sum);
    ondol_network_close(n);
    return sum == 1 ? (int)(sum >> 32) : 0; /* so that it is computed */
}
