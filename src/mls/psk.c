#include "mls/psk.h"

#include "mls/key_schedule.h"
#include "mls/limits.h"

void psk_id_read(struct reader *reader, struct psk_id *id)
{
    *id = (struct psk_id){0};
    id->type = reader_u8(reader, "PreSharedKeyID.psktype");
    if (id->type == PSK_EXTERNAL) {
        id->id = reader_vector(reader, LIMIT_PSK_ID, "PreSharedKeyID.psk_id");
    } else if (id->type == PSK_RESUMPTION) {
        id->usage = reader_u8(reader, "PreSharedKeyID.usage");
        if (id->usage < PSK_APPLICATION || id->usage > PSK_BRANCH)
            reader_fail(reader, SOTTO_VALUE, "PreSharedKeyID.usage");
        id->id = reader_vector(reader, LIMIT_GROUP_ID, "PreSharedKeyID.psk_group_id");
        id->epoch = reader_u64(reader, "PreSharedKeyID.psk_epoch");
    } else {
        reader_fail(reader, SOTTO_VALUE, "PreSharedKeyID.psktype");
    }
    id->nonce = reader_vector(reader, LIMIT_HASH, "PreSharedKeyID.psk_nonce");
}

void psk_id_write(struct writer *writer, const struct psk_id *id)
{
    writer_u8(writer, id->type);
    if (id->type == PSK_RESUMPTION)
        writer_u8(writer, id->usage);
    writer_vector(writer, id->id);
    if (id->type == PSK_RESUMPTION)
        writer_u64(writer, id->epoch);
    writer_vector(writer, id->nonce);
}

bool psk_id_same(const struct psk_id *a, const struct psk_id *b)
{
    return a->type == b->type && a->usage == b->usage && a->epoch == b->epoch &&
           sotto_bytes_equal(a->id, b->id);
}

/* psk_input_[i] = ExpandWithLabel(Extract(0, psk), "derived psk", PSKLabel, Nh) */
static sotto_error psk_input(struct crypto *crypto, const struct suite *suite,
                             const struct psk_id *id, size_t index, size_t count, sotto_bytes key,
                             struct secret *out)
{
    struct secret zero, extracted = {0};
    key_schedule_zero(suite, &zero);
    sotto_buf label;
    sotto_buf_init(&label, crypto_env(crypto));
    struct writer w;
    writer_init(&w, &label);
    psk_id_write(&w, id);
    writer_u16(&w, (uint16_t)index);
    writer_u16(&w, (uint16_t)count);
    sotto_error error = writer_finish(&w);
    if (error == SOTTO_OK)
        error = crypto_extract(crypto, suite, secret_view(&zero), key, &extracted);
    if (error == SOTTO_OK)
        error = crypto_expand_with_label(crypto, suite, secret_view(&extracted), "derived psk",
                                         sotto_buf_view(&label), suite->nh, out);
    secret_wipe(&extracted);
    sotto_buf_free(&label);
    return error;
}

sotto_error psk_secret_compute(struct crypto *crypto, const struct suite *suite,
                               const struct psk_id *ids, const sotto_bytes *keys, size_t count,
                               struct secret *out)
{
    if (count > UINT16_MAX)
        return SOTTO_LIMIT;
    struct secret running, input = {0};
    key_schedule_zero(suite, &running);
    sotto_error error = SOTTO_OK;
    for (size_t i = 0; i < count && error == SOTTO_OK; i++) {
        struct secret next = {0};
        error = psk_input(crypto, suite, &ids[i], i, count, keys[i], &input);
        if (error == SOTTO_OK)
            error =
                crypto_extract(crypto, suite, secret_view(&input), secret_view(&running), &next);
        running = next;
        secret_wipe(&next);
    }
    if (error == SOTTO_OK)
        *out = running;
    else
        secret_wipe(out);
    secret_wipe(&running);
    secret_wipe(&input);
    return error;
}
