#include "unit/relay_world.h"

#include <stdlib.h>

static int begin(void **state)
{
    struct relay_world *world = malloc(sizeof *world);
    assert_non_null(world);
    world_begin(world, NULL);
    *state = world;
    return 0;
}

static int end(void **state)
{
    world_end(*state);
    free(*state);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
#define PHONE "+491555012345"

/* A person who has registered; ended by person_end. */
static void join(struct relay_world *world, struct person *person, unsigned n)
{
    struct register_try try = {0};
    person_begin(world, person, n);
    assert_int_equal(do_register(world, person, &try), 0);
}

/* ---- Registration --------------------------------------------------------------------------- */

static void registering_makes_an_account_and_again_changes_nothing(void **state)
{
    struct relay_world *world = *state;
    struct person anna;
    struct register_try try = {.address = "192.0.2.1"};
    person_begin(world, &anna, 1);
    assert_int_equal(do_sign_in(world, &anna), WIRE_CODE_SIGN_IN_FAILED);
    assert_int_equal(do_register(world, &anna, &try), 0);
    struct session first = anna.session;
    assert_int_equal(do_register(world, &anna, &try), 0);
    assert_int_equal(anna.session.account, first.account);
    assert_int_equal(anna.session.device, first.device);
    assert_int_equal(do_sign_in(world, &anna), 0);
    assert_int_equal(world_query(world, "SELECT count(*) FROM accounts"
                                        " WHERE last_ip='192.0.2.1' AND phone IS NULL"),
                     1);
    assert_int_equal(world_query(world, "SELECT count(*) FROM devices"), 1);
    person_end(&anna);
}

static void an_invitation_admits_as_many_as_it_says(void **state)
{
    struct relay_world *world = *state;
    struct person people[4];
    struct register_try try = {.mode = REGISTRATION_INVITE};
    for (unsigned i = 0; i < 4; i++)
        person_begin(world, &people[i], i + 1);
    do_invite(world, "welcome", 2, world->now + 100, NULL);
    assert_int_equal(do_register(world, &people[0], &try), WIRE_CODE_INVITATION_NEEDED);
    try.invitation = "wrong";
    assert_int_equal(do_register(world, &people[0], &try), WIRE_CODE_INVITATION_USED);
    try.invitation = "welcome";
    assert_int_equal(do_register(world, &people[0], &try), 0);
    assert_int_equal(do_register(world, &people[0], &try), 0); /* a retry costs nothing */
    assert_int_equal(do_register(world, &people[1], &try), 0);
    assert_int_equal(do_register(world, &people[2], &try), WIRE_CODE_INVITATION_USED);
    do_invite(world, "late", 5, world->now + 100, NULL);
    world->now += 100;
    try.invitation = "late";
    assert_int_equal(do_register(world, &people[3], &try), WIRE_CODE_INVITATION_USED);
    for (unsigned i = 0; i < 4; i++)
        person_end(&people[i]);
}

static void a_phone_number_counts_once_its_code_came_back(void **state)
{
    struct relay_world *world = *state;
    struct person anna;
    struct register_try ask = {.mode = REGISTRATION_PHONE};
    person_begin(world, &anna, 1);
    assert_int_equal(do_register(world, &anna, &ask), WIRE_CODE_PHONE_NEEDED);
    ask = (struct register_try){.mode = REGISTRATION_PHONE, .phone = PHONE, .new_code = "111111"};
    assert_int_equal(do_register(world, &anna, &ask), WIRE_CODE_CODE_SENT);
    assert_true(ask.send_code);
    assert_int_equal(ask.detail, CODE_SECONDS);
    assert_int_equal(do_sign_in(world, &anna), WIRE_CODE_SIGN_IN_FAILED);
    /* A lost answer: the same code counts, and no second one goes out. */
    ask.new_code = "222222";
    assert_int_equal(do_register(world, &anna, &ask), WIRE_CODE_CODE_SENT);
    assert_false(ask.send_code);
    struct register_try answer = {.mode = REGISTRATION_PHONE, .phone = PHONE, .code = "222222"};
    assert_int_equal(do_register(world, &anna, &answer), WIRE_CODE_WRONG_CODE);
    assert_int_equal(answer.detail, CODE_TRIES - 1);
    answer.code = "111111";
    assert_int_equal(do_register(world, &anna, &answer), 0);
    assert_int_equal(world_query(world, "SELECT count(*) FROM accounts WHERE phone='" PHONE "'"),
                     1);
    assert_int_equal(do_register(world, &anna, &answer), 0); /* a retry */
    person_end(&anna);
}

static void a_code_has_few_tries_and_a_short_life(void **state)
{
    struct relay_world *world = *state;
    struct person anna;
    struct register_try ask = {.phone = PHONE, .new_code = "111111"};
    struct register_try answer = {.phone = PHONE, .code = "999999"};
    person_begin(world, &anna, 1);
    do_register(world, &anna, &ask);
    for (unsigned i = 1; i <= CODE_TRIES; i++) {
        assert_int_equal(do_register(world, &anna, &answer), WIRE_CODE_WRONG_CODE);
        assert_int_equal(answer.detail, CODE_TRIES - i);
    }
    answer.code = "111111";
    assert_int_equal(do_register(world, &anna, &answer), WIRE_CODE_WRONG_CODE);
    assert_int_equal(do_register(world, &anna, &ask), WIRE_CODE_CODE_SENT);
    assert_true(ask.send_code);
    world->now += CODE_SECONDS;
    assert_int_equal(do_register(world, &anna, &answer), WIRE_CODE_WRONG_CODE);
    /* So many codes a day, and no more. */
    for (unsigned i = 2; i < CODES_A_DAY; i++) {
        world->now += CODE_SECONDS;
        assert_int_equal(do_register(world, &anna, &ask), WIRE_CODE_CODE_SENT);
    }
    world->now += CODE_SECONDS;
    assert_int_equal(do_register(world, &anna, &ask), WIRE_CODE_RATE_LIMITED);
    world->now += ask.detail;
    assert_int_equal(do_register(world, &anna, &ask), WIRE_CODE_CODE_SENT);
    person_end(&anna);
}

static void a_number_belongs_to_one_account(void **state)
{
    struct relay_world *world = *state;
    struct person anna, ben;
    struct register_try ask = {.phone = PHONE, .new_code = "111111"};
    struct register_try answer = {.phone = PHONE, .code = "111111"};
    person_begin(world, &anna, 1);
    person_begin(world, &ben, 2);
    do_register(world, &anna, &ask);
    assert_int_equal(do_register(world, &anna, &answer), 0);
    world->now += CODE_SECONDS;
    /* Only who has shown the number to be theirs learns that. */
    assert_int_equal(do_register(world, &ben, &ask), WIRE_CODE_CODE_SENT);
    assert_int_equal(do_register(world, &ben, &answer), WIRE_CODE_PHONE_TAKEN);
    person_end(&anna);
    person_end(&ben);
}

/* ---- Manifest and devices ------------------------------------------------------------------- */

static void a_manifest_is_replaced_by_its_successor_only(void **state)
{
    struct relay_world *world = *state;
    struct person anna;
    join(world, &anna, 1);
    assert_int_equal(do_look(world, &anna, 0), 0);
    assert_int_equal(do_put_manifest(world, &anna), 0); /* the same */
    person_manifest(&anna, true, 7);
    assert_int_equal(do_put_manifest(world, &anna), 0);
    assert_int_equal(world_query(world, "SELECT count(*) FROM devices"), 2);
    person_manifest(&anna, true, 0);
    person_manifest(&anna, true, 0); /* skips one */
    assert_int_equal(do_put_manifest(world, &anna), WIRE_CODE_BAD_MANIFEST);
    person_end(&anna);
}

static void a_device_that_left_the_manifest_is_signed_out_and_erased(void **state)
{
    struct relay_world *world = *state;
    struct person anna;
    char inbox[256];
    join(world, &anna, 1);
    do_publish(world, &anna, (const char *const[]){"kp", NULL}, "last", NULL);
    do_post(world, &anna, 0, 1, "hello");
    person_manifest(&anna, false, 7);
    assert_int_equal(do_put_manifest(world, &anna), 0);
    assert_int_equal(do_inbox(world, &anna, 1, inbox), WIRE_CODE_NOT_SIGNED_IN);
    assert_int_equal(do_publish(world, &anna, NULL, "x", NULL), WIRE_CODE_NOT_SIGNED_IN);
    assert_int_equal(do_sign_in(world, &anna), WIRE_CODE_SIGN_IN_FAILED);
    assert_int_equal(world_query(world, "SELECT (SELECT count(*) FROM key_packages)"
                                        " + (SELECT count(*) FROM envelopes)"
                                        " + (SELECT count(*) FROM posts)"),
                     0);
    person_end(&anna);
}

static void deleting_an_account_leaves_no_row_and_no_trace_in_the_files(void **state)
{
    struct relay_world *world = *state;
    struct person anna;
    char text[64];
    struct register_try ask = {.phone = PHONE, .new_code = "111111", .address = "192.0.2.77"};
    struct register_try answer = {.phone = PHONE, .code = "111111", .address = "192.0.2.77"};
    person_begin(world, &anna, 1);
    do_register(world, &anna, &ask);
    do_register(world, &anna, &answer);
    do_publish(world, &anna, (const char *const[]){"one", "two", NULL}, "last", NULL);
    do_grant(world, &anna, 5, world->now + 100, 1);
    do_take(world, &anna, 0, 1, text);
    do_post(world, &anna, 0, 1, "an envelope of some length");
    assert_int_equal(do_delete(world, &anna), 0);
    assert_int_equal(do_sign_in(world, &anna), WIRE_CODE_SIGN_IN_FAILED);
    static const char *const tables[] = {"accounts",  "devices", "key_packages", "taken",
                                         "envelopes", "posts",   "grants",       "codes"};
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        char sql[64];
        snprintf(sql, sizeof sql, "SELECT count(*) FROM %s", tables[i]);
        assert_int_equal(world_query(world, sql), 0);
    }
    world_close(world);
    FILE *file = fopen(world->path, "rb");
    assert_non_null(file);
    static char bytes[1 << 20];
    size_t size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    assert_null(memmem(bytes, size, PHONE, strlen(PHONE)));
    assert_null(memmem(bytes, size, "192.0.2.77", 10));
    assert_null(memmem(bytes, size, "an envelope", 11));
    assert_null(memmem(bytes, size, anna.account.bytes, ACCOUNT_ID_SIZE));
    world_reopen(world, NULL);
    person_end(&anna);
}

