/* The simulated relay's rooms, and the worst that a relay can do to one: show two histories to two
 * halves of its members. */
#include "sim/sim.h"

enum {
    ROOM_STEP = 16 << 20,
    ENTRY_COST = 128,
    PUSH_COUNT = 64,
    PUSH_BYTES = 128 * 1024,
};

struct sim_room *room_find(struct world *world, const struct room_id *id)
{
    for (size_t i = 0; i < world->room_count; i++)
        if (memcmp(world->rooms[i]->id.bytes, id->bytes, ROOM_ID_SIZE) == 0)
            return world->rooms[i];
    return NULL;
}

/* Which branch that client is shown. */
static struct sim_log *log_of(struct sim_room *room, const struct conn_sim *conn)
{
    bool other = room->fork == FORK_OPEN && (conn->client->person->number & 1) != 0;
    return &room->logs[other];
}

static struct sim_gate *gate_find(struct sim_log *log, sotto_bytes token)
{
    for (size_t i = 0; i < log->gate_count; i++)
        if (gate_opens(&log->gates[i].gate, token))
            return &log->gates[i];
    return NULL;
}

static void gate_add(struct sim_log *log, const struct gate *gate)
{
    struct sim_gate *added =
        sim_grow((void **)&log->gates, &log->gate_count, &log->gate_room, sizeof *added);
    added->gate = *gate;
    added->until = added->until_epoch = UINT64_MAX;
}

/* ---- Making and extending ----------------------------------------------------------------------
 */

static void room_create(struct conn_sim *conn, const struct message *message)
{
    struct world *world = conn->world;
    const struct room_create *body = &message->room_create;
    struct message answer = {.type = MESSAGE_ROOM_CREATE_OK, .request = message->request};
    struct sim_room *room = room_find(world, &body->room);
    struct payment payment;
    if (room != NULL) {
        struct sim_log *log = &room->logs[0];
        bool same = log->next_seq == 1 &&
                    memcmp(log->write_gate.bytes, body->write_gate.bytes, GATE_SIZE) == 0 &&
                    memcmp(log->gates[0].gate.bytes, body->read_gate.bytes, GATE_SIZE) == 0;
        if (same)
            relay_answer(conn, &answer);
        else
            relay_refuse(conn, message->request, WIRE_CODE_ROOM_EXISTS, 0);
        return;
    }
    uint16_t code = relay_admit(world, &body->permission, NULL, &payment);
    if (code != 0) {
        relay_refuse(conn, message->request, code, 0);
        return;
    }
    relay_spend(world, &payment);
    room = sim_alloc(sizeof *room);
    room->id = body->room;
    room->size = payment.token ? ROOM_STEP : ROOM_STEP / 16;
    room->logs[0].next_seq = room->logs[0].first_seq = 1;
    room->logs[0].write_gate = body->write_gate;
    gate_add(&room->logs[0], &body->read_gate);
    *(struct sim_room **)sim_grow((void **)&world->rooms, &world->room_count, &world->room_room,
                                  sizeof room) = room;
    relay_answer(conn, &answer);
}

static void room_extend(struct conn_sim *conn, const struct message *message)
{
    struct world *world = conn->world;
    const struct room_extend *body = &message->room_extend;
    struct message answer = {.type = MESSAGE_ROOM_EXTEND_OK, .request = message->request};
    struct sim_room *room = room_find(world, &body->room);
    struct payment payment;
    uint16_t code = room == NULL ? WIRE_CODE_NO_ROOM : 0;
    if (code == 0 && room->size < body->size) {
        if (body->size - room->size > ROOM_STEP) {
            relay_refuse(conn, message->request, WIRE_CODE_LIMIT, room->size + ROOM_STEP);
            return;
        }
        code = relay_admit(world, &body->permission, NULL, &payment);
        if (code == 0 && !payment.token)
            code = WIRE_CODE_TOKEN_NEEDED;
        if (code == 0) {
            relay_spend(world, &payment);
            room->size = body->size;
        }
    }
    if (code != 0) {
        relay_refuse(conn, message->request, code, 0);
        return;
    }
    answer.size = room->size;
    relay_answer(conn, &answer);
}

