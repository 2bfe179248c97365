/* Notices to accounts, which sottod-orders leaves in DATA/orders/outgoing: each is put into the
 * inboxes of all devices of its account when it is due, and then removed. */
#ifndef RELAY_NOTICES_H
#define RELAY_NOTICES_H

#include "relay/relay.h"

/* Delivers what is due at now_s. One that cannot be delivered now stays for the next time; one
 * whose account is gone is removed. Returns how many were delivered. */
size_t notices_deliver(const struct relay *relay, struct store_port *port, uint64_t now_s);

#endif
