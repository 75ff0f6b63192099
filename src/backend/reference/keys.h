/* Sort keys: unsigned numbers in the order of the elements, so that what sorts or searches knows keys alone. Zeros of both signs
 * have one key, and so have all NaNs, the last one. */
#ifndef TME_REF_KEYS_H
#define TME_REF_KEYS_H

#include "backend/reference/reference.h"
#include <string.h>

/* Of numbers up to 32 bits; of 64 bits, and of complex64; of complex128, in the order of `high`, then of `low`. */
typedef struct wide_key {
  uint64_t high, low;
} wide_key;

/* The bytes of a key of dtype t: 4, 8 or 16. */
size_t keys_size(tme_dtype t);
/* The keys of n elements; `descending`: in the opposite order, but for NaN. Complex numbers are in the order of their real parts,
 * then of their imaginary ones; those with NaN come last, as NumPy has them. */
void keys_make(tme_dtype t, const char *from, int64_t step, int64_t n, bool descending, void *keys);
/* Back, of dtypes that are not complex. */
void keys_read(tme_dtype t, const void *keys, int64_t n, bool descending, char *to);
/* The keys of all elements, in row-major order. */
void keys_of_array(threads *t, const ref_array *x, void *keys);
/* Whether elements with that key are NaN, which equals nothing. `at`: the number of the key. */
bool key_is_nan(tme_dtype t, const void *keys, int64_t at);
/* How many of n sorted keys, of a dtype that is not complex, are below those of zeros; *zeros: how many are those of zeros. */
int64_t keys_before_zeros(tme_dtype t, const void *keys, int64_t n, bool descending, int64_t *zeros);

/* Whether an element of a dtype of floats, of so many bytes, is a zero of either sign. */
static inline bool float_is_zero(const char *p, size_t size) {
  uint64_t bits = 0; /* little-endian, as all machines that tme runs on */
  switch (size) {
  case 1: memcpy(&bits, p, 1); break;
  case 2: memcpy(&bits, p, 2); break;
  case 4: memcpy(&bits, p, 4); break;
  default: memcpy(&bits, p, 8);
  }
  return !(bits << (64 - 8 * size) << 1);
}

#endif
