/* CBLAS and LAPACK, opened at run time (OpenBLAS or the system's LAPACK); all absent is fine. */
#ifndef TME_LIBRARIES_H
#define TME_LIBRARIES_H

#include "base/base.h"

typedef struct libraries {
  const char *name; /* "openblas 0.3.21, core Zen", "" if there is none */
  const char *slow; /* why its products are far slower than the processor allows, "" if they are not */
  void (*sgemm)(int, int, int, int, int, int, float, const float *, int, const float *, int, float, float *, int);
  void (*dgemm)(int, int, int, int, int, int, double, const double *, int, const double *, int, double, double *, int);
  /* LAPACK, column-major: those of float and double, and of complex numbers made of these */
#define REAL(name, ...) void (*real_##name[2])(__VA_ARGS__);
#define COMPLEX(name, ...) void (*complex_##name[2])(__VA_ARGS__);
#include "backend/lapack.def"
} libraries;

/* Opened once per process, RTLD_LOCAL, set to one thread of their own. Missing functions are NULL. NULL where they may not be
 * used: the process is ending, or was forked while another thread used them; else libraries_leave() follows the last call. */
const libraries *libraries_use(void);
void libraries_leave(void);

#endif
