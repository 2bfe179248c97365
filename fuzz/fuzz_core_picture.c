/* Any bytes as a picture: what is stripped is a picture of the same size, and nothing is left to
 * strip of it. */
#include "core/picture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const sotto_env *env = sotto_env_system();
    sotto_bytes input = sotto_bytes_of(data, size);
    struct picture picture, looked, again;
    sotto_fault fault = {0};
    sotto_buf once, twice;
    sotto_buf_init(&once, env);
    sotto_buf_init(&twice, env);
    sotto_error error = picture_strip(input, &picture, &once, &fault);
    BUG_UNLESS(picture_look(input, &looked, &fault) == error);
    if (error == SOTTO_OK) {
        BUG_UNLESS(looked.type == picture.type && looked.width == picture.width &&
                   looked.height == picture.height && looked.orientation == picture.orientation);
        BUG_UNLESS(picture_strip(sotto_buf_view(&once), &again, &twice, &fault) == SOTTO_OK);
        BUG_UNLESS(sotto_bytes_equal(sotto_buf_view(&once), sotto_buf_view(&twice)));
        BUG_UNLESS(again.type == picture.type && again.width == picture.width &&
                   again.height == picture.height && again.orientation == picture.orientation);
    } else
        BUG_UNLESS(fault.error == error && fault.what != NULL && fault.offset <= size);
    sotto_buf_free(&once);
    sotto_buf_free(&twice);
    return 0;
}
