/* Message framing (RFC 9420, section 6): structures, reader and writer.
 *
 *   MLSMessage = version, wire_format, one of
 *     PublicMessage  = FramedContent, FramedContentAuthData, membership_tag (members only)
 *     PrivateMessage = group_id, epoch, content_type, authenticated_data,
 *                      encrypted_sender_data, ciphertext of (content, FramedContentAuthData,
 * padding) Welcome, GroupInfo, KeyPackage
 *
 * Signatures, tags and encryption are in message_protection.h. */
#ifndef MLS_FRAMING_H
#define MLS_FRAMING_H

#include "mls/proposal.h"
#include "mls/welcome.h"

enum wire_format {
    WIRE_PUBLIC_MESSAGE = 1,
    WIRE_PRIVATE_MESSAGE = 2,
    WIRE_WELCOME = 3,
    WIRE_GROUP_INFO = 4,
    WIRE_KEY_PACKAGE = 5,
};

enum content_type { CONTENT_APPLICATION = 1, CONTENT_PROPOSAL = 2, CONTENT_COMMIT = 3 };

enum sender_type {
    SENDER_MEMBER = 1,
    SENDER_EXTERNAL = 2,
    SENDER_NEW_MEMBER_PROPOSAL = 3,
    SENDER_NEW_MEMBER_COMMIT = 4,
};

struct sender {
    uint8_t type;
    uint32_t index; /* leaf_index of a member, sender_index of an external sender */
};

struct framed_content {
    sotto_bytes group_id;
    uint64_t epoch;
    struct sender sender;
    sotto_bytes authenticated;
    uint8_t content_type;
    union {
        sotto_bytes application;
        struct proposal proposal;
        struct commit commit;
    } u;
};

/* FramedContentAuthData; the tag is for commits only. */
struct content_auth {
    sotto_bytes signature;
    sotto_bytes confirmation_tag;
};

struct public_message {
    struct framed_content content;
    sotto_bytes content_bytes; /* the FramedContent as it was read */
    struct content_auth auth;
    sotto_bytes membership_tag; /* members only */
};

struct private_message {
    sotto_bytes group_id;
    uint64_t epoch;
    uint8_t content_type;
    sotto_bytes authenticated;
    sotto_bytes encrypted_sender_data;
    sotto_bytes ciphertext;
    sotto_bytes content_aad;     /* PrivateContentAAD: the first four fields as they were read */
    sotto_bytes sender_data_aad; /* SenderDataAAD: the first three */
};

struct mls_message {
    uint16_t wire_format;
    union {
        struct public_message public_message;
        struct private_message private_message;
        struct welcome welcome;
        struct group_info group_info;
        struct key_package key_package;
    } u;
};

/* Application data, Proposal or Commit alone, as content_type says. */
void content_body_read(struct reader *reader, struct arena *arena, struct framed_content *content);
void content_body_write(struct writer *writer, const struct framed_content *content);

/* All fields before the body. */
void framed_header_write(struct writer *writer, const struct framed_content *content);
void framed_content_read(struct reader *reader, struct arena *arena,
                         struct framed_content *content);
void framed_content_write(struct writer *writer, const struct framed_content *content);

void content_auth_read(struct reader *reader, uint8_t content_type, struct content_auth *auth);
void content_auth_write(struct writer *writer, uint8_t content_type,
                        const struct content_auth *auth);

/* A whole MLSMessage, to its last byte. Borrows from input; lists live in the arena. */
sotto_error mls_message_decode(sotto_bytes input, struct arena *arena, struct mls_message *message,
                               sotto_fault *fault);
/* content_bytes of a PublicMessage is not looked at. */
void mls_message_write(struct writer *writer, const struct mls_message *message);

/* version and wire_format alone. */
void mls_message_header_write(struct writer *writer, enum wire_format format);

#endif
