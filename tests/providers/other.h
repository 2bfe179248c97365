/* A second crypto provider, for tests alone: each primitive by another library than the default
 * provider's, as far as Debian's libraries go. All algorithms; contexts are not reused and constant
 * time is not claimed. */
#ifndef TESTS_PROVIDERS_OTHER_H
#define TESTS_PROVIDERS_OTHER_H

#include "sotto/mls_provider.h"

const sotto_mls_provider *provider_other(void);

#endif
