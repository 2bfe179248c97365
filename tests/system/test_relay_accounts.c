/* The account connection of a real relay, its commands, its log, and what strangers may send it. */
#include "system/relay_process.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "wire/channel.h"

#define PHONE "+491555012345"

static int begin(void **state)
{
    struct relay_process *relay = malloc(sizeof *relay);
    relay_begin(relay, NULL);
    *state = relay;
    return 0;
}

static int begin_with(void **state, const char *const *options)
{
    struct relay_process *relay = malloc(sizeof *relay);
    relay_begin(relay, options);
    *state = relay;
    return 0;
}

static int begin_invite(void **state)
{
    return begin_with(state, (const char *const[]){"--registration", "invite", NULL});
}

static int begin_command(void **state)
{
    char path[64];
    snprintf(path, sizeof path, "/tmp/sotto-codes-%d", (int)getpid());
    setenv("SOTTO_TEST_CODES", path, 1);
    return begin_with(state,
                      (const char *const[]){"--registration", "phone", "--code-command",
                                            "cat >\"$SOTTO_TEST_CODES.new\" && mv "
                                            "\"$SOTTO_TEST_CODES.new\" \"$SOTTO_TEST_CODES\"",
                                            NULL});
}

static int begin_limited(void **state)
{
    return begin_with(state, (const char *const[]){"--rate-requests", "5", "--rate-sign-ins", "3",
                                                   "--ip-retention", "none", NULL});
}

static int end(void **state)
{
    relay_end(*state);
    free(*state);
    return 0;
}

/* ---- Accounts ------------------------------------------------------------------------------- */

static void an_account_publishes_and_is_found(void **state)
{
    struct relay_process *relay = *state;
    struct member anna;
    struct reply reply;
    struct link *link = client_open(relay, CONNECTION_ACCOUNT);
    struct link *room = client_open(relay, CONNECTION_ROOM);
    const sotto_bytes packages[] = {sotto_bytes_str("one"), sotto_bytes_str("two")};
    struct message publish = {
        .type = MESSAGE_PUBLISH_KEY_PACKAGES,
        .publish_key_packages = {packages, 2, sotto_bytes_str("last")},
    };
    struct message count = {.type = MESSAGE_COUNT_KEY_PACKAGES};
    member_begin(&anna, 1);
    assert_int_equal(member_sign_in(&anna, link), WIRE_CODE_SIGN_IN_FAILED);
    assert_int_equal(client_ask(link, &publish), WIRE_CODE_NOT_SIGNED_IN);
    assert_int_equal(member_register(&anna, link, NULL, NULL, NULL, NULL), 0);
    assert_int_equal(client_call(link, &publish, &reply), 0);
    assert_int_equal(reply.answer.key_package_count.count, 2);
    reply_free(&reply);
    assert_int_equal(client_call(link, &count, &reply), 0);
    assert_int_equal(reply.answer.key_package_count.count, 2);
    assert_true(reply.answer.key_package_count.has_last_resort);
    reply_free(&reply);
    struct message look = {.type = MESSAGE_GET_MANIFEST, .get_manifest = {.account = anna.account}};
    assert_int_equal(client_call(room, &look, &reply), 0);
    assert_bytes(reply.answer.manifest, sotto_buf_view(&anna.manifest));
    reply_free(&reply);
    struct message take = {
        .type = MESSAGE_TAKE_KEY_PACKAGE,
        .take_key_package = {.account = anna.account, .device = anna.device},
    };
    static const char *const expected[] = {"one", "two", "last", "last"};
    for (size_t i = 0; i < 4; i++) {
        take.take_key_package.take_id.bytes[0] = (uint8_t)(i + 1);
        assert_int_equal(client_call(room, &take, &reply), 0);
        assert_bytes(reply.answer.key_package, sotto_bytes_str(expected[i]));
        reply_free(&reply);
    }
    link_free(link);
    link = client_open(relay, CONNECTION_ACCOUNT);
    assert_int_equal(member_sign_in(&anna, link), 0);
    link_free(link);
    link_free(room);
    member_end(&anna);
}

