#include "core/order_log.h"

#include <string.h>

#include "core/notices.h"
#include "tlog/notice.h"

enum {
    PARTS_MAX = 40,      /* kept at once: a bundle, and the tiles of two edges of the tree */
    BUNDLES_MAX = 8,     /* of 256 entries, with one connection: what a hostile log may cost */
    RESTARTS_MAX = 3,    /* where another process of this profile was quicker */
    LOOKED_S = 6 * 3600, /* that nothing is new is written down as often */
    AGAIN_MS = 6 * 3600 * 1000, /* where the core stays connected */
    FAILED_AGAIN_MS = 10 * 60 * 1000,
};

enum step { STEP_NONE, STEP_CHECKPOINT, STEP_COUNT, STEP_NOTICE };

/* A part of the log as it came in this run. */
struct part {
    char path[TLOG_TILE_PATH_MAX];
    bool absent; /* the relay has none such */
    sotto_buf bytes;
};

struct order_log {
    struct conn *done_conn; /* whose run was made, */
    uint32_t done_generation;
    uint64_t again_ms; /* the next one on the same connection, where the core is patient */
    bool at_once;      /* likewise: now */
    uint32_t notices_generation; /* of the account connection on which notices were looked at, */
    int64_t notices_up_to;       /* up to this one; INT64_MAX: all */
    uint64_t mark;
    bool told; /* the listener was */
    struct sotto_problem problem;

    /* The run: */
    enum step step;
    bool of_notice, counts; /* whether entries are read */
    struct conn *conn;
    uint32_t generation;
    bool asking;
    bool broken; /* what was asked was not answered, and says nothing of the log */
    char wanted[TLOG_TILE_PATH_MAX]; /* what is missing; empty: nothing */
    struct part parts[PARTS_MAX];
    size_t part_count;
    unsigned restarts, bundles;
    struct tlog_tiles *tiles;
    struct arena arena;
    struct store_order_log row; /* as it was when the run began: what comes has to continue it */
    bool has_key, new_key;      /* new: it was learnt in this run */
    char key_text[TLOG_KEY_TEXT_MAX + 1];
    struct tlog_key key;
    struct tlog_checkpoint seen, newest;
    sotto_buf note; /* the newest, as it came; empty: none came yet */
    int64_t waiting_up_to;
    struct order_counting counting;
    struct store_notice notice;
};

static struct order_log *log_of(struct sotto *core)
{
    if (core->order_log == NULL) {
        core->order_log = mem_alloc(core->env, sizeof *core->order_log);
        if (core->order_log != NULL) {
            core->order_log->notices_up_to = -1;
            problem_clear(&core->order_log->problem);
        }
    }
    return core->order_log;
}

/* ---- Parts ---------------------------------------------------------------------------------- */

static void parts_forget(struct order_log *log)
{
    for (size_t i = 0; i < log->part_count; i++)
        sotto_buf_free(&log->parts[i].bytes);
    log->part_count = 0;
    if (log->tiles != NULL)
        memset(log->tiles->kept, 0, sizeof log->tiles->kept);
}

/* NOT_FOUND: the relay has none. STATE: it has not come yet, and is wanted. */
static sotto_error part_get(struct order_log *log, const char *path, sotto_bytes *bytes)
{
    for (size_t i = 0; i < log->part_count; i++)
        if (strcmp(log->parts[i].path, path) == 0) {
            *bytes = sotto_buf_view(&log->parts[i].bytes);
            return log->parts[i].absent ? SOTTO_NOT_FOUND : SOTTO_OK;
        }
    if (log->part_count == PARTS_MAX)
        return SOTTO_LIMIT;
    (void)snprintf(log->wanted, sizeof log->wanted, "%s", path);
    return SOTTO_STATE;
}

static sotto_error tile_get(struct order_log *log, const struct tlog_tile *tile, sotto_bytes *bytes)
{
    char path[TLOG_TILE_PATH_MAX];
    tlog_tile_path(tile, path);
    return part_get(log, path, bytes);
}

