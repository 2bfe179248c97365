/* Proposals and commits (RFC 9420, section 12): structures, reader and writer. Decoded objects
 * borrow from the input; lists live in the arena. What the rules say about them is in
 * proposal_list.h. */
#ifndef MLS_PROPOSAL_H
#define MLS_PROPOSAL_H

#include "mls/psk.h"
#include "mls/types.h"

#define PROPOSAL_SELF_REMOVE 0x000a /* draft-ietf-mls-extensions */

struct reinit {
    sotto_bytes group_id;
    uint16_t version;
    uint16_t suite;
    struct extensions extensions;
};

struct proposal {
    uint16_t type;
    union {
        struct key_package *add;
        struct leaf_node *update;
        uint32_t removed;
        struct psk_id psk;
        struct reinit reinit;
        sotto_bytes kem_output; /* ExternalInit */
        struct extensions extensions;
        sotto_bytes other; /* types not defined here: opaque<V>, kept as it is */
    } u;
};

/* The content alone, of the type that proposal->type says. */
void proposal_body_read(struct reader *reader, struct arena *arena, struct proposal *proposal);
void proposal_body_write(struct writer *writer, const struct proposal *proposal);

void proposal_read(struct reader *reader, struct arena *arena, struct proposal *proposal);
void proposal_write(struct writer *writer, const struct proposal *proposal);

/* Whether a commit that covers it needs a path (12.4). A type unknown here does. */
bool proposal_requires_path(uint16_t type);

/* Whether an external sender may propose it (12.1.8). */
bool proposal_external_allowed(uint16_t type);

struct proposal_or_ref {
    bool by_reference;
    sotto_bytes reference;
    struct proposal proposal;
};

struct commit {
    struct proposal_or_ref *proposals;
    size_t proposal_count;
    struct update_path *path; /* NULL: none */
};

void commit_read(struct reader *reader, struct arena *arena, struct commit *commit);
void commit_write(struct writer *writer, const struct commit *commit);

#endif
