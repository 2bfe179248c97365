/* Uploading the files that a room's messages wait for: one at a time, several chunks under way.
 * Everything that is true stands in the store and at the relay; what is in memory is thrown away at
 * the first trouble and made anew from there. */
#include <string.h>

#include "core/file_cipher.h"
#include "core/internal.h"

enum {
    WINDOW = 6,   /* chunks under way: enough for a fast line far away, and flat memory */
    RESTARTS = 3, /* in a row, without a byte that the relay took */
};

struct upload {
    struct room *room;
    struct conn *conn;
    char client_id[STORE_CLIENT_ID_MAX + 1];
    struct blob_id blob;
    uint8_t write_token[TOKEN_SIZE];
    struct file_cipher cipher;
    struct file_source source;
    struct conn *from_conn; /* of a copy: where the other blob is; else NULL */
    char from_relay[WIRE_ADDRESS_MAX + 1];
    struct blob_id from;
    bool is_copy, fetching;
    uint64_t fetched; /* the chunk that is on its way here */
    uint64_t size;    /* of the file */
    int64_t mtime_ns;
    uint64_t inode;
    struct transfer transfer;
    unsigned in_flight;
    uint64_t next;   /* the chunk to be sent next */
    uint64_t stored; /* what the relay said that it has */

    /* To be dealt with when nothing is under way any more. withdrawn: nobody wants it now. */
    bool stopped, restart, for_good, withdrawn;
    struct sotto_problem problem;

    uint8_t chunk[FILE_CHUNK], sealed[FILE_SEALED];
};

uint64_t upload_mark(const struct room *room)
{
    return room->upload == NULL ? 0 : room->upload->stored + room->upload->in_flight + 1;
}

void upload_free(struct room *room)
{
    struct upload *upload = room->upload;
    if (upload == NULL)
        return;
    file_source_close(&upload->source);
    room->upload = NULL;
    mem_free(room->core->env, upload, sizeof *upload);
}

/* ---- Giving up ------------------------------------------------------------------------------ */

/* Inside a transaction. */
static sotto_error give_up_rows(struct sotto *core, const struct room_id *room,
                                const char *client_id, struct arena *arena)
{
    struct store_outgoing outgoing = {0};
    sotto_error error = store_outgoing_by_client(core->store, room, client_id, arena, &outgoing);
    if (error == SOTTO_OK)
        error = store_outgoing_erase(core->store, outgoing.id);
    if (error == SOTTO_OK || error == SOTTO_NOT_FOUND)
        error = store_message_fail(core->store, room, client_id);
    return error == SOTTO_OK || error == SOTTO_NOT_FOUND ? file_fail(core, room, client_id) : error;
}

/* The file will never be sent, nor the message that speaks of it. */
static void give_up(struct room *room, const char *client_id, const struct sotto_problem *problem)
{
    struct sotto *core = room->core;
    struct arena arena;
    arena_init(&arena, core->env);
    sotto_error error = store_begin(core->store);
    if (error == SOTTO_OK)
        error = give_up_rows(core, &room->id, client_id, &arena);
    if (error == SOTTO_OK)
        error = store_commit(core->store);
    if (error != SOTTO_OK) {
        store_rollback(core->store);
        room_local_failure(room, error, "taking a file out of the outbox");
    } else
        room_note(room, problem);
    arena_free(&arena);
}

/* All is quiet: what has to be done about it. The upload is gone afterwards. */
static void end(struct upload *upload)
{
    struct room *room = upload->room;
    struct sotto_problem problem = upload->problem;
    char client_id[STORE_CLIENT_ID_MAX + 1];
    bool restart = upload->restart && ++room->upload_restarts <= RESTARTS;
    bool for_good = upload->for_good, withdrawn = upload->withdrawn;
    memcpy(client_id, upload->client_id, sizeof client_id);
    upload_free(room);
    room->wake = true;
    if (withdrawn)
        return;
    if (for_good)
        give_up(room, client_id, &problem);
    else if (!restart)
        room_stuck(room, &problem);
}

static void end_if_quiet(struct upload *upload)
{
    if (upload->in_flight == 0)
        end(upload);
}

static void stop(struct upload *upload, const struct sotto_problem *problem, bool for_good)
{
    if (!upload->stopped)
        upload->problem = *problem;
    upload->stopped = true;
    upload->for_good |= for_good;
}

