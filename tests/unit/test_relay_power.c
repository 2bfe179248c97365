/* The power fails while people write: of what the disk was told and not yet asked to keep, any part
 * may be there. What was acknowledged is. */
#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <sqlite3.h>

#include "unit/faulty_vfs.h"
#include "unit/relay_world.h"

enum { ROOMS = 3, CUTS = 40, PAYLOAD_MAX = 30000, TOKEN = 10, READ = 20 };

struct writers {
    struct relay_world *world;
    atomic_bool stopping;
    atomic_uint acknowledged[ROOMS]; /* ids 1, 2, ... up to this one */
    pthread_t threads[ROOMS], churn;
};

struct writer {
    struct writers *writers;
    unsigned room;
};

static void *write_room(void *arg)
{
    const struct writer *writer = arg;
    struct relay_world own = *writer->writers->world; /* with a port of its own */
    uint8_t *payload = calloc(1, PAYLOAD_MAX);
    assert_non_null(payload);
    assert_ok(store_port_open(own.store, NULL, NULL, &own.port));
    for (unsigned id = 1; !atomic_load(&writer->writers->stopping); id++) {
        struct append_try try = {.room = writer->room, .id = id, .token = TOKEN};
        memset(payload, (int)id, PAYLOAD_MAX);
        try.bytes = sotto_bytes_of(payload, 1 + id * 7919u % PAYLOAD_MAX);
        assert_int_equal(do_append(&own, &try), 0);
        assert_int_equal(try.seq, id);
        atomic_store(&writer->writers->acknowledged[writer->room], id);
    }
    store_port_close(own.port);
    free(payload);
    return NULL;
}

/* Accounts come and go: their end moves the log into the database and empties it. */
static void *churn(void *arg)
{
    struct writers *writers = arg;
    for (unsigned n = 1; !atomic_load(&writers->stopping); n++) {
        struct person person;
        person_begin(writers->world, &person, n % 200 + 1);
        struct register_try try = {.address = "192.0.2.1"};
        assert_int_equal(do_register(writers->world, &person, &try), 0);
        assert_int_equal(do_delete(writers->world, &person), 0);
        person_end(&person);
    }
    return NULL;
}

static void nap(uint64_t random)
{
    const struct timespec pause = {0, (long)(random % 8000) * 1000};
    nanosleep(&pause, NULL);
}

/* The files as the cut left them, in a folder of their own, and a relay that starts there. */
static void begin_after(struct relay_world *after, const struct relay_world *world, uint64_t random)
{
    *after = (struct relay_world){.env = world->env, .now = world->now};
    after->env.ctx = after;
    snprintf(after->folder, sizeof after->folder, "/tmp/sotto-power-XXXXXX");
    assert_non_null(mkdtemp(after->folder));
    snprintf(after->path, sizeof after->path, "%s/relay.db", after->folder);
    faulty_cut(after->path, random);
    world_reopen(after, NULL);
}

static void check_room(struct relay_world *after, unsigned room, unsigned acknowledged)
{
    struct store_room_open open;
    unsigned ids[256];
    uint64_t next = 1;
    assert_int_equal(do_open(after, room, READ, &open), 0);
    assert_true(open.head >= acknowledged);
    while (next <= open.head) {
        size_t count = do_fetch(after, open.key, next, open.head, ids, 256);
        assert_int_not_equal(count, 0);
        for (size_t i = 0; i < count; i++)
            assert_int_equal(ids[i], next++);
    }
    assert_int_equal(say(after, room, 1000000, 0, TOKEN), open.head + 1); /* and it goes on */
}

static int64_t is_intact(struct relay_world *world)
{
    return world_query(world, "SELECT count(*)=1 AND min(integrity_check)='ok'"
                              " FROM pragma_integrity_check");
}

static void what_was_acknowledged_survives_a_power_cut(void **state)
{
    (void)state;
    struct relay_world world, after;
    struct writer args[ROOMS];
    struct writers writers = {.world = &world};
    faulty_register();
    world_begin_on_disk(&world, "faulty"); /* elsewhere they write more than is checked in time */
    for (unsigned room = 0; room < ROOMS; room++)
        assert_int_equal(do_create(&world, room, TOKEN, READ), 0);
    faulty_record(world.path);
    for (unsigned room = 0; room < ROOMS; room++) {
        args[room] = (struct writer){&writers, room};
        assert_int_equal(pthread_create(&writers.threads[room], NULL, write_room, &args[room]), 0);
    }
    assert_int_equal(pthread_create(&writers.churn, NULL, churn, &writers), 0);
    for (uint64_t cut = 0; cut < CUTS; cut++) {
        unsigned acknowledged[ROOMS];
        nap(cut * 2654435761u);
        for (unsigned room = 0; room < ROOMS; room++)
            acknowledged[room] = atomic_load(&writers.acknowledged[room]);
        begin_after(&after, &world, cut);
        for (unsigned room = 0; room < ROOMS; room++)
            check_room(&after, room, acknowledged[room]);
        assert_int_equal(is_intact(&after), 1);
        world_end(&after);
    }
    atomic_store(&writers.stopping, true);
    for (unsigned room = 0; room < ROOMS; room++) {
        pthread_join(writers.threads[room], NULL);
        assert_true(atomic_load(&writers.acknowledged[room]) > 0);
    }
    pthread_join(writers.churn, NULL);
    faulty_record_end();
    world_end(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_acknowledged_survives_a_power_cut)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
