/* The SOCKS5 proxy that all of a core's connections go through, if there is one (network.h). With
 * one, nothing of this profile goes to the network in another way: what cannot be connected through
 * it is not connected. */
#ifndef CORE_PROXY_H
#define CORE_PROXY_H

#include "wire/address.h"
#include "wire/socks.h"

enum { PROXY_TEXT_MAX = 1024 };

struct proxy {
    bool on;
    /* Each connection shows random credentials of its own, by which Tor (IsolateSOCKSAuth) keeps
     * them on circuits of their own. */
    bool isolates;
    bool has_login;
    struct address address;
    char user[SOCKS_TEXT_MAX + 1], password[SOCKS_TEXT_MAX + 1];
};

/* socks5://HOST:PORT, socks5://HOST:PORT?isolate=no, socks5://USER:PASSWORD@HOST:PORT (both with
 * %XX); empty: none. VALUE with a fault. */
sotto_error proxy_parse(sotto_bytes text, struct proxy *proxy, sotto_fault *fault);
void proxy_wipe(struct proxy *proxy);

struct sotto;
/* What connections of this core go through now. An error: nothing may be connected. */
sotto_error proxy_now(struct sotto *core, struct proxy *proxy);
/* Ends the connections if it is another one than they go through. */
void proxy_check(struct sotto *core);

#endif
