#include "core/store_pins.h"

#include "core/store_query.h"

static void read_pin(struct query *q, struct arena *arena, struct store_pin *out)
{
    out->relay = column_text(q, arena);
    out->label = column_text(q, arena);
    column_fixed(q, out->account.bytes, sizeof out->account.bytes);
    out->seen_s = column_u64(q);
}

sotto_error store_pin_get(struct store *store, const char *relay, const char *label,
                          struct arena *arena, struct store_pin *pin)
{
    struct query q;
    query_read(&q, store,
               "SELECT relay, label, account, seen_s FROM pin WHERE relay = ? AND label = ?");
    query_text(&q, relay);
    query_text(&q, label);
    struct store_pin found = {0};
    if (query_next(&q))
        read_pin(&q, arena, &found);
    TRY(query_end_one(&q));
    *pin = found;
    return SOTTO_OK;
}

sotto_error store_pin_put(struct store *store, const struct store_pin *pin)
{
    struct query q;
    query_write(&q, store,
                "INSERT OR REPLACE INTO pin (relay, label, account, seen_s) VALUES (?, ?, ?, ?)");
    query_text(&q, pin->relay);
    query_text(&q, pin->label);
    query_fixed(&q, pin->account.bytes, sizeof pin->account.bytes);
    query_u64(&q, pin->seen_s);
    return query_run(&q);
}

sotto_error store_pins(struct store *store, struct arena *arena, struct store_pin **pins,
                       size_t *count)
{
    struct query q;
    struct rows rows = {.arena = arena, .size = sizeof **pins};
    query_read(&q, store, "SELECT relay, label, account, seen_s FROM pin ORDER BY relay, label");
    while (query_next(&q)) {
        struct store_pin *row = rows_add(&rows, &q);
        if (row != NULL)
            read_pin(&q, arena, row);
    }
    TRY(query_end(&q));
    *pins = (void *)rows.data;
    *count = rows.count;
    return SOTTO_OK;
}

sotto_error store_pin_of(struct store *store, const struct account_id *account, struct arena *arena,
                         const char **label)
{
    struct query q;
    query_read(&q, store,
               "SELECT label FROM pin WHERE account = ? ORDER BY seen_s DESC, label LIMIT 1");
    query_fixed(&q, account->bytes, sizeof account->bytes);
    const char *found = query_next(&q) ? column_text(&q, arena) : "";
    TRY(query_end(&q));
    *label = found;
    return SOTTO_OK;
}
