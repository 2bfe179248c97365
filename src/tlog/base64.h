/* Base 64 with padding (RFC 4648, section 4), strictly: one text for one value. */
#ifndef TLOG_BASE64_H
#define TLOG_BASE64_H

#include "base/base.h"

/* False: not the text of at most max bytes. */
bool tlog_base64_read(sotto_bytes text, uint8_t *out, size_t max, size_t *size);

#endif
