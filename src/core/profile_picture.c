#include "core/profile_picture.h"

#include <string.h>

#include "codec/writer.h"
#include "core/picture.h"
#include "core/store_pictures.h"
#include "core/whole_file.h"

_Static_assert(SOTTO_PROFILE_PICTURE_MAX == CONTENT_PICTURE_MAX, "one limit");

enum { FILE_MAX = 16 * 1024 * 1024 }; /* of one that is looked at: what is stripped may be most */

/* ---- Which are taken ------------------------------------------------------------------------- */

sotto_error profile_picture_clean(sotto_bytes picture, sotto_buf *out)
{
    struct picture look = {0};
    sotto_fault fault;
    size_t start = out->size;
    sotto_error error = picture_strip(picture, &look, out, &fault);
    bool type = look.type == PICTURE_JPEG || look.type == PICTURE_PNG || look.type == PICTURE_WEBP;
    if (error == SOTTO_OK &&
        (!type || look.width > SOTTO_PROFILE_PICTURE_SIDE ||
         look.height > SOTTO_PROFILE_PICTURE_SIDE || out->size - start > CONTENT_PICTURE_MAX))
        error = SOTTO_VALUE;
    if (error == SOTTO_OK)
        return SOTTO_OK;
    out->size = start;
    return error == SOTTO_NO_MEMORY ? error : SOTTO_VALUE;
}

/* ---- Among one's own devices ------------------------------------------------------------------
 */

static sotto_error record_write(const struct account_id *account, sotto_bytes picture,
                                sotto_buf *out)
{
    struct writer writer;
    writer_init(&writer, out);
    size_t opened = own_record(&writer, OWN_PICTURE);
    writer_fixed(&writer, sotto_bytes_of(account->bytes, ACCOUNT_ID_SIZE));
    writer_vector(&writer, picture);
    writer_close(&writer, opened);
    return writer_finish(&writer);
}

sotto_error profile_pictures_write(struct sotto *core, struct arena *arena, struct own_sink *sink)
{
    struct account_id *accounts = NULL;
    size_t count = 0;
    TRY(store_pictures(core->store, arena, &accounts, &count));
    for (size_t i = 0; i < count; i++) {
        struct arena one;
        sotto_bytes picture;
        arena_init(&one, core->env);
        sotto_error error = store_picture_get(core->store, &accounts[i], &one, &picture);
        if (error == SOTTO_OK)
            error = record_write(&accounts[i], picture, &sink->records);
        arena_free(&one);
        TRY(error);
        TRY(own_sink_flush(sink, false));
    }
    return SOTTO_OK;
}

/* Inside a transaction: keeps it, and tells faces if it is another one. */
static sotto_error keep(struct sotto *core, const struct account_id *account, sotto_bytes picture,
                        bool *changed)
{
    static const uint8_t nobody[32];
    bool own = core_is_own(core, account);
    TRY(store_picture_put(core->store, account, picture, changed));
    if (!*changed)
        return SOTTO_OK;
    return store_event_add(core->store, own ? SOTTO_EVENT_ACCOUNT : SOTTO_EVENT_CONTACT,
                           own ? nobody : account->bytes);
}

sotto_error profile_picture_read(struct sotto *core, struct reader *reader)
{
    struct account_id account;
    bool changed = false;
    reader_copy(reader, account.bytes, ACCOUNT_ID_SIZE, "own.account");
    sotto_bytes picture = reader_vector(reader, CONTENT_PICTURE_MAX, "own.picture");
    TRY(reader->fault.error);
    return keep(core, &account, picture, &changed);
}

/* ---- Telling contacts -------------------------------------------------------------------------
 */

static sotto_error queue(struct sotto *core, const struct room_id *room, sotto_bytes picture)
{
    struct content_message message;
    char client_id[33];
    sotto_buf content;
    memset(&message, 0, sizeof message);
    message.kind = CONTENT_PROFILE;
    message.has_picture = true;
    message.picture = picture;
    TRY(core_random_client_id(core, client_id));
    sotto_buf_init(&content, core->env);
    sotto_error error = content_write(core->env, &message, &core->identity.account, room, &content);
    if (error == SOTTO_OK)
        error = room_queue_content(core, room, MESSAGE_INTENT_PROFILE,
                                   sotto_bytes_of(message.id, CONTENT_ID_SIZE),
                                   sotto_buf_view(&content), client_id);
    sotto_buf_free(&content);
    return error;
}

/* Whether it is a living conversation with one contact, who is not blocked. */
static sotto_error may_see(struct sotto *core, const struct store_room *row, struct arena *arena,
                           bool *may)
{
    struct store_contact contact;
    *may = false;
    if (row->kind != STORE_ROOM_DIRECT || !row->has_peer || !store_room_alive(row->state))
        return SOTTO_OK;
    sotto_error error = store_contact_get(core->store, &row->peer, arena, &contact);
    *may = error == SOTTO_OK && contact.contact && !contact.blocked;
    return error == SOTTO_NOT_FOUND ? SOTTO_OK : error;
}

