/* Any bytes as MIMI content: what is accepted encodes to the same bytes again. */
#include <string.h>

#include "core/content.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct account_id account = {{1}};
    static const struct room_id room = {{2}};
    const sotto_env *env = sotto_env_system();
    sotto_bytes input = sotto_bytes_of(data, size);
    struct arena arena;
    struct content content;
    struct content_message message;
    sotto_fault fault = {0};
    sotto_buf again;
    arena_init(&arena, env);
    sotto_buf_init(&again, env);
    sotto_error error = content_decode(input, &arena, &content, &fault);
    if (error == SOTTO_OK) {
        BUG_UNLESS(content_encode(env, &content, &again) == SOTTO_OK);
        BUG_UNLESS(sotto_bytes_equal(sotto_buf_view(&again), input));
        /* The same without URIs, which say another sender than this one. */
        content.has_sender = content.has_room = false;
        sotto_buf_clear(&again);
        BUG_UNLESS(content_encode(env, &content, &again) == SOTTO_OK);
        if (content_read(sotto_buf_view(&again), &account, &room, &arena, &message, &fault) ==
            SOTTO_OK)
            BUG_UNLESS(message.kind >= CONTENT_TEXT && message.kind <= CONTENT_STATEMENT);
    } else {
        BUG_UNLESS(fault.error == error && strlen(fault.what) > 0 && fault.offset <= size);
    }
    sotto_buf_free(&again);
    arena_free(&arena);
    return 0;
}
