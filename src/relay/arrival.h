/* Connections before they are anybody's. What comes from a trusted proxy has to begin with a PROXY
 * header, in the time that there is for opening a connection; its bytes and no others are read
 * here. All else goes on as it is. */
#ifndef RELAY_ARRIVAL_H
#define RELAY_ARRIVAL_H

#include "relay/loop.h"

/* Takes an accepted socket. */
void arrival_accept(struct loop *loop, int fd, const struct sockaddr_storage *from);

/* Ends those that are late. */
void arrival_look_after(struct loop *loop, uint64_t now_ms);
void arrival_end_all(struct loop *loop);

#endif
