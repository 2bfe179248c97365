/* From outside: external commits and what they may hold, proposals of external senders, who signed
 * what one joined by. */
#include "codec/writer.h"
#include "mls/group.h"
#include "unit/mls_clients.h"

#define SUITE SOTTO_MLS_X25519_AES128_SHA256_ED25519
#define MANY 6

static struct client clients[MANY];
static struct client *all[MANY];

static void start(size_t count)
{
    for (size_t i = 0; i < MANY; i++) {
        char name[24];
        snprintf(name, sizeof name, "client %zu", i);
        client_new(&clients[i], SUITE, name, NULL);
        all[i] = &clients[i];
    }
    client_create(&clients[0], "group");
    world_add(&clients[0], all + 1, count - 1, NULL, 0);
}

static void stop(void)
{
    for (size_t i = 0; i < MANY; i++)
        client_free(&clients[i]);
}

static sotto_error external_join(struct client *joiner, struct client *member,
                                 const sotto_mls_external_options *options, sotto_buf *commit)
{
    sotto_buf info;
    sotto_buf_init(&info, sotto_env_system());
    assert_ok(sotto_mls_group_info(member->group, true, true, &info));
    sotto_mls_group *group = NULL;
    sotto_buf_clear(commit);
    sotto_error error =
        sotto_mls_external_join(joiner->mls, &joiner->identity, sotto_buf_view(&info),
                                (sotto_bytes){0}, options, commit, &group);
    sotto_buf_free(&info);
    if (error != SOTTO_OK) {
        assert_null(group);
        assert_int_equal(commit->size, 0);
        return error;
    }
    sotto_mls_group_free(joiner->group);
    joiner->group = group;
    return SOTTO_OK;
}

static void propose(struct client *by, uint16_t type, uint32_t index, sotto_buf *message)
{
    const sotto_mls_proposal proposal = {.type = type, .u.remove.index = index};
    sotto_buf_clear(message);
    assert_ok(sotto_mls_propose(by->group, &proposal, NULL, SOTTO_MLS_PUBLIC, message));
}

static void hear(struct client *client, const sotto_buf *message)
{
    sotto_mls_received received;
    assert_ok(sotto_mls_process(client->group, sotto_buf_view(message), &received));
    sotto_mls_received_clear(&received);
}

/* ---- SelfRemove in external commits ---------------------------------------------------------- */

static void a_joiner_commits_those_who_leave(void **state)
{
    (void)state;
    start(5);
    sotto_buf leaving[2], commit;
    sotto_buf_init(&commit, sotto_env_system());
    for (size_t i = 0; i < 2; i++) {
        sotto_buf_init(&leaving[i], sotto_env_system());
        propose(all[3 + i], SOTTO_MLS_SELF_REMOVE, 0, &leaving[i]);
        for (size_t to = 0; to < 5; to++)
            if (to != 3 + i && !(i == 1 && to == 2)) /* client 2 misses the second */
                hear(all[to], &leaving[i]);
    }
    const sotto_bytes self_removes[] = {sotto_buf_view(&leaving[0]), sotto_buf_view(&leaving[1])};
    const sotto_mls_external_options options = {.self_removes = self_removes,
                                                .self_remove_count = 2};
    assert_ok(external_join(all[5], all[3], &options, &commit));
    assert_int_equal(sotto_mls_own_index(all[5]->group), 3);
    assert_int_equal(sotto_mls_member_count(all[5]->group), 4);
    /* Who signed the GroupInfo has left by the same commit. */
    assert_int_equal(sotto_mls_group_info_signer(all[5]->group), SOTTO_MLS_NO_SENDER);

    sotto_mls_received received;
    assert_error(sotto_mls_process(all[2]->group, sotto_buf_view(&commit), &received), PROPOSAL);
    assert_string_equal(sotto_mls_fault(all[2]->mls)->what, "ProposalOrRef.reference");
    hear(all[2], &leaving[1]);
    world_process(all, 3, NULL, sotto_buf_view(&commit));
    struct client *now[] = {all[0], all[1], all[2], all[5]};
    world_agrees(now, 4);
    client_reload(all[5]);
    world_agrees(now, 4);
    for (size_t i = 3; i < 5; i++) {
        assert_ok(sotto_mls_process(all[i]->group, sotto_buf_view(&commit), &received));
        assert_true(sotto_mls_staged_removes_self(received.staged));
        sotto_mls_received_clear(&received);
    }
    sotto_buf_free(&leaving[0]);
    sotto_buf_free(&leaving[1]);
    sotto_buf_free(&commit);
    stop();
}

