/* Links to messages: which conversation and which message, for whoever has both. */
#include <string.h>

#include "core/internal.h"
#include "wire/link_text.h"

enum { LINK_VERSION = 1, LINK_SIZE = 1 + ROOM_ID_SIZE + CONTENT_ID_SIZE };

static const struct link_text form = {
    .prefix = "sotto://message/",
    .limit = "link (too long)",
    .expected = "link (sotto://message/...)",
    .base64url = "link (base64url)",
};
_Static_assert(16 + (LINK_SIZE * 4 + 2) / 3 + 1 <= SOTTO_MESSAGE_LINK_SIZE, "it fits");

sotto_error sotto_message_link(struct sotto *core, int64_t id, char link[SOTTO_MESSAGE_LINK_SIZE])
{
    struct arena arena;
    struct store_message message;
    uint8_t bytes[LINK_SIZE] = {LINK_VERSION};
    sotto_buf text;
    TRY(core_need_account(core));
    arena_init(&arena, core->env);
    sotto_buf_init(&text, core->env);
    sotto_error error = core_message_at(core, id, &arena, &message);
    bool told = error != SOTTO_OK;
    if (error == SOTTO_OK && message.content_id.size != CONTENT_ID_SIZE) {
        told = true;
        error = problem_set(&core->problem, SOTTO_STATE, SOTTO_CODE_CANNOT_CHANGE, "",
                            "Only what people wrote can be linked to.");
    }
    if (error == SOTTO_OK) {
        memcpy(bytes + 1, message.room.bytes, ROOM_ID_SIZE);
        memcpy(bytes + 1 + ROOM_ID_SIZE, message.content_id.data, CONTENT_ID_SIZE);
        error = link_text_write(&form, sotto_bytes_of(bytes, sizeof bytes), &text);
    }
    if (error == SOTTO_OK) {
        memcpy(link, text.data, text.size);
        link[text.size] = '\0';
    } else if (!told)
        (void)core_store_problem(core, error, "making the link");
    sotto_buf_free(&text);
    arena_free(&arena);
    return error;
}

static sotto_error bad(struct sotto *core, const char *what)
{
    return problem_set(&core->problem, SOTTO_VALUE, SOTTO_CODE_BAD_LINK,
                       "Copy it again, whole: sotto://message/...",
                       "That is no link to a message (%s).", what);
}

sotto_error sotto_message_find(struct sotto *core, const char *link, sotto_message_fn *each,
                               void *ctx)
{
    struct arena arena;
    struct store_message message;
    struct room_id room;
    sotto_buf bytes;
    sotto_bytes content = {0};
    sotto_fault fault = {SOTTO_OK, "link", 0};
    TRY(core_need_account(core));
    arena_init(&arena, core->env);
    sotto_buf_init(&bytes, core->env);
    sotto_error error = link_text_read(&form, sotto_bytes_str(link), &bytes, &content, &fault);
    if (error == SOTTO_OK && (content.size != LINK_SIZE || content.data[0] != LINK_VERSION)) {
        fault.what = "of a newer version, or cut";
        error = SOTTO_VALUE;
    }
    if (error != SOTTO_OK) {
        (void)bad(core, fault.what);
        goto out;
    }
    memcpy(room.bytes, content.data + 1, ROOM_ID_SIZE);
    error = store_message_meant(core->store, &room,
                                sotto_bytes_of(content.data + 1 + ROOM_ID_SIZE, CONTENT_ID_SIZE),
                                &arena, &message);
    if (error == SOTTO_OK)
        messages_show(core, &message, 1, each, ctx);
    else if (error == SOTTO_NOT_FOUND)
        (void)problem_set(&core->problem, error, SOTTO_CODE_NOT_FOUND,
                          "It opens for members of its conversation who have it.",
                          "That message is not here.");
    else
        (void)core_store_problem(core, error, "looking for the message");
out:
    sotto_buf_free(&bytes);
    arena_free(&arena);
    return error;
}
