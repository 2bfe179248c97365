/* Leaving a jurisdiction (docs/LAWFUL-ORDERS.md): its accounts are told, then erased. What belongs
 * there is a matter of the rows of withdrawal_places. */
#include "relay/store_sql.h"

#include <string.h>

enum {
    TELL_ACCOUNTS = 256, /* looked at in one step */
    ERASE_ACCOUNTS = 32,
};

/* Whether the account a belongs where the withdrawal w leaves. */
#define IS_THERE                                                        \
    "EXISTS(SELECT 1 FROM withdrawal_places p WHERE p.withdrawal=w.key" \
    " AND ((a.phone>=p.low AND a.phone<p.high) OR a.label=p.label))"

struct withdrawal_row {
    int64_t key;
    enum withdrawal_state state;
    uint64_t erased;
};

static bool find(struct exec *exec, const struct withdrawal *withdrawal, struct withdrawal_row *row)
{
    db_query *query = db_prepare(exec->db, "SELECT key, state, erased FROM withdrawals WHERE id=?");
    db_bind_bytes(query, 1, sotto_bytes_of(withdrawal->id, WITHDRAWAL_ID_SIZE));
    bool found = db_row(exec->db, query);
    if (found) {
        row->key = db_int(query, 0);
        row->state = (enum withdrawal_state)db_int(query, 1);
        row->erased = db_u64(query, 2);
    }
    db_end(query);
    return found;
}

static void insert_place(struct exec *exec, int64_t key, const char *low, const char *high,
                         const char *label)
{
    db_query *query = db_prepare(exec->db, "INSERT INTO withdrawal_places(withdrawal, low, high,"
                                           " label) VALUES(?,?,?,?)");
    db_bind_int(query, 1, key);
    db_bind_text(query, 2, sotto_bytes_str(low));
    db_bind_text(query, 3, sotto_bytes_str(high));
    db_bind_text(query, 4, sotto_bytes_str(label));
    db_run(exec->db, query);
}

static void insert(struct exec *exec, const struct withdrawal *withdrawal,
                   struct withdrawal_row *row)
{
    db_query *query =
        db_prepare(exec->db, "INSERT INTO withdrawals(id, jurisdiction, begins, state,"
                             " notice) VALUES(?,?,?,?,?)");
    db_bind_bytes(query, 1, sotto_bytes_of(withdrawal->id, WITHDRAWAL_ID_SIZE));
    db_bind_text(query, 2, sotto_bytes_str(withdrawal->jurisdiction));
    db_bind_u64(query, 3, withdrawal_on_s(withdrawal));
    db_bind_int(query, 4, WITHDRAWAL_ANNOUNCED);
    db_bind_bytes(query, 5, withdrawal->notice);
    db_run(exec->db, query);
    *row = (struct withdrawal_row){.key = sqlite3_last_insert_rowid(exec->db->handle),
                                   .state = WITHDRAWAL_ANNOUNCED};
    for (size_t i = 0; i < withdrawal->range_count; i++)
        insert_place(exec, row->key, withdrawal->ranges[i].low, withdrawal->ranges[i].high, "");
    for (size_t i = 0; i < withdrawal->label_count; i++)
        insert_place(exec, row->key, "", "", withdrawal->labels[i]);
}

static void set_state(struct exec *exec, struct withdrawal_row *row, enum withdrawal_state state)
{
    db_query *query = db_prepare(exec->db, "UPDATE withdrawals SET state=? WHERE key=?");
    db_bind_int(query, 1, state);
    db_bind_int(query, 2, row->key);
    db_run(exec->db, query);
    row->state = state;
}

/* ---- Telling -------------------------------------------------------------------------------- */

/* The last key of a step's accounts behind after; 0: there are no more. */
static int64_t last_of(struct exec *exec, int64_t after, int64_t count)
{
    db_query *query = db_prepare(exec->db, "SELECT coalesce(max(key),0) FROM (SELECT key FROM"
                                           " accounts WHERE key>? ORDER BY key LIMIT ?)");
    db_bind_int(query, 1, after);
    db_bind_int(query, 2, count);
    int64_t last = db_row(exec->db, query) ? db_int(query, 0) : 0;
    db_end(query);
    return last;
}

/* The keys that a query gives, whose parameters are bound; count of them. */
static int64_t *keys_of(struct exec *exec, struct arena *arena, db_query *query, size_t max,
                        size_t *count)
{
    int64_t *keys = arena_array(arena, max, sizeof *keys);
    *count = 0;
    if (keys == NULL)
        db_fail(exec->db, SQLITE_NOMEM);
    while (keys != NULL && *count < max && db_row(exec->db, query))
        keys[(*count)++] = db_int(query, 0);
    db_end(query);
    return keys;
}

