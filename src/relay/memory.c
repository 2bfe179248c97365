#include "relay/memory.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <sqlite3.h>

#include "base/base.h"

static void give_back(void *block)
{
    if (block == NULL)
        return;
    wipe(block, malloc_usable_size(block)); /* all of it: nobody says what was asked for */
    free(block);
}

/* realloc leaves what it moves. */
static void *grow(void *block, size_t size)
{
    const size_t had = block == NULL ? 0 : malloc_usable_size(block);
    if (block != NULL && size <= had && size >= had / 2)
        return block;
    void *moved = malloc(size);
    if (moved == NULL)
        return NULL;
    if (block != NULL)
        memcpy(moved, block, size < had ? size : had);
    give_back(block);
    return moved;
}

/* ---- SQLite --------------------------------------------------------------------------------- */

static void *sqlite_malloc(int size)
{
    return malloc((size_t)size);
}

static void *sqlite_realloc(void *block, int size)
{
    return grow(block, (size_t)size);
}

static int sqlite_size(void *block)
{
    return block == NULL ? 0 : (int)malloc_usable_size(block);
}

static int sqlite_roundup(int size)
{
    return (size + 7) & ~7;
}

static int sqlite_init(void *ctx)
{
    (void)ctx;
    return SQLITE_OK;
}

static void sqlite_shutdown(void *ctx)
{
    (void)ctx;
}

/* ---- OpenSSL -------------------------------------------------------------------------------- */

static void *openssl_malloc(size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return malloc(size);
}

static void *openssl_realloc(void *block, size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return grow(block, size);
}

static void openssl_free(void *block, const char *file, int line)
{
    (void)file;
    (void)line;
    give_back(block);
}

void memory_of_libraries(void)
{
    static const sqlite3_mem_methods methods = {
        sqlite_malloc,  give_back,   sqlite_realloc,  sqlite_size,
        sqlite_roundup, sqlite_init, sqlite_shutdown, NULL,
    };
    BUG_UNLESS(sqlite3_config(SQLITE_CONFIG_MALLOC, &methods) == SQLITE_OK);
    /* Small blocks that a connection hands out again and again without asking for memory. */
    BUG_UNLESS(sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0) == SQLITE_OK);
    BUG_UNLESS(CRYPTO_set_mem_functions(openssl_malloc, openssl_realloc, openssl_free) == 1);
}
