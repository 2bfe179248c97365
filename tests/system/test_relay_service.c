/* The relay as a service: readiness, reloads, certificates, the log, stopping. */
#include "system/relay_process.h"

#include <dirent.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>

#include "unit/folder.h"

/* A relay with a configuration file, and a service manager's socket. */
struct service {
    struct relay_process relay;
    char folder[64], config[96], certificate[96], key[96], socket[96];
    int manager;
};

static void write_text(const char *path, const char *text)
{
    char temporary[128];
    snprintf(temporary, sizeof temporary, "%s.new", path);
    FILE *file = fopen(temporary, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    assert_int_equal(rename(temporary, path), 0);
}

static void open_manager(struct service *service)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const struct timeval patience = {60, 0};
    snprintf(address.sun_path, sizeof address.sun_path, "%.90s", service->socket);
    service->manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true(service->manager >= 0);
    setsockopt(service->manager, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    assert_int_equal(bind(service->manager, (struct sockaddr *)&address, sizeof address), 0);
    setenv("NOTIFY_SOCKET", service->socket, 1);
}

/* The next state that is not a watchdog's. */
static void hear(struct service *service, char state[static 256])
{
    do {
        ssize_t size = recv(service->manager, state, 255, 0);
        assert_true(size > 0);
        state[size] = '\0';
    } while (strcmp(state, "WATCHDOG=1") == 0);
}

static void expect(struct service *service, const char *expected)
{
    char state[256];
    hear(service, state);
    assert_string_equal(state, expected);
}

static int begin_service(void **state, const char *text)
{
    struct service *service = calloc(1, sizeof *service);
    const char *options[] = {"--config", service->config, NULL};
    assert_non_null(service);
    assert_true(folder_make(service->folder, "service"));
    snprintf(service->config, sizeof service->config, "%s/conf", service->folder);
    snprintf(service->certificate, sizeof service->certificate, "%s/cert", service->folder);
    snprintf(service->key, sizeof service->key, "%s/key", service->folder);
    snprintf(service->socket, sizeof service->socket, "%s/notify", service->folder);
    write_text(service->config, text);
    open_manager(service);
    relay_begin(&service->relay, options);
    *state = service;
    expect(service, "READY=1");
    return 0;
}

static int begin(void **state)
{
    return begin_service(state, "name = one\nrate-limit = off\n");
}

static int begin_json(void **state)
{
    return begin_service(state, "log-format = json\nregistration = phone\nthreads = 2\n");
}

static int begin_watched(void **state)
{
    setenv("WATCHDOG_USEC", "3000000", 1);
    int code = begin_service(state, "");
    unsetenv("WATCHDOG_USEC");
    return code;
}

static int end(void **state)
{
    struct service *service = *state;
    unsetenv("NOTIFY_SOCKET");
    relay_end(&service->relay);
    close(service->manager);
    unlink(service->socket);
    unlink(service->config);
    unlink(service->certificate);
    unlink(service->key);
    assert_int_equal(rmdir(service->folder), 0);
    free(service);
    return 0;
}

#define TEST(name, begin) cmocka_unit_test_setup_teardown(name, begin, end)

/* SIGHUP, until the relay says that it is done. */
static void reload(struct service *service)
{
    char state[256];
    kill(service->relay.pid, SIGHUP);
    hear(service, state);
    assert_int_equal(strncmp(state, "RELOADING=1\nMONOTONIC_USEC=", 27), 0);
    expect(service, "READY=1");
}

static bool log_has(struct service *service, const char *part)
{
    char *log = relay_log(&service->relay);
    bool has = strstr(log, part) != NULL;
    free(log);
    return has;
}

static bool is_ready(void *ctx)
{
    return link_hello(ctx) != NULL;
}

/* The name that a new connection is greeted with. */
static void expect_name(struct service *service, const char *name)
{
    struct link *link = client_open(&service->relay, CONNECTION_ROOM);
    assert_true(client_run(link, 60000, is_ready, link));
    assert_bytes(link_hello(link)->name, sotto_bytes_str(name));
    link_free(link);
}

/* ---- The service manager -------------------------------------------------------------------- */

static void the_manager_hears_of_readiness_reloads_and_the_stop(void **state)
{
    struct service *service = *state;
    reload(service);
    assert_int_equal(relay_stop(&service->relay), 0);
    expect(service, "STOPPING=1");
}

static void the_watchdog_is_told_while_all_threads_go_round(void **state)
{
    struct service *service = *state;
    char text[256];
    for (int i = 0; i < 2; i++) {
        ssize_t size = recv(service->manager, text, 255, 0);
        assert_int_equal(size, 10);
        assert_memory_equal(text, "WATCHDOG=1", 10);
    }
}

/* ---- Reloads -------------------------------------------------------------------------------- */

static void a_reload_changes_what_can_change_and_names_what_cannot(void **state)
{
    struct service *service = *state;
    expect_name(service, "one");
    write_text(service->config, "name = two\nrate-limit = off\nthreads = 5\n");
    reload(service);
    expect_name(service, "two");
    assert_true(log_has(service, "setting_needs_restart name=\"threads\""));
    assert_true(log_has(service, " reloaded"));
}

static void a_wrong_configuration_changes_nothing(void **state)
{
    static const char *const wrong[] = {
        "name = three\nretention-days = never\n",
        "name = three\ncertificate = /nowhere/c\nkey = /nowhere/k\n",
        "name = \xff\n",
    };
    struct service *service = *state;
    for (size_t i = 0; i < 3; i++) {
        write_text(service->config, wrong[i]);
        reload(service);
        expect_name(service, "one");
    }
    assert_true(log_has(service, "reload_failed"));
    unlink(service->config);
    reload(service);
    expect_name(service, "one");
}

static void open_connections_keep_the_certificate_that_new_ones_no_longer_see(void **state)
{
    struct service *service = *state;
    const char *why;
    char text[512];
    struct link *old = client_open(&service->relay, CONNECTION_ROOM);
    assert_int_equal(client_create(old, 1, 10, 20), 0);
    uint8_t first[PIN_SIZE];
    memcpy(first, service->relay.address.pin, PIN_SIZE);
    assert_ok(tls_make_certificate(sotto_env_system(), service->certificate, service->key, &why));
    snprintf(text, sizeof text, "name = one\nrate-limit = off\ncertificate = %s\nkey = %s\n",
             service->certificate, service->key);
    write_text(service->config, text);
    reload(service);
    assert_int_equal(client_say(old, 1, 1, 0, 10, NULL), 0);
    struct tls *loaded;
    assert_ok(tls_server(sotto_env_system(), service->certificate, service->key, &loaded, &why));
    tls_pin(loaded, service->relay.address.pin);
    tls_free(loaded);
    assert_memory_not_equal(first, service->relay.address.pin, PIN_SIZE);
    expect_name(service, "one"); /* by the new pin alone */
    /* Renewed in place, and then half written. */
    unlink(service->certificate);
    unlink(service->key);
    assert_ok(tls_make_certificate(sotto_env_system(), service->certificate, service->key, &why));
    reload(service);
    assert_ok(tls_server(sotto_env_system(), service->certificate, service->key, &loaded, &why));
    tls_pin(loaded, service->relay.address.pin);
    tls_free(loaded);
    expect_name(service, "one");
    write_text(service->certificate, "-----BEGIN CERTIFICATE-----\n");
    reload(service);
    assert_true(log_has(service, "reload_failed"));
    expect_name(service, "one");
    assert_int_equal(client_say(old, 1, 2, 0, 10, NULL), 0);
    link_free(old);
}

static void check_config_says_what_serving_would(void **state)
{
    struct service *service = *state;
    char command[256], out[512];
    static const struct {
        const char *text;
        int status;
    } cases[] = {
        {"name = fine\n", 0},
        {"listen = somewhere\n", 2},
        {"public = :::\n", 2},
        {"name = \xff\n", 2},
        {"certificate = /nowhere/c\nkey = /nowhere/k\n", 2},
        {"threads = x\n", 2},
    };
    snprintf(command, sizeof command, "--check-config --config %s", service->config);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_text(service->config, cases[i].text);
        assert_int_equal(relay_command(&service->relay, command, out, sizeof out), cases[i].status);
    }
}

