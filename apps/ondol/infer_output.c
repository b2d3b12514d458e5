/* Outputs. In: values of a network. Out: lines, JSON, .npy files. */
#include "ondol/infer_output.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/json_print.h"
#include "common/npy.h"
#include "common/number_read.h"
#include "common/whole_file.h"

typedef struct ranked {
    uint64_t index;
    double value;
} ranked;

typedef struct summary {
    ranked *top; /* descending; the first of equal ones first */
    size_t count;
    double least, most, mean;
    uint64_t not_finite;
} summary;

static void insert(summary *s, size_t capacity, uint64_t index, double value) {
    size_t at = s->count;
    while (at > 0 && s->top[at - 1].value < value)
        at--;
    if (at == capacity) return;
    if (s->count < capacity) s->count++;
    memmove(s->top + at + 1, s->top + at, (s->count - at - 1) * sizeof *s->top);
    s->top[at] = (ranked){index, value};
}

static summary summarize(const ondol_value_info *info, size_t top) {
    summary s = {
        .top = memory_take((top + 1) * sizeof *s.top), .least = INFINITY, .most = -INFINITY};
    uint64_t finite = 0;
    for (uint64_t i = 0; i < info->elements; i++) {
        const double v = number_read(info->element, info->data, i);
        if (!isfinite(v)) {
            s.not_finite++;
            continue;
        }
        finite++;
        s.mean += (v - s.mean) / (double)finite;
        s.least = v < s.least ? v : s.least;
        s.most = v > s.most ? v : s.most;
        insert(&s, top, i, v);
    }
    return s;
}

/* Names and texts come from a file: control characters do not reach the terminal. */
static void print_plain(const char *text, size_t n) {
    for (size_t i = 0; i < n; i++) {
        const unsigned char c = (unsigned char)text[i];
        putchar(c < 0x20 || c == 0x7f ? '?' : c);
    }
}

static void print_shape(const ondol_value_info *info) {
    printf("%s[", ondol_element_name(info->element));
    for (size_t i = 0; i < info->rank; i++)
        printf("%s%lld", i ? ", " : "", (long long)info->dims[i]);
    printf("]");
}

static void print_value(const char *name, const ondol_value *value, size_t top, int indent) {
    static const char *const kinds[] = {"tensor", "sequence", "optional", "map"};
    ondol_value_info info = {.struct_size = sizeof info};
    if (!value || ondol_value_get_info(value, &info, NULL)) return;
    printf("%*s", indent, "");
    print_plain(name, strlen(name));
    printf("  ");
    if (info.kind != ONDOL_VALUE_TENSOR) {
        printf("%s of %zu\n", kinds[info.kind], info.items);
        for (size_t i = 0; i < info.items && i < 20; i++) {
            char item[32];
            snprintf(item, sizeof item, "[%zu]", i);
            print_value(item, ondol_value_item(value, i), top, indent + 2);
        }
        return;
    }
    print_shape(&info);
    if (!info.data) {
        for (uint64_t i = 0; i < info.elements && i < top; i++) {
            const char *text = "";
            size_t n = 0;
            ondol_value_string(value, i, &text, &n, NULL);
            printf("%s'", i ? ", " : "  ");
            print_plain(text, n);
            printf("'");
        }
        printf("\n");
        return;
    }
    summary s = summarize(&info, top);
    if (info.elements == 1) {
        printf("  %.9g\n", number_read(info.element, info.data, 0));
    } else {
        if (info.elements > s.not_finite) {
            printf("  %.6g to %.6g, mean %.6g", s.least, s.most, s.mean);
        }
        if (s.not_finite) printf(", %llu not finite", (unsigned long long)s.not_finite);
        printf("\n");
        for (size_t i = 0; i < s.count; i++) {
            printf("%*s  %8llu  %.6g\n", indent, "", (unsigned long long)s.top[i].index,
                   s.top[i].value);
        }
    }
    free(s.top);
}

void infer_output_print(const ondol_network *network, size_t output, size_t top) {
    ondol_port port = {.struct_size = sizeof port};
    if (ondol_network_output(network, output, &port, NULL)) return;
    print_value(port.name, ondol_network_result(network, output), top, 0);
}

