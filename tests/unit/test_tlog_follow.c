/* Following a log that grows, shrinks, forks, lies and hides; and the notices that it signs. */
#include <inttypes.h>
#include <string.h>

#include <sodium.h>

#include "tlog/follow.h"
#include "tlog/notice.h"
#include "unit/check.h"

enum { ENTRIES = 600 };

/* A log of entries "NAME 0", "NAME 1", ...: from `from` on of another name, which is a fork. */
struct log {
    struct tlog_key key;
    uint8_t secret[TLOG_SECRET_SIZE];
    const char *name, *other;
    uint64_t fork;
    bool hides, cuts;
    unsigned spoils; /* 1 + the level of the tile that has a wrong hash; 0: none has */
};

static void leaf_of(const struct log *log, uint64_t index, struct tlog_hash *out)
{
    char text[64];
    (void)snprintf(text, sizeof text, "%s %" PRIu64, index < log->fork ? log->name : log->other,
                   index);
    tlog_hash_leaf(sotto_bytes_str(text), out);
}

static sotto_error read_leaves(void *ctx, unsigned level, uint64_t index, struct tlog_hash *out)
{
    struct tlog_hash right;
    if (level == 0) {
        leaf_of(ctx, index, out);
        return SOTTO_OK;
    }
    TRY(read_leaves(ctx, level - 1, 2 * index, out));
    TRY(read_leaves(ctx, level - 1, 2 * index + 1, &right));
    tlog_hash_node(out, &right, out);
    return SOTTO_OK;
}

static sotto_error fetch(void *ctx, const struct tlog_tile *tile,
                         uint8_t out[static TLOG_TILE_SIZE])
{
    struct log *log = ctx;
    if (log->hides)
        return SOTTO_NOT_FOUND;
    if (log->cuts)
        return SOTTO_LENGTH;
    for (unsigned i = 0; i < tile->width; i++) {
        struct tlog_hash hash;
        TRY(read_leaves(log, TLOG_TILE_HEIGHT * tile->level, tile->index * TLOG_TILE_WIDTH + i,
                        &hash));
        memcpy(out + (size_t)i * TLOG_HASH_SIZE, hash.bytes, TLOG_HASH_SIZE);
    }
    if (log->spoils == tile->level + 1)
        out[0] ^= 1;
    return SOTTO_OK;
}

static void log_make(struct log *log, const char *name)
{
    uint8_t public_key[32];
    memset(log, 0, sizeof *log);
    log->name = log->other = name;
    log->fork = UINT64_MAX;
    crypto_sign_keypair(public_key, log->secret);
    assert_ok(tlog_key_make("relay.example/orders", TLOG_KEY_LOG, public_key, &log->key));
}

static struct tlog_checkpoint at(struct log *log, uint64_t size)
{
    struct tlog_checkpoint checkpoint = {.size = size};
    strcpy(checkpoint.origin, log->key.name);
    assert_ok(tlog_root(read_leaves, log, size, &checkpoint.root));
    return checkpoint;
}

static void sign(const struct log *log, const struct tlog_checkpoint *checkpoint, sotto_buf *note)
{
    sotto_buf text;
    sotto_buf_init(&text, sotto_env_system());
    sotto_buf_init(note, sotto_env_system());
    assert_ok(tlog_checkpoint_write(checkpoint, &text));
    assert_ok(sotto_buf_append(note, text.data, text.size));
    assert_ok(sotto_buf_append(note, (const uint8_t *)"\n", 1));
    assert_ok(tlog_note_sign(sotto_buf_view(&text), &log->key, log->secret, note));
    sotto_buf_free(&text);
}

