/* Changes that the log shows before the past brings what they change. */
#include <string.h>

#include "codec/writer.h"
#include "core/own_absent.h"
#include "core/store_query.h"
#include "unit/check.h"
#include "unit/core_account.h"
#include "unit/folder.h"

static char folder[64];
static struct sotto *core;
static struct arena arena;
static sotto_buf text_bytes;
static struct content_message text; /* Bob's, which is given later */
static uint64_t next_seq;

static const struct room_id room = {{0xA}}, elsewhere = {{0xB}};
static const struct account_id bob = {{1}}, carol = {{2}};

static void add_room(const struct room_id *id)
{
    const struct store_room row = {.room = *id,
                                   .kind = STORE_ROOM_GROUP,
                                   .state = STORE_ROOM_ACTIVE,
                                   .title = "Kitchen",
                                   .relay = "",
                                   .trouble = "",
                                   .next_seq = 1,
                                   .members = 3};
    assert_ok(store_room_add(core->store, &row));
}

static int start(void **state)
{
    struct sotto_problem problem;
    (void)state;
    if (!folder_make(folder, "early") ||
        sotto_open(sotto_env_system(), folder, NULL, &core, &problem) != SOTTO_OK)
        return -1;
    arena_init(&arena, core->env);
    core_account_make(core, "127.0.0.1:1", "Alice");
    sotto_buf_init(&text_bytes, core->env);
    text = (struct content_message){.kind = CONTENT_TEXT, .text = sotto_bytes_str("as it was")};
    assert_ok(content_write(core->env, &text, &bob, &room, &text_bytes));
    next_seq = 10; /* the text's is 5 */
    assert_ok(store_begin(core->store));
    add_room(&room);
    add_room(&elsewhere);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    if (store_in_transaction(core->store))
        store_rollback(core->store);
    sotto_buf_free(&text_bytes);
    arena_free(&arena);
    sotto_close(core);
    return folder_remove(folder);
}

/* The log shows it. target: what it names. Returns its own id, in the arena. */
static const uint8_t *shown(const struct room_id *where, const struct account_id *sender,
                            enum content_kind kind, const uint8_t *target, const char *words)
{
    struct content_message content = {.kind = kind, .text = sotto_bytes_str(words)}, read;
    sotto_fault fault;
    sotto_buf bytes;
    sotto_buf_init(&bytes, core->env);
    memcpy(content.target, target, CONTENT_ID_SIZE);
    assert_ok(content_write(core->env, &content, sender, where, &bytes));
    assert_ok(content_read(sotto_buf_view(&bytes), sender, where, &arena, &read, &fault));
    assert_ok(change_apply(core, where, sender, next_seq++, sotto_buf_view(&bytes), &read, &arena));
    sotto_buf_free(&bytes);
    sotto_bytes id;
    assert_ok(arena_copy(&arena, sotto_bytes_of(read.id, CONTENT_ID_SIZE), &id));
    return id.data;
}

static struct store_message past(void)
{
    return (struct store_message){.position = 5,
                                  .room = room,
                                  .seq = 5,
                                  .kind = SOTTO_KIND_TEXT,
                                  .state = STORE_MESSAGE_RECEIVED,
                                  .sender = bob,
                                  .client_id = "",
                                  .content_id = sotto_bytes_of(text.id, CONTENT_ID_SIZE),
                                  .content = sotto_buf_view(&text_bytes)};
}

/* The older device gives it; as a record of the past, which a backup has too. */
static void given(const struct store_message *message)
{
    struct reader reader;
    sotto_buf record;
    sotto_buf_init(&record, core->env);
    assert_ok(own_message_write(core, message, &arena, &record));
    reader_init(&reader, sotto_buf_view(&record));
    assert_ok(own_records_read(core, &reader, &arena));
    sotto_buf_free(&record);
}

static struct store_message found(void)
{
    struct store_message message;
    assert_ok(store_message_by_content(core->store, &room, sotto_bytes_of(text.id, CONTENT_ID_SIZE),
                                       &arena, &message));
    return message;
}

