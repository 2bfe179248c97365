/* What is kept of a group, how much of it a change writes, and that loading resumes exactly. */
#include "mls/group_save.h"
#include "unit/mls_clients.h"

#define SUITE SOTTO_MLS_X25519_AES128_SHA256_ED25519
#define MEMBERS 33

static struct client clients[MEMBERS];
static struct client *all[MEMBERS];

static void start(size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char name[24];
        snprintf(name, sizeof name, "client %zu", i);
        client_new(&clients[i], SUITE, name, NULL);
        all[i] = &clients[i];
    }
    client_create(&clients[0], "group");
    world_add(&clients[0], all + 1, count - 1, NULL, 0);
}

static void stop(size_t count)
{
    for (size_t i = 0; i < count; i++)
        client_free(&clients[i]);
}

static void count_calls(struct memory_store *store)
{
    store->puts = store->erases = store->put_bytes = 0;
}

static void encrypt(struct client *client)
{
    sotto_buf message;
    sotto_buf_init(&message, sotto_env_system());
    assert_ok(
        sotto_mls_encrypt(client->group, sotto_bytes_str("x"), sotto_bytes_str(""), 0, &message));
    sotto_buf_free(&message);
}

/* The stored records are those that a first save would write. */
static void check_stored(struct client *client)
{
    struct memory_store dump = {0};
    const sotto_mls_store store = {&dump, store_put, store_erase};
    assert_ok(group_dump(client->group, &store));
    assert_true(store_equal(&dump, &client->store));
    store_clear(&dump);
}

static void a_message_writes_one_small_record(void **state)
{
    (void)state;
    start(MEMBERS);
    struct client *c = &clients[7];
    client_save(c);
    check_stored(c);
    encrypt(c);
    count_calls(&c->store);
    client_save(c); /* the first: six siblings, two ratchets, the root goes */
    assert_int_equal(c->store.puts, 8);
    assert_int_equal(c->store.erases, 1);
    check_stored(c);
    for (int i = 0; i < 3; i++) {
        encrypt(c);
        count_calls(&c->store);
        client_save(c);
        assert_int_equal(c->store.puts, 1);
        assert_int_equal(c->store.erases, 0);
        assert_true(c->store.put_bytes < 64);
    }
    count_calls(&c->store);
    client_save(c);
    assert_int_equal(c->store.puts + c->store.erases, 0);
    check_stored(c);
    stop(MEMBERS);
}

static void a_commit_writes_what_changed(void **state)
{
    (void)state;
    start(MEMBERS);
    for (size_t i = 0; i < MEMBERS; i++)
        client_save(all[i]);
    sotto_buf commit;
    sotto_buf_init(&commit, sotto_env_system());
    client_commit(all[3], NULL, &commit);
    world_process(all, MEMBERS, all[3], sotto_buf_view(&commit));
    for (size_t i = 0; i < MEMBERS; i++) {
        count_calls(&all[i]->store);
        client_save(all[i]);
        /* The leaf, six nodes above it, the group's record, the new secret tree's root. */
        assert_true(all[i]->store.puts <= 9);
        check_stored(all[i]);
    }
    sotto_buf_free(&commit);
    stop(MEMBERS);
}

static void hear_proposal(struct client *from, struct client *to, uint32_t index)
{
    sotto_mls_proposal proposal = {.type = SOTTO_MLS_REMOVE, .u.remove = {index}};
    sotto_mls_received received = {0};
    sotto_buf message;
    sotto_buf_init(&message, sotto_env_system());
    assert_ok(sotto_mls_propose(from->group, &proposal, NULL, SOTTO_MLS_PRIVATE, &message));
    assert_ok(sotto_mls_process(to->group, sotto_buf_view(&message), &received));
    sotto_mls_received_clear(&received);
    sotto_buf_free(&message);
}

/* The number under which the next proposal is kept is part of what is saved: otherwise a proposal
 * that comes after a restart takes the record of one that came before. */
static void proposals_on_both_sides_of_a_restart_are_kept(void **state)
{
    (void)state;
    start(4);
    client_save(&clients[0]);
    client_save(&clients[1]);
    hear_proposal(&clients[1], &clients[0], 2);
    for (size_t i = 0; i < 2; i++) { /* who received it, and who made it */
        client_save(&clients[i]);
        check_stored(&clients[i]);
        client_reload(&clients[i]);
    }
    hear_proposal(&clients[1], &clients[0], 3);
    for (size_t i = 0; i < 2; i++) {
        client_reload(&clients[i]);
        assert_int_equal(sotto_mls_pending_count(clients[i].group), 2);
    }
    stop(4);
}

