/* KeyPackages: published by a device, each taken once, first in first out. The last resort is given
 * when there are no others, and stays. */
#include "relay/store_sql.h"

static bool find_device(struct exec *exec, const struct session *session, bool *has_last_resort)
{
    db_query *query = db_prepare(exec->db, "SELECT last_resort IS NOT NULL FROM devices"
                                           " WHERE key=? AND account=?");
    db_bind_int(query, 1, session->device);
    db_bind_int(query, 2, session->account);
    bool found = db_row(exec->db, query);
    if (found)
        *has_last_resort = db_int(query, 0) != 0;
    db_end(query);
    return found;
}

static uint32_t count_packages(struct exec *exec, int64_t device)
{
    db_query *query = db_prepare(exec->db, "SELECT count(*) FROM key_packages WHERE device=?");
    db_bind_int(query, 1, device);
    int64_t count = db_row(exec->db, query) ? db_int(query, 0) : 0;
    db_end(query);
    return (uint32_t)count;
}

void keys_count(struct exec *exec, struct store_op *op)
{
    struct store_publish *publish = &op->publish;
    if (!find_device(exec, &publish->session, &publish->has_last_resort)) {
        refuse(op, WIRE_CODE_NOT_SIGNED_IN, 0);
        return;
    }
    publish->stored = count_packages(exec, publish->session.device);
}

void keys_publish(struct exec *exec, struct store_op *op)
{
    struct store_publish *publish = &op->publish;
    struct db *db = exec->db;
    keys_count(exec, op);
    if (op->code != 0)
        return;
    if (publish->stored + publish->count > KEY_PACKAGES_MAX) {
        refuse(op, WIRE_CODE_LIMIT, KEY_PACKAGES_MAX);
        return;
    }
    for (size_t i = 0; i < publish->count; i++) {
        db_query *query = db_prepare(db, "INSERT INTO key_packages(device, bytes, day)"
                                         " VALUES(?,?,?)");
        db_bind_int(query, 1, publish->session.device);
        db_bind_bytes(query, 2, publish->key_packages[i]);
        db_bind_u64(query, 3, exec->day);
        db_run(db, query);
    }
    if (publish->last_resort.size > 0) {
        db_query *query = db_prepare(db, "UPDATE devices SET last_resort=? WHERE key=?");
        db_bind_bytes(query, 1, publish->last_resort);
        db_bind_int(query, 2, publish->session.device);
        db_run(db, query);
    }
    publish->stored += (uint32_t)publish->count;
}

/* ---- Take ----------------------------------------------------------------------------------- */

/* The first column of the row that the query stands at. */
static void answer_column(struct exec *exec, struct store_op *op, db_query *query)
{
    if (store_op_copy(op, db_bytes(query, 0), &op->take.key_package) != SOTTO_OK)
        db_fail(exec->db, SQLITE_NOMEM);
}

/* False if there is no row, or it is NULL. */
static bool answer_from(struct exec *exec, struct store_op *op, db_query *query)
{
    bool found = db_row(exec->db, query) && !db_is_null(query, 0);
    if (found)
        answer_column(exec, op, query);
    db_end(query);
    return found;
}

static bool answer_last_resort(struct exec *exec, struct store_op *op, int64_t device)
{
    db_query *query = db_prepare(exec->db, "SELECT last_resort FROM devices WHERE key=?");
    db_bind_int(query, 1, device);
    return answer_from(exec, op, query);
}

/* The same take_id gets the same answer. */
static bool answer_again(struct exec *exec, struct store_op *op, int64_t device)
{
    db_query *query = db_prepare(exec->db, "SELECT bytes FROM taken WHERE device=? AND take_id=?");
    db_bind_int(query, 1, device);
    db_bind_bytes(query, 2, VIEW(op->take.take_id));
    bool known = db_row(exec->db, query);
    bool was_last_resort = known && db_is_null(query, 0);
    if (known && !was_last_resort)
        answer_column(exec, op, query);
    db_end(query);
    return was_last_resort ? answer_last_resort(exec, op, device) : known;
}

static bool answer_next(struct exec *exec, struct store_op *op, int64_t device)
{
    db_query *query = db_prepare(exec->db, "SELECT bytes FROM key_packages WHERE device=?"
                                           " ORDER BY position LIMIT 1");
    db_bind_int(query, 1, device);
    if (!answer_from(exec, op, query))
        return false;
    query = db_prepare(exec->db, "DELETE FROM key_packages WHERE position=("
                                 "SELECT min(position) FROM key_packages WHERE device=?)");
    db_bind_int(query, 1, device);
    db_run(exec->db, query);
    return true;
}

static void remember_take(struct exec *exec, struct store_op *op, int64_t device,
                          bool is_last_resort)
{
    db_query *query = db_prepare(exec->db, "INSERT OR REPLACE INTO taken(device, take_id, bytes,"
                                           " day) VALUES(?,?,?,?)");
    db_bind_int(query, 1, device);
    db_bind_bytes(query, 2, VIEW(op->take.take_id));
    if (is_last_resort)
        db_bind_null(query, 3);
    else
        db_bind_bytes(query, 3, op->take.key_package);
    db_bind_u64(query, 4, exec->day);
    db_run(exec->db, query);
}

void keys_take(struct exec *exec, struct store_op *op)
{
    struct store_take *take = &op->take;
    struct account_row account = {0};
    int64_t device = 0;
    if (accounts_find(exec, op, &take->account, &account))
        device = accounts_device(exec, account.key, &take->device);
    if (device == 0) {
        refuse(op, WIRE_CODE_NO_ACCOUNT, 0);
        return;
    }
    if (answer_again(exec, op, device))
        return;
    uint16_t code = permission_allow(exec, account.key, &take->permission, GRANT_TAKE);
    if (code != 0) {
        refuse(op, code, 0);
        return;
    }
    bool has_next = answer_next(exec, op, device);
    if (!has_next && !answer_last_resort(exec, op, device)) {
        refuse(op, WIRE_CODE_NO_KEY_PACKAGE, 0);
        return;
    }
    remember_take(exec, op, device, !has_next);
    permission_spend(exec, account.key, &take->permission, GRANT_TAKE);
}
