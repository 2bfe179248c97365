/* Envelopes and their padding. */
#include "unit/check.h"
#include "wire/envelope.h"
#include "wire/padme.h"

static const uint8_t bytes32[32] = {5, 6, 7};

static struct envelope specimen(void)
{
    return (struct envelope){
        .version = ENVELOPE_VERSION,
        .kind = ENVELOPE_ROOM_INVITATION,
        .relay = sotto_bytes_str("relay.example:443"),
        .room = {{8}},
        .read_token = sotto_bytes_of(bytes32, TOKEN_SIZE),
        .next_seq = 17,
        .manifest = sotto_bytes_str("manifest"),
        .relay_of_sender = sotto_bytes_str("[::1]:9"),
        .capability = sotto_bytes_of(bytes32, CAPABILITY_SIZE),
        .key_package_ref = sotto_bytes_of(bytes32, 32),
        .welcome = sotto_bytes_str("welcome"),
        .name = sotto_bytes_str("Alice"),
        .greeting = sotto_bytes_str("Hello, it is me"),
    };
}

static void padme_sizes_are_those_of_the_paper(void **state)
{
    (void)state;
    static const size_t cases[][2] = {
        {0, 256},       {1, 256},           {256, 256},         {257, 272},
        {272, 272},     {273, 288},         {512, 512},         {513, 544},
        {1000, 1024},   {1024, 1024},       {1025, 1088},       {65536, 65536},
        {65537, 67584}, {1000000, 1015808}, {4194304, 4194304}, {4194305, 4325376},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(padme_size(cases[i][0]), cases[i][1]);
    for (size_t size = 257; size < 100000; size += 7) {
        size_t padded = padme_size(size);
        assert_true(padded >= size && (padded - size) * 100 <= size * 12);
        assert_int_equal(padme_size(padded), padded);
    }
    assert_true(padme_size(SIZE_MAX) == SIZE_MAX);
}

static void an_envelope_survives_the_round_trip(void **state)
{
    (void)state;
    struct envelope envelope = specimen(), read;
    sotto_buf bytes;
    sotto_fault fault;
    sotto_buf_init(&bytes, sotto_env_system());
    assert_ok(envelope_write(&envelope, &bytes));
    assert_int_equal(bytes.size, 256);
    assert_ok(envelope_read(sotto_buf_view(&bytes), &read, &fault));
    assert_int_equal(read.next_seq, 17);
    assert_bytes(read.relay, envelope.relay);
    assert_bytes(read.relay_of_sender, envelope.relay_of_sender);
    assert_bytes(read.read_token, envelope.read_token);
    assert_bytes(read.manifest, envelope.manifest);
    assert_bytes(read.capability, envelope.capability);
    assert_bytes(read.key_package_ref, envelope.key_package_ref);
    assert_bytes(read.welcome, envelope.welcome);
    assert_bytes(read.name, envelope.name);
    assert_bytes(read.greeting, envelope.greeting);
    assert_int_equal(read.room.bytes[0], 8);
    /* An older client's had neither. */
    sotto_buf_clear(&bytes);
    envelope.version = ENVELOPE_FIRST;
    assert_ok(envelope_write(&envelope, &bytes));
    assert_ok(envelope_read(sotto_buf_view(&bytes), &read, &fault));
    assert_bytes(read.welcome, envelope.welcome);
    assert_int_equal(read.name.size + read.greeting.size, 0);
    sotto_buf_free(&bytes);
}

static void each_cut_and_each_flipped_bit_is_refused_or_means_itself(void **state)
{
    (void)state;
    struct envelope envelope = specimen(), read;
    sotto_buf bytes, again;
    sotto_fault fault;
    sotto_buf_init(&bytes, sotto_env_system());
    sotto_buf_init(&again, sotto_env_system());
    assert_ok(envelope_write(&envelope, &bytes));
    for (size_t size = 0; size < bytes.size; size++)
        assert_true(envelope_read(sotto_bytes_of(bytes.data, size), &read, &fault) != SOTTO_OK);
    for (size_t bit = 0; bit < bytes.size * 8; bit++) {
        bytes.data[bit / 8] ^= (uint8_t)(1U << bit % 8);
        sotto_buf_clear(&again);
        if (envelope_read(sotto_buf_view(&bytes), &read, &fault) == SOTTO_OK) {
            assert_ok(envelope_write(&read, &again));
            assert_bytes(sotto_buf_view(&again), sotto_buf_view(&bytes));
        }
        bytes.data[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    bytes.data[255] = 1;
    assert_error(envelope_read(sotto_buf_view(&bytes), &read, &fault), VALUE);
    assert_string_equal(fault.what, "Envelope.padding");
    bytes.data[255] = 0;
    static const uint8_t zeros[16];
    assert_ok(sotto_buf_append(&bytes, zeros, sizeof zeros)); /* a Padmé size, but a larger one */
    assert_error(envelope_read(sotto_buf_view(&bytes), &read, &fault), LENGTH);
    sotto_buf_free(&bytes);
    sotto_buf_free(&again);
}

static void a_newer_kind_is_unsupported(void **state)
{
    (void)state;
    struct envelope envelope = specimen(), read;
    sotto_buf bytes;
    sotto_fault fault;
    sotto_buf_init(&bytes, sotto_env_system());
    assert_ok(envelope_write(&envelope, &bytes));
    bytes.data[1] = 2;
    assert_error(envelope_read(sotto_buf_view(&bytes), &read, &fault), UNSUPPORTED);
    bytes.data[0] = 3;
    assert_error(envelope_read(sotto_buf_view(&bytes), &read, &fault), VERSION);
    envelope.version = 3;
    assert_error(envelope_write(&envelope, &bytes), ARGUMENT);
    envelope.version = ENVELOPE_VERSION;
    envelope.greeting = sotto_bytes_str("two\nlines");
    assert_int_not_equal(envelope_write(&envelope, &bytes), SOTTO_OK);
    envelope.greeting = sotto_bytes_of(NULL, 0);
    envelope.capability.size = 3;
    assert_error(envelope_write(&envelope, &bytes), ARGUMENT);
    sotto_buf_free(&bytes);
}

static void a_sealed_envelope_survives_the_round_trip(void **state)
{
    (void)state;
    struct sealed_envelope sealed = {
        .enc = sotto_bytes_of(bytes32, 32),
        .ciphertext = sotto_bytes_of(bytes32, 16),
    };
    struct sealed_envelope read;
    sotto_buf bytes;
    sotto_fault fault;
    sotto_buf_init(&bytes, sotto_env_system());
    assert_ok(sealed_envelope_write(&sealed, &bytes));
    assert_ok(sealed_envelope_read(sotto_buf_view(&bytes), &read, &fault));
    assert_bytes(read.enc, sealed.enc);
    assert_bytes(read.ciphertext, sealed.ciphertext);
    for (size_t size = 0; size < bytes.size; size++)
        assert_error(sealed_envelope_read(sotto_bytes_of(bytes.data, size), &read, &fault),
                     TRUNCATED);
    bytes.data[1] = 1;
    assert_error(sealed_envelope_read(sotto_buf_view(&bytes), &read, &fault), UNSUPPORTED);
    sealed.ciphertext.size = 15;
    assert_error(sealed_envelope_write(&sealed, &bytes), ARGUMENT);
    sotto_buf_free(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(padme_sizes_are_those_of_the_paper),
        cmocka_unit_test(an_envelope_survives_the_round_trip),
        cmocka_unit_test(each_cut_and_each_flipped_bit_is_refused_or_means_itself),
        cmocka_unit_test(a_newer_kind_is_unsupported),
        cmocka_unit_test(a_sealed_envelope_survives_the_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
