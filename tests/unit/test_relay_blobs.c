/* Blobs: rows and files together, on a disk that fails when it is told to. */
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "relay/blobs.h"
#include "unit/relay_world.h"

enum { SPACE = 64 * 1024 * 1024, PIECE = 100000 };

struct scene {
    struct relay_world world;
    char path[128];
    struct blobs *blobs;
    struct blobs_repair repair;
    sotto_error health;
};

/* ---- The disk ------------------------------------------------------------------------------- */

static atomic_long disk_room; /* bytes that may still be written; negative: all that are wanted */
static atomic_int sync_errno;

static ssize_t disk_write(int fd, const void *bytes, size_t size, off_t offset)
{
    long room = atomic_load(&disk_room);
    if (room == 0) {
        errno = ENOSPC;
        return -1;
    }
    if (room > 0) {
        size = size < (size_t)room ? size : (size_t)room;
        atomic_fetch_sub(&disk_room, (long)size);
    }
    return pwrite(fd, bytes, size, offset);
}

static int disk_sync(int fd)
{
    int number = atomic_load(&sync_errno);
    if (number != 0) {
        errno = number;
        return -1;
    }
    return fdatasync(fd);
}

static void on_health(void *ctx, sotto_error error)
{
    struct scene *scene = ctx;
    scene->health = error;
}

/* ---- The scene ------------------------------------------------------------------------------ */

static void open_blobs(struct scene *scene)
{
    static const struct blob_disk disk = {disk_write, disk_sync};
    const struct blobs_options options = {
        .path = scene->path,
        .space = SPACE,
        .disk = &disk,
        .health = on_health,
        .health_ctx = scene,
    };
    assert_ok(
        blobs_open(&scene->world.env, scene->world.store, &options, &scene->repair, &scene->blobs));
}

static int begin(void **state)
{
    struct scene *scene = calloc(1, sizeof *scene);
    assert_non_null(scene);
    atomic_store(&disk_room, -1);
    atomic_store(&sync_errno, 0);
    world_begin(&scene->world, NULL);
    snprintf(scene->path, sizeof scene->path, "%s/blobs", scene->world.folder);
    open_blobs(scene);
    *state = scene;
    return 0;
}

/* Calls each for all files; the folders go where remove is set. */
static void each_file(struct scene *scene, bool remove, void (*each)(void *ctx, const char *path),
                      void *ctx)
{
    for (unsigned first = 0; first < 256; first++) {
        char folder[160], path[512];
        snprintf(folder, sizeof folder, "%s/%02x", scene->path, first);
        DIR *entries = opendir(folder);
        const struct dirent *entry;
        while (entries != NULL && (entry = readdir(entries)) != NULL) {
            if (entry->d_name[0] == '.')
                continue;
            snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
            each(ctx, path);
        }
        if (entries != NULL)
            closedir(entries);
        if (remove)
            rmdir(folder);
    }
}

static void unlink_it(void *ctx, const char *path)
{
    (void)ctx;
    unlink(path);
}

static int end(void **state)
{
    struct scene *scene = *state;
    blobs_close(scene->blobs);
    each_file(scene, true, unlink_it, NULL);
    rmdir(scene->path);
    world_end(&scene->world);
    free(scene);
    return 0;
}

static void restart(struct scene *scene)
{
    blobs_close(scene->blobs);
    world_close(&scene->world);
    world_reopen(&scene->world, NULL);
    open_blobs(scene);
}

/* What the disk gives to the files, as du counts it. */
static void add_blocks(void *ctx, const char *path)
{
    struct stat found;
    assert_int_equal(stat(path, &found), 0);
    *(uint64_t *)ctx += (uint64_t)found.st_blocks * 512;
}

static uint64_t disk_usage(struct scene *scene)
{
    uint64_t bytes = 0;
    each_file(scene, false, add_blocks, &bytes);
    return bytes;
}

/* ---- Jobs ----------------------------------------------------------------------------------- */

static void id_of(unsigned n, uint8_t id[BLOB_ID_SIZE])
{
    memset(id, 0, BLOB_ID_SIZE);
    memcpy(id, &n, sizeof n);
}

