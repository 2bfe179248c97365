#include "unit/check.h"

#include "relay/ip.h"

static struct ip parsed(const char *text)
{
    struct ip ip;
    if (!ip_parse(text, &ip))
        fail_msg("%s", text);
    return ip;
}

static bool is_in(const char *network, const char *address)
{
    struct networks networks = {0};
    const struct ip ip = parsed(address);
    if (!networks_add(&networks, network))
        fail_msg("%s", network);
    return networks_contain(&networks, &ip);
}

static void an_address_has_one_form_and_ipv4_inside_ipv6_is_ipv4(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"192.0.2.1", "192.0.2.1"},
        {"2001:DB8:0:0::1", "2001:db8::1"},
        {"::ffff:192.0.2.1", "192.0.2.1"},
        {"::ffff:c000:201", "192.0.2.1"},
        {"::192.0.2.1", "::192.0.2.1"}, /* the older kind is none */
        {"::1", "::1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[INET6_ADDRSTRLEN];
        const struct ip ip = parsed(cases[i][0]);
        ip_text(&ip, text);
        assert_string_equal(text, cases[i][1]);
    }
}

static void what_accept_gives_is_read_in_each_family(void **state)
{
    (void)state;
    char text[INET6_ADDRSTRLEN];
    struct sockaddr_storage from = {.ss_family = AF_INET};
    ((struct sockaddr_in *)&from)->sin_addr.s_addr = htonl(0xc0000201);
    struct ip ip = ip_of(&from);
    ip_text(&ip, text);
    assert_string_equal(text, "192.0.2.1");
    from = (struct sockaddr_storage){.ss_family = AF_INET6};
    memcpy(&((struct sockaddr_in6 *)&from)->sin6_addr,
           (const uint8_t[16]){0x20, 1, 13, 0xb8, [15] = 9}, 16);
    ip = ip_of(&from);
    ip_text(&ip, text);
    assert_string_equal(text, "2001:db8::9");
    from = (struct sockaddr_storage){.ss_family = AF_UNIX};
    ip = ip_of(&from);
    ip_text(&ip, text);
    assert_int_equal(ip.family, 0);
    assert_string_equal(text, "");
}

static void a_network_holds_what_shares_its_bits(void **state)
{
    (void)state;
    assert_true(is_in("192.0.2.1", "192.0.2.1"));
    assert_false(is_in("192.0.2.1", "192.0.2.0"));
    assert_true(is_in("192.0.2.0/31", "192.0.2.1"));
    assert_false(is_in("192.0.2.0/31", "192.0.2.2"));
    assert_true(is_in("10.0.0.0/8", "10.255.255.255"));
    assert_false(is_in("10.0.0.0/8", "11.0.0.0"));
    assert_true(is_in("0.0.0.0/0", "203.0.113.9"));
    assert_true(is_in("2001:db8::/33", "2001:db8:7fff::1"));
    assert_false(is_in("2001:db8::/33", "2001:db8:8000::1"));
    assert_false(is_in("2001:db8::1", "2001:db8::2"));
    assert_true(is_in("2001:db8::1/128", "2001:db8::1"));
}

static void families_are_not_mixed_but_mapped_addresses_are_ipv4(void **state)
{
    (void)state;
    assert_false(is_in("0.0.0.0/0", "2001:db8::1"));
    assert_false(is_in("::/0", "192.0.2.1"));
    assert_true(is_in("192.0.2.1", "::ffff:192.0.2.1"));
    assert_true(is_in("::ffff:192.0.2.0/120", "192.0.2.200"));
    assert_false(is_in("::ffff:192.0.2.0/120", "192.0.3.1"));
    assert_true(is_in("::ffff:0:0/96", "203.0.113.9"));
}

static void what_is_no_network_is_refused(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",
        "localhost",
        "192.0.2",
        "192.0.2.256",
        "192.0.2.01",
        "192.0.2.1/33",
        "192.0.2.1/",
        "192.0.2.1/ 8",
        "192.0.2.1/-1",
        "192.0.2.0/+24",
        "192.0.2.0/24/8",
        "192.0.2.0/99999999999999999999",
        "192.0.2.1/24", /* bits that do not count: a slip of somebody's */
        "10.0.0.1/31",
        "2001:db8::/129",
        "2001:db8::1/32",
        "fe80::1%lo",
        "[::1]",
        "::ffff:0:0/95",
        "*",
        "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb",
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct networks networks = {0};
        if (networks_add(&networks, cases[i]) || networks.count != 0)
            fail_msg("%s", cases[i]);
    }
}

static void there_are_so_many_networks_and_no_more(void **state)
{
    (void)state;
    struct networks networks = {0};
    struct ip ip = parsed("192.0.2.1");
    assert_false(networks_contain(&networks, &ip));
    for (int i = 0; i < NETWORKS_MAX; i++)
        assert_true(networks_add(&networks, i + 1 < NETWORKS_MAX ? "10.0.0.0/8" : "192.0.2.1"));
    assert_false(networks_add(&networks, "10.0.0.0/8"));
    assert_true(networks_contain(&networks, &ip));
    ip.family = 0;
    assert_false(networks_contain(&networks, &ip));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_has_one_form_and_ipv4_inside_ipv6_is_ipv4),
        cmocka_unit_test(what_accept_gives_is_read_in_each_family),
        cmocka_unit_test(a_network_holds_what_shares_its_bits),
        cmocka_unit_test(families_are_not_mixed_but_mapped_addresses_are_ipv4),
        cmocka_unit_test(what_is_no_network_is_refused),
        cmocka_unit_test(there_are_so_many_networks_and_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
