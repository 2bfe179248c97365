/* Records of a group: what writing (group_save.c) and reading (group_load.c) share.
 *
 * Every record ends in eight octets, its check: a fingerprint of kind, index and content under the
 * group's seed, which stands in the group's own record. That record holds the sum of the checks of
 * all node records too. So loading finds records that are damaged, exchanged, missing or of another
 * save without hashing the tree anew, and whoever can write the public ones alone, not knowing the
 * seed, cannot make others that fit. */
#ifndef MLS_GROUP_SAVE_H
#define MLS_GROUP_SAVE_H

#include "mls/group.h"

#define GROUP_RECORD_VERSION 3
#define RECORD_CHECK 8

uint64_t record_check(const struct fingerprint *prints, uint32_t kind, uint32_t index,
                      sotto_bytes content);

/* Cuts the check off a record; false if it is not the content's. */
bool record_open(const struct fingerprint *prints, uint32_t kind, uint32_t index,
                 sotto_bytes *record, uint64_t *check);

/* Sets the check of a node's record; 0: there is none. NO_MEMORY: nothing changed. */
sotto_error node_checks_set(const sotto_env *env, struct node_checks *checks, uint32_t index,
                            uint64_t check);
void node_checks_free(const sotto_env *env, struct node_checks *checks);

void ratchet_write(struct writer *writer, const struct suite *suite, const struct ratchet *ratchet);

/* What is in memory is what is stored. */
void group_mark_clean(sotto_mls_group *group);

/* Every record as a first save would write it, without marking anything: two dumps are equal
 * exactly if nothing in the group changed between them. For tests. */
sotto_error group_dump(sotto_mls_group *group, const sotto_mls_store *store);

#endif
