/* WebSocket without a socket: the examples of RFC 6455 and what a hostile peer may send. Everything
 * is fed whole and byte by byte, and both must come to the same. */
#include <stdio.h>

#include "unit/check.h"
#include "wire/ws.h"

#define MAX_MESSAGE 100000

/* The request of RFC 6455, 1.3, with our path and protocol. */
#define REQUEST_LINE "GET /sotto HTTP/1.1\r\n"
#define REQUEST_HEADERS                               \
    "Host: server.example.com\r\n"                    \
    "Upgrade: websocket\r\n"                          \
    "Connection: keep-alive, Upgrade\r\n"             \
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" \
    "Sec-WebSocket-Protocol: chat, sotto.v1\r\n"      \
    "Sec-WebSocket-Version: 13\r\n"

static const char accept_headers[] = "HTTP/1.1 101 Switching Protocols\r\n"
                                     "Upgrade: websocket\r\n"
                                     "Connection: Upgrade\r\n"
                                     "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
                                     "Sec-WebSocket-Protocol: sotto.v1\r\n"
                                     "\r\n";

struct scene {
    struct ws ws;
    sotto_buf out;
    unsigned opened, messages, pongs, closed, failed;
    sotto_buf last; /* all messages, one behind the other */
    size_t used;    /* of what was fed last */
};

static void scene_init(struct scene *scene, enum ws_role role)
{
    memset(scene, 0, sizeof *scene);
    ws_init(&scene->ws, sotto_env_system(), role, MAX_MESSAGE);
    sotto_buf_init(&scene->out, sotto_env_system());
    sotto_buf_init(&scene->last, sotto_env_system());
}

static void scene_free(struct scene *scene)
{
    ws_free(&scene->ws);
    sotto_buf_free(&scene->out);
    sotto_buf_free(&scene->last);
}

static void count(struct scene *scene, enum ws_event event, sotto_bytes message)
{
    scene->opened += event == WS_OPENED;
    scene->messages += event == WS_MESSAGE;
    scene->pongs += event == WS_PONG;
    scene->closed += event == WS_CLOSED;
    scene->failed += event == WS_FAILED;
    if (event == WS_MESSAGE)
        assert_ok(sotto_buf_append(&scene->last, message.data, message.size));
}

/* Feeds a copy in pieces of that size. */
static void feed(struct scene *scene, const void *bytes, size_t size, size_t piece)
{
    const uint8_t *from = bytes;
    for (size_t pos = 0; pos < size; pos += piece) {
        size_t here = size - pos < piece ? size - pos : piece;
        uint8_t *copy = malloc(here);
        assert_non_null(copy);
        memcpy(copy, from + pos, here);
        size_t taken = 0;
        for (;;) {
            size_t used;
            sotto_bytes message;
            enum ws_event event =
                ws_feed(&scene->ws, copy + taken, here - taken, &used, &message, &scene->out);
            taken += used;
            if (event == WS_MORE)
                break;
            count(scene, event, message);
        }
        assert_int_equal(taken, here);
        free(copy);
    }
}

static void open_server(struct scene *scene)
{
    static const char request[] = REQUEST_LINE REQUEST_HEADERS "\r\n";
    scene_init(scene, WS_SERVER);
    feed(scene, request, sizeof request - 1, sizeof request);
    assert_int_equal(scene->opened, 1);
    sotto_buf_clear(&scene->out);
}

static void open_client(struct scene *scene)
{
    char answer[400], accept[29];
    scene_init(scene, WS_CLIENT);
    assert_ok(ws_request(&scene->ws, "relay.example:443", &scene->out));
    const uint8_t *key = memmem(scene->out.data, scene->out.size, "Key: ", 5);
    assert_non_null(key);
    assert_ok(ws_accept_key(sotto_bytes_of(key + 5, 24), accept));
    int size = snprintf(answer, sizeof answer,
                        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\n"
                        "connection: upgrade\r\nSec-WebSocket-Accept: %s\r\n"
                        "Sec-WebSocket-Protocol: sotto.v1\r\n\r\n",
                        accept);
    feed(scene, answer, (size_t)size, sizeof answer);
    assert_int_equal(scene->opened, 1);
    sotto_buf_clear(&scene->out);
}

/* ---- Handshake ---------------------------------------------------------------------------------
 */

