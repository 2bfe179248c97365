#include "crypto/voprf.h"

#include <string.h>

#include <sodium.h>

#include "crypto/public_taint.h"

enum {
    WIDE = 64,   /* uniform bytes that are reduced to a scalar or mapped to an element */
    BLOCK = 128, /* of SHA-512 */
    DIGEST = 64, /* of SHA-512 */
    DST = 64,    /* room for a domain separation tag */
};

_Static_assert(VOPRF_ELEMENT == crypto_core_ristretto255_BYTES, "size of an element");
_Static_assert(VOPRF_SCALAR == crypto_core_ristretto255_SCALARBYTES, "size of a scalar");
_Static_assert(VOPRF_SCALAR <= SECRET_MAX, "a scalar fits a secret");

/* ---- Hashing -------------------------------------------------------------------------------- */

typedef crypto_hash_sha512_state sha512;

static void add(sha512 *hash, sotto_bytes bytes)
{
    if (bytes.size > 0)
        crypto_hash_sha512_update(hash, bytes.data, bytes.size);
}

static void add_text(sha512 *hash, const char *text)
{
    add(hash, sotto_bytes_str(text));
}

/* I2OSP(value, 2) */
static void add_u16(sha512 *hash, size_t value)
{
    const uint8_t octets[] = {(uint8_t)(value >> 8), (uint8_t)value};
    add(hash, sotto_bytes_of(octets, sizeof octets));
}

/* I2OSP(len(bytes), 2) || bytes */
static void add_framed(sha512 *hash, sotto_bytes bytes)
{
    add_u16(hash, bytes.size);
    add(hash, bytes);
}

static sotto_bytes element_view(const uint8_t *element)
{
    return sotto_bytes_of(element, VOPRF_ELEMENT);
}

/* A domain separation tag: prefix || contextString, where
 * contextString = "OPRFV1-" || I2OSP(mode, 1) || "-ristretto255-SHA512" (section 3.1). */
struct tag {
    uint8_t bytes[DST];
    size_t size;
};

static struct tag tag_of(const char *prefix, enum voprf_mode mode)
{
    static const char head[] = "OPRFV1-", tail[] = "-ristretto255-SHA512";
    struct tag tag = {.size = strlen(prefix)};
    memcpy(tag.bytes, prefix, tag.size);
    memcpy(tag.bytes + tag.size, head, sizeof head - 1);
    tag.size += sizeof head - 1;
    tag.bytes[tag.size++] = (uint8_t)mode;
    memcpy(tag.bytes + tag.size, tail, sizeof tail - 1);
    tag.size += sizeof tail - 1;
    return tag;
}

/* expand_message_xmd of RFC 9380, section 5.3.1, with SHA-512 and 64 bytes of output, so that there
 * is one block b_1. Begun here, fed with the message by the caller, ended by expand_end. */
static void expand_begin(sha512 *hash)
{
    static const uint8_t z_pad[BLOCK];
    crypto_hash_sha512_init(hash);
    add(hash, sotto_bytes_of(z_pad, sizeof z_pad));
}

static void expand_end(sha512 *hash, const struct tag *tag, uint8_t uniform[static WIDE])
{
    const uint8_t zero = 0, one = 1, tag_size = (uint8_t)tag->size;
    const sotto_bytes tag_bytes = sotto_bytes_of(tag->bytes, tag->size);
    uint8_t b_0[DIGEST];
    add_u16(hash, WIDE);
    add(hash, sotto_bytes_of(&zero, 1));
    add(hash, tag_bytes);
    add(hash, sotto_bytes_of(&tag_size, 1));
    crypto_hash_sha512_final(hash, b_0);
    crypto_hash_sha512_init(hash);
    add(hash, sotto_bytes_of(b_0, sizeof b_0));
    add(hash, sotto_bytes_of(&one, 1));
    add(hash, tag_bytes);
    add(hash, sotto_bytes_of(&tag_size, 1));
    crypto_hash_sha512_final(hash, uniform);
    wipe(b_0, sizeof b_0);
    wipe(hash, sizeof *hash);
}

