/* account.*, status.get, the profile's passphrase, and what the program says of itself. */
#include <string.h>

#include "core/problem.h"
#include "rpc/methods.h"
#include "rpc/objects.h"

bool account_get(struct call *call)
{
    struct sotto_account account;
    if (sotto_account(call->core, &account) != SOTTO_OK)
        return call_fail(call);
    call->result = object_account(call->env, &account);
    return true;
}

struct sotto_registration param_registration(const struct call *call)
{
    return (struct sotto_registration){
        .relay = param_text(call, "relay"),
        .name = param_text(call, "name"),
        .phone = param_text(call, "phone"),
        .invitation = param_text(call, "invitation"),
        .code = param_text(call, "code"),
    };
}

bool account_register(struct call *call)
{
    const struct sotto_registration registration = param_registration(call);
    if (sotto_register(call->core, &registration) != SOTTO_OK)
        return call_fail(call);
    return account_get(call);
}

bool account_recovery_phrase(struct call *call)
{
    sotto_buf phrase;
    sotto_buf_init(&phrase, call->env);
    bool done = call_done(call, sotto_recovery_phrase(call->core, &phrase));
    if (done)
        call->result = object_phrase(call->env, (const char *)phrase.data);
    sotto_buf_free(&phrase);
    return done;
}

bool account_recover(struct call *call)
{
    const struct sotto_recovery recovery = {
        .with = param_registration(call),
        .phrase = param_bytes(call, "phrase"),
        .alone = param_flag(call, "alone"),
        .anew = param_flag(call, "anew"),
    };
    if (sotto_recover(call->core, &recovery) != SOTTO_OK)
        return call_fail(call);
    return account_get(call);
}

bool account_move(struct call *call)
{
    const struct sotto_registration registration = param_registration(call);
    if (sotto_account_move(call->core, &registration) != SOTTO_OK)
        return call_fail(call);
    return account_get(call);
}

/* The account's id, once more, so that no slip deletes one. */
bool account_delete(struct call *call)
{
    struct sotto_account account;
    struct sotto_id confirmed = param_id(call, "confirm");
    if (sotto_account(call->core, &account) != SOTTO_OK)
        return call_fail(call);
    if (account.registered &&
        memcmp(confirmed.bytes, account.account.bytes, sizeof confirmed) != 0) {
        (void)problem_set(&call->problem, SOTTO_ARGUMENT, SOTTO_CODE_USAGE,
                          "account.get says the id.", "`confirm` is not this account's id.");
        return false;
    }
    return call_done(call, sotto_account_delete(call->core, param_flag(call, "force")));
}

bool account_set_name(struct call *call)
{
    if (sotto_set_name(call->core, param_text(call, "name")) != SOTTO_OK)
        return call_fail(call);
    return account_get(call);
}

bool account_set_receipts(struct call *call)
{
    if (sotto_set_receipts(call->core, param_flag(call, "on")) != SOTTO_OK)
        return call_fail(call);
    return account_get(call);
}

bool account_set_typing(struct call *call)
{
    if (sotto_allow_typing(call->core, param_flag(call, "on")) != SOTTO_OK)
        return call_fail(call);
    return account_get(call);
}

bool account_set_downloads(struct call *call)
{
    if (sotto_set_downloads(call->core, param_number(call, "most", UINT64_MAX)) != SOTTO_OK)
        return call_fail(call);
    return account_get(call);
}

bool network_proxy(struct call *call)
{
    struct sotto_proxy proxy;
    if (sotto_proxy(call->core, &proxy) != SOTTO_OK)
        return call_fail(call);
    call->result = object_proxy(call->env, &proxy);
    return true;
}

bool network_set_proxy(struct call *call)
{
    if (sotto_set_proxy(call->core, param_text(call, "proxy")) != SOTTO_OK)
        return call_fail(call);
    return network_proxy(call);
}

static bool fingerprint(struct call *call, const char *who)
{
    struct sotto_fingerprint fingerprint;
    if (sotto_fingerprint(call->core, who, &fingerprint) != SOTTO_OK)
        return call_fail(call);
    call->result = object_fingerprint(call->env, &fingerprint, who == NULL);
    return true;
}

bool account_fingerprint(struct call *call)
{
    return fingerprint(call, NULL);
}

bool contact_fingerprint(struct call *call)
{
    return fingerprint(call, param_text(call, "contact"));
}

bool status_get(struct call *call)
{
    struct sotto_status status;
    if (sotto_status(call->core, &status) != SOTTO_OK)
        return call_fail(call);
    if (!account_get(call))
        return false;
    object_set_status(call->result, &status);
    return true;
}

bool profile_set_passphrase(struct call *call)
{
    const sotto_bytes passphrase = param_bytes(call, "passphrase");
    return call_done(call,
                     sotto_passphrase_set(call->core, passphrase.size > 0 ? &passphrase : NULL));
}

bool version_get(struct call *call)
{
    call->result = json_object();
    object_set_text(call->env, call->result, "version", PROGRAM_VERSION);
    return true;
}

bool rpc_discover(struct call *call)
{
    call->result = rpc_openrpc();
    return true;
}
