/* The list of conversations in the store: counts, order, and what it costs. */
#include "unit/check.h"

#include <string.h>

#include "core/store_query.h"
#include "sotto/sotto.h"
#include "unit/folder.h"

static char directory[64];
static struct store *store;
static struct arena arena;

static const struct account_id alice = {{1}};

static struct room_id room_at(uint32_t number)
{
    struct room_id id = {{0xA}};
    memcpy(id.bytes + 4, &number, sizeof number);
    return id;
}

static void add_room(const struct room_id *id, uint64_t active_s)
{
    const struct store_room row = {.room = *id,
                                   .kind = STORE_ROOM_GROUP,
                                   .state = STORE_ROOM_ACTIVE,
                                   .title = "title",
                                   .relay = "localhost:1",
                                   .active_s = active_s,
                                   .next_seq = 1};
    assert_ok(store_room_add(store, &row));
}

static int64_t add_message(const struct room_id *room, uint64_t seq, bool mention)
{
    int64_t position, local;
    const struct store_message message = {
        .room = *room,
        .seq = seq,
        .kind = SOTTO_KIND_TEXT,
        .sender = alice,
        .state = seq == 0 ? STORE_MESSAGE_WAITING : STORE_MESSAGE_RECEIVED,
        .own = seq == 0,
        .client_id = seq == 0 ? "c1" : "",
        .unread = seq != 0,
        .text = sotto_bytes_str("text"),
        .mentions_self = mention,
    };
    assert_ok(store_message_add(store, &message, &position, &local));
    return local;
}

static int setup(void **state)
{
    sotto_fault fault;
    (void)state;
    arena_init(&arena, sotto_env_system());
    return folder_make(directory, "listing") &&
                   store_open(sotto_env_system(), directory, NULL, &store, &fault) == SOTTO_OK &&
                   store_begin(store) == SOTTO_OK
               ? 0
               : -1;
}

static int teardown(void **state)
{
    (void)state;
    store_close(store);
    arena_free(&arena);
    return folder_remove(directory);
}

static struct store_listing listing_of(const struct room_id *room)
{
    struct store_listing listing;
    assert_ok(store_listing_get(store, room, &arena, &listing));
    return listing;
}

static void expect(const struct room_id *room, uint32_t unread, uint32_t mentions, int64_t last)
{
    const struct store_listing listing = listing_of(room);
    assert_int_equal(listing.unread, unread);
    assert_int_equal(listing.mentions, mentions);
    assert_int_equal(listing.last, last);
}

static void counts_follow_whatever_happens_to_messages(void **state)
{
    (void)state;
    const struct room_id room = room_at(1), other = room_at(2);
    int64_t position;
    add_room(&room, 1);
    add_room(&other, 1);
    assert_ok(store_messages_head_put(store, 2000)); /* a linked device's */
    int64_t first = add_message(&room, 1, false), second = add_message(&room, 2, true);
    int64_t third = add_message(&room, 3, true);
    expect(&room, 3, 2, third);
    expect(&other, 0, 0, 0);
    assert_ok(store_message_mention(store, first, true)); /* by an edit */
    assert_ok(store_message_mention(store, second, false));
    expect(&room, 3, 2, third);
    assert_ok(store_messages_read_seq(store, &room, 2, 7));
    expect(&room, 1, 1, third);
    assert_ok(store_message_erase(store, third));
    expect(&room, 0, 0, third);
    int64_t waits = add_message(&room, 0, false);
    expect(&room, 0, 0, waits);
    int64_t fourth = add_message(&room, 4, false);
    expect(&room, 1, 0, fourth);
    assert_ok(store_message_place(store, &room, "c1", 5, 7, (sotto_bytes){0}, (sotto_bytes){0},
                                  &position));
    expect(&room, 1, 0, waits);
    /* What is imported is the last line where there is none behind it. */
    struct store_message past = {.room = other,
                                 .seq = 9,
                                 .position = 1000,
                                 .kind = SOTTO_KIND_TEXT,
                                 .state = STORE_MESSAGE_RECEIVED,
                                 .client_id = ""};
    int64_t newest = 0, older = 0;
    assert_ok(store_message_import(store, &past, &newest));
    past.seq = 8;
    past.position = 900;
    assert_ok(store_message_import(store, &past, &older));
    expect(&other, 0, 0, newest);
    struct query q;
    query_write(&q, store, "DELETE FROM message WHERE local IN (?, ?)");
    query_i64(&q, waits);
    query_i64(&q, fourth);
    assert_ok(query_run(&q));
    expect(&room, 0, 0, third);
    assert_ok(store_room_erase(store, &room));
    assert_error(store_listing_get(store, &room, &arena, &(struct store_listing){0}), NOT_FOUND);
}

static void the_pinned_come_first_and_then_the_newest(void **state)
{
    (void)state;
    struct room_id *rooms;
    size_t count;
    uint64_t total;
    for (uint32_t i = 0; i < 5; i++) {
        struct room_id id = room_at(i);
        add_room(&id, i);
    }
    struct store_listing set = {.room = room_at(1), .pinned = true};
    assert_ok(store_listing_put(store, &set));
    set = (struct store_listing){.room = room_at(3), .shelf = STORE_SHELF_ARCHIVE};
    assert_ok(store_listing_put(store, &set));
    /* What was said of a room that is not here yet counts once it is. */
    set = (struct store_listing){.room = room_at(9), .pinned = true};
    assert_ok(store_listing_put(store, &set));
    assert_ok(store_listing_count(store, STORE_SHELF_LIST, &total));
    assert_int_equal(total, 4);
    assert_ok(store_listing_rooms(store, STORE_SHELF_LIST, 1, 2, &arena, &rooms, &count));
    assert_int_equal(count, 2);
    const struct room_id want[] = {room_at(4), room_at(2)};
    assert_memory_equal(rooms, want, sizeof want);
    set.room = room_at(9);
    add_room(&set.room, 0);
    assert_ok(store_listing_rooms(store, STORE_SHELF_LIST, 0, 2, &arena, &rooms, &count));
    const struct room_id first[] = {room_at(1), room_at(9)};
    assert_memory_equal(rooms, first, sizeof first);
    assert_ok(store_listing_rooms(store, STORE_SHELF_ARCHIVE, 0, 9, &arena, &rooms, &count));
    assert_int_equal(count, 1);
}

