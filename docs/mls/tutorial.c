/* The code of TUTORIAL.md, as one program: Alice, Bob and Carol in one process, each with an engine
 * of their own. The network is a function call, the database an array. Build with
 * `cc tutorial.c $(pkg-config --cflags --libs sotto-mls)`. */
#include <sotto/mls.h>
#include <sotto/mls_x509.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define ROWS 256
#define DAY 86400u

/* What stands for a table (kind, index, value) with a key over (kind, index). */
struct row {
    uint32_t kind, index;
    sotto_buf value;
};

struct database {
    struct row rows[ROWS];
    size_t count, cursor;
};

struct client {
    const char *name;
    sotto_mls *mls;
    sotto_buf private_key, public_key;
    sotto_mls_identity identity;
    sotto_buf key_package, reference, secrets; /* the KeyPackage on offer */
    sotto_mls_group *group;
    struct database database;
};

static struct client alice = {.name = "alice"}, bob = {.name = "bob"}, carol = {.name = "carol"};
static struct client *const everybody[] = {&alice, &bob, &carol};

static void must(const struct client *client, sotto_error error)
{
    if (error == SOTTO_OK)
        return;
    const sotto_fault *fault = sotto_mls_fault(client->mls);
    fprintf(stderr, "%s: %s: %s (byte %zu)\n", client->name, sotto_error_text(error), fault->what,
            fault->offset);
    exit(1);
}

static void expect(bool fact, const char *words)
{
    printf("%s: %s\n", fact ? "as expected" : "NOT AS EXPECTED", words);
    if (!fact)
        exit(1);
}

static sotto_bytes nothing(void)
{
    return sotto_bytes_of(NULL, 0);
}

/* ---- Who is who ------------------------------------------------------------------------------ */

static sotto_error judge(void *ctx, const sotto_mls_group *group, const sotto_mls_leaf *leaf,
                         const sotto_mls_leaf *replaced)
{
    (void)ctx, (void)group;
    sotto_bytes name = leaf->credential.identity;
    if (leaf->credential.type != SOTTO_MLS_BASIC)
        return SOTTO_CREDENTIAL;
    if (replaced != NULL && !sotto_bytes_equal(replaced->credential.identity, name))
        return SOTTO_CREDENTIAL;   /* a leaf stays the person it was */
    for (size_t i = 0; i < 3; i++) /* the address book, verified over another channel */
        if (sotto_bytes_equal(sotto_bytes_str(everybody[i]->name), name))
            return sotto_bytes_equal(sotto_buf_view(&everybody[i]->public_key), leaf->signature_key)
                       ? SOTTO_OK
                       : SOTTO_CREDENTIAL;
    return SOTTO_CREDENTIAL;
}

static sotto_error shared_password(void *ctx, sotto_bytes id, sotto_buf *psk)
{
    (void)ctx;
    static const uint8_t key[32] = "32 bytes that both agreed upon.";
    if (!sotto_bytes_equal(id, sotto_bytes_str("lunch")))
        return SOTTO_NOT_FOUND;
    return sotto_buf_append(psk, key, sizeof key);
}

static void start(struct client *client)
{
    const sotto_env *env = sotto_env_system();
    sotto_buf *all[] = {&client->private_key, &client->public_key, &client->key_package,
                        &client->reference, &client->secrets};
    for (size_t i = 0; i < 5; i++)
        sotto_buf_init(all[i], env);

    sotto_mls_config config = {
        .ctx = client, .validate_leaf = judge, .external_psk = shared_password};
    sotto_error error = sotto_mls_new(env, &config, &client->mls);
    if (error != SOTTO_OK) /* there is no engine yet to ask for the fault */
        exit(1);

    uint16_t suite = SOTTO_MLS_DEFAULT_SUITE;
    must(client,
         sotto_mls_signature_key(client->mls, suite, &client->private_key, &client->public_key));
    client->identity = (sotto_mls_identity){
        .suite = suite,
        .credential = {.type = SOTTO_MLS_BASIC, .identity = sotto_bytes_str(client->name)},
        .signature_private = sotto_buf_view(&client->private_key),
        .signature_public = sotto_buf_view(&client->public_key)};
}

/* ---- Keeping --------------------------------------------------------------------------------- */

static struct row *find_row(struct database *database, uint32_t kind, uint32_t index)
{
    for (size_t i = 0; i < database->count; i++)
        if (database->rows[i].kind == kind && database->rows[i].index == index)
            return &database->rows[i];
    return NULL;
}

