/* Two channels over a socket pair, with real TLS, in one thread. */
#include <openssl/pem.h>
#include <time.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit/certificates.h"
#include "unit/wire_world.h"

#define ROUNDS 20000

struct pair {
    struct wire_world world;
    struct wire_end client, server;
};

static void pair_make_with(struct pair *pair, const struct channel_options *options)
{
    const sotto_env *env = sotto_env_system();
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    wire_end_init(&pair->client);
    wire_end_init(&pair->server);
    assert_ok(channel_connect(env, pair->world.client, fds[0], &pair->world.address, options,
                              &wire_end_handler, &pair->client, &pair->client.channel));
    assert_ok(channel_accept(env, pair->world.server, fds[1], options, &wire_end_handler,
                             &pair->server, &pair->server.channel));
}

static void step(struct pair *pair)
{
    wire_end_step(&pair->client);
    wire_end_step(&pair->server);
}

static void open_pair(struct pair *pair)
{
    for (int i = 0; i < ROUNDS && (pair->client.opened == 0 || pair->server.opened == 0); i++)
        step(pair);
    assert_int_equal(pair->client.opened, 1);
    assert_int_equal(pair->server.opened, 1);
}

static int setup(void **state)
{
    static struct pair pair;
    wire_world_make(&pair.world);
    pair_make_with(&pair, NULL);
    *state = &pair;
    return 0;
}

static int teardown(void **state)
{
    struct pair *pair = *state;
    wire_end_free(&pair->client);
    wire_end_free(&pair->server);
    wire_world_free(&pair->world);
    return 0;
}

static void both_ends_open_and_messages_go_both_ways(void **state)
{
    struct pair *pair = *state;
    open_pair(pair);
    assert_ok(wire_end_send(&pair->client, sotto_bytes_str("to the relay")));
    assert_ok(wire_end_send(&pair->server, sotto_bytes_str("to the client")));
    for (int i = 0; i < ROUNDS && pair->client.messages + pair->server.messages < 2; i++)
        step(pair);
    assert_bytes(sotto_buf_view(&pair->server.last), sotto_bytes_str("to the relay"));
    assert_bytes(sotto_buf_view(&pair->client.last), sotto_bytes_str("to the client"));
    assert_int_equal(channel_queued(pair->client.channel), 0);
}

static void a_message_of_the_largest_size_arrives_whole(void **state)
{
    struct pair *pair = *state;
    open_pair(pair);
    uint8_t *data = malloc(WIRE_MESSAGE_MAX);
    assert_non_null(data);
    for (size_t i = 0; i < WIRE_MESSAGE_MAX; i++)
        data[i] = (uint8_t)(i * 31 + (i >> 8));
    sotto_bytes message = sotto_bytes_of(data, WIRE_MESSAGE_MAX);
    pair->server.echo = true;
    assert_ok(wire_end_send(&pair->client, message));
    for (int i = 0; i < ROUNDS && pair->client.messages == 0; i++)
        step(pair);
    assert_bytes(sotto_buf_view(&pair->client.last), message);
    assert_error(wire_end_send(&pair->client, sotto_bytes_of(data, WIRE_MESSAGE_MAX + 1)), LIMIT);
    free(data);
}

static void many_small_messages_keep_their_order_and_share_writes(void **state)
{
    struct pair *pair = *state;
    open_pair(pair);
    uint64_t before = channel_received(pair->server.channel);
    for (unsigned i = 0; i < 1000; i++) {
        uint8_t parts[2] = {(uint8_t)(i >> 8), (uint8_t)i};
        sotto_bytes views[2] = {sotto_bytes_of(parts, 1), sotto_bytes_of(parts + 1, 1)};
        assert_ok(channel_send(pair->client.channel, views, 2));
    }
    for (int i = 0; i < ROUNDS && pair->server.messages < 1000; i++)
        step(pair);
    assert_int_equal(pair->server.messages, 1000);
    assert_int_equal(pair->server.last.data[0] << 8 | pair->server.last.data[1], 999);
    /* 8 bytes each with frame and mask; a TLS record each would add 22 more. */
    assert_in_range(channel_received(pair->server.channel) - before, 8000, 8100);
}

