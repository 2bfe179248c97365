#include "crypto/kpke.h"

#include <string.h>

#include "base/base.h"
#include "crypto/keccak.h"
#include "crypto/mlkem_tables.h"
#include "crypto/public_taint.h"

#ifndef KPKE_VARIANT
#error "KPKE_VARIANT names the table that this compilation exports"
#endif
#define STRING(x) STRING_(x)
#define STRING_(x) #x

/* Four Keccak states side by side: compiled to vector registers where there are any. */
typedef uint64_t lane4 __attribute__((vector_size(32)));
#define LANE lane4
#include "crypto/keccak_f.h"

#define Q 3329
#define Q_INVERSE (-3327)     /* 3329^-1 modulo 2^16 */
#define BARRETT 20159         /* round(2^26 / 3329) */
#define SCALE 1441            /* 2^32 / 128 modulo 3329: undoes the transform's factor */
#define SCALE_LOW (-10079)    /* SCALE * Q_INVERSE modulo 2^16 */
#define TO_MONTGOMERY 1353    /* 2^32 modulo 3329 */
#define TO_MONTGOMERY_LOW 20553

#define ROWS for (unsigned r = 0; r < 16; r++)

/* ---- arithmetic: 16-bit halves of 32-bit products, which vectorises ---- */

static inline int16_t high(int16_t a, int16_t b)
{
    return (int16_t)(((int32_t)a * b) >> 16);
}

static inline int16_t low(int16_t a, int16_t b)
{
    return (int16_t)((int32_t)a * b);
}

/* a * b / 2^16 modulo Q, within (-Q, Q) for |a| < 2^15 and |b| < Q / 2; b_low = b * Q_INVERSE. Both
 * products have the same low half, so that the difference of the high halves is exact. */
static inline int16_t montgomery(int16_t a, int16_t b, int16_t b_low)
{
    return (int16_t)(high(a, b) - high(low(a, b_low), Q));
}

/* a modulo Q, within [-Q/2 - 1, Q/2 + 1] */
static inline int16_t reduce(int16_t a)
{
    int16_t quotient = (int16_t)((high(a, BARRETT) + (1 << 9)) >> 10);
    return (int16_t)(a - quotient * Q);
}

/* Into [0, Q) from (-Q, Q). */
static inline uint16_t canonical(int16_t a)
{
    return (uint16_t)(a + ((a >> 15) & Q));
}

static void poly_reduce(struct poly *p)
{
    for (unsigned i = 0; i < 16; i++)
        ROWS p->at[i][r] = reduce(p->at[i][r]);
}

static void poly_add(struct poly *p, const struct poly *q)
{
    for (unsigned i = 0; i < 16; i++)
        ROWS p->at[i][r] = (int16_t)(p->at[i][r] + q->at[i][r]);
}

static void poly_transpose(struct poly *p)
{
    struct poly t = *p;
    for (unsigned i = 0; i < 16; i++)
        ROWS p->at[i][r] = t.at[r][i];
}

/* ---- the transform (FIPS 203, algorithms 9 and 10) ---- */

/* One step on two rows: (x, y) becomes (x + y * root, x - y * root). */
static inline void butterfly(int16_t x[16], int16_t y[16], const int16_t *root, const int16_t *root_low)
{
    ROWS {
        int16_t t = montgomery(y[r], root[r], root_low[r]);
        y[r] = (int16_t)(x[r] - t);
        x[r] = (int16_t)(x[r] + t);
    }
}

static inline void butterfly_one(int16_t x[16], int16_t y[16], int16_t root, int16_t root_low)
{
    ROWS {
        int16_t t = montgomery(y[r], root, root_low);
        y[r] = (int16_t)(x[r] - t);
        x[r] = (int16_t)(x[r] + t);
    }
}

