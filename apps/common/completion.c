/* Tables of options -> completion scripts for bash, zsh and fish. */
#include "common/option_table.h"

#include <string.h>

/* ---------------------------------------------------------------- bash */

static void bash_words(const command *self, FILE *to) {
    for (size_t g = 0; g < self->group_count; g++) {
        for (size_t i = 0; i < self->groups[g].row_count; i++) {
            const option_row *row = &self->groups[g].rows[i];
            if (row->letter) fprintf(to, "-%c ", row->letter);
            fprintf(to, "--%s ", row->name);
        }
    }
    fputs("--help", to);
}

static void bash_values(const command *self, FILE *to) {
    for (size_t g = 0; g < self->group_count; g++) {
        for (size_t i = 0; i < self->groups[g].row_count; i++) {
            const option_row *row = &self->groups[g].rows[i];
            if (row->kind != OPTION_CHOICE) continue;
            fprintf(to, "            %s:--%s) COMPREPLY=($(compgen -W '", self->name, row->name);
            for (const char *c = row->value; *c; c++)
                fputc(*c == '|' ? ' ' : *c, to);
            fputs("' -- \"$cur\")); return ;;\n", to);
        }
    }
}

static void bash_print(const command *const *commands, size_t count, FILE *to) {
    fputs("# bash completion of ondol; made by 'ondol completions bash'\n"
          "_ondol() {\n"
          "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
          "    local command=${COMP_WORDS[1]} words=\n"
          "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
          "        COMPREPLY=($(compgen -W '",
          to);
    for (size_t i = 0; i < count; i++)
        fprintf(to, "%s ", commands[i]->name);
    fputs("help --version --help' -- \"$cur\"))\n"
          "        return\n"
          "    fi\n"
          "    case $command:$prev in\n",
          to);
    for (size_t i = 0; i < count; i++)
        bash_values(commands[i], to);
    fputs("    esac\n"
          "    case $command in\n",
          to);
    for (size_t i = 0; i < count; i++) {
        fprintf(to, "        %s) words='", commands[i]->name);
        bash_words(commands[i], to);
        fputs("' ;;\n", to);
    }
    fputs("    esac\n"
          "    if [[ $cur == -* ]]; then\n"
          "        COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
          "    else\n"
          "        COMPREPLY=($(compgen -f -- \"$cur\") "
          "$(compgen -W \"$(ondol completions models 2>/dev/null)\" -- \"$cur\"))\n"
          "    fi\n"
          "}\n"
          "complete -o filenames -F _ondol ondol\n",
          to);
}

/* ---------------------------------------------------------------- zsh and fish */

/* Text inside '...' of zsh's _arguments: brackets and colons mean something there. */
static void zsh_text(const char *text, FILE *to) {
    for (; *text; text++) {
        if (*text == '\'') {
            fputs("'\\''", to);
        } else {
            if (strchr("[]:\\", *text)) fputc('\\', to);
            fputc(*text, to);
        }
    }
}

static void zsh_option(const option_row *row, char dash_letter, FILE *to) {
    fputs(row->kind == OPTION_LIST ? " \\\n            '*" : " \\\n            '", to);
    if (dash_letter) {
        fprintf(to, "-%c[", dash_letter);
    } else {
        fprintf(to, "--%s[", row->name);
    }
    zsh_text(row->help, to);
    fputc(']', to);
    if (row->kind == OPTION_CHOICE) {
        fputs(":value:(", to);
        for (const char *c = row->value; *c; c++)
            fputc(*c == '|' ? ' ' : *c, to);
        fputc(')', to);
    } else if (row->kind == OPTION_FILE) {
        fputs(":file:_files", to);
    } else if (row->kind != OPTION_FLAG) {
        fputs(":value: ", to);
    }
    fputc('\'', to);
}

static void zsh_print(const command *const *commands, size_t count, FILE *to) {
    fputs("#compdef ondol\n"
          "# zsh completion of ondol; made by 'ondol completions zsh'\n"
          "_ondol_models() {\n"
          "    local -a names\n"
          "    names=(${(f)\"$(ondol completions models 2>/dev/null)\"})\n"
          "    (( $#names )) && compadd -a names\n"
          "    _files\n"
          "}\n"
          "_ondol() {\n"
          "    local -a commands\n"
          "    commands=(\n",
          to);
    for (size_t i = 0; i < count; i++) {
        fprintf(to, "        '%s:", commands[i]->name);
        zsh_text(commands[i]->summary, to);
        fputs("'\n", to);
    }
    fputs("    )\n"
          "    if (( CURRENT == 2 )); then\n"
          "        _describe command commands\n"
          "        return\n"
          "    fi\n"
          "    local command=$words[2]\n"
          "    shift words\n"
          "    (( CURRENT-- ))\n"
          "    case $command in\n",
          to);
    for (size_t i = 0; i < count; i++) {
        fprintf(to, "        %s) _arguments '--help[show the help]'", commands[i]->name);
        for (size_t g = 0; g < commands[i]->group_count; g++) {
            const option_group *group = &commands[i]->groups[g];
            for (size_t r = 0; r < group->row_count; r++) {
                if (group->rows[r].letter) zsh_option(&group->rows[r], group->rows[r].letter, to);
                zsh_option(&group->rows[r], 0, to);
            }
        }
        fputs(" \\\n            '*:model:_ondol_models' ;;\n", to);
    }
    fputs("    esac\n"
          "}\n"
          "_ondol \"$@\"\n",
          to);
}

static void fish_text(const char *text, FILE *to) {
    for (; *text; text++) {
        if (*text == '\'' || *text == '\\') fputc('\\', to);
        fputc(*text, to);
    }
}

static void fish_print(const command *const *commands, size_t count, FILE *to) {
    fputs("# fish completion of ondol; made by 'ondol completions fish'\n"
          "complete -c ondol -n '__fish_seen_subcommand_from run chat info tokenize eval bench' "
          "-a '(ondol completions models 2>/dev/null)'\n",
          to);
    for (size_t i = 0; i < count; i++) {
        fprintf(to, "complete -c ondol -n __fish_use_subcommand -f -a %s -d '", commands[i]->name);
        fish_text(commands[i]->summary, to);
        fputs("'\n", to);
        for (size_t g = 0; g < commands[i]->group_count; g++) {
            const option_group *group = &commands[i]->groups[g];
            for (size_t r = 0; r < group->row_count; r++) {
                const option_row *row = &group->rows[r];
                fprintf(to, "complete -c ondol -n '__fish_seen_subcommand_from %s' -l %s",
                        commands[i]->name, row->name);
                if (row->letter) fprintf(to, " -s %c", row->letter);
                if (row->kind != OPTION_FLAG) fputs(row->kind == OPTION_FILE ? " -r" : " -x", to);
                if (row->kind == OPTION_CHOICE) {
                    fputs(" -a '", to);
                    for (const char *c = row->value; *c; c++)
                        fputc(*c == '|' ? ' ' : *c, to);
                    fputc('\'', to);
                }
                fputs(" -d '", to);
                fish_text(row->help, to);
                fputs("'\n", to);
            }
        }
    }
}

bool completion_print(const char *shell, const command *const *commands, size_t count, FILE *to) {
    if (strcmp(shell, "bash") == 0) {
        bash_print(commands, count, to);
    } else if (strcmp(shell, "zsh") == 0) {
        zsh_print(commands, count, to);
    } else if (strcmp(shell, "fish") == 0) {
        fish_print(commands, count, to);
    } else {
        return false;
    }
    return true;
}
