#include "relay/ip.h"

#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>

enum { MAPPED = 12 }; /* bytes in front of an IPv4 address inside IPv6 */

static bool is_mapped(const uint8_t bytes[static 16])
{
    static const uint8_t prefix[MAPPED] = {[10] = 0xff, [11] = 0xff};
    return memcmp(bytes, prefix, MAPPED) == 0;
}

struct ip ip_v4(const uint8_t bytes[static 4])
{
    struct ip ip = {.family = 4};
    memcpy(ip.bytes, bytes, 4);
    return ip;
}

struct ip ip_v6(const uint8_t bytes[static 16])
{
    struct ip ip = {.family = 6};
    if (is_mapped(bytes))
        return ip_v4(bytes + MAPPED);
    memcpy(ip.bytes, bytes, 16);
    return ip;
}

struct ip ip_of(const struct sockaddr_storage *from)
{
    if (from->ss_family == AF_INET)
        return ip_v4((const uint8_t *)&((const struct sockaddr_in *)from)->sin_addr);
    if (from->ss_family == AF_INET6)
        return ip_v6(((const struct sockaddr_in6 *)from)->sin6_addr.s6_addr);
    return (struct ip){0};
}

bool ip_parse(const char *text, struct ip *ip)
{
    uint8_t bytes[16];
    if (inet_pton(AF_INET, text, bytes) == 1)
        *ip = ip_v4(bytes);
    else if (inet_pton(AF_INET6, text, bytes) == 1)
        *ip = ip_v6(bytes);
    else
        return false;
    return true;
}

void ip_text(const struct ip *ip, char out[static INET6_ADDRSTRLEN])
{
    out[0] = '\0';
    if (ip->family != 0)
        inet_ntop(ip->family == 4 ? AF_INET : AF_INET6, ip->bytes, out, INET6_ADDRSTRLEN);
}

/* ---- Networks ------------------------------------------------------------------------------- */

static bool bit_of(const struct ip *ip, unsigned index)
{
    return (ip->bytes[index / 8] >> (7 - index % 8) & 1) != 0;
}

static unsigned size_of(const struct ip *ip)
{
    return ip->family == 4 ? 32 : 128;
}

/* What behind the slash counts the bits of the address as it was written. */
static bool parse_bits(const char *text, const struct ip *ip, bool is_v6, uint8_t *bits)
{
    unsigned most = is_v6 ? 128 : 32, inside = is_v6 && ip->family == 4 ? 8 * MAPPED : 0;
    char *end;
    if (*text < '0' || *text > '9')
        return false;
    unsigned long value = strtoul(text, &end, 10);
    if (*end != '\0' || value < inside || value > most)
        return false;
    *bits = (uint8_t)(value - inside);
    return true;
}

static bool parse_network(const char *text, struct network *network)
{
    char address[INET6_ADDRSTRLEN];
    const char *slash = strchr(text, '/');
    size_t size = slash != NULL ? (size_t)(slash - text) : strlen(text);
    if (size >= sizeof address)
        return false;
    memcpy(address, text, size);
    address[size] = '\0';
    if (!ip_parse(address, &network->ip))
        return false;
    network->bits = (uint8_t)size_of(&network->ip);
    bool is_v6 = strchr(address, ':') != NULL;
    if (slash != NULL && !parse_bits(slash + 1, &network->ip, is_v6, &network->bits))
        return false;
    for (unsigned i = network->bits; i < size_of(&network->ip); i++)
        if (bit_of(&network->ip, i))
            return false;
    return true;
}

bool networks_add(struct networks *networks, const char *text)
{
    struct network network;
    if (networks->count == NETWORKS_MAX || !parse_network(text, &network))
        return false;
    networks->list[networks->count++] = network;
    return true;
}

static bool contains(const struct network *network, const struct ip *ip)
{
    if (network->ip.family != ip->family)
        return false;
    for (unsigned i = 0; i < network->bits; i++)
        if (bit_of(&network->ip, i) != bit_of(ip, i))
            return false;
    return true;
}

bool networks_contain(const struct networks *networks, const struct ip *ip)
{
    for (size_t i = 0; i < networks->count; i++)
        if (contains(&networks->list[i], ip))
            return true;
    return false;
}
