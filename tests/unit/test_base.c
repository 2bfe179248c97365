#include "base/siphash.h"
#include <sodium.h>

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

/* The same by hand, as its description says, on numbers that overflow everywhere. */
static uint64_t described_fingerprint(const struct fingerprint *f, uint64_t domain,
                                      const uint8_t *data, size_t size)
{
    uint8_t words[8 * 64];
    uint64_t out[64] = {domain, size};
    size_t count = 2, at = 0;
    for (; size - at >= 128; at += 128, count += 2)
        for (size_t i = 0; i < 128; i += 16) {
            uint64_t x[2] = {f->words[i / 8], f->words[i / 8 + 1]};
            for (size_t j = 0; j < 16; j++) {
                x[j / 8] += (uint64_t)data[at + i + j] << 8 * (j % 8);
            }
            for (unsigned bit = 0; bit < 64; bit++) { /* long multiplication */
                if ((x[1] >> bit & 1) == 0)
                    continue;
                uint64_t low = x[0] << bit, high = bit == 0 ? 0 : x[0] >> (64 - bit);
                out[count] += low;
                out[count + 1] += high + (out[count] < low);
            }
        }
    for (size_t i = 0; i < 8 * count; i++)
        words[i] = (uint8_t)(out[i / 8] >> 8 * (i % 8));
    memcpy(words + 8 * count, data + at, size - at);
    return siphash(f->seed, sotto_bytes_of(words, 8 * count + size - at));
}

static void a_fingerprint_is_what_its_description_says(void **state)
{
    (void)state;
    uint8_t seed[SIPHASH_SEED], data[500];
    struct fingerprint f;
    randombytes_buf(seed, sizeof seed);
    fingerprint_init(&f, seed);
    memset(data, 0xff, sizeof data);
    for (size_t size = 0; size <= sizeof data; size++) {
        if (size == 300)
            randombytes_buf(data, sizeof data);
        assert_true(fingerprint(&f, ~size, sotto_bytes_of(data, size)) ==
                    described_fingerprint(&f, ~size, data, size));
    }
    for (size_t bit = 0; bit < 8 * sizeof data; bit++) {
        uint64_t before = fingerprint(&f, 1, sotto_bytes_of(data, sizeof data));
        data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_true(fingerprint(&f, 1, sotto_bytes_of(data, sizeof data)) != before);
    }
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
        cmocka_unit_test(a_fingerprint_is_what_its_description_says),
        cmocka_unit_test(secret_comparison_sees_every_byte),
    };
    return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
