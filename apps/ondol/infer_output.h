/* Outputs of a network, for people, for programs and as files. */
#ifndef INFER_OUTPUT_H
#define INFER_OUTPUT_H

#include <jansson.h>
#include <ondol/ondol.h>

/* Name, type, shape, range and the `top` largest values. */
void infer_output_print(const ondol_network *network, size_t output, size_t top);
json_t *infer_output_json(const ondol_network *network, size_t output, size_t top);

/* Each output as FOLDER/NAME.npy (strings: NAME.txt, a line each; items of what is no tensor:
 * NAME.INDEX.npy). The folder is made where it lacks. Returns an exit status, having reported. */
int infer_output_write(const ondol_network *network, const char *folder);

#endif
