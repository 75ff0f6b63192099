#include "base/libm.h"
#include "base/special.h"
#include <math.h>
#include <stddef.h>
#include <stdint.h>

/* lgamma itself writes the global signgam: a data race between threads. */
static double lgamma_pure(double x) {
  int sign;
  return lgamma_r(x, &sign);
}
#define lgamma lgamma_pure

const void *const libm_table[LIBM_COUNT] = {
#define LIBM(name, arity) (const void *)(uintptr_t)(name),
#include "base/libm.def"
#undef LIBM
};

#undef lgamma

static const struct {
  const char *name;
  int arity;
} info[LIBM_COUNT] = {
#define LIBM(name, arity) {#name, arity},
#include "base/libm.def"
#undef LIBM
};

const char *libm_name(libm_id f) { return (unsigned)f < LIBM_COUNT ? info[f].name : NULL; }
int libm_arity(libm_id f) { return (unsigned)f < LIBM_COUNT ? info[f].arity : 0; }
