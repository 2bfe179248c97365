/* A list of proposals judged together and applied to a stage (RFC 9420, 12.2 and 12.3), in the
 * order in which they apply:
 *
 *   GroupContextExtensions, Update, Remove (and SelfRemove), Add, PreSharedKey, ExternalInit,
 * ReInit
 *
 * Adds and PreSharedKeys keep the order of the commit among themselves. */
#ifndef MLS_PROPOSAL_LIST_H
#define MLS_PROPOSAL_LIST_H

#include "mls/pending.h"
#include "mls/tree.h"

struct listed {
    const struct proposal *proposal;
    struct sender sender;
    struct pending *pending; /* by reference, held; NULL: by value */
    struct leaf_index
        leaf; /* whom it concerns: Update, Remove, SelfRemove, and where an Add went */
};

struct proposal_list {
    struct listed *items; /* an arena's */
    size_t count;
    /* Found by judging. */
    const struct extensions *extensions; /* of the next GroupContext */
    const struct proposal *reinit, *external_init;
    size_t first_add, add_count, first_psk, psk_count;
    bool path_required;
    uint32_t removed_prior; /* external commit: the joiner's former leaf, or UINT32_MAX */
};

#define EXTERNAL_COMMITTER UINT32_MAX

/* Rules for a list as a whole. items: as in the commit; sorted here. committer: leaf index or
 * EXTERNAL_COMMITTER. initial: one's own first commit of a group at epoch 0, where reinit and
 * branch PSKs have their place. Proposals by value are judged one by one too; those by reference
 * were when they came. */
sotto_error proposal_list_check(sotto_mls_group *group, struct proposal_list *list,
                                uint32_t committer, bool initial);

/* Applies what concerns the tree. */
sotto_error proposal_list_apply(sotto_mls_group *group, struct proposal_list *list,
                                struct tree_stage *stage);

/* Finds again in a list that was judged before, and stored, what judging found. */
sotto_error proposal_list_restore(sotto_mls_group *group, struct proposal_list *list,
                                  uint32_t committer);

/* When all proposals and the path are in the stage: unique keys, capabilities (7.3, 12.2, 13.4). */
sotto_error proposal_list_check_tree(sotto_mls_group *group, const struct proposal_list *list,
                                     const struct tree_stage *stage);

/* psk_secret of the list's PreSharedKeys (8.4). */
sotto_error proposal_list_psks(sotto_mls_group *group, const struct proposal_list *list,
                               struct secret *psk_secret);

/* Of pending proposals those that one's own commit should cover beside the ones by value, which
 * stand in list already. Appends to list, whose items have room for all. */
sotto_error proposal_list_choose(sotto_mls_group *group, struct proposal_list *list);

void proposal_list_release(struct proposal_list *list);

#endif
