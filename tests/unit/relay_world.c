#include "unit/relay_world.h"

#include <stdlib.h>
#include <unistd.h>

#include <sodium.h>
#include <sqlite3.h>

#include "unit/folder.h"

/* ---- The store ------------------------------------------------------------------------------ */

static uint64_t world_now(void *ctx)
{
    return ((struct relay_world *)ctx)->now;
}

static sotto_error world_random(void *ctx, uint8_t *out, size_t size)
{
    (void)ctx;
    randombytes_buf(out, size);
    return SOTTO_OK;
}

static void on_health(void *ctx, sotto_error error)
{
    struct relay_world *world = ctx;
    world->health = error;
    world->health_changes++;
}

static void on_notice(void *ctx, const struct notice *notice)
{
    struct relay_world *world = ctx;
    if (world->heard_count < sizeof world->heard / sizeof *world->heard)
        world->heard[world->heard_count++] = *notice;
}

void world_reopen(struct relay_world *world, const char *vfs)
{
    const struct store_sqlite_options options = {
        .path = world->path,
        .readers = 2,
        .vfs = vfs,
        .health = on_health,
        .health_ctx = world,
    };
    const char *why;
    assert_ok(store_sqlite_open(&world->env, &options, &world->store, &why));
    assert_ok(store_port_open(world->store, NULL, NULL, &world->port));
    assert_ok(store_port_open(world->store, on_notice, world, &world->ear));
}

static void begin_in_folder(struct relay_world *world, const char *vfs)
{
    world->env = *sotto_env_system();
    world->now = WORLD_DAY * 86400ull + 43200;
    world->room_size = ROOM_SIZE_UNLIMITED;
    world->env.ctx = world;
    world->env.now = world_now;
    world->env.random = world_random;
    snprintf(world->path, sizeof world->path, "%s/relay.db", world->folder);
    world_reopen(world, vfs);
}

void world_begin(struct relay_world *world, const char *vfs)
{
    *world = (struct relay_world){0};
    assert_true(folder_make(world->folder, "relay"));
    begin_in_folder(world, vfs);
}

void world_begin_on_disk(struct relay_world *world, const char *vfs)
{
    *world = (struct relay_world){.folder = "/tmp/sotto-relay-XXXXXX"};
    assert_non_null(mkdtemp(world->folder));
    begin_in_folder(world, vfs);
}

/* Ports hold a pointer to the store's list, so they go first. */
void world_close(struct relay_world *world)
{
    struct store_op *op = store_op_new(&world->env, STORE_STATUS);
    store_call(world->port, op); /* all that was submitted before is executed */
    store_op_free(op);
    store_port_close(world->ear);
    store_port_close(world->port);
    store_close(world->store);
    world->store = NULL;
}

void world_end(struct relay_world *world)
{
    static const char *const endings[] = {"", "-wal", "-shm"};
    if (world->store != NULL)
        world_close(world);
    for (size_t i = 0; i < 3; i++) {
        char path[128];
        snprintf(path, sizeof path, "%s%s", world->path, endings[i]);
        unlink(path);
    }
    assert_int_equal(rmdir(world->folder), 0);
}

/* Notices follow the completions of their batch. So a write that changes nothing goes behind: when
 * it is over, all notices of what was completed before are there. */
void world_listen(struct relay_world *world)
{
    struct store_op *op = store_op_new(&world->env, STORE_REVOKE);
    assert_non_null(op);
    store_call(world->port, op);
    store_op_free(op);
    store_port_run(world->ear);
}

