/* The account connection: registering or signing in, grants, the inbox, KeyPackages. One request at
 * a time; each answer leads to the next step. */
#include <string.h>

#include "core/account.h"
#include "core/internal.h"
#include "core/joining.h"
#include "core/notices.h"
#include "core/rejoin.h"
#include "wire/join.h"
#include "wire/rejoin.h"

enum {
    INBOX_STALL_MS = 5000,  /* without the next of the backlog: another process of this profile has
                             * acknowledged the rest, or it expired */
    COUNT_MS = 3600 * 1000, /* how often the stock of KeyPackages is looked at */
    INBOX_RETRY_MS = 30000, /* after a refusal, where the core is patient */
};

void inbox_reset(struct sotto *core)
{
    struct inbox *inbox = &core->inbox;
    inbox->wanted = inbox->want_envelopes = inbox->failed = inbox->stocked = false;
    inbox->registering = NULL;
    inbox->counted = false;
    inbox->quiet_ms = net_now_ms(core);
    problem_clear(&inbox->problem);
    if (!core->tokens.asking)
        tokens_reset(core);
    core->tokens.urgent = false;
}

/* A connection signs in once: the next one is another. */
void inbox_sign_in_anew(struct sotto *core)
{
    for (struct conn *conn = core->conns; conn != NULL; conn = conn->next) {
        if (conn->kind != CONNECTION_ACCOUNT)
            continue;
        link_free(conn->link); /* without an answer to what it was asked; NULL allowed */
        conn->link = NULL;
        conn->dead = conn->ready = false;
    }
    core->inbox.conn_generation = 0;
    core->inbox.phase = INBOX_DOWN;
    core->inbox.busy = false;
}

static const uint8_t *sign_in_seed(const struct sotto *core)
{
    const struct inbox_place *place = core->inbox.place;
    return place != NULL ? place->sign_in.data : core->identity.sign_in_private.data;
}

static void inbox_fail(struct sotto *core, const struct sotto_problem *problem)
{
    struct inbox *inbox = &core->inbox;
    if (inbox->problem.code == SOTTO_CODE_OK)
        inbox->problem = *problem;
    inbox->failed = true;
    inbox->retry_ms = net_now_ms(core) + INBOX_RETRY_MS + net_jitter(core, INBOX_RETRY_MS);
}

static void inbox_refused(struct sotto *core, sotto_error error, const struct message *answer)
{
    struct sotto_problem problem;
    problem_clear(&problem);
    net_problem(core->inbox.conn, error, answer, &problem);
    inbox_fail(core, &problem);
}

static void inbox_local(struct sotto *core, sotto_error error, const char *doing)
{
    struct sotto_problem problem;
    problem_clear(&problem);
    (void)problem_local(&problem, error, doing);
    inbox_fail(core, &problem);
}

static bool ask(struct sotto *core, const struct message *message, link_answer_fn *done)
{
    sotto_error error = link_request(core->inbox.conn->link, message, done, core, NULL);
    if (error != SOTTO_OK) {
        inbox_local(core, error, "asking the relay");
        return false;
    }
    core->inbox.busy = true;
    return true;
}

/* ---- Signing in and registering ---- */

static void on_signed_in(void *ctx, sotto_error error, const struct message *answer)
{
    struct sotto *core = ctx;
    core->inbox.busy = false;
    if (error != SOTTO_OK) {
        inbox_refused(core, error, answer);
        return;
    }
    core->inbox.phase = INBOX_SIGNED_IN;
}

static bool sign_in(struct sotto *core)
{
    struct message message;
    memset(&message, 0, sizeof message);
    const struct hello_ok *hello = link_hello(core->inbox.conn->link);
    message.type = MESSAGE_SIGN_IN;
    message.sign_in.account = core->identity.account;
    message.sign_in.device = core->identity.device;
    proof_make(sign_in_seed(core), hello->challenge, &core->identity.account,
               &core->identity.device, &message.sign_in.proof);
    core->inbox.phase = INBOX_SIGNING_IN;
    return ask(core, &message, on_signed_in);
}

/* What registering makes of the profile. */
static const struct store_profile *profile_there(const struct sotto *core)
{
    return core->inbox.place != NULL ? core->inbox.place->profile : &core->profile;
}