/* The notice that an announced or staying one gives; in the arena. */
static bool notice_of(struct exec *exec, struct arena *arena, int64_t key, sotto_bytes *notice)
{
    db_query *query = db_prepare(exec->db, "SELECT notice FROM withdrawals WHERE key=?");
    db_bind_int(query, 1, key);
    bool found = db_row(exec->db, query);
    if (found && arena_copy(arena, db_bytes(query, 0), notice) != SOTTO_OK)
        db_fail(exec->db, SQLITE_NOMEM);
    db_end(query);
    return found && exec->db->failure == SQLITE_OK;
}

static void note_told(struct exec *exec, int64_t key, int64_t device)
{
    db_query *query = db_prepare(exec->db, "INSERT INTO told(device, withdrawal) VALUES(?,?)");
    db_bind_int(query, 1, device);
    db_bind_int(query, 2, key);
    db_run(exec->db, query);
}

/* The devices of accounts behind after, up to last, that were not told yet. One whose inbox is full
 * is told another time. */
static void tell(struct exec *exec, struct arena *arena, int64_t key, int64_t after, int64_t last)
{
    sotto_bytes notice;
    size_t count = 0;
    db_query *query = db_prepare(
        exec->db, "SELECT d.key FROM accounts a CROSS JOIN withdrawals w CROSS JOIN devices d"
                  " WHERE w.key=?1 AND a.key>?2 AND a.key<=?3 AND d.account=a.key AND " IS_THERE
                  " AND NOT EXISTS(SELECT 1 FROM told t WHERE t.device=d.key AND t.withdrawal=?1)");
    db_bind_int(query, 1, key);
    db_bind_int(query, 2, after);
    db_bind_int(query, 3, last);
    const int64_t *devices =
        keys_of(exec, arena, query, (size_t)TELL_ACCOUNTS * WIRE_DEVICES_MAX, &count);
    if (count == 0 || !notice_of(exec, arena, key, &notice))
        return;
    for (size_t i = 0; i < count; i++)
        if (inbox_put(exec, devices[i], notice))
            note_told(exec, key, devices[i]);
}

void withdrawals_tell(struct exec *exec, int64_t account)
{
    int64_t keys[WITHDRAWALS_MAX];
    size_t count = 0;
    db_query *query = db_prepare(exec->db, "SELECT w.key FROM withdrawals w CROSS JOIN accounts a"
                                           " WHERE w.state=?1 AND a.key=?2 AND " IS_THERE);
    db_bind_int(query, 1, WITHDRAWAL_ANNOUNCED);
    db_bind_int(query, 2, account);
    while (count < WITHDRAWALS_MAX && db_row(exec->db, query))
        keys[count++] = db_int(query, 0);
    db_end(query);
    struct arena arena;
    arena_init(&arena, exec->env);
    for (size_t i = 0; i < count; i++)
        tell(exec, &arena, keys[i], account - 1, account);
    arena_free(&arena);
}

/* That the relay stays, to those who were told that it leaves. */
static int64_t tell_staying(struct exec *exec, struct arena *arena, int64_t key, int64_t after)
{
    sotto_bytes notice;
    size_t count = 0;
    db_query *query = db_prepare(exec->db, "SELECT device FROM told WHERE withdrawal=? AND device>?"
                                           " ORDER BY device LIMIT ?");
    db_bind_int(query, 1, key);
    db_bind_int(query, 2, after);
    db_bind_int(query, 3, TELL_ACCOUNTS);
    const int64_t *devices = keys_of(exec, arena, query, TELL_ACCOUNTS, &count);
    if (count == 0 || !notice_of(exec, arena, key, &notice))
        return 0;
    for (size_t i = 0; i < count; i++) {
        if (!inbox_put(exec, devices[i], notice))
            continue;
        query = db_prepare(exec->db, "DELETE FROM told WHERE device=? AND withdrawal=?");
        db_bind_int(query, 1, devices[i]);
        db_bind_int(query, 2, key);
        db_run(exec->db, query);
    }
    return devices[count - 1];
}

/* ---- Leaving -------------------------------------------------------------------------------- */

/* Numbers that are being proved are of nobody who has an account yet. */
static void leave(struct exec *exec, struct withdrawal_row *row)
{
    db_query *query = db_prepare(
        exec->db, "DELETE FROM codes WHERE EXISTS(SELECT 1 FROM withdrawal_places p"
                  " WHERE p.withdrawal=? AND codes.phone>=p.low AND codes.phone<p.high)");
    db_bind_int(query, 1, row->key);
    db_run(exec->db, query);
    exec->erased = true;
    set_state(exec, row, WITHDRAWAL_LEFT);
}

static void erase(struct exec *exec, struct arena *arena, struct withdrawal_row *row, int64_t after,
                  int64_t last)
{
    size_t count = 0;
    db_query *query = db_prepare(exec->db, "SELECT a.key FROM accounts a CROSS JOIN withdrawals w"
                                           " WHERE w.key=? AND a.key>? AND a.key<=? AND " IS_THERE);
    db_bind_int(query, 1, row->key);
    db_bind_int(query, 2, after);
    db_bind_int(query, 3, last);
    const int64_t *accounts = keys_of(exec, arena, query, ERASE_ACCOUNTS, &count);
    for (size_t i = 0; i < count; i++)
        accounts_erase(exec, accounts[i]);
    query = db_prepare(exec->db, "UPDATE withdrawals SET erased=erased+? WHERE key=?");
    db_bind_u64(query, 1, count);
    db_bind_int(query, 2, row->key);
    db_run(exec->db, query);
    row->erased += count;
}

