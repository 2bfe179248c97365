/* An own commit's staged epoch as bytes, and back:
 *
 *   version, confirmation tag of the epoch it stands on, committer
 *   proposals: sender, leaf, Proposal each
 *   tree stage, own private keys, epoch to come, root of its secret tree, renewed identity
 */
#include "mls/group.h"

#define STAGED_VERSION 2

/* ---- Writing --------------------------------------------------------------------------------- */

static void write_list(struct writer *writer, const struct proposal_list *list)
{
    writer_u32(writer, (uint32_t)list->count);
    for (size_t i = 0; i < list->count; i++) {
        const struct listed *item = &list->items[i];
        writer_u8(writer, item->sender.type);
        writer_u32(writer, item->sender.index);
        writer_u32(writer, item->leaf.value);
        size_t opened = writer_open(writer);
        proposal_write(writer, item->proposal);
        writer_close(writer, opened);
    }
}

static const struct secret *root_secret(const struct epoch *epoch)
{
    return sparse_get(&epoch->tree.nodes, epoch->tree.leaf_count - 1);
}

sotto_error sotto_mls_staged_save(const sotto_mls_staged *staged, sotto_buf *out)
{
    mls_begin(staged->mls);
    if (!staged->own)
        return mls_fail(staged->mls, SOTTO_STATE, "not an own commit: process it again");
    const struct secret *root = root_secret(staged->next);
    BUG_UNLESS(root != NULL); /* nobody reads or writes messages of an epoch to come */
    struct writer w;
    writer_init(&w, out);
    writer_u8(&w, STAGED_VERSION);
    writer_vector(&w, hash_view(&staged->base->confirmation_tag));
    writer_u32(&w, staged->committer);
    write_list(&w, &staged->list);
    tree_stage_write(&w, &staged->stage);
    treekem_private_write(&w, &staged->private_state);
    epoch_write(&w, staged->next);
    writer_vector(&w, secret_view(root));
    writer_present(&w, staged->identity != NULL);
    if (staged->identity != NULL)
        identity_write(&w, staged->identity);
    return mls_check(staged->mls, writer_finish(&w), "staged epoch");
}

/* ---- Reading --------------------------------------------------------------------------------- */

static void read_list(struct reader *reader, sotto_mls_staged *staged)
{
    struct proposal_list *list = &staged->list;
    uint32_t count = reader_u32(reader, "staged.proposals");
    if (count > LIMIT_PROPOSALS)
        reader_fail(reader, SOTTO_LIMIT, "staged.proposals");
    if (!reader_ok(reader) || count == 0)
        return;
    list->items = arena_array(&staged->arena, count, sizeof *list->items);
    struct proposal *proposals = arena_array(&staged->arena, count, sizeof *proposals);
    if (list->items == NULL || proposals == NULL) {
        reader_fail(reader, SOTTO_NO_MEMORY, "staged.proposals");
        return;
    }
    for (uint32_t i = 0; i < count && reader_ok(reader); i++) {
        struct listed *item = &list->items[i];
        item->sender.type = reader_u8(reader, "staged.sender");
        item->sender.index = reader_u32(reader, "staged.sender");
        item->leaf.value = reader_u32(reader, "staged.leaf");
        item->proposal = &proposals[i];
        struct reader inner;
        reader_enter(reader, &inner, LIMIT_MESSAGE, "staged.proposal");
        proposal_read(&inner, &staged->decoded, &proposals[i]);
        reader_leave(reader, &inner, "staged.proposal");
    }
    if (reader_ok(reader))
        list->count = count;
}

static void read_identity(struct reader *reader, sotto_mls_staged *staged)
{
    const sotto_env *env = staged->mls->env;
    if (!reader_present(reader, "staged.identity"))
        return;
    struct identity *identity = mem_alloc(env, sizeof *identity);
    if (identity == NULL)
        reader_fail(reader, SOTTO_NO_MEMORY, "staged.identity");
    else if (identity_read(staged->mls, reader, staged->base->suite, identity) != SOTTO_OK)
        mem_free(env, identity, sizeof *identity);
    else
        staged->identity = identity;
}

static sotto_error read_staged(sotto_mls_staged *staged, struct reader *r)
{
    sotto_mls_group *group = staged->group;
    sotto_mls *mls = staged->mls;
    struct secret root = {0};
    staged->own = true;
    if (reader_u8(r, "staged.version") != STAGED_VERSION)
        reader_fail(r, SOTTO_VERSION, "staged.version");
    sotto_bytes base = reader_vector(r, LIMIT_HASH, "staged.base");
    if (reader_ok(r) && !sotto_bytes_equal(base, hash_view(&group->epoch->confirmation_tag)))
        reader_fail(r, SOTTO_EPOCH, "staged.base");
    staged->committer = reader_u32(r, "staged.committer");
    read_list(r, staged);
    if (reader_ok(r))
        tree_stage_read(r, group->tree, &staged->stage);
    treekem_private_wipe(&staged->private_state);
    treekem_private_read(r, &staged->private_state);
    if (reader_ok(r))
        staged->next = epoch_read(mls, group->suite, r);
    secret_read(r, &root, "staged.secret_tree");
    if (reader_ok(r))
        read_identity(r, staged);
    sotto_error error = reader_finish(r, "staged");
    if (error != SOTTO_OK)
        mls_fail_at(mls, r->fault);
    if (error == SOTTO_OK)
        error =
            mls_check(mls,
                      secret_tree_init(&staged->next->tree, mls->crypto, group->suite,
                                       tree_stage_leaf_count(&staged->stage), secret_view(&root)),
                      "staged.secret_tree");
    secret_wipe(&root);
    return error;
}

/* What was read fits together: the tree's hash, the private keys. */
static sotto_error check_staged(sotto_mls_staged *staged)
{
    sotto_mls *mls = staged->mls;
    sotto_bytes hash;
    TRY(proposal_list_restore(staged->group, &staged->list, staged->committer));
    TRY(mls_check(mls, tree_stage_root_hash(&staged->stage, &hash), "staged.tree"));
    if (!sotto_bytes_equal(hash, staged->next->fields.tree_hash))
        return mls_fail(mls, SOTTO_TREE, "staged.tree");
    TRY(mls_check(mls, treekem_private_check(&staged->private_state, &staged->stage),
                  "staged.private_keys"));
    TRY(staged_keep_reinit(staged));
    return staged_prepare(staged);
}

sotto_error sotto_mls_staged_load(sotto_mls_group *group, sotto_bytes saved,
                                  sotto_mls_staged **staged)
{
    TRY(group_begin(group));
    sotto_mls *mls = group->mls;
    sotto_mls_staged *made;
    TRY(staged_new(group, &made));
    /* Proposals borrow from a copy that the staged epoch owns. */
    sotto_error error =
        mls_check(mls, sotto_buf_append(&made->bytes, saved.data, saved.size), "staged");
    struct reader r;
    reader_init(&r, sotto_buf_view(&made->bytes));
    if (error == SOTTO_OK)
        error = read_staged(made, &r);
    if (error == SOTTO_OK)
        error = check_staged(made);
    if (error != SOTTO_OK) {
        sotto_mls_staged_drop(made);
        return error;
    }
    *staged = made;
    return SOTTO_OK;
}
