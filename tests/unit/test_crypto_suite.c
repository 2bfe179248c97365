/* The table of suites, what each refuses, and how each fails when memory or randomness does. */
#include <openssl/ec.h>
#include <openssl/obj_mac.h>

#include "crypto/internal.h"
#include "unit/check.h"

/* An environment whose nth allocation or draw fails; 0: none. */
struct failing {
    unsigned allocations, draws, fail_allocation, fail_draw;
};

static void *failing_resize(void *ctx, void *block, size_t old_size, size_t new_size)
{
    struct failing *f = ctx;
    (void)old_size;
    if (new_size == 0) {
        free(block);
        return NULL;
    }
    return ++f->allocations == f->fail_allocation ? NULL : realloc(block, new_size);
}

static sotto_error failing_random(void *ctx, uint8_t *out, size_t size)
{
    struct failing *f = ctx;
    if (++f->draws == f->fail_draw)
        return SOTTO_NO_RANDOM;
    return sotto_env_system()->random(NULL, out, size);
}

static struct failing failing;
static const sotto_env env = {.ctx = &failing, .resize = failing_resize, .random = failing_random};
static struct crypto *crypto;

/* All that a test needs of one suite. */
struct party {
    struct secret private_key, signature_key;
    sotto_buf public_key, signature_public;
};

static int setup(void **state)
{
    (void)state;
    return crypto_new(&env, &crypto) == SOTTO_OK ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    crypto_free(crypto);
    return 0;
}

static void party_make(struct party *party, const struct suite *suite)
{
    *party = (struct party){0};
    sotto_buf_init(&party->public_key, &env);
    sotto_buf_init(&party->signature_public, &env);
    assert_ok(crypto_kem_generate(crypto, suite, &party->private_key, &party->public_key));
    assert_ok(
        crypto_signature_generate(crypto, suite, &party->signature_key, &party->signature_public));
}

static void party_free(struct party *party)
{
    secret_wipe(&party->private_key);
    secret_wipe(&party->signature_key);
    sotto_buf_free(&party->public_key);
    sotto_buf_free(&party->signature_public);
}

static void the_table_agrees_with_its_rows(void **state)
{
    (void)state;
    size_t count = 0;
    for (const struct suite *const *s = suite_all(); *s != NULL; s++, count++) {
        const struct suite *suite = *s;
        assert_ptr_equal(suite_by_id(suite->id), suite);
        assert_int_equal(suite->kem_id, suite->kem->id);
        assert_int_equal(suite->npk, suite->kem->npk);
        assert_int_equal(suite->nsk, suite->kem->nsk);
        assert_int_equal(suite->nenc, suite->kem->nenc);
        assert_int_equal(suite->nsecret, suite->kem->nsecret);
        assert_int_equal(suite->nh, suite->hash->nh);
        assert_true(suite->hash->block <= HASH_BLOCK_MAX && suite->nh <= HASH_MAX);
        assert_true(suite->nsk <= SECRET_MAX && suite->npk <= KEM_PUBLIC_MAX);
        assert_true(suite->nenc <= KEM_ENC_MAX && suite->nk <= AEAD_KEY_MAX);
        assert_true(suite->signature->signature_max <= SIGNATURE_MAX);
        assert_true(suite->signature->public_size <= SIGNATURE_PUBLIC_MAX);
    }
    assert_int_equal(count, 14);
    assert_null(suite_by_id(0));
    assert_null(suite_by_id(0x0a0a)); /* GREASE */
}

static void a_foreign_public_key_never_enters_an_eddsa_signature(void **state)
{
    (void)state;
    const uint16_t ids[] = {SUITE_X25519_AES128_SHA256_ED25519, SUITE_X448_AES256_SHA512_ED448};
    for (size_t i = 0; i < 2; i++) {
        const struct suite *suite = suite_by_id(ids[i]);
        struct party one, other;
        sotto_buf signature;
        sotto_bytes content = sotto_bytes_str("content");
        party_make(&one, suite);
        party_make(&other, suite);
        sotto_buf_init(&signature, &env);
        for (int known = 0; known < 2; known++) {
            assert_error(crypto_sign_with_label(crypto, suite, secret_view(&one.signature_key),
                                                sotto_buf_view(&other.signature_public), "l",
                                                content, &signature),
                         KEY);
            assert_int_equal(signature.size, 0);
            assert_ok(crypto_sign_with_label(crypto, suite, secret_view(&one.signature_key),
                                             sotto_buf_view(&one.signature_public), "l", content,
                                             &signature));
            sotto_buf_clear(&signature);
        }
        sotto_buf_free(&signature);
        party_free(&one);
        party_free(&other);
    }
}

