/* After a crash: files without a row (it was made or erased just then), rows of finished blobs
 * without their file (the disk lost it), and unfinished files whose end may never have reached the
 * disk. One folder after another, so that memory stays small whatever there is. */
#include "relay/blobs.h"

#include <stdlib.h>
#include <string.h>

struct check {
    const sotto_env *env;
    struct store_port *port;
    const struct blob_files *files;
    struct blobs_repair *repair;
    uint64_t *used;
    sotto_buf hashes; /* of the rows of this folder, in order */
    sotto_error error;
};

static sotto_error erase_row(struct check *check, const struct store_file *file)
{
    struct store_op *op = store_op_new(check->env, STORE_BLOB_DELETE);
    if (op == NULL)
        return SOTTO_NO_MEMORY;
    op->file = *file;
    store_call(check->port, op);
    bool done = op->code == 0 || op->code == WIRE_CODE_NO_BLOB;
    store_op_free(op);
    return done ? SOTTO_OK : SOTTO_IO;
}

static sotto_error check_row(struct check *check, const struct store_file *file)
{
    uint64_t size;
    TRY(blob_file_size(check->files, file->hash, &size));
    if (file->finished && size != file->size) {
        check->repair->lost++;
        return erase_row(check, file); /* and its file is an orphan now */
    }
    if (!file->finished)
        TRY(blob_file_cut(check->files, file->hash, file->stored));
    *check->used += file->size;
    return sotto_buf_append(&check->hashes, file->hash, HASH_SIZE);
}

/* A page of rows behind *after. *more: there may be others of this folder. */
static sotto_error check_page(struct check *check, uint8_t first, uint8_t after[static HASH_SIZE],
                              bool *more)
{
    struct store_op *op = store_op_new(check->env, STORE_BLOB_LIST);
    if (op == NULL)
        return SOTTO_NO_MEMORY;
    memcpy(op->file_list.after, after, HASH_SIZE);
    store_call(check->port, op);
    const struct store_file_list *list = &op->file_list;
    sotto_error error = op->code == 0 ? SOTTO_OK : SOTTO_IO;
    *more = error == SOTTO_OK && list->more;
    for (size_t i = 0; i < list->count && error == SOTTO_OK; i++) {
        if (list->files[i].hash[0] != first) {
            *more = false;
            break;
        }
        error = check_row(check, &list->files[i]);
        memcpy(after, list->files[i].hash, HASH_SIZE);
    }
    store_op_free(op);
    return error;
}

static int order(const void *a, const void *b)
{
    return memcmp(a, b, HASH_SIZE);
}

static void check_file(void *ctx, const uint8_t hash[static HASH_SIZE])
{
    struct check *check = ctx;
    size_t count = check->hashes.size / HASH_SIZE;
    if (count > 0 && bsearch(hash, check->hashes.data, count, HASH_SIZE, order) != NULL)
        return;
    check->repair->orphans++;
    sotto_error error = blob_file_remove(check->files, hash);
    if (check->error == SOTTO_OK)
        check->error = error;
}

static sotto_error check_folder(struct check *check, uint8_t first)
{
    uint8_t after[HASH_SIZE];
    bool more = true;
    /* Just before the folder's first hash. */
    memset(after, first == 0 ? 0 : 0xff, sizeof after);
    after[0] = first == 0 ? 0 : (uint8_t)(first - 1);
    sotto_buf_clear(&check->hashes);
    while (more)
        TRY(check_page(check, first, after, &more));
    TRY(blob_files_each(check->files, first, check_file, check));
    return check->error;
}

sotto_error blobs_check(const sotto_env *env, struct store_port *port,
                        const struct blob_files *files, struct blobs_repair *repair, uint64_t *used)
{
    struct check check = {.env = env, .port = port, .files = files, .repair = repair, .used = used};
    sotto_error error = SOTTO_OK;
    sotto_buf_init(&check.hashes, env);
    *repair = (struct blobs_repair){0};
    *used = 0;
    for (unsigned first = 0; first < 256 && error == SOTTO_OK; first++)
        error = check_folder(&check, (uint8_t)first);
    sotto_buf_free(&check.hashes);
    return error;
}
