/* Reading a group back from its records (group_save.c), which come in any order: those that come
 * before the group's own are kept until it is there. */
#include "mls/group_save.h"

#include <string.h>

struct early {
    struct early *next;
    uint32_t kind, index;
    sotto_bytes value;
};

struct loading {
    sotto_mls *mls;
    sotto_mls_group *group;
    struct arena arena; /* of the early records */
    struct early *early;
    bool have_group;
    uint32_t leaf_count;
    uint64_t check_sum;      /* of the node records, as the group's own says */
    struct secret_tree tree; /* until it goes into the epoch */
    uint64_t covered;        /* leaves whose keys can be derived */
};

static sotto_error damaged(struct loading *l, const char *what)
{
    return mls_fail(l->mls, SOTTO_VALUE, what);
}

static sotto_error finish(struct loading *l, struct reader *r, const char *what)
{
    sotto_error error = reader_finish(r, what);
    return error == SOTTO_OK ? SOTTO_OK : mls_fail_at(l->mls, r->fault);
}

static sotto_error keep_early(struct loading *l, uint32_t kind, uint32_t index, sotto_bytes value)
{
    struct early *early = arena_array(&l->arena, 1, sizeof *early);
    if (early == NULL || arena_copy(&l->arena, value, &early->value) != SOTTO_OK)
        return mls_fail(l->mls, SOTTO_NO_MEMORY, "record");
    early->kind = kind;
    early->index = index;
    early->next = l->early;
    l->early = early;
    return SOTTO_OK;
}

/* ---- The group's record ---------------------------------------------------------------------- */

static void read_reinit(struct loading *l, struct reader *r)
{
    if (!reader_present(r, "record.reinit"))
        return;
    struct sender sender = {SENDER_MEMBER, reader_u32(r, "record.reinit")};
    sotto_bytes bytes = reader_vector(r, LIMIT_MESSAGE, "record.reinit");
    const struct hash none = {0};
    sotto_fault fault;
    if (reader_ok(r) &&
        pending_new(l->mls->env, bytes, sender, &none, &l->group->reinit, &fault) != SOTTO_OK)
        reader_fail(r, fault.error, "record.reinit");
}

static void read_origin(struct loading *l, struct reader *r)
{
    sotto_mls_group *group = l->group;
    if (!reader_present(r, "record.origin"))
        return;
    struct psk_id origin;
    psk_id_read(r, &origin);
    if (!reader_ok(r))
        return;
    if (sotto_buf_append(&group->origin_bytes, origin.id.data, origin.id.size) != SOTTO_OK) {
        reader_fail(r, SOTTO_NO_MEMORY, "record.origin");
        return;
    }
    origin.id = sotto_buf_view(&group->origin_bytes);
    origin.nonce = (sotto_bytes){0};
    group->origin = origin;
}

/* A parent's key that was not loaded. */
static sotto_error fetch_key(void *ctx, struct node_index x, sotto_buf *key)
{
    const sotto_mls_group *group = ctx;
    sotto_mls *mls = group->mls;
    uint64_t unused;
    sotto_error error = mls->config.stored(mls->config.ctx, group, RECORD_KEY, x.value, key);
    if (error != SOTTO_OK) /* NOT_FOUND means other things to those who ask for keys */
        return mls_fail(mls, error == SOTTO_NOT_FOUND ? SOTTO_IO : error, "config.stored");
    sotto_bytes content = sotto_buf_view(key);
    if (!record_open(tree_prints(group->tree), RECORD_KEY, x.value, &content, &unused))
        return mls_fail(mls, SOTTO_IO, "record.key is damaged");
    key->size = content.size;
    return SOTTO_OK;
}

static sotto_error begin_tree(struct loading *l, const struct fingerprint *prints)
{
    sotto_mls_group *group = l->group;
    sotto_mls *mls = l->mls;
    sotto_fault fault = {SOTTO_OK, "record.leaf_count", 0};
    sotto_error error =
        tree_load_begin(mls->crypto, group->suite, l->leaf_count, prints, &group->tree, &fault);
    if (error != SOTTO_OK)
        return mls_fail(mls, error, fault.what);
    if (mls->config.stored != NULL)
        tree_set_source(group->tree, fetch_key, group);
    secret_tree_init_empty(&l->tree, mls->crypto, group->suite, l->leaf_count);
    return SOTTO_OK;
}

