/* Pictures without what they tell beside the picture. */
#include <stdio.h>
#include <stdlib.h>

#include "core/picture.h"
#include "unit/check.h"

struct scene {
    sotto_buf file, out;
    struct picture picture;
    sotto_fault fault;
};

static int setup(void **state)
{
    static struct scene scene;
    memset(&scene, 0, sizeof scene);
    sotto_buf_init(&scene.file, sotto_env_system());
    sotto_buf_init(&scene.out, sotto_env_system());
    *state = &scene;
    return 0;
}

static int teardown(void **state)
{
    struct scene *scene = *state;
    sotto_buf_free(&scene->file);
    sotto_buf_free(&scene->out);
    return 0;
}

static void add(struct scene *scene, const char *bytes, size_t size)
{
    assert_ok(sotto_buf_append(&scene->file, (const uint8_t *)bytes, size));
}
#define ADD(scene, literal) add(scene, literal, sizeof literal - 1)

static sotto_error strip(struct scene *scene)
{
    sotto_buf_clear(&scene->out);
    return picture_strip(sotto_buf_view(&scene->file), &scene->picture, &scene->out, &scene->fault);
}

static bool has(sotto_bytes bytes, const char *word)
{
    return memmem(bytes.data, bytes.size, word, strlen(word)) != NULL;
}

