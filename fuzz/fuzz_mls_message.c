/* Any bytes as an MLSMessage: decoded whole and encoded to the same bytes, or refused. */
#include "mls/framing.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    arena_init(&arena, sotto_env_system());
    sotto_buf again;
    sotto_buf_init(&again, sotto_env_system());
    struct mls_message message;
    sotto_fault fault = {SOTTO_OK, "", 0};
    sotto_bytes input = sotto_bytes_of(data, size);
    if (mls_message_decode(input, &arena, &message, &fault) == SOTTO_OK) {
        struct writer w;
        writer_init(&w, &again);
        mls_message_write(&w, &message);
        BUG_UNLESS(writer_finish(&w) == SOTTO_OK);
        BUG_UNLESS(sotto_bytes_equal(sotto_buf_view(&again), input));
    } else {
        BUG_UNLESS(fault.error != SOTTO_OK && fault.what[0] != 0 && fault.offset <= size);
    }
    sotto_buf_free(&again);
    arena_free(&arena);
    return 0;
}
