/* Backups: the container, what is in one, what is made of it elsewhere, and whatever is wrong with
 * one refused. */
#include "unit/check.h"

#include <fcntl.h>
#include <sodium.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/backup.h"
#include "core/vault.h"
#include "sotto/sotto.h"
#include "unit/core_account.h"
#include "unit/folder.h"
#include "unit/killed.h"

static const struct vault_cost cheap = {.passes = 1, .kib = BACKUP_KIB_MIN};
static const sotto_env *env;

static sotto_bytes str(const char *text)
{
    return sotto_bytes_str(text);
}

/* ---- The container -------------------------------------------------------------------------- */

static const char *passphrase = "correct horse";

static bool secret_of(void *ctx, enum backup_secret kind, sotto_buf *out)
{
    (void)kind;
    return sotto_buf_append(out, (const uint8_t *)ctx, strlen(ctx)) == SOTTO_OK;
}

static int memory_file(void)
{
    int fd = memfd_create("backup", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    assert_true(fd >= 0);
    return fd;
}

static uint8_t *pattern(size_t size)
{
    uint8_t *bytes = malloc(size + 1);
    assert_non_null(bytes);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(i * 7 + i / 251);
    return bytes;
}

/* Records of these sizes; a file of three chunks. */
static const size_t sizes[] = {0, 1, 5, 65000, 70000};
enum { SIZES = sizeof sizes / sizeof sizes[0] };

static int write_file(void)
{
    struct backup_writer *writer = NULL;
    int fd = memory_file();
    uint8_t *bytes = pattern(70000);
    assert_ok(backup_writer_new(env, fd, BACKUP_PASSPHRASE, str(passphrase), &cheap, &writer));
    for (size_t i = 0; i < SIZES; i++)
        assert_ok(backup_write(writer, (uint8_t)(i + 1), sotto_bytes_of(bytes, sizes[i])));
    assert_ok(backup_write_end(writer));
    struct stat found;
    assert_int_equal(fstat(fd, &found), 0);
    assert_int_equal(backup_written(writer), found.st_size);
    assert_int_equal(found.st_size, BACKUP_HEADER_SIZE + 3 * BACKUP_SEALED);
    backup_writer_free(writer);
    free(bytes);
    return fd;
}

/* All of it; what the first failure was, NOT_FOUND being the end. */
static sotto_error read_file(int fd, const char *secret, size_t *records, sotto_fault *fault)
{
    struct backup_reader *reader = NULL;
    uint8_t *bytes = pattern(70000);
    uint8_t type;
    sotto_bytes body;
    *records = 0;
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    sotto_error error =
        backup_reader_new(env, fd, secret_of, (void *)(uintptr_t)secret, &reader, fault);
    if (error != SOTTO_OK)
        assert_null(reader);
    while (error == SOTTO_OK) {
        error = backup_read(reader, &type, &body, fault);
        if (error != SOTTO_OK)
            break;
        assert_true(*records < SIZES);
        assert_int_equal(type, *records + 1);
        assert_bytes(body, sotto_bytes_of(bytes, sizes[*records]));
        ++*records;
    }
    if (reader != NULL) /* it stays so */
        assert_int_equal(backup_read(reader, &type, &body, fault), error);
    backup_reader_free(reader);
    free(bytes);
    return error;
}

static void what_is_written_is_read(void **state)
{
    (void)state;
    sotto_fault fault;
    size_t records;
    int fd = write_file();
    assert_error(read_file(fd, passphrase, &records, &fault), NOT_FOUND);
    assert_int_equal(records, SIZES);
    close(fd);
}

static void a_wrong_passphrase_is_told_at_once(void **state)
{
    (void)state;
    sotto_fault fault;
    size_t records;
    int fd = write_file();
    assert_error(read_file(fd, "correct hors", &records, &fault), KEY);
    assert_error(read_file(fd, "", &records, &fault), KEY);
    close(fd);
}

static void flip(int fd, off_t at)
{
    uint8_t byte;
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte ^= 0x10;
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
}

static void each_byte_counts(void **state)
{
    (void)state;
    sotto_fault fault;
    size_t records;
    int fd = write_file();
    const off_t size = BACKUP_HEADER_SIZE + 3 * BACKUP_SEALED;
    for (off_t at = 0; at < size; at += at < BACKUP_HEADER_SIZE + 20 ? 1 : 9973) {
        flip(fd, at);
        sotto_error error = read_file(fd, passphrase, &records, &fault);
        if (at < 8)
            assert_error(error, VALUE);
        else if (at < 10)
            assert_error(error, VERSION);
        else if (at < BACKUP_HEADER_SIZE)
            assert_error(error, VALUE); /* damage is no wrong passphrase */
        else {
            assert_error(error, DECRYPT);
            assert_int_equal(fault.offset, BACKUP_HEADER_SIZE + (at - BACKUP_HEADER_SIZE) /
                                                                    BACKUP_SEALED * BACKUP_SEALED);
        }
        flip(fd, at);
    }
    assert_error(read_file(fd, passphrase, &records, &fault), NOT_FOUND);
    close(fd);
}

static void what_is_cut_off_or_goes_on_is_refused(void **state)
{
    (void)state;
    sotto_fault fault;
    size_t records;
    int fd = write_file();
    const off_t size = BACKUP_HEADER_SIZE + 3 * BACKUP_SEALED;
    assert_int_equal(pwrite(fd, "x", 1, size), 1);
    assert_error(read_file(fd, passphrase, &records, &fault), TRAILING);
    const off_t cuts[] = {size - 1,
                          size - BACKUP_SEALED + 1,
                          size - BACKUP_SEALED, /* between chunks */
                          BACKUP_HEADER_SIZE + BACKUP_SEALED,
                          BACKUP_HEADER_SIZE + 1,
                          BACKUP_HEADER_SIZE,
                          BACKUP_HEADER_SIZE - 1,
                          20};
    for (size_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++) {
        assert_int_equal(ftruncate(fd, cuts[i]), 0);
        assert_error(read_file(fd, passphrase, &records, &fault), TRUNCATED);
    }
    assert_int_equal(ftruncate(fd, 5), 0);
    assert_error(read_file(fd, passphrase, &records, &fault), VALUE);
    assert_int_equal(ftruncate(fd, 0), 0);
    assert_error(read_file(fd, passphrase, &records, &fault), VALUE);
    close(fd);
}

static void chunk_copy(int from, unsigned a, int to, unsigned b)
{
    static uint8_t chunk[BACKUP_SEALED];
    assert_int_equal(
        pread(from, chunk, sizeof chunk, BACKUP_HEADER_SIZE + (off_t)a * BACKUP_SEALED),
        BACKUP_SEALED);
    assert_int_equal(pwrite(to, chunk, sizeof chunk, BACKUP_HEADER_SIZE + (off_t)b * BACKUP_SEALED),
                     BACKUP_SEALED);
}

static void chunks_of_another_place_or_backup_are_refused(void **state)
{
    (void)state;
    sotto_fault fault;
    size_t records;
    int fd = write_file(), other = write_file();
    chunk_copy(other, 1, fd, 1);
    assert_error(read_file(fd, passphrase, &records, &fault), DECRYPT);
    close(fd);
    fd = write_file();
    chunk_copy(fd, 0, fd, 1);
    assert_error(read_file(fd, passphrase, &records, &fault), DECRYPT);
    close(fd);
    fd = write_file();
    chunk_copy(fd, 2, fd, 1);
    assert_int_equal(ftruncate(fd, BACKUP_HEADER_SIZE + 2 * BACKUP_SEALED), 0);
    assert_error(read_file(fd, passphrase, &records, &fault), DECRYPT);
    close(fd);
    close(other);
}

static void header_put(int fd, const uint8_t header[static BACKUP_HEADER_SIZE])
{
    uint8_t whole[BACKUP_HEADER_SIZE];
    memcpy(whole, header, sizeof whole);
    crypto_generichash(whole + 76, 16, whole, 76, NULL, 0); /* as whoever forges one would */
    assert_int_equal(pwrite(fd, whole, sizeof whole, 0), BACKUP_HEADER_SIZE);
}

static void a_forged_header_holds_nobody_up(void **state)
{
    (void)state;
    static const struct {
        uint8_t at, value[4];
        sotto_error error;
    } forged[] = {
        {12, {0, 0, 0, 0}, SOTTO_LIMIT},         {12, {0, 0, 0, 17}, SOTTO_LIMIT},
        {12, {255, 255, 255, 255}, SOTTO_LIMIT}, {16, {0, 0, 0, 7}, SOTTO_LIMIT},
        {16, {0, 0x10, 0, 1}, SOTTO_LIMIT},      {16, {255, 255, 255, 255}, SOTTO_LIMIT},
        {10, {0, 0, 0, 0}, SOTTO_VALUE},         {10, {1, 1, 0, 0}, SOTTO_VALUE},
        {10, {3, 0, 0, 0}, SOTTO_VALUE},         {20, {1, 2, 3, 4}, SOTTO_KEY},
        {60, {1, 2, 3, 4}, SOTTO_KEY},
    };
    sotto_fault fault;
    size_t records;
    uint8_t header[BACKUP_HEADER_SIZE], changed[BACKUP_HEADER_SIZE];
    int fd = write_file();
    assert_int_equal(pread(fd, header, sizeof header, 0), BACKUP_HEADER_SIZE);
    for (size_t i = 0; i < sizeof forged / sizeof forged[0]; i++) {
        memcpy(changed, header, sizeof header);
        memcpy(changed + forged[i].at, forged[i].value, 4);
        header_put(fd, changed);
        assert_int_equal(read_file(fd, passphrase, &records, &fault), forged[i].error);
    }
    /* Both within their limits, and together too much. */
    memcpy(changed, header, sizeof header);
    memcpy(changed + 12, (const uint8_t[]){0, 0, 0, 5, 0, 0x10, 0, 0}, 8);
    header_put(fd, changed);
    assert_error(read_file(fd, passphrase, &records, &fault), LIMIT);
    close(fd);
}

static void a_full_disk_is_told(void **state)
{
    (void)state;
    struct backup_writer *writer = NULL;
    uint8_t *bytes = pattern(70000);
    int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_error(backup_writer_new(env, fd, BACKUP_KEY, str(passphrase), &cheap, &writer), FULL);
    assert_null(writer);
    close(fd);
    fd = memory_file();
    assert_ok(backup_writer_new(env, fd, BACKUP_KEY, str(passphrase), &cheap, &writer));
    assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW), 0);
    assert_error(backup_write(writer, 1, sotto_bytes_of(bytes, 70000)), IO);
    assert_error(backup_write_end(writer), IO);
    backup_writer_free(writer);
    close(fd);
    free(bytes);
}

