/* Joining from outside, pre-shared keys, reinitialisation and branches, group context extensions,
 * external senders, other credentials, proposals of the application's own. */
#include "codec/writer.h"
#include "unit/mls_clients.h"

#define SUITE SOTTO_MLS_X25519_CHACHA_SHA256_ED25519
#define MANY 6

static struct client clients[MANY];
static struct client *all[MANY];

static void start(size_t count, const sotto_mls_capabilities *capabilities)
{
    for (size_t i = 0; i < MANY; i++) {
        char name[24];
        snprintf(name, sizeof name, "client %zu", i);
        client_new(&clients[i], SUITE, name, NULL);
        if (capabilities != NULL)
            clients[i].identity.capabilities = *capabilities;
        all[i] = &clients[i];
    }
    client_create(&clients[0], "group");
    if (count > 1)
        world_add(&clients[0], all + 1, count - 1, NULL, 0);
}

static void stop(void)
{
    for (size_t i = 0; i < MANY; i++)
        client_free(&clients[i]);
}

/* One by-value proposal, committed by one and processed by the others. */
static void commit_one(struct client *by, const sotto_mls_proposal *proposal, size_t count)
{
    sotto_buf commit;
    sotto_buf_init(&commit, sotto_env_system());
    const sotto_mls_commit_options options = {.proposals = proposal, .proposal_count = 1};
    client_commit(by, &options, &commit);
    world_process(all, count, by, sotto_buf_view(&commit));
    sotto_buf_free(&commit);
}

static sotto_error try_commit(struct client *by, const sotto_mls_commit_options *options)
{
    sotto_buf commit, welcome;
    sotto_buf_init(&commit, sotto_env_system());
    sotto_buf_init(&welcome, sotto_env_system());
    sotto_mls_staged *staged = NULL;
    sotto_error error = sotto_mls_commit(by->group, options, &commit, &welcome, &staged);
    sotto_mls_staged_drop(staged);
    sotto_buf_free(&commit);
    sotto_buf_free(&welcome);
    return error;
}

/* ---- From outside ---------------------------------------------------------------------------- */

static void external_join(struct client *joiner, struct client *member,
                          const sotto_mls_external_options *options, sotto_buf *commit)
{
    sotto_buf info, tree;
    sotto_buf_init(&info, sotto_env_system());
    sotto_buf_init(&tree, sotto_env_system());
    assert_ok(sotto_mls_group_info(member->group, false, true, &info));
    assert_ok(sotto_mls_ratchet_tree(member->group, &tree));
    sotto_mls_group *group = NULL;
    assert_ok(sotto_mls_external_join(joiner->mls, &joiner->identity, sotto_buf_view(&info),
                                      sotto_buf_view(&tree), options, commit, &group));
    sotto_mls_group_free(joiner->group);
    joiner->group = group;
    sotto_buf_free(&info);
    sotto_buf_free(&tree);
}

static void one_joins_by_external_commit(void **state)
{
    (void)state;
    start(4, NULL);
    sotto_buf commit;
    sotto_buf_init(&commit, sotto_env_system());
    external_join(all[4], all[2], NULL, &commit);
    assert_int_equal(sotto_mls_group_info_signer(all[4]->group), 2);
    sotto_mls_received received;
    assert_ok(sotto_mls_process(all[0]->group, sotto_buf_view(&commit), &received));
    assert_int_equal(received.sender, SOTTO_MLS_NO_SENDER);
    assert_int_equal(sotto_mls_staged_committer(received.staged), 4);
    sotto_mls_received_clear(&received);
    world_process(all, 4, NULL, sotto_buf_view(&commit));
    world_agrees(all, 5);
    client_reload(all[4]);
    sotto_buf_clear(&commit);
    client_commit(all[4], NULL, &commit);
    world_process(all, 5, all[4], sotto_buf_view(&commit));
    world_agrees(all, 5);
    sotto_buf_free(&commit);
    stop();
}