/* From |coefficient| <= Q each of seven layers adds less than Q: below 8 * Q < 2^15. */
static void poly_transform(struct poly *p)
{
    unsigned k = 1;
    for (unsigned step = 8; step > 0; step /= 2) {
        for (unsigned start = 0; start < 16; start += 2 * step, k++) {
            for (unsigned i = start; i < start + step; i++)
                butterfly_one(p->at[i], p->at[i + step], mlkem_roots[k], mlkem_roots_low[k]);
        }
    }
    poly_transpose(p);
    /* Columns are rows now; the root differs along the row. */
    for (unsigned step = 8, at = 16; step > 1; step /= 2) {
        for (unsigned start = 0; start < 16; start += 2 * step, at += 16) {
            for (unsigned i = start; i < start + step; i++)
                butterfly(p->at[i], p->at[i + step], mlkem_roots + at, mlkem_roots_low + at);
        }
    }
    poly_reduce(p);
}

/* The step back: (x, y) becomes (x + y, (y - x) * root). */
static inline void butterfly_back(int16_t x[16], int16_t y[16], const int16_t *root,
                                  const int16_t *root_low)
{
    ROWS {
        int16_t t = x[r];
        x[r] = reduce((int16_t)(t + y[r]));
        y[r] = montgomery((int16_t)(y[r] - t), root[r], root_low[r]);
    }
}

static inline void butterfly_back_one(int16_t x[16], int16_t y[16], int16_t root, int16_t root_low)
{
    ROWS {
        int16_t t = x[r];
        x[r] = reduce((int16_t)(t + y[r]));
        y[r] = montgomery((int16_t)(y[r] - t), root, root_low);
    }
}

/* The roots are used in reverse, as algorithm 10 counts them down. */
static void poly_transform_back(struct poly *p)
{
    for (unsigned step = 2; step <= 8; step *= 2) {
        /* Distance 2 has four groups of roots, distance 4 two, distance 8 one. */
        unsigned groups = 8 / step;
        for (unsigned g = 0; g < groups; g++) {
            /* Counted down, the group is mirrored and so is the row. */
            const int16_t *root = mlkem_roots + 16 * groups + 16 * (groups - 1 - g);
            const int16_t *root_low = mlkem_roots_low + 16 * groups + 16 * (groups - 1 - g);
            int16_t mirrored[16], mirrored_low[16];
            ROWS mirrored[r] = root[15 - r];
            ROWS mirrored_low[r] = root_low[15 - r];
            for (unsigned i = 2 * step * g; i < 2 * step * g + step; i++)
                butterfly_back(p->at[i], p->at[i + step], mirrored, mirrored_low);
        }
    }
    poly_transpose(p);
    for (unsigned step = 1, k = 15; step <= 8; step *= 2) {
        for (unsigned start = 0; start < 16; start += 2 * step, k--) {
            for (unsigned i = start; i < start + step; i++)
                butterfly_back_one(p->at[i], p->at[i + step], mlkem_roots[k], mlkem_roots_low[k]);
        }
    }
    for (unsigned i = 0; i < 16; i++)
        ROWS p->at[i][r] = montgomery(p->at[i][r], SCALE, SCALE_LOW);
}

/* out = sum of a[i] * b[i] over transformed polynomials, divided by 2^16 (algorithms 11 and 12).
 * A pair (2j, 2j + 1) multiplies modulo X^2 - root, with +root for even j and -root for odd. Six
 * terms within (-Q, Q) each fit 16 bits. stride: distance of a's polynomials, to walk A by row or
 * by column. */
