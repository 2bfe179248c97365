/* Anonymous tokens at the relay: keys that follow one another, tokens counted, each spent once. */
#include <pthread.h>
#include <stdlib.h>

#include <sqlite3.h>

#include "crypto/voprf.h"
#include "relay/tokens.h"
#include "unit/relay_world.h"

enum { DAY = 86400, STEP = 4096 };

static int setup(void **state)
{
    static struct relay_world world;
    world_begin(&world, NULL);
    *state = &world;
    return 0;
}

static int teardown(void **state)
{
    world_end(*state);
    return 0;
}

static void expect_issue(struct relay_world *world, struct person *person, unsigned request,
                         uint32_t count, uint16_t code)
{
    struct issue_try try = {.request = request, .key = 1, .count = count, .a_day = 10};
    assert_int_equal(do_issue(world, person, &try), code);
}

/* ---- Keys ----------------------------------------------------------------------------------- */

/* The keys as the store has them now; to be freed with the operation. */
static const struct store_token_keys *keys_now(struct relay_world *world, struct store_op **op)
{
    *op = store_op_new(&world->env, STORE_TOKEN_KEYS);
    assert_non_null(*op);
    (*op)->token_keys.now = world->now;
    (*op)->token_keys.days = 7;
    store_call(world->port, *op);
    assert_int_equal((*op)->code, 0);
    return &(*op)->token_keys;
}

static void each_key_names_the_one_before_it(void **state)
{
    struct relay_world *world = *state;
    struct store_op *op;
    for (uint32_t number = 1; number <= 5; number++) {
        assert_int_equal(do_token_keys(world), number);
        assert_int_equal(do_token_keys(world), number); /* not before it is time */
        world->now += 7 * DAY - 1;
        assert_int_equal(do_token_keys(world), number);
        world_close(world);
        world_reopen(world, NULL);
        world->now++;
    }
    const struct store_token_keys *keys = keys_now(world, &op);
    assert_int_equal(keys->count, 6);
    for (size_t i = 0; i < keys->count; i++) {
        const struct token_key *key = &keys->keys[i].key;
        assert_int_equal(key->replaced - key->begins, 7 * DAY);
        assert_int_equal(key->ends - key->begins, 14 * DAY);
        assert_true(i == 0 || token_key_follows(&keys->keys[i - 1].key, key));
        assert_int_equal(keys->keys[i].private_key.size, i < 4 ? 0 : VOPRF_SCALAR);
    }
    store_op_free(op);
}

/* As `sottod restore` leaves it: what was spent since the backup must not be good again. */
static void a_relay_without_a_living_key_makes_the_next_one(void **state)
{
    struct relay_world *world = *state;
    sqlite3 *db;
    struct store_op *op;
    assert_int_equal(do_token_keys(world), 1);
    world_close(world);
    assert_int_equal(sqlite3_open(world->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "UPDATE token_keys SET private_key=NULL", NULL, NULL, NULL),
                     SQLITE_OK);
    sqlite3_close(db);
    world_reopen(world, NULL);
    const struct store_token_keys *keys = keys_now(world, &op);
    assert_int_equal(keys->count, 2);
    assert_true(token_key_follows(&keys->keys[0].key, &keys->keys[1].key));
    assert_int_equal(keys->keys[0].private_key.size, 0);
    assert_int_equal(keys->keys[1].private_key.size, VOPRF_SCALAR);
    store_op_free(op);
}

static bool file_holds(const char *path, sotto_bytes bytes)
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return false;
    static uint8_t content[8 << 20];
    size_t size = fread(content, 1, sizeof content, file);
    fclose(file);
    return memmem(content, size, bytes.data, bytes.size) != NULL;
}

static bool disk_holds(struct relay_world *world, const struct secret *secret)
{
    char log[128];
    snprintf(log, sizeof log, "%s-wal", world->path);
    return file_holds(world->path, secret_view(secret)) || file_holds(log, secret_view(secret));
}