static void a_record_has_a_limit(void **state)
{
    (void)state;
    struct backup_writer *writer = NULL;
    uint8_t *bytes = pattern(BACKUP_RECORD_MAX + 1);
    int fd = memory_file();
    assert_ok(backup_writer_new(env, fd, BACKUP_KEY, str(passphrase), &cheap, &writer));
    assert_error(backup_write(writer, 1, sotto_bytes_of(bytes, BACKUP_RECORD_MAX + 1)), LIMIT);
    assert_ok(backup_write(writer, 1, sotto_bytes_of(bytes, BACKUP_RECORD_MAX)));
    assert_ok(backup_write_end(writer));
    backup_writer_free(writer);
    close(fd);
    free(bytes);
}

static void a_key_of_digits_may_be_written_in_any_grouping(void **state)
{
    (void)state;
    char key[BACKUP_KEY_SIZE], other[BACKUP_KEY_SIZE];
    sotto_buf one, two;
    sotto_buf_init(&one, env);
    sotto_buf_init(&two, env);
    assert_ok(backup_key_make(env, key));
    assert_ok(backup_key_make(env, other));
    assert_string_not_equal(key, other);
    assert_int_equal(strlen(key), BACKUP_KEY_SIZE - 1);
    assert_ok(backup_key_digits(str(key), &one));
    assert_int_equal(one.size, BACKUP_KEY_DIGITS);
    for (char *at = key; *at != '\0'; at++)
        if (*at == '-')
            *at = ' ';
    assert_ok(backup_key_digits(str(key), &two));
    assert_bytes(sotto_buf_view(&two), sotto_buf_view(&one));
    key[3] = 'x';
    assert_error(backup_key_digits(str(key), &two), VALUE);
    assert_error(backup_key_digits(str("12345"), &two), VALUE);
    assert_error(backup_key_digits(sotto_bytes_of(one.data, 47), &two), VALUE);
    assert_int_equal(two.size, BACKUP_KEY_DIGITS);
    sotto_buf_free(&one);
    sotto_buf_free(&two);
}