static void a_lost_member_comes_back_by_resync(void **state)
{
    (void)state;
    start(5, NULL);
    sotto_buf commit;
    sotto_buf_init(&commit, sotto_env_system());
    const sotto_mls_external_options options = {.removes_prior = true, .prior = 2};
    external_join(all[2], all[0], &options, &commit);
    assert_int_equal(sotto_mls_own_index(all[2]->group), 2);
    world_process(all, 5, all[2], sotto_buf_view(&commit));
    world_agrees(all, 5);
    sotto_buf_free(&commit);
    stop();
}

static void joining_from_outside_needs_the_external_key(void **state)
{
    (void)state;
    start(2, NULL);
    sotto_buf info, commit;
    sotto_buf_init(&info, sotto_env_system());
    sotto_buf_init(&commit, sotto_env_system());
    sotto_mls_group *group = NULL;
    assert_ok(sotto_mls_group_info(all[0]->group, true, false, &info));
    assert_error(sotto_mls_external_join(all[3]->mls, &all[3]->identity, sotto_buf_view(&info),
                                         (sotto_bytes){0}, NULL, &commit, &group),
                 NOT_FOUND);
    sotto_buf_clear(&info);
    assert_ok(sotto_mls_group_info(all[0]->group, false, true, &info));
    assert_error(sotto_mls_external_join(all[3]->mls, &all[3]->identity, sotto_buf_view(&info),
                                         (sotto_bytes){0}, NULL, &commit, &group),
                 WELCOME);
    sotto_buf_clear(&info);
    assert_ok(sotto_mls_group_info(all[0]->group, true, true, &info));
    assert_ok(sotto_mls_external_join(all[3]->mls, &all[3]->identity, sotto_buf_view(&info),
                                      (sotto_bytes){0}, NULL, &commit, &group));
    sotto_mls_group_free(group);
    /* A member may not be put into the group twice. */
    sotto_buf_clear(&commit);
    assert_error(sotto_mls_external_join(all[1]->mls, &all[1]->identity, sotto_buf_view(&info),
                                         (sotto_bytes){0}, NULL, &commit, &group),
                 TREE);
    assert_int_equal(commit.size, 0);
    sotto_buf_free(&info);
    sotto_buf_free(&commit);
    stop();
}

/* ---- Pre-shared keys ------------------------------------------------------------------------- */

static void pre_shared_keys_enter_the_epoch(void **state)
{
    (void)state;
    start(3, NULL);
    for (size_t i = 0; i < 3; i++) {
        all[i]->psk_id = sotto_bytes_str("key");
        all[i]->psk = sotto_bytes_str("shared in advance");
    }
    const sotto_mls_proposal psk = {.type = SOTTO_MLS_PSK, .u.psk.id = sotto_bytes_str("key")};
    commit_one(all[0], &psk, 3);
    world_agrees(all, 3);
    for (size_t i = 0; i < 3; i++)
        client_keep_psk(all[i], "group");
    sotto_buf commit;
    sotto_buf_init(&commit, sotto_env_system());
    client_commit(all[1], NULL, &commit);
    world_process(all, 3, all[1], sotto_buf_view(&commit));
    const sotto_mls_proposal resumption = {
        .type = SOTTO_MLS_PSK,
        .u.psk = {.resumption = true, .id = sotto_bytes_str("group"), .epoch = 2, .usage = 1}};
    commit_one(all[2], &resumption, 3);
    world_agrees(all, 3);

    /* One who has another key cannot follow. */
    all[1]->psk = sotto_bytes_str("something else");
    sotto_buf_clear(&commit);
    const sotto_mls_commit_options options = {.proposals = &psk, .proposal_count = 1};
    client_commit(all[0], &options, &commit);
    sotto_mls_received received;
    assert_error(sotto_mls_process(all[1]->group, sotto_buf_view(&commit), &received), TAG);
    all[1]->psk = (sotto_bytes){0};
    assert_error(sotto_mls_process(all[1]->group, sotto_buf_view(&commit), &received), PSK);
    all[1]->psk = sotto_bytes_str("shared in advance");
    world_process(all, 3, all[0], sotto_buf_view(&commit));
    world_agrees(all, 3);
    sotto_buf_free(&commit);
    stop();
}

