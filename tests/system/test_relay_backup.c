/* Backups of a real relay, restores, and what `sottod check` finds. */
#include "system/relay_process.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <sqlite3.h>

static int begin(void **state)
{
    static const char *const options[] = {"--rate-limit", "off", "--room-mib", "0", NULL};
    struct relay_process *relay = malloc(sizeof *relay);
    relay_begin(relay, options);
    *state = relay;
    return 0;
}

static int end(void **state)
{
    relay_end(*state);
    free(*state);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

/* `sottod --data DATA ...`, its exit status; what it said in *said, if not NULL. */
static int run_on(const char *data, const char *command, char said[static 8192])
{
    char line[1024];
    snprintf(line, sizeof line, "%s --data %s %s 2>&1", getenv("SOTTOD"), data, command);
    FILE *pipe = popen(line, "r");
    assert_non_null(pipe);
    said[fread(said, 1, 8191, pipe)] = '\0';
    return WEXITSTATUS(pclose(pipe));
}

static void path_in(const struct relay_process *relay, const char *name, char path[static 160])
{
    snprintf(path, 160, "%s/%s", relay->folder, name);
}

static void expect(int expected, const char *data, const char *command, const char *part)
{
    char said[8192];
    int status = run_on(data, command, said);
    if (status != expected || strstr(said, part) == NULL)
        fail_msg("%s: exit %d: %s", command, status, said);
}

static void backup(struct relay_process *relay, const char *options, char path[static 160])
{
    char command[256];
    path_in(relay, "backup", path);
    snprintf(command, sizeof command, "backup %s %s", options, path);
    expect(0, relay->data, command, path);
}

static void restore(const char *data, const char *options, const char *from)
{
    char command[256];
    snprintf(command, sizeof command, "restore %s %s", options, from);
    expect(0, data, command, "Restored");
}

static void sql(const char *data, const char *text)
{
    char path[160];
    sqlite3 *db;
    snprintf(path, sizeof path, "%s/relay.db", data);
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    sqlite3_busy_timeout(db, 5000);
    assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

/* ---- Backups -------------------------------------------------------------------------------- */

static void add_ballast(struct link *link)
{
    static uint8_t bytes[65536];
    assert_int_equal(client_create(link, 1, 10, 20), 0);
    for (unsigned i = 1; i <= 200; i++) {
        const struct message message = append_of(1, i, 0, 10, sotto_bytes_of(bytes, sizeof bytes));
        assert_int_equal(client_ask(link, &message), 0);
    }
}

/* Writes to a room until the backup has ended; what was acknowledged before it began and when it
 * had ended. */
static void write_during_backup(struct relay_process *relay, struct link *link, const char *path,
                                uint64_t *before, uint64_t *after)
{
    char command[800], done[200];
    snprintf(done, sizeof done, "%s.done", path);
    assert_int_equal(client_create(link, 2, 11, 21), 0);
    for (unsigned i = 1; i <= 20; i++)
        assert_int_equal(client_say(link, 2, i, 0, 11, before), 0);
    snprintf(command, sizeof command, "(%s --data %s backup %s && touch %s) >/dev/null 2>&1 &",
             getenv("SOTTOD"), relay->data, path, done);
    assert_int_equal(system(command), 0);
    for (unsigned i = 21; access(done, F_OK) != 0; i++) {
        assert_true(i < 1000000);
        assert_int_equal(client_say(link, 2, i, 0, 11, after), 0);
    }
}

static void a_backup_under_load_holds_what_was_acknowledged_before_it_and_goes_on(void **state)
{
    struct relay_process *relay = *state;
    char path[160], restored[160];
    uint64_t before = 0, after = 0, seq;
    struct listener ears = {0};
    path_in(relay, "backup", path);
    path_in(relay, "restored", restored);
    struct link *link = client_open(relay, CONNECTION_ROOM);
    add_ballast(link);
    write_during_backup(relay, link, path, &before, &after);
    assert_true(before == 20 && after > before);
    link_free(link);
    assert_int_equal(relay_stop(relay), 0);
    expect(0, path, "check", "relay.db      good");
    expect(0, relay->data, "check", "key.pem       good");
    restore(restored, "", path);
    expect(0, restored, "check", "relay.db      good");
    struct address address = relay->address;
    snprintf(relay->data, sizeof relay->data, "%s/restored", relay->folder);
    relay_start(relay);
    assert_memory_equal(relay->address.pin, address.pin, PIN_SIZE);
    link = client_open(relay, CONNECTION_ROOM);
    assert_int_equal(client_listen(link, 2, 21, 1, &ears), 0);
    assert_true(ears.head >= before && ears.head <= after);
    assert_true(client_hear(link, &ears, ears.head));
    assert_false(ears.gap);
    assert_int_equal(client_say(link, 2, 2000000, 0, 11, &seq), 0);
    assert_int_equal(seq, ears.head + 1);
    link_free(link);
}

static void a_backup_is_the_owners_alone_and_overwrites_nothing(void **state)
{
    struct relay_process *relay = *state;
    char path[160], inner[200], command[256];
    struct stat mode;
    backup(relay, "", path);
    assert_int_equal(stat(path, &mode), 0);
    assert_int_equal(mode.st_mode & 0777, 0700);
    static const char *const names[] = {"relay.db", "certificate.pem", "key.pem"};
    for (size_t i = 0; i < 3; i++) {
        snprintf(inner, sizeof inner, "%s/%s", path, names[i]);
        assert_int_equal(stat(inner, &mode), 0);
        assert_int_equal(mode.st_mode & 0777, 0600);
    }
    snprintf(command, sizeof command, "backup %s", path);
    expect(1, relay->data, command, "does not overwrite");
    snprintf(command, sizeof command, "backup %s/none/there", path);
    expect(1, relay->data, command, "No such file");
}

static void a_backup_without_the_key_makes_a_relay_with_another_address(void **state)
{
    struct relay_process *relay = *state;
    char path[160], restored[160], inner[200];
    backup(relay, "--without-key", path);
    snprintf(inner, sizeof inner, "%s/key.pem", path);
    assert_int_not_equal(access(inner, F_OK), 0);
    assert_int_equal(relay_stop(relay), 0);
    path_in(relay, "restored", restored);
    restore(restored, "", path);
    struct address address = relay->address;
    snprintf(relay->data, sizeof relay->data, "%s/restored", relay->folder);
    relay_start(relay);
    assert_memory_not_equal(relay->address.pin, address.pin, PIN_SIZE);
}

/* ---- Restores ------------------------------------------------------------------------------- */

static uint16_t publish(struct link *link)
{
    const sotto_bytes packages[] = {sotto_bytes_str("one"), sotto_bytes_str("two")};
    const struct message message = {
        .type = MESSAGE_PUBLISH_KEY_PACKAGES,
        .publish_key_packages = {packages, 2, sotto_bytes_str("last")},
    };
    return client_ask(link, &message);
}

/* An envelope that comes after the restore has a number that no device has seen; a KeyPackage that
 * may have been given out since is not given out again; an invitation neither. */
static void what_was_good_once_is_not_good_again_after_a_restore(void **state)
{
    struct relay_process *relay = *state;
    struct member anna;
    struct reply reply;
    struct listener ears = {0};
    char path[160], code[64];
    member_begin(&anna, 1);
    struct link *link = client_open(relay, CONNECTION_ACCOUNT);
    assert_int_equal(member_register(&anna, link, NULL, NULL, NULL, NULL), 0);
    assert_int_equal(publish(link), 0);
    link_free(link);
    assert_int_equal(relay_command(relay, "invite", code, sizeof code), 0);
    backup(relay, "", path);
    assert_int_equal(relay_stop(relay), 0);
    restore(relay->data, "--force", path);
    relay_start(relay);
    link = client_open(relay, CONNECTION_ACCOUNT);
    assert_int_equal(member_sign_in(&anna, link), 0);
    const struct message count = {.type = MESSAGE_COUNT_KEY_PACKAGES};
    assert_int_equal(client_call(link, &count, &reply), 0);
    assert_int_equal(reply.answer.key_package_count.count, 0);
    assert_true(reply.answer.key_package_count.has_last_resort);
    reply_free(&reply);
    assert_int_equal(client_listen(link, 0, 0, 0, &ears), 0);
    struct link *room = client_open(relay, CONNECTION_ROOM);
    struct message post = {
        .type = MESSAGE_POST_ENVELOPE,
        .post_envelope = {.account = anna.account,
                          .device = anna.device,
                          .sealed = sotto_bytes_str("sealed")},
    };
    assert_int_equal(client_ask(room, &post), 0);
    assert_true(client_hear(link, &ears, 1));
    assert_true(ears.last_envelope > UINT32_MAX);
    link_free(room);
    link_free(link);
    member_end(&anna);
}

static void a_restore_does_not_touch_a_relay_that_serves_or_holds_something(void **state)
{
    struct relay_process *relay = *state;
    char path[160], command[256];
    backup(relay, "", path);
    struct link *link = client_open(relay, CONNECTION_ROOM);
    assert_int_equal(client_create(link, 1, 10, 20), 0);
    link_free(link);
    snprintf(command, sizeof command, "restore --force %s", path);
    expect(1, relay->data, command, "another sottod serves");
    assert_int_equal(relay_stop(relay), 0);
    snprintf(command, sizeof command, "restore %s", path);
    expect(1, relay->data, command, "say --force");
    snprintf(command, sizeof command, "restore --force %s/key.pem", path);
    expect(1, relay->data, command, "relay.db in it");
    relay_start(relay);
    link = client_open(relay, CONNECTION_ROOM);
    assert_int_equal(client_say(link, 1, 1, 0, 10, NULL), 0);
    link_free(link);
}

static void a_restore_of_a_damaged_backup_replaces_nothing(void **state)
{
    struct relay_process *relay = *state;
    char path[160], command[256];
    struct link *link = client_open(relay, CONNECTION_ROOM);
    assert_int_equal(client_create(link, 1, 10, 20), 0);
    link_free(link);
    backup(relay, "", path);
    sql(path, "UPDATE rooms SET next_seq = 5");
    assert_int_equal(relay_stop(relay), 0);
    snprintf(command, sizeof command, "restore --force %s", path);
    expect(1, relay->data, command, "damaged");
    relay_start(relay);
    link = client_open(relay, CONNECTION_ROOM);
    assert_int_equal(client_say(link, 1, 1, 0, 10, NULL), 0);
    link_free(link);
}

/* Whether room 1 (of the backup) is there; room 2 (made later) is exactly where it is not. */
static bool is_restored(struct relay_process *relay)
{
    struct link *link = client_open(relay, CONNECTION_ROOM);
    struct listener ears = {0};
    uint16_t later = client_listen(link, 2, 21, 1, &ears);
    link_free(link);
    assert_true(later == 0 || later == WIRE_CODE_NO_ROOM);
    return later != 0;
}

static void restore_killed(const char *data, const char *from, long ms)
{
    const struct timespec pause = {ms / 1000, ms % 1000 * 1000000};
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)!freopen("/dev/null", "w", stdout);
        execl(getenv("SOTTOD"), "sottod", "--data", data, "restore", "--force", from, (char *)NULL);
        _exit(127);
    }
    nanosleep(&pause, NULL);
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
}

