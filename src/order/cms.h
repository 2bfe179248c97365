/* Signed documents: CMS (RFC 5652), as `openssl cms` makes and checks them. What is checked is
 * OpenSSL's to check; what is demanded stands here. */
#ifndef ORDER_CMS_H
#define ORDER_CMS_H

#include <openssl/pem.h> /* before cms.h, which then declares the PEM functions */

#include <openssl/cms.h>

#include "order/document.h"

enum { ORDER_FILE_MAX = 1024 * 1024, ORDER_CERTIFICATES_MAX = 16 };

struct order_signed {
    CMS_ContentInfo *cms;
    BIO *detached; /* S/MIME: the part that was signed */
};

/* Reads a signed file in DER, PEM or S/MIME. VALUE: problem. */
sotto_error order_signed_read(sotto_bytes file, struct order_signed *is_signed,
                              char problem[static ORDER_PROBLEM_MAX]);
void order_signed_free(struct order_signed *is_signed); /* zeroed: allowed */

/* Whom to believe, and since when no longer. */
struct order_trust {
    STACK_OF(X509) * certificates; /* anchors: the authority's own certificate or what issued it */
    STACK_OF(X509_CRL) * lists;    /* NULL: this authority publishes none */
    uint64_t now_s;
};

struct order_signer {
    X509 *certificate; /* to be freed */
    char name[256];    /* its subject, for people */
    uint64_t time_s;   /* when it says that it signed */
};

/* Checks the signature, and gives out what was signed.
 *
 * Demanded: one signer; CAdES-BES, which is to say the signing certificate is among what is signed
 * (RFC 5035); a signing time that is not to come; a chain to one of the anchors that was valid at
 * that time, of keys and digests of at least 112 bits of security (RSA 2048, SHA-256); a
 * certificate that may sign (keyUsage); and none of the chain on a list of revoked
 * certificates, of which a current one has to be there for each issuer if lists are given. (A
 * certificate that ended since it signed is no failure; one that was revoked since is.)
 * content, if not NULL: what was signed, where the file does not hold it. SIGNATURE: problem says
 * what is wrong. */
sotto_error order_signed_check(struct order_signed *is_signed, const sotto_bytes *content,
                               const struct order_trust *trust, sotto_buf *out,
                               struct order_signer *signer, char problem[static ORDER_PROBLEM_MAX]);

/* Reads one or more certificates (PEM or DER). VALUE: problem. To be freed with sk_X509_pop_free.
 */
sotto_error order_certificates_read(sotto_bytes file, STACK_OF(X509) * *certificates,
                                    char problem[static ORDER_PROBLEM_MAX]);
sotto_error order_lists_read(sotto_bytes file, STACK_OF(X509_CRL) * *lists,
                             char problem[static ORDER_PROBLEM_MAX]);

/* Signs content as CAdES-BES with the content inside, in DER, appended to out. */
sotto_error order_sign(sotto_bytes content, X509 *certificate, EVP_PKEY *key, sotto_buf *out);
/* Whether order_encrypt can: RSA keys, and those of elliptic curves to agree with. */
bool order_can_encrypt(X509 *certificate);
/* Encrypts for that certificate's key (RSA or EC; AES-256-GCM), in DER, appended to out. */
sotto_error order_encrypt(sotto_bytes content, X509 *certificate, sotto_buf *out);

#endif
