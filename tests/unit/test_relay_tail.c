/* The tail of the log (tail.h): nothing changes to the eye as entries move into the indexes. */
#include <poll.h>

#include "relay/check.h"
#include "relay/tail.h"
#include "unit/relay_world.h"

enum { MANY = TAIL_ENTRIES + 4000, ROOMS = 9, BATCH = 1024 };

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

static void assert_checked(struct relay_world *world)
{
    char problem[CONFIG_TEXT] = "";
    if (!check_store(world->path, problem))
        fail_msg("%s", problem);
}

static void on_done(struct store_op *op)
{
    if (op->code == 0)
        ++*(size_t *)op->ctx;
}

/* Half of them in the first room, the rest in the others. */
static unsigned room_of_id(unsigned id)
{
    return id % 2 == 0 ? 1 : 2 + id / 2 % (ROOMS - 1);
}

/* Many at a time, as from many clients. */
static void append_many(struct relay_world *world)
{
    size_t done = 0;
    struct pollfd wait = {.fd = store_port_fd(world->port), .events = POLLIN};
    for (unsigned id = 1; id <= MANY; id++) {
        const struct append_try try = {.room = room_of_id(id), .id = id, .token = 10};
        struct store_op *op = append_op(world, &try);
        op->port = world->port;
        op->done = on_done;
        op->ctx = &done;
        store_submit(world->store, op);
        while (id - done >= BATCH || (id == MANY && done < MANY)) {
            assert_true(poll(&wait, 1, 30000) > 0);
            store_port_run(world->port);
        }
    }
}

static void assert_all_there(struct relay_world *world)
{
    for (unsigned room = 1; room <= ROOMS; room++) {
        struct store_room_open open = {0};
        unsigned ids[FETCH_COUNT], expected = 0;
        assert_int_equal(do_open(world, room, 20, &open), 0);
        for (uint64_t from = 1; from <= open.head;) {
            size_t count = do_fetch(world, open.key, from, open.head, ids, FETCH_COUNT);
            assert_true(count > 0);
            for (size_t i = 0; i < count; i++) {
                do
                    expected++;
                while (room_of_id(expected) != room);
                assert_int_equal(ids[i], expected);
            }
            from += count;
        }
        assert_true(expected + 2 * ROOMS > MANY);
    }
}

static void all_is_read_in_order_and_known_again_while_part_of_it_is_indexed(void **state)
{
    struct relay_world *world = *state;
    for (unsigned room = 1; room <= ROOMS; room++)
        assert_int_equal(do_create(world, room, 10, 20), 0);
    append_many(world);
    int64_t indexed = world_query(world, "SELECT count(*) FROM entry_index");
    assert_true(indexed > 0 && indexed < MANY);
    assert_int_equal(world_query(world, "SELECT count(*) FROM append_ids"), indexed);
    assert_all_there(world);
    assert_int_equal(say(world, 1, 2, 0, 10), 1);
    assert_int_equal(say(world, 1, MANY, 0, 10), MANY / 2);
    assert_checked(world);

    world_close(world);
    world_reopen(world, NULL);
    assert_all_there(world);
    assert_int_equal(say(world, 1, 2, 0, 10), 1);
    assert_int_equal(say(world, 1, MANY, 0, 10), MANY / 2);
    assert_int_equal(say(world, 1, MANY + 2, 0, 10), MANY / 2 + 1);
    assert_checked(world);
}

/* While they are looked up one by one, and from when on they are in memory (append_filter.h). */
static void a_retry_is_known_however_often_its_room_was_asked_for_since_the_start(void **state)
{
    struct relay_world *world = *state;
    unsigned seq = 0, tries = 0;
    for (unsigned room = 1; room <= ROOMS; room++)
        assert_int_equal(do_create(world, room, 10, 20), 0);
    append_many(world);
    world_close(world);
    world_reopen(world, NULL);
    for (unsigned id = 1; tries < 400; id++) {
        if (room_of_id(id) != 2)
            continue;
        seq++;
        if (seq % 4 == 0)
            assert_int_equal(say(world, 2, id, 0, 10), seq);
        tries += seq % 4 == 0;
    }
    int64_t next = world_query(world, "SELECT next_seq FROM rooms WHERE key=2");
    assert_int_equal(say(world, 2, MANY + 1, 0, 10), next);
    assert_checked(world);
}

static void a_position_is_not_given_out_twice_though_all_entries_expired(void **state)
{
    struct relay_world *world = *state;
    unsigned id = 0;
    struct store_room_open open = {0};
    assert_int_equal(do_create(world, 1, 10, 20), 0);
    for (unsigned i = 1; i <= 5; i++)
        assert_int_equal(say(world, 1, i, 0, 10), i);
    world->now += (uint64_t)40 * 86400;
    assert_int_equal(do_expire(world, WORLD_DAY + 40, -1), 5);
    assert_int_equal(world_query(world, "SELECT count(*) FROM entry_index"), 0);
    assert_int_equal(world_query(world, "SELECT count(*) FROM append_ids"), 0);
    world_close(world);
    world_reopen(world, NULL);
    assert_int_equal(say(world, 1, 6, 0, 10), 6);
    world_close(world);
    world_reopen(world, NULL);
    assert_int_equal(say(world, 1, 6, 0, 10), 6);
    assert_int_equal(do_open(world, 1, 20, &open), 0);
    assert_int_equal(do_fetch(world, open.key, 6, 6, &id, 1), 1);
    assert_int_equal(id, 6);
    assert_checked(world);
}

static void what_expires_is_found_although_it_was_in_no_index(void **state)
{
    struct relay_world *world = *state;
    assert_int_equal(do_create(world, 1, 10, 20), 0);
    assert_int_equal(say(world, 1, 1, 0, 10), 1);
    world->now += (uint64_t)40 * 86400;
    assert_int_equal(say(world, 1, 2, 0, 10), 2);
    assert_int_equal(do_expire(world, WORLD_DAY + 40, -1), 1);
    assert_int_equal(say(world, 1, 2, 0, 10), 2); /* known again */
    assert_int_equal(say(world, 1, 1, 0, 10), 3); /* not known any more */
    assert_int_equal(world_query(world, "SELECT count(*) FROM entries"), 2);
    assert_checked(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(all_is_read_in_order_and_known_again_while_part_of_it_is_indexed),
        TEST(a_retry_is_known_however_often_its_room_was_asked_for_since_the_start),
        TEST(a_position_is_not_given_out_twice_though_all_entries_expired),
        TEST(what_expires_is_found_although_it_was_in_no_index),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
