/* Requests to be let into a room again: who is answered, and who is not. */
#include <stdlib.h>

#include "core/leaving.h"
#include "core/rejoin.h"
#include "unit/check.h"
#include "unit/core_account.h"
#include "unit/folder.h"
#include "wire/rejoin.h"

#define RELAY "127.0.0.1:7443"
#define DAY 86400

struct person {
    char folder[64];
    struct sotto *core;
};

/* Alice has made a room with Bob and Mallory, Bob is asked. Carol is not in it. */
static struct person alice, bob, mallory, carol;
static struct person *const people[] = {&alice, &bob, &mallory, &carol};
static struct room_id room;
static sotto_mls_group *alices; /* her group there */

static void person_make(struct person *person, const char *name)
{
    struct sotto_problem problem;
    assert_true(folder_make(person->folder, "rejoin"));
    assert_ok(sotto_open(sotto_env_system(), person->folder, NULL, &person->core, &problem));
    core_account_make(person->core, RELAY, name);
}

static void key_package(struct person *person, uint64_t made_s, sotto_buf *package,
                        sotto_buf *reference)
{
    assert_ok(store_begin(person->core->store));
    assert_ok(keys_make_one(person->core, made_s, 14 * DAY, package, reference));
    assert_ok(store_commit(person->core->store));
}

/* Bob joins the room that Alice makes of him and Mallory. */
static void room_set_up(void)
{
    static const uint8_t token[TOKEN_SIZE] = {1};
    const sotto_env *env = sotto_env_system();
    sotto_buf extension, package[2], reference, unused, commit, welcome, plain;
    sotto_buf *const all[] = {&extension, &package[0], &package[1], &reference,
                              &unused,    &commit,     &welcome,    &plain};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        sotto_buf_init(all[i], env);
    const struct identity_room info = {IDENTITY_ROOM_GROUP, sotto_bytes_str("Friends")};
    assert_ok(identity_room_write(&info, &extension));
    const sotto_mls_extension extensions[] = {
        {.type = IDENTITY_EXTENSION_ROOM, .data = sotto_buf_view(&extension)}};
    sotto_mls_staged *staged = NULL;
    assert_ok(env->random(env->ctx, room.bytes, ROOM_ID_SIZE));
    assert_ok(sotto_mls_group_create(alice.core->mls, &alice.core->identity_mls.mls,
                                     sotto_bytes_of(room.bytes, ROOM_ID_SIZE), extensions, 1,
                                     &alices));
    key_package(&mallory, core_now_s(mallory.core), &package[0], &unused);
    key_package(&bob, core_now_s(bob.core), &package[1], &reference);
    const sotto_mls_proposal adds[] = {
        {.type = SOTTO_MLS_ADD, .u.add.key_package = sotto_buf_view(&package[0])},
        {.type = SOTTO_MLS_ADD, .u.add.key_package = sotto_buf_view(&package[1])},
    };
    const sotto_mls_commit_options options = {.proposals = adds, .proposal_count = 2};
    assert_ok(sotto_mls_commit(alices, &options, &commit, &welcome, &staged));
    sotto_mls_staged_apply(alices, staged);
    const struct envelope envelope = {
        .version = ENVELOPE_VERSION,
        .kind = ENVELOPE_ROOM_INVITATION,
        .relay = sotto_bytes_str(RELAY),
        .room = room,
        .read_token = sotto_bytes_of(token, sizeof token),
        .next_seq = 2,
        .manifest = alice.core->profile.manifest,
        .relay_of_sender = sotto_bytes_str(RELAY),
        .key_package_ref = sotto_buf_view(&reference),
        .welcome = sotto_buf_view(&welcome),
    };
    assert_ok(envelope_write(&envelope, &plain));
    struct sotto_id conversation;
    assert_ok(store_begin(bob.core->store));
    assert_ok(join_consider(bob.core, sotto_buf_view(&plain), core_now_s(bob.core)));
    assert_ok(store_commit(bob.core->store));
    assert_ok(sotto_accept(bob.core, "1", &conversation));
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        sotto_buf_free(all[i]);
}

