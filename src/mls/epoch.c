#include "mls/epoch.h"

#include "mls/identity.h"
#include "mls/tree_math.h"

sotto_error epoch_new_decoded(sotto_mls *mls, const struct suite *suite, sotto_bytes context,
                              struct epoch **epoch)
{
    struct epoch *made = mem_alloc(mls->env, sizeof *made);
    if (made == NULL)
        return mls_fail(mls, SOTTO_NO_MEMORY, "epoch");
    made->mls = mls;
    made->suite = suite;
    sotto_buf_init(&made->context, mls->env);
    arena_init(&made->arena, mls->env);
    sotto_error error = sotto_buf_append(&made->context, context.data, context.size);
    if (error == SOTTO_OK) {
        struct reader r;
        reader_init(&r, sotto_buf_view(&made->context));
        group_context_read(&r, &made->arena, &made->fields);
        error = reader_finish(&r, "GroupContext");
        if (error != SOTTO_OK)
            mls_fail_at(mls, r.fault);
    }
    if (error == SOTTO_OK && made->fields.suite != suite->id)
        error = mls_fail(mls, SOTTO_VALUE, "GroupContext.cipher_suite");
    if (error != SOTTO_OK) {
        epoch_free(made);
        return mls_check(mls, error, "GroupContext");
    }
    *epoch = made;
    return SOTTO_OK;
}

sotto_error epoch_new(sotto_mls *mls, const struct suite *suite,
                      const struct group_context *context, struct epoch **epoch)
{
    sotto_buf wire;
    sotto_buf_init(&wire, mls->env);
    struct writer w;
    writer_init(&w, &wire);
    group_context_write(&w, context);
    sotto_error error = mls_check(mls, writer_finish(&w), "GroupContext");
    if (error == SOTTO_OK)
        error = epoch_new_decoded(mls, suite, sotto_buf_view(&wire), epoch);
    sotto_buf_free(&wire);
    return error;
}

void epoch_free(struct epoch *epoch)
{
    if (epoch == NULL)
        return;
    const sotto_env *env = epoch->mls->env;
    secret_tree_free(&epoch->tree);
    secret_tree_free(&epoch->components);
    sotto_buf_free(&epoch->context);
    arena_free(&epoch->arena);
    mem_free(env, epoch, sizeof *epoch);
}

/* 6.1 and 8.2: the tag of what was confirmed, and the interim hash of both. */
static sotto_error finish_transcript(struct epoch *epoch)
{
    struct crypto *crypto = epoch->mls->crypto;
    sotto_bytes confirmed = epoch->fields.confirmed_transcript_hash;
    TRY(transcript_tag(crypto, epoch->suite, secret_view(&epoch->secrets.confirmation_key),
                       confirmed, &epoch->confirmation_tag));
    return transcript_interim(crypto, epoch->suite, confirmed, hash_view(&epoch->confirmation_tag),
                              &epoch->interim);
}

sotto_error epoch_enter(struct epoch *epoch, sotto_bytes member)
{
    TRY(key_schedule_epoch(epoch->mls->crypto, epoch->suite, member,
                           sotto_buf_view(&epoch->context), &epoch->secrets));
    return finish_transcript(epoch);
}

sotto_error epoch_enter_first(struct epoch *epoch, sotto_bytes epoch_secret)
{
    TRY(key_schedule_derive(epoch->mls->crypto, epoch->suite, epoch_secret, &epoch->secrets));
    return finish_transcript(epoch);
}

/* ---- In records ------------------------------------------------------------------------------ */

/* All but the encryption secret, in the order of table 4. */
static struct secret *secret_number(struct epoch_secrets *secrets, size_t number)
{
    struct secret *const all[] = {
        &secrets->sender_data,         &secrets->exporter,       &secrets->external,
        &secrets->confirmation_key,    &secrets->membership_key, &secrets->resumption_psk,
        &secrets->epoch_authenticator, &secrets->init,           &secrets->application_export,
    };
    return number < sizeof all / sizeof all[0] ? all[number] : NULL;
}

/* The node that is held and covers a leaf, or NULL: consumed. */
static const struct secret *covering(const struct secret_tree *tree, uint32_t leaf,
                                     struct node_index *at)
{
    const struct node_index root = node_at(tree->leaf_count - 1);
    *at = leaf_node_index(leaf_at(leaf));
    for (;;) {
        const struct secret *held = sparse_get(&tree->nodes, at->value);
        if (held != NULL || at->value == root.value)
            return held;
        *at = node_parent(*at);
    }
}

/* Nodes of the exporter tree, from left to right. */
static void components_write(struct writer *writer, const struct secret_tree *tree)
{
    size_t list = writer_open(writer);
    for (uint32_t leaf = 0; tree->crypto != NULL && leaf < tree->leaf_count;) {
        struct node_index at;
        const struct secret *held = covering(tree, leaf, &at);
        if (held == NULL) {
            leaf++;
            continue;
        }
        writer_u32(writer, at.value);
        writer_vector(writer, secret_view(held));
        leaf += node_leaf_span(at);
    }
    writer_close(writer, list);
}

