#include "wire/invitation.h"

#include <string.h>

#include "wire/base64.h"
#include "wire/fields.h"

#define PREFIX_SIZE (sizeof INVITATION_PREFIX - 1)

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

static bool is_space(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static sotto_bytes trim(sotto_bytes text)
{
    while (text.size > 0 && is_space(text.data[text.size - 1]))
        text.size--;
    while (text.size > 0 && is_space(text.data[0])) {
        text.data++;
        text.size--;
    }
    return text;
}

static sotto_error refuse(sotto_fault *fault, sotto_error error, const char *what)
{
    *fault = (sotto_fault){error, what, 0};
    return error;
}

/* Appends what the base64url part of the link holds. */
static sotto_error decode(sotto_bytes link, sotto_buf *bytes, sotto_fault *fault)
{
    if (link.size > WIRE_LINK_MAX)
        return refuse(fault, SOTTO_LIMIT, "invitation link");
    if (link.size < PREFIX_SIZE || memcmp(link.data, INVITATION_PREFIX, PREFIX_SIZE) != 0)
        return refuse(fault, SOTTO_VALUE, "invitation link: sotto://invite/ expected");
    uint8_t decoded[WIRE_LINK_MAX];
    size_t size = 0;
    sotto_bytes text = sotto_bytes_of(link.data + PREFIX_SIZE, link.size - PREFIX_SIZE);
    sotto_error error = base64url_read(text, decoded, sizeof decoded, &size);
    if (error != SOTTO_OK)
        refuse(fault, error, "invitation link: base64url");
    else
        error = sotto_buf_append(bytes, decoded, size);
    wipe(decoded, sizeof decoded);
    if (error == SOTTO_NO_MEMORY)
        return refuse(fault, error, "invitation link");
    return error;
}

sotto_error invitation_parse(sotto_bytes link, sotto_buf *bytes, struct invitation *invitation,
                             sotto_fault *fault)
{
    size_t start = bytes->size;
    struct invitation parsed = {0};
    struct reader reader;
    *fault = (sotto_fault){SOTTO_OK, "", 0};
    TRY(decode(trim(link), bytes, fault));
    /* A link without content may have left the buffer without a block. */
    reader_init(&reader, bytes->size == start
                             ? (sotto_bytes){0}
                             : sotto_bytes_of(bytes->data + start, bytes->size - start));
    read_invitation(&reader, &parsed);
    sotto_error error = reader_finish(&reader, "Invitation (end)");
    *fault = reader.fault;
    if (error == SOTTO_OK) {
        *invitation = parsed;
    } else if (bytes->size > start) {
        wipe(bytes->data + start, bytes->size - start);
        bytes->size = start;
    }
    return error;
}

sotto_error invitation_format(const struct invitation *invitation, sotto_buf *link)
{
    char text[WIRE_LINK_MAX + 1];
    sotto_buf bytes;
    struct writer writer;
    sotto_buf_init(&bytes, link->env);
    writer_init(&writer, &bytes);
    write_invitation(&writer, invitation);
    sotto_error error = writer_finish(&writer);
    if (error != SOTTO_OK)
        goto out;
    size_t size = base64url_size(bytes.size);
    if (PREFIX_SIZE + size > WIRE_LINK_MAX) {
        error = SOTTO_LIMIT;
        goto out;
    }
    memcpy(text, INVITATION_PREFIX, PREFIX_SIZE);
    base64url_write(sotto_buf_view(&bytes), text + PREFIX_SIZE);
    error = sotto_buf_append(link, (const uint8_t *)text, PREFIX_SIZE + size);
    wipe(text, sizeof text);
out:
    sotto_buf_free(&bytes);
    return error;
}
