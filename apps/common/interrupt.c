/* Ctrl-C -> ondol_session_cancel on the session that is watched; a second one -> _exit(130). */
#include "common/interrupt.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#include "common/report.h"

static atomic_int presses;
static _Atomic(ondol_session *) watched;
static int wake[2] = {-1, -1}; /* a pipe that the handler writes to */

/* ondol_session_cancel sets an atomic flag and nothing else, so a handler may call it. */
static void on_signal(int signal_number) {
    (void)signal_number;
    if (atomic_fetch_add(&presses, 1) > 0) _exit(EXIT_INTERRUPTED);
    ondol_session *session = atomic_load(&watched);
    if (session) ondol_session_cancel(session);
    int fault = errno;
    if (wake[1] >= 0 && write(wake[1], "", 1) < 0) errno = fault; /* full: it is readable already */
}

void interrupt_catch(void) {
    if (pipe(wake) == 0) {
        for (int i = 0; i < 2; i++) {
            fcntl(wake[i], F_SETFL, O_NONBLOCK);
            fcntl(wake[i], F_SETFD, FD_CLOEXEC);
        }
    }
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
    char bytes[16];
    while (wake[0] >= 0 && read(wake[0], bytes, sizeof bytes) > 0)
        continue;
    atomic_store(&presses, 0);
}

bool interrupt_wait_input(void) {
    struct pollfd files[2] = {{STDIN_FILENO, POLLIN, 0}, {wake[0], POLLIN, 0}};
    for (;;) {
        if (interrupt_seen()) return false;
        if (poll(files, 2, -1) > 0 && files[0].revents) return true;
    }
}
