/* Edits, deletions and reactions in the store. */
#include "unit/check.h"

#include <sys/stat.h>

#include "sotto/sotto.h"
#include "core/store.h"
#include "unit/folder.h"

static char directory[64];
static struct store *store;
static struct arena arena;

static const struct room_id room = {{0xA}}, elsewhere = {{0xB}};
static const struct account_id alice = {{1}}, bob = {{2}};

static sotto_bytes str(const char *text)
{
    return sotto_bytes_str(text);
}

static int64_t add_message(const char *text, const char *content_id)
{
    int64_t position, local;
    const struct store_message message = {
        .room = room,
        .seq = store_changes(store), /* another one each time */
        .kind = SOTTO_KIND_TEXT,
        .sender = alice,
        .state = STORE_MESSAGE_RECEIVED,
        .unread = true,
        .content_id = str(content_id),
        .target = str("target"),
        .content = str("content"),
        .text = str(text),
    };
    bool inside = store_in_transaction(store);
    assert_ok(inside ? SOTTO_OK : store_begin(store));
    assert_ok(store_message_add(store, &message, &position, &local));
    assert_ok(inside ? SOTTO_OK : store_commit(store));
    return local;
}

static void add_room(const struct room_id *id)
{
    const struct store_room row = {.room = *id,
                                   .kind = STORE_ROOM_GROUP,
                                   .state = STORE_ROOM_ACTIVE,
                                   .title = "title",
                                   .relay = "localhost:1",
                                   .next_seq = 1};
    assert_ok(store_begin(store));
    assert_ok(store_room_add(store, &row));
    assert_ok(store_commit(store));
}

static int setup(void **state)
{
    sotto_fault fault;
    (void)state;
    arena_init(&arena, sotto_env_system());
    if (!folder_make(directory, "changes") ||
        store_open(sotto_env_system(), directory, NULL, &store, &fault) != SOTTO_OK)
        return -1;
    add_room(&room);
    add_room(&elsewhere);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    store_close(store);
    arena_free(&arena);
    return folder_remove(directory);
}

static off_t log_size(void)
{
    char path[200];
    struct stat status;
    snprintf(path, sizeof path, "%s-wal", store_path(store));
    return stat(path, &status) == 0 ? status.st_size : 0;
}

/* How many events of that kind there are behind `after`, which becomes the last. */
static size_t events(uint64_t *after, uint32_t kind)
{
    struct store_event *list;
    size_t count, found = 0;
    assert_ok(store_events(store, *after, 100, &arena, &list, &count));
    for (size_t i = 0; i < count; i++)
        found += list[i].kind == kind;
    if (count > 0)
        *after = list[count - 1].number;
    return found;
}

static void an_edit_leaves_nothing_of_what_was_there(void **state)
{
    (void)state;
    struct store_message message;
    uint64_t after = 0;
    int64_t local = add_message("eigth", "m1");
    (void)events(&after, 0);
    assert_ok(store_begin(store));
    assert_ok(store_message_edit(store, local, str("eight"), true, str("new"), str("e1"), 7));
    assert_ok(store_message_edit(store, local, str("nine"), false, str("newer"), str("e2"), 8));
    assert_error(store_message_edit(store, 99, str("x"), false, str("x"), str("e3"), 8), NOT_FOUND);
    assert_ok(store_commit(store));
    assert_ok(store_message_meant(store, &room, str("m1"), &arena, &message));
    assert_bytes(message.text, str("nine"));
    assert_bytes(message.content, str("newer"));
    assert_bytes(message.target, str("target"));
    assert_int_equal(message.edited_s, 8);
    assert_false(message.markdown);
    assert_true(message.unread);
    /* Whoever means an edit means the message, in its own room alone. */
    assert_ok(store_message_meant(store, &room, str("e1"), &arena, &message));
    assert_int_equal(message.local, local);
    assert_ok(store_message_meant(store, &room, str("e2"), &arena, &message));
    assert_error(store_message_meant(store, &elsewhere, str("e2"), &arena, &message), NOT_FOUND);
    assert_error(store_message_meant(store, &room, str("e3"), &arena, &message), NOT_FOUND);
    assert_int_equal(events(&after, SOTTO_EVENT_MESSAGE_CHANGED), 2);
    assert_true(log_size() > 0);
    store_scrub(store, false);
    assert_int_equal(log_size(), 0);
}

