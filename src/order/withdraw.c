#include "order/withdraw.h"

#include <errno.h>
#include <string.h>

#include "order/affected.h"
#include "tlog/folder.h"
#include "tlog/notice.h"

static uint64_t now_of(const struct office *office)
{
    return office->env->now(office->env->ctx);
}

static void date_of(uint64_t time_s, char date[static 11])
{
    char time[ORDER_TIME_TEXT];
    order_time_write(time_s, time);
    memcpy(date, time, 10);
    date[10] = '\0';
}

/* ---- The file for the relay ----------------------------------------------------------------- */

static const char *folder_of(const struct office *office, char path[static PATH_MAX])
{
    snprintf(path, PATH_MAX, "%s/withdrawals", office->folder);
    return path;
}

/* What all who are affected are told, signed. */
static sotto_error put_notice(struct office *office, const struct withdrawal_record *record,
                              bool staying, sotto_buf *out)
{
    sotto_buf text;
    struct tlog_notice notice = {
        .type = staying ? TLOG_LEAF_STAYING : TLOG_LEAF_WITHDRAWAL,
        .entry = (uint64_t)(staying ? record->end_leaf : record->leaf),
        .reason = staying ? record->end_reason : record->reason,
    };
    memcpy(notice.log, office->key.name, sizeof notice.log);
    date_of(staying ? record->ended_s : record->announced_s, notice.date);
    memcpy(notice.jurisdiction, record->jurisdiction, sizeof notice.jurisdiction);
    memcpy(notice.on, record->on, sizeof notice.on);
    sotto_buf_init(&text, office->env);
    sotto_error error = tlog_notice_write(&notice, &text);
    if (error == SOTTO_OK)
        error = office_sign(office, sotto_buf_view(&text), out);
    sotto_buf_free(&text);
    return error;
}

/* The record's file anew: the same facts, and the notice that fits. It is the same for the same
 * record, byte by byte. withdrawal: whom it concerns. */
static sotto_error make_file(struct office *office, struct withdrawal_record *record,
                             struct withdrawal *withdrawal, bool staying)
{
    sotto_buf notice;
    sotto_buf_init(&notice, office->env);
    sotto_error error = put_notice(office, record, staying, &notice);
    withdrawal->staying = staying;
    withdrawal->notice = sotto_buf_view(&notice);
    sotto_buf_clear(&record->file);
    if (error == SOTTO_OK)
        error = withdrawal_write(withdrawal, &record->file);
    sotto_buf_free(&notice);
    withdrawal->notice = sotto_bytes_of(NULL, 0);
    return error;
}

/* The same from the record's own file. */
static sotto_error turn_file(struct office *office, struct withdrawal_record *record, bool staying)
{
    struct withdrawal *withdrawal = mem_alloc(office->env, sizeof *withdrawal);
    if (withdrawal == NULL)
        return SOTTO_NO_MEMORY;
    sotto_error error = withdrawal_read(sotto_buf_view(&record->file), withdrawal);
    if (error == SOTTO_OK)
        error = make_file(office, record, withdrawal, staying);
    mem_free(office->env, withdrawal, sizeof *withdrawal);
    return error;
}

/* Whether the relay has the record's file. */
static bool is_there(struct office *office, const struct withdrawal_record *record)
{
    char path[PATH_MAX], name[WITHDRAWAL_NAME];
    sotto_buf there;
    sotto_buf_init(&there, office->env);
    withdrawal_name(record->id, false, name);
    const bool same =
        tlog_folder_get(folder_of(office, path), name, WITHDRAWAL_FILE_MAX, &there) == SOTTO_OK &&
        sotto_bytes_equal(sotto_buf_view(&there), sotto_buf_view(&record->file));
    sotto_buf_free(&there);
    return same;
}

static sotto_error put_file(struct office *office, const struct withdrawal_record *record)
{
    char path[PATH_MAX], name[WITHDRAWAL_NAME];
    if (is_there(office, record))
        return SOTTO_OK;
    withdrawal_name(record->id, false, name);
    const sotto_error error =
        tlog_folder_put(folder_of(office, path), name, sotto_buf_view(&record->file));
    return error == SOTTO_OK
               ? error
               : office_fail(office, error, "the withdrawal cannot be handed over: %s",
                             strerror(errno));
}

