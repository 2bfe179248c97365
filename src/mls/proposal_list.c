#include "mls/proposal_list.h"

#include "mls/group.h"
#include "mls/verify_many.h"

static sotto_error refuse(sotto_mls_group *group, const char *what)
{
    return mls_fail(group->mls, SOTTO_PROPOSAL, what);
}

void proposal_list_release(struct proposal_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        pending_release(list->items[i].pending);
    list->count = 0;
}

/* ---- Order of application (12.3) ------------------------------------------------------------- */

enum { CLASSES = 8, CLASS_ADD = 3, CLASS_PSK = 4 };

static unsigned class_of(uint16_t type)
{
    switch (type) {
    case PROPOSAL_GROUP_CONTEXT_EXTENSIONS:
        return 0;
    case PROPOSAL_UPDATE:
        return 1;
    case PROPOSAL_REMOVE:
    case PROPOSAL_SELF_REMOVE:
        return 2;
    case PROPOSAL_ADD:
        return CLASS_ADD;
    case PROPOSAL_PSK:
        return CLASS_PSK;
    case PROPOSAL_EXTERNAL_INIT:
        return 5;
    case PROPOSAL_REINIT:
        return 6;
    default:
        return 7;
    }
}

/* A stable counting sort. */
static sotto_error sort(sotto_mls_group *group, struct proposal_list *list)
{
    if (list->count == 0)
        return SOTTO_OK;
    const sotto_env *env = group->mls->env;
    size_t at[CLASSES] = {0}, counts[CLASSES] = {0}, size = list->count * sizeof *list->items;
    struct listed *copy = mem_alloc(env, size);
    if (copy == NULL)
        return mls_fail(group->mls, SOTTO_NO_MEMORY, "proposals");
    for (size_t i = 0; i < list->count; i++) {
        copy[i] = list->items[i];
        counts[class_of(copy[i].proposal->type)]++;
    }
    for (unsigned c = 1; c < CLASSES; c++)
        at[c] = at[c - 1] + counts[c - 1];
    list->first_add = at[CLASS_ADD];
    list->add_count = counts[CLASS_ADD];
    list->first_psk = at[CLASS_PSK];
    list->psk_count = counts[CLASS_PSK];
    for (size_t i = 0; i < list->count; i++)
        list->items[at[class_of(copy[i].proposal->type)]++] = copy[i];
    mem_free(env, copy, size);
    return SOTTO_OK;
}

/* ---- Rules for the list (12.2) --------------------------------------------------------------- */

/* Whom an Update, Remove or SelfRemove concerns; false for other types. */
static bool concerned_leaf(const struct listed *item, uint32_t *leaf)
{
    switch (item->proposal->type) {
    case PROPOSAL_REMOVE:
        *leaf = item->proposal->u.removed;
        return true;
    case PROPOSAL_UPDATE:
    case PROPOSAL_SELF_REMOVE:
        *leaf = item->sender.index;
        return true;
    default:
        return false;
    }
}

/* 12.2: at most one Update or Remove for a leaf, none for the committer's. */
static sotto_error check_leaves(sotto_mls_group *group, struct proposal_list *list,
                                uint32_t committer)
{
    struct sparse seen;
    sparse_init(&seen, group->mls->env);
    sotto_error error = SOTTO_OK;
    for (size_t i = 0; i < list->count && error == SOTTO_OK; i++) {
        struct listed *item = &list->items[i];
        if (!concerned_leaf(item, &item->leaf.value))
            continue;
        if (item->leaf.value == committer)
            error =
                refuse(group, item->proposal->type == PROPOSAL_UPDATE ? "Update by the committer"
                                                                      : "Remove of the committer");
        else if (sparse_get(&seen, item->leaf.value) != NULL)
            error = refuse(group, "two proposals for one leaf");
        else if ((error = sparse_reserve(&seen, 1)) == SOTTO_OK)
            sparse_put(&seen, item->leaf.value, item);
    }
    sparse_free(&seen);
    return mls_check(group->mls, error, "proposals");
}

