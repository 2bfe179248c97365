/* Contacts, KeyPackages and requests. */
#include "core/store_query.h"

/* ---- Contacts ------------------------------------------------------------------------------- */

#define CONTACT_COLUMNS                                                                          \
    "account, name, relay, contact, verified, blocked, account_key, manifest_number, manifest, " \
    "added_s, label, conflict"

static void read_contact(struct query *q, struct arena *arena, struct store_contact *out)
{
    column_fixed(q, out->account.bytes, sizeof out->account.bytes);
    out->name = column_text(q, arena);
    out->relay = column_text(q, arena);
    out->contact = column_bool(q);
    out->verified = column_between(q, STORE_UNVERIFIED, STORE_VERIFIED_LINK);
    out->blocked = column_bool(q);
    out->has_key = column_fixed(q, out->account_key, sizeof out->account_key);
    out->manifest_number = column_u64(q);
    out->manifest = column_bytes(q, arena);
    out->added_s = column_u64(q);
    out->label = column_text(q, arena);
    out->conflict = column_bool(q);
}

sotto_error store_contact_get(struct store *store, const struct account_id *account,
                              struct arena *arena, struct store_contact *contact)
{
    struct query q;
    query_read(&q, store, "SELECT " CONTACT_COLUMNS " FROM contact WHERE account = ?");
    query_fixed(&q, account->bytes, sizeof account->bytes);
    struct store_contact found = {0};
    if (query_next(&q))
        read_contact(&q, arena, &found);
    TRY(query_end_one(&q));
    *contact = found;
    return SOTTO_OK;
}

sotto_error store_contact_put(struct store *store, const struct store_contact *contact)
{
    struct query q;
    query_write(&q, store,
                "INSERT INTO contact (" CONTACT_COLUMNS
                ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
                " ON CONFLICT (account) DO UPDATE SET name = excluded.name,"
                " relay = excluded.relay, contact = excluded.contact, verified = excluded.verified,"
                " blocked = excluded.blocked, account_key = excluded.account_key,"
                " manifest_number = excluded.manifest_number, manifest = excluded.manifest,"
                " added_s = excluded.added_s, label = excluded.label,"
                " conflict = excluded.conflict");
    query_fixed(&q, contact->account.bytes, sizeof contact->account.bytes);
    query_text(&q, contact->name);
    query_text(&q, contact->relay);
    query_u64(&q, contact->contact);
    query_u64(&q, contact->verified);
    query_u64(&q, contact->blocked);
    if (contact->has_key)
        query_fixed(&q, contact->account_key, sizeof contact->account_key);
    else
        query_null(&q);
    query_u64(&q, contact->manifest_number);
    query_bytes(&q, contact->manifest);
    query_u64(&q, contact->added_s);
    query_text(&q, contact->label);
    query_u64(&q, contact->conflict);
    return query_run(&q);
}

sotto_error store_contact_blocked(struct store *store, const struct account_id *account,
                                  bool *blocked)
{
    struct query q;
    query_read(&q, store, "SELECT blocked FROM contact WHERE account = ?");
    query_fixed(&q, account->bytes, sizeof account->bytes);
    bool found = query_next(&q) && column_bool(&q);
    TRY(query_end(&q));
    *blocked = found;
    return SOTTO_OK;
}

sotto_error store_contact_accepted(struct store *store, const struct account_id *account,
                                   bool *accepted)
{
    struct query q;
    query_read(&q, store, "SELECT contact AND NOT blocked FROM contact WHERE account = ?");
    query_fixed(&q, account->bytes, sizeof account->bytes);
    bool found = query_next(&q) && column_bool(&q);
    TRY(query_end(&q));
    *accepted = found;
    return SOTTO_OK;
}

sotto_error store_contact_silence(struct store *store, const struct account_id *account)
{
    struct query q;
    query_write(&q, store, "DELETE FROM request WHERE sender = ?");
    query_fixed(&q, account->bytes, sizeof account->bytes);
    TRY(query_run(&q));
    query_write(&q, store, "UPDATE message SET owed = 0 WHERE owed > 0 AND sender = ?");
    query_fixed(&q, account->bytes, sizeof account->bytes);
    return query_run(&q);
}

