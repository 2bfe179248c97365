/* --json: one object a line. The fields are documented in docs/CLI.md and only ever grow. */
#include "cli/cli.h"
#include "rpc/json_memory.h"
#include "rpc/objects.h"

static void object_print(json_t *object)
{
    sotto_buf line;
    sotto_buf_init(&line, sotto_env_system());
    if (json_write(object, &line) == SOTTO_OK)
        fwrite(line.data, 1, line.size, stdout);
    else
        fputs("{\"error\":{\"code\":\"no_memory\",\"message\":\"Out of memory.\",\"next\":\"\"}}",
              stdout);
    fputc('\n', stdout);
    sotto_buf_free(&line);
    json_decref(object);
}

/* With its type in front. */
static void print_as(const char *type, json_t *object)
{
    json_t *typed = json_object();
    (void)json_object_set_new(typed, "type", json_string(type));
    (void)json_object_update(typed, object);
    json_decref(object);
    object_print(typed);
}

static void json_message(struct cli *cli, const struct sotto_message *message, bool with_title)
{
    (void)with_title;
    print_as("message", object_message(cli->env, message));
}

static void json_receipt(struct cli *cli, const struct sotto_receipt *receipt)
{
    print_as("receipt", object_receipt(cli->env, receipt));
}

static void json_conversation(struct cli *cli, const struct sotto_conversation *one)
{
    print_as("conversation", object_conversation(cli->env, one));
}

static void json_settings(struct cli *cli, const struct sotto_conversation *one)
{
    json_t *object = object_conversation(cli->env, one);
    (void)json_object_set_new(object, "settings", object_settings(cli->env, &one->settings));
    print_as("conversation", object);
}

static void json_join_link(struct cli *cli, const struct sotto_join_link *link)
{
    (void)cli;
    print_as("joinLink", object_join_link(link));
}

static void json_join_request(struct cli *cli, const struct sotto_join_request *request)
{
    print_as("joinRequest", object_join_request(cli->env, request));
}

static void json_standing(struct cli *cli, const struct sotto_standing *standing)
{
    print_as("standing", object_standing(cli->env, standing));
}

static void json_contact(struct cli *cli, const struct sotto_contact *contact)
{
    print_as("contact", object_contact(cli->env, contact));
}

static void json_labels(struct cli *cli, const struct sotto_labels *labels)
{
    print_as("labels", object_labels(cli->env, labels));
}

static void json_found(struct cli *cli, const struct sotto_found *found)
{
    print_as("found", object_found(cli->env, found));
}

static void json_member(struct cli *cli, const struct sotto_member *member)
{
    print_as("member", object_member(cli->env, member));
}

static void json_request(struct cli *cli, const struct sotto_request *request)
{
    print_as("request", object_request(cli->env, request));
}

static void json_account(struct cli *cli, const struct sotto_account *account)
{
    print_as("account", object_account(cli->env, account));
}

static void json_status(struct cli *cli, const struct sotto_account *account,
                        const struct sotto_status *status)
{
    json_t *object = object_account(cli->env, account);
    object_set_text(cli->env, object, "profile", cli->profile);
    object_set_status(object, status);
    print_as("status", object);
}

static void json_invitation(struct cli *cli, const struct shown_invitation *invitation)
{
    print_as("invitation", object_invitation(cli->env, invitation->link, invitation->uses,
                                             invitation->expires_s));
}

static void json_backup(struct cli *cli, const char *path, const struct sotto_backup_made *made)
{
    print_as("backup", object_backup(cli->env, path, made));
}

static void json_exported(struct cli *cli, const char *path, const struct sotto_exported *exported)
{
    print_as("exported", object_exported(cli->env, path, exported));
}

static void json_imported(struct cli *cli, const struct sotto_imported *imported)
{
    (void)cli;
    print_as("imported", object_imported(imported));
}

static void json_restored(struct cli *cli, const struct sotto_restored *restored)
{
    (void)cli;
    print_as("restored", object_restored(restored));
}

static void json_device_link(struct cli *cli, const char *link, uint64_t expires_s)
{
    print_as("deviceLink", object_device_link(cli->env, link, expires_s));
}

static void json_phrase(struct cli *cli, const char *phrase)
{
    print_as("recoveryPhrase", object_phrase(cli->env, phrase));
}

static void json_device(struct cli *cli, const struct sotto_device *device)
{
    print_as("device", object_device(cli->env, device));
}

static void json_progress(struct cli *cli, const char *what, uint64_t done, uint64_t of,
                          const char *unit)
{
    (void)cli;
    (void)what;
    (void)done;
    (void)of;
    (void)unit;
}

static void json_fingerprint(struct cli *cli, const struct sotto_fingerprint *fingerprint, bool own)
{
    print_as("fingerprint", object_fingerprint(cli->env, fingerprint, own));
}

static void json_sending(struct cli *cli, const struct shown_sending *sending)
{
    print_as("sending", object_sending(cli->env, &sending->conversation, sending->client_id,
                                       sending->status, sending->seq));
}

static void json_saved(struct cli *cli, const char *path)
{
    json_t *object = json_object();
    object_set_text(cli->env, object, "path", path);
    print_as("saved", object);
}

static void json_message_link(struct cli *cli, const char *link)
{
    json_t *object = json_object();
    object_set_text(cli->env, object, "link", link);
    print_as("messageLink", object);
}

static void json_proxy(struct cli *cli, const struct sotto_proxy *proxy)
{
    print_as("proxy", object_proxy(cli->env, proxy));
}

static void json_done(struct cli *cli, const char *what, const struct sotto_id *conversation,
                      const char *sentence)
{
    (void)sentence;
    json_t *object = json_object();
    object_set_text(cli->env, object, "what", what);
    if (conversation != NULL)
        object_set_id(object, "conversation", conversation);
    print_as("done", object);
}

static void json_nothing(struct cli *cli, const char *sentence)
{
    (void)cli;
    (void)sentence;
}

static void json_notice(struct cli *cli, const struct sotto_problem *problem)
{
    json_t *object = json_object();
    object_set_text(cli->env, object, "state", problem != NULL ? "lost" : "back");
    if (problem != NULL)
        (void)json_object_set_new(object, "problem", object_problem(cli->env, problem));
    print_as("connection", object);
    (void)fflush(stdout);
}

static void json_relay(struct cli *cli, const struct sotto_relay *relay)
{
    print_as("relay", object_relay(cli->env, relay));
}

static void json_evidence(struct cli *cli, const struct sotto_order_evidence *evidence)
{
    print_as("evidence", object_evidence(cli->env, evidence));
}

static void json_told(struct cli *cli, const struct sotto_notice *notice)
{
    print_as("notice", object_notice(cli->env, notice));
}

static void json_problem(struct cli *cli, const struct sotto_problem *problem)
{
    json_t *object = json_object();
    (void)json_object_set_new(object, "error", object_problem(cli->env, problem));
    object_print(object);
    (void)fflush(stdout);
}

const struct output output_json = {
    json_message,      json_receipt,  json_conversation, json_settings,    json_join_link,
    json_join_request, json_standing, json_contact,      json_labels,      json_found,
    json_member,       json_request,  json_account,      json_status,      json_invitation,
    json_backup,       json_exported, json_imported,     json_restored,    json_device_link,
    json_phrase,       json_device,   json_progress,     json_fingerprint, json_proxy,
    json_sending,      json_saved,    json_message_link, json_done,        json_nothing,
    json_notice,       json_problem,  json_relay,        json_evidence,    json_told,
};
