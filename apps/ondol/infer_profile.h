/* Where the time of a network went. */
#ifndef INFER_PROFILE_H
#define INFER_PROFILE_H

#include <stdbool.h>

#include <ondol/ondol.h>

/* Prints time by operator (when `print`) and writes the nodes as a trace in Chrome's trace event
 * format. Returns an exit status, having reported. */
int infer_profile_write(const ondol_network *network, const char *path, bool print);

#endif