sotto_error store_contacts(struct store *store, struct arena *arena,
                           struct store_contact **contacts, size_t *count)
{
    struct query q;
    struct rows rows = {.arena = arena, .size = sizeof **contacts};
    query_read(&q, store,
               "SELECT " CONTACT_COLUMNS " FROM contact ORDER BY iif(label <> '', label, name)"
               " COLLATE NOCASE, account");
    while (query_next(&q)) {
        struct store_contact *row = rows_add(&rows, &q);
        if (row != NULL)
            read_contact(&q, arena, row);
    }
    TRY(query_end(&q));
    *contacts = (void *)rows.data;
    *count = rows.count;
    return SOTTO_OK;
}

sotto_error store_manifest_get(struct store *store, const struct account_id *account,
                               struct arena *arena, sotto_bytes *manifest)
{
    struct query q;
    query_read(&q, store, "SELECT manifest FROM contact WHERE account = ?");
    query_fixed(&q, account->bytes, sizeof account->bytes);
    sotto_bytes found = {0};
    if (query_next(&q))
        found = column_bytes(&q, arena);
    TRY(query_end(&q));
    *manifest = found;
    return SOTTO_OK;
}

sotto_error store_manifest_put(struct store *store, const struct account_id *account,
                               const uint8_t account_key[static SIGN_KEY_SIZE], uint64_t number,
                               sotto_bytes manifest, uint64_t now_s)
{
    struct query q;
    query_write(&q, store,
                "INSERT INTO contact (" CONTACT_COLUMNS
                ") VALUES (?1, '', '', 0, 0, 0, ?2, ?3, ?4, ?5, '', 0)"
                " ON CONFLICT (account) DO UPDATE SET account_key = ?2, manifest_number = ?3,"
                " manifest = ?4");
    query_fixed(&q, account->bytes, sizeof account->bytes);
    query_fixed(&q, account_key, SIGN_KEY_SIZE);
    query_u64(&q, number);
    query_bytes(&q, manifest);
    query_u64(&q, now_s);
    return query_run(&q);
}

/* ---- KeyPackages ---------------------------------------------------------------------------- */

#define PACKAGE_COLUMNS "ref, package, secrets, uploaded, last_resort, created_s, not_after_s"

static void read_package(struct query *q, struct arena *arena, struct store_key_package *out)
{
    out->ref = column_bytes(q, arena);
    out->package = column_bytes(q, arena);
    out->secrets = column_bytes(q, arena);
    out->uploaded = column_bool(q);
    out->last_resort = column_bool(q);
    out->created_s = column_u64(q);
    out->not_after_s = column_u64(q);
}

sotto_error store_key_package_get(struct store *store, sotto_bytes ref, struct arena *arena,
                                  struct store_key_package *package)
{
    struct query q;
    query_read(&q, store, "SELECT " PACKAGE_COLUMNS " FROM key_package WHERE ref = ?");
    query_bytes(&q, ref);
    struct store_key_package found = {0};
    if (query_next(&q))
        read_package(&q, arena, &found);
    TRY(query_end_one(&q));
    *package = found;
    return SOTTO_OK;
}

sotto_error store_key_package_put(struct store *store, const struct store_key_package *package)
{
    struct query q;
    query_write(&q, store,
                "INSERT INTO key_package (" PACKAGE_COLUMNS ") VALUES (?, ?, ?, ?, ?, ?, ?)");
    query_bytes(&q, package->ref);
    query_bytes(&q, package->package);
    query_bytes(&q, package->secrets);
    query_u64(&q, package->uploaded);
    query_u64(&q, package->last_resort);
    query_u64(&q, package->created_s);
    query_u64(&q, package->not_after_s);
    return query_run(&q);
}

sotto_error store_key_package_uploaded(struct store *store, sotto_bytes ref)
{
    struct query q;
    query_write(&q, store, "UPDATE key_package SET uploaded = 1 WHERE ref = ?");
    query_bytes(&q, ref);
    return query_run(&q);
}

sotto_error store_key_package_erase(struct store *store, sotto_bytes ref)
{
    struct query q;
    query_write(&q, store, "DELETE FROM key_package WHERE ref = ?");
    query_bytes(&q, ref);
    return query_run(&q);
}

sotto_error store_key_packages_expire(struct store *store, uint64_t before_s, uint64_t followed_s)
{
    struct query q;
    /* A Welcome for an older last resort may be under way to us for a while after the relay gave up
     * giving it out. */
    query_write(&q, store,
                "DELETE FROM key_package WHERE not_after_s < ?1 OR (last_resort = 1 AND EXISTS"
                " (SELECT 1 FROM key_package AS newer WHERE newer.last_resort = 1 AND"
                " newer.uploaded = 1 AND newer.created_s > key_package.created_s AND"
                " newer.created_s < ?2))");
    query_u64(&q, before_s);
    query_u64(&q, followed_s);
    return query_run(&q);
}

