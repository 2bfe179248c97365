#include "relay/proxy_header.h"

#include <string.h>

#include <arpa/inet.h>

static sotto_error refuse(sotto_fault *fault, sotto_error error, const char *what, size_t offset)
{
    *fault = (sotto_fault){error, what, offset};
    return error;
}

/* Whether bytes begin with start, as far as they go. */
static bool may_begin_with(sotto_bytes bytes, const char *start, size_t size)
{
    size_t known = bytes.size < size ? bytes.size : size;
    return known == 0 || memcmp(bytes.data, start, known) == 0;
}

static bool is_word(sotto_bytes word, const char *text)
{
    return sotto_bytes_equal(word, sotto_bytes_str(text));
}

/* ---- Version 1: a line of text (section 2.1) ------------------------------------------------ */

static const char LINE_START[] = "PROXY ";

enum { PROTOCOL = 1, SOURCE, DESTINATION, SOURCE_PORT, DESTINATION_PORT, WORDS };

/* What stands between single spaces; more words than there may be are counted only. */
static size_t split(sotto_bytes line, sotto_bytes words[static WORDS])
{
    size_t count = 0, start = 0;
    for (size_t i = 0; i <= line.size; i++) {
        if (i < line.size && line.data[i] != ' ')
            continue;
        if (count < WORDS)
            words[count] = sotto_bytes_of(line.data + start, i - start);
        count++;
        start = i + 1;
    }
    return count;
}

/* "Heading zeroes are not permitted": inet_pton does not take them either. */
static bool parse_address(sotto_bytes word, int family, struct ip *ip)
{
    char text[INET6_ADDRSTRLEN];
    uint8_t bytes[16];
    if (word.size >= sizeof text || memchr(word.data, '\0', word.size) != NULL)
        return false;
    memcpy(text, word.data, word.size);
    text[word.size] = '\0';
    if (inet_pton(family, text, bytes) != 1)
        return false;
    *ip = family == AF_INET ? ip_v4(bytes) : ip_v6(bytes);
    return true;
}

static bool is_port(sotto_bytes word)
{
    unsigned value = 0;
    if (word.size == 0 || word.size > 5 || (word.size > 1 && word.data[0] == '0'))
        return false;
    for (size_t i = 0; i < word.size; i++) {
        if (word.data[i] < '0' || word.data[i] > '9')
            return false;
        value = value * 10 + (unsigned)(word.data[i] - '0');
    }
    return value <= 65535;
}

static sotto_error read_words(sotto_bytes line, struct ip *from, sotto_fault *fault)
{
    sotto_bytes words[WORDS] = {0};
    struct ip destination;
    size_t count = split(line, words);
    bool is_v6 = is_word(words[PROTOCOL], "TCP6");
    if (is_word(words[PROTOCOL], "UNKNOWN"))
        return SOTTO_OK; /* whatever is behind it */
    if (!is_v6 && !is_word(words[PROTOCOL], "TCP4"))
        return refuse(fault, SOTTO_VALUE, "PROXY.protocol", sizeof LINE_START - 1);
    if (count != WORDS)
        return refuse(fault, SOTTO_VALUE, "PROXY.words", line.size);
    for (size_t i = SOURCE; i <= DESTINATION; i++)
        if (!parse_address(words[i], is_v6 ? AF_INET6 : AF_INET, i == SOURCE ? from : &destination))
            return refuse(fault, SOTTO_VALUE, "PROXY.address", (size_t)(words[i].data - line.data));
    for (size_t i = SOURCE_PORT; i <= DESTINATION_PORT; i++)
        if (!is_port(words[i]))
            return refuse(fault, SOTTO_VALUE, "PROXY.port", (size_t)(words[i].data - line.data));
    return SOTTO_OK;
}

