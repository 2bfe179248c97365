#include "mls/treekem.h"

#include <string.h>

#include "mls/tree_base.h"

/* ---- Derivation (7.4) ------------------------------------------------------------------------ */

/* node_priv, node_pub = KEM.DeriveKeyPair(DeriveSecret(path_secret, "node")). */
static sotto_error derive_key_pair(const struct tree *tree, const struct secret *path_secret,
                                   struct secret *private_key, sotto_buf *public_key)
{
    struct secret node_secret = {0};
    sotto_error error = crypto_derive_secret(tree->crypto, tree->suite, secret_view(path_secret),
                                             "node", &node_secret);
    if (error == SOTTO_OK)
        error = crypto_kem_derive(tree->crypto, tree->suite, secret_view(&node_secret), private_key,
                                  public_key);
    secret_wipe(&node_secret);
    return error;
}

static sotto_error next_path_secret(const struct tree *tree, const struct secret *path_secret,
                                    struct secret *next)
{
    return crypto_derive_secret(tree->crypto, tree->suite, secret_view(path_secret), "path", next);
}

/* From the path secret of nodes[0] on up: each node's public key must be the tree's, its private
 * key goes into private_state. commit_secret: the secret behind the last node's; NULL if not
 * wanted. */
static sotto_error derive_upwards(const struct tree_stage *stage, const struct node_index *nodes,
                                  size_t count, const struct secret *first,
                                  struct treekem_private *private_state,
                                  struct secret *commit_secret)
{
    const struct tree *tree = stage->base;
    struct secret path_secret = *first, private_key = {0};
    sotto_buf public_key, scratch;
    sotto_bytes expected;
    sotto_buf_init(&public_key, tree->env);
    sotto_buf_init(&scratch, tree->env);
    sotto_error error = SOTTO_OK;
    for (size_t i = 0; error == SOTTO_OK && i < count; i++) {
        sotto_buf_clear(&public_key);
        error = derive_key_pair(tree, &path_secret, &private_key, &public_key);
        if (error == SOTTO_OK)
            error = tree_stage_encryption_key(stage, nodes[i], &scratch, &expected);
        if (error == SOTTO_OK && !sotto_bytes_equal(sotto_buf_view(&public_key), expected))
            error = SOTTO_KEY;
        if (error == SOTTO_OK) {
            treekem_private_set(private_state, nodes[i], &private_key);
            error = next_path_secret(tree, &path_secret, &path_secret);
        }
    }
    if (error == SOTTO_OK && commit_secret != NULL)
        *commit_secret = path_secret;
    secret_wipe(&path_secret);
    secret_wipe(&private_key);
    sotto_buf_free(&public_key);
    sotto_buf_free(&scratch);
    return error;
}

/* ---- The public half, common to both sides (7.5) --------------------------------------------- */

/* Blanks the sender's direct path and puts the new keys on its filtered direct path, from the root
 * down, because each node holds the hash of the next above. leaf_hash: the leaf's parent_hash, nh
 * bytes or empty if nothing is above it. */
static sotto_error place_path(struct tree_stage *stage, struct leaf_index sender,
                              const struct node_index *nodes, const sotto_bytes *public_keys,
                              size_t count, struct secret *leaf_hash)
{
    uint8_t above[HASH_MAX], own[HASH_MAX];
    sotto_bytes parent_hash = {0}; /* of the topmost node: empty */
    TRY(tree_stage_blank_path(stage, sender));
    for (size_t i = count; i-- > 0;) {
        struct parent_node parent = {
            .encryption_key = public_keys[i],
            .parent_hash = parent_hash,
        };
        TRY(tree_stage_set_parent(stage, nodes[i], &parent));
        TRY(tree_stage_parent_hash(stage, public_keys[i], parent_hash,
                                   node_child_away(nodes[i], sender), own));
        memcpy(above, own, sizeof above);
        parent_hash = sotto_bytes_of(above, stage->base->suite->nh);
    }
    return secret_set(leaf_hash, parent_hash);
}

/* ---- Making a path --------------------------------------------------------------------------- */

void treekem_path_wipe(struct treekem_path *path)
{
    wipe(path, sizeof *path);
}

/* The path secrets, and each node's key pair from its own. public_keys: all of them, one behind the
 * other. */
