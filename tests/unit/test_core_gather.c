/* Several transactions that wait for the disk together. */
#include "unit/check.h"

#include "core/store_query.h"
#include "sotto/sotto.h"
#include "unit/folder.h"

static char directory[64];
static struct store *store, *other;

static int setup(void **state)
{
    (void)state;
    return folder_make(directory, "gather") &&
                   store_open(sotto_env_system(), directory, NULL, &store, NULL) == SOTTO_OK &&
                   store_open_beside(store, &other, NULL) == SOTTO_OK
               ? 0
               : -1;
}

static int teardown(void **state)
{
    (void)state;
    store_close(other);
    store_close(store);
    return folder_remove(directory);
}

static uint64_t number_in(struct store *where, const char *name)
{
    uint64_t number = 0;
    assert_ok(store_number_get(where, name, &number));
    return number;
}

static void put(const char *name, uint64_t number)
{
    assert_ok(store_begin(store));
    assert_ok(store_number_put(store, name, number));
    assert_ok(store_commit(store));
}

static void parts_see_each_other_and_count_together(void **state)
{
    (void)state;
    store_gather(store);
    put("one", 1);
    assert_int_equal(number_in(store, "one"), 1);
    assert_int_equal(number_in(other, "one"), 0);
    put("two", 2);
    store_scrub(store, true); /* waits for the end */
    assert_ok(store_gather_end(store));
    assert_int_equal(number_in(other, "one"), 1);
    assert_int_equal(number_in(other, "two"), 2);
    /* Nothing was done: no lock was taken. */
    store_gather(store);
    assert_ok(store_begin(other));
    assert_ok(store_gather_end(store));
    store_rollback(other);
}

static void a_part_that_changed_nothing_may_be_rolled_back(void **state)
{
    (void)state;
    store_gather(store);
    put("one", 1);
    assert_ok(store_begin(store));
    store_rollback(store);
    put("two", 2);
    assert_ok(store_gather_end(store));
    assert_int_equal(number_in(other, "two"), 2);
}

static void a_part_that_fails_spoils_all(void **state)
{
    (void)state;
    store_gather(store);
    put("one", 1);
    assert_ok(store_begin(store));
    assert_ok(store_number_put(store, "bad", 1));
    store_rollback(store);
    assert_error(store_begin(store), STATE);
    assert_error(store_gather_end(store), STATE);
    assert_int_equal(number_in(store, "one"), 0);
    assert_int_equal(number_in(other, "bad"), 0);
    put("one", 1); /* and again by itself */
    assert_int_equal(number_in(other, "one"), 1);
}

static void a_full_disk_leaves_nothing_of_any_part(void **state)
{
    (void)state;
    static const char text[3000] = "x";
    sotto_error error = SOTTO_OK;
    put("one", 1);
    assert_ok(store_limit_pages(store, 1)); /* as it is: not one more */
    store_gather(store);
    assert_ok(store_begin(store));
    for (unsigned i = 0; i < 100 && error == SOTTO_OK; i++) {
        char name[20];
        snprintf(name, sizeof name, "value %u", i);
        error = store_value_put(store, name, sotto_bytes_of((const uint8_t *)text, sizeof text));
    }
    assert_error(error, FULL);
    store_rollback(store);
    assert_error(store_gather_end(store), FULL);
    assert_ok(store_limit_pages(store, 0));
    assert_ok(store_check(store));
    put("two", 2);
    assert_int_equal(number_in(other, "one"), 1);
    assert_int_equal(number_in(other, "two"), 2);
}

static unsigned found(const char *word)
{
    struct arena arena;
    struct store_message *messages;
    size_t count = 0;
    arena_init(&arena, sotto_env_system());
    assert_ok(store_messages_search(other, word, NULL, 0, 100, &arena, &messages, &count));
    arena_free(&arena);
    return (unsigned)count;
}

static int64_t say(uint64_t seq, const char *text)
{
    int64_t position, local;
    const struct store_message message = {.room = {{1}},
                                          .seq = seq,
                                          .kind = SOTTO_KIND_TEXT,
                                          .state = STORE_MESSAGE_RECEIVED,
                                          .client_id = "",
                                          .text = sotto_bytes_str(text)};
    assert_ok(store_message_add(store, &message, &position, &local));
    return local;
}

