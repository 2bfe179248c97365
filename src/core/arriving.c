#include "core/arriving.h"

#include <string.h>

#include "core/store_arriving.h"

#define AGAIN "Remove them and add them again"

static sotto_error sentence(const struct store_arriving *arriving, struct arena *arena,
                            const char **trouble)
{
    enum { SIZE = 320 };
    *trouble = "";
    if (arriving->error[0] == '\0')
        return SOTTO_OK;
    char *text = arena_array(arena, SIZE, 1);
    if (text == NULL)
        return SOTTO_NO_MEMORY;
    if (arriving->given_up)
        (void)snprintf(text, SIZE,
                       "Not in, and not tried any more: their relay did not take what lets them in "
                       "(%s). " AGAIN ".",
                       arriving->error);
    else if (strcmp(arriving->error, wire_code_name(WIRE_CODE_NO_ACCOUNT)) == 0)
        (void)snprintf(text, SIZE,
                       "Not in yet: their relay does not know their account any more. Perhaps they "
                       "moved: it is tried again by itself for 30 days. " AGAIN " if you know that "
                       "they are back.");
    else
        (void)snprintf(text, SIZE,
                       "Not in yet: their relay did not take what lets them in (%s). It is tried "
                       "again by itself.",
                       arriving->error);
    *trouble = text;
    return SOTTO_OK;
}

sotto_error arriving_member(struct sotto *core, const struct room_id *room,
                            const struct account_id *account, const struct device_id *device,
                            struct arena *arena, bool *waits, const char **trouble)
{
    struct store_arriving arriving;
    *waits = false;
    *trouble = "";
    sotto_error error = store_arriving_get(core->store, room, account, device, arena, &arriving);
    if (error != SOTTO_OK)
        return error == SOTTO_NOT_FOUND ? SOTTO_OK : error;
    *waits = true;
    return sentence(&arriving, arena, trouble);
}

sotto_error arriving_trouble(struct sotto *core, const struct store_room *row, struct arena *arena,
                             const char **trouble)
{
    struct store_arriving arriving;
    *trouble = "";
    sotto_error error = store_arriving_refused(core->store, &row->room, arena, &arriving);
    if (error != SOTTO_OK)
        return error == SOTTO_NOT_FOUND ? SOTTO_OK : error;
    if (row->kind != STORE_ROOM_GROUP)
        return sentence(&arriving, arena, trouble);
    *trouble = "Somebody who was added is not in yet; the list of members says who, and why.";
    return SOTTO_OK;
}
