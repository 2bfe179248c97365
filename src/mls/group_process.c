/* Processing a commit (RFC 9420, 12.4.2), after its message was opened and its signature verified:
 *
 *   proposals judged -> applied to a stage -> path merged -> tree hash -> path secret decrypted
 *   -> transcript -> key schedule -> confirmation tag -> credentials judged by the application
 */
#include "mls/group.h"

#include "crypto/public_taint.h"

static sotto_error refuse(sotto_mls_group *group, const char *what)
{
    return mls_fail(group->mls, SOTTO_COMMIT, what);
}

/* ---- The list of proposals ------------------------------------------------------------------- */

static sotto_error gather(sotto_mls_group *group, sotto_mls_staged *staged,
                          const struct authenticated *message)
{
    const struct commit *commit = &message->content.u.commit;
    struct proposal_list *list = &staged->list;
    if (commit->proposal_count == 0)
        return SOTTO_OK;
    list->items = arena_array(&staged->arena, commit->proposal_count, sizeof *list->items);
    if (list->items == NULL)
        return mls_fail(group->mls, SOTTO_NO_MEMORY, "Commit.proposals");
    for (size_t i = 0; i < commit->proposal_count; i++) {
        const struct proposal_or_ref *entry = &commit->proposals[i];
        struct listed *item = &list->items[list->count];
        *item = (struct listed){.proposal = &entry->proposal, .sender = message->content.sender};
        if (entry->by_reference) {
            struct pending *found = pending_find(&group->pending, entry->reference);
            if (found == NULL)
                return mls_fail(group->mls, SOTTO_PROPOSAL, "ProposalOrRef.reference");
            for (size_t j = 0; j < list->count; j++)
                if (list->items[j].pending == found)
                    return mls_fail(group->mls, SOTTO_PROPOSAL, "ProposalOrRef.reference twice");
            *item = (struct listed){.proposal = &found->proposal,
                                    .sender = found->sender,
                                    .pending = pending_hold(found)};
        }
        list->count++;
    }
    return SOTTO_OK;
}

static bool concerns(const struct listed *item, uint32_t leaf)
{
    uint16_t type = item->proposal->type;
    return item->leaf.value == leaf &&
           (type == PROPOSAL_REMOVE || type == PROPOSAL_SELF_REMOVE || type == PROPOSAL_UPDATE);
}

/* An own Update that was committed by another: its private key, and who one became (12.1.2). */
static sotto_error take_own_update(sotto_mls_group *group, sotto_mls_staged *staged)
{
    for (size_t i = 0; i < staged->list.count; i++) {
        const struct listed *item = &staged->list.items[i];
        if (!concerns(item, group->private_state.own.value))
            continue;
        if (item->proposal->type != PROPOSAL_UPDATE) {
            staged->removes_self = true;
            continue;
        }
        struct pending *pending = item->pending;
        if (!pending->own_update) /* not made by this state: it was restored from the past */
            return mls_fail(group->mls, SOTTO_STATE, "own Update without its private key");
        treekem_private_set(&staged->private_state, leaf_node_index(group->private_state.own),
                            &pending->leaf_private);
        staged->own_update = pending;
    }
    return SOTTO_OK;
}

/* ---- The path -------------------------------------------------------------------------------- */

static sotto_error check_path_leaf(sotto_mls_group *group, const sotto_mls_staged *staged,
                                   const struct leaf_node *leaf, uint32_t committer)
{
    TRY(group_check_leaf(group, leaf, LEAF_SOURCE_COMMIT, committer, staged->list.extensions));
    const struct leaf_node *before = tree_leaf(group->tree, leaf_at(committer));
    /* 12.4.2: another key than before. treekem_merge compares with the tree, where an external
     * committer's place is blank. */
    if (before != NULL && sotto_bytes_equal(before->encryption_key, leaf->encryption_key))
        return refuse(group, "UpdatePath.leaf_node.encryption_key");
    return SOTTO_OK;
}

/* Merges the path and, unless one is removed, gets commit_secret from it. */
static sotto_error follow_path(sotto_mls_group *group, sotto_mls_staged *staged,
                               struct leaf_index sender, const struct update_path *path,
                               struct secret *commit_secret)
{
    sotto_mls *mls = group->mls;
    sotto_fault fault = {SOTTO_OK, "UpdatePath", 0};
    TRY(check_path_leaf(group, staged, &path->leaf, sender.value));
    sotto_error error = treekem_merge(&staged->stage, sender, path, &fault);
    if (error != SOTTO_OK)
        return mls_fail(mls, error, fault.what);
    if (staged->removes_self)
        return SOTTO_OK;
    sotto_buf context;
    sotto_buf_init(&context, mls->env);
    error = staged_context(staged, group->epoch->fields.confirmed_transcript_hash, &context);
    if (error == SOTTO_OK) {
        error = treekem_decrypt(&staged->stage, sender, path, sotto_buf_view(&context),
                                &staged->private_state, commit_secret, &fault);
        if (error != SOTTO_OK)
            mls_fail(mls, error, fault.what);
    }
    sotto_buf_free(&context);
    return error;
}

/* ---- Secrets --------------------------------------------------------------------------------- */

