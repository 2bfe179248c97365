/* The end of a profile: no row, no word and no key of it is left, whenever the process dies. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/internal.h"
#include "core/store_wipe.h"
#include "unit/check.h"
#include "unit/core_account.h"
#include "unit/folder.h"
#include "unit/killed.h"

static char folder[64], profile[96];
#define WORD "tourmaline"

static struct sotto *opened(void)
{
    struct sotto *core = NULL;
    struct sotto_problem problem;
    assert_ok(sotto_open(sotto_env_system(), profile, NULL, &core, &problem));
    return core;
}

/* A profile with a room, a message, a contact. */
static void fill(void)
{
    struct sotto *core = opened();
    const struct room_id room = {{7}};
    struct store_room row = {.room = room,
                             .kind = STORE_ROOM_GROUP,
                             .state = STORE_ROOM_ACTIVE,
                             .title = WORD,
                             .relay = "",
                             .trouble = "",
                             .next_seq = 1,
                             .members = 1};
    const struct store_message message = {.room = room,
                                          .seq = 1,
                                          .kind = SOTTO_KIND_TEXT,
                                          .state = STORE_MESSAGE_RECEIVED,
                                          .text = {(const uint8_t *)WORD, sizeof WORD - 1}};
    const struct store_contact contact = {.name = WORD, .relay = "", .contact = true};
    core_account_make(core, "127.0.0.1:1", WORD);
    assert_ok(store_begin(core->store));
    assert_ok(store_room_add(core->store, &row));
    assert_ok(store_message_add(core->store, &message, &(int64_t){0}, &(int64_t){0}));
    assert_ok(store_contact_put(core->store, &contact));
    assert_ok(store_commit(core->store));
    sotto_close(core);
}

static void wipe_it(struct sotto *core)
{
    assert_ok(store_begin(core->store));
    assert_ok(store_wipe(core->store));
    assert_ok(store_commit(core->store));
}

static int start(void **state)
{
    (void)state;
    if (!folder_make(folder, "wipe"))
        return -1;
    (void)snprintf(profile, sizeof profile, "%s/profile", folder);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    return folder_remove(folder);
}

static bool there(const char *name)
{
    char path[160];
    struct stat status;
    (void)snprintf(path, sizeof path, "%s/%s", profile, name);
    return lstat(path, &status) == 0;
}

static void what_was_wiped_is_in_no_table(void **state)
{
    (void)state;
    struct sotto *core;
    struct arena arena;
    struct store_room *rooms = NULL;
    struct store_message *messages = NULL;
    struct store_contact *contacts = NULL;
    struct store_profile row;
    size_t count = 1;
    bool wiped = true;
    uint64_t oldest = 0, newest = 0;
    fill();
    core = opened();
    assert_ok(store_is_wiped(core->store, &wiped));
    assert_false(wiped);
    wipe_it(core);
    assert_ok(store_is_wiped(core->store, &wiped));
    assert_true(wiped);
    arena_init(&arena, core->env);
    assert_int_equal(store_profile_get(core->store, &arena, &row), SOTTO_NOT_FOUND);
    assert_ok(store_rooms(core->store, &arena, &rooms, &count));
    assert_int_equal(count, 0);
    assert_ok(store_messages_after(core->store, 0, 10, &arena, &messages, &count));
    assert_int_equal(count, 0);
    assert_ok(store_contacts(core->store, &arena, &contacts, &count));
    assert_int_equal(count, 0);
    assert_ok(store_check(core->store)); /* the index of words fits what is left */
    assert_ok(sotto_events_range(core, &oldest, &newest));
    assert_int_equal(oldest, newest); /* whoever listens hears of the account */
    assert_true(newest > 1);
    arena_free(&arena);
    sotto_close(core);
    /* The next opening finds a profile that nobody has used. */
    core = opened();
    assert_ok(store_is_wiped(core->store, &wiped));
    assert_false(wiped);
    sotto_close(core);
}

/* In a child, which is killed. */
static void erase(void *ctx)
{
    (void)ctx;
    if (store_erase_files(profile) != SOTTO_OK)
        _exit(3);
}

static void killed_anywhere_the_next_opening_ends_it(void **state)
{
    (void)state;
    if (!killed_possible())
        skip();
    bool killed = true;
    for (unsigned n = 0; killed; n += killed_step(40)) {
        uint8_t key[VAULT_FILE_SIZE] = {0}, found[VAULT_FILE_SIZE] = {0};
        char path[160];
        (void)snprintf(path, sizeof path, "%s/" VAULT_FILE, profile);
        fill();
        FILE *file = fopen(path, "rb");
        assert_non_null(file);
        assert_int_equal(fread(key, 1, sizeof key, file), sizeof key);
        (void)fclose(file);
        killed = killed_before(n, erase, NULL);
        if (!killed) { /* nothing is left, the folder neither */
            struct stat status;
            assert_int_not_equal(lstat(profile, &status), 0);
            break;
        }
        bool begun = there("profile.erasing") || !there(VAULT_FILE);
        struct sotto *core = opened();
        /* Begun is done; before that nothing was touched. */
        assert_int_equal(core->has_identity, !begun);
        sotto_close(core);
        if (begun) {
            file = fopen(path, "rb");
            assert_non_null(file);
            assert_int_equal(fread(found, 1, sizeof found, file), sizeof found);
            (void)fclose(file);
            assert_memory_not_equal(found, key, sizeof key); /* another profile, another key */
        }
        assert_false(there("profile.erasing"));
        assert_ok(store_erase_files(profile));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_wiped_is_in_no_table, start, stop),
        cmocka_unit_test_setup_teardown(killed_anywhere_the_next_opening_ends_it, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
