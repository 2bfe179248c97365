/* Staged epochs: an overlay on the group's tree, the epoch to come made whole, and what must be
 * said about both. Applying exchanges pointers; all memory was set aside before. */
#include "mls/group.h"

#include <string.h>

#include "crypto/public_taint.h"

sotto_error staged_new(sotto_mls_group *group, sotto_mls_staged **staged)
{
    sotto_mls *mls = group->mls;
    sotto_mls_staged *made = mem_alloc(mls->env, sizeof *made);
    if (made == NULL)
        return mls_fail(mls, SOTTO_NO_MEMORY, "staged epoch");
    made->mls = mls;
    made->group = group;
    made->base = group->epoch;
    tree_stage_init(&made->stage, group->tree);
    made->private_state = group->private_state;
    sotto_buf_init(&made->bytes, mls->env);
    arena_init(&made->arena, mls->env);
    arena_init(&made->decoded, mls->env);
    *staged = made;
    return SOTTO_OK;
}

void sotto_mls_staged_drop(sotto_mls_staged *staged)
{
    if (staged == NULL)
        return;
    sotto_mls *mls = staged->mls;
    tree_stage_drop(&staged->stage);
    treekem_private_wipe(&staged->private_state);
    epoch_free(staged->next);
    proposal_list_release(&staged->list);
    sotto_buf_free(&staged->bytes);
    arena_free(&staged->arena);
    arena_free(&staged->decoded);
    pending_release(staged->reinit);
    if (staged->identity != NULL) {
        identity_free(staged->identity);
        mem_free(mls->env, staged->identity, sizeof *staged->identity);
    }
    if (staged->changes != NULL)
        mem_free(mls->env, staged->changes,
                 sizeof *staged->changes +
                     staged->changes->count * sizeof staged->changes->nodes[0]);
    past_free(mls, staged->past);
    mem_free(mls->env, staged, sizeof *staged);
}

/* ---- Making ---------------------------------------------------------------------------------- */

sotto_error staged_context(sotto_mls_staged *staged, sotto_bytes confirmed, sotto_buf *context)
{
    sotto_bytes tree_hash_now;
    TRY(mls_check(staged->mls, tree_stage_root_hash(&staged->stage, &tree_hash_now), "tree hash"));
    struct group_context fields = staged->base->fields;
    fields.epoch++;
    fields.tree_hash = tree_hash_now;
    fields.confirmed_transcript_hash = confirmed;
    fields.extensions = *staged->list.extensions;
    struct writer w;
    writer_init(&w, context);
    group_context_write(&w, &fields);
    return mls_check(staged->mls, writer_finish(&w), "GroupContext");
}

static sotto_error enter(sotto_mls_staged *staged, const struct staged_secrets *given,
                         struct secret *joiner, struct secret *member, sotto_buf *context)
{
    struct crypto *crypto = staged->mls->crypto;
    const struct suite *suite = staged->base->suite;
    struct hash confirmed;
    TRY(transcript_confirmed(crypto, suite, hash_view(&staged->base->interim), given->framed,
                             given->signature, &confirmed));
    TRY(staged_context(staged, hash_view(&confirmed), context));
    TRY(epoch_new_decoded(staged->mls, suite, sotto_buf_view(context), &staged->next));
    TRY(key_schedule_joiner(crypto, suite, given->init_secret, given->commit_secret,
                            sotto_buf_view(context), joiner));
    TRY(key_schedule_member(crypto, suite, secret_view(joiner), given->psk_secret, member));
    TRY(epoch_enter(staged->next, secret_view(member)));
    return epoch_open_messages(staged->next, tree_stage_leaf_count(&staged->stage));
}

sotto_error staged_enter(sotto_mls_staged *staged, const struct staged_secrets *secrets,
                         struct secret *joiner, struct secret *member)
{
    struct secret own_joiner = {0}, own_member = {0};
    sotto_buf context;
    sotto_buf_init(&context, staged->mls->env);
    sotto_error error = mls_check(staged->mls,
                                  enter(staged, secrets, joiner == NULL ? &own_joiner : joiner,
                                        member == NULL ? &own_member : member, &context),
                                  "key schedule");
    sotto_buf_free(&context);
    secret_wipe(&own_joiner);
    secret_wipe(&own_member);
    return error;
}

sotto_error staged_keep_reinit(sotto_mls_staged *staged)
{
    const struct proposal *reinit = staged->list.reinit;
    if (reinit == NULL)
        return SOTTO_OK;
    sotto_buf bytes;
    sotto_buf_init(&bytes, staged->mls->env);
    struct writer w;
    writer_init(&w, &bytes);
    proposal_write(&w, reinit);
    sotto_error error = writer_finish(&w);
    const struct sender sender = {SENDER_MEMBER, staged->committer};
    const struct hash none = {0};
    sotto_fault fault;
    if (error == SOTTO_OK)
        error = pending_new(staged->mls->env, sotto_buf_view(&bytes), sender, &none,
                            &staged->reinit, &fault);
    sotto_buf_free(&bytes);
    return mls_check(staged->mls, error, "ReInit");
}

