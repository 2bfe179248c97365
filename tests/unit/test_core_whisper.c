/* Whispers: who may read one, and who can have said it. */
#include "unit/check.h"

#include <string.h>

#include "core/whisper.h"

static struct crypto *crypto;
static const struct suite *suite;
static struct secret private_key, other_private;
static sotto_buf public_key, other_public;

static const struct whisper_place place = {{{1}}, 7, {9}};
static const struct whisper typing = {WHISPER_TYPING, 1, 3, 1000, {0}};

static int setup(void **state)
{
    (void)state;
    sotto_buf_init(&public_key, sotto_env_system());
    sotto_buf_init(&other_public, sotto_env_system());
    suite = suite_by_id(0x004D);
    return crypto_new(sotto_env_system(), &crypto) == SOTTO_OK && suite != NULL &&
                   crypto_signature_generate(crypto, suite, &private_key, &public_key) ==
                       SOTTO_OK &&
                   crypto_signature_generate(crypto, suite, &other_private, &other_public) ==
                       SOTTO_OK
               ? 0
               : -1;
}

static int teardown(void **state)
{
    (void)state;
    secret_wipe(&private_key);
    secret_wipe(&other_private);
    sotto_buf_free(&public_key);
    sotto_buf_free(&other_public);
    crypto_free(crypto);
    return 0;
}

static void seal(const struct whisper *whisper, uint8_t out[static WHISPER_SIZE])
{
    assert_ok(whisper_seal(sotto_env_system(), crypto, suite, &place, whisper,
                           secret_view(&private_key), sotto_buf_view(&public_key), out));
}

static sotto_error open_in(const struct whisper_place *where, const uint8_t *sealed, size_t size,
                           struct whisper *whisper)
{
    return whisper_open(where, sotto_bytes_of(sealed, size), whisper);
}

static void what_is_said_is_heard(void **state)
{
    (void)state;
    uint8_t sealed[WHISPER_SIZE], again[WHISPER_SIZE];
    struct whisper heard = {0};
    seal(&typing, sealed);
    seal(&typing, again);
    assert_memory_not_equal(sealed, again, 24); /* a nonce is used once */
    assert_ok(open_in(&place, sealed, sizeof sealed, &heard));
    assert_int_equal(heard.kind, WHISPER_TYPING);
    assert_int_equal(heard.value, 1);
    assert_int_equal(heard.leaf, 3);
    assert_int_equal(heard.count, 1000);
    assert_ok(whisper_verify(crypto, suite, &place, &heard, sotto_buf_view(&public_key)));
}

static void of_another_room_epoch_or_key_it_is_nothing(void **state)
{
    (void)state;
    uint8_t sealed[WHISPER_SIZE];
    struct whisper heard = {0};
    seal(&typing, sealed);
    struct whisper_place other = place;
    other.room.bytes[31] ^= 1;
    assert_error(open_in(&other, sealed, sizeof sealed, &heard), SIGNATURE);
    other = place;
    other.epoch++;
    assert_error(open_in(&other, sealed, sizeof sealed, &heard), SIGNATURE);
    other = place;
    other.key[31] ^= 1;
    assert_error(open_in(&other, sealed, sizeof sealed, &heard), SIGNATURE);
    assert_error(open_in(&place, sealed, sizeof sealed - 1, &heard), LENGTH);
    assert_error(open_in(&place, sealed, 0, &heard), LENGTH);
    for (size_t i = 0; i < sizeof sealed; i++) {
        sealed[i] ^= 0x10;
        assert_error(open_in(&place, sealed, sizeof sealed, &heard), SIGNATURE);
        sealed[i] ^= 0x10;
    }
    assert_int_equal(heard.kind, 0);
}

static void a_member_does_not_speak_for_another(void **state)
{
    (void)state;
    uint8_t sealed[WHISPER_SIZE];
    struct whisper heard = {0};
    /* Whoever has the epoch's key seals what they like: signed by themselves, it is theirs. */
    assert_ok(whisper_seal(sotto_env_system(), crypto, suite, &place, &typing,
                           secret_view(&other_private), sotto_buf_view(&other_public), sealed));
    assert_ok(open_in(&place, sealed, sizeof sealed, &heard));
    assert_error(whisper_verify(crypto, suite, &place, &heard, sotto_buf_view(&public_key)),
                 SIGNATURE);
    /* Nor is what one said good for anything else than what one said. */
    seal(&typing, sealed);
    assert_ok(open_in(&place, sealed, sizeof sealed, &heard));
    struct whisper changed = heard;
    changed.value = 0;
    assert_error(whisper_verify(crypto, suite, &place, &changed, sotto_buf_view(&public_key)),
                 SIGNATURE);
    changed = heard;
    changed.leaf++;
    assert_error(whisper_verify(crypto, suite, &place, &changed, sotto_buf_view(&public_key)),
                 SIGNATURE);
    changed = heard;
    changed.count++;
    assert_error(whisper_verify(crypto, suite, &place, &changed, sotto_buf_view(&public_key)),
                 SIGNATURE);
    struct whisper_place later = place;
    later.epoch++;
    assert_error(whisper_verify(crypto, suite, &later, &heard, sotto_buf_view(&public_key)),
                 SIGNATURE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_said_is_heard),
        cmocka_unit_test(of_another_room_epoch_or_key_it_is_nothing),
        cmocka_unit_test(a_member_does_not_speak_for_another),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
