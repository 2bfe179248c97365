/* The relay at work, from its start to its orderly end. */
#ifndef RELAY_SERVE_H
#define RELAY_SERVE_H

#include "relay/config.h"

/* The exit status. */
int serve(const struct config *config);

#endif
