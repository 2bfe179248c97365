/* The tables. Two halves that never name one another: nothing here joins an account to a room.
 *
 * Keys of accounts, devices and rooms are AUTOINCREMENT: never given out again, since sessions and
 * subscriptions hold them. Times of what people send are day numbers: enough to expire it. */
#include <stdio.h>

#include "relay/store_sql.h"

/* Step n brings a database of version n to version n + 1. A step that was in a release stays as it
 * is, since databases were made by it: what changes later is another step, at the end. */
static const char *const steps[] = {
    /* 0: an empty file
     * ---- people ---- */
    "CREATE TABLE accounts("
    " key INTEGER PRIMARY KEY AUTOINCREMENT,"
    " account_id BLOB NOT NULL UNIQUE,"
    " phone TEXT UNIQUE,"
    " last_ip TEXT,"
    " last_ip_time INTEGER,"
    " manifest BLOB NOT NULL);"
    "CREATE TABLE devices("
    " key INTEGER PRIMARY KEY AUTOINCREMENT,"
    " account INTEGER NOT NULL,"
    " device_id BLOB NOT NULL,"
    " sign_in_hash BLOB NOT NULL,"
    " last_resort BLOB,"
    " inbox_next INTEGER NOT NULL DEFAULT 1,"
    " inbox_count INTEGER NOT NULL DEFAULT 0,"
    " inbox_bytes INTEGER NOT NULL DEFAULT 0,"
    " UNIQUE(account, device_id));"
    "CREATE TABLE key_packages("
    " position INTEGER PRIMARY KEY,"
    " device INTEGER NOT NULL,"
    " bytes BLOB NOT NULL);"
    "CREATE INDEX key_packages_device ON key_packages(device);"
    /* bytes NULL: it was the last resort */
    "CREATE TABLE taken("
    " device INTEGER NOT NULL,"
    " take_id BLOB NOT NULL,"
    " bytes BLOB,"
    " day INTEGER NOT NULL,"
    " PRIMARY KEY(device, take_id));"
    "CREATE TABLE envelopes("
    " position INTEGER PRIMARY KEY,"
    " device INTEGER NOT NULL,"
    " seq INTEGER NOT NULL,"
    " sealed BLOB NOT NULL,"
    " day INTEGER NOT NULL,"
    " UNIQUE(device, seq));"
    "CREATE INDEX envelopes_day ON envelopes(day);"
    "CREATE TABLE posts("
    " device INTEGER NOT NULL,"
    " post_id BLOB NOT NULL,"
    " day INTEGER NOT NULL,"
    " PRIMARY KEY(device, post_id)) WITHOUT ROWID;"
    "CREATE TABLE grants("
    " account INTEGER NOT NULL,"
    " hash BLOB NOT NULL,"
    " expires INTEGER NOT NULL,"
    " takes_left INTEGER NOT NULL,"
    " posts_left INTEGER NOT NULL,"
    " PRIMARY KEY(account, hash)) WITHOUT ROWID;"
    "CREATE TABLE invitations("
    " hash BLOB PRIMARY KEY,"
    " uses_left INTEGER NOT NULL,"
    " expires INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE codes("
    " phone TEXT PRIMARY KEY,"
    " hash BLOB NOT NULL,"
    " expires INTEGER NOT NULL,"
    " tries_left INTEGER NOT NULL,"
    " sent INTEGER NOT NULL,"
    " day INTEGER NOT NULL) WITHOUT ROWID;"
    /* ---- rooms ---- */
    "CREATE TABLE rooms("
    " key INTEGER PRIMARY KEY AUTOINCREMENT,"
    " room_id BLOB NOT NULL UNIQUE,"
    " epoch INTEGER NOT NULL,"
    " write_gate BLOB NOT NULL,"
    " next_seq INTEGER NOT NULL,"
    " first_seq INTEGER NOT NULL,"
    " bytes INTEGER NOT NULL,"
    " day INTEGER NOT NULL);"
    "CREATE INDEX rooms_day ON rooms(day);"
    /* until_seq NULL: the gate that is open */
    "CREATE TABLE read_gates("
    " room INTEGER NOT NULL,"
    " gate BLOB NOT NULL,"
    " until_seq INTEGER,"
    " until_epoch INTEGER,"
    " PRIMARY KEY(room, gate)) WITHOUT ROWID;"
    /* In order of arrival: a table clustered by room is four times as slow to write. */
    "CREATE TABLE entries("
    " position INTEGER PRIMARY KEY,"
    " room INTEGER NOT NULL,"
    " seq INTEGER NOT NULL,"
    " epoch INTEGER NOT NULL,"
    " kind INTEGER NOT NULL,"
    " append_id BLOB NOT NULL,"
    " bytes BLOB NOT NULL,"
    " day INTEGER NOT NULL,"
    " UNIQUE(room, seq),"
    " UNIQUE(room, append_id));"
    "CREATE INDEX entries_day ON entries(day);",

    /* ---- blobs: a third part that names nothing of the others. By their hash, and not in the
     * order of their arrival; stored is how much of an unfinished one is durable. */
    "CREATE TABLE blobs("
    " hash BLOB PRIMARY KEY,"
    " write_gate BLOB NOT NULL,"
    " size INTEGER NOT NULL,"
    " stored INTEGER NOT NULL,"
    " finished INTEGER NOT NULL,"
    " day INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE INDEX blobs_day ON blobs(day);",
    /* ---- anonymous tokens: private_key NULL: it has ended. What was given to an account and what
     * was spent have no column in common. Rooms that there are may grow by one token's worth. */
    "CREATE TABLE token_keys("
    " number INTEGER PRIMARY KEY,"
    " begins INTEGER NOT NULL,"
    " replaced INTEGER NOT NULL,"
    " ends INTEGER NOT NULL,"
    " public_key BLOB NOT NULL,"
    " previous BLOB NOT NULL,"
    " private_key BLOB);"
    "CREATE TABLE token_issues("
    " account INTEGER PRIMARY KEY,"
    " day INTEGER NOT NULL,"
    " count INTEGER NOT NULL,"
    " request BLOB NOT NULL);"
    "CREATE TABLE token_spent("
    " key INTEGER NOT NULL,"
    " nonce BLOB NOT NULL,"
    " PRIMARY KEY(key, nonce)) WITHOUT ROWID;"
    "ALTER TABLE rooms ADD COLUMN size INTEGER NOT NULL DEFAULT 0;"
    "UPDATE rooms SET size=bytes+(next_seq-first_seq)*128+16777216;",

    /* Indexes of entries that are filled many entries at a time (tail.h): tables, since SQLite
     * keeps its own indexes row by row. tail.position: what stands from there on may be in none
     * yet. */
    "CREATE TABLE entry_index("
    " room INTEGER NOT NULL,"
    " seq INTEGER NOT NULL,"
    " position INTEGER NOT NULL,"
    " PRIMARY KEY(room, seq)) WITHOUT ROWID;"
    "CREATE TABLE append_ids("
    " room INTEGER NOT NULL,"
    " append_id BLOB NOT NULL,"
    " seq INTEGER NOT NULL,"
    " PRIMARY KEY(room, append_id)) WITHOUT ROWID;"
    "CREATE TABLE tail(position INTEGER NOT NULL);"
    "INSERT INTO entry_index SELECT room, seq, position FROM entries ORDER BY room, seq;"
    "INSERT INTO append_ids SELECT room, append_id, seq FROM entries ORDER BY room, append_id;"
    "INSERT INTO tail SELECT coalesce(max(position),0)+1 FROM entries;"
    "DROP INDEX entries_day;"
    "ALTER TABLE entries RENAME TO old_entries;"
    "CREATE TABLE entries("
    " position INTEGER PRIMARY KEY,"
    " room INTEGER NOT NULL,"
    " seq INTEGER NOT NULL,"
    " epoch INTEGER NOT NULL,"
    " kind INTEGER NOT NULL,"
    " append_id BLOB NOT NULL,"
    " bytes BLOB NOT NULL,"
    " day INTEGER NOT NULL);"
    "INSERT INTO entries SELECT * FROM old_entries ORDER BY position;"
    "DROP TABLE old_entries;"
    "CREATE INDEX entries_day ON entries(day);",

    /* What people may be found by, where they want to be. */
    "ALTER TABLE accounts ADD COLUMN username TEXT;"
    "ALTER TABLE accounts ADD COLUMN findable INTEGER NOT NULL DEFAULT 0;"
    "CREATE UNIQUE INDEX accounts_username ON accounts(username);",

    /* KeyPackages end, and who published them makes others. Of older ones it is not known when they
     * came: they go, and are made anew. */
    ("ALTER TABLE key_packages ADD COLUMN day INTEGER NOT NULL DEFAULT 0;"
     "CREATE INDEX key_packages_day ON key_packages(day);"), /* for clang: two strings are meant */

    /* Leaving a jurisdiction: whom that concerns (numbers from low on and before high, or a label),
     * how far it is (enum withdrawal_state), and which devices were told. */
    ("ALTER TABLE accounts ADD COLUMN label TEXT;"
     "ALTER TABLE invitations ADD COLUMN label TEXT;"
     "CREATE TABLE withdrawals("
     " key INTEGER PRIMARY KEY,"
     " id BLOB NOT NULL UNIQUE,"
     " jurisdiction TEXT NOT NULL,"
     " begins INTEGER NOT NULL,"
     " state INTEGER NOT NULL,"
     " erased INTEGER NOT NULL DEFAULT 0,"
     " notice BLOB NOT NULL);"
     "CREATE TABLE withdrawal_places("
     " withdrawal INTEGER NOT NULL,"
     " low TEXT,"
     " high TEXT,"
     " label TEXT);"
     "CREATE INDEX withdrawal_places_of ON withdrawal_places(withdrawal);"
     "CREATE TABLE told("
     " device INTEGER NOT NULL,"
     " withdrawal INTEGER NOT NULL,"
     " PRIMARY KEY(device, withdrawal)) WITHOUT ROWID;"),
};