/* Which tree nodes' records change. */
static sotto_error note_changes(sotto_mls_staged *staged)
{
    size_t count = 0, position = 0;
    struct node_index at;
    const struct tree_node *node;
    while (tree_stage_next_change(&staged->stage, &position, &at, &node))
        count++;
    staged->changes =
        mem_alloc(staged->mls->env, sizeof *staged->changes + count * sizeof at.value);
    if (staged->changes == NULL)
        return SOTTO_NO_MEMORY;
    staged->changes->count = count;
    position = 0;
    for (size_t i = 0; tree_stage_next_change(&staged->stage, &position, &at, &node); i++)
        staged->changes->nodes[i] = at.value;
    return SOTTO_OK;
}

/* The signature keys of leaves that change, for late messages of the epoch that ends. */
static sotto_error note_past(sotto_mls_staged *staged)
{
    const sotto_env *env = staged->mls->env;
    staged->past = mem_alloc(env, sizeof *staged->past);
    if (staged->past == NULL)
        return SOTTO_NO_MEMORY;
    size_t count = 0;
    for (size_t i = 0; i < staged->changes->count; i++)
        count += node_is_leaf(node_at(staged->changes->nodes[i]));
    if (count == 0)
        return SOTTO_OK;
    struct past_leaf *leaves = mem_alloc(env, count * sizeof *leaves);
    if (leaves == NULL)
        return SOTTO_NO_MEMORY;
    staged->past->leaves = leaves;
    staged->past->leaf_count = count;
    for (size_t i = 0; i < staged->changes->count; i++) {
        struct node_index at = node_at(staged->changes->nodes[i]);
        if (!node_is_leaf(at))
            continue;
        const struct leaf_node *leaf = tree_leaf(staged->group->tree, node_leaf_index(at));
        *leaves = (struct past_leaf){.index = node_leaf_index(at).value};
        if (leaf != NULL && leaf->signature_key.size <= sizeof leaves->key) {
            leaves->size = (uint8_t)leaf->signature_key.size;
            memcpy(leaves->key, leaf->signature_key.data, leaf->signature_key.size);
        }
        leaves++;
    }
    return SOTTO_OK;
}

sotto_error staged_prepare(sotto_mls_staged *staged)
{
    sotto_error error = tree_stage_prepare(&staged->stage);
    if (error == SOTTO_OK)
        error = note_changes(staged);
    /* An external joiner could not read the epoch that it ends. */
    bool readable = staged->base->tree.crypto != NULL;
    if (error == SOTTO_OK && staged->mls->config.past_epochs > 0 && readable &&
        !staged->removes_self)
        error = note_past(staged);
    return mls_check(staged->mls, error, "staged epoch");
}

/* ---- Looking --------------------------------------------------------------------------------- */

size_t sotto_mls_staged_count(const sotto_mls_staged *staged)
{
    return staged->list.count;
}

sotto_error sotto_mls_staged_proposal(const sotto_mls_staged *staged, size_t number,
                                      sotto_mls_proposal *proposal, uint32_t *sender)
{
    mls_begin(staged->mls);
    if (number >= staged->list.count)
        return mls_fail(staged->mls, SOTTO_NOT_FOUND, "proposal");
    const struct listed *item = &staged->list.items[number];
    proposal_view(item->proposal, proposal);
    if (item->proposal->type == PROPOSAL_ADD)
        proposal->u.add.leaf.index = item->leaf.value;
    if (item->proposal->type == PROPOSAL_UPDATE)
        proposal->u.update.leaf.index = item->leaf.value;
    if (sender != NULL)
        *sender = item->sender.type == SENDER_MEMBER ? item->sender.index : SOTTO_MLS_NO_SENDER;
    return SOTTO_OK;
}

uint32_t sotto_mls_staged_committer(const sotto_mls_staged *staged)
{
    return staged->committer;
}

uint64_t sotto_mls_staged_epoch(const sotto_mls_staged *staged)
{
    return staged->base->fields.epoch + 1;
}

bool sotto_mls_staged_removes_self(const sotto_mls_staged *staged)
{
    return staged->removes_self;
}

sotto_error sotto_mls_staged_member(const sotto_mls_staged *staged, uint32_t index,
                                    sotto_mls_leaf *leaf)
{
    mls_begin(staged->mls);
    const struct leaf_node *found = tree_stage_leaf(&staged->stage, leaf_at(index));
    if (found == NULL)
        return mls_fail(staged->mls, SOTTO_NOT_FOUND, "leaf index");
    leaf_view(found, index, leaf);
    return SOTTO_OK;
}

uint32_t sotto_mls_staged_member_count(const sotto_mls_staged *staged)
{
    return tree_stage_member_count(&staged->stage);
}

