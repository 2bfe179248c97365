/* Linking, on the new device: keys, a link to show, and waiting for the other device to answer.
 *
 *     new:  keys, secret --link, shown to the person--> old
 *     new:  puts its keys where the old one made place for them
 *     old:  certifies them, publishes the manifest, puts the package
 *     new:  opens the package: it is a device of the account from then on
 *
 * What was begun is kept in the profile until the link expires: killed, the same command goes on.
 */
#include <string.h>

#include "codec/writer.h"
#include "core/meeting.h"
#include "core/statement.h"
#include "base/text.h"

#define PENDING "link.pending"
enum { LINK_LIFETIME_S = 15 * 60, HISTORY_STALL_S = 20 };

struct pending {
    struct arena arena;
    const char *relay;
    sotto_bytes secret, keys, identity;
    uint64_t expires_s;
    const char *name;
};

/* ---- What was begun ------------------------------------------------------------------------- */

static sotto_error pending_write(const struct pending *pending, sotto_buf *out)
{
    struct writer writer;
    writer_init(&writer, out);
    writer_u8(&writer, 1);
    writer_vector(&writer, sotto_bytes_str(pending->relay));
    writer_fixed(&writer, pending->secret);
    writer_u64(&writer, pending->expires_s);
    writer_vector(&writer, sotto_bytes_str(pending->name));
    writer_fixed(&writer, pending->keys);
    writer_vector(&writer, pending->identity);
    return writer_finish(&writer);
}

static sotto_error pending_read(sotto_bytes bytes, struct pending *pending)
{
    struct reader reader;
    reader_init(&reader, bytes);
    (void)reader_u8(&reader, "pending.version");
    pending->relay = own_text(&reader, &pending->arena, WIRE_ADDRESS_MAX, "pending.relay");
    pending->secret = reader_fixed(&reader, LINK_SECRET_SIZE, "pending.secret");
    pending->expires_s = reader_u64(&reader, "pending.expires");
    pending->name = own_text(&reader, &pending->arena, WIRE_NAME_MAX, "pending.name");
    pending->keys = reader_fixed(&reader, WIRE_DEVICE_KEYS_SIZE, "pending.keys");
    pending->identity = reader_vector(&reader, 8192, "pending.identity");
    return reader_finish(&reader, "pending");
}

/* NOT_FOUND: nothing was begun, or it expired. pending's arena is freed by the caller. */
static sotto_error pending_get(struct sotto *core, struct pending *pending)
{
    sotto_bytes bytes;
    TRY(store_value_get(core->store, PENDING, &pending->arena, &bytes));
    TRY(pending_read(bytes, pending));
    return pending->expires_s > core_now_s(core) ? SOTTO_OK : SOTTO_NOT_FOUND;
}

static sotto_error pending_put(struct sotto *core, const struct pending *pending)
{
    sotto_buf bytes;
    sotto_buf_init(&bytes, core->env);
    sotto_error error = pending_write(pending, &bytes);
    if (error == SOTTO_OK)
        error = store_begin(core->store);
    if (error == SOTTO_OK) {
        error = store_value_put(core->store, PENDING, sotto_buf_view(&bytes));
        if (error == SOTTO_OK)
            error = store_commit(core->store);
        if (error != SOTTO_OK)
            store_rollback(core->store);
    }
    sotto_buf_free(&bytes);
    return error;
}

