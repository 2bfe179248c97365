/* Manifests that come: from relays, envelopes and messages. Whoever brings one, it speaks for
 * itself: it is signed by the account whose devices it lists. */
#include <string.h>

#include "core/people.h"

static sotto_error known_manifest(struct sotto *core, const struct account_id *account,
                                  struct arena *arena, sotto_bytes *known)
{
    *known = sotto_bytes_of(NULL, 0);
    sotto_error error = core_is_own(core, account)
                            ? store_own_manifest_get(core->store, arena, known)
                            : store_manifest_get(core->store, account, arena, known);
    return error == SOTTO_NOT_FOUND ? SOTTO_OK : error;
}

sotto_error manifest_newest(struct sotto *core, const struct account_id *account,
                            struct arena *arena, struct manifest *manifest, bool *found)
{
    sotto_bytes bytes;
    sotto_fault fault;
    TRY(known_manifest(core, account, arena, &bytes));
    *found = bytes.size > 0;
    return *found ? manifest_read(bytes, arena, manifest, &fault) : SOTTO_OK;
}

sotto_error manifest_learn(struct sotto *core, const struct account_id *account,
                           sotto_bytes offered, struct arena *arena, sotto_bytes *newest,
                           sotto_fault *fault)
{
    struct manifest manifest;
    sotto_bytes known;
    uint64_t number = 0;
    TRY(known_manifest(core, account, arena, &known));
    sotto_error error = identity_judge_manifest(core->env, account, known, offered, &number, fault);
    if (error == SOTTO_EXISTS) {
        *newest = known;
        return SOTTO_OK;
    }
    TRY(error);
    TRY(manifest_read(offered, arena, &manifest, fault));
    *newest = offered;
    if (core_is_own(core, account))
        TRY(store_own_manifest_put(core->store, offered));
    else
        TRY(store_manifest_put(core->store, account, manifest.account_key, number, offered,
                               core_now_s(core)));
    return number > 1 ? store_manifest_changed(core->store, account) : SOTTO_OK;
}

sotto_error manifest_learn_any(struct sotto *core, sotto_bytes offered, struct arena *arena,
                               struct account_id *account)
{
    struct manifest manifest;
    sotto_bytes newest;
    sotto_fault fault;
    TRY(manifest_read(offered, arena, &manifest, &fault));
    account_id_of(manifest.account_key, account);
    sotto_error error = manifest_learn(core, account, offered, arena, &newest, &fault);
    if (error == SOTTO_CREDENTIAL) /* the account has signed something else before */
        TRY(people_conflict(core, account));
    return error;
}

sotto_error room_queue_manifest(struct sotto *core, const struct room_id *room,
                                const struct account_id *account, sotto_bytes manifest,
                                uint64_t number)
{
    struct content_message message;
    char hex[33], client_id[STORE_CLIENT_ID_MAX + 1];
    sotto_buf content;
    memset(&message, 0, sizeof message);
    message.kind = CONTENT_MANIFEST;
    message.text = manifest;
    core_id_hex(account->bytes, 16, hex);
    (void)snprintf(client_id, sizeof client_id, OUT_MANIFEST "%s.%llu", hex,
                   (unsigned long long)number);
    sotto_buf_init(&content, core->env);
    sotto_error error = content_write(core->env, &message, &core->identity.account, room, &content);
    if (error == SOTTO_OK)
        error = room_queue_content(core, room, MESSAGE_INTENT_MANIFEST,
                                   sotto_bytes_of(message.id, CONTENT_ID_SIZE),
                                   sotto_buf_view(&content), client_id);
    sotto_buf_free(&content);
    return error == SOTTO_EXISTS ? SOTTO_OK : error;
}
