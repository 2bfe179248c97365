/* The opening handshake (RFC 6455, 4): just as much of HTTP/1.1 as it needs, strictly. */
#include "wire/ws_internal.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <openssl/evp.h>
#include <sodium.h>

#define GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
#define KEY_TEXT 24 /* base64 of 16 bytes */
#define ACCEPT_TEXT 28

sotto_error ws_accept_key(sotto_bytes key, char accept[static 29])
{
    uint8_t input[KEY_TEXT + sizeof GUID - 1], digest[20];
    if (key.size != KEY_TEXT)
        return SOTTO_ARGUMENT;
    memcpy(input, key.data, KEY_TEXT);
    memcpy(input + KEY_TEXT, GUID, sizeof GUID - 1);
    if (EVP_Digest(input, sizeof input, digest, NULL, EVP_sha1(), NULL) != 1)
        return SOTTO_INTERNAL;
    sodium_bin2base64(accept, ACCEPT_TEXT + 1, digest, sizeof digest,
                      sodium_base64_VARIANT_ORIGINAL);
    return SOTTO_OK;
}

sotto_error ws_request(struct ws *ws, const char *host, sotto_buf *out)
{
    uint8_t nonce[16];
    char key[KEY_TEXT + 1], text[WS_HANDSHAKE_MAX];
    TRY(ws->env->random(ws->env->ctx, nonce, sizeof nonce));
    sodium_bin2base64(key, sizeof key, nonce, sizeof nonce, sodium_base64_VARIANT_ORIGINAL);
    TRY(ws_accept_key(sotto_bytes_str(key), ws->accept));
    int size = snprintf(text, sizeof text,
                        "GET " WS_PATH " HTTP/1.1\r\n"
                        "Host: %s\r\n"
                        "Upgrade: websocket\r\n"
                        "Connection: Upgrade\r\n"
                        "Sec-WebSocket-Key: %s\r\n"
                        "Sec-WebSocket-Version: 13\r\n"
                        "Sec-WebSocket-Protocol: " WS_PROTOCOL "\r\n"
                        "\r\n",
                        host, key);
    if (size < 0 || (size_t)size >= sizeof text)
        return SOTTO_LIMIT;
    return sotto_buf_append(out, (const uint8_t *)text, (size_t)size);
}

/* ---- Reading lines and headers ------------------------------------------------------------- */

/* The headers that count, each at most once. */
enum header {
    HEADER_HOST,
    HEADER_UPGRADE,
    HEADER_CONNECTION,
    HEADER_KEY,
    HEADER_VERSION,
    HEADER_PROTOCOL,
    HEADER_ACCEPT,
    HEADER_EXTENSIONS,
    HEADER_LENGTH,
    HEADER_ENCODING,
    HEADER_COUNT,
};

static const char *const header_names[HEADER_COUNT] = {
    "Host",
    "Upgrade",
    "Connection",
    "Sec-WebSocket-Key",
    "Sec-WebSocket-Version",
    "Sec-WebSocket-Protocol",
    "Sec-WebSocket-Accept",
    "Sec-WebSocket-Extensions",
    "Content-Length",
    "Transfer-Encoding",
};

struct http {
    sotto_bytes start_line;
    sotto_bytes headers[HEADER_COUNT]; /* data NULL: absent */
};

static bool bytes_are(sotto_bytes bytes, const char *text)
{
    return bytes.size == strlen(text) && memcmp(bytes.data, text, bytes.size) == 0;
}

static bool bytes_are_nocase(sotto_bytes bytes, const char *text)
{
    return bytes.size == strlen(text) &&
           strncasecmp((const char *)bytes.data, text, bytes.size) == 0;
}

static sotto_bytes trim(sotto_bytes bytes)
{
    while (bytes.size > 0 && (bytes.data[0] == ' ' || bytes.data[0] == '\t')) {
        bytes.data++;
        bytes.size--;
    }
    while (bytes.size > 0 &&
           (bytes.data[bytes.size - 1] == ' ' || bytes.data[bytes.size - 1] == '\t'))
        bytes.size--;
    return bytes;
}

