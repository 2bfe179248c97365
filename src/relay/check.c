#include "relay/check.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "relay/files.h"
#include "relay/store_sql.h"
#include "wire/tls.h"

/* Each statement counts what must not be. */
static const struct {
    const char *what, *sql;
} rules[] = {
    {"rooms whose entries are not exactly those from the first to the next number",
     "SELECT count(*) FROM rooms LEFT JOIN (SELECT room, count(DISTINCT seq) n, count(*) rows,"
     " min(seq) low, max(seq) high FROM entries GROUP BY room) ON room=key WHERE first_seq<1 OR"
     " coalesce(n,0)<>next_seq-first_seq OR n<>rows OR low<>first_seq OR high<>next_seq-1"},
    {"rooms whose size is not that of their entries",
     "SELECT count(*) FROM rooms LEFT JOIN (SELECT room, sum(length(bytes)) sum FROM entries"
     " GROUP BY room) ON room=key WHERE coalesce(sum,0)<>rooms.bytes"},
    {"entries of no room",
     "SELECT count(*) FROM entries WHERE room NOT IN (SELECT key FROM rooms)"},
    {"entries of a later epoch than their room's, or than the entry behind them",
     "SELECT count(*) FROM (SELECT e.epoch epoch, r.epoch top, lead(e.epoch) OVER"
     " (PARTITION BY e.room ORDER BY e.seq) after FROM entries e JOIN rooms r ON r.key=e.room)"
     " WHERE epoch>top OR epoch>after"},
    {"entries that are not found by their number or by their append_id",
     "SELECT count(*) FROM entries e LEFT JOIN entry_index i ON i.room=e.room AND i.seq=e.seq"
     " LEFT JOIN append_ids a ON a.room=e.room AND a.append_id=e.append_id"
     " WHERE (i.position IS NOT e.position OR a.seq IS NOT e.seq) AND"
     " (e.position<(SELECT position FROM tail) OR i.seq IS NOT NULL OR a.seq IS NOT NULL)"},
    {"numbers or append_ids of no entry",
     "SELECT (SELECT count(*) FROM entry_index i LEFT JOIN entries e ON e.position=i.position"
     " WHERE e.room IS NOT i.room OR e.seq IS NOT i.seq) +"
     " (SELECT count(*) FROM append_ids a LEFT JOIN entry_index i ON i.room=a.room AND i.seq=a.seq"
     " LEFT JOIN entries e ON e.position=i.position WHERE e.append_id IS NOT a.append_id)"},
    {"rooms with damaged fields",
     "SELECT count(*) FROM rooms WHERE length(room_id)<>32 OR length(write_gate)<>32 OR epoch<0"},
    {"entries with damaged fields",
     "SELECT count(*) FROM entries WHERE length(append_id)<>16 OR kind NOT IN (1,2)"},
    {"rooms without exactly one open read gate",
     "SELECT count(*) FROM rooms WHERE (SELECT count(*) FROM read_gates WHERE room=key AND"
     " until_seq IS NULL)<>1"},
    {"read gates that are damaged, of no room, or closed behind the room's end",
     "SELECT count(*) FROM read_gates LEFT JOIN rooms ON key=room WHERE key IS NULL OR"
     " length(gate)<>32 OR until_seq>=next_seq OR (until_seq IS NULL)<>(until_epoch IS NULL)"},
    {"accounts with damaged fields",
     "SELECT count(*) FROM accounts WHERE length(account_id)<>32 OR length(manifest)=0"},
    {"devices that are damaged or of no account",
     "SELECT count(*) FROM devices LEFT JOIN accounts ON accounts.key=account WHERE"
     " accounts.key IS NULL OR length(device_id)<>16 OR length(sign_in_hash)<>32"},
    {"inboxes whose envelopes are not counted right",
     "SELECT count(*) FROM devices LEFT JOIN (SELECT device, count(*) n, sum(length(sealed)) sum,"
     " max(seq) high FROM envelopes GROUP BY device) ON device=key WHERE"
     " coalesce(n,0)<>inbox_count OR coalesce(sum,0)<>inbox_bytes OR high>=inbox_next"},
    {"rows of no device",
     "SELECT (SELECT count(*) FROM envelopes WHERE device NOT IN (SELECT key FROM devices)) +"
     " (SELECT count(*) FROM key_packages WHERE device NOT IN (SELECT key FROM devices)) +"
     " (SELECT count(*) FROM taken WHERE device NOT IN (SELECT key FROM devices)) +"
     " (SELECT count(*) FROM posts WHERE device NOT IN (SELECT key FROM devices))"},
    {"grants that are damaged or of no account",
     "SELECT count(*) FROM grants WHERE account NOT IN (SELECT key FROM accounts) OR"
     " length(hash)<>32 OR takes_left<0 OR posts_left<0"},
    {"invitations with damaged fields",
     "SELECT count(*) FROM invitations WHERE length(hash)<>32 OR uses_left<0"},
    {"issuing keys that are damaged or with a gap before them",
     "SELECT count(*) FROM token_keys WHERE length(public_key)<>32 OR length(previous)<>32 OR"
     " length(coalesce(private_key, public_key))<>32 OR"
     " (number>1 AND number-1 NOT IN (SELECT number FROM token_keys))"},
    {"spent tokens that are damaged, or counted for no account",
     "SELECT (SELECT count(*) FROM token_spent WHERE length(nonce)<>32) + (SELECT count(*) FROM"
     " token_issues WHERE account NOT IN (SELECT key FROM accounts))"},
    {"token keys that are damaged, or not a chain without gaps",
     "SELECT count(*) FROM token_keys WHERE length(public_key)<>32 OR length(previous)<>32 OR"
     " (private_key IS NOT NULL AND length(private_key)<>32) OR"
     " number NOT BETWEEN 1 AND (SELECT count(*) FROM token_keys)"},
    {"tokens spent of no key",
     "SELECT count(*) FROM token_spent WHERE key NOT IN (SELECT number FROM token_keys)"},
    {"blobs with damaged fields",
     "SELECT count(*) FROM blobs WHERE length(hash)<>32 OR length(write_gate)<>32 OR stored>size"
     " OR stored<0 OR finished NOT IN (0,1) OR (finished AND stored<>size)"},
};