static void a_code_proves_a_phone_number_and_the_log_tells_no_more_than_its_end(void **state)
{
    struct relay_process *relay = *state;
    struct member anna;
    uint64_t detail;
    char code[7];
    struct link *link = client_open(relay, CONNECTION_ACCOUNT);
    member_begin(&anna, 1);
    assert_int_equal(member_register(&anna, link, "12345", NULL, NULL, NULL),
                     WIRE_CODE_PHONE_NEEDED);
    assert_int_equal(member_register(&anna, link, PHONE, NULL, NULL, &detail), WIRE_CODE_CODE_SENT);
    assert_true(detail > 0);
    assert_int_equal(member_register(&anna, link, PHONE, NULL, "wrong", &detail),
                     WIRE_CODE_WRONG_CODE);
    relay_code(relay, code);
    assert_int_equal(member_register(&anna, link, PHONE, NULL, code, NULL), 0);
    char *log = relay_log(relay);
    assert_non_null(strstr(log, "phone_ends=45"));
    assert_null(strstr(log, &PHONE[1]));
    free(log);
    link_free(link);
    member_end(&anna);
}

static void a_command_reads_the_number_and_the_code_from_its_input(void **state)
{
    struct relay_process *relay = *state;
    struct member anna;
    char phone[32] = "", code[32] = "";
    struct link *link = client_open(relay, CONNECTION_ACCOUNT);
    member_begin(&anna, 1);
    assert_int_equal(member_register(&anna, link, NULL, NULL, NULL, NULL), WIRE_CODE_PHONE_NEEDED);
    assert_int_equal(member_register(&anna, link, PHONE, NULL, NULL, NULL), WIRE_CODE_CODE_SENT);
    FILE *file = NULL;
    for (int waited = 0; waited < 1000 && file == NULL; waited++) {
        file = fopen(getenv("SOTTO_TEST_CODES"), "r");
        client_run(link, 20, NULL, NULL);
    }
    assert_non_null(file);
    assert_non_null(fgets(phone, sizeof phone, file));
    assert_non_null(fgets(code, sizeof code, file));
    fclose(file);
    unlink(getenv("SOTTO_TEST_CODES"));
    code[strcspn(code, "\n")] = '\0';
    assert_string_equal(phone, PHONE "\n");
    assert_int_equal(member_register(&anna, link, PHONE, NULL, code, NULL), 0);
    char *log = relay_log(relay);
    assert_null(strstr(log, code));
    free(log);
    link_free(link);
    member_end(&anna);
}

static void the_command_makes_invitations_while_the_relay_serves(void **state)
{
    struct relay_process *relay = *state;
    struct member people[3];
    char code[128];
    struct link *links[3];
    for (unsigned i = 0; i < 3; i++) {
        member_begin(&people[i], i + 1);
        links[i] = client_open(relay, CONNECTION_ACCOUNT);
    }
    assert_int_equal(member_register(&people[0], links[0], NULL, NULL, NULL, NULL),
                     WIRE_CODE_INVITATION_NEEDED);
    assert_int_equal(relay_command(relay, "invite --uses 2", code, sizeof code), 0);
    code[strcspn(code, "\n")] = '\0';
    assert_int_equal(strlen(code), 19);
    assert_int_equal(member_register(&people[0], links[0], NULL, code, NULL, NULL), 0);
    for (char *at = code; *at != '\0'; at++) /* as people type it */
        *at = *at == '-' ? ' ' : *at >= 'A' && *at <= 'Z' ? (char)(*at + 32) : *at;
    assert_int_equal(member_register(&people[1], links[1], NULL, code, NULL, NULL), 0);
    assert_int_equal(member_register(&people[2], links[2], NULL, code, NULL, NULL),
                     WIRE_CODE_INVITATION_USED);
    char status[2048];
    assert_int_equal(relay_command(relay, "status", status, sizeof status), 0);
    assert_non_null(strstr(status, "serving       for "));
    assert_non_null(strstr(status, "accounts      2"));
    for (unsigned i = 0; i < 3; i++) {
        link_free(links[i]);
        member_end(&people[i]);
    }
}

