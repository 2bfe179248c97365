/* Any bytes as the room extension of a GroupContext: what is accepted is written the same again. */
#include <string.h>

#include "core/identity.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct identity_room room;
    sotto_fault fault = {0};
    sotto_buf again;
    sotto_buf_init(&again, sotto_env_system());
    sotto_error error = identity_room_read(sotto_bytes_of(data, size), &room, &fault);
    if (error == SOTTO_OK) {
        BUG_UNLESS(identity_room_write(&room, &again) == SOTTO_OK);
        BUG_UNLESS(sotto_bytes_equal(sotto_buf_view(&again), sotto_bytes_of(data, size)));
    } else {
        BUG_UNLESS(fault.error == error && strlen(fault.what) > 0);
    }
    sotto_buf_free(&again);
    return 0;
}
