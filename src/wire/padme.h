/* Padmé (Nikitin et al., PURBs, PETS 2019): a padded size leaks O(log log n) bits of the size, at
 * the price of at most 12 %. */
#ifndef WIRE_PADME_H
#define WIRE_PADME_H

#include <stddef.h>

/* The padded size of size bytes: the smallest of Padmé's sizes that holds them, at least
 * WIRE_PADDING_MIN. Never less than size. */
size_t padme_size(size_t size);

#endif
