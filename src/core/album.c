/* Several files that belong together: messages of their own, which say so. */
#include <stdio.h>
#include <string.h>

#include "core/internal.h"

enum { CLIENT_ID_MAX = SOTTO_CLIENT_ID_MAX - 3 - 1 }; /* of an album: "." and two digits follow */

/* From what the person may repeat the call with: then it is the same album. */
static void album_id(const struct sotto *core, const struct room_id *room, const char *client_id,
                     uint8_t id[static CONTENT_ALBUM_SIZE])
{
    static const char label[] = "sotto album";
    uint8_t bytes[sizeof label + ACCOUNT_ID_SIZE + ROOM_ID_SIZE + SOTTO_CLIENT_ID_MAX];
    const sotto_bytes text = sotto_bytes_str(client_id);
    uint8_t hash[HASH_SIZE];
    size_t size = 0;
    memcpy(bytes, label, sizeof label);
    size += sizeof label;
    memcpy(bytes + size, core->identity.account.bytes, ACCOUNT_ID_SIZE);
    size += ACCOUNT_ID_SIZE;
    memcpy(bytes + size, room->bytes, ROOM_ID_SIZE);
    size += ROOM_ID_SIZE;
    memcpy(bytes + size, text.data, text.size);
    size += text.size;
    wire_hash(sotto_bytes_of(bytes, size), hash);
    memcpy(id, hash, CONTENT_ALBUM_SIZE);
}

/* Whether the message of that id is of that album: a file may be called like one of its own. */
static sotto_error is_of(struct sotto *core, const struct room_id *room, const char *client_id,
                         const uint8_t id[static CONTENT_ALBUM_SIZE], struct arena *arena)
{
    struct store_message message;
    struct content_message content;
    sotto_fault fault;
    TRY(store_message_by_client(core->store, room, client_id, arena, &message));
    return content_read(message.content, &message.sender, room, arena, &content, &fault) ==
                       SOTTO_OK &&
                   content.kind == CONTENT_FILE &&
                   sotto_bytes_equal(content.file.album.id, sotto_bytes_of(id, CONTENT_ALBUM_SIZE))
               ? SOTTO_OK
               : SOTTO_NOT_FOUND;
}

sotto_error album_take_back(struct sotto *core, const struct room_id *room, const char *client_id,
                            struct arena *arena)
{
    uint8_t id[CONTENT_ALBUM_SIZE];
    char one[SOTTO_CLIENT_ID_MAX + 1];
    bool any = false;
    if (strlen(client_id) > CLIENT_ID_MAX)
        return SOTTO_NOT_FOUND;
    album_id(core, room, client_id, id);
    for (size_t i = 0; i < SOTTO_ALBUM_MAX; i++) {
        (void)snprintf(one, sizeof one, "%s.%zu", client_id, i);
        sotto_error error = is_of(core, room, one, id, arena);
        if (error == SOTTO_OK)
            error = file_take_back(core, room, one, arena);
        if (error != SOTTO_OK && error != SOTTO_NOT_FOUND)
            return error;
        any |= error == SOTTO_OK;
    }
    return any ? SOTTO_OK : SOTTO_NOT_FOUND;
}

/* It was cancelled while one of its files was read: those before that go too, but for what is on
 * its way. */
static void take_back_before(struct sotto *core, const struct sotto_id *conversation,
                             const char *client_id, size_t count)
{
    const struct sotto_problem problem = core->problem;
    char one[SOTTO_CLIENT_ID_MAX + 1];
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(one, sizeof one, "%s.%zu", client_id, i);
        (void)sotto_cancel_file(core, conversation, one);
    }
    core->problem = problem;
}

sotto_error sotto_send_album(struct sotto *core, const struct sotto_id *conversation,
                             const char *client_id, const struct sotto_file *files, size_t count,
                             char *client_id_out)
{
    char fresh[33], one[SOTTO_CLIENT_ID_MAX + 1];
    uint8_t id[CONTENT_ALBUM_SIZE];
    struct room_id room;
    TRY(core_need_account(core));
    if (count < 2 || count > SOTTO_ALBUM_MAX)
        return problem_set(&core->problem, SOTTO_ARGUMENT, SOTTO_CODE_USAGE,
                           "Send one file by itself, and many in several albums.",
                           "An album has 2 to %d files.", SOTTO_ALBUM_MAX);
    TRY(core_client_id_choose(core, &client_id, fresh));
    if (strlen(client_id) > CLIENT_ID_MAX)
        return problem_set(&core->problem, SOTTO_ARGUMENT, SOTTO_CODE_BAD_ID, "Shorten it.",
                           "The id of an album has at most %d characters.", CLIENT_ID_MAX);
    memcpy(room.bytes, conversation->bytes, ROOM_ID_SIZE);
    album_id(core, &room, client_id, id);
    sotto_error error = SOTTO_OK;
    for (size_t i = 0; i < count && error == SOTTO_OK; i++) {
        const struct content_album album = {
            .id = sotto_bytes_of(id, sizeof id), .place = (uint32_t)i, .of = (uint32_t)count};
        (void)snprintf(one, sizeof one, "%s.%zu", client_id, i);
        error = file_send(core, conversation, one, &files[i], &album, NULL);
        if (core->problem.code == SOTTO_CODE_CANCELLED && core->stop == CORE_CANCEL)
            take_back_before(core, conversation, client_id, i);
    }
    if (error == SOTTO_OK && client_id_out != NULL)
        (void)snprintf(client_id_out, SOTTO_CLIENT_ID_MAX + 1, "%s", client_id);
    return error;
}