static void a_newcomer_needs_the_psk_of_the_welcome(void **state)
{
    (void)state;
    start(2, NULL);
    for (size_t i = 0; i < 2; i++) {
        all[i]->psk_id = sotto_bytes_str("key");
        all[i]->psk = sotto_bytes_str("shared in advance");
    }
    client_key_package(all[2]);
    const sotto_mls_proposal proposals[] = {
        {.type = SOTTO_MLS_PSK, .u.psk.id = sotto_bytes_str("key")},
        {.type = SOTTO_MLS_ADD, .u.add.key_package = sotto_buf_view(&all[2]->key_package)},
    };
    const sotto_mls_commit_options options = {
        .proposals = proposals, .proposal_count = 2, .no_path = true};
    sotto_buf commit, welcome;
    sotto_buf_init(&commit, sotto_env_system());
    sotto_buf_init(&welcome, sotto_env_system());
    sotto_mls_staged *staged;
    assert_ok(sotto_mls_commit(all[0]->group, &options, &commit, &welcome, &staged));
    sotto_mls_staged_apply(all[0]->group, staged);
    world_process(all, 2, all[0], sotto_buf_view(&commit));
    assert_error(sotto_mls_join(all[2]->mls, &all[2]->identity,
                                sotto_buf_view(&all[2]->key_package),
                                sotto_buf_view(&all[2]->secrets), sotto_buf_view(&welcome),
                                (sotto_bytes){0}, &all[2]->group),
                 PSK);
    all[2]->psk_id = sotto_bytes_str("key");
    all[2]->psk = sotto_bytes_str("shared in advance");
    client_join(all[2], sotto_buf_view(&welcome), (sotto_bytes){0});
    world_agrees(all, 3);
    sotto_buf_free(&commit);
    sotto_buf_free(&welcome);
    stop();
}

/* ---- Reinitialisation, branches -------------------------------------------------------------- */

/* Makes a group of the first count clients linked to "group" by a resumption PSK. */
static void found(struct client **members, size_t count, const char *group_id, uint8_t usage)
{
    sotto_mls_proposal proposals[MANY + 1] = {0};
    for (size_t i = 0; i < count; i++) {
        client_keep_psk(members[i], "group");
        sotto_mls_group_free(members[i]->group);
        members[i]->group = NULL;
        if (i > 0) {
            client_key_package(members[i]);
            proposals[i].type = SOTTO_MLS_ADD;
            proposals[i].u.add.key_package = sotto_buf_view(&members[i]->key_package);
        }
    }
    proposals[0] = (sotto_mls_proposal){.type = SOTTO_MLS_PSK,
                                        .u.psk = {.resumption = true,
                                                  .id = sotto_bytes_str("group"),
                                                  .epoch = members[0]->kept_epoch,
                                                  .usage = usage}};
    client_create(members[0], group_id);
    const sotto_mls_commit_options options = {.proposals = proposals, .proposal_count = count};
    sotto_buf commit, welcome;
    sotto_buf_init(&commit, sotto_env_system());
    sotto_buf_init(&welcome, sotto_env_system());
    sotto_mls_staged *staged;
    assert_ok(sotto_mls_commit(members[0]->group, &options, &commit, &welcome, &staged));
    sotto_mls_staged_apply(members[0]->group, staged);
    for (size_t i = 1; i < count; i++)
        client_join(members[i], sotto_buf_view(&welcome), (sotto_bytes){0});
    sotto_buf_free(&commit);
    sotto_buf_free(&welcome);
}

