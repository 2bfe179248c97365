#include "mls/types.h"

#include <string.h>

/* ---- Lists of numbers ------------------------------------------------------------------------ */

bool u16_list_has(struct u16_list list, uint16_t value)
{
    for (size_t i = 0; i < u16_list_count(list); i++)
        if (u16_list_at(list, i) == value)
            return true;
    return false;
}

sotto_error u16_list_make(struct arena *arena, const uint16_t *values, size_t count,
                          struct u16_list *list)
{
    if (count == 0) {
        *list = (struct u16_list){0};
        return SOTTO_OK;
    }
    uint8_t *wire = arena_array(arena, count, 2);
    if (wire == NULL)
        return SOTTO_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        wire[2 * i] = (uint8_t)(values[i] >> 8);
        wire[2 * i + 1] = (uint8_t)values[i];
    }
    list->wire = sotto_bytes_of(wire, 2 * count);
    return SOTTO_OK;
}

/* A vector of elements of the given size each. */
static sotto_bytes read_list(struct reader *reader, size_t element, size_t max, const char *what)
{
    sotto_bytes wire = reader_vector(reader, max, what);
    if (wire.size % element == 0)
        return wire;
    reader_fail(reader, SOTTO_LENGTH, what);
    return (sotto_bytes){0};
}

struct u16_list u16_list_read(struct reader *reader, size_t max, const char *what)
{
    return (struct u16_list){read_list(reader, 2, max, what)};
}

void u16_list_write(struct writer *writer, struct u16_list list)
{
    writer_vector(writer, list.wire);
}

/* How many elements are left in a vector: reads a copy of the reader to its end. */
typedef void skip_fn(struct reader *reader);

static size_t count_elements(const struct reader *inner, skip_fn *skip)
{
    struct reader scout = *inner;
    size_t count = 0;
    while (reader_more(&scout)) {
        skip(&scout);
        count++;
    }
    return count;
}

/* Room for the elements; on failure the reader is marked and NULL returned. count 0: NULL. */
static void *element_array(struct reader *reader, struct arena *arena, size_t count, size_t size,
                           size_t max, const char *what)
{
    if (count == 0)
        return NULL;
    if (count > max) {
        reader_fail(reader, SOTTO_LIMIT, what);
        return NULL;
    }
    void *array = arena_array(arena, count, size);
    if (array == NULL)
        reader_fail(reader, SOTTO_NO_MEMORY, what);
    return array;
}

/* ---- Extension ------------------------------------------------------------------------------- */

static void skip_extension(struct reader *reader)
{
    reader_u16(reader, "Extension.extension_type");
    reader_vector(reader, SIZE_MAX, "Extension.extension_data");
}

void extensions_read(struct reader *reader, struct arena *arena, size_t limit,
                     struct extensions *extensions, const char *what)
{
    size_t data_limit = limit == LIMIT_EXTENSIONS ? LIMIT_EXTENSION : limit;
    *extensions = (struct extensions){0};
    struct reader inner;
    reader_enter(reader, &inner, limit, what);
    size_t count = count_elements(&inner, skip_extension);
    sotto_mls_extension *items =
        element_array(&inner, arena, count, sizeof *items, LIMIT_EXTENSION_COUNT, what);
    for (size_t i = 0; reader_more(&inner); i++) {
        uint16_t type = reader_u16(&inner, "Extension.extension_type");
        /* 13.4: at most one extension of a type. */
        for (size_t j = 0; j < i; j++)
            if (items[j].type == type)
                reader_fail(&inner, SOTTO_VALUE, "Extension.extension_type");
        items[i].type = type;
        items[i].data = reader_vector(&inner, data_limit, "Extension.extension_data");
    }
    reader_leave(reader, &inner, what);
    if (reader_ok(reader))
        *extensions = (struct extensions){items, count};
}

void extensions_write(struct writer *writer, const struct extensions *extensions)
{
    size_t opened = writer_open(writer);
    for (size_t i = 0; i < extensions->count; i++) {
        writer_u16(writer, extensions->items[i].type);
        writer_vector(writer, extensions->items[i].data);
    }
    writer_close(writer, opened);
}

const sotto_mls_extension *extensions_find(const struct extensions *extensions, uint16_t type)
{
    for (size_t i = 0; i < extensions->count; i++)
        if (extensions->items[i].type == type)
            return &extensions->items[i];
    return NULL;
}

bool extension_is_default(uint16_t type)
{
    return type >= EXTENSION_APPLICATION_ID && type <= EXTENSION_EXTERNAL_SENDERS;
}

