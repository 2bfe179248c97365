/* A link against a small relay made of a server channel, both in one thread, over loopback. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "unit/wire_world.h"
#include "wire/link.h"

#define ROUNDS 20000

/* ---- The relay ------------------------------------------------------------------------------- */

struct relay {
    struct tls *tls;
    int listener;
    struct channel *channel;
    bool is_mute;         /* takes requests and never answers */
    bool refuses;         /* answers stale_epoch */
    bool answers_wrongly; /* with another type */
    unsigned requests;
    uint16_t last_type;
    uint32_t last_request, subscription;
};

static void relay_send(struct relay *relay, const struct message *message)
{
    sotto_buf bytes;
    sotto_buf_init(&bytes, sotto_env_system());
    assert_ok(message_write(message, &bytes));
    sotto_bytes view = sotto_buf_view(&bytes);
    assert_ok(channel_send(relay->channel, &view, 1));
    sotto_buf_free(&bytes);
}

static void relay_push(struct relay *relay, uint64_t seq)
{
    struct entry entry = {.seq = seq, .kind = ENTRY_MESSAGE, .bytes = sotto_bytes_str("entry")};
    struct message push = {.type = MESSAGE_ROOM_ENTRIES, .request = relay->subscription};
    push.room_entries = (struct room_entries){&entry, 1};
    relay_send(relay, &push);
}

static void relay_answer(struct relay *relay, const struct message *request)
{
    struct message answer = {.request = request->request};
    answer.type = (uint16_t)(request->type | MESSAGE_ANSWER_BIT);
    if (request->type == MESSAGE_HELLO) {
        answer.hello_ok = (struct hello_ok){
            .version = 1, .registration = 1, .name = sotto_bytes_str("test relay")};
    } else if (relay->refuses) {
        answer.type = MESSAGE_ERROR;
        answer.error = (struct wire_error){WIRE_CODE_STALE_EPOCH, 7, {0}};
    } else if (relay->answers_wrongly) {
        answer.type = MESSAGE_HELLO_OK;
        answer.hello_ok = (struct hello_ok){.version = 1, .registration = 1};
    } else if (request->type == MESSAGE_ROOM_SUBSCRIBE) {
        answer.room_subscribe_ok = (struct room_subscribe_ok){2, 1, 0};
        relay->subscription = request->request;
    } else if (request->type == MESSAGE_ROOM_APPEND) {
        answer.seq = 42;
    }
    relay_send(relay, &answer);
    if (answer.type == MESSAGE_ROOM_SUBSCRIBE_OK) {
        relay_push(relay, 1);
        relay_push(relay, 2);
    }
}

static void relay_message(void *ctx, sotto_bytes bytes)
{
    struct relay *relay = ctx;
    struct arena arena;
    struct message request;
    sotto_fault fault;
    arena_init(&arena, sotto_env_system());
    assert_ok(message_read(bytes, MESSAGE_TO_RELAY, &arena, &request, &fault));
    if (request.type != MESSAGE_HELLO) {
        relay->requests++;
        relay->last_type = request.type;
        relay->last_request = request.request;
    }
    if (!relay->is_mute || request.type == MESSAGE_HELLO)
        relay_answer(relay, &request);
    arena_free(&arena);
}

static const struct channel_handler relay_handler = {.message = relay_message};

static uint16_t listen_loopback(int *fd)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    *fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_true(*fd >= 0);
    assert_int_equal(bind(*fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(*fd, 5), 0);
    assert_int_equal(getsockname(*fd, (struct sockaddr *)&address, &size), 0);
    return ntohs(address.sin_port);
}

static void relay_step(struct relay *relay)
{
    if (relay->channel == NULL) {
        int fd = accept(relay->listener, NULL, NULL);
        if (fd >= 0)
            assert_ok(channel_accept(sotto_env_system(), relay->tls, fd, NULL, &relay_handler,
                                     relay, &relay->channel));
    } else {
        channel_step(relay->channel, POLLIN | POLLOUT);
    }
}