static void what_is_erased_is_gone_with_all_that_hangs_on_it(void **state)
{
    (void)state;
    struct store_message message;
    struct store_reaction *list;
    size_t count;
    uint32_t unread;
    uint64_t after = 0;
    const struct store_reaction reaction = {bob, str("r1"), str("!"), 1};
    int64_t local = add_message("secret", "m1");
    assert_ok(store_begin(store));
    assert_ok(store_message_edit(store, local, str("secret too"), true, str("new"), str("e1"), 7));
    assert_ok(store_reaction_put(store, local, &reaction));
    assert_ok(store_commit(store));
    store_scrub(store, false);
    (void)events(&after, 0);
    assert_ok(store_begin(store));
    assert_ok(store_message_erase(store, local));
    assert_error(store_message_erase(store, 99), NOT_FOUND);
    assert_ok(store_commit(store));
    /* Its ids are kept, so that a late edit of it finds what it must not change. */
    assert_ok(store_message_meant(store, &room, str("e1"), &arena, &message));
    assert_int_equal(message.kind, SOTTO_KIND_DELETED);
    assert_int_equal(message.text.size + message.content.size + message.target.size, 0);
    assert_int_equal(message.edited_s, 0);
    assert_ok(store_reactions(store, local, &arena, &list, &count));
    assert_int_equal(count, 0);
    assert_ok(store_messages_unread(store, &room, &unread));
    assert_int_equal(unread, 0);
    uint64_t again = after;
    assert_true(events(&after, SOTTO_EVENT_MESSAGE_CHANGED) >= 1);
    assert_int_equal(events(&again, SOTTO_EVENT_CONVERSATION), 1);
    store_scrub(store, false);
    assert_int_equal(log_size(), 0);
}

static void there_is_one_reaction_a_sender(void **state)
{
    (void)state;
    struct store_reaction *list;
    size_t count;
    uint64_t after = 0;
    int64_t local = add_message("text", "m1");
    (void)events(&after, 0);
    assert_ok(store_begin(store));
    assert_ok(
        store_reaction_put(store, local, &(struct store_reaction){bob, str("r1"), str("1"), 1}));
    assert_ok(
        store_reaction_put(store, local, &(struct store_reaction){alice, str("r2"), str("2"), 2}));
    assert_ok(
        store_reaction_put(store, local, &(struct store_reaction){bob, str("r3"), str("3"), 3}));
    assert_ok(store_reactions(store, local, &arena, &list, &count));
    assert_int_equal(count, 2);
    assert_bytes(list[0].text, str("2"));
    assert_bytes(list[1].text, str("3"));
    /* Only what is there, by its sender, in its room. */
    assert_error(store_reaction_erase(store, &room, &bob, str("r1")), NOT_FOUND);
    assert_error(store_reaction_erase(store, &room, &bob, str("r2")), NOT_FOUND);
    assert_error(store_reaction_erase(store, &elsewhere, &bob, str("r3")), NOT_FOUND);
    assert_ok(store_reaction_erase(store, &room, &bob, str("r3")));
    assert_ok(store_reactions(store, local, &arena, &list, &count));
    assert_int_equal(count, 1);
    assert_ok(store_commit(store));
    assert_int_equal(events(&after, SOTTO_EVENT_MESSAGE_CHANGED), 4);
}

