/* Apart from engine.c, so that a program with a provider of its own links without the default one.
 */
#include "sotto/mls.h"

sotto_error sotto_mls_new(const sotto_env *env, const sotto_mls_config *config, sotto_mls **mls)
{
    return sotto_mls_new_with_provider(env, config, sotto_mls_provider_default(), mls);
}
