/* Inboxes: sealed envelopes for one device each, until it has fetched and acknowledged them. */
#include "relay/store_sql.h"

struct inbox_row {
    int64_t device;
    uint64_t next, count, bytes;
};

static bool find_inbox(struct exec *exec, int64_t account, const struct device_id *id,
                       struct inbox_row *row)
{
    db_query *query = db_prepare(exec->db, "SELECT key, inbox_next, inbox_count, inbox_bytes"
                                           " FROM devices WHERE account=? AND device_id=?");
    db_bind_int(query, 1, account);
    db_bind_bytes(query, 2, VIEW(*id));
    bool found = db_row(exec->db, query);
    if (found) {
        row->device = db_int(query, 0);
        row->next = db_u64(query, 1);
        row->count = db_u64(query, 2);
        row->bytes = db_u64(query, 3);
    }
    db_end(query);
    return found;
}

/* ---- Post ----------------------------------------------------------------------------------- */

static bool was_posted(struct exec *exec, int64_t device, const struct request_id *id)
{
    db_query *query = db_prepare(exec->db, "SELECT 1 FROM posts WHERE device=? AND post_id=?");
    db_bind_int(query, 1, device);
    db_bind_bytes(query, 2, VIEW(*id));
    bool found = db_row(exec->db, query);
    db_end(query);
    return found;
}

static void insert_envelope(struct exec *exec, const struct inbox_row *inbox, sotto_bytes sealed)
{
    struct db *db = exec->db;
    db_query *query = db_prepare(db, "INSERT INTO envelopes(device, seq, sealed, day)"
                                     " VALUES(?,?,?,?)");
    db_bind_int(query, 1, inbox->device);
    db_bind_u64(query, 2, inbox->next);
    db_bind_bytes(query, 3, sealed);
    db_bind_u64(query, 4, exec->day);
    db_run(db, query);
    query = db_prepare(db, "UPDATE devices SET inbox_next=inbox_next+1, inbox_count=inbox_count+1,"
                           " inbox_bytes=inbox_bytes+? WHERE key=?");
    db_bind_u64(query, 1, sealed.size);
    db_bind_int(query, 2, inbox->device);
    db_run(db, query);
}

static bool is_full(const struct inbox_row *inbox, sotto_bytes sealed)
{
    return inbox->count >= INBOX_COUNT_MAX || inbox->bytes + sealed.size > INBOX_BYTES_MAX;
}

/* Once, whatever is repeated. */
static void insert_post(struct exec *exec, const struct inbox_row *inbox,
                        const struct store_post *post)
{
    insert_envelope(exec, inbox, post->sealed);
    db_query *query = db_prepare(exec->db, "INSERT INTO posts(device, post_id, day) VALUES(?,?,?)");
    db_bind_int(query, 1, inbox->device);
    db_bind_bytes(query, 2, VIEW(post->post_id));
    db_bind_u64(query, 3, exec->day);
    db_run(exec->db, query);
    inbox_tell(exec, inbox->device);
}

void inbox_tell(struct exec *exec, int64_t device)
{
    struct notice *notice = exec_notice(exec);
    if (notice == NULL)
        return;
    notice->kind = NOTICE_ENVELOPE;
    notice->device = device;
}

void inbox_post(struct exec *exec, struct store_op *op)
{
    const struct store_post *post = &op->post;
    struct account_row account;
    struct inbox_row inbox;
    if (!accounts_find(exec, op, &post->account, &account) ||
        !find_inbox(exec, account.key, &post->device, &inbox)) {
        refuse(op, WIRE_CODE_NO_ACCOUNT, 0);
        return;
    }
    if (was_posted(exec, inbox.device, &post->post_id))
        return;
    uint16_t code = permission_allow(exec, account.key, &post->permission, GRANT_POST);
    if (code != 0) {
        refuse(op, code, 0);
        return;
    }
    if (is_full(&inbox, post->sealed)) {
        refuse(op, WIRE_CODE_INBOX_FULL, 0);
        return;
    }
    insert_post(exec, &inbox, post);
    permission_spend(exec, account.key, &post->permission, GRANT_POST);
}

/* One that does not fit into a full inbox is not delivered to that device, if another has it. */
void inbox_post_all(struct exec *exec, struct store_op *op)
{
    const struct store_post *post = &op->post;
    struct account_row account;
    struct inbox_row inboxes[WIRE_DEVICES_MAX];
    size_t count = 0;
    if (!accounts_find(exec, op, &post->account, &account)) {
        refuse(op, WIRE_CODE_NO_ACCOUNT, 0);
        return;
    }
    db_query *query = db_prepare(exec->db, "SELECT key, inbox_next, inbox_count, inbox_bytes"
                                           " FROM devices WHERE account=?");
    db_bind_int(query, 1, account.key);
    while (count < WIRE_DEVICES_MAX && db_row(exec->db, query))
        inboxes[count++] = (struct inbox_row){db_int(query, 0), db_u64(query, 1), db_u64(query, 2),
                                              db_u64(query, 3)};
    db_end(query);
    bool given = count == 0;
    for (size_t i = 0; i < count; i++) {
        const bool had = was_posted(exec, inboxes[i].device, &post->post_id);
        const bool full = is_full(&inboxes[i], post->sealed);
        given = given || had || !full;
        if (!had && !full)
            insert_post(exec, &inboxes[i], post);
    }
    if (!given)
        refuse(op, WIRE_CODE_INBOX_FULL, 0);
}

