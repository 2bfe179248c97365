/* Under the constant-time test (tests/ct) secrets are marked undefined, and valgrind reports every
 * branch and index that depends on one. What is computed from a secret and is public all the same
 * (part of a public key) is declared so here. Nothing in a normal build. */
#ifndef CRYPTO_PUBLIC_TAINT_H
#define CRYPTO_PUBLIC_TAINT_H

#ifdef SOTTO_CTGRIND
#include <valgrind/memcheck.h>
#define public_from_here(data, size) VALGRIND_MAKE_MEM_DEFINED(data, size)
#else
#define public_from_here(data, size) ((void)0)
#endif

#endif