static sotto_error make_keys(const struct tree *tree, struct treekem_path *path,
                             struct treekem_private *private_state, sotto_buf *public_keys)
{
    struct secret private_key = {0}, secret = {0};
    sotto_error error = secret_random(&secret, tree->suite->nh, tree->env);
    for (size_t i = 0; error == SOTTO_OK && i < path->count; i++) {
        path->path_secrets[i] = secret;
        error = derive_key_pair(tree, &secret, &private_key, public_keys);
        if (error == SOTTO_OK) {
            treekem_private_set(private_state, path->nodes[i], &private_key);
            error = next_path_secret(tree, &secret, &secret);
        }
    }
    path->commit_secret = secret;
    secret_wipe(&private_key);
    secret_wipe(&secret);
    return error;
}

/* Signs the new leaf and puts it into the stage. */
static sotto_error place_leaf(struct tree_stage *stage, struct leaf_index sender,
                              const struct leaf_node *content, sotto_bytes signature_private,
                              sotto_bytes group_id)
{
    const struct tree *tree = stage->base;
    struct arena arena;
    struct reader reader;
    struct leaf_node leaf;
    sotto_buf wire;
    arena_init(&arena, tree->env);
    sotto_buf_init(&wire, tree->env);
    sotto_error error = leaf_node_sign(tree->crypto, tree->suite, signature_private, content,
                                       group_id, sender, &wire);
    if (error == SOTTO_OK) {
        reader_init(&reader, sotto_buf_view(&wire));
        leaf_node_read(&reader, &arena, &leaf);
        error = reader_finish(&reader, "LeafNode");
    }
    if (error == SOTTO_OK)
        error = tree_stage_set_leaf(stage, sender, &leaf);
    sotto_buf_free(&wire);
    arena_free(&arena);
    return error;
}

static sotto_error create(struct tree_stage *stage, struct leaf_index sender,
                          const struct leaf_node *content, sotto_bytes signature_private,
                          sotto_bytes group_id, struct treekem_private *private_state,
                          struct treekem_path *path, sotto_buf *leaf_key, sotto_buf *node_keys)
{
    const struct tree *tree = stage->base;
    struct secret private_key = {0}, leaf_hash = {0};
    sotto_error error = crypto_kem_generate(tree->crypto, tree->suite, &private_key, leaf_key);
    if (error == SOTTO_OK)
        treekem_private_set(private_state, leaf_node_index(sender), &private_key);
    secret_wipe(&private_key);
    if (error == SOTTO_OK)
        error = make_keys(tree, path, private_state, node_keys);
    if (error != SOTTO_OK)
        return error;
    sotto_bytes views[LIMIT_DEPTH];
    for (size_t i = 0; i < path->count; i++)
        views[i] = sotto_bytes_of(node_keys->data + i * tree->suite->npk, tree->suite->npk);
    TRY(place_path(stage, sender, path->nodes, views, path->count, &leaf_hash));
    struct leaf_node leaf = *content;
    leaf.encryption_key = sotto_buf_view(leaf_key);
    leaf.source = LEAF_SOURCE_COMMIT;
    leaf.parent_hash = secret_view(&leaf_hash);
    return place_leaf(stage, sender, &leaf, signature_private, group_id);
}

sotto_error treekem_path_create(struct tree_stage *stage, struct leaf_index sender,
                                const struct leaf_node *content, sotto_bytes signature_private,
                                sotto_bytes group_id, struct treekem_private *private_state,
                                struct treekem_path *path)
{
    BUG_UNLESS(private_state->own.value == sender.value);
    sotto_buf leaf_key, node_keys;
    sotto_buf_init(&leaf_key, stage->base->env);
    sotto_buf_init(&node_keys, stage->base->env);
    *path = (struct treekem_path){.sender = sender};
    path->count = tree_stage_filtered_path(stage, sender, path->nodes);
    sotto_error error = create(stage, sender, content, signature_private, group_id, private_state,
                               path, &leaf_key, &node_keys);
    if (error != SOTTO_OK) {
        treekem_path_wipe(path);
        treekem_private_wipe(private_state);
    }
    sotto_buf_free(&node_keys);
    sotto_buf_free(&leaf_key);
    return error;
}

struct ciphertext_bufs {
    sotto_buf kem_output, ciphertext, public_key;
};

