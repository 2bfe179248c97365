/* The stock of KeyPackages: made and stored before they are published, erased when used. */
#include <string.h>

#include "core/internal.h"

enum {
    WELCOME_DAYS = 35,     /* how long a relay may hold an envelope, and some more */
    LAST_RESORT_DAYS = 30, /* after which another one takes its place */
};

/* Inside a transaction: made and stored; package and reference are appended. row says what for. */
static sotto_error key_make(struct sotto *core, struct store_key_package *row, sotto_buf *package,
                            sotto_buf *reference)
{
    sotto_buf secrets;
    sotto_mls_leaf leaf;
    sotto_buf_init(&secrets, core->env);
    /* Good before it was made: clocks are wrong by a day. */
    uint64_t from = row->created_s > KEY_PACKAGE_EARLY_S ? row->created_s - KEY_PACKAGE_EARLY_S : 0;
    sotto_error error =
        sotto_mls_key_package(core->mls, &core->identity_mls.mls, from, row->not_after_s,
                              row->last_resort ? SOTTO_MLS_LAST_RESORT : 0, package, &secrets);
    if (error == SOTTO_OK)
        error = sotto_mls_key_package_inspect(core->mls, sotto_buf_view(package), &leaf, NULL,
                                              reference);
    if (error == SOTTO_OK) {
        row->ref = sotto_buf_view(reference);
        row->package = sotto_buf_view(package);
        row->secrets = sotto_buf_view(&secrets);
        error = store_key_package_put(core->store, row);
    }
    sotto_buf_free(&secrets);
    return error;
}

static sotto_error key_stock(struct sotto *core, bool last_resort)
{
    sotto_buf package, reference;
    struct store_key_package row;
    memset(&row, 0, sizeof row);
    row.last_resort = last_resort;
    row.created_s = core_now_s(core);
    row.not_after_s = row.created_s + (uint64_t)KEY_PACKAGE_DAYS * 86400;
    sotto_buf_init(&package, core->env);
    sotto_buf_init(&reference, core->env);
    sotto_error error = key_make(core, &row, &package, &reference);
    sotto_buf_free(&reference);
    sotto_buf_free(&package);
    return error;
}

sotto_error keys_make_one(struct sotto *core, uint64_t made_s, uint64_t good_s, sotto_buf *package,
                          sotto_buf *reference)
{
    struct store_key_package row;
    memset(&row, 0, sizeof row);
    row.uploaded = true; /* it goes to one device, not to the relay */
    row.created_s = made_s;
    row.not_after_s = made_s + good_s;
    return key_make(core, &row, package, reference);
}

/* What can no longer be used, and last resorts of old, once no Welcome for them can wait. */
static sotto_error keys_expire(struct sotto *core)
{
    uint64_t now = core_now_s(core), wait = (uint64_t)WELCOME_DAYS * 86400;
    /* Others' clocks, and the way here: one is kept a little longer than it is good. */
    uint64_t before = now > KEY_PACKAGE_EARLY_S ? now - KEY_PACKAGE_EARLY_S : 0;
    return store_key_packages_expire(core->store, before, now > wait ? now - wait : 0);
}

bool keys_last_resort_is_old(struct sotto *core)
{
    uint64_t made = 0, now = core_now_s(core);
    /* Of another time than now, either way: a clock was wrong. */
    return store_last_resort_made(core->store, &made) == SOTTO_OK &&
           (now > made + (uint64_t)LAST_RESORT_DAYS * 86400 || made > now + KEY_PACKAGE_EARLY_S);
}

sotto_error keys_stock(struct sotto *core, uint32_t count, bool last_resort)
{
    struct arena arena;
    struct store_key_package *waiting = NULL;
    size_t waiting_count = 0;
    uint32_t ordinary = 0;
    arena_init(&arena, core->env);
    sotto_error error = store_begin(core->store);
    if (error == SOTTO_OK)
        error = keys_expire(core);
    if (error == SOTTO_OK)
        error = store_key_packages_waiting(core->store, &arena, &waiting, &waiting_count);
    for (size_t i = 0; i < waiting_count; i++) {
        if (waiting[i].last_resort)
            last_resort = false; /* one is ready */
        else
            ordinary++;
    }
    for (; ordinary < count && error == SOTTO_OK; ordinary++)
        error = key_stock(core, false);
    if (error == SOTTO_OK && last_resort)
        error = key_stock(core, true);
    if (error == SOTTO_OK)
        error = store_commit(core->store);
    if (error != SOTTO_OK)
        store_rollback(core->store);
    arena_free(&arena);
    return error;
}
