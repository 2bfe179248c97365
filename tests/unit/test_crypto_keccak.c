/* Our hashes against OpenSSL's, at every length around the block boundaries. */
#include <openssl/evp.h>

#include "crypto/hash.h"
#include "crypto/keccak.h"
#include "unit/check.h"

static uint8_t input[1000];

static int setup(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof input; i++)
        input[i] = (uint8_t)(i * 31 + i / 256);
    return 0;
}

static void openssl_hash(const char *name, size_t size, uint8_t *out, size_t out_size)
{
    EVP_MD *md = EVP_MD_fetch(NULL, name, NULL);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestInit_ex2(ctx, md, NULL), 1);
    assert_int_equal(EVP_DigestUpdate(ctx, input, size), 1);
    if (strncmp(name, "SHAKE", 5) == 0)
        assert_int_equal(EVP_DigestFinalXOF(ctx, out, out_size), 1);
    else
        assert_int_equal(EVP_DigestFinal_ex(ctx, out, NULL), 1);
    EVP_MD_CTX_free(ctx);
    EVP_MD_free(md);
}

/* In two parts, cut somewhere else each time. */
static void split(size_t size, sotto_bytes parts[2])
{
    size_t cut = size * 5 % 13 * size / 13;
    parts[0] = sotto_bytes_of(input, cut);
    parts[1] = sotto_bytes_of(input + cut, size - cut);
}

static void sha3_and_shake_agree_with_openssl(void **state)
{
    (void)state;
    uint8_t ours[500], theirs[500];
    for (size_t size = 0; size <= 300; size++) {
        sotto_bytes parts[2];
        split(size, parts);
        sha3_256(parts, 2, ours);
        openssl_hash("SHA3-256", size, theirs, 32);
        assert_memory_equal(ours, theirs, 32);
        sha3_512(parts, 2, ours);
        openssl_hash("SHA3-512", size, theirs, 64);
        assert_memory_equal(ours, theirs, 64);
        shake256(parts, 2, ours, 1 + size);
        openssl_hash("SHAKE256", size, theirs, 1 + size);
        assert_memory_equal(ours, theirs, 1 + size);
    }
}

static void shake_squeezes_the_same_in_any_pieces(void **state)
{
    (void)state;
    uint8_t whole[500], pieces[500];
    for (size_t piece = 1; piece < 180; piece += 7) {
        struct keccak keccak;
        keccak_init(&keccak, SHAKE128_RATE);
        keccak_absorb(&keccak, input, 77);
        keccak_finish(&keccak, SHAKE_SUFFIX);
        for (size_t done = 0; done < sizeof pieces; done += piece)
            keccak_squeeze(&keccak, pieces + done,
                           sizeof pieces - done < piece ? sizeof pieces - done : piece);
        openssl_hash("SHAKE128", 77, whole, sizeof whole);
        assert_memory_equal(whole, pieces, sizeof whole);
    }
}

static void sha2_agrees_with_openssl(void **state)
{
    (void)state;
    const struct hash_row *const rows[] = {&hash_sha256, &hash_sha384, &hash_sha512};
    static const char *const names[] = {"SHA256", "SHA384", "SHA512"};
    struct crypto *crypto;
    assert_ok(crypto_new(sotto_env_system(), &crypto));
    uint8_t ours[HASH_MAX], theirs[HASH_MAX];
    for (size_t i = 0; i < 3; i++) {
        for (size_t size = 0; size <= 300; size++) {
            sotto_bytes parts[2];
            split(size, parts);
            assert_ok(hash_parts(crypto, rows[i], parts, 2, ours));
            openssl_hash(names[i], size, theirs, sizeof theirs);
            assert_memory_equal(ours, theirs, rows[i]->nh);
        }
    }
    crypto_free(crypto);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha3_and_shake_agree_with_openssl),
        cmocka_unit_test(shake_squeezes_the_same_in_any_pieces),
        cmocka_unit_test(sha2_agrees_with_openssl),
    };
    return cmocka_run_group_tests_name("crypto_keccak", tests, setup, NULL);
}