static uint64_t kept(void)
{
    struct query q;
    query_read(&q, core->store, "SELECT count(*) FROM early_change");
    assert_true(query_next(&q));
    uint64_t count = column_u64(&q);
    assert_ok(query_end(&q));
    return count;
}

static void reactions(size_t wanted, const char *last)
{
    struct store_reaction *rows;
    size_t count;
    assert_ok(store_reactions(core->store, found().local, &arena, &rows, &count));
    assert_int_equal(count, wanted);
    if (wanted > 0)
        assert_bytes(rows[count - 1].text, sotto_bytes_str(last));
}

static void what_was_deleted_is_not_readable_when_it_comes(void **state)
{
    (void)state;
    const struct store_message message = past();
    (void)shown(&room, &bob, CONTENT_DELETE, text.id, "");
    (void)shown(&room, &carol, CONTENT_REACTION, text.id, "+");
    assert_int_equal(kept(), 2);
    given(&message);
    assert_int_equal(found().kind, SOTTO_KIND_DELETED);
    assert_int_equal(found().text.size, 0);
    assert_int_equal(found().content.size, 0);
    reactions(0, "");
    assert_int_equal(kept(), 0);
    given(&message); /* once more: it is known */
    assert_int_equal(found().kind, SOTTO_KIND_DELETED);
}

static void edits_count_in_the_order_of_the_log(void **state)
{
    (void)state;
    const struct store_message message = past();
    const uint8_t *first = shown(&room, &bob, CONTENT_EDIT, text.id, "first");
    const uint8_t *second = shown(&room, &bob, CONTENT_EDIT, text.id, "second");
    (void)shown(&room, &bob, CONTENT_EDIT, first, "third"); /* of the edit, as others do it */
    assert_int_equal(kept(), 3);
    given(&message);
    assert_bytes(found().text, sotto_bytes_str("third"));
    assert_true(found().edited_s > 0);
    assert_int_equal(kept(), 0);
    (void)shown(&room, &bob, CONTENT_EDIT, second, "fourth"); /* all of them mean it now */
    assert_bytes(found().text, sotto_bytes_str("fourth"));
    assert_int_equal(kept(), 0);
}

static void reactions_come_and_go(void **state)
{
    (void)state;
    const struct store_message message = past();
    const uint8_t *reaction = shown(&room, &bob, CONTENT_REACTION, text.id, "-");
    (void)shown(&room, &carol, CONTENT_REACTION, text.id, "+");
    (void)shown(&room, &bob, CONTENT_DELETE, reaction, "");
    given(&message);
    reactions(1, "+");
    assert_int_equal(kept(), 0);
}

static void nobody_changes_what_is_not_theirs(void **state)
{
    (void)state;
    const struct store_message message = past();
    (void)shown(&room, &carol, CONTENT_EDIT, text.id, "mine");
    (void)shown(&room, &carol, CONTENT_DELETE, text.id, "");
    (void)shown(&elsewhere, &bob, CONTENT_DELETE, text.id, "");
    const uint8_t *reaction = shown(&room, &bob, CONTENT_REACTION, text.id, "-");
    (void)shown(&room, &carol, CONTENT_DELETE, reaction, "");
    given(&message);
    assert_int_equal(found().kind, SOTTO_KIND_TEXT);
    assert_bytes(found().text, sotto_bytes_str("as it was"));
    reactions(1, "-");
    assert_int_equal(kept(), 1); /* that of elsewhere */
    /* What is here is never kept. */
    (void)shown(&room, &carol, CONTENT_EDIT, text.id, "mine");
    assert_int_equal(kept(), 1);
}