/* ---- A profile ------------------------------------------------------------------------------ */

static char base[64], profile[80], restored_at[80], path[80];
static const struct room_id kitchen = {{0xA}}, cellar = {{0xB}};
static const struct account_id bob = {{2}};

/* The same key each time it is begun anew. */
static uint64_t counter;
static sotto_error same_random(void *ctx, uint8_t *out, size_t size)
{
    (void)ctx;
    for (size_t i = 0; i < size; i++)
        out[i] = (uint8_t)(++counter * 0x9E3779B97F4A7C15 >> 56);
    return SOTTO_OK;
}
static sotto_env same;

static struct sotto *open_core(const char *directory)
{
    struct sotto *core = NULL;
    struct sotto_problem problem;
    if (sotto_open(&same, directory, NULL, &core, &problem) != SOTTO_OK)
        fail_msg("%s", problem.message);
    return core;
}

static void room_add(struct sotto *core, const struct room_id *id, enum store_room_state state,
                     const char *title)
{
    const struct store_room row = {.room = *id,
                                   .kind = STORE_ROOM_GROUP,
                                   .state = state,
                                   .title = title,
                                   .relay = "localhost:1",
                                   .created_s = 5,
                                   .active_s = 6,
                                   .next_seq = 1};
    assert_ok(store_room_add(core->store, &row));
}

