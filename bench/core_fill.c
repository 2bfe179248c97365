/* core_fill PROFILE N: puts N received texts into the profile's conversations, in turns, as if they
 * had come long ago. For core.py: what a large profile costs does not depend on who wrote it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/internal.h"

/* Words of a language with a few frequent and many rare ones. */
static void text_make(uint64_t number, char out[static 200])
{
    static const char *const frequent[] = {"the", "and", "tomorrow", "you", "when", "thanks"};
    int at = snprintf(out, 200, "message %llu", (unsigned long long)number);
    for (unsigned i = 0; i < 10; i++) {
        number = number * 6364136223846793005u + 1442695040888963407u;
        uint64_t random = number >> 33;
        if (random % 3 == 0)
            at += snprintf(out + at, 200 - (size_t)at, " %s", frequent[random / 3 % 6]);
        else
            at += snprintf(out + at, 200 - (size_t)at, " w%llu",
                           (unsigned long long)(random / 3 % 50000));
    }
}

static sotto_error fill(struct store *store, const struct store_room *rooms, size_t count,
                        uint64_t wanted)
{
    char text[200];
    int64_t position, local;
    sotto_error error = store_begin(store);
    for (uint64_t i = 0; i < wanted && error == SOTTO_OK; i++) {
        text_make(i, text);
        const struct store_message message = {
            .room = rooms[i % count].room,
            .seq = 1000000 + i / count,
            .kind = SOTTO_KIND_TEXT,
            .state = STORE_MESSAGE_RECEIVED,
            .sender = rooms[i % count].peer,
            .time_s = 1700000000 + i,
            .text = sotto_bytes_str(text),
        };
        error = store_message_add(store, &message, &position, &local);
    }
    return error == SOTTO_OK ? store_commit(store) : error;
}

int main(int argc, char **argv)
{
    struct sotto *core;
    struct sotto_problem problem;
    struct arena arena;
    struct store_room *rooms = NULL;
    size_t count = 0;
    if (argc != 3 || sotto_open(sotto_env_system(), argv[1], NULL, &core, &problem) != SOTTO_OK)
        return 1;
    arena_init(&arena, sotto_env_system());
    sotto_error error = store_rooms(core->store, &arena, &rooms, &count);
    if (error == SOTTO_OK && count > 0)
        error = fill(core->store, rooms, count, strtoull(argv[2], NULL, 10));
    arena_free(&arena);
    sotto_close(core);
    if (error != SOTTO_OK)
        fprintf(stderr, "core_fill: %s\n", sotto_error_text(error));
    return error == SOTTO_OK && count > 0 ? 0 : 1;
}
