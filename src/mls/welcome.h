/* What a joiner reads (RFC 9420, sections 8.1 and 12.4.3): GroupContext, GroupInfo, GroupSecrets,
 * Welcome. Reader and writer; decoded objects borrow from the input, lists live in the arena. */
#ifndef MLS_WELCOME_H
#define MLS_WELCOME_H

#include "mls/psk.h"
#include "mls/types.h"

struct group_context {
    uint16_t suite;
    sotto_bytes group_id;
    uint64_t epoch;
    sotto_bytes tree_hash;
    sotto_bytes confirmed_transcript_hash;
    struct extensions extensions;
};

void group_context_read(struct reader *reader, struct arena *arena, struct group_context *context);
void group_context_write(struct writer *writer, const struct group_context *context);

struct group_info {
    struct group_context context;
    sotto_bytes context_bytes; /* as it was read */
    struct extensions extensions;
    sotto_bytes confirmation_tag;
    uint32_t signer;
    sotto_bytes signature;
    sotto_bytes tbs; /* GroupInfoTBS as it was read */
};

void group_info_read(struct reader *reader, struct arena *arena, struct group_info *info);
/* All fields but the signature: GroupInfoTBS. */
void group_info_tbs_write(struct writer *writer, const struct group_info *info);
void group_info_write(struct writer *writer, const struct group_info *info);

struct group_secrets {
    sotto_bytes joiner_secret;
    bool has_path_secret;
    sotto_bytes path_secret;
    struct psk_id *psks;
    size_t psk_count;
};

void group_secrets_read(struct reader *reader, struct arena *arena, struct group_secrets *secrets);
void group_secrets_write(struct writer *writer, const struct group_secrets *secrets);

struct encrypted_group_secrets {
    sotto_bytes new_member; /* KeyPackageRef */
    sotto_bytes kem_output;
    sotto_bytes ciphertext;
};

struct welcome {
    uint16_t suite;
    struct encrypted_group_secrets *secrets;
    size_t secret_count;
    sotto_bytes encrypted_group_info;
};

void welcome_read(struct reader *reader, struct arena *arena, struct welcome *welcome);
void welcome_write(struct writer *writer, const struct welcome *welcome);

#endif
