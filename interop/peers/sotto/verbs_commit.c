/* Proposals and commits. */
#include <stdlib.h>
#include <string.h>

#include "server.h"

/* A proposal to make, with the bytes that it borrows. */
struct draft {
    sotto_mls_proposal proposal;
    sotto_mls_extension *extensions;
    sotto_buf *extension_data;
    size_t extension_count;
    sotto_buf bytes;
};

static void draft_free(struct draft *draft)
{
    for (size_t i = 0; i < draft->extension_count; i++) {
        sotto_buf_free(&draft->extension_data[i]);
    }
    free(draft->extension_data);
    free(draft->extensions);
    sotto_buf_free(&draft->bytes);
}

static bool draft_extensions(struct call *call, struct draft *draft, const json_t *from)
{
    const json_t *list = json_object_get(from, "extensions");
    const size_t count = json_array_size(list);
    draft->extensions = calloc(count + 1, sizeof *draft->extensions);
    draft->extension_data = calloc(count + 1, sizeof *draft->extension_data);
    if (draft->extensions == NULL || draft->extension_data == NULL) {
        return refuse(call, "out of memory");
    }
    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_array_get(list, i);
        uint64_t type = 0;
        sotto_buf_init(&draft->extension_data[i], draft->bytes.env);
        draft->extension_count = i + 1;
        if (!get_number(call, item, "extensionType", &type) ||
            !get_hex(call, item, "extensionData", &draft->extension_data[i])) {
            return false;
        }
        draft->extensions[i] = (sotto_mls_extension){
            .type = (uint16_t)type, .data = sotto_buf_view(&draft->extension_data[i])};
    }
    draft->proposal.u.context.extensions = draft->extensions;
    draft->proposal.u.context.extension_count = count;
    return true;
}

static bool draft_psk(struct call *call, struct draft *draft, const json_t *from,
                      const struct party *party, bool resumption)
{
    draft->proposal.u.psk.resumption = resumption;
    if (!resumption) {
        const bool good = get_hex(call, from, "pskId", &draft->bytes);
        draft->proposal.u.psk.id = sotto_buf_view(&draft->bytes);
        return good;
    }
    draft->proposal.u.psk.id = sotto_mls_group_id(party->group);
    draft->proposal.u.psk.usage = 1; /* application */
    return get_number(call, from, "epochId", &draft->proposal.u.psk.epoch);
}

/* Reads what a proposal of that type needs from the parameters or from an item of byValue. */
static bool draft_read(struct call *call, struct draft *draft, const json_t *from,
                       const struct party *party, const char *type)
{
    sotto_buf_init(&draft->bytes, party->name.env);
    if (strcmp(type, "add") == 0) {
        draft->proposal.type = SOTTO_MLS_ADD;
        const bool good = get_hex(call, from, "keyPackage", &draft->bytes);
        draft->proposal.u.add.key_package = sotto_buf_view(&draft->bytes);
        return good;
    }
    if (strcmp(type, "remove") == 0) {
        draft->proposal.type = SOTTO_MLS_REMOVE;
        return get_hex(call, from, "removedId", &draft->bytes) &&
               find_member(call, party->group, sotto_buf_view(&draft->bytes), UINT32_MAX,
                           &draft->proposal.u.remove.index);
    }
    if (strcmp(type, "update") == 0) {
        draft->proposal.type = SOTTO_MLS_UPDATE;
        return true;
    }
    if (strcmp(type, "selfRemove") == 0) {
        draft->proposal.type = SOTTO_MLS_SELF_REMOVE;
        return true;
    }
    if (strcmp(type, "externalPSK") == 0 || strcmp(type, "resumptionPSK") == 0) {
        draft->proposal.type = SOTTO_MLS_PSK;
        return draft_psk(call, draft, from, party, type[0] == 'r');
    }
    if (strcmp(type, "groupContextExtensions") == 0) {
        draft->proposal.type = SOTTO_MLS_CONTEXT_EXTENSIONS;
        return draft_extensions(call, draft, from);
    }
    call->unsupported = true;
    return refuse(call, "no such proposal");
}

static bool propose(struct server *server, struct call *call, const char *type)
{
    struct party *party = member_of(server, call);
    if (party == NULL) {
        return false;
    }
    struct draft draft = {0};
    sotto_buf message;
    sotto_buf_init(&message, server->env);
    /* A SelfRemove is public however the others are framed (extensions draft). */
    const sotto_mls_framing framing =
        strcmp(type, "selfRemove") == 0 ? SOTTO_MLS_PUBLIC : party->framing;
    const bool good =
        draft_read(call, &draft, call->params, party, type) &&
        check(call, party,
              sotto_mls_propose(party->group, &draft.proposal, NULL, framing, &message)) &&
        party_remember(call, party, sotto_buf_view(&message)) &&
        set_hex(call, "proposal", sotto_buf_view(&message));
    sotto_buf_free(&message);
    draft_free(&draft);
    return good;
}

bool add_proposal(struct server *server, struct call *call)
{
    return propose(server, call, "add");
}

bool update_proposal(struct server *server, struct call *call)
{
    return propose(server, call, "update");
}

bool remove_proposal(struct server *server, struct call *call)
{
    return propose(server, call, "remove");
}

bool self_remove_proposal(struct server *server, struct call *call)
{
    const bool good = propose(server, call, "selfRemove");
    const struct party *party = member_of(server, call);
    if (!good && party != NULL && sotto_mls_fault(party->mls)->error == SOTTO_CAPABILITY) {
        call->unsupported = true; /* nothing for a group with members that do not know it */
    }
    return good;
}

