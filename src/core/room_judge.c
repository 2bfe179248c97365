/* Who is in a room, against what is known of each account's devices. A device that left its account
 * is removed without anybody's asking, by whichever member knows of it first; one's own devices
 * that are missing are added. Looked at when a list of devices changed, before anything else is
 * sent. */
#include <string.h>

#include "core/internal.h"

struct judging {
    struct room *room;
    struct store_room row;
    struct arena *arena;
    uint64_t since;
    struct account_id account; /* whose manifest it is */
    struct manifest manifest;
    bool has_account, has_manifest;
    bool changes_own; /* the other members have to know one's own manifest first */
};

/* Where people are connected all the time, not all of them jump at once. */
static uint64_t pause_s(struct sotto *core, uint64_t least, uint64_t spread)
{
    return core->patient ? core_now_s(core) + least + net_jitter(core, spread) : 0;
}

static sotto_error device_queue(struct judging *j, uint8_t action, const struct device_id *device)
{
    struct sotto *core = j->room->core;
    struct commit_intent intent;
    char hex[33], client_id[STORE_CLIENT_ID_MAX + 1];
    bool own = core_is_own(core, &j->account);
    memset(&intent, 0, sizeof intent);
    intent.action = action;
    intent.account = j->account;
    intent.device = *device;
    intent.relay = sotto_bytes_str(action == COMMIT_ADD ? core->profile.relay : "");
    core_id_hex(device->bytes, DEVICE_ID_SIZE, hex);
    (void)snprintf(client_id, sizeof client_id, "%s%s", action == COMMIT_ADD ? OUT_OWN : OUT_GONE,
                   hex);
    j->changes_own |= own;
    sotto_error error =
        commit_queue(core, &j->room->id, &intent, client_id, pause_s(core, own ? 2 : 0, 4));
    return error == SOTTO_EXISTS ? SOTTO_OK : error;
}

/* The manifest of that account, if it changed since. */
static sotto_error account_enter(struct judging *j, const struct account_id *account)
{
    struct sotto *core = j->room->core;
    uint64_t changed = 0;
    if (j->has_account && account_id_equal(&j->account, account))
        return SOTTO_OK;
    j->account = *account;
    j->has_account = true;
    j->has_manifest = false;
    TRY(store_manifest_change(core->store, account, &changed));
    return changed > j->since
               ? manifest_newest(core, account, j->arena, &j->manifest, &j->has_manifest)
               : SOTTO_OK;
}

/* The account that was entered has no device left in the room, but others in its manifest: it was
 * recovered, or had only devices that are gone. The account is the member, so it is taken in anew.
 */
static sotto_error account_return(struct judging *j)
{
    struct sotto *core = j->room->core;
    struct commit_intent intent;
    struct store_contact contact;
    char hex[33], client_id[STORE_CLIENT_ID_MAX + 1];
    for (size_t i = 0; i < j->manifest.device_count; i++)
        if (group_has(j->room->group, &j->account, &j->manifest.devices[i].id, NULL))
            return SOTTO_OK;
    if (core_is_own(core, &j->account))
        return SOTTO_OK; /* add_own sees to it */
    TRY(store_contact_get(core->store, &j->account, j->arena, &contact));
    if (contact.blocked || contact.relay[0] == '\0')
        return SOTTO_OK;
    memset(&intent, 0, sizeof intent);
    intent.action = COMMIT_ADD;
    intent.account = j->account;
    intent.relay = sotto_bytes_str(contact.relay);
    core_id_hex(j->account.bytes, 16, hex);
    (void)snprintf(client_id, sizeof client_id, "back.%s.%llu", hex,
                   (unsigned long long)j->manifest.number);
    /* In a large group longer: each who begins takes a KeyPackage of theirs. */
    uint64_t spread = 4 + sotto_mls_member_count(j->room->group) / 8;
    sotto_error error =
        commit_queue(core, &j->room->id, &intent, client_id, pause_s(core, 0, spread));
    return error == SOTTO_EXISTS ? SOTTO_OK : error;
}

static sotto_error judge_leaves(struct judging *j)
{
    uint32_t at = 0;
    sotto_mls_leaf leaf;
    while (sotto_mls_next_member(j->room->group, &at, &leaf)) {
        struct account_id account;
        struct device_id device;
        if (identity_leaf_ids(&leaf, &account, &device) != SOTTO_OK ||
            leaf.index == sotto_mls_own_index(j->room->group))
            continue;
        TRY(account_enter(j, &account));
        if (j->has_manifest && manifest_device(&j->manifest, &device) == NULL) {
            TRY(device_queue(j, COMMIT_REMOVE_DEVICE, &device));
            TRY(account_return(j));
        }
    }
    return SOTTO_OK;
}

static sotto_error add_own(struct judging *j)
{
    struct sotto *core = j->room->core;
    const struct account_id *own = &core->identity.account;
    TRY(account_enter(j, own));
    if (!j->has_manifest || manifest_device(&j->manifest, &core->identity.device) == NULL)
        return SOTTO_OK;
    for (size_t i = 0; i < j->manifest.device_count; i++)
        if (!group_has(j->room->group, own, &j->manifest.devices[i].id, NULL))
            TRY(device_queue(j, COMMIT_ADD, &j->manifest.devices[i].id));
    if (!j->changes_own)
        return SOTTO_OK;
    sotto_bytes bytes;
    TRY(store_own_manifest_get(core->store, j->arena, &bytes));
    return room_queue_manifest(core, &j->room->id, own, bytes, j->manifest.number);
}

static sotto_error judge(struct judging *j, uint64_t newest)
{
    struct sotto *core = j->room->core;
    TRY(room_enter(j->room, j->arena, &j->row));
    if (j->row.state != STORE_ROOM_ACTIVE)
        return SOTTO_OK;
    TRY(judge_leaves(j));
    TRY(add_own(j));
    return store_room_judged_put(core->store, &j->room->id, newest);
}

void room_judge(struct room *room)
{
    struct sotto *core = room->core;
    uint64_t newest = 0, judged = 0;
    sotto_error error = store_manifest_changes(core->store, &newest);
    if (error == SOTTO_OK && newest > 0)
        error = store_room_judged_get(core->store, &room->id, &judged);
    if (error == SOTTO_OK && judged == newest)
        return;
    struct arena arena;
    arena_init(&arena, core->env);
    struct judging j = {.room = room, .arena = &arena, .since = judged};
    if (error == SOTTO_OK)
        error = store_begin(core->store);
    if (error == SOTTO_OK)
        error = judge(&j, newest);
    if (error == SOTTO_OK)
        error = store_commit(core->store);
    if (error != SOTTO_OK) {
        room_abort(room);
        room_local_failure(room, error, "looking at the members' devices");
    }
    arena_free(&arena);
}
