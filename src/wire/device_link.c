#include "wire/device_link.h"

#include <string.h>

#include <sodium.h>

#include "wire/fields.h"
#include "wire/link_text.h"

#define PACKAGE_VERSION 0xD1 /* no Envelope's: both are sealed to the inbox key */
enum { CERTIFICATE_BYTES = SIGN_KEY_SIZE + SIGNATURE_SIZE };

/* ---- The link ------------------------------------------------------------------------------- */

static void read_link(struct reader *reader, struct device_link *link)
{
    if (reader_u8(reader, "DeviceLink.version") != 1)
        reader_fail_at(reader, 0, SOTTO_VERSION, "DeviceLink.version");
    link->relay = reader_address(reader, false, "DeviceLink.relay");
    link->secret = reader_fixed(reader, LINK_SECRET_SIZE, "DeviceLink.secret");
    reader_copy(reader, link->device.bytes, DEVICE_ID_SIZE, "DeviceLink.device_id");
    reader_copy(reader, link->keys_hash, HASH_SIZE, "DeviceLink.keys_hash");
    link->expires = reader_u64(reader, "DeviceLink.expires");
}

static const struct link_text form = {
    .prefix = DEVICE_LINK_PREFIX,
    .limit = "device link",
    .expected = "device link: sotto://link/ expected",
    .base64url = "device link: base64url",
};

sotto_error device_link_parse(sotto_bytes text, sotto_buf *bytes, struct device_link *out,
                              sotto_fault *fault)
{
    size_t start = bytes->size;
    struct device_link parsed = {0};
    struct reader reader;
    sotto_bytes content;
    *fault = (sotto_fault){SOTTO_OK, "", 0};
    TRY(link_text_read(&form, text, bytes, &content, fault));
    reader_init(&reader, content);
    read_link(&reader, &parsed);
    sotto_error error = reader_finish(&reader, "DeviceLink (end)");
    *fault = reader.fault;
    if (error == SOTTO_OK)
        *out = parsed;
    else
        link_text_forget(bytes, start);
    return error;
}

static void write_link(struct writer *writer, const struct device_link *link)
{
    writer_u8(writer, 1);
    writer_address(writer, link->relay, false);
    writer_exact(writer, link->secret, LINK_SECRET_SIZE);
    writer_fixed(writer, sotto_bytes_of(link->device.bytes, DEVICE_ID_SIZE));
    writer_fixed(writer, sotto_bytes_of(link->keys_hash, HASH_SIZE));
    writer_u64(writer, link->expires);
}

sotto_error device_link_format(const struct device_link *link, sotto_buf *out)
{
    sotto_buf bytes;
    struct writer writer;
    sotto_buf_init(&bytes, out->env);
    writer_init(&writer, &bytes);
    write_link(&writer, link);
    sotto_error error = writer_finish(&writer);
    if (error == SOTTO_OK)
        error = link_text_write(&form, sotto_buf_view(&bytes), out);
    sotto_buf_free(&bytes);
    return error;
}

/* ---- The new device's keys ------------------------------------------------------------------ */

static void write_zeros(struct writer *writer, sotto_buf *buf, size_t start, size_t size)
{
    uint8_t *padding;
    size_t used = buf->size - start;
    if (writer->error != SOTTO_OK)
        return;
    if (used > size)
        writer_fail(writer, SOTTO_LIMIT);
    else if (used < size)
        writer_fail(writer, sotto_buf_extend(buf, size - used, &padding));
}

sotto_error device_keys_write(const struct device_keys *keys, sotto_buf *buf)
{
    struct writer writer;
    size_t start = buf->size;
    writer_init(&writer, buf);
    writer_u8(&writer, 1);
    writer_fixed(&writer, sotto_bytes_of(keys->device.id.bytes, DEVICE_ID_SIZE));
    writer_exact(&writer, keys->device.signature_key, SIGN_KEY_SIZE);
    writer_exact(&writer, keys->device.inbox_key, INBOX_KEY_SIZE);
    writer_fixed(&writer, sotto_bytes_of(keys->device.sign_in_hash, HASH_SIZE));
    writer_u64(&writer, keys->device.added);
    writer_text(&writer, keys->name, WIRE_NAME_MAX);
    write_zeros(&writer, buf, start, WIRE_DEVICE_KEYS_SIZE);
    return writer_finish(&writer);
}

sotto_error device_keys_read(sotto_bytes bytes, struct device_keys *keys, sotto_fault *fault)
{
    struct reader reader;
    struct device_keys read = {0};
    reader_init(&reader, bytes);
    if (reader_u8(&reader, "DeviceKeys.version") != 1)
        reader_fail_at(&reader, 0, SOTTO_VERSION, "DeviceKeys.version");
    reader_copy(&reader, read.device.id.bytes, DEVICE_ID_SIZE, "DeviceKeys.device_id");
    read.device.signature_key = reader_fixed(&reader, SIGN_KEY_SIZE, "DeviceKeys.signature_key");
    read.device.inbox_key = reader_fixed(&reader, INBOX_KEY_SIZE, "DeviceKeys.inbox_key");
    reader_copy(&reader, read.device.sign_in_hash, HASH_SIZE, "DeviceKeys.sign_in_hash");
    read.device.added = reader_u64(&reader, "DeviceKeys.added");
    read.name = reader_text(&reader, WIRE_NAME_MAX, "DeviceKeys.name");
    if (reader_ok(&reader)) {
        size_t at = reader.pos;
        sotto_bytes rest = reader_fixed(&reader, reader.end - at, "DeviceKeys.padding");
        if (bytes.size != WIRE_DEVICE_KEYS_SIZE || !sodium_is_zero(rest.data, rest.size))
            reader_fail_at(&reader, at, SOTTO_VALUE, "DeviceKeys.padding");
    }
    *fault = reader.fault;
    if (reader_ok(&reader))
        *keys = read;
    return reader.fault.error;
}