static sotto_error fetch_tile(void *ctx, const struct tlog_tile *tile,
                              uint8_t out[static TLOG_TILE_SIZE])
{
    sotto_bytes bytes;
    TRY(tile_get(ctx, tile, &bytes));
    if (bytes.size != (size_t)tile->width * TLOG_HASH_SIZE)
        return SOTTO_LENGTH;
    memcpy(out, bytes.data, bytes.size);
    return SOTTO_OK;
}

static void on_part(void *ctx, sotto_error error, const struct message *answer)
{
    struct sotto *core = ctx;
    struct order_log *log = core->order_log;
    log->asking = false;
    log->mark++;
    /* An older relay knows no such request: it keeps no log. */
    const bool absent = error == SOTTO_REFUSED && (answer->error.code == WIRE_CODE_NO_LOG ||
                                                   answer->error.code == WIRE_CODE_UNKNOWN_TYPE);
    if ((error != SOTTO_OK && !absent) || log->part_count == PARTS_MAX) {
        log->broken = true;
        return;
    }
    struct part *part = &log->parts[log->part_count];
    memcpy(part->path, log->wanted, sizeof part->path);
    part->absent = absent;
    sotto_buf_init(&part->bytes, core->env);
    if (!absent &&
        sotto_buf_append(&part->bytes, answer->log_file.data, answer->log_file.size) != SOTTO_OK) {
        log->broken = true;
        return;
    }
    log->part_count++;
    log->wanted[0] = '\0';
}

static bool ask(struct sotto *core, struct order_log *log)
{
    struct message message;
    memset(&message, 0, sizeof message);
    message.type = MESSAGE_LOG_GET;
    message.log_path = sotto_bytes_str(log->wanted);
    log->asking = link_request(log->conn->link, &message, on_part, core, NULL) == SOTTO_OK;
    return log->asking;
}

/* ---- The end of a run ----------------------------------------------------------------------- */

static void run_free(struct order_log *log)
{
    parts_forget(log);
    if (log->tiles != NULL)
        mem_free(log->arena.env, log->tiles, sizeof *log->tiles);
    log->tiles = NULL;
    if (log->step != STEP_NONE) {
        sotto_buf_free(&log->note);
        arena_free(&log->arena);
    }
    log->step = STEP_NONE;
    log->wanted[0] = '\0';
}

static void run_end(struct sotto *core, struct order_log *log, bool failed)
{
    const uint64_t pause = failed ? FAILED_AGAIN_MS : AGAIN_MS;
    if (!log->of_notice) {
        log->done_conn = log->conn;
        log->done_generation = log->generation;
        log->again_ms = net_now_ms(core) + pause + net_jitter(core, pause / 4);
    } else {
        log->notices_up_to = failed ? INT64_MAX : log->notice.number;
    }
    log->mark++;
    run_free(log);
}

/* ---- Keeping -------------------------------------------------------------------------------- */

static sotto_error row_get(struct sotto *core, const char *relay, struct arena *arena,
                           struct store_order_log *row)
{
    const sotto_error error = store_order_log_get(core->store, relay, arena, row);
    if (error != SOTTO_NOT_FOUND)
        return error;
    *row = (struct store_order_log){.relay = relay, .key = ""};
    return SOTTO_OK;
}

/* Inside a transaction. EXISTS: another process has stored something else since the run began, and
 * what was found says nothing against that. */
static sotto_error row_same(struct sotto *core, struct order_log *log, struct store_order_log *now)
{
    TRY(row_get(core, log->conn->relay, &log->arena, now));
    return strcmp(now->key, log->row.key) == 0 && sotto_bytes_equal(now->note, log->row.note)
               ? SOTTO_OK
               : SOTTO_EXISTS;
}

static bool passes(uint32_t verdict)
{
    return verdict == TLOG_UNSIGNED || verdict == TLOG_WITHHELD || verdict == TLOG_GONE;
}

