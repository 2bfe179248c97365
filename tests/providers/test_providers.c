/* Engines over different crypto providers: equal in every primitive, members of one group, and each
 * with the suites that its provider allows. */
#include "crypto/internal.h"
#include "providers/other.h"
#include "mls/types.h"
#include "unit/mls_clients.h"

/* ---- Primitive by primitive ------------------------------------------------------------------ */

struct both {
    const sotto_mls_provider *a, *b;
    void *a_ctx, *b_ctx;
};

static void both_start(struct both *both)
{
    *both = (struct both){sotto_mls_provider_default(), provider_other(), NULL, NULL};
    assert_ok(both->a->start(both->a, sotto_env_system(), &both->a_ctx));
    assert_ok(both->b->start(both->b, sotto_env_system(), &both->b_ctx));
}

static void both_stop(struct both *both)
{
    both->a->stop(both->a_ctx);
    both->b->stop(both->b_ctx);
}

static void fill(uint8_t *out, size_t size)
{
    assert_ok(sotto_env_system()->random(NULL, out, size));
}

static void hashes_and_macs_are_the_same(void **state)
{
    (void)state;
    struct both both;
    both_start(&both);
    struct crypto *made_of_hash; /* the engine's HMAC, over a provider that has none */
    sotto_mls_provider without = *both.a;
    without.hmac = NULL;
    assert_ok(crypto_new_with(sotto_env_system(), &without, &made_of_hash));
    const struct hash_row *const rows[] = {&hash_sha256, &hash_sha384, &hash_sha512};
    static uint8_t input[400];
    fill(input, sizeof input);
    for (size_t i = 0; i < 3; i++) {
        sotto_mls_hash hash = rows[i]->id;
        size_t nh = rows[i]->nh;
        for (size_t size = 0; size <= sizeof input; size += size < 140 ? 1 : 13) {
            uint8_t one[64], other[64];
            const sotto_bytes parts[] = {
                {input, size / 3}, {NULL, 0}, {input + size / 3, size / 2}};
            sotto_bytes key = {input, size};
            assert_ok(both.a->hash(both.a_ctx, hash, parts, 3, one));
            assert_ok(both.b->hash(both.b_ctx, hash, parts, 3, other));
            assert_memory_equal(one, other, nh);
            assert_ok(both.a->hmac(both.a_ctx, hash, key, parts, 3, one));
            assert_ok(both.b->hmac(both.b_ctx, hash, key, parts, 3, other));
            assert_memory_equal(one, other, nh);
            assert_ok(hmac_parts(made_of_hash, rows[i], key, parts, 3, other));
            assert_memory_equal(one, other, nh);
        }
    }
    crypto_free(made_of_hash);
    both_stop(&both);
}

static void each_opens_what_the_other_seals(void **state)
{
    (void)state;
    struct both both;
    both_start(&both);
    uint8_t key[32], nonce[12], text[700], one[716], other[716], back[700];
    fill(key, sizeof key);
    fill(nonce, sizeof nonce);
    fill(text, sizeof text);
    for (unsigned a = SOTTO_MLS_AES128_GCM; a <= SOTTO_MLS_CHACHA20_POLY1305; a++) {
        sotto_mls_aead aead = (sotto_mls_aead)a;
        for (size_t size = 0; size <= sizeof text; size += size < 40 ? 1 : 33) {
            sotto_bytes plain = {text, size}, aad = {text, size / 2}, sealed = {one, size + 16};
            assert_ok(both.a->seal(both.a_ctx, aead, key, nonce, aad, plain, one));
            assert_ok(both.b->seal(both.b_ctx, aead, key, nonce, aad, plain, other));
            assert_memory_equal(one, other, size + 16);
            assert_ok(both.b->open(both.b_ctx, aead, key, nonce, aad, sealed, back));
            assert_memory_equal(back, text, size);
            one[size] ^= 1; /* the tag */
            assert_error(both.a->open(both.a_ctx, aead, key, nonce, aad, sealed, back), DECRYPT);
            assert_error(both.b->open(both.b_ctx, aead, key, nonce, aad, sealed, back), DECRYPT);
        }
    }
    both_stop(&both);
}

