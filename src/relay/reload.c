#include "relay/reload.h"

#include <stdio.h>
#include <string.h>

#include "relay/data.h"
#include "relay/listen.h"

/* ---- The certificate ------------------------------------------------------------------------ */

struct tls *relay_tls(struct relay *relay)
{
    pthread_mutex_lock(&relay->tls_lock);
    struct tls *tls = tls_hold(relay->tls);
    pthread_mutex_unlock(&relay->tls_lock);
    return tls;
}

static bool load(const sotto_env *env, const char *certificate, const char *key, struct tls **tls,
                 char *problem)
{
    const char *why = "";
    sotto_error error = tls_server(env, certificate, key, tls, &why);
    if (error != SOTTO_OK)
        snprintf(problem, CONFIG_TEXT, "the certificate %.300s or its key cannot be used: %s (%s)",
                 certificate, sotto_error_text(error), why);
    return error == SOTTO_OK;
}

static bool make(const sotto_env *env, const struct config *config, const char *certificate,
                 const char *key, char *problem)
{
    const char *why = "";
    sotto_error error = tls_make_certificate(env, certificate, key, &why);
    if (error == SOTTO_EXISTS)
        snprintf(problem, CONFIG_TEXT,
                 "only one of certificate.pem and key.pem is in %.300s: restore the other from a"
                 " backup, or remove it, which gives the relay a new address",
                 config->data);
    else if (error != SOTTO_OK)
        snprintf(problem, CONFIG_TEXT, "no certificate could be made in %.300s: %s (%s)",
                 config->data, sotto_error_text(error), why);
    return error == SOTTO_OK;
}

static bool load_configured(const sotto_env *env, const struct config *config, struct tls **tls,
                            char *problem)
{
    char certificate[PATH_MAX], key[PATH_MAX];
    if (config->certificate[0] != '\0')
        return load(env, config->certificate, config->key, tls, problem);
    data_path(config, DATA_CERTIFICATE, certificate);
    data_path(config, DATA_KEY, key);
    return make(env, config, certificate, key, problem) &&
           load(env, certificate, key, tls, problem);
}

static void use_certificate(struct relay *relay, struct tls *tls)
{
    pthread_mutex_lock(&relay->tls_lock);
    struct tls *before = relay->tls;
    relay->tls = tls;
    pthread_mutex_unlock(&relay->tls_lock);
    tls_free(before);
}

bool reload_certificate(struct relay *relay, char problem[static CONFIG_TEXT])
{
    struct tls *tls;
    if (!load_configured(relay->env, relay->config, &tls, problem))
        return false;
    use_certificate(relay, tls);
    return true;
}

/* ---- The settings --------------------------------------------------------------------------- */

void reload_rates(const struct config *config, uint32_t per_hour[static RATE_KINDS])
{
    for (size_t i = 0; i < RATE_KINDS; i++)
        per_hour[i] = config->rate_limit ? config->rates[i] : 0;
}

/* The relay's name goes into every greeting: it has to be what clients take. */
bool reload_check_name(const sotto_env *env, const struct config *config,
                       char problem[static CONFIG_TEXT])
{
    const struct message greeting = {
        .type = MESSAGE_HELLO_OK,
        .request = 1,
        .hello_ok = {.version = WIRE_VERSION,
                     .registration = REGISTRATION_OPEN,
                     .name = sotto_bytes_str(config->name)},
    };
    sotto_buf bytes;
    sotto_buf_init(&bytes, env);
    sotto_error error = message_write(&greeting, &bytes);
    sotto_buf_free(&bytes);
    if (error != SOTTO_OK)
        snprintf(problem, CONFIG_TEXT, "--name takes text in UTF-8, at most %d bytes of it",
                 WIRE_TEXT_MAX);
    return error == SOTTO_OK;
}

static void tell_kept(void *ctx, const char *name)
{
    const struct relay *relay = ctx;
    log_event(&relay->log, LOG_WARNING, "setting_needs_restart",
              (struct log_field[]){log_text("name", name), LOG_END});
}

static void use_config(struct relay *relay, struct config *fresh)
{
    uint32_t rates[RATE_KINDS];
    reload_rates(fresh, rates);
    ratelimit_set(relay->ratelimit, rates);
    atomic_store(&relay->log.level, fresh->log_level);
    atomic_store(&relay->config, fresh);
}

/* The problem itself may name paths, which are the operator's, and no identifier of anybody. But a
 * line of the log holds fixed words only: the sentence goes beside it. */
static void tell_failure(const struct relay *relay, const char *problem)
{
    log_event(&relay->log, LOG_ERROR, "reload_failed", NULL);
    fprintf(stderr, "sottod: %s. The settings and certificate from before go on.\n", problem);
}

void reload(struct relay *relay)
{
    char problem[CONFIG_TEXT] = "out of memory";
    struct tls *tls = NULL;
    struct config *fresh = mem_alloc(relay->env, sizeof *fresh);
    if (fresh == NULL || !config_reread(relay->config, fresh, tell_kept, relay, problem) ||
        !reload_check_name(relay->env, fresh, problem) ||
        !load_configured(relay->env, fresh, &tls, problem)) {
        tell_failure(relay, problem);
        mem_free(relay->env, fresh, sizeof *fresh);
        return;
    }
    fresh->previous = relay->reloaded;
    relay->reloaded = fresh;
    use_certificate(relay, tls);
    use_config(relay, fresh);
    log_event(&relay->log, LOG_INFO, "reloaded", NULL);
}

void reload_end(struct relay *relay)
{
    while (relay->reloaded != NULL) {
        struct config *previous = relay->reloaded->previous;
        mem_free(relay->env, relay->reloaded, sizeof *relay->reloaded);
        relay->reloaded = previous;
    }
}

int command_check_config(const struct config *config)
{
    const sotto_env *env = sotto_env_system();
    char problem[CONFIG_TEXT] = "";
    struct tls *tls = NULL;
    bool good = reload_check_name(env, config, problem) && listen_check(config, problem) &&
                (config->certificate[0] == '\0' ||
                 load(env, config->certificate, config->key, &tls, problem));
    tls_free(tls);
    if (!good) {
        (void)command_fail("%s", problem);
        return 2;
    }
    printf("The settings can be used.\n");
    return 0;
}