static struct store_message message_of(const struct room_id *room, uint64_t seq, const char *text)
{
    return (struct store_message){
        .room = *room,
        .seq = seq,
        .kind = SOTTO_KIND_TEXT,
        .sender = bob,
        .state = STORE_MESSAGE_RECEIVED,
        .time_s = 1000 + seq,
        .client_id = "",
        .content_id = str(text), /* as good as another */
        .text = str(text),
    };
}

static int64_t add(struct sotto *core, const struct store_message *message)
{
    int64_t position, local;
    assert_ok(store_message_add(core->store, message, &position, &local));
    return local;
}

enum { MANY = 40 }; /* more than a page of them */

static void fill(struct sotto *core)
{
    static char texts[MANY][16];
    assert_ok(store_begin(core->store));
    room_add(core, &kitchen, STORE_ROOM_ACTIVE, "Kitchen");
    room_add(core, &cellar, STORE_ROOM_LEFT, "Cellar");
    const struct store_contact contact = {.account = bob,
                                          .name = "Bob",
                                          .relay = "localhost:1",
                                          .contact = true,
                                          .verified = true,
                                          .added_s = 3};
    assert_ok(store_contact_put(core->store, &contact));
    struct store_message one = message_of(&kitchen, 1, "kestrels");
    one.unread = true;
    one.timer_s = 60;
    (void)add(core, &one);
    one = message_of(&cellar, 1, "in the cellar");
    (void)add(core, &one);
    one = message_of(&kitchen, 2, "mine");
    one.own = true;
    one.state = STORE_MESSAGE_SENT;
    one.sender = core->identity.account;
    one.client_id = "c1";
    one.target = str("kestrels");
    int64_t local = add(core, &one);
    const struct store_reaction reaction = {bob, str("r1"), str("!"), 7};
    assert_ok(store_reaction_put(core->store, local, &reaction));
    const struct store_receipt receipt = {bob, STORE_READ, 9};
    assert_ok(store_receipt_put(core->store, local, &receipt));
    one = message_of(&kitchen, 0, "not gone yet");
    one.own = true;
    one.state = STORE_MESSAGE_WAITING;
    one.sender = core->identity.account;
    one.client_id = "c2";
    (void)add(core, &one);
    for (unsigned i = 0; i < MANY; i++) {
        snprintf(texts[i], sizeof texts[i], "number %u", i);
        one = message_of(&kitchen, 3 + i, texts[i]);
        (void)add(core, &one);
    }
    assert_ok(store_number_put(core->store, "receipts-off", 1));
    assert_ok(store_commit(core->store));
}

static struct account_id own;

static int setup_profile(void **state)
{
    (void)state;
    env = sotto_env_system();
    same = *env;
    same.random = same_random;
    if (!folder_make(base, "backup"))
        return -1;
    snprintf(profile, sizeof profile, "%s/profile", base);
    snprintf(restored_at, sizeof restored_at, "%s/restored", base);
    snprintf(path, sizeof path, "%s/file", base);
    struct sotto *core = open_core(profile);
    core_account_make(core, "localhost:1", "Alice");
    own = core->identity.account;
    fill(core);
    sotto_close(core);
    return 0;
}

static int teardown_profile(void **state)
{
    (void)state;
    return folder_remove(base);
}

static char key[SOTTO_BACKUP_KEY_SIZE];