static int start(void **state)
{
    (void)state;
    person_make(&alice, "Alice");
    person_make(&bob, "Bob");
    person_make(&mallory, "Mallory");
    person_make(&carol, "Carol");
    room_set_up();
    return 0;
}

static int stop(void **state)
{
    (void)state;
    sotto_mls_group_free(alices);
    alices = NULL;
    for (size_t i = 0; i < sizeof people / sizeof *people; i++) {
        sotto_close(people[i]->core);
        people[i]->core = NULL;
        assert_int_equal(folder_remove(people[i]->folder), 0);
    }
    return 0;
}

/* What a request is made of; zeros: as it should be. */
struct asking {
    struct person *who;         /* asks, and signs */
    struct person *package_of;  /* whose KeyPackage; NULL: the same */
    struct person *signed_for;  /* the receiver that is signed; NULL: Bob */
    const struct room_id *room; /* NULL: the one */
    int64_t time_s;             /* from now */
    bool damaged;
};

static void request_make(const struct asking *asking, sotto_buf *plain)
{
    const struct identity *self = &asking->who->core->identity;
    struct person *package_of = asking->package_of != NULL ? asking->package_of : asking->who;
    const struct identity *receiver =
        &(asking->signed_for != NULL ? asking->signed_for : &bob)->core->identity;
    uint64_t time_s = core_now_s(bob.core) + (uint64_t)asking->time_s;
    sotto_buf package, reference;
    sotto_buf_init(&package, sotto_env_system());
    sotto_buf_init(&reference, sotto_env_system());
    bool good = asking->time_s <= 2 * DAY && asking->time_s >= -2 * DAY;
    key_package(package_of, good ? time_s : core_now_s(bob.core), &package, &reference);
    const struct rejoin_request request = {
        .relay = sotto_bytes_str(RELAY),
        .room = asking->room != NULL ? *asking->room : room,
        .time_s = time_s,
        .device = self->device,
        .manifest = asking->who->core->profile.manifest,
        .relay_of_sender = sotto_bytes_str(RELAY),
        .key_package = sotto_buf_view(&package),
    };
    assert_ok(rejoin_request_write(&request, &receiver->account, &receiver->device,
                                   self->signature_private.data, plain));
    sotto_buf_free(&package);
    sotto_buf_free(&reference);
}

/* Bob gets it; whether he is going to answer. Forgets the answer. */
static bool bob_answers(const sotto_buf *plain, bool forget)
{
    struct sotto *core = bob.core;
    struct arena arena;
    struct store_outgoing outgoing;
    bool found = false;
    int64_t after = 0;
    arena_init(&arena, core->env);
    assert_ok(store_begin(core->store));
    assert_ok(rejoin_consider(core, sotto_buf_view(plain), core_now_s(core)));
    while (store_outgoing_next(core->store, &room, STORE_OUT_ENTRIES, after, &arena, &outgoing) ==
           SOTTO_OK) {
        after = outgoing.id;
        if (strncmp(outgoing.client_id, "rejoin.", 7) != 0)
            continue;
        found = true;
        if (forget)
            assert_ok(store_outgoing_erase(core->store, outgoing.id));
    }
    assert_ok(store_commit(core->store));
    arena_free(&arena);
    return found;
}

static bool answered(struct asking asking)
{
    sotto_buf plain;
    sotto_buf_init(&plain, sotto_env_system());
    request_make(&asking, &plain);
    if (asking.damaged)
        plain.data[40] ^= 1;
    bool answers = bob_answers(&plain, true);
    sotto_buf_free(&plain);
    return answers;
}

