/* base64url without padding (RFC 4648, 5), strictly: one text for one value. */
#ifndef WIRE_BASE64_H
#define WIRE_BASE64_H

#include "base/base.h"

/* Decodes text into out, at most max bytes. VALUE: a character outside of the alphabet, or bits
 * left over that are not zero. LIMIT: more than max. */
sotto_error base64url_read(sotto_bytes text, uint8_t *out, size_t max, size_t *size);

/* The size of the text of size bytes, without a NUL. */
size_t base64url_size(size_t size);

/* Writes the text of bytes and a NUL: base64url_size + 1. Constant-time, for secrets too. */
void base64url_write(sotto_bytes bytes, char *text);

#endif
