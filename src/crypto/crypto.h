/* Cryptography of the MLS cipher suites (RFC 9420, sections 5 and 17.1) over a provider's
 * primitives (sotto/mls_provider.h) and a table of suites. No library's header is needed here.
 *
 * A struct crypto holds a provider's context. It serves one thread at a time; make one a thread. A
 * suite is a const row: which hash, KDF, AEAD, KEM and signature, and their sizes. A suite may be
 * used only with a context that has it (crypto_has).
 *
 * Outputs into uint8_t* must have the size that the suite gives (Nh and so on). Outputs and inputs
 * do not overlap unless said. A failed call leaves outputs zeroed; INTERNAL and NO_MEMORY of the
 * provider are possible in all. */
#ifndef CRYPTO_CRYPTO_H
#define CRYPTO_CRYPTO_H

#include "base/base.h"
#include "sotto/mls_provider.h"

enum suite_id {
    SUITE_X25519_AES128_SHA256_ED25519 = 0x0001,
    SUITE_P256_AES128_SHA256_P256 = 0x0002,
    SUITE_X25519_CHACHA_SHA256_ED25519 = 0x0003,
    SUITE_X448_AES256_SHA512_ED448 = 0x0004,
    SUITE_P521_AES256_SHA512_P521 = 0x0005,
    SUITE_X448_CHACHA_SHA512_ED448 = 0x0006,
    SUITE_P384_AES256_SHA384_P384 = 0x0007,
    SUITE_XWING_CHACHA_SHA256_ED25519 = 0x004D, /* private use, as OpenMLS and ts-mls number it */
    /* Private use: 0xFA00 and the number of the row in draft-ietf-mls-pq-ciphersuites-06. */
    SUITE_PQ_XWING_AES128_SHA256_ED25519 = 0xFA01,
    SUITE_PQ_XWING_AES256_SHA384_ED25519 = 0xFA02,
    SUITE_PQ_MLKEM768P256_AES128_SHA256_P256 = 0xFA03,
    SUITE_PQ_MLKEM768P256_AES256_SHA384_P256 = 0xFA04,
    SUITE_PQ_MLKEM768_AES256_SHA384_ED25519 = 0xFA06,
    SUITE_PQ_MLKEM768_AES256_SHA384_P256 = 0xFA07,
};

#define HASH_MAX 64         /* SHA-512 */
#define AEAD_NONCE_MAX 12   /* every AEAD here */
#define AEAD_TAG 16         /* every AEAD here */
#define KEM_PUBLIC_MAX 1249 /* MLKEM768-P256 */
#define KEM_ENC_MAX 1153    /* MLKEM768-P256 */
#define SIGNATURE_MAX 139   /* P-521, DER */
#define SIGNATURE_PUBLIC_MAX 133

struct crypto;

struct suite {
    uint16_t id;
    const char *name;                 /* as in the IANA registry */
    uint16_t kem_id, kdf_id, aead_id; /* HPKE's code points */
    uint8_t nh;                       /* Hash.length = KDF.Nh */
    uint8_t nk, nn;                   /* AEAD.Nk, AEAD.Nn */
    uint16_t npk, nsk, nenc;          /* KEM public key, private key, encapsulation */
    uint8_t nsecret;                  /* KEM shared secret */
    /* Internal tables of src/crypto; others do not look inside. */
    const struct hash_row *hash;
    sotto_mls_aead aead;
    const struct kem_row *kem;
    const struct signature_row *signature;
};

/* NULL for a number that this build does not know. */
const struct suite *suite_by_id(uint16_t id);

/* All rows, ended by NULL. */
const struct suite *const *suite_all(void);

/* Starts the provider; NO_MEMORY, INTERNAL or what it says. env and provider must outlive it. */
sotto_error crypto_new_with(const sotto_env *env, const sotto_mls_provider *provider,
                            struct crypto **crypto);