static struct store_op *job_of(struct scene *scene, enum blob_job job, unsigned n, unsigned token)
{
    uint8_t id[BLOB_ID_SIZE];
    struct store_op *op = store_op_new(&scene->world.env, STORE_BLOB_JOB);
    assert_non_null(op);
    id_of(n, id);
    op->blob.job = job;
    wire_hash(sotto_bytes_of(id, sizeof id), op->blob.file.hash);
    op->blob.file.write_gate = token_gate(token);
    return op;
}

static void wait_for(struct scene *scene, struct store_op *op)
{
    bool completed = false;
    struct pollfd wait = {.fd = store_port_fd(scene->world.port), .events = POLLIN};
    op->port = scene->world.port;
    op->done = NULL;
    op->ctx = &completed;
    blobs_submit(scene->blobs, op);
    while (!completed) {
        poll(&wait, 1, -1);
        store_port_run(scene->world.port);
    }
}

static uint16_t do_blob(struct scene *scene, enum blob_job job, unsigned n, unsigned token,
                        uint64_t number, uint64_t *out)
{
    struct store_op *op = job_of(scene, job, n, token);
    op->blob.file.size = number;
    wait_for(scene, op);
    uint16_t code = op->code;
    if (out != NULL)
        *out = code != 0 ? op->detail : op->blob.file.stored;
    store_op_free(op);
    return code;
}

static uint16_t create(struct scene *scene, unsigned n, uint64_t size)
{
    return do_blob(scene, BLOB_CREATE, n, n, size, NULL);
}

static uint16_t finish(struct scene *scene, unsigned n, uint64_t *detail)
{
    return do_blob(scene, BLOB_FINISH, n, n, 0, detail);
}

static uint64_t stored(struct scene *scene, unsigned n)
{
    uint64_t number;
    assert_int_equal(do_blob(scene, BLOB_STATUS, n, n, 0, &number), 0);
    return number;
}

/* The byte at a place of blob n. */
static uint8_t byte_of(unsigned n, uint64_t at)
{
    return (uint8_t)(at * 31 + (at >> 8) * 7 + n);
}

static uint16_t put(struct scene *scene, unsigned n, uint64_t offset, size_t size, uint64_t *out)
{
    uint8_t *bytes = malloc(size);
    struct store_op *op = job_of(scene, BLOB_PUT, n, n);
    for (size_t i = 0; i < size; i++)
        bytes[i] = byte_of(n, offset + i);
    op->blob.offset = offset;
    assert_ok(store_op_copy(op, sotto_bytes_of(bytes, size), &op->blob.bytes));
    free(bytes);
    wait_for(scene, op);
    uint16_t code = op->code;
    *out = code != 0 ? op->detail : op->blob.file.stored;
    store_op_free(op);
    return code;
}

static uint16_t get(struct scene *scene, unsigned n, uint64_t offset, uint32_t size)
{
    struct store_op *op = job_of(scene, BLOB_GET, n, 0);
    op->blob.offset = offset;
    op->blob.length = size;
    wait_for(scene, op);
    uint16_t code = op->code;
    if (code == 0) {
        assert_int_equal(op->blob.bytes.size, size);
        for (size_t i = 0; i < size; i++)
            assert_int_equal(op->blob.bytes.data[i], byte_of(n, offset + i));
    }
    store_op_free(op);
    return code;
}

static void upload(struct scene *scene, unsigned n, uint64_t from, uint64_t to)
{
    uint64_t out;
    for (uint64_t at = from; at < to; at += PIECE)
        assert_int_equal(put(scene, n, at, to - at < PIECE ? (size_t)(to - at) : PIECE, &out), 0);
    assert_int_equal(out, to);
}

static void make(struct scene *scene, unsigned n, uint64_t size)
{
    assert_int_equal(create(scene, n, size), 0);
    upload(scene, n, 0, size);
    assert_int_equal(finish(scene, n, NULL), 0);
}

/* ---- Uploading and reading ------------------------------------------------------------------ */

