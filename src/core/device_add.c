/* The other side of linking, and what else is done with the devices of one's own account: the list,
 * names, removal. The manifest at the relay is the truth: it is fetched before it is changed, and
 * what was changed is kept here once the relay has it, so that a process that is killed in between
 * finds out by asking. */
#include <string.h>

#include "codec/writer.h"
#include "core/account.h"
#include "core/meeting.h"
#include "base/text.h"

enum { KEYS_WAIT_S = 60, ROOMS_WAIT_S = 40 };

struct adding {
    struct sotto *core;
    struct arena arena;
    sotto_buf bytes; /* what link borrows from */
    struct device_link link;
    char relay[WIRE_ADDRESS_MAX + 1]; /* a copy: the profile may be loaded anew meanwhile */
    sotto_buf keys_bytes;             /* what keys borrows from */
    struct device_keys keys;
    const char *name;
    sotto_bytes manifest; /* the newest, with the device in it */
};

/* ---- One's own manifest --------------------------------------------------------------------- */

/* Inside no transaction. */
static sotto_error keep_manifest(struct sotto *core, sotto_bytes manifest, struct arena *arena,
                                 sotto_bytes *newest)
{
    sotto_fault fault = {SOTTO_OK, "manifest", 0};
    sotto_error error = store_begin(core->store);
    if (error == SOTTO_OK)
        error = manifest_learn(core, &core->identity.account, manifest, arena, newest, &fault);
    if (error == SOTTO_OK)
        error = store_commit(core->store);
    if (error == SOTTO_OK)
        return SOTTO_OK;
    store_rollback(core->store);
    if (error_is_local(error))
        return core_store_problem(core, error, "saving the list of devices");
    return problem_set(
        &core->problem, error, SOTTO_CODE_BAD_IDENTITY,
        "The relay may be lying, or another of your devices was restored from an old "
        "copy. Nothing was changed.",
        "The relay's list of your devices is not good: %s.", fault.what);
}

sotto_error account_fetch_manifest(struct sotto *core, struct arena *arena, sotto_bytes *newest)
{
    struct meeting_answer answer = {0};
    struct message message;
    sotto_bytes copy;
    sotto_buf_init(&answer.bytes, core->env);
    memset(&message, 0, sizeof message);
    message.type = MESSAGE_GET_MANIFEST;
    message.get_manifest.account = core->identity.account;
    sotto_error error =
        meeting_ask(core, net_conn(core, core->profile.relay, CONNECTION_ROOM), &message, &answer);
    if (error == SOTTO_OK) {
        error = arena_copy(arena, sotto_buf_view(&answer.bytes), &copy);
        error = error == SOTTO_OK ? keep_manifest(core, copy, arena, newest)
                                  : core_store_problem(core, error, "reading the devices");
    }
    sotto_buf_free(&answer.bytes);
    return error;
}

static sotto_error publish(struct sotto *core, sotto_bytes manifest)
{
    inbox_reset(core);
    core->inbox.wanted = true;
    core->inbox.manifest = manifest;
    sotto_error error = run_until_settled(core);
    bool published = core->inbox.manifest.size == 0;
    core->inbox.wanted = false;
    core->inbox.manifest = sotto_bytes_of(NULL, 0);
    if (published)
        return SOTTO_OK;
    if (error == SOTTO_OK)
        return problem_set(&core->problem, SOTTO_TIMEOUT, SOTTO_CODE_TIMEOUT, "Try again.",
                           "The relay did not take the new list of devices in time.");
    return error;
}

/* Changes the manifest at the relay, and here. Lives in arena. */
static sotto_error change_manifest(struct sotto *core, struct arena *arena, sotto_bytes known,
                                   const struct device *add, const struct device_id *remove,
                                   sotto_bytes *newest)
{
    sotto_buf next;
    sotto_bytes copy;
    sotto_fault fault;
    sotto_buf_init(&next, core->env);
    sotto_error error =
        identity_next_manifest(&core->identity, core->env, known, add, remove, &next, &fault);
    if (error == SOTTO_OK)
        error = arena_copy(arena, sotto_buf_view(&next), &copy);
    sotto_buf_free(&next);
    if (error == SOTTO_LIMIT)
        return problem_set(&core->problem, error, SOTTO_CODE_REFUSED,
                           "Remove one that you do not use: sotto device revoke DEVICE",
                           "An account has %d devices at most.", WIRE_DEVICES_MAX);
    if (error != SOTTO_OK)
        return core_store_problem(core, error, "making the list of devices");
    TRY(publish(core, copy));
    return keep_manifest(core, copy, arena, newest);
}