bool proposal_is_default(uint16_t type)
{
    return type >= PROPOSAL_ADD && type <= PROPOSAL_GROUP_CONTEXT_EXTENSIONS;
}

void required_capabilities_read(struct reader *reader, struct required_capabilities *required)
{
    required->extensions =
        u16_list_read(reader, LIMIT_CAPABILITY_LIST, "RequiredCapabilities.extension_types");
    required->proposals =
        u16_list_read(reader, LIMIT_CAPABILITY_LIST, "RequiredCapabilities.proposal_types");
    required->credentials =
        u16_list_read(reader, LIMIT_CAPABILITY_LIST, "RequiredCapabilities.credential_types");
    if (!reader_ok(reader))
        *required = (struct required_capabilities){0};
}

void required_capabilities_write(struct writer *writer,
                                 const struct required_capabilities *required)
{
    u16_list_write(writer, required->extensions);
    u16_list_write(writer, required->proposals);
    u16_list_write(writer, required->credentials);
}

/* ---- Credential ------------------------------------------------------------------------------ */

static void skip_certificate(struct reader *reader)
{
    reader_vector(reader, LIMIT_CERTIFICATE, "Certificate.cert_data");
}

static void read_chain(struct reader *reader, struct arena *arena, sotto_mls_credential *credential)
{
    struct reader inner;
    reader_enter(reader, &inner, LIMIT_CHAIN, "Credential.certificates");
    size_t count = count_elements(&inner, skip_certificate);
    if (count == 0)
        reader_fail(&inner, SOTTO_VALUE, "Credential.certificates");
    sotto_bytes *chain = element_array(&inner, arena, count, sizeof *chain, LIMIT_CHAIN_COUNT,
                                       "Credential.certificates");
    for (size_t i = 0; reader_more(&inner); i++)
        chain[i] = reader_vector(&inner, LIMIT_CERTIFICATE, "Certificate.cert_data");
    reader_leave(reader, &inner, "Credential.certificates");
    credential->chain = chain;
    credential->chain_count = count;
}

void credential_read(struct reader *reader, struct arena *arena, sotto_mls_credential *credential)
{
    *credential = (sotto_mls_credential){0};
    size_t at = reader->pos;
    credential->type = reader_u16(reader, "Credential.credential_type");
    if (credential->type == CREDENTIAL_BASIC) {
        credential->identity = reader_vector(reader, LIMIT_IDENTITY, "Credential.identity");
    } else if (credential->type == CREDENTIAL_X509) {
        read_chain(reader, arena, credential);
    } else if (reader_ok(reader)) {
        reader->pos = at;
        reader_fail(reader, SOTTO_UNSUPPORTED, "Credential.credential_type");
    }
    if (!reader_ok(reader))
        *credential = (sotto_mls_credential){0};
}

void credential_write(struct writer *writer, const sotto_mls_credential *credential)
{
    writer_u16(writer, credential->type);
    if (credential->type == CREDENTIAL_BASIC) {
        writer_vector(writer, credential->identity);
        return;
    }
    size_t opened = writer_open(writer);
    for (size_t i = 0; i < credential->chain_count; i++)
        writer_vector(writer, credential->chain[i]);
    writer_close(writer, opened);
}

/* ---- LeafNode -------------------------------------------------------------------------------- */

static void capabilities_read(struct reader *reader, struct capabilities *capabilities)
{
    const size_t max = LIMIT_CAPABILITY_LIST;
    capabilities->versions = u16_list_read(reader, max, "Capabilities.versions");
    capabilities->suites = u16_list_read(reader, max, "Capabilities.cipher_suites");
    capabilities->extensions = u16_list_read(reader, max, "Capabilities.extensions");
    capabilities->proposals = u16_list_read(reader, max, "Capabilities.proposals");
    capabilities->credentials = u16_list_read(reader, max, "Capabilities.credentials");
}

static void capabilities_write(struct writer *writer, const struct capabilities *capabilities)
{
    u16_list_write(writer, capabilities->versions);
    u16_list_write(writer, capabilities->suites);
    u16_list_write(writer, capabilities->extensions);
    u16_list_write(writer, capabilities->proposals);
    u16_list_write(writer, capabilities->credentials);
}

/* A public key, hash or signature may not be absent where it is needed. */
static sotto_bytes read_key(struct reader *reader, const char *what)
{
    sotto_bytes key = reader_vector(reader, LIMIT_PUBLIC_KEY, what);
    if (key.size == 0)
        reader_fail(reader, SOTTO_VALUE, what);
    return key;
}

