/* The C library's functions as a table that kernels call through. */
#ifndef TME_LIBM_H
#define TME_LIBM_H

typedef enum libm_id {
#define LIBM(name, arity) LIBM_##name,
#include "base/libm.def"
#undef LIBM
  LIBM_COUNT
} libm_id;

extern const void *const libm_table[LIBM_COUNT]; /* double (*)(double), (double, double) ... */
const char *libm_name(libm_id f);
int libm_arity(libm_id f);

#endif
