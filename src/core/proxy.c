#include "core/proxy.h"

#include <string.h>

#include "core/internal.h"

#define SETTING "proxy"
#define SCHEME "socks5://"
#define NOT_ISOLATED "?isolate=no"

/* ---- Text ----------------------------------------------------------------------------------- */

static sotto_error refuse(sotto_fault *fault, const char *what)
{
    *fault = (sotto_fault){SOTTO_VALUE, what, 0};
    return SOTTO_VALUE;
}

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* %XX and what stands for itself; false: too long, empty, or no text. */
static bool decode(sotto_bytes text, char out[static SOCKS_TEXT_MAX + 1])
{
    size_t size = 0;
    for (size_t i = 0; i < text.size; i++) {
        int value = text.data[i];
        if (value == '%') {
            int high = i + 2 < text.size ? hex_digit(text.data[i + 1]) : -1;
            int low = i + 2 < text.size ? hex_digit(text.data[i + 2]) : -1;
            if (high < 0 || low < 0)
                return false;
            value = high << 4 | low;
            i += 2;
        }
        if (value == 0 || size == SOCKS_TEXT_MAX)
            return false;
        out[size++] = (char)value;
    }
    out[size] = '\0';
    return size > 0;
}

static sotto_bytes part(sotto_bytes text, size_t from, size_t to)
{
    return sotto_bytes_of(text.data + from, to - from);
}

static bool begins(sotto_bytes text, const char *with)
{
    return text.size >= strlen(with) && memcmp(text.data, with, strlen(with)) == 0;
}

static sotto_error read_login(sotto_bytes login, struct proxy *proxy, sotto_fault *fault)
{
    const uint8_t *colon = memchr(login.data, ':', login.size);
    if (colon == NULL || !decode(part(login, 0, (size_t)(colon - login.data)), proxy->user) ||
        !decode(part(login, (size_t)(colon - login.data) + 1, login.size), proxy->password))
        return refuse(fault, "proxy: USER:PASSWORD@ expected, each of 1 to 255 bytes");
    proxy->has_login = true;
    proxy->isolates = false;
    return SOTTO_OK;
}

sotto_error proxy_parse(sotto_bytes text, struct proxy *proxy, sotto_fault *fault)
{
    struct proxy parsed = {.on = true, .isolates = true};
    if (text.size == 0) {
        *proxy = (struct proxy){.on = false};
        return SOTTO_OK;
    }
    if (text.size > PROXY_TEXT_MAX || !begins(text, SCHEME))
        return refuse(fault, "proxy: socks5://HOST:PORT expected");
    sotto_bytes rest = part(text, strlen(SCHEME), text.size);
    if (rest.size > strlen(NOT_ISOLATED) &&
        begins(part(rest, rest.size - strlen(NOT_ISOLATED), rest.size), NOT_ISOLATED)) {
        rest.size -= strlen(NOT_ISOLATED);
        parsed.isolates = false;
    }
    size_t at = rest.size;
    while (at > 0 && rest.data[at - 1] != '@')
        at--;
    sotto_error error = SOTTO_OK;
    if (at > 0)
        error = read_login(part(rest, 0, at - 1), &parsed, fault);
    if (error == SOTTO_OK &&
        (address_parse(part(rest, at, rest.size), &parsed.address, fault) != SOTTO_OK ||
         parsed.address.has_pin))
        error = refuse(fault, "proxy: HOST:PORT expected");
    if (error == SOTTO_OK)
        *proxy = parsed;
    proxy_wipe(&parsed);
    return error;
}

void proxy_wipe(struct proxy *proxy)
{
    wipe(proxy, sizeof *proxy);
}

/* ---- The setting ---------------------------------------------------------------------------- */

/* The text in force; empty: none. */
static sotto_error text_now(struct sotto *core, struct arena *arena, sotto_bytes *text)
{
    *text = sotto_bytes_str(core->proxy_override);
    if (core->proxy_overridden)
        return SOTTO_OK;
    sotto_error error = store_value_get(core->store, SETTING, arena, text);
    return error == SOTTO_NOT_FOUND ? SOTTO_OK : error;
}

