#include "rpc/client.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/base.h"
#include "rpc/json_memory.h"

struct client *client_new(const sotto_env *env, uint64_t number, int in, int out, bool owns_fds)
{
    struct client *client = mem_alloc(env, sizeof *client);
    if (client == NULL)
        return NULL;
    client->number = number;
    client->in = in;
    client->out = out;
    client->owns_fds = owns_fds;
    client->in_at = client->out_at = -1;
    sotto_buf_init(&client->input, env);
    sotto_buf_init(&client->output, env);
    return client;
}

void client_free(struct client *client)
{
    const sotto_env *env = client->input.env;
    if (client->owns_fds)
        (void)close(client->in);
    sotto_buf_free(&client->input);
    sotto_buf_free(&client->output);
    mem_free(env, client, sizeof *client);
}

bool client_is_full(const struct client *client)
{
    return client->output.size - client->written > CLIENT_OUT_HIGH;
}

bool client_is_over(const struct client *client)
{
    bool silent = client->waiting == 0 && client->output.size == client->written;
    /* Who has only stopped to send may still listen; a pipe's end is the end. */
    bool listens = client->subscribed && client->owns_fds;
    return client->broken || (client->ended && silent && !listens);
}

/* The reading side also when nothing is to be read: it tells that the other end is gone. */
size_t client_wants(struct client *client, struct pollfd *fds, size_t at)
{
    size_t count = 0;
    bool reads = !client->ended && !client_is_full(client);
    client->in_at = client->out_at = -1;
    if (reads || client->owns_fds) {
        client->in_at = (int)at;
        fds[count++] = (struct pollfd){client->in, reads ? POLLIN : 0, 0};
    }
    if (client->output.size > client->written) {
        client->out_at = (int)(at + count);
        fds[count++] = (struct pollfd){client->out, POLLOUT, 0};
    }
    return count;
}

/* ---- In ------------------------------------------------------------------------------------- */

void client_read(struct client *client)
{
    uint8_t block[CLIENT_READ];
    ssize_t got = read(client->in, block, sizeof block);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0)
        client->ended = true;
    else if (sotto_buf_append(&client->input, block, (size_t)got) != SOTTO_OK)
        client->broken = true;
    if (got > 0)
        wipe(block, (size_t)got);
}

/* Drops the first bytes: called when all whole lines are done, so that each byte moves once. */
static void compact(sotto_buf *buf, size_t count)
{
    if (count == 0)
        return;
    memmove(buf->data, buf->data + count, buf->size - count);
    wipe(buf->data + buf->size - count, count);
    buf->size -= count;
}

bool client_line(struct client *client, sotto_bytes *line)
{
    sotto_buf *input = &client->input;
    size_t left = input->size - client->scanned;
    const uint8_t *from = left > 0 ? input->data + client->scanned : NULL;
    const uint8_t *end = left > 0 ? memchr(from, '\n', left) : NULL;
    if (end != NULL) {
        *line = sotto_bytes_of(from, (size_t)(end - from));
        client->scanned += line->size + 1;
        return true;
    }
    compact(input, client->scanned);
    client->scanned = 0;
    return false;
}

/* ---- Out ------------------------------------------------------------------------------------ */

void client_send(struct client *client, json_t *object)
{
    if (client->written == client->output.size) {
        sotto_buf_clear(&client->output);
        client->written = 0;
    }
    if (json_write(object, &client->output) != SOTTO_OK ||
        sotto_buf_append(&client->output, (const uint8_t *)"\n", 1) != SOTTO_OK ||
        client->output.size - client->written > CLIENT_OUT_MAX)
        client->broken = true;
    json_decref(object);
}

void client_write(struct client *client)
{
    size_t size = client->output.size - client->written;
    if (size == 0)
        return;
    const uint8_t *from = client->output.data + client->written;
    /* A pipe may block for more than it has told that it takes. */
    ssize_t done = client->owns_fds ? send(client->out, from, size, MSG_DONTWAIT | MSG_NOSIGNAL)
                                    : write(client->out, from, size < PIPE_BUF ? size : PIPE_BUF);
    if (done > 0)
        client->written += (size_t)done;
    else if (errno != EAGAIN && errno != EINTR)
        client->broken = true;
    if (client->written > CLIENT_OUT_HIGH || client->written == client->output.size) {
        compact(&client->output, client->written);
        client->written = 0;
    }
}

void client_drain(struct client *client)
{
    enum { MOMENT_MS = 500 };
    struct pollfd fd = {client->out, POLLOUT, 0};
    while (!client->broken && client->output.size > client->written && poll(&fd, 1, MOMENT_MS) == 1)
        client_write(client);
}
