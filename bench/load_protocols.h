/* What the generator speaks. */
#ifndef BENCH_LOAD_PROTOCOLS_H
#define BENCH_LOAD_PROTOCOLS_H

#include "load_client.h"

extern const struct load_protocol load_sotto;
extern const struct load_protocol load_echo; /* of load_echo.h: acknowledged by its own return */
extern const struct load_protocol load_fan;  /* likewise, but delivered to all who are there */
extern const struct load_protocol load_pair; /* to one reader, with an acknowledgement */
extern const struct load_protocol load_mqtt; /* 3.1.1, QoS 1 */
extern const struct load_protocol load_nats; /* JetStream publish, push consumer */
extern const struct load_protocol load_xmpp; /* direct TLS, SASL PLAIN */

/* One more subscription on a connection that is ready; its entries are LOAD_DELIVERED too. */
void load_sotto_subscribe(struct load_conn *conn, uint32_t channel, uint32_t request,
                          uint64_t from);

#endif
