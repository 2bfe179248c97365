/* Manifests, and what accounts say of themselves. A fuzzer cannot sign, so the body is signed here:
 * what follows the account key is the fuzzer's, and the bytes as they are are tried too. */
#include <string.h>

#include "wire/manifest.h"
#include "wire/statement.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t seed[SIGN_SEED_SIZE] = {1};

static sotto_error read_manifest(sotto_bytes bytes, struct manifest *manifest, struct arena *arena)
{
    sotto_fault fault;
    sotto_error error = manifest_read(bytes, arena, manifest, &fault);
    BUG_UNLESS(error == fault.error && fault.offset <= bytes.size);
    return error;
}

/* What was accepted is written back to the same bytes. */
static void check(sotto_bytes bytes)
{
    struct arena arena;
    struct manifest manifest;
    sotto_buf again;
    arena_init(&arena, sotto_env_system());
    sotto_buf_init(&again, sotto_env_system());
    if (read_manifest(bytes, &manifest, &arena) == SOTTO_OK) {
        BUG_UNLESS(manifest.device_count >= 1 && manifest.device_count <= WIRE_DEVICES_MAX);
        BUG_UNLESS(manifest_write(&manifest, seed, &again) == SOTTO_OK);
        BUG_UNLESS(sotto_bytes_equal(sotto_buf_view(&again), bytes));
    }
    sotto_buf_free(&again);
    arena_free(&arena);
}

static void check_statement(sotto_bytes bytes)
{
    struct statement statement;
    sotto_fault fault;
    sotto_buf again;
    sotto_error error = statement_read(bytes, &statement, &fault);
    BUG_UNLESS(error == fault.error && fault.offset <= bytes.size);
    if (error != SOTTO_OK)
        return;
    sotto_buf_init(&again, sotto_env_system());
    BUG_UNLESS(statement_write(&statement, seed, &again) == SOTTO_OK);
    BUG_UNLESS(sotto_bytes_equal(sotto_buf_view(&again), bytes));
    sotto_buf_free(&again);
}

/* label || version || kind || key || data || signature, likewise. */
static void check_signed_statement(const uint8_t *data, size_t size)
{
    static const char label[] = "sotto.v1 statement";
    uint8_t bytes[sizeof label - 1 + STATEMENT_MAX];
    size_t label_size = sizeof label - 1, head = label_size + 2 + SIGN_KEY_SIZE;
    if (size == 0 || size - 1 > sizeof bytes - head - SIGNATURE_SIZE)
        return;
    memcpy(bytes, label, label_size);
    bytes[label_size] = 1;
    bytes[label_size + 1] = data[0];
    wire_sign_public(seed, bytes + label_size + 2);
    memcpy(bytes + head, data + 1, size - 1);
    wire_sign(seed, sotto_bytes_of(bytes, head + size - 1), bytes + head + size - 1);
    check_statement(
        sotto_bytes_of(bytes + label_size, head - label_size + size - 1 + SIGNATURE_SIZE));
}

/* label || version || key || data || signature, checked without the label. */
static void check_signed(const uint8_t *data, size_t size)
{
    static const char label[] = "sotto.v1 manifest";
    size_t label_size = sizeof label - 1, head = label_size + 2 + SIGN_KEY_SIZE;
    uint8_t *bytes = malloc(head + size + SIGNATURE_SIZE);
    BUG_UNLESS(bytes != NULL);
    memcpy(bytes, label, label_size);
    bytes[label_size] = 0;
    bytes[label_size + 1] = 1;
    wire_sign_public(seed, bytes + label_size + 2);
    if (size > 0)
        memcpy(bytes + head, data, size);
    wire_sign(seed, sotto_bytes_of(bytes, head + size), bytes + head + size);
    check(sotto_bytes_of(bytes + label_size, head - label_size + size + SIGNATURE_SIZE));
    free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct manifest manifest;
    arena_init(&arena, sotto_env_system());
    (void)read_manifest(sotto_bytes_of(data, size), &manifest, &arena);
    arena_free(&arena);
    check_signed(data, size);
    check_statement(sotto_bytes_of(data, size));
    check_signed_statement(data, size);
    return 0;
}