static void an_ended_key_is_nowhere_on_the_disk(void **state)
{
    struct relay_world *world = *state;
    struct store_op *op;
    struct secret first = {0};
    const struct store_token_keys *keys = keys_now(world, &op);
    assert_ok(secret_set(&first, keys->keys[0].private_key));
    store_op_free(op);
    assert_true(disk_holds(world, &first));
    world->now += 14 * DAY;
    do_token_keys(world);
    world_listen(world); /* the log is emptied behind the batch */
    assert_false(disk_holds(world, &first));
    secret_wipe(&first);
}

/* ---- Issuing -------------------------------------------------------------------------------- */

static void an_account_gets_so_many_a_day(void **state)
{
    struct relay_world *world = *state;
    struct person ada, bob;
    struct register_try try = {0};
    person_begin(world, &ada, 1);
    person_begin(world, &bob, 2);
    assert_int_equal(do_register(world, &ada, &try), 0);
    assert_int_equal(do_register(world, &bob, &try), 0);
    do_token_keys(world);
    expect_issue(world, &ada, 1, 6, 0);
    expect_issue(world, &ada, 2, 5, WIRE_CODE_RATE_LIMITED);
    expect_issue(world, &ada, 3, 4, 0);
    struct issue_try more = {.request = 4, .key = 1, .count = 1, .a_day = 10};
    assert_int_equal(do_issue(world, &ada, &more), WIRE_CODE_RATE_LIMITED);
    assert_int_equal(more.detail, DAY / 2); /* it is noon */
    expect_issue(world, &bob, 1, 10, 0);
    /* Neither a restart nor a clock that goes back fills it again; the next day does. */
    world_close(world);
    world_reopen(world, NULL);
    expect_issue(world, &ada, 4, 1, WIRE_CODE_RATE_LIMITED);
    world->now -= 3 * DAY;
    expect_issue(world, &ada, 4, 1, WIRE_CODE_RATE_LIMITED);
    world->now += 4 * DAY;
    expect_issue(world, &ada, 4, 10, 0);
    expect_issue(world, &ada, 5, 1, WIRE_CODE_RATE_LIMITED);
    person_end(&ada);
    person_end(&bob);
}

static void the_same_request_again_is_not_counted_again(void **state)
{
    struct relay_world *world = *state;
    struct person ada;
    struct register_try try = {0};
    person_begin(world, &ada, 1);
    assert_int_equal(do_register(world, &ada, &try), 0);
    do_token_keys(world);
    expect_issue(world, &ada, 1, 8, 0);
    world_close(world);
    world_reopen(world, NULL);
    expect_issue(world, &ada, 1, 8, 0);
    world->now += DAY / 2; /* over midnight */
    expect_issue(world, &ada, 1, 8, 0);
    assert_int_equal(world_query(world, "SELECT count FROM token_issues"), 8);
    expect_issue(world, &ada, 2, 10, 0);
    /* Of an older key only what was asked for when it was the newest. */
    world->now += 7 * DAY;
    assert_int_equal(do_token_keys(world), 2);
    expect_issue(world, &ada, 2, 10, 0);
    expect_issue(world, &ada, 3, 1, WIRE_CODE_TOKEN_REFUSED);
    world->now += 7 * DAY;
    do_token_keys(world);
    expect_issue(world, &ada, 2, 10, WIRE_CODE_TOKEN_REFUSED);
    person_end(&ada);
}

