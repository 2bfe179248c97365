#include "base/base.h"

#include <string.h>

#define BUF_FIRST_CAPACITY 64

const char *sotto_error_name(sotto_error error)
{
    static const char *const names[] = {
#define NAME(name, text) #name,
        SOTTO_ERRORS(NAME)
#undef NAME
    };
    return (unsigned)error < SOTTO_ERROR_COUNT ? names[error] : "UNKNOWN";
}

const char *sotto_error_text(sotto_error error)
{
    static const char *const texts[] = {
#define TEXT(name, text) text,
        SOTTO_ERRORS(TEXT)
#undef TEXT
    };
    return (unsigned)error < SOTTO_ERROR_COUNT ? texts[error] : "unknown error";
}

void wipe(void *data, size_t size)
{
    if (size == 0)
        return;
        /* A compiler may drop a memset whose result nobody reads. The empty statement claims to
         * read all memory that the pointer reaches; compilers without it write through a volatile
         * pointer, byte by byte. Neither reaches copies in registers or in swapped pages. */
#ifdef __GNUC__
    memset(data, 0, size);
    __asm__ __volatile__("" : : "r"(data) : "memory");
#else
    for (volatile uint8_t *byte = data; size > 0; size--)
        *byte++ = 0;
#endif
}

void *mem_alloc(const sotto_env *env, size_t size)
{
    if (size == 0)
        return NULL;
    void *block = env->resize(env->ctx, NULL, 0, size);
    if (block != NULL)
        memset(block, 0, size);
    return block;
}

void mem_free(const sotto_env *env, void *block, size_t size)
{
    if (block == NULL)
        return;
    wipe(block, size);
    env->resize(env->ctx, block, size, 0);
}

sotto_bytes sotto_bytes_str(const char *text)
{
    return sotto_bytes_of((const uint8_t *)text, strlen(text));
}

bool sotto_bytes_equal(sotto_bytes a, sotto_bytes b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

bool sotto_bytes_equal_secret(sotto_bytes a, sotto_bytes b)
{
    if (a.size != b.size)
        return false;
    /* Every byte is read and no branch depends on one. The volatile views keep the compiler from
     * turning the loop into a memcmp that stops early; tests/ct checks what it made of it. */
    const volatile uint8_t *x = a.data, *y = b.data;
    volatile uint8_t differ = 0;
    for (size_t i = 0; i < a.size; i++)
        differ = (uint8_t)(differ | (x[i] ^ y[i]));
    return differ == 0;
}

void sotto_buf_init(sotto_buf *buf, const sotto_env *env)
{
    *buf = (sotto_buf){.env = env};
}

void sotto_buf_free(sotto_buf *buf)
{
    if (buf->data != NULL)
        mem_free(buf->env, buf->data, buf->capacity);
    buf->data = NULL;
    buf->size = 0;
    buf->capacity = 0;
}

void sotto_buf_clear(sotto_buf *buf)
{
    wipe(buf->data, buf->size);
    buf->size = 0;
}

sotto_error sotto_buf_reserve(sotto_buf *buf, size_t extra)
{
    if (extra > SIZE_MAX / 2 - buf->size)
        return SOTTO_LIMIT;
    size_t need = buf->size + extra;
    if (need <= buf->capacity)
        return SOTTO_OK;
    /* What is asked for at first, often all that will come; then double. */
    size_t capacity = 2 * buf->capacity;
    if (capacity < need)
        capacity = need;
    if (capacity < BUF_FIRST_CAPACITY)
        capacity = BUF_FIRST_CAPACITY;
    /* A new block and a wipe of the old one: resizing in place could leave a copy behind. */
    uint8_t *data = buf->env->resize(buf->env->ctx, NULL, 0, capacity);
    if (data == NULL)
        return SOTTO_NO_MEMORY;
    if (buf->size > 0)
        memcpy(data, buf->data, buf->size);
    mem_free(buf->env, buf->data, buf->capacity);
    buf->data = data;
    buf->capacity = capacity;
    return SOTTO_OK;
}

sotto_error sotto_buf_append(sotto_buf *buf, const uint8_t *data, size_t size)
{
    if (size == 0)
        return SOTTO_OK;
    sotto_error error = sotto_buf_reserve(buf, size);
    if (error != SOTTO_OK)
        return error;
    memcpy(buf->data + buf->size, data, size);
    buf->size += size;
    return SOTTO_OK;
}

sotto_error sotto_buf_extend(sotto_buf *buf, size_t size, uint8_t **where)
{
    sotto_error error = sotto_buf_reserve(buf, size);
    if (error != SOTTO_OK)
        return error;
    if (size == 0) {
        *where = buf->data; /* may be NULL, to which not even 0 may be added */
        return SOTTO_OK;
    }
    *where = buf->data + buf->size;
    memset(*where, 0, size);
    buf->size += size;
    return SOTTO_OK;
}

void secret_wipe(struct secret *secret)
{
    wipe(secret, sizeof *secret);
}

sotto_error secret_set(struct secret *secret, sotto_bytes value)
{
    if (value.size > SECRET_MAX)
        return SOTTO_LENGTH;
    uint8_t *into = secret_reset(secret, value.size);
    if (value.size > 0)
        memcpy(into, value.data, value.size);
    return SOTTO_OK;
}

uint8_t *secret_reset(struct secret *secret, size_t size)
{
    BUG_UNLESS(size <= SECRET_MAX);
    secret_wipe(secret);
    secret->size = (uint8_t)size;
    return secret->data;
}

sotto_error secret_random(struct secret *secret, size_t size, const sotto_env *env)
{
    BUG_UNLESS(size <= SECRET_MAX);
    sotto_error error = env->random(env->ctx, secret_reset(secret, size), size);
    if (error != SOTTO_OK)
        secret_wipe(secret);
    return error;
}