/* What somebody who saw `seen` makes of what the log signs at that size. */
static enum tlog_verdict followed(struct log *log, const struct tlog_key *key,
                                  const struct tlog_checkpoint *seen, uint64_t size)
{
    static struct tlog_tiles tiles;
    struct tlog_checkpoint newest, now = at(log, size);
    enum tlog_verdict verdict = TLOG_VERDICTS;
    char said[TLOG_VERDICT_TEXT];
    sotto_buf note;
    sign(log, &now, &note);
    memset(&tiles, 0, sizeof tiles);
    tiles.fetch = fetch;
    tiles.ctx = log;
    assert_ok(tlog_follow(sotto_buf_view(&note), key, seen, &tiles, &newest, NULL, NULL, &verdict));
    if (verdict == TLOG_GOOD)
        assert_memory_equal(&newest, &now, sizeof now);
    tlog_verdict_say(verdict, seen, &now, said);
    assert_true(said[0] != '\0');
    sotto_buf_free(&note);
    return verdict;
}

static const uint64_t sizes[] = {0, 1, 2, 3, 7, 8, 255, 256, 257, 300, 511, 512, 513, ENTRIES};
enum { SIZES = sizeof sizes / sizeof *sizes };

static void an_honest_log_is_followed_from_any_size_to_any_later_one(void **state)
{
    (void)state;
    struct log log;
    log_make(&log, "entry");
    for (size_t i = 0; i < SIZES; i++)
        for (size_t k = i; k < SIZES; k++) {
            const struct tlog_checkpoint seen = at(&log, sizes[i]);
            assert_int_equal(followed(&log, &log.key, &seen, sizes[k]), TLOG_GOOD);
        }
}

static void a_log_that_loses_entries_is_convicted(void **state)
{
    (void)state;
    struct log log;
    log_make(&log, "entry");
    for (size_t i = 1; i < SIZES; i++) {
        const struct tlog_checkpoint seen = at(&log, sizes[i]);
        assert_int_equal(followed(&log, &log.key, &seen, sizes[i - 1]), TLOG_SHRUNK);
    }
}

static void a_log_that_is_rewritten_anywhere_is_convicted(void **state)
{
    (void)state;
    struct log log;
    log_make(&log, "entry");
    for (size_t i = 1; i < SIZES; i++)
        for (size_t k = i; k < SIZES; k++) {
            struct tlog_checkpoint seen = at(&log, sizes[i]);
            struct log forked = log;
            forked.other = "another";
            forked.fork = sizes[i] - 1; /* the last one that was seen */
            assert_int_equal(followed(&forked, &log.key, &seen, sizes[k]), TLOG_FORKED);
            forked.fork = 0;
            assert_int_equal(followed(&forked, &log.key, &seen, sizes[k]), TLOG_FORKED);
            forked.fork = sizes[i]; /* nothing that was seen: that is no fork */
            assert_int_equal(followed(&forked, &log.key, &seen, sizes[k]), TLOG_GOOD);
        }
}

static void a_log_that_hides_or_spoils_its_tiles_is_convicted(void **state)
{
    (void)state;
    struct log log;
    log_make(&log, "entry");
    const struct tlog_checkpoint seen = at(&log, 257);
    log.hides = true;
    assert_int_equal(followed(&log, &log.key, &seen, ENTRIES), TLOG_WITHHELD);
    log.hides = false;
    log.cuts = true;
    assert_int_equal(followed(&log, &log.key, &seen, ENTRIES), TLOG_WITHHELD);
    log.cuts = false;
    log.spoils = 2;
    assert_int_equal(followed(&log, &log.key, &seen, ENTRIES), TLOG_FORKED);
}

