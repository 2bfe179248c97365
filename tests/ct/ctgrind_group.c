/* Constant time of the whole engine under valgrind: two members' groups in which all randomness,
 * and with it every key that comes of it, is marked undefined, so that memcheck reports each branch
 * and each index that depends on a secret, in the engine and in the libraries below it. One verdict
 * a call of the public interface.
 *
 * What is public is declared so: here, for what the provider gives (public keys, ciphertexts,
 * signatures, and what "public input" in sotto/mls_provider.h means); in the code by
 * crypto/public_taint.h. What is decrypted stays secret, save for the lengths and types in it. */
#include <stdio.h>
#include <string.h>

#include <valgrind/memcheck.h>

#include "crypto/internal.h"
#include "sotto/mls.h"

static int failures;

static void secret(const void *data, size_t size)
{
    (void)VALGRIND_MAKE_MEM_UNDEFINED(data, size);
}

static void not_secret(const void *data, size_t size)
{
    (void)VALGRIND_MAKE_MEM_DEFINED(data, size);
}

/* ---- Where secrets come from ----------------------------------------------------------------- */

/* Keys and the secrets that keys are made of have 32 bytes or more; 4 are a reuse guard. 16 are the
 * seed of a table of public keys (key_index.h), whose places it decides: no secret of MLS. */
static sotto_error tainted_random(void *ctx, uint8_t *out, size_t size)
{
    const sotto_env *system = sotto_env_system();
    sotto_error error = system->random(ctx, out, size);
    if (size != 16)
        secret(out, size);
    return error;
}

/* ---- A provider that declares what it makes public ------------------------------------------- */

static unsigned before; /* reports when the call under test began */

#define DEFAULT sotto_mls_provider_default()

/* What the next ciphertexts hold, in order: how their plaintext is laid out. */
enum layout {
    SECRET_WHOLE,  /* a path secret */
    GROUP_SECRETS, /* joiner_secret<V>, optional<path_secret<V>>, psks<V> */
    ALL_PUBLIC,    /* GroupInfo; sender data, which every member knows */
    APPLICATION,   /* application_data<V>, signature<V>, padding */
};
static enum layout layouts[8];
static size_t layout_count, layout_at;

static void expect(size_t count, const enum layout *next)
{
    memcpy(layouts, next, count * sizeof *next);
    layout_count = count;
    layout_at = 0;
}

/* A vector: its header, of one byte or two, is public; its content is not. */
static size_t vector(uint8_t *out, size_t at)
{
    not_secret(out + at, 1);
    if (out[at] < 0x40)
        return at + 1 + out[at];
    not_secret(out + at, 2);
    return at + 2 + ((out[at] & 0x3fu) << 8 | out[at + 1]);
}

static const size_t dh_sizes[] = {[SOTTO_MLS_X25519] = 32, [SOTTO_MLS_X448] = 56};
static const size_t key_sizes[] = {[SOTTO_MLS_ED25519] = 32, [SOTTO_MLS_ED448] = 57};
static size_t signature_size;

static void declare(uint8_t *out, size_t size)
{
    switch (layout_at < layout_count ? layouts[layout_at++] : ALL_PUBLIC) {
    case SECRET_WHOLE:
        break;
    case GROUP_SECRETS: {
        size_t at = vector(out, 0);
        not_secret(out + at, 1); /* presence */
        at = out[at] ? vector(out, at + 1) : at + 1;
        not_secret(out + at, size - at);
        break;
    }
    case APPLICATION: {
        size_t at = vector(out, 0);
        not_secret(out + at, 2 + signature_size);
        break;
    }
    case ALL_PUBLIC:
        not_secret(out, size);
        break;
    }
}

static sotto_error tainted_seal(void *ctx, sotto_mls_aead aead, const uint8_t *key,
                                const uint8_t *nonce, sotto_bytes aad, sotto_bytes plaintext,
                                uint8_t *out)
{
    sotto_error error = DEFAULT->seal(ctx, aead, key, nonce, aad, plaintext, out);
    not_secret(out, plaintext.size + AEAD_TAG);
    return error;
}

