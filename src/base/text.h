/* Text that people wrote. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include "sotto/bytes.h"

/* The bytes of the first character (its scalar value to *scalar); 0 if it is none (RFC 3629,
 * section 4), or if text is empty. */
size_t text_next(sotto_bytes text, uint32_t *scalar);

/* Whether text is UTF-8 as RFC 3629 has it: no surrogates, nothing overlong, nothing above
 * U+10FFFF. Every text that is stored or sent is. */
bool text_is_utf8(sotto_bytes text);

/* The same, without control characters (C0, C1, DEL): fit for a name or a title on one line. */
bool text_is_line(sotto_bytes text);

/* Characters that move a terminal's cursor or change it, break a line where no newline does, or
 * turn the order of what follows: others' words are shown without them. */
bool text_is_harmful(uint32_t scalar);

#endif
