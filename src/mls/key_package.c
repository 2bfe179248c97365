/* KeyPackages (RFC 9420, section 10): making and judging. */
#include "mls/framing.h"
#include "mls/identity.h"

/* ---- Private keys ---------------------------------------------------------------------------- */

#define SECRETS_VERSION 1

void package_secrets_write(struct writer *writer, sotto_bytes init_private,
                           sotto_bytes encryption_private)
{
    writer_u8(writer, SECRETS_VERSION);
    writer_vector(writer, init_private);
    writer_vector(writer, encryption_private);
}

sotto_error package_secrets_decode(sotto_bytes input, struct package_secrets *secrets,
                                   sotto_fault *fault)
{
    struct reader r;
    reader_init(&r, input);
    if (reader_u8(&r, "KeyPackage secrets.version") != SECRETS_VERSION)
        reader_fail(&r, SOTTO_VERSION, "KeyPackage secrets.version");
    sotto_bytes init = reader_vector(&r, SECRET_MAX, "KeyPackage secrets.init_private");
    sotto_bytes encryption = reader_vector(&r, SECRET_MAX, "KeyPackage secrets.encryption_private");
    sotto_error error = reader_finish(&r, "KeyPackage secrets");
    if (error != SOTTO_OK) {
        *fault = r.fault;
        return error;
    }
    TRY(secret_set(&secrets->init_private, init));
    return secret_set(&secrets->encryption_private, encryption);
}

void package_secrets_wipe(struct package_secrets *secrets)
{
    wipe(secrets, sizeof *secrets);
}

/* ---- Making ---------------------------------------------------------------------------------- */

struct making {
    sotto_buf init_public, encryption_public, leaf_wire, package_wire;
    struct secret init_private, encryption_private;
    struct arena arena;
};

static sotto_error make_leaf(sotto_mls *mls, const struct identity *identity, struct making *m,
                             uint64_t not_before, uint64_t not_after, struct leaf_node *leaf)
{
    struct leaf_node fields;
    identity_leaf(identity, sotto_buf_view(&m->encryption_public), LEAF_SOURCE_KEY_PACKAGE,
                  &fields);
    fields.not_before = not_before;
    fields.not_after = not_after;
    TRY(leaf_node_sign(mls->crypto, identity->suite, secret_view(&identity->signature_private),
                       &fields, (sotto_bytes){0}, (struct leaf_index){0}, &m->leaf_wire));
    struct reader r;
    reader_init(&r, sotto_buf_view(&m->leaf_wire));
    leaf_node_read(&r, &m->arena, leaf);
    return reader_finish(&r, "LeafNode");
}

static sotto_error make_package(sotto_mls *mls, const struct identity *identity, struct making *m,
                                uint64_t not_before, uint64_t not_after, unsigned flags)
{
    TRY(crypto_kem_generate(mls->crypto, identity->suite, &m->init_private, &m->init_public));
    TRY(crypto_kem_generate(mls->crypto, identity->suite, &m->encryption_private,
                            &m->encryption_public));
    sotto_mls_extension extensions[2];
    size_t count = 0;
    if (mls->config.grease_extensions) /* 13.5 */
        extensions[count++] = grease_extension(identity->signature_public);
    if (flags & SOTTO_MLS_LAST_RESORT)
        extensions[count++] = (sotto_mls_extension){.type = EXTENSION_LAST_RESORT};
    struct key_package package = {
        .version = MLS_VERSION_10,
        .suite = identity->suite->id,
        .init_key = sotto_buf_view(&m->init_public),
        .extensions = {extensions, count},
    };
    TRY(make_leaf(mls, identity, m, not_before, not_after, &package.leaf));
    return key_package_sign(mls->crypto, identity->suite, secret_view(&identity->signature_private),
                            &package, &m->package_wire);
}

static sotto_error write_package(const struct making *m, sotto_buf *key_package, sotto_buf *secrets)
{
    struct writer w;
    writer_init(&w, secrets);
    package_secrets_write(&w, secret_view(&m->init_private), secret_view(&m->encryption_private));
    TRY(writer_finish(&w));
    struct writer message;
    writer_init(&message, key_package);
    mls_message_header_write(&message, WIRE_KEY_PACKAGE);
    writer_fixed(&message, sotto_buf_view(&m->package_wire));
    sotto_error error = writer_finish(&message);
    if (error != SOTTO_OK) { /* both or none */
        wipe(secrets->data + w.start, secrets->size - w.start);
        secrets->size = w.start;
    }
    return error;
}

