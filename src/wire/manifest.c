#include "wire/manifest.h"

#include <string.h>

#include <sodium.h>

#include "wire/fields.h"

#define LABEL "sotto.v1 manifest"
#define LABEL_SIZE (sizeof LABEL - 1)

static void read_device(struct reader *reader, struct device *device)
{
    size_t at;
    reader_copy(reader, device->id.bytes, DEVICE_ID_SIZE, "Device.device_id");
    at = reader->pos;
    device->signature_key = reader_limited(reader, 1, SIGN_KEY_SIZE, "Device.signature_key");
    if (device->signature_key.size != SIGN_KEY_SIZE)
        reader_fail_at(reader, at, SOTTO_LENGTH, "Device.signature_key");
    at = reader->pos;
    device->inbox_key = reader_limited(reader, 1, INBOX_KEY_SIZE, "Device.inbox_key");
    if (device->inbox_key.size != INBOX_KEY_SIZE)
        reader_fail_at(reader, at, SOTTO_LENGTH, "Device.inbox_key");
    reader_copy(reader, device->sign_in_hash, HASH_SIZE, "Device.sign_in_hash");
    device->added = reader_u64(reader, "Device.added");
}

static void write_device(struct writer *writer, const struct device *device)
{
    writer_fixed(writer, sotto_bytes_of(device->id.bytes, DEVICE_ID_SIZE));
    writer_check(writer, device->signature_key.size == SIGN_KEY_SIZE);
    writer_vector(writer, device->signature_key);
    writer_check(writer, device->inbox_key.size == INBOX_KEY_SIZE);
    writer_vector(writer, device->inbox_key);
    writer_fixed(writer, sotto_bytes_of(device->sign_in_hash, HASH_SIZE));
    writer_u64(writer, device->added);
}

static bool id_among(const struct device *devices, size_t count, const struct device_id *id)
{
    for (size_t i = 0; i < count; i++)
        if (device_id_equal(&devices[i].id, id))
            return true;
    return false;
}

static size_t read_devices(struct reader *inner, struct device *devices)
{
    size_t count = 0;
    while (reader_more(inner)) {
        size_t at = inner->pos;
        if (count == WIRE_DEVICES_MAX) {
            reader_fail(inner, SOTTO_LIMIT, "Manifest.devices");
            break;
        }
        read_device(inner, &devices[count]);
        if (reader_ok(inner) && id_among(devices, count, &devices[count].id))
            reader_fail_at(inner, at, SOTTO_VALUE, "Device.device_id (twice)");
        count++;
    }
    if (count == 0)
        reader_fail(inner, SOTTO_LENGTH, "Manifest.devices");
    return count;
}

static void read_fields(struct reader *reader, struct manifest *manifest, struct device *devices)
{
    struct reader inner;
    if (reader_u16(reader, "Manifest.version") != 1)
        reader_fail_at(reader, 0, SOTTO_VERSION, "Manifest.version");
    reader_copy(reader, manifest->account_key, SIGN_KEY_SIZE, "Manifest.account_key");
    size_t at = reader->pos;
    manifest->number = reader_u64(reader, "Manifest.number");
    if (manifest->number == 0)
        reader_fail_at(reader, at, SOTTO_VALUE, "Manifest.number");
    manifest->issued = reader_u64(reader, "Manifest.issued");
    at = reader->pos;
    reader_copy(reader, manifest->previous, HASH_SIZE, "Manifest.previous");
    if ((manifest->number == 1) != sodium_is_zero(manifest->previous, HASH_SIZE))
        reader_fail_at(reader, at, SOTTO_VALUE, "Manifest.previous");
    reader_enter(reader, &inner, WIRE_MANIFEST_MAX, "Manifest.devices");
    manifest->device_count = read_devices(&inner, devices);
    reader_leave(reader, &inner, "Manifest.devices");
}

/* "sotto.v1 manifest" || all fields before the signature */
static sotto_error signature_verify(struct reader *reader, const struct manifest *manifest,
                                    sotto_bytes covered, struct arena *arena)
{
    uint8_t *bytes = arena_array(arena, LABEL_SIZE + covered.size, 1);
    if (bytes == NULL)
        return SOTTO_NO_MEMORY;
    memcpy(bytes, LABEL, LABEL_SIZE);
    memcpy(bytes + LABEL_SIZE, covered.data, covered.size);
    if (!wire_verify(manifest->account_key, sotto_bytes_of(bytes, LABEL_SIZE + covered.size),
                     manifest->signature))
        reader_fail_at(reader, covered.size, SOTTO_SIGNATURE, "Manifest.signature");
    return SOTTO_OK;
}

static sotto_error read_all(struct reader *reader, struct arena *arena, struct manifest *manifest)
{
    struct device *devices = arena_array(arena, WIRE_DEVICES_MAX, sizeof *devices);
    if (devices == NULL)
        return SOTTO_NO_MEMORY;
    manifest->devices = devices;
    read_fields(reader, manifest, devices);
    sotto_bytes covered = reader_since(reader, 0);
    reader_copy(reader, manifest->signature, SIGNATURE_SIZE, "Manifest.signature");
    TRY(reader_finish(reader, "Manifest (end)"));
    return signature_verify(reader, manifest, covered, arena);
}