static void changed_problem(struct sotto_problem *problem, const char *path)
{
    (void)problem_set(problem, SOTTO_STATE, SOTTO_CODE_FILE_CHANGED, "Send it again as it is now.",
                      "The file %.400s is not what it was when you sent it, or is gone; it was "
                      "not sent.",
                      path);
}

static void stop_changed(struct upload *upload)
{
    struct sotto_problem problem;
    (void)problem_set(&problem, SOTTO_STATE, SOTTO_CODE_FILE_CHANGED, "Send it again as it is now.",
                      "The file changed while it was being sent; it was taken back.");
    stop(upload, &problem, true);
}

/* A request failed. */
static void stop_request(struct upload *upload, sotto_error error, const struct message *answer)
{
    struct sotto_problem problem;
    uint16_t code = error == SOTTO_REFUSED && answer != NULL ? answer->error.code : 0;
    problem_clear(&problem);
    net_problem(upload->conn, error, answer, &problem);
    /* The relay lost the end in a crash, or all of it: the next beginning asks what is there. */
    if (code == WIRE_CODE_BLOB_INCOMPLETE || code == WIRE_CODE_NO_BLOB)
        upload->restart = true;
    stop(upload, &problem, !upload->restart && !net_transient(error, answer));
}

/* ---- The file ------------------------------------------------------------------------------- */

static bool is_same_file(const struct stat *found, uint64_t size, int64_t mtime_ns, uint64_t inode)
{
    return S_ISREG(found->st_mode) && (uint64_t)found->st_size == size &&
           file_mtime_ns(found) == mtime_ns && (uint64_t)found->st_ino == inode;
}

/* The bytes that were sealed when the person sent it, as far as the file system knows; of a
 * picture, surely. */
static sotto_error source_check(const struct upload *upload, const struct store_upload *row)
{
    uint8_t digest[HASH_SIZE];
    if (!is_same_file(&upload->source.stat, row->size, row->mtime_ns, row->inode))
        return SOTTO_STATE;
    if (row->form == STORE_UPLOAD_FILE)
        return SOTTO_OK;
    file_source_digest(&upload->source, digest);
    return sotto_bytes_equal(sotto_bytes_of(digest, sizeof digest), row->digest) ? SOTTO_OK
                                                                                 : SOTTO_STATE;
}

static sotto_error file_open_source(struct upload *upload, const struct store_upload *row)
{
    sotto_error error =
        file_source_open(&upload->source, upload->room->core->env, (const char *)row->path.data);
    if (error == SOTTO_OK && row->form == STORE_UPLOAD_PICTURE)
        error = file_source_strip(&upload->source);
    if (error == SOTTO_OK)
        error = source_check(upload, row);
    return error == SOTTO_OK || error == SOTTO_NO_MEMORY ? error : SOTTO_STATE; /* gone, another */
}

static sotto_error open_source(struct room *room, const struct store_upload *row,
                               struct upload **out)
{
    struct upload *upload = mem_alloc(room->core->env, sizeof *upload);
    if (upload == NULL)
        return SOTTO_NO_MEMORY;
    upload->room = room;
    (void)snprintf(upload->client_id, sizeof upload->client_id, "%s", row->client_id);
    memcpy(upload->blob.bytes, row->blob.data, BLOB_ID_SIZE);
    memcpy(upload->write_token, row->write_token.data, TOKEN_SIZE);
    upload->size = row->size;
    upload->mtime_ns = row->mtime_ns;
    upload->inode = row->inode;
    upload->source.fd = -1;
    upload->is_copy = row->form == STORE_UPLOAD_COPY;
    sotto_error error = SOTTO_OK;
    if (upload->is_copy) {
        (void)snprintf(upload->from_relay, sizeof upload->from_relay, "%s",
                       (const char *)row->path.data);
        memcpy(upload->from.bytes, row->digest.data, BLOB_ID_SIZE);
    } else
        error = file_open_source(upload, row);
    if (error == SOTTO_OK)
        error = file_cipher_init(&upload->cipher, row->key,
                                 row->form == STORE_UPLOAD_PICTURE ? row->sent : row->size);
    if (error == SOTTO_OK) {
        *out = upload;
        return SOTTO_OK;
    }
    file_source_close(&upload->source);
    mem_free(room->core->env, upload, sizeof *upload);
    return error;
}