static void a_reinit_ends_the_group_and_links_the_next(void **state)
{
    (void)state;
    start(3, NULL);
    const sotto_mls_proposal reinit = {.type = SOTTO_MLS_REINIT,
                                       .u.reinit = {sotto_bytes_str("next"), SUITE, NULL, 0}};
    commit_one(all[1], &reinit, 3);
    sotto_buf out;
    sotto_buf_init(&out, sotto_env_system());
    client_reload(all[0]);
    assert_error(
        sotto_mls_encrypt(all[0]->group, sotto_bytes_str("x"), sotto_bytes_str(""), 0, &out),
        STATE);
    assert_error(try_commit(all[2], NULL), STATE);
    sotto_mls_proposal ended;
    assert_ok(sotto_mls_reinit(all[0]->group, &ended));
    assert_bytes(ended.u.reinit.group_id, sotto_bytes_str("next"));
    assert_int_equal(ended.u.reinit.suite, SUITE);
    found(all, 3, "next", 2);
    world_agrees(all, 3);
    client_reload(all[1]);
    sotto_mls_proposal origin;
    assert_ok(sotto_mls_origin(all[1]->group, &origin));
    assert_bytes(origin.u.psk.id, sotto_bytes_str("group"));
    assert_int_equal(origin.u.psk.usage, 2);
    assert_int_equal(origin.u.psk.epoch, 2);
    assert_error(sotto_mls_origin(all[0]->group, &origin), NOT_FOUND);
    sotto_buf_free(&out);
    stop();
}

static void some_members_branch_off(void **state)
{
    (void)state;
    start(4, NULL);
    found(all + 1, 2, "branch", 3);
    world_agrees(all + 1, 2);
    sotto_mls_proposal origin;
    assert_ok(sotto_mls_origin(all[2]->group, &origin));
    assert_int_equal(origin.u.psk.usage, 3);
    stop();
}

/* ---- The group's context --------------------------------------------------------------------- */

static void context_extensions_need_everyones_support(void **state)
{
    (void)state;
    static const uint16_t types[] = {0xf100};
    static const sotto_mls_capabilities capabilities = {.extensions = types, .extension_count = 1};
    start(3, &capabilities);
    const sotto_mls_extension settings = {.type = 0xf100, .data = sotto_bytes_str("title")};
    const sotto_mls_extension unknown = {.type = 0xf101, .data = sotto_bytes_str("?")};
    const sotto_mls_extension damaged = {.type = 3, .data = sotto_bytes_str("?")};
    sotto_mls_proposal context = {.type = SOTTO_MLS_CONTEXT_EXTENSIONS, .u.context = {&unknown, 1}};
    const sotto_mls_commit_options options = {.proposals = &context, .proposal_count = 1};
    assert_error(try_commit(all[0], &options), CAPABILITY);
    context.u.context.extensions = &damaged;
    assert_int_not_equal(try_commit(all[0], &options), SOTTO_OK);
    context.u.context.extensions = &settings;
    commit_one(all[1], &context, 3);
    sotto_bytes data;
    assert_ok(sotto_mls_context_extension(all[2]->group, 0xf100, &data));
    assert_bytes(data, sotto_bytes_str("title"));
    assert_error(sotto_mls_context_extension(all[2]->group, 0xf101, &data), NOT_FOUND);
    world_agrees(all, 3);

    /* One who does not support it cannot be added. */
    all[3]->identity.capabilities = (sotto_mls_capabilities){0};
    client_key_package(all[3]);
    const sotto_mls_proposal add = {.type = SOTTO_MLS_ADD,
                                    .u.add.key_package = sotto_buf_view(&all[3]->key_package)};
    const sotto_mls_commit_options adding = {.proposals = &add, .proposal_count = 1};
    assert_error(try_commit(all[0], &adding), CAPABILITY);
    stop();
}

