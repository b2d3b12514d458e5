/* A template's source -> its tree: line ends made '\n', then lexer, parser, resolver. */
#include <string.h>

#include "base/utf8.h"
#include "text/template/template_parser.h"
#include "text/template/text_template.h"

#define SOURCE_BYTES_MAX ((size_t)16 << 20)

/* Jinja ends each line in '\n' and drops the last line's end. Returns the new size. */
static size_t copy_lines(const char *source, size_t n, char *out) {
    size_t size = 0;
    for (size_t i = 0; i < n; i++) {
        const bool end = source[i] == '\r';
        if (end && i + 1 < n && source[i + 1] == '\n') i++;
        out[size++] = source[i] == '\r' ? '\n' : source[i];
    }
    return size > 0 && out[size - 1] == '\n' ? size - 1 : size;
}

/* Where the first byte that is no UTF-8 stands; SIZE_MAX: nowhere. */
static size_t broken_byte(const char *source, size_t n, uint32_t *line) {
    *line = 1;
    for (size_t at = 0; at < n;) {
        uint32_t code = 0;
        const size_t used = base_utf8_decode((const unsigned char *)source + at, n - at, &code);
        if (used == 0) return at;
        if (code == '\n') ++*line;
        at += used;
    }
    return SIZE_MAX;
}

static ondol_status check_source(const char *source, size_t n, ondol_error *err) {
    uint32_t line = 1;
    if (n > SOURCE_BYTES_MAX) {
        return base_fail(err, ONDOL_E_LIMIT, "template: %zu bytes, at most %zu are allowed", n,
                         SOURCE_BYTES_MAX);
    }
    const size_t at = broken_byte(source, n, &line);
    if (at == SIZE_MAX) return ONDOL_OK;
    return base_fail(err, ONDOL_E_FORMAT, "template line %u: the byte 0x%02x is no UTF-8",
                     (unsigned)line, (unsigned)(unsigned char)source[at]);
}

static ondol_status build_tree(text_template *tmpl, const char *source, size_t n,
                               ondol_error *err) {
    base_arena token_arena;
    template_token *tokens = NULL;
    size_t count = 0;
    template_parser parser = {.tmpl = tmpl, .err = err};
    ondol_status status = ONDOL_OK;
    base_arena_init(&token_arena, tmpl->allocator, 0);
    base_map_init(&parser.name_ids, tmpl->allocator);
    TRY(template_lex(&token_arena, source, n, &tokens, &count, err));
    parser.at = tokens;
    TRY(template_parse(&parser));
    TRY(template_resolve(&parser));
done:
    base_map_destroy(&parser.name_ids);
    base_arena_destroy(&token_arena);
    return status;
}

ondol_status text_template_compile(const ondol_allocator *allocator, const char *source, size_t n,
                                   text_template **out, ondol_error *err) {
    text_template *tmpl = NULL;
    char *copy = NULL;
    *out = NULL;
    ondol_status status = check_source(source, n, err);
    TRY(status);
    tmpl = base_calloc(allocator, 1, sizeof *tmpl);
    if (!tmpl) return base_no_memory(err, "a template", sizeof *tmpl);
    tmpl->allocator = allocator;
    base_arena_init(&tmpl->arena, allocator, 0);
    copy = base_arena_alloc(&tmpl->arena, n + 1, 1);
    status = copy ? ONDOL_OK : base_no_memory(err, "a template's source", n);
    TRY(status);
    TRY(build_tree(tmpl, copy, copy_lines(source, n, copy), err));
    *out = tmpl;
    tmpl = NULL;
done:
    text_template_destroy(tmpl);
    return status;
}

void text_template_destroy(text_template *tmpl) {
    if (!tmpl) return;
    base_arena_destroy(&tmpl->arena);
    base_free(tmpl->allocator, tmpl);
}