/* One UpdatePathNode (7.6). */
static void write_path_node(struct writer *writer, const struct tree_stage *stage,
                            sotto_bytes public_key, const struct secret *path_secret,
                            const struct node_list *resolution,
                            const struct encrypt_context *context, struct ciphertext_bufs *bufs)
{
    const struct tree *tree = stage->base;
    writer_vector(writer, public_key);
    size_t opened = writer_open(writer);
    for (size_t i = 0; writer->error == SOTTO_OK && i < resolution->count; i++) {
        sotto_buf_clear(&bufs->kem_output);
        sotto_buf_clear(&bufs->ciphertext);
        sotto_bytes recipient;
        writer->error =
            tree_stage_encryption_key(stage, resolution->items[i], &bufs->public_key, &recipient);
        if (writer->error == SOTTO_OK)
            writer->error = crypto_encrypt_in_context(tree->crypto, tree->suite, recipient, context,
                                                      secret_view(path_secret), &bufs->kem_output,
                                                      &bufs->ciphertext);
        struct hpke_ciphertext encrypted = {sotto_buf_view(&bufs->kem_output),
                                            sotto_buf_view(&bufs->ciphertext)};
        hpke_ciphertext_write(writer, &encrypted);
    }
    writer_close(writer, opened);
}

sotto_error treekem_path_encrypt(const struct tree_stage *stage, const struct treekem_path *path,
                                 sotto_bytes group_context, sotto_buf *update_path)
{
    struct ciphertext_bufs bufs;
    struct encrypt_context context;
    struct node_list resolution;
    struct writer writer;
    TRY(crypto_encrypt_context(stage->base->crypto, stage->base->suite, "UpdatePathNode",
                               group_context, &context));
    sotto_buf_init(&bufs.kem_output, stage->base->env);
    sotto_buf_init(&bufs.ciphertext, stage->base->env);
    sotto_buf_init(&bufs.public_key, stage->base->env);
    node_list_init(&resolution, stage->base->env);
    writer_init(&writer, update_path);
    writer_fixed(&writer, tree_stage_leaf(stage, path->sender)->wire);
    size_t opened = writer_open(&writer);
    for (size_t i = 0; writer.error == SOTTO_OK && i < path->count; i++) {
        resolution.count = 0;
        writer.error = tree_stage_resolution(stage, node_child_away(path->nodes[i], path->sender),
                                             true, &resolution);
        if (writer.error == SOTTO_OK)
            write_path_node(&writer, stage,
                            tree_node_encryption_key(tree_stage_node(stage, path->nodes[i])),
                            &path->path_secrets[i], &resolution, &context, &bufs);
    }
    writer_close(&writer, opened);
    node_list_free(&resolution);
    sotto_buf_free(&bufs.public_key);
    sotto_buf_free(&bufs.ciphertext);
    sotto_buf_free(&bufs.kem_output);
    return writer_finish(&writer);
}

const struct secret *treekem_path_secret_for(const struct treekem_path *path,
                                             struct leaf_index joiner)
{
    for (size_t i = 0; i < path->count; i++)
        if (node_covers(path->nodes[i], joiner))
            return &path->path_secrets[i];
    return NULL;
}

/* ---- Processing a path ----------------------------------------------------------------------- */

/* 12.4.2: none of the keys is in the tree, nor twice in the path. */
static sotto_error check_new_key(const struct tree_stage *stage, const struct update_path *path,
                                 size_t number, sotto_fault *fault)
{
    const struct tree *tree = stage->base;
    struct node_index unused;
    sotto_bytes key = path->nodes[number].encryption_key;
    sotto_error error = crypto_kem_check(tree->crypto, tree->suite, key);
    if (error != SOTTO_OK)
        return refuse(fault, error, "UpdatePathNode.encryption_key");
    bool twice = sotto_bytes_equal(key, path->leaf.encryption_key);
    for (size_t i = 0; i < number; i++)
        twice = twice || sotto_bytes_equal(key, path->nodes[i].encryption_key);
    if (!twice)
        error = tree_stage_find_key(stage, KEY_ENCRYPTION, key, node_at(UINT32_MAX), &unused);
    if (error == SOTTO_OK)
        return refuse(fault, SOTTO_COMMIT, "UpdatePathNode.encryption_key: not a new key");
    return error == SOTTO_NOT_FOUND ? SOTTO_OK
                                    : refuse(fault, error, "UpdatePathNode.encryption_key");
}

