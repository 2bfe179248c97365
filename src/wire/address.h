/* A relay's address: host:port or host:port#PIN, IPv6 in brackets (PROTOCOL.md section 1). */
#ifndef WIRE_ADDRESS_H
#define WIRE_ADDRESS_H

#include "base/base.h"
#include "wire/limits.h"

enum { PIN_SIZE = 32 };

struct address {
    char host[WIRE_HOST_MAX + 1]; /* lower case, without brackets */
    uint16_t port;                /* never 0 */
    bool is_ipv6;                 /* written in brackets */
    bool has_pin;
    uint8_t pin[PIN_SIZE]; /* SHA-256 of the certificate's SubjectPublicKeyInfo */
};

/* Reads an address. VALUE or LIMIT with the fault naming the part; *address is then untouched.
 * Strict: what address_format writes is what is read, case of the host aside. */
sotto_error address_parse(sotto_bytes text, struct address *address, sotto_fault *fault);

/* Appends the text, without a NUL. */
sotto_error address_format(const struct address *address, sotto_buf *text);

/* Same host, port and pin. */
bool address_equal(const struct address *a, const struct address *b);

#endif
