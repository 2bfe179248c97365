/* The local store: every table, transactions among processes, killed writers, full disks, damage.
 */
#include "unit/check.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/store.h"
#include "core/store_query.h"
#include "unit/folder.h"

static char directory[80];
static struct store *store;
static struct arena arena;

static const struct room_id room_a = {{0xA}}, room_b = {{0xB}};
static const struct account_id alice = {{1}}, bob = {{2}};

static sotto_bytes str(const char *text)
{
    return sotto_bytes_str(text);
}

static struct store *open_profile(void)
{
    struct store *opened = NULL;
    sotto_fault fault = {.what = ""};
    sotto_error error = store_open(sotto_env_system(), directory, NULL, &opened, &fault);
    if (error != SOTTO_OK)
        fail_msg("%s: %s", sotto_error_name(error), fault.what);
    return opened;
}

/* A path whose last two parts are not there yet. */
static bool make_directory(void)
{
    char made[64];
    if (!folder_make(made, "store"))
        return false;
    snprintf(directory, sizeof directory, "%s/a/b", made);
    return true;
}

static int setup(void **state)
{
    (void)state;
    if (!make_directory())
        return -1;
    arena_init(&arena, sotto_env_system());
    store = open_profile();
    return 0;
}

static void remove_profile(void)
{
    folder_empty(directory);
    for (int level = 0; level < 3; level++) {
        rmdir(directory);
        *strrchr(directory, '/') = '\0';
    }
}

static int teardown(void **state)
{
    (void)state;
    store_close(store);
    store = NULL;
    arena_free(&arena);
    remove_profile();
    return 0;
}

static void add_room(const struct room_id *id)
{
    struct store_room room = {.room = *id,
                              .kind = STORE_ROOM_GROUP,
                              .state = STORE_ROOM_ACTIVE,
                              .title = "title",
                              .relay = "localhost:1",
                              .next_seq = 1};
    assert_ok(store_begin(store));
    assert_ok(store_room_add(store, &room));
    assert_ok(store_commit(store));
}

/* ---- Opening --------------------------------------------------------------------------------- */