static void a_restore_that_is_killed_leaves_the_old_or_the_new(void **state)
{
    struct relay_process *relay = *state;
    char path[160];
    unsigned restored = 0, kept = 0;
    struct link *link = client_open(relay, CONNECTION_ROOM);
    add_ballast(link);
    backup(relay, "", path);
    for (unsigned round = 0; round < 400 && (restored == 0 || kept == 0 || round < 10); round++) {
        uint16_t code = client_create(link, 2, 11, 21);
        assert_true(code == 0 || code == WIRE_CODE_ROOM_EXISTS);
        assert_int_equal(client_say(link, 2, 1, 0, 11, NULL), 0);
        link_free(link);
        relay_kill(relay); /* with a write-ahead log that is not empty */
        restore_killed(relay->data, path, 10 + round * 13);
        relay_start(relay);
        bool new = is_restored(relay);
        restored += new;
        kept += !new;
        link = client_open(relay, CONNECTION_ROOM);
    }
    link_free(link);
    assert_true(restored > 0 && kept > 0);
    assert_int_equal(relay_stop(relay), 0);
    expect(0, relay->data, "check", "relay.db      good");
}

/* ---- Checks --------------------------------------------------------------------------------- */

static void check_finds_what_does_not_fit(void **state)
{
    static const struct {
        const char *damage, *repair, *finding;
    } cases[] = {
        {"UPDATE rooms SET next_seq = next_seq + 1", "UPDATE rooms SET next_seq = next_seq - 1",
         "1 rooms whose entries are not exactly"},
        {"UPDATE entries SET seq = 50 WHERE seq = 2", "UPDATE entries SET seq = 2 WHERE seq = 50",
         "1 rooms whose entries are not exactly"},
        {"UPDATE rooms SET bytes = bytes + 1", "UPDATE rooms SET bytes = bytes - 1",
         "1 rooms whose size"},
        {"UPDATE entries SET epoch = 9 WHERE seq = 1", "UPDATE entries SET epoch = 0 WHERE seq = 1",
         "1 entries of a later epoch"},
        {"UPDATE read_gates SET until_seq = 1, until_epoch = 1",
         "UPDATE read_gates SET until_seq = NULL, until_epoch = NULL", "one open read gate"},
        {"UPDATE rooms SET write_gate = x'00'", "UPDATE rooms SET write_gate = randomblob(32)",
         "rooms with damaged fields"},
        {"INSERT INTO envelopes VALUES(1, 77, 1, x'00', 1)", "DELETE FROM envelopes",
         "1 rows of no device"},
    };
    struct relay_process *relay = *state;
    struct link *link = client_open(relay, CONNECTION_ROOM);
    assert_int_equal(client_create(link, 1, 10, 20), 0);
    for (unsigned i = 1; i <= 3; i++)
        assert_int_equal(client_say(link, 1, i, 0, 10, NULL), 0);
    link_free(link);
    expect(0, relay->data, "check", "relay.db      good"); /* while it serves */
    assert_int_equal(relay_stop(relay), 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        sql(relay->data, cases[i].damage);
        expect(1, relay->data, "check", cases[i].finding);
        sql(relay->data, cases[i].repair);
        expect(0, relay->data, "check", "relay.db      good");
    }
}

