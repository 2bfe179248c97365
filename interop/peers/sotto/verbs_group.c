/* Becoming a member, looking at the group, application messages. */
#include <stdlib.h>

#include "server.h"

enum { DAY_S = 86400, LIFETIME_DAYS = 28 };

static sotto_mls_framing framing_of(const struct call *call)
{
    return get_flag(call, "encryptHandshake") ? SOTTO_MLS_PRIVATE : SOTTO_MLS_PUBLIC;
}

/* The party that createGroup and createKeyPackage name. */
static struct party *requested_party(struct server *server, struct call *call)
{
    struct party *party = NULL;
    uint64_t suite = 0;
    sotto_buf name;
    sotto_buf_init(&name, server->env);
    if (get_number(call, call->params, "cipherSuite", &suite) &&
        get_hex(call, call->params, "identity", &name)) {
        party = party_new(server, call, (uint16_t)suite, sotto_buf_view(&name));
    }
    sotto_buf_free(&name);
    return party;
}

static bool report_epoch(struct call *call, const struct party *party)
{
    return set_hex(call, "epochAuthenticator", sotto_mls_epoch_authenticator(party->group));
}

bool create_group(struct server *server, struct call *call)
{
    struct party *party = requested_party(server, call);
    if (party == NULL) {
        return false;
    }
    sotto_mls_identity identity;
    party_identity(party, &identity);
    party->framing = framing_of(call);
    sotto_buf group_id;
    sotto_buf_init(&group_id, server->env);
    const bool good = get_hex(call, call->params, "groupId", &group_id) &&
                      check(call, party,
                            sotto_mls_group_create(party->mls, &identity, sotto_buf_view(&group_id),
                                                   NULL, 0, &party->group)) &&
                      party_keep_resumption(call, party);
    sotto_buf_free(&group_id);
    if (!good) {
        party_free(server, party);
        return false;
    }
    party_keep(server, party);
    return json_object_set_new(call->result, "stateId", json_integer(party->id)) == 0;
}

bool create_key_package(struct server *server, struct call *call)
{
    struct party *party = requested_party(server, call);
    if (party == NULL) {
        return false;
    }
    sotto_mls_identity identity;
    party_identity(party, &identity);
    const uint64_t now = server->env->now(server->env->ctx);
    if (!check(call, party,
               sotto_mls_key_package(party->mls, &identity, now - DAY_S,
                                     now + (uint64_t)LIFETIME_DAYS * DAY_S, 0, &party->key_package,
                                     &party->key_package_secrets)) ||
        !set_hex(call, "keyPackage", sotto_buf_view(&party->key_package))) {
        party_free(server, party);
        return false;
    }
    party_keep(server, party);
    return json_object_set_new(call->result, "transactionId", json_integer(party->id)) == 0;
}

bool join_group(struct server *server, struct call *call)
{
    struct party *party = party_of(server, call, "transactionId");
    if (party == NULL) {
        return false;
    }
    sotto_mls_identity identity;
    party_identity(party, &identity);
    party->framing = framing_of(call);
    sotto_buf welcome, tree;
    sotto_buf_init(&welcome, server->env);
    sotto_buf_init(&tree, server->env);
    const bool good =
        get_hex(call, call->params, "welcome", &welcome) &&
        get_hex(call, call->params, "ratchetTree", &tree) &&
        check(call, party,
              sotto_mls_join(party->mls, &identity, sotto_buf_view(&party->key_package),
                             sotto_buf_view(&party->key_package_secrets), sotto_buf_view(&welcome),
                             sotto_buf_view(&tree), &party->group)) &&
        party_keep_resumption(call, party) && report_epoch(call, party);
    sotto_buf_free(&welcome);
    sotto_buf_free(&tree);
    if (good) {
        sotto_buf_free(&party->key_package_secrets);
        json_object_set_new(call->result, "stateId", json_integer(party->id));
    }
    return good;
}

/* The suite of a GroupInfo in an MLSMessage: version, wire format, then the GroupContext's version
 * and suite (RFC 9420, 12.4.3 and 6). */
static bool group_info_suite(struct call *call, sotto_bytes info, uint16_t *suite)
{
    if (info.size < 8) {
        return refuse(call, "not a GroupInfo");
    }
    *suite = (uint16_t)(info.data[6] << 8 | info.data[7]);
    return true;
}

/* Where the client's former leaf is shows a first join, which is dropped. */
static bool find_prior(struct call *call, struct party *party, sotto_bytes info, sotto_bytes tree,
                       uint32_t *index)
{
    sotto_mls_identity identity;
    party_identity(party, &identity);
    sotto_mls_group *looking = NULL;
    sotto_buf commit;
    sotto_buf_init(&commit, party->name.env);
    const bool good = check(call, party,
                            sotto_mls_external_join(party->mls, &identity, info, tree, NULL,
                                                    &commit, &looking)) &&
                      find_member(call, looking, sotto_buf_view(&party->name),
                                  sotto_mls_own_index(looking), index);
    sotto_mls_group_free(looking);
    sotto_buf_free(&commit);
    return good;
}

