/* X-Wing by its draft's vectors, through the KEM table. */
#include "crypto/internal.h"
#include "unit/vectors.h"

/* An environment whose randomness is a vector's. */
static sotto_error scripted_random(void *ctx, uint8_t *out, size_t size)
{
    sotto_bytes *script = ctx;
    assert_true(script->size >= size);
    memcpy(out, script->data, size);
    script->data += size;
    script->size -= size;
    return SOTTO_OK;
}

static void xwing_vectors_hold(void **state)
{
    (void)state;
    struct vectors v;
    size_t index, ran = 0;
    json_t *c;
    sotto_bytes script;
    sotto_env env = *sotto_env_system();
    env.ctx = &script;
    env.random = scripted_random;
    struct crypto *crypto;
    const struct suite *suite = suite_by_id(SUITE_XWING_CHACHA_SHA256_ED25519);
    assert_ok(crypto_new(&env, &crypto));
    vectors_open(&v, "crypto/xwing.json");
    json_array_foreach(v.root, index, c)
    {
        struct secret private_key = {0}, shared = {0};
        sotto_buf public_key, enc;
        sotto_buf_init(&public_key, &env);
        sotto_buf_init(&enc, &env);
        script = vectors_hex(&v, c, "seed");
        assert_ok(crypto_kem_generate(crypto, suite, &private_key, &public_key));
        assert_bytes(secret_view(&private_key), vectors_hex(&v, c, "sk"));
        assert_bytes(sotto_buf_view(&public_key), vectors_hex(&v, c, "pk"));
        assert_ok(crypto_kem_check(crypto, suite, sotto_buf_view(&public_key)));

        script = vectors_hex(&v, c, "eseed");
        assert_ok(kem_encap(crypto, suite->kem, sotto_buf_view(&public_key), &enc, &shared));
        assert_bytes(sotto_buf_view(&enc), vectors_hex(&v, c, "ct"));
        assert_bytes(secret_view(&shared), vectors_hex(&v, c, "ss"));
        for (int known = 0; known < 2; known++) {
            secret_wipe(&shared);
            assert_ok(kem_decap(crypto, suite->kem, secret_view(&private_key),
                                known ? sotto_buf_view(&public_key) : (sotto_bytes){0},
                                sotto_buf_view(&enc), &shared));
            assert_bytes(secret_view(&shared), vectors_hex(&v, c, "ss"));
        }
        sotto_buf_free(&public_key);
        sotto_buf_free(&enc);
        ran++;
    }
    assert_int_equal(ran, 3);
    print_message("# xwing.json: %zu cases\n", ran);
    vectors_close(&v);
    crypto_free(crypto);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(xwing_vectors_hold),
    };
    return cmocka_run_group_tests_name("crypto_xwing", tests, NULL, NULL);
}
