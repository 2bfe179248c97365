/* Our ML-KEM-768 against that of OpenSSL, which has it from 3.5 on. */
#include <stdio.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <sodium.h>

#include "crypto/mlkem.h"
#include "unit/check.h"

enum { ROUNDS = 50 };

static EVP_PKEY *key_of_seed(uint8_t seed[static MLKEM_SEED])
{
    EVP_PKEY *key = NULL;
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string("seed", seed, MLKEM_SEED),
        OSSL_PARAM_construct_end(),
    };
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "ML-KEM-768", NULL);
    if (ctx == NULL)
        return NULL;
    assert_int_equal(EVP_PKEY_fromdata_init(ctx), 1);
    assert_int_equal(EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, params), 1);
    EVP_PKEY_CTX_free(ctx);
    return key;
}

static void check_bytes(EVP_PKEY *key, const char *name, const uint8_t *ours, size_t size)
{
    uint8_t theirs[MLKEM_EXPANDED];
    size_t got = 0;
    assert_int_equal(EVP_PKEY_get_octet_string_param(key, name, theirs, sizeof theirs, &got), 1);
    assert_int_equal(got, size);
    assert_memory_equal(theirs, ours, size);
}

/* Encapsulation to their copy of the key with m as the random bytes. */
static void their_encaps(EVP_PKEY *key, uint8_t m[static 32], uint8_t *ciphertext, uint8_t *shared)
{
    size_t ciphertext_size = MLKEM_CIPHERTEXT, shared_size = MLKEM_SHARED;
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string("ikme", m, 32),
        OSSL_PARAM_construct_end(),
    };
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
    assert_non_null(ctx);
    assert_int_equal(EVP_PKEY_encapsulate_init(ctx, params), 1);
    assert_int_equal(EVP_PKEY_encapsulate(ctx, ciphertext, &ciphertext_size, shared, &shared_size),
                     1);
    assert_int_equal(ciphertext_size, MLKEM_CIPHERTEXT);
    assert_int_equal(shared_size, MLKEM_SHARED);
    EVP_PKEY_CTX_free(ctx);
}

static void their_decaps(EVP_PKEY *key, const uint8_t *ciphertext, uint8_t *shared)
{
    size_t shared_size = MLKEM_SHARED;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
    assert_non_null(ctx);
    assert_int_equal(EVP_PKEY_decapsulate_init(ctx, NULL), 1);
    assert_int_equal(EVP_PKEY_decapsulate(ctx, shared, &shared_size, ciphertext, MLKEM_CIPHERTEXT),
                     1);
    EVP_PKEY_CTX_free(ctx);
}

static void check_round(const struct kpke_ops *ops, uint8_t seed[static MLKEM_SEED], EVP_PKEY *key)
{
    static struct mlkem_key own;
    uint8_t dk[MLKEM_EXPANDED], m[32], ciphertext[2][MLKEM_CIPHERTEXT], shared[2][MLKEM_SHARED];
    mlkem_expand(ops, seed, &own);
    mlkem_store(&own, dk);
    check_bytes(key, OSSL_PKEY_PARAM_PUB_KEY, own.ek, sizeof own.ek);
    check_bytes(key, OSSL_PKEY_PARAM_PRIV_KEY, dk, sizeof dk);
    randombytes_buf(m, sizeof m);
    assert_ok(mlkem_encaps(ops, own.ek, m, ciphertext[0], shared[0]));
    their_encaps(key, m, ciphertext[1], shared[1]);
    assert_memory_equal(ciphertext[0], ciphertext[1], MLKEM_CIPHERTEXT);
    assert_memory_equal(shared[0], shared[1], MLKEM_SHARED);
    /* The right one, then a wrong one, which both reject without saying so and alike. */
    for (int wrong = 0; wrong < 2; wrong++) {
        ciphertext[0][randombytes_uniform(MLKEM_CIPHERTEXT)] ^= (uint8_t)wrong;
        mlkem_decaps(&own, ciphertext[0], shared[0]);
        their_decaps(key, ciphertext[0], shared[1]);
        assert_memory_equal(shared[0], shared[1], MLKEM_SHARED);
    }
}

static void openssl_and_we_agree_in_every_byte(void **state)
{
    const struct kpke_ops *usable[KPKE_VARIANTS];
    (void)state;
    kpke_usable(usable);
    for (size_t variant = 0; usable[variant] != NULL; variant++) {
        for (int round = 0; round < ROUNDS; round++) {
            uint8_t seed[MLKEM_SEED];
            randombytes_buf(seed, sizeof seed);
            EVP_PKEY *key = key_of_seed(seed);
            assert_non_null(key);
            check_round(usable[variant], seed, key);
            EVP_PKEY_free(key);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(openssl_and_we_agree_in_every_byte)};
    uint8_t seed[MLKEM_SEED] = {0};
    EVP_PKEY *key = key_of_seed(seed);
    if (key == NULL) {
        puts("1..0 # SKIP this OpenSSL has no ML-KEM; it comes with 3.5");
        return 0;
    }
    EVP_PKEY_free(key);
    return cmocka_run_group_tests_name("crypto_mlkem_openssl", tests, NULL, NULL);
}
