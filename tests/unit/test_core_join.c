/* Envelopes and the Welcomes in them, without a network: who is let in, and who lies. */
#include <stdlib.h>

#include <sodium.h>

#include "core/internal.h"
#include "unit/check.h"
#include "unit/core_account.h"
#include "unit/folder.h"

#define RELAY "127.0.0.1:7443"

struct person {
    char folder[64];
    struct sotto *core;
};

static struct person alice, bob, mallory;
static struct person *const people[] = {&alice, &bob, &mallory};
static const uint8_t capability[CAPABILITY_SIZE] = {5};

static void person_make(struct person *person, const char *name)
{
    struct sotto_problem problem;
    assert_true(folder_make(person->folder, "join"));
    assert_ok(sotto_open(sotto_env_system(), person->folder, NULL, &person->core, &problem));
    core_account_make(person->core, RELAY, name);
}

static int start(void **state)
{
    (void)state;
    person_make(&alice, "Alice");
    person_make(&bob, "Bob");
    person_make(&mallory, "Mallory");
    /* Bob knows Alice. */
    struct arena arena;
    struct store_contact contact;
    arena_init(&arena, bob.core->env);
    assert_ok(store_begin(bob.core->store));
    assert_ok(store_manifest_put(bob.core->store, &alice.core->identity.account,
                                 alice.core->identity.account_key, 1, alice.core->profile.manifest,
                                 core_now_s(bob.core)));
    assert_ok(store_contact_get(bob.core->store, &alice.core->identity.account, &arena, &contact));
    contact.contact = true;
    contact.relay = RELAY;
    assert_ok(store_contact_put(bob.core->store, &contact));
    struct store_invitation invitation = {.uses = 1, .expires_s = core_now_s(bob.core) + 60};
    memcpy(invitation.capability, capability, CAPABILITY_SIZE);
    assert_ok(store_invitation_put(bob.core->store, &invitation));
    assert_ok(store_commit(bob.core->store));
    arena_free(&arena);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        sotto_close(people[i]->core);
        people[i]->core = NULL;
        assert_int_equal(folder_remove(people[i]->folder), 0);
    }
    return 0;
}

/* A fresh KeyPackage of a person's, which the person's store holds. */
static void key_package(struct person *person, sotto_buf *package, sotto_buf *reference)
{
    struct arena arena;
    struct store_key_package *waiting = NULL;
    size_t count = 0;
    arena_init(&arena, person->core->env);
    assert_ok(keys_stock(person->core, 1, false));
    assert_ok(store_key_packages_waiting(person->core->store, &arena, &waiting, &count));
    assert_true(count > 0);
    assert_ok(sotto_buf_append(package, waiting[0].package.data, waiting[0].package.size));
    assert_ok(sotto_buf_append(reference, waiting[0].ref.data, waiting[0].ref.size));
    assert_ok(store_begin(person->core->store));
    assert_ok(store_key_package_uploaded(person->core->store, waiting[0].ref));
    assert_ok(store_commit(person->core->store));
    arena_free(&arena);
}

/* maker makes a group with other and Bob in it, of that id if it is not zero; itself: which says
 * that it goes on from itself. */