static void required_capabilities_are_required(void **state)
{
    (void)state;
    static const uint16_t types[] = {0xf005};
    static const sotto_mls_capabilities capabilities = {.proposals = types, .proposal_count = 1};
    start(2, &capabilities);
    static const uint8_t required[] = {0, 2, 0xf0, 0x05, 0};
    const sotto_mls_extension extension = {.type = 3, .data = sotto_bytes_of(required, 5)};
    const sotto_mls_proposal context = {.type = SOTTO_MLS_CONTEXT_EXTENSIONS,
                                        .u.context = {&extension, 1}};
    commit_one(all[0], &context, 2);
    all[3]->identity.capabilities = (sotto_mls_capabilities){0};
    client_key_package(all[3]);
    const sotto_mls_proposal add = {.type = SOTTO_MLS_ADD,
                                    .u.add.key_package = sotto_buf_view(&all[3]->key_package)};
    const sotto_mls_commit_options adding = {.proposals = &add, .proposal_count = 1};
    assert_error(try_commit(all[0], &adding), CAPABILITY);
    world_add(all[1], all + 2, 1, all, 2);
    world_agrees(all, 3);
    /* Proposals of that type are carried now. */
    const sotto_mls_proposal own = {.type = 0xf005, .u.other = sotto_bytes_str("of our own")};
    commit_one(all[2], &own, 3);
    world_agrees(all, 3);
    stop();
}

/* ---- Senders from outside -------------------------------------------------------------------- */

static void external_proposal(struct client *sender, uint64_t epoch,
                              const sotto_mls_proposal *proposal, sotto_buf *out)
{
    sotto_buf_clear(out);
    assert_ok(sotto_mls_external_proposal(sender->mls, &sender->identity, sotto_bytes_str("group"),
                                          epoch, 0, proposal, out));
}

static void an_external_sender_proposes(void **state)
{
    (void)state;
    start(3, NULL);
    sotto_buf senders, message, commit;
    sotto_buf_init(&senders, sotto_env_system());
    sotto_buf_init(&message, sotto_env_system());
    sotto_buf_init(&commit, sotto_env_system());
    struct writer w;
    writer_init(&w, &senders);
    size_t list = writer_open(&w);
    writer_vector(&w, sotto_buf_view(&all[5]->public_key));
    writer_u16(&w, SOTTO_MLS_BASIC);
    writer_vector(&w, sotto_bytes_str("service"));
    writer_close(&w, list);
    assert_ok(writer_finish(&w));
    const sotto_mls_extension extension = {.type = 5, .data = sotto_buf_view(&senders)};
    const sotto_mls_proposal context = {.type = SOTTO_MLS_CONTEXT_EXTENSIONS,
                                        .u.context = {&extension, 1}};
    const sotto_mls_proposal remove_one = {.type = SOTTO_MLS_REMOVE, .u.remove.index = 1};
    const sotto_mls_proposal self_remove = {.type = SOTTO_MLS_SELF_REMOVE};
    sotto_mls_received received;
    external_proposal(all[5], 1, &remove_one, &message);
    assert_error(sotto_mls_process(all[0]->group, sotto_buf_view(&message), &received), SENDER);
    commit_one(all[0], &context, 3);

    external_proposal(all[5], 2, &self_remove, &message);
    assert_error(sotto_mls_process(all[0]->group, sotto_buf_view(&message), &received), SENDER);
    external_proposal(all[4], 2, &remove_one, &message);
    assert_error(sotto_mls_process(all[0]->group, sotto_buf_view(&message), &received), SIGNATURE);
    external_proposal(all[5], 2, &remove_one, &message);
    for (size_t i = 0; i < 3; i++) {
        assert_ok(sotto_mls_process(all[i]->group, sotto_buf_view(&message), &received));
        assert_int_equal(received.sender, SOTTO_MLS_NO_SENDER);
        assert_int_equal(received.proposal.u.remove.index, 1);
        sotto_mls_received_clear(&received);
    }
    client_commit(all[2], NULL, &commit);
    world_process(all, 2, NULL, sotto_buf_view(&commit));
    struct client *left[] = {all[0], all[2]};
    world_agrees(left, 2);
    sotto_buf_free(&senders);
    sotto_buf_free(&message);
    sotto_buf_free(&commit);
    stop();
}

