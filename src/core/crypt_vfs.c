#include "core/crypt_vfs.h"

#include <sqlite3.h>
#include <string.h>

struct crypt_vfs {
    sqlite3_vfs base; /* first: SQLite gives it back */
    const sotto_env *env;
    sqlite3_vfs *below;
    struct page_cipher *cipher;
    char name[40];
};

struct crypt_file {
    sqlite3_file base;
    struct crypt_vfs *vfs;
    bool log;
    /* The last frame's header that was written through this file: the page that goes behind it
     * comes next. */
    sqlite3_int64 header_at;
    uint8_t header[FRAME_HEADER]; /* sealed */
    sqlite3_file *real;           /* behind this struct */
};

enum {
    LOG_HEADER = 32,
    FRAME = FRAME_HEADER + PAGE_BYTES,
    SALTS = 8,         /* drawn anew for each round of the log; in its header and in each frame's */
    FILE_HEADER = 100, /* what SQLite looks at before anything else */
};

static struct crypt_file *crypt_of(sqlite3_file *file)
{
    return (struct crypt_file *)file;
}

static sqlite3_file *real_of(sqlite3_file *file)
{
    return crypt_of(file)->real;
}

static int read_below(struct crypt_file *file, void *out, int size, sqlite3_int64 at)
{
    return file->real->pMethods->xRead(file->real, out, size, at);
}

static int write_below(struct crypt_file *file, const void *bytes, int size, sqlite3_int64 at)
{
    return file->real->pMethods->xWrite(file->real, bytes, size, at);
}

/* ---- The database --------------------------------------------------------------------------- */

static struct page_place place_of_page(sqlite3_int64 index)
{
    return (struct page_place){.page = (uint32_t)(index + 1)};
}

static bool all_zero(const uint8_t *data, size_t size)
{
    uint8_t any = 0;
    for (size_t i = 0; i < size; i++)
        any |= data[i];
    return any == 0;
}

static int read_page(struct crypt_file *file, sqlite3_int64 index, uint8_t page[static PAGE_BYTES])
{
    const struct page_place place = place_of_page(index);
    int code = read_below(file, page, PAGE_BYTES, index * PAGE_BYTES);
    /* Behind the end there are zeros; a page that ends too early is no page. */
    if (code == SQLITE_IOERR_SHORT_READ && !all_zero(page, PAGE_BYTES))
        code = SQLITE_IOERR_DATA;
    if (code != SQLITE_OK) {
        memset(page, 0, PAGE_BYTES);
        return code;
    }
    return page_open(file->vfs->cipher, &place, page, page) == SOTTO_OK ? SQLITE_OK
                                                                        : SQLITE_IOERR_DATA;
}

/* SQLite wants to know the page size and the reserved bytes before it takes a lock or looks at the
 * log. They are the same in every database of ours; page 1 itself may just be written, or wait in
 * the log. */
static void tell_header(uint8_t out[static FILE_HEADER])
{
    memset(out, 0, FILE_HEADER);
    memcpy(out, "SQLite format 3", 16);
    out[16] = PAGE_BYTES >> 8;
    out[18] = out[19] = 2; /* with a write-ahead log */
    out[20] = PAGE_RESERVED;
    out[21] = 64, out[22] = 32, out[23] = 32;
}

static int read_database(struct crypt_file *file, uint8_t *out, size_t size, sqlite3_int64 at)
{
    uint8_t page[PAGE_BYTES];
    int code = SQLITE_OK;
    if (at == 0 && size == FILE_HEADER) {
        tell_header(out);
        return SQLITE_OK;
    }
    while (size > 0 && code == SQLITE_OK) {
        size_t from = (size_t)(at % PAGE_BYTES),
               n = PAGE_BYTES - from < size ? PAGE_BYTES - from : size;
        if (n == PAGE_BYTES) {
            code = read_page(file, at / PAGE_BYTES, out);
        } else {
            code = read_page(file, at / PAGE_BYTES, page);
            memcpy(out, page + from, n);
            wipe(page, sizeof page);
        }
        out += n, size -= n, at += (sqlite3_int64)n;
    }
    memset(out, 0, size);
    return code;
}