static sotto_error read_group(struct loading *l, struct reader *r, const struct fingerprint *prints)
{
    sotto_mls_group *group = l->group;
    group->removed = reader_u8(r, "record.removed") != 0;
    l->leaf_count = reader_u32(r, "record.leaf_count");
    l->check_sum = reader_u64(r, "record.check_sum");
    if (reader_ok(r))
        group->epoch = epoch_read(l->mls, group->suite, r);
    if (reader_ok(r))
        treekem_private_read(r, &group->private_state);
    group->pending.next_number = reader_u32(r, "record.pending");
    read_reinit(l, r);
    read_origin(l, r);
    TRY(finish(l, r, "record.group"));
    return begin_tree(l, prints);
}

static sotto_error load_group(struct loading *l, sotto_bytes value)
{
    struct reader r;
    struct fingerprint prints = {0};
    uint8_t seed[SIPHASH_SEED] = {0};
    uint64_t unused;
    reader_init(&r, value);
    if (reader_u8(&r, "record.version") != GROUP_RECORD_VERSION)
        reader_fail(&r, SOTTO_VERSION, "record.version");
    reader_copy(&r, seed, sizeof seed, "record.seed");
    sotto_error error = SOTTO_OK;
    fingerprint_init(&prints, seed);
    if (!reader_ok(&r))
        error = mls_fail_at(l->mls, r.fault);
    else if (!record_open(&prints, RECORD_GROUP, 0, &value, &unused))
        error = damaged(l, "record.group is damaged");
    r.end = value.size;
    if (error == SOTTO_OK)
        error = read_group(l, &r, &prints);
    wipe(seed, sizeof seed);
    wipe(&prints, sizeof prints);
    l->have_group = error == SOTTO_OK;
    return error;
}

/* ---- The other records ----------------------------------------------------------------------- */

static sotto_error load_node(struct loading *l, uint32_t index, sotto_bytes value)
{
    sotto_fault fault = {SOTTO_OK, "record.node", 0};
    sotto_error error = tree_load_node(l->group->tree, node_at(index), value, &fault);
    return error == SOTTO_OK ? SOTTO_OK : mls_fail_at(l->mls, fault);
}

/* Kept until its node is there. */
static sotto_error load_key(struct loading *l, uint32_t index, sotto_bytes value)
{
    sotto_fault fault = {SOTTO_OK, "record.key", 0};
    sotto_error error = tree_load_key(l->group->tree, node_at(index), value, &fault);
    if (error == SOTTO_NOT_FOUND)
        return keep_early(l, RECORD_KEY, index, value);
    return error == SOTTO_OK ? SOTTO_OK : mls_fail_at(l->mls, fault);
}

static sotto_error load_secret_node(struct loading *l, struct secret_tree *tree, uint32_t index,
                                    sotto_bytes value, uint64_t *covered)
{
    if (index >= node_count_of(tree->leaf_count) || value.size != l->group->suite->nh)
        return damaged(l, "record.secret_node");
    *covered += node_leaf_span(node_at(index));
    return mls_check(l->mls, secret_tree_put_node(tree, index, value), "record.secret_node");
}

/* One ratchet, which the reader's position is at. */
static sotto_error load_ratchet(struct loading *l, struct secret_tree *tree, uint32_t index,
                                struct reader *r)
{
    const struct suite *suite = l->group->suite;
    struct ratchet ratchet = {.generation = reader_u32(r, "record.generation")};
    secret_read(r, &ratchet.secret, "record.ratchet");
    uint32_t count = reader_u32(r, "record.skipped");
    if (index / 2 >= tree->leaf_count || (reader_ok(r) && ratchet.secret.size != suite->nh))
        reader_fail(r, SOTTO_VALUE, "record.ratchet");
    if (reader_ok(r) && count > (r->end - r->pos) / (4U + suite->nk + suite->nn))
        reader_fail(r, SOTTO_TRUNCATED, "record.skipped");
    size_t size = count * sizeof *ratchet.skipped;
    if (reader_ok(r) && count > 0) {
        ratchet.skipped = mem_alloc(l->mls->env, size);
        if (ratchet.skipped == NULL)
            reader_fail(r, SOTTO_NO_MEMORY, "record.skipped");
    }
    while (reader_ok(r) && ratchet.skipped != NULL && ratchet.skipped_count < count) {
        struct message_key *key = &ratchet.skipped[ratchet.skipped_count++];
        key->generation = reader_u32(r, "record.skipped");
        reader_copy(r, key->key, suite->nk, "record.skipped");
        reader_copy(r, key->nonce, suite->nn, "record.skipped");
    }
    sotto_error error = r->fault.error;
    if (error == SOTTO_OK)
        error = secret_tree_put_ratchet(tree, index, &ratchet);
    mem_free(l->mls->env, ratchet.skipped, size);
    secret_wipe(&ratchet.secret);
    return mls_check(l->mls, error, "record.ratchet");
}

