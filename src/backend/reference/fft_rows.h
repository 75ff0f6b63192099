/* Discrete Fourier transforms of rows, by a plan. */
#ifndef TME_FFT_ROWS_H
#define TME_FFT_ROWS_H

#include "backend/reference/fft_lanes.h"
#include "base/threads.h"

/* One contiguous row, spread over the threads (or NULL) if it is long. x and y may not overlap. work: aligned to 64 bytes;
 * for so many threads. */
size_t fft_row_work(const fft_plan *p, int count);
void fft_row(const fft_plan *p, threads *t, const void *x, int64_t have, bool inverse, double scale, void *y,
             void *work);

/* What x and y hold: real numbers, or complex ones; of the spectrum of real rows n / 2 + 1. */
typedef enum fft_kind { FFT_COMPLEX, FFT_FROM_REAL, FFT_TO_REAL } fft_kind;

typedef struct fft_job {
  const fft_plan *plan; /* of real numbers where n is even and one side is real */
  fft_kind kind;
  int64_t n;
} fft_job;

/* How many rows are best given at once. */
int fft_rows_together(const fft_job *j);
/* Rows as described. x and y may not overlap. */
size_t fft_rows_work(const fft_job *j, int count);
void fft_rows_run(const fft_job *j, threads *t, const fft_rows *r, void *work);

#endif