static int write_database(struct crypt_file *file, const uint8_t *page, size_t size,
                          sqlite3_int64 at)
{
    uint8_t sealed[PAGE_BYTES];
    const struct page_place place = place_of_page(at / PAGE_BYTES);
    if (size != PAGE_BYTES || at % PAGE_BYTES != 0 ||
        page_seal(file->vfs->cipher, &place, page, sealed) != SOTTO_OK)
        return SQLITE_IOERR_WRITE;
    return write_below(file, sealed, PAGE_BYTES, at);
}

/* ---- The write-ahead log -------------------------------------------------------------------- */

static uint32_t number_at(const uint8_t *from)
{
    return (uint32_t)from[0] << 24 | (uint32_t)from[1] << 16 | (uint32_t)from[2] << 8 | from[3];
}

/* Of the header, sealed or not, these two are there from the beginning to the end: salts and
 * checksum are zero at times, and set when the transaction is complete. */
static struct page_place place_of_frame(const uint8_t header[static FRAME_HEADER], sqlite3_int64 at)
{
    return (struct page_place){
        .page = number_at(header), .size = number_at(header + 4), .offset = (uint64_t)at};
}

enum frame_state {
    FRAME_GOOD,
    FRAME_OLD, /* whole, but not of this round of the log: such stand behind its end */
    FRAME_BAD,
};

/* Opens a frame. Its salts are those of the log's header, or zero while its transaction is made. */
static enum frame_state open_frame(struct crypt_file *file, sqlite3_int64 at,
                                   const uint8_t salts[static SALTS], uint8_t frame[static FRAME])
{
    struct page_cipher *cipher = file->vfs->cipher;
    const struct page_place place = place_of_frame(frame, at);
    if (frame_header_open(cipher, frame, frame) != SOTTO_OK ||
        page_open(cipher, &place, frame + FRAME_HEADER, frame + FRAME_HEADER) != SOTTO_OK)
        return FRAME_BAD;
    const uint8_t *own = frame + 8;
    return memcmp(own, salts, SALTS) == 0 || all_zero(own, SALTS) ? FRAME_GOOD : FRAME_OLD;
}

/* Whether a whole transaction stands behind the one that the frame at `at` is in. Then that frame
 * was on the disk before, and it is no power cut that has torn it. */
static bool log_goes_on(struct crypt_file *file, sqlite3_int64 at,
                        const uint8_t salts[static SALTS])
{
    uint8_t frame[FRAME];
    unsigned ends = 0;
    for (sqlite3_int64 i = at; ends < 2 && read_below(file, frame, FRAME, i) == SQLITE_OK;
         i += FRAME) {
        enum frame_state state = open_frame(file, i, salts, frame);
        bool own = memcmp(frame + 8, salts, SALTS) == 0; /* also where the page alone is bad */
        if (own && number_at(frame + 4) != 0 && (state == FRAME_GOOD || i == at))
            ends++;
    }
    wipe(frame, sizeof frame);
    return ends == 2;
}

/* A frame as it is read when the log is recovered. What is not good ends it, unless it goes on. */
static int recover_frame(struct crypt_file *file, sqlite3_int64 at, uint8_t frame[static FRAME])
{
    uint8_t salts[SALTS];
    int code = read_below(file, salts, SALTS, 16);
    if (code != SQLITE_OK)
        return code;
    enum frame_state state = open_frame(file, at, salts, frame);
    if (state != FRAME_GOOD && log_goes_on(file, at, salts))
        return SQLITE_IOERR_DATA;
    if (state == FRAME_BAD)
        memset(frame, 0, FRAME);
    return SQLITE_OK;
}

/* What is wanted of the frame at `at`. */
static int read_frame(struct crypt_file *file, sqlite3_int64 at, bool header_wanted,
                      bool page_wanted, uint8_t frame[static FRAME])
{
    struct page_cipher *cipher = file->vfs->cipher;
    int code = read_below(file, frame, page_wanted ? FRAME : FRAME_HEADER, at);
    if (code != SQLITE_OK) {
        memset(frame, 0, FRAME);
        return code;
    }
    if (header_wanted && page_wanted)
        return recover_frame(file, at, frame);
    if (header_wanted)
        return frame_header_open(cipher, frame, frame) == SOTTO_OK ? SQLITE_OK : SQLITE_IOERR_READ;
    const struct page_place place = place_of_frame(frame, at);
    return page_open(cipher, &place, frame + FRAME_HEADER, frame + FRAME_HEADER) == SOTTO_OK
               ? SQLITE_OK
               : SQLITE_IOERR_DATA;
}

