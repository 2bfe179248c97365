/* Links that people copy: sotto://WORD/ and bytes in base64url. */
#ifndef WIRE_LINK_TEXT_H
#define WIRE_LINK_TEXT_H

#include "sotto/bytes.h"
#include "sotto/error.h"

struct link_text {
    const char *prefix; /* "sotto://invite/" */
    /* What a fault says of one that is too long, another prefix, and bytes that are no base64url.
     */
    const char *limit, *expected, *base64url;
};

/* Appends to bytes what the link holds, and shows it in *content (borrowed from bytes; may be
 * empty). White space around it is left out. LIMIT, VALUE, NO_MEMORY: fault says why. */
sotto_error link_text_read(const struct link_text *form, sotto_bytes link, sotto_buf *bytes,
                           sotto_bytes *content, sotto_fault *fault);

/* After link_text_read, when its content is refused: takes it back out of bytes, which had start
 * bytes before, and wipes it. */
void link_text_forget(sotto_buf *bytes, size_t start);

/* Appends the link that holds bytes, without a NUL. LIMIT: it would be too long. */
sotto_error link_text_write(const struct link_text *form, sotto_bytes bytes, sotto_buf *link);

#endif
