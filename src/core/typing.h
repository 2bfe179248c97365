/* Who is typing: in memory alone, told by whispers. */
#ifndef CORE_TYPING_H
#define CORE_TYPING_H

#include "core/internal.h"

/* Whether it is told to others, and shown. */
sotto_error typing_allowed(struct sotto *core, bool *allowed);

/* At the head of the log: says what the person does, if that is to be said. True: a request is
 * under way. */
bool typing_send(struct room *room, const struct store_room *row);

/* A whisper came. */
void typing_heard(struct room *room, sotto_bytes sealed);

/* A message of that person came: it was what they typed. */
void typing_said(struct sotto *core, const struct room_id *room, const struct account_id *account);

/* Whoever was not heard of for some seconds types no more. */
void typing_expire(struct sotto *core);

void typing_free(struct sotto *core);

#endif
