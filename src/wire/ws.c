#include "wire/ws_internal.h"

#include <string.h>

enum opcode {
    OP_CONTINUATION = 0,
    OP_TEXT = 1,
    OP_BINARY = 2,
    OP_CLOSE = 8,
    OP_PING = 9,
    OP_PONG = 10,
};

#define BIT_FINAL 0x80
#define BITS_RESERVED 0x70
#define BIT_MASK 0x80

void ws_init(struct ws *ws, const sotto_env *env, enum ws_role role, size_t max_message)
{
    *ws = (struct ws){
        .env = env,
        .role = role,
        .max_message = max_message,
        .phase = WS_HANDSHAKE,
        .head_need = 2,
        .what = "",
    };
    sotto_buf_init(&ws->message, env);
}

void ws_free(struct ws *ws)
{
    sotto_buf_free(&ws->message);
}

enum ws_event ws_fail(struct ws *ws, sotto_error error, const char *what)
{
    ws->error = error;
    ws->what = what;
    ws->phase = WS_OVER;
    sotto_buf_free(&ws->message);
    return WS_FAILED;
}

/* ---- Sending ------------------------------------------------------------------------------- */

void ws_mask(uint8_t *data, size_t size, const uint8_t mask[static 4], size_t offset)
{
    uint8_t turned[8];
    for (size_t i = 0; i < sizeof turned; i++)
        turned[i] = mask[(offset + i) % 4];
    uint64_t word_mask, word;
    memcpy(&word_mask, turned, sizeof word_mask);
    size_t pos = 0;
    for (; size - pos >= sizeof word; pos += sizeof word) {
        memcpy(&word, data + pos, sizeof word);
        word ^= word_mask;
        memcpy(data + pos, &word, sizeof word);
    }
    for (; pos < size; pos++)
        data[pos] ^= turned[pos % 8];
}

/* RFC 6455, 5.2: the shortest form of the length. Returns the header's size without a mask. */
static size_t write_head(uint8_t head[static 10], uint8_t opcode, uint64_t size)
{
    head[0] = (uint8_t)(BIT_FINAL | opcode);
    if (size < 126) {
        head[1] = (uint8_t)size;
        return 2;
    }
    size_t octets = size <= UINT16_MAX ? 2 : 8;
    head[1] = octets == 2 ? 126 : 127;
    for (size_t i = 0; i < octets; i++)
        head[2 + i] = (uint8_t)(size >> (8 * (octets - 1 - i)));
    return 2 + octets;
}

static sotto_error send_frame(struct ws *ws, uint8_t opcode, const sotto_bytes *parts, size_t count,
                              sotto_buf *out)
{
    uint8_t head[14], mask[4];
    size_t size = 0;
    for (size_t i = 0; i < count; i++)
        size += parts[i].size;
    size_t head_size = write_head(head, opcode, size);
    if (ws->role == WS_CLIENT) { /* 5.3: a client masks, with a fresh mask each frame */
        TRY(ws->env->random(ws->env->ctx, mask, sizeof mask));
        head[1] |= BIT_MASK;
        memcpy(head + head_size, mask, sizeof mask);
        head_size += sizeof mask;
    }
    TRY(sotto_buf_reserve(out, head_size + size));
    TRY(sotto_buf_append(out, head, head_size));
    size_t start = out->size;
    for (size_t i = 0; i < count; i++)
        TRY(sotto_buf_append(out, parts[i].data, parts[i].size));
    if (ws->role == WS_CLIENT)
        ws_mask(out->data + start, size, mask, 0);
    return SOTTO_OK;
}

sotto_error ws_send(struct ws *ws, const sotto_bytes *parts, size_t count, sotto_buf *out)
{
    if (ws->phase != WS_FRAMES || ws->close_sent)
        return SOTTO_STATE;
    size_t size = 0;
    for (size_t i = 0; i < count; i++) {
        if (parts[i].size > ws->max_message - size)
            return SOTTO_LIMIT;
        size += parts[i].size;
    }
    return send_frame(ws, OP_BINARY, parts, count, out);
}

sotto_error ws_ping(struct ws *ws, sotto_buf *out)
{
    if (ws->phase != WS_FRAMES || ws->close_sent)
        return SOTTO_STATE;
    return send_frame(ws, OP_PING, NULL, 0, out);
}

sotto_error ws_close(struct ws *ws, uint16_t code, sotto_buf *out)
{
    if (ws->phase != WS_FRAMES || ws->close_sent)
        return SOTTO_STATE;
    uint8_t octets[2] = {(uint8_t)(code >> 8), (uint8_t)code};
    sotto_bytes body = sotto_bytes_of(octets, code == WS_CODE_NONE ? 0 : 2);
    TRY(send_frame(ws, OP_CLOSE, &body, 1, out));
    ws->close_sent = true;
    return SOTTO_OK;
}