static void a_key_of_an_erased_row_is_never_given_out_again(void **state)
{
    struct relay_world *world = *state;
    struct person anna, ben;
    char inbox[256];
    join(world, &anna, 1);
    do_delete(world, &anna);
    join(world, &ben, 2);
    assert_true(ben.session.account > anna.session.account);
    assert_true(ben.session.device > anna.session.device);
    assert_int_equal(do_inbox(world, &anna, 1, inbox), WIRE_CODE_NOT_SIGNED_IN);
    person_end(&anna);
    person_end(&ben);
}

static void a_last_address_is_kept_as_long_as_configured(void **state)
{
    struct relay_world *world = *state;
    struct person anna;
    struct register_try try = {.address = "2001:db8::1"};
    const char *count = "SELECT count(*) FROM accounts WHERE last_ip IS NOT NULL";
    person_begin(world, &anna, 1);
    do_register(world, &anna, &try);
    do_expire(world, WORLD_DAY + 300, -1);
    assert_int_equal(world_query(world, count), 1);
    do_expire(world, WORLD_DAY + 2, 3 * 86400);
    assert_int_equal(world_query(world, count), 1);
    do_expire(world, WORLD_DAY + 4, 3 * 86400);
    assert_int_equal(world_query(world, count), 0);
    person_end(&anna);
}