static void make_welcome_of(struct person *maker, struct person *other, bool itself,
                            struct room_id *room, sotto_buf *welcome, sotto_buf *reference)
{
    sotto_buf extension, agreed, packages[2], unused, commit;
    struct settings settings;
    struct settings_role owner = {maker->core->identity.account, SOTTO_ROLE_OWNER};
    sotto_buf_init(&extension, maker->core->env);
    sotto_buf_init(&agreed, maker->core->env);
    sotto_buf_init(&packages[0], maker->core->env);
    sotto_buf_init(&packages[1], maker->core->env);
    sotto_buf_init(&unused, maker->core->env);
    sotto_buf_init(&commit, maker->core->env);
    const struct identity_room info = {IDENTITY_ROOM_GROUP, sotto_bytes_str("Friends")};
    assert_ok(identity_room_write(&info, &extension));
    sotto_mls_group *group = NULL;
    sotto_mls_staged *staged = NULL;
    if (sodium_is_zero(room->bytes, ROOM_ID_SIZE))
        assert_ok(maker->core->env->random(maker->core->env->ctx, room->bytes, ROOM_ID_SIZE));
    settings_init(&settings);
    settings.roles = &owner;
    settings.role_count = 1;
    settings.continues = itself;
    settings.before = *room;
    assert_ok(settings_write(&settings, &agreed));
    const sotto_mls_extension extensions[] = {
        {.type = IDENTITY_EXTENSION_ROOM, .data = sotto_buf_view(&extension)},
        {.type = SETTINGS_EXTENSION, .data = sotto_buf_view(&agreed)}};
    assert_ok(sotto_mls_group_create(maker->core->mls, &maker->core->identity_mls.mls,
                                     sotto_bytes_of(room->bytes, ROOM_ID_SIZE), extensions, 2,
                                     &group));
    key_package(other, &packages[0], &unused);
    key_package(&bob, &packages[1], reference);
    const sotto_mls_proposal adds[] = {
        {.type = SOTTO_MLS_ADD, .u.add.key_package = sotto_buf_view(&packages[0])},
        {.type = SOTTO_MLS_ADD, .u.add.key_package = sotto_buf_view(&packages[1])},
    };
    const sotto_mls_commit_options options = {.proposals = adds, .proposal_count = 2};
    assert_ok(sotto_mls_commit(group, &options, &commit, welcome, &staged));
    sotto_mls_staged_drop(staged);
    sotto_mls_group_free(group);
    sotto_buf_free(&extension);
    sotto_buf_free(&agreed);
    sotto_buf_free(&packages[0]);
    sotto_buf_free(&packages[1]);
    sotto_buf_free(&unused);
    sotto_buf_free(&commit);
}

static void make_welcome(struct person *maker, struct person *other, struct room_id *room,
                         sotto_buf *welcome, sotto_buf *reference)
{
    make_welcome_of(maker, other, false, room, welcome, reference);
}

/* Bob gets an envelope with that Welcome which names `named` as its sender, and his invitation if
 * with_invitation; whether he is in. */
static bool bob_joins_at(struct person *named, const struct room_id *room, const sotto_buf *welcome,
                         const sotto_buf *reference, bool with_invitation, uint64_t next_seq)
{
    static const uint8_t token[TOKEN_SIZE] = {1};
    struct sotto *core = bob.core;
    sotto_buf plain;
    struct arena arena;
    struct store_room row;
    sotto_buf_init(&plain, core->env);
    arena_init(&arena, core->env);
    const struct envelope envelope = {
        .version = ENVELOPE_VERSION,
        .kind = ENVELOPE_ROOM_INVITATION,
        .relay = sotto_bytes_str(RELAY),
        .room = *room,
        .read_token = sotto_bytes_of(token, sizeof token),
        .next_seq = next_seq,
        .manifest = named->core->profile.manifest,
        .relay_of_sender = sotto_bytes_str(RELAY),
        .key_package_ref = sotto_buf_view(reference),
        .welcome = sotto_buf_view(welcome),
        .capability = sotto_bytes_of(capability, with_invitation ? CAPABILITY_SIZE : 0),
        .name = sotto_bytes_str("As I call myself"),
        .greeting = sotto_bytes_str("Hello"),
    };
    assert_ok(envelope_write(&envelope, &plain));
    assert_ok(store_begin(core->store));
    assert_ok(join_consider(core, sotto_buf_view(&plain), core_now_s(core)));
    assert_ok(store_commit(core->store));
    sotto_error error = store_room_get(core->store, room, &arena, &row);
    assert_true(error == SOTTO_OK || error == SOTTO_NOT_FOUND);
    sotto_buf_free(&plain);
    arena_free(&arena);
    return error == SOTTO_OK;
}

static bool bob_joins_with(struct person *named, const struct room_id *room,
                           const sotto_buf *welcome, const sotto_buf *reference,
                           bool with_invitation)
{
    return bob_joins_at(named, room, welcome, reference, with_invitation, 2);
}

static bool bob_joins(struct person *named, const struct room_id *room, const sotto_buf *welcome,
                      const sotto_buf *reference)
{
    return bob_joins_with(named, room, welcome, reference, false);
}

static size_t requests_of_bob(void)
{
    struct arena arena;
    struct store_request *requests = NULL;
    size_t count = 0;
    arena_init(&arena, bob.core->env);
    assert_ok(store_requests(bob.core->store, &arena, &requests, &count));
    arena_free(&arena);
    return count;
}

static void a_contact_lets_one_in(void **state)
{
    (void)state;
    struct room_id room = {{0}};
    sotto_buf welcome, reference;
    sotto_buf_init(&welcome, sotto_env_system());
    sotto_buf_init(&reference, sotto_env_system());
    make_welcome(&alice, &mallory, &room, &welcome, &reference);
    assert_true(bob_joins(&alice, &room, &welcome, &reference));
    sotto_buf_free(&welcome);
    sotto_buf_free(&reference);
}

