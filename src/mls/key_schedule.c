#include "mls/key_schedule.h"

void epoch_secrets_wipe(struct epoch_secrets *secrets)
{
    wipe(secrets, sizeof *secrets);
}

void key_schedule_zero(const struct suite *suite, struct secret *secret)
{
    secret_reset(secret, suite->nh);
}

sotto_error key_schedule_joiner(struct crypto *crypto, const struct suite *suite,
                                sotto_bytes init_secret, sotto_bytes commit_secret,
                                sotto_bytes group_context, struct secret *joiner)
{
    struct secret extracted = {0};
    sotto_error error = crypto_extract(crypto, suite, init_secret, commit_secret, &extracted);
    if (error == SOTTO_OK)
        error = crypto_expand_with_label(crypto, suite, secret_view(&extracted), "joiner",
                                         group_context, suite->nh, joiner);
    secret_wipe(&extracted);
    return error;
}

sotto_error key_schedule_member(struct crypto *crypto, const struct suite *suite,
                                sotto_bytes joiner, sotto_bytes psk_secret, struct secret *member)
{
    return crypto_extract(crypto, suite, joiner, psk_secret, member);
}

sotto_error key_schedule_welcome(struct crypto *crypto, const struct suite *suite,
                                 sotto_bytes member, struct secret *key, struct secret *nonce)
{
    struct secret welcome = {0};
    sotto_error error = crypto_derive_secret(crypto, suite, member, "welcome", &welcome);
    if (error == SOTTO_OK)
        error = crypto_expand_with_label(crypto, suite, secret_view(&welcome), "key",
                                         (sotto_bytes){0}, suite->nk, key);
    if (error == SOTTO_OK)
        error = crypto_expand_with_label(crypto, suite, secret_view(&welcome), "nonce",
                                         (sotto_bytes){0}, suite->nn, nonce);
    secret_wipe(&welcome);
    return error;
}

sotto_error key_schedule_epoch(struct crypto *crypto, const struct suite *suite, sotto_bytes member,
                               sotto_bytes group_context, struct epoch_secrets *secrets)
{
    struct secret epoch = {0};
    sotto_error error =
        crypto_expand_with_label(crypto, suite, member, "epoch", group_context, suite->nh, &epoch);
    if (error == SOTTO_OK)
        error = key_schedule_derive(crypto, suite, secret_view(&epoch), secrets);
    else
        epoch_secrets_wipe(secrets);
    secret_wipe(&epoch);
    return error;
}

sotto_error key_schedule_derive(struct crypto *crypto, const struct suite *suite,
                                sotto_bytes epoch_secret, struct epoch_secrets *secrets)
{
    const struct {
        const char *label;
        struct secret *out;
    } derived[] = {
        /* table 4 */
        {"sender data", &secrets->sender_data},
        {"encryption", &secrets->encryption},
        {"exporter", &secrets->exporter},
        {"external", &secrets->external},
        {"confirm", &secrets->confirmation_key},
        {"membership", &secrets->membership_key},
        {"resumption", &secrets->resumption_psk},
        {"authentication", &secrets->epoch_authenticator},
        {"init", &secrets->init},
        {"application_export", &secrets->application_export}, /* extensions draft */
    };
    for (size_t i = 0; i < sizeof derived / sizeof derived[0]; i++) {
        sotto_error error =
            crypto_derive_secret(crypto, suite, epoch_secret, derived[i].label, derived[i].out);
        if (error != SOTTO_OK) {
            epoch_secrets_wipe(secrets);
            return error;
        }
    }
    return SOTTO_OK;
}

sotto_error key_schedule_export(struct crypto *crypto, const struct suite *suite,
                                sotto_bytes exporter_secret, const char *label, sotto_bytes context,
                                size_t size, struct secret *out)
{
    struct secret derived = {0};
    uint8_t hash[HASH_MAX];
    sotto_error error = crypto_derive_secret(crypto, suite, exporter_secret, label, &derived);
    if (error == SOTTO_OK)
        error = crypto_hash_parts(crypto, suite, &context, 1, hash);
    if (error == SOTTO_OK)
        error = crypto_expand_with_label(crypto, suite, secret_view(&derived), "exported",
                                         sotto_bytes_of(hash, suite->nh), size, out);
    secret_wipe(&derived);
    return error;
}

sotto_error key_schedule_external(struct crypto *crypto, const struct suite *suite,
                                  sotto_bytes external_secret, struct secret *private_key,
                                  sotto_buf *public_key)
{
    return crypto_kem_derive(crypto, suite, external_secret, private_key, public_key);
}