/* ---- The database --------------------------------------------------------------------------- */

static bool check_integrity(struct db *db)
{
    db_query *query = db_prepare(db, "PRAGMA integrity_check(20)");
    bool good = true;
    while (db_row(db, query)) {
        sotto_bytes line = db_bytes(query, 0);
        if (line.size == 2 && memcmp(line.data, "ok", 2) == 0)
            continue;
        good = false;
        fprintf(stderr, "relay.db: SQLite finds: %.*s\n", (int)line.size, (const char *)line.data);
    }
    db_end(query);
    return good;
}

static bool check_rules(struct db *db)
{
    bool good = true;
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        db_query *query = db_prepare(db, rules[i].sql);
        int64_t count = db_row(db, query) ? db_int(query, 0) : 0;
        db_end(query);
        if (count != 0) {
            good = false;
            fprintf(stderr, "relay.db: %" PRId64 " %s\n", count, rules[i].what);
        }
    }
    return good;
}

static bool check_open(struct db *db, char *problem)
{
    /* One snapshot for all. A damaged page ends a rule, and integrity_check has told of it. */
    db_exec(db, "BEGIN");
    int64_t version = schema_version(db);
    if (db->failure == SQLITE_OK && version != schema_newest()) {
        snprintf(problem, CONFIG_TEXT,
                 version < schema_newest()
                     ? "the database is of an older sottod: start this one on it once, then check"
                     : "the database is of a newer sottod: check with that version");
        return false;
    }
    bool good = check_integrity(db);
    good = check_rules(db) && good;
    db_exec(db, "COMMIT");
    if (db->failure != SQLITE_OK) {
        snprintf(problem, CONFIG_TEXT, "the database cannot be read to its end: %s",
                 sqlite3_errstr(db->failure));
        return false;
    }
    if (!good)
        snprintf(problem, CONFIG_TEXT,
                 "the database is damaged: restore a backup, see docs/RELAY.md");
    return good;
}

bool check_store(const char *path, char problem[static CONFIG_TEXT])
{
    struct db db;
    int code = db_open(&db, path, SQLITE_OPEN_READWRITE, NULL);
    if (code != SQLITE_OK) {
        snprintf(problem, CONFIG_TEXT, "%.400s cannot be opened: %s", path, sqlite3_errstr(code));
        return false;
    }
    sqlite3_busy_timeout(db.handle, 5000);
    bool good = check_open(&db, problem);
    db_close(&db);
    return good;
}

/* ---- The command ---------------------------------------------------------------------------- */

/* The self-made certificate and its key, where they are. A backup may be without. */
static bool check_key(const struct config *config, char *problem)
{
    char certificate[PATH_MAX], key[PATH_MAX];
    struct tls *tls = NULL;
    const char *why = "";
    struct stat mode;
    data_path(config, DATA_CERTIFICATE, certificate);
    data_path(config, DATA_KEY, key);
    if (!files_exist(certificate) && !files_exist(key)) {
        printf("key.pem       none here\n");
        return true;
    }
    sotto_error error = tls_server(sotto_env_system(), certificate, key, &tls, &why);
    tls_free(tls);
    if (error != SOTTO_OK) {
        snprintf(problem, CONFIG_TEXT, "certificate.pem or key.pem cannot be used: %s (%s)",
                 sotto_error_text(error), why);
        return false;
    }
    if (stat(key, &mode) == 0 && (mode.st_mode & 077) != 0) {
        snprintf(problem, CONFIG_TEXT, "key.pem can be read by others: make it mode 0600");
        return false;
    }
    printf("key.pem       good, and the certificate's\n");
    return true;
}

int command_check(const struct config *config)
{
    static struct config there;
    char problem[CONFIG_TEXT] = "", path[PATH_MAX];
    there = *config;
    if (config->argument[0] != '\0')
        (void)snprintf(there.data, sizeof there.data, "%s", config->argument);
    data_path(&there, DATA_STORE, path);
    if (!files_exist(path))
        return command_fail("there is no relay.db in %.400s: give the directory", there.data);
    bool good = check_store(path, problem);
    if (good)
        printf("relay.db      good\n");
    else
        fprintf(stderr, "sottod: %s.\n", problem);
    if (!check_key(&there, problem)) {
        fprintf(stderr, "sottod: %s.\n", problem);
        good = false;
    }
    return good ? 0 : 1;
}