/* Behind the last account: nobody registers there any more, so what was not found is not there. */
static void finish(struct exec *exec, struct withdrawal_row *row)
{
    db_query *query = db_prepare(exec->db, "SELECT 1 FROM accounts a CROSS JOIN withdrawals w"
                                           " WHERE w.key=? AND " IS_THERE " LIMIT 1");
    db_bind_int(query, 1, row->key);
    const bool left_over = db_row(exec->db, query);
    db_end(query);
    if (exec->log_owed)
        exec->erased = true; /* empties the log, or tries to */
    else if (!left_over && !exec->erased)
        set_state(exec, row, WITHDRAWAL_ERASED);
}

/* ---- One step ------------------------------------------------------------------------------- */

/* What the office and the day want. A relay that has left has left. */
static void turn(struct exec *exec, const struct store_withdrawal *step, struct withdrawal_row *row)
{
    if (row->state != WITHDRAWAL_ANNOUNCED)
        return;
    if (step->withdrawal->staying) {
        db_query *query = db_prepare(exec->db, "UPDATE withdrawals SET notice=? WHERE key=?");
        db_bind_bytes(query, 1, step->withdrawal->notice);
        db_bind_int(query, 2, row->key);
        db_run(exec->db, query);
        set_state(exec, row, WITHDRAWAL_STAYING);
    } else if (step->due) {
        leave(exec, row);
    }
}

void withdrawals_step(struct exec *exec, struct store_op *op)
{
    struct store_withdrawal *step = &op->withdrawal;
    struct withdrawal_row row = {0};
    int64_t last = 0;
    if (!find(exec, step->withdrawal, &row))
        insert(exec, step->withdrawal, &row);
    turn(exec, step, &row);
    switch (row.state) {
    case WITHDRAWAL_ANNOUNCED:
        last = last_of(exec, step->after, TELL_ACCOUNTS);
        if (last != 0)
            tell(exec, &op->arena, row.key, step->after, last);
        break;
    case WITHDRAWAL_STAYING:
        last = tell_staying(exec, &op->arena, row.key, step->after);
        break;
    case WITHDRAWAL_LEFT:
        last = last_of(exec, step->after, ERASE_ACCOUNTS);
        if (last != 0)
            erase(exec, &op->arena, &row, step->after, last);
        else
            finish(exec, &row);
        break;
    case WITHDRAWAL_ERASED:
        break;
    }
    step->after = last;
    step->state = row.state;
    step->accounts = row.erased;
}

/* ---- Refusing ------------------------------------------------------------------------------- */

/* The withdrawal that a query gives, as begins and jurisdiction. */
static bool told_by(struct exec *exec, struct store_op *op, db_query *query)
{
    bool found = db_row(exec->db, query);
    if (found) {
        const sotto_bytes jurisdiction = db_bytes(query, 1);
        const size_t size =
            jurisdiction.size < sizeof op->where ? jurisdiction.size : sizeof op->where - 1;
        op->detail = db_u64(query, 0);
        memcpy(op->where, jurisdiction.data, size);
        op->where[size] = '\0';
    }
    db_end(query);
    return found;
}

bool withdrawals_left(struct exec *exec, struct store_op *op, sotto_bytes phone, sotto_bytes label,
                      int64_t account)
{
    db_query *query = db_prepare(
        exec->db, "SELECT w.begins, w.jurisdiction FROM withdrawals w WHERE w.state>=?1"
                  " AND (EXISTS(SELECT 1 FROM withdrawal_places p WHERE p.withdrawal=w.key"
                  " AND ((?2>=p.low AND ?2<p.high) OR ?3=p.label))"
                  " OR EXISTS(SELECT 1 FROM accounts a WHERE a.key=?4 AND " IS_THERE ")) LIMIT 1");
    db_bind_int(query, 1, WITHDRAWAL_LEFT);
    db_bind_text(query, 2, phone);
    db_bind_text(query, 3, label);
    db_bind_int(query, 4, account);
    return told_by(exec, op, query);
}

bool withdrawals_refuse_unknown(struct exec *exec, struct store_op *op)
{
    db_query *query = db_prepare(exec->db, "SELECT begins, jurisdiction FROM withdrawals"
                                           " WHERE state>=? ORDER BY begins DESC LIMIT 1");
    db_bind_int(query, 1, WITHDRAWAL_LEFT);
    if (!told_by(exec, op, query))
        return false;
    op->code = WIRE_CODE_WITHDRAWN;
    return true;
}
