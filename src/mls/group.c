/* Groups: making, freeing, looking, exporting, GroupInfo. */
#include "mls/group.h"

#include "mls/group_save.h"

/* ---- Making and freeing ---------------------------------------------------------------------- */

sotto_error group_new(sotto_mls *mls, const sotto_mls_identity *identity, sotto_mls_group **group)
{
    sotto_mls_group *made = mem_alloc(mls->env, sizeof *made);
    if (made == NULL)
        return mls_fail(mls, SOTTO_NO_MEMORY, "group");
    made->mls = mls;
    made->all_dirty = true;
    made->info_signer = SOTTO_MLS_NO_SENDER;
    sotto_buf_init(&made->origin_bytes, mls->env);
    for (size_t kind = 0; kind < RECORD_KINDS; kind++)
        sparse_init(&made->stored[kind], mls->env);
    made->identity = mem_alloc(mls->env, sizeof *made->identity);
    sotto_error error = made->identity == NULL ? mls_fail(mls, SOTTO_NO_MEMORY, "group")
                                               : identity_copy(mls, identity, made->identity);
    if (error != SOTTO_OK) {
        sotto_mls_group_free(made);
        return error;
    }
    made->suite = made->identity->suite;
    *group = made;
    return SOTTO_OK;
}

static void identity_release(const sotto_env *env, struct identity *identity)
{
    if (identity == NULL)
        return;
    identity_free(identity);
    mem_free(env, identity, sizeof *identity);
}

void past_free(sotto_mls *mls, struct past_epoch *past)
{
    while (past != NULL) {
        struct past_epoch *next = past->next;
        epoch_free(past->epoch);
        mem_free(mls->env, past->leaves, past->leaf_count * sizeof *past->leaves);
        mem_free(mls->env, past, sizeof *past);
        past = next;
    }
}

void sotto_mls_group_free(sotto_mls_group *group)
{
    if (group == NULL)
        return;
    const sotto_env *env = group->mls->env;
    identity_release(env, group->identity);
    tree_free(group->tree);
    treekem_private_wipe(&group->private_state);
    epoch_free(group->epoch);
    pending_free(&group->pending, env);
    past_free(group->mls, group->past);
    pending_release(group->reinit);
    sotto_buf_free(&group->origin_bytes);
    for (struct change_block *block = group->changes; block != NULL;) {
        struct change_block *next = block->next;
        mem_free(env, block, sizeof *block + block->count * sizeof block->nodes[0]);
        block = next;
    }
    for (size_t kind = 0; kind < RECORD_KINDS; kind++)
        sparse_free(&group->stored[kind]);
    node_checks_free(env, &group->checks);
    mem_free(env, group, sizeof *group);
}

sotto_error group_begin(sotto_mls_group *group)
{
    mls_begin(group->mls);
    return group->removed ? mls_fail(group->mls, SOTTO_REMOVED, "group") : SOTTO_OK;
}

/* The creator's leaf and its private key into the tree (section 11). */
static sotto_error plant_first_leaf(sotto_mls_group *group)
{
    sotto_mls *mls = group->mls;
    struct secret private_key = {0};
    sotto_buf public_key, wire;
    sotto_buf_init(&public_key, mls->env);
    sotto_buf_init(&wire, mls->env);
    struct arena arena;
    arena_init(&arena, mls->env);
    struct tree_stage stage;
    tree_stage_init(&stage, group->tree);
    struct leaf_node fields, leaf;
    struct leaf_index where;

    sotto_error error = crypto_kem_generate(mls->crypto, group->suite, &private_key, &public_key);
    if (error == SOTTO_OK) {
        /* As from a KeyPackage that never expires: the creator was added by nobody. */
        identity_leaf(group->identity, sotto_buf_view(&public_key), LEAF_SOURCE_KEY_PACKAGE,
                      &fields);
        error = leaf_node_sign(mls->crypto, group->suite,
                               secret_view(&group->identity->signature_private), &fields,
                               (sotto_bytes){0}, leaf_at(0), &wire);
    }
    if (error == SOTTO_OK) {
        struct reader r;
        reader_init(&r, sotto_buf_view(&wire));
        leaf_node_read(&r, &arena, &leaf);
        error = reader_finish(&r, "LeafNode");
    }
    if (error == SOTTO_OK)
        error = tree_stage_add(&stage, &leaf, &where);
    if (error == SOTTO_OK)
        error = tree_stage_prepare(&stage);
    if (error == SOTTO_OK) {
        tree_stage_apply(&stage, group->tree);
        treekem_private_init(&group->private_state, leaf_at(0));
        treekem_private_set(&group->private_state, node_at(0), &private_key);
    }
    tree_stage_drop(&stage);
    arena_free(&arena);
    sotto_buf_free(&public_key);
    sotto_buf_free(&wire);
    secret_wipe(&private_key);
    return mls_check(mls, error, "group");
}

