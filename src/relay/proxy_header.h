/* What a proxy says in front of a connection that it passes on: the PROXY protocol, versions 1 and
 * 2 (the HAProxy project's proxy-protocol.txt). No I/O, no memory. */
#ifndef RELAY_PROXY_HEADER_H
#define RELAY_PROXY_HEADER_H

#include "base/base.h"
#include "relay/ip.h"

enum {
    PROXY_LINE_MAX = 107,    /* version 1, with its CRLF; section 2.1 */
    PROXY_HEADER_MAX = 2048, /* version 2, with its TLVs. A sender's fits into one TCP segment. */
};

struct proxy_header {
    size_t size; /* of the header; behind it the client's own bytes begin */
    /* Who connected to the proxy. None: the proxy itself is the client (LOCAL, as for its health
     * checks), or it cannot say (UNKNOWN, UNSPEC, and what is no TCP over IP). */
    struct ip from;
};

/* Reads the header that bytes begin with; what is behind it is not looked at.
 *
 * TRUNCATED: a header as far as it goes, and all of bytes belongs to it; never so for
 * PROXY_HEADER_MAX bytes. UNSUPPORTED: no such header. VERSION, VALUE, LENGTH, LIMIT: a wrong one.
 * *fault tells of all these but TRUNCATED. */
sotto_error proxy_header_read(sotto_bytes bytes, struct proxy_header *header, sotto_fault *fault);

#endif
