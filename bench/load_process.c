#include "load_process.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <openssl/pem.h>
#include <openssl/x509v3.h>

enum { PROCESSES = 32, START_SECONDS = 60 };

static struct process *started[PROCESSES];

static void nap(void)
{
    const struct timespec time = {0, 5000000};
    nanosleep(&time, NULL);
}

/* ---- Folders -------------------------------------------------------------------------------- */

void process_folder(struct process *process, const char *name)
{
    const char *top = getenv("TMPDIR");
    int size = snprintf(process->folder, sizeof process->folder, "%s/sotto-bench-%s-XXXXXX",
                        top != NULL ? top : "/tmp", name);
    if (size < 0 || (size_t)size >= sizeof process->folder || mkdtemp(process->folder) == NULL)
        load_die("no folder can be made in %s", top != NULL ? top : "/tmp");
    for (size_t i = 0; i < PROCESSES; i++) {
        if (started[i] == NULL) {
            started[i] = process;
            return;
        }
    }
    load_die("too many servers");
}

static void remove_folder(const char *path)
{
    DIR *folder = opendir(path);
    const struct dirent *entry;
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        char inner[1024];
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name);
        if (unlink(inner) != 0)
            remove_folder(inner);
    }
    if (folder != NULL)
        closedir(folder);
    rmdir(path);
}

void process_file(const struct process *process, const char *name, const char *format, ...)
{
    char path[512];
    va_list arguments;
    snprintf(path, sizeof path, "%s/%s", process->folder, name);
    FILE *file = fopen(path, "w");
    if (file == NULL)
        load_die("cannot write %s", path);
    va_start(arguments, format);
    vfprintf(file, format, arguments);
    va_end(arguments);
    if (fclose(file) != 0)
        load_die("cannot write %s", path);
}

_Noreturn void process_die(const struct process *process, const char *what)
{
    char path[512], line[512];
    snprintf(path, sizeof path, "%s/log", process->folder);
    FILE *file = fopen(path, "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        fputs(line, stderr);
    if (file != NULL)
        fclose(file);
    load_die("%s", what);
}

void process_wait_file(struct process *process, const char *name, char *line, size_t size)
{
    char path[512];
    uint64_t deadline = load_now_ns() + START_SECONDS * 1000000000ull;
    snprintf(path, sizeof path, "%s/%s", process->folder, name);
    for (;; nap()) {
        FILE *file = fopen(path, "r");
        if (file != NULL) {
            bool good = fgets(line, (int)size, file) != NULL;
            fclose(file);
            if (good)
                return;
        }
        if (load_now_ns() > deadline || !process_alive(process))
            process_die(process, "a server does not start");
    }
}

static bool name_it(X509 *certificate)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, certificate, certificate, NULL, NULL, 0);
    X509_NAME *name = X509_get_subject_name(certificate);
    X509_EXTENSION *names =
        X509V3_EXT_conf_nid(NULL, &context, NID_subject_alt_name, "DNS:localhost");
    bool good = names != NULL && X509_add_ext(certificate, names, -1) == 1 &&
                X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                                           (const unsigned char *)"localhost", -1, -1, 0) == 1 &&
                X509_set_issuer_name(certificate, name) == 1;
    X509_EXTENSION_free(names);
    return good;
}

static FILE *create(const struct process *process, const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", process->folder, name);
    FILE *file = fopen(path, "w");
    if (file == NULL)
        load_die("cannot write %s", path);
    return file;
}

void process_certificate(const struct process *process)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    FILE *certificate_file = create(process, "certificate.pem");
    FILE *key_file = create(process, "key.pem");
    bool good = key != NULL && certificate != NULL && X509_set_version(certificate, 2) == 1 &&
                ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1) == 1 &&
                X509_gmtime_adj(X509_getm_notBefore(certificate), -86400) != NULL &&
                X509_gmtime_adj(X509_getm_notAfter(certificate), 86400L * 30) != NULL &&
                X509_set_pubkey(certificate, key) == 1 && name_it(certificate) &&
                X509_sign(certificate, key, EVP_sha256()) > 0 &&
                PEM_write_X509(certificate_file, certificate) == 1 &&
                PEM_write_PrivateKey(key_file, key, NULL, NULL, 0, NULL, NULL) == 1;
    fclose(certificate_file);
    fclose(key_file);
    X509_free(certificate);
    EVP_PKEY_free(key);
    if (!good)
        load_die("no certificate could be made");
}

/* ---- Life ----------------------------------------------------------------------------------- */

/* Of a child: dies with its parent, whatever ends that. */
static void become_child(const struct process *process, pid_t parent)
{
    char path[512];
    setsid();
    signal(SIGTERM, SIG_DFL); /* what the parent does then is not its child's to do */
    signal(SIGINT, SIG_DFL);
    memset(started, 0, sizeof started);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(127);
    snprintf(path, sizeof path, "%s/log", process->folder);
    int log = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    int null = open("/dev/null", O_RDONLY);
    dup2(null, 0);
    dup2(log, 1);
    dup2(log, 2);
}

