/* A bar on standard error for what takes over a second; nothing where that is no terminal. There is
 * one at a time. */
#ifndef PROGRESS_H
#define PROGRESS_H

#include <stdint.h>

/* label is borrowed until progress_end. */
void progress_begin(const char *label);
/* note: shown behind the bar, or NULL. */
void progress_update(uint64_t done, uint64_t total, const char *note);
/* Takes the bar off the screen; the next update draws it again. */
void progress_clear(void);
void progress_end(void);

#endif