static void what_its_key_did_not_sign_is_not_the_logs(void **state)
{
    (void)state;
    struct log log, other;
    struct tlog_checkpoint newest;
    const struct tlog_checkpoint none = {.size = 0};
    enum tlog_verdict verdict;
    log_make(&log, "entry");
    log_make(&other, "entry");
    assert_int_equal(followed(&other, &log.key, &none, 3), TLOG_UNSIGNED);
    struct tlog_checkpoint elsewhere = at(&log, 3);
    strcpy(elsewhere.origin, "relay.example/else"); /* signed well, but another log's */
    sotto_buf note;
    sign(&log, &elsewhere, &note);
    struct tlog_tiles *tiles = calloc(1, sizeof *tiles);
    assert_non_null(tiles);
    tiles->fetch = fetch;
    tiles->ctx = &log;
    assert_ok(
        tlog_follow(sotto_buf_view(&note), &log.key, &none, tiles, &newest, NULL, NULL, &verdict));
    assert_int_equal(verdict, TLOG_UNSIGNED);
    assert_ok(tlog_follow(sotto_bytes_str("nonsense"), &log.key, &none, tiles, &newest, NULL, NULL,
                          &verdict));
    assert_int_equal(verdict, TLOG_UNSIGNED);
    free(tiles);
    sotto_buf_free(&note);
}

static void an_entry_is_found_in_its_place_and_nowhere_else(void **state)
{
    (void)state;
    struct log log;
    enum tlog_verdict verdict;
    log_make(&log, "entry");
    const struct tlog_checkpoint newest = at(&log, ENTRIES);
    struct tlog_tiles *tiles = calloc(1, sizeof *tiles);
    assert_non_null(tiles);
    tiles->fetch = fetch;
    tiles->ctx = &log;
    for (uint64_t i = 0; i < ENTRIES; i += 37) {
        char text[32];
        (void)snprintf(text, sizeof text, "entry %" PRIu64, i);
        assert_ok(tlog_follow_entry(i, sotto_bytes_str(text), &newest, tiles, &verdict));
        assert_int_equal(verdict, TLOG_GOOD);
        assert_ok(tlog_follow_entry(i + 1 < ENTRIES ? i + 1 : 0, sotto_bytes_str(text), &newest,
                                    tiles, &verdict));
        assert_int_equal(verdict, TLOG_DIFFERENT);
    }
    memset(tiles->kept, 0, sizeof tiles->kept);
    log.hides = true;
    assert_ok(tlog_follow_entry(1, sotto_bytes_str("entry 1"), &newest, tiles, &verdict));
    assert_int_equal(verdict, TLOG_WITHHELD);
    free(tiles);
}

/* ---- Notices -------------------------------------------------------------------------------- */

static struct tlog_notice told(void)
{
    return (struct tlog_notice){.type = TLOG_LEAF_ORDER,
                                .account = {1, 2, 3},
                                .log = "relay.example/orders",
                                .entry = 12,
                                .date = "2026-11-26",
                                .jurisdiction = "DE",
                                .authority = TLOG_AUTHORITY_COURT,
                                .outcome = TLOG_ANSWERED,
                                .phone_number = true,
                                .asked = "phone_number\nmessages",
                                .issuer = "Amtsgericht Mitte",
                                .reference = "12 Gs 345/26",
                                .basis = "Article 10",
                                .reasons = "\nSuspicion\n\nof fraud.\n",
                                .redress = "> Complain."};
}

static void is_same(const struct tlog_notice *read, const struct tlog_notice *told_)
{
    assert_int_equal(read->type, told_->type);
    assert_memory_equal(read->account, told_->account, sizeof read->account);
    assert_string_equal(read->log, told_->log);
    assert_int_equal(read->entry, told_->entry);
    assert_string_equal(read->date, told_->date);
    if (told_->type != TLOG_LEAF_ORDER) {
        assert_string_equal(read->on, told_->on);
        assert_string_equal(read->reason, told_->reason);
        return;
    }
    assert_true(read->phone_number == told_->phone_number && read->last_ip == told_->last_ip);
    assert_string_equal(read->asked, told_->asked);
    assert_string_equal(read->issuer, told_->issuer);
    assert_string_equal(read->reference, told_->reference);
    assert_string_equal(read->basis, told_->basis);
    assert_string_equal(read->reasons, told_->reasons);
    assert_string_equal(read->redress, told_->redress);
    assert_int_equal(read->reasons_withheld, told_->reasons_withheld);
}

