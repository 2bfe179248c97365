/* Protecting and opening framed messages (RFC 9420, section 6).
 *
 * Sending:   message_sign -> (commit: the caller sets auth.confirmation_tag)
 *            -> message_protect_public | message_protect_private -> secret_step_commit
 * Receiving: message_open_public | message_open_sender_data + secret_tree_take +
 * message_open_private
 *            -> message_verify -> (commit: transcript, confirmation tag) -> secret_step_commit
 *
 * An authenticated content holds FramedContentTBS whole, because everything else is a part of it:
 *
 *   version | wire_format | FramedContent | GroupContext (members, new_member_commit)
 *             `------ transcript, ref -----'
 */
#ifndef MLS_MESSAGE_PROTECTION_H
#define MLS_MESSAGE_PROTECTION_H

#include "mls/framing.h"
#include "mls/secret_tree.h"
#include "mls/transcript.h"

/* What protects an epoch's messages; all borrowed. */
struct message_keys {
    struct crypto *crypto;
    const struct suite *suite;
    sotto_bytes group_context; /* serialised */
    sotto_bytes sender_data_secret;
    sotto_bytes membership_key;
    struct secret_tree *tree;
    struct secret_limits limits;
};

struct authenticated {
    uint16_t wire_format;
    struct framed_content content; /* borrows from the input, plaintext and arena */
    struct content_auth auth;
    sotto_buf tbs;
    size_t framed_end; /* of FramedContent in tbs */
    sotto_buf plaintext;
    sotto_buf signature; /* what auth.signature borrows when we signed */
    struct arena arena;
};

void authenticated_init(struct authenticated *message, const sotto_env *env);
void authenticated_free(struct authenticated *message);

/* wire_format || FramedContent */
sotto_bytes authenticated_framed(const struct authenticated *message);

/* RefHash("MLS 1.0 Proposal Reference", AuthenticatedContent) (5.2) */
sotto_error authenticated_reference(struct crypto *crypto, const struct suite *suite,
                                    const struct authenticated *message, struct hash *reference);

/* Makes TBS from message->content and message->wire_format and signs it. body: the content's body
 * already serialised. */
sotto_error message_sign(const struct message_keys *keys, struct authenticated *message,
                         sotto_bytes body, sotto_bytes private_key, sotto_bytes public_key);

/* SIGNATURE unless public_key signed it. */
sotto_error message_verify(const struct message_keys *keys, const struct authenticated *message,
                           sotto_bytes public_key);

/* Appends an MLSMessage. ARGUMENT for application data, which is never sent in the clear. */
sotto_error message_protect_public(const struct message_keys *keys,
                                   const struct authenticated *message, sotto_buf *out);

/* Appends an MLSMessage encrypted with the sender's next key, to be committed or freed by the
 * caller through step on success. */
sotto_error message_protect_private(const struct message_keys *keys,
                                    const struct authenticated *message, size_t padding,
                                    struct secret_step *step, sotto_buf *out);

/* Makes TBS alone: for one who is no member and cannot check the membership tag. */
sotto_error message_open_untagged(const struct message_keys *keys,
                                  const struct public_message *public_message,
                                  struct authenticated *message);

/* The same, and checks the membership tag (TAG) of a member's message. */
sotto_error message_open_public(const struct message_keys *keys,
                                const struct public_message *public_message,
                                struct authenticated *message);

struct sender_data {
    uint32_t leaf;
    uint32_t generation;
    uint8_t reuse_guard[4];
};

/* DECRYPT if it was not encrypted for this epoch. */
sotto_error message_open_sender_data(const struct message_keys *keys,
                                     const struct private_message *private_message,
                                     struct sender_data *sender);

/* Opens the content with the key that was taken for sender; checks that the padding is zero. */
sotto_error message_open_private(const struct message_keys *keys,
                                 const struct private_message *private_message,
                                 const struct sender_data *sender, const struct message_key *key,
                                 struct authenticated *message, sotto_fault *fault);

#endif