/* RFC 9420, 11.2. */
static sotto_error check_psks(sotto_mls_group *group, const struct proposal_list *list,
                              bool initial)
{
    if (list->psk_count > LIMIT_PSKS)
        return mls_fail(group->mls, SOTTO_LIMIT, "PreSharedKey");
    if (list->psk_count == 0) /* an empty list has no items to point into */
        return SOTTO_OK;
    const struct listed *psks = list->items + list->first_psk;
    for (size_t i = 0; i < list->psk_count; i++) {
        const struct psk_id *id = &psks[i].proposal->u.psk;
        /* 12.1.4: reinit and branch are for the commit that makes the new group. */
        if (id->type == PSK_RESUMPTION && id->usage != PSK_APPLICATION && !initial)
            return refuse(group, "PreSharedKey.usage");
        if (id->nonce.size != group->suite->nh)
            return refuse(group, "PreSharedKey.psk_nonce");
        for (size_t j = 0; j < i; j++) /* 12.2 */
            if (psk_id_same(id, &psks[j].proposal->u.psk))
                return refuse(group, "PreSharedKey twice");
    }
    return SOTTO_OK;
}

/* How often types occur that may occur once. */
static sotto_error check_once(sotto_mls_group *group, struct proposal_list *list)
{
    size_t contexts = 0;
    for (size_t i = 0; i < list->count; i++) {
        const struct proposal *proposal = list->items[i].proposal;
        list->path_required |= proposal_requires_path(proposal->type);
        switch (proposal->type) {
        case PROPOSAL_GROUP_CONTEXT_EXTENSIONS:
            list->extensions = &proposal->u.extensions;
            if (++contexts > 1)
                return refuse(group, "GroupContextExtensions twice");
            break;
        case PROPOSAL_REINIT:
            list->reinit = proposal;
            if (list->count > 1)
                return refuse(group, "ReInit with other proposals");
            break;
        case PROPOSAL_EXTERNAL_INIT:
            if (list->external_init != NULL)
                return refuse(group, "ExternalInit twice");
            list->external_init = proposal;
            break;
        default:
            break;
        }
    }
    return SOTTO_OK;
}

/* 12.2, the list of an external commit; and SelfRemoves (extensions draft). */
static sotto_error check_external(sotto_mls_group *group, struct proposal_list *list)
{
    if (list->external_init == NULL)
        return refuse(group, "external commit without ExternalInit");
    for (size_t i = 0; i < list->count; i++) {
        const struct listed *item = &list->items[i];
        uint16_t type = item->proposal->type;
        if (type == PROPOSAL_REMOVE) {
            if (list->removed_prior != UINT32_MAX)
                return refuse(group, "external commit with two Removes");
            list->removed_prior = item->proposal->u.removed;
        } else if (type != PROPOSAL_PSK && type != PROPOSAL_EXTERNAL_INIT &&
                   type != PROPOSAL_SELF_REMOVE) {
            return refuse(group, "external commit with another proposal");
        }
        /* 12.4.3.2: all by value; but a SelfRemove is its sender's own, and by reference. */
        if ((item->pending != NULL) != (type == PROPOSAL_SELF_REMOVE))
            return refuse(group, "external commit with a reference, or SelfRemove without");
    }
    return SOTTO_OK;
}

/* What needs no look into the single proposals (RFC 9420, 12.1.6). */
static sotto_error check_together(sotto_mls_group *group, struct proposal_list *list,
                                  uint32_t committer, bool initial)
{
    list->extensions = &group->epoch->fields.extensions;
    list->removed_prior = UINT32_MAX;
    TRY(sort(group, list));
    TRY(check_once(group, list));
    if (committer == EXTERNAL_COMMITTER)
        TRY(check_external(group, list));
    else if (list->external_init != NULL)
        return refuse(group, "ExternalInit in a member's commit");
    TRY(check_leaves(group, list, committer));
    return check_psks(group, list, initial);
}

/* Signatures of many Adds, as far as they can be verified at the same time. */
static sotto_error verify_adds(sotto_mls_group *group, const struct proposal_list *list)
{
    sotto_mls *mls = group->mls;
    if (!verify_many_helps(mls->crypto, list->count))
        return SOTTO_OK;
    size_t size = list->count * sizeof(struct to_verify), count = 0;
    struct to_verify *items = mem_alloc(mls->env, size);
    if (items == NULL)
        return mls_fail(mls, SOTTO_NO_MEMORY, "proposals");
    for (size_t i = 0; i < list->count; i++) {
        const struct listed *item = &list->items[i];
        if (item->pending != NULL || item->proposal->type != PROPOSAL_ADD)
            continue;
        items[count].package = item->proposal->u.add;
        items[count++].leaf = &item->proposal->u.add->leaf;
    }
    verify_many(mls->crypto, group->suite, (sotto_bytes){0}, items, count);
    for (size_t i = 0, at = 0; at < count; i++) {
        const struct listed *item = &list->items[i];
        if (item->pending == NULL && item->proposal->type == PROPOSAL_ADD)
            item->proposal->u.add->verified = items[at++].verified;
    }
    mem_free(mls->env, items, size);
    return SOTTO_OK;
}

