/* The engine object, shared by all of the public API's files. */
#ifndef MLS_ENGINE_H
#define MLS_ENGINE_H

#include "crypto/crypto.h"
#include "mls/secret_tree.h"
#include "sotto/mls.h"

struct sotto_mls {
    const sotto_env *env;
    sotto_mls_config config;
    struct secret_limits limits;
    struct crypto *crypto;
    sotto_fault fault;
    struct arena lent; /* lists that a call lends until the next one */
};

/* Every public call starts so: forgets the last fault and what was lent. */
void mls_begin(sotto_mls *mls);

/* Records the fault and returns the error. offset 0: no single byte is to blame. */
sotto_error mls_fail(sotto_mls *mls, sotto_error error, const char *what);

/* Records a decoder's fault. */
sotto_error mls_fail_at(sotto_mls *mls, sotto_fault fault);

/* Passes an error on; what names the step, unless an inner call recorded a fault of its own. */
sotto_error mls_check(sotto_mls *mls, sotto_error error, const char *what);

/* The suite; UNSUPPORTED if the provider cannot run it. */
sotto_error mls_suite(sotto_mls *mls, uint16_t id, const struct suite **suite);

#endif