/* HashToGroup (section 4.1). False: the identity. */
static bool hash_to_group(enum voprf_mode mode, sotto_bytes input, uint8_t *element)
{
    const struct tag tag = tag_of("HashToGroup-", mode);
    uint8_t uniform[WIDE];
    sha512 hash;
    expand_begin(&hash);
    add(&hash, input);
    expand_end(&hash, &tag, uniform);
    crypto_core_ristretto255_from_hash(element, uniform);
    wipe(uniform, sizeof uniform);
    int is_identity = sodium_is_zero(element, VOPRF_ELEMENT);
    public_from_here(&is_identity, sizeof is_identity); /* never, for any input one can find */
    return !is_identity;
}

/* HashToScalar of what was fed to hash since expand_begin. */
static void scalar_end(sha512 *hash, const struct tag *tag, uint8_t *scalar)
{
    uint8_t uniform[WIDE];
    expand_end(hash, tag, uniform);
    crypto_core_ristretto255_scalar_reduce(scalar, uniform);
    wipe(uniform, sizeof uniform);
}

/* ---- Scalars and elements ------------------------------------------------------------------- */

/* A zero scalar is public: it is refused, and does not happen. */
static bool scalar_is_zero(const uint8_t *scalar)
{
    int is_zero = sodium_is_zero(scalar, VOPRF_SCALAR);
    public_from_here(&is_zero, sizeof is_zero);
    return is_zero;
}

/* RandomScalar: uniform up to 2^-250, never zero. */
static sotto_error random_scalar(const sotto_env *env, struct secret *scalar)
{
    uint8_t wide[WIDE];
    sotto_error error;
    secret_reset(scalar, VOPRF_SCALAR);
    do {
        error = env->random(env->ctx, wide, sizeof wide);
        if (error == SOTTO_OK)
            crypto_core_ristretto255_scalar_reduce(scalar->data, wide);
    } while (error == SOTTO_OK && scalar_is_zero(scalar->data));
    wipe(wide, sizeof wide);
    if (error != SOTTO_OK)
        secret_wipe(scalar);
    return error;
}

/* DeserializeScalar: below the order. */
static bool scalar_is_reduced(const uint8_t *scalar)
{
    uint8_t wide[WIDE] = {0}, reduced[VOPRF_SCALAR];
    memcpy(wide, scalar, VOPRF_SCALAR);
    crypto_core_ristretto255_scalar_reduce(reduced, wide);
    int differs = sodium_memcmp(reduced, scalar, VOPRF_SCALAR);
    public_from_here(&differs, sizeof differs);
    wipe(wide, sizeof wide);
    wipe(reduced, sizeof reduced);
    return !differs;
}

sotto_error voprf_check_element(sotto_bytes element)
{
    bool good = element.size == VOPRF_ELEMENT && !sodium_is_zero(element.data, VOPRF_ELEMENT) &&
                crypto_core_ristretto255_is_valid_point(element.data) == 1;
    return good ? SOTTO_OK : SOTTO_KEY;
}

/* Whole elements, one at least, each valid. */
static sotto_error check_batch(sotto_bytes batch)
{
    size_t count = batch.size / VOPRF_ELEMENT;
    if (count == 0 || count > VOPRF_INPUT_MAX || batch.size % VOPRF_ELEMENT != 0)
        return SOTTO_LENGTH;
    for (size_t i = 0; i < count; i++)
        TRY(voprf_check_element(element_view(batch.data + i * VOPRF_ELEMENT)));
    return SOTTO_OK;
}

/* scalar * point. False: the point is not valid, or the result is the identity: which of a group of
 * prime order only a zero scalar gives, so that to say so is no leak. */
static bool multiply(const uint8_t *scalar, const uint8_t *point, uint8_t *out)
{
    int failed = crypto_scalarmult_ristretto255(out, scalar, point);
    public_from_here(&failed, sizeof failed);
    return failed == 0;
}

/* scalar * G; likewise. */
static bool multiply_base(const uint8_t *scalar, uint8_t *out)
{
    int failed = crypto_scalarmult_ristretto255_base(out, scalar);
    public_from_here(&failed, sizeof failed);
    return failed == 0;
}

/* ---- Keys ----------------------------------------------------------------------------------- */