sotto_error sotto_mls_staged_context_extension(const sotto_mls_staged *staged, uint16_t type,
                                               sotto_bytes *data)
{
    mls_begin(staged->mls);
    const sotto_mls_extension *found = extensions_find(staged->list.extensions, type);
    if (found == NULL)
        return mls_fail(staged->mls, SOTTO_NOT_FOUND, "GroupContext.extensions");
    *data = found->data;
    return SOTTO_OK;
}

sotto_error sotto_mls_staged_export(sotto_mls_staged *staged, const char *label,
                                    sotto_bytes context, size_t size, sotto_buf *out)
{
    sotto_mls *mls = staged->mls;
    mls_begin(mls);
    if (staged->removes_self)
        return mls_fail(mls, SOTTO_REMOVED, "staged epoch");
    if (size > 64)
        return mls_fail(mls, SOTTO_ARGUMENT, "export size");
    struct secret exported = {0};
    sotto_error error = key_schedule_export(mls->crypto, staged->next->suite,
                                            secret_view(&staged->next->secrets.exporter), label,
                                            context, size, &exported);
    if (error == SOTTO_OK)
        error = sotto_buf_append(out, exported.data, exported.size);
    secret_wipe(&exported);
    return mls_check(mls, error, "export");
}

sotto_bytes sotto_mls_staged_epoch_authenticator(const sotto_mls_staged *staged)
{
    if (staged->removes_self)
        return (sotto_bytes){0};
    return secret_view(&staged->next->secrets.epoch_authenticator);
}

/* ---- Applying -------------------------------------------------------------------------------- */

/* What a late message of an epoch that is over needs: sender data, keys, context, resumption PSK.
 */
static void keep_for_late_messages(struct epoch *epoch)
{
    struct epoch_secrets kept = {
        .sender_data = epoch->secrets.sender_data,
        .resumption_psk = epoch->secrets.resumption_psk,
    };
    epoch_secrets_wipe(&epoch->secrets);
    epoch->secrets = kept;
    epoch_secrets_wipe(&kept);
    secret_tree_free(&epoch->components);
}

static void retire(sotto_mls_group *group, sotto_mls_staged *staged)
{
    sotto_mls *mls = group->mls;
    if (staged->past == NULL) {
        epoch_free(group->epoch);
        return;
    }
    keep_for_late_messages(group->epoch);
    staged->past->epoch = group->epoch;
    staged->past->next = group->past;
    group->past = staged->past;
    staged->past = NULL;
    group->past_dirty = true;
    struct past_epoch **last = &group->past;
    for (uint32_t kept = 0; *last != NULL && kept < mls->config.past_epochs; kept++)
        last = &(*last)->next;
    past_free(mls, *last);
    *last = NULL;
}

/* 12.4.2: a removed member's state goes. The group id and the epoch's number stay to be asked. */
static void leave(sotto_mls_group *group)
{
    secret_tree_free(&group->epoch->tree);
    secret_tree_free(&group->epoch->components);
    epoch_secrets_wipe(&group->epoch->secrets);
    struct leaf_index own = group->private_state.own;
    treekem_private_wipe(&group->private_state);
    group->private_state.own = own;
    secret_wipe(&group->identity->signature_private);
    group->pending_dirty = true;
    pending_clear(&group->pending);
    past_free(group->mls, group->past);
    group->past = NULL;
    group->past_dirty = true;
    group->removed = true;
    group->group_dirty = true;
    group->epoch_dirty = true;
}

static void enter_next(sotto_mls_group *group, sotto_mls_staged *staged)
{
    tree_stage_apply(&staged->stage, group->tree);
    retire(group, staged);
    group->epoch = staged->next;
    /* It was sent, or was compared with the one that was. */
    public_from_here(&group->epoch->confirmation_tag, sizeof group->epoch->confirmation_tag);
    staged->next = NULL;
    treekem_private_wipe(&group->private_state);
    group->private_state = staged->private_state;
    struct identity **renewed =
        staged->own_update != NULL ? &staged->own_update->identity : &staged->identity;
    if (*renewed != NULL) {
        struct identity *old = group->identity;
        group->identity = *renewed;
        *renewed = old; /* freed with staged */
    }
    group->pending_dirty |= group->pending.count > 0;
    pending_clear(&group->pending); /* 12.1: proposals belong to their epoch */
    group->reinit = staged->reinit;
    staged->reinit = NULL;
    group->info_signer = SOTTO_MLS_NO_SENDER;
    staged->changes->next = group->changes;
    group->changes = staged->changes;
    staged->changes = NULL;
    group->group_dirty = true;
    group->epoch_dirty = true;
}

void sotto_mls_staged_apply(sotto_mls_group *group, sotto_mls_staged *staged)
{
    BUG_UNLESS(staged->group == group && staged->base == group->epoch && !group->removed);
    if (staged->removes_self)
        leave(group);
    else
        enter_next(group, staged);
    sotto_mls_staged_drop(staged);
}
