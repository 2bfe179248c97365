/* A relay made of docs/PROTOCOL.md: accounts, devices, KeyPackages, inboxes, grants and tokens, in
 * memory. It keeps to the protocol; what goes wrong is the weather's, which is asked before and
 * after each request. */
#include "sim/sim.h"

#include "core/internal.h"

enum {
    REPEAT_MS = 7 * 86400000,
    TOKENS_A_DAY = 200,
    TOKEN_DAYS = 7,
    PACKAGES_MAX = 200,
};

/* ---- Answers -----------------------------------------------------------------------------------
 */

static uint64_t extra_ms(struct world *world)
{
    const struct weather *weather = &world->weather;
    if (world->calm || !chance_of(&world->chance, weather->reorder))
        return 0;
    return chance_below(&world->chance, weather->reorder_ms + 1);
}

void relay_answer(struct conn_sim *conn, struct message *answer)
{
    struct world *world = conn->world;
    if (!conn->up)
        return;
    if (!world->calm && chance_of(&world->chance, world->weather.cut_after)) {
        conn_cut(conn);
        return;
    }
    (void)conn_send(conn, answer, 0, 0);
    if (!world->calm && answer->type != MESSAGE_HELLO_OK &&
        chance_of(&world->chance, world->weather.repeat_answer))
        (void)conn_send(conn, answer, 0, extra_ms(world));
}

void relay_refuse(struct conn_sim *conn, uint32_t request, uint16_t code, uint64_t detail)
{
    struct message answer = {.type = MESSAGE_ERROR, .request = request};
    answer.error.code = code;
    answer.error.detail = detail;
    if (conn->world->options.trace)
        printf("%llu relay to client %u: no, %u (%llu)\n", (unsigned long long)conn->world->now_ms,
               conn->client->number, code, (unsigned long long)detail);
    relay_answer(conn, &answer);
}

void relay_answer_empty(struct conn_sim *conn, const struct message *to)
{
    struct message answer = {.type = (uint16_t)(to->type | MESSAGE_ANSWER_BIT),
                             .request = to->request};
    relay_answer(conn, &answer);
}

/* ---- Finding -----------------------------------------------------------------------------------
 */

static struct sim_account *account_find(struct world *world, const struct account_id *id)
{
    for (size_t i = 0; i < world->account_count; i++)
        if (account_id_equal(&world->accounts[i]->id, id))
            return world->accounts[i];
    return NULL;
}

static struct sim_device *device_find(const struct sim_account *account, const struct device_id *id)
{
    for (size_t i = 0; account != NULL && i < account->device_count; i++)
        if (!account->devices[i]->gone && device_id_equal(&account->devices[i]->id, id))
            return account->devices[i];
    return NULL;
}

static uint64_t now_s(const struct world *world)
{
    return SIM_BEGIN_S + world->now_ms / 1000;
}

/* ---- Permissions -------------------------------------------------------------------------------
 */

static uint16_t admit_token(struct world *world, sotto_bytes value, struct payment *payment)
{
    struct token token;
    uint8_t output[VOPRF_OUTPUT];
    if (!token_parse(value, &token))
        return WIRE_CODE_TOKEN_REFUSED;
    if (token.key == 0 || token.key > world->token_key_count ||
        world->announced[token.key - 1].ends <= now_s(world) ||
        voprf_evaluate(VOPRF_MODE_VOPRF, &world->token_keys[token.key - 1], (sotto_bytes){0},
                       token.nonce, output) != SOTTO_OK ||
        sodium_memcmp(output, token.output.data, sizeof output) != 0)
        return WIRE_CODE_TOKEN_REFUSED;
    digest_of(token.nonce, (sotto_bytes){0}, &payment->nonce);
    payment->token = true;
    return digest_get(&world->spent, &payment->nonce) != NULL ? WIRE_CODE_TOKEN_SPENT : 0;
}

uint16_t relay_admit(struct world *world, const struct permission *permission,
                     const struct account_id *account, struct payment *payment)
{
    *payment = (struct payment){0};
    if (permission->kind == PERMISSION_TOKEN)
        return admit_token(world, permission->value, payment);
    if (permission->kind == PERMISSION_NONE)
        return world->weather.needs_tokens != 0 ? WIRE_CODE_TOKEN_NEEDED : 0;
    struct gate hash;
    gate_of(permission->value, &hash);
    for (size_t i = 0; i < world->grant_count; i++) {
        struct sim_grant *grant = world->grants[i];
        if (memcmp(grant->hash.bytes, hash.bytes, GATE_SIZE) != 0)
            continue;
        if (account == NULL || !account_id_equal(&grant->account->id, account) ||
            grant->expires <= now_s(world))
            return WIRE_CODE_CAPABILITY_UNKNOWN;
        payment->grant = grant;
        return 0;
    }
    return WIRE_CODE_CAPABILITY_UNKNOWN;
}

