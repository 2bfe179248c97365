/* What an export says, into the history: hostile files above all. */
#include <string.h>

#include "core/content.h"
#include "core/internal.h"
#include "core/store_query.h"
#include "unit/check.h"
#include "unit/core_account.h"
#include "unit/folder.h"

#define ID32(digits) digits digits digits digits
#define BOB ID32("b0b0b0b0b0b0b0b0")
#define HEAD                                                                                 \
    "{\"type\":\"export\",\"version\":1,\"conversation\":\"0a000000000000000000000000000000" \
    "00000000000000000000000000000000\"}\n"

static char folder[64], away[64];
static struct sotto *core;
static const struct room_id kitchen = {{0xA}};

static int start(void **state)
{
    struct sotto_problem problem;
    (void)state;
    if (!folder_make(folder, "import") || !folder_make(away, "export") ||
        sotto_open(sotto_env_system(), folder, NULL, &core, &problem) != SOTTO_OK)
        return -1;
    core_account_make(core, "127.0.0.1:1", "Alice");
    struct store_room row = {.room = kitchen,
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
    return 0;
}

static int stop(void **state)
{
    (void)state;
    sotto_close(core);
    (void)folder_remove(away);
    return folder_remove(folder);
}

static FILE *lines_open(void)
{
    char path[128];
    snprintf(path, sizeof path, "%s/messages.jsonl", away);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    return file;
}

static void file_write(const char *text)
{
    FILE *file = lines_open();
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* A line: who said it is Bob, the content id ends in that number. */
static const char *line(uint64_t seq, uint32_t id, const char *more)
{
    static char texts[4][2048];
    static unsigned next;
    char *text = texts[next++ % 4];
    snprintf(text, sizeof texts[0],
             "{\"type\":\"message\",\"seq\":%llu,\"kind\":\"text\",\"sender\":\"" BOB
             "\",\"time\":1700000000,\"contentId\":\"%064x\",%s}\n",
             (unsigned long long)seq, id, more);
    return text;
}

static sotto_error take(const char *text, struct sotto_imported *done)
{
    file_write(text);
    return sotto_import(core, away, done, NULL, NULL);
}

struct seen {
    char texts[4000];
    size_t imported, own;
    int64_t last;
};

static void each(void *ctx, const struct sotto_message *message)
{
    struct seen *seen = ctx;
    size_t size = strlen(seen->texts);
    snprintf(seen->texts + size, sizeof seen->texts - size, "%s%.*s", size > 0 ? "|" : "",
             (int)message->text.size, (const char *)message->text.data);
    seen->imported += message->imported;
    seen->own += message->own;
    assert_true(message->id > seen->last);
    seen->last = message->id;
}

static struct seen history(void)
{
    struct seen seen = {"", 0, 0, 0};
    struct sotto_id id;
    memcpy(id.bytes, kitchen.bytes, ROOM_ID_SIZE);
    assert_ok(sotto_history(core, &id, 100, 0, each, &seen));
    return seen;
}

static sotto_error received(uint64_t seq, uint8_t id, const char *text, int64_t *position)
{
    const uint8_t content_id[CONTENT_ID_SIZE] = {[CONTENT_ID_SIZE - 1] = id};
    int64_t local;
    const struct store_message message = {.room = kitchen,
                                          .seq = seq,
                                          .kind = SOTTO_KIND_TEXT,
                                          .state = STORE_MESSAGE_RECEIVED,
                                          .unread = true,
                                          .sender = {{0xB0}},
                                          .content_id = sotto_bytes_of(content_id, 32),
                                          .text = sotto_bytes_str(text)};
    assert_ok(store_begin(core->store));
    sotto_error error = store_message_add(core->store, &message, position, &local);
    assert_ok(store_commit(core->store));
    return error;
}

static void what_is_not_here_comes_marked_and_once(void **state)
{
    struct sotto_imported done;
    char text[8192];
    int64_t position;
    (void)state;
    assert_ok(received(2, 2, "two", &position));
    snprintf(text, sizeof text, HEAD "%s%s%s%s", line(1, 1, "\"text\":\"one\""),
             line(2, 2, "\"text\":\"not two\""),
             line(3, 3, "\"text\":\"th\\u0072ee\",\"own\":true"),
             "{\"type\":\"message\",\"kind\":\"added\"}\n");
    assert_ok(take(text, &done));
    assert_int_equal(done.messages, 2);
    assert_int_equal(done.known, 1);
    assert_int_equal(done.skipped, 1);
    assert_memory_equal(done.conversation.bytes, kitchen.bytes, ROOM_ID_SIZE);
    struct seen seen = history();
    assert_string_equal(seen.texts, "two|one|three"); /* no position is free before "two" */
    assert_int_equal(seen.imported, 2);
    assert_int_equal(seen.own, 0);
    assert_ok(take(text, &done));
    assert_int_equal(done.messages, 0);
    assert_int_equal(done.known, 3);
    assert_string_equal(history().texts, "two|one|three");
    struct seen found = {"", 0, 0, 0};
    assert_ok(sotto_search(core, NULL, "thr", 10, 0, each, &found));
    assert_string_equal(found.texts, "three");
    uint32_t unread = 9;
    assert_ok(store_messages_unread(core->store, &kitchen, &unread));
    assert_int_equal(unread, 1); /* two */
}

/* A forged place in the log keeps nothing out, and claims nothing of what was read. */
static void what_is_proved_takes_the_place_of_what_was_imported(void **state)
{
    struct sotto_imported done;
    char text[8192];
    int64_t position;
    uint64_t seq;
    (void)state;
    snprintf(text, sizeof text, HEAD "%s%s%s", line(1, 1, "\"text\":\"forged\""),
             line(2, 7, "\"text\":\"elsewhere\""), line(9007199254740992, 9, "\"text\":\"far\""));
    assert_ok(take(text, &done));
    assert_int_equal(done.messages, 3);
    assert_ok(received(1, 1, "said", &position));
    assert_ok(received(3, 7, "moved", &position));
    assert_string_equal(history().texts, "far|said|moved");
    assert_int_equal(history().imported, 1);
    assert_error(received(1, 1, "said", &position), EXISTS);
    assert_ok(store_messages_unread_seq(core->store, &kitchen, position + 100, &seq));
    assert_int_equal(seq, 3);
    assert_ok(take(text, &done));
    assert_int_equal(done.known, 3); /* what claims place 2 is said at 3 */
    assert_int_equal(done.messages, 0);
}

static void a_gap_is_filled_in_order(void **state)
{
    struct sotto_imported done;
    char text[8192];
    int64_t position;
    (void)state;
    assert_ok(store_begin(core->store));
    assert_ok(store_messages_head_put(core->store, 1000)); /* as linking does */
    assert_ok(store_commit(core->store));
    assert_ok(received(5, 5, "five", &position));
    snprintf(text, sizeof text, HEAD "%s%s%s", line(3, 3, "\"text\":\"three\""),
             line(4, 4, "\"text\":\"four\",\"part\":1"), line(6, 6, "\"text\":\"six\""));
    assert_ok(take(text, &done));
    assert_string_equal(history().texts, "three|four|five|six");
    assert_ok(received(7, 7, "seven", &position));
    assert_string_equal(history().texts, "three|four|five|six|seven");
}

static void of_files_the_name_comes(void **state)
{
    struct sotto_imported done;
    (void)state;
    assert_ok(take(HEAD "{\"type\":\"message\",\"seq\":1,\"kind\":\"picture\",\"sender\":\"" BOB
                        "\",\"time\":1,\"contentId\":\"" BOB
                        "\",\"fileName\":\"a.jpg\",\"text\":\"look\",\"file\":\"../../x\"}\n",
                   &done));
    assert_string_equal(history().texts, "a.jpg\nlook");
}

static void expect_refused(const char *text, const char *where)
{
    struct sotto_imported done;
    assert_error(take(text, &done), VALUE);
    const struct sotto_problem *problem = sotto_problem(core);
    assert_int_equal(problem->code, SOTTO_CODE_BAD_EXPORT);
    if (strstr(problem->message, where) == NULL)
        fail_msg("%s: not in: %s", where, problem->message);
    assert_string_equal(history().texts, ""); /* also what stands before it */
}

static void hostile_lines_are_refused_whole(void **state)
{
    char text[8192];
    (void)state;
    static const struct {
        const char *more, *where;
    } bad[] = {
        {"\"text\":\"a\",\"text\":\"b\"", "line 3: "},
        {"\"text\":\"\xC0\xAF\"", "line 3: "},
        {"\"text\":\"\xED\xA0\x80\"", "line 3: "},
        {"\"text\":\"\\ud800\"", "line 3: "},
        {"\"text\":\"\\u0000\"", "line 3: "},
        {"\"text\":7", "line 3, text"},
        {"\"markdown\":1,\"text\":\"\"", "line 3, markdown"},
        {"\"x\":1", "line 3, text"},
        {"\"text\":\"\",\"target\":\"00\"", "line 3, target"},
        {"\"text\":\"\",\"target\":null", "line 3, target"},
        {"\"text\":\"\",\"edited\":-1", "line 3, edited"},
        {"\"text\":\"\",\"edited\":9007199254740993", "line 3, edited"},
        {"\"text\":\"\",\"edited\":99999999999999999999", "line 3: "},
        {"\"text\":\"\",\"edited\":1.0", "line 3, edited"},
        {"\"text\":\"\",\"part\":65536", "line 3, part"},
        {"\"text\":\"\"} {", "line 3: "},
        {"\"text\":\"\"", ""},
    };
    for (size_t i = 0; i + 1 < sizeof bad / sizeof bad[0]; i++) {
        snprintf(text, sizeof text, HEAD "%s%s", line(1, 1, "\"text\":\"good\""),
                 line(2, 2, bad[i].more));
        expect_refused(text, bad[i].where);
    }
    snprintf(text, sizeof text, HEAD "%s", line(0, 1, "\"text\":\"\""));
    expect_refused(text, "line 2, seq");
    snprintf(text, sizeof text, HEAD "%s", line(UINT64_C(1) << 60, 1, "\"text\":\"\""));
    expect_refused(text, "line 2, seq");
    snprintf(text, sizeof text, HEAD "%s", line(1, 1, "\"text\":\"good\""));
    text[strlen(text) - 1] = '\0';
    expect_refused(text, "line 2: it is cut off");
    expect_refused("", "line 1: it is empty");
    expect_refused("\n", "line 1: ");
    expect_refused("[]\n", "line 1: it is not an object");
    expect_refused("{}\n", "line 1, type");
    expect_refused("{\"type\":\"export\"}\n", "line 1, version");
    expect_refused("{\"type\":\"export\",\"version\":1}\n", "line 1, conversation");
    expect_refused(HEAD "{\"type\":\"message\"}\n", "line 2, kind");
    expect_refused(HEAD "{}\n", "line 2, type");
    struct sotto_imported done;
    assert_error(take("{\"type\":\"export\",\"version\":2}\n", &done), VERSION);
    assert_error(take("{\"type\":\"export\",\"version\":1,\"conversation\":\"" BOB "\"}\n", &done),
                 NOT_FOUND);
    assert_error(sotto_import(core, "/dev/null", &done, NULL, NULL), NOT_FOUND);
}

static void filled(size_t size, bool ends)
{
    FILE *file = lines_open();
    fputs(HEAD, file);
    const char *before = line(1, 1, "\"text\":\"");
    fwrite(before, 1, strlen(before) - 2, file); /* without }\n */
    for (size_t i = 0; i < size; i++)
        fputc('a', file);
    fputs(ends ? "\"}\n" : "", file);
    assert_int_equal(fclose(file), 0);
}

static void sizes_are_bounded(void **state)
{
    struct sotto_imported done;
    (void)state;
    filled(CONTENT_TEXT_MAX, true);
    assert_ok(sotto_import(core, away, &done, NULL, NULL));
    assert_int_equal(done.messages, 1);
    filled(CONTENT_TEXT_MAX + 1, true);
    assert_error(sotto_import(core, away, &done, NULL, NULL), VALUE);
    assert_non_null(strstr(sotto_problem(core)->message, "line 2, text: it is too long"));
    filled(9u << 20, false);
    assert_error(sotto_import(core, away, &done, NULL, NULL), VALUE);
    assert_non_null(strstr(sotto_problem(core)->message, "line 2: it is too long"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_not_here_comes_marked_and_once, start, stop),
        cmocka_unit_test_setup_teardown(what_is_proved_takes_the_place_of_what_was_imported, start,
                                        stop),
        cmocka_unit_test_setup_teardown(a_gap_is_filled_in_order, start, stop),
        cmocka_unit_test_setup_teardown(of_files_the_name_comes, start, stop),
        cmocka_unit_test_setup_teardown(hostile_lines_are_refused_whole, start, stop),
        cmocka_unit_test_setup_teardown(sizes_are_bounded, start, stop),
    };
    return cmocka_run_group_tests_name("core_import", tests, NULL, NULL);
}
