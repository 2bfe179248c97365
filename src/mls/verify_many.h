/* Signatures of many leaves and KeyPackages at once, where the environment can do several things at
 * the same time (sotto_env.parallel). It only notes which ones verify: whoever asks goes through
 * the leaves in order afterwards as ever and skips those, so that what is refused, and why, does
 * not depend on threads. */
#ifndef MLS_VERIFY_MANY_H
#define MLS_VERIFY_MANY_H

#include "mls/types.h"

struct to_verify {
    const struct leaf_node *leaf; /* one that was read; its own signature */
    const struct key_package
        *package;            /* the leaf's KeyPackage, whose signature counts too, or NULL */
    struct leaf_index index; /* of the leaf, where it stands in a tree */
    bool verified;           /* the answer */
};

/* Whether it is worth collecting that many. */
bool verify_many_helps(const struct crypto *crypto, size_t count);

/* Sets verified where all signatures of an item hold. Those that could not be looked at for lack of
 * memory stay false too. */
void verify_many(struct crypto *crypto, const struct suite *suite, sotto_bytes group_id,
                 struct to_verify *items, size_t count);

#endif
