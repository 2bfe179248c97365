/* The account's settings, as its devices tell each other. Between devices: test_devices.py. */
#include "core/own_settings.h"
#include "core/store_query.h"
#include "unit/check.h"
#include "unit/core_account.h"
#include "unit/folder.h"

static char folder[64];
static struct sotto *core;

static int start(void **state)
{
    (void)state;
    return core_account_open(folder, "own-settings", &core);
}

static int stop(void **state)
{
    (void)state;
    sotto_close(core);
    return folder_remove(folder);
}

static uint64_t events(void)
{
    struct query q;
    query_read(&q, core->store, "SELECT count(*) FROM event WHERE kind = ?");
    query_u64(&q, SOTTO_EVENT_ACCOUNT);
    assert_true(query_next(&q));
    uint64_t count = column_u64(&q);
    assert_ok(query_end(&q));
    return count;
}

static sotto_error tell(sotto_bytes records)
{
    struct arena arena;
    struct reader reader;
    arena_init(&arena, core->env);
    assert_ok(store_begin(core->store));
    reader_init(&reader, records);
    sotto_error error = own_records_read(core, &reader, &arena);
    assert_ok(store_commit(core->store));
    arena_free(&arena);
    return error;
}

static void expect(bool receipts, bool typing)
{
    struct sotto_account account;
    assert_ok(sotto_account(core, &account));
    assert_int_equal(account.receipts, receipts);
    assert_int_equal(account.typing, typing);
}

static void what_another_device_tells_counts_here_and_faces_hear_of_it(void **state)
{
    (void)state;
    sotto_buf records;
    sotto_buf_init(&records, core->env);
    assert_ok(own_settings_write(core, &records));
    assert_int_equal(records.size, 0); /* as it is at first */
    assert_ok(sotto_set_downloads(core, 0));
    assert_ok(own_settings_write(core, &records));
    assert_int_equal(records.size, 0); /* each device's own */
    assert_ok(sotto_set_receipts(core, false));
    assert_ok(sotto_allow_typing(core, false));
    expect(false, false);
    assert_ok(own_settings_write(core, &records));
    assert_ok(sotto_set_receipts(core, true));
    assert_ok(sotto_allow_typing(core, true));
    expect(true, true);
    uint64_t before = events();
    assert_ok(tell(sotto_buf_view(&records)));
    expect(false, false);
    assert_int_equal(events(), before + 2);
    assert_ok(tell(sotto_buf_view(&records))); /* again: no news */
    assert_int_equal(events(), before + 2);
    sotto_buf_free(&records);
}

static void what_is_not_known_or_wrong_changes_nothing(void **state)
{
    (void)state;
    static const uint8_t newer[] = {OWN_SETTING, 5, 3, 'x', '-', 'y', 1};
    static const uint8_t wrong[] = {OWN_SETTING, 12,  10,  't', 'y', 'p', 'i',
                                    'n',         'g', '-', 'o', 'f', 'f', 2};
    uint64_t number = 0;
    assert_ok(tell(sotto_bytes_of(newer, sizeof newer)));
    assert_ok(store_number_get(core->store, "x-y", &number));
    assert_int_equal(number, 0);
    assert_error(tell(sotto_bytes_of(wrong, sizeof wrong)), VALUE);
    assert_error(tell(sotto_bytes_of(wrong, 5)), TRUNCATED);
    expect(true, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_another_device_tells_counts_here_and_faces_hear_of_it,
                                        start, stop),
        cmocka_unit_test_setup_teardown(what_is_not_known_or_wrong_changes_nothing, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
