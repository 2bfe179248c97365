/* Who may have an account here: everyone, invited people, or people with a phone number that they
 * have shown to be theirs by a code (PROTOCOL.md section 4). */
#include "relay/store_sql.h"

#include <string.h>

#include <sodium.h>

/* ---- Invitations ---------------------------------------------------------------------------- */

/* label: what accounts that are registered with it get; empty: nothing. */
static bool invitation_is_good(struct exec *exec, struct store_op *op, sotto_bytes *label)
{
    const struct store_register *want = &op->registration;
    db_query *query = db_prepare(exec->db, "SELECT label FROM invitations"
                                           " WHERE hash=? AND uses_left>0 AND expires>?");
    db_bind_bytes(query, 1, sotto_bytes_of(want->invitation_hash, HASH_SIZE));
    db_bind_u64(query, 2, exec->now);
    bool good = db_row(exec->db, query);
    if (good && store_op_copy(op, db_bytes(query, 0), label) != SOTTO_OK)
        db_fail(exec->db, SQLITE_NOMEM);
    db_end(query);
    return good;
}

static void use_invitation(struct exec *exec, const struct store_register *want)
{
    db_query *query = db_prepare(exec->db, "UPDATE invitations SET uses_left=uses_left-1"
                                           " WHERE hash=?");
    db_bind_bytes(query, 1, sotto_bytes_of(want->invitation_hash, HASH_SIZE));
    db_run(exec->db, query);
}

void registration_invite(struct exec *exec, struct store_op *op)
{
    db_query *query =
        db_prepare(exec->db, "INSERT INTO invitations(hash, uses_left, expires, label)"
                             " VALUES(?,?,?,?)");
    db_bind_bytes(query, 1, sotto_bytes_of(op->invite.hash, HASH_SIZE));
    db_bind_int(query, 2, op->invite.uses);
    db_bind_u64(query, 3, op->invite.expires);
    db_bind_text(query, 4, op->invite.label);
    db_run(exec->db, query);
}

/* ---- Codes ---------------------------------------------------------------------------------- */

struct code_row {
    uint8_t hash[HASH_SIZE];
    uint64_t expires, sent, day;
    uint64_t tries_left;
};

static bool find_code(struct exec *exec, sotto_bytes phone, struct code_row *row)
{
    struct db *db = exec->db;
    db_query *query = db_prepare(db, "SELECT hash, expires, tries_left, sent, day FROM codes"
                                     " WHERE phone=?");
    db_bind_text(query, 1, phone);
    bool found = db_row(db, query);
    if (found) {
        db_copy(db, query, 0, row->hash, HASH_SIZE);
        row->expires = db_u64(query, 1);
        row->tries_left = db_u64(query, 2);
        row->sent = db_u64(query, 3);
        row->day = db_u64(query, 4);
    }
    db_end(query);
    return found;
}

static void put_code(struct exec *exec, sotto_bytes phone, const struct code_row *row)
{
    db_query *query = db_prepare(exec->db, "INSERT OR REPLACE INTO codes(phone, hash, expires,"
                                           " tries_left, sent, day) VALUES(?,?,?,?,?,?)");
    db_bind_text(query, 1, phone);
    db_bind_bytes(query, 2, sotto_bytes_of(row->hash, HASH_SIZE));
    db_bind_u64(query, 3, row->expires);
    db_bind_u64(query, 4, row->tries_left);
    db_bind_u64(query, 5, row->sent);
    db_bind_u64(query, 6, row->day);
    db_run(exec->db, query);
}

/* Answers CODE_SENT, with a fresh code to be handed over unless one was sent just now: whoever
 * repeats a lost request is not sent two codes, of which the first is void. */
static void send_code(struct exec *exec, struct store_op *op)
{
    struct store_register *want = &op->registration;
    struct code_row row;
    bool known = find_code(exec, want->phone, &row) && row.day == exec->day;
    uint64_t fresh_from = exec->now + CODE_SECONDS - CODE_AGAIN_SECONDS;
    if (known && row.tries_left > 0 && row.expires > fresh_from &&
        row.expires <= exec->now + CODE_SECONDS) {
        refuse(op, WIRE_CODE_CODE_SENT, row.expires - exec->now);
        return;
    }
    uint64_t sent = known ? row.sent : 0;
    if (sent >= CODES_A_DAY) {
        refuse(op, WIRE_CODE_RATE_LIMITED, (exec->day + 1) * 86400 - exec->now);
        return;
    }
    row = (struct code_row){
        .expires = exec->now + CODE_SECONDS,
        .tries_left = CODE_TRIES,
        .sent = sent + 1,
        .day = exec->day,
    };
    memcpy(row.hash, want->new_code_hash, HASH_SIZE);
    put_code(exec, want->phone, &row);
    want->send_code = true;
    refuse(op, WIRE_CODE_CODE_SENT, CODE_SECONDS);
}

/* The code that came with the request. A wrong one costs a try; the row stays, so that neither the
 * tries nor the number of codes a day begin anew. */
