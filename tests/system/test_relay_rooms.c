/* The room connection of a real relay. */
#include "system/relay_process.h"

#include <stdlib.h>
#include <unistd.h>

static int begin(void **state)
{
    static const char *const options[] = {"--rate-limit", "off", "--room-mib", "0", NULL};
    struct relay_process *relay = malloc(sizeof *relay);
    relay_begin(relay, options);
    *state = relay;
    return 0;
}

static int end(void **state)
{
    relay_end(*state);
    free(*state);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

static struct message commit_of(unsigned room, unsigned id, uint64_t epoch, unsigned token,
                                unsigned next_write, unsigned next_read)
{
    struct message message = append_of(room, id, epoch, token, sotto_bytes_str("commit"));
    message.append.kind = ENTRY_COMMIT;
    message.append.next_write_gate = test_gate(next_write);
    message.append.has_next_read_gate = next_read != 0;
    message.append.next_read_gate = test_gate(next_read);
    return message;
}

static void two_people_write_and_hear_one_another(void **state)
{
    struct relay_process *relay = *state;
    struct link *anna = client_open(relay, CONNECTION_ROOM);
    struct link *ben = client_open(relay, CONNECTION_ROOM);
    unsigned ids[4] = {0};
    struct listener ears = {.ids = ids, .ids_max = 4}, own = {0};
    uint64_t seq;
    assert_int_equal(client_create(anna, 1, 10, 20), 0);
    assert_int_equal(client_create(anna, 1, 10, 20), 0);
    assert_int_equal(client_create(ben, 1, 11, 20), WIRE_CODE_ROOM_EXISTS);
    assert_int_equal(client_say(anna, 1, 101, 0, 10, &seq), 0);
    assert_int_equal(seq, 1);
    assert_int_equal(client_listen(ben, 1, 20, 1, &ears), 0);
    assert_int_equal(ears.head, 1);
    assert_int_equal(ears.first, 1);
    assert_int_equal(ears.epoch, 0);
    assert_true(client_hear(ben, &ears, 1));
    assert_int_equal(client_listen(anna, 1, 20, 2, &own), 0);
    assert_int_equal(client_say(anna, 1, 102, 0, 10, NULL), 0);
    assert_int_equal(client_say(ben, 1, 103, 0, 10, &seq), 0);
    assert_int_equal(seq, 3);
    assert_true(client_hear(ben, &ears, 3));
    assert_true(client_hear(anna, &own, 2));
    assert_int_equal(ids[0], 101);
    assert_int_equal(ids[1], 102);
    assert_int_equal(ids[2], 103);
    assert_false(ears.gap || own.gap);
    link_free(anna);
    link_free(ben);
}

static void a_room_does_not_tell_strangers_that_it_exists(void **state)
{
    struct relay_process *relay = *state;
    struct link *link = client_open(relay, CONNECTION_ROOM);
    struct listener ears = {0};
    client_create(link, 1, 10, 20);
    assert_int_equal(client_say(link, 1, 1, 0, 11, NULL), WIRE_CODE_NO_ROOM);
    assert_int_equal(client_say(link, 2, 1, 0, 11, NULL), WIRE_CODE_NO_ROOM);
    assert_int_equal(client_listen(link, 1, 21, 1, &ears), WIRE_CODE_NO_ROOM);
    assert_int_equal(client_listen(link, 2, 20, 1, &ears), WIRE_CODE_NO_ROOM);
    link_free(link);
}

struct race {
    unsigned won, stale, other, answers;
};

static void on_raced(void *ctx, sotto_error error, const struct message *answer)
{
    struct race *race = ctx;
    race->answers++;
    if (error == SOTTO_OK)
        race->won++;
    else if (error == SOTTO_REFUSED && answer->error.code == WIRE_CODE_STALE_EPOCH)
        race->stale++;
    else
        race->other++;
}

static void exactly_one_of_many_racing_commits_wins(void **state)
{
    struct relay_process *relay = *state;
    enum { PEOPLE = 4, EPOCHS = 20 };
    struct link *people[PEOPLE];
    for (size_t i = 0; i < PEOPLE; i++)
        people[i] = client_open(relay, CONNECTION_ROOM);
    assert_int_equal(client_create(people[0], 1, 10, 20), 0);
    for (unsigned epoch = 0; epoch < EPOCHS; epoch++) {
        struct race race = {0};
        for (unsigned i = 0; i < PEOPLE; i++) {
            struct message commit =
                commit_of(1, epoch * PEOPLE + i + 1, epoch, 10 + epoch, 11 + epoch, 0);
            assert_ok(link_request(people[i], &commit, on_raced, &race, NULL));
        }
        for (unsigned tries = 0; tries < 60000 && race.answers < PEOPLE; tries++)
            for (size_t i = 0; i < PEOPLE; i++)
                client_run(people[i], 1, NULL, NULL);
        assert_int_equal(race.won, 1);
        assert_int_equal(race.stale, PEOPLE - 1);
    }
    for (size_t i = 0; i < PEOPLE; i++)
        link_free(people[i]);
}

static void a_removed_member_is_cut_off_behind_the_commit(void **state)
{
    struct relay_process *relay = *state;
    struct link *anna = client_open(relay, CONNECTION_ROOM);
    struct link *ben = client_open(relay, CONNECTION_ROOM);
    struct listener live = {0}, late = {0}, fresh = {0};
    const struct message removal = commit_of(1, 2, 0, 10, 11, 21);
    client_create(anna, 1, 10, 20);
    client_say(anna, 1, 1, 0, 10, NULL);
    assert_int_equal(client_listen(ben, 1, 20, 1, &live), 0);
    assert_true(client_hear(ben, &live, 1));
    assert_int_equal(client_ask(anna, &removal), 0);
    assert_int_equal(client_say(anna, 1, 3, 1, 11, NULL), 0);
    assert_true(client_hear(ben, &live, 100)); /* until it ends */
    assert_int_equal(live.entries, 2);
    assert_int_equal(live.ended, WIRE_CODE_GATE_CLOSED);
    /* Who was away reads on up to the commit, and no further. */
    assert_int_equal(client_listen(ben, 1, 20, 1, &late), 0);
    assert_int_equal(late.head, 2);
    assert_true(client_hear(ben, &late, 100));
    assert_int_equal(late.entries, 2);
    assert_int_equal(late.ended, WIRE_CODE_GATE_CLOSED);
    assert_int_equal(client_listen(anna, 1, 21, 1, &fresh), 0);
    assert_true(client_hear(anna, &fresh, 3));
    assert_int_equal(client_say(ben, 1, 4, 0, 10, NULL), WIRE_CODE_STALE_EPOCH);
    link_free(anna);
    link_free(ben);
}

struct counted {
    size_t answers, refused;
};

static void on_counted(void *ctx, sotto_error error, const struct message *answer)
{
    (void)answer;
    struct counted *counted = ctx;
    counted->answers++;
    if (error != SOTTO_OK)
        counted->refused++;
}

/* Appends ids from .. to without waiting for each. */
static void say_many(struct link *link, unsigned room, unsigned from, unsigned to, size_t size)
{
    struct counted counted = {0};
    uint8_t *bytes = calloc(1, size);
    for (unsigned id = from; id <= to; id++) {
        struct message message = append_of(room, id, 0, 10, sotto_bytes_of(bytes, size));
        while (link_request(link, &message, on_counted, &counted, NULL) == SOTTO_LIMIT)
            client_run(link, 1, NULL, NULL);
    }
    for (unsigned tries = 0; tries < 600000 && counted.answers < to - from + 1; tries++)
        client_run(link, 1, NULL, NULL);
    assert_int_equal(counted.answers, to - from + 1);
    assert_int_equal(counted.refused, 0);
    free(bytes);
}

static void a_backlog_of_ten_thousand_reaches_a_slow_reader_whole(void **state)
{
    struct relay_process *relay = *state;
    enum { N = 10000, MORE = 500 };
    struct link *writer = client_open(relay, CONNECTION_ROOM);
    struct link *reader = client_open(relay, CONNECTION_ROOM);
    unsigned *ids = calloc(N + MORE, sizeof *ids);
    struct listener ears = {.ids = ids, .ids_max = N + MORE};
    client_create(writer, 1, 10, 20);
    say_many(writer, 1, 1, N, 300);
    assert_int_equal(client_listen(reader, 1, 20, 1, &ears), 0);
    assert_int_equal(ears.head, N);
    /* The reader is slow, and others write meanwhile. */
    say_many(writer, 1, N + 1, N + MORE, 300);
    assert_true(client_hear(reader, &ears, N + MORE));
    assert_int_equal(ears.entries, N + MORE);
    assert_false(ears.gap);
    for (unsigned i = 0; i < N + MORE; i++)
        assert_int_equal(ids[i], i + 1);
    free(ids);
    link_free(writer);
    link_free(reader);
}

static void appends_of_one_connection_keep_their_order(void **state)
{
    struct relay_process *relay = *state;
    struct link *link = client_open(relay, CONNECTION_ROOM);
    enum { N = 500 };
    unsigned ids[N];
    struct listener ears = {.ids = ids, .ids_max = N};
    client_create(link, 1, 10, 20);
    assert_int_equal(client_listen(link, 1, 20, 1, &ears), 0);
    say_many(link, 1, 1, N, 20);
    assert_true(client_hear(link, &ears, N));
    for (unsigned i = 0; i < N; i++)
        assert_int_equal(ids[i], i + 1);
    link_free(link);
}

static void the_largest_entry_passes_and_a_larger_one_cannot_be_sent(void **state)
{
    struct relay_process *relay = *state;
    struct link *link = client_open(relay, CONNECTION_ROOM);
    struct listener ears = {0};
    client_create(link, 1, 10, 20);
    assert_int_equal(client_listen(link, 1, 20, 1, &ears), 0);
    say_many(link, 1, 1, 3, WIRE_ENTRY_MAX);
    assert_true(client_hear(link, &ears, 3));
    assert_false(ears.gap);
    link_free(link);
}

static void many_rooms_are_followed_on_one_connection(void **state)
{
    struct relay_process *relay = *state;
    enum { ROOMS = 200, EACH = 20 };
    struct link *link = client_open(relay, CONNECTION_ROOM);
    struct listener *ears = calloc(ROOMS, sizeof *ears);
    for (unsigned room = 1; room <= ROOMS; room++) {
        assert_int_equal(client_create(link, room, 10, 20), 0);
        say_many(link, room, 1, EACH, 100);
    }
    for (unsigned room = 1; room <= ROOMS; room++)
        assert_int_equal(client_listen(link, room, 20, 1, &ears[room - 1]), 0);
    for (unsigned room = 1; room <= ROOMS; room++) {
        assert_true(client_hear(link, &ears[room - 1], EACH));
        assert_false(ears[room - 1].gap);
    }
    /* One is left; the others go on. */
    link_unsubscribe(link, ears[0].request);
    say_many(link, 1, EACH + 1, EACH + 1, 100);
    say_many(link, 2, EACH + 1, EACH + 1, 100);
    assert_true(client_hear(link, &ears[1], EACH + 1));
    assert_int_equal(ears[0].entries, EACH);
    free(ears);
    link_free(link);
}

/* Kilobytes of memory that the relay has in use. */
static long memory_of(const struct relay_process *relay)
{
    char path[64], line[256];
    long kilobytes = 0;
    snprintf(path, sizeof path, "/proc/%d/status", relay->pid);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, "VmRSS:", 6) == 0)
            kilobytes = strtol(line + 6, NULL, 10);
    fclose(file);
    return kilobytes;
}

