/* Addresses and the links that carry them. */
#include "unit/check.h"
#include "wire/address.h"
#include "wire/invitation.h"
#include "wire/verify_link.h"

#define PIN "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA"

static void addresses_are_read_and_written(void **state)
{
    (void)state;
    static const struct {
        const char *text, *canonical, *host;
        uint16_t port;
        bool has_pin;
    } cases[] = {
        {"relay.example:443", "relay.example:443", "relay.example", 443, false},
        {"Relay.EXAMPLE:1", "relay.example:1", "relay.example", 1, false},
        {"localhost:65535#" PIN, "localhost:65535#" PIN, "localhost", 65535, true},
        {"127.0.0.1:8443", "127.0.0.1:8443", "127.0.0.1", 8443, false},
        {"[::1]:8443#" PIN, "[::1]:8443#" PIN, "::1", 8443, true},
        {"[2001:DB8:0:0::5]:443", "[2001:db8::5]:443", "2001:db8::5", 443, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct address address, again;
        sotto_fault fault;
        sotto_buf text;
        sotto_buf_init(&text, sotto_env_system());
        assert_ok(address_parse(sotto_bytes_str(cases[i].text), &address, &fault));
        assert_string_equal(address.host, cases[i].host);
        assert_int_equal(address.port, cases[i].port);
        assert_int_equal(address.has_pin, cases[i].has_pin);
        assert_ok(address_format(&address, &text));
        assert_bytes(sotto_buf_view(&text), sotto_bytes_str(cases[i].canonical));
        assert_ok(address_parse(sotto_buf_view(&text), &again, &fault));
        assert_true(address_equal(&address, &again));
        again.port ^= 1;
        assert_false(address_equal(&address, &again));
        sotto_buf_free(&text);
    }
}

static void what_is_no_address_is_refused_with_its_part(void **state)
{
    (void)state;
    static const struct {
        const char *text, *what;
        size_t offset;
    } cases[] = {
        {"", "address.port", 0},
        {"relay.example", "address.port", 13},
        {":443", "address.host", 0},
        {"relay.example:", "address.port", 14},
        {"relay.example:0", "address.port", 14},
        {"relay.example:0443", "address.port", 14},
        {"relay.example:65536", "address.port", 14},
        {"relay.example:443/", "address.port", 17},
        {"relay.example:443#", "address.pin", 18},
        {"relay.example:443#AQID", "address.pin", 18},
        {"relay.example:443#" PIN "=", "address.pin", 18},
        {"relay.example:443#AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyB", "address.pin", 18},
        {"-relay.example:443", "address.host", 0},
        {"relay-.example:443", "address.host", 0},
        {"relay..example:443", "address.host", 0},
        {"relay.example.:443", "address.host", 0},
        {"re_lay:443", "address.host", 0},
        {"re lay:443", "address.host", 0},
        {"::1:443", "address.host", 0},
        {"[::1:443", "address.port", 8},
        {"[::1]443", "address.port", 5},
        {"[::g]:443", "address.host", 1},
        {"[]:443", "address.host", 1},
        {"[127.0.0.1]:443", "address.host", 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct address address = {.port = 77};
        sotto_fault fault;
        assert_error(address_parse(sotto_bytes_str(cases[i].text), &address, &fault), VALUE);
        assert_string_equal(fault.what, cases[i].what);
        assert_int_equal(fault.offset, cases[i].offset);
        assert_int_equal(address.port, 77);
    }
    struct address address;
    sotto_fault fault;
    assert_error(address_parse(sotto_bytes_of((const uint8_t *)"a\0b:1", 5), &address, &fault),
                 VALUE);
    char longest[400];
    memset(longest, 'a', sizeof longest);
    assert_error(address_parse(sotto_bytes_of((uint8_t *)longest, 321), &address, &fault), LIMIT);
}

static struct invitation specimen(void)
{
    static const uint8_t capability[CAPABILITY_SIZE] = {9, 9, 9};
    return (struct invitation){
        .relay = sotto_bytes_str("relay.example:443#" PIN),
        .account = {{1, 2}},
        .device = {{3, 4}},
        .capability = sotto_bytes_of(capability, CAPABILITY_SIZE),
        .expires = 1800000000,
        .name = sotto_bytes_str("Ada 💬"),
    };
}

static void a_link_survives_the_round_trip_and_pasting(void **state)
{
    (void)state;
    struct invitation invitation = specimen(), read;
    sotto_buf link, bytes;
    sotto_fault fault;
    sotto_buf_init(&link, sotto_env_system());
    sotto_buf_init(&bytes, sotto_env_system());
    assert_ok(sotto_buf_append(&link, (const uint8_t *)" \n", 2));
    assert_ok(invitation_format(&invitation, &link));
    assert_memory_equal(link.data + 2, INVITATION_PREFIX, 15);
    assert_ok(sotto_buf_append(&link, (const uint8_t *)"\r\n", 2));
    assert_ok(invitation_parse(sotto_buf_view(&link), &bytes, &read, &fault));
    assert_bytes(read.relay, invitation.relay);
    assert_bytes(read.capability, invitation.capability);
    assert_bytes(read.name, invitation.name);
    assert_memory_equal(&read.account, &invitation.account, ACCOUNT_ID_SIZE);
    assert_memory_equal(&read.device, &invitation.device, DEVICE_ID_SIZE);
    assert_int_equal(read.expires, 1800000000);
    sotto_buf_free(&link);
    sotto_buf_free(&bytes);
}

static void each_cut_and_each_changed_letter_is_refused_or_means_itself(void **state)
{
    (void)state;
    struct invitation invitation = specimen(), read;
    sotto_buf link, bytes, again;
    sotto_fault fault;
    sotto_buf_init(&link, sotto_env_system());
    sotto_buf_init(&bytes, sotto_env_system());
    sotto_buf_init(&again, sotto_env_system());
    assert_ok(invitation_format(&invitation, &link));
    for (size_t size = 0; size < link.size; size++) {
        sotto_bytes cut = sotto_bytes_of(link.data, size);
        assert_true(invitation_parse(cut, &bytes, &read, &fault) != SOTTO_OK);
        assert_true(fault.error != SOTTO_OK);
        assert_int_equal(bytes.size, 0);
    }
    for (size_t i = 0; i < link.size; i++) {
        uint8_t before = link.data[i];
        for (unsigned letter = 0; letter < 256; letter += 3) {
            link.data[i] = (uint8_t)letter;
            sotto_buf_clear(&bytes);
            sotto_buf_clear(&again);
            if (i == link.size - 1 && (letter == ' ' || letter == '\n'))
                continue;
            if (invitation_parse(sotto_buf_view(&link), &bytes, &read, &fault) != SOTTO_OK)
                continue;
            assert_ok(invitation_format(&read, &again));
            assert_bytes(sotto_buf_view(&again), sotto_buf_view(&link));
        }
        link.data[i] = before;
    }
    sotto_buf_free(&link);
    sotto_buf_free(&bytes);
    sotto_buf_free(&again);
}

static void what_a_reader_refuses_is_not_written(void **state)
{
    (void)state;
    struct invitation invitation = specimen();
    sotto_buf link;
    sotto_buf_init(&link, sotto_env_system());
    invitation.capability.size = 31;
    assert_error(invitation_format(&invitation, &link), ARGUMENT);
    invitation = specimen();
    invitation.relay = sotto_bytes_str("no address");
    assert_error(invitation_format(&invitation, &link), ARGUMENT);
    invitation = specimen();
    invitation.name = sotto_bytes_str("\x1b[31mred");
    assert_error(invitation_format(&invitation, &link), ARGUMENT);
    assert_int_equal(link.size, 0);
}

static void a_code_to_compare_comes_back_as_it_was(void **state)
{
    (void)state;
    for (int with = 0; with < 2; with++) {
        struct verify_link link = {.account = {{1, 2}}, .has_with = with == 1}, again;
        sotto_fault fault;
        sotto_buf text;
        if (link.has_with)
            link.with = (struct account_id){{3, 4}};
        sotto_buf_init(&text, sotto_env_system());
        assert_ok(verify_link_format(&link, &text));
        assert_true(text.size < 110);
        assert_memory_equal(text.data, VERIFY_LINK_PREFIX, sizeof VERIFY_LINK_PREFIX - 1);
        assert_ok(verify_link_parse(sotto_env_system(), sotto_buf_view(&text), &again, &fault));
        assert_memory_equal(&link, &again, sizeof link);
        /* Cut, longer, of another sort or version. */
        assert_int_not_equal(verify_link_parse(sotto_env_system(),
                                               sotto_bytes_of(text.data, text.size - 4), &again,
                                               &fault),
                             SOTTO_OK);
        assert_ok(sotto_buf_append(&text, (const uint8_t *)"AAAA", 4));
        assert_int_not_equal(
            verify_link_parse(sotto_env_system(), sotto_buf_view(&text), &again, &fault), SOTTO_OK);
        text.data[sizeof VERIFY_LINK_PREFIX - 1] = 'B';
        assert_int_equal(
            verify_link_parse(sotto_env_system(), sotto_buf_view(&text), &again, &fault),
            SOTTO_VERSION);
        sotto_buf_free(&text);
    }
    struct verify_link link;
    sotto_fault fault;
    assert_int_equal(
        verify_link_parse(sotto_env_system(), sotto_bytes_str("sotto://invite/AQ"), &link, &fault),
        SOTTO_VALUE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_read_and_written),
        cmocka_unit_test(what_is_no_address_is_refused_with_its_part),
        cmocka_unit_test(a_link_survives_the_round_trip_and_pasting),
        cmocka_unit_test(each_cut_and_each_changed_letter_is_refused_or_means_itself),
        cmocka_unit_test(what_a_reader_refuses_is_not_written),
        cmocka_unit_test(a_code_to_compare_comes_back_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