void voprf_key_wipe(struct voprf_key *key)
{
    secret_wipe(&key->private_key);
}

static sotto_error complete_key(struct voprf_key *key)
{
    if (!multiply_base(key->private_key.data, key->public_key)) {
        voprf_key_wipe(key);
        return SOTTO_KEY;
    }
    public_from_here(key->public_key, VOPRF_ELEMENT);
    return SOTTO_OK;
}

sotto_error voprf_key_generate(const sotto_env *env, struct voprf_key *key)
{
    TRY(random_scalar(env, &key->private_key));
    return complete_key(key);
}

sotto_error voprf_key_derive(enum voprf_mode mode, sotto_bytes seed, sotto_bytes info,
                             struct voprf_key *key)
{
    const struct tag tag = tag_of("DeriveKeyPair", mode);
    if (seed.size != VOPRF_SEED || info.size > VOPRF_INPUT_MAX)
        return SOTTO_ARGUMENT;
    secret_reset(&key->private_key, VOPRF_SCALAR);
    for (unsigned counter = 0; counter <= 255; counter++) {
        const uint8_t octet = (uint8_t)counter;
        sha512 hash;
        expand_begin(&hash);
        add(&hash, seed);
        add_framed(&hash, info);
        add(&hash, sotto_bytes_of(&octet, 1));
        scalar_end(&hash, &tag, key->private_key.data);
        if (!scalar_is_zero(key->private_key.data))
            return complete_key(key);
    }
    voprf_key_wipe(key);
    return SOTTO_KEY;
}

sotto_error voprf_key_load(sotto_bytes private_key, struct voprf_key *key)
{
    if (private_key.size != VOPRF_SCALAR || !scalar_is_reduced(private_key.data))
        return SOTTO_KEY;
    TRY(secret_set(&key->private_key, private_key));
    return complete_key(key);
}

/* ---- The info of mode POPRF ----------------------------------------------------------------- */

/* m = HashToScalar("Info" || I2OSP(len(info), 2) || info) */
static void info_scalar(sotto_bytes info, uint8_t *m)
{
    const struct tag tag = tag_of("HashToScalar-", VOPRF_MODE_POPRF);
    sha512 hash;
    expand_begin(&hash);
    add_text(&hash, "Info");
    add_framed(&hash, info);
    scalar_end(&hash, &tag, m);
}

/* The server's key under this info: t = skS + m, and t * G; else the key as it is. */
static sotto_error tweak_key(enum voprf_mode mode, const struct voprf_key *key, sotto_bytes info,
                             struct voprf_key *tweaked)
{
    uint8_t m[VOPRF_SCALAR];
    *tweaked = *key;
    if (mode != VOPRF_MODE_POPRF)
        return SOTTO_OK;
    info_scalar(info, m);
    crypto_core_ristretto255_scalar_add(tweaked->private_key.data, key->private_key.data, m);
    if (scalar_is_zero(tweaked->private_key.data)) {
        voprf_key_wipe(tweaked);
        return SOTTO_STATE;
    }
    return complete_key(tweaked);
}

/* The client's side of the same: m * G + pkS. */
static sotto_error tweak_public(enum voprf_mode mode, sotto_bytes public_key, sotto_bytes info,
                                uint8_t *tweaked)
{
    uint8_t m[VOPRF_SCALAR], t[VOPRF_ELEMENT];
    TRY(voprf_check_element(public_key));
    memcpy(tweaked, public_key.data, VOPRF_ELEMENT);
    if (mode != VOPRF_MODE_POPRF)
        return SOTTO_OK;
    info_scalar(info, m);
    bool good = multiply_base(m, t) &&
                crypto_core_ristretto255_add(tweaked, t, public_key.data) == 0 &&
                !sodium_is_zero(tweaked, VOPRF_ELEMENT);
    return good ? SOTTO_OK : SOTTO_KEY;
}

/* What evaluates one element: skS, or the inverse of t in mode POPRF. */
static void evaluation_scalar(enum voprf_mode mode, const struct voprf_key *tweaked, uint8_t *out)
{
    if (mode == VOPRF_MODE_POPRF)
        (void)crypto_core_ristretto255_scalar_invert(out, tweaked->private_key.data);
    else
        memcpy(out, tweaked->private_key.data, VOPRF_SCALAR);
}