static void poly_product(struct poly *out, const struct poly *a, unsigned stride,
                         const struct poly *b)
{
    struct poly sum;
    memset(&sum, 0, sizeof sum);
    for (unsigned i = 0; i < KPKE_K; i++, a += stride, b++) {
        for (unsigned j = 0; j < 8; j++) {
            const int16_t *root = mlkem_roots + 64 + 16 * (j / 2);
            const int16_t *root_low = mlkem_roots_low + 64 + 16 * (j / 2);
            int16_t sign = (int16_t)(1 - 2 * (int)(j % 2));
            const int16_t *a0 = a->at[2 * j], *a1 = a->at[2 * j + 1];
            const int16_t *b0 = b->at[2 * j], *b1 = b->at[2 * j + 1];
            int16_t *s0 = sum.at[2 * j], *s1 = sum.at[2 * j + 1];
            ROWS {
                int16_t b0_low = low(b0[r], Q_INVERSE), b1_low = low(b1[r], Q_INVERSE);
                int16_t product = montgomery(a1[r], b1[r], b1_low);
                product = montgomery(product, root[r], root_low[r]);
                s0[r] = (int16_t)(s0[r] + montgomery(a0[r], b0[r], b0_low) + sign * product);
                s1[r] = (int16_t)(s1[r] + montgomery(a0[r], b1[r], b1_low) +
                                  montgomery(a1[r], b0[r], b0_low));
            }
        }
    }
    *out = sum;
    poly_reduce(out);
    wipe(&sum, sizeof sum);
}

/* ---- sampling ---- */

/* Four one-block inputs, absorbed and padded; fewer by repetition. */
static void absorb4(lane4 state[25], const uint8_t *const inputs[4], size_t size, uint32_t rate)
{
    for (unsigned l = 0; l < 4; l++) {
        struct keccak one;
        keccak_init(&one, rate);
        keccak_absorb(&one, inputs[l], size);
        keccak_finish(&one, SHAKE_SUFFIX);
        for (unsigned i = 0; i < 25; i++)
            state[i][l] = one.lanes[i];
        wipe(&one, sizeof one);
    }
}

static void squeeze4(lane4 state[25], uint8_t *const out[4], size_t size)
{
    keccak_f(state);
    for (unsigned l = 0; l < 4; l++) {
        for (unsigned i = 0; i < size / 8; i++) {
            uint64_t lane = state[i][l];
            for (unsigned byte = 0; byte < 8; byte++)
                out[l][8 * i + byte] = (uint8_t)(lane >> (8 * byte));
        }
    }
}

/* SampleNTT (algorithm 7) from one block; returns how many of 256 there are. The matrix is public:
 * this may take time that depends on it. */
static unsigned accept(struct poly *p, unsigned have, const uint8_t *block)
{
    int16_t *flat = &p->at[0][0];
    for (unsigned i = 0; i < SHAKE128_RATE && have < 256; i += 3) {
        uint16_t first = (uint16_t)(block[i] | (block[i + 1] & 15) << 8);
        uint16_t second = (uint16_t)(block[i + 1] >> 4 | block[i + 2] << 4);
        flat[have] = (int16_t)first;
        have += first < Q;
        if (have == 256)
            break;
        flat[have] = (int16_t)second;
        have += second < Q;
    }
    return have;
}

/* Four entries of A at a time; entry e is row e / 3, column e % 3. */
static void sample_matrix(const uint8_t rho[32], struct poly a[KPKE_K][KPKE_K])
{
    for (unsigned first = 0; first < KPKE_K * KPKE_K; first += 4) {
        uint8_t inputs[4][34], blocks[4][SHAKE128_RATE];
        const uint8_t *in[4];
        uint8_t *out[4];
        struct poly *into[4];
        unsigned have[4];
        lane4 state[25];
        for (unsigned l = 0; l < 4; l++) {
            unsigned entry = first + l;
            memcpy(inputs[l], rho, 32);
            inputs[l][32] = (uint8_t)(entry % KPKE_K); /* j before i */
            inputs[l][33] = (uint8_t)(entry / KPKE_K);
            in[l] = inputs[l];
            out[l] = blocks[l];
            bool wanted = entry < KPKE_K * KPKE_K;
            into[l] = wanted ? &a[entry / KPKE_K][entry % KPKE_K] : &a[0][0];
            have[l] = wanted ? 0 : 256;
        }
        absorb4(state, in, sizeof inputs[0], SHAKE128_RATE);
        while (have[0] < 256 || have[1] < 256 || have[2] < 256 || have[3] < 256) {
            squeeze4(state, out, SHAKE128_RATE);
            for (unsigned l = 0; l < 4; l++)
                have[l] = accept(into[l], have[l], blocks[l]);
        }
        for (unsigned l = 0; l < 4 && first + l < KPKE_K * KPKE_K; l++)
            poly_transpose(into[l]);
    }
}

