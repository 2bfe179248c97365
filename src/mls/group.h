/* A group as one member sees it, and epochs staged on it. Shared by the files of the public API:
 *
 *   group.c           making, looking, exporting, GroupInfo
 *   group_message.c   application messages, receiving: opening and dispatching
 *   group_propose.c   making proposals; judging one by itself
 *   proposal_list.c   judging a list of proposals together, applying it to a stage
 *   group_commit.c    making a commit and its Welcome
 *   group_process.c   processing a commit
 *   group_join.c      joining by Welcome;  group_external.c  by external commit
 *   staged.c          looking at, applying, dropping;  staged_save.c  keeping
 *   group_save.c      keeping and loading */
#ifndef MLS_GROUP_H
#define MLS_GROUP_H

#include "mls/epoch.h"
#include "mls/pending.h"
#include "mls/proposal_list.h"
#include "mls/treekem.h"

/* Tree nodes whose stored records are behind, in a chain so that applying allocates nothing. */
struct change_block {
    struct change_block *next;
    size_t count;
    uint32_t nodes[];
};

/* A leaf as it was before the next epoch; size 0: blank. */
struct past_leaf {
    uint32_t index;
    uint8_t size;
    uint8_t key[SIGNATURE_PUBLIC_MAX];
};

/* An epoch that is over, for late messages. */
struct past_epoch {
    struct past_epoch *next; /* older */
    struct epoch *epoch;     /* secrets but those for reading are wiped */
    struct past_leaf *leaves;
    size_t leaf_count;
};

enum record_kind {
    RECORD_NODE = 1, /* public */
    RECORD_GROUP = 2,
    RECORD_SECRET_NODE = 3,
    RECORD_RATCHET = 4,
    RECORD_PENDING = 5,
    RECORD_PAST = 6,
    RECORD_KEY = 7, /* public */
    RECORD_KINDS = 8,
};

/* The check of each stored node record by node index, 0 where there is none, and the sum of all. */
struct node_checks {
    uint64_t *values;
    size_t count;
    uint64_t sum;
};

struct sotto_mls_group {
    sotto_mls *mls;
    const struct suite *suite;
    struct identity *identity;
    struct tree *tree;
    struct treekem_private private_state;
    struct epoch *epoch;
    struct pending_list pending;
    struct past_epoch *past; /* newest first, at most config.past_epochs */
    struct pending *reinit;  /* the ReInit that ended the group */
    struct psk_id
        origin; /* the reinit or branch PSK that the group was joined with; type 0: none */
    sotto_buf origin_bytes; /* what origin borrows */
    bool removed;
    uint32_t info_signer; /* of the GroupInfo that one joined by, in this epoch; or NO_SENDER */
    /* What a save must write. */
    bool all_dirty;   /* nothing is stored yet */
    bool group_dirty; /* the group's record */
    bool epoch_dirty; /* the secret tree is another one */
    bool pending_dirty, past_dirty;
    struct change_block *changes;
    struct sparse stored[RECORD_KINDS]; /* which records exist, of the kinds that come and go */
    struct node_checks checks;
};

struct sotto_mls_staged {
    sotto_mls *mls;
    sotto_mls_group *group;
    struct epoch *base;
    struct tree_stage stage;
    struct treekem_private private_state;
    struct epoch *next; /* NULL if this client is removed */
    uint32_t committer;
    bool own, removes_self;
    sotto_buf bytes;      /* what the proposals by value borrow */
    struct arena decoded; /* their lists */
    struct arena arena;   /* of list */
    struct proposal_list list;
    struct identity *identity;  /* one's own, where the commit renews it */
    struct pending *own_update; /* the same for an own Update that another commits; list holds it */
    struct change_block *changes;
    struct past_epoch *past; /* what becomes of the present epoch */
    struct pending *reinit;
};

/* ---- Groups ---------------------------------------------------------------------------------- */

/* A group without tree and epoch. identity is copied. */
sotto_error group_new(sotto_mls *mls, const sotto_mls_identity *identity, sotto_mls_group **group);

/* Whether the group's next commit makes it from one member's into a group: where PSKs of usage
 * reinit and branch have their place (11.2, 11.3). */
static inline bool group_is_initial(const sotto_mls_group *group)
{
    return group->epoch->fields.epoch == 0;
}

/* Starts a public call: forgets faults; REMOVED if that is so. */
sotto_error group_begin(sotto_mls_group *group);

/* Asks the application about a leaf (5.3.1). */
sotto_error group_ask_leaf(sotto_mls_group *group, const struct leaf_node *leaf, uint32_t index,
                           const struct leaf_node *replaced);

/* The required_capabilities of a list of extensions; *required NULL if there is none. */
sotto_error required_of(sotto_mls *mls, const struct extensions *extensions,
                        struct required_capabilities *storage,
                        const struct required_capabilities **required);

/* GroupContext extensions that must parse: required_capabilities, external_senders (12.1.7). */
sotto_error context_extensions_check(sotto_mls *mls, const struct extensions *extensions);

