/* What a running relay reads again: its certificate, and the settings that can change meanwhile. */
#ifndef RELAY_RELOAD_H
#define RELAY_RELOAD_H

#include "relay/relay.h"

/* Loads the configured certificate and key, or the data directory's own, which are made where there
 * are none. Connections that are open keep the one they began with. False: problem, and the one
 * before goes on. */
bool reload_certificate(struct relay *relay, char problem[static CONFIG_TEXT]);

/* Reads settings and certificate again; all or nothing. The log says what came of it. To be called
 * by one thread at a time. */
void reload(struct relay *relay);

/* Frees what reloads left behind. */
void reload_end(struct relay *relay);

/* The rates that the settings give. */
void reload_rates(const struct config *config, uint32_t per_hour[static RATE_KINDS]);

/* Whether the relay's name can go into its greeting. */
bool reload_check_name(const sotto_env *env, const struct config *config,
                       char problem[static CONFIG_TEXT]);

/* `sottod --check-config`: an exit code. */
int command_check_config(const struct config *config);

#endif