static sotto_error tainted_open(void *ctx, sotto_mls_aead aead, const uint8_t *key,
                                const uint8_t *nonce, sotto_bytes aad, sotto_bytes ciphertext,
                                uint8_t *out)
{
    unsigned errors = VALGRIND_COUNT_ERRORS;
    sotto_error error = DEFAULT->open(ctx, aead, key, nonce, aad, ciphertext, out);
    not_secret(&error, sizeof error);
    /* The library branches on whether the tag is right, which is public. Once: more would be a
     * leak, and is counted as one. */
    if (VALGRIND_COUNT_ERRORS > errors)
        before++;
    if (error == SOTTO_OK)
        declare(out, ciphertext.size - AEAD_TAG);
    return error;
}

static sotto_error tainted_dh_public(void *ctx, sotto_mls_dh dh, const uint8_t *private_key,
                                     uint8_t *public_key)
{
    sotto_error error = DEFAULT->dh_public(ctx, dh, private_key, public_key);
    not_secret(public_key, dh_sizes[dh]);
    return error;
}

/* As in tainted_open: OpenSSL's X448 branches once on whether the result is zero. */
static sotto_error tainted_dh_agree(void *ctx, sotto_mls_dh dh, const uint8_t *private_key,
                                    const uint8_t *public_key, uint8_t *shared)
{
    unsigned errors = VALGRIND_COUNT_ERRORS;
    sotto_error error = DEFAULT->dh_agree(ctx, dh, private_key, public_key, shared);
    if (dh == SOTTO_MLS_X448 && VALGRIND_COUNT_ERRORS > errors)
        before++;
    return error;
}

static sotto_error tainted_signature_public(void *ctx, sotto_mls_signature algorithm,
                                            const uint8_t *private_key, uint8_t *public_key)
{
    sotto_error error = DEFAULT->signature_public(ctx, algorithm, private_key, public_key);
    not_secret(public_key, key_sizes[algorithm]);
    return error;
}

static sotto_error tainted_sign(void *ctx, sotto_mls_signature algorithm,
                                const uint8_t *private_key, const uint8_t *public_key,
                                sotto_bytes message, uint8_t *signature, size_t *size)
{
    sotto_error error =
        DEFAULT->sign(ctx, algorithm, private_key, public_key, message, signature, size);
    not_secret(signature, *size);
    signature_size = *size;
    return error;
}

static sotto_error tainted_verify(void *ctx, sotto_mls_signature algorithm,
                                  const uint8_t *public_key, sotto_bytes message,
                                  sotto_bytes signature)
{
    static uint8_t copy[32768];
    if (message.size > sizeof copy)
        return SOTTO_LIMIT;
    memcpy(copy, message.data, message.size);
    not_secret(copy, message.size);
    return DEFAULT->verify(ctx, algorithm, public_key, sotto_bytes_of(copy, message.size),
                           signature);
}

/* ---- Verdicts -------------------------------------------------------------------------------- */

static void begin(void)
{
    before = VALGRIND_COUNT_ERRORS;
}

/* Whether every byte is still marked: or else a verdict that finds nothing would mean nothing. */
static bool marked(sotto_bytes data)
{
    uint8_t bits[512] = {0};
    if (data.size == 0 || data.size > sizeof bits ||
        VALGRIND_GET_VBITS(data.data, bits, data.size) != 1)
        return false;
    for (size_t i = 0; i < data.size; i++) {
        if (bits[i] == 0)
            return false;
    }
    return true;
}

static sotto_error unless_marked(sotto_error error, sotto_bytes data)
{
    return error == SOTTO_OK && !marked(data) ? SOTTO_STATE : error;
}

static void end(const char *what, sotto_error error, sotto_error wanted)
{
    unsigned errors = VALGRIND_COUNT_ERRORS - before;
    not_secret(&error, sizeof error);
    printf(
        "%s %s%s%s\n", errors == 0 ? "constant-time" : "LEAKS", what,
        error == SOTTO_OK ? "" : ", refused: ", error == SOTTO_OK ? "" : sotto_error_name(error));
    failures += errors != 0 || error != wanted;
}

/* ---- The groups ------------------------------------------------------------------------------ */

struct member {
    sotto_mls *mls;
    sotto_buf private_key, public_key, package, secrets;
    sotto_mls_identity identity;
    sotto_mls_group *group;
};

static sotto_env env;
static sotto_mls_provider provider;
static uint16_t suite;
static sotto_buf commit, welcome, message, saved;

static sotto_error give_psk(void *ctx, sotto_bytes id, sotto_buf *psk)
{
    (void)ctx;
    (void)id;
    uint8_t bytes[40] = {1, 2, 3};
    secret(bytes, sizeof bytes);
    return sotto_buf_append(psk, bytes, sizeof bytes);
}

