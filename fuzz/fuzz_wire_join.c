/* Any bytes as a request to join, opened, and as a link: what is accepted is written back, signed
 * anew and the link in its one form. */
#include <string.h>

#include "wire/join.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct account_id account;
    static const struct device_id device;
    static const uint8_t seed[SIGN_SEED_SIZE];
    struct join_request request, back;
    struct join_link link;
    sotto_fault fault = {0};
    sotto_buf bytes, again;
    sotto_buf_init(&bytes, sotto_env_system());
    sotto_buf_init(&again, sotto_env_system());
    sotto_bytes input = sotto_bytes_of(data, size);
    if (join_request_read(input, &request, &fault) == SOTTO_OK) {
        BUG_UNLESS(join_request_is(input));
        BUG_UNLESS(join_request_write(&request, &account, &device, seed, &again) == SOTTO_OK);
        BUG_UNLESS(again.size == input.size);
        BUG_UNLESS(join_request_read(sotto_buf_view(&again), &back, &fault) == SOTTO_OK);
        BUG_UNLESS(sotto_bytes_equal(back.unsigned_part, request.unsigned_part));
    }
    sotto_buf_clear(&again);
    if (join_link_parse(input, &bytes, &link, &fault) == SOTTO_OK)
        BUG_UNLESS(join_link_format(&link, &again) == SOTTO_OK);
    else
        BUG_UNLESS(bytes.size == 0);
    sotto_buf_free(&bytes);
    sotto_buf_free(&again);
    return 0;
}
