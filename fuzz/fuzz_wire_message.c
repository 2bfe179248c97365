/* What a relay reads and what a client reads: never crashes, and what is accepted is written back
 * to the same bytes. */
#include <string.h>

#include "wire/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_and_write(sotto_bytes input, enum message_direction direction)
{
    struct arena arena;
    struct message message;
    sotto_fault fault;
    sotto_buf again;
    arena_init(&arena, sotto_env_system());
    sotto_buf_init(&again, sotto_env_system());
    if (message_read(input, direction, &arena, &message, &fault) == SOTTO_OK) {
        BUG_UNLESS(message_write(&message, &again) == SOTTO_OK);
        BUG_UNLESS(sotto_bytes_equal(sotto_buf_view(&again), input));
    } else {
        BUG_UNLESS(fault.offset <= input.size && strlen(fault.what) > 0);
    }
    sotto_buf_free(&again);
    arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    read_and_write(sotto_bytes_of(data, size), MESSAGE_TO_RELAY);
    read_and_write(sotto_bytes_of(data, size), MESSAGE_TO_CLIENT);
    return 0;
}