static void components_read(struct reader *reader, struct epoch *epoch)
{
    struct reader list;
    uint32_t next_leaf = 0;
    reader_enter(reader, &list, LIMIT_MESSAGE, "record.components");
    while (reader_more(&list)) {
        struct node_index at = node_at(reader_u32(&list, "record.components"));
        sotto_bytes secret = reader_vector(&list, SECRET_MAX, "record.components");
        if (!reader_ok(&list))
            break;
        if (at.value >= node_count_of(COMPONENT_LEAVES) || secret.size != epoch->suite->nh ||
            node_first_leaf(at).value < next_leaf) {
            reader_fail(&list, SOTTO_VALUE, "record.components");
            break;
        }
        next_leaf = node_first_leaf(at).value + node_leaf_span(at);
        if (epoch->components.crypto == NULL)
            secret_tree_init_empty(&epoch->components, epoch->mls->crypto, epoch->suite,
                                   COMPONENT_LEAVES);
        sotto_error error = secret_tree_put_node(&epoch->components, at.value, secret);
        if (error != SOTTO_OK)
            reader_fail(&list, error, "record.components");
    }
    reader_leave(reader, &list, "record.components");
}

void epoch_write(struct writer *writer, const struct epoch *epoch)
{
    writer_vector(writer, sotto_buf_view(&epoch->context));
    writer_vector(writer, hash_view(&epoch->interim));
    writer_vector(writer, hash_view(&epoch->confirmation_tag));
    struct epoch_secrets secrets = epoch->secrets;
    const struct secret *secret;
    for (size_t i = 0; (secret = secret_number(&secrets, i)) != NULL; i++)
        writer_vector(writer, secret_view(secret));
    epoch_secrets_wipe(&secrets);
    components_write(writer, &epoch->components);
}

static void hash_read(struct reader *reader, const struct suite *suite, struct hash *hash,
                      const char *what)
{
    sotto_bytes value = reader_vector(reader, LIMIT_HASH, what);
    if (reader_ok(reader) && hash_set(hash, suite, value) != SOTTO_OK)
        reader_fail(reader, SOTTO_VALUE, what);
}

struct epoch *epoch_read(sotto_mls *mls, const struct suite *suite, struct reader *reader)
{
    sotto_bytes context = reader_vector(reader, LIMIT_MESSAGE, "record.context");
    struct epoch *epoch = NULL;
    if (!reader_ok(reader))
        return NULL;
    if (epoch_new_decoded(mls, suite, context, &epoch) != SOTTO_OK) {
        reader_fail(reader, mls->fault.error, mls->fault.what);
        return NULL;
    }
    BUG_UNLESS(epoch != NULL);
    hash_read(reader, suite, &epoch->interim, "record.interim_transcript_hash");
    hash_read(reader, suite, &epoch->confirmation_tag, "record.confirmation_tag");
    struct secret *secret;
    for (size_t i = 0; (secret = secret_number(&epoch->secrets, i)) != NULL; i++)
        secret_read(reader, secret, "record.epoch_secrets");
    if (reader_ok(reader))
        components_read(reader, epoch);
    if (reader_ok(reader))
        return epoch;
    epoch_free(epoch);
    return NULL;
}

sotto_error epoch_open_messages(struct epoch *epoch, uint32_t leaf_count)
{
    sotto_error error = secret_tree_init(&epoch->tree, epoch->mls->crypto, epoch->suite, leaf_count,
                                         secret_view(&epoch->secrets.encryption));
    if (error == SOTTO_OK)
        secret_wipe(&epoch->secrets.encryption); /* 9.2: the tree's root is all that is kept */
    return error;
}

sotto_error epoch_take_component(struct epoch *epoch, uint16_t component, struct secret *secret)
{
    struct secret *root = &epoch->secrets.application_export;
    bool first = epoch->components.crypto == NULL;
    if (first && root->size == 0)
        return SOTTO_REUSED;
    sotto_error error = SOTTO_OK;
    if (first)
        error = secret_tree_init(&epoch->components, epoch->mls->crypto, epoch->suite,
                                 COMPONENT_LEAVES, secret_view(root));
    if (error == SOTTO_OK)
        error = secret_tree_take_leaf(&epoch->components, component, secret);
    if (error != SOTTO_OK) {
        if (first)
            secret_tree_free(&epoch->components);
        return error;
    }
    secret_wipe(root); /* from here on the tree's nodes are all that is kept */
    secret_tree_clean(&epoch->components);
    return SOTTO_OK;
}

struct message_keys epoch_keys(struct epoch *epoch)
{
    return (struct message_keys){
        .crypto = epoch->mls->crypto,
        .suite = epoch->suite,
        .group_context = sotto_buf_view(&epoch->context),
        .sender_data_secret = secret_view(&epoch->secrets.sender_data),
        .membership_key = secret_view(&epoch->secrets.membership_key),
        .tree = &epoch->tree,
        .limits = epoch->mls->limits,
    };
}