static void a_new_member_proposes_itself(void **state)
{
    (void)state;
    start(2, NULL);
    client_key_package(all[3]);
    sotto_buf message, commit, welcome;
    sotto_buf_init(&message, sotto_env_system());
    sotto_buf_init(&commit, sotto_env_system());
    sotto_buf_init(&welcome, sotto_env_system());
    assert_ok(sotto_mls_new_member_proposal(all[3]->mls, &all[3]->identity,
                                            sotto_bytes_str("group"), 1,
                                            sotto_buf_view(&all[3]->key_package), &message));
    sotto_mls_received received;
    for (size_t i = 0; i < 2; i++) {
        assert_ok(sotto_mls_process(all[i]->group, sotto_buf_view(&message), &received));
        assert_bytes(received.proposal.u.add.leaf.credential.identity, sotto_bytes_str("client 3"));
        sotto_mls_received_clear(&received);
    }
    sotto_mls_staged *staged;
    assert_ok(sotto_mls_commit(all[1]->group, NULL, &commit, &welcome, &staged));
    sotto_mls_staged_apply(all[1]->group, staged);
    world_process(all, 1, NULL, sotto_buf_view(&commit));
    client_join(all[3], sotto_buf_view(&welcome), (sotto_bytes){0});
    struct client *now[] = {all[0], all[1], all[3]};
    world_agrees(now, 3);
    sotto_buf_free(&message);
    sotto_buf_free(&commit);
    sotto_buf_free(&welcome);
    stop();
}

/* ---- Leaving, renewing ----------------------------------------------------------------------- */

static void a_member_leaves_by_self_remove(void **state)
{
    (void)state;
    start(4, NULL);
    const sotto_mls_proposal leaving = {.type = SOTTO_MLS_SELF_REMOVE};
    sotto_buf message, commit;
    sotto_buf_init(&message, sotto_env_system());
    sotto_buf_init(&commit, sotto_env_system());
    assert_ok(sotto_mls_propose(all[3]->group, &leaving, NULL, SOTTO_MLS_PUBLIC, &message));
    sotto_mls_received received;
    for (size_t i = 0; i < 3; i++) {
        assert_ok(sotto_mls_process(all[i]->group, sotto_buf_view(&message), &received));
        sotto_mls_received_clear(&received);
    }
    client_commit(all[1], NULL, &commit);
    world_process(all, 3, all[1], sotto_buf_view(&commit));
    world_agrees(all, 3);
    assert_ok(sotto_mls_process(all[3]->group, sotto_buf_view(&commit), &received));
    assert_true(sotto_mls_staged_removes_self(received.staged));
    sotto_mls_received_clear(&received);
    sotto_buf_free(&message);
    sotto_buf_free(&commit);
    stop();
}