static void member_start(struct member *m, const char *name)
{
    const sotto_mls_config config = {.external_psk = give_psk};
    sotto_buf *bufs[] = {&m->private_key, &m->public_key, &m->package, &m->secrets};
    for (size_t i = 0; i < 4; i++)
        sotto_buf_init(bufs[i], &env);
    if (sotto_mls_new_with_provider(&env, &config, &provider, &m->mls) != SOTTO_OK)
        abort();
    begin();
    sotto_error error = sotto_mls_signature_key(m->mls, suite, &m->private_key, &m->public_key);
    end("signature_key", unless_marked(error, sotto_buf_view(&m->private_key)), SOTTO_OK);
    m->identity = (sotto_mls_identity){
        .suite = suite,
        .credential = {.type = SOTTO_MLS_BASIC, .identity = sotto_bytes_str(name)},
        .signature_private = sotto_buf_view(&m->private_key),
        .signature_public = sotto_buf_view(&m->public_key),
    };
    begin();
    error =
        sotto_mls_key_package(m->mls, &m->identity, 0, UINT64_MAX - 1, 0, &m->package, &m->secrets);
    end("key_package", error, SOTTO_OK);
}

static void member_stop(struct member *m)
{
    sotto_mls_group_free(m->group);
    sotto_mls_free(m->mls);
    sotto_buf *bufs[] = {&m->private_key, &m->public_key, &m->package, &m->secrets};
    for (size_t i = 0; i < 4; i++)
        sotto_buf_free(bufs[i]);
}

/* from commits what the options say, in that framing; each of the others processes it. */
static void one_commit(struct member *from, struct member *to, sotto_mls_commit_options options,
                       sotto_mls_framing framing)
{
    static const enum layout private_commit[] = {ALL_PUBLIC, ALL_PUBLIC, SECRET_WHOLE};
    char name[64];
    sotto_mls_staged *staged = NULL;
    sotto_mls_received received = {0};
    options.framing = framing;
    sotto_buf_clear(&commit);
    sotto_buf_clear(&welcome);
    begin();
    sotto_error error = sotto_mls_commit(from->group, &options, &commit, &welcome, &staged);
    snprintf(name, sizeof name, "commit, %s", framing == SOTTO_MLS_PUBLIC ? "public" : "private");
    end(name, error, SOTTO_OK);
    begin();
    sotto_mls_staged_apply(from->group, staged);
    end("staged_apply", SOTTO_OK, SOTTO_OK);
    if (to == NULL)
        return;
    if (framing == SOTTO_MLS_PUBLIC) { /* a wrong membership tag first */
        expect(0, private_commit);
        commit.data[commit.size - 1] ^= 1;
        begin();
        error = sotto_mls_process(to->group, sotto_buf_view(&commit), &received);
        end("process a commit, wrong tag", error, SOTTO_TAG);
        commit.data[commit.size - 1] ^= 1;
        expect(1, private_commit + 2);
    } else {
        expect(3, private_commit);
    }
    begin();
    error = sotto_mls_process(to->group, sotto_buf_view(&commit), &received);
    snprintf(name, sizeof name, "process a commit, %s",
             framing == SOTTO_MLS_PUBLIC ? "public" : "private");
    end(name, error, SOTTO_OK);
    if (error == SOTTO_OK)
        sotto_mls_staged_apply(to->group, received.staged);
}

static void one_message(struct member *from, struct member *to)
{
    static const enum layout layout[] = {ALL_PUBLIC, APPLICATION};
    uint8_t text[32] = "nobody may see what this says..";
    sotto_mls_received received = {0};
    secret(text, sizeof text);
    sotto_buf_clear(&message);
    begin();
    sotto_error error = sotto_mls_encrypt(from->group, sotto_bytes_of(text, sizeof text),
                                          (sotto_bytes){0}, 20, &message);
    end("encrypt", error, SOTTO_OK);
    message.data[message.size - 1] ^= 1;
    expect(2, layout);
    begin();
    error = sotto_mls_process(to->group, sotto_buf_view(&message), &received);
    end("process a message, wrong tag", error, SOTTO_DECRYPT);
    message.data[message.size - 1] ^= 1;
    expect(2, layout);
    begin();
    error = sotto_mls_process(to->group, sotto_buf_view(&message), &received);
    end("process a message", unless_marked(error, sotto_buf_view(&received.data)), SOTTO_OK);
    sotto_mls_received_clear(&received);
}

