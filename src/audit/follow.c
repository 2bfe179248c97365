#include "audit/follow.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#include "tlog/folder.h"
#include "tlog/follow.h"
#include "tlog/leaf.h"

enum { ENTRIES_MAX = 1 << 30, BUNDLE_MAX = 1 << 20 };

__attribute__((format(printf, 3, 4))) static enum audit_verdict
say(struct audit *audit, enum audit_verdict verdict, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(audit->problem, sizeof audit->problem, format, args);
    va_end(args);
    return verdict;
}

static enum audit_verdict failed(struct audit *audit, const char *what, sotto_error error)
{
    return say(audit, AUDIT_FAILED, "%s: %s", what,
               error == SOTTO_IO ? strerror(errno) : sotto_error_text(error));
}

static enum audit_verdict convict(struct audit *audit, enum tlog_verdict verdict,
                                  const struct tlog_checkpoint *newest)
{
    char text[TLOG_VERDICT_TEXT];
    tlog_verdict_say(verdict, &audit->seen, newest, text);
    return say(audit, AUDIT_CONVICTED, "%s", text);
}

/* ---- What was kept -------------------------------------------------------------------------- */

static sotto_error add_entry(struct tlog_frontier *frontier, sotto_bytes entry)
{
    struct tlog_hash leaf;
    tlog_hash_leaf(entry, &leaf);
    return tlog_frontier_append(frontier, &leaf);
}

static enum audit_verdict read_key(struct audit *audit, const char *key)
{
    sotto_buf text;
    sotto_buf_init(&text, audit->env);
    enum audit_verdict verdict = AUDIT_GOOD;
    sotto_error error = tlog_folder_get(audit->state, "key", TLOG_KEY_TEXT_MAX + 1, &text);
    const bool kept = error == SOTTO_OK;
    if (!kept && error != SOTTO_NOT_FOUND)
        verdict = failed(audit, "the key that was kept", error);
    if (verdict == AUDIT_GOOD && !kept && key == NULL &&
        audit->get(audit->ctx, "key", TLOG_KEY_TEXT_MAX + 1, &text, audit->problem) != SOTTO_OK)
        verdict = AUDIT_FAILED;
    sotto_bytes said = key != NULL && !kept ? sotto_bytes_str(key) : sotto_buf_view(&text);
    if (said.size > 0 && said.data[said.size - 1] == '\n')
        said.size--;
    if (verdict == AUDIT_GOOD && tlog_key_read(said, &audit->key) != SOTTO_OK)
        verdict = say(audit, AUDIT_FAILED, "the log's key is no verifier key with Ed25519");
    if (verdict == AUDIT_GOOD && audit->key.type != TLOG_KEY_LOG)
        verdict = say(audit, AUDIT_FAILED, "the key is that of a witness, not of a log");
    if (verdict == AUDIT_GOOD && kept && key != NULL &&
        !sotto_bytes_equal(said, sotto_bytes_str(key)))
        verdict = convict(audit, TLOG_OTHER_KEY, NULL);
    if (verdict == AUDIT_GOOD && !kept) {
        sotto_buf line;
        sotto_buf_init(&line, audit->env);
        error = sotto_buf_append(&line, said.data, said.size);
        if (error == SOTTO_OK)
            error = sotto_buf_append(&line, (const uint8_t *)"\n", 1);
        if (error == SOTTO_OK)
            error = tlog_folder_put(audit->state, "key", sotto_buf_view(&line));
        if (error != SOTTO_OK)
            verdict = failed(audit, "the key cannot be kept", error);
        sotto_buf_free(&line);
    }
    sotto_buf_free(&text);
    return verdict;
}

/* Checkpoint and entries are two files: the entries are written first, so there may be more of them
 * than the checkpoint says; these are dropped. */
