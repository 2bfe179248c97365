#include "unit/relay_world.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sqlite3.h>

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

/* ---- Rooms ---------------------------------------------------------------------------------- */

static void an_append_gets_the_next_seq(void **state)
{
    struct relay_world *world = *state;
    assert_int_equal(do_create(world, 1, 10, 20), 0);
    assert_int_equal(say(world, 1, 100, 0, 10), 1);
    assert_int_equal(say(world, 1, 101, 0, 10), 2);
    assert_int_equal(do_create(world, 2, 11, 21), 0);
    assert_int_equal(say(world, 2, 102, 0, 11), 1);
}

static void an_unknown_room_and_a_wrong_token_look_alike(void **state)
{
    struct relay_world *world = *state;
    struct append_try try = {.room = 9, .id = 1, .token = 10};
    struct store_room_open open;
    assert_int_equal(do_append(world, &try), WIRE_CODE_NO_ROOM);
    assert_int_equal(do_open(world, 9, 20, &open), WIRE_CODE_NO_ROOM);
    do_create(world, 9, 10, 20);
    try.token = 11;
    assert_int_equal(do_append(world, &try), WIRE_CODE_NO_ROOM);
    assert_int_equal(do_open(world, 9, 21, &open), WIRE_CODE_NO_ROOM);
    assert_int_equal(do_open(world, 9, 10, &open), WIRE_CODE_NO_ROOM); /* the write token */
}

static void creating_again_succeeds_while_the_room_is_empty(void **state)
{
    struct relay_world *world = *state;
    assert_int_equal(do_create(world, 1, 10, 20), 0);
    assert_int_equal(do_create(world, 1, 10, 20), 0);
    assert_int_equal(do_create(world, 1, 11, 20), WIRE_CODE_ROOM_EXISTS);
    assert_int_equal(do_create(world, 1, 10, 21), WIRE_CODE_ROOM_EXISTS);
    say(world, 1, 100, 0, 10);
    assert_int_equal(do_create(world, 1, 10, 20), WIRE_CODE_ROOM_EXISTS);
}

static void one_of_two_racing_commits_wins(void **state)
{
    struct relay_world *world = *state;
    struct append_try first = {.room = 1, .id = 1, .token = 10, .commit = true, .next_write = 11};
    struct append_try second = {.room = 1, .id = 2, .token = 10, .commit = true, .next_write = 12};
    do_create(world, 1, 10, 20);
    assert_int_equal(do_append(world, &first), 0);
    assert_int_equal(do_append(world, &second), WIRE_CODE_STALE_EPOCH);
    assert_int_equal(second.detail, 1);
    assert_int_equal(say(world, 1, 3, 1, 12), 0); /* the loser's gate never was */
    assert_int_equal(say(world, 1, 4, 1, 11), 2);
    assert_int_equal(say(world, 1, 5, 0, 10), 0); /* the old epoch is over */
}

static void a_retry_gets_the_first_answer_even_when_the_epoch_moved_on(void **state)
{
    struct relay_world *world = *state;
    struct append_try commit = {.room = 1, .id = 2, .token = 10, .commit = true, .next_write = 11};
    do_create(world, 1, 10, 20);
    assert_int_equal(say(world, 1, 1, 0, 10), 1);
    assert_int_equal(do_append(world, &commit), 0);
    assert_int_equal(commit.seq, 2);
    assert_int_equal(say(world, 1, 1, 0, 10), 1);
    assert_int_equal(do_append(world, &commit), 0);
    assert_int_equal(commit.seq, 2);
    assert_int_equal(world_query(world, "SELECT count(*) FROM entries"), 2);
    assert_int_equal(world_query(world, "SELECT epoch FROM rooms"), 1);
}

