/* What accounts are found by at the relay: usernames and numbers, whose they are, and what asking
 * costs. */
#include "unit/relay_world.h"

#include <stdlib.h>

static int begin(void **state)
{
    struct relay_world *world = malloc(sizeof *world);
    assert_non_null(world);
    world_begin(world, NULL);
    *state = world;
    return 0;
}

static int end(void **state)
{
    world_end(*state);
    free(*state);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
#define PHONE "+491555012345"
#define OTHER_PHONE "+491555099999"

static void join(struct relay_world *world, struct person *person, unsigned n)
{
    struct register_try try = {0};
    person_begin(world, person, n);
    assert_int_equal(do_register(world, person, &try), 0);
}

static void prove(struct relay_world *world, struct person *person, const char *phone)
{
    struct register_try ask = {.phone = phone, .new_code = "111111"};
    struct register_try answer = {.phone = phone, .code = "111111"};
    assert_int_equal(do_register(world, person, &ask), WIRE_CODE_CODE_SENT);
    assert_int_equal(do_register(world, person, &answer), 0);
}

static uint16_t name(struct relay_world *world, const struct person *person, const char *username)
{
    struct store_op *op = store_op_new(&world->env, STORE_SET_USERNAME);
    assert_non_null(op);
    op->labels.session = person->session;
    op->labels.username = sotto_bytes_str(username);
    store_call(world->port, op);
    uint16_t code = op->code;
    store_op_free(op);
    return code;
}

static uint16_t show(struct relay_world *world, const struct person *person, bool findable)
{
    struct store_op *op = store_op_new(&world->env, STORE_SET_FINDABLE);
    assert_non_null(op);
    op->labels.session = person->session;
    op->labels.findable = findable;
    store_call(world->port, op);
    uint16_t code = op->code;
    store_op_free(op);
    return code;
}

/* found: whose manifest it has to be, NULL: nobody's. */
static uint16_t find(struct relay_world *world, enum label_kind kind, const char *label,
                     const struct store_permission *permission, const struct person *found)
{
    static const struct store_permission none;
    struct store_op *op = store_op_new(&world->env, STORE_FIND);
    assert_non_null(op);
    op->find.permission = permission != NULL ? *permission : none;
    op->find.kind = kind;
    op->find.label = sotto_bytes_str(label);
    store_call(world->port, op);
    uint16_t code = op->code;
    if (code == 0 && found != NULL)
        assert_bytes(op->find.manifest, sotto_buf_view(&found->manifest));
    else
        assert_int_equal(op->find.manifest.size, 0);
    store_op_free(op);
    return code;
}

static void labels_are(struct relay_world *world, const struct person *person, const char *username,
                       const char *phone, bool findable)
{
    struct store_op *op = store_op_new(&world->env, STORE_GET_LABELS);
    assert_non_null(op);
    op->labels.session = person->session;
    store_call(world->port, op);
    assert_int_equal(op->code, 0);
    assert_bytes(op->labels.username, sotto_bytes_str(username));
    assert_bytes(op->labels.phone, sotto_bytes_str(phone));
    assert_int_equal(op->labels.findable, findable);
    store_op_free(op);
}

static void a_username_is_one_accounts_and_free_again_when_it_goes(void **state)
{
    struct relay_world *world = *state;
    struct person anna, bert;
    join(world, &anna, 1);
    join(world, &bert, 2);
    assert_int_equal(find(world, LABEL_USERNAME, "anna", NULL, NULL), 0);
    assert_int_equal(name(world, &anna, "anna"), 0);
    assert_int_equal(name(world, &anna, "anna"), 0); /* a retry */
    assert_int_equal(find(world, LABEL_USERNAME, "anna", NULL, &anna), 0);
    assert_int_equal(name(world, &bert, "anna"), WIRE_CODE_USERNAME_TAKEN);
    labels_are(world, &anna, "anna", "", false);
    labels_are(world, &bert, "", "", false);
    assert_int_equal(name(world, &anna, "anna2"), 0); /* another one lets the first go */
    assert_int_equal(find(world, LABEL_USERNAME, "anna", NULL, NULL), 0);
    assert_int_equal(name(world, &bert, "anna"), 0);
    assert_int_equal(name(world, &bert, ""), 0);
    assert_int_equal(name(world, &anna, ""), 0); /* two that have none */
    assert_int_equal(find(world, LABEL_USERNAME, "anna", NULL, NULL), 0);
    assert_int_equal(name(world, &bert, "anna"), 0);
    assert_int_equal(do_delete(world, &bert), 0);
    assert_int_equal(find(world, LABEL_USERNAME, "anna", NULL, NULL), 0);
    assert_int_equal(name(world, &bert, "anna"), WIRE_CODE_NOT_SIGNED_IN);
    assert_int_equal(name(world, &anna, "anna"), 0);
    person_end(&anna);
    person_end(&bert);
}

static void a_number_finds_who_proved_it_and_wants_to_be_found(void **state)
{
    struct relay_world *world = *state;
    struct person anna;
    join(world, &anna, 1);
    assert_int_equal(show(world, &anna, true), WIRE_CODE_PHONE_NEEDED);
    assert_int_equal(show(world, &anna, false), 0);
    prove(world, &anna, PHONE);
    assert_int_equal(find(world, LABEL_PHONE, PHONE, NULL, NULL), 0); /* nobody asked for it */
    assert_int_equal(show(world, &anna, true), 0);
    labels_are(world, &anna, "", PHONE, true);
    assert_int_equal(find(world, LABEL_PHONE, PHONE, NULL, &anna), 0);
    assert_int_equal(find(world, LABEL_PHONE, "+49155501234", NULL, NULL), 0); /* exactly */
    assert_int_equal(find(world, LABEL_USERNAME, PHONE, NULL, NULL), 0);
    struct register_try again = {.phone = PHONE};
    assert_int_equal(do_register(world, &anna, &again), 0); /* the same one */
    labels_are(world, &anna, "", PHONE, true);
    prove(world, &anna, OTHER_PHONE); /* which nobody said that they may be found by */
    labels_are(world, &anna, "", OTHER_PHONE, false);
    assert_int_equal(find(world, LABEL_PHONE, OTHER_PHONE, NULL, NULL), 0);
    assert_int_equal(show(world, &anna, true), 0);
    assert_int_equal(show(world, &anna, false), 0);
    assert_int_equal(find(world, LABEL_PHONE, OTHER_PHONE, NULL, NULL), 0);
    person_end(&anna);
}

static void asking_costs_a_token_whether_somebody_is_found_or_not(void **state)
{
    struct relay_world *world = *state;
    struct person anna;
    join(world, &anna, 1);
    assert_int_equal(name(world, &anna, "anna"), 0);
    uint32_t key = do_token_keys(world);
    struct store_permission first = token_of(key, 1), second = token_of(key, 2);
    assert_int_equal(find(world, LABEL_USERNAME, "anna", &first, &anna), 0);
    assert_int_equal(find(world, LABEL_USERNAME, "anna", &first, NULL), WIRE_CODE_TOKEN_SPENT);
    assert_int_equal(find(world, LABEL_USERNAME, "nobody", &second, NULL), 0);
    assert_int_equal(find(world, LABEL_USERNAME, "anna", &second, NULL), WIRE_CODE_TOKEN_SPENT);
    assert_int_equal(world_query(world, "SELECT count(*) FROM token_spent"), 2);
    person_end(&anna);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_username_is_one_accounts_and_free_again_when_it_goes),
        TEST(a_number_finds_who_proved_it_and_wants_to_be_found),
        TEST(asking_costs_a_token_whether_somebody_is_found_or_not),
    };
    return cmocka_run_group_tests_name("relay_labels", tests, NULL, NULL);
}