/* ---- Entries of the log --------------------------------------------------------------------- */

static sotto_error put_entry(const struct withdrawal_record *record, enum tlog_leaf_type type,
                             uint64_t time_s, const char *reason, sotto_buf *entry)
{
    struct tlog_leaf leaf = {.type = type};
    date_of(time_s, leaf.date);
    memcpy(leaf.jurisdiction, record->jurisdiction, sizeof leaf.jurisdiction);
    memcpy(leaf.on, record->on, sizeof leaf.on);
    snprintf(leaf.reason, sizeof leaf.reason, "%s", reason);
    return tlog_leaf_write(&leaf, entry);
}

struct making {
    struct office *office;
    struct withdrawal *withdrawal;
};

static sotto_error make_announced(void *ctx, uint64_t index, struct withdrawal_record *record,
                                  sotto_buf *entry)
{
    const struct making *making = ctx;
    record->leaf = (int64_t)index;
    TRY(put_entry(record, TLOG_LEAF_WITHDRAWAL, record->announced_s, record->reason, entry));
    return make_file(making->office, record, making->withdrawal, false);
}

static sotto_error make_staying(void *ctx, uint64_t index, struct withdrawal_record *record,
                                sotto_buf *entry)
{
    const struct making *making = ctx;
    record->stage = WITHDRAWAL_STAGE_STAYING;
    TRY(put_entry(record, TLOG_LEAF_STAYING, record->ended_s, record->end_reason, entry));
    if (record->end_leaf == (int64_t)index)
        return SOTTO_OK;
    record->end_leaf = (int64_t)index; /* other entries came before this one */
    return turn_file(making->office, record, true);
}

static sotto_error make_left(void *ctx, uint64_t index, struct withdrawal_record *record,
                             sotto_buf *entry)
{
    (void)ctx;
    record->stage = WITHDRAWAL_STAGE_LEFT;
    record->end_leaf = (int64_t)index;
    return put_entry(record, TLOG_LEAF_LEFT, record->ended_s, record->reason, entry);
}

/* ---- All of them ---------------------------------------------------------------------------- */

typedef sotto_error each_fn(struct office *office, struct withdrawal_record *record, void *ctx);

static sotto_error each_record(struct office *office, each_fn *each, void *ctx)
{
    struct withdrawal_record record;
    memset(&record, 0, sizeof record);
    sotto_buf_init(&record.file, office->env);
    sotto_error error = SOTTO_OK;
    for (size_t i = 0; error == SOTTO_OK; i++) {
        error = office_of_records(office, records_withdrawal_get(&office->records, i, &record));
        if (error == SOTTO_OK)
            error = each(office, &record, ctx);
    }
    sotto_buf_free(&record.file);
    return error == SOTTO_NOT_FOUND ? SOTTO_OK : error;
}

/* ---- Announcing ----------------------------------------------------------------------------- */

struct counting {
    const char *jurisdiction;
    size_t count;
    bool open, left;
};

static sotto_error count(struct office *office, struct withdrawal_record *record, void *ctx)
{
    (void)office;
    struct counting *counting = ctx;
    const bool same = strcmp(record->jurisdiction, counting->jurisdiction) == 0;
    counting->count++;
    counting->left = counting->left || (same && record->stage == WITHDRAWAL_STAGE_LEFT);
    counting->open = counting->open || (same && record->stage <= WITHDRAWAL_STAGE_RETURNING);
    return SOTTO_OK;
}

