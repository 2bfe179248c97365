#include "core/notices.h"

#include <string.h>

#include <sodium.h>

#include "codec/writer.h"
#include "core/order_log.h"

enum {
    WAITING_MAX = 64, /* for the key of one log */
    LIST_PIECE = 100,
};

/* ---- Judging -------------------------------------------------------------------------------- */

sotto_error notices_read(struct sotto *core, sotto_bytes note, struct tlog_notice *notice)
{
    sotto_bytes text, signatures;
    TRY(tlog_note_split(note, &text, &signatures));
    return tlog_notice_read(text, core->env, notice);
}

static sotto_error hash_of(sotto_bytes note, uint8_t hash[static HASH_SIZE])
{
    sotto_bytes text, signatures;
    TRY(tlog_note_split(note, &text, &signatures));
    crypto_hash_sha256(hash, text.data, text.size);
    return SOTTO_OK;
}

/* OK: signed by that log, for this account. NOT_FOUND: it may be, but by another key, or of a kind
 * that this version does not know; key NULL: none is known. Else it is nothing. */
static sotto_error judge(struct sotto *core, sotto_bytes note, const struct tlog_key *key)
{
    sotto_bytes text, signatures;
    struct tlog_notice notice;
    TRY(tlog_note_split(note, &text, &signatures));
    if (key != NULL)
        TRY(tlog_note_check(text, signatures, key, NULL));
    sotto_error error = tlog_notice_read(text, core->env, &notice);
    if (error == SOTTO_VERSION)
        return SOTTO_NOT_FOUND;
    TRY(error);
    if ((notice.type == TLOG_LEAF_ORDER &&
         memcmp(notice.account, core->identity.account.bytes, ACCOUNT_ID_SIZE) != 0) ||
        (key != NULL && strcmp(notice.log, key->name) != 0))
        error = SOTTO_VALUE;
    else if (key == NULL)
        error = SOTTO_NOT_FOUND;
    tlog_notice_free(&notice);
    return error;
}

/* The key that the relay's log is held to. False: none. */
static sotto_error key_of(struct sotto *core, const char *relay, struct tlog_key *key, bool *known)
{
    struct arena arena;
    struct store_order_log row;
    *known = false;
    arena_init(&arena, core->env);
    sotto_error error = store_order_log_get(core->store, relay, &arena, &row);
    if (error == SOTTO_OK && row.key[0] != '\0')
        *known = tlog_key_read(sotto_bytes_str(row.key), key) == SOTTO_OK;
    arena_free(&arena);
    return error == SOTTO_NOT_FOUND ? SOTTO_OK : error;
}

static sotto_error add(struct sotto *core, const struct store_notice *notice, bool *added)
{
    TRY(store_notice_add(core->store, notice, added));
    return *added ? store_notices_limit(core->store, notice->relay) : SOTTO_OK;
}

/* ---- Records among one's own devices -------------------------------------------------------- */

static sotto_error notice_write(const struct store_notice *notice, sotto_buf *out)
{
    struct writer writer;
    writer_init(&writer, out);
    const size_t opened = own_record(&writer, OWN_NOTICE);
    writer_vector(&writer, sotto_bytes_str(notice->relay));
    writer_vector(&writer, notice->note);
    writer_u64(&writer, notice->received_s);
    writer_u8(&writer, notice->read);
    writer_close(&writer, opened);
    return writer_finish(&writer);
}

static sotto_error seen_write(const uint8_t hash[static HASH_SIZE], sotto_buf *out)
{
    struct writer writer;
    writer_init(&writer, out);
    const size_t opened = own_record(&writer, OWN_NOTICE_READ);
    writer_fixed(&writer, sotto_bytes_of(hash, HASH_SIZE));
    writer_close(&writer, opened);
    return writer_finish(&writer);
}

static sotto_error tell(struct sotto *core, const struct store_notice *notice)
{
    sotto_buf record;
    sotto_buf_init(&record, core->env);
    sotto_error error = notice_write(notice, &record);
    return own_tell(core, error, &record);
}

sotto_error notices_write(struct sotto *core, struct arena *arena, struct own_sink *sink)
{
    struct store_notice *notices = NULL;
    size_t count = 0;
    TRY(store_notices_after(core->store, 0, arena, &notices, &count));
    for (size_t i = 0; i < count; i++) {
        TRY(notice_write(&notices[i], &sink->records));
        TRY(own_sink_flush(sink, false));
    }
    return SOTTO_OK;
}