/* Epoch 0: a random epoch_secret, an empty transcript. */
static sotto_error start_first_epoch(sotto_mls_group *group, sotto_bytes group_id,
                                     struct extensions extensions)
{
    sotto_mls *mls = group->mls;
    const struct group_context context = {
        .suite = group->suite->id,
        .group_id = group_id,
        .tree_hash = tree_hash(group->tree),
        .extensions = extensions,
    };
    TRY(epoch_new(mls, group->suite, &context, &group->epoch));
    struct secret epoch_secret = {0};
    sotto_error error = secret_random(&epoch_secret, group->suite->nh, mls->env);
    if (error == SOTTO_OK)
        error = epoch_enter_first(group->epoch, secret_view(&epoch_secret));
    secret_wipe(&epoch_secret);
    if (error == SOTTO_OK)
        error = epoch_open_messages(group->epoch, tree_leaf_count(group->tree));
    return mls_check(mls, error, "epoch 0");
}

sotto_error sotto_mls_group_create(sotto_mls *mls, const sotto_mls_identity *identity,
                                   sotto_bytes group_id,
                                   const sotto_mls_extension *context_extensions,
                                   size_t context_extension_count, sotto_mls_group **group)
{
    mls_begin(mls);
    if (group_id.size > LIMIT_GROUP_ID)
        return mls_fail(mls, SOTTO_LIMIT, "group_id");
    struct arena arena;
    arena_init(&arena, mls->env);
    struct extensions extensions;
    sotto_error error = mls_check(
        mls, extensions_copy(&arena, context_extensions, context_extension_count, &extensions),
        "GroupContext.extensions");
    if (error == SOTTO_OK)
        error = context_extensions_check(mls, &extensions);
    sotto_mls_group *made = NULL;
    if (error == SOTTO_OK)
        error = group_new(mls, identity, &made);
    if (error == SOTTO_OK) {
        BUG_UNLESS(made != NULL);
        error = mls_check(mls, tree_new(mls->crypto, made->suite, &made->tree), "tree");
    }
    if (error == SOTTO_OK)
        error = plant_first_leaf(made);
    if (error == SOTTO_OK)
        error = start_first_epoch(made, group_id, extensions);
    if (error == SOTTO_OK) {
        struct tree_stage view;
        tree_stage_init(&view, made->tree);
        error = context_supported(mls, made->identity, &view, &extensions);
    }
    arena_free(&arena);
    if (error != SOTTO_OK) {
        sotto_mls_group_free(made);
        return error;
    }
    *group = made;
    return SOTTO_OK;
}

/* ---- Rules shared by all who change a group -------------------------------------------------- */

/* RFC 9420, 5.3.1. */
sotto_error group_ask_leaf(sotto_mls_group *group, const struct leaf_node *leaf, uint32_t index,
                           const struct leaf_node *replaced)
{
    const sotto_mls_config *config = &group->mls->config;
    if (config->validate_leaf == NULL)
        return SOTTO_OK;
    sotto_mls_leaf view, before;
    leaf_view(leaf, index, &view);
    if (replaced != NULL)
        leaf_view(replaced, index, &before);
    sotto_error error =
        config->validate_leaf(config->ctx, group, &view, replaced == NULL ? NULL : &before);
    if (error != SOTTO_OK && !error_is_local(error))
        error = SOTTO_CREDENTIAL;
    return mls_check(group->mls, error, "LeafNode.credential");
}

