#include "tlog/follow.h"

#include <inttypes.h>
#include <string.h>

const char *tlog_verdict_name(enum tlog_verdict verdict)
{
    static const char *const names[TLOG_VERDICTS] = {
        [TLOG_GOOD] = "good",     [TLOG_UNSIGNED] = "unsigned",   [TLOG_SHRUNK] = "shrunk",
        [TLOG_FORKED] = "forked", [TLOG_WITHHELD] = "withheld",   [TLOG_DIFFERENT] = "different",
        [TLOG_GONE] = "gone",     [TLOG_OTHER_KEY] = "other_key", [TLOG_BAD_ENTRY] = "bad_entry",
    };
    return names[verdict];
}

void tlog_verdict_say(enum tlog_verdict verdict, const struct tlog_checkpoint *seen,
                      const struct tlog_checkpoint *newest, char text[static TLOG_VERDICT_TEXT])
{
    static const char *const texts[TLOG_VERDICTS] = {
        [TLOG_GOOD] = "the log goes on from what was seen before",
        [TLOG_UNSIGNED] = "what the log gives out as its checkpoint is not signed by its key",
        [TLOG_WITHHELD] = "the log does not give out whole what its checkpoint promises",
        [TLOG_DIFFERENT] = "the log's tiles do not lead to its checkpoint",
        [TLOG_GONE] = "the log is gone",
        [TLOG_OTHER_KEY] = "the log has another key than was followed so far: it is another one",
        [TLOG_BAD_ENTRY] = "an entry of the log is not one that a log may have",
    };
    if (verdict == TLOG_SHRUNK)
        (void)snprintf(text, TLOG_VERDICT_TEXT,
                       "the log has %" PRIu64 " entries and had %" PRIu64
                       ": some were taken away again",
                       newest->size, seen->size);
    else if (verdict == TLOG_FORKED)
        (void)snprintf(text, TLOG_VERDICT_TEXT,
                       "the checkpoint of %" PRIu64 " entries does not continue the one of %" PRIu64
                       " that the log signed before: it was forked or rewritten",
                       newest->size, seen->size);
    else
        (void)snprintf(text, TLOG_VERDICT_TEXT, "%s", texts[verdict]);
}

/* What a proof from tiles came to: only what they could not give says something of the log. */
static sotto_error made(sotto_error error, bool shown, enum tlog_verdict otherwise,
                        enum tlog_verdict *verdict)
{
    if (error == SOTTO_NOT_FOUND || error == SOTTO_LENGTH) {
        *verdict = TLOG_WITHHELD;
        return SOTTO_OK;
    }
    if (error == SOTTO_OK)
        *verdict = shown ? TLOG_GOOD : otherwise;
    return error;
}

sotto_error tlog_follow_from(uint64_t size, const struct tlog_hash *root,
                             const struct tlog_checkpoint *newest, struct tlog_tiles *tiles,
                             enum tlog_verdict *verdict)
{
    struct tlog_hash proof[TLOG_PROOF_MAX];
    size_t count = 0;
    tiles->size = newest->size;
    sotto_error error =
        tlog_prove_consistency(tlog_tiles_read, tiles, size, newest->size, proof, &count);
    const bool shown = error == SOTTO_OK && tlog_check_consistency(size, root, newest->size,
                                                                   &newest->root, proof, count);
    return made(error, shown, TLOG_FORKED, verdict);
}

sotto_error tlog_follow_entry(uint64_t index, sotto_bytes entry,
                              const struct tlog_checkpoint *newest, struct tlog_tiles *tiles,
                              enum tlog_verdict *verdict)
{
    struct tlog_hash leaf, proof[TLOG_PROOF_MAX];
    size_t count = 0;
    tiles->size = newest->size;
    tlog_hash_leaf(entry, &leaf);
    sotto_error error =
        tlog_prove_inclusion(tlog_tiles_read, tiles, index, newest->size, proof, &count);
    const bool shown = error == SOTTO_OK && tlog_check_inclusion(index, newest->size, &leaf, proof,
                                                                 count, &newest->root);
    return made(error, shown, TLOG_DIFFERENT, verdict);
}

sotto_error tlog_follow(sotto_bytes note, const struct tlog_key *log,
                        const struct tlog_checkpoint *seen, struct tlog_tiles *tiles,
                        struct tlog_checkpoint *newest, sotto_bytes *text, sotto_bytes *signatures,
                        enum tlog_verdict *verdict)
{
    if (tlog_checkpoint_open(note, log, newest, text, signatures) != SOTTO_OK) {
        *verdict = TLOG_UNSIGNED;
        return SOTTO_OK;
    }
    if (newest->size < seen->size) {
        *verdict = TLOG_SHRUNK;
        return SOTTO_OK;
    }
    struct tlog_hash empty;
    tlog_hash_empty(&empty);
    return tlog_follow_from(seen->size, seen->size == 0 ? &empty : &seen->root, newest, tiles,
                            verdict);
}
