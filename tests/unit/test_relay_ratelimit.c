#include "unit/check.h"

#include "relay/ratelimit.h"

static uint64_t clock_us;

static uint64_t now_us(void *ctx)
{
    (void)ctx;
    return clock_us;
}

#define HOUR_US UINT64_C(3600000000)

static struct ratelimit *begin(uint32_t per_hour)
{
    const uint32_t rates[RATE_KINDS] = {per_hour, per_hour, per_hour, per_hour, 0};
    struct ratelimit *limit;
    clock_us = 1000000 * HOUR_US;
    assert_ok(ratelimit_new(sotto_env_system(), rates, now_us, NULL, &limit));
    return limit;
}

static struct rate_address v4(uint32_t number)
{
    const struct ip ip = ip_v4((const uint8_t[]){(uint8_t)(number >> 24), (uint8_t)(number >> 16),
                                                 (uint8_t)(number >> 8), (uint8_t)number});
    return rate_address_of(&ip);
}

static struct rate_address v6(const uint8_t bytes[static 16])
{
    const struct ip ip = ip_v6(bytes);
    return rate_address_of(&ip);
}

static void so_many_may_come_at_once_and_then_one_after_another(void **state)
{
    (void)state;
    struct ratelimit *limit = begin(10);
    struct rate_address one = v4(1);
    for (int i = 0; i < 10; i++)
        assert_int_equal(ratelimit_take(limit, &one, RATE_REQUEST), 0);
    assert_int_equal(ratelimit_take(limit, &one, RATE_REQUEST), 360);
    assert_int_equal(ratelimit_look(limit, &one, RATE_REQUEST), 360);
    clock_us += HOUR_US / 10 - 1;
    assert_int_equal(ratelimit_take(limit, &one, RATE_REQUEST), 1);
    clock_us += 1;
    assert_int_equal(ratelimit_look(limit, &one, RATE_REQUEST), 0); /* looking costs nothing */
    assert_int_equal(ratelimit_take(limit, &one, RATE_REQUEST), 0);
    assert_int_not_equal(ratelimit_take(limit, &one, RATE_REQUEST), 0);
    clock_us += HOUR_US;
    for (int i = 0; i < 10; i++)
        assert_int_equal(ratelimit_take(limit, &one, RATE_REQUEST), 0);
    assert_int_not_equal(ratelimit_take(limit, &one, RATE_REQUEST), 0);
    ratelimit_free(limit);
}

static void kinds_and_addresses_do_not_disturb_one_another(void **state)
{
    (void)state;
    struct ratelimit *limit = begin(1);
    struct rate_address one = v4(1), two = v4(2);
    assert_int_equal(ratelimit_take(limit, &one, RATE_REQUEST), 0);
    assert_int_not_equal(ratelimit_take(limit, &one, RATE_REQUEST), 0);
    assert_int_equal(ratelimit_take(limit, &one, RATE_SIGN_IN), 0);
    assert_int_equal(ratelimit_take(limit, &two, RATE_REQUEST), 0);
    for (int i = 0; i < 100; i++)
        assert_int_equal(ratelimit_take(limit, &one, RATE_CODE), 0); /* 0 is no limit */
    ratelimit_free(limit);
}

static void an_ipv6_network_counts_as_one_and_mapped_ipv4_as_ipv4(void **state)
{
    (void)state;
    struct ratelimit *limit = begin(1);
    struct rate_address a = v6((const uint8_t[16]){0x20, 1, 13, 0xb8, 0, 0, 0, 1, 1});
    struct rate_address b = v6((const uint8_t[16]){0x20, 1, 13, 0xb8, 0, 0, 0, 1, 2});
    struct rate_address c = v6((const uint8_t[16]){0x20, 1, 13, 0xb8, 0, 0, 0, 2, 1});
    struct rate_address mapped =
        v6((const uint8_t[16]){0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1});
    struct rate_address plain = v4(0xc0000201);
    assert_int_equal(ratelimit_take(limit, &a, RATE_REQUEST), 0);
    assert_int_not_equal(ratelimit_take(limit, &b, RATE_REQUEST), 0);
    assert_int_equal(ratelimit_take(limit, &c, RATE_REQUEST), 0);
    assert_int_equal(ratelimit_take(limit, &plain, RATE_REQUEST), 0);
    assert_int_not_equal(ratelimit_take(limit, &mapped, RATE_REQUEST), 0);
    ratelimit_free(limit);
}

static void a_flood_of_addresses_takes_no_more_memory_and_spares_the_limited(void **state)
{
    (void)state;
    struct ratelimit *limit = begin(10);
    struct rate_address busy = v4(7);
    while (ratelimit_take(limit, &busy, RATE_REQUEST) == 0) {
    }
    /* Each of the flood has spent little, so it is they who are forgotten first. */
    for (uint32_t i = 0; i < 4u * RATE_ADDRESSES; i++) {
        struct rate_address other = v4(1000 + i);
        assert_int_equal(ratelimit_take(limit, &other, RATE_REQUEST), 0);
    }
    assert_int_not_equal(ratelimit_take(limit, &busy, RATE_REQUEST), 0);
    ratelimit_free(limit);
}

static void connections_at_a_time_are_limited_and_given_back(void **state)
{
    (void)state;
    struct ratelimit *limit = begin(10);
    struct rate_address one = v4(1);
    for (int i = 0; i < CONNECTIONS_PER_ADDRESS; i++)
        assert_true(ratelimit_enter(limit, &one));
    assert_false(ratelimit_enter(limit, &one));
    ratelimit_leave(limit, &one);
    assert_true(ratelimit_enter(limit, &one));
    assert_false(ratelimit_enter(limit, &one));
    ratelimit_free(limit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(so_many_may_come_at_once_and_then_one_after_another),
        cmocka_unit_test(kinds_and_addresses_do_not_disturb_one_another),
        cmocka_unit_test(an_ipv6_network_counts_as_one_and_mapped_ipv4_as_ipv4),
        cmocka_unit_test(a_flood_of_addresses_takes_no_more_memory_and_spares_the_limited),
        cmocka_unit_test(connections_at_a_time_are_limited_and_given_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
