/* Joining by external commit (RFC 9420, 12.4.3.2):
 *
 *   GroupInfo, tree verified -> init_secret by HPKE export to external_pub (8.3)
 *   -> ExternalInit (and the Remove of one's former leaf) applied -> path from the leftmost blank
 * leaf
 *   -> Commit signed by the new leaf's key -> key schedule -> PublicMessage
 */
#include "mls/group_join.h"

struct external {
    sotto_mls *mls;
    sotto_mls_group *group;
    sotto_mls_staged *staged;
    struct arena arena;
    struct group_info info;
    uint32_t remove_prior;
    sotto_buf kem_output, update_path, body;
    struct secret init_secret;
    struct treekem_path path;
    struct sending sending;
};

/* ---- From the GroupInfo ---------------------------------------------------------------------- */

static sotto_error decode_info(struct external *x, sotto_bytes group_info)
{
    struct mls_message message;
    sotto_fault fault;
    if (mls_message_decode(group_info, &x->arena, &message, &fault) != SOTTO_OK)
        return mls_fail_at(x->mls, fault);
    if (message.wire_format != WIRE_GROUP_INFO)
        return mls_fail_at(x->mls, (sotto_fault){SOTTO_VALUE, "MLSMessage.wire_format", 2});
    x->info = message.u.group_info;
    if (x->info.context.suite != x->group->suite->id)
        return mls_fail(x->mls, SOTTO_UNSUPPORTED, "GroupContext.cipher_suite");
    return SOTTO_OK;
}

/* The epoch that the commit leaves: its context and transcript, none of its secrets. */
static sotto_error old_epoch(struct external *x)
{
    sotto_mls_group *group = x->group;
    TRY(epoch_new_decoded(x->mls, group->suite, x->info.context_bytes, &group->epoch));
    struct epoch *epoch = group->epoch;
    TRY(mls_check(x->mls,
                  hash_set(&epoch->confirmation_tag, group->suite, x->info.confirmation_tag),
                  "GroupInfo.confirmation_tag"));
    return mls_check(x->mls,
                     transcript_interim(x->mls->crypto, group->suite,
                                        epoch->fields.confirmed_transcript_hash,
                                        hash_view(&epoch->confirmation_tag), &epoch->interim),
                     "interim_transcript_hash");
}

/* 8.3 */
static sotto_error make_init_secret(struct external *x)
{
    sotto_mls *mls = x->mls;
    const sotto_mls_extension *found = extensions_find(&x->info.extensions, EXTENSION_EXTERNAL_PUB);
    if (found == NULL)
        return mls_fail(mls, SOTTO_NOT_FOUND, "external_pub");
    struct reader r;
    reader_init(&r, found->data);
    sotto_bytes external_pub = reader_vector(&r, LIMIT_PUBLIC_KEY, "ExternalPub.external_pub");
    if (reader_finish(&r, "ExternalPub") != SOTTO_OK)
        return mls_fail_at(mls, r.fault);
    return mls_check(mls,
                     crypto_hpke_export_send(mls->crypto, x->group->suite, external_pub,
                                             sotto_bytes_str("MLS 1.0 external init secret"),
                                             x->group->suite->nh, &x->kem_output, &x->init_secret),
                     "ExternalPub.external_pub");
}

/* ---- The commit ------------------------------------------------------------------------------ */

/* Proposals in the staged epoch, all by value. */
static sotto_error list_proposals(struct external *x)
{
    sotto_mls_staged *staged = x->staged;
    const struct proposal proposals[] = {
        {.type = PROPOSAL_REMOVE, .u.removed = x->remove_prior},
        {.type = PROPOSAL_EXTERNAL_INIT, .u.kem_output = sotto_buf_view(&x->kem_output)},
    };
    struct proposal_or_ref entries[2];
    struct commit made = {.proposals = entries};
    for (size_t i = x->remove_prior == UINT32_MAX ? 1 : 0; i < 2; i++)
        entries[made.proposal_count++] = (struct proposal_or_ref){.proposal = proposals[i]};
    struct writer w;
    writer_init(&w, &staged->bytes);
    commit_write(&w, &made);
    TRY(mls_check(x->mls, writer_finish(&w), "Commit"));
    struct reader r;
    reader_init(&r, sotto_buf_view(&staged->bytes));
    struct commit decoded;
    commit_read(&r, &staged->decoded, &decoded);
    if (reader_finish(&r, "Commit") != SOTTO_OK)
        return mls_fail_at(x->mls, r.fault);
    struct proposal_list *list = &staged->list;
    list->items = arena_array(&staged->arena, 2, sizeof *list->items);
    if (list->items == NULL)
        return mls_fail(x->mls, SOTTO_NO_MEMORY, "Commit");
    for (; list->count < decoded.proposal_count; list->count++)
        list->items[list->count] = (struct listed){
            .proposal = &decoded.proposals[list->count].proposal,
            .sender = {SENDER_NEW_MEMBER_COMMIT, 0},
        };
    return SOTTO_OK;
}