static void the_example_file_is_what_the_program_prints(void **state)
{
    struct service *service = *state;
    static char printed[65536], file[65536];
    assert_int_equal(relay_command(&service->relay, "defaults", printed, sizeof printed), 0);
    FILE *example = fopen(getenv("SOTTOD_CONF"), "r");
    assert_non_null(example);
    file[fread(file, 1, sizeof file - 1, example)] = '\0';
    fclose(example);
    assert_string_equal(file, printed);
}

/* ---- The sandbox ---------------------------------------------------------------------------- */

static void what_the_sandbox_forbids_is_refused_or_kills(void **state)
{
    struct service *service = *state;
    char out[2048];
    if (service->relay
            .sanitized) /* which needs what the sandbox forbids; `sottod sandbox` says so */
        return;
    int status = relay_command(&service->relay, "sandbox", out, sizeof out);
    if (status != 0)
        fail_msg("%s", out);
    assert_non_null(strstr(out, "run a program                        kills the process"));
    assert_non_null(strstr(out, "read /etc/passwd                     is refused"));
}

/* Each thread of the one that serves: a filter, and no way to new rights. */
static void each_thread_of_a_serving_relay_is_in_the_sandbox(void **state)
{
    struct service *service = *state;
    char path[64], inner[400], line[256];
    const struct dirent *entry;
    unsigned threads = 0, filtered = 0, limited = 0;
    if (service->relay.sanitized)
        return;
    snprintf(path, sizeof path, "/proc/%d/task", (int)service->relay.pid);
    DIR *folder = opendir(path);
    assert_non_null(folder);
    while ((entry = readdir(folder)) != NULL) {
        snprintf(inner, sizeof inner, "%s/%s/status", path, entry->d_name);
        FILE *file = entry->d_name[0] == '.' ? NULL : fopen(inner, "r");
        if (file == NULL)
            continue;
        threads++;
        while (fgets(line, sizeof line, file) != NULL) {
            filtered += strcmp(line, "Seccomp:\t2\n") == 0;
            limited += strcmp(line, "NoNewPrivs:\t1\n") == 0;
        }
        fclose(file);
    }
    closedir(folder);
    assert_true(threads >= 4);
    assert_int_equal(filtered, threads);
    assert_int_equal(limited, threads);
    assert_true(log_has(service, "sandboxed landlock="));
}

