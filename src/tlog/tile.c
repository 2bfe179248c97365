#include "tlog/tile.h"

#include <inttypes.h>
#include <string.h>

/* ---- Paths ---------------------------------------------------------------------------------- */

void tlog_tile_path(const struct tlog_tile *tile, char path[static TLOG_TILE_PATH_MAX])
{
    char index[32], level[8] = "entries";
    unsigned groups[8];
    size_t count = 0, size = 0;
    uint64_t rest = tile->index;
    do
        groups[count++] = (unsigned)(rest % 1000);
    while ((rest /= 1000) != 0 && count < sizeof groups / sizeof *groups);
    while (count-- > 0)
        size += (size_t)snprintf(index + size, sizeof index - size, "/%s%03u", count > 0 ? "x" : "",
                                 groups[count]);
    if (tile->level != TLOG_ENTRIES)
        snprintf(level, sizeof level, "%u", tile->level);
    if (tile->width < TLOG_TILE_WIDTH)
        snprintf(path, TLOG_TILE_PATH_MAX, "tile/%s%s.p/%u", level, index, tile->width);
    else
        snprintf(path, TLOG_TILE_PATH_MAX, "tile/%s%s", level, index);
}

sotto_error tlog_tile_parse(sotto_bytes path, struct tlog_tile *tile)
{
    /* There is one text for each tile: whatever is written back the same is right. */
    char text[TLOG_TILE_PATH_MAX], again[TLOG_TILE_PATH_MAX];
    struct tlog_tile read = {.width = TLOG_TILE_WIDTH};
    const char *at = text + 5;
    if (path.size >= sizeof text || path.size < 5 || memcmp(path.data, "tile/", 5) != 0)
        return SOTTO_VALUE;
    memcpy(text, path.data, path.size);
    text[path.size] = '\0';
    if (strncmp(at, "entries/", 8) == 0) {
        read.level = TLOG_ENTRIES;
        at += 8;
    } else {
        if (at[0] < '0' || at[0] >= '0' + TLOG_TILE_LEVELS || at[1] != '/')
            return SOTTO_VALUE;
        read.level = (unsigned)(at[0] - '0');
        at += 2;
    }
    for (; *at != '\0' && *at != '.'; at++)
        if (*at >= '0' && *at <= '9' && read.index < TLOG_SIZE_MAX / 10)
            read.index = read.index * 10 + (uint64_t)(*at - '0');
        else if (*at != 'x' && *at != '/')
            return SOTTO_VALUE;
    if (strncmp(at, ".p/", 3) == 0)
        for (at += 3, read.width = 0; *at >= '0' && *at <= '9' && read.width < TLOG_TILE_WIDTH;
             at++)
            read.width = read.width * 10 + (unsigned)(*at - '0');
    if (read.width == 0 || read.width > TLOG_TILE_WIDTH)
        return SOTTO_VALUE;
    tlog_tile_path(&read, again);
    if (strlen(text) != path.size || strcmp(text, again) != 0)
        return SOTTO_VALUE;
    *tile = read;
    return SOTTO_OK;
}

unsigned tlog_tile_width(unsigned level, uint64_t index, uint64_t size)
{
    const unsigned below = level == TLOG_ENTRIES ? 0 : TLOG_TILE_HEIGHT * level;
    const uint64_t hashes = size >> below;
    if (index > hashes / TLOG_TILE_WIDTH)
        return 0;
    const uint64_t behind = hashes - index * TLOG_TILE_WIDTH;
    return behind < TLOG_TILE_WIDTH ? (unsigned)behind : TLOG_TILE_WIDTH;
}

/* ---- Bundles -------------------------------------------------------------------------------- */

sotto_error tlog_bundle_put(sotto_buf *bundle, sotto_bytes entry)
{
    uint8_t head[2] = {(uint8_t)(entry.size >> 8), (uint8_t)entry.size};
    if (entry.size > TLOG_ENTRY_MAX)
        return SOTTO_LIMIT;
    TRY(sotto_buf_reserve(bundle, sizeof head + entry.size));
    TRY(sotto_buf_append(bundle, head, sizeof head));
    return sotto_buf_append(bundle, entry.data, entry.size);
}

sotto_error tlog_bundle_take(sotto_bytes *bundle, sotto_bytes *entry)
{
    if (bundle->size < 2)
        return SOTTO_TRUNCATED;
    const size_t size = (size_t)bundle->data[0] << 8 | bundle->data[1];
    if (bundle->size - 2 < size)
        return SOTTO_TRUNCATED;
    *entry = sotto_bytes_of(bundle->data + 2, size);
    *bundle = sotto_bytes_of(bundle->data + 2 + size, bundle->size - 2 - size);
    return SOTTO_OK;
}

/* ---- Reading a tree ------------------------------------------------------------------------- */

sotto_error tlog_tiles_read(void *ctx, unsigned level, uint64_t index, struct tlog_hash *out)
{
    struct tlog_tiles *tiles = ctx;
    const unsigned at = level / TLOG_TILE_HEIGHT, above = level % TLOG_TILE_HEIGHT;
    const uint64_t first = index << above;
    struct tlog_tile tile = {.level = at, .index = first / TLOG_TILE_WIDTH};
    struct tlog_hash hashes[TLOG_TILE_WIDTH];
    size_t count = (size_t)1 << above;
    BUG_UNLESS(at < TLOG_TILE_LEVELS);
    tile.width = tlog_tile_width(at, tile.index, tiles->size);
    if (first % TLOG_TILE_WIDTH + count > tile.width)
        return SOTTO_ARGUMENT;
    if (tiles->kept[at].width != tile.width || tiles->kept[at].index != tile.index) {
        tiles->kept[at].width = 0;
        TRY(tiles->fetch(tiles->ctx, &tile, tiles->kept[at].hashes));
        tiles->kept[at].width = tile.width;
        tiles->kept[at].index = tile.index;
    }
    memcpy(hashes, tiles->kept[at].hashes + first % TLOG_TILE_WIDTH * TLOG_HASH_SIZE,
           count * TLOG_HASH_SIZE);
    for (; count > 1; count /= 2)
        for (size_t i = 0; i < count / 2; i++)
            tlog_hash_node(&hashes[2 * i], &hashes[2 * i + 1], &hashes[i]);
    *out = hashes[0];
    return SOTTO_OK;
}