static void the_example_of_the_rfc_is_answered(void **state)
{
    (void)state;
    static const char request[] = REQUEST_LINE REQUEST_HEADERS "\r\n";
    for (size_t piece = 1; piece <= sizeof request; piece += sizeof request - 1) {
        struct scene scene;
        scene_init(&scene, WS_SERVER);
        feed(&scene, request, sizeof request - 1, piece);
        assert_int_equal(scene.opened, 1);
        assert_bytes(sotto_buf_view(&scene.out), sotto_bytes_str(accept_headers));
        scene_free(&scene);
    }
}

static void expect_refusal(const char *request, const char *status)
{
    for (size_t piece = 1; piece <= 5000; piece += 4999) {
        struct scene scene;
        scene_init(&scene, WS_SERVER);
        feed(&scene, request, strlen(request), piece);
        assert_int_equal(scene.failed, 1);
        assert_int_equal(scene.opened, 0);
        assert_memory_equal(scene.out.data, "HTTP/1.1 ", 9);
        assert_memory_equal(scene.out.data + 9, status, 3);
        assert_memory_equal(scene.out.data + scene.out.size - 4, "\r\n\r\n", 4);
        scene_free(&scene);
    }
}

static void other_requests_get_a_short_answer(void **state)
{
    (void)state;
    expect_refusal("GET / HTTP/1.1\r\nHost: x\r\n\r\n", "404");
    expect_refusal("GET /sotto HTTP/1.1\r\nHost: x\r\n\r\n", "426");
    expect_refusal("POST /sotto HTTP/1.1\r\n" REQUEST_HEADERS "\r\n", "405");
    expect_refusal("GET /sotto HTTP/1.0\r\n" REQUEST_HEADERS "\r\n", "400");
    expect_refusal("GET /sotto HTTP/1.1 x\r\n" REQUEST_HEADERS "\r\n", "400");
    expect_refusal(REQUEST_LINE REQUEST_HEADERS "Sec-WebSocket-Version: 13\r\n\r\n", "400");
    expect_refusal(REQUEST_LINE REQUEST_HEADERS " folded\r\n\r\n", "400");
    expect_refusal(REQUEST_LINE REQUEST_HEADERS "Content-Length: 5\r\n\r\n", "400");
    expect_refusal(REQUEST_LINE REQUEST_HEADERS "No colon\r\n\r\n", "400");
    expect_refusal(REQUEST_LINE REQUEST_HEADERS "A: \x01\r\n\r\n", "400");
    expect_refusal(REQUEST_LINE REQUEST_HEADERS "A: b\n\r\n\r\n", "400");
    expect_refusal(REQUEST_LINE "Host: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                                "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: short\r\n\r\n",
                   "400");
    expect_refusal(REQUEST_LINE "Host: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                                "Sec-WebSocket-Version: 13\r\n"
                                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
                   "400");
}

static void a_request_without_end_is_cut_off(void **state)
{
    (void)state;
    static char request[WS_HANDSHAKE_MAX + 2];
    memset(request, 'a', WS_HANDSHAKE_MAX + 1);
    expect_refusal(request, "431");
}

static void the_client_refuses_answers_that_do_not_fit(void **state)
{
    (void)state;
    static const char *const answers[] = {
        accept_headers, /* accept of another key */
        "HTTP/1.1 404 Not Found\r\n\r\n",
        "HTTP/1.1 200 OK\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        "SSH-2.0-OpenSSH\r\n\r\n",
        "\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        struct scene scene;
        scene_init(&scene, WS_CLIENT);
        assert_ok(ws_request(&scene.ws, "x", &scene.out));
        feed(&scene, answers[i], strlen(answers[i]), 7);
        assert_int_equal(scene.failed, 1);
        scene_free(&scene);
    }
}

/* ---- Frames ------------------------------------------------------------------------------------
 */

struct frames {
    const char *bytes;
    size_t size;
};
#define FRAMES(text)          \
    (struct frames)           \
    {                         \
        text, sizeof text - 1 \
    }