/* ---- The log -------------------------------------------------------------------------------- */

static void every_line_of_a_json_log_is_an_object(void **state)
{
    struct service *service = *state;
    struct member anna;
    char code[7] = "";
    struct link *link = client_open(&service->relay, CONNECTION_ACCOUNT);
    member_begin(&anna, 1);
    assert_int_equal(member_register(&anna, link, "+491555012345", NULL, NULL, NULL),
                     WIRE_CODE_CODE_SENT);
    while (!log_has(service, "verification_code"))
        nanosleep(&(struct timespec){0, 5000000}, NULL);
    write_text(service->config, "threads = 3\n");
    reload(service);
    char *log = relay_log(&service->relay), *next = NULL;
    unsigned events = 0;
    for (char *line = strtok_r(log, "\n", &next); line; line = strtok_r(NULL, "\n", &next)) {
        json_error_t error;
        if (line[0] != '{') /* the address, on standard output */
            continue;
        json_t *object = json_loads(line, JSON_REJECT_DUPLICATES, &error);
        if (object == NULL)
            fail_msg("%s: %s", error.text, line);
        assert_non_null(json_string_value(json_object_get(object, "time")));
        assert_non_null(json_string_value(json_object_get(object, "level")));
        const char *event = json_string_value(json_object_get(object, "event"));
        assert_non_null(event);
        if (strcmp(event, "verification_code") == 0)
            snprintf(code, sizeof code, "%s", json_string_value(json_object_get(object, "code")));
        json_decref(object);
        events++;
    }
    free(log);
    assert_true(events >= 4);
    assert_int_equal(member_register(&anna, link, "+491555012345", NULL, code, NULL), 0);
    link_free(link);
    member_end(&anna);
}

/* ---- Stopping ------------------------------------------------------------------------------- */

enum { FLOOD = 300 };

struct flood {
    unsigned acknowledged, ended;
};

static void on_flood(void *ctx, sotto_error error, const struct message *answer)
{
    struct flood *flood = ctx;
    (void)answer;
    flood->acknowledged += error == SOTTO_OK;
    flood->ended++;
}

static bool has_begun(void *ctx)
{
    return ((struct flood *)ctx)->acknowledged > 0;
}

static bool has_ended(void *ctx)
{
    return ((struct flood *)ctx)->ended == FLOOD;
}

static void a_stop_keeps_all_that_was_acknowledged_before_it(void **state)
{
    struct service *service = *state;
    struct flood flood = {0};
    struct listener ears = {0};
    struct link *link = client_open(&service->relay, CONNECTION_ROOM);
    assert_int_equal(client_create(link, 1, 10, 20), 0);
    for (unsigned i = 1; i <= FLOOD; i++) {
        const struct message message = append_of(1, i, 0, 10, sotto_bytes_str("words"));
        assert_ok(link_request(link, &message, on_flood, &flood, NULL));
    }
    assert_true(client_run(link, 60000, has_begun, &flood));
    kill(service->relay.pid, SIGTERM);
    (void)client_run(link, 60000, has_ended, &flood);
    assert_int_equal(relay_stop(&service->relay), 0);
    link_free(link);
    relay_start(&service->relay);
    link = client_open(&service->relay, CONNECTION_ROOM);
    assert_int_equal(client_listen(link, 1, 20, 1, &ears), 0);
    assert_true(ears.head >= flood.acknowledged);
    assert_true(client_hear(link, &ears, flood.acknowledged));
    assert_false(ears.gap);
    link_free(link);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_manager_hears_of_readiness_reloads_and_the_stop, begin),
        TEST(the_watchdog_is_told_while_all_threads_go_round, begin_watched),
        TEST(a_reload_changes_what_can_change_and_names_what_cannot, begin),
        TEST(a_wrong_configuration_changes_nothing, begin),
        TEST(open_connections_keep_the_certificate_that_new_ones_no_longer_see, begin),
        TEST(check_config_says_what_serving_would, begin),
        TEST(the_example_file_is_what_the_program_prints, begin),
        TEST(what_the_sandbox_forbids_is_refused_or_kills, begin),
        TEST(each_thread_of_a_serving_relay_is_in_the_sandbox, begin),
        TEST(every_line_of_a_json_log_is_an_object, begin_json),
        TEST(a_stop_keeps_all_that_was_acknowledged_before_it, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
