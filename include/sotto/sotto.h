/* The messenger without a face: one struct sotto is one profile directory, in this process.
 *
 * Several processes may open one profile at once (`sotto listen` beside `sotto send`): SQLite's
 * transactions are the lock, each step of the protocol is one transaction, and every step is
 * idempotent, so that a process killed at any moment loses nothing and sends nothing twice.
 *
 * Two sorts of calls. "Local" ones read or queue and never touch the network: what they queue is
 * durable when they return. "Network" ones reach relays and may take as long as that takes;
 * sotto_stop ends them. So `sotto send` is sotto_send (durable) and then sotto_settle.
 *
 * Arguments. Strings are UTF-8 and end with NUL. Everything is borrowed for the call; what has to
 * stay is copied. Sizes are in bytes, times (_s) in seconds since 1970-01-01 UTC, lengths of time
 * in seconds (_s) or milliseconds (_ms). core is what sotto_open gave. conversation is an id that a
 * callback or sotto_find gave. who is a person known here, by name (any case) or the first four or
 * more hex digits of the account's id, or its id in full.
 *
 * Results. Outputs mean something only where the call returned SOTTO_OK. What is appended to a
 * sotto_buf is the caller's to free, which wipes it. each is called with ctx once for each thing
 * there is, within the call and in its thread; what it is given is borrowed until it returns, and
 * it calls nothing of this core but sotto_stop. Text that comes from other people is UTF-8 but
 * otherwise unfiltered: a face escapes it.
 *
 * Errors. Every fallible call returns a sotto_error and leaves a sotto_problem that says in plain
 * words what happened and what to do next; the codes named beside each function are its. Which any
 * call may have, and what to do about them: sotto/problem.h.
 *
 * Wiping. Keys, the passphrase, texts and what is decrypted are wiped from memory when they are not
 * needed any more, all of it by sotto_close. What a caller was given to keep, it wipes itself: a
 * sotto_buf by sotto_buf_free, an array where its function says so.
 *
 * Threads. A struct sotto serves one thread at a time, but for sotto_stop and sotto_cancel;
 * sotto_open_beside makes another one for another thread. Functions of no core serve any thread. */
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
#include "sotto/relay.h"

#endif