/* Inside a transaction: what was good. whole: the run came to its end. */
static sotto_error keep_good(struct sotto *core, struct order_log *log, bool whole)
{
    struct store_order_log row;
    struct order_counting before;
    const uint64_t now_s = core_now_s(core);
    sotto_buf counted;
    TRY(row_same(core, log, &row));
    const bool grew = !sotto_bytes_equal(sotto_buf_view(&log->note), row.note);
    order_counting_read(row.counted, &before);
    const bool more = log->counting.frontier.size > before.frontier.size;
    const bool clears = whole && passes(row.verdict);
    if (!grew && !more && !clears && !log->new_key && row.looked_s <= now_s &&
        now_s - row.looked_s < LOOKED_S)
        return SOTTO_OK;
    sotto_buf_init(&counted, core->env);
    sotto_error error = order_counting_write(more ? &log->counting : &before, &counted);
    row.key = log->key_text;
    row.counted = sotto_buf_view(&counted);
    row.looked_s = now_s;
    if (grew) {
        row.note = sotto_buf_view(&log->note);
        row.grew_s = now_s;
    }
    if (clears) {
        row.verdict = TLOG_GOOD;
        row.convicted_s = 0;
    }
    if (error == SOTTO_OK)
        error = store_order_log_put(core->store, &row);
    sotto_buf_free(&counted);
    if (error == SOTTO_OK && log->new_key)
        error = notices_judge_waiting(core, log->conn->relay, &log->key);
    return error;
}

/* Inside a transaction: the relay keeps no log, so nobody can have signed what waits. */
static sotto_error keep_none(struct sotto *core, struct order_log *log)
{
    struct store_order_log row;
    const uint64_t now_s = core_now_s(core);
    TRY(row_same(core, log, &row));
    TRY(notices_drop_waiting(core, log->conn->relay, log->waiting_up_to));
    if (row.looked_s != 0 && row.looked_s <= now_s && now_s - row.looked_s < LOOKED_S)
        return SOTTO_OK;
    row.looked_s = now_s;
    return store_order_log_put(core->store, &row);
}

/* Inside a transaction: the log is convicted, by two notes where it signed two. */
static sotto_error keep_conviction(struct sotto *core, struct order_log *log,
                                   enum tlog_verdict verdict, const char *other_key,
                                   sotto_bytes after)
{
    struct store_order_log row;
    TRY(row_same(core, log, &row));
    const struct store_order_evidence evidence = {.relay = log->conn->relay,
                                                  .verdict = verdict,
                                                  .time_s = core_now_s(core),
                                                  .key = row.key,
                                                  .other_key = other_key,
                                                  .before = row.note,
                                                  .after = after};
    TRY(store_order_evidence_add(core->store, &evidence));
    /* What lasts is not covered by what passes. */
    if (row.verdict != TLOG_GOOD && (!passes(row.verdict) || passes(verdict)))
        return SOTTO_OK;
    row.verdict = verdict;
    row.convicted_s = evidence.time_s;
    return store_order_log_put(core->store, &row);
}

static sotto_error commit_or_back(struct sotto *core, sotto_error error)
{
    if (error == SOTTO_OK)
        error = store_commit(core->store);
    if (error != SOTTO_OK)
        store_rollback(core->store);
    return error;
}

static sotto_error good(struct sotto *core, struct order_log *log, bool whole)
{
    TRY(store_begin(core->store));
    return commit_or_back(core, keep_good(core, log, whole));
}

static sotto_error convict(struct sotto *core, struct order_log *log, enum tlog_verdict verdict,
                           const char *other_key, sotto_bytes after)
{
    char said[TLOG_VERDICT_TEXT];
    TRY(store_begin(core->store));
    TRY(commit_or_back(core, keep_conviction(core, log, verdict, other_key, after)));
    tlog_verdict_say(verdict, &log->seen, &log->newest, said);
    order_log_trouble(log->conn->relay, verdict, said, &log->problem);
    if (core->listener != NULL && core->listener->notice != NULL && !log->told)
        core->listener->notice(core->listener->ctx, &log->problem);
    log->told = true;
    return SOTTO_OK;
}

