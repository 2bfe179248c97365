/* Who does what when: each device of each person is a client, a task that sleeps, comes online,
 * does this and that with its core, crashes at times, and goes away again for minutes or weeks. */
#include "sim/sim.h"

#include <ftw.h>
#include <stdarg.h>
#include <unistd.h>

#include "core/internal.h"

#define SECOND_MS UINT64_C(1000)
#define MINUTE_MS (60 * SECOND_MS)
#define HOUR_MS (60 * MINUTE_MS)

/* Turns of a core that does not wait: a burst of answers may have so many. */
enum { SPINS_MAX = 2000 };

/* Whatever the relay does, a run comes to an end. */
#define SYNC_MAX_MS (20 * MINUTE_MS)

static const char relay_address[] = "relay.example:7443";

/* ---- The outside of a core ---------------------------------------------------------------------
 */

bool client_lives(struct client *client)
{
    if (client->dead)
        return false;
    if (client->steps_left == 0 || --client->steps_left > 0)
        return true;
    client->dead = true;
    client->world->crashes++;
    sotto_stop(client->core);
    return false;
}

uint64_t client_now_s(const struct client *client)
{
    return (uint64_t)((int64_t)(SIM_BEGIN_S + client->world->now_ms / 1000) + client->skew_s);
}

static uint64_t env_now(void *ctx)
{
    return client_now_s(ctx);
}

static sotto_error env_random(void *ctx, uint8_t *out, size_t size)
{
    struct client *client = ctx;
    uint8_t nonce[crypto_stream_chacha20_NONCEBYTES] = {0};
    client->drawn++;
    memcpy(nonce, &client->drawn, sizeof client->drawn);
    crypto_stream_chacha20(out, size, nonce, client->key);
    return SOTTO_OK;
}

static uint64_t outside_now(void *ctx)
{
    return ((const struct client *)ctx)->world->now_ms;
}

static int outside_wait(void *ctx, struct pollfd *fds, nfds_t count, int timeout_ms)
{
    struct client *client = ctx;
    struct world *world = client->world;
    uint64_t ms = timeout_ms < 0 ? 0 : (uint64_t)timeout_ms;
    if (net_poll(world, fds, count) > 0)
        ms = 0; /* the others go on all the same */
    if (client->dead)
        ms += SECOND_MS; /* what goes on in a dead process comes to its end */
    client->spins = ms > 0 ? 0 : client->spins + 1;
    if (client->spins > SPINS_MAX) {
        if (client->spins == SPINS_MAX + 1)
            world_fails(world, "client %u spins", client->number);
        ms = 1; /* so that it comes to an end */
    }
    client->waiting = true;
    task_sleep(&client->task, world->now_ms + ms);
    client->waiting = false;
    return net_poll(world, fds, count);
}

static void nap(struct client *client, uint64_t ms)
{
    task_sleep(&client->task, client->world->now_ms + ms);
}

void client_tells(const struct client *client, const char *what, long long number)
{
    if (!client->world->options.trace)
        return;
    printf("%llu client %u ", (unsigned long long)client->world->now_ms, client->number);
    printf("%s %lld\n", what, number);
}

/* ---- Opening, closing, dying -------------------------------------------------------------------
 */

static void client_close(struct client *client)
{
    client_tells(client, client->dead ? "dies" : "closes", 0);
    sotto_close(client->core);
    client->core = NULL;
    if (!client->dead)
        return;
    disk_crash(client, client->power);
    client->dead = false;
    client->steps_left = 0;
}

static void client_open(struct client *client)
{
    struct sotto_problem problem;
    while (client->core == NULL) {
        sotto_error error = core_open(&client->env, &client->outside, client->folder, NULL,
                                      &client->core, &problem);
        if (client->dead) {
            client_close(client);
        } else if (error != SOTTO_OK) {
            world_fails(client->world, "client %u: its profile does not open: %s", client->number,
                        problem.message);
            client->finished = true;
            return;
        }
    }
}

/* After anything: a dead one is opened again, from what is left. */
static void client_revive(struct client *client)
{
    if (!client->dead)
        return;
    client_close(client);
    client_open(client);
    if (!client->finished)
        check_reopened(client);
}

