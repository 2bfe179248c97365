#include "wire/rejoin.h"

#include <string.h>

#include "wire/fields.h"

#define LABEL "sotto.v1 rejoin"

bool rejoin_request_is(sotto_bytes bytes)
{
    return bytes.size >= 2 && bytes.data[0] == 1 && bytes.data[1] == ENVELOPE_REJOIN_REQUEST;
}

static void read_fields(struct reader *reader, struct rejoin_request *request)
{
    if (reader_u8(reader, "RejoinRequest.version") != 1)
        reader_fail_at(reader, 0, SOTTO_VERSION, "RejoinRequest.version");
    if (reader_u8(reader, "RejoinRequest.kind") != ENVELOPE_REJOIN_REQUEST)
        reader_fail_at(reader, 1, SOTTO_UNSUPPORTED, "RejoinRequest.kind");
    request->relay = reader_address(reader, false, "RejoinRequest.relay");
    reader_copy(reader, request->room.bytes, ROOM_ID_SIZE, "RejoinRequest.room");
    request->time_s = reader_u64(reader, "RejoinRequest.time");
    reader_copy(reader, request->device.bytes, DEVICE_ID_SIZE, "RejoinRequest.device");
    request->manifest = reader_limited(reader, 1, WIRE_MANIFEST_MAX, "RejoinRequest.manifest");
    request->relay_of_sender = reader_address(reader, false, "RejoinRequest.relay_of_sender");
    request->key_package =
        reader_limited(reader, 1, WIRE_KEY_PACKAGE_MAX, "RejoinRequest.key_package");
}

sotto_error rejoin_request_read(sotto_bytes bytes, struct rejoin_request *request,
                                sotto_fault *fault)
{
    struct reader reader;
    struct rejoin_request parsed;
    reader_init(&reader, bytes);
    read_fields(&reader, &parsed);
    parsed.unsigned_part = sotto_bytes_of(bytes.data, reader_ok(&reader) ? reader.pos : 0);
    parsed.signature = reader_fixed(&reader, SIGNATURE_SIZE, "RejoinRequest.signature");
    reader_padding(&reader, "RejoinRequest.padding");
    *fault = reader.fault;
    if (reader_ok(&reader))
        *request = parsed;
    return reader.fault.error;
}

/* What is signed. The receiver is part of it: a member cannot pass the request on to another. */
static sotto_error signed_bytes(const struct account_id *receiver,
                                const struct device_id *receiver_device, sotto_bytes fields,
                                sotto_buf *out)
{
    TRY(sotto_buf_append(out, (const uint8_t *)LABEL, sizeof LABEL - 1));
    TRY(sotto_buf_append(out, receiver->bytes, ACCOUNT_ID_SIZE));
    TRY(sotto_buf_append(out, receiver_device->bytes, DEVICE_ID_SIZE));
    return sotto_buf_append(out, fields.data, fields.size);
}

bool rejoin_request_verify(const sotto_env *env, const struct rejoin_request *request,
                           const struct account_id *receiver,
                           const struct device_id *receiver_device,
                           const uint8_t signature_key[static SIGN_KEY_SIZE])
{
    sotto_buf bytes;
    sotto_buf_init(&bytes, env);
    bool good =
        signed_bytes(receiver, receiver_device, request->unsigned_part, &bytes) == SOTTO_OK &&
        wire_verify(signature_key, sotto_buf_view(&bytes), request->signature.data);
    sotto_buf_free(&bytes);
    return good;
}

static void write_fields(struct writer *writer, const struct rejoin_request *request)
{
    writer_u8(writer, 1);
    writer_u8(writer, ENVELOPE_REJOIN_REQUEST);
    writer_address(writer, request->relay, false);
    writer_fixed(writer, sotto_bytes_of(request->room.bytes, ROOM_ID_SIZE));
    writer_u64(writer, request->time_s);
    writer_fixed(writer, sotto_bytes_of(request->device.bytes, DEVICE_ID_SIZE));
    writer_limited(writer, request->manifest, 1, WIRE_MANIFEST_MAX);
    writer_address(writer, request->relay_of_sender, false);
    writer_limited(writer, request->key_package, 1, WIRE_KEY_PACKAGE_MAX);
}

sotto_error rejoin_request_write(const struct rejoin_request *request,
                                 const struct account_id *receiver,
                                 const struct device_id *receiver_device,
                                 const uint8_t signature_seed[static SIGN_SEED_SIZE],
                                 sotto_buf *buf)
{
    struct writer writer;
    uint8_t signature[SIGNATURE_SIZE];
    sotto_buf bytes;
    sotto_buf_init(&bytes, buf->env);
    writer_init(&writer, buf);
    write_fields(&writer, request);
    if (writer.error == SOTTO_OK) {
        sotto_bytes fields = sotto_bytes_of(buf->data + writer.start, buf->size - writer.start);
        writer_fail(&writer, signed_bytes(receiver, receiver_device, fields, &bytes));
    }
    if (writer.error == SOTTO_OK) {
        wire_sign(signature_seed, sotto_buf_view(&bytes), signature);
        writer_fixed(&writer, sotto_bytes_of(signature, sizeof signature));
        writer_padding(&writer);
    }
    sotto_buf_free(&bytes);
    return writer_finish(&writer);
}