void relay_spend(struct world *world, const struct payment *payment)
{
    static const struct digest nothing = {{0}};
    if (payment->token)
        (void)digest_put(&world->spent, &payment->nonce, &nothing);
}

static struct repeat *repeat_find(struct world *world, const struct request_id *id)
{
    for (size_t i = world->repeat_count; i > 0; i--)
        if (memcmp(world->repeats[i - 1].id.bytes, id->bytes, REQUEST_ID_SIZE) == 0)
            return &world->repeats[i - 1];
    return NULL;
}

static struct repeat *repeat_new(struct world *world, const struct request_id *id)
{
    size_t old = 0;
    while (old < world->repeat_count && world->repeats[old].time_ms + REPEAT_MS < world->now_ms)
        sotto_buf_free(&world->repeats[old++].package);
    if (old > 0)
        memmove(world->repeats, world->repeats + old,
                (world->repeat_count - old) * sizeof *world->repeats);
    world->repeat_count -= old;
    struct repeat *repeat = sim_grow((void **)&world->repeats, &world->repeat_count,
                                     &world->repeat_room, sizeof *repeat);
    repeat->id = *id;
    repeat->time_ms = world->now_ms;
    sotto_buf_init(&repeat->package, &world->env);
    return repeat;
}

static void copy(sotto_buf *to, sotto_bytes bytes)
{
    to->size = 0;
    if (sotto_buf_append(to, bytes.data, bytes.size) != SOTTO_OK)
        abort();
}

/* ---- Registering and signing in ----------------------------------------------------------------
 */

/* The devices of a manifest: those that are there stay as they are. */
static void devices_become(struct world *world, struct sim_account *account,
                           const struct manifest *manifest)
{
    for (size_t i = 0; i < account->device_count; i++)
        if (manifest_device(manifest, &account->devices[i]->id) == NULL)
            account->devices[i]->gone = true;
    for (size_t i = 0; i < manifest->device_count; i++) {
        const struct device *from = &manifest->devices[i];
        if (device_find(account, &from->id) != NULL)
            continue;
        struct sim_device *device = sim_alloc(sizeof *device);
        device->id = from->id;
        memcpy(device->sign_in_hash, from->sign_in_hash, HASH_SIZE);
        sotto_buf_init(&device->last_resort, &world->env);
        *(struct sim_device **)sim_grow((void **)&account->devices, &account->device_count,
                                        &account->device_room, sizeof device) = device;
    }
    /* Who is out is signed out. */
    for (struct conn_sim *conn = world->conns; conn != NULL; conn = conn->next)
        if (conn->account == account && device_find(account, &conn->device) == NULL)
            conn_cut(conn);
}

static void do_register(struct conn_sim *conn, const struct message *message)
{
    struct world *world = conn->world;
    const struct register_request *body = &message->register_request;
    struct arena arena;
    struct manifest manifest;
    struct account_id id;
    sotto_fault fault;
    arena_init(&arena, &world->env);
    if (manifest_read(body->manifest, &arena, &manifest, &fault) != SOTTO_OK) {
        relay_refuse(conn, message->request, WIRE_CODE_BAD_MANIFEST, fault.offset);
        arena_free(&arena);
        return;
    }
    account_id_of(manifest.account_key, &id);
    const struct device *device = manifest_device(&manifest, &body->device);
    struct sim_account *account = account_find(world, &id);
    if (device == NULL || !proof_key_is(&body->proof, device->sign_in_hash) ||
        proof_verify(&body->proof, conn->challenge, &id, &body->device) != SOTTO_OK) {
        relay_refuse(conn, message->request, WIRE_CODE_SIGN_IN_FAILED, 0);
    } else if (account != NULL &&
               !sotto_bytes_equal(sotto_buf_view(&account->manifest), body->manifest)) {
        relay_refuse(conn, message->request, WIRE_CODE_BAD_MANIFEST, 0);
    } else {
        if (account == NULL) {
            account = sim_alloc(sizeof *account);
            account->id = id;
            sotto_buf_init(&account->manifest, &world->env);
            copy(&account->manifest, body->manifest);
            *(struct sim_account **)sim_grow((void **)&world->accounts, &world->account_count,
                                             &world->account_room, sizeof account) = account;
            devices_become(world, account, &manifest);
        }
        conn->signed_in = true;
        conn->account = account;
        conn->device = body->device;
        relay_answer_empty(conn, message);
    }
    arena_free(&arena);
}

