/* Making a commit (RFC 9420, 12.4.1) and the Welcome for those it adds (12.4.3.1):
 *
 *   proposals by value and chosen pending ones -> judged -> applied to a stage
 *   -> path: fresh keys, tree hash, path secrets encrypted -> Commit signed with the old epoch's
 *   context -> transcript -> key schedule -> confirmation tag -> message protected by the old epoch
 *   -> GroupInfo of the new epoch, encrypted for all; joiner and path secret for each new member
 */
#include "mls/group.h"

struct committing {
    sotto_mls_group *group;
    const sotto_mls_commit_options *options;
    sotto_mls_staged *staged;
    struct sending sending;
    bool has_path;
    struct treekem_path path;
    sotto_buf update_path, body;
    struct secret psk_secret, joiner, member;
};

/* ---- The list of proposals ------------------------------------------------------------------- */

/* Proposals by value live in the staged epoch, in the form of a Commit without a path. */
static sotto_error encode_by_value(struct committing *c)
{
    sotto_mls *mls = c->group->mls;
    struct writer w;
    writer_init(&w, &c->staged->bytes);
    size_t list = writer_open(&w);
    sotto_error error = SOTTO_OK;
    for (size_t i = 0; i < c->options->proposal_count && error == SOTTO_OK; i++) {
        writer_u8(&w, 1); /* ProposalOrRefType proposal */
        error = proposal_encode(mls, c->group->suite, &c->options->proposals[i], &w);
    }
    writer_close(&w, list);
    writer_present(&w, false);
    if (w.error == SOTTO_OK)
        w.error = error;
    return mls_check(mls, writer_finish(&w), "proposals");
}

static sotto_error list_by_value(struct committing *c)
{
    sotto_mls *mls = c->group->mls;
    sotto_mls_staged *staged = c->staged;
    struct proposal_list *list = &staged->list;
    size_t room = c->options->proposal_count + c->group->pending.count;
    if (c->options->proposal_count > LIMIT_PROPOSALS)
        return mls_fail(mls, SOTTO_LIMIT, "proposals");
    if (room == 0)
        return SOTTO_OK;
    TRY(encode_by_value(c));
    struct reader r;
    reader_init(&r, sotto_buf_view(&staged->bytes));
    struct commit decoded;
    commit_read(&r, &staged->decoded, &decoded);
    if (reader_finish(&r, "proposals") != SOTTO_OK)
        return mls_fail_at(mls, r.fault);
    list->items = arena_array(&staged->arena, room, sizeof *list->items);
    if (list->items == NULL)
        return mls_fail(mls, SOTTO_NO_MEMORY, "proposals");
    for (; list->count < decoded.proposal_count; list->count++)
        list->items[list->count] = (struct listed){
            .proposal = &decoded.proposals[list->count].proposal,
            .sender = {SENDER_MEMBER, c->group->private_state.own.value},
        };
    return SOTTO_OK;
}

/* ---- The path -------------------------------------------------------------------------------- */

static const struct identity *who(const struct committing *c)
{
    return c->staged->identity != NULL ? c->staged->identity : c->group->identity;
}

static sotto_error renew_identity(struct committing *c)
{
    sotto_mls *mls = c->group->mls;
    const sotto_mls_identity *given = c->options->identity;
    if (given == NULL)
        return SOTTO_OK;
    if (given->suite != c->group->suite->id)
        return mls_fail(mls, SOTTO_ARGUMENT, "identity.suite");
    struct identity *copy = mem_alloc(mls->env, sizeof *copy);
    if (copy == NULL)
        return mls_fail(mls, SOTTO_NO_MEMORY, "identity");
    sotto_error error = identity_copy(mls, given, copy);
    if (error == SOTTO_OK)
        c->staged->identity = copy;
    else
        mem_free(mls->env, copy, sizeof *copy);
    return error;
}

static sotto_error make_path(struct committing *c)
{
    sotto_mls_group *group = c->group;
    sotto_mls *mls = group->mls;
    sotto_mls_staged *staged = c->staged;
    struct leaf_node content;
    identity_leaf(who(c), (sotto_bytes){0}, LEAF_SOURCE_COMMIT, &content);
    TRY(mls_check(mls,
                  treekem_path_create(&staged->stage, group->private_state.own, &content,
                                      secret_view(&who(c)->signature_private),
                                      epoch_group_id(group->epoch), &staged->private_state,
                                      &c->path),
                  "UpdatePath"));
    sotto_buf context;
    sotto_buf_init(&context, mls->env);
    sotto_error error =
        staged_context(staged, group->epoch->fields.confirmed_transcript_hash, &context);
    if (error == SOTTO_OK)
        error = mls_check(mls,
                          treekem_path_encrypt(&staged->stage, &c->path, sotto_buf_view(&context),
                                               &c->update_path),
                          "UpdatePath");
    sotto_buf_free(&context);
    return error;
}

