/* Envelopes: the sealed form and the plaintext; what is accepted is written back to the same bytes.
 */
#include "wire/envelope.h"
#include "wire/rejoin.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sotto_bytes input = sotto_bytes_of(data, size);
    struct envelope envelope;
    struct sealed_envelope sealed;
    struct rejoin_request rejoin;
    sotto_fault fault;
    sotto_buf again;
    sotto_buf_init(&again, sotto_env_system());
    if (envelope_read(input, &envelope, &fault) == SOTTO_OK) {
        BUG_UNLESS(envelope_write(&envelope, &again) == SOTTO_OK);
        BUG_UNLESS(sotto_bytes_equal(sotto_buf_view(&again), input));
    }
    sotto_buf_clear(&again);
    if (rejoin_request_read(input, &rejoin, &fault) == SOTTO_OK) {
        static const struct account_id account;
        static const struct device_id device;
        static const uint8_t seed[SIGN_SEED_SIZE];
        struct rejoin_request back;
        BUG_UNLESS(rejoin_request_is(input));
        BUG_UNLESS(rejoin_request_write(&rejoin, &account, &device, seed, &again) == SOTTO_OK);
        BUG_UNLESS(again.size == input.size);
        BUG_UNLESS(rejoin_request_read(sotto_buf_view(&again), &back, &fault) == SOTTO_OK);
        BUG_UNLESS(sotto_bytes_equal(back.unsigned_part, rejoin.unsigned_part));
    }
    sotto_buf_clear(&again);
    if (sealed_envelope_read(input, &sealed, &fault) == SOTTO_OK) {
        BUG_UNLESS(sealed_envelope_write(&sealed, &again) == SOTTO_OK);
        BUG_UNLESS(sotto_bytes_equal(sotto_buf_view(&again), input));
    }
    sotto_buf_free(&again);
    return 0;
}
