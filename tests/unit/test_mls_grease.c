/* GREASE (RFC 9420, 13.5): sent where it may be, taken wherever it comes, and supported by nobody.
 */
#include "mls/group.h"
#include "unit/mls_clients.h"

#define SUITE SOTTO_MLS_X25519_CHACHA_SHA256_ED25519

static struct client clients[4];
static struct client *all[4];

/* All values that are reserved for it. */
static const uint16_t grease[] = {0x0a0a, 0x1a1a, 0x2a2a, 0x3a3a, 0x4a4a, 0x5a5a, 0x6a6a, 0x7a7a,
                                  0x8a8a, 0x9a9a, 0xaaaa, 0xbaba, 0xcaca, 0xdada, 0xeaea};
#define GREASE (sizeof grease / sizeof grease[0])

static bool is_grease(uint16_t type)
{
    return (type & 0x0f0f) == 0x0a0a && type >> 8 == (type & 0xff) && type != 0xfafa;
}

static void start(const sotto_mls_capabilities *capabilities, const sotto_mls_extension *extension)
{
    static const sotto_mls_config config = {.grease_extensions = true};
    for (size_t i = 0; i < 4; i++) {
        char name[24];
        snprintf(name, sizeof name, "client %zu", i);
        client_new(&clients[i], SUITE, name, &config);
        all[i] = &clients[i];
        if (capabilities == NULL || i == 3)
            continue;
        clients[i].identity.capabilities = *capabilities;
        clients[i].identity.leaf_extensions = extension;
        clients[i].identity.leaf_extension_count = 1;
    }
    client_create(all[0], "group");
    world_add(all[0], all + 1, 2, NULL, 0);
}

static void stop(void)
{
    for (size_t i = 0; i < 4; i++)
        client_free(&clients[i]);
}

static bool has_grease(struct u16_list list)
{
    for (size_t i = 0; i < u16_list_count(list); i++)
        if (is_grease(u16_list_at(list, i)))
            return true;
    return false;
}

static const sotto_mls_extension *find_grease(const struct extensions *extensions)
{
    for (size_t i = 0; i < extensions->count; i++)
        if (is_grease(extensions->items[i].type))
            return &extensions->items[i];
    return NULL;
}

static void check_leaf(const struct leaf_node *leaf)
{
    const struct capabilities *listed = &leaf->capabilities;
    assert_true(has_grease(listed->suites) && has_grease(listed->extensions));
    assert_true(has_grease(listed->proposals) && has_grease(listed->credentials));
    assert_false(has_grease(listed->versions));
    const sotto_mls_extension *sent = find_grease(&leaf->extensions);
    assert_non_null(sent);
    assert_true(u16_list_has(listed->extensions, sent->type));
    assert_false(is_grease(leaf->credential.type));
}

static void it_is_sent_where_the_rfc_names(void **state)
{
    (void)state;
    start(NULL, NULL);
    const struct tree *tree = all[1]->group->tree;
    for (uint32_t i = 0; i < 3; i++)
        check_leaf(tree_leaf(tree, leaf_at(i)));
    assert_null(find_grease(&all[1]->group->epoch->fields.extensions));

    struct arena arena;
    struct key_package package;
    struct mls_message message;
    sotto_fault fault;
    sotto_buf info;
    arena_init(&arena, sotto_env_system());
    sotto_buf_init(&info, sotto_env_system());
    client_key_package(all[3]);
    assert_ok(package_decode(&arena, sotto_buf_view(&all[3]->key_package), &package, &fault));
    check_leaf(&package.leaf);
    const sotto_mls_extension *sent = find_grease(&package.extensions);
    assert_non_null(sent); /* 10: listed in the leaf too */
    assert_true(u16_list_has(package.leaf.capabilities.extensions, sent->type));
    assert_ok(sotto_mls_group_info(all[1]->group, true, true, &info));
    assert_ok(mls_message_decode(sotto_buf_view(&info), &arena, &message, &fault));
    assert_non_null(find_grease(&message.u.group_info.extensions));
    assert_null(find_grease(&message.u.group_info.context.extensions));
    sotto_buf_free(&info);
    arena_free(&arena);
    stop();
}

