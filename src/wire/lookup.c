#include "wire/lookup.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

/* Shared by two threads, so from malloc and not from an env, which serves one. */
struct lookup {
    atomic_int owners;
    atomic_bool ready;
    int event; /* -1: numeric, no thread */
    char host[WIRE_HOST_MAX + 1];
    char port[6];
    struct addrinfo *result;
};

static int find(struct lookup *lookup, int flags)
{
    struct addrinfo hints = {
        .ai_family = AF_UNSPEC,
        .ai_socktype = SOCK_STREAM,
        .ai_flags = flags | AI_NUMERICSERV,
    };
    return getaddrinfo(lookup->host, lookup->port, &hints, &lookup->result);
}

static void release(struct lookup *lookup)
{
    if (atomic_fetch_sub(&lookup->owners, 1) != 1)
        return;
    if (lookup->result != NULL)
        freeaddrinfo(lookup->result);
    if (lookup->event >= 0)
        close(lookup->event);
    free(lookup);
}

static void *work(void *argument)
{
    struct lookup *lookup = argument;
    if (find(lookup, 0) != 0)
        lookup->result = NULL;
    atomic_store(&lookup->ready, true);
    (void)eventfd_write(lookup->event, 1); /* cannot fail: the counter is far from full */
    release(lookup);
    return NULL;
}

/* The thread takes no signals: they are the program's. */
static bool start_thread(struct lookup *lookup)
{
    pthread_t thread;
    pthread_attr_t attributes;
    sigset_t all, before;
    if (pthread_attr_init(&attributes) != 0)
        return false;
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool started = pthread_create(&thread, &attributes, work, lookup) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return started;
}

sotto_error lookup_start(const struct address *address, struct lookup **out)
{
    struct lookup *lookup = calloc(1, sizeof *lookup);
    if (lookup == NULL)
        return SOTTO_NO_MEMORY;
    atomic_init(&lookup->owners, 1);
    atomic_init(&lookup->ready, false);
    lookup->event = -1;
    memcpy(lookup->host, address->host, sizeof lookup->host);
    snprintf(lookup->port, sizeof lookup->port, "%u", (unsigned)address->port);
    if (find(lookup, AI_NUMERICHOST) == 0) {
        atomic_store(&lookup->ready, true);
        *out = lookup;
        return SOTTO_OK;
    }
    lookup->result = NULL;
    lookup->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    atomic_store(&lookup->owners, 2);
    if (lookup->event < 0 || !start_thread(lookup)) {
        atomic_store(&lookup->owners, 1);
        release(lookup);
        return SOTTO_IO;
    }
    *out = lookup;
    return SOTTO_OK;
}

int lookup_fd(const struct lookup *lookup)
{
    return lookup_ready(lookup) ? -1 : lookup->event;
}

bool lookup_ready(const struct lookup *lookup)
{
    return atomic_load(&lookup->ready);
}

const struct addrinfo *lookup_result(const struct lookup *lookup)
{
    return lookup_ready(lookup) ? lookup->result : NULL;
}

void lookup_free(struct lookup *lookup)
{
    if (lookup != NULL)
        release(lookup);
}