static const struct {
    sotto_mls_dh dh;
    size_t private_size, public_size, shared_size;
    uint8_t mask;
} groups[] = {
    {SOTTO_MLS_X25519, 32, 32, 32, 0xff},   {SOTTO_MLS_X448, 56, 56, 56, 0xff},
    {SOTTO_MLS_DH_P256, 32, 65, 32, 0xff},  {SOTTO_MLS_DH_P384, 48, 97, 48, 0xff},
    {SOTTO_MLS_DH_P521, 66, 133, 66, 0x01},
};

static void agreements_are_the_same(void **state)
{
    (void)state;
    struct both both;
    both_start(&both);
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++) {
        sotto_mls_dh dh = groups[i].dh;
        for (int round = 0; round < 8; round++) {
            uint8_t mine[66], yours[66], pub[133], other[133], s1[66], s2[66];
            fill(mine, sizeof mine);
            fill(yours, sizeof yours);
            mine[0] &= groups[i].mask;
            yours[0] &= groups[i].mask;
            sotto_error error = both.a->dh_public(both.a_ctx, dh, mine, pub);
            assert_int_equal(both.b->dh_public(both.b_ctx, dh, mine, other), error);
            if (error != SOTTO_OK || both.a->dh_public(both.a_ctx, dh, yours, other) != SOTTO_OK)
                continue; /* P-521's candidates are above the order now and then */
            assert_ok(both.b->dh_public(both.b_ctx, dh, mine, pub));
            assert_ok(both.a->dh_agree(both.a_ctx, dh, yours, pub, s1));
            assert_ok(both.b->dh_agree(both.b_ctx, dh, mine, other, s2));
            assert_memory_equal(s1, s2, groups[i].shared_size);
            if (dh == SOTTO_MLS_X25519 || dh == SOTTO_MLS_X448)
                continue;
            assert_ok(both.b->dh_check(both.b_ctx, dh, pub));
            pub[groups[i].public_size - 1] ^= 1; /* off the curve */
            assert_error(both.a->dh_check(both.a_ctx, dh, pub), KEY);
            assert_error(both.b->dh_check(both.b_ctx, dh, pub), KEY);
            assert_error(both.b->dh_agree(both.b_ctx, dh, yours, pub, s2), KEY);
        }
    }
    both_stop(&both);
}

/* hogweed's X448 yields zeros without a complaint. */
static void an_agreement_on_zero_is_refused_whatever_the_provider_says(void **state)
{
    (void)state;
    struct crypto *crypto;
    assert_ok(crypto_new_with(sotto_env_system(), provider_other(), &crypto));
    static const uint8_t zero[56] = {0};
    uint8_t key[56], shared[56];
    fill(key, sizeof key);
    assert_ok(crypto->provider->dh_agree(crypto->ctx, SOTTO_MLS_X448, key, zero, shared));
    assert_memory_equal(shared, zero, sizeof zero);
    assert_error(dh_agree(crypto, &kem_x448, key, zero, shared), KEY);
    crypto_free(crypto);
}

