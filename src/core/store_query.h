/* Inside the store alone: one SQL statement at a time, with sticky errors. Bind all parameters in
 * order, step, read all columns in order, end, and look at the error once.
 *
 *     struct query q;
 *     query_write(&q, store, "UPDATE room SET title = ? WHERE room = ?");
 *     query_text(&q, title);
 *     query_fixed(&q, room->bytes, sizeof room->bytes);
 *     return query_run(&q);
 *
 * Statements are cached by the address of their text, which must be a literal. A statement that is
 * still stepping when it is wanted again is prepared a second time. */
#ifndef CORE_STORE_QUERY_H
#define CORE_STORE_QUERY_H

#include <sqlite3.h>

#include "core/crypt_vfs.h"
#include "core/store.h"

#define STORE_CACHE 512 /* twice as many as there are, so that each is near its place */

struct store {
    const sotto_env *env;
    sqlite3 *db;
    struct vault *vault;
    struct crypt_vfs *vfs;
    const char *below;             /* the VFS under ours; NULL: the system's */
    const struct vault_cost *cost; /* of a passphrase; NULL: the default */
    char *directory, *path;
    size_t directory_size, path_size;
    bool in_transaction;
    bool gathering, gathered, spoiled; /* store_gather: asked for; begun; a part of it failed */
    int part_changes;                  /* of the connection, when the part began */
    bool reads, reading;               /* store_reads: asked for; begun */
    /* Of the transaction: texts were added that the search index does not have yet; the position of
     * a message that was given last, read already, and to be written. */
    bool unindexed;
    bool position_known, position_given;
    int64_t position;
    bool scrub; /* something was erased that the log still holds */
    sotto_fault fault;
    char message[300];
    struct {
        const char *sql;
        sqlite3_stmt *stmt;
        bool busy;
    } cache[STORE_CACHE];
};

struct query {
    struct store *store;
    sqlite3_stmt *stmt;
    int slot; /* in the cache; -1: its own */
    int bound, column;
    size_t rows;
    sotto_error error;
};

/* query_write is for statements that change something: it aborts outside a transaction, and fails
 * inside one that SQLite has rolled back by itself after an error. */
void query_read(struct query *q, struct store *store, const char *sql);
void query_write(struct query *q, struct store *store, const char *sql);

/* Numbers above INT64_MAX: LIMIT. */
void query_u64(struct query *q, uint64_t value);
void query_i64(struct query *q, int64_t value);
void query_bytes(struct query *q, sotto_bytes value);
void query_fixed(struct query *q, const uint8_t *data, size_t size);
void query_text(struct query *q, const char *value); /* NULL counts as empty */
void query_utf8(struct query *q, sotto_bytes value);
void query_null(struct query *q);

/* True: there is a row, whose columns are read from the first on. */
bool query_next(struct query *q);
uint64_t column_u64(struct query *q);
uint32_t column_u32(struct query *q);
int64_t column_i64(struct query *q);
bool column_bool(struct query *q);
uint32_t column_between(struct query *q, uint32_t least, uint32_t most); /* else VALUE */
/* NULL and empty: false, and out is zeroed; another size than size: VALUE. */
bool column_fixed(struct query *q, uint8_t *out, size_t size);
sotto_bytes column_bytes(struct query *q, struct arena *arena);
const char *column_text(struct query *q, struct arena *arena);
sotto_bytes column_borrow(struct query *q); /* until the next step */

/* Every query is ended by one of these. */
sotto_error query_end(struct query *q);     /* the sticky error */
sotto_error query_end_one(struct query *q); /* NOT_FOUND if there was no row */
sotto_error query_run(struct query *q);     /* steps to the end */
/* As query_run; NOT_FOUND if no row was changed. */
sotto_error query_run_one(struct query *q);

/* A failure that is not SQLite's; returns error. */
sotto_error store_fail(struct store *store, sotto_error error, const char *what);
/* Takes error and words of SQLite's result code over. */
sotto_error store_fail_sqlite(struct store *store, int code);
/* Runs SQL without parameters or results. */
sotto_error store_exec(struct store *store, const char *sql);

/* Before the connection is closed. */
void store_forget_statements(struct store *store);

/* store.c: begins what store_reads asked for, unless it is, or a transaction. */
void store_reads_begin(struct store *store);

/* Rows of a list, in the arena. */
struct rows {
    struct arena *arena;
    size_t size; /* of one */
    uint8_t *data;
    size_t count, capacity;
};
/* Where the next row goes, zeroed; NULL: no memory, the query has failed. */
void *rows_add(struct rows *rows, struct query *q);
/* Ends a query whose one column is a room: all of them. */
sotto_error query_end_rooms(struct query *q, struct arena *arena, struct room_id **rooms,
                            size_t *count);

/* store_messages.c, inside a transaction, before it is committed. */
sotto_error store_messages_finish(struct store *store);

/* store_schema.c: the SQL that leads from that version, below STORE_VERSION, to the next; the last
 * plain databases were of version 3. */
const char *store_schema_step(uint64_t version);
/* Brings the database to STORE_VERSION. */
sotto_error store_migrate(struct store *store);

/* ---- store_make.c: both under the profile's lock ---- */

enum store_kind {
    STORE_ABSENT, /* no file, or an empty one */
    STORE_PLAIN,  /* of a version of Sotto that did not encrypt */
    STORE_ENCRYPTED,
};
sotto_error store_look(struct store *store, enum store_kind *kind);

/* profile.db is there and encrypted afterwards. What a process left that was killed at it is
 * finished, or taken back. Plain text is overwritten. Needs vault and vfs. */
sotto_error store_make(struct store *store);

#endif