sotto_error proposal_list_check(sotto_mls_group *group, struct proposal_list *list,
                                uint32_t committer, bool initial)
{
    TRY(check_together(group, list, committer, initial));
    TRY(verify_adds(group, list));
    for (size_t i = 0; i < list->count; i++) {
        const struct listed *item = &list->items[i];
        if (item->pending == NULL)
            TRY(proposal_check(group, item->proposal, item->sender, list->extensions));
    }
    return SOTTO_OK;
}

sotto_error proposal_list_restore(sotto_mls_group *group, struct proposal_list *list,
                                  uint32_t committer)
{
    return check_together(group, list, committer, true);
}

/* ---- Applying (12.3) ------------------------------------------------------------------------- */

/* 12.2: a type that is not a default one is supported by everyone who processes the commit. Asked
 * when the removed are gone and the added are not there yet (RFC 9420, 13.2). */
static sotto_error check_types_supported(sotto_mls_group *group, const struct proposal_list *list,
                                         const struct tree_stage *stage)
{
    for (size_t i = 0; i < list->count; i++) {
        uint16_t type = list->items[i].proposal->type;
        if (!proposal_is_default(type) && !(identity_supports(group->identity, type) &&
                                            tree_stage_all_support(stage, SUPPORT_PROPOSAL, type)))
            return mls_fail(group->mls, SOTTO_CAPABILITY, "Proposal.proposal_type");
    }
    return SOTTO_OK;
}

static sotto_error apply_one(struct listed *item, struct tree_stage *stage)
{
    switch (item->proposal->type) {
    case PROPOSAL_UPDATE:
        return tree_stage_update(stage, item->leaf, item->proposal->u.update);
    case PROPOSAL_REMOVE:
    case PROPOSAL_SELF_REMOVE:
        return tree_stage_remove(stage, item->leaf);
    case PROPOSAL_ADD:
        return tree_stage_add(stage, &item->proposal->u.add->leaf, &item->leaf);
    default:
        return SOTTO_OK;
    }
}

sotto_error proposal_list_apply(sotto_mls_group *group, struct proposal_list *list,
                                struct tree_stage *stage)
{
    for (size_t i = 0; i < list->count; i++) {
        if (i == list->first_add)
            TRY(check_types_supported(group, list, stage));
        sotto_error error = apply_one(&list->items[i], stage);
        if (error != SOTTO_OK)
            return mls_fail(group->mls, error == SOTTO_NOT_FOUND ? SOTTO_PROPOSAL : error,
                            "proposal for a leaf without a member");
    }
    if (list->first_add >= list->count)
        return check_types_supported(group, list, stage);
    return SOTTO_OK;
}

sotto_error proposal_list_check_tree(sotto_mls_group *group, const struct proposal_list *list,
                                     const struct tree_stage *stage)
{
    struct required_capabilities storage;
    const struct required_capabilities *required;
    TRY(required_of(group->mls, list->extensions, &storage, &required));
    sotto_fault fault = {SOTTO_OK, "tree", 0};
    sotto_error error = tree_stage_check(stage, required, &fault);
    if (error != SOTTO_OK)
        return mls_fail(group->mls, error, fault.what);
    return context_supported(group->mls, group->identity, stage, list->extensions);
}

sotto_error proposal_list_psks(sotto_mls_group *group, const struct proposal_list *list,
                               struct secret *psk_secret)
{
    struct psk_id ids[LIMIT_PSKS];
    for (size_t i = 0; i < list->psk_count; i++)
        ids[i] = list->items[list->first_psk + i].proposal->u.psk;
    return psks_resolve(group->mls, group, group->suite, ids, list->psk_count, psk_secret);
}

/* ---- Choosing among pending proposals (12.2: what the committer should prefer) --------------- */

struct choice {
    sotto_mls_group *group;
    struct proposal_list *list;
    struct sparse by_leaf; /* leaf -> struct listed, for Update and Remove */
    struct tree_stage view;
};

/* Which of the proposals for one leaf goes first. */
static int rank_of(uint16_t type)
{
    return type == PROPOSAL_SELF_REMOVE ? 2 : type == PROPOSAL_REMOVE ? 1 : 0;
}

