#include "wire/address.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "wire/base64.h"

/* base64url without padding of 32 bytes */
#define PIN_TEXT 43

static sotto_error refuse(sotto_fault *fault, sotto_error error, const char *what, size_t offset)
{
    *fault = (sotto_fault){error, what, offset};
    return error;
}

static bool name_character(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
}

/* A DNS name of labels (RFC 1123, 2.1), or an IPv4 address, which has the same characters. */
static bool name_valid(const char *host)
{
    size_t label = 0;
    for (const char *c = host; *c != 0; c++) {
        bool at_edge = label == 0 || c[1] == '.' || c[1] == 0;
        if (*c == '.') {
            if (label == 0)
                return false;
            label = 0;
        } else if (!name_character(*c) || (*c == '-' && at_edge) || ++label > 63) {
            return false;
        }
    }
    return label > 0;
}

static bool host_valid(struct address *address)
{
    if (!address->is_ipv6)
        return name_valid(address->host);
    /* One address has many spellings; the canonical one makes addresses comparable. */
    struct in6_addr binary;
    if (inet_pton(AF_INET6, address->host, &binary) != 1)
        return false;
    return inet_ntop(AF_INET6, &binary, address->host, sizeof address->host) != NULL;
}

static void set_host(struct address *address, const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        char c = text[i];
        address->host[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
    address->host[size] = 0;
}

/* Decimal without leading zeros, 1 to 65535; the number of digits, 0 if it is no valid number. */
static size_t read_port(const char *text, size_t size, uint16_t *port)
{
    uint32_t value = 0;
    size_t digits = 0;
    while (digits < size && digits < 6 && text[digits] >= '0' && text[digits] <= '9')
        value = value * 10 + (uint32_t)(text[digits++] - '0');
    if (digits == 0 || text[0] == '0' || value > UINT16_MAX)
        return 0;
    *port = (uint16_t)value;
    return digits;
}

/* Where the host's text begins and how long it is; *next: behind it and its bracket. */
static bool find_host(const char *text, size_t size, struct address *address, size_t *from,
                      size_t *host_size, size_t *next)
{
    address->is_ipv6 = size > 0 && text[0] == '[';
    *from = address->is_ipv6 ? 1 : 0;
    const char *end = size == 0 ? NULL : memchr(text, address->is_ipv6 ? ']' : ':', size);
    if (end == NULL)
        return false;
    *host_size = (size_t)(end - text) - *from;
    *next = (size_t)(end - text) + *from;
    return true;
}

sotto_error address_parse(sotto_bytes view, struct address *address, sotto_fault *fault)
{
    const char *text = (const char *)view.data;
    struct address parsed = {0};
    size_t from, host_size, at;
    *fault = (sotto_fault){SOTTO_OK, "", 0};
    if (view.size > WIRE_ADDRESS_MAX)
        return refuse(fault, SOTTO_LIMIT, "address", 0);
    if (!find_host(text, view.size, &parsed, &from, &host_size, &at))
        return refuse(fault, SOTTO_VALUE, "address.port", view.size);
    if (host_size > WIRE_HOST_MAX)
        return refuse(fault, SOTTO_LIMIT, "address.host", from);
    set_host(&parsed, text + from, host_size);
    /* A NUL inside would cut the host short: what was checked is not what was given. */
    if (strlen(parsed.host) != host_size || !host_valid(&parsed))
        return refuse(fault, SOTTO_VALUE, "address.host", from);
    if (at >= view.size || text[at] != ':')
        return refuse(fault, SOTTO_VALUE, "address.port", at);
    at++;
    size_t digits = read_port(text + at, view.size - at, &parsed.port);
    if (digits == 0)
        return refuse(fault, SOTTO_VALUE, "address.port", at);
    at += digits;
    if (at < view.size) {
        size_t pin_size;
        if (text[at] != '#')
            return refuse(fault, SOTTO_VALUE, "address.port", at);
        at++;
        sotto_bytes pin = sotto_bytes_of(view.data + at, view.size - at);
        if (pin.size != PIN_TEXT ||
            base64url_read(pin, parsed.pin, PIN_SIZE, &pin_size) != SOTTO_OK)
            return refuse(fault, SOTTO_VALUE, "address.pin", at);
        parsed.has_pin = true;
    }
    *address = parsed;
    return SOTTO_OK;
}

sotto_error address_format(const struct address *address, sotto_buf *text)
{
    char out[WIRE_ADDRESS_MAX + 1], pin[PIN_TEXT + 1] = "";
    if (address->has_pin)
        base64url_write(sotto_bytes_of(address->pin, PIN_SIZE), pin);
    int size = snprintf(out, sizeof out, address->is_ipv6 ? "[%s]:%u%s%s" : "%s:%u%s%s",
                        address->host, (unsigned)address->port, address->has_pin ? "#" : "", pin);
    if (size < 0 || (size_t)size >= sizeof out)
        return SOTTO_LIMIT;
    return sotto_buf_append(text, (const uint8_t *)out, (size_t)size);
}

bool address_equal(const struct address *a, const struct address *b)
{
    return strcmp(a->host, b->host) == 0 && a->port == b->port && a->has_pin == b->has_pin &&
           (!a->has_pin || memcmp(a->pin, b->pin, PIN_SIZE) == 0);
}
