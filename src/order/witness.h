/* Asking witnesses to cosign the log's checkpoint (C2SP tlog-witness). */
#ifndef ORDER_WITNESS_H
#define ORDER_WITNESS_H

#include "order/office.h"

/* Asks every witness that is enrolled for a cosignature of the published checkpoint, and publishes
 * it with those that came. told, may be NULL, hears of each: why NULL: it cosigned. cosigned: how
 * many did. A witness that cannot be reached is no error. */
sotto_error witness_ask_all(struct office *office,
                            void (*told)(void *ctx, const char *name, const char *why), void *ctx,
                            size_t *cosigned);

#endif