bool inbox_put(struct exec *exec, int64_t device, sotto_bytes bytes)
{
    struct inbox_row inbox = {.device = device};
    db_query *query = db_prepare(exec->db, "SELECT inbox_next, inbox_count, inbox_bytes"
                                           " FROM devices WHERE key=?");
    db_bind_int(query, 1, device);
    bool found = db_row(exec->db, query);
    if (found) {
        inbox.next = db_u64(query, 0);
        inbox.count = db_u64(query, 1);
        inbox.bytes = db_u64(query, 2);
    }
    db_end(query);
    if (!found || is_full(&inbox, bytes))
        return false;
    insert_envelope(exec, &inbox, bytes);
    inbox_tell(exec, device);
    return true;
}

/* ---- Fetch and acknowledge ------------------------------------------------------------------ */

void inbox_ack(struct exec *exec, struct store_op *op)
{
    const struct store_ack *ack = &op->ack;
    struct db *db = exec->db;
    db_query *query = db_prepare(db, "SELECT count(*), coalesce(sum(length(sealed)),0)"
                                     " FROM envelopes WHERE device=? AND seq<=?");
    db_bind_int(query, 1, ack->session.device);
    db_bind_u64(query, 2, ack->seq);
    int64_t count = 0, bytes = 0;
    if (db_row(db, query)) {
        count = db_int(query, 0);
        bytes = db_int(query, 1);
    }
    db_end(query);
    if (count == 0)
        return;
    query = db_prepare(db, "DELETE FROM envelopes WHERE device=? AND seq<=?");
    db_bind_int(query, 1, ack->session.device);
    db_bind_u64(query, 2, ack->seq);
    db_run(db, query);
    query = db_prepare(db, "UPDATE devices SET inbox_count=inbox_count-?,"
                           " inbox_bytes=inbox_bytes-? WHERE key=?");
    db_bind_int(query, 1, count);
    db_bind_int(query, 2, bytes);
    db_bind_int(query, 3, ack->session.device);
    db_run(db, query);
}

static bool device_exists(struct exec *exec, const struct session *session)
{
    db_query *query = db_prepare(exec->db, "SELECT 1 FROM devices WHERE account=? AND key=?");
    db_bind_int(query, 1, session->account);
    db_bind_int(query, 2, session->device);
    bool found = db_row(exec->db, query);
    db_end(query);
    return found;
}

static uint64_t newest(struct exec *exec, int64_t device)
{
    db_query *query = db_prepare(exec->db, "SELECT max(seq) FROM envelopes WHERE device=?");
    db_bind_int(query, 1, device);
    uint64_t seq = db_row(exec->db, query) ? db_u64(query, 0) : 0;
    db_end(query);
    return seq;
}

void inbox_fetch(struct exec *exec, struct store_op *op)
{
    struct store_inbox_fetch *fetch = &op->inbox_fetch;
    struct db *db = exec->db;
    size_t count = 0, size = 0;
    if (!device_exists(exec, &fetch->session)) {
        refuse(op, WIRE_CODE_NOT_SIGNED_IN, 0);
        return;
    }
    if (fetch->from == 0)
        fetch->head = newest(exec, fetch->session.device);
    struct store_envelope *list = arena_array(&op->arena, FETCH_COUNT, sizeof *list);
    if (list == NULL) {
        db_fail(db, SQLITE_NOMEM);
        return;
    }
    db_query *query = db_prepare(db, "SELECT seq, sealed FROM envelopes"
                                     " WHERE device=? AND seq>=? ORDER BY seq");
    db_bind_int(query, 1, fetch->session.device);
    db_bind_u64(query, 2, fetch->from);
    while (count < FETCH_COUNT && db_row(db, query)) {
        sotto_bytes sealed = db_bytes(query, 1);
        if (count > 0 && size + sealed.size > FETCH_BYTES)
            break;
        list[count].seq = db_u64(query, 0);
        if (store_op_copy(op, sealed, &list[count].sealed) != SOTTO_OK) {
            db_fail(db, SQLITE_NOMEM);
            break;
        }
        size += sealed.size;
        count++;
    }
    db_end(query);
    fetch->envelopes = list;
    fetch->count = count;
}
