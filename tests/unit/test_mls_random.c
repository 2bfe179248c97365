/* A long history of random operations among 2 to 20 members, from a printed seed (SOTTO_SEED
 * repeats one): after every step each member is saved and loaded again, and all agree. */
#include <inttypes.h>
#include <stdlib.h>

#include "unit/mls_clients.h"

#define MOST 20

static uint16_t suite;
static uint64_t seed;

/* SplitMix64 */
static uint64_t next_random(void)
{
    uint64_t z = seed += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static size_t pick(size_t below)
{
    return (size_t)(next_random() % below);
}

static struct client *members[MOST];
static size_t count;
static unsigned names;

static struct client *new_client(void)
{
    static const sotto_mls_config configs[] = {
        {.past_epochs = 1}, {0}, {.past_epochs = 1, .stored = client_stored}};
    struct client *client = calloc(1, sizeof *client);
    assert_non_null(client);
    char name[24];
    snprintf(name, sizeof name, "client %u", names++);
    client_new(client, suite, name, &configs[names % 3]);
    client->psk_id = sotto_bytes_str("key");
    client->psk = sotto_bytes_str("known to all");
    return client;
}

static void forget(size_t at)
{
    client_free(members[at]);
    free(members[at]);
    members[at] = members[--count];
}

/* Everyone processes what others sent; who was removed leaves. */
static void deliver(struct client *by, sotto_bytes commit, size_t present)
{
    for (size_t i = 0; i < present;) {
        struct client *c = members[i];
        if (c == by) {
            i++;
            continue;
        }
        sotto_mls_received received;
        sotto_error error = sotto_mls_process(c->group, commit, &received);
        if (error != SOTTO_OK)
            print_error("%s: %s\n", c->name, sotto_mls_fault(c->mls)->what);
        assert_ok(error);
        bool removed = sotto_mls_staged_removes_self(received.staged);
        sotto_mls_staged_apply(c->group, received.staged);
        received.staged = NULL;
        sotto_mls_received_clear(&received);
        if (removed) {
            client_reload(c);
            client_free(c);
            free(c);
            /* Keep the newcomers behind the present ones. */
            memmove(members + i, members + i + 1, (count - i - 1) * sizeof *members);
            count--;
            present--;
        } else {
            i++;
        }
    }
}

static void propose_something(void)
{
    struct client *by = members[pick(count)];
    sotto_mls_proposal proposal = {.type = SOTTO_MLS_UPDATE};
    switch (pick(4)) {
    case 0:
        proposal.type = SOTTO_MLS_REMOVE;
        proposal.u.remove.index = sotto_mls_own_index(members[pick(count)]->group);
        break;
    case 1:
        proposal = (sotto_mls_proposal){.type = SOTTO_MLS_PSK, .u.psk.id = sotto_bytes_str("key")};
        break;
    default:
        break;
    }
    sotto_buf message;
    sotto_buf_init(&message, sotto_env_system());
    sotto_mls_framing framing = pick(2) == 0 ? SOTTO_MLS_PRIVATE : SOTTO_MLS_PUBLIC;
    assert_ok(sotto_mls_propose(by->group, &proposal, NULL, framing, &message));
    for (size_t i = 0; i < count; i++) {
        if (members[i] == by)
            continue;
        sotto_mls_received received;
        assert_ok(sotto_mls_process(members[i]->group, sotto_buf_view(&message), &received));
        sotto_mls_received_clear(&received);
    }
    sotto_buf_free(&message);
}

/* A commit of whatever is pending and of a few proposals by value; sometimes a race, sometimes kept
 * over a crash. */
static void commit_something(void)
{
    struct client *by = members[pick(count)];
    sotto_mls_proposal proposals[4] = {0};
    struct client *newcomers[3];
    size_t proposal_count = 0, newcomer_count = 0;
    size_t room = MOST - count;
    if (room > 0 && (count < 4 || pick(2) == 0))
        newcomer_count = 1 + pick(room < 3 ? room : 3);
    for (size_t i = 0; i < newcomer_count; i++) {
        newcomers[i] = new_client();
        client_key_package(newcomers[i]);
        proposals[proposal_count].type = SOTTO_MLS_ADD;
        proposals[proposal_count++].u.add.key_package = sotto_buf_view(&newcomers[i]->key_package);
    }
    struct client *victim = members[pick(count)];
    if (count > 3 && victim != by && pick(3) == 0) {
        proposals[proposal_count].type = SOTTO_MLS_REMOVE;
        proposals[proposal_count++].u.remove.index = sotto_mls_own_index(victim->group);
    }
    const sotto_mls_commit_options options = {
        .proposals = proposals,
        .proposal_count = proposal_count,
        .ignore_pending = pick(4) == 0,
        .no_path = pick(3) == 0,
        .framing = pick(2) == 0 ? SOTTO_MLS_PRIVATE : SOTTO_MLS_PUBLIC,
    };
    sotto_buf commit, welcome, other, saved;
    sotto_buf_init(&commit, sotto_env_system());
    sotto_buf_init(&welcome, sotto_env_system());
    sotto_buf_init(&other, sotto_env_system());
    sotto_buf_init(&saved, sotto_env_system());
    sotto_mls_staged *staged, *loser;
    sotto_error error = sotto_mls_commit(by->group, &options, &commit, &welcome, &staged);
    if (error != SOTTO_OK)
        print_error("%s: %s\n", by->name, sotto_mls_fault(by->mls)->what);
    assert_ok(error);
    struct client *racer = members[pick(count)];
    if (racer != by) {
        sotto_buf unused;
        sotto_buf_init(&unused, sotto_env_system());
        assert_ok(sotto_mls_commit(racer->group, NULL, &other, &unused, &loser));
        sotto_mls_staged_drop(loser);
        sotto_buf_free(&unused);
    }
    if (pick(2) == 0) {
        assert_ok(sotto_mls_staged_save(staged, &saved));
        sotto_mls_staged_drop(staged);
        client_reload(by);
        assert_ok(sotto_mls_staged_load(by->group, sotto_buf_view(&saved), &staged));
    }
    sotto_mls_staged_apply(by->group, staged);
    size_t present = count;
    for (size_t i = 0; i < newcomer_count; i++) {
        client_join(newcomers[i], sotto_buf_view(&welcome), (sotto_bytes){0});
        members[count++] = newcomers[i];
    }
    deliver(by, sotto_buf_view(&commit), present);
    sotto_buf_free(&commit);
    sotto_buf_free(&welcome);
    sotto_buf_free(&other);
    sotto_buf_free(&saved);
}

/* A newcomer, or a member that lost its state, by external commit. */
static void join_from_outside(void)
{
    bool resync = count == MOST || pick(2) == 0;
    struct client *by = members[pick(count)], *joiner = resync ? by : new_client();
    const sotto_mls_external_options options = {
        .removes_prior = resync, .prior = resync ? sotto_mls_own_index(joiner->group) : 0};
    sotto_buf info, commit;
    sotto_buf_init(&info, sotto_env_system());
    sotto_buf_init(&commit, sotto_env_system());
    assert_ok(sotto_mls_group_info(by->group, true, true, &info));
    sotto_mls_group *group;
    sotto_error error =
        sotto_mls_external_join(joiner->mls, &joiner->identity, sotto_buf_view(&info),
                                (sotto_bytes){0}, &options, &commit, &group);
    if (error != SOTTO_OK)
        print_error("%s: %s\n", joiner->name, sotto_mls_fault(joiner->mls)->what);
    assert_ok(error);
    sotto_mls_group_free(joiner->group);
    joiner->group = group;
    store_clear(&joiner->store);
    deliver(joiner, sotto_buf_view(&commit), count);
    if (!resync)
        members[count++] = joiner;
    sotto_buf_free(&info);
    sotto_buf_free(&commit);
}

/* Some messages, received in another order than sent. */
static void talk(void)
{
    enum { COUNT = 5 };
    struct client *from = members[pick(count)], *to = members[pick(count)];
    if (from == to)
        return;
    sotto_buf messages[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        uint8_t octet = (uint8_t)i;
        sotto_buf_init(&messages[i], sotto_env_system());
        assert_ok(sotto_mls_encrypt(from->group, sotto_bytes_of(&octet, 1), (sotto_bytes){0},
                                    pick(100), &messages[i]));
    }
    size_t shift = pick(COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        size_t at = (i * 2 + shift) % COUNT;
        sotto_mls_received received;
        assert_ok(sotto_mls_process(to->group, sotto_buf_view(&messages[at]), &received));
        assert_int_equal(received.data.data[0], at);
        sotto_mls_received_clear(&received);
        if (pick(3) == 0)
            client_reload(to);
    }
    for (size_t i = 0; i < COUNT; i++)
        sotto_buf_free(&messages[i]);
}

static void history(uint16_t of, size_t steps)
{
    suite = of;
    const char *given = getenv("SOTTO_SEED");
    seed = given == NULL ? (uint64_t)20261124 : strtoull(given, NULL, 0);
    print_message("# SOTTO_SEED=%" PRIu64 "\n", seed);
    members[count++] = new_client();
    client_create(members[0], "group");
    for (size_t step = 0; step < steps; step++) {
        size_t what = pick(10);
        if (count < 2 || what < 5)
            commit_something();
        else if (what < 8)
            propose_something();
        else if (what < 9)
            join_from_outside();
        else
            talk();
        for (size_t i = 0; i < count; i++)
            client_reload(members[i]);
        if (step % 5 == 0)
            world_agrees(members, count);
    }
    world_agrees(members, count);
    while (count > 0)
        forget(count - 1);
}

static void members_agree_after_any_history(void **state)
{
    (void)state;
    history(SOTTO_MLS_X25519_AES128_SHA256_ED25519, 150);
}

/* Whose parents' keys are records of their own, which a third of the members do not load. */
static void members_of_a_hybrid_suite_agree(void **state)
{
    (void)state;
    history(SOTTO_MLS_XWING_CHACHA_SHA256_ED25519, 40);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_agree_after_any_history),
        cmocka_unit_test(members_of_a_hybrid_suite_agree),
    };
    return cmocka_run_group_tests_name("mls_random", tests, NULL, NULL);
}
