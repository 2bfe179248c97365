/* Passive client scenarios: joins by Welcome and follows the commits through the public API. */
#include "codec/writer.h"
#include "mls/framing.h"
#include "mls/identity.h"
#include "sotto/mls.h"
#include "vectors/vectors.h"

struct passive {
    struct run *run;
    const json_t *psks;
    sotto_mls *mls;
    sotto_mls_group *group;
    sotto_bytes *resumption; /* resumption PSKs, by epoch from the one of joining on */
    size_t resumption_count;
    uint64_t joined;
};

static sotto_error external_psk(void *ctx, sotto_bytes id, sotto_buf *psk)
{
    struct passive *p = ctx;
    size_t number;
    json_t *entry;
    json_array_foreach(p->psks, number, entry)
    {
        if (!sotto_bytes_equal(field_bytes(p->run, entry, "psk_id"), id))
            continue;
        sotto_bytes value = field_bytes(p->run, entry, "psk");
        return sotto_buf_append(psk, value.data, value.size);
    }
    return SOTTO_NOT_FOUND;
}

static sotto_error resumption_psk(void *ctx, sotto_bytes group_id, uint64_t epoch, sotto_buf *psk)
{
    struct passive *p = ctx;
    if (p->group == NULL || !sotto_bytes_equal(group_id, sotto_mls_group_id(p->group)) ||
        epoch < p->joined || epoch - p->joined >= p->resumption_count)
        return SOTTO_NOT_FOUND;
    sotto_bytes value = p->resumption[epoch - p->joined];
    return sotto_buf_append(psk, value.data, value.size);
}

/* What an application does that wants PSKs of epochs gone by. */
static bool keep_resumption_psk(struct passive *p)
{
    sotto_buf psk;
    sotto_buf_init(&psk, sotto_env_system());
    bool kept = sotto_mls_resumption_psk(p->group, &psk) == SOTTO_OK &&
                arena_copy(&p->run->arena, sotto_buf_view(&psk),
                           &p->resumption[p->resumption_count]) == SOTTO_OK;
    p->resumption_count++;
    sotto_buf_free(&psk);
    return kept || run_fail(p->run, "resumption_psk", __LINE__);
}

static sotto_error accept_leaf(void *ctx, const sotto_mls_group *group, const sotto_mls_leaf *leaf,
                               const sotto_mls_leaf *replaced)
{
    (void)ctx;
    (void)group;
    (void)replaced;
    return leaf->signature_key.size > 0 ? SOTTO_OK : SOTTO_CREDENTIAL;
}

/* The private keys as sotto_mls_key_package would have stored them. */
static bool make_secrets(struct run *run, const json_t *item, sotto_buf *out)
{
    struct writer w;
    writer_init(&w, out);
    package_secrets_write(&w, field_private(run, item, "init_priv"),
                          field_private(run, item, "encryption_priv"));
    EXPECT_OK(writer_finish(&w));
    return true;
}

static bool identity_of(struct run *run, const json_t *item, sotto_bytes key_package,
                        sotto_mls_identity *identity)
{
    struct mls_message message;
    sotto_fault fault;
    EXPECT_OK(mls_message_decode(key_package, &run->arena, &message, &fault));
    EXPECT(message.wire_format == WIRE_KEY_PACKAGE);
    const struct leaf_node *leaf = &message.u.key_package.leaf;
    *identity = (sotto_mls_identity){
        .suite = run->suite->id,
        .credential = leaf->credential,
        .signature_private = field_private(run, item, "signature_priv"),
        .signature_public = leaf->signature_key,
    };
    return true;
}

static bool join(struct passive *p, const json_t *item, sotto_buf *secrets)
{
    struct run *run = p->run;
    sotto_mls_identity identity;
    sotto_bytes key_package = field_bytes(run, item, "key_package");
    EXPECT(identity_of(run, item, key_package, &identity));
    EXPECT(make_secrets(run, item, secrets));
    const json_t *tree = json_object_get(item, "ratchet_tree");
    sotto_bytes tree_bytes = {0};
    if (!json_is_null(tree))
        tree_bytes = hex_bytes(run, tree);
    if (sotto_mls_join(p->mls, &identity, key_package, sotto_buf_view(secrets),
                       field_bytes(run, item, "welcome"), tree_bytes, &p->group) != SOTTO_OK)
        return run_fail(run, sotto_mls_fault(p->mls)->what, __LINE__);
    EXPECT(sotto_bytes_equal(sotto_mls_epoch_authenticator(p->group),
                             field_bytes(run, item, "initial_epoch_authenticator")));
    return true;
}

static bool process(struct passive *p, sotto_bytes message, sotto_mls_received_kind kind)
{
    sotto_mls_received received;
    if (sotto_mls_process(p->group, message, &received) != SOTTO_OK)
        return run_fail(p->run, sotto_mls_fault(p->mls)->what, __LINE__);
    bool as_expected = received.kind == kind;
    if (received.kind == SOTTO_MLS_RECEIVED_COMMIT) {
        sotto_mls_staged_apply(p->group, received.staged);
        received.staged = NULL;
    }
    sotto_mls_received_clear(&received);
    return as_expected || run_fail(p->run, "kind of message", __LINE__);
}

static bool follow(struct passive *p, const json_t *item)
{
    struct run *run = p->run;
    size_t number, at;
    json_t *epoch, *proposal;
    const json_t *epochs = json_object_get(item, "epochs");
    p->joined = sotto_mls_epoch(p->group);
    p->resumption = arena_array(&run->arena, json_array_size(epochs) + 1, sizeof *p->resumption);
    EXPECT(p->resumption != NULL);
    json_array_foreach(epochs, number, epoch)
    {
        EXPECT(keep_resumption_psk(p));
        json_array_foreach(json_object_get(epoch, "proposals"), at, proposal)
        {
            EXPECT(process(p, hex_bytes(run, proposal), SOTTO_MLS_RECEIVED_PROPOSAL));
        }
        EXPECT(process(p, field_bytes(run, epoch, "commit"), SOTTO_MLS_RECEIVED_COMMIT));
        EXPECT(sotto_bytes_equal(sotto_mls_epoch_authenticator(p->group),
                                 field_bytes(run, epoch, "epoch_authenticator")));
    }
    return true;
}

static bool passive(struct run *run, const json_t *item)
{
    struct passive p = {.run = run, .psks = json_object_get(item, "external_psks")};
    const sotto_mls_config config = {
        .ctx = &p,
        .validate_leaf = accept_leaf,
        .external_psk = external_psk,
        .resumption_psk = resumption_psk,
        .ignore_lifetimes = true,
    };
    sotto_buf secrets;
    sotto_buf_init(&secrets, sotto_env_system());
    EXPECT_OK(sotto_mls_new_with_provider(sotto_env_system(), &config, VECTORS_PROVIDER(), &p.mls));
    bool held = join(&p, item, &secrets) && follow(&p, item);
    sotto_mls_group_free(p.group);
    sotto_mls_free(p.mls);
    sotto_buf_free(&secrets);
    return held;
}

const struct format formats_passive[] = {
    {"passive-client", {"initial_epoch_authenticator", "epochs"}, passive},
    {0},
};