/* More identities than pairs are remembered: each goes on signing. */
static void any_number_of_identities_share_a_context(void **state)
{
    (void)state;
    const struct suite *suite = suite_by_id(SUITE_X25519_AES128_SHA256_ED25519);
    struct party parties[2 * PAIRS_KNOWN + 1];
    const size_t count = sizeof parties / sizeof parties[0];
    sotto_buf signature;
    sotto_buf_init(&signature, &env);
    for (size_t i = 0; i < count; i++)
        party_make(&parties[i], suite);
    for (size_t i = 0; i < 3 * count; i++) {
        struct party *p = &parties[i * 5 % count];
        sotto_buf_clear(&signature);
        assert_ok(crypto_sign_with_label(crypto, suite, secret_view(&p->signature_key),
                                         sotto_buf_view(&p->signature_public), "l",
                                         sotto_bytes_str("c"), &signature));
        assert_ok(crypto_verify_with_label(crypto, suite, sotto_buf_view(&p->signature_public), "l",
                                           sotto_bytes_str("c"), sotto_buf_view(&signature)));
    }
    for (size_t i = 0; i < count; i++)
        party_free(&parties[i]);
    sotto_buf_free(&signature);
}

static void keys_of_a_wrong_size_are_refused(void **state)
{
    (void)state;
    static const uint8_t bytes[KEM_PUBLIC_MAX + 1] = {4};
    for (const struct suite *const *s = suite_all(); *s != NULL; s++) {
        const struct suite *suite = *s;
        sotto_buf out;
        sotto_buf_init(&out, &env);
        const size_t sizes[] = {0, 1, suite->npk - 1u, suite->npk + 1u};
        for (size_t i = 0; i < 4; i++) {
            sotto_bytes key = sotto_bytes_of(bytes, sizes[i]), none = {0};
            assert_error(crypto_kem_check(crypto, suite, key), KEY);
            assert_error(crypto_hpke_seal(crypto, suite, key, none, none, none, &out, &out), KEY);
            assert_error(
                crypto_verify_with_label(crypto, suite, sotto_bytes_of(bytes, i), "l", none, none),
                KEY);
            assert_error(crypto_signature_public(crypto, suite, sotto_bytes_of(bytes, i), &out),
                         KEY);
        }
        assert_int_equal(out.size, 0);
        sotto_buf_free(&out);
    }
}

static void points_of_the_nist_curves_are_checked(void **state)
{
    (void)state;
    const uint16_t ids[] = {SUITE_P256_AES128_SHA256_P256, SUITE_P384_AES256_SHA384_P384,
                            SUITE_P521_AES256_SHA512_P521};
    const int nids[] = {NID_X9_62_prime256v1, NID_secp384r1, NID_secp521r1};
    for (size_t i = 0; i < 3; i++) {
        const struct suite *suite = suite_by_id(ids[i]);
        struct party p;
        uint8_t scalar[66] = {0}, key[133];
        party_make(&p, suite);
        sotto_bytes view = sotto_bytes_of(key, suite->npk);
        memcpy(key, p.public_key.data, suite->npk);
        assert_ok(crypto_kem_check(crypto, suite, view));
        key[suite->npk - 1] ^= 1; /* off the curve */
        assert_error(crypto_kem_check(crypto, suite, view), KEY);
        key[suite->npk - 1] ^= 1;
        key[0] = (uint8_t)(6 | (key[suite->npk - 1] & 1)); /* the hybrid form of the same point */
        assert_error(crypto_kem_check(crypto, suite, view), KEY);

        /* Private keys: 0 and the order are none. */
        sotto_bytes private_key = sotto_bytes_of(scalar, suite->nsk);
        sotto_bytes public_key = sotto_buf_view(&p.public_key);
        assert_error(crypto_kem_check_pair(crypto, suite, private_key, public_key), KEY);
        EC_GROUP *group = EC_GROUP_new_by_curve_name(nids[i]);
        const BIGNUM *order = EC_GROUP_get0_order(group);
        assert_int_equal(BN_bn2binpad(order, scalar, suite->nsk), suite->nsk);
        EC_GROUP_free(group);
        assert_error(crypto_kem_check_pair(crypto, suite, private_key, public_key), KEY);
        sotto_buf out;
        sotto_buf_init(&out, &env);
        assert_error(crypto_sign_with_label(crypto, suite, private_key, public_key, "l",
                                            (sotto_bytes){0}, &out),
                     KEY);
        party_free(&p);
        sotto_buf_free(&out);
    }
}

static void an_ecdsa_signature_is_read_strictly(void **state)
{
    (void)state;
    const struct suite *suite = suite_by_id(SUITE_P256_AES128_SHA256_P256);
    struct party p;
    sotto_buf signature;
    sotto_bytes none = {0};
    sotto_buf_init(&signature, &env);
    party_make(&p, suite);
    do { /* short enough for one byte more to be looked at */
        sotto_buf_clear(&signature);
        assert_ok(crypto_sign_with_label(crypto, suite, secret_view(&p.signature_key),
                                         sotto_buf_view(&p.signature_public), "l", none,
                                         &signature));
    } while (signature.size == suite->signature->signature_max);
    sotto_bytes key = sotto_buf_view(&p.signature_public);
    assert_ok(crypto_verify_with_label(crypto, suite, key, "l", none, sotto_buf_view(&signature)));
    assert_ok(sotto_buf_append(&signature, (const uint8_t *)"", 1));
    assert_error(
        crypto_verify_with_label(crypto, suite, key, "l", none, sotto_buf_view(&signature)),
        SIGNATURE);
    sotto_buf_free(&signature);
    party_free(&p);
}