/* ---- KeyPackages ---------------------------------------------------------------------------- */

static void key_packages_go_out_first_in_first_out_then_the_last_resort(void **state)
{
    struct relay_world *world = *state;
    struct person anna;
    char text[64];
    uint32_t stored;
    join(world, &anna, 1);
    assert_int_equal(do_take(world, &anna, 0, 1, text), WIRE_CODE_NO_KEY_PACKAGE);
    do_publish(world, &anna, (const char *const[]){"one", "two", NULL}, NULL, &stored);
    assert_int_equal(stored, 2);
    assert_int_equal(do_take(world, &anna, 0, 2, text), 0);
    assert_string_equal(text, "one");
    assert_int_equal(do_take(world, &anna, 0, 2, text), 0); /* a retry */
    assert_string_equal(text, "one");
    assert_int_equal(do_take(world, &anna, 0, 3, text), 0);
    assert_string_equal(text, "two");
    assert_int_equal(do_take(world, &anna, 0, 4, text), WIRE_CODE_NO_KEY_PACKAGE);
    do_publish(world, &anna, NULL, "last", NULL);
    for (unsigned id = 5; id < 8; id++) {
        assert_int_equal(do_take(world, &anna, 0, id, text), 0);
        assert_string_equal(text, "last");
    }
    do_publish(world, &anna, (const char *const[]){"three", NULL}, NULL, NULL);
    assert_int_equal(do_take(world, &anna, 0, 6, text), 0); /* a retry of the last resort */
    assert_string_equal(text, "last");
    assert_int_equal(do_take(world, &anna, 0, 9, text), 0);
    assert_string_equal(text, "three");
    do_expire(world, WORLD_DAY + REPEAT_DAYS + 1, -1);
    assert_int_equal(world_query(world, "SELECT count(*) FROM taken"), 0);
    person_end(&anna);
}