sotto_error account_need_key(struct sotto *core)
{
    TRY(core_need_account(core));
    if (core->identity.account_private.size > 0)
        return SOTTO_OK;
    return problem_set(&core->problem, SOTTO_STATE, SOTTO_CODE_LIMITED_DEVICE,
                       "Do it on the device that linked this one.",
                       "This device was linked without the account's key, which that needs.");
}

/* ---- Adding: the link ----------------------------------------------------------------------- */

static sotto_error link_read(struct adding *a, const char *text)
{
    struct sotto *core = a->core;
    sotto_fault fault;
    sotto_error error = device_link_parse(sotto_bytes_str(text), &a->bytes, &a->link, &fault);
    if (error != SOTTO_OK)
        return problem_set(&core->problem, error, SOTTO_CODE_BAD_LINK,
                           "Copy it whole, from sotto:// to its last character.",
                           "This is not a whole device link (%s).", fault.what);
    if (a->link.expires <= core_now_s(core))
        return problem_set(&core->problem, SOTTO_LIFETIME, SOTTO_CODE_INVITATION_EXPIRED,
                           "Make a new one on the new device: sotto link",
                           "This link has expired.");
    if (device_id_equal(&a->link.device, &core->identity.device))
        return problem_set(&core->problem, SOTTO_ARGUMENT, SOTTO_CODE_OWN_LINK,
                           "Run this on the device that is to let the new one in.",
                           "This is this device's own link.");
    (void)snprintf(a->relay, sizeof a->relay, "%s", core->profile.relay);
    if (!account_same_relay(a->relay, a->link.relay))
        return problem_set(&core->problem, SOTTO_VALUE, SOTTO_CODE_BAD_LINK,
                           "Run sotto link there with --relay and the address that `sotto status` "
                           "shows here.",
                           "The new device waits at another relay than your account's.");
    return SOTTO_OK;
}

/* ---- Adding: the new device's keys ------------------------------------------------------------
 */

static sotto_error link_used(struct sotto *core)
{
    return problem_set(&core->problem, SOTTO_EXISTS, SOTTO_CODE_INVITATION_USED,
                       "Make a new one on the new device: sotto link",
                       "This link was used already.");
}

static sotto_error wait_keys(struct adding *a, const struct link_place *place)
{
    struct sotto *core = a->core;
    uint64_t until_s = core_now_s(core) + KEYS_WAIT_S;
    if (until_s > a->link.expires)
        until_s = a->link.expires;
    struct meeting_pace pace = {0};
    bool whole = false;
    for (;;) {
        sotto_error error = meeting_is_whole(core, a->relay, place, &whole);
        if (error == SOTTO_OK && whole)
            return SOTTO_OK;
        if (error != SOTTO_OK && sotto_code_trouble(core->problem.code) != SOTTO_TROUBLE_NETWORK)
            return error;
        if (!meeting_wait(core, &pace, until_s))
            return problem_set(&core->problem, SOTTO_TIMEOUT, SOTTO_CODE_TIMEOUT,
                               "Leave `sotto link` running there, and run this again.",
                               "The new device does not answer.");
    }
}

