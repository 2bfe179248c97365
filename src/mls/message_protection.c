#include "mls/message_protection.h"

#include <string.h>

#include "crypto/public_taint.h"

#define SENDER_DATA_SIZE 12

void authenticated_init(struct authenticated *message, const sotto_env *env)
{
    *message = (struct authenticated){0};
    sotto_buf_init(&message->tbs, env);
    sotto_buf_init(&message->plaintext, env);
    sotto_buf_init(&message->signature, env);
    arena_init(&message->arena, env);
}

void authenticated_free(struct authenticated *message)
{
    sotto_buf_free(&message->tbs);
    sotto_buf_free(&message->plaintext);
    sotto_buf_free(&message->signature);
    arena_free(&message->arena);
}

sotto_bytes authenticated_framed(const struct authenticated *message)
{
    return sotto_bytes_of(message->tbs.data + 2, message->framed_end - 2);
}

sotto_error authenticated_reference(struct crypto *crypto, const struct suite *suite,
                                    const struct authenticated *message, struct hash *reference)
{
    sotto_buf whole;
    sotto_buf_init(&whole, crypto_env(crypto));
    struct writer w;
    writer_init(&w, &whole);
    writer_fixed(&w, authenticated_framed(message));
    content_auth_write(&w, message->content.content_type, &message->auth);
    struct hash result = {.size = suite->nh};
    sotto_error error = writer_finish(&w);
    if (error == SOTTO_OK)
        error = crypto_ref_hash(crypto, suite, "MLS 1.0 Proposal Reference", sotto_buf_view(&whole),
                                result.data);
    if (error == SOTTO_OK)
        *reference = result;
    sotto_buf_free(&whole);
    return error;
}

/* ---- FramedContentTBS (6.1) ------------------------------------------------------------------ */

static bool covers_context(const struct framed_content *content)
{
    return content->sender.type == SENDER_MEMBER ||
           content->sender.type == SENDER_NEW_MEMBER_COMMIT;
}

/* framed: the FramedContent whole, or empty: made from the content's fields and body. */
static sotto_error make_tbs(const struct message_keys *keys, struct authenticated *message,
                            sotto_bytes framed, sotto_bytes body)
{
    struct writer w;
    TRY(sotto_buf_reserve(&message->tbs, 64 + framed.size + body.size + keys->group_context.size +
                                             message->content.group_id.size +
                                             message->content.authenticated.size));
    writer_init(&w, &message->tbs);
    mls_message_header_write(&w, (enum wire_format)message->wire_format);
    if (framed.size > 0) {
        writer_fixed(&w, framed);
    } else {
        framed_header_write(&w, &message->content);
        writer_fixed(&w, body);
    }
    message->framed_end = message->tbs.size;
    if (covers_context(&message->content))
        writer_fixed(&w, keys->group_context);
    return writer_finish(&w);
}

sotto_error message_sign(const struct message_keys *keys, struct authenticated *message,
                         sotto_bytes body, sotto_bytes private_key, sotto_bytes public_key)
{
    TRY(make_tbs(keys, message, (sotto_bytes){0}, body));
    TRY(crypto_sign_with_label(keys->crypto, keys->suite, private_key, public_key,
                               "FramedContentTBS", sotto_buf_view(&message->tbs),
                               &message->signature));
    message->auth.signature = sotto_buf_view(&message->signature);
    return SOTTO_OK;
}

sotto_error message_verify(const struct message_keys *keys, const struct authenticated *message,
                           sotto_bytes public_key)
{
    return crypto_verify_with_label(keys->crypto, keys->suite, public_key, "FramedContentTBS",
                                    sotto_buf_view(&message->tbs), message->auth.signature);
}

/* The body as it stands in TBS. */
static sotto_bytes body_of(const struct authenticated *message, sotto_buf *header)
{
    struct writer w;
    writer_init(&w, header);
    framed_header_write(&w, &message->content);
    if (writer_finish(&w) != SOTTO_OK)
        return (sotto_bytes){0};
    size_t start = 4 + header->size;
    return sotto_bytes_of(message->tbs.data + start, message->framed_end - start);
}

