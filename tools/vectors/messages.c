/* Formats of whole messages: message-protection, messages, welcome. */
#include <string.h>

#include "mls/key_schedule.h"
#include "mls/message_protection.h"
#include "vectors/vectors.h"

/* ---- message-protection ---------------------------------------------------------------------- */

#define SENDER 1 /* "use the member with LeafIndex 1 as the sender" */

struct protection {
    struct message_keys keys;
    struct secret_tree tree;
    sotto_bytes signature_public, signature_private;
    uint64_t epoch;
    sotto_bytes group_id;
};

static bool protection_start(struct run *run, const json_t *item, sotto_buf *context,
                             struct protection *p)
{
    const struct group_context fields = {
        .suite = run->suite->id,
        .group_id = field_bytes(run, item, "group_id"),
        .epoch = field_uint(item, "epoch"),
        .tree_hash = field_bytes(run, item, "tree_hash"),
        .confirmed_transcript_hash = field_bytes(run, item, "confirmed_transcript_hash"),
    };
    struct writer w;
    writer_init(&w, context);
    group_context_write(&w, &fields);
    EXPECT_OK(writer_finish(&w));
    EXPECT_OK(secret_tree_init(&p->tree, run->crypto, run->suite, 2,
                               field_bytes(run, item, "encryption_secret")));
    p->keys = (struct message_keys){
        .crypto = run->crypto,
        .suite = run->suite,
        .group_context = sotto_buf_view(context),
        .sender_data_secret = field_bytes(run, item, "sender_data_secret"),
        .membership_key = field_bytes(run, item, "membership_key"),
        .tree = &p->tree,
        .limits = {1000, 100},
    };
    p->signature_public = field_bytes(run, item, "signature_pub");
    p->signature_private = field_private(run, item, "signature_priv");
    p->epoch = fields.epoch;
    p->group_id = fields.group_id;
    return true;
}

static bool body_is(struct run *run, const struct authenticated *message, sotto_bytes expected)
{
    if (message->content.content_type == CONTENT_APPLICATION) {
        EXPECT(sotto_bytes_equal(message->content.u.application, expected));
        return true;
    }
    sotto_buf body;
    sotto_buf_init(&body, sotto_env_system());
    struct writer w;
    writer_init(&w, &body);
    content_body_write(&w, &message->content);
    bool same = writer_finish(&w) == SOTTO_OK && sotto_bytes_equal(sotto_buf_view(&body), expected);
    sotto_buf_free(&body);
    EXPECT(same);
    return true;
}

static bool open_private(struct run *run, const struct protection *p,
                         const struct mls_message *wire, struct authenticated *out)
{
    struct sender_data sender;
    sotto_fault fault;
    struct secret_step step;
    EXPECT_OK(message_open_sender_data(&p->keys, &wire->u.private_message, &sender));
    EXPECT(sender.leaf == SENDER);
    enum ratchet_type type = wire->u.private_message.content_type == CONTENT_APPLICATION
                                 ? RATCHET_APPLICATION
                                 : RATCHET_HANDSHAKE;
    EXPECT_OK(secret_tree_take(p->keys.tree, sender.leaf, type, sender.generation, &p->keys.limits,
                               &step));
    sotto_error error =
        message_open_private(&p->keys, &wire->u.private_message, &sender, &step.key, out, &fault);
    /* Not committed: the same secret tree opens what we protect below. */
    secret_step_free(&step);
    EXPECT_OK(error);
    return true;
}

static bool opens(struct run *run, const struct protection *p, sotto_bytes message,
                  sotto_bytes expected)
{
    struct authenticated out;
    authenticated_init(&out, sotto_env_system());
    struct mls_message wire;
    sotto_fault fault;
    bool held = mls_message_decode(message, &run->arena, &wire, &fault) == SOTTO_OK;
    if (held && wire.wire_format == WIRE_PRIVATE_MESSAGE)
        held = open_private(run, p, &wire, &out);
    else if (held)
        held = wire.wire_format == WIRE_PUBLIC_MESSAGE &&
               message_open_public(&p->keys, &wire.u.public_message, &out) == SOTTO_OK;
    held = held && message_verify(&p->keys, &out, p->signature_public) == SOTTO_OK &&
           body_is(run, &out, expected);
    authenticated_free(&out);
    EXPECT(held);
    return true;
}