/* ---- The proof (section 2.2) ---------------------------------------------------------------- */

/* M and Z of ComputeComposites; z NULL: M alone, as ComputeCompositesFast begins. */
static sotto_error composites(enum voprf_mode mode, const uint8_t *b, sotto_bytes c, sotto_bytes d,
                              uint8_t *m, uint8_t *z)
{
    const struct tag seed_tag = tag_of("Seed-", mode), tag = tag_of("HashToScalar-", mode);
    uint8_t seed[DIGEST], scalar[VOPRF_SCALAR], part[VOPRF_ELEMENT];
    sha512 hash;
    crypto_hash_sha512_init(&hash);
    add_framed(&hash, element_view(b));
    add_framed(&hash, sotto_bytes_of(seed_tag.bytes, seed_tag.size));
    crypto_hash_sha512_final(&hash, seed);
    memset(m, 0, VOPRF_ELEMENT); /* the identity */
    if (z != NULL)
        memset(z, 0, VOPRF_ELEMENT);
    for (size_t i = 0; i < c.size / VOPRF_ELEMENT; i++) {
        const uint8_t *c_i = c.data + i * VOPRF_ELEMENT, *d_i = d.data + i * VOPRF_ELEMENT;
        expand_begin(&hash);
        add_framed(&hash, sotto_bytes_of(seed, sizeof seed));
        add_u16(&hash, i);
        add_framed(&hash, element_view(c_i));
        add_framed(&hash, element_view(d_i));
        add_text(&hash, "Composite");
        scalar_end(&hash, &tag, scalar);
        bool good = multiply(scalar, c_i, part) && crypto_core_ristretto255_add(m, m, part) == 0;
        if (good && z != NULL)
            good = multiply(scalar, d_i, part) && crypto_core_ristretto255_add(z, z, part) == 0;
        if (!good)
            return SOTTO_KEY;
    }
    return SOTTO_OK;
}

static void challenge(enum voprf_mode mode, const uint8_t *b, const uint8_t *const a[static 4],
                      uint8_t *c)
{
    const struct tag tag = tag_of("HashToScalar-", mode);
    sha512 hash;
    expand_begin(&hash);
    add_framed(&hash, element_view(b));
    for (size_t i = 0; i < 4; i++)
        add_framed(&hash, element_view(a[i]));
    add_text(&hash, "Challenge");
    scalar_end(&hash, &tag, c);
}

/* GenerateProof: that b = k * G and d = k * c, element by element. proof = c || s. */
static sotto_error prove(enum voprf_mode mode, const sotto_env *env, const struct voprf_key *key,
                         sotto_bytes c, sotto_bytes d, uint8_t *proof)
{
    uint8_t m[VOPRF_ELEMENT], z[VOPRF_ELEMENT], t2[VOPRF_ELEMENT], t3[VOPRF_ELEMENT];
    uint8_t product[VOPRF_SCALAR];
    struct secret r = {0};
    TRY(composites(mode, key->public_key, c, d, m, NULL));
    TRY(random_scalar(env, &r));
    bool good = multiply(key->private_key.data, m, z) && multiply_base(r.data, t2) &&
                multiply(r.data, m, t3);
    if (good) {
        challenge(mode, key->public_key, (const uint8_t *const[]){m, z, t2, t3}, proof);
        crypto_core_ristretto255_scalar_mul(product, proof, key->private_key.data);
        crypto_core_ristretto255_scalar_sub(proof + VOPRF_SCALAR, r.data, product);
    }
    wipe(product, sizeof product);
    secret_wipe(&r);
    return good ? SOTTO_OK : SOTTO_KEY;
}

/* x * p + y * q; p NULL: the generator. */
static bool combine(const uint8_t *x, const uint8_t *p, const uint8_t *y, const uint8_t *q,
                    uint8_t *sum)
{
    uint8_t left[VOPRF_ELEMENT], right[VOPRF_ELEMENT];
    bool good = p == NULL ? multiply_base(x, left) : multiply(x, p, left);
    return good && multiply(y, q, right) && crypto_core_ristretto255_add(sum, left, right) == 0;
}