/* ---- The checkpoint ------------------------------------------------------------------------- */

static bool read_key(sotto_bytes text, struct tlog_key *key, char out[TLOG_KEY_TEXT_MAX + 1])
{
    if (text.size > 0 && text.data[text.size - 1] == '\n')
        text.size--;
    if (tlog_key_read(text, key) != SOTTO_OK || key->type != TLOG_KEY_LOG)
        return false;
    tlog_key_write(key, out);
    return true;
}

/* Its key is the one that the relay says first, over a connection that is the relay's. */
static sotto_error learn_key(struct sotto *core, struct order_log *log, bool *over)
{
    sotto_bytes text;
    *over = true;
    const sotto_error error = part_get(log, "key", &text);
    if (error == SOTTO_NOT_FOUND) {
        TRY(store_begin(core->store));
        return commit_or_back(core, keep_none(core, log));
    }
    TRY(error);
    if (!read_key(text, &log->key, log->key_text))
        return convict(core, log, TLOG_UNSIGNED, "", sotto_bytes_of(NULL, 0));
    log->has_key = log->new_key = true;
    *over = false;
    return SOTTO_OK;
}

/* The checkpoint is not signed by the log's key: another log's, or nobody's. */
static sotto_error unsigned_by_it(struct sotto *core, struct order_log *log, sotto_bytes note)
{
    sotto_bytes text;
    struct tlog_key other;
    char other_text[TLOG_KEY_TEXT_MAX + 1];
    sotto_error error = part_get(log, "key", &text);
    if (error != SOTTO_OK && error != SOTTO_NOT_FOUND)
        return error;
    if (error == SOTTO_OK && read_key(text, &other, other_text) &&
        strcmp(other_text, log->key_text) != 0 &&
        tlog_checkpoint_open(note, &other, &log->newest, NULL, NULL) == SOTTO_OK)
        return convict(core, log, TLOG_OTHER_KEY, other_text, note);
    return convict(core, log, TLOG_UNSIGNED, "", note);
}

static sotto_error step_checkpoint(struct sotto *core, struct order_log *log, bool *over)
{
    sotto_bytes note = {0};
    enum tlog_verdict verdict = TLOG_GOOD;
    *over = false;
    if (!log->has_key)
        TRY(learn_key(core, log, over));
    if (*over)
        return SOTTO_OK;
    const sotto_error error = part_get(log, "checkpoint", &note);
    if (error != SOTTO_OK && error != SOTTO_NOT_FOUND)
        return error;
    *over = true;
    if (error == SOTTO_NOT_FOUND)
        return log->row.note.size > 0 ? convict(core, log, TLOG_GONE, "", note) : SOTTO_OK;
    *over = false;
    TRY(tlog_follow(note, &log->key, &log->seen, log->tiles, &log->newest, NULL, NULL, &verdict));
    *over = true;
    if (verdict == TLOG_UNSIGNED)
        return unsigned_by_it(core, log, note);
    if (verdict != TLOG_GOOD)
        return convict(core, log, verdict, "", note);
    *over = false;
    TRY(sotto_buf_append(&log->note, note.data, note.size));
    parts_forget(log);
    log->step = log->of_notice ? STEP_NOTICE : STEP_COUNT;
    return SOTTO_OK;
}

/* ---- The entries ---------------------------------------------------------------------------- */

