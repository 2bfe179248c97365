#include "relay/monitor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "relay/data.h"
#include "relay/listen.h"

enum { REQUEST_BYTES = 4096, REQUEST_MS = 2000, BACKLOG = 16 };

struct monitor {
    struct relay *relay;
    int wake, control, address; /* descriptors; -1: not there */
    pthread_t thread;
    bool started;
};

/* ---- Answering ------------------------------------------------------------------------------ */

/* Until the empty line that ends the request's head. All of it, or nothing: the client has two
 * seconds. */
static bool read_head(int fd, char head[static REQUEST_BYTES + 1])
{
    uint64_t until = relay_now_ms() + REQUEST_MS;
    size_t size = 0;
    for (uint64_t now; (now = relay_now_ms()) < until && size < REQUEST_BYTES;) {
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        if (poll(&wait, 1, (int)(until - now)) <= 0)
            return false;
        ssize_t got = recv(fd, head + size, REQUEST_BYTES - size, 0);
        if (got <= 0)
            return false;
        size += (size_t)got;
        head[size] = '\0';
        if (strstr(head, "\r\n\r\n") != NULL || strstr(head, "\n\n") != NULL)
            return true;
    }
    return false;
}

static void send_all(int fd, const void *bytes, size_t size)
{
    uint64_t until = relay_now_ms() + REQUEST_MS;
    const char *next = bytes;
    for (uint64_t now; size > 0 && (now = relay_now_ms()) < until;) {
        struct pollfd wait = {.fd = fd, .events = POLLOUT};
        if (poll(&wait, 1, (int)(until - now)) <= 0)
            return;
        ssize_t sent = send(fd, next, size, MSG_NOSIGNAL);
        if (sent < 0)
            return;
        next += sent;
        size -= (size_t)sent;
    }
}

static void answer(int fd, const char *status, const char *type, sotto_bytes body)
{
    char head[256];
    int size = snprintf(head, sizeof head,
                        "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
                        "Cache-Control: no-store\r\nConnection: close\r\n\r\n",
                        status, type, body.size);
    send_all(fd, head, (size_t)size);
    send_all(fd, body.data, body.size);
}

static void answer_health(struct relay *relay, int fd)
{
    struct monitor_health health;
    char text[512] = "good\n";
    size_t size = 0;
    monitor_look(relay, &health);
    for (size_t i = 0; i < health.count; i++)
        size += (size_t)snprintf(text + size, sizeof text - size, "%s\n", health.reasons[i]);
    answer(fd, health.count == 0 ? "200 OK" : "503 Service Unavailable", "text/plain",
           sotto_bytes_str(text));
}

static bool asks_for(const char *head, const char *path)
{
    size_t size = strlen(path);
    return strncmp(head, "GET ", 4) == 0 && strncmp(head + 4, path, size) == 0 &&
           (head[4 + size] == ' ' || head[4 + size] == '?');
}

static void answer_request(struct monitor *monitor, int fd, bool is_control)
{
    char head[REQUEST_BYTES + 1];
    sotto_buf body;
    if (!read_head(fd, head))
        return;
    sotto_buf_init(&body, monitor->relay->env);
    if (asks_for(head, "/metrics")) {
        monitor_metrics(monitor->relay, &body);
        answer(fd, "200 OK", "text/plain; version=0.0.4; charset=utf-8", sotto_buf_view(&body));
    } else if (asks_for(head, "/health")) {
        answer_health(monitor->relay, fd);
    } else if (is_control && asks_for(head, "/status")) {
        monitor_status(monitor->relay, &body);
        answer(fd, "200 OK", "text/plain", sotto_buf_view(&body));
    } else {
        answer(fd, "404 Not Found", "text/plain", sotto_bytes_str("/metrics or /health\n"));
    }
    sotto_buf_free(&body);
}

static void accept_one(struct monitor *monitor, int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
        return;
    answer_request(monitor, fd, listener == monitor->control);
    close(fd);
}

static void *monitor_main(void *arg)
{
    struct monitor *monitor = arg;
    struct pollfd wait[] = {
        {.fd = monitor->wake, .events = POLLIN},
        {.fd = monitor->control, .events = POLLIN},
        {.fd = monitor->address, .events = POLLIN},
    };
    for (;;) {
        if (poll(wait, 3, -1) < 0)
            continue;
        if (wait[0].revents != 0)
            return NULL;
        for (size_t i = 1; i < 3; i++)
            if (wait[i].revents != 0)
                accept_one(monitor, wait[i].fd);
    }
}