static bool protects(struct run *run, const struct protection *p, enum content_type type,
                     enum wire_format format, sotto_bytes body, sotto_bytes expected)
{
    struct authenticated message;
    authenticated_init(&message, sotto_env_system());
    message.wire_format = (uint16_t)format;
    message.content = (struct framed_content){
        .group_id = p->group_id,
        .epoch = p->epoch,
        .sender = {SENDER_MEMBER, SENDER},
        .authenticated = sotto_bytes_str("data"),
        .content_type = (uint8_t)type,
    };
    struct hash tag = {.size = run->suite->nh};
    sotto_buf out;
    sotto_buf_init(&out, sotto_env_system());
    bool held = message_sign(&p->keys, &message, body, p->signature_private, p->signature_public) ==
                SOTTO_OK;
    message.auth.confirmation_tag = hash_view(&tag);
    if (held && format == WIRE_PRIVATE_MESSAGE) {
        struct secret_step step;
        held = message_protect_private(&p->keys, &message, 33, &step, &out) == SOTTO_OK;
        if (held)
            secret_step_free(&step);
    } else if (held && type == CONTENT_APPLICATION) {
        held = message_protect_public(&p->keys, &message, &out) == SOTTO_ARGUMENT;
        authenticated_free(&message);
        return held;
    } else if (held) {
        held = message_protect_public(&p->keys, &message, &out) == SOTTO_OK;
    }
    held = held && opens(run, p, sotto_buf_view(&out), expected);
    authenticated_free(&message);
    sotto_buf_free(&out);
    EXPECT(held);
    return true;
}

static bool all_kinds(struct run *run, const struct protection *p, const json_t *item,
                      sotto_buf *application)
{
    sotto_bytes proposal = field_bytes(run, item, "proposal");
    sotto_bytes commit = field_bytes(run, item, "commit");
    sotto_bytes data = field_bytes(run, item, "application");
    struct writer w;
    writer_init(&w, application);
    writer_vector(&w, data);
    EXPECT_OK(writer_finish(&w));
    EXPECT(opens(run, p, field_bytes(run, item, "proposal_pub"), proposal));
    EXPECT(opens(run, p, field_bytes(run, item, "proposal_priv"), proposal));
    EXPECT(opens(run, p, field_bytes(run, item, "commit_pub"), commit));
    EXPECT(opens(run, p, field_bytes(run, item, "commit_priv"), commit));
    EXPECT(opens(run, p, field_bytes(run, item, "application_priv"), data));
    EXPECT(protects(run, p, CONTENT_PROPOSAL, WIRE_PUBLIC_MESSAGE, proposal, proposal));
    EXPECT(protects(run, p, CONTENT_PROPOSAL, WIRE_PRIVATE_MESSAGE, proposal, proposal));
    EXPECT(protects(run, p, CONTENT_COMMIT, WIRE_PUBLIC_MESSAGE, commit, commit));
    EXPECT(protects(run, p, CONTENT_COMMIT, WIRE_PRIVATE_MESSAGE, commit, commit));
    sotto_bytes body = sotto_buf_view(application);
    EXPECT(protects(run, p, CONTENT_APPLICATION, WIRE_PRIVATE_MESSAGE, body, data));
    EXPECT(protects(run, p, CONTENT_APPLICATION, WIRE_PUBLIC_MESSAGE, body, data));
    return true;
}

static bool message_protection(struct run *run, const json_t *item)
{
    sotto_buf context, application;
    sotto_buf_init(&context, sotto_env_system());
    sotto_buf_init(&application, sotto_env_system());
    struct protection p = {0};
    bool held = protection_start(run, item, &context, &p) && all_kinds(run, &p, item, &application);
    secret_tree_free(&p.tree);
    sotto_buf_free(&context);
    sotto_buf_free(&application);
    return held;
}

/* ---- messages -------------------------------------------------------------------------------- */

static bool message_again(struct run *run, const json_t *item, const char *name,
                          enum wire_format format)
{
    sotto_bytes input = field_bytes(run, item, name);
    struct mls_message message;
    sotto_fault fault;
    if (mls_message_decode(input, &run->arena, &message, &fault) != SOTTO_OK)
        return run_fail(run, fault.what, __LINE__);
    EXPECT(message.wire_format == format);
    sotto_buf out;
    sotto_buf_init(&out, sotto_env_system());
    struct writer w;
    writer_init(&w, &out);
    mls_message_write(&w, &message);
    bool same = writer_finish(&w) == SOTTO_OK && sotto_bytes_equal(sotto_buf_view(&out), input);
    sotto_buf_free(&out);
    EXPECT(same);
    return true;
}

