/* Full-text search over what messages say. */
#include <string.h>

#include "core/internal.h"
#include "base/text.h"
#include "core/store_query.h"
#include "unit/check.h"
#include "unit/core_account.h"
#include "unit/folder.h"

static char folder[64];
static struct sotto *core;
static uint64_t next_seq;

static const struct room_id kitchen = {{0xA}}, plans = {{0xB}};

static int start(void **state)
{
    struct sotto_problem problem;
    (void)state;
    next_seq = 1;
    if (!folder_make(folder, "search") ||
        sotto_open(sotto_env_system(), folder, NULL, &core, &problem) != SOTTO_OK)
        return -1;
    core_account_make(core, "127.0.0.1:1", "Alice");
    for (int i = 0; i < 2; i++) {
        struct store_room row = {.room = i == 0 ? kitchen : plans,
                                 .kind = STORE_ROOM_GROUP,
                                 .state = STORE_ROOM_ACTIVE,
                                 .title = i == 0 ? "Kitchen" : "Plans",
                                 .relay = "",
                                 .trouble = "",
                                 .next_seq = 1,
                                 .members = 1};
        assert_ok(store_begin(core->store));
        assert_ok(store_room_add(core->store, &row));
        assert_ok(store_commit(core->store));
    }
    return 0;
}

static int stop(void **state)
{
    (void)state;
    sotto_close(core);
    return folder_remove(folder);
}

static void say(const struct room_id *room, const char *text)
{
    int64_t position, local;
    const struct store_message message = {.room = *room,
                                          .seq = next_seq++,
                                          .kind = SOTTO_KIND_TEXT,
                                          .state = STORE_MESSAGE_RECEIVED,
                                          .sender = core->identity.account,
                                          .text = sotto_bytes_str(text)};
    assert_ok(store_begin(core->store));
    assert_ok(store_message_add(core->store, &message, &position, &local));
    assert_ok(store_commit(core->store));
}

struct found {
    char texts[2000];
    int64_t last;
};

static void take(void *ctx, const struct sotto_message *message)
{
    struct found *found = ctx;
    size_t size = strlen(found->texts);
    snprintf(found->texts + size, sizeof found->texts - size, "%s%.*s", size > 0 ? "|" : "",
             (int)message->text.size, (const char *)message->text.data);
    found->last = message->id;
}

static struct found search(const char *words, const struct room_id *room, uint32_t limit,
                           int64_t before)
{
    struct found found = {"", 0};
    struct sotto_id id;
    if (room != NULL)
        memcpy(id.bytes, room->bytes, sizeof id.bytes);
    assert_ok(sotto_search(core, room != NULL ? &id : NULL, words, limit, before, take, &found));
    return found;
}

#define expect(words, wanted) assert_string_equal(search(words, NULL, 100, 0).texts, wanted)

static void words_are_found_in_any_case_without_accents_and_by_their_beginning(void **state)
{
    (void)state;
    say(&kitchen, "Caf\xC3\xA9 at eight, said M\xC3\xBCller");
    say(&kitchen, "the caff\xC3\xA8 is closed");
    say(&plans, "\xD0\x9F\xD1\x80\xD0\xB8\xD0\xB2\xD0\xB5\xD1\x82, eight o'clock");
    expect("CAFE", "Caf\xC3\xA9 at eight, said M\xC3\xBCller");
    expect("caf", "the caff\xC3\xA8 is closed|Caf\xC3\xA9 at eight, said M\xC3\xBCller");
    expect("muller eight", "Caf\xC3\xA9 at eight, said M\xC3\xBCller");
    expect("\xD0\xBF\xD1\x80\xD0\xB8\xD0\xB2", /* lower case Cyrillic */
           "\xD0\x9F\xD1\x80\xD0\xB8\xD0\xB2\xD0\xB5\xD1\x82, eight o'clock");
    expect("eight nine", "");
    expect("said mul", "Caf\xC3\xA9 at eight, said M\xC3\xBCller");
    expect("mul said", ""); /* the last word alone may be unfinished */
    expect("eight mul, ", "Caf\xC3\xA9 at eight, said M\xC3\xBCller");
    assert_string_equal(search("eight", &plans, 100, 0).texts,
                        "\xD0\x9F\xD1\x80\xD0\xB8\xD0\xB2\xD0\xB5\xD1\x82, eight o'clock");
}

