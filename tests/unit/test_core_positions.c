/* Positions of messages: what is given to this device of the past takes none that it will give. */
#include "unit/check.h"

#include <string.h>

#include "core/store_listing.h"
#include "core/store_query.h"
#include "sotto/sotto.h"
#include "unit/folder.h"

static char directory[64];
static struct store *store;
static struct arena arena;

static const struct room_id kitchen = {{1}}, cellar = {{2}};

static void add_room(const struct room_id *id)
{
    const struct store_room row = {
        .room = *id, .kind = STORE_ROOM_GROUP, .state = STORE_ROOM_ACTIVE, .next_seq = 1};
    assert_ok(store_room_add(store, &row));
}

static int setup(void **state)
{
    (void)state;
    arena_init(&arena, sotto_env_system());
    if (!folder_make(directory, "positions") ||
        store_open(sotto_env_system(), directory, NULL, &store, NULL) != SOTTO_OK ||
        store_begin(store) != SOTTO_OK)
        return -1;
    add_room(&kitchen);
    add_room(&cellar);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    store_close(store);
    arena_free(&arena);
    return folder_remove(directory);
}

static struct store_message message_of(const struct room_id *room, uint64_t seq)
{
    return (struct store_message){.room = *room,
                                  .seq = seq,
                                  .kind = SOTTO_KIND_TEXT,
                                  .state = STORE_MESSAGE_RECEIVED,
                                  .client_id = "",
                                  .text = sotto_bytes_str("text")};
}

static void received(const struct room_id *room, uint64_t seq)
{
    int64_t position, local, head;
    const struct store_message message = message_of(room, seq);
    assert_ok(store_message_add(store, &message, &position, &local));
    assert_ok(store_messages_head(store, &head));
    assert_int_equal(position, head);
}

static int64_t given(const struct room_id *room, uint64_t seq, int64_t position)
{
    struct store_message message = message_of(room, seq), stored;
    int64_t local;
    message.position = position;
    assert_ok(store_message_import(store, &message, &local));
    assert_ok(store_message_local(store, local, &arena, &stored));
    return stored.position;
}

static void expect_order(const struct room_id *room, size_t wanted)
{
    struct store_message *messages;
    size_t count;
    assert_ok(store_messages(store, room, 0, 1000, &arena, &messages, &count));
    assert_int_equal(count, wanted);
    for (size_t i = 0; i + 1 < count; i++)
        assert_true(messages[i].seq < messages[i + 1].seq);
}

/* A backup is restored into the profile that it was made of, or of another device. */
static void what_is_received_after_the_past_was_given_is_not_taken_for_a_repeat(void **state)
{
    (void)state;
    received(&kitchen, 1);
    received(&cellar, 1);
    (void)given(&kitchen, 2, 3); /* the very next */
    received(&kitchen, 3);
    (void)given(&kitchen, 4, INT64_MAX);
    (void)given(&cellar, 2, (int64_t)1 << 40);
    (void)given(&cellar, 3, 1); /* in front of its neighbour */
    received(&cellar, 4);
    received(&kitchen, 5);
    expect_order(&kitchen, 5);
    expect_order(&cellar, 4);
}

/* One that waited takes its place. */
static void what_waits_takes_a_place_of_its_own(void **state)
{
    (void)state;
    struct store_message waits = message_of(&kitchen, 0);
    int64_t position, local;
    received(&kitchen, 1);
    waits.state = STORE_MESSAGE_WAITING;
    waits.own = true;
    waits.client_id = "c1";
    assert_ok(store_message_add(store, &waits, &position, &local));
    (void)given(&cellar, 1, 2);
    assert_ok(store_message_place(store, &kitchen, "c1", 2, 7, (sotto_bytes){0}, (sotto_bytes){0},
                                  &position));
    expect_order(&kitchen, 2);
}

/* This device died before it saw that a message was sent; another one gives it as the past. */
static void what_waits_here_and_was_sent_takes_the_place_that_is_given(void **state)
{
    (void)state;
    static const char *const ids[] = {"waits", "failed"};
    struct store_message message = message_of(&kitchen, 0), stored;
    struct store_listing listing;
    int64_t position, local, placed;
    received(&kitchen, 1);
    assert_ok(store_messages_head_put(store, 1000));
    for (unsigned i = 0; i < 2; i++) {
        message.seq = 0;
        message.state = STORE_MESSAGE_WAITING;
        message.own = true;
        message.client_id = ids[i];
        message.content_id = sotto_bytes_str(ids[i]);
        message.text = sotto_bytes_str("as it was written");
        assert_ok(store_message_add(store, &message, &position, &local));
        if (i == 1)
            assert_ok(store_message_fail(store, &kitchen, "failed"));
        if (i == 0)
            received(&kitchen, 9);
        message.seq = 5 + i;
        message.state = STORE_MESSAGE_SENT;
        message.client_id = "";
        message.position = 50 + i;
        message.text = sotto_bytes_str("as it was edited");
        assert_ok(store_message_import(store, &message, &placed));
        assert_int_equal(placed, local);
        assert_ok(store_message_by_client(store, &kitchen, ids[i], &arena, &stored));
        assert_int_equal(stored.seq, 5 + i);
        assert_int_equal(stored.state, STORE_MESSAGE_SENT);
        assert_bytes(stored.text, message.text);
        /* The log shows it, or says it once more. */
        assert_error(store_message_place(store, &kitchen, ids[i], 5 + i, 7, (sotto_bytes){0},
                                         message.content_id, &position),
                     EXISTS);
        assert_ok(store_listing_get(store, &kitchen, &arena, &listing));
        assert_ok(store_message_local(store, listing.last, &arena, &stored));
        assert_int_equal(stored.seq, 9);
    }
    expect_order(&kitchen, 4);
    /* Of somebody else, or without an id, is another one. */
    message.seq = 0;
    message.state = STORE_MESSAGE_WAITING;
    message.client_id = "c3";
    message.content_id = sotto_bytes_str("mine");
    assert_ok(store_message_add(store, &message, &position, &local));
    message.seq = 20;
    message.state = STORE_MESSAGE_RECEIVED;
    message.own = false;
    message.client_id = "";
    assert_ok(store_message_import(store, &message, &placed));
    assert_true(placed != local);
}