/* The next file of the room, with what is needed to send it. False: there is none. */
static bool begin(struct room *room)
{
    struct sotto *core = room->core;
    struct store_upload row;
    for (;;) {
        struct arena arena;
        arena_init(&arena, core->env);
        sotto_error error = store_upload_next(core->store, &room->id, &arena, &row);
        if (error == SOTTO_OK)
            error = open_source(room, &row, &room->upload);
        if (error == SOTTO_STATE) {
            struct sotto_problem problem;
            changed_problem(&problem, (const char *)row.path.data);
            give_up(room, row.client_id, &problem);
        } else if (error != SOTTO_OK && error != SOTTO_NOT_FOUND)
            room_local_failure(room, error, "reading a file");
        arena_free(&arena);
        if (error != SOTTO_STATE || room->progress == ROOM_STUCK)
            return error == SOTTO_OK;
    }
}

/* ---- Requests ------------------------------------------------------------------------------- */

static bool request_on(struct upload *upload, struct conn *conn, const struct message *message,
                       link_answer_fn *done)
{
    sotto_error error = link_request(conn->link, message, done, upload, NULL);
    if (error == SOTTO_OK) {
        upload->in_flight++;
        upload->room->progress = ROOM_BUSY;
    } else if (error != SOTTO_LIMIT || upload->in_flight == 0)
        stop_request(upload, error, NULL);
    return error == SOTTO_OK;
}

static bool request(struct upload *upload, const struct message *message, link_answer_fn *done)
{
    return request_on(upload, upload->conn, message, done);
}

static bool request_owner(struct upload *upload, uint16_t type, link_answer_fn *done)
{
    struct message message;
    memset(&message, 0, sizeof message);
    message.type = type;
    message.blob_owner.blob = upload->blob;
    message.blob_owner.write_token = sotto_bytes_of(upload->write_token, TOKEN_SIZE);
    return request(upload, &message, done);
}

/* Somebody may take the file back at any moment, in this process or in another one. */
static void look_whether_wanted(struct upload *upload)
{
    struct room *room = upload->room;
    bool waits = true;
    if (store_upload_waits(room->core->store, &room->id, upload->client_id, &waits) != SOTTO_OK ||
        waits)
        return;
    upload->stopped = upload->withdrawn = true;
}

/* Whether the answer is one to go on from; else the upload may be gone. */
static bool answered(struct upload *upload, sotto_error error, const struct message *answer)
{
    upload->in_flight--;
    look_whether_wanted(upload);
    if (error != SOTTO_OK)
        stop_request(upload, error, answer);
    if (upload->stopped)
        end_if_quiet(upload);
    else
        return true;
    return false;
}

/* In bytes of the file: the blob's are more. */
static void tell(struct upload *upload, uint64_t stored, bool ended)
{
    struct sotto_transfer how = {
        .kind = SOTTO_TRANSFER_SENDING,
        .client_id = upload->client_id,
        .of = upload->cipher.size,
    };
    uint64_t done = stored / FILE_SEALED * FILE_CHUNK;
    how.done = stored >= upload->cipher.sealed || done > how.of ? how.of : done;
    memcpy(how.conversation.bytes, upload->room->id.bytes, ROOM_ID_SIZE);
    transfer_tell(upload->room->core, &upload->transfer, &how, ended);
}

/* The relay has all of it for good: the message may go. */
static void finished(struct upload *upload)
{
    struct room *room = upload->room;
    struct sotto *core = room->core;
    tell(upload, upload->cipher.sealed, true); /* it is durable there */
    sotto_error error = store_begin(core->store);
    if (error == SOTTO_OK)
        error = store_upload_erase(core->store, &room->id, upload->client_id);
    if (error == SOTTO_OK || error == SOTTO_NOT_FOUND) /* by another process */
        error = store_commit(core->store);
    room->upload_restarts = 0;
    upload_free(room);
    room->wake = true;
    if (error != SOTTO_OK) {
        store_rollback(core->store);
        room_local_failure(room, error, "noting that a file was sent");
    }
}

static void on_finished(void *ctx, sotto_error error, const struct message *answer)
{
    struct upload *upload = ctx;
    if (answered(upload, error, answer))
        finished(upload);
}