/* The snippet of the newest message found: its hits in brackets. */
static void take_snippet(void *ctx, const struct sotto_message *message)
{
    char *out = ctx;
    out[0] = '\0';
    for (size_t i = 0; i < message->snippet_count; i++) {
        const struct sotto_piece *piece = &message->snippet[i];
        assert_true(text_is_utf8(piece->text));
        sprintf(out + strlen(out), piece->hit ? "[%.*s]" : "%.*s", (int)piece->text.size,
                (const char *)piece->text.data);
    }
}

static const char *snippet(const char *words)
{
    static char text[1000];
    text[0] = '?';
    assert_ok(sotto_search(core, NULL, words, 1, 0, take_snippet, text));
    return text;
}

static void where_it_was_found_is_shown(void **state)
{
    (void)state;
    say(&kitchen, "Caf\xC3\xA9 at eight, said M\xC3\xBCller.\nCafeteria? No: the eighth");
    assert_string_equal(snippet("CAFE muller"),
                        "[Caf\xC3\xA9] at eight, said [M\xC3\xBCller]. Cafeteria? No: the eighth");
    assert_string_equal(
        snippet("said cafe"),
        "[Caf\xC3\xA9] at eight, [said] M\xC3\xBCller. [Cafeteria]? No: the eighth");
    assert_string_equal(snippet("eight"),
                        "Caf\xC3\xA9 at [eight], said M\xC3\xBCller. Cafeteria? No: the [eighth]");
    /* A word that the index cuts is found, and marked, as its parts in a row. */
    say(&kitchen, "it is half\xE2\x80\x90past ten, half of it past");
    assert_string_equal(snippet("half\xE2\x80\x90past"),
                        "it is [half\xE2\x80\x90past] ten, half of it past");
    say(&kitchen, "a a b");
    assert_string_equal(snippet("a\xE2\x80\x90"
                                "b"),
                        "a [a b]");
}

static void of_a_long_text_the_line_around_the_first_place_is_shown(void **state)
{
    char text[4000] = "";
    (void)state;
    for (int i = 0; i < 200; i++)
        strcat(text, i == 120 ? "n\xC3\xB6rdlich " : "s\xC3\xBC\xC3\xA4\xC3\xB6 ");
    say(&kitchen, text);
    const char *shown = snippet("nordlich");
    assert_true(strncmp(shown, "\xE2\x80\xA6s", 4) == 0);
    assert_non_null(strstr(shown, "[n\xC3\xB6rdlich]"));
    assert_true(strcmp(shown + strlen(shown) - 3, "\xE2\x80\xA6") == 0);
    assert_true(strlen(shown) <= SOTTO_SNIPPET_MAX + 8);
    /* Without a blank, and longer than a line. */
    memset(text, 'x', 500);
    text[500] = '\0';
    say(&kitchen, text);
    assert_int_equal(strlen(snippet("xxx")), 2 + SOTTO_SNIPPET_MAX + 3);
    for (int i = 0; i < 100; i++)
        memcpy(text + 4 * i, "\xE4\xB8\x96-", 4);
    memcpy(text + 300, "east", 4);
    text[400] = '\0';
    say(&kitchen, text);
    assert_non_null(strstr(snippet("east"), "-[east\xE4\xB8\x96]-"));
}

static void what_is_typed_is_never_a_query_language(void **state)
{
    (void)state;
    say(&kitchen, "one NOT two");
    expect("one NOT two", "one NOT two");
    expect("one AND three", "");
    expect("\"one", "one NOT two");
    expect("one*", "one NOT two");
    expect("text:one", "");
    expect("NEAR(one two", "");
    expect("(one) -two ^not {}", "one NOT two");
    expect("o'n'e", "");
    static const char *const nothing[] = {"", " ", "\"", "* - ( ) : ^", "'"};
    for (size_t i = 0; i < sizeof nothing / sizeof *nothing; i++) {
        struct found found = {"", 0};
        assert_error(sotto_search(core, NULL, nothing[i], 10, 0, take, &found), ARGUMENT);
        assert_int_equal(sotto_problem(core)->code, SOTTO_CODE_BAD_TEXT);
    }
}

static void pages_go_back_in_time(void **state)
{
    (void)state;
    char text[32];
    for (int i = 0; i < 7; i++) {
        snprintf(text, sizeof text, "word %d", i);
        say(i % 2 == 0 ? &kitchen : &plans, text);
    }
    struct found page = search("word", NULL, 3, 0);
    assert_string_equal(page.texts, "word 6|word 5|word 4");
    page = search("word", NULL, 3, page.last);
    assert_string_equal(page.texts, "word 3|word 2|word 1");
    page = search("word", NULL, 3, page.last);
    assert_string_equal(page.texts, "word 0");
}