static void the_removed_read_up_to_their_commit_and_no_further(void **state)
{
    struct relay_world *world = *state;
    struct append_try removal = {
        .room = 1, .id = 2, .token = 10, .commit = true, .next_write = 11, .next_read = 21};
    struct store_room_open open;
    do_create(world, 1, 10, 20);
    say(world, 1, 1, 0, 10);
    assert_int_equal(do_append(world, &removal), 0);
    assert_int_equal(say(world, 1, 3, 1, 11), 3);
    assert_int_equal(do_open(world, 1, 20, &open), 0);
    assert_int_equal(open.until, 2);
    assert_int_equal(open.head, 2);
    assert_int_equal(open.epoch, 1);
    assert_int_equal(do_open(world, 1, 21, &open), 0);
    assert_true(open.until == UINT64_MAX);
    assert_int_equal(open.head, 3);
    assert_int_equal(open.first, 1);
    /* A second removal closes only the gate that was open. */
    removal = (struct append_try){.room = 1,
                                  .id = 4,
                                  .epoch = 1,
                                  .token = 11,
                                  .commit = true,
                                  .next_write = 12,
                                  .next_read = 22};
    assert_int_equal(do_append(world, &removal), 0);
    assert_int_equal(do_open(world, 1, 20, &open), 0);
    assert_int_equal(open.until, 2);
    assert_int_equal(do_open(world, 1, 21, &open), 0);
    assert_int_equal(open.until, 4);
    assert_int_equal(open.epoch, 2);
}

static void a_commit_without_a_read_gate_leaves_it_open(void **state)
{
    struct relay_world *world = *state;
    struct append_try commit = {.room = 1, .id = 1, .token = 10, .commit = true, .next_write = 11};
    struct store_room_open open;
    do_create(world, 1, 10, 20);
    do_append(world, &commit);
    assert_int_equal(do_open(world, 1, 20, &open), 0);
    assert_true(open.until == UINT64_MAX);
    assert_int_equal(open.epoch, 1);
}

static void a_fetch_gives_entries_in_order_and_within_its_span(void **state)
{
    struct relay_world *world = *state;
    struct store_room_open open;
    unsigned ids[FETCH_COUNT];
    do_create(world, 1, 10, 20);
    for (unsigned i = 1; i <= 300; i++)
        assert_int_equal(say(world, 1, 1000 + i, 0, 10), i);
    do_open(world, 1, 20, &open);
    assert_int_equal(do_fetch(world, open.key, 5, 9, ids, FETCH_COUNT), 5);
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(ids[i], 1005 + i);
    assert_int_equal(do_fetch(world, open.key, 1, UINT64_MAX, ids, FETCH_COUNT), FETCH_COUNT);
    assert_int_equal(do_fetch(world, open.key, 301, UINT64_MAX, ids, FETCH_COUNT), 0);
}

static void a_fetch_is_cut_by_size_but_gives_one_entry_at_least(void **state)
{
    struct relay_world *world = *state;
    struct store_room_open open;
    unsigned ids[FETCH_COUNT];
    uint8_t *large = calloc(1, WIRE_ENTRY_MAX);
    struct append_try try = {.room = 1, .token = 10, .bytes = {large, WIRE_ENTRY_MAX}};
    do_create(world, 1, 10, 20);
    for (try.id = 1; try.id <= 2; try.id++)
        assert_int_equal(do_append(world, &try), 0);
    do_open(world, 1, 20, &open);
    assert_int_equal(do_fetch(world, open.key, 1, UINT64_MAX, ids, FETCH_COUNT), 1);
    assert_int_equal(ids[0], 1);
    free(large);
}

static void a_notice_follows_each_entry_and_names_the_gate_it_closed(void **state)
{
    struct relay_world *world = *state;
    struct append_try removal = {
        .room = 1, .id = 2, .token = 10, .commit = true, .next_write = 11, .next_read = 21};
    struct gate closed = token_gate(20);
    do_create(world, 1, 10, 20);
    say(world, 1, 1, 0, 10);
    say(world, 1, 1, 0, 10); /* a retry is no news */
    do_append(world, &removal);
    say(world, 1, 3, 0, 10); /* refused */
    world_listen(world);
    assert_int_equal(world->heard_count, 2);
    assert_int_equal(world->heard[0].seq, 1);
    assert_false(world->heard[0].closes_gate);
    assert_int_equal(world->heard[1].seq, 2);
    assert_true(world->heard[1].closes_gate);
    assert_memory_equal(&world->heard[1].closed_gate, &closed, sizeof closed);
}