static json_t *value_json(const ondol_value *value, size_t top) {
    static const char *const kinds[] = {"tensor", "sequence", "optional", "map"};
    ondol_value_info info = {.struct_size = sizeof info};
    json_t *out = json_object(), *list = json_array();
    if (!value || ondol_value_get_info(value, &info, NULL)) return out;
    json_object_set_new(out, "kind", json_string(kinds[info.kind]));
    if (info.kind != ONDOL_VALUE_TENSOR) {
        for (size_t i = 0; i < info.items; i++)
            json_array_append_new(list, value_json(ondol_value_item(value, i), top));
        json_object_set_new(out, "items", list);
        return out;
    }
    json_t *shape = json_array();
    for (size_t i = 0; i < info.rank; i++)
        json_array_append_new(shape, json_integer(info.dims[i]));
    json_object_set_new(out, "type", json_string(ondol_element_name(info.element)));
    json_object_set_new(out, "shape", shape);
    if (!info.data) {
        for (uint64_t i = 0; i < info.elements && i < top; i++) {
            const char *text = "";
            size_t n = 0;
            ondol_value_string(value, i, &text, &n, NULL);
            json_array_append_new(list, json_text(text, n));
        }
        json_object_set_new(out, "first", list);
        return out;
    }
    summary s = summarize(&info, top);
    for (size_t i = 0; i < s.count; i++) {
        json_array_append_new(list, json_pack("{s:I, s:o}", "index", (json_int_t)s.top[i].index,
                                              "value", json_rounded(s.top[i].value)));
    }
    json_object_set_new(out, "min", json_rounded(s.least));
    json_object_set_new(out, "max", json_rounded(s.most));
    json_object_set_new(out, "mean", json_rounded(s.mean));
    json_object_set_new(out, "not_finite", json_integer((json_int_t)s.not_finite));
    json_object_set_new(out, "top", list);
    free(s.top);
    return out;
}

json_t *infer_output_json(const ondol_network *network, size_t output, size_t top) {
    ondol_port port = {.struct_size = sizeof port};
    if (ondol_network_output(network, output, &port, NULL)) return json_null();
    json_t *out = value_json(ondol_network_result(network, output), top);
    json_object_set_new(out, "name", json_text(port.name, strlen(port.name)));
    return out;
}

static int write_file(const char *path, const text_buffer *bytes) {
    output_file file = {0};
    int status = output_open(&file, path);
    if (!status) {
        output_write(&file, bytes->bytes ? bytes->bytes : "", bytes->size);
        status = output_commit(&file);
    }
    output_drop(&file);
    return status;
}

static int write_value(const ondol_value *value, const char *stem) {
    ondol_value_info info = {.struct_size = sizeof info};
    text_buffer path = {0}, bytes = {0};
    int status = EXIT_DONE;
    if (!value || ondol_value_get_info(value, &info, NULL)) return EXIT_DONE;
    if (info.kind != ONDOL_VALUE_TENSOR) {
        for (size_t i = 0; i < info.items && !status; i++) {
            text_clear(&path);
            text_print(&path, "%s.%zu", stem, i);
            status = write_value(ondol_value_item(value, i), path.bytes);
        }
    } else {
        text_print(&path, "%s.%s", stem, info.data ? "npy" : "txt");
        if (info.data) {
            npy_append_header(&info, &bytes);
            npy_append_data(&info, &bytes);
        }
        for (uint64_t i = 0; !info.data && i < info.elements; i++) {
            const char *text = "";
            size_t n = 0;
            ondol_value_string(value, i, &text, &n, NULL);
            text_append(&bytes, text, n);
            text_append(&bytes, "\n", 1);
        }
        status = write_file(path.bytes, &bytes);
    }
    text_free(&path);
    text_free(&bytes);
    return status;
}

int infer_output_write(const ondol_network *network, const char *folder) {
    int status = EXIT_DONE;
    if (mkdir(folder, 0777) != 0 && errno != EEXIST) {
        return report_failure("cannot make the folder '%s': %s", folder, strerror(errno));
    }
    for (size_t i = 0; i < ondol_network_output_count(network) && !status; i++) {
        ondol_port port = {.struct_size = sizeof port};
        ondol_error err;
        text_buffer stem = {0};
        if (ondol_network_output(network, i, &port, &err)) return report_error(&err);
        text_print(&stem, "%s/", folder);
        const size_t name = stem.size;
        text_print(&stem, "%s", port.name);
        for (size_t k = name; k < stem.size; k++) {
            if (stem.bytes[k] == '/' || stem.bytes[k] == '\\') stem.bytes[k] = '_';
        }
        status = write_value(ondol_network_result(network, i), stem.bytes);
        text_free(&stem);
    }
    return status;
}
