/* Constant time under valgrind: secrets are marked undefined, and memcheck reports each branch and
 * each index that depends on one. One verdict a function; built with SOTTO_CTGRIND, in which
 * what is public by design (crypto/public_taint.h) is declared so.
 *
 * X25519, the hashes and the NIST curves are other people's code: X25519 runs inside X-Wing here,
 * and is seen too. */
#include <stdio.h>
#include <string.h>

#include <valgrind/memcheck.h>

#include "crypto/internal.h"
#include "crypto/keccak.h"
#include "crypto/mlkem.h"

static int failures;
static unsigned errors_before;

static void begin(void)
{
    errors_before = VALGRIND_COUNT_ERRORS;
}

static void end(const char *what)
{
    unsigned errors = VALGRIND_COUNT_ERRORS - errors_before;
    printf("%s %s\n", errors == 0 ? "constant-time" : "LEAKS", what);
    failures += errors != 0;
}

static void secret(void *data, size_t size)
{
    VALGRIND_MAKE_MEM_UNDEFINED(data, size);
}

static void not_secret(void *data, size_t size)
{
    VALGRIND_MAKE_MEM_DEFINED(data, size);
}

static sotto_error fixed_random(void *ctx, uint8_t *out, size_t size)
{
    (void)ctx;
    memset(out, 0x5a, size);
    secret(out, size);
    return SOTTO_OK;
}

/* The check must be able to fail: a branch on a secret is reported, or there is no valgrind. */
static bool check_works(void)
{
    volatile uint8_t byte = 1;
    secret((void *)&byte, 1);
    unsigned before = VALGRIND_COUNT_ERRORS;
    if (byte == 1)
        printf("a branch on a secret, on purpose:\n");
    return VALGRIND_COUNT_ERRORS > before;
}

static void test_mlkem(const struct kpke_ops *ops)
{
    static struct mlkem_key key;
    char name[64];
    uint8_t seed[MLKEM_SEED] = {1, 2, 3}, m[32] = {4}, ek[MLKEM_PUBLIC], ct[MLKEM_CIPHERTEXT];
    uint8_t shared[32], dk[MLKEM_EXPANDED];
    begin();
    secret(seed, sizeof seed);
    mlkem_expand(ops, seed, &key);
    snprintf(name, sizeof name, "mlkem_expand %s", ops->name);
    end(name);

    begin();
    mlkem_store(&key, dk);
    snprintf(name, sizeof name, "mlkem_store %s", ops->name);
    end(name);

    memcpy(ek, key.ek, sizeof ek);
    not_secret(ek, sizeof ek);
    begin();
    secret(m, sizeof m);
    sotto_error error = mlkem_encaps(ops, ek, m, ct, shared);
    snprintf(name, sizeof name, "mlkem_encaps %s", ops->name);
    end(name);
    failures += error != SOTTO_OK;

    /* A right ciphertext and a wrong one: neither the plaintext nor the verdict may show. */
    not_secret(ct, sizeof ct);
    for (int wrong = 0; wrong < 2; wrong++) {
        ct[0] ^= (uint8_t)wrong;
        begin();
        mlkem_decaps(&key, ct, shared);
        snprintf(name, sizeof name, "mlkem_decaps %s %s", ops->name, wrong ? "rejecting" : "");
        end(name);
    }
}

static void test_xwing(struct crypto *crypto)
{
    struct secret private_key = {0}, shared = {0};
    uint8_t public_key[KEM_PUBLIC_MAX], enc[KEM_ENC_MAX];
    begin();
    kem_xwing.ops->generate(crypto, &kem_xwing, &private_key, public_key);
    end("xwing generate");
    not_secret(public_key, sizeof public_key);
    begin();
    kem_xwing.ops->encap(crypto, &kem_xwing, public_key, enc, &shared);
    end("xwing encapsulate");
    not_secret(enc, sizeof enc);
    begin();
    kem_xwing.ops->decap(crypto, &kem_xwing, private_key.data, public_key, enc, &shared);
    end("xwing decapsulate");
    begin();
    secret(private_key.data, 32);
    uint8_t ikm[32] = {9};
    secret(ikm, sizeof ikm);
    kem_xwing.ops->derive(crypto, &kem_xwing, sotto_bytes_of(ikm, sizeof ikm), &private_key,
                          public_key);
    end("xwing derive");
}

static void test_symmetric(struct crypto *crypto)
{
    uint8_t key[32] = {1}, data[200] = {2}, out[300];
    const struct suite *suite = suite_by_id(SUITE_X25519_AES128_SHA256_ED25519);
    struct secret okm = {0};
    secret(key, sizeof key);
    secret(data, sizeof data);
    sotto_bytes part = sotto_bytes_of(data, sizeof data), k = sotto_bytes_of(key, sizeof key);
    begin();
    shake256(&part, 1, out, sizeof out);
    sha3_512(&part, 1, out);
    end("shake256, sha3_512");
    begin();
    crypto_mac(crypto, suite, k, &part, 1, out);
    crypto_expand_with_label(crypto, suite, k, "key", (sotto_bytes){0}, 72, &okm);
    end("hmac, expand_with_label");
    uint8_t nonce[12] = {0};
    static const uint16_t suites[] = {SUITE_X25519_AES128_SHA256_ED25519,
                                      SUITE_X448_AES256_SHA512_ED448,
                                      SUITE_X25519_CHACHA_SHA256_ED25519};
    for (size_t i = 0; i < 3; i++) {
        suite = suite_by_id(suites[i]);
        begin();
        crypto_seal(crypto, suite, sotto_bytes_of(key, suite->nk), sotto_bytes_of(nonce, 12),
                    (sotto_bytes){0}, part, out);
        end(suite->name);
    }
    begin();
    volatile bool equal = sotto_bytes_equal_secret(part, sotto_bytes_of(out, sizeof data));
    end("sotto_bytes_equal_secret");
    (void)equal;
}

static void test_ed25519(struct crypto *crypto)
{
    const struct suite *suite = suite_by_id(SUITE_X25519_AES128_SHA256_ED25519);
    uint8_t private_key[32] = {7}, public_key[32], message[40] = {1};
    sotto_bytes key = sotto_bytes_of(private_key, 32), content = sotto_bytes_of(message, 40);
    sotto_buf signature;
    sotto_buf_init(&signature, crypto_env(crypto));
    crypto->provider->signature_public(crypto->ctx, SOTTO_MLS_ED25519, private_key, public_key);
    for (int known = 0; known < 2; known++) {
        secret(private_key, sizeof private_key);
        begin();
        sotto_error error = crypto_sign_with_label(
            crypto, suite, key, sotto_bytes_of(public_key, 32), "l", content, &signature);
        end(known ? "ed25519 sign, pair known" : "ed25519 sign, pair checked");
        failures += error != SOTTO_OK;
    }
    sotto_buf_free(&signature);
}

int main(void)
{
    const struct kpke_ops *usable[KPKE_VARIANTS];
    struct crypto *crypto;
    sotto_env env = *sotto_env_system();
    env.random = fixed_random;
    if (!check_works()) {
        printf("valgrind reports nothing: run this under valgrind\n");
        return 77;
    }
    if (crypto_new(&env, &crypto) != SOTTO_OK)
        return 1;
    kpke_usable(usable);
    for (size_t i = 0; usable[i] != NULL; i++)
        test_mlkem(usable[i]);
    test_xwing(crypto);
    test_symmetric(crypto);
    test_ed25519(crypto);
    crypto_free(crypto);
    return failures == 0 ? 0 : 1;
}
