/* Keeping a group as records (kinds in group.h):
 *
 *   NODE         by node index      a node with its hash, public (tree_record.c)
 *   KEY          by node index      a parent's public key, if that is long, public
 *   GROUP        0                  context, transcript, epoch secrets, own private keys
 *   SECRET_NODE  by node index      a secret tree node that is held
 *   RATCHET      2 * leaf + type    generation, secret, skipped keys of one sender
 *   PENDING      by number          a proposal, with the private key of an own Update
 *   PAST         epoch, low 32 bits an epoch kept for late messages, whole
 *
 * What a save writes follows what changed. Nothing is marked as written before the last callback
 * has succeeded. */
#include "mls/group_save.h"

#include "crypto/public_taint.h"

#include <string.h>

static const char present; /* the value of all entries in the sets of stored records */

struct saving {
    sotto_mls_group *group;
    const sotto_mls_store *store;
    bool dump;    /* write everything, mark nothing */
    uint64_t sum; /* of the node records' checks that a dump has written */
    sotto_buf record;
};

static sotto_error failed(struct saving *s, sotto_error error)
{
    return mls_check(s->group->mls, error, "store");
}

/* ---- Checks ---------------------------------------------------------------------------------- */

uint64_t record_check(const struct fingerprint *prints, uint32_t kind, uint32_t index,
                      sotto_bytes content)
{
    return fingerprint(prints, (uint64_t)kind << 32 | index, content);
}

bool record_open(const struct fingerprint *prints, uint32_t kind, uint32_t index,
                 sotto_bytes *record, uint64_t *check)
{
    if (record->size < RECORD_CHECK)
        return false;
    struct reader r;
    sotto_bytes content = sotto_bytes_of(record->data, record->size - RECORD_CHECK);
    reader_init(&r, sotto_bytes_of(record->data + content.size, RECORD_CHECK));
    *check = reader_u64(&r, "record.check");
    bool right = *check == record_check(prints, kind, index, content);
    public_from_here(&right, sizeof right);
    if (!right)
        return false;
    *record = content;
    return true;
}

sotto_error node_checks_set(const sotto_env *env, struct node_checks *checks, uint32_t index,
                            uint64_t check)
{
    if (index >= checks->count) {
        if (check == 0)
            return SOTTO_OK;
        size_t count = 2 * (size_t)index + 2;
        uint64_t *values = mem_alloc(env, count * sizeof *values);
        if (values == NULL)
            return SOTTO_NO_MEMORY;
        if (checks->count > 0)
            memcpy(values, checks->values, checks->count * sizeof *values);
        mem_free(env, checks->values, checks->count * sizeof *values);
        checks->values = values;
        checks->count = count;
    }
    checks->sum += check - checks->values[index];
    checks->values[index] = check;
    return SOTTO_OK;
}

void node_checks_free(const sotto_env *env, struct node_checks *checks)
{
    mem_free(env, checks->values, checks->count * sizeof *checks->values);
    *checks = (struct node_checks){0};
}

/* Notes the check of a node's record; 0: it goes. */
static sotto_error note_check(struct saving *s, uint32_t index, uint64_t check)
{
    s->sum += check;
    if (s->dump)
        return SOTTO_OK;
    return failed(s, node_checks_set(s->group->mls->env, &s->group->checks, index, check));
}

/* ---- Writing and erasing --------------------------------------------------------------------- */

/* Of the kinds that come and go by themselves; nodes and their keys do with the tree. */
static bool is_tracked(enum record_kind kind)
{
    return kind > RECORD_GROUP && kind != RECORD_KEY;
}

/* Writes s->record and empties it. */
static sotto_error put(struct saving *s, enum record_kind kind, uint32_t index)
{
    struct sparse *stored = &s->group->stored[kind];
    if (!s->dump && is_tracked(kind) && sparse_get(stored, index) == NULL) {
        TRY(failed(s, sparse_reserve(stored, 1)));
        sparse_put(stored, index, (void *)(uintptr_t)&present);
    }
    uint64_t check =
        record_check(tree_prints(s->group->tree), kind, index, sotto_buf_view(&s->record));
    struct writer w;
    writer_init(&w, &s->record);
    writer_u64(&w, check);
    TRY(failed(s, writer_finish(&w)));
    if (kind == RECORD_NODE)
        TRY(note_check(s, index, check));
    sotto_error error = s->store->put(s->store->ctx, kind, index, sotto_buf_view(&s->record));
    sotto_buf_clear(&s->record);
    return failed(s, error);
}

static sotto_error erase(struct saving *s, enum record_kind kind, uint32_t index)
{
    if (s->dump)
        return SOTTO_OK;
    return failed(s, s->store->erase(s->store->ctx, kind, index));
}

/* Whether a record that is stored has a counterpart in memory. */
typedef bool alive_fn(const sotto_mls_group *group, uint32_t index);

