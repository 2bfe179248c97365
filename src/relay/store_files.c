/* The rows of blobs. The bytes are files, see blobs.h: this knows how large each is, who may go on
 * with it, and when it came. */
#include "relay/store_sql.h"

#include <string.h>

static sotto_bytes hash_of(const struct store_file *file)
{
    return sotto_bytes_of(file->hash, HASH_SIZE);
}

#define FILE_COLUMNS "hash, write_gate, size, stored, finished"

static void read_file(struct exec *exec, db_query *query, struct store_file *file)
{
    db_copy(exec->db, query, 0, file->hash, HASH_SIZE);
    db_copy(exec->db, query, 1, file->write_gate.bytes, GATE_SIZE);
    file->size = db_u64(query, 2);
    file->stored = db_u64(query, 3);
    file->finished = db_int(query, 4) != 0;
}

static bool find(struct exec *exec, const struct store_file *want, struct store_file *found)
{
    db_query *query = db_prepare(exec->db, "SELECT " FILE_COLUMNS " FROM blobs WHERE hash=?");
    db_bind_bytes(query, 1, hash_of(want));
    bool is_there = db_row(exec->db, query);
    if (is_there)
        read_file(exec, query, found);
    db_end(query);
    return is_there;
}

void files_find(struct exec *exec, struct store_op *op)
{
    struct store_file found;
    if (find(exec, &op->file, &found))
        op->file = found;
    else
        refuse(op, WIRE_CODE_NO_BLOB, 0);
}

/* All of them, or none: what is refused costs nothing. */
static uint16_t pay(struct exec *exec, const struct store_file_create *create)
{
    for (size_t i = 0; i < create->permission_count; i++) {
        uint16_t code = permission_allow(exec, 0, &create->permissions[i], GRANT_POST);
        if (code != 0)
            return code;
    }
    for (size_t i = 0; i < create->permission_count; i++)
        permission_spend(exec, 0, &create->permissions[i], GRANT_POST);
    return 0;
}

void files_create(struct exec *exec, struct store_op *op)
{
    struct store_file before;
    if (find(exec, &op->file, &before)) {
        refuse(op, WIRE_CODE_BLOB_EXISTS, 0);
        op->file = before;
        return;
    }
    uint16_t code = pay(exec, &op->file_create);
    if (code != 0) {
        refuse(op, (enum wire_code)code, 0);
        return;
    }
    db_query *query = db_prepare(exec->db, "INSERT INTO blobs(hash, write_gate, size, stored,"
                                           " finished, day) VALUES(?,?,?,0,0,?)");
    db_bind_bytes(query, 1, hash_of(&op->file));
    db_bind_bytes(query, 2, VIEW(op->file.write_gate));
    db_bind_u64(query, 3, op->file.size);
    db_bind_u64(query, 4, exec->day);
    db_run(exec->db, query);
}

void files_advance(struct exec *exec, struct store_op *op)
{
    db_query *query = db_prepare(exec->db, "UPDATE blobs SET stored=?, finished=? WHERE hash=?");
    db_bind_u64(query, 1, op->file.stored);
    db_bind_int(query, 2, op->file.finished);
    db_bind_bytes(query, 3, hash_of(&op->file));
    if (db_run(exec->db, query) == 0)
        refuse(op, WIRE_CODE_NO_BLOB, 0); /* it expired meanwhile */
}

void files_delete(struct exec *exec, struct store_op *op)
{
    db_query *query = db_prepare(exec->db, "DELETE FROM blobs WHERE hash=?");
    db_bind_bytes(query, 1, hash_of(&op->file));
    if (db_run(exec->db, query) == 0)
        refuse(op, WIRE_CODE_NO_BLOB, 0);
}

/* Rows of a query into the operation, at most max of them. */
static void collect(struct exec *exec, struct store_op *op, db_query *query, size_t max)
{
    struct store_file_list *list = &op->file_list;
    struct store_file *files = arena_array(&op->arena, max, sizeof *files);
    size_t count = 0;
    if (files == NULL)
        db_fail(exec->db, SQLITE_NOMEM);
    while (files != NULL && count < max && db_row(exec->db, query))
        read_file(exec, query, &files[count++]);
    db_end(query);
    list->files = files;
    list->count = count;
}

/* Most rows that one LIST or EXPIRE gives. */
enum { FILES_MAX = 1000 };

void files_expire(struct exec *exec, struct store_op *op)
{
    struct store_file_list *list = &op->file_list;
    list->count = 0;
    list->more = false;
    if (list->today <= list->retention_days || list->today <= BLOB_UNFINISHED_DAYS)
        return; /* a clock that was never set */
    db_query *query = db_prepare(exec->db, "SELECT " FILE_COLUMNS " FROM blobs WHERE day<?1 OR"
                                           " (day<?2 AND finished=0) LIMIT ?3");
    db_bind_u64(query, 1, list->today - list->retention_days);
    db_bind_u64(query, 2, list->today - BLOB_UNFINISHED_DAYS);
    db_bind_int(query, 3, FILES_MAX);
    collect(exec, op, query, FILES_MAX);
    for (size_t i = 0; i < list->count; i++) {
        query = db_prepare(exec->db, "DELETE FROM blobs WHERE hash=?");
        db_bind_bytes(query, 1, hash_of(&list->files[i]));
        db_run(exec->db, query);
    }
    list->more = list->count == FILES_MAX;
    exec->erased = exec->erased || list->count > 0;
}

void files_list(struct exec *exec, struct store_op *op)
{
    struct store_file_list *list = &op->file_list;
    db_query *query = db_prepare(exec->db, "SELECT " FILE_COLUMNS " FROM blobs WHERE hash>?"
                                           " ORDER BY hash LIMIT ?");
    db_bind_bytes(query, 1, sotto_bytes_of(list->after, HASH_SIZE));
    db_bind_int(query, 2, FILES_MAX);
    collect(exec, op, query, FILES_MAX);
    list->more = list->count == FILES_MAX;
}
