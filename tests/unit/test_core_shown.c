/* What a file is shown as: pictures with their previews, voice notes with their waveforms. */
#include <stdio.h>
#include <stdlib.h>

#include "core/content.h"
#include "core/file_cipher.h"
#include "unit/check.h"
#include "wire/limits.h"

static const struct account_id alice = {{1}};
static const struct room_id room = {{2}};
static const uint8_t blob_id[BLOB_ID_SIZE] = {3}, key[FILE_KEY_SIZE] = {4}, hash[HASH_SIZE] = {5};
static uint8_t preview[CONTENT_PREVIEW_MAX + 1], peaks[CONTENT_PEAKS_MAX + 1];

struct scene {
    struct arena arena;
    sotto_buf bytes, changed;
    struct content_message message, read;
    struct content content;
    sotto_fault fault;
};

static int setup(void **state)
{
    static struct scene scene;
    memset(&scene, 0, sizeof scene);
    arena_init(&scene.arena, sotto_env_system());
    sotto_buf_init(&scene.bytes, sotto_env_system());
    sotto_buf_init(&scene.changed, sotto_env_system());
    for (size_t i = 0; i < sizeof peaks; i++)
        peaks[i] = (uint8_t)(i * 4);
    scene.message.kind = CONTENT_FILE;
    scene.message.text = sotto_bytes_str("Look");
    scene.message.file = (struct content_file){
        .blob = sotto_bytes_of(blob_id, sizeof blob_id),
        .key = sotto_bytes_of(key, sizeof key),
        .hash = sotto_bytes_of(hash, sizeof hash),
        .size = 123456,
        .name = sotto_bytes_str("photo.jpg"),
        .type = sotto_bytes_str("image/jpeg"),
        .form = CONTENT_AS_PICTURE,
        .width = 4000,
        .height = 3000,
        .preview = sotto_bytes_of(preview, 2000),
    };
    *state = &scene;
    return 0;
}

static int teardown(void **state)
{
    struct scene *scene = *state;
    arena_free(&scene->arena);
    sotto_buf_free(&scene->bytes);
    sotto_buf_free(&scene->changed);
    return 0;
}

static sotto_error write_it(struct scene *scene)
{
    sotto_buf_clear(&scene->bytes);
    return content_write(sotto_env_system(), &scene->message, &alice, &room, &scene->bytes);
}

static sotto_error read_it(struct scene *scene, sotto_bytes bytes)
{
    memset(&scene->read, 0, sizeof scene->read);
    return content_read(bytes, &alice, &room, &scene->arena, &scene->read, &scene->fault);
}

static void decode(struct scene *scene)
{
    assert_ok(write_it(scene));
    assert_ok(content_decode(sotto_buf_view(&scene->bytes), &scene->arena, &scene->content,
                             &scene->fault));
}

/* With what a test changed in scene->content. */
static sotto_error read_changed(struct scene *scene)
{
    sotto_buf_clear(&scene->changed);
    assert_ok(content_encode(sotto_env_system(), &scene->content, &scene->changed));
    return read_it(scene, sotto_buf_view(&scene->changed));
}

/* CORPUS: a folder for seeds of fuzz_core_content. */
static void keep_seed(const struct scene *scene, const char *name)
{
    char path[4096];
    const char *folder = getenv("CORPUS");
    if (folder == NULL)
        return;
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(scene->bytes.data, 1, scene->bytes.size, file), scene->bytes.size);
    assert_int_equal(fclose(file), 0);
}

static void a_picture_survives_the_round_trip(void **state)
{
    struct scene *scene = *state;
    for (size_t size = 0; size <= CONTENT_PREVIEW_MAX; size += CONTENT_PREVIEW_MAX / 2) {
        scene->message.file.preview.size = size;
        assert_ok(write_it(scene));
        assert_ok(read_it(scene, sotto_buf_view(&scene->bytes)));
        assert_int_equal(scene->read.kind, CONTENT_FILE);
        assert_int_equal(scene->read.file.form, CONTENT_AS_PICTURE);
        assert_int_equal(scene->read.file.width, 4000);
        assert_int_equal(scene->read.file.height, 3000);
        assert_bytes(scene->read.file.type, sotto_bytes_str("image/jpeg"));
        assert_bytes(scene->read.file.preview, scene->message.file.preview);
        assert_bytes(scene->read.file.name, scene->message.file.name);
        assert_bytes(scene->read.text, scene->message.text);
    }
    scene->message.file.preview.size = 100;
    decode(scene);
    keep_seed(scene, "picture.cbor");
    const struct content_part *part = &scene->content.part;
    assert_int_equal(part->cardinality, CONTENT_PART_MULTI);
    assert_int_equal(part->u.multi.semantics, CONTENT_SINGLE_UNIT);
    assert_int_equal(part->u.multi.count, 2);
    assert_int_equal(part->u.multi.parts[0].cardinality, CONTENT_PART_EXTERNAL);
    assert_int_equal(part->u.multi.parts[1].disposition, CONTENT_PREVIEW);
}

