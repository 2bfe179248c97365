/* What the files of src/crypto share: the rows behind a suite, and the context. */
#ifndef CRYPTO_INTERNAL_H
#define CRYPTO_INTERNAL_H

#include "crypto/hash.h"
#include "crypto/kpke.h"

/* ---- the context ---- */

#define PAIRS_KNOWN 8
#define PAIR_DIGEST 32

struct crypto {
    const sotto_env *env;
    const sotto_mls_provider *provider;
    void *ctx;                   /* the provider's */
    const struct kpke_ops *kpke; /* ML-KEM's inner scheme for this processor */
    sotto_buf scratch;           /* what is signed, put together; wiped after each use */
    /* Digests of EdDSA key pairs found consistent (signature.c). */
    uint8_t pairs[PAIRS_KNOWN][PAIR_DIGEST];
    size_t pair_next;
};

/* Wipes the scratch buffer after each use, and gives a large one back. */
void scratch_done(struct crypto *crypto);

/* The header of opaque v<V> (RFC 9420, 2.1.2) alone; returns its size. LENGTH is the caller's. */
#define VECTOR_HEADER_MAX 4
#define VECTOR_LENGTH_MAX 0x3fffffffu
size_t vector_header(uint8_t out[VECTOR_HEADER_MAX], size_t length);

/* label<V> (with the prefix "MLS 1.0 ") and context<V> as parts, to hash without copying. */
#define LABELLED_PARTS 5
struct labelled {
    uint8_t headers[2][VECTOR_HEADER_MAX];
    sotto_bytes parts[LABELLED_PARTS];
};
sotto_error labelled_init(struct labelled *labelled, const char *label, sotto_bytes content);

#define AEAD_KEY_MAX 32

/* ---- signatures ---- */

struct signature_row {
    sotto_mls_signature id;
    uint16_t private_size, public_size, signature_max;
    uint8_t mask; /* of the first byte of a scalar that is drawn; 0: EdDSA, whose keys are seeds */
};

extern const struct signature_row signature_ed25519, signature_ed448, signature_p256,
    signature_p384, signature_p521;

/* ---- KEM ---- */

/* Sizes were checked by kem.c. KEY: a key or encapsulation is not valid. */
struct kem_ops {
    sotto_error (*generate)(struct crypto *crypto, const struct kem_row *row,
                            struct secret *private_key, uint8_t *public_key);
    sotto_error (*derive)(struct crypto *crypto, const struct kem_row *row, sotto_bytes ikm,
                          struct secret *private_key, uint8_t *public_key);
    sotto_error (*public_key)(struct crypto *crypto, const struct kem_row *row,
                              const uint8_t *private_key, uint8_t *public_key);
    sotto_error (*check)(struct crypto *crypto, const struct kem_row *row,
                         const uint8_t *public_key);
    sotto_error (*encap)(struct crypto *crypto, const struct kem_row *row,
                         const uint8_t *public_key, uint8_t *enc, struct secret *shared);
    /* public_key may be NULL: recomputed. */
    sotto_error (*decap)(struct crypto *crypto, const struct kem_row *row,
                         const uint8_t *private_key, const uint8_t *public_key, const uint8_t *enc,
                         struct secret *shared);
};

struct kem_row {
    uint16_t id;
    uint16_t npk, nsk, nenc;
    uint8_t nsecret, ndh;
    uint8_t mask;                /* of the first byte of a scalar that is drawn (RFC 9180, 7.1.3);
                                    0: every string is a key */
    const struct hash_row *hash; /* DHKEM's; NULL: the others bring SHA-3 */
    const struct kem_ops *ops;
    int dh; /* sotto_mls_dh, or DH_NONE */
};
#define DH_NONE (-1)

/* The provider's group of a row that has one. agree: KEY where the result is zero or a key is not
 * valid. */
sotto_error dh_public(struct crypto *crypto, const struct kem_row *row, const uint8_t *private_key,
                      uint8_t *public_key);
