/* The messenger without a face: one struct sotto is one profile directory, in this process.
 *
 * Several processes may open one profile at once (`sotto listen` beside `sotto send`): SQLite's
 * transactions are the lock, each step of the protocol is one transaction, and every step is
 * idempotent, so that a process killed at any moment loses nothing and sends nothing twice.
 *
 * Two sorts of calls. Local calls read or queue and never touch the network: what they queue is
 * durable when they return. sotto_settle, sotto_sync, sotto_listen, sotto_register and sotto_invite
 * reach relays; they say so. So `sotto send` is sotto_send (durable) and then sotto_settle.
 *
 * Errors. Every fallible call returns a sotto_error and leaves a sotto_problem that says in plain
 * words what happened and what to do next. Strings given to callbacks are borrowed for the call;
 * text that comes from other people is UTF-8 but otherwise unfiltered: a face escapes it.
 *
 * A struct sotto serves one thread at a time. */
#ifndef SOTTO_SOTTO_H
#define SOTTO_SOTTO_H

#include "sotto/account.h"
#include "sotto/contact.h"
#include "sotto/conversation.h"
#include "sotto/file.h"
#include "sotto/group.h"
#include "sotto/label.h"
#include "sotto/keeping.h"
#include "sotto/message.h"
#include "sotto/network.h"
#include "sotto/problem.h"
#include "sotto/profile.h"

#endif
