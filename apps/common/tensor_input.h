/* Files -> values of a network's inputs. */
#ifndef TENSOR_INPUT_H
#define TENSOR_INPUT_H

#include <stdbool.h>

#include <ondol/ondol.h>

/* Reads NAME=FILE: .npy, .npz (the array of the input's name, or FILE.npz:ARRAY), .pb (ONNX's test
 * data), .csv (numbers or, for an input of strings, texts), and binds it. Returns an exit status,
 * having reported. */
int tensor_input_bind(ondol_network *network, const char *name_and_file);

/* Reads NAME=FILE:OPTIONS as a picture (JPEG, PNG, WebP, TIFF, JPEG 2000, BMP, PNM) and binds it as
 * float or uint8, [1, channels, height, width] or with layout=nhwc. Floats are 0..1 unless a scale
 * is given, then (x - mean) / std. */
int tensor_input_bind_image(ondol_engine *engine, ondol_network *network, const char *text);

/* A size for a symbolic dimension: NAME=N. */
typedef struct dim_setting {
    char name[64];
    int64_t size;
} dim_setting;
int dim_setting_parse(const char *text, dim_setting *out);

/* Binds random values to every input that has no binding and no default: floats in [0, 1), integers
 * and bools 0 or 1, from a fixed seed. bound: [inputs]. Returns an exit status, having reported. */
int tensor_input_random(ondol_network *network, const bool *bound, const dim_setting *dims,
                        size_t dim_count);

/* The input that "NAME=..." names; *rest is what follows the '='. */
int tensor_input_find(ondol_network *network, const char *name_and_file, size_t *input,
                      ondol_port *port, const char **rest);

#endif
