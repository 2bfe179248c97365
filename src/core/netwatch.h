/* Whether this machine's network addresses change: then connections may have died without a word,
 * and those that failed may work again. */
#ifndef CORE_NETWATCH_H
#define CORE_NETWATCH_H

#include <stdbool.h>

/* A descriptor that becomes readable when addresses come or go; -1: there is no such thing here,
 * and silence has to tell. */
int netwatch_open(void);
/* Takes what it says; whether it said anything. */
bool netwatch_changed(int fd);

#endif
