/* The relay's log of orders as a person sees it. */
#include <string.h>

#include "core/order_log.h"

const char *sotto_order_log_state_name(enum sotto_order_log_state state)
{
    static const char *const names[] = {"unknown", "none", "followed", "convicted"};
    return (size_t)state < sizeof names / sizeof *names ? names[state] : "";
}

void order_log_trouble(const char *relay, enum tlog_verdict verdict, const char *said,
                       struct sotto_problem *problem)
{
    char name[300];
    problem_relay_name(relay, name);
    (void)problem_set(
        problem, SOTTO_SIGNATURE, SOTTO_CODE_ORDER_LOG,
        verdict == TLOG_GONE || verdict == TLOG_WITHHELD
            ? "Messages are not touched by it. If it stays so, the relay hides what it answered: "
              "ask whoever runs it, and see: sotto relay"
            : "Messages are not touched by it, but what the relay says about lawful orders can no "
              "longer be believed. What it signed is kept: sotto relay evidence. Show it to "
              "others there, and think about another relay: sotto account move",
        "THE RELAY %s CONTRADICTS ITS OWN LOG OF LAWFUL ORDERS: %s.", name, said);
}

sotto_error order_log_is_convicted(struct sotto *core, struct arena *arena, bool *convicted)
{
    struct store_order_log row;
    const sotto_error error = store_order_log_get(core->store, core->profile.relay, arena, &row);
    *convicted = error == SOTTO_OK && row.verdict != TLOG_GOOD;
    return error == SOTTO_NOT_FOUND ? SOTTO_OK : error;
}

/* ---- Witnesses ------------------------------------------------------------------------------ */

/* The names behind the dash of each signature line but the log's own. */
static sotto_error names_beneath(sotto_bytes signatures, const char *own, sotto_buf *out)
{
    static const uint8_t space = ' ', end = 0;
    while (signatures.size > 0) {
        const uint8_t *newline = memchr(signatures.data, '\n', signatures.size);
        const uint8_t *name = memchr(signatures.data, ' ', signatures.size);
        const uint8_t *behind = NULL;
        if (newline != NULL && name != NULL && ++name < newline)
            behind = memchr(name, ' ', (size_t)(newline - name));
        if (behind == NULL)
            break;
        const sotto_bytes found = sotto_bytes_of(name, (size_t)(behind - name));
        if (!sotto_bytes_equal(found, sotto_bytes_str(own))) {
            if (out->size > 0)
                TRY(sotto_buf_append(out, &space, 1));
            TRY(sotto_buf_append(out, found.data, found.size));
        }
        const size_t line = (size_t)(newline - signatures.data) + 1;
        signatures = sotto_bytes_of(signatures.data + line, signatures.size - line);
    }
    return sotto_buf_append(out, &end, 1);
}

/* ---- The relay ------------------------------------------------------------------------------ */

/* A copy with a NUL. */
static const char *text_of(sotto_bytes bytes, struct arena *arena)
{
    char *copy = arena_array(arena, bytes.size + 1, 1);
    if (copy == NULL)
        return "";
    if (bytes.size > 0)
        memcpy(copy, bytes.data, bytes.size);
    return copy;
}

static sotto_error show_log(const struct store_order_log *row, struct arena *arena,
                            struct sotto_relay *shown, sotto_buf *witnesses)
{
    struct tlog_key key;
    struct tlog_checkpoint newest;
    struct order_counting counting;
    sotto_bytes signatures = {0};
    TRY(tlog_key_read(sotto_bytes_str(row->key), &key));
    shown->state = SOTTO_ORDER_LOG_FOLLOWED;
    shown->key = row->key;
    shown->log = text_of(sotto_bytes_str(key.name), arena);
    if (row->note.size > 0) {
        TRY(tlog_checkpoint_open(row->note, &key, &newest, NULL, &signatures));
        shown->checkpoint = text_of(row->note, arena);
        shown->size = newest.size;
        memcpy(shown->root, newest.root.bytes, sizeof shown->root);
        shown->grew_s = row->grew_s;
    }
    order_counting_read(row->counted, &counting);
    shown->counts = counting.counts;
    TRY(names_beneath(signatures, key.name, witnesses));
    shown->witnesses = (const char *)witnesses->data;
    return SOTTO_OK;
}