/* ---- PublicMessage (6.2) --------------------------------------------------------------------- */

/* MAC(membership_key, FramedContentTBS || FramedContentAuthData) */
static sotto_error membership_tag(const struct message_keys *keys,
                                  const struct authenticated *message, struct hash *tag)
{
    sotto_buf auth;
    sotto_buf_init(&auth, crypto_env(keys->crypto));
    struct writer w;
    writer_init(&w, &auth);
    content_auth_write(&w, message->content.content_type, &message->auth);
    sotto_error error = writer_finish(&w);
    const sotto_bytes parts[] = {sotto_buf_view(&message->tbs), sotto_buf_view(&auth)};
    *tag = (struct hash){.size = keys->suite->nh};
    if (error == SOTTO_OK)
        error = crypto_mac(keys->crypto, keys->suite, keys->membership_key, parts, 2, tag->data);
    sotto_buf_free(&auth);
    return error;
}

/* RFC 9420, 6. */
sotto_error message_protect_public(const struct message_keys *keys,
                                   const struct authenticated *message, sotto_buf *out)
{
    if (message->content.content_type == CONTENT_APPLICATION)
        return SOTTO_ARGUMENT;
    bool member = message->content.sender.type == SENDER_MEMBER;
    struct hash tag;
    if (member)
        TRY(membership_tag(keys, message, &tag));
    struct writer w;
    writer_init(&w, out);
    /* version, wire_format and FramedContent stand in TBS as they are sent. */
    writer_fixed(&w, sotto_bytes_of(message->tbs.data, message->framed_end));
    content_auth_write(&w, message->content.content_type, &message->auth);
    if (member)
        writer_vector(&w, hash_view(&tag));
    return writer_finish(&w);
}

sotto_error message_open_untagged(const struct message_keys *keys,
                                  const struct public_message *public_message,
                                  struct authenticated *message)
{
    message->wire_format = WIRE_PUBLIC_MESSAGE;
    message->content = public_message->content;
    message->auth = public_message->auth;
    return make_tbs(keys, message, public_message->content_bytes, (sotto_bytes){0});
}

sotto_error message_open_public(const struct message_keys *keys,
                                const struct public_message *public_message,
                                struct authenticated *message)
{
    TRY(message_open_untagged(keys, public_message, message));
    if (message->content.sender.type != SENDER_MEMBER)
        return SOTTO_OK;
    struct hash tag;
    TRY(membership_tag(keys, message, &tag));
    bool equal = sotto_bytes_equal_secret(hash_view(&tag), public_message->membership_tag);
    public_from_here(&equal, sizeof equal);
    return equal ? SOTTO_OK : SOTTO_TAG;
}

/* ---- PrivateMessage (6.3) -------------------------------------------------------------------- */

static void guarded_nonce(const struct suite *suite, const struct message_key *key,
                          const uint8_t guard[static 4], uint8_t nonce[static AEAD_NONCE_MAX])
{
    memcpy(nonce, key->nonce, suite->nn);
    for (size_t i = 0; i < 4; i++)
        nonce[i] ^= guard[i];
}

static sotto_error seal_sender_data(const struct message_keys *keys,
                                    const struct sender_data *sender, sotto_bytes aad,
                                    sotto_bytes ciphertext, uint8_t *out)
{
    uint8_t plain[SENDER_DATA_SIZE];
    for (size_t i = 0; i < 4; i++) {
        plain[i] = (uint8_t)(sender->leaf >> (24 - 8 * i));
        plain[4 + i] = (uint8_t)(sender->generation >> (24 - 8 * i));
        plain[8 + i] = sender->reuse_guard[i];
    }
    struct secret key = {0}, nonce = {0};
    sotto_error error = sender_data_key(keys->crypto, keys->suite, keys->sender_data_secret,
                                        ciphertext, &key, &nonce);
    if (error == SOTTO_OK)
        error = crypto_seal(keys->crypto, keys->suite, secret_view(&key), secret_view(&nonce), aad,
                            sotto_bytes_of(plain, sizeof plain), out);
    secret_wipe(&key);
    secret_wipe(&nonce);
    return error;
}

