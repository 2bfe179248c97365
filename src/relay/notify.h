/* Tells the service manager how it goes: sd_notify(3)'s protocol, a datagram to
 * $NOTIFY_SOCKET. Without that variable nothing happens. */
#ifndef RELAY_NOTIFY_H
#define RELAY_NOTIFY_H

#include <stdint.h>

/* The socket to the manager, to be closed by the caller; -1: there is none, which the others take.
 * Found once: later it may be out of reach. */
int notify_open(void);

/* One state, such as "READY=1". Nothing waits for an answer, and nothing fails. */
void notify(int manager, const char *state);

/* "RELOADING=1" with the time that the manager wants beside it. */
void notify_reloading(int manager);

/* How often "WATCHDOG=1" has to come at least, in milliseconds; 0: nobody waits for it. */
uint64_t notify_watchdog_ms(void);

#endif
