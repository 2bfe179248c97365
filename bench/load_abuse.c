#include "load_abuse.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "load_protocols.h"

enum {
    SLOW_READERS = 100,
    HALF_OPEN = 500,
    FLOODERS = 8,
    FLOOD_WINDOW = 64,
    OVERSIZED = 4,
    OVERSIZED_A_SECOND = 100,
    LORISES = 200,
    EVERYTHING = 2,
    UNKNOWN_ROOM = 1000000,
    REQUEST = 1000,
    ADDRESSES = 8, /* a connection's source is one of so many */
    READY_SECONDS = 60,
    CONNS = 1000,
    NICE = 10,
};

struct start {
    const struct abuse *abuse;
    struct sockaddr_in to;
    uint32_t rooms;
    struct process place; /* its folder */
};

struct crowd {
    const struct start *start;
    struct load_loop loop;
    struct load_conn *conns[CONNS];
    bool lost[CONNS];
    size_t count, waiting;
    void (*ready)(struct load_conn *conn);
};

static void on_event(struct load_conn *conn, enum load_event event, uint64_t index)
{
    struct crowd *crowd = conn->ctx;
    (void)index;
    if (event == LOAD_READY) {
        crowd->waiting -= crowd->waiting > 0;
        if (crowd->ready != NULL)
            crowd->ready(conn);
    }
    for (size_t i = 0; event == LOAD_LOST && i < crowd->count; i++)
        crowd->lost[i] = crowd->lost[i] || crowd->conns[i] == conn;
}

static void open_one(struct crowd *crowd, size_t at, const struct load_protocol *protocol,
                     unsigned role)
{
    crowd->lost[at] = false;
    crowd->conns[at] =
        load_open(&crowd->loop, protocol, &crowd->start->to, role, UNKNOWN_ROOM, on_event, crowd);
    crowd->conns[at]->from = 2; /* the rooms are there */
}

static void begin(struct crowd *crowd, const struct start *start, size_t count,
                  const struct load_protocol *protocol, unsigned role,
                  void (*ready)(struct load_conn *conn))
{
    *crowd = (struct crowd){.start = start, .count = count, .waiting = count, .ready = ready};
    load_loop_init(&crowd->loop);
    for (size_t i = 0; i < count; i++)
        open_one(crowd, i, protocol, role);
    load_loop_wait(&crowd->loop, &crowd->waiting, READY_SECONDS, start->abuse->name);
}

static void tell_ready(const struct start *start)
{
    process_file(&start->place, "ready", "ready\n");
}

static void run(struct crowd *crowd)
{
    tell_ready(crowd->start);
    for (;;)
        load_loop_step(&crowd->loop, load_now_ns() + 100000000);
}

/* ---- Connections on which nothing comes -------------------------------------------------------
 */

static void half_open(void *arg)
{
    const struct start *start = arg;
    for (uint32_t i = 0; i < HALF_OPEN; i++) {
        struct sockaddr_in from = {
            .sin_family = AF_INET,
            .sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + i % ADDRESSES),
        };
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0 || bind(fd, (struct sockaddr *)&from, sizeof from) != 0 ||
            connect(fd, (const struct sockaddr *)&start->to, sizeof start->to) != 0)
            load_die("cannot connect: %s", strerror(errno));
    }
    tell_ready(start);
    for (;;)
        pause();
}

/* ---- Requests as fast as they are refused -----------------------------------------------------
 */

static void flood_ready(struct load_conn *conn)
{
    for (uint64_t i = 0; i < FLOOD_WINDOW; i++)
        load_sotto.send(conn, i);
}

/* Every frame of the relay's is a refusal, and short. */
static size_t flood_input(struct load_conn *conn, uint8_t *data, size_t size)
{
    const struct crowd *crowd = conn->ctx;
    size_t used = 0;
    if (crowd->waiting > 0 || conn->next == 0) {
        used = load_sotto.input(conn, data, size);
        conn->next = used > 0 && crowd->waiting == 0;
        return used;
    }
    while (size - used >= 2 && size - used >= 2 + (size_t)data[used + 1]) {
        used += 2 + (size_t)data[used + 1];
        load_sotto.send(conn, conn->next++);
    }
    return used;
}

