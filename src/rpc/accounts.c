#include "rpc/accounts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/base.h"
#include "core/problem.h"
#include "core/store_wipe.h"
#include "rpc/client.h"
#include "rpc/methods.h"
#include "rpc/objects.h"
#include "rpc/request.h"
#include "rpc/socket.h"

enum {
    FRONTS_MAX = 100,
    UPSTREAMS_MAX = 400, /* of all connections, to all accounts */
    NAME_MAX_ = 64,
    PATH_SIZE = 4200,
    START_MS = 20000, /* an account's daemon listens by then; a passphrase takes a moment */
    NAP_MS = 10,
    TURN_MS = 1000,
};

/* An account's daemon. */
struct account {
    struct account *next;
    char name[NAME_MAX_ + 1];
    pid_t pid; /* 0: none that this started runs */
    int code;  /* with which it ended last */
};

/* A connection of a front to an account's daemon. */
struct upstream {
    struct upstream *next;
    char account[NAME_MAX_ + 1];
    struct client *client;
    json_t *ids; /* of requests that wait for their answers */
};

struct front {
    struct front *next;
    struct client *client;
    char selected[NAME_MAX_ + 1]; /* empty: none */
    struct upstream *upstreams;
};

struct hub {
    const sotto_env *env;
    const struct accounts_options *options;
    struct account *accounts;
    struct front *fronts;
    size_t front_count, upstream_count;
    uint64_t numbers;
    int lock, listener;
    struct front *asking; /* whose call runs */
    struct pollfd fds[2 + 2 * (FRONTS_MAX + UPSTREAMS_MAX)];
};

static int stop_pipe[2] = {-1, -1};
static volatile sig_atomic_t stopping;

void accounts_stop(void)
{
    stopping = 1;
    ssize_t n = write(stop_pipe[1], "", 1);
    (void)n; /* full: it wakes up anyway */
}

/* ---- Accounts -------------------------------------------------------------------------------- */

/* What names a folder and nothing else. */
static bool name_is_good(const char *name)
{
    size_t size = strlen(name);
    for (size_t i = 0; i < size; i++) {
        char c = name[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     (i > 0 && (c == '-' || c == '_' || c == '.' || c == '@' || c == '+'));
        if (!plain)
            return false;
    }
    return size > 0 && size <= NAME_MAX_;
}

static void path_of(const struct hub *hub, const char *name, const char *file, char out[PATH_SIZE])
{
    (void)snprintf(out, PATH_SIZE, "%s/%s%s", hub->options->directory, name, file);
}

static struct account *account_named(struct hub *hub, const char *name)
{
    struct account *account = hub->accounts;
    while (account != NULL && strcmp(account->name, name) != 0)
        account = account->next;
    return account;
}

static struct account *account_note(struct hub *hub, const char *name)
{
    struct account *account = account_named(hub, name);
    if (account != NULL)
        return account;
    account = mem_alloc(hub->env, sizeof *account);
    if (account == NULL)
        return NULL;
    memcpy(account->name, name, strlen(name) + 1);
    struct account **at = &hub->accounts;
    while (*at != NULL && strcmp((*at)->name, name) < 0)
        at = &(*at)->next;
    account->next = *at;
    *at = account;
    return account;
}

static void account_forget(struct hub *hub, const char *name)
{
    for (struct account **at = &hub->accounts; *at != NULL; at = &(*at)->next)
        if (strcmp((*at)->name, name) == 0) {
            struct account *gone = *at;
            *at = gone->next;
            mem_free(hub->env, gone, sizeof *gone);
            return;
        }
}

/* The folder says which there are: one may have been put there, or deleted. */
static void accounts_look(struct hub *hub)
{
    DIR *dir = opendir(hub->options->directory);
    for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
        char path[PATH_SIZE];
        struct stat status;
        if (!name_is_good(entry->d_name))
            continue;
        path_of(hub, entry->d_name, "", path);
        if (lstat(path, &status) == 0 && S_ISDIR(status.st_mode))
            (void)account_note(hub, entry->d_name);
    }
    if (dir != NULL)
        (void)closedir(dir);
    for (struct account *account = hub->accounts, *next; account != NULL; account = next) {
        char path[PATH_SIZE];
        next = account->next;
        path_of(hub, account->name, "", path);
        if (account->pid == 0 && access(path, F_OK) != 0)
            account_forget(hub, account->name);
    }
}

