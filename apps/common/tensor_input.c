/* Inputs of a network. In: NAME=FILE, or nothing but sizes. Out: values bound to it. */
#include "common/tensor_input.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/csv_read.h"
#include "common/npy.h"
#include "common/whole_file.h"

#define FILE_BYTES_MAX ((size_t)1 << 40)

int tensor_input_find(ondol_network *network, const char *text, size_t *input, ondol_port *port,
                      const char **rest) {
    const char *equals = strchr(text, '=');
    ondol_error err;
    if (!equals || equals == text) {
        return report_failure("'%s': expected NAME=FILE, as in --input x=x.npy", text);
    }
    const size_t n = (size_t)(equals - text);
    char *name = memory_take(n + 1);
    memcpy(name, text, n);
    name[n] = 0;
    const ondol_status status = ondol_network_find_input(network, name, input, &err);
    free(name);
    if (status) return report_error(&err);
    *port = (ondol_port){.struct_size = sizeof *port};
    if (ondol_network_input(network, *input, port, &err)) return report_error(&err);
    *rest = equals + 1;
    return EXIT_DONE;
}

static int bind(ondol_network *network, size_t input, ondol_value *value) {
    ondol_error err;
    const ondol_status status = ondol_network_bind(network, input, value, &err);
    ondol_value_release(value);
    return status ? report_error(&err) : EXIT_DONE;
}

static int bind_array(ondol_network *network, size_t input, const npy_array *a) {
    ondol_error err;
    ondol_value *value = NULL;
    const void *data = a->text_ends ? NULL : a->data.bytes;
    if (ondol_value_create(network, a->element, a->rank, a->dims, data, &value, &err)) {
        return report_error(&err);
    }
    for (uint64_t i = 0; a->text_ends && i < a->elements; i++) {
        const uint64_t from = i ? a->text_ends[i - 1] : 0;
        const char *text = a->data.bytes ? a->data.bytes + from : "";
        if (ondol_value_set_string(value, i, text, (size_t)(a->text_ends[i] - from), &err)) {
            ondol_value_release(value);
            return report_error(&err);
        }
    }
    return bind(network, input, value);
}

/* A .csv has rows and columns; an input of another rank takes the numbers as they follow. */
static void fit_csv(const ondol_port *port, npy_array *a) {
    int64_t known = 1, holes = 0;
    if (port->rank < 0 || port->rank == 2) return;
    for (int32_t i = 0; i < port->rank; i++) {
        if (port->dims[i] < 0)
            holes++;
        else
            known *= port->dims[i];
    }
    if (known <= 0 || holes > 1 || a->elements % (uint64_t)known != 0) return;
    if (holes == 0 && a->elements != (uint64_t)known) return;
    a->rank = (size_t)port->rank;
    for (int32_t i = 0; i < port->rank; i++)
        a->dims[i] = port->dims[i] < 0 ? (int64_t)a->elements / known : port->dims[i];
}

static bool ends_with(const char *path, const char *end) {
    const size_t n = strlen(path), k = strlen(end);
    return n >= k && strcmp(path + n - k, end) == 0;
}

static int bind_file(ondol_network *network, size_t input, const ondol_port *port, const char *path,
                     const text_buffer *file, const char *member) {
    char why[256] = "";
    npy_array a = {0};
    bool fine = true;
    const char *bytes = file->bytes ? file->bytes : "";
    if (ends_with(path, ".pb")) {
        ondol_error err;
        ondol_value *value = NULL;
        if (ondol_value_from_protobuf(network, input, bytes, file->size, &value, &err)) {
            return report_failure("%s: %s", path, err.text);
        }
        return bind(network, input, value);
    }
    if (ends_with(path, ".npz")) {
        text_buffer inner = {0};
        fine = npz_find(bytes, file->size, member ? member : port->name, &inner, why, sizeof why) &&
               npy_parse(inner.bytes ? inner.bytes : "", inner.size, &a, why, sizeof why);
        text_free(&inner);
    } else if (ends_with(path, ".npy")) {
        fine = npy_parse(bytes, file->size, &a, why, sizeof why);
    } else if (ends_with(path, ".csv")) {
        fine = csv_parse(bytes, file->size, port->element, &a, why, sizeof why);
        if (fine) fit_csv(port, &a);
    } else {
        return report_failure("%s: expected a file .npy, .npz, .pb or .csv (an image: --image)",
                              path);
    }
    const int status = fine ? bind_array(network, input, &a) : report_failure("%s: %s", path, why);
    npy_free(&a);
    return status;
}

