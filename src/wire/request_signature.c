#include "wire/request_signature.h"

#include <string.h>

#include "wire/fields.h"

static sotto_error signed_bytes(const char *label, const struct account_id *receiver,
                                const struct device_id *receiver_device, sotto_bytes fields,
                                sotto_buf *out)
{
    TRY(sotto_buf_append(out, (const uint8_t *)label, strlen(label)));
    TRY(sotto_buf_append(out, receiver->bytes, ACCOUNT_ID_SIZE));
    TRY(sotto_buf_append(out, receiver_device->bytes, DEVICE_ID_SIZE));
    return sotto_buf_append(out, fields.data, fields.size);
}

bool request_signature_verify(const sotto_env *env, const char *label,
                              const struct account_id *receiver,
                              const struct device_id *receiver_device, sotto_bytes fields,
                              sotto_bytes signature,
                              const uint8_t signature_key[static SIGN_KEY_SIZE])
{
    sotto_buf bytes;
    sotto_buf_init(&bytes, env);
    bool good = signed_bytes(label, receiver, receiver_device, fields, &bytes) == SOTTO_OK &&
                wire_verify(signature_key, sotto_buf_view(&bytes), signature.data);
    sotto_buf_free(&bytes);
    return good;
}

void request_signature_write(struct writer *writer, const char *label,
                             const struct account_id *receiver,
                             const struct device_id *receiver_device,
                             const uint8_t signature_seed[static SIGN_SEED_SIZE])
{
    uint8_t signature[SIGNATURE_SIZE];
    sotto_buf bytes;
    if (writer->error != SOTTO_OK)
        return;
    const sotto_bytes fields =
        sotto_bytes_of(writer->buf->data + writer->start, writer->buf->size - writer->start);
    sotto_buf_init(&bytes, writer->buf->env);
    writer_fail(writer, signed_bytes(label, receiver, receiver_device, fields, &bytes));
    if (writer->error == SOTTO_OK) {
        wire_sign(signature_seed, sotto_buf_view(&bytes), signature);
        writer_fixed(writer, sotto_bytes_of(signature, sizeof signature));
        writer_padding(writer);
    }
    sotto_buf_free(&bytes);
}
