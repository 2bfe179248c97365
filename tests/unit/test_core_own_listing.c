/* What one's own devices tell of the list of conversations. Between devices: test_listing.py. */
#include "core/listing.h"
#include "unit/check.h"
#include "unit/core_account.h"
#include "unit/folder.h"

static char folder[64];
static struct sotto *core;

static const struct room_id kitchen = {{1}}, devices = {{2}};

static int start(void **state)
{
    struct sotto_problem problem;
    (void)state;
    if (!folder_make(folder, "own-listing") ||
        sotto_open(sotto_env_system(), folder, NULL, &core, &problem) != SOTTO_OK)
        return -1;
    core_account_make(core, "127.0.0.1:1", "Alice");
    assert_ok(store_begin(core->store));
    for (int i = 0; i < 2; i++) {
        const struct store_room row = {.room = i == 0 ? kitchen : devices,
                                       .kind = i == 0 ? STORE_ROOM_GROUP : STORE_ROOM_OWN,
                                       .state = STORE_ROOM_ACTIVE,
                                       .next_seq = 1};
        assert_ok(store_room_add(core->store, &row));
    }
    assert_ok(store_commit(core->store));
    return 0;
}

static int stop(void **state)
{
    (void)state;
    sotto_close(core);
    return folder_remove(folder);
}

static void write_draft(const char *text)
{
    struct sotto_id id;
    const struct sotto_draft draft = {.text = sotto_bytes_str(text)};
    memcpy(id.bytes, kitchen.bytes, sizeof id.bytes);
    assert_ok(sotto_set_draft(core, &id, &draft));
}

/* The log of the room among the devices shows it. */
static void show_draft(const char *text)
{
    const struct store_listing listing = {
        .room = kitchen, .draft = sotto_bytes_str(text), .draft_s = 5};
    struct arena arena;
    struct reader reader;
    sotto_buf record;
    arena_init(&arena, core->env);
    sotto_buf_init(&record, core->env);
    assert_ok(own_listing_write(&listing, 0, &record));
    reader_init(&reader, sotto_buf_view(&record));
    assert_ok(store_begin(core->store));
    assert_ok(own_records_read(core, &reader, &arena));
    assert_ok(store_commit(core->store));
    sotto_buf_free(&record);
    arena_free(&arena);
}

static void expect_draft(const char *text)
{
    struct arena arena;
    struct store_listing listing;
    arena_init(&arena, core->env);
    assert_ok(store_listing_get(core->store, &kitchen, &arena, &listing));
    assert_bytes(listing.draft, sotto_bytes_str(text));
    arena_free(&arena);
}

static void a_draft_is_not_taken_back_while_a_newer_one_is_on_its_way(void **state)
{
    (void)state;
    show_draft("of the other device");
    expect_draft("of the other device");
    write_draft("a");
    write_draft("ab");
    show_draft("a"); /* as it was when it left */
    expect_draft("ab");
    assert_ok(store_begin(core->store)); /* the newer one's turn */
    assert_ok(store_outgoing_withdraw(core->store, &devices, "draft."));
    assert_ok(store_commit(core->store));
    show_draft("ab");
    expect_draft("ab");
    show_draft("of the other device");
    expect_draft("of the other device");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_draft_is_not_taken_back_while_a_newer_one_is_on_its_way,
                                        start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