static void what_an_account_was_given_is_forgotten(void **state)
{
    struct relay_world *world = *state;
    struct person ada, bob;
    struct register_try try = {0};
    world->now += 400ull * DAY;
    person_begin(world, &ada, 1);
    person_begin(world, &bob, 2);
    assert_int_equal(do_register(world, &ada, &try), 0);
    assert_int_equal(do_register(world, &bob, &try), 0);
    do_token_keys(world);
    expect_issue(world, &ada, 1, 1, 0);
    expect_issue(world, &bob, 2, 1, 0);
    assert_int_equal(world_query(world, "SELECT count(*) FROM token_issues"), 2);
    assert_int_equal(do_delete(world, &ada), 0);
    assert_int_equal(world_query(world, "SELECT count(*) FROM token_issues"), 1);
    expect_issue(world, &ada, 3, 1, WIRE_CODE_NOT_SIGNED_IN);
    do_expire(world, world->now / DAY + 1, -1);
    assert_int_equal(world_query(world, "SELECT count(*) FROM token_issues"), 1);
    do_expire(world, world->now / DAY + 2, -1);
    assert_int_equal(world_query(world, "SELECT count(*) FROM token_issues"), 0);
    person_end(&ada);
    person_end(&bob);
}

/* ---- Spending ------------------------------------------------------------------------------- */

static void a_token_pays_once(void **state)
{
    struct relay_world *world = *state;
    struct person ada;
    struct register_try try = {0};
    char package[64];
    person_begin(world, &ada, 1);
    assert_int_equal(do_register(world, &ada, &try), 0);
    assert_int_equal(do_publish(world, &ada, (const char *const[]){"one", "two", NULL}, NULL, NULL),
                     0);
    do_token_keys(world);
    world->token = token_of(1, 1);
    assert_int_equal(do_take(world, &ada, 0, 1, package), 0);
    assert_string_equal(package, "one");
    assert_int_equal(do_take(world, &ada, 0, 2, package), WIRE_CODE_TOKEN_SPENT);
    assert_int_equal(do_post(world, &ada, 0, 3, "hello"), WIRE_CODE_TOKEN_SPENT);
    assert_int_equal(do_create(world, 1, 10, 20), WIRE_CODE_TOKEN_SPENT);
    /* A retry of what it paid for is answered as before. */
    assert_int_equal(do_take(world, &ada, 0, 1, package), 0);
    assert_string_equal(package, "one");
    world->token = token_of(1, 2);
    assert_int_equal(do_post(world, &ada, 0, 3, "hello"), 0);
    assert_int_equal(do_post(world, &ada, 0, 3, "hello"), 0);
    world->token = token_of(1, 3);
    assert_int_equal(do_create(world, 1, 10, 20), 0);
    assert_int_equal(do_create(world, 1, 10, 20), 0);
    world_close(world);
    world_reopen(world, NULL);
    for (unsigned nonce = 1; nonce <= 3; nonce++) {
        world->token = token_of(1, nonce);
        assert_int_equal(do_post(world, &ada, 0, 100 + nonce, "again"), WIRE_CODE_TOKEN_SPENT);
    }
    assert_int_equal(world_query(world, "SELECT count(*) FROM token_spent"), 3);
    person_end(&ada);
}

static void a_refused_operation_costs_nothing(void **state)
{
    struct relay_world *world = *state;
    struct person ada, nobody;
    struct register_try try = {0};
    char package[64];
    person_begin(world, &ada, 1);
    person_begin(world, &nobody, 2);
    assert_int_equal(do_register(world, &ada, &try), 0);
    do_token_keys(world);
    assert_int_equal(do_create(world, 1, 10, 20), 0);
    world->token = token_of(1, 1);
    assert_int_equal(do_take(world, &ada, 0, 1, package), WIRE_CODE_NO_KEY_PACKAGE);
    assert_int_equal(do_take(world, &nobody, 0, 2, package), WIRE_CODE_NO_ACCOUNT);
    assert_int_equal(do_post(world, &nobody, 0, 3, "hello"), WIRE_CODE_NO_ACCOUNT);
    assert_int_equal(do_create(world, 1, 11, 21), WIRE_CODE_ROOM_EXISTS);
    assert_int_equal(do_post(world, &ada, 0, 4, "hello"), 0);
    /* A token that is not good is refused, and burns no good one of the same nonce. */
    world->token = token_of(1, 2);
    world->token.token_good = false;
    assert_int_equal(do_post(world, &ada, 0, 5, "hello"), WIRE_CODE_TOKEN_REFUSED);
    world->token.token_good = true;
    assert_int_equal(do_post(world, &ada, 0, 5, "hello"), 0);
    /* But a repeat is a repeat, whatever it shows. */
    world->token.token_good = false;
    assert_int_equal(do_post(world, &ada, 0, 5, "hello"), 0);
    world->token = token_of(9, 3);
    assert_int_equal(do_post(world, &ada, 0, 6, "hello"), WIRE_CODE_TOKEN_REFUSED);
    person_end(&ada);
    person_end(&nobody);
}