static void a_notice_has_one_text(void **state)
{
    (void)state;
    struct tlog_notice notice = told(), read;
    sotto_buf text, again;
    sotto_buf_init(&text, sotto_env_system());
    sotto_buf_init(&again, sotto_env_system());
    assert_ok(tlog_notice_write(&notice, &text));
    static const char expected[] =
        "sotto notice v1\ntype order\naccount "
        "0102030000000000000000000000000000000000000000000000000000000000\n"
        "log relay.example/orders\nentry 12\ndate 2026-11-26\njurisdiction DE\nauthority court\n"
        "outcome answered\ngiven phone_number\nasked\n> phone_number\n> messages\nissuer\n"
        "> Amtsgericht Mitte\nreference\n> 12 Gs 345/26\nbasis\n> Article 10\nreasons\n> \n"
        "> Suspicion\n> \n> of fraud.\n> \nredress\n> > Complain.\n";
    assert_int_equal(text.size, sizeof expected - 1);
    assert_memory_equal(text.data, expected, text.size);
    assert_ok(tlog_notice_read(sotto_buf_view(&text), sotto_env_system(), &read));
    is_same(&read, &notice);
    tlog_notice_free(&read);
    /* Whatever is changed is refused, or is the one text of something else. */
    for (size_t i = 0; i < text.size; i++) {
        const uint8_t kept = text.data[i];
        for (unsigned value = 0; value < 256; value += 5) {
            text.data[i] = (uint8_t)value;
            if (tlog_notice_read(sotto_buf_view(&text), sotto_env_system(), &read) != SOTTO_OK)
                continue;
            sotto_buf_clear(&again);
            assert_ok(tlog_notice_write(&read, &again));
            assert_true(sotto_bytes_equal(sotto_buf_view(&again), sotto_buf_view(&text)));
            tlog_notice_free(&read);
        }
        text.data[i] = kept;
    }
    for (size_t size = 0; size < text.size; size++)
        assert_int_not_equal(
            tlog_notice_read(sotto_bytes_of(text.data, size), sotto_env_system(), &read), SOTTO_OK);
    sotto_buf_clear(&text);
    notice.reasons_withheld = true;
    notice.reasons = "An\tinvestigation\x7f";
    assert_ok(tlog_notice_write(&notice, &text));
    assert_ok(tlog_notice_read(sotto_buf_view(&text), sotto_env_system(), &read));
    assert_string_equal(read.reasons, "An investigation ");
    assert_true(read.reasons_withheld);
    tlog_notice_free(&read);
    sotto_buf_clear(&text);
    notice = (struct tlog_notice){.type = TLOG_LEAF_WITHDRAWAL,
                                  .log = "relay.example/orders",
                                  .entry = 0,
                                  .date = "2026-11-26",
                                  .jurisdiction = "GB",
                                  .on = "2027-02-28",
                                  .reason = "A back door was ordered."};
    assert_ok(tlog_notice_write(&notice, &text));
    static const char leaving[] = "sotto notice v1\ntype withdrawal\nlog relay.example/orders\n"
                                  "entry 0\ndate 2026-11-26\njurisdiction GB\non 2027-02-28\n"
                                  "reason\n> A back door was ordered.\n";
    assert_int_equal(text.size, sizeof leaving - 1);
    assert_memory_equal(text.data, leaving, text.size);
    assert_ok(tlog_notice_read(sotto_buf_view(&text), sotto_env_system(), &read));
    is_same(&read, &notice);
    tlog_notice_free(&read);
    sotto_buf_clear(&text);
    notice.type = TLOG_LEAF_STAYING;
    notice.reason = "";
    assert_ok(tlog_notice_write(&notice, &text));
    assert_ok(tlog_notice_read(sotto_buf_view(&text), sotto_env_system(), &read));
    is_same(&read, &notice);
    tlog_notice_free(&read);
    notice.type = TLOG_LEAF_LEFT; /* nobody is there who could be told */
    assert_error(tlog_notice_write(&notice, &text), VALUE);
    sotto_buf_free(&text);
    sotto_buf_free(&again);
}

