/* Any bytes as a GroupInfo for an external join, and as the tree beside one. */
#include "sotto/mls.h"

#include "base/base.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static sotto_mls *engine;
static sotto_buf private_key, public_key, commit;
static sotto_mls_identity identity;

static void start(void)
{
    const sotto_env *env = sotto_env_system();
    sotto_buf_init(&private_key, env);
    sotto_buf_init(&public_key, env);
    sotto_buf_init(&commit, env);
    BUG_UNLESS(sotto_mls_new(env, NULL, &engine) == SOTTO_OK);
    BUG_UNLESS(sotto_mls_signature_key(engine, SOTTO_MLS_X25519_AES128_SHA256_ED25519, &private_key,
                                       &public_key) == SOTTO_OK);
    identity = (sotto_mls_identity){
        .suite = SOTTO_MLS_X25519_AES128_SHA256_ED25519,
        .credential = {.type = SOTTO_MLS_BASIC, .identity = sotto_bytes_str("joiner")},
        .signature_private = sotto_buf_view(&private_key),
        .signature_public = sotto_buf_view(&public_key),
    };
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (engine == NULL)
        start();
    sotto_mls_group *group = NULL;
    sotto_bytes input = sotto_bytes_of(data, size);
    if (sotto_mls_external_join(engine, &identity, input, (sotto_bytes){0}, NULL, &commit,
                                &group) == SOTTO_OK) {
        sotto_mls_group_free(group);
        sotto_buf_clear(&commit);
    } else {
        BUG_UNLESS(commit.size == 0 && group == NULL && sotto_mls_fault(engine)->what[0] != 0);
    }
    return 0;
}