static void another_key_than_the_pinned_one_is_refused(void **state)
{
    struct pair *pair = *state;
    wire_end_free(&pair->client);
    wire_end_free(&pair->server);
    pair->world.address.pin[5] ^= 1;
    pair_make_with(pair, NULL);
    for (int i = 0; i < ROUNDS && channel_state(pair->client.channel) != CHANNEL_CLOSED; i++)
        step(pair);
    const struct channel_end *end = channel_end(pair->client.channel);
    assert_error(end->error, PIN);
    assert_string_equal(end->what, "the relay's key is not the one in its address");
    for (int i = 0; i < ROUNDS && channel_state(pair->server.channel) != CHANNEL_CLOSED; i++)
        step(pair);
    assert_error(channel_end(pair->server.channel)->error, NETWORK);
    assert_int_equal(pair->client.opened + pair->server.opened, 0);
}

static void without_a_pin_a_self_made_certificate_is_refused(void **state)
{
    struct pair *pair = *state;
    wire_end_free(&pair->client);
    wire_end_free(&pair->server);
    pair->world.address.has_pin = false;
    pair_make_with(pair, NULL);
    for (int i = 0; i < ROUNDS && channel_state(pair->client.channel) != CHANNEL_CLOSED; i++)
        step(pair);
    assert_error(channel_end(pair->client.channel)->error, PIN);
    assert_string_not_equal(channel_end(pair->client.channel)->why, "");
}