static sotto_error put(void *ctx, uint32_t kind, uint32_t index, sotto_bytes value)
{
    struct database *database = ctx;
    struct row *row = find_row(database, kind, index);
    if (row == NULL) {
        if (database->count == ROWS)
            return SOTTO_FULL;
        row = &database->rows[database->count++];
        *row = (struct row){.kind = kind, .index = index};
        sotto_buf_init(&row->value, sotto_env_system());
    }
    sotto_buf_clear(&row->value);
    return sotto_buf_append(&row->value, value.data, value.size);
}

static sotto_error erase(void *ctx, uint32_t kind, uint32_t index)
{
    struct database *database = ctx;
    struct row *row = find_row(database, kind, index);
    if (row == NULL)
        return SOTTO_OK;
    sotto_buf_free(&row->value); /* which wipes */
    *row = database->rows[--database->count];
    return SOTTO_OK;
}

static void save(struct client *client)
{
    sotto_mls_store store = {.ctx = &client->database, .put = put, .erase = erase};
    /* begin transaction */
    must(client, sotto_mls_group_save(client->group, &store));
    /* commit, and wait until it is on disk */
}

static sotto_error next_row(void *ctx, uint32_t *kind, uint32_t *index, sotto_bytes *value)
{
    struct database *database = ctx;
    if (database->cursor == database->count)
        return SOTTO_NOT_FOUND;
    const struct row *row = &database->rows[database->cursor++];
    *kind = row->kind;
    *index = row->index;
    *value = sotto_buf_view(&row->value);
    return SOTTO_OK;
}

static void restart(struct client *client)
{
    sotto_mls_group_free(client->group); /* the process ended */
    client->database.cursor = 0;
    must(client, sotto_mls_group_load(client->mls, &client->identity, next_row, &client->database,
                                      &client->group));
}

/* ---- Receiving ------------------------------------------------------------------------------- */

static void print_bytes(const char *before, sotto_bytes text)
{
    printf("%s%.*s\n", before, (int)text.size, (const char *)text.data);
}

static void show(const sotto_mls_proposal *proposal)
{
    if (proposal->type == SOTTO_MLS_ADD)
        print_bytes("  adds ", proposal->u.add.leaf.credential.identity);
    else if (proposal->type == SOTTO_MLS_REMOVE)
        printf("  removes member %" PRIu32 "\n", proposal->u.remove.index);
    else
        printf("  has a proposal of type %u\n", proposal->type);
}

static void look(const struct client *client, const sotto_mls_staged *staged)
{
    printf("%s sees member %" PRIu32 " start epoch %" PRIu64 ":\n", client->name,
           sotto_mls_staged_committer(staged), sotto_mls_staged_epoch(staged));
    for (size_t i = 0; i < sotto_mls_staged_count(staged); i++) {
        sotto_mls_proposal proposal;
        uint32_t sender;
        must(client, sotto_mls_staged_proposal(staged, i, &proposal, &sender));
        show(&proposal);
    }
}

static void receive(struct client *client, const sotto_buf *message)
{
    sotto_mls_received received;
    sotto_error error = sotto_mls_process(client->group, sotto_buf_view(message), &received);
    if (error == SOTTO_EPOCH || error == SOTTO_REUSED)
        return; /* late or twice: ordinary */
    must(client, error);
    if (received.kind == SOTTO_MLS_RECEIVED_APPLICATION) {
        printf("%s reads from member %" PRIu32, client->name, received.sender);
        print_bytes(": ", sotto_buf_view(&received.data));
    } else if (received.kind == SOTTO_MLS_RECEIVED_COMMIT) {
        look(client, received.staged); /* here the application may still say no: drop */
        sotto_mls_staged_apply(client->group, received.staged);
        received.staged = NULL;
    }
    save(client); /* in the transaction that keeps the text */
    sotto_mls_received_clear(&received);
}

/* ---- The story ------------------------------------------------------------------------------- */

static void create(void)
{
    must(&alice, sotto_mls_group_create(alice.mls, &alice.identity, sotto_bytes_str("lunch-4711"),
                                        NULL, 0, &alice.group));
    save(&alice);
}

static void offer(struct client *client)
{
    uint64_t now = sotto_env_system()->now(NULL);
    must(client, sotto_mls_key_package(client->mls, &client->identity, now, now + 90 * DAY, 0,
                                       &client->key_package, &client->secrets));
    sotto_mls_leaf leaf;
    must(client, sotto_mls_key_package_inspect(client->mls, sotto_buf_view(&client->key_package),
                                               &leaf, NULL, &client->reference));
    /* store reference -> (key_package, secrets); then publish key_package */
}

