/* Ctrl-C: the first one stops the generation that runs, the second one ends the program. */
#ifndef INTERRUPT_H
#define INTERRUPT_H

#include <stdbool.h>

#include <ondol/ondol.h>

/* From here on Ctrl-C is caught. */
void interrupt_catch(void);

/* The session to cancel, or NULL. */
void interrupt_watch(ondol_session *session);

/* Ctrl-C was pressed since the start or the last interrupt_forget. */
bool interrupt_seen(void);
void interrupt_forget(void);

/* Waits until standard input can be read (true) or Ctrl-C was pressed (false), whichever thread the
 * signal came to and however early. */
bool interrupt_wait_input(void);

#endif
