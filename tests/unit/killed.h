/* A process that is killed right before the nth of its system calls that change files. */
#ifndef TESTS_UNIT_KILLED_H
#define TESTS_UNIT_KILLED_H

#include "unit/check.h"

/* From one kill, or one write that fails, to the next, where there are about so many: some forty
 * are tried, ten of sanitized children, which start slowly, and with SOTTO_EVERY_KILL (./dev hunt)
 * each. */
unsigned killed_step(unsigned many);

/* Whether this machine lets a process trace its child. */
bool killed_possible(void);

/* Runs act in a child. True: it was killed before its nth such call (from 0); false: it ended by
 * itself, with fewer. A child that ends otherwise than by returning from act fails the test. */
bool killed_before(unsigned n, void (*act)(void *ctx), void *ctx);

/* The same of a program; false: it ended with that exit code. */
bool killed_program_before(unsigned n, char *const *argv, int *code);

#endif
