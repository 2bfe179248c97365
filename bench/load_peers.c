#include "load_peers.h"

size_t peers_start(struct target *targets, size_t channels)
{
    (void)targets;
    (void)channels;
    return 0;
}
