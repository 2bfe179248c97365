/* Proposals: making, showing, and the rules for one by itself (RFC 9420, 12.1). */
#include "mls/group.h"

/* ---- Showing --------------------------------------------------------------------------------- */

static void psk_view(const struct psk_id *id, sotto_mls_proposal *view)
{
    view->u.psk.resumption = id->type == PSK_RESUMPTION;
    view->u.psk.id = id->id;
    view->u.psk.epoch = id->epoch;
    view->u.psk.usage = id->usage;
}

void proposal_view(const struct proposal *proposal, sotto_mls_proposal *view)
{
    *view = (sotto_mls_proposal){.type = proposal->type};
    switch (proposal->type) {
    case PROPOSAL_ADD:
        view->u.add.key_package = proposal->u.add->wire;
        leaf_view(&proposal->u.add->leaf, UINT32_MAX, &view->u.add.leaf);
        break;
    case PROPOSAL_UPDATE:
        leaf_view(proposal->u.update, UINT32_MAX, &view->u.update.leaf);
        break;
    case PROPOSAL_REMOVE:
        view->u.remove.index = proposal->u.removed;
        break;
    case PROPOSAL_PSK:
        psk_view(&proposal->u.psk, view);
        break;
    case PROPOSAL_REINIT:
        view->u.reinit.group_id = proposal->u.reinit.group_id;
        view->u.reinit.suite = proposal->u.reinit.suite;
        view->u.reinit.extensions = proposal->u.reinit.extensions.items;
        view->u.reinit.extension_count = proposal->u.reinit.extensions.count;
        break;
    case PROPOSAL_GROUP_CONTEXT_EXTENSIONS:
        view->u.context.extensions = proposal->u.extensions.items;
        view->u.context.extension_count = proposal->u.extensions.count;
        break;
    case PROPOSAL_EXTERNAL_INIT:
        view->u.other = proposal->u.kem_output;
        break;
    default:
        view->u.other = proposal->u.other;
    }
}

size_t sotto_mls_pending_count(const sotto_mls_group *group)
{
    return group->pending.count;
}

sotto_error sotto_mls_pending(const sotto_mls_group *group, size_t number,
                              sotto_mls_proposal *proposal, uint32_t *sender)
{
    mls_begin(group->mls);
    if (number >= group->pending.count)
        return mls_fail(group->mls, SOTTO_NOT_FOUND, "pending proposal");
    const struct pending *pending = group->pending.items[number];
    proposal_view(&pending->proposal, proposal);
    if (sender != NULL)
        *sender =
            pending->sender.type == SENDER_MEMBER ? pending->sender.index : SOTTO_MLS_NO_SENDER;
    return SOTTO_OK;
}

void sotto_mls_pending_clear(sotto_mls_group *group)
{
    group->pending_dirty |= group->pending.count > 0;
    pending_clear(&group->pending);
}

/* ---- Rules for one (12.1, 12.2) -------------------------------------------------------------- */

static sotto_error check_sender(sotto_mls_group *group, uint16_t type, struct sender sender)
{
    bool allowed;
    switch (sender.type) {
    case SENDER_EXTERNAL: /* 12.1.8 */
        allowed = proposal_external_allowed(type);
        break;
    case SENDER_NEW_MEMBER_PROPOSAL:
        allowed = type == PROPOSAL_ADD;
        break;
    case SENDER_NEW_MEMBER_COMMIT:
        allowed = type == PROPOSAL_EXTERNAL_INIT || type == PROPOSAL_REMOVE || type == PROPOSAL_PSK;
        break;
    default:
        allowed = type != PROPOSAL_EXTERNAL_INIT;
    }
    return allowed ? SOTTO_OK : mls_fail(group->mls, SOTTO_SENDER, "Proposal.proposal_type");
}

/* RFC 9420, 12.1.1. */
static sotto_error check_add(sotto_mls_group *group, const struct key_package *package,
                             const struct extensions *context)
{
    struct required_capabilities storage;
    const struct required_capabilities *required;
    TRY(required_of(group->mls, context, &storage, &required));
    TRY(package_check(group->mls, package, group->suite, required));
    return group_ask_leaf(group, &package->leaf, UINT32_MAX, NULL);
}

