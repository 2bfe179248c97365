/* --json: one object a line. The fields are documented in docs/CLI.md and only ever grow. */
#include <jansson.h>
#include <string.h>

#include "cli/cli.h"

/* A JSON string of text that may hold anything: what is not UTF-8 becomes U+FFFD. */
static json_t *json_text(const struct cli *cli, sotto_bytes text)
{
    json_t *whole = json_stringn(text.size > 0 ? (const char *)text.data : "", text.size);
    if (whole != NULL)
        return whole;
    sotto_buf clean;
    sotto_buf_init(&clean, cli->env);
    sotto_error error = SOTTO_OK;
    for (size_t pos = 0; pos < text.size && error == SOTTO_OK;) {
        uint32_t scalar = 0;
        size_t size = utf8_next(sotto_bytes_of(text.data + pos, text.size - pos), &scalar);
        error = size > 0 ? sotto_buf_append(&clean, text.data + pos, size)
                         : sotto_buf_append(&clean, (const uint8_t *)"\xEF\xBF\xBD", 3);
        pos += size > 0 ? size : 1;
    }
    whole = json_stringn((const char *)clean.data, clean.size);
    sotto_buf_free(&clean);
    return whole;
}

static void set_text(struct cli *cli, json_t *object, const char *key, const char *text)
{
    (void)json_object_set_new(object, key,
                              json_text(cli, sotto_bytes_str(text != NULL ? text : "")));
}

static void set_number(json_t *object, const char *key, uint64_t value)
{
    (void)json_object_set_new(object, key, json_integer((json_int_t)value));
}

static void set_bool(json_t *object, const char *key, bool value)
{
    (void)json_object_set_new(object, key, json_boolean(value));
}

static void set_id(struct cli *cli, json_t *object, const char *key, const struct core_id *id)
{
    char hex[65];
    hex_print(hex, id->bytes, sizeof id->bytes);
    set_text(cli, object, key, hex);
}

static json_t *object_new(struct cli *cli, const char *type)
{
    json_t *object = json_object();
    if (type != NULL)
        set_text(cli, object, "type", type);
    return object;
}

static void object_print(json_t *object)
{
    char *line = json_dumps(object, JSON_COMPACT);
    json_decref(object);
    if (line == NULL) {
        fputs("{\"error\":{\"code\":\"no_memory\",\"message\":\"Out of memory.\",\"next\":\"\"}}\n",
              stdout);
        return;
    }
    fputs(line, stdout);
    fputc('\n', stdout);
    /* Messages are plaintext: nothing of them is left in a freed block. */
    wipe(line, strlen(line));
    free(line);
}

static void json_message(struct cli *cli, const struct core_message *message, bool with_title)
{
    (void)with_title;
    json_t *object = object_new(cli, "message");
    if (message->id != 0)
        set_number(object, "id", (uint64_t)message->id);
    set_id(cli, object, "conversation", &message->conversation);
    set_text(cli, object, "title", message->title);
    set_text(cli, object, "kind", core_message_kind_name(message->kind));
    set_text(cli, object, "status", core_message_status_name(message->status));
    if (message->seq != 0)
        set_number(object, "seq", message->seq);
    set_id(cli, object, "sender", &message->sender);
    set_text(cli, object, "name", message->sender_name);
    set_bool(object, "own", message->own);
    set_number(object, "time", message->time_s);
    if (message->kind == CORE_TEXT || message->kind == CORE_FILE)
        (void)json_object_set_new(object, "text", json_text(cli, message->text));
    if (message->kind == CORE_FILE) {
        set_text(cli, object, "fileName", message->file_name);
        set_number(object, "fileSize", message->file_size);
    }
    if (message->kind == CORE_ADDED || message->kind == CORE_REMOVED ||
        message->kind == CORE_LEFT) {
        set_id(cli, object, "subject", &message->subject);
        set_text(cli, object, "subjectName", message->subject_name);
    }
    if (message->client_id[0] != '\0')
        set_text(cli, object, "clientId", message->client_id);
    object_print(object);
}

static void json_conversation(struct cli *cli, const struct core_conversation *one)
{
    json_t *object = object_new(cli, "conversation");
    set_id(cli, object, "conversation", &one->id);
    set_text(cli, object, "title", one->title);
    set_text(cli, object, "kind", one->group ? "group" : "person");
    set_text(cli, object, "state", core_room_state_name(one->state));
    set_text(cli, object, "relay", one->relay);
    set_number(object, "epoch", one->epoch);
    set_number(object, "seq", one->seq);
    set_number(object, "members", one->members);
    set_number(object, "waiting", one->waiting);
    set_number(object, "unread", one->unread);
    if (one->authenticator[0] != '\0')
        set_text(cli, object, "epochAuthenticator", one->authenticator);
    if (one->trouble[0] != '\0')
        set_text(cli, object, "trouble", one->trouble);
    object_print(object);
}