static sotto_error keys_open(struct adding *a, const struct link_place *place)
{
    struct sotto *core = a->core;
    uint8_t hash[HASH_SIZE];
    sotto_buf box;
    sotto_fault fault = {SOTTO_OK, "not of this link", 0};
    sotto_buf_init(&box, core->env);
    sotto_error error = meeting_get(core, a->relay, place, LINK_KEYS_BLOB, &box);
    bool got = error == SOTTO_OK;
    if (got)
        error = link_unbox(place, sotto_buf_view(&box), &a->keys_bytes);
    sotto_buf_free(&box);
    if (got && error == SOTTO_OK) {
        device_keys_hash(sotto_buf_view(&a->keys_bytes), hash);
        if (memcmp(hash, a->link.keys_hash, HASH_SIZE) != 0)
            error = SOTTO_CREDENTIAL;
    }
    if (got && error == SOTTO_OK)
        error = device_keys_read(sotto_buf_view(&a->keys_bytes), &a->keys, &fault);
    if (got && error == SOTTO_OK && !device_id_equal(&a->keys.device.id, &a->link.device))
        error = SOTTO_CREDENTIAL;
    if (got && error_is_local(error))
        return core_store_problem(core, error, "reading the new device's keys");
    if (got && error != SOTTO_OK)
        return problem_set(&core->problem, error, SOTTO_CODE_BAD_IDENTITY,
                           "Nothing was given out. Make a new link; if it happens again, the relay "
                           "changes what it stores.",
                           "These are not the keys of the device that made the link (%s).",
                           fault.what);
    return error;
}

static sotto_error keys_get(struct adding *a)
{
    struct link_place place;
    link_place(a->link.secret, LINK_KEYS, &place);
    sotto_error error = meeting_create(a->core, a->relay, &place, LINK_KEYS_BLOB);
    if (error == SOTTO_OK)
        error = wait_keys(a, &place);
    if (error == SOTTO_OK)
        error = keys_open(a, &place);
    wipe(&place, sizeof place);
    if (error != SOTTO_OK)
        return error;
    char *name = arena_array(&a->arena, a->keys.name.size + 1, 1);
    if (name == NULL)
        return core_store_problem(a->core, SOTTO_NO_MEMORY, "reading the new device's keys");
    if (a->keys.name.size > 0)
        memcpy(name, a->keys.name.data, a->keys.name.size);
    a->name = name;
    return SOTTO_OK;
}

/* ---- Adding: the manifest, the package --------------------------------------------------------
 */

static sotto_error certify(struct adding *a)
{
    struct sotto *core = a->core;
    struct manifest manifest;
    sotto_fault fault;
    TRY(account_fetch_manifest(core, &a->arena, &a->manifest));
    sotto_error error = manifest_read(a->manifest, &a->arena, &manifest, &fault);
    if (error != SOTTO_OK)
        return core_store_problem(core, error, "reading the list of devices");
    if (manifest_device(&manifest, &a->link.device) != NULL)
        return SOTTO_OK; /* by an earlier run that was killed */
    return change_manifest(core, &a->arena, a->manifest, &a->keys.device, NULL, &a->manifest);
}

/* Inside a transaction: the room among one's own devices, and what the device is called. The rooms
 * add it by themselves (room_judge). */
static sotto_error note_device(struct adding *a)
{
    struct sotto *core = a->core;
    struct store_room row;
    struct room_id id;
    sotto_error error = own_room(core, &a->arena, &row);
    if (error == SOTTO_NOT_FOUND)
        error = room_make(core, STORE_ROOM_OWN, "", NULL, &id);
    if (error == SOTTO_OK)
        error = store_device_name_put(core->store, &a->link.device, a->name);
    return error == SOTTO_OK ? own_tell_device_name(core, &a->link.device, a->name) : error;
}

