#include "providers/other.h"

#include <string.h>

#include <nettle/curve448.h>
#include <nettle/eddsa.h>
#include <nettle/nettle-meta.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include "crypto/mlkem.h"
#include "providers/other_internal.h"

#define TAG 16

struct other {
    const sotto_env *env;
    EVP_MD *hashes[3];
    EVP_MAC *hmac;
};

/* ---- SHA-2 and HMAC: OpenSSL; the default's are nettle's ---- */

static const char *const hash_names[] = {"SHA256", "SHA384", "SHA512"};

static void stop(void *ctx)
{
    struct other *other = ctx;
    for (size_t i = 0; i < 3; i++)
        EVP_MD_free(other->hashes[i]);
    EVP_MAC_free(other->hmac);
    mem_free(other->env, other, sizeof *other);
}

static sotto_error start(const sotto_mls_provider *provider, const sotto_env *env, void **ctx)
{
    BUG_UNLESS(provider == provider_other());
    struct other *made = mem_alloc(env, sizeof *made);
    if (made == NULL)
        return SOTTO_NO_MEMORY;
    made->env = env;
    made->hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    bool good = made->hmac != NULL;
    for (size_t i = 0; i < 3; i++) {
        made->hashes[i] = EVP_MD_fetch(NULL, hash_names[i], NULL);
        good = good && made->hashes[i] != NULL;
    }
    if (!good) {
        stop(made);
        return SOTTO_INTERNAL;
    }
    *ctx = made;
    return SOTTO_OK;
}

static sotto_error hash_by_openssl(void *ctx, sotto_mls_hash hash, const sotto_bytes *parts,
                                   size_t count, uint8_t *out)
{
    const struct other *other = ctx;
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    bool good = md != NULL && EVP_DigestInit_ex2(md, other->hashes[hash], NULL) == 1;
    for (size_t i = 0; good && i < count; i++)
        good = EVP_DigestUpdate(md, parts[i].data, parts[i].size) == 1;
    good = good && EVP_DigestFinal_ex(md, out, NULL) == 1;
    EVP_MD_CTX_free(md);
    return good ? SOTTO_OK : SOTTO_INTERNAL;
}

static sotto_error hmac_by_openssl(void *ctx, sotto_mls_hash hash, sotto_bytes key,
                                   const sotto_bytes *parts, size_t count, uint8_t *out)
{
    const struct other *other = ctx;
    char name[8];
    memcpy(name, hash_names[hash], strlen(hash_names[hash]) + 1);
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0),
        OSSL_PARAM_construct_end(),
    };
    const uint8_t none = 0;
    size_t size;
    EVP_MAC_CTX *mac = EVP_MAC_CTX_new(other->hmac);
    bool good =
        mac != NULL && EVP_MAC_init(mac, key.size == 0 ? &none : key.data, key.size, params) == 1;
    for (size_t i = 0; good && i < count; i++)
        good = EVP_MAC_update(mac, parts[i].data, parts[i].size) == 1;
    good = good && EVP_MAC_final(mac, out, &size, 64) == 1;
    EVP_MAC_CTX_free(mac);
    return good ? SOTTO_OK : SOTTO_INTERNAL;
}

/* ---- AEADs: nettle; the default's are OpenSSL's and libsodium's ---- */

static const struct nettle_aead *aead_of(sotto_mls_aead aead)
{
    return aead == SOTTO_MLS_AES128_GCM   ? &nettle_gcm_aes128
           : aead == SOTTO_MLS_AES256_GCM ? &nettle_gcm_aes256
                                          : &nettle_chacha_poly1305;
}

static sotto_error aead_run(sotto_mls_aead aead, bool seal, const uint8_t *key,
                            const uint8_t *nonce, sotto_bytes aad, sotto_bytes in, uint8_t *out,
                            uint8_t tag[TAG])
{
    const struct nettle_aead *row = aead_of(aead);
    void *state = calloc(1, row->context_size);
    if (state == NULL)
        return SOTTO_NO_MEMORY;
    (seal ? row->set_encrypt_key : row->set_decrypt_key)(state, key);
    row->set_nonce(state, nonce);
    row->update(state, aad.size, aad.data);
    (seal ? row->encrypt : row->decrypt)(state, in.size, out, in.data);
    row->digest(state, TAG, tag);
    wipe(state, row->context_size);
    free(state);
    return SOTTO_OK;
}

static sotto_error seal_by_nettle(void *ctx, sotto_mls_aead aead, const uint8_t *key,
                                  const uint8_t *nonce, sotto_bytes aad, sotto_bytes plaintext,
                                  uint8_t *out)
{
    (void)ctx;
    return aead_run(aead, true, key, nonce, aad, plaintext, out, out + plaintext.size);
}