static void on_registered(void *ctx, sotto_error error, const struct message *answer)
{
    struct sotto *core = ctx;
    core->inbox.busy = false;
    if (error != SOTTO_OK) {
        inbox_refused(core, error, answer);
        return;
    }
    struct store_profile profile = *profile_there(core);
    profile.registration = STORE_REGISTERED;
    error = store_begin(core->store);
    if (error == SOTTO_OK)
        error = store_profile_put(core->store, &profile);
    if (error == SOTTO_OK && core->inbox.place != NULL)
        error = account_moved_in(core);
    if (error == SOTTO_OK)
        error = store_commit(core->store);
    if (error != SOTTO_OK) {
        store_rollback(core->store);
        inbox_local(core, error, "saving the registration");
        return;
    }
    if (core->inbox.place != NULL) /* that is the profile's relay from here on */
        identity_sign_in_set(&core->identity, core->inbox.place->sign_in);
    core->inbox.place = NULL;
    core->profile = profile;
    core->inbox.phase = INBOX_SIGNED_IN;
    core->inbox.registering = NULL;
}

static bool register_self(struct sotto *core)
{
    const struct sotto_registration *with = core->inbox.registering;
    struct message message;
    memset(&message, 0, sizeof message);
    const struct hello_ok *hello = link_hello(core->inbox.conn->link);
    struct register_request *request = &message.register_request;
    message.type = MESSAGE_REGISTER;
    request->manifest = profile_there(core)->manifest;
    request->device = core->identity.device;
    request->phone = sotto_bytes_str(with->phone != NULL ? with->phone : "");
    request->invitation = sotto_bytes_str(with->invitation != NULL ? with->invitation : "");
    request->code = sotto_bytes_str(with->code != NULL ? with->code : "");
    proof_make(sign_in_seed(core), hello->challenge, &core->identity.account,
               &core->identity.device, &request->proof);
    core->inbox.phase = INBOX_SIGNING_IN;
    return ask(core, &message, on_registered);
}

/* ---- The manifest ---- */

static void on_manifest_put(void *ctx, sotto_error error, const struct message *answer)
{
    struct sotto *core = ctx;
    core->inbox.busy = false;
    if (error != SOTTO_OK)
        inbox_refused(core, error, answer);
    else
        core->inbox.manifest = sotto_bytes_of(NULL, 0);
}

static bool put_manifest(struct sotto *core)
{
    struct message message;
    memset(&message, 0, sizeof message);
    message.type = MESSAGE_PUT_MANIFEST;
    message.manifest = core->inbox.manifest;
    return ask(core, &message, on_manifest_put);
}

/* ---- The end ---- */

static void on_account_deleted(void *ctx, sotto_error error, const struct message *answer)
{
    struct sotto *core = ctx;
    core->inbox.busy = false;
    if (error != SOTTO_OK)
        inbox_refused(core, error, answer);
    else
        core->inbox.deleted = true;
}

/* For a device that has the account's key. */
static bool delete_account(struct sotto *core)
{
    struct message message;
    uint8_t key[SIGN_KEY_SIZE], sign_in_hash[HASH_SIZE];
    const struct identity *own = &core->identity;
    BUG_UNLESS(own->account_private.size == SIGN_SEED_SIZE);
    wire_sign_public(sign_in_seed(core), key);
    wire_hash(sotto_bytes_of(key, sizeof key), sign_in_hash);
    memset(&message, 0, sizeof message);
    message.type = MESSAGE_DELETE_ACCOUNT;
    ending_proof_make(own->account_private.data, link_hello(core->inbox.conn->link)->challenge,
                      &own->account, &own->device, sign_in_hash, &message.delete_account.proof);
    message.delete_account.unless_waiting =
        core->inbox.place != NULL && core->inbox.place->unless_waiting;
    return ask(core, &message, on_account_deleted);
}

/* ---- Grants ---- */

static sotto_error granted_store(struct sotto *core)
{
    struct store_invitation invitation;
    sotto_bytes capability = sotto_bytes_of(core->inbox.granting, CAPABILITY_SIZE);
    TRY(store_begin(core->store));
    TRY(store_invitation_get(core->store, capability, &invitation));
    invitation.granted = true;
    TRY(store_invitation_put(core->store, &invitation));
    wipe(&invitation, sizeof invitation);
    return store_commit(core->store);
}

