/* X.509 credentials (RFC 9420, 5.3) judged by OpenSSL: a ready-made validate_leaf for sotto/mls.h.
 *
 * A verifier holds the certificates that the caller trusts, and nothing else: neither the system's
 * store nor the network is asked, so revocation is not checked; an application that needs it
 * refuses revoked certificates in a validate_leaf of its own, which calls sotto_mls_x509_verify
 * first.
 *
 * What is proved is that a certification authority in the store calls the holder of the leaf's
 * signature key by the names in the certificate (sotto_mls_x509_names). Whether someone of that
 * name belongs into the group stays the application's decision: look at the staged epoch.
 *
 * A verifier serves one thread at a time. OpenSSL takes its own memory, not the environment's. */
#ifndef SOTTO_MLS_X509_H
#define SOTTO_MLS_X509_H

#include "sotto/mls.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sotto_mls_x509 sotto_mls_x509;

/* Certificates that a credential may hold; more are refused with LIMIT. */
#define SOTTO_MLS_X509_CHAIN_MAX 10

/* A verifier that trusts nobody yet. env gives memory and, to sotto_mls_x509_validate_leaf alone,
 * the time; borrowed, must outlive the verifier. NO_MEMORY. */
SOTTO_API sotto_error sotto_mls_x509_new(const sotto_env *env, sotto_mls_x509 **verifier);

/* Frees verifier. NULL allowed. The engine whose validate_leaf it serves is freed before it. */
SOTTO_API void sotto_mls_x509_free(sotto_mls_x509 *verifier);

/* Why the last call on verifier failed. what is static text, for a chain OpenSSL's reason, such as
 * "certificate has expired". Never NULL; valid until the next call. */
SOTTO_API const sotto_fault *sotto_mls_x509_fault(const sotto_mls_x509 *verifier);

/* Adds trust anchors to verifier: certificates is one in DER, or any number in PEM, one after
 * another. An anchor
 * need not be self-signed. The same certificate may come twice. VALUE: no certificate could be
 * read, or one is damaged; TRAILING: bytes follow the DER. Nothing is added then. NO_MEMORY: some
 * may have been added. */
SOTTO_API sotto_error sotto_mls_x509_trust(sotto_mls_x509 *verifier, sotto_bytes certificates);

/* Verifies a credential at a time (seconds since 1970), with verifier's trust anchors:
 * - the first certificate's key is signature_key, of the kind that suite signs with (5.3);
 * - a chain leads from it to a trust anchor, with each signature, validity, basic constraint, name
 *   constraint and critical extension in order (RFC 5280, 6.1) and no key or digest weaker than 112
 *   bits;
 * - the certificates stand in the order of that chain, leaf first, and none is out of place;
 *   certificates that the store has may be left out (5.3);
 * - a leaf with a key usage has digitalSignature in it. (An extended key usage is not looked at:
 * none is registered for MLS.) CREDENTIAL: refused, also a credential that is not X.509; VALUE: a
 * certificate is not whole DER; LIMIT: too many of them; UNSUPPORTED: the suite is not known;
 * ARGUMENT: OpenSSL cannot hold the time; NO_MEMORY. */
SOTTO_API sotto_error sotto_mls_x509_verify(sotto_mls_x509 *verifier, uint16_t suite,
                                            const sotto_mls_credential *credential,
                                            sotto_bytes signature_key, uint64_t time);

typedef enum sotto_mls_x509_name {
    SOTTO_MLS_X509_DNS = 1,     /* of the SubjectAltName, ASCII */
    SOTTO_MLS_X509_EMAIL = 2,   /* of the SubjectAltName, ASCII */
    SOTTO_MLS_X509_URI = 3,     /* of the SubjectAltName, ASCII */
    SOTTO_MLS_X509_SUBJECT = 4, /* the whole Subject as RFC 2253 writes it, UTF-8 */
} sotto_mls_x509_name;

/* The presented identifiers (5.3.1) of the first certificate of credential, which is not verified
 * here (verifier keeps the fault): calls
 * each for every DNS name, mail address and URI in its SubjectAltName, then for its Subject unless
 * that is empty. name is borrowed for the call. Stops and returns each's error if that is not
 * SOTTO_OK. CREDENTIAL: not X.509, or a name holds a NUL byte; VALUE: the certificate or an
 * extension of it is not whole DER; NO_MEMORY. */
SOTTO_API sotto_error sotto_mls_x509_names(
    sotto_mls_x509 *verifier, const sotto_mls_credential *credential,
    sotto_error (*each)(void *ctx, sotto_mls_x509_name kind, sotto_bytes name), void *ctx);

/* For sotto_mls_config: validate_leaf, with the verifier as ctx. Verifies the leaf's credential
 * with the group's suite at the environment's present time. The successor of a leaf
 * (replaced) must present the same names, in whatever order. An application with a ctx of its own
 * calls this from its own callback, and there decides who may be in the group. */
SOTTO_API sotto_error sotto_mls_x509_validate_leaf(void *verifier, const sotto_mls_group *group,
                                                   const sotto_mls_leaf *leaf,
                                                   const sotto_mls_leaf *replaced);

#ifdef __cplusplus
}
#endif
#endif