static void key_packages_end_and_the_last_resort_stays(void **state)
{
    struct relay_world *world = *state;
    struct person anna;
    char text[64];
    join(world, &anna, 1);
    do_publish(world, &anna, (const char *const[]){"one", "two", NULL}, "last", NULL);
    do_expire(world, WORLD_DAY + KEY_PACKAGE_DAYS, -1);
    assert_int_equal(world_query(world, "SELECT count(*) FROM key_packages"), 2);
    do_expire(world, WORLD_DAY + KEY_PACKAGE_DAYS + 1, -1);
    assert_int_equal(world_query(world, "SELECT count(*) FROM key_packages"), 0);
    assert_int_equal(do_take(world, &anna, 0, 1, text), 0);
    assert_string_equal(text, "last");
    person_end(&anna);
}

static void key_packages_of_one_device_are_limited(void **state)
{
    struct relay_world *world = *state;
    struct person anna;
    const char *many[101] = {0};
    uint32_t stored;
    for (size_t i = 0; i < 100; i++)
        many[i] = "kp";
    join(world, &anna, 1);
    assert_int_equal(do_publish(world, &anna, many, NULL, NULL), 0);
    assert_int_equal(do_publish(world, &anna, many, NULL, &stored), 0);
    assert_int_equal(stored, KEY_PACKAGES_MAX);
    assert_int_equal(do_publish(world, &anna, (const char *const[]){"x", NULL}, NULL, NULL),
                     WIRE_CODE_LIMIT);
    assert_int_equal(do_publish(world, &anna, NULL, "last", NULL), 0);
    person_end(&anna);
}

/* ---- Grants --------------------------------------------------------------------------------- */