sotto_error sotto_mls_key_package(sotto_mls *mls, const sotto_mls_identity *identity,
                                  uint64_t not_before, uint64_t not_after, unsigned flags,
                                  sotto_buf *key_package, sotto_buf *secrets)
{
    mls_begin(mls);
    if (not_before > not_after || (flags & ~(unsigned)SOTTO_MLS_LAST_RESORT) != 0)
        return mls_fail(mls, SOTTO_ARGUMENT, "KeyPackage");
    struct identity own;
    TRY(identity_copy(mls, identity, &own));
    struct making m = {0};
    sotto_buf_init(&m.init_public, mls->env);
    sotto_buf_init(&m.encryption_public, mls->env);
    sotto_buf_init(&m.leaf_wire, mls->env);
    sotto_buf_init(&m.package_wire, mls->env);
    arena_init(&m.arena, mls->env);
    sotto_error error = make_package(mls, &own, &m, not_before, not_after, flags);
    if (error == SOTTO_OK)
        error = write_package(&m, key_package, secrets);
    sotto_buf_free(&m.init_public);
    sotto_buf_free(&m.encryption_public);
    sotto_buf_free(&m.leaf_wire);
    sotto_buf_free(&m.package_wire);
    arena_free(&m.arena);
    secret_wipe(&m.init_private);
    secret_wipe(&m.encryption_private);
    identity_free(&own);
    return mls_check(mls, error, "KeyPackage");
}

/* ---- Judging --------------------------------------------------------------------------------- */

sotto_error package_decode(struct arena *arena, sotto_bytes input, struct key_package *package,
                           sotto_fault *fault)
{
    /* An MLSMessage with a KeyPackage starts with version and wire_format 5, a bare KeyPackage of
     * suite 5 with the same bytes: only decoding tells them apart. */
    struct mls_message message;
    sotto_fault message_fault = {SOTTO_OK, "", 0};
    sotto_error error = mls_message_decode(input, arena, &message, &message_fault);
    if (error == SOTTO_OK && message.wire_format == WIRE_KEY_PACKAGE) {
        *package = message.u.key_package;
        return SOTTO_OK;
    }
    struct reader r;
    reader_init(&r, input);
    key_package_read(&r, arena, package);
    if (reader_finish(&r, "KeyPackage") == SOTTO_OK)
        return SOTTO_OK;
    *fault = error == SOTTO_OK ? (sotto_fault){SOTTO_VALUE, "MLSMessage.wire_format", 2}
             : input.size >= 4 && input.data[3] == WIRE_KEY_PACKAGE ? message_fault
                                                                    : r.fault;
    return fault->error;
}

sotto_error package_check(sotto_mls *mls, const struct key_package *package,
                          const struct suite *suite, const struct required_capabilities *required)
{
    const struct leaf_rules rules = {
        .source = LEAF_SOURCE_KEY_PACKAGE,
        .check_lifetime = !mls->config.ignore_lifetimes,
        .now = mls->env->now(mls->env->ctx),
        .max_lifetime_s = mls->config.max_lifetime_s,
        .required = required,
    };
    sotto_fault fault = {SOTTO_OK, "KeyPackage", 0};
    sotto_error error = key_package_check(mls->crypto, suite, package, &rules, &fault);
    return error == SOTTO_OK ? SOTTO_OK : mls_fail(mls, error, fault.what);
}

sotto_error sotto_mls_key_package_inspect(sotto_mls *mls, sotto_bytes key_package,
                                          sotto_mls_leaf *leaf, uint16_t *suite,
                                          sotto_buf *reference)
{
    mls_begin(mls);
    struct key_package package;
    sotto_fault fault;
    if (package_decode(&mls->lent, key_package, &package, &fault) != SOTTO_OK)
        return mls_fail_at(mls, fault);
    const struct suite *row;
    TRY(mls_suite(mls, package.suite, &row));
    TRY(package_check(mls, &package, row, NULL));
    if (reference != NULL) {
        uint8_t hash[HASH_MAX];
        TRY(mls_check(mls, key_package_ref(mls->crypto, row, &package, hash), "KeyPackageRef"));
        TRY(mls_check(mls, sotto_buf_append(reference, hash, row->nh), "KeyPackageRef"));
    }
    if (leaf != NULL)
        leaf_view(&package.leaf, UINT32_MAX, leaf);
    if (suite != NULL)
        *suite = package.suite;
    return SOTTO_OK;
}
