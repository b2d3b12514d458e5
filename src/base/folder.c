/* Folders and places. In: a path. Out: names, or the path from the root. */
#ifndef _WIN32
#define _XOPEN_SOURCE 700
#endif
#include "base/folder.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#ifdef _WIN32
#include <windows.h>
#else
#include <dirent.h>
#endif

static ondol_status give(const ondol_allocator *a, const char *text, char **out, ondol_error *err) {
    const size_t size = strlen(text) + 1;
    *out = base_alloc(a, size, 1);
    if (!*out) return base_no_memory(err, "path", size);
    memcpy(*out, text, size);
    return ONDOL_OK;
}

#ifndef _WIN32

ondol_status base_path_absolute(const ondol_allocator *a, const char *path, char **out,
                                ondol_error *err) {
    char *text = realpath(path, NULL);
    if (!text) {
        if (errno == ENOMEM) return base_no_memory(err, "path", strlen(path));
        return base_fail(err, ONDOL_E_NOT_FOUND, "'%s': %s", path, strerror(errno));
    }
    const ondol_status status = give(a, text, out, err);
    free(text);
    return status;
}

void base_folder_each(const char *folder, void (*visit)(void *user, const char *name), void *user) {
    DIR *list = opendir(folder);
    if (!list) return;
    for (struct dirent *entry; (entry = readdir(list));)
        visit(user, entry->d_name);
    closedir(list);
}

#else /* _WIN32 */

#define PATH_WIDE 4096

ondol_status base_path_absolute(const ondol_allocator *a, const char *path, char **out,
                                ondol_error *err) {
    wchar_t given[PATH_WIDE], whole[PATH_WIDE];
    char text[3 * PATH_WIDE];
    if (MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, path, -1, given, PATH_WIDE) <= 0 ||
        GetFileAttributesW(given) == INVALID_FILE_ATTRIBUTES ||
        !_wfullpath(whole, given, PATH_WIDE) ||
        WideCharToMultiByte(CP_UTF8, 0, whole, -1, text, sizeof text, NULL, NULL) <= 0)
        return base_fail(err, ONDOL_E_NOT_FOUND, "'%s' is not there", path);
    return give(a, text, out, err);
}

void base_folder_each(const char *folder, void (*visit)(void *user, const char *name), void *user) {
    wchar_t pattern[PATH_WIDE];
    char name[4 * MAX_PATH];
    WIN32_FIND_DATAW entry;
    const int count =
        MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, folder, -1, pattern, PATH_WIDE - 2);
    if (count <= 0) return;
    memcpy(pattern + count - 1, L"\\*", 3 * sizeof(wchar_t));
    HANDLE list = FindFirstFileW(pattern, &entry);
    if (list == INVALID_HANDLE_VALUE) return;
    do {
        if (WideCharToMultiByte(CP_UTF8, 0, entry.cFileName, -1, name, sizeof name, NULL, NULL) > 0)
            visit(user, name);
    } while (FindNextFileW(list, &entry));
    FindClose(list);
}

#endif