static void a_grant_lets_as_many_people_write_as_it_says(void **state)
{
    struct relay_world *world = *state;
    struct person anna, ben;
    char text[64];
    join(world, &anna, 1);
    join(world, &ben, 2);
    do_publish(world, &anna, NULL, "last", NULL);
    do_publish(world, &ben, NULL, "last", NULL);
    assert_int_equal(do_look(world, &anna, 5), WIRE_CODE_CAPABILITY_UNKNOWN);
    assert_int_equal(do_grant(world, &anna, 5, world->now + 1000, 1), 0);
    assert_int_equal(do_look(world, &anna, 5), 0);
    assert_int_equal(do_take(world, &anna, 5, 1, text), 0);
    assert_int_equal(do_take(world, &anna, 5, 1, text), 0); /* a retry */
    assert_int_equal(do_take(world, &anna, 5, 2, text), WIRE_CODE_CAPABILITY_USED);
    assert_int_equal(do_look(world, &anna, 5), 0); /* the envelope is still to come */
    assert_int_equal(do_post(world, &anna, 5, 1, "hello"), 0);
    assert_int_equal(do_post(world, &anna, 5, 1, "hello"), 0); /* a retry */
    assert_int_equal(do_post(world, &anna, 5, 2, "again"), WIRE_CODE_CAPABILITY_USED);
    assert_int_equal(do_look(world, &anna, 5), WIRE_CODE_CAPABILITY_USED);
    do_grant(world, &anna, 5, world->now + 1000, 1); /* a retry does not renew it */
    assert_int_equal(do_post(world, &anna, 5, 3, "again"), WIRE_CODE_CAPABILITY_USED);
    assert_int_equal(do_post(world, &ben, 5, 1, "hello"), WIRE_CODE_CAPABILITY_UNKNOWN);
    person_end(&anna);
    person_end(&ben);
}

static void an_expired_or_revoked_grant_is_unknown(void **state)
{
    struct relay_world *world = *state;
    struct person anna;
    join(world, &anna, 1);
    do_grant(world, &anna, 5, world->now + 1000, 3);
    do_grant(world, &anna, 6, world->now + 1000, 3);
    struct store_op *op = store_op_new(&world->env, STORE_REVOKE);
    op->grant.session = anna.session;
    op->grant.capability_hash = token_gate(6);
    store_call(world->port, op);
    assert_int_equal(op->code, 0);
    store_op_free(op);
    assert_int_equal(do_look(world, &anna, 6), WIRE_CODE_CAPABILITY_UNKNOWN);
    assert_int_equal(do_look(world, &anna, 5), 0);
    world->now += 1000;
    assert_int_equal(do_look(world, &anna, 5), WIRE_CODE_CAPABILITY_UNKNOWN);
    do_expire(world, WORLD_DAY + 1, -1);
    assert_int_equal(world_query(world, "SELECT count(*) FROM grants"), 0);
    person_end(&anna);
}

/* ---- Inbox ---------------------------------------------------------------------------------- */

static void an_envelope_waits_until_it_is_acknowledged(void **state)
{
    struct relay_world *world = *state;
    struct person anna;
    char inbox[256];
    join(world, &anna, 1);
    do_post(world, &anna, 0, 1, "one");
    do_post(world, &anna, 0, 2, "two");
    do_post(world, &anna, 0, 3, "three");
    assert_int_equal(do_inbox(world, &anna, 0, inbox), 0);
    assert_string_equal(inbox, "1:one 2:two 3:three");
    do_inbox(world, &anna, 3, inbox);
    assert_string_equal(inbox, "3:three");
    assert_int_equal(do_ack(world, &anna, 2), 0);
    assert_int_equal(do_ack(world, &anna, 2), 0);
    do_inbox(world, &anna, 0, inbox);
    assert_string_equal(inbox, "3:three");
    assert_int_equal(do_post(world, &anna, 0, 2, "two"), 0); /* a late retry is no second letter */
    do_post(world, &anna, 0, 4, "four");
    do_inbox(world, &anna, 0, inbox);
    assert_string_equal(inbox, "3:three 4:four");
    assert_int_equal(do_ack(world, &anna, UINT64_MAX), 0);
    do_inbox(world, &anna, 0, inbox);
    assert_string_equal(inbox, "");
    assert_int_equal(world_query(world, "SELECT inbox_count+inbox_bytes FROM devices"), 0);
    world_listen(world);
    assert_int_equal(world->heard_count, 4);
    assert_int_equal(world->heard[3].kind, NOTICE_ENVELOPE);
    assert_int_equal(world->heard[3].device, anna.session.device);
    person_end(&anna);
}

