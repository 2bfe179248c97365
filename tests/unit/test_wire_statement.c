/* What accounts say of themselves: read as written, and refused where a byte is another one. */
#include <string.h>

#include "unit/check.h"
#include "wire/statement.h"

static const uint8_t seed[SIGN_SEED_SIZE] = {1, 2, 3};
#define RELAY "relay.example:7443"

static void write_it(enum statement_kind kind, uint64_t number, const char *relay, sotto_buf *out)
{
    const struct statement statement = {
        .kind = kind, .number = number, .relay = sotto_bytes_str(relay)};
    assert_ok(statement_write(&statement, seed, out));
}

static void a_statement_is_read_as_it_was_written(void **state)
{
    (void)state;
    uint8_t key[SIGN_KEY_SIZE];
    wire_sign_public(seed, key);
    for (int i = 0; i < 2; i++) {
        struct statement read;
        sotto_fault fault;
        sotto_buf bytes;
        sotto_buf_init(&bytes, sotto_env_system());
        enum statement_kind kind = i == 0 ? STATEMENT_MOVED : STATEMENT_DELETED;
        write_it(kind, 7, i == 0 ? RELAY : "", &bytes);
        assert_true(bytes.size <= STATEMENT_MAX);
        assert_ok(statement_read(sotto_buf_view(&bytes), &read, &fault));
        assert_int_equal(read.kind, kind);
        assert_int_equal(read.number, 7);
        assert_memory_equal(read.account_key, key, SIGN_KEY_SIZE);
        assert_int_equal(read.relay.size, i == 0 ? strlen(RELAY) : 0);
        assert_memory_equal(read.relay.data, RELAY, read.relay.size);
        sotto_buf_free(&bytes);
    }
}

static void a_changed_cut_or_longer_one_is_refused(void **state)
{
    (void)state;
    struct statement read;
    sotto_fault fault;
    sotto_buf bytes;
    sotto_buf_init(&bytes, sotto_env_system());
    write_it(STATEMENT_MOVED, 7, RELAY, &bytes);
    for (size_t i = 0; i < bytes.size; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            bytes.data[i] ^= (uint8_t)(1u << bit);
            sotto_error error = statement_read(sotto_buf_view(&bytes), &read, &fault);
            assert_int_not_equal(error, SOTTO_OK);
            assert_int_equal(error, fault.error);
            assert_int_equal(read.kind, 0);
            bytes.data[i] ^= (uint8_t)(1u << bit);
        }
        assert_int_not_equal(statement_read(sotto_bytes_of(bytes.data, i), &read, &fault),
                             SOTTO_OK);
    }
    assert_ok(sotto_buf_append(&bytes, (const uint8_t *)"", 1));
    assert_int_equal(statement_read(sotto_buf_view(&bytes), &read, &fault), SOTTO_TRAILING);
    sotto_buf_free(&bytes);
}

static void what_makes_no_sense_is_not_written(void **state)
{
    (void)state;
    const struct statement bad[] = {
        {.kind = (enum statement_kind)3, .number = 1, .relay = {NULL, 0}},
        {.kind = STATEMENT_MOVED, .number = 1, .relay = {NULL, 0}},
        {.kind = STATEMENT_DELETED, .number = 1, .relay = {(const uint8_t *)RELAY, 18}},
        {.kind = STATEMENT_MOVED, .number = 1, .relay = {(const uint8_t *)"no address", 10}},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        sotto_buf out;
        sotto_buf_init(&out, sotto_env_system());
        assert_int_not_equal(statement_write(&bad[i], seed, &out), SOTTO_OK);
        assert_int_equal(out.size, 0);
        sotto_buf_free(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_statement_is_read_as_it_was_written),
        cmocka_unit_test(a_changed_cut_or_longer_one_is_refused),
        cmocka_unit_test(what_makes_no_sense_is_not_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
