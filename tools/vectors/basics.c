/* Formats without messages: deserialization, crypto-basics, key-schedule, psk_secret,
 * transcript-hashes, secret-tree. */
#include <string.h>

#include "codec/reader.h"
#include "mls/key_schedule.h"
#include "mls/message_protection.h"
#include "vectors/vectors.h"

static bool is_secret(const struct secret *secret, sotto_bytes expected)
{
    return sotto_bytes_equal(secret_view(secret), expected);
}

static bool deserialization(struct run *run, const json_t *item)
{
    struct reader r;
    reader_init(&r, field_bytes(run, item, "vlbytes_header"));
    EXPECT(reader_length(&r, "length") == field_uint(item, "length"));
    EXPECT_OK(reader_finish(&r, "header"));
    return true;
}

/* ---- crypto-basics --------------------------------------------------------------------------- */

static bool derivations(struct run *run, const json_t *item)
{
    struct secret out = {0};
    const json_t *v = json_object_get(item, "expand_with_label");
    EXPECT_OK(crypto_expand_with_label(run->crypto, run->suite, field_bytes(run, v, "secret"),
                                       field_text(v, "label"), field_bytes(run, v, "context"),
                                       (size_t)field_uint(v, "length"), &out));
    EXPECT(is_secret(&out, field_bytes(run, v, "out")));
    v = json_object_get(item, "derive_secret");
    EXPECT_OK(crypto_derive_secret(run->crypto, run->suite, field_bytes(run, v, "secret"),
                                   field_text(v, "label"), &out));
    EXPECT(is_secret(&out, field_bytes(run, v, "out")));
    v = json_object_get(item, "derive_tree_secret");
    EXPECT_OK(crypto_derive_tree_secret(
        run->crypto, run->suite, field_bytes(run, v, "secret"), field_text(v, "label"),
        (uint32_t)field_uint(v, "generation"), (size_t)field_uint(v, "length"), &out));
    EXPECT(is_secret(&out, field_bytes(run, v, "out")));
    v = json_object_get(item, "ref_hash");
    struct hash hash = {.size = run->suite->nh};
    EXPECT_OK(crypto_ref_hash(run->crypto, run->suite, field_text(v, "label"),
                              field_bytes(run, v, "value"), hash.data));
    EXPECT(sotto_bytes_equal(hash_view(&hash), field_bytes(run, v, "out")));
    return true;
}

static bool signatures(struct run *run, const json_t *v, sotto_buf *made)
{
    sotto_bytes public_key = field_bytes(run, v, "pub"), content = field_bytes(run, v, "content");
    EXPECT_OK(crypto_verify_with_label(run->crypto, run->suite, public_key, field_text(v, "label"),
                                       content, field_bytes(run, v, "signature")));
    EXPECT_OK(crypto_sign_with_label(run->crypto, run->suite, field_private(run, v, "priv"),
                                     public_key, field_text(v, "label"), content, made));
    EXPECT_OK(crypto_verify_with_label(run->crypto, run->suite, public_key, field_text(v, "label"),
                                       content, sotto_buf_view(made)));
    return true;
}

static bool encryption(struct run *run, const json_t *v, sotto_buf *plain, sotto_buf *enc,
                       sotto_buf *sealed)
{
    sotto_bytes private_key = field_private(run, v, "priv"),
                public_key = field_bytes(run, v, "pub");
    sotto_bytes context = field_bytes(run, v, "context");
    sotto_bytes plaintext = field_bytes(run, v, "plaintext");
    const char *label = field_text(v, "label");
    EXPECT_OK(crypto_decrypt_with_label(run->crypto, run->suite, private_key, public_key, label,
                                        context, field_bytes(run, v, "kem_output"),
                                        field_bytes(run, v, "ciphertext"), plain));
    EXPECT(sotto_bytes_equal(sotto_buf_view(plain), plaintext));
    EXPECT_OK(crypto_encrypt_with_label(run->crypto, run->suite, public_key, label, context,
                                        plaintext, enc, sealed));
    sotto_buf_clear(plain);
    EXPECT_OK(crypto_decrypt_with_label(run->crypto, run->suite, private_key, public_key, label,
                                        context, sotto_buf_view(enc), sotto_buf_view(sealed),
                                        plain));
    EXPECT(sotto_bytes_equal(sotto_buf_view(plain), plaintext));
    return true;
}

static bool crypto_basics(struct run *run, const json_t *item)
{
    sotto_buf a, b, c, d;
    const sotto_env *env = sotto_env_system();
    sotto_buf_init(&a, env);
    sotto_buf_init(&b, env);
    sotto_buf_init(&c, env);
    sotto_buf_init(&d, env);
    bool held = derivations(run, item) &&
                signatures(run, json_object_get(item, "sign_with_label"), &a) &&
                encryption(run, json_object_get(item, "encrypt_with_label"), &b, &c, &d);
    sotto_buf_free(&a);
    sotto_buf_free(&b);
    sotto_buf_free(&c);
    sotto_buf_free(&d);
    return held;
}