/* ---- Receiving ----------------------------------------------------------------------------- */

/* Tells the peer and ends. That the close could not be written changes nothing about the end. */
static enum ws_event fail_frame(struct ws *ws, uint16_t code, sotto_error error, const char *what,
                                sotto_buf *out)
{
    (void)ws_close(ws, code, out);
    return ws_fail(ws, error, what);
}

static enum ws_event protocol_error(struct ws *ws, const char *what, sotto_buf *out)
{
    return fail_frame(ws, WS_CODE_PROTOCOL, SOTTO_VALUE, what, out);
}

static bool is_control(uint8_t opcode)
{
    return opcode >= OP_CLOSE;
}

/* What the first two bytes allow to judge (5.2, 5.4, 5.5). */
static enum ws_event check_start(struct ws *ws, sotto_buf *out)
{
    uint8_t first = ws->head[0], second = ws->head[1];
    uint8_t opcode = first & 0x0f, size = second & 0x7f;
    if ((first & BITS_RESERVED) != 0)
        return protocol_error(ws, "frame: reserved bits without an extension", out);
    if (((second & BIT_MASK) != 0) != (ws->role == WS_SERVER))
        return protocol_error(ws, "frame: masked by the wrong side, or not masked", out);
    if (opcode == OP_TEXT)
        return fail_frame(ws, WS_CODE_UNSUPPORTED, SOTTO_UNSUPPORTED, "frame: text", out);
    if ((opcode > OP_BINARY && opcode < OP_CLOSE) || opcode > OP_PONG)
        return protocol_error(ws, "frame: unknown opcode", out);
    if (is_control(opcode) && ((first & BIT_FINAL) == 0 || size > WS_CONTROL_MAX))
        return protocol_error(ws, "control frame: fragmented or too long", out);
    if (!is_control(opcode) && (opcode == OP_CONTINUATION) != ws->in_message)
        return protocol_error(ws, "frame: continuation out of place", out);
    return WS_MORE;
}

static uint8_t head_needed(const struct ws *ws)
{
    uint8_t size = ws->head[1] & 0x7f;
    uint8_t extended = size < 126 ? 0 : size == 126 ? 2 : 8;
    return (uint8_t)(2 + extended + (ws->role == WS_SERVER ? 4 : 0));
}

/* The whole header is there: length and mask. */
static enum ws_event begin_frame(struct ws *ws, sotto_buf *out)
{
    uint8_t short_size = ws->head[1] & 0x7f;
    size_t octets = short_size < 126 ? 0 : short_size == 126 ? 2 : 8;
    uint64_t size = octets == 0 ? short_size : 0;
    for (size_t i = 0; i < octets; i++)
        size = size << 8 | ws->head[2 + i];
    if ((octets == 2 && size < 126) || (octets == 8 && (size <= UINT16_MAX || size >> 63 != 0)))
        return protocol_error(ws, "frame: length not in its shortest form", out);
    ws->opcode = ws->head[0] & 0x0f;
    ws->is_final = (ws->head[0] & BIT_FINAL) != 0;
    if (!is_control(ws->opcode) && size > ws->max_message - ws->message.size)
        return fail_frame(ws, WS_CODE_TOO_BIG, SOTTO_LIMIT, "message: too large", out);
    if (ws->role == WS_SERVER)
        memcpy(ws->mask, ws->head + 2 + octets, sizeof ws->mask);
    ws->left = size;
    ws->control_size = 0;
    return WS_MORE;
}

/* Collects the header; true when the frame's payload is next. */
static bool take_head(struct ws *ws, const uint8_t *data, size_t size, size_t *used,
                      enum ws_event *event, sotto_buf *out)
{
    *event = WS_MORE;
    while (ws->head_size < ws->head_need) {
        if (*used == size)
            return false;
        ws->head[ws->head_size++] = data[(*used)++];
        if (ws->head_size == 2) {
            *event = check_start(ws, out);
            if (*event != WS_MORE)
                return false;
            ws->head_need = head_needed(ws);
        }
        if (ws->head_size == ws->head_need) {
            *event = begin_frame(ws, out);
            if (*event != WS_MORE)
                return false;
        }
    }
    return true;
}

static void next_frame(struct ws *ws)
{
    ws->head_size = 0;
    ws->head_need = 2;
}