static sotto_error open_by_nettle(void *ctx, sotto_mls_aead aead, const uint8_t *key,
                                  const uint8_t *nonce, sotto_bytes aad, sotto_bytes ciphertext,
                                  uint8_t *out)
{
    (void)ctx;
    uint8_t tag[TAG], computed[TAG];
    sotto_bytes text = sotto_bytes_of(ciphertext.data, ciphertext.size - TAG);
    memcpy(tag, ciphertext.data + text.size, TAG);
    TRY(aead_run(aead, false, key, nonce, aad, text, out, computed));
    return sotto_bytes_equal_secret(sotto_bytes_of(tag, TAG), sotto_bytes_of(computed, TAG))
               ? SOTTO_OK
               : SOTTO_DECRYPT;
}

/* ---- X25519: OpenSSL (libsodium); X448 and the NIST curves: hogweed (OpenSSL) ---- */

static sotto_error x25519_public(const uint8_t *private_key, uint8_t *public_key)
{
    size_t size = 32;
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, private_key, 32);
    bool good = key != NULL && EVP_PKEY_get_raw_public_key(key, public_key, &size) == 1;
    EVP_PKEY_free(key);
    return good ? SOTTO_OK : SOTTO_INTERNAL;
}

static sotto_error x25519_agree(const uint8_t *private_key, const uint8_t *public_key,
                                uint8_t *shared)
{
    size_t size = 32;
    EVP_PKEY *own = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, private_key, 32);
    EVP_PKEY *peer = EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, public_key, 32);
    EVP_PKEY_CTX *ctx = own == NULL ? NULL : EVP_PKEY_CTX_new(own, NULL);
    sotto_error error = SOTTO_INTERNAL;
    if (ctx != NULL && peer != NULL && EVP_PKEY_derive_init(ctx) == 1 &&
        EVP_PKEY_derive_set_peer(ctx, peer) == 1)
        error = EVP_PKEY_derive(ctx, shared, &size) == 1 ? SOTTO_OK : SOTTO_KEY;
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(peer);
    EVP_PKEY_free(own);
    ERR_clear_error();
    return error;
}

static sotto_error other_dh_public(void *ctx, sotto_mls_dh dh, const uint8_t *private_key,
                                   uint8_t *public_key)
{
    (void)ctx;
    if (dh == SOTTO_MLS_X25519)
        return x25519_public(private_key, public_key);
    if (dh != SOTTO_MLS_X448)
        return nist_other_public(dh - SOTTO_MLS_DH_P256, private_key, public_key);
    curve448_mul_g(public_key, private_key);
    return SOTTO_OK;
}

/* curve448_mul yields zeros for a key of low order: the engine refuses them. */
static sotto_error other_dh_agree(void *ctx, sotto_mls_dh dh, const uint8_t *private_key,
                                  const uint8_t *public_key, uint8_t *shared)
{
    (void)ctx;
    if (dh == SOTTO_MLS_X25519)
        return x25519_agree(private_key, public_key, shared);
    if (dh != SOTTO_MLS_X448)
        return nist_other_agree(dh - SOTTO_MLS_DH_P256, private_key, public_key, shared);
    curve448_mul(shared, private_key, public_key);
    return SOTTO_OK;
}

static sotto_error other_dh_check(void *ctx, sotto_mls_dh dh, const uint8_t *public_key)
{
    (void)ctx;
    return nist_other_check(dh - SOTTO_MLS_DH_P256, public_key);
}

/* ---- Ed25519: OpenSSL (libsodium); Ed448 and ECDSA: hogweed (OpenSSL) ---- */

static sotto_error ed25519_public(const uint8_t *private_key, uint8_t *public_key)
{
    size_t size = 32;
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, private_key, 32);
    bool good = key != NULL && EVP_PKEY_get_raw_public_key(key, public_key, &size) == 1;
    EVP_PKEY_free(key);
    return good ? SOTTO_OK : SOTTO_INTERNAL;
}

static sotto_error ed25519_sign(const uint8_t *private_key, sotto_bytes message, uint8_t *signature,
                                size_t *size)
{
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, private_key, 32);
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    *size = 64;
    bool good = key != NULL && md != NULL && EVP_DigestSignInit(md, NULL, NULL, NULL, key) == 1 &&
                EVP_DigestSign(md, signature, size, message.data, message.size) == 1;
    EVP_MD_CTX_free(md);
    EVP_PKEY_free(key);
    return good ? SOTTO_OK : SOTTO_INTERNAL;
}

