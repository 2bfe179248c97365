/* WebSocket as a hostile peer sees it. First byte: bit 0 the role, bit 1 whether the handshake is
 * done, the other bits how large the pieces are. Fed in pieces and whole, it must come to the same.
 */
#include <string.h>

#include "wire/ws.h"

#define MAX_MESSAGE 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct result {
    unsigned messages, pongs, end;
    sotto_error error;
    uint16_t close_code;
    sotto_buf bytes; /* of all messages */
};

static void take(struct result *result, const struct ws *ws, enum ws_event event,
                 sotto_bytes message)
{
    if (event == WS_MESSAGE) {
        BUG_UNLESS(message.size <= MAX_MESSAGE);
        BUG_UNLESS(sotto_buf_append(&result->bytes, message.data, message.size) == SOTTO_OK);
        result->messages++;
    } else if (event == WS_PONG) {
        result->pongs++;
    } else if (event == WS_CLOSED || event == WS_FAILED) {
        BUG_UNLESS(result->end == 0);
        result->end = (unsigned)event;
        result->error = ws->error;
        result->close_code = ws->close_code;
    }
}

static void feed_piece(struct result *result, struct ws *ws, uint8_t *data, size_t size,
                       sotto_buf *out)
{
    size_t pos = 0;
    for (;;) {
        size_t used;
        sotto_bytes message;
        enum ws_event event = ws_feed(ws, data + pos, size - pos, &used, &message, out);
        pos += used;
        BUG_UNLESS(pos <= size);
        if (event == WS_MORE)
            break;
        take(result, ws, event, message);
    }
    BUG_UNLESS(pos == size);
}

/* What a server has for those who want no WebSocket: a page for each path but the root. */
static bool page(void *ctx, sotto_bytes path, sotto_buf *body, const char **type)
{
    (void)ctx;
    *type = "text/plain";
    return path.size > 1 && sotto_buf_append(body, path.data, path.size) == SOTTO_OK;
}

static void run(struct result *result, uint8_t flags, const uint8_t *data, size_t size,
                size_t piece)
{
    const sotto_env *env = sotto_env_system();
    struct ws ws;
    sotto_buf out;
    *result = (struct result){0};
    sotto_buf_init(&result->bytes, env);
    sotto_buf_init(&out, env);
    ws_init(&ws, env, (flags & 1) != 0 ? WS_SERVER : WS_CLIENT, MAX_MESSAGE);
    ws.page = (flags & 1) != 0 ? page : NULL;
    if ((flags & 2) != 0)
        ws.phase = WS_FRAMES;
    for (size_t pos = 0; pos < size; pos += piece) {
        size_t here = size - pos < piece ? size - pos : piece;
        uint8_t *copy = malloc(here);
        BUG_UNLESS(copy != NULL);
        memcpy(copy, data + pos, here);
        feed_piece(result, &ws, copy, here, &out);
        free(copy);
    }
    ws_free(&ws);
    sotto_buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct result whole, pieces;
    if (size < 2)
        return 0;
    run(&whole, data[0], data + 1, size - 1, size - 1);
    run(&pieces, data[0], data + 1, size - 1, (size_t)(data[0] >> 2) + 1);
    BUG_UNLESS(whole.messages == pieces.messages && whole.pongs == pieces.pongs);
    BUG_UNLESS(whole.end == pieces.end && whole.error == pieces.error);
    BUG_UNLESS(whole.close_code == pieces.close_code);
    BUG_UNLESS(sotto_bytes_equal(sotto_buf_view(&whole.bytes), sotto_buf_view(&pieces.bytes)));
    sotto_buf_free(&whole.bytes);
    sotto_buf_free(&pieces.bytes);
    return 0;
}