sotto_error manifest_read(sotto_bytes bytes, struct arena *arena, struct manifest *manifest,
                          sotto_fault *fault)
{
    struct reader reader;
    reader_init(&reader, bytes);
    memset(manifest, 0, sizeof *manifest);
    if (bytes.size > WIRE_MANIFEST_MAX)
        reader_fail(&reader, SOTTO_LIMIT, "Manifest");
    sotto_error error = read_all(&reader, arena, manifest);
    if (error == SOTTO_NO_MEMORY)
        reader_fail(&reader, error, "Manifest");
    *fault = reader.fault;
    if (!reader_ok(&reader))
        memset(manifest, 0, sizeof *manifest);
    return reader.fault.error;
}

static void write_fields(struct writer *writer, const struct manifest *manifest,
                         const uint8_t account_key[static SIGN_KEY_SIZE])
{
    bool is_first = manifest->number == 1;
    writer_u16(writer, 1);
    writer_fixed(writer, sotto_bytes_of(account_key, SIGN_KEY_SIZE));
    writer_check(writer, manifest->number > 0);
    writer_u64(writer, manifest->number);
    writer_u64(writer, manifest->issued);
    writer_check(writer, is_first == (sodium_is_zero(manifest->previous, HASH_SIZE) != 0));
    writer_fixed(writer, sotto_bytes_of(manifest->previous, HASH_SIZE));
    writer_check(writer, manifest->device_count > 0);
    if (manifest->device_count > WIRE_DEVICES_MAX)
        writer_fail(writer, SOTTO_LIMIT);
    size_t opened = writer_open(writer);
    for (size_t i = 0; i < manifest->device_count && writer->error == SOTTO_OK; i++) {
        const struct device *device = &manifest->devices[i];
        writer_check(writer, !id_among(manifest->devices, i, &device->id));
        write_device(writer, device);
    }
    writer_close(writer, opened);
}

sotto_error manifest_write(const struct manifest *manifest,
                           const uint8_t seed[static SIGN_SEED_SIZE], sotto_buf *buf)
{
    uint8_t account_key[SIGN_KEY_SIZE], signature[SIGNATURE_SIZE];
    sotto_buf labelled;
    struct writer writer;
    wire_sign_public(seed, account_key);
    sotto_buf_init(&labelled, buf->env);
    writer_init(&writer, &labelled);
    writer_fixed(&writer, sotto_bytes_str(LABEL));
    write_fields(&writer, manifest, account_key);
    sotto_error error = writer_finish(&writer);
    if (error != SOTTO_OK)
        goto out;
    wire_sign(seed, sotto_buf_view(&labelled), signature);
    size_t size = labelled.size - LABEL_SIZE;
    error = size + SIGNATURE_SIZE > WIRE_MANIFEST_MAX
                ? SOTTO_LIMIT
                : sotto_buf_reserve(buf, size + SIGNATURE_SIZE);
    if (error != SOTTO_OK)
        goto out;
    writer_init(&writer, buf);
    writer_fixed(&writer, sotto_bytes_of(labelled.data + LABEL_SIZE, size));
    writer_fixed(&writer, sotto_bytes_of(signature, SIGNATURE_SIZE));
    error = writer_finish(&writer);
out:
    sotto_buf_free(&labelled);
    return error;
}

static sotto_error breaks(sotto_fault *fault, const char *what)
{
    *fault = (sotto_fault){SOTTO_VALUE, what, 0};
    return SOTTO_VALUE;
}

sotto_error manifest_follows(sotto_bytes previous_bytes, const struct manifest *previous,
                             const struct manifest *next, sotto_fault *fault)
{
    *fault = (sotto_fault){SOTTO_OK, "", 0};
    if (previous_bytes.size == 0) /* manifest_read saw to the zero hash of number 1 */
        return next->number == 1 ? SOTTO_OK : breaks(fault, "Manifest.number");
    uint8_t hash[HASH_SIZE];
    wire_hash(previous_bytes, hash);
    if (memcmp(next->account_key, previous->account_key, SIGN_KEY_SIZE) != 0)
        return breaks(fault, "Manifest.account_key");
    if (previous->number == UINT64_MAX || next->number != previous->number + 1)
        return breaks(fault, "Manifest.number");
    if (memcmp(next->previous, hash, HASH_SIZE) != 0)
        return breaks(fault, "Manifest.previous");
    return SOTTO_OK;
}

const struct device *manifest_device(const struct manifest *manifest, const struct device_id *id)
{
    for (size_t i = 0; i < manifest->device_count; i++)
        if (device_id_equal(&manifest->devices[i].id, id))
            return &manifest->devices[i];
    return NULL;
}