/* ---- The client --------------------------------------------------------------------------------
 */

struct client {
    struct link *link;
    unsigned ready, ended, answers, pushes;
    sotto_error ended_error, answer_error;
    uint16_t answer_type;
    uint64_t answer_seq, last_pushed;
    bool free_in_answer, close_in_answer, unsubscribe_in_push, close_in_push;
    uint32_t request;
};

struct scene {
    struct wire_world world;
    struct relay relay;
    struct client client;
    struct link_options options;
    uint64_t now;
};

static uint64_t scene_now(void *ctx)
{
    return ((struct scene *)ctx)->now;
}

static void on_ready(void *ctx, const struct hello_ok *hello)
{
    struct client *client = ctx;
    assert_bytes(hello->name, sotto_bytes_str("test relay"));
    client->ready++;
}

static void on_ended(void *ctx, sotto_error error, const char *text)
{
    struct client *client = ctx;
    assert_true(strlen(text) > 0);
    client->ended++;
    client->ended_error = error;
}

static void on_answer(void *ctx, sotto_error error, const struct message *answer)
{
    struct client *client = ctx;
    client->answers++;
    client->answer_error = error;
    client->answer_type = answer == NULL ? 0 : answer->type;
    assert_int_equal(answer == NULL, error != SOTTO_OK && error != SOTTO_REFUSED);
    if (answer != NULL && answer->type == MESSAGE_ERROR)
        client->answer_seq = answer->error.detail;
    else if (answer != NULL && answer->type == MESSAGE_ROOM_APPEND_OK)
        client->answer_seq = answer->seq;
    if (client->close_in_answer)
        link_close(client->link);
    if (client->free_in_answer) {
        client->free_in_answer = false;
        link_free(client->link);
        client->link = NULL;
    }
}

static void on_push(void *ctx, const struct message *push)
{
    struct client *client = ctx;
    client->pushes++;
    if (push->type == MESSAGE_ROOM_ENTRIES)
        client->last_pushed = push->room_entries.entries[push->room_entries.count - 1].seq;
    if (client->unsubscribe_in_push)
        link_unsubscribe(client->link, client->request);
    if (client->close_in_push)
        link_close(client->link);
}

static void scene_open(struct scene *scene)
{
    struct link_handler handler = {&scene->client, on_ready, on_ended};
    assert_ok(link_open(sotto_env_system(), scene->world.client, &scene->options, &handler,
                        &scene->client.link));
}

static int setup(void **state)
{
    static struct scene scene;
    memset(&scene, 0, sizeof scene);
    wire_world_make(&scene.world);
    scene.now = 1000;
    scene.relay.tls = scene.world.server;
    scene.world.address.port = listen_loopback(&scene.relay.listener);
    scene.options = (struct link_options){
        .kind = CONNECTION_ROOM,
        .address = scene.world.address,
        .now_ms = scene_now,
        .clock_ctx = &scene,
    };
    *state = &scene;
    return 0;
}

static int teardown(void **state)
{
    struct scene *scene = *state;
    link_free(scene->client.link);
    channel_free(scene->relay.channel);
    close(scene->relay.listener);
    wire_world_free(&scene->world);
    return 0;
}

static void step(struct scene *scene)
{
    struct link_wants wants;
    relay_step(&scene->relay);
    if (scene->client.link == NULL)
        return;
    link_wants(scene->client.link, &wants);
    struct pollfd entry = {.fd = wants.fd, .events = (short)wants.events};
    poll(&entry, 1, 1);
    if (entry.revents != 0 || wants.deadline_ms <= scene->now)
        link_step(scene->client.link, (unsigned)entry.revents);
}

#define STEP_UNTIL(scene, condition)                                    \
    do {                                                                \
        for (int round_ = 0; round_ < ROUNDS && !(condition); round_++) \
            step(scene);                                                \
        assert_true(condition);                                         \
    } while (0)

