/* Certificates made on the spot by OpenSSL, for tests. Every function asserts that it succeeds. */
#ifndef TESTS_UNIT_CERTIFICATES_H
#define TESTS_UNIT_CERTIFICATES_H

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "unit/check.h"

/* An authority, or a leaf without a private key. */
struct certified {
    EVP_PKEY *key;
    X509 *certificate;
    uint8_t der[4096];
    size_t size;
};

/* What a certificate says; zero is a leaf that is valid now and may do everything. */
struct terms {
    const char *name;        /* the Subject's common name */
    const char *alternative; /* as OpenSSL's configuration writes a subjectAltName; NULL: none */
    const char *key_usage;   /* the same; NULL: none */
    bool authority;
    int64_t not_before, not_after; /* seconds since 1970; both 0: an hour around CERTIFIED_AT */
};

#define CERTIFIED_AT 1800000000

/* A fresh Ed25519 key; issuer NULL: signed by itself. */
void certify_new(struct certified *made, const struct terms *terms, const struct certified *issuer);

/* A certificate for a given key, whose ownership passes. */
void certify_key(struct certified *made, const struct terms *terms, const struct certified *issuer,
                 EVP_PKEY *key);

/* Appends an extension by its type number, content as DER, and signs anew. */
void certify_extension(struct certified *made, const struct certified *issuer, int nid,
                       sotto_bytes der);

void certified_free(struct certified *made);

/* The certificate in PEM, appended. */
void certified_pem(const struct certified *made, sotto_buf *out);

static inline sotto_bytes certified_der(const struct certified *made)
{
    return sotto_bytes_of(made->der, made->size);
}

#endif
