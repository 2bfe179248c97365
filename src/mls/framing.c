#include "mls/framing.h"

#include "mls/limits.h"

/* ---- FramedContent --------------------------------------------------------------------------- */

static void sender_read(struct reader *reader, struct sender *sender)
{
    *sender = (struct sender){.type = reader_u8(reader, "Sender.sender_type")};
    switch (sender->type) {
    case SENDER_MEMBER:
        sender->index = reader_u32(reader, "Sender.leaf_index");
        break;
    case SENDER_EXTERNAL:
        sender->index = reader_u32(reader, "Sender.sender_index");
        break;
    case SENDER_NEW_MEMBER_PROPOSAL:
    case SENDER_NEW_MEMBER_COMMIT:
        break;
    default:
        reader_fail(reader, SOTTO_VALUE, "Sender.sender_type");
    }
}

static void sender_write(struct writer *writer, const struct sender *sender)
{
    writer_u8(writer, sender->type);
    if (sender->type == SENDER_MEMBER || sender->type == SENDER_EXTERNAL)
        writer_u32(writer, sender->index);
}

void content_body_read(struct reader *reader, struct arena *arena, struct framed_content *content)
{
    switch (content->content_type) {
    case CONTENT_APPLICATION:
        content->u.application =
            reader_vector(reader, LIMIT_MESSAGE, "FramedContent.application_data");
        break;
    case CONTENT_PROPOSAL:
        proposal_read(reader, arena, &content->u.proposal);
        break;
    case CONTENT_COMMIT:
        commit_read(reader, arena, &content->u.commit);
        break;
    default:
        reader_fail(reader, SOTTO_VALUE, "FramedContent.content_type");
    }
}

void content_body_write(struct writer *writer, const struct framed_content *content)
{
    switch (content->content_type) {
    case CONTENT_APPLICATION:
        writer_vector(writer, content->u.application);
        break;
    case CONTENT_PROPOSAL:
        proposal_write(writer, &content->u.proposal);
        break;
    default:
        commit_write(writer, &content->u.commit);
    }
}

void framed_content_read(struct reader *reader, struct arena *arena, struct framed_content *content)
{
    *content = (struct framed_content){0};
    content->group_id = reader_vector(reader, LIMIT_GROUP_ID, "FramedContent.group_id");
    content->epoch = reader_u64(reader, "FramedContent.epoch");
    sender_read(reader, &content->sender);
    content->authenticated =
        reader_vector(reader, LIMIT_MESSAGE, "FramedContent.authenticated_data");
    content->content_type = reader_u8(reader, "FramedContent.content_type");
    content_body_read(reader, arena, content);
}

void framed_header_write(struct writer *writer, const struct framed_content *content)
{
    writer_vector(writer, content->group_id);
    writer_u64(writer, content->epoch);
    sender_write(writer, &content->sender);
    writer_vector(writer, content->authenticated);
    writer_u8(writer, content->content_type);
}

void framed_content_write(struct writer *writer, const struct framed_content *content)
{
    framed_header_write(writer, content);
    content_body_write(writer, content);
}

void content_auth_read(struct reader *reader, uint8_t content_type, struct content_auth *auth)
{
    *auth = (struct content_auth){0};
    auth->signature = reader_vector(reader, LIMIT_SIGNATURE, "FramedContentAuthData.signature");
    if (content_type == CONTENT_COMMIT)
        auth->confirmation_tag =
            reader_vector(reader, LIMIT_HASH, "FramedContentAuthData.confirmation_tag");
}

void content_auth_write(struct writer *writer, uint8_t content_type,
                        const struct content_auth *auth)
{
    writer_vector(writer, auth->signature);
    if (content_type == CONTENT_COMMIT)
        writer_vector(writer, auth->confirmation_tag);
}

/* ---- PublicMessage, PrivateMessage ----------------------------------------------------------- */

static void public_message_read(struct reader *reader, struct arena *arena,
                                struct public_message *message)
{
    size_t start = reader->pos;
    framed_content_read(reader, arena, &message->content);
    message->content_bytes = reader_since(reader, start);
    content_auth_read(reader, message->content.content_type, &message->auth);
    message->membership_tag = (sotto_bytes){0};
    if (message->content.sender.type == SENDER_MEMBER)
        message->membership_tag = reader_vector(reader, LIMIT_HASH, "PublicMessage.membership_tag");
}