static void each_verifies_what_the_other_signs(void **state)
{
    (void)state;
    struct both both;
    both_start(&both);
    const struct signature_row *const rows[] = {&signature_ed25519, &signature_ed448,
                                                &signature_p256, &signature_p384, &signature_p521};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (int round = 0; round < 8; round++) {
            uint8_t key[66], pub[133], other[133], signature[139], text[100];
            size_t size = 0;
            sotto_bytes message = {text, (size_t)round * 13};
            fill(text, sizeof text);
            fill(key, sizeof key);
            if (rows[i]->mask != 0)
                key[0] &= rows[i]->mask;
            if (both.a->signature_public(both.a_ctx, rows[i]->id, key, pub) != SOTTO_OK)
                continue;
            assert_ok(both.b->signature_public(both.b_ctx, rows[i]->id, key, other));
            assert_memory_equal(pub, other, rows[i]->public_size);
            for (int way = 0; way < 2; way++) {
                const sotto_mls_provider *signer = way ? both.b : both.a;
                const sotto_mls_provider *reader = way ? both.a : both.b;
                void *signer_ctx = way ? both.b_ctx : both.a_ctx;
                void *reader_ctx = way ? both.a_ctx : both.b_ctx;
                assert_ok(
                    signer->sign(signer_ctx, rows[i]->id, key, pub, message, signature, &size));
                assert_true(size <= rows[i]->signature_max);
                sotto_bytes view = {signature, size};
                assert_ok(reader->verify(reader_ctx, rows[i]->id, pub, message, view));
                signature[size - 1] ^= 1;
                assert_error(reader->verify(reader_ctx, rows[i]->id, pub, message, view),
                             SIGNATURE);
                assert_error(reader->verify(reader_ctx, rows[i]->id, pub, message,
                                            sotto_bytes_of(signature, size - 1)),
                             SIGNATURE);
            }
        }
    }
    both_stop(&both);
}

/* ---- One group ------------------------------------------------------------------------------- */

static void suites_of_both_providers_meet_in_one_group(void **state)
{
    (void)state;
    unsigned ran = 0;
    for (const struct suite *const *s = suite_all(); *s != NULL; s++, ran++) {
        uint16_t suite = (*s)->id;
        struct client clients[4], *all[4];
        for (size_t i = 0; i < 4; i++) {
            char name[] = {(char)('a' + i), '\0'};
            client_new_with(&clients[i], suite, name, NULL,
                            i % 2 == 0 ? sotto_mls_provider_default() : provider_other());
            all[i] = &clients[i];
        }
        client_create(all[0], "group");
        world_add(all[0], &all[1], 1, NULL, 0);
        world_add(all[1], &all[2], 2, all, 1); /* the other provider's Welcome, for both */
        world_agrees(all, 4);
        for (size_t i = 0; i < 4; i++) {
            sotto_buf commit;
            sotto_buf_init(&commit, sotto_env_system());
            client_commit(all[i], NULL, &commit);
            world_process(all, 4, all[i], sotto_buf_view(&commit));
            sotto_buf_free(&commit);
        }
        world_agrees(all, 4);
        /* What one provider's engine saved, another's loads. */
        client_save(all[2]);
        struct client moved;
        client_new_with(&moved, suite, "moved", NULL, provider_other());
        sotto_mls_group *group;
        all[2]->store.cursor = 0;
        moved.identity = all[2]->identity;
        store_copy(&all[2]->store, &moved.store);
        assert_ok(client_load(&moved, &group));
        assert_bytes(sotto_mls_epoch_authenticator(group),
                     sotto_mls_epoch_authenticator(all[0]->group));
        sotto_mls_group_free(group);
        client_free(&moved);
        for (size_t i = 0; i < 4; i++)
            client_free(all[i]);
    }
    print_message("# %u suites, 4 members each over two providers\n", ran);
}

/* ---- A provider with little ------------------------------------------------------------------ */

#define ONLY SOTTO_MLS_P384_AES256_SHA384_P384

static sotto_mls_provider one_suite_provider(void)
{
    sotto_mls_provider little = *sotto_mls_provider_default();
    little.hashes = 1u << SOTTO_MLS_SHA384;
    little.aeads = 1u << SOTTO_MLS_AES256_GCM;
    little.dhs = 1u << SOTTO_MLS_DH_P384;
    little.signatures = 1u << SOTTO_MLS_ECDSA_P384;
    return little;
}

