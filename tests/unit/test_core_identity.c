/* Identity: keys, certificates, the judgement over leaves and manifests, fingerprints, sealing. */
#include "unit/check.h"

#include <sodium.h>

#include "core/identity.h"
#include "wire/envelope.h"
#include "wire/manifest.h"

static struct crypto *crypto;
static struct identity alice, bob;
static struct arena arena;
static sotto_buf out, manifest;
static sotto_fault fault;

static int group_setup(void **state)
{
    (void)state;
    return sodium_init() < 0 || crypto_new(sotto_env_system(), &crypto) != SOTTO_OK ||
           identity_create(crypto, &alice) != SOTTO_OK || identity_create(crypto, &bob) != SOTTO_OK;
}

static int group_teardown(void **state)
{
    (void)state;
    identity_wipe(&alice);
    identity_wipe(&bob);
    crypto_free(crypto);
    return 0;
}

static int setup(void **state)
{
    (void)state;
    arena_init(&arena, sotto_env_system());
    sotto_buf_init(&out, sotto_env_system());
    sotto_buf_init(&manifest, sotto_env_system());
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    sotto_buf_free(&manifest);
    sotto_buf_free(&out);
    arena_free(&arena);
    return 0;
}

/* ---- Oneself --------------------------------------------------------------------------------- */

static void an_identity_survives_saving(void **state)
{
    (void)state;
    struct identity loaded = {0};
    assert_ok(identity_save(&alice, &out));
    assert_ok(identity_load(crypto, sotto_buf_view(&out), &loaded, &fault));
    assert_memory_equal(&loaded.account, &alice.account, sizeof loaded.account);
    assert_memory_equal(loaded.certificate, alice.certificate, CERTIFICATE_SIZE);
    assert_memory_equal(loaded.credential, alice.credential, CREDENTIAL_SIZE);
    assert_bytes(secret_view(&loaded.inbox_private), secret_view(&alice.inbox_private));
    assert_bytes(sotto_buf_view(&loaded.inbox_key), sotto_buf_view(&alice.inbox_key));
    assert_int_equal(loaded.created, alice.created);
    identity_wipe(&loaded);
}

/* Version 1 had neither the flag nor the certificate. */
static void an_identity_of_the_first_version_is_read(void **state)
{
    (void)state;
    enum { FLAG = 18, CERTIFICATE_AT = FLAG + 1 + SIGN_SEED_SIZE + SIGN_KEY_SIZE };
    struct identity loaded = {0};
    sotto_buf old;
    sotto_buf_init(&old, sotto_env_system());
    assert_ok(identity_save(&alice, &out));
    assert_ok(sotto_buf_append(&old, out.data, FLAG));
    assert_ok(sotto_buf_append(&old, out.data + FLAG + 1, CERTIFICATE_AT - FLAG - 1));
    size_t rest = CERTIFICATE_AT + CERTIFICATE_SIZE;
    assert_ok(sotto_buf_append(&old, out.data + rest, out.size - rest));
    old.data[1] = 1;
    assert_ok(identity_load(crypto, sotto_buf_view(&old), &loaded, &fault));
    assert_memory_equal(loaded.certificate, alice.certificate, CERTIFICATE_SIZE);
    assert_memory_equal(loaded.credential, alice.credential, CREDENTIAL_SIZE);
    identity_wipe(&loaded);
    sotto_buf_free(&old);
}

static void a_damaged_identity_is_refused(void **state)
{
    (void)state;
    struct identity loaded = {0};
    assert_ok(identity_save(&alice, &out));
    for (size_t size = 0; size < out.size; size += 13)
        assert_error(identity_load(crypto, sotto_bytes_of(out.data, size), &loaded, &fault),
                     TRUNCATED);
    /* Every byte of every key: behind version and device id, before `created`. */
    for (size_t at = 18; at < out.size - 8; at += 37) {
        out.data[at] ^= 1;
        assert_int_not_equal(identity_load(crypto, sotto_buf_view(&out), &loaded, &fault),
                             SOTTO_OK);
        assert_true(strlen(fault.what) > 0);
        out.data[at] ^= 1;
    }
    out.data[1] = 3;
    assert_error(identity_load(crypto, sotto_buf_view(&out), &loaded, &fault), VERSION);
}

