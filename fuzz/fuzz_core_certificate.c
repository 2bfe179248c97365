/* Any bytes as a leaf: signature key (32), identity of the credential (48), certificate (the rest).
 * A forged one is never accepted: the input does not know our account's private key. */
#include <string.h>

#include "core/identity.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < SIGN_KEY_SIZE + CREDENTIAL_SIZE)
        return 0;
    const uint8_t *certificate = data + SIGN_KEY_SIZE + CREDENTIAL_SIZE;
    sotto_mls_extension extension = {
        .type = IDENTITY_EXTENSION_CERTIFICATE,
        .data = sotto_bytes_of(certificate, size - SIGN_KEY_SIZE - CREDENTIAL_SIZE)};
    sotto_mls_leaf leaf = {
        .signature_key = sotto_bytes_of(data, SIGN_KEY_SIZE),
        .credential = {.type = SOTTO_MLS_BASIC,
                       .identity = sotto_bytes_of(data + SIGN_KEY_SIZE, CREDENTIAL_SIZE)},
        .extensions = &extension,
        .extension_count = 1,
    };
    struct identity_leaf who;
    sotto_fault fault = {0};
    sotto_error error = identity_read_leaf(&leaf, &who, &fault);
    if (error == SOTTO_OK) {
        struct account_id account;
        account_id_of(who.account_key, &account);
        BUG_UNLESS(account_id_equal(&account, &who.account));
        BUG_UNLESS(memcmp(who.account.bytes, data + SIGN_KEY_SIZE, ACCOUNT_ID_SIZE) == 0);
    } else {
        BUG_UNLESS(error == SOTTO_CREDENTIAL && strlen(fault.what) > 0);
    }
    return 0;
}
