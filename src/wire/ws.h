/* WebSocket (RFC 6455), both roles, without I/O: bytes in, events out.
 *
 * Input is unmasked in place, and a message that arrived whole in one piece of input is a view into
 * that input; only messages that are cut are gathered in a buffer, which is given back with the
 * message. What must be answered (handshake, pong, close) is appended to the caller's output. */
#ifndef WIRE_WS_H
#define WIRE_WS_H

#include "base/base.h"
#include "wire/limits.h"

#define WS_PATH "/sotto"
#define WS_PROTOCOL "sotto.v1"

enum ws_role { WS_CLIENT, WS_SERVER };

enum ws_code {
    WS_CODE_NONE = 0,
    WS_CODE_NORMAL = 1000,
    WS_CODE_GOING_AWAY = 1001,
    WS_CODE_PROTOCOL = 1002,
    WS_CODE_UNSUPPORTED = 1003,
    WS_CODE_POLICY = 1008,
    WS_CODE_TOO_BIG = 1009,
    WS_CODE_INTERNAL = 1011,
};

enum ws_event {
    WS_MORE,    /* all input was used: feed more */
    WS_OPENED,  /* the handshake is done */
    WS_MESSAGE, /* one whole binary message */
    WS_PONG,
    WS_CLOSED, /* the peer closed: ws.close_code; an answer was appended unless a close was sent */
    WS_FAILED, /* ws.error and ws.what; what the peer is to be told was appended */
};

/* What a GET of another path than WS_PATH gets: body is appended to, type is its media type
 * (static). False: there is nothing of that name. */
typedef bool ws_page_fn(void *ctx, sotto_bytes path, sotto_buf *body, const char **type);

enum ws_phase { WS_HANDSHAKE, WS_FRAMES, WS_OVER };

/* Public so that it can stand inside a channel; only these functions write it, except no_pongs. */
struct ws {
    const sotto_env *env;
    size_t max_message;
    enum ws_role role;
    enum ws_phase phase;
    bool close_sent;
    bool no_pongs; /* set by the caller while its output is full: pings are then not answered */

    /* WS_FAILED, WS_CLOSED */
    sotto_error error;
    const char *what; /* static */
    uint16_t close_code;

    /* The frame under way. */
    uint8_t head[14];
    uint8_t head_size, head_need;
    uint8_t opcode;
    bool is_final;
    bool in_message;        /* between a first fragment and the last */
    bool message_delivered; /* message is to be given back at the next feed */
    uint8_t mask[4];
    uint64_t left; /* payload bytes still to come */
    uint8_t control_size;
    uint8_t control[WS_CONTROL_MAX];

    ws_page_fn *page; /* server: pages for those who ask for no WebSocket; NULL: none */
    void *page_ctx;
    char accept[29];   /* client: the Sec-WebSocket-Accept to expect */
    sotto_buf message; /* handshake lines, or a message's parts so far */
};

/* env is borrowed. max_message: larger ones fail with code 1009. */
void ws_init(struct ws *ws, const sotto_env *env, enum ws_role role, size_t max_message);
void ws_free(struct ws *ws);

/* Client: appends the request for WS_PATH. host: the Host header's value. */
sotto_error ws_request(struct ws *ws, const char *host, sotto_buf *out);

/* Takes input until something happened: *used says how much was taken. Call again with the rest,
 * also when an event was returned for the last byte. After WS_CLOSED and WS_FAILED input is
 * ignored. *message: for WS_MESSAGE, valid until data changes or the next call. Data is changed. */
enum ws_event ws_feed(struct ws *ws, uint8_t *data, size_t size, size_t *used, sotto_bytes *message,
                      sotto_buf *out);

/* Appends one binary message made of count parts as one frame. STATE before the handshake is done
 * or behind a close; LIMIT above max_message; NO_MEMORY, NO_RANDOM. out is then as it was. */
sotto_error ws_send(struct ws *ws, const sotto_bytes *parts, size_t count, sotto_buf *out);

/* Appends a ping without content. Errors as ws_send. */
sotto_error ws_ping(struct ws *ws, sotto_buf *out);

/* Appends a close frame, once: STATE if one was sent already, or before the handshake is done. */
sotto_error ws_close(struct ws *ws, uint16_t code, sotto_buf *out);

/* XORs data with the mask, whose position `offset` falls on data[0] (5.3). */
void ws_mask(uint8_t *data, size_t size, const uint8_t mask[static 4], size_t offset);

/* The Sec-WebSocket-Accept for a key (4.2.2), with NUL. INTERNAL if there is no SHA-1. */
sotto_error ws_accept_key(sotto_bytes key, char accept[static 29]);

#endif
