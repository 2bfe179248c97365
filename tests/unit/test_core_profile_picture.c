/* People's pictures: which are taken, from whom, and how they are told. */
#include <stdlib.h>

#include "core/profile_picture.h"
#include "core/store_pictures.h"
#include "unit/check.h"
#include "unit/core_account.h"
#include "unit/folder.h"

#define RELAY "127.0.0.1:7443"

/* One pixel; the same with a comment. */
static const uint8_t plain[] = {
    0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0x00, 0x00, 0x0d, 0x49, 0x48,
    0x44, 0x52, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x01, 0x08, 0x02, 0x00, 0x00,
    0x00, 0x90, 0x77, 0x53, 0xde, 0x00, 0x00, 0x00, 0x0c, 0x49, 0x44, 0x41, 0x54, 0x78,
    0xda, 0x63, 0x60, 0x64, 0x62, 0x06, 0x00, 0x00, 0x0e, 0x00, 0x07, 0xe9, 0x92, 0x37,
    0xd4, 0x00, 0x00, 0x00, 0x00, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82};
static const uint8_t telling[] = {
    0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0x00, 0x00, 0x0d, 0x49, 0x48, 0x44, 0x52,
    0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x01, 0x08, 0x02, 0x00, 0x00, 0x00, 0x90, 0x77, 0x53,
    0xde, 0x00, 0x00, 0x00, 0x0f, 0x74, 0x45, 0x58, 0x74, 0x43, 0x6f, 0x6d, 0x6d, 0x65, 0x6e, 0x74,
    0x00, 0x61, 0x74, 0x20, 0x68, 0x6f, 0x6d, 0x65, 0x23, 0xa7, 0xad, 0x86, 0x00, 0x00, 0x00, 0x0c,
    0x49, 0x44, 0x41, 0x54, 0x78, 0xda, 0x63, 0x60, 0x64, 0x62, 0x06, 0x00, 0x00, 0x0e, 0x00, 0x07,
    0xe9, 0x92, 0x37, 0xd4, 0x00, 0x00, 0x00, 0x00, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82};

static const struct account_id bob = {{2}};
static const struct room_id a_room = {{7}};

static char folder[64];
static struct sotto *core;

static int start(void **state)
{
    (void)state;
    struct sotto_problem problem;
    assert_true(folder_make(folder, "picture"));
    assert_ok(sotto_open(sotto_env_system(), folder, NULL, &core, &problem));
    core_account_make(core, RELAY, "Alice");
    return 0;
}

static int stop(void **state)
{
    (void)state;
    sotto_close(core);
    core = NULL;
    assert_int_equal(folder_remove(folder), 0);
    return 0;
}

static sotto_bytes telling_bytes(void)
{
    return sotto_bytes_of(telling, sizeof telling);
}

/* What is kept of somebody's picture; empty: nothing. Lives in arena. */
static sotto_bytes kept(const struct account_id *of, struct arena *arena)
{
    sotto_bytes picture = {NULL, 0};
    sotto_error error = store_picture_get(core->store, of, arena, &picture);
    assert_true(error == SOTTO_OK || error == SOTTO_NOT_FOUND);
    return picture;
}

static void receive(enum store_room_kind kind, sotto_bytes picture)
{
    const struct store_room row = {.room = a_room, .kind = kind, .has_peer = true, .peer = bob};
    assert_ok(store_begin(core->store));
    assert_ok(profile_picture_received(core, &row, &bob, picture));
    assert_ok(store_commit(core->store));
}

static void count_event(void *ctx, const struct sotto_event *event)
{
    if (event->kind == SOTTO_EVENT_CONTACT && memcmp(event->about.bytes, bob.bytes, 32) == 0)
        ++*(size_t *)ctx;
}

static void a_picture_is_kept_without_what_it_tells_beside(void **state)
{
    (void)state;
    struct arena arena;
    size_t events = 0;
    arena_init(&arena, core->env);
    receive(STORE_ROOM_DIRECT, telling_bytes());
    assert_bytes(kept(&bob, &arena), sotto_bytes_of(plain, sizeof plain));
    receive(STORE_ROOM_DIRECT, sotto_bytes_of(plain, sizeof plain)); /* the same one */
    assert_ok(sotto_events(core, 0, 1000, count_event, &events));
    assert_int_equal(events, 1);
    receive(STORE_ROOM_DIRECT, sotto_bytes_of(NULL, 0));
    assert_int_equal(kept(&bob, &arena).size, 0);
    arena_free(&arena);
}

static void what_is_no_picture_or_comes_in_a_group_changes_nothing(void **state)
{
    (void)state;
    struct arena arena;
    uint8_t wide[sizeof plain], cut[sizeof plain - 5];
    arena_init(&arena, core->env);
    receive(STORE_ROOM_GROUP, telling_bytes());
    assert_int_equal(kept(&bob, &arena).size, 0);
    receive(STORE_ROOM_DIRECT, telling_bytes());
    memcpy(wide, plain, sizeof wide);
    wide[18] = 0xFF; /* of the width */
    receive(STORE_ROOM_DIRECT, sotto_bytes_of(wide, sizeof wide));
    memcpy(cut, plain, sizeof cut);
    receive(STORE_ROOM_DIRECT, sotto_bytes_of(cut, sizeof cut));
    receive(STORE_ROOM_DIRECT, sotto_bytes_str("no picture at all"));
    static const uint8_t gif[] = "GIF89a\1\0\1\0\0\0\0,\0\0\0\0\1\0\1\0\0\2\2D\1\0;";
    receive(STORE_ROOM_DIRECT, sotto_bytes_of(gif, sizeof gif - 1));
    assert_bytes(kept(&bob, &arena), sotto_bytes_of(plain, sizeof plain));
    arena_free(&arena);
}

