#include <stdalign.h>
#include <stddef.h>
#include <string.h>

#include "base/base.h"

/* Chunks double up to this size, so that a small message costs one small block. */
#define CHUNK_FIRST 1024
#define CHUNK_LARGEST 65536

struct arena_chunk {
    struct arena_chunk *next;
    size_t size; /* of data */
    size_t used;
    alignas(max_align_t) uint8_t data[];
};

void arena_init(struct arena *arena, const sotto_env *env)
{
    *arena = (struct arena){.env = env};
}

void arena_free(struct arena *arena)
{
    struct arena_chunk *chunk = arena->chunks;
    while (chunk != NULL) {
        struct arena_chunk *next = chunk->next;
        mem_free(arena->env, chunk, sizeof *chunk + chunk->size);
        chunk = next;
    }
    arena->chunks = NULL;
}

void *arena_array(struct arena *arena, size_t count, size_t size)
{
    const size_t align = alignof(max_align_t);
    if (count == 0 || size == 0 || count > (SIZE_MAX / 4) / size)
        return NULL;
    size_t need = (count * size + align - 1) / align * align;
    struct arena_chunk *chunk = arena->chunks;
    if (chunk == NULL || chunk->size - chunk->used < need) {
        size_t data_size = chunk == NULL ? CHUNK_FIRST : chunk->size * 2;
        if (data_size > CHUNK_LARGEST)
            data_size = CHUNK_LARGEST;
        if (data_size < need)
            data_size = need;
        chunk = mem_alloc(arena->env, sizeof *chunk + data_size);
        if (chunk == NULL)
            return NULL;
        chunk->size = data_size;
        chunk->next = arena->chunks;
        arena->chunks = chunk;
    }
    void *block = chunk->data + chunk->used;
    chunk->used += need;
    return block;
}

sotto_error arena_copy(struct arena *arena, sotto_bytes view, sotto_bytes *copy)
{
    if (view.size == 0) {
        *copy = (sotto_bytes){0};
        return SOTTO_OK;
    }
    uint8_t *data = arena_array(arena, view.size, 1);
    if (data == NULL)
        return SOTTO_NO_MEMORY;
    memcpy(data, view.data, view.size);
    *copy = sotto_bytes_of(data, view.size);
    return SOTTO_OK;
}
