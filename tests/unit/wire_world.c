#include "unit/wire_world.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "unit/folder.h"

void wire_world_make(struct wire_world *world)
{
    const sotto_env *env = sotto_env_system();
    sotto_fault fault;
    *world = (struct wire_world){0};
    assert_true(folder_make(world->folder, "wire"));
    snprintf(world->certificate, sizeof world->certificate, "%s/certificate.pem", world->folder);
    snprintf(world->key, sizeof world->key, "%s/key.pem", world->folder);
    assert_ok(tls_make_certificate(env, world->certificate, world->key, NULL));
    assert_ok(tls_server(env, world->certificate, world->key, &world->server, NULL));
    assert_ok(tls_client(env, &world->client));
    assert_ok(address_parse(sotto_bytes_str("127.0.0.1:1"), &world->address, &fault));
    world->address.has_pin = true;
    tls_pin(world->server, world->address.pin);
}

void wire_world_free(struct wire_world *world)
{
    tls_free(world->server);
    tls_free(world->client);
    unlink(world->certificate);
    unlink(world->key);
    rmdir(world->folder);
}

static void on_opened(void *ctx)
{
    struct wire_end *end = ctx;
    end->opened++;
}

static void on_message(void *ctx, sotto_bytes message)
{
    struct wire_end *end = ctx;
    end->messages++;
    end->bytes += message.size;
    sotto_buf_clear(&end->last);
    assert_ok(sotto_buf_append(&end->last, message.data, message.size));
    if (end->echo)
        assert_ok(channel_send(end->channel, &message, 1));
    if (end->pause_after != 0 && end->messages == end->pause_after)
        channel_pause(end->channel, true);
}

const struct channel_handler wire_end_handler = {.opened = on_opened, .message = on_message};

void wire_end_init(struct wire_end *end)
{
    *end = (struct wire_end){0};
    sotto_buf_init(&end->last, sotto_env_system());
}

void wire_end_free(struct wire_end *end)
{
    channel_free(end->channel);
    sotto_buf_free(&end->last);
    end->channel = NULL;
}

void wire_end_step(struct wire_end *end)
{
    if (end->channel == NULL || channel_state(end->channel) == CHANNEL_CLOSED)
        return;
    struct pollfd entry = {
        .fd = channel_fd(end->channel),
        .events = (short)channel_events(end->channel),
    };
    bool pending = channel_pending(end->channel);
    poll(&entry, 1, 0);
    if (entry.revents != 0 || pending)
        channel_step(end->channel, (unsigned)entry.revents | (pending ? POLLIN : 0));
}

sotto_error wire_end_send(struct wire_end *end, sotto_bytes message)
{
    return channel_send(end->channel, &message, 1);
}
