/* usurper PROFILE CONVERSATION KIND [ACCOUNT]: a member of the group commits what no `sotto` of
 * their role would. For tests. CONVERSATION and ACCOUNT in hex; the profile has no passphrase.
 * KIND: title     another title owner     makes themself an owner remove    removes ACCOUNT gate
 * only renews their keys, which they may, but gives the relay a gate of their own garbage   bytes
 * that are no commit, under the right gates */
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "core/room_settings.h"

struct usurping {
    struct sotto *core;
    struct room *room;
    struct arena arena;
    const char *kind;
    struct account_id account;
    sotto_buf settings;
    sotto_mls_extension extensions[2];
};

static bool unhex(const char *hex, uint8_t out[static 32])
{
    size_t size = 0;
    return sodium_hex2bin(out, 32, hex, strlen(hex), NULL, &size, NULL) == 0 && size == 32;
}

static sotto_error proposal_of(struct usurping *u, sotto_mls_proposal *proposal, size_t *count)
{
    struct settings settings;
    struct settings_change change = {.what = SETTINGS_TITLE, .text = sotto_bytes_str("Mine now")};
    bool changed;
    memset(proposal, 0, sizeof *proposal);
    *count = 1;
    if (strcmp(u->kind, "remove") == 0) {
        proposal->type = SOTTO_MLS_REMOVE;
        return group_has(u->room->group, &u->account, NULL, &proposal->u.remove.index)
                   ? SOTTO_OK
                   : SOTTO_NOT_FOUND;
    }
    if (strcmp(u->kind, "title") != 0 && strcmp(u->kind, "owner") != 0) {
        *count = 0;
        return SOTTO_OK;
    }
    if (strcmp(u->kind, "owner") == 0)
        change = (struct settings_change){
            .what = SETTINGS_ROLE, .value = SOTTO_ROLE_OWNER, .account = u->core->identity.account};
    TRY(rules_settings(u->room->group, &u->arena, &settings, NULL));
    TRY(settings_apply(&settings, &change, &u->arena, &changed));
    TRY(settings_write(&settings, &u->settings));
    u->extensions[0].type = IDENTITY_EXTENSION_ROOM;
    TRY(sotto_mls_context_extension(u->room->group, IDENTITY_EXTENSION_ROOM,
                                    &u->extensions[0].data));
    u->extensions[1] = (sotto_mls_extension){SETTINGS_EXTENSION, sotto_buf_view(&u->settings)};
    proposal->type = SOTTO_MLS_CONTEXT_EXTENSIONS;
    proposal->u.context.extensions = u->extensions;
    proposal->u.context.extension_count = 2;
    return SOTTO_OK;
}

static sotto_error gate(sotto_mls_staged *staged, const char *label, struct gate *out)
{
    sotto_buf token;
    sotto_buf_init(&token, sotto_env_system());
    sotto_error error =
        sotto_mls_staged_export(staged, label, sotto_bytes_of(NULL, 0), TOKEN_SIZE, &token);
    if (error == SOTTO_OK)
        gate_of(sotto_buf_view(&token), out);
    sotto_buf_free(&token);
    return error;
}

