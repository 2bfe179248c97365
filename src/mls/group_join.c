/* Joining by Welcome (RFC 9420, 12.4.3.1):
 *
 *   Welcome -> the entry for one's KeyPackageRef -> GroupSecrets (init key) -> PSKs -> GroupInfo
 *   -> ratchet tree verified whole -> one's leaf found -> private keys from the path secret
 *   -> key schedule -> confirmation tag -> credentials judged by the application
 */
#include "mls/group_join.h"

#include "crypto/public_taint.h"
#include "mls/verify_many.h"

struct joining {
    sotto_mls *mls;
    sotto_mls_group *group;
    const struct suite *suite;
    struct arena arena;
    sotto_buf secrets_plain, info_plain;
    struct package_secrets keys;
    struct key_package package;
    struct welcome welcome;
    struct group_secrets secrets;
    struct group_info info;
    struct secret psk_secret, member;
};

static sotto_error refuse(sotto_mls *mls, const char *what)
{
    return mls_fail(mls, SOTTO_WELCOME, what);
}

static sotto_error decode_welcome(sotto_mls *mls, struct arena *arena, sotto_bytes input,
                                  struct welcome *welcome)
{
    struct mls_message message;
    sotto_fault fault;
    if (mls_message_decode(input, arena, &message, &fault) != SOTTO_OK)
        return mls_fail_at(mls, fault);
    if (message.wire_format != WIRE_WELCOME)
        return mls_fail_at(mls, (sotto_fault){SOTTO_VALUE, "MLSMessage.wire_format", 2});
    *welcome = message.u.welcome;
    return SOTTO_OK;
}

sotto_error sotto_mls_welcome_references(sotto_mls *mls, sotto_bytes welcome,
                                         sotto_error (*each)(void *ctx, sotto_bytes ref), void *ctx)
{
    mls_begin(mls);
    struct arena arena; /* not the engine's: the callback may call the engine */
    arena_init(&arena, mls->env);
    struct welcome decoded = {0};
    sotto_error error = decode_welcome(mls, &arena, welcome, &decoded);
    for (size_t i = 0; error == SOTTO_OK && i < decoded.secret_count; i++) {
        error = each(ctx, decoded.secrets[i].new_member);
        if (error != SOTTO_OK)
            mls_fail(mls, error, "callback");
    }
    arena_free(&arena);
    return error;
}

static const struct encrypted_group_secrets *secrets_for(const struct welcome *welcome,
                                                         sotto_bytes reference)
{
    for (size_t i = 0; i < welcome->secret_count; i++)
        if (sotto_bytes_equal(welcome->secrets[i].new_member, reference))
            return &welcome->secrets[i];
    return NULL;
}

sotto_error sotto_mls_welcome_for(sotto_mls *mls, sotto_bytes welcome, sotto_bytes reference,
                                  sotto_buf *one)
{
    mls_begin(mls);
    struct arena arena;
    struct mls_message message = {.wire_format = WIRE_WELCOME};
    arena_init(&arena, mls->env);
    const struct encrypted_group_secrets *found = NULL;
    sotto_error error = decode_welcome(mls, &arena, welcome, &message.u.welcome);
    if (error == SOTTO_OK) {
        found = secrets_for(&message.u.welcome, reference);
        error = found == NULL ? refuse(mls, "Welcome.secrets") : SOTTO_OK;
    }
    if (found != NULL) {
        struct encrypted_group_secrets alone = *found;
        message.u.welcome.secrets = &alone;
        message.u.welcome.secret_count = 1;
        struct writer writer;
        writer_init(&writer, one);
        mls_message_write(&writer, &message);
        error = mls_check(mls, writer_finish(&writer), "Welcome");
    }
    arena_free(&arena);
    return error;
}

/* ---- Opening --------------------------------------------------------------------------------- */