/* ---- Devices -----------------------------------------------------------------------------------
 */

static void client_main(void *ctx);

static struct client *client_new(struct person *person)
{
    struct world *world = person->world;
    struct client *client = &world->clients[world->client_count];
    uint64_t seed[2] = {world->options.seed, world->client_count};
    client->world = world;
    client->person = person;
    client->number = world->client_count++;
    client->chance.state = world->options.seed * 1000003 + client->number;
    (void)chance_next(&client->chance);
    crypto_generichash(client->key, sizeof client->key, (const uint8_t *)seed, sizeof seed, NULL,
                       0);
    client->env = *sotto_env_system();
    client->env.ctx = client;
    client->env.random = env_random;
    client->env.now = env_now;
    client->outside = (struct outside){
        .ctx = client,
        .now_ms = outside_now,
        .wait = outside_wait,
        .line = &line_sim,
        .vfs = SIM_VFS,
        .provider = &world->watched.table,
    };
    if (world->weather.skew_s > 0)
        client->skew_s = (int64_t)chance_below(&client->chance, 2 * world->weather.skew_s) -
                         world->weather.skew_s;
    (void)snprintf(client->folder, sizeof client->folder, "%s/%u", world->folder, client->number);
    person->clients[person->client_count++] = client;
    task_start(world, &client->task, client_main, client);
    return client;
}

/* The new device shows its link, the old one takes it; both wait for one another. */
static void device_add(struct client *client)
{
    struct person *person = client->person;
    char device[33];
    if (person->linking == NULL) {
        if (person->client_count == sizeof person->clients / sizeof *person->clients ||
            client->world->client_count == client->world->client_max)
            return;
        person->linking = client_new(person);
    }
    for (unsigned i = 0; i < 60 && person->device_link == NULL && person->linking != NULL; i++)
        nap(client, SECOND_MS);
    if (person->device_link == NULL)
        return;
    char *link = strdup(person->device_link);
    check_error(client, sotto_device_add(client->core, link, false, device), "adding a device");
    free(link);
}

static void device_revoke(struct client *client)
{
    struct person *person = client->person;
    struct client *other = person->clients[chance_below(&client->chance, person->client_count)];
    if (other == client || !other->registered || other->revoked || person->linking == other)
        return;
    sotto_error error = sotto_device_revoke(client->core, other->device);
    check_error(client, error, "revoking a device");
    if (error == SOTTO_OK)
        other->revoked = true;
}

static void on_device(void *ctx, const struct sotto_device *device)
{
    struct client *client = ctx;
    if (device->own)
        memcpy(client->device, device->device, sizeof client->device);
}

static void is_registered(struct client *client)
{
    struct sotto_account account;
    if (client->dead || client->core == NULL || sotto_account(client->core, &account) != SOTTO_OK ||
        !account.registered)
        return;
    client->registered = true;
    core_id_hex(account.account.bytes, sizeof account.account.bytes, client->person->account);
    check_error(client, sotto_devices(client->core, on_device, client), "listing devices");
}

static void link_self(struct client *client)
{
    struct person *person = client->person;
    sotto_buf link;
    uint64_t expires_s;
    for (unsigned tries = 0; tries < 8 && !client->registered && !client->finished; tries++) {
        sotto_buf_init(&link, &client->world->env);
        sotto_error error = sotto_link(client->core, relay_address, "another", &link, &expires_s);
        if (error == SOTTO_OK) {
            free(person->device_link);
            person->device_link = strdup((const char *)link.data);
            error = sotto_link_wait(client->core, NULL, NULL);
        }
        sotto_buf_free(&link);
        check_error(client, error, "being linked");
        client_revive(client);
        is_registered(client);
        if (!client->registered)
            nap(client, MINUTE_MS + chance_below(&client->chance, HOUR_MS));
    }
    free(person->device_link);
    person->device_link = NULL;
    if (person->linking == client)
        person->linking = NULL;
}

static void register_self(struct client *client)
{
    struct sotto_registration registration = {.relay = relay_address, .name = client->person->name};
    while (!client->registered && !client->finished && !client->world->calm) {
        check_error(client, sotto_register(client->core, &registration), "registering");
        client_revive(client);
        is_registered(client);
        if (!client->registered)
            nap(client, MINUTE_MS);
    }
}

