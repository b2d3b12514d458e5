/* MODEL on the command line: a file, a folder, or a name in the cache folder. */
#ifndef MODEL_NAME_H
#define MODEL_NAME_H

#include <stdio.h>

/* The .gguf file that `model` means, in *path (free it). Returns an exit status, having reported:
 * what is there instead, and how to get it. */
int model_name_resolve(const char *model, char **path);

/* Names of the models in the cache folder, one a line. */
void model_name_list(FILE *to);

/* $ONDOL_CACHE, $XDG_CACHE_HOME/ondol or ~/.cache/ondol, then "/" and name (NULL: neither). Free
 * it. The folder is made where it lacks and `make` is not 0. */
char *cache_path(const char *name, int make);

#endif