/* The relay's certificate, which an authority has signed for that address: in the world's files. */
static void certify_server(struct wire_world *world, const char *alternative,
                           struct certified *authority)
{
    struct certified leaf;
    int64_t now = (int64_t)time(NULL);
    const struct terms root = {
        .name = "Root", .authority = true, .not_before = now - 60, .not_after = now + 60};
    const struct terms terms = {
        .name = "relay", .alternative = alternative, .not_before = now - 60, .not_after = now + 60};
    certify_new(authority, &root, NULL);
    certify_key(&leaf, &terms, authority, EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256"));
    FILE *chain = fopen(world->certificate, "w"), *key = fopen(world->key, "w");
    assert_true(chain != NULL && key != NULL);
    assert_true(PEM_write_X509(chain, leaf.certificate));
    assert_true(PEM_write_PrivateKey(key, leaf.key, NULL, NULL, 0, NULL, NULL));
    assert_int_equal(fclose(chain) + fclose(key), 0);
    tls_free(world->server);
    assert_ok(tls_server(sotto_env_system(), world->certificate, world->key, &world->server, NULL));
    certified_free(&leaf);
}

/* Whether a client that trusts the authority connects to 127.0.0.1 without a pin. */
static bool connects_without_pin(struct pair *pair, const char *alternative, bool trusted)
{
    struct certified authority;
    char roots[128];
    wire_end_free(&pair->client);
    wire_end_free(&pair->server);
    certify_server(&pair->world, alternative, &authority);
    snprintf(roots, sizeof roots, "%s/roots.pem", pair->world.folder);
    FILE *file = fopen(roots, "w");
    assert_non_null(file);
    if (trusted)
        assert_true(PEM_write_X509(file, authority.certificate));
    assert_int_equal(fclose(file), 0);
    certified_free(&authority);
    setenv("SSL_CERT_FILE", roots, 1);
    tls_free(pair->world.client);
    assert_ok(tls_client(sotto_env_system(), &pair->world.client));
    pair->world.address.has_pin = false;
    pair_make_with(pair, NULL);
    for (int i = 0; i < ROUNDS && channel_state(pair->client.channel) != CHANNEL_CLOSED &&
                    (pair->client.opened == 0 || pair->server.opened == 0);
         i++)
        step(pair);
    unsetenv("SSL_CERT_FILE");
    unlink(roots);
    return pair->client.opened == 1 && pair->server.opened == 1;
}

static void without_a_pin_the_systems_roots_and_the_name_count(void **state)
{
    assert_true(connects_without_pin(*state, "IP:127.0.0.1", true));
    assert_false(connects_without_pin(*state, "IP:127.0.0.1", false));
    assert_false(connects_without_pin(*state, "IP:127.0.0.2", true));
    assert_false(connects_without_pin(*state, "DNS:localhost", true));
}

static void a_full_queue_says_limit_until_the_peer_reads(void **state)
{
    struct pair *pair = *state;
    static uint8_t data[100000];
    struct channel_options options = {.max_queue = 300000};
    wire_end_free(&pair->client);
    wire_end_free(&pair->server);
    pair_make_with(pair, &options);
    open_pair(pair);
    channel_pause(pair->server.channel, true);
    unsigned sent = 0;
    sotto_error error = SOTTO_OK;
    for (; sent < 1000; sent++) {
        error = wire_end_send(&pair->client, sotto_bytes_of(data, sizeof data));
        if (error != SOTTO_OK)
            break;
        for (int i = 0; i < 50; i++)
            step(pair);
    }
    assert_error(error, LIMIT);
    assert_int_equal(pair->server.messages, 0);
    assert_true(channel_queued(pair->client.channel) > 200000 - sizeof data);
    channel_pause(pair->server.channel, false);
    for (int i = 0; i < ROUNDS && pair->server.messages < sent; i++)
        step(pair);
    assert_int_equal(pair->server.messages, sent);
    assert_int_equal(channel_queued(pair->client.channel), 0);
}

static void a_pause_inside_a_record_loses_nothing(void **state)
{
    struct pair *pair = *state;
    open_pair(pair);
    pair->server.pause_after = 3;
    for (unsigned i = 0; i < 10; i++)
        assert_ok(wire_end_send(&pair->client, sotto_bytes_str("one of ten")));
    for (int i = 0; i < 200; i++)
        step(pair);
    assert_int_equal(pair->server.messages, 3);
    assert_int_equal(channel_events(pair->server.channel), 0);
    channel_pause(pair->server.channel, false);
    assert_true(channel_pending(pair->server.channel));
    for (int i = 0; i < 200; i++)
        step(pair);
    assert_int_equal(pair->server.messages, 10);
}

static void an_orderly_close_is_seen_on_both_ends(void **state)
{
    struct pair *pair = *state;
    open_pair(pair);
    assert_ok(wire_end_send(&pair->server, sotto_bytes_str("last words")));
    channel_close(pair->server.channel, 1001);
    assert_error(wire_end_send(&pair->server, sotto_bytes_str("too late")), STATE);
    for (int i = 0; i < ROUNDS && channel_state(pair->server.channel) != CHANNEL_CLOSED; i++)
        step(pair);
    assert_int_equal(channel_state(pair->client.channel), CHANNEL_CLOSED);
    assert_ok(channel_end(pair->client.channel)->error);
    assert_int_equal(channel_end(pair->client.channel)->close_code, 1001);
    assert_ok(channel_end(pair->server.channel)->error);
    assert_bytes(sotto_buf_view(&pair->client.last), sotto_bytes_str("last words"));
}

static void a_peer_that_vanishes_is_a_network_error(void **state)
{
    struct pair *pair = *state;
    open_pair(pair);
    wire_end_free(&pair->server);
    for (int i = 0; i < ROUNDS && channel_state(pair->client.channel) != CHANNEL_CLOSED; i++)
        step(pair);
    assert_error(channel_end(pair->client.channel)->error, NETWORK);
    assert_error(wire_end_send(&pair->client, sotto_bytes_str("anyone?")), STATE);
    assert_int_equal(channel_events(pair->client.channel), 0);
}

static void a_peer_that_vanishes_while_written_to_is_a_network_error(void **state)
{
    struct pair *pair = *state;
    static uint8_t data[1000000];
    open_pair(pair);
    channel_pause(pair->client.channel, true);
    assert_ok(wire_end_send(&pair->client, sotto_bytes_of(data, sizeof data)));
    channel_flush(pair->client.channel);
    wire_end_free(&pair->server);
    for (int i = 0; i < 10; i++)
        channel_flush(pair->client.channel);
    assert_int_equal(channel_state(pair->client.channel), CHANNEL_CLOSED);
    assert_error(channel_end(pair->client.channel)->error, NETWORK);
}

static void bytes_that_are_not_tls_close_the_channel(void **state)
{
    struct pair *pair = *state;
    static const char http[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    int fds[2];
    wire_end_free(&pair->client);
    wire_end_free(&pair->server);
    wire_end_init(&pair->server);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    assert_ok(channel_accept(sotto_env_system(), pair->world.server, fds[1], NULL,
                             &wire_end_handler, &pair->server, &pair->server.channel));
    assert_int_equal(write(fds[0], http, sizeof http - 1), sizeof http - 1);
    for (int i = 0; i < 10; i++)
        wire_end_step(&pair->server);
    assert_int_equal(channel_state(pair->server.channel), CHANNEL_CLOSED);
    assert_error(channel_end(pair->server.channel)->error, NETWORK);
    close(fds[0]);
}

/* A handler whose writing fails, because the peer has gone. */
struct failing {
    struct channel *channel;
    unsigned calls;
    uint8_t seen;
};

static void write_in_handler(void *ctx, sotto_bytes message)
{
    struct failing *failing = ctx;
    sotto_bytes view = sotto_bytes_str("answer");
    failing->calls++;
    assert_ok(channel_send(failing->channel, &view, 1));
    channel_flush(failing->channel);
    assert_int_equal(channel_state(failing->channel), CHANNEL_CLOSED);
    failing->seen = message.data[message.size - 1]; /* the view is still there */
}

static void a_handler_whose_channel_fails_still_sees_its_message(void **state)
{
    struct pair *pair = *state;
    static const struct channel_handler handler = {.message = write_in_handler};
    static uint8_t data[60000];
    struct failing failing = {0};
    int fds[2];
    wire_end_free(&pair->client);
    wire_end_free(&pair->server);
    wire_end_init(&pair->client);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    assert_ok(channel_connect(sotto_env_system(), pair->world.client, fds[0], &pair->world.address,
                              NULL, &wire_end_handler, &pair->client, &pair->client.channel));
    assert_ok(channel_accept(sotto_env_system(), pair->world.server, fds[1], NULL, &handler,
                             &failing, &failing.channel));
    for (int i = 0; i < ROUNDS && pair->client.opened == 0; i++) {
        wire_end_step(&pair->client);
        channel_step(failing.channel, POLLIN | POLLOUT);
    }
    data[sizeof data - 1] = 77;
    assert_ok(wire_end_send(&pair->client, sotto_bytes_of(data, sizeof data)));
    assert_ok(wire_end_send(&pair->client, sotto_bytes_str("never delivered")));
    channel_flush(pair->client.channel);
    assert_int_equal(channel_queued(pair->client.channel), 0);
    wire_end_free(&pair->client);
    for (int i = 0; i < 10; i++)
        channel_step(failing.channel, POLLIN | POLLOUT);
    assert_int_equal(failing.calls, 1);
    assert_int_equal(failing.seen, 77);
    channel_free(failing.channel);
}

static void an_existing_key_is_kept_and_gets_a_certificate(void **state)
{
    struct pair *pair = *state;
    struct wire_world *world = &pair->world;
    const sotto_env *env = sotto_env_system();
    struct tls *again;
    struct stat info;
    uint8_t pin[PIN_SIZE];
    assert_int_equal(stat(world->key, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    assert_int_equal(unlink(world->certificate), 0);
    assert_ok(tls_make_certificate(env, world->certificate, world->key, NULL));
    assert_ok(tls_server(env, world->certificate, world->key, &again, NULL));
    tls_pin(again, pin);
    assert_memory_equal(pin, world->address.pin, PIN_SIZE);
    tls_free(again);
    const char *why = NULL;
    assert_int_equal(unlink(world->key), 0);
    assert_error(tls_make_certificate(env, world->certificate, world->key, &why), EXISTS);
    assert_string_equal(why, "a certificate is there, but not its key");
    assert_error(tls_server(env, world->certificate, world->key, &again, &why), IO);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(both_ends_open_and_messages_go_both_ways),
        TEST(a_message_of_the_largest_size_arrives_whole),
        TEST(many_small_messages_keep_their_order_and_share_writes),
        TEST(another_key_than_the_pinned_one_is_refused),
        TEST(without_a_pin_a_self_made_certificate_is_refused),
        TEST(without_a_pin_the_systems_roots_and_the_name_count),
        TEST(a_full_queue_says_limit_until_the_peer_reads),
        TEST(a_pause_inside_a_record_loses_nothing),
        TEST(an_orderly_close_is_seen_on_both_ends),
        TEST(a_peer_that_vanishes_is_a_network_error),
        TEST(a_peer_that_vanishes_while_written_to_is_a_network_error),
        TEST(bytes_that_are_not_tls_close_the_channel),
        TEST(a_handler_whose_channel_fails_still_sees_its_message),
        TEST(an_existing_key_is_kept_and_gets_a_certificate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