/* Cuts at the first separator; the whole rest if there is none. False at the end. */
static bool split(sotto_bytes *rest, uint8_t separator, sotto_bytes *piece)
{
    if (rest->data == NULL)
        return false;
    const uint8_t *at = rest->size == 0 ? NULL : memchr(rest->data, separator, rest->size);
    size_t size = at == NULL ? rest->size : (size_t)(at - rest->data);
    *piece = sotto_bytes_of(rest->data, size);
    if (at == NULL)
        *rest = (sotto_bytes){0};
    else
        *rest = sotto_bytes_of(at + 1, rest->size - size - 1);
    return true;
}

/* Whether a comma-separated list (RFC 9110, 5.6.1) has the token. */
static bool list_has(sotto_bytes list, const char *token, bool any_case)
{
    sotto_bytes piece;
    while (split(&list, ',', &piece)) {
        piece = trim(piece);
        if (any_case ? bytes_are_nocase(piece, token) : bytes_are(piece, token))
            return true;
    }
    return false;
}

static bool read_header(sotto_bytes line, struct http *http)
{
    const uint8_t *colon = memchr(line.data, ':', line.size);
    if (colon == NULL || colon == line.data)
        return false;
    sotto_bytes name = sotto_bytes_of(line.data, (size_t)(colon - line.data));
    for (size_t i = 0; i < name.size; i++)
        if (name.data[i] == ' ' || name.data[i] == '\t') /* also a folded line */
            return false;
    sotto_bytes value = trim(sotto_bytes_of(colon + 1, line.size - name.size - 1));
    for (unsigned i = 0; i < HEADER_COUNT; i++) {
        if (!bytes_are_nocase(name, header_names[i]))
            continue;
        if (http->headers[i].data != NULL)
            return false;
        http->headers[i] = value;
    }
    return true;
}

/* Lines end in CR LF; nothing else of the controls may occur but the tab (RFC 9112, 2.2 and 5). */
static bool characters_valid(sotto_bytes bytes)
{
    for (size_t i = 0; i < bytes.size; i++) {
        uint8_t c = bytes.data[i];
        if (c == '\r'   ? i + 1 == bytes.size || bytes.data[i + 1] != '\n'
            : c == '\n' ? i == 0 || bytes.data[i - 1] != '\r'
                        : (c < 0x20 && c != '\t') || c >= 0x7f)
            return false;
    }
    return true;
}

/* bytes: up to and with the empty line. */
static bool read_http(sotto_bytes bytes, struct http *http)
{
    sotto_bytes line;
    if (!characters_valid(bytes))
        return false;
    for (bool first = true; split(&bytes, '\n', &line); first = false) {
        if (line.size > 0) /* the CR */
            line.size--;
        if (first)
            http->start_line = line;
        else if (line.size > 0 && !read_header(line, http))
            return false;
    }
    return true;
}

/* The offset behind the empty line, looked for from `from` on; 0 if it is not there. */
static size_t find_end(const sotto_buf *buf, size_t from)
{
    for (size_t i = from < 3 ? 3 : from; i < buf->size; i++)
        if (memcmp(buf->data + i - 3, "\r\n\r\n", 4) == 0)
            return i + 1;
    return 0;
}

/* ---- Server -------------------------------------------------------------------------------- */

static enum ws_event refuse(struct ws *ws, const char *status, const char *what, sotto_buf *out)
{
    char text[256];
    int size = snprintf(text, sizeof text,
                        "HTTP/1.1 %s\r\n"
                        "Upgrade: websocket\r\n"
                        "Sec-WebSocket-Version: 13\r\n"
                        "Content-Length: 0\r\n"
                        "Connection: close\r\n"
                        "\r\n",
                        status);
    (void)sotto_buf_append(out, (const uint8_t *)text, (size_t)size);
    return ws_fail(ws, SOTTO_VALUE, what);
}