static void what_was_put_is_read_back_in_any_range(void **state)
{
    struct scene *scene = *state;
    make(scene, 1, 345678);
    assert_int_equal(get(scene, 1, 0, 1), 0);
    assert_int_equal(get(scene, 1, 99999, 2), 0);
    assert_int_equal(get(scene, 1, 345677, 1), 0);
    assert_int_equal(get(scene, 1, 100000, 245678), 0);
    assert_int_equal(get(scene, 1, 345678, 1), WIRE_CODE_LIMIT);
    assert_int_equal(get(scene, 1, 345677, 2), WIRE_CODE_LIMIT);
    assert_int_equal(get(scene, 1, UINT64_MAX, 2), WIRE_CODE_LIMIT);
}

static void a_put_may_be_repeated_and_leaves_no_gap(void **state)
{
    struct scene *scene = *state;
    uint64_t out;
    assert_int_equal(create(scene, 1, 1000), 0);
    assert_int_equal(put(scene, 1, 0, 300, &out), 0);
    assert_int_equal(out, 300);
    assert_int_equal(put(scene, 1, 0, 300, &out), 0);
    assert_int_equal(out, 300);
    assert_int_equal(put(scene, 1, 100, 400, &out), 0); /* half of it is there */
    assert_int_equal(out, 500);
    assert_int_equal(put(scene, 1, 10, 20, &out), 0);
    assert_int_equal(out, 500);
    assert_int_equal(put(scene, 1, 501, 10, &out), WIRE_CODE_BLOB_INCOMPLETE);
    assert_int_equal(out, 500);
    assert_int_equal(put(scene, 1, 500, 501, &out), WIRE_CODE_LIMIT);
    assert_int_equal(out, 1000);
    assert_int_equal(finish(scene, 1, &out), WIRE_CODE_BLOB_INCOMPLETE);
    assert_int_equal(out, 500);
    assert_int_equal(put(scene, 1, 500, 500, &out), 0);
    assert_int_equal(finish(scene, 1, NULL), 0);
    assert_int_equal(get(scene, 1, 0, 1000), 0);
}

static void a_finished_blob_never_changes(void **state)
{
    struct scene *scene = *state;
    uint8_t other[100] = {0};
    make(scene, 1, 1000);
    struct store_op *op = job_of(scene, BLOB_PUT, 1, 1);
    assert_ok(store_op_copy(op, sotto_bytes_of(other, sizeof other), &op->blob.bytes));
    wait_for(scene, op);
    assert_int_equal(op->code, 0);
    assert_int_equal(op->blob.file.stored, 1000);
    store_op_free(op);
    assert_int_equal(finish(scene, 1, NULL), 0);
    assert_int_equal(get(scene, 1, 0, 1000), 0);
}

static void unknown_unfinished_and_wrong_token_look_alike(void **state)
{
    struct scene *scene = *state;
    uint64_t out;
    assert_int_equal(create(scene, 1, 100), 0);
    assert_int_equal(put(scene, 1, 0, 100, &out), 0);
    assert_int_equal(get(scene, 1, 0, 10), WIRE_CODE_NO_BLOB);
    assert_int_equal(get(scene, 2, 0, 10), WIRE_CODE_NO_BLOB);
    for (enum blob_job job = BLOB_PUT; job <= BLOB_DELETE; job++) {
        if (job == BLOB_GET)
            continue;
        assert_int_equal(do_blob(scene, job, 1, 9, 0, NULL), WIRE_CODE_NO_BLOB);
        assert_int_equal(do_blob(scene, job, 2, 2, 0, NULL), WIRE_CODE_NO_BLOB);
    }
    assert_int_equal(finish(scene, 1, NULL), 0);
    assert_int_equal(get(scene, 1, 0, 100), 0);
}

static void creating_again_succeeds_with_the_same_size_and_token(void **state)
{
    struct scene *scene = *state;
    assert_int_equal(create(scene, 1, 1000), 0);
    upload(scene, 1, 0, 400);
    assert_int_equal(create(scene, 1, 1000), 0);
    assert_int_equal(stored(scene, 1), 400);
    assert_int_equal(create(scene, 1, 1001), WIRE_CODE_BLOB_EXISTS);
    assert_int_equal(do_blob(scene, BLOB_CREATE, 1, 2, 1000, NULL), WIRE_CODE_BLOB_EXISTS);
    assert_int_equal(blobs_used(scene->blobs), 1000);
}

