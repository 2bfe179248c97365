/* The provider that the cores run on: the real one, and beside it a record of what was sealed. The
 * relay, which sees every entry, looks each up in it: no key may ever stand under two different
 * ones. The nonce is not looked at: MLS makes a part of it at random (RFC 9420, 6.3.1), so that two
 * would hardly ever be the same, and each generation of a ratchet has a key of its own. */
#include "sim/sim.h"

enum { TAG = 16 };

struct watching {
    struct world *world;
    const sotto_env *env;
    void *inner;
};

static const sotto_mls_provider *real(void)
{
    return sotto_mls_provider_default();
}

static void *inner_of(void *ctx)
{
    return ((struct watching *)ctx)->inner;
}

static sotto_error start(const sotto_mls_provider *provider, const sotto_env *env, void **ctx)
{
    struct watching *watching = mem_alloc(env, sizeof *watching);
    if (watching == NULL)
        return SOTTO_NO_MEMORY;
    watching->world = ((const struct watched *)(const void *)provider)->world;
    watching->env = env;
    sotto_error error = real()->start(real(), env, &watching->inner);
    if (error != SOTTO_OK) {
        mem_free(env, watching, sizeof *watching);
        return error;
    }
    *ctx = watching;
    return SOTTO_OK;
}

static void stop(void *ctx)
{
    struct watching *watching = ctx;
    real()->stop(watching->inner);
    mem_free(watching->env, watching, sizeof *watching);
}

static sotto_error hash(void *ctx, sotto_mls_hash kind, const sotto_bytes *parts, size_t count,
                        uint8_t *out)
{
    return real()->hash(inner_of(ctx), kind, parts, count, out);
}

static sotto_error hmac(void *ctx, sotto_mls_hash kind, sotto_bytes key, const sotto_bytes *parts,
                        size_t count, uint8_t *out)
{
    return real()->hmac(inner_of(ctx), kind, key, parts, count, out);
}

static sotto_error seal(void *ctx, sotto_mls_aead aead, const uint8_t *key, const uint8_t *nonce,
                        sotto_bytes aad, sotto_bytes plaintext, uint8_t *out)
{
    struct watching *watching = ctx;
    size_t size = plaintext.size;
    sotto_error error = real()->seal(watching->inner, aead, key, nonce, aad, plaintext, out);
    if (error == SOTTO_OK) {
        struct digest tag, used;
        memcpy(tag.bytes, out + size, TAG);
        digest_of(sotto_bytes_of(key, aead == SOTTO_MLS_AES128_GCM ? 16 : 32), (sotto_bytes){0},
                  &used);
        (void)digest_put(&watching->world->sealed, &tag, &used);
    }
    return error;
}

static sotto_error open(void *ctx, sotto_mls_aead aead, const uint8_t *key, const uint8_t *nonce,
                        sotto_bytes aad, sotto_bytes ciphertext, uint8_t *out)
{
    return real()->open(inner_of(ctx), aead, key, nonce, aad, ciphertext, out);
}

static sotto_error dh_public(void *ctx, sotto_mls_dh dh, const uint8_t *private_key,
                             uint8_t *public_key)
{
    return real()->dh_public(inner_of(ctx), dh, private_key, public_key);
}

static sotto_error dh_agree(void *ctx, sotto_mls_dh dh, const uint8_t *private_key,
                            const uint8_t *public_key, uint8_t *shared)
{
    return real()->dh_agree(inner_of(ctx), dh, private_key, public_key, shared);
}

static sotto_error dh_check(void *ctx, sotto_mls_dh dh, const uint8_t *public_key)
{
    return real()->dh_check(inner_of(ctx), dh, public_key);
}

static sotto_error signature_public(void *ctx, sotto_mls_signature algorithm,
                                    const uint8_t *private_key, uint8_t *public_key)
{
    return real()->signature_public(inner_of(ctx), algorithm, private_key, public_key);
}

static sotto_error sign(void *ctx, sotto_mls_signature algorithm, const uint8_t *private_key,
                        const uint8_t *public_key, sotto_bytes message, uint8_t *signature,
                        size_t *size)
{
    return real()->sign(inner_of(ctx), algorithm, private_key, public_key, message, signature,
                        size);
}

static sotto_error verify(void *ctx, sotto_mls_signature algorithm, const uint8_t *public_key,
                          sotto_bytes message, sotto_bytes signature)
{
    return real()->verify(inner_of(ctx), algorithm, public_key, message, signature);
}

void crypto_watch(struct world *world, struct watched *watched)
{
    const sotto_mls_provider *from = real();
    watched->world = world;
    watched->table = (sotto_mls_provider){
        .hashes = from->hashes,
        .aeads = from->aeads,
        .dhs = from->dhs,
        .signatures = from->signatures,
        .start = start,
        .stop = stop,
        .hash = hash,
        .hmac = from->hmac == NULL ? NULL : hmac,
        .seal = seal,
        .open = open,
        .dh_public = dh_public,
        .dh_agree = dh_agree,
        .dh_check = dh_check,
        .signature_public = signature_public,
        .sign = sign,
        .verify = verify,
    };
    /* ML-KEM is the engine's own C in both. */
    if (from->mlkem_public != NULL)
        abort();
}

/* An MLSMessage ends with its ciphertext, and that with its tag. */
void crypto_seen(struct world *world, const struct request_id *append_id, sotto_bytes bytes)
{
    struct digest tag, entry;
    if (bytes.size < TAG)
        return;
    memcpy(tag.bytes, bytes.data + bytes.size - TAG, TAG);
    const struct digest *used = digest_get(&world->sealed, &tag);
    if (used == NULL)
        return; /* in the open: no AEAD */
    digest_of(bytes, sotto_bytes_of(append_id->bytes, REQUEST_ID_SIZE), &entry);
    const struct digest *before = digest_get(&world->keys, used);
    if (before == NULL)
        (void)digest_put(&world->keys, used, &entry);
    else if (memcmp(before->bytes, entry.bytes, sizeof entry.bytes) != 0)
        world_fails(world, "a generation's key stands under two entries");
}
