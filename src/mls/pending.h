/* Proposals that wait for a commit (RFC 9420, 12.1), found by ProposalRef. Shared between a group
 * and staged epochs that commit them, so counted. */
#ifndef MLS_PENDING_H
#define MLS_PENDING_H

#include "mls/framing.h"
#include "mls/identity.h"
#include "mls/transcript.h"

struct pending {
    const sotto_env *env;
    unsigned references;
    uint32_t number; /* of its record in the store */
    bool dirty;
    struct hash reference; /* ProposalRef */
    struct sender sender;
    sotto_buf bytes; /* the Proposal, serialised */
    struct arena arena;
    struct proposal proposal; /* borrows from bytes and arena */
    /* An own Update: the new leaf's private key, and who one becomes. */
    bool own_update;
    struct secret leaf_private;
    struct identity *identity; /* NULL: as before */
};

/* From a serialised Proposal, which is copied. One reference. fault: where decoding failed. */
sotto_error pending_new(const sotto_env *env, sotto_bytes proposal, struct sender sender,
                        const struct hash *reference, struct pending **pending, sotto_fault *fault);
struct pending *pending_hold(struct pending *pending);
void pending_release(struct pending *pending); /* NULL allowed */

struct pending_list {
    struct pending **items;
    size_t count, capacity;
    uint32_t next_number;
};

/* Room for one more, so that pending_add cannot fail. */
sotto_error pending_reserve(struct pending_list *list, const sotto_env *env);
void pending_add(struct pending_list *list, struct pending *pending);
struct pending *pending_find(const struct pending_list *list, sotto_bytes reference);
void pending_clear(struct pending_list *list); /* keeps the block */
void pending_free(struct pending_list *list, const sotto_env *env);

#endif