bool external_psk_proposal(struct server *server, struct call *call)
{
    return propose(server, call, "externalPSK");
}

bool resumption_psk_proposal(struct server *server, struct call *call)
{
    return propose(server, call, "resumptionPSK");
}

bool context_extensions_proposal(struct server *server, struct call *call)
{
    return propose(server, call, "groupContextExtensions");
}

/* ---- Commits */

static bool receive_proposal(struct call *call, struct party *party, const char *hex)
{
    sotto_mls_received received = {0};
    sotto_buf message;
    sotto_buf_init(&message, party->name.env);
    bool good = decode_hex(call, hex, &message);
    if (good && !party_sent(party, sotto_buf_view(&message))) {
        good = check(call, party,
                     sotto_mls_process(party->group, sotto_buf_view(&message), &received));
        if (good) {
            good = received.kind == SOTTO_MLS_RECEIVED_PROPOSAL || refuse(call, "not a proposal");
            sotto_mls_received_clear(&received);
        }
    }
    sotto_buf_free(&message);
    return good;
}

static bool receive_proposals(struct call *call, struct party *party, const char *parameter)
{
    const json_t *list = json_object_get(call->params, parameter);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *hex = json_string_value(json_array_get(list, i));
        if (!receive_proposal(call, party, hex != NULL ? hex : "")) {
            return false;
        }
    }
    return true;
}

static bool entered(struct call *call, struct party *party)
{
    party_forget(party);
    json_object_set_new(call->result, "stateId", json_integer(party->id));
    if (party->removed) {
        json_object_set_new(call->result, "removed", json_true());
        return set_hex(call, "epochAuthenticator", sotto_bytes_of(NULL, 0));
    }
    return party_keep_resumption(call, party) &&
           set_hex(call, "epochAuthenticator", sotto_mls_epoch_authenticator(party->group));
}

/* forcePath false: a path only where the RFC demands one. An empty commit must have one (12.4). */
static bool stage_commit(struct call *call, struct party *party,
                         const sotto_mls_proposal *proposals, size_t count)
{
    const bool apart = get_flag(call, "externalTree");
    const sotto_mls_commit_options options = {
        .proposals = proposals,
        .proposal_count = count,
        .no_path = !get_flag(call, "forcePath"),
        .no_tree = apart,
        .framing = party->framing,
    };
    sotto_buf commit, welcome;
    sotto_buf_init(&commit, party->name.env);
    sotto_buf_init(&welcome, party->name.env);
    const bool good =
        check(call, party,
              sotto_mls_commit(party->group, &options, &commit, &welcome, &party->pending)) &&
        set_hex(call, "commit", sotto_buf_view(&commit)) &&
        set_hex(call, "welcome", sotto_buf_view(&welcome));
    sotto_buf_free(&commit);
    sotto_buf_free(&welcome);
    return good;
}

static bool commit_by_value(struct call *call, struct party *party)
{
    const json_t *list = json_object_get(call->params, "byValue");
    const size_t count = json_array_size(list);
    struct draft *drafts = calloc(count + 1, sizeof *drafts);
    sotto_mls_proposal *proposals = calloc(count + 1, sizeof *proposals);
    if (drafts == NULL || proposals == NULL) {
        free(drafts);
        free(proposals);
        return refuse(call, "out of memory");
    }
    bool good = true;
    for (size_t i = 0; good && i < count; i++) {
        const json_t *item = json_array_get(list, i);
        const char *type = json_string_value(json_object_get(item, "proposalType"));
        good = draft_read(call, &drafts[i], item, party, type != NULL ? type : "");
        proposals[i] = drafts[i].proposal;
    }
    good = good && stage_commit(call, party, proposals, count);
    for (size_t i = 0; i < count; i++) {
        draft_free(&drafts[i]);
    }
    free(drafts);
    free(proposals);
    return good;
}

bool make_commit(struct server *server, struct call *call)
{
    struct party *party = member_of(server, call);
    if (party == NULL) {
        return false;
    }
    sotto_mls_staged_drop(party->pending);
    party->pending = NULL;
    return receive_proposals(call, party, "byReference") && commit_by_value(call, party);
}

bool handle_commit(struct server *server, struct call *call)
{
    struct party *party = member_of(server, call);
    if (party == NULL || !receive_proposals(call, party, "proposal")) {
        return false;
    }
    sotto_mls_received received = {0};
    sotto_buf message;
    sotto_buf_init(&message, server->env);
    bool good =
        get_hex(call, call->params, "commit", &message) &&
        check(call, party, sotto_mls_process(party->group, sotto_buf_view(&message), &received));
    if (good && received.kind == SOTTO_MLS_RECEIVED_COMMIT) {
        /* What one had staged oneself lost. */
        sotto_mls_staged_drop(party->pending);
        party->pending = NULL;
        party->removed = sotto_mls_staged_removes_self(received.staged);
        sotto_mls_staged_apply(party->group, received.staged);
        received.staged = NULL;
        sotto_mls_received_clear(&received);
        good = entered(call, party);
    } else if (good) {
        sotto_mls_received_clear(&received);
        good = refuse(call, "not a commit");
    }
    sotto_buf_free(&message);
    return good;
}

bool handle_pending_commit(struct server *server, struct call *call)
{
    struct party *party = member_of(server, call);
    if (party == NULL) {
        return false;
    }
    if (party->pending == NULL) {
        return refuse(call, "no pending commit");
    }
    sotto_mls_staged_apply(party->group, party->pending);
    party->pending = NULL;
    return entered(call, party);
}