static sotto_error package_seal(struct adding *a, bool limited, const struct link_place *place,
                                sotto_buf *box)
{
    struct sotto *core = a->core;
    struct device_package package;
    struct writer writer;
    uint8_t certificate[CERTIFICATE_SIZE];
    int64_t position = 0;
    sotto_buf plain, sealed, whole;
    memset(&package, 0, sizeof package);
    sotto_buf_init(&plain, core->env);
    sotto_buf_init(&sealed, core->env);
    sotto_buf_init(&whole, core->env);
    sotto_error error =
        certificate_make(&core->identity.account_private, core->identity.account_key,
                         &a->link.device, a->keys.device.signature_key, certificate);
    if (error == SOTTO_OK)
        error = store_messages_head(core->store, &position);
    memcpy(package.account_key, core->identity.account_key, SIGN_KEY_SIZE);
    if (!limited)
        package.account_private = secret_view(&core->identity.account_private);
    package.certificate = sotto_bytes_of(certificate, sizeof certificate);
    package.position = (uint64_t)position;
    package.name = sotto_bytes_str(core->profile.name);
    package.relay = sotto_bytes_str(core->profile.relay);
    package.manifest = a->manifest;
    if (error == SOTTO_OK)
        error = device_package_write(&package, &plain);
    if (error == SOTTO_OK)
        error = identity_seal(core->crypto, &core->identity.account, &a->link.device,
                              a->keys.device.inbox_key, sotto_buf_view(&plain), &sealed);
    writer_init(&writer, &whole);
    writer_fixed(&writer, sotto_bytes_of(core->identity.account.bytes, ACCOUNT_ID_SIZE));
    writer_vector(&writer, sotto_buf_view(&sealed));
    if (error == SOTTO_OK)
        error = writer_finish(&writer);
    if (error == SOTTO_OK)
        error = link_box(core->env, place, sotto_buf_view(&whole), WIRE_DEVICE_PACKAGE_SIZE, box);
    sotto_buf_free(&plain);
    sotto_buf_free(&sealed);
    sotto_buf_free(&whole);
    return error;
}

/* Something lies in the package's place: one's own of an earlier run, or that of another account,
 * which was faster: then the device is not this account's. */
static sotto_error package_other(struct adding *a, const struct link_place *place)
{
    struct sotto *core = a->core;
    sotto_buf box, plain;
    sotto_buf_init(&box, core->env);
    sotto_buf_init(&plain, core->env);
    sotto_error error = meeting_get(core, a->relay, place, LINK_PACKAGE_BLOB, &box);
    if (error == SOTTO_OK)
        error = link_unbox(place, sotto_buf_view(&box), &plain);
    bool own = error == SOTTO_OK && plain.size >= ACCOUNT_ID_SIZE &&
               memcmp(plain.data, core->identity.account.bytes, ACCOUNT_ID_SIZE) == 0;
    sotto_buf_free(&box);
    sotto_buf_free(&plain);
    if (own)
        return SOTTO_OK;
    /* What could not be fetched or looked into says nothing of whose it is. */
    if (error != SOTTO_OK && error != SOTTO_DECRYPT && error != SOTTO_LENGTH)
        return error_is_local(error) ? core_store_problem(core, error, "linking") : error;
    TRY(change_manifest(core, &a->arena, a->manifest, NULL, &a->link.device, &a->manifest));
    return link_used(core);
}

static sotto_error package_give(struct adding *a, bool limited)
{
    struct sotto *core = a->core;
    struct link_place place;
    sotto_buf box;
    sotto_buf_init(&box, core->env);
    link_place(a->link.secret, LINK_PACKAGE, &place);
    sotto_error error = package_seal(a, limited, &place, &box);
    if (error != SOTTO_OK)
        (void)core_store_problem(core, error, "sealing the account for the new device");
    else
        error = meeting_create(core, a->relay, &place, LINK_PACKAGE_BLOB);
    if (error == SOTTO_OK)
        error = meeting_put(core, a->relay, &place, sotto_buf_view(&box));
    if (error == SOTTO_EXISTS)
        error = package_other(a, &place);
    sotto_buf_free(&box);
    wipe(&place, sizeof place);
    return error;
}

/* That the package went out is remembered: the same command again only sees to the rooms. */
static void given_name(const struct device_id *device, char out[static 64])
{
    char hex[33];
    core_id_hex(device->bytes, DEVICE_ID_SIZE, hex);
    (void)snprintf(out, 64, "link.given.%s", hex);
}

/* The link is spent: by this account, in an earlier run that was killed, or by another one. */
static sotto_error already_linked(struct adding *a)
{
    struct sotto *core = a->core;
    struct manifest manifest;
    sotto_fault fault;
    TRY(account_fetch_manifest(core, &a->arena, &a->manifest));
    if (manifest_read(a->manifest, &a->arena, &manifest, &fault) == SOTTO_OK &&
        manifest_device(&manifest, &a->link.device) != NULL)
        return SOTTO_OK;
    return link_used(core);
}

