/* Events: what changes in a profile is told to each that wants to know, once, in order; and whoever
 * is too far behind is told that. */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/internal.h"
#include "rpc/events.h"
#include "rpc/json_memory.h"
#include "unit/check.h"
#include "unit/folder.h"

static char folder[64];
static struct sotto *core;
static int ends[2];
static struct client *client;

static const struct room_id room = {{0xA}};

static int start(void **state)
{
    struct sotto_problem problem;
    (void)state;
    assert_true(folder_make(folder, "events"));
    assert_ok(sotto_open(sotto_env_system(), folder, NULL, &core, &problem));
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    client = client_new(sotto_env_system(), 1, ends[0], ends[0], true);
    assert_non_null(client);
    client->subscribed = true;
    return 0;
}

static int stop(void **state)
{
    (void)state;
    client_free(client);
    close(ends[1]);
    sotto_close(core);
    return folder_remove(folder);
}

static void add_room(void)
{
    struct store_room row = {.room = room,
                             .kind = STORE_ROOM_GROUP,
                             .state = STORE_ROOM_ACTIVE,
                             .title = "Kitchen",
                             .relay = "",
                             .trouble = "",
                             .next_seq = 1,
                             .members = 1};
    assert_ok(store_begin(core->store));
    assert_ok(store_room_add(core->store, &row));
    assert_ok(store_commit(core->store));
}

static void add_message(uint64_t seq)
{
    int64_t position, local;
    const struct store_message message = {.room = room,
                                          .seq = seq,
                                          .kind = SOTTO_KIND_TEXT,
                                          .state = STORE_MESSAGE_RECEIVED,
                                          .unread = true,
                                          .sender = {{1}},
                                          .text = sotto_bytes_str("hello")};
    assert_ok(store_message_add(core->store, &message, &position, &local));
}

/* What was pushed, as one array. */
static json_t *pushed(void)
{
    json_t *all = json_array();
    events_push(sotto_env_system(), core, client);
    const char *from = (const char *)client->output.data + client->written;
    size_t left = client->output.size - client->written;
    while (left > 0) {
        const char *end = memchr(from, '\n', left);
        assert_non_null(end);
        json_t *one = json_loadb(from, (size_t)(end - from), 0, NULL);
        assert_non_null(one);
        assert_int_equal(json_array_append_new(all, one), 0);
        left -= (size_t)(end - from) + 1;
        from = end + 1;
    }
    client->written = client->output.size;
    return all;
}

static const char *type_at(const json_t *all, size_t i)
{
    const json_t *params = json_object_get(json_array_get(all, i), "params");
    return json_string_value(json_object_get(params, "type"));
}

static json_int_t number_at(const json_t *all, size_t i)
{
    const json_t *params = json_object_get(json_array_get(all, i), "params");
    return json_integer_value(json_object_get(params, "number"));
}

static void each_change_is_told_once_and_in_order(void **state)
{
    (void)state;
    add_room();
    assert_ok(store_begin(core->store));
    add_message(1);
    assert_ok(store_commit(core->store));
    json_t *all = pushed();
    assert_int_equal(json_array_size(all), 2);
    assert_string_equal(type_at(all, 0), "conversation");
    assert_string_equal(type_at(all, 1), "message");
    assert_int_equal(number_at(all, 0), 1);
    assert_int_equal(number_at(all, 1), 2);
    json_decref(all);
    /* What was rolled back never was. */
    assert_ok(store_begin(core->store));
    add_message(2);
    store_rollback(core->store);
    all = pushed();
    assert_int_equal(json_array_size(all), 0);
    json_decref(all);
    /* Reading is told once; to read again is nothing. */
    for (int i = 0; i < 2; i++) {
        assert_ok(store_begin(core->store));
        assert_ok(store_messages_read(core->store, &room, 1, false, 0));
        assert_ok(store_commit(core->store));
    }
    all = pushed();
    assert_int_equal(json_array_size(all), 1);
    assert_string_equal(type_at(all, 0), "conversation");
    json_decref(all);
    /* A message that is gone is told without it. */
    assert_ok(store_begin(core->store));
    add_message(2);
    assert_ok(store_commit(core->store));
    assert_ok(store_begin(core->store));
    assert_ok(store_room_erase(core->store, &room));
    assert_ok(store_commit(core->store));
    all = pushed();
    assert_int_equal(json_array_size(all), 2);
    assert_string_equal(type_at(all, 0), "message");
    assert_null(json_object_get(json_object_get(json_array_get(all, 0), "params"), "message"));
    assert_string_equal(type_at(all, 1), "conversation");
    json_decref(all);
}

static void who_is_too_far_behind_is_told_so(void **state)
{
    (void)state;
    add_room();
    assert_ok(store_begin(core->store));
    for (unsigned i = 0; i < SOTTO_EVENTS_KEPT; i++)
        assert_ok(store_event_add(core->store, SOTTO_EVENT_CONVERSATION, room.bytes));
    assert_ok(store_commit(core->store));
    uint64_t oldest, newest;
    assert_ok(sotto_events_range(core, &oldest, &newest));
    assert_int_equal(newest, SOTTO_EVENTS_KEPT + 1);
    assert_int_equal(oldest, 2);
    client->event = 0;
    json_t *all = pushed();
    assert_int_equal(json_array_size(all), 1);
    assert_string_equal(json_string_value(json_object_get(json_array_get(all, 0), "method")),
                        "overflow");
    assert_int_equal(client->event, newest);
    json_decref(all);
    /* So is who names one that was not given yet: the number is of another profile. */
    client->event = newest + 5;
    all = pushed();
    assert_int_equal(json_array_size(all), 1);
    assert_int_equal(client->event, newest);
    json_decref(all);
    /* One who has the first that was dropped misses nothing. */
    client->event = 1;
    size_t count = 0;
    while (client->event < newest) {
        all = pushed();
        assert_true(json_array_size(all) > 0);
        assert_int_equal(number_at(all, 0), (json_int_t)(count + 2));
        count += json_array_size(all);
        json_decref(all);
    }
    assert_int_equal(count, SOTTO_EVENTS_KEPT);
}

static void a_client_that_does_not_read_keeps_its_events_on_disk(void **state)
{
    (void)state;
    add_room();
    assert_ok(store_begin(core->store));
    for (unsigned i = 0; i < 5000; i++)
        assert_ok(store_event_add(core->store, SOTTO_EVENT_CONVERSATION, room.bytes));
    assert_ok(store_commit(core->store));
    for (int i = 0; i < 3; i++)
        events_push(sotto_env_system(), core, client);
    assert_true(client_is_full(client));
    assert_true(client->output.size < 2 * CLIENT_OUT_HIGH);
    assert_true(client->event < 5001);
}

int main(void)
{
    json_memory_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_change_is_told_once_and_in_order, start, stop),
        cmocka_unit_test_setup_teardown(who_is_too_far_behind_is_told_so, start, stop),
        cmocka_unit_test_setup_teardown(a_client_that_does_not_read_keeps_its_events_on_disk, start,
                                        stop),
    };
    return cmocka_run_group_tests_name("rpc_events", tests, NULL, NULL);
}