/* The older device saw it in the log before this one was in the room. Returns its own id. */
static const uint8_t *told(const struct account_id *sender, enum content_kind kind,
                           const uint8_t *target, const char *words, int64_t from_now_s)
{
    struct content_message content = {.kind = kind, .text = sotto_bytes_str(words)};
    struct writer writer;
    struct reader reader;
    sotto_buf bytes, record;
    sotto_buf_init(&bytes, core->env);
    sotto_buf_init(&record, core->env);
    memcpy(content.target, target, CONTENT_ID_SIZE);
    assert_ok(content_write(core->env, &content, sender, &room, &bytes));
    writer_init(&writer, &record);
    size_t opened = own_record(&writer, OWN_CHANGE);
    writer_fixed(&writer, sotto_bytes_of(room.bytes, ROOM_ID_SIZE));
    writer_u64(&writer, next_seq++);
    writer_fixed(&writer, sotto_bytes_of(sender->bytes, ACCOUNT_ID_SIZE));
    writer_u64(&writer, core_now_s(core) + (uint64_t)from_now_s);
    writer_vector(&writer, sotto_buf_view(&bytes));
    writer_close(&writer, opened);
    assert_ok(writer_finish(&writer));
    reader_init(&reader, sotto_buf_view(&record));
    assert_ok(own_records_read(core, &reader, &arena));
    sotto_buf_free(&record);
    sotto_buf_free(&bytes);
    sotto_bytes id;
    assert_ok(arena_copy(&arena, sotto_bytes_of(content.id, CONTENT_ID_SIZE), &id));
    return id.data;
}

static void what_changed_before_one_came_in_is_told(void **state)
{
    (void)state;
    const struct store_message message = past();
    (void)told(&bob, CONTENT_EDIT, text.id, "first", -60); /* before the past comes, too */
    assert_int_equal(kept(), 1);
    given(&message);
    assert_bytes(found().text, sotto_bytes_str("first"));
    (void)told(&carol, CONTENT_REACTION, text.id, "+", -50);
    (void)told(&bob, CONTENT_EDIT, text.id, "second", -50);
    assert_bytes(found().text, sotto_bytes_str("second"));
    reactions(1, "+");
    /* Nobody changes what is not theirs by way of another device. */
    (void)told(&carol, CONTENT_EDIT, text.id, "mine", 0);
    assert_bytes(found().text, sotto_bytes_str("second"));
    (void)told(&bob, CONTENT_DELETE, text.id, "", -40);
    assert_int_equal(found().kind, SOTTO_KIND_DELETED);
    assert_int_equal(kept(), 0);
}

static void what_the_log_has_shown_since_counts(void **state)
{
    (void)state;
    const struct store_message message = past();
    given(&message);
    (void)shown(&room, &bob, CONTENT_EDIT, text.id, "newer");
    (void)shown(&room, &carol, CONTENT_REACTION, text.id, "+");
    (void)told(&bob, CONTENT_EDIT, text.id, "older", -60);
    (void)told(&carol, CONTENT_REACTION, text.id, "-", -60);
    assert_bytes(found().text, sotto_bytes_str("newer"));
    reactions(1, "+");
}

static void progress(bool all)
{
    struct writer writer;
    struct reader reader;
    sotto_buf record;
    sotto_buf_init(&record, core->env);
    writer_init(&writer, &record);
    size_t opened = own_record(&writer, OWN_PROGRESS);
    writer_u64(&writer, 7);
    writer_u64(&writer, 7);
    writer_u8(&writer, all);
    writer_close(&writer, opened);
    assert_ok(writer_finish(&writer));
    reader_init(&reader, sotto_buf_view(&record));
    assert_ok(own_records_read(core, &reader, &arena));
    sotto_buf_free(&record);
}

/* What came meanwhile has its place before what was given on already. */
static void what_is_given_on_is_given_anew_when_all_has_come(void **state)
{
    (void)state;
    struct store_history history = {.device = core->identity.device, .position = 50, .given = 3};
    assert_ok(store_history_put(core->store, &history));
    progress(false);
    assert_ok(store_history_next(core->store, &history));
    assert_int_equal(history.position, 50);
    progress(true);
    assert_ok(store_history_next(core->store, &history));
    assert_int_equal(history.position, -1);
    history.position = 60;
    assert_ok(store_history_put(core->store, &history));
    progress(true); /* once: two that give each other the past come to an end */
    assert_ok(store_history_next(core->store, &history));
    assert_int_equal(history.position, 60);
}