static enum audit_verdict read_seen(struct audit *audit)
{
    sotto_buf note;
    struct tlog_hash root;
    sotto_buf_init(&note, audit->env);
    sotto_error error = tlog_folder_get(audit->state, "checkpoint", TLOG_NOTE_MAX, &note);
    if (error == SOTTO_OK)
        error = tlog_checkpoint_open(sotto_buf_view(&note), &audit->key, &audit->seen, NULL, NULL);
    sotto_buf_free(&note);
    if (error == SOTTO_NOT_FOUND)
        return AUDIT_GOOD;
    if (error == SOTTO_OK)
        error = tlog_folder_get(audit->state, "entries", ENTRIES_MAX, &audit->entries);
    sotto_bytes rest = sotto_buf_view(&audit->entries), entry;
    while (error == SOTTO_OK && audit->frontier.size < audit->seen.size) {
        error = tlog_bundle_take(&rest, &entry);
        if (error == SOTTO_OK)
            error = add_entry(&audit->frontier, entry);
    }
    if (error != SOTTO_OK)
        return failed(audit, "what was kept of the log is damaged", error);
    audit->entries.size -= rest.size;
    tlog_frontier_root(&audit->frontier, &root);
    if (!tlog_hash_equal(&root, &audit->seen.root))
        return say(
            audit, AUDIT_FAILED,
            "what was kept of the log is damaged: its entries do not lead to its checkpoint");
    return AUDIT_GOOD;
}

enum audit_verdict audit_open(struct audit *audit, const char *key)
{
    sotto_buf_init(&audit->entries, audit->env);
    memset(&audit->frontier, 0, sizeof audit->frontier);
    memset(&audit->seen, 0, sizeof audit->seen);
    if (mkdir(audit->state, 0755) != 0 && errno != EEXIST)
        return say(audit, AUDIT_FAILED, "%.300s cannot be made: %s", audit->state, strerror(errno));
    enum audit_verdict verdict = read_key(audit, key);
    return verdict == AUDIT_GOOD ? read_seen(audit) : verdict;
}

void audit_close(struct audit *audit)
{
    sotto_buf_free(&audit->entries);
}

sotto_error audit_entry(void *ctx, uint64_t index, sotto_bytes *entry)
{
    struct audit_cursor *cursor = ctx;
    if (!cursor->begun || index < cursor->index) {
        cursor->begun = true;
        cursor->index = 0;
        cursor->rest = sotto_buf_view(&cursor->audit->entries);
    }
    do
        TRY(tlog_bundle_take(&cursor->rest, entry));
    while (cursor->index++ < index);
    return SOTTO_OK;
}

/* ---- Conviction ----------------------------------------------------------------------------- */

/* Both notes are signed by the log: whoever has its key can check that it said both. */
static void keep_evidence(struct audit *audit, sotto_bytes new_note)
{
    char name[64];
    sotto_buf old;
    sotto_buf_init(&old, audit->env);
    (void)tlog_folder_get(audit->state, "checkpoint", TLOG_NOTE_MAX, &old);
    snprintf(name, sizeof name, "evidence-%" PRIu64 ".old", audit->env->now(audit->env->ctx));
    (void)tlog_folder_put(audit->state, name, sotto_buf_view(&old));
    snprintf(name, sizeof name, "evidence-%" PRIu64 ".new", audit->env->now(audit->env->ctx));
    (void)tlog_folder_put(audit->state, name, new_note);
    sotto_buf_free(&old);
}

static bool has_quorum(struct audit *audit, sotto_bytes text, sotto_bytes signatures)
{
    const uint64_t now = audit->env->now(audit->env->ctx);
    size_t good = 0;
    for (size_t i = 0; i < audit->witness_count; i++) {
        uint64_t time_s = 0;
        good += tlog_note_check(text, signatures, &audit->witnesses[i], &time_s) == SOTTO_OK &&
                (audit->quorum_age_s == 0 || time_s + audit->quorum_age_s >= now);
    }
    return good >= audit->quorum;
}

/* ---- Following ------------------------------------------------------------------------------ */

