/* What a backup's records are (docs/BACKUP.md), for backup.c and restore.c. A body is in the TLS
 * presentation language; what follows a body's last known field is of a newer version. */
#ifndef CORE_BACKUP_H
#define CORE_BACKUP_H

#include "core/backup_file.h"
#include "core/internal.h"

enum backup_record {
    BACKUP_INFO = 1,    /* first, once: what this is */
    BACKUP_ACCOUNT = 2, /* second, once: whose */
    BACKUP_SETTING = 3, /* a number by its name */
    BACKUP_PEOPLE = 4,  /* own.c's records: contacts, names of devices, what one's devices share */
    BACKUP_PAST = 5,    /* own_history.c's: conversations, then messages in order */
    BACKUP_WAITING = 6, /* a text that had not left the outbox */
};

struct backup_info {
    uint64_t made_s;
    uint64_t messages;
    uint32_t conversations;
};

struct backup_account {
    struct account_id account;
    uint8_t account_key[SIGN_KEY_SIZE];
    sotto_bytes account_private; /* the seed; empty: it is not in the backup */
    sotto_bytes name, relay, manifest;
    uint64_t position; /* the highest that a message had */
};

sotto_error backup_info_write(const struct backup_info *info, sotto_buf *out);
sotto_error backup_info_read(sotto_bytes body, struct backup_info *info, sotto_fault *fault);
sotto_error backup_account_write(const struct backup_account *account, sotto_buf *out);
/* Views borrow from body. CREDENTIAL: the keys are not that account's. */
sotto_error backup_account_read(sotto_bytes body, struct backup_account *account,
                                sotto_fault *fault);

#endif