static void an_envelope_is_pushed_once_it_is_posted(void **state)
{
    struct relay_process *relay = *state;
    struct member anna;
    struct link *link = client_open(relay, CONNECTION_ACCOUNT);
    struct link *room = client_open(relay, CONNECTION_ROOM);
    struct listener ears = {0};
    uint8_t capability[CAPABILITY_SIZE] = {7};
    struct message grant = {.type = MESSAGE_GRANT, .grant = {.expires = UINT64_MAX, .uses = 1}};
    struct message post = {
        .type = MESSAGE_POST_ENVELOPE,
        .post_envelope = {.permission = {PERMISSION_CAPABILITY,
                                         sotto_bytes_of(capability, sizeof capability)},
                          .sealed = sotto_bytes_str("sealed")},
    };
    member_begin(&anna, 1);
    member_register(&anna, link, NULL, NULL, NULL, NULL);
    post.post_envelope.account = anna.account;
    post.post_envelope.device = anna.device;
    assert_int_equal(client_ask(room, &post), WIRE_CODE_CAPABILITY_UNKNOWN);
    gate_of(sotto_bytes_of(capability, sizeof capability), &grant.grant.capability_hash);
    assert_int_equal(client_ask(link, &grant), 0);
    assert_int_equal(client_ask(room, &post), 0);
    assert_int_equal(client_listen(link, 0, 0, 0, &ears), 0);
    assert_int_equal(ears.head, 1);
    assert_true(client_hear(link, &ears, 1));
    post.post_envelope.post_id.bytes[0] = 2;
    assert_int_equal(client_ask(room, &post), WIRE_CODE_CAPABILITY_USED);
    post.post_envelope.permission = (struct permission){0};
    assert_int_equal(client_ask(room, &post), 0);
    assert_true(client_hear(link, &ears, 2));
    assert_int_equal(ears.last_envelope, 2);
    struct message ack = {.type = MESSAGE_INBOX_ACK, .seq = 2};
    assert_int_equal(client_ask(link, &ack), 0);
    assert_int_equal(member_delete(&anna, &anna, link, true, NULL), 0);
    client_run(link, 5000, NULL, NULL);
    assert_int_not_equal(link_error(link), SOTTO_OK); /* the relay closed it */
    post.post_envelope.post_id.bytes[0] = 3;
    assert_int_equal(client_ask(room, &post), WIRE_CODE_NO_ACCOUNT);
    link_free(link);
    link_free(room);
    member_end(&anna);
}

static void only_the_accounts_key_ends_it(void **state)
{
    struct relay_process *relay = *state;
    struct member anna, thief;
    struct link *link = client_open(relay, CONNECTION_ACCOUNT), *later;
    member_begin(&anna, 1);
    member_begin(&thief, 2);
    assert_int_equal(member_register(&anna, link, NULL, NULL, NULL, NULL), 0);
    /* A device that is signed in is not enough, nor is somebody else's key. */
    assert_int_equal(member_delete(&anna, &thief, link, false, NULL), WIRE_CODE_ACCOUNT_KEY_NEEDED);
    /* A proof of another connection's challenge. */
    later = client_open(relay, CONNECTION_ACCOUNT);
    assert_int_equal(member_sign_in(&anna, later), 0);
    struct message old = {.type = MESSAGE_DELETE_ACCOUNT};
    uint8_t key[SIGN_KEY_SIZE], hash[HASH_SIZE];
    wire_sign_public(anna.sign_in_seed, key);
    wire_hash(sotto_bytes_of(key, sizeof key), hash);
    ending_proof_make(anna.seed, link_hello(link)->challenge, &anna.account, &anna.device, hash,
                      &old.delete_account.proof);
    assert_int_equal(client_ask(later, &old), WIRE_CODE_ACCOUNT_KEY_NEEDED);
    /* Or one that was made where another sign-in key is used: at another relay. */
    hash[0] ^= 1;
    ending_proof_make(anna.seed, link_hello(later)->challenge, &anna.account, &anna.device, hash,
                      &old.delete_account.proof);
    assert_int_equal(client_ask(later, &old), WIRE_CODE_ACCOUNT_KEY_NEEDED);
    assert_int_equal(member_delete(&anna, &anna, later, false, NULL), 0);
    link_free(later);
    later = client_open(relay, CONNECTION_ACCOUNT);
    assert_int_equal(member_sign_in(&anna, later), WIRE_CODE_SIGN_IN_FAILED);
    link_free(link);
    link_free(later);
    member_end(&thief);
    member_end(&anna);
}