/* The same with the default provider; stands in crypto/default/provider.c. */
sotto_error crypto_new(const sotto_env *env, struct crypto **crypto);
/* Another context of the same kind, for another thread. Freed like the first. */
sotto_error crypto_twin(const struct crypto *crypto, struct crypto **twin);
void crypto_free(struct crypto *crypto); /* NULL allowed */
const sotto_env *crypto_env(const struct crypto *crypto);
/* Whether the provider has all that the suite needs. */
bool crypto_has(const struct crypto *crypto, const struct suite *suite);

/* Hash of the concatenation of count parts; out: nh bytes. (crypto_hash is libsodium's name.) */
sotto_error crypto_hash_parts(struct crypto *crypto, const struct suite *suite,
                              const sotto_bytes *parts, size_t count, uint8_t *out);

/* HMAC over the concatenation of count parts; out: nh bytes. Key of any length. */
sotto_error crypto_mac(struct crypto *crypto, const struct suite *suite, sotto_bytes key,
                       const sotto_bytes *parts, size_t count, uint8_t *out);

/* KDF.Extract and KDF.Expand (HKDF); prk receives nh bytes. length at most SECRET_MAX. */
sotto_error crypto_extract(struct crypto *crypto, const struct suite *suite, sotto_bytes salt,
                           sotto_bytes ikm, struct secret *prk);
sotto_error crypto_expand(struct crypto *crypto, const struct suite *suite, sotto_bytes prk,
                          sotto_bytes info, size_t length, struct secret *out);

/* RFC 9420, section 8: ExpandWithLabel, DeriveSecret. label without the "MLS 1.0 " prefix; out may
 * be the struct that secret views. */
sotto_error crypto_expand_with_label(struct crypto *crypto, const struct suite *suite,
                                     sotto_bytes secret, const char *label, sotto_bytes context,
                                     size_t length, struct secret *out);
sotto_error crypto_derive_secret(struct crypto *crypto, const struct suite *suite,
                                 sotto_bytes secret, const char *label, struct secret *out);
/* Section 9: DeriveTreeSecret(Secret, Label, Generation, Length). */
sotto_error crypto_derive_tree_secret(struct crypto *crypto, const struct suite *suite,
                                      sotto_bytes secret, const char *label, uint32_t generation,
                                      size_t length, struct secret *out);

/* Section 5.2: RefHash(label, value); label whole, e.g. "MLS 1.0 KeyPackage Reference". */
sotto_error crypto_ref_hash(struct crypto *crypto, const struct suite *suite, const char *label,
                            sotto_bytes value, uint8_t *out);

/* AEAD. seal writes plaintext.size + AEAD_TAG bytes; out may start where plaintext starts. */
sotto_error crypto_seal(struct crypto *crypto, const struct suite *suite, sotto_bytes key,
                        sotto_bytes nonce, sotto_bytes aad, sotto_bytes plaintext, uint8_t *out);
/* open writes ciphertext.size - AEAD_TAG bytes; in place allowed. DECRYPT: not authentic. */
sotto_error crypto_open(struct crypto *crypto, const struct suite *suite, sotto_bytes key,
                        sotto_bytes nonce, sotto_bytes aad, sotto_bytes ciphertext, uint8_t *out);

/* Signature keys. Private keys are seeds or scalars as RFC 9420's vectors have them: Ed25519 and
 * Ed448 seeds, big-endian scalars of the curve's size. Public keys as on the wire. */
sotto_error crypto_signature_generate(struct crypto *crypto, const struct suite *suite,
                                      struct secret *private_key, sotto_buf *public_key);
/* The public key that belongs to a private one. KEY if it is not valid. */
sotto_error crypto_signature_public(struct crypto *crypto, const struct suite *suite,
                                    sotto_bytes private_key, sotto_buf *public_key);
/* Section 5.1.2: SignWithLabel, VerifyWithLabel; label without prefix. signature is appended to.
 * KEY: a key is not valid, or the public key is seen not to belong to the private one. EdDSA always
 * sees it, because a signature made with a foreign public key gives the private key away. */
sotto_error crypto_sign_with_label(struct crypto *crypto, const struct suite *suite,
                                   sotto_bytes private_key, sotto_bytes public_key,
                                   const char *label, sotto_bytes content, sotto_buf *signature);