/* A proposal by reference, whose maker keeps the new leaf's private key; the commit of it is kept
 * as bytes before it is entered. */
static void one_update(struct member *from, struct member *by)
{
    static const enum layout layout[] = {ALL_PUBLIC, ALL_PUBLIC, SECRET_WHOLE};
    const sotto_mls_proposal update = {.type = SOTTO_MLS_UPDATE};
    sotto_mls_received received = {0};
    sotto_mls_staged *staged = NULL;
    sotto_buf_clear(&message);
    begin();
    sotto_error error = sotto_mls_propose(from->group, &update, NULL, SOTTO_MLS_PRIVATE, &message);
    end("propose an Update", error, SOTTO_OK);
    expect(2, layout);
    begin();
    error = sotto_mls_process(by->group, sotto_buf_view(&message), &received);
    end("process a proposal", error, SOTTO_OK);
    sotto_mls_received_clear(&received);
    sotto_buf_clear(&commit);
    sotto_buf_clear(&welcome);
    error = sotto_mls_commit(by->group, NULL, &commit, &welcome, &staged);
    sotto_buf_clear(&saved);
    begin();
    if (error == SOTTO_OK)
        error = sotto_mls_staged_save(staged, &saved);
    end("staged_save", error, SOTTO_OK);
    sotto_mls_staged_drop(staged);
    staged = NULL;
    begin();
    error = sotto_mls_staged_load(by->group, sotto_buf_view(&saved), &staged);
    end("staged_load", error, SOTTO_OK);
    if (error == SOTTO_OK)
        sotto_mls_staged_apply(by->group, staged);
    expect(3, layout);
    begin();
    error = sotto_mls_process(from->group, sotto_buf_view(&commit), &received);
    end("process a commit of one's Update", error, SOTTO_OK);
    if (error == SOTTO_OK)
        sotto_mls_staged_apply(from->group, received.staged);
}

static sotto_error put(void *ctx, uint32_t kind, uint32_t index, sotto_bytes value)
{
    (void)ctx;
    const uint32_t header[3] = {kind, index, (uint32_t)value.size};
    sotto_error error = sotto_buf_append(&saved, (const uint8_t *)header, sizeof header);
    return error == SOTTO_OK ? sotto_buf_append(&saved, value.data, value.size) : error;
}

static sotto_error erase(void *ctx, uint32_t kind, uint32_t index)
{
    (void)ctx;
    (void)kind;
    (void)index;
    return SOTTO_OK;
}

static sotto_error next(void *ctx, uint32_t *kind, uint32_t *index, sotto_bytes *value)
{
    size_t *at = ctx;
    uint32_t header[3];
    if (*at == saved.size)
        return SOTTO_NOT_FOUND;
    memcpy(header, saved.data + *at, sizeof header);
    *kind = header[0];
    *index = header[1];
    *value = sotto_bytes_of(saved.data + *at + sizeof header, header[2]);
    *at += sizeof header + header[2];
    return SOTTO_OK;
}

static void keep(struct member *m)
{
    const sotto_mls_store store = {NULL, put, erase};
    size_t at = 0;
    sotto_buf_clear(&saved);
    begin();
    sotto_error error = sotto_mls_group_save(m->group, &store);
    end("group_save", error, SOTTO_OK);
    sotto_mls_group_free(m->group);
    m->group = NULL;
    begin();
    error = sotto_mls_group_load(m->mls, &m->identity, next, &at, &m->group);
    end("group_load", error, SOTTO_OK);
}

static void exports(struct member *m)
{
    begin();
    sotto_buf_clear(&message);
    sotto_error error =
        sotto_mls_export(m->group, "label", sotto_bytes_str("context"), 32, &message);
    end("export", unless_marked(error, sotto_buf_view(&message)), SOTTO_OK);
    begin();
    sotto_buf_clear(&message);
    error = sotto_mls_safe_export(m->group, 7, &message);
    end("safe_export", unless_marked(error, sotto_buf_view(&message)), SOTTO_OK);
    begin();
    sotto_buf_clear(&message);
    error = sotto_mls_resumption_psk(m->group, &message);
    end("resumption_psk", unless_marked(error, sotto_buf_view(&message)), SOTTO_OK);
    begin();
    sotto_bytes authenticator = sotto_mls_epoch_authenticator(m->group);
    end("epoch_authenticator", unless_marked(SOTTO_OK, authenticator), SOTTO_OK);
}