static void read_source(struct reader *reader, struct leaf_node *leaf)
{
    leaf->not_after = UINT64_MAX;
    size_t at = reader->pos;
    uint8_t source = reader_u8(reader, "LeafNode.leaf_node_source");
    switch (source) {
    case LEAF_SOURCE_KEY_PACKAGE:
        leaf->not_before = reader_u64(reader, "Lifetime.not_before");
        leaf->not_after = reader_u64(reader, "Lifetime.not_after");
        break;
    case LEAF_SOURCE_UPDATE:
        break;
    case LEAF_SOURCE_COMMIT:
        leaf->parent_hash = reader_vector(reader, LIMIT_HASH, "LeafNode.parent_hash");
        break;
    default:
        if (reader_ok(reader))
            reader->pos = at;
        reader_fail(reader, SOTTO_VALUE, "LeafNode.leaf_node_source");
        return;
    }
    leaf->source = (enum leaf_source)source;
}

void leaf_node_read(struct reader *reader, struct arena *arena, struct leaf_node *leaf)
{
    *leaf = (struct leaf_node){0};
    size_t from = reader->pos;
    leaf->encryption_key = read_key(reader, "LeafNode.encryption_key");
    leaf->signature_key = read_key(reader, "LeafNode.signature_key");
    credential_read(reader, arena, &leaf->credential);
    capabilities_read(reader, &leaf->capabilities);
    read_source(reader, leaf);
    extensions_read(reader, arena, LIMIT_EXTENSIONS, &leaf->extensions, "LeafNode.extensions");
    leaf->unsigned_wire = reader_since(reader, from);
    leaf->signature = reader_vector(reader, LIMIT_SIGNATURE, "LeafNode.signature");
    leaf->wire = reader_since(reader, from);
    if (!reader_ok(reader))
        *leaf = (struct leaf_node){0};
}

static void write_unsigned_leaf(struct writer *writer, const struct leaf_node *leaf)
{
    writer_vector(writer, leaf->encryption_key);
    writer_vector(writer, leaf->signature_key);
    credential_write(writer, &leaf->credential);
    capabilities_write(writer, &leaf->capabilities);
    writer_u8(writer, (uint8_t)leaf->source);
    if (leaf->source == LEAF_SOURCE_KEY_PACKAGE) {
        writer_u64(writer, leaf->not_before);
        writer_u64(writer, leaf->not_after);
    } else if (leaf->source == LEAF_SOURCE_COMMIT) {
        writer_vector(writer, leaf->parent_hash);
    }
    extensions_write(writer, &leaf->extensions);
}

void leaf_node_write(struct writer *writer, const struct leaf_node *leaf)
{
    write_unsigned_leaf(writer, leaf);
    writer_vector(writer, leaf->signature);
}

/* What LeafNodeTBS adds to the leaf's own fields. */
static void write_tbs_context(struct writer *writer, enum leaf_source source, sotto_bytes group_id,
                              struct leaf_index index)
{
    if (source == LEAF_SOURCE_KEY_PACKAGE)
        return;
    writer_vector(writer, group_id);
    writer_u32(writer, index.value);
}

sotto_error leaf_node_tbs(const struct leaf_node *leaf, sotto_bytes group_id,
                          struct leaf_index index, sotto_buf *tbs)
{
    BUG_UNLESS(leaf->unsigned_wire.size > 0);
    struct writer writer;
    writer_init(&writer, tbs);
    writer_fixed(&writer, leaf->unsigned_wire);
    write_tbs_context(&writer, leaf->source, group_id, index);
    return writer_finish(&writer);
}

sotto_error leaf_node_sign(struct crypto *crypto, const struct suite *suite,
                           sotto_bytes private_key, const struct leaf_node *leaf,
                           sotto_bytes group_id, struct leaf_index index, sotto_buf *wire)
{
    sotto_buf tbs, signature;
    sotto_buf_init(&tbs, crypto_env(crypto));
    sotto_buf_init(&signature, crypto_env(crypto));
    struct writer writer;
    writer_init(&writer, &tbs);
    write_unsigned_leaf(&writer, leaf);
    size_t own_size = tbs.size;
    write_tbs_context(&writer, leaf->source, group_id, index);
    sotto_error error = writer_finish(&writer);
    if (error == SOTTO_OK)
        error = crypto_sign_with_label(crypto, suite, private_key, leaf->signature_key,
                                       "LeafNodeTBS", sotto_buf_view(&tbs), &signature);
    if (error == SOTTO_OK) {
        writer_init(&writer, wire);
        writer_fixed(&writer, sotto_bytes_of(tbs.data, own_size));
        writer_vector(&writer, sotto_buf_view(&signature));
        error = writer_finish(&writer);
    }
    sotto_buf_free(&signature);
    sotto_buf_free(&tbs);
    return error;
}