static void floods(void *arg)
{
    static struct crowd crowd;
    struct load_protocol protocol = load_sotto;
    protocol.input = flood_input;
    begin(&crowd, arg, FLOODERS, &protocol, LOAD_IDLE, NULL);
    for (size_t i = 0; i < crowd.count; i++) {
        crowd.conns[i]->next = 1;
        flood_ready(crowd.conns[i]);
    }
    run(&crowd);
}

/* ---- Frames that say that they are larger than any may be -------------------------------------
 */

static void say_oversized(struct load_conn *conn)
{
    static const uint8_t head[14] = {0x82, 0xFF, 0, 0, 1}; /* 2^40 bytes */
    load_put(conn, head, sizeof head);
}

static void oversized(void *arg)
{
    static struct crowd crowd;
    begin(&crowd, arg, OVERSIZED, &load_sotto, LOAD_IDLE, say_oversized);
    tell_ready(arg);
    for (uint64_t next = 0;;) {
        load_loop_step(&crowd.loop, load_now_ns() + 10000000);
        for (size_t i = 0; i < crowd.count; i++) {
            if (!crowd.lost[i] || load_now_ns() < next)
                continue;
            load_close(crowd.conns[i]);
            open_one(&crowd, i, &load_sotto, LOAD_IDLE);
            next = load_now_ns() + 1000000000 / OVERSIZED_A_SECOND;
        }
    }
}

/* ---- Requests that do not end -----------------------------------------------------------------
 */

static void loris_opened(struct load_conn *conn)
{
    load_print(conn, "GET /sotto HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ");
    conn->event(conn, LOAD_READY, 0);
}

static void slowloris(void *arg)
{
    static struct crowd crowd;
    struct load_protocol protocol = load_sotto;
    protocol.opened = loris_opened;
    begin(&crowd, arg, LORISES, &protocol, LOAD_IDLE, NULL);
    tell_ready(arg);
    for (;;) {
        uint64_t next = load_now_ns() + 200000000;
        while (load_now_ns() < next)
            load_loop_step(&crowd.loop, next);
        for (size_t i = 0; i < crowd.count; i++)
            if (!crowd.lost[i])
                load_put(crowd.conns[i], "x", 1);
    }
}

/* ---- Who listens to all rooms -----------------------------------------------------------------
 */

static void subscribe_all(struct load_conn *conn)
{
    const struct crowd *crowd = conn->ctx;
    for (uint32_t room = 0; room < crowd->start->rooms; room++)
        load_sotto_subscribe(conn, room, REQUEST + room, 1);
}

static void everything(void *arg)
{
    static struct crowd crowd;
    begin(&crowd, arg, EVERYTHING, &load_sotto, LOAD_IDLE, subscribe_all);
    run(&crowd);
}

/* ---- Who asks for all of that and reads nothing -----------------------------------------------
 */

static void stop_reading(struct load_conn *conn)
{
    const int least = 1;
    subscribe_all(conn);
    setsockopt(conn->fd, SOL_SOCKET, SO_RCVBUF, &least, sizeof least);
    epoll_ctl(conn->loop->epoll, EPOLL_CTL_DEL, conn->fd, NULL);
}

static void slow_readers(void *arg)
{
    static struct crowd crowd;
    begin(&crowd, arg, SLOW_READERS, &load_sotto, LOAD_IDLE, stop_reading);
    run(&crowd);
}

/* ---- Starting ---------------------------------------------------------------------------------
 */

const struct abuse load_abuses[] = {
    {"abuse_slow_readers", slow_readers},
    {"abuse_half_open", half_open},
    {"abuse_floods", floods},
    {"abuse_oversized", oversized},
    {"abuse_slowloris", slowloris},
    {"abuse_everything", everything},
};
const size_t load_abuse_count = sizeof load_abuses / sizeof *load_abuses;

static int child_main(void *arg)
{
    const struct start *start = arg;
    setpriority(PRIO_PROCESS, 0, NICE);
    start->abuse->run(arg);
    return 1;
}

void abuse_start(const struct abuse *abuse, const struct sockaddr_in *to, uint32_t rooms,
                 struct process *process)
{
    char line[16];
    struct start start = {.abuse = abuse, .to = *to, .rooms = rooms};
    process_folder(process, "abuse");
    start.place = *process;
    process_fork(process, child_main, &start);
    process_wait_file(process, "ready", line, sizeof line);
}