static sotto_error give_all(struct adding *a, bool limited)
{
    struct sotto *core = a->core;
    char given[64];
    given_name(&a->link.device, given);
    sotto_error error = keys_get(a);
    if (error == SOTTO_EXISTS)
        return already_linked(a);
    TRY(error);
    TRY(certify(a));
    error = store_begin(core->store);
    if (error == SOTTO_OK)
        error = note_device(a);
    if (error == SOTTO_OK)
        error = store_commit(core->store);
    if (error != SOTTO_OK) {
        room_abort_all(core);
        return core_store_problem(core, error, "noting the new device");
    }
    TRY(package_give(a, limited));
    error = store_begin(core->store);
    if (error == SOTTO_OK)
        error = store_number_put(core->store, given, 1);
    if (error == SOTTO_OK)
        error = store_commit(core->store);
    if (error == SOTTO_OK)
        return SOTTO_OK;
    store_rollback(core->store);
    return core_store_problem(core, error, "noting the new device");
}

/* The rooms add it once its KeyPackages are there, which takes it a moment. */
static sotto_error rooms_add(struct sotto *core, const struct device_id *device)
{
    char hex[33], client_id[STORE_CLIENT_ID_MAX + 1];
    uint64_t until_s = core_now_s(core) + ROOMS_WAIT_S;
    struct store_history history;
    struct meeting_pace pace = {0};
    uint32_t waiting = 0, before = 0;
    core_id_hex(device->bytes, DEVICE_ID_SIZE, hex);
    (void)snprintf(client_id, sizeof client_id, OUT_OWN "%s", hex);
    for (;;) {
        sotto_error error = sotto_settle(core, NULL);
        if (error != SOTTO_OK && core->problem.code != SOTTO_CODE_NO_KEY_PACKAGE)
            return error;
        error = store_outgoing_named(core->store, client_id, &waiting);
        if (error != SOTTO_OK)
            return core_store_problem(core, error, "looking at what is left to do");
        if (waiting != before)
            pace = (struct meeting_pace){0};
        before = waiting;
        if ((waiting == 0 && store_history_next(core->store, &history) == SOTTO_NOT_FOUND) ||
            !meeting_wait(core, &pace, until_s))
            return SOTTO_OK; /* the rest goes with the next sotto sync, or with sotto listen */
    }
}

static void add_begin(struct adding *a, struct sotto *core)
{
    memset(a, 0, sizeof *a);
    a->core = core;
    arena_init(&a->arena, core->env);
    sotto_buf_init(&a->bytes, core->env);
    sotto_buf_init(&a->keys_bytes, core->env);
}

sotto_error sotto_device_add(struct sotto *core, const char *link, bool limited, char device[33])
{
    struct adding a;
    char given[64];
    uint64_t done = 0;
    TRY(account_need_key(core));
    add_begin(&a, core);
    sotto_error error = link_read(&a, link);
    if (error == SOTTO_OK) {
        given_name(&a.link.device, given);
        error = store_number_get(core->store, given, &done);
        if (error != SOTTO_OK)
            (void)core_store_problem(core, error, "reading the devices");
    }
    if (error == SOTTO_OK && done == 0)
        error = give_all(&a, limited);
    if (error == SOTTO_OK) {
        core_id_hex(a.link.device.bytes, DEVICE_ID_SIZE, device);
        error = rooms_add(core, &a.link.device);
    }
    sotto_buf_free(&a.keys_bytes);
    sotto_buf_free(&a.bytes);
    arena_free(&a.arena);
    return error;
}

/* ---- The list ------------------------------------------------------------------------------- */

sotto_error sotto_devices(struct sotto *core,
                          void (*each)(void *ctx, const struct sotto_device *device), void *ctx)
{
    struct arena arena;
    struct manifest manifest;
    bool found = false;
    TRY(core_need_account(core));
    arena_init(&arena, core->env);
    sotto_error error = manifest_newest(core, &core->identity.account, &arena, &manifest, &found);
    for (size_t i = 0; error == SOTTO_OK && found && i < manifest.device_count; i++) {
        struct sotto_device one;
        memset(&one, 0, sizeof one);
        core_id_hex(manifest.devices[i].id.bytes, DEVICE_ID_SIZE, one.device);
        one.added_s = manifest.devices[i].added;
        one.own = device_id_equal(&manifest.devices[i].id, &core->identity.device);
        error = store_device_name_get(core->store, &manifest.devices[i].id, &arena, &one.name);
        if (error == SOTTO_OK)
            each(ctx, &one);
    }
    arena_free(&arena);
    return error == SOTTO_OK ? SOTTO_OK : core_store_problem(core, error, "reading the devices");
}