/* ---- The Commit ------------------------------------------------------------------------------ */

sotto_error commit_body_make(sotto_mls *mls, const struct proposal_list *list,
                             sotto_bytes update_path, sotto_buf *body)
{
    struct writer w;
    writer_init(&w, body);
    size_t opened = writer_open(&w);
    for (size_t i = 0; i < list->count; i++) {
        const struct listed *item = &list->items[i];
        writer_u8(&w, item->pending == NULL ? 1 : 2);
        if (item->pending == NULL)
            proposal_write(&w, item->proposal);
        else
            writer_vector(&w, hash_view(&item->pending->reference));
    }
    writer_close(&w, opened);
    writer_present(&w, update_path.size > 0);
    writer_fixed(&w, update_path);
    return mls_check(mls, writer_finish(&w), "Commit");
}

static sotto_error build(struct committing *c)
{
    sotto_mls_group *group = c->group;
    sotto_mls_staged *staged = c->staged;
    const uint32_t own = group->private_state.own.value;
    staged->own = true;
    staged->committer = own;
    TRY(renew_identity(c));
    TRY(list_by_value(c));
    if (!c->options->ignore_pending)
        TRY(proposal_list_choose(group, &staged->list));
    TRY(proposal_list_check(group, &staged->list, own, group_is_initial(group)));
    TRY(proposal_list_apply(group, &staged->list, &staged->stage));
    treekem_private_prune(&staged->private_state, &staged->stage);
    c->has_path = !c->options->no_path || staged->list.count == 0 || staged->list.path_required ||
                  staged->identity != NULL;
    if (c->has_path)
        TRY(make_path(c));
    else
        key_schedule_zero(group->suite, &c->path.commit_secret);
    TRY(proposal_list_check_tree(group, &staged->list, &staged->stage));
    TRY(proposal_list_psks(group, &staged->list, &c->psk_secret));
    TRY(commit_body_make(group->mls, &staged->list, sotto_buf_view(&c->update_path), &c->body));
    return staged_keep_reinit(staged);
}

static sotto_error sign_and_enter(struct committing *c)
{
    sotto_mls_group *group = c->group;
    struct sending *sending = &c->sending;
    sending_address(sending, group, CONTENT_COMMIT, c->options->framing, c->options->authenticated);
    TRY(sending_sign(sending, group, sotto_buf_view(&c->body)));
    const struct staged_secrets given = {
        .framed = authenticated_framed(&sending->message),
        .signature = sending->message.auth.signature,
        .init_secret = secret_view(&group->epoch->secrets.init),
        .commit_secret = secret_view(&c->path.commit_secret),
        .psk_secret = secret_view(&c->psk_secret),
    };
    TRY(staged_enter(c->staged, &given, &c->joiner, &c->member));
    sending->message.auth.confirmation_tag = hash_view(&c->staged->next->confirmation_tag);
    return SOTTO_OK;
}

/* ---- The Welcome ----------------------------------------------------------------------------- */

/* GroupInfo of the new epoch, encrypted for whoever learns the joiner_secret. */
static sotto_error seal_group_info(struct committing *c, sotto_buf *sealed)
{
    sotto_mls *mls = c->group->mls;
    const struct suite *suite = c->group->suite;
    struct secret key = {0}, nonce = {0};
    sotto_buf tree;
    sotto_buf_init(&tree, mls->env);
    sotto_error error = SOTTO_OK;
    if (!c->options->no_tree)
        error = tree_stage_export(&c->staged->stage, &tree);
    if (error == SOTTO_OK)
        error = group_info_make(mls, who(c), c->staged->committer, c->staged->next,
                                sotto_buf_view(&tree), (sotto_bytes){0}, sealed);
    sotto_buf_free(&tree);
    uint8_t *tag;
    size_t size = sealed->size;
    if (error == SOTTO_OK)
        error = sotto_buf_extend(sealed, AEAD_TAG, &tag);
    if (error == SOTTO_OK)
        error = key_schedule_welcome(mls->crypto, suite, secret_view(&c->member), &key, &nonce);
    if (error == SOTTO_OK)
        error = crypto_seal(mls->crypto, suite, secret_view(&key), secret_view(&nonce),
                            (sotto_bytes){0}, sotto_bytes_of(sealed->data, size), sealed->data);
    secret_wipe(&key);
    secret_wipe(&nonce);
    return mls_check(mls, error, "GroupInfo");
}