static sotto_error open_secrets(struct joining *j)
{
    sotto_mls *mls = j->mls;
    if (j->welcome.suite != j->package.suite || j->welcome.suite != j->suite->id)
        return refuse(mls, "Welcome.cipher_suite");
    struct hash reference = {.size = j->suite->nh};
    TRY(mls_check(mls, key_package_ref(mls->crypto, j->suite, &j->package, reference.data),
                  "KeyPackageRef"));
    const struct encrypted_group_secrets *entry = secrets_for(&j->welcome, hash_view(&reference));
    if (entry == NULL)
        return refuse(mls, "Welcome.secrets");
    TRY(mls_check(
        mls,
        crypto_decrypt_with_label(mls->crypto, j->suite, secret_view(&j->keys.init_private),
                                  j->package.init_key, "Welcome", j->welcome.encrypted_group_info,
                                  entry->kem_output, entry->ciphertext, &j->secrets_plain),
        "EncryptedGroupSecrets"));
    struct reader r;
    reader_init(&r, sotto_buf_view(&j->secrets_plain));
    group_secrets_read(&r, &j->arena, &j->secrets);
    if (reader_finish(&r, "GroupSecrets") != SOTTO_OK)
        return mls_fail_at(mls, r.fault);
    return SOTTO_OK;
}

/* A PSK of usage reinit or branch says where the group comes from: at most one (12.4.3.1). */
static sotto_error check_psks(struct joining *j)
{
    for (size_t i = 0; i < j->secrets.psk_count; i++) {
        const struct psk_id *id = &j->secrets.psks[i];
        if (id->type != PSK_RESUMPTION || id->usage == PSK_APPLICATION)
            continue;
        if (j->group->origin.type != 0)
            return refuse(j->mls, "GroupSecrets.psks");
        j->group->origin = *id;
    }
    struct psk_id *origin = &j->group->origin;
    if (origin->type == 0)
        return SOTTO_OK;
    origin->nonce = (sotto_bytes){0};
    TRY(mls_check(j->mls,
                  sotto_buf_append(&j->group->origin_bytes, origin->id.data, origin->id.size),
                  "GroupSecrets.psks"));
    origin->id = sotto_buf_view(&j->group->origin_bytes);
    return SOTTO_OK;
}

static sotto_error open_group_info(struct joining *j)
{
    sotto_mls *mls = j->mls;
    TRY(check_psks(j));
    TRY(psks_resolve(mls, NULL, j->suite, j->secrets.psks, j->secrets.psk_count, &j->psk_secret));
    struct secret key = {0}, nonce = {0};
    sotto_bytes sealed = j->welcome.encrypted_group_info;
    uint8_t *plain = NULL;
    sotto_error error = key_schedule_member(mls->crypto, j->suite, j->secrets.joiner_secret,
                                            secret_view(&j->psk_secret), &j->member);
    if (error == SOTTO_OK)
        error = key_schedule_welcome(mls->crypto, j->suite, secret_view(&j->member), &key, &nonce);
    if (error == SOTTO_OK && sealed.size < AEAD_TAG)
        error = SOTTO_DECRYPT;
    if (error == SOTTO_OK)
        error = sotto_buf_extend(&j->info_plain, sealed.size - AEAD_TAG, &plain);
    if (error == SOTTO_OK)
        error = crypto_open(mls->crypto, j->suite, secret_view(&key), secret_view(&nonce),
                            (sotto_bytes){0}, sealed, plain);
    secret_wipe(&key);
    secret_wipe(&nonce);
    TRY(mls_check(mls, error, "Welcome.encrypted_group_info"));
    struct reader r;
    reader_init(&r, sotto_buf_view(&j->info_plain));
    group_info_read(&r, &j->arena, &j->info);
    if (reader_finish(&r, "GroupInfo") != SOTTO_OK)
        return mls_fail_at(mls, r.fault);
    return SOTTO_OK;
}

/* ---- The tree -------------------------------------------------------------------------------- */

/* RFC 9420, 12.4.3. */
sotto_error join_take_tree(sotto_mls_group *group, const struct group_info *info, sotto_bytes tree)
{
    sotto_mls *mls = group->mls;
    const sotto_mls_extension *inside = extensions_find(&info->extensions, EXTENSION_RATCHET_TREE);
    if (inside != NULL)
        tree = inside->data;
    if (tree.size == 0)
        return refuse(mls, "ratchet_tree is missing");
    sotto_fault fault = {SOTTO_OK, "ratchet_tree", 0};
    if (tree_import(mls->crypto, group->suite, tree, &group->tree, &fault) != SOTTO_OK)
        return mls_fail_at(mls, fault);
    if (!sotto_bytes_equal(tree_hash(group->tree), info->context.tree_hash))
        return mls_fail(mls, SOTTO_TREE, "GroupContext.tree_hash");

    const struct leaf_node *signer = tree_leaf(group->tree, leaf_at(info->signer));
    if (signer == NULL)
        return refuse(mls, "GroupInfo.signer");
    return mls_check(mls,
                     crypto_verify_with_label(mls->crypto, group->suite, signer->signature_key,
                                              "GroupInfoTBS", info->tbs, info->signature),
                     "GroupInfo.signature");
}