static void readers_that_do_not_read_cost_cursors_and_not_memory(void **state)
{
    struct relay_process *relay = *state;
    enum { READERS = 60, ENTRIES = 12, SIZE = 1024 * 1024 };
    struct link *writer = client_open(relay, CONNECTION_ROOM), *readers[READERS];
    struct listener *ears = calloc(READERS, sizeof *ears);
    client_create(writer, 1, 10, 20);
    for (size_t i = 0; i < READERS; i++) {
        readers[i] = client_open(relay, CONNECTION_ROOM);
        assert_int_equal(client_listen(readers[i], 1, 20, 1, &ears[i]), 0);
    }
    say_many(writer, 1, 1, ENTRIES, SIZE); /* nobody reads meanwhile */
    long used = memory_of(relay);
    /* All of it for all of them would be 720 MiB; one entry for each is 60, and the allocator keeps
     * some of what was given back. */
    if (!relay->sanitized)
        assert_true(used < 480 * 1024);
    assert_true(client_hear(readers[0], &ears[0], ENTRIES));
    assert_true(client_hear(readers[READERS - 1], &ears[READERS - 1], ENTRIES));
    assert_false(ears[0].gap || ears[READERS - 1].gap);
    for (size_t i = 0; i < READERS; i++)
        link_free(readers[i]);
    link_free(writer);
    free(ears);
}