static void a_failed_save_is_written_again(void **state)
{
    (void)state;
    start(3);
    struct client *c = &clients[1];
    client_save(c);
    sotto_buf commit;
    sotto_buf_init(&commit, sotto_env_system());
    client_commit(all[0], NULL, &commit);
    world_process(all, 3, all[0], sotto_buf_view(&commit));
    encrypt(c);
    const sotto_mls_store store = {&c->store, store_put, store_erase};
    struct memory_store before = {0};
    store_copy(&c->store, &before);
    for (size_t at = 1;; at++) {
        count_calls(&c->store);
        c->store.fail_at = at;
        sotto_error error = sotto_mls_group_save(c->group, &store);
        c->store.fail_at = 0;
        if (error == SOTTO_OK)
            break;
        assert_error(error, IO);
        store_copy(&before, &c->store); /* the transaction rolled back */
    }
    check_stored(c);
    store_clear(&before);
    sotto_buf_free(&commit);
    stop(3);
}

static void loading_resumes_exactly(void **state)
{
    (void)state;
    start(5);
    sotto_buf early, late, commit;
    sotto_buf_init(&early, sotto_env_system());
    sotto_buf_init(&late, sotto_env_system());
    sotto_buf_init(&commit, sotto_env_system());
    assert_ok(
        sotto_mls_encrypt(all[0]->group, sotto_bytes_str("early"), sotto_bytes_str(""), 0, &early));
    assert_ok(
        sotto_mls_encrypt(all[0]->group, sotto_bytes_str("late"), sotto_bytes_str(""), 0, &late));
    sotto_mls_received received;
    assert_ok(sotto_mls_process(all[1]->group, sotto_buf_view(&late), &received));
    sotto_mls_received_clear(&received);
    const sotto_mls_proposal update = {.type = SOTTO_MLS_UPDATE};
    sotto_buf proposal;
    sotto_buf_init(&proposal, sotto_env_system());
    assert_ok(sotto_mls_propose(all[1]->group, &update, NULL, SOTTO_MLS_PRIVATE, &proposal));
    for (size_t i = 0; i < 5; i++)
        if (i != 1) {
            assert_ok(sotto_mls_process(all[i]->group, sotto_buf_view(&proposal), &received));
            sotto_mls_received_clear(&received);
        }
    for (size_t i = 0; i < 5; i++) {
        client_reload(all[i]);
        check_stored(all[i]);
        assert_int_equal(sotto_mls_pending_count(all[i]->group), 1);
    }
    assert_ok(sotto_mls_process(all[1]->group, sotto_buf_view(&early), &received));
    assert_bytes(sotto_buf_view(&received.data), sotto_bytes_str("early"));
    sotto_mls_received_clear(&received);
    assert_error(sotto_mls_process(all[1]->group, sotto_buf_view(&late), &received), REUSED);
    /* The Update of a member that was reloaded in between is committed by another. */
    client_commit(all[2], NULL, &commit);
    world_process(all, 5, all[2], sotto_buf_view(&commit));
    for (size_t i = 0; i < 5; i++)
        client_reload(all[i]);
    world_agrees(all, 5);
    sotto_buf_free(&early);
    sotto_buf_free(&late);
    sotto_buf_free(&commit);
    sotto_buf_free(&proposal);
    stop(5);
}

static void damaged_records_are_refused(void **state)
{
    (void)state;
    start(3);
    struct client *c = &clients[1];
    encrypt(c);
    client_save(c);
    struct memory_store whole = {0};
    store_copy(&c->store, &whole);
    for (size_t missing = 0; missing < whole.count; missing++) {
        store_copy(&whole, &c->store);
        assert_ok(
            store_erase(&c->store, whole.records[missing].kind, whole.records[missing].index));
        sotto_mls_group *group = NULL;
        assert_int_not_equal(client_load(c, &group), SOTTO_OK);
        assert_null(group);
        assert_true(sotto_mls_fault(c->mls)->what[0] != 0);
    }
    for (size_t i = 0; i < whole.count; i++) {
        store_copy(&whole, &c->store);
        for (size_t at = 0; at < whole.records[i].size; at++) {
            uint8_t *octet = &c->store.records[i].data[at];
            sotto_mls_group *group = NULL;
            *octet ^= (uint8_t)(1 << at % 8);
            assert_int_not_equal(client_load(c, &group), SOTTO_OK);
            assert_null(group);
            *octet ^= (uint8_t)(1 << at % 8);
        }
        for (size_t cut = 0; cut < whole.records[i].size; cut += 7) {
            store_copy(&whole, &c->store);
            c->store.records[i].size = cut;
            sotto_mls_group *group = NULL;
            assert_int_not_equal(client_load(c, &group), SOTTO_OK);
            assert_null(group);
        }
    }
    store_clear(&whole);
    stop(3);
}