static bool proposal_again(struct run *run, const json_t *item, const char *name,
                           enum proposal_type type)
{
    sotto_bytes input = field_bytes(run, item, name);
    struct reader r;
    reader_init(&r, input);
    struct proposal proposal = {.type = (uint16_t)type};
    proposal_body_read(&r, &run->arena, &proposal);
    if (reader_finish(&r, name) != SOTTO_OK)
        return run_fail(run, r.fault.what, __LINE__);
    sotto_buf out;
    sotto_buf_init(&out, sotto_env_system());
    struct writer w;
    writer_init(&w, &out);
    proposal_body_write(&w, &proposal);
    bool same = writer_finish(&w) == SOTTO_OK && sotto_bytes_equal(sotto_buf_view(&out), input);
    sotto_buf_free(&out);
    EXPECT(same);
    return true;
}

static bool parts_again(struct run *run, const json_t *item)
{
    sotto_bytes input = field_bytes(run, item, "commit");
    struct reader r;
    reader_init(&r, input);
    struct commit commit;
    commit_read(&r, &run->arena, &commit);
    EXPECT_OK(reader_finish(&r, "commit"));
    sotto_bytes secrets_input = field_bytes(run, item, "group_secrets");
    reader_init(&r, secrets_input);
    struct group_secrets secrets;
    group_secrets_read(&r, &run->arena, &secrets);
    EXPECT_OK(reader_finish(&r, "group_secrets"));

    sotto_buf out, secrets_out;
    sotto_buf_init(&out, sotto_env_system());
    sotto_buf_init(&secrets_out, sotto_env_system());
    struct writer w;
    writer_init(&w, &out);
    commit_write(&w, &commit);
    bool same = writer_finish(&w) == SOTTO_OK && sotto_bytes_equal(sotto_buf_view(&out), input);
    writer_init(&w, &secrets_out);
    group_secrets_write(&w, &secrets);
    same = same && writer_finish(&w) == SOTTO_OK &&
           sotto_bytes_equal(sotto_buf_view(&secrets_out), secrets_input);
    sotto_buf_free(&out);
    sotto_buf_free(&secrets_out);
    EXPECT(same);
    return true;
}

static bool messages(struct run *run, const json_t *item)
{
    EXPECT(message_again(run, item, "mls_welcome", WIRE_WELCOME));
    EXPECT(message_again(run, item, "mls_group_info", WIRE_GROUP_INFO));
    EXPECT(message_again(run, item, "mls_key_package", WIRE_KEY_PACKAGE));
    EXPECT(message_again(run, item, "public_message_application", WIRE_PUBLIC_MESSAGE));
    EXPECT(message_again(run, item, "public_message_proposal", WIRE_PUBLIC_MESSAGE));
    EXPECT(message_again(run, item, "public_message_commit", WIRE_PUBLIC_MESSAGE));
    EXPECT(message_again(run, item, "private_message", WIRE_PRIVATE_MESSAGE));
    EXPECT(proposal_again(run, item, "add_proposal", PROPOSAL_ADD));
    EXPECT(proposal_again(run, item, "update_proposal", PROPOSAL_UPDATE));
    EXPECT(proposal_again(run, item, "remove_proposal", PROPOSAL_REMOVE));
    EXPECT(proposal_again(run, item, "pre_shared_key_proposal", PROPOSAL_PSK));
    EXPECT(proposal_again(run, item, "re_init_proposal", PROPOSAL_REINIT));
    EXPECT(proposal_again(run, item, "external_init_proposal", PROPOSAL_EXTERNAL_INIT));
    EXPECT(proposal_again(run, item, "group_context_extensions_proposal",
                          PROPOSAL_GROUP_CONTEXT_EXTENSIONS));
    EXPECT(parts_again(run, item));
    EXPECT(tree_again(run, field_bytes(run, item, "ratchet_tree")));
    return true;
}

/* ---- welcome --------------------------------------------------------------------------------- */

static const struct encrypted_group_secrets *
entry_for(struct run *run, const struct welcome *welcome, sotto_bytes key_package)
{
    struct hash reference = {.size = run->suite->nh};
    if (crypto_ref_hash(run->crypto, run->suite, "MLS 1.0 KeyPackage Reference", key_package,
                        reference.data) != SOTTO_OK)
        return NULL;
    for (size_t i = 0; i < welcome->secret_count; i++)
        if (sotto_bytes_equal(welcome->secrets[i].new_member, hash_view(&reference)))
            return &welcome->secrets[i];
    return NULL;
}

