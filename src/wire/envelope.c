#include "wire/envelope.h"

#include <string.h>

#include "wire/fields.h"

/* HPKE's shortest ciphertext: the tag of an empty plaintext. */
#define CIPHERTEXT_MIN 16

sotto_error sealed_envelope_read(sotto_bytes bytes, struct sealed_envelope *sealed,
                                 sotto_fault *fault)
{
    struct reader reader;
    struct sealed_envelope parsed;
    reader_init(&reader, bytes);
    if (reader_u16(&reader, "SealedEnvelope.suite") != ENVELOPE_SUITE)
        reader_fail_at(&reader, 0, SOTTO_UNSUPPORTED, "SealedEnvelope.suite");
    parsed.enc = reader_limited(&reader, 1, WIRE_ENC_MAX, "SealedEnvelope.enc");
    parsed.ciphertext =
        reader_limited(&reader, CIPHERTEXT_MIN, WIRE_ENVELOPE_MAX, "SealedEnvelope.ciphertext");
    sotto_error error = reader_finish(&reader, "SealedEnvelope (end)");
    *fault = reader.fault;
    if (error == SOTTO_OK)
        *sealed = parsed;
    return error;
}

sotto_error sealed_envelope_write(const struct sealed_envelope *sealed, sotto_buf *buf)
{
    struct writer writer;
    writer_init(&writer, buf);
    writer_u16(&writer, ENVELOPE_SUITE);
    writer_limited(&writer, sealed->enc, 1, WIRE_ENC_MAX);
    writer_limited(&writer, sealed->ciphertext, CIPHERTEXT_MIN, WIRE_ENVELOPE_MAX);
    return writer_finish(&writer);
}

void envelope_aad(const struct account_id *account, const struct device_id *device,
                  uint8_t aad[static ENVELOPE_AAD_SIZE])
{
    memcpy(aad, account->bytes, ACCOUNT_ID_SIZE);
    memcpy(aad + ACCOUNT_ID_SIZE, device->bytes, DEVICE_ID_SIZE);
}

/* A capability is there or not; nothing between. */
static bool capability_size_valid(size_t size)
{
    return size == 0 || size == CAPABILITY_SIZE;
}

static void read_fields(struct reader *reader, struct envelope *envelope)
{
    envelope->version = reader_u8(reader, "Envelope.version");
    if (envelope->version != ENVELOPE_FIRST && envelope->version != ENVELOPE_VERSION)
        reader_fail_at(reader, 0, SOTTO_VERSION, "Envelope.version");
    envelope->kind = reader_u8(reader, "Envelope.kind");
    if (envelope->kind != ENVELOPE_ROOM_INVITATION)
        reader_fail_at(reader, 1, SOTTO_UNSUPPORTED, "Envelope.kind");
    envelope->relay = reader_address(reader, false, "Envelope.relay");
    reader_copy(reader, envelope->room.bytes, ROOM_ID_SIZE, "Envelope.room");
    envelope->read_token = reader_fixed(reader, TOKEN_SIZE, "Envelope.read_token");
    envelope->next_seq = reader_u64(reader, "Envelope.next_seq");
    envelope->manifest = reader_limited(reader, 1, WIRE_MANIFEST_MAX, "Envelope.manifest");
    envelope->relay_of_sender = reader_address(reader, false, "Envelope.relay_of_sender");
    size_t at = reader->pos;
    envelope->capability = reader_vector(reader, CAPABILITY_SIZE, "Envelope.capability");
    if (!capability_size_valid(envelope->capability.size))
        reader_fail_at(reader, at, SOTTO_LENGTH, "Envelope.capability");
    envelope->key_package_ref =
        reader_limited(reader, 1, WIRE_KEY_PACKAGE_REF_MAX, "Envelope.key_package_ref");
    envelope->welcome = reader_limited(reader, 1, WIRE_ENVELOPE_MAX, "Envelope.welcome");
    at = reader->pos;
    envelope->manifests = reader_vector(reader, WIRE_MANIFESTS_MAX, "Envelope.manifests");
    sotto_bytes rest = envelope->manifests, one;
    while (reader_ok(reader) && rest.size > 0)
        if (!envelope_manifest(&rest, &one))
            reader_fail_at(reader, at, SOTTO_LENGTH, "Envelope.manifests");
    envelope->name = envelope->greeting = (sotto_bytes){0};
    if (envelope->version == ENVELOPE_FIRST)
        return;
    envelope->name = reader_text(reader, WIRE_NAME_MAX, "Envelope.name");
    envelope->greeting = reader_text(reader, WIRE_GREETING_MAX, "Envelope.greeting");
}

bool envelope_manifest(sotto_bytes *manifests, sotto_bytes *manifest)
{
    struct reader reader;
    if (manifests->size == 0)
        return false;
    reader_init(&reader, *manifests);
    sotto_bytes found = reader_limited(&reader, 1, WIRE_MANIFEST_MAX, "Envelope.manifests");
    if (!reader_ok(&reader))
        return false;
    *manifest = found;
    *manifests = sotto_bytes_of(manifests->data + reader.pos, manifests->size - reader.pos);
    return true;
}

sotto_error envelope_read(sotto_bytes bytes, struct envelope *envelope, sotto_fault *fault)
{
    struct reader reader;
    struct envelope parsed;
    reader_init(&reader, bytes);
    read_fields(&reader, &parsed);
    reader_padding(&reader, "Envelope.padding");
    *fault = reader.fault;
    if (reader_ok(&reader))
        *envelope = parsed;
    return reader.fault.error;
}

static void write_fields(struct writer *writer, const struct envelope *envelope)
{
    writer_check(writer,
                 envelope->version == ENVELOPE_FIRST || envelope->version == ENVELOPE_VERSION);
    writer_u8(writer, envelope->version);
    writer_check(writer, envelope->kind == ENVELOPE_ROOM_INVITATION);
    writer_u8(writer, envelope->kind);
    writer_address(writer, envelope->relay, false);
    writer_fixed(writer, sotto_bytes_of(envelope->room.bytes, ROOM_ID_SIZE));
    writer_exact(writer, envelope->read_token, TOKEN_SIZE);
    writer_u64(writer, envelope->next_seq);
    writer_limited(writer, envelope->manifest, 1, WIRE_MANIFEST_MAX);
    writer_address(writer, envelope->relay_of_sender, false);
    writer_check(writer, capability_size_valid(envelope->capability.size));
    writer_vector(writer, envelope->capability);
    writer_limited(writer, envelope->key_package_ref, 1, WIRE_KEY_PACKAGE_REF_MAX);
    writer_limited(writer, envelope->welcome, 1, WIRE_ENVELOPE_MAX);
    writer_limited(writer, envelope->manifests, 0, WIRE_MANIFESTS_MAX);
    if (envelope->version == ENVELOPE_FIRST)
        return;
    writer_text(writer, envelope->name, WIRE_NAME_MAX);
    writer_text(writer, envelope->greeting, WIRE_GREETING_MAX);
}

sotto_error envelope_write(const struct envelope *envelope, sotto_buf *buf)
{
    struct writer writer;
    writer_init(&writer, buf);
    write_fields(&writer, envelope);
    writer_padding(&writer);
    return writer_finish(&writer);
}
