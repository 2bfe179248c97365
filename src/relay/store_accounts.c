/* Accounts and their devices. The stored manifest says which devices there are. */
#include "relay/store_sql.h"

#include <string.h>

bool accounts_find(struct exec *exec, struct store_op *op, const struct account_id *id,
                   struct account_row *row)
{
    struct db *db = exec->db;
    db_query *query = db_prepare(db, "SELECT key, manifest, phone FROM accounts"
                                     " WHERE account_id=?");
    db_bind_bytes(query, 1, VIEW(*id));
    bool found = db_row(db, query);
    if (found) {
        row->key = db_int(query, 0);
        if (store_op_copy(op, db_bytes(query, 1), &row->manifest) != SOTTO_OK ||
            store_op_copy(op, db_bytes(query, 2), &row->phone) != SOTTO_OK)
            db_fail(db, SQLITE_NOMEM);
    }
    db_end(query);
    return found && db->failure == SQLITE_OK;
}

int64_t accounts_device(struct exec *exec, int64_t account, const struct device_id *id)
{
    db_query *query = db_prepare(exec->db, "SELECT key FROM devices"
                                           " WHERE account=? AND device_id=?");
    db_bind_int(query, 1, account);
    db_bind_bytes(query, 2, VIEW(*id));
    int64_t key = db_row(exec->db, query) ? db_int(query, 0) : 0;
    db_end(query);
    return key;
}

/* ---- Manifest ------------------------------------------------------------------------------- */

uint16_t accounts_check_manifest(struct exec *exec, sotto_bytes stored, sotto_bytes next)
{
    if (sotto_bytes_equal(stored, next))
        return 0; /* a retry */
    struct arena arena;
    struct manifest old, new;
    sotto_fault fault;
    arena_init(&arena, exec->env);
    sotto_error error = manifest_read(stored, &arena, &old, &fault);
    if (error == SOTTO_OK)
        error = manifest_read(next, &arena, &new, &fault);
    if (error == SOTTO_OK)
        error = manifest_follows(stored, &old, &new, &fault);
    if (error == SOTTO_NO_MEMORY)
        db_fail(exec->db, SQLITE_NOMEM);
    arena_free(&arena);
    return error == SOTTO_OK ? 0 : WIRE_CODE_BAD_MANIFEST;
}

static void forget_device(struct exec *exec, int64_t device)
{
    static const char *const statements[] = {
        "DELETE FROM key_packages WHERE device=?", "DELETE FROM taken WHERE device=?",
        "DELETE FROM envelopes WHERE device=?",    "DELETE FROM posts WHERE device=?",
        "DELETE FROM told WHERE device=?",         "DELETE FROM devices WHERE key=?",
    };
    for (size_t i = 0; i < sizeof statements / sizeof *statements; i++) {
        db_query *query = db_prepare(exec->db, statements[i]);
        db_bind_int(query, 1, device);
        db_run(exec->db, query);
    }
    exec->erased = true;
}

static bool is_listed(const struct store_device *devices, size_t count, sotto_bytes id)
{
    for (size_t i = 0; i < count; i++)
        if (sotto_bytes_equal(id, VIEW(devices[i].id)))
            return true;
    return false;
}

/* Devices of the account that the list does not hold; returns how many. */
static size_t find_gone(struct exec *exec, int64_t account, const struct store_device *devices,
                        size_t count, int64_t gone[static WIRE_DEVICES_MAX])
{
    size_t found = 0;
    db_query *query = db_prepare(exec->db, "SELECT key, device_id FROM devices WHERE account=?");
    db_bind_int(query, 1, account);
    while (found < WIRE_DEVICES_MAX && db_row(exec->db, query))
        if (!is_listed(devices, count, db_bytes(query, 1)))
            gone[found++] = db_int(query, 0);
    db_end(query);
    return found;
}

void accounts_set_manifest(struct exec *exec, int64_t account, sotto_bytes manifest,
                           const struct store_device *devices, size_t count)
{
    struct db *db = exec->db;
    int64_t gone[WIRE_DEVICES_MAX];
    size_t gone_count = find_gone(exec, account, devices, count, gone);
    for (size_t i = 0; i < gone_count; i++)
        forget_device(exec, gone[i]);
    db_query *query = db_prepare(db, "UPDATE accounts SET manifest=? WHERE key=?");
    db_bind_bytes(query, 1, manifest);
    db_bind_int(query, 2, account);
    db_run(db, query);
    for (size_t i = 0; i < count; i++) {
        query = db_prepare(db, "INSERT INTO devices(account, device_id, sign_in_hash)"
                               " VALUES(?,?,?) ON CONFLICT(account, device_id)"
                               " DO UPDATE SET sign_in_hash=excluded.sign_in_hash");
        db_bind_int(query, 1, account);
        db_bind_bytes(query, 2, VIEW(devices[i].id));
        db_bind_bytes(query, 3, sotto_bytes_of(devices[i].sign_in_hash, HASH_SIZE));
        db_run(db, query);
    }
    withdrawals_tell(exec, account);
}

/* Whether the session's device is still one of its account, and the manifest stored. */
static bool session_manifest(struct exec *exec, struct store_op *op, const struct session *session,
                             sotto_bytes *manifest)
{
    struct db *db = exec->db;
    db_query *query = db_prepare(db, "SELECT manifest FROM accounts JOIN devices"
                                     " ON devices.account=accounts.key"
                                     " WHERE accounts.key=? AND devices.key=?");
    db_bind_int(query, 1, session->account);
    db_bind_int(query, 2, session->device);
    bool found = db_row(db, query);
    if (found && store_op_copy(op, db_bytes(query, 0), manifest) != SOTTO_OK)
        db_fail(db, SQLITE_NOMEM);
    db_end(query);
    return found && db->failure == SQLITE_OK;
}

