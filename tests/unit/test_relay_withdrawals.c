/* How the relay leaves a jurisdiction: whom it tells, and what is left. */
#include "unit/relay_world.h"

#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

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

/* ---- The file ------------------------------------------------------------------------------- */

static const struct withdrawal germany = {
    .id = {1, 2, 3},
    .jurisdiction = "DE",
    .on = "2024-10-14",
    .ranges = {{"+49", "+4:"}, {"+1204", "+1206"}},
    .range_count = 2,
    .labels = {"DE", "school-7"},
    .label_count = 2,
    .notice = {(const uint8_t *)"sotto notice v1\nleaving\n", 24},
};

static void a_file_has_one_form(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "sotto withdrawal v1\n",
        "sotto withdrawal v1\nstate announced\njurisdiction DE\non 2024-10-14\nnotice\nx",
        "sotto withdrawal v1\nstate announced\njurisdiction DE\non 2024-10-14\nphone 49 "
        "+5\nnotice\nx",
        "sotto withdrawal v1\nstate announced\njurisdiction DE\non 2024-10-14\nphone +49 "
        "+49\nnotice\nx",
        "sotto withdrawal v1\nstate announced\njurisdiction DE\non 2024-10-14\nphone +4:9 "
        "+5\nnotice\nx",
        "sotto withdrawal v1\nstate announced\njurisdiction DE\non 2024-02-30\nlabel DE\nnotice\nx",
        "sotto withdrawal v1\nstate announced\njurisdiction DE\non 2024-10-14\nlabel D "
        "E\nnotice\nx",
        "sotto withdrawal v1\nstate announced\njurisdiction DE\non 2024-10-14\nlabel DE\nnotice\n",
        "sotto withdrawal v1\nstate going\njurisdiction DE\non 2024-10-14\nlabel DE\nnotice\nx",
    };
    struct withdrawal read = germany;
    char name[WITHDRAWAL_NAME];
    uint8_t id[WITHDRAWAL_ID_SIZE];
    uint64_t accounts = 0, time = 0;
    sotto_buf text, again;
    sotto_buf_init(&text, sotto_env_system());
    sotto_buf_init(&again, sotto_env_system());
    assert_ok(withdrawal_write(&germany, &text));
    assert_ok(withdrawal_read(sotto_buf_view(&text), &read));
    assert_int_equal(read.range_count, 2);
    assert_string_equal(read.ranges[0].high, "+4:");
    assert_string_equal(read.labels[1], "school-7");
    assert_false(read.staying);
    assert_memory_equal(read.id, germany.id, sizeof read.id);
    assert_true(sotto_bytes_equal(read.notice, germany.notice));
    assert_int_equal(withdrawal_on_s(&read), UINT64_C(20010) * 86400);
    for (size_t i = 0; i < text.size; i++) {
        const uint8_t kept = text.data[i];
        for (unsigned value = 0; value < 256; value += 3) {
            text.data[i] = (uint8_t)value;
            if (withdrawal_read(sotto_buf_view(&text), &read) != SOTTO_OK)
                continue;
            sotto_buf_clear(&again);
            assert_ok(withdrawal_write(&read, &again));
            assert_true(sotto_bytes_equal(sotto_buf_view(&again), sotto_buf_view(&text)));
        }
        text.data[i] = kept;
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (withdrawal_read(sotto_bytes_str(bad[i]), &read) != SOTTO_VALUE)
            fail_msg("was read: %s", bad[i]);
    withdrawal_name(germany.id, false, name);
    assert_string_equal(name, "01020300000000000000000000000000.withdrawal");
    assert_true(withdrawal_named(name, id));
    assert_memory_equal(id, germany.id, sizeof id);
    withdrawal_name(germany.id, true, name);
    assert_string_equal(name, "01020300000000000000000000000000.left");
    assert_false(withdrawal_named(name, id));
    assert_false(withdrawal_named("01020300000000000000000000000000.withdrawaL", id));
    sotto_buf_clear(&text);
    assert_ok(withdrawal_left_write(12, 1700000000, &text));
    assert_ok(withdrawal_left_read(sotto_buf_view(&text), &accounts, &time));
    assert_true(accounts == 12 && time == 1700000000);
    assert_error(withdrawal_left_read(sotto_bytes_str("sotto left v1\naccounts 01\ntime 2\n"),
                                      &accounts, &time),
                 VALUE);
    sotto_buf_free(&text);
    sotto_buf_free(&again);
}

/* ---- Leaving -------------------------------------------------------------------------------- */

