/* SOCKS5 (RFC 1928) with user and password (RFC 1929), the client's CONNECT, without I/O. */
#ifndef WIRE_SOCKS_H
#define WIRE_SOCKS_H

#include "wire/address.h"

enum { SOCKS_TEXT_MAX = 255 };

enum socks_stage {
    SOCKS_METHOD,
    SOCKS_LOGIN,
    SOCKS_REPLY, /* up to the length of the bound address */
    SOCKS_REPLY_REST,
    SOCKS_DONE,
};

/* Holds credentials: socks_wipe when done. */
struct socks {
    enum socks_stage stage;
    struct address target;
    uint8_t user_size, password_size; /* 0: no credentials */
    char user[SOCKS_TEXT_MAX], password[SOCKS_TEXT_MAX];
    uint8_t out[520]; /* to be sent, whole, before anything is read */
    size_t out_size;
    size_t need; /* then exactly so many bytes are read and given to socks_feed */
};

/* user and password both or neither NULL. ARGUMENT: too long or one alone. */
sotto_error socks_start(struct socks *socks, const struct address *target, const char *user,
                        const char *password);

/* Takes the answer, socks->need bytes. NETWORK with *what (static) where the proxy refused. */
sotto_error socks_feed(struct socks *socks, const uint8_t *answer, const char **what);

void socks_wipe(struct socks *socks);

#endif
