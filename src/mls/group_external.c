/* Joining by external commit (RFC 9420, 12.4.3.2):
 *
 *   GroupInfo, tree verified -> init_secret by HPKE export to external_pub (8.3)
 *   -> ExternalInit, PreSharedKeys, the Remove of one's former leaf, members' SelfRemoves applied
 *   -> path from the leftmost blank leaf
 *   -> Commit signed by the new leaf's key -> key schedule -> PublicMessage
 */
#include "mls/group_join.h"

struct external {
    sotto_mls *mls;
    sotto_mls_group *group;
    sotto_mls_staged *staged;
    struct arena arena;
    struct group_info info;
    const sotto_mls_external_options *options;
    sotto_buf kem_output, update_path, body;
    struct secret init_secret, psk_secret;
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

/* The by-value part in the form of a Commit without a path, which the list then borrows. */
static sotto_error encode_by_value(struct external *x, bool with_remove)
{
    const sotto_mls_external_options *options = x->options;
    const sotto_mls_proposal removal = {.type = SOTTO_MLS_REMOVE, .u.remove.index = options->prior};
    const struct proposal init = {.type = PROPOSAL_EXTERNAL_INIT,
                                  .u.kem_output = sotto_buf_view(&x->kem_output)};
    const struct suite *suite = x->group->suite;
    struct writer w;
    writer_init(&w, &x->staged->bytes);
    size_t list = writer_open(&w);
    sotto_error error = SOTTO_OK;
    if (with_remove) {
        writer_u8(&w, 1); /* ProposalOrRefType proposal */
        error = proposal_encode(x->mls, suite, &removal, &w);
    }
    for (size_t i = 0; i < options->psk_count && error == SOTTO_OK; i++) {
        if (options->psks[i].type != SOTTO_MLS_PSK)
            return mls_fail(x->mls, SOTTO_ARGUMENT, "options.psks");
        writer_u8(&w, 1);
        error = proposal_encode(x->mls, suite, &options->psks[i], &w);
    }
    writer_u8(&w, 1);
    proposal_write(&w, &init);
    writer_close(&w, list);
    writer_present(&w, false);
    if (w.error == SOTTO_OK)
        w.error = error;
    return mls_check(x->mls, writer_finish(&w), "Commit");
}

static sotto_error list_by_value(struct external *x, bool with_remove)
{
    sotto_mls_staged *staged = x->staged;
    TRY(encode_by_value(x, with_remove));
    struct reader r;
    reader_init(&r, sotto_buf_view(&staged->bytes));
    struct commit decoded;
    commit_read(&r, &staged->decoded, &decoded);
    if (reader_finish(&r, "Commit") != SOTTO_OK)
        return mls_fail_at(x->mls, r.fault);
    struct proposal_list *list = &staged->list;
    for (size_t i = 0; i < decoded.proposal_count; i++)
        list->items[list->count++] = (struct listed){
            .proposal = &decoded.proposals[i].proposal,
            .sender = {SENDER_NEW_MEMBER_COMMIT, 0},
        };
    return SOTTO_OK;
}

/* A member's SelfRemove of this epoch. */
static sotto_error check_self_remove(struct external *x, const struct mls_message *message)
{
    if (message->wire_format != WIRE_PUBLIC_MESSAGE)
        return mls_fail_at(x->mls, (sotto_fault){SOTTO_VALUE, "MLSMessage.wire_format", 2});
    const struct framed_content *content = &message->u.public_message.content;
    const struct epoch *epoch = x->group->epoch;
    if (content->content_type != CONTENT_PROPOSAL ||
        content->u.proposal.type != PROPOSAL_SELF_REMOVE || content->sender.type != SENDER_MEMBER)
        return mls_fail(x->mls, SOTTO_PROPOSAL, "options.self_removes: another message");
    if (!sotto_bytes_equal(content->group_id, epoch_group_id(epoch)) ||
        content->epoch != epoch->fields.epoch)
        return mls_fail(x->mls, SOTTO_PROPOSAL, "options.self_removes: another epoch's");
    if (tree_leaf(x->group->tree, leaf_at(content->sender.index)) == NULL)
        return mls_fail(x->mls, SOTTO_SENDER, "Sender.leaf_index");
    return SOTTO_OK;
}

/* Verified but for the membership tag (extensions draft), into the list by reference. */
static sotto_error list_self_remove(struct external *x, sotto_bytes input)
{
    sotto_mls *mls = x->mls;
    struct mls_message wire;
    sotto_fault fault;
    if (mls_message_decode(input, &x->arena, &wire, &fault) != SOTTO_OK)
        return mls_fail_at(mls, fault);
    TRY(check_self_remove(x, &wire));
    const struct sender sender = wire.u.public_message.content.sender;
    const struct message_keys keys = epoch_keys(x->group->epoch);
    const struct leaf_node *leaf = tree_leaf(x->group->tree, leaf_at(sender.index));
    const uint8_t proposal[] = {PROPOSAL_SELF_REMOVE >> 8, PROPOSAL_SELF_REMOVE & 0xff};
    struct hash reference;
    struct authenticated message;
    authenticated_init(&message, mls->env);
    sotto_error error = message_open_untagged(&keys, &wire.u.public_message, &message);
    if (error == SOTTO_OK)
        error = message_verify(&keys, &message, leaf->signature_key);
    if (error == SOTTO_OK)
        error = authenticated_reference(mls->crypto, x->group->suite, &message, &reference);
    authenticated_free(&message);
    TRY(mls_check(mls, error, "SelfRemove"));
    struct pending *pending;
    if (pending_new(mls->env, sotto_bytes_of(proposal, sizeof proposal), sender, &reference,
                    &pending, &fault) != SOTTO_OK)
        return mls_fail_at(mls, fault);
    struct proposal_list *list = &x->staged->list;
    list->items[list->count++] =
        (struct listed){.proposal = &pending->proposal, .sender = sender, .pending = pending};
    return SOTTO_OK;
}

static sotto_error list_proposals(struct external *x)
{
    const sotto_mls_external_options *options = x->options;
    struct proposal_list *list = &x->staged->list;
    if (options->self_remove_count > LIMIT_PROPOSALS - 2 - LIMIT_PSKS ||
        options->psk_count > LIMIT_PSKS)
        return mls_fail(x->mls, SOTTO_LIMIT, "options");
    list->items =
        arena_array(&x->staged->arena, 2 + options->psk_count + options->self_remove_count,
                    sizeof *list->items);
    if (list->items == NULL)
        return mls_fail(x->mls, SOTTO_NO_MEMORY, "Commit");
    /* Where the former leaf leaves by itself, a Remove is not valid beside that (extensions draft).
     */
    bool with_remove = options->removes_prior;
    for (size_t i = 0; i < options->self_remove_count; i++) {
        TRY(list_self_remove(x, options->self_removes[i]));
        with_remove &= list->items[i].sender.index != options->prior;
    }
    return list_by_value(x, with_remove);
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

static sotto_error sign_and_enter(struct external *x)
{
    sotto_mls_group *group = x->group;
    struct sending *sending = &x->sending;
    sending_address(sending, group, CONTENT_COMMIT, SOTTO_MLS_PUBLIC, x->options->authenticated);
    sending->message.content.sender = (struct sender){SENDER_NEW_MEMBER_COMMIT, 0};
    TRY(sending_sign(sending, group, sotto_buf_view(&x->body)));
    const struct staged_secrets given = {
        .framed = authenticated_framed(&sending->message),
        .signature = sending->message.auth.signature,
        .init_secret = secret_view(&x->init_secret),
        .commit_secret = secret_view(&x->path.commit_secret),
        .psk_secret = secret_view(&x->psk_secret),
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
    TRY(join_ask_members(group, x->options->removes_prior ? x->options->prior : UINT32_MAX));
    TRY(staged_new(group, &x->staged));
    TRY(list_proposals(x));
    TRY(proposal_list_check(group, &x->staged->list, EXTERNAL_COMMITTER, false));
    TRY(proposal_list_apply(group, &x->staged->list, &x->staged->stage));
    TRY(make_path(x));
    TRY(proposal_list_check_tree(group, &x->staged->list, &x->staged->stage));
    TRY(proposal_list_psks(group, &x->staged->list, &x->psk_secret));
    TRY(commit_body_make(x->mls, &x->staged->list, sotto_buf_view(&x->update_path), &x->body));
    TRY(sign_and_enter(x));
    TRY(staged_prepare(x->staged));
    TRY(sending_protect(&x->sending, group, 0, commit));
    uint32_t signer = x->info.signer;
    for (size_t i = 0; i < x->staged->list.count; i++) {
        const struct listed *item = &x->staged->list.items[i];
        uint16_t type = item->proposal->type;
        if ((type == PROPOSAL_REMOVE || type == PROPOSAL_SELF_REMOVE) && item->leaf.value == signer)
            signer = SOTTO_MLS_NO_SENDER;
    }
    sotto_mls_staged_apply(group, x->staged);
    x->staged = NULL;
    group->info_signer = signer;
    return SOTTO_OK;
}

sotto_error sotto_mls_external_join(sotto_mls *mls, const sotto_mls_identity *identity,
                                    sotto_bytes group_info, sotto_bytes tree,
                                    const sotto_mls_external_options *options, sotto_buf *commit,
                                    sotto_mls_group **group)
{
    static const sotto_mls_external_options none;
    mls_begin(mls);
    struct external x = {.mls = mls, .options = options == NULL ? &none : options};
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
    secret_wipe(&x.psk_secret);
    return error;
}
