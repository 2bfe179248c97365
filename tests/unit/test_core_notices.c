/* How many notices of a relay are kept, and how others' words in them are shown. Their way here and
 * what they are checked against: test_following.py. */
#include <string.h>

#include "core/notices.h"
#include "core/store_query.h"
#include "unit/check.h"
#include "unit/core_account.h"
#include "unit/folder.h"

static char folder[64];
static struct sotto *core;

static int start(void **state)
{
    (void)state;
    return core_account_open(folder, "notices", &core);
}

static int stop(void **state)
{
    (void)state;
    sotto_close(core);
    return folder_remove(folder);
}

static uint64_t count(const char *sql)
{
    struct query q;
    query_read(&q, core->store, sql);
    assert_true(query_next(&q));
    uint64_t number = column_u64(&q);
    assert_ok(query_end(&q));
    return number;
}

/* So many good notices of that relay, of that size. */
static void fill(const char *relay, unsigned number, size_t size)
{
    static uint8_t note[TLOG_NOTE_MAX];
    static uint32_t serial;
    bool added = false;
    assert_ok(store_begin(core->store));
    for (unsigned i = 0; i < number; i++) {
        struct store_notice notice = {
            .relay = relay, .note = sotto_bytes_of(note, size), .good = true};
        serial++;
        memcpy(notice.hash, &serial, sizeof serial);
        assert_ok(store_notice_add(core->store, &notice, &added));
        assert_true(added);
    }
    assert_ok(store_notices_limit(core->store, relay));
    assert_ok(store_commit(core->store));
}

static void a_relay_fills_no_profile_with_notices(void **state)
{
    (void)state;
    fill("other.example", 3, 1000);
    fill("relay.example", STORE_NOTICES_MAX + 5, 10);
    assert_int_equal(count("SELECT count(*) FROM notice"), STORE_NOTICES_MAX + 3);
    assert_int_equal(count("SELECT min(number) FROM notice WHERE relay = 'relay.example'"), 9);
    fill("relay.example", 90, TLOG_NOTE_MAX);
    assert_true(count("SELECT sum(length(note)) FROM notice WHERE relay = 'relay.example'") <=
                STORE_NOTICES_SIZE);
    assert_int_equal(count("SELECT count(*) FROM notice WHERE relay = 'relay.example'"),
                     STORE_NOTICES_SIZE / TLOG_NOTE_MAX);
    assert_int_equal(count("SELECT count(*) FROM notice WHERE relay = 'other.example'"), 3);
}

static void others_words_break_no_line_and_turn_none(void **state)
{
    (void)state;
    struct sotto_notice notice = {.kind = SOTTO_NOTICE_WITHDRAWAL,
                                  .relay = "relay.example",
                                  .log = "relay.example/orders",
                                  .date = "2026-11-26",
                                  .jurisdiction = "DE",
                                  .on = "2027-03-01",
                                  .reason = "first\nS\xC3\xA4mtliche\xE2\x80\xA8" /* U+2028 */
                                            "What you can do: pay\xC2\x85"
                                            "at once \xE2\x80\xAE" /* U+0085, U+202E */
                                            "no\xE2\x81\xA7\xFF"};
    sotto_buf text;
    sotto_buf_init(&text, core->env);
    assert_ok(notice_text(&notice, &text));
    assert_non_null(strstr((const char *)text.data,
                           "> first\n> S\xC3\xA4mtliche\xEF\xBF\xBDWhat you can do: pay"
                           "\xEF\xBF\xBD"
                           "at once \xEF\xBF\xBDno\xEF\xBF\xBD\xEF\xBF\xBD\n"));
    sotto_buf_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_relay_fills_no_profile_with_notices, start, stop),
        cmocka_unit_test_setup_teardown(others_words_break_no_line_and_turn_none, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