static sotto_error check_update(sotto_mls_group *group, const struct leaf_node *leaf,
                                struct sender sender, const struct extensions *context)
{
    TRY(group_check_leaf(group, leaf, LEAF_SOURCE_UPDATE, sender.index, context));
    const struct leaf_node *before = tree_leaf(group->tree, leaf_at(sender.index));
    if (before == NULL)
        return mls_fail(group->mls, SOTTO_SENDER, "Update");
    if (sotto_bytes_equal(before->encryption_key, leaf->encryption_key)) /* 7.3 */
        return mls_fail(group->mls, SOTTO_PROPOSAL, "Update.leaf_node.encryption_key");
    return group_ask_leaf(group, leaf, sender.index, before);
}

sotto_error proposal_check(sotto_mls_group *group, const struct proposal *proposal,
                           struct sender sender, const struct extensions *context)
{
    TRY(check_sender(group, proposal->type, sender));
    sotto_mls *mls = group->mls;
    switch (proposal->type) {
    case PROPOSAL_ADD:
        return check_add(group, proposal->u.add, context);
    case PROPOSAL_UPDATE:
        return check_update(group, proposal->u.update, sender, context);
    case PROPOSAL_REMOVE:
        if (tree_leaf(group->tree, leaf_at(proposal->u.removed)) == NULL) /* 12.1.3 */
            return mls_fail(mls, SOTTO_PROPOSAL, "Remove.removed");
        return SOTTO_OK;
    case PROPOSAL_PSK:
        if (proposal->u.psk.nonce.size != group->suite->nh) /* 12.1.4 */
            return mls_fail(mls, SOTTO_PROPOSAL, "PreSharedKey.psk_nonce");
        return SOTTO_OK;
    case PROPOSAL_REINIT:
        if (proposal->u.reinit.version < MLS_VERSION_10) /* 12.1.5 */
            return mls_fail(mls, SOTTO_PROPOSAL, "ReInit.version");
        return SOTTO_OK;
    case PROPOSAL_GROUP_CONTEXT_EXTENSIONS:
        return context_extensions_check(mls, &proposal->u.extensions);
    default:
        return SOTTO_OK;
    }
}

/* ---- Encoding what the application asks for -------------------------------------------------- */

static sotto_error encode_add(sotto_mls *mls, const sotto_mls_proposal *from, struct writer *writer)
{
    struct arena arena;
    arena_init(&arena, mls->env);
    struct key_package package;
    sotto_fault fault;
    sotto_error error = package_decode(&arena, from->u.add.key_package, &package, &fault);
    if (error == SOTTO_OK)
        writer_fixed(writer, package.wire);
    else
        mls_fail_at(mls, fault);
    arena_free(&arena);
    return error;
}

/* RFC 9420, 8.4. */
static sotto_error encode_psk(sotto_mls *mls, const struct suite *suite,
                              const sotto_mls_proposal *from, struct writer *writer)
{
    struct secret nonce = {0}; /* 12.1.4: fresh and as long as the hash */
    TRY(mls_check(mls, secret_random(&nonce, suite->nh, mls->env), "psk_nonce"));
    bool resumption = from->u.psk.resumption;
    if (resumption && (from->u.psk.usage < PSK_APPLICATION || from->u.psk.usage > PSK_BRANCH))
        return mls_fail(mls, SOTTO_ARGUMENT, "PreSharedKey.usage");
    const struct psk_id id = {
        .type = resumption ? PSK_RESUMPTION : PSK_EXTERNAL,
        .usage = resumption ? from->u.psk.usage : 0,
        .epoch = resumption ? from->u.psk.epoch : 0,
        .id = from->u.psk.id,
        .nonce = secret_view(&nonce),
    };
    psk_id_write(writer, &id);
    return SOTTO_OK;
}