/* All steps of one round; how far it is then. */
static enum withdrawal_state go(struct relay_world *world, const struct withdrawal *withdrawal,
                                uint64_t *accounts)
{
    enum withdrawal_state state = 0;
    for (unsigned tries = 0; tries < 4; tries++) {
        int64_t after = 0;
        do {
            struct store_op *op = store_op_new(&world->env, STORE_WITHDRAWAL);
            op->withdrawal.withdrawal = withdrawal;
            op->withdrawal.due = world->now >= withdrawal_on_s(withdrawal);
            op->withdrawal.after = after;
            store_call(world->port, op);
            assert_int_equal(op->code, 0);
            after = op->withdrawal.after;
            state = op->withdrawal.state;
            if (accounts != NULL)
                *accounts = op->withdrawal.accounts;
            store_op_free(op);
        } while (after != 0);
        if (state != WITHDRAWAL_LEFT)
            break;
    }
    return state;
}

/* Registers with a number, which is proved. */
static void join(struct relay_world *world, struct person *person, unsigned n, const char *phone)
{
    struct register_try ask = {.phone = phone, .new_code = "111111"};
    struct register_try answer = {.phone = phone, .code = "111111"};
    person_begin(world, person, n);
    if (phone != NULL)
        assert_int_equal(do_register(world, person, &ask), WIRE_CODE_CODE_SENT);
    assert_int_equal(
        do_register(world, person, phone != NULL ? &answer : &(struct register_try){0}), 0);
}

static int64_t envelopes(struct relay_world *world, const struct person *person)
{
    char sql[128];
    snprintf(sql, sizeof sql, "SELECT count(*) FROM envelopes WHERE device=%lld",
             (long long)person->session.device);
    return world_query(world, sql);
}

static void those_there_are_told_once_and_whoever_comes_too(void **state)
{
    struct relay_world *world = *state;
    struct person anna, ben, cara, dora;
    struct withdrawal withdrawal = germany;
    struct register_try school = {.label = "school-7"};
    join(world, &anna, 1, "+491555012345");
    join(world, &ben, 2, "+33155501234");
    for (unsigned round = 0; round < 2; round++)
        assert_int_equal(go(world, &withdrawal, NULL), WITHDRAWAL_ANNOUNCED);
    assert_int_equal(envelopes(world, &anna), 1);
    assert_int_equal(envelopes(world, &ben), 0);
    /* Later: by number, by label, with another device, with another number. */
    join(world, &cara, 3, "+12045550100");
    assert_int_equal(envelopes(world, &cara), 1);
    person_begin(world, &dora, 4);
    assert_int_equal(do_register(world, &dora, &school), 0);
    assert_int_equal(envelopes(world, &dora), 1);
    person_manifest(&anna, true, 9);
    assert_int_equal(do_put_manifest(world, &anna), 0);
    assert_int_equal(world_query(world, "SELECT count(*) FROM envelopes"), 4);
    struct register_try ask = {.phone = "+4930123456", .new_code = "222222"};
    struct register_try moved = {.phone = "+4930123456", .code = "222222"};
    assert_int_equal(do_register(world, &ben, &ask), WIRE_CODE_CODE_SENT);
    assert_int_equal(do_register(world, &ben, &moved), 0);
    assert_int_equal(envelopes(world, &ben), 1);
    assert_int_equal(go(world, &withdrawal, NULL), WITHDRAWAL_ANNOUNCED);
    assert_int_equal(world_query(world, "SELECT count(*) FROM envelopes"), 5);
    /* That the relay stays is told to the same; who comes now is told nothing. */
    withdrawal.staying = true;
    withdrawal.notice = sotto_bytes_str("sotto notice v1\nstaying\n");
    for (unsigned round = 0; round < 2; round++)
        assert_int_equal(go(world, &withdrawal, NULL), WITHDRAWAL_STAYING);
    assert_int_equal(world_query(world, "SELECT count(*) FROM envelopes"), 10);
    assert_int_equal(world_query(world, "SELECT count(*) FROM envelopes WHERE sealed="
                                        "CAST('sotto notice v1' || char(10) || 'staying' ||"
                                        " char(10) AS BLOB)"),
                     5);
    assert_int_equal(world_query(world, "SELECT count(*) FROM told"), 0);
    struct person emil;
    join(world, &emil, 5, "+495550100");
    assert_int_equal(envelopes(world, &emil), 0);
    world->now += 86400 * 3650;
    assert_int_equal(go(world, &withdrawal, NULL), WITHDRAWAL_STAYING);
    assert_int_equal(do_sign_in(world, &anna), 0);
    struct person *const all[] = {&anna, &ben, &cara, &dora, &emil};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        person_end(all[i]);
}