void accounts_put_manifest(struct exec *exec, struct store_op *op)
{
    const struct store_put_manifest *put = &op->put_manifest;
    sotto_bytes stored;
    if (!session_manifest(exec, op, &put->session, &stored)) {
        refuse(op, WIRE_CODE_NOT_SIGNED_IN, 0);
        return;
    }
    uint16_t code = accounts_check_manifest(exec, stored, put->manifest);
    if (code != 0) {
        refuse(op, code, 0);
        return;
    }
    accounts_set_manifest(exec, put->session.account, put->manifest, put->devices,
                          put->device_count);
}

void accounts_get_manifest(struct exec *exec, struct store_op *op)
{
    struct store_get_manifest *get = &op->get_manifest;
    struct account_row row;
    if (!accounts_find(exec, op, &get->account, &row)) {
        refuse(op, WIRE_CODE_NO_ACCOUNT, 0);
        return;
    }
    uint16_t code = permission_allow(exec, row.key, &get->permission, GRANT_LOOK);
    if (code != 0)
        refuse(op, code, 0);
    else
        get->manifest = row.manifest;
}

/* ---- Sign-in -------------------------------------------------------------------------------- */

static bool is_known(struct exec *exec, const struct account_id *id)
{
    db_query *query = db_prepare(exec->db, "SELECT 1 FROM accounts WHERE account_id=?");
    db_bind_bytes(query, 1, VIEW(*id));
    bool known = db_row(exec->db, query);
    db_end(query);
    return known;
}

void accounts_sign_in(struct exec *exec, struct store_op *op)
{
    struct store_sign_in *sign_in = &op->sign_in;
    struct db *db = exec->db;
    db_query *query = db_prepare(db, "SELECT accounts.key, devices.key, sign_in_hash FROM accounts"
                                     " JOIN devices ON devices.account=accounts.key"
                                     " WHERE account_id=? AND device_id=?");
    db_bind_bytes(query, 1, VIEW(sign_in->account));
    db_bind_bytes(query, 2, VIEW(sign_in->device));
    bool found = db_row(db, query);
    if (found) {
        sign_in->session.account = db_int(query, 0);
        sign_in->session.device = db_int(query, 1);
        db_copy(db, query, 2, sign_in->sign_in_hash, HASH_SIZE);
    }
    db_end(query);
    const sotto_bytes none = sotto_bytes_of(NULL, 0);
    if (found)
        sign_in->withdrawn = withdrawals_left(exec, op, none, none, sign_in->session.account);
    else if (is_known(exec, &sign_in->account) || !withdrawals_refuse_unknown(exec, op))
        refuse(op, WIRE_CODE_SIGN_IN_FAILED, 0);
}

void accounts_set_seen(struct exec *exec, int64_t account, const char *address)
{
    if (address[0] == '\0')
        return;
    db_query *query = db_prepare(exec->db, "UPDATE accounts SET last_ip=?, last_ip_time=?"
                                           " WHERE key=?");
    db_bind_text(query, 1, sotto_bytes_str(address));
    db_bind_u64(query, 2, exec->now);
    db_bind_int(query, 3, account);
    db_run(exec->db, query);
}

void accounts_seen(struct exec *exec, struct store_op *op)
{
    accounts_set_seen(exec, op->seen.session.account, op->seen.address);
}

/* ---- Deletion ------------------------------------------------------------------------------- */

void accounts_erase(struct exec *exec, int64_t account)
{
    static const char *const statements[] = {
        "DELETE FROM codes WHERE phone=(SELECT phone FROM accounts WHERE key=?)",
        "DELETE FROM grants WHERE account=?",
        "DELETE FROM token_issues WHERE account=?",
        "DELETE FROM accounts WHERE key=?",
    };
    int64_t gone[WIRE_DEVICES_MAX];
    size_t count = find_gone(exec, account, NULL, 0, gone);
    for (size_t i = 0; i < count; i++) {
        forget_device(exec, gone[i]);
        inbox_tell(exec, gone[i]);
    }
    for (size_t i = 0; i < sizeof statements / sizeof *statements; i++) {
        db_query *query = db_prepare(exec->db, statements[i]);
        db_bind_int(query, 1, account);
        db_run(exec->db, query);
    }
    exec->erased = true;
}

static uint64_t waiting(struct exec *exec, int64_t account)
{
    db_query *query =
        db_prepare(exec->db, "SELECT coalesce(sum(inbox_count),0) FROM devices WHERE account=?");
    db_bind_int(query, 1, account);
    uint64_t count = db_row(exec->db, query) ? db_u64(query, 0) : 0;
    db_end(query);
    return count;
}

void accounts_delete(struct exec *exec, struct store_op *op)
{
    const struct store_delete_account *body = &op->delete_account;
    sotto_bytes manifest;
    if (!session_manifest(exec, op, &body->session, &manifest)) {
        refuse(op, WIRE_CODE_NOT_SIGNED_IN, 0);
        return;
    }
    uint64_t envelopes = body->unless_waiting ? waiting(exec, body->session.account) : 0;
    if (envelopes > 0)
        refuse(op, WIRE_CODE_INBOX_WAITS, envelopes);
    else
        accounts_erase(exec, body->session.account);
}
