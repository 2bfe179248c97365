/* What the tests of channel and link share: TLS contexts with a self-made certificate, and one end
 * of a channel that records what happened to it. */
#ifndef TESTS_UNIT_WIRE_WORLD_H
#define TESTS_UNIT_WIRE_WORLD_H

#include "unit/check.h"
#include "wire/channel.h"

struct wire_world {
    char folder[64], certificate[96], key[96];
    struct tls *server, *client;
    struct address address; /* of the server, with pin; port 1 until one is bound */
};

void wire_world_make(struct wire_world *world);
void wire_world_free(struct wire_world *world);

/* An end of a channel with what it received. */
struct wire_end {
    struct channel *channel;
    unsigned opened;
    unsigned messages;
    sotto_buf last;       /* the last message */
    size_t bytes;         /* of all messages */
    unsigned pause_after; /* pauses itself when so many messages were received; 0: never */
    bool echo;            /* sends each message back */
};

extern const struct channel_handler wire_end_handler;

void wire_end_init(struct wire_end *end);
void wire_end_free(struct wire_end *end);

/* Steps a channel once with what poll says of it now. */
void wire_end_step(struct wire_end *end);

sotto_error wire_end_send(struct wire_end *end, sotto_bytes message);

#endif