static void a_voice_note_survives_the_round_trip(void **state)
{
    struct scene *scene = *state;
    struct content_file *file = &scene->message.file;
    file->form = CONTENT_AS_VOICE;
    file->preview = sotto_bytes_of(NULL, 0);
    file->width = file->height = 0;
    file->type = sotto_bytes_str("audio/ogg");
    file->duration_ms = 61500;
    file->waveform = sotto_bytes_of(peaks, CONTENT_PEAKS_MAX);
    decode(scene);
    keep_seed(scene, "voice.cbor");
    assert_int_equal(scene->content.part.cardinality, CONTENT_PART_EXTERNAL);
    assert_int_equal(scene->content.part.disposition, CONTENT_RENDER);
    assert_ok(read_it(scene, sotto_buf_view(&scene->bytes)));
    assert_int_equal(scene->read.file.form, CONTENT_AS_VOICE);
    assert_int_equal(scene->read.file.duration_ms, 61500);
    assert_bytes(scene->read.file.waveform, file->waveform);
    /* Whoever does not know the extension has a file all the same. */
    scene->content.extension_count = 0;
    assert_ok(read_changed(scene));
    assert_int_equal(scene->read.kind, CONTENT_FILE);
    assert_int_equal(scene->read.file.form, CONTENT_AS_FILE);
}

static void what_is_too_large_or_makes_no_sense_is_not_written(void **state)
{
    struct scene *scene = *state;
    struct content_file *file = &scene->message.file;
    const struct content_file good = *file;
    file->preview.size = CONTENT_PREVIEW_MAX + 1;
    assert_error(write_it(scene), LIMIT);
    *file = good;
    file->width = CONTENT_SIDE_MAX + 1;
    assert_error(write_it(scene), LIMIT);
    *file = good;
    file->height = 0;
    assert_error(write_it(scene), VALUE);
    *file = good;
    file->form = CONTENT_AS_VOICE;
    file->duration_ms = CONTENT_DURATION_MAX + 1;
    assert_error(write_it(scene), LIMIT);
    file->duration_ms = 1;
    file->waveform = sotto_bytes_of(peaks, sizeof peaks);
    assert_error(write_it(scene), LIMIT);
    *file = good;
    file->type = sotto_bytes_str("\xff");
    assert_error(write_it(scene), VALUE);
}

static void extension_is(struct scene *scene, const char *value, size_t size)
{
    scene->content.extensions[0].value = sotto_bytes_of((const uint8_t *)value, size);
}

static void of_an_extension_what_is_not_understood_is_passed_over(void **state)
{
    struct scene *scene = *state;
    decode(scene);
    assert_int_equal(scene->content.extension_count, 1);
#define EXTENSION(literal) extension_is(scene, literal, sizeof literal - 1)
    EXTENSION("\xA3\x01\x10\x02\x20\x18\x63\x61x"); /* a negative height is none */
    assert_error(read_changed(scene), VALUE);
    EXTENSION("\xA3\x01\x10\x02\x0F\x18\x63\x61x"); /* 99: "x" */
    assert_ok(read_changed(scene));
    assert_int_equal(scene->read.file.form, CONTENT_AS_PICTURE);
    assert_int_equal(scene->read.file.width, 16);
    EXTENSION("\xA1\x01\x10"); /* no height */
    assert_ok(read_changed(scene));
    assert_int_equal(scene->read.file.form, CONTENT_AS_FILE);
    assert_int_equal(scene->read.file.preview.size, 0);
    EXTENSION("\xA0");
    assert_ok(read_changed(scene));
    assert_int_equal(scene->read.file.form, CONTENT_AS_FILE);
    EXTENSION("\x61x"); /* no map */
    assert_error(read_changed(scene), VALUE);
    EXTENSION("\xA2\x01\x1A\x7F\xFF\xFF\xFF\x02\x01"); /* as wide as a mountain */
    assert_error(read_changed(scene), LIMIT);
    EXTENSION("\xA1\x03\x1A\xFF\xFF\xFF\xFF"); /* as long as seven weeks */
    assert_error(read_changed(scene), LIMIT);
}

static void a_preview_that_sotto_does_not_show_is_passed_over(void **state)
{
    struct scene *scene = *state;
    decode(scene);
    struct content_part *parts = scene->content.part.u.multi.parts;
    parts[1].u.single.body = sotto_bytes_of(preview, CONTENT_PREVIEW_MAX + 1);
    assert_ok(read_changed(scene));
    assert_int_equal(scene->read.file.form, CONTENT_AS_PICTURE);
    assert_int_equal(scene->read.file.preview.size, 0);
    parts[1].u.single.body.size = 100;
    parts[1].u.single.type = sotto_bytes_str("image/svg+xml");
    assert_ok(read_changed(scene));
    assert_int_equal(scene->read.file.preview.size, 0);
    /* Beside anything else the file is not all of the message. */
    parts[1].u.single.type = sotto_bytes_str("image/jpeg");
    parts[1].disposition = CONTENT_RENDER;
    assert_ok(read_changed(scene));
    assert_int_equal(scene->read.kind, CONTENT_NEWER);
    parts[1] = parts[0];
    assert_ok(read_changed(scene));
    assert_int_equal(scene->read.kind, CONTENT_NEWER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_picture_survives_the_round_trip, setup, teardown),
        cmocka_unit_test_setup_teardown(a_voice_note_survives_the_round_trip, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_too_large_or_makes_no_sense_is_not_written, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(of_an_extension_what_is_not_understood_is_passed_over,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_preview_that_sotto_does_not_show_is_passed_over, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