static sotto_error back_up(bool account_key, bool replace)
{
    struct sotto *core = open_core(profile);
    struct sotto_backup_made made;
    const struct sotto_backup what = {.path = path, .account_key = account_key, .replace = replace};
    sotto_error error = sotto_backup(core, &what, &made, NULL, NULL);
    if (error == SOTTO_OK) {
        struct stat found;
        assert_int_equal(stat(path, &found), 0);
        assert_int_equal(found.st_size, made.size);
        assert_int_equal(found.st_mode & 07777, 0600);
        assert_int_equal(made.messages, MANY + 3);
        assert_int_equal(made.conversations, 2);
        memcpy(key, made.key, sizeof key);
    }
    sotto_close(core);
    return error;
}

static sotto_error restore(const char *secret, struct sotto_restored *restored,
                           struct sotto_problem *problem)
{
    struct sotto *core = open_core(restored_at);
    sotto_error error = sotto_restore(core, path, str(secret), NULL, restored, NULL, NULL);
    *problem = *sotto_problem(core);
    sotto_close(core);
    return error;
}

static void expect_restored(void)
{
    struct sotto *core = open_core(restored_at);
    struct arena arena;
    struct store_room *rooms = NULL;
    struct store_message *messages = NULL, one;
    struct store_contact contact;
    struct store_reaction *reactions = NULL;
    struct store_receipt *receipts = NULL;
    size_t count = 0;
    uint64_t number = 0;
    arena_init(&arena, env);
    assert_ok(store_rooms(core->store, &arena, &rooms, &count));
    assert_int_equal(count, 2);
    for (size_t i = 0; i < 2; i++) {
        bool is_kitchen = memcmp(rooms[i].room.bytes, kitchen.bytes, ROOM_ID_SIZE) == 0;
        assert_int_equal(rooms[i].state, is_kitchen ? STORE_ROOM_REMOVED : STORE_ROOM_LEFT);
        assert_string_equal(rooms[i].title, is_kitchen ? "Kitchen" : "Cellar");
        assert_int_equal(rooms[i].created_s, 5);
        if (is_kitchen)
            assert_non_null(strstr(rooms[i].trouble, "adds it"));
    }
    assert_ok(store_messages(core->store, &kitchen, 0, 1000, &arena, &messages, &count));
    assert_int_equal(count, MANY + 2);
    assert_bytes(messages[0].text, str("kestrels"));
    assert_true(messages[0].unread);
    assert_int_equal(messages[0].timer_s, 60);
    assert_true(messages[1].own);
    assert_string_equal(messages[1].client_id, "c1");
    assert_bytes(messages[1].target, str("kestrels"));
    assert_int_equal(messages[1].time_s, 1002);
    for (size_t i = 0; i < MANY; i++) {
        assert_int_equal(messages[i + 2].seq, i + 3);
        assert_true(messages[i + 2].position > messages[i + 1].position);
    }
    assert_ok(store_reactions(core->store, messages[1].local, &arena, &reactions, &count));
    assert_int_equal(count, 1);
    assert_bytes(reactions[0].text, str("!"));
    assert_ok(store_receipts(core->store, messages[1].local, &arena, &receipts, &count));
    assert_int_equal(count, 1);
    assert_int_equal(receipts[0].state, STORE_READ);
    assert_int_equal(receipts[0].time_s, 9);
    assert_ok(store_message_by_client(core->store, &kitchen, "c2", &arena, &one));
    assert_int_equal(one.state, STORE_MESSAGE_FAILED);
    assert_bytes(one.text, str("not gone yet"));
    assert_ok(store_contact_get(core->store, &bob, &arena, &contact));
    assert_true(contact.contact && contact.verified && !contact.blocked);
    assert_string_equal(contact.name, "Bob");
    assert_ok(
        store_messages_search(core->store, "\"kestrels\"", NULL, 0, 10, &arena, &messages, &count));
    assert_int_equal(count, 1);
    assert_ok(store_number_get(core->store, "receipts-off", &number));
    assert_int_equal(number, 1);
    /* What comes now comes behind, and is new. */
    int64_t head = 0;
    uint64_t listened = 0;
    assert_ok(store_messages_head(core->store, &head));
    assert_ok(store_number_get(core->store, "listened", &listened));
    assert_true(head >= (int64_t)OWN_POSITIONS && listened == (uint64_t)head);
    assert_false(core->has_identity);
    arena_free(&arena);
    sotto_close(core);
}

