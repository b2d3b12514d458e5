/* Lines for chat: libedit on a terminal, getline from a pipe. */
#include "ondol/line_reader.h"

#include <errno.h>
#include <histedit.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

#include "common/interrupt.h"
#include "common/terminal.h"

#define HISTORY_LINES 1000

struct line_reader {
    EditLine *edit; /* NULL: a pipe */
    History *history;
    char *history_path;
    text_buffer prompt;
};

static char *show_prompt(EditLine *edit) {
    line_reader *reader = NULL;
    el_get(edit, EL_CLIENTDATA, (void **)&reader);
    return reader->prompt.bytes;
}

/* One character; -1 ends the line. libedit's own reader goes on after Ctrl-C. */
static int read_character(EditLine *edit, wchar_t *out) {
    (void)edit;
    char bytes[8];
    for (size_t n = 0; n < sizeof bytes;) {
        if (!interrupt_wait_input()) return -1;
        ssize_t got = read(STDIN_FILENO, bytes + n, 1);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return got < 0 ? -1 : 0;
        n++;
        mbstate_t state = {0};
        size_t used = mbrtowc(out, bytes, n, &state);
        if (used == (size_t)-2) continue;
        if (used == (size_t)-1) *out = L'?';
        return 1;
    }
    return -1;
}

/* Editing counts characters, so it needs a UTF-8 locale; numbers stay as in C. */
static void set_locale(void) {
    setlocale(LC_CTYPE, "");
    if (MB_CUR_MAX < 4) setlocale(LC_CTYPE, "C.UTF-8");
}

line_reader *line_reader_open(const char *history_path) {
    line_reader *reader = memory_take(sizeof *reader);
    *reader = (line_reader){0};
    if (!terminal_is(STDIN_FILENO) || !terminal_is(STDOUT_FILENO)) return reader;
    set_locale();
    reader->edit = el_init("ondol", stdin, stdout, stderr);
    reader->history = history_init();
    if (!reader->edit || !reader->history) return reader;
    HistEvent event;
    history(reader->history, &event, H_SETSIZE, HISTORY_LINES);
    history(reader->history, &event, H_SETUNIQUE, 1);
    if (history_path) {
        reader->history_path = memory_text(history_path);
        history(reader->history, &event, H_LOAD, history_path);
    }
    el_set(reader->edit, EL_CLIENTDATA, reader);
    el_set(reader->edit, EL_EDITOR, "emacs");
    el_set(reader->edit, EL_HIST, history, reader->history);
    el_set(reader->edit, EL_PROMPT_ESC, show_prompt, '\1');
    el_set(reader->edit, EL_GETCFN, read_character);
    el_source(reader->edit, NULL);
    return reader;
}

void line_reader_close(line_reader *reader) {
    if (!reader) return;
    HistEvent event;
    if (reader->history && reader->history_path) {
        history(reader->history, &event, H_SAVE, reader->history_path);
    }
    if (reader->history) history_end(reader->history);
    if (reader->edit) el_end(reader->edit);
    free(reader->history_path);
    text_free(&reader->prompt);
    free(reader);
}

bool line_reader_is_terminal(const line_reader *reader) {
    return reader->edit != NULL;
}

static line_result read_pipe(text_buffer *line) {
    char *bytes = NULL;
    size_t capacity = 0;
    ssize_t n = getline(&bytes, &capacity, stdin);
    if (n > 0) {
        if (bytes[n - 1] == '\n') n--;
        text_append(line, bytes, (size_t)n);
    }
    free(bytes);
    if (n > 0 || (n == 0 && !feof(stdin))) return LINE_READ;
    return interrupt_seen() ? LINE_INTERRUPTED : LINE_END;
}

line_result line_reader_next(line_reader *reader, const char *prompt, text_buffer *line) {
    text_clear(line);
    text_append(line, "", 0);
    if (!reader->edit) return read_pipe(line);
    text_clear(&reader->prompt);
    text_append(&reader->prompt, prompt, strlen(prompt));
    int n = 0;
    /* Before the prompt stands there: a Ctrl-D that follows it at once must not come in line mode.
     */
    el_set(reader->edit, EL_PREP_TERM, 1);
    const char *bytes = el_gets(reader->edit, &n);
    if (interrupt_seen()) return LINE_INTERRUPTED;
    if (!bytes || n <= 0) return LINE_END;
    HistEvent event;
    if (bytes[0] != '\n') history(reader->history, &event, H_ENTER, bytes);
    if (bytes[n - 1] == '\n') n--;
    text_append(line, bytes, (size_t)n);
    return LINE_READ;
}
