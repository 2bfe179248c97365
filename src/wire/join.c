#include "wire/join.h"

#include "wire/fields.h"
#include "wire/link_text.h"
#include "wire/request_signature.h"

#define LABEL "sotto.v1 join"

/* ---- The link -------------------------------------------------------------------------------- */

static void read_link(struct reader *reader, struct join_link *link)
{
    size_t at = reader->pos;
    if (reader_u8(reader, "JoinLink.version") != 1)
        reader_fail_at(reader, at, SOTTO_VERSION, "JoinLink.version");
    link->relay = reader_address(reader, false, "JoinLink.relay");
    reader_copy(reader, link->account.bytes, ACCOUNT_ID_SIZE, "JoinLink.account_id");
    reader_copy(reader, link->device.bytes, DEVICE_ID_SIZE, "JoinLink.device_id");
    link->capability = reader_fixed(reader, CAPABILITY_SIZE, "JoinLink.capability");
    link->expires = reader_u64(reader, "JoinLink.expires");
    link->title = reader_text(reader, WIRE_TITLE_MAX, "JoinLink.title");
    link->name = reader_text(reader, WIRE_NAME_MAX, "JoinLink.name");
}

static const struct link_text form = {
    .prefix = JOIN_LINK_PREFIX,
    .limit = "join link",
    .expected = "join link: sotto://join/ expected",
    .base64url = "join link: base64url",
};

sotto_error join_link_parse(sotto_bytes text, sotto_buf *bytes, struct join_link *link,
                            sotto_fault *fault)
{
    size_t start = bytes->size;
    struct join_link parsed = {0};
    struct reader reader;
    sotto_bytes content;
    *fault = (sotto_fault){SOTTO_OK, "", 0};
    TRY(link_text_read(&form, text, bytes, &content, fault));
    reader_init(&reader, content);
    read_link(&reader, &parsed);
    sotto_error error = reader_finish(&reader, "JoinLink (end)");
    *fault = reader.fault;
    if (error == SOTTO_OK)
        *link = parsed;
    else
        link_text_forget(bytes, start);
    return error;
}

sotto_error join_link_format(const struct join_link *link, sotto_buf *text)
{
    sotto_buf bytes;
    struct writer writer;
    sotto_buf_init(&bytes, text->env);
    writer_init(&writer, &bytes);
    writer_u8(&writer, 1);
    writer_address(&writer, link->relay, false);
    writer_fixed(&writer, sotto_bytes_of(link->account.bytes, ACCOUNT_ID_SIZE));
    writer_fixed(&writer, sotto_bytes_of(link->device.bytes, DEVICE_ID_SIZE));
    writer_exact(&writer, link->capability, CAPABILITY_SIZE);
    writer_u64(&writer, link->expires);
    writer_text(&writer, link->title, WIRE_TITLE_MAX);
    writer_text(&writer, link->name, WIRE_NAME_MAX);
    sotto_error error = writer_finish(&writer);
    if (error == SOTTO_OK)
        error = link_text_write(&form, sotto_buf_view(&bytes), text);
    sotto_buf_free(&bytes);
    return error;
}

/* ---- The request ----------------------------------------------------------------------------- */

bool join_request_is(sotto_bytes bytes)
{
    return bytes.size >= 2 && bytes.data[0] == 1 && bytes.data[1] == ENVELOPE_JOIN_REQUEST;
}

static void read_fields(struct reader *reader, struct join_request *request)
{
    if (reader_u8(reader, "JoinRequest.version") != 1)
        reader_fail_at(reader, 0, SOTTO_VERSION, "JoinRequest.version");
    if (reader_u8(reader, "JoinRequest.kind") != ENVELOPE_JOIN_REQUEST)
        reader_fail_at(reader, 1, SOTTO_UNSUPPORTED, "JoinRequest.kind");
    request->link = reader_fixed(reader, CAPABILITY_SIZE, "JoinRequest.link");
    reader_copy(reader, request->device.bytes, DEVICE_ID_SIZE, "JoinRequest.device");
    request->manifest = reader_limited(reader, 1, WIRE_MANIFEST_MAX, "JoinRequest.manifest");
    request->relay_of_sender = reader_address(reader, false, "JoinRequest.relay_of_sender");
    request->capability = reader_fixed(reader, CAPABILITY_SIZE, "JoinRequest.capability");
    request->name = reader_text(reader, WIRE_NAME_MAX, "JoinRequest.name");
}

sotto_error join_request_read(sotto_bytes bytes, struct join_request *request, sotto_fault *fault)
{
    struct reader reader;
    struct join_request parsed;
    reader_init(&reader, bytes);
    read_fields(&reader, &parsed);
    parsed.unsigned_part = sotto_bytes_of(bytes.data, reader_ok(&reader) ? reader.pos : 0);
    parsed.signature = reader_fixed(&reader, SIGNATURE_SIZE, "JoinRequest.signature");
    reader_padding(&reader, "JoinRequest.padding");
    *fault = reader.fault;
    if (reader_ok(&reader))
        *request = parsed;
    return reader.fault.error;
}

bool join_request_verify(const sotto_env *env, const struct join_request *request,
                         const struct account_id *receiver, const struct device_id *receiver_device,
                         const uint8_t signature_key[static SIGN_KEY_SIZE])
{
    return request_signature_verify(env, LABEL, receiver, receiver_device, request->unsigned_part,
                                    request->signature, signature_key);
}

static void write_fields(struct writer *writer, const struct join_request *request)
{
    writer_u8(writer, 1);
    writer_u8(writer, ENVELOPE_JOIN_REQUEST);
    writer_exact(writer, request->link, CAPABILITY_SIZE);
    writer_fixed(writer, sotto_bytes_of(request->device.bytes, DEVICE_ID_SIZE));
    writer_limited(writer, request->manifest, 1, WIRE_MANIFEST_MAX);
    writer_address(writer, request->relay_of_sender, false);
    writer_exact(writer, request->capability, CAPABILITY_SIZE);
    writer_text(writer, request->name, WIRE_NAME_MAX);
}

sotto_error join_request_write(const struct join_request *request,
                               const struct account_id *receiver,
                               const struct device_id *receiver_device,
                               const uint8_t signature_seed[static SIGN_SEED_SIZE], sotto_buf *buf)
{
    struct writer writer;
    writer_init(&writer, buf);
    write_fields(&writer, request);
    request_signature_write(&writer, LABEL, receiver, receiver_device, signature_seed);
    return writer_finish(&writer);
}
