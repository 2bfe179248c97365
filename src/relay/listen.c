#include "relay/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

union any_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_storage storage;
};

/* ---- Opening -------------------------------------------------------------------------------- */

static bool parse_port(const char *text, in_port_t *port)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || value > 65535)
        return false;
    *port = htons((uint16_t)value);
    return true;
}

/* ADDR:PORT, [ADDR]:PORT, *:PORT */
static bool parse(const char *text, union any_address *address)
{
    char host[INET6_ADDRSTRLEN];
    const char *colon = strrchr(text, ':');
    in_port_t port;
    if (colon == NULL || !parse_port(colon + 1, &port))
        return false;
    size_t size = (size_t)(colon - text);
    bool is_bracketed = size >= 2 && text[0] == '[' && text[size - 1] == ']';
    if (is_bracketed) {
        text++;
        size -= 2;
    }
    if (size >= sizeof host)
        return false;
    memcpy(host, text, size);
    host[size] = '\0';
    *address = (union any_address){0};
    if (!is_bracketed && strcmp(host, "*") == 0) {
        address->v6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = port};
        return true;
    }
    if (is_bracketed) {
        address->v6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = port};
        return inet_pton(AF_INET6, host, &address->v6.sin6_addr) == 1;
    }
    address->v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = port};
    return inet_pton(AF_INET, host, &address->v4.sin_addr) == 1;
}

static socklen_t size_of(const union any_address *address)
{
    return address->any.sa_family == AF_INET ? sizeof address->v4 : sizeof address->v6;
}