static void a_restored_profile_has_everything_but_keys(void **state)
{
    (void)state;
    struct sotto_restored restored;
    struct sotto_problem problem;
    assert_ok(back_up(true, false));
    folder_empty(restored_at);
    assert_ok(restore(key, &restored, &problem));
    assert_memory_equal(restored.account.bytes, own.bytes, ACCOUNT_ID_SIZE);
    assert_true(restored.account_key);
    assert_int_equal(restored.messages, MANY + 3);
    assert_int_equal(restored.skipped, 0);
    expect_restored();
    /* Once more changes nothing. */
    assert_ok(restore(key, &restored, &problem));
    expect_restored();
    assert_int_equal(unlink(path), 0);
}

/* As version 1 had it: what one's devices tell each other is without lengths. */
static void unframe(sotto_bytes body, sotto_buf *out)
{
    struct reader reader;
    reader_init(&reader, body);
    while (reader_more(&reader)) {
        uint8_t type = reader_u8(&reader, "type");
        sotto_bytes record = reader_vector(&reader, BACKUP_RECORD_MAX, "body");
        assert_ok(sotto_buf_append(out, &type, 1));
        assert_ok(sotto_buf_append(out, record.data, record.size));
    }
    assert_true(reader_ok(&reader));
}

static void records_of_version_1(int fd, sotto_buf *plain)
{
    struct backup_reader *reader = NULL;
    sotto_fault fault;
    sotto_bytes body;
    sotto_buf digits, old;
    uint8_t type;
    sotto_buf_init(&digits, env);
    sotto_buf_init(&old, env);
    assert_ok(backup_key_digits(str(key), &digits));
    assert_ok(sotto_buf_append(&digits, (const uint8_t *)"", 1));
    assert_ok(backup_reader_new(env, fd, secret_of, digits.data, &reader, &fault));
    while (backup_read(reader, &type, &body, &fault) == SOTTO_OK) {
        sotto_buf_clear(&old);
        if (type == BACKUP_PEOPLE || type == BACKUP_PAST)
            unframe(body, &old);
        else
            assert_ok(sotto_buf_append(&old, body.data, body.size));
        const uint8_t head[] = {type, 0, 0, (uint8_t)(old.size >> 8), (uint8_t)old.size};
        assert_ok(sotto_buf_append(plain, head, sizeof head));
        assert_ok(sotto_buf_append(plain, old.data, old.size));
    }
    assert_true(plain->size < BACKUP_CHUNK);
    backup_reader_free(reader);
    sotto_buf_free(&digits);
    sotto_buf_free(&old);
}

/* docs/BACKUP.md, with version 1 in the header. */
static void seal_version_1(int fd, sotto_bytes plain)
{
    static uint8_t chunk[BACKUP_CHUNK], sealed[BACKUP_SEALED];
    uint8_t header[BACKUP_HEADER_SIZE], master[32], subkey[32];
    crypto_secretstream_xchacha20poly1305_state stream;
    assert_int_equal(pread(fd, header, sizeof header, 0), BACKUP_HEADER_SIZE);
    header[9] = 1;
    sotto_buf digits;
    sotto_buf_init(&digits, env);
    assert_ok(backup_key_digits(str(key), &digits));
    assert_int_equal(crypto_pwhash(master, sizeof master, (const char *)digits.data, digits.size,
                                   header + 20, header[15], (size_t)header[18] << 18,
                                   crypto_pwhash_ALG_ARGON2ID13),
                     0);
    crypto_kdf_derive_from_key(subkey, sizeof subkey, 1, "sottobak", master);
    crypto_secretstream_xchacha20poly1305_init_push(&stream, header + 36, subkey);
    crypto_kdf_derive_from_key(subkey, sizeof subkey, 2, "sottobak", master);
    crypto_generichash(header + 60, 16, header, 60, subkey, sizeof subkey);
    header_put(fd, header);
    assert_int_equal(pread(fd, header, sizeof header, 0), BACKUP_HEADER_SIZE);
    memset(chunk, 0, sizeof chunk);
    memcpy(chunk, plain.data, plain.size);
    crypto_secretstream_xchacha20poly1305_push(&stream, sealed, NULL, chunk, BACKUP_CHUNK, header,
                                               BACKUP_HEADER_SIZE,
                                               crypto_secretstream_xchacha20poly1305_TAG_FINAL);
    assert_int_equal(pwrite(fd, sealed, sizeof sealed, BACKUP_HEADER_SIZE), BACKUP_SEALED);
    assert_int_equal(ftruncate(fd, BACKUP_HEADER_SIZE + BACKUP_SEALED), 0);
    sotto_buf_free(&digits);
}

