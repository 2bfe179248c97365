/* Who may do what in a room: every member judges every commit, and all alike. */
#include "core/internal.h"
#include "core/room_rules.h"
#include "unit/check.h"

/* Alice owns the room, Bob is an admin, Carol and Dave are members, Dave with two devices; Eve is
 * outside. */
enum { ALICE, BOB, CAROL, DAVE, DAVE2, PEOPLE, EVE = PEOPLE, ALL };

struct person {
    struct identity identity;
    struct identity_mls mls;
    sotto_mls_group *group;
    sotto_buf package, secrets;
};

static struct person people[ALL];
static struct crypto *crypto;
static sotto_mls *mls;
static struct arena arena;
static const char *why;

static const struct account_id *id(int who)
{
    return &people[who].identity.account;
}

static void person_make(int who)
{
    struct person *person = &people[who];
    memset(person, 0, sizeof *person);
    assert_ok(identity_create(crypto, &person->identity));
    if (who == DAVE2) { /* another device of Dave's account */
        struct identity *dave = &people[DAVE].identity;
        uint8_t certificate[CERTIFICATE_SIZE];
        sotto_fault fault;
        assert_ok(certificate_make(
            &dave->account_private, dave->account_key, &person->identity.device,
            sotto_bytes_of(person->identity.signature_key, SIGN_KEY_SIZE), certificate));
        assert_ok(identity_adopt(&person->identity, dave->account_key,
                                 secret_view(&dave->account_private), certificate, &fault));
    }
    identity_for_mls(&person->identity, &person->mls);
    sotto_buf_init(&person->package, sotto_env_system());
    sotto_buf_init(&person->secrets, sotto_env_system());
    assert_ok(sotto_mls_key_package(mls, &person->mls.mls, 0, UINT64_MAX, 0, &person->package,
                                    &person->secrets));
}

/* Whose number an account has in this test's order, which is not that of the ids. */
static void role_set(struct settings *settings, int who, uint8_t role)
{
    struct settings_change change = {.what = SETTINGS_ROLE, .value = role, .account = *id(who)};
    bool changed;
    assert_ok(settings_apply(settings, &change, &arena, &changed));
}

static void extensions_make(enum identity_room_kind kind, const struct settings *settings,
                            sotto_buf *room, sotto_buf *agreed, sotto_mls_extension out[static 2])
{
    const struct identity_room info = {kind, sotto_bytes_str("")};
    sotto_buf_clear(room);
    sotto_buf_clear(agreed);
    assert_ok(identity_room_write(&info, room));
    assert_ok(settings_write(settings, agreed));
    out[0] = (sotto_mls_extension){IDENTITY_EXTENSION_ROOM, sotto_buf_view(room)};
    out[1] = (sotto_mls_extension){SETTINGS_EXTENSION, sotto_buf_view(agreed)};
}

static struct settings now; /* the room's */
static sotto_buf room_bytes, agreed_bytes;
static enum identity_room_kind room_kind;

/* The room with those who are in it; settings NULL: of an earlier version. */
static void room_make_of(enum identity_room_kind kind, int count, const struct settings *settings)
{
    sotto_mls_extension extensions[2];
    sotto_mls_proposal adds[PEOPLE];
    sotto_buf commit, welcome;
    sotto_mls_staged *staged = NULL;
    const sotto_env *env = sotto_env_system();
    sotto_buf_init(&commit, env);
    sotto_buf_init(&welcome, env);
    room_kind = kind;
    if (settings != NULL)
        now = *settings;
    else
        settings_legacy(&now);
    extensions_make(kind, &now, &room_bytes, &agreed_bytes, extensions);
    for (int i = 0; i < PEOPLE; i++) {
        sotto_mls_group_free(people[i].group);
        people[i].group = NULL;
    }
    assert_ok(sotto_mls_group_create(mls, &people[ALICE].mls.mls, sotto_bytes_str("room"),
                                     extensions, settings != NULL ? 2 : 1, &people[ALICE].group));
    memset(adds, 0, sizeof adds);
    for (int i = 1; i < count; i++) {
        adds[i - 1].type = SOTTO_MLS_ADD;
        adds[i - 1].u.add.key_package = sotto_buf_view(&people[i].package);
    }
    const sotto_mls_commit_options options = {.proposals = adds,
                                              .proposal_count = (size_t)count - 1};
    assert_ok(sotto_mls_commit(people[ALICE].group, &options, &commit, &welcome, &staged));
    sotto_mls_staged_apply(people[ALICE].group, staged);
    for (int i = 1; i < count; i++)
        assert_ok(sotto_mls_join(mls, &people[i].mls.mls, sotto_buf_view(&people[i].package),
                                 sotto_buf_view(&people[i].secrets), sotto_buf_view(&welcome),
                                 (sotto_bytes){0}, &people[i].group));
    sotto_buf_free(&commit);
    sotto_buf_free(&welcome);
}