/* 7.4: codes that may stand in a close frame. */
static bool close_code_valid(uint16_t code)
{
    return (code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006) ||
           (code >= 3000 && code <= 4999);
}

static enum ws_event end_close(struct ws *ws, sotto_buf *out)
{
    uint16_t code = WS_CODE_NONE;
    if (ws->control_size >= 2)
        code = (uint16_t)(ws->control[0] << 8 | ws->control[1]);
    if (ws->control_size == 1 || (ws->control_size >= 2 && !close_code_valid(code)))
        return protocol_error(ws, "close: code not valid", out);
    (void)ws_close(ws, code, out);
    ws->close_code = code;
    ws->phase = WS_OVER;
    sotto_buf_free(&ws->message);
    return WS_CLOSED;
}

static enum ws_event end_control(struct ws *ws, sotto_buf *out)
{
    next_frame(ws);
    if (ws->opcode == OP_CLOSE)
        return end_close(ws, out);
    if (ws->opcode == OP_PONG)
        return WS_PONG;
    /* 5.5.2: a ping is answered with its content; not behind a close, not into a full queue. */
    if (!ws->close_sent && !ws->no_pongs) {
        sotto_bytes content = sotto_bytes_of(ws->control, ws->control_size);
        sotto_error error = send_frame(ws, OP_PONG, &content, 1, out);
        if (error != SOTTO_OK)
            return ws_fail(ws, error, "pong");
    }
    return WS_MORE;
}

/* The bytes of the payload that are here, unmasked. */
static sotto_bytes take_payload(struct ws *ws, uint8_t *data, size_t size, size_t *used)
{
    size_t here = size - *used;
    if (here > ws->left)
        here = (size_t)ws->left;
    uint8_t *at = data + *used;
    if (ws->role == WS_SERVER) {
        ws_mask(at, here, ws->mask, 0);
        uint8_t turned[4]; /* so that the mask's next byte is mask[0] again */
        for (size_t i = 0; i < 4; i++)
            turned[i] = ws->mask[(i + here) % 4];
        memcpy(ws->mask, turned, sizeof turned);
    }
    ws->left -= here;
    *used += here;
    return sotto_bytes_of(at, here);
}

static enum ws_event take_control(struct ws *ws, sotto_bytes payload, sotto_buf *out)
{
    if (payload.size > 0)
        memcpy(ws->control + ws->control_size, payload.data, payload.size);
    ws->control_size = (uint8_t)(ws->control_size + payload.size);
    return ws->left == 0 ? end_control(ws, out) : WS_MORE;
}

static enum ws_event take_data(struct ws *ws, sotto_bytes payload, bool is_whole,
                               sotto_bytes *message, sotto_buf *out)
{
    if (is_whole && ws->is_final && !ws->in_message) {
        next_frame(ws);
        *message = payload;
        return WS_MESSAGE;
    }
    sotto_error error = sotto_buf_append(&ws->message, payload.data, payload.size);
    if (error != SOTTO_OK)
        return fail_frame(ws, WS_CODE_INTERNAL, error, "message", out);
    if (ws->left > 0)
        return WS_MORE;
    next_frame(ws);
    ws->in_message = !ws->is_final;
    if (!ws->is_final)
        return WS_MORE;
    *message = sotto_buf_view(&ws->message);
    ws->message_delivered = true;
    return WS_MESSAGE;
}

static enum ws_event take_frame(struct ws *ws, uint8_t *data, size_t size, size_t *used,
                                sotto_bytes *message, sotto_buf *out)
{
    enum ws_event event;
    bool was_begun = ws->head_size == ws->head_need;
    if (!take_head(ws, data, size, used, &event, out))
        return event;
    uint64_t whole = ws->left;
    sotto_bytes payload = take_payload(ws, data, size, used);
    if (is_control(ws->opcode))
        return take_control(ws, payload, out);
    return take_data(ws, payload, !was_begun && payload.size == whole, message, out);
}

enum ws_event ws_feed(struct ws *ws, uint8_t *data, size_t size, size_t *used, sotto_bytes *message,
                      sotto_buf *out)
{
    *used = 0;
    *message = (sotto_bytes){0};
    if (ws->message_delivered) {
        sotto_buf_free(&ws->message);
        ws->message_delivered = false;
    }
    if (ws->phase == WS_HANDSHAKE)
        return ws_handshake_feed(ws, data, size, used, out);
    while (ws->phase == WS_FRAMES && *used < size) {
        enum ws_event event = take_frame(ws, data, size, used, message, out);
        if (event != WS_MORE)
            return event;
    }
    if (ws->phase == WS_OVER)
        *used = size;
    return WS_MORE;
}