/* The members' signatures that are known to hold, as tree_validate asks for them in leaf order. */
struct verified_members {
    sotto_mls_group *group;
    sotto_bytes group_id;
    struct to_verify *items;
    size_t count, at;
};

static sotto_error verify_member(void *ctx, struct leaf_index index, const struct leaf_node *leaf,
                                 sotto_bytes tbs)
{
    struct verified_members *members = ctx;
    sotto_mls_group *group = members->group;
    const struct to_verify *item = &members->items[members->at++];
    BUG_UNLESS(members->at <= members->count && item->index.value == index.value);
    (void)tbs;
    if (item->verified)
        return SOTTO_OK;
    return leaf_node_verify(group->mls->crypto, group->suite, leaf, members->group_id, index);
}

static sotto_error validate_tree(sotto_mls_group *group, struct tree_rules *rules,
                                 sotto_fault *fault)
{
    sotto_mls *mls = group->mls;
    struct verified_members members = {
        .group = group, .group_id = rules->group_id, .count = tree_member_count(group->tree)};
    if (!verify_many_helps(mls->crypto, members.count))
        return tree_validate(group->tree, rules, fault);
    size_t size = members.count * sizeof *members.items, count = 0;
    members.items = mem_alloc(mls->env, size);
    if (members.items == NULL)
        return SOTTO_NO_MEMORY;
    struct tree_stage view;
    tree_stage_init(&view, group->tree);
    for (struct leaf_index at = leaf_at(0); tree_stage_next_member(&view, &at); at.value++)
        members.items[count++] =
            (struct to_verify){.leaf = tree_leaf(group->tree, at), .index = at};
    verify_many(mls->crypto, group->suite, rules->group_id, members.items, count);
    rules->verify = verify_member;
    rules->ctx = &members;
    sotto_error error = tree_validate(group->tree, rules, fault);
    mem_free(mls->env, members.items, size);
    return error;
}

/* RFC 9420, 13.4. */
sotto_error join_check_tree(sotto_mls_group *group, const struct group_info *info)
{
    sotto_mls *mls = group->mls;
    struct required_capabilities storage;
    struct tree_rules rules = {
        .group_id = info->context.group_id,
        .check_lifetime = false, /* 7.3: a member's KeyPackage may have expired since it joined */
    };
    TRY(context_extensions_check(mls, &info->context.extensions));
    TRY(required_of(mls, &info->context.extensions, &storage, &rules.required));
    sotto_fault fault = {SOTTO_OK, "ratchet_tree", 0};
    sotto_error error = validate_tree(group, &rules, &fault);
    if (error != SOTTO_OK)
        return mls_fail(mls, error, fault.what);
    struct tree_stage view;
    tree_stage_init(&view, group->tree);
    return context_supported(mls, group->identity, &view, &info->context.extensions);
}

sotto_error join_ask_members(sotto_mls_group *group, uint32_t own)
{
    struct tree_stage view;
    tree_stage_init(&view, group->tree);
    for (struct leaf_index at = leaf_at(0); tree_stage_next_member(&view, &at); at.value++)
        if (at.value != own)
            TRY(group_ask_leaf(group, tree_leaf(group->tree, at), at.value, NULL));
    return SOTTO_OK;
}