static void on_granted(void *ctx, sotto_error error, const struct message *answer)
{
    struct sotto *core = ctx;
    core->inbox.busy = false;
    if (error != SOTTO_OK) {
        inbox_refused(core, error, answer);
        return;
    }
    error = granted_store(core);
    if (error != SOTTO_OK) {
        store_rollback(core->store);
        if (error != SOTTO_NOT_FOUND)
            inbox_local(core, error, "saving the invitation");
    }
    wipe(core->inbox.granting, sizeof core->inbox.granting);
}

/* Tells the relay of an invitation that it does not know yet. */
static bool grant_next(struct sotto *core)
{
    struct arena arena;
    struct store_invitation *invitations = NULL;
    size_t count = 0;
    bool asking = false;
    arena_init(&arena, core->env);
    if (store_invitations(core->store, &arena, &invitations, &count) != SOTTO_OK)
        count = 0;
    for (size_t i = 0; i < count && !asking; i++) {
        if (invitations[i].granted || invitations[i].expires_s <= core_now_s(core))
            continue;
        struct message message;
        memset(&message, 0, sizeof message);
        message.type = MESSAGE_GRANT;
        memcpy(core->inbox.granting, invitations[i].capability, CAPABILITY_SIZE);
        gate_of(sotto_bytes_of(invitations[i].capability, CAPABILITY_SIZE),
                &message.grant.capability_hash);
        message.grant.expires = invitations[i].expires_s;
        message.grant.uses = invitations[i].uses;
        asking = ask(core, &message, on_granted);
    }
    arena_free(&arena);
    return asking;
}

static void on_revoked(void *ctx, sotto_error error, const struct message *answer)
{
    struct sotto *core = ctx;
    core->inbox.busy = false;
    if (error != SOTTO_OK) {
        inbox_refused(core, error, answer);
        return;
    }
    error = joining_revoked(core, core->inbox.granting);
    if (error != SOTTO_OK)
        inbox_local(core, error, "revoking the link");
    wipe(core->inbox.granting, sizeof core->inbox.granting);
}

/* Tells the relay of the end of a link. */
static bool revoke_next(struct sotto *core)
{
    struct message message;
    if (!joining_revoked_next(core, core->inbox.granting))
        return false;
    memset(&message, 0, sizeof message);
    message.type = MESSAGE_REVOKE;
    gate_of(sotto_bytes_of(core->inbox.granting, CAPABILITY_SIZE), &message.capability_hash);
    return ask(core, &message, on_revoked);
}

/* ---- Envelopes ---- */

static sotto_error opened_apply(struct sotto *core, sotto_bytes opened)
{
    uint64_t now = core_now_s(core);
    if (rejoin_request_is(opened))
        return rejoin_consider(core, opened, now);
    return join_request_is(opened) ? joining_consider(core, opened, now)
                                   : join_consider(core, opened, now);
}

/* One envelope, one transaction: what it led to, and that it was dealt with. */
static sotto_error envelope_apply(struct sotto *core, const struct inbox_envelope *envelope)
{
    sotto_buf opened;
    sotto_fault fault;
    sotto_buf_init(&opened, core->env);
    sotto_error error = store_begin(core->store);
    if (error == SOTTO_OK)
        error = core->inbox.visiting ? SOTTO_OK : store_inbox_advance(core->store, envelope->seq);
    bool fresh = error == SOTTO_OK;
    if (error == SOTTO_EXISTS)
        error = SOTTO_OK; /* dealt with before, perhaps by another process */
    if (error == SOTTO_OK && fresh && tlog_notice_is(envelope->sealed)) {
        error = notices_consider(core, envelope->sealed, core_now_s(core));
    } else if (error == SOTTO_OK && fresh) {
        error = identity_open(core->crypto, &core->identity, envelope->sealed, &opened, &fault);
        if (error == SOTTO_OK)
            error = opened_apply(core, sotto_buf_view(&opened));
        else if (!error_is_local(error))
            error = SOTTO_OK; /* not for this device, or nonsense: anybody may post */
    }
    if (error == SOTTO_OK)
        error = store_commit(core->store);
    if (error != SOTTO_OK)
        room_abort_all(core);
    sotto_buf_free(&opened);
    return error;
}

static void on_envelope(void *ctx, const struct message *push)
{
    struct sotto *core = ctx;
    struct inbox *inbox = &core->inbox;
    inbox->quiet_ms = net_now_ms(core);
    if (push->type != MESSAGE_INBOX_ENVELOPE || inbox->failed)
        return;
    inbox->seen = push->inbox_envelope.seq;
    sotto_error error = envelope_apply(core, &push->inbox_envelope);
    if (error != SOTTO_OK)
        inbox_local(core, error, "storing an invitation that came");
    else if (push->inbox_envelope.seq > inbox->ack)
        inbox->ack = push->inbox_envelope.seq;
}

