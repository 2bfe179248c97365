/* An account in a profile, as if a relay had registered it. */
#ifndef TESTS_UNIT_CORE_ACCOUNT_H
#define TESTS_UNIT_CORE_ACCOUNT_H

#include <string.h>

#include "core/internal.h"
#include "unit/check.h"
#include "unit/folder.h"

static inline void core_account_make(struct sotto *core, const char *relay, const char *name)
{
    struct identity identity;
    struct store_profile profile;
    sotto_buf saved, manifest;
    memset(&identity, 0, sizeof identity);
    memset(&profile, 0, sizeof profile);
    sotto_buf_init(&saved, core->env);
    sotto_buf_init(&manifest, core->env);
    assert_ok(identity_create(core->crypto, &identity));
    assert_ok(identity_save(&identity, &saved));
    assert_ok(identity_first_manifest(&identity, &manifest));
    profile.registration = STORE_REGISTERED;
    profile.relay = relay;
    profile.name = name;
    profile.identity = sotto_buf_view(&saved);
    profile.manifest = sotto_buf_view(&manifest);
    assert_ok(store_begin(core->store));
    assert_ok(store_profile_put(core->store, &profile));
    assert_ok(store_commit(core->store));
    identity_wipe(&identity);
    sotto_buf_free(&saved);
    sotto_buf_free(&manifest);
    assert_ok(core_load_profile(core));
}

/* For a test's set-up: a folder of that name with a profile and Alice's account in it. */
static inline int core_account_open(char folder[static 64], const char *name, struct sotto **core)
{
    struct sotto_problem problem;
    if (!folder_make(folder, name) ||
        sotto_open(sotto_env_system(), folder, NULL, core, &problem) != SOTTO_OK)
        return -1;
    core_account_make(*core, "127.0.0.1:1", "Alice");
    return 0;
}

#endif
