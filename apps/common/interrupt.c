/* Ctrl-C -> ondol_session_cancel on the session that is watched; a second one -> _exit(130). */
#include "common/interrupt.h"

#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#include "common/report.h"

static atomic_int presses;
static _Atomic(ondol_session *) watched;

/* ondol_session_cancel sets an atomic flag and nothing else, so a handler may call it. */
static void on_signal(int signal_number) {
    (void)signal_number;
    if (atomic_fetch_add(&presses, 1) > 0) _exit(EXIT_INTERRUPTED);
    ondol_session *session = atomic_load(&watched);
    if (session) ondol_session_cancel(session);
}

void interrupt_catch(void) {
    struct sigaction action = {0};
    action.sa_handler = on_signal;
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL); /* without SA_RESTART: reading a line stops as well */
}

void interrupt_watch(ondol_session *session) {
    atomic_store(&watched, session);
    if (session && interrupt_seen()) ondol_session_cancel(session);
}

bool interrupt_seen(void) {
    return atomic_load(&presses) > 0;
}

void interrupt_forget(void) {
    atomic_store(&presses, 0);
}