static void check_finds_a_page_that_the_disk_has_changed(void **state)
{
    struct relay_process *relay = *state;
    char path[160];
    struct link *link = client_open(relay, CONNECTION_ROOM);
    add_ballast(link);
    link_free(link);
    assert_int_equal(relay_stop(relay), 0);
    snprintf(path, sizeof path, "%s/relay.db", relay->data);
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    for (long page = 3; page < 30; page++) { /* the heads of pages */
        assert_int_equal(fseek(file, page * 8192, SEEK_SET), 0);
        assert_int_equal(fwrite("damaged!", 1, 8, file), 8);
    }
    fclose(file);
    expect(1, relay->data, "check", "SQLite finds");
    char command[256];
    path_in(relay, "backup", path);
    snprintf(command, sizeof command, "backup %s", path);
    expect(1, relay->data, command, "There is no backup");
    assert_int_not_equal(access(path, F_OK), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_backup_under_load_holds_what_was_acknowledged_before_it_and_goes_on),
        TEST(a_backup_is_the_owners_alone_and_overwrites_nothing),
        TEST(a_backup_without_the_key_makes_a_relay_with_another_address),
        TEST(what_was_good_once_is_not_good_again_after_a_restore),
        TEST(a_restore_does_not_touch_a_relay_that_serves_or_holds_something),
        TEST(a_restore_of_a_damaged_backup_replaces_nothing),
        TEST(a_restore_that_is_killed_leaves_the_old_or_the_new),
        TEST(check_finds_what_does_not_fit),
        TEST(check_finds_a_page_that_the_disk_has_changed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