/* Whether SQLite reads no table whole for it, and sorts nothing. */
static bool is_direct(const char *sql)
{
    char explain[800];
    sqlite3_stmt *stmt;
    bool direct = true;
    snprintf(explain, sizeof explain, "EXPLAIN QUERY PLAN %s", sql);
    assert_int_equal(sqlite3_prepare_v2(store->db, explain, -1, &stmt, NULL), SQLITE_OK);
    while (sqlite3_step(stmt) == SQLITE_ROW) {
        const char *step = (const char *)sqlite3_column_text(stmt, 3);
        if ((strncmp(step, "SCAN", 4) == 0 && strstr(step, "CONSTANT") == NULL) ||
            strstr(step, "TEMP B-TREE") != NULL) {
            print_message("%s: %s\n", sql, step);
            direct = false;
        }
    }
    sqlite3_finalize(stmt);
    return direct;
}

static void a_page_reads_no_more_than_itself(void **state)
{
    (void)state;
    struct room_id *rooms;
    size_t count;
    uint64_t total;
    bool done, came;
    const struct room_id room = room_at(1);
    add_room(&room, 1);
    /* Whatever these prepare is asked for its plan. */
    assert_ok(store_listing_rooms(store, STORE_SHELF_LIST, 0, 2, &arena, &rooms, &count));
    assert_ok(store_listing_count(store, STORE_SHELF_LIST, &total));
    assert_ok(store_listing_came(store, &room, 1, true, true, &came));
    assert_ok(store_erasing_step(store, &room, 1, 5, &done));
    (void)listing_of(&room);
    size_t looked = 0;
    for (size_t i = 0; i < STORE_CACHE; i++)
        if (store->cache[i].sql != NULL && (strstr(store->cache[i].sql, "FROM listing") != NULL ||
                                            strstr(store->cache[i].sql, "FROM message") != NULL)) {
            looked++;
            assert_true(is_direct(store->cache[i].sql));
        }
    assert_int_equal(looked, 5);
    assert_true(is_direct("SELECT local FROM message WHERE room = x'00'"
                          " ORDER BY position DESC LIMIT 1")); /* the triggers' */
    assert_false(is_direct("SELECT room FROM listing WHERE muted_s = 1 ORDER BY draft"));
}

/* Whatever is in a room and was read long ago is not looked at. */
static void reading_looks_at_what_is_unread_alone(void **state)
{
    (void)state;
    const struct room_id room = room_at(1);
    uint64_t seq = 0;
    size_t looked = 0;
    add_room(&room, 1);
    (void)add_message(&room, 7, false);
    assert_ok(store_messages_unread_seq(store, &room, INT64_MAX, &seq));
    assert_int_equal(seq, 7);
    assert_ok(store_messages_read_seq(store, &room, 6, 1));
    assert_ok(store_messages_read(store, &room, INT64_MAX, false, 1));
    assert_ok(store_messages_unread_seq(store, &room, INT64_MAX, &seq));
    assert_int_equal(seq, 0);
    for (size_t i = 0; i < STORE_CACHE; i++) {
        char explain[800];
        sqlite3_stmt *stmt;
        if (store->cache[i].sql == NULL || strstr(store->cache[i].sql, "unread = 1") == NULL)
            continue;
        snprintf(explain, sizeof explain, "EXPLAIN QUERY PLAN %s", store->cache[i].sql);
        assert_int_equal(sqlite3_prepare_v2(store->db, explain, -1, &stmt, NULL), SQLITE_OK);
        assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
        assert_non_null(strstr((const char *)sqlite3_column_text(stmt, 3), "INDEX message_unread"));
        sqlite3_finalize(stmt);
        looked++;
    }
    assert_int_equal(looked, 3);
}

static void erasing_goes_step_by_step_and_leaves_what_came_later(void **state)
{
    (void)state;
    bool done = false;
    uint64_t seq = 0;
    struct room_id found;
    const struct room_id room = room_at(1);
    add_room(&room, 1);
    for (uint64_t i = 1; i <= 7; i++)
        (void)add_message(&room, i, false);
    assert_ok(store_erasing_put(store, &room, 3));
    assert_ok(store_erasing_put(store, &room, 5));
    assert_ok(store_erasing_put(store, &room, 4));
    assert_ok(store_erasing_next(store, &found, &seq));
    assert_memory_equal(&found, &room, sizeof room);
    assert_int_equal(seq, 5);
    unsigned steps = 0;
    for (; !done; steps++)
        assert_ok(store_erasing_step(store, &room, seq, 2, &done));
    assert_int_equal(steps, 3);
    assert_error(store_erasing_next(store, &found, &seq), NOT_FOUND);
    assert_int_equal(listing_of(&room).unread, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(counts_follow_whatever_happens_to_messages, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(the_pinned_come_first_and_then_the_newest, setup, teardown),
        cmocka_unit_test_setup_teardown(a_page_reads_no_more_than_itself, setup, teardown),
        cmocka_unit_test_setup_teardown(reading_looks_at_what_is_unread_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(erasing_goes_step_by_step_and_leaves_what_came_later, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
