/* Requests to be let into a room again. */
#include "unit/check.h"
#include "wire/envelope.h"
#include "wire/rejoin.h"

static const struct account_id receiver = {{1}};
static const struct device_id receiver_device = {{2}};
static const uint8_t seed[SIGN_SEED_SIZE] = {3};

static struct rejoin_request specimen(void)
{
    return (struct rejoin_request){
        .relay = sotto_bytes_str("relay.example:443"),
        .room = {{8}},
        .time_s = 1000,
        .device = {{9}},
        .manifest = sotto_bytes_str("manifest"),
        .relay_of_sender = sotto_bytes_str("[::1]:9"),
        .key_package = sotto_bytes_str("package"),
    };
}

static void written(sotto_buf *bytes)
{
    struct rejoin_request request = specimen();
    sotto_buf_init(bytes, sotto_env_system());
    assert_ok(rejoin_request_write(&request, &receiver, &receiver_device, seed, bytes));
}

static void a_request_survives_the_round_trip(void **state)
{
    (void)state;
    struct rejoin_request request = specimen(), read;
    sotto_buf bytes;
    sotto_fault fault;
    written(&bytes);
    assert_int_equal(bytes.size, 256);
    assert_true(rejoin_request_is(sotto_buf_view(&bytes)));
    assert_ok(rejoin_request_read(sotto_buf_view(&bytes), &read, &fault));
    assert_bytes(read.relay, request.relay);
    assert_int_equal(read.room.bytes[0], 8);
    assert_int_equal(read.time_s, 1000);
    assert_int_equal(read.device.bytes[0], 9);
    assert_bytes(read.manifest, request.manifest);
    assert_bytes(read.relay_of_sender, request.relay_of_sender);
    assert_bytes(read.key_package, request.key_package);
    sotto_buf_free(&bytes);
}

static void a_request_is_good_for_its_receiver_alone(void **state)
{
    (void)state;
    struct rejoin_request read;
    struct account_id other = receiver;
    struct device_id other_device = receiver_device;
    uint8_t key[SIGN_KEY_SIZE];
    sotto_buf bytes;
    sotto_fault fault;
    const sotto_env *env = sotto_env_system();
    written(&bytes);
    wire_sign_public(seed, key);
    assert_ok(rejoin_request_read(sotto_buf_view(&bytes), &read, &fault));
    assert_true(rejoin_request_verify(env, &read, &receiver, &receiver_device, key));
    other.bytes[31] ^= 1;
    assert_false(rejoin_request_verify(env, &read, &other, &receiver_device, key));
    other_device.bytes[15] ^= 1;
    assert_false(rejoin_request_verify(env, &read, &receiver, &other_device, key));
    key[0] ^= 1;
    assert_false(rejoin_request_verify(env, &read, &receiver, &receiver_device, key));
    sotto_buf_free(&bytes);
}

static void each_cut_and_each_flipped_bit_is_refused(void **state)
{
    (void)state;
    struct rejoin_request read;
    uint8_t key[SIGN_KEY_SIZE];
    sotto_buf bytes;
    sotto_fault fault;
    written(&bytes);
    wire_sign_public(seed, key);
    for (size_t size = 0; size < bytes.size; size++)
        assert_true(rejoin_request_read(sotto_bytes_of(bytes.data, size), &read, &fault) !=
                    SOTTO_OK);
    for (size_t bit = 0; bit < bytes.size * 8; bit++) {
        bytes.data[bit / 8] ^= (uint8_t)(1U << bit % 8);
        assert_false(
            rejoin_request_read(sotto_buf_view(&bytes), &read, &fault) == SOTTO_OK &&
            rejoin_request_verify(sotto_env_system(), &read, &receiver, &receiver_device, key));
        bytes.data[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    sotto_buf_free(&bytes);
}

static void a_request_and_an_invitation_are_never_taken_for_one_another(void **state)
{
    (void)state;
    struct rejoin_request read, bad = specimen();
    struct envelope envelope;
    sotto_buf bytes;
    sotto_fault fault;
    written(&bytes);
    assert_error(envelope_read(sotto_buf_view(&bytes), &envelope, &fault), UNSUPPORTED);
    bytes.data[1] = ENVELOPE_ROOM_INVITATION;
    assert_false(rejoin_request_is(sotto_buf_view(&bytes)));
    assert_error(rejoin_request_read(sotto_buf_view(&bytes), &read, &fault), UNSUPPORTED);
    bad.relay = sotto_bytes_str("nowhere");
    assert_error(rejoin_request_write(&bad, &receiver, &receiver_device, seed, &bytes), ARGUMENT);
    bad = specimen();
    bad.key_package.size = WIRE_KEY_PACKAGE_MAX + 1;
    assert_error(rejoin_request_write(&bad, &receiver, &receiver_device, seed, &bytes), LIMIT);
    sotto_buf_free(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_survives_the_round_trip),
        cmocka_unit_test(a_request_is_good_for_its_receiver_alone),
        cmocka_unit_test(each_cut_and_each_flipped_bit_is_refused),
        cmocka_unit_test(a_request_and_an_invitation_are_never_taken_for_one_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
