/* Clients, their keys, and the reading and writing of parameters. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server.h"

bool refuse(struct call *call, const char *message)
{
    (void)snprintf(call->message, sizeof call->message, "%s", message);
    return false;
}

bool check(struct call *call, const struct party *party, sotto_error error)
{
    if (error == SOTTO_OK) {
        return true;
    }
    const sotto_fault *fault = party != NULL ? sotto_mls_fault(party->mls) : NULL;
    (void)snprintf(call->message, sizeof call->message, "%s: %s at %zu", sotto_error_name(error),
                   fault != NULL ? fault->what : "-", fault != NULL ? fault->offset : 0);
    call->unsupported = error == SOTTO_UNSUPPORTED && party == NULL;
    return false;
}

bool set_hex(struct call *call, const char *name, sotto_bytes value)
{
    static const char digits[] = "0123456789abcdef";
    char *text = malloc(2 * value.size + 1);
    if (text == NULL) {
        return refuse(call, "out of memory");
    }
    for (size_t i = 0; i < value.size; i++) {
        text[2 * i] = digits[value.data[i] >> 4];
        text[2 * i + 1] = digits[value.data[i] & 15];
    }
    const bool done =
        json_object_set_new(call->result, name, json_stringn(text, 2 * value.size)) == 0;
    free(text);
    return done || refuse(call, "out of memory");
}

static int digit(char c)
{
    const char *digits = "0123456789abcdef";
    const char *at = c != 0 ? strchr(digits, c) : NULL;
    return at != NULL ? (int)(at - digits) : -1;
}

bool decode_hex(struct call *call, const char *text, sotto_buf *out)
{
    const size_t length = strlen(text);
    uint8_t *bytes = NULL;
    if (length % 2 != 0 || sotto_buf_extend(out, length / 2, &bytes) != SOTTO_OK) {
        return refuse(call, "not hexadecimal");
    }
    for (size_t i = 0; i < length / 2; i++) {
        const int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);
        if (high < 0 || low < 0) {
            return refuse(call, "not hexadecimal");
        }
        bytes[i] = (uint8_t)(high * 16 + low);
    }
    return true;
}

/* An absent parameter is empty. */
bool get_hex(struct call *call, const json_t *from, const char *name, sotto_buf *out)
{
    const char *text = json_string_value(json_object_get(from, name));
    return decode_hex(call, text != NULL ? text : "", out);
}

bool get_number(struct call *call, const json_t *from, const char *name, uint64_t *out)
{
    const json_t *value = json_object_get(from, name);
    if (!json_is_integer(value) || json_integer_value(value) < 0) {
        return refuse(call, "a number is missing");
    }
    *out = (uint64_t)json_integer_value(value);
    return true;
}

bool get_flag(const struct call *call, const char *name)
{
    return json_is_true(json_object_get(call->params, name));
}

/* ---- PSKs */

static const struct secret_entry *find_secret(const struct secret_entry *entry, sotto_bytes id,
                                              uint64_t epoch)
{
    while (entry != NULL &&
           (entry->epoch != epoch || !sotto_bytes_equal(sotto_buf_view(&entry->id), id))) {
        entry = entry->next;
    }
    return entry;
}

static sotto_error give_secret(const struct secret_entry *entry, sotto_buf *psk)
{
    if (entry == NULL) {
        return SOTTO_NOT_FOUND;
    }
    return sotto_buf_append(psk, entry->secret.data, entry->secret.size);
}

static sotto_error give_external(void *ctx, sotto_bytes id, sotto_buf *psk)
{
    const struct party *party = ctx;
    return give_secret(find_secret(party->external_psks, id, 0), psk);
}

static sotto_error give_resumption(void *ctx, sotto_bytes group_id, uint64_t epoch, sotto_buf *psk)
{
    const struct party *party = ctx;
    return give_secret(find_secret(party->resumption_psks, group_id, epoch), psk);
}

static bool add_secret(struct call *call, struct party *party, struct secret_entry **list,
                       sotto_bytes id, uint64_t epoch, sotto_bytes secret)
{
    struct secret_entry *entry = calloc(1, sizeof *entry);
    if (entry == NULL) {
        return refuse(call, "out of memory");
    }
    entry->epoch = epoch;
    sotto_buf_init(&entry->id, party->name.env);
    sotto_buf_init(&entry->secret, party->name.env);
    entry->next = *list;
    *list = entry;
    return check(call, NULL, sotto_buf_append(&entry->id, id.data, id.size)) &&
           check(call, NULL, sotto_buf_append(&entry->secret, secret.data, secret.size));
}

bool party_add_psk(struct call *call, struct party *party, sotto_bytes id, sotto_bytes secret)
{
    return add_secret(call, party, &party->external_psks, id, 0, secret);
}