static void a_members_device_is_answered_once(void **state)
{
    (void)state;
    const struct asking asking = {.who = &mallory};
    sotto_buf plain;
    sotto_buf_init(&plain, sotto_env_system());
    request_make(&asking, &plain);
    assert_true(bob_answers(&plain, true));
    assert_false(bob_answers(&plain, true)); /* the same again */
    sotto_buf_free(&plain);
    assert_true(answered((struct asking){.who = &mallory, .time_s = 5}));
    /* A clock that is wrong by a day is no hindrance. */
    assert_true(answered((struct asking){.who = &mallory, .time_s = DAY}));
    assert_true(answered((struct asking){.who = &mallory, .time_s = -DAY}));
}

static void who_is_not_in_the_room_is_not_answered(void **state)
{
    (void)state;
    const struct room_id other = {{7}};
    assert_false(answered((struct asking){.who = &carol}));
    assert_false(answered((struct asking){.who = &mallory, .room = &other}));
    /* Nor with what is somebody else's. */
    assert_false(answered((struct asking){.who = &carol, .package_of = &mallory}));
    assert_false(answered((struct asking){.who = &mallory, .package_of = &alice}));
    assert_false(answered((struct asking){.who = &mallory, .package_of = &carol}));
}

static void what_was_meant_for_others_or_altered_or_is_old_is_not_answered(void **state)
{
    (void)state;
    assert_false(answered((struct asking){.who = &mallory, .signed_for = &alice}));
    assert_false(answered((struct asking){.who = &mallory, .damaged = true}));
    assert_false(answered((struct asking){.who = &mallory, .time_s = -15 * DAY}));
    assert_false(answered((struct asking){.who = &mallory, .time_s = 3 * DAY}));
    assert_false(answered((struct asking){.who = &bob})); /* oneself */
}

static void what_was_answered_by_others_is_not_answered(void **state)
{
    (void)state;
    const struct identity *of = &mallory.core->identity;
    sotto_mls_leaf leaf = {.not_before = core_now_s(bob.core) - 2 * DAY};
    assert_ok(store_begin(bob.core->store));
    assert_ok(rejoin_came(bob.core, &room, &of->account, &of->device, &leaf));
    assert_ok(store_commit(bob.core->store));
    assert_false(answered((struct asking){.who = &mallory, .time_s = -60}));
    assert_true(answered((struct asking){.who = &mallory, .time_s = 60}));
}

static void a_revoked_device_is_not_answered(void **state)
{
    (void)state;
    const struct identity *of = &mallory.core->identity;
    struct device other;
    struct account_id account;
    struct arena arena;
    sotto_buf manifest;
    sotto_fault fault;
    sotto_buf_init(&manifest, sotto_env_system());
    arena_init(&arena, bob.core->env);
    assert_true(answered((struct asking){.who = &mallory, .time_s = 1}));
    identity_device(&carol.core->identity, &other); /* any other device */
    assert_ok(identity_next_manifest(of, sotto_env_system(), mallory.core->profile.manifest, &other,
                                     &of->device, &manifest, &fault));
    assert_ok(store_begin(bob.core->store));
    assert_ok(manifest_learn_any(bob.core, sotto_buf_view(&manifest), &arena, &account));
    assert_ok(store_commit(bob.core->store));
    assert_false(answered((struct asking){.who = &mallory, .time_s = 2}));
    arena_free(&arena);
    sotto_buf_free(&manifest);
}

static void a_blocked_person_is_not_answered(void **state)
{
    (void)state;
    struct arena arena;
    struct store_contact contact;
    arena_init(&arena, bob.core->env);
    assert_true(answered((struct asking){.who = &mallory}));
    assert_ok(
        store_contact_get(bob.core->store, &mallory.core->identity.account, &arena, &contact));
    contact.blocked = true;
    assert_ok(store_begin(bob.core->store));
    assert_ok(store_contact_put(bob.core->store, &contact));
    assert_ok(store_commit(bob.core->store));
    assert_false(answered((struct asking){.who = &mallory, .time_s = 9}));
    arena_free(&arena);
}

