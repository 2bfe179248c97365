/* What channel.c needs of tls.c. */
#ifndef WIRE_TLS_INTERNAL_H
#define WIRE_TLS_INTERNAL_H

#include <openssl/ssl.h>

#include "wire/tls.h"

/* The socket under a session, and what its channel must know of it. Must outlive the session. */
struct tls_socket {
    int fd;
    uint64_t received; /* bytes in all */
    bool drained;      /* the last read took all that had come */
    bool has_pin;      /* client */
    bool pin_mismatch; /* client: set when the certificate was not the pinned one */
    uint8_t pin[PIN_SIZE];
};

/* A session over socket, which counts as a reference to tls. NULL: out of memory. */
SSL *tls_session(struct tls *tls, struct tls_socket *socket);

/* Frees a session and its reference. NULL allowed. */
void tls_session_free(struct tls *tls, SSL *ssl);

#endif