/* SamplePolyCBD_2 (algorithm 8): each coefficient is (two bits' sum) - (two bits' sum). */
static void sample_centred(struct poly *p, const uint8_t bytes[128])
{
    int16_t *flat = &p->at[0][0];
    for (unsigned i = 0; i < 128; i++) {
        unsigned sums = (bytes[i] & 0x55u) + (bytes[i] >> 1 & 0x55u);
        flat[2 * i] = (int16_t)((int)(sums & 3) - (int)(sums >> 2 & 3));
        flat[2 * i + 1] = (int16_t)((int)(sums >> 4 & 3) - (int)(sums >> 6 & 3));
    }
}

/* Polynomials from PRF(seed, nonce), PRF(seed, nonce + 1), ... at most four. */
static void sample_noise(struct poly *const into[4], unsigned count, const uint8_t seed[32],
                         uint8_t nonce)
{
    uint8_t inputs[4][33], blocks[4][128];
    const uint8_t *in[4];
    uint8_t *out[4];
    lane4 state[25];
    for (unsigned l = 0; l < 4; l++) {
        memcpy(inputs[l], seed, 32);
        inputs[l][32] = (uint8_t)(nonce + l);
        in[l] = inputs[l];
        out[l] = blocks[l];
    }
    absorb4(state, in, sizeof inputs[0], SHAKE256_RATE);
    squeeze4(state, out, sizeof blocks[0]);
    for (unsigned l = 0; l < count; l++)
        sample_centred(into[l], blocks[l]);
    wipe(inputs, sizeof inputs);
    wipe(blocks, sizeof blocks);
    wipe(state, sizeof state);
}

/* ---- encoding ---- */

/* ByteEncode_12 of a transformed polynomial, within (-Q, Q). */
static void encode12(uint8_t out[384], const struct poly *p)
{
    struct poly natural = *p;
    const int16_t *flat = &natural.at[0][0];
    poly_transpose(&natural);
    for (unsigned i = 0; i < 128; i++) {
        uint16_t a = canonical(flat[2 * i]), b = canonical(flat[2 * i + 1]);
        out[3 * i] = (uint8_t)a;
        out[3 * i + 1] = (uint8_t)(a >> 8 | b << 4);
        out[3 * i + 2] = (uint8_t)(b >> 4);
    }
    wipe(&natural, sizeof natural);
}

/* Into a transformed polynomial; reduces, so that a private key's stray value cannot overflow. */
static void decode12(struct poly *p, const uint8_t in[384])
{
    int16_t *flat = &p->at[0][0];
    for (unsigned i = 0; i < 128; i++) {
        flat[2 * i] = (int16_t)(in[3 * i] | (in[3 * i + 1] & 15) << 8);
        flat[2 * i + 1] = (int16_t)(in[3 * i + 1] >> 4 | in[3 * i + 2] << 4);
    }
    poly_reduce(p);
    poly_transpose(p);
}

/* round(2^d / Q * x) modulo 2^d, ties cannot be. A multiplication by 2^36 / Q rounded up stands for
 * the division: a compiler may turn `/ Q` into a division instruction, whose time depends on x
 * (KyberSlash). Exact for all x < Q: tested exhaustively. */
static inline uint32_t compress(uint32_t x, unsigned d)
{
    const uint64_t reciprocal = 20642679; /* ceil(2^36 / Q) */
    uint64_t numerator = ((uint64_t)x << d) + Q / 2;
    return (uint32_t)(numerator * reciprocal >> 36) & ((1u << d) - 1);
}

