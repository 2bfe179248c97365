#include "wire/dial.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "wire/lookup.h"
#include "wire/socks.h"

enum dial_stage { DIAL_LOOKUP, DIAL_NEXT, DIAL_CONNECT, DIAL_SOCKS_SEND, DIAL_SOCKS_RECEIVE };

struct dial {
    const sotto_env *env;
    enum dial_stage stage;
    struct lookup *lookup;
    const struct addrinfo *next; /* to be tried when the present one failed */
    int fd;
    uint64_t address_deadline_ms; /* UINT64_MAX: the last address, has all the time */
    bool has_proxy;
    struct socks socks;
    size_t moved; /* of socks.out or answer */
    uint8_t answer[SOCKS_TEXT_MAX + 2];
};

sotto_error dial_start(const sotto_env *env, const struct address *target,
                       const struct address *proxy, const char *user, const char *password,
                       struct dial **out)
{
    struct dial *dial = mem_alloc(env, sizeof *dial);
    if (dial == NULL)
        return SOTTO_NO_MEMORY;
    dial->env = env;
    dial->fd = -1;
    dial->address_deadline_ms = UINT64_MAX;
    dial->has_proxy = proxy != NULL;
    sotto_error error = SOTTO_OK;
    if (proxy != NULL)
        error = socks_start(&dial->socks, target, user, password);
    if (error == SOTTO_OK)
        error = lookup_start(proxy != NULL ? proxy : target, &dial->lookup);
    if (error != SOTTO_OK) {
        dial_free(dial);
        return error;
    }
    *out = dial;
    return SOTTO_OK;
}

static void close_socket(struct dial *dial)
{
    if (dial->fd >= 0)
        close(dial->fd);
    dial->fd = -1;
}

static sotto_error unreachable(const struct dial *dial, const char **what)
{
    *what = dial->has_proxy ? "the proxy cannot be reached" : "the relay cannot be reached";
    return SOTTO_NETWORK;
}

static sotto_error step_lookup(struct dial *dial, const char **what)
{
    if (!lookup_ready(dial->lookup))
        return SOTTO_OK;
    dial->next = lookup_result(dial->lookup);
    dial->stage = DIAL_NEXT;
    if (dial->next != NULL)
        return SOTTO_OK;
    *what = dial->has_proxy ? "the proxy's name was not found" : "the relay's name was not found";
    return SOTTO_NETWORK;
}

/* Starts on the next address that a socket can be made for. */
static sotto_error step_next(struct dial *dial, uint64_t now_ms, const char **what)
{
    close_socket(dial);
    while (dial->next != NULL) {
        const struct addrinfo *info = dial->next;
        dial->next = info->ai_next;
        dial->fd = socket(info->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (dial->fd < 0)
            continue;
        if (connect(dial->fd, info->ai_addr, info->ai_addrlen) == 0 || errno == EINPROGRESS) {
            dial->stage = DIAL_CONNECT;
            dial->address_deadline_ms = dial->next == NULL ? UINT64_MAX : now_ms + LINK_ADDRESS_MS;
            return SOTTO_OK;
        }
        close_socket(dial);
    }
    return unreachable(dial, what);
}

/* Whether the socket can be asked already, without waiting. */
static bool is_writable(int fd)
{
    struct pollfd entry = {.fd = fd, .events = POLLOUT};
    return poll(&entry, 1, 0) == 1;
}

static void step_connect(struct dial *dial, uint64_t now_ms)
{
    int error = 0;
    socklen_t size = sizeof error;
    if (!is_writable(dial->fd)) {
        if (now_ms >= dial->address_deadline_ms)
            dial->stage = DIAL_NEXT;
        return;
    }
    if (getsockopt(dial->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0)
        dial->stage = DIAL_NEXT;
    else
        dial->stage = DIAL_SOCKS_SEND;
}

static bool would_block(ssize_t moved)
{
    return moved < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
}

static sotto_error step_socks_send(struct dial *dial, const char **what)
{
    struct socks *socks = &dial->socks;
    ssize_t sent =
        send(dial->fd, socks->out + dial->moved, socks->out_size - dial->moved, MSG_NOSIGNAL);
    if (sent < 0)
        return would_block(sent) ? SOTTO_OK : unreachable(dial, what);
    dial->moved += (size_t)sent;
    if (dial->moved == socks->out_size) {
        dial->moved = 0;
        dial->stage = DIAL_SOCKS_RECEIVE;
    }
    return SOTTO_OK;
}

/* Reads exactly what SOCKS needs: what follows belongs to TLS. */
static sotto_error step_socks_receive(struct dial *dial, const char **what)
{
    struct socks *socks = &dial->socks;
    ssize_t got = recv(dial->fd, dial->answer + dial->moved, socks->need - dial->moved, 0);
    if (got <= 0)
        return would_block(got) ? SOTTO_OK : unreachable(dial, what);
    dial->moved += (size_t)got;
    if (dial->moved < socks->need)
        return SOTTO_OK;
    dial->moved = 0;
    TRY(socks_feed(socks, dial->answer, what));
    if (socks->out_size > 0)
        dial->stage = DIAL_SOCKS_SEND;
    return SOTTO_OK;
}

static sotto_error step_once(struct dial *dial, uint64_t now_ms, const char **what)
{
    switch (dial->stage) {
    case DIAL_LOOKUP:
        return step_lookup(dial, what);
    case DIAL_NEXT:
        return step_next(dial, now_ms, what);
    case DIAL_CONNECT:
        step_connect(dial, now_ms);
        return SOTTO_OK;
    case DIAL_SOCKS_SEND:
        return step_socks_send(dial, what);
    case DIAL_SOCKS_RECEIVE:
        return step_socks_receive(dial, what);
    }
    return SOTTO_INTERNAL;
}

static bool is_connected(const struct dial *dial)
{
    if (!dial->has_proxy)
        return dial->stage == DIAL_SOCKS_SEND;
    return dial->socks.stage == SOCKS_DONE;
}

sotto_error dial_step(struct dial *dial, uint64_t now_ms, int *fd, const char **what)
{
    enum dial_stage before;
    size_t moved;
    *fd = -1;
    do {
        before = dial->stage;
        moved = dial->moved;
        TRY(step_once(dial, now_ms, what));
        if (is_connected(dial)) {
            *fd = dial->fd;
            dial->fd = -1;
            return SOTTO_OK;
        }
    } while (dial->stage != before || dial->moved != moved);
    return SOTTO_OK;
}

void dial_wants(const struct dial *dial, struct dial_wants *wants)
{
    *wants = (struct dial_wants){.fd = dial->fd, .events = POLLOUT, .deadline_ms = UINT64_MAX};
    switch (dial->stage) {
    case DIAL_LOOKUP:
        wants->fd = lookup_fd(dial->lookup);
        wants->events = POLLIN;
        if (wants->fd < 0) /* ready */
            wants->deadline_ms = 0;
        break;
    case DIAL_NEXT:
        wants->deadline_ms = 0;
        break;
    case DIAL_CONNECT:
        wants->deadline_ms = dial->address_deadline_ms;
        break;
    case DIAL_SOCKS_SEND:
        break;
    case DIAL_SOCKS_RECEIVE:
        wants->events = POLLIN;
        break;
    }
}

void dial_free(struct dial *dial)
{
    if (dial == NULL)
        return;
    close_socket(dial);
    lookup_free(dial->lookup);
    socks_wipe(&dial->socks);
    mem_free(dial->env, dial, sizeof *dial);
}
