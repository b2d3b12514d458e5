/* MODEL of the command line -> the path of a .gguf file. */
#include "common/model_name.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/text_buffer.h"

static bool is_folder(const char *path) {
    struct stat about;
    return stat(path, &about) == 0 && S_ISDIR(about.st_mode);
}

static bool exists(const char *path) {
    struct stat about;
    return stat(path, &about) == 0;
}

static bool ends_with(const char *text, const char *end) {
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

/* "x-00002-of-00005.gguf": a part of a split file that is not its first. */
static bool is_later_part(const char *name) {
    size_t n = strlen(name);
    const char *tail = name + (n > 20 ? n - 20 : 0);
    return n > 20 && tail[0] == '-' && memcmp(tail + 6, "-of-", 4) == 0 &&
           memcmp(tail + 1, "00001", 5) != 0;
}

char *cache_path(const char *name, int make) {
    text_buffer path = {0};
    const char *own = getenv("ONDOL_CACHE"), *shared = getenv("XDG_CACHE_HOME");
    if (own && *own) {
        text_print(&path, "%s", own);
    } else if (shared && *shared) {
        text_print(&path, "%s/ondol", shared);
    } else {
        const char *home = getenv("HOME");
        text_print(&path, "%s/.cache", home ? home : ".");
        if (make) mkdir(path.bytes, 0700);
        text_print(&path, "/ondol");
    }
    if (make) mkdir(path.bytes, 0700);
    if (name) text_print(&path, "/%s", name);
    return path.bytes;
}

static char *join(const char *folder, const char *name) {
    text_buffer path = {0};
    text_print(&path, "%s/%s", folder, name);
    return path.bytes;
}

/* The .gguf files of a folder but later parts: their count, and one of them (free it). */
static size_t models_in(const char *folder, char **one) {
    *one = NULL;
    DIR *list = opendir(folder);
    if (!list) return 0;
    size_t count = 0;
    for (struct dirent *entry; (entry = readdir(list));) {
        if (!ends_with(entry->d_name, ".gguf") || is_later_part(entry->d_name)) continue;
        count++;
        if (!*one) *one = memory_text(entry->d_name);
    }
    closedir(list);
    return count;
}

static int resolve_folder(const char *folder, char **path) {
    static const char *const files[] = {"genai_config.json", "model.onnx",
                                        "decoder_model_merged.onnx", "decoder_model.onnx"};
    char *name = NULL;
    bool onnx = false;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char *file = join(folder, files[i]);
        onnx = onnx || exists(file);
        free(file);
    }
    if (onnx) {
        *path = memory_text(folder);
        return EXIT_DONE;
    }
    size_t count = models_in(folder, &name);
    int status = EXIT_DONE;
    if (count == 1) {
        *path = join(folder, name);
    } else if (count == 0) {
        status = report_failure(
            "the folder '%s' holds neither a .gguf file nor a genai_config.json or model.onnx",
            folder);
    } else {
        status = report_failure("the folder '%s' holds %zu models ('%s' and others); name the file",
                                folder, count, name);
    }
    free(name);
    return status;
}

static int compare_names(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

typedef struct name_list {
    char **names;
    size_t count;
} name_list;

static void name_list_free(name_list *list) {
    for (size_t i = 0; i < list->count; i++)
        free(list->names[i]);
    free(list->names);
}

/* Names in the cache folder, sorted. */
static name_list cached_names(void) {
    name_list out = {0};
    char *folder = cache_path("models", 0);
    DIR *list = opendir(folder);
    for (struct dirent *entry; list && (entry = readdir(list));) {
        if (entry->d_name[0] == '.' || is_later_part(entry->d_name)) continue;
        char *path = join(folder, entry->d_name);
        bool file = ends_with(entry->d_name, ".gguf");
        if (file || is_folder(path)) {
            char *name = memory_text(entry->d_name);
            if (file) name[strlen(name) - 5] = 0;
            out.names = memory_resize(out.names, (out.count + 1) * sizeof *out.names);
            out.names[out.count++] = name;
        }
        free(path);
    }
    if (list) closedir(list);
    free(folder);
    if (out.count) qsort(out.names, out.count, sizeof *out.names, compare_names);
    return out;
}

void model_name_list(FILE *to) {
    name_list list = cached_names();
    for (size_t i = 0; i < list.count; i++)
        fprintf(to, "%s\n", list.names[i]);
    name_list_free(&list);
}

static int report_missing(const char *model) {
    name_list list = cached_names();
    text_buffer names = {0};
    char *folder = cache_path("models", 0);
    for (size_t i = 0; i < list.count; i++) {
        text_print(&names, "%s%s", i ? ", " : "", list.names[i]);
    }
    const char *how = strcmp(model, "smollm2") == 0
                          ? "'./dev demo' in Ondol's source folder gets it"
                          : "a .gguf file put there can be named without its ending";
    int status = report_failure("no model '%s': neither a file nor a folder, and %s holds %s; %s",
                                model, folder, list.count ? names.bytes : "no model", how);
    free(folder);
    text_free(&names);
    name_list_free(&list);
    return status;
}

int model_name_resolve(const char *model, char **path) {
    if (is_folder(model)) return resolve_folder(model, path);
    if (exists(model)) {
        *path = memory_text(model);
        return EXIT_DONE;
    }
    if (strchr(model, '/') || ends_with(model, ".gguf") || !*model) {
        return report_failure("cannot open '%s': %s", model, strerror(ENOENT));
    }
    text_buffer name = {0};
    text_print(&name, "models/%s", model);
    char *folder = cache_path(name.bytes, 0);
    text_print(&name, ".gguf");
    char *file = cache_path(name.bytes, 0);
    int status = EXIT_DONE;
    if (exists(file)) {
        *path = memory_text(file);
    } else {
        status = is_folder(folder) ? resolve_folder(folder, path) : report_missing(model);
    }
    free(file);
    free(folder);
    text_free(&name);
    return status;
}
