/* Joining by a link: the link and the request, their limits, and who signed. */
#include "wire/join.h"

#include <string.h>

#include "unit/check.h"

static const uint8_t capability[CAPABILITY_SIZE] = {1, 2, 3}, other[CAPABILITY_SIZE] = {4};

static struct join_link some_link(void)
{
    return (struct join_link){.relay = sotto_bytes_str("relay.example:443"),
                              .account = {{5}},
                              .device = {{6}},
                              .capability = sotto_bytes_of(capability, sizeof capability),
                              .expires = 1800000000,
                              .title = sotto_bytes_str("Kitchen"),
                              .name = sotto_bytes_str("Alice")};
}

static void a_link_is_read_as_it_was_written(void **state)
{
    (void)state;
    struct join_link link = some_link(), read;
    sotto_fault fault;
    sotto_buf text, bytes;
    sotto_buf_init(&text, sotto_env_system());
    sotto_buf_init(&bytes, sotto_env_system());
    assert_ok(join_link_format(&link, &text));
    assert_memory_equal(text.data, JOIN_LINK_PREFIX, strlen(JOIN_LINK_PREFIX));
    assert_ok(join_link_parse(sotto_buf_view(&text), &bytes, &read, &fault));
    assert_bytes(read.relay, link.relay);
    assert_bytes(read.capability, link.capability);
    assert_bytes(read.title, link.title);
    assert_bytes(read.name, link.name);
    assert_true(account_id_equal(&read.account, &link.account));
    assert_int_equal(read.expires, link.expires);
    /* Not one character less, and none of an invitation's. */
    for (size_t size = 0; size < text.size; size++) {
        sotto_buf_clear(&bytes);
        assert_int_not_equal(
            join_link_parse(sotto_bytes_of(text.data, size), &bytes, &read, &fault), SOTTO_OK);
        assert_int_equal(bytes.size, 0);
    }
    link.title = sotto_bytes_str("two\nlines");
    assert_error(join_link_format(&link, &text), ARGUMENT);
    sotto_buf_free(&text);
    sotto_buf_free(&bytes);
}

struct asked {
    uint8_t seed[SIGN_SEED_SIZE], key[SIGN_KEY_SIZE];
    struct account_id receiver;
    struct device_id device;
    sotto_buf bytes;
};

static void ask(struct asked *a)
{
    memset(a, 0, sizeof *a);
    a->seed[0] = 9;
    a->receiver.bytes[0] = 7;
    a->device.bytes[0] = 8;
    wire_sign_public(a->seed, a->key);
    sotto_buf_init(&a->bytes, sotto_env_system());
    const struct join_request request = {.link = sotto_bytes_of(capability, sizeof capability),
                                         .device = {{3}},
                                         .manifest = sotto_bytes_str("a manifest"),
                                         .relay_of_sender = sotto_bytes_str("other.example:443"),
                                         .capability = sotto_bytes_of(other, sizeof other),
                                         .name = sotto_bytes_str("Bob")};
    assert_ok(join_request_write(&request, &a->receiver, &a->device, a->seed, &a->bytes));
}

static void a_request_is_its_device_s_for_its_receiver(void **state)
{
    (void)state;
    struct asked a;
    struct join_request read;
    sotto_fault fault;
    ask(&a);
    assert_true(join_request_is(sotto_buf_view(&a.bytes)));
    assert_ok(join_request_read(sotto_buf_view(&a.bytes), &read, &fault));
    assert_bytes(read.name, sotto_bytes_str("Bob"));
    assert_bytes(read.capability, sotto_bytes_of(other, sizeof other));
    const sotto_env *env = sotto_env_system();
    assert_true(join_request_verify(env, &read, &a.receiver, &a.device, a.key));
    struct account_id somebody = {{1}};
    struct device_id another = {{1}};
    assert_false(join_request_verify(env, &read, &somebody, &a.device, a.key));
    assert_false(join_request_verify(env, &read, &a.receiver, &another, a.key));
    a.key[1] ^= 1;
    assert_false(join_request_verify(env, &read, &a.receiver, &a.device, a.key));
    a.key[1] ^= 1;
    /* Every byte counts: it is refused, or the signature does not hold. */
    for (size_t i = 0; i < a.bytes.size; i++) {
        a.bytes.data[i] ^= 1;
        assert_true(join_request_read(sotto_buf_view(&a.bytes), &read, &fault) != SOTTO_OK ||
                    !join_request_verify(env, &read, &a.receiver, &a.device, a.key));
        a.bytes.data[i] ^= 1;
    }
    for (size_t size = 0; size < a.bytes.size; size++)
        assert_int_not_equal(join_request_read(sotto_bytes_of(a.bytes.data, size), &read, &fault),
                             SOTTO_OK);
    sotto_buf_free(&a.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_link_is_read_as_it_was_written),
        cmocka_unit_test(a_request_is_its_device_s_for_its_receiver),
    };
    return cmocka_run_group_tests_name("wire_join", tests, NULL, NULL);
}
