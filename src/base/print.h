/* printf into a buffer. */
#ifndef BASE_PRINT_H
#define BASE_PRINT_H

#include "sotto/bytes.h"

/* Appends what printf would print, without a NUL. NO_MEMORY; LIMIT: more than 4095 bytes. */
__attribute__((format(printf, 2, 3))) sotto_error buf_print(sotto_buf *out, const char *format,
                                                            ...);

#endif
