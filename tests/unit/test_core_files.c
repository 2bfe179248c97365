/* Files: the cipher of their chunks, the names they are given, and what a message says of them. */
#include <stdlib.h>

#include "core/content.h"
#include "core/file_cipher.h"
#include "core/file_name.h"
#include "base/text.h"
#include "unit/check.h"
#include "wire/limits.h"
#include "wire/padme.h"

static uint8_t key_bytes[FILE_KEY_SIZE];
static uint8_t chunk[FILE_CHUNK], sealed[FILE_SEALED], opened[FILE_CHUNK];

static sotto_bytes key(void)
{
    for (unsigned i = 0; i < FILE_KEY_SIZE; i++)
        key_bytes[i] = (uint8_t)i;
    return sotto_bytes_of(key_bytes, sizeof key_bytes);
}

static void fill_chunk(const struct file_cipher *cipher, uint64_t index)
{
    for (size_t k = 0; k < file_chunk_data(cipher, index); k++) {
        uint64_t i = index * FILE_CHUNK + k;
        chunk[k] = (uint8_t)(i * 7 + i / 251);
    }
}

/* ---- The cipher ------------------------------------------------------------------------------ */

static void a_blob_has_the_bytes_of_the_document(void **state)
{
    (void)state;
    /* tests/vectors/file_cipher.py, which shares nothing with this. */
    static const struct {
        uint64_t size, sealed;
        const char *hash;
    } cases[] = {
        {0, 296, "58809716ad7ffb953fd414e5db20bbcad56d3ff9ef1f80ea0ea01e5261fcd488"},
        {11, 296, "46e6840875d9dab26623f6bb08317a0f1e94aa5c08e63388e7cc4c6bfa020d15"},
        {300, 344, "cfe8e17d25f55df1ac40213c59d8c1b7bfb255e39a3c121e1eb7f5f802e186fd"},
        {140000, 143440, "eaab5e75f86e2f3198d266c5dca85ffd0a06d6614487ab837bf90e1533cd65b2"},
    };
    for (size_t n = 0; n < sizeof cases / sizeof *cases; n++) {
        struct file_cipher cipher;
        sotto_buf blob;
        uint8_t hash[HASH_SIZE];
        char hex[2 * HASH_SIZE + 1];
        sotto_buf_init(&blob, sotto_env_system());
        assert_ok(file_cipher_init(&cipher, key(), cases[n].size));
        assert_int_equal(cipher.sealed, cases[n].sealed);
        for (uint64_t i = 0; i < cipher.chunks; i++) {
            fill_chunk(&cipher, i);
            file_seal(&cipher, i, chunk, sealed);
            assert_int_equal(blob.size, i * FILE_SEALED);
            assert_ok(sotto_buf_append(&blob, sealed, file_chunk_sealed(&cipher, i)));
        }
        wire_hash(sotto_buf_view(&blob), hash);
        for (size_t i = 0; i < HASH_SIZE; i++)
            snprintf(hex + 2 * i, 3, "%02x", hash[i]);
        assert_string_equal(hex, cases[n].hash);
        sotto_buf_free(&blob);
    }
}

static void every_size_fits_its_chunks(void **state)
{
    (void)state;
    static const uint64_t sizes[] = {0,
                                     1,
                                     256,
                                     257,
                                     FILE_CHUNK - 1,
                                     FILE_CHUNK,
                                     FILE_CHUNK + 1,
                                     10 * FILE_CHUNK,
                                     123456789,
                                     FILE_SIZE_MAX};
    for (size_t n = 0; n < sizeof sizes / sizeof *sizes; n++) {
        struct file_cipher cipher;
        assert_ok(file_cipher_init(&cipher, key(), sizes[n]));
        uint64_t data = 0, plain = 0, whole = 0;
        for (uint64_t i = 0; i < cipher.chunks; i++) {
            data += file_chunk_data(&cipher, i);
            plain += file_chunk_plain(&cipher, i);
            whole += file_chunk_sealed(&cipher, i);
            assert_in_range(file_chunk_plain(&cipher, i), 1, FILE_CHUNK);
        }
        assert_int_equal(data, sizes[n]);
        assert_int_equal(plain, padme_size(sizes[n]));
        assert_int_equal(whole, cipher.sealed);
        assert_true(cipher.sealed <= WIRE_BLOB_MAX);
    }
    struct file_cipher cipher;
    assert_error(file_cipher_init(&cipher, key(), FILE_SIZE_MAX + 1), LIMIT);
    assert_error(file_cipher_init(&cipher, sotto_bytes_of(key_bytes, 31), 1), LENGTH);
}

