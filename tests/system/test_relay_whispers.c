/* Whispers: what a real relay tells to whoever listens, and keeps for nobody. */
#include "system/relay_process.h"

#include <stdlib.h>
#include <string.h>

static int begin(void **state)
{
    /* Several loops: subscribers are told on whichever they are. */
    static const char *const options[] = {"--rate-limit", "off", "--room-mib", "0",
                                          "--threads",    "3",   NULL};
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

static uint16_t whisper(struct link *link, unsigned room, uint8_t what, uint64_t epoch,
                        unsigned token)
{
    struct message message = {.type = MESSAGE_ROOM_WHISPER};
    message.whisper.room = test_room(room);
    message.whisper.epoch = epoch;
    message.whisper.write_token = test_token(token);
    message.whisper.bytes = sotto_bytes_of(&what, 1);
    return client_ask(link, &message);
}

static bool has_heard(void *ctx)
{
    return ((struct listener *)ctx)->whispers > 0;
}

static void whoever_listens_is_told_and_nobody_else(void **state)
{
    struct relay_process *relay = *state;
    enum { PEOPLE = 5 };
    struct link *people[PEOPLE];
    struct listener ears[PEOPLE] = {{0}}, elsewhere = {0}, late = {0};
    for (size_t i = 0; i < PEOPLE; i++)
        people[i] = client_open(relay, CONNECTION_ROOM);
    assert_int_equal(client_create(people[0], 1, 10, 20), 0);
    assert_int_equal(client_create(people[0], 2, 10, 20), 0);
    assert_int_equal(client_say(people[0], 1, 1, 0, 10, NULL), 0);
    for (size_t i = 0; i < PEOPLE; i++) {
        assert_int_equal(client_listen(people[i], 1, 20, 1, &ears[i]), 0);
        assert_true(client_hear(people[i], &ears[i], 1));
    }
    assert_int_equal(client_listen(people[1], 2, 20, 1, &elsewhere), 0);
    assert_int_equal(whisper(people[0], 1, 7, 0, 10), 0);
    for (size_t i = 1; i < PEOPLE; i++) {
        assert_true(client_run(people[i], 60000, has_heard, &ears[i]));
        assert_int_equal(ears[i].whispers, 1);
        assert_int_equal(ears[i].last_whisper, 7);
    }
    /* What comes behind it in the log says that it is not still on its way. */
    struct link *stranger = client_open(relay, CONNECTION_ROOM);
    assert_int_equal(client_say(people[0], 1, 2, 0, 10, NULL), 0);
    assert_int_equal(client_listen(stranger, 1, 20, 1, &late), 0);
    assert_true(client_hear(stranger, &late, 2));
    assert_true(client_hear(people[0], &ears[0], 2));
    assert_int_equal(late.whispers, 0); /* it was kept for nobody */
    assert_int_equal(ears[0].whispers, 0);
    assert_int_equal(elsewhere.whispers, 0);
    link_free(stranger);
    for (size_t i = 0; i < PEOPLE; i++)
        link_free(people[i]);
}

static void the_gate_is_that_of_an_append(void **state)
{
    struct relay_process *relay = *state;
    struct link *anna = client_open(relay, CONNECTION_ROOM);
    struct link *ben = client_open(relay, CONNECTION_ROOM);
    struct listener ears = {0}, fresh = {0};
    struct message removal = append_of(1, 2, 0, 10, sotto_bytes_str("commit"));
    removal.append.kind = ENTRY_COMMIT;
    removal.append.next_write_gate = test_gate(11);
    removal.append.has_next_read_gate = true;
    removal.append.next_read_gate = test_gate(21);
    assert_int_equal(client_create(anna, 1, 10, 20), 0);
    assert_int_equal(whisper(anna, 1, 1, 0, 11), WIRE_CODE_NO_ROOM);
    assert_int_equal(whisper(anna, 2, 1, 0, 10), WIRE_CODE_NO_ROOM);
    assert_int_equal(whisper(anna, 1, 1, 1, 10), WIRE_CODE_STALE_EPOCH);
    assert_int_equal(client_listen(ben, 1, 20, 1, &ears), 0);
    /* Who was removed hears nothing more, and may not speak. */
    assert_int_equal(client_ask(anna, &removal), 0);
    assert_true(client_hear(ben, &ears, 100)); /* until it ends */
    assert_int_equal(whisper(ben, 1, 1, 0, 10), WIRE_CODE_STALE_EPOCH);
    assert_int_equal(whisper(ben, 1, 1, 1, 10), WIRE_CODE_NO_ROOM);
    struct link *carol = client_open(relay, CONNECTION_ROOM);
    assert_int_equal(client_listen(carol, 1, 21, 1, &fresh), 0);
    assert_true(client_hear(carol, &fresh, 1));
    assert_int_equal(whisper(anna, 1, 1, 1, 11), 0);
    assert_true(client_run(carol, 60000, has_heard, &fresh));
    assert_int_equal(ears.whispers, 0);
    link_free(anna);
    link_free(ben);
    link_free(carol);
}

static void a_connection_that_whispers_too_much_is_told_to_wait(void **state)
{
    struct relay_process *relay = *state;
    struct link *anna = client_open(relay, CONNECTION_ROOM);
    struct link *ben = client_open(relay, CONNECTION_ROOM);
    unsigned refused = 0;
    assert_int_equal(client_create(anna, 1, 10, 20), 0);
    for (unsigned i = 0; i < 2000 && refused == 0; i++) {
        uint16_t code = whisper(anna, 1, 1, 0, 10);
        assert_true(code == 0 || code == WIRE_CODE_RATE_LIMITED);
        refused += code != 0;
    }
    assert_int_equal(refused, 1);
    assert_int_equal(whisper(ben, 1, 1, 0, 10), 0); /* another one's is another matter */
    assert_int_equal(client_say(anna, 1, 1, 0, 10, NULL), 0);
    link_free(anna);
    link_free(ben);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(whoever_listens_is_told_and_nobody_else),
        TEST(the_gate_is_that_of_an_append),
        TEST(a_connection_that_whispers_too_much_is_told_to_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
