/* TLS contexts (PROTOCOL.md section 1): 1.3 only, no tickets, no resumption, no early data.
 *
 * A struct tls is counted: channels hold it, so it may be freed (or replaced by a newly loaded one)
 * while channels made from it live on. Making channels from one context is safe from any thread. */
#ifndef WIRE_TLS_H
#define WIRE_TLS_H

#include "wire/address.h"

struct tls;

/* A server's context from PEM files: certificate chain and private key. IO: cannot be read; KEY:
 * not valid, or the key does not belong to the certificate. *why (may be NULL) receives static
 * text. */
sotto_error tls_server(const sotto_env *env, const char *certificate_path, const char *key_path,
                       struct tls **tls, const char **why);

/* Makes a P-256 key and a self-signed certificate for it at these paths, unless both are there: key
 * mode 0600, each file written whole or not at all, nothing overwritten, since the key is the
 * relay's identity (its pin). A key without a certificate gets one; a certificate without its key
 * is EXISTS. Else IO, KEY, INTERNAL. */
sotto_error tls_make_certificate(const sotto_env *env, const char *certificate_path,
                                 const char *key_path, const char **why);

/* A client's context, for all its channels: each checks its own address's pin, or the system's
 * roots and the host name. */
sotto_error tls_client(const sotto_env *env, struct tls **tls);

/* The pin of a server's context: SHA-256 of its certificate's SubjectPublicKeyInfo. */
void tls_pin(const struct tls *tls, uint8_t pin[static PIN_SIZE]);

/* One more owner, who calls tls_free too; returns tls. */
struct tls *tls_hold(struct tls *tls);

void tls_free(struct tls *tls); /* NULL allowed */

#endif
