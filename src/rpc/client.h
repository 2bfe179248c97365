/* One connection to the server: lines in, lines out, and how far it is with the events. */
#ifndef RPC_CLIENT_H
#define RPC_CLIENT_H

#include <jansson.h>
#include <poll.h>

#include "sotto/bytes.h"

enum {
    CLIENT_LINE_MAX = 8 * 1024 * 1024, /* a text of 1 MiB, each byte escaped, and more */
    CLIENT_OUT_HIGH = 1024 * 1024,     /* above it no events are queued and nothing is read */
    CLIENT_OUT_MAX = 64 * 1024 * 1024, /* above it the client is cut off */
    CLIENT_READ = 64 * 1024,           /* at once */
};

struct client {
    struct client *next;
    uint64_t number; /* never given twice */
    int in, out;     /* the same descriptor for a socket */
    bool owns_fds;
    sotto_buf input, output;
    size_t scanned;   /* of input: no line break before */
    size_t written;   /* of output */
    unsigned waiting; /* answers that threads are at work on */
    bool ended;       /* it sends no more */
    bool broken;      /* nothing can be sent any more */
    bool subscribed;
    uint64_t event;    /* the last that was queued */
    int in_at, out_at; /* its places in the list of descriptors to wait for; -1: none */
};

struct client *client_new(const sotto_env *env, uint64_t number, int in, int out, bool owns_fds);
void client_free(struct client *client);

/* What to wait for: adds one or two. Returns how many. */
size_t client_wants(struct client *client, struct pollfd *fds, size_t at);

/* Reads what is there. */
void client_read(struct client *client);
/* The next whole line, without its break; borrowed until the next call. False: there is none. */
bool client_line(struct client *client, sotto_bytes *line);

/* Queues one object as a line. The object is given up. NULL: there was no memory for it, and the
 * client is cut off, which it can tell from an answer. */
void client_send(struct client *client, json_t *object);
bool client_is_full(const struct client *client);
void client_write(struct client *client);
/* Before the end: writes what is queued, for a moment at most. */
void client_drain(struct client *client);

/* Whether nothing is left to do for it. */
bool client_is_over(const struct client *client);

#endif