static uint16_t create_with(struct scene *scene, unsigned n, struct store_permission *tokens,
                            size_t count)
{
    struct store_op *op = job_of(scene, BLOB_CREATE, n, n);
    op->blob.file.size = 1000;
    op->blob.permissions = tokens;
    op->blob.permission_count = count;
    wait_for(scene, op);
    uint16_t code = op->code;
    store_op_free(op);
    return code;
}

static void tokens_are_spent_together_or_not_at_all(void **state)
{
    struct scene *scene = *state;
    struct relay_world *world = &scene->world;
    assert_int_equal(do_token_keys(world), 1);
    struct store_permission tokens[3] = {token_of(1, 1), token_of(1, 2), token_of(1, 3)};
    assert_int_equal(create_with(scene, 1, tokens, 2), 0);
    assert_int_equal(world_query(world, "SELECT count(*) FROM token_spent"), 2);
    assert_int_equal(create_with(scene, 1, tokens, 2), 0); /* a retry costs nothing */
    /* The third is good, the second was spent: neither blob nor spending. */
    assert_int_equal(create_with(scene, 2, tokens + 1, 2), WIRE_CODE_TOKEN_SPENT);
    assert_int_equal(world_query(world, "SELECT count(*) FROM token_spent"), 2);
    assert_int_equal(do_blob(scene, BLOB_STATUS, 2, 2, 0, NULL), WIRE_CODE_NO_BLOB);
    assert_int_equal(blobs_used(scene->blobs), 1000);
    tokens[1].token_good = false;
    assert_int_equal(create_with(scene, 2, tokens + 1, 2), WIRE_CODE_TOKEN_REFUSED);
    assert_int_equal(create_with(scene, 2, tokens + 2, 1), 0);
    assert_int_equal(world_query(world, "SELECT count(*) FROM token_spent"), 3);
}

/* ---- Space ---------------------------------------------------------------------------------- */

static void space_is_promised_at_creation_and_given_back(void **state)
{
    struct scene *scene = *state;
    assert_int_equal(create(scene, 1, SPACE - 1000), 0);
    assert_int_equal(create(scene, 2, 1001), WIRE_CODE_UNAVAILABLE);
    assert_int_equal(create(scene, 2, (uint64_t)SPACE + 1), WIRE_CODE_UNAVAILABLE);
    assert_int_equal(create(scene, 2, 1000), 0);
    assert_int_equal(create(scene, 1, SPACE - 1000), 0); /* there already */
    assert_int_equal(do_blob(scene, BLOB_DELETE, 2, 2, 0, NULL), 0);
    assert_int_equal(blobs_used(scene->blobs), SPACE - 1000);
    assert_int_equal(create(scene, 3, 1000), 0);
    restart(scene);
    assert_int_equal(blobs_used(scene->blobs), SPACE);
    assert_int_equal(create(scene, 4, 1), WIRE_CODE_UNAVAILABLE);
}

static void deleting_frees_the_disk(void **state)
{
    struct scene *scene = *state;
    make(scene, 1, 1000000);
    make(scene, 2, 500000);
    assert_in_range(disk_usage(scene), 1500000, 1600000);
    assert_int_equal(do_blob(scene, BLOB_DELETE, 1, 1, 0, NULL), 0);
    assert_in_range(disk_usage(scene), 500000, 600000);
    assert_int_equal(get(scene, 1, 0, 10), WIRE_CODE_NO_BLOB);
    assert_int_equal(do_blob(scene, BLOB_DELETE, 1, 1, 0, NULL), WIRE_CODE_NO_BLOB);
    assert_int_equal(get(scene, 2, 0, 10), 0);
}

static uint64_t expire(struct scene *scene, uint64_t day)
{
    uint64_t erased = blobs_expire(scene->blobs, scene->world.port, day, 30);
    /* The files go in the threads: one that asks each of them waits for it. */
    for (unsigned n = 1000; n < 1064; n++)
        (void)do_blob(scene, BLOB_STATUS, n, n, 0, NULL);
    return erased;
}

