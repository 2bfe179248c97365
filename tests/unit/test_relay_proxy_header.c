/* The PROXY protocol as its text has it: proxy-protocol.txt, 2.1 (lines) and 2.2 (binary). */
#include "unit/check.h"

#include "relay/proxy_header.h"

#define HELLO "\x16\x03\x01\x02\x00" /* what a client says next */
#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define V4 "\xc0\xa8\x00\x01\xc0\xa8\x00\x0b\xdc\x04\x01\xbb" /* the line below, in binary */
#define V6_SOURCE "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07"
#define V6 V6_SOURCE "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\xdc\x04\x01\xbb"
#define UNIX_PART "/run/socket\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0" /* an eighth of the addresses */
#define BYTES(literal) sotto_bytes_of((const uint8_t *)(literal), sizeof(literal) - 1)

static const char LONGEST[] = "PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"
                              " ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n";

/* Reads it whole, with the client's bytes behind it, and cut at each place. */
static void check(sotto_bytes header, const char *from)
{
    uint8_t bytes[PROXY_HEADER_MAX + sizeof HELLO];
    char text[INET6_ADDRSTRLEN];
    struct proxy_header read;
    sotto_fault fault;
    memcpy(bytes, header.data, header.size);
    memcpy(bytes + header.size, HELLO, sizeof HELLO);
    for (size_t size = 0; size < header.size; size++)
        assert_error(proxy_header_read(sotto_bytes_of(bytes, size), &read, &fault), TRUNCATED);
    for (size_t more = 0; more <= sizeof HELLO; more++) {
        assert_ok(proxy_header_read(sotto_bytes_of(bytes, header.size + more), &read, &fault));
        assert_int_equal(read.size, header.size);
        ip_text(&read.from, text);
        assert_string_equal(text, from);
    }
}

