/* Constant time under valgrind: secrets are marked undefined, and memcheck reports each branch and
 * each index that depends on one. One verdict a function; built with SOTTO_CTGRIND, in which
 * what is public by design (crypto/public_taint.h) is declared so.
 *
 * What libraries do below the default provider is seen too, and has verdicts of its own. */
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
    begin();
    volatile bool equal = sotto_bytes_equal_secret(part, sotto_bytes_of(out, sizeof data));
    end("sotto_bytes_equal_secret");
    (void)equal;
}

/* The engine's own HMAC, for providers that have none. */
static void test_hmac_of_hash(void)
{
    struct crypto *crypto;
    sotto_mls_provider provider = *sotto_mls_provider_default();
    uint8_t key[200] = {1}, data[100] = {2}, out[HASH_MAX];
    sotto_bytes part = sotto_bytes_of(data, sizeof data);
    provider.hmac = NULL;
    if (crypto_new_with(sotto_env_system(), &provider, &crypto) != SOTTO_OK)
        abort();
    secret(key, sizeof key);
    secret(data, sizeof data);
    begin();
    hmac_parts(crypto, &hash_sha256, sotto_bytes_of(key, 32), &part, 1, out);
    hmac_parts(crypto, &hash_sha512, sotto_bytes_of(key, sizeof key), &part, 1, out);
    end("hmac of hash");
    crypto_free(crypto);
}

/* ---- The default provider's public keys, agreements and signatures --------------------------- */

#define NOT_CLAIMED 1000000u

/* allowed: reports that are not leaks. X448's derivation branches on whether its result is zero,
 * which is public. OpenSSL's big numbers, on which the NIST curves stand, drop leading zero words
 * and branch on the coordinates of results: no verdict of this kind can be had for them. */
struct primitive {
    const char *name;
    unsigned number;
    size_t private_size, public_size;
    unsigned allowed;
};

static void end_primitive(const char *what, const struct primitive *p)
{
    char name[64];
    unsigned errors = VALGRIND_COUNT_ERRORS - errors_before;
    snprintf(name, sizeof name, "%s %s", p->name, what);
    if (p->allowed == NOT_CLAIMED)
        printf("not-claimed %s: %s\n", name, errors == 0 ? "no report" : "reports");
    else if (errors <= p->allowed)
        printf("constant-time %s\n", name);
    else
        end(name);
}

static const uint8_t *scalar(const struct primitive *p)
{
    static uint8_t bytes[66];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 37 + 1);
    bytes[0] = 1; /* below P-521's order too */
    secret(bytes, p->private_size);
    return bytes;
}

static void test_groups(struct crypto *crypto)
{
    static const struct primitive groups[] = {
        {"x25519", SOTTO_MLS_X25519, 32, 32, 0},
        {"x448", SOTTO_MLS_X448, 56, 56, 1},
        {"p256", SOTTO_MLS_DH_P256, 32, 65, NOT_CLAIMED},
        {"p384", SOTTO_MLS_DH_P384, 48, 97, NOT_CLAIMED},
        {"p521", SOTTO_MLS_DH_P521, 66, 133, NOT_CLAIMED},
    };
    const sotto_mls_provider *provider = crypto->provider;
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++) {
        uint8_t public_key[133], shared[66];
        sotto_mls_dh dh = (sotto_mls_dh)groups[i].number;
        begin();
        provider->dh_public(crypto->ctx, dh, scalar(&groups[i]), public_key);
        end_primitive("public key", &groups[i]);
        not_secret(public_key, sizeof public_key);
        begin();
        provider->dh_agree(crypto->ctx, dh, scalar(&groups[i]), public_key, shared);
        end_primitive("agreement", &groups[i]);
    }
}

static void test_signatures(struct crypto *crypto)
{
    static const struct primitive signatures[] = {
        {"ed25519", SOTTO_MLS_ED25519, 32, 32, 0},
        {"ed448", SOTTO_MLS_ED448, 57, 57, 0},
        {"ecdsa p256", SOTTO_MLS_ECDSA_P256, 32, 65, NOT_CLAIMED},
        {"ecdsa p384", SOTTO_MLS_ECDSA_P384, 48, 97, NOT_CLAIMED},
        {"ecdsa p521", SOTTO_MLS_ECDSA_P521, 66, 133, NOT_CLAIMED},
    };
    const sotto_mls_provider *provider = crypto->provider;
    for (size_t i = 0; i < sizeof signatures / sizeof signatures[0]; i++) {
        uint8_t public_key[133], signature[SIGNATURE_MAX], message[40] = {1};
        size_t size;
        sotto_mls_signature id = (sotto_mls_signature)signatures[i].number;
        begin();
        provider->signature_public(crypto->ctx, id, scalar(&signatures[i]), public_key);
        end_primitive("public key", &signatures[i]);
        not_secret(public_key, sizeof public_key);
        secret(message, sizeof message);
        begin();
        provider->sign(crypto->ctx, id, scalar(&signatures[i]), public_key,
                       sotto_bytes_of(message, sizeof message), signature, &size);
        end_primitive("sign", &signatures[i]);
    }
}

/* Opening branches once on whether the tag is right, which is public; short and long messages may
 * be different libraries'. */
static void test_open(struct crypto *crypto)
{
    static const char *const names[] = {"aes128gcm", "aes256gcm", "chacha20poly1305"};
    static uint8_t key[32] = {1}, nonce[12] = {2}, text[1000] = {3}, sealed[1016], back[1000];
    for (unsigned aead = 0; aead < 3; aead++) {
        for (size_t size = 100; size <= 1000; size += 900) {
            struct primitive p = {names[aead], aead, sizeof key, 0, 0};
            sotto_bytes none = {0};
            secret(key, sizeof key);
            secret(text, sizeof text);
            begin();
            crypto->provider->seal(crypto->ctx, (sotto_mls_aead)aead, key, nonce, none,
                                   sotto_bytes_of(text, size), sealed);
            end_primitive("seal", &p);
            p.allowed = 1;
            not_secret(sealed, sizeof sealed);
            for (int wrong = 0; wrong < 2; wrong++) {
                sealed[size] ^= (uint8_t)wrong;
                begin();
                crypto->provider->open(crypto->ctx, (sotto_mls_aead)aead, key, nonce, none,
                                       sotto_bytes_of(sealed, size + AEAD_TAG), back);
                end_primitive(wrong ? "open, wrong tag" : "open", &p);
            }
        }
    }
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
    test_hmac_of_hash();
    test_open(crypto);
    test_groups(crypto);
    test_signatures(crypto);
    crypto_free(crypto);
    return failures == 0 ? 0 : 1;
}
