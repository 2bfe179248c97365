/* The log of lawful orders as everybody may read it: the files that sottod-orders publishes in
 * DATA/orders/log (docs/LAWFUL-ORDERS.md). */
#ifndef RELAY_LOG_PAGES_H
#define RELAY_LOG_PAGES_H

#include "relay/relay.h"

/* Appends a part of the log: "checkpoint", "key", or a tile or bundle by its path. NOT_FOUND: there
 * is none of that name; else LIMIT, IO, NO_MEMORY. */
sotto_error log_page(const struct relay *relay, sotto_bytes path, sotto_buf *out);

/* A GET of "/orders/" and a part's path. ctx is a struct connection. */
bool log_page_http(void *ctx, sotto_bytes path, sotto_buf *body, const char **type);

#endif
