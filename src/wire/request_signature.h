/* The signature of a request that comes in an envelope (join.h, rejoin.h): the device that asks
 * makes it for one receiver, who is part of what is signed, so that nobody can pass the request on
 * to another. Internal. */
#ifndef WIRE_REQUEST_SIGNATURE_H
#define WIRE_REQUEST_SIGNATURE_H

#include "codec/writer.h"
#include "wire/ids.h"

/* Whether the key made the signature (SIGNATURE_SIZE bytes) of the fields, under that label. */
bool request_signature_verify(const sotto_env *env, const char *label,
                              const struct account_id *receiver,
                              const struct device_id *receiver_device, sotto_bytes fields,
                              sotto_bytes signature,
                              const uint8_t signature_key[static SIGN_KEY_SIZE]);

/* Signs what was written since writer_init, and writes the signature and the padding behind it. */
void request_signature_write(struct writer *writer, const char *label,
                             const struct account_id *receiver,
                             const struct device_id *receiver_device,
                             const uint8_t signature_seed[static SIGN_SEED_SIZE]);

#endif