static struct message append_message(void)
{
    static const uint8_t token[TOKEN_SIZE];
    struct message message = {.type = MESSAGE_ROOM_APPEND};
    message.append.kind = ENTRY_MESSAGE;
    message.append.write_token = sotto_bytes_of(token, TOKEN_SIZE);
    message.append.bytes = sotto_bytes_str("hello");
    return message;
}

static struct message subscribe_message(void)
{
    static const uint8_t token[TOKEN_SIZE];
    struct message message = {.type = MESSAGE_ROOM_SUBSCRIBE};
    message.room_subscribe.read_token = sotto_bytes_of(token, TOKEN_SIZE);
    message.room_subscribe.from_seq = 1;
    return message;
}

static void send_append(struct scene *scene)
{
    struct message message = append_message();
    assert_ok(link_request(scene->client.link, &message, on_answer, &scene->client,
                           &scene->client.request));
}

static void send_subscribe(struct scene *scene)
{
    struct message message = subscribe_message();
    assert_ok(link_subscribe(scene->client.link, &message, on_answer, on_push, &scene->client,
                             &scene->client.request));
}

/* ---- Tests -------------------------------------------------------------------------------------
 */

static void a_request_made_while_connecting_is_answered(void **state)
{
    struct scene *scene = *state;
    scene_open(scene);
    assert_null(link_hello(scene->client.link));
    send_append(scene);
    STEP_UNTIL(scene, scene->client.answers == 1);
    assert_ok(scene->client.answer_error);
    assert_int_equal(scene->client.answer_seq, 42);
    assert_int_equal(scene->client.ready, 1);
    assert_bytes(link_hello(scene->client.link)->name, sotto_bytes_str("test relay"));
}

static void requests_of_the_other_connection_are_not_sent(void **state)
{
    struct scene *scene = *state;
    struct message message = {.type = MESSAGE_DELETE_ACCOUNT};
    scene_open(scene);
    assert_error(link_request(scene->client.link, &message, on_answer, &scene->client, NULL),
                 ARGUMENT);
}

static void a_refusal_carries_the_relays_error(void **state)
{
    struct scene *scene = *state;
    scene->relay.refuses = true;
    scene_open(scene);
    send_append(scene);
    STEP_UNTIL(scene, scene->client.answers == 1);
    assert_error(scene->client.answer_error, REFUSED);
    assert_int_equal(scene->client.answer_seq, 7);
    assert_ok(link_error(scene->client.link));
}

static void pushes_follow_the_answer_until_unsubscribed(void **state)
{
    struct scene *scene = *state;
    scene_open(scene);
    send_subscribe(scene);
    STEP_UNTIL(scene, scene->client.pushes == 2);
    assert_int_equal(scene->client.last_pushed, 2);
    scene->client.unsubscribe_in_push = true;
    relay_push(&scene->relay, 3);
    relay_push(&scene->relay, 4);
    STEP_UNTIL(scene, scene->relay.last_type == MESSAGE_ROOM_UNSUBSCRIBE);
    assert_int_equal(scene->client.pushes, 3);
    assert_ok(link_error(scene->client.link));
}

static void a_room_end_is_the_last_push(void **state)
{
    struct scene *scene = *state;
    scene_open(scene);
    send_subscribe(scene);
    STEP_UNTIL(scene, scene->client.pushes == 2);
    struct message push = {.type = MESSAGE_ROOM_END, .request = scene->relay.subscription};
    push.end_code = WIRE_CODE_GATE_CLOSED;
    relay_send(&scene->relay, &push);
    relay_push(&scene->relay, 3);
    send_append(scene);
    STEP_UNTIL(scene, scene->client.answers == 2);
    assert_int_equal(scene->client.pushes, 3);
}