/* ---- Subscriptions -----------------------------------------------------------------------------
 */

static uint64_t push_extra(struct world *world)
{
    const struct weather *weather = &world->weather;
    if (world->calm || !chance_of(&world->chance, weather->reorder))
        return 0;
    return chance_below(&world->chance, weather->reorder_ms + 1);
}

static void push(struct subscription *sub, const struct message *message)
{
    struct world *world = sub->conn->world;
    world->pushes++;
    sub->order_ms = conn_send(sub->conn, message, sub->order_ms, push_extra(world));
    if (!world->calm && message->type == MESSAGE_ROOM_ENTRIES &&
        chance_of(&world->chance, world->weather.repeat_push))
        sub->order_ms = conn_send(sub->conn, message, sub->order_ms, push_extra(world));
}

static void subscription_end(struct subscription *sub)
{
    for (struct subscription **at = &sub->room->subscriptions; *at != NULL; at = &(*at)->next)
        if (*at == sub) {
            *at = sub->next;
            break;
        }
    free(sub);
}

/* For some hours, whatever connection it asks on. */
static bool muted(const struct subscription *sub)
{
    const struct world *world = sub->conn->world;
    uint64_t place;
    memcpy(&place, sub->room->id.bytes, sizeof place);
    struct chance chance = {place + world->now_ms / (6 * UINT64_C(3600000)) * 1000003 +
                            sub->conn->client->number};
    (void)chance_next(&chance);
    return !world->calm && chance_of(&chance, world->weather.mute);
}

/* What it has not got yet. The subscription may be over afterwards. */
static void pump(struct subscription *sub)
{
    struct world *world = sub->conn->world;
    struct sim_log *log = sub->log;
    while (!sub->withheld && sub->next_seq <= sub->until && sub->next_seq < log->next_seq) {
        struct entry entries[PUSH_COUNT];
        size_t count = 0, bytes = 0;
        for (; count < PUSH_COUNT && bytes < PUSH_BYTES && sub->next_seq + count <= sub->until &&
               sub->next_seq + count < log->next_seq;
             count++) {
            const struct sim_entry *from = &log->entries[sub->next_seq + count - log->first_seq];
            entries[count] = (struct entry){
                .seq = from->seq,
                .epoch = from->epoch,
                .kind = from->kind,
                .append_id = from->append_id,
                .bytes = sotto_buf_view(&from->bytes),
            };
            bytes += from->bytes.size;
        }
        if (muted(sub) || (!world->calm && chance_of(&world->chance, world->weather.withhold))) {
            sub->withheld = true;
            return;
        }
        struct message message = {.type = MESSAGE_ROOM_ENTRIES, .request = sub->request};
        message.room_entries.entries = entries;
        message.room_entries.count = count;
        sub->next_seq += count;
        push(sub, &message);
    }
    if (sub->until != UINT64_MAX && sub->next_seq > sub->until) {
        struct message message = {.type = MESSAGE_ROOM_END, .request = sub->request};
        message.end_code = WIRE_CODE_GATE_CLOSED;
        push(sub, &message);
        subscription_end(sub);
    }
}

static void pump_all(struct sim_room *room)
{
    for (struct subscription *sub = room->subscriptions, *next; sub != NULL; sub = next) {
        next = sub->next;
        pump(sub);
    }
}