static void a_provider_lacks_the_suites_whose_primitives_it_leaves_out(void **state)
{
    (void)state;
    const sotto_mls_provider little = one_suite_provider();
    struct client client, rich;
    client_new_with(&client, ONLY, "little", NULL, &little);
    unsigned available = 0;
    for (const struct suite *const *s = suite_all(); *s != NULL; s++) {
        bool has = sotto_mls_suite_available(client.mls, (*s)->id);
        available += has;
        assert_int_equal(has, (*s)->id == ONLY);
        if (has)
            continue;
        sotto_buf private_key, public_key, out;
        sotto_buf_init(&private_key, sotto_env_system());
        sotto_buf_init(&public_key, sotto_env_system());
        sotto_buf_init(&out, sotto_env_system());
        assert_error(sotto_mls_signature_key(client.mls, (*s)->id, &private_key, &public_key),
                     UNSUPPORTED);
        assert_string_equal(sotto_mls_fault(client.mls)->what, "cipher_suite");
        client_new(&rich, (*s)->id, "rich", NULL);
        client_key_package(&rich);
        sotto_mls_group *group = NULL;
        assert_error(sotto_mls_group_create(client.mls, &rich.identity, sotto_bytes_str("g"), NULL,
                                            0, &group),
                     UNSUPPORTED);
        assert_error(sotto_mls_key_package(client.mls, &rich.identity, 0, 1, 0, &out, &out),
                     UNSUPPORTED);
        sotto_mls_leaf leaf;
        assert_error(sotto_mls_key_package_inspect(client.mls, sotto_buf_view(&rich.key_package),
                                                   &leaf, NULL, NULL),
                     UNSUPPORTED);
        assert_null(group);
        assert_int_equal(out.size + private_key.size + public_key.size, 0);
        sotto_buf_free(&private_key);
        sotto_buf_free(&public_key);
        sotto_buf_free(&out);
        client_free(&rich);
    }
    assert_int_equal(available, 1);
    client_free(&client);
}

/* The suites that a KeyPackage's leaf advertises, GREASE left out. */
static struct u16_list advertised(struct client *client, struct arena *arena)
{
    struct reader reader;
    struct key_package package;
    client_key_package(client);
    reader_init(&reader, sotto_buf_view(&client->key_package));
    assert_int_equal(reader_u16(&reader, "version"), 1);
    assert_int_equal(reader_u16(&reader, "wire_format"), 5);
    key_package_read(&reader, arena, &package);
    assert_ok(reader_finish(&reader, "KeyPackage"));
    return package.leaf.capabilities.suites;
}

static void an_engine_advertises_only_what_its_provider_has(void **state)
{
    (void)state;
    static const uint16_t wanted[] = {1, 2, 3, 4, 5, 6, 7, SOTTO_MLS_DEFAULT_SUITE};
    const sotto_mls_provider little = one_suite_provider();
    struct client clients[2];
    client_new(&clients[0], ONLY, "rich", NULL);
    client_new_with(&clients[1], ONLY, "little", NULL, &little);
    for (size_t c = 0; c < 2; c++) {
        struct arena arena;
        arena_init(&arena, sotto_env_system());
        clients[c].identity.capabilities.suites = wanted;
        clients[c].identity.capabilities.suite_count = 8;
        struct u16_list list = advertised(&clients[c], &arena);
        for (size_t i = 0; i < 8; i++)
            assert_int_equal(u16_list_has(list, wanted[i]), c == 0 || wanted[i] == ONLY);
        arena_free(&arena);
    }
    struct client *all[] = {&clients[0], &clients[1]};
    client_create(all[1], "group");
    world_add(all[1], &all[0], 1, NULL, 0);
    world_agrees(all, 2);
    client_free(all[0]);
    client_free(all[1]);
}

/* ---- A provider that fails ------------------------------------------------------------------- */

/* The table is the first member of something larger, which start hands to the context. */
struct failing {
    sotto_mls_provider table;
    void *inner;
    unsigned calls, fail_at;
};

