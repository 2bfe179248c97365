/* Erasing what has had its time, a little at a time, and the figures for `sottod status`. */
#include "relay/store_sql.h"

static uint64_t figure(struct exec *exec, const char *sql)
{
    db_query *query = db_prepare(exec->db, sql);
    uint64_t value = db_row(exec->db, query) ? db_u64(query, 0) : 0;
    db_end(query);
    return value;
}

static void erase(struct exec *exec, struct store_op *op, const char *sql, uint64_t before)
{
    db_query *query = db_prepare(exec->db, sql);
    db_bind_u64(query, 1, before);
    db_bind_int(query, 2, EXPIRE_ROWS);
    int64_t rows = db_run(exec->db, query);
    op->expire.erased += (uint64_t)rows;
    if (rows >= EXPIRE_ROWS)
        op->expire.more = true;
}

/* ---- Rooms ---------------------------------------------------------------------------------- */

struct span {
    int64_t room;
    uint64_t last;
};

/* Always the beginning of a room's log, up to the newest entry that is too old: a clock that was
 * set back leaves days out of order, and a log must not have holes. */
static size_t find_old_entries(struct exec *exec, uint64_t before, struct span *spans, size_t max)
{
    size_t count = 0;
    db_query *query =
        db_prepare(exec->db, "SELECT room, max(seq) FROM (SELECT room, seq FROM entries"
                             " WHERE day<? ORDER BY day LIMIT ?) GROUP BY room");
    db_bind_u64(query, 1, before);
    db_bind_u64(query, 2, max);
    while (count < max && db_row(exec->db, query)) {
        spans[count].room = db_int(query, 0);
        spans[count].last = db_u64(query, 1);
        count++;
    }
    db_end(query);
    return count;
}

/* Runs a statement of a room and a last seq. Returns how many rows it changed. */
static int64_t run_span(struct exec *exec, const char *sql, const struct span *span)
{
    db_query *query = db_prepare(exec->db, sql);
    db_bind_int(query, 1, span->room);
    db_bind_u64(query, 2, span->last);
    return db_run(exec->db, query);
}

static int64_t bytes_in(struct exec *exec, const struct span *span)
{
    db_query *query =
        db_prepare(exec->db, "SELECT coalesce(sum(length(bytes)),0) FROM entries WHERE position IN"
                             " (SELECT position FROM entry_index WHERE room=? AND seq<=?)");
    db_bind_int(query, 1, span->room);
    db_bind_u64(query, 2, span->last);
    int64_t bytes = db_row(exec->db, query) ? db_int(query, 0) : 0;
    db_end(query);
    return bytes;
}

static int64_t erase_span(struct exec *exec, const struct span *span)
{
    struct db *db = exec->db;
    int64_t bytes = bytes_in(exec, span);
    run_span(exec,
             "DELETE FROM append_ids WHERE room=?1 AND append_id IN"
             " (SELECT append_id FROM entries WHERE position IN"
             " (SELECT position FROM entry_index WHERE room=?1 AND seq<=?2))",
             span);
    int64_t rows = run_span(exec,
                            "DELETE FROM entries WHERE position IN"
                            " (SELECT position FROM entry_index WHERE room=? AND seq<=?)",
                            span);
    run_span(exec, "DELETE FROM entry_index WHERE room=? AND seq<=?", span);
    db_query *query = db_prepare(db, "UPDATE rooms SET first_seq=?, bytes=bytes-? WHERE key=?");
    db_bind_u64(query, 1, span->last + 1);
    db_bind_int(query, 2, bytes);
    db_bind_int(query, 3, span->room);
    db_run(db, query);
    /* A closed gate that opens nothing any more. */
    run_span(exec, "DELETE FROM read_gates WHERE room=? AND until_seq<=?", span);
    return rows;
}

static void expire_entries(struct exec *exec, struct store_op *op, uint64_t before)
{
    struct span spans[EXPIRE_ROWS];
    size_t count = find_old_entries(exec, before, spans, EXPIRE_ROWS);
    int64_t rows = 0;
    for (size_t i = 0; i < count && exec->db->failure == SQLITE_OK; i++)
        rows += erase_span(exec, &spans[i]);
    op->expire.erased += (uint64_t)rows;
    if (rows >= EXPIRE_ROWS)
        op->expire.more = true;
}