static void encode10(uint8_t out[320], const struct poly *p)
{
    const int16_t *flat = &p->at[0][0];
    for (unsigned i = 0; i < 64; i++, out += 5) {
        uint32_t c[4];
        for (unsigned j = 0; j < 4; j++)
            c[j] = compress(canonical(flat[4 * i + j]), 10);
        out[0] = (uint8_t)c[0];
        out[1] = (uint8_t)(c[0] >> 8 | c[1] << 2);
        out[2] = (uint8_t)(c[1] >> 6 | c[2] << 4);
        out[3] = (uint8_t)(c[2] >> 4 | c[3] << 6);
        out[4] = (uint8_t)(c[3] >> 2);
    }
}

static void decode10(struct poly *p, const uint8_t in[320])
{
    int16_t *flat = &p->at[0][0];
    for (unsigned i = 0; i < 64; i++, in += 5) {
        uint32_t c[4] = {
            (in[0] | (uint32_t)in[1] << 8) & 1023,
            (in[1] >> 2 | (uint32_t)in[2] << 6) & 1023,
            (in[2] >> 4 | (uint32_t)in[3] << 4) & 1023,
            (in[3] >> 6 | (uint32_t)in[4] << 2) & 1023,
        };
        for (unsigned j = 0; j < 4; j++)
            flat[4 * i + j] = (int16_t)((c[j] * Q + 512) >> 10);
    }
}

static void encode4(uint8_t out[128], const struct poly *p)
{
    const int16_t *flat = &p->at[0][0];
    for (unsigned i = 0; i < 128; i++)
        out[i] = (uint8_t)(compress(canonical(flat[2 * i]), 4) |
                           compress(canonical(flat[2 * i + 1]), 4) << 4);
}

static void decode4(struct poly *p, const uint8_t in[128])
{
    int16_t *flat = &p->at[0][0];
    for (unsigned i = 0; i < 128; i++) {
        flat[2 * i] = (int16_t)(((in[i] & 15) * Q + 8) >> 4);
        flat[2 * i + 1] = (int16_t)(((in[i] >> 4) * Q + 8) >> 4);
    }
}

/* Decompress_1 of the message's bits. Without the barrier a compiler sees a value that is 0 or 1
 * and may branch on it (clang did so to Kyber's reference code). */
static void decode_message(struct poly *p, const uint8_t message[32])
{
    int16_t *flat = &p->at[0][0];
    for (unsigned i = 0; i < 256; i++) {
        uint32_t mask = 0u - (uint32_t)(message[i / 8] >> (i % 8) & 1);
        __asm__("" : "+r"(mask));
        flat[i] = (int16_t)(mask & ((Q + 1) / 2));
    }
}

static void encode_message(uint8_t message[32], const struct poly *p)
{
    const int16_t *flat = &p->at[0][0];
    for (unsigned i = 0; i < 32; i++) {
        uint32_t byte = 0;
        for (unsigned j = 0; j < 8; j++)
            byte |= compress(canonical(flat[8 * i + j]), 1) << j;
        message[i] = (uint8_t)byte;
    }
}

/* ---- K-PKE ---- */

/* Algorithm 13. */
static void generate(const uint8_t seed[32], uint8_t ek[KPKE_PUBLIC], struct kpke_public *pub,
                     struct kpke_private *priv)
{
    const uint8_t k = KPKE_K;
    uint8_t expanded[64];
    struct poly e[KPKE_K], *rest[4] = {&e[1], &e[2]};
    struct poly *noise[4] = {&priv->s[0], &priv->s[1], &priv->s[2], &e[0]};
    sotto_bytes parts[2] = {sotto_bytes_of(seed, 32), sotto_bytes_of(&k, 1)};
    sha3_512(parts, 2, expanded);
    public_from_here(expanded, 32); /* rho is part of the public key */
    sample_matrix(expanded, pub->a);
    sample_noise(noise, 4, expanded + 32, 0);
    sample_noise(rest, 2, expanded + 32, 4);
    for (unsigned i = 0; i < KPKE_K; i++) {
        poly_transform(&priv->s[i]);
        poly_transform(&e[i]);
    }
    for (unsigned i = 0; i < KPKE_K; i++) {
        struct poly *t = &pub->t[i];
        poly_product(t, pub->a[i], 1, priv->s);
        for (unsigned j = 0; j < 16; j++)
            ROWS t->at[j][r] = montgomery(t->at[j][r], TO_MONTGOMERY, TO_MONTGOMERY_LOW);
        poly_add(t, &e[i]);
        poly_reduce(t);
        encode12(ek + 384 * i, t);
    }
    memcpy(ek + KPKE_ENCODED_VECTOR, expanded, 32);
    wipe(expanded, sizeof expanded);
    wipe(e, sizeof e);
}