/* Keys for a device of an account that is not known yet. */
static sotto_error pending_make(struct sotto *core, const char *relay, const char *name,
                                struct pending *pending)
{
    struct identity identity;
    struct device_keys keys;
    sotto_buf saved, told;
    uint8_t secret[LINK_SECRET_SIZE];
    memset(&identity, 0, sizeof identity);
    sotto_buf_init(&saved, core->env);
    sotto_buf_init(&told, core->env);
    sotto_error error = identity_create(core->crypto, &identity);
    if (error == SOTTO_OK)
        error = core->env->random(core->env->ctx, secret, sizeof secret);
    if (error == SOTTO_OK)
        error = identity_save(&identity, &saved);
    if (error == SOTTO_OK) {
        identity_device(&identity, &keys.device);
        keys.name = sotto_bytes_str(name);
        error = device_keys_write(&keys, &told);
    }
    if (error == SOTTO_OK) {
        pending->relay = relay;
        pending->name = name;
        pending->expires_s = core_now_s(core) + LINK_LIFETIME_S;
        error =
            arena_copy(&pending->arena, sotto_bytes_of(secret, sizeof secret), &pending->secret);
    }
    if (error == SOTTO_OK)
        error = arena_copy(&pending->arena, sotto_buf_view(&told), &pending->keys);
    if (error == SOTTO_OK)
        error = arena_copy(&pending->arena, sotto_buf_view(&saved), &pending->identity);
    if (error == SOTTO_OK)
        error = pending_put(core, pending);
    wipe(secret, sizeof secret);
    identity_wipe(&identity);
    sotto_buf_free(&saved);
    sotto_buf_free(&told);
    return error;
}

static sotto_error link_write(const struct pending *pending, sotto_buf *out)
{
    struct device_link link;
    struct device_keys keys;
    sotto_fault fault;
    TRY(device_keys_read(pending->keys, &keys, &fault));
    link.relay = sotto_bytes_str(pending->relay);
    link.secret = pending->secret;
    link.device = keys.device.id;
    device_keys_hash(pending->keys, link.keys_hash);
    link.expires = pending->expires_s;
    TRY(device_link_format(&link, out));
    return sotto_buf_append(out, (const uint8_t *)"", 1);
}

static sotto_error not_registered(struct sotto *core)
{
    TRY(core_load_profile(core));
    if (core->has_identity && core->profile.registration == STORE_REGISTERED)
        return problem_set(&core->problem, SOTTO_EXISTS, SOTTO_CODE_ALREADY_REGISTERED,
                           "See `sotto status`. To link another device, run this there; here, run "
                           "sotto device add LINK.",
                           "This profile is a device of an account already.");
    return SOTTO_OK;
}

sotto_error sotto_link(struct sotto *core, const char *relay, const char *name, sotto_buf *link,
                       uint64_t *expires_s)
{
    struct pending pending = {0};
    struct address address;
    sotto_fault fault;
    TRY(not_registered(core));
    if (name == NULL)
        name = "";
    if (strlen(name) > WIRE_NAME_MAX || !text_is_utf8(sotto_bytes_str(name)) ||
        !text_is_line(sotto_bytes_str(name)))
        return problem_set(
            &core->problem, SOTTO_ARGUMENT, SOTTO_CODE_BAD_NAME, "Choose another name.",
            "A device's name is one line of text of at most %d bytes.", WIRE_NAME_MAX);
    if (relay == NULL || relay[0] == '\0')
        return problem_set(&core->problem, SOTTO_ARGUMENT, SOTTO_CODE_RELAY_NEEDED,
                           "Say which: --relay ADDRESS. `sotto status` on your other device shows "
                           "it.",
                           "Two devices meet at the account's relay, and none was named.");
    if (address_parse(sotto_bytes_str(relay), &address, &fault) != SOTTO_OK)
        return problem_set(&core->problem, SOTTO_VALUE, SOTTO_CODE_BAD_ADDRESS,
                           "`sotto status` on your other device shows it.",
                           "`%s` is not a relay's address (%s).", relay, fault.what);
    arena_init(&pending.arena, core->env);
    sotto_error error = pending_get(core, &pending);
    if (error == SOTTO_NOT_FOUND || (error == SOTTO_OK && (strcmp(pending.relay, relay) != 0 ||
                                                           strcmp(pending.name, name) != 0)))
        error = pending_make(core, relay, name, &pending);
    if (error == SOTTO_OK)
        error = link_write(&pending, link);
    if (error == SOTTO_OK)
        *expires_s = pending.expires_s;
    arena_free(&pending.arena);
    return error == SOTTO_OK ? SOTTO_OK : core_store_problem(core, error, "making the link");
}

