/* Constant time of the MLS functions that handle secrets, under valgrind: see ctgrind.c. */
#include <stdio.h>
#include <string.h>

#include <valgrind/memcheck.h>

#include "mls/key_schedule.h"
#include "mls/secret_tree.h"

static int failures;

static void verdict(const char *what, unsigned before, sotto_error error)
{
    bool leaks = VALGRIND_COUNT_ERRORS > before;
    printf("%s %s\n", leaks ? "LEAKS" : "constant-time", what);
    failures += leaks || error != SOTTO_OK;
}

static struct secret undefined_secret(uint8_t first)
{
    struct secret secret = {.size = 32, .data = {first}};
    VALGRIND_MAKE_MEM_UNDEFINED(secret.data, sizeof secret.data);
    return secret;
}

static void test_key_schedule(struct crypto *crypto, const struct suite *suite)
{
    struct secret init = undefined_secret(1), commit = undefined_secret(2), joiner = {0};
    struct secret member = {0}, key = {0}, nonce = {0};
    struct epoch_secrets secrets = {0};
    sotto_bytes context = sotto_bytes_str("context");
    unsigned before = VALGRIND_COUNT_ERRORS;
    sotto_error error = key_schedule_joiner(crypto, suite, secret_view(&init), secret_view(&commit),
                                            context, &joiner);
    verdict("key_schedule_joiner", before, error);
    before = VALGRIND_COUNT_ERRORS;
    error = key_schedule_member(crypto, suite, secret_view(&joiner), secret_view(&commit), &member);
    verdict("key_schedule_member", before, error);
    before = VALGRIND_COUNT_ERRORS;
    error = key_schedule_welcome(crypto, suite, secret_view(&member), &key, &nonce);
    verdict("key_schedule_welcome", before, error);
    before = VALGRIND_COUNT_ERRORS;
    error = key_schedule_epoch(crypto, suite, secret_view(&member), context, &secrets);
    verdict("key_schedule_epoch", before, error);
    before = VALGRIND_COUNT_ERRORS;
    error =
        sender_data_key(crypto, suite, secret_view(&secrets.sender_data), context, &key, &nonce);
    verdict("sender_data_key", before, error);
}

static void test_secret_tree(struct crypto *crypto, const struct suite *suite)
{
    struct secret encryption = undefined_secret(3);
    struct secret_tree tree;
    struct secret_step step;
    const struct secret_limits limits = {10, 10};
    unsigned before = VALGRIND_COUNT_ERRORS;
    sotto_error error = secret_tree_init(&tree, crypto, suite, 4, secret_view(&encryption));
    if (error == SOTTO_OK)
        error = secret_tree_take(&tree, 2, RATCHET_APPLICATION, 3, &limits, &step);
    if (error == SOTTO_OK) {
        secret_step_commit(&step, &limits);
        secret_step_free(&step);
    }
    verdict("secret tree, ratchet", before, error);
    secret_tree_free(&tree);
}

int main(void)
{
    struct crypto *crypto;
    const struct suite *suite = suite_by_id(SUITE_X25519_AES128_SHA256_ED25519);
    if (!RUNNING_ON_VALGRIND)
        return 77;
    if (crypto_new(sotto_env_system(), &crypto) != SOTTO_OK)
        return 1;
    test_key_schedule(crypto, suite);
    test_secret_tree(crypto, suite);
    crypto_free(crypto);
    return failures == 0 ? 0 : 1;
}