/* ---- Crash ---------------------------------------------------------------------------------- */

struct crash {
    unsigned acknowledged[20000];
    size_t count;
};

static struct crash crash;

static void on_crash_answer(void *ctx, sotto_error error, const struct message *answer)
{
    (void)answer;
    if (error == SOTTO_OK)
        crash.acknowledged[crash.count++] = *(unsigned *)ctx;
    free(ctx);
}

static void a_killed_relay_has_what_it_acknowledged_and_pushed_nothing_else(void **state)
{
    struct relay_process *relay = *state;
    unsigned next = 1, *pushed = calloc(20000, sizeof *pushed), *kept = calloc(20000, sizeof *kept);
    size_t pushed_count = 0;
    struct link *link = client_open(relay, CONNECTION_ROOM);
    client_create(link, 1, 10, 20);
    link_free(link);
    crash.count = 0;
    for (unsigned round = 0; round < 8; round++) {
        struct link *writer = client_open(relay, CONNECTION_ROOM);
        struct link *reader = client_open(relay, CONNECTION_ROOM);
        struct listener ears = {.ids = pushed, .ids_max = 20000};
        assert_int_equal(client_listen(reader, 1, 20, 1, &ears), 0);
        size_t goal = crash.count + 50 + 70 * round;
        while (crash.count < goal) {
            for (int burst = 0; burst < 40; burst++) {
                unsigned *id = malloc(sizeof *id);
                *id = next++;
                struct message message =
                    append_of(1, *id, 0, 10, sotto_bytes_of((const uint8_t *)id, sizeof *id));
                assert_ok(link_request(writer, &message, on_crash_answer, id, NULL));
            }
            client_run(writer, 2, NULL, NULL);
            client_run(reader, 1, NULL, NULL);
        }
        relay_kill(relay);
        client_run(writer, 2000, NULL, NULL); /* until it ends */
        client_run(reader, 2000, NULL, NULL);
        pushed_count = ears.entries;
        assert_false(ears.gap);
        link_free(writer);
        link_free(reader);
        relay_start(relay);
        /* What is there now begins with all that was pushed, and holds each acknowledged once. */
        struct listener all = {.ids = kept, .ids_max = 20000};
        reader = client_open(relay, CONNECTION_ROOM);
        assert_int_equal(client_listen(reader, 1, 20, 1, &all), 0);
        assert_true(client_hear(reader, &all, all.head));
        assert_false(all.gap);
        assert_true(pushed_count <= all.entries);
        assert_memory_equal(pushed, kept, pushed_count * sizeof *kept);
        size_t found = 0;
        for (size_t i = 0; i < all.entries; i++) {
            assert_true(i == 0 || kept[i] > kept[i - 1]); /* in order, so none twice */
            if (found < crash.count && crash.acknowledged[found] == kept[i])
                found++;
        }
        assert_int_equal(found, crash.count);
        link_free(reader);
    }
    free(pushed);
    free(kept);
}