static void the_lines_of_the_specification_are_read(void **state)
{
    (void)state;
    check(BYTES("PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n"), "192.168.0.1");
    check(BYTES("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n"), "255.255.255.255");
    check(BYTES("PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"
                " ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"),
          "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
    check(BYTES("PROXY TCP6 2001:DB8::7 ::1 0 0\r\n"), "2001:db8::7");
    check(BYTES("PROXY TCP6 ::ffff:192.0.2.1 ::ffff:192.0.2.2 1 443\r\n"), "192.0.2.1");
    check(BYTES("PROXY UNKNOWN\r\n"), "");
    check(BYTES("PROXY UNKNOWN 1.2.3.4 and anything\r else\r\n"), "");
    assert_int_equal(sizeof LONGEST - 1, PROXY_LINE_MAX);
    check(BYTES(LONGEST), "");
}

static void what_is_no_such_line_is_refused_where_it_ends_to_be_one(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        sotto_error error;
        const char *what;
        size_t offset;
    } cases[] = {
        {"PROXY TCP5 192.0.2.1 192.0.2.2 1 2\r\n", SOTTO_VALUE, "PROXY.protocol", 6},
        {"PROXY tcp4 192.0.2.1 192.0.2.2 1 2\r\n", SOTTO_VALUE, "PROXY.protocol", 6},
        {"PROXY UNKNOWNS\r\n", SOTTO_VALUE, "PROXY.protocol", 6},
        {"PROXY \r\n", SOTTO_VALUE, "PROXY.protocol", 6},
        {"PROXY  TCP4 192.0.2.1 192.0.2.2 1 2\r\n", SOTTO_VALUE, "PROXY.protocol", 6},
        {"PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n", SOTTO_VALUE, "PROXY.words", 32},
        {"PROXY TCP4 192.0.2.1 192.0.2.2 1 2 \r\n", SOTTO_VALUE, "PROXY.words", 35},
        {"PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n", SOTTO_VALUE, "PROXY.words", 36},
        {"PROXY TCP4\r\n", SOTTO_VALUE, "PROXY.words", 10},
        {"PROXY TCP4 192.0.2.256 192.0.2.2 1 2\r\n", SOTTO_VALUE, "PROXY.address", 11},
        {"PROXY TCP4 192.0.02.1 192.0.2.2 1 2\r\n", SOTTO_VALUE, "PROXY.address", 11},
        {"PROXY TCP4 192.0.2.1 192.0.2 1 2\r\n", SOTTO_VALUE, "PROXY.address", 21},
        {"PROXY TCP4 ::1 192.0.2.2 1 2\r\n", SOTTO_VALUE, "PROXY.address", 11},
        {"PROXY TCP4 192.0.2.1 ::1 1 2\r\n", SOTTO_VALUE, "PROXY.address", 21},
        {"PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n", SOTTO_VALUE, "PROXY.address", 11},
        {"PROXY TCP6 ::1%lo ::1 1 2\r\n", SOTTO_VALUE, "PROXY.address", 11},
        {"PROXY TCP6 1::2::3 ::1 1 2\r\n", SOTTO_VALUE, "PROXY.address", 11},
        {"PROXY TCP4 192.0.2.1  1 2\r\n", SOTTO_VALUE, "PROXY.address", 21},
        {"PROXY TCP4 192.0.2.1 192.0.2.2 65536 2\r\n", SOTTO_VALUE, "PROXY.port", 31},
        {"PROXY TCP4 192.0.2.1 192.0.2.2 01 2\r\n", SOTTO_VALUE, "PROXY.port", 31},
        {"PROXY TCP4 192.0.2.1 192.0.2.2 1 2x\r\n", SOTTO_VALUE, "PROXY.port", 33},
        {"PROXY TCP4 192.0.2.1 192.0.2.2 1 -2\r\n", SOTTO_VALUE, "PROXY.port", 33},
        {"PROXY TCP4 192.0.2.1 192.0.2.2 1 \r\n", SOTTO_VALUE, "PROXY.port", 33},
        {"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n", SOTTO_VALUE, "PROXY.line", 34},
        {"PROXY TCP4 192.0.2.1\n192.0.2.2 1 2\r\n", SOTTO_VALUE, "PROXY.line", 20},
        {"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\r\n", SOTTO_VALUE, "PROXY.port", 33},
        {"PROXY\r\n", SOTTO_UNSUPPORTED, "PROXY", 0},
        {"proxy UNKNOWN\r\n", SOTTO_UNSUPPORTED, "PROXY", 0},
        {"GET / HTTP/1.1\r\n", SOTTO_UNSUPPORTED, "PROXY", 0},
        {HELLO, SOTTO_UNSUPPORTED, "PROXY", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct proxy_header header;
        sotto_fault fault = {0};
        sotto_error error = proxy_header_read(sotto_bytes_str(cases[i].line), &header, &fault);
        if (error != cases[i].error || fault.error != error ||
            strcmp(fault.what, cases[i].what) != 0 || fault.offset != cases[i].offset)
            fail_msg("%s: %s %s %zu", cases[i].line, sotto_error_name(error), fault.what,
                     fault.offset);
    }
}

static void a_line_ends_within_its_limit_and_holds_no_nul(void **state)
{
    (void)state;
    char line[PROXY_LINE_MAX + 2];
    struct proxy_header header;
    sotto_fault fault;
    memcpy(line, LONGEST, PROXY_LINE_MAX - 2);
    memcpy(line + PROXY_LINE_MAX - 2, "x\r\n", 3);
    sotto_bytes bytes = sotto_bytes_of((const uint8_t *)line, PROXY_LINE_MAX - 1);
    assert_error(proxy_header_read(bytes, &header, &fault), TRUNCATED);
    bytes.size = PROXY_LINE_MAX;
    assert_error(proxy_header_read(bytes, &header, &fault), LIMIT);
    bytes.size = PROXY_LINE_MAX + 1;
    assert_error(proxy_header_read(bytes, &header, &fault), LIMIT);
    assert_error(
        proxy_header_read(BYTES("PROXY TCP4 192.0.2.1\0x 192.0.2.2 1 2\r\n"), &header, &fault),
        VALUE);
    assert_string_equal(fault.what, "PROXY.address");
    assert_error(proxy_header_read(BYTES("PROXY UNKNOWN\0\r\n"), &header, &fault), VALUE);
}

static void binary_headers_are_read(void **state)
{
    (void)state;
    check(BYTES(SIGNATURE "\x21\x11\x00\x0c" V4), "192.168.0.1");
    check(BYTES(SIGNATURE "\x21\x21\x00\x24" V6), "2001:db8::7");
    check(BYTES(SIGNATURE "\x21\x21\x00\x24" /* IPv4 inside */
                          "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\x00\x02\x01" V6_SOURCE "\0\1\0\2"),
          "192.0.2.1");
    /* CRC32C, NOOP and one of nobody's: as long as they say, and no more is asked of them */
    check(BYTES(SIGNATURE "\x21\x11\x00\x1b" V4 "\x03\x00\x04wxyz"
                          "\x04\x00\x00"
                          "\xe0\x00\x02hi"),
          "192.168.0.1");
}

static void what_tells_no_tcp_address_is_the_proxy_itself(void **state)
{
    (void)state;
    check(BYTES(SIGNATURE "\x20\x00\x00\x00"), "");      /* LOCAL */
    check(BYTES(SIGNATURE "\x20\x11\x00\x0c" V4), "");   /* "the family is ignored" */
    check(BYTES(SIGNATURE "\x20\xff\x00\x05whole"), ""); /* but not the length */
    check(BYTES(SIGNATURE "\x21\x00\x00\x00"), "");      /* UNSPEC */
    check(BYTES(SIGNATURE "\x21\x00\x00\x07nothing"), "");
    check(BYTES(SIGNATURE "\x21\x12\x00\x0c" V4), ""); /* UDP */
    check(BYTES(SIGNATURE "\x21\x22\x00\x24" V6), "");
    check(BYTES(SIGNATURE "\x21\x10\x00\x0c" V4), "");
    check(BYTES(SIGNATURE "\x21\x31\x00\xd8" UNIX_PART UNIX_PART UNIX_PART UNIX_PART UNIX_PART
                    UNIX_PART UNIX_PART UNIX_PART),
          "");
}

static void binary_headers_that_break_a_rule_are_refused(void **state)
{
    (void)state;
    const struct {
        sotto_bytes bytes;
        sotto_error error;
        const char *what;
        size_t offset;
    } cases[] = {
        {BYTES(SIGNATURE "\x11\x11\x00\x0c" V4), SOTTO_VERSION, "PROXY.version", 12},
        {BYTES(SIGNATURE "\x31\x11\x00\x0c" V4), SOTTO_VERSION, "PROXY.version", 12},
        {BYTES(SIGNATURE "\x22\x11\x00\x0c" V4), SOTTO_VALUE, "PROXY.command", 12},
        {BYTES(SIGNATURE "\x21\x41\x00\x0c" V4), SOTTO_VALUE, "PROXY.family", 13},
        {BYTES(SIGNATURE "\x21\x13\x00\x0c" V4), SOTTO_VALUE, "PROXY.family", 13},
        {BYTES(SIGNATURE "\x21\x11\x00\x0b" V4), SOTTO_LENGTH, "PROXY.length", 14},
        {BYTES(SIGNATURE "\x21\x21\x00\x23" V6), SOTTO_LENGTH, "PROXY.length", 14},
        {BYTES(SIGNATURE "\x21\x21\x00\x0c" V4), SOTTO_LENGTH, "PROXY.length", 14},
        {BYTES(SIGNATURE "\x21\x11\x07\xf1" V4), SOTTO_LIMIT, "PROXY.length", 14},
        {BYTES(SIGNATURE "\x20\x00\xff\xff"), SOTTO_LIMIT, "PROXY.length", 14},
        {BYTES(SIGNATURE "\x21\x11\x00\x0d" V4 "\x04"), SOTTO_LENGTH, "PROXY.tlv", 28},
        {BYTES(SIGNATURE "\x21\x11\x00\x0f" V4 "\x04\x00\x01" HELLO), SOTTO_LENGTH, "PROXY.tlv",
         28},
        {BYTES(SIGNATURE "\x21\x11\x00\x11" V4 "\x04\x00\x00\x04\x00"), SOTTO_LENGTH, "PROXY.tlv",
         28},
        {BYTES("\r\n\r\n\0\r\nQUIT\r\x21\x11\x00\x0c" V4), SOTTO_UNSUPPORTED, "PROXY", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct proxy_header header;
        sotto_fault fault = {0};
        sotto_error error = proxy_header_read(cases[i].bytes, &header, &fault);
        if (error != cases[i].error || fault.error != error ||
            strcmp(fault.what, cases[i].what) != 0 || fault.offset != cases[i].offset)
            fail_msg("%zu: %s", i, sotto_error_name(error));
    }
}

static void the_largest_header_is_as_large_as_the_limit(void **state)
{
    (void)state;
    static uint8_t bytes[PROXY_HEADER_MAX] = SIGNATURE "\x21\x11\x07\xf0" V4 "\x04\x07\xe1";
    assert_int_equal(0x07f0 + 16, PROXY_HEADER_MAX);
    check(sotto_bytes_of(bytes, sizeof bytes), "192.168.0.1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_lines_of_the_specification_are_read),
        cmocka_unit_test(what_is_no_such_line_is_refused_where_it_ends_to_be_one),
        cmocka_unit_test(a_line_ends_within_its_limit_and_holds_no_nul),
        cmocka_unit_test(binary_headers_are_read),
        cmocka_unit_test(what_tells_no_tcp_address_is_the_proxy_itself),
        cmocka_unit_test(binary_headers_that_break_a_rule_are_refused),
        cmocka_unit_test(the_largest_header_is_as_large_as_the_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
