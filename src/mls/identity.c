#include "mls/identity.h"

#include <string.h>

#include "mls/proposal.h"

/* ---- Copies ---------------------------------------------------------------------------------- */

sotto_error credential_copy(struct arena *arena, const sotto_mls_credential *from,
                            sotto_mls_credential *to)
{
    *to = (sotto_mls_credential){.type = from->type};
    if (from->type == CREDENTIAL_BASIC)
        return arena_copy(arena, from->identity, &to->identity);
    if (from->type != CREDENTIAL_X509 || from->chain_count == 0 ||
        from->chain_count > LIMIT_CHAIN_COUNT)
        return SOTTO_ARGUMENT;
    sotto_bytes *chain = arena_array(arena, from->chain_count, sizeof *chain);
    if (chain == NULL)
        return SOTTO_NO_MEMORY;
    for (size_t i = 0; i < from->chain_count; i++)
        TRY(arena_copy(arena, from->chain[i], &chain[i]));
    to->chain = chain;
    to->chain_count = from->chain_count;
    return SOTTO_OK;
}

bool credential_equal(const sotto_mls_credential *a, const sotto_mls_credential *b)
{
    if (a->type != b->type || a->chain_count != b->chain_count ||
        !sotto_bytes_equal(a->identity, b->identity))
        return false;
    for (size_t i = 0; i < a->chain_count; i++)
        if (!sotto_bytes_equal(a->chain[i], b->chain[i]))
            return false;
    return true;
}

bool extensions_equal(const struct extensions *a, const struct extensions *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (a->items[i].type != b->items[i].type ||
            !sotto_bytes_equal(a->items[i].data, b->items[i].data))
            return false;
    return true;
}

sotto_error extensions_copy(struct arena *arena, const sotto_mls_extension *items, size_t count,
                            struct extensions *out)
{
    *out = (struct extensions){0};
    if (count == 0)
        return SOTTO_OK;
    if (count > LIMIT_EXTENSION_COUNT)
        return SOTTO_LIMIT;
    sotto_mls_extension *copy = arena_array(arena, count, sizeof *copy);
    if (copy == NULL)
        return SOTTO_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < i; j++)
            if (items[j].type == items[i].type) /* 13.4 */
                return SOTTO_ARGUMENT;
        if (items[i].data.size > LIMIT_EXTENSION)
            return SOTTO_LIMIT;
        copy[i].type = items[i].type;
        TRY(arena_copy(arena, items[i].data, &copy[i].data));
    }
    *out = (struct extensions){copy, count};
    return SOTTO_OK;
}

/* ---- Capabilities (7.2) ---------------------------------------------------------------------- */

/* A growing list without doubles, at most as long as a reader accepts. */
struct numbers {
    uint16_t values[LIMIT_CAPABILITY_COUNT];
    size_t count;
};

static sotto_error add_number(struct numbers *list, uint16_t value)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->values[i] == value)
            return SOTTO_OK;
    if (list->count == LIMIT_CAPABILITY_COUNT)
        return SOTTO_LIMIT;
    list->values[list->count++] = value;
    return SOTTO_OK;
}

/* 7.2: default types are understood by all and not listed. */
static sotto_error add_numbers(struct numbers *list, const uint16_t *values, size_t count,
                               bool (*is_default)(uint16_t))
{
    for (size_t i = 0; i < count; i++)
        if (is_default == NULL || !is_default(values[i]))
            TRY(add_number(list, values[i]));
    return SOTTO_OK;
}

/* A provider may lack what a suite needs: nobody is told that this client has it. */
static sotto_error add_suites(const sotto_mls *mls, struct numbers *list,
                              const sotto_mls_capabilities *given)
{
    for (size_t i = 0; i < given->suite_count; i++)
        if (sotto_mls_suite_available(mls, given->suites[i]))
            TRY(add_number(list, given->suites[i]));
    return SOTTO_OK;
}

