/* NATS with JetStream: one stream in files for all channels, a push consumer that asks for no
 * acknowledgements for each reader (the cheapest way to be delivered to). */
#include "load_protocols.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STAGE_CONNECT, STAGE_STREAM, STAGE_CONSUMER, STAGE_READY };

static void opened(struct load_conn *conn)
{
    /* Answers and acknowledgements come to _I.NUMBER.INDEX, messages to d.NUMBER. */
    load_print(conn,
               "CONNECT {\"verbose\":false,\"pedantic\":false,\"tls_required\":true,"
               "\"lang\":\"c\",\"version\":\"1\"}\r\nSUB _I.%u.* 1\r\nSUB d.%u 2\r\nPING\r\n",
               conn->number, conn->number);
}

static void request(struct load_conn *conn, const char *subject, const char *body)
{
    load_print(conn, "PUB $JS.API.%s _I.%u.0 %zu\r\n%s\r\n", subject, conn->number, strlen(body),
               body);
}

static void create_consumer(struct load_conn *conn)
{
    char body[256];
    snprintf(body, sizeof body,
             "{\"stream_name\":\"LOAD\",\"config\":{\"deliver_subject\":\"d.%u\","
             "\"filter_subject\":\"t.%u\",\"ack_policy\":\"none\",\"deliver_policy\":\"new\"}}",
             conn->number, conn->channel);
    request(conn, "CONSUMER.CREATE.LOAD", body);
}

static void go_on(struct load_conn *conn)
{
    conn->stage++;
    if (conn->stage == STAGE_STREAM && (conn->role & LOAD_READS) == 0)
        conn->stage = STAGE_READY;
    if (conn->stage == STAGE_STREAM)
        request(conn, "STREAM.CREATE.LOAD",
                "{\"name\":\"LOAD\",\"subjects\":[\"t.*\"],\"storage\":\"file\","
                "\"retention\":\"limits\"}");
    if (conn->stage == STAGE_CONSUMER)
        create_consumer(conn);
    if (conn->stage == STAGE_READY)
        conn->event(conn, LOAD_READY, 0);
}

static void publish(struct load_conn *conn, uint64_t index)
{
    load_print(conn, "PUB t.%u _I.%u.%llu %d\r\n", conn->channel, conn->number,
               (unsigned long long)index, LOAD_PAYLOAD);
    uint8_t *out = load_extend(conn, LOAD_PAYLOAD + 2);
    load_payload(out, index);
    memcpy(out + LOAD_PAYLOAD, "\r\n", 2);
}

static void take_answer(struct load_conn *conn, const char *subject, const uint8_t *body,
                        size_t size)
{
    const char *dot = strrchr(subject, '.');
    if (memmem(body, size, "\"error\"", 7) != NULL || dot == NULL)
        load_die("nats: refused: %.*s", (int)size, (const char *)body);
    if (conn->stage == STAGE_READY)
        conn->event(conn, LOAD_ACKED, strtoull(dot + 1, NULL, 10));
    else
        go_on(conn);
}

/* MSG subject sid [reply] size; how many bytes line and body are; 0: not whole yet. */
static size_t take_message(struct load_conn *conn, char *line, size_t line_size, uint8_t *body,
                           size_t rest)
{
    char subject[64];
    const char *last = strrchr(line, ' ');
    size_t size = last == NULL ? 0 : strtoul(last, NULL, 10);
    if (sscanf(line, "MSG %63s", subject) != 1)
        load_die("nats: %s", line);
    if (rest < size + 2)
        return 0;
    if (subject[0] == 't') { /* its own subject, not that of the delivery */
        if (!load_delivered(conn, body, size))
            load_die("nats: a message that nobody has written");
    } else {
        take_answer(conn, subject, body, size);
    }
    return line_size + size + 2;
}

static size_t take(struct load_conn *conn, uint8_t *data, size_t size)
{
    const uint8_t *end = memmem(data, size, "\r\n", 2);
    char line[4096];
    if (end == NULL)
        return 0;
    size_t length = (size_t)(end - data);
    if (length >= sizeof line)
        load_die("nats: a line is too long");
    memcpy(line, data, length);
    line[length] = '\0';
    if (strncmp(line, "MSG ", 4) == 0)
        return take_message(conn, line, length + 2, data + length + 2, size - length - 2);
    if (strcmp(line, "PING") == 0)
        load_print(conn, "PONG\r\n");
    else if (strcmp(line, "PONG") == 0)
        go_on(conn);
    else if (strncmp(line, "INFO ", 5) != 0)
        load_die("nats: %s", line);
    return length + 2;
}

static size_t input(struct load_conn *conn, uint8_t *data, size_t size)
{
    size_t used = 0, more;
    while ((more = take(conn, data + used, size - used)) > 0)
        used += more;
    return used;
}

const struct load_protocol load_nats = {
    .name = "nats", .preamble = true, .opened = opened, .input = input, .send = publish};
