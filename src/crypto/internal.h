/* What the files of src/crypto share: the rows behind a suite, and the context. */
#ifndef CRYPTO_INTERNAL_H
#define CRYPTO_INTERNAL_H

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/evp.h>

#include "crypto/hash.h"
#include "crypto/kpke.h"

/* ---- the context ---- */

enum curve { CURVE_NONE = -1, CURVE_P256, CURVE_P384, CURVE_P521, CURVE_COUNT };

enum cipher { CIPHER_AES128, CIPHER_AES256, CIPHER_CHACHA, CIPHER_COUNT };

#define PAIRS_KNOWN 8

struct crypto {
    const sotto_env *env;
    BN_CTX *bn;
    EC_GROUP *groups[CURVE_COUNT];
    EVP_MD_CTX *md;
    EVP_CIPHER_CTX *ciphers[CIPHER_COUNT];
    const struct kpke_ops *kpke; /* ML-KEM's inner scheme for this processor */
    sotto_buf scratch;           /* what is signed, put together; wiped after each use */
    /* Digests of Ed25519 key pairs found consistent (signature_ed25519.c). */
    uint8_t pairs[PAIRS_KNOWN][32];
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

/* ---- AEAD ---- */

#define AEAD_KEY_MAX 32

struct aead_row {
    enum cipher cipher; /* OpenSSL's context */
    /* Short messages, without a context; sizes were checked. NULL: OpenSSL for these too. */
    void (*seal)(const uint8_t *key, const uint8_t *nonce, sotto_bytes aad, sotto_bytes plaintext,
                 uint8_t *out);
    /* false: not authentic; out may hold anything then. */
    bool (*open)(const uint8_t *key, const uint8_t *nonce, sotto_bytes aad, sotto_bytes ciphertext,
                 const uint8_t *tag, uint8_t *out);
};

/* Makes OpenSSL's contexts. INTERNAL. */
sotto_error aead_fetch(struct crypto *crypto);

extern const struct aead_row aead_aes128gcm, aead_aes256gcm, aead_chacha20poly1305;

/* ---- signatures ---- */

struct signature_row {
    uint16_t private_size, public_size, signature_max;
    int curve; /* enum curve where that applies */
    const struct hash_row *hash;
    const char *openssl_name;
    sotto_error (*generate)(struct crypto *crypto, const struct signature_row *row,
                            struct secret *private_key);
    sotto_error (*public_key)(struct crypto *crypto, const struct signature_row *row,
                              const uint8_t *private_key, uint8_t *public_key);
    /* signature has room for signature_max bytes. KEY: the private key is not valid or does not
     * belong to the public one. */
    sotto_error (*sign)(struct crypto *crypto, const struct signature_row *row,
                        const uint8_t *private_key, const uint8_t *public_key, sotto_bytes message,
                        uint8_t *signature, size_t *size);
    sotto_error (*verify)(struct crypto *crypto, const struct signature_row *row,
                          const uint8_t *public_key, sotto_bytes message, sotto_bytes signature);
};

extern const struct signature_row signature_ed25519, signature_ed448, signature_p256,
    signature_p384, signature_p521;

/* ---- KEM ---- */

/* What a Diffie-Hellman group gives to DHKEM. All sizes are the row's. */
struct dh_ops {
    sotto_error (*public_key)(struct crypto *crypto, const struct kem_row *row,
                              const uint8_t *private_key, uint8_t *public_key);
    sotto_error (*agree)(struct crypto *crypto, const struct kem_row *row,
                         const uint8_t *private_key, const uint8_t *public_key, uint8_t *shared);
    sotto_error (*check)(struct crypto *crypto, const struct kem_row *row,
                         const uint8_t *public_key);
};

extern const struct dh_ops dh_x25519, dh_x448, dh_nist;

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
    int curve; /* enum curve where that applies */
    const struct hash_row *hash;
    const struct kem_ops *ops;
    const struct dh_ops *dh;
};

extern const struct kem_row kem_x25519, kem_x448, kem_p256, kem_p384, kem_p521, kem_xwing,
    kem_mlkem768, kem_mlkem768_p256;

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
void hpke_extract(const struct hash_row *row, const struct hpke_label *label, sotto_bytes salt,
                  const char *name, const sotto_bytes *ikm, size_t count, uint8_t *out);
void hpke_expand(const struct hash_row *row, const struct hpke_label *label, sotto_bytes prk,
                 const char *name, const sotto_bytes *info, size_t count, uint8_t *out,
                 size_t length);

/* The seed of DeriveKeyPair as draft-ietf-hpke-pq has it for its KEMs:
 * SHAKE256.LabeledDerive(ikm, "DeriveKeyPair", "", size), where LabeledDerive(ikm, label, context,
 * L) = SHAKE256(ikm || "HPKE-v1" || suite_id || I2OSP(len(label), 2) || label || I2OSP(L, 2) ||
 * context, L) and suite_id = "KEM" || kem_id. The draft's own vectors decide
 * (tests/vectors/crypto/hpke-pq-*.json); some implementations take the ikm itself as the seed, and
 * differ from these. */
void hpke_pq_derive(uint16_t kem_id, sotto_bytes ikm, uint8_t *out, size_t size);

/* The hash of info, in parts, as the key schedule takes it: nh bytes. */
void hpke_info_hash(const struct suite *suite, const sotto_bytes *info, size_t count, uint8_t *out);

/* What follows from a KEM's shared secret in base mode. */
struct hpke_keys {
    uint8_t key[AEAD_KEY_MAX];
    uint8_t nonce[AEAD_NONCE_MAX];
};
void hpke_keys(struct hpke_keys *keys, const struct suite *suite, const struct secret *shared,
               const uint8_t *info_hash);
void hpke_export(const struct suite *suite, const struct secret *shared, const uint8_t *info_hash,
                 sotto_bytes exporter_context, size_t length, struct secret *out);

/* ---- the NIST curves, over OpenSSL ---- */

/* KEY unless 0 < private_key < order. public_key: uncompressed point. */
sotto_error nist_public(struct crypto *crypto, int curve, sotto_bytes private_key,
                        uint8_t *public_key, size_t public_size);
/* KEY unless an uncompressed point of the curve. shared: the x coordinate. */
sotto_error nist_agree(struct crypto *crypto, int curve, sotto_bytes private_key,
                       sotto_bytes public_key, uint8_t *shared, size_t shared_size);
sotto_error nist_check(struct crypto *crypto, int curve, sotto_bytes public_key);
/* Whether 0 < private_key < order. */
bool nist_private_valid(struct crypto *crypto, int curve, sotto_bytes private_key);
/* The bitmask for the first byte of a candidate private key (RFC 9180, 7.1.3). */
uint8_t nist_mask(int curve);

#endif
