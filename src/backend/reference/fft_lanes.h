/* The loops of discrete Fourier transforms, over vectors of numbers side by side. */
#ifndef TME_FFT_LANES_H
#define TME_FFT_LANES_H

#include "backend/reference/fft_plan.h"

/* Rows that are transformed together. Steps and counts in numbers: complex ones, and where the loops say so real ones. */
typedef struct fft_rows {
  int rows; /* at most the plan's lanes */
  const char *x[FFT_MOST_LANES];
  char *y[FFT_MOST_LANES];
  int64_t x_step, y_step;
  int64_t have; /* of each row of x; what follows is 0 */
  bool inverse; /* not divided by n: real and imaginary parts change places, before and after */
  double scale; /* of the results */
} fft_rows;

/* For each precision, and each instruction set that they are compiled for, with the same results. */
typedef struct fft_loops {
  /* Rows side by side. work: 2 n + 2 max(outer.n, inner.n) vectors. */
  void (*lanes)(const fft_plan *p, const fft_rows *r, void *work);
  /* One contiguous row as a matrix: groups [g0, g1) of columns into `between`, which holds ceil(outer.n / lanes) inner.n
   * vectors; then groups of rows from there. work: 2 outer.n vectors, inner.n vectors. */
  void (*columns)(const fft_plan *p, const fft_rows *r, void *between, void *work, int64_t g0, int64_t g1);
  void (*lines)(const fft_plan *p, const fft_rows *r, void *between, void *work, int64_t g0, int64_t g1);
  /* A convolution: x, contiguous, times the chirp; times the spectrum, n numbers; the result. */
  void (*chirp_in)(const fft_plan *p, const void *x, int64_t have, bool inverse, void *y);
  void (*multiply)(void *x, const void *by, int64_t n);
  void (*chirp_out)(const fft_plan *p, const void *x, bool inverse, double scale, void *y);
  /* A real row of even length n, as n / 2 complex numbers transformed, to n / 2 + 1 of its spectrum, in place; and what is
   * transformed back to a real row. */
  void (*real_after)(const fft_plan *p, void *x);
  void (*real_before)(const fft_plan *p, const void *x, void *y);
} fft_loops;

const fft_loops *fft_loops_get(bool wide);

#endif