/* Every row that names a person, or an account or device that is none. */
static int64_t rows_of_nobody(struct relay_world *world)
{
    return world_query(world,
                       "SELECT (SELECT count(*) FROM codes WHERE phone>='+49' AND phone<'+4:')"
                       "+(SELECT count(*) FROM accounts WHERE phone>='+49' AND phone<'+4:')"
                       "+(SELECT count(*) FROM devices WHERE account NOT IN"
                       " (SELECT key FROM accounts))"
                       "+(SELECT count(*) FROM grants WHERE account NOT IN"
                       " (SELECT key FROM accounts))"
                       "+(SELECT count(*) FROM key_packages WHERE device NOT IN"
                       " (SELECT key FROM devices))"
                       "+(SELECT count(*) FROM taken)+(SELECT count(*) FROM told)"
                       "+(SELECT count(*) FROM envelopes WHERE device NOT IN"
                       " (SELECT key FROM devices))"
                       "+(SELECT count(*) FROM posts)");
}

static void on_the_day_they_are_erased_and_told_why(void **state)
{
    struct relay_world *world = *state;
    struct person anna, ben, cara;
    char text[64];
    uint64_t accounts = 0;
    struct withdrawal withdrawal = germany;
    join(world, &anna, 1, "+491555012345");
    join(world, &ben, 2, "+33155501234");
    do_invite(world, "school", 5, world->now + 86400 * 30, "school-7");
    struct register_try invited = {.mode = REGISTRATION_INVITE, .invitation = "school"};
    person_begin(world, &cara, 3);
    assert_int_equal(do_register(world, &cara, &invited), 0);
    do_publish(world, &anna, (const char *const[]){"one", "two", NULL}, "last", NULL);
    do_grant(world, &anna, 5, world->now + 100, 1);
    do_take(world, &anna, 0, 1, text);
    do_post(world, &anna, 0, 1, "an envelope of some length");
    assert_int_equal(go(world, &withdrawal, NULL), WITHDRAWAL_ANNOUNCED);
    struct register_try half = {.phone = "+4930999999", .new_code = "111111"};
    struct person dora;
    person_begin(world, &dora, 4);
    assert_int_equal(do_register(world, &dora, &half), WIRE_CODE_CODE_SENT);
    world_listen(world);
    world->heard_count = 0;
    world->now = withdrawal_on_s(&withdrawal) - 1;
    assert_int_equal(go(world, &withdrawal, &accounts), WITHDRAWAL_ANNOUNCED);
    world->now++;
    assert_int_equal(do_sign_in(world, &anna), 0);
    assert_int_equal(go(world, &withdrawal, &accounts), WITHDRAWAL_ERASED);
    assert_int_equal(accounts, 2);
    world_listen(world);
    assert_int_equal(world->heard_count, 2); /* their connections look, and end */
    assert_int_equal(rows_of_nobody(world), 0);
    assert_int_equal(world_query(world, "SELECT count(*) FROM accounts"), 1);
    /* In words to those who come back, and to those who come. */
    assert_int_equal(do_sign_in(world, &anna), WIRE_CODE_WITHDRAWN);
    assert_int_equal(do_sign_in(world, &dora), WIRE_CODE_WITHDRAWN); /* not known either */
    assert_int_equal(do_register(world, &dora, &half), WIRE_CODE_WITHDRAWN);
    assert_int_equal(half.detail, withdrawal_on_s(&withdrawal));
    assert_int_equal(do_register(world, &cara, &invited), WIRE_CODE_WITHDRAWN);
    struct register_try label = {.label = "DE"}, elsewhere = {0};
    assert_int_equal(do_register(world, &dora, &label), WIRE_CODE_WITHDRAWN);
    assert_int_equal(do_register(world, &dora, &elsewhere), 0);
    /* Others go on, and are told what they always were. */
    assert_int_equal(do_sign_in(world, &ben), 0);
    person_manifest(&ben, false, 7);
    assert_int_equal(do_put_manifest(world, &ben), 0);
    assert_int_equal(do_sign_in(world, &ben), WIRE_CODE_SIGN_IN_FAILED);
    /* What is done is done. */
    withdrawal.staying = true;
    assert_int_equal(go(world, &withdrawal, &accounts), WITHDRAWAL_ERASED);
    world_close(world);
    FILE *file = fopen(world->path, "rb");
    assert_non_null(file);
    static char bytes[1 << 20];
    size_t size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    assert_null(memmem(bytes, size, "+491555012345", 13));
    assert_null(memmem(bytes, size, "+4930999999", 11));
    assert_null(memmem(bytes, size, "an envelope", 11));
    assert_null(memmem(bytes, size, anna.account.bytes, ACCOUNT_ID_SIZE));
    assert_null(memmem(bytes, size, cara.account.bytes, ACCOUNT_ID_SIZE));
    assert_non_null(memmem(bytes, size, ben.account.bytes, ACCOUNT_ID_SIZE));
    world_reopen(world, NULL);
    struct person *const all[] = {&anna, &ben, &cara, &dora};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        person_end(all[i]);
}

