/* Pre-shared keys (RFC 9420, section 8.4). */
#ifndef MLS_PSK_H
#define MLS_PSK_H

#include "codec/reader.h"
#include "codec/writer.h"
#include "crypto/crypto.h"

enum { PSK_EXTERNAL = 1, PSK_RESUMPTION = 2 };
enum { PSK_APPLICATION = 1, PSK_REINIT = 2, PSK_BRANCH = 3 };

/* PreSharedKeyID; views borrow. */
struct psk_id {
    uint8_t type;
    uint8_t usage;     /* resumption */
    uint64_t epoch;    /* resumption */
    sotto_bytes id;    /* external: psk_id; resumption: psk_group_id */
    sotto_bytes nonce; /* psk_nonce */
};

void psk_id_read(struct reader *reader, struct psk_id *id);
void psk_id_write(struct writer *writer, const struct psk_id *id);

/* Same key named, whatever the nonce (12.2: no two proposals for one PreSharedKeyID). */
bool psk_id_same(const struct psk_id *a, const struct psk_id *b);

/* psk_secret over all keys in order; zero for none. On error out is wiped. */
sotto_error psk_secret_compute(struct crypto *crypto, const struct suite *suite,
                               const struct psk_id *ids, const sotto_bytes *keys, size_t count,
                               struct secret *out);

#endif
