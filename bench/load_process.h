/* Servers under load: processes in a session of their own, with a folder of their own, ended and
 * cleared away with the program, and their processor time and memory. */
#ifndef BENCH_LOAD_PROCESS_H
#define BENCH_LOAD_PROCESS_H

#include <netinet/in.h>
#include <sys/types.h>

#include "load_stats.h"

struct process {
    pid_t pid; /* and session; 0: none */
    char folder[256];
};

/* A folder in TMPDIR (the disk that is measured), for the process to come. */
void process_folder(struct process *process, const char *name);

/* Runs argv[0], found in PATH, with output into FOLDER/log. environment: NAME=VALUE, NULL at the
 * end; may be NULL. */
void process_start(struct process *process, const char *const *argv,
                   const char *const *environment);
/* Runs main_of(arg) in a child. */
void process_fork(struct process *process, int (*main_of)(void *arg), void *arg);

/* Runs a program to its end. False: not found, or it failed; its output is in FOLDER/log. */
bool process_run(struct process *process, const char *const *argv, const char *const *environment);

/* Ends it with signal SIGTERM, after five seconds with SIGKILL, and removes its folder. Does
 * nothing where there is none. */
void process_end(struct process *process);
/* What load_die and exit leave to do: all that were started and not ended. */
void process_end_all(void);

bool process_alive(struct process *process);

/* load_die, after what the process has said, since its folder goes. */
_Noreturn void process_die(const struct process *process, const char *what);

/* Of all processes of its session. */
double process_cpu_us(const struct process *process);
double process_rss_kb(const struct process *process);

/* Writes FOLDER/name; printf's format. */
void process_file(const struct process *process, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Waits until FOLDER/name is there and returns its first line. */
void process_wait_file(struct process *process, const char *name, char *line, size_t size);

/* A port of 127.0.0.1 that was free a moment ago, for servers that cannot choose one themselves. */
in_port_t process_free_port(void);
/* Waits until somebody listens. */
void process_wait_port(struct process *process, in_port_t port);
struct sockaddr_in process_address(in_port_t port);

/* A self-signed certificate for localhost: FOLDER/certificate.pem, FOLDER/key.pem. */
void process_certificate(const struct process *process);

#endif
