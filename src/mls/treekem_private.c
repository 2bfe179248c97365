/* The private keys of a member. */
#include "mls/treekem.h"

#include "mls/tree_base.h"

void treekem_private_init(struct treekem_private *private_state, struct leaf_index own)
{
    *private_state = (struct treekem_private){.own = own};
}

void treekem_private_wipe(struct treekem_private *private_state)
{
    wipe(private_state, sizeof *private_state);
}

const struct secret *treekem_private_find(const struct treekem_private *private_state,
                                          struct node_index x)
{
    for (size_t i = 0; i < private_state->count; i++)
        if (node_equal(private_state->keys[i].node, x))
            return &private_state->keys[i].private_key;
    return NULL;
}

void treekem_private_set(struct treekem_private *private_state, struct node_index x,
                         const struct secret *private_key)
{
    BUG_UNLESS(node_covers(x, private_state->own));
    size_t at = 0;
    while (at < private_state->count && node_level(private_state->keys[at].node) < node_level(x))
        at++;
    if (at == private_state->count || !node_equal(private_state->keys[at].node, x)) {
        BUG_UNLESS(private_state->count <= LIMIT_DEPTH);
        for (size_t i = private_state->count++; i > at; i--)
            private_state->keys[i] = private_state->keys[i - 1];
    }
    private_state->keys[at] = (struct treekem_key){x, *private_key};
}

void treekem_private_forget(struct treekem_private *private_state, size_t at)
{
    private_state->count--;
    for (size_t i = at; i < private_state->count; i++)
        private_state->keys[i] = private_state->keys[i + 1];
    wipe(&private_state->keys[private_state->count], sizeof private_state->keys[0]);
}

/* RFC 9420, 7.5. */
void treekem_private_prune(struct treekem_private *private_state, const struct tree_stage *stage)
{
    for (size_t i = private_state->count; i-- > 0;) {
        struct node_index x = private_state->keys[i].node;
        const struct tree_node *before = tree_node(stage->base, x);
        const struct tree_node *now = tree_stage_node(stage, x);
        if (before == NULL || now == NULL || !tree_node_same_key(before, now))
            treekem_private_forget(private_state, i);
    }
}

sotto_error treekem_private_check_places(const struct treekem_private *private_state,
                                         const struct tree_stage *stage)
{
    if (treekem_private_find(private_state, leaf_node_index(private_state->own)) == NULL)
        return SOTTO_KEY;
    for (size_t i = 0; i < private_state->count; i++)
        if (tree_stage_node(stage, private_state->keys[i].node) == NULL)
            return SOTTO_KEY;
    return SOTTO_OK;
}

sotto_error treekem_private_check(const struct treekem_private *private_state,
                                  const struct tree_stage *stage)
{
    const struct tree *base = stage->base;
    TRY(treekem_private_check_places(private_state, stage));
    sotto_buf scratch;
    sotto_buf_init(&scratch, base->env);
    sotto_error error = SOTTO_OK;
    for (size_t i = 0; error == SOTTO_OK && i < private_state->count; i++) {
        const struct treekem_key *key = &private_state->keys[i];
        sotto_bytes public_key;
        error = tree_stage_encryption_key(stage, key->node, &scratch, &public_key);
        if (error == SOTTO_OK)
            error = crypto_kem_check_pair(base->crypto, base->suite, secret_view(&key->private_key),
                                          public_key);
    }
    sotto_buf_free(&scratch);
    return error;
}

void treekem_key_write(struct writer *writer, const struct treekem_key *key)
{
    writer_u32(writer, key->node.value);
    writer_vector(writer, secret_view(&key->private_key));
}

void treekem_key_read(struct reader *reader, struct treekem_key *key)
{
    *key = (struct treekem_key){0};
    struct node_index x = node_at(reader_u32(reader, "treekem_key.node"));
    sotto_bytes private_key = reader_vector(reader, SECRET_MAX, "treekem_key.private_key");
    if (x.value >= LIMIT_NODES)
        reader_fail(reader, SOTTO_VALUE, "treekem_key.node");
    if (private_key.size == 0)
        reader_fail(reader, SOTTO_VALUE, "treekem_key.private_key");
    if (reader_ok(reader) && secret_set(&key->private_key, private_key) == SOTTO_OK)
        key->node = x;
}

void treekem_private_write(struct writer *writer, const struct treekem_private *private_state)
{
    writer_u32(writer, private_state->own.value);
    size_t opened = writer_open(writer);
    for (size_t i = 0; i < private_state->count; i++)
        treekem_key_write(writer, &private_state->keys[i]);
    writer_close(writer, opened);
}

void treekem_private_read(struct reader *reader, struct treekem_private *private_state)
{
    uint32_t own = reader_u32(reader, "treekem_private.own");
    if (own >= LIMIT_LEAVES)
        reader_fail(reader, SOTTO_VALUE, "treekem_private.own");
    treekem_private_init(private_state, leaf_at(own));
    struct reader inner;
    reader_enter(reader, &inner, sizeof *private_state, "treekem_private.keys");
    while (reader_more(&inner)) {
        struct treekem_key key;
        treekem_key_read(&inner, &key);
        /* Levels rise, so no more than fit can come. */
        if (!node_covers(key.node, private_state->own) || node_level(key.node) > LIMIT_DEPTH ||
            (private_state->count > 0 &&
             node_level(key.node) <=
                 node_level(private_state->keys[private_state->count - 1].node)))
            reader_fail(&inner, SOTTO_VALUE, "treekem_key.node");
        if (reader_ok(&inner))
            treekem_private_set(private_state, key.node, &key.private_key);
        secret_wipe(&key.private_key);
    }
    reader_leave(reader, &inner, "treekem_private.keys");
    if (!reader_ok(reader))
        treekem_private_wipe(private_state);
}