static void expiry_frees_the_disk(void **state)
{
    struct scene *scene = *state;
    make(scene, 1, 3000000);
    scene->world.now += 10 * 86400;
    make(scene, 2, 500000);
    assert_int_equal(expire(scene, WORLD_DAY + 30), 0);
    assert_int_equal(expire(scene, WORLD_DAY + 31), 1);
    assert_in_range(disk_usage(scene), 500000, 600000);
    assert_int_equal(blobs_used(scene->blobs), 500000);
    assert_int_equal(get(scene, 1, 0, 10), WIRE_CODE_NO_BLOB);
    assert_int_equal(get(scene, 2, 0, 10), 0);
    assert_int_equal(expire(scene, WORLD_DAY + 41), 1);
    assert_int_equal(disk_usage(scene), 0);
    assert_int_equal(blobs_used(scene->blobs), 0);
}

static void unfinished_uploads_expire_sooner(void **state)
{
    struct scene *scene = *state;
    make(scene, 1, 1000);
    assert_int_equal(create(scene, 2, 1000), 0);
    upload(scene, 2, 0, 700);
    assert_int_equal(expire(scene, WORLD_DAY + 2), 0);
    assert_int_equal(expire(scene, WORLD_DAY + 3), 1);
    assert_int_equal(do_blob(scene, BLOB_STATUS, 2, 2, 0, NULL), WIRE_CODE_NO_BLOB);
    assert_int_equal(get(scene, 1, 0, 1000), 0);
    /* The same id once more begins at nothing. */
    assert_int_equal(create(scene, 2, 1000), 0);
    assert_int_equal(stored(scene, 2), 0);
}

/* ---- Crashes and disks ---------------------------------------------------------------------- */

static void count_file(void *ctx, const char *path)
{
    (void)path;
    ++*(unsigned *)ctx;
}

static void a_start_makes_rows_and_files_agree(void **state)
{
    struct scene *scene = *state;
    char orphan[160];
    unsigned files = 0;
    make(scene, 1, 200000);
    make(scene, 2, 200000);
    make(scene, 3, 200000);
    /* 2's file is gone, 3's is short, and one has no row. */
    struct store_op *op = job_of(scene, BLOB_GET, 2, 2);
    struct blob_files direct;
    assert_ok(blob_files_open(&direct, scene->path, NULL));
    assert_ok(blob_file_remove(&direct, op->blob.file.hash));
    store_op_free(op);
    op = job_of(scene, BLOB_GET, 3, 3);
    assert_ok(blob_file_cut(&direct, op->blob.file.hash, 199999));
    store_op_free(op);
    op = job_of(scene, BLOB_GET, 99, 99);
    assert_ok(blob_file_append(&direct, op->blob.file.hash, 0, sotto_bytes_str("left behind")));
    snprintf(orphan, sizeof orphan, "%s/%02x/another-name", scene->path, op->blob.file.hash[0]);
    store_op_free(op);
    blob_files_close(&direct);
    assert_non_null(fclose(fopen(orphan, "w")) == 0 ? orphan : NULL);
    restart(scene);
    assert_int_equal(scene->repair.lost, 2);
    assert_int_equal(scene->repair.orphans, 2); /* 99, and what was left of 3 */
    assert_int_equal(blobs_used(scene->blobs), 200000);
    assert_int_equal(get(scene, 1, 0, 200000), 0);
    assert_int_equal(get(scene, 2, 0, 1), WIRE_CODE_NO_BLOB);
    assert_int_equal(get(scene, 3, 0, 1), WIRE_CODE_NO_BLOB);
    each_file(scene, false, count_file, &files);
    assert_int_equal(files, 2); /* 1, and the name that is none of ours */
    restart(scene);
    assert_int_equal(scene->repair.lost + scene->repair.orphans, 0);
}

