#include "unit/mls_clients.h"

#include <stdlib.h>

/* Shows what the engine says when a call failed that must not. */
#define assert_engine(client, call)                                                        \
    do {                                                                                   \
        sotto_error engine_error_ = (call);                                                \
        if (engine_error_ != SOTTO_OK)                                                     \
            print_error("%s: %s\n", (client)->name, sotto_mls_fault((client)->mls)->what); \
        assert_ok(engine_error_);                                                          \
    } while (0)

/* ---- The store ------------------------------------------------------------------------------- */

static size_t position(const struct memory_store *store, uint32_t kind, uint32_t index)
{
    size_t low = 0, high = store->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        const struct stored *r = &store->records[middle];
        if (r->kind < kind || (r->kind == kind && r->index < index))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct stored *store_find(const struct memory_store *store, uint32_t kind, uint32_t index)
{
    size_t at = position(store, kind, index);
    if (at == store->count || store->records[at].kind != kind || store->records[at].index != index)
        return NULL;
    return &store->records[at];
}

static void make_room(struct memory_store *store, size_t at)
{
    if (store->count == store->capacity) {
        store->capacity = store->capacity == 0 ? 64 : store->capacity * 2;
        store->records = realloc(store->records, store->capacity * sizeof *store->records);
        assert_non_null(store->records);
    }
    memmove(store->records + at + 1, store->records + at,
            (store->count - at) * sizeof *store->records);
    store->count++;
}

sotto_error store_put(void *ctx, uint32_t kind, uint32_t index, sotto_bytes value)
{
    struct memory_store *store = ctx;
    store->puts++;
    if (store->fail_at > 0 && store->puts + store->erases == store->fail_at)
        return SOTTO_IO;
    store->put_bytes += value.size;
    size_t at = position(store, kind, index);
    if (store_find(store, kind, index) == NULL) {
        make_room(store, at);
        store->records[at] = (struct stored){kind, index, NULL, 0};
    }
    struct stored *record = &store->records[at];
    free(record->data);
    record->data = malloc(value.size + 1);
    assert_non_null(record->data);
    if (value.size > 0)
        memcpy(record->data, value.data, value.size);
    record->size = value.size;
    return SOTTO_OK;
}

sotto_error store_erase(void *ctx, uint32_t kind, uint32_t index)
{
    struct memory_store *store = ctx;
    store->erases++;
    if (store->fail_at > 0 && store->puts + store->erases == store->fail_at)
        return SOTTO_IO;
    size_t at = position(store, kind, index);
    if (store_find(store, kind, index) == NULL)
        return SOTTO_OK;
    free(store->records[at].data);
    memmove(store->records + at, store->records + at + 1,
            (store->count - at - 1) * sizeof *store->records);
    store->count--;
    return SOTTO_OK;
}

void store_clear(struct memory_store *store)
{
    for (size_t i = 0; i < store->count; i++)
        free(store->records[i].data);
    free(store->records);
    *store = (struct memory_store){0};
}

bool store_equal(const struct memory_store *a, const struct memory_store *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        const struct stored *x = &a->records[i], *y = &b->records[i];
        if (x->kind != y->kind || x->index != y->index || x->size != y->size ||
            memcmp(x->data, y->data, x->size) != 0)
            return false;
    }
    return true;
}

void store_copy(const struct memory_store *from, struct memory_store *to)
{
    store_clear(to);
    for (size_t i = 0; i < from->count; i++) {
        const struct stored *r = &from->records[i];
        assert_ok(store_put(to, r->kind, r->index, sotto_bytes_of(r->data, r->size)));
    }
}

static sotto_error store_next(void *ctx, uint32_t *kind, uint32_t *index, sotto_bytes *value)
{
    struct memory_store *store = ctx;
    while (store->no_keys && store->cursor < store->count &&
           store->records[store->cursor].kind == 7)
        store->cursor++;
    if (store->cursor == store->count)
        return SOTTO_NOT_FOUND;
    const struct stored *record = &store->records[store->cursor++];
    *kind = record->kind;
    *index = record->index;
    *value = sotto_bytes_of(record->data, record->size);
    return SOTTO_OK;
}

/* ---- Clients --------------------------------------------------------------------------------- */

static sotto_error validate_leaf(void *ctx, const sotto_mls_group *group,
                                 const sotto_mls_leaf *leaf, const sotto_mls_leaf *replaced)
{
    struct client *client = ctx;
    assert_true(sotto_mls_group_id(group).size > 0);
    client->leaves_seen++;
    if (replaced != NULL &&
        !sotto_bytes_equal(leaf->credential.identity, replaced->credential.identity))
        return SOTTO_CREDENTIAL;
    return client->leaf_verdict;
}

