/* The program: argv -> the command that it names. */
#include <signal.h>
#include <stdio.h>
#include <unistd.h>
#include <string.h>

#include "common/model_name.h"
#include "common/report.h"
#include "ondol/commands.h"

static const command *const commands[] = {
    &command_run,   &command_chat,  &command_info,  &command_tokenize, &command_eval,
    &command_bench, &command_infer, &command_graph, &command_devices,
};
#define COMMAND_COUNT (sizeof commands / sizeof commands[0])

static const command *find(const char *name) {
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(commands[i]->name, name) == 0) return commands[i];
    }
    return NULL;
}

static const char *nth_command(const void *user, size_t i) {
    (void)user;
    return i < COMMAND_COUNT ? commands[i]->name : NULL;
}

static int unknown_command(const char *name) {
    const char *near = nearest_name(name, nth_command, NULL);
    if (!near) return report_usage(NULL, "unknown command '%s'", name);
    return report_usage(NULL, "unknown command '%s' (did you mean '%s'?)", name, near);
}

static int help(const char *name) {
    const command *found = name ? find(name) : NULL;
    if (name && !found) return unknown_command(name);
    if (found) {
        help_command(found, stdout);
    } else {
        help_overview(commands, COMMAND_COUNT, stdout);
    }
    return report_flush(EXIT_DONE);
}

/* Not in the help: for the shells, and for the manual page. */
static int completions(const char *shell) {
    if (shell && strcmp(shell, "models") == 0) {
        model_name_list(stdout);
    } else if (shell && strcmp(shell, "man") == 0) {
        manual_print(commands, COMMAND_COUNT, stdout);
    } else if (!shell || !completion_print(shell, commands, COMMAND_COUNT, stdout)) {
        return report_usage(NULL, "completions expects bash, zsh or fish");
    }
    return report_flush(EXIT_DONE);
}

int main(int argc, char **argv) {
    /* The reason of a write that fails is known where report.c flushes: what is printed waits. */
    static char waiting[1 << 16];
    if (!isatty(STDOUT_FILENO)) setvbuf(stdout, waiting, _IOFBF, sizeof waiting);
    if (argc < 2) {
        help_overview(commands, COMMAND_COUNT, stderr);
        return EXIT_USAGE;
    }
    const char *name = argv[1], *second = argc > 2 ? argv[2] : NULL;
    if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0) {
        printf("ondol %s\n", ondol_version());
        return report_flush(EXIT_DONE);
    }
    if (strcmp(name, "help") == 0 || strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
        return help(second);
    }
    if (strcmp(name, "completions") == 0) return completions(second);
    if (name[0] == '-') return report_usage(NULL, "expected a command before '%s'", name);
    const command *found = find(name);
    if (!found) return unknown_command(name);
    return report_flush(found->run(found, argc - 2, argv + 2));
}