/* VerifyProof. */
static sotto_error verify(enum voprf_mode mode, const uint8_t *b, sotto_bytes c, sotto_bytes d,
                          sotto_bytes proof)
{
    uint8_t m[VOPRF_ELEMENT], z[VOPRF_ELEMENT], t2[VOPRF_ELEMENT], t3[VOPRF_ELEMENT];
    uint8_t expected[VOPRF_SCALAR];
    if (proof.size != VOPRF_PROOF)
        return SOTTO_LENGTH;
    const uint8_t *shown = proof.data, *s = proof.data + VOPRF_SCALAR;
    if (!scalar_is_reduced(shown) || !scalar_is_reduced(s))
        return SOTTO_SIGNATURE;
    TRY(composites(mode, b, c, d, m, z));
    if (!combine(s, NULL, shown, b, t2) || !combine(s, m, shown, z, t3))
        return SOTTO_SIGNATURE;
    challenge(mode, b, (const uint8_t *const[]){m, z, t2, t3}, expected);
    return sodium_memcmp(expected, shown, VOPRF_SCALAR) == 0 ? SOTTO_OK : SOTTO_SIGNATURE;
}

/* ---- The protocol (section 3.3) ------------------------------------------------------------- */

sotto_error voprf_blind(enum voprf_mode mode, const sotto_env *env, sotto_bytes input,
                        struct secret *blind, uint8_t blinded[static VOPRF_ELEMENT])
{
    uint8_t element[VOPRF_ELEMENT];
    memset(blinded, 0, VOPRF_ELEMENT);
    if (input.size > VOPRF_INPUT_MAX || !hash_to_group(mode, input, element))
        return SOTTO_ARGUMENT;
    sotto_error error = random_scalar(env, blind);
    /* It is in its right form, being ours; that it is, is all that libsodium's decoding tells. */
    public_from_here(element, sizeof element);
    if (error == SOTTO_OK && !multiply(blind->data, element, blinded))
        error = SOTTO_INTERNAL;
    if (error != SOTTO_OK)
        secret_wipe(blind);
    wipe(element, sizeof element);
    return error;
}

static sotto_error evaluate_batch(enum voprf_mode mode, const struct voprf_key *tweaked,
                                  sotto_bytes blinded, uint8_t *evaluated)
{
    uint8_t scalar[VOPRF_SCALAR];
    bool good = true;
    evaluation_scalar(mode, tweaked, scalar);
    for (size_t at = 0; at < blinded.size && good; at += VOPRF_ELEMENT)
        good = multiply(scalar, blinded.data + at, evaluated + at);
    public_from_here(evaluated, blinded.size);
    wipe(scalar, sizeof scalar);
    return good ? SOTTO_OK : SOTTO_KEY;
}

sotto_error voprf_blind_evaluate(enum voprf_mode mode, const sotto_env *env,
                                 const struct voprf_key *key, sotto_bytes info, sotto_bytes blinded,
                                 uint8_t *evaluated, uint8_t *proof)
{
    struct voprf_key tweaked = {0};
    memset(evaluated, 0, blinded.size);
    if (mode != VOPRF_MODE_OPRF)
        memset(proof, 0, VOPRF_PROOF);
    TRY(check_batch(blinded));
    TRY(tweak_key(mode, key, info, &tweaked));
    const sotto_bytes results = sotto_bytes_of(evaluated, blinded.size);
    sotto_error error = evaluate_batch(mode, &tweaked, blinded, evaluated);
    /* In mode POPRF blinded = t * evaluated is what holds. */
    if (error == SOTTO_OK && mode == VOPRF_MODE_VOPRF)
        error = prove(mode, env, &tweaked, blinded, results, proof);
    else if (error == SOTTO_OK && mode == VOPRF_MODE_POPRF)
        error = prove(mode, env, &tweaked, results, blinded, proof);
    if (error != SOTTO_OK)
        memset(evaluated, 0, blinded.size);
    voprf_key_wipe(&tweaked);
    return error;
}

