#include "crypto/kpke.h"

#include <string.h>

#if defined(__SSE2__)
#include <immintrin.h>
#endif

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
#define Q_INVERSE (-3327)  /* 3329^-1 modulo 2^16 */
#define BARRETT 20159      /* round(2^26 / 3329) */
#define SCALE 1441         /* 2^32 / 128 modulo 3329: undoes the transform's factor */
#define SCALE_LOW (-10079) /* SCALE * Q_INVERSE modulo 2^16 */
#define TO_MONTGOMERY 1353 /* 2^32 modulo 3329 */
#define TO_MONTGOMERY_LOW 20553

/* ---- arithmetic, on rows of 16 coefficients ---- */

typedef uint16_t urow __attribute__((vector_size(32)));

static inline kpke_row splat(int16_t value)
{
    return (kpke_row){0} + value;
}

/* The high halves of the 32-bit products: the one operation that has no C operator. */
static inline kpke_row high(kpke_row a, kpke_row b)
{
#if defined(__AVX2__)
    return (kpke_row)_mm256_mulhi_epi16((__m256i)a, (__m256i)b);
#elif defined(__SSE2__)
    union {
        kpke_row row;
        __m128i half[2];
    } x = {a}, y = {b};
    x.half[0] = _mm_mulhi_epi16(x.half[0], y.half[0]);
    x.half[1] = _mm_mulhi_epi16(x.half[1], y.half[1]);
    return x.row;
#else
    for (unsigned r = 0; r < 16; r++)
        a[r] = (int16_t)(((int32_t)a[r] * b[r]) >> 16);
    return a;
#endif
}

static inline kpke_row low(kpke_row a, kpke_row b)
{
    return (kpke_row)((urow)a * (urow)b);
}

/* a * b / 2^16 modulo Q, within (-Q, Q) for |a| < 2^15 and |b| < Q / 2; b_low = b * Q_INVERSE. Both
 * products have the same low half, so that the difference of the high halves is exact. */
static inline kpke_row montgomery(kpke_row a, kpke_row b, kpke_row b_low)
{
    return high(a, b) - high(low(a, b_low), splat(Q));
}

/* a modulo Q, within [-Q / 2 - 1, Q / 2 + 1] */
static inline kpke_row reduce(kpke_row a)
{
    kpke_row quotient = (high(a, splat(BARRETT)) + (1 << 9)) >> 10;
    return a - low(quotient, splat(Q));
}

/* Into [0, Q) from (-Q, Q). */
static void poly_canonical(struct poly *p)
{
    for (unsigned i = 0; i < 16; i++)
        p->rows[i] += (p->rows[i] >> 15) & Q;
}

static void poly_reduce(struct poly *p)
{
    for (unsigned i = 0; i < 16; i++)
        p->rows[i] = reduce(p->rows[i]);
}

static void poly_add(struct poly *p, const struct poly *q)
{
    for (unsigned i = 0; i < 16; i++)
        p->rows[i] += q->rows[i];
}

static void poly_scale(struct poly *p, int16_t by, int16_t by_low)
{
    for (unsigned i = 0; i < 16; i++)
        p->rows[i] = montgomery(p->rows[i], splat(by), splat(by_low));
}

static void poly_transpose(struct poly *p)
{
    struct poly t = *p;
    for (unsigned i = 0; i < 16; i++) {
        for (unsigned r = 0; r < 16; r++)
            p->flat[16 * i + r] = t.flat[16 * r + i];
    }
}

/* ---- the transform (FIPS 203, algorithms 9 and 10) ---- */

static inline kpke_row roots_at(const int16_t table[128], unsigned at)
{
    kpke_row row;
    memcpy(&row, table + at, sizeof row);
    return row;
}

/* The row of roots at `at` from its end. */
static inline kpke_row roots_mirrored(const int16_t table[128], unsigned at)
{
    kpke_row row;
    for (unsigned r = 0; r < 16; r++)
        row[r] = table[at + 15 - r];
    return row;
}