sotto_error store_last_resort_made(struct store *store, uint64_t *made_s)
{
    struct query q;
    query_read(&q, store,
               "SELECT coalesce(max(created_s), 0) FROM key_package"
               " WHERE last_resort = 1 AND uploaded = 1");
    uint64_t found = query_next(&q) ? column_u64(&q) : 0;
    TRY(query_end(&q));
    *made_s = found;
    return SOTTO_OK;
}

sotto_error store_key_packages_waiting(struct store *store, struct arena *arena,
                                       struct store_key_package **packages, size_t *count)
{
    struct query q;
    struct rows rows = {.arena = arena, .size = sizeof **packages};
    query_read(&q, store,
               "SELECT " PACKAGE_COLUMNS
               " FROM key_package WHERE uploaded = 0 ORDER BY created_s, rowid");
    while (query_next(&q)) {
        struct store_key_package *row = rows_add(&rows, &q);
        if (row != NULL)
            read_package(&q, arena, row);
    }
    TRY(query_end(&q));
    *packages = (void *)rows.data;
    *count = rows.count;
    return SOTTO_OK;
}

sotto_error store_key_packages_uploaded(struct store *store, uint32_t *count)
{
    struct query q;
    query_read(&q, store,
               "SELECT count(*) FROM key_package WHERE uploaded = 1 AND last_resort = 0");
    uint32_t found = query_next(&q) ? column_u32(&q) : 0;
    TRY(query_end(&q));
    *count = found;
    return SOTTO_OK;
}

/* ---- Requests ------------------------------------------------------------------------------- */

#define REQUEST_COLUMNS "id, room, sender, received_s, envelope"

static void read_request(struct query *q, struct arena *arena, struct store_request *out)
{
    out->id = column_i64(q);
    column_fixed(q, out->room.bytes, sizeof out->room.bytes);
    column_fixed(q, out->sender.bytes, sizeof out->sender.bytes);
    out->received_s = column_u64(q);
    out->envelope = column_bytes(q, arena);
}

sotto_error store_request_add(struct store *store, const struct store_request *request, int64_t *id)
{
    struct query q;
    query_write(&q, store,
                "INSERT INTO request (room, sender, received_s, envelope) VALUES (?, ?, ?, ?)");
    query_fixed(&q, request->room.bytes, sizeof request->room.bytes);
    query_fixed(&q, request->sender.bytes, sizeof request->sender.bytes);
    query_u64(&q, request->received_s);
    query_bytes(&q, request->envelope);
    TRY(query_run(&q));
    *id = sqlite3_last_insert_rowid(store->db);
    return SOTTO_OK;
}

sotto_error store_request_get(struct store *store, int64_t id, struct arena *arena,
                              struct store_request *request)
{
    struct query q;
    query_read(&q, store, "SELECT " REQUEST_COLUMNS " FROM request WHERE id = ?");
    query_i64(&q, id);
    struct store_request found = {0};
    if (query_next(&q))
        read_request(&q, arena, &found);
    TRY(query_end_one(&q));
    *request = found;
    return SOTTO_OK;
}

sotto_error store_requests(struct store *store, struct arena *arena,
                           struct store_request **requests, size_t *count)
{
    struct query q;
    struct rows rows = {.arena = arena, .size = sizeof **requests};
    query_read(&q, store, "SELECT " REQUEST_COLUMNS " FROM request ORDER BY id");
    while (query_next(&q)) {
        struct store_request *row = rows_add(&rows, &q);
        if (row != NULL)
            read_request(&q, arena, row);
    }
    TRY(query_end(&q));
    *requests = (void *)rows.data;
    *count = rows.count;
    return SOTTO_OK;
}

sotto_error store_request_erase(struct store *store, int64_t id)
{
    struct query q;
    query_write(&q, store, "DELETE FROM request WHERE id = ?");
    query_i64(&q, id);
    return query_run_one(&q);
}

sotto_error store_request_erase_of(struct store *store, const struct room_id *room)
{
    struct query q;
    query_write(&q, store, "DELETE FROM request WHERE room = ?");
    query_fixed(&q, room->bytes, sizeof room->bytes);
    return query_run(&q);
}
