/* The relay's own word to accounts: delivered when it is due, to each device, once. */
#include "unit/relay_world.h"

#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>
#include <sqlite3.h>

#include "relay/notices.h"
#include "unit/folder.h"

struct scene {
    struct relay_world world;
    struct config config;
    struct relay relay;
    char folder[64], outgoing[96];
    struct person anna; /* with two devices */
};

static int begin(void **state)
{
    struct scene *scene = calloc(1, sizeof *scene);
    struct register_try try = {0};
    char orders[80];
    assert_non_null(scene);
    world_begin(&scene->world, NULL);
    assert_true(folder_make(scene->folder, "notices"));
    snprintf(orders, sizeof orders, "%s/orders", scene->folder);
    snprintf(scene->outgoing, sizeof scene->outgoing, "%s/outgoing", orders);
    assert_int_equal(mkdir(orders, 0700), 0);
    assert_int_equal(mkdir(scene->outgoing, 0700), 0);
    snprintf(scene->config.data, sizeof scene->config.data, "%s", scene->folder);
    scene->relay.env = &scene->world.env;
    scene->relay.config = &scene->config;
    person_begin(&scene->world, &scene->anna, 1);
    assert_int_equal(do_register(&scene->world, &scene->anna, &try), 0);
    person_manifest(&scene->anna, true, 2);
    assert_int_equal(do_put_manifest(&scene->world, &scene->anna), 0);
    *state = scene;
    return 0;
}

static int end(void **state)
{
    struct scene *scene = *state;
    person_end(&scene->anna);
    world_end(&scene->world);
    assert_int_equal(folder_remove(scene->folder), 0);
    free(scene);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

static void file_of(const struct scene *scene, const char *name, char path[static 256])
{
    snprintf(path, 256, "%s/%s", scene->outgoing, name);
}

static void put(const struct scene *scene, const char *name, const char *text)
{
    char path[256];
    file_of(scene, name, path);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static bool is_there(const struct scene *scene, const char *name)
{
    char path[256];
    file_of(scene, name, path);
    return access(path, F_OK) == 0;
}

/* As the office names them. */
static void name_of(uint64_t due_s, const struct account_id *account, unsigned number,
                    char name[static 128])
{
    char hex[2 * ACCOUNT_ID_SIZE + 1];
    sodium_bin2hex(hex, sizeof hex, account->bytes, ACCOUNT_ID_SIZE);
    snprintf(name, 128, "%020" PRIu64 "-%s-%u.note", due_s, hex, number);
}

static size_t deliver(struct scene *scene, uint64_t now_s)
{
    return notices_deliver(&scene->relay, scene->world.port, now_s);
}

static int64_t envelopes(struct scene *scene)
{
    return world_query(&scene->world, "SELECT count(*) FROM envelopes");
}

static void a_notice_is_delivered_to_each_device_when_it_is_due(void **state)
{
    struct scene *scene = *state;
    char first[128], second[128], text[256];
    name_of(1000, &scene->anna.account, 1, first);
    name_of(5000, &scene->anna.account, 2, second);
    put(scene, first, "first");
    put(scene, second, "second");
    assert_int_equal(deliver(scene, 999), 0);
    assert_int_equal(envelopes(scene), 0);
    assert_int_equal(deliver(scene, 1000), 1);
    assert_int_equal(envelopes(scene), 2);
    assert_int_equal(do_inbox(&scene->world, &scene->anna, 0, text), 0);
    assert_string_equal(text, "1:first");
    assert_false(is_there(scene, first));
    assert_true(is_there(scene, second));
    world_listen(&scene->world);
    assert_int_equal(scene->world.heard_count, 2);
    assert_int_equal(scene->world.heard[0].kind, NOTICE_ENVELOPE);
    assert_int_not_equal(scene->world.heard[0].device, scene->world.heard[1].device);
    assert_int_equal(deliver(scene, 4999), 0);
    assert_int_equal(deliver(scene, UINT64_MAX), 1);
    assert_int_equal(do_inbox(&scene->world, &scene->anna, 0, text), 0);
    assert_string_equal(text, "1:first 2:second");
}

static void a_crash_before_the_file_is_removed_delivers_it_once(void **state)
{
    struct scene *scene = *state;
    char name[128];
    name_of(0, &scene->anna.account, 1, name);
    put(scene, name, "once");
    assert_int_equal(deliver(scene, 1), 1);
    put(scene, name, "once");
    assert_int_equal(deliver(scene, 1), 1);
    assert_false(is_there(scene, name));
    assert_int_equal(envelopes(scene), 2);
}

static void what_nobody_can_be_given_is_removed_and_other_files_are_left_alone(void **state)
{
    struct scene *scene = *state;
    static const struct account_id nobody = {{0xAB}};
    char name[128], other[160];
    name_of(0, &nobody, 1, name);
    put(scene, name, "to nobody");
    assert_int_equal(deliver(scene, 1), 1);
    assert_false(is_there(scene, name));
    name_of(0, &scene->anna.account, 1, name);
    static const char *const odd[] = {"README", ".note", "00000000000000000000-zz-1.note"};
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++)
        put(scene, odd[i], "odd");
    snprintf(other, sizeof other, "%s.new", name); /* one that is being written */
    put(scene, other, "half");
    name[25] = 'x';
    put(scene, name, "no account's name");
    assert_int_equal(deliver(scene, UINT64_MAX), 0);
    assert_true(is_there(scene, name) && is_there(scene, other));
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++)
        assert_true(is_there(scene, odd[i]));
    assert_int_equal(envelopes(scene), 0);
}

static void fill_inboxes(struct scene *scene, const char *sql)
{
    sqlite3 *db;
    world_close(&scene->world);
    assert_int_equal(sqlite3_open(scene->world.path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    world_reopen(&scene->world, NULL);
}

static void a_notice_waits_until_one_inbox_has_room(void **state)
{
    struct scene *scene = *state;
    char name[128], sql[96];
    name_of(0, &scene->anna.account, 1, name);
    put(scene, name, "patience");
    snprintf(sql, sizeof sql, "UPDATE devices SET inbox_count=%d", INBOX_COUNT_MAX);
    fill_inboxes(scene, sql);
    assert_int_equal(deliver(scene, 1), 0);
    assert_true(is_there(scene, name));
    assert_int_equal(envelopes(scene), 0);
    fill_inboxes(scene, "UPDATE devices SET inbox_count=0"
                        " WHERE key=(SELECT min(key) FROM devices)");
    assert_int_equal(deliver(scene, 1), 1);
    assert_false(is_there(scene, name));
    assert_int_equal(envelopes(scene), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_notice_is_delivered_to_each_device_when_it_is_due),
        TEST(a_crash_before_the_file_is_removed_delivers_it_once),
        TEST(what_nobody_can_be_given_is_removed_and_other_files_are_left_alone),
        TEST(a_notice_waits_until_one_inbox_has_room),
    };
    return cmocka_run_group_tests_name("relay_notices", tests, NULL, NULL);
}