/* SIGNATURE if it does not verify, KEY if the public key is malformed. */
sotto_error crypto_verify_with_label(struct crypto *crypto, const struct suite *suite,
                                     sotto_bytes public_key, const char *label, sotto_bytes content,
                                     sotto_bytes signature);

/* KEM keys. public_key is appended to (npk bytes). */
sotto_error crypto_kem_generate(struct crypto *crypto, const struct suite *suite,
                                struct secret *private_key, sotto_buf *public_key);
/* HPKE's DeriveKeyPair(ikm): RFC 9180 section 7.1.3; X-Wing as draft-ietf-hpke-pq has it. */
sotto_error crypto_kem_derive(struct crypto *crypto, const struct suite *suite, sotto_bytes ikm,
                              struct secret *private_key, sotto_buf *public_key);
/* KEY unless public_key has the right size and is on the curve where that is checked. */
sotto_error crypto_kem_check(struct crypto *crypto, const struct suite *suite,
                             sotto_bytes public_key);
/* KEY unless the private key belongs to the public one. */
sotto_error crypto_kem_check_pair(struct crypto *crypto, const struct suite *suite,
                                  sotto_bytes private_key, sotto_bytes public_key);

/* HPKE base mode, single shot. seal appends enc to enc and ciphertext to ciphertext. In all that
 * follows KEY says that a key or an encapsulation is malformed or yields zero, DECRYPT that the
 * ciphertext is not authentic; to a receiver both mean: not for me, or forged. */
sotto_error crypto_hpke_seal(struct crypto *crypto, const struct suite *suite,
                             sotto_bytes public_key, sotto_bytes info, sotto_bytes aad,
                             sotto_bytes plaintext, sotto_buf *enc, sotto_buf *ciphertext);
/* public_key: the receiver's own (X25519 and X-Wing decapsulation need it); empty: recomputed. */
sotto_error crypto_hpke_open(struct crypto *crypto, const struct suite *suite,
                             sotto_bytes private_key, sotto_bytes public_key, sotto_bytes enc,
                             sotto_bytes info, sotto_bytes aad, sotto_bytes ciphertext,
                             sotto_buf *plaintext);
/* HPKE export with an empty info, as external init needs it (RFC 9420, 8.3). */
sotto_error crypto_hpke_export_send(struct crypto *crypto, const struct suite *suite,
                                    sotto_bytes public_key, sotto_bytes exporter_context,
                                    size_t length, sotto_buf *enc, struct secret *out);
sotto_error crypto_hpke_export_receive(struct crypto *crypto, const struct suite *suite,
                                       sotto_bytes private_key, sotto_bytes public_key,
                                       sotto_bytes enc, sotto_bytes exporter_context, size_t length,
                                       struct secret *out);

/* RFC 9420, section 5.1.3: EncryptWithLabel, DecryptWithLabel; label without prefix. */
sotto_error crypto_encrypt_with_label(struct crypto *crypto, const struct suite *suite,
                                      sotto_bytes public_key, const char *label,
                                      sotto_bytes context, sotto_bytes plaintext, sotto_buf *enc,
                                      sotto_buf *ciphertext);
/* The same in two steps, for many receivers of one label and context, which is hashed once: a
 * Welcome's context is the whole GroupInfo, with the tree in it. */
struct encrypt_context {
    uint8_t info_hash[HASH_MAX];
};
sotto_error crypto_encrypt_context(struct crypto *crypto, const struct suite *suite,
                                   const char *label, sotto_bytes context,
                                   struct encrypt_context *out);
sotto_error crypto_encrypt_in_context(struct crypto *crypto, const struct suite *suite,
                                      sotto_bytes public_key, const struct encrypt_context *context,
                                      sotto_bytes plaintext, sotto_buf *enc, sotto_buf *ciphertext);
sotto_error crypto_decrypt_with_label(struct crypto *crypto, const struct suite *suite,
                                      sotto_bytes private_key, sotto_bytes public_key,
                                      const char *label, sotto_bytes context, sotto_bytes enc,
                                      sotto_bytes ciphertext, sotto_buf *plaintext);

#endif