static void what_was_spent_is_forgotten_with_its_key_and_not_before(void **state)
{
    struct relay_world *world = *state;
    struct person ada;
    struct register_try try = {0};
    world->now += 400ull * DAY;
    person_begin(world, &ada, 1);
    assert_int_equal(do_register(world, &ada, &try), 0);
    do_token_keys(world);
    world->token = token_of(1, 1);
    assert_int_equal(do_post(world, &ada, 0, 1, "hello"), 0);
    world->now += 14 * DAY - 1;
    do_token_keys(world);
    world->token = token_of(2, 1); /* the same nonce under another key is another token */
    assert_int_equal(do_post(world, &ada, 0, 2, "hello"), 0);
    do_expire(world, world->now / DAY, -1);
    world->token = token_of(1, 1);
    assert_int_equal(do_post(world, &ada, 0, 3, "hello"), WIRE_CODE_TOKEN_SPENT);
    world->now++;
    do_token_keys(world);
    assert_int_equal(do_post(world, &ada, 0, 3, "hello"), WIRE_CODE_TOKEN_REFUSED);
    do_expire(world, world->now / DAY, -1);
    assert_int_equal(world_query(world, "SELECT count(*) FROM token_spent WHERE key=1"), 0);
    assert_int_equal(world_query(world, "SELECT count(*) FROM token_spent WHERE key=2"), 1);
    assert_int_equal(do_post(world, &ada, 0, 3, "hello"), WIRE_CODE_TOKEN_REFUSED);
    person_end(&ada);
}

/* ---- Many at once --------------------------------------------------------------------------- */

enum { SPENDERS = 8, TOKENS = 50 };

struct spender {
    struct relay_world *world;
    const struct person *to;
    pthread_barrier_t *barrier;
    unsigned number, accepted, spent;
};

/* Everybody spends the same tokens, each on posts of their own, with up to TOKENS under way. */
static void *spend_all(void *arg)
{
    struct spender *spender = arg;
    struct store_port *port;
    if (store_port_open(spender->world->store, NULL, NULL, &port) != SOTTO_OK)
        return NULL;
    pthread_barrier_wait(spender->barrier);
    for (unsigned i = 0; i < TOKENS; i++) {
        struct store_op *op = store_op_new(&spender->world->env, STORE_POST_ENVELOPE);
        op->post.permission = token_of(1, 1000 + i);
        op->post.post_id = request_of(spender->number * TOKENS + i);
        op->post.account = spender->to->account;
        op->post.device = spender->to->device;
        op->post.sealed = sotto_bytes_str("one envelope");
        store_call(port, op);
        spender->accepted += op->code == 0;
        spender->spent += op->code == WIRE_CODE_TOKEN_SPENT;
        store_op_free(op);
    }
    store_port_close(port);
    return arg;
}