/* ---- key-schedule ---------------------------------------------------------------------------- */

static bool context_of_epoch(struct run *run, const json_t *item, const json_t *epoch,
                             size_t number, sotto_buf *out)
{
    const struct group_context context = {
        .suite = run->suite->id,
        .group_id = field_bytes(run, item, "group_id"),
        .epoch = number,
        .tree_hash = field_bytes(run, epoch, "tree_hash"),
        .confirmed_transcript_hash = field_bytes(run, epoch, "confirmed_transcript_hash"),
    };
    struct writer w;
    writer_init(&w, out);
    group_context_write(&w, &context);
    EXPECT_OK(writer_finish(&w));
    EXPECT(sotto_bytes_equal(sotto_buf_view(out), field_bytes(run, epoch, "group_context")));
    return true;
}

static bool exporter_and_external(struct run *run, const json_t *epoch,
                                  const struct epoch_secrets *secrets, sotto_buf *public_key)
{
    struct secret out = {0};
    EXPECT_OK(key_schedule_external(run->crypto, run->suite, secret_view(&secrets->external), &out,
                                    public_key));
    EXPECT(sotto_bytes_equal(sotto_buf_view(public_key), field_bytes(run, epoch, "external_pub")));
    const json_t *exporter = json_object_get(epoch, "exporter");
    EXPECT_OK(key_schedule_export(
        run->crypto, run->suite, secret_view(&secrets->exporter), field_text(exporter, "label"),
        field_bytes(run, exporter, "context"), (size_t)field_uint(exporter, "length"), &out));
    EXPECT(is_secret(&out, field_bytes(run, exporter, "secret")));
    return true;
}

static bool epoch_holds(struct run *run, const json_t *epoch, sotto_bytes context,
                        sotto_bytes init_secret, struct epoch_secrets *secrets)
{
    struct secret joiner = {0}, member = {0}, welcome = {0};
    EXPECT_OK(key_schedule_joiner(run->crypto, run->suite, init_secret,
                                  field_bytes(run, epoch, "commit_secret"), context, &joiner));
    EXPECT(is_secret(&joiner, field_bytes(run, epoch, "joiner_secret")));
    EXPECT_OK(key_schedule_member(run->crypto, run->suite, secret_view(&joiner),
                                  field_bytes(run, epoch, "psk_secret"), &member));
    EXPECT_OK(
        crypto_derive_secret(run->crypto, run->suite, secret_view(&member), "welcome", &welcome));
    EXPECT(is_secret(&welcome, field_bytes(run, epoch, "welcome_secret")));
    EXPECT_OK(key_schedule_epoch(run->crypto, run->suite, secret_view(&member), context, secrets));
    const struct {
        const char *name;
        const struct secret *secret;
    } derived[] = {
        {"init_secret", &secrets->init},
        {"sender_data_secret", &secrets->sender_data},
        {"encryption_secret", &secrets->encryption},
        {"exporter_secret", &secrets->exporter},
        {"epoch_authenticator", &secrets->epoch_authenticator},
        {"external_secret", &secrets->external},
        {"confirmation_key", &secrets->confirmation_key},
        {"membership_key", &secrets->membership_key},
        {"resumption_psk", &secrets->resumption_psk},
    };
    for (size_t i = 0; i < sizeof derived / sizeof derived[0]; i++)
        EXPECT(is_secret(derived[i].secret, field_bytes(run, epoch, derived[i].name)));
    return true;
}

static bool key_schedule(struct run *run, const json_t *item)
{
    struct secret init = {0};
    EXPECT_OK(secret_set(&init, field_bytes(run, item, "initial_init_secret")));
    size_t number;
    json_t *epoch;
    json_array_foreach(json_object_get(item, "epochs"), number, epoch)
    {
        sotto_buf context, public_key;
        sotto_buf_init(&context, sotto_env_system());
        sotto_buf_init(&public_key, sotto_env_system());
        struct epoch_secrets secrets = {0};
        bool held =
            context_of_epoch(run, item, epoch, number, &context) &&
            epoch_holds(run, epoch, sotto_buf_view(&context), secret_view(&init), &secrets) &&
            exporter_and_external(run, epoch, &secrets, &public_key);
        init = secrets.init;
        sotto_buf_free(&context);
        sotto_buf_free(&public_key);
        if (!held)
            return false;
    }
    return true;
}

/* ---- psk_secret, transcript-hashes, secret-tree ---------------------------------------------- */

static bool psk_secret(struct run *run, const json_t *item)
{
    const json_t *psks = json_object_get(item, "psks");
    size_t count = json_array_size(psks), number;
    struct psk_id *ids = arena_array(&run->arena, count + 1, sizeof *ids);
    sotto_bytes *keys = arena_array(&run->arena, count + 1, sizeof *keys);
    BUG_UNLESS(ids != NULL && keys != NULL);
    json_t *psk;
    json_array_foreach(psks, number, psk)
    {
        ids[number] = (struct psk_id){
            .type = PSK_EXTERNAL,
            .id = field_bytes(run, psk, "psk_id"),
            .nonce = field_bytes(run, psk, "psk_nonce"),
        };
        keys[number] = field_bytes(run, psk, "psk");
    }
    struct secret out = {0};
    EXPECT_OK(psk_secret_compute(run->crypto, run->suite, ids, keys, count, &out));
    EXPECT(is_secret(&out, field_bytes(run, item, "psk_secret")));
    return true;
}