static void the_first_manifest_lists_this_device(void **state)
{
    (void)state;
    struct manifest read;
    assert_ok(identity_first_manifest(&alice, &manifest));
    assert_ok(manifest_read(sotto_buf_view(&manifest), &arena, &read, &fault));
    assert_int_equal(read.number, 1);
    const struct device *device = manifest_device(&read, &alice.device);
    assert_non_null(device);
    assert_bytes(device->inbox_key, sotto_buf_view(&alice.inbox_key));
    assert_bytes(device->signature_key, sotto_bytes_of(alice.signature_key, SIGN_KEY_SIZE));
    uint8_t hash[HASH_SIZE];
    wire_hash(sotto_bytes_of(alice.sign_in_key, SIGN_KEY_SIZE), hash);
    assert_memory_equal(device->sign_in_hash, hash, HASH_SIZE);
}

/* ---- Leaves ---------------------------------------------------------------------------------- */

static struct identity_mls mls;

static sotto_mls_leaf leaf_of(const struct identity *identity)
{
    identity_for_mls(identity, &mls);
    return (sotto_mls_leaf){
        .credential = mls.mls.credential,
        .signature_key = mls.mls.signature_public,
        .extensions = mls.mls.leaf_extensions,
        .extension_count = mls.mls.leaf_extension_count,
    };
}

static sotto_error judge(const sotto_mls_leaf *leaf, const sotto_mls_leaf *replaced,
                         sotto_bytes known)
{
    return identity_judge_leaf(sotto_env_system(), leaf, replaced, known, &fault);
}

static void an_honest_leaf_is_accepted(void **state)
{
    (void)state;
    sotto_mls_leaf leaf = leaf_of(&alice);
    struct identity_leaf who;
    assert_ok(identity_read_leaf(&leaf, &who, &fault));
    assert_memory_equal(&who.account, &alice.account, sizeof who.account);
    assert_memory_equal(who.account_key, alice.account_key, SIGN_KEY_SIZE);
    assert_ok(judge(&leaf, NULL, (sotto_bytes){0}));
    assert_ok(identity_first_manifest(&alice, &manifest));
    assert_ok(judge(&leaf, NULL, sotto_buf_view(&manifest)));
    assert_ok(judge(&leaf, &leaf, sotto_buf_view(&manifest)));
}

static void a_leaf_without_a_valid_certificate_is_refused(void **state)
{
    (void)state;
    sotto_mls_leaf leaf = leaf_of(&alice);
    leaf.extension_count = 0;
    assert_error(judge(&leaf, NULL, (sotto_bytes){0}), CREDENTIAL);
    assert_string_equal(fault.what, "LeafNode.extensions: no certificate");

    leaf = leaf_of(&alice);
    uint8_t other[SIGN_KEY_SIZE] = {1};
    leaf.signature_key = sotto_bytes_of(other, sizeof other);
    assert_error(judge(&leaf, NULL, (sotto_bytes){0}), CREDENTIAL); /* a stolen certificate */

    /* Bob's certificate over Bob's key, under Alice's name. */
    leaf = leaf_of(&bob);
    leaf.credential.identity = sotto_bytes_of(alice.credential, CREDENTIAL_SIZE);
    assert_error(judge(&leaf, NULL, (sotto_bytes){0}), CREDENTIAL);
    assert_string_equal(fault.what, "Certificate.account_key: not the key of the account");

    leaf = leaf_of(&alice);
    leaf.credential.type = SOTTO_MLS_X509;
    assert_error(judge(&leaf, NULL, (sotto_bytes){0}), CREDENTIAL);
    leaf = leaf_of(&alice);
    leaf.credential.identity.size--;
    assert_error(judge(&leaf, NULL, (sotto_bytes){0}), CREDENTIAL);
}