static void load(struct scene *scene, const char *name)
{
    char path[4096];
    uint8_t block[8192];
    (void)snprintf(path, sizeof path, "%s/%s", getenv("SOTTO_PICTURES"), name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t size = fread(block, 1, sizeof block, file);
    assert_int_equal(fclose(file), 0);
    sotto_buf_clear(&scene->file);
    assert_ok(sotto_buf_append(&scene->file, block, size));
}

/* What Pillow wrote (fuzz/seeds_pictures.py). */
static const struct {
    const char *name;
    enum picture_type type;
    uint8_t orientation;
    bool secret;
} pictures[] = {
    {"baseline.jpg", PICTURE_JPEG, 6, true},  {"progressive.jpg", PICTURE_JPEG, 6, true},
    {"grey.jpg", PICTURE_JPEG, 6, true},      {"cmyk.jpg", PICTURE_JPEG, 6, true},
    {"rgb.png", PICTURE_PNG, 3, true},        {"palette.png", PICTURE_PNG, 3, true},
    {"alpha.png", PICTURE_PNG, 3, true},      {"grey.png", PICTURE_PNG, 3, true},
    {"animated.png", PICTURE_PNG, 1, false},  {"lossy.webp", PICTURE_WEBP, 8, true},
    {"lossless.webp", PICTURE_WEBP, 8, true}, {"alpha.webp", PICTURE_WEBP, 8, true},
    {"animated.webp", PICTURE_WEBP, 8, true}, {"plain.webp", PICTURE_WEBP, 1, false},
    {"still.gif", PICTURE_GIF, 1, true},      {"animated.gif", PICTURE_GIF, 1, true},
};
#define PICTURES (sizeof pictures / sizeof *pictures)

static void nothing_but_the_picture_is_left(void **state)
{
    struct scene *scene = *state;
    for (size_t i = 0; i < PICTURES; i++) {
        load(scene, pictures[i].name);
        assert_int_equal(has(sotto_buf_view(&scene->file), "SECRET"), pictures[i].secret);
        assert_ok(strip(scene));
        assert_int_equal(scene->picture.type, pictures[i].type);
        assert_int_equal(scene->picture.width, 24);
        assert_int_equal(scene->picture.height, 16);
        assert_int_equal(scene->picture.orientation, pictures[i].orientation);
        assert_false(has(sotto_buf_view(&scene->out), "SECRET"));
        assert_false(has(sotto_buf_view(&scene->out), "adobe"));
        assert_false(has(sotto_buf_view(&scene->out), "2026"));
    }
}

static void a_picture_that_was_stripped_is_as_it_was(void **state)
{
    struct scene *scene = *state;
    sotto_buf once;
    for (size_t i = 0; i < PICTURES; i++) {
        load(scene, pictures[i].name);
        assert_ok(strip(scene));
        sotto_buf_init(&once, sotto_env_system());
        assert_ok(sotto_buf_append(&once, scene->out.data, scene->out.size));
        sotto_buf_clear(&scene->file);
        assert_ok(sotto_buf_append(&scene->file, once.data, once.size));
        assert_ok(strip(scene));
        assert_bytes(sotto_buf_view(&scene->out), sotto_buf_view(&once));
        assert_int_equal(scene->picture.orientation, pictures[i].orientation);
        sotto_buf_free(&once);
    }
}

static void looking_tells_the_same_without_writing(void **state)
{
    struct scene *scene = *state;
    for (size_t i = 0; i < PICTURES; i++) {
        struct picture looked;
        load(scene, pictures[i].name);
        assert_ok(picture_look(sotto_buf_view(&scene->file), &looked, &scene->fault));
        assert_int_equal(looked.type, pictures[i].type);
        assert_int_equal(looked.orientation, pictures[i].orientation);
        assert_int_equal(looked.width, 24);
    }
}

static void a_cut_picture_is_refused_or_shown_as_far_as_it_goes(void **state)
{
    struct scene *scene = *state;
    for (size_t i = 0; i < PICTURES; i++) {
        size_t refused = 0;
        load(scene, pictures[i].name);
        for (size_t size = 0; size < scene->file.size; size++) {
            struct picture picture;
            sotto_buf_clear(&scene->out);
            sotto_error error = picture_strip(sotto_bytes_of(scene->file.data, size), &picture,
                                              &scene->out, &scene->fault);
            refused += error != SOTTO_OK;
            assert_true(error == SOTTO_OK || scene->fault.offset <= size);
            assert_false(error == SOTTO_OK && has(sotto_buf_view(&scene->out), "SECRET"));
        }
        assert_in_range(refused, 40, scene->file.size);
    }
}

/* ---- JPEG, piece by piece -------------------------------------------------------------------- */

#define SOI "\xFF\xD8"
#define EOI "\xFF\xD9"
#define JFIF "\xFF\xE0\x00\x10JFIF\0\x01\x02\x01\x00\x48\x00\x48\x00\x00"
#define SOF "\xFF\xC0\x00\x0B\x08\x00\x10\x00\x18\x01\x01\x11\x00"
#define DQT "\xFF\xDB\x00\x05\x00QT"
#define SOS "\xFF\xDA\x00\x08\x01\x01\x00\x00\x3F\x00"
#define SCAN "scan\xFF\x00stuffed\xFF\xD0restarted"

static void of_a_jpeg_the_segments_that_make_the_picture_are_kept(void **state)
{
    struct scene *scene = *state;
    ADD(scene, SOI);
    ADD(scene, "\xFF\xE0\x00\x13JFIF\0\x01\x02\x01\x00\x48\x00\x48\x01\x01RGB"); /* a thumbnail */
    ADD(scene, "\xFF\xE2\x00\x14ICC_PROFILE\0\x01\x01PROF");
    ADD(scene, "\xFF\xE2\x00\x08MPF\0ab");
    ADD(scene, "\xFF\xFF\xFF\xFE\x00\x08SECRET"); /* fill bytes before the marker */
    ADD(scene, DQT);
    ADD(scene, "\xFF\xEE\x00\x14"
               "Adobe\x00\x64\x00\x00\x00\x00\x01SECRET");
    ADD(scene, SOF SOS SCAN);
    ADD(scene, DQT SOS SCAN);
    ADD(scene, EOI "SECRET" SOI);
    assert_ok(strip(scene));
    static const char expected[] =
        SOI JFIF "\xFF\xE2\x00\x14ICC_PROFILE\0\x01\x01PROF" DQT "\xFF\xEE\x00\x0E"
                 "Adobe\x00\x64\x00\x00\x00\x00\x01" SOF SOS SCAN DQT SOS SCAN EOI;
    assert_bytes(sotto_buf_view(&scene->out),
                 sotto_bytes_of((const uint8_t *)expected, sizeof expected - 1));
    assert_int_equal(scene->picture.width, 24);
    assert_int_equal(scene->picture.height, 16);
}

static void a_jpeg_without_its_end_gets_one(void **state)
{
    struct scene *scene = *state;
    ADD(scene, SOI SOF SOS SCAN "\xFF");
    assert_ok(strip(scene));
    static const char expected[] = SOI SOF SOS SCAN EOI;
    assert_bytes(sotto_buf_view(&scene->out),
                 sotto_bytes_of((const uint8_t *)expected, sizeof expected - 1));
}

static void what_is_no_picture_is_refused(void **state)
{
    struct scene *scene = *state;
    static const struct {
        const char *bytes;
        size_t size;
        sotto_error error;
    } cases[] = {
#define CASE(literal, error) {literal, sizeof literal - 1, SOTTO_##error}
        CASE("", UNSUPPORTED),
        CASE("text", UNSUPPORTED),
        CASE("<svg/>", UNSUPPORTED),
        CASE("RIFF\x04\0\0\0WAVE", UNSUPPORTED),
        CASE(SOI EOI, TRUNCATED), /* no frame, no scan: read as a marker that is none */
        CASE(SOI DQT EOI, TRUNCATED),
        CASE(SOI SOS SCAN EOI, VALUE),                                           /* no frame */
        CASE(SOI "\xFF\xC0\x00\x0B\x08\x00\x00\x00\x18\x01\x01\x11\x00", VALUE), /* no height */
        CASE(SOI "\xFF\xC0\x00\x04\x08\x00", LENGTH),
        CASE(SOI "\xFF\xDB\x00\x01", LENGTH),
        CASE(SOI "\xFF\xDB\x40\x00", TRUNCATED),
        CASE(SOI "\xFF\xD0", VALUE),
        CASE(SOI "\xFF\x01", VALUE),
        CASE("\xFF\xD8\xFF", TRUNCATED),
        CASE("\x89PNG\r\n\x1A\n", TRUNCATED),
        CASE("\x89PNG\r\n\x1A\n\0\0\0\0IEND\0\0\0\0", VALUE),
        CASE("\x89PNG\r\n\x1A\n\xFF\xFF\xFF\xFFIHDR", TRUNCATED),
        CASE("RIFF\x04\0\0\0WEBP", VALUE),
        CASE("RIFF\xFF\xFF\xFF\xFFWEBP", TRUNCATED),
        CASE("RIFF\x0C\0\0\0WEBPVP8X\0\0\0\0", VALUE),
        CASE("RIFF\x0C\0\0\0WEBPVP8 \0\0\0\0", VALUE),
        CASE("RIFF\x0C\0\0\0WEBPVP8L\0\0\0\0", VALUE),
        CASE("RIFF\x0C\0\0\0WEBPANMF\0\0\0\0", LENGTH),
        CASE("GIF89a", TRUNCATED),
        CASE("GIF89a\x01\0\x01\0\0\0\0;", VALUE),
        CASE("GIF89a\x01\0\0\0\0\0\0;", VALUE),
        CASE("GIF89a\x01\0\x01\0\x87\0\0;", TRUNCATED),
        CASE("GIF89a\x01\0\x01\0\0\0\0?", VALUE),
#undef CASE
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        sotto_buf_clear(&scene->file);
        add(scene, cases[i].bytes, cases[i].size);
        assert_string_equal(sotto_error_name(strip(scene)), sotto_error_name(cases[i].error));
        assert_non_null(scene->fault.what);
        assert_int_equal(scene->fault.error, cases[i].error);
    }
    uint8_t *where;
    sotto_buf_clear(&scene->file);
    ADD(scene, SOI SOF SOS);
    assert_ok(sotto_buf_extend(&scene->file, PICTURE_MAX, &where));
    assert_error(strip(scene), LIMIT);
}

static void an_orientation_that_makes_no_sense_is_none(void **state)
{
    struct scene *scene = *state;
    static const struct {
        const char *tiff;
        size_t size;
        uint8_t orientation;
    } cases[] = {
#define CASE(literal, orientation) {literal, sizeof literal - 1, orientation}
        CASE("II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x05\0\0\0", 5),
        CASE("MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x05\0\0", 5),
        CASE("MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x09\0\0", 1), /* no such value */
        CASE("MM\0*\0\0\0\x08\0\x01\x01\x12\0\x04\0\0\0\x01\0\x05\0\0", 1), /* of another type */
        CASE("MM\0*\0\0\0\x08\xFF\xFF\x01\x0F\0\x03\0\0\0\x01\0\x05\0\0", 1),
        CASE("MM\0*\0\0\0\x08", 1),       /* the list is missing */
        CASE("MM\0*\xFF\xFF\xFF\xFF", 1), /* far away */
        CASE("MM\0*\0\0\0\x06", 1),       /* in itself */
        CASE("XX\0*\0\0\0\x08\0\x01", 1),
        CASE("", 1),
#undef CASE
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t head[] = {0xFF, 0xE1, 0, (uint8_t)(8 + cases[i].size), 'E', 'x', 'i', 'f', 0, 0};
        sotto_buf_clear(&scene->file);
        ADD(scene, SOI);
        add(scene, (const char *)head, sizeof head);
        add(scene, cases[i].tiff, cases[i].size);
        ADD(scene, SOF SOS SCAN EOI);
        assert_ok(strip(scene));
        assert_int_equal(scene->picture.orientation, cases[i].orientation);
        assert_int_equal(scene->out.size,
                         sizeof(SOI SOF SOS SCAN EOI) - 1 + (cases[i].orientation != 1 ? 36u : 0u));
    }
}

static void of_a_gif_the_loop_is_the_only_word_of_an_application(void **state)
{
    struct scene *scene = *state;
#define GIF "GIF89a\x18\0\x10\0\x80\0\0RGBrgb"
#define LOOP "\x21\xFF\x0BNETSCAPE2.0\x03\x01\x07\x00\x00"
#define CONTROL "\x21\xF9\x04\x00\x0A\x00\x00\x00"
#define IMAGE "\x2C\0\0\0\0\x18\0\x10\0\0\x02\x03LZW\x00"
    ADD(scene, GIF);
    ADD(scene, "\x21\xFF\x0BXMP DataXMP\x06SECRET\x00");
    ADD(scene, LOOP);
    ADD(scene, "\x21\xFE\x06SECRET\x00");
    ADD(scene, CONTROL);
    ADD(scene, "\x21\x01\x0C"
               "123456789012\x06SECRET\x00");
    ADD(scene, IMAGE);
    ADD(scene, IMAGE ";SECRET");
    assert_ok(strip(scene));
    static const char expected[] = GIF LOOP CONTROL IMAGE IMAGE ";";
    assert_bytes(sotto_buf_view(&scene->out),
                 sotto_bytes_of((const uint8_t *)expected, sizeof expected - 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_but_the_picture_is_left, setup, teardown),
        cmocka_unit_test_setup_teardown(a_picture_that_was_stripped_is_as_it_was, setup, teardown),
        cmocka_unit_test_setup_teardown(looking_tells_the_same_without_writing, setup, teardown),
        cmocka_unit_test_setup_teardown(a_cut_picture_is_refused_or_shown_as_far_as_it_goes, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(of_a_jpeg_the_segments_that_make_the_picture_are_kept,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_jpeg_without_its_end_gets_one, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_no_picture_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(an_orientation_that_makes_no_sense_is_none, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(of_a_gif_the_loop_is_the_only_word_of_an_application, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
