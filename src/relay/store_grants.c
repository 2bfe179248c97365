/* Grants: capabilities that an account has given out in invitation links, known here by their hash.
 * A used-up one is kept until it expires, so that the second person with a link hears that it was
 * used, not that it never was. */
#include "relay/store_sql.h"

static int64_t count_grants(struct exec *exec, int64_t account)
{
    db_query *query = db_prepare(exec->db, "SELECT count(*) FROM grants WHERE account=?");
    db_bind_int(query, 1, account);
    int64_t count = db_row(exec->db, query) ? db_int(query, 0) : 0;
    db_end(query);
    return count;
}

bool grants_is_signed_in(struct exec *exec, const struct session *session)
{
    db_query *query = db_prepare(exec->db, "SELECT 1 FROM devices WHERE key=? AND account=?");
    db_bind_int(query, 1, session->device);
    db_bind_int(query, 2, session->account);
    bool found = db_row(exec->db, query);
    db_end(query);
    return found;
}

void grants_grant(struct exec *exec, struct store_op *op)
{
    const struct store_grant *grant = &op->grant;
    uint64_t latest = exec->now + GRANT_DAYS_MAX * UINT64_C(86400);
    if (!grants_is_signed_in(exec, &grant->session)) {
        refuse(op, WIRE_CODE_NOT_SIGNED_IN, 0);
        return;
    }
    if (grant->uses > GRANT_USES_MAX) {
        refuse(op, WIRE_CODE_LIMIT, GRANT_USES_MAX);
        return;
    }
    if (count_grants(exec, grant->session.account) >= GRANTS_MAX) {
        refuse(op, WIRE_CODE_LIMIT, GRANTS_MAX);
        return;
    }
    /* A retry changes nothing: what was used stays used. */
    db_query *query = db_prepare(exec->db, "INSERT OR IGNORE INTO grants(account, hash, expires,"
                                           " takes_left, posts_left) VALUES(?,?,?,?,?)");
    db_bind_int(query, 1, grant->session.account);
    db_bind_bytes(query, 2, VIEW(grant->capability_hash));
    db_bind_u64(query, 3, grant->expires < latest ? grant->expires : latest);
    db_bind_int(query, 4, grant->uses);
    db_bind_int(query, 5, grant->uses);
    db_run(exec->db, query);
}

void grants_revoke(struct exec *exec, struct store_op *op)
{
    const struct store_grant *grant = &op->grant;
    if (!grants_is_signed_in(exec, &grant->session)) {
        refuse(op, WIRE_CODE_NOT_SIGNED_IN, 0);
        return;
    }
    db_query *query = db_prepare(exec->db, "DELETE FROM grants WHERE account=? AND hash=?");
    db_bind_int(query, 1, grant->session.account);
    db_bind_bytes(query, 2, VIEW(grant->capability_hash));
    db_run(exec->db, query);
}

uint16_t grants_allow(struct exec *exec, int64_t account, const struct store_permission *permission,
                      enum grant_use use)
{
    db_query *query = db_prepare(exec->db, "SELECT takes_left, posts_left FROM grants"
                                           " WHERE account=? AND hash=? AND expires>?");
    db_bind_int(query, 1, account);
    db_bind_bytes(query, 2, VIEW(permission->capability_hash));
    db_bind_u64(query, 3, exec->now);
    uint16_t code = WIRE_CODE_CAPABILITY_UNKNOWN;
    if (db_row(exec->db, query)) {
        bool take = db_int(query, 0) > 0, post = db_int(query, 1) > 0;
        bool left = use == GRANT_TAKE ? take : use == GRANT_POST ? post : take || post;
        code = left ? 0 : WIRE_CODE_CAPABILITY_USED;
    }
    db_end(query);
    return code;
}

void grants_spend(struct exec *exec, int64_t account, const struct store_permission *permission,
                  enum grant_use use)
{
    db_query *query = use == GRANT_TAKE
                          ? db_prepare(exec->db, "UPDATE grants SET takes_left=takes_left-1"
                                                 " WHERE account=? AND hash=?")
                          : db_prepare(exec->db, "UPDATE grants SET posts_left=posts_left-1"
                                                 " WHERE account=? AND hash=?");
    db_bind_int(query, 1, account);
    db_bind_bytes(query, 2, VIEW(permission->capability_hash));
    db_run(exec->db, query);
}
