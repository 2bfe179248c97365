#include "mls_peer.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

void peer_start(struct peer *peer, const char *name, const char *command)
{
    int to[2], from[2];
    *peer = (struct peer){.name = name};
    if (pipe(to) != 0 || pipe(from) != 0 || (peer->pid = fork()) < 0) {
        perror("bench_mls");
        exit(1);
    }
    if (peer->pid == 0) {
        dup2(to[0], STDIN_FILENO);
        dup2(from[1], STDOUT_FILENO);
        close(to[1]);
        close(from[0]);
        execlp(command, command, (char *)NULL);
        perror(command);
        _exit(127);
    }
    close(to[0]);
    close(from[1]);
    peer->to = fdopen(to[1], "w");
    peer->from = fdopen(from[0], "r");
    if (peer->to == NULL || peer->from == NULL)
        exit(1);
}

void peer_stop(struct peer *peer)
{
    fclose(peer->to);
    fclose(peer->from);
    waitpid(peer->pid, NULL, 0);
}

static void send_hex(struct peer *peer, sotto_bytes bytes)
{
    static const char digits[] = "0123456789abcdef";
    fputc(' ', peer->to);
    for (size_t i = 0; i < bytes.size; i++) {
        fputc(digits[bytes.data[i] >> 4], peer->to);
        fputc(digits[bytes.data[i] & 15], peer->to);
    }
}

/* The answer's words behind "ok", to be freed; NULL if there are none. */
static char *answer(struct peer *peer, const char *asked)
{
    char *text = NULL;
    size_t capacity = 0;
    fputc('\n', peer->to);
    fflush(peer->to);
    ssize_t size = getline(&text, &capacity, peer->from);
    if (size > 3 && memcmp(text, "ok ", 3) == 0) {
        text[size - 1] = '\0';
        memmove(text, text + 3, (size_t)size - 3);
        return text;
    }
    fprintf(stderr, "bench_mls: %s does not %s: %s\n", peer->name, asked,
            size > 0 ? text : "it has ended\n");
    free(text);
    if (size <= 0)
        exit(1);
    return NULL;
}

static double answer_ns(struct peer *peer, const char *asked)
{
    char *text = answer(peer, asked);
    double ns = text == NULL ? 0 : strtod(text, NULL);
    free(text);
    return ns;
}

double peer_create(struct peer *peer, const struct bench_world *world)
{
    fprintf(peer->to, "create %u", (unsigned)world->suite);
    for (uint32_t i = 1; i < world->count; i++)
        send_hex(peer, sotto_buf_view(&world->members[i].key_package));
    return answer_ns(peer, "create");
}

static bool take_package(char **text, sotto_buf *out)
{
    char *end = strchr(*text, ' ');
    size_t size = (end == NULL ? strlen(*text) : (size_t)(end - *text)) / 2;
    for (size_t i = 0; i < size; i++) {
        char pair[3] = {(*text)[2 * i], (*text)[2 * i + 1], '\0'};
        uint8_t octet = (uint8_t)strtoul(pair, NULL, 16);
        if (sotto_buf_append(out, &octet, 1) != SOTTO_OK)
            return false;
    }
    *text += 2 * size + (end != NULL);
    return size > 0;
}

double peer_join(struct peer *peer, struct bench_world *world)
{
    sotto_buf packages[2], commit, welcome;
    sotto_mls_proposal adds[2] = {{.type = SOTTO_MLS_ADD}, {.type = SOTTO_MLS_ADD}};
    sotto_mls_staged *staged;
    peer->joined = false;
    fprintf(peer->to, "packages %u", (unsigned)world->suite);
    char *text = answer(peer, "make KeyPackages"), *at = text;
    if (text == NULL)
        return 0;
    sotto_buf_init(&commit, sotto_env_system());
    sotto_buf_init(&welcome, sotto_env_system());
    for (int i = 0; i < 2; i++) {
        sotto_buf_init(&packages[i], sotto_env_system());
        if (!take_package(&at, &packages[i]))
            exit(1);
        adds[i].u.add.key_package = sotto_buf_view(&packages[i]);
    }
    const sotto_mls_commit_options options = {.proposals = adds, .proposal_count = 2};
    bench_check(sotto_mls_commit(world->members[0].group, &options, &commit, &welcome, &staged),
                world, "commit");
    sotto_mls_staged_drop(staged);
    fputs("join", peer->to);
    send_hex(peer, sotto_buf_view(&welcome));
    double ns = answer_ns(peer, "join");
    peer->joined = ns > 0;
    for (int i = 0; i < 2; i++)
        sotto_buf_free(&packages[i]);
    sotto_buf_free(&commit);
    sotto_buf_free(&welcome);
    free(text);
    return ns;
}

double peer_run(struct peer *peer, const char *op)
{
    if (!peer->joined)
        return 0;
    fputs(op, peer->to);
    return answer_ns(peer, op);
}