/* RFC 9420, 11.1. */
sotto_error required_of(sotto_mls *mls, const struct extensions *extensions,
                        struct required_capabilities *storage,
                        const struct required_capabilities **required)
{
    *required = NULL;
    const sotto_mls_extension *found = extensions_find(extensions, EXTENSION_REQUIRED_CAPABILITIES);
    if (found == NULL)
        return SOTTO_OK;
    struct reader r;
    reader_init(&r, found->data);
    required_capabilities_read(&r, storage);
    if (reader_finish(&r, "required_capabilities") != SOTTO_OK)
        return mls_fail_at(mls, r.fault);
    *required = storage;
    return SOTTO_OK;
}

/* external_senders: ExternalSender external_senders<V>; the key of one, or all checked. */
static sotto_error read_external_senders(sotto_mls *mls, sotto_bytes data, uint32_t index,
                                         sotto_bytes *key)
{
    struct arena arena;
    arena_init(&arena, mls->env);
    struct reader r, list;
    reader_init(&r, data);
    reader_enter(&r, &list, LIMIT_EXTENSION, "external_senders");
    bool found = false;
    for (uint32_t i = 0; reader_more(&list); i++) {
        sotto_bytes signature_key =
            reader_vector(&list, LIMIT_PUBLIC_KEY, "ExternalSender.signature_key");
        sotto_mls_credential credential;
        credential_read(&list, &arena, &credential);
        if (i == index && reader_ok(&list)) {
            *key = signature_key;
            found = true;
        }
    }
    reader_leave(&r, &list, "external_senders");
    sotto_error error = reader_finish(&r, "external_senders");
    arena_free(&arena);
    if (error != SOTTO_OK)
        return mls_fail_at(mls, r.fault);
    return found ? SOTTO_OK : SOTTO_NOT_FOUND;
}

/* RFC 9420, 12.1.8.1. */
sotto_error external_sender_key(sotto_mls *mls, const struct extensions *extensions, uint32_t index,
                                sotto_bytes *key)
{
    const sotto_mls_extension *found = extensions_find(extensions, EXTENSION_EXTERNAL_SENDERS);
    if (found == NULL || read_external_senders(mls, found->data, index, key) != SOTTO_OK)
        return mls_fail(mls, SOTTO_SENDER, "Sender.sender_index");
    return SOTTO_OK;
}

/* RFC 9420, 12.1.7. */
sotto_error context_extensions_check(sotto_mls *mls, const struct extensions *extensions)
{
    struct required_capabilities storage;
    const struct required_capabilities *required;
    TRY(required_of(mls, extensions, &storage, &required));
    const sotto_mls_extension *senders = extensions_find(extensions, EXTENSION_EXTERNAL_SENDERS);
    if (senders != NULL) {
        sotto_bytes unused;
        sotto_error error = read_external_senders(mls, senders->data, UINT32_MAX, &unused);
        if (error != SOTTO_NOT_FOUND)
            return error;
    }
    return SOTTO_OK;
}

/* RFC 9420, 13.4. */
sotto_error context_supported(sotto_mls *mls, const struct identity *own,
                              const struct tree_stage *stage, const struct extensions *extensions)
{
    struct required_capabilities storage;
    const struct required_capabilities *required;
    for (size_t i = 0; i < extensions->count; i++) {
        uint16_t type = extensions->items[i].type;
        if (!extension_is_default(type) &&
            !(identity_supports(own, type) &&
              tree_stage_all_support(stage, SUPPORT_EXTENSION, type)))
            return mls_fail(mls, SOTTO_CAPABILITY, "GroupContext.extensions");
    }
    TRY(required_of(mls, extensions, &storage, &required));
    uint16_t grease = grease_of(own->signature_public);
    if (required != NULL &&
        (u16_list_has(required->extensions, grease) || u16_list_has(required->proposals, grease) ||
         u16_list_has(required->credentials, grease)))
        return mls_fail(mls, SOTTO_CAPABILITY, "RequiredCapabilities");
    return SOTTO_OK;
}

