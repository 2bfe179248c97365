/* Whom a withdrawal concerns: numbers, and the door to the relay's database. */
#include <string.h>

#include <sqlite3.h>

#include "order/affected.h"
#include "order/places.h"
#include "unit/check.h"
#include "unit/folder.h"

static char folder[64], path[80];

static int make_database(void **state)
{
    (void)state;
    sqlite3 *db = NULL;
    if (!folder_make(folder, "withdraw"))
        return -1;
    snprintf(path, sizeof path, "%s/relay.db", folder);
    if (sqlite3_open(path, &db) != SQLITE_OK)
        return -1;
    const int code = sqlite3_exec(
        db,
        "PRAGMA journal_mode = WAL;"
        "CREATE TABLE accounts(key INTEGER PRIMARY KEY, account_id BLOB, phone TEXT UNIQUE,"
        " last_ip TEXT, last_ip_time INTEGER, manifest BLOB, username TEXT, label TEXT);"
        "CREATE TABLE codes(phone TEXT PRIMARY KEY, hash BLOB) WITHOUT ROWID;"
        "CREATE TABLE devices(key INTEGER PRIMARY KEY, account INTEGER, sign_in_hash BLOB);"
        "CREATE TABLE key_packages(device INTEGER, bytes BLOB);"
        "CREATE TABLE taken(device INTEGER, bytes BLOB);"
        "CREATE TABLE envelopes(device INTEGER, sealed BLOB);"
        "CREATE TABLE posts(device INTEGER, post_id BLOB);"
        "CREATE TABLE told(device INTEGER, withdrawal INTEGER);"
        "CREATE TABLE grants(account INTEGER, hash BLOB);"
        "CREATE TABLE token_issues(account INTEGER PRIMARY KEY, count INTEGER);"
        "CREATE TABLE withdrawals(key INTEGER, id BLOB, state INTEGER, notice BLOB);"
        "INSERT INTO accounts VALUES(1, zeroblob(32), '+4930123456', '192.0.2.1', 1, x'01', 'a',"
        " NULL), (2, x'0202020202020202020202020202020202020202020202020202020202020202', NULL,"
        " NULL, NULL, x'02', NULL, 'DE'), (3, zeroblob(32), '+33155501234', NULL, NULL, x'03',"
        " NULL, NULL), (4, zeroblob(32), '+4930654321', NULL, NULL, x'04', NULL, 'DE'),"
        " (5, zeroblob(32), NULL, NULL, NULL, x'05', NULL, NULL);"
        "INSERT INTO codes VALUES('+4930999999', x'00'), ('+33999', x'00');"
        "INSERT INTO devices VALUES(1, 1, x'00'), (2, 99, x'00');"
        "INSERT INTO envelopes VALUES(1, x'00'), (98, x'00');"
        "INSERT INTO withdrawals VALUES(1, x'01000000000000000000000000000000', 3, x'00');",
        NULL, NULL, NULL);
    sqlite3_close(db);
    return code == SQLITE_OK ? 0 : -1;
}

static int remove_database(void **state)
{
    (void)state;
    return folder_remove(folder);
}

static void refused(struct affected_door *door, const char *const *forbidden, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        sqlite3_stmt *statement = NULL;
        int code = sqlite3_prepare_v2(door->db, forbidden[i], -1, &statement, NULL);
        if (code == SQLITE_OK)
            code = sqlite3_step(statement);
        sqlite3_finalize(statement);
        if (code != SQLITE_AUTH && code != SQLITE_ERROR)
            fail_msg("%s: %s", forbidden[i], sqlite3_errstr(code));
    }
}

static void each_door_opens_to_what_it_is_for(void **state)
{
    (void)state;
    static const char *const never[] = {
        "SELECT last_ip FROM accounts",
        "SELECT username FROM accounts",
        "SELECT manifest FROM accounts",
        "SELECT * FROM accounts",
        "SELECT sealed FROM envelopes",
        "SELECT hash FROM codes",
        "SELECT sign_in_hash FROM devices",
        "SELECT notice FROM withdrawals",
        "SELECT count(*) FROM accounts",
        "SELECT group_concat(phone) FROM accounts",
        "SELECT name FROM sqlite_schema",
        "ATTACH 'other.db' AS other",
        "PRAGMA table_info(accounts)",
        "UPDATE accounts SET phone = NULL",
        "DELETE FROM accounts",
        "CREATE TEMP TABLE t(a)",
        "BEGIN",
        "VACUUM INTO 'copy.db'",
    };
    static const char *const not_who[] = {"SELECT key FROM accounts", "SELECT account FROM devices",
                                          "SELECT phone FROM codes",
                                          "SELECT state FROM withdrawals"};
    static const char *const not_rows[] = {"SELECT account_id FROM accounts"};
    struct affected_door door;
    char problem[ORDER_PROBLEM_MAX];
    assert_ok(affected_open(path, AFFECTED_WHO, &door, problem));
    refused(&door, never, sizeof never / sizeof *never);
    refused(&door, not_who, sizeof not_who / sizeof *not_who);
    affected_close(&door);
    assert_ok(affected_open(path, AFFECTED_ROWS, &door, problem));
    refused(&door, never, sizeof never / sizeof *never);
    refused(&door, not_rows, sizeof not_rows / sizeof *not_rows);
    affected_close(&door);
    assert_error(affected_open("/nonexistent/relay.db", AFFECTED_WHO, &door, problem), IO);
}

struct ids {
    size_t count;
    uint8_t first[8];
};

static void note_id(void *ctx, const uint8_t account[static 32])
{
    struct ids *ids = ctx;
    ids->first[ids->count++] = account[0];
}

