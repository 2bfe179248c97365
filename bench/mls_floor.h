/* What the primitive operations cost here and now, and the floor that they put under each operation
 * of MLS: the sum of those that RFC 9420 leaves no way around (docs/BENCH.md). */
#ifndef BENCH_MLS_FLOOR_H
#define BENCH_MLS_FLOOR_H

#include "crypto/crypto.h"

/* Nanoseconds, each the least of several samples; _byte: of each further byte. */
struct prims {
    const struct suite *suite;
    double yardstick;                    /* prims_pace's */
    double verify, sign;                 /* one signature over 200 bytes */
    double sha512_byte;                  /* what Ed25519 hashes its message with */
    double kem_derive;                   /* DeriveKeyPair */
    double seal, open;                   /* EncryptWithLabel, DecryptWithLabel of a path secret */
    double kem_check;                    /* of a public key from outside */
    double expand, mac, hash, hash_byte; /* ExpandWithLabel, HMAC, the suite's hash of 100 bytes */
    double aead, aead_byte;              /* 100 bytes; the lesser of seal and open */
};

void prims_measure(struct crypto *crypto, const struct suite *suite, struct prims *p);

/* How much slower the processor is now than when p was measured: about 1, more while neighbours
 * share it. Floors are scaled by what was found before and after an operation. */
double prims_pace(const struct prims *p);

/* What an operation's size is. */
struct work {
    unsigned members, added;
    unsigned depth;   /* levels of parents */
    unsigned path;    /* nodes of the filtered direct path */
    unsigned above;   /* of them, those at and above the common ancestor with the receiver */
    unsigned seals;   /* ciphertexts in the path */
    unsigned parents; /* non-blank parent nodes of the tree */
    size_t bytes;     /* of the message, or of the Welcome's GroupInfo */
    size_t leaf;      /* bytes of a leaf */
    size_t package;   /* bytes of a KeyPackage */
    size_t commit;    /* bytes of the commit that adds, where bytes is the Welcome's */
};

double floor_commit_process(const struct prims *p, const struct work *w);
double floor_commit_create(const struct prims *p, const struct work *w);
double floor_group_create(const struct prims *p, const struct work *w);
double floor_join(const struct prims *p, const struct work *w);
double floor_encrypt(const struct prims *p, const struct work *w);
double floor_decrypt(const struct prims *p, const struct work *w);
double floor_load(const struct prims *p, const struct work *w);

/* Processor time of the process: a busy machine does not count, threads do. */
double cpu_ns(void);

#endif
