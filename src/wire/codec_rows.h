/* The rows of the message table that each file brings: one a type. Internal to src/wire. */
#ifndef WIRE_CODEC_ROWS_H
#define WIRE_CODEC_ROWS_H

#include "wire/fields.h"

struct message_row {
    uint16_t type;
    const char *name;
    const char *end; /* named in the fault when bytes are left over */
    enum message_direction direction;
    unsigned connections; /* of requests */
    /* NULL: an empty body. Both use sticky errors only. */
    void (*read)(struct reader *reader, struct arena *arena, struct message *message);
    void (*write)(struct writer *writer, const struct message *message);
};

/* A request and its answer without a body of its own. */
#define ROW_REQUEST(type, name, connections, read, write)                     \
    {                                                                         \
        type, name, name " (end)", MESSAGE_TO_RELAY, connections, read, write \
    }
#define ROW_ANSWER(type, name, read, write)                          \
    {                                                                \
        type, name, name " (end)", MESSAGE_TO_CLIENT, 0, read, write \
    }

/* message_common.c, message_account.c, message_room.c, message_blob.c; ended by a row of type 0. */
extern const struct message_row message_rows_common[];
extern const struct message_row message_rows_account[];
extern const struct message_row message_rows_room[];
extern const struct message_row message_rows_blob[];

#endif