int64_t schema_version(struct db *db)
{
    db_query *query = db_prepare(db, "PRAGMA user_version");
    int64_t version = db_row(db, query) ? db_int(query, 0) : 0;
    db_end(query);
    return version;
}

/* The version is read in the transaction that changes it: another process may be at it too. */
static sotto_error take_step(struct db *db, const char *const *all, size_t count, bool *done)
{
    char set_version[48];
    sotto_error error = SOTTO_OK;
    db_exec(db, "BEGIN IMMEDIATE");
    int64_t version = schema_version(db);
    *done = version >= (int64_t)count;
    if (version < 0 || version > (int64_t)count) {
        error = SOTTO_VERSION;
    } else if (!*done) {
        db_exec(db, all[version]);
        snprintf(set_version, sizeof set_version, "PRAGMA user_version=%d", (int)version + 1);
        db_exec(db, set_version);
    }
    db_exec(db, "COMMIT");
    return error;
}

sotto_error schema_upgrade(struct db *db, const char *const *all, size_t count)
{
    bool done = false;
    /* The page size counts only for a new file, and only before its first table. */
    db_exec(db, "PRAGMA page_size=8192; PRAGMA journal_mode=WAL");
    while (!done && db->failure == SQLITE_OK)
        TRY(take_step(db, all, count, &done));
    return db_error_of(db->failure);
}

int64_t schema_newest(void)
{
    return (int64_t)(sizeof steps / sizeof *steps);
}

sotto_error schema_apply(struct db *db)
{
    return schema_upgrade(db, steps, sizeof steps / sizeof *steps);
}
