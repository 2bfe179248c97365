/* Usernames, and whether an account may be found by its number. Both are columns of the account's
 * row and go with it: a name is free again when its account is deleted. */
#include "relay/store_sql.h"

void labels_get(struct exec *exec, struct store_op *op)
{
    struct store_labels *labels = &op->labels;
    struct db *db = exec->db;
    if (!grants_is_signed_in(exec, &labels->session)) {
        refuse(op, WIRE_CODE_NOT_SIGNED_IN, 0);
        return;
    }
    db_query *query = db_prepare(db, "SELECT username, phone, findable FROM accounts WHERE key=?");
    db_bind_int(query, 1, labels->session.account);
    if (db_row(db, query)) {
        if (store_op_copy(op, db_bytes(query, 0), &labels->username) != SOTTO_OK ||
            store_op_copy(op, db_bytes(query, 1), &labels->phone) != SOTTO_OK)
            db_fail(db, SQLITE_NOMEM);
        labels->findable = db_int(query, 2) != 0;
    }
    db_end(query);
}

static bool username_is_taken(struct exec *exec, const struct store_labels *labels)
{
    db_query *query = db_prepare(exec->db, "SELECT key FROM accounts WHERE username=?");
    db_bind_text(query, 1, labels->username);
    bool taken = db_row(exec->db, query) && db_int(query, 0) != labels->session.account;
    db_end(query);
    return taken;
}

void labels_set_username(struct exec *exec, struct store_op *op)
{
    const struct store_labels *labels = &op->labels;
    if (!grants_is_signed_in(exec, &labels->session)) {
        refuse(op, WIRE_CODE_NOT_SIGNED_IN, 0);
        return;
    }
    if (labels->username.size > 0 && username_is_taken(exec, labels)) {
        refuse(op, WIRE_CODE_USERNAME_TAKEN, 0);
        return;
    }
    db_query *query = db_prepare(exec->db, "UPDATE accounts SET username=? WHERE key=?");
    if (labels->username.size > 0)
        db_bind_text(query, 1, labels->username);
    else
        db_bind_null(query, 1);
    db_bind_int(query, 2, labels->session.account);
    db_run(exec->db, query);
    exec->erased = true; /* the one before */
}

void labels_set_findable(struct exec *exec, struct store_op *op)
{
    const struct store_labels *labels = &op->labels;
    if (!grants_is_signed_in(exec, &labels->session)) {
        refuse(op, WIRE_CODE_NOT_SIGNED_IN, 0);
        return;
    }
    db_query *query = db_prepare(exec->db, "UPDATE accounts SET findable=?"
                                           " WHERE key=? AND (phone IS NOT NULL OR ?=0)");
    db_bind_int(query, 1, labels->findable);
    db_bind_int(query, 2, labels->session.account);
    db_bind_int(query, 3, labels->findable);
    if (db_run(exec->db, query) == 0 && exec->db->failure == SQLITE_OK)
        refuse(op, WIRE_CODE_PHONE_NEEDED, 0);
}

/* Nobody's label costs as much as somebody's, or it would be free to try them all. */
void labels_find(struct exec *exec, struct store_op *op)
{
    struct store_find *find = &op->find;
    struct db *db = exec->db;
    uint16_t code = permission_allow(exec, 0, &find->permission, GRANT_LOOK);
    if (code != 0) {
        refuse(op, code, 0);
        return;
    }
    permission_spend(exec, 0, &find->permission, GRANT_LOOK);
    db_query *query =
        find->kind == LABEL_USERNAME
            ? db_prepare(db, "SELECT manifest FROM accounts WHERE username=?")
            : db_prepare(db, "SELECT manifest FROM accounts WHERE phone=? AND findable=1");
    db_bind_text(query, 1, find->label);
    if (db_row(db, query) && store_op_copy(op, db_bytes(query, 0), &find->manifest) != SOTTO_OK)
        db_fail(db, SQLITE_NOMEM);
    db_end(query);
}