static sotto_error external_psk(void *ctx, sotto_bytes id, sotto_buf *psk)
{
    struct client *client = ctx;
    if (client->psk.size == 0 || !sotto_bytes_equal(id, client->psk_id))
        return SOTTO_NOT_FOUND;
    return sotto_buf_append(psk, client->psk.data, client->psk.size);
}

static sotto_error resumption_psk(void *ctx, sotto_bytes group_id, uint64_t epoch, sotto_buf *psk)
{
    struct client *client = ctx;
    if (client->kept_psk.size == 0 || epoch != client->kept_epoch ||
        !sotto_bytes_equal(group_id, client->kept_group))
        return SOTTO_NOT_FOUND;
    return sotto_buf_append(psk, client->kept_psk.data, client->kept_psk.size);
}

sotto_error client_stored(void *ctx, const sotto_mls_group *group, uint32_t kind, uint32_t index,
                          sotto_buf *value)
{
    struct client *client = ctx;
    assert_true(sotto_mls_group_id(group).size > 0);
    const struct stored *record = store_find(&client->store, kind, index);
    client->fetches++;
    return record == NULL ? SOTTO_NOT_FOUND : sotto_buf_append(value, record->data, record->size);
}

void client_new(struct client *client, uint16_t suite, const char *name,
                const sotto_mls_config *config)
{
    client_new_with(client, suite, name, config, sotto_mls_provider_default());
}

void client_new_with(struct client *client, uint16_t suite, const char *name,
                     const sotto_mls_config *config, const sotto_mls_provider *provider)
{
    *client = (struct client){.suite = suite};
    const sotto_env *env = sotto_env_system();
    snprintf(client->name, sizeof client->name, "%s", name);
    sotto_buf_init(&client->private_key, env);
    sotto_buf_init(&client->public_key, env);
    sotto_buf_init(&client->key_package, env);
    sotto_buf_init(&client->secrets, env);
    sotto_buf_init(&client->kept_psk, env);
    sotto_mls_config own = config == NULL ? (sotto_mls_config){0} : *config;
    own.ctx = client;
    own.validate_leaf = validate_leaf;
    own.external_psk = external_psk;
    own.resumption_psk = resumption_psk;
    client->leaves_out_keys = own.stored != NULL;
    assert_ok(sotto_mls_new_with_provider(env, &own, provider, &client->mls));
    assert_engine(client, sotto_mls_signature_key(client->mls, suite, &client->private_key,
                                                  &client->public_key));
    client->identity = (sotto_mls_identity){
        .suite = suite,
        .credential = {.type = SOTTO_MLS_BASIC, .identity = sotto_bytes_str(client->name)},
        .signature_private = sotto_buf_view(&client->private_key),
        .signature_public = sotto_buf_view(&client->public_key),
    };
}

void client_free(struct client *client)
{
    sotto_mls_group_free(client->group);
    sotto_mls_free(client->mls);
    sotto_buf_free(&client->private_key);
    sotto_buf_free(&client->public_key);
    sotto_buf_free(&client->key_package);
    sotto_buf_free(&client->secrets);
    sotto_buf_free(&client->kept_psk);
    store_clear(&client->store);
}

void client_key_package(struct client *client)
{
    sotto_buf_clear(&client->key_package);
    sotto_buf_clear(&client->secrets);
    assert_engine(client, sotto_mls_key_package(client->mls, &client->identity, 0, UINT64_MAX - 1,
                                                0, &client->key_package, &client->secrets));
}

void client_create(struct client *client, const char *group_id)
{
    assert_engine(client,
                  sotto_mls_group_create(client->mls, &client->identity, sotto_bytes_str(group_id),
                                         NULL, 0, &client->group));
}

void client_join(struct client *client, sotto_bytes welcome, sotto_bytes tree)
{
    assert_engine(
        client, sotto_mls_join(client->mls, &client->identity, sotto_buf_view(&client->key_package),
                               sotto_buf_view(&client->secrets), welcome, tree, &client->group));
}

void client_commit(struct client *client, const sotto_mls_commit_options *options, sotto_buf *out)
{
    sotto_buf welcome;
    sotto_buf_init(&welcome, sotto_env_system());
    sotto_mls_staged *staged = NULL;
    assert_engine(client, sotto_mls_commit(client->group, options, out, &welcome, &staged));
    sotto_mls_staged_apply(client->group, staged);
    sotto_buf_free(&welcome);
}

void client_keep_psk(struct client *client, const char *group_id)
{
    client->kept_group = sotto_bytes_str(group_id);
    client->kept_epoch = sotto_mls_epoch(client->group);
    sotto_buf_clear(&client->kept_psk);
    assert_engine(client, sotto_mls_resumption_psk(client->group, &client->kept_psk));
}

