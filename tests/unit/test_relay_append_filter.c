#include "unit/check.h"

#include "relay/append_filter.h"

/* As a keyed hash spreads them. */
static uint64_t hash_of(uint64_t id)
{
    return (id + 1) * UINT64_C(0x9E3779B97F4A7C15);
}

static struct append_filter begin(size_t max_bytes)
{
    struct append_filter filter;
    append_filter_init(&filter, sotto_env_system(), max_bytes);
    return filter;
}

/* A room whose index is empty. */
static void fill_new(struct append_filter *filter, int64_t room)
{
    assert_int_equal(append_filter_ask(filter, room, hash_of(0), 0), FILTER_FILL);
    append_filter_filled(filter, room, true);
}

static void what_was_put_is_never_new_however_many(void **state)
{
    (void)state;
    struct append_filter filter = begin(FILTER_BYTES);
    unsigned looks = 0;
    fill_new(&filter, 1);
    for (uint64_t id = 0; id < 100000; id++)
        append_filter_put(&filter, 1, hash_of(id));
    for (uint64_t id = 0; id < 100000; id++)
        assert_int_equal(append_filter_ask(&filter, 1, hash_of(id), 100000), FILTER_LOOK);
    for (uint64_t id = 100000; id < 200000; id++)
        looks += append_filter_ask(&filter, 1, hash_of(id), 100000) != FILTER_NEW;
    assert_true(looks < 20); /* 2.3 are expected of hashes of 32 bits */
    append_filter_free(&filter);
}

static void a_room_is_read_once_that_pays_and_counts_only_when_all_of_it_is_there(void **state)
{
    (void)state;
    struct append_filter filter = begin(FILTER_BYTES);
    for (unsigned i = 1; i < 10; i++)
        assert_int_equal(append_filter_ask(&filter, 1, hash_of(1), 160), FILTER_LOOK);
    append_filter_put(&filter, 1, hash_of(1)); /* of which it is told, but not of the others */
    assert_int_equal(append_filter_ask(&filter, 1, hash_of(2), 160), FILTER_FILL);
    append_filter_put(&filter, 1, hash_of(1));
    append_filter_filled(&filter, 1, false);
    assert_int_equal(append_filter_ask(&filter, 1, hash_of(2), 160), FILTER_LOOK);
    for (unsigned i = 2; i < 10; i++)
        assert_int_equal(append_filter_ask(&filter, 1, hash_of(2), 160), FILTER_LOOK);
    assert_int_equal(append_filter_ask(&filter, 1, hash_of(2), 160), FILTER_FILL);
    append_filter_put(&filter, 1, hash_of(1));
    append_filter_filled(&filter, 1, true);
    assert_int_equal(append_filter_ask(&filter, 1, hash_of(1), 160), FILTER_LOOK);
    assert_int_equal(append_filter_ask(&filter, 1, hash_of(2), 160), FILTER_NEW);
    assert_int_equal(append_filter_ask(&filter, 2, hash_of(2), FILTER_FILL_MAX + 1), FILTER_LOOK);
    append_filter_free(&filter);
}

static void rooms_that_were_not_asked_for_leave_and_are_not_known_then(void **state)
{
    (void)state;
    struct append_filter filter = begin(4096);
    for (int64_t room = 1; room <= 100; room++) {
        fill_new(&filter, room);
        append_filter_put(&filter, room, hash_of((uint64_t)room));
        assert_int_equal(append_filter_ask(&filter, 1, hash_of(0), 1), FILTER_NEW);
        assert_int_equal(append_filter_ask(&filter, 1, hash_of(1), 1), FILTER_LOOK);
        assert_true(filter.bytes <= filter.max_bytes + 4 * 16);
    }
    assert_int_equal(append_filter_ask(&filter, 2, hash_of(0), 32), FILTER_LOOK);
    assert_int_equal(append_filter_ask(&filter, 100, hash_of(0), 1), FILTER_NEW);
    /* One room alone may be larger than all may be. */
    for (uint64_t id = 0; id < 10000; id++)
        append_filter_put(&filter, 100, hash_of(id));
    assert_int_equal(append_filter_ask(&filter, 100, hash_of(9999), 1), FILTER_LOOK);
    assert_ptr_equal(filter.newest, filter.oldest);
    append_filter_free(&filter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_put_is_never_new_however_many),
        cmocka_unit_test(a_room_is_read_once_that_pays_and_counts_only_when_all_of_it_is_there),
        cmocka_unit_test(rooms_that_were_not_asked_for_leave_and_are_not_known_then),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
