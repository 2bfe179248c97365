/* liar PROFILE CONVERSATION KIND TARGET [TEXT]: sends what no `sotto` would: an edit, delete,
 * reaction or receipt about any content id, from a member of the conversation. For tests. KIND:
 * edit, delete, react, reply, read. CONVERSATION and TARGET in hex. The profile has no passphrase.
 */
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "core/internal.h"

static bool unhex(const char *hex, uint8_t out[static 32])
{
    size_t size = 0;
    return sodium_hex2bin(out, 32, hex, strlen(hex), NULL, &size, NULL) == 0 && size == 32;
}

static bool kind_of(const char *name, enum content_kind *kind)
{
    static const struct {
        const char *name;
        enum content_kind kind;
    } kinds[] = {{"edit", CONTENT_EDIT},
                 {"delete", CONTENT_DELETE},
                 {"react", CONTENT_REACTION},
                 {"reply", CONTENT_REPLY},
                 {"read", CONTENT_STATUS}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kinds[i].name, name) == 0) {
            *kind = kinds[i].kind;
            return true;
        }
    return false;
}

static sotto_error queue(struct sotto *core, const struct sotto_id *conversation,
                         struct content_message *message)
{
    struct room_id room;
    memcpy(room.bytes, conversation->bytes, ROOM_ID_SIZE);
    sotto_buf bytes;
    sotto_buf_init(&bytes, core->env);
    char client_id[33];
    sotto_error error = core_need_account(core);
    if (error == SOTTO_OK)
        error = core_random_client_id(core, client_id);
    if (error == SOTTO_OK)
        error = content_write(core->env, message, &core->identity.account, &room, &bytes);
    if (error == SOTTO_OK)
        error = store_begin(core->store);
    if (error == SOTTO_OK)
        error = room_queue_content(core, &room, MESSAGE_INTENT_CHANGE,
                                   sotto_bytes_of(message->id, CONTENT_ID_SIZE),
                                   sotto_buf_view(&bytes), client_id);
    if (error == SOTTO_OK)
        error = store_commit(core->store);
    sotto_buf_free(&bytes);
    return error;
}

int main(int argc, char **argv)
{
    struct sotto *core = NULL;
    struct sotto_problem problem;
    struct sotto_id conversation;
    struct content_message message;
    memset(&message, 0, sizeof message);
    if (argc < 5 || !unhex(argv[2], conversation.bytes) || !kind_of(argv[3], &message.kind) ||
        !unhex(argv[4], message.target)) {
        fputs("liar PROFILE CONVERSATION KIND TARGET [TEXT]\n", stderr);
        return 2;
    }
    message.text = sotto_bytes_str(argc > 5 ? argv[5] : "");
    struct content_status status = {.status = CONTENT_READ};
    memcpy(status.id, message.target, CONTENT_ID_SIZE);
    message.statuses = &status;
    message.status_count = 1;
    if (sotto_open(sotto_env_system(), argv[1], NULL, &core, &problem) != SOTTO_OK)
        return 1;
    sotto_error error = queue(core, &conversation, &message);
    if (error == SOTTO_OK)
        error = sotto_settle(core, &conversation);
    if (error != SOTTO_OK)
        fprintf(stderr, "liar: %s: %s\n", sotto_error_name(error), sotto_problem(core)->message);
    sotto_close(core);
    return error == SOTTO_OK ? 0 : 1;
}