static void do_sign_in(struct conn_sim *conn, const struct message *message)
{
    const struct sign_in *body = &message->sign_in;
    struct sim_account *account = account_find(conn->world, &body->account);
    const struct sim_device *device = device_find(account, &body->device);
    if (device == NULL || !proof_key_is(&body->proof, device->sign_in_hash) ||
        proof_verify(&body->proof, conn->challenge, &body->account, &body->device) != SOTTO_OK) {
        relay_refuse(conn, message->request, WIRE_CODE_SIGN_IN_FAILED, 0);
        return;
    }
    conn->signed_in = true;
    conn->account = account;
    conn->device = body->device;
    relay_answer_empty(conn, message);
}

static void put_manifest(struct conn_sim *conn, const struct message *message)
{
    struct world *world = conn->world;
    struct sim_account *account = conn->account;
    struct arena arena;
    struct manifest before, next;
    struct account_id id = {{0}};
    sotto_fault fault = {0};
    arena_init(&arena, &world->env);
    bool same = sotto_bytes_equal(sotto_buf_view(&account->manifest), message->manifest);
    bool good =
        manifest_read(message->manifest, &arena, &next, &fault) == SOTTO_OK &&
        manifest_read(sotto_buf_view(&account->manifest), &arena, &before, &fault) == SOTTO_OK;
    if (good) {
        account_id_of(next.account_key, &id);
        good = account_id_equal(&id, &account->id) &&
               (same || manifest_follows(sotto_buf_view(&account->manifest), &before, &next,
                                         &fault) == SOTTO_OK);
    }
    if (!good) {
        relay_refuse(conn, message->request, WIRE_CODE_BAD_MANIFEST, fault.offset);
    } else {
        copy(&account->manifest, message->manifest);
        relay_answer_empty(conn, message);
        devices_become(world, account, &next);
    }
    arena_free(&arena);
}

/* ---- KeyPackages -------------------------------------------------------------------------------
 */

static void answer_count(struct conn_sim *conn, const struct message *message,
                         const struct sim_device *device)
{
    struct message answer = {.type = (uint16_t)(message->type | MESSAGE_ANSWER_BIT),
                             .request = message->request};
    answer.key_package_count.count = (uint32_t)device->package_count;
    answer.key_package_count.has_last_resort =
        message->type == MESSAGE_COUNT_KEY_PACKAGES && device->last_resort.size > 0;
    relay_answer(conn, &answer);
}

static void publish(struct conn_sim *conn, const struct message *message, struct sim_device *device)
{
    const struct publish_key_packages *body = &message->publish_key_packages;
    for (size_t i = 0; i < body->count && device->package_count < PACKAGES_MAX; i++) {
        struct sim_package *package = sim_grow((void **)&device->packages, &device->package_count,
                                               &device->package_room, sizeof *package);
        sotto_buf_init(&package->bytes, &conn->world->env);
        copy(&package->bytes, body->key_packages[i]);
    }
    if (body->last_resort.size > 0)
        copy(&device->last_resort, body->last_resort);
    answer_count(conn, message, device);
}

static void take_key_package(struct conn_sim *conn, const struct message *message)
{
    struct world *world = conn->world;
    const struct take_key_package *body = &message->take_key_package;
    struct message answer = {.type = MESSAGE_TAKE_KEY_PACKAGE_OK, .request = message->request};
    struct payment payment;
    struct repeat *repeat = repeat_find(world, &body->take_id);
    if (repeat == NULL) {
        uint16_t code = relay_admit(world, &body->permission, &body->account, &payment);
        struct sim_device *device = device_find(account_find(world, &body->account), &body->device);
        if (code == 0 && payment.grant != NULL && payment.grant->packages_left == 0)
            code = WIRE_CODE_CAPABILITY_USED;
        if (code == 0 && device == NULL)
            code = WIRE_CODE_NO_ACCOUNT;
        if (code == 0 && device->package_count == 0 && device->last_resort.size == 0)
            code = WIRE_CODE_NO_KEY_PACKAGE;
        if (code != 0) {
            relay_refuse(conn, message->request, code, 0);
            return;
        }
        relay_spend(world, &payment);
        if (payment.grant != NULL)
            payment.grant->packages_left--;
        repeat = repeat_new(world, &body->take_id);
        if (device->package_count > 0) {
            repeat->package = device->packages[0].bytes;
            memmove(device->packages, device->packages + 1,
                    --device->package_count * sizeof *device->packages);
        } else {
            copy(&repeat->package, sotto_buf_view(&device->last_resort));
        }
    }
    answer.key_package = sotto_buf_view(&repeat->package);
    relay_answer(conn, &answer);
}