/* What a crash in the middle of a save that was not one transaction leaves, or a record restored by
 * itself: every record is what it was, but they are not of one time. */
static void records_of_two_saves_are_refused(void **state)
{
    (void)state;
    start(3);
    struct client *c = &clients[1];
    client_save(c);
    struct memory_store before = {0}, after = {0};
    store_copy(&c->store, &before);
    sotto_buf commit;
    sotto_buf_init(&commit, sotto_env_system());
    client_commit(all[0], NULL, &commit);
    world_process(all, 3, all[0], sotto_buf_view(&commit));
    client_save(c);
    store_copy(&c->store, &after);
    size_t replaced = 0;
    for (size_t i = 0; i < before.count; i++) {
        const struct stored *old = &before.records[i];
        const struct stored *now = store_find(&after, old->kind, old->index);
        if (now == NULL || (now->size == old->size && memcmp(now->data, old->data, old->size) == 0))
            continue;
        if (old->kind > 2) /* of the secret tree, whose records are not bound together */
            continue;
        store_copy(&after, &c->store);
        assert_ok(
            store_put(&c->store, old->kind, old->index, sotto_bytes_of(old->data, old->size)));
        sotto_mls_group *group = NULL;
        assert_int_not_equal(client_load(c, &group), SOTTO_OK);
        replaced++;
    }
    assert_true(replaced >= 3); /* a leaf, its parent, the group's record */
    store_copy(&after, &c->store);
    client_reload(c);
    store_clear(&before);
    store_clear(&after);
    sotto_buf_free(&commit);
    stop(3);
}

#define FEW 5

static void start_hybrid(void)
{
    static const sotto_mls_config config = {.stored = client_stored};
    for (size_t i = 0; i < FEW; i++) {
        client_new(&clients[i], SOTTO_MLS_XWING_CHACHA_SHA256_ED25519, i == 1 ? "lazy" : "whole",
                   i == 1 ? &config : NULL);
        all[i] = &clients[i];
    }
    client_create(&clients[0], "group");
    world_add(&clients[0], all + 1, FEW - 1, NULL, 0);
    for (size_t i = 0; i < FEW; i++) {
        sotto_buf commit;
        sotto_buf_init(&commit, sotto_env_system());
        client_commit(all[i], NULL, &commit);
        world_process(all, FEW, all[i], sotto_buf_view(&commit));
        sotto_buf_free(&commit);
    }
}

static void long_keys_are_fetched_when_used(void **state)
{
    (void)state;
    start_hybrid();
    struct client *c = &clients[1];
    client_reload(c);
    assert_int_equal(c->fetches, 0);
    check_stored(c); /* a dump fetches all */
    assert_true(c->fetches > 0);
    c->fetches = 0;
    world_agrees(all, FEW); /* compares exported trees */
    assert_true(c->fetches > 0);
    client_reload(c);
    c->fetches = 0;
    sotto_buf commit;
    sotto_buf_init(&commit, sotto_env_system());
    client_commit(all[4], NULL, &commit);
    world_process(all, FEW, all[4], sotto_buf_view(&commit));
    client_reload(c);
    assert_true(c->fetches <= 1); /* its own, to open the path secret with */
    sotto_buf_clear(&commit);
    client_commit(c, NULL, &commit);
    world_process(all, FEW, c, sotto_buf_view(&commit));
    assert_true(c->fetches <= 4);
    world_agrees(all, FEW);
    client_save(c);
    check_stored(c);
    sotto_buf_free(&commit);
    stop(FEW);
}