sotto_error group_check_leaf(sotto_mls_group *group, const struct leaf_node *leaf,
                             enum leaf_source source, uint32_t index,
                             const struct extensions *context)
{
    sotto_mls *mls = group->mls;
    struct required_capabilities storage;
    const struct required_capabilities *required;
    TRY(required_of(mls, context, &storage, &required));
    const struct leaf_rules rules = {
        .source = source,
        .group_id = epoch_group_id(group->epoch),
        .index = leaf_at(index),
        .check_lifetime = !mls->config.ignore_lifetimes,
        .now = mls->env->now(mls->env->ctx),
        .max_lifetime_s = mls->config.max_lifetime_s,
        .required = required,
    };
    sotto_fault fault = {SOTTO_OK, "LeafNode", 0};
    sotto_error error = leaf_node_check(mls->crypto, group->suite, leaf, &rules, &fault);
    return error == SOTTO_OK ? SOTTO_OK : mls_fail(mls, error, fault.what);
}

/* ---- Pre-shared keys (8.4) ------------------------------------------------------------------- */

static sotto_error own_resumption_psk(const sotto_mls_group *group, const struct psk_id *id,
                                      sotto_buf *key)
{
    if (group == NULL || group->removed || !sotto_bytes_equal(id->id, epoch_group_id(group->epoch)))
        return SOTTO_NOT_FOUND;
    const struct epoch *epoch = group->epoch;
    const struct past_epoch *past = group->past;
    while (epoch->fields.epoch != id->epoch) {
        if (past == NULL)
            return SOTTO_NOT_FOUND;
        epoch = past->epoch;
        past = past->next;
    }
    const struct secret *psk = &epoch->secrets.resumption_psk;
    if (psk->size == 0) /* an external joiner never knew it */
        return SOTTO_NOT_FOUND;
    return sotto_buf_append(key, psk->data, psk->size);
}

sotto_error psk_find(sotto_mls *mls, const sotto_mls_group *group, const struct psk_id *id,
                     sotto_buf *key)
{
    const sotto_mls_config *config = &mls->config;
    sotto_error error = SOTTO_NOT_FOUND;
    if (id->type == PSK_EXTERNAL) {
        if (config->external_psk != NULL)
            error = config->external_psk(config->ctx, id->id, key);
    } else {
        error = own_resumption_psk(group, id, key);
        if (error == SOTTO_NOT_FOUND && config->resumption_psk != NULL)
            error = config->resumption_psk(config->ctx, id->id, id->epoch, key);
    }
    if (error == SOTTO_NOT_FOUND)
        error = SOTTO_PSK;
    return mls_check(mls, error, "PreSharedKeyID");
}

sotto_error psks_resolve(sotto_mls *mls, const sotto_mls_group *group, const struct suite *suite,
                         const struct psk_id *ids, size_t count, struct secret *psk_secret)
{
    BUG_UNLESS(count <= LIMIT_PSKS);
    sotto_buf keys[LIMIT_PSKS];
    sotto_bytes views[LIMIT_PSKS] = {0};
    size_t found = 0;
    sotto_error error = SOTTO_OK;
    while (found < count && error == SOTTO_OK) {
        sotto_buf_init(&keys[found], mls->env);
        error = psk_find(mls, group, &ids[found], &keys[found]);
        views[found] = sotto_buf_view(&keys[found]);
        found++;
    }
    if (error == SOTTO_OK)
        error =
            mls_check(mls, psk_secret_compute(mls->crypto, suite, ids, views, count, psk_secret),
                      "psk_secret");
    for (size_t i = 0; i < found; i++)
        sotto_buf_free(&keys[i]);
    return error;
}

/* ---- Looking --------------------------------------------------------------------------------- */

sotto_bytes sotto_mls_group_id(const sotto_mls_group *group)
{
    return epoch_group_id(group->epoch);
}