static int start(void **state)
{
    (void)state;
    const sotto_env *env = sotto_env_system();
    arena_init(&arena, env);
    sotto_buf_init(&room_bytes, env);
    sotto_buf_init(&agreed_bytes, env);
    assert_ok(crypto_new(env, &crypto));
    assert_ok(sotto_mls_new(env, NULL, &mls));
    for (int i = 0; i < ALL; i++)
        person_make(i);
    struct settings settings;
    settings_init(&settings);
    role_set(&settings, ALICE, SOTTO_ROLE_OWNER);
    role_set(&settings, BOB, SOTTO_ROLE_ADMIN);
    room_make_of(IDENTITY_ROOM_GROUP, PEOPLE, &settings);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    for (int i = 0; i < ALL; i++) {
        sotto_mls_group_free(people[i].group);
        sotto_buf_free(&people[i].package);
        sotto_buf_free(&people[i].secrets);
        identity_wipe(&people[i].identity);
    }
    sotto_mls_free(mls);
    crypto_free(crypto);
    sotto_buf_free(&room_bytes);
    sotto_buf_free(&agreed_bytes);
    arena_free(&arena);
    return 0;
}

/* What all others say of that commit of actor's; nobody enters it. */
static bool verdict(int actor, const sotto_mls_proposal *proposals, size_t count)
{
    sotto_buf commit, welcome;
    sotto_mls_staged *own = NULL;
    bool first = true, all = false;
    sotto_buf_init(&commit, sotto_env_system());
    sotto_buf_init(&welcome, sotto_env_system());
    const sotto_mls_commit_options options = {
        .proposals = proposals, .proposal_count = count, .ignore_pending = true};
    assert_ok(sotto_mls_commit(people[actor].group, &options, &commit, &welcome, &own));
    sotto_mls_staged_drop(own);
    for (int i = 0; i < PEOPLE; i++) {
        sotto_mls_received received;
        struct account_id committer;
        bool allowed = false;
        if (i == actor || people[i].group == NULL)
            continue;
        memset(&received, 0, sizeof received);
        assert_ok(sotto_mls_process(people[i].group, sotto_buf_view(&commit), &received));
        assert_ok(rules_judge(people[i].group, received.staged, sotto_env_system(), &allowed, &why,
                              &committer));
        assert_true(account_id_equal(&committer, id(actor)));
        assert_true(allowed || strlen(why) > 0);
        assert_true(first || allowed == all);
        first = false;
        all = allowed;
        sotto_mls_received_clear(&received);
    }
    sotto_buf_free(&commit);
    sotto_buf_free(&welcome);
    return all;
}

static uint32_t leaf_of(int who)
{
    return sotto_mls_own_index(people[who].group);
}

static bool removes(int actor, int who)
{
    const sotto_mls_proposal proposal = {.type = SOTTO_MLS_REMOVE, .u.remove.index = leaf_of(who)};
    return verdict(actor, &proposal, 1);
}

static bool adds(int actor, int who)
{
    const sotto_mls_proposal proposal = {.type = SOTTO_MLS_ADD,
                                         .u.add.key_package = sotto_buf_view(&people[who].package)};
    return verdict(actor, &proposal, 1);
}

/* The room's settings become these, and somebody is added besides if who is one. */
static bool sets(int actor, const struct settings *settings, int who)
{
    sotto_buf room, agreed;
    sotto_mls_extension extensions[2];
    sotto_buf_init(&room, sotto_env_system());
    sotto_buf_init(&agreed, sotto_env_system());
    extensions_make(room_kind, settings, &room, &agreed, extensions);
    const sotto_mls_proposal proposals[] = {
        {.type = SOTTO_MLS_CONTEXT_EXTENSIONS,
         .u.context = {.extensions = extensions, .extension_count = 2}},
        {.type = SOTTO_MLS_ADD,
         .u.add.key_package = sotto_buf_view(&people[who < 0 ? EVE : who].package)}};
    bool allowed = verdict(actor, proposals, who < 0 ? 1 : 2);
    sotto_buf_free(&room);
    sotto_buf_free(&agreed);
    return allowed;
}