/* ---- The package ---------------------------------------------------------------------------- */

static bool same_device(const struct device *a, const struct device *b)
{
    return device_id_equal(&a->id, &b->id) &&
           sotto_bytes_equal(a->signature_key, b->signature_key) &&
           sotto_bytes_equal(a->inbox_key, b->inbox_key) &&
           memcmp(a->sign_in_hash, b->sign_in_hash, HASH_SIZE) == 0;
}

/* The manifest is the account's and has this device with these keys. */
static sotto_error manifest_check(const struct identity *identity,
                                  const struct device_package *package, struct arena *arena)
{
    struct manifest manifest;
    struct device device;
    sotto_fault fault;
    identity_device(identity, &device);
    TRY(manifest_read(package->manifest, arena, &manifest, &fault));
    const struct device *listed = manifest_device(&manifest, &device.id);
    if (memcmp(manifest.account_key, identity->account_key, SIGN_KEY_SIZE) != 0 || listed == NULL ||
        !same_device(listed, &device))
        return SOTTO_CREDENTIAL;
    return SOTTO_OK;
}

static sotto_error manifest_heard(struct sotto *core, const struct identity *identity,
                                  sotto_bytes bytes, struct arena *arena)
{
    struct manifest manifest;
    sotto_fault fault;
    TRY(manifest_read(bytes, arena, &manifest, &fault));
    return statement_heard(core, &identity->account, manifest.number);
}

/* Inside a transaction. Positions below the first one here belong to the past that comes. */
static sotto_error account_store(struct sotto *core, const struct pending *pending,
                                 const struct identity *identity,
                                 const struct device_package *package, struct arena *arena)
{
    struct store_profile profile;
    struct reader reader;
    sotto_buf saved;
    int64_t head = 0;
    TRY(store_messages_head(core->store, &head)); /* of a backup that is here */
    uint64_t before = (uint64_t)head > package->position ? (uint64_t)head : package->position;
    uint64_t position = own_positions_next(before);
    memset(&profile, 0, sizeof profile);
    sotto_buf_init(&saved, core->env);
    sotto_buf texts;
    struct writer writer;
    sotto_buf_init(&texts, core->env);
    writer_init(&writer, &texts);
    writer_vector(&writer, package->name);
    writer_vector(&writer, package->relay);
    sotto_error error = writer_finish(&writer);
    if (error == SOTTO_OK)
        error = identity_save(identity, &saved);
    if (error == SOTTO_OK) {
        reader_init(&reader, sotto_buf_view(&texts));
        profile.registration = STORE_REGISTERED;
        profile.name = own_text(&reader, arena, WIRE_NAME_MAX, "name");
        profile.relay = own_text(&reader, arena, WIRE_ADDRESS_MAX, "relay");
        profile.identity = sotto_buf_view(&saved);
        profile.manifest = package->manifest;
        error = reader_finish(&reader, "texts");
    }
    if (error == SOTTO_OK)
        error = store_profile_put(core->store, &profile);
    if (error == SOTTO_OK)
        error = store_messages_head_put(core->store, (int64_t)position);
    if (error == SOTTO_OK)
        error = store_number_put(core->store, "listened", position);
    if (error == SOTTO_OK)
        error = store_device_name_put(core->store, &identity->device, pending->name);
    if (error == SOTTO_OK)
        error = store_manifest_changed(core->store, &identity->account);
    if (error == SOTTO_OK) /* the relay is that of this manifest: what was said before is over */
        error = manifest_heard(core, identity, package->manifest, arena);
    if (error == SOTTO_OK)
        error = store_value_erase(core->store, PENDING);
    sotto_buf_free(&saved);
    sotto_buf_free(&texts);
    return error;
}