static void agreements_on_zero_are_refused(void **state)
{
    (void)state;
    static const uint8_t zero[KEM_ENC_MAX] = {0};
    const uint16_t ids[] = {SUITE_X25519_AES128_SHA256_ED25519, SUITE_X448_AES256_SHA512_ED448,
                            SUITE_XWING_CHACHA_SHA256_ED25519};
    for (size_t i = 0; i < 3; i++) {
        const struct suite *suite = suite_by_id(ids[i]);
        struct party p;
        struct secret out = {0};
        party_make(&p, suite);
        assert_error(crypto_hpke_export_receive(
                         crypto, suite, secret_view(&p.private_key), sotto_buf_view(&p.public_key),
                         sotto_bytes_of(zero, suite->nenc), (sotto_bytes){0}, 32, &out),
                     KEY);
        assert_int_equal(out.size, 0);
        party_free(&p);
    }
}

/* One of each operation that allocates or draws; the first error ends it. Whatever it was, nothing
 * is left in the outputs of the call that failed, and nothing leaks (the sanitizer build looks). */
static sotto_error everything(const struct suite *suite, struct crypto *c)
{
    struct secret private_key = {0}, signature_key = {0}, exported = {0};
    sotto_buf public_key, signature_public, signature, enc, ciphertext, plaintext;
    sotto_buf *bufs[] = {&public_key, &signature_public, &signature, &enc, &ciphertext, &plaintext};
    for (size_t i = 0; i < 6; i++)
        sotto_buf_init(bufs[i], &env);
    sotto_bytes text = sotto_bytes_str("text");
    sotto_error error = crypto_kem_generate(c, suite, &private_key, &public_key);
    if (error != SOTTO_OK) {
        assert_int_equal(private_key.size + public_key.size, 0);
        goto out;
    }
    error = crypto_signature_generate(c, suite, &signature_key, &signature_public);
    if (error != SOTTO_OK) {
        assert_int_equal(signature_key.size + signature_public.size, 0);
        goto out;
    }
    error = crypto_sign_with_label(c, suite, secret_view(&signature_key),
                                   sotto_buf_view(&signature_public), "l", text, &signature);
    assert_true(error == SOTTO_OK || signature.size == 0);
    assert_int_equal(c->scratch.size, 0);
    if (error == SOTTO_OK)
        error = crypto_encrypt_with_label(c, suite, sotto_buf_view(&public_key), "l", text, text,
                                          &enc, &ciphertext);
    assert_true(error == SOTTO_OK || enc.size + ciphertext.size == 0);
    if (error == SOTTO_OK)
        error = crypto_decrypt_with_label(c, suite, secret_view(&private_key), (sotto_bytes){0},
                                          "l", text, sotto_buf_view(&enc),
                                          sotto_buf_view(&ciphertext), &plaintext);
    assert_true(error == SOTTO_OK || plaintext.size == 0);
    if (error == SOTTO_OK)
        error = crypto_hpke_export_send(c, suite, sotto_buf_view(&public_key), text, 32, &enc,
                                        &exported);
    assert_true(error == SOTTO_OK || exported.size == 0);
out:
    secret_wipe(&private_key);
    secret_wipe(&signature_key);
    secret_wipe(&exported);
    for (size_t i = 0; i < 6; i++)
        sotto_buf_free(bufs[i]);
    return error;
}

static void every_allocation_and_every_draw_may_fail(void **state)
{
    (void)state;
    size_t failures = 0;
    for (const struct suite *const *s = suite_all(); *s != NULL; s++) {
        for (int draws = 0; draws < 2; draws++) {
            for (unsigned n = 1;; n++) {
                struct crypto *fresh = NULL;
                failing = (struct failing){0};
                *(draws ? &failing.fail_draw : &failing.fail_allocation) = n;
                sotto_error error = crypto_new(&env, &fresh);
                if (error == SOTTO_OK)
                    error = everything(*s, fresh);
                else
                    assert_null(fresh);
                crypto_free(fresh);
                if ((draws ? failing.draws : failing.allocations) < n) {
                    assert_ok(error);
                    break;
                }
                if (draws)
                    assert_error(error, NO_RANDOM);
                else
                    assert_error(error, NO_MEMORY);
                failures++;
            }
        }
    }
    failing = (struct failing){0};
    print_message("# %zu failures injected\n", failures);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_agrees_with_its_rows),
        cmocka_unit_test(a_foreign_public_key_never_enters_an_eddsa_signature),
        cmocka_unit_test(any_number_of_identities_share_a_context),
        cmocka_unit_test(keys_of_a_wrong_size_are_refused),
        cmocka_unit_test(points_of_the_nist_curves_are_checked),
        cmocka_unit_test(an_ecdsa_signature_is_read_strictly),
        cmocka_unit_test(agreements_on_zero_are_refused),
        cmocka_unit_test(every_allocation_and_every_draw_may_fail),
    };
    return cmocka_run_group_tests_name("crypto_suite", tests, setup, teardown);
}