static void texts_are_found_from_the_commit_on_that_adds_them(void **state)
{
    (void)state;
    const struct store_room row = {
        .room = {{1}}, .kind = STORE_ROOM_GROUP, .state = STORE_ROOM_ACTIVE, .next_seq = 1};
    assert_ok(store_begin(store));
    assert_ok(store_room_add(store, &row));
    (void)say(1, "apple");
    assert_ok(store_commit(store));
    assert_int_equal(found("apple"), 1);
    store_gather(store);
    assert_ok(store_begin(store));
    int64_t edited = say(2, "pear");
    (void)say(3, "apple");
    assert_ok(store_commit(store));
    /* Changed and erased before it was indexed, and after. */
    assert_ok(store_begin(store));
    assert_ok(store_message_edit(store, edited, sotto_bytes_str("plum"), false, (sotto_bytes){0},
                                 sotto_bytes_str("e1"), 1));
    assert_ok(store_message_erase(store, say(4, "quince")));
    assert_ok(store_commit(store));
    assert_ok(store_gather_end(store));
    assert_int_equal(found("apple"), 2);
    assert_int_equal(found("pear") + found("quince"), 0);
    assert_int_equal(found("plum"), 1);
    assert_ok(store_begin(store));
    (void)say(5, "cherry");
    store_rollback(store);
    put("three", 3);
    assert_int_equal(found("cherry"), 0);
    assert_ok(store_begin(store));
    assert_ok(store_message_erase(store, edited));
    assert_ok(store_commit(store));
    assert_int_equal(found("plum"), 0);
    /* FTS5 wants to have seen every row. */
    assert_ok(store_exec(store, "DELETE FROM message WHERE text = ''"));
    assert_ok(store_exec(store, "INSERT INTO search (search, rank) VALUES"
                                " ('integrity-check', 1)"));
}

static void what_is_read_between_is_of_one_time(void **state)
{
    (void)state;
    put("one", 1);
    store_reads(store);
    assert_int_equal(number_in(store, "one"), 1);
    assert_ok(store_begin(other));
    assert_ok(store_number_put(other, "one", 2));
    assert_ok(store_commit(other));
    assert_int_equal(number_in(store, "one"), 1);
    /* A transaction knows better, and what is read behind it. */
    assert_ok(store_begin(store));
    assert_int_equal(number_in(store, "one"), 2);
    assert_ok(store_number_put(store, "two", 1));
    assert_ok(store_commit(store));
    assert_int_equal(number_in(store, "one"), 2);
    assert_int_equal(number_in(other, "two"), 1);
    assert_ok(store_begin(other));
    assert_ok(store_number_put(other, "one", 3));
    assert_ok(store_commit(other));
    assert_int_equal(number_in(store, "one"), 2);
    store_scrub(store, true); /* the log can be emptied: nothing is read any more */
    assert_int_equal(number_in(store, "one"), 3);
    store_gather(store);
    put("one", 4);
    assert_int_equal(number_in(store, "one"), 4);
    assert_int_equal(number_in(other, "one"), 3);
    assert_ok(store_gather_end(store));
    store_reads_end(store);
    store_reads_end(store);
    assert_int_equal(number_in(other, "one"), 4);
}

static int64_t head_in(struct store *where)
{
    int64_t position = 0;
    assert_ok(store_messages_head(where, &position));
    return position;
}

static void positions_are_counted_by_whoever_commits(void **state)
{
    (void)state;
    const struct store_room row = {
        .room = {{1}}, .kind = STORE_ROOM_GROUP, .state = STORE_ROOM_ACTIVE, .next_seq = 1};
    assert_ok(store_begin(store));
    assert_ok(store_room_add(store, &row));
    (void)say(1, "one");
    (void)say(2, "two");
    assert_int_equal(head_in(store), 2);
    assert_int_equal(head_in(other), 0);
    assert_ok(store_commit(store));
    assert_int_equal(head_in(other), 2);
    assert_ok(store_begin(store));
    (void)say(3, "taken back");
    store_rollback(store);
    assert_int_equal(head_in(store), 2);
    assert_ok(store_begin(other)); /* as linking does in another process */
    assert_ok(store_messages_head_put(other, 100));
    assert_ok(store_commit(other));
    store_gather(store);
    for (uint64_t seq = 3; seq < 5; seq++) {
        assert_ok(store_begin(store));
        (void)say(seq, "behind it");
        assert_ok(store_commit(store));
    }
    assert_int_equal(head_in(store), 102);
    assert_ok(store_gather_end(store));
    assert_int_equal(head_in(other), 102);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_read_between_is_of_one_time, setup, teardown),
        cmocka_unit_test_setup_teardown(positions_are_counted_by_whoever_commits, setup, teardown),
        cmocka_unit_test_setup_teardown(parts_see_each_other_and_count_together, setup, teardown),
        cmocka_unit_test_setup_teardown(a_part_that_changed_nothing_may_be_rolled_back, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_part_that_fails_spoils_all, setup, teardown),
        cmocka_unit_test_setup_teardown(a_full_disk_leaves_nothing_of_any_part, setup, teardown),
        cmocka_unit_test_setup_teardown(texts_are_found_from_the_commit_on_that_adds_them, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
