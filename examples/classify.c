/* classify MODEL.onnx FILE [LABELS.txt]: any ONNX network on one input. FILE is a .npy of float32,
 * or a picture as .ppm (P6), scaled to what the network takes: [1, 3, height, width], with the mean
 * and deviation of ImageNet. Prints the five largest numbers of the first output as
 * probabilities, with the lines of LABELS.txt as names. */
#include <math.h>
#include <ondol/ondol.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TOP = 5, SIDE = 224 }; /* SIDE: of pictures, where the model does not say */

typedef struct tensor {
    size_t rank;
    int64_t dims[ONDOL_MAX_RANK];
    float *data;
} tensor;

static size_t element_count(const tensor *t) {
    size_t n = 1;
    for (size_t i = 0; i < t->rank; i++) {
        if (t->dims[i] <= 0 || n > ((size_t)1 << 28) / (size_t)t->dims[i]) return 0;
        n *= (size_t)t->dims[i];
    }
    return n;
}

/* The header of version 1 and 2: a Python dictionary as text. Returns what is wrong, or NULL. */
static const char *read_npy(FILE *f, tensor *out) {
    unsigned char head[10];
    char text[4096];
    if (fread(head, 1, sizeof head, f) != sizeof head || memcmp(head, "\x93NUMPY\x01", 7) != 0)
        return "no .npy of version 1";
    const size_t n = head[8] + 256u * head[9];
    if (n >= sizeof text || fread(text, 1, n, f) != n) return "its header is cut short";
    text[n] = 0;
    const char *shape = strstr(text, "'shape': (");
    if (!shape || !strstr(text, "'<f4'") || !strstr(text, "'fortran_order': False"))
        return "expected float32 in C order";
    for (shape += 10; *shape && *shape != ')';) {
        char *end = NULL;
        if (out->rank == ONDOL_MAX_RANK) return "it has too many dimensions";
        out->dims[out->rank++] = strtoll(shape, &end, 10);
        if (end == shape) return "its shape is no list of numbers";
        shape = end + strspn(end, ", ");
    }
    const size_t count = element_count(out);
    out->data = malloc(count * sizeof *out->data + 1);
    if (!out->data || count == 0) return "it is empty, or too large";
    return fread(out->data, sizeof *out->data, count, f) == count ? NULL : "it is cut short";
}

/* The nearest pixel of the picture for each place of the input. */
static void scale_picture(const unsigned char *rgb, long width, long height, tensor *out) {
    static const float mean[3] = {0.485f, 0.456f, 0.406f}, deviation[3] = {0.229f, 0.224f, 0.225f};
    const long rows = (long)out->dims[2], columns = (long)out->dims[3];
    for (long y = 0; y < rows; y++) {
        for (long x = 0; x < columns; x++) {
            const unsigned char *pixel =
                rgb + 3 * (y * height / rows * width + x * width / columns);
            for (int c = 0; c < 3; c++)
                out->data[(c * rows + y) * columns + x] =
                    ((float)pixel[c] / 255 - mean[c]) / deviation[c];
        }
    }
}

static const char *read_ppm(FILE *f, const ondol_port *port, tensor *out) {
    long width = 0, height = 0, most = 0;
    const char *fault = NULL;
    const int fixed = port->rank == 4;
    if (fscanf(f, "P6 %ld %ld %ld", &width, &height, &most) != 3 || fgetc(f) == EOF || most != 255)
        return "no .ppm of 8 bits (P6)";
    if (width < 1 || height < 1 || width > 16384 || height > 16384) return "it is too large";
    out->rank = 4;
    out->dims[0] = 1;
    out->dims[1] = 3;
    out->dims[2] = fixed && port->dims[2] > 0 ? port->dims[2] : SIDE;
    out->dims[3] = fixed && port->dims[3] > 0 ? port->dims[3] : SIDE;
    const size_t count = element_count(out), size = (size_t)(3 * width * height);
    unsigned char *rgb = malloc(size);
    out->data = malloc(count * sizeof *out->data + 1);
    if (!rgb || !out->data || count == 0)
        fault = "it is too large";
    else if (fread(rgb, 1, size, f) != size)
        fault = "it is cut short";
    else
        scale_picture(rgb, width, height, out);
    free(rgb);
    return fault;
}