static sotto_error check_new_keys(const struct tree_stage *stage, const struct update_path *path,
                                  sotto_fault *fault)
{
    struct node_index unused;
    sotto_error error = tree_stage_find_key(stage, KEY_ENCRYPTION, path->leaf.encryption_key,
                                            node_at(UINT32_MAX), &unused);
    if (error == SOTTO_OK)
        return refuse(fault, SOTTO_COMMIT, "LeafNode.encryption_key: not a new key");
    if (error != SOTTO_NOT_FOUND)
        return refuse(fault, error, "LeafNode.encryption_key");
    for (size_t i = 0; i < path->count; i++)
        TRY(check_new_key(stage, path, i, fault));
    return SOTTO_OK;
}

/* 7.6: one ciphertext for each node of the copath's resolution, new members left out. */
static sotto_error check_counts(const struct tree_stage *stage, struct leaf_index sender,
                                const struct update_path *path, const struct node_index *nodes,
                                sotto_fault *fault)
{
    struct node_list resolution;
    node_list_init(&resolution, stage->base->env);
    sotto_error error = SOTTO_OK;
    for (size_t i = 0; error == SOTTO_OK && i < path->count; i++) {
        resolution.count = 0;
        error = tree_stage_resolution(stage, node_child_away(nodes[i], sender), true, &resolution);
        if (error == SOTTO_OK && resolution.count != path->nodes[i].count)
            error = SOTTO_COMMIT;
    }
    node_list_free(&resolution);
    if (error != SOTTO_OK)
        return refuse(fault, error, "UpdatePathNode.encrypted_path_secret: not one a recipient");
    return SOTTO_OK;
}

/* RFC 9420, 7.9.2. */
sotto_error treekem_merge(struct tree_stage *stage, struct leaf_index sender,
                          const struct update_path *path, sotto_fault *fault)
{
    struct node_index nodes[LIMIT_DEPTH];
    sotto_bytes keys[LIMIT_DEPTH];
    struct secret leaf_hash = {0};
    if (sender.value >= stage->leaf_count)
        return refuse(fault, SOTTO_SENDER, "UpdatePath: sent from outside the tree");
    if (tree_stage_filtered_path(stage, sender, nodes) != path->count)
        return refuse(fault, SOTTO_COMMIT, "UpdatePath.nodes: not the filtered direct path");
    TRY(check_new_keys(stage, path, fault));
    TRY(check_counts(stage, sender, path, nodes, fault));
    for (size_t i = 0; i < path->count; i++)
        keys[i] = path->nodes[i].encryption_key;
    sotto_error error = place_path(stage, sender, nodes, keys, path->count, &leaf_hash);
    if (error == SOTTO_OK)
        error = tree_stage_set_leaf(stage, sender, &path->leaf);
    if (error != SOTTO_OK)
        return refuse(fault, error, "UpdatePath");
    if (!sotto_bytes_equal(path->leaf.parent_hash, secret_view(&leaf_hash)))
        return refuse(fault, SOTTO_COMMIT, "LeafNode.parent_hash: not that of the path");
    return SOTTO_OK;
}