/* Those of the next bundle that were not read before. */
static sotto_error count_bundle(struct order_log *log, enum tlog_verdict *verdict)
{
    struct order_counting counting = log->counting;
    const uint64_t from = counting.frontier.size;
    struct tlog_tile tile = {.level = TLOG_ENTRIES, .index = from / TLOG_TILE_WIDTH};
    sotto_bytes bundle, entry;
    tile.width = tlog_tile_width(TLOG_ENTRIES, tile.index, log->newest.size);
    const sotto_error error = tile_get(log, &tile, &bundle);
    *verdict = error == SOTTO_NOT_FOUND ? TLOG_WITHHELD : TLOG_GOOD;
    if (error != SOTTO_OK)
        return error == SOTTO_NOT_FOUND ? SOTTO_OK : error;
    for (unsigned i = 0; i < tile.width && *verdict == TLOG_GOOD; i++) {
        if (tlog_bundle_take(&bundle, &entry) != SOTTO_OK)
            *verdict = TLOG_WITHHELD;
        else if (tile.index * TLOG_TILE_WIDTH + i >= from &&
                 order_counting_add(&counting, entry) != SOTTO_OK)
            *verdict = TLOG_BAD_ENTRY;
    }
    if (*verdict == TLOG_GOOD && bundle.size > 0)
        *verdict = TLOG_WITHHELD;
    if (*verdict == TLOG_GOOD) {
        log->counting = counting;
        log->bundles++;
    }
    parts_forget(log);
    return SOTTO_OK;
}

static sotto_error step_count(struct sotto *core, struct order_log *log, bool *over)
{
    enum tlog_verdict verdict = TLOG_GOOD;
    struct tlog_hash root;
    *over = false;
    while (log->counts && log->bundles < BUNDLES_MAX && verdict == TLOG_GOOD &&
           log->counting.frontier.size < log->newest.size)
        TRY(count_bundle(log, &verdict));
    /* What was read has to be what the checkpoint is about. */
    if (verdict == TLOG_GOOD && log->counts) {
        tlog_frontier_root(&log->counting.frontier, &root);
        TRY(tlog_follow_from(log->counting.frontier.size, &root, &log->newest, log->tiles,
                             &verdict));
        if (verdict == TLOG_FORKED)
            verdict = TLOG_DIFFERENT;
    }
    *over = true;
    if (verdict != TLOG_GOOD)
        return convict(core, log, verdict, "", sotto_buf_view(&log->note));
    return good(core, log, log->counts);
}

/* ---- A notice's entry ----------------------------------------------------------------------- */

/* The bundle is fetched whole, on the connection on which the relay knows whom it told. */
static sotto_error look_up(struct order_log *log, const struct tlog_notice *notice,
                           enum store_notice_entry *found, enum tlog_verdict *verdict)
{
    struct tlog_tile tile = {.level = TLOG_ENTRIES, .index = notice->entry / TLOG_TILE_WIDTH};
    struct tlog_leaf leaf;
    sotto_bytes bundle, entry = {0};
    *verdict = TLOG_GOOD;
    *found = STORE_ENTRY_MISSING;
    if (notice->entry >= log->newest.size)
        return SOTTO_OK;
    tile.width = tlog_tile_width(TLOG_ENTRIES, tile.index, log->newest.size);
    sotto_error error = tile_get(log, &tile, &bundle);
    for (uint64_t i = 0; error == SOTTO_OK && i <= notice->entry % TLOG_TILE_WIDTH; i++)
        if (tlog_bundle_take(&bundle, &entry) != SOTTO_OK)
            error = SOTTO_NOT_FOUND;
    if (error == SOTTO_NOT_FOUND) {
        *verdict = TLOG_WITHHELD;
        return SOTTO_OK;
    }
    TRY(error);
    TRY(tlog_follow_entry(notice->entry, entry, &log->newest, log->tiles, verdict));
    *found = tlog_leaf_read(entry, &leaf) == SOTTO_OK && tlog_notice_matches(notice, &leaf)
                 ? STORE_ENTRY_CONFIRMED
                 : STORE_ENTRY_OTHER;
    return SOTTO_OK;
}

static sotto_error step_notice(struct sotto *core, struct order_log *log, bool *over)
{
    struct tlog_notice notice;
    enum tlog_verdict verdict;
    enum store_notice_entry found;
    *over = false;
    sotto_error error = notices_read(core, log->notice.note, &notice);
    if (error != SOTTO_OK) { /* of a store that somebody else wrote */
        *over = true;
        return error_is_local(error) ? error : SOTTO_OK;
    }
    error = look_up(log, &notice, &found, &verdict);
    tlog_notice_free(&notice);
    TRY(error);
    *over = true;
    if (verdict != TLOG_GOOD)
        return convict(core, log, verdict, "",
                       log->note.size > 0 ? sotto_buf_view(&log->note) : log->row.note);
    if (log->note.size > 0)
        TRY(good(core, log, false));
    TRY(store_begin(core->store));
    return commit_or_back(core, store_notice_set_entry(core->store, log->notice.number, found));
}