/* 4.2.1: the key is base64 of 16 bytes. */
static bool key_valid(sotto_bytes key)
{
    uint8_t nonce[16];
    size_t size = 0;
    return key.size == KEY_TEXT &&
           sodium_base642bin(nonce, sizeof nonce, (const char *)key.data, key.size, NULL, &size,
                             NULL, sodium_base64_VARIANT_ORIGINAL) == 0 &&
           size == sizeof nonce;
}

/* What is wrong with a request (4.2.1); NULL if nothing. */
static const char *request_fault(const struct http *http, const char **status)
{
    sotto_bytes line = http->start_line, method = {0}, path = {0}, version = {0};
    *status = "400 Bad Request";
    split(&line, ' ', &method);
    split(&line, ' ', &path);
    split(&line, ' ', &version);
    if (line.data != NULL || !bytes_are(version, "HTTP/1.1"))
        return "request line";
    if (!bytes_are(method, "GET")) {
        *status = "405 Method Not Allowed";
        return "request: not a GET";
    }
    if (!bytes_are(path, WS_PATH)) {
        *status = "404 Not Found";
        return "request: another path";
    }
    if (!list_has(http->headers[HEADER_UPGRADE], "websocket", true) ||
        !list_has(http->headers[HEADER_CONNECTION], "upgrade", true) ||
        !bytes_are(http->headers[HEADER_VERSION], "13")) {
        *status = "426 Upgrade Required";
        return "request: not for a WebSocket of version 13";
    }
    if (http->headers[HEADER_HOST].size == 0 || http->headers[HEADER_LENGTH].data != NULL ||
        http->headers[HEADER_ENCODING].data != NULL)
        return "request: Host missing, or a body";
    if (!key_valid(http->headers[HEADER_KEY]))
        return "Sec-WebSocket-Key";
    if (!list_has(http->headers[HEADER_PROTOCOL], WS_PROTOCOL, false))
        return "Sec-WebSocket-Protocol";
    return NULL;
}

/* Whether a page was asked for, and is served. Then that is all: one page a connection. */
static bool serve_page(struct ws *ws, const struct http *http, sotto_buf *out)
{
    sotto_bytes line = http->start_line, method = {0}, path = {0}, version = {0};
    const char *type = "";
    char head[256];
    sotto_buf body;
    split(&line, ' ', &method);
    split(&line, ' ', &path);
    split(&line, ' ', &version);
    if (ws->page == NULL || line.data != NULL || !bytes_are(method, "GET") ||
        !bytes_are(version, "HTTP/1.1") || bytes_are(path, WS_PATH) ||
        http->headers[HEADER_LENGTH].data != NULL || http->headers[HEADER_ENCODING].data != NULL)
        return false;
    sotto_buf_init(&body, ws->env);
    bool found = ws->page(ws->page_ctx, path, &body, &type);
    if (found) {
        int size = snprintf(head, sizeof head,
                            "HTTP/1.1 200 OK\r\n"
                            "Content-Type: %s\r\n"
                            "Content-Length: %zu\r\n"
                            "Cache-Control: no-cache\r\n"
                            "X-Content-Type-Options: nosniff\r\n"
                            "Connection: close\r\n"
                            "\r\n",
                            type, body.size);
        found = sotto_buf_reserve(out, (size_t)size + body.size) == SOTTO_OK &&
                sotto_buf_append(out, (const uint8_t *)head, (size_t)size) == SOTTO_OK &&
                sotto_buf_append(out, body.data, body.size) == SOTTO_OK;
    }
    sotto_buf_free(&body);
    return found;
}