static void what_is_read_is_owed_unless_it_is_off_or_gone(void **state)
{
    (void)state;
    struct store_receipt_owed *owed;
    struct room_id *rooms;
    size_t count;
    int64_t first = add_message("first", "m1"), second = add_message("second", "m2");
    assert_ok(store_begin(store));
    assert_ok(store_messages_read(store, &room, 1, false, 100));
    assert_ok(store_receipts_owed(store, &room, 9, &arena, &owed, &count));
    assert_int_equal(count, 0);
    assert_ok(store_messages_read(store, &room, 2, true, 100));
    assert_ok(store_messages_read(store, &room, 2, true, 100)); /* no news */
    assert_ok(store_receipts_owed(store, &room, 9, &arena, &owed, &count));
    assert_int_equal(count, 1);
    assert_int_equal(owed[0].local, second);
    assert_int_equal(owed[0].state, STORE_READ);
    assert_bytes(owed[0].content_id, str("m2"));
    assert_ok(store_receipts_rooms(store, &arena, &rooms, &count));
    assert_int_equal(count, 1);
    assert_ok(store_receipts_paid(store, &room, second));
    assert_ok(store_receipts_rooms(store, &arena, &rooms, &count));
    assert_int_equal(count, 0);
    (void)add_message("x", "m3");
    assert_ok(store_messages_read(store, &room, 3, true, 100));
    assert_ok(store_receipts_clear(store));
    assert_ok(store_receipts_rooms(store, &arena, &rooms, &count));
    assert_int_equal(count, 0);
    assert_ok(store_message_erase(store, first));
    assert_ok(store_commit(store));
}

static void a_receipt_only_ever_says_more(void **state)
{
    (void)state;
    struct store_receipt *list;
    enum store_receipt_state best;
    size_t count;
    uint64_t after = 0;
    int64_t local = add_message("text", "m1");
    (void)events(&after, 0);
    assert_ok(store_begin(store));
    assert_ok(store_receipts_best(store, local, &best));
    assert_int_equal(best, STORE_NO_RECEIPT);
    assert_ok(store_receipt_put(store, local, &(struct store_receipt){bob, STORE_DELIVERED, 1}));
    assert_ok(store_receipt_put(store, local, &(struct store_receipt){bob, STORE_READ, 2}));
    assert_ok(store_receipt_put(store, local, &(struct store_receipt){bob, STORE_DELIVERED, 3}));
    assert_ok(store_receipt_put(store, local, &(struct store_receipt){bob, STORE_READ, 4}));
    assert_ok(store_receipts(store, local, &arena, &list, &count));
    assert_int_equal(count, 1);
    assert_int_equal(list[0].state, STORE_READ);
    assert_int_equal(list[0].time_s, 2);
    assert_ok(store_receipts_best(store, local, &best));
    assert_int_equal(best, STORE_READ);
    assert_ok(store_commit(store));
    assert_int_equal(events(&after, SOTTO_EVENT_MESSAGE_CHANGED), 2);
}