static void an_unfinished_upload_goes_on_behind_what_was_synced(void **state)
{
    struct scene *scene = *state;
    const uint64_t size = 2 * BLOB_SYNC_BYTES;
    assert_int_equal(create(scene, 1, size), 0);
    upload(scene, 1, 0, 300000);
    restart(scene);
    assert_int_equal(stored(scene, 1), 0);
    upload(scene, 1, 0, BLOB_SYNC_BYTES + 300000);
    restart(scene);
    uint64_t there = stored(scene, 1);
    assert_in_range(there, BLOB_SYNC_BYTES, BLOB_SYNC_BYTES + 300000);
    upload(scene, 1, there, size);
    assert_int_equal(finish(scene, 1, NULL), 0);
    for (uint64_t at = 0; at < size; at += 200000)
        assert_int_equal(get(scene, 1, at, size - at < 200000 ? (uint32_t)(size - at) : 200000), 0);
}

static void a_full_disk_is_unavailable_and_goes_on_later(void **state)
{
    struct scene *scene = *state;
    uint64_t out;
    assert_int_equal(create(scene, 1, 1000), 0);
    assert_int_equal(put(scene, 1, 0, 100, &out), 0);
    atomic_store(&disk_room, 50); /* half of the next one fits */
    assert_int_equal(put(scene, 1, 100, 100, &out), WIRE_CODE_UNAVAILABLE);
    assert_int_equal(scene->health, SOTTO_FULL);
    assert_int_equal(stored(scene, 1), 100);
    atomic_store(&disk_room, -1);
    upload(scene, 1, 100, 1000);
    assert_int_equal(scene->health, SOTTO_OK);
    assert_int_equal(finish(scene, 1, NULL), 0);
    assert_int_equal(get(scene, 1, 0, 1000), 0);
}

static void what_was_not_synced_is_not_finished(void **state)
{
    struct scene *scene = *state;
    assert_int_equal(create(scene, 1, 1000), 0);
    upload(scene, 1, 0, 1000);
    atomic_store(&sync_errno, EIO);
    assert_int_equal(finish(scene, 1, NULL), WIRE_CODE_UNAVAILABLE);
    assert_int_equal(scene->health, SOTTO_IO);
    atomic_store(&sync_errno, 0);
    assert_int_equal(get(scene, 1, 0, 1), WIRE_CODE_NO_BLOB);
    /* What a failed sync left nobody knows: it is sent once more. */
    assert_int_equal(stored(scene, 1), 0);
    upload(scene, 1, 0, 1000);
    assert_int_equal(finish(scene, 1, NULL), 0);
    assert_int_equal(get(scene, 1, 0, 1000), 0);
}

static void check_name(void *ctx, const char *path)
{
    (void)ctx;
    struct stat found;
    assert_null(strstr(path, "01000000"));
    assert_int_equal(stat(path, &found), 0);
    assert_int_equal(found.st_mode & 0777, 0600);
}

static void no_id_is_on_the_disk(void **state)
{
    struct scene *scene = *state;
    struct stat found;
    make(scene, 1, 1000);
    each_file(scene, false, check_name, NULL);
    assert_int_equal(stat(scene->path, &found), 0);
    assert_int_equal(found.st_mode & 0777, 0700);
    assert_int_equal(
        world_query(&scene->world, "SELECT count(*) FROM blobs WHERE hex(hash) LIKE '%01000000%'"),
        0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(what_was_put_is_read_back_in_any_range),
        TEST(a_put_may_be_repeated_and_leaves_no_gap),
        TEST(a_finished_blob_never_changes),
        TEST(unknown_unfinished_and_wrong_token_look_alike),
        TEST(creating_again_succeeds_with_the_same_size_and_token),
        TEST(tokens_are_spent_together_or_not_at_all),
        TEST(space_is_promised_at_creation_and_given_back),
        TEST(deleting_frees_the_disk),
        TEST(expiry_frees_the_disk),
        TEST(unfinished_uploads_expire_sooner),
        TEST(a_start_makes_rows_and_files_agree),
        TEST(an_unfinished_upload_goes_on_behind_what_was_synced),
        TEST(a_full_disk_is_unavailable_and_goes_on_later),
        TEST(what_was_not_synced_is_not_finished),
        TEST(no_id_is_on_the_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
