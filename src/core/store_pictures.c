#include "core/store_pictures.h"

#include <string.h>

#include "core/store_query.h"

sotto_error store_picture_get(struct store *store, const struct account_id *account,
                              struct arena *arena, sotto_bytes *picture)
{
    struct query q;
    query_read(&q, store, "SELECT bytes FROM picture WHERE account = ?");
    query_fixed(&q, account->bytes, sizeof account->bytes);
    sotto_bytes found = {0};
    if (query_next(&q))
        found = column_bytes(&q, arena);
    TRY(query_end_one(&q));
    *picture = found;
    return SOTTO_OK;
}

sotto_error store_picture_hash(struct store *store, const struct account_id *account,
                               uint8_t hash[static HASH_SIZE])
{
    struct query q;
    query_read(&q, store, "SELECT hash FROM picture WHERE account = ?");
    query_fixed(&q, account->bytes, sizeof account->bytes);
    uint8_t found[HASH_SIZE] = {0};
    if (query_next(&q))
        column_fixed(&q, found, sizeof found);
    TRY(query_end_one(&q));
    memcpy(hash, found, sizeof found);
    return SOTTO_OK;
}

sotto_error store_picture_put(struct store *store, const struct account_id *account,
                              sotto_bytes picture, bool *changed)
{
    struct query q;
    uint8_t before[HASH_SIZE], hash[HASH_SIZE];
    sotto_error error = store_picture_hash(store, account, before);
    if (error != SOTTO_OK && error != SOTTO_NOT_FOUND)
        return error;
    bool had = error == SOTTO_OK;
    wire_hash(picture, hash);
    *changed = picture.size > 0 ? !had || memcmp(before, hash, sizeof hash) != 0 : had;
    if (!*changed)
        return SOTTO_OK;
    if (picture.size == 0) {
        query_write(&q, store, "DELETE FROM picture WHERE account = ?");
        query_fixed(&q, account->bytes, sizeof account->bytes);
        return query_run(&q);
    }
    query_write(&q, store,
                "INSERT OR REPLACE INTO picture (account, hash, bytes) VALUES (?, ?, ?)");
    query_fixed(&q, account->bytes, sizeof account->bytes);
    query_fixed(&q, hash, sizeof hash);
    query_bytes(&q, picture);
    return query_run(&q);
}

sotto_error store_pictures(struct store *store, struct arena *arena, struct account_id **accounts,
                           size_t *count)
{
    struct query q;
    struct rows rows = {.arena = arena, .size = sizeof **accounts};
    query_read(&q, store, "SELECT account FROM picture ORDER BY account");
    while (query_next(&q)) {
        struct account_id *row = rows_add(&rows, &q);
        if (row != NULL)
            column_fixed(&q, row->bytes, sizeof row->bytes);
    }
    TRY(query_end(&q));
    *accounts = (void *)rows.data;
    *count = rows.count;
    return SOTTO_OK;
}
