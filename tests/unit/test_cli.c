/* The command line's parsing, and what it makes of text that others wrote. */
#include <string.h>

#include "cli/cli.h"
#include "unit/check.h"

/* ---- Stand-ins: the table needs the commands' names, not what they do. */
#define NO_RUN(name)                                         \
    int run_##name(struct cli *cli, const struct args *args) \
    {                                                        \
        (void)cli;                                           \
        (void)args;                                          \
        return EXIT_OK;                                      \
    }
NO_RUN(register)
NO_RUN(link)
NO_RUN(devices)
NO_RUN(device_add)
NO_RUN(device_rename)
NO_RUN(device_revoke)
NO_RUN(account_move)
NO_RUN(account_delete)
NO_RUN(phrase)
NO_RUN(recover)
NO_RUN(name)
NO_RUN(config_proxy)
NO_RUN(status)
NO_RUN(relay)
NO_RUN(notices)
NO_RUN(notice_read)
NO_RUN(fingerprint)
NO_RUN(passphrase_set)
NO_RUN(passphrase_change)
NO_RUN(passphrase_remove)
NO_RUN(passphrase_keyring)
NO_RUN(backup)
NO_RUN(restore)
NO_RUN(export)
NO_RUN(import)
NO_RUN(invite)
NO_RUN(accept)
NO_RUN(decline)
NO_RUN(requests)
NO_RUN(contacts)
NO_RUN(picture)
NO_RUN(contact_picture)
NO_RUN(find)
NO_RUN(add)
NO_RUN(username)
NO_RUN(findable)
NO_RUN(contact_name)
NO_RUN(contact_delete)
NO_RUN(block)
NO_RUN(unblock)
NO_RUN(blocked)
NO_RUN(verify)
NO_RUN(send)
NO_RUN(reply)
NO_RUN(edit)
NO_RUN(delete)
NO_RUN(react)
NO_RUN(forward)
NO_RUN(retry)
NO_RUN(info)
NO_RUN(message_link)
NO_RUN(message_find)
NO_RUN(cancel)
NO_RUN(save)
NO_RUN(album)
NO_RUN(downloads)
NO_RUN(receipts)
NO_RUN(listen)
NO_RUN(sync)
NO_RUN(conversations)
NO_RUN(pin)
NO_RUN(archive)
NO_RUN(mute)
NO_RUN(unread)
NO_RUN(draft)
NO_RUN(erase)
NO_RUN(typing)
NO_RUN(history)
NO_RUN(timer)
NO_RUN(search)
NO_RUN(group_create)
NO_RUN(group_add)
NO_RUN(group_remove)
NO_RUN(group_leave)
NO_RUN(group_members)
NO_RUN(group_update)
NO_RUN(group_settings)
NO_RUN(group_roles)
NO_RUN(group_title)
NO_RUN(group_description)
NO_RUN(group_picture)
NO_RUN(group_role)
NO_RUN(group_policy)
NO_RUN(group_join)
NO_RUN(group_ban)
NO_RUN(group_continue)
NO_RUN(group_link)
NO_RUN(group_links)
NO_RUN(group_unlink)
NO_RUN(group_ask)
NO_RUN(group_requests)
NO_RUN(group_approve)
NO_RUN(group_refuse)
NO_RUN(group_unban)
NO_RUN(daemon)
NO_RUN(call)
NO_RUN(completion)

/* ---- Text of others ---- */

static void expect_clean(const char *text, size_t size, int indent, const char *expected)
{
    char *printed = NULL;
    size_t printed_size = 0;
    FILE *out = open_memstream(&printed, &printed_size);
    assert_non_null(out);
    clean_print(out, sotto_bytes_of((const uint8_t *)text, size), indent);
    assert_int_equal(fclose(out), 0);
    assert_string_equal(printed, expected);
    free(printed);
}

#define CLEAN(text, indent, expected) expect_clean(text, sizeof text - 1, indent, expected)
#define BAD "\xEF\xBF\xBD"

static void what_moves_the_cursor_is_replaced(void **state)
{
    (void)state;
    CLEAN("plain", -1, "plain");
    CLEAN("\x1b[2J", -1, BAD "[2J");
    CLEAN("a\rb", 0, "a" BAD "b");
    CLEAN("\x7f\0\a", 0, BAD BAD BAD);
    CLEAN("\xC2\x9B"
          "1m",
          0, BAD "1m"); /* C1 CSI */
    CLEAN("\xE2\x80\xAE"
          "abc",
          0, BAD "abc");                           /* right-to-left override */
    CLEAN("\xE2\x81\xA6\xE2\x80\xA8", 0, BAD BAD); /* isolate, line separator */
}

static void what_is_not_utf8_is_replaced(void **state)
{
    (void)state;
    CLEAN("\xff", 0, BAD);
    CLEAN("\xC0\xAF", 0, BAD BAD);                 /* overlong */
    CLEAN("\xED\xA0\x80", 0, BAD BAD BAD);         /* surrogate */
    CLEAN("\xF4\x90\x80\x80", 0, BAD BAD BAD BAD); /* above U+10FFFF */
    CLEAN("\xE2\x82", 0, BAD BAD);                 /* cut */
    CLEAN("\xF0\x9F\x98\x80 \xC3\xBC", 0, "\xF0\x9F\x98\x80 \xC3\xBC");
}

