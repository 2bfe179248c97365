/* What another log, witness or relay may send: notes, checkpoints, keys, paths, bundles, notices.
 */
#include <string.h>

#include "tlog/checkpoint.h"
#include "tlog/leaf.h"
#include "tlog/notice.h"
#include "tlog/tile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_note(sotto_bytes input)
{
    sotto_bytes text, signatures;
    struct tlog_checkpoint checkpoint, again;
    struct tlog_key key;
    const uint8_t public_key[32] = {1};
    BUG_UNLESS(tlog_key_make("a", TLOG_KEY_WITNESS, public_key, &key) == SOTTO_OK);
    if (tlog_note_split(input, &text, &signatures) != SOTTO_OK)
        return;
    BUG_UNLESS(text.size + 1 + signatures.size == input.size);
    (void)tlog_note_check(text, signatures, &key, NULL);
    if (tlog_checkpoint_read(text, &checkpoint) != SOTTO_OK)
        return;
    /* Without extension lines there is one text for a checkpoint. */
    sotto_buf written;
    sotto_buf_init(&written, sotto_env_system());
    BUG_UNLESS(tlog_checkpoint_write(&checkpoint, &written) == SOTTO_OK);
    BUG_UNLESS(written.size <= text.size && memcmp(written.data, text.data, written.size) == 0);
    BUG_UNLESS(tlog_checkpoint_read(sotto_buf_view(&written), &again) == SOTTO_OK);
    sotto_buf_free(&written);
}

static void check_key(sotto_bytes input)
{
    struct tlog_key key;
    char text[TLOG_KEY_TEXT_MAX + 1];
    if (tlog_key_read(input, &key) != SOTTO_OK)
        return;
    tlog_key_write(&key, text);
    BUG_UNLESS(sotto_bytes_equal(sotto_bytes_str(text), input));
}

static void check_tile(sotto_bytes input)
{
    struct tlog_tile tile;
    char path[TLOG_TILE_PATH_MAX];
    if (tlog_tile_parse(input, &tile) != SOTTO_OK)
        return;
    tlog_tile_path(&tile, path);
    BUG_UNLESS(sotto_bytes_equal(sotto_bytes_str(path), input));
}

static void check_bundle(sotto_bytes input)
{
    sotto_bytes entry, rest = input;
    sotto_buf again;
    sotto_buf_init(&again, sotto_env_system());
    while (tlog_bundle_take(&rest, &entry) == SOTTO_OK)
        BUG_UNLESS(tlog_bundle_put(&again, entry) == SOTTO_OK);
    BUG_UNLESS(again.size + rest.size == input.size);
    sotto_buf_free(&again);
}

static void check_leaf(sotto_bytes input)
{
    struct tlog_leaf leaf;
    sotto_buf again;
    sotto_buf_init(&again, sotto_env_system());
    if (tlog_leaf_read(input, &leaf) == SOTTO_OK) {
        BUG_UNLESS(tlog_leaf_write(&leaf, &again) == SOTTO_OK);
        BUG_UNLESS(sotto_bytes_equal(sotto_buf_view(&again), input));
    }
    sotto_buf_free(&again);
}

static void check_notice(sotto_bytes input)
{
    struct tlog_notice notice;
    sotto_buf again;
    sotto_buf_init(&again, sotto_env_system());
    if (tlog_notice_read(input, sotto_env_system(), &notice) == SOTTO_OK) {
        BUG_UNLESS(tlog_notice_write(&notice, &again) == SOTTO_OK);
        BUG_UNLESS(sotto_bytes_equal(sotto_buf_view(&again), input));
        tlog_notice_free(&notice);
    }
    sotto_buf_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const sotto_bytes input = sotto_bytes_of(data, size);
    check_note(input);
    check_key(input);
    check_tile(input);
    check_bundle(input);
    check_leaf(input);
    check_notice(input);
    return 0;
}
