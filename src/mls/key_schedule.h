/* The key schedule (RFC 9420, section 8).
 *
 *                  init_secret_[n-1]
 *                        |
 *   commit_secret --> Extract
 *                        |
 *           ExpandWithLabel(., "joiner", GroupContext_[n])  = joiner_secret
 *                        |
 *   psk_secret -----> Extract ---> DeriveSecret(., "welcome") = welcome_secret
 *                        |
 *           ExpandWithLabel(., "epoch", GroupContext_[n])   = epoch_secret
 *                        |
 *                        +--> the secrets of struct epoch_secrets
 */
#ifndef MLS_KEY_SCHEDULE_H
#define MLS_KEY_SCHEDULE_H

#include "crypto/crypto.h"

struct epoch_secrets {
    struct secret sender_data;
    struct secret encryption;
    struct secret exporter;
    struct secret external;
    struct secret confirmation_key;
    struct secret membership_key;
    struct secret resumption_psk;
    struct secret epoch_authenticator;
    struct secret init;
    struct secret application_export; /* draft-ietf-mls-extensions-09, "Exported Secrets" */
};

void epoch_secrets_wipe(struct epoch_secrets *secrets);

/* All-zero secret of the hash's size: the "(or 0)" of the figure. */
void key_schedule_zero(const struct suite *suite, struct secret *secret);

sotto_error key_schedule_joiner(struct crypto *crypto, const struct suite *suite,
                                sotto_bytes init_secret, sotto_bytes commit_secret,
                                sotto_bytes group_context, struct secret *joiner);

/* Extract(joiner_secret, psk_secret): what welcome_secret and epoch_secret come from. */
sotto_error key_schedule_member(struct crypto *crypto, const struct suite *suite,
                                sotto_bytes joiner, sotto_bytes psk_secret, struct secret *member);

/* Key and nonce of the Welcome's encrypted_group_info (12.4.3.1). */
sotto_error key_schedule_welcome(struct crypto *crypto, const struct suite *suite,
                                 sotto_bytes member, struct secret *key, struct secret *nonce);

/* On error secrets are wiped. */
sotto_error key_schedule_epoch(struct crypto *crypto, const struct suite *suite, sotto_bytes member,
                               sotto_bytes group_context, struct epoch_secrets *secrets);

/* As key_schedule_epoch from an epoch_secret that is given: epoch 0 (section 11). */
sotto_error key_schedule_derive(struct crypto *crypto, const struct suite *suite,
                                sotto_bytes epoch_secret, struct epoch_secrets *secrets);

/* MLS-Exporter (8.5). size at most SECRET_MAX. */
sotto_error key_schedule_export(struct crypto *crypto, const struct suite *suite,
                                sotto_bytes exporter_secret, const char *label, sotto_bytes context,
                                size_t size, struct secret *out);

/* The key pair of external_secret (8.3); public_key is appended to. */
sotto_error key_schedule_external(struct crypto *crypto, const struct suite *suite,
                                  sotto_bytes external_secret, struct secret *private_key,
                                  sotto_buf *public_key);

#endif