/* By name or by the beginning of its id. */
static sotto_error device_find(struct sotto *core, const char *what, struct arena *arena,
                               struct device_id *device)
{
    struct manifest manifest;
    bool found = false;
    size_t fitting = 0, size = strlen(what);
    sotto_error error = manifest_newest(core, &core->identity.account, arena, &manifest, &found);
    for (size_t i = 0; error == SOTTO_OK && found && i < manifest.device_count; i++) {
        const char *name = "";
        char hex[33];
        core_id_hex(manifest.devices[i].id.bytes, DEVICE_ID_SIZE, hex);
        error = store_device_name_get(core->store, &manifest.devices[i].id, arena, &name);
        if (error != SOTTO_OK ||
            (strcmp(name, what) != 0 && (size < 4 || size > 32 || strncmp(hex, what, size) != 0)))
            continue;
        *device = manifest.devices[i].id;
        fitting++;
    }
    if (error != SOTTO_OK)
        return core_store_problem(core, error, "reading the devices");
    if (fitting == 1)
        return SOTTO_OK;
    return problem_set(&core->problem, SOTTO_NOT_FOUND,
                       fitting == 0 ? SOTTO_CODE_NOT_FOUND : SOTTO_CODE_AMBIGUOUS,
                       "Say which by the beginning of its id: sotto devices",
                       fitting == 0 ? "Your account has no device `%s`."
                                    : "More than one of your devices fits `%s`.",
                       what);
}

sotto_error sotto_device_rename(struct sotto *core, const char *what, const char *name)
{
    struct arena arena;
    struct device_id device;
    TRY(core_need_account(core));
    sotto_bytes text = sotto_bytes_str(name);
    if (text.size == 0 || text.size > WIRE_NAME_MAX || !text_is_utf8(text) || !text_is_line(text))
        return problem_set(&core->problem, SOTTO_ARGUMENT, SOTTO_CODE_BAD_NAME,
                           "Choose another name.",
                           "A device's name is one line of text of 1 to %d bytes.", WIRE_NAME_MAX);
    arena_init(&arena, core->env);
    sotto_error error = device_find(core, what, &arena, &device);
    arena_free(&arena);
    TRY(error);
    error = store_begin(core->store);
    if (error == SOTTO_OK)
        error = store_device_name_put(core->store, &device, name);
    if (error == SOTTO_OK)
        error = own_tell_device_name(core, &device, name);
    if (error == SOTTO_OK)
        error = store_commit(core->store);
    if (error == SOTTO_OK)
        return SOTTO_OK;
    store_rollback(core->store);
    return core_store_problem(core, error, "saving the name");
}

/* ---- Removing ------------------------------------------------------------------------------- */

sotto_error sotto_device_revoke(struct sotto *core, const char *what)
{
    struct arena arena;
    struct device_id device;
    struct manifest manifest;
    sotto_bytes newest = {NULL, 0};
    sotto_fault fault;
    TRY(account_need_key(core));
    arena_init(&arena, core->env);
    sotto_error error = account_fetch_manifest(core, &arena, &newest);
    if (error == SOTTO_OK)
        error = device_find(core, what, &arena, &device);
    if (error == SOTTO_OK && device_id_equal(&device, &core->identity.device))
        error = problem_set(&core->problem, SOTTO_ARGUMENT, SOTTO_CODE_USAGE,
                            "Do it on another device of yours.", "A device cannot remove itself.");
    if (error == SOTTO_OK && (manifest_read(newest, &arena, &manifest, &fault) != SOTTO_OK ||
                              manifest_device(&manifest, &device) != NULL))
        error = change_manifest(core, &arena, newest, NULL, &device, &newest);
    arena_free(&arena);
    /* It is out; every room removes it now, here and at all other members. */
    return error == SOTTO_OK ? sotto_settle(core, NULL) : error;
}