static sotto_error failing_start(const sotto_mls_provider *provider, const sotto_env *env,
                                 void **ctx)
{
    struct failing *failing = (struct failing *)(uintptr_t)provider;
    *ctx = failing;
    return sotto_mls_provider_default()->start(sotto_mls_provider_default(), env, &failing->inner);
}

static void failing_stop(void *ctx)
{
    struct failing *failing = ctx;
    sotto_mls_provider_default()->stop(failing->inner);
}

/* The inner context, or NULL when it is this call's turn to fail. */
static void *turn(void *ctx)
{
    struct failing *failing = ctx;
    return ++failing->calls == failing->fail_at ? NULL : failing->inner;
}

static sotto_error failing_hash(void *ctx, sotto_mls_hash hash, const sotto_bytes *parts,
                                size_t count, uint8_t *out)
{
    void *inner = turn(ctx);
    return inner == NULL ? SOTTO_INTERNAL
                         : sotto_mls_provider_default()->hash(inner, hash, parts, count, out);
}

static sotto_error failing_hmac(void *ctx, sotto_mls_hash hash, sotto_bytes key,
                                const sotto_bytes *parts, size_t count, uint8_t *out)
{
    void *inner = turn(ctx);
    return inner == NULL ? SOTTO_INTERNAL
                         : sotto_mls_provider_default()->hmac(inner, hash, key, parts, count, out);
}

static sotto_error failing_seal(void *ctx, sotto_mls_aead aead, const uint8_t *key,
                                const uint8_t *nonce, sotto_bytes aad, sotto_bytes plaintext,
                                uint8_t *out)
{
    void *inner = turn(ctx);
    return inner == NULL
               ? SOTTO_INTERNAL
               : sotto_mls_provider_default()->seal(inner, aead, key, nonce, aad, plaintext, out);
}

static sotto_error failing_open(void *ctx, sotto_mls_aead aead, const uint8_t *key,
                                const uint8_t *nonce, sotto_bytes aad, sotto_bytes ciphertext,
                                uint8_t *out)
{
    void *inner = turn(ctx);
    return inner == NULL
               ? SOTTO_INTERNAL
               : sotto_mls_provider_default()->open(inner, aead, key, nonce, aad, ciphertext, out);
}

static sotto_error failing_dh_public(void *ctx, sotto_mls_dh dh, const uint8_t *private_key,
                                     uint8_t *public_key)
{
    void *inner = turn(ctx);
    return inner == NULL
               ? SOTTO_INTERNAL
               : sotto_mls_provider_default()->dh_public(inner, dh, private_key, public_key);
}

static sotto_error failing_dh_agree(void *ctx, sotto_mls_dh dh, const uint8_t *private_key,
                                    const uint8_t *public_key, uint8_t *shared)
{
    void *inner = turn(ctx);
    return inner == NULL
               ? SOTTO_INTERNAL
               : sotto_mls_provider_default()->dh_agree(inner, dh, private_key, public_key, shared);
}

static sotto_error failing_signature_public(void *ctx, sotto_mls_signature algorithm,
                                            const uint8_t *private_key, uint8_t *public_key)
{
    void *inner = turn(ctx);
    return inner == NULL ? SOTTO_INTERNAL
                         : sotto_mls_provider_default()->signature_public(inner, algorithm,
                                                                          private_key, public_key);
}

static sotto_error failing_sign(void *ctx, sotto_mls_signature algorithm,
                                const uint8_t *private_key, const uint8_t *public_key,
                                sotto_bytes message, uint8_t *signature, size_t *size)
{
    void *inner = turn(ctx);
    return inner == NULL ? SOTTO_INTERNAL
                         : sotto_mls_provider_default()->sign(inner, algorithm, private_key,
                                                              public_key, message, signature, size);
}

static sotto_error failing_verify(void *ctx, sotto_mls_signature algorithm,
                                  const uint8_t *public_key, sotto_bytes message,
                                  sotto_bytes signature)
{
    void *inner = turn(ctx);
    return inner == NULL ? SOTTO_INTERNAL
                         : sotto_mls_provider_default()->verify(inner, algorithm, public_key,
                                                                message, signature);
}