/* Alice lets Bob into that room by the entry before next_seq. */
static void alice_adds_bob(struct room_id *room, uint64_t next_seq)
{
    sotto_buf welcome, reference;
    sotto_buf_init(&welcome, sotto_env_system());
    sotto_buf_init(&reference, sotto_env_system());
    make_welcome(&alice, &mallory, room, &welcome, &reference);
    assert_true(bob_joins_at(&alice, room, &welcome, &reference, false, next_seq));
    sotto_buf_free(&welcome);
    sotto_buf_free(&reference);
}

static enum store_room_state bob_is(const struct room_id *room, uint64_t *next_seq)
{
    struct arena arena;
    struct store_room row;
    arena_init(&arena, bob.core->env);
    assert_ok(store_room_get(bob.core->store, room, &arena, &row));
    *next_seq = row.next_seq;
    arena_free(&arena);
    return row.state;
}

static void bob_was_put_out(const struct room_id *room, uint64_t next_seq)
{
    struct arena arena;
    struct store_room row;
    arena_init(&arena, bob.core->env);
    assert_ok(store_begin(bob.core->store));
    assert_ok(store_room_get(bob.core->store, room, &arena, &row));
    row.state = STORE_ROOM_REMOVED;
    row.next_seq = next_seq;
    assert_ok(store_room_put(bob.core->store, &row));
    assert_ok(store_commit(bob.core->store));
    arena_free(&arena);
}

/* Who added Bob first was slower to post than who added him again, when he had been put out. */
static void a_welcome_that_is_late_takes_nobody_back(void **state)
{
    (void)state;
    struct room_id room = {{0}};
    uint64_t next_seq = 0;
    alice_adds_bob(&room, 32);
    assert_int_equal(bob_is(&room, &next_seq), STORE_ROOM_ACTIVE);
    bob_was_put_out(&room, 40);
    alice_adds_bob(&room, 20);
    assert_int_equal(bob_is(&room, &next_seq), STORE_ROOM_REMOVED);
    alice_adds_bob(&room, 50);
    assert_int_equal(bob_is(&room, &next_seq), STORE_ROOM_ACTIVE);
    assert_int_equal(next_seq, 50);
    assert_int_equal(requests_of_bob(), 0);
    /* While he does not know yet that he was put out, the later one waits, in whichever order. */
    alice_adds_bob(&room, 90);
    alice_adds_bob(&room, 70);
    assert_int_equal(requests_of_bob(), 1);
    bob_was_put_out(&room, 80);
    assert_ok(join_revisit(bob.core));
    assert_int_equal(bob_is(&room, &next_seq), STORE_ROOM_ACTIVE);
    assert_int_equal(next_seq, 90);
}

/* Not even of a contact: looking at the group before would be looking at this one. */
static void a_room_that_goes_on_from_itself_is_none(void **state)
{
    (void)state;
    struct room_id room = {{0}};
    for (int i = 0; i < 2; i++) {
        sotto_buf welcome, reference;
        sotto_buf_init(&welcome, sotto_env_system());
        sotto_buf_init(&reference, sotto_env_system());
        struct person *maker = i == 0 ? &alice : &mallory;
        room = (struct room_id){{0}};
        make_welcome_of(maker, i == 0 ? &mallory : &alice, true, &room, &welcome, &reference);
        assert_false(bob_joins(maker, &room, &welcome, &reference));
        sotto_buf_free(&welcome);
        sotto_buf_free(&reference);
    }
}

/* Mallory's group has Alice in it, and the envelope says that Alice sent it. */
static void a_stranger_cannot_come_in_a_contacts_name(void **state)
{
    (void)state;
    struct room_id room = {{0}};
    sotto_buf welcome, reference;
    sotto_buf_init(&welcome, sotto_env_system());
    sotto_buf_init(&reference, sotto_env_system());
    make_welcome(&mallory, &alice, &room, &welcome, &reference);
    assert_false(bob_joins(&alice, &room, &welcome, &reference));
    assert_int_equal(requests_of_bob(), 0);
    /* In her own name she is asked about. */
    assert_false(bob_joins(&mallory, &room, &welcome, &reference));
    assert_int_equal(requests_of_bob(), 1);
    sotto_buf_free(&welcome);
    sotto_buf_free(&reference);
}

