/* A crypto provider of an embedder's own: libsodium alone, for a program that wants neither OpenSSL
 * nor nettle. SHA-256, ChaCha20-Poly1305, X25519 and Ed25519 make two suites: 0x0003 and, with the
 * engine's own ML-KEM, the post-quantum default 0x004D. The program lets two members talk. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include <sotto/mls.h>

static sotto_error hash(void *ctx, sotto_mls_hash algorithm, const sotto_bytes *parts, size_t count,
                        uint8_t *out)
{
    (void)ctx;
    (void)algorithm; /* there is one */
    crypto_hash_sha256_state state;
    crypto_hash_sha256_init(&state);
    for (size_t i = 0; i < count; i++)
        crypto_hash_sha256_update(&state, parts[i].data, parts[i].size);
    crypto_hash_sha256_final(&state, out);
    sodium_memzero(&state, sizeof state);
    return SOTTO_OK;
}

static sotto_error aead_seal(void *ctx, sotto_mls_aead algorithm, const uint8_t *key,
                             const uint8_t *nonce, sotto_bytes aad, sotto_bytes plaintext,
                             uint8_t *out)
{
    (void)ctx;
    (void)algorithm;
    crypto_aead_chacha20poly1305_ietf_encrypt(out, NULL, plaintext.data, plaintext.size, aad.data,
                                              aad.size, NULL, nonce, key);
    return SOTTO_OK;
}

static sotto_error aead_open(void *ctx, sotto_mls_aead algorithm, const uint8_t *key,
                             const uint8_t *nonce, sotto_bytes aad, sotto_bytes ciphertext,
                             uint8_t *out)
{
    (void)ctx;
    (void)algorithm;
    int bad = crypto_aead_chacha20poly1305_ietf_decrypt(
        out, NULL, NULL, ciphertext.data, ciphertext.size, aad.data, aad.size, nonce, key);
    return bad ? SOTTO_DECRYPT : SOTTO_OK;
}

static sotto_error dh_public(void *ctx, sotto_mls_dh algorithm, const uint8_t *private_key,
                             uint8_t *public_key)
{
    (void)ctx;
    (void)algorithm;
    return crypto_scalarmult_base(public_key, private_key) == 0 ? SOTTO_OK : SOTTO_INTERNAL;
}

static sotto_error dh_agree(void *ctx, sotto_mls_dh algorithm, const uint8_t *private_key,
                            const uint8_t *public_key, uint8_t *shared)
{
    (void)ctx;
    (void)algorithm;
    return crypto_scalarmult(shared, private_key, public_key) == 0 ? SOTTO_OK : SOTTO_KEY;
}

static sotto_error signature_public(void *ctx, sotto_mls_signature algorithm,
                                    const uint8_t *private_key, uint8_t *public_key)
{
    (void)ctx;
    (void)algorithm;
    uint8_t pair[crypto_sign_SECRETKEYBYTES];
    crypto_sign_seed_keypair(public_key, pair, private_key);
    sodium_memzero(pair, sizeof pair);
    return SOTTO_OK;
}

static sotto_error sign(void *ctx, sotto_mls_signature algorithm, const uint8_t *private_key,
                        const uint8_t *public_key, sotto_bytes message, uint8_t *signature,
                        size_t *size)
{
    (void)ctx;
    (void)algorithm;
    uint8_t pair[crypto_sign_SECRETKEYBYTES];
    memcpy(pair, private_key, 32);
    memcpy(pair + 32, public_key, 32);
    crypto_sign_detached(signature, NULL, message.data, message.size, pair);
    sodium_memzero(pair, sizeof pair);
    *size = crypto_sign_BYTES;
    return SOTTO_OK;
}

static sotto_error verify(void *ctx, sotto_mls_signature algorithm, const uint8_t *public_key,
                          sotto_bytes message, sotto_bytes signature)
{
    (void)ctx;
    (void)algorithm;
    if (signature.size != crypto_sign_BYTES ||
        crypto_sign_verify_detached(signature.data, message.data, message.size, public_key) != 0)
        return SOTTO_SIGNATURE;
    return SOTTO_OK;
}

