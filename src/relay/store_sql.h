/* The operations of store.h in SQL, by concept. Each runs inside a transaction that its caller
 * began; a refusal has changed nothing, and a failure of the database is left in db->failure, upon
 * which the caller rolls everything back. Internal to the SQLite engine. */
#ifndef RELAY_STORE_SQL_H
#define RELAY_STORE_SQL_H

#include "relay/db.h"
#include "relay/store_engine.h"
#include "relay/tail.h"

struct exec {
    struct db *db;
    const sotto_env *env;
    uint64_t now, day; /* seconds and days since 1970 */
    struct tail *tail;
    struct notice_batch *notices; /* of writes */
    bool erased;                  /* people's rows went: what the log still holds has to go too */
    bool log_owed;                /* it holds some of an earlier commit */
};

/* schema.c. Brings the database, a new and empty one too, to this program's version, step by step,
 * each in one transaction together with the version's number: a kill leaves one version or the
 * next, and the next start goes on from there. SOTTO_VERSION: written by a newer relay, and left
 * untouched. Failures of SQLite are in db->failure. */
sotto_error schema_apply(struct db *db);
/* The same with other steps, for tests. */
sotto_error schema_upgrade(struct db *db, const char *const *all, size_t count);
/* The database's version, and the one that this program makes. */
int64_t schema_version(struct db *db);
int64_t schema_newest(void);

/* store_rooms.c */
void rooms_create(struct exec *exec, struct store_op *op);
void rooms_append(struct exec *exec, struct store_op *op);
void rooms_extend(struct exec *exec, struct store_op *op);
void rooms_open(struct exec *exec, struct store_op *op);
void rooms_fetch(struct exec *exec, struct store_op *op);
void rooms_may_write(struct exec *exec, struct store_op *op);

/* store_accounts.c */
void accounts_put_manifest(struct exec *exec, struct store_op *op);
void accounts_get_manifest(struct exec *exec, struct store_op *op);
void accounts_sign_in(struct exec *exec, struct store_op *op);
void accounts_seen(struct exec *exec, struct store_op *op);
void accounts_delete(struct exec *exec, struct store_op *op);
/* Every row of it; its connections are ended. */
void accounts_erase(struct exec *exec, int64_t account);

/* What store_registration.c needs of accounts. */
struct account_row {
    int64_t key;
    sotto_bytes manifest; /* in the operation's arena */
    sotto_bytes phone;    /* likewise; empty: none */
};
bool accounts_find(struct exec *exec, struct store_op *op, const struct account_id *id,
                   struct account_row *row);
/* 0 if next is the manifest stored or its successor, else BAD_MANIFEST. */
uint16_t accounts_check_manifest(struct exec *exec, sotto_bytes stored, sotto_bytes next);
void accounts_set_manifest(struct exec *exec, int64_t account, sotto_bytes manifest,
                           const struct store_device *devices, size_t count);
int64_t accounts_device(struct exec *exec, int64_t account, const struct device_id *id);
void accounts_set_seen(struct exec *exec, int64_t account, const char *address);

/* store_registration.c */
void registration_register(struct exec *exec, struct store_op *op);
void registration_invite(struct exec *exec, struct store_op *op);

/* store_withdrawals.c */
void withdrawals_step(struct exec *exec, struct store_op *op);
/* An account is new, or a device of it or its number: announced withdrawals are told it. */
void withdrawals_tell(struct exec *exec, int64_t account);
/* Whether the relay has left where that number or label (empty: none) is, or where the account (0:
 * none) is. Then detail and where of the operation say so. */
bool withdrawals_left(struct exec *exec, struct store_op *op, sotto_bytes phone, sotto_bytes label,
                      int64_t account);
/* Whether it has left anywhere; then the operation is refused: the account that it does not know
 * may have been there. */
bool withdrawals_refuse_unknown(struct exec *exec, struct store_op *op);

/* store_keys.c */
void keys_publish(struct exec *exec, struct store_op *op);
void keys_count(struct exec *exec, struct store_op *op);
void keys_take(struct exec *exec, struct store_op *op);

/* store_inbox.c */
void inbox_post(struct exec *exec, struct store_op *op);
void inbox_post_all(struct exec *exec, struct store_op *op);
void inbox_ack(struct exec *exec, struct store_op *op);
void inbox_fetch(struct exec *exec, struct store_op *op);
/* Puts the relay's own word into a device's inbox. False: it is full. */
bool inbox_put(struct exec *exec, int64_t device, sotto_bytes bytes);
/* The device's connections look into its inbox when this is committed. */
void inbox_tell(struct exec *exec, int64_t device);

/* store_labels.c */
void labels_get(struct exec *exec, struct store_op *op);
void labels_set_username(struct exec *exec, struct store_op *op);
void labels_set_findable(struct exec *exec, struct store_op *op);
void labels_find(struct exec *exec, struct store_op *op);

/* store_tokens.c */
void tokens_keys(struct exec *exec, struct store_op *op);
void tokens_issue_charge(struct exec *exec, struct store_op *op);

/* store_grants.c */
enum grant_use { GRANT_LOOK, GRANT_TAKE, GRANT_POST };
void grants_grant(struct exec *exec, struct store_op *op);
void grants_revoke(struct exec *exec, struct store_op *op);
/* 0 if the capability allows the use: while it is known and has uses left. */
uint16_t grants_allow(struct exec *exec, int64_t account, const struct store_permission *permission,
                      enum grant_use use);
/* Counts one use. */
void grants_spend(struct exec *exec, int64_t account, const struct store_permission *permission,
                  enum grant_use use);

bool grants_is_signed_in(struct exec *exec, const struct session *session);

/* store_tokens.c: what every operation does that takes a Permission. First whether it is a repeat,
 * which is answered as before and looks at no permission; then permission_allow; then whatever else
 * may refuse it; and where it is done, permission_spend. All is one transaction: a refused
 * operation costs nothing, and one that is done has always been paid for.
 *
 * account: the one that a capability must be of; 0 where none is taken. */
uint16_t permission_allow(struct exec *exec, int64_t account,
                          const struct store_permission *permission, enum grant_use use);
void permission_spend(struct exec *exec, int64_t account, const struct store_permission *permission,
                      enum grant_use use);

/* store_expiry.c */
void expiry_expire(struct exec *exec, struct store_op *op);
void expiry_status(struct exec *exec, struct store_op *op);

/* store_files.c */
void files_create(struct exec *exec, struct store_op *op);
void files_advance(struct exec *exec, struct store_op *op);
void files_delete(struct exec *exec, struct store_op *op);
void files_expire(struct exec *exec, struct store_op *op);
void files_find(struct exec *exec, struct store_op *op);
void files_list(struct exec *exec, struct store_op *op);

/* A notice of this commit; NULL: there is no memory, and the commit will not be. */
static inline struct notice *exec_notice(struct exec *exec)
{
    struct notice *notice = notice_batch_add(exec->notices);
    if (notice == NULL)
        db_fail(exec->db, SQLITE_NOMEM);
    return notice;
}

static inline void refuse(struct store_op *op, enum wire_code code, uint64_t detail)
{
    op->code = (uint16_t)code;
    op->detail = detail;
}

#define VIEW(id) sotto_bytes_of((id).bytes, sizeof(id).bytes)

#endif