static bool info_holds(struct run *run, const json_t *item, const struct group_info *info,
                       const struct secret *member)
{
    EXPECT_OK(crypto_verify_with_label(run->crypto, run->suite,
                                       field_bytes(run, item, "signer_pub"), "GroupInfoTBS",
                                       info->tbs, info->signature));
    struct epoch_secrets secrets;
    struct hash tag;
    EXPECT_OK(key_schedule_epoch(run->crypto, run->suite, secret_view(member), info->context_bytes,
                                 &secrets));
    EXPECT_OK(transcript_tag(run->crypto, run->suite, secret_view(&secrets.confirmation_key),
                             info->context.confirmed_transcript_hash, &tag));
    EXPECT(sotto_bytes_equal(hash_view(&tag), info->confirmation_tag));
    return true;
}

static bool secrets_open(struct run *run, const json_t *item, const struct welcome *welcome,
                         sotto_bytes key_package, sotto_buf *plain, struct secret *member)
{
    const struct encrypted_group_secrets *entry = entry_for(run, welcome, key_package);
    EXPECT(entry != NULL);
    EXPECT_OK(crypto_decrypt_with_label(
        run->crypto, run->suite, field_private(run, item, "init_priv"), (sotto_bytes){0}, "Welcome",
        welcome->encrypted_group_info, entry->kem_output, entry->ciphertext, plain));
    struct reader r;
    reader_init(&r, sotto_buf_view(plain));
    struct group_secrets secrets;
    group_secrets_read(&r, &run->arena, &secrets);
    EXPECT_OK(reader_finish(&r, "GroupSecrets"));
    struct secret zero;
    key_schedule_zero(run->suite, &zero);
    EXPECT_OK(key_schedule_member(run->crypto, run->suite, secrets.joiner_secret,
                                  secret_view(&zero), member));
    return true;
}

static bool info_opens(struct run *run, const json_t *item, const struct welcome *welcome,
                       const struct secret *member, sotto_buf *plain)
{
    struct secret key = {0}, nonce = {0};
    EXPECT_OK(key_schedule_welcome(run->crypto, run->suite, secret_view(member), &key, &nonce));
    EXPECT(welcome->encrypted_group_info.size > AEAD_TAG);
    uint8_t *at;
    EXPECT_OK(sotto_buf_extend(plain, welcome->encrypted_group_info.size - AEAD_TAG, &at));
    EXPECT_OK(crypto_open(run->crypto, run->suite, secret_view(&key), secret_view(&nonce),
                          (sotto_bytes){0}, welcome->encrypted_group_info, at));
    struct reader r;
    reader_init(&r, sotto_buf_view(plain));
    struct group_info info;
    group_info_read(&r, &run->arena, &info);
    EXPECT_OK(reader_finish(&r, "GroupInfo"));
    return info_holds(run, item, &info, member);
}

static bool welcome(struct run *run, const json_t *item)
{
    struct mls_message message, package;
    sotto_fault fault;
    sotto_bytes key_package = field_bytes(run, item, "key_package");
    EXPECT_OK(mls_message_decode(field_bytes(run, item, "welcome"), &run->arena, &message, &fault));
    EXPECT_OK(mls_message_decode(key_package, &run->arena, &package, &fault));
    EXPECT(message.wire_format == WIRE_WELCOME && package.wire_format == WIRE_KEY_PACKAGE);
    EXPECT(message.u.welcome.suite == run->suite->id);
    sotto_bytes bare = sotto_bytes_of(key_package.data + 4, key_package.size - 4);
    sotto_buf secrets, info;
    sotto_buf_init(&secrets, sotto_env_system());
    sotto_buf_init(&info, sotto_env_system());
    struct secret member = {0};
    bool held = secrets_open(run, item, &message.u.welcome, bare, &secrets, &member) &&
                info_opens(run, item, &message.u.welcome, &member, &info);
    sotto_buf_free(&secrets);
    sotto_buf_free(&info);
    return held;
}

const struct format formats_messages[] = {
    {"message-protection", {"membership_key", "proposal_pub"}, message_protection},
    {"messages", {"mls_welcome", "commit"}, messages},
    {"welcome", {"init_priv", "signer_pub"}, welcome},
    {0},
};
