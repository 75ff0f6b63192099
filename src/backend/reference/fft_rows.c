#include "backend/reference/fft_rows.h"
#include <string.h>

/* Rows up to here may be worked on side by side; from there on a row is worth several threads. */
enum { LONGEST_LANES = 1 << 13, LONG_ROW = 1 << 15, ALIGNMENT = 64 };

static size_t number_of(const fft_plan *p) { return p->wide ? sizeof(c128) : sizeof(c64); }

static size_t aligned(size_t bytes) { return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT; }

static size_t vectors(const fft_plan *p, int64_t n) { return (size_t)n * (size_t)p->lanes * number_of(p); }

static int64_t groups(const fft_plan *p, int64_t n) { return ceil_div(n, p->lanes); }

/* ---- one row ------------------------------------------------------------------------------------------------------------------ */

static size_t lanes_work(const fft_plan *p) {
  return p->outer.n == 1 ? vectors(p, 2 * p->n) : vectors(p, 2 * p->n + 2 * p->outer.n);
}

/* Of each thread. */
static size_t matrix_work(const fft_plan *p) {
  return vectors(p, 2 * p->outer.n > p->inner.n ? 2 * p->outer.n : p->inner.n);
}

static size_t matrix_size(const fft_plan *p) { return vectors(p, groups(p, p->outer.n) * p->inner.n); }

size_t fft_row_work(const fft_plan *p, int count) {
  if (p->convolution)
    return 2 * aligned((size_t)p->convolution->n * number_of(p)) + fft_row_work(p->convolution, count);
  if (p->outer.n == 1) return lanes_work(p);
  return matrix_size(p) + (size_t)count * matrix_work(p);
}

typedef struct matrix_call {
  const fft_loops *loops;
  const fft_plan *plan;
  const fft_rows *rows;
  char *between, *work;
} matrix_call;

static void columns(void *user, int thread, int64_t g0, int64_t g1) {
  const matrix_call *c = user;
  c->loops->columns(c->plan, c->rows, c->between, c->work + (size_t)thread * matrix_work(c->plan), g0, g1);
}

static void lines(void *user, int thread, int64_t g0, int64_t g1) {
  const matrix_call *c = user;
  c->loops->lines(c->plan, c->rows, c->between, c->work + (size_t)thread * matrix_work(c->plan), g0, g1);
}

static void by_matrix(const fft_plan *p, threads *t, const fft_rows *r, void *work) {
  matrix_call c = {fft_loops_get(p->wide), p, r, work, (char *)work + matrix_size(p)};
  if (p->n < LONG_ROW) t = NULL;
  threads_for(t, groups(p, p->inner.n), 1, columns, &c);
  threads_for(t, groups(p, p->outer.n), 1, lines, &c);
}

static void by_convolution(const fft_plan *p, threads *t, const fft_rows *r, void *work) {
  const fft_loops *loops = fft_loops_get(p->wide);
  const fft_plan *c = p->convolution;
  size_t bytes = aligned((size_t)c->n * number_of(p));
  char *a = work, *b = a + bytes, *rest = b + bytes;
  loops->chirp_in(p, r->x[0], r->have, r->inverse, a);
  fft_row(c, t, a, p->n, false, 1, b, rest);
  loops->multiply(b, p->spectrum, c->n);
  fft_row(c, t, b, c->n, true, 1, a, rest);
  loops->chirp_out(p, a, r->inverse, r->scale, r->y[0]);
}

void fft_row(const fft_plan *p, threads *t, const void *x, int64_t have, bool inverse, double scale, void *y,
             void *work) {
  fft_rows r = {.rows = 1,
                .x = {x},
                .y = {y},
                .x_step = 1,
                .y_step = 1,
                .have = have < p->n ? have : p->n,
                .inverse = inverse,
                .scale = scale};
  if (p->convolution)
    by_convolution(p, t, &r, work);
  else if (p->outer.n == 1)
    fft_loops_get(p->wide)->lanes(p, &r, work);
  else
    by_matrix(p, t, &r, work);
}

