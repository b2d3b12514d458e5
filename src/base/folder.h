/* Folders and places. Paths are UTF-8. Thread class: shared. */
#ifndef BASE_FOLDER_H
#define BASE_FOLDER_H

#include "base/mem.h"

/* The same place from whatever folder, links resolved; to be freed. Errors: NOT_FOUND, MEMORY. */
ondol_status base_path_absolute(const ondol_allocator *a, const char *path, char **out,
                                ondol_error *err);

/* Calls visit with the name of each entry of a folder, in no order; visit may remove it. A folder
 * that cannot be read has none. */
void base_folder_each(const char *folder, void (*visit)(void *user, const char *name), void *user);

#endif
