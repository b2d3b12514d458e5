/* Progress bar: done of total -> one line on a terminal, drawn at most ten times a second. */
#include "common/progress.h"

#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include "common/terminal.h"

#define BAR_CELLS 30

static struct {
    const char *label; /* NULL: no bar is running */
    double begin, drawn;
    bool shown, terminal;
} bar;

void progress_begin(const char *label) {
    bar.label = label;
    bar.begin = seconds_now();
    bar.drawn = 0;
    bar.shown = false;
    bar.terminal = terminal_is(STDERR_FILENO);
}

/* Work that will be done within a second or so never shows a bar. */
static bool worth_showing(double now, uint64_t done, uint64_t total) {
    if (!bar.terminal || !bar.label || total == 0) return false;
    if (bar.shown) return now - bar.drawn >= 0.1;
    double elapsed = now - bar.begin;
    if (elapsed < 0.3 || done >= total) return false;
    return done == 0 || elapsed * (double)total / (double)done > 1.2;
}

void progress_update(uint64_t done, uint64_t total, const char *note) {
    double now = seconds_now();
    if (!worth_showing(now, done, total)) return;
    double share = (double)done / (double)total;
    int filled = (int)(share * BAR_CELLS);
    if (filled > BAR_CELLS) filled = BAR_CELLS;
    fprintf(stderr, "\r%s [%.*s%.*s] %3d%%", bar.label, filled, "##############################",
            BAR_CELLS - filled, "..............................", (int)(share * 100));
    if (done) {
        double left = (now - bar.begin) * (1 - share) / share;
        fprintf(stderr, "  %d:%02d left", (int)(left / 60), (int)left % 60);
    }
    fprintf(stderr, "%s%s\x1b[K", note ? "  " : "", note ? note : "");
    fflush(stderr);
    bar.drawn = now;
    bar.shown = true;
}

void progress_clear(void) {
    if (!bar.shown) return;
    fputs("\r\x1b[K", stderr);
    fflush(stderr);
    bar.drawn = 0;
}

void progress_end(void) {
    progress_clear();
    bar.label = NULL;
    bar.shown = false;
}
