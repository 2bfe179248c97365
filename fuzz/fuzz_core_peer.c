/* What peers' bytes do in a profile: records of one's own other devices, envelopes that were
 * opened, requests to come back, and lists of devices, by the first byte. Nothing of it stays: each
 * is rolled back. */
#include <ftw.h>
#include <stdlib.h>
#include <string.h>

#include "core/account.h"
#include "core/rejoin.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char folder[] = "/tmp/sotto-fuzz-XXXXXX";

static int erase(const char *path, const struct stat *stat, int flag, struct FTW *ftw)
{
    (void)stat;
    (void)flag;
    (void)ftw;
    return remove(path);
}

static struct sotto *core;

static void profile_erase(void)
{
    sotto_close(core);
    (void)nftw(folder, erase, 8, FTW_DEPTH | FTW_PHYS);
}

/* A profile with an account, as if a relay had registered it. */
static void profile_make(void)
{
    struct sotto_problem problem;
    struct identity identity;
    struct store_profile profile;
    sotto_buf saved, manifest;
    memset(&identity, 0, sizeof identity);
    memset(&profile, 0, sizeof profile);
    BUG_UNLESS(mkdtemp(folder) != NULL && atexit(profile_erase) == 0);
    BUG_UNLESS(sotto_open(sotto_env_system(), folder, NULL, &core, &problem) == SOTTO_OK);
    sotto_buf_init(&saved, core->env);
    sotto_buf_init(&manifest, core->env);
    BUG_UNLESS(identity_create(core->crypto, &identity) == SOTTO_OK);
    BUG_UNLESS(identity_save(&identity, &saved) == SOTTO_OK);
    BUG_UNLESS(identity_first_manifest(&identity, &manifest) == SOTTO_OK);
    profile.registration = STORE_REGISTERED;
    profile.relay = "127.0.0.1:7443";
    profile.name = "Fuzz";
    profile.identity = sotto_buf_view(&saved);
    profile.manifest = sotto_buf_view(&manifest);
    BUG_UNLESS(store_begin(core->store) == SOTTO_OK);
    BUG_UNLESS(store_profile_put(core->store, &profile) == SOTTO_OK);
    BUG_UNLESS(store_commit(core->store) == SOTTO_OK);
    BUG_UNLESS(sotto_account(core, &(struct sotto_account){0}) == SOTTO_OK);
    identity_wipe(&identity);
    sotto_buf_free(&saved);
    sotto_buf_free(&manifest);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (core == NULL)
        profile_make();
    if (size == 0)
        return 0;
    struct arena arena;
    struct account_id account;
    struct content_message content;
    sotto_bytes input = sotto_bytes_of(data + 1, size - 1);
    sotto_error error = SOTTO_OK;
    arena_init(&arena, core->env);
    BUG_UNLESS(store_begin(core->store) == SOTTO_OK);
    switch (data[0] % 4) {
    case 0:
        memset(&content, 0, sizeof content);
        content.kind = CONTENT_OWN;
        content.text = input;
        error = own_receive(core, &content, &arena);
        break;
    case 1:
        error = join_consider(core, input, core_now_s(core));
        break;
    case 2:
        error = rejoin_consider(core, input, core_now_s(core));
        break;
    default:
        (void)manifest_learn_any(core, input, &arena, &account);
    }
    /* Bad bytes are passed over: the log, and the inbox, go on. */
    BUG_UNLESS(error == SOTTO_OK);
    store_rollback(core->store);
    room_free_all(core);
    arena_free(&arena);
    return 0;
}