/* 7.2: what the RFC defines by default is not listed, even if the application lists it. */
static void default_types_are_not_listed(void **state)
{
    (void)state;
    static const uint16_t defaults[] = {1, 2, 3, 4, 5, 0xf100};
    static const sotto_mls_capabilities capabilities = {
        .extensions = defaults, .extension_count = 6, .proposals = defaults, .proposal_count = 6};
    const sotto_mls_extension extension = {.type = 1, .data = sotto_bytes_str("application id")};
    start(&capabilities, &extension);
    const struct leaf_node *leaf = tree_leaf(all[0]->group->tree, leaf_at(1));
    for (uint16_t type = 1; type <= 7; type++) {
        assert_false(u16_list_has(leaf->capabilities.proposals, type));
        assert_true(type > 5 || !u16_list_has(leaf->capabilities.extensions, type));
    }
    assert_true(u16_list_has(leaf->capabilities.proposals, 0xf100));
    assert_true(u16_list_has(leaf->capabilities.extensions, 0xf100));
    stop();
}

/* Members that list every reserved value and have an extension of one in their leaves: they are
 * added, they join, commit, come from outside. */
static void it_is_taken_wherever_it_comes(void **state)
{
    (void)state;
    static const sotto_mls_capabilities capabilities = {grease, GREASE, grease, GREASE,
                                                        grease, GREASE, grease, GREASE};
    const sotto_mls_extension extension = {.type = 0xfafa, .data = sotto_bytes_str("private use")};
    start(&capabilities, &extension);
    world_agrees(all, 3);
    struct client *others[] = {all[0], all[2]};
    world_add(all[1], all + 3, 1, others, 2);
    world_agrees(all, 4);
    sotto_buf commit;
    sotto_buf_init(&commit, sotto_env_system());
    for (size_t i = 0; i < 4; i++) {
        sotto_buf_clear(&commit);
        client_commit(all[i], NULL, &commit);
        world_process(all, 4, all[i], sotto_buf_view(&commit));
    }
    world_agrees(all, 4);
    sotto_buf_free(&commit);
    stop();
}

/* What everybody lists is still supported by nobody: one's own GREASE is no capability. */
static void nobody_supports_it(void **state)
{
    (void)state;
    static const sotto_mls_capabilities capabilities = {.extensions = grease,
                                                        .extension_count = GREASE,
                                                        .proposals = grease,
                                                        .proposal_count = GREASE};
    const sotto_mls_extension extension = {.type = 0xfafa, .data = sotto_bytes_str("private use")};
    start(&capabilities, &extension);
    uint16_t own = grease_of(sotto_buf_view(&all[0]->public_key));
    const sotto_mls_extension in_context = {.type = own, .data = sotto_bytes_str("x")};
    uint8_t required[] = {0, 2, (uint8_t)(own >> 8), (uint8_t)own, 0};
    const sotto_mls_extension requiring = {.type = 3, .data = sotto_bytes_of(required, 5)};
    const sotto_mls_proposal proposals[] = {
        {.type = own, .u.other = sotto_bytes_str("x")},
        {.type = SOTTO_MLS_CONTEXT_EXTENSIONS, .u.context = {&in_context, 1}},
        {.type = SOTTO_MLS_CONTEXT_EXTENSIONS, .u.context = {&requiring, 1}},
    };
    sotto_buf out;
    sotto_buf_init(&out, sotto_env_system());
    for (size_t i = 0; i < 3; i++) {
        const sotto_mls_commit_options options = {.proposals = &proposals[i], .proposal_count = 1};
        sotto_mls_staged *staged;
        assert_error(sotto_mls_commit(all[0]->group, &options, &out, &out, &staged), CAPABILITY);
    }
    assert_error(sotto_mls_propose(all[0]->group, &proposals[0], NULL, SOTTO_MLS_PUBLIC, &out),
                 CAPABILITY);
    sotto_mls_group *group = NULL;
    assert_error(sotto_mls_group_create(all[0]->mls, &all[0]->identity, sotto_bytes_str("new"),
                                        &in_context, 1, &group),
                 CAPABILITY);
    sotto_buf_free(&out);
    stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_sent_where_the_rfc_names),
        cmocka_unit_test(default_types_are_not_listed),
        cmocka_unit_test(it_is_taken_wherever_it_comes),
        cmocka_unit_test(nobody_supports_it),
    };
    return cmocka_run_group_tests_name("mls_grease", tests, NULL, NULL);
}