sotto_error notice_own_read(struct sotto *core, struct reader *reader, struct arena *arena)
{
    struct store_notice notice;
    struct tlog_key key;
    bool known = false, added = false;
    memset(&notice, 0, sizeof notice);
    notice.relay = own_text(reader, arena, WIRE_ADDRESS_MAX, "own.relay");
    notice.note = reader_vector(reader, TLOG_NOTE_MAX, "own.note");
    notice.received_s = reader_u64(reader, "own.received");
    notice.read = reader_u8(reader, "own.read") == 1;
    if (!reader_ok(reader))
        return reader->fault.error;
    TRY(key_of(core, notice.relay, &key, &known));
    /* A device of one's own has checked it; where this one can, it does so too. */
    sotto_error error = judge(core, notice.note, known ? &key : NULL);
    notice.good = error == SOTTO_OK || (error == SOTTO_NOT_FOUND && !known);
    if (error_is_local(error))
        return error;
    if (!notice.good || hash_of(notice.note, notice.hash) != SOTTO_OK)
        return SOTTO_OK;
    TRY(add(core, &notice, &added));
    if (added)
        order_log_notice(core, false);
    return notice.read ? store_notice_set_read(core->store, notice.hash) : SOTTO_OK;
}

sotto_error notice_seen_read(struct sotto *core, struct reader *reader)
{
    uint8_t hash[HASH_SIZE];
    reader_copy(reader, hash, sizeof hash, "own.notice");
    return reader_ok(reader) ? store_notice_set_read(core->store, hash) : reader->fault.error;
}

/* ---- Coming --------------------------------------------------------------------------------- */

/* One that waits is kept if there is room: without a key nothing says which one is real. */
static sotto_error make_room(struct sotto *core, const char *relay, bool known)
{
    struct arena arena;
    struct store_notice *waiting = NULL;
    size_t count = 0;
    arena_init(&arena, core->env);
    sotto_error error = store_notices_waiting(core->store, relay, &arena, &waiting, &count);
    if (error == SOTTO_OK && count >= WAITING_MAX)
        error = known ? store_notice_erase(core->store, waiting[0].number) : SOTTO_BUSY;
    arena_free(&arena);
    return error;
}

sotto_error notices_consider(struct sotto *core, sotto_bytes note, uint64_t now_s)
{
    struct store_notice notice;
    struct tlog_key key;
    bool known = false, added = false;
    memset(&notice, 0, sizeof notice);
    notice.relay = core->profile.relay;
    notice.note = note;
    notice.received_s = now_s;
    TRY(key_of(core, notice.relay, &key, &known));
    const sotto_error error = judge(core, note, known ? &key : NULL);
    notice.good = error == SOTTO_OK;
    if (error_is_local(error))
        return error;
    if ((!notice.good && error != SOTTO_NOT_FOUND) || hash_of(note, notice.hash) != SOTTO_OK)
        return SOTTO_OK;
    if (!notice.good)
        TRY(make_room(core, notice.relay, known));
    TRY(add(core, &notice, &added));
    if (added)
        TRY(tell(core, &notice));
    if (added || !known)
        order_log_notice(core, !known);
    return SOTTO_OK;
}

sotto_error notices_judge_waiting(struct sotto *core, const char *relay, const struct tlog_key *key)
{
    struct arena arena;
    struct store_notice *waiting = NULL;
    size_t count = 0;
    arena_init(&arena, core->env);
    sotto_error error = store_notices_waiting(core->store, relay, &arena, &waiting, &count);
    for (size_t i = 0; i < count && error == SOTTO_OK; i++) {
        const sotto_error judged = judge(core, waiting[i].note, key);
        if (judged == SOTTO_OK) {
            error = store_notice_set_good(core->store, waiting[i].number);
            if (error == SOTTO_OK)
                error = store_notices_limit(core->store, relay);
            if (error == SOTTO_OK)
                error = tell(core, &waiting[i]);
            order_log_notice(core, false);
        } else if (error_is_local(judged)) {
            error = judged;
        } else if (judged != SOTTO_NOT_FOUND) {
            error = store_notice_erase(core->store, waiting[i].number);
        }
    }
    arena_free(&arena);
    return error;
}

sotto_error notices_drop_waiting(struct sotto *core, const char *relay, int64_t up_to)
{
    struct arena arena;
    struct store_notice *waiting = NULL;
    size_t count = 0;
    arena_init(&arena, core->env);
    sotto_error error = store_notices_waiting(core->store, relay, &arena, &waiting, &count);
    for (size_t i = 0; i < count && error == SOTTO_OK; i++)
        if (waiting[i].number <= up_to)
            error = store_notice_erase(core->store, waiting[i].number);
    arena_free(&arena);
    return error;
}

/* ---- Showing -------------------------------------------------------------------------------- */

const char *sotto_notice_kind_name(enum sotto_notice_kind kind)
{
    return kind >= SOTTO_NOTICE_ORDER && kind <= SOTTO_NOTICE_STAYING
               ? tlog_leaf_type_name((enum tlog_leaf_type)kind)
               : "";
}

const char *sotto_notice_entry_name(enum sotto_notice_entry entry)
{
    static const char *const names[] = {"unchecked", "confirmed", "missing", "other"};
    return (size_t)entry < sizeof names / sizeof *names ? names[entry] : "";
}