/* Who came back into a room says again what may not have come. */
static void what_is_said_again_at_another_place_is_there_once(void **state)
{
    (void)state;
    struct store_message message = message_of(&kitchen, 4);
    int64_t position, local;
    message.content_id = sotto_bytes_str("the same id");
    assert_ok(store_message_add(store, &message, &position, &local));
    message.seq = 9;
    assert_error(store_message_add(store, &message, &position, &local), EXISTS);
    message.content_id = sotto_bytes_str("another id");
    assert_ok(store_message_add(store, &message, &position, &local));
    assert_int_equal(position, 2); /* what was not stored took none */
}

static int64_t began(const struct room_id *room)
{
    int64_t position = -1;
    assert_ok(store_messages_since_joining(store, room, &position));
    return position;
}

static void said(const struct room_id *room, uint64_t seq, enum sotto_message_kind kind,
                 const char *content_id)
{
    int64_t position, local;
    struct store_message message = message_of(room, seq);
    message.kind = kind;
    message.content_id = sotto_bytes_str(content_id);
    assert_ok(store_message_add(store, &message, &position, &local));
}

/* What a device of one's own is given of a room that it is put into later. */
static void what_was_said_since_one_came_in_is_found(void **state)
{
    (void)state;
    assert_int_equal(began(&kitchen), 0);
    said(&kitchen, 1, SOTTO_KIND_ADDED, ""); /* position 1 */
    assert_int_equal(began(&kitchen), 0);    /* lines alone */
    said(&kitchen, 2, SOTTO_KIND_TEXT, "a");
    said(&cellar, 1, SOTTO_KIND_TEXT, "b");
    assert_int_equal(began(&kitchen), 1);
    said(&kitchen, 3, SOTTO_KIND_LEFT, "");
    said(&kitchen, 9, SOTTO_KIND_JOINED, ""); /* position 5 */
    assert_int_equal(began(&kitchen), 0);
    said(&kitchen, 10, SOTTO_KIND_FILE, "c");
    assert_int_equal(began(&kitchen), 5);
    said(&kitchen, 11, SOTTO_KIND_JOINED, "");
    assert_int_equal(began(&kitchen), 0);
}

static void what_fits_keeps_its_position(void **state)
{
    (void)state;
    assert_ok(store_messages_head_put(store, 1000));
    received(&kitchen, 9);
    assert_int_equal(given(&kitchen, 5, 50), 50);
    assert_int_equal(given(&kitchen, 6, 60), 60);
    assert_int_equal(given(&cellar, 1, 50), 51);       /* taken */
    assert_int_equal(given(&kitchen, 4, 70), 1);       /* behind what follows it */
    assert_int_equal(given(&kitchen, 10, 2000), 1002); /* nobody's yet: the next */
    received(&kitchen, 11);
    expect_order(&kitchen, 6);
}

static void what_is_here_stays_where_it_is(void **state)
{
    (void)state;
    struct store_message again = message_of(&kitchen, 1);
    int64_t local = 0, head;
    received(&kitchen, 1);
    again.position = 1;
    assert_error(store_message_import(store, &again, &local), EXISTS);
    again.position = 7;
    assert_error(store_message_import(store, &again, &local), EXISTS);
    assert_ok(store_messages_head(store, &head));
    assert_int_equal(head, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            what_is_received_after_the_past_was_given_is_not_taken_for_a_repeat, setup, teardown),
        cmocka_unit_test_setup_teardown(what_waits_takes_a_place_of_its_own, setup, teardown),
        cmocka_unit_test_setup_teardown(what_waits_here_and_was_sent_takes_the_place_that_is_given,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_said_again_at_another_place_is_there_once, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_was_said_since_one_came_in_is_found, setup, teardown),
        cmocka_unit_test_setup_teardown(what_fits_keeps_its_position, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_here_stays_where_it_is, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