static void put(const struct account_id *sender, uint64_t seq, sotto_bytes content)
{
    const struct store_early early = {.seq = seq,
                                      .sender = *sender,
                                      .target = sotto_bytes_of(text.id, CONTENT_ID_SIZE),
                                      .content = content,
                                      .time_s = 1,
                                      .erase_s = 1000 + seq};
    assert_ok(store_early_put(core->store, &room, &early));
}

static void there_is_an_end_to_what_is_kept(void **state)
{
    (void)state;
    static const uint8_t large[STORE_EARLY_SENDER_SIZE / 2];
    struct store_early early;
    const struct store_message message = past();
    bool due = true;
    uint64_t seq = 1;
    put(&carol, seq++, sotto_bytes_str("c"));
    for (unsigned i = 0; i < STORE_EARLY_SENDER_COUNT + 3; i++)
        put(&bob, seq++, sotto_bytes_str("b"));
    assert_int_equal(kept(), 1 + STORE_EARLY_SENDER_COUNT); /* Carol's is not crowded out */
    for (unsigned i = 0; i < 3; i++)
        put(&bob, seq++, sotto_bytes_of(large, sizeof large));
    assert_int_equal(kept(), 1 + 2);
    /* Many senders. */
    struct account_id other = {{9}};
    for (unsigned i = 0; i < 16; i++) {
        other.bytes[1] = (uint8_t)i;
        put(&other, seq++, sotto_bytes_of(large, sizeof large));
    }
    assert_int_equal(kept(), STORE_EARLY_ROOM_SIZE / sizeof large);
    for (unsigned i = 0; i < STORE_EARLY_ROOM_COUNT + 3; i++) {
        other.bytes[1] = (uint8_t)i;
        other.bytes[2] = (uint8_t)(i >> 8);
        put(&other, seq++, sotto_bytes_str("o"));
    }
    assert_int_equal(kept(), STORE_EARLY_ROOM_COUNT);
    /* The newest stay; what cannot be read is passed over. */
    given(&message);
    assert_int_equal(kept(), 0);
    assert_bytes(found().text, sotto_bytes_str("as it was"));
    put(&bob, seq, sotto_bytes_str("b"));
    assert_ok(store_early_next(core->store, &room, found().local, &arena, &early));
    assert_int_equal(early.seq, seq);
    /* Their time. */
    assert_ok(store_early_due(core->store, early.erase_s - 1, &due));
    assert_false(due);
    assert_ok(store_early_due(core->store, early.erase_s, &due));
    assert_true(due);
    assert_ok(store_early_expire(core->store, early.erase_s - 1));
    assert_int_equal(kept(), 1);
    assert_ok(store_commit(core->store));
    assert_ok(expire_sweep(core)); /* its time is long over */
    assert_int_equal(kept(), 0);
    assert_ok(store_begin(core->store));
}

static uint64_t longest(void)
{
    struct query q;
    query_read(&q, core->store, "SELECT max(erase_s - time_s) FROM early_change");
    assert_true(query_next(&q));
    uint64_t seconds = column_u64(&q);
    assert_ok(query_end(&q));
    return seconds;
}

static void it_goes_with_the_conversation(void **state)
{
    (void)state;
    (void)shown(&room, &bob, CONTENT_DELETE, text.id, "");
    (void)shown(&room, &bob, CONTENT_EDIT, text.id, "first");
    assert_int_equal(longest(), 30 * 86400);
    assert_ok(store_erasing_put(core->store, &room, 10)); /* its history up to there */
    assert_int_equal(kept(), 1);
    assert_ok(store_erasing_put(core->store, &room, 11));
    assert_int_equal(kept(), 0);
    /* Where messages disappear, so does the text of an edit. */
    assert_ok(store_room_timer_put(core->store, &room, 60));
    (void)shown(&room, &bob, CONTENT_EDIT, text.id, "second");
    assert_int_equal(longest(), 60);
    (void)shown(&elsewhere, &bob, CONTENT_EDIT, text.id, "third");
    assert_ok(store_room_erase(core->store, &room));
    assert_int_equal(kept(), 1);
    assert_ok(store_room_erase(core->store, &elsewhere));
    assert_int_equal(kept(), 0);
}