static void run_suite(void)
{
    static const enum layout of_welcome[] = {GROUP_SECRETS, ALL_PUBLIC};
    struct member alice = {0}, bob = {0}, carol = {0};
    printf("# %s\n", sotto_mls_suite_name(suite));
    member_start(&alice, "alice");
    member_start(&bob, "bob");
    member_start(&carol, "carol");
    begin();
    sotto_error error = sotto_mls_group_create(alice.mls, &alice.identity, sotto_bytes_str("group"),
                                               NULL, 0, &alice.group);
    end("group_create", error, SOTTO_OK);
    const sotto_mls_proposal add = {.type = SOTTO_MLS_ADD,
                                    .u.add.key_package = sotto_buf_view(&bob.package)};
    one_commit(&alice, NULL, (sotto_mls_commit_options){.proposals = &add, .proposal_count = 1},
               SOTTO_MLS_PRIVATE);
    expect(2, of_welcome);
    begin();
    error = sotto_mls_join(bob.mls, &bob.identity, sotto_buf_view(&bob.package),
                           sotto_buf_view(&bob.secrets), sotto_buf_view(&welcome), (sotto_bytes){0},
                           &bob.group);
    end("join", error, SOTTO_OK);
    one_message(&bob, &alice);
    const sotto_mls_proposal psk = {.type = SOTTO_MLS_PSK, .u.psk.id = sotto_bytes_str("shared")};
    one_commit(&bob, &alice, (sotto_mls_commit_options){.proposals = &psk, .proposal_count = 1},
               SOTTO_MLS_PRIVATE);
    one_commit(&alice, &bob, (sotto_mls_commit_options){0}, SOTTO_MLS_PUBLIC);
    one_update(&bob, &alice);
    one_message(&alice, &bob);
    keep(&alice);
    one_message(&bob, &alice);
    exports(&alice);
    /* Carol joins by herself: HPKE's exporter. */
    sotto_buf_clear(&message);
    begin();
    error = sotto_mls_group_info(alice.group, true, true, &message);
    end("group_info", error, SOTTO_OK);
    sotto_buf_clear(&commit);
    begin();
    error = sotto_mls_external_join(carol.mls, &carol.identity, sotto_buf_view(&message),
                                    (sotto_bytes){0}, NULL, &commit, &carol.group);
    end("external_join", error, SOTTO_OK);
    sotto_mls_received received = {0};
    static const enum layout path[] = {SECRET_WHOLE};
    expect(1, path);
    begin();
    error = sotto_mls_process(alice.group, sotto_buf_view(&commit), &received);
    end("process an external commit", error, SOTTO_OK);
    if (error == SOTTO_OK)
        sotto_mls_staged_apply(alice.group, received.staged);
    one_message(&carol, &alice);
    member_stop(&alice);
    member_stop(&bob);
    member_stop(&carol);
}

int main(void)
{
    static const uint16_t suites[] = {
        SOTTO_MLS_X25519_AES128_SHA256_ED25519, SOTTO_MLS_X25519_CHACHA_SHA256_ED25519,
        SOTTO_MLS_X448_AES256_SHA512_ED448, SOTTO_MLS_XWING_CHACHA_SHA256_ED25519};
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (!RUNNING_ON_VALGRIND)
        return 77;
    env = *sotto_env_system();
    env.random = tainted_random;
    provider = *DEFAULT;
    provider.seal = tainted_seal;
    provider.open = tainted_open;
    provider.dh_public = tainted_dh_public;
    provider.dh_agree = tainted_dh_agree;
    provider.signature_public = tainted_signature_public;
    provider.sign = tainted_sign;
    provider.verify = tainted_verify;
    sotto_buf *bufs[] = {&commit, &welcome, &message, &saved};
    for (size_t i = 0; i < 4; i++)
        sotto_buf_init(bufs[i], &env);
    for (size_t i = 0; i < sizeof suites / sizeof suites[0]; i++) {
        suite = suites[i];
        run_suite();
    }
    for (size_t i = 0; i < 4; i++)
        sotto_buf_free(bufs[i]);
    return failures == 0 ? 0 : 1;
}
