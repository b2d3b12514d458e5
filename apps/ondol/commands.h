/* The commands of the program, one file each. */
#ifndef COMMANDS_H
#define COMMANDS_H

#include "common/option_table.h"

extern const command command_run;
extern const command command_chat;
extern const command command_info;
extern const command command_tokenize;
extern const command command_eval;
extern const command command_bench;
extern const command command_graph;
extern const command command_infer;
extern const command command_devices;

#endif
