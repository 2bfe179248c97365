/* Tiles (C2SP tlog-tiles): a log as files that anybody may fetch and keep: 256 hashes a tile, and
 * the entries themselves in bundles of as many. */
#ifndef TLOG_TILE_H
#define TLOG_TILE_H

#include "tlog/merkle.h"

enum {
    TLOG_TILE_WIDTH = 256,
    TLOG_TILE_HEIGHT = 8,
    TLOG_TILE_SIZE = TLOG_TILE_WIDTH * TLOG_HASH_SIZE,
    TLOG_TILE_LEVELS = 8, /* enough for TLOG_SIZE_MAX */
    TLOG_TILE_PATH_MAX = 64,
    TLOG_ENTRY_MAX = 65535,
    TLOG_ENTRIES = TLOG_TILE_LEVELS, /* the "level" of entry bundles */
};

struct tlog_tile {
    unsigned level; /* or TLOG_ENTRIES */
    uint64_t index;
    unsigned width; /* 1 to 256 */
};

/* "tile/0/x001/067.p/3", relative to the log. */
void tlog_tile_path(const struct tlog_tile *tile, char path[static TLOG_TILE_PATH_MAX]);
/* The reverse, strictly. VALUE. */
sotto_error tlog_tile_parse(sotto_bytes path, struct tlog_tile *tile);

/* How wide that tile is in a tree of size leaves; 0: it has none such. */
unsigned tlog_tile_width(unsigned level, uint64_t index, uint64_t size);

/* One entry to a bundle. LIMIT: above TLOG_ENTRY_MAX. */
sotto_error tlog_bundle_put(sotto_buf *bundle, sotto_bytes entry);
/* The entry that the bundle begins with; bundle is left behind it. TRUNCATED. */
sotto_error tlog_bundle_take(sotto_bytes *bundle, sotto_bytes *entry);

/* A tree of size leaves that is read from its tiles; each level's last tile is kept. */
typedef sotto_error tlog_fetch_fn(void *ctx, const struct tlog_tile *tile,
                                  uint8_t out[static TLOG_TILE_SIZE]);
struct tlog_tiles {
    tlog_fetch_fn *fetch; /* fills in tile->width hashes */
    void *ctx;
    uint64_t size;
    struct {
        unsigned width; /* 0: nothing is kept */
        uint64_t index;
        uint8_t hashes[TLOG_TILE_SIZE];
    } kept[TLOG_TILE_LEVELS];
};

/* A tlog_read_fn; ctx is a struct tlog_tiles. What it gives is as true as the tiles are: compare
 * the root that follows from them with a checkpoint's. */
sotto_error tlog_tiles_read(void *ctx, unsigned level, uint64_t index, struct tlog_hash *out);

#endif