static sotto_error package_take(struct sotto *core, const struct pending *pending,
                                struct identity *identity, sotto_bytes plain)
{
    struct device_package package;
    struct reader reader;
    struct arena arena;
    sotto_buf opened;
    sotto_fault fault;
    reader_init(&reader, plain);
    reader_copy(&reader, identity->account.bytes, ACCOUNT_ID_SIZE, "package.account");
    sotto_bytes sealed = reader_vector(&reader, WIRE_DEVICE_PACKAGE_SIZE, "package.sealed");
    TRY(reader.fault.error);
    arena_init(&arena, core->env);
    sotto_buf_init(&opened, core->env);
    sotto_error error = identity_open(core->crypto, identity, sealed, &opened, &fault);
    if (error == SOTTO_OK)
        error = device_package_read(sotto_buf_view(&opened), &package, &fault);
    if (error == SOTTO_OK)
        error = identity_adopt(identity, package.account_key, package.account_private,
                               package.certificate.data, &fault);
    if (error == SOTTO_OK)
        error = manifest_check(identity, &package, &arena);
    if (error == SOTTO_OK)
        error = store_begin(core->store);
    if (error == SOTTO_OK) {
        error = account_store(core, pending, identity, &package, &arena);
        if (error == SOTTO_OK)
            error = store_commit(core->store);
        if (error != SOTTO_OK)
            store_rollback(core->store);
    }
    sotto_buf_free(&opened);
    arena_free(&arena);
    return error;
}

/* ---- Waiting -------------------------------------------------------------------------------- */

/* Puts the keys as soon as there is a place for them. */
static sotto_error keys_offer(struct sotto *core, const struct pending *pending)
{
    struct link_place place;
    sotto_buf box;
    link_place(pending->secret, LINK_KEYS, &place);
    sotto_buf_init(&box, core->env);
    sotto_error error = link_box(core->env, &place, pending->keys, WIRE_DEVICE_KEYS_SIZE, &box);
    if (error == SOTTO_OK)
        error = meeting_put(core, pending->relay, &place, sotto_buf_view(&box));
    if (error == SOTTO_EXISTS)
        error = SOTTO_OK; /* by an earlier run that was killed */
    if (error_is_local(error))
        (void)core_store_problem(core, error, "sealing the keys");
    sotto_buf_free(&box);
    wipe(&place, sizeof place);
    return error;
}

/* NOT_FOUND: it is not there yet. */
static sotto_error package_fetch(struct sotto *core, const struct pending *pending)
{
    struct link_place place;
    struct identity identity;
    sotto_buf box, plain;
    sotto_fault fault;
    memset(&identity, 0, sizeof identity);
    link_place(pending->secret, LINK_PACKAGE, &place);
    sotto_buf_init(&box, core->env);
    sotto_buf_init(&plain, core->env);
    sotto_error error = meeting_get(core, pending->relay, &place, LINK_PACKAGE_BLOB, &box);
    bool got = error == SOTTO_OK;
    if (got)
        error = link_unbox(&place, sotto_buf_view(&box), &plain);
    if (got && error == SOTTO_OK)
        error = identity_load(core->crypto, pending->identity, &identity, &fault);
    if (got && error == SOTTO_OK)
        error = package_take(core, pending, &identity, sotto_buf_view(&plain));
    if (got && error_is_local(error))
        (void)core_store_problem(core, error, "saving the account");
    else if (got && error != SOTTO_OK)
        (void)problem_set(&core->problem, SOTTO_CREDENTIAL, SOTTO_CODE_BAD_IDENTITY,
                          "Nothing was taken over. Make a new link with sotto link; if it happens "
                          "again, the relay changes what it stores.",
                          "What came in answer to the link is not from a device that saw it, or is "
                          "not in order.");
    identity_wipe(&identity);
    sotto_buf_free(&plain);
    sotto_buf_free(&box);
    wipe(&place, sizeof place);
    return got && error != SOTTO_OK && !error_is_local(error) ? SOTTO_CREDENTIAL : error;
}