static void a_stale_append_does_not_disturb_its_batch(void **state)
{
    struct relay_world *world = *state;
    enum { N = 300 };
    const unsigned done = N - N / 3;
    do_create(world, 1, 10, 20);
    /* Submitted without waiting, so that many share a transaction; every third is refused. */
    for (unsigned i = 1; i <= N; i++) {
        struct append_try try = {.room = 1, .id = i, .epoch = i % 3 == 0 ? 7 : 0, .token = 10};
        store_submit(world->store, append_op(world, &try));
    }
    struct append_try last = {.room = 1, .id = N + 1, .token = 10};
    assert_int_equal(do_append(world, &last), 0);
    assert_int_equal(last.seq, done + 1);
    assert_int_equal(world_query(world, "SELECT count(*) FROM entries"), done + 1);
}

static void a_damaged_row_stops_its_own_operations_only(void **state)
{
    struct relay_world *world = *state;
    enum { N = 200 };
    struct append_try on_damaged = {.room = 2, .id = 1, .token = 11};
    struct store_room_open open;
    sqlite3 *db;
    do_create(world, 1, 10, 20);
    do_create(world, 2, 11, 21);
    assert_int_equal(sqlite3_open(world->path, &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(db, "UPDATE rooms SET write_gate = x'0102' WHERE key = 2", NULL, NULL, NULL),
        SQLITE_OK);
    sqlite3_close(db);
    world->health_changes = 0;
    for (unsigned i = 1; i <= N; i++) {
        const struct append_try good = {.room = 1, .id = i, .token = 10};
        const struct append_try bad = {.room = 2, .id = i, .token = 11};
        store_submit(world->store, append_op(world, &good));
        if (i % 50 == 0)
            store_submit(world->store, append_op(world, &bad));
    }
    assert_int_equal(do_append(world, &on_damaged), WIRE_CODE_UNAVAILABLE);
    assert_int_equal(say(world, 1, N + 1, 0, 10), N + 1);
    assert_int_equal(world_query(world, "SELECT count(*) FROM entries WHERE room = 1"), N + 1);
    assert_int_equal(world_query(world, "SELECT count(*) FROM entries WHERE room = 2"), 0);
    assert_int_equal(store_corrupt(world->store), N / 50 + 1);
    assert_int_equal(do_open(world, 2, 21, &open), WIRE_CODE_UNAVAILABLE);
    assert_int_equal(store_corrupt(world->store), N / 50 + 2);
    assert_int_equal(world->health_changes, 0);
}

static void what_was_acknowledged_survives_reopening(void **state)
{
    struct relay_world *world = *state;
    struct store_room_open open;
    do_create(world, 1, 10, 20);
    say(world, 1, 1, 0, 10);
    world_close(world);
    world_reopen(world, NULL);
    assert_int_equal(say(world, 1, 2, 0, 10), 2);
    assert_int_equal(do_open(world, 1, 20, &open), 0);
    assert_int_equal(open.head, 2);
}

/* ---- Crash ---------------------------------------------------------------------------------- */

static struct relay_world *crash_world;
static int crash_pipe;

static void report_append(struct store_op *op)
{
    unsigned id = op->request;
    if (op->code == 0)
        assert_int_equal(write(crash_pipe, &id, sizeof id), sizeof id);
}

/* Appends without end, telling the pipe of each that was acknowledged. */
static void append_forever(void)
{
    struct relay_world *world = crash_world;
    world_reopen(world, NULL);
    for (unsigned id = 1;; id++) {
        struct append_try try = {.room = 1, .id = id, .token = 10};
        struct store_op *op = append_op(world, &try);
        op->port = world->port;
        op->done = report_append;
        op->request = id;
        store_submit(world->store, op);
        store_port_run(world->port);
    }
}

static void nothing_acknowledged_is_lost_when_the_process_is_killed(void **state)
{
    struct relay_world *world = *state;
    struct store_room_open open;
    do_create(world, 1, 10, 20);
    world_close(world);
    for (int round = 0; round < 5; round++) {
        int ends[2];
        unsigned id, last = 0, count = 0;
        assert_int_equal(pipe(ends), 0);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            crash_world = world;
            crash_pipe = ends[1];
            alarm(120); /* whatever goes wrong in here, it ends */
            append_forever();
        }
        close(ends[1]);
        while (read(ends[0], &id, sizeof id) == sizeof id) {
            last = id;
            if (++count == 200u * (unsigned)(round + 1))
                kill(child, SIGKILL);
        }
        close(ends[0]);
        waitpid(child, NULL, 0);
        world_reopen(world, NULL);
        assert_int_equal(do_open(world, 1, 20, &open), 0);
        /* Each round begins with id 1 again: retries of what is there, then new ones. All up to
         * the last acknowledged are there, in order and without a hole. */
        assert_true(open.head >= last);
        assert_int_equal(world_query(world, "SELECT count(*) FROM entries"), (int64_t)open.head);
        assert_int_equal(world_query(world, "SELECT max(seq) FROM entries"), (int64_t)open.head);
        unsigned ids[FETCH_COUNT];
        for (uint64_t seq = 1; seq <= open.head; seq += FETCH_COUNT) {
            size_t got = do_fetch(world, open.key, seq, seq + FETCH_COUNT - 1, ids, FETCH_COUNT);
            for (size_t i = 0; i < got; i++)
                assert_int_equal(ids[i], seq + i);
        }
        world_close(world);
    }
    world_reopen(world, NULL);
}

