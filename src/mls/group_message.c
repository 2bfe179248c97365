/* Messages of a group: sending, and receiving up to the point where their content counts.
 *
 *   receive: MLSMessage -> group, epoch -> open (membership tag | sender data, key, AEAD)
 *            -> signature -> application data | proposal kept | commit staged
 *
 * Nothing of the group changes before the last check has passed. */
#include "mls/group.h"

/* ---- Sending --------------------------------------------------------------------------------- */

void sending_init(struct sending *sending, const sotto_env *env)
{
    *sending = (struct sending){0};
    authenticated_init(&sending->message, env);
}

void sending_free(struct sending *sending)
{
    authenticated_free(&sending->message);
    if (sending->stepped)
        secret_step_free(&sending->step);
    sending->stepped = false;
}

void sending_address(struct sending *sending, sotto_mls_group *group, enum content_type type,
                     sotto_mls_framing framing, sotto_bytes authenticated)
{
    struct authenticated *message = &sending->message;
    message->wire_format = framing == SOTTO_MLS_PUBLIC ? WIRE_PUBLIC_MESSAGE : WIRE_PRIVATE_MESSAGE;
    message->content = (struct framed_content){
        .group_id = epoch_group_id(group->epoch),
        .epoch = group->epoch->fields.epoch,
        .sender = {SENDER_MEMBER, group->private_state.own.value},
        .authenticated = authenticated,
        .content_type = (uint8_t)type,
    };
}

sotto_error sending_sign(struct sending *sending, sotto_mls_group *group, sotto_bytes body)
{
    const struct message_keys keys = epoch_keys(group->epoch);
    return mls_check(group->mls,
                     message_sign(&keys, &sending->message, body,
                                  secret_view(&group->identity->signature_private),
                                  group->identity->signature_public),
                     "FramedContent.signature");
}

sotto_error sending_protect(struct sending *sending, sotto_mls_group *group, size_t padding,
                            sotto_buf *out)
{
    const struct message_keys keys = epoch_keys(group->epoch);
    sotto_error error;
    if (sending->message.wire_format == WIRE_PUBLIC_MESSAGE) {
        error = message_protect_public(&keys, &sending->message, out);
    } else {
        error = message_protect_private(&keys, &sending->message, padding, &sending->step, out);
        sending->stepped = error == SOTTO_OK;
    }
    return mls_check(group->mls, error, "MLSMessage");
}

void sending_done(struct sending *sending, sotto_mls_group *group)
{
    if (sending->stepped)
        secret_step_commit(&sending->step, &group->mls->limits);
}

sotto_error sotto_mls_encrypt(sotto_mls_group *group, sotto_bytes data, sotto_bytes authenticated,
                              size_t padding, sotto_buf *message)
{
    TRY(group_begin(group));
    sotto_mls *mls = group->mls;
    if (group->reinit != NULL) /* 12.4.2 */
        return mls_fail(mls, SOTTO_STATE, "the group was ended by a ReInit");
    if (data.size > LIMIT_MESSAGE / 2 || padding > LIMIT_MESSAGE / 4 ||
        authenticated.size > LIMIT_MESSAGE / 4)
        return mls_fail(mls, SOTTO_LIMIT, "application_data");
    sotto_buf body;
    sotto_buf_init(&body, mls->env);
    struct writer w;
    writer_init(&w, &body);
    writer_vector(&w, data);
    struct sending sending;
    sending_init(&sending, mls->env);
    sending_address(&sending, group, CONTENT_APPLICATION, SOTTO_MLS_PRIVATE, authenticated);
    sotto_error error = mls_check(mls, writer_finish(&w), "application_data");
    if (error == SOTTO_OK)
        error = sending_sign(&sending, group, sotto_buf_view(&body));
    if (error == SOTTO_OK)
        error = sending_protect(&sending, group, padding, message);
    if (error == SOTTO_OK)
        sending_done(&sending, group);
    sending_free(&sending);
    sotto_buf_free(&body);
    return error;
}

/* ---- Receiving ------------------------------------------------------------------------------- */

