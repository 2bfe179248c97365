/* The parts of the other provider: see other.h. */
#ifndef TESTS_PROVIDERS_OTHER_INTERNAL_H
#define TESTS_PROVIDERS_OTHER_INTERNAL_H

#include "base/base.h"
#include "providers/other.h"

/* By hogweed, nettle's other half. curve: 0, 1, 2 for P-256, P-384, P-521. */
sotto_error nist_other_public(unsigned curve, const uint8_t *private_key, uint8_t *public_key);
sotto_error nist_other_agree(unsigned curve, const uint8_t *private_key, const uint8_t *public_key,
                             uint8_t *shared);
sotto_error nist_other_check(unsigned curve, const uint8_t *public_key);
sotto_error nist_other_sign(unsigned curve, const uint8_t *private_key, sotto_bytes message,
                            uint8_t *signature, size_t *size);
sotto_error nist_other_verify(unsigned curve, const uint8_t *public_key, sotto_bytes message,
                              sotto_bytes signature);

#endif