/* Erases stored records of a kind that are not alive. They stay in the set until the save is done.
 */
static sotto_error erase_dead(struct saving *s, enum record_kind kind, alive_fn *alive)
{
    size_t at = 0;
    uint32_t index;
    while (sparse_next(&s->group->stored[kind], &at, &index) != NULL)
        if (!alive(s->group, index))
            TRY(erase(s, kind, index));
    return SOTTO_OK;
}

static void forget_dead(sotto_mls_group *group, enum record_kind kind, alive_fn *alive)
{
    struct sparse *stored = &group->stored[kind];
    uint32_t index;
    for (size_t at = 0; sparse_next(stored, &at, &index) != NULL;) {
        if (alive(group, index))
            continue;
        sparse_take(stored, index);
        at--; /* taking moves entries towards the gap: look at the slot again */
    }
}

/* ---- Tree nodes ------------------------------------------------------------------------------ */

/* A parent's key where it has a record of its own. One that is not in memory is in the store as it
 * is. */
static sotto_error save_key(struct saving *s, uint32_t index, const struct tree_node *node)
{
    if (!tree_keys_apart(s->group->suite) || node->type != NODE_PARENT)
        return SOTTO_OK;
    sotto_bytes key = tree_node_encryption_key(node);
    struct tree_stage view;
    sotto_buf scratch;
    sotto_buf_init(&scratch, s->group->mls->env);
    tree_stage_init(&view, s->group->tree);
    sotto_error error = SOTTO_OK;
    if (s->dump)
        error = tree_stage_encryption_key(&view, node_at(index), &scratch, &key);
    if (error == SOTTO_OK)
        error = sotto_buf_append(&s->record, key.data, key.size);
    sotto_buf_free(&scratch);
    TRY(failed(s, error));
    return key.size == 0 ? SOTTO_OK : put(s, RECORD_KEY, index);
}

static sotto_error erase_node(struct saving *s, uint32_t index)
{
    TRY(note_check(s, index, 0));
    TRY(erase(s, RECORD_NODE, index));
    if (tree_keys_apart(s->group->suite) && !node_is_leaf(node_at(index)))
        TRY(erase(s, RECORD_KEY, index));
    return SOTTO_OK;
}

static sotto_error save_node(struct saving *s, uint32_t index)
{
    const struct tree_node *node = tree_node(s->group->tree, node_at(index));
    if (node == NULL)
        return s->group->all_dirty ? SOTTO_OK : erase_node(s, index);
    struct writer w;
    writer_init(&w, &s->record);
    tree_record_write(&w, s->group->tree, node_at(index));
    TRY(failed(s, writer_finish(&w)));
    TRY(put(s, RECORD_NODE, index));
    return save_key(s, index, node);
}

static sotto_error save_nodes(struct saving *s)
{
    const sotto_mls_group *group = s->group;
    if (group->all_dirty || s->dump) {
        uint32_t count = node_count_of(tree_leaf_count(group->tree));
        for (uint32_t i = 0; i < count; i++)
            TRY(save_node(s, i));
        return SOTTO_OK;
    }
    for (const struct change_block *block = group->changes; block != NULL; block = block->next)
        for (size_t i = 0; i < block->count; i++)
            TRY(save_node(s, block->nodes[i]));
    return SOTTO_OK;
}

static sotto_error erase_nodes(struct saving *s)
{
    uint32_t count = node_count_of(tree_leaf_count(s->group->tree));
    for (uint32_t i = 0; i < count; i++)
        if (tree_node(s->group->tree, node_at(i)) != NULL)
            TRY(erase_node(s, i));
    return SOTTO_OK;
}

/* ---- The group's record ---------------------------------------------------------------------- */

static sotto_error save_group(struct saving *s)
{
    const sotto_mls_group *group = s->group;
    struct writer w;
    writer_init(&w, &s->record);
    writer_u8(&w, GROUP_RECORD_VERSION);
    writer_fixed(&w, sotto_bytes_of(tree_prints(group->tree)->seed, SIPHASH_SEED));
    writer_u8(&w, group->removed);
    writer_u32(&w, tree_leaf_count(group->tree));
    writer_u64(&w, s->dump ? s->sum : group->checks.sum);
    epoch_write(&w, group->epoch);
    treekem_private_write(&w, &group->private_state);
    writer_u32(&w, group->pending.next_number);
    writer_present(&w, group->reinit != NULL);
    if (group->reinit != NULL) {
        writer_u32(&w, group->reinit->sender.index);
        writer_vector(&w, sotto_buf_view(&group->reinit->bytes));
    }
    writer_present(&w, group->origin.type != 0);
    if (group->origin.type != 0)
        psk_id_write(&w, &group->origin);
    TRY(failed(s, writer_finish(&w)));
    return put(s, RECORD_GROUP, 0);
}

