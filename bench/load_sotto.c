/* Sotto's protocol (docs/PROTOCOL.md) as the generator speaks it. Only the greetings go through the
 * library's writers: an append is a frame made once, in which three fields are replaced. */
#include "load_protocols.h"

#include <stdlib.h>
#include <string.h>

#include "wire/message.h"

enum { STAGE_UPGRADE, STAGE_HELLO, STAGE_CREATE, STAGE_SUBSCRIBE, STAGE_READY };

/* A request's number says what it was; messages have 100 + index. */
enum { REQUEST_HELLO = 1, REQUEST_CREATE = 2, REQUEST_SUBSCRIBE = 3, REQUEST_MESSAGES = 100 };

static struct room_id room_of(uint32_t channel)
{
    struct room_id room = {{'r'}};
    memcpy(room.bytes + 1, &channel, sizeof channel);
    return room;
}

static const uint8_t write_token[TOKEN_SIZE] = {'w'}, read_token[TOKEN_SIZE] = {'r'};

static void put_big(uint8_t *out, uint64_t value, size_t size)
{
    for (size_t i = 0; i < size; i++)
        out[i] = (uint8_t)(value >> (8 * (size - 1 - i)));
}

static uint64_t get_big(const uint8_t *data, size_t size)
{
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++)
        value = value << 8 | data[i];
    return value;
}

/* A client's frames are masked: with zeros, so that it costs the generator nothing. */
static uint8_t *put_frame(struct load_conn *conn, size_t size)
{
    uint8_t head[8] = {0x82, (uint8_t)(0x80 | size)};
    size_t head_size = 6;
    if (size >= 126) {
        head[1] = 0x80 | 126;
        put_big(head + 2, size, 2);
        head_size = 8;
    }
    uint8_t *out = load_extend(conn, head_size + size);
    memcpy(out, head, head_size);
    return out + head_size;
}

static void send_message(struct load_conn *conn, const struct message *message)
{
    sotto_buf buf;
    sotto_buf_init(&buf, sotto_env_system());
    if (message_write(message, &buf) != SOTTO_OK)
        load_die("a request cannot be written");
    memcpy(put_frame(conn, buf.size), buf.data, buf.size);
    sotto_buf_free(&buf);
}

/* ---- Signing in ----------------------------------------------------------------------------- */

