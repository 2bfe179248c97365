/* SIGKILL of the relay at any moment under load. Afterwards, with everything that got no answer
 * sent again under its own id: each entry is there once, each room's in the order in which they
 * were sent, with the seq that was acknowledged, and what was pushed before is where it was pushed.
 *
 * SOTTO_ROUNDS: how often (12); SOTTO_SEED: of the moments. */
#include "system/relay_process.h"

#include <stdlib.h>
#include <time.h>

enum { ROOMS = 8, IDS_MAX = 200000, BURST = 16, TOKEN = 10, READ = 20, ROUND_MS = 250 };

/* What one room's writer knows, and what its reader was pushed. */
struct room_state {
    struct link *writer, *reader;
    uint64_t *seqs;   /* by id - 1; 0: no answer yet */
    unsigned sent;    /* ids 1 .. sent */
    unsigned waiting; /* without an answer, in this round */
    struct listener ears;
    unsigned *pushed; /* ids, from seq 1 on */
    size_t pushed_count;
    unsigned refused;
};

struct asked {
    struct room_state *room;
    unsigned id;
};

static void on_answer(void *ctx, sotto_error error, const struct message *answer)
{
    struct asked *asked = ctx;
    struct room_state *room = asked->room;
    room->waiting--;
    if (error == SOTTO_OK) {
        uint64_t *seq = &room->seqs[asked->id - 1];
        assert_true(*seq == 0 || *seq == answer->seq);
        *seq = answer->seq;
    } else if (error == SOTTO_REFUSED) {
        room->refused++;
    }
    free(asked);
}

static void append(struct room_state *rooms, unsigned room, unsigned id)
{
    struct asked *asked = malloc(sizeof *asked);
    uint8_t bytes[300];
    assert_non_null(asked);
    *asked = (struct asked){&rooms[room], id};
    memset(bytes, (int)id, sizeof bytes);
    const struct message message =
        append_of(room + 1, id, 0, TOKEN, sotto_bytes_of(bytes, 4 + id % 290));
    assert_ok(link_request(rooms[room].writer, &message, on_answer, asked, NULL));
    rooms[room].waiting++;
}

/* When they are needed: the relay does not wait long for a greeting, and another room's turn may
 * take long on a slow disk. */
static void open_links(struct relay_process *relay, struct room_state *room)
{
    room->writer = client_open(relay, CONNECTION_ROOM);
    room->reader = client_open(relay, CONNECTION_ROOM);
}

static void close_links(struct room_state *rooms)
{
    for (unsigned i = 0; i < ROOMS; i++) {
        link_free(rooms[i].writer);
        link_free(rooms[i].reader);
        assert_int_equal(rooms[i].waiting, 0);
    }
}

/* Everything from seq 1: what was pushed before the kill must be its beginning. */
static void listen_anew(struct room_state *rooms, unsigned i)
{
    struct room_state *room = &rooms[i];
    unsigned *before = malloc((room->pushed_count + 1) * sizeof *before);
    size_t count = room->pushed_count;
    assert_non_null(before);
    memcpy(before, room->pushed, count * sizeof *before);
    room->ears = (struct listener){.ids = room->pushed, .ids_max = IDS_MAX};
    assert_int_equal(client_listen(room->reader, i + 1, READ, 1, &room->ears), 0);
    assert_true(room->ears.head >= count);
    assert_true(client_hear(room->reader, &room->ears, room->ears.head));
    assert_memory_equal(before, room->pushed, count * sizeof *before);
    free(before);
}

/* Sends again what has no answer, in its order, and waits for all answers. */
static void settle(struct room_state *rooms, unsigned i)
{
    struct room_state *room = &rooms[i];
    for (unsigned id = 1; id <= room->sent; id++)
        if (room->seqs[id - 1] == 0)
            append(rooms, i, id);
    for (unsigned tries = 0; tries < 60000 && room->waiting > 0; tries++)
        client_run(room->writer, 1, NULL, NULL);
    assert_int_equal(room->waiting, 0);
    assert_int_equal(room->refused, 0);
    assert_true(client_hear(room->reader, &room->ears, room->sent));
}

static void check(const struct room_state *room)
{
    assert_int_equal(room->ears.entries, room->sent);
    assert_false(room->ears.gap);
    for (unsigned id = 1; id <= room->sent; id++) {
        assert_int_equal(room->pushed[id - 1], id); /* each once, and in order */
        assert_int_equal(room->seqs[id - 1], id);
    }
}

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Writes without a pause and hears what comes, for so long. */
static void write_for(struct room_state *rooms, uint64_t ms)
{
    uint64_t end = now_ms() + ms;
    while (now_ms() < end) {
        for (unsigned i = 0; i < ROOMS; i++) {
            struct room_state *room = &rooms[i];
            while (room->waiting < BURST && room->sent < IDS_MAX)
                append(rooms, i, ++room->sent);
            client_run(room->writer, 1, NULL, NULL);
            client_run(room->reader, 1, NULL, NULL);
        }
    }
}

/* What is still in the sockets. */
static void drain(struct room_state *rooms)
{
    for (unsigned i = 0; i < ROOMS; i++) {
        client_run(rooms[i].writer, 5000, NULL, NULL);
        client_run(rooms[i].reader, 5000, NULL, NULL);
        assert_false(rooms[i].ears.gap);
        rooms[i].pushed_count = rooms[i].ears.entries;
    }
}

static unsigned number_from(const char *variable, unsigned otherwise)
{
    const char *text = getenv(variable);
    return text != NULL && text[0] != '\0' ? (unsigned)strtoul(text, NULL, 10) : otherwise;
}

static void nothing_acknowledged_or_pushed_is_lost_or_repeated(void **state)
{
    static const char *const options[] = {"--rate-limit", "off", "--room-mib", "0", NULL};
    (void)state;
    unsigned rounds = number_from("SOTTO_ROUNDS", 12), seed = number_from("SOTTO_SEED", 1);
    struct room_state *rooms = calloc(ROOMS, sizeof *rooms);
    struct relay_process relay;
    srandom(seed);
    relay_begin(&relay, options);
    for (unsigned i = 0; i < ROOMS; i++) {
        open_links(&relay, &rooms[i]);
        rooms[i].seqs = calloc(IDS_MAX, sizeof *rooms[i].seqs);
        rooms[i].pushed = calloc(IDS_MAX, sizeof *rooms[i].pushed);
        assert_int_equal(client_create(rooms[i].writer, i + 1, TOKEN, READ), 0);
        listen_anew(rooms, i);
    }
    for (unsigned round = 0; round < rounds; round++) {
        write_for(rooms, (uint64_t)random() % ROUND_MS);
        relay_kill(&relay);
        drain(rooms);
        close_links(rooms);
        relay_start(&relay);
        for (unsigned i = 0; i < ROOMS; i++) {
            open_links(&relay, &rooms[i]);
            listen_anew(rooms, i);
            settle(rooms, i);
            check(&rooms[i]);
        }
    }
    unsigned total = 0;
    for (unsigned i = 0; i < ROOMS; i++)
        total += rooms[i].sent;
    print_message("# %u kills, %u entries in %d rooms, seed %u\n", rounds, total, ROOMS, seed);
    close_links(rooms);
    for (unsigned i = 0; i < ROOMS; i++) {
        free(rooms[i].seqs);
        free(rooms[i].pushed);
    }
    free(rooms);
    relay_end(&relay);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_acknowledged_or_pushed_is_lost_or_repeated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
