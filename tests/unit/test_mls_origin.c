/* Groups that replace another or branch off it (RFC 9420, 11.2 and 11.3): what a joiner compares.
 */
#include "mls/group.h"
#include "unit/mls_clients.h"

#define SUITE SOTTO_MLS_X25519_AES128_SHA256_ED25519
#define OTHER SOTTO_MLS_X25519_CHACHA_SHA256_ED25519
#define MANY 4

static struct client clients[MANY], again[MANY]; /* the second: the same people in the new group */
static struct client *all[MANY];

static void start(size_t count, const sotto_mls_proposal *last)
{
    for (size_t i = 0; i < MANY; i++) {
        char name[24];
        snprintf(name, sizeof name, "client %zu", i);
        client_new(&clients[i], SUITE, name, NULL);
        all[i] = &clients[i];
    }
    client_create(all[0], "former");
    world_add(all[0], all + 1, count - 1, NULL, 0);
    sotto_buf commit;
    sotto_buf_init(&commit, sotto_env_system());
    const sotto_mls_commit_options options = {.proposals = last, .proposal_count = last != NULL};
    client_commit(all[0], &options, &commit);
    world_process(all, count, all[0], sotto_buf_view(&commit));
    sotto_buf_free(&commit);
}

static void stop(void)
{
    for (size_t i = 0; i < MANY; i++)
        client_free(&clients[i]);
}

/* Makes a group of count people by name and lets the second join; checks it against the former
 * group of the second, and frees it. */
static sotto_error found(uint16_t suite, const char *id, uint8_t usage, const char *const *names,
                         size_t count, const sotto_mls_extension *extension)
{
    sotto_mls_proposal proposals[MANY] = {0};
    for (size_t i = 0; i < count; i++) {
        client_new(&again[i], suite, names[i], NULL);
        again[i].kept_group = sotto_bytes_str("former");
        again[i].kept_epoch = 2;
        assert_ok(sotto_mls_resumption_psk(all[0]->group, &again[i].kept_psk));
        client_key_package(&again[i]);
        proposals[i].type = SOTTO_MLS_ADD;
        proposals[i].u.add.key_package = sotto_buf_view(&again[i].key_package);
    }
    proposals[0] = (sotto_mls_proposal){
        .type = SOTTO_MLS_PSK,
        .u.psk = {.resumption = true, .id = sotto_bytes_str("former"), .epoch = 2, .usage = usage}};
    assert_ok(sotto_mls_group_create(again[0].mls, &again[0].identity, sotto_bytes_str(id),
                                     extension, extension != NULL, &again[0].group));
    const sotto_mls_commit_options options = {.proposals = proposals, .proposal_count = count};
    sotto_buf commit, welcome;
    sotto_buf_init(&commit, sotto_env_system());
    sotto_buf_init(&welcome, sotto_env_system());
    sotto_mls_staged *staged;
    assert_ok(sotto_mls_commit(again[0].group, &options, &commit, &welcome, &staged));
    sotto_mls_staged_drop(staged);
    client_join(&again[1], sotto_buf_view(&welcome), (sotto_bytes){0});
    sotto_error error = sotto_mls_check_origin(again[1].group, all[1]->group, NULL, NULL);
    assert_error(sotto_mls_check_origin(all[1]->group, again[1].group, NULL, NULL), NOT_FOUND);
    sotto_buf_free(&commit);
    sotto_buf_free(&welcome);
    for (size_t i = 0; i < count; i++)
        client_free(&again[i]);
    return error;
}

static const char *const people[] = {"client 0", "client 1", "client 2", "client 3"};
static const char *const strangers[] = {"client 0", "client 1", "somebody"};

static void a_group_is_what_its_reinit_says(void **state)
{
    (void)state;
    const uint8_t required[] = {0, 0, 2, 0, 1};
    const sotto_mls_extension extension = {.type = 3, .data = sotto_bytes_of(required, 5)};
    const sotto_mls_proposal reinit = {.type = SOTTO_MLS_REINIT,
                                       .u.reinit = {sotto_bytes_str("next"), OTHER, &extension, 1}};
    start(3, &reinit);
    const uint8_t usage = SOTTO_MLS_PSK_REINIT;
    assert_int_equal(found(OTHER, "next", usage, people, 3, &extension), SOTTO_OK);
    assert_int_equal(found(SUITE, "next", usage, people, 3, &extension), SOTTO_WELCOME);
    assert_int_equal(found(OTHER, "elsewhere", usage, people, 3, &extension), SOTTO_WELCOME);
    assert_int_equal(found(OTHER, "next", usage, people, 3, NULL), SOTTO_WELCOME);
    assert_int_equal(found(OTHER, "next", usage, people, 2, &extension), SOTTO_WELCOME);
    assert_int_equal(found(OTHER, "next", usage, strangers, 3, &extension), SOTTO_WELCOME);
    assert_int_equal(found(OTHER, "next", usage, people, 4, &extension), SOTTO_WELCOME);
    stop();
}

static void a_group_without_a_reinit_is_not_replaced(void **state)
{
    (void)state;
    start(3, NULL);
    assert_int_equal(found(SUITE, "next", SOTTO_MLS_PSK_REINIT, people, 3, NULL), SOTTO_WELCOME);
    stop();
}

static void a_branch_is_of_some_members(void **state)
{
    (void)state;
    start(3, NULL);
    const uint8_t usage = SOTTO_MLS_PSK_BRANCH;
    assert_int_equal(found(SUITE, "branch", usage, people, 2, NULL), SOTTO_OK);
    assert_int_equal(found(SUITE, "branch", usage, people, 3, NULL), SOTTO_OK);
    assert_int_equal(found(OTHER, "branch", usage, people, 2, NULL), SOTTO_WELCOME);
    assert_int_equal(found(SUITE, "branch", usage, strangers, 3, NULL), SOTTO_WELCOME);
    /* Compared with another epoch than the one that it names. */
    sotto_buf commit;
    sotto_buf_init(&commit, sotto_env_system());
    sotto_mls_group *now = all[1]->group;
    client_commit(all[0], NULL, &commit);
    sotto_mls_received received;
    assert_ok(sotto_mls_process(now, sotto_buf_view(&commit), &received));
    sotto_mls_staged_apply(now, received.staged);
    received.staged = NULL;
    sotto_mls_received_clear(&received);
    assert_int_equal(found(SUITE, "branch", usage, people, 2, NULL), SOTTO_EPOCH);
    sotto_buf_free(&commit);
    stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_group_is_what_its_reinit_says),
        cmocka_unit_test(a_group_without_a_reinit_is_not_replaced),
        cmocka_unit_test(a_branch_is_of_some_members),
    };
    return cmocka_run_group_tests_name("mls_origin", tests, NULL, NULL);
}
