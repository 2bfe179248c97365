/* Between ws.c (frames) and ws_handshake.c (HTTP). */
#ifndef WIRE_WS_INTERNAL_H
#define WIRE_WS_INTERNAL_H

#include "wire/ws.h"

/* Feeds handshake bytes; WS_MORE, WS_OPENED or WS_FAILED. */
enum ws_event ws_handshake_feed(struct ws *ws, const uint8_t *data, size_t size, size_t *used,
                                sotto_buf *out);

/* Ends the ws with a reason. */
enum ws_event ws_fail(struct ws *ws, sotto_error error, const char *what);

#endif