static void receipt(const struct account_id *sender, const uint8_t *id,
                    enum content_status_value status)
{
    struct content_status one = {.status = (uint8_t)status};
    const struct content_message content = {
        .kind = CONTENT_STATUS, .statuses = &one, .status_count = 1};
    memcpy(one.id, id, CONTENT_ID_SIZE);
    assert_ok(receipts_apply(core, &room, sender, &content));
}

static uint64_t receipts_kept(void)
{
    struct query q;
    query_read(&q, core->store, "SELECT count(*) FROM early_receipt");
    assert_true(query_next(&q));
    uint64_t count = column_u64(&q);
    assert_ok(query_end(&q));
    return count;
}

static void who_has_an_own_message_is_known_when_it_comes(void **state)
{
    (void)state;
    struct store_message message = past();
    struct store_receipt *rows;
    size_t count;
    message.own = true;
    message.state = STORE_MESSAGE_SENT;
    message.sender = core->identity.account;
    receipt(&bob, text.id, CONTENT_DELIVERED);
    receipt(&bob, text.id, CONTENT_READ);
    receipt(&bob, text.id, CONTENT_DELIVERED); /* takes nothing back */
    receipt(&carol, text.id, CONTENT_DELIVERED);
    receipt(&core->identity.account, text.id, CONTENT_READ); /* one's own: no news */
    assert_int_equal(receipts_kept(), 2);
    given(&message);
    assert_ok(store_receipts(core->store, found().local, &arena, &rows, &count));
    assert_int_equal(count, 2);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(rows[i].state,
                         account_id_equal(&rows[i].account, &bob) ? STORE_READ : STORE_DELIVERED);
    assert_int_equal(receipts_kept(), 0);
}

static void receipts_of_others_messages_are_not_kept(void **state)
{
    (void)state;
    const struct store_message message = past(); /* Bob's */
    receipt(&carol, text.id, CONTENT_READ);
    assert_int_equal(receipts_kept(), 1);
    given(&message);
    assert_int_equal(receipts_kept(), 0);
    receipt(&carol, text.id, CONTENT_READ);
    assert_int_equal(receipts_kept(), 0);
    /* Nor more than there is room for, or any where they are switched off. */
    uint8_t id[CONTENT_ID_SIZE] = {0};
    for (unsigned i = 0; i < STORE_EARLY_RECEIPTS_SENDER + 10; i++) {
        id[0] = (uint8_t)i;
        id[1] = (uint8_t)(i >> 8);
        receipt(&bob, id, CONTENT_READ);
    }
    assert_int_equal(receipts_kept(), STORE_EARLY_RECEIPTS_SENDER);
    receipt(&carol, id, CONTENT_READ);
    assert_int_equal(receipts_kept(), STORE_EARLY_RECEIPTS_SENDER + 1);
    assert_ok(store_receipts_clear(core->store));
    assert_int_equal(receipts_kept(), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_was_deleted_is_not_readable_when_it_comes),
        TEST(edits_count_in_the_order_of_the_log),
        TEST(reactions_come_and_go),
        TEST(nobody_changes_what_is_not_theirs),
        TEST(what_changed_before_one_came_in_is_told),
        TEST(what_the_log_has_shown_since_counts),
        TEST(what_is_given_on_is_given_anew_when_all_has_come),
        TEST(there_is_an_end_to_what_is_kept),
        TEST(it_goes_with_the_conversation),
        TEST(who_has_an_own_message_is_known_when_it_comes),
        TEST(receipts_of_others_messages_are_not_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