static void read_own_update(struct loading *l, struct reader *r, struct pending *pending)
{
    pending->own_update = true;
    secret_read(r, &pending->leaf_private, "record.leaf_private");
    if (!reader_present(r, "record.identity"))
        return;
    const sotto_env *env = l->mls->env;
    struct identity *identity = mem_alloc(env, sizeof *identity);
    if (identity == NULL)
        reader_fail(r, SOTTO_NO_MEMORY, "record.identity");
    else if (identity_read(l->mls, r, l->group->suite, identity) != SOTTO_OK)
        mem_free(env, identity, sizeof *identity);
    else
        pending->identity = identity;
}

static sotto_error load_pending(struct loading *l, uint32_t index, sotto_bytes value)
{
    sotto_mls_group *group = l->group;
    struct reader r;
    reader_init(&r, value);
    struct hash reference = {0};
    sotto_bytes hash = reader_vector(&r, LIMIT_HASH, "record.reference");
    if (reader_ok(&r) && hash_set(&reference, group->suite, hash) != SOTTO_OK)
        reader_fail(&r, SOTTO_VALUE, "record.reference");
    struct sender sender = {.type = reader_u8(&r, "record.sender")};
    sender.index = reader_u32(&r, "record.sender");
    sotto_bytes bytes = reader_vector(&r, LIMIT_MESSAGE, "record.proposal");
    if (!reader_ok(&r))
        return mls_fail_at(l->mls, r.fault);
    struct pending *pending;
    sotto_fault fault;
    if (pending_new(l->mls->env, bytes, sender, &reference, &pending, &fault) != SOTTO_OK)
        return mls_fail_at(l->mls, fault);
    pending->number = index;
    pending->dirty = false;
    if (reader_present(&r, "record.own_update"))
        read_own_update(l, &r, pending);
    sotto_error error = finish(l, &r, "record.pending");
    if (error == SOTTO_OK)
        error = mls_check(l->mls, pending_reserve(&group->pending, l->mls->env), "record.pending");
    if (error != SOTTO_OK) {
        pending_release(pending);
        return error;
    }
    pending_add(&group->pending, pending);
    struct pending **items = group->pending.items;
    for (size_t i = group->pending.count - 1; i > 0 && items[i - 1]->number > index; i--) {
        items[i] = items[i - 1]; /* in the order in which they came */
        items[i - 1] = pending;
    }
    return SOTTO_OK;
}

/* ---- Past epochs ----------------------------------------------------------------------------- */

static void read_past_leaves(struct loading *l, struct reader *r, struct past_epoch *past)
{
    uint32_t count = reader_u32(r, "record.past");
    if (!reader_ok(r) || count == 0)
        return;
    if (count > (r->end - r->pos) / 5) {
        reader_fail(r, SOTTO_TRUNCATED, "record.past");
        return;
    }
    past->leaves = mem_alloc(l->mls->env, count * sizeof *past->leaves);
    if (past->leaves == NULL) {
        reader_fail(r, SOTTO_NO_MEMORY, "record.past");
        return;
    }
    past->leaf_count = count;
    for (uint32_t i = 0; i < count; i++) {
        past->leaves[i].index = reader_u32(r, "record.past");
        sotto_bytes key = reader_vector(r, SIGNATURE_PUBLIC_MAX, "record.past");
        past->leaves[i].size = (uint8_t)key.size;
        if (key.size > 0)
            memcpy(past->leaves[i].key, key.data, key.size);
    }
}