/* A listening socket, or -1 with errno. [::] takes IPv4 as well. */
static int open_one(const union any_address *address)
{
    const int on = 1, off = 0;
    int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (address->any.sa_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    if (bind(fd, &address->any, size_of(address)) != 0 || listen(fd, SOMAXCONN) != 0) {
        int why = errno;
        close(fd);
        errno = why;
        return -1;
    }
    return fd;
}

/* All addresses, with IPv6 where the machine has it. */
static int open_default(void)
{
    union any_address v6 = {
        .v6 = {.sin6_family = AF_INET6, .sin6_port = htons(RELAY_PORT)},
    };
    union any_address v4 = {
        .v4 = {.sin_family = AF_INET, .sin_port = htons(RELAY_PORT)},
    };
    int fd = open_one(&v6);
    return fd < 0 && errno != EADDRINUSE ? open_one(&v4) : fd;
}

static void explain(const char *where, char *problem)
{
    if (errno == EADDRINUSE)
        snprintf(problem, CONFIG_TEXT,
                 "%.200s is in use: stop the other program, or choose another port with --listen",
                 where);
    else if (errno == EACCES)
        snprintf(problem, CONFIG_TEXT,
                 "%.200s is not allowed: choose a port above 1023, or give the service the"
                 " capability CAP_NET_BIND_SERVICE",
                 where);
    else
        snprintf(problem, CONFIG_TEXT, "cannot listen on %.200s: %s", where, strerror(errno));
}

static bool parse_listen(const char *text, const char *option, union any_address *address,
                         char *problem)
{
    if (parse(text, address))
        return true;
    snprintf(problem, CONFIG_TEXT,
             "%s takes ADDR:PORT with an address in numbers, such as 192.0.2.1:%d, [::]:%d or *:%d",
             option, RELAY_PORT, RELAY_PORT, RELAY_PORT);
    return false;
}

int listen_at(const char *where, const char *option, char problem[static CONFIG_TEXT])
{
    union any_address address;
    if (!parse_listen(where, option, &address, problem))
        return -1;
    int fd = open_one(&address);
    if (fd < 0)
        explain(where, problem);
    return fd;
}

static bool parse_public(const char *text, struct address *address, char *problem)
{
    sotto_fault fault;
    if (address_parse(sotto_bytes_str(text), address, &fault) == SOTTO_OK)
        return true;
    snprintf(problem, CONFIG_TEXT, "--public takes HOST:PORT (%s)", fault.what);
    return false;
}

bool listen_check(const struct config *config, char problem[static CONFIG_TEXT])
{
    union any_address any;
    struct address address;
    for (size_t i = 0; i < config->listen_count; i++)
        if (!parse_listen(config->listen[i], "--listen", &any, problem))
            return false;
    if (config->metrics[0] != '\0' && !parse_listen(config->metrics, "--metrics", &any, problem))
        return false;
    return config->public_address[0] == '\0' ||
           parse_public(config->public_address, &address, problem);
}

bool listen_open(struct relay *relay, char problem[static CONFIG_TEXT])
{
    const struct config *config = relay->config;
    char where[32];
    if (config->listen_count == 0) {
        relay->listeners[0] = open_default();
        snprintf(where, sizeof where, "port %d", RELAY_PORT);
        if (relay->listeners[0] < 0)
            explain(where, problem);
        else
            relay->listener_count = 1;
        return relay->listener_count == 1;
    }
    for (size_t i = 0; i < config->listen_count; i++) {
        int fd = listen_at(config->listen[i], "--listen", problem);
        if (fd < 0)
            return false;
        relay->listeners[relay->listener_count++] = fd;
    }
    return true;
}

void listen_close(struct relay *relay)
{
    for (size_t i = 0; i < relay->listener_count; i++)
        close(relay->listeners[i]);
    relay->listener_count = 0;
}

/* ---- Addresses ------------------------------------------------------------------------------ */

static bool add_line(const struct relay *relay, struct address *address, sotto_buf *lines)
{
    tls_pin(relay->tls, address->pin);
    address->has_pin = true;
    return address_format(address, lines) == SOTTO_OK &&
           sotto_buf_append(lines, (const uint8_t *)"\n", 1) == SOTTO_OK;
}

static bool add_socket(const struct relay *relay, const union any_address *from, in_port_t port,
                       sotto_buf *lines)
{
    struct address address = {.port = ntohs(port)};
    if (from->any.sa_family == AF_INET) {
        inet_ntop(AF_INET, &from->v4.sin_addr, address.host, sizeof address.host);
    } else {
        address.is_ipv6 = true;
        inet_ntop(AF_INET6, &from->v6.sin6_addr, address.host, sizeof address.host);
    }
    return add_line(relay, &address, lines);
}

static bool is_wildcard(const union any_address *address)
{
    return address->any.sa_family == AF_INET ? address->v4.sin_addr.s_addr == htonl(INADDR_ANY)
                                             : IN6_IS_ADDR_UNSPECIFIED(&address->v6.sin6_addr) != 0;
}

/* Worth telling people: not link-local, which need more than the address. */
static bool is_telling(const struct ifaddrs *one, bool loopback, bool v4_only)
{
    if (one->ifa_addr == NULL || (one->ifa_flags & IFF_UP) == 0)
        return false;
    const union any_address *address = (const union any_address *)(const void *)one->ifa_addr;
    bool is_v4 = address->any.sa_family == AF_INET;
    bool is_v6 = address->any.sa_family == AF_INET6 && !v4_only &&
                 !IN6_IS_ADDR_LINKLOCAL(&address->v6.sin6_addr);
    return (is_v4 || is_v6) && ((one->ifa_flags & IFF_LOOPBACK) != 0) == loopback;
}

static bool add_interfaces(const struct relay *relay, in_port_t port, bool v4_only,
                           sotto_buf *lines)
{
    struct ifaddrs *all;
    bool good = true;
    if (getifaddrs(&all) != 0)
        return false;
    for (int loopback = 0; loopback <= 1; loopback++)
        for (const struct ifaddrs *one = all; one != NULL && good; one = one->ifa_next)
            if (is_telling(one, loopback == 1, v4_only))
                good = add_socket(relay, (const union any_address *)(const void *)one->ifa_addr,
                                  port, lines);
    freeifaddrs(all);
    return good;
}

static bool add_listener(const struct relay *relay, int fd, sotto_buf *lines)
{
    union any_address address = {0};
    socklen_t size = sizeof address;
    if (getsockname(fd, &address.any, &size) != 0)
        return false;
    bool is_v4 = address.any.sa_family == AF_INET;
    in_port_t port = is_v4 ? address.v4.sin_port : address.v6.sin6_port;
    return is_wildcard(&address) ? add_interfaces(relay, port, is_v4, lines)
                                 : add_socket(relay, &address, port, lines);
}

bool listen_addresses(const struct relay *relay, sotto_buf *lines, char problem[static CONFIG_TEXT])
{
    const char *public_address = relay->config->public_address;
    if (public_address[0] != '\0') {
        struct address address;
        if (!parse_public(public_address, &address, problem))
            return false;
        return add_line(relay, &address, lines);
    }
    for (size_t i = 0; i < relay->listener_count; i++) {
        if (!add_listener(relay, relay->listeners[i], lines)) {
            snprintf(problem, CONFIG_TEXT, "the addresses of this machine cannot be read");
            return false;
        }
    }
    return true;
}