/* ---- Making and ending ---------------------------------------------------------------------- */

/* A path that is longer than a socket's may be is reached through the folder's descriptor. */
static int control_address(const struct config *config, struct sockaddr_un *address, int *folder)
{
    *folder = open(config->data, O_PATH | O_DIRECTORY | O_CLOEXEC);
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    (void)snprintf(address->sun_path, sizeof address->sun_path, "/proc/self/fd/%d/control",
                   *folder);
    return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

/* In a directory of mode 0700: who can reach it may know. The lock is held, so that what lies there
 * is left from before. */
static bool open_control(struct monitor *monitor)
{
    struct sockaddr_un address;
    int folder, fd = control_address(monitor->relay->config, &address, &folder);
    bool good = fd >= 0 && folder >= 0 &&
                (unlinkat(folder, "control", 0) == 0 || errno == ENOENT) &&
                bind(fd, (const struct sockaddr *)&address, sizeof address) == 0 &&
                listen(fd, BACKLOG) == 0 && fcntl(fd, F_SETFL, O_NONBLOCK) == 0;
    int why = errno;
    if (folder >= 0)
        close(folder);
    if (!good && fd >= 0)
        close(fd);
    monitor->control = good ? fd : -1;
    errno = why;
    return good;
}

bool monitor_open(struct relay *relay, struct monitor **monitor, char problem[static CONFIG_TEXT])
{
    struct monitor *made = mem_alloc(relay->env, sizeof *made);
    if (made == NULL)
        return false;
    *monitor = made;
    made->relay = relay;
    made->control = made->address = -1;
    made->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (made->wake < 0 || !open_control(made)) {
        snprintf(problem, CONFIG_TEXT, "the socket in %.300s cannot be made: %s",
                 relay->config->data, strerror(errno));
        return false;
    }
    if (relay->config->metrics[0] != '\0')
        made->address = listen_at(relay->config->metrics, "--metrics", problem);
    return relay->config->metrics[0] == '\0' || made->address >= 0;
}

sotto_error monitor_start(struct monitor *monitor)
{
    monitor->started = pthread_create(&monitor->thread, NULL, monitor_main, monitor) == 0;
    return monitor->started ? SOTTO_OK : SOTTO_NO_MEMORY;
}

static void close_one(int fd)
{
    if (fd >= 0)
        close(fd);
}

void monitor_free(struct monitor *monitor)
{
    const uint64_t one = 1;
    if (monitor == NULL)
        return;
    ssize_t ignored = write(monitor->wake, &one, sizeof one);
    (void)ignored;
    if (monitor->started)
        pthread_join(monitor->thread, NULL);
    close_one(monitor->wake);
    close_one(monitor->control);
    close_one(monitor->address);
    mem_free(monitor->relay->env, monitor, sizeof *monitor);
}

/* ---- Asking --------------------------------------------------------------------------------- */

bool monitor_ask(const struct config *config, sotto_buf *out)
{
    static const char request[] = "GET /status HTTP/1.1\r\nHost: sottod\r\n\r\n";
    const struct timeval patience = {5, 0};
    struct sockaddr_un address;
    char bytes[4096];
    int folder, fd = control_address(config, &address, &folder);
    bool good = fd >= 0 && folder >= 0;
    if (good) {
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        good = connect(fd, (const struct sockaddr *)&address, sizeof address) == 0 &&
               send(fd, request, sizeof request - 1, MSG_NOSIGNAL) == sizeof request - 1;
    }
    for (ssize_t size; good && (size = recv(fd, bytes, sizeof bytes, 0)) != 0;)
        good = size > 0 && sotto_buf_append(out, (const uint8_t *)bytes, (size_t)size) == SOTTO_OK;
    close_one(fd);
    close_one(folder);
    static const char end[] = "\r\n\r\n";
    const uint8_t *body = good ? memmem(out->data, out->size, end, 4) : NULL;
    if (body == NULL)
        return false;
    size_t size = out->size - (size_t)(body + 4 - out->data);
    memmove(out->data, body + 4, size);
    out->size = size;
    return true;
}