static void a_profile_is_private(void **state)
{
    (void)state;
    struct stat status;
    assert_int_equal(stat(directory, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0700);
    assert_int_equal(stat(store_path(store), &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    char wal[128];
    snprintf(wal, sizeof wal, "%s-wal", store_path(store));
    assert_int_equal(stat(wal, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    /* A file that was made readable is made private again. */
    assert_int_equal(chmod(store_path(store), 0644), 0);
    store_close(store);
    store = open_profile();
    assert_int_equal(stat(store_path(store), &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
}

static void a_newer_database_is_left_alone(void **state)
{
    (void)state;
    struct store *opened = NULL;
    sotto_fault fault;
    assert_ok(store_exec(store, "PRAGMA user_version = 99"));
    assert_error(store_open(sotto_env_system(), directory, NULL, &opened, &fault), VERSION);
    assert_null(opened);
    assert_ok(store_check(store));
}

static void a_file_that_is_no_database_is_refused(void **state)
{
    (void)state;
    struct store *opened = NULL;
    sotto_fault fault;
    char path[128];
    snprintf(path, sizeof path, "%s", store_path(store));
    store_close(store);
    store = NULL;
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    for (int i = 0; i < 1000; i++)
        fputs("not a database. ", file);
    fclose(file);
    assert_error(store_open(sotto_env_system(), directory, NULL, &opened, &fault), VALUE);
    assert_string_equal(fault.what, "profile.db: the database is damaged");
}

static void a_damaged_page_is_found(void **state)
{
    (void)state;
    add_room(&room_a);
    struct query q;
    query_read(&q, store, "SELECT rootpage FROM sqlite_schema WHERE name = 'room'");
    assert_true(query_next(&q));
    off_t page = (off_t)column_i64(&q);
    assert_ok(query_end(&q));
    char path[128];
    snprintf(path, sizeof path, "%s", store_path(store));
    store_close(store); /* the last one: the log is written back */
    store = NULL;
    uint8_t rubbish[64];
    memset(rubbish, 0xA5, sizeof rubbish);
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, rubbish, sizeof rubbish, (page - 1) * 4096), sizeof rubbish);
    close(fd);
    struct store_room *rooms;
    size_t count;
    store = open_profile();
    assert_error(store_rooms(store, &arena, &rooms, &count), VALUE);
    assert_error(store_check(store), VALUE);
}

/* ---- Tables -----------------------------------------------------------------------------------
 */

static void values_numbers_and_the_profile_are_kept(void **state)
{
    (void)state;
    sotto_bytes value;
    uint64_t number = 7;
    struct store_profile profile;
    assert_error(store_value_get(store, "x", &arena, &value), NOT_FOUND);
    assert_ok(store_number_get(store, "x", &number));
    assert_int_equal(number, 0);
    assert_error(store_profile_get(store, &arena, &profile), NOT_FOUND);
    assert_ok(store_begin(store));
    assert_ok(store_value_put(store, "x", str("one")));
    assert_ok(store_value_put(store, "x", str("two")));
    assert_ok(store_number_put(store, "x", INT64_MAX));
    assert_error(store_number_put(store, "x", UINT64_MAX), LIMIT);
    profile = (struct store_profile){.registration = STORE_REGISTERED,
                                     .relay = "localhost:1",
                                     .name = "Ålice",
                                     .identity = str("secret"),
                                     .manifest = str("manifest"),
                                     .inbox_seq = 5};
    assert_ok(store_profile_put(store, &profile));
    assert_error(store_inbox_advance(store, 5), EXISTS);
    assert_ok(store_inbox_advance(store, 7));
    assert_error(store_inbox_advance(store, 6), EXISTS);
    assert_ok(store_commit(store));
    store_close(store);
    store = open_profile();
    assert_ok(store_value_get(store, "x", &arena, &value));
    assert_bytes(value, str("two"));
    assert_ok(store_number_get(store, "x", &number));
    assert_int_equal(number, INT64_MAX);
    assert_ok(store_profile_get(store, &arena, &profile));
    assert_string_equal(profile.name, "Ålice");
    assert_bytes(profile.identity, str("secret"));
    assert_int_equal(profile.inbox_seq, 7);
}

static void contacts_and_manifests_are_kept(void **state)
{
    (void)state;
    uint8_t key[SIGN_KEY_SIZE] = {9};
    struct store_contact contact = {.account = alice,
                                    .name = "Alice",
                                    .relay = "r:1",
                                    .contact = true,
                                    .added_s = 3},
                         *list;
    size_t count;
    sotto_bytes manifest;
    assert_ok(store_begin(store));
    assert_ok(store_contact_put(store, &contact));
    assert_ok(store_manifest_put(store, &alice, key, 2, str("m2"), 10));
    assert_ok(store_manifest_put(store, &bob, key, 1, str("m1"), 11));
    assert_ok(store_commit(store));
    assert_ok(store_contact_get(store, &alice, &arena, &contact));
    assert_string_equal(contact.name, "Alice");
    assert_true(contact.contact && contact.has_key);
    assert_int_equal(contact.account_key[0], 9);
    assert_int_equal(contact.manifest_number, 2);
    assert_ok(store_manifest_get(store, &bob, &arena, &manifest));
    assert_bytes(manifest, str("m1"));
    assert_ok(store_manifest_get(store, &(struct account_id){{3}}, &arena, &manifest));
    assert_int_equal(manifest.size, 0);
    assert_ok(store_contacts(store, &arena, &list, &count));
    assert_int_equal(count, 2);
    assert_memory_equal(&list[0].account, &bob, sizeof bob); /* without a name: first */
    assert_false(list[0].contact);
}

static void key_packages_are_kept_and_expire(void **state)
{
    (void)state;
    struct store_key_package package = {.package = str("p"),
                                        .secrets = str("s"),
                                        .not_after_s = 100},
                             *list;
    size_t count;
    uint32_t uploaded;
    assert_ok(store_begin(store));
    package.ref = str("one"), package.created_s = 1;
    assert_ok(store_key_package_put(store, &package));
    assert_error(store_key_package_put(store, &package), EXISTS);
    package.ref = str("two"), package.not_after_s = 300;
    assert_ok(store_key_package_put(store, &package));
    package.ref = str("old"), package.last_resort = true;
    assert_ok(store_key_package_put(store, &package));
    package.ref = str("new"), package.created_s = 50;
    assert_ok(store_key_package_put(store, &package));
    assert_ok(store_key_packages_waiting(store, &arena, &list, &count));
    assert_int_equal(count, 4);
    assert_ok(store_key_package_uploaded(store, str("one")));
    assert_ok(store_key_package_uploaded(store, str("two")));
    assert_ok(store_key_package_uploaded(store, str("old")));
    assert_ok(store_key_packages_uploaded(store, &uploaded));
    assert_int_equal(uploaded, 2);
    assert_ok(store_key_packages_expire(store, 200, 200));
    assert_error(store_key_package_get(store, str("one"), &arena, &package), NOT_FOUND);
    assert_ok(store_key_package_get(store, str("old"), &arena, &package)); /* "new" is not up yet */
    assert_ok(store_key_package_uploaded(store, str("new")));
    assert_ok(store_key_packages_expire(store, 200, 200));
    assert_error(store_key_package_get(store, str("old"), &arena, &package), NOT_FOUND);
    assert_ok(store_key_package_get(store, str("new"), &arena, &package));
    assert_bytes(package.secrets, str("s"));
    assert_ok(store_key_package_erase(store, str("new")));
    assert_ok(store_key_package_erase(store, str("new")));
    assert_ok(store_commit(store));
}

static void an_invitation_is_used_as_often_as_it_says(void **state)
{
    (void)state;
    struct store_invitation invitation = {.capability = {7}, .uses = 2, .expires_s = 100}, *list;
    sotto_bytes capability = sotto_bytes_of(invitation.capability, CAPABILITY_SIZE);
    size_t count;
    assert_ok(store_begin(store));
    assert_error(store_invitation_use(store, capability, 50), NOT_FOUND);
    assert_ok(store_invitation_put(store, &invitation));
    assert_error(store_invitation_use(store, capability, 100), NOT_FOUND); /* expired */
    assert_ok(store_invitation_use(store, capability, 50));
    assert_ok(store_invitation_use(store, capability, 50));
    assert_error(store_invitation_use(store, capability, 50), NOT_FOUND);
    assert_ok(store_invitation_get(store, capability, &invitation));
    assert_int_equal(invitation.used, 2);
    assert_ok(store_invitations(store, &arena, &list, &count));
    assert_int_equal(count, 1);
    assert_ok(store_invitations_expire(store, 101));
    assert_error(store_invitation_get(store, capability, &invitation), NOT_FOUND);
    struct store_accepted accepted = {.capability = {8}, .account = bob, .room = room_a};
    assert_ok(store_accepted_put(store, &accepted));
    assert_error(store_accepted_put(store, &accepted), EXISTS);
    accepted.room = room_b;
    assert_ok(
        store_accepted_get(store, sotto_bytes_of(accepted.capability, CAPABILITY_SIZE), &accepted));
    assert_memory_equal(&accepted.room, &room_a, sizeof room_a);
    assert_ok(store_commit(store));
}

static void takes_and_requests_are_kept(void **state)
{
    (void)state;
    struct store_take take = {.room = room_a,
                              .account = bob,
                              .device = {{4}},
                              .take_id = {{5}},
                              .relay = "r:1"},
                      *takes;
    struct store_request request = {.room = room_a, .sender = bob, .envelope = str("e")}, *requests;
    size_t count;
    int64_t id;
    assert_ok(store_begin(store));
    assert_ok(store_take_put(store, &take));
    take.key_package = str("kp");
    assert_ok(store_take_put(store, &take));
    assert_ok(store_takes_of(store, &room_a, &bob, &arena, &takes, &count));
    assert_int_equal(count, 1);
    assert_bytes(takes[0].key_package, str("kp"));
    assert_ok(store_take_erase(store, &room_a, &bob, &take.device));
    assert_error(store_take_get(store, &room_a, &bob, &take.device, &arena, &take), NOT_FOUND);
    assert_ok(store_request_add(store, &request, &id));
    assert_error(store_request_add(store, &request, &id), EXISTS);
    assert_ok(store_requests(store, &arena, &requests, &count));
    assert_int_equal(count, 1);
    assert_int_equal(requests[0].id, id);
    assert_ok(store_request_erase(store, id));
    assert_error(store_request_erase(store, id), NOT_FOUND);
    assert_error(store_request_get(store, id, &arena, &request), NOT_FOUND);
    assert_ok(store_requests(store, &arena, &requests, &count));
    assert_int_equal(count, 0);
    assert_null(requests);
    assert_ok(store_commit(store));
}

static void rooms_are_kept_and_their_cursor_moves_by_one(void **state)
{
    (void)state;
    struct store_room room, *rooms;
    size_t count;
    add_room(&room_a);
    assert_ok(store_begin(store));
    assert_error(store_room_get(store, &room_b, &arena, &room), NOT_FOUND);
    assert_ok(store_room_get(store, &room_a, &arena, &room));
    assert_error(store_room_add(store, &room), EXISTS);
    room.has_peer = true, room.peer = bob, room.epoch = 4, room.members = 2, room.trouble = "";
    room.read_token[3] = 1;
    assert_ok(store_room_put(store, &room));
    assert_ok(store_room_advance(store, &room_a, 1, 70));
    assert_error(store_room_advance(store, &room_a, 1, 70), EXISTS);
    assert_error(store_room_advance(store, &room_a, 3, 70), STATE);
    assert_error(store_room_advance(store, &room_b, 1, 70), NOT_FOUND);
    assert_ok(store_room_get(store, &room_a, &arena, &room));
    assert_int_equal(room.next_seq, 2);
    assert_int_equal(room.active_s, 70);
    assert_int_equal(room.read_token[3], 1);
    assert_memory_equal(&room.peer, &bob, sizeof bob);
    room.room = room_b;
    assert_error(store_room_put(store, &room), NOT_FOUND);
    assert_int_equal(room.active_s, 70);
    assert_ok(store_room_add(store, &room));
    assert_ok(store_commit(store));
    assert_ok(store_rooms(store, &arena, &rooms, &count));
    assert_int_equal(count, 2); /* within one second the one that was made later comes first */
    assert_memory_equal(&rooms[0].room, &room_b, sizeof room_b);
    assert_ok(store_begin(store));
    assert_ok(store_room_advance(store, &room_a, 2, 80));
    assert_ok(store_commit(store));
    assert_ok(store_rooms(store, &arena, &rooms, &count));
    assert_memory_equal(&rooms[0].room, &room_a, sizeof room_a);
}

/* All records of room_a as text, "kind.index=value ". */
static const char *all_records(void)
{
    static char text[256];
    struct store_records records;
    uint32_t kind, index;
    sotto_bytes value;
    sotto_error error;
    text[0] = '\0';
    store_records_begin(&records, store, &room_a);
    while ((error = store_records_next(&records, &kind, &index, &value)) == SOTTO_OK)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%u.%u=%.*s ", kind, index,
                 (int)value.size, value.data == NULL ? "" : (const char *)value.data);
    assert_int_equal(error, SOTTO_NOT_FOUND);
    assert_ok(store_records_end(&records, NULL));
    return text;
}

static void mls_records_are_kept_and_counted(void **state)
{
    (void)state;
    struct store_records records;
    uint64_t before, after;
    add_room(&room_a);
    assert_ok(store_room_generation(store, &room_a, &before));
    assert_int_equal(before, 0);
    assert_ok(store_begin(store));
    sotto_mls_store out = store_records_begin(&records, store, &room_a);
    assert_ok(out.put(out.ctx, 2, UINT32_MAX, str("x")));
    assert_ok(out.put(out.ctx, 1, 0, str("old")));
    assert_ok(out.put(out.ctx, 1, 0, str("new")));
    assert_ok(out.put(out.ctx, 1, 1, str("")));
    assert_ok(out.erase(out.ctx, 9, 9));
    assert_ok(store_records_end(&records, &after));
    assert_ok(store_commit(store));
    assert_int_equal(after, before + 1);
    assert_string_equal(all_records(), "1.0=new 1.1= 2.4294967295=x ");
    assert_ok(store_begin(store));
    store_records_begin(&records, store, &room_a);
    assert_ok(store_records_end(&records, &before)); /* nothing changed */
    assert_int_equal(before, after);
    out = store_records_begin(&records, store, &room_a);
    assert_ok(out.erase(out.ctx, 1, 0));
    assert_ok(store_records_end(&records, &before));
    assert_int_equal(before, after + 1);
    assert_string_equal(all_records(), "1.1= 2.4294967295=x ");
    assert_ok(store_records_clear(store, &room_a));
    assert_string_equal(all_records(), "");
    assert_ok(store_commit(store));
}

static struct store_message message_of(const struct room_id *room, uint64_t seq, const char *text)
{
    return (struct store_message){.room = *room,
                                  .seq = seq,
                                  .kind = 1,
                                  .sender = alice,
                                  .state = STORE_MESSAGE_RECEIVED,
                                  .unread = true,
                                  .text = str(text)};
}

static void messages_are_stored_exactly_once_and_in_order(void **state)
{
    (void)state;
    struct store_message message, *list;
    struct store_unread *rooms;
    int64_t position, local, head;
    size_t count;
    uint32_t unread;
    add_room(&room_a);
    add_room(&room_b);
    assert_ok(store_begin(store));
    message = message_of(&room_a, 1, "first");
    assert_ok(store_message_add(store, &message, &position, &local));
    assert_int_equal(position, 1);
    assert_error(store_message_add(store, &message, &position, &local), EXISTS);
    message.part = 1;
    assert_ok(store_message_add(store, &message, &position, &local));
    message = message_of(&room_b, 1, "elsewhere");
    assert_ok(store_message_add(store, &message, &position, &local));
    assert_int_equal(position, 3);
    message = message_of(&room_a, 0, "own");
    message.state = STORE_MESSAGE_WAITING, message.client_id = "c1", message.own = true;
    message.unread = false;
    assert_ok(store_message_add(store, &message, &position, &local));
    assert_int_equal(position, 0);
    assert_error(store_message_add(store, &message, &position, &local), EXISTS);
    assert_ok(store_messages_waiting(store, &room_a, &arena, &list, &count));
    assert_int_equal(count, 1);
    message = message_of(&room_a, 2, "overtakes");
    assert_ok(store_message_add(store, &message, &position, &local));
    assert_ok(
        store_message_place(store, &room_a, "c1", 3, 99, str("content"), str("id"), &position));
    assert_int_equal(position, 5);
    assert_error(
        store_message_place(store, &room_a, "c1", 3, 99, str("content"), str("id"), &position),
        EXISTS);
    assert_error(store_message_place(store, &room_a, "c2", 4, 9, str("c"), str("i"), &position),
                 NOT_FOUND);
    assert_error(store_message_fail(store, &room_a, "c1"), NOT_FOUND); /* it was sent */
    assert_ok(store_commit(store));

    assert_ok(store_messages(store, &room_a, 0, 2, &arena, &list, &count));
    assert_int_equal(count, 2);
    assert_bytes(list[0].text, str("overtakes"));
    assert_bytes(list[1].text, str("own"));
    assert_int_equal(list[1].seq, 3);
    assert_int_equal(list[1].time_s, 99);
    assert_int_equal(list[1].state, STORE_MESSAGE_SENT);
    assert_string_equal(list[1].client_id, "c1");
    assert_ok(store_messages(store, &room_a, list[0].position, 10, &arena, &list, &count));
    assert_int_equal(count, 2);
    assert_ok(store_messages_after(store, 2, 10, &arena, &list, &count));
    assert_int_equal(count, 3);
    assert_memory_equal(&list[0].room, &room_b, sizeof room_b);
    assert_ok(store_messages_unread_between(store, 0, 2, &arena, &rooms, &count));
    assert_int_equal(count, 1);
    assert_memory_equal(&rooms[0].room, &room_a, sizeof room_a);
    assert_int_equal(rooms[0].position, 2);
    assert_ok(store_messages_unread_between(store, 2, 5, &arena, &rooms, &count));
    assert_int_equal(count, 2);
    assert_ok(store_messages_head(store, &head));
    assert_int_equal(head, 5);
    assert_ok(store_message_by_content(store, &room_a, str("id"), &arena, &message));
    assert_ok(store_message_by_client(store, &room_a, "c1", &arena, &message));
    assert_bytes(message.content, str("content"));
    assert_ok(store_messages_unread(store, &room_a, &unread));
    assert_int_equal(unread, 3);
    assert_ok(store_begin(store));
    assert_ok(store_messages_read(store, &room_a, 2, false, 0));
    assert_ok(store_messages_unread(store, &room_a, &unread));
    assert_int_equal(unread, 1);
    /* Positions are not given again when the newest message is gone. */
    assert_ok(store_room_erase(store, &room_a));
    message = message_of(&room_b, 2, "after");
    assert_ok(store_message_add(store, &message, &position, &local));
    assert_int_equal(position, 6);
    assert_ok(store_commit(store));
}

static void the_outbox_keeps_its_order_and_its_bytes(void **state)
{
    (void)state;
    struct store_outgoing out = {.room = room_a,
                                 .kind = STORE_OUT_MESSAGE,
                                 .state = STORE_OUT_WANTED,
                                 .client_id = "c1",
                                 .intent = str("hello"),
                                 .request = {{1}}},
                          read;
    struct room_id *rooms;
    int64_t first, second, third;
    size_t rooms_count;
    uint32_t count;
    add_room(&room_a);
    add_room(&room_b);
    assert_ok(store_begin(store));
    assert_ok(store_outgoing_add(store, &out, &first));
    assert_error(store_outgoing_add(store, &out, &second), EXISTS);
    out.client_id = "", out.kind = STORE_OUT_ENVELOPE, out.account = bob, out.relay = "r:2";
    assert_ok(store_outgoing_add(store, &out, &second));
    out.kind = STORE_OUT_COMMIT, out.room = room_b;
    assert_ok(store_outgoing_add(store, &out, &third)); /* two without a client id are two */
    assert_ok(store_commit(store));
    assert_true(first < second && second < third);

    assert_ok(store_outgoing_next(store, &room_a, STORE_OUT_ALL, 0, &arena, &read));
    assert_int_equal(read.id, first);
    assert_bytes(read.intent, str("hello"));
    assert_ok(store_outgoing_next(store, &room_a, STORE_OUT_ENVELOPES, 0, &arena, &read));
    assert_int_equal(read.id, second);
    assert_string_equal(read.relay, "r:2");
    assert_ok(store_outgoing_next(store, NULL, STORE_OUT_ENTRIES, first, &arena, &read));
    assert_int_equal(read.id, third);
    assert_error(store_outgoing_next(store, NULL, STORE_OUT_ALL, third, &arena, &read), NOT_FOUND);
    assert_ok(store_outgoing_count(store, NULL, STORE_OUT_ALL, &count));
    assert_int_equal(count, 3);
    assert_ok(store_outgoing_count(store, &room_a, STORE_OUT_ENTRIES, &count));
    assert_int_equal(count, 1);
    assert_ok(store_outgoing_rooms(store, &arena, &rooms, &rooms_count));
    assert_int_equal(rooms_count, 2);

    assert_ok(store_begin(store));
    assert_ok(store_outgoing_get(store, third, &arena, &read));
    read.state = STORE_OUT_READY, read.epoch = 8, read.bytes = str("commit");
    read.staged = str("staged"), read.welcome = str("welcome");
    read.has_write_gate = true, read.next_write_gate.bytes[31] = 5;
    read.request.bytes[0] = 77;
    assert_ok(store_outgoing_put(store, &read));
    assert_ok(store_commit(store));
    assert_ok(store_outgoing_by_request(store, &room_b, &read.request, &arena, &read));
    assert_int_equal(read.epoch, 8);
    assert_bytes(read.staged, str("staged"));
    assert_true(read.has_write_gate && !read.has_read_gate);
    assert_int_equal(read.next_write_gate.bytes[31], 5);
    assert_ok(store_begin(store));
    assert_ok(store_outgoing_erase(store, third));
    assert_error(store_outgoing_erase(store, third), NOT_FOUND);
    assert_error(store_outgoing_put(store, &read), NOT_FOUND);
    assert_ok(store_commit(store));
}

/* ---- Transactions -------------------------------------------------------------------------------
 */

static void what_was_rolled_back_never_was(void **state)
{
    (void)state;
    uint64_t number;
    assert_ok(store_begin(store));
    assert_error(store_begin(store), STATE);
    assert_ok(store_number_put(store, "x", 1));
    store_rollback(store);
    assert_false(store_in_transaction(store));
    assert_ok(store_number_get(store, "x", &number));
    assert_int_equal(number, 0);
    store_rollback(store); /* nothing to do */
}

static void a_row_of_a_room_that_is_not_there_fails_the_commit(void **state)
{
    (void)state;
    struct store_message message = message_of(&room_a, 1, "text");
    int64_t position, local;
    assert_ok(store_begin(store));
    assert_ok(store_message_add(store, &message, &position, &local));
    assert_error(store_commit(store), INTERNAL);
    assert_false(store_in_transaction(store));
    add_room(&room_a);
}

static void writing_outside_a_transaction_is_a_bug_and_crashes(void **state)
{
    (void)state;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        int null = open("/dev/null", O_WRONLY);
        dup2(null, STDERR_FILENO);
        signal(SIGABRT, SIG_DFL);
        store_number_put(store, "x", 1);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static void another_connections_changes_are_noticed(void **state)
{
    (void)state;
    struct store *other = open_profile();
    uint64_t before, after, generation;
    struct store_records records;
    add_room(&room_a);
    assert_ok(store_data_version(store, &before));
    assert_ok(store_begin(other));
    sotto_mls_store out = store_records_begin(&records, other, &room_a);
    assert_ok(out.put(out.ctx, 1, 1, str("x")));
    assert_ok(store_records_end(&records, NULL));
    assert_ok(store_commit(other));
    assert_ok(store_data_version(store, &after));
    assert_int_not_equal(before, after);
    assert_ok(store_room_generation(store, &room_a, &generation));
    assert_int_equal(generation, 1);
    store_close(other);
}

static void a_lock_that_another_holds_is_busy(void **state)
{
    (void)state;
    struct store *other = open_profile();
    assert_ok(store_begin(other));
    sqlite3_busy_timeout(store->db, 0);
    assert_error(store_begin(store), BUSY);
    assert_string_equal(store_fault(store)->what, "profile.db: another process holds the lock");
    uint64_t number;
    assert_ok(store_number_get(store, "x", &number)); /* readers do not wait */
    store_rollback(other);
    assert_ok(store_begin(store));
    store_rollback(store);
    store_close(other);
}

/* ---- Several processes
 * ---------------------------------------------------------------------------- */

#define ENTRIES 60
#define PROCESSES 4

/* Applies each entry of the log that nobody applied before; says how many it applied. */
static int apply_log(void)
{
    int applied = 0;
    int64_t position, local;
    store = open_profile();
    for (uint64_t seq = 1; seq <= ENTRIES; seq++) {
        struct store_message message = message_of(&room_a, seq, "text");
        assert_ok(store_begin(store));
        sotto_error error = store_room_advance(store, &room_a, seq, seq);
        if (error == SOTTO_EXISTS) {
            store_rollback(store);
            continue;
        }
        assert_ok(error);
        assert_ok(store_message_add(store, &message, &position, &local));
        assert_ok(store_commit(store));
        applied++;
    }
    store_close(store);
    return applied;
}

static void racing_processes_apply_every_entry_once(void **state)
{
    (void)state;
    pid_t children[PROCESSES];
    int total = 0, status;
    struct store_message *list;
    size_t count;
    add_room(&room_a);
    store_close(store); /* no connection of ours in the children */
    for (int i = 0; i < PROCESSES; i++) {
        children[i] = fork();
        assert_true(children[i] >= 0);
        if (children[i] == 0)
            _exit(apply_log());
    }
    for (int i = 0; i < PROCESSES; i++) {
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_true(WIFEXITED(status));
        total += WEXITSTATUS(status);
    }
    store = open_profile();
    assert_int_equal(total, ENTRIES);
    assert_ok(store_messages(store, &room_a, 0, 1000, &arena, &list, &count));
    assert_int_equal(count, ENTRIES);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(list[i].seq, i + 1);
}

static void racing_processes_make_one_new_profile(void **state)
{
    (void)state;
    pid_t children[PROCESSES];
    int status;
    store_close(store);
    store = NULL;
    remove_profile();
    assert_true(make_directory());
    for (int i = 0; i < PROCESSES; i++) {
        children[i] = fork();
        assert_true(children[i] >= 0);
        if (children[i] == 0) {
            store = open_profile();
            store_close(store);
            _exit(42);
        }
    }
    for (int i = 0; i < PROCESSES; i++) {
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 42);
    }
    store = open_profile();
    assert_ok(store_check(store));
}

/* Writes until killed: two records that are always equal after a commit. Says each commit on fd. */
static void write_until_killed(int fd)
{
    struct store_records records;
    char text[32];
    store = open_profile();
    for (unsigned i = 1;; i++) {
        snprintf(text, sizeof text, "%u", i);
        if (store_begin(store) != SOTTO_OK)
            _exit(1);
        sotto_mls_store out = store_records_begin(&records, store, &room_a);
        if (out.put(out.ctx, 1, 0, str(text)) != SOTTO_OK ||
            out.put(out.ctx, 1, 1, str(text)) != SOTTO_OK ||
            store_records_end(&records, NULL) != SOTTO_OK || store_commit(store) != SOTTO_OK)
            _exit(1);
        if (write(fd, &i, sizeof i) != sizeof i)
            _exit(1);
    }
}

static void a_killed_writer_leaves_whole_transactions(void **state)
{
    (void)state;
    add_room(&room_a);
    store_close(store);
    for (int round = 0; round < 25; round++) {
        int ends[2], status;
        unsigned said = 0, next;
        assert_int_equal(pipe(ends), 0);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            close(ends[0]);
            write_until_killed(ends[1]);
        }
        close(ends[1]);
        for (int i = 0; i <= round % 5; i++) /* somewhere behind the nth commit */
            assert_int_equal(read(ends[0], &said, sizeof said), sizeof said);
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, &status, 0), child);
        while (read(ends[0], &next, sizeof next) == (ssize_t)sizeof next)
            said = next;
        close(ends[0]);
        store = open_profile();
        char expected[2][64];
        for (unsigned i = 0; i < 2; i++) /* what was said is there, or the one after it */
            snprintf(expected[i], sizeof expected[i], "1.0=%u 1.1=%u ", said + i, said + i);
        const char *found = all_records();
        assert_true(strcmp(found, expected[0]) == 0 || strcmp(found, expected[1]) == 0);
        store_close(store);
    }
    store = open_profile();
    assert_ok(store_check(store));
}

/* ---- A full disk
 * ----------------------------------------------------------------------------------- */

static void a_full_disk_loses_nothing_that_was_committed(void **state)
{
    (void)state;
    static uint8_t large[20000];
    uint64_t number;
    int64_t position, local;
    sotto_error error = SOTTO_OK;
    struct store_message message = message_of(&room_a, 1, "kept");
    add_room(&room_a);
    assert_ok(store_begin(store));
    assert_ok(store_number_put(store, "x", 1));
    assert_ok(store_commit(store));
    assert_ok(store_limit_pages(store, 1)); /* not less than it has: no page more */
    assert_ok(store_begin(store));
    assert_ok(store_number_put(store, "x", 2));
    message.content = sotto_bytes_of(large, sizeof large);
    for (uint64_t seq = 1; error == SOTTO_OK && seq < 50; seq++) {
        message.seq = seq;
        error = store_message_add(store, &message, &position, &local);
    }
    assert_error(error, FULL);
    assert_string_equal(store_fault(store)->what, "profile.db: no space left on the disk");
    /* Whether or not SQLite has rolled back by itself: nothing is written outside, nothing half. */
    if (sqlite3_get_autocommit(store->db)) {
        assert_int_not_equal(store_number_put(store, "x", 3), SOTTO_OK);
        assert_int_not_equal(store_commit(store), SOTTO_OK);
    }
    store_rollback(store);
    assert_ok(store_number_get(store, "x", &number));
    assert_int_equal(number, 1);
    assert_ok(store_limit_pages(store, 0));
    assert_ok(store_begin(store));
    message.seq = 1;
    assert_ok(store_message_add(store, &message, &position, &local));
    assert_ok(store_commit(store));
    assert_ok(store_check(store));
}

static void a_transaction_that_sqlite_rolled_back_cannot_go_on(void **state)
{
    (void)state;
    uint64_t number;
    assert_ok(store_begin(store));
    assert_ok(store_number_put(store, "x", 1));
    assert_ok(store_exec(store, "ROLLBACK")); /* as SQLite does it after some errors */
    assert_int_not_equal(store_number_put(store, "x", 2), SOTTO_OK);
    assert_int_not_equal(store_commit(store), SOTTO_OK);
    assert_ok(store_number_get(store, "x", &number));
    assert_int_equal(number, 0);
    assert_ok(store_begin(store));
    assert_ok(store_number_put(store, "x", 3));
    assert_ok(store_commit(store));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_profile_is_private),
        TEST(a_newer_database_is_left_alone),
        TEST(a_file_that_is_no_database_is_refused),
        TEST(a_damaged_page_is_found),
        TEST(values_numbers_and_the_profile_are_kept),
        TEST(contacts_and_manifests_are_kept),
        TEST(key_packages_are_kept_and_expire),
        TEST(an_invitation_is_used_as_often_as_it_says),
        TEST(takes_and_requests_are_kept),
        TEST(rooms_are_kept_and_their_cursor_moves_by_one),
        TEST(mls_records_are_kept_and_counted),
        TEST(messages_are_stored_exactly_once_and_in_order),
        TEST(the_outbox_keeps_its_order_and_its_bytes),
        TEST(what_was_rolled_back_never_was),
        TEST(a_row_of_a_room_that_is_not_there_fails_the_commit),
        TEST(writing_outside_a_transaction_is_a_bug_and_crashes),
        TEST(another_connections_changes_are_noticed),
        TEST(a_lock_that_another_holds_is_busy),
        TEST(racing_processes_apply_every_entry_once),
        TEST(racing_processes_make_one_new_profile),
        TEST(a_killed_writer_leaves_whole_transactions),
        TEST(a_full_disk_loses_nothing_that_was_committed),
        TEST(a_transaction_that_sqlite_rolled_back_cannot_go_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
