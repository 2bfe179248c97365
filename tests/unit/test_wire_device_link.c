/* Linking a device: the link, what is exchanged, and where it lies. */
#include "unit/check.h"
#include "wire/device_link.h"

static uint8_t secret[LINK_SECRET_SIZE], inbox_key[INBOX_KEY_SIZE], signature_key[SIGN_KEY_SIZE];
static sotto_fault fault;

static struct device_link sample(void)
{
    struct device_link link = {.relay = sotto_bytes_str("relay.example:443"),
                               .secret = sotto_bytes_of(secret, sizeof secret),
                               .expires = 7};
    link.device.bytes[3] = 9;
    link.keys_hash[31] = 5;
    return link;
}

static struct device_keys sample_keys(void)
{
    struct device_keys keys = {.name = sotto_bytes_str("Laptop")};
    keys.device.id.bytes[0] = 1;
    keys.device.signature_key = sotto_bytes_of(signature_key, sizeof signature_key);
    keys.device.inbox_key = sotto_bytes_of(inbox_key, sizeof inbox_key);
    keys.device.added = 77;
    return keys;
}

static void a_link_comes_back_and_no_part_of_one_does(void **state)
{
    (void)state;
    struct device_link link = sample(), read;
    sotto_buf text, bytes;
    sotto_buf_init(&text, sotto_env_system());
    sotto_buf_init(&bytes, sotto_env_system());
    secret[0] = 1;
    assert_ok(device_link_format(&link, &text));
    assert_ok(device_link_parse(sotto_buf_view(&text), &bytes, &read, &fault));
    assert_bytes(read.relay, link.relay);
    assert_bytes(read.secret, link.secret);
    assert_memory_equal(&read.device, &link.device, sizeof read.device);
    assert_memory_equal(read.keys_hash, link.keys_hash, HASH_SIZE);
    assert_int_equal(read.expires, 7);
    for (size_t size = 0; size < text.size; size++) {
        size_t before = bytes.size;
        assert_int_not_equal(
            device_link_parse(sotto_bytes_of(text.data, size), &bytes, &read, &fault), SOTTO_OK);
        assert_int_equal(bytes.size, before);
    }
    assert_error(device_link_parse(sotto_bytes_str("sotto://invite/AAAA"), &bytes, &read, &fault),
                 VALUE);
    link.relay = sotto_bytes_str("no address");
    assert_int_not_equal(device_link_format(&link, &text), SOTTO_OK);
    sotto_buf_free(&bytes);
    sotto_buf_free(&text);
}

static void keys_come_back_padded_and_hashed_whole(void **state)
{
    (void)state;
    struct device_keys keys = sample_keys(), read;
    uint8_t hash[HASH_SIZE], other[HASH_SIZE];
    sotto_buf bytes;
    sotto_buf_init(&bytes, sotto_env_system());
    assert_ok(device_keys_write(&keys, &bytes));
    assert_int_equal(bytes.size, WIRE_DEVICE_KEYS_SIZE);
    assert_ok(device_keys_read(sotto_buf_view(&bytes), &read, &fault));
    assert_bytes(read.name, keys.name);
    assert_bytes(read.device.inbox_key, keys.device.inbox_key);
    assert_int_equal(read.device.added, 77);
    device_keys_hash(sotto_buf_view(&bytes), hash);
    for (size_t at = 0; at < bytes.size; at += 101) {
        bytes.data[at] ^= 1;
        device_keys_hash(sotto_buf_view(&bytes), other);
        assert_memory_not_equal(hash, other, HASH_SIZE);
        bytes.data[at] ^= 1;
    }
    bytes.data[bytes.size - 1] = 1; /* in the padding */
    assert_error(device_keys_read(sotto_buf_view(&bytes), &read, &fault), VALUE);
    assert_error(device_keys_read(sotto_bytes_of(bytes.data, 100), &read, &fault), TRUNCATED);
    sotto_buf_free(&bytes);
}

static void a_package_comes_back(void **state)
{
    (void)state;
    uint8_t certificate[SIGN_KEY_SIZE + SIGNATURE_SIZE] = {4}, seed[SIGN_SEED_SIZE] = {6};
    struct device_package package = {.account_private = sotto_bytes_of(seed, sizeof seed),
                                     .certificate = sotto_bytes_of(certificate, sizeof certificate),
                                     .position = 12,
                                     .name = sotto_bytes_str("Alice"),
                                     .relay = sotto_bytes_str("relay.example:443"),
                                     .manifest = sotto_bytes_str("manifest")};
    struct device_package read;
    sotto_buf bytes;
    sotto_buf_init(&bytes, sotto_env_system());
    assert_ok(device_package_write(&package, &bytes));
    assert_int_not_equal(bytes.data[0], 1); /* never an Envelope */
    assert_ok(device_package_read(sotto_buf_view(&bytes), &read, &fault));
    assert_bytes(read.account_private, package.account_private);
    assert_bytes(read.manifest, package.manifest);
    assert_int_equal(read.position, 12);
    for (size_t size = 0; size < bytes.size; size++)
        assert_int_not_equal(device_package_read(sotto_bytes_of(bytes.data, size), &read, &fault),
                             SOTTO_OK);
    package.account_private.size = 31;
    assert_error(device_package_write(&package, &bytes), ARGUMENT);
    sotto_buf_free(&bytes);
}

static void a_box_opens_with_its_own_place_alone_and_unaltered(void **state)
{
    (void)state;
    const sotto_env *env = sotto_env_system();
    struct link_place keys, package, again;
    sotto_buf box, plain;
    sotto_buf_init(&box, env);
    sotto_buf_init(&plain, env);
    link_place(sotto_bytes_of(secret, sizeof secret), LINK_KEYS, &keys);
    link_place(sotto_bytes_of(secret, sizeof secret), LINK_PACKAGE, &package);
    link_place(sotto_bytes_of(secret, sizeof secret), LINK_KEYS, &again);
    assert_memory_equal(&keys, &again, sizeof keys);
    assert_memory_not_equal(&keys.blob, &package.blob, sizeof keys.blob);
    assert_memory_not_equal(keys.key, package.key, sizeof keys.key);
    assert_memory_not_equal(keys.write_token, keys.key, sizeof keys.key);
    assert_ok(link_box(env, &keys, sotto_bytes_str("hello"), 50, &box));
    assert_int_equal(box.size, 50 + LINK_BOX_OVERHEAD);
    assert_ok(link_unbox(&keys, sotto_buf_view(&box), &plain));
    assert_int_equal(plain.size, 50);
    assert_memory_equal(plain.data, "hello\0", 6);
    assert_error(link_unbox(&package, sotto_buf_view(&box), &plain), DECRYPT);
    for (size_t at = 0; at < box.size; at++) {
        box.data[at] ^= 0x80;
        assert_error(link_unbox(&keys, sotto_buf_view(&box), &plain), DECRYPT);
        box.data[at] ^= 0x80;
    }
    assert_int_equal(plain.size, 50);
    assert_error(link_box(env, &keys, sotto_bytes_str("hello"), 4, &box), LIMIT);
    sotto_buf_free(&plain);
    sotto_buf_free(&box);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_link_comes_back_and_no_part_of_one_does),
        cmocka_unit_test(keys_come_back_padded_and_hashed_whole),
        cmocka_unit_test(a_package_comes_back),
        cmocka_unit_test(a_box_opens_with_its_own_place_alone_and_unaltered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
