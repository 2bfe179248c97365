/* Anonymous tokens. Two halves here as well: how many an account was given today, and what was
 * spent. Nothing is common to them but the issuing key, which is everybody's. */
#include "relay/store_sql.h"

#include <string.h>

#include <sodium.h>

#include "crypto/voprf.h"

/* ---- Keys ----------------------------------------------------------------------------------- */

static void read_key(struct exec *exec, struct store_op *op, db_query *query,
                     struct store_token_key *row)
{
    row->key.number = (uint32_t)db_int(query, 0);
    row->key.begins = db_u64(query, 1);
    row->key.replaced = db_u64(query, 2);
    row->key.ends = db_u64(query, 3);
    db_copy(exec->db, query, 4, row->key.public_key, TOKEN_ELEMENT_SIZE);
    db_copy(exec->db, query, 5, row->key.previous, HASH_SIZE);
    if (!db_is_null(query, 6) &&
        store_op_copy(op, db_bytes(query, 6), &row->private_key) != SOTTO_OK)
        db_fail(exec->db, SQLITE_NOMEM);
}

static void read_keys(struct exec *exec, struct store_op *op)
{
    struct store_token_keys *out = &op->token_keys;
    struct db *db = exec->db;
    db_query *query = db_prepare(db, "SELECT count(*) FROM token_keys");
    size_t count = db_row(db, query) ? (size_t)db_int(query, 0) : 0;
    db_end(query);
    struct store_token_key *list = arena_array(&op->arena, count, sizeof *list);
    if (list == NULL && count > 0)
        db_fail(db, SQLITE_NOMEM);
    query = db_prepare(db, "SELECT number, begins, replaced, ends, public_key, previous,"
                           " private_key FROM token_keys ORDER BY number");
    size_t at = 0;
    while (list != NULL && at < count && db_row(db, query))
        read_key(exec, op, query, &list[at++]);
    db_end(query);
    out->keys = list;
    out->count = at;
}

/* The next key, after last (NULL: none yet). */
static void make_key(struct exec *exec, const struct store_token_keys *want,
                     const struct token_key *last)
{
    uint64_t life = (uint64_t)want->days * 86400;
    struct token_key next = {.number = last == NULL ? 1 : last->number + 1,
                             .begins = want->now,
                             .replaced = want->now + life,
                             .ends = want->now + 2 * life};
    struct voprf_key key = {0};
    if (last != NULL)
        token_key_hash(last, next.previous);
    if (voprf_key_generate(exec->env, &key) != SOTTO_OK) {
        db_fail(exec->db, SQLITE_IOERR); /* no randomness: as if the disk were gone */
        return;
    }
    memcpy(next.public_key, key.public_key, TOKEN_ELEMENT_SIZE);
    db_query *query = db_prepare(exec->db, "INSERT INTO token_keys(number, begins, replaced, ends,"
                                           " public_key, previous, private_key)"
                                           " VALUES(?,?,?,?,?,?,?)");
    db_bind_int(query, 1, next.number);
    db_bind_u64(query, 2, next.begins);
    db_bind_u64(query, 3, next.replaced);
    db_bind_u64(query, 4, next.ends);
    db_bind_bytes(query, 5, sotto_bytes_of(next.public_key, TOKEN_ELEMENT_SIZE));
    db_bind_bytes(query, 6, sotto_bytes_of(next.previous, HASH_SIZE));
    db_bind_bytes(query, 7, secret_view(&key.private_key));
    db_run(exec->db, query);
    voprf_key_wipe(&key);
}

/* A key that has ended is erased, its announcement stays: the chain is never cut. Erased here and
 * not by time: from this transaction on nobody's token of it is taken, so that what was spent of it
 * need not be remembered. */
void tokens_keys(struct exec *exec, struct store_op *op)
{
    const struct store_token_keys *want = &op->token_keys;
    db_query *query = db_prepare(exec->db, "UPDATE token_keys SET private_key=NULL"
                                           " WHERE ends<=? AND private_key IS NOT NULL");
    db_bind_u64(query, 1, want->now);
    if (db_run(exec->db, query) > 0)
        exec->erased = true;
    read_keys(exec, op);
    const struct store_token_key *last = want->count > 0 ? &want->keys[want->count - 1] : NULL;
    /* A restored relay has none that lives. */
    bool due = last == NULL || want->now >= last->key.replaced || last->private_key.size == 0;
    if (exec->db->failure == SQLITE_OK && due) {
        make_key(exec, want, last == NULL ? NULL : &last->key);
        read_keys(exec, op);
    }
}