/* ---- Beginning ------------------------------------------------------------------------------ */

/* What the run judges by. */
static sotto_error run_prepare(struct sotto *core, struct order_log *log)
{
    arena_init(&log->arena, core->env);
    sotto_buf_init(&log->note, core->env);
    log->step = STEP_CHECKPOINT;
    log->broken = log->has_key = log->new_key = false;
    log->bundles = 0;
    log->wanted[0] = '\0';
    memset(&log->seen, 0, sizeof log->seen);
    memset(&log->newest, 0, sizeof log->newest);
    log->tiles = mem_alloc(core->env, sizeof *log->tiles);
    if (log->tiles == NULL)
        return SOTTO_NO_MEMORY;
    log->tiles->fetch = fetch_tile;
    log->tiles->ctx = log;
    TRY(row_get(core, log->conn->relay, &log->arena, &log->row));
    TRY(store_notices_newest(core->store, &log->waiting_up_to));
    order_counting_read(log->row.counted, &log->counting);
    if (log->row.key[0] != '\0') {
        TRY(tlog_key_read(sotto_bytes_str(log->row.key), &log->key));
        tlog_key_write(&log->key, log->key_text);
        log->has_key = true;
    }
    return log->row.note.size == 0
               ? SOTTO_OK
               : tlog_checkpoint_open(log->row.note, &log->key, &log->seen, NULL, NULL);
}

static bool run_begin(struct sotto *core, struct order_log *log, struct conn *conn, bool of_notice)
{
    log->conn = conn;
    log->generation = conn->generation;
    log->of_notice = of_notice;
    log->counts = core->inbox.want_envelopes;
    if (!of_notice)
        problem_clear(&log->problem);
    if (run_prepare(core, log) == SOTTO_OK)
        return true;
    run_end(core, log, true);
    return false;
}

/* The room connection to the account's relay: made where the run wants the account at all, else the
 * one that there is. */
static struct conn *room_conn(struct sotto *core)
{
    if (core->inbox.want_envelopes)
        return net_conn(core, core->profile.relay, CONNECTION_ROOM);
    for (struct conn *conn = core->conns; conn != NULL; conn = conn->next)
        if (conn->kind == CONNECTION_ROOM && !conn->blobs && conn->ready &&
            strcmp(conn->relay, core->profile.relay) == 0)
            return conn;
    return NULL;
}

/* Whether a run is to be made on that connection. */
static bool is_due(struct sotto *core, const struct order_log *log, const struct conn *conn)
{
    if (log->at_once || conn != log->done_conn || conn->generation != log->done_generation)
        return true;
    return core->patient && net_now_ms(core) >= log->again_ms;
}

/* True: a run begins, or will as soon as the connection is there. */
static bool begin_following(struct sotto *core, struct order_log *log)
{
    struct conn *conn = room_conn(core);
    if (conn == NULL || (conn->link != NULL && conn->ready && !is_due(core, log, conn)))
        return false;
    if (!conn_up(conn) || !conn->ready)
        return !core->patient && !conn_failed(conn) && core->inbox.want_envelopes;
    log->at_once = false;
    log->restarts = 0;
    return run_begin(core, log, conn, false);
}