static void on_put(void *ctx, sotto_error error, const struct message *answer);

static bool put(struct upload *upload, sotto_bytes sealed)
{
    struct message message;
    memset(&message, 0, sizeof message);
    message.type = MESSAGE_BLOB_PUT;
    message.blob_put.blob = upload->blob;
    message.blob_put.write_token = sotto_bytes_of(upload->write_token, TOKEN_SIZE);
    message.blob_put.offset = upload->next * FILE_SEALED;
    message.blob_put.bytes = sealed;
    if (!request(upload, &message, on_put))
        return false;
    upload->next++;
    return true;
}

static bool put_next(struct upload *upload)
{
    if (!file_source_chunk(&upload->source, &upload->cipher, upload->next, upload->chunk)) {
        stop_changed(upload);
        return false;
    }
    file_seal(&upload->cipher, upload->next, upload->chunk, upload->sealed);
    return put(upload,
               sotto_bytes_of(upload->sealed, file_chunk_sealed(&upload->cipher, upload->next)));
}

/* ---- Of a copy ---- */

static void go_on(struct upload *upload);

static void stop_gone(struct upload *upload)
{
    struct sotto_problem problem;
    (void)problem_set(&problem, SOTTO_REFUSED, SOTTO_CODE_FILE_GONE,
                      "Ask for it to be sent again, or send it from where you saved it.",
                      "The file that was to be forwarded is not at its relay any more, or not what "
                      "it was.");
    stop(upload, &problem, true);
}

static void on_got(void *ctx, sotto_error error, const struct message *answer)
{
    struct upload *upload = ctx;
    uint16_t code = error == SOTTO_REFUSED && answer != NULL ? answer->error.code : 0;
    upload->in_flight--;
    upload->fetching = false;
    look_whether_wanted(upload);
    if (code == WIRE_CODE_NO_BLOB || code == WIRE_CODE_LIMIT) {
        stop_gone(upload);
    } else if (error != SOTTO_OK) {
        struct sotto_problem problem;
        problem_clear(&problem);
        net_problem(upload->from_conn, error, answer, &problem);
        stop(upload, &problem, !net_transient(error, answer));
    } else if (!upload->stopped && upload->fetched == upload->next) { /* nobody else put it */
        if (file_open(&upload->cipher, upload->next, answer->blob_bytes, upload->chunk) != SOTTO_OK)
            stop_gone(upload);
        else
            (void)put(upload, answer->blob_bytes);
    }
    go_on(upload);
}

/* One at a time: it is as long away as the chunks that are put. */
static bool get_next(struct upload *upload)
{
    struct message message;
    if (upload->fetching)
        return false;
    memset(&message, 0, sizeof message);
    message.type = MESSAGE_BLOB_GET;
    message.blob_get.blob = upload->from;
    message.blob_get.offset = upload->next * FILE_SEALED;
    message.blob_get.length = (uint32_t)file_chunk_sealed(&upload->cipher, upload->next);
    upload->fetched = upload->next;
    upload->fetching = request_on(upload, upload->from_conn, &message, on_got);
    return upload->fetching;
}

/* What was encrypted is what was hashed when the person sent it, as far as the file system knows.
 */
static void finish(struct upload *upload)
{
    struct stat found;
    if (!upload->is_copy && !upload->source.stripped &&
        (fstat(upload->source.fd, &found) != 0 ||
         !is_same_file(&found, upload->size, upload->mtime_ns, upload->inode)))
        stop_changed(upload);
    else
        (void)request_owner(upload, MESSAGE_BLOB_FINISH, on_finished);
}

static void go_on(struct upload *upload)
{
    while (!upload->stopped && upload->in_flight < WINDOW && upload->next < upload->cipher.chunks &&
           (upload->is_copy ? get_next(upload) : put_next(upload)))
        continue;
    if (!upload->stopped && upload->in_flight == 0)
        finish(upload);
    if (upload->stopped)
        end_if_quiet(upload);
}

/* Chunks that the relay has, perhaps from another process, are not sent. */
static void take_stored(struct upload *upload, uint64_t stored)
{
    if (stored > upload->stored) {
        upload->stored = stored;
        upload->room->upload_restarts = 0;
    }
    if (upload->next * FILE_SEALED < upload->stored)
        upload->next = upload->stored >= upload->cipher.sealed ? upload->cipher.chunks
                                                               : upload->stored / FILE_SEALED;
    tell(upload, upload->stored, false);
}