static void lines_are_indented_or_joined(void **state)
{
    (void)state;
    CLEAN("a\nb\tc", 4, "a\n    b\tc");
    CLEAN("a\nb\tc", -1, "a b c");
}

/* ---- Parsing ---- */

struct parsed {
    struct globals globals;
    const struct command *command;
    struct args args;
    struct sotto_problem problem;
    const char *words[16];
    bool ok;
};

static void parse(struct parsed *parsed, const char *const *list)
{
    char *argv[16] = {NULL};
    int argc = 0;
    memset(parsed, 0, sizeof *parsed);
    argv[argc++] = (char *)(uintptr_t) "sotto";
    for (; list[argc - 1] != NULL; argc++)
        argv[argc] = (char *)(uintptr_t)list[argc - 1];
    parsed->ok = options_parse(argc, argv, &parsed->globals, &parsed->command, &parsed->args,
                               parsed->words, &parsed->problem);
}

#define PARSE(parsed, ...) parse(parsed, (const char *const[]){__VA_ARGS__, NULL})

static void options_stand_anywhere(void **state)
{
    (void)state;
    struct parsed p;
    PARSE(&p, "--profile", "dir", "send", "--json", "Bob", "--id=7", "hello", "you");
    assert_true(p.ok);
    assert_string_equal(p.command->name, "send");
    assert_string_equal(p.globals.profile, "dir");
    assert_true(p.globals.json);
    assert_string_equal(p.args.options[0], "7");
    assert_int_equal(p.args.count, 3);
    assert_string_equal(p.words[0], "Bob");
    assert_string_equal(p.words[2], "you");
}

static void two_dashes_end_the_options(void **state)
{
    (void)state;
    struct parsed p;
    PARSE(&p, "send", "Bob", "--", "--json", "-");
    assert_true(p.ok);
    assert_false(p.globals.json);
    assert_int_equal(p.args.count, 3);
    assert_string_equal(p.words[1], "--json");
}

static void commands_of_two_words_are_found(void **state)
{
    (void)state;
    struct parsed p;
    PARSE(&p, "group", "add", "Kitchen", "Bob");
    assert_true(p.ok);
    assert_string_equal(p.command->name, "group add");
    assert_int_equal(p.args.count, 2);
    assert_string_equal(p.words[0], "Kitchen");
}

static void a_mistake_is_said(void **state)
{
    (void)state;
    struct parsed p;
    PARSE(&p, "frobnicate");
    assert_false(p.ok);
    assert_non_null(strstr(p.problem.message, "frobnicate"));
    PARSE(&p, "send");
    assert_false(p.ok);
    assert_non_null(strstr(p.problem.next, "sotto send"));
    PARSE(&p, "history", "Bob", "--limit");
    assert_false(p.ok);
    PARSE(&p, "listen", "--once=1", "--json");
    assert_false(p.ok);
    assert_true(p.globals.json); /* the mistake itself is said in JSON */
    PARSE(&p, "send", "--nonsense", "--help");
    assert_true(p.ok && p.globals.help);
}

static void durations_and_numbers_have_bounds(void **state)
{
    (void)state;
    struct sotto_problem problem;
    uint64_t value = 0;
    assert_true(options_duration("for", "90", &value, &problem) && value == 90);
    assert_true(options_duration("for", "7d", &value, &problem) && value == 7 * 86400);
    assert_true(options_duration("for", "15m", &value, &problem) && value == 900);
    const char *const bad[] = {"", "0", "-1", "7w", "d", "1dd", "3651d", "99999999999999999999"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(options_duration("for", bad[i], &value, &problem));
    assert_true(options_number("n", "1000", 1000, &value, &problem) && value == 1000);
    assert_false(options_number("n", "1001", 1000, &value, &problem));
    assert_false(options_number("n", "18446744073709551617", INT64_MAX, &value, &problem));
    assert_true(options_size("90", &value, &problem) && value == 90);
    assert_true(options_size("1G", &value, &problem) && value == UINT64_C(1) << 30);
    assert_true(options_size("20M", &value, &problem) && value == 20u << 20);
    const char *const sizes[] = {"", "0", "-1", "M", "1MB", "1T", "1.5M", "99999999999999999999"};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        assert_false(options_size(sizes[i], &value, &problem));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_moves_the_cursor_is_replaced),
        cmocka_unit_test(what_is_not_utf8_is_replaced),
        cmocka_unit_test(lines_are_indented_or_joined),
        cmocka_unit_test(options_stand_anywhere),
        cmocka_unit_test(two_dashes_end_the_options),
        cmocka_unit_test(commands_of_two_words_are_found),
        cmocka_unit_test(a_mistake_is_said),
        cmocka_unit_test(durations_and_numbers_have_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