/* The same for the next notice whose entry was not found yet. */
static bool begin_notice(struct sotto *core, struct order_log *log)
{
    const struct inbox *inbox = &core->inbox;
    struct conn *conn = inbox->conn;
    if (!inbox->want_envelopes || !inbox->subscribed || inbox->failed || conn == NULL ||
        conn->link == NULL || conn->dead || !conn->ready ||
        inbox->conn_generation != conn->generation)
        return false;
    if (log->notices_generation != conn->generation) {
        log->notices_generation = conn->generation;
        log->notices_up_to = -1;
    }
    if (log->notices_up_to == INT64_MAX)
        return false;
    const int64_t up_to = log->notices_up_to;
    log->notices_up_to = INT64_MAX; /* unless there is one */
    log->restarts = 0;
    if (!run_begin(core, log, conn, true))
        return false;
    struct tlog_notice notice;
    sotto_error error =
        store_notice_unconfirmed(core->store, conn->relay, up_to, &log->arena, &log->notice);
    if (error == SOTTO_OK && log->has_key && log->row.verdict == TLOG_GOOD)
        error = notices_read(core, log->notice.note, &notice);
    else
        error = SOTTO_NOT_FOUND;
    if (error != SOTTO_OK) {
        run_free(log);
        return false;
    }
    if (notice.entry < log->seen.size) {
        log->newest = log->seen;
        log->step = STEP_NOTICE;
    }
    tlog_notice_free(&notice);
    return true;
}

/* ---- Running -------------------------------------------------------------------------------- */

static sotto_error run_step(struct sotto *core, struct order_log *log, bool *over)
{
    sotto_error error = SOTTO_OK;
    *over = false;
    while (error == SOTTO_OK && !*over)
        error = log->step == STEP_CHECKPOINT ? step_checkpoint(core, log, over)
                : log->step == STEP_COUNT    ? step_count(core, log, over)
                                             : step_notice(core, log, over);
    return error;
}

/* True: it goes on. */
static bool run_go_on(struct sotto *core, struct order_log *log)
{
    bool over = false;
    if (log->asking && log->conn->link != NULL && !log->conn->dead &&
        log->conn->generation == log->generation)
        return true;
    if (log->asking || log->broken) {
        log->asking = false;
        if (log->step == STEP_COUNT) { /* the checkpoint is good; what was read is not proved yet */
            order_counting_read(log->row.counted, &log->counting);
            (void)good(core, log, false);
        }
        run_end(core, log, true);
        return false;
    }
    const sotto_error error = run_step(core, log, &over);
    if (error == SOTTO_STATE && log->wanted[0] != '\0' && ask(core, log))
        return true;
    /* Another process was quicker: what it stored is what counts now. */
    if (error == SOTTO_EXISTS && log->restarts++ < RESTARTS_MAX && !log->of_notice) {
        run_free(log);
        return run_begin(core, log, log->conn, false);
    }
    run_end(core, log, error != SOTTO_OK);
    return false;
}

bool order_log_step(struct sotto *core)
{
    struct order_log *log = log_of(core);
    const bool waits = core->inbox.want_envelopes && !core->patient;
    if (log == NULL || !core->has_identity || core->profile.registration != STORE_REGISTERED ||
        core->inbox.visiting || core->inbox.deleting || core->ending)
        return false;
    /* What ends leads to the next one: sync would not come again. */
    while (log->step == STEP_NONE || !run_go_on(core, log)) {
        if (!begin_following(core, log) && !begin_notice(core, log))
            return false;
        if (log->step == STEP_NONE)
            break; /* as soon as it is connected */
    }
    return waits;
}

uint64_t order_log_mark(const struct sotto *core)
{
    return core->order_log != NULL ? core->order_log->mark : 0;
}

void order_log_notice(struct sotto *core, bool waits)
{
    struct order_log *log = log_of(core);
    if (log == NULL)
        return;
    log->notices_up_to = -1;
    log->at_once |= waits;
}

const struct sotto_problem *order_log_problem(const struct sotto *core)
{
    return core->order_log != NULL && core->order_log->problem.code != SOTTO_CODE_OK
               ? &core->order_log->problem
               : NULL;
}

void order_log_free(struct sotto *core)
{
    if (core->order_log == NULL)
        return;
    run_free(core->order_log);
    mem_free(core->env, core->order_log, sizeof *core->order_log);
    core->order_log = NULL;
}
