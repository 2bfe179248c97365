/* What answers orders: the door to the relay's database, and the document. */
#include <string.h>

#include <sqlite3.h>

#include "order/decide.h"
#include "unit/check.h"
#include "unit/folder.h"

static char folder[64], path[80];

/* A database with what the relay's has, and more. */
static int make_database(void **state)
{
    (void)state;
    sqlite3 *db = NULL;
    if (!folder_make(folder, "order"))
        return -1;
    snprintf(path, sizeof path, "%s/relay.db", folder);
    if (sqlite3_open(path, &db) != SQLITE_OK)
        return -1;
    const int code = sqlite3_exec(
        db,
        "PRAGMA journal_mode = WAL;"
        "CREATE TABLE accounts(key INTEGER PRIMARY KEY, account_id BLOB, phone TEXT UNIQUE,"
        " last_ip TEXT, last_ip_time INTEGER, manifest BLOB, username TEXT,"
        " label TEXT);"
        "CREATE TABLE envelopes(device INTEGER, sealed BLOB);"
        "CREATE VIEW everything AS SELECT * FROM accounts, envelopes;"
        "INSERT INTO accounts VALUES(1, zeroblob(32), '+4930123456', '192.0.2.1', 1700000000, "
        "x'01', 'alice', 'DE');"
        "INSERT INTO accounts VALUES(2, x'"
        "0101010101010101010101010101010101010101010101010101010101010101', NULL, NULL, NULL, "
        "x'02', NULL, NULL);",
        NULL, NULL, NULL);
    sqlite3_close(db);
    return code == SQLITE_OK ? 0 : -1;
}

static int remove_database(void **state)
{
    (void)state;
    return folder_remove(folder);
}

static void the_door_opens_to_two_fields_and_to_nothing_else(void **state)
{
    (void)state;
    static const char *const forbidden[] = {
        "SELECT manifest FROM accounts",
        "SELECT label FROM accounts",
        "SELECT phone FROM accounts WHERE label = 'DE'",
        "SELECT * FROM accounts",
        "SELECT key FROM accounts",
        "SELECT rowid FROM accounts",
        "SELECT phone FROM accounts WHERE manifest IS NOT NULL",
        "SELECT phone FROM accounts ORDER BY key",
        "SELECT sealed FROM envelopes",
        "SELECT count(*) FROM envelopes",
        "SELECT count(*) FROM accounts",
        "SELECT group_concat(phone) FROM accounts",
        "SELECT upper(phone) FROM accounts",
        "SELECT phone FROM everything",
        "SELECT name FROM sqlite_schema",
        "SELECT * FROM pragma_table_info('accounts')",
        "SELECT load_extension('x')",
        "SELECT readfile('/etc/passwd')",
        "WITH RECURSIVE a(b) AS (SELECT 1 UNION SELECT b + 1 FROM a) SELECT b FROM a",
        "ATTACH 'other.db' AS other",
        "PRAGMA table_info(accounts)",
        "PRAGMA writable_schema = 1",
        "UPDATE accounts SET phone = NULL",
        "DELETE FROM accounts",
        "INSERT INTO accounts(phone) VALUES('+1')",
        "CREATE TABLE t(a)",
        "CREATE TEMP TABLE t(a)",
        "DROP TABLE accounts",
        "BEGIN",
        "VACUUM INTO 'copy.db'",
        "EXPLAIN SELECT manifest FROM accounts",
    };
    struct disclosure_door door;
    char problem[ORDER_PROBLEM_MAX];
    assert_ok(disclosure_open(path, &door, problem));
    for (size_t i = 0; i < sizeof forbidden / sizeof *forbidden; i++) {
        sqlite3_stmt *statement = NULL;
        int code = sqlite3_prepare_v2(door.db, forbidden[i], -1, &statement, NULL);
        if (code == SQLITE_OK) /* VACUUM attaches a database only when it runs */
            code = sqlite3_step(statement);
        sqlite3_finalize(statement);
        if (code != SQLITE_AUTH && code != SQLITE_ERROR)
            fail_msg("%s: %s", forbidden[i], sqlite3_errstr(code));
    }
    struct disclosure found;
    assert_ok(disclosure_find(&door, ORDER_BY_PHONE, "+4930123456", &found));
    assert_string_equal(found.phone_number, "+4930123456");
    assert_string_equal(found.last_ip, "192.0.2.1");
    assert_int_equal(found.last_ip_s, 1700000000);
    assert_ok(disclosure_find(&door, ORDER_BY_ACCOUNT,
                              "0101010101010101010101010101010101010101010101010101010101010101",
                              &found));
    assert_string_equal(found.phone_number, "");
    assert_string_equal(found.last_ip, "");
    assert_ok(disclosure_find(&door, ORDER_BY_USERNAME, "alice", &found));
    assert_string_equal(found.phone_number, "+4930123456");
    assert_error(disclosure_find(&door, ORDER_BY_USERNAME, "alic_", &found), NOT_FOUND);
    assert_error(disclosure_find(&door, ORDER_BY_PHONE, "+49301234567", &found), NOT_FOUND);
    assert_error(disclosure_find(&door, ORDER_BY_PHONE, "%", &found), NOT_FOUND);
    assert_error(disclosure_find(&door, ORDER_BY_ACCOUNT, "01", &found), NOT_FOUND);
    disclosure_close(&door);
    assert_error(disclosure_open("/nonexistent/relay.db", &door, problem), IO);
}

