/* Tokens in the profile: each pays for one thing, a retry shows the same one, and what was asked
 * for and not answered is asked for again. */
#include <stdlib.h>
#include <unistd.h>

#include "core/store_tokens.h"
#include "unit/check.h"
#include "unit/folder.h"

struct scene {
    struct store *store;
    char folder[64], path[96];
};

static void open_store(struct scene *scene)
{
    sotto_fault fault;
    assert_ok(store_open(sotto_env_system(), scene->folder, NULL, &scene->store, &fault));
}

static int setup(void **state)
{
    static struct scene scene;
    scene = (struct scene){0};
    assert_true(folder_make(scene.folder, "tokens"));
    snprintf(scene.path, sizeof scene.path, "%s/profile.db", scene.folder);
    open_store(&scene);
    *state = &scene;
    return 0;
}

static int teardown(void **state)
{
    struct scene *scene = *state;
    store_close(scene->store);
    assert_int_equal(folder_remove(scene->folder), 0);
    return 0;
}

static void add_tokens(struct store *store, uint32_t key, uint8_t first, uint8_t last)
{
    assert_ok(store_begin(store));
    for (unsigned n = first; n <= last; n++) {
        struct store_token token = {.key = key, .nonce = {(uint8_t)n}, .output = {1, (uint8_t)n}};
        assert_ok(store_token_add(store, &token));
        assert_ok(store_token_add(store, &token)); /* changes nothing */
    }
    assert_ok(store_commit(store));
}

static uint32_t count_of(struct store *store)
{
    uint32_t count;
    assert_ok(store_tokens_count(store, &count));
    return count;
}

static sotto_error reserve(struct store *store, const char *owner, struct store_token *token)
{
    assert_ok(store_begin(store));
    sotto_error error = store_token_reserve(store, sotto_bytes_str(owner), token);
    assert_ok(store_commit(store));
    return error;
}

static void one_thing_is_paid_for_with_one_token_however_often_it_is_tried(void **state)
{
    struct scene *scene = *state;
    struct store_token first, again, other;
    add_tokens(scene->store, 2, 1, 2);
    assert_int_equal(count_of(scene->store), 2);
    assert_ok(reserve(scene->store, "take", &first));
    assert_int_equal(first.output[1], first.nonce[0]);
    assert_int_equal(count_of(scene->store), 1);
    store_close(scene->store);
    open_store(scene);
    assert_ok(reserve(scene->store, "take", &again));
    assert_memory_equal(&again, &first, sizeof first);
    assert_ok(reserve(scene->store, "post", &other));
    assert_int_not_equal(other.nonce[0], first.nonce[0]);
    assert_error(reserve(scene->store, "room", &other), NOT_FOUND);
    assert_ok(store_begin(scene->store));
    assert_ok(store_token_erase(scene->store, sotto_bytes_str("take")));   /* done */
    assert_ok(store_token_release(scene->store, sotto_bytes_str("post"))); /* refused */
    assert_ok(store_token_erase(scene->store, sotto_bytes_str("nothing")));
    assert_ok(store_commit(scene->store));
    assert_int_equal(count_of(scene->store), 1);
    assert_ok(reserve(scene->store, "room", &again));
    assert_memory_equal(&again.nonce, &other.nonce, sizeof other.nonce);
}

static void older_keys_are_spent_first_and_end_together(void **state)
{
    struct scene *scene = *state;
    struct store_token token;
    add_tokens(scene->store, 4, 1, 3);
    add_tokens(scene->store, 3, 11, 12);
    add_tokens(scene->store, 2, 21, 22);
    assert_ok(reserve(scene->store, "one", &token));
    assert_int_equal(token.key, 2);
    assert_ok(store_begin(scene->store));
    assert_ok(store_tokens_expire(scene->store, 3));
    assert_ok(store_commit(scene->store));
    assert_int_equal(count_of(scene->store), 5);
    assert_ok(reserve(scene->store, "one", &token)); /* the reserved one went too */
    assert_int_equal(token.key, 3);
}

static void what_was_asked_for_is_kept_until_it_is_answered(void **state)
{
    struct scene *scene = *state;
    struct store_token_blind asked[3] = {{{3}, {4}, {5}}, {{1}, {2}, {9}}, {{7}, {7}, {7}}};
    struct store_token_blind *list = NULL;
    struct arena arena;
    size_t count = 0;
    uint32_t key = 0;
    arena_init(&arena, sotto_env_system());
    assert_ok(store_begin(scene->store));
    assert_ok(store_token_blinds_put(scene->store, 5, asked, 3));
    assert_ok(store_commit(scene->store));
    store_close(scene->store);
    open_store(scene);
    assert_ok(store_token_blinds(scene->store, &arena, &key, &list, &count));
    assert_int_equal(key, 5);
    assert_int_equal(count, 3);
    assert_memory_equal(list, asked, sizeof asked);
    assert_ok(store_begin(scene->store));
    assert_ok(store_token_blinds_put(scene->store, 6, asked + 1, 1));
    assert_ok(store_token_blinds_put(scene->store, 0, NULL, 0));
    assert_ok(store_commit(scene->store));
    assert_ok(store_token_blinds(scene->store, &arena, &key, &list, &count));
    assert_int_equal(count, 0);
    arena_free(&arena);
}

static void the_chain_is_remembered(void **state)
{
    struct scene *scene = *state;
    struct store_token_chain chain, seen = {.relay = "relay:1#pin", .number = 7, .hash = {1, 2}};
    struct arena arena;
    arena_init(&arena, sotto_env_system());
    assert_ok(store_token_chain_get(scene->store, &arena, &chain));
    assert_int_equal(chain.number, 0);
    for (int round = 0; round < 2; round++) {
        seen.number++;
        assert_ok(store_begin(scene->store));
        assert_ok(store_token_chain_put(scene->store, &seen));
        assert_ok(store_commit(scene->store));
        assert_ok(store_token_chain_get(scene->store, &arena, &chain));
        assert_int_equal(chain.number, seen.number);
        assert_string_equal(chain.relay, seen.relay);
        assert_memory_equal(chain.hash, seen.hash, HASH_SIZE);
    }
    arena_free(&arena);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(one_thing_is_paid_for_with_one_token_however_often_it_is_tried),
        TEST(older_keys_are_spent_first_and_end_together),
        TEST(what_was_asked_for_is_kept_until_it_is_answered),
        TEST(the_chain_is_remembered),
    };
    return cmocka_run_group_tests_name("core_tokens", tests, NULL, NULL);
}