static void account_reap(struct account *account)
{
    int status = 0;
    if (account->pid == 0 || waitpid(account->pid, &status, WNOHANG) != account->pid)
        return;
    account->pid = 0;
    account->code = WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

/* In the child: without a terminal to ask for a passphrase on, and not longer than its parent. */
static void become_daemon(const struct hub *hub, const char *path, pid_t parent)
{
    int nothing = open("/dev/null", O_RDWR);
    (void)setsid();
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(1);
    (void)dup2(nothing, STDIN_FILENO);
    (void)dup2(STDERR_FILENO, STDOUT_FILENO);
    execl(hub->options->program, "sotto", "--profile", path, "daemon", (char *)NULL);
    _exit(127);
}

static void account_start(struct hub *hub, struct account *account)
{
    char path[PATH_SIZE];
    account_reap(account);
    if (account->pid != 0)
        return;
    path_of(hub, account->name, "", path);
    pid_t parent = getpid(), child = fork();
    if (child == 0)
        become_daemon(hub, path, parent);
    account->pid = child > 0 ? child : 0;
    account->code = 0;
}

static void account_end(struct account *account)
{
    int status;
    if (account->pid == 0)
        return;
    (void)kill(account->pid, SIGTERM);
    (void)waitpid(account->pid, &status, 0);
    account->pid = 0;
}

static bool no_account(struct sotto_problem *problem, const char *name)
{
    (void)problem_set(problem, SOTTO_NOT_FOUND, SOTTO_CODE_NOT_FOUND,
                      "accounts.list says which there are, accounts.add makes one.",
                      "There is no account `%.80s` here.", name);
    return false;
}

/* Connects to its daemon, started if it does not run. -1: problem. */
static int account_connect(struct hub *hub, struct account *account, struct sotto_problem *problem)
{
    const struct timespec nap = {.tv_nsec = NAP_MS * 1000L * 1000};
    char path[PATH_SIZE];
    path_of(hub, account->name, "/daemon.sock", path);
    int fd = socket_connect(path);
    if (fd < 0)
        account_start(hub, account);
    for (unsigned waited = 0; fd < 0 && account->pid != 0 && waited < START_MS; waited += NAP_MS) {
        (void)nanosleep(&nap, NULL);
        fd = socket_connect(path);
        if (fd < 0)
            account_reap(account);
    }
    if (fd >= 0)
        return fd;
    if (account->code == 6)
        (void)problem_set(
            problem, SOTTO_STATE, SOTTO_CODE_LOCKED,
            "Start the daemon with $SOTTO_PASSPHRASE_FILE, or serve this account with "
            "a daemon of its own: what it listens at in its folder is used here.",
            "The account `%s` needs its passphrase.", account->name);
    else
        (void)problem_set(problem, SOTTO_NETWORK, SOTTO_CODE_UNAVAILABLE,
                          "What the daemon printed says why.",
                          "The daemon of the account `%s` does not run.", account->name);
    return -1;
}

/* ---- Connections to accounts ----------------------------------------------------------------- */

static struct upstream *upstream_of(struct hub *hub, struct front *front, const char *name,
                                    struct sotto_problem *problem)
{
    struct upstream *upstream = front->upstreams;
    while (upstream != NULL && strcmp(upstream->account, name) != 0)
        upstream = upstream->next;
    if (upstream != NULL)
        return upstream;
    accounts_look(hub);
    struct account *account = account_named(hub, name);
    if (account == NULL) {
        (void)no_account(problem, name);
        return NULL;
    }
    if (hub->upstream_count == UPSTREAMS_MAX) {
        (void)problem_set(problem, SOTTO_LIMIT, SOTTO_CODE_BUSY, "Close some connections.",
                          "%d connections to accounts are open.", UPSTREAMS_MAX);
        return NULL;
    }
    int fd = account_connect(hub, account, problem);
    if (fd < 0)
        return NULL;
    upstream = mem_alloc(hub->env, sizeof *upstream);
    struct client *client = client_new(hub->env, ++hub->numbers, fd, fd, true);
    if (upstream == NULL || client == NULL) {
        mem_free(hub->env, upstream, sizeof *upstream);
        if (client != NULL)
            client_free(client);
        else
            (void)close(fd);
        (void)problem_local(problem, SOTTO_NO_MEMORY, "connecting to an account");
        return NULL;
    }
    memcpy(upstream->account, name, strlen(name) + 1);
    upstream->client = client;
    upstream->ids = json_array();
    upstream->next = front->upstreams;
    front->upstreams = upstream;
    hub->upstream_count++;
    return upstream;
}

static void upstream_free(struct hub *hub, struct upstream *upstream)
{
    client_free(upstream->client);
    json_decref(upstream->ids);
    mem_free(hub->env, upstream, sizeof *upstream);
    hub->upstream_count--;
}

/* The account's daemon is gone: whoever waits is told so. */
static void upstream_lost(struct hub *hub, struct front *front, struct upstream *upstream)
{
    struct sotto_problem problem;
    size_t i;
    json_t *id;
    (void)problem_set(&problem, SOTTO_NETWORK, SOTTO_CODE_UNAVAILABLE,
                      "Ask again: it is started anew, if its account is still there.",
                      "The daemon of the account `%s` ended.", upstream->account);
    json_array_foreach(upstream->ids, i, id) client_send(
        front->client, response_refusal(hub->env, call_error_code(&problem), &problem, id));
    front->client->waiting -= (unsigned)json_array_size(upstream->ids);
}

/* ---- What comes from an account -------------------------------------------------------------- */

static void answered(struct front *front, struct upstream *upstream, const json_t *id)
{
    size_t i;
    json_t *one;
    json_array_foreach(upstream->ids, i, one) if (json_equal(one, id))
    {
        (void)json_array_remove(upstream->ids, i);
        front->client->waiting--;
        return;
    }
}

static void pass_down(struct front *front, struct upstream *upstream, sotto_bytes line)
{
    json_t *object = json_loadb((const char *)line.data, line.size, 0, NULL);
    json_t *params = json_object_get(object, "params");
    if (object == NULL)
        return;
    if (json_is_object(params)) /* a notification */
        (void)json_object_set_new(params, "profile", json_string(upstream->account));
    else
        answered(front, upstream, json_object_get(object, "id"));
    client_send(front->client, object);
}

/* ---- What a front asks ----------------------------------------------------------------------- */

/* Whose a request is: as it says, or as was selected, or the only one. False: problem. */
static bool choose(struct hub *hub, const struct front *front, json_t *params,
                   char name[NAME_MAX_ + 1], struct sotto_problem *problem)
{
    const json_t *said = json_object_get(params, "profile");
    const char *text = json_string_value(said);
    if (said != NULL && (text == NULL || !name_is_good(text))) {
        (void)problem_set(problem, SOTTO_VALUE, SOTTO_CODE_USAGE, "accounts.list says their names.",
                          "`profile` takes an account's name here.");
        return false;
    }
    if (text == NULL && front->selected[0] != '\0')
        text = front->selected;
    if (text == NULL) {
        accounts_look(hub);
        if (hub->accounts != NULL && hub->accounts->next == NULL)
            text = hub->accounts->name;
    }
    if (text == NULL) {
        (void)problem_set(problem, SOTTO_ARGUMENT, SOTTO_CODE_USAGE,
                          "Add the parameter `profile`, or call accounts.select first.",
                          "There are several accounts, or none: it has to be said which is meant.");
        return false;
    }
    (void)snprintf(name, NAME_MAX_ + 1, "%s", text);
    (void)json_object_del(params, "profile");
    return true;
}

static void pass_up(struct hub *hub, struct front *front, json_t *request)
{
    char name[NAME_MAX_ + 1];
    struct sotto_problem problem;
    json_t *id = json_object_get(request, "id");
    const char *method = json_string_value(json_object_get(request, "method"));
    struct upstream *upstream = NULL;
    if (choose(hub, front, json_object_get(request, "params"), name, &problem))
        upstream = upstream_of(hub, front, name, &problem);
    if (upstream == NULL) {
        if (id != NULL)
            client_send(front->client,
                        response_refusal(hub->env, call_error_code(&problem), &problem, id));
        json_decref(request);
        return;
    }
    if (id != NULL) {
        (void)json_array_append(upstream->ids, id);
        front->client->waiting++;
    }
    if (method != NULL && strcmp(method, "events.subscribe") == 0)
        front->client->subscribed = true;
    client_send(upstream->client, request);
}

/* Methods that are answered here: those without an account, and the daemon's own. */
static bool is_own(const char *method)
{
    static const char *const own[] = {"daemon.stop", "daemon.version", "rpc.discover"};
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
        if (strcmp(method, own[i]) == 0)
            return true;
    return strncmp(method, "accounts.", strlen("accounts.")) == 0;
}

static void answer_here(struct hub *hub, struct front *front, sotto_bytes line)
{
    struct request request;
    json_t *refusal;
    if (!request_read(hub->env, line, &request, &refusal)) {
        if (refusal != NULL)
            client_send(front->client, refusal);
        return;
    }
    struct call call = {
        .env = hub->env, .params = request.params, .client = front->client, .hub = hub};
    hub->asking = front;
    json_t *response = response_for(call_run(request.method, &call), request.id);
    hub->asking = NULL;
    if (request.id != NULL)
        client_send(front->client, response);
    else
        json_decref(response);
    request_free(&request);
}

static void on_line(struct hub *hub, struct front *front, sotto_bytes line)
{
    json_t *request = json_loadb((const char *)line.data, line.size, JSON_REJECT_DUPLICATES, NULL);
    const char *method = json_string_value(json_object_get(request, "method"));
    const json_t *id = json_object_get(request, "id");
    bool answers = id == NULL || json_is_string(id) || json_is_number(id) || json_is_null(id);
    if (method == NULL || !answers || is_own(method) || rpc_method_named(method) == NULL) {
        json_decref(request);
        answer_here(hub, front, line); /* what is no request is refused there */
    } else
        pass_up(hub, front, request);
}

/* ---- Methods --------------------------------------------------------------------------------- */

static bool needs_hub(struct call *call)
{
    if (call->hub != NULL)
        return true;
    (void)problem_set(&call->problem, SOTTO_STATE, SOTTO_CODE_USAGE,
                      "Start it: sotto daemon --accounts DIR",
                      "This needs a daemon that serves several accounts.");
    return false;
}

static json_t *account_object(const struct hub *hub, const struct account *account)
{
    json_t *object = json_object();
    bool selected = strcmp(hub->asking->selected, account->name) == 0;
    object_set_text(hub->env, object, "name", account->name);
    (void)json_object_set_new(object, "running", json_boolean(account->pid != 0));
    (void)json_object_set_new(object, "selected", json_boolean(selected));
    return object;
}

bool accounts_list(struct call *call)
{
    if (!needs_hub(call))
        return false;
    struct page page = page_begin(call);
    accounts_look(call->hub);
    for (struct account *one = call->hub->accounts; one != NULL; one = one->next) {
        account_reap(one);
        if (page_takes(&page))
            (void)json_array_append_new(page.items, account_object(call->hub, one));
    }
    return page_end(call, &page, "accounts", SOTTO_OK);
}

/* The one that `name` says. NULL: problem. */
static struct account *account_meant(struct call *call)
{
    const char *name = param_text(call, "name");
    accounts_look(call->hub);
    struct account *account = account_named(call->hub, name);
    if (account == NULL)
        (void)no_account(&call->problem, name);
    return account;
}

bool accounts_add(struct call *call)
{
    const char *name = param_text(call, "name");
    char path[PATH_SIZE];
    if (!needs_hub(call))
        return false;
    if (!name_is_good(name)) {
        (void)problem_set(&call->problem, SOTTO_ARGUMENT, SOTTO_CODE_BAD_NAME,
                          "Choose another name.",
                          "An account's name here has 1 to %d letters, digits and, behind the "
                          "first, any of - _ . @ +.",
                          NAME_MAX_);
        return false;
    }
    path_of(call->hub, name, "", path);
    if (mkdir(path, 0700) != 0) {
        bool there = errno == EEXIST;
        (void)problem_set(&call->problem, there ? SOTTO_EXISTS : SOTTO_IO,
                          there ? SOTTO_CODE_EXISTS : SOTTO_CODE_STORAGE,
                          there ? "Choose another name." : "Is the folder yours?",
                          "The account `%s` cannot be made: %s.", name, strerror(errno));
        return false;
    }
    struct account *account = account_note(call->hub, name);
    if (account == NULL)
        return problem_local(&call->problem, SOTTO_NO_MEMORY, "adding an account") == SOTTO_OK;
    account_start(call->hub, account);
    call->result = account_object(call->hub, account);
    return true;
}

bool accounts_remove(struct call *call)
{
    char path[PATH_SIZE];
    if (!needs_hub(call))
        return false;
    struct account *account = account_meant(call);
    if (account == NULL)
        return false;
    account_end(account);
    path_of(call->hub, account->name, "/daemon.sock", path);
    int other = socket_connect(path);
    if (other >= 0) {
        (void)close(other);
        (void)problem_set(&call->problem, SOTTO_EXISTS, SOTTO_CODE_DAEMON_RUNS,
                          "End that one first: sotto --profile DIR call daemon.stop",
                          "A daemon that was not started here serves the account `%s`.",
                          account->name);
        return false;
    }
    path_of(call->hub, account->name, "", path);
    if (store_erase_files(path) != SOTTO_OK)
        return problem_local(&call->problem, SOTTO_IO, "erasing the account's profile") == SOTTO_OK;
    path_of(call->hub, account->name, "/daemon.sock", path);
    (void)unlink(path); /* of one that was killed */
    path_of(call->hub, account->name, "/daemon.sock.lock", path);
    (void)unlink(path);
    path_of(call->hub, account->name, "", path);
    (void)rmdir(path); /* unless there is something else in it */
    if (access(path, F_OK) != 0)
        account_forget(call->hub, param_text(call, "name"));
    return true;
}

bool accounts_select(struct call *call)
{
    if (!needs_hub(call))
        return false;
    struct account *account = account_meant(call);
    if (account == NULL)
        return false;
    memcpy(call->hub->asking->selected, account->name, sizeof account->name);
    call->result = account_object(call->hub, account);
    return true;
}

/* ---- The loop -------------------------------------------------------------------------------- */

static void front_add(struct hub *hub, int fd)
{
    struct front *front = hub->front_count < FRONTS_MAX ? mem_alloc(hub->env, sizeof *front) : NULL;
    struct client *client =
        front != NULL ? client_new(hub->env, ++hub->numbers, fd, fd, true) : NULL;
    if (client == NULL) {
        mem_free(hub->env, front, sizeof *front);
        (void)close(fd);
        return;
    }
    front->client = client;
    front->next = hub->fronts;
    hub->fronts = front;
    hub->front_count++;
}

static void front_free(struct hub *hub, struct front *front)
{
    for (struct upstream *one = front->upstreams, *next; one != NULL; one = next) {
        next = one->next;
        upstream_free(hub, one);
    }
    client_free(front->client);
    mem_free(hub->env, front, sizeof *front);
    hub->front_count--;
}

static size_t wants(struct hub *hub)
{
    size_t count = 0;
    hub->fds[count++] = (struct pollfd){stop_pipe[0], POLLIN, 0};
    hub->fds[count++] = (struct pollfd){hub->listener, POLLIN, 0};
    for (struct front *front = hub->fronts; front != NULL; front = front->next) {
        count += client_wants(front->client, hub->fds + count, count);
        /* Who does not take what comes is not given more. */
        for (struct upstream *one = front->upstreams; one != NULL; one = one->next)
            if (!client_is_full(front->client))
                count += client_wants(one->client, hub->fds + count, count);
            else
                one->client->in_at = one->client->out_at = -1;
    }
    return count;
}

/* Whether there are new bytes. */
static bool reads(const struct hub *hub, struct client *client)
{
    short got = client->in_at >= 0 ? hub->fds[client->in_at].revents : 0;
    if ((got & POLLIN) != 0 || ((got & POLLHUP) != 0 && !client->ended)) {
        client_read(client);
        return true;
    }
    client->broken = client->broken || (got & (POLLHUP | POLLERR | POLLNVAL)) != 0;
    return false;
}

static void step_front(struct hub *hub, struct front *front)
{
    sotto_bytes line;
    struct client *client = front->client;
    if (reads(hub, client))
        while (!client->broken && client_line(client, &line))
            if (line.size > 0)
                on_line(hub, front, line);
    if (client->input.size > CLIENT_LINE_MAX)
        client->broken = true;
    for (struct upstream **at = &front->upstreams; *at != NULL;) {
        struct upstream *one = *at;
        if (reads(hub, one->client))
            while (client_line(one->client, &line))
                pass_down(front, one, line);
        if (!one->client->broken)
            client_write(one->client);
        if (!one->client->broken && !one->client->ended) {
            at = &one->next;
            continue;
        }
        upstream_lost(hub, front, one);
        *at = one->next;
        upstream_free(hub, one);
    }
    if (!client->broken)
        client_write(client);
}

static void drop_fronts(struct hub *hub)
{
    for (struct front **at = &hub->fronts; *at != NULL;) {
        struct front *front = *at;
        if (!client_is_over(front->client)) {
            at = &front->next;
            continue;
        }
        *at = front->next;
        front_free(hub, front);
    }
}

/* Connections that are made in a turn have no place in its descriptors. */
static void turn(struct hub *hub)
{
    size_t count = wants(hub);
    if (poll(hub->fds, count, TURN_MS) <= 0)
        for (size_t i = 0; i < count; i++)
            hub->fds[i].revents = 0;
    for (struct front *front = hub->fronts; front != NULL; front = front->next)
        step_front(hub, front);
    drop_fronts(hub);
    if ((hub->fds[1].revents & POLLIN) != 0) {
        int fd = socket_accept(hub->listener);
        if (fd >= 0)
            front_add(hub, fd);
    }
    for (struct account *account = hub->accounts; account != NULL; account = account->next)
        account_reap(account);
}

static void close_all(struct hub *hub)
{
    for (struct front *front = hub->fronts, *next; front != NULL; front = next) {
        next = front->next;
        client_drain(front->client);
        front_free(hub, front);
    }
    for (struct account *account = hub->accounts; account != NULL; account = account->next)
        if (account->pid != 0)
            (void)kill(account->pid, SIGTERM); /* all at once, then each is waited for */
    for (struct account *account = hub->accounts, *next; account != NULL; account = next) {
        next = account->next;
        account_end(account);
        mem_free(hub->env, account, sizeof *account);
    }
    socket_close(hub->options->socket, hub->lock, hub->listener);
}

sotto_error accounts_run(const sotto_env *env, const struct accounts_options *options,
                         struct sotto_problem *problem)
{
    struct hub *hub = mem_alloc(env, sizeof *hub);
    if (hub == NULL)
        return problem_local(problem, SOTTO_NO_MEMORY, "starting the daemon");
    hub->env = env;
    hub->options = options;
    hub->lock = hub->listener = -1;
    sotto_error error = SOTTO_OK;
    if (mkdir(options->directory, 0700) != 0 && errno != EEXIST)
        error = problem_set(problem, SOTTO_IO, SOTTO_CODE_STORAGE,
                            "Give a folder that you may write to: --accounts DIR",
                            "%.300s cannot be made: %s.", options->directory, strerror(errno));
    else if (pipe2(stop_pipe, O_CLOEXEC | O_NONBLOCK) != 0)
        error = problem_local(problem, SOTTO_IO, "starting the daemon");
    else if (!socket_listen(options->socket, FRONTS_MAX, &hub->lock, &hub->listener, problem))
        error = problem->error;
    if (error == SOTTO_OK) {
        accounts_look(hub);
        for (struct account *account = hub->accounts; account != NULL; account = account->next)
            account_start(hub, account);
        while (stopping == 0)
            turn(hub);
    }
    close_all(hub);
    mem_free(env, hub, sizeof *hub);
    return error;
}