static void room_subscribe(struct conn_sim *conn, const struct message *message)
{
    struct world *world = conn->world;
    const struct room_subscribe *body = &message->room_subscribe;
    struct message answer = {.type = MESSAGE_ROOM_SUBSCRIBE_OK, .request = message->request};
    struct sim_room *room = room_find(world, &body->room);
    struct sim_log *log = room == NULL ? NULL : log_of(room, conn);
    const struct sim_gate *gate = log == NULL ? NULL : gate_find(log, body->read_token);
    if (log != NULL && (gate == NULL || body->from_seq < log->first_seq))
        *(struct lapse *)sim_grow((void **)&room->lapses, &room->lapse_count, &room->lapse_room,
                                  sizeof *room->lapses) =
            (struct lapse){conn->client, body->from_seq, gate == NULL};
    if (world->options.trace && log != NULL && (gate == NULL || body->from_seq < log->first_seq))
        printf("%llu room %02x%02x: client %u asks from %llu on, %s\n",
               (unsigned long long)world->now_ms, room->id.bytes[0], room->id.bytes[1],
               conn->client->number, (unsigned long long)body->from_seq,
               gate == NULL ? "and its gate is gone" : "of which some have expired");
    if (gate == NULL) {
        relay_refuse(conn, message->request, WIRE_CODE_NO_ROOM, 0);
        return;
    }
    bool open = gate->until == UINT64_MAX;
    answer.room_subscribe_ok.head = open ? log->next_seq - 1 : gate->until;
    answer.room_subscribe_ok.epoch = open ? log->epoch : gate->until_epoch;
    answer.room_subscribe_ok.first = log->first_seq;
    struct subscription *sub = sim_alloc(sizeof *sub);
    *sub = (struct subscription){
        .next = room->subscriptions,
        .conn = conn,
        .room = room,
        .log = log,
        .request = message->request,
        .next_seq = body->from_seq < log->first_seq ? log->first_seq : body->from_seq,
        .until = gate->until,
    };
    room->subscriptions = sub;
    sub->order_ms = conn_send(conn, &answer, 0, 0);
    pump(sub);
}

static void room_unsubscribe(struct conn_sim *conn, const struct message *message)
{
    struct message answer = {.type = MESSAGE_ROOM_UNSUBSCRIBE_OK, .request = message->request};
    struct world *world = conn->world;
    for (size_t i = 0; i < world->room_count; i++)
        for (struct subscription *sub = world->rooms[i]->subscriptions, *next; sub != NULL;
             sub = next) {
            next = sub->next;
            if (sub->conn == conn && sub->request == message->subscription)
                subscription_end(sub);
        }
    relay_answer(conn, &answer);
}

void rooms_close(struct conn_sim *conn)
{
    struct world *world = conn->world;
    for (size_t i = 0; i < world->room_count; i++)
        for (struct subscription *sub = world->rooms[i]->subscriptions, *next; sub != NULL;
             sub = next) {
            next = sub->next;
            if (sub->conn == conn)
                subscription_end(sub);
        }
}

static void close_subscribers(struct sim_room *room, const struct sim_log *log)
{
    for (struct subscription *sub = room->subscriptions; sub != NULL;) {
        bool cut = sub->log == log;
        if (cut)
            conn_cut(sub->conn); /* which may have had several */
        sub = cut ? room->subscriptions : sub->next;
    }
}

/* ---- Lies --------------------------------------------------------------------------------------
 */

static void entries_free(struct sim_log *log, size_t from)
{
    for (size_t i = from; i < log->entry_count; i++)
        sotto_buf_free(&log->entries[i].bytes);
    log->entry_count = from;
}

static void log_copy(struct world *world, struct sim_log *to, const struct sim_log *from)
{
    *to = *from;
    to->entries = sim_alloc((from->entry_count + 1) * sizeof *to->entries);
    to->entry_room = from->entry_count + 1;
    for (size_t i = 0; i < from->entry_count; i++) {
        sotto_buf bytes;
        sotto_bytes view = sotto_buf_view(&from->entries[i].bytes);
        sotto_buf_init(&bytes, &world->env);
        if (sotto_buf_append(&bytes, view.data, view.size) != SOTTO_OK)
            abort();
        to->entries[i] = from->entries[i];
        to->entries[i].bytes = bytes;
    }
    to->gates = sim_alloc((from->gate_count + 1) * sizeof *to->gates);
    to->gate_room = from->gate_count + 1;
    memcpy(to->gates, from->gates, from->gate_count * sizeof *to->gates);
    to->when = sim_alloc((from->when_count + 1) * sizeof *to->when);
    to->when_room = from->when_count + 1;
    memcpy(to->when, from->when, from->when_count * sizeof *to->when);
}

static void log_free(struct sim_log *log)
{
    entries_free(log, 0);
    free(log->entries);
    free(log->gates);
    free(log->when);
    *log = (struct sim_log){0};
}

/* From here on half of the members are shown another history: the branches part with the commits
 * that are appended next. */