/* The intent is looked at again at the head of the log. */
static void an_answer_is_given_up_where_the_log_went_on(void **state)
{
    (void)state;
    const struct identity *of = &mallory.core->identity;
    const struct commit_intent intent = {
        .action = COMMIT_REJOIN, .account = of->account, .device = of->device};
    const struct asking asking = {.who = &mallory};
    struct sotto *core = bob.core;
    struct arena arena;
    struct store_room row;
    struct store_take take;
    uint32_t leaf;
    bool wanted = false;
    sotto_buf plain;
    sotto_buf_init(&plain, sotto_env_system());
    arena_init(&arena, core->env);
    request_make(&asking, &plain);
    assert_true(bob_answers(&plain, false));
    struct room *entered = room_of(core, &room);
    assert_ok(store_begin(core->store));
    assert_ok(room_enter(entered, &arena, &row));
    assert_ok(rejoin_wanted(entered, &intent, &arena, &take, &leaf, &wanted));
    assert_true(wanted && leaf != UINT32_MAX);
    sotto_mls_leaf came = {.not_before = core_now_s(core)};
    assert_ok(rejoin_came(core, &room, &of->account, &of->device, &came));
    assert_ok(rejoin_wanted(entered, &intent, &arena, &take, &leaf, &wanted));
    assert_false(wanted);
    store_rollback(core->store);
    room_forget_group(entered);
    arena_free(&arena);
    sotto_buf_free(&plain);
}

/* The Welcome is made of the KeyPackage that the commit took, whichever intent the commit stands
 * with: a request that comes while it is in flight does not exchange it. */
static void what_a_commit_in_flight_took_stays(void **state)
{
    (void)state;
    const struct identity *of = &mallory.core->identity;
    const struct commit_intent update = {.action = COMMIT_UPDATE};
    struct sotto *core = bob.core;
    struct arena arena;
    struct store_room row;
    struct store_take taken, take;
    struct store_outgoing outgoing;
    int64_t carrier = 0;
    sotto_buf plain[2];
    arena_init(&arena, core->env);
    for (size_t i = 0; i < 2; i++) {
        const struct asking asking = {.who = &mallory, .time_s = i == 0 ? 0 : 5};
        sotto_buf_init(&plain[i], sotto_env_system());
        request_make(&asking, &plain[i]);
    }
    assert_ok(store_begin(core->store));
    assert_ok(commit_queue(core, &room, &update, "first", 0));
    assert_ok(store_commit(core->store));
    assert_true(bob_answers(&plain[0], false));
    struct room *bobs = room_of(core, &room);
    assert_ok(store_begin(core->store));
    assert_ok(room_enter(bobs, &arena, &row));
    assert_ok(commit_make(bobs, &row, &carrier));
    assert_ok(store_commit(core->store));
    assert_ok(store_outgoing_get(core->store, carrier, &arena, &outgoing));
    assert_string_equal(outgoing.client_id, "first");
    assert_ok(store_take_get(core->store, &room, &of->account, &of->device, &arena, &taken));
    assert_true(bob_answers(&plain[1], false)); /* that of before */
    assert_ok(store_take_get(core->store, &room, &of->account, &of->device, &arena, &take));
    assert_bytes(take.key_package, taken.key_package);

    /* Its log shows that it won: the room goes on, and the Welcome is owed. */
    const struct entry entry = {.seq = 2,
                                .epoch = sotto_mls_epoch(alices),
                                .kind = ENTRY_COMMIT,
                                .append_id = outgoing.request,
                                .bytes = outgoing.bytes};
    room_receive(bobs, &entry, 1);
    assert_ok(store_room_get(core->store, &room, &arena, &row));
    assert_int_equal(row.next_seq, 3);
    assert_ok(store_outgoing_next(core->store, &room, STORE_OUT_ENVELOPES, 0, &arena, &outgoing));
    assert_memory_equal(&outgoing.device, &of->device, DEVICE_ID_SIZE);
    arena_free(&arena);
    for (size_t i = 0; i < 2; i++)
        sotto_buf_free(&plain[i]);
}

