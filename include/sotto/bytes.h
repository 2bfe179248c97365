/* Byte types. sotto_bytes borrows, sotto_buf owns. Every sotto_buf wipes what it held, when it
 * grows and when it is freed, so that no secret survives in a block that was given back. */
#ifndef SOTTO_BYTES_H
#define SOTTO_BYTES_H

#include <stdbool.h>
#include <stdint.h>

#include "sotto/api.h"
#include "sotto/env.h"
#include "sotto/error.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A borrowed view: valid as long as what it points into. data may be NULL when size is 0. */
typedef struct sotto_bytes {
    const uint8_t *data;
    size_t size;
} sotto_bytes;

/* An owned, growable buffer. Fields are read freely and written only by these functions. */
typedef struct sotto_buf {
    const sotto_env *env;
    uint8_t *data;
    size_t size;
    size_t capacity;
} sotto_buf;

static inline sotto_bytes sotto_bytes_of(const uint8_t *data, size_t size)
{
    sotto_bytes view = {data, size};
    return view;
}

static inline sotto_bytes sotto_buf_view(const sotto_buf *buf)
{
    return sotto_bytes_of(buf->data, buf->size);
}

/* The bytes of a C string without its NUL; borrows text. */
SOTTO_API sotto_bytes sotto_bytes_str(const char *text);

/* Whether a and b have the same length and content. Not constant-time: use sotto_bytes_equal_secret
 * where a secret decides. */
SOTTO_API bool sotto_bytes_equal(sotto_bytes a, sotto_bytes b);

/* The same in time that depends on the lengths of a and b alone. */
SOTTO_API bool sotto_bytes_equal_secret(sotto_bytes a, sotto_bytes b);

/* Makes buf an empty buffer that takes memory from env, which must outlive it. Allocates nothing.
 */
SOTTO_API void sotto_buf_init(sotto_buf *buf, const sotto_env *env);

/* Wipes and frees the content of buf, which is empty and usable afterwards. Free of a freed or
 * zero-initialised buffer is allowed. */
SOTTO_API void sotto_buf_free(sotto_buf *buf);

/* Wipes the content of buf and sets the size to 0; keeps the block. */
SOTTO_API void sotto_buf_clear(sotto_buf *buf);

/* Room for extra more bytes in buf. NO_MEMORY leaves it as it was; LIMIT: the size would overflow.
 */
SOTTO_API sotto_error sotto_buf_reserve(sotto_buf *buf, size_t extra);

/* Appends size bytes of data, which must not point into buf itself. Errors as sotto_buf_reserve. */
SOTTO_API sotto_error sotto_buf_append(sotto_buf *buf, const uint8_t *data, size_t size);

/* Appends size bytes to buf, zeroed, to be filled in by the caller: *where, good until the buffer
 * changes. Errors as sotto_buf_reserve. */
SOTTO_API sotto_error sotto_buf_extend(sotto_buf *buf, size_t size, uint8_t **where);

#ifdef __cplusplus
}
#endif
#endif