static void on_inbox_subscribed(void *ctx, sotto_error error, const struct message *answer)
{
    struct sotto *core = ctx;
    core->inbox.busy = false;
    core->inbox.quiet_ms = net_now_ms(core);
    if (error != SOTTO_OK) {
        inbox_refused(core, error, answer);
        return;
    }
    core->inbox.subscribed = true;
    core->inbox.head = answer->head;
    core->inbox.seen = 0;
}

static bool inbox_open(struct sotto *core)
{
    struct message message;
    memset(&message, 0, sizeof message);
    message.type = MESSAGE_INBOX_SUBSCRIBE;
    sotto_error error = link_subscribe(core->inbox.conn->link, &message, on_inbox_subscribed,
                                       on_envelope, core, NULL);
    if (error != SOTTO_OK) {
        inbox_local(core, error, "asking for the inbox");
        return false;
    }
    core->inbox.busy = true;
    return true;
}

static void on_acked(void *ctx, sotto_error error, const struct message *answer)
{
    struct sotto *core = ctx;
    core->inbox.busy = false;
    if (error != SOTTO_OK)
        inbox_refused(core, error, answer);
}

static bool ack(struct sotto *core)
{
    struct message message;
    memset(&message, 0, sizeof message);
    message.type = MESSAGE_INBOX_ACK;
    message.seq = core->inbox.ack;
    core->inbox.ack = 0;
    return ask(core, &message, on_acked);
}

/* ---- KeyPackages ---- */

static void on_published(void *ctx, sotto_error error, const struct message *answer)
{
    struct sotto *core = ctx;
    core->inbox.busy = false;
    if (error != SOTTO_OK)
        inbox_refused(core, error, answer);
    else
        core->inbox.stocked = true;
}

/* Inside a transaction. */
static sotto_error mark_published(struct sotto *core, const struct store_key_package *waiting,
                                  size_t count)
{
    for (size_t i = 0; i < count; i++)
        TRY(store_key_package_uploaded(core->store, waiting[i].ref));
    return SOTTO_OK;
}

static bool publish_these(struct sotto *core, const struct store_key_package *waiting, size_t count)
{
    sotto_bytes packages[WIRE_KEY_PACKAGES_MAX];
    struct message message;
    memset(&message, 0, sizeof message);
    message.type = MESSAGE_PUBLISH_KEY_PACKAGES;
    struct publish_key_packages *publish = &message.publish_key_packages;
    publish->key_packages = packages;
    for (size_t i = 0; i < count && publish->count < WIRE_KEY_PACKAGES_MAX; i++) {
        if (waiting[i].last_resort)
            publish->last_resort = waiting[i].package;
        else
            packages[publish->count++] = waiting[i].package;
    }
    return ask(core, &message, on_published);
}

/* A KeyPackage leaves this device once: it counts as published before it is sent. Were it sent
 * twice after a lost answer, two people might get the same one, and the second's Welcome would find
 * its key erased. One that is lost on the way is only one that the next count finds missing. */
static bool publish(struct sotto *core)
{
    struct arena arena;
    struct store_key_package *waiting = NULL;
    size_t count = 0;
    bool asking = false;
    arena_init(&arena, core->env);
    sotto_error error = store_begin(core->store);
    if (error == SOTTO_OK)
        error = store_key_packages_waiting(core->store, &arena, &waiting, &count);
    if (error == SOTTO_OK)
        error = mark_published(core, waiting, count);
    if (error == SOTTO_OK)
        error = store_commit(core->store);
    if (error != SOTTO_OK) {
        store_rollback(core->store);
        inbox_local(core, error, "reading the keys to publish");
    } else if (count == 0)
        core->inbox.stocked = true;
    else
        asking = publish_these(core, waiting, count);
    arena_free(&arena);
    return asking;
}