static void the_clock_starts_when_it_is_read_and_nothing_stays(void **state)
{
    (void)state;
    struct store_message message;
    struct store_event *list;
    struct store_reaction *reactions;
    size_t count;
    int64_t position, local;
    uint64_t after = 0;
    bool due = true;
    (void)add_message("stays", "m0");
    message = (struct store_message){.room = room,
                                     .seq = 50,
                                     .kind = SOTTO_KIND_TEXT,
                                     .sender = alice,
                                     .state = STORE_MESSAGE_RECEIVED,
                                     .unread = true,
                                     .timer_s = 10,
                                     .content_id = str("m1"),
                                     .text = str("goes")};
    assert_ok(store_begin(store));
    assert_ok(store_message_add(store, &message, &position, &local));
    assert_ok(
        store_reaction_put(store, local, &(struct store_reaction){bob, str("r"), str("!"), 1}));
    assert_ok(store_message_edit(store, local, str("goes too"), false, str("c"), str("e1"), 7));
    assert_ok(store_messages_due(store, 1000000, &due));
    assert_false(due); /* nobody has read it */
    assert_ok(store_messages_read(store, &room, position, false, 100));
    assert_ok(store_messages_read(store, &room, position, false, 105)); /* the first time counts */
    assert_ok(store_messages_due(store, 109, &due));
    assert_false(due);
    assert_ok(store_messages_due(store, 110, &due));
    assert_true(due);
    assert_ok(store_commit(store));
    (void)events(&after, 0);
    assert_ok(store_begin(store));
    assert_ok(store_messages_expire(store, 109));
    assert_ok(store_message_local(store, local, &arena, &message));
    assert_int_equal(message.erase_s, 110);
    assert_ok(store_messages_expire(store, 110));
    assert_ok(store_commit(store));
    assert_error(store_message_local(store, local, &arena, &message), NOT_FOUND);
    assert_error(store_message_meant(store, &room, str("e1"), &arena, &message), NOT_FOUND);
    assert_ok(store_reactions(store, local, &arena, &reactions, &count));
    assert_int_equal(count, 0);
    assert_ok(store_message_by_content(store, &room, str("m0"), &arena, &message));
    assert_ok(store_events(store, after, 100, &arena, &list, &count));
    assert_int_equal(count, 1);
    assert_int_equal(list[0].kind, SOTTO_EVENT_MESSAGE_ERASED);
    assert_int_equal(list[0].position, position);
    store_scrub(store, false);
    assert_int_equal(log_size(), 0);
    /* Own ones: since they were sent. */
    message = (struct store_message){.room = room,
                                     .kind = SOTTO_KIND_TEXT,
                                     .sender = alice,
                                     .own = true,
                                     .state = STORE_MESSAGE_WAITING,
                                     .client_id = "c1",
                                     .timer_s = 10,
                                     .text = str("mine")};
    assert_ok(store_begin(store));
    assert_ok(store_message_add(store, &message, &position, &local));
    assert_ok(store_messages_due(store, 1000000, &due));
    assert_false(due);
    assert_ok(store_message_place(store, &room, "c1", 60, 200, str("c"), str("m2"), &position));
    assert_ok(store_messages_due(store, 209, &due));
    assert_false(due);
    assert_ok(store_messages_due(store, 210, &due));
    assert_true(due);
    assert_ok(store_commit(store));
}

static void a_change_has_its_name_once(void **state)
{
    (void)state;
    enum store_message_state at;
    uint64_t seq;
    assert_error(store_change_get(store, &room, "c1", &at, &seq), NOT_FOUND);
    assert_ok(store_begin(store));
    assert_ok(store_change_add(store, &room, "c1"));
    assert_error(store_change_add(store, &room, "c1"), EXISTS);
    assert_ok(store_change_add(store, &elsewhere, "c1"));
    assert_ok(store_change_get(store, &room, "c1", &at, &seq));
    assert_int_equal(at, STORE_MESSAGE_WAITING);
    assert_ok(store_change_end(store, &room, "c1", STORE_MESSAGE_SENT, 17));
    assert_error(store_change_end(store, &room, "c2", STORE_MESSAGE_SENT, 17), NOT_FOUND);
    assert_ok(store_change_get(store, &room, "c1", &at, &seq));
    assert_int_equal(at, STORE_MESSAGE_SENT);
    assert_int_equal(seq, 17);
    assert_ok(store_change_get(store, &elsewhere, "c1", &at, &seq));
    assert_int_equal(at, STORE_MESSAGE_WAITING);
    assert_ok(store_commit(store));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_edit_leaves_nothing_of_what_was_there),
        TEST(what_is_erased_is_gone_with_all_that_hangs_on_it),
        TEST(there_is_one_reaction_a_sender),
        TEST(what_is_read_is_owed_unless_it_is_off_or_gone),
        TEST(a_receipt_only_ever_says_more),
        TEST(the_clock_starts_when_it_is_read_and_nothing_stays),
        TEST(a_change_has_its_name_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