static void fork_begin(struct world *world, struct sim_room *room)
{
    log_copy(world, &room->logs[1], &room->logs[0]);
    room->fork = FORK_OPEN;
    room->fork_seq = room->logs[0].next_seq;
    world->forks++;
    close_subscribers(room, &room->logs[0]);
}

/* Everybody is shown the first branch. */
static void fork_heal(struct sim_room *room)
{
    close_subscribers(room, &room->logs[1]);
    close_subscribers(room, &room->logs[0]);
    room->fork = FORK_HEALED;
    room->heal_seq = room->logs[0].next_seq;
}

void rooms_heal(struct world *world)
{
    for (size_t i = 0; i < world->room_count; i++)
        if (world->rooms[i]->fork == FORK_OPEN)
            fork_heal(world->rooms[i]);
}

/* ---- Appending ---------------------------------------------------------------------------------
 */

static uint64_t size_with(const struct sim_log *log, uint64_t bytes)
{
    return log->bytes + bytes + (log->next_seq - log->first_seq + 1) * ENTRY_COST;
}

static bool may_append(struct conn_sim *conn, const struct message *message,
                       const struct sim_room *room, const struct sim_log *log)
{
    const struct append *body = &message->append;
    if (body->epoch != log->epoch)
        relay_refuse(conn, message->request, WIRE_CODE_STALE_EPOCH, log->epoch);
    else if (!gate_opens(&log->write_gate, body->write_token))
        relay_refuse(conn, message->request, WIRE_CODE_NO_ROOM, 0);
    else if (size_with(log, body->bytes.size) > room->size)
        relay_refuse(conn, message->request, WIRE_CODE_ROOM_FULL, room->size);
    else
        return true;
    return false;
}

static struct digest append_key(const struct request_id *append_id)
{
    struct digest key;
    memcpy(key.bytes, append_id->bytes, sizeof key.bytes);
    return key;
}

/* Most appends are new to all rooms, and no log has to be searched for them. */
static const struct sim_entry *entry_find(const struct world *world, const struct sim_log *log,
                                          const struct request_id *append_id)
{
    struct digest key = append_key(append_id);
    if (digest_get(&world->appended, &key) == NULL)
        return NULL;
    for (size_t i = log->entry_count; i > 0; i--)
        if (memcmp(log->entries[i - 1].append_id.bytes, append_id->bytes, REQUEST_ID_SIZE) == 0)
            return &log->entries[i - 1];
    return NULL;
}

static void log_append(struct world *world, struct sim_log *log, const struct append *body)
{
    struct sim_entry *entry =
        sim_grow((void **)&log->entries, &log->entry_count, &log->entry_room, sizeof *entry);
    entry->seq = log->next_seq++;
    entry->epoch = log->epoch;
    entry->time_ms = world->now_ms;
    entry->kind = body->kind;
    entry->append_id = body->append_id;
    sotto_buf_init(&entry->bytes, &world->env);
    if (sotto_buf_append(&entry->bytes, body->bytes.data, body->bytes.size) != SOTTO_OK)
        abort();
    *(uint64_t *)sim_grow((void **)&log->when, &log->when_count, &log->when_room,
                          sizeof *log->when) = world->now_ms;
    log->bytes += body->bytes.size;
    world->entries++;
    struct digest key = append_key(&body->append_id);
    (void)digest_put(&world->appended, &key, &key);
    if (body->kind != ENTRY_COMMIT)
        return;
    log->epoch++;
    log->write_gate = body->next_write_gate;
    if (!body->has_next_read_gate)
        return;
    struct sim_gate *last = &log->gates[log->gate_count - 1];
    if (memcmp(last->gate.bytes, body->next_read_gate.bytes, GATE_SIZE) == 0)
        return;
    last->until = entry->seq;
    last->until_epoch = log->epoch;
    gate_add(log, &body->next_read_gate);
}

/* Subscribers under the gate that was closed get no further. */
static void gates_close(struct sim_room *room, const struct sim_log *log)
{
    for (struct subscription *sub = room->subscriptions; sub != NULL; sub = sub->next)
        if (sub->log == log && sub->until == UINT64_MAX)
            sub->until = log->next_seq - 1;
}