/* ---- rows of complex numbers ---------------------------------------------------------------------------------------------------- */

/* n elements of that many bytes from one step to another; zeros up to `all`. */
static void copy(const char *x, int64_t step, size_t size, int64_t n, char *y, int64_t y_step, int64_t all) {
#define COPY(bytes)                                                                                                    \
  case bytes:                                                                                                          \
    for (int64_t i = 0; i < n; i++) memcpy(y + i * y_step * bytes, x + i * step * bytes, bytes);                       \
    for (int64_t i = n; i < all; i++) memset(y + i * y_step * bytes, 0, bytes);                                        \
    break;
  switch (size) {
    COPY(4)
    COPY(8)
    COPY(16)
  default: break;
  }
#undef COPY
}

/* Side by side no lane is wasted; as a matrix a row stays in the first cache and is neither gathered nor scattered. */
static bool side_by_side(const fft_plan *p, const fft_rows *r) {
  if (p->convolution || p->n > LONGEST_LANES) return false;
  if (p->outer.n == 1) return true;
  if (2 * r->rows < p->lanes) return false;
  double used = (double)p->n / (double)(groups(p, p->outer.n) * groups(p, p->inner.n) * p->lanes * p->lanes);
  return r->x_step != 1 || r->y_step != 1 || used < 0.7;
}

static size_t complex_work(const fft_plan *p, int count) {
  size_t row = fft_row_work(p, count) + 2 * aligned((size_t)p->n * number_of(p));
  size_t lanes = p->convolution || p->n > LONGEST_LANES ? 0 : lanes_work(p);
  return row > lanes ? row : lanes;
}

static void run_complex(const fft_plan *p, threads *t, const fft_rows *r, char *work) {
  if (side_by_side(p, r)) {
    fft_loops_get(p->wide)->lanes(p, r, work);
    return;
  }
  size_t size = number_of(p), bytes = aligned((size_t)p->n * size);
  int64_t have = r->have < p->n ? r->have : p->n;
  for (int l = 0; l < r->rows; l++) {
    const char *x = r->x[l];
    char *y = r->y_step == 1 ? r->y[l] : work + bytes;
    if (r->x_step != 1) {
      copy(x, r->x_step, size, have, work, 1, have);
      x = work;
    }
    fft_row(p, t, x, have, r->inverse, r->scale, y, work + 2 * bytes);
    if (r->y_step != 1) copy(y, 1, size, p->n, r->y[l], r->y_step, p->n);
  }
}

/* ---- rows of real numbers --------------------------------------------------------------------------------------------------------- */

/* Of even length: n real numbers are n / 2 complex ones. */
static void from_real(const fft_job *j, threads *t, const fft_rows *r, char *work) {
  const fft_plan *p = j->plan;
  size_t size = number_of(p), row = aligned((size_t)(j->n / 2 + 1) * size);
  char *rest = work + 2 * (size_t)r->rows * row;
  fft_rows half = *r;
  bool whole = r->x_step == 1 && r->have >= j->n;
  half.have = j->n / 2;
  half.x_step = half.y_step = 1;
  for (int l = 0; l < r->rows; l++) {
    char *own = work + 2 * (size_t)l * row;
    if (!whole) {
      copy(r->x[l], r->x_step, size / 2, r->have < j->n ? r->have : j->n, own, 1, j->n);
      half.x[l] = own;
    }
    if (r->y_step != 1) half.y[l] = own + row;
  }
  run_complex(p->half, t, &half, rest);
  for (int l = 0; l < r->rows; l++) {
    fft_loops_get(p->wide)->real_after(p, half.y[l]);
    if (r->y_step != 1) copy(half.y[l], 1, size, j->n / 2 + 1, r->y[l], r->y_step, j->n / 2 + 1);
  }
}