static void request_is(void *ctx, const struct sotto_request *request)
{
    const char *const *expected = ctx;
    assert_string_equal(request->sender_name, expected[0]);
    assert_string_equal(request->greeting, expected[1]);
}

/* What a request says of itself is shown where nothing better is known, and believed once it has
 * proved to be the sender's. */
static void a_request_says_who_asks(void **state)
{
    (void)state;
    struct room_id room = {{0}};
    struct sotto_id conversation;
    struct arena arena;
    struct store_contact contact;
    sotto_buf welcome, reference;
    const char *expected[] = {"As I call myself", "Hello"};
    sotto_buf_init(&welcome, sotto_env_system());
    sotto_buf_init(&reference, sotto_env_system());
    arena_init(&arena, bob.core->env);
    make_welcome(&mallory, &alice, &room, &welcome, &reference);
    assert_false(bob_joins(&mallory, &room, &welcome, &reference));
    assert_ok(sotto_requests(bob.core, request_is, expected));
    assert_ok(
        store_contact_get(bob.core->store, &mallory.core->identity.account, &arena, &contact));
    assert_string_equal(contact.name, "");
    assert_ok(sotto_accept(bob.core, "1", &conversation));
    assert_ok(
        store_contact_get(bob.core->store, &mallory.core->identity.account, &arena, &contact));
    assert_string_equal(contact.name, "As I call myself");
    arena_free(&arena);
    sotto_buf_free(&welcome);
    sotto_buf_free(&reference);
}

/* What Bob believes of somebody, and how often his invitation was used. */
static void bob_believes(struct person *of, bool contact, const char *relay, uint32_t used)
{
    struct arena arena;
    struct store_contact row;
    struct store_invitation invitation;
    arena_init(&arena, bob.core->env);
    assert_ok(store_contact_get(bob.core->store, &of->core->identity.account, &arena, &row));
    assert_int_equal(row.contact, contact);
    assert_string_equal(row.relay, relay);
    assert_ok(store_invitation_get(bob.core->store, sotto_bytes_of(capability, CAPABILITY_SIZE),
                                   &invitation));
    assert_int_equal(invitation.used, used);
    arena_free(&arena);
}

/* Mallory holds an invitation of Bob's and a manifest of Carol's, whom Bob does not know. */
static void an_invitation_lets_in_who_proves_to_hold_it(void **state)
{
    (void)state;
    struct room_id room = {{0}};
    sotto_buf welcome, reference;
    struct person carol;
    person_make(&carol, "Carol");
    sotto_buf_init(&welcome, sotto_env_system());
    sotto_buf_init(&reference, sotto_env_system());
    make_welcome(&mallory, &carol, &room, &welcome, &reference);
    assert_false(bob_joins_with(&carol, &room, &welcome, &reference, true));
    assert_int_equal(requests_of_bob(), 0);
    bob_believes(&carol, false, "", 0);
    assert_true(bob_joins_with(&mallory, &room, &welcome, &reference, true));
    bob_believes(&mallory, true, RELAY, 1);
    /* It is used up: nobody else comes in with it. */
    sotto_buf_free(&welcome);
    sotto_buf_free(&reference);
    sotto_buf_init(&welcome, sotto_env_system());
    sotto_buf_init(&reference, sotto_env_system());
    room = (struct room_id){{0}};
    make_welcome(&carol, &alice, &room, &welcome, &reference);
    assert_false(bob_joins_with(&carol, &room, &welcome, &reference, true));
    assert_int_equal(requests_of_bob(), 1);
    bob_believes(&carol, false, "", 1);
    sotto_buf_free(&welcome);
    sotto_buf_free(&reference);
    sotto_close(carol.core);
    assert_int_equal(folder_remove(carol.folder), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_contact_lets_one_in, start, stop),
        cmocka_unit_test_setup_teardown(a_welcome_that_is_late_takes_nobody_back, start, stop),
        cmocka_unit_test_setup_teardown(a_room_that_goes_on_from_itself_is_none, start, stop),
        cmocka_unit_test_setup_teardown(a_stranger_cannot_come_in_a_contacts_name, start, stop),
        cmocka_unit_test_setup_teardown(a_request_says_who_asks, start, stop),
        cmocka_unit_test_setup_teardown(an_invitation_lets_in_who_proves_to_hold_it, start, stop),
    };
    return cmocka_run_group_tests_name("core_join", tests, NULL, NULL);
}
