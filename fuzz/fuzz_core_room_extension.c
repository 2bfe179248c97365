/* Any bytes as the extensions of a GroupContext that rooms have: what kind of room it is is written
 * the same again; its settings are, once read, and a change of them is. */
#include <string.h>

#include "core/identity.h"
#include "core/settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void room(sotto_bytes input, sotto_buf *again)
{
    struct identity_room read;
    sotto_fault fault = {0};
    sotto_error error = identity_room_read(input, &read, &fault);
    if (error == SOTTO_OK) {
        BUG_UNLESS(identity_room_write(&read, again) == SOTTO_OK);
        BUG_UNLESS(sotto_bytes_equal(sotto_buf_view(again), input));
    } else {
        BUG_UNLESS(fault.error == error && strlen(fault.what) > 0);
    }
}

static void settings(sotto_bytes input, struct arena *arena, sotto_buf *once, sotto_buf *twice)
{
    struct settings read, same;
    sotto_fault fault = {0};
    sotto_error error = settings_read(input, arena, &read, &fault);
    if (error != SOTTO_OK) {
        BUG_UNLESS(fault.error == error && strlen(fault.what) > 0);
        return;
    }
    BUG_UNLESS(settings_write(&read, once) == SOTTO_OK);
    BUG_UNLESS(settings_read(sotto_buf_view(once), arena, &same, &fault) == SOTTO_OK);
    BUG_UNLESS(settings_write(&same, twice) == SOTTO_OK);
    BUG_UNLESS(sotto_bytes_equal(sotto_buf_view(once), sotto_buf_view(twice)));
    /* Giving a role and taking it back leaves the list in order. */
    struct settings_change change = {.what = SETTINGS_ROLE, .value = SOTTO_ROLE_ADMIN};
    bool changed = false;
    memcpy(change.account.bytes, input.data, input.size < 32 ? input.size : 32);
    error = settings_apply(&same, &change, arena, &changed);
    BUG_UNLESS(error == SOTTO_OK || error == SOTTO_LIMIT || error == SOTTO_NO_MEMORY);
    BUG_UNLESS(error != SOTTO_OK || settings_role(&same, &change.account) == SOTTO_ROLE_ADMIN);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const sotto_env *env = sotto_env_system();
    sotto_buf bufs[3];
    struct arena arena;
    for (size_t i = 0; i < 3; i++)
        sotto_buf_init(&bufs[i], env);
    arena_init(&arena, env);
    room(sotto_bytes_of(data, size), &bufs[0]);
    settings(sotto_bytes_of(data, size), &arena, &bufs[1], &bufs[2]);
    struct settings_change change;
    (void)settings_change_read(sotto_bytes_of(data, size), &change);
    arena_free(&arena);
    for (size_t i = 0; i < 3; i++)
        sotto_buf_free(&bufs[i]);
    return 0;
}