uint64_t sotto_mls_epoch(const sotto_mls_group *group)
{
    return group->epoch->fields.epoch;
}

uint16_t sotto_mls_group_suite(const sotto_mls_group *group)
{
    return group->suite->id;
}

uint32_t sotto_mls_own_index(const sotto_mls_group *group)
{
    return group->private_state.own.value;
}

uint32_t sotto_mls_member_count(const sotto_mls_group *group)
{
    return group->removed ? 0 : tree_member_count(group->tree);
}

bool sotto_mls_next_member(const sotto_mls_group *group, uint32_t *index, sotto_mls_leaf *leaf)
{
    if (group->removed)
        return false;
    struct tree_stage view;
    tree_stage_init(&view, group->tree);
    struct leaf_index at = leaf_at(*index);
    if (!tree_stage_next_member(&view, &at))
        return false;
    leaf_view(tree_leaf(group->tree, at), at.value, leaf);
    *index = at.value + 1;
    return true;
}

sotto_error sotto_mls_member(const sotto_mls_group *group, uint32_t index, sotto_mls_leaf *leaf)
{
    mls_begin(group->mls);
    if (group->removed)
        return mls_fail(group->mls, SOTTO_REMOVED, "group");
    const struct leaf_node *found = tree_leaf(group->tree, leaf_at(index));
    if (found == NULL)
        return mls_fail(group->mls, SOTTO_NOT_FOUND, "leaf index");
    leaf_view(found, index, leaf);
    return SOTTO_OK;
}

sotto_error sotto_mls_context_extension(const sotto_mls_group *group, uint16_t type,
                                        sotto_bytes *data)
{
    mls_begin(group->mls);
    const sotto_mls_extension *found = extensions_find(&group->epoch->fields.extensions, type);
    if (found == NULL)
        return mls_fail(group->mls, SOTTO_NOT_FOUND, "GroupContext.extensions");
    *data = found->data;
    return SOTTO_OK;
}

sotto_bytes sotto_mls_epoch_authenticator(const sotto_mls_group *group)
{
    return secret_view(&group->epoch->secrets.epoch_authenticator);
}

sotto_bytes sotto_mls_confirmed_transcript_hash(const sotto_mls_group *group)
{
    return group->epoch->fields.confirmed_transcript_hash;
}

uint32_t sotto_mls_group_info_signer(const sotto_mls_group *group)
{
    return group->info_signer;
}

sotto_error sotto_mls_reinit(const sotto_mls_group *group, sotto_mls_proposal *reinit)
{
    mls_begin(group->mls);
    if (group->reinit == NULL)
        return mls_fail(group->mls, SOTTO_NOT_FOUND, "ReInit");
    proposal_view(&group->reinit->proposal, reinit);
    return SOTTO_OK;
}

sotto_error sotto_mls_origin(const sotto_mls_group *group, sotto_mls_proposal *psk)
{
    mls_begin(group->mls);
    if (group->origin.type == 0)
        return mls_fail(group->mls, SOTTO_NOT_FOUND, "PreSharedKeyID");
    const struct proposal proposal = {.type = PROPOSAL_PSK, .u.psk = group->origin};
    proposal_view(&proposal, psk);
    return SOTTO_OK;
}

static bool has_member(const sotto_mls_group *former, const sotto_mls_leaf *member,
                       bool (*same)(void *ctx, const sotto_mls_leaf *member,
                                    const sotto_mls_leaf *before),
                       void *ctx)
{
    uint32_t at = 0;
    sotto_mls_leaf before;
    while (sotto_mls_next_member(former, &at, &before))
        if (same == NULL ? credential_equal(&member->credential, &before.credential)
                         : same(ctx, member, &before))
            return true;
    return false;
}

