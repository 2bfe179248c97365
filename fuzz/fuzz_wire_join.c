/* Any bytes as a request to join, opened, and as a link: what is accepted fits its limits. */
#include <string.h>

#include "wire/join.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct join_request request;
    struct join_link link;
    sotto_fault fault = {0};
    sotto_buf bytes, again;
    sotto_buf_init(&bytes, sotto_env_system());
    sotto_buf_init(&again, sotto_env_system());
    sotto_bytes input = sotto_bytes_of(data, size);
    if (join_request_read(input, &request, &fault) == SOTTO_OK) {
        BUG_UNLESS(join_request_is(input));
        BUG_UNLESS(request.name.size <= WIRE_NAME_MAX && request.signature.size == SIGNATURE_SIZE);
    }
    if (join_link_parse(input, &bytes, &link, &fault) == SOTTO_OK)
        BUG_UNLESS(join_link_format(&link, &again) == SOTTO_OK);
    else
        BUG_UNLESS(bytes.size == 0);
    sotto_buf_free(&bytes);
    sotto_buf_free(&again);
    return 0;
}
