/* A small ready-made group is handed any bytes as a message: a refusal leaves it as it was. */
#include "sotto/mls.h"

#include "base/base.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SUITE SOTTO_MLS_X25519_AES128_SHA256_ED25519

struct member {
    sotto_buf private_key, public_key, key_package, secrets;
    sotto_mls_identity identity;
    sotto_mls_group *group;
};

static sotto_mls *engine;
static struct member alice, bob;

static void member_start(struct member *member, const char *name)
{
    const sotto_env *env = sotto_env_system();
    sotto_buf_init(&member->private_key, env);
    sotto_buf_init(&member->public_key, env);
    sotto_buf_init(&member->key_package, env);
    sotto_buf_init(&member->secrets, env);
    BUG_UNLESS(sotto_mls_signature_key(engine, SUITE, &member->private_key, &member->public_key) ==
               SOTTO_OK);
    member->identity = (sotto_mls_identity){
        .suite = SUITE,
        .credential = {.type = SOTTO_MLS_BASIC, .identity = sotto_bytes_str(name)},
        .signature_private = sotto_buf_view(&member->private_key),
        .signature_public = sotto_buf_view(&member->public_key),
    };
    BUG_UNLESS(sotto_mls_key_package(engine, &member->identity, 0, UINT64_MAX - 1, 0,
                                     &member->key_package, &member->secrets) == SOTTO_OK);
}

static void start(void)
{
    BUG_UNLESS(sotto_mls_new(sotto_env_system(), NULL, &engine) == SOTTO_OK);
    member_start(&alice, "alice");
    member_start(&bob, "bob");
    BUG_UNLESS(sotto_mls_group_create(engine, &alice.identity, sotto_bytes_str("fuzz"), NULL, 0,
                                      &alice.group) == SOTTO_OK);
    const sotto_mls_proposal add = {.type = SOTTO_MLS_ADD,
                                    .u.add.key_package = sotto_buf_view(&bob.key_package)};
    const sotto_mls_commit_options options = {.proposals = &add, .proposal_count = 1};
    sotto_buf commit, welcome;
    sotto_buf_init(&commit, sotto_env_system());
    sotto_buf_init(&welcome, sotto_env_system());
    sotto_mls_staged *staged;
    BUG_UNLESS(sotto_mls_commit(alice.group, &options, &commit, &welcome, &staged) == SOTTO_OK);
    sotto_mls_staged_apply(alice.group, staged);
    BUG_UNLESS(sotto_mls_join(engine, &bob.identity, sotto_buf_view(&bob.key_package),
                              sotto_buf_view(&bob.secrets), sotto_buf_view(&welcome),
                              (sotto_bytes){0}, &bob.group) == SOTTO_OK);
    sotto_buf_free(&commit);
    sotto_buf_free(&welcome);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (engine == NULL)
        start();
    sotto_mls_received received;
    uint64_t epoch = sotto_mls_epoch(bob.group);
    if (sotto_mls_process(bob.group, sotto_bytes_of(data, size), &received) == SOTTO_OK)
        sotto_mls_received_clear(&received);
    else
        BUG_UNLESS(sotto_mls_fault(engine)->what[0] != 0);
    BUG_UNLESS(sotto_mls_epoch(bob.group) == epoch);
    return 0;
}