/* Enters the room anew with these settings. */
static void room_is(const struct settings *settings)
{
    room_make_of(IDENTITY_ROOM_GROUP, PEOPLE, settings);
}

static void removing_takes_a_role_above(void **state)
{
    (void)state;
    assert_true(removes(ALICE, BOB));
    assert_true(removes(BOB, CAROL));
    assert_false(removes(BOB, ALICE));
    assert_false(removes(CAROL, BOB));
    assert_string_equal(why, "only those who may remove people can");
    struct settings settings = now;
    settings.policy[SOTTO_POLICY_REMOVE] = SOTTO_ROLE_MEMBER;
    room_is(&settings);
    assert_false(removes(CAROL, BOB)); /* a higher one */
    const sotto_mls_proposal dave[] = {
        {.type = SOTTO_MLS_REMOVE, .u.remove.index = leaf_of(DAVE)},
        {.type = SOTTO_MLS_REMOVE, .u.remove.index = leaf_of(DAVE2)}};
    assert_true(verdict(CAROL, dave, 2)); /* each other */
    assert_false(removes(BOB, ALICE));
    settings.policy[SOTTO_POLICY_REMOVE] = SOTTO_ROLE_OWNER;
    room_is(&settings);
    assert_false(removes(BOB, CAROL));
    assert_true(removes(ALICE, CAROL));
}

static void devices_come_and_go_by_anybody(void **state)
{
    (void)state;
    assert_true(removes(CAROL, DAVE2)); /* Dave stays in with his first one */
    assert_true(removes(DAVE, DAVE2));
    const sotto_mls_proposal both[] = {
        {.type = SOTTO_MLS_REMOVE, .u.remove.index = leaf_of(DAVE)},
        {.type = SOTTO_MLS_REMOVE, .u.remove.index = leaf_of(DAVE2)}};
    assert_false(verdict(CAROL, both, 2));
    assert_true(verdict(BOB, both, 2));
    struct settings settings = now;
    settings.policy[SOTTO_POLICY_ADD] = SOTTO_ROLE_OWNER;
    room_make_of(IDENTITY_ROOM_GROUP, DAVE2, &settings);
    assert_true(adds(DAVE, DAVE2));
    assert_true(adds(CAROL, DAVE2)); /* and by others: it comes back */
    assert_false(adds(CAROL, EVE));
    assert_false(adds(BOB, EVE));
    assert_true(adds(ALICE, EVE));
}

/* A device that lost its keys is let in again by whoever is there. */
static void a_device_is_replaced_by_anybody(void **state)
{
    (void)state;
    struct settings settings = now;
    settings.policy[SOTTO_POLICY_ADD] = settings.policy[SOTTO_POLICY_REMOVE] = SOTTO_ROLE_OWNER;
    room_make_of(IDENTITY_ROOM_GROUP, DAVE2, &settings);
    const sotto_mls_proposal comes[] = {
        {.type = SOTTO_MLS_REMOVE, .u.remove.index = leaf_of(DAVE)},
        {.type = SOTTO_MLS_ADD, .u.add.key_package = sotto_buf_view(&people[DAVE2].package)}};
    assert_true(verdict(CAROL, comes, 2));
    const sotto_mls_proposal another[] = {
        {.type = SOTTO_MLS_REMOVE, .u.remove.index = leaf_of(DAVE)},
        {.type = SOTTO_MLS_ADD, .u.add.key_package = sotto_buf_view(&people[EVE].package)}};
    assert_false(verdict(CAROL, another, 2));
}