static void json_contact(struct cli *cli, const struct core_contact *contact)
{
    json_t *object = object_new(cli, "contact");
    set_id(cli, object, "account", &contact->account);
    set_text(cli, object, "name", contact->name);
    set_text(cli, object, "relay", contact->relay);
    set_bool(object, "blocked", contact->blocked);
    object_print(object);
}

static void json_member(struct cli *cli, const struct core_member *member)
{
    json_t *object = object_new(cli, "member");
    set_id(cli, object, "account", &member->account);
    set_text(cli, object, "device", member->device);
    set_text(cli, object, "name", member->name);
    set_bool(object, "own", member->own);
    object_print(object);
}

static void json_request(struct cli *cli, const struct core_request *request)
{
    json_t *object = object_new(cli, "request");
    set_number(object, "request", (uint64_t)request->id);
    set_id(cli, object, "conversation", &request->conversation);
    set_id(cli, object, "sender", &request->sender);
    set_text(cli, object, "name", request->sender_name);
    set_number(object, "time", request->time_s);
    object_print(object);
}

static json_t *account_object(struct cli *cli, const struct core_account *account, const char *type)
{
    json_t *object = object_new(cli, type);
    set_bool(object, "registered", account->registered);
    if (account->registered) {
        set_id(cli, object, "account", &account->account);
        set_text(cli, object, "device", account->device);
        set_text(cli, object, "name", account->name);
        set_text(cli, object, "relay", account->relay);
        set_text(cli, object, "suite", account->suite);
    }
    return object;
}

static void json_account(struct cli *cli, const struct core_account *account)
{
    object_print(account_object(cli, account, "account"));
}

static void json_status(struct cli *cli, const struct core_account *account,
                        const struct core_status *status)
{
    json_t *object = account_object(cli, account, "status");
    set_text(cli, object, "profile", cli->profile);
    set_bool(object, "passphrase", status->passphrase);
    set_number(object, "conversations", status->conversations);
    set_number(object, "waiting", status->waiting);
    set_number(object, "requests", status->requests);
    set_number(object, "contacts", status->contacts);
    set_number(object, "tokens", status->tokens);
    set_number(object, "tokenKey", status->token_key);
    char hex[65];
    hex_print(hex, status->token_key_hash, sizeof status->token_key_hash);
    set_text(cli, object, "tokenKeyHash", hex);
    object_print(object);
}

static void json_invitation(struct cli *cli, const struct shown_invitation *invitation)
{
    json_t *object = object_new(cli, "invitation");
    set_text(cli, object, "link", invitation->link);
    set_number(object, "uses", invitation->uses);
    set_number(object, "expires", invitation->expires_s);
    object_print(object);
}

static void json_fingerprint(struct cli *cli, const struct core_fingerprint *fingerprint, bool own)
{
    json_t *object = object_new(cli, "fingerprint");
    set_text(cli, object, "digits", fingerprint->digits);
    set_text(cli, object, "name", fingerprint->name);
    set_bool(object, "own", own);
    object_print(object);
}

static void json_sending(struct cli *cli, const struct shown_sending *sending)
{
    json_t *object = object_new(cli, "sending");
    set_id(cli, object, "conversation", &sending->conversation);
    set_text(cli, object, "clientId", sending->client_id);
    set_text(cli, object, "status", core_message_status_name(sending->status));
    if (sending->seq != 0)
        set_number(object, "seq", sending->seq);
    object_print(object);
}

static void json_saved(struct cli *cli, const char *path)
{
    json_t *object = object_new(cli, "saved");
    set_text(cli, object, "path", path);
    object_print(object);
}

static void json_done(struct cli *cli, const char *what, const struct core_id *conversation,
                      const char *sentence)
{
    (void)sentence;
    json_t *object = object_new(cli, "done");
    set_text(cli, object, "what", what);
    if (conversation != NULL)
        set_id(cli, object, "conversation", conversation);
    object_print(object);
}

static void json_nothing(struct cli *cli, const char *sentence)
{
    (void)cli;
    (void)sentence;
}

static json_t *problem_object(struct cli *cli, const struct core_problem *problem)
{
    json_t *object = json_object();
    set_text(cli, object, "code", core_code_name(problem->code));
    set_text(cli, object, "message", problem->message);
    set_text(cli, object, "next", problem->next);
    return object;
}

static void json_notice(struct cli *cli, const struct core_problem *problem)
{
    json_t *object = object_new(cli, "connection");
    set_text(cli, object, "state", problem != NULL ? "lost" : "back");
    if (problem != NULL)
        (void)json_object_set_new(object, "problem", problem_object(cli, problem));
    object_print(object);
    (void)fflush(stdout);
}

static void json_problem(struct cli *cli, const struct core_problem *problem)
{
    json_t *object = json_object();
    (void)json_object_set_new(object, "error", problem_object(cli, problem));
    object_print(object);
    (void)fflush(stdout);
}

const struct output output_json = {
    json_message, json_conversation, json_contact,    json_member,      json_request,
    json_account, json_status,       json_invitation, json_fingerprint, json_sending,
    json_saved,   json_done,         json_nothing,    json_notice,      json_problem,
};
