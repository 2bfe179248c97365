/* What each operation costs: one JSON object a line,
 * {"impl":"sotto","op":...,"suite":...,"ns":median}. An argument names the one operation to run. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "crypto/internal.h"
#include "crypto/mlkem.h"

#define ROUNDS 41
#define ROUND_NS 1000000 /* a sample: as many calls as fill about this */

struct bench {
    struct crypto *crypto;
    const struct suite *suite;
    struct secret key, prk, private_key, signature_key, out;
    sotto_buf public_key, signature_public, signature, enc, ciphertext, scratch;
    uint8_t message[1024], sealed[1024 + AEAD_TAG], opened[1024 + AEAD_TAG], nonce[12], hash[64];
    uint8_t seed[64], mlkem_ct[MLKEM_CIPHERTEXT], mlkem_shared[32];
    struct mlkem_key mlkem;
};

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void check(sotto_error error)
{
    if (error != SOTTO_OK) {
        fprintf(stderr, "bench_crypto: %s\n", sotto_error_text(error));
        exit(1);
    }
}

static sotto_bytes text(const struct bench *b)
{
    return sotto_bytes_of(b->message, 100);
}

static sotto_bytes nonce(const struct bench *b)
{
    return sotto_bytes_of(b->nonce, sizeof b->nonce);
}

static void op_hash(struct bench *b)
{
    sotto_bytes part = text(b);
    check(crypto_hash_parts(b->crypto, b->suite, &part, 1, b->hash));
}

static void op_mac(struct bench *b)
{
    sotto_bytes part = text(b);
    check(crypto_mac(b->crypto, b->suite, secret_view(&b->prk), &part, 1, b->hash));
}

static void op_expand(struct bench *b)
{
    check(crypto_expand_with_label(b->crypto, b->suite, secret_view(&b->prk), "application",
                                   sotto_bytes_of(b->message, 4), b->suite->nh, &b->out));
}

static void op_seal(struct bench *b)
{
    check(crypto_seal(b->crypto, b->suite, secret_view(&b->key), nonce(b), text(b), text(b),
                      b->sealed));
}

static void op_open(struct bench *b)
{
    check(crypto_open(b->crypto, b->suite, secret_view(&b->key), nonce(b), text(b),
                      sotto_bytes_of(b->sealed, 100 + AEAD_TAG), b->opened));
}

static void op_sign(struct bench *b)
{
    sotto_buf_clear(&b->signature);
    check(crypto_sign_with_label(b->crypto, b->suite, secret_view(&b->signature_key),
                                 sotto_buf_view(&b->signature_public), "FramedContentTBS", text(b),
                                 &b->signature));
}

static void op_verify(struct bench *b)
{
    check(crypto_verify_with_label(b->crypto, b->suite, sotto_buf_view(&b->signature_public),
                                   "FramedContentTBS", text(b), sotto_buf_view(&b->signature)));
}

static void op_kem_derive(struct bench *b)
{
    sotto_buf_clear(&b->public_key);
    check(crypto_kem_derive(b->crypto, b->suite, sotto_bytes_of(b->message, 32), &b->private_key,
                            &b->public_key));
}

static void op_kem_encap(struct bench *b)
{
    sotto_buf_clear(&b->enc);
    check(kem_encap(b->crypto, b->suite->kem, sotto_buf_view(&b->public_key), &b->enc, &b->out));
}

static void op_kem_decap(struct bench *b)
{
    check(kem_decap(b->crypto, b->suite->kem, secret_view(&b->private_key),
                    sotto_buf_view(&b->public_key), sotto_buf_view(&b->enc), &b->out));
}

static void op_hpke_seal(struct bench *b)
{
    sotto_buf_clear(&b->enc);
    sotto_buf_clear(&b->ciphertext);
    check(crypto_encrypt_with_label(b->crypto, b->suite, sotto_buf_view(&b->public_key),
                                    "UpdatePathNode", text(b), sotto_bytes_of(b->message, 32),
                                    &b->enc, &b->ciphertext));
}

static void op_hpke_open(struct bench *b)
{
    sotto_buf_clear(&b->scratch);
    check(crypto_decrypt_with_label(b->crypto, b->suite, secret_view(&b->private_key),
                                    sotto_buf_view(&b->public_key), "UpdatePathNode", text(b),
                                    sotto_buf_view(&b->enc), sotto_buf_view(&b->ciphertext),
                                    &b->scratch));
}

static void op_mlkem_expand(struct bench *b)
{
    mlkem_expand(b->crypto->kpke, b->seed, &b->mlkem);
}