static void commit_and_apply(struct client *client, const sotto_mls_commit_options *options,
                             sotto_buf *commit, sotto_buf *welcome)
{
    sotto_mls_staged *staged;
    must(client, sotto_mls_commit(client->group, options, commit, welcome, &staged));
    sotto_buf pending;
    sotto_buf_init(&pending, sotto_env_system());
    must(client, sotto_mls_staged_save(staged, &pending)); /* both before the commit is sent */
    save(client);
    /* ... the commit goes to the server, which accepts it ... */
    sotto_mls_staged_apply(client->group, staged);
    save(client);
    sotto_buf_free(&pending); /* and erased in the database */
}

static void invite(sotto_buf *welcome)
{
    sotto_buf commit;
    sotto_buf_init(&commit, sotto_env_system());
    sotto_mls_proposal add = {.type = SOTTO_MLS_ADD,
                              .u.add.key_package = sotto_buf_view(&bob.key_package)};
    sotto_mls_commit_options options = {.proposals = &add, .proposal_count = 1};
    commit_and_apply(&alice, &options, &commit, welcome);
    /* commit: to the other members (none yet); then welcome: to bob */
    sotto_buf_free(&commit);
}

static sotto_error is_mine(void *ctx, sotto_bytes reference)
{
    struct client *client = ctx; /* BUSY here only means: found, stop */
    return sotto_bytes_equal(reference, sotto_buf_view(&client->reference)) ? SOTTO_BUSY : SOTTO_OK;
}

static void join(struct client *client, const sotto_buf *welcome)
{
    sotto_error found =
        sotto_mls_welcome_references(client->mls, sotto_buf_view(welcome), is_mine, client);
    expect(found == SOTTO_BUSY, "the Welcome is for a KeyPackage of ours");
    must(client,
         sotto_mls_join(client->mls, &client->identity, sotto_buf_view(&client->key_package),
                        sotto_buf_view(&client->secrets), sotto_buf_view(welcome), nothing(),
                        &client->group));
    uint32_t at = 0;
    sotto_mls_leaf member;
    while (sotto_mls_next_member(client->group, &at, &member))
        print_bytes("  in the group: ", member.credential.identity);
    save(client);
    sotto_buf_free(&client->secrets); /* and erased in the database: they were for one group */
}

static void say(struct client *from, const char *text)
{
    sotto_buf message;
    sotto_buf_init(&message, sotto_env_system());
    must(from, sotto_mls_encrypt(from->group, sotto_bytes_str(text), nothing(), 64, &message));
    save(from); /* durable before the message leaves */
    for (size_t i = 0; i < 3; i++)
        if (everybody[i] != from && everybody[i]->group != NULL)
            receive(everybody[i], &message);
    sotto_buf_free(&message);
}

static void join_from_outside(struct client *client)
{
    sotto_buf info, commit;
    sotto_buf_init(&info, sotto_env_system());
    sotto_buf_init(&commit, sotto_env_system());
    must(&alice, sotto_mls_group_info(alice.group, true, true, &info)); /* from a member */
    sotto_mls_group *group;
    must(client, sotto_mls_external_join(client->mls, &client->identity, sotto_buf_view(&info),
                                         nothing(), NULL, &commit, &group));
    receive(&alice, &commit); /* accepted by the server, so everybody gets it */
    receive(&bob, &commit);
    client->group = group;
    save(client);
    sotto_buf_free(&info);
    sotto_buf_free(&commit);
}

static void stir_in_a_password(void)
{
    sotto_buf commit, welcome;
    sotto_buf_init(&commit, sotto_env_system());
    sotto_buf_init(&welcome, sotto_env_system());
    sotto_mls_proposal psk = {.type = SOTTO_MLS_PSK, .u.psk.id = sotto_bytes_str("lunch")};
    sotto_mls_commit_options options = {.proposals = &psk, .proposal_count = 1};
    commit_and_apply(&bob, &options, &commit, &welcome);
    receive(&alice, &commit);
    receive(&carol, &commit);
    sotto_buf_free(&commit);
    sotto_buf_free(&welcome);
}

static uint32_t index_of(const sotto_mls_group *group, const char *name)
{
    uint32_t at = 0;
    sotto_mls_leaf member;
    while (sotto_mls_next_member(group, &at, &member))
        if (sotto_bytes_equal(member.credential.identity, sotto_bytes_str(name)))
            return member.index;
    return UINT32_MAX;
}