static void what_was_sealed_is_opened_at_its_place_alone(void **state)
{
    (void)state;
    struct file_cipher cipher, other, longer;
    const uint64_t size = 3 * FILE_CHUNK;
    uint8_t other_key[FILE_KEY_SIZE] = {1};
    assert_ok(file_cipher_init(&cipher, key(), size));
    assert_ok(file_cipher_init(&longer, key(), 2 * size));
    assert_ok(file_cipher_init(&other, sotto_bytes_of(other_key, sizeof other_key), size));
    fill_chunk(&cipher, 1);
    file_seal(&cipher, 1, chunk, sealed);
    const sotto_bytes view = sotto_bytes_of(sealed, FILE_SEALED);
    assert_ok(file_open(&cipher, 1, view, opened));
    assert_memory_equal(opened, chunk, FILE_CHUNK);
    assert_error(file_open(&cipher, 0, view, opened), SIGNATURE); /* moved */
    assert_error(file_open(&cipher, 2, view, opened), SIGNATURE);
    assert_error(file_open(&longer, 1, view, opened), SIGNATURE); /* of a file that was cut */
    assert_error(file_open(&other, 1, view, opened), SIGNATURE);  /* another key */
    assert_error(file_open(&cipher, cipher.chunks, view, opened), LENGTH);
    assert_error(file_open(&cipher, 1, sotto_bytes_of(sealed, FILE_SEALED - 1), opened), LENGTH);
    for (size_t at = 0; at < FILE_SEALED; at += at < 64 || at > FILE_SEALED - 32 ? 1 : 4099) {
        sealed[at] ^= 0x10;
        assert_error(file_open(&cipher, 1, view, opened), SIGNATURE);
        sealed[at] ^= 0x10;
    }
    assert_ok(file_open(&cipher, 1, view, opened));
}

static void a_changed_chunk_has_another_nonce(void **state)
{
    (void)state;
    struct file_cipher cipher;
    uint8_t first[FILE_NONCE_SIZE];
    assert_ok(file_cipher_init(&cipher, key(), 1000));
    fill_chunk(&cipher, 0);
    file_seal(&cipher, 0, chunk, sealed);
    memcpy(first, sealed, sizeof first);
    file_seal(&cipher, 0, chunk, sealed);
    assert_memory_equal(sealed, first, sizeof first); /* a resumed upload fits */
    chunk[999] ^= 1;
    file_seal(&cipher, 0, chunk, sealed);
    assert_memory_not_equal(sealed, first, sizeof first);
}

static void padding_that_says_something_is_refused(void **state)
{
    (void)state;
    struct file_cipher cipher, shorter;
    assert_ok(file_cipher_init(&cipher, key(), 256));
    assert_ok(file_cipher_init(&shorter, key(), 100)); /* of the same padded size */
    memset(chunk, 0, 256);
    chunk[255] = 1;
    file_seal(&cipher, 0, chunk, sealed);
    const sotto_bytes view = sotto_bytes_of(sealed, file_chunk_sealed(&cipher, 0));
    assert_ok(file_open(&cipher, 0, view, opened));
    assert_error(file_open(&shorter, 0, view, opened), VALUE);
}

/* ---- Names ----------------------------------------------------------------------------------- */

static void names_are_made_harmless(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to;
    } cases[] = {
        {"photo.jpg", "photo.jpg"},
        {"Müller & Söhne, 3.pdf", "Müller & Söhne, 3.pdf"},
        {"日本語.txt", "日本語.txt"},
        {"", "file"},
        {".", "file"},
        {"..", "file"},
        {"/", "file"},
        {"../../etc/passwd", "passwd"},
        {"/etc/passwd", "passwd"},
        {"..\\..\\windows\\system.ini", "system.ini"},
        {"a/..", "file"},
        {"a/.", "file"},
        {".bashrc", "bashrc"},
        {"...hidden", "hidden"},
        {"-rf", "rf"},
        {" - .x ", "x"},
        {"tab\there", "tab_here"},
        {"line\nbreak", "line_break"},
        {"bell\x07", "bell_"},
        {"esc\x1b[31m", "esc_[31m"},
        {"\xc2\x9b"
         "31m",
         "_31m"}, /* CSI as one character */
        {"bad\xff\xfe.txt", "bad__.txt"},
        {"cut\xe2\x82", "cut__"},
        {"x\xe2\x80\xaegpj.exe", "x_gpj.exe"}, /* U+202E turns the rest round */
        {"zero\xe2\x80\x8bwidth", "zero_width"},
        {"\xef\xbb\xbf"
         "bom",
         "_bom"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char out[FILE_NAME_MAX + 1];
        file_name_clean(sotto_bytes_str(cases[i].from), out);
        assert_string_equal(out, cases[i].to);
    }
}