/* Hash(input, [info], element, "Finalize"), each with its length. */
static void finalize_hash(enum voprf_mode mode, sotto_bytes info, sotto_bytes input,
                          const uint8_t *element, uint8_t *output)
{
    sha512 hash;
    crypto_hash_sha512_init(&hash);
    add_framed(&hash, input);
    if (mode == VOPRF_MODE_POPRF)
        add_framed(&hash, info);
    add_framed(&hash, element_view(element));
    add_text(&hash, "Finalize");
    crypto_hash_sha512_final(&hash, output);
    wipe(&hash, sizeof hash);
}

static sotto_error unblind(enum voprf_mode mode, sotto_bytes info, const struct voprf_blinded *sent,
                           const uint8_t *evaluated, uint8_t *output)
{
    uint8_t inverse[VOPRF_SCALAR], element[VOPRF_ELEMENT];
    if (sent->blind.size != VOPRF_SCALAR || sent->input.size > VOPRF_INPUT_MAX)
        return SOTTO_ARGUMENT;
    /* The inverse of zero is zero, which multiply refuses. */
    (void)crypto_core_ristretto255_scalar_invert(inverse, sent->blind.data);
    bool good = multiply(inverse, evaluated, element);
    if (good)
        finalize_hash(mode, info, sent->input, element, output);
    wipe(inverse, sizeof inverse);
    wipe(element, sizeof element);
    return good ? SOTTO_OK : SOTTO_KEY;
}

static sotto_error check_answer(enum voprf_mode mode, sotto_bytes public_key, sotto_bytes info,
                                sotto_bytes blinded, sotto_bytes evaluated, sotto_bytes proof)
{
    uint8_t tweaked[VOPRF_ELEMENT];
    TRY(check_batch(blinded));
    TRY(check_batch(evaluated));
    if (mode == VOPRF_MODE_OPRF)
        return SOTTO_OK;
    TRY(tweak_public(mode, public_key, info, tweaked));
    return mode == VOPRF_MODE_VOPRF ? verify(mode, tweaked, blinded, evaluated, proof)
                                    : verify(mode, tweaked, evaluated, blinded, proof);
}

sotto_error voprf_finalize(enum voprf_mode mode, sotto_bytes public_key, sotto_bytes info,
                           const struct voprf_blinded *sent, size_t count, sotto_bytes blinded,
                           sotto_bytes evaluated, sotto_bytes proof, uint8_t *outputs)
{
    if (count == 0 || count > VOPRF_INPUT_MAX || blinded.size != count * VOPRF_ELEMENT ||
        evaluated.size != blinded.size)
        return SOTTO_LENGTH;
    memset(outputs, 0, count * VOPRF_OUTPUT);
    sotto_error error = check_answer(mode, public_key, info, blinded, evaluated, proof);
    for (size_t i = 0; i < count && error == SOTTO_OK; i++)
        error = unblind(mode, info, &sent[i], evaluated.data + i * VOPRF_ELEMENT,
                        outputs + i * VOPRF_OUTPUT);
    if (error != SOTTO_OK)
        wipe(outputs, count * VOPRF_OUTPUT);
    return error;
}

sotto_error voprf_evaluate(enum voprf_mode mode, const struct voprf_key *key, sotto_bytes info,
                           sotto_bytes input, uint8_t output[static VOPRF_OUTPUT])
{
    uint8_t scalar[VOPRF_SCALAR], element[VOPRF_ELEMENT], evaluated[VOPRF_ELEMENT];
    struct voprf_key tweaked = {0};
    memset(output, 0, VOPRF_OUTPUT);
    if (input.size > VOPRF_INPUT_MAX || !hash_to_group(mode, input, element))
        return SOTTO_ARGUMENT;
    TRY(tweak_key(mode, key, info, &tweaked));
    evaluation_scalar(mode, &tweaked, scalar);
    public_from_here(element, sizeof element); /* as in voprf_blind */
    sotto_error error = multiply(scalar, element, evaluated) ? SOTTO_OK : SOTTO_KEY;
    if (error == SOTTO_OK)
        finalize_hash(mode, info, input, evaluated, output);
    wipe(scalar, sizeof scalar);
    wipe(evaluated, sizeof evaluated);
    voprf_key_wipe(&tweaked);
    return error;
}