static void an_account_that_moves_is_not_deleted_over_what_waits(void **state)
{
    struct relay_process *relay = *state;
    struct member anna;
    struct link *link = client_open(relay, CONNECTION_ACCOUNT);
    struct link *room = client_open(relay, CONNECTION_ROOM);
    uint64_t waiting = 0;
    struct message post = {.type = MESSAGE_POST_ENVELOPE,
                           .post_envelope = {.sealed = sotto_bytes_str("sealed")}};
    member_begin(&anna, 1);
    assert_int_equal(member_register(&anna, link, NULL, NULL, NULL, NULL), 0);
    post.post_envelope.account = anna.account;
    post.post_envelope.device = anna.device;
    assert_int_equal(client_ask(room, &post), 0);
    assert_int_equal(member_delete(&anna, &anna, link, true, &waiting), WIRE_CODE_INBOX_WAITS);
    assert_int_equal(waiting, 1);
    assert_int_equal(member_delete(&anna, &anna, link, false, NULL), 0);
    link_free(link);
    link_free(room);
    member_end(&anna);
}

static void a_capability_does_not_create_rooms(void **state)
{
    struct relay_process *relay = *state;
    struct link *room = client_open(relay, CONNECTION_ROOM);
    const uint8_t capability[CAPABILITY_SIZE] = {7};
    const struct message create = {
        .type = MESSAGE_ROOM_CREATE,
        .room_create = {.permission = {PERMISSION_CAPABILITY,
                                       sotto_bytes_of(capability, sizeof capability)}},
    };
    assert_int_equal(client_ask(room, &create), WIRE_CODE_CAPABILITY_UNKNOWN);
    link_free(room);
}

static void one_address_may_do_so_much_and_no_more(void **state)
{
    struct relay_process *relay = *state;
    struct member anna;
    struct link *room = client_open(relay, CONNECTION_ROOM);
    for (unsigned i = 1; i <= 5; i++)
        assert_int_equal(client_create(room, i, 10, 20), 0);
    assert_int_equal(client_create(room, 6, 10, 20), WIRE_CODE_RATE_LIMITED);
    assert_int_equal(client_say(room, 1, 1, 0, 10, NULL), 0); /* tokens are not limited */
    member_begin(&anna, 1);
    struct link *link = client_open(relay, CONNECTION_ACCOUNT);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(member_sign_in(&anna, link), WIRE_CODE_SIGN_IN_FAILED);
    assert_int_equal(member_sign_in(&anna, link), WIRE_CODE_RATE_LIMITED);
    link_free(room);
    link_free(link);
    member_end(&anna);
}

/* ---- The log of orders ---------------------------------------------------------------------- */

static void put_file(const struct relay_process *relay, const char *name, const void *bytes,
                     size_t size)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", relay->data, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static void put_folder(const struct relay_process *relay, const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", relay->data, name);
    assert_int_equal(mkdir(path, 0700), 0);
}

static void expect_part(struct link *link, const char *path, const char *text)
{
    struct reply reply;
    const struct message get = {.type = MESSAGE_LOG_GET, .log_path = sotto_bytes_str(path)};
    assert_int_equal(client_call(link, &get, &reply), text == NULL ? WIRE_CODE_NO_LOG : 0);
    if (text != NULL)
        assert_bytes(reply.answer.log_file, sotto_bytes_str(text));
    reply_free(&reply);
}