static void remove_bob(void)
{
    sotto_buf commit, welcome;
    sotto_buf_init(&commit, sotto_env_system());
    sotto_buf_init(&welcome, sotto_env_system());
    sotto_mls_proposal removal = {.type = SOTTO_MLS_REMOVE,
                                  .u.remove.index = index_of(alice.group, "bob")};
    sotto_mls_commit_options options = {.proposals = &removal, .proposal_count = 1};
    commit_and_apply(&alice, &options, &commit, &welcome);
    receive(&carol, &commit);

    sotto_mls_received received;
    must(&bob, sotto_mls_process(bob.group, sotto_buf_view(&commit), &received));
    expect(sotto_mls_staged_removes_self(received.staged), "bob is told that he is out");
    sotto_mls_staged_apply(bob.group, received.staged); /* wipes the group's secrets */
    received.staged = NULL;
    sotto_mls_received_clear(&received);
    save(&bob);

    sotto_buf_clear(&welcome);
    expect(sotto_mls_encrypt(bob.group, sotto_bytes_str("still here?"), nothing(), 0, &welcome) ==
               SOTTO_REMOVED,
           "bob cannot write any more");
    sotto_buf_free(&commit);
    sotto_buf_free(&welcome);
}

static void compare(const struct client *one, const struct client *other)
{
    expect(sotto_bytes_equal(sotto_mls_epoch_authenticator(one->group),
                             sotto_mls_epoch_authenticator(other->group)),
           "both are in the same epoch of the same group");
}

/* ---- X.509 instead of an address book -------------------------------------------------------- */

static const char company_root[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBRDCB96ADAgECAhRMj8mjIUlShPohFHuqJopnG6c2GDAFBgMrZXAwFzEVMBMG\n"
    "A1UEAwwMRXhhbXBsZSBSb290MCAXDTI2MTEyNDAzNTY1NVoYDzIxMjYxMDMxMDM1\n"
    "NjU1WjAXMRUwEwYDVQQDDAxFeGFtcGxlIFJvb3QwKjAFBgMrZXADIQAwE0nW2VJ0\n"
    "zVs2Ir+qbKqt3MtlhHxqhLlASlPylkK04KNTMFEwHQYDVR0OBBYEFDvk7o3si002\n"
    "TePywDe8+cGUUQd4MB8GA1UdIwQYMBaAFDvk7o3si002TePywDe8+cGUUQd4MA8G\n"
    "A1UdEwEB/wQFMAMBAf8wBQYDK2VwA0EAKbqqM6xRIn7us1oLyOKf/VbCLcYPa+zk\n"
    "7yIqveVrgEGHsuTXeaDN+XaL0Dr3T2JUzVZAYsAY5fUwIqS5QSrnDA==\n"
    "-----END CERTIFICATE-----\n";

static void with_certificates(void)
{
    sotto_mls_x509 *verifier;
    sotto_mls *mls;
    if (sotto_mls_x509_new(sotto_env_system(), &verifier) != SOTTO_OK)
        exit(1);
    expect(sotto_mls_x509_trust(verifier, sotto_bytes_str(company_root)) == SOTTO_OK,
           "the company's root is trusted");
    sotto_mls_config config = {.ctx = verifier, .validate_leaf = sotto_mls_x509_validate_leaf};
    if (sotto_mls_new(sotto_env_system(), &config, &mls) != SOTTO_OK)
        exit(1);
    /* ... groups whose members' credentials are certificate chains ... */
    sotto_mls_free(mls);
    sotto_mls_x509_free(verifier);
}

/* ---------------------------------------------------------------------------------------------- */

static void stop(struct client *client)
{
    sotto_mls_group_free(client->group);
    sotto_mls_free(client->mls);
    sotto_buf *all[] = {&client->private_key, &client->public_key, &client->key_package,
                        &client->reference, &client->secrets};
    for (size_t i = 0; i < 5; i++)
        sotto_buf_free(all[i]);
    for (size_t i = 0; i < client->database.count; i++)
        sotto_buf_free(&client->database.rows[i].value);
}

int main(void)
{
    sotto_buf welcome;
    sotto_buf_init(&welcome, sotto_env_system());
    for (size_t i = 0; i < 3; i++)
        start(everybody[i]);
    create();
    offer(&bob);
    invite(&welcome);
    join(&bob, &welcome);
    sotto_buf_free(&welcome);
    compare(&alice, &bob);
    say(&alice, "Lunch at noon?");
    restart(&bob);
    say(&bob, "Yes. I have only just started again.");
    join_from_outside(&carol);
    compare(&alice, &carol);
    say(&carol, "May I come along?");
    stir_in_a_password();
    compare(&alice, &bob);
    remove_bob();
    compare(&alice, &carol);
    with_certificates();
    for (size_t i = 0; i < 3; i++)
        stop(everybody[i]);
    return 0;
}