static void encode_reinit(const sotto_mls_proposal *from, struct writer *writer)
{
    const struct extensions extensions = {from->u.reinit.extensions,
                                          from->u.reinit.extension_count};
    writer_vector(writer, from->u.reinit.group_id);
    writer_u16(writer, MLS_VERSION_10);
    writer_u16(writer, from->u.reinit.suite);
    extensions_write(writer, &extensions);
}

sotto_error proposal_encode(sotto_mls *mls, const struct suite *suite,
                            const sotto_mls_proposal *from, struct writer *writer)
{
    const struct extensions context = {from->u.context.extensions, from->u.context.extension_count};
    writer_u16(writer, from->type);
    switch (from->type) {
    case PROPOSAL_ADD:
        return encode_add(mls, from, writer);
    case PROPOSAL_REMOVE:
        writer_u32(writer, from->u.remove.index);
        return SOTTO_OK;
    case PROPOSAL_PSK:
        return encode_psk(mls, suite, from, writer);
    case PROPOSAL_REINIT:
        encode_reinit(from, writer);
        return SOTTO_OK;
    case PROPOSAL_GROUP_CONTEXT_EXTENSIONS:
        extensions_write(writer, &context);
        return SOTTO_OK;
    case PROPOSAL_SELF_REMOVE:
        return SOTTO_OK;
    case 0:
    case PROPOSAL_UPDATE: /* by value it would be the committer's own (12.2) */
    case PROPOSAL_EXTERNAL_INIT:
        return mls_fail(mls, SOTTO_ARGUMENT, "proposal type");
    default:
        writer_vector(writer, from->u.other);
        return SOTTO_OK;
    }
}

/* ---- Proposing ------------------------------------------------------------------------------- */

struct proposing {
    sotto_mls_group *group;
    struct sending sending;
    sotto_buf body;
    struct pending *pending;
    /* Update */
    struct secret leaf_private;
    struct identity *identity;
};

/* 12.1.2: a fresh key for the own leaf, signed by who one is, or becomes. */
static sotto_error make_update(struct proposing *p, struct writer *writer)
{
    sotto_mls_group *group = p->group;
    sotto_mls *mls = group->mls;
    const struct identity *who = p->identity == NULL ? group->identity : p->identity;
    sotto_buf public_key, wire;
    sotto_buf_init(&public_key, mls->env);
    sotto_buf_init(&wire, mls->env);
    sotto_error error =
        crypto_kem_generate(mls->crypto, group->suite, &p->leaf_private, &public_key);
    if (error == SOTTO_OK) {
        struct leaf_node fields;
        identity_leaf(who, sotto_buf_view(&public_key), LEAF_SOURCE_UPDATE, &fields);
        error =
            leaf_node_sign(mls->crypto, group->suite, secret_view(&who->signature_private), &fields,
                           epoch_group_id(group->epoch), group->private_state.own, &wire);
    }
    if (error == SOTTO_OK)
        writer_fixed(writer, sotto_buf_view(&wire));
    sotto_buf_free(&public_key);
    sotto_buf_free(&wire);
    return mls_check(mls, error, "Update");
}

static sotto_error make_body(struct proposing *p, const sotto_mls_proposal *proposal,
                             const sotto_mls_identity *identity)
{
    sotto_mls *mls = p->group->mls;
    struct writer w;
    writer_init(&w, &p->body);
    sotto_error error;
    if (proposal->type == PROPOSAL_UPDATE) {
        if (identity != NULL) {
            if (identity->suite != p->group->suite->id)
                return mls_fail(mls, SOTTO_ARGUMENT, "identity.suite");
            struct identity *copy = mem_alloc(mls->env, sizeof *copy);
            if (copy == NULL)
                return mls_fail(mls, SOTTO_NO_MEMORY, "identity");
            error = identity_copy(mls, identity, copy);
            if (error != SOTTO_OK) {
                mem_free(mls->env, copy, sizeof *copy);
                return error;
            }
            p->identity = copy;
        }
        writer_u16(&w, PROPOSAL_UPDATE);
        error = make_update(p, &w);
    } else {
        error = proposal_encode(mls, p->group->suite, proposal, &w);
    }
    if (error != SOTTO_OK)
        w.error = error;
    return mls_check(mls, writer_finish(&w), "Proposal");
}

