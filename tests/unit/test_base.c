#include "base/siphash.h"
#include "unit/check.h"

static void errors_have_names_and_texts(void **state)
{
    (void)state;
    for (unsigned i = 0; i < SOTTO_ERROR_COUNT; i++) {
        assert_true(strlen(sotto_error_name((sotto_error)i)) > 0);
        assert_true(strlen(sotto_error_text((sotto_error)i)) > 0);
    }
    assert_string_equal(sotto_error_name(SOTTO_ERROR_COUNT), "UNKNOWN");
}

/* An environment that keeps the last block it was given back, to see whether it was wiped. */
struct spy {
    uint8_t freed[4096];
    size_t freed_size;
    bool dirty;
};

static void *spy_resize(void *ctx, void *block, size_t old_size, size_t new_size)
{
    struct spy *spy = ctx;
    if (new_size != 0)
        return realloc(block, new_size);
    const uint8_t *bytes = block;
    for (size_t i = 0; i < old_size; i++)
        spy->dirty |= bytes[i] != 0;
    spy->freed_size += old_size;
    free(block);
    return NULL;
}

static void buffers_wipe_when_they_grow_and_when_freed(void **state)
{
    (void)state;
    struct spy spy = {0};
    sotto_env env = {.ctx = &spy, .resize = spy_resize};
    sotto_buf buf;
    sotto_buf_init(&buf, &env);
    for (int i = 0; i < 1000; i++)
        assert_ok(sotto_buf_append(&buf, (const uint8_t *)"secret", 6));
    assert_int_equal(buf.size, 6000);
    assert_memory_equal(buf.data + 5994, "secret", 6);
    sotto_buf_free(&buf);
    sotto_buf_free(&buf);
    assert_true(spy.freed_size > 6000);
    assert_false(spy.dirty);
}

static void arenas_wipe_and_align(void **state)
{
    (void)state;
    struct spy spy = {0};
    sotto_env env = {.ctx = &spy, .resize = spy_resize};
    struct arena arena;
    arena_init(&arena, &env);
    for (size_t i = 1; i < 3000; i += 7) {
        uint8_t *block = arena_array(&arena, i, 1);
        assert_non_null(block);
        assert_int_equal((uintptr_t)block % _Alignof(max_align_t), 0);
        memset(block, 0xa5, i);
    }
    assert_null(arena_array(&arena, SIZE_MAX / 2, 3));
    assert_null(arena_array(&arena, 0, 3));
    arena_free(&arena);
    assert_true(spy.freed_size > 0);
    assert_false(spy.dirty);
}

static void secrets_refuse_what_does_not_fit(void **state)
{
    (void)state;
    struct secret secret = {0};
    uint8_t large[SECRET_MAX + 1] = {1};
    assert_ok(secret_set(&secret, sotto_bytes_str("abc")));
    assert_error(secret_set(&secret, sotto_bytes_of(large, sizeof large)), LENGTH);
    assert_bytes(secret_view(&secret), sotto_bytes_str("abc"));
    secret_wipe(&secret);
    assert_int_equal(secret.size, 0);
    assert_int_equal(secret.data[0], 0);
    assert_ok(secret_random(&secret, 32, sotto_env_system()));
    assert_int_equal(secret.size, 32);
}

/* The example in appendix A of the SipHash paper. */
static void siphash_is_that_of_its_paper(void **state)
{
    (void)state;
    uint8_t seed[SIPHASH_SEED], data[15];
    for (uint8_t i = 0; i < sizeof seed; i++)
        seed[i] = i;
    for (uint8_t i = 0; i < sizeof data; i++)
        data[i] = i;
    assert_true(siphash(seed, sotto_bytes_of(data, sizeof data)) == 0xa129ca6149be45e5u);
    assert_true(siphash(seed, sotto_bytes_of(data, 14)) != 0xa129ca6149be45e5u);
}

static void secret_comparison_sees_every_byte(void **state)
{
    (void)state;
    uint8_t a[40] = {0}, b[40] = {0};
    assert_true(sotto_bytes_equal_secret(sotto_bytes_of(a, 40), sotto_bytes_of(b, 40)));
    assert_false(sotto_bytes_equal_secret(sotto_bytes_of(a, 40), sotto_bytes_of(b, 39)));
    assert_true(sotto_bytes_equal_secret((sotto_bytes){0}, sotto_bytes_of(b, 0)));
    for (size_t i = 0; i < sizeof a; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            a[i] = (uint8_t)(1u << bit);
            assert_false(sotto_bytes_equal_secret(sotto_bytes_of(a, 40), sotto_bytes_of(b, 40)));
        }
        a[i] = 0;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_have_names_and_texts),
        cmocka_unit_test(buffers_wipe_when_they_grow_and_when_freed),
        cmocka_unit_test(arenas_wipe_and_align),
        cmocka_unit_test(secrets_refuse_what_does_not_fit),
        cmocka_unit_test(siphash_is_that_of_its_paper),
        cmocka_unit_test(secret_comparison_sees_every_byte),
    };
    return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