static void what_is_no_notice_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "sotto notice v1\n", "sotto notice v1\ntype order\n",
                                        "sotto notice v1\norder\nOn 2026-11-26 this relay\n"};
    struct tlog_notice read, notice = told();
    sotto_buf text;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_int_not_equal(tlog_notice_read(sotto_bytes_str(texts[i]), sotto_env_system(), &read),
                             SOTTO_OK);
    assert_error(tlog_notice_read(sotto_bytes_str("sotto notice v2\n"), sotto_env_system(), &read),
                 VERSION);
    assert_error(
        tlog_notice_read(sotto_bytes_str("sotto notice v1\ntype x\n"), sotto_env_system(), &read),
        VERSION);
    sotto_buf_init(&text, sotto_env_system());
    notice.outcome = TLOG_NOT_HELD; /* and yet a number was given */
    assert_error(tlog_notice_write(&notice, &text), VALUE);
    notice = told();
    notice.authority = TLOG_AUTHORITY_UNKNOWN;
    assert_error(tlog_notice_write(&notice, &text), VALUE);
    notice = told();
    strcpy(notice.log, "two words");
    assert_error(tlog_notice_write(&notice, &text), VALUE);
    assert_int_equal(text.size, 0);
    char *large = malloc(TLOG_NOTICE_MAX + 1);
    assert_non_null(large);
    memset(large, 'x', TLOG_NOTICE_MAX);
    large[TLOG_NOTICE_MAX] = '\0';
    notice = told();
    notice.reasons = large;
    assert_error(tlog_notice_write(&notice, &text), VALUE);
    free(large);
    sotto_buf_free(&text);
}

static void a_notice_matches_its_entry_alone(void **state)
{
    (void)state;
    const struct tlog_notice notice = told();
    const struct tlog_leaf good = {.type = TLOG_LEAF_ORDER,
                                   .date = "2026-11-26",
                                   .jurisdiction = "DE",
                                   .authority = TLOG_AUTHORITY_COURT,
                                   .outcome = TLOG_ANSWERED,
                                   .phone_number = true};
    assert_true(tlog_notice_matches(&notice, &good));
    struct tlog_leaf leaf = good;
    leaf.last_ip = true;
    assert_false(tlog_notice_matches(&notice, &leaf));
    leaf = good;
    leaf.authority = TLOG_AUTHORITY_POLICE;
    assert_false(tlog_notice_matches(&notice, &leaf));
    leaf = good;
    memcpy(leaf.date, "2026-11-27", 11);
    assert_false(tlog_notice_matches(&notice, &leaf));
    leaf = good;
    leaf.outcome = TLOG_REFUSED;
    leaf.phone_number = false;
    assert_false(tlog_notice_matches(&notice, &leaf));
    leaf.type = TLOG_LEAF_WITHDRAWAL;
    assert_false(tlog_notice_matches(&notice, &leaf));
}

static int begin(void **state)
{
    (void)state;
    return sodium_init() < 0 ? -1 : 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_honest_log_is_followed_from_any_size_to_any_later_one),
        cmocka_unit_test(a_log_that_loses_entries_is_convicted),
        cmocka_unit_test(a_log_that_is_rewritten_anywhere_is_convicted),
        cmocka_unit_test(a_log_that_hides_or_spoils_its_tiles_is_convicted),
        cmocka_unit_test(what_its_key_did_not_sign_is_not_the_logs),
        cmocka_unit_test(an_entry_is_found_in_its_place_and_nowhere_else),
        cmocka_unit_test(a_notice_has_one_text),
        cmocka_unit_test(what_is_no_notice_is_refused),
        cmocka_unit_test(a_notice_matches_its_entry_alone),
    };
    return cmocka_run_group_tests_name("tlog_follow", tests, begin, NULL);
}