static void what_version_1_made_is_restored(void **state)
{
    (void)state;
    struct sotto_restored restored;
    struct sotto_problem problem;
    sotto_buf plain;
    sotto_buf_init(&plain, env);
    assert_ok(back_up(false, false));
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    records_of_version_1(fd, &plain);
    seal_version_1(fd, sotto_buf_view(&plain));
    close(fd);
    sotto_buf_free(&plain);
    folder_empty(restored_at);
    assert_ok(restore(key, &restored, &problem));
    assert_int_equal(restored.skipped, 0);
    expect_restored();
    assert_int_equal(unlink(path), 0);
}

static void whoever_asks_for_no_account_key_gives_none_away(void **state)
{
    (void)state;
    struct sotto_restored restored;
    struct sotto_problem problem;
    assert_ok(back_up(false, false));
    folder_empty(restored_at);
    assert_ok(restore(key, &restored, &problem));
    assert_false(restored.account_key);
    assert_int_equal(unlink(path), 0);
}

static void a_file_that_is_there_stays_unless_it_may_go(void **state)
{
    (void)state;
    assert_ok(back_up(false, false));
    assert_error(back_up(false, false), EXISTS);
    assert_ok(back_up(false, true));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_error(back_up(false, true), IO);
    assert_int_equal(rmdir(path), 0);
}

static void expect_refused(const char *secret, enum sotto_code code)
{
    struct sotto_restored restored;
    struct sotto_problem problem;
    struct arena arena;
    struct store_room *rooms;
    size_t count;
    folder_empty(restored_at);
    assert_int_not_equal(restore(secret, &restored, &problem), SOTTO_OK);
    assert_int_equal(problem.code, code);
    struct sotto *core = open_core(restored_at);
    arena_init(&arena, env);
    assert_ok(store_rooms(core->store, &arena, &rooms, &count)); /* nothing was taken over */
    assert_int_equal(count, 0);
    arena_free(&arena);
    sotto_close(core);
}

static void what_is_wrong_with_a_backup_is_said_and_nothing_taken_over(void **state)
{
    (void)state;
    struct stat found;
    expect_refused("any", SOTTO_CODE_NO_FILE);
    assert_ok(back_up(false, false));
    expect_refused("any", SOTTO_CODE_WRONG_PASSPHRASE);
    assert_int_equal(stat(path, &found), 0);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    flip(fd, found.st_size - 1); /* all but the last chunk is good */
    expect_refused(key, SOTTO_CODE_BAD_BACKUP);
    flip(fd, found.st_size - 1);
    assert_int_equal(ftruncate(fd, found.st_size - BACKUP_SEALED), 0);
    expect_refused(key, SOTTO_CODE_BAD_BACKUP);
    flip(fd, 9);
    expect_refused(key, SOTTO_CODE_STORAGE_NEWER);
    close(fd);
    assert_int_equal(unlink(path), 0);
}

static void a_profile_of_another_account_is_left_alone(void **state)
{
    (void)state;
    struct sotto_restored restored;
    struct sotto_problem problem;
    assert_ok(back_up(true, false));
    folder_empty(restored_at);
    counter = 12345;
    struct sotto *core = open_core(restored_at);
    core_account_make(core, "localhost:1", "Somebody");
    sotto_close(core);
    assert_error(restore(key, &restored, &problem), EXISTS);
    assert_int_equal(problem.code, SOTTO_CODE_ALREADY_REGISTERED);
    assert_int_equal(unlink(path), 0);
}

/* A message between two that are there, whose place another conversation's has. */
static void what_comes_later_from_another_device_takes_its_place_in_order(void **state)
{
    (void)state;
    struct sotto_restored restored;
    struct sotto_problem problem;
    struct store_message *messages = NULL;
    struct arena arena;
    size_t count = 0;
    assert_ok(back_up(false, false));
    folder_empty(restored_at);
    assert_ok(restore(key, &restored, &problem));
    struct sotto *core = open_core(restored_at);
    arena_init(&arena, env);
    assert_ok(store_begin(core->store));
    static const int64_t positions[] = {1, 2, 100000, 5};
    for (uint64_t i = 0; i < 4; i++) {
        int64_t local;
        struct store_message later = message_of(&kitchen, MANY + 3 + i, "later");
        later.content_id = sotto_bytes_of(NULL, 0);
        later.position = positions[i];
        assert_ok(store_message_import(core->store, &later, &local));
        assert_error(store_message_import(core->store, &later, &local), EXISTS);
    }
    assert_ok(store_commit(core->store));
    assert_ok(store_messages(core->store, &kitchen, 0, 1000, &arena, &messages, &count));
    assert_int_equal(count, MANY + 6);
    for (size_t i = 0; i + 1 < count; i++)
        assert_true(messages[i].seq < messages[i + 1].seq &&
                    messages[i].position < messages[i + 1].position);
    arena_free(&arena);
    sotto_close(core);
    assert_int_equal(unlink(path), 0);
}

