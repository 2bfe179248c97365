/* IP addresses and networks of them, as values. IPv4 inside IPv6 (::ffff:192.0.2.1) is IPv4 here.
 */
#ifndef RELAY_IP_H
#define RELAY_IP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <netinet/in.h>
#include <sys/socket.h>

struct ip {
    uint8_t family;    /* 4 or 6; 0: none */
    uint8_t bytes[16]; /* in network order; of IPv4 the first four, the others are zero */
};

struct ip ip_v4(const uint8_t bytes[static 4]);
struct ip ip_v6(const uint8_t bytes[static 16]);
/* From what accept gave. Other families: none. */
struct ip ip_of(const struct sockaddr_storage *from);

/* An address in numbers and nothing else. False: *ip is as it was. */
bool ip_parse(const char *text, struct ip *ip);
/* In its canonical form; none: an empty text. */
void ip_text(const struct ip *ip, char out[static INET6_ADDRSTRLEN]);

struct network {
    struct ip ip;
    uint8_t bits; /* of it that count, from the first */
};

enum { NETWORKS_MAX = 16 };

struct networks {
    size_t count;
    struct network list[NETWORKS_MAX];
};

/* Adds ADDR or ADDR/BITS, where the bits behind those that count are zero. False: it is neither, or
 * there are NETWORKS_MAX already. */
bool networks_add(struct networks *networks, const char *text);
bool networks_contain(const struct networks *networks, const struct ip *ip);

#endif
