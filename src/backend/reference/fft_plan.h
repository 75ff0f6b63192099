/* Plans of discrete Fourier transforms: how a length is taken apart, and the roots of unity that this takes. Plans are shared
 * and do not change. */
#ifndef TME_FFT_PLAN_H
#define TME_FFT_PLAN_H

#include "base/base.h"
#include <stdatomic.h>

enum {
  FFT_FACTORS = 40,
  FFT_MOST_FACTOR = 61, /* lengths with a larger prime are convolutions */
  FFT_MOST_LANES = 8
};

/* A transform by one factor after the other, with its results in order (Stockham's). */
typedef struct fft_stages {
  int64_t n;
  int factors, factor[FFT_FACTORS];
  int64_t rest[FFT_FACTORS]; /* the length that is left after each factor */
  /* Of each factor r, of a length r m: exp(-2 pi i p k / (r m)), p < m, 0 < k < r; then exp(-2 pi i k / r), k < r, where no
   * loop knows them. */
  const void *roots[FFT_FACTORS];
} fft_stages;

typedef struct fft_plan fft_plan;
struct fft_plan {
  atomic_int refs;
  int64_t n;
  bool wide; /* f64 */
  int lanes; /* numbers that are worked on side by side, whatever the processor */
  /* n = outer.n inner.n, as a matrix of outer.n rows: its columns are transformed, turned by exp(-2 pi i row column / n),
   * and its rows transformed ("four-step"). outer.n is 1 where n is small. */
  fft_stages outer, inner;
  /* What they are turned by, vectors of real parts followed by those of imaginary ones: of each group of columns and each row;
   * or, of long transforms, the product of that of the group's first column and that of the column within the group. */
  const void *turn, *turn_group, *turn_within;
  /* n has a large prime: a convolution with exp(i pi k^2 / n), of a length that has none (Bluestein's). */
  fft_plan *convolution;
  const void *chirp, *spectrum;
  /* A real transform of even length n: a complex one of half the length, and exp(-2 pi i k / n), k <= n / 4. */
  fft_plan *half;
  const void *half_roots;
  size_t bytes; /* of all of it */
};

/* The plan, a reference to which is the caller's. `real`: of real numbers, n even. NULL when out of memory. */
fft_plan *fft_plan_get(int64_t n, bool wide, bool real, error *e);
void fft_plan_release(fft_plan *p);

/* Plans are kept from one call to the next while there are users. */
void fft_plans_use(void);
void fft_plans_leave(void);

/* For tests: how exact roots are. exp(-2 pi i k / n), 0 <= k < n. */
c128 fft_root(int64_t k, int64_t n);

#endif
