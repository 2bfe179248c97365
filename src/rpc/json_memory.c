#include "rpc/json_memory.h"

#include <stddef.h>
#include <stdlib.h>

#include "base/base.h"

/* In front of each block: how large it is. */
union header {
    size_t size;
    max_align_t align;
};

static void *take(size_t size)
{
    if (size > SIZE_MAX - sizeof(union header))
        return NULL;
    union header *block = malloc(sizeof *block + size);
    if (block == NULL)
        return NULL;
    block->size = size;
    return block + 1;
}

static void give(void *memory)
{
    if (memory == NULL)
        return;
    union header *block = (union header *)memory - 1;
    wipe(memory, block->size);
    free(block);
}

void json_memory_init(void)
{
    json_set_alloc_funcs(take, give);
}

static int append(const char *bytes, size_t size, void *ctx)
{
    return sotto_buf_append(ctx, (const uint8_t *)bytes, size) == SOTTO_OK ? 0 : -1;
}

sotto_error json_write(const json_t *value, sotto_buf *out)
{
    size_t before = out->size;
    if (value != NULL && json_dump_callback(value, append, out, JSON_COMPACT) == 0)
        return SOTTO_OK;
    out->size = before;
    return SOTTO_NO_MEMORY;
}