static int read_input(const char *path, const ondol_port *port, tensor *out) {
    const size_t n = strlen(path);
    FILE *f = fopen(path, "rb");
    const char *fault = "it cannot be opened";
    if (f && n > 4 && strcmp(path + n - 4, ".npy") == 0)
        fault = read_npy(f, out);
    else if (f)
        fault = read_ppm(f, port, out);
    if (f) fclose(f);
    if (fault) fprintf(stderr, "classify: %s: %s\n", path, fault);
    return fault == NULL;
}

/* Line `index` of a file, without its end; the number itself where there is none. */
static void name_of(const char *labels, size_t index, char *out, size_t size) {
    FILE *f = labels ? fopen(labels, "r") : NULL;
    size_t line = 0;
    snprintf(out, size, "class %lu", (unsigned long)index);
    for (char text[256]; f && line <= index && fgets(text, sizeof text, f); line++) {
        text[strcspn(text, "\r\n")] = 0;
        if (line == index && *text) snprintf(out, size, "%s", text);
    }
    if (f) fclose(f);
}

static void print_top(const float *x, size_t n, const char *labels) {
    double sum = 0;
    float most = n ? x[0] : 0;
    int is_taken[TOP] = {0};
    size_t taken[TOP];
    for (size_t i = 0; i < n; i++)
        most = x[i] > most ? x[i] : most;
    for (size_t i = 0; i < n; i++)
        sum += exp((double)(x[i] - most));
    for (size_t k = 0; k < TOP && k < n; k++) {
        for (size_t i = 0; i < n; i++) {
            int again = 0;
            for (size_t j = 0; j < k; j++)
                again = again || taken[j] == i;
            if (again || (is_taken[k] && !(x[i] > x[taken[k]]))) continue;
            is_taken[k] = 1;
            taken[k] = i;
        }
        char name[256];
        name_of(labels, taken[k], name, sizeof name);
        printf("%7.4f  %s\n", exp((double)(x[taken[k]] - most)) / sum, name);
    }
}

static ondol_status classify(ondol_network *network, const tensor *input, const char *labels,
                             ondol_error *err) {
    ondol_value *value = NULL;
    ondol_value_info info = {0};
    info.struct_size = sizeof info;
    ondol_status status = ondol_value_create(network, ONDOL_ELEMENT_FLOAT32, input->rank,
                                             input->dims, input->data, &value, err);
    if (!status) status = ondol_network_bind(network, 0, value, err);
    ondol_value_release(value); /* the network holds it */
    if (!status) status = ondol_network_run(network, err);
    if (!status) status = ondol_value_get_info(ondol_network_result(network, 0), &info, err);
    if (status) return status;
    if (info.element != ONDOL_ELEMENT_FLOAT32 || !info.data) {
        fprintf(stderr, "classify: the first output is no float32 tensor\n");
        return ONDOL_E_UNSUPPORTED;
    }
    print_top(info.data, (size_t)info.elements, labels);
    return ONDOL_OK;
}

int main(int argc, char **argv) {
    ondol_engine *engine = NULL;
    ondol_network *network = NULL;
    ondol_error err = {ONDOL_OK, ""};
    ondol_port port = {0};
    tensor input = {0};
    int done = 0;
    if (argc < 3) {
        fprintf(stderr, "usage: classify MODEL.onnx FILE.npy|FILE.ppm [LABELS.txt]\n");
        return 2;
    }
    port.struct_size = sizeof port;
    ondol_status status = ondol_engine_create(NULL, &engine, &err);
    if (!status) status = ondol_network_open(engine, argv[1], NULL, &network, &err);
    if (!status) status = ondol_network_input(network, 0, &port, &err);
    if (!status && read_input(argv[2], &port, &input)) {
        status = classify(network, &input, argc > 3 ? argv[3] : NULL, &err);
        done = !status;
    }
    if (status && *err.text) fprintf(stderr, "classify: %s\n", err.text);
    free(input.data);
    ondol_network_close(network);
    ondol_engine_destroy(engine);
    return !done;
}