/* (x, y) becomes (x + y * root, x - y * root). */
static inline void butterfly(kpke_row *x, kpke_row *y, kpke_row root, kpke_row root_low)
{
    kpke_row t = montgomery(*y, root, root_low);
    *y = *x - t;
    *x = *x + t;
}

/* From |coefficient| <= Q each of seven layers adds less than Q: below 8 * Q < 2^15. */
static void poly_transform(struct poly *p)
{
    unsigned k = 1;
    for (unsigned step = 8; step > 0; step /= 2) {
        for (unsigned start = 0; start < 16; start += 2 * step, k++) {
            kpke_row root = splat(mlkem_roots[k]), root_low = splat(mlkem_roots_low[k]);
            for (unsigned i = start; i < start + step; i++)
                butterfly(&p->rows[i], &p->rows[i + step], root, root_low);
        }
    }
    poly_transpose(p);
    /* Columns are rows now; the root differs along the row. */
    for (unsigned step = 8, at = 16; step > 1; step /= 2) {
        for (unsigned start = 0; start < 16; start += 2 * step, at += 16) {
            kpke_row root = roots_at(mlkem_roots, at), root_low = roots_at(mlkem_roots_low, at);
            for (unsigned i = start; i < start + step; i++)
                butterfly(&p->rows[i], &p->rows[i + step], root, root_low);
        }
    }
    poly_reduce(p);
}

/* The step back: (x, y) becomes (x + y, (y - x) * root). */
static inline void butterfly_back(kpke_row *x, kpke_row *y, kpke_row root, kpke_row root_low)
{
    kpke_row t = *x;
    *x = reduce(t + *y);
    *y = montgomery(*y - t, root, root_low);
}

/* The roots are used in reverse, as algorithm 10 counts them down. */
static void poly_transform_back(struct poly *p)
{
    for (unsigned step = 2; step <= 8; step *= 2) {
        /* Distance 2 has four groups of roots, distance 4 two, distance 8 one. */
        unsigned groups = 8 / step;
        for (unsigned g = 0; g < groups; g++) {
            unsigned at = 16 * groups + 16 * (groups - 1 - g);
            kpke_row root = roots_mirrored(mlkem_roots, at);
            kpke_row root_low = roots_mirrored(mlkem_roots_low, at);
            for (unsigned i = 2 * step * g; i < 2 * step * g + step; i++)
                butterfly_back(&p->rows[i], &p->rows[i + step], root, root_low);
        }
    }
    poly_transpose(p);
    for (unsigned step = 1, k = 15; step <= 8; step *= 2) {
        for (unsigned start = 0; start < 16; start += 2 * step, k--) {
            kpke_row root = splat(mlkem_roots[k]), root_low = splat(mlkem_roots_low[k]);
            for (unsigned i = start; i < start + step; i++)
                butterfly_back(&p->rows[i], &p->rows[i + step], root, root_low);
        }
    }
    poly_scale(p, SCALE, SCALE_LOW);
}

/* out = sum of a[i] * b[i] over transformed polynomials, divided by 2^16 (algorithms 11 and 12).
 * A pair (2j, 2j + 1) multiplies modulo X^2 - root, with +root for even j and -root for odd. Six
 * terms within (-Q, Q) each fit 16 bits. stride: distance of a's polynomials, to walk A by row or
 * by column. */