/* Its Welcome may be on the way: the commit takes it out and in again, and it is no member that can
 * follow. */
static void a_device_that_is_let_in_a_second_time_waits_for_its_welcome(void **state)
{
    (void)state;
    const sotto_env *env = sotto_env_system();
    sotto_buf package, reference, commit, welcome;
    sotto_buf *const all[] = {&package, &reference, &commit, &welcome};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        sotto_buf_init(all[i], env);
    sotto_mls_staged *staged = NULL;
    sotto_mls_proposal proposals[] = {{.type = SOTTO_MLS_REMOVE}, {.type = SOTTO_MLS_ADD}};
    key_package(&bob, core_now_s(bob.core), &package, &reference);
    assert_true(group_has(alices, &bob.core->identity.account, NULL, &proposals[0].u.remove.index));
    proposals[1].u.add.key_package = sotto_buf_view(&package);
    const sotto_mls_commit_options options = {.proposals = proposals, .proposal_count = 2};
    const uint64_t epoch = sotto_mls_epoch(alices);
    assert_ok(sotto_mls_commit(alices, &options, &commit, &welcome, &staged));
    sotto_mls_staged_drop(staged);
    const struct entry entry = {
        .seq = 2, .epoch = epoch, .kind = ENTRY_COMMIT, .bytes = sotto_buf_view(&commit)};
    struct room *bobs = room_of(bob.core, &room);
    assert_non_null(bobs);
    room_receive(bobs, &entry, 1);
    struct arena arena;
    struct store_room row;
    arena_init(&arena, env);
    assert_ok(store_room_get(bob.core->store, &room, &arena, &row));
    assert_int_equal(row.state, STORE_ROOM_REJOINING);
    assert_null(bobs->group);
    arena_free(&arena);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        sotto_buf_free(all[i]);
}

/* Alice lets Bob in by a commit that is entry seq of the log that she is shown. */
static void bob_is_let_in(sotto_bytes package, sotto_bytes reference, uint64_t seq)
{
    static const uint8_t token[TOKEN_SIZE] = {2};
    const sotto_env *env = sotto_env_system();
    sotto_buf commit, welcome, plain;
    sotto_buf *const all[] = {&commit, &welcome, &plain};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        sotto_buf_init(all[i], env);
    sotto_mls_staged *staged = NULL;
    sotto_mls_proposal proposals[] = {{.type = SOTTO_MLS_REMOVE}, {.type = SOTTO_MLS_ADD}};
    assert_true(group_has(alices, &bob.core->identity.account, NULL, &proposals[0].u.remove.index));
    proposals[1].u.add.key_package = package;
    const sotto_mls_commit_options options = {.proposals = proposals, .proposal_count = 2};
    assert_ok(sotto_mls_commit(alices, &options, &commit, &welcome, &staged));
    sotto_mls_staged_apply(alices, staged);
    const struct envelope envelope = {
        .version = ENVELOPE_VERSION,
        .kind = ENVELOPE_ROOM_INVITATION,
        .relay = sotto_bytes_str(RELAY),
        .room = room,
        .read_token = sotto_bytes_of(token, sizeof token),
        .next_seq = seq + 1,
        .manifest = alice.core->profile.manifest,
        .relay_of_sender = sotto_bytes_str(RELAY),
        .key_package_ref = reference,
        .welcome = sotto_buf_view(&welcome),
    };
    assert_ok(envelope_write(&envelope, &plain));
    assert_ok(store_begin(bob.core->store));
    assert_ok(join_consider(bob.core, sotto_buf_view(&plain), core_now_s(bob.core)));
    assert_ok(store_commit(bob.core->store));
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        sotto_buf_free(all[i]);
}

/* Bob has read up to 40 and asks, the relay says, for what has expired (or: for a room that it does
 * not know), by two KeyPackages; of the first somebody has known for long. What came of it. */