/* ---- Expiry --------------------------------------------------------------------------------- */

static void old_entries_expire_and_the_room_goes_on(void **state)
{
    struct relay_world *world = *state;
    struct store_room_open open;
    unsigned ids[8];
    do_create(world, 1, 10, 20);
    say(world, 1, 1, 0, 10);
    say(world, 1, 2, 0, 10);
    world->now += 10 * 86400;
    say(world, 1, 3, 0, 10);
    assert_int_equal(do_expire(world, WORLD_DAY + 30, -1), 0);
    assert_int_equal(do_expire(world, WORLD_DAY + 31, -1), 2);
    do_open(world, 1, 20, &open);
    assert_int_equal(open.first, 3);
    assert_int_equal(open.head, 3);
    assert_int_equal(do_fetch(world, open.key, 1, UINT64_MAX, ids, 8), 1);
    assert_int_equal(ids[0], 3);
    assert_int_equal(do_expire(world, WORLD_DAY + 41, -1), 1);
    assert_int_equal(world_query(world, "SELECT bytes FROM rooms"), 0);
    assert_int_equal(say(world, 1, 4, 0, 10), 4);
    do_open(world, 1, 20, &open);
    assert_int_equal(open.first, 4);
}

static void a_room_left_alone_for_a_year_goes(void **state)
{
    struct relay_world *world = *state;
    struct store_room_open open;
    do_create(world, 1, 10, 20);
    say(world, 1, 1, 0, 10);
    do_create(world, 2, 10, 20); /* never written to */
    do_expire(world, WORLD_DAY + 365, -1);
    assert_int_equal(do_open(world, 1, 20, &open), 0);
    do_expire(world, WORLD_DAY + 366, -1);
    assert_int_equal(do_open(world, 1, 20, &open), WIRE_CODE_NO_ROOM);
    assert_int_equal(world_query(world, "SELECT count(*) FROM rooms"), 0);
    assert_int_equal(world_query(world, "SELECT count(*) FROM read_gates"), 0);
    assert_int_equal(world_query(world, "SELECT count(*) FROM entries"), 0);
}

static void a_clock_that_was_set_back_leaves_no_hole(void **state)
{
    struct relay_world *world = *state;
    struct store_room_open open;
    unsigned ids[8];
    do_create(world, 1, 10, 20);
    world->now += 20 * 86400;
    say(world, 1, 1, 0, 10); /* day + 20 */
    world->now -= 20 * 86400;
    say(world, 1, 2, 0, 10); /* day */
    world->now += 20 * 86400;
    say(world, 1, 3, 0, 10);
    do_expire(world, WORLD_DAY + 31, -1);
    do_open(world, 1, 20, &open);
    assert_int_equal(open.first, 3);
    assert_int_equal(do_fetch(world, open.key, 1, UINT64_MAX, ids, 8), 1);
}

