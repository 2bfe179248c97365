/* What members of a room agreed on: the encoding, changes, and its limits. */
#include "core/settings.h"
#include "unit/check.h"

static struct arena arena;

static int start(void **state)
{
    (void)state;
    arena_init(&arena, sotto_env_system());
    return 0;
}

static int stop(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

static struct account_id account(uint8_t first)
{
    struct account_id id = {{first, 7}};
    return id;
}

static sotto_error change(struct settings *settings, uint8_t what, uint8_t who, uint32_t value,
                          sotto_bytes text, bool *changed)
{
    struct settings_change one = {
        .what = what, .value = value, .account = account(who), .text = text};
    sotto_buf bytes;
    struct settings_change read;
    sotto_buf_init(&bytes, sotto_env_system());
    assert_ok(settings_change_write(&one, &bytes));
    assert_ok(settings_change_read(sotto_buf_view(&bytes), &read));
    sotto_error error = settings_apply(settings, &read, &arena, changed);
    if (read.text.size > 0 && error == SOTTO_OK) { /* what was applied borrows from the change */
        uint8_t *copy = arena_array(&arena, text.size, 1);
        memcpy(copy, text.data, text.size);
        if (what == SETTINGS_TITLE)
            settings->title.data = copy;
        if (what == SETTINGS_DESCRIPTION)
            settings->description.data = copy;
        if (what == SETTINGS_PICTURE)
            settings->picture.data = copy;
    }
    sotto_buf_free(&bytes);
    return error;
}

static void set(struct settings *settings, uint8_t what, uint8_t who, uint32_t value,
                const char *text)
{
    bool changed = false;
    assert_ok(change(settings, what, who, value, sotto_bytes_str(text), &changed));
    assert_true(changed);
    assert_ok(change(settings, what, who, value, sotto_bytes_str(text), &changed));
    assert_false(changed);
}

static void same(const struct settings *a, sotto_bytes bytes)
{
    sotto_buf again;
    sotto_buf_init(&again, sotto_env_system());
    assert_ok(settings_write(a, &again));
    assert_true(sotto_bytes_equal(sotto_buf_view(&again), bytes));
    sotto_buf_free(&again);
}

static void what_was_set_is_read_again(void **state)
{
    (void)state;
    struct settings settings, read;
    sotto_fault fault;
    sotto_buf bytes;
    sotto_buf_init(&bytes, sotto_env_system());
    settings_init(&settings);
    set(&settings, SETTINGS_TITLE, 0, 0,
        "K\xc3\xbc"
        "che");
    set(&settings, SETTINGS_DESCRIPTION, 0, 0, "two\nlines");
    set(&settings, SETTINGS_PICTURE, 0, 0, "\x89PNG\r\n\x1a\nand what follows");
    for (uint8_t i = 9; i > 0; i--) /* against the order */
        set(&settings, SETTINGS_ROLE, i, i % 2 ? SOTTO_ROLE_ADMIN : SOTTO_ROLE_OWNER, "");
    set(&settings, SETTINGS_TIMER, 0, 3600, "");
    set(&settings, SETTINGS_JOIN, 0, SOTTO_JOIN_CLOSED, "");
    for (uint8_t i = 1; i < 5; i++)
        set(&settings, SETTINGS_BAN, (uint8_t)(250 - i), 1, "");
    set(&settings, SETTINGS_BAN, 247, 0, "");
    set(&settings, SETTINGS_ROLE, 4, SOTTO_ROLE_MEMBER, "");
    settings.policy[SOTTO_POLICY_WRITE] = SOTTO_ROLE_ADMIN;
    settings.continues = true;
    settings.before.bytes[3] = 3;
    assert_ok(settings_write(&settings, &bytes));
    assert_ok(settings_read(sotto_buf_view(&bytes), &arena, &read, &fault));
    same(&read, sotto_buf_view(&bytes));
    assert_int_equal(read.role_count, 8);
    assert_int_equal(read.banned_count, 3);
    for (uint8_t i = 1; i < 12; i++) {
        struct account_id id = account(i);
        assert_int_equal(settings_role(&read, &id), i == 4 || i > 9 ? SOTTO_ROLE_MEMBER
                                                    : i % 2         ? SOTTO_ROLE_ADMIN
                                                                    : SOTTO_ROLE_OWNER);
    }
    struct account_id banned = account(249), allowed = account(247);
    assert_true(settings_banned(&read, &banned));
    assert_false(settings_banned(&read, &allowed));
    assert_int_equal(read.timer_s, 3600);
    assert_int_equal(read.join, SOTTO_JOIN_CLOSED);
    assert_true(read.continues);
    sotto_buf_free(&bytes);
}

static void what_a_newer_version_wrote_is_kept(void **state)
{
    (void)state;
    static const uint8_t newer[] = {0, 1, 0, 1, 1, 'K', 0, 99, 2, 8, 9, 1, 0, 0};
    struct settings settings;
    sotto_fault fault;
    assert_ok(settings_read(sotto_bytes_of(newer, sizeof newer), &arena, &settings, &fault));
    same(&settings, sotto_bytes_of(newer, sizeof newer));
}

static void every_other_encoding_is_refused(void **state)
{
    (void)state;
    static const struct {
        sotto_error error;
        uint8_t size;
        uint8_t bytes[16];
    } bad[] = {
        {SOTTO_VERSION, 2, {0, 2}},
        {SOTTO_TRUNCATED, 1, {0}},
        {SOTTO_VALUE, 5, {0, 1, 0, 0, 0}},       /* no type 0 */
        {SOTTO_VALUE, 5, {0, 1, 0, 1, 0}},       /* an empty title */
        {SOTTO_VALUE, 6, {0, 1, 0, 1, 1, '\n'}}, /* no line */
        {SOTTO_VALUE, 6, {0, 1, 0, 1, 1, 0xFF}}, /* no UTF-8 */
        {SOTTO_VALUE, 6, {0, 1, 0, 5, 1, 4}},    /* no role */
        {SOTTO_VALUE, 6, {0, 1, 0, 5, 1, 0}},
        {SOTTO_TRAILING, 7, {0, 1, 0, 5, 2, 1, 1}},            /* a value too long */
        {SOTTO_TRUNCATED, 6, {0, 1, 0, 7, 1, 1}},              /* and too short */
        {SOTTO_LIMIT, 9, {0, 1, 0, 7, 4, 0xFF, 0, 0, 0}},      /* a timer of 135 years */
        {SOTTO_VALUE, 6, {0, 1, 0, 8, 1, 3}},                  /* no rule */
        {SOTTO_VALUE, 9, {0, 1, 0, 6, 4, 1, 2, 3, 4}},         /* no role in a policy */
        {SOTTO_LIMIT, 5, {0, 1, 0, 4, 0}},                     /* an empty list */
        {SOTTO_TRUNCATED, 5, {0, 1, 0, 3, 9}},                 /* cut */
        {SOTTO_VALUE, 8, {0, 1, 0, 3, 3, 'G', 'I', 'F'}},      /* no picture */
        {SOTTO_VALUE, 10, {0, 1, 0, 99, 1, 1, 0, 98, 1, 1}},   /* out of order */
        {SOTTO_VALUE, 10, {0, 1, 0, 1, 1, 'a', 0, 1, 1, 'b'}}, /* twice */
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct settings settings;
        sotto_fault fault = {0};
        sotto_error error =
            settings_read(sotto_bytes_of(bad[i].bytes, bad[i].size), &arena, &settings, &fault);
        if (error != bad[i].error)
            fail_msg("%zu: %s, %s", i, sotto_error_name(error), fault.what);
        assert_int_equal(fault.error, error);
    }
    struct settings settings;
    sotto_fault fault;
    uint8_t two[2 + 2 + 2 + 64] = {0, 1, 0, 9, 0x40, 64};
    assert_error(settings_read(sotto_bytes_of(two, sizeof two), &arena, &settings, &fault),
                 VALUE); /* twice the same */
    two[6 + 63] = 1;
    assert_ok(settings_read(sotto_bytes_of(two, sizeof two), &arena, &settings, &fault));
}

static void lists_have_limits(void **state)
{
    (void)state;
    struct settings settings;
    bool changed = false;
    settings_init(&settings);
    for (uint32_t i = 0; i <= SETTINGS_ROLES_MAX; i++) {
        struct settings_change one = {.what = SETTINGS_ROLE,
                                      .value = SOTTO_ROLE_ADMIN,
                                      .account = {{(uint8_t)(i >> 8), (uint8_t)i}}};
        sotto_error error = settings_apply(&settings, &one, &arena, &changed);
        assert_int_equal(error, i < SETTINGS_ROLES_MAX ? SOTTO_OK : SOTTO_LIMIT);
    }
    assert_int_equal(settings.role_count, SETTINGS_ROLES_MAX);
    for (uint32_t i = 0; i <= SETTINGS_BANNED_MAX; i++) {
        struct settings_change one = {
            .what = SETTINGS_BAN, .value = 1, .account = {{(uint8_t)(i >> 8), (uint8_t)i}}};
        sotto_error error = settings_apply(&settings, &one, &arena, &changed);
        assert_int_equal(error, i < SETTINGS_BANNED_MAX ? SOTTO_OK : SOTTO_LIMIT);
    }
    /* All of it at once is an extension that the engine takes. */
    static uint8_t picture[SOTTO_PICTURE_MAX] = "\xFF\xD8\xFF";
    static uint8_t description[SOTTO_DESCRIPTION_MAX];
    memset(description, 'x', sizeof description);
    settings.picture = sotto_bytes_of(picture, sizeof picture);
    settings.description = sotto_bytes_of(description, sizeof description);
    settings.title = sotto_bytes_of(description, WIRE_TITLE_MAX);
    sotto_buf bytes;
    struct settings read;
    sotto_fault fault;
    sotto_buf_init(&bytes, sotto_env_system());
    assert_ok(settings_write(&settings, &bytes));
    assert_true(bytes.size < SETTINGS_MAX);
    assert_ok(settings_read(sotto_buf_view(&bytes), &arena, &read, &fault));
    sotto_buf_free(&bytes);
}

static void values_that_do_not_fit_change_nothing(void **state)
{
    (void)state;
    struct settings settings, before;
    bool changed = true;
    settings_init(&settings);
    before = settings;
    assert_error(change(&settings, SETTINGS_TITLE, 0, 0, sotto_bytes_str("a\nb"), &changed), VALUE);
    assert_error(change(&settings, SETTINGS_ROLE, 1, 0, sotto_bytes_str(""), &changed), VALUE);
    assert_error(change(&settings, SETTINGS_ROLE, 1, 4, sotto_bytes_str(""), &changed), VALUE);
    assert_error(change(&settings, SETTINGS_BAN, 1, 2, sotto_bytes_str(""), &changed), VALUE);
    assert_error(change(&settings, SETTINGS_TIMER, 1, UINT32_MAX, sotto_bytes_str(""), &changed),
                 VALUE);
    assert_error(change(&settings, 99, 1, 1, sotto_bytes_str(""), &changed), VALUE);
    assert_memory_equal(&settings, &before, sizeof before);
    assert_false(changed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_set_is_read_again, start, stop),
        cmocka_unit_test_setup_teardown(what_a_newer_version_wrote_is_kept, start, stop),
        cmocka_unit_test_setup_teardown(every_other_encoding_is_refused, start, stop),
        cmocka_unit_test_setup_teardown(lists_have_limits, start, stop),
        cmocka_unit_test_setup_teardown(values_that_do_not_fit_change_nothing, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