static void op_mlkem_encaps(struct bench *b)
{
    check(mlkem_encaps(b->crypto->kpke, b->mlkem.ek, b->seed, b->mlkem_ct, b->mlkem_shared));
}

static void op_mlkem_decaps(struct bench *b)
{
    mlkem_decaps(&b->mlkem, b->mlkem_ct, b->mlkem_shared);
}

/* In an order in which each finds what it needs. */
static const struct {
    const char *name;
    void (*run)(struct bench *b);
} operations[] = {
    {"hash_100", op_hash},       {"hmac_100", op_mac},          {"expand_label", op_expand},
    {"seal_100", op_seal},       {"open_100", op_open},         {"sign", op_sign},
    {"verify", op_verify},       {"kem_derive", op_kem_derive}, {"kem_encap", op_kem_encap},
    {"kem_decap", op_kem_decap}, {"hpke_seal", op_hpke_seal},   {"hpke_open", op_hpke_open},
};

/* ML-KEM alone, once for each compilation of it that this processor runs. */
static const struct {
    const char *name;
    void (*run)(struct bench *b);
} mlkem_operations[] = {
    {"mlkem_keygen", op_mlkem_expand},
    {"mlkem_encaps", op_mlkem_encaps},
    {"mlkem_decaps", op_mlkem_decaps},
};

static int by_size(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static double median_ns(struct bench *b, void (*run)(struct bench *b))
{
    double samples[ROUNDS];
    uint64_t calls = 1, start = now_ns();
    run(b);
    uint64_t once = now_ns() - start;
    if (once < ROUND_NS)
        calls = ROUND_NS / (once + 1) + 1;
    for (size_t i = 0; i < ROUNDS; i++) {
        start = now_ns();
        for (uint64_t j = 0; j < calls; j++)
            run(b);
        samples[i] = (double)(now_ns() - start) / (double)calls;
    }
    qsort(samples, ROUNDS, sizeof samples[0], by_size);
    return samples[ROUNDS / 2];
}

static void report(const char *op, const char *suite, double ns)
{
    printf("{\"impl\":\"sotto\",\"op\":\"%s\",\"suite\":\"%s\",\"ns\":%.0f}\n", op, suite, ns);
    fflush(stdout);
}

static void bench_suite(struct bench *b, uint16_t id, const char *only)
{
    char name[8];
    b->suite = suite_by_id(id);
    snprintf(name, sizeof name, "0x%04X", (unsigned)id);
    check(secret_random(&b->key, b->suite->nk, sotto_env_system()));
    check(secret_random(&b->prk, b->suite->nh, sotto_env_system()));
    sotto_buf_clear(&b->signature_public);
    check(crypto_signature_generate(b->crypto, b->suite, &b->signature_key, &b->signature_public));
    for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++) {
        operations[i].run(b); /* prepares the next even where it is not asked for */
        if (only == NULL || strcmp(only, operations[i].name) == 0)
            report(operations[i].name, name, median_ns(b, operations[i].run));
    }
}

static void bench_mlkem(struct bench *b, const char *only)
{
    const struct kpke_ops *usable[KPKE_VARIANTS];
    kpke_usable(usable);
    for (size_t v = 0; usable[v] != NULL; v++) {
        b->crypto->kpke = usable[v];
        for (size_t i = 0; i < sizeof mlkem_operations / sizeof mlkem_operations[0]; i++) {
            mlkem_operations[i].run(b);
            if (only == NULL || strcmp(only, mlkem_operations[i].name) == 0)
                report(mlkem_operations[i].name, usable[v]->name,
                       median_ns(b, mlkem_operations[i].run));
        }
    }
    b->crypto->kpke = usable[0];
}

int main(int argc, char **argv)
{
    const char *only = argc > 1 ? argv[1] : NULL;
    static struct bench b;
    check(crypto_new(sotto_env_system(), &b.crypto));
    sotto_buf *bufs[] = {&b.public_key, &b.signature_public, &b.signature,
                         &b.enc,        &b.ciphertext,       &b.scratch};
    for (size_t i = 0; i < sizeof bufs / sizeof bufs[0]; i++)
        sotto_buf_init(bufs[i], sotto_env_system());
    bench_suite(&b, SUITE_X25519_AES128_SHA256_ED25519, only);
    bench_suite(&b, SUITE_P256_AES128_SHA256_P256, only);
    bench_suite(&b, SUITE_XWING_CHACHA_SHA256_ED25519, only);
    bench_mlkem(&b, only);
    for (size_t i = 0; i < sizeof bufs / sizeof bufs[0]; i++)
        sotto_buf_free(bufs[i]);
    crypto_free(b.crypto);
    return 0;
}