sotto_error withdraw_announce(struct office *office, struct withdrawal *withdrawal,
                              const char *reason, struct withdrawal_record *record)
{
    struct counting counting = {withdrawal->jurisdiction, 0, false, false};
    struct making making = {office, withdrawal};
    TRY(each_record(office, count, &counting));
    if (counting.open || counting.left)
        return office_fail(office, SOTTO_EXISTS,
                           counting.left
                               ? "this relay has left %s already"
                               : "the withdrawal from %s is announced already: `sottod withdraw "
                                 "list` shows it, --cancel takes it back",
                           withdrawal->jurisdiction);
    if (counting.count >= WITHDRAWALS_MAX)
        return office_fail(office, SOTTO_LIMIT, "%d withdrawals are recorded, and no more can be",
                           WITHDRAWALS_MAX);
    TRY(office->env->random(office->env->ctx, withdrawal->id, sizeof withdrawal->id));
    memcpy(record->id, withdrawal->id, sizeof record->id);
    memcpy(record->jurisdiction, withdrawal->jurisdiction, sizeof record->jurisdiction);
    memcpy(record->on, withdrawal->on, sizeof record->on);
    snprintf(record->reason, sizeof record->reason, "%s", reason);
    record->stage = WITHDRAWAL_STAGE_ANNOUNCED;
    record->announced_s = now_of(office);
    record->end_leaf = -1;
    const sotto_error error = records_withdrawal_log(&office->records, record, record->announced_s,
                                                     make_announced, &making);
    if (error == SOTTO_VALUE)
        return office_fail(office, error, "the reason has to be one line of at most %d bytes",
                           TLOG_LEAF_REASON_MAX);
    return office_of_records(office, error);
}

/* ---- Taking it back ------------------------------------------------------------------------- */

static uint64_t day_of(const struct withdrawal_record *record)
{
    char time[ORDER_TIME_TEXT];
    uint64_t time_s = 0;
    snprintf(time, sizeof time, "%sT00:00:00Z", record->on);
    (void)order_time_read(time, &time_s); /* a date that was checked when it was announced */
    return time_s;
}

/* It is too late: all is as it was. */
static sotto_error go_back(struct office *office, struct withdrawal_record *record)
{
    record->stage = WITHDRAWAL_STAGE_ANNOUNCED;
    record->ended_s = 0;
    record->end_leaf = -1;
    record->end_reason[0] = '\0';
    TRY(turn_file(office, record, false));
    TRY(office_of_records(office, records_withdrawal_put(&office->records, record)));
    return put_file(office, record);
}

/* The relay looks at the clock before it looks at the file. So one that lies there before the day
 * counts; of one that came in the same moment the relay itself says whether it did. */
static sotto_error settle_returning(struct office *office, struct withdrawal_record *record)
{
    struct making making = {office, NULL};
    const uint64_t day = day_of(record);
    int state = 0;
    if (now_of(office) >= day && !is_there(office, record))
        return go_back(office, record);
    TRY(put_file(office, record));
    if (now_of(office) >= day) {
        struct affected_door door = {0};
        TRY(affected_open(office->database, AFFECTED_ROWS, &door, office->problem));
        const sotto_error error = affected_state(&door, record->id, &state);
        affected_close(&door);
        if (error != SOTTO_OK || state >= WITHDRAWAL_LEFT)
            return error != SOTTO_OK ? error : go_back(office, record);
        if (state != WITHDRAWAL_STAYING)
            return SOTTO_OK; /* it has not looked yet */
    }
    return office_of_records(office, records_withdrawal_log(&office->records, record,
                                                            now_of(office), make_staying, &making));
}

struct finding {
    const char *jurisdiction;
    struct withdrawal_record *record;
    bool found;
};

static sotto_error find(struct office *office, struct withdrawal_record *record, void *ctx)
{
    (void)office;
    struct finding *finding = ctx;
    if (record->stage > WITHDRAWAL_STAGE_RETURNING ||
        strcmp(record->jurisdiction, finding->jurisdiction) != 0)
        return SOTTO_OK;
    const sotto_buf file = finding->record->file;
    *finding->record = *record;
    finding->record->file = file;
    finding->found = true;
    sotto_buf_clear(&finding->record->file);
    return sotto_buf_append(&finding->record->file, record->file.data, record->file.size);
}