/* 11.2: the new GroupContext is the ReInit's. */
static const char *differs_from_reinit(const sotto_mls_group *group, const sotto_mls_group *former)
{
    if (former->reinit == NULL)
        return "PreSharedKeyID.usage: no ReInit ended the former group";
    const struct reinit *reinit = &former->reinit->proposal.u.reinit;
    const struct group_context *context = &group->epoch->fields;
    if (!sotto_bytes_equal(context->group_id, reinit->group_id))
        return "GroupContext.group_id: not the ReInit's";
    if (context->suite != reinit->suite)
        return "GroupContext.cipher_suite: not the ReInit's";
    if (!extensions_equal(&context->extensions, &reinit->extensions))
        return "GroupContext.extensions: not the ReInit's";
    if (tree_member_count(group->tree) != tree_member_count(former->tree))
        return "members: not as many as before";
    return NULL;
}

sotto_error sotto_mls_check_origin(const sotto_mls_group *group, const sotto_mls_group *former,
                                   bool (*same)(void *ctx, const sotto_mls_leaf *member,
                                                const sotto_mls_leaf *before),
                                   void *ctx)
{
    sotto_mls *mls = group->mls;
    mls_begin(mls);
    const struct psk_id *origin = &group->origin;
    if (origin->type == 0)
        return mls_fail(mls, SOTTO_NOT_FOUND, "PreSharedKeyID");
    if (group->removed || former->removed)
        return mls_fail(mls, SOTTO_REMOVED, "group");
    if (group->epoch->fields.epoch != 1)
        return mls_fail(mls, SOTTO_STATE, "GroupContext.epoch");
    if (!sotto_bytes_equal(origin->id, epoch_group_id(former->epoch)))
        return mls_fail(mls, SOTTO_GROUP, "PreSharedKeyID.psk_group_id");
    if (origin->epoch != former->epoch->fields.epoch)
        return mls_fail(mls, SOTTO_EPOCH, "PreSharedKeyID.psk_epoch");
    const char *differs = NULL;
    if (origin->usage == PSK_REINIT)
        differs = differs_from_reinit(group, former);
    else if (group->suite != former->suite) /* 11.3 */
        differs = "GroupContext.cipher_suite: not the former group's";
    uint32_t at = 0;
    sotto_mls_leaf member;
    while (differs == NULL && sotto_mls_next_member(group, &at, &member))
        if (!has_member(former, &member, same, ctx))
            differs = "LeafNode.credential: no member of the former group";
    return differs == NULL ? SOTTO_OK : mls_fail(mls, SOTTO_WELCOME, differs);
}

/* ---- Exporting ------------------------------------------------------------------------------- */

sotto_error sotto_mls_export(sotto_mls_group *group, const char *label, sotto_bytes context,
                             size_t size, sotto_buf *out)
{
    TRY(group_begin(group));
    if (size > 64)
        return mls_fail(group->mls, SOTTO_ARGUMENT, "export size");
    struct secret exported = {0};
    sotto_error error = key_schedule_export(group->mls->crypto, group->suite,
                                            secret_view(&group->epoch->secrets.exporter), label,
                                            context, size, &exported);
    if (error == SOTTO_OK)
        error = sotto_buf_append(out, exported.data, exported.size);
    secret_wipe(&exported);
    return mls_check(group->mls, error, "export");
}

sotto_error sotto_mls_safe_export(sotto_mls_group *group, uint16_t component, sotto_buf *out)
{
    TRY(group_begin(group));
    TRY(mls_check(group->mls, sotto_buf_reserve(out, group->suite->nh), "export"));
    struct secret exported = {0};
    sotto_error error = epoch_take_component(group->epoch, component, &exported);
    if (error == SOTTO_OK) {
        group->group_dirty = true;
        error = sotto_buf_append(out, exported.data, exported.size); /* there is room */
    }
    secret_wipe(&exported);
    return mls_check(group->mls, error, "exported secret of the component");
}

sotto_error sotto_mls_resumption_psk(const sotto_mls_group *group, sotto_buf *psk)
{
    mls_begin(group->mls);
    if (group->removed)
        return mls_fail(group->mls, SOTTO_REMOVED, "group");
    const struct secret *secret = &group->epoch->secrets.resumption_psk;
    return mls_check(group->mls, sotto_buf_append(psk, secret->data, secret->size), "psk");
}