static void the_log_of_orders_is_given_to_anybody_and_nothing_beside_it(void **state)
{
    struct relay_process *relay = *state;
    static const char *const folders[] = {"orders", "orders/log", "orders/log/tile",
                                          "orders/log/tile/0", "orders/log/tile/0/000.p"};
    static const char *const others[] = {"",
                                         "log.key",
                                         "../log.key",
                                         "tile",
                                         "tile/0/000.p/4",
                                         "tile/0/../../../log.key",
                                         "checkpoint/",
                                         "other"};
    static uint8_t large[WIRE_LOG_FILE_MAX + 1];
    struct link *links[] = {client_open(relay, CONNECTION_ACCOUNT),
                            client_open(relay, CONNECTION_ROOM)};
    expect_part(links[0], "checkpoint", NULL);
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        put_folder(relay, folders[i]);
    put_file(relay, "orders/log.key", "secret", 6);
    put_file(relay, "orders/log/other", "secret", 6);
    put_file(relay, "orders/log/checkpoint", "signed", 6);
    put_file(relay, "orders/log/tile/0/000.p/3", "hashes", 6);
    for (size_t i = 0; i < 2; i++) { /* nobody has to say who they are */
        expect_part(links[i], "checkpoint", "signed");
        expect_part(links[i], "tile/0/000.p/3", "hashes");
        for (size_t k = 0; k < sizeof others / sizeof *others; k++)
            expect_part(links[i], others[k], NULL);
    }
    put_file(relay, "orders/log/checkpoint", large, sizeof large);
    const struct message get = {.type = MESSAGE_LOG_GET, .log_path = sotto_bytes_str("checkpoint")};
    assert_int_equal(client_ask(links[1], &get), WIRE_CODE_UNAVAILABLE);
    put_file(relay, "orders/log/checkpoint", "", 0);
    expect_part(links[1], "checkpoint", "");
    link_free(links[0]);
    link_free(links[1]);
}

/* ---- Hostile bytes -------------------------------------------------------------------------- */

/* A channel below the client's link, so that anything can be sent. */
struct raw {
    struct channel *channel;
    unsigned messages;
    uint16_t code; /* of the last error */
    uint16_t type;
};

static void on_raw(void *ctx, sotto_bytes bytes)
{
    struct raw *raw = ctx;
    struct message message;
    struct arena arena;
    sotto_fault fault;
    arena_init(&arena, sotto_env_system());
    assert_ok(message_read(bytes, MESSAGE_TO_CLIENT, &arena, &message, &fault));
    raw->messages++;
    raw->type = message.type;
    raw->code = message.type == MESSAGE_ERROR ? message.error.code : 0;
    arena_free(&arena);
}