static void choose(struct choice *c, struct pending *pending)
{
    c->list->items[c->list->count++] = (struct listed){
        .proposal = &pending->proposal,
        .sender = pending->sender,
        .pending = pending_hold(pending),
    };
}

/* A SelfRemove before a Remove (extensions draft), a Remove before an Update; of one kind the
 * newest. By value before by reference. */
static sotto_error choose_for_leaf(struct choice *c, struct pending *pending)
{
    const struct listed as_listed = {.proposal = &pending->proposal, .sender = pending->sender};
    uint32_t leaf = 0;
    concerned_leaf(&as_listed, &leaf);
    if (leaf == c->group->private_state.own.value)
        return SOTTO_OK;
    struct listed *before = sparse_get(&c->by_leaf, leaf);
    if (before == NULL) {
        TRY(sparse_reserve(&c->by_leaf, 1));
        choose(c, pending);
        sparse_put(&c->by_leaf, leaf, &c->list->items[c->list->count - 1]);
        return SOTTO_OK;
    }
    if (before->pending == NULL ||
        rank_of(before->proposal->type) > rank_of(pending->proposal.type))
        return SOTTO_OK;
    pending_release(before->pending);
    *before = as_listed;
    before->pending = pending_hold(pending);
    return SOTTO_OK;
}

/* 12.2: nobody twice, and nobody who is a member unless they are removed. */
static bool may_add(const struct choice *c, const struct leaf_node *leaf)
{
    struct node_index at;
    if (tree_stage_find_key(&c->view, KEY_SIGNATURE, leaf->signature_key, node_at(UINT32_MAX),
                            &at) == SOTTO_OK) {
        const struct listed *removal = sparse_get(&c->by_leaf, node_leaf_index(at).value);
        if (removal == NULL || rank_of(removal->proposal->type) == 0)
            return false;
    }
    if (tree_stage_find_key(&c->view, KEY_ENCRYPTION, leaf->encryption_key, node_at(UINT32_MAX),
                            &at) == SOTTO_OK)
        return false;
    for (size_t i = 0; i < c->list->count; i++) {
        const struct proposal *other = c->list->items[i].proposal;
        if (other->type == PROPOSAL_ADD &&
            (sotto_bytes_equal(other->u.add->leaf.signature_key, leaf->signature_key) ||
             sotto_bytes_equal(other->u.add->leaf.encryption_key, leaf->encryption_key)))
            return false;
    }
    return true;
}

/* Not twice, and none that is not known here. */
static sotto_error consider_psk(struct choice *c, struct pending *pending)
{
    const struct psk_id *id = &pending->proposal.u.psk;
    for (size_t i = 0; i < c->list->count; i++) {
        const struct proposal *other = c->list->items[i].proposal;
        if (other->type == PROPOSAL_PSK && psk_id_same(id, &other->u.psk))
            return SOTTO_OK;
    }
    sotto_buf key;
    sotto_buf_init(&key, c->group->mls->env);
    sotto_error error = psk_find(c->group->mls, c->group, id, &key);
    sotto_buf_free(&key);
    if (error_is_local(error))
        return error;
    mls_begin(c->group->mls);
    if (error == SOTTO_OK)
        choose(c, pending);
    return SOTTO_OK;
}

/* The newest GroupContextExtensions, unless there is one by value. */
static void choose_context(struct choice *c, struct pending *pending)
{
    for (size_t i = 0; i < c->list->count; i++) {
        struct listed *other = &c->list->items[i];
        if (other->proposal->type != PROPOSAL_GROUP_CONTEXT_EXTENSIONS)
            continue;
        if (other->pending == NULL)
            return;
        pending_release(other->pending);
        other->pending = pending_hold(pending);
        other->proposal = &pending->proposal;
        other->sender = pending->sender;
        return;
    }
    choose(c, pending);
}

static sotto_error consider(struct choice *c, struct pending *pending)
{
    const struct proposal *proposal = &pending->proposal;
    switch (proposal->type) {
    case PROPOSAL_UPDATE:
    case PROPOSAL_REMOVE:
    case PROPOSAL_SELF_REMOVE:
        return choose_for_leaf(c, pending);
    case PROPOSAL_ADD:
    case PROPOSAL_REINIT:
        return SOTTO_OK; /* after the others */
    case PROPOSAL_PSK:
        return consider_psk(c, pending);
    case PROPOSAL_GROUP_CONTEXT_EXTENSIONS:
        choose_context(c, pending);
        return SOTTO_OK;
    default:
        if (identity_supports(c->group->identity, proposal->type) &&
            tree_stage_all_support(&c->view, SUPPORT_PROPOSAL, proposal->type))
            choose(c, pending);
        return SOTTO_OK;
    }
}