static void of_many_who_spend_the_same_token_one_succeeds(void **state)
{
    struct relay_world *world = *state;
    struct person ada;
    struct register_try try = {0};
    pthread_t threads[SPENDERS];
    pthread_barrier_t barrier;
    struct spender spenders[SPENDERS];
    unsigned accepted = 0, spent = 0;
    person_begin(world, &ada, 1);
    assert_int_equal(do_register(world, &ada, &try), 0);
    do_token_keys(world);
    pthread_barrier_init(&barrier, NULL, SPENDERS);
    for (unsigned i = 0; i < SPENDERS; i++) {
        spenders[i] = (struct spender){world, &ada, &barrier, i + 1, 0, 0};
        assert_int_equal(pthread_create(&threads[i], NULL, spend_all, &spenders[i]), 0);
    }
    for (unsigned i = 0; i < SPENDERS; i++) {
        void *result;
        assert_int_equal(pthread_join(threads[i], &result), 0);
        assert_non_null(result);
        accepted += spenders[i].accepted;
        spent += spenders[i].spent;
    }
    pthread_barrier_destroy(&barrier);
    assert_int_equal(accepted, TOKENS);
    assert_int_equal(spent, (SPENDERS - 1) * TOKENS);
    assert_int_equal(world_query(world, "SELECT count(*) FROM envelopes"), TOKENS);
    assert_int_equal(world_query(world, "SELECT count(*) FROM token_spent"), TOKENS);
    person_end(&ada);
}

/* ---- Rooms that grow ------------------------------------------------------------------------ */

static uint16_t say_much(struct relay_world *world, unsigned id, uint64_t *detail)
{
    static const uint8_t bytes[1000];
    struct append_try try = {
        .room = 1, .id = id, .token = 10, .bytes = sotto_bytes_of(bytes, sizeof bytes)};
    uint16_t code = do_append(world, &try);
    *detail = try.detail;
    return code;
}

static void a_room_holds_what_was_paid_for(void **state)
{
    struct relay_world *world = *state;
    uint64_t size, detail;
    do_token_keys(world);
    world->token = token_of(1, 1);
    world->room_size = STEP;
    assert_int_equal(do_create(world, 1, 10, 20), 0);
    for (unsigned id = 1; id <= 3; id++)
        assert_int_equal(say_much(world, id, &detail), 0);
    assert_int_equal(say_much(world, 4, &detail), WIRE_CODE_ROOM_FULL);
    assert_int_equal(detail, STEP);
    assert_int_equal(say_much(world, 3, &detail), 0); /* a retry */
    /* A spent token, more than a step, nothing at all. */
    size = 2 * STEP;
    assert_int_equal(do_extend(world, 1, STEP, &size), WIRE_CODE_TOKEN_SPENT);
    world->token = token_of(1, 2);
    size = 2 * STEP + 1;
    assert_int_equal(do_extend(world, 1, STEP, &size), WIRE_CODE_LIMIT);
    assert_int_equal(size, 2 * STEP);
    assert_int_equal(do_extend(world, 2, STEP, &size), WIRE_CODE_NO_ROOM);
    size = 2 * STEP;
    assert_int_equal(do_extend(world, 1, STEP, &size), 0);
    assert_int_equal(size, 2 * STEP);
    /* The same wish again, of whomever, costs nothing. */
    world->token = token_of(1, 3);
    assert_int_equal(do_extend(world, 1, STEP, &size), 0);
    assert_int_equal(world_query(world, "SELECT count(*) FROM token_spent"), 2);
    assert_int_equal(say_much(world, 4, &detail), 0);
    size = STEP;
    assert_int_equal(do_extend(world, 1, STEP, &size), 0);
    assert_int_equal(size, 2 * STEP);
}

static void what_expires_makes_room(void **state)
{
    struct relay_world *world = *state;
    uint64_t detail;
    world->now += 400ull * DAY;
    do_token_keys(world);
    world->room_size = STEP;
    assert_int_equal(do_create(world, 1, 10, 20), 0);
    for (unsigned id = 1; id <= 3; id++)
        assert_int_equal(say_much(world, id, &detail), 0);
    assert_int_equal(say_much(world, 4, &detail), WIRE_CODE_ROOM_FULL);
    world->now += 31 * DAY;
    do_expire(world, world->now / DAY, -1);
    assert_int_equal(say_much(world, 4, &detail), 0);
}

/* ---- The computation ------------------------------------------------------------------------ */

