/* Token ids -> logits, in chunks -> a .npy file. What a session computes does not depend on the
 * chunks, so these are the very numbers that the answer was drawn from. */
#include "common/logits_file.h"

#include <stdio.h>
#include <string.h>

#include "common/interrupt.h"
#include "common/progress.h"
#include "common/report.h"

/* Every machine that Ondol runs on is little endian.
 * https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html */
static void write_header(output_file *file, size_t rows, size_t columns) {
    char text[118];
    unsigned char magic[10] = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, sizeof text, 0};
    memset(text, ' ', sizeof text);
    int n =
        snprintf(text, sizeof text,
                 "{'descr': '<f4', 'fortran_order': False, 'shape': (%zu, %zu), }", rows, columns);
    if (n > 0) text[n] = ' ';
    text[sizeof text - 1] = '\n';
    output_write(file, magic, sizeof magic);
    output_write(file, text, sizeof text);
}

int logits_file_write(opened *o, const int32_t *ids, size_t n, size_t rows, output_file *file) {
    ondol_error err;
    size_t vocabulary = o->info.vocabulary;
    if (ondol_session_truncate(o->session, 0, &err)) return report_error(&err);
    write_header(file, n, vocabulary);
    progress_begin("logits");
    interrupt_watch(o->session);
    ondol_status failed = ONDOL_OK;
    bool written = true;
    for (size_t done = 0; done < n && written && !failed;) {
        ondol_item item = ONDOL_ITEM_INIT;
        item.session = o->session;
        item.tokens = ids + done;
        item.token_count = n - done < rows ? n - done : rows;
        item.want = ONDOL_WANT_ALL;
        failed = ondol_step(&item, 1, &err);
        if (failed) break;
        written = output_write(file, item.output, item.output_rows * vocabulary * sizeof(float));
        done += item.token_count;
        progress_update(done, n, NULL);
    }
    interrupt_watch(NULL);
    progress_end();
    if (failed) return report_error(&err);
    return output_commit(file);
}