/* The extensions draft's: in the clear, for external joiners to see, and once an epoch. */
static sotto_error check_self_remove(sotto_mls_group *group, sotto_mls_framing framing)
{
    if (framing != SOTTO_MLS_PUBLIC)
        return mls_fail(group->mls, SOTTO_ARGUMENT, "SelfRemove: framing");
    for (size_t i = 0; i < group->pending.count; i++) {
        const struct pending *other = group->pending.items[i];
        if (other->proposal.type == PROPOSAL_SELF_REMOVE && other->sender.type == SENDER_MEMBER &&
            other->sender.index == group->private_state.own.value)
            return mls_fail(group->mls, SOTTO_EXISTS, "SelfRemove: one in this epoch");
    }
    return SOTTO_OK;
}

/* Own proposals obey the rules of others' (their leaf is one's own, so nobody is asked about it).
 */
static sotto_error check_own(struct proposing *p)
{
    const struct proposal *proposal = &p->pending->proposal;
    const struct extensions *context = &p->group->epoch->fields.extensions;
    if (proposal->type == PROPOSAL_UPDATE)
        return group_check_leaf(p->group, proposal->u.update, LEAF_SOURCE_UPDATE,
                                p->group->private_state.own.value, context);
    struct tree_stage view;
    tree_stage_init(&view, p->group->tree);
    if (!proposal_is_default(proposal->type) &&
        !(identity_supports(p->group->identity, proposal->type) &&
          tree_stage_all_support(&view, SUPPORT_PROPOSAL, proposal->type)))
        return mls_fail(p->group->mls, SOTTO_CAPABILITY, "Proposal.proposal_type");
    return proposal_check(p->group, proposal, p->pending->sender, context);
}

static sotto_error propose(struct proposing *p, const sotto_mls_proposal *proposal,
                           const sotto_mls_identity *identity, sotto_mls_framing framing,
                           sotto_buf *message)
{
    sotto_mls_group *group = p->group;
    sotto_mls *mls = group->mls;
    TRY(make_body(p, proposal, identity));
    sending_address(&p->sending, group, CONTENT_PROPOSAL, framing, (sotto_bytes){0});
    TRY(sending_sign(&p->sending, group, sotto_buf_view(&p->body)));
    struct hash reference;
    TRY(mls_check(
        mls, authenticated_reference(mls->crypto, group->suite, &p->sending.message, &reference),
        "ProposalRef"));
    sotto_fault fault;
    const struct sender own = {SENDER_MEMBER, group->private_state.own.value};
    if (pending_new(mls->env, sotto_buf_view(&p->body), own, &reference, &p->pending, &fault) !=
        SOTTO_OK)
        return mls_fail_at(mls, fault);
    TRY(check_own(p));
    TRY(mls_check(mls, pending_reserve(&group->pending, mls->env), "pending proposals"));
    return sending_protect(&p->sending, group, 0, message);
}

/* Nothing fails any more. What was proposed before in the same words has the same reference: it is
 * kept once, as receivers do. (An Update never has: its key is new.) */
static void keep(struct proposing *p)
{
    sotto_mls_group *group = p->group;
    struct pending *pending = p->pending;
    sending_done(&p->sending, group);
    if (pending_find(&group->pending, hash_view(&pending->reference)) != NULL)
        return;
    if (pending->proposal.type == PROPOSAL_UPDATE) {
        pending->own_update = true;
        pending->leaf_private = p->leaf_private;
        pending->identity = p->identity;
        p->identity = NULL;
    }
    pending->number = group->pending.next_number++;
    group->group_dirty = true; /* its record holds next_number */
    pending_add(&group->pending, pending);
    p->pending = NULL;
    group->pending_dirty = true;
}

