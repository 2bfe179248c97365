#include "wire/socks.h"

#include <arpa/inet.h>
#include <string.h>

enum { METHOD_NONE = 0, METHOD_PASSWORD = 2, TYPE_IPV4 = 1, TYPE_NAME = 3, TYPE_IPV6 = 4 };

static void put(struct socks *socks, const void *bytes, size_t size)
{
    BUG_UNLESS(size <= sizeof socks->out - socks->out_size);
    memcpy(socks->out + socks->out_size, bytes, size);
    socks->out_size += size;
}

static void put_octet(struct socks *socks, unsigned octet)
{
    uint8_t value = (uint8_t)octet;
    put(socks, &value, 1);
}

static bool copy_text(const char *text, char out[static SOCKS_TEXT_MAX], uint8_t *size)
{
    sotto_bytes view = sotto_bytes_str(text);
    if (view.size == 0 || view.size > SOCKS_TEXT_MAX)
        return false;
    memcpy(out, view.data, view.size);
    *size = (uint8_t)view.size;
    return true;
}

sotto_error socks_start(struct socks *socks, const struct address *target, const char *user,
                        const char *password)
{
    *socks = (struct socks){.stage = SOCKS_METHOD, .target = *target, .need = 2};
    if ((user == NULL) != (password == NULL))
        return SOTTO_ARGUMENT;
    if (user != NULL && (!copy_text(user, socks->user, &socks->user_size) ||
                         !copy_text(password, socks->password, &socks->password_size)))
        return SOTTO_ARGUMENT;
    /* One method only: credentials isolate circuits, so going on without them would join what must
     * be apart (RFC 1928, 3). */
    put_octet(socks, 5);
    put_octet(socks, 1);
    put_octet(socks, user == NULL ? METHOD_NONE : METHOD_PASSWORD);
    return SOTTO_OK;
}

/* RFC 1929, 2 */
static void put_login(struct socks *socks)
{
    put_octet(socks, 1);
    put_octet(socks, socks->user_size);
    put(socks, socks->user, socks->user_size);
    put_octet(socks, socks->password_size);
    put(socks, socks->password, socks->password_size);
    socks->stage = SOCKS_LOGIN;
    socks->need = 2;
}

/* RFC 1928, 4: CONNECT. Names go to the proxy as names: nothing is looked up here. */
static void put_connect(struct socks *socks)
{
    const struct address *target = &socks->target;
    uint8_t binary[16];
    put(socks, "\x05\x01\x00", 3);
    if (target->is_ipv6 && inet_pton(AF_INET6, target->host, binary) == 1) {
        put_octet(socks, TYPE_IPV6);
        put(socks, binary, 16);
    } else if (inet_pton(AF_INET, target->host, binary) == 1) {
        put_octet(socks, TYPE_IPV4);
        put(socks, binary, 4);
    } else {
        size_t size = strlen(target->host);
        put_octet(socks, TYPE_NAME);
        put_octet(socks, (unsigned)size);
        put(socks, target->host, size);
    }
    put_octet(socks, target->port >> 8);
    put_octet(socks, target->port & 0xff);
    socks->stage = SOCKS_REPLY;
    socks->need = 5; /* version, reply, reserved, type, first octet of the address */
}

static sotto_error feed_method(struct socks *socks, const uint8_t *answer, const char **what)
{
    uint8_t wanted = socks->user_size > 0 ? METHOD_PASSWORD : METHOD_NONE;
    if (answer[0] != 5 || answer[1] != wanted) {
        *what = "the proxy is not SOCKS5, or wants another way to log in";
        return SOTTO_NETWORK;
    }
    if (wanted == METHOD_PASSWORD)
        put_login(socks);
    else
        put_connect(socks);
    return SOTTO_OK;
}

static const char *reply_text(uint8_t reply)
{
    switch (reply) {
    case 2:
        return "the proxy does not allow this connection";
    case 3:
    case 4:
    case 6:
        return "the relay cannot be reached through the proxy";
    case 5:
        return "the relay refused the connection";
    default:
        return "the proxy failed";
    }
}

static sotto_error feed_reply(struct socks *socks, const uint8_t *answer, const char **what)
{
    *what = "the proxy's answer is not SOCKS5";
    if (answer[0] != 5 || answer[2] != 0)
        return SOTTO_NETWORK;
    if (answer[1] != 0) {
        *what = reply_text(answer[1]);
        return SOTTO_NETWORK;
    }
    /* The rest of the bound address, whose first octet was read, and its port. */
    switch (answer[3]) {
    case TYPE_IPV4:
        socks->need = 3 + 2;
        break;
    case TYPE_IPV6:
        socks->need = 15 + 2;
        break;
    case TYPE_NAME:
        socks->need = (size_t)answer[4] + 2;
        break;
    default:
        return SOTTO_NETWORK;
    }
    socks->stage = SOCKS_REPLY_REST;
    return SOTTO_OK;
}

sotto_error socks_feed(struct socks *socks, const uint8_t *answer, const char **what)
{
    socks->out_size = 0;
    switch (socks->stage) {
    case SOCKS_METHOD:
        return feed_method(socks, answer, what);
    case SOCKS_LOGIN:
        if (answer[1] != 0) {
            *what = "the proxy did not accept user and password";
            return SOTTO_NETWORK;
        }
        put_connect(socks);
        return SOTTO_OK;
    case SOCKS_REPLY:
        return feed_reply(socks, answer, what);
    case SOCKS_REPLY_REST:
    case SOCKS_DONE:
        break;
    }
    socks->stage = SOCKS_DONE;
    socks->need = 0;
    return SOTTO_OK;
}

void socks_wipe(struct socks *socks)
{
    wipe(socks, sizeof *socks);
}
