/* A client's own identity as a group keeps it, and the leaves made from it. */
#ifndef MLS_IDENTITY_H
#define MLS_IDENTITY_H

#include "mls/engine.h"
#include "mls/tree.h"

#define EXTENSION_LAST_RESORT 0x000a /* draft-ietf-mls-extensions */

struct identity {
    const struct suite *suite;
    struct arena arena; /* owns what the fields below view */
    sotto_mls_credential credential;
    struct capabilities capabilities;
    struct extensions extensions; /* of leaves */
    sotto_bytes signature_public;
    struct secret signature_private;
};

/* Copies. ARGUMENT: the credential is incomplete, or the keys do not belong together. */
sotto_error identity_copy(sotto_mls *mls, const sotto_mls_identity *from, struct identity *to);
void identity_free(struct identity *identity);

/* An identity in a record, its private key included: secret bytes. On failure identity is empty. */
void identity_write(struct writer *writer, const struct identity *identity);
sotto_error identity_read(sotto_mls *mls, struct reader *reader, const struct suite *suite,
                          struct identity *identity);

/* Reads a secret of at most SECRET_MAX bytes; empty on failure. */
void secret_read(struct reader *reader, struct secret *secret, const char *what);

/* Copies lists of extensions and credentials into an arena. */
sotto_error extensions_copy(struct arena *arena, const sotto_mls_extension *items, size_t count,
                            struct extensions *out);
sotto_error credential_copy(struct arena *arena, const sotto_mls_credential *from,
                            sotto_mls_credential *to);

/* The GREASE value (13.5) that a client sends: one of 0x0A0A, 0x1A1A, ... 0xEAEA, chosen by the
 * signature key, so that one client always says the same. */
uint16_t grease_of(sotto_bytes signature_public);

/* An extension of that type for KeyPackage and GroupInfo; static data. */
sotto_mls_extension grease_extension(sotto_bytes signature_public);

/* Whether what everybody lists is supported here too: one's own GREASE is listed and is not. */
static inline bool identity_supports(const struct identity *identity, uint16_t type)
{
    return type != grease_of(identity->signature_public);
}

/* Two lists of the same extensions in the same order. */
bool extensions_equal(const struct extensions *a, const struct extensions *b);

/* Two credentials that say the same. */
bool credential_equal(const sotto_mls_credential *a, const sotto_mls_credential *b);

/* Fields of a leaf with that key, all but the source's own and the signature; borrows. */
void identity_leaf(const struct identity *identity, sotto_bytes encryption_key,
                   enum leaf_source source, struct leaf_node *leaf);

/* The public view of a leaf; borrows from it. */
void leaf_view(const struct leaf_node *leaf, uint32_t index, sotto_mls_leaf *view);

/* The private keys of a KeyPackage, as sotto_mls_key_package hands them out. */
struct package_secrets {
    struct secret init_private, encryption_private;
};

sotto_error package_secrets_decode(sotto_bytes input, struct package_secrets *secrets,
                                   sotto_fault *fault);
void package_secrets_write(struct writer *writer, sotto_bytes init_private,
                           sotto_bytes encryption_private);
void package_secrets_wipe(struct package_secrets *secrets);

/* Decodes an MLSMessage that holds a KeyPackage, or a bare KeyPackage. */
sotto_error package_decode(struct arena *arena, sotto_bytes input, struct key_package *package,
                           sotto_fault *fault);

/* KeyPackage rules (10.1, 7.3) for the suite; required: NULL where no group asks for more. */
sotto_error package_check(sotto_mls *mls, const struct key_package *package,
                          const struct suite *suite, const struct required_capabilities *required);

#endif
