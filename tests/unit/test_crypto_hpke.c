/* HPKE by the vectors of RFC 9180 (KEM 0x0020) and draft-ietf-hpke-pq (KEMs 0x647a, 0x0041,
 * 0x0050), base mode. */
#include "crypto/internal.h"
#include "unit/vectors.h"

#define MODE_BASE 0
#define HKDF_SHA256 0x0001
#define AEAD_EXPORT_ONLY 0xffff

/* An environment whose randomness is a vector's. */
static sotto_bytes script;

static sotto_error scripted_random(void *ctx, uint8_t *out, size_t size)
{
    (void)ctx;
    assert_true(script.size >= size);
    memcpy(out, script.data, size);
    script.data += size;
    script.size -= size;
    return SOTTO_OK;
}

static struct crypto *crypto;
static sotto_env env;

static int setup(void **state)
{
    (void)state;
    env = *sotto_env_system();
    env.random = scripted_random;
    return crypto_new(&env, &crypto) == SOTTO_OK ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    crypto_free(crypto);
    return 0;
}

/* A suite of the vector's algorithms; MLS has no row for each combination. */
static struct suite suite_of(struct vectors *v, const json_t *c)
{
    uint64_t kem_id = vectors_u64(v, c, "kem_id");
    struct suite suite = *suite_by_id(SUITE_X25519_AES128_SHA256_ED25519);
    for (const struct suite *const *s = suite_all(); *s != NULL; s++)
        if ((*s)->kem_id == kem_id && (*s)->nh == 32)
            suite = **s;
    if (kem_id == 0x0041) { /* MLS has it with SHA-384 alone */
        suite = *suite_by_id(SUITE_PQ_MLKEM768_AES256_SHA384_ED25519);
        suite.kdf_id = HKDF_SHA256;
        suite.hash = &hash_sha256;
        suite.nh = 32;
    }
    assert_int_equal(suite.kem_id, kem_id);
    suite.aead_id = (uint16_t)vectors_u64(v, c, "aead_id");
    suite.aead = suite.aead_id == 1   ? SOTTO_MLS_AES128_GCM
                 : suite.aead_id == 2 ? SOTTO_MLS_AES256_GCM
                                      : SOTTO_MLS_CHACHA20_POLY1305;
    suite.nk = suite.aead_id == 1 ? 16 : 32;
    return suite;
}

static void check_kem(struct vectors *v, const struct suite *suite, const json_t *c,
                      struct secret *shared)
{
    struct secret private_key = {0};
    sotto_buf public_key, enc;
    sotto_buf_init(&public_key, &env);
    sotto_buf_init(&enc, &env);
    assert_ok(
        crypto_kem_derive(crypto, suite, vectors_hex(v, c, "ikmR"), &private_key, &public_key));
    assert_bytes(secret_view(&private_key), vectors_hex(v, c, "skRm"));
    assert_bytes(sotto_buf_view(&public_key), vectors_hex(v, c, "pkRm"));

    /* The vectors of hpke-pq give the encapsulation's randomness itself, DHKEM's the ephemeral key.
     */
    script = vectors_hex(v, c, vectors_has(c, "skEm") ? "skEm" : "ikmE");
    assert_ok(kem_encap(crypto, suite->kem, sotto_buf_view(&public_key), &enc, shared));
    assert_bytes(sotto_buf_view(&enc), vectors_hex(v, c, "enc"));
    assert_bytes(secret_view(shared), vectors_hex(v, c, "shared_secret"));
    secret_wipe(shared);
    assert_ok(kem_decap(crypto, suite->kem, secret_view(&private_key), (sotto_bytes){0},
                        sotto_buf_view(&enc), shared));
    assert_bytes(secret_view(shared), vectors_hex(v, c, "shared_secret"));
    sotto_buf_free(&public_key);
    sotto_buf_free(&enc);
}