static void a_late_answer_is_a_timeout_once(void **state)
{
    struct scene *scene = *state;
    scene->relay.is_mute = true;
    scene_open(scene);
    STEP_UNTIL(scene, scene->client.ready == 1);
    send_append(scene);
    STEP_UNTIL(scene, scene->relay.requests == 1);
    scene->now += LINK_ANSWER_MS - 1;
    step(scene);
    assert_int_equal(scene->client.answers, 0);
    scene->now += 1;
    STEP_UNTIL(scene, scene->client.answers == 1);
    assert_error(scene->client.answer_error, TIMEOUT);
    struct message late = {.type = MESSAGE_ROOM_APPEND_OK, .request = scene->relay.last_request};
    relay_send(&scene->relay, &late);
    for (int i = 0; i < 50; i++)
        step(scene);
    assert_int_equal(scene->client.answers, 1);
    assert_ok(link_error(scene->client.link));
}

static void a_silent_relay_is_given_up(void **state)
{
    struct scene *scene = *state;
    scene_open(scene);
    STEP_UNTIL(scene, scene->client.ready == 1);
    for (int i = 0; i < 20; i++)
        step(scene);
    /* The ping is answered: the link lives on. */
    scene->now += LINK_PING_MS;
    for (int i = 0; i < 20; i++)
        step(scene);
    scene->now += LINK_SILENCE_MS - LINK_PING_MS;
    for (int i = 0; i < 20; i++)
        step(scene);
    assert_ok(link_error(scene->client.link));
    channel_pause(scene->relay.channel, true);
    scene->now += LINK_SILENCE_MS;
    STEP_UNTIL(scene, scene->client.ended == 1);
    assert_error(scene->client.ended_error, TIMEOUT);
}

static void a_relay_that_never_says_hello_is_a_timeout(void **state)
{
    struct scene *scene = *state;
    scene_open(scene);
    send_append(scene);
    link_step(scene->client.link, 0);
    scene->now += LINK_CONNECT_MS;
    link_step(scene->client.link, 0);
    assert_int_equal(scene->client.ended, 1);
    assert_int_equal(scene->client.answers, 1);
    assert_error(scene->client.answer_error, TIMEOUT);
    assert_error(link_error(scene->client.link), TIMEOUT);
}

static void a_relay_that_goes_away_completes_all_requests_once(void **state)
{
    struct scene *scene = *state;
    scene->relay.is_mute = true;
    scene_open(scene);
    STEP_UNTIL(scene, scene->client.ready == 1);
    send_append(scene);
    send_append(scene);
    send_subscribe(scene);
    STEP_UNTIL(scene, scene->relay.requests == 3);
    channel_free(scene->relay.channel);
    scene->relay.channel = NULL;
    close(scene->relay.listener);
    STEP_UNTIL(scene, scene->client.ended == 1);
    assert_int_equal(scene->client.answers, 3);
    assert_error(scene->client.answer_error, NETWORK);
    struct message message = append_message();
    assert_error(link_request(scene->client.link, &message, on_answer, &scene->client, NULL),
                 STATE);
    link_free(scene->client.link);
    scene->client.link = NULL;
    assert_int_equal(scene->client.answers, 3);
    assert_int_equal(scene->client.ended, 1);
}

static void closing_while_the_link_ends_silences_the_end(void **state)
{
    struct scene *scene = *state;
    scene->relay.is_mute = true;
    scene->client.close_in_answer = true;
    scene_open(scene);
    send_append(scene);
    send_append(scene);
    STEP_UNTIL(scene, scene->relay.requests == 2);
    channel_free(scene->relay.channel);
    scene->relay.channel = NULL;
    STEP_UNTIL(scene, scene->client.answers > 0);
    assert_int_equal(scene->client.answers, 2);
    assert_int_equal(scene->client.ended, 0);
}

static void freeing_completes_requests_and_is_silent_afterwards(void **state)
{
    struct scene *scene = *state;
    scene_open(scene);
    send_append(scene);
    send_append(scene);
    link_free(scene->client.link);
    scene->client.link = NULL;
    assert_int_equal(scene->client.answers, 2);
    assert_error(scene->client.answer_error, NETWORK);
    assert_int_equal(scene->client.ended, 0);
}

