/* What is known of each dtype. */
#ifndef TME_DTYPE_H
#define TME_DTYPE_H

#include "base/half.h"
#include "tme/tme.h"

typedef enum dtype_class { KIND_BOOL, KIND_UNSIGNED, KIND_SIGNED, KIND_FLOAT, KIND_COMPLEX } dtype_class;

/* A row of dtypes.def. */
typedef struct dtype_info {
  const char *name, *brief, *npy, *safetensors, *c;
  double most, least;
  tme_dtype held;
  dtype_class kind; /* KIND_FLOAT of narrow floats too */
  uint8_t size, digits, dlpack, place;
  bool kernels;
} dtype_info;

/* Of what is no dtype a row without a name. */
const dtype_info *dtype_get(tme_dtype t);

bool dtype_is_float(tme_dtype t); /* real floating */
bool dtype_is_complex(tme_dtype t);
bool dtype_is_int(tme_dtype t); /* integers, not bool */
bool dtype_is_signed(tme_dtype t);
bool dtype_is_narrow(tme_dtype t); /* a float that is computed in float32 */
tme_dtype dtype_real(tme_dtype t); /* c64 -> f32; others themselves */
tme_dtype dtype_wide(tme_dtype t); /* narrow floats -> f32; others themselves */
tme_dtype dtype_held(tme_dtype t); /* both: what loops and kernels compute in */
/* Whether kernels compute in it: bool, integers, f32 and f64. */
bool dtype_is_value(tme_dtype t);
/* NULL if compiled kernels load and store it, else why not (static text, which names it). */
const char *dtype_no_kernels(tme_dtype t);

typedef struct c64 {
  float re, im;
} c64;

typedef struct c128 {
  double re, im;
} c128;

/* The number, or one of its neighbours in f64 so that rounding it to a narrow float gives what rounding the number would. */
double int_to_odd(int64_t v);
double uint_to_odd(uint64_t v);

#endif