/* ---- Secret tree ----------------------------------------------------------------------------- */

void ratchet_write(struct writer *writer, const struct suite *suite, const struct ratchet *ratchet)
{
    writer_u32(writer, ratchet->generation);
    writer_vector(writer, secret_view(&ratchet->secret));
    writer_u32(writer, ratchet->skipped_count);
    for (uint32_t i = 0; i < ratchet->skipped_count; i++) {
        const struct message_key *key = &ratchet->skipped[i];
        writer_u32(writer, key->generation);
        writer_fixed(writer, sotto_bytes_of(key->key, suite->nk));
        writer_fixed(writer, sotto_bytes_of(key->nonce, suite->nn));
    }
}

static sotto_error save_secret_node(struct saving *s, uint32_t index)
{
    const struct secret *secret = sparse_get(&s->group->epoch->tree.nodes, index);
    if (secret == NULL)
        return erase(s, RECORD_SECRET_NODE, index);
    TRY(failed(s, sotto_buf_append(&s->record, secret->data, secret->size)));
    return put(s, RECORD_SECRET_NODE, index);
}

static sotto_error save_ratchet(struct saving *s, uint32_t index)
{
    const struct ratchet *ratchet = sparse_get(&s->group->epoch->tree.ratchets, index);
    struct writer w;
    writer_init(&w, &s->record);
    ratchet_write(&w, s->group->suite, ratchet);
    TRY(failed(s, writer_finish(&w)));
    return put(s, RECORD_RATCHET, index);
}

static bool node_alive(const sotto_mls_group *group, uint32_t index)
{
    return sparse_get(&group->epoch->tree.nodes, index) != NULL;
}

static bool ratchet_alive(const sotto_mls_group *group, uint32_t index)
{
    return sparse_get(&group->epoch->tree.ratchets, index) != NULL;
}

static sotto_error save_secrets(struct saving *s)
{
    const struct secret_tree *tree = &s->group->epoch->tree;
    if (!s->group->all_dirty && !s->group->epoch_dirty && !s->dump) {
        for (size_t i = 0; i < tree->dirty_nodes.count; i++)
            TRY(save_secret_node(s, tree->dirty_nodes.items[i]));
        for (size_t i = 0; i < tree->dirty_ratchets.count; i++)
            TRY(save_ratchet(s, tree->dirty_ratchets.items[i]));
        return SOTTO_OK;
    }
    uint32_t index;
    for (size_t at = 0; sparse_next(&tree->nodes, &at, &index) != NULL;)
        TRY(save_secret_node(s, index));
    for (size_t at = 0; sparse_next(&tree->ratchets, &at, &index) != NULL;)
        TRY(save_ratchet(s, index));
    TRY(erase_dead(s, RECORD_SECRET_NODE, node_alive));
    return erase_dead(s, RECORD_RATCHET, ratchet_alive);
}

/* ---- Pending proposals ----------------------------------------------------------------------- */

static bool pending_alive(const sotto_mls_group *group, uint32_t index)
{
    for (size_t i = 0; i < group->pending.count; i++)
        if (group->pending.items[i]->number == index)
            return true;
    return false;
}

static sotto_error save_one_pending(struct saving *s, const struct pending *pending)
{
    struct writer w;
    writer_init(&w, &s->record);
    writer_vector(&w, hash_view(&pending->reference));
    writer_u8(&w, pending->sender.type);
    writer_u32(&w, pending->sender.index);
    writer_vector(&w, sotto_buf_view(&pending->bytes));
    writer_present(&w, pending->own_update);
    if (pending->own_update) {
        writer_vector(&w, secret_view(&pending->leaf_private));
        writer_present(&w, pending->identity != NULL);
        if (pending->identity != NULL)
            identity_write(&w, pending->identity);
    }
    TRY(failed(s, writer_finish(&w)));
    return put(s, RECORD_PENDING, pending->number);
}

static sotto_error save_pending(struct saving *s)
{
    const sotto_mls_group *group = s->group;
    if (!group->all_dirty && !group->pending_dirty && !s->dump)
        return SOTTO_OK;
    for (size_t i = 0; i < group->pending.count; i++)
        if (group->pending.items[i]->dirty || group->all_dirty || s->dump)
            TRY(save_one_pending(s, group->pending.items[i]));
    return erase_dead(s, RECORD_PENDING, pending_alive);
}

/* ---- Past epochs ----------------------------------------------------------------------------- */

static bool past_alive(const sotto_mls_group *group, uint32_t index)
{
    for (const struct past_epoch *past = group->past; past != NULL; past = past->next)
        if ((uint32_t)past->epoch->fields.epoch == index)
            return true;
    return false;
}