/* Whatever comes in: it is one name, and cleaning it again changes nothing. */
static void any_bytes_make_a_name(void **state)
{
    (void)state;
    static const char alphabet[] = "./\\-_ aZ\n\x1b\x7f\xc2\x9b\xe2\x80\xae\xff\xf0\x9f\x98\x80";
    uint32_t seed = 1;
    for (unsigned round = 0; round < 20000; round++) {
        uint8_t bytes[400];
        char once[FILE_NAME_MAX + 1], twice[FILE_NAME_MAX + 1];
        size_t size = 0;
        seed = seed * 1664525 + 1013904223;
        size_t length = (seed >> 8) % (round % 10 == 0 ? sizeof bytes : 12);
        for (; size < length; size++) {
            seed = seed * 1664525 + 1013904223;
            bytes[size] = (uint8_t)alphabet[(seed >> 16) % (sizeof alphabet - 1)];
        }
        /* An exact-size copy, so that a sanitizer sees each byte read behind the end. */
        uint8_t *copy = malloc(size + (size == 0));
        memcpy(copy, bytes, size);
        file_name_clean(sotto_bytes_of(copy, size), once);
        free(copy);
        size_t made = strlen(once);
        assert_in_range(made, 1, FILE_NAME_MAX);
        assert_null(strpbrk(once, "/\\"));
        assert_true(once[0] != '.' && once[0] != '-' && once[0] != ' ');
        assert_true(text_is_line(sotto_bytes_str(once)));
        file_name_clean(sotto_bytes_str(once), twice);
        assert_string_equal(twice, once);
    }
}

static void a_long_name_keeps_its_ending(void **state)
{
    (void)state;
    char name[400], out[FILE_NAME_MAX + 1];
    memset(name, 'x', sizeof name);
    memcpy(name + sizeof name - 5, ".pdf", 5);
    file_name_clean(sotto_bytes_str(name), out);
    assert_int_equal(strlen(out), FILE_NAME_MAX);
    assert_string_equal(out + FILE_NAME_MAX - 5, "x.pdf");
    /* Characters are not cut in two. */
    for (size_t i = 0; i + 3 < sizeof name; i += 3)
        memcpy(name + i, "\xe2\x82\xac", 3);
    name[399] = '\0';
    file_name_clean(sotto_bytes_str(name), out);
    assert_int_equal(strlen(out), 198);
    assert_true(text_is_utf8(sotto_bytes_str(out)));
}

/* ---- Messages -------------------------------------------------------------------------------- */

static const struct account_id alice = {{1}};
static const struct room_id room = {{2}};
static const uint8_t blob_id[BLOB_ID_SIZE] = {0xff, 3, 0x7f}, hash_of_blob[HASH_SIZE] = {4};

static struct content_message file_message(void)
{
    struct content_message message = {.kind = CONTENT_FILE};
    message.text = sotto_bytes_str("Look at this");
    message.file = (struct content_file){
        .blob = sotto_bytes_of(blob_id, sizeof blob_id),
        .key = key(),
        .hash = sotto_bytes_of(hash_of_blob, sizeof hash_of_blob),
        .size = 123456,
        .name = sotto_bytes_str("photo.jpg"),
    };
    return message;
}

static void a_message_about_a_file_survives_the_round_trip(void **state)
{
    (void)state;
    struct content_message message = file_message(), read;
    struct content content;
    struct arena arena;
    sotto_buf bytes;
    sotto_fault fault;
    arena_init(&arena, sotto_env_system());
    sotto_buf_init(&bytes, sotto_env_system());
    assert_ok(content_write(sotto_env_system(), &message, &alice, &room, &bytes));
    assert_ok(content_read(sotto_buf_view(&bytes), &alice, &room, &arena, &read, &fault));
    assert_int_equal(read.kind, CONTENT_FILE);
    assert_bytes(read.text, message.text);
    assert_bytes(read.file.blob, message.file.blob);
    assert_bytes(read.file.key, message.file.key);
    assert_bytes(read.file.hash, message.file.hash);
    assert_bytes(read.file.name, message.file.name);
    assert_int_equal(read.file.size, 123456);
    assert_ok(content_decode(sotto_buf_view(&bytes), &arena, &content, &fault));
    assert_int_equal(content.part.cardinality, CONTENT_PART_EXTERNAL);
    assert_int_equal(content.part.disposition, CONTENT_ATTACHMENT);
    assert_int_equal(content.part.u.external.aead, 0xF503);
    assert_bytes(content.part.u.external.url,
                 sotto_bytes_str("sotto:blob/_wN_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"));
    sotto_buf_free(&bytes);
    arena_free(&arena);
}