/* Finds the ciphertext that a private key fits and opens it. */
static sotto_error open_path_secret(const struct tree_stage *stage, struct node_index copath,
                                    const struct update_path_node *node, sotto_bytes group_context,
                                    const struct treekem_private *private_state,
                                    struct secret *path_secret)
{
    const struct tree *tree = stage->base;
    struct node_list resolution;
    node_list_init(&resolution, tree->env);
    sotto_buf plaintext, scratch;
    sotto_bytes public_key;
    sotto_buf_init(&plaintext, tree->env);
    sotto_buf_init(&scratch, tree->env);
    sotto_error error = tree_stage_resolution(stage, copath, true, &resolution);
    const struct secret *private_key = NULL;
    size_t at = 0;
    for (; error == SOTTO_OK && private_key == NULL && at < resolution.count; at++)
        private_key = treekem_private_find(private_state, resolution.items[at]);
    if (error == SOTTO_OK && (private_key == NULL || resolution.count != node->count))
        error = SOTTO_COMMIT;
    if (error == SOTTO_OK)
        error = tree_stage_encryption_key(stage, resolution.items[at - 1], &scratch, &public_key);
    if (error == SOTTO_OK) {
        const struct hpke_ciphertext *encrypted = &node->encrypted_path_secret[at - 1];
        error = crypto_decrypt_with_label(tree->crypto, tree->suite, secret_view(private_key),
                                          public_key, "UpdatePathNode", group_context,
                                          encrypted->kem_output, encrypted->ciphertext, &plaintext);
    }
    if (error == SOTTO_OK && plaintext.size != tree->suite->nh)
        error = SOTTO_DECRYPT;
    if (error == SOTTO_OK)
        error = secret_set(path_secret, sotto_buf_view(&plaintext));
    sotto_buf_free(&plaintext);
    sotto_buf_free(&scratch);
    node_list_free(&resolution);
    return error;
}

/* Where the common ancestor of both stands in the filtered direct path of from. */
static size_t path_position(const struct node_index *nodes, size_t count, struct leaf_index leaf)
{
    size_t at = 0;
    while (at < count && !node_covers(nodes[at], leaf))
        at++;
    return at;
}

/* Derives into a copy, so that a failure leaves the state as it was. */
static sotto_error replace_upwards(const struct tree_stage *stage, const struct node_index *nodes,
                                   size_t count, const struct secret *path_secret,
                                   struct treekem_private *private_state,
                                   struct secret *commit_secret)
{
    struct treekem_private next = *private_state;
    /* Whatever was known from the common ancestor upwards is outdated (7.5). */
    for (size_t i = next.count; i-- > 0;)
        if (node_level(next.keys[i].node) >= node_level(nodes[0]))
            treekem_private_forget(&next, i);
    sotto_error error = derive_upwards(stage, nodes, count, path_secret, &next, commit_secret);
    if (error == SOTTO_OK)
        *private_state = next;
    treekem_private_wipe(&next);
    return error;
}

sotto_error treekem_decrypt(const struct tree_stage *stage, struct leaf_index sender,
                            const struct update_path *path, sotto_bytes group_context,
                            struct treekem_private *private_state, struct secret *commit_secret,
                            sotto_fault *fault)
{
    struct node_index nodes[LIMIT_DEPTH];
    struct secret path_secret = {0};
    size_t count = tree_stage_filtered_path(stage, sender, nodes);
    size_t at = path_position(nodes, count, private_state->own);
    if (count != path->count || at == count || sender.value == private_state->own.value)
        return refuse(fault, SOTTO_COMMIT, "UpdatePath.nodes: none is ours");
    sotto_error error =
        open_path_secret(stage, node_child_away(nodes[at], sender), &path->nodes[at], group_context,
                         private_state, &path_secret);
    if (error != SOTTO_OK)
        refuse(fault, error, "UpdatePathNode.encrypted_path_secret: ours");
    if (error == SOTTO_OK) {
        error = replace_upwards(stage, nodes + at, count - at, &path_secret, private_state,
                                commit_secret);
        if (error != SOTTO_OK)
            refuse(fault, error, "UpdatePathNode.encryption_key: not that of the path secret");
    }
    secret_wipe(&path_secret);
    return error;
}

sotto_error treekem_join(const struct tree_stage *stage, struct leaf_index signer,
                         const struct secret *path_secret, struct treekem_private *private_state,
                         sotto_fault *fault)
{
    struct node_index nodes[LIMIT_DEPTH];
    if (signer.value >= stage->leaf_count || signer.value == private_state->own.value)
        return refuse(fault, SOTTO_WELCOME, "GroupInfo.signer");
    size_t count = tree_stage_filtered_path(stage, signer, nodes);
    size_t at = path_position(nodes, count, private_state->own);
    if (at == count || path_secret->size != stage->base->suite->nh)
        return refuse(fault, SOTTO_WELCOME, "GroupSecrets.path_secret");
    sotto_error error =
        replace_upwards(stage, nodes + at, count - at, path_secret, private_state, NULL);
    if (error != SOTTO_OK)
        return refuse(fault, error, "GroupSecrets.path_secret: not that of the tree's keys");
    return SOTTO_OK;
}
