/* Any bytes as a whisper, as they come (refused, but by chance) and as what a member sealed. */
#include <sodium.h>
#include <string.h>

#include "core/whisper.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct whisper_place place = {{{1}}, 7, {9}};
    uint8_t plain[WHISPER_PLAIN] = {0}, sealed[WHISPER_SIZE] = {0}, where[ROOM_ID_SIZE + 8] = {0};
    struct whisper whisper;
    if (size <= WHISPER_SIZE &&
        whisper_open(&place, sotto_bytes_of(data, size), &whisper) == SOTTO_OK)
        BUG_UNLESS(size == WHISPER_SIZE);
    if (size > 0)
        memcpy(plain, data, size < sizeof plain ? size : sizeof plain);
    where[0] = 1;
    where[sizeof where - 1] = 7;
    crypto_aead_xchacha20poly1305_ietf_encrypt(sealed + 24, NULL, plain, sizeof plain, where,
                                               sizeof where, NULL, sealed, place.key);
    sotto_error error = whisper_open(&place, sotto_bytes_of(sealed, sizeof sealed), &whisper);
    BUG_UNLESS(error == SOTTO_OK || error == SOTTO_VERSION || error == SOTTO_VALUE);
    BUG_UNLESS(error != SOTTO_OK || (plain[0] == 1 && whisper.kind == plain[1]));
    return 0;
}