sotto_error sotto_mls_propose(sotto_mls_group *group, const sotto_mls_proposal *proposal,
                              const sotto_mls_identity *identity, sotto_mls_framing framing,
                              sotto_buf *message)
{
    TRY(group_begin(group));
    if (group->reinit != NULL)
        return mls_fail(group->mls, SOTTO_STATE, "the group was ended by a ReInit");
    if (identity != NULL && proposal->type != PROPOSAL_UPDATE)
        return mls_fail(group->mls, SOTTO_ARGUMENT, "identity");
    if (proposal->type == PROPOSAL_SELF_REMOVE)
        TRY(check_self_remove(group, framing));
    const sotto_env *env = group->mls->env;
    struct proposing p = {.group = group};
    sending_init(&p.sending, env);
    sotto_buf_init(&p.body, env);
    sotto_error error = propose(&p, proposal, identity, framing, message);
    if (error == SOTTO_OK)
        keep(&p);
    pending_release(p.pending);
    if (p.identity != NULL) {
        identity_free(p.identity);
        mem_free(env, p.identity, sizeof *p.identity);
    }
    secret_wipe(&p.leaf_private);
    sending_free(&p.sending);
    sotto_buf_free(&p.body);
    return error;
}

/* ---- From outside (12.1.8) ------------------------------------------------------------------- */

static sotto_error propose_from_outside(sotto_mls *mls, const struct identity *identity,
                                        struct framed_content content, sotto_bytes body,
                                        sotto_buf *out)
{
    struct authenticated message;
    authenticated_init(&message, mls->env);
    message.wire_format = WIRE_PUBLIC_MESSAGE;
    message.content = content;
    /* Such a signature covers no GroupContext, and there is no membership tag (6.1, 6.2). */
    const struct message_keys keys = {.crypto = mls->crypto, .suite = identity->suite};
    sotto_error error =
        message_sign(&keys, &message, body, secret_view(&identity->signature_private),
                     identity->signature_public);
    if (error == SOTTO_OK)
        error = message_protect_public(&keys, &message, out);
    authenticated_free(&message);
    return mls_check(mls, error, "Proposal");
}

static sotto_error from_outside(sotto_mls *mls, const sotto_mls_identity *identity,
                                sotto_bytes group_id, uint64_t epoch, struct sender sender,
                                const sotto_mls_proposal *proposal, sotto_buf *message)
{
    mls_begin(mls);
    struct identity own;
    TRY(identity_copy(mls, identity, &own));
    sotto_buf body;
    sotto_buf_init(&body, mls->env);
    struct writer w;
    writer_init(&w, &body);
    sotto_error error = proposal_encode(mls, own.suite, proposal, &w);
    if (error != SOTTO_OK)
        w.error = error;
    error = mls_check(mls, writer_finish(&w), "Proposal");
    const struct framed_content content = {
        .group_id = group_id,
        .epoch = epoch,
        .sender = sender,
        .content_type = CONTENT_PROPOSAL,
    };
    if (error == SOTTO_OK)
        error = propose_from_outside(mls, &own, content, sotto_buf_view(&body), message);
    sotto_buf_free(&body);
    identity_free(&own);
    return error;
}

sotto_error sotto_mls_external_proposal(sotto_mls *mls, const sotto_mls_identity *identity,
                                        sotto_bytes group_id, uint64_t epoch, uint32_t sender_index,
                                        const sotto_mls_proposal *proposal, sotto_buf *message)
{
    const struct sender sender = {SENDER_EXTERNAL, sender_index};
    return from_outside(mls, identity, group_id, epoch, sender, proposal, message);
}

sotto_error sotto_mls_new_member_proposal(sotto_mls *mls, const sotto_mls_identity *identity,
                                          sotto_bytes group_id, uint64_t epoch,
                                          sotto_bytes key_package, sotto_buf *message)
{
    const struct sender sender = {SENDER_NEW_MEMBER_PROPOSAL, 0};
    const sotto_mls_proposal add = {.type = SOTTO_MLS_ADD, .u.add.key_package = key_package};
    return from_outside(mls, identity, group_id, epoch, sender, &add, message);
}