static void who_asked_to_leave_is_removed_by_anybody(void **state)
{
    (void)state;
    sotto_buf message;
    sotto_buf_init(&message, sotto_env_system());
    const sotto_mls_proposal self = {.type = SOTTO_MLS_REMOVE, .u.remove.index = leaf_of(BOB)};
    const sotto_mls_proposal others = {.type = SOTTO_MLS_REMOVE, .u.remove.index = leaf_of(ALICE)};
    for (int round = 0; round < 2; round++) {
        sotto_buf_clear(&message);
        assert_ok(sotto_mls_propose(people[BOB].group, round == 0 ? &others : &self, NULL,
                                    SOTTO_MLS_PRIVATE, &message));
        for (int i = 0; i < PEOPLE; i++) {
            sotto_mls_received received;
            memset(&received, 0, sizeof received);
            if (i == BOB)
                continue;
            assert_ok(sotto_mls_process(people[i].group, sotto_buf_view(&message), &received));
            sotto_mls_received_clear(&received);
        }
        assert_int_equal(removes(CAROL, BOB),
                         round); /* that he wants another one out says nothing */
        assert_false(removes(CAROL, ALICE));
    }
    sotto_buf_free(&message);
}

/* No Sotto asks to leave in this way, and none would tell of it or take the read token away. */
static void nobody_leaves_in_another_way(void **state)
{
    (void)state;
    sotto_buf message, commit, welcome;
    sotto_mls_staged *own = NULL;
    sotto_buf_init(&message, sotto_env_system());
    sotto_buf_init(&commit, sotto_env_system());
    sotto_buf_init(&welcome, sotto_env_system());
    const sotto_mls_proposal self = {.type = SOTTO_MLS_SELF_REMOVE};
    assert_ok(sotto_mls_propose(people[BOB].group, &self, NULL, SOTTO_MLS_PUBLIC, &message));
    for (int i = 0; i < PEOPLE; i++) {
        sotto_mls_received received;
        memset(&received, 0, sizeof received);
        if (i != BOB)
            assert_ok(sotto_mls_process(people[i].group, sotto_buf_view(&message), &received));
        sotto_mls_received_clear(&received);
    }
    const sotto_mls_commit_options options = {.proposal_count = 0};
    assert_ok(sotto_mls_commit(people[ALICE].group, &options, &commit, &welcome, &own));
    for (int i = 0; i < 2; i++) { /* Alice herself, and Carol */
        sotto_mls_received received;
        struct account_id committer;
        bool allowed = true;
        memset(&received, 0, sizeof received);
        if (i == 1)
            assert_ok(sotto_mls_process(people[CAROL].group, sotto_buf_view(&commit), &received));
        assert_ok(rules_judge(people[i == 0 ? ALICE : CAROL].group, i == 0 ? own : received.staged,
                              sotto_env_system(), &allowed, &why, &committer));
        assert_false(allowed);
        assert_true(account_id_equal(&committer, id(ALICE)));
        sotto_mls_received_clear(&received);
    }
    sotto_mls_staged_drop(own);
    sotto_buf_free(&message);
    sotto_buf_free(&commit);
    sotto_buf_free(&welcome);
}

static void an_admin_changes_texts_and_a_member_if_they_may(void **state)
{
    (void)state;
    struct settings settings = now;
    settings.title = sotto_bytes_str("another");
    assert_true(sets(CAROL, &settings, -1));
    struct settings strict = now;
    strict.policy[SOTTO_POLICY_CHANGE] = SOTTO_ROLE_ADMIN;
    assert_false(sets(BOB, &strict, -1));
    assert_true(sets(ALICE, &strict, -1));
    room_is(&strict);
    settings = now;
    settings.timer_s = 60;
    assert_false(sets(CAROL, &settings, -1));
    assert_true(sets(BOB, &settings, -1));
    settings = now;
    settings.unknown = sotto_bytes_of((const uint8_t *)"\0\x63\1x", 4);
    assert_false(sets(CAROL, &settings, -1));
    assert_true(sets(BOB, &settings, -1));
    settings = now;
    settings.join = SOTTO_JOIN_OPEN;
    assert_false(sets(CAROL, &settings, -1));
    assert_true(sets(BOB, &settings, -1));
    settings = now;
    settings.continues = true;
    assert_false(sets(ALICE, &settings, -1));
}