static void get_manifest(struct conn_sim *conn, const struct message *message)
{
    const struct get_manifest *body = &message->get_manifest;
    struct message answer = {.type = MESSAGE_GET_MANIFEST_OK, .request = message->request};
    struct payment payment = {0};
    struct sim_account *account = account_find(conn->world, &body->account);
    uint16_t code = body->permission.kind == PERMISSION_CAPABILITY
                        ? relay_admit(conn->world, &body->permission, &body->account, &payment)
                        : 0;
    if (code == 0 && payment.grant != NULL && payment.grant->packages_left == 0 &&
        payment.grant->envelopes_left == 0)
        code = WIRE_CODE_CAPABILITY_USED;
    if (code == 0 && account == NULL)
        code = WIRE_CODE_NO_ACCOUNT;
    if (code != 0) {
        relay_refuse(conn, message->request, code, 0);
        return;
    }
    answer.manifest = sotto_buf_view(&account->manifest);
    relay_answer(conn, &answer);
}

/* ---- The inbox ---------------------------------------------------------------------------------
 */

static void inbox_pump(struct conn_sim *conn)
{
    struct world *world = conn->world;
    const struct sim_device *device = device_find(conn->account, &conn->device);
    for (size_t i = 0; device != NULL && i < device->inbox_count && conn->up; i++) {
        if (device->inbox[i].seq < conn->inbox_next)
            continue;
        struct message push = {.type = MESSAGE_INBOX_ENVELOPE, .request = conn->inbox_request};
        push.inbox_envelope.seq = device->inbox[i].seq;
        push.inbox_envelope.sealed = sotto_buf_view(&device->inbox[i].sealed);
        conn->inbox_next = device->inbox[i].seq + 1;
        conn->inbox_order_ms = conn_send(conn, &push, conn->inbox_order_ms, extra_ms(world));
        world->pushes++;
    }
}

static void post_envelope(struct conn_sim *conn, const struct message *message)
{
    struct world *world = conn->world;
    const struct post_envelope *body = &message->post_envelope;
    struct payment payment;
    if (repeat_find(world, &body->post_id) != NULL) {
        relay_answer_empty(conn, message);
        return;
    }
    struct sim_device *device = device_find(account_find(world, &body->account), &body->device);
    uint16_t code = relay_admit(world, &body->permission, &body->account, &payment);
    if (code == 0 && payment.grant != NULL && payment.grant->envelopes_left == 0)
        code = WIRE_CODE_CAPABILITY_USED;
    if (code == 0 && device == NULL)
        code = WIRE_CODE_NO_ACCOUNT;
    if (code != 0) {
        relay_refuse(conn, message->request, code, 0);
        return;
    }
    relay_spend(world, &payment);
    if (payment.grant != NULL)
        payment.grant->envelopes_left--;
    (void)repeat_new(world, &body->post_id);
    struct sim_envelope *envelope = sim_grow((void **)&device->inbox, &device->inbox_count,
                                             &device->inbox_room, sizeof *envelope);
    sotto_buf_init(&envelope->sealed, &world->env);
    envelope->seq = ++device->inbox_seq;
    copy(&envelope->sealed, body->sealed);
    relay_answer_empty(conn, message);
    for (struct conn_sim *other = world->conns; other != NULL; other = other->next)
        if (other->up && other->inbox_request != 0 && device_id_equal(&other->device, &device->id))
            inbox_pump(other);
}

static void inbox_subscribe(struct conn_sim *conn, const struct message *message,
                            const struct sim_device *device)
{
    struct message answer = {.type = MESSAGE_INBOX_SUBSCRIBE_OK, .request = message->request};
    answer.head = device->inbox_count > 0 ? device->inbox[device->inbox_count - 1].seq : 0;
    conn->inbox_request = message->request;
    conn->inbox_next = 0;
    conn->inbox_order_ms = conn_send(conn, &answer, 0, 0);
    inbox_pump(conn);
}

