/* The table of suites (RFC 9420, section 17.1). A new suite is one entry here. */
#include "crypto/internal.h"

#define SHA256 .hash = &hash_sha256, .kdf_id = 0x0001, .nh = 32
#define SHA384 .hash = &hash_sha384, .kdf_id = 0x0002, .nh = 48
#define SHA512 .hash = &hash_sha512, .kdf_id = 0x0003, .nh = 64

#define AES128 .aead = SOTTO_MLS_AES128_GCM, .aead_id = 0x0001, .nk = 16, .nn = 12
#define AES256 .aead = SOTTO_MLS_AES256_GCM, .aead_id = 0x0002, .nk = 32, .nn = 12
#define CHACHA .aead = SOTTO_MLS_CHACHA20_POLY1305, .aead_id = 0x0003, .nk = 32, .nn = 12

#define KEM(row, id, public_size, private_size, enc_size, secret_size)          \
    .kem = &(row), .kem_id = (id), .npk = (public_size), .nsk = (private_size), \
    .nenc = (enc_size), .nsecret = (secret_size)
#define KEM_P256 KEM(kem_p256, 0x0010, 65, 32, 65, 32)
#define KEM_P384 KEM(kem_p384, 0x0011, 97, 48, 97, 48)
#define KEM_P521 KEM(kem_p521, 0x0012, 133, 66, 133, 64)
#define KEM_X25519 KEM(kem_x25519, 0x0020, 32, 32, 32, 32)
#define KEM_X448 KEM(kem_x448, 0x0021, 56, 56, 56, 64)

#define KEM_XWING KEM(kem_xwing, 0x647a, 1216, 32, 1120, 32)
#define KEM_MLKEM768P256 KEM(kem_mlkem768_p256, 0x0050, 1249, 32, 1153, 32)
#define KEM_MLKEM768 KEM(kem_mlkem768, 0x0041, 1184, 64, 1088, 32)

#define ED25519 .signature = &signature_ed25519
#define ED448 .signature = &signature_ed448
#define ECDSA_P256 .signature = &signature_p256
#define ECDSA_P384 .signature = &signature_p384
#define ECDSA_P521 .signature = &signature_p521

static const struct suite x25519_aes128 = {.id = SUITE_X25519_AES128_SHA256_ED25519,
                                           .name = "MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519",
                                           KEM_X25519,
                                           AES128,
                                           SHA256,
                                           ED25519};
static const struct suite p256 = {.id = SUITE_P256_AES128_SHA256_P256,
                                  .name = "MLS_128_DHKEMP256_AES128GCM_SHA256_P256",
                                  KEM_P256,
                                  AES128,
                                  SHA256,
                                  ECDSA_P256};
static const struct suite x25519_chacha = {
    .id = SUITE_X25519_CHACHA_SHA256_ED25519,
    .name = "MLS_128_DHKEMX25519_CHACHA20POLY1305_SHA256_Ed25519",
    KEM_X25519,
    CHACHA,
    SHA256,
    ED25519};
static const struct suite x448_aes256 = {.id = SUITE_X448_AES256_SHA512_ED448,
                                         .name = "MLS_256_DHKEMX448_AES256GCM_SHA512_Ed448",
                                         KEM_X448,
                                         AES256,
                                         SHA512,
                                         ED448};
static const struct suite p521 = {.id = SUITE_P521_AES256_SHA512_P521,
                                  .name = "MLS_256_DHKEMP521_AES256GCM_SHA512_P521",
                                  KEM_P521,
                                  AES256,
                                  SHA512,
                                  ECDSA_P521};
static const struct suite x448_chacha = {.id = SUITE_X448_CHACHA_SHA512_ED448,
                                         .name = "MLS_256_DHKEMX448_CHACHA20POLY1305_SHA512_Ed448",
                                         KEM_X448,
                                         CHACHA,
                                         SHA512,
                                         ED448};
static const struct suite p384 = {.id = SUITE_P384_AES256_SHA384_P384,
                                  .name = "MLS_256_DHKEMP384_AES256GCM_SHA384_P384",
                                  KEM_P384,
                                  AES256,
                                  SHA384,
                                  ECDSA_P384};

/* No code points are assigned to post-quantum suites yet (draft-ietf-mls-pq-ciphersuites). */
static const struct suite xwing_chacha = {.id = SUITE_XWING_CHACHA_SHA256_ED25519,
                                          .name = "MLS_256_XWING_CHACHA20POLY1305_SHA256_Ed25519",
                                          KEM_XWING,
                                          CHACHA,
                                          SHA256,
                                          ED25519};

/* The rows of draft-ietf-mls-pq-ciphersuites-06 whose primitives are all here, under numbers of our
 * own until the draft's are assigned. Missing: ML-KEM-1024 and ML-DSA. */
static const struct suite pq_1 = {.id = SUITE_PQ_XWING_AES128_SHA256_ED25519,
                                  .name = "MLS_128_MLKEM768X25519_AES128GCM_SHA256_Ed25519",
                                  KEM_XWING,
                                  AES128,
                                  SHA256,
                                  ED25519};
static const struct suite pq_2 = {.id = SUITE_PQ_XWING_AES256_SHA384_ED25519,
                                  .name = "MLS_128_MLKEM768X25519_AES256GCM_SHA384_Ed25519",
                                  KEM_XWING,
                                  AES256,
                                  SHA384,
                                  ED25519};
static const struct suite pq_3 = {.id = SUITE_PQ_MLKEM768P256_AES128_SHA256_P256,
                                  .name = "MLS_128_MLKEM768P256_AES128GCM_SHA256_P256",
                                  KEM_MLKEM768P256,
                                  AES128,
                                  SHA256,
                                  ECDSA_P256};
static const struct suite pq_4 = {.id = SUITE_PQ_MLKEM768P256_AES256_SHA384_P256,
                                  .name = "MLS_128_MLKEM768P256_AES256GCM_SHA384_P256",
                                  KEM_MLKEM768P256,
                                  AES256,
                                  SHA384,
                                  ECDSA_P256};
static const struct suite pq_6 = {.id = SUITE_PQ_MLKEM768_AES256_SHA384_ED25519,
                                  .name = "MLS_128_MLKEM768_AES256GCM_SHA384_Ed25519",
                                  KEM_MLKEM768,
                                  AES256,
                                  SHA384,
                                  ED25519};
static const struct suite pq_7 = {.id = SUITE_PQ_MLKEM768_AES256_SHA384_P256,
                                  .name = "MLS_128_MLKEM768_AES256GCM_SHA384_P256",
                                  KEM_MLKEM768,
                                  AES256,
                                  SHA384,
                                  ECDSA_P256};

static const struct suite *const suites[] = {
    &x25519_aes128, &p256, &x25519_chacha, &x448_aes256, &p521, &x448_chacha, &p384, &xwing_chacha,
    &pq_1,          &pq_2, &pq_3,          &pq_4,        &pq_6, &pq_7,        NULL,
};

const struct suite *suite_by_id(uint16_t id)
{
    for (const struct suite *const *suite = suites; *suite != NULL; suite++) {
        if ((*suite)->id == id)
            return *suite;
    }
    return NULL;
}

const struct suite *const *suite_all(void)
{
    return suites;
}