sotto_error dh_agree(struct crypto *crypto, const struct kem_row *row, const uint8_t *private_key,
                     const uint8_t *public_key, uint8_t *shared);
sotto_error dh_check(struct crypto *crypto, const struct kem_row *row, const uint8_t *public_key);

extern const struct kem_row kem_x25519, kem_x448, kem_p256, kem_p384, kem_p521, kem_xwing,
    kem_mlkem768, kem_mlkem768_p256;

/* ML-KEM-768: the provider's where it has one, else ours. encaps: KEY if public_key is not valid.
 */
sotto_error mlkem768_public(struct crypto *crypto, const uint8_t *seed, uint8_t *public_key);
sotto_error mlkem768_encaps(struct crypto *crypto, const uint8_t *public_key, const uint8_t *m,
                            uint8_t *ciphertext, uint8_t *shared);
sotto_error mlkem768_decaps(struct crypto *crypto, const uint8_t *seed, const uint8_t *ciphertext,
                            uint8_t *shared);

/* Callers of these checked no sizes. */
sotto_error kem_encap(struct crypto *crypto, const struct kem_row *row, sotto_bytes public_key,
                      sotto_buf *enc, struct secret *shared);
sotto_error kem_decap(struct crypto *crypto, const struct kem_row *row, sotto_bytes private_key,
                      sotto_bytes public_key, sotto_bytes enc, struct secret *shared);

/* LabeledExtract and LabeledExpand (RFC 9180, section 4). suite: "KEM" or "HPKE" and its ids. */
struct hpke_label {
    uint8_t suite[10];
    size_t suite_size;
};
struct hpke_label hpke_label_kem(uint16_t kem_id);
struct hpke_label hpke_label_suite(const struct suite *suite);
#define HPKE_INFO_PARTS 2
#define HPKE_IKM_PARTS LABELLED_PARTS
sotto_error hpke_extract(struct crypto *crypto, const struct hash_row *row,
                         const struct hpke_label *label, sotto_bytes salt, const char *name,
                         const sotto_bytes *ikm, size_t count, uint8_t *out);
sotto_error hpke_expand(struct crypto *crypto, const struct hash_row *row,
                        const struct hpke_label *label, sotto_bytes prk, const char *name,
                        const sotto_bytes *info, size_t count, uint8_t *out, size_t length);

/* The seed of DeriveKeyPair as draft-ietf-hpke-pq has it for its KEMs:
 * SHAKE256.LabeledDerive(ikm, "DeriveKeyPair", "", size), where LabeledDerive(ikm, label, context,
 * L) = SHAKE256(ikm || "HPKE-v1" || suite_id || I2OSP(len(label), 2) || label || I2OSP(L, 2) ||
 * context, L) and suite_id = "KEM" || kem_id. The draft's own vectors decide
 * (tests/vectors/crypto/hpke-pq-*.json); some implementations take the ikm itself as the seed, and
 * differ from these. */
void hpke_pq_derive(uint16_t kem_id, sotto_bytes ikm, uint8_t *out, size_t size);

/* The hash of info, in parts, as the key schedule takes it: nh bytes. */
sotto_error hpke_info_hash(struct crypto *crypto, const struct suite *suite,
                           const sotto_bytes *info, size_t count, uint8_t *out);

/* What follows from a KEM's shared secret in base mode. */
struct hpke_keys {
    uint8_t key[AEAD_KEY_MAX];
    uint8_t nonce[AEAD_NONCE_MAX];
};
sotto_error hpke_keys(struct hpke_keys *keys, struct crypto *crypto, const struct suite *suite,
                      const struct secret *shared, const uint8_t *info_hash);
sotto_error hpke_export(struct crypto *crypto, const struct suite *suite,
                        const struct secret *shared, const uint8_t *info_hash,
                        sotto_bytes exporter_context, size_t length, struct secret *out);

#endif
