/* backup.*, conversation.export, conversation.import */
#include "base/base.h"
#include "rpc/methods.h"
#include "rpc/objects.h"

bool backup_create(struct call *call)
{
    struct sotto_backup_made made;
    const struct sotto_backup backup = {
        .path = param_text(call, "path"),
        .passphrase = param_bytes(call, "passphrase"),
        .account_key = param_flag(call, "accountKey"),
        .replace = param_flag(call, "replace"),
    };
    if (sotto_backup(call->core, &backup, &made, call->progress, call->progress_ctx) != SOTTO_OK)
        return call_fail(call);
    call->result = object_backup(call->env, backup.path, &made);
    wipe(&made, sizeof made);
    return true;
}

bool backup_restore(struct call *call)
{
    struct sotto_restored restored;
    const struct sotto_recovery recovery = {
        .with = param_registration(call),
        .alone = param_flag(call, "alone"),
        .anew = param_flag(call, "anew"),
    };
    if (sotto_restore(call->core, param_text(call, "path"), param_bytes(call, "passphrase"),
                      param_flag(call, "historyOnly") ? NULL : &recovery, &restored, call->progress,
                      call->progress_ctx) != SOTTO_OK)
        return call_fail(call);
    call->result = object_restored(&restored);
    return true;
}

bool conversation_export(struct call *call)
{
    struct sotto_exported exported = {0};
    const struct sotto_export what = {.conversation = param_id(call, "conversation"),
                                      .path = param_text(call, "path"),
                                      .files = param_flag(call, "files")};
    if (sotto_export(call->core, &what, &exported, call->progress, call->progress_ctx) != SOTTO_OK)
        return call_fail(call);
    call->result = object_exported(call->env, what.path, &exported);
    return true;
}

bool conversation_import(struct call *call)
{
    struct sotto_imported imported = {0};
    if (sotto_import(call->core, param_text(call, "path"), &imported, call->progress,
                     call->progress_ctx) != SOTTO_OK)
        return call_fail(call);
    call->result = object_imported(&imported);
    return true;
}