static void one_who_leaves_may_come_back_by_resync(void **state)
{
    (void)state;
    start(3);
    sotto_buf leaving, commit;
    sotto_buf_init(&leaving, sotto_env_system());
    sotto_buf_init(&commit, sotto_env_system());
    propose(all[2], SOTTO_MLS_SELF_REMOVE, 0, &leaving);
    hear(all[0], &leaving);
    hear(all[1], &leaving);
    const sotto_bytes self_remove = sotto_buf_view(&leaving);
    const sotto_mls_external_options options = {
        .removes_prior = true, .prior = 2, .self_removes = &self_remove, .self_remove_count = 1};
    assert_ok(external_join(all[2], all[0], &options, &commit));
    world_process(all, 2, NULL, sotto_buf_view(&commit));
    world_agrees(all, 3);
    assert_int_equal(sotto_mls_group_info_signer(all[2]->group), 0);
    sotto_buf_free(&leaving);
    sotto_buf_free(&commit);
    stop();
}

static void a_joiner_verifies_those_who_leave(void **state)
{
    (void)state;
    start(3);
    sotto_buf message, private_commit, commit;
    sotto_buf_init(&message, sotto_env_system());
    sotto_buf_init(&commit, sotto_env_system());
    sotto_buf_init(&private_commit, sotto_env_system());
    sotto_bytes given[2];
    sotto_mls_external_options options = {.self_removes = given, .self_remove_count = 1};

    propose(all[1], SOTTO_MLS_REMOVE, 2, &message);
    given[0] = sotto_buf_view(&message);
    assert_error(external_join(all[5], all[0], &options, &commit), PROPOSAL);

    propose(all[2], SOTTO_MLS_SELF_REMOVE, 0, &message);
    given[0] = given[1] = sotto_buf_view(&message);
    options.self_remove_count = 2;
    assert_error(external_join(all[5], all[0], &options, &commit), PROPOSAL);
    options.self_remove_count = 1;
    given[0].size--;
    assert_int_not_equal(external_join(all[5], all[0], &options, &commit), SOTTO_OK);
    given[0].size++;
    /* Every bit but those of the membership tag, which nobody outside can check. */
    size_t tag = 1 + 32, refused = 0;
    for (size_t bit = 0; bit < (message.size - tag) * 8; bit += 5, refused++) {
        message.data[bit / 8] ^= (uint8_t)(1U << bit % 8);
        assert_int_not_equal(external_join(all[5], all[0], &options, &commit), SOTTO_OK);
        message.data[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    assert_true(refused > 100);

    /* Of an epoch that is over. */
    client_commit(all[0], NULL, &private_commit);
    assert_error(external_join(all[5], all[0], &options, &commit), PROPOSAL);
    assert_string_equal(sotto_mls_fault(all[5]->mls)->what,
                        "options.self_removes: another epoch's");
    sotto_buf_free(&message);
    sotto_buf_free(&commit);
    sotto_buf_free(&private_commit);
    stop();
}

static void a_self_remove_is_public_and_one_an_epoch(void **state)
{
    (void)state;
    start(3);
    const sotto_mls_proposal leaving = {.type = SOTTO_MLS_SELF_REMOVE};
    const sotto_mls_commit_options by_value = {.proposals = &leaving, .proposal_count = 1};
    sotto_buf message, commit;
    sotto_buf_init(&message, sotto_env_system());
    sotto_buf_init(&commit, sotto_env_system());
    sotto_mls_staged *staged;
    assert_error(sotto_mls_propose(all[2]->group, &leaving, NULL, SOTTO_MLS_PRIVATE, &message),
                 ARGUMENT);
    assert_error(sotto_mls_commit(all[2]->group, &by_value, &commit, &message, &staged), PROPOSAL);
    propose(all[2], SOTTO_MLS_SELF_REMOVE, 0, &message);
    assert_error(sotto_mls_propose(all[2]->group, &leaving, NULL, SOTTO_MLS_PUBLIC, &commit),
                 EXISTS);

    /* A member that sends it encrypted all the same. */
    static const uint8_t body[] = {0, SOTTO_MLS_SELF_REMOVE};
    struct sending sending;
    sending_init(&sending, sotto_env_system());
    sending_address(&sending, all[1]->group, CONTENT_PROPOSAL, SOTTO_MLS_PRIVATE, (sotto_bytes){0});
    assert_ok(sending_sign(&sending, all[1]->group, sotto_bytes_of(body, sizeof body)));
    assert_ok(sending_protect(&sending, all[1]->group, 0, &commit));
    sotto_mls_received received;
    assert_error(sotto_mls_process(all[0]->group, sotto_buf_view(&commit), &received), PROPOSAL);
    assert_int_equal(sotto_mls_pending_count(all[0]->group), 0);
    sending_free(&sending);

    /* Beside a Remove of the same leaf it is the one that is committed. */
    hear(all[0], &message);
    propose(all[1], SOTTO_MLS_REMOVE, 2, &message);
    hear(all[0], &message);
    sotto_buf_clear(&commit);
    sotto_buf_clear(&message);
    assert_ok(sotto_mls_commit(all[0]->group, NULL, &commit, &message, &staged));
    assert_int_equal(sotto_mls_staged_count(staged), 1);
    sotto_mls_proposal chosen;
    uint32_t sender;
    assert_ok(sotto_mls_staged_proposal(staged, 0, &chosen, &sender));
    assert_int_equal(chosen.type, SOTTO_MLS_SELF_REMOVE);
    assert_int_equal(sender, 2);
    sotto_mls_staged_drop(staged);
    sotto_buf_free(&message);
    sotto_buf_free(&commit);
    stop();
}

/* Lists that no honest joiner makes, judged as those of an external commit. */
static void an_external_commit_holds_nothing_else(void **state)
{
    (void)state;
    start(4);
    sotto_buf message;
    sotto_buf_init(&message, sotto_env_system());
    sotto_mls_group *group = all[0]->group;
    propose(all[1], SOTTO_MLS_REMOVE, 3, &message);
    hear(all[0], &message);
    propose(all[2], SOTTO_MLS_SELF_REMOVE, 0, &message);
    hear(all[0], &message);
    struct pending *remove = group->pending.items[0], *leave = group->pending.items[1];
    const struct proposal init = {.type = PROPOSAL_EXTERNAL_INIT}, add = {.type = PROPOSAL_ADD};
    const struct proposal update = {.type = PROPOSAL_UPDATE};
    const struct proposal reinit = {.type = PROPOSAL_REINIT};
    const struct proposal context = {.type = PROPOSAL_GROUP_CONTEXT_EXTENSIONS};
    const struct proposal self_remove = {.type = PROPOSAL_SELF_REMOVE};
    const struct proposal remove_3 = {.type = PROPOSAL_REMOVE, .u.removed = 3};
    const struct proposal remove_1 = {.type = PROPOSAL_REMOVE, .u.removed = 1};
    const struct {
        sotto_error error;
        size_t count;
        struct {
            const struct proposal *proposal;
            struct pending *pending;
        } items[3];
    } cases[] = {
        {SOTTO_OK, 1, {{&init, NULL}}},
        {SOTTO_OK, 2, {{&init, NULL}, {&leave->proposal, leave}}},
        {SOTTO_OK, 2, {{&init, NULL}, {&remove_3, NULL}}},
        {SOTTO_PROPOSAL, 1, {{&remove_3, NULL}}},
        {SOTTO_PROPOSAL, 2, {{&init, NULL}, {&init, NULL}}},
        {SOTTO_PROPOSAL, 3, {{&init, NULL}, {&remove_3, NULL}, {&remove_1, NULL}}},
        {SOTTO_PROPOSAL, 2, {{&init, NULL}, {&remove->proposal, remove}}},
        {SOTTO_PROPOSAL, 2, {{&init, NULL}, {&self_remove, NULL}}},
        {SOTTO_PROPOSAL, 2, {{&init, NULL}, {&add, NULL}}},
        {SOTTO_PROPOSAL, 2, {{&init, NULL}, {&update, NULL}}},
        {SOTTO_PROPOSAL, 2, {{&init, NULL}, {&reinit, NULL}}},
        {SOTTO_PROPOSAL, 2, {{&init, NULL}, {&context, NULL}}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct listed items[3];
        struct proposal_list list = {.items = items, .count = cases[i].count};
        for (size_t j = 0; j < list.count; j++)
            items[j] = (struct listed){
                .proposal = cases[i].items[j].proposal,
                .sender = {SENDER_NEW_MEMBER_COMMIT, 0},
                .pending = cases[i].items[j].pending,
            };
        if (list.count > 1 && items[1].pending != NULL)
            items[1].sender = items[1].pending->sender;
        sotto_error error = proposal_list_check(group, &list, EXTERNAL_COMMITTER, false);
        if (error != cases[i].error)
            print_error("case %zu: %s\n", i, sotto_mls_fault(all[0]->mls)->what);
        assert_int_equal(error, cases[i].error);
    }
    sotto_buf_free(&message);
    stop();
}

/* ---- Pre-shared keys in external commits ----------------------------------------------------- */

static void an_external_commit_carries_pre_shared_keys(void **state)
{
    (void)state;
    start(3);
    sotto_buf commit;
    sotto_buf_init(&commit, sotto_env_system());
    client_keep_psk(all[0], "group");
    const sotto_mls_proposal psks[] = {
        {.type = SOTTO_MLS_PSK, .u.psk.id = sotto_bytes_str("key")},
        {.type = SOTTO_MLS_PSK,
         .u.psk = {.resumption = true,
                   .id = sotto_bytes_str("group"),
                   .epoch = 1,
                   .usage = SOTTO_MLS_PSK_APPLICATION}},
    };
    sotto_mls_external_options options = {
        .psks = psks, .psk_count = 2, .authenticated = sotto_bytes_str("said beside")};
    assert_error(external_join(all[4], all[0], &options, &commit), PSK);
    for (size_t i = 0; i < 5; i++) {
        all[i]->psk_id = sotto_bytes_str("key");
        all[i]->psk = sotto_bytes_str("shared in advance");
    }
    /* The joiner of an epoch does not know its resumption PSK by itself. */
    assert_error(external_join(all[4], all[0], &options, &commit), PSK);
    all[4]->kept_group = sotto_bytes_str("group");
    all[4]->kept_epoch = 1;
    assert_ok(sotto_mls_resumption_psk(all[0]->group, &all[4]->kept_psk));
    assert_ok(external_join(all[4], all[0], &options, &commit));
    sotto_mls_received received;
    assert_ok(sotto_mls_process(all[1]->group, sotto_buf_view(&commit), &received));
    assert_bytes(sotto_buf_view(&received.authenticated), sotto_bytes_str("said beside"));
    sotto_mls_received_clear(&received);
    all[2]->psk = sotto_bytes_str("something else");
    assert_error(sotto_mls_process(all[2]->group, sotto_buf_view(&commit), &received), TAG);
    all[2]->psk = sotto_bytes_str("shared in advance");
    world_process(all, 3, NULL, sotto_buf_view(&commit));
    struct client *now[] = {all[0], all[1], all[2], all[4]};
    world_agrees(now, 4);

    const sotto_mls_proposal other = {.type = SOTTO_MLS_REMOVE};
    options = (sotto_mls_external_options){.psks = &other, .psk_count = 1};
    assert_error(external_join(all[5], all[0], &options, &commit), ARGUMENT);
    const sotto_mls_proposal branch = {.type = SOTTO_MLS_PSK,
                                       .u.psk = {.resumption = true,
                                                 .id = sotto_bytes_str("group"),
                                                 .epoch = 1,
                                                 .usage = SOTTO_MLS_PSK_BRANCH}};
    options.psks = &branch;
    assert_error(external_join(all[5], all[0], &options, &commit), PROPOSAL);
    sotto_buf_free(&commit);
    stop();
}

/* ---- External senders (12.1.8) --------------------------------------------------------------- */

/* Puts clients 4 and 5 into external_senders. */
static void allow_senders(size_t members)
{
    sotto_buf senders, commit;
    sotto_buf_init(&senders, sotto_env_system());
    sotto_buf_init(&commit, sotto_env_system());
    struct writer w;
    writer_init(&w, &senders);
    size_t list = writer_open(&w);
    for (size_t i = 4; i < 6; i++) {
        writer_vector(&w, sotto_buf_view(&all[i]->public_key));
        writer_u16(&w, SOTTO_MLS_BASIC);
        writer_vector(&w, sotto_bytes_str("service"));
    }
    writer_close(&w, list);
    assert_ok(writer_finish(&w));
    const sotto_mls_extension extension = {.type = 5, .data = sotto_buf_view(&senders)};
    const sotto_mls_proposal context = {.type = SOTTO_MLS_CONTEXT_EXTENSIONS,
                                        .u.context = {&extension, 1}};
    const sotto_mls_commit_options options = {.proposals = &context, .proposal_count = 1};
    client_commit(all[0], &options, &commit);
    world_process(all, members, all[0], sotto_buf_view(&commit));
    sotto_buf_free(&senders);
    sotto_buf_free(&commit);
}

static sotto_error from_outside(struct client *sender, uint32_t index, uint64_t epoch,
                                const sotto_mls_proposal *proposal, sotto_buf *message)
{
    sotto_buf_clear(message);
    return sotto_mls_external_proposal(sender->mls, &sender->identity, sotto_bytes_str("group"),
                                       epoch, index, proposal, message);
}

static void each_kind_of_external_proposal_is_committed(void **state)
{
    (void)state;
    start(3);
    allow_senders(3);
    client_key_package(all[3]);
    for (size_t i = 0; i < 4; i++) {
        all[i]->psk_id = sotto_bytes_str("key");
        all[i]->psk = sotto_bytes_str("shared in advance");
    }
    sotto_bytes senders;
    assert_ok(sotto_mls_context_extension(all[0]->group, 5, &senders));
    sotto_buf kept;
    sotto_buf_init(&kept, sotto_env_system());
    assert_ok(sotto_buf_append(&kept, senders.data, senders.size));
    const sotto_mls_extension extension = {.type = 5, .data = sotto_buf_view(&kept)};
    const sotto_mls_proposal proposals[] = {
        {.type = SOTTO_MLS_ADD, .u.add.key_package = sotto_buf_view(&all[3]->key_package)},
        {.type = SOTTO_MLS_PSK, .u.psk.id = sotto_bytes_str("key")},
        {.type = SOTTO_MLS_CONTEXT_EXTENSIONS, .u.context = {&extension, 1}},
        {.type = SOTTO_MLS_REMOVE, .u.remove.index = 2},
        {.type = SOTTO_MLS_REINIT, .u.reinit = {sotto_bytes_str("next"), SUITE, NULL, 0}},
    };
    struct client *members[4] = {all[0], all[1], all[2]};
    size_t count = 3;
    sotto_buf message, commit, welcome;
    sotto_buf_init(&message, sotto_env_system());
    sotto_buf_init(&commit, sotto_env_system());
    sotto_buf_init(&welcome, sotto_env_system());
    for (size_t p = 0; p < sizeof proposals / sizeof proposals[0]; p++) {
        uint64_t epoch = sotto_mls_epoch(all[0]->group);
        assert_ok(from_outside(all[4 + p % 2], (uint32_t)p % 2, epoch, &proposals[p], &message));
        for (size_t i = 0; i < count; i++)
            hear(members[i], &message);
        sotto_buf_clear(&commit);
        sotto_buf_clear(&welcome);
        sotto_mls_staged *staged;
        assert_ok(sotto_mls_commit(all[1]->group, NULL, &commit, &welcome, &staged));
        assert_int_equal(sotto_mls_staged_count(staged), 1);
        sotto_mls_staged_apply(all[1]->group, staged);
        if (proposals[p].type == SOTTO_MLS_REMOVE) {
            members[2] = members[3];
            count = 3;
        }
        world_process(members, count, all[1], sotto_buf_view(&commit));
        if (proposals[p].type == SOTTO_MLS_ADD) {
            client_join(all[3], sotto_buf_view(&welcome), (sotto_bytes){0});
            assert_int_equal(sotto_mls_group_info_signer(all[3]->group), 1);
            members[count++] = all[3];
        }
        if (proposals[p].type != SOTTO_MLS_REINIT)
            world_agrees(members, count);
    }
    sotto_mls_proposal ended;
    for (size_t i = 0; i < count; i++)
        assert_ok(sotto_mls_reinit(members[i]->group, &ended));
    sotto_buf_free(&kept);
    sotto_buf_free(&message);
    sotto_buf_free(&commit);
    sotto_buf_free(&welcome);
    stop();
}

static void an_external_sender_keeps_within_its_bounds(void **state)
{
    (void)state;
    start(3);
    allow_senders(3);
    sotto_buf message;
    sotto_buf_init(&message, sotto_env_system());
    const sotto_mls_proposal removal = {.type = SOTTO_MLS_REMOVE, .u.remove.index = 2};
    const sotto_mls_proposal none = {.type = SOTTO_MLS_REMOVE, .u.remove.index = 3};
    const sotto_mls_proposal leaving = {.type = SOTTO_MLS_SELF_REMOVE};
    const sotto_mls_proposal own_type = {.type = 0xf001, .u.other = sotto_bytes_str("x")};
    const sotto_mls_proposal update = {.type = SOTTO_MLS_UPDATE};
    const sotto_mls_proposal init = {.type = SOTTO_MLS_EXTERNAL_INIT};
    const struct {
        sotto_error error;
        uint32_t sender, index;
        uint64_t epoch;
        const sotto_mls_proposal *proposal;
    } cases[] = {
        {SOTTO_SENDER, 4, 0, 2, &leaving},    {SOTTO_SENDER, 4, 0, 2, &own_type},
        {SOTTO_PROPOSAL, 4, 0, 2, &none},     {SOTTO_SENDER, 4, 2, 2, &removal},
        {SOTTO_SIGNATURE, 4, 1, 2, &removal}, {SOTTO_SIGNATURE, 3, 0, 2, &removal},
        {SOTTO_EPOCH, 4, 0, 1, &removal},     {SOTTO_EPOCH, 4, 0, 3, &removal},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        sotto_mls_received received;
        assert_ok(from_outside(all[cases[i].sender], cases[i].index, cases[i].epoch,
                               cases[i].proposal, &message));
        assert_int_equal(sotto_mls_process(all[0]->group, sotto_buf_view(&message), &received),
                         cases[i].error);
    }
    assert_error(from_outside(all[4], 0, 2, &update, &message), ARGUMENT);
    assert_error(from_outside(all[4], 0, 2, &init, &message), ARGUMENT);
    assert_int_equal(sotto_mls_pending_count(all[0]->group), 0);
    sotto_buf_free(&message);
    stop();
}

/* ---- Who signed ------------------------------------------------------------------------------ */

static void a_joiner_learns_who_made_the_welcome(void **state)
{
    (void)state;
    start(4);
    for (size_t i = 1; i < 4; i++)
        assert_int_equal(sotto_mls_group_info_signer(all[i]->group), 0);
    assert_int_equal(sotto_mls_group_info_signer(all[0]->group), SOTTO_MLS_NO_SENDER);
    struct client *others[] = {all[0], all[1], all[3]};
    world_add(all[2], all + 4, 1, others, 3);
    assert_int_equal(sotto_mls_group_info_signer(all[4]->group), 2);
    sotto_buf commit;
    sotto_buf_init(&commit, sotto_env_system());
    client_commit(all[1], NULL, &commit);
    world_process(all, 5, all[1], sotto_buf_view(&commit));
    assert_int_equal(sotto_mls_group_info_signer(all[4]->group), SOTTO_MLS_NO_SENDER);
    sotto_buf_free(&commit);
    stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_joiner_commits_those_who_leave),
        cmocka_unit_test(one_who_leaves_may_come_back_by_resync),
        cmocka_unit_test(a_joiner_verifies_those_who_leave),
        cmocka_unit_test(a_self_remove_is_public_and_one_an_epoch),
        cmocka_unit_test(an_external_commit_holds_nothing_else),
        cmocka_unit_test(an_external_commit_carries_pre_shared_keys),
        cmocka_unit_test(each_kind_of_external_proposal_is_committed),
        cmocka_unit_test(an_external_sender_keeps_within_its_bounds),
        cmocka_unit_test(a_joiner_learns_who_made_the_welcome),
    };
    return cmocka_run_group_tests_name("mls_external", tests, NULL, NULL);
}