static bool transcript(struct run *run, const json_t *item)
{
    sotto_bytes input = field_bytes(run, item, "authenticated_content");
    struct reader r;
    reader_init(&r, input);
    reader_u16(&r, "wire_format");
    struct framed_content content;
    framed_content_read(&r, &run->arena, &content);
    sotto_bytes framed = reader_since(&r, 0);
    struct content_auth auth;
    content_auth_read(&r, content.content_type, &auth);
    EXPECT_OK(reader_finish(&r, "AuthenticatedContent"));
    EXPECT(content.content_type == CONTENT_COMMIT);
    struct hash confirmed, interim, tag;
    EXPECT_OK(transcript_confirmed(run->crypto, run->suite,
                                   field_bytes(run, item, "interim_transcript_hash_before"), framed,
                                   auth.signature, &confirmed));
    EXPECT(sotto_bytes_equal(hash_view(&confirmed),
                             field_bytes(run, item, "confirmed_transcript_hash_after")));
    EXPECT_OK(transcript_tag(run->crypto, run->suite, field_bytes(run, item, "confirmation_key"),
                             hash_view(&confirmed), &tag));
    EXPECT(sotto_bytes_equal(hash_view(&tag), auth.confirmation_tag));
    EXPECT_OK(transcript_interim(run->crypto, run->suite, hash_view(&confirmed), hash_view(&tag),
                                 &interim));
    EXPECT(sotto_bytes_equal(hash_view(&interim),
                             field_bytes(run, item, "interim_transcript_hash_after")));
    return true;
}

static bool generation_holds(struct run *run, struct secret_tree *tree, uint32_t leaf,
                             enum ratchet_type type, const json_t *generation)
{
    static const struct secret_limits limits = {1000, 100};
    const bool handshake = type == RATCHET_HANDSHAKE;
    struct secret_step step;
    EXPECT_OK(secret_tree_take(tree, leaf, type, (uint32_t)field_uint(generation, "generation"),
                               &limits, &step));
    sotto_bytes key = sotto_bytes_of(step.key.key, run->suite->nk);
    sotto_bytes nonce = sotto_bytes_of(step.key.nonce, run->suite->nn);
    bool held =
        sotto_bytes_equal(
            key, field_bytes(run, generation, handshake ? "handshake_key" : "application_key")) &&
        sotto_bytes_equal(nonce, field_bytes(run, generation,
                                             handshake ? "handshake_nonce" : "application_nonce"));
    secret_step_commit(&step, &limits);
    secret_step_free(&step);
    EXPECT(held);
    return true;
}

static bool leaves_hold(struct run *run, struct secret_tree *tree, const json_t *leaves)
{
    size_t leaf, number;
    json_t *generations, *generation;
    json_array_foreach(leaves, leaf, generations)
    {
        json_array_foreach(generations, number, generation)
        {
            EXPECT(generation_holds(run, tree, (uint32_t)leaf, RATCHET_HANDSHAKE, generation));
            EXPECT(generation_holds(run, tree, (uint32_t)leaf, RATCHET_APPLICATION, generation));
        }
    }
    return true;
}

static bool secret_tree(struct run *run, const json_t *item)
{
    const json_t *sender = json_object_get(item, "sender_data");
    const json_t *leaves = json_object_get(item, "leaves");
    struct secret key = {0}, nonce = {0};
    EXPECT_OK(sender_data_key(run->crypto, run->suite,
                              field_bytes(run, sender, "sender_data_secret"),
                              field_bytes(run, sender, "ciphertext"), &key, &nonce));
    EXPECT(is_secret(&key, field_bytes(run, sender, "key")));
    EXPECT(is_secret(&nonce, field_bytes(run, sender, "nonce")));
    uint32_t width = 1;
    while (width < json_array_size(leaves))
        width *= 2;
    struct secret_tree tree;
    EXPECT_OK(secret_tree_init(&tree, run->crypto, run->suite, width,
                               field_bytes(run, item, "encryption_secret")));
    bool held = leaves_hold(run, &tree, leaves);
    secret_tree_free(&tree);
    return held;
}

const struct format formats_basics[] = {
    {"deserialization", {"vlbytes_header"}, deserialization},
    {"crypto-basics", {"ref_hash", "sign_with_label"}, crypto_basics},
    {"key-schedule", {"initial_init_secret"}, key_schedule},
    {"psk_secret", {"psk_secret", "psks"}, psk_secret},
    {"transcript-hashes", {"authenticated_content"}, transcript},
    {"secret-tree", {"sender_data", "leaves"}, secret_tree},
    {0},
};