static void an_inbox_fills_up_and_empties(void **state)
{
    struct relay_world *world = *state;
    struct person anna;
    char *large = malloc(WIRE_ENVELOPE_MAX + 1);
    join(world, &anna, 1);
    memset(large, 'x', WIRE_ENVELOPE_MAX);
    large[WIRE_ENVELOPE_MAX] = '\0';
    for (unsigned i = 1; i <= INBOX_BYTES_MAX / WIRE_ENVELOPE_MAX; i++)
        assert_int_equal(do_post(world, &anna, 0, i, large), 0);
    assert_int_equal(do_post(world, &anna, 0, 1000, "x"), WIRE_CODE_INBOX_FULL);
    do_ack(world, &anna, 1);
    assert_int_equal(do_post(world, &anna, 0, 1000, "x"), 0);
    free(large);
    person_end(&anna);
}

static void old_envelopes_expire(void **state)
{
    struct relay_world *world = *state;
    struct person anna;
    char inbox[256];
    join(world, &anna, 1);
    do_post(world, &anna, 0, 1, "old");
    world->now += 20 * 86400;
    do_post(world, &anna, 0, 2, "new");
    do_expire(world, WORLD_DAY + 31, -1);
    do_inbox(world, &anna, 0, inbox);
    assert_string_equal(inbox, "2:new");
    assert_int_equal(world_query(world, "SELECT inbox_count*100+inbox_bytes FROM devices"), 103);
    person_end(&anna);
}

static void nobody_has_an_account_that_never_registered(void **state)
{
    struct relay_world *world = *state;
    struct person anna, ben;
    char text[64];
    person_begin(world, &anna, 1);
    join(world, &ben, 2);
    assert_int_equal(do_look(world, &anna, 0), WIRE_CODE_NO_ACCOUNT);
    assert_int_equal(do_take(world, &anna, 0, 1, text), WIRE_CODE_NO_ACCOUNT);
    assert_int_equal(do_post(world, &anna, 0, 1, "x"), WIRE_CODE_NO_ACCOUNT);
    anna.account = ben.account; /* an account without that device */
    assert_int_equal(do_post(world, &anna, 0, 1, "x"), WIRE_CODE_NO_ACCOUNT);
    person_end(&anna);
    person_end(&ben);
}

static void the_figures_count(void **state)
{
    struct relay_world *world = *state;
    struct person anna;
    struct store_status status;
    join(world, &anna, 1);
    do_publish(world, &anna, (const char *const[]){"one", "two", NULL}, NULL, NULL);
    do_post(world, &anna, 0, 1, "hello");
    do_create(world, 1, 10, 20);
    say(world, 1, 1, 0, 10);
    assert_int_equal(do_status(world, &status), 0);
    assert_int_equal(status.accounts, 1);
    assert_int_equal(status.devices, 1);
    assert_int_equal(status.key_packages, 2);
    assert_int_equal(status.envelopes, 1);
    assert_int_equal(status.rooms, 1);
    assert_int_equal(status.entries, 1);
    assert_int_equal(status.bytes, 5 + 4);
    person_end(&anna);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(registering_makes_an_account_and_again_changes_nothing),
        TEST(an_invitation_admits_as_many_as_it_says),
        TEST(a_phone_number_counts_once_its_code_came_back),
        TEST(a_code_has_few_tries_and_a_short_life),
        TEST(a_number_belongs_to_one_account),
        TEST(a_manifest_is_replaced_by_its_successor_only),
        TEST(a_device_that_left_the_manifest_is_signed_out_and_erased),
        TEST(deleting_an_account_leaves_no_row_and_no_trace_in_the_files),
        TEST(a_key_of_an_erased_row_is_never_given_out_again),
        TEST(a_last_address_is_kept_as_long_as_configured),
        TEST(key_packages_go_out_first_in_first_out_then_the_last_resort),
        TEST(key_packages_end_and_the_last_resort_stays),
        TEST(key_packages_of_one_device_are_limited),
        TEST(a_grant_lets_as_many_people_write_as_it_says),
        TEST(an_expired_or_revoked_grant_is_unknown),
        TEST(an_envelope_waits_until_it_is_acknowledged),
        TEST(an_inbox_fills_up_and_empties),
        TEST(old_envelopes_expire),
        TEST(nobody_has_an_account_that_never_registered),
        TEST(the_figures_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
