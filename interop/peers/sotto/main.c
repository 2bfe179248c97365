/* The loop: a request a line on standard input, an answer a line on standard output. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server.h"

static bool name(struct server *server, struct call *call)
{
    (void)server;
    return json_object_set_new(call->result, "name", json_string("Sotto")) == 0;
}

static bool supported_suites(struct server *server, struct call *call)
{
    static const uint16_t suites[] = {1, 2, 3, 4, 5, 6, 7, SOTTO_MLS_XWING_CHACHA_SHA256_ED25519};
    sotto_mls *mls;
    if (!check(call, NULL, sotto_mls_new(server->env, NULL, &mls)))
        return false;
    json_t *list = json_array();
    for (size_t i = 0; i < sizeof suites / sizeof suites[0]; i++) {
        if (sotto_mls_suite_available(mls, suites[i])) {
            json_array_append_new(list, json_integer(suites[i]));
        }
    }
    sotto_mls_free(mls);
    json_object_set_new(call->result, "ciphersuites", list);
    json_object_set_new(call->result, "derivation", json_pack("{s:s}", "77", "hpke-pq"));
    return true;
}

static const struct {
    const char *name;
    verb *run;
} verbs[] = {
    {"name", name},
    {"supportedCiphersuites", supported_suites},
    {"createGroup", create_group},
    {"createKeyPackage", create_key_package},
    {"joinGroup", join_group},
    {"externalJoin", external_join},
    {"groupInfo", group_info},
    {"stateAuth", state_auth},
    {"export", export_secret},
    {"safeExport", safe_export},
    {"protect", protect},
    {"unprotect", unprotect},
    {"storePsk", store_psk},
    {"addProposal", add_proposal},
    {"updateProposal", update_proposal},
    {"removeProposal", remove_proposal},
    {"selfRemoveProposal", self_remove_proposal},
    {"externalPskProposal", external_psk_proposal},
    {"resumptionPskProposal", resumption_psk_proposal},
    {"groupContextExtensionsProposal", context_extensions_proposal},
    {"commit", make_commit},
    {"handleCommit", handle_commit},
    {"handlePendingCommit", handle_pending_commit},
    {"free", free_state},
};

static bool dispatch(struct server *server, struct call *call, const char *method)
{
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        if (strcmp(verbs[i].name, method) == 0) {
            return verbs[i].run(server, call);
        }
    }
    call->unsupported = true;
    return refuse(call, "not offered");
}

static void answer(struct server *server, const char *line)
{
    json_t *request = json_loads(line, 0, NULL);
    json_t *empty = json_object();
    struct call call = {.params = json_object_get(request, "params"), .result = json_object()};
    const char *method = json_string_value(json_object_get(request, "method"));
    if (call.params == NULL) {
        call.params = empty;
    }
    const bool good = dispatch(server, &call, method != NULL ? method : "");
    json_t *reply = json_object();
    json_t *id = json_object_get(request, "id");
    json_object_set(reply, "id", id != NULL ? id : json_null());
    if (good) {
        json_object_set(reply, "result", call.result);
    } else {
        json_object_set_new(
            reply, "error",
            json_pack("{s:s, s:b}", "message", call.message, "unsupported", (int)call.unsupported));
    }
    json_dumpf(reply, stdout, JSON_COMPACT);
    putchar('\n');
    fflush(stdout);
    json_decref(reply);
    json_decref(call.result);
    json_decref(request);
    json_decref(empty);
}

int main(void)
{
    struct server server = {.env = sotto_env_system()};
    char *line = NULL;
    size_t capacity = 0;
    while (getline(&line, &capacity, stdin) > 0) {
        answer(&server, line);
    }
    free(line);
    while (server.parties != NULL) {
        party_free(&server, server.parties);
    }
    return 0;
}