/* The log's header has a checksum of its own, without which SQLite takes the log for empty. It is
 * smaller than a sector: there all of it, or (of a log that was just begun) nothing. */
static int check_log_header(const uint8_t header[static LOG_HEADER])
{
    uint32_t sums[2] = {0, 0};
    bool big = (header[3] & 1) != 0; /* the order of bytes that the checksums are made in */
    for (size_t i = 0; i < 24; i += 8)
        for (size_t word = 0; word < 2; word++) {
            const uint8_t *from = header + i + 4 * word;
            uint32_t value = number_at(from);
            sums[word] += (big ? value : __builtin_bswap32(value)) + sums[1 - word];
        }
    bool good = sums[0] == number_at(header + 24) && sums[1] == number_at(header + 28);
    return good || all_zero(header, LOG_HEADER) ? SQLITE_OK : SQLITE_IOERR_DATA;
}

static int read_log(struct crypt_file *file, uint8_t *out, size_t size, sqlite3_int64 at)
{
    uint8_t frame[FRAME];
    int code = SQLITE_OK;
    if (at < LOG_HEADER) {
        size_t n = (size_t)(LOG_HEADER - at) < size ? (size_t)(LOG_HEADER - at) : size;
        code = read_below(file, out, (int)n, at);
        if (code == SQLITE_OK && n == LOG_HEADER)
            code = check_log_header(out);
        out += n, size -= n, at += (sqlite3_int64)n;
    }
    while (size > 0 && code == SQLITE_OK) {
        size_t from = (size_t)((at - LOG_HEADER) % FRAME),
               n = FRAME - from < size ? FRAME - from : size;
        code = read_frame(file, at - (sqlite3_int64)from, from<FRAME_HEADER, from + n> FRAME_HEADER,
                          frame);
        memcpy(out, frame + from, n);
        out += n, size -= n, at += (sqlite3_int64)n;
    }
    wipe(frame, sizeof frame);
    memset(out, 0, size);
    return code;
}

static int write_frame_header(struct crypt_file *file, const uint8_t *header, sqlite3_int64 at)
{
    if (frame_header_seal(file->vfs->cipher, header, file->header) != SOTTO_OK)
        return SQLITE_IOERR_WRITE;
    file->header_at = at;
    return write_below(file, file->header, FRAME_HEADER, at);
}

static int write_frame_page(struct crypt_file *file, const uint8_t *page, sqlite3_int64 at)
{
    uint8_t sealed[PAGE_BYTES], header[FRAME_HEADER];
    sqlite3_int64 header_at = at - FRAME_HEADER;
    if (file->header_at == header_at) {
        memcpy(header, file->header, FRAME_HEADER);
    } else { /* a page that changed again in its transaction takes the place that it had */
        int code = read_below(file, header, FRAME_HEADER, header_at);
        if (code != SQLITE_OK)
            return SQLITE_IOERR_WRITE;
    }
    const struct page_place place = place_of_frame(header, header_at);
    if (page_seal(file->vfs->cipher, &place, page, sealed) != SOTTO_OK)
        return SQLITE_IOERR_WRITE;
    return write_below(file, sealed, PAGE_BYTES, at);
}

/* SQLite writes the log's header, a frame's header or a page, each at once. Anything else is not
 * known to be no page, and is not written. */
static int write_log(struct crypt_file *file, const uint8_t *bytes, size_t size, sqlite3_int64 at)
{
    if (at == 0 && size == LOG_HEADER)
        return write_below(file, bytes, LOG_HEADER, 0);
    if (at < LOG_HEADER)
        return SQLITE_IOERR_WRITE;
    size_t from = (size_t)((at - LOG_HEADER) % FRAME);
    if (from == 0 && size == FRAME_HEADER)
        return write_frame_header(file, bytes, at);
    if (from == FRAME_HEADER && size == PAGE_BYTES)
        return write_frame_page(file, bytes, at);
    return SQLITE_IOERR_WRITE;
}

/* ---- A file --------------------------------------------------------------------------------- */