/* The entries of one bundle: those that were seen have to be the same, the others are added. */
static enum audit_verdict take_bundle(struct audit *audit, const struct tlog_tile *tile,
                                      sotto_bytes bundle, struct tlog_frontier *frontier,
                                      sotto_buf *added)
{
    struct audit_cursor cursor = {.audit = audit};
    const uint64_t first = tile->index * TLOG_TILE_WIDTH;
    for (uint64_t i = first; i < first + tile->width; i++) {
        sotto_bytes entry, known;
        if (tlog_bundle_take(&bundle, &entry) != SOTTO_OK)
            return say(audit, AUDIT_CONVICTED, "entry %" PRIu64 " is missing from its bundle", i);
        if (i < audit->seen.size) {
            if (audit_entry(&cursor, i, &known) != SOTTO_OK || !sotto_bytes_equal(entry, known))
                return say(audit, AUDIT_CONVICTED,
                           "entry %" PRIu64 " is not what it was: the log was rewritten", i);
            continue;
        }
        struct tlog_leaf leaf;
        if (tlog_leaf_read(entry, &leaf) == SOTTO_VALUE)
            return say(audit, AUDIT_CONVICTED, "entry %" PRIu64 " is not one that a log may have",
                       i);
        sotto_error error = add_entry(frontier, entry);
        if (error == SOTTO_OK)
            error = tlog_bundle_put(added, entry);
        if (error != SOTTO_OK)
            return failed(audit, "an entry", error);
    }
    if (bundle.size > 0)
        return say(audit, AUDIT_CONVICTED, "a bundle has more in it than its entries");
    return AUDIT_GOOD;
}

static enum audit_verdict fetch_bundles(struct audit *audit, uint64_t size,
                                        struct tlog_frontier *frontier, sotto_buf *added)
{
    enum audit_verdict verdict = AUDIT_GOOD;
    sotto_buf bundle;
    sotto_buf_init(&bundle, audit->env);
    for (uint64_t index = audit->seen.size / TLOG_TILE_WIDTH;
         verdict == AUDIT_GOOD && index * TLOG_TILE_WIDTH < size; index++) {
        char path[TLOG_TILE_PATH_MAX];
        const struct tlog_tile tile = {TLOG_ENTRIES, index,
                                       tlog_tile_width(TLOG_ENTRIES, index, size)};
        tlog_tile_path(&tile, path);
        sotto_buf_clear(&bundle);
        sotto_error error = audit->get(audit->ctx, path, BUNDLE_MAX, &bundle, audit->problem);
        if (error == SOTTO_NOT_FOUND)
            verdict = say(audit, AUDIT_CONVICTED,
                          "the log does not give out %s, which its checkpoint of %" PRIu64
                          " entries promises",
                          path, size);
        else if (error != SOTTO_OK)
            verdict = AUDIT_FAILED;
        else
            verdict = take_bundle(audit, &tile, sotto_buf_view(&bundle), frontier, added);
    }
    sotto_buf_free(&bundle);
    return verdict;
}

static sotto_error fetch_tile(void *ctx, const struct tlog_tile *tile,
                              uint8_t out[static TLOG_TILE_SIZE])
{
    struct audit *audit = ctx;
    char path[TLOG_TILE_PATH_MAX];
    sotto_buf bytes;
    tlog_tile_path(tile, path);
    sotto_buf_init(&bytes, audit->env);
    sotto_error error = audit->get(audit->ctx, path, TLOG_TILE_SIZE, &bytes, audit->problem);
    if (error == SOTTO_OK && bytes.size != (size_t)tile->width * TLOG_HASH_SIZE)
        error = SOTTO_LENGTH;
    if (error == SOTTO_OK)
        memcpy(out, bytes.data, bytes.size);
    sotto_buf_free(&bytes);
    return error;
}