int64_t world_query(struct relay_world *world, const char *sql)
{
    sqlite3 *db;
    sqlite3_stmt *stmt;
    assert_int_equal(sqlite3_open_v2(world->path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    int64_t value = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    return value;
}

static struct store_op *begin(struct relay_world *world, enum store_kind kind)
{
    struct store_op *op = store_op_new(&world->env, kind);
    assert_non_null(op);
    return op;
}

static uint16_t finish(struct relay_world *world, struct store_op *op)
{
    store_call(world->port, op);
    uint16_t code = op->code;
    store_op_free(op);
    return code;
}

/* ---- Values --------------------------------------------------------------------------------- */

struct room_id room_of(unsigned n)
{
    struct room_id id = {{0}};
    memcpy(id.bytes, &n, sizeof n);
    return id;
}

struct gate token_gate(unsigned n)
{
    struct gate gate;
    wire_hash(sotto_bytes_of((const uint8_t *)&n, sizeof n), gate.bytes);
    return gate;
}

struct request_id request_of(unsigned n)
{
    struct request_id id = {{0}};
    memcpy(id.bytes, &n, sizeof n);
    return id;
}

/* ---- Rooms ---------------------------------------------------------------------------------- */

uint16_t do_create(struct relay_world *world, unsigned room, unsigned write, unsigned read)
{
    struct store_op *op = begin(world, STORE_ROOM_CREATE);
    op->room_create.permission = world->token;
    op->room_create.size = world->room_size;
    op->room_create.room = room_of(room);
    op->room_create.write_gate = token_gate(write);
    op->room_create.read_gate = token_gate(read);
    return finish(world, op);
}

struct store_op *append_op(struct relay_world *world, const struct append_try *try)
{
    struct store_op *op = begin(world, STORE_ROOM_APPEND);
    struct store_append *append = &op->append;
    const uint8_t *id_bytes = (const uint8_t *)&try->id;
    const struct append wire = {
        .append_id = request_of(try->id),
        .epoch = try->epoch,
        .kind = try->commit ? ENTRY_COMMIT : ENTRY_MESSAGE,
        .bytes = try->bytes.size > 0 ? try->bytes : sotto_bytes_of(id_bytes, sizeof try->id),
    };
    append->room = room_of(try->room);
    append->append_id = wire.append_id;
    append->epoch = wire.epoch;
    append->gate = token_gate(try->token);
    append->kind = wire.kind;
    append->next_write_gate = token_gate(try->next_write);
    append->has_next_read_gate = try->next_read != 0;
    append->next_read_gate = token_gate(try->next_read);
    assert_ok(blob_of_append(&world->env, &wire, &append->blob));
    return op;
}

uint16_t do_append(struct relay_world *world, struct append_try *try)
{
    struct store_op *op = append_op(world, try);
    store_call(world->port, op);
    uint16_t code = op->code;
    try->seq = op->append.seq;
    try->detail = op->detail;
    store_op_free(op);
    return code;
}

uint64_t say(struct relay_world *world, unsigned room, unsigned id, uint64_t epoch, unsigned token)
{
    struct append_try try = {.room = room, .id = id, .epoch = epoch, .token = token};
    return do_append(world, &try) == 0 ? try.seq : 0;
}

uint16_t do_open(struct relay_world *world, unsigned room, unsigned read,
                 struct store_room_open *open)
{
    struct store_op *op = begin(world, STORE_ROOM_OPEN);
    op->room_open.room = room_of(room);
    op->room_open.gate = token_gate(read);
    store_call(world->port, op);
    uint16_t code = op->code;
    *open = op->room_open;
    store_op_free(op);
    return code;
}

size_t do_fetch(struct relay_world *world, int64_t key, uint64_t from, uint64_t until,
                unsigned *ids, size_t max)
{
    struct store_op *op = begin(world, STORE_ROOM_FETCH);
    op->room_fetch.key = key;
    op->room_fetch.from = from;
    op->room_fetch.until = until;
    store_call(world->port, op);
    assert_int_equal(op->code, 0);
    size_t count = 0;
    if (op->room_fetch.blob != NULL) {
        struct message message;
        struct arena arena;
        sotto_fault fault;
        arena_init(&arena, &world->env);
        assert_ok(message_read(sotto_buf_view(&op->room_fetch.blob->message), MESSAGE_TO_CLIENT,
                               &arena, &message, &fault));
        count = message.room_entries.count;
        assert_true(count <= max);
        for (size_t i = 0; i < count; i++)
            memcpy(&ids[i], message.room_entries.entries[i].append_id.bytes, sizeof *ids);
        assert_int_equal(message.room_entries.entries[count - 1].seq, op->room_fetch.last);
        arena_free(&arena);
    }
    store_op_free(op);
    return count;
}

/* ---- People --------------------------------------------------------------------------------- */

static struct device_id device_of(unsigned n)
{
    struct device_id id = {{0}};
    memcpy(id.bytes, &n, sizeof n);
    return id;
}

void person_begin(struct relay_world *world, struct person *person, unsigned n)
{
    uint8_t key[SIGN_KEY_SIZE];
    *person = (struct person){.device = device_of(n)};
    memset(person->seed, (int)n, sizeof person->seed);
    memset(person->sign_in_seed, (int)n + 100, sizeof person->sign_in_seed);
    wire_sign_public(person->seed, key);
    account_id_of(key, &person->account);
    sotto_buf_init(&person->manifest, &world->env);
    person_manifest(person, true, 0);
}

void person_end(struct person *person)
{
    sotto_buf_free(&person->manifest);
}

static void fill_device(struct device *device, const struct device_id *id, const uint8_t *key,
                        const uint8_t *inbox_key, const uint8_t *sign_in_seed)
{
    uint8_t sign_in_key[SIGN_KEY_SIZE];
    wire_sign_public(sign_in_seed, sign_in_key);
    *device = (struct device){
        .id = *id,
        .signature_key = sotto_bytes_of(key, SIGN_KEY_SIZE),
        .inbox_key = sotto_bytes_of(inbox_key, INBOX_KEY_SIZE),
    };
    wire_hash(sotto_bytes_of(sign_in_key, sizeof sign_in_key), device->sign_in_hash);
}

void person_manifest(struct person *person, bool own, unsigned other)
{
    static const uint8_t key[SIGN_KEY_SIZE] = {1}, inbox_key[INBOX_KEY_SIZE] = {2};
    struct device devices[2];
    struct device_id other_id = device_of(other);
    size_t count = 0;
    if (own)
        fill_device(&devices[count++], &person->device, key, inbox_key, person->sign_in_seed);
    if (other != 0)
        fill_device(&devices[count++], &other_id, key, inbox_key, person->seed);
    struct manifest manifest = {
        .number = ++person->number,
        .devices = devices,
        .device_count = count,
    };
    if (person->number > 1)
        wire_hash(sotto_buf_view(&person->manifest), manifest.previous);
    sotto_buf_clear(&person->manifest);
    assert_ok(manifest_write(&manifest, person->seed, &person->manifest));
}

/* The person's newest manifest into an operation, with its devices. */
static void put_manifest(struct relay_world *world, struct store_op *op,
                         const struct person *person, sotto_bytes *bytes,
                         const struct store_device **devices, size_t *count)
{
    struct arena arena;
    struct manifest manifest;
    sotto_fault fault;
    arena_init(&arena, &world->env);
    assert_ok(manifest_read(sotto_buf_view(&person->manifest), &arena, &manifest, &fault));
    assert_ok(store_op_devices(op, &manifest, devices, count));
    assert_ok(store_op_copy(op, sotto_buf_view(&person->manifest), bytes));
    arena_free(&arena);
}

static bool hash_text(const char *text, uint8_t out[static HASH_SIZE])
{
    if (text != NULL)
        wire_hash(sotto_bytes_str(text), out);
    return text != NULL;
}

uint16_t do_register(struct relay_world *world, struct person *person, struct register_try *try)
{
    struct store_op *op = begin(world, STORE_REGISTER);
    struct store_register *want = &op->registration;
    want->account = person->account;
    want->device = person->device;
    put_manifest(world, op, person, &want->manifest, &want->devices, &want->device_count);
    want->mode = try->mode == 0 ? REGISTRATION_OPEN : try->mode;
    if (try->phone != NULL)
        assert_ok(store_op_copy(op, sotto_bytes_str(try->phone), &want->phone));
    want->has_invitation = hash_text(try->invitation, want->invitation_hash);
    want->has_code = hash_text(try->code, want->code_hash);
    hash_text(try->new_code, want->new_code_hash);
    want->label = try->label;
    if (try->address != NULL)
        snprintf(want->address, sizeof want->address, "%s", try->address);
    store_call(world->port, op);
    uint16_t code = op->code;
    try->detail = op->detail;
    try->send_code = want->send_code;
    if (code == 0)
        person->session = want->session;
    store_op_free(op);
    return code;
}

uint16_t do_put_manifest(struct relay_world *world, struct person *person)
{
    struct store_op *op = begin(world, STORE_PUT_MANIFEST);
    op->put_manifest.session = person->session;
    put_manifest(world, op, person, &op->put_manifest.manifest, &op->put_manifest.devices,
                 &op->put_manifest.device_count);
    return finish(world, op);
}

uint16_t do_sign_in(struct relay_world *world, struct person *person)
{
    struct store_op *op = begin(world, STORE_SIGN_IN);
    op->sign_in.account = person->account;
    op->sign_in.device = person->device;
    store_call(world->port, op);
    uint16_t code = op->code == 0 && op->sign_in.withdrawn ? WIRE_CODE_WITHDRAWN : op->code;
    if (code == 0)
        person->session = op->sign_in.session;
    store_op_free(op);
    return code;
}

uint16_t do_publish(struct relay_world *world, struct person *person, const char *const *packages,
                    const char *last_resort, uint32_t *stored)
{
    struct store_op *op = begin(world, STORE_PUBLISH);
    sotto_bytes list[WIRE_KEY_PACKAGES_MAX];
    size_t count = 0;
    for (; packages != NULL && packages[count] != NULL; count++)
        list[count] = sotto_bytes_str(packages[count]);
    op->publish.session = person->session;
    op->publish.key_packages = list;
    op->publish.count = count;
    if (last_resort != NULL)
        op->publish.last_resort = sotto_bytes_str(last_resort);
    store_call(world->port, op);
    uint16_t code = op->code;
    if (stored != NULL)
        *stored = op->publish.stored;
    store_op_free(op);
    return code;
}

/* The world's token, where there is one. */
static struct store_permission permission_of(const struct relay_world *world, unsigned capability)
{
    if (capability == 0)
        return world->token;
    return (struct store_permission){.kind = PERMISSION_CAPABILITY,
                                     .capability_hash = token_gate(capability)};
}

struct store_permission token_of(uint32_t key, unsigned nonce)
{
    struct store_permission token = {.kind = PERMISSION_TOKEN, .token_good = true};
    token.token_key = key;
    memcpy(token.token_nonce, &nonce, sizeof nonce);
    return token;
}

uint16_t do_issue(struct relay_world *world, struct person *person, struct issue_try *try)
{
    struct store_op *op = begin(world, STORE_ISSUE_TOKENS);
    op->issue.session = person->session;
    op->issue.key = try->key;
    op->issue.count = try->count;
    op->issue.a_day = try->a_day;
    memcpy(op->issue.request_hash, &try->request, sizeof try->request);
    store_call(world->port, op);
    uint16_t code = op->code;
    try->detail = op->detail;
    store_op_free(op);
    return code;
}

uint32_t do_token_keys(struct relay_world *world)
{
    struct store_op *op = begin(world, STORE_TOKEN_KEYS);
    op->token_keys.now = world->now;
    op->token_keys.days = 7;
    store_call(world->port, op);
    assert_int_equal(op->code, 0);
    assert_true(op->token_keys.count > 0);
    uint32_t number = op->token_keys.keys[op->token_keys.count - 1].key.number;
    store_op_free(op);
    return number;
}

uint16_t do_extend(struct relay_world *world, unsigned room, uint64_t step, uint64_t *size)
{
    struct store_op *op = begin(world, STORE_ROOM_EXTEND);
    op->room_extend.permission = world->token;
    op->room_extend.room = room_of(room);
    op->room_extend.step = step;
    op->room_extend.size = *size;
    store_call(world->port, op);
    uint16_t code = op->code;
    *size = code == 0 ? op->room_extend.size : op->detail;
    store_op_free(op);
    return code;
}

uint16_t do_grant(struct relay_world *world, struct person *person, unsigned capability,
                  uint64_t expires, uint32_t uses)
{
    struct store_op *op = begin(world, STORE_GRANT);
    op->grant.session = person->session;
    op->grant.capability_hash = token_gate(capability);
    op->grant.expires = expires;
    op->grant.uses = uses;
    return finish(world, op);
}

uint16_t do_take(struct relay_world *world, const struct person *person, unsigned capability,
                 unsigned id, char out[static 64])
{
    struct store_op *op = begin(world, STORE_TAKE_KEY_PACKAGE);
    op->take.permission = permission_of(world, capability);
    op->take.take_id = request_of(id);
    op->take.account = person->account;
    op->take.device = person->device;
    store_call(world->port, op);
    uint16_t code = op->code;
    snprintf(out, 64, "%.*s", (int)op->take.key_package.size,
             op->take.key_package.size > 0 ? (const char *)op->take.key_package.data : "");
    store_op_free(op);
    return code;
}

uint16_t do_look(struct relay_world *world, const struct person *person, unsigned capability)
{
    struct store_op *op = begin(world, STORE_GET_MANIFEST);
    op->get_manifest.permission = permission_of(world, capability);
    op->get_manifest.account = person->account;
    store_call(world->port, op);
    uint16_t code = op->code;
    if (code == 0)
        assert_bytes(op->get_manifest.manifest, sotto_buf_view(&person->manifest));
    store_op_free(op);
    return code;
}

uint16_t do_post(struct relay_world *world, const struct person *person, unsigned capability,
                 unsigned id, const char *sealed)
{
    struct store_op *op = begin(world, STORE_POST_ENVELOPE);
    op->post.permission = permission_of(world, capability);
    op->post.post_id = request_of(id);
    op->post.account = person->account;
    op->post.device = person->device;
    op->post.sealed = sotto_bytes_str(sealed);
    return finish(world, op);
}

uint16_t do_ack(struct relay_world *world, struct person *person, uint64_t seq)
{
    struct store_op *op = begin(world, STORE_INBOX_ACK);
    op->ack.session = person->session;
    op->ack.seq = seq;
    return finish(world, op);
}

uint16_t do_inbox(struct relay_world *world, struct person *person, uint64_t from,
                  char out[static 256])
{
    struct store_op *op = begin(world, STORE_INBOX_FETCH);
    op->inbox_fetch.session = person->session;
    op->inbox_fetch.from = from;
    store_call(world->port, op);
    uint16_t code = op->code;
    size_t at = 0;
    out[0] = '\0';
    if (code == 0 && from == 0 && op->inbox_fetch.count > 0)
        assert_int_equal(op->inbox_fetch.head,
                         op->inbox_fetch.envelopes[op->inbox_fetch.count - 1].seq);
    if (op->inbox_fetch.count == 0)
        assert_int_equal(op->inbox_fetch.head, 0);
    for (size_t i = 0; i < op->inbox_fetch.count; i++) {
        const struct store_envelope *one = &op->inbox_fetch.envelopes[i];
        at += (size_t)snprintf(out + at, 256 - at, "%s%llu:%.*s", i > 0 ? " " : "",
                               (unsigned long long)one->seq, (int)one->sealed.size,
                               (const char *)one->sealed.data);
    }
    store_op_free(op);
    return code;
}

uint16_t do_delete(struct relay_world *world, struct person *person)
{
    struct store_op *op = begin(world, STORE_DELETE_ACCOUNT);
    op->delete_account.session = person->session;
    return finish(world, op);
}

uint64_t do_expire(struct relay_world *world, uint64_t today, int64_t ip_seconds)
{
    uint64_t erased = 0;
    bool more = true;
    while (more) {
        struct store_op *op = begin(world, STORE_EXPIRE);
        op->expire.today = today;
        op->expire.latest = today;
        op->expire.now = today * 86400;
        op->expire.retention_days = 30;
        op->expire.room_days = 365;
        op->expire.ip_seconds = ip_seconds;
        store_call(world->port, op);
        assert_int_equal(op->code, 0);
        erased += op->expire.erased;
        more = op->expire.more;
        store_op_free(op);
    }
    return erased;
}

void do_invite(struct relay_world *world, const char *code, uint32_t uses, uint64_t expires,
               const char *label)
{
    struct store_op *op = begin(world, STORE_INVITE);
    hash_text(code, op->invite.hash);
    op->invite.uses = uses;
    op->invite.expires = expires;
    if (label != NULL)
        op->invite.label = sotto_bytes_str(label);
    assert_int_equal(finish(world, op), 0);
}

uint16_t do_status(struct relay_world *world, struct store_status *status)
{
    struct store_op *op = begin(world, STORE_STATUS);
    store_call(world->port, op);
    uint16_t code = op->code;
    *status = op->status;
    store_op_free(op);
    return code;
}
