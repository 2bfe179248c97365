/* Any bytes as a Welcome, for a client that has one KeyPackage. */
#include "sotto/mls.h"

#include "base/base.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static sotto_mls *engine;
static sotto_buf private_key, public_key, key_package, secrets;
static sotto_mls_identity identity;

static void start(void)
{
    const sotto_env *env = sotto_env_system();
    sotto_buf_init(&private_key, env);
    sotto_buf_init(&public_key, env);
    sotto_buf_init(&key_package, env);
    sotto_buf_init(&secrets, env);
    BUG_UNLESS(sotto_mls_new(env, NULL, &engine) == SOTTO_OK);
    BUG_UNLESS(sotto_mls_signature_key(engine, SOTTO_MLS_X25519_AES128_SHA256_ED25519, &private_key,
                                       &public_key) == SOTTO_OK);
    identity = (sotto_mls_identity){
        .suite = SOTTO_MLS_X25519_AES128_SHA256_ED25519,
        .credential = {.type = SOTTO_MLS_BASIC, .identity = sotto_bytes_str("joiner")},
        .signature_private = sotto_buf_view(&private_key),
        .signature_public = sotto_buf_view(&public_key),
    };
    BUG_UNLESS(sotto_mls_key_package(engine, &identity, 0, UINT64_MAX - 1, 0, &key_package,
                                     &secrets) == SOTTO_OK);
}

static sotto_error ignore_reference(void *ctx, sotto_bytes reference)
{
    (void)ctx;
    (void)reference;
    return SOTTO_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (engine == NULL)
        start();
    sotto_mls_group *group = NULL;
    sotto_bytes input = sotto_bytes_of(data, size);
    sotto_mls_welcome_references(engine, input, ignore_reference, NULL);
    if (sotto_mls_join(engine, &identity, sotto_buf_view(&key_package), sotto_buf_view(&secrets),
                       input, (sotto_bytes){0}, &group) == SOTTO_OK)
        sotto_mls_group_free(group);
    else
        BUG_UNLESS(group == NULL && sotto_mls_fault(engine)->what[0] != 0);
    return 0;
}