static sotto_error wait_linked(struct sotto *core, const struct pending *pending)
{
    struct meeting_pace pace = {0};
    bool offered = false;
    for (;;) {
        sotto_error error = SOTTO_NOT_FOUND;
        if (!offered) {
            error = keys_offer(core, pending);
            offered = error == SOTTO_OK;
            if (offered) /* somebody has the link */
                pace = (struct meeting_pace){0};
        }
        if (offered)
            error = package_fetch(core, pending);
        if (offered && error == SOTTO_OK)
            return SOTTO_OK;
        if (error != SOTTO_OK && error != SOTTO_NOT_FOUND &&
            sotto_code_trouble(core->problem.code) != SOTTO_TROUBLE_NETWORK)
            return error;
        if (!meeting_wait(core, &pace, pending->expires_s))
            break;
    }
    if (core->stop)
        return problem_set(
            &core->problem, SOTTO_TIMEOUT, SOTTO_CODE_TIMEOUT,
            "Run sotto link again: it goes on with the same link until that expires.",
            "Stopped before the other device answered.");
    return problem_set(&core->problem, SOTTO_LIFETIME, SOTTO_CODE_INVITATION_EXPIRED,
                       "Make a new one: sotto link", "The link has expired.");
}

/* The link was used: nothing of what was exchanged stays, and in the keys' place lies something of
 * another size, so that whoever comes with the same link is told so. All of it as far as it goes:
 * nobody answers to the link any more. */
static void link_spend(struct sotto *core, const char *relay, sotto_bytes secret)
{
    struct link_place keys, package;
    struct sotto_problem problem = core->problem;
    link_place(secret, LINK_KEYS, &keys);
    link_place(secret, LINK_PACKAGE, &package);
    meeting_forget(core, relay, &package);
    meeting_forget(core, relay, &keys);
    (void)meeting_create(core, relay, &keys, 1);
    core->problem = problem;
    wipe(&keys, sizeof keys);
    wipe(&package, sizeof package);
}

/* Joins what it is added to, and takes the history, as long as something comes. */
static sotto_error history_fetch(struct sotto *core, sotto_progress_fn *progress, void *ctx)
{
    uint64_t all = 0, given = 0, of = 0, before = UINT64_MAX;
    uint64_t quiet_s = core_now_s(core) + HISTORY_STALL_S;
    struct meeting_pace pace = {0};
    for (;;) {
        TRY(sotto_sync(core));
        sotto_error error = store_number_get(core->store, "history.all", &all);
        if (error == SOTTO_OK)
            error = own_history_status(core, &given, &of);
        if (error != SOTTO_OK)
            return core_store_problem(core, error, "reading how far the history is");
        if (progress != NULL && given != before && of > 0)
            progress(ctx, given, of);
        if (given != before) {
            quiet_s = core_now_s(core) + HISTORY_STALL_S;
            pace = (struct meeting_pace){0};
        }
        before = given;
        if (all != 0 || !meeting_wait(core, &pace, quiet_s))
            return SOTTO_OK; /* the rest comes with the next sotto sync */
    }
}

sotto_error sotto_link_wait(struct sotto *core, sotto_progress_fn *progress, void *ctx)
{
    struct pending pending = {0};
    TRY(not_registered(core));
    arena_init(&pending.arena, core->env);
    sotto_error error = pending_get(core, &pending);
    if (error == SOTTO_OK)
        error = wait_linked(core, &pending);
    else if (error == SOTTO_NOT_FOUND)
        error = problem_set(&core->problem, SOTTO_STATE, SOTTO_CODE_INVITATION_EXPIRED,
                            "Make one: sotto link", "There is no link that is good.");
    else
        (void)core_store_problem(core, error, "reading the link");
    if (error == SOTTO_OK)
        error = core_load_profile(core);
    if (error == SOTTO_OK)
        error = sotto_sync(core);
    if (error == SOTTO_OK)
        link_spend(core, core->profile.relay, pending.secret);
    arena_free(&pending.arena);
    if (error == SOTTO_OK)
        error = history_fetch(core, progress, ctx);
    return error;
}