/* Called once an epoch, so that a later commit can use it. */
bool party_keep_resumption(struct call *call, struct party *party)
{
    sotto_buf psk;
    sotto_buf_init(&psk, party->name.env);
    const bool good =
        check(call, party, sotto_mls_resumption_psk(party->group, &psk)) &&
        add_secret(call, party, &party->resumption_psks, sotto_mls_group_id(party->group),
                   sotto_mls_epoch(party->group), sotto_buf_view(&psk));
    sotto_buf_free(&psk);
    return good;
}

static void free_secrets(struct secret_entry *entry)
{
    while (entry != NULL) {
        struct secret_entry *next = entry->next;
        sotto_buf_free(&entry->id);
        sotto_buf_free(&entry->secret);
        free(entry);
        entry = next;
    }
}

/* ---- own proposals */

bool party_remember(struct call *call, struct party *party, sotto_bytes message)
{
    struct sent *sent = calloc(1, sizeof *sent);
    if (sent == NULL) {
        return refuse(call, "out of memory");
    }
    sotto_buf_init(&sent->message, party->name.env);
    sent->next = party->own;
    party->own = sent;
    return check(call, NULL, sotto_buf_append(&sent->message, message.data, message.size));
}

bool party_sent(const struct party *party, sotto_bytes message)
{
    for (const struct sent *sent = party->own; sent != NULL; sent = sent->next) {
        if (sotto_bytes_equal(sotto_buf_view(&sent->message), message)) {
            return true;
        }
    }
    return false;
}

void party_forget(struct party *party)
{
    while (party->own != NULL) {
        struct sent *next = party->own->next;
        sotto_buf_free(&party->own->message);
        free(party->own);
        party->own = next;
    }
}

/* ---- parties */

struct party *party_new(struct server *server, struct call *call, uint16_t suite, sotto_bytes name)
{
    struct party *party = calloc(1, sizeof *party);
    if (party == NULL) {
        (void)refuse(call, "out of memory");
        return NULL;
    }
    party->suite = suite;
    sotto_buf *buffers[] = {&party->name, &party->signature_private, &party->signature_public,
                            &party->key_package, &party->key_package_secrets};
    for (size_t i = 0; i < sizeof buffers / sizeof buffers[0]; i++) {
        sotto_buf_init(buffers[i], server->env);
    }
    const sotto_mls_config config = {
        .ctx = party, .external_psk = give_external, .resumption_psk = give_resumption};
    if (!check(call, NULL, sotto_mls_new(server->env, &config, &party->mls)) ||
        !check(call, NULL, sotto_buf_append(&party->name, name.data, name.size)) ||
        !check(call, party,
               sotto_mls_signature_key(party->mls, suite, &party->signature_private,
                                       &party->signature_public))) {
        party_free(server, party);
        return NULL;
    }
    return party;
}

void party_free(struct server *server, struct party *party)
{
    for (struct party **at = &server->parties; *at != NULL; at = &(*at)->next) {
        if (*at == party) {
            *at = party->next;
            break;
        }
    }
    sotto_mls_staged_drop(party->pending);
    sotto_mls_group_free(party->group);
    sotto_mls_free(party->mls);
    free_secrets(party->external_psks);
    free_secrets(party->resumption_psks);
    party_forget(party);
    sotto_buf_free(&party->name);
    sotto_buf_free(&party->signature_private);
    sotto_buf_free(&party->signature_public);
    sotto_buf_free(&party->key_package);
    sotto_buf_free(&party->key_package_secrets);
    free(party);
}

void party_keep(struct server *server, struct party *party)
{
    party->id = ++server->next_id;
    party->next = server->parties;
    server->parties = party;
}

struct party *party_of(struct server *server, struct call *call, const char *parameter)
{
    const json_int_t id = json_integer_value(json_object_get(call->params, parameter));
    struct party *party = server->parties;
    while (party != NULL && party->id != id) {
        party = party->next;
    }
    if (party == NULL) {
        (void)refuse(call, "no such state or transaction");
    }
    return party;
}

struct party *member_of(struct server *server, struct call *call)
{
    struct party *party = party_of(server, call, "stateId");
    if (party != NULL && party->group == NULL) {
        (void)refuse(call, "not a member yet");
        return NULL;
    }
    return party;
}

void party_identity(const struct party *party, sotto_mls_identity *identity)
{
    static const uint16_t extensions[] = {PROBE_EXTENSION};
    *identity = (sotto_mls_identity){
        .suite = party->suite,
        .credential = {.type = SOTTO_MLS_BASIC, .identity = sotto_buf_view(&party->name)},
        .signature_private = sotto_buf_view(&party->signature_private),
        .signature_public = sotto_buf_view(&party->signature_public),
        .capabilities = {.extensions = extensions, .extension_count = 1},
    };
}

bool find_member(struct call *call, const sotto_mls_group *group, sotto_bytes name, uint32_t but,
                 uint32_t *index)
{
    sotto_mls_leaf leaf;
    uint32_t at = 0;
    while (sotto_mls_next_member(group, &at, &leaf)) {
        if (leaf.index != but && sotto_bytes_equal(leaf.credential.identity, name)) {
            *index = leaf.index;
            return true;
        }
    }
    return refuse(call, "no member of that identity");
}
