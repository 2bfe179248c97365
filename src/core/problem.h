/* Problems in plain words: what happened, and what to do next. */
#ifndef CORE_PROBLEM_H
#define CORE_PROBLEM_H

#include "sotto/sotto.h"
#include "wire/message.h"

void problem_clear(struct sotto_problem *problem);

/* next may be NULL. Returns error, so that `return problem_set(...)` reads well. */
sotto_error problem_set(struct sotto_problem *problem, sotto_error error, enum sotto_code code,
                        const char *next, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* A connection that failed; text: what the link says. */
void problem_network(struct sotto_problem *problem, const char *relay, sotto_error error,
                     const char *text);

/* What a relay is called in a sentence: its address without the pin. */
void problem_relay_name(const char *relay, char out[static 300]);

/* What a relay answered. */
void problem_refused(struct sotto_problem *problem, const char *relay,
                     const struct wire_error *refusal);

/* The profile at path (a directory or a file) is damaged; what: which part, and how. */
sotto_error problem_damaged(struct sotto_problem *problem, const char *path, const char *what);

/* A failure of the local store or of a library; doing: "saving the message". */
sotto_error problem_local(struct sotto_problem *problem, sotto_error error, const char *doing);

#endif
