/* Tables that grow. */
#ifndef TME_GROW_H
#define TME_GROW_H

#include "base/base.h"

/* Room for n elements of `size` bytes in the table whose address is `table` (T **) and whose capacity is *cap; it grows to
 * twice what is asked for. False, and the table as it was, when out of memory. */
bool grow(void *table, int *cap, int n, size_t size);

#endif