static void inbox_ack(struct sim_device *device, uint64_t seq)
{
    size_t gone = 0;
    while (gone < device->inbox_count && device->inbox[gone].seq <= seq)
        sotto_buf_free(&device->inbox[gone++].sealed);
    device->inbox_count -= gone;
    if (gone > 0)
        memmove(device->inbox, device->inbox + gone, device->inbox_count * sizeof *device->inbox);
}

/* ---- Grants and tokens -------------------------------------------------------------------------
 */

static void grant(struct conn_sim *conn, const struct message *message)
{
    struct world *world = conn->world;
    for (size_t i = 0; i < world->grant_count; i++)
        if (memcmp(world->grants[i]->hash.bytes, message->grant.capability_hash.bytes, GATE_SIZE) ==
            0) {
            relay_answer_empty(conn, message);
            return;
        }
    struct sim_grant *made = sim_alloc(sizeof *made);
    *made = (struct sim_grant){
        .hash = message->grant.capability_hash,
        .account = conn->account,
        .expires = message->grant.expires,
        .packages_left = message->grant.uses,
        .envelopes_left = message->grant.uses,
    };
    *(struct sim_grant **)sim_grow((void **)&world->grants, &world->grant_count, &world->grant_room,
                                   sizeof made) = made;
    relay_answer_empty(conn, message);
}

static void tokens_renew(struct world *world)
{
    uint64_t now = now_s(world), life = TOKEN_DAYS * 86400;
    while (world->token_key_count == 0 ||
           world->announced[world->token_key_count - 1].replaced <= now) {
        size_t n = world->token_key_count;
        if (n == sizeof world->announced / sizeof *world->announced)
            return;
        struct token_key *key = &world->announced[n];
        *key = (struct token_key){.number = (uint32_t)n + 1};
        key->begins = n == 0 ? now : world->announced[n - 1].replaced;
        key->replaced = key->begins + life;
        key->ends = key->replaced + life;
        if (voprf_key_generate(&world->env, &world->token_keys[n]) != SOTTO_OK)
            abort();
        memcpy(key->public_key, world->token_keys[n].public_key, sizeof key->public_key);
        if (n > 0)
            token_key_hash(&world->announced[n - 1], key->previous);
        world->token_key_count++;
    }
}

static void token_keys(struct conn_sim *conn, const struct message *message)
{
    struct world *world = conn->world;
    struct message answer = {.type = MESSAGE_TOKEN_KEYS_OK, .request = message->request};
    tokens_renew(world);
    size_t first = message->first_key;
    if (first == 0)
        for (first = 1; world->announced[first - 1].ends <= now_s(world);)
            first++;
    if (first > world->token_key_count) {
        relay_refuse(conn, message->request, WIRE_CODE_UNAVAILABLE, 5);
        return;
    }
    answer.token_keys.a_day = TOKENS_A_DAY;
    answer.token_keys.keys = &world->announced[first - 1];
    answer.token_keys.count = world->token_key_count - first + 1;
    relay_answer(conn, &answer);
}

static void issue_tokens(struct conn_sim *conn, const struct message *message)
{
    struct world *world = conn->world;
    const struct issue_tokens *body = &message->issue_tokens;
    struct message answer = {.type = MESSAGE_ISSUE_TOKENS_OK, .request = message->request};
    uint8_t evaluated[WIRE_TOKENS_MAX * TOKEN_ELEMENT_SIZE], proof[TOKEN_PROOF_SIZE];
    tokens_renew(world);
    if (body->key != world->token_key_count) {
        relay_refuse(conn, message->request, WIRE_CODE_TOKEN_REFUSED, world->token_key_count);
        return;
    }
    uint64_t day = world->now_ms / SIM_DAY_MS, count = body->blinded.size / TOKEN_ELEMENT_SIZE;
    if (conn->account->issued_day != day)
        conn->account->issued_today = 0;
    conn->account->issued_day = day;
    if (conn->account->issued_today + count > TOKENS_A_DAY * 2) { /* repeats are counted here */
        relay_refuse(conn, message->request, WIRE_CODE_RATE_LIMITED, 3600);
        return;
    }
    conn->account->issued_today += count;
    if (voprf_blind_evaluate(VOPRF_MODE_VOPRF, &world->env, &world->token_keys[body->key - 1],
                             (sotto_bytes){0}, body->blinded, evaluated, proof) != SOTTO_OK) {
        relay_refuse(conn, message->request, WIRE_CODE_BAD_REQUEST, 0);
        return;
    }
    answer.issue_tokens_ok.evaluated = sotto_bytes_of(evaluated, body->blinded.size);
    answer.issue_tokens_ok.proof = sotto_bytes_of(proof, sizeof proof);
    relay_answer(conn, &answer);
}