static const char good[] =
    "{\"sotto\":\"order\",\"version\":1,\"reference\":\"a\",\"framework\":\"dsa\","
    "\"legalBasis\":\"b\",\"issuer\":{\"name\":\"c\",\"kind\":\"court\",\"jurisdiction\":\"DE\"},"
    "\"recipient\":{\"phone\":\"+4930123456\"},\"reasons\":{\"withheld\":\"d\"},"
    "\"redress\":\"e\",\"answerTo\":{\"name\":\"f\",\"address\":\"g\"},\"data\":[\"last_ip\"],"
    "\"language\":\"de\",\"issued\":\"2026-11-26T10:00:00Z\"}";

static void a_document_is_read_whole_or_refused_with_what_is_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to, *said;
    } cases[] = {
        {"\"version\":1", "\"version\":1,\"version\":1", "duplicate"},
        {"\"version\":1", "\"version\":1,\"x\":1", "\"x\""},
        {"\"version\":1", "\"version\":1,\"\":1", "\"\""},
        {"\"version\":1,", "", "version"},
        {"\"reference\":\"a\"", "\"reference\":\"\"", "reference"},
        {"\"reference\":\"a\"", "\"reference\":\"a\\u0000b\"", "\\u0000"},
        {"\"reference\":\"a\"", "\"reference\":\"a\\nb\"", "reference"},
        {"\"reference\":\"a\"", "\"reference\":\"a\\u001bb\"", "control"},
        {"\"dsa\"", "\"dsb\"", "framework"},
        {"\"kind\":\"court\"", "\"kind\":\"unknown\"", "issuer.kind"},
        {"\"kind\":\"court\"", "\"kind\":\"court\",\"also\":1", "also"},
        {"\"DE\"", "\"D E\"", "jurisdiction"},
        {"+4930123456", "4930123456", "phone"},
        {"+4930123456", "+0930123456", "phone"},
        {"\"phone\":\"+4930123456\"", "\"account\":\"ab\"", "account"},
        {"\"phone\":\"+4930123456\"", "", "exactly one"},
        {"{\"withheld\":\"d\"}", "{}", "withheld"},
        {"{\"withheld\":\"d\"}", "1", "reasons"},
        {"[\"last_ip\"]", "[]", "data"},
        {"[\"last_ip\"]", "[1]", "data[0]"},
        {"[\"last_ip\"]", "[\"last_ip\",\"last_ip\"]", "twice"},
        {"[\"last_ip\"]", "\"last_ip\"", "data"},
        {"10:00:00Z", "24:00:00Z", "issued"},
        {"2026-11-26T", "2026-02-30T", "issued"},
        {"\"language\":\"de\"",
         "\"language\":\"de\",\"period\":{\"from\":\"2026-01-02T00:00:00Z\","
         "\"to\":\"2026-01-01T00:00:00Z\"}",
         "period"},
        {"}", "", "JSON"},
    };
    struct order_document document;
    char problem[ORDER_PROBLEM_MAX], text[2048];
    assert_ok(order_document_read(sotto_bytes_str(good), &document, problem));
    assert_true(document.reasons_withheld);
    assert_true(order_asks_for(&document, ORDER_LAST_IP));
    assert_false(order_asks_for(&document, ORDER_PHONE_NUMBER));
    assert_int_equal(document.issued_s, 1795687200);
    order_document_free(&document);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *at = strstr(good, cases[i].from);
        assert_non_null(at);
        snprintf(text, sizeof text, "%.*s%s%s", (int)(at - good), good, cases[i].to,
                 at + strlen(cases[i].from));
        if (order_document_read(sotto_bytes_str(text), &document, problem) != SOTTO_VALUE)
            fail_msg("was read: %s", text);
        if (strstr(problem, cases[i].said) == NULL)
            fail_msg("%s: said: %s", cases[i].to, problem);
    }
    assert_error(order_document_read(sotto_bytes_str("[]"), &document, problem), VALUE);
    assert_error(order_document_read(sotto_bytes_str(""), &document, problem), VALUE);
}

static void times_are_written_as_they_are_read(void **state)
{
    (void)state;
    static const uint64_t times[] = {0, 951782399, 951782400, 1795687200, 4102444800};
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        char text[ORDER_TIME_TEXT];
        uint64_t again = 1;
        order_time_write(times[i], text);
        assert_true(order_time_read(text, &again));
        assert_int_equal(again, times[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_door_opens_to_two_fields_and_to_nothing_else),
        cmocka_unit_test(a_document_is_read_whole_or_refused_with_what_is_wrong),
        cmocka_unit_test(times_are_written_as_they_are_read),
    };
    return cmocka_run_group_tests_name("order", tests, make_database, remove_database);
}