static enum ws_event answer_request(struct ws *ws, const struct http *http, sotto_buf *out)
{
    const char *status;
    if (serve_page(ws, http, out))
        return ws_fail(ws, SOTTO_OK, "a page was served");
    const char *fault = request_fault(http, &status);
    if (fault != NULL)
        return refuse(ws, status, fault, out);
    char accept[ACCEPT_TEXT + 1], text[256];
    sotto_error error = ws_accept_key(http->headers[HEADER_KEY], accept);
    if (error != SOTTO_OK)
        return ws_fail(ws, error, "SHA-1");
    int size = snprintf(text, sizeof text,
                        "HTTP/1.1 101 Switching Protocols\r\n"
                        "Upgrade: websocket\r\n"
                        "Connection: Upgrade\r\n"
                        "Sec-WebSocket-Accept: %s\r\n"
                        "Sec-WebSocket-Protocol: " WS_PROTOCOL "\r\n"
                        "\r\n",
                        accept);
    error = sotto_buf_append(out, (const uint8_t *)text, (size_t)size);
    return error == SOTTO_OK ? WS_OPENED : ws_fail(ws, error, "answer to the handshake");
}

/* ---- Client -------------------------------------------------------------------------------- */

/* 4.1: what the client checks, every extension refused since none was asked for. */
static enum ws_event check_answer(struct ws *ws, const struct http *http)
{
    sotto_bytes line = http->start_line, version = {0}, status = {0};
    split(&line, ' ', &version);
    split(&line, ' ', &status);
    if (!bytes_are(version, "HTTP/1.1") || !bytes_are(status, "101"))
        return ws_fail(ws, SOTTO_VALUE, "the address does not lead to a relay");
    if (!bytes_are_nocase(http->headers[HEADER_UPGRADE], "websocket") ||
        !list_has(http->headers[HEADER_CONNECTION], "upgrade", true))
        return ws_fail(ws, SOTTO_VALUE, "answer: Upgrade or Connection");
    if (!bytes_are(http->headers[HEADER_ACCEPT], ws->accept))
        return ws_fail(ws, SOTTO_VALUE, "Sec-WebSocket-Accept");
    if (!bytes_are(http->headers[HEADER_PROTOCOL], WS_PROTOCOL))
        return ws_fail(ws, SOTTO_VALUE, "Sec-WebSocket-Protocol");
    if (http->headers[HEADER_EXTENSIONS].data != NULL)
        return ws_fail(ws, SOTTO_VALUE, "Sec-WebSocket-Extensions");
    return WS_OPENED;
}

static enum ws_event finish(struct ws *ws, sotto_bytes bytes, sotto_buf *out)
{
    struct http http = {0};
    if (!read_http(bytes, &http))
        return ws->role == WS_SERVER ? refuse(ws, "400 Bad Request", "request headers", out)
                                     : ws_fail(ws, SOTTO_VALUE, "answer headers");
    enum ws_event event =
        ws->role == WS_SERVER ? answer_request(ws, &http, out) : check_answer(ws, &http);
    if (event == WS_OPENED)
        ws->phase = WS_FRAMES;
    return event;
}

enum ws_event ws_handshake_feed(struct ws *ws, const uint8_t *data, size_t size, size_t *used,
                                sotto_buf *out)
{
    size_t before = ws->message.size;
    size_t room = WS_HANDSHAKE_MAX - before;
    size_t taken = size < room ? size : room;
    sotto_error error = sotto_buf_append(&ws->message, data, taken);
    if (error != SOTTO_OK)
        return ws_fail(ws, error, "handshake");
    size_t end = find_end(&ws->message, before);
    *used = end == 0 ? taken : end - before;
    if (end == 0 && ws->message.size < WS_HANDSHAKE_MAX)
        return WS_MORE;
    if (end == 0)
        return ws->role == WS_SERVER
                   ? refuse(ws, "431 Request Header Fields Too Large", "request: too long", out)
                   : ws_fail(ws, SOTTO_LIMIT, "answer: too long");
    enum ws_event event = finish(ws, sotto_bytes_of(ws->message.data, end), out);
    sotto_buf_free(&ws->message);
    return event;
}