static void load_public(const uint8_t ek[KPKE_PUBLIC], struct kpke_public *pub)
{
    for (unsigned i = 0; i < KPKE_K; i++)
        decode12(&pub->t[i], ek + 384 * i);
    sample_matrix(ek + KPKE_ENCODED_VECTOR, pub->a);
}

static void load_private(const uint8_t encoded[KPKE_ENCODED_VECTOR], struct kpke_private *priv)
{
    for (unsigned i = 0; i < KPKE_K; i++)
        decode12(&priv->s[i], encoded + 384 * i);
}

static void store_private(const struct kpke_private *priv, uint8_t encoded[KPKE_ENCODED_VECTOR])
{
    for (unsigned i = 0; i < KPKE_K; i++)
        encode12(encoded + 384 * i, &priv->s[i]);
}

/* Algorithm 14. */
static void encrypt(const struct kpke_public *pub, const uint8_t message[32], const uint8_t coins[32],
                    uint8_t ciphertext[KPKE_CIPHERTEXT])
{
    struct {
        struct poly y[KPKE_K], e1[KPKE_K], e2, sum, bits;
    } w;
    struct poly *noise[4] = {&w.y[0], &w.y[1], &w.y[2], &w.e1[0]};
    struct poly *rest[4] = {&w.e1[1], &w.e1[2], &w.e2};
    sample_noise(noise, 4, coins, 0);
    sample_noise(rest, 3, coins, 4);
    for (unsigned i = 0; i < KPKE_K; i++)
        poly_transform(&w.y[i]);
    for (unsigned i = 0; i < KPKE_K; i++) {
        poly_product(&w.sum, &pub->a[0][i], KPKE_K, w.y); /* A transposed */
        poly_transform_back(&w.sum);
        poly_add(&w.sum, &w.e1[i]);
        poly_reduce(&w.sum);
        encode10(ciphertext + 320 * i, &w.sum);
    }
    poly_product(&w.sum, pub->t, 1, w.y);
    poly_transform_back(&w.sum);
    decode_message(&w.bits, message);
    poly_add(&w.sum, &w.e2);
    poly_add(&w.sum, &w.bits);
    poly_reduce(&w.sum);
    encode4(ciphertext + 320 * KPKE_K, &w.sum);
    wipe(&w, sizeof w);
}

/* Algorithm 15. */
static void decrypt(const struct kpke_private *priv, const uint8_t ciphertext[KPKE_CIPHERTEXT],
                    uint8_t message[32])
{
    struct {
        struct poly u[KPKE_K], v, sum;
    } w;
    for (unsigned i = 0; i < KPKE_K; i++) {
        decode10(&w.u[i], ciphertext + 320 * i);
        poly_transform(&w.u[i]);
    }
    decode4(&w.v, ciphertext + 320 * KPKE_K);
    poly_product(&w.sum, priv->s, 1, w.u);
    poly_transform_back(&w.sum);
    for (unsigned i = 0; i < 16; i++)
        ROWS w.v.at[i][r] = reduce((int16_t)(w.v.at[i][r] - w.sum.at[i][r]));
    encode_message(message, &w.v);
    wipe(&w, sizeof w);
}

const struct kpke_ops KPKE_VARIANT = {
    .name = STRING(KPKE_VARIANT),
    .generate = generate,
    .load_public = load_public,
    .load_private = load_private,
    .store_private = store_private,
    .encrypt = encrypt,
    .decrypt = decrypt,
    .compress = compress,
};