struct receiving {
    sotto_mls_group *group;
    struct epoch *epoch;           /* the message's: the group's own or a past one */
    const struct past_epoch *past; /* NULL: the present one */
    struct arena arena;            /* of the outer decoding */
    sotto_buf input;               /* a PublicMessage's bytes, for what outlives the call */
    struct mls_message wire;
    struct authenticated message;
    struct secret_step step;
    bool stepped;
};

static sotto_error receive_fail(struct receiving *r, sotto_error error, const char *what)
{
    return mls_fail(r->group->mls, error, what);
}

/* A member's signature key in the message's epoch; empty: no member there. */
static sotto_bytes member_key(const struct receiving *r, uint32_t leaf)
{
    /* Between that epoch and the present one, the change next to it tells what was before. */
    const struct past_leaf *found = NULL;
    for (const struct past_epoch *past = r->past == NULL ? NULL : r->group->past; past != NULL;
         past = past->next) {
        for (size_t i = 0; i < past->leaf_count; i++)
            if (past->leaves[i].index == leaf)
                found = &past->leaves[i];
        if (past == r->past)
            break;
    }
    if (found != NULL)
        return sotto_bytes_of(found->key, found->size);
    const struct leaf_node *node = tree_leaf(r->group->tree, leaf_at(leaf));
    return node == NULL ? (sotto_bytes){0} : node->signature_key;
}

/* Group and epoch of the message; which epoch's keys it needs. */
static sotto_error find_epoch(struct receiving *r, sotto_bytes group_id, uint64_t epoch,
                              uint8_t content_type)
{
    sotto_mls_group *group = r->group;
    if (!sotto_bytes_equal(group_id, epoch_group_id(group->epoch)))
        return receive_fail(r, SOTTO_GROUP, "group_id");
    r->epoch = group->epoch;
    if (epoch == group->epoch->fields.epoch)
        return SOTTO_OK;
    /* Handshakes belong to the present epoch alone (12.1, 12.4.2). */
    if (content_type == CONTENT_APPLICATION) {
        for (r->past = group->past; r->past != NULL; r->past = r->past->next) {
            r->epoch = r->past->epoch;
            if (r->epoch->fields.epoch == epoch)
                return SOTTO_OK;
        }
    }
    return receive_fail(r, SOTTO_EPOCH, "epoch");
}

static sotto_error check_member(struct receiving *r, uint32_t leaf)
{
    if (leaf == r->group->private_state.own.value)
        return receive_fail(r, SOTTO_SENDER, "own message");
    if (member_key(r, leaf).size == 0)
        return receive_fail(r, SOTTO_SENDER, "Sender.leaf_index");
    return SOTTO_OK;
}

static sotto_error open_private(struct receiving *r)
{
    const struct private_message *message = &r->wire.u.private_message;
    TRY(find_epoch(r, message->group_id, message->epoch, message->content_type));
    const struct message_keys keys = epoch_keys(r->epoch);
    sotto_mls *mls = r->group->mls;
    struct sender_data sender;
    TRY(mls_check(mls, message_open_sender_data(&keys, message, &sender),
                  "PrivateMessage.encrypted_sender_data"));
    TRY(check_member(r, sender.leaf)); /* 6.3.2 */
    enum ratchet_type type =
        message->content_type == CONTENT_APPLICATION ? RATCHET_APPLICATION : RATCHET_HANDSHAKE;
    TRY(mls_check(
        mls,
        secret_tree_take(keys.tree, sender.leaf, type, sender.generation, &mls->limits, &r->step),
        "SenderData.generation"));
    r->stepped = true;
    sotto_fault fault = {SOTTO_OK, "PrivateMessage.ciphertext", 0};
    sotto_error error =
        message_open_private(&keys, message, &sender, &r->step.key, &r->message, &fault);
    if (error != SOTTO_OK)
        return mls_fail_at(mls, (sotto_fault){error, fault.what, fault.offset});
    return mls_check(mls, message_verify(&keys, &r->message, member_key(r, sender.leaf)),
                     "FramedContent.signature");
}