/* ---- Requests ----------------------------------------------------------------------------------
 */

static void account_request(struct conn_sim *conn, const struct message *message)
{
    struct sim_device *device = device_find(conn->account, &conn->device);
    if (!conn->signed_in || device == NULL) {
        relay_refuse(conn, message->request, WIRE_CODE_NOT_SIGNED_IN, 0);
        return;
    }
    switch (message->type) {
    case MESSAGE_PUT_MANIFEST:
        put_manifest(conn, message);
        return;
    case MESSAGE_PUBLISH_KEY_PACKAGES:
        publish(conn, message, device);
        return;
    case MESSAGE_COUNT_KEY_PACKAGES:
        answer_count(conn, message, device);
        return;
    case MESSAGE_INBOX_SUBSCRIBE:
        inbox_subscribe(conn, message, device);
        return;
    case MESSAGE_INBOX_ACK:
        inbox_ack(device, message->seq);
        relay_answer_empty(conn, message);
        return;
    case MESSAGE_GRANT:
        grant(conn, message);
        return;
    case MESSAGE_ISSUE_TOKENS:
        issue_tokens(conn, message);
        return;
    case MESSAGE_SET_USERNAME:
    case MESSAGE_SET_FINDABLE:
    case MESSAGE_GET_LABELS:
        labels_request(conn, message);
        return;
    default:
        relay_refuse(conn, message->request, WIRE_CODE_UNKNOWN_TYPE, message->type);
    }
}

static void say_hello(struct conn_sim *conn, const struct message *message)
{
    struct world *world = conn->world;
    struct message answer = {.type = MESSAGE_HELLO_OK, .request = message->request};
    if (message->type != MESSAGE_HELLO || message->hello.connection != conn->kind) {
        world_fails(world, "client %u did not say hello", conn->client->number);
        conn_cut(conn);
        return;
    }
    conn->greeted = true;
    (void)world->env.random(world->env.ctx, conn->challenge, sizeof conn->challenge);
    answer.hello_ok = (struct hello_ok){
        .version = WIRE_VERSION,
        .registration = REGISTRATION_OPEN,
        .retention_days = (uint16_t)world->weather.keep_days,
        .max_entry = WIRE_ENTRY_MAX,
        .max_envelope = WIRE_ENVELOPE_MAX,
        .now = now_s(world),
        .name = sotto_bytes_str("simulated"),
    };
    memcpy(answer.hello_ok.challenge, conn->challenge, CHALLENGE_SIZE);
    relay_answer(conn, &answer);
}

static void do_request(struct conn_sim *conn, const struct message *message)
{
    struct world *world = conn->world;
    if (!conn->greeted) {
        say_hello(conn, message);
        return;
    }
    if ((message_connections(message->type) & conn->kind) == 0) {
        world_fails(world, "client %u asks for %s on the wrong connection", conn->client->number,
                    message_name(message->type));
        relay_refuse(conn, message->request, WIRE_CODE_WRONG_CONNECTION, 0);
        return;
    }
    if (!world->calm && chance_of(&world->chance, world->weather.unavailable)) {
        bool rate = chance_below(&world->chance, 2) == 0;
        relay_refuse(conn, message->request, rate ? WIRE_CODE_RATE_LIMITED : WIRE_CODE_UNAVAILABLE,
                     5);
        return;
    }
    switch (message->type) {
    case MESSAGE_TOKEN_KEYS:
        token_keys(conn, message);
        return;
    case MESSAGE_REGISTER:
        do_register(conn, message);
        return;
    case MESSAGE_SIGN_IN:
        do_sign_in(conn, message);
        return;
    case MESSAGE_GET_MANIFEST:
        get_manifest(conn, message);
        return;
    case MESSAGE_TAKE_KEY_PACKAGE:
        take_key_package(conn, message);
        return;
    case MESSAGE_POST_ENVELOPE:
        post_envelope(conn, message);
        return;
    case MESSAGE_FIND:
        labels_request(conn, message);
        return;
    default:
        break;
    }
    if ((message->type & 0xFF00) == 0x0200)
        rooms_request(conn, message);
    else if ((message->type & 0xFF00) == 0x0300)
        blobs_request(conn, message);
    else
        account_request(conn, message);
}