static void opened(struct load_conn *conn)
{
    load_print(conn, "GET /sotto HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
                     "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                     "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: sotto.v1\r\n\r\n");
}

static void create(struct load_conn *conn)
{
    struct message message = {
        .type = MESSAGE_ROOM_CREATE,
        .request = REQUEST_CREATE,
        .room_create = {.room = room_of(conn->channel)},
    };
    gate_of(sotto_bytes_of(write_token, TOKEN_SIZE), &message.room_create.write_gate);
    gate_of(sotto_bytes_of(read_token, TOKEN_SIZE), &message.room_create.read_gate);
    send_message(conn, &message);
}

void load_sotto_subscribe(struct load_conn *conn, uint32_t channel, uint32_t request, uint64_t from)
{
    const struct message message = {
        .type = MESSAGE_ROOM_SUBSCRIBE,
        .request = request,
        .room_subscribe = {room_of(channel), sotto_bytes_of(read_token, TOKEN_SIZE), from},
    };
    send_message(conn, &message);
}

/* Writers make the room, which succeeds again for the room that is there, as long as it is empty;
 * readers may be early and so make it too. */
static void go_on(struct load_conn *conn)
{
    const struct message hello = {
        .type = MESSAGE_HELLO,
        .request = REQUEST_HELLO,
        .hello = {WIRE_VERSION, CONNECTION_ROOM},
    };
    conn->stage++;
    if (conn->stage == STAGE_HELLO)
        send_message(conn, &hello);
    if (conn->stage == STAGE_CREATE && (conn->role == LOAD_IDLE || conn->from > 1))
        conn->stage++;
    if (conn->stage == STAGE_CREATE)
        create(conn);
    if (conn->stage == STAGE_SUBSCRIBE && (conn->role & LOAD_READS) == 0)
        conn->stage++;
    if (conn->stage == STAGE_SUBSCRIBE)
        load_sotto_subscribe(conn, conn->channel, REQUEST_SUBSCRIBE, conn->from);
    if (conn->stage == STAGE_READY)
        conn->event(conn, LOAD_READY, 0);
}

/* ---- Messages ------------------------------------------------------------------------------- */

enum {
    AT_REQUEST = 2,
    AT_ROOM = 6,
    AT_ID = AT_ROOM + ROOM_ID_SIZE,
    AT_EPOCH = AT_ID + REQUEST_ID_SIZE,
    AT_TOKEN = AT_EPOCH + 8,
    AT_KIND = AT_TOKEN + TOKEN_SIZE,
    AT_BYTES = AT_KIND + 1,
    APPEND_SIZE = AT_BYTES + 2 + LOAD_PAYLOAD,
};

/* As random as append_ids are, so that the relay's index of them is used as in life. */
static void put_append_id(uint8_t *out, uint64_t channel, uint64_t index)
{
    for (unsigned half = 0; half < 2; half++) { /* splitmix64 */
        uint64_t value = (channel << 40 ^ index << 1 ^ half) + 0x9E3779B97F4A7C15u;
        value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9u;
        value = (value ^ value >> 27) * 0x94D049BB133111EBu;
        put_big(out + (size_t)8 * half, value ^ value >> 31, 8);
    }
}

static void send_append(struct load_conn *conn, uint64_t index)
{
    uint8_t *out = put_frame(conn, APPEND_SIZE);
    const struct room_id room = room_of(conn->channel);
    put_big(out, MESSAGE_ROOM_APPEND, 2);
    put_big(out + AT_REQUEST, REQUEST_MESSAGES + index, 4);
    memcpy(out + AT_ROOM, room.bytes, ROOM_ID_SIZE);
    put_append_id(out + AT_ID, conn->channel, index);
    memset(out + AT_EPOCH, 0, 8);
    memcpy(out + AT_TOKEN, write_token, TOKEN_SIZE);
    out[AT_KIND] = ENTRY_MESSAGE;
    put_big(out + AT_BYTES, 0x4000 | LOAD_PAYLOAD, 2); /* bytes<V>, RFC 9420 section 2.1.2 */
    load_payload(out + AT_BYTES + 2, index);
}

/* The length of a bytes<V>; *at moves behind it. */
static size_t take_length(const uint8_t *data, size_t *at)
{
    size_t octets = (size_t)1 << (data[*at] >> 6);
    size_t length = (size_t)get_big(data + *at, octets) & (((size_t)1 << (8 * octets - 2)) - 1);
    *at += octets;
    return length;
}

static void take_entries(struct load_conn *conn, const uint8_t *data, size_t size)
{
    size_t at = WIRE_HEAD;
    take_length(data, &at);
    while (at < size) {
        at += 8 + 8 + 1 + REQUEST_ID_SIZE;
        size_t length = take_length(data, &at);
        if (at + length > size || !load_delivered(conn, data + at, length))
            load_die("sotto: an entry that nobody has written");
        at += length;
    }
}

static void take_message(struct load_conn *conn, const uint8_t *data, size_t size)
{
    uint16_t type = size < WIRE_HEAD ? 0 : (uint16_t)get_big(data, 2);
    uint32_t request = size < WIRE_HEAD ? 0 : (uint32_t)get_big(data + 2, 4);
    if (type == MESSAGE_ROOM_ENTRIES)
        take_entries(conn, data, size);
    else if (type == MESSAGE_ROOM_APPEND_OK)
        conn->event(conn, LOAD_ACKED, request - REQUEST_MESSAGES);
    else if (type == MESSAGE_ERROR && request == REQUEST_CREATE &&
             get_big(data + WIRE_HEAD, 2) == WIRE_CODE_ROOM_EXISTS)
        go_on(conn);
    else if (type == MESSAGE_ERROR || type == MESSAGE_ROOM_END || type == 0)
        load_die("sotto: refused: %s", wire_code_name((uint16_t)get_big(data + WIRE_HEAD, 2)));
    else
        go_on(conn);
}

/* ---- Frames --------------------------------------------------------------------------------- */

/* 0: the frame is not whole yet. */
static size_t take_frame(struct load_conn *conn, uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    size_t octets = data[1] < 126 ? 0 : data[1] == 126 ? 2 : 8;
    if (size < 2 + octets)
        return 0;
    uint64_t length = octets == 0 ? data[1] : get_big(data + 2, octets);
    uint8_t *payload = data + 2 + octets;
    if (size - 2 - octets < length)
        return 0;
    if (data[0] == 0x82) {
        take_message(conn, payload, (size_t)length);
    } else if (data[0] == 0x89) { /* ping */
        uint8_t pong[6] = {0x8A, 0x80};
        load_put(conn, pong, sizeof pong);
    } else if (data[0] == 0x88) {
        load_lost(conn, "closed by the relay");
    }
    return 2 + octets + (size_t)length;
}

static size_t input(struct load_conn *conn, uint8_t *data, size_t size)
{
    size_t used = 0, more;
    if (conn->stage == STAGE_UPGRADE) {
        const uint8_t *end = memmem(data, size, "\r\n\r\n", 4);
        if (end == NULL)
            return 0;
        if (memcmp(data, "HTTP/1.1 101", 12) != 0)
            load_die("sotto: the relay does not switch to WebSocket");
        used = (size_t)(end - data) + 4;
        go_on(conn);
    }
    while ((more = take_frame(conn, data + used, size - used)) > 0)
        used += more;
    return used;
}

const struct load_protocol load_sotto = {
    .name = "sotto",
    .opened = opened,
    .input = input,
    .send = send_append,
};