static void stopping_leaves_nothing(void **state)
{
    (void)state;
    struct sotto *core = open_core(profile);
    struct sotto_backup_made made;
    const struct sotto_backup what = {.path = path};
    sotto_stop(core);
    assert_error(sotto_backup(core, &what, &made, NULL, NULL), STATE);
    assert_int_equal(sotto_problem(core)->code, SOTTO_CODE_STOPPED);
    assert_int_equal(access(path, F_OK), -1);
    sotto_close(core);
}

/* ---- Killed --------------------------------------------------------------------------------- */

static void back_up_again(void *ctx)
{
    (void)ctx;
    counter = 777;
    if (back_up(false, true) != SOTTO_OK)
        _exit(1);
}

static void killed_anywhere_the_old_backup_is_there_or_the_new_one(void **state)
{
    (void)state;
    struct sotto_restored restored;
    struct sotto_problem problem;
    char old_key[SOTTO_BACKUP_KEY_SIZE], new_key[SOTTO_BACKUP_KEY_SIZE];
    unsigned n = 0, old = 0;
    if (!killed_possible())
        skip();
    back_up_again(NULL);
    memcpy(new_key, key, sizeof key);
    for (bool killed = true; killed; n += killed_step(40)) {
        (void)unlink(path);
        counter = 1;
        assert_ok(back_up(false, true));
        memcpy(old_key, key, sizeof key);
        killed = killed_before(n, back_up_again, NULL);
        folder_empty(restored_at);
        bool is_old = restore(old_key, &restored, &problem) == SOTTO_OK;
        old += is_old;
        if (!is_old)
            assert_ok(restore(new_key, &restored, &problem));
        expect_restored();
        if (!killed)
            assert_false(is_old);
    }
    assert_true(old > 0);
    assert_int_equal(unlink(path), 0);
}

static void restore_killed(void *ctx)
{
    struct sotto_restored restored;
    struct sotto_problem problem;
    (void)ctx;
    if (restore(key, &restored, &problem) != SOTTO_OK)
        _exit(1);
}

static void killed_anywhere_restoring_goes_on(void **state)
{
    (void)state;
    struct sotto_restored restored;
    struct sotto_problem problem;
    unsigned n = 0;
    if (!killed_possible())
        skip();
    assert_ok(back_up(true, false));
    for (bool killed = true; killed; n += killed_step(400)) {
        folder_empty(restored_at);
        killed = killed_before(n, restore_killed, NULL);
        assert_ok(restore(key, &restored, &problem));
        expect_restored();
    }
    assert_int_equal(unlink(path), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(a_wrong_passphrase_is_told_at_once),
        cmocka_unit_test(each_byte_counts),
        cmocka_unit_test(what_is_cut_off_or_goes_on_is_refused),
        cmocka_unit_test(chunks_of_another_place_or_backup_are_refused),
        cmocka_unit_test(a_forged_header_holds_nobody_up),
        cmocka_unit_test(a_full_disk_is_told),
        cmocka_unit_test(a_record_has_a_limit),
        cmocka_unit_test(a_key_of_digits_may_be_written_in_any_grouping),
        cmocka_unit_test(a_restored_profile_has_everything_but_keys),
        cmocka_unit_test(what_version_1_made_is_restored),
        cmocka_unit_test(whoever_asks_for_no_account_key_gives_none_away),
        cmocka_unit_test(a_file_that_is_there_stays_unless_it_may_go),
        cmocka_unit_test(what_is_wrong_with_a_backup_is_said_and_nothing_taken_over),
        cmocka_unit_test(a_profile_of_another_account_is_left_alone),
        cmocka_unit_test(what_comes_later_from_another_device_takes_its_place_in_order),
        cmocka_unit_test(stopping_leaves_nothing),
        cmocka_unit_test(killed_anywhere_the_old_backup_is_there_or_the_new_one),
        cmocka_unit_test(killed_anywhere_restoring_goes_on),
    };
    return cmocka_run_group_tests(tests, setup_profile, teardown_profile);
}