/* Reads the message with one thing of it changed. */
static sotto_error read_changed(void (*change)(struct content_part *part), enum content_kind *kind)
{
    struct content_message message = file_message(), read = {0};
    struct content content;
    struct arena arena;
    sotto_buf bytes, changed;
    sotto_fault fault;
    arena_init(&arena, sotto_env_system());
    sotto_buf_init(&bytes, sotto_env_system());
    sotto_buf_init(&changed, sotto_env_system());
    assert_ok(content_write(sotto_env_system(), &message, &alice, &room, &bytes));
    assert_ok(content_decode(sotto_buf_view(&bytes), &arena, &content, &fault));
    change(&content.part);
    assert_ok(content_encode(sotto_env_system(), &content, &changed));
    sotto_error error =
        content_read(sotto_buf_view(&changed), &alice, &room, &arena, &read, &fault);
    *kind = read.kind;
    sotto_buf_free(&bytes);
    sotto_buf_free(&changed);
    arena_free(&arena);
    return error;
}

#define CHANGE(name, code)                               \
    static void change_##name(struct content_part *part) \
    {                                                    \
        code;                                            \
    }
CHANGE(algorithm, part->u.external.aead = 1)
CHANGE(nonce, part->u.external.nonce = sotto_bytes_str("nonce"))
CHANGE(hash_algorithm, part->u.external.hash = 2)
CHANGE(elsewhere, part->u.external.url = sotto_bytes_str("https://evil.example/track?who=bob"))
CHANGE(short_id, part->u.external.url.size--)
CHANGE(no_base64, part->u.external.url =
                      sotto_bytes_str("sotto:blob/!!!!AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"))
CHANGE(short_key, part->u.external.key.size = 16)
CHANGE(short_hash, part->u.external.content_hash.size = 31)
CHANGE(huge, part->u.external.size = FILE_SIZE_MAX + 1)

static void what_is_encrypted_otherwise_or_lies_elsewhere_needs_a_newer_version(void **state)
{
    (void)state;
    void (*const changes[])(struct content_part *) = {change_algorithm,      change_nonce,
                                                      change_hash_algorithm, change_elsewhere,
                                                      change_short_id,       change_no_base64};
    enum content_kind kind;
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        assert_ok(read_changed(changes[i], &kind));
        assert_int_equal(kind, CONTENT_NEWER);
    }
    assert_error(read_changed(change_short_key, &kind), LENGTH);
    assert_error(read_changed(change_short_hash, &kind), LENGTH);
    assert_error(read_changed(change_huge, &kind), LIMIT);
}

static void what_cannot_be_read_is_not_written(void **state)
{
    (void)state;
    struct content_message message = file_message();
    sotto_buf bytes;
    sotto_buf_init(&bytes, sotto_env_system());
    message.text = sotto_bytes_str("\xff");
    assert_error(content_write(sotto_env_system(), &message, &alice, &room, &bytes), VALUE);
    message = file_message();
    message.file.key.size = 31;
    assert_error(content_write(sotto_env_system(), &message, &alice, &room, &bytes), LENGTH);
    message = file_message();
    message.file.size = FILE_SIZE_MAX + 1;
    assert_error(content_write(sotto_env_system(), &message, &alice, &room, &bytes), LIMIT);
    assert_int_equal(bytes.size, 0);
    sotto_buf_free(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_blob_has_the_bytes_of_the_document),
        cmocka_unit_test(every_size_fits_its_chunks),
        cmocka_unit_test(what_was_sealed_is_opened_at_its_place_alone),
        cmocka_unit_test(a_changed_chunk_has_another_nonce),
        cmocka_unit_test(padding_that_says_something_is_refused),
        cmocka_unit_test(names_are_made_harmless),
        cmocka_unit_test(any_bytes_make_a_name),
        cmocka_unit_test(a_long_name_keeps_its_ending),
        cmocka_unit_test(a_message_about_a_file_survives_the_round_trip),
        cmocka_unit_test(what_is_encrypted_otherwise_or_lies_elsewhere_needs_a_newer_version),
        cmocka_unit_test(what_cannot_be_read_is_not_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