static void room_append(struct conn_sim *conn, const struct message *message)
{
    struct world *world = conn->world;
    const struct append *body = &message->append;
    struct message answer = {.type = MESSAGE_ROOM_APPEND_OK, .request = message->request};
    struct sim_room *room = room_find(world, &body->room);
    crypto_seen(world, &body->append_id, body->bytes);
    if (room == NULL) {
        relay_refuse(conn, message->request, WIRE_CODE_NO_ROOM, 0);
        return;
    }
    struct sim_log *log = log_of(room, conn);
    const struct sim_entry *before = entry_find(world, log, &body->append_id);
    if (before != NULL) {
        answer.seq = before->seq;
        relay_answer(conn, &answer);
        return;
    }
    if (!may_append(conn, message, room, log))
        return;
    if (body->kind == ENTRY_COMMIT && room->fork == FORK_NONE && log->next_seq > 4 &&
        !world->calm && chance_of(&world->chance, world->weather.fork)) {
        fork_begin(world, room);
        if (!conn->up)
            return;
        log = log_of(room, conn);
    }
    size_t gates = log->gate_count;
    log_append(world, log, body);
    if (world->options.trace)
        printf("%llu room %02x%02x: entry %llu of client %u, %s\n",
               (unsigned long long)world->now_ms, room->id.bytes[0], room->id.bytes[1],
               (unsigned long long)log->next_seq - 1, conn->client->number,
               body->kind == ENTRY_COMMIT ? "commit" : "message");
    if (log->gate_count > gates)
        gates_close(room, log);
    answer.seq = log->next_seq - 1;
    conn->holds++;
    relay_answer(conn, &answer);
    pump_all(room);
    conn_release(conn);
}

/* ---- Days --------------------------------------------------------------------------------------
 */

/* A gate that was closed goes with the commit that closed it. */
static void gates_expire(struct sim_log *log)
{
    size_t kept = 0;
    for (size_t i = 0; i < log->gate_count; i++)
        if (log->gates[i].until >= log->first_seq)
            log->gates[kept++] = log->gates[i];
    log->gate_count = kept;
}

static void log_expire(struct world *world, struct sim_log *log)
{
    size_t gone = 0;
    while (gone < log->entry_count &&
           log->entries[gone].time_ms + world->weather.keep_days * SIM_DAY_MS < world->now_ms) {
        log->bytes -= log->entries[gone].bytes.size;
        sotto_buf_free(&log->entries[gone++].bytes);
    }
    if (gone == 0)
        return;
    memmove(log->entries, log->entries + gone, (log->entry_count - gone) * sizeof *log->entries);
    log->entry_count -= gone;
    log->first_seq += gone;
    gates_expire(log);
}

void rooms_tidy(struct world *world)
{
    for (size_t i = 0; i < world->room_count; i++)
        for (size_t branch = 0; branch < 2; branch++)
            log_expire(world, &world->rooms[i]->logs[branch]);
}

void rooms_request(struct conn_sim *conn, const struct message *message)
{
    switch (message->type) {
    case MESSAGE_ROOM_CREATE:
        room_create(conn, message);
        return;
    case MESSAGE_ROOM_EXTEND:
        room_extend(conn, message);
        return;
    case MESSAGE_ROOM_APPEND:
        room_append(conn, message);
        return;
    case MESSAGE_ROOM_SUBSCRIBE:
        room_subscribe(conn, message);
        return;
    case MESSAGE_ROOM_UNSUBSCRIBE:
        room_unsubscribe(conn, message);
        return;
    default:
        relay_refuse(conn, message->request, WIRE_CODE_UNKNOWN_TYPE, message->type);
    }
}

void rooms_free(struct world *world)
{
    for (size_t i = 0; i < world->room_count; i++) {
        struct sim_room *room = world->rooms[i];
        while (room->subscriptions != NULL)
            subscription_end(room->subscriptions);
        log_free(&room->logs[0]);
        log_free(&room->logs[1]);
        free(room->lapses);
        free(room);
    }
    free(world->rooms);
    digest_free(&world->appended);
}