static bool check_code(struct exec *exec, struct store_op *op)
{
    struct store_register *want = &op->registration;
    struct code_row row;
    if (!find_code(exec, want->phone, &row) || row.expires <= exec->now || row.tries_left == 0) {
        refuse(op, WIRE_CODE_WRONG_CODE, 0);
        return false;
    }
    if (sodium_memcmp(row.hash, want->code_hash, HASH_SIZE) == 0)
        return true;
    row.tries_left--;
    put_code(exec, want->phone, &row);
    refuse(op, WIRE_CODE_WRONG_CODE, row.tries_left);
    return false;
}

static void use_code(struct exec *exec, sotto_bytes phone)
{
    db_query *query = db_prepare(exec->db, "UPDATE codes SET tries_left=0, expires=0"
                                           " WHERE phone=?");
    db_bind_text(query, 1, phone);
    db_run(exec->db, query);
}

/* ---- Register ------------------------------------------------------------------------------- */

static bool phone_is_taken(struct exec *exec, sotto_bytes phone, int64_t account)
{
    db_query *query = db_prepare(exec->db, "SELECT key FROM accounts WHERE phone=?");
    db_bind_text(query, 1, phone);
    bool taken = db_row(exec->db, query) && db_int(query, 0) != account;
    db_end(query);
    return taken;
}

/* Whether the phone number, if one is given, was shown to be the person's. Only whoever showed that
 * is told that it belongs to an account. */
static bool phone_is_proved(struct exec *exec, struct store_op *op, int64_t account)
{
    const struct store_register *want = &op->registration;
    if (want->phone.size == 0)
        return true;
    if (!want->has_code) {
        send_code(exec, op);
        return false;
    }
    if (!check_code(exec, op))
        return false;
    if (phone_is_taken(exec, want->phone, account)) {
        use_code(exec, want->phone);
        refuse(op, WIRE_CODE_PHONE_TAKEN, 0);
        return false;
    }
    use_code(exec, want->phone);
    return true;
}

static bool is_admitted(struct exec *exec, struct store_op *op, sotto_bytes *label)
{
    const struct store_register *want = &op->registration;
    const bool invited = want->has_invitation && invitation_is_good(exec, op, label);
    if (label->size == 0 && want->label != NULL)
        *label = sotto_bytes_str(want->label);
    if (want->mode == REGISTRATION_PHONE && want->phone.size == 0)
        refuse(op, WIRE_CODE_PHONE_NEEDED, 0);
    else if (want->mode == REGISTRATION_INVITE && !want->has_invitation)
        refuse(op, WIRE_CODE_INVITATION_NEEDED, 0);
    else if (want->mode == REGISTRATION_INVITE && !invited)
        refuse(op, WIRE_CODE_INVITATION_USED, 0);
    return op->code == 0;
}

/* Whether the relay is still where the person is. */
static bool is_here(struct exec *exec, struct store_op *op, sotto_bytes label, int64_t account)
{
    if (withdrawals_left(exec, op, op->registration.phone, label, account))
        op->code = WIRE_CODE_WITHDRAWN;
    return op->code == 0;
}

static int64_t insert_account(struct exec *exec, const struct store_register *want,
                              sotto_bytes label)
{
    db_query *query = db_prepare(exec->db, "INSERT INTO accounts(account_id, manifest, label)"
                                           " VALUES(?,?,?)");
    db_bind_bytes(query, 1, VIEW(want->account));
    db_bind_bytes(query, 2, want->manifest);
    db_bind_text(query, 3, label);
    db_run(exec->db, query);
    return sqlite3_last_insert_rowid(exec->db->handle);
}

/* Who wanted to be found by one number is not found by another. */
static void set_phone(struct exec *exec, int64_t account, sotto_bytes phone)
{
    db_query *query =
        db_prepare(exec->db, "UPDATE accounts SET findable=(findable AND phone IS ?1),"
                             " phone=?1 WHERE key=?2");
    db_bind_text(query, 1, phone);
    db_bind_int(query, 2, account);
    db_run(exec->db, query);
}

/* An account that is there: the same manifest again, or its successor (a restored account). */
static bool may_register_again(struct exec *exec, struct store_op *op,
                               const struct account_row *row)
{
    const struct store_register *want = &op->registration;
    uint16_t code = accounts_check_manifest(exec, row->manifest, want->manifest);
    if (code != 0) {
        refuse(op, code, 0);
        return false;
    }
    bool same_phone = want->phone.size == 0 || sotto_bytes_equal(want->phone, row->phone);
    return same_phone || phone_is_proved(exec, op, row->key);
}

void registration_register(struct exec *exec, struct store_op *op)
{
    struct store_register *want = &op->registration;
    struct account_row row = {0};
    sotto_bytes label = sotto_bytes_of(NULL, 0);
    bool known = accounts_find(exec, op, &want->account, &row);
    bool may = known ? is_here(exec, op, label, row.key) && may_register_again(exec, op, &row)
                     : is_admitted(exec, op, &label) && is_here(exec, op, label, 0) &&
                           phone_is_proved(exec, op, 0);
    if (!may)
        return;
    if (!known) {
        row.key = insert_account(exec, want, label);
        if (want->mode == REGISTRATION_INVITE)
            use_invitation(exec, want);
    }
    if (want->phone.size > 0)
        set_phone(exec, row.key, want->phone);
    accounts_set_manifest(exec, row.key, want->manifest, want->devices, want->device_count);
    accounts_set_seen(exec, row.key, want->address);
    want->session.account = row.key;
    want->session.device = accounts_device(exec, row.key, &want->device);
}
