/* RFC 9420's crypto-basics vectors for every suite that this build runs, and what they leave open.
 */
#include "crypto/crypto.h"
#include "unit/vectors.h"

static struct crypto *crypto;

static int setup(void **state)
{
    (void)state;
    return crypto_new(sotto_env_system(), &crypto) == SOTTO_OK ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    crypto_free(crypto);
    return 0;
}

static void check_kdf(struct vectors *v, const struct suite *suite, const json_t *set)
{
    struct secret out = {0};
    uint8_t hash[HASH_MAX];
    const json_t *c = vectors_member(v, set, "ref_hash");
    assert_ok(crypto_ref_hash(crypto, suite, vectors_text(v, c, "label"),
                              vectors_hex(v, c, "value"), hash));
    assert_bytes(sotto_bytes_of(hash, suite->nh), vectors_hex(v, c, "out"));

    c = vectors_member(v, set, "expand_with_label");
    assert_ok(crypto_expand_with_label(crypto, suite, vectors_hex(v, c, "secret"),
                                       vectors_text(v, c, "label"), vectors_hex(v, c, "context"),
                                       (size_t)vectors_u64(v, c, "length"), &out));
    assert_bytes(secret_view(&out), vectors_hex(v, c, "out"));

    c = vectors_member(v, set, "derive_secret");
    assert_ok(secret_set(&out, vectors_hex(v, c, "secret")));
    assert_ok(crypto_derive_secret(crypto, suite, secret_view(&out), vectors_text(v, c, "label"),
                                   &out)); /* in place, as the header allows */
    assert_bytes(secret_view(&out), vectors_hex(v, c, "out"));

    c = vectors_member(v, set, "derive_tree_secret");
    assert_ok(crypto_derive_tree_secret(
        crypto, suite, vectors_hex(v, c, "secret"), vectors_text(v, c, "label"),
        (uint32_t)vectors_u64(v, c, "generation"), (size_t)vectors_u64(v, c, "length"), &out));
    assert_bytes(secret_view(&out), vectors_hex(v, c, "out"));
}

static void check_signature(struct vectors *v, const struct suite *suite, const json_t *set)
{
    const json_t *c = vectors_member(v, set, "sign_with_label");
    sotto_bytes private_key = vectors_hex(v, c, "priv"), public_key = vectors_hex(v, c, "pub");
    sotto_bytes content = vectors_hex(v, c, "content");
    const char *label = vectors_text(v, c, "label");
    assert_ok(crypto_verify_with_label(crypto, suite, public_key, label, content,
                                       vectors_hex(v, c, "signature")));
    sotto_buf buf;
    sotto_buf_init(&buf, sotto_env_system());
    assert_ok(crypto_signature_public(crypto, suite, private_key, &buf));
    assert_bytes(sotto_buf_view(&buf), public_key);
    sotto_buf_clear(&buf);
    assert_ok(crypto_sign_with_label(crypto, suite, private_key, public_key, label, content, &buf));
    assert_ok(
        crypto_verify_with_label(crypto, suite, public_key, label, content, sotto_buf_view(&buf)));
    assert_error(
        crypto_verify_with_label(crypto, suite, public_key, "Other", content, sotto_buf_view(&buf)),
        SIGNATURE);
    buf.data[buf.size - 1] ^= 1;
    assert_error(
        crypto_verify_with_label(crypto, suite, public_key, label, content, sotto_buf_view(&buf)),
        SIGNATURE);
    sotto_buf_free(&buf);
}

static void check_encryption(struct vectors *v, const struct suite *suite, const json_t *set)
{
    const json_t *c = vectors_member(v, set, "encrypt_with_label");
    sotto_bytes private_key = vectors_hex(v, c, "priv"), public_key = vectors_hex(v, c, "pub");
    sotto_bytes context = vectors_hex(v, c, "context"), plaintext = vectors_hex(v, c, "plaintext");
    const char *label = vectors_text(v, c, "label");
    sotto_buf out, enc, ciphertext;
    sotto_buf_init(&out, sotto_env_system());
    sotto_buf_init(&enc, sotto_env_system());
    sotto_buf_init(&ciphertext, sotto_env_system());
    assert_ok(crypto_kem_check(crypto, suite, public_key));
    assert_ok(crypto_kem_check_pair(crypto, suite, private_key, public_key));
    for (int known = 0; known < 2; known++) {
        sotto_buf_clear(&out);
        assert_ok(crypto_decrypt_with_label(
            crypto, suite, private_key, known ? public_key : (sotto_bytes){0}, label, context,
            vectors_hex(v, c, "kem_output"), vectors_hex(v, c, "ciphertext"), &out));
        assert_bytes(sotto_buf_view(&out), plaintext);
    }
    assert_ok(crypto_encrypt_with_label(crypto, suite, public_key, label, context, plaintext, &enc,
                                        &ciphertext));
    sotto_buf_clear(&out);
    assert_ok(crypto_decrypt_with_label(crypto, suite, private_key, public_key, label, context,
                                        sotto_buf_view(&enc), sotto_buf_view(&ciphertext), &out));
    assert_bytes(sotto_buf_view(&out), plaintext);
    sotto_buf_free(&out);
    sotto_buf_free(&enc);
    sotto_buf_free(&ciphertext);
}

static void crypto_basics_hold(void **state)
{
    (void)state;
    struct vectors v;
    size_t index, ran = 0;
    json_t *set;
    vectors_open(&v, "mls/crypto-basics.json");
    json_array_foreach(v.root, index, set)
    {
        const struct suite *suite = suite_by_id((uint16_t)vectors_u64(&v, set, "cipher_suite"));
        assert_non_null(suite);
        assert_true(crypto_has(crypto, suite));
        check_kdf(&v, suite, set);
        check_signature(&v, suite, set);
        check_encryption(&v, suite, set);
        ran++;
    }
    assert_int_equal(ran, 7);
    print_message("# crypto-basics: %zu suites\n", ran);
    vectors_close(&v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crypto_basics_hold),
    };
    return cmocka_run_group_tests_name("crypto_mls", tests, setup, teardown);
}