/* ---- Sessions ----------------------------------------------------------------------------------
 */

static void sync_all(struct client *client, const char *doing)
{
    struct world *world = client->world;
    const uint64_t begun_ms = world->now_ms;
    check_error(client, sotto_sync(client->core), doing);
    if (world->now_ms - begun_ms > SYNC_MAX_MS && !client->dead)
        world_fails(world, "client %u, %s: it took %llu s", client->number, doing,
                    (unsigned long long)((world->now_ms - begun_ms) / SECOND_MS));
}

/* What people do in some runs only. */
static void do_beside(struct client *client)
{
    const struct habits *habits = &client->world->habits;
    struct sotto_id id;
    switch (chance_below(&client->chance, 5)) {
    case 0:
        if (habits->timers)
            set_timer(client);
        return;
    case 1:
    case 2:
        if (habits->files && chance_of(&client->chance, 500000))
            fetch_file(client, false);
        else if (habits->files && some_conversation(client, false, &id))
            send_file(client, &id);
        return;
    case 3:
        if (habits->labels)
            name_self(client);
        return;
    default:
        if (habits->labels)
            find_somebody(client);
    }
}

static void do_something(struct client *client)
{
    struct world *world = client->world;
    struct sotto_id id;
    bool beside = world->habits.timers || world->habits.files || world->habits.labels;
    if (beside && chance_of(&client->chance, 250000)) {
        do_beside(client);
        return;
    }
    bool busy = world->options.busy;
    unsigned what = (unsigned)chance_below(&client->chance, busy ? 600 : 1000);
    if (what < 600) {
        if (some_conversation(client, busy, &id))
            say(client, &id);
    } else if (what < 760) {
        if (some_conversation(client, false, &id))
            change(client, &id);
    } else if (what < 840) {
        int64_t message;
        if (some_conversation(client, false, &id) &&
            (message = some_message(client, &id, false)) != 0)
            check_error(client, sotto_mark_read(client->core, &id, message), "reading");
    } else if (what < 870) {
        group_make(client);
    } else if (what < 900) {
        group_add(client);
    } else if (what < 915) {
        group_remove(client);
    } else if (what < 922) {
        if (some_conversation(client, true, &id))
            check_error(client, sotto_group_leave(client->core, &id), "leaving");
    } else if (what < 945) {
        if (some_conversation(client, false, &id))
            check_error(client, sotto_group_update(client->core, &id), "renewing keys");
    } else if (what < 985) {
        struct person *other = &world->people[chance_below(&client->chance, world->options.people)];
        if (other != client->person)
            invite(client, other);
    } else if (what < 994) {
        device_add(client);
    } else if (what < 997) {
        device_revoke(client);
    } else {
        check_error(client, sotto_set_name(client->core, client->person->name), "naming itself");
    }
}

struct serving {
    struct client *client;
    uint64_t until_ms, next_ms;
};

static size_t serve_wants(void *ctx, struct pollfd *fds)
{
    (void)ctx;
    (void)fds;
    return 0;
}

/* Local calls alone: others would wait inside of the wait. */
static void serve_step(void *ctx, const struct pollfd *fds, size_t count)
{
    struct serving *serving = ctx;
    struct client *client = serving->client;
    struct world *world = client->world;
    struct sotto_id id;
    (void)fds;
    (void)count;
    if (world->now_ms >= serving->until_ms || client->dead) {
        sotto_stop(client->core);
        return;
    }
    if (world->now_ms < serving->next_ms)
        return;
    serving->next_ms = world->now_ms + chance_around(&client->chance, 20 * SECOND_MS);
    if (!some_conversation(client, world->options.busy, &id))
        return;
    if (chance_of(&client->chance, 800000) || world->options.busy)
        say(client, &id);
    else
        change(client, &id);
}

static void serve_notice(void *ctx, const struct sotto_problem *problem)
{
    (void)ctx;
    (void)problem;
}