static void each_account_is_counted_once(void **state)
{
    (void)state;
    struct withdrawal withdrawal = {.labels = {"DE"}, .label_count = 1};
    struct affected_door door;
    struct affected affected;
    struct affected_rows rows;
    struct ids ids = {0};
    char problem[ORDER_PROBLEM_MAX];
    int how_far = 7;
    assert_ok(places_add(&withdrawal, "DE"));
    assert_ok(affected_open(path, AFFECTED_WHO, &door, problem));
    assert_ok(affected_count(&door, &withdrawal, note_id, &ids, &affected));
    affected_close(&door);
    assert_int_equal(affected.by_phone, 2);
    assert_int_equal(affected.by_label, 1);
    assert_int_equal(affected.others, 2);
    assert_int_equal(affected.nowhere, 1);
    assert_int_equal(ids.count, 3);
    assert_int_equal(ids.first[2], 2);
    assert_ok(affected_open(path, AFFECTED_ROWS, &door, problem));
    assert_ok(affected_rows(&door, &withdrawal, &rows));
    /* Two by number and two by label, of which one is both; a code; a device and an envelope of
     * nobody. */
    assert_int_equal(rows.tables[0].rows, 4);
    assert_int_equal(rows.tables[1].rows, 1);
    assert_int_equal(rows.all, 7);
    for (size_t i = 0; i < AFFECTED_TABLES; i++)
        assert_non_null(rows.tables[i].name);
    assert_ok(affected_state(&door, (const uint8_t[WITHDRAWAL_ID_SIZE]){1}, &how_far));
    assert_int_equal(how_far, WITHDRAWAL_LEFT);
    assert_ok(affected_state(&door, (const uint8_t[WITHDRAWAL_ID_SIZE]){2}, &how_far));
    assert_int_equal(how_far, 0);
    affected_close(&door);
}

/* ---- Numbers -------------------------------------------------------------------------------- */

static void numbers_are_of_the_longest_beginning_that_is_known(void **state)
{
    (void)state;
    static const struct {
        const char *number, *jurisdiction;
    } numbers[] = {
        {"+4930123456", "DE"},   {"+12125550100", "US"},  {"+18005550100", "US"},
        {"+14165550100", "CA"},  {"+18765550100", "JM"},  {"+19395550100", "PR"},
        {"+74955550100", "RU"},  {"+77015550100", "KZ"},  {"+76005550100", "KZ"},
        {"+390655500", "IT"},    {"+39066985500", "VA"},  {"+37955500", "VA"},
        {"+442055500100", "GB"}, {"+441481550010", "GG"}, {"+447700900123", "GB"},
        {"+447797555001", "JE"}, {"+4779555001", "SJ"},   {"+4740555001", "NO"},
        {"+358401234567", "FI"}, {"+35818123456", "AX"},  {"+61255500100", "AU"},
        {"+61891625550", "CC"},  {"+59995550100", "CW"},  {"+5993185550", "BQ"},
        {"+21252885550", "EH"},  {"+212612345678", "MA"}, {"+262692555010", "RE"},
        {"+262639555010", "YT"}, {"+2908555", "TA"},      {"+29055550", "SH"},
    };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        const char *name;
        for (size_t place = 0; (name = places_name(place)) != NULL; place++) {
            struct withdrawal withdrawal = {.range_count = 0};
            assert_ok(places_add(&withdrawal, name));
            if (places_have(&withdrawal, numbers[i].number) !=
                (strcmp(name, numbers[i].jurisdiction) == 0))
                fail_msg("%s and %s", numbers[i].number, name);
        }
    }
}

/* Two jurisdictions share no number, but for those that have the very same code. */
static void no_number_is_of_two(void **state)
{
    (void)state;
    static struct withdrawal all[256];
    const char *name;
    size_t count = 0, same = 0;
    for (; (name = places_name(count)) != NULL; count++) {
        assert_true(count < 256);
        assert_ok(places_add(&all[count], name));
        assert_true(all[count].range_count > 0);
        assert_true(count == 0 || strcmp(places_name(count - 1), name) < 0);
    }
    assert_true(count > 230);
    for (size_t a = 0; a < count; a++)
        for (size_t b = a + 1; b < count; b++)
            for (size_t i = 0; i < all[a].range_count; i++)
                for (size_t k = 0; k < all[b].range_count; k++) {
                    const struct withdrawal_range *left = &all[a].ranges[i];
                    const struct withdrawal_range *right = &all[b].ranges[k];
                    if (strcmp(left->low, right->high) >= 0 || strcmp(right->low, left->high) >= 0)
                        continue;
                    assert_string_equal(left->low, "+590"); /* Guadeloupe and two islands */
                    assert_string_equal(right->low, "+590");
                    same++;
                }
    assert_int_equal(same, 3);
}

static void an_operator_may_name_numbers(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "+", "49", "+049", "+49a", "+1234567890123456", "+4:"};
    struct withdrawal withdrawal = {.range_count = 0};
    assert_ok(places_add_prefix(&withdrawal, "+4930"));
    assert_ok(places_add_prefix(&withdrawal, "+9"));
    assert_true(places_have(&withdrawal, "+493012"));
    assert_true(places_have(&withdrawal, "+99999999"));
    assert_false(places_have(&withdrawal, "+4931"));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_error(places_add_prefix(&withdrawal, bad[i]), VALUE);
    assert_int_equal(withdrawal.range_count, 2);
    assert_error(places_add(&withdrawal, "ZZ"), NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_door_opens_to_what_it_is_for),
        cmocka_unit_test(each_account_is_counted_once),
        cmocka_unit_test(numbers_are_of_the_longest_beginning_that_is_known),
        cmocka_unit_test(no_number_is_of_two),
        cmocka_unit_test(an_operator_may_name_numbers),
    };
    return cmocka_run_group_tests_name("order_withdraw", tests, make_database, remove_database);
}
