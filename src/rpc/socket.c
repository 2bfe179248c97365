#include "rpc/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/problem.h"

static bool fail(struct sotto_problem *problem, const char *what, const char *path)
{
    (void)problem_set(problem, SOTTO_IO, SOTTO_CODE_STORAGE, "Give another place: --socket PATH",
                      "%s %.300s: %s.", what, path, strerror(errno));
    return false;
}

static bool address_of(const char *path, struct sockaddr_un *address)
{
    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    if (strlen(path) >= sizeof address->sun_path)
        return false;
    memcpy(address->sun_path, path, strlen(path));
    return true;
}

/* One daemon a socket: whoever holds the lock may remove what an earlier one left. */
static bool lock_socket(const char *socket, int *lock, struct sotto_problem *problem)
{
    char path[sizeof((struct sockaddr_un *)0)->sun_path + 8];
    (void)snprintf(path, sizeof path, "%s.lock", socket);
    *lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (*lock < 0)
        return fail(problem, "cannot make", path);
    if (flock(*lock, LOCK_EX | LOCK_NB) == 0)
        return true;
    if (errno != EWOULDBLOCK)
        return fail(problem, "cannot lock", path);
    (void)problem_set(problem, SOTTO_EXISTS, SOTTO_CODE_DAEMON_RUNS,
                      "Use that one, or end it: sotto call daemon.stop",
                      "A daemon serves %.300s already.", socket);
    return false;
}

bool socket_listen(const char *path, int backlog, int *lock, int *listener,
                   struct sotto_problem *problem)
{
    struct sockaddr_un address;
    if (!address_of(path, &address)) {
        errno = ENAMETOOLONG;
        return fail(problem, "cannot listen at", path);
    }
    if (!lock_socket(path, lock, problem))
        return false;
    *listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (*listener < 0)
        return fail(problem, "cannot listen at", path);
    (void)unlink(path);
    mode_t before = umask(0177);
    int bound = bind(*listener, (struct sockaddr *)&address, sizeof address);
    (void)umask(before);
    if (bound != 0 || listen(*listener, backlog) != 0)
        return fail(problem, "cannot listen at", path);
    return true;
}

void socket_close(const char *path, int lock, int listener)
{
    if (listener >= 0) {
        (void)unlink(path);
        (void)close(listener);
    }
    if (lock >= 0)
        (void)close(lock);
}

/* Only the person whose profile it is, whatever the socket's mode says. */
int socket_accept(int listener)
{
    struct ucred peer;
    socklen_t size = sizeof peer;
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return -1;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.uid == geteuid())
        return fd;
    (void)close(fd);
    return -1;
}

int socket_connect(const char *path)
{
    struct sockaddr_un address;
    if (!address_of(path, &address))
        return -1;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    if (fd >= 0)
        (void)close(fd);
    return -1;
}