static sotto_error make_path(struct external *x)
{
    sotto_mls_group *group = x->group;
    sotto_mls *mls = x->mls;
    sotto_mls_staged *staged = x->staged;
    struct leaf_index own;
    TRY(mls_check(mls, tree_stage_claim(&staged->stage, &own), "tree"));
    staged->committer = own.value;
    treekem_private_init(&staged->private_state, own);
    struct leaf_node content;
    identity_leaf(group->identity, (sotto_bytes){0}, LEAF_SOURCE_COMMIT, &content);
    TRY(mls_check(mls,
                  treekem_path_create(&staged->stage, own, &content,
                                      secret_view(&group->identity->signature_private),
                                      epoch_group_id(group->epoch), &staged->private_state,
                                      &x->path),
                  "UpdatePath"));
    sotto_buf context;
    sotto_buf_init(&context, mls->env);
    sotto_error error =
        staged_context(staged, group->epoch->fields.confirmed_transcript_hash, &context);
    if (error == SOTTO_OK)
        error = mls_check(mls,
                          treekem_path_encrypt(&staged->stage, &x->path, sotto_buf_view(&context),
                                               &x->update_path),
                          "UpdatePath");
    sotto_buf_free(&context);
    return error;
}

static sotto_error write_body(struct external *x)
{
    /* staged->bytes is the Commit without a path: the same with one. */
    sotto_bytes without = sotto_buf_view(&x->staged->bytes);
    struct writer w;
    writer_init(&w, &x->body);
    writer_fixed(&w, sotto_bytes_of(without.data, without.size - 1));
    writer_present(&w, true);
    writer_fixed(&w, sotto_buf_view(&x->update_path));
    return mls_check(x->mls, writer_finish(&w), "Commit");
}

static sotto_error sign_and_enter(struct external *x)
{
    sotto_mls_group *group = x->group;
    struct sending *sending = &x->sending;
    sending_address(sending, group, CONTENT_COMMIT, SOTTO_MLS_PUBLIC, (sotto_bytes){0});
    sending->message.content.sender = (struct sender){SENDER_NEW_MEMBER_COMMIT, 0};
    TRY(sending_sign(sending, group, sotto_buf_view(&x->body)));
    struct secret psk_secret;
    key_schedule_zero(group->suite, &psk_secret);
    const struct staged_secrets given = {
        .framed = authenticated_framed(&sending->message),
        .signature = sending->message.auth.signature,
        .init_secret = secret_view(&x->init_secret),
        .commit_secret = secret_view(&x->path.commit_secret),
        .psk_secret = secret_view(&psk_secret),
    };
    TRY(staged_enter(x->staged, &given, NULL, NULL));
    sending->message.auth.confirmation_tag = hash_view(&x->staged->next->confirmation_tag);
    return SOTTO_OK;
}

static sotto_error external_join(struct external *x, sotto_bytes group_info, sotto_bytes tree,
                                 sotto_buf *commit)
{
    sotto_mls_group *group = x->group;
    TRY(decode_info(x, group_info));
    TRY(join_take_tree(group, &x->info, tree));
    TRY(join_check_tree(group, &x->info));
    TRY(old_epoch(x));
    TRY(make_init_secret(x));
    TRY(join_ask_members(group, x->remove_prior));
    TRY(staged_new(group, &x->staged));
    TRY(list_proposals(x));
    TRY(proposal_list_check(group, &x->staged->list, EXTERNAL_COMMITTER, false));
    TRY(proposal_list_apply(group, &x->staged->list, &x->staged->stage));
    TRY(make_path(x));
    TRY(proposal_list_check_tree(group, &x->staged->list, &x->staged->stage));
    TRY(write_body(x));
    TRY(sign_and_enter(x));
    TRY(staged_prepare(x->staged));
    TRY(sending_protect(&x->sending, group, 0, commit));
    sotto_mls_staged_apply(group, x->staged);
    x->staged = NULL;
    return SOTTO_OK;
}

sotto_error sotto_mls_external_join(sotto_mls *mls, const sotto_mls_identity *identity,
                                    sotto_bytes group_info, sotto_bytes tree, uint32_t remove_prior,
                                    sotto_buf *commit, sotto_mls_group **group)
{
    mls_begin(mls);
    struct external x = {.mls = mls, .remove_prior = remove_prior};
    TRY(group_new(mls, identity, &x.group));
    arena_init(&x.arena, mls->env);
    sotto_buf_init(&x.kem_output, mls->env);
    sotto_buf_init(&x.update_path, mls->env);
    sotto_buf_init(&x.body, mls->env);
    sending_init(&x.sending, mls->env);
    sotto_error error = external_join(&x, group_info, tree, commit);
    sotto_mls_staged_drop(x.staged);
    if (error == SOTTO_OK)
        *group = x.group;
    else
        sotto_mls_group_free(x.group);
    sending_free(&x.sending);
    treekem_path_wipe(&x.path);
    arena_free(&x.arena);
    sotto_buf_free(&x.kem_output);
    sotto_buf_free(&x.update_path);
    sotto_buf_free(&x.body);
    secret_wipe(&x.init_secret);
    return error;
}