static void write_past(struct writer *writer, const struct suite *suite,
                       const struct past_epoch *past)
{
    const struct secret_tree *tree = &past->epoch->tree;
    epoch_write(writer, past->epoch);
    writer_u32(writer, tree->leaf_count);
    writer_u32(writer, (uint32_t)past->leaf_count);
    for (size_t i = 0; i < past->leaf_count; i++) {
        writer_u32(writer, past->leaves[i].index);
        writer_vector(writer, sotto_bytes_of(past->leaves[i].key, past->leaves[i].size));
    }
    uint32_t index;
    void *value;
    writer_u32(writer, (uint32_t)tree->nodes.count);
    for (size_t at = 0; (value = sparse_next(&tree->nodes, &at, &index)) != NULL;) {
        writer_u32(writer, index);
        writer_vector(writer, secret_view(value));
    }
    writer_u32(writer, (uint32_t)tree->ratchets.count);
    for (size_t at = 0; (value = sparse_next(&tree->ratchets, &at, &index)) != NULL;) {
        writer_u32(writer, index);
        ratchet_write(writer, suite, value);
    }
}

static sotto_error save_past(struct saving *s)
{
    const sotto_mls_group *group = s->group;
    if (!group->all_dirty && !group->past_dirty && !s->dump)
        return SOTTO_OK;
    for (const struct past_epoch *past = group->past; past != NULL; past = past->next) {
        struct writer w;
        writer_init(&w, &s->record);
        write_past(&w, group->suite, past);
        TRY(failed(s, writer_finish(&w)));
        TRY(put(s, RECORD_PAST, (uint32_t)past->epoch->fields.epoch));
    }
    return erase_dead(s, RECORD_PAST, past_alive);
}

/* ---- All together ---------------------------------------------------------------------------- */

static bool none_alive(const sotto_mls_group *group, uint32_t index)
{
    (void)group;
    (void)index;
    return false;
}

/* A group that one was removed from: its record stays and says so, all else goes. */
static sotto_error save_removed(struct saving *s)
{
    if (!s->group->group_dirty && !s->dump)
        return SOTTO_OK;
    TRY(erase_nodes(s));
    for (unsigned kind = RECORD_SECRET_NODE; kind < RECORD_KEY; kind++)
        TRY(erase_dead(s, (enum record_kind)kind, none_alive));
    return save_group(s);
}

static sotto_error save(struct saving *s)
{
    sotto_mls_group *group = s->group;
    if (group->removed)
        return save_removed(s);
    if (group->all_dirty && !s->dump)
        node_checks_free(group->mls->env, &group->checks);
    TRY(save_nodes(s));
    if (group->all_dirty || group->group_dirty || s->dump)
        TRY(save_group(s));
    TRY(save_secrets(s));
    TRY(save_pending(s));
    return save_past(s);
}

void group_mark_clean(sotto_mls_group *group)
{
    if (group->all_dirty || group->epoch_dirty) {
        forget_dead(group, RECORD_SECRET_NODE, node_alive);
        forget_dead(group, RECORD_RATCHET, ratchet_alive);
    } else {
        const struct dirty_list *nodes = &group->epoch->tree.dirty_nodes;
        for (size_t i = 0; i < nodes->count; i++)
            if (!node_alive(group, nodes->items[i]))
                sparse_take(&group->stored[RECORD_SECRET_NODE], nodes->items[i]);
    }
    if (group->pending_dirty || group->all_dirty)
        forget_dead(group, RECORD_PENDING, pending_alive);
    if (group->past_dirty || group->all_dirty)
        forget_dead(group, RECORD_PAST, past_alive);
    if (!group->removed)
        secret_tree_clean(&group->epoch->tree);
    for (size_t i = 0; i < group->pending.count; i++)
        group->pending.items[i]->dirty = false;
    while (group->changes != NULL) {
        struct change_block *next = group->changes->next;
        mem_free(group->mls->env, group->changes,
                 sizeof *group->changes + group->changes->count * sizeof group->changes->nodes[0]);
        group->changes = next;
    }
    group->all_dirty = group->group_dirty = group->epoch_dirty = false;
    group->pending_dirty = group->past_dirty = false;
}

sotto_error sotto_mls_group_save(sotto_mls_group *group, const sotto_mls_store *store)
{
    mls_begin(group->mls);
    struct saving s = {.group = group, .store = store};
    sotto_buf_init(&s.record, group->mls->env);
    sotto_error error = save(&s);
    if (error == SOTTO_OK)
        group_mark_clean(group);
    sotto_buf_free(&s.record);
    return error;
}

sotto_error group_dump(sotto_mls_group *group, const sotto_mls_store *store)
{
    struct saving s = {.group = group, .store = store, .dump = true};
    sotto_buf_init(&s.record, group->mls->env);
    sotto_error error = save(&s);
    sotto_buf_free(&s.record);
    return error;
}