static void a_profile_says_a_name_a_picture_or_both(void **state)
{
    (void)state;
    for (int what = 1; what < 4; what++) {
        struct arena arena;
        sotto_buf bytes;
        sotto_fault fault;
        struct content_message message = {.kind = CONTENT_PROFILE}, read;
        arena_init(&arena, core->env);
        sotto_buf_init(&bytes, core->env);
        if ((what & 1) != 0)
            message.text = sotto_bytes_str("Bob");
        message.has_picture = (what & 2) != 0;
        message.picture = message.has_picture ? telling_bytes() : sotto_bytes_of(NULL, 0);
        assert_ok(content_write(core->env, &message, &bob, &a_room, &bytes));
        assert_ok(content_read(sotto_buf_view(&bytes), &bob, &a_room, &arena, &read, &fault));
        assert_int_equal(read.kind, CONTENT_PROFILE);
        assert_bytes(read.text, message.text);
        assert_int_equal(read.has_picture, message.has_picture);
        assert_bytes(read.picture, message.picture);
        sotto_buf_free(&bytes);
        arena_free(&arena);
    }
}

static void a_picture_above_the_limit_is_neither_written_nor_read(void **state)
{
    (void)state;
    struct arena arena;
    sotto_buf bytes;
    sotto_fault fault;
    uint8_t *block;
    struct content_message message = {.kind = CONTENT_PROFILE, .has_picture = true}, read;
    arena_init(&arena, core->env);
    sotto_buf_init(&bytes, core->env);
    block = calloc(1, CONTENT_PICTURE_MAX + 1);
    assert_non_null(block);
    message.picture = sotto_bytes_of(block, CONTENT_PICTURE_MAX);
    assert_ok(content_write(core->env, &message, &bob, &a_room, &bytes));
    assert_ok(content_read(sotto_buf_view(&bytes), &bob, &a_room, &arena, &read, &fault));
    assert_int_equal(read.picture.size, CONTENT_PICTURE_MAX);
    message.picture.size++;
    sotto_buf_clear(&bytes);
    assert_error(content_write(core->env, &message, &bob, &a_room, &bytes), LIMIT);
    /* Somebody else's program writes it. */
    struct content content = {
        .part = {.disposition = CONTENT_PROFILE_OF, .cardinality = CONTENT_PART_SINGLE}};
    sotto_buf body;
    static const uint8_t head[] = {0xA1, 0x02, 0x5A, 0x00,
                                   0x04, 0x00, 0x01}; /* {2: 262145 bytes} */
    sotto_buf_init(&body, core->env);
    assert_ok(sotto_buf_append(&body, head, sizeof head));
    assert_ok(sotto_buf_append(&body, block, CONTENT_PICTURE_MAX + 1));
    content.part.u.single.type = sotto_bytes_str("application/vnd.sotto.profile+cbor");
    content.part.u.single.body = sotto_buf_view(&body);
    sotto_buf_clear(&bytes);
    assert_ok(content_encode(core->env, &content, &bytes));
    assert_error(content_read(sotto_buf_view(&bytes), &bob, &a_room, &arena, &read, &fault), LIMIT);
    assert_string_equal(fault.what, "profile.picture");
    sotto_buf_free(&body);
    free(block);
    sotto_buf_free(&bytes);
    arena_free(&arena);
}

static void other_devices_pictures_are_taken_over(void **state)
{
    (void)state;
    struct arena arena;
    struct reader reader;
    struct own_sink sink = {.ctx = NULL};
    arena_init(&arena, core->env);
    sotto_buf_init(&sink.records, core->env);
    receive(STORE_ROOM_DIRECT, telling_bytes());
    assert_ok(profile_pictures_write(core, &arena, &sink));
    receive(STORE_ROOM_DIRECT, sotto_bytes_of(NULL, 0));
    assert_ok(store_begin(core->store));
    reader_init(&reader, sotto_buf_view(&sink.records));
    assert_ok(own_records_read(core, &reader, &arena));
    assert_ok(store_commit(core->store));
    assert_bytes(kept(&bob, &arena), sotto_bytes_of(plain, sizeof plain));
    sotto_buf_free(&sink.records);
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_picture_is_kept_without_what_it_tells_beside, start,
                                        stop),
        cmocka_unit_test_setup_teardown(what_is_no_picture_or_comes_in_a_group_changes_nothing,
                                        start, stop),
        cmocka_unit_test_setup_teardown(a_profile_says_a_name_a_picture_or_both, start, stop),
        cmocka_unit_test_setup_teardown(a_picture_above_the_limit_is_neither_written_nor_read,
                                        start, stop),
        cmocka_unit_test_setup_teardown(other_devices_pictures_are_taken_over, start, stop),
    };
    return cmocka_run_group_tests_name("core_profile_picture", tests, NULL, NULL);
}
