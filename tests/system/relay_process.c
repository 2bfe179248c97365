#include "system/relay_process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "unit/folder.h"

enum { START_MS = 60000, CALL_MS = 60000 };

static void nap(void)
{
    const struct timespec pause = {0, 5 * 1000 * 1000};
    nanosleep(&pause, NULL);
}

static const char *program(void)
{
    const char *path = getenv("SOTTOD");
    assert_non_null(path);
    return path;
}

/* The whole of a file with a NUL behind; NULL if there is none. */
static char *read_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return NULL;
    char *text = calloc(1, 1 << 20);
    assert_non_null(text);
    size_t size = fread(text, 1, (1 << 20) - 1, file);
    text[size] = '\0';
    fclose(file);
    return text;
}

/* ---- The process ---------------------------------------------------------------------------- */

/* No assertion in here: a failed one would go on with the tests, in the child. */
static void run_child(struct relay_process *relay, const char *path)
{
    const char *arguments[32] = {path,          "--data",       relay->data, "--listen",
                                 relay->listen, "--ready-file", relay->ready};
    size_t count = 7;
    for (size_t i = 0; relay->options[i] != NULL; i++)
        arguments[count++] = relay->options[i];
    if (SANITIZED) /* the leak check at the end looks at the process as a debugger does */
        arguments[count++] = "--allow-core";
    int log = open(relay->log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    dup2(log, 1);
    dup2(log, 2);
    execv(arguments[0], (char *const *)arguments);
    _exit(127);
}

void relay_start(struct relay_process *relay)
{
    sotto_fault fault;
    char *text = NULL;
    const char *path = program();
    unlink(relay->ready);
    relay->pid = fork();
    assert_true(relay->pid >= 0);
    if (relay->pid == 0)
        run_child(relay, path);
    for (int waited = 0; waited < START_MS && text == NULL; waited += 5) {
        text = read_file(relay->ready);
        assert_int_equal(waitpid(relay->pid, NULL, WNOHANG), 0);
        nap();
    }
    assert_non_null(text);
    text[strcspn(text, "\n")] = '\0';
    assert_ok(address_parse(sotto_bytes_str(text), &relay->address, &fault));
    snprintf(relay->listen, sizeof relay->listen, "127.0.0.1:%u", relay->address.port);
    free(text);
}

void relay_begin(struct relay_process *relay, const char *const *options)
{
    *relay = (struct relay_process){
        .listen = "127.0.0.1:0",
        .sanitized = SANITIZED,
    };
    for (size_t i = 0; options != NULL && options[i] != NULL; i++)
        relay->options[i] = options[i];
    assert_true(folder_make(relay->folder, "relay"));
    snprintf(relay->data, sizeof relay->data, "%s/data", relay->folder);
    snprintf(relay->ready, sizeof relay->ready, "%s/ready", relay->folder);
    snprintf(relay->log, sizeof relay->log, "%s/log", relay->folder);
    assert_ok(tls_client(sotto_env_system(), &relay->tls));
    relay_start(relay);
}

void relay_kill(struct relay_process *relay)
{
    kill(relay->pid, SIGKILL);
    waitpid(relay->pid, NULL, 0);
    relay->pid = 0;
}

int relay_stop(struct relay_process *relay)
{
    int status = 0;
    kill(relay->pid, SIGTERM);
    waitpid(relay->pid, &status, 0);
    relay->pid = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void relay_end(struct relay_process *relay)
{
    if (relay->pid != 0)
        assert_int_equal(relay_stop(relay), 0);
    char *log = read_file(relay->log);
    if (log != NULL && (strstr(log, "Sanitizer") != NULL || strstr(log, "bug:") != NULL))
        fail_msg("%s", log);
    free(log);
    tls_free(relay->tls);
    folder_remove(relay->folder);
}

int relay_command(struct relay_process *relay, const char *command, char *out, size_t size)
{
    char line[1024];
    snprintf(line, sizeof line, "%s --data %s %s 2>/dev/null", program(), relay->data, command);
    FILE *pipe = popen(line, "r");
    assert_non_null(pipe);
    size_t got = fread(out, 1, size - 1, pipe);
    out[got] = '\0';
    return WEXITSTATUS(pclose(pipe));
}

char *relay_log(struct relay_process *relay)
{
    char *text = read_file(relay->log);
    assert_non_null(text);
    return text;
}

void relay_code(struct relay_process *relay, char code[static 7])
{
    for (int waited = 0; waited < CALL_MS; waited += 5) {
        char *log = relay_log(relay), *at = NULL;
        for (char *next = log; (next = strstr(next, " code=")) != NULL; next++)
            at = next;
        if (at != NULL)
            snprintf(code, 7, "%.6s", at + 6);
        free(log);
        if (at != NULL)
            return;
        nap();
    }
    fail_msg("no code in the log");
}

/* ---- Clients -------------------------------------------------------------------------------- */

struct link *client_open(struct relay_process *relay, enum connection_kind kind)
{
    const struct link_options options = {
        .kind = kind,
        .address = relay->address,
        .answer_timeout_ms = CALL_MS,
    };
    const struct link_handler handler = {0};
    struct link *link;
    assert_ok(link_open(sotto_env_system(), relay->tls, &options, &handler, &link));
    return link;
}

static void on_answer(void *ctx, sotto_error error, const struct message *answer)
{
    struct reply *reply = ctx;
    reply->done = true;
    reply->error = error;
    if (answer == NULL)
        return;
    if (error == SOTTO_REFUSED) {
        reply->code = answer->error.code;
        reply->detail = answer->error.detail;
        return;
    }
    sotto_fault fault;
    assert_ok(message_write(answer, &reply->bytes));
    assert_ok(message_read(sotto_buf_view(&reply->bytes), MESSAGE_TO_CLIENT, &reply->arena,
                           &reply->answer, &fault));
}

static bool is_done(void *ctx)
{
    return ((struct reply *)ctx)->done;
}

uint16_t client_call(struct link *link, const struct message *message, struct reply *reply)
{
    *reply = (struct reply){0};
    arena_init(&reply->arena, sotto_env_system());
    sotto_buf_init(&reply->bytes, sotto_env_system());
    assert_ok(link_request(link, message, on_answer, reply, NULL));
    link_wait(link, CALL_MS, is_done, reply);
    assert_true(reply->done);
    return reply->error == SOTTO_OK ? 0 : reply->error == SOTTO_REFUSED ? reply->code : UINT16_MAX;
}

void reply_free(struct reply *reply)
{
    arena_free(&reply->arena);
    sotto_buf_free(&reply->bytes);
}

uint16_t client_ask(struct link *link, const struct message *message)
{
    struct reply reply;
    uint16_t code = client_call(link, message, &reply);
    reply_free(&reply);
    return code;
}

static bool never(void *ctx)
{
    (void)ctx;
    return false;
}

bool client_run(struct link *link, uint32_t ms, bool (*done)(void *ctx), void *ctx)
{
    return link_wait(link, ms, done == NULL ? never : done, ctx) == SOTTO_OK;
}

/* ---- Rooms ---------------------------------------------------------------------------------- */

struct room_id test_room(unsigned n)
{
    struct room_id room = {{0}};
    memcpy(room.bytes, &n, sizeof n);
    return room;
}

sotto_bytes test_token(unsigned n)
{
    static uint8_t tokens[64][TOKEN_SIZE];
    static size_t at;
    uint8_t *token = tokens[at++ % 64];
    memset(token, 0, TOKEN_SIZE);
    memcpy(token, &n, sizeof n);
    return sotto_bytes_of(token, TOKEN_SIZE);
}

struct gate test_gate(unsigned n)
{
    struct gate gate;
    gate_of(test_token(n), &gate);
    return gate;
}

uint16_t client_create(struct link *link, unsigned room, unsigned write, unsigned read)
{
    const struct message message = {
        .type = MESSAGE_ROOM_CREATE,
        .room_create = {.room = test_room(room),
                        .write_gate = test_gate(write),
                        .read_gate = test_gate(read)},
    };
    return client_ask(link, &message);
}

struct message append_of(unsigned room, unsigned id, uint64_t epoch, unsigned token,
                         sotto_bytes bytes)
{
    struct message message = {
        .type = MESSAGE_ROOM_APPEND,
        .append = {.room = test_room(room),
                   .epoch = epoch,
                   .write_token = test_token(token),
                   .kind = ENTRY_MESSAGE,
                   .bytes = bytes},
    };
    memcpy(message.append.append_id.bytes, &id, sizeof id);
    return message;
}

uint16_t client_say(struct link *link, unsigned room, unsigned id, uint64_t epoch, unsigned token,
                    uint64_t *seq)
{
    struct reply reply;
    const struct message message =
        append_of(room, id, epoch, token, sotto_bytes_of((const uint8_t *)&id, sizeof id));
    uint16_t code = client_call(link, &message, &reply);
    if (seq != NULL)
        *seq = code == 0 ? reply.answer.seq : reply.detail;
    reply_free(&reply);
    return code;
}

/* ---- Listening ------------------------------------------------------------------------------ */

static void hear_entry(struct listener *listener, const struct entry *entry)
{
    if (listener->next != 0 && entry->seq != listener->next)
        listener->gap = true;
    listener->next = entry->seq + 1;
    if (listener->ids != NULL && listener->entries < listener->ids_max)
        memcpy(&listener->ids[listener->entries], entry->append_id.bytes, sizeof(unsigned));
    listener->entries++;
}

static void on_push(void *ctx, const struct message *push)
{
    struct listener *listener = ctx;
    if (push->type == MESSAGE_ROOM_END) {
        listener->ended = push->end_code;
    } else if (push->type == MESSAGE_INBOX_ENVELOPE) {
        listener->envelopes++;
        listener->last_envelope = push->inbox_envelope.seq;
    } else if (push->type == MESSAGE_ROOM_WHISPERED) {
        listener->whispers++;
        listener->last_whisper = push->whispered.data[0];
    } else {
        listener->batches++;
        for (size_t i = 0; i < push->room_entries.count; i++)
            hear_entry(listener, &push->room_entries.entries[i]);
    }
}

struct subscribing {
    struct listener *listener;
    struct reply reply;
};

/* link_subscribe has one context for answers and pushes. */
static struct subscribing *current;

static void on_subscribed(void *ctx, sotto_error error, const struct message *answer)
{
    (void)ctx;
    on_answer(&current->reply, error, answer);
}

uint16_t client_listen(struct link *link, unsigned room, unsigned read, uint64_t from,
                       struct listener *listener)
{
    struct subscribing subscribing = {.listener = listener};
    struct message message = {
        .type = room == 0 ? MESSAGE_INBOX_SUBSCRIBE : MESSAGE_ROOM_SUBSCRIBE,
    };
    if (room != 0)
        message.room_subscribe = (struct room_subscribe){test_room(room), test_token(read), from};
    arena_init(&subscribing.reply.arena, sotto_env_system());
    sotto_buf_init(&subscribing.reply.bytes, sotto_env_system());
    current = &subscribing;
    listener->next = room == 0 ? 0 : from;
    assert_ok(link_subscribe(link, &message, on_subscribed, on_push, listener, &listener->request));
    link_wait(link, CALL_MS, is_done, &subscribing.reply);
    assert_true(subscribing.reply.done);
    const struct reply *reply = &subscribing.reply;
    if (reply->error != SOTTO_OK && reply->error != SOTTO_REFUSED)
        fail_msg("no answer to a subscription: %s", sotto_error_name(reply->error));
    if (reply->error == SOTTO_OK && room != 0) {
        listener->head = reply->answer.room_subscribe_ok.head;
        listener->first = reply->answer.room_subscribe_ok.first;
        listener->epoch = reply->answer.room_subscribe_ok.epoch;
    } else if (reply->error == SOTTO_OK) {
        listener->head = reply->answer.head;
    }
    uint16_t code = reply->error == SOTTO_OK ? 0 : reply->code;
    reply_free(&subscribing.reply);
    return code;
}

struct hearing {
    struct listener *listener;
    size_t entries;
};

static bool has_heard(void *ctx)
{
    const struct hearing *hearing = ctx;
    return hearing->listener->entries + hearing->listener->envelopes >= hearing->entries ||
           hearing->listener->ended != 0;
}

bool client_hear(struct link *link, struct listener *listener, size_t entries)
{
    struct hearing hearing = {listener, entries};
    return client_run(link, CALL_MS, has_heard, &hearing);
}

/* ---- People --------------------------------------------------------------------------------- */

void member_begin(struct member *member, unsigned n)
{
    static const uint8_t key[SIGN_KEY_SIZE] = {1}, inbox_key[INBOX_KEY_SIZE] = {2};
    uint8_t account_key[SIGN_KEY_SIZE], sign_in_key[SIGN_KEY_SIZE];
    struct device device = {
        .signature_key = sotto_bytes_of(key, sizeof key),
        .inbox_key = sotto_bytes_of(inbox_key, sizeof inbox_key),
    };
    const struct manifest manifest = {.number = 1, .devices = &device, .device_count = 1};
    memset(member, 0, sizeof *member);
    memset(member->seed, (int)n, sizeof member->seed);
    memset(member->sign_in_seed, (int)n + 100, sizeof member->sign_in_seed);
    memset(member->device.bytes, (int)n, sizeof member->device.bytes);
    wire_sign_public(member->seed, account_key);
    account_id_of(account_key, &member->account);
    wire_sign_public(member->sign_in_seed, sign_in_key);
    device.id = member->device;
    wire_hash(sotto_bytes_of(sign_in_key, sizeof sign_in_key), device.sign_in_hash);
    sotto_buf_init(&member->manifest, sotto_env_system());
    assert_ok(manifest_write(&manifest, member->seed, &member->manifest));
}

void member_end(struct member *member)
{
    sotto_buf_free(&member->manifest);
}

static bool is_ready(void *ctx)
{
    return link_hello(ctx) != NULL;
}

static void prove(struct member *member, struct link *link, struct proof *proof)
{
    assert_true(client_run(link, CALL_MS, is_ready, link));
    proof_make(member->sign_in_seed, link_hello(link)->challenge, &member->account, &member->device,
               proof);
}

static sotto_bytes text_of(const char *text)
{
    return text == NULL ? (sotto_bytes){0} : sotto_bytes_str(text);
}

uint16_t member_register(struct member *member, struct link *link, const char *phone,
                         const char *invitation, const char *code, uint64_t *detail)
{
    struct reply reply;
    struct message message = {
        .type = MESSAGE_REGISTER,
        .register_request = {.manifest = sotto_buf_view(&member->manifest),
                             .device = member->device,
                             .phone = text_of(phone),
                             .invitation = text_of(invitation),
                             .code = text_of(code)},
    };
    prove(member, link, &message.register_request.proof);
    uint16_t answer = client_call(link, &message, &reply);
    if (detail != NULL)
        *detail = reply.detail;
    reply_free(&reply);
    return answer;
}

uint16_t member_sign_in(struct member *member, struct link *link)
{
    struct message message = {
        .type = MESSAGE_SIGN_IN,
        .sign_in = {.account = member->account, .device = member->device},
    };
    prove(member, link, &message.sign_in.proof);
    return client_ask(link, &message);
}

uint16_t member_delete(const struct member *member, const struct member *signer, struct link *link,
                       bool unless_waiting, uint64_t *detail)
{
    struct reply reply;
    struct message message = {.type = MESSAGE_DELETE_ACCOUNT,
                              .delete_account = {.unless_waiting = unless_waiting}};
    uint8_t key[SIGN_KEY_SIZE], hash[HASH_SIZE];
    wire_sign_public(member->sign_in_seed, key);
    wire_hash(sotto_bytes_of(key, sizeof key), hash);
    ending_proof_make(signer->seed, link_hello(link)->challenge, &member->account, &member->device,
                      hash, &message.delete_account.proof);
    uint16_t answer = client_call(link, &message, &reply);
    if (detail != NULL)
        *detail = reply.detail;
    reply_free(&reply);
    return answer;
}