static sotto_error make_capabilities(const sotto_mls *mls, const sotto_mls_identity *from,
                                     uint16_t grease, struct identity *to)
{
    const sotto_mls_capabilities *given = &from->capabilities;
    struct numbers suites = {.values = {from->suite}, .count = 1}, extensions = {0};
    struct numbers proposals = {.values = {PROPOSAL_SELF_REMOVE}, .count = 1};
    struct numbers credentials = {.values = {from->credential.type}, .count = 1};
    const uint16_t version = MLS_VERSION_10;

    TRY(add_suites(mls, &suites, given));
    TRY(add_number(&extensions, EXTENSION_LAST_RESORT));
    TRY(add_numbers(&extensions, given->extensions, given->extension_count, extension_is_default));
    for (size_t i = 0; i < from->leaf_extension_count; i++)
        if (!extension_is_default(from->leaf_extensions[i].type))
            TRY(add_number(&extensions, from->leaf_extensions[i].type));
    TRY(add_numbers(&proposals, given->proposals, given->proposal_count, proposal_is_default));
    TRY(add_numbers(&credentials, given->credentials, given->credential_count, NULL));
    /* 13.5: values that nobody knows, so that nobody comes to refuse what they do not know. */
    TRY(add_number(&suites, grease));
    TRY(add_number(&extensions, grease));
    TRY(add_number(&proposals, grease));
    TRY(add_number(&credentials, grease));

    struct capabilities *caps = &to->capabilities;
    TRY(u16_list_make(&to->arena, &version, 1, &caps->versions));
    TRY(u16_list_make(&to->arena, suites.values, suites.count, &caps->suites));
    TRY(u16_list_make(&to->arena, extensions.values, extensions.count, &caps->extensions));
    TRY(u16_list_make(&to->arena, proposals.values, proposals.count, &caps->proposals));
    return u16_list_make(&to->arena, credentials.values, credentials.count, &caps->credentials);
}

uint16_t grease_of(sotto_bytes signature_public)
{
    uint8_t last = signature_public.data[signature_public.size - 1];
    uint16_t octet = (uint16_t)((last % 15) << 4 | 0x0a);
    return (uint16_t)(octet << 8 | octet);
}

sotto_mls_extension grease_extension(sotto_bytes signature_public)
{
    return (sotto_mls_extension){.type = grease_of(signature_public),
                                 .data = sotto_bytes_str("ignore me")};
}

/* The application's extensions of leaves, and GREASE behind them. */
static sotto_error make_extensions(const sotto_mls *mls, const sotto_mls_identity *from,
                                   struct identity *to)
{
    struct extensions given;
    TRY(extensions_copy(&to->arena, from->leaf_extensions, from->leaf_extension_count, &given));
    to->extensions = given;
    if (!mls->config.grease_extensions)
        return SOTTO_OK;
    if (given.count == LIMIT_EXTENSION_COUNT)
        return SOTTO_LIMIT;
    sotto_mls_extension *all = arena_array(&to->arena, given.count + 1, sizeof *all);
    if (all == NULL)
        return SOTTO_NO_MEMORY;
    for (size_t i = 0; i < given.count; i++)
        all[i] = given.items[i];
    all[given.count].type = grease_of(from->signature_public);
    to->extensions = (struct extensions){all, given.count + 1};
    return SOTTO_OK;
}

static sotto_error fill(sotto_mls *mls, const sotto_mls_identity *from, struct identity *to)
{
    if (from->signature_public.size == 0 || from->signature_private.size == 0)
        return SOTTO_ARGUMENT;
    TRY(credential_copy(&to->arena, &from->credential, &to->credential));
    TRY(make_extensions(mls, from, to));
    TRY(make_capabilities(mls, from, grease_of(from->signature_public), to));
    TRY(arena_copy(&to->arena, from->signature_public, &to->signature_public));
    TRY(secret_set(&to->signature_private, from->signature_private));

    sotto_buf public_key;
    sotto_buf_init(&public_key, mls->env);
    sotto_error error = crypto_signature_public(mls->crypto, to->suite,
                                                secret_view(&to->signature_private), &public_key);
    if (error == SOTTO_OK && !sotto_bytes_equal(sotto_buf_view(&public_key), to->signature_public))
        error = SOTTO_ARGUMENT;
    sotto_buf_free(&public_key);
    return error;
}

sotto_error identity_copy(sotto_mls *mls, const sotto_mls_identity *from, struct identity *to)
{
    struct identity made = {0};
    TRY(mls_suite(mls, from->suite, &made.suite));
    arena_init(&made.arena, mls->env);
    sotto_error error = fill(mls, from, &made);
    if (error != SOTTO_OK) {
        identity_free(&made);
        return mls_check(mls, error, "identity");
    }
    *to = made;
    secret_wipe(&made.signature_private);
    return SOTTO_OK;
}