static void to_real(const fft_job *j, threads *t, const fft_rows *r, char *work) {
  const fft_plan *p = j->plan;
  size_t size = number_of(p), row = aligned((size_t)(j->n / 2 + 1) * size);
  char *rest = work + 2 * (size_t)r->rows * row;
  int64_t spectrum = j->n / 2 + 1;
  fft_rows half = *r;
  half.have = j->n / 2;
  half.x_step = half.y_step = 1;
  half.inverse = true;
  for (int l = 0; l < r->rows; l++) {
    char *own = work + 2 * (size_t)l * row;
    const char *x = r->x[l];
    if (r->x_step != 1 || r->have < spectrum) {
      copy(x, r->x_step, size, r->have < spectrum ? r->have : spectrum, own + row, 1, spectrum);
      x = own + row;
    }
    fft_loops_get(p->wide)->real_before(p, x, own);
    half.x[l] = own;
    if (r->y_step != 1) half.y[l] = own + row;
  }
  run_complex(p->half, t, &half, rest);
  for (int l = 0; l < r->rows && r->y_step != 1; l++) copy(half.y[l], 1, size / 2, j->n, r->y[l], r->y_step, j->n);
}

/* Of odd length they are complex numbers without imaginary parts, and spectra are filled up. */
static void odd_real(const fft_job *j, threads *t, const fft_rows *r, char *work) {
  const fft_plan *p = j->plan;
  size_t size = number_of(p), part = size / 2, row = aligned((size_t)j->n * size);
  char *rest = work + 2 * (size_t)r->rows * row;
  int64_t n = j->n, spectrum = n / 2 + 1, most = j->kind == FFT_FROM_REAL ? n : spectrum;
  int64_t have = r->have < most ? r->have : most;
  fft_rows whole = *r;
  whole.have = n;
  whole.x_step = whole.y_step = 1;
  whole.inverse = j->kind == FFT_TO_REAL;
  for (int l = 0; l < r->rows; l++) {
    char *own = work + 2 * (size_t)l * row;
    whole.x[l] = own;
    whole.y[l] = own + row;
    memset(own, 0, row);
    if (j->kind == FFT_FROM_REAL) {
      copy(r->x[l], r->x_step, part, have, own, 2, have);
      continue;
    }
    copy(r->x[l], r->x_step, size, have, own, 1, have);
    memset(own + part, 0, part);
    for (int64_t k = 1; k < have; k++) {
      memcpy(own + (size_t)(n - k) * size, own + (size_t)k * size, size);
      if (p->wide)
        ((c128 *)(void *)own)[n - k].im *= -1;
      else
        ((c64 *)(void *)own)[n - k].im *= -1;
    }
  }
  run_complex(p, t, &whole, rest);
  for (int l = 0; l < r->rows; l++) {
    if (j->kind == FFT_FROM_REAL)
      copy(whole.y[l], 1, size, spectrum, r->y[l], r->y_step, spectrum);
    else
      copy(whole.y[l], 2, part, n, r->y[l], r->y_step, n);
  }
}

int fft_rows_together(const fft_job *j) { return j->n > LONGEST_LANES ? 1 : j->plan->lanes; }

size_t fft_rows_work(const fft_job *j, int count) {
  const fft_plan *p = j->plan;
  if (j->kind == FFT_COMPLEX) return complex_work(p, count);
  size_t rows = 2 * (size_t)fft_rows_together(j), size = number_of(p);
  if (p->half) return rows * aligned((size_t)(j->n / 2 + 1) * size) + complex_work(p->half, count);
  return rows * aligned((size_t)j->n * size) + complex_work(p, count);
}

void fft_rows_run(const fft_job *j, threads *t, const fft_rows *r, void *work) {
  if (j->kind == FFT_COMPLEX)
    run_complex(j->plan, t, r, work);
  else if (!j->plan->half)
    odd_real(j, t, r, work);
  else if (j->kind == FFT_FROM_REAL)
    from_real(j, t, r, work);
  else
    to_real(j, t, r, work);
}
