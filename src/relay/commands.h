/* The commands beside serving. They work while a relay serves the same directory. Each returns the
 * exit status. */
#ifndef RELAY_COMMANDS_H
#define RELAY_COMMANDS_H

#include "relay/config.h"

int command_invite(const struct config *config);
int command_status(const struct config *config);

#endif