/* An external sender's signature key (12.1.8.1), borrowed; SENDER if there is none of that index.
 */
sotto_error external_sender_key(sotto_mls *mls, const struct extensions *extensions, uint32_t index,
                                sotto_bytes *key);

/* Every member of the stage, and oneself, supports every extension of the new GroupContext (13.4);
 * and oneself what it requires (one's own GREASE counts as support with nobody, 13.5). */
sotto_error context_supported(sotto_mls *mls, const struct identity *own,
                              const struct tree_stage *stage, const struct extensions *extensions);

/* Verifies a leaf by 7.3 in this group; the credential excepted. context: whose
 * required_capabilities it must fulfil. */
sotto_error group_check_leaf(sotto_mls_group *group, const struct leaf_node *leaf,
                             enum leaf_source source, uint32_t index,
                             const struct extensions *context);

/* The PSKs of a list, in order, to psk_secret. group: whose epochs are looked at first; may be
 * NULL. */
sotto_error psks_resolve(sotto_mls *mls, const sotto_mls_group *group, const struct suite *suite,
                         const struct psk_id *ids, size_t count, struct secret *psk_secret);
/* PSK if one is not known. */
sotto_error psk_find(sotto_mls *mls, const sotto_mls_group *group, const struct psk_id *id,
                     sotto_buf *key);

/* Appends GroupInfo (no MLSMessage header) of an epoch, signed. tree: appended ratchet_tree, or
 * empty. external_pub: or empty. */
sotto_error group_info_make(sotto_mls *mls, const struct identity *identity, uint32_t signer,
                            const struct epoch *epoch, sotto_bytes tree, sotto_bytes external_pub,
                            sotto_buf *out);

/* A decoded proposal as the public API shows it; lists borrow from it. */
void proposal_view(const struct proposal *proposal, sotto_mls_proposal *view);

/* Serialises a proposal of the application's (all but Update). */
sotto_error proposal_encode(sotto_mls *mls, const struct suite *suite,
                            const sotto_mls_proposal *from, struct writer *writer);

/* 12.1 and 12.2: rules about one proposal by itself. sender may propose it; content is valid.
 * context: the GroupContext extensions that count, which the same commit may replace. */
sotto_error proposal_check(sotto_mls_group *group, const struct proposal *proposal,
                           struct sender sender, const struct extensions *context);

/* ---- Messages -------------------------------------------------------------------------------- */

/* Signs and protects content whose body is serialised; on success the key used is in step (private
 * framing), to be committed or freed. message keeps TBS for the caller. */
struct sending {
    struct authenticated message;
    struct secret_step step;
    bool stepped;
};

void sending_init(struct sending *sending, const sotto_env *env);
void sending_free(struct sending *sending);
/* Fills in the content's header for this member. */
void sending_address(struct sending *sending, sotto_mls_group *group, enum content_type type,
                     sotto_mls_framing framing, sotto_bytes authenticated);
sotto_error sending_sign(struct sending *sending, sotto_mls_group *group, sotto_bytes body);
sotto_error sending_protect(struct sending *sending, sotto_mls_group *group, size_t padding,
                            sotto_buf *out);
/* The key is used up now. */
void sending_done(struct sending *sending, sotto_mls_group *group);

/* Serialises a Commit. update_path: as serialised, or empty for none. */
sotto_error commit_body_make(sotto_mls *mls, const struct proposal_list *list,
                             sotto_bytes update_path, sotto_buf *body);

/* Processes a commit that was opened and whose signature verified. On success the staged epoch
 * borrows from what the commit was decoded from: the caller gives it bytes and decoded. */
sotto_error group_process_commit(sotto_mls_group *group, const struct authenticated *message,
                                 sotto_mls_staged **staged);

/* ---- Staged epochs --------------------------------------------------------------------------- */

sotto_error staged_new(sotto_mls_group *group, sotto_mls_staged **staged);

/* GroupContext of the epoch to come, with the stage's tree hash and the given transcript hash, into
 * a serialised form. */
sotto_error staged_context(sotto_mls_staged *staged, sotto_bytes confirmed, sotto_buf *context);

/* The rest of the key schedule, once the tree is final: framed and signature of the commit,
 * init_secret (the group's own or an external one), commit_secret, psk_secret. joiner and member
 * may be NULL where no Welcome is made. */
struct staged_secrets {
    sotto_bytes framed, signature;
    sotto_bytes init_secret, commit_secret, psk_secret;
};
sotto_error staged_enter(sotto_mls_staged *staged, const struct staged_secrets *secrets,
                         struct secret *joiner, struct secret *member);

/* Keeps the list's ReInit, if there is one, for the group to end by. */
sotto_error staged_keep_reinit(sotto_mls_staged *staged);

/* Sets aside all that apply needs. */
sotto_error staged_prepare(sotto_mls_staged *staged);

void past_free(sotto_mls *mls, struct past_epoch *past);

#endif