static void a_damaged_key_is_refused_when_used(void **state)
{
    (void)state;
    start_hybrid();
    struct client *c = &clients[1];
    client_reload(c);
    sotto_buf out, welcome;
    sotto_buf_init(&out, sotto_env_system());
    sotto_buf_init(&welcome, sotto_env_system());
    size_t keys = 0;
    for (size_t i = 0; i < c->store.count; i++) {
        struct stored *record = &c->store.records[i];
        if (record->kind != RECORD_KEY)
            continue;
        keys++;
        for (size_t at = 3; at < record->size; at += 97) {
            record->data[at] ^= 0x10;
            assert_error(sotto_mls_ratchet_tree(c->group, &out), IO);
            assert_int_equal(out.size, 0);
            record->data[at] ^= 0x10;
        }
        size_t size = record->size;
        record->size = size - 9;
        assert_error(sotto_mls_ratchet_tree(c->group, &out), IO);
        record->size = size;
    }
    assert_true(keys >= 3);
    struct memory_store whole = {0};
    store_copy(&c->store, &whole);
    assert_ok(store_erase(&c->store, RECORD_KEY, 5));
    assert_error(sotto_mls_ratchet_tree(c->group, &out), IO);
    store_copy(&whole, &c->store);
    store_clear(&whole);
    sotto_mls_staged *staged;
    struct stored *record = (struct stored *)(uintptr_t)store_find(&c->store, RECORD_KEY, 5);
    record->data[0] ^= 1;
    assert_error(sotto_mls_commit(c->group, NULL, &out, &welcome, &staged), IO);
    record->data[0] ^= 1;
    client_commit(c, NULL, &out);
    world_process(all, FEW, c, sotto_buf_view(&out));
    world_agrees(all, FEW);
    sotto_buf_free(&out);
    sotto_buf_free(&welcome);
    stop(FEW);
}

/* Kept by who does not fetch: each must be there, and be its node's. */
static void key_records_are_checked_on_loading(void **state)
{
    (void)state;
    start_hybrid();
    struct client *c = &clients[2];
    client_save(c);
    struct memory_store whole = {0};
    store_copy(&c->store, &whole);
    for (size_t i = 0; i < whole.count; i++) {
        const struct stored *key = &whole.records[i];
        sotto_mls_group *group = NULL;
        if (key->kind != RECORD_KEY)
            continue;
        store_copy(&whole, &c->store);
        assert_ok(store_erase(&c->store, RECORD_KEY, key->index));
        assert_error(client_load(c, &group), TREE);
        assert_ok(
            store_put(&c->store, RECORD_KEY, key->index ^ 2, sotto_bytes_of(key->data, key->size)));
        assert_int_not_equal(client_load(c, &group), SOTTO_OK);
        store_copy(&whole, &c->store);
        c->store.records[i].data[i] ^= 1;
        assert_int_not_equal(client_load(c, &group), SOTTO_OK);
    }
    store_copy(&whole, &c->store);
    client_reload(c);
    /* Keys of an epoch ago. */
    struct client *lazy = &clients[1];
    client_save(lazy);
    struct memory_store lazy_whole = {0};
    store_copy(&lazy->store, &lazy_whole);
    sotto_buf commit;
    sotto_buf_init(&commit, sotto_env_system());
    client_commit(all[4], NULL, &commit);
    world_process(all, FEW, all[4], sotto_buf_view(&commit));
    client_reload(c);
    client_reload(lazy);
    const struct stored *old = store_find(&whole, RECORD_KEY, 7);
    sotto_mls_group *group = NULL;
    assert_ok(store_put(&c->store, RECORD_KEY, 7, sotto_bytes_of(old->data, old->size)));
    assert_error(client_load(c, &group), TREE);
    old = store_find(&lazy_whole, RECORD_KEY, 7);
    assert_ok(store_put(&lazy->store, RECORD_KEY, 7, sotto_bytes_of(old->data, old->size)));
    sotto_buf_clear(&commit);
    assert_error(sotto_mls_ratchet_tree(lazy->group, &commit), IO);
    sotto_buf_free(&commit);
    store_clear(&whole);
    store_clear(&lazy_whole);
    stop(FEW);
}

