/* K-PKE of ML-KEM-768 (FIPS 203, section 5), the inner scheme: never used alone. kpke.c is compiled
 * once for each kind of processor; each compilation exports one table. Constant time in all that is
 * secret: no branch, index or division depends on it. */
#ifndef CRYPTO_KPKE_H
#define CRYPTO_KPKE_H

#include <stddef.h>
#include <stdint.h>

#define KPKE_K 3 /* ML-KEM-768 */
#define KPKE_ENCODED_VECTOR (KPKE_K * 384)
#define KPKE_PUBLIC (KPKE_ENCODED_VECTOR + 32)
#define KPKE_CIPHERTEXT (KPKE_K * 320 + 128)

/* Sixteen coefficients, added and multiplied at once: vector registers where the processor has
 * them, ordinary code where not. */
typedef int16_t kpke_row __attribute__((vector_size(32)));

/* A polynomial: coefficient 16 * i + j stands in rows[i][j], and in rows[j][i] of one that was
 * transformed, so that every step of the transform works on whole rows. */
struct poly {
    union {
        kpke_row rows[16];
        int16_t flat[256];
    };
};

struct kpke_public {
    struct poly t[KPKE_K];         /* transformed */
    struct poly a[KPKE_K][KPKE_K]; /* the matrix A, transformed; expanded from ek's last 32 bytes */
};

struct kpke_private {
    struct poly s[KPKE_K]; /* transformed */
};

struct kpke_ops {
    const char *name;
    /* K-PKE.KeyGen; seed: d. All outputs are written whole. */
    void (*generate)(const uint8_t seed[32], uint8_t ek[KPKE_PUBLIC], struct kpke_public *pub,
                     struct kpke_private *priv);
    /* ByteDecode_12 and the expansion of A; coefficients above q are the caller's to refuse. */
    void (*load_public)(const uint8_t ek[KPKE_PUBLIC], struct kpke_public *pub);
    void (*load_private)(const uint8_t encoded[KPKE_ENCODED_VECTOR], struct kpke_private *priv);
    void (*store_private)(const struct kpke_private *priv, uint8_t encoded[KPKE_ENCODED_VECTOR]);
    void (*encrypt)(const struct kpke_public *pub, const uint8_t message[32],
                    const uint8_t coins[32], uint8_t ciphertext[KPKE_CIPHERTEXT]);
    void (*decrypt)(const struct kpke_private *priv, const uint8_t ciphertext[KPKE_CIPHERTEXT],
                    uint8_t message[32]);
    /* Compress_d of x < 3329 for d = 1, 4, 10: for the exhaustive test. */
    uint32_t (*compress)(uint32_t x, unsigned d);
};

extern const struct kpke_ops kpke_portable;
#ifdef KPKE_X86
extern const struct kpke_ops kpke_avx2, kpke_avx512;
#endif

/* Those of this processor, best first; ends with NULL. */
#define KPKE_VARIANTS 4
void kpke_usable(const struct kpke_ops *usable[KPKE_VARIANTS]);

#endif
