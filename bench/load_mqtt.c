/* MQTT 3.1.1: one topic a channel, QoS 1 both ways, sessions that outlive their connection. */
#include "load_protocols.h"

#include <stdio.h>
#include <string.h>

enum { CONNECT = 0x10, CONNACK = 0x20, PUBLISH = 0x30, PUBACK = 0x40, SUBSCRIBE = 0x82 };
enum { SUBACK = 0x90, QOS_1 = 0x02, IDS = 65535 };

/* Fixed header and remaining length (2.2). */
static void put_header(struct load_conn *conn, uint8_t type, size_t size)
{
    uint8_t head[5] = {type};
    size_t count = 1;
    do {
        head[count] = (uint8_t)(size % 128);
        size /= 128;
        if (size > 0)
            head[count] |= 0x80;
        count++;
    } while (size > 0);
    load_put(conn, head, count);
}

static void put_u16(struct load_conn *conn, size_t value)
{
    const uint8_t octets[2] = {(uint8_t)(value >> 8), (uint8_t)value};
    load_put(conn, octets, 2);
}

static void put_text(struct load_conn *conn, const char *text)
{
    put_u16(conn, strlen(text));
    load_put(conn, text, strlen(text));
}

static void topic_of(const struct load_conn *conn, char topic[static 16])
{
    snprintf(topic, 16, "t/%u", conn->channel);
}

static void opened(struct load_conn *conn)
{
    static const uint8_t version_4_keep_session_no_keepalive[] = {4, 0, 0, 0};
    char id[32];
    snprintf(id, sizeof id, "load-%u", conn->number);
    put_header(conn, CONNECT, 6 + 4 + 2 + strlen(id));
    put_text(conn, "MQTT");
    load_put(conn, version_4_keep_session_no_keepalive, 4);
    put_text(conn, id);
}

static void subscribe(struct load_conn *conn)
{
    static const uint8_t qos = 1;
    char topic[16];
    topic_of(conn, topic);
    put_header(conn, SUBSCRIBE, 2 + 2 + strlen(topic) + 1);
    put_u16(conn, 1);
    put_text(conn, topic);
    load_put(conn, &qos, 1);
}

static void publish(struct load_conn *conn, uint64_t index)
{
    char topic[16];
    topic_of(conn, topic);
    put_header(conn, PUBLISH | QOS_1, 2 + strlen(topic) + 2 + LOAD_PAYLOAD);
    put_text(conn, topic);
    put_u16(conn, index % IDS + 1);
    load_payload(load_extend(conn, LOAD_PAYLOAD), index);
}

static void take_publish(struct load_conn *conn, const uint8_t *data, size_t size)
{
    size_t topic = (size_t)(data[0] << 8 | data[1]), at = 2 + topic + 2;
    if (at > size || !load_delivered(conn, data + at, size - at))
        load_die("mqtt: a message that nobody has written");
    put_header(conn, PUBACK, 2);
    load_put(conn, data + 2 + topic, 2);
}

static void take_packet(struct load_conn *conn, uint8_t type, const uint8_t *data, size_t size)
{
    if (type == CONNACK && size == 2 && data[1] == 0 && (conn->role & LOAD_READS) != 0) {
        subscribe(conn);
    } else if ((type == CONNACK && size == 2 && data[1] == 0) ||
               (type == SUBACK && size == 3 && data[2] == 1)) {
        conn->event(conn, LOAD_READY, 0);
    } else if (type == PUBACK && size == 2 &&
               (size_t)(data[0] << 8 | data[1]) == conn->acked % IDS + 1) {
        conn->event(conn, LOAD_ACKED, conn->acked++);
    } else if ((type & 0xf0) == PUBLISH && (type & QOS_1) != 0 && size >= 4) {
        take_publish(conn, data, size);
    } else {
        load_die("mqtt: an answer that was not expected: %02x", type);
    }
}

/* 0: not whole yet. */
static size_t take(struct load_conn *conn, const uint8_t *data, size_t size)
{
    size_t length = 0, at = 1;
    for (unsigned shift = 0;; shift += 7) {
        if (at >= size)
            return 0;
        length |= (size_t)(data[at] & 127) << shift;
        if ((data[at++] & 128) == 0)
            break;
    }
    if (size - at < length)
        return 0;
    take_packet(conn, data[0], data + at, length);
    return at + length;
}

static size_t input(struct load_conn *conn, uint8_t *data, size_t size)
{
    size_t used = 0, more;
    while ((more = take(conn, data + used, size - used)) > 0)
        used += more;
    return used;
}

const struct load_protocol load_mqtt = {
    .name = "mosquitto", .opened = opened, .input = input, .send = publish};