static int crypt_read(sqlite3_file *file, void *out, int size, sqlite3_int64 at)
{
    struct crypt_file *crypt = crypt_of(file);
    return crypt->log ? read_log(crypt, out, (size_t)size, at)
                      : read_database(crypt, out, (size_t)size, at);
}

static int crypt_write(sqlite3_file *file, const void *bytes, int size, sqlite3_int64 at)
{
    struct crypt_file *crypt = crypt_of(file);
    return crypt->log ? write_log(crypt, bytes, (size_t)size, at)
                      : write_database(crypt, bytes, (size_t)size, at);
}

static int crypt_close(sqlite3_file *file)
{
    return real_of(file)->pMethods->xClose(real_of(file));
}

static int crypt_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    return real_of(file)->pMethods->xTruncate(real_of(file), size);
}

static int crypt_sync(sqlite3_file *file, int flags)
{
    return real_of(file)->pMethods->xSync(real_of(file), flags);
}

static int crypt_size(sqlite3_file *file, sqlite3_int64 *size)
{
    return real_of(file)->pMethods->xFileSize(real_of(file), size);
}

static int crypt_lock(sqlite3_file *file, int level)
{
    return real_of(file)->pMethods->xLock(real_of(file), level);
}

static int crypt_unlock(sqlite3_file *file, int level)
{
    return real_of(file)->pMethods->xUnlock(real_of(file), level);
}

static int crypt_reserved(sqlite3_file *file, int *out)
{
    return real_of(file)->pMethods->xCheckReservedLock(real_of(file), out);
}

static int crypt_control(sqlite3_file *file, int op, void *arg)
{
    return real_of(file)->pMethods->xFileControl(real_of(file), op, arg);
}

static int crypt_sector(sqlite3_file *file)
{
    return real_of(file)->pMethods->xSectorSize(real_of(file));
}

/* That what lies beside a write survives it, as the system's VFS says unless told otherwise: so
 * pages are written to the log whole, and not filled up to a sector. No write is atomic. */
static int crypt_device(sqlite3_file *file)
{
    const int atomic = SQLITE_IOCAP_ATOMIC | SQLITE_IOCAP_ATOMIC512 | SQLITE_IOCAP_ATOMIC1K |
                       SQLITE_IOCAP_ATOMIC2K | SQLITE_IOCAP_ATOMIC4K | SQLITE_IOCAP_ATOMIC8K |
                       SQLITE_IOCAP_ATOMIC16K | SQLITE_IOCAP_ATOMIC32K | SQLITE_IOCAP_ATOMIC64K |
                       SQLITE_IOCAP_BATCH_ATOMIC;
    int known = real_of(file)->pMethods->xDeviceCharacteristics(real_of(file));
    return (known & ~atomic) | SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

static int crypt_map(sqlite3_file *file, int region, int size, int extend, void volatile **out)
{
    return real_of(file)->pMethods->xShmMap(real_of(file), region, size, extend, out);
}

static int crypt_shm_lock(sqlite3_file *file, int offset, int n, int flags)
{
    return real_of(file)->pMethods->xShmLock(real_of(file), offset, n, flags);
}

static void crypt_barrier(sqlite3_file *file)
{
    real_of(file)->pMethods->xShmBarrier(real_of(file));
}

static int crypt_unmap(sqlite3_file *file, int remove)
{
    return real_of(file)->pMethods->xShmUnmap(real_of(file), remove);
}

/* Version 2: nothing of a mapped database, whose pages would be ciphertext. */
static const sqlite3_io_methods crypt_methods = {
    .iVersion = 2,
    .xClose = crypt_close,
    .xRead = crypt_read,
    .xWrite = crypt_write,
    .xTruncate = crypt_truncate,
    .xSync = crypt_sync,
    .xFileSize = crypt_size,
    .xLock = crypt_lock,
    .xUnlock = crypt_unlock,
    .xCheckReservedLock = crypt_reserved,
    .xFileControl = crypt_control,
    .xSectorSize = crypt_sector,
    .xDeviceCharacteristics = crypt_device,
    .xShmMap = crypt_map,
    .xShmLock = crypt_shm_lock,
    .xShmBarrier = crypt_barrier,
    .xShmUnmap = crypt_unmap,
};

/* ---- The VFS -------------------------------------------------------------------------------- */

static struct crypt_vfs *vfs_of(sqlite3_vfs *vfs)
{
    return (struct crypt_vfs *)vfs;
}

static sqlite3_vfs *below_of(sqlite3_vfs *vfs)
{
    return vfs_of(vfs)->below;
}

static int crypt_open(sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *file, int flags,
                      int *out_flags)
{
    struct crypt_file *crypt = crypt_of(file);
    file->pMethods = NULL;
    if (name == NULL || (flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL)) == 0)
        return SQLITE_CANTOPEN;
    *crypt = (struct crypt_file){.vfs = vfs_of(vfs),
                                 .log = (flags & SQLITE_OPEN_WAL) != 0,
                                 .header_at = -1,
                                 .real = (sqlite3_file *)(void *)(crypt + 1)};
    int code = below_of(vfs)->xOpen(below_of(vfs), name, crypt->real, flags, out_flags);
    if (code == SQLITE_OK)
        file->pMethods = &crypt_methods;
    return code;
}