sotto_error sotto_mls_ratchet_tree(const sotto_mls_group *group, sotto_buf *tree)
{
    mls_begin(group->mls);
    if (group->removed)
        return mls_fail(group->mls, SOTTO_REMOVED, "group");
    return mls_check(group->mls, tree_export(group->tree, tree), "ratchet_tree");
}

/* ---- GroupInfo (12.4.3) ---------------------------------------------------------------------- */

sotto_error group_info_make(sotto_mls *mls, const struct identity *identity, uint32_t signer,
                            const struct epoch *epoch, sotto_bytes tree, sotto_bytes external_pub,
                            sotto_buf *out)
{
    sotto_mls_extension items[3] = {grease_extension(identity->signature_public)}; /* 13.5 */
    struct group_info info = {
        .context = epoch->fields,
        .extensions = {items, 1},
        .confirmation_tag = hash_view(&epoch->confirmation_tag),
        .signer = signer,
    };
    if (tree.size > 0)
        items[info.extensions.count++] =
            (sotto_mls_extension){.type = EXTENSION_RATCHET_TREE, .data = tree};
    if (external_pub.size > 0)
        items[info.extensions.count++] =
            (sotto_mls_extension){.type = EXTENSION_EXTERNAL_PUB, .data = external_pub};
    size_t start = out->size;
    struct writer w;
    writer_init(&w, out);
    group_info_tbs_write(&w, &info);
    sotto_error error = writer_finish(&w);
    sotto_buf signature;
    sotto_buf_init(&signature, mls->env);
    if (error == SOTTO_OK)
        error = crypto_sign_with_label(
            mls->crypto, epoch->suite, secret_view(&identity->signature_private),
            identity->signature_public, "GroupInfoTBS",
            sotto_bytes_of(out->data + start, out->size - start), &signature);
    if (error == SOTTO_OK) {
        writer_init(&w, out);
        writer_vector(&w, sotto_buf_view(&signature));
        error = writer_finish(&w);
    }
    if (error != SOTTO_OK)
        out->size = start;
    sotto_buf_free(&signature);
    return mls_check(mls, error, "GroupInfo");
}

/* external_pub: HPKEPublicKey of external_secret's key pair (8.3). */
static sotto_error make_external_pub(const sotto_mls_group *group, sotto_buf *extension)
{
    struct secret private_key = {0};
    sotto_buf public_key;
    sotto_buf_init(&public_key, group->mls->env);
    sotto_error error = key_schedule_external(group->mls->crypto, group->suite,
                                              secret_view(&group->epoch->secrets.external),
                                              &private_key, &public_key);
    if (error == SOTTO_OK) {
        struct writer w;
        writer_init(&w, extension);
        writer_vector(&w, sotto_buf_view(&public_key));
        error = writer_finish(&w);
    }
    secret_wipe(&private_key);
    sotto_buf_free(&public_key);
    return error;
}

sotto_error sotto_mls_group_info(sotto_mls_group *group, bool with_tree, bool external_joins,
                                 sotto_buf *group_info)
{
    TRY(group_begin(group));
    sotto_mls *mls = group->mls;
    sotto_buf tree, external_pub;
    sotto_buf_init(&tree, mls->env);
    sotto_buf_init(&external_pub, mls->env);
    size_t start = group_info->size;
    struct writer w;
    writer_init(&w, group_info);
    mls_message_header_write(&w, WIRE_GROUP_INFO);
    sotto_error error = writer_finish(&w);
    if (error == SOTTO_OK && with_tree)
        error = tree_export(group->tree, &tree);
    if (error == SOTTO_OK && external_joins)
        error = make_external_pub(group, &external_pub);
    if (error == SOTTO_OK)
        error = group_info_make(mls, group->identity, group->private_state.own.value, group->epoch,
                                sotto_buf_view(&tree), sotto_buf_view(&external_pub), group_info);
    if (error != SOTTO_OK)
        group_info->size = start;
    sotto_buf_free(&tree);
    sotto_buf_free(&external_pub);
    return mls_check(mls, error, "GroupInfo");
}