static void on_put(void *ctx, sotto_error error, const struct message *answer)
{
    struct upload *upload = ctx;
    if (!answered(upload, error, answer))
        return;
    take_stored(upload, answer->blob_stored);
    go_on(upload);
}

/* What it costs, in tokens. */
static size_t price(const struct upload *upload)
{
    return (size_t)((upload->cipher.sealed + WIRE_BLOB_TOKEN - 1) / WIRE_BLOB_TOKEN);
}

static void on_created(void *ctx, sotto_error error, const struct message *answer)
{
    struct upload *upload = ctx;
    struct room *room = upload->room;
    sotto_bytes owner = sotto_bytes_of(upload->blob.bytes, BLOB_ID_SIZE);
    size_t count = price(upload);
    if (error == SOTTO_OK) {
        sotto_error noted = token_paid_many(room->core, owner, count);
        if (noted != SOTTO_OK) {
            error = noted;
            answer = NULL;
        }
    }
    switch (token_refused_many(room->core, upload->conn->relay, owner, count, error, answer)) {
    case TOKEN_AGAIN:
        upload_free(room);
        room->wake = true;
        return;
    case TOKEN_WAIT:
        upload_free(room);
        room_wait_token(room);
        return;
    case TOKEN_NOT_IT:
        break;
    }
    if (answered(upload, error, answer))
        go_on(upload);
}

static bool create(struct upload *upload)
{
    struct token_payments payments;
    struct message message;
    struct arena arena;
    arena_init(&arena, upload->room->core->env);
    sotto_error error = token_pay_many(upload->room->core, upload->conn->relay,
                                       sotto_bytes_of(upload->blob.bytes, BLOB_ID_SIZE),
                                       price(upload), &arena, &payments);
    if (error != SOTTO_OK) {
        stop_request(upload, error, NULL);
        arena_free(&arena);
        return false;
    }
    memset(&message, 0, sizeof message);
    message.type = MESSAGE_BLOB_CREATE;
    message.blob_create.permissions = payments.permissions;
    message.blob_create.permission_count = payments.count;
    message.blob_create.blob = upload->blob;
    message.blob_create.size = upload->cipher.sealed;
    gate_of(sotto_bytes_of(upload->write_token, TOKEN_SIZE), &message.blob_create.write_gate);
    bool asked = request(upload, &message, on_created);
    arena_free(&arena);
    return asked;
}

static void on_status(void *ctx, sotto_error error, const struct message *answer)
{
    struct upload *upload = ctx;
    bool unknown = error == SOTTO_REFUSED && answer->error.code == WIRE_CODE_NO_BLOB;
    if (unknown) {
        upload->in_flight--;
        look_whether_wanted(upload);
        if (upload->stopped || !create(upload))
            end_if_quiet(upload);
        return;
    }
    if (!answered(upload, error, answer))
        return;
    if (answer->blob_state.finished) {
        finished(upload);
        return;
    }
    take_stored(upload, answer->blob_state.stored);
    go_on(upload);
}

void upload_go_on(struct room *room, const struct store_room *row)
{
    if (room->upload == NULL && !begin(room))
        return;
    struct upload *upload = room->upload;
    if (upload->in_flight > 0) {
        room->progress = ROOM_BUSY;
        return;
    }
    upload->conn = net_blob_conn(room->core, row->relay);
    upload->from_conn = upload->is_copy ? net_blob_conn(room->core, upload->from_relay) : NULL;
    if (upload->conn == NULL || (upload->is_copy && upload->from_conn == NULL)) {
        room_local_failure(room, SOTTO_NO_MEMORY, "connecting");
        return;
    }
    struct conn *down = !conn_up(upload->conn)                           ? upload->conn
                        : upload->is_copy && !conn_up(upload->from_conn) ? upload->from_conn
                                                                         : NULL;
    if (down == NULL) {
        if (!request_owner(upload, MESSAGE_BLOB_STATUS, on_status))
            end_if_quiet(upload);
    } else if (conn_failed(down)) {
        room_stuck(room, &down->problem);
    } else {
        room->progress = ROOM_BUSY;
        room->retry_ms = down->retry_ms;
    }
}