/* As a daemon does; a core that was stopped is not used again. */
static void serve(struct client *client)
{
    struct world *world = client->world;
    struct serving serving = {
        .client = client,
        .until_ms = world->now_ms + 10 * SECOND_MS + chance_around(&client->chance, MINUTE_MS),
        .next_ms = world->now_ms + 2 * SECOND_MS,
    };
    const struct sotto_host host = {
        .ctx = &serving,
        .wants = serve_wants,
        .step = serve_step,
        .notice = serve_notice,
    };
    check_error(client, sotto_serve(client->core, &host), "serving");
    if (client->dead)
        return;
    if (world->options.busy) { /* as if its process lived on: that is no part of a busy group */
        client->core->stop = 0;
        return;
    }
    client_close(client);
    client_open(client);
}

static void session(struct client *client)
{
    struct world *world = client->world;
    struct sotto_id id;
    take_links(client);
    if (!client->dead)
        take_request(client);
    if (world->options.busy && client->number == 0 && world->now_ms > SIM_DAY_MS && !client->dead)
        crowd_gather(client);
    unsigned first = (unsigned)chance_below(&client->chance, 4);
    if (first == 0 && !client->dead)
        sync_all(client, "syncing");
    if (client->person->device_link != NULL && client->person->linking != client && !client->dead &&
        !client->revoked)
        device_add(client);
    unsigned count = 1 + (unsigned)chance_below(&client->chance, 3);
    for (unsigned i = 0; i < count && !client->dead && !client->revoked; i++)
        do_something(client);
    if (client->dead)
        return;
    switch (chance_below(&client->chance, 8)) {
    case 0:
        serve(client);
        return;
    case 1:
        if (some_conversation(client, false, &id))
            check_error(client, sotto_settle(client->core, &id), "settling");
        return;
    default:
        sync_all(client, "syncing");
    }
}

/* ---- Days --------------------------------------------------------------------------------------
 */

static uint64_t until_next(struct client *client)
{
    struct world *world = client->world;
    uint64_t sessions = world->options.messages_a_day;
    if (sessions == 0)
        sessions = 1 + client->number % 4;
    if (chance_of(&client->chance, 10000))
        return SIM_DAY_MS * (2 + chance_below(&client->chance, 20)); /* away */
    return 1 + chance_around(&client->chance, SIM_DAY_MS / sessions);
}

static void one_day(struct client *client)
{
    struct world *world = client->world;
    if (chance_of(&client->chance, world->weather.crash)) {
        client->power = chance_below(&client->chance, 2) == 0;
        client->steps_left = 1 + chance_around(&client->chance, 120);
    }
    session(client);
    client_revive(client);
    client->steps_left = 0;
    if (!client->finished && chance_of(&client->chance, 100000)) {
        client_close(client);
        client_open(client);
    }
}

struct lost {
    const struct person *person;
    char device[33];
};

static void on_lost(void *ctx, const struct sotto_device *device)
{
    struct lost *lost = ctx;
    for (unsigned i = 0; i < lost->person->client_count; i++) {
        const struct client *client = lost->person->clients[i];
        if (client->registered && strcmp(client->device, device->device) == 0)
            return;
    }
    memcpy(lost->device, device->device, sizeof lost->device);
}

/* A device is listed that never came, for its linking broke off: its person takes it off the list.
 */
static void forget_lost(struct client *client)
{
    struct lost lost = {.person = client->person};
    if (!client->registered || client->revoked || client->person->linking != NULL)
        return;
    check_error(client, sotto_devices(client->core, on_lost, &lost), "listing devices");
    if (lost.device[0] != '\0')
        check_error(client, sotto_device_revoke(client->core, lost.device),
                    "removing a device that never came");
}

/* Everybody comes to the same end: a round is quiet if nobody said anything in those before. */
static bool round_begins(struct world *world, unsigned round)
{
    if (world->rounds[round] == 0) /* the first one of it */
        world->rounds[round] = world->entries + 1;
    world->healed |= round > 1;
    return round < HEAL_QUIET || world->rounds[round] != world->rounds[round - HEAL_QUIET];
}

/* At first far apart, so that what waits for its time has had it; then close together, for where
 * there are many somebody has something to say every few hours: keys to be renewed. */