static void a_relay_that_stops_in_order_says_so(void **state)
{
    struct relay_process *relay = *state;
    struct link *link = client_open(relay, CONNECTION_ROOM);
    struct listener ears = {0};
    client_create(link, 1, 10, 20);
    client_listen(link, 1, 20, 1, &ears);
    client_say(link, 1, 1, 0, 10, NULL);
    assert_int_equal(relay_stop(relay), 0);
    client_run(link, 5000, NULL, NULL);
    assert_int_not_equal(link_error(link), SOTTO_OK);
    link_free(link);
    relay_start(relay);
    link = client_open(relay, CONNECTION_ROOM);
    assert_int_equal(client_listen(link, 1, 20, 1, &ears), 0);
    assert_int_equal(ears.head, 1);
    link_free(link);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(two_people_write_and_hear_one_another),
        TEST(a_room_does_not_tell_strangers_that_it_exists),
        TEST(exactly_one_of_many_racing_commits_wins),
        TEST(a_removed_member_is_cut_off_behind_the_commit),
        TEST(a_backlog_of_ten_thousand_reaches_a_slow_reader_whole),
        TEST(appends_of_one_connection_keep_their_order),
        TEST(the_largest_entry_passes_and_a_larger_one_cannot_be_sent),
        TEST(many_rooms_are_followed_on_one_connection),
        TEST(readers_that_do_not_read_cost_cursors_and_not_memory),
        TEST(a_killed_relay_has_what_it_acknowledged_and_pushed_nothing_else),
        TEST(a_relay_that_stops_in_order_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