sotto_error withdraw_return(struct office *office, const char *jurisdiction, const char *reason,
                            struct withdrawal_record *record)
{
    struct finding finding = {jurisdiction, record, false};
    struct counting counting = {jurisdiction, 0, false, false};
    struct tlog_checkpoint checkpoint = {.size = 0};
    TRY(each_record(office, find, &finding));
    TRY(each_record(office, count, &counting));
    if (!finding.found && counting.left)
        return office_fail(office, SOTTO_STATE,
                           "this relay has left %s: the accounts are erased, and "
                           "nothing brings them back",
                           jurisdiction);
    if (!finding.found)
        return office_fail(office, SOTTO_NOT_FOUND, "no withdrawal from %s is announced",
                           jurisdiction);
    if (now_of(office) >= day_of(record))
        return office_fail(office, SOTTO_STATE,
                           "it is too late: the day of the withdrawal from %s (%s) "
                           "has come",
                           jurisdiction, record->on);
    if (strlen(reason) > TLOG_LEAF_REASON_MAX)
        return office_fail(office, SOTTO_VALUE, "the reason has to be one line of at most %d bytes",
                           TLOG_LEAF_REASON_MAX);
    const sotto_error error = office_checkpoint(office, &checkpoint, NULL);
    if (error != SOTTO_OK)
        return error;
    record->stage = WITHDRAWAL_STAGE_RETURNING;
    record->ended_s = now_of(office);
    record->end_leaf = (int64_t)checkpoint.size; /* all that is recorded is published: the next */
    snprintf(record->end_reason, sizeof record->end_reason, "%s", reason);
    TRY(turn_file(office, record, true));
    TRY(office_of_records(office, records_withdrawal_put(&office->records, record)));
    TRY(settle_returning(office, record));
    return record->stage == WITHDRAWAL_STAGE_STAYING
               ? SOTTO_OK
               : office_fail(
                     office, SOTTO_STATE,
                     "the day came while this was written: `sottod withdraw list` says what "
                     "counts, once the relay has run");
}

/* ---- Going on ------------------------------------------------------------------------------- */

/* What the relay left for the office: all are erased. NOT_FOUND: not yet. */
static sotto_error read_left(struct office *office, const struct withdrawal_record *record,
                             uint64_t *accounts, uint64_t *time_s)
{
    char path[PATH_MAX], name[WITHDRAWAL_NAME];
    sotto_buf file;
    sotto_buf_init(&file, office->env);
    withdrawal_name(record->id, true, name);
    sotto_error error = tlog_folder_get(folder_of(office, path), name, WITHDRAWAL_FILE_MAX, &file);
    if (error == SOTTO_OK &&
        withdrawal_left_read(sotto_buf_view(&file), accounts, time_s) != SOTTO_OK)
        error = office_fail(office, SOTTO_VALUE,
                            "%.300s/%s is damaged: remove it, and let the relay run", path, name);
    sotto_buf_free(&file);
    return error;
}

static sotto_error settle(struct office *office, struct withdrawal_record *record, void *ctx)
{
    (void)ctx;
    uint64_t accounts = 0, time_s = 0;
    if (record->stage == WITHDRAWAL_STAGE_RETURNING)
        TRY(settle_returning(office, record));
    if (record->stage != WITHDRAWAL_STAGE_ANNOUNCED)
        return SOTTO_OK;
    const sotto_error error = read_left(office, record, &accounts, &time_s);
    if (error == SOTTO_NOT_FOUND)
        return SOTTO_OK;
    if (error != SOTTO_OK)
        return error;
    record->accounts = accounts;
    record->ended_s = time_s;
    return office_of_records(
        office, records_withdrawal_log(&office->records, record, now_of(office), make_left, NULL));
}

sotto_error withdraw_settle(struct office *office)
{
    return each_record(office, settle, NULL);
}

static sotto_error hand_over(struct office *office, struct withdrawal_record *record, void *ctx)
{
    (void)ctx;
    return put_file(office, record);
}

sotto_error withdraw_hand_over(struct office *office)
{
    return each_record(office, hand_over, NULL);
}