static size_t check_encryptions(struct vectors *v, const struct suite *suite, const json_t *c,
                                const struct hpke_keys *keys)
{
    size_t sequence, ran = 0;
    const json_t *e;
    json_array_foreach(vectors_member(v, c, "encryptions"), sequence, e)
    {
        uint8_t out[256], nonce[AEAD_NONCE_MAX];
        sotto_bytes plaintext = vectors_hex(v, e, "pt"), ciphertext = vectors_hex(v, e, "ct");
        memcpy(nonce, keys->nonce, sizeof nonce);
        nonce[11] ^= (uint8_t)sequence;
        nonce[10] ^= (uint8_t)(sequence >> 8);
        assert_bytes(sotto_bytes_of(nonce, sizeof nonce), vectors_hex(v, e, "nonce"));
        assert_true(ciphertext.size <= sizeof out);
        assert_ok(crypto_seal(crypto, suite, sotto_bytes_of(keys->key, suite->nk),
                              sotto_bytes_of(nonce, sizeof nonce), vectors_hex(v, e, "aad"),
                              plaintext, out));
        assert_bytes(sotto_bytes_of(out, plaintext.size + AEAD_TAG), ciphertext);
        ran++;
    }
    return ran;
}

/* The public functions, with the vector's first message. */
static void check_single_shot(struct vectors *v, const struct suite *suite, const json_t *c)
{
    const json_t *first = json_array_get(vectors_member(v, c, "encryptions"), 0);
    sotto_bytes info = vectors_hex(v, c, "info"), aad = vectors_hex(v, first, "aad");
    sotto_buf enc, ciphertext, plaintext;
    sotto_buf_init(&enc, &env);
    sotto_buf_init(&ciphertext, &env);
    sotto_buf_init(&plaintext, &env);
    script = vectors_hex(v, c, vectors_has(c, "skEm") ? "skEm" : "ikmE");
    assert_ok(crypto_hpke_seal(crypto, suite, vectors_hex(v, c, "pkRm"), info, aad,
                               vectors_hex(v, first, "pt"), &enc, &ciphertext));
    assert_bytes(sotto_buf_view(&enc), vectors_hex(v, c, "enc"));
    assert_bytes(sotto_buf_view(&ciphertext), vectors_hex(v, first, "ct"));
    assert_ok(crypto_hpke_open(crypto, suite, vectors_hex(v, c, "skRm"), vectors_hex(v, c, "pkRm"),
                               sotto_buf_view(&enc), info, aad, sotto_buf_view(&ciphertext),
                               &plaintext));
    assert_bytes(sotto_buf_view(&plaintext), vectors_hex(v, first, "pt"));
    ciphertext.data[0] ^= 1;
    sotto_buf_clear(&plaintext);
    assert_error(crypto_hpke_open(crypto, suite, vectors_hex(v, c, "skRm"), (sotto_bytes){0},
                                  sotto_buf_view(&enc), info, aad, sotto_buf_view(&ciphertext),
                                  &plaintext),
                 DECRYPT);
    assert_int_equal(plaintext.size, 0);
    sotto_buf_free(&enc);
    sotto_buf_free(&ciphertext);
    sotto_buf_free(&plaintext);
}

static size_t check_exports(struct vectors *v, const struct suite *suite, const json_t *c,
                            const struct secret *shared)
{
    size_t index, ran = 0;
    const json_t *e;
    sotto_bytes info = vectors_hex(v, c, "info");
    uint8_t info_hash[HASH_MAX];
    assert_ok(hpke_info_hash(crypto, suite, &info, 1, info_hash));
    json_array_foreach(vectors_member(v, c, "exports"), index, e)
    {
        struct secret out = {0};
        assert_ok(hpke_export(crypto, suite, shared, info_hash,
                              vectors_hex(v, e, "exporter_context"), (size_t)vectors_u64(v, e, "L"),
                              &out));
        assert_bytes(secret_view(&out), vectors_hex(v, e, "exported_value"));
        ran++;
    }
    return ran;
}