/* By-value proposals for a leaf come first. */
static sotto_error note_by_value(struct choice *c)
{
    for (size_t i = 0; i < c->list->count; i++) {
        uint32_t leaf;
        if (!concerned_leaf(&c->list->items[i], &leaf) || sparse_get(&c->by_leaf, leaf) != NULL)
            continue;
        TRY(sparse_reserve(&c->by_leaf, 1));
        sparse_put(&c->by_leaf, leaf, &c->list->items[i]);
    }
    return SOTTO_OK;
}

static sotto_error choose_all(struct choice *c)
{
    const struct pending_list *pending = &c->group->pending;
    TRY(note_by_value(c));
    for (size_t i = 0; i < pending->count; i++)
        TRY(consider(c, pending->items[i]));
    for (size_t i = 0; i < pending->count; i++)
        if (pending->items[i]->proposal.type == PROPOSAL_ADD &&
            may_add(c, &pending->items[i]->proposal.u.add->leaf))
            choose(c, pending->items[i]);
    /* A ReInit stands alone: anything else goes first. */
    for (size_t i = pending->count; i > 0 && c->list->count == 0; i--)
        if (pending->items[i - 1]->proposal.type == PROPOSAL_REINIT)
            choose(c, pending->items[i - 1]);
    return SOTTO_OK;
}

/* Whether a list holds together; it is not changed. */
static sotto_error holds_together(sotto_mls_group *group, const struct proposal_list *list,
                                  struct listed *scratch)
{
    struct proposal_list copy = {.items = scratch, .count = list->count};
    for (size_t i = 0; i < list->count; i++)
        scratch[i] = list->items[i];
    struct tree_stage stage;
    tree_stage_init(&stage, group->tree);
    sotto_error error =
        check_together(group, &copy, group->private_state.own.value, group_is_initial(group));
    if (error == SOTTO_OK)
        error = proposal_list_apply(group, &copy, &stage);
    if (error == SOTTO_OK)
        error = proposal_list_check_tree(group, &copy, &stage);
    tree_stage_drop(&stage);
    return error;
}

/* Takes pending proposals one by one, each that still holds together with those before. */
static sotto_error choose_one_by_one(struct choice *c, size_t by_value, struct listed *scratch)
{
    struct proposal_list *list = c->list;
    size_t chosen = list->count;
    list->count = by_value;
    for (size_t i = by_value; i < chosen; i++) {
        struct listed candidate = list->items[i];
        list->items[list->count++] = candidate;
        sotto_error error = holds_together(c->group, list, scratch);
        if (error == SOTTO_OK)
            continue;
        list->count--;
        pending_release(candidate.pending);
        if (error_is_local(error)) {
            for (size_t j = i + 1; j < chosen; j++)
                pending_release(list->items[j].pending);
            return error;
        }
    }
    return SOTTO_OK;
}

static sotto_error leave_out_invalid(struct choice *c, size_t by_value)
{
    struct proposal_list *list = c->list;
    if (list->count == by_value)
        return SOTTO_OK;
    const sotto_env *env = c->group->mls->env;
    struct listed *scratch = mem_alloc(env, list->count * sizeof *scratch);
    if (scratch == NULL)
        return SOTTO_NO_MEMORY;
    size_t size = list->count * sizeof *scratch;
    sotto_error error = holds_together(c->group, list, scratch);
    if (error != SOTTO_OK && !error_is_local(error))
        error = choose_one_by_one(c, by_value, scratch);
    mem_free(env, scratch, size);
    if (error == SOTTO_OK)
        mls_begin(c->group->mls);
    return error;
}

/* RFC 9420, 12.4. */
sotto_error proposal_list_choose(sotto_mls_group *group, struct proposal_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i].proposal->type == PROPOSAL_REINIT)
            return SOTTO_OK;
    struct choice c = {.group = group, .list = list};
    sparse_init(&c.by_leaf, group->mls->env);
    tree_stage_init(&c.view, group->tree);
    size_t by_value = list->count;
    sotto_error error = choose_all(&c);
    if (error == SOTTO_OK)
        error = leave_out_invalid(&c, by_value);
    sparse_free(&c.by_leaf);
    return mls_check(group->mls, error, "pending proposals");
}
