/* Alice makes a group, adds Bob, they write to each other, Bob is removed. Build with
 * `cc example.c $(pkg-config --cflags --libs sotto-mls)`. Read DUTIES.md before real use. */
#include <sotto/mls.h>

#include <stdio.h>
#include <stdlib.h>

static sotto_mls *engine; /* one engine serves both here; in life each has their own */

static void must(sotto_error error)
{
    if (error == SOTTO_OK)
        return;
    const sotto_fault *fault = sotto_mls_fault(engine);
    fprintf(stderr, "%s: %s\n", sotto_error_text(error), fault->what);
    exit(1);
}

static sotto_mls_identity new_identity(const char *name, sotto_buf *secret, sotto_buf *public_key)
{
    must(sotto_mls_signature_key(engine, SOTTO_MLS_X25519_CHACHA_SHA256_ED25519, secret,
                                 public_key));
    return (sotto_mls_identity){
        .suite = SOTTO_MLS_X25519_CHACHA_SHA256_ED25519,
        .credential = {.type = SOTTO_MLS_BASIC, .identity = sotto_bytes_str(name)},
        .signature_private = sotto_buf_view(secret),
        .signature_public = sotto_buf_view(public_key)};
}

static void tell(sotto_mls_group *from, sotto_mls_group *to, const char *text)
{
    sotto_buf message;
    sotto_mls_received received;
    sotto_buf_init(&message, sotto_env_system());
    must(sotto_mls_encrypt(from, sotto_bytes_str(text), sotto_bytes_str(""), 0, &message));
    must(sotto_mls_process(to, sotto_buf_view(&message), &received));
    printf("member %u: %.*s\n", received.sender, (int)received.data.size, received.data.data);
    sotto_mls_received_clear(&received);
    sotto_buf_free(&message);
}

int main(void)
{
    sotto_buf keys[4], package, secrets, commit, welcome;
    sotto_buf *all[] = {&keys[0], &keys[1], &keys[2], &keys[3],
                        &package, &secrets, &commit,  &welcome};
    for (size_t i = 0; i < 8; i++)
        sotto_buf_init(all[i], sotto_env_system());
    must(sotto_mls_new(sotto_env_system(), NULL, &engine)); /* NULL: any credential; tests only! */
    sotto_mls_identity alice = new_identity("alice", &keys[0], &keys[1]);
    sotto_mls_identity bob = new_identity("bob", &keys[2], &keys[3]);

    sotto_mls_group *at_alice, *at_bob;
    sotto_mls_staged *staged;
    must(sotto_mls_group_create(engine, &alice, sotto_bytes_str("our group"), NULL, 0, &at_alice));
    uint64_t now = sotto_env_system()->now(sotto_env_system()->ctx);
    must(sotto_mls_key_package(engine, &bob, now, now + 86400, 0, &package, &secrets));

    sotto_mls_proposal add = {.type = SOTTO_MLS_ADD, .u.add.key_package = sotto_buf_view(&package)};
    sotto_mls_commit_options options = {.proposals = &add, .proposal_count = 1};
    must(sotto_mls_commit(at_alice, &options, &commit, &welcome, &staged));
    sotto_mls_staged_apply(at_alice, staged); /* once the commit was accepted */
    must(sotto_mls_join(engine, &bob, sotto_buf_view(&package), sotto_buf_view(&secrets),
                        sotto_buf_view(&welcome), sotto_bytes_str(""), &at_bob));
    tell(at_alice, at_bob, "Hello, Bob.");
    tell(at_bob, at_alice, "Hello, Alice.");

    sotto_mls_received received;
    sotto_mls_proposal removal = {.type = SOTTO_MLS_REMOVE, .u.remove.index = 1};
    options.proposals = &removal;
    sotto_buf_clear(&commit);
    must(sotto_mls_commit(at_alice, &options, &commit, &welcome, &staged));
    sotto_mls_staged_apply(at_alice, staged);
    must(sotto_mls_process(at_bob, sotto_buf_view(&commit), &received));
    printf("bob is removed: %s\n", sotto_mls_staged_removes_self(received.staged) ? "yes" : "no");
    sotto_mls_received_clear(&received);

    sotto_mls_group_free(at_alice);
    sotto_mls_group_free(at_bob);
    sotto_mls_free(engine);
    for (size_t i = 0; i < 8; i++)
        sotto_buf_free(all[i]);
    return 0;
}