sotto_error leaf_node_verify(struct crypto *crypto, const struct suite *suite,
                             const struct leaf_node *leaf, sotto_bytes group_id,
                             struct leaf_index index)
{
    /* A KeyPackage's leaf has no context: its bytes are what was signed. */
    if (leaf->source == LEAF_SOURCE_KEY_PACKAGE)
        return crypto_verify_with_label(crypto, suite, leaf->signature_key, "LeafNodeTBS",
                                        leaf->unsigned_wire, leaf->signature);
    sotto_buf tbs;
    sotto_buf_init(&tbs, crypto_env(crypto));
    sotto_error error = leaf_node_tbs(leaf, group_id, index, &tbs);
    if (error == SOTTO_OK)
        error = crypto_verify_with_label(crypto, suite, leaf->signature_key, "LeafNodeTBS",
                                         sotto_buf_view(&tbs), leaf->signature);
    sotto_buf_free(&tbs);
    return error;
}

/* ---- KeyPackage ------------------------------------------------------------------------------ */

/* RFC 9420, 10. */
void key_package_read(struct reader *reader, struct arena *arena, struct key_package *key_package)
{
    *key_package = (struct key_package){0};
    size_t from = reader->pos;
    key_package->version = reader_u16(reader, "KeyPackage.version");
    if (reader_ok(reader) && key_package->version != MLS_VERSION_10) {
        reader->pos = from;
        reader_fail(reader, SOTTO_VERSION, "KeyPackage.version");
    }
    key_package->suite = reader_u16(reader, "KeyPackage.cipher_suite");
    key_package->init_key = read_key(reader, "KeyPackage.init_key");
    leaf_node_read(reader, arena, &key_package->leaf);
    extensions_read(reader, arena, LIMIT_EXTENSIONS, &key_package->extensions,
                    "KeyPackage.extensions");
    key_package->unsigned_wire = reader_since(reader, from);
    key_package->signature = reader_vector(reader, LIMIT_SIGNATURE, "KeyPackage.signature");
    key_package->wire = reader_since(reader, from);
    if (!reader_ok(reader))
        *key_package = (struct key_package){0};
}

void key_package_write(struct writer *writer, const struct key_package *key_package)
{
    writer_u16(writer, key_package->version);
    writer_u16(writer, key_package->suite);
    writer_vector(writer, key_package->init_key);
    leaf_node_write(writer, &key_package->leaf);
    extensions_write(writer, &key_package->extensions);
    writer_vector(writer, key_package->signature);
}

sotto_error key_package_sign(struct crypto *crypto, const struct suite *suite,
                             sotto_bytes private_key, const struct key_package *key_package,
                             sotto_buf *wire)
{
    sotto_buf tbs, signature;
    sotto_buf_init(&tbs, crypto_env(crypto));
    sotto_buf_init(&signature, crypto_env(crypto));
    struct writer writer;
    writer_init(&writer, &tbs);
    writer_u16(&writer, key_package->version);
    writer_u16(&writer, key_package->suite);
    writer_vector(&writer, key_package->init_key);
    writer_fixed(&writer, key_package->leaf.wire);
    extensions_write(&writer, &key_package->extensions);
    sotto_error error = writer_finish(&writer);
    if (error == SOTTO_OK)
        error = crypto_sign_with_label(crypto, suite, private_key, key_package->leaf.signature_key,
                                       "KeyPackageTBS", sotto_buf_view(&tbs), &signature);
    if (error == SOTTO_OK) {
        writer_init(&writer, wire);
        writer_fixed(&writer, sotto_buf_view(&tbs));
        writer_vector(&writer, sotto_buf_view(&signature));
        error = writer_finish(&writer);
    }
    sotto_buf_free(&signature);
    sotto_buf_free(&tbs);
    return error;
}

sotto_error key_package_verify(struct crypto *crypto, const struct suite *suite,
                               const struct key_package *key_package)
{
    return crypto_verify_with_label(crypto, suite, key_package->leaf.signature_key, "KeyPackageTBS",
                                    key_package->unsigned_wire, key_package->signature);
}

sotto_error key_package_ref(struct crypto *crypto, const struct suite *suite,
                            const struct key_package *key_package, uint8_t *out)
{
    return crypto_ref_hash(crypto, suite, "MLS 1.0 KeyPackage Reference", key_package->wire, out);
}

/* ---- ParentNode ------------------------------------------------------------------------------ */