int tensor_input_bind(ondol_network *network, const char *name_and_file) {
    size_t input = 0;
    ondol_port port;
    const char *rest = NULL;
    int status = tensor_input_find(network, name_and_file, &input, &port, &rest);
    if (status) return status;
    char *path = memory_text(rest), *member = strstr(path, ".npz:");
    if (member) {
        member[4] = 0;
        member += 5;
    }
    text_buffer file = {0};
    status = whole_file_read(path, FILE_BYTES_MAX, &file);
    if (!status) status = bind_file(network, input, &port, path, &file, member);
    text_free(&file);
    free(path);
    return status;
}

int dim_setting_parse(const char *text, dim_setting *out) {
    const char *equals = strchr(text, '=');
    char *end = NULL;
    if (equals && equals != text && (size_t)(equals - text) < sizeof out->name) {
        memcpy(out->name, text, (size_t)(equals - text));
        out->name[equals - text] = 0;
        out->size = strtoll(equals + 1, &end, 10);
        if (end != equals + 1 && *end == 0 && out->size >= 0) return EXIT_DONE;
    }
    return report_failure("--dim '%s': expected NAME=N, as in --dim batch=1", text);
}

/* xorshift64* (Vigna 2016). */
static uint64_t next_random(uint64_t *state) {
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545f4914f6cdd1dull;
}

static int find_size(const ondol_port *port, int32_t axis, const dim_setting *dims, size_t count,
                     int64_t *size) {
    const char *name = port->dim_names[axis];
    *size = port->dims[axis];
    if (*size >= 0) return EXIT_DONE;
    for (size_t i = 0; i < count; i++) {
        if (name && strcmp(name, dims[i].name) == 0) {
            *size = dims[i].size;
            return EXIT_DONE;
        }
    }
    if (name) {
        return report_failure("input '%s' is %s: give '%s' a size, as in --dim %s=1", port->name,
                              port->type, name, name);
    }
    *size = 1;
    return EXIT_DONE;
}

static void fill_random(ondol_element e, uint64_t elements, char *data, uint64_t *state) {
    const unsigned bytes = ondol_element_bits(e) / 8;
    for (uint64_t i = 0; i < elements; i++) {
        const uint64_t r = next_random(state) >> 40; /* 24 bits */
        const float f = (float)r * 0x1p-24f;
        const double d = (double)f;
        const uint16_t half = (uint16_t)(0x3000u + (r & 0x7ffu)); /* 0.125 to 0.5 */
        char *at = data + i * bytes;
        switch (e) {
        case ONDOL_ELEMENT_FLOAT32: memcpy(at, &f, sizeof f); break;
        case ONDOL_ELEMENT_FLOAT64: memcpy(at, &d, sizeof d); break;
        case ONDOL_ELEMENT_FLOAT16: memcpy(at, &half, sizeof half); break;
        case ONDOL_ELEMENT_UINT8: *at = (char)r; break;
        default: at[0] = (char)(r & 1u); break; /* little endian: the other bytes stay 0 */
        }
    }
}

static int bind_random(ondol_network *network, size_t input, const ondol_port *port,
                       const dim_setting *settings, size_t count, uint64_t *state) {
    int64_t dims[ONDOL_MAX_RANK] = {0};
    uint64_t elements = 1;
    ondol_error err;
    ondol_value *value = NULL;
    if (port->rank < 0 || ondol_element_bits(port->element) == 0) {
        return report_failure("input '%s' is %s: --random cannot make that", port->name,
                              port->type);
    }
    for (int32_t i = 0; i < port->rank; i++) {
        const int status = find_size(port, i, settings, count, dims + i);
        if (status) return status;
        elements *= (uint64_t)dims[i];
    }
    if (ondol_value_create(network, port->element, (size_t)port->rank, dims, NULL, &value, &err)) {
        return report_error(&err);
    }
    if (ondol_element_bits(port->element) >= 8) {
        const size_t size = (size_t)elements * (ondol_element_bits(port->element) / 8);
        char *data = memory_take(size);
        memset(data, 0, size);
        fill_random(port->element, elements, data, state);
        ondol_value_release(value);
        value = NULL;
        const ondol_status status = ondol_value_create(network, port->element, (size_t)port->rank,
                                                       dims, data, &value, &err);
        free(data);
        if (status) return report_error(&err);
    }
    return bind(network, input, value);
}

int tensor_input_random(ondol_network *network, const bool *bound, const dim_setting *dims,
                        size_t dim_count) {
    uint64_t state = 0x9e3779b97f4a7c15ull;
    for (size_t i = 0; i < ondol_network_input_count(network); i++) {
        ondol_port port = {.struct_size = sizeof port};
        ondol_error err;
        if (ondol_network_input(network, i, &port, &err)) return report_error(&err);
        if (bound[i] || port.has_default) continue;
        const int status = bind_random(network, i, &port, dims, dim_count, &state);
        if (status) return status;
    }
    return EXIT_DONE;
}