static enum store_room_state let_in_by(bool unknown, bool old, uint64_t seq)
{
    struct sotto *core = bob.core;
    struct arena arena;
    struct store_room row;
    struct store_rejoin rejoin;
    sotto_buf package, reference;
    sotto_buf_init(&package, core->env);
    sotto_buf_init(&reference, core->env);
    arena_init(&arena, core->env);
    struct room *bobs = room_of(core, &room);
    assert_non_null(bobs);
    assert_ok(store_begin(core->store));
    assert_ok(room_enter(bobs, &arena, &row));
    row.next_seq = 41;
    assert_ok(store_room_put(core->store, &row));
    assert_ok(unknown ? rejoin_suspect(bobs) : rejoin_begin(bobs, &row, 0));
    assert_ok(store_rejoin_get(core->store, &room, &rejoin));
    assert_ok(keys_make_one(core, rejoin.since_s - (old ? 60 : 0), 14 * DAY, &package, &reference));
    assert_ok(store_rejoin_package_put(core->store, sotto_buf_view(&reference), &room));
    assert_ok(store_commit(core->store));
    bob_is_let_in(sotto_buf_view(&package), sotto_buf_view(&reference), seq);
    assert_ok(store_room_get(core->store, &room, &arena, &row));
    sotto_error asks = store_rejoin_get(core->store, &room, &rejoin);
    assert_int_equal(asks, old && seq < 40 ? SOTTO_OK : SOTTO_NOT_FOUND);
    if (row.state == STORE_ROOM_ACTIVE && asks == SOTTO_NOT_FOUND)
        assert_int_equal(row.next_seq, seq + 1);
    arena_free(&arena);
    sotto_buf_free(&package);
    sotto_buf_free(&reference);
    return row.state;
}

static void who_is_let_in_behind_what_was_read_is_in(void **state)
{
    (void)state;
    assert_int_equal(let_in_by(false, false, 50), STORE_ROOM_ACTIVE);
    assert_int_equal(let_in_by(true, false, 70), STORE_ROOM_ACTIVE);
}

/* The members have fewer entries than the relay has shown to Bob. */
static void a_shorter_log_is_another_one(void **state)
{
    (void)state;
    assert_int_equal(let_in_by(false, false, 30), STORE_ROOM_FORKED);
}

static void so_it_is_where_the_relay_knows_no_such_room(void **state)
{
    (void)state;
    assert_int_equal(let_in_by(true, false, 30), STORE_ROOM_FORKED);
}

static void a_late_answer_to_an_earlier_wish_is_none_to_this_one(void **state)
{
    (void)state;
    assert_int_equal(let_in_by(false, true, 30), STORE_ROOM_REJOINING);
}

static void bob_is_shown(uint64_t seq, uint8_t kind, const struct request_id *append_id,
                         sotto_bytes bytes)
{
    struct entry entry = {
        .seq = seq, .epoch = sotto_mls_epoch(alices), .kind = kind, .bytes = bytes};
    if (append_id != NULL)
        entry.append_id = *append_id;
    struct room *bobs = room_of(bob.core, &room);
    assert_non_null(bobs);
    room_receive(bobs, &entry, 1);
}

/* Alice commits: nothing, or that Bob is out. */
static void bob_is_shown_a_commit(uint64_t seq, bool out)
{
    sotto_buf commit, welcome;
    sotto_mls_staged *staged = NULL;
    sotto_mls_proposal remove = {.type = SOTTO_MLS_REMOVE};
    sotto_buf_init(&commit, sotto_env_system());
    sotto_buf_init(&welcome, sotto_env_system());
    assert_true(group_has(alices, &bob.core->identity.account, NULL, &remove.u.remove.index));
    const sotto_mls_commit_options options = {.proposals = &remove, .proposal_count = out ? 1 : 0};
    assert_ok(sotto_mls_commit(alices, &options, &commit, &welcome, &staged));
    bob_is_shown(seq, ENTRY_COMMIT, NULL, sotto_buf_view(&commit));
    sotto_mls_staged_apply(alices, staged);
    sotto_buf_free(&commit);
    sotto_buf_free(&welcome);
}