/* GroupSecrets for one new member. */
static sotto_error write_group_secrets(struct committing *c, const struct listed *add,
                                       struct psk_id *psks, sotto_buf *out)
{
    const struct proposal_list *list = &c->staged->list;
    struct group_secrets secrets = {
        .joiner_secret = secret_view(&c->joiner),
        .psks = psks,
        .psk_count = list->psk_count,
    };
    for (size_t i = 0; i < list->psk_count; i++)
        psks[i] = list->items[list->first_psk + i].proposal->u.psk;
    if (c->has_path) {
        secrets.has_path_secret = true;
        secrets.path_secret = secret_view(treekem_path_secret_for(&c->path, add->leaf));
    }
    struct writer w;
    writer_init(&w, out);
    group_secrets_write(&w, &secrets);
    return writer_finish(&w);
}

/* EncryptedGroupSecrets, appended. */
static sotto_error seal_for(struct committing *c, const struct listed *add,
                            const struct encrypt_context *context, struct writer *writer)
{
    sotto_mls *mls = c->group->mls;
    const struct suite *suite = c->group->suite;
    const struct key_package *package = add->proposal->u.add;
    struct psk_id psks[LIMIT_PSKS];
    sotto_buf plain, enc, sealed;
    sotto_buf_init(&plain, mls->env);
    sotto_buf_init(&enc, mls->env);
    sotto_buf_init(&sealed, mls->env);
    struct hash reference = {.size = suite->nh};
    sotto_error error = key_package_ref(mls->crypto, suite, package, reference.data);
    if (error == SOTTO_OK)
        error = write_group_secrets(c, add, psks, &plain);
    if (error == SOTTO_OK)
        error = crypto_encrypt_in_context(mls->crypto, suite, package->init_key, context,
                                          sotto_buf_view(&plain), &enc, &sealed);
    if (error == SOTTO_OK) {
        writer_vector(writer, hash_view(&reference));
        writer_vector(writer, sotto_buf_view(&enc));
        writer_vector(writer, sotto_buf_view(&sealed));
    }
    sotto_buf_free(&plain);
    sotto_buf_free(&enc);
    sotto_buf_free(&sealed);
    return error;
}

static sotto_error make_welcome(struct committing *c, sotto_buf *welcome)
{
    const struct proposal_list *list = &c->staged->list;
    sotto_mls *mls = c->group->mls;
    if (list->add_count == 0)
        return SOTTO_OK;
    sotto_buf group_info;
    sotto_buf_init(&group_info, mls->env);
    sotto_error error = seal_group_info(c, &group_info);
    struct encrypt_context context;
    if (error == SOTTO_OK)
        error = crypto_encrypt_context(c->group->mls->crypto, c->group->suite, "Welcome",
                                       sotto_buf_view(&group_info), &context);
    struct writer w;
    writer_init(&w, welcome);
    mls_message_header_write(&w, WIRE_WELCOME);
    writer_u16(&w, c->group->suite->id);
    size_t opened = writer_open(&w);
    for (size_t i = 0; i < list->add_count && error == SOTTO_OK; i++)
        error = seal_for(c, &list->items[list->first_add + i], &context, &w);
    writer_close(&w, opened);
    writer_vector(&w, sotto_buf_view(&group_info));
    sotto_buf_free(&group_info);
    if (w.error == SOTTO_OK)
        w.error = error;
    return mls_check(mls, writer_finish(&w), "Welcome");
}

/* ---- All together ---------------------------------------------------------------------------- */

static sotto_error make(struct committing *c, sotto_buf *commit, sotto_buf *welcome)
{
    TRY(build(c));
    TRY(sign_and_enter(c));
    TRY(make_welcome(c, welcome));
    TRY(staged_prepare(c->staged));
    return sending_protect(&c->sending, c->group, 0, commit);
}

sotto_error sotto_mls_commit(sotto_mls_group *group, const sotto_mls_commit_options *options,
                             sotto_buf *commit, sotto_buf *welcome, sotto_mls_staged **staged)
{
    static const sotto_mls_commit_options none;
    TRY(group_begin(group));
    sotto_mls *mls = group->mls;
    if (group->reinit != NULL)
        return mls_fail(mls, SOTTO_STATE, "the group was ended by a ReInit");
    struct committing c = {.group = group, .options = options == NULL ? &none : options};
    TRY(staged_new(group, &c.staged));
    sending_init(&c.sending, mls->env);
    sotto_buf_init(&c.update_path, mls->env);
    sotto_buf_init(&c.body, mls->env);
    size_t welcome_before = welcome->size;
    sotto_error error = make(&c, commit, welcome);
    if (error == SOTTO_OK) {
        sending_done(&c.sending, group);
        *staged = c.staged;
    } else {
        if (welcome->size > welcome_before) {
            wipe(welcome->data + welcome_before, welcome->size - welcome_before);
            welcome->size = welcome_before;
        }
        sotto_mls_staged_drop(c.staged);
    }
    sending_free(&c.sending);
    treekem_path_wipe(&c.path);
    sotto_buf_free(&c.update_path);
    sotto_buf_free(&c.body);
    secret_wipe(&c.psk_secret);
    secret_wipe(&c.joiner);
    secret_wipe(&c.member);
    return error;
}
