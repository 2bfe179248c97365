/* XMPP: an account for each end of a channel, made in band; SASL PLAIN over direct TLS. Stanzas are
 * found by their text, not parsed: both servers are our own children, and send what we know. */
#include "load_protocols.h"

#include <stdio.h>
#include <string.h>

#include <openssl/evp.h>

enum { STAGE_FEATURES, STAGE_REGISTER, STAGE_AUTH, STAGE_FEATURES_2, STAGE_BIND, STAGE_READY };

static void user_of(const struct load_conn *conn, char user[static 24])
{
    snprintf(user, 24, "%c%u", (conn->role & LOAD_READS) != 0 ? 'r' : 'w', conn->channel);
}

static void opened(struct load_conn *conn)
{
    load_print(conn, "<?xml version='1.0'?><stream:stream to='localhost' xmlns='jabber:client'"
                     " xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>");
}

static void sign_in(struct load_conn *conn)
{
    char user[24], plain[64], coded[128];
    user_of(conn, user);
    int size = snprintf(plain, sizeof plain, "%c%s%csecret-%s", 0, user, 0, user);
    EVP_EncodeBlock((unsigned char *)coded, (const unsigned char *)plain, size);
    load_print(conn, "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>%s</auth>",
               coded);
}

static void create_account(struct load_conn *conn)
{
    char user[24];
    user_of(conn, user);
    load_print(conn,
               "<iq type='set' id='reg' to='localhost'><query xmlns='jabber:iq:register'>"
               "<username>%s</username><password>secret-%s</password></query></iq>",
               user, user);
}

static bool has(const uint8_t *data, size_t size, const char *text)
{
    return memmem(data, size, text, strlen(text)) != NULL;
}

/* Goes on when the answer is there. */
static size_t log_in(struct load_conn *conn, const uint8_t *data, size_t size)
{
    static const char *const awaited[] = {"</stream:features>", "id='reg'", "<success",
                                          "</stream:features>", "id='bind'"};
    static const char *const awaited_too[] = {"</stream:features>", "id=\"reg\"", "<success",
                                              "</stream:features>", "id=\"bind\""};
    if (has(data, size, "<failure") || has(data, size, "<stream:error"))
        load_die("%s: %.*s", conn->protocol->name, (int)(size < 500 ? size : 500),
                 (const char *)data);
    if (!has(data, size, awaited[conn->stage]) && !has(data, size, awaited_too[conn->stage]))
        return 0;
    conn->stage++;
    if (conn->stage == STAGE_REGISTER)
        create_account(conn);
    if (conn->stage == STAGE_AUTH)
        sign_in(conn); /* also if the account was there */
    if (conn->stage == STAGE_FEATURES_2)
        opened(conn);
    if (conn->stage == STAGE_BIND)
        load_print(conn, "<iq type='set' id='bind'><bind"
                         " xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>");
    if (conn->stage == STAGE_READY) {
        load_print(conn, "<presence/>");
        conn->event(conn, LOAD_READY, 0);
    }
    return size;
}

static void send_chat(struct load_conn *conn, uint64_t index)
{
    load_print(conn, "<message to='r%u@localhost' type='chat' id='m%llu'><body>", conn->channel,
               (unsigned long long)index);
    load_payload(load_extend(conn, LOAD_PAYLOAD), index);
    load_print(conn, "</body></message>");
}

static size_t input(struct load_conn *conn, uint8_t *data, size_t size)
{
    static const char end[] = "</message>", body[] = "<body>";
    size_t used = 0;
    const uint8_t *stop;
    if (conn->stage != STAGE_READY)
        return log_in(conn, data, size);
    while ((stop = memmem(data + used, size - used, end, sizeof end - 1)) != NULL) {
        size_t length = (size_t)(stop - data) - used;
        const uint8_t *start = memmem(data + used, length, body, sizeof body - 1);
        if (has(data + used, length, "type='error'") || has(data + used, length, "type=\"error\""))
            load_die("%s: refused: %.*s", conn->protocol->name, (int)length,
                     (const char *)data + used);
        if (start != NULL && (start += sizeof body - 1) + LOAD_PAYLOAD <= stop)
            load_delivered(conn, start, LOAD_PAYLOAD);
        used += length + sizeof end - 1;
    }
    return used;
}

const struct load_protocol load_xmpp = {
    .name = "xmpp", .opened = opened, .input = input, .send = send_chat};