static void a_clock_that_stood_ahead_keeps_nothing_forever(void **state)
{
    struct relay_world *world = *state;
    do_create(world, 1, 10, 20);
    world->now += 4000ull * 86400;
    say(world, 1, 1, 0, 10);
    do_expire(world, WORLD_DAY + 1, -1);
    assert_int_equal(world_query(world, "SELECT day FROM entries"), WORLD_DAY + 1);
    assert_int_equal(do_expire(world, WORLD_DAY + 32, -1), 1);
}

static void a_clock_that_was_never_set_erases_nothing(void **state)
{
    struct relay_world *world = *state;
    do_create(world, 1, 10, 20);
    say(world, 1, 1, 0, 10);
    assert_int_equal(do_expire(world, 3, -1), 0);
    assert_int_equal(world_query(world, "SELECT day FROM entries"), WORLD_DAY);
}

static void much_expires_a_little_at_a_time(void **state)
{
    struct relay_world *world = *state;
    enum { N = EXPIRE_ROWS + 500 };
    do_create(world, 1, 10, 20);
    for (unsigned i = 1; i <= N; i++) {
        struct append_try try = {.room = 1, .id = i, .token = 10};
        store_submit(world->store, append_op(world, &try));
    }
    assert_int_equal(do_expire(world, WORLD_DAY + 31, -1), N);
}

/* ---- The schema ----------------------------------------------------------------------------- */

static void only_the_owner_can_read_the_file(void **state)
{
    struct relay_world *world = *state;
    struct stat stat_of;
    char wal[128];
    do_create(world, 1, 10, 20);
    assert_int_equal(stat(world->path, &stat_of), 0);
    assert_int_equal(stat_of.st_mode & 0777, 0600);
    snprintf(wal, sizeof wal, "%s-wal", world->path);
    assert_int_equal(stat(wal, &stat_of), 0);
    assert_int_equal(stat_of.st_mode & 0777, 0600);
}

static void a_newer_schema_is_refused(void **state)
{
    struct relay_world *world = *state;
    const struct store_sqlite_options options = {.path = world->path, .readers = 1};
    struct store *store;
    const char *why;
    sqlite3 *db;
    char back[64];
    snprintf(back, sizeof back, "PRAGMA user_version=%d",
             (int)world_query(world, "PRAGMA user_version"));
    world_close(world);
    assert_int_equal(sqlite3_open(world->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "PRAGMA user_version=99", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    assert_error(store_sqlite_open(&world->env, &options, &store, &why), VERSION);
    assert_int_equal(sqlite3_open(world->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, back, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    world_reopen(world, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_append_gets_the_next_seq),
        TEST(an_unknown_room_and_a_wrong_token_look_alike),
        TEST(creating_again_succeeds_while_the_room_is_empty),
        TEST(one_of_two_racing_commits_wins),
        TEST(a_retry_gets_the_first_answer_even_when_the_epoch_moved_on),
        TEST(the_removed_read_up_to_their_commit_and_no_further),
        TEST(a_commit_without_a_read_gate_leaves_it_open),
        TEST(a_fetch_gives_entries_in_order_and_within_its_span),
        TEST(a_fetch_is_cut_by_size_but_gives_one_entry_at_least),
        TEST(a_notice_follows_each_entry_and_names_the_gate_it_closed),
        TEST(a_stale_append_does_not_disturb_its_batch),
        TEST(a_damaged_row_stops_its_own_operations_only),
        TEST(what_was_acknowledged_survives_reopening),
        TEST(nothing_acknowledged_is_lost_when_the_process_is_killed),
        TEST(old_entries_expire_and_the_room_goes_on),
        TEST(a_room_left_alone_for_a_year_goes),
        TEST(a_clock_that_was_set_back_leaves_no_hole),
        TEST(a_clock_that_stood_ahead_keeps_nothing_forever),
        TEST(a_clock_that_was_never_set_erases_nothing),
        TEST(much_expires_a_little_at_a_time),
        TEST(only_the_owner_can_read_the_file),
        TEST(a_newer_schema_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