static void an_own_staged_epoch_survives_a_crash(void **state)
{
    (void)state;
    start(MEMBERS);
    struct client *c = &clients[2];
    struct client newcomer;
    client_new(&newcomer, SUITE, "newcomer", NULL);
    client_key_package(&newcomer);
    const sotto_mls_proposal proposals[] = {
        {.type = SOTTO_MLS_ADD, .u.add.key_package = sotto_buf_view(&newcomer.key_package)},
        {.type = SOTTO_MLS_REMOVE, .u.remove.index = 9},
    };
    const sotto_mls_commit_options options = {.proposals = proposals, .proposal_count = 2};
    sotto_buf commit, welcome, saved;
    sotto_buf_init(&commit, sotto_env_system());
    sotto_buf_init(&welcome, sotto_env_system());
    sotto_buf_init(&saved, sotto_env_system());
    sotto_mls_staged *staged;
    assert_ok(sotto_mls_commit(c->group, &options, &commit, &welcome, &staged));
    assert_ok(sotto_mls_staged_save(staged, &saved));
    assert_true(saved.size < 6000); /* of a group whose tree takes more than 10,000 */
    sotto_mls_staged_drop(staged);
    client_reload(c);
    for (size_t cut = 0; cut < saved.size; cut += 31)
        assert_int_not_equal(
            sotto_mls_staged_load(c->group, sotto_bytes_of(saved.data, cut), &staged), SOTTO_OK);
    assert_error(sotto_mls_staged_load(all[3]->group, (sotto_bytes){0}, &staged), TRUNCATED);
    assert_ok(sotto_mls_staged_load(c->group, sotto_buf_view(&saved), &staged));
    assert_int_equal(sotto_mls_staged_count(staged), 2);
    sotto_mls_proposal proposal;
    assert_ok(sotto_mls_staged_proposal(staged, 1, &proposal, NULL));
    assert_bytes(proposal.u.add.leaf.credential.identity, sotto_bytes_str("newcomer"));
    assert_int_equal(proposal.u.add.leaf.index, 9);
    sotto_mls_staged_apply(c->group, staged);
    assert_error(sotto_mls_staged_load(c->group, sotto_buf_view(&saved), &staged), EPOCH);

    world_process(all, MEMBERS, c, sotto_buf_view(&commit));
    assert_ok(sotto_mls_join(newcomer.mls, &newcomer.identity,
                             sotto_buf_view(&newcomer.key_package),
                             sotto_buf_view(&newcomer.secrets), sotto_buf_view(&welcome),
                             (sotto_bytes){0}, &newcomer.group));
    struct client *now[MEMBERS];
    memcpy(now, all, sizeof now);
    now[9] = &newcomer;
    client_reload(c);
    world_agrees(now, MEMBERS);
    client_free(&newcomer);
    sotto_buf_free(&commit);
    sotto_buf_free(&welcome);
    sotto_buf_free(&saved);
    stop(MEMBERS);
}

static void a_removed_group_leaves_one_record(void **state)
{
    (void)state;
    start(3);
    for (size_t i = 0; i < 3; i++)
        client_save(all[i]);
    const sotto_mls_proposal removal = {.type = SOTTO_MLS_REMOVE, .u.remove.index = 2};
    const sotto_mls_commit_options options = {.proposals = &removal, .proposal_count = 1};
    sotto_buf commit;
    sotto_buf_init(&commit, sotto_env_system());
    client_commit(all[0], &options, &commit);
    world_process(all + 1, 2, NULL, sotto_buf_view(&commit));
    client_save(all[2]);
    assert_int_equal(all[2]->store.count, 1);
    client_reload(all[2]);
    assert_error(
        sotto_mls_encrypt(all[2]->group, sotto_bytes_str("x"), sotto_bytes_str(""), 0, &commit),
        REMOVED);
    client_reload(all[0]);
    client_reload(all[1]);
    world_agrees(all, 2);
    sotto_buf_free(&commit);
    stop(3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_writes_one_small_record),
        cmocka_unit_test(a_commit_writes_what_changed),
        cmocka_unit_test(proposals_on_both_sides_of_a_restart_are_kept),
        cmocka_unit_test(a_failed_save_is_written_again),
        cmocka_unit_test(loading_resumes_exactly),
        cmocka_unit_test(damaged_records_are_refused),
        cmocka_unit_test(records_of_two_saves_are_refused),
        cmocka_unit_test(long_keys_are_fetched_when_used),
        cmocka_unit_test(a_damaged_key_is_refused_when_used),
        cmocka_unit_test(key_records_are_checked_on_loading),
        cmocka_unit_test(an_own_staged_epoch_survives_a_crash),
        cmocka_unit_test(a_removed_group_leaves_one_record),
    };
    return cmocka_run_group_tests_name("mls_save", tests, NULL, NULL);
}