/* The leaf that is the KeyPackage's, and its keys. */
static sotto_error take_place(struct joining *j)
{
    sotto_mls_group *group = j->group;
    sotto_mls *mls = j->mls;
    struct tree_stage view;
    tree_stage_init(&view, group->tree);
    struct node_index at;
    if (tree_stage_find_key(&view, KEY_SIGNATURE, j->package.leaf.signature_key,
                            node_at(UINT32_MAX), &at) != SOTTO_OK)
        return refuse(mls, "own leaf is not in the tree");
    struct leaf_index own = node_leaf_index(at);
    if (!sotto_bytes_equal(tree_leaf(group->tree, own)->wire, j->package.leaf.wire))
        return refuse(mls, "own leaf is another one");
    treekem_private_init(&group->private_state, own);
    treekem_private_set(&group->private_state, at, &j->keys.encryption_private);
    sotto_fault fault = {SOTTO_OK, "GroupSecrets.path_secret", 0};
    sotto_error error = SOTTO_OK;
    if (j->secrets.has_path_secret) {
        struct secret path_secret = {0};
        error = j->secrets.path_secret.size == j->suite->nh
                    ? secret_set(&path_secret, j->secrets.path_secret)
                    : SOTTO_LENGTH;
        if (error == SOTTO_OK)
            error = treekem_join(&view, leaf_at(j->info.signer), &path_secret,
                                 &group->private_state, &fault);
        secret_wipe(&path_secret);
    }
    if (error != SOTTO_OK)
        return mls_fail(mls, error, fault.what);
    return mls_check(mls, treekem_private_check(&group->private_state, &view),
                     "KeyPackage secrets.encryption_private");
}

/* ---- The epoch ------------------------------------------------------------------------------- */

static sotto_error enter(struct joining *j)
{
    sotto_mls_group *group = j->group;
    sotto_mls *mls = j->mls;
    TRY(epoch_new_decoded(mls, j->suite, j->info.context_bytes, &group->epoch));
    TRY(mls_check(mls, epoch_enter(group->epoch, secret_view(&j->member)), "key schedule"));
    bool equal = sotto_bytes_equal_secret(hash_view(&group->epoch->confirmation_tag),
                                          j->info.confirmation_tag);
    public_from_here(&equal, sizeof equal);
    if (!equal)
        return mls_fail(mls, SOTTO_TAG, "GroupInfo.confirmation_tag");
    if (group->origin.type != 0 && group->epoch->fields.epoch != 1) /* 11.2, 11.3 */
        return refuse(mls, "GroupContext.epoch");
    return mls_check(mls, epoch_open_messages(group->epoch, tree_leaf_count(group->tree)),
                     "secret tree");
}

static sotto_error join(struct joining *j, sotto_bytes key_package, sotto_bytes secrets,
                        sotto_bytes welcome, sotto_bytes tree)
{
    sotto_mls *mls = j->mls;
    sotto_fault fault;
    if (package_decode(&j->arena, key_package, &j->package, &fault) != SOTTO_OK)
        return mls_fail_at(mls, fault);
    if (package_secrets_decode(secrets, &j->keys, &fault) != SOTTO_OK)
        return mls_fail_at(mls, fault);
    if (!sotto_bytes_equal(j->package.leaf.signature_key, j->group->identity->signature_public))
        return mls_fail(mls, SOTTO_ARGUMENT, "identity.signature_public");
    TRY(decode_welcome(mls, &j->arena, welcome, &j->welcome));
    TRY(open_secrets(j));
    TRY(open_group_info(j));
    if (j->info.context.suite != j->suite->id) /* 12.4.3.1 */
        return refuse(mls, "GroupContext.cipher_suite");
    TRY(join_take_tree(j->group, &j->info, tree));
    TRY(join_check_tree(j->group, &j->info));
    TRY(take_place(j));
    TRY(enter(j));
    j->group->info_signer = j->info.signer;
    return join_ask_members(j->group, j->group->private_state.own.value);
}

sotto_error sotto_mls_join(sotto_mls *mls, const sotto_mls_identity *identity,
                           sotto_bytes key_package, sotto_bytes secrets, sotto_bytes welcome,
                           sotto_bytes tree, sotto_mls_group **group)
{
    mls_begin(mls);
    struct joining j = {.mls = mls};
    TRY(group_new(mls, identity, &j.group));
    j.suite = j.group->suite;
    arena_init(&j.arena, mls->env);
    sotto_buf_init(&j.secrets_plain, mls->env);
    sotto_buf_init(&j.info_plain, mls->env);
    sotto_error error = join(&j, key_package, secrets, welcome, tree);
    if (error == SOTTO_OK)
        *group = j.group;
    else
        sotto_mls_group_free(j.group);
    arena_free(&j.arena);
    sotto_buf_free(&j.secrets_plain);
    sotto_buf_free(&j.info_plain);
    package_secrets_wipe(&j.keys);
    secret_wipe(&j.psk_secret);
    secret_wipe(&j.member);
    return error;
}