static void execute(const struct process *process, const char *const *argv,
                    const char *const *environment)
{
    if (chdir(process->folder) != 0)
        _exit(127);
    for (size_t i = 0; environment != NULL && environment[i] != NULL; i++)
        putenv((char *)(uintptr_t)environment[i]);
    execvp(argv[0], (char *const *)(uintptr_t)argv);
    fprintf(stderr, "%s: %s\n", argv[0], strerror(errno));
    _exit(127);
}

static pid_t fork_child(void)
{
    fflush(stdout);
    pid_t pid = fork();
    if (pid < 0)
        load_die("cannot fork: %s", strerror(errno));
    return pid;
}

void process_start(struct process *process, const char *const *argv, const char *const *environment)
{
    pid_t parent = getpid();
    process->pid = fork_child();
    if (process->pid == 0) {
        become_child(process, parent);
        execute(process, argv, environment);
    }
}

void process_fork(struct process *process, int (*main_of)(void *arg), void *arg)
{
    pid_t parent = getpid();
    process->pid = fork_child();
    if (process->pid == 0) {
        become_child(process, parent);
        _exit(main_of(arg));
    }
}

bool process_run(struct process *process, const char *const *argv, const char *const *environment)
{
    int status = 0;
    pid_t parent = getpid(), pid = fork_child();
    if (pid == 0) {
        become_child(process, parent);
        execute(process, argv, environment);
    }
    return waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

bool process_alive(struct process *process)
{
    return process->pid != 0 && waitpid(process->pid, NULL, WNOHANG) == 0;
}

static void end_child(struct process *process)
{
    uint64_t deadline = load_now_ns() + 5000000000ull;
    kill(-process->pid, SIGTERM);
    while (waitpid(process->pid, NULL, WNOHANG) == 0) {
        if (load_now_ns() > deadline)
            kill(-process->pid, SIGKILL);
        nap();
    }
    kill(-process->pid, SIGKILL); /* what it started and left */
}

void process_end(struct process *process)
{
    for (size_t i = 0; i < PROCESSES; i++)
        if (started[i] == process)
            started[i] = NULL;
    if (process->pid != 0)
        end_child(process);
    if (process->folder[0] != '\0')
        remove_folder(process->folder);
    *process = (struct process){0};
}

void process_end_all(void)
{
    for (size_t i = 0; i < PROCESSES; i++)
        if (started[i] != NULL)
            process_end(started[i]);
}

/* ---- Figures -------------------------------------------------------------------------------- */

/* Nanoseconds on a processor of all its threads. Threads that ended are not in it: servers keep
 * theirs. */
static double cpu_of(pid_t pid)
{
    char path[64];
    double sum = 0;
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *tasks = opendir(path);
    const struct dirent *entry;
    while (tasks != NULL && (entry = readdir(tasks)) != NULL) {
        char stat[384];
        unsigned long long ns;
        snprintf(stat, sizeof stat, "%s/%s/schedstat", path, entry->d_name);
        FILE *file = entry->d_name[0] == '.' ? NULL : fopen(stat, "r");
        if (file == NULL)
            continue;
        if (fscanf(file, "%llu", &ns) == 1)
            sum += (double)ns;
        fclose(file);
    }
    if (tasks != NULL)
        closedir(tasks);
    return sum / 1000;
}

static double rss_of(pid_t pid)
{
    char path[64], line[256];
    double kb = 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *file = fopen(path, "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, "VmRSS:", 6) == 0)
            kb = strtod(line + 6, NULL);
    if (file != NULL)
        fclose(file);
    return kb;
}

static double sum_session(const struct process *process, double (*of)(pid_t pid))
{
    double sum = 0;
    DIR *all = opendir("/proc");
    const struct dirent *entry;
    while (all != NULL && (entry = readdir(all)) != NULL) {
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
        if (pid > 0 && getsid(pid) == process->pid)
            sum += of(pid);
    }
    if (all != NULL)
        closedir(all);
    return sum;
}

double process_cpu_us(const struct process *process)
{
    return sum_session(process, cpu_of);
}

double process_rss_kb(const struct process *process)
{
    return sum_session(process, rss_of);
}

/* ---- Ports ---------------------------------------------------------------------------------- */

struct sockaddr_in process_address(in_port_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET,
        .sin_port = htons(port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
}

in_port_t process_free_port(void)
{
    struct sockaddr_in address = process_address(0);
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) != 0)
        load_die("no port is free");
    close(fd);
    return ntohs(address.sin_port);
}

void process_wait_port(struct process *process, in_port_t port)
{
    const struct sockaddr_in address = process_address(port);
    uint64_t deadline = load_now_ns() + START_SECONDS * 1000000000ull;
    for (;; nap()) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        bool open = connect(fd, (const struct sockaddr *)&address, sizeof address) == 0;
        close(fd);
        if (open)
            return;
        if (load_now_ns() > deadline || !process_alive(process))
            process_die(process, "a server does not start");
    }
}
