/* The MLS working group's test vectors: one check a format. A case borrows its JSON; bytes decoded
 * from hex live in the run's arena until the case is over. */
#ifndef TOOLS_VECTORS_H
#define TOOLS_VECTORS_H

#include <jansson.h>

#include "crypto/crypto.h"

/* The crypto provider: the default one, unless the build names another (tests/providers). */
#ifndef VECTORS_PROVIDER
#define VECTORS_PROVIDER sotto_mls_provider_default
#endif
const sotto_mls_provider *VECTORS_PROVIDER(void);

enum verdict { PASSED, FAILED, NOT_APPLICABLE };

struct run {
    struct crypto *crypto;
    const struct suite *suite; /* of the case; NULL where the format has none */
    struct arena arena;        /* of the case */
    const char *failed;        /* what did not hold */
    int line;
};

struct format {
    const char *name;
    const char *keys[3]; /* members by which a case of this format is known */
    bool (*check)(struct run *run, const json_t *item);
};

/* Formats of a file each, ended by a NULL name. */
extern const struct format formats_basics[];
extern const struct format formats_messages[];
extern const struct format formats_trees[];
extern const struct format formats_passive[];

/* A member as bytes; empty (and the run failed) if it is absent or not hex. */
sotto_bytes field_bytes(struct run *run, const json_t *object, const char *name);
sotto_bytes hex_bytes(struct run *run, const json_t *value);
/* A private key of the suite; the files leave out leading zeros of NIST scalars, Sotto's API does
 * not. */
sotto_bytes field_private(struct run *run, const json_t *object, const char *name);
const char *field_text(const json_t *object, const char *name);
uint64_t field_uint(const json_t *object, const char *name);

/* Whether a ratchet_tree decodes and encodes to the same bytes. */
bool tree_again(struct run *run, sotto_bytes input);

bool run_fail(struct run *run, const char *what, int line);

/* Leaves the check with the condition's text as the reason. */
#define EXPECT(condition)                               \
    do {                                                \
        if (!(condition))                               \
            return run_fail(run, #condition, __LINE__); \
    } while (0)
#define EXPECT_OK(call) EXPECT((call) == SOTTO_OK)

#endif