static void a_link_may_be_freed_in_a_callback(void **state)
{
    struct scene *scene = *state;
    scene_open(scene);
    scene->client.free_in_answer = true;
    send_append(scene);
    send_append(scene);
    send_append(scene);
    STEP_UNTIL(scene, scene->client.answers > 0);
    /* All three, the others inside link_free. */
    assert_int_equal(scene->client.answers, 3);
    assert_null(scene->client.link);
    assert_int_equal(scene->client.ended, 0);
}

static void a_link_may_be_closed_in_a_push(void **state)
{
    struct scene *scene = *state;
    scene_open(scene);
    scene->client.close_in_push = true;
    send_subscribe(scene);
    STEP_UNTIL(scene, scene->client.pushes > 0);
    for (int i = 0; i < 20; i++)
        step(scene);
    assert_int_equal(scene->client.pushes, 1);
    assert_int_equal(scene->client.ended, 0);
    assert_error(link_error(scene->client.link), STATE);
}

static void an_answer_of_another_type_ends_the_link(void **state)
{
    struct scene *scene = *state;
    scene->relay.answers_wrongly = true;
    scene_open(scene);
    send_append(scene);
    STEP_UNTIL(scene, scene->client.ended == 1);
    assert_int_equal(scene->client.answers, 1);
    assert_error(scene->client.ended_error, VALUE);
}

static void a_wrong_pin_ends_the_link_with_pin(void **state)
{
    struct scene *scene = *state;
    scene->options.address.pin[0] ^= 1;
    scene_open(scene);
    send_append(scene);
    STEP_UNTIL(scene, scene->client.ended == 1);
    assert_error(scene->client.ended_error, PIN);
    assert_error(scene->client.answer_error, PIN);
    assert_string_equal(link_error_text(scene->client.link),
                        "the relay's key is not the one in its address");
}

static void a_closed_port_is_a_network_error(void **state)
{
    struct scene *scene = *state;
    close(scene->relay.listener);
    scene->relay.listener = -1;
    scene_open(scene);
    STEP_UNTIL(scene, scene->client.ended == 1);
    assert_error(scene->client.ended_error, NETWORK);
    assert_string_equal(link_error_text(scene->client.link), "the relay cannot be reached");
}

static void a_name_is_looked_up(void **state)
{
    struct scene *scene = *state;
    snprintf(scene->options.address.host, sizeof scene->options.address.host, "localhost");
    scene_open(scene);
    STEP_UNTIL(scene, scene->client.ready == 1);
}

static bool is_answered(void *ctx)
{
    return ((struct client *)ctx)->answers > 0;
}

static void waiting_ends_with_the_condition_the_time_or_the_link(void **state)
{
    struct scene *scene = *state;
    scene->options.now_ms = NULL;
    scene_open(scene);
    /* Nobody runs the relay here, so only the time can pass. */
    assert_error(link_wait(scene->client.link, 30, is_answered, &scene->client), TIMEOUT);
    scene->client.answers = 1;
    assert_ok(link_wait(scene->client.link, 0, is_answered, &scene->client));
    scene->client.answers = 0;
    link_close(scene->client.link);
    assert_error(link_wait(scene->client.link, 1000, is_answered, &scene->client), STATE);
}

/* ---- SOCKS -------------------------------------------------------------------------------------
 */

static void take(int fd, const void *expected, size_t size)
{
    uint8_t got[600];
    assert_int_equal(recv(fd, got, size, MSG_WAITALL), (ssize_t)size);
    assert_memory_equal(got, expected, size);
}

static void give(int fd, const void *bytes, size_t size)
{
    assert_int_equal(send(fd, bytes, size, 0), (ssize_t)size);
}