/* 6.1: whose key signs, and what such a sender may send. */
static sotto_error public_sender_key(struct receiving *r, sotto_bytes *key)
{
    const struct framed_content *content = &r->message.content;
    switch (content->sender.type) {
    case SENDER_MEMBER:
        TRY(check_member(r, content->sender.index));
        *key = member_key(r, content->sender.index);
        return SOTTO_OK;
    case SENDER_EXTERNAL:
        if (content->content_type != CONTENT_PROPOSAL)
            return receive_fail(r, SOTTO_SENDER, "Sender.sender_type");
        return external_sender_key(r->group->mls, &r->epoch->fields.extensions,
                                   content->sender.index, key);
    case SENDER_NEW_MEMBER_PROPOSAL:
        if (content->content_type != CONTENT_PROPOSAL || content->u.proposal.type != PROPOSAL_ADD)
            return receive_fail(r, SOTTO_SENDER, "Sender.sender_type");
        *key = content->u.proposal.u.add->leaf.signature_key;
        return SOTTO_OK;
    default:
        if (content->content_type != CONTENT_COMMIT || content->u.commit.path == NULL)
            return receive_fail(r, SOTTO_SENDER, "Sender.sender_type");
        *key = content->u.commit.path->leaf.signature_key;
        return SOTTO_OK;
    }
}

static sotto_error open_public(struct receiving *r)
{
    const struct public_message *message = &r->wire.u.public_message;
    if (message->content.content_type == CONTENT_APPLICATION) /* 6: never in the clear */
        return receive_fail(r, SOTTO_VALUE, "PublicMessage.content_type");
    TRY(find_epoch(r, message->content.group_id, message->content.epoch,
                   message->content.content_type));
    const struct message_keys keys = epoch_keys(r->epoch);
    r->message.content = message->content;
    sotto_bytes key = {0};
    TRY(public_sender_key(r, &key));
    TRY(mls_check(r->group->mls, message_open_public(&keys, message, &r->message),
                  "PublicMessage.membership_tag"));
    return mls_check(r->group->mls, message_verify(&keys, &r->message, key),
                     "FramedContent.signature");
}

static sotto_error open_message(struct receiving *r, sotto_bytes input)
{
    sotto_mls *mls = r->group->mls;
    sotto_fault fault;
    if (input.size >= 4 && input.data[3] == WIRE_PUBLIC_MESSAGE) {
        /* What a commit holds outlives the call in the staged epoch, so it borrows from a copy. */
        TRY(mls_check(mls, sotto_buf_append(&r->input, input.data, input.size), "MLSMessage"));
        input = sotto_buf_view(&r->input);
    }
    if (mls_message_decode(input, &r->arena, &r->wire, &fault) != SOTTO_OK)
        return mls_fail_at(mls, fault);
    if (r->wire.wire_format == WIRE_PRIVATE_MESSAGE)
        return open_private(r);
    if (r->wire.wire_format == WIRE_PUBLIC_MESSAGE)
        return open_public(r);
    return mls_fail_at(mls, (sotto_fault){SOTTO_VALUE, "MLSMessage.wire_format", 2});
}

/* ---- What the content does ------------------------------------------------------------------- */

static sotto_error take_application(struct receiving *r, sotto_mls_received *received)
{
    sotto_bytes data = r->message.content.u.application;
    TRY(mls_check(r->group->mls, sotto_buf_append(&received->data, data.data, data.size),
                  "application_data"));
    received->kind = SOTTO_MLS_RECEIVED_APPLICATION;
    return SOTTO_OK;
}