sotto_error profile_picture_queue(struct sotto *core, const struct room_id *room, bool also_none)
{
    struct arena arena;
    struct store_room row;
    sotto_bytes picture = {NULL, 0};
    bool may = false;
    arena_init(&arena, core->env);
    sotto_error error = store_room_get(core->store, room, &arena, &row);
    if (error == SOTTO_OK)
        error = may_see(core, &row, &arena, &may);
    if (error == SOTTO_OK && may) {
        error = store_picture_get(core->store, &core->identity.account, &arena, &picture);
        if (error == SOTTO_OK || (error == SOTTO_NOT_FOUND && also_none))
            error = queue(core, room, picture);
        else if (error == SOTTO_NOT_FOUND)
            error = SOTTO_OK;
    }
    arena_free(&arena);
    return error;
}

sotto_error profile_picture_received(struct sotto *core, const struct store_room *row,
                                     const struct account_id *sender, sotto_bytes picture)
{
    bool changed = false;
    sotto_buf clean;
    if (row->kind != STORE_ROOM_DIRECT)
        return SOTTO_OK; /* a picture for each of a thousand strangers would fill the disk */
    sotto_buf_init(&clean, core->env);
    sotto_error error = picture.size > 0 ? profile_picture_clean(picture, &clean) : SOTTO_OK;
    if (error == SOTTO_OK)
        error = keep(core, sender, sotto_buf_view(&clean), &changed);
    sotto_buf_free(&clean);
    return error == SOTTO_VALUE ? SOTTO_OK : error; /* what cannot be shown is not kept */
}

/* ---- One's own --------------------------------------------------------------------------------
 */

static sotto_error tell_all(struct sotto *core, sotto_bytes picture, struct arena *arena)
{
    struct store_room *rooms = NULL;
    size_t count = 0;
    sotto_buf record;
    TRY(store_rooms(core->store, arena, &rooms, &count));
    for (size_t i = 0; i < count; i++)
        if (rooms[i].kind == STORE_ROOM_DIRECT)
            TRY(profile_picture_queue(core, &rooms[i].room, true));
    sotto_buf_init(&record, core->env);
    sotto_error error = record_write(&core->identity.account, picture, &record);
    return own_tell(core, error, &record);
}

static sotto_error picture_load(struct sotto *core, const char *path, sotto_buf *clean)
{
    sotto_buf file;
    sotto_buf_init(&file, core->env);
    sotto_error error = whole_file_read(core, path, FILE_MAX, &file);
    if (error == SOTTO_OK) {
        error = profile_picture_clean(sotto_buf_view(&file), clean);
        if (error == SOTTO_VALUE)
            (void)problem_set(&core->problem, error, SOTTO_CODE_BAD_PICTURE,
                              "Make it smaller: 512 by 512 is enough.",
                              "A profile picture is a JPEG, PNG or WebP of at most %d KiB and %d "
                              "pixels a side.",
                              SOTTO_PROFILE_PICTURE_MAX / 1024, SOTTO_PROFILE_PICTURE_SIDE);
        else if (error != SOTTO_OK)
            (void)core_store_problem(core, error, "reading the picture");
    }
    sotto_buf_free(&file);
    return error;
}

sotto_error sotto_set_picture(struct sotto *core, const char *path)
{
    struct arena arena;
    sotto_buf clean;
    bool changed = false;
    TRY(core_need_account(core));
    sotto_buf_init(&clean, core->env);
    sotto_error error = path != NULL ? picture_load(core, path, &clean) : SOTTO_OK;
    if (error == SOTTO_OK) {
        arena_init(&arena, core->env);
        error = store_begin(core->store);
        if (error == SOTTO_OK)
            error = keep(core, &core->identity.account, sotto_buf_view(&clean), &changed);
        if (error == SOTTO_OK && changed)
            error = tell_all(core, sotto_buf_view(&clean), &arena);
        if (error == SOTTO_OK)
            error = store_commit(core->store);
        if (error != SOTTO_OK) {
            store_rollback(core->store);
            (void)core_store_problem(core, error, "saving the picture");
        }
        arena_free(&arena);
    }
    sotto_buf_free(&clean);
    return error;
}

/* ---- Showing ----------------------------------------------------------------------------------
 */

sotto_error profile_picture_hash(struct sotto *core, const struct account_id *account,
                                 char hex[static 65])
{
    uint8_t hash[HASH_SIZE];
    hex[0] = '\0';
    sotto_error error = store_picture_hash(core->store, account, hash);
    if (error == SOTTO_OK)
        core_id_hex(hash, sizeof hash, hex);
    return error == SOTTO_NOT_FOUND ? SOTTO_OK : error;
}

sotto_error sotto_save_picture(struct sotto *core, const char *who, const char *path)
{
    struct arena arena;
    struct store_contact contact;
    sotto_bytes picture;
    TRY(core_need_account(core));
    arena_init(&arena, core->env);
    contact.account = core->identity.account;
    sotto_error error = who != NULL ? names_person(core, who, &arena, &contact) : SOTTO_OK;
    if (error == SOTTO_OK) {
        error = store_picture_get(core->store, &contact.account, &arena, &picture);
        if (error == SOTTO_NOT_FOUND)
            (void)problem_set(&core->problem, error, SOTTO_CODE_NOT_FOUND, "",
                              "There is no picture.");
        else if (error != SOTTO_OK)
            (void)core_store_problem(core, error, "reading the picture");
        else
            error = whole_file_write(core, path, picture);
    }
    arena_free(&arena);
    return error;
}
