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
    }
    if (error == SOTTO_OK && client_id_out != NULL)
        (void)snprintf(client_id_out, SOTTO_CLIENT_ID_MAX + 1, "%s", client_id);
    return error;
}
