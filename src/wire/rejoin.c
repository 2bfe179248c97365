#include "wire/rejoin.h"

#include "wire/fields.h"
#include "wire/request_signature.h"

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

bool rejoin_request_verify(const sotto_env *env, const struct rejoin_request *request,
                           const struct account_id *receiver,
                           const struct device_id *receiver_device,
                           const uint8_t signature_key[static SIGN_KEY_SIZE])
{
    return request_signature_verify(env, LABEL, receiver, receiver_device, request->unsigned_part,
                                    request->signature, signature_key);
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
    writer_init(&writer, buf);
    write_fields(&writer, request);
    request_signature_write(&writer, LABEL, receiver, receiver_device, signature_seed);
    return writer_finish(&writer);
}
