/* What a proxy, or somebody in its place, sends in front of a connection. However the bytes come in
 * pieces, and whatever follows, it must come to the same. */
#include <string.h>

#include "relay/proxy_header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A block of its own for each, so that a byte read too many is found. */
static sotto_error read_copy(const uint8_t *data, size_t size, struct proxy_header *header,
                             sotto_fault *fault)
{
    uint8_t *copy = malloc(size + (size == 0));
    BUG_UNLESS(copy != NULL);
    if (size > 0)
        memcpy(copy, data, size);
    sotto_error error = proxy_header_read(sotto_bytes_of(copy, size), header, fault);
    free(copy);
    return error;
}

/* As the relay reads: byte by byte until it is decided. */
static size_t decided_at(const uint8_t *data, size_t size, sotto_error *error,
                         struct proxy_header *header)
{
    sotto_fault fault;
    for (size_t known = 0; known <= size; known++) {
        *error = read_copy(data, known, header, &fault);
        if (*error != SOTTO_TRUNCATED)
            return known;
    }
    return size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct proxy_header whole = {0}, pieces = {0};
    sotto_fault fault = {0};
    sotto_error error, last;
    if (size > PROXY_HEADER_MAX + 64)
        size = PROXY_HEADER_MAX + 64;
    error = read_copy(data, size, &whole, &fault);
    size_t known = decided_at(data, size, &last, &pieces);
    BUG_UNLESS(error == last);
    BUG_UNLESS(error != SOTTO_TRUNCATED || size < PROXY_HEADER_MAX);
    if (error == SOTTO_OK) {
        char text[INET6_ADDRSTRLEN];
        struct ip again;
        BUG_UNLESS(known == whole.size && whole.size == pieces.size && whole.size <= size);
        BUG_UNLESS(whole.size <= PROXY_HEADER_MAX);
        BUG_UNLESS(memcmp(&whole.from, &pieces.from, sizeof whole.from) == 0);
        ip_text(&whole.from, text);
        BUG_UNLESS(whole.from.family == 0 ? text[0] == '\0' : ip_parse(text, &again));
        BUG_UNLESS(whole.from.family == 0 || memcmp(&whole.from, &again, sizeof again) == 0);
    } else if (error != SOTTO_TRUNCATED) {
        BUG_UNLESS(fault.error == error && fault.what != NULL && fault.offset <= size);
    }
    return 0;
}