static void failing_init(struct failing *failing)
{
    *failing = (struct failing){.table = *sotto_mls_provider_default()};
    failing->table.start = failing_start;
    failing->table.stop = failing_stop;
    failing->table.hash = failing_hash;
    failing->table.hmac = failing_hmac;
    failing->table.seal = failing_seal;
    failing->table.open = failing_open;
    failing->table.dh_public = failing_dh_public;
    failing->table.dh_agree = failing_dh_agree;
    failing->table.signature_public = failing_signature_public;
    failing->table.sign = failing_sign;
    failing->table.verify = failing_verify;
}

/* What each step leaves behind, freed between attempts. */
struct attempt {
    struct failing failing;
    struct client own, peer;
    sotto_buf commit, welcome, message;
    sotto_mls_staged *staged;
    sotto_mls_group *joined;
    sotto_mls_received received;
};

static sotto_error create(struct attempt *a)
{
    return sotto_mls_group_create(a->own.mls, &a->own.identity, sotto_bytes_str("new"), NULL, 0,
                                  &a->joined);
}

static sotto_error package(struct attempt *a)
{
    return sotto_mls_key_package(a->own.mls, &a->own.identity, 0, UINT64_MAX - 1, 0, &a->commit,
                                 &a->welcome);
}

static sotto_error commit(struct attempt *a)
{
    client_key_package(&a->peer);
    const sotto_mls_proposal add = {.type = SOTTO_MLS_ADD,
                                    .u.add.key_package = sotto_buf_view(&a->peer.key_package)};
    const sotto_mls_commit_options options = {.proposals = &add, .proposal_count = 1};
    return sotto_mls_commit(a->own.group, &options, &a->commit, &a->welcome, &a->staged);
}

static sotto_error group_info(struct attempt *a)
{
    return sotto_mls_group_info(a->own.group, true, true, &a->commit);
}

static sotto_error encrypt(struct attempt *a)
{
    return sotto_mls_encrypt(a->own.group, sotto_bytes_str("text"), (sotto_bytes){0}, 0,
                             &a->commit);
}

static sotto_error export(struct attempt *a)
{
    return sotto_mls_export(a->own.group, "label", sotto_bytes_str("context"), 32, &a->commit);
}

static sotto_error process(struct attempt *a)
{
    return sotto_mls_process(a->own.group, sotto_buf_view(&a->message), &a->received);
}

static sotto_error join(struct attempt *a)
{
    return sotto_mls_join(a->own.mls, &a->own.identity, sotto_buf_view(&a->own.key_package),
                          sotto_buf_view(&a->own.secrets), sotto_buf_view(&a->message),
                          (sotto_bytes){0}, &a->joined);
}

/* Each of its calls into the provider fails once: INTERNAL, and nothing is left behind. Then it
 * succeeds. */
static unsigned each_call_fails_once(struct attempt *a, sotto_error (*step)(struct attempt *a))
{
    sotto_error error;
    for (unsigned n = 1;; n++) {
        a->failing.calls = 0;
        a->failing.fail_at = n;
        error = step(a);
        if (a->failing.calls < n)
            break;
        if (error != SOTTO_INTERNAL)
            print_error("call %u: %s\n", n, sotto_error_name(error));
        assert_error(error, INTERNAL);
        assert_int_equal(a->commit.size + a->welcome.size, 0);
        assert_true(a->staged == NULL && a->joined == NULL && a->received.staged == NULL);
    }
    assert_ok(error);
    unsigned failures = a->failing.calls;
    a->failing.fail_at = 0;
    sotto_buf_clear(&a->commit);
    sotto_buf_clear(&a->welcome);
    sotto_mls_staged_drop(a->staged);
    a->staged = NULL;
    sotto_mls_group_free(a->joined);
    a->joined = NULL;
    sotto_mls_received_clear(&a->received);
    a->received = (sotto_mls_received){0};
    return failures;
}