/* The tiles, from which others make proofs, have to lead to the same root. */
static enum audit_verdict check_tiles(struct audit *audit, const struct tlog_checkpoint *newest,
                                      struct tlog_tiles *tiles)
{
    struct tlog_hash root;
    sotto_error error = tlog_root(tlog_tiles_read, tiles, newest->size, &root);
    if (error == SOTTO_NOT_FOUND || error == SOTTO_LENGTH)
        return convict(audit, TLOG_WITHHELD, newest);
    if (error != SOTTO_OK)
        return AUDIT_FAILED;
    if (!tlog_hash_equal(&root, &newest->root))
        return convict(audit, TLOG_DIFFERENT, newest);
    return AUDIT_GOOD;
}

static enum audit_verdict keep(struct audit *audit, sotto_bytes note, const sotto_buf *added)
{
    sotto_error error = sotto_buf_append(&audit->entries, added->data, added->size);
    if (error == SOTTO_OK && added->size > 0)
        error = tlog_folder_put(audit->state, "entries", sotto_buf_view(&audit->entries));
    if (error == SOTTO_OK)
        error = tlog_folder_put(audit->state, "checkpoint", note);
    return error == SOTTO_OK ? AUDIT_GOOD : failed(audit, "what was seen cannot be kept", error);
}

static enum audit_verdict check_newest(struct audit *audit, const struct tlog_checkpoint *newest,
                                       struct tlog_tiles *tiles, sotto_bytes note)
{
    struct tlog_frontier frontier = audit->frontier;
    struct tlog_hash root;
    sotto_buf added;
    sotto_buf_init(&added, audit->env);
    enum audit_verdict verdict = fetch_bundles(audit, newest->size, &frontier, &added);
    tlog_frontier_root(&frontier, &root);
    if (verdict == AUDIT_GOOD && !tlog_hash_equal(&root, &newest->root))
        verdict = say(audit, AUDIT_CONVICTED, "the log's entries do not lead to its checkpoint");
    if (verdict == AUDIT_GOOD)
        verdict = check_tiles(audit, newest, tiles);
    if (verdict == AUDIT_GOOD)
        verdict = keep(audit, note, &added);
    if (verdict == AUDIT_GOOD) {
        audit->frontier = frontier;
        audit->seen = *newest;
    }
    sotto_buf_free(&added);
    return verdict;
}

static enum audit_verdict judge(struct audit *audit, sotto_bytes note)
{
    struct tlog_checkpoint newest;
    sotto_bytes text, signatures;
    enum tlog_verdict found;
    struct tlog_tiles *tiles = mem_alloc(audit->env, sizeof *tiles);
    if (tiles == NULL)
        return failed(audit, "the tiles", SOTTO_NO_MEMORY);
    tiles->fetch = fetch_tile;
    tiles->ctx = audit;
    enum audit_verdict verdict = AUDIT_FAILED;
    if (tlog_follow(note, &audit->key, &audit->seen, tiles, &newest, &text, &signatures, &found) ==
        SOTTO_OK) {
        if (found != TLOG_GOOD)
            verdict = convict(audit, found, &newest);
        else if (!has_quorum(audit, text, signatures))
            verdict =
                say(audit, AUDIT_CONVICTED,
                    "the checkpoint is not cosigned by %zu of the witnesses lately", audit->quorum);
        else
            verdict = check_newest(audit, &newest, tiles, note);
    }
    mem_free(audit->env, tiles, sizeof *tiles);
    return verdict;
}

enum audit_verdict audit_follow(struct audit *audit)
{
    sotto_buf note;
    enum audit_verdict verdict = AUDIT_FAILED;
    sotto_buf_init(&note, audit->env);
    sotto_error error = audit->get(audit->ctx, "checkpoint", TLOG_NOTE_MAX, &note, audit->problem);
    if (error == SOTTO_NOT_FOUND && audit->seen.size > 0)
        verdict = convict(audit, TLOG_GONE, NULL);
    else if (error == SOTTO_OK)
        verdict = judge(audit, sotto_buf_view(&note));
    if (verdict == AUDIT_CONVICTED)
        keep_evidence(audit, sotto_buf_view(&note));
    sotto_buf_free(&note);
    return verdict;
}