/* What the commit holds besides; the bytes that options borrow. */
struct outside {
    sotto_mls_external_options options;
    sotto_buf *bytes;
    size_t byte_count;
    sotto_bytes *self_removes;
    sotto_mls_proposal *psks;
};

static void outside_free(struct outside *outside)
{
    for (size_t i = 0; i < outside->byte_count; i++) {
        sotto_buf_free(&outside->bytes[i]);
    }
    free(outside->bytes);
    free(outside->self_removes);
    free(outside->psks);
}

static bool outside_psk(struct call *call, struct party *party, struct outside *outside,
                        const json_t *item)
{
    sotto_buf secret;
    sotto_buf *id = &outside->bytes[outside->byte_count++];
    sotto_buf_init(id, party->name.env);
    sotto_buf_init(&secret, party->name.env);
    const bool good = get_hex(call, item, "pskId", id) &&
                      get_hex(call, item, "pskSecret", &secret) &&
                      party_add_psk(call, party, sotto_buf_view(id), sotto_buf_view(&secret));
    outside->psks[outside->options.psk_count++] =
        (sotto_mls_proposal){.type = SOTTO_MLS_PSK, .u.psk.id = sotto_buf_view(id)};
    sotto_buf_free(&secret);
    return good;
}

static bool outside_read(struct call *call, struct party *party, struct outside *outside)
{
    const json_t *psks = json_object_get(call->params, "psks");
    const json_t *leaving = json_object_get(call->params, "selfRemoves");
    const size_t psk_count = json_array_size(psks), leaving_count = json_array_size(leaving);
    outside->bytes = calloc(psk_count + leaving_count + 1, sizeof *outside->bytes);
    outside->self_removes = calloc(leaving_count + 1, sizeof *outside->self_removes);
    outside->psks = calloc(psk_count + 1, sizeof *outside->psks);
    if (outside->bytes == NULL || outside->self_removes == NULL || outside->psks == NULL) {
        return refuse(call, "out of memory");
    }
    for (size_t i = 0; i < psk_count; i++) {
        if (!outside_psk(call, party, outside, json_array_get(psks, i))) {
            return false;
        }
    }
    for (size_t i = 0; i < leaving_count; i++) {
        const char *hex = json_string_value(json_array_get(leaving, i));
        sotto_buf *message = &outside->bytes[outside->byte_count++];
        sotto_buf_init(message, party->name.env);
        if (!decode_hex(call, hex != NULL ? hex : "", message)) {
            return false;
        }
        outside->self_removes[outside->options.self_remove_count++] = sotto_buf_view(message);
    }
    outside->options.psks = outside->psks;
    outside->options.self_removes = outside->self_removes;
    return true;
}

static bool join_by_commit(struct call *call, struct party *party, sotto_bytes info,
                           sotto_bytes tree)
{
    struct outside outside = {.options.removes_prior = get_flag(call, "removePrior")};
    sotto_mls_identity identity;
    party_identity(party, &identity);
    sotto_buf commit;
    sotto_buf_init(&commit, party->name.env);
    const bool good = (!outside.options.removes_prior ||
                       find_prior(call, party, info, tree, &outside.options.prior)) &&
                      outside_read(call, party, &outside) &&
                      check(call, party,
                            sotto_mls_external_join(party->mls, &identity, info, tree,
                                                    &outside.options, &commit, &party->group)) &&
                      set_hex(call, "commit", sotto_buf_view(&commit)) &&
                      party_keep_resumption(call, party) && report_epoch(call, party);
    outside_free(&outside);
    sotto_buf_free(&commit);
    return good;
}

bool external_join(struct server *server, struct call *call)
{
    struct party *party = NULL;
    uint16_t suite = 0;
    sotto_buf info, tree, name;
    sotto_buf_init(&info, server->env);
    sotto_buf_init(&tree, server->env);
    sotto_buf_init(&name, server->env);
    bool good = get_hex(call, call->params, "groupInfo", &info) &&
                get_hex(call, call->params, "ratchetTree", &tree) &&
                get_hex(call, call->params, "identity", &name) &&
                group_info_suite(call, sotto_buf_view(&info), &suite);
    if (good) {
        party = party_new(server, call, suite, sotto_buf_view(&name));
        good = party != NULL;
    }
    if (good) {
        party->framing = framing_of(call);
        good = join_by_commit(call, party, sotto_buf_view(&info), sotto_buf_view(&tree));
    }
    if (good) {
        party_keep(server, party);
        json_object_set_new(call->result, "stateId", json_integer(party->id));
    } else if (party != NULL) {
        party_free(server, party);
    }
    sotto_buf_free(&info);
    sotto_buf_free(&tree);
    sotto_buf_free(&name);
    return good;
}