static sotto_error read_past_tree(struct loading *l, struct reader *r, struct secret_tree *tree)
{
    uint64_t covered = 0;
    uint32_t nodes = reader_u32(r, "record.past");
    for (uint32_t i = 0; i < nodes && reader_ok(r); i++) {
        uint32_t index = reader_u32(r, "record.past");
        sotto_bytes secret = reader_vector(r, SECRET_MAX, "record.past");
        if (reader_ok(r))
            TRY(load_secret_node(l, tree, index, secret, &covered));
    }
    uint32_t ratchets = reader_u32(r, "record.past");
    for (uint32_t i = 0; i < ratchets && reader_ok(r); i++) {
        uint32_t index = reader_u32(r, "record.past");
        TRY(load_ratchet(l, tree, index, r));
    }
    return SOTTO_OK;
}

static sotto_error load_past(struct loading *l, sotto_bytes value)
{
    sotto_mls_group *group = l->group;
    struct past_epoch *past = mem_alloc(l->mls->env, sizeof *past);
    if (past == NULL)
        return mls_fail(l->mls, SOTTO_NO_MEMORY, "record.past");
    struct reader r;
    reader_init(&r, value);
    past->epoch = epoch_read(l->mls, group->suite, &r);
    uint32_t leaf_count = reader_u32(&r, "record.past");
    if (leaf_count == 0 || leaf_count > LIMIT_LEAVES)
        reader_fail(&r, SOTTO_VALUE, "record.past");
    read_past_leaves(l, &r, past);
    sotto_error error = SOTTO_OK;
    if (reader_ok(&r)) {
        secret_tree_init_empty(&past->epoch->tree, l->mls->crypto, group->suite, leaf_count);
        error = read_past_tree(l, &r, &past->epoch->tree);
    }
    if (error == SOTTO_OK)
        error = finish(l, &r, "record.past");
    if (error != SOTTO_OK) {
        past_free(l->mls, past);
        return error;
    }
    struct past_epoch **at = &group->past; /* newest first */
    while (*at != NULL && (*at)->epoch->fields.epoch > past->epoch->fields.epoch)
        at = &(*at)->next;
    past->next = *at;
    *at = past;
    return SOTTO_OK;
}

/* ---- All together ---------------------------------------------------------------------------- */

static sotto_error load_record(struct loading *l, uint32_t kind, uint32_t index, sotto_bytes value)
{
    if (kind > RECORD_GROUP && kind < RECORD_KEY) {
        struct sparse *stored = &l->group->stored[kind];
        if (sparse_get(stored, index) != NULL)
            return damaged(l, "record twice");
        TRY(mls_check(l->mls, sparse_reserve(stored, 1), "record"));
        sparse_put(stored, index, &l->group->stored[kind]);
    }
    struct reader r;
    switch (kind) {
    case RECORD_NODE:
        return load_node(l, index, value);
    case RECORD_SECRET_NODE:
        return load_secret_node(l, &l->tree, index, value, &l->covered);
    case RECORD_RATCHET:
        reader_init(&r, value);
        TRY(load_ratchet(l, &l->tree, index, &r));
        return finish(l, &r, "record.ratchet");
    case RECORD_PENDING:
        return load_pending(l, index, value);
    case RECORD_PAST:
        return load_past(l, value);
    case RECORD_KEY:
        return load_key(l, index, value);
    default:
        return damaged(l, "record.kind");
    }
}

/* What every record but the group's own must pass first. */
static sotto_error open_record(struct loading *l, uint32_t kind, uint32_t index, sotto_bytes value)
{
    uint64_t check;
    sotto_mls_group *group = l->group;
    if (!record_open(tree_prints(group->tree), kind, index, &value, &check))
        return damaged(l, kind == RECORD_NODE ? "record.node is damaged" : "record is damaged");
    TRY(load_record(l, kind, index, value));
    if (kind != RECORD_NODE)
        return SOTTO_OK;
    return mls_check(l->mls, node_checks_set(l->mls->env, &group->checks, index, check), "record");
}

