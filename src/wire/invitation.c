#include "wire/invitation.h"

#include "wire/fields.h"
#include "wire/link_text.h"

static void read_invitation(struct reader *reader, struct invitation *invitation)
{
    size_t at = reader->pos;
    if (reader_u8(reader, "Invitation.version") != 1)
        reader_fail_at(reader, at, SOTTO_VERSION, "Invitation.version");
    invitation->relay = reader_address(reader, false, "Invitation.relay");
    reader_copy(reader, invitation->account.bytes, ACCOUNT_ID_SIZE, "Invitation.account_id");
    reader_copy(reader, invitation->device.bytes, DEVICE_ID_SIZE, "Invitation.device_id");
    invitation->capability = reader_fixed(reader, CAPABILITY_SIZE, "Invitation.capability");
    invitation->expires = reader_u64(reader, "Invitation.expires");
    invitation->name = reader_text(reader, WIRE_NAME_MAX, "Invitation.name");
}

static void write_invitation(struct writer *writer, const struct invitation *invitation)
{
    writer_u8(writer, 1);
    writer_address(writer, invitation->relay, false);
    writer_fixed(writer, sotto_bytes_of(invitation->account.bytes, ACCOUNT_ID_SIZE));
    writer_fixed(writer, sotto_bytes_of(invitation->device.bytes, DEVICE_ID_SIZE));
    writer_exact(writer, invitation->capability, CAPABILITY_SIZE);
    writer_u64(writer, invitation->expires);
    writer_text(writer, invitation->name, WIRE_NAME_MAX);
}

static const struct link_text form = {
    .prefix = INVITATION_PREFIX,
    .limit = "invitation link",
    .expected = "invitation link: sotto://invite/ expected",
    .base64url = "invitation link: base64url",
};

sotto_error invitation_parse(sotto_bytes link, sotto_buf *bytes, struct invitation *invitation,
                             sotto_fault *fault)
{
    size_t start = bytes->size;
    struct invitation parsed = {0};
    struct reader reader;
    sotto_bytes content;
    *fault = (sotto_fault){SOTTO_OK, "", 0};
    TRY(link_text_read(&form, link, bytes, &content, fault));
    reader_init(&reader, content);
    read_invitation(&reader, &parsed);
    sotto_error error = reader_finish(&reader, "Invitation (end)");
    *fault = reader.fault;
    if (error == SOTTO_OK)
        *invitation = parsed;
    else
        link_text_forget(bytes, start);
    return error;
}

sotto_error invitation_format(const struct invitation *invitation, sotto_buf *link)
{
    sotto_buf bytes;
    struct writer writer;
    sotto_buf_init(&bytes, link->env);
    writer_init(&writer, &bytes);
    write_invitation(&writer, invitation);
    sotto_error error = writer_finish(&writer);
    if (error == SOTTO_OK)
        error = link_text_write(&form, sotto_buf_view(&bytes), link);
    sotto_buf_free(&bytes);
    return error;
}