/* Where the parts of a PrivateMessage lie in the output. */
struct layout {
    size_t aad, aad_end, sender_aad_end, sender_data, ciphertext;
};

/* Writes all fields, the content still plain and room for both tags. */
static sotto_error write_plain(const struct message_keys *keys, const struct authenticated *message,
                               sotto_bytes body, size_t padding, struct layout *layout,
                               sotto_buf *out)
{
    static const uint8_t zero[SENDER_DATA_SIZE + AEAD_TAG];
    const struct framed_content *content = &message->content;
    struct writer w;
    TRY(sotto_buf_reserve(out, 256 + body.size + padding + content->authenticated.size +
                                   content->group_id.size + message->auth.signature.size));
    writer_init(&w, out);
    mls_message_header_write(&w, WIRE_PRIVATE_MESSAGE);
    layout->aad = out->size;
    writer_vector(&w, content->group_id);
    writer_u64(&w, content->epoch);
    writer_u8(&w, content->content_type);
    layout->sender_aad_end = out->size;
    writer_vector(&w, content->authenticated);
    layout->aad_end = out->size;
    writer_vector(&w, sotto_bytes_of(zero, sizeof zero));
    layout->sender_data = out->size - sizeof zero;

    size_t opened = writer_open(&w);
    writer_fixed(&w, body);
    content_auth_write(&w, content->content_type, &message->auth);
    uint8_t *unused;
    if (w.error == SOTTO_OK)
        w.error = sotto_buf_extend(out, padding, &unused);
    writer_fixed(&w, sotto_bytes_of(zero, AEAD_TAG));
    size_t size = out->size - opened;
    writer_close(&w, opened);
    TRY(writer_finish(&w));
    layout->ciphertext = out->size - size;
    (void)keys;
    return SOTTO_OK;
}

static sotto_error encrypt_in_place(const struct message_keys *keys, const struct layout *layout,
                                    struct sender_data *sender, const struct message_key *key,
                                    sotto_buf *out)
{
    const struct suite *suite = keys->suite;
    const sotto_env *env = crypto_env(keys->crypto);
    TRY(env->random(env->ctx, sender->reuse_guard, sizeof sender->reuse_guard));
    uint8_t nonce[AEAD_NONCE_MAX];
    guarded_nonce(suite, key, sender->reuse_guard, nonce);
    uint8_t *at = out->data + layout->ciphertext;
    size_t size = out->size - layout->ciphertext;
    sotto_bytes aad = sotto_bytes_of(out->data + layout->aad, layout->aad_end - layout->aad);
    TRY(crypto_seal(keys->crypto, suite, sotto_bytes_of(key->key, suite->nk),
                    sotto_bytes_of(nonce, suite->nn), aad, sotto_bytes_of(at, size - AEAD_TAG),
                    at));
    aad.size = layout->sender_aad_end - layout->aad;
    return seal_sender_data(keys, sender, aad, sotto_bytes_of(at, size),
                            out->data + layout->sender_data);
}

sotto_error message_protect_private(const struct message_keys *keys,
                                    const struct authenticated *message, size_t padding,
                                    struct secret_step *step, sotto_buf *out)
{
    if (message->content.sender.type != SENDER_MEMBER)
        return SOTTO_ARGUMENT; /* 6.3.2 */
    size_t before = out->size;
    struct layout layout;
    sotto_buf header;
    sotto_buf_init(&header, crypto_env(keys->crypto));
    sotto_bytes body = body_of(message, &header);
    sotto_buf_free(&header);
    if (body.size == 0)
        return SOTTO_NO_MEMORY;
    TRY(write_plain(keys, message, body, padding, &layout, out));