static void public_message_write(struct writer *writer, const struct public_message *message)
{
    framed_content_write(writer, &message->content);
    content_auth_write(writer, message->content.content_type, &message->auth);
    if (message->content.sender.type == SENDER_MEMBER)
        writer_vector(writer, message->membership_tag);
}

static void private_message_read(struct reader *reader, struct private_message *message)
{
    size_t start = reader->pos;
    message->group_id = reader_vector(reader, LIMIT_GROUP_ID, "PrivateMessage.group_id");
    message->epoch = reader_u64(reader, "PrivateMessage.epoch");
    message->content_type = reader_u8(reader, "PrivateMessage.content_type");
    if (message->content_type < CONTENT_APPLICATION || message->content_type > CONTENT_COMMIT)
        reader_fail(reader, SOTTO_VALUE, "PrivateMessage.content_type");
    message->sender_data_aad = reader_since(reader, start);
    message->authenticated =
        reader_vector(reader, LIMIT_MESSAGE, "PrivateMessage.authenticated_data");
    message->content_aad = reader_since(reader, start);
    message->encrypted_sender_data =
        reader_vector(reader, LIMIT_SENDER_DATA, "PrivateMessage.encrypted_sender_data");
    message->ciphertext = reader_vector(reader, LIMIT_MESSAGE, "PrivateMessage.ciphertext");
}

static void private_message_write(struct writer *writer, const struct private_message *message)
{
    writer_vector(writer, message->group_id);
    writer_u64(writer, message->epoch);
    writer_u8(writer, message->content_type);
    writer_vector(writer, message->authenticated);
    writer_vector(writer, message->encrypted_sender_data);
    writer_vector(writer, message->ciphertext);
}

/* ---- MLSMessage ------------------------------------------------------------------------------ */

static void message_body_read(struct reader *reader, struct arena *arena,
                              struct mls_message *message)
{
    switch (message->wire_format) {
    case WIRE_PUBLIC_MESSAGE:
        public_message_read(reader, arena, &message->u.public_message);
        break;
    case WIRE_PRIVATE_MESSAGE:
        private_message_read(reader, &message->u.private_message);
        break;
    case WIRE_WELCOME:
        welcome_read(reader, arena, &message->u.welcome);
        break;
    case WIRE_GROUP_INFO:
        group_info_read(reader, arena, &message->u.group_info);
        break;
    case WIRE_KEY_PACKAGE:
        key_package_read(reader, arena, &message->u.key_package);
        break;
    default:
        reader_fail(reader, SOTTO_VALUE, "MLSMessage.wire_format");
    }
}

sotto_error mls_message_decode(sotto_bytes input, struct arena *arena, struct mls_message *message,
                               sotto_fault *fault)
{
    struct reader reader;
    reader_init(&reader, input);
    *message = (struct mls_message){0};
    if (reader_u16(&reader, "MLSMessage.version") != MLS_VERSION_10)
        reader_fail(&reader, SOTTO_VERSION, "MLSMessage.version");
    message->wire_format = reader_u16(&reader, "MLSMessage.wire_format");
    if (reader_ok(&reader))
        message_body_read(&reader, arena, message);
    sotto_error error = reader_finish(&reader, "MLSMessage");
    if (error != SOTTO_OK)
        *fault = reader.fault;
    return error;
}

void mls_message_header_write(struct writer *writer, enum wire_format format)
{
    writer_u16(writer, MLS_VERSION_10);
    writer_u16(writer, (uint16_t)format);
}

void mls_message_write(struct writer *writer, const struct mls_message *message)
{
    mls_message_header_write(writer, (enum wire_format)message->wire_format);
    switch (message->wire_format) {
    case WIRE_PUBLIC_MESSAGE:
        public_message_write(writer, &message->u.public_message);
        break;
    case WIRE_PRIVATE_MESSAGE:
        private_message_write(writer, &message->u.private_message);
        break;
    case WIRE_WELCOME:
        welcome_write(writer, &message->u.welcome);
        break;
    case WIRE_GROUP_INFO:
        group_info_write(writer, &message->u.group_info);
        break;
    default:
        key_package_write(writer, &message->u.key_package);
    }
}