static void a_member_renews_its_signature_key(void **state)
{
    (void)state;
    start(3, NULL);
    struct client *c = all[1];
    sotto_buf private_key, public_key, commit, message;
    sotto_buf_init(&private_key, sotto_env_system());
    sotto_buf_init(&public_key, sotto_env_system());
    sotto_buf_init(&commit, sotto_env_system());
    sotto_buf_init(&message, sotto_env_system());
    for (int by_update = 0; by_update < 2; by_update++) {
        sotto_buf_clear(&private_key);
        sotto_buf_clear(&public_key);
        sotto_buf_clear(&commit);
        sotto_buf_clear(&message);
        assert_ok(sotto_mls_signature_key(c->mls, SUITE, &private_key, &public_key));
        sotto_mls_identity renewed = c->identity;
        renewed.signature_private = sotto_buf_view(&private_key);
        renewed.signature_public = sotto_buf_view(&public_key);
        if (by_update) {
            const sotto_mls_proposal update = {.type = SOTTO_MLS_UPDATE};
            assert_ok(sotto_mls_propose(c->group, &update, &renewed, SOTTO_MLS_PRIVATE, &message));
            client_reload(c);
            sotto_mls_received received;
            for (size_t i = 0; i < 3; i += 2) {
                assert_ok(sotto_mls_process(all[i]->group, sotto_buf_view(&message), &received));
                sotto_mls_received_clear(&received);
            }
            client_commit(all[0], NULL, &commit);
            world_process(all, 3, all[0], sotto_buf_view(&commit));
        } else {
            const sotto_mls_commit_options options = {.identity = &renewed};
            client_commit(c, &options, &commit);
            world_process(all, 3, c, sotto_buf_view(&commit));
        }
        sotto_buf_clear(&c->private_key);
        sotto_buf_clear(&c->public_key);
        assert_ok(sotto_buf_append(&c->private_key, private_key.data, private_key.size));
        assert_ok(sotto_buf_append(&c->public_key, public_key.data, public_key.size));
        c->identity.signature_private = sotto_buf_view(&c->private_key);
        c->identity.signature_public = sotto_buf_view(&c->public_key);
        sotto_mls_leaf leaf;
        assert_ok(sotto_mls_member(all[2]->group, 1, &leaf));
        assert_bytes(leaf.signature_key, sotto_buf_view(&public_key));
        world_agrees(all, 3);
        client_reload(c);
        world_agrees(all, 3);
    }
    sotto_buf_free(&private_key);
    sotto_buf_free(&public_key);
    sotto_buf_free(&commit);
    sotto_buf_free(&message);
    stop();
}

static void x509_credentials_are_carried(void **state)
{
    (void)state;
    static const uint16_t both[] = {SOTTO_MLS_BASIC, SOTTO_MLS_X509};
    static const sotto_mls_capabilities capabilities = {.credentials = both, .credential_count = 2};
    start(1, &capabilities);
    const sotto_bytes chain[] = {sotto_bytes_str("leaf certificate"), sotto_bytes_str("issuer")};
    all[1]->identity.credential =
        (sotto_mls_credential){.type = SOTTO_MLS_X509, .chain = chain, .chain_count = 2};
    sotto_mls_group_free(all[0]->group);
    client_create(all[0], "group");
    world_add(all[0], all + 1, 1, NULL, 0);
    sotto_mls_leaf leaf;
    assert_ok(sotto_mls_member(all[0]->group, 1, &leaf));
    assert_int_equal(leaf.credential.type, SOTTO_MLS_X509);
    assert_int_equal(leaf.credential.chain_count, 2);
    assert_bytes(leaf.credential.chain[1], sotto_bytes_str("issuer"));
    client_reload(all[1]);
    world_agrees(all, 2);
    /* One who knows basic alone cannot be a member with them. */
    all[2]->identity.capabilities = (sotto_mls_capabilities){0};
    client_key_package(all[2]);
    const sotto_mls_proposal add = {.type = SOTTO_MLS_ADD,
                                    .u.add.key_package = sotto_buf_view(&all[2]->key_package)};
    const sotto_mls_commit_options options = {.proposals = &add, .proposal_count = 1};
    assert_error(try_commit(all[0], &options), CAPABILITY);
    stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_joins_by_external_commit),
        cmocka_unit_test(a_lost_member_comes_back_by_resync),
        cmocka_unit_test(joining_from_outside_needs_the_external_key),
        cmocka_unit_test(pre_shared_keys_enter_the_epoch),
        cmocka_unit_test(a_newcomer_needs_the_psk_of_the_welcome),
        cmocka_unit_test(a_reinit_ends_the_group_and_links_the_next),
        cmocka_unit_test(some_members_branch_off),
        cmocka_unit_test(context_extensions_need_everyones_support),
        cmocka_unit_test(required_capabilities_are_required),
        cmocka_unit_test(an_external_sender_proposes),
        cmocka_unit_test(a_new_member_proposes_itself),
        cmocka_unit_test(a_member_leaves_by_self_remove),
        cmocka_unit_test(a_member_renews_its_signature_key),
        cmocka_unit_test(x509_credentials_are_carried),
    };
    return cmocka_run_group_tests_name("mls_special", tests, NULL, NULL);
}