static void check_file(const char *name, size_t expected)
{
    struct vectors v;
    size_t index, kems = 0, schedules = 0, encryptions = 0, exports = 0;
    json_t *c;
    vectors_open(&v, name);
    json_array_foreach(v.root, index, c)
    {
        if (vectors_u64(&v, c, "mode") != MODE_BASE)
            continue;
        struct suite suite = suite_of(&v, c);
        struct secret shared = {0};
        check_kem(&v, &suite, c, &shared);
        kems++;
        if (vectors_u64(&v, c, "kdf_id") != HKDF_SHA256)
            continue; /* MLS has no suite with a KDF of one stage */
        exports += check_exports(&v, &suite, c, &shared);
        schedules++;
        if (suite.aead_id == AEAD_EXPORT_ONLY)
            continue;
        struct hpke_keys keys;
        uint8_t info_hash[HASH_MAX];
        sotto_bytes info = vectors_hex(&v, c, "info");
        assert_ok(hpke_info_hash(crypto, &suite, &info, 1, info_hash));
        assert_ok(hpke_keys(&keys, crypto, &suite, &shared, info_hash));
        assert_bytes(sotto_bytes_of(keys.key, suite.nk), vectors_hex(&v, c, "key"));
        assert_bytes(sotto_bytes_of(keys.nonce, suite.nn), vectors_hex(&v, c, "base_nonce"));
        encryptions += check_encryptions(&v, &suite, c, &keys);
        check_single_shot(&v, &suite, c);
    }
    assert_int_equal(kems, expected);
    print_message("# %s: %zu KEM, %zu schedules, %zu encryptions, %zu exports\n", name, kems,
                  schedules, encryptions, exports);
    vectors_close(&v);
}

static void rfc_9180_vectors_hold(void **state)
{
    (void)state;
    check_file("crypto/hpke-rfc9180-x25519-hkdfsha256.json", 4);
}

static void hpke_pq_vectors_hold(void **state)
{
    (void)state;
    check_file("crypto/hpke-pq-xwing.json", 2);
    check_file("crypto/hpke-pq-mlkem768.json", 1);
    check_file("crypto/hpke-pq-mlkem768p256.json", 2);
}

static void both_ends_of_an_export_agree_in_every_suite(void **state)
{
    (void)state;
    struct crypto *own;
    assert_ok(crypto_new(sotto_env_system(), &own));
    for (const struct suite *const *s = suite_all(); *s != NULL; s++) {
        struct secret private_key = {0}, sent = {0}, received = {0};
        sotto_bytes context = sotto_bytes_str("MLS 1.0 external init secret");
        sotto_buf public_key, enc;
        sotto_buf_init(&public_key, &env);
        sotto_buf_init(&enc, &env);
        assert_ok(crypto_kem_generate(own, *s, &private_key, &public_key));
        assert_ok(
            crypto_kem_check_pair(own, *s, secret_view(&private_key), sotto_buf_view(&public_key)));
        assert_ok(crypto_hpke_export_send(own, *s, sotto_buf_view(&public_key), context, (*s)->nh,
                                          &enc, &sent));
        assert_int_equal(enc.size, (*s)->nenc);
        assert_ok(crypto_hpke_export_receive(own, *s, secret_view(&private_key),
                                             sotto_buf_view(&public_key), sotto_buf_view(&enc),
                                             context, (*s)->nh, &received));
        assert_int_equal(received.size, (*s)->nh);
        assert_bytes(secret_view(&sent), secret_view(&received));
        assert_error(crypto_hpke_export_receive(own, *s, secret_view(&private_key),
                                                (sotto_bytes){0}, sotto_buf_view(&enc), context,
                                                SECRET_MAX + 1, &received),
                     LIMIT);
        assert_int_equal(received.size, 0);
        sotto_buf_free(&public_key);
        sotto_buf_free(&enc);
    }
    crypto_free(own);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc_9180_vectors_hold),
        cmocka_unit_test(hpke_pq_vectors_hold),
        cmocka_unit_test(both_ends_of_an_export_agree_in_every_suite),
    };
    return cmocka_run_group_tests_name("crypto_hpke", tests, setup, teardown);
}