static void between_the_day_and_the_erasing_nobody_signs_in(void **state)
{
    struct relay_world *world = *state;
    struct person anna;
    struct withdrawal withdrawal = germany;
    join(world, &anna, 1, "+491555012345");
    /* One step alone: the first of the day decides, and erases who is near. */
    assert_int_equal(go(world, &withdrawal, NULL), WITHDRAWAL_ANNOUNCED);
    assert_int_equal(world_query(world, "SELECT count(*) FROM withdrawals WHERE state=1"), 1);
    world_close(world);
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(world->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "UPDATE withdrawals SET state=3", NULL, NULL, NULL),
                     SQLITE_OK);
    sqlite3_close(db);
    world_reopen(world, NULL);
    assert_int_equal(do_sign_in(world, &anna), WIRE_CODE_WITHDRAWN);
    struct register_try again = {0};
    assert_int_equal(do_register(world, &anna, &again), WIRE_CODE_WITHDRAWN);
    assert_int_equal(go(world, &withdrawal, NULL), WITHDRAWAL_ERASED);
    assert_int_equal(world_query(world, "SELECT count(*) FROM accounts"), 0);
    person_end(&anna);
}

static bool log_has(const struct relay_world *world, const char *what)
{
    static char bytes[1 << 20];
    char path[sizeof world->path + 8];
    snprintf(path, sizeof path, "%s-wal", world->path);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    const size_t size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    return memmem(bytes, size, what, strlen(what)) != NULL;
}

/* Somebody looks at the database all the while, and the relay dies before the log is emptied. */
static void it_is_not_done_before_the_log_is_emptied(void **state)
{
    struct relay_world *world = *state;
    struct person anna;
    struct withdrawal withdrawal = germany;
    sqlite3 *looks = NULL;
    join(world, &anna, 1, "+491555012345");
    assert_int_equal(go(world, &withdrawal, NULL), WITHDRAWAL_ANNOUNCED);
    assert_int_equal(sqlite3_open(world->path, &looks), SQLITE_OK);
    assert_int_equal(sqlite3_exec(looks, "BEGIN; SELECT count(*) FROM accounts", NULL, NULL, NULL),
                     SQLITE_OK);
    world->now = withdrawal_on_s(&withdrawal);
    assert_int_equal(go(world, &withdrawal, NULL), WITHDRAWAL_LEFT);
    assert_true(log_has(world, "+491555012345"));
    world_close(world); /* the log stays, as after a kill: another has it open */
    assert_int_equal(sqlite3_exec(looks, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    assert_true(log_has(world, "+491555012345"));
    world_reopen(world, NULL);
    assert_int_equal(go(world, &withdrawal, NULL), WITHDRAWAL_ERASED);
    assert_false(log_has(world, "+491555012345"));
    sqlite3_close(looks);
    person_end(&anna);
}

static void many_are_erased_in_steps(void **state)
{
    struct relay_world *world = *state;
    struct person people[100];
    struct withdrawal withdrawal = germany;
    uint64_t accounts = 0;
    struct register_try school = {.label = "DE"};
    for (unsigned i = 0; i < 100; i++) {
        person_begin(world, &people[i], i + 1);
        assert_int_equal(
            do_register(world, &people[i], i % 3 == 0 ? &school : &(struct register_try){0}), 0);
    }
    world->now = withdrawal_on_s(&withdrawal);
    assert_int_equal(go(world, &withdrawal, &accounts), WITHDRAWAL_ERASED);
    assert_int_equal(accounts, 34);
    assert_int_equal(world_query(world, "SELECT count(*) FROM accounts"), 66);
    for (unsigned i = 0; i < 100; i++)
        person_end(&people[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_has_one_form),
        TEST(those_there_are_told_once_and_whoever_comes_too),
        TEST(on_the_day_they_are_erased_and_told_why),
        TEST(between_the_day_and_the_erasing_nobody_signs_in),
        TEST(it_is_not_done_before_the_log_is_emptied),
        TEST(many_are_erased_in_steps),
    };
    return cmocka_run_group_tests_name("relay_withdrawals", tests, NULL, NULL);
}
