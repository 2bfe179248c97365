/* The stock of KeyPackages: made and stored before they are published, erased when used. */
#include <string.h>

#include "core/internal.h"

static sotto_error key_make(struct sotto *core, bool last_resort)
{
    uint64_t now = core_now_s(core);
    sotto_buf package, secrets, reference;
    sotto_mls_leaf leaf;
    sotto_buf_init(&package, core->env);
    sotto_buf_init(&secrets, core->env);
    sotto_buf_init(&reference, core->env);
    struct store_key_package row;
    memset(&row, 0, sizeof row);
    /* An hour back: clocks differ. */
    uint64_t from = now > 3600 ? now - 3600 : 0;
    row.not_after_s = now + (uint64_t)KEY_PACKAGE_DAYS * 86400;
    sotto_error error =
        sotto_mls_key_package(core->mls, &core->identity_mls.mls, from, row.not_after_s,
                              last_resort ? SOTTO_MLS_LAST_RESORT : 0, &package, &secrets);
    if (error == SOTTO_OK)
        error = sotto_mls_key_package_inspect(core->mls, sotto_buf_view(&package), &leaf, NULL,
                                              &reference);
    if (error == SOTTO_OK) {
        row.ref = sotto_buf_view(&reference);
        row.package = sotto_buf_view(&package);
        row.secrets = sotto_buf_view(&secrets);
        row.last_resort = last_resort;
        row.created_s = now;
        error = store_key_package_put(core->store, &row);
    }
    sotto_buf_free(&reference);
    sotto_buf_free(&secrets);
    sotto_buf_free(&package);
    return error;
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
        error = store_key_packages_expire(core->store, core_now_s(core));
    if (error == SOTTO_OK)
        error = store_key_packages_waiting(core->store, &arena, &waiting, &waiting_count);
    for (size_t i = 0; i < waiting_count; i++) {
        if (waiting[i].last_resort)
            last_resort = false; /* one is ready */
        else
            ordinary++;
    }
    for (; ordinary < count && error == SOTTO_OK; ordinary++)
        error = key_make(core, false);
    if (error == SOTTO_OK && last_resort)
        error = key_make(core, true);
    if (error == SOTTO_OK)
        error = store_commit(core->store);
    if (error != SOTTO_OK)
        store_rollback(core->store);
    arena_free(&arena);
    return error;
}