/* In how many places of the index a word stands. */
static uint32_t traces(const char *word)
{
    struct query q;
    query_read(&q, core->store,
               "SELECT count(*) FROM search_data WHERE instr(block, CAST(? AS BLOB)) > 0");
    query_text(&q, word);
    uint32_t count = query_next(&q) ? column_u32(&q) : 0;
    assert_ok(query_end(&q));
    return count;
}

static void what_is_changed_is_found_as_it_is_now(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "later", "", "again", "again"};
    say(&kitchen, "");
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct query q;
        assert_ok(store_begin(core->store));
        query_write(&q, core->store, "UPDATE message SET text = ?");
        query_text(&q, texts[i]);
        assert_ok(query_run(&q));
        assert_ok(store_commit(core->store));
        expect("later", i == 1 ? "later" : "");
        expect("again", i >= 3 ? "again" : "");
    }
    assert_ok(store_exec(core->store, "INSERT INTO search (search, rank) VALUES"
                                      " ('integrity-check', 1)"));
}

static void what_is_erased_leaves_no_word_in_the_index(void **state)
{
    (void)state;
    say(&kitchen, "zanzibar");
    say(&plans, "something else");
    assert_true(traces("zanzibar") > 0);
    bool more = true;
    assert_ok(search_tidy(core, &more)); /* nothing is stale */
    assert_false(more);
    assert_true(traces("zanzibar") > 0);
    assert_ok(store_begin(core->store));
    assert_ok(store_room_erase(core->store, &kitchen));
    assert_ok(store_commit(core->store));
    expect("zanzibar", "");
    unsigned steps = 0;
    do
        assert_ok(search_tidy(core, &more));
    while (more && ++steps < 1000);
    assert_true(steps > 0 && !more);
    assert_int_equal(traces("zanzibar"), 0);
    expect("something", "something else");
    assert_ok(store_check(core->store));
}

/* Of a linked device: its rows are not in the order of positions. */
static void pages_have_each_message_once_whatever_its_position(void **state)
{
    (void)state;
    int64_t local;
    assert_ok(store_begin(core->store));
    assert_ok(store_messages_head_put(core->store, 1000));
    assert_ok(store_commit(core->store));
    say(&kitchen, "kestrel now");
    static const char *const texts[] = {"kestrel 1", "kestrel 2", "kestrel 3"};
    assert_ok(store_begin(core->store));
    for (uint64_t i = 0; i < 3; i++) {
        const struct store_message past = {.room = plans,
                                           .position = (int64_t)(10 + i),
                                           .seq = 1 + i,
                                           .kind = SOTTO_KIND_TEXT,
                                           .state = STORE_MESSAGE_RECEIVED,
                                           .sender = core->identity.account,
                                           .text = sotto_bytes_str(texts[i])};
        assert_ok(store_message_import(core->store, &past, &local));
    }
    assert_ok(store_commit(core->store));
    struct found page = search("kestrel", NULL, 2, 0);
    assert_string_equal(page.texts, "kestrel 3|kestrel 2");
    page = search("kestrel", NULL, 2, page.last);
    assert_string_equal(page.texts, "kestrel 1|kestrel now");
    assert_string_equal(search("kestrel", NULL, 2, page.last).texts, "");
    /* The last of a page was erased meanwhile. */
    assert_string_equal(search("kestrel", NULL, 2, 500).texts, "kestrel 3|kestrel 2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            words_are_found_in_any_case_without_accents_and_by_their_beginning, start, stop),
        cmocka_unit_test_setup_teardown(where_it_was_found_is_shown, start, stop),
        cmocka_unit_test_setup_teardown(of_a_long_text_the_line_around_the_first_place_is_shown,
                                        start, stop),
        cmocka_unit_test_setup_teardown(what_is_typed_is_never_a_query_language, start, stop),
        cmocka_unit_test_setup_teardown(pages_go_back_in_time, start, stop),
        cmocka_unit_test_setup_teardown(pages_have_each_message_once_whatever_its_position, start,
                                        stop),
        cmocka_unit_test_setup_teardown(what_is_changed_is_found_as_it_is_now, start, stop),
        cmocka_unit_test_setup_teardown(what_is_erased_leaves_no_word_in_the_index, start, stop),
    };
    return cmocka_run_group_tests_name("core_search", tests, NULL, NULL);
}