static void through_a_proxy_the_relay_gets_the_name_and_the_login(void **state)
{
    struct scene *scene = *state;
    sotto_fault fault;
    struct address proxy;
    int listener = scene->relay.listener;
    assert_ok(address_parse(sotto_bytes_str("127.0.0.1:9050"), &proxy, &fault));
    proxy.port = scene->options.address.port;
    snprintf(scene->options.address.host, sizeof scene->options.address.host, "relay.onion");
    scene->options.address.port = 443;
    scene->options.proxy = &proxy;
    scene->options.proxy_user = "room";
    scene->options.proxy_password = "secret";
    scene_open(scene);
    /* The listener is the proxy now; behind its answer it becomes the relay. */
    int fd = -1;
    for (int i = 0; i < ROUNDS && fd < 0; i++) {
        link_step(scene->client.link, POLLOUT);
        fd = accept(listener, NULL, NULL);
    }
    assert_true(fd >= 0);
    for (int i = 0; i < 5; i++)
        link_step(scene->client.link, POLLOUT);
    take(fd, "\x05\x01\x02", 3);
    give(fd, "\x05\x02", 2);
    usleep(2000);
    link_step(scene->client.link, POLLIN);
    take(fd, "\x01\x04room\x06secret", 13);
    give(fd, "\x01\x00", 2);
    usleep(2000);
    link_step(scene->client.link, POLLIN);
    take(fd, "\x05\x01\x00\x03\x0brelay.onion\x01\xbb", 18);
    give(fd, "\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x50", 10);
    assert_ok(channel_accept(sotto_env_system(), scene->relay.tls, fd, NULL, &relay_handler,
                             &scene->relay, &scene->relay.channel));
    STEP_UNTIL(scene, scene->client.ready == 1);
}

static void a_proxy_that_takes_no_login_is_not_used(void **state)
{
    struct scene *scene = *state;
    sotto_fault fault;
    struct address proxy;
    assert_ok(address_parse(sotto_bytes_str("127.0.0.1:9050"), &proxy, &fault));
    proxy.port = scene->options.address.port;
    scene->options.proxy = &proxy;
    scene->options.proxy_user = "room";
    scene->options.proxy_password = "secret";
    scene_open(scene);
    int fd = -1;
    for (int i = 0; i < ROUNDS && fd < 0; i++) {
        link_step(scene->client.link, POLLOUT);
        fd = accept(scene->relay.listener, NULL, NULL);
    }
    assert_true(fd >= 0);
    link_step(scene->client.link, POLLOUT);
    take(fd, "\x05\x01\x02", 3);
    give(fd, "\x05\x00", 2);
    for (int i = 0; i < ROUNDS && scene->client.ended == 0; i++)
        link_step(scene->client.link, POLLIN);
    assert_error(scene->client.ended_error, NETWORK);
    close(fd);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_request_made_while_connecting_is_answered),
        TEST(requests_of_the_other_connection_are_not_sent),
        TEST(a_refusal_carries_the_relays_error),
        TEST(pushes_follow_the_answer_until_unsubscribed),
        TEST(a_room_end_is_the_last_push),
        TEST(a_late_answer_is_a_timeout_once),
        TEST(a_silent_relay_is_given_up),
        TEST(a_relay_that_never_says_hello_is_a_timeout),
        TEST(a_relay_that_goes_away_completes_all_requests_once),
        TEST(closing_while_the_link_ends_silences_the_end),
        TEST(freeing_completes_requests_and_is_silent_afterwards),
        TEST(a_link_may_be_freed_in_a_callback),
        TEST(a_link_may_be_closed_in_a_push),
        TEST(an_answer_of_another_type_ends_the_link),
        TEST(a_wrong_pin_ends_the_link_with_pin),
        TEST(a_closed_port_is_a_network_error),
        TEST(a_name_is_looked_up),
        TEST(waiting_ends_with_the_condition_the_time_or_the_link),
        TEST(through_a_proxy_the_relay_gets_the_name_and_the_login),
        TEST(a_proxy_that_takes_no_login_is_not_used),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