/* Rooms where nobody has written for long. Their entries went before, since they are no younger. */
static void expire_rooms(struct exec *exec, struct store_op *op, uint64_t before)
{
    db_query *query = db_prepare(exec->db, "DELETE FROM read_gates WHERE room IN"
                                           " (SELECT key FROM rooms WHERE day<?"
                                           " AND first_seq=next_seq ORDER BY day LIMIT ?)");
    db_bind_u64(query, 1, before);
    db_bind_int(query, 2, EXPIRE_ROWS);
    db_run(exec->db, query);
    erase(exec, op,
          "DELETE FROM rooms WHERE key IN (SELECT key FROM rooms WHERE day<?"
          " AND first_seq=next_seq ORDER BY day LIMIT ?)",
          before);
}

/* ---- People --------------------------------------------------------------------------------- */

static void expire_envelopes(struct exec *exec, struct store_op *op, uint64_t before)
{
    struct db *db = exec->db;
    struct span spans[256];
    size_t count = 0;
    db_query *query = db_prepare(db, "SELECT device, seq FROM envelopes WHERE day<?"
                                     " ORDER BY day LIMIT 256");
    db_bind_u64(query, 1, before);
    while (count < 256 && db_row(db, query)) {
        spans[count].room = db_int(query, 0); /* here: the device */
        spans[count].last = db_u64(query, 1);
        count++;
    }
    db_end(query);
    for (size_t i = 0; i < count; i++) {
        query = db_prepare(db, "UPDATE devices SET inbox_count=inbox_count-1, inbox_bytes="
                               "inbox_bytes-(SELECT length(sealed) FROM envelopes"
                               " WHERE device=?1 AND seq=?2) WHERE key=?1");
        db_bind_int(query, 1, spans[i].room);
        db_bind_u64(query, 2, spans[i].last);
        db_run(db, query);
        query = db_prepare(db, "DELETE FROM envelopes WHERE device=? AND seq=?");
        db_bind_int(query, 1, spans[i].room);
        db_bind_u64(query, 2, spans[i].last);
        db_run(db, query);
    }
    op->expire.erased += count;
    if (count == 256)
        op->expire.more = true;
}

static void expire_people(struct exec *exec, struct store_op *op)
{
    const struct store_expire *expire = &op->expire;
    erase(exec, op,
          "DELETE FROM taken WHERE rowid IN (SELECT rowid FROM taken WHERE day<? LIMIT ?)",
          expire->today - REPEAT_DAYS);
    erase(exec, op,
          "DELETE FROM posts WHERE (device, post_id) IN"
          " (SELECT device, post_id FROM posts WHERE day<? LIMIT ?)",
          expire->today - REPEAT_DAYS);
    if (expire->today > KEY_PACKAGE_DAYS)
        erase(exec, op,
              "DELETE FROM key_packages WHERE position IN"
              " (SELECT position FROM key_packages WHERE day<? LIMIT ?)",
              expire->today - KEY_PACKAGE_DAYS);
    erase(exec, op,
          "DELETE FROM grants WHERE (account, hash) IN"
          " (SELECT account, hash FROM grants WHERE expires<=? LIMIT ?)",
          expire->now);
    erase(exec, op,
          "DELETE FROM invitations WHERE hash IN"
          " (SELECT hash FROM invitations WHERE expires<=? OR uses_left=0 LIMIT ?)",
          expire->now);
    /* A code's row counts the codes of its day, and so outlives the code. */
    erase(exec, op,
          "DELETE FROM codes WHERE phone IN (SELECT phone FROM codes WHERE day<? LIMIT ?)",
          expire->today);
    if (expire->ip_seconds >= 0 && (uint64_t)expire->ip_seconds < expire->now)
        erase(exec, op,
              "UPDATE accounts SET last_ip=NULL, last_ip_time=NULL WHERE key IN"
              " (SELECT key FROM accounts WHERE last_ip_time<? LIMIT ?)",
              expire->now - (uint64_t)expire->ip_seconds + 1);
}