    enum ratchet_type type = message->content.content_type == CONTENT_APPLICATION
                                 ? RATCHET_APPLICATION
                                 : RATCHET_HANDSHAKE;
    struct sender_data sender = {.leaf = message->content.sender.index};
    sotto_error error = secret_tree_take_next(keys->tree, sender.leaf, type, step);
    if (error == SOTTO_OK) {
        sender.generation = step->key.generation;
        error = encrypt_in_place(keys, &layout, &sender, &step->key, out);
        if (error != SOTTO_OK)
            secret_step_free(step);
    }
    if (error != SOTTO_OK) {
        wipe(out->data + before, out->size - before);
        out->size = before;
    }
    return error;
}

sotto_error message_open_sender_data(const struct message_keys *keys,
                                     const struct private_message *private_message,
                                     struct sender_data *sender)
{
    if (private_message->encrypted_sender_data.size != SENDER_DATA_SIZE + AEAD_TAG)
        return SOTTO_DECRYPT;
    uint8_t plain[SENDER_DATA_SIZE];
    struct secret key = {0}, nonce = {0};
    sotto_error error = sender_data_key(keys->crypto, keys->suite, keys->sender_data_secret,
                                        private_message->ciphertext, &key, &nonce);
    if (error == SOTTO_OK)
        error = crypto_open(keys->crypto, keys->suite, secret_view(&key), secret_view(&nonce),
                            private_message->sender_data_aad,
                            private_message->encrypted_sender_data, plain);
    secret_wipe(&key);
    secret_wipe(&nonce);
    if (error != SOTTO_OK)
        return error;
    struct reader r;
    reader_init(&r, sotto_bytes_of(plain, sizeof plain));
    sender->leaf = reader_u32(&r, "SenderData.leaf_index");
    sender->generation = reader_u32(&r, "SenderData.generation");
    reader_copy(&r, sender->reuse_guard, sizeof sender->reuse_guard, "SenderData.reuse_guard");
    return SOTTO_OK;
}

/* PrivateMessageContent: body, auth, zero padding to the end. */
static sotto_error read_content(const struct message_keys *keys, struct authenticated *message,
                                sotto_fault *fault)
{
    struct reader r;
    reader_init(&r, sotto_buf_view(&message->plaintext));
    content_body_read(&r, &message->arena, &message->content);
    sotto_bytes body = reader_since(&r, 0);
    content_auth_read(&r, message->content.content_type, &message->auth);
    uint8_t any = 0;
    for (size_t i = r.pos; i < r.end; i++)
        any |= r.start[i];
    public_from_here(&any, sizeof any);
    if (any != 0) /* 6.3.1 */
        reader_fail(&r, SOTTO_VALUE, "PrivateMessageContent.padding");
    if (!reader_ok(&r)) {
        *fault = r.fault;
        return r.fault.error;
    }
    return make_tbs(keys, message, (sotto_bytes){0}, body);
}

sotto_error message_open_private(const struct message_keys *keys,
                                 const struct private_message *private_message,
                                 const struct sender_data *sender, const struct message_key *key,
                                 struct authenticated *message, sotto_fault *fault)
{
    const struct suite *suite = keys->suite;
    sotto_bytes ciphertext = private_message->ciphertext;
    if (ciphertext.size < AEAD_TAG)
        return SOTTO_DECRYPT;
    uint8_t nonce[AEAD_NONCE_MAX];
    guarded_nonce(suite, key, sender->reuse_guard, nonce);
    uint8_t *plain;
    TRY(sotto_buf_extend(&message->plaintext, ciphertext.size - AEAD_TAG, &plain));
    TRY(crypto_open(keys->crypto, suite, sotto_bytes_of(key->key, suite->nk),
                    sotto_bytes_of(nonce, suite->nn), private_message->content_aad, ciphertext,
                    plain));
    message->wire_format = WIRE_PRIVATE_MESSAGE;
    message->content = (struct framed_content){
        .group_id = private_message->group_id,
        .epoch = private_message->epoch,
        .sender = {SENDER_MEMBER, sender->leaf},
        .authenticated = private_message->authenticated,
        .content_type = private_message->content_type,
    };
    return read_content(keys, message, fault);
}