/* The number of the newest key, and whether this one lives. */
static bool key_lives(struct exec *exec, uint32_t number, uint32_t *newest)
{
    db_query *query = db_prepare(exec->db, "SELECT (SELECT max(number) FROM token_keys), (SELECT"
                                           " private_key IS NOT NULL FROM token_keys WHERE"
                                           " number=?)");
    db_bind_int(query, 1, number);
    bool lives = false;
    if (db_row(exec->db, query)) {
        *newest = (uint32_t)db_int(query, 0);
        lives = !db_is_null(query, 1) && db_int(query, 1) != 0;
    }
    db_end(query);
    return lives;
}

/* ---- Issuing -------------------------------------------------------------------------------- */

struct issued_row {
    uint64_t day, count;
    bool is_repeat; /* the last request was this one */
};

static void find_issued(struct exec *exec, const struct store_issue *issue, struct issued_row *row)
{
    db_query *query = db_prepare(exec->db, "SELECT day, count, request FROM token_issues"
                                           " WHERE account=?");
    uint8_t last[HASH_SIZE];
    *row = (struct issued_row){0};
    db_bind_int(query, 1, issue->session.account);
    if (db_row(exec->db, query)) {
        row->day = db_u64(query, 0);
        row->count = db_u64(query, 1);
        db_copy(exec->db, query, 2, last, HASH_SIZE);
        row->is_repeat =
            exec->db->failure == SQLITE_OK && memcmp(last, issue->request_hash, HASH_SIZE) == 0;
    }
    db_end(query);
}

/* An account's tokens are counted a day. Not a device's: whoever has an account can have as many
 * devices as they like. A clock that goes back does not begin a day anew. */
void tokens_issue_charge(struct exec *exec, struct store_op *op)
{
    const struct store_issue *issue = &op->issue;
    struct issued_row row;
    uint32_t newest = 0;
    if (!grants_is_signed_in(exec, &issue->session)) {
        refuse(op, WIRE_CODE_NOT_SIGNED_IN, 0);
        return;
    }
    find_issued(exec, issue, &row);
    bool lives = key_lives(exec, issue->key, &newest);
    /* New tokens of the newest key alone: whoever has others can be told from everybody else. */
    if (!lives || (issue->key != newest && !row.is_repeat)) {
        refuse(op, WIRE_CODE_TOKEN_REFUSED, newest);
        return;
    }
    if (row.is_repeat)
        return; /* its answer was lost; blind evaluation gives the same tokens again */
    uint64_t day = exec->day > row.day ? exec->day : row.day;
    uint64_t count = (day > row.day ? 0 : row.count) + issue->count;
    if (count > issue->a_day) {
        refuse(op, WIRE_CODE_RATE_LIMITED, (day + 1) * 86400 - exec->now);
        return;
    }
    db_query *query = db_prepare(exec->db, "INSERT OR REPLACE INTO token_issues(account, day,"
                                           " count, request) VALUES(?,?,?,?)");
    db_bind_int(query, 1, issue->session.account);
    db_bind_u64(query, 2, day);
    db_bind_u64(query, 3, count);
    db_bind_bytes(query, 4, sotto_bytes_of(issue->request_hash, HASH_SIZE));
    db_run(exec->db, query);
}

/* ---- Spending ------------------------------------------------------------------------------- */

static bool is_spent(struct exec *exec, const struct store_permission *permission)
{
    db_query *query = db_prepare(exec->db, "SELECT 1 FROM token_spent WHERE key=? AND nonce=?");
    db_bind_int(query, 1, permission->token_key);
    db_bind_bytes(query, 2, sotto_bytes_of(permission->token_nonce, TOKEN_NONCE_SIZE));
    bool found = db_row(exec->db, query);
    db_end(query);
    return found;
}

uint16_t permission_allow(struct exec *exec, int64_t account,
                          const struct store_permission *permission, enum grant_use use)
{
    uint32_t newest;
    switch (permission->kind) {
    case PERMISSION_CAPABILITY:
        return grants_allow(exec, account, permission, use);
    case PERMISSION_TOKEN:
        if (!permission->token_good || !key_lives(exec, permission->token_key, &newest))
            return WIRE_CODE_TOKEN_REFUSED;
        return is_spent(exec, permission) ? WIRE_CODE_TOKEN_SPENT : 0;
    default:
        return 0;
    }
}

void permission_spend(struct exec *exec, int64_t account, const struct store_permission *permission,
                      enum grant_use use)
{
    if (permission->kind == PERMISSION_CAPABILITY)
        grants_spend(exec, account, permission, use);
    if (permission->kind != PERMISSION_TOKEN)
        return;
    db_query *query = db_prepare(exec->db, "INSERT INTO token_spent(key, nonce) VALUES(?,?)");
    db_bind_int(query, 1, permission->token_key);
    db_bind_bytes(query, 2, sotto_bytes_of(permission->token_nonce, TOKEN_NONCE_SIZE));
    db_run(exec->db, query);
}