void relay_receive(struct conn_sim *conn, sotto_bytes bytes)
{
    struct world *world = conn->world;
    struct arena arena;
    struct message message;
    sotto_fault fault;
    if (!world->calm && chance_of(&world->chance, world->weather.cut_before)) {
        conn_cut(conn);
        return;
    }
    conn->holds++; /* as long as the request is looked at */
    arena_init(&arena, &world->env);
    sotto_error error = message_read(bytes, MESSAGE_TO_RELAY, &arena, &message, &fault);
    if (error == SOTTO_OK) {
        do_request(conn, &message);
    } else if (error == SOTTO_UNSUPPORTED) {
        relay_refuse(conn, message.request, WIRE_CODE_UNKNOWN_TYPE, message.type);
    } else {
        world_fails(world, "client %u sent what the protocol does not have: %s",
                    conn->client->number, fault.what);
        conn_cut(conn);
    }
    arena_free(&arena);
    conn_release(conn);
}

void relay_closed(struct conn_sim *conn)
{
    conn->inbox_request = 0;
    rooms_close(conn);
}

/* ---- Days --------------------------------------------------------------------------------------
 */

static void outage_ends(struct world *world, void *ctx, sotto_buf *bytes, uint64_t number)
{
    (void)ctx;
    (void)bytes;
    (void)number;
    world->down = false;
}

static void day_begins(struct world *world, void *ctx, sotto_buf *bytes, uint64_t number)
{
    const struct weather *weather = &world->weather;
    (void)ctx;
    (void)bytes;
    (void)number;
    if (world->calm || world->now_ms + SIM_DAY_MS > world->end_ms)
        return;
    rooms_tidy(world);
    if (weather->outage_days > 0 && chance_below(&world->chance, weather->outage_days) == 0) {
        world->down = true;
        net_cut_all(world);
        uint64_t ms = 1 + chance_below(&world->chance, weather->outage_hours * UINT64_C(3600000));
        world_at(world, world->now_ms + ms, outage_ends, NULL, NULL, 0);
    }
    world_at(world, world->now_ms + SIM_DAY_MS, day_begins, NULL, NULL, 0);
}

/* Also one whose removal was not heard of by who asked for it. */
bool relay_has_revoked(const struct world *world, const struct client *client)
{
    char hex[65];
    for (size_t i = 0; i < world->account_count; i++) {
        const struct sim_account *account = world->accounts[i];
        core_id_hex(account->id.bytes, sizeof account->id.bytes, hex);
        for (size_t n = 0; strcmp(hex, client->person->account) == 0 && n < account->device_count;
             n++) {
            char device[33];
            core_id_hex(account->devices[n]->id.bytes, DEVICE_ID_SIZE, device);
            if (strcmp(device, client->device) == 0)
                return account->devices[n]->gone;
        }
    }
    return false;
}

void relay_begin(struct world *world)
{
    world_at(world, SIM_DAY_MS / 2, day_begins, NULL, NULL, 0);
}

void relay_end(struct world *world)
{
    rooms_free(world);
    blobs_free(world);
    for (size_t i = 0; i < world->account_count; i++) {
        struct sim_account *account = world->accounts[i];
        for (size_t d = 0; d < account->device_count; d++) {
            struct sim_device *device = account->devices[d];
            for (size_t p = 0; p < device->package_count; p++)
                sotto_buf_free(&device->packages[p].bytes);
            for (size_t e = 0; e < device->inbox_count; e++)
                sotto_buf_free(&device->inbox[e].sealed);
            sotto_buf_free(&device->last_resort);
            free(device->packages);
            free(device->inbox);
            free(device);
        }
        sotto_buf_free(&account->manifest);
        free(account->devices);
        free(account);
    }
    for (size_t i = 0; i < world->grant_count; i++)
        free(world->grants[i]);
    for (size_t i = 0; i < world->repeat_count; i++)
        sotto_buf_free(&world->repeats[i].package);
    free(world->accounts);
    free(world->grants);
    free(world->repeats);
    digest_free(&world->spent);
}