static void roles_are_the_owners(void **state)
{
    (void)state;
    struct settings settings = now;
    role_set(&settings, CAROL, SOTTO_ROLE_ADMIN);
    assert_false(sets(BOB, &settings, -1));
    assert_false(sets(CAROL, &settings, -1));
    assert_true(sets(ALICE, &settings, -1));
    settings = now;
    role_set(&settings, ALICE, SOTTO_ROLE_MEMBER); /* no owner: Bob is the heir */
    assert_true(sets(ALICE, &settings, -1));
    assert_false(sets(BOB, &settings, -1));
    settings = now;
    settings.others = SOTTO_ROLE_ADMIN;
    assert_false(sets(BOB, &settings, -1));
    settings = now;
    role_set(&settings, BOB, SOTTO_ROLE_MEMBER); /* not even of oneself */
    assert_false(sets(BOB, &settings, -1));
}

static void who_is_not_there_has_no_role(void **state)
{
    (void)state;
    struct settings settings = now;
    role_set(&settings, EVE, SOTTO_ROLE_OWNER);
    room_is(&settings);
    assert_int_equal(rules_role(people[CAROL].group, &now, id(ALICE)), SOTTO_ROLE_OWNER);
    assert_false(adds(BOB, EVE)); /* she would be an owner again */
    assert_true(adds(ALICE, EVE));
    settings = now;
    role_set(&settings, EVE, SOTTO_ROLE_MEMBER);
    assert_true(sets(CAROL, &settings, EVE)); /* forgotten first */
    /* All owners have gone: the first admin is one, and where there is none the first member. */
    role_set(&settings, ALICE, SOTTO_ROLE_MEMBER);
    role_set(&settings, EVE, SOTTO_ROLE_OWNER);
    room_is(&settings);
    assert_int_equal(rules_role(people[CAROL].group, &now, id(BOB)), SOTTO_ROLE_OWNER);
    assert_int_equal(rules_role(people[CAROL].group, &now, id(ALICE)), SOTTO_ROLE_MEMBER);
    role_set(&settings, BOB, SOTTO_ROLE_MEMBER);
    room_is(&settings);
    assert_int_equal(rules_role(people[CAROL].group, &now, id(ALICE)), SOTTO_ROLE_OWNER);
    assert_int_equal(rules_role(people[CAROL].group, &now, id(BOB)), SOTTO_ROLE_MEMBER);
}

static void bans_are_kept_by_all(void **state)
{
    (void)state;
    bool changed;
    struct settings settings = now;
    struct settings_change ban = {.what = SETTINGS_BAN, .value = 1, .account = *id(EVE)};
    assert_ok(settings_apply(&settings, &ban, &arena, &changed));
    assert_false(sets(CAROL, &settings, -1));
    assert_true(sets(BOB, &settings, -1));
    assert_false(sets(BOB, &settings, EVE)); /* and adds her at once */
    struct settings of_alice = now;
    ban.account = *id(ALICE);
    assert_ok(settings_apply(&of_alice, &ban, &arena, &changed));
    assert_false(sets(BOB, &of_alice, -1));
    struct settings before = now;
    room_is(&settings);
    assert_false(adds(ALICE, EVE));
    assert_false(sets(CAROL, &before, -1)); /* nor lets her in again */
    assert_true(sets(BOB, &before, EVE));
}

static void the_context_is_ours(void **state)
{
    (void)state;
    sotto_bytes room;
    assert_ok(sotto_mls_context_extension(people[ALICE].group, IDENTITY_EXTENSION_ROOM, &room));
    const sotto_mls_extension without[] = {{IDENTITY_EXTENSION_ROOM, room}};
    const sotto_mls_extension other[] = {{IDENTITY_EXTENSION_ROOM, sotto_bytes_str("\0\1\1\0")},
                                         {SETTINGS_EXTENSION, sotto_buf_view(&agreed_bytes)}};
    const sotto_mls_extension broken[] = {{IDENTITY_EXTENSION_ROOM, room},
                                          {SETTINGS_EXTENSION, sotto_bytes_str("?")}};
    const sotto_mls_extension more[] = {{IDENTITY_EXTENSION_ROOM, room},
                                        {SETTINGS_EXTENSION, sotto_buf_view(&agreed_bytes)},
                                        {0xF501, sotto_bytes_str("x")}};
    const struct {
        const sotto_mls_extension *list;
        size_t count;
    } all[] = {{without, 1}, {other, 2}, {broken, 2}, {more, 3}};
    for (size_t i = 0; i < 4; i++) {
        const sotto_mls_proposal proposal = {
            .type = SOTTO_MLS_CONTEXT_EXTENSIONS,
            .u.context = {.extensions = all[i].list, .extension_count = all[i].count}};
        assert_false(verdict(ALICE, &proposal, 1));
    }
    const sotto_mls_proposal reinit = {
        .type = SOTTO_MLS_REINIT,
        .u.reinit = {.group_id = sotto_bytes_str("x"), .suite = SOTTO_MLS_DEFAULT_SUITE}};
    assert_false(verdict(ALICE, &reinit, 1));
}