static sotto_error commit_store(struct usurping *u, sotto_mls_staged *staged, sotto_bytes commit,
                                sotto_bytes saved, bool removes)
{
    struct commit_intent intent;
    struct store_outgoing outgoing;
    sotto_buf bytes;
    memset(&intent, 0, sizeof intent);
    memset(&outgoing, 0, sizeof outgoing);
    intent.action = COMMIT_UPDATE;
    sotto_buf_init(&bytes, u->core->env);
    sotto_error error = commit_intent_write(&intent, &bytes);
    outgoing.room = u->room->id;
    outgoing.kind = STORE_OUT_COMMIT;
    outgoing.state = STORE_OUT_READY;
    outgoing.client_id = outgoing.relay = outgoing.error = "";
    outgoing.intent = sotto_buf_view(&bytes);
    outgoing.epoch = sotto_mls_epoch(u->room->group);
    outgoing.bytes = commit;
    outgoing.staged = saved;
    outgoing.has_write_gate = true;
    outgoing.has_read_gate = removes;
    if (error == SOTTO_OK)
        error = gate(staged, "sotto.v1 write", &outgoing.next_write_gate);
    if (error == SOTTO_OK)
        error = gate(staged, "sotto.v1 read", &outgoing.next_read_gate);
    if (strcmp(u->kind, "gate") == 0)
        randombytes_buf(outgoing.next_write_gate.bytes, GATE_SIZE);
    randombytes_buf(outgoing.request.bytes, REQUEST_ID_SIZE);
    if (error == SOTTO_OK)
        error = store_outgoing_add(u->core->store, &outgoing, &(int64_t){0});
    sotto_buf_free(&bytes);
    return error;
}

static sotto_error usurp(struct usurping *u, struct store_room *row)
{
    sotto_mls_proposal proposal;
    sotto_mls_commit_options options = {.proposals = &proposal, .ignore_pending = true};
    sotto_mls_staged *staged = NULL;
    sotto_buf commit, welcome, saved;
    TRY(room_enter(u->room, &u->arena, row));
    TRY(proposal_of(u, &proposal, &options.proposal_count));
    sotto_buf_init(&commit, u->core->env);
    sotto_buf_init(&welcome, u->core->env);
    sotto_buf_init(&saved, u->core->env);
    sotto_error error = sotto_mls_commit(u->room->group, &options, &commit, &welcome, &staged);
    if (error == SOTTO_OK)
        error = sotto_mls_staged_save(staged, &saved);
    if (error == SOTTO_OK && strcmp(u->kind, "garbage") == 0)
        randombytes_buf(commit.data + commit.size / 2, commit.size / 2);
    if (error == SOTTO_OK)
        error = commit_store(u, staged, sotto_buf_view(&commit), sotto_buf_view(&saved),
                             strcmp(u->kind, "remove") == 0);
    sotto_mls_staged_drop(staged);
    if (error == SOTTO_OK)
        error = room_save(u->room, row);
    sotto_buf_free(&commit);
    sotto_buf_free(&welcome);
    sotto_buf_free(&saved);
    return error;
}

int main(int argc, char **argv)
{
    struct sotto_problem problem;
    struct sotto_id conversation;
    struct store_room row;
    struct room_id id;
    struct usurping u;
    memset(&u, 0, sizeof u);
    if (argc < 4 || !unhex(argv[2], conversation.bytes) ||
        (argc > 4 && !unhex(argv[4], u.account.bytes))) {
        fputs("usurper PROFILE CONVERSATION KIND [ACCOUNT]\n", stderr);
        return 2;
    }
    u.kind = argv[3];
    if (sotto_open(sotto_env_system(), argv[1], NULL, &u.core, &problem) != SOTTO_OK)
        return 1;
    memcpy(id.bytes, conversation.bytes, ROOM_ID_SIZE);
    arena_init(&u.arena, u.core->env);
    sotto_buf_init(&u.settings, u.core->env);
    sotto_error error = core_need_account(u.core);
    u.room = room_of(u.core, &id);
    if (error == SOTTO_OK)
        error = store_begin(u.core->store);
    if (error == SOTTO_OK)
        error = usurp(&u, &row);
    if (error == SOTTO_OK)
        error = store_commit(u.core->store);
    if (error == SOTTO_OK)
        error = sotto_settle(u.core, &conversation);
    if (error != SOTTO_OK)
        fprintf(stderr, "usurper: %s: %s\n", sotto_error_name(error),
                sotto_problem(u.core)->message);
    sotto_buf_free(&u.settings);
    arena_free(&u.arena);
    sotto_close(u.core);
    return error == SOTTO_OK ? 0 : 1;
}
