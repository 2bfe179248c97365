/* Constant time of the anonymous tokens (RFC 9497), under valgrind: see ctgrind.c. The key of the
 * relay, and the client's blinds and inputs, decide no branch and no address; libsodium's part runs
 * here too and is seen. What an element of the other side decides is whether it is refused. */
#include <stdio.h>
#include <string.h>

#include <valgrind/memcheck.h>

#include "crypto/voprf.h"

enum { COUNT = 3 };

static int failures;

static void verdict(const char *what, unsigned before, sotto_error error)
{
    bool leaks = VALGRIND_COUNT_ERRORS > before;
    printf("%s %s\n", leaks ? "LEAKS" : "constant-time", what);
    failures += leaks || error != SOTTO_OK;
}

static sotto_error secret_random_bytes(void *ctx, uint8_t *out, size_t size)
{
    sotto_error error = sotto_env_system()->random(ctx, out, size);
    VALGRIND_MAKE_MEM_UNDEFINED(out, size);
    return error;
}

/* The check must be able to fail: a branch on the key is reported, or there is no valgrind. */
static bool check_works(const struct voprf_key *key)
{
    unsigned before = VALGRIND_COUNT_ERRORS;
    if (key->private_key.data[0] == 1)
        printf("a branch on a secret, on purpose\n");
    return VALGRIND_COUNT_ERRORS > before;
}

static void test_mode(enum voprf_mode mode, const sotto_env *env)
{
    uint8_t inputs[COUNT][32], blinded[COUNT * VOPRF_ELEMENT], evaluated[COUNT * VOPRF_ELEMENT];
    uint8_t proof[VOPRF_PROOF], outputs[COUNT * VOPRF_OUTPUT], output[VOPRF_OUTPUT];
    struct secret blinds[COUNT] = {0};
    struct voprf_blinded sent[COUNT];
    struct voprf_key key = {0};
    sotto_bytes info = sotto_bytes_str(mode == VOPRF_MODE_POPRF ? "info" : "");
    unsigned before = VALGRIND_COUNT_ERRORS;
    sotto_error error = voprf_key_generate(env, &key);
    verdict("voprf_key_generate", before, error);
    if (!check_works(&key)) {
        printf("the check does not see a branch on a secret\n");
        failures++;
    }
    before = VALGRIND_COUNT_ERRORS;
    for (size_t i = 0; i < COUNT && error == SOTTO_OK; i++) {
        error = env->random(env->ctx, inputs[i], 32);
        if (error == SOTTO_OK)
            error = voprf_blind(mode, env, sotto_bytes_of(inputs[i], 32), &blinds[i],
                                blinded + i * VOPRF_ELEMENT);
        sent[i] = (struct voprf_blinded){sotto_bytes_of(inputs[i], 32), secret_view(&blinds[i])};
    }
    verdict("voprf_blind", before, error);
    VALGRIND_MAKE_MEM_DEFINED(blinded, sizeof blinded);
    before = VALGRIND_COUNT_ERRORS;
    error = voprf_blind_evaluate(mode, env, &key, info, sotto_bytes_of(blinded, sizeof blinded),
                                 evaluated, proof);
    verdict("voprf_blind_evaluate", before, error);
    VALGRIND_MAKE_MEM_DEFINED(evaluated, sizeof evaluated);
    VALGRIND_MAKE_MEM_DEFINED(proof, sizeof proof);
    before = VALGRIND_COUNT_ERRORS;
    error = voprf_finalize(mode, sotto_bytes_of(key.public_key, VOPRF_ELEMENT), info, sent, COUNT,
                           sotto_bytes_of(blinded, sizeof blinded),
                           sotto_bytes_of(evaluated, sizeof evaluated),
                           sotto_bytes_of(proof, sizeof proof), outputs);
    verdict("voprf_finalize", before, error);
    before = VALGRIND_COUNT_ERRORS;
    error = voprf_evaluate(mode, &key, info, sotto_bytes_of(inputs[0], 32), output);
    verdict("voprf_evaluate", before, error);
    VALGRIND_MAKE_MEM_DEFINED(output, sizeof output);
    VALGRIND_MAKE_MEM_DEFINED(outputs, sizeof outputs);
    if (memcmp(output, outputs, sizeof output) != 0)
        failures++;
    voprf_key_wipe(&key);
}

int main(void)
{
    sotto_env env = *sotto_env_system();
    env.random = secret_random_bytes;
    if (!RUNNING_ON_VALGRIND)
        return 77;
    test_mode(VOPRF_MODE_OPRF, &env);
    test_mode(VOPRF_MODE_VOPRF, &env);
    test_mode(VOPRF_MODE_POPRF, &env);
    return failures == 0 ? 0 : 1;
}
