/* What an authority, or whoever says to be one, may send; and what the office hands over. */
#include "order/cms.h"
#include "relay/withdrawal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const sotto_bytes input = sotto_bytes_of(data, size);
    char problem[ORDER_PROBLEM_MAX];
    struct order_document document;
    struct order_signed is_signed;
    static struct withdrawal withdrawal;
    uint64_t accounts, time_s;
    if (withdrawal_read(input, &withdrawal) == SOTTO_OK)
        BUG_UNLESS(withdrawal_on_s(&withdrawal) % 86400 == 0);
    (void)withdrawal_left_read(input, &accounts, &time_s);
    if (order_document_read(input, &document, problem) == SOTTO_OK)
        order_document_free(&document);
    if (order_signed_read(input, &is_signed, problem) == SOTTO_OK) {
        /* No anchor: whatever it is, it is refused, and says why. */
        const struct order_trust trust = {.certificates = sk_X509_new_null(), .now_s = 1800000000};
        struct order_signer signer;
        sotto_buf out;
        sotto_buf_init(&out, sotto_env_system());
        BUG_UNLESS(order_signed_check(&is_signed, NULL, &trust, &out, &signer, problem) !=
                   SOTTO_OK);
        BUG_UNLESS(problem[0] != '\0');
        sotto_buf_free(&out);
        sk_X509_free(trust.certificates);
        order_signed_free(&is_signed);
    }
    return 0;
}
