/* The sockets that the relay listens on, and the addresses that people reach it by. */
#ifndef RELAY_LISTEN_H
#define RELAY_LISTEN_H

#include "relay/relay.h"

/* Opens all that the configuration names, or the default. False: problem says what and what to do.
 */
bool listen_open(struct relay *relay, char problem[static CONFIG_TEXT]);
/* Whether the addresses to listen on and the public one can be read. False: problem. */
bool listen_check(const struct config *config, char problem[static CONFIG_TEXT]);
/* A listening socket on one TCP address in numbers, or -1: problem, which names the option. */
int listen_at(const char *where, const char *option, char problem[static CONFIG_TEXT]);
void listen_close(struct relay *relay);

/* Appends the relay's addresses with their pin, one a line: the public one if configured, then
 * those of the listeners, where a wildcard stands for the addresses of this machine. False:
 * problem. */
bool listen_addresses(const struct relay *relay, sotto_buf *lines,
                      char problem[static CONFIG_TEXT]);

#endif