static void every_flipped_bit_of_a_certificate_is_refused(void **state)
{
    (void)state;
    uint8_t certificate[CERTIFICATE_SIZE], key[SIGN_KEY_SIZE];
    sotto_bytes credential = sotto_bytes_of(alice.credential, CREDENTIAL_SIZE),
                signature_key = sotto_bytes_of(alice.signature_key, SIGN_KEY_SIZE);
    memcpy(certificate, alice.certificate, sizeof certificate);
    sotto_bytes view = sotto_bytes_of(certificate, sizeof certificate);
    assert_ok(certificate_verify(view, credential, signature_key, key, &fault));
    for (size_t bit = 0; bit < sizeof certificate * 8; bit++) {
        certificate[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_error(certificate_verify(view, credential, signature_key, key, &fault), CREDENTIAL);
        certificate[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    view.size--;
    assert_error(certificate_verify(view, credential, signature_key, key, &fault), CREDENTIAL);
}

/* A second device of Alice's, certified by her account key. */
static void link_device(struct identity *device)
{
    assert_ok(identity_create(crypto, device));
    device->account_private = alice.account_private;
    memcpy(device->account_key, alice.account_key, SIGN_KEY_SIZE);
    device->account = alice.account;
    memcpy(device->credential, alice.account.bytes, ACCOUNT_ID_SIZE);
    assert_ok(certificate_make(&alice.account_private, alice.account_key, &device->device,
                               sotto_bytes_of(device->signature_key, SIGN_KEY_SIZE),
                               device->certificate));
}

static void a_device_that_is_not_in_the_newest_manifest_is_refused(void **state)
{
    (void)state;
    struct identity ghost = {0};
    link_device(&ghost);
    sotto_mls_leaf leaf = leaf_of(&ghost);
    assert_ok(
        judge(&leaf, NULL, (sotto_bytes){0})); /* no manifest known: the certificate decides */
    assert_ok(identity_first_manifest(&alice, &manifest));
    assert_error(judge(&leaf, NULL, sotto_buf_view(&manifest)), CREDENTIAL);
    assert_string_equal(fault.what,
                        "Manifest.devices: the leaf's device is not in the newest manifest");
    identity_wipe(&ghost);
}

static void a_key_that_the_manifest_does_not_have_for_the_device_is_refused(void **state)
{
    (void)state;
    struct identity other = {0};
    link_device(&other);
    other.device = alice.device;
    memcpy(other.credential, alice.credential, CREDENTIAL_SIZE);
    assert_ok(certificate_make(&alice.account_private, alice.account_key, &other.device,
                               sotto_bytes_of(other.signature_key, SIGN_KEY_SIZE),
                               other.certificate));
    sotto_mls_leaf leaf = leaf_of(&other);
    assert_ok(identity_first_manifest(&alice, &manifest));
    assert_error(judge(&leaf, NULL, sotto_buf_view(&manifest)), CREDENTIAL);
    assert_string_equal(fault.what,
                        "Device.signature_key: the leaf has another key than the newest manifest");
    identity_wipe(&other);
}

static void a_successor_of_another_account_or_device_is_refused(void **state)
{
    (void)state;
    sotto_mls_leaf old = leaf_of(&alice);
    struct identity_mls of_bob;
    identity_for_mls(&bob, &of_bob);
    sotto_mls_leaf leaf = {.credential = of_bob.mls.credential,
                           .signature_key = of_bob.mls.signature_public,
                           .extensions = of_bob.extensions,
                           .extension_count = 1};
    assert_ok(judge(&leaf, NULL, (sotto_bytes){0}));
    assert_error(judge(&leaf, &old, (sotto_bytes){0}), CREDENTIAL);
    assert_string_equal(fault.what,
                        "Credential.identity: the successor is of another account or device");
}

/* ---- Manifests --------------------------------------------------------------------------------
 */

/* A manifest of Alice's with that number and issue time, after `previous`. */
static void write_manifest(uint64_t number, uint64_t issued, sotto_bytes previous, sotto_buf *buf)
{
    struct device device = {.id = alice.device,
                            .signature_key = sotto_bytes_of(alice.signature_key, SIGN_KEY_SIZE),
                            .inbox_key = sotto_buf_view(&alice.inbox_key)};
    struct manifest m = {.number = number, .issued = issued, .devices = &device, .device_count = 1};
    if (previous.size > 0)
        wire_hash(previous, m.previous);
    assert_ok(manifest_write(&m, alice.account_private.data, buf));
}

static void only_a_newer_manifest_of_the_account_is_kept(void **state)
{
    (void)state;
    const sotto_env *env = sotto_env_system();
    sotto_buf second, third, rival, wrong;
    sotto_buf_init(&second, env);
    sotto_buf_init(&third, env);
    sotto_buf_init(&rival, env);
    sotto_buf_init(&wrong, env);
    write_manifest(1, 1, (sotto_bytes){0}, &manifest);
    write_manifest(2, 2, sotto_buf_view(&manifest), &second);
    write_manifest(3, 3, sotto_buf_view(&second), &third);
    write_manifest(2, 4, sotto_buf_view(&manifest), &rival);
    write_manifest(2, 2, sotto_buf_view(&third), &wrong);
    sotto_bytes none = {0}, m1 = sotto_buf_view(&manifest), m2 = sotto_buf_view(&second),
                m3 = sotto_buf_view(&third);
    uint64_t number = 0;
    assert_ok(identity_judge_manifest(env, &alice.account, none, m2, &number, &fault));
    assert_int_equal(number, 2);
    assert_ok(identity_judge_manifest(env, &alice.account, m1, m2, NULL, &fault));
    assert_ok(identity_judge_manifest(env, &alice.account, m1, m3, NULL, &fault)); /* a gap */
    assert_error(identity_judge_manifest(env, &alice.account, m2, m2, NULL, &fault), EXISTS);
    assert_error(identity_judge_manifest(env, &alice.account, m3, m1, NULL, &fault), EXISTS);
    assert_error(
        identity_judge_manifest(env, &alice.account, m2, sotto_buf_view(&rival), NULL, &fault),
        CREDENTIAL);
    assert_string_equal(fault.what,
                        "Manifest.number: two different manifests have the same number");
    assert_error(
        identity_judge_manifest(env, &alice.account, m1, sotto_buf_view(&wrong), NULL, &fault),
        CREDENTIAL);
    assert_error(identity_judge_manifest(env, &bob.account, none, m1, NULL, &fault), CREDENTIAL);
    manifest.data[45] ^= 1; /* Manifest.issued */
    assert_error(identity_judge_manifest(env, &alice.account, none, m1, NULL, &fault), SIGNATURE);
    sotto_buf_free(&wrong);
    sotto_buf_free(&rival);
    sotto_buf_free(&third);
    sotto_buf_free(&second);
}

/* ---- Numbers ----------------------------------------------------------------------------------
 */

static void fingerprints_are_fixed_and_pairs_symmetric(void **state)
{
    (void)state;
    uint8_t zero[SIGN_KEY_SIZE] = {0}, one[SIGN_KEY_SIZE] = {1};
    char digits[IDENTITY_FINGERPRINT_SIZE], ab[IDENTITY_PAIR_SIZE], ba[IDENTITY_PAIR_SIZE];
    identity_fingerprint(zero, digits);
    /* Computed apart from this code, in Python, from the description in identity.h. */
    assert_string_equal(digits, "31755 02420 46544 02934 56655 94583");
    assert_int_equal(strlen(digits), IDENTITY_FINGERPRINT_SIZE - 1);
    identity_pair_fingerprint(zero, one, ab);
    identity_pair_fingerprint(one, zero, ba);
    assert_string_equal(ab, ba);
    assert_int_equal(strlen(ab), IDENTITY_PAIR_SIZE - 1);
    assert_non_null(strstr(ab, digits));
    identity_pair_fingerprint(zero, zero, ba);
    assert_string_not_equal(ab, ba);
}

/* ---- Rooms and envelopes -----------------------------------------------------------------------
 */

static void room_extensions_come_back_and_rubbish_does_not(void **state)
{
    (void)state;
    struct identity_room room = {.kind = IDENTITY_ROOM_GROUP, .title = sotto_bytes_str("Köln 🌈")},
                         read;
    assert_ok(identity_room_write(&room, &out));
    assert_ok(identity_room_read(sotto_buf_view(&out), &read, &fault));
    assert_int_equal(read.kind, IDENTITY_ROOM_GROUP);
    assert_bytes(read.title, room.title);
    for (size_t size = 0; size < out.size; size++)
        assert_error(identity_room_read(sotto_bytes_of(out.data, size), &read, &fault), TRUNCATED);
    out.data[1] = 2;
    assert_error(identity_room_read(sotto_buf_view(&out), &read, &fault), VERSION);
    out.data[1] = 1;
    out.data[2] = 4;
    assert_error(identity_room_read(sotto_buf_view(&out), &read, &fault), VALUE);
    room.title = sotto_bytes_str("two\nlines");
    assert_error(identity_room_write(&room, &out), ARGUMENT);
}

static void only_the_device_meant_opens_an_envelope(void **state)
{
    (void)state;
    sotto_buf opened;
    sotto_buf_init(&opened, sotto_env_system());
    sotto_bytes text = sotto_bytes_str("the bytes of an envelope");
    assert_ok(identity_seal(crypto, &bob.account, &bob.device, sotto_buf_view(&bob.inbox_key), text,
                            &out));
    assert_ok(identity_open(crypto, &bob, sotto_buf_view(&out), &opened, &fault));
    assert_bytes(sotto_buf_view(&opened), text);
    sotto_buf_clear(&opened);
    assert_error(identity_open(crypto, &alice, sotto_buf_view(&out), &opened, &fault), DECRYPT);
    out.data[out.size - 1] ^= 1;
    assert_error(identity_open(crypto, &bob, sotto_buf_view(&out), &opened, &fault), DECRYPT);
    assert_int_equal(opened.size, 0);
    /* To Bob's key, but addressed to Alice's device. */
    sotto_buf_clear(&out);
    assert_ok(identity_seal(crypto, &alice.account, &alice.device, sotto_buf_view(&bob.inbox_key),
                            text, &out));
    assert_error(identity_open(crypto, &bob, sotto_buf_view(&out), &opened, &fault), DECRYPT);
    sotto_buf_free(&opened);
}

/* Alice's account takes Bob's device in. */
static void a_device_adopts_the_account_that_certified_it(void **state)
{
    (void)state;
    struct identity device = {0}, loaded = {0};
    uint8_t certificate[CERTIFICATE_SIZE];
    sotto_bytes account_private = secret_view(&alice.account_private);
    assert_ok(identity_create(crypto, &device));
    assert_ok(certificate_make(&alice.account_private, alice.account_key, &device.device,
                               sotto_bytes_of(device.signature_key, SIGN_KEY_SIZE), certificate));
    /* Another account's key, another device's certificate, a key that is not the account's. */
    assert_error(identity_adopt(&device, bob.account_key, account_private, certificate, &fault),
                 CREDENTIAL);
    assert_error(
        identity_adopt(&device, alice.account_key, account_private, alice.certificate, &fault),
        CREDENTIAL);
    assert_error(identity_adopt(&device, alice.account_key, secret_view(&bob.account_private),
                                certificate, &fault),
                 KEY);
    assert_false(account_id_equal(&device.account, &alice.account));
    /* With the key, and without: both survive saving. */
    for (int limited = 0; limited < 2; limited++) {
        assert_ok(identity_adopt(&device, alice.account_key,
                                 limited ? sotto_bytes_of(NULL, 0) : account_private, certificate,
                                 &fault));
        assert_true(account_id_equal(&device.account, &alice.account));
        assert_int_equal(device.account_private.size, limited ? 0 : SIGN_SEED_SIZE);
        sotto_buf_clear(&out);
        assert_ok(identity_save(&device, &out));
        assert_ok(identity_load(crypto, sotto_buf_view(&out), &loaded, &fault));
        assert_memory_equal(loaded.certificate, certificate, CERTIFICATE_SIZE);
        assert_memory_equal(loaded.credential, device.credential, CREDENTIAL_SIZE);
        assert_int_equal(loaded.account_private.size, device.account_private.size);
        identity_wipe(&loaded);
    }
    assert_error(identity_next_manifest(&device, sotto_env_system(), sotto_buf_view(&manifest),
                                        NULL, NULL, &out, &fault),
                 STATE);
    identity_wipe(&device);
}

static void manifests_follow_one_another_as_devices_come_and_go(void **state)
{
    (void)state;
    const sotto_env *env = sotto_env_system();
    struct manifest before, after;
    struct device device;
    sotto_buf second, third;
    sotto_buf_init(&second, env);
    sotto_buf_init(&third, env);
    identity_device(&bob, &device);
    assert_ok(identity_first_manifest(&alice, &manifest));
    assert_ok(identity_next_manifest(&alice, env, sotto_buf_view(&manifest), &device, NULL, &second,
                                     &fault));
    assert_ok(manifest_read(sotto_buf_view(&manifest), &arena, &before, &fault));
    assert_ok(manifest_read(sotto_buf_view(&second), &arena, &after, &fault));
    assert_ok(manifest_follows(sotto_buf_view(&manifest), &before, &after, &fault));
    assert_int_equal(after.device_count, 2);
    assert_non_null(manifest_device(&after, &bob.device));
    assert_ok(identity_next_manifest(&alice, env, sotto_buf_view(&second), NULL, &bob.device,
                                     &third, &fault));
    assert_ok(manifest_read(sotto_buf_view(&third), &arena, &before, &fault));
    assert_ok(manifest_follows(sotto_buf_view(&second), &after, &before, &fault));
    assert_int_equal(before.device_count, 1);
    /* The last one stays; one that is there gets other keys, in its place. */
    sotto_buf_clear(&out);
    assert_error(identity_next_manifest(&alice, env, sotto_buf_view(&third), NULL, &alice.device,
                                        &out, &fault),
                 ARGUMENT);
    device.sign_in_hash[0] ^= 1;
    assert_ok(
        identity_next_manifest(&alice, env, sotto_buf_view(&second), &device, NULL, &out, &fault));
    assert_ok(manifest_read(sotto_buf_view(&out), &arena, &after, &fault));
    assert_int_equal(after.device_count, 2);
    assert_memory_equal(manifest_device(&after, &bob.device)->sign_in_hash, device.sign_in_hash,
                        sizeof device.sign_in_hash);
    sotto_buf_free(&third);
    sotto_buf_free(&second);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_identity_survives_saving),
        TEST(an_identity_of_the_first_version_is_read),
        TEST(a_damaged_identity_is_refused),
        TEST(the_first_manifest_lists_this_device),
        TEST(an_honest_leaf_is_accepted),
        TEST(a_leaf_without_a_valid_certificate_is_refused),
        TEST(every_flipped_bit_of_a_certificate_is_refused),
        TEST(a_device_that_is_not_in_the_newest_manifest_is_refused),
        TEST(a_key_that_the_manifest_does_not_have_for_the_device_is_refused),
        TEST(a_successor_of_another_account_or_device_is_refused),
        TEST(only_a_newer_manifest_of_the_account_is_kept),
        TEST(fingerprints_are_fixed_and_pairs_symmetric),
        TEST(room_extensions_come_back_and_rubbish_does_not),
        TEST(only_the_device_meant_opens_an_envelope),
        TEST(a_device_adopts_the_account_that_certified_it),
        TEST(manifests_follow_one_another_as_devices_come_and_go),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