void device_keys_hash(sotto_bytes bytes, uint8_t hash[static HASH_SIZE])
{
    static const char label[] = "sotto.v1 device keys";
    crypto_hash_sha256_state state;
    crypto_hash_sha256_init(&state);
    crypto_hash_sha256_update(&state, (const uint8_t *)label, sizeof label - 1);
    crypto_hash_sha256_update(&state, bytes.data, bytes.size);
    crypto_hash_sha256_final(&state, hash);
}

/* ---- The package ---------------------------------------------------------------------------- */

static bool private_size_valid(size_t size)
{
    return size == 0 || size == SIGN_SEED_SIZE;
}

sotto_error device_package_write(const struct device_package *package, sotto_buf *buf)
{
    struct writer writer;
    writer_init(&writer, buf);
    writer_u8(&writer, PACKAGE_VERSION);
    writer_fixed(&writer, sotto_bytes_of(package->account_key, SIGN_KEY_SIZE));
    writer_check(&writer, private_size_valid(package->account_private.size));
    writer_vector(&writer, package->account_private);
    writer_exact(&writer, package->certificate, CERTIFICATE_BYTES);
    writer_u64(&writer, package->position);
    writer_text(&writer, package->name, WIRE_NAME_MAX);
    writer_address(&writer, package->relay, false);
    writer_limited(&writer, package->manifest, 1, WIRE_MANIFEST_MAX);
    return writer_finish(&writer);
}

sotto_error device_package_read(sotto_bytes bytes, struct device_package *package,
                                sotto_fault *fault)
{
    struct reader reader;
    struct device_package read = {0};
    reader_init(&reader, bytes);
    if (reader_u8(&reader, "DevicePackage.version") != PACKAGE_VERSION)
        reader_fail_at(&reader, 0, SOTTO_VERSION, "DevicePackage.version");
    reader_copy(&reader, read.account_key, SIGN_KEY_SIZE, "DevicePackage.account_key");
    size_t at = reader.pos;
    read.account_private = reader_vector(&reader, SIGN_SEED_SIZE, "DevicePackage.account_private");
    if (!private_size_valid(read.account_private.size))
        reader_fail_at(&reader, at, SOTTO_LENGTH, "DevicePackage.account_private");
    read.certificate = reader_fixed(&reader, CERTIFICATE_BYTES, "DevicePackage.certificate");
    read.position = reader_u64(&reader, "DevicePackage.position");
    read.name = reader_text(&reader, WIRE_NAME_MAX, "DevicePackage.name");
    read.relay = reader_address(&reader, false, "DevicePackage.relay");
    read.manifest = reader_limited(&reader, 1, WIRE_MANIFEST_MAX, "DevicePackage.manifest");
    sotto_error error = reader_finish(&reader, "DevicePackage (end)");
    *fault = reader.fault;
    if (error == SOTTO_OK)
        *package = read;
    return error;
}

/* ---- Where they lie ------------------------------------------------------------------------- */

static void derive(sotto_bytes secret, const char *part, const char *what, uint8_t out[static 32])
{
    static const char label[] = "sotto.v1 link ";
    crypto_generichash_state state;
    crypto_generichash_init(&state, secret.data, secret.size, 32);
    crypto_generichash_update(&state, (const uint8_t *)label, sizeof label - 1);
    crypto_generichash_update(&state, (const uint8_t *)part, strlen(part));
    crypto_generichash_update(&state, (const uint8_t *)what, strlen(what));
    crypto_generichash_final(&state, out, 32);
    wipe(&state, sizeof state);
}

void link_place(sotto_bytes secret, enum link_part part, struct link_place *place)
{
    const char *name = part == LINK_KEYS ? "keys" : "package";
    BUG_UNLESS(secret.size == LINK_SECRET_SIZE);
    derive(secret, name, " blob", place->blob.bytes);
    derive(secret, name, " token", place->write_token);
    derive(secret, name, " key", place->key);
}

enum {
    NONCE = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
    TAG = crypto_aead_xchacha20poly1305_ietf_ABYTES,
};
_Static_assert(NONCE + TAG == LINK_BOX_OVERHEAD, "the box's size");

sotto_error link_box(const sotto_env *env, const struct link_place *place, sotto_bytes plain,
                     size_t plain_size, sotto_buf *box)
{
    uint8_t *out;
    if (plain.size > plain_size)
        return SOTTO_LIMIT;
    TRY(sotto_buf_extend(box, NONCE + plain_size + TAG, &out));
    sotto_error error = env->random(env->ctx, out, NONCE);
    if (error != SOTTO_OK) {
        box->size -= NONCE + plain_size + TAG;
        return error;
    }
    memcpy(out + NONCE, plain.data, plain.size); /* the rest is zeros */
    (void)crypto_aead_xchacha20poly1305_ietf_encrypt(out + NONCE, NULL, out + NONCE, plain_size,
                                                     NULL, 0, NULL, out, place->key);
    return SOTTO_OK;
}

sotto_error link_unbox(const struct link_place *place, sotto_bytes box, sotto_buf *plain)
{
    uint8_t *out;
    if (box.size <= NONCE + TAG)
        return SOTTO_LENGTH;
    size_t size = box.size - NONCE - TAG;
    TRY(sotto_buf_extend(plain, size, &out));
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(out, NULL, NULL, box.data + NONCE, size + TAG,
                                                   NULL, 0, box.data, place->key) == 0)
        return SOTTO_OK;
    plain->size -= size;
    return SOTTO_DECRYPT;
}