static void a_token_is_made_blind_and_checked(void **state)
{
    struct relay_world *world = *state;
    struct store_op *op;
    struct tokens *tokens;
    const struct token_key *keys;
    size_t count;
    uint8_t nonce[TOKEN_NONCE_SIZE] = {1, 2, 3}, blinded[TOKEN_ELEMENT_SIZE];
    uint8_t evaluated[TOKEN_ELEMENT_SIZE], proof[TOKEN_PROOF_SIZE], output[TOKEN_OUTPUT_SIZE];
    struct secret blind = {0};
    assert_ok(tokens_new(&world->env, &tokens));
    struct token token = {1, sotto_bytes_of(nonce, sizeof nonce),
                          sotto_bytes_of(output, sizeof output)};
    struct arena arena;
    arena_init(&arena, &world->env);
    assert_ok(tokens_announce(tokens, 0, &arena, &keys, &count));
    assert_int_equal(count, 0);
    assert_ok(tokens_set(tokens, keys_now(world, &op)));
    store_op_free(op);
    assert_ok(tokens_announce(tokens, 0, &arena, &keys, &count));
    assert_int_equal(count, 1);
    assert_ok(voprf_blind(VOPRF_MODE_VOPRF, &world->env, token.nonce, &blind, blinded));
    assert_error(tokens_issue(tokens, 2, sotto_bytes_of(blinded, sizeof blinded), evaluated, proof),
                 NOT_FOUND);
    assert_ok(tokens_issue(tokens, 1, sotto_bytes_of(blinded, sizeof blinded), evaluated, proof));
    const struct voprf_blinded sent = {token.nonce, secret_view(&blind)};
    assert_ok(voprf_finalize(VOPRF_MODE_VOPRF, sotto_bytes_of(keys[0].public_key, VOPRF_ELEMENT),
                             (sotto_bytes){0}, &sent, 1, sotto_bytes_of(blinded, sizeof blinded),
                             sotto_bytes_of(evaluated, sizeof evaluated),
                             sotto_bytes_of(proof, sizeof proof), output));
    assert_true(tokens_check(tokens, &token));
    output[63] ^= 1;
    assert_false(tokens_check(tokens, &token));
    output[63] ^= 1;
    nonce[0] ^= 1;
    assert_false(tokens_check(tokens, &token));
    nonce[0] ^= 1;
    token.key = 2;
    assert_false(tokens_check(tokens, &token));
    /* Two lives later the key is gone, and all that was announced is announced still. */
    token.key = 1;
    for (int i = 0; i < 2; i++) {
        world->now += 7 * DAY;
        assert_ok(tokens_set(tokens, keys_now(world, &op)));
        store_op_free(op);
        assert_int_equal(tokens_check(tokens, &token), i == 0);
    }
    assert_ok(tokens_announce(tokens, 0, &arena, &keys, &count));
    assert_int_equal(count, 2);
    assert_int_equal(keys[0].number, 2);
    assert_ok(tokens_announce(tokens, 1, &arena, &keys, &count));
    assert_int_equal(count, 3);
    assert_ok(tokens_announce(tokens, 3, &arena, &keys, &count));
    assert_int_equal(count, 1);
    assert_ok(tokens_announce(tokens, 4, &arena, &keys, &count));
    assert_int_equal(count, 2); /* past the newest: those that live */
    arena_free(&arena);
    tokens_free(tokens);
    secret_wipe(&blind);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(each_key_names_the_one_before_it),
        TEST(a_relay_without_a_living_key_makes_the_next_one),
        TEST(an_ended_key_is_nowhere_on_the_disk),
        TEST(an_account_gets_so_many_a_day),
        TEST(the_same_request_again_is_not_counted_again),
        TEST(what_an_account_was_given_is_forgotten),
        TEST(a_token_pays_once),
        TEST(a_refused_operation_costs_nothing),
        TEST(what_was_spent_is_forgotten_with_its_key_and_not_before),
        TEST(of_many_who_spend_the_same_token_one_succeeds),
        TEST(a_room_holds_what_was_paid_for),
        TEST(what_expires_makes_room),
        TEST(a_token_is_made_blind_and_checked),
    };
    return cmocka_run_group_tests_name("relay_tokens", tests, NULL, NULL);
}