static const sotto_mls_provider of_libsodium = {
    .hashes = 1u << SOTTO_MLS_SHA256,
    .aeads = 1u << SOTTO_MLS_CHACHA20_POLY1305,
    .dhs = 1u << SOTTO_MLS_X25519,
    .signatures = 1u << SOTTO_MLS_ED25519,
    .hash = hash,
    .seal = aead_seal,
    .open = aead_open,
    .dh_public = dh_public,
    .dh_agree = dh_agree,
    .signature_public = signature_public,
    .sign = sign,
    .verify = verify,
};

static void must(sotto_error error)
{
    if (error != SOTTO_OK) {
        fprintf(stderr, "%s\n", sotto_error_text(error));
        exit(1);
    }
}

struct member {
    sotto_mls *mls;
    sotto_buf private_key, public_key;
    sotto_mls_identity identity;
    sotto_mls_group *group;
};

static void member_start(struct member *member, const char *name)
{
    const sotto_env *env = sotto_env_system();
    must(sotto_mls_new_with_provider(env, NULL, &of_libsodium,
                                     &member->mls)); /* NULL: tests only! */
    sotto_buf_init(&member->private_key, env);
    sotto_buf_init(&member->public_key, env);
    must(sotto_mls_signature_key(member->mls, SOTTO_MLS_DEFAULT_SUITE, &member->private_key,
                                 &member->public_key));
    member->identity = (sotto_mls_identity){
        .suite = SOTTO_MLS_DEFAULT_SUITE,
        .credential = {.type = SOTTO_MLS_BASIC, .identity = sotto_bytes_str(name)},
        .signature_private = sotto_buf_view(&member->private_key),
        .signature_public = sotto_buf_view(&member->public_key),
    };
}

static void member_stop(struct member *member)
{
    sotto_mls_group_free(member->group);
    sotto_mls_free(member->mls);
    sotto_buf_free(&member->private_key);
    sotto_buf_free(&member->public_key);
}

int main(void)
{
    if (sodium_init() < 0)
        return 1;
    struct member alice = {0}, bob = {0};
    sotto_buf package, secrets, commit, welcome, message;
    sotto_buf *bufs[] = {&package, &secrets, &commit, &welcome, &message};
    for (size_t i = 0; i < sizeof bufs / sizeof bufs[0]; i++)
        sotto_buf_init(bufs[i], sotto_env_system());
    member_start(&alice, "Alice");
    member_start(&bob, "Bob");
    must(sotto_mls_key_package(bob.mls, &bob.identity, 0, UINT64_MAX - 1, 0, &package, &secrets));
    must(sotto_mls_group_create(alice.mls, &alice.identity, sotto_bytes_str("group"), NULL, 0,
                                &alice.group));
    const sotto_mls_proposal add = {.type = SOTTO_MLS_ADD,
                                    .u.add.key_package = sotto_buf_view(&package)};
    const sotto_mls_commit_options options = {.proposals = &add, .proposal_count = 1};
    sotto_mls_staged *staged;
    must(sotto_mls_commit(alice.group, &options, &commit, &welcome, &staged));
    sotto_mls_staged_apply(alice.group, staged);
    must(sotto_mls_join(bob.mls, &bob.identity, sotto_buf_view(&package), sotto_buf_view(&secrets),
                        sotto_buf_view(&welcome), (sotto_bytes){0}, &bob.group));
    must(sotto_mls_encrypt(bob.group, sotto_bytes_str("Hello Alice"), (sotto_bytes){0}, 0,
                           &message));
    sotto_mls_received received;
    must(sotto_mls_process(alice.group, sotto_buf_view(&message), &received));
    printf("%.*s, in %s\n", (int)received.data.size, (const char *)received.data.data,
           sotto_mls_suite_name(sotto_mls_group_suite(alice.group)));
    bool lacking = !sotto_mls_suite_available(alice.mls, SOTTO_MLS_P256_AES128_SHA256_P256);
    sotto_mls_received_clear(&received);
    member_stop(&alice);
    member_stop(&bob);
    for (size_t i = 0; i < sizeof bufs / sizeof bufs[0]; i++)
        sotto_buf_free(bufs[i]);
    return lacking ? 0 : 1;
}