static sotto_error ed25519_verify(const uint8_t *public_key, sotto_bytes message,
                                  sotto_bytes signature)
{
    EVP_PKEY *key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, public_key, 32);
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    bool good =
        key != NULL && md != NULL && EVP_DigestVerifyInit(md, NULL, NULL, NULL, key) == 1 &&
        EVP_DigestVerify(md, signature.data, signature.size, message.data, message.size) == 1;
    EVP_MD_CTX_free(md);
    EVP_PKEY_free(key);
    ERR_clear_error();
    return good ? SOTTO_OK : SOTTO_SIGNATURE;
}

static sotto_error other_signature_public(void *ctx, sotto_mls_signature algorithm,
                                          const uint8_t *private_key, uint8_t *public_key)
{
    (void)ctx;
    if (algorithm == SOTTO_MLS_ED25519)
        return ed25519_public(private_key, public_key);
    if (algorithm != SOTTO_MLS_ED448)
        return nist_other_public(algorithm - SOTTO_MLS_ECDSA_P256, private_key, public_key);
    ed448_shake256_public_key(public_key, private_key);
    return SOTTO_OK;
}

static sotto_error other_sign(void *ctx, sotto_mls_signature algorithm, const uint8_t *private_key,
                              const uint8_t *public_key, sotto_bytes message, uint8_t *signature,
                              size_t *size)
{
    (void)ctx;
    if (algorithm == SOTTO_MLS_ED25519)
        return ed25519_sign(private_key, message, signature, size);
    if (algorithm != SOTTO_MLS_ED448)
        return nist_other_sign(algorithm - SOTTO_MLS_ECDSA_P256, private_key, message, signature,
                               size);
    ed448_shake256_sign(public_key, private_key, message.size, message.data, signature);
    *size = ED448_SIGNATURE_SIZE;
    return SOTTO_OK;
}

static sotto_error other_verify(void *ctx, sotto_mls_signature algorithm, const uint8_t *public_key,
                                sotto_bytes message, sotto_bytes signature)
{
    (void)ctx;
    if (algorithm == SOTTO_MLS_ED25519)
        return ed25519_verify(public_key, message, signature);
    if (algorithm != SOTTO_MLS_ED448)
        return nist_other_verify(algorithm - SOTTO_MLS_ECDSA_P256, public_key, message, signature);
    /* hogweed does not look at the last byte, in which no S below the order has a bit. */
    return signature.size == ED448_SIGNATURE_SIZE &&
                   signature.data[ED448_SIGNATURE_SIZE - 1] == 0 &&
                   ed448_shake256_verify(public_key, message.size, message.data, signature.data) ==
                       1
               ? SOTTO_OK
               : SOTTO_SIGNATURE;
}

/* ---- ML-KEM: the portable compilation, which the engine chooses only on a poor processor ---- */

static sotto_error other_mlkem_public(void *ctx, const uint8_t *seed, uint8_t *public_key)
{
    (void)ctx;
    struct mlkem_key key;
    mlkem_expand(&kpke_portable, seed, &key);
    memcpy(public_key, key.ek, MLKEM_PUBLIC);
    wipe(&key, sizeof key);
    return SOTTO_OK;
}

static sotto_error other_mlkem_encaps(void *ctx, const uint8_t *public_key, const uint8_t *m,
                                      uint8_t *ciphertext, uint8_t *shared)
{
    (void)ctx;
    return mlkem_encaps(&kpke_portable, public_key, m, ciphertext, shared);
}

static sotto_error other_mlkem_decaps(void *ctx, const uint8_t *seed, const uint8_t *ciphertext,
                                      uint8_t *shared)
{
    (void)ctx;
    struct mlkem_key key;
    mlkem_expand(&kpke_portable, seed, &key);
    mlkem_decaps(&key, ciphertext, shared);
    wipe(&key, sizeof key);
    return SOTTO_OK;
}

const sotto_mls_provider *provider_other(void)
{
    static const sotto_mls_provider provider = {
        .hashes = 7,
        .aeads = 7,
        .dhs = 31,
        .signatures = 31,
        .start = start,
        .stop = stop,
        .hash = hash_by_openssl,
        .hmac = hmac_by_openssl,
        .seal = seal_by_nettle,
        .open = open_by_nettle,
        .dh_public = other_dh_public,
        .dh_agree = other_dh_agree,
        .dh_check = other_dh_check,
        .signature_public = other_signature_public,
        .sign = other_sign,
        .verify = other_verify,
        .mlkem_public = other_mlkem_public,
        .mlkem_encaps = other_mlkem_encaps,
        .mlkem_decaps = other_mlkem_decaps,
    };
    return &provider;
}
