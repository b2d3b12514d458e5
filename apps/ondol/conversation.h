/* The turns of a chat, and their file. */
#ifndef CONVERSATION_H
#define CONVERSATION_H

#include <stddef.h>

#include <ondol/ondol.h>

typedef struct conversation {
    ondol_message *messages; /* roles and contents are owned */
    size_t count;
} conversation;

void conversation_add(conversation *c, const char *role, const char *content);
/* Replaces the system prompt, or puts one in front; "" removes it. */
void conversation_set_system(conversation *c, const char *content);
/* Removes messages [first, first + n). */
void conversation_remove(conversation *c, size_t first, size_t n);
/* 1 where the first message is the system prompt, or 0. */
size_t conversation_first_turn(const conversation *c);
void conversation_free(conversation *c);

/* As a JSON array of {role, content}. Each returns an exit status, having reported; on error the
 * conversation stays. */
int conversation_save(const conversation *c, const char *path);
int conversation_load(conversation *c, const char *path);

#endif