void identity_free(struct identity *identity)
{
    if (identity->arena.env != NULL)
        arena_free(&identity->arena);
    secret_wipe(&identity->signature_private);
}

/* ---- In records ------------------------------------------------------------------------------ */

void secret_read(struct reader *reader, struct secret *secret, const char *what)
{
    secret_wipe(secret);
    sotto_bytes value = reader_vector(reader, SECRET_MAX, what);
    if (reader_ok(reader) && secret_set(secret, value) != SOTTO_OK)
        reader_fail(reader, SOTTO_LENGTH, what);
}

void identity_write(struct writer *writer, const struct identity *identity)
{
    const struct capabilities *caps = &identity->capabilities;
    credential_write(writer, &identity->credential);
    u16_list_write(writer, caps->versions);
    u16_list_write(writer, caps->suites);
    u16_list_write(writer, caps->extensions);
    u16_list_write(writer, caps->proposals);
    u16_list_write(writer, caps->credentials);
    extensions_write(writer, &identity->extensions);
    writer_vector(writer, identity->signature_public);
    writer_vector(writer, secret_view(&identity->signature_private));
}

sotto_error identity_read(sotto_mls *mls, struct reader *reader, const struct suite *suite,
                          struct identity *identity)
{
    *identity = (struct identity){.suite = suite};
    struct arena *arena = &identity->arena;
    arena_init(arena, mls->env);
    /* What is read borrows from the record: decode from a copy that the arena owns. */
    sotto_bytes rest = sotto_bytes_of(reader->start + reader->pos, reader->end - reader->pos), own;
    if (arena_copy(arena, rest, &own) != SOTTO_OK) {
        reader_fail(reader, SOTTO_NO_MEMORY, "identity");
        return SOTTO_NO_MEMORY;
    }
    struct reader inner;
    reader_init(&inner, own);
    struct capabilities *caps = &identity->capabilities;
    credential_read(&inner, arena, &identity->credential);
    caps->versions = u16_list_read(&inner, LIMIT_CAPABILITY_LIST, "identity.versions");
    caps->suites = u16_list_read(&inner, LIMIT_CAPABILITY_LIST, "identity.suites");
    caps->extensions = u16_list_read(&inner, LIMIT_CAPABILITY_LIST, "identity.extensions");
    caps->proposals = u16_list_read(&inner, LIMIT_CAPABILITY_LIST, "identity.proposals");
    caps->credentials = u16_list_read(&inner, LIMIT_CAPABILITY_LIST, "identity.credentials");
    extensions_read(&inner, arena, LIMIT_EXTENSIONS, &identity->extensions, "identity.extensions");
    identity->signature_public = reader_vector(&inner, LIMIT_PUBLIC_KEY, "identity.public");
    secret_read(&inner, &identity->signature_private, "identity.private");
    if (reader_ok(&inner)) {
        reader->pos += inner.pos;
        return SOTTO_OK;
    }
    identity_free(identity);
    reader_fail(reader, inner.fault.error, inner.fault.what);
    return inner.fault.error;
}

/* ---- Leaves ---------------------------------------------------------------------------------- */

void identity_leaf(const struct identity *identity, sotto_bytes encryption_key,
                   enum leaf_source source, struct leaf_node *leaf)
{
    *leaf = (struct leaf_node){
        .encryption_key = encryption_key,
        .signature_key = identity->signature_public,
        .credential = identity->credential,
        .capabilities = identity->capabilities,
        .source = source,
        .not_after = UINT64_MAX,
        .extensions = identity->extensions,
    };
}

void leaf_view(const struct leaf_node *leaf, uint32_t index, sotto_mls_leaf *view)
{
    *view = (sotto_mls_leaf){
        .index = index,
        .credential = leaf->credential,
        .signature_key = leaf->signature_key,
        .encryption_key = leaf->encryption_key,
        .extensions = leaf->extensions.items,
        .extension_count = leaf->extensions.count,
        .not_before = leaf->not_before,
        .not_after = leaf->not_after,
    };
}