static sotto_error take_proposal(struct receiving *r, sotto_mls_received *received)
{
    sotto_mls_group *group = r->group;
    sotto_mls *mls = group->mls;
    const struct framed_content *content = &r->message.content;
    struct hash reference;
    TRY(mls_check(mls, authenticated_reference(mls->crypto, group->suite, &r->message, &reference),
                  "ProposalRef"));
    if (pending_find(&group->pending, hash_view(&reference)) != NULL)
        return mls_fail(mls, SOTTO_REUSED, "Proposal");
    if (content->u.proposal.type == PROPOSAL_SELF_REMOVE &&
        r->message.wire_format != WIRE_PUBLIC_MESSAGE) /* extensions draft */
        return mls_fail(mls, SOTTO_PROPOSAL, "SelfRemove in a PrivateMessage");
    TRY(proposal_check(group, &content->u.proposal, content->sender,
                       &group->epoch->fields.extensions));
    TRY(mls_check(mls, pending_reserve(&group->pending, mls->env), "pending proposals"));
    sotto_buf bytes;
    sotto_buf_init(&bytes, mls->env);
    struct writer w;
    writer_init(&w, &bytes);
    proposal_write(&w, &content->u.proposal);
    struct pending *pending;
    sotto_fault fault = {SOTTO_NO_MEMORY, "Proposal", 0};
    sotto_error error = writer_finish(&w);
    if (error == SOTTO_OK)
        error = pending_new(mls->env, sotto_buf_view(&bytes), content->sender, &reference, &pending,
                            &fault);
    sotto_buf_free(&bytes);
    if (error != SOTTO_OK)
        return mls_fail(mls, error, fault.what);
    pending->number = group->pending.next_number++;
    group->group_dirty = true; /* its record holds next_number */
    pending_add(&group->pending, pending);
    group->pending_dirty = true;
    received->kind = SOTTO_MLS_RECEIVED_PROPOSAL;
    proposal_view(&pending->proposal, &received->proposal);
    return SOTTO_OK;
}

/* A commit's key stays until the staged epoch is applied, which wipes the whole epoch's: whoever
 * drops the staged epoch can process the same commit again. */
static sotto_error take_commit(struct receiving *r, sotto_mls_received *received)
{
    TRY(group_process_commit(r->group, &r->message, &received->staged));
    sotto_mls_staged *staged = received->staged;
    if (r->wire.wire_format == WIRE_PUBLIC_MESSAGE) {
        staged->bytes = r->input;
        staged->decoded = r->arena;
        sotto_buf_init(&r->input, r->group->mls->env);
        arena_init(&r->arena, r->group->mls->env);
    } else {
        staged->bytes = r->message.plaintext;
        staged->decoded = r->message.arena;
        sotto_buf_init(&r->message.plaintext, r->group->mls->env);
        arena_init(&r->message.arena, r->group->mls->env);
    }
    received->kind = SOTTO_MLS_RECEIVED_COMMIT;
    return SOTTO_OK;
}

static sotto_error take_content(struct receiving *r, sotto_mls_received *received)
{
    const struct framed_content *content = &r->message.content;
    received->epoch = content->epoch;
    received->sender =
        content->sender.type == SENDER_MEMBER ? content->sender.index : SOTTO_MLS_NO_SENDER;
    TRY(mls_check(r->group->mls,
                  sotto_buf_append(&received->authenticated, content->authenticated.data,
                                   content->authenticated.size),
                  "authenticated_data"));
    switch (content->content_type) {
    case CONTENT_APPLICATION:
        return take_application(r, received);
    case CONTENT_PROPOSAL:
        return take_proposal(r, received);
    default:
        return take_commit(r, received);
    }
}

sotto_error sotto_mls_process(sotto_mls_group *group, sotto_bytes message,
                              sotto_mls_received *received)
{
    TRY(group_begin(group));
    const sotto_env *env = group->mls->env;
    struct receiving r = {.group = group};
    arena_init(&r.arena, env);
    sotto_buf_init(&r.input, env);
    authenticated_init(&r.message, env);
    sotto_mls_received made = {0};
    sotto_buf_init(&made.data, env);
    sotto_buf_init(&made.authenticated, env);

    sotto_error error = open_message(&r, message);
    if (error == SOTTO_OK)
        error = take_content(&r, &made);
    if (error == SOTTO_OK && r.stepped && made.kind != SOTTO_MLS_RECEIVED_COMMIT) {
        secret_step_commit(&r.step, &group->mls->limits);
        group->past_dirty |= r.past != NULL;
    }
    if (r.stepped)
        secret_step_free(&r.step);
    authenticated_free(&r.message);
    sotto_buf_free(&r.input);
    arena_free(&r.arena);
    if (error != SOTTO_OK) {
        sotto_mls_received_clear(&made);
        return error;
    }
    *received = made;
    return SOTTO_OK;
}

void sotto_mls_received_clear(sotto_mls_received *received)
{
    sotto_buf_free(&received->data);
    sotto_buf_free(&received->authenticated);
    sotto_mls_staged_drop(received->staged);
    *received = (sotto_mls_received){0};
}
