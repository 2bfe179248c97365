/* What a process that holds keys does first. */
#ifndef CORE_PROCESS_H
#define CORE_PROCESS_H

#include "sotto/error.h"

/* No core dumps, no attaching by other processes of the same person. IO if the system refuses. */
sotto_error process_protect(void);

#endif
