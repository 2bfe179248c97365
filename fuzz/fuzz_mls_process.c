/* A small ready-made group is handed any bytes: as a message, and as what a hostile member signs
 * and protects with the group's own keys. The first octet chooses which. Nothing but a crash is
 * wrong: whatever is not valid is refused and leaves the epoch as it is. */
#include "mls/group.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SUITE SOTTO_MLS_X25519_AES128_SHA256_ED25519

struct member {
    sotto_buf private_key, public_key, key_package, secrets;
    sotto_mls_identity identity;
    sotto_mls_group *group;
};

static sotto_mls *engine;
static struct member alice, bob, carol;

/* The same keys in every run, so that inputs that were found stay what they were. */
static sotto_error counted_random(void *ctx, uint8_t *out, size_t size)
{
    static uint64_t state = 1;
    (void)ctx;
    for (size_t i = 0; i < size; i++) {
        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        out[i] = (uint8_t)(state >> 56);
    }
    return SOTTO_OK;
}

static uint64_t fixed_now(void *ctx)
{
    (void)ctx;
    return 1000;
}

static void *resize(void *ctx, void *block, size_t old_size, size_t new_size)
{
    return sotto_env_system()->resize(ctx, block, old_size, new_size);
}

static const sotto_env env = {.resize = resize, .random = counted_random, .now = fixed_now};

static void member_start(struct member *member, const char *name)
{
    sotto_buf_init(&member->private_key, &env);
    sotto_buf_init(&member->public_key, &env);
    sotto_buf_init(&member->key_package, &env);
    sotto_buf_init(&member->secrets, &env);
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

static void join(struct member *member, const sotto_buf *welcome)
{
    BUG_UNLESS(sotto_mls_join(engine, &member->identity, sotto_buf_view(&member->key_package),
                              sotto_buf_view(&member->secrets), sotto_buf_view(welcome),
                              (sotto_bytes){0}, &member->group) == SOTTO_OK);
}

static void start(void)
{
    BUG_UNLESS(sotto_mls_new(&env, NULL, &engine) == SOTTO_OK);
    member_start(&alice, "alice");
    member_start(&bob, "bob");
    member_start(&carol, "carol");
    BUG_UNLESS(sotto_mls_group_create(engine, &alice.identity, sotto_bytes_str("fuzz"), NULL, 0,
                                      &alice.group) == SOTTO_OK);
    const sotto_mls_proposal adds[] = {
        {.type = SOTTO_MLS_ADD, .u.add.key_package = sotto_buf_view(&bob.key_package)},
        {.type = SOTTO_MLS_ADD, .u.add.key_package = sotto_buf_view(&carol.key_package)},
    };
    const sotto_mls_commit_options options = {.proposals = adds, .proposal_count = 2};
    sotto_buf commit, welcome;
    sotto_buf_init(&commit, &env);
    sotto_buf_init(&welcome, &env);
    sotto_mls_staged *staged;
    BUG_UNLESS(sotto_mls_commit(alice.group, &options, &commit, &welcome, &staged) == SOTTO_OK);
    sotto_mls_staged_apply(alice.group, staged);
    join(&bob, &welcome);
    join(&carol, &welcome);
    sotto_buf_free(&commit);
    sotto_buf_free(&welcome);
}

/* True if it was taken. */
static bool hand_to_bob(sotto_bytes message)
{
    sotto_mls_received received;
    uint64_t epoch = sotto_mls_epoch(bob.group);
    sotto_error error = sotto_mls_process(bob.group, message, &received);
    if (error == SOTTO_OK)
        sotto_mls_received_clear(&received);
    else
        BUG_UNLESS(sotto_mls_fault(engine)->what[0] != 0);
    BUG_UNLESS(sotto_mls_epoch(bob.group) == epoch);
    return error == SOTTO_OK;
}

/* body, signed and protected by alice. */
static void from_a_hostile_member(enum content_type type, sotto_mls_framing framing,
                                  sotto_bytes body)
{
    struct sending sending;
    sotto_buf message;
    sotto_buf_init(&message, &env);
    sending_init(&sending, &env);
    sending_address(&sending, alice.group, type, framing, (sotto_bytes){0});
    BUG_UNLESS(sending_sign(&sending, alice.group, body) == SOTTO_OK);
    sending.message.auth.confirmation_tag = sotto_bytes_str("thirty-two octets and no good tag");
    if (body.size > 0 && sending_protect(&sending, alice.group, 0, &message) == SOTTO_OK &&
        hand_to_bob(sotto_buf_view(&message)) && type != CONTENT_COMMIT)
        sending_done(&sending, alice.group);
    sotto_mls_pending_clear(bob.group);
    sending_free(&sending);
    sotto_buf_free(&message);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (engine == NULL)
        start();
    if (size == 0)
        return 0;
    sotto_bytes rest = sotto_bytes_of(data + 1, size - 1);
    sotto_mls_framing framing = data[0] & 4 ? SOTTO_MLS_PRIVATE : SOTTO_MLS_PUBLIC;
    if ((data[0] & 3) == 0)
        hand_to_bob(rest);
    else if ((data[0] & 3) == CONTENT_APPLICATION)
        from_a_hostile_member(CONTENT_APPLICATION, SOTTO_MLS_PRIVATE, rest);
    else
        from_a_hostile_member((enum content_type)(data[0] & 3), framing, rest);
    return 0;
}