/* What Bob's room is, and what became of his wish to leave; 0: it is over. */
static void bob_has(enum store_room_state state, uint64_t next_seq, int wish, size_t waiting)
{
    struct arena arena;
    struct store_room row;
    struct store_outgoing out;
    uint32_t count = 0;
    arena_init(&arena, sotto_env_system());
    assert_ok(store_room_get(bob.core->store, &room, &arena, &row));
    assert_int_equal(row.state, state);
    assert_int_equal(row.next_seq, next_seq);
    sotto_error error = store_outgoing_by_client(bob.core->store, &room, OUT_LEAVE, &arena, &out);
    assert_int_equal(error, wish == 0 ? SOTTO_NOT_FOUND : SOTTO_OK);
    assert_int_equal(error == SOTTO_OK ? (int)out.state : 0, wish);
    assert_ok(store_outgoing_count(bob.core->store, &room, STORE_OUT_ALL, &count));
    assert_int_equal(count, waiting);
    arena_free(&arena);
}

/* What he asked is accepted, and a commit of somebody who had not seen it comes behind it. */
static void who_leaves_asks_until_a_commit_takes_them_out(void **state)
{
    (void)state;
    struct sotto_id id;
    struct arena arena;
    struct store_outgoing out;
    memcpy(id.bytes, room.bytes, ROOM_ID_SIZE);
    assert_ok(sotto_group_leave(bob.core, &id));
    bob_has(STORE_ROOM_ACTIVE, 2, STORE_OUT_WANTED, 2); /* his name is the other one */
    arena_init(&arena, sotto_env_system());
    assert_ok(store_begin(bob.core->store));
    assert_ok(store_outgoing_by_client(bob.core->store, &room, OUT_LEAVE, &arena, &out));
    out.state = STORE_OUT_READY;
    out.epoch = sotto_mls_epoch(alices);
    out.bytes = sotto_bytes_str("what he asked");
    assert_ok(store_outgoing_put(bob.core->store, &out));
    assert_ok(store_commit(bob.core->store));
    bob_is_shown(2, ENTRY_MESSAGE, &out.request, out.bytes);
    arena_free(&arena);
    bob_has(STORE_ROOM_LEFT, 3, STORE_OUT_SAID, 0);
    bob_is_shown(3, ENTRY_MESSAGE, NULL, sotto_bytes_str("of others"));
    bob_is_shown_a_commit(4, false);
    bob_has(STORE_ROOM_LEFT, 5, STORE_OUT_WANTED, 1); /* again, in the next epoch */
    bob_is_shown_a_commit(5, true);
    bob_has(STORE_ROOM_LEFT, 6, 0, 0);
    assert_null(room_of(bob.core, &room)->group);
    bob_is_shown(6, ENTRY_MESSAGE, NULL, sotto_bytes_str("of others"));
    bob_has(STORE_ROOM_LEFT, 6, 0, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)
    const struct CMUnitTest tests[] = {
        TEST(a_members_device_is_answered_once),
        TEST(who_is_not_in_the_room_is_not_answered),
        TEST(what_was_meant_for_others_or_altered_or_is_old_is_not_answered),
        TEST(what_was_answered_by_others_is_not_answered),
        TEST(a_revoked_device_is_not_answered),
        TEST(a_blocked_person_is_not_answered),
        TEST(an_answer_is_given_up_where_the_log_went_on),
        TEST(what_a_commit_in_flight_took_stays),
        TEST(a_device_that_is_let_in_a_second_time_waits_for_its_welcome),
        TEST(who_is_let_in_behind_what_was_read_is_in),
        TEST(a_shorter_log_is_another_one),
        TEST(so_it_is_where_the_relay_knows_no_such_room),
        TEST(a_late_answer_to_an_earlier_wish_is_none_to_this_one),
        TEST(who_leaves_asks_until_a_commit_takes_them_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