static uint64_t round_ms(const struct client *client, unsigned round)
{
    uint64_t begins_ms = client->world->end_ms;
    if (round < HEAL_FAR)
        return begins_ms + round * 2 * HOUR_MS + client->number * MINUTE_MS;
    return begins_ms + HEAL_FAR * 2 * HOUR_MS + (round - HEAL_FAR) * 10 * MINUTE_MS +
           client->number * SECOND_MS;
}

/* Everything that went wrong is over: rounds until nobody has anything to say any more, and all has
 * to be well. */
static void heal(struct client *client)
{
    struct world *world = client->world;
    struct sotto_id id;
    client->steps_left = 0;
    for (unsigned round = 0; round < HEAL_ROUNDS; round++) {
        uint64_t at = round_ms(client, round);
        if (at > world->now_ms)
            task_sleep(&client->task, at);
        if (!round_begins(world, round))
            break;
        take_links(client);
        /* Whatever was forked is found out by the next commit. */
        if (round == 3 && world->forks > 0)
            for (unsigned i = 0; i < 8; i++)
                if (some_conversation(client, false, &id))
                    check_error(client, sotto_group_update(client->core, &id), "renewing keys");
        if (client->registered)
            sync_all(client, "syncing at the end");
        if (round > 0)
            forget_lost(client);
    }
    for (unsigned i = 0; world->habits.files && i < 4; i++)
        fetch_file(client, true);
}

static void client_main(void *ctx)
{
    struct client *client = ctx;
    struct world *world = client->world;
    struct person *person = client->person;
    bool first = person->clients[0] == client;
    if (first)
        nap(client, person->number * MINUTE_MS);
    client_open(client);
    if (first)
        register_self(client);
    else
        link_self(client);
    if (first && person->number > 0 && client->registered) {
        unsigned friends = world->options.busy ? 1 : 2;
        for (unsigned i = 0; i < friends; i++) {
            struct person *other =
                world->options.busy ? &world->people[0]
                                    : &world->people[chance_below(&client->chance, person->number)];
            invite(client, other);
            client_revive(client);
        }
    }
    while (!client->finished && client->registered) {
        uint64_t next = world->now_ms + until_next(client);
        if (next >= world->end_ms)
            break;
        task_sleep(&client->task, next);
        one_day(client);
    }
    if (!client->finished && client->registered)
        heal(client);
}

/* ---- All of them -------------------------------------------------------------------------------
 */

static void calm_begins(struct world *world, void *ctx, sotto_buf *bytes, uint64_t number)
{
    (void)ctx;
    (void)bytes;
    (void)number;
    world->calm = true;
    if (world->options.trace)
        printf("calm\n");
    world->down = false;
    rooms_heal(world);
}

void people_begin(struct world *world)
{
    const char *shared = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    (void)snprintf(world->folder, sizeof world->folder, "%s/sotto-sim-XXXXXX", shared);
    if (mkdtemp(world->folder) == NULL)
        abort();
    world->people = sim_alloc(world->options.people * sizeof *world->people);
    world->client_max = world->options.people * 2 + 2;
    world->clients = sim_alloc(world->client_max * sizeof *world->clients);
    world_at(world, world->end_ms, calm_begins, NULL, NULL, 0);
    for (unsigned i = 0; i < world->options.people; i++) {
        struct person *person = &world->people[i];
        person->world = world;
        person->number = i;
        (void)snprintf(person->name, sizeof person->name, "Person %u", i);
        (void)client_new(person);
    }
}

static int erase(const char *path, const struct stat *stat, int flag, struct FTW *ftw)
{
    (void)stat;
    (void)flag;
    (void)ftw;
    return remove(path);
}

void people_end(struct world *world)
{
    for (unsigned i = 0; i < world->client_count; i++) {
        client_close(&world->clients[i]);
        task_free(&world->clients[i].task);
    }
    for (unsigned i = 0; i < world->options.people; i++) {
        struct person *person = &world->people[i];
        for (size_t n = 0; n < person->link_count; n++)
            free(person->links[n]);
        free(person->links);
        free(person->device_link);
    }
    free(world->people);
    free(world->clients);
    (void)nftw(world->folder, erase, 8, FTW_DEPTH | FTW_PHYS);
}