void client_save(struct client *client)
{
    const sotto_mls_store store = {&client->store, store_put, store_erase};
    assert_engine(client, sotto_mls_group_save(client->group, &store));
}

sotto_error client_load(struct client *client, sotto_mls_group **group)
{
    client->store.cursor = 0;
    client->store.no_keys = client->leaves_out_keys;
    return sotto_mls_group_load(client->mls, &client->identity, store_next, &client->store, group);
}

void client_reload(struct client *client)
{
    client_save(client);
    sotto_mls_group_free(client->group);
    client->group = NULL;
    assert_engine(client, client_load(client, &client->group));
}

/* ---- Several --------------------------------------------------------------------------------- */

void world_process(struct client **others, size_t count, const struct client *but,
                   sotto_bytes commit)
{
    for (size_t i = 0; i < count; i++) {
        if (others[i] == but)
            continue;
        sotto_mls_received received;
        assert_engine(others[i], sotto_mls_process(others[i]->group, commit, &received));
        assert_int_equal(received.kind, SOTTO_MLS_RECEIVED_COMMIT);
        sotto_mls_staged_apply(others[i]->group, received.staged);
        received.staged = NULL;
        sotto_mls_received_clear(&received);
    }
}

void world_add(struct client *member, struct client **newcomers, size_t newcomer_count,
               struct client **others, size_t other_count)
{
    sotto_mls_proposal *adds = calloc(newcomer_count, sizeof *adds);
    assert_non_null(adds);
    for (size_t i = 0; i < newcomer_count; i++) {
        client_key_package(newcomers[i]);
        adds[i].type = SOTTO_MLS_ADD;
        adds[i].u.add.key_package = sotto_buf_view(&newcomers[i]->key_package);
    }
    const sotto_mls_commit_options options = {.proposals = adds, .proposal_count = newcomer_count};
    sotto_buf commit, welcome;
    sotto_buf_init(&commit, sotto_env_system());
    sotto_buf_init(&welcome, sotto_env_system());
    sotto_mls_staged *staged = NULL;
    assert_engine(member, sotto_mls_commit(member->group, &options, &commit, &welcome, &staged));
    sotto_mls_staged_apply(member->group, staged);
    world_process(others, other_count, member, sotto_buf_view(&commit));
    for (size_t i = 0; i < newcomer_count; i++)
        client_join(newcomers[i], sotto_buf_view(&welcome), (sotto_bytes){0});
    free(adds);
    sotto_buf_free(&commit);
    sotto_buf_free(&welcome);
}

void world_tell(struct client *from, struct client *to, const char *text)
{
    sotto_buf message;
    sotto_buf_init(&message, sotto_env_system());
    assert_engine(from, sotto_mls_encrypt(from->group, sotto_bytes_str(text),
                                          sotto_bytes_str("aad"), 16, &message));
    sotto_mls_received received;
    assert_engine(to, sotto_mls_process(to->group, sotto_buf_view(&message), &received));
    assert_int_equal(received.kind, SOTTO_MLS_RECEIVED_APPLICATION);
    assert_int_equal(received.sender, sotto_mls_own_index(from->group));
    assert_bytes(sotto_buf_view(&received.data), sotto_bytes_str(text));
    assert_bytes(sotto_buf_view(&received.authenticated), sotto_bytes_str("aad"));
    sotto_mls_received_clear(&received);
    sotto_buf_free(&message);
}

void world_agrees(struct client **members, size_t count)
{
    sotto_buf first, tree;
    sotto_buf_init(&first, sotto_env_system());
    sotto_buf_init(&tree, sotto_env_system());
    assert_engine(members[0], sotto_mls_ratchet_tree(members[0]->group, &first));
    for (size_t i = 0; i < count; i++) {
        const struct client *c = members[i];
        assert_int_equal(sotto_mls_epoch(members[0]->group), sotto_mls_epoch(c->group));
        assert_bytes(sotto_mls_epoch_authenticator(c->group),
                     sotto_mls_epoch_authenticator(members[0]->group));
        assert_int_equal(sotto_mls_member_count(c->group), count);
        sotto_buf_clear(&tree);
        assert_engine(c, sotto_mls_ratchet_tree(c->group, &tree));
        assert_bytes(sotto_buf_view(&tree), sotto_buf_view(&first));
    }
    for (size_t from = 0; from < count; from++)
        for (size_t to = 0; to < count; to++)
            if (from != to)
                world_tell(members[from], members[to], members[from]->name);
    sotto_buf_free(&first);
    sotto_buf_free(&tree);
}