static int connect_to(const struct relay_process *relay)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(relay->address.port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

/* Until a message has come, the channel is closed, or nothing has happened for long. */
static void raw_run(struct raw *raw, enum channel_state until)
{
    unsigned messages = raw->messages;
    for (int i = 0; i < 1000 && channel_state(raw->channel) != CHANNEL_CLOSED; i++) {
        struct pollfd poll_of = {.fd = channel_fd(raw->channel),
                                 .events = (short)channel_events(raw->channel)};
        if (until == CHANNEL_OPEN && channel_state(raw->channel) == CHANNEL_OPEN)
            return;
        if (until != CHANNEL_CLOSED && raw->messages != messages)
            return;
        poll(&poll_of, 1, 20);
        channel_step(raw->channel, (unsigned)poll_of.revents);
    }
}

static void raw_open(struct relay_process *relay, struct raw *raw)
{
    static const struct channel_handler handler = {.message = on_raw};
    *raw = (struct raw){0};
    assert_ok(channel_connect(sotto_env_system(), relay->tls, connect_to(relay), &relay->address,
                              NULL, &handler, raw, &raw->channel));
    raw_run(raw, CHANNEL_OPEN);
    assert_int_equal(channel_state(raw->channel), CHANNEL_OPEN);
}

static void raw_send(struct raw *raw, const void *bytes, size_t size)
{
    const sotto_bytes part = sotto_bytes_of(bytes, size);
    assert_ok(channel_send(raw->channel, &part, 1));
    channel_flush(raw->channel);
    raw_run(raw, CHANNEL_CLOSING);
}

static void raw_hello(struct raw *raw, uint8_t kind)
{
    const uint8_t hello[] = {0, 1, 0, 0, 0, 1, 0, 1, kind};
    raw_send(raw, hello, sizeof hello);
    assert_int_equal(raw->type, MESSAGE_HELLO_OK);
}

/* It said bad_request and closed. */
static void assert_shown_out(struct raw *raw)
{
    assert_int_equal(raw->code, WIRE_CODE_BAD_REQUEST);
    raw_run(raw, CHANNEL_CLOSED);
    assert_int_equal(channel_state(raw->channel), CHANNEL_CLOSED);
    channel_free(raw->channel);
}

static void hostile_messages_are_refused_and_the_relay_serves_on(void **state)
{
    struct relay_process *relay = *state;
    struct raw raw;
    const uint8_t unknown[] = {0x02, 0x77, 0, 0, 0, 9}, push[] = {0x42, 0x06, 0, 0, 0, 9};
    const uint8_t cut[] = {0x02, 0x05, 0, 0, 0, 9, 1, 2, 3};
    const uint8_t unsubscribe[] = {0x02, 0x07, 0, 0, 0, 9, 0, 0, 0, 1};
    const uint8_t zero[] = {0x02, 0x05, 0, 0, 0, 0};
    const uint8_t append_first[] = {0x02, 0x05, 0, 0, 0, 1};
    raw_open(relay, &raw); /* something before hello */
    raw_send(&raw, append_first, sizeof append_first);
    assert_shown_out(&raw);
    raw_open(relay, &raw); /* shorter than a head */
    raw_send(&raw, "x", 1);
    assert_shown_out(&raw);
    raw_open(relay, &raw); /* another version */
    raw_send(&raw, (const uint8_t[]){0, 1, 0, 0, 0, 1, 0, 2, 1}, 9);
    assert_shown_out(&raw);
    raw_open(relay, &raw); /* hello twice */
    raw_hello(&raw, CONNECTION_ROOM);
    raw_send(&raw, (const uint8_t[]){0, 1, 0, 0, 0, 1, 0, 1, 1}, 9);
    assert_shown_out(&raw);
    raw_open(relay, &raw); /* unknown types are answered, and the connection stays */
    raw_hello(&raw, CONNECTION_ROOM);
    raw_send(&raw, unknown, sizeof unknown);
    assert_int_equal(raw.code, WIRE_CODE_UNKNOWN_TYPE);
    raw_send(&raw, push, sizeof push);
    assert_int_equal(raw.code, WIRE_CODE_UNKNOWN_TYPE);
    raw_send(&raw, cut, sizeof cut);
    assert_shown_out(&raw);
    raw_open(relay, &raw);
    raw_hello(&raw, CONNECTION_ACCOUNT);
    raw_send(&raw, unsubscribe, sizeof unsubscribe); /* of the other connection */
    assert_int_equal(raw.code, WIRE_CODE_WRONG_CONNECTION);
    raw_send(&raw, zero, sizeof zero);
    assert_shown_out(&raw);
    struct link *link = client_open(relay, CONNECTION_ROOM);
    assert_int_equal(client_create(link, 1, 10, 20), 0);
    link_free(link);
}

static void every_cut_and_every_flipped_byte_of_an_append_is_survived(void **state)
{
    struct relay_process *relay = *state;
    struct link *link = client_open(relay, CONNECTION_ROOM);
    struct message append = append_of(1, 1, 0, 10, sotto_bytes_str("some bytes"));
    sotto_buf bytes;
    sotto_buf_init(&bytes, sotto_env_system());
    append.request = 5;
    assert_ok(message_write(&append, &bytes));
    assert_int_equal(client_create(link, 1, 10, 20), 0);
    for (size_t i = 0; i < bytes.size; i += 3) {
        struct raw raw;
        raw_open(relay, &raw);
        raw_hello(&raw, CONNECTION_ROOM);
        bytes.data[i] ^= 0xff;
        raw_send(&raw, bytes.data, bytes.size);
        bytes.data[i] ^= 0xff;
        if (channel_state(raw.channel) == CHANNEL_OPEN)
            raw_send(&raw, bytes.data, i);
        channel_free(raw.channel);
    }
    assert_int_equal(client_say(link, 1, 2, 0, 10, NULL), 0);
    link_free(link);
    sotto_buf_free(&bytes);
}

static void noise_instead_of_tls_is_survived(void **state)
{
    struct relay_process *relay = *state;
    uint8_t noise[4096];
    for (size_t i = 0; i < sizeof noise; i++)
        noise[i] = (uint8_t)(i * 37 + 11);
    for (int i = 0; i < 20; i++) {
        int fd = connect_to(relay);
        ssize_t ignored = send(fd, noise + i, (size_t)i * 100, MSG_NOSIGNAL);
        (void)ignored;
        close(fd);
    }
    struct link *link = client_open(relay, CONNECTION_ROOM);
    assert_int_equal(client_create(link, 1, 10, 20), 0);
    link_free(link);
}

/* ---- What it writes ------------------------------------------------------------------------- */

static void the_log_and_the_files_hold_no_identifier_that_they_should_not(void **state)
{
    struct relay_process *relay = *state; /* with --ip-retention none */
    struct member anna;
    struct link *link = client_open(relay, CONNECTION_ACCOUNT);
    struct link *room = client_open(relay, CONNECTION_ROOM);
    member_begin(&anna, 1);
    assert_int_equal(member_sign_in(&anna, link), WIRE_CODE_SIGN_IN_FAILED);
    assert_int_equal(member_register(&anna, link, NULL, NULL, NULL, NULL), 0);
    client_create(room, 1, 10, 20);
    client_say(room, 1, 1, 0, 10, NULL);
    link_free(link);
    link_free(room);
    relay_stop(relay);
    char *log = relay_log(relay);
    char *events = strstr(log, " info serving"); /* behind the address for people */
    assert_non_null(events);
    assert_null(strstr(events, "127.0.0.1"));
    for (const char *at = events; *at != '\0'; at++) {
        /* No run of 16 hex or base64 digits: no id, hash or key, however it is written. */
        size_t run = strspn(at, "0123456789abcdefABCDEF+/=");
        assert_true(run < 16);
    }
    free(log);
    char path[128];
    static char bytes[1 << 20];
    snprintf(path, sizeof path, "%s/relay.db", relay->data);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    assert_non_null(memmem(bytes, size, anna.account.bytes, ACCOUNT_ID_SIZE));
    assert_null(memmem(bytes, size, "127.0.0.1", 9));
    assert_null(memmem(bytes, size, test_token(10).data, TOKEN_SIZE)); /* gates, no tokens */
    relay_start(relay);
    member_end(&anna);
}

static void what_cannot_start_says_why(void **state)
{
    struct relay_process *relay = *state;
    static char out[16384];
    assert_int_equal(relay_command(relay, "--listen 127.0.0.1:0", out, sizeof out), 1); /* locked */
    assert_int_equal(relay_command(relay, "--nonsense", out, sizeof out), 2);
    assert_int_equal(relay_command(relay, "--listen", out, sizeof out), 2);
    assert_int_equal(relay_command(relay, "--registration maybe", out, sizeof out), 2);
    assert_int_equal(relay_command(relay, "--config /nonexistent", out, sizeof out), 2);
    assert_int_equal(relay_command(relay, "--name \"$(printf 'a\\377')\"", out, sizeof out), 1);
    assert_int_equal(relay_command(relay, "--help", out, sizeof out), 0);
    assert_int_equal(relay_command(relay, "--version", out, sizeof out), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
#define TEST_WITH(name, how) cmocka_unit_test_setup_teardown(name, how, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_account_publishes_and_is_found),
        TEST(a_code_proves_a_phone_number_and_the_log_tells_no_more_than_its_end),
        TEST_WITH(a_command_reads_the_number_and_the_code_from_its_input, begin_command),
        TEST_WITH(the_command_makes_invitations_while_the_relay_serves, begin_invite),
        TEST(an_envelope_is_pushed_once_it_is_posted),
        TEST(only_the_accounts_key_ends_it),
        TEST(an_account_that_moves_is_not_deleted_over_what_waits),
        TEST(a_capability_does_not_create_rooms),
        TEST_WITH(one_address_may_do_so_much_and_no_more, begin_limited),
        TEST(the_log_of_orders_is_given_to_anybody_and_nothing_beside_it),
        TEST(hostile_messages_are_refused_and_the_relay_serves_on),
        TEST(every_cut_and_every_flipped_byte_of_an_append_is_survived),
        TEST(noise_instead_of_tls_is_survived),
        TEST_WITH(the_log_and_the_files_hold_no_identifier_that_they_should_not, begin_limited),
        TEST(what_cannot_start_says_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