/* 8.3: what an external committer sent for the members (RFC 9420, 12.4.3.2). */
static sotto_error external_init(sotto_mls_group *group, const struct proposal *proposal,
                                 struct secret *init_secret)
{
    struct crypto *crypto = group->mls->crypto;
    struct secret private_key = {0};
    sotto_buf public_key;
    sotto_buf_init(&public_key, group->mls->env);
    sotto_error error =
        key_schedule_external(crypto, group->suite, secret_view(&group->epoch->secrets.external),
                              &private_key, &public_key);
    if (error == SOTTO_OK)
        error = crypto_hpke_export_receive(crypto, group->suite, secret_view(&private_key),
                                           sotto_buf_view(&public_key), proposal->u.kem_output,
                                           sotto_bytes_str("MLS 1.0 external init secret"),
                                           group->suite->nh, init_secret);
    secret_wipe(&private_key);
    sotto_buf_free(&public_key);
    return mls_check(group->mls, error, "ExternalInit.kem_output");
}

struct commit_secrets {
    struct secret init, commit, psk;
};

static sotto_error enter_and_confirm(sotto_mls_group *group, sotto_mls_staged *staged,
                                     const struct authenticated *message,
                                     struct commit_secrets *secrets)
{
    secrets->init = group->epoch->secrets.init;
    if (staged->list.external_init != NULL)
        TRY(external_init(group, staged->list.external_init, &secrets->init));
    TRY(proposal_list_psks(group, &staged->list, &secrets->psk));
    const struct staged_secrets given = {
        .framed = authenticated_framed(message),
        .signature = message->auth.signature,
        .init_secret = secret_view(&secrets->init),
        .commit_secret = secret_view(&secrets->commit),
        .psk_secret = secret_view(&secrets->psk),
    };
    TRY(staged_enter(staged, &given, NULL, NULL));
    bool equal = sotto_bytes_equal_secret(hash_view(&staged->next->confirmation_tag),
                                          message->auth.confirmation_tag);
    public_from_here(&equal, sizeof equal);
    if (!equal) /* 12.4.2 */
        return mls_fail(group->mls, SOTTO_TAG, "FramedContentAuthData.confirmation_tag");
    return SOTTO_OK;
}

/* ---- All together ---------------------------------------------------------------------------- */

/* 5.3.1, for the path: who the committer is now, against who they were. Adds and Updates were asked
 * about when they were judged. */
static sotto_error ask_about_path(sotto_mls_group *group, const sotto_mls_staged *staged,
                                  const struct update_path *path, uint32_t committer)
{
    uint32_t before = committer;
    if (staged->list.external_init != NULL)
        before = staged->list.removed_prior;
    const struct leaf_node *replaced =
        before == UINT32_MAX ? NULL : tree_leaf(group->tree, leaf_at(before));
    return group_ask_leaf(group, &path->leaf, committer, replaced);
}

static sotto_error process(sotto_mls_group *group, sotto_mls_staged *staged,
                           const struct authenticated *message, struct commit_secrets *secrets)
{
    const struct commit *commit = &message->content.u.commit;
    bool external = message->content.sender.type == SENDER_NEW_MEMBER_COMMIT;
    struct leaf_index sender = leaf_at(message->content.sender.index);
    staged->committer = external ? SOTTO_MLS_NO_SENDER : sender.value;
    TRY(gather(group, staged, message));
    TRY(proposal_list_check(group, &staged->list, external ? EXTERNAL_COMMITTER : sender.value,
                            false));
    /* 12.4: a path, unless all is of types that need none. */
    if (commit->path == NULL && (commit->proposal_count == 0 || staged->list.path_required))
        return refuse(group, "Commit.path");
    TRY(proposal_list_apply(group, &staged->list, &staged->stage));
    treekem_private_prune(&staged->private_state, &staged->stage);
    TRY(take_own_update(group, staged));
    if (external) {
        TRY(mls_check(group->mls, tree_stage_claim(&staged->stage, &sender), "external commit"));
        staged->committer = sender.value;
    }
    key_schedule_zero(group->suite, &secrets->commit);
    if (commit->path != NULL)
        TRY(follow_path(group, staged, sender, commit->path, &secrets->commit));
    TRY(proposal_list_check_tree(group, &staged->list, &staged->stage));
    if (!staged->removes_self)
        TRY(enter_and_confirm(group, staged, message, secrets));
    if (commit->path != NULL)
        TRY(ask_about_path(group, staged, commit->path, sender.value));
    TRY(staged_keep_reinit(staged));
    return staged_prepare(staged);
}

sotto_error group_process_commit(sotto_mls_group *group, const struct authenticated *message,
                                 sotto_mls_staged **staged)
{
    if (group->reinit != NULL) /* 12.4.2: the group has ended */
        return mls_fail(group->mls, SOTTO_STATE, "the group was ended by a ReInit");
    sotto_mls_staged *made;
    TRY(staged_new(group, &made));
    struct commit_secrets secrets = {0};
    sotto_error error = process(group, made, message, &secrets);
    wipe(&secrets, sizeof secrets);
    if (error != SOTTO_OK) {
        sotto_mls_staged_drop(made);
        return error;
    }
    *staged = made;
    return SOTTO_OK;
}