static void attempt_start(struct attempt *a, uint16_t suite)
{
    *a = (struct attempt){0};
    failing_init(&a->failing);
    sotto_buf_init(&a->commit, sotto_env_system());
    sotto_buf_init(&a->welcome, sotto_env_system());
    sotto_buf_init(&a->message, sotto_env_system());
    client_new_with(&a->own, suite, "own", NULL, &a->failing.table);
    client_new(&a->peer, suite, "peer", NULL);
    client_create(&a->peer, "group");
}

static void attempt_stop(struct attempt *a)
{
    client_free(&a->own);
    client_free(&a->peer);
    sotto_buf_free(&a->commit);
    sotto_buf_free(&a->welcome);
    sotto_buf_free(&a->message);
}

static void every_call_of_the_provider_may_fail(void **state)
{
    (void)state;
    static const uint16_t suites[] = {SOTTO_MLS_X25519_AES128_SHA256_ED25519,
                                      SOTTO_MLS_DEFAULT_SUITE};
    unsigned failures = 0;
    for (size_t s = 0; s < 2; s++) {
        struct attempt a;
        struct client *own = &a.own, *peer = &a.peer;
        attempt_start(&a, suites[s]);
        failures += each_call_fails_once(&a, create);
        failures += each_call_fails_once(&a, package);
        /* The peer's Welcome. */
        client_key_package(own);
        const sotto_mls_proposal add = {.type = SOTTO_MLS_ADD,
                                        .u.add.key_package = sotto_buf_view(&own->key_package)};
        const sotto_mls_commit_options options = {.proposals = &add, .proposal_count = 1};
        sotto_mls_staged *staged;
        assert_ok(sotto_mls_commit(peer->group, &options, &a.commit, &a.message, &staged));
        sotto_mls_staged_apply(peer->group, staged);
        sotto_buf_clear(&a.commit);
        failures += each_call_fails_once(&a, join);
        client_join(own, sotto_buf_view(&a.message), (sotto_bytes){0});
        world_tell(own, peer, "hello");
        failures += each_call_fails_once(&a, group_info);
        failures += each_call_fails_once(&a, encrypt);
        failures += each_call_fails_once(&a, export);
        /* A commit of the peer's. */
        sotto_buf_clear(&a.message);
        client_commit(peer, NULL, &a.message);
        failures += each_call_fails_once(&a, process);
        world_process(&own, 1, NULL, sotto_buf_view(&a.message));
        world_tell(peer, own, "still here");
        /* A message of the peer's, whose key goes only when it was read. */
        sotto_buf_clear(&a.message);
        assert_ok(sotto_mls_encrypt(peer->group, sotto_bytes_str("text"), (sotto_bytes){0}, 0,
                                    &a.message));
        failures += each_call_fails_once(&a, process);
        attempt_stop(&a);
        /* The last, because the peer's new KeyPackage is for a group that it is in. */
        attempt_start(&a, suites[s]);
        client_create(own, "other");
        failures += each_call_fails_once(&a, commit);
        attempt_stop(&a);
    }
    print_message("# %u failures injected\n", failures);
    assert_true(failures > 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hashes_and_macs_are_the_same),
        cmocka_unit_test(each_opens_what_the_other_seals),
        cmocka_unit_test(agreements_are_the_same),
        cmocka_unit_test(an_agreement_on_zero_is_refused_whatever_the_provider_says),
        cmocka_unit_test(each_verifies_what_the_other_signs),
        cmocka_unit_test(suites_of_both_providers_meet_in_one_group),
        cmocka_unit_test(a_provider_lacks_the_suites_whose_primitives_it_leaves_out),
        cmocka_unit_test(an_engine_advertises_only_what_its_provider_has),
        cmocka_unit_test(every_call_of_the_provider_may_fail),
    };
    return cmocka_run_group_tests_name("providers", tests, NULL, NULL);
}