/* 5.7, with the opcode of a binary message instead of text. */
static void the_frames_of_the_rfc_are_read(void **state)
{
    (void)state;
    for (size_t piece = 1; piece < 40; piece += 3) {
        struct scene client, server;
        open_client(&client);
        open_server(&server);
        struct frames whole = FRAMES("\x82\x05Hello");
        struct frames parts = FRAMES("\x02\x03Hel\x89\x00\x80\x02lo");
        struct frames masked = FRAMES("\x82\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
        feed(&client, whole.bytes, whole.size, piece);
        feed(&client, parts.bytes, parts.size, piece);
        assert_bytes(sotto_buf_view(&client.last), sotto_bytes_str("HelloHello"));
        assert_int_equal(client.messages, 2);
        /* The ping in between was answered, masked. */
        assert_int_equal(client.out.size, 6);
        assert_int_equal(client.out.data[0], 0x8a);
        assert_int_equal(client.out.data[1], 0x80);
        feed(&server, masked.bytes, masked.size, piece);
        assert_bytes(sotto_buf_view(&server.last), sotto_bytes_str("Hello"));
        scene_free(&client);
        scene_free(&server);
    }
}

static void expect_failure(struct frames frames, enum ws_role role, uint16_t code,
                           const char *error)
{
    for (size_t piece = 1; piece <= 64; piece *= 4) {
        struct scene scene;
        if (role == WS_SERVER)
            open_server(&scene);
        else
            open_client(&scene);
        feed(&scene, frames.bytes, frames.size, piece);
        assert_int_equal(scene.failed, 1);
        assert_int_equal(scene.messages, 0);
        assert_string_equal(sotto_error_name(scene.ws.error), error);
        /* One close frame with the code; nothing else. */
        size_t mask = role == WS_CLIENT ? 4 : 0;
        assert_int_equal(scene.out.size, 4 + mask);
        assert_int_equal(scene.out.data[0], 0x88);
        if (role == WS_SERVER)
            assert_int_equal(scene.out.data[2] << 8 | scene.out.data[3], code);
        scene_free(&scene);
    }
}

static void hostile_frames_fail_with_their_code(void **state)
{
    (void)state;
#define MASK "\x01\x02\x03\x04"
    /* text */
    expect_failure(FRAMES("\x81\x80" MASK), WS_SERVER, 1003, "UNSUPPORTED");
    /* reserved bits */
    expect_failure(FRAMES("\xc2\x80" MASK), WS_SERVER, 1002, "VALUE");
    expect_failure(FRAMES("\x92\x80" MASK), WS_SERVER, 1002, "VALUE");
    /* not masked; masked by a server */
    expect_failure(FRAMES("\x82\x00"), WS_SERVER, 1002, "VALUE");
    expect_failure(FRAMES("\x82\x80" MASK), WS_CLIENT, 1002, "VALUE");
    /* unknown opcodes */
    expect_failure(FRAMES("\x83\x80" MASK), WS_SERVER, 1002, "VALUE");
    expect_failure(FRAMES("\x8b\x80" MASK), WS_SERVER, 1002, "VALUE");
    /* a fragmented and a long control frame */
    expect_failure(FRAMES("\x09\x80" MASK), WS_SERVER, 1002, "VALUE");
    expect_failure(FRAMES("\x89\xfe\x00\x7e" MASK), WS_SERVER, 1002, "VALUE");
    /* continuation of nothing; a new message inside one */
    expect_failure(FRAMES("\x80\x80" MASK), WS_SERVER, 1002, "VALUE");
    expect_failure(FRAMES("\x02\x80" MASK "\x82\x80" MASK), WS_SERVER, 1002, "VALUE");
    /* lengths not in their shortest form, and one with the high bit */
    expect_failure(FRAMES("\x82\xfe\x00\x7d" MASK), WS_SERVER, 1002, "VALUE");
    expect_failure(FRAMES("\x82\xff\0\0\0\0\0\0\xff\xff" MASK), WS_SERVER, 1002, "VALUE");
    expect_failure(FRAMES("\x82\xff\x80\0\0\0\0\1\0\0" MASK), WS_SERVER, 1002, "VALUE");
    /* too large: at once, before the payload */
    expect_failure(FRAMES("\x82\xff\0\0\0\0\0\x01\x86\xa1" MASK), WS_SERVER, 1009, "LIMIT");
    expect_failure(FRAMES("\x02\x81" MASK "x\x80\xff\0\0\0\0\0\x01\x86\xa0" MASK), WS_SERVER, 1009,
                   "LIMIT");
    /* close codes: one byte; reserved ones */
    expect_failure(FRAMES("\x88\x81" MASK "\x01"), WS_SERVER, 1002, "VALUE");
    expect_failure(FRAMES("\x88\x02\x03\xed"), WS_CLIENT, 1002, "VALUE"); /* 1005 */
    expect_failure(FRAMES("\x88\x02\x13\x88"), WS_CLIENT, 1002, "VALUE"); /* 5000 */
}

static void a_close_is_answered_with_its_code_and_ends(void **state)
{
    (void)state;
    struct scene scene;
    struct frames frames = FRAMES("\x88\x05\x03\xe9"
                                  "bye"
                                  "\x82\x01x");
    open_client(&scene);
    feed(&scene, frames.bytes, frames.size, 1);
    assert_int_equal(scene.closed, 1);
    assert_int_equal(scene.ws.close_code, 1001);
    assert_int_equal(scene.messages, 0);
    assert_int_equal(scene.out.size, 8);
    assert_error(ws_ping(&scene.ws, &scene.out), STATE);
    scene_free(&scene);
}

/* Frames of one role are read by the other: sizes around the changes of the length's form. */
static void what_one_role_sends_the_other_reads(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 125, 126, 127, 65535, 65536, MAX_MESSAGE};
    static const size_t pieces[] = {1, 7, 4096, SIZE_MAX / 2};
    static uint8_t data[MAX_MESSAGE + 1];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 7);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        for (size_t j = 0; j < sizeof pieces / sizeof *pieces; j++) {
            struct scene client, server;
            open_client(&client);
            open_server(&server);
            sotto_bytes parts[2] = {sotto_bytes_of(data, sizes[i] / 3),
                                    sotto_bytes_of(data + sizes[i] / 3, sizes[i] - sizes[i] / 3)};
            assert_ok(ws_send(&client.ws, parts, 2, &client.out));
            assert_ok(ws_ping(&client.ws, &client.out));
            assert_ok(ws_send(&server.ws, parts, 2, &server.out));
            size_t piece = pieces[j] > 1000000 ? client.out.size : pieces[j];
            feed(&server, client.out.data, client.out.size, piece);
            feed(&client, server.out.data, server.out.size, piece);
            assert_bytes(sotto_buf_view(&server.last), sotto_bytes_of(data, sizes[i]));
            assert_bytes(sotto_buf_view(&client.last), sotto_bytes_of(data, sizes[i]));
            assert_int_equal(client.pongs, 1);
            scene_free(&client);
            scene_free(&server);
        }
    }
    struct scene client;
    open_client(&client);
    sotto_bytes large = sotto_bytes_of(data, MAX_MESSAGE + 1);
    assert_error(ws_send(&client.ws, &large, 1, &client.out), LIMIT);
    assert_int_equal(client.out.size, 0);
    scene_free(&client);
}

