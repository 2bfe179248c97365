/* One epoch's state beside the ratchet tree: GroupContext, transcript, secrets, message keys. Made
 * whole before it is entered, so that entering is an exchange of pointers. */
#ifndef MLS_EPOCH_H
#define MLS_EPOCH_H

#include "mls/engine.h"
#include "mls/key_schedule.h"
#include "mls/message_protection.h"

struct epoch {
    sotto_mls *mls;
    const struct suite *suite;
    sotto_buf context;            /* GroupContext, serialised */
    struct arena arena;           /* lists of fields */
    struct group_context fields;  /* borrows from context and arena */
    struct hash interim;          /* transcript */
    struct hash confirmation_tag; /* of the commit that made the epoch */
    struct epoch_secrets secrets; /* encryption is empty: it became the secret tree */
    struct secret_tree tree;
    struct secret_tree components; /* the exporter tree, once a component's secret was taken */
};

/* Components are numbered by 16 bits: the exporter tree has a leaf for each. */
#define COMPONENT_LEAVES ((uint32_t)1 << 16)

/* A component's exported secret (extensions draft), which is consumed. REUSED: it was before. */
sotto_error epoch_take_component(struct epoch *epoch, uint16_t component, struct secret *secret);

/* An epoch with a GroupContext and nothing else yet. */
sotto_error epoch_new(sotto_mls *mls, const struct suite *suite,
                      const struct group_context *context, struct epoch **epoch);

/* The same from a GroupContext that is serialised already; a fault's offset counts from there. */
sotto_error epoch_new_decoded(sotto_mls *mls, const struct suite *suite, sotto_bytes context,
                              struct epoch **epoch);

void epoch_free(struct epoch *epoch);

/* joiner_secret and psk_secret to the epoch's secrets, the confirmation tag and the interim
 * transcript hash. member: Extract(joiner, psk), as key_schedule_member gives it. */
sotto_error epoch_enter(struct epoch *epoch, sotto_bytes member);

/* The same for an epoch_secret that was chosen (epoch 0). */
sotto_error epoch_enter_first(struct epoch *epoch, sotto_bytes epoch_secret);

/* An epoch in a record, the secret tree left out: secret bytes. */
void epoch_write(struct writer *writer, const struct epoch *epoch);
/* NULL on failure; the reader or the engine holds the fault. */
struct epoch *epoch_read(sotto_mls *mls, const struct suite *suite, struct reader *reader);

/* Makes the secret tree and wipes encryption_secret. leaf_count: the ratchet tree's width. */
sotto_error epoch_open_messages(struct epoch *epoch, uint32_t leaf_count);

struct message_keys epoch_keys(struct epoch *epoch);

static inline sotto_bytes epoch_group_id(const struct epoch *epoch)
{
    return epoch->fields.group_id;
}

#endif
