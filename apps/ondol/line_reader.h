/* Lines from a person (editing, history) or from a pipe. */
#ifndef LINE_READER_H
#define LINE_READER_H

#include <stdbool.h>

#include "common/text_buffer.h"

typedef struct line_reader line_reader;

typedef enum line_result { LINE_READ, LINE_END, LINE_INTERRUPTED } line_result;

/* history_path: file of former lines, or NULL. With a terminal on both sides lines are edited. */
line_reader *line_reader_open(const char *history_path);
void line_reader_close(line_reader *reader);
bool line_reader_is_terminal(const line_reader *reader);

/* The next line without its end, in *line (replaced). */
line_result line_reader_next(line_reader *reader, const char *prompt, text_buffer *line);

#endif
