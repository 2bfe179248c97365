#include "load_peers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "load_protocols.h"

static bool is_installed(const char *program)
{
    char path[512];
    const char *const folders[] = {"/usr/bin", "/usr/sbin", "/usr/local/bin"};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        snprintf(path, sizeof path, "%s/%s", folders[i], program);
        if (access(path, X_OK) == 0)
            return true;
    }
    fprintf(stderr, "bench_relay: without %s, which is not installed\n", program);
    return false;
}

/* Folder, certificate, port; the rest is the peer's own. */
static in_port_t begin(struct target *target, const char *name,
                       const struct load_protocol *protocol)
{
    *target = (struct target){.name = name, .protocol = protocol};
    in_port_t port = process_free_port();
    process_folder(&target->process, name);
    process_certificate(&target->process);
    target->address = process_address(port);
    return port;
}

static bool start_mosquitto(struct target *target)
{
    if (!is_installed("mosquitto"))
        return false;
    in_port_t port = begin(target, "mosquitto", &load_mqtt);
    const char *folder = target->process.folder;
    process_file(&target->process, "mosquitto.conf",
                 "listener %u 127.0.0.1\ncertfile %s/certificate.pem\nkeyfile %s/key.pem\n"
                 "allow_anonymous true\npersistence true\npersistence_location %s/\n"
                 "max_inflight_messages 0\nmax_queued_messages 0\nlog_type error\n%s",
                 port, folder, folder, folder, geteuid() == 0 ? "user root\n" : "");
    process_start(&target->process,
                  (const char *const[]){"mosquitto", "-c", "mosquitto.conf", NULL},
                  (const char *const[]){"PATH=/usr/sbin:/usr/bin:/bin", NULL});
    process_wait_port(&target->process, port);
    return true;
}

static bool start_nats(struct target *target)
{
    if (!is_installed("nats-server"))
        return false;
    in_port_t port = begin(target, "nats", &load_nats);
    const char *folder = target->process.folder;
    process_file(&target->process, "nats.conf",
                 "host: 127.0.0.1\nport: %u\njetstream { store_dir: \"%s/store\" }\n"
                 "tls { cert_file: \"%s/certificate.pem\", key_file: \"%s/key.pem\" }\n",
                 port, folder, folder, folder);
    process_start(&target->process, (const char *const[]){"nats-server", "-c", "nats.conf", NULL},
                  (const char *const[]){"PATH=/usr/sbin:/usr/bin:/bin", NULL});
    process_wait_port(&target->process, port);
    return true;
}

static bool start_prosody(struct target *target)
{
    if (!is_installed("prosody"))
        return false;
    in_port_t port = begin(target, "prosody", &load_xmpp);
    const char *folder = target->process.folder;
    target->acks_by_delivery = true;
    process_file(&target->process, "prosody.cfg.lua",
                 "run_as_root = true\ndaemonize = false\npidfile = '%s/pid'\ndata_path = '%s'\n"
                 "interfaces = { '127.0.0.1' }\nc2s_ports = {}\ns2s_ports = {}\n"
                 "c2s_direct_tls_ports = { %u }\n"
                 "c2s_direct_tls_ssl = { certificate = '%s/certificate.pem';"
                 " key = '%s/key.pem' }\n"
                 "ssl = { certificate = '%s/certificate.pem'; key = '%s/key.pem' }\n"
                 "modules_enabled = { 'saslauth', 'tls', 'roster', 'mam', 'register_ibr' }\n"
                 "modules_disabled = { 's2s' }\nallow_registration = true\n"
                 "authentication = 'internal_plain'\ndefault_archive_policy = true\n"
                 "log = { warn = '*stdout' }\nVirtualHost 'localhost'\n",
                 folder, folder, port, folder, folder, folder, folder);
    process_start(&target->process,
                  (const char *const[]){"prosody", "--config", "prosody.cfg.lua", "-F", NULL},
                  (const char *const[]){"PATH=/usr/sbin:/usr/bin:/bin", NULL});
    process_wait_port(&target->process, port);
    return true;
}

/* Without ejabberdctl, which runs it under another user and with a folder of that user's. */
static bool start_ejabberd(struct target *target)
{
    char database[300], config[300], home[300];
    if (!is_installed("ejabberdctl") || !is_installed("erl"))
        return false;
    in_port_t port = begin(target, "ejabberd", &load_xmpp);
    const char *folder = target->process.folder;
    target->acks_by_delivery = true;
    process_file(&target->process, "ejabberd.yml",
                 "hosts:\n  - localhost\nloglevel: error\n"
                 "certfiles:\n  - %s/certificate.pem\n  - %s/key.pem\n"
                 "listen:\n  -\n    port: %u\n    ip: \"127.0.0.1\"\n    module: ejabberd_c2s\n"
                 "    tls: true\n    access: all\n"
                 "acl:\n  everybody:\n    user_regexp: \"\"\n"
                 "registration_timeout: infinity\nauth_method: internal\n"
                 "modules:\n  mod_mam:\n    default: always\n  mod_register:\n    access: all\n"
                 "    ip_access: all\n  mod_roster: {}\n",
                 folder, folder, port);
    snprintf(database, sizeof database, "\"%s/mnesia\"", folder);
    snprintf(config, sizeof config, "EJABBERD_CONFIG_PATH=%s/ejabberd.yml", folder);
    snprintf(home, sizeof home, "HOME=%s", folder);
    process_start(&target->process,
                  (const char *const[]){"erl", "-noinput", "-mnesia", "dir", database, "-s",
                                        "ejabberd", NULL},
                  (const char *const[]){"PATH=/usr/sbin:/usr/bin:/bin", config, home,
                                        "ERL_LIBS=/usr/lib/x86_64-linux-gnu", NULL});
    process_wait_port(&target->process, port);
    return true;
}

size_t peers_start(struct target *targets, const char *only)
{
    static const struct {
        const char *name;
        bool (*start)(struct target *target);
    } peers[] = {{"mosquitto", start_mosquitto},
                 {"nats", start_nats},
                 {"prosody", start_prosody},
                 {"ejabberd", start_ejabberd}};
    size_t count = 0;
    for (size_t i = 0; i < sizeof peers / sizeof *peers; i++)
        if (only == NULL || strcmp(only, peers[i].name) == 0)
            count += peers[i].start(&targets[count]);
    return count;
}