static void a_message_in_one_piece_is_not_copied(void **state)
{
    (void)state;
    struct scene scene;
    uint8_t bytes[] = "\x82\x05Hello";
    size_t used;
    sotto_bytes message;
    open_client(&scene);
    assert_int_equal(ws_feed(&scene.ws, bytes, sizeof bytes - 1, &used, &message, &scene.out),
                     WS_MESSAGE);
    assert_ptr_equal(message.data, bytes + 2);
    assert_null(scene.ws.message.data);
    scene_free(&scene);
}

static void the_mask_is_that_of_each_byte(void **state)
{
    (void)state;
    static const uint8_t mask[4] = {1, 2, 4, 8};
    for (size_t size = 0; size < 40; size++) {
        for (size_t offset = 0; offset < 4; offset++) {
            uint8_t data[40] = {0};
            ws_mask(data, size, mask, offset);
            for (size_t i = 0; i < sizeof data; i++)
                assert_int_equal(data[i], i < size ? mask[(i + offset) % 4] : 0);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_example_of_the_rfc_is_answered),
        cmocka_unit_test(other_requests_get_a_short_answer),
        cmocka_unit_test(a_request_without_end_is_cut_off),
        cmocka_unit_test(the_client_refuses_answers_that_do_not_fit),
        cmocka_unit_test(the_frames_of_the_rfc_are_read),
        cmocka_unit_test(hostile_frames_fail_with_their_code),
        cmocka_unit_test(a_close_is_answered_with_its_code_and_ends),
        cmocka_unit_test(what_one_role_sends_the_other_reads),
        cmocka_unit_test(a_message_in_one_piece_is_not_copied),
        cmocka_unit_test(the_mask_is_that_of_each_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