sotto_error proxy_now(struct sotto *core, struct proxy *proxy)
{
    struct arena arena;
    sotto_bytes text = {NULL, 0};
    sotto_fault fault;
    arena_init(&arena, core->env);
    sotto_error error = text_now(core, &arena, &text);
    if (error == SOTTO_OK)
        error = proxy_parse(text, proxy, &fault);
    if (error == SOTTO_OK)
        wire_hash(text, core->proxy_used);
    arena_free(&arena);
    return error;
}

void proxy_check(struct sotto *core)
{
    struct arena arena;
    sotto_bytes text = {NULL, 0};
    uint8_t hash[HASH_SIZE];
    arena_init(&arena, core->env);
    bool known = text_now(core, &arena, &text) == SOTTO_OK;
    wire_hash(text, hash);
    arena_free(&arena);
    if (!known || memcmp(hash, core->proxy_used, sizeof hash) != 0)
        net_reconnect(core);
}

static sotto_error bad_proxy(struct sotto_problem *problem, const sotto_fault *fault)
{
    return problem_set(problem, SOTTO_VALUE, SOTTO_CODE_BAD_ADDRESS,
                       "For example: socks5://127.0.0.1:9050, or socks5://USER:PASSWORD@HOST:PORT",
                       "That is not the address of a proxy: %s.", fault->what);
}

sotto_error sotto_set_proxy(struct sotto *core, const char *proxy)
{
    struct proxy parsed;
    sotto_fault fault;
    sotto_bytes text = sotto_bytes_str(proxy != NULL ? proxy : "");
    if (proxy_parse(text, &parsed, &fault) != SOTTO_OK)
        return bad_proxy(&core->problem, &fault);
    proxy_wipe(&parsed);
    sotto_error error = store_begin(core->store);
    if (error == SOTTO_OK)
        error = text.size > 0 ? store_value_put(core->store, SETTING, text)
                              : store_value_erase(core->store, SETTING);
    if (error == SOTTO_NOT_FOUND)
        error = SOTTO_OK;
    if (error == SOTTO_OK)
        error = store_commit(core->store);
    if (error != SOTTO_OK) {
        store_rollback(core->store);
        return core_store_problem(core, error, "saving the proxy");
    }
    store_scrub(core->store, false); /* an earlier one's password */
    proxy_check(core);
    return SOTTO_OK;
}

sotto_error sotto_use_proxy(struct sotto *core, const char *proxy)
{
    struct proxy parsed;
    sotto_fault fault;
    if (proxy_parse(sotto_bytes_str(proxy), &parsed, &fault) != SOTTO_OK)
        return bad_proxy(&core->problem, &fault);
    proxy_wipe(&parsed);
    (void)snprintf(core->proxy_override, sizeof core->proxy_override, "%s", proxy);
    core->proxy_overridden = true;
    proxy_check(core);
    return SOTTO_OK;
}

sotto_error sotto_proxy(struct sotto *core, struct sotto_proxy *out)
{
    struct proxy proxy;
    sotto_buf address;
    memset(out, 0, sizeof *out);
    sotto_error error = proxy_now(core, &proxy);
    if (error != SOTTO_OK)
        return core_store_problem(core, error, "reading the proxy");
    if (proxy.on) {
        sotto_buf_init(&address, core->env);
        error = address_format(&proxy.address, &address);
        if (error == SOTTO_OK)
            (void)snprintf(out->address, sizeof out->address, SCHEME "%.*s", (int)address.size,
                           (const char *)address.data);
        out->isolates = proxy.isolates;
        out->login = proxy.has_login;
        sotto_buf_free(&address);
    }
    out->overridden = core->proxy_overridden;
    proxy_wipe(&proxy);
    return error == SOTTO_OK ? SOTTO_OK : core_store_problem(core, error, "reading the proxy");
}