static void nobody_lets_themselves_in(void **state)
{
    (void)state;
    sotto_buf info, commit;
    sotto_mls_group *eve = NULL;
    sotto_buf_init(&info, sotto_env_system());
    sotto_buf_init(&commit, sotto_env_system());
    assert_ok(sotto_mls_group_info(people[CAROL].group, true, true, &info));
    assert_ok(sotto_mls_external_join(mls, &people[EVE].mls.mls, sotto_buf_view(&info),
                                      (sotto_bytes){0}, NULL, &commit, &eve));
    for (int i = 0; i < PEOPLE; i++) {
        sotto_mls_received received;
        struct account_id committer;
        bool allowed = true;
        memset(&received, 0, sizeof received);
        assert_ok(sotto_mls_process(people[i].group, sotto_buf_view(&commit), &received));
        assert_ok(rules_judge(people[i].group, received.staged, sotto_env_system(), &allowed, &why,
                              &committer));
        assert_false(allowed);
        sotto_mls_received_clear(&received);
    }
    sotto_mls_group_free(eve);
    sotto_buf_free(&info);
    sotto_buf_free(&commit);
}

static void two_stay_two_and_own_devices_own(void **state)
{
    (void)state;
    struct settings settings;
    settings_init(&settings);
    room_make_of(IDENTITY_ROOM_DIRECT, 2, &settings);
    assert_false(adds(ALICE, EVE));
    assert_false(adds(BOB, CAROL));
    struct settings timer = settings;
    timer.timer_s = 60;
    assert_true(sets(BOB, &timer, -1));
    timer.title = sotto_bytes_str("ours");
    assert_false(sets(BOB, &timer, -1));
    timer = settings;
    role_set(&timer, BOB, SOTTO_ROLE_OWNER);
    assert_false(sets(BOB, &timer, -1));
    room_make_of(IDENTITY_ROOM_OWN, 2, NULL); /* as if Bob were Alice's device */
    assert_false(adds(ALICE, EVE));
}

static void in_rooms_of_earlier_versions_all_are_owners(void **state)
{
    (void)state;
    room_make_of(IDENTITY_ROOM_GROUP, PEOPLE, NULL);
    assert_true(removes(CAROL, ALICE));
    assert_true(adds(CAROL, EVE));
    struct settings settings = now;
    settings.title = sotto_bytes_str("now with settings");
    assert_true(sets(CAROL, &settings, -1));
    assert_int_equal(rules_role(people[CAROL].group, &settings, id(CAROL)), SOTTO_ROLE_OWNER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(removing_takes_a_role_above, start, stop),
        cmocka_unit_test_setup_teardown(devices_come_and_go_by_anybody, start, stop),
        cmocka_unit_test_setup_teardown(a_device_is_replaced_by_anybody, start, stop),
        cmocka_unit_test_setup_teardown(who_asked_to_leave_is_removed_by_anybody, start, stop),
        cmocka_unit_test_setup_teardown(nobody_leaves_in_another_way, start, stop),
        cmocka_unit_test_setup_teardown(an_admin_changes_texts_and_a_member_if_they_may, start,
                                        stop),
        cmocka_unit_test_setup_teardown(roles_are_the_owners, start, stop),
        cmocka_unit_test_setup_teardown(who_is_not_there_has_no_role, start, stop),
        cmocka_unit_test_setup_teardown(bans_are_kept_by_all, start, stop),
        cmocka_unit_test_setup_teardown(the_context_is_ours, start, stop),
        cmocka_unit_test_setup_teardown(nobody_lets_themselves_in, start, stop),
        cmocka_unit_test_setup_teardown(two_stay_two_and_own_devices_own, start, stop),
        cmocka_unit_test_setup_teardown(in_rooms_of_earlier_versions_all_are_owners, start, stop),
    };
    return cmocka_run_group_tests_name("core_rules", tests, NULL, NULL);
}