sotto_error notices_show(struct sotto *core, const struct store_notice *stored,
                         sotto_notice_fn *each, void *ctx)
{
    struct tlog_notice said;
    struct sotto_notice shown;
    sotto_buf text;
    TRY(notices_read(core, stored->note, &said));
    memset(&shown, 0, sizeof shown);
    shown.number = stored->number;
    memcpy(shown.id.bytes, stored->hash, sizeof shown.id.bytes);
    shown.kind = (enum sotto_notice_kind)said.type;
    shown.received_s = stored->received_s;
    shown.read = stored->read;
    shown.relay = stored->relay;
    shown.log = said.log;
    shown.log_entry = said.entry;
    shown.entry = (enum sotto_notice_entry)stored->entry;
    shown.date = said.date;
    shown.jurisdiction = said.jurisdiction;
    if (said.type == TLOG_LEAF_ORDER) {
        shown.authority = tlog_authority_name(said.authority);
        shown.issuer = said.issuer;
        shown.reference = said.reference;
        shown.asked = said.asked;
        shown.gave_phone_number = said.phone_number;
        shown.gave_last_ip = said.last_ip;
        shown.legal_basis = said.basis;
        shown.reasons = said.reasons;
        shown.redress = said.redress;
        shown.reasons_withheld = said.reasons_withheld;
    } else {
        shown.on = said.on;
        shown.reason = said.reason;
    }
    sotto_buf_init(&text, core->env);
    sotto_error error = notice_text(&shown, &text);
    shown.text = (const char *)text.data;
    if (error == SOTTO_OK)
        each(ctx, &shown);
    sotto_buf_free(&text);
    tlog_notice_free(&said);
    return error;
}

static sotto_error no_such(struct sotto *core)
{
    return problem_set(&core->problem, SOTTO_NOT_FOUND, SOTTO_CODE_NOT_FOUND,
                       "See which there are: sotto notices", "There is no such notice.");
}

sotto_error sotto_notices(struct sotto *core, uint64_t offset, uint64_t limit, bool unread,
                          uint64_t *total, sotto_notice_fn *each, void *ctx)
{
    struct arena arena;
    struct store_notice *notices = NULL;
    size_t count = 0;
    arena_init(&arena, core->env);
    sotto_error error = store_notices(core->store, offset, limit, unread, &arena, &notices, &count);
    if (error == SOTTO_OK && total != NULL)
        error = store_notices_count(core->store, unread, total);
    for (size_t i = 0; i < count && error == SOTTO_OK; i++)
        error = notices_show(core, &notices[i], each, ctx);
    arena_free(&arena);
    return error == SOTTO_OK ? error : core_store_problem(core, error, "reading the notices");
}

sotto_error sotto_notice(struct sotto *core, const struct sotto_id *id, sotto_notice_fn *each,
                         void *ctx)
{
    struct arena arena;
    struct store_notice notice;
    arena_init(&arena, core->env);
    sotto_error error = store_notice_get(core->store, id->bytes, &arena, &notice);
    if (error == SOTTO_OK)
        error = notices_show(core, &notice, each, ctx);
    arena_free(&arena);
    if (error == SOTTO_NOT_FOUND)
        return no_such(core);
    return error == SOTTO_OK ? error : core_store_problem(core, error, "reading the notice");
}

/* Inside a transaction. */
static sotto_error mark_read(struct sotto *core, const struct store_notice *notice)
{
    sotto_buf record;
    if (notice->read)
        return SOTTO_OK;
    sotto_buf_init(&record, core->env);
    sotto_error error = store_notice_set_read(core->store, notice->hash);
    if (error == SOTTO_OK)
        error = seen_write(notice->hash, &record);
    return own_tell(core, error, &record);
}

/* Inside a transaction. Those that come meanwhile stay unread. */
static sotto_error mark_all(struct sotto *core, struct arena *arena)
{
    struct store_notice *notices = NULL;
    size_t count = LIST_PIECE;
    while (count == LIST_PIECE) {
        TRY(store_notices(core->store, 0, LIST_PIECE, true, arena, &notices, &count));
        for (size_t i = 0; i < count; i++)
            TRY(mark_read(core, &notices[i]));
    }
    return SOTTO_OK;
}

sotto_error sotto_notice_mark_read(struct sotto *core, int64_t number)
{
    struct arena arena;
    struct store_notice notice;
    TRY(core_need_account(core));
    arena_init(&arena, core->env);
    sotto_error error = store_begin(core->store);
    if (error == SOTTO_OK && number == 0)
        error = mark_all(core, &arena);
    else if (error == SOTTO_OK) {
        error = store_notice_numbered(core->store, number, &arena, &notice);
        if (error == SOTTO_OK)
            error = mark_read(core, &notice);
    }
    if (error == SOTTO_OK)
        error = store_commit(core->store);
    if (error != SOTTO_OK)
        store_rollback(core->store);
    arena_free(&arena);
    if (error == SOTTO_NOT_FOUND)
        return no_such(core);
    return error == SOTTO_OK ? error : core_store_problem(core, error, "marking the notice");
}