bool group_info(struct server *server, struct call *call)
{
    struct party *party = member_of(server, call);
    if (party == NULL) {
        return false;
    }
    const bool apart = get_flag(call, "externalTree");
    sotto_buf info, tree;
    sotto_buf_init(&info, server->env);
    sotto_buf_init(&tree, server->env);
    const bool good = check(call, party, sotto_mls_group_info(party->group, !apart, true, &info)) &&
                      (!apart || check(call, party, sotto_mls_ratchet_tree(party->group, &tree))) &&
                      set_hex(call, "groupInfo", sotto_buf_view(&info)) &&
                      set_hex(call, "ratchetTree", sotto_buf_view(&tree));
    sotto_buf_free(&info);
    sotto_buf_free(&tree);
    return good;
}

bool state_auth(struct server *server, struct call *call)
{
    const struct party *party = member_of(server, call);
    return party != NULL &&
           set_hex(call, "stateAuthSecret", sotto_mls_epoch_authenticator(party->group));
}

bool export_secret(struct server *server, struct call *call)
{
    struct party *party = member_of(server, call);
    const char *label = json_string_value(json_object_get(call->params, "label"));
    uint64_t size = 0;
    if (party == NULL || !get_number(call, call->params, "keyLength", &size)) {
        return false;
    }
    sotto_buf context, secret;
    sotto_buf_init(&context, server->env);
    sotto_buf_init(&secret, server->env);
    const bool good = get_hex(call, call->params, "context", &context) &&
                      check(call, party,
                            sotto_mls_export(party->group, label != NULL ? label : "",
                                             sotto_buf_view(&context), size, &secret)) &&
                      set_hex(call, "exportedSecret", sotto_buf_view(&secret));
    sotto_buf_free(&context);
    sotto_buf_free(&secret);
    return good;
}

bool safe_export(struct server *server, struct call *call)
{
    struct party *party = member_of(server, call);
    uint64_t component = 0;
    if (party == NULL || !get_number(call, call->params, "componentId", &component)) {
        return false;
    }
    sotto_buf secret;
    sotto_buf_init(&secret, server->env);
    const bool good =
        check(call, party, sotto_mls_safe_export(party->group, (uint16_t)component, &secret)) &&
        set_hex(call, "exportedSecret", sotto_buf_view(&secret));
    sotto_buf_free(&secret);
    return good;
}

bool protect(struct server *server, struct call *call)
{
    struct party *party = member_of(server, call);
    if (party == NULL) {
        return false;
    }
    sotto_buf plain, authenticated, message;
    sotto_buf_init(&plain, server->env);
    sotto_buf_init(&authenticated, server->env);
    sotto_buf_init(&message, server->env);
    const bool good =
        get_hex(call, call->params, "plaintext", &plain) &&
        get_hex(call, call->params, "authenticatedData", &authenticated) &&
        check(call, party,
              sotto_mls_encrypt(party->group, sotto_buf_view(&plain),
                                sotto_buf_view(&authenticated), plain.size % 64, &message)) &&
        set_hex(call, "ciphertext", sotto_buf_view(&message));
    sotto_buf_free(&plain);
    sotto_buf_free(&authenticated);
    sotto_buf_free(&message);
    return good;
}

bool unprotect(struct server *server, struct call *call)
{
    struct party *party = member_of(server, call);
    if (party == NULL) {
        return false;
    }
    sotto_mls_received received = {0};
    sotto_buf message;
    sotto_buf_init(&message, server->env);
    bool good =
        get_hex(call, call->params, "ciphertext", &message) &&
        check(call, party, sotto_mls_process(party->group, sotto_buf_view(&message), &received));
    if (good) {
        good = received.kind == SOTTO_MLS_RECEIVED_APPLICATION
                   ? set_hex(call, "plaintext", sotto_buf_view(&received.data)) &&
                         set_hex(call, "authenticatedData", sotto_buf_view(&received.authenticated))
                   : refuse(call, "not an application message");
        sotto_mls_received_clear(&received);
    }
    sotto_buf_free(&message);
    return good;
}

bool store_psk(struct server *server, struct call *call)
{
    struct party *party = party_of(server, call, "stateOrTransactionId");
    if (party == NULL) {
        return false;
    }
    sotto_buf id, secret;
    sotto_buf_init(&id, server->env);
    sotto_buf_init(&secret, server->env);
    const bool good = get_hex(call, call->params, "pskId", &id) &&
                      get_hex(call, call->params, "pskSecret", &secret) &&
                      party_add_psk(call, party, sotto_buf_view(&id), sotto_buf_view(&secret));
    sotto_buf_free(&id);
    sotto_buf_free(&secret);
    return good;
}

bool free_state(struct server *server, struct call *call)
{
    struct party *party = party_of(server, call, "stateId");
    if (party == NULL) {
        return false;
    }
    party_free(server, party);
    return true;
}
