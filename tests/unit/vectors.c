#include "unit/vectors.h"

#include <stdio.h>
#include <stdlib.h>

static void vectors_path(const char *name, char *path, size_t size)
{
    const char *folder = getenv("SOTTO_VECTORS");
    if (folder == NULL)
        fail_msg("SOTTO_VECTORS is not set: run through meson test, or set it to tests/vectors");
    int length = snprintf(path, size, "%s/%s", folder, name);
    if (length < 0 || (size_t)length >= size)
        fail_msg("path too long: %s", name);
}

void vectors_open(struct vectors *vectors, const char *name)
{
    char path[4096];
    json_error_t error;
    vectors_path(name, path, sizeof path);
    *vectors = (struct vectors){.name = name};
    arena_init(&vectors->arena, sotto_env_system());
    vectors->root = json_load_file(path, 0, &error);
    if (vectors->root == NULL)
        fail_msg("%s:%d: %s", path, error.line, error.text);
}

void vectors_close(struct vectors *vectors)
{
    json_decref(vectors->root);
    vectors->root = NULL;
    arena_free(&vectors->arena);
}

const json_t *vectors_member(struct vectors *vectors, const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object == NULL ? vectors->root : object, key);
    if (value == NULL)
        fail_msg("%s: no member %s", vectors->name, key);
    return value;
}

bool vectors_has(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return value != NULL && !json_is_null(value);
}

uint64_t vectors_u64(struct vectors *vectors, const json_t *object, const char *key)
{
    const json_t *value = vectors_member(vectors, object, key);
    if (!json_is_integer(value))
        fail_msg("%s: %s is not an integer", vectors->name, key);
    return (uint64_t)json_integer_value(value);
}

bool vectors_bool(struct vectors *vectors, const json_t *object, const char *key)
{
    const json_t *value = vectors_member(vectors, object, key);
    if (!json_is_boolean(value))
        fail_msg("%s: %s is not a boolean", vectors->name, key);
    return json_is_true(value);
}

const char *vectors_text(struct vectors *vectors, const json_t *object, const char *key)
{
    const json_t *value = vectors_member(vectors, object, key);
    if (!json_is_string(value))
        fail_msg("%s: %s is not a string", vectors->name, key);
    return json_string_value(value);
}

static int nibble(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    fail_msg("not a hexadecimal digit: %c", c);
    return -1;
}

sotto_bytes vectors_hex_text(struct arena *arena, const char *text)
{
    size_t size = strlen(text) / 2;
    if (strlen(text) % 2 != 0)
        fail_msg("an odd number of hexadecimal digits: %s", text);
    if (size == 0)
        return sotto_bytes_of(NULL, 0);
    uint8_t *out = arena_array(arena, size, 1);
    assert_non_null(out);
    for (size_t i = 0; i < size; i++)
        out[i] = (uint8_t)(nibble(text[2 * i]) << 4 | nibble(text[2 * i + 1]));
    return sotto_bytes_of(out, size);
}

sotto_bytes vectors_hex(struct vectors *vectors, const json_t *object, const char *key)
{
    return vectors_hex_text(&vectors->arena, vectors_text(vectors, object, key));
}

sotto_bytes vectors_hex_value(struct vectors *vectors, const json_t *string)
{
    if (!json_is_string(string))
        fail_msg("%s: not a string", vectors->name);
    return vectors_hex_text(&vectors->arena, json_string_value(string));
}

sotto_bytes vectors_file(struct arena *arena, const char *name)
{
    char path[4096];
    vectors_path(name, path, sizeof path);
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        fail_msg("cannot open %s", path);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    long size = ftell(file);
    assert_true(size > 0);
    rewind(file);
    uint8_t *data = arena_array(arena, (size_t)size + 1, 1);
    assert_non_null(data);
    assert_int_equal(fread(data, 1, (size_t)size, file), size);
    fclose(file);
    return sotto_bytes_of(data, (size_t)size);
}
