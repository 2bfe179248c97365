/* What files say of the album that they are of. Sending them: test_pictures.py, test_transfers.py.
 */
#include <string.h>

#include "core/content.h"
#include "core/content_cbor.h"
#include "unit/check.h"

static const struct account_id alice = {{1}};
static const struct room_id room = {{2}};
static struct arena arena;
static sotto_buf out;

static int setup(void **state)
{
    (void)state;
    arena_init(&arena, sotto_env_system());
    sotto_buf_init(&out, sotto_env_system());
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_free(&arena);
    sotto_buf_free(&out);
    return 0;
}

static struct content_message file(void)
{
    static const uint8_t bytes[32] = {7};
    return (struct content_message){.kind = CONTENT_FILE,
                                    .file = {.blob = sotto_bytes_of(bytes, 32),
                                             .key = sotto_bytes_of(bytes, 32),
                                             .hash = sotto_bytes_of(bytes, 32),
                                             .size = 1000,
                                             .name = sotto_bytes_str("a.raw")}};
}

static sotto_error read_out(struct content_message *read)
{
    sotto_fault fault;
    return content_read(sotto_buf_view(&out), &alice, &room, &arena, read, &fault);
}

static void an_album_is_read_back_at_its_edges(void **state)
{
    (void)state;
    static const uint8_t id[CONTENT_ALBUM_SIZE] = {1, 2, 3};
    static const struct {
        uint32_t place, of;
        bool good;
    } table[] = {{0, 2, true},
                 {1, 2, true},
                 {63, 64, true},
                 {2, 2, false},
                 {0, 1, false},
                 {0, 0, false},
                 {0, CONTENT_ALBUM_MAX + 1, false}};
    for (size_t form = 0; form < 3; form++)
        for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
            struct content_message m = file(), read;
            m.file.form = (enum content_form)form;
            m.file.width = m.file.height = form == CONTENT_AS_PICTURE ? 10 : 0;
            m.file.type = sotto_bytes_str(form == CONTENT_AS_PICTURE ? "image/png"
                                          : form == CONTENT_AS_VOICE ? "audio/ogg"
                                                                     : "");
            m.file.album = (struct content_album){
                .id = sotto_bytes_of(id, sizeof id), .place = table[i].place, .of = table[i].of};
            sotto_buf_clear(&out);
            sotto_error error = content_write(sotto_env_system(), &m, &alice, &room, &out);
            assert_int_equal(error == SOTTO_OK, table[i].good);
            if (!table[i].good)
                continue;
            assert_ok(read_out(&read));
            assert_int_equal(read.kind, CONTENT_FILE);
            assert_int_equal(read.file.form, form);
            assert_bytes(read.file.album.id, m.file.album.id);
            assert_int_equal(read.file.album.place, table[i].place);
            assert_int_equal(read.file.album.of, table[i].of);
        }
    struct content_message m = file();
    m.file.album = (struct content_album){.id = sotto_bytes_of(id, 15), .place = 0, .of = 2};
    assert_error(content_write(sotto_env_system(), &m, &alice, &room, &out), VALUE);
}

/* A file's message with that as what it is shown as. */
static struct content_message shown(const char *map, size_t size)
{
    struct content_message m = file(), read;
    struct content content;
    struct content_extension more[CONTENT_EXTENSIONS_MAX];
    sotto_fault fault;
    sotto_buf again;
    sotto_buf_init(&again, sotto_env_system());
    sotto_buf_clear(&out);
    assert_ok(content_write(sotto_env_system(), &m, &alice, &room, &out));
    assert_ok(content_decode(sotto_buf_view(&out), &arena, &content, &fault));
    assert_true(content.extension_count < CONTENT_EXTENSIONS_MAX);
    for (size_t i = 0; i < content.extension_count; i++)
        more[i] = content.extensions[i];
    more[content.extension_count++] =
        (struct content_extension){.text_key = true,
                                   .name = sotto_bytes_str("vnd.sotto.file"),
                                   .value = sotto_bytes_of((const uint8_t *)map, size)};
    content.extensions = more;
    assert_ok(content_encode(sotto_env_system(), &content, &again));
    sotto_buf_clear(&out);
    assert_ok(sotto_buf_append(&out, again.data, again.size));
    sotto_buf_free(&again);
    assert_ok(read_out(&read));
    return read;
}

#define SHOWN(map) shown(map, sizeof(map) - 1)
#define ID     \
    "\x05\x50" \
    "0123456789abcdef"

static void a_file_whose_album_is_not_whole_stands_alone(void **state)
{
    (void)state;
    struct content_message read = SHOWN("\xa3" ID "\x06\x00\x07\x02");
    assert_bytes(read.file.album.id, sotto_bytes_str("0123456789abcdef"));
    assert_int_equal(read.file.album.of, 2);
    read = SHOWN("\xa4" ID "\x06\x01\x07\x02\x18\x63\xf5"); /* and what is not known yet */
    assert_int_equal(read.file.album.place, 1);
    static const struct {
        const char *map;
        size_t size;
    } alone[] = {
#define ALONE(map) {map, sizeof(map) - 1}
        ALONE("\xa0"),
        ALONE("\xa2" ID "\x06\x00"),             /* of how many? */
        ALONE("\xa2" ID "\x07\x02"),             /* where? */
        ALONE("\xa2\x06\x00\x07\x02"),           /* of which? */
        ALONE("\xa3" ID "\x06\x02\x07\x02"),     /* behind the last */
        ALONE("\xa3" ID "\x06\x00\x07\x01"),     /* one is none */
        ALONE("\xa3" ID "\x06\x00\x07\x18\x41"), /* 65 */
        ALONE("\xa3" ID "\x06\x18\xff\x07\x02"), /* 255 */
        ALONE("\xa3" ID "\x06\x1b\xff\xff\xff\xff\xff\xff\xff\xff\x07\x02"),
        ALONE("\xa3" ID "\x06\x20\x07\x02"), /* -1 */
        ALONE("\xa3" ID "\x06\x61"
              "1"
              "\x07\x02"), /* a text */
        ALONE("\xa3"
              "\x05\x4f"
              "0123456789abcde"
              "\x06\x00\x07\x02"),
        ALONE("\xa3"
              "\x05\x51"
              "0123456789abcdefg"
              "\x06\x00\x07\x02"),
        ALONE("\xa3"
              "\x05\x70"
              "0123456789abcdef"
              "\x06\x00\x07\x02"), /* a text */
#undef ALONE
    };
    for (size_t i = 0; i < sizeof alone / sizeof *alone; i++) {
        read = shown(alone[i].map, alone[i].size);
        assert_int_equal(read.kind, CONTENT_FILE);
        assert_int_equal(read.file.size, 1000);
        assert_int_equal(read.file.album.id.size, 0);
        assert_int_equal(read.file.album.of, 0);
        assert_int_equal(read.file.album.place, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_album_is_read_back_at_its_edges, setup, teardown),
        cmocka_unit_test_setup_teardown(a_file_whose_album_is_not_whole_stands_alone, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