void parent_node_read(struct reader *reader, struct parent_node *parent)
{
    *parent = (struct parent_node){0};
    sotto_bytes key = read_key(reader, "ParentNode.encryption_key");
    parent_node_read_links(reader, parent);
    if (reader_ok(reader))
        parent->encryption_key = key;
}

void parent_node_read_links(struct reader *reader, struct parent_node *parent)
{
    *parent = (struct parent_node){0};
    parent->parent_hash = reader_vector(reader, LIMIT_HASH, "ParentNode.parent_hash");
    struct u32_list list = {
        read_list(reader, 4, 4 * (size_t)LIMIT_LEAVES, "ParentNode.unmerged_leaves")};
    /* 7.1: sorted in increasing order; a leaf that came twice would be encrypted to twice. */
    for (size_t i = 1; i < u32_list_count(list); i++)
        if (u32_list_at(list, i - 1) >= u32_list_at(list, i))
            reader_fail(reader, SOTTO_VALUE, "ParentNode.unmerged_leaves");
    parent->unmerged_leaves = list;
    if (!reader_ok(reader))
        *parent = (struct parent_node){0};
}

void parent_node_write(struct writer *writer, const struct parent_node *parent)
{
    writer_vector(writer, parent->encryption_key);
    writer_vector(writer, parent->parent_hash);
    writer_vector(writer, parent->unmerged_leaves.wire);
}

/* ---- UpdatePath ------------------------------------------------------------------------------ */

void hpke_ciphertext_read(struct reader *reader, struct hpke_ciphertext *ciphertext)
{
    ciphertext->kem_output = reader_vector(reader, LIMIT_KEM_OUTPUT, "HPKECiphertext.kem_output");
    ciphertext->ciphertext =
        reader_vector(reader, LIMIT_PATH_CIPHERTEXT, "HPKECiphertext.ciphertext");
}

void hpke_ciphertext_write(struct writer *writer, const struct hpke_ciphertext *ciphertext)
{
    writer_vector(writer, ciphertext->kem_output);
    writer_vector(writer, ciphertext->ciphertext);
}

static void skip_ciphertext(struct reader *reader)
{
    struct hpke_ciphertext unused;
    hpke_ciphertext_read(reader, &unused);
}

static void read_path_node(struct reader *reader, struct arena *arena,
                           struct update_path_node *node)
{
    node->encryption_key = read_key(reader, "UpdatePathNode.encryption_key");
    struct reader inner;
    reader_enter(reader, &inner, LIMIT_UPDATE_PATH, "UpdatePathNode.encrypted_path_secret");
    size_t count = count_elements(&inner, skip_ciphertext);
    struct hpke_ciphertext *items = element_array(&inner, arena, count, sizeof *items, LIMIT_LEAVES,
                                                  "UpdatePathNode.encrypted_path_secret");
    for (size_t i = 0; reader_more(&inner); i++)
        hpke_ciphertext_read(&inner, &items[i]);
    reader_leave(reader, &inner, "UpdatePathNode.encrypted_path_secret");
    node->encrypted_path_secret = items;
    node->count = count;
}

static void skip_path_node(struct reader *reader)
{
    reader_vector(reader, LIMIT_PUBLIC_KEY, "UpdatePathNode.encryption_key");
    reader_vector(reader, LIMIT_UPDATE_PATH, "UpdatePathNode.encrypted_path_secret");
}

void update_path_read(struct reader *reader, struct arena *arena, struct update_path *path)
{
    *path = (struct update_path){0};
    leaf_node_read(reader, arena, &path->leaf);
    struct reader inner;
    reader_enter(reader, &inner, LIMIT_UPDATE_PATH, "UpdatePath.nodes");
    size_t count = count_elements(&inner, skip_path_node);
    struct update_path_node *nodes =
        element_array(&inner, arena, count, sizeof *nodes, LIMIT_DEPTH, "UpdatePath.nodes");
    for (size_t i = 0; reader_more(&inner); i++)
        read_path_node(&inner, arena, &nodes[i]);
    reader_leave(reader, &inner, "UpdatePath.nodes");
    path->nodes = nodes;
    path->count = count;
    if (!reader_ok(reader))
        *path = (struct update_path){0};
}

void update_path_write(struct writer *writer, const struct update_path *path)
{
    leaf_node_write(writer, &path->leaf);
    size_t opened = writer_open(writer);
    for (size_t i = 0; i < path->count; i++) {
        writer_vector(writer, path->nodes[i].encryption_key);
        size_t list = writer_open(writer);
        for (size_t j = 0; j < path->nodes[i].count; j++)
            hpke_ciphertext_write(writer, &path->nodes[i].encrypted_path_secret[j]);
        writer_close(writer, list);
    }
    writer_close(writer, opened);
}