static int crypt_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
    return below_of(vfs)->xDelete(below_of(vfs), name, sync);
}

static int crypt_access(sqlite3_vfs *vfs, const char *name, int flags, int *out)
{
    return below_of(vfs)->xAccess(below_of(vfs), name, flags, out);
}

static int crypt_full_pathname(sqlite3_vfs *vfs, const char *name, int size, char *out)
{
    return below_of(vfs)->xFullPathname(below_of(vfs), name, size, out);
}

static int crypt_randomness(sqlite3_vfs *vfs, int size, char *out)
{
    return below_of(vfs)->xRandomness(below_of(vfs), size, out);
}

static int crypt_sleep(sqlite3_vfs *vfs, int us)
{
    return below_of(vfs)->xSleep(below_of(vfs), us);
}

static int crypt_time(sqlite3_vfs *vfs, double *out)
{
    return below_of(vfs)->xCurrentTime(below_of(vfs), out);
}

static int crypt_last_error(sqlite3_vfs *vfs, int size, char *out)
{
    return below_of(vfs)->xGetLastError(below_of(vfs), size, out);
}

sotto_error crypt_vfs_new(const sotto_env *env, const struct vault *vault, const char *below,
                          struct crypt_vfs **out)
{
    if (sqlite3_initialize() != SQLITE_OK)
        return SOTTO_NO_MEMORY;
    sqlite3_vfs *found = sqlite3_vfs_find(below);
    if (found == NULL)
        return SOTTO_NOT_FOUND;
    struct crypt_vfs *vfs = mem_alloc(env, sizeof *vfs);
    if (vfs == NULL)
        return SOTTO_NO_MEMORY;
    vfs->env = env;
    vfs->below = found;
    vfs->base = (sqlite3_vfs){
        .iVersion = 1,
        .szOsFile = (int)sizeof(struct crypt_file) + found->szOsFile,
        .mxPathname = found->mxPathname,
        .zName = vfs->name,
        .xOpen = crypt_open,
        .xDelete = crypt_delete,
        .xAccess = crypt_access,
        .xFullPathname = crypt_full_pathname,
        .xRandomness = crypt_randomness,
        .xSleep = crypt_sleep,
        .xCurrentTime = crypt_time,
        .xGetLastError = crypt_last_error,
    };
    /* A key for each profile, hence a VFS for each; the name is its own while it lives. */
    (void)snprintf(vfs->name, sizeof vfs->name, "sotto-%p", (void *)vfs);
    sotto_error error = page_cipher_new(env, vault, &vfs->cipher);
    if (error == SOTTO_OK && sqlite3_vfs_register(&vfs->base, 0) != SQLITE_OK)
        error = SOTTO_NO_MEMORY;
    if (error != SOTTO_OK) {
        page_cipher_free(vfs->cipher);
        mem_free(env, vfs, sizeof *vfs);
        return error;
    }
    *out = vfs;
    return SOTTO_OK;
}

const char *crypt_vfs_name(const struct crypt_vfs *vfs)
{
    return vfs->name;
}

void crypt_vfs_free(struct crypt_vfs *vfs)
{
    if (vfs == NULL)
        return;
    (void)sqlite3_vfs_unregister(&vfs->base);
    page_cipher_free(vfs->cipher);
    mem_free(vfs->env, vfs, sizeof *vfs);
}