static sotto_error read_line(sotto_bytes bytes, struct proxy_header *header, sotto_fault *fault)
{
    struct ip from = {0};
    size_t known = bytes.size < PROXY_LINE_MAX ? bytes.size : PROXY_LINE_MAX;
    const uint8_t *end = known == 0 ? NULL : memchr(bytes.data, '\n', known);
    if (end == NULL && known < PROXY_LINE_MAX)
        return SOTTO_TRUNCATED;
    if (end == NULL)
        return refuse(fault, SOTTO_LIMIT, "PROXY.line", known);
    if (end[-1] != '\r')
        return refuse(fault, SOTTO_VALUE, "PROXY.line", (size_t)(end - bytes.data));
    TRY(read_words(sotto_bytes_of(bytes.data, (size_t)(end - bytes.data) - 1), &from, fault));
    *header = (struct proxy_header){(size_t)(end - bytes.data) + 1, from};
    return SOTTO_OK;
}

/* ---- Version 2: binary (section 2.2) -------------------------------------------------------- */

static const char SIGNATURE[] = "\r\n\r\n\0\r\nQUIT\n";

enum {
    SIGNATURE_SIZE = sizeof SIGNATURE - 1,
    HEAD_SIZE = SIGNATURE_SIZE + 4,
    LOCAL = 0,
    FAMILY_MAX = 3,    /* UNIX */
    TRANSPORT_MAX = 2, /* DGRAM */
    TCP_IPV4 = 0x11,
    TCP_IPV6 = 0x21,
};

static size_t u16_at(const uint8_t *data)
{
    return (size_t)data[0] << 8 | data[1];
}

/* Type, length, value, up to the end. What they say is for others. */
static bool are_tlvs(sotto_bytes bytes)
{
    size_t pos = 0;
    while (bytes.size - pos >= 3) {
        size_t size = 3 + u16_at(bytes.data + pos + 1);
        if (size > bytes.size - pos)
            return false;
        pos += size;
    }
    return pos == bytes.size;
}

static sotto_error read_binary(sotto_bytes bytes, struct proxy_header *header, sotto_fault *fault)
{
    const uint8_t *data = bytes.data, *content = data + HEAD_SIZE;
    if (bytes.size < HEAD_SIZE)
        return SOTTO_TRUNCATED;
    unsigned version = data[12] >> 4, command = data[12] & 15, protocol = data[13];
    size_t length = u16_at(data + 14), addresses = 0;
    if (version != 2)
        return refuse(fault, SOTTO_VERSION, "PROXY.version", 12);
    if (command > 1)
        return refuse(fault, SOTTO_VALUE, "PROXY.command", 12);
    /* "the family [...] is ignored" where the proxy speaks for itself */
    if (command != LOCAL && (protocol >> 4 > FAMILY_MAX || (protocol & 15) > TRANSPORT_MAX))
        return refuse(fault, SOTTO_VALUE, "PROXY.family", 13);
    if (command != LOCAL && (protocol == TCP_IPV4 || protocol == TCP_IPV6))
        addresses = protocol == TCP_IPV4 ? 2 * 4 + 2 * 2 : 2 * 16 + 2 * 2;
    if (length < addresses)
        return refuse(fault, SOTTO_LENGTH, "PROXY.length", 14);
    if (length > PROXY_HEADER_MAX - HEAD_SIZE)
        return refuse(fault, SOTTO_LIMIT, "PROXY.length", 14);
    if (bytes.size < HEAD_SIZE + length)
        return SOTTO_TRUNCATED;
    struct ip from = {0};
    if (addresses > 0) {
        from = protocol == TCP_IPV4 ? ip_v4(content) : ip_v6(content);
        if (!are_tlvs(sotto_bytes_of(content + addresses, length - addresses)))
            return refuse(fault, SOTTO_LENGTH, "PROXY.tlv", HEAD_SIZE + addresses);
    }
    *header = (struct proxy_header){HEAD_SIZE + length, from};
    return SOTTO_OK;
}

sotto_error proxy_header_read(sotto_bytes bytes, struct proxy_header *header, sotto_fault *fault)
{
    if (may_begin_with(bytes, SIGNATURE, SIGNATURE_SIZE))
        return read_binary(bytes, header, fault);
    if (may_begin_with(bytes, LINE_START, sizeof LINE_START - 1))
        return read_line(bytes, header, fault);
    return refuse(fault, SOTTO_UNSUPPORTED, "PROXY", 0);
}
