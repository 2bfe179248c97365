#include "mls/engine.h"

enum { DEFAULT_FORWARD = 1000, DEFAULT_SKIPPED = 100 };

bool sotto_mls_suite_available(const sotto_mls *mls, uint16_t suite)
{
    const struct suite *row = suite_by_id(suite);
    return row != NULL && crypto_has(mls->crypto, row);
}

const char *sotto_mls_suite_name(uint16_t suite)
{
    const struct suite *row = suite_by_id(suite);
    return row == NULL ? "unknown" : row->name;
}

sotto_error sotto_mls_new_with_provider(const sotto_env *env, const sotto_mls_config *config,
                                        const sotto_mls_provider *provider, sotto_mls **mls)
{
    sotto_mls *made = mem_alloc(env, sizeof *made);
    if (made == NULL)
        return SOTTO_NO_MEMORY;
    made->env = env;
    if (config != NULL)
        made->config = *config;
    made->limits = (struct secret_limits){
        .forward = made->config.max_forward_generations,
        .skipped = made->config.max_skipped_keys,
    };
    if (made->limits.forward == 0)
        made->limits.forward = DEFAULT_FORWARD;
    if (made->limits.skipped == 0)
        made->limits.skipped = DEFAULT_SKIPPED;
    arena_init(&made->lent, env);
    made->fault = (sotto_fault){SOTTO_OK, "", 0};
    sotto_error error = crypto_new_with(env, provider, &made->crypto);
    if (error != SOTTO_OK) {
        mem_free(env, made, sizeof *made);
        return error;
    }
    *mls = made;
    return SOTTO_OK;
}

void sotto_mls_free(sotto_mls *mls)
{
    if (mls == NULL)
        return;
    arena_free(&mls->lent);
    crypto_free(mls->crypto);
    mem_free(mls->env, mls, sizeof *mls);
}

const sotto_fault *sotto_mls_fault(const sotto_mls *mls)
{
    return &mls->fault;
}

void mls_begin(sotto_mls *mls)
{
    mls->fault = (sotto_fault){SOTTO_OK, "", 0};
    arena_free(&mls->lent);
}

sotto_error mls_fail(sotto_mls *mls, sotto_error error, const char *what)
{
    mls->fault = (sotto_fault){error, what, 0};
    return error;
}

sotto_error mls_fail_at(sotto_mls *mls, sotto_fault fault)
{
    mls->fault = fault;
    return fault.error;
}

sotto_error mls_check(sotto_mls *mls, sotto_error error, const char *what)
{
    if (error != SOTTO_OK && mls->fault.error != error)
        mls_fail(mls, error, what);
    return error;
}

sotto_error mls_suite(sotto_mls *mls, uint16_t id, const struct suite **suite)
{
    const struct suite *row = suite_by_id(id);
    if (row == NULL || !crypto_has(mls->crypto, row))
        return mls_fail(mls, SOTTO_UNSUPPORTED, "cipher_suite");
    *suite = row;
    return SOTTO_OK;
}

sotto_error sotto_mls_signature_key(sotto_mls *mls, uint16_t suite, sotto_buf *private_key,
                                    sotto_buf *public_key)
{
    mls_begin(mls);
    const struct suite *row;
    TRY(mls_suite(mls, suite, &row));
    struct secret key = {0};
    size_t before = public_key->size;
    sotto_error error = crypto_signature_generate(mls->crypto, row, &key, public_key);
    if (error == SOTTO_OK) {
        error = sotto_buf_append(private_key, key.data, key.size);
        if (error != SOTTO_OK)
            public_key->size = before;
    }
    secret_wipe(&key);
    return mls_check(mls, error, "signature key");
}