static void on_counted(void *ctx, sotto_error error, const struct message *answer)
{
    struct sotto *core = ctx;
    core->inbox.busy = false;
    if (error != SOTTO_OK) {
        inbox_refused(core, error, answer);
        return;
    }
    const struct key_package_count *count = &answer->key_package_count;
    uint32_t missing = count->count < KEY_PACKAGE_STOCK ? KEY_PACKAGE_STOCK - count->count : 0;
    /* A few used ones are not worth a message that says when they were used. */
    if (missing < KEY_PACKAGE_STOCK / 4)
        missing = 0;
    error = SOTTO_OK;
    bool last_resort = !count->has_last_resort || keys_last_resort_is_old(core);
    if (missing > 0 || last_resort)
        error = keys_stock(core, missing, last_resort);
    if (error != SOTTO_OK)
        inbox_local(core, error, "making keys for new conversations");
    core->inbox.counted = true;
    core->inbox.counted_ms = net_now_ms(core);
}

static bool count_keys(struct sotto *core)
{
    struct message message;
    memset(&message, 0, sizeof message);
    message.type = MESSAGE_COUNT_KEY_PACKAGES;
    return ask(core, &message, on_counted);
}

/* ---- One step ---- */

/* Fetches what waits, then ends the account there, or leaves. */
static bool visit_step(struct sotto *core)
{
    struct inbox *inbox = &core->inbox;
    if (inbox->failed)
        return false;
    if (!inbox->subscribed)
        return inbox_open(core);
    if (inbox->ack > 0)
        return ack(core);
    /* Nothing that waits goes with the account. What does not come at all ends the run; perhaps
     * another process of this profile has fetched it, and the next visit finds that. */
    if (inbox->seen < inbox->head)
        return true;
    if (inbox->place != NULL && inbox->place->only_fetch) {
        inbox->visited = true;
        return false;
    }
    return delete_account(core);
}

static bool signed_in_step(struct sotto *core)
{
    struct inbox *inbox = &core->inbox;
    if (inbox->deleting)
        return !inbox->failed && delete_account(core);
    if (inbox->visiting)
        return visit_step(core);
    if (inbox->manifest.size > 0 && !inbox->failed)
        return put_manifest(core);
    if (grant_next(core))
        return true;
    if (inbox->failed)
        return false;
    if (revoke_next(core))
        return true;
    /* Who stays connected is asked for KeyPackages too. */
    if (core->patient && net_now_ms(core) - inbox->counted_ms > COUNT_MS)
        inbox->counted = inbox->stocked = false;
    if (!inbox->counted)
        return count_keys(core);
    if (!inbox->stocked)
        return publish(core);
    if (!inbox->want_envelopes)
        return tokens_step(core);
    if (!inbox->subscribed)
        return inbox_open(core);
    if (inbox->ack > 0)
        return ack(core);
    if (tokens_step(core))
        return true;
    return inbox->seen < inbox->head && net_now_ms(core) - inbox->quiet_ms < INBOX_STALL_MS;
}

bool inbox_step(struct sotto *core)
{
    struct inbox *inbox = &core->inbox;
    if (!inbox->wanted || inbox->deleted || inbox->visited || (inbox->failed && !core->patient))
        return false;
    const char *relay = inbox->place != NULL ? inbox->place->relay : core->profile.relay;
    inbox->conn = net_conn(core, relay, CONNECTION_ACCOUNT);
    if (inbox->conn == NULL) {
        inbox_local(core, SOTTO_NO_MEMORY, "connecting");
        return false;
    }
    bool up = conn_up(inbox->conn);
    if (!up || inbox->conn->generation != inbox->conn_generation) {
        inbox->phase = INBOX_DOWN;
        inbox->subscribed = inbox->counted = inbox->stocked = inbox->failed = false;
        inbox->busy = false;
        inbox->ack = 0;
        problem_clear(&inbox->problem);
        if (!core->tokens.asking)
            tokens_reset(core);
    }
    inbox->conn_generation = inbox->conn->generation;
    if (!up) {
        if (conn_failed(inbox->conn))
            inbox_fail(core, &inbox->conn->problem);
        return !inbox->failed;
    }
    if (inbox->failed) {
        if (net_now_ms(core) < inbox->retry_ms)
            return false;
        inbox->failed = false;
        problem_clear(&inbox->problem);
    }
    if (inbox->busy || !inbox->conn->ready)
        return true;
    if (inbox->phase == INBOX_DOWN)
        return inbox->registering != NULL ? register_self(core) : sign_in(core);
    while (!inbox->failed) {
        bool stocked = inbox->stocked;
        bool working = signed_in_step(core);
        if (working || inbox->stocked == stocked)
            return working;
    }
    return false;
}