/* What was spent of keys that have ended: nobody takes such tokens any more. */
static void expire_tokens(struct exec *exec, struct store_op *op)
{
    uint64_t oldest =
        figure(exec, "SELECT coalesce(min(number), (SELECT max(number)+1 FROM"
                     " token_keys), 0) FROM token_keys WHERE private_key IS NOT NULL");
    erase(exec, op,
          "DELETE FROM token_spent WHERE (key, nonce) IN"
          " (SELECT key, nonce FROM token_spent WHERE key<? LIMIT ?)",
          oldest);
    /* Yesterday's row may still be asked for an answer that was lost. */
    erase(exec, op,
          "DELETE FROM token_issues WHERE account IN"
          " (SELECT account FROM token_issues WHERE day<? LIMIT ?)",
          op->expire.today - 1);
}

/* A clock that stood ahead left days of the future behind, which would never expire. */
static void pull_back(struct exec *exec, uint64_t latest)
{
    static const char *const statements[] = {
        "UPDATE entries SET day=?1 WHERE position IN"
        " (SELECT position FROM entries WHERE day>?1+1 LIMIT ?2)",
        "UPDATE envelopes SET day=?1 WHERE position IN"
        " (SELECT position FROM envelopes WHERE day>?1+1 LIMIT ?2)",
        "UPDATE key_packages SET day=?1 WHERE position IN"
        " (SELECT position FROM key_packages WHERE day>?1+1 LIMIT ?2)",
        "UPDATE rooms SET day=?1 WHERE key IN (SELECT key FROM rooms WHERE day>?1+1 LIMIT ?2)",
        "UPDATE codes SET day=?1 WHERE day>?1+1 AND ?2",
        "UPDATE blobs SET day=?1 WHERE hash IN (SELECT hash FROM blobs WHERE day>?1+1 LIMIT ?2)",
        "UPDATE token_issues SET day=?1 WHERE day>?1+1 AND ?2",
    };
    for (size_t i = 0; i < sizeof statements / sizeof *statements; i++) {
        db_query *query = db_prepare(exec->db, statements[i]);
        db_bind_u64(query, 1, latest);
        db_bind_int(query, 2, EXPIRE_ROWS);
        db_run(exec->db, query);
    }
}

void expiry_expire(struct exec *exec, struct store_op *op)
{
    struct store_expire *expire = &op->expire;
    expire->more = false;
    expire->erased = 0;
    exec->erased = exec->erased || exec->log_owed; /* what a reader, or a kill, was in the way of */
    uint64_t retention = expire->retention_days;
    uint64_t room_days = expire->room_days > retention ? expire->room_days : retention;
    if (expire->today <= room_days || expire->today <= REPEAT_DAYS)
        return;                                 /* a clock that was never set */
    tail_index(exec->tail, exec->db, SIZE_MAX); /* what is erased below is found by its index */
    pull_back(exec, expire->latest);
    expire_entries(exec, op, expire->today - retention);
    expire_envelopes(exec, op, expire->today - retention);
    expire_rooms(exec, op, expire->today - room_days);
    expire_people(exec, op);
    expire_tokens(exec, op);
    exec->erased = expire->erased > 0 && !expire->more;
}

/* ---- Status --------------------------------------------------------------------------------- */

void expiry_status(struct exec *exec, struct store_op *op)
{
    op->status = (struct store_status){
        .accounts = figure(exec, "SELECT count(*) FROM accounts"),
        .devices = figure(exec, "SELECT count(*) FROM devices"),
        .key_packages = figure(exec, "SELECT count(*) FROM key_packages"),
        .envelopes = figure(exec, "SELECT coalesce(sum(inbox_count),0) FROM devices"),
        .rooms = figure(exec, "SELECT count(*) FROM rooms"),
        .entries = figure(exec, "SELECT coalesce(sum(next_seq-first_seq),0) FROM rooms"),
        .blobs = figure(exec, "SELECT count(*) FROM blobs"),
        .blob_bytes = figure(exec, "SELECT coalesce(sum(size),0) FROM blobs"),
        .bytes = figure(exec, "SELECT (SELECT coalesce(sum(bytes),0) FROM rooms)"
                              " + (SELECT coalesce(sum(inbox_bytes),0) FROM devices)"),
    };
}