static sotto_error take_record(struct loading *l, uint32_t kind, uint32_t index, sotto_bytes value)
{
    if (kind != RECORD_GROUP)
        return l->have_group ? open_record(l, kind, index, value)
                             : keep_early(l, kind, index, value);
    if (l->have_group || index != 0)
        return damaged(l, "record twice");
    TRY(load_group(l, value));
    const struct early *early = l->early;
    l->early = NULL;
    for (; early != NULL; early = early->next)
        TRY(open_record(l, early->kind, early->index, early->value));
    return SOTTO_OK;
}

/* Keys that came before their nodes. */
static sotto_error take_late_keys(struct loading *l)
{
    const struct early *early = l->early;
    l->early = NULL;
    for (; early != NULL; early = early->next)
        TRY(load_key(l, early->index, early->value));
    return l->early == NULL ? SOTTO_OK : damaged(l, "record.key without a node");
}

/* Each leaf's keys come from one node that is held or from its two ratchets. */
static sotto_error check_secret_tree(struct loading *l)
{
    uint32_t key;
    for (size_t at = 0; sparse_next(&l->tree.ratchets, &at, &key) != NULL;) {
        if (sparse_get(&l->tree.ratchets, key ^ 1) == NULL)
            return damaged(l, "record.ratchet is missing");
        l->covered += key & 1;
    }
    if (l->covered != l->leaf_count)
        return damaged(l, "record.secret_node is missing");
    return SOTTO_OK;
}

/* The nodes are those that the group's record was saved with. */
static sotto_error check_tree(struct loading *l)
{
    sotto_mls_group *group = l->group;
    sotto_fault fault = {SOTTO_OK, "record.node", 0};
    if (group->checks.sum != l->check_sum)
        return mls_fail(l->mls, SOTTO_TREE, "record.node is missing, or of another save");
    TRY(take_late_keys(l));
    sotto_error error = tree_load_end(group->tree, &fault);
    if (error != SOTTO_OK)
        return mls_fail(l->mls, error, fault.what);
    if (!sotto_bytes_equal(tree_hash(group->tree), group->epoch->fields.tree_hash))
        return mls_fail(l->mls, SOTTO_TREE, "record.tree_hash");
    return SOTTO_OK;
}

static sotto_error check_all(struct loading *l)
{
    sotto_mls_group *group = l->group;
    sotto_mls *mls = l->mls;
    if (!l->have_group)
        return damaged(l, "record.group is missing");
    if (group->removed)
        return SOTTO_OK;
    TRY(check_tree(l));
    const struct leaf_node *own = tree_leaf(group->tree, group->private_state.own);
    if (own == NULL || !sotto_bytes_equal(own->signature_key, group->identity->signature_public))
        return mls_fail(mls, SOTTO_ARGUMENT, "identity.signature_public");
    struct tree_stage view;
    tree_stage_init(&view, group->tree);
    TRY(mls_check(mls, treekem_private_check_places(&group->private_state, &view),
                  "record.private_keys"));
    return check_secret_tree(l);
}

static sotto_error
load(struct loading *l,
     sotto_error (*next)(void *ctx, uint32_t *kind, uint32_t *index, sotto_bytes *value), void *ctx)
{
    for (;;) {
        uint32_t kind, index;
        sotto_bytes value;
        sotto_error error = next(ctx, &kind, &index, &value);
        if (error == SOTTO_NOT_FOUND)
            return check_all(l);
        TRY(mls_check(l->mls, error, "store"));
        TRY(take_record(l, kind, index, value));
    }
}

sotto_error sotto_mls_group_load(sotto_mls *mls, const sotto_mls_identity *identity,
                                 sotto_error (*next)(void *ctx, uint32_t *kind, uint32_t *index,
                                                     sotto_bytes *value),
                                 void *ctx, sotto_mls_group **group)
{
    mls_begin(mls);
    struct loading l = {.mls = mls};
    TRY(group_new(mls, identity, &l.group));
    arena_init(&l.arena, mls->env);
    sotto_error error = load(&l, next, ctx);
    if (error == SOTTO_OK) {
        l.group->epoch->tree = l.tree;
        group_mark_clean(l.group);
        *group = l.group;
    } else {
        secret_tree_free(&l.tree);
        sotto_mls_group_free(l.group);
    }
    arena_free(&l.arena);
    return error;
}