static void poly_product(struct poly *out, const struct poly *a, unsigned stride,
                         const struct poly *b)
{
    const kpke_row inverse = splat(Q_INVERSE);
    for (unsigned j = 0; j < 8; j++) {
        kpke_row root = roots_at(mlkem_roots, 64 + 16 * (j / 2));
        kpke_row root_low = roots_at(mlkem_roots_low, 64 + 16 * (j / 2));
        kpke_row even = splat(0), odd = splat(0), wrapped = splat(0);
        for (unsigned i = 0; i < KPKE_K; i++) {
            kpke_row a0 = a[i * stride].rows[2 * j], a1 = a[i * stride].rows[2 * j + 1];
            kpke_row b0 = b[i].rows[2 * j], b1 = b[i].rows[2 * j + 1];
            kpke_row b0_low = low(b0, inverse), b1_low = low(b1, inverse);
            even += montgomery(a0, b0, b0_low);
            wrapped += montgomery(a1, b1, b1_low);
            odd += montgomery(a0, b1, b1_low) + montgomery(a1, b0, b0_low);
        }
        wrapped = montgomery(wrapped, root, root_low);
        out->rows[2 * j] = reduce(j % 2 == 0 ? even + wrapped : even - wrapped);
        out->rows[2 * j + 1] = reduce(odd);
    }
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

/* SampleNTT (algorithm 7) from one block, behind the `have` that there are; room for a whole block
 * more than needed, so that nothing is asked at each of its numbers, each kept or overwritten by
 * the next without a branch. The matrix is public, and so the time that this takes. */
#define CANDIDATES (SHAKE128_RATE / 3 * 2)
static unsigned accept(int16_t out[256 + CANDIDATES], unsigned have, const uint8_t *block)
{
    for (unsigned i = 0; i < SHAKE128_RATE; i += 3) {
        unsigned first = block[i] | (block[i + 1] & 15u) << 8;
        unsigned second = block[i + 1] >> 4 | (unsigned)block[i + 2] << 4;
        out[have] = (int16_t)first;
        have += first < Q;
        out[have] = (int16_t)second;
        have += second < Q;
    }
    return have;
}

/* Four entries of A at a time; entry e is row e / 3, column e % 3. */
static void sample_matrix(const uint8_t rho[32], struct poly a[KPKE_K][KPKE_K])
{
    for (unsigned first = 0; first < KPKE_K * KPKE_K; first += 4) {
        uint8_t inputs[4][34], blocks[4][SHAKE128_RATE];
        int16_t accepted[4][256 + CANDIDATES];
        const uint8_t *in[4];
        uint8_t *out[4];
        unsigned have[4];
        lane4 state[25];
        for (unsigned l = 0; l < 4; l++) {
            unsigned entry = first + l;
            memcpy(inputs[l], rho, 32);
            inputs[l][32] = (uint8_t)(entry % KPKE_K); /* j before i */
            inputs[l][33] = (uint8_t)(entry / KPKE_K);
            in[l] = inputs[l];
            out[l] = blocks[l];
            have[l] = entry < KPKE_K * KPKE_K ? 0 : 256;
        }
        absorb4(state, in, sizeof inputs[0], SHAKE128_RATE);
        while (have[0] < 256 || have[1] < 256 || have[2] < 256 || have[3] < 256) {
            squeeze4(state, out, SHAKE128_RATE);
            for (unsigned l = 0; l < 4; l++) {
                if (have[l] < 256)
                    have[l] = accept(accepted[l], have[l], blocks[l]);
            }
        }
        for (unsigned l = 0; l < 4 && first + l < KPKE_K * KPKE_K; l++) {
            struct poly *p = &a[(first + l) / KPKE_K][(first + l) % KPKE_K];
            memcpy(p, accepted[l], sizeof *p);
            poly_transpose(p);
        }
    }
}

/* SamplePolyCBD_2 (algorithm 8): each coefficient is (two bits' sum) - (two bits' sum). */
static void sample_centred(struct poly *p, const uint8_t bytes[128])
{
    for (unsigned i = 0; i < 128; i++) {
        unsigned sums = (bytes[i] & 0x55u) + (bytes[i] >> 1 & 0x55u);
        p->flat[2 * i] = (int16_t)((int)(sums & 3) - (int)(sums >> 2 & 3));
        p->flat[2 * i + 1] = (int16_t)((int)(sums >> 4 & 3) - (int)(sums >> 6 & 3));
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
    poly_transpose(&natural);
    poly_canonical(&natural);
    for (unsigned i = 0; i < 128; i++) {
        unsigned first = (unsigned)natural.flat[2 * i], second = (unsigned)natural.flat[2 * i + 1];
        out[3 * i] = (uint8_t)first;
        out[3 * i + 1] = (uint8_t)(first >> 8 | second << 4);
        out[3 * i + 2] = (uint8_t)(second >> 4);
    }
    wipe(&natural, sizeof natural);
}

/* Into a transformed polynomial; reduces, so that a private key's stray value cannot overflow. */
static void decode12(struct poly *p, const uint8_t in[384])
{
    for (unsigned i = 0; i < 128; i++) {
        p->flat[2 * i] = (int16_t)(in[3 * i] | (in[3 * i + 1] & 15) << 8);
        p->flat[2 * i + 1] = (int16_t)(in[3 * i + 1] >> 4 | in[3 * i + 2] << 4);
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
    for (unsigned i = 0; i < 64; i++, out += 5) {
        uint32_t c[4];
        for (unsigned j = 0; j < 4; j++)
            c[j] = compress((uint32_t)p->flat[4 * i + j], 10);
        out[0] = (uint8_t)c[0];
        out[1] = (uint8_t)(c[0] >> 8 | c[1] << 2);
        out[2] = (uint8_t)(c[1] >> 6 | c[2] << 4);
        out[3] = (uint8_t)(c[2] >> 4 | c[3] << 6);
        out[4] = (uint8_t)(c[3] >> 2);
    }
}

static void decode10(struct poly *p, const uint8_t in[320])
{
    for (unsigned i = 0; i < 64; i++, in += 5) {
        uint32_t c[4] = {
            (in[0] | (uint32_t)in[1] << 8) & 1023,
            (in[1] >> 2 | (uint32_t)in[2] << 6) & 1023,
            (in[2] >> 4 | (uint32_t)in[3] << 4) & 1023,
            (in[3] >> 6 | (uint32_t)in[4] << 2) & 1023,
        };
        for (unsigned j = 0; j < 4; j++)
            p->flat[4 * i + j] = (int16_t)((c[j] * Q + 512) >> 10);
    }
}

static void encode4(uint8_t out[128], const struct poly *p)
{
    for (unsigned i = 0; i < 128; i++)
        out[i] = (uint8_t)(compress((uint32_t)p->flat[2 * i], 4) |
                           compress((uint32_t)p->flat[2 * i + 1], 4) << 4);
}

static void decode4(struct poly *p, const uint8_t in[128])
{
    for (unsigned i = 0; i < 128; i++) {
        p->flat[2 * i] = (int16_t)(((in[i] & 15) * Q + 8) >> 4);
        p->flat[2 * i + 1] = (int16_t)(((in[i] >> 4) * Q + 8) >> 4);
    }
}

/* Decompress_1 of the message's bits. Without the barrier a compiler sees a value that is 0 or 1
 * and may branch on it (clang did so to Kyber's reference code). */
static void decode_message(struct poly *p, const uint8_t message[32])
{
    for (unsigned i = 0; i < 256; i++) {
        uint32_t mask = 0u - (uint32_t)(message[i / 8] >> (i % 8) & 1);
        __asm__("" : "+r"(mask));
        p->flat[i] = (int16_t)(mask & ((Q + 1) / 2));
    }
}

static void encode_message(uint8_t message[32], const struct poly *p)
{
    for (unsigned i = 0; i < 32; i++) {
        uint32_t byte = 0;
        for (unsigned j = 0; j < 8; j++)
            byte |= compress((uint32_t)p->flat[8 * i + j], 1) << j;
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
        poly_scale(t, TO_MONTGOMERY, TO_MONTGOMERY_LOW);
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
static void encrypt(const struct kpke_public *pub, const uint8_t message[32],
                    const uint8_t coins[32], uint8_t ciphertext[KPKE_CIPHERTEXT])
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
        poly_canonical(&w.sum);
        encode10(ciphertext + 320 * i, &w.sum);
    }
    poly_product(&w.sum, pub->t, 1, w.y);
    poly_transform_back(&w.sum);
    decode_message(&w.bits, message);
    poly_add(&w.sum, &w.e2);
    poly_add(&w.sum, &w.bits);
    poly_reduce(&w.sum);
    poly_canonical(&w.sum);
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
        w.v.rows[i] = reduce(w.v.rows[i] - w.sum.rows[i]);
    poly_canonical(&w.v);
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
