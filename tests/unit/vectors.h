/* Test vectors from JSON files. A file that is missing or not as expected fails the test at once,
 * naming file and key, so that no caller checks anything. */
#ifndef TESTS_UNIT_VECTORS_H
#define TESTS_UNIT_VECTORS_H

#include <jansson.h>

#include "unit/check.h"

/* One file and all that was decoded from it: one lifetime. */
struct vectors {
    const char *name;
    json_t *root;
    struct arena arena;
};

/* name: relative to the folder that the environment variable SOTTO_VECTORS names, such as
 * "mls/crypto-basics.json". */
void vectors_open(struct vectors *vectors, const char *name);
void vectors_close(struct vectors *vectors);

/* Members of a JSON object; object NULL means the file's root. Absent ones fail the test. */
const json_t *vectors_member(struct vectors *vectors, const json_t *object, const char *key);
bool vectors_has(const json_t *object, const char *key); /* present and not null */
uint64_t vectors_u64(struct vectors *vectors, const json_t *object, const char *key);
bool vectors_bool(struct vectors *vectors, const json_t *object, const char *key);
const char *vectors_text(struct vectors *vectors, const json_t *object, const char *key);

/* Hexadecimal text as bytes that live until vectors_close. */
sotto_bytes vectors_hex(struct vectors *vectors, const json_t *object, const char *key);
sotto_bytes vectors_hex_value(struct vectors *vectors, const json_t *string);
sotto_bytes vectors_hex_text(struct arena *arena, const char *text);

/* A whole file that is not JSON, followed by a NUL that is not counted. */
sotto_bytes vectors_file(struct arena *arena, const char *name);

#endif