/* What the newest of the relay's evidence says of that verdict, or the verdict alone. */
static void show_trouble(const struct store_order_log *row, const struct sotto_relay *shown,
                         const struct store_order_evidence *evidence, size_t count,
                         struct sotto_problem *trouble)
{
    char said[TLOG_VERDICT_TEXT];
    struct tlog_key key;
    struct tlog_checkpoint before = {.size = shown->size}, after = {.size = shown->size};
    const enum tlog_verdict verdict = (enum tlog_verdict)row->verdict;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(evidence[i].relay, row->relay) != 0 || evidence[i].verdict != row->verdict ||
            tlog_key_read(sotto_bytes_str(evidence[i].key), &key) != SOTTO_OK)
            continue;
        (void)tlog_checkpoint_open(evidence[i].before, &key, &before, NULL, NULL);
        (void)tlog_checkpoint_open(evidence[i].after, &key, &after, NULL, NULL);
    }
    tlog_verdict_say(verdict, &before, &after, said);
    order_log_trouble(row->relay, verdict, said, trouble);
}

sotto_error sotto_relay(struct sotto *core,
                        void (*each)(void *ctx, const struct sotto_relay *relay), void *ctx)
{
    struct arena arena;
    struct store_order_log row;
    struct store_order_evidence *evidence = NULL;
    struct sotto_relay shown;
    sotto_buf witnesses;
    size_t count = 0;
    TRY(core_need_account(core));
    memset(&shown, 0, sizeof shown);
    problem_clear(&shown.trouble);
    shown.relay = core->profile.relay;
    shown.log = shown.key = shown.checkpoint = shown.witnesses = "";
    arena_init(&arena, core->env);
    sotto_buf_init(&witnesses, core->env);
    sotto_error error = store_order_log_get(core->store, shown.relay, &arena, &row);
    if (error == SOTTO_OK) {
        shown.looked_s = row.looked_s;
        shown.state = SOTTO_ORDER_LOG_NONE;
        if (row.key[0] != '\0')
            error = show_log(&row, &arena, &shown, &witnesses);
        if (error == SOTTO_OK && row.verdict > TLOG_GOOD && row.verdict < TLOG_VERDICTS) {
            shown.state = SOTTO_ORDER_LOG_CONVICTED;
            shown.convicted_s = row.convicted_s;
            error = store_order_evidence(core->store, &arena, &evidence, &count);
            if (error == SOTTO_OK)
                show_trouble(&row, &shown, evidence, count, &shown.trouble);
        }
    } else if (error == SOTTO_NOT_FOUND) {
        error = SOTTO_OK;
    }
    if (error == SOTTO_OK)
        each(ctx, &shown);
    else
        (void)core_store_problem(core, error, "reading the relay's log");
    sotto_buf_free(&witnesses);
    arena_free(&arena);
    return error;
}

sotto_error sotto_order_evidence(struct sotto *core,
                                 void (*each)(void *ctx,
                                              const struct sotto_order_evidence *evidence),
                                 void *ctx)
{
    struct arena arena;
    struct store_order_evidence *list = NULL;
    size_t count = 0;
    arena_init(&arena, core->env);
    sotto_error error = store_order_evidence(core->store, &arena, &list, &count);
    for (size_t i = 0; i < count && error == SOTTO_OK; i++) {
        if (list[i].verdict <= TLOG_GOOD || list[i].verdict >= TLOG_VERDICTS)
            continue;
        const struct sotto_order_evidence shown = {
            .number = list[i].number,
            .relay = list[i].relay,
            .time_s = list[i].time_s,
            .what = tlog_verdict_name((enum tlog_verdict)list[i].verdict),
            .key = list[i].key,
            .other_key = list[i].other_key,
            .before = text_of(list[i].before, &arena),
            .after = text_of(list[i].after, &arena),
        };
        each(ctx, &shown);
    }
    arena_free(&arena);
    return error == SOTTO_OK ? error : core_store_problem(core, error, "reading the evidence");
}

sotto_error sotto_order_log_anew(struct sotto *core)
{
    TRY(core_need_account(core));
    const struct store_order_log fresh = {.relay = core->profile.relay, .key = ""};
    sotto_error error = store_begin(core->store);
    if (error == SOTTO_OK)
        error = store_order_log_put(core->store, &fresh);
    if (error == SOTTO_OK)
        error = store_commit(core->store);
    if (error != SOTTO_OK) {
        store_rollback(core->store);
        return core_store_problem(core, error, "forgetting the relay's log");
    }
    order_log_notice(core, true); /* looked at with the next step */
    return SOTTO_OK;
}
