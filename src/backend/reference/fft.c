/* fft, ifft, rfft, irfft: the rows along an axis, several at a time. */
#include "backend/reference/fft_rows.h"
#include "backend/reference/reference.h"
#include <math.h>

enum { ALIGNMENT = 64, TASK = 1 << 15 /* numbers that are worth a task */, LONG_ROW = 1 << 15 };

typedef struct walk {
  fft_job job;
  const ref_array *x, *out;
  int axis, together;
  int64_t rows;
  double scale;
  bool inverse;
  threads *within; /* of one row */
  char *work;
  size_t work_each;
} walk;

/* The elements where a row begins. */
static int64_t row_offset(const walk *w, const ref_array *a, int64_t row) {
  int64_t at = 0;
  for (int d = a->type.rank - 1; d >= 0; d--) {
    if (d == w->axis) continue;
    at += row % a->type.shape[d] * a->strides[d];
    row /= a->type.shape[d];
  }
  return at;
}

static void some_rows(void *user, int thread, int64_t t0, int64_t t1) {
  const walk *w = user;
  const ref_array *x = w->x, *out = w->out;
  int64_t x_size = (int64_t)tme_dtype_size(x->type.dtype), y_size = (int64_t)tme_dtype_size(out->type.dtype);
  for (int64_t t = t0; t < t1; t++) {
    int64_t first = t * w->together, left = w->rows - first;
    fft_rows r = {.rows = (int)(left < w->together ? left : w->together),
                  .x_step = x->strides[w->axis],
                  .y_step = out->strides[w->axis],
                  .have = x->type.shape[w->axis],
                  .inverse = w->inverse,
                  .scale = w->scale};
    for (int l = 0; l < r.rows; l++) {
      r.x[l] = x->data + row_offset(w, x, first + l) * x_size;
      r.y[l] = out->data + row_offset(w, out, first + l) * y_size;
    }
    fft_rows_run(&w->job, w->within, &r, w->work + (size_t)thread * w->work_each);
  }
}

static double scale_of(int norm, bool inverse, int64_t n) {
  if (norm == FFT_NORM_ORTHO) return 1 / sqrt((double)n);
  return (norm == FFT_NORM_FORWARD) != inverse ? 1 / (double)n : 1;
}

tme_status ref_fft(ref_call *c, error *e) {
  const fft_attrs *a = &c->attrs->fft;
  const ref_array *x = c->in[0], *out = &c->out[0];
  bool wide = dtype_real(out->type.dtype) == TME_F64;
  walk w = {.job = {.n = a->n,
                    .kind = c->op == OP_rfft    ? FFT_FROM_REAL
                            : c->op == OP_irfft ? FFT_TO_REAL
                                                : FFT_COMPLEX},
            .x = x,
            .out = out,
            .axis = (int)a->axis,
            .rows = 1,
            .inverse = c->op == OP_ifft || c->op == OP_irfft};
  for (int d = 0; d < out->type.rank; d++)
    if (d != w.axis) w.rows *= out->type.shape[d];
  if (!w.rows) return TME_OK;
  w.scale = scale_of(a->norm, w.inverse, a->n);
  fft_plan *plan = fft_plan_get(a->n, wide, w.job.kind != FFT_COMPLEX && a->n % 2 == 0, e);
  if (!plan) return e->code;
  w.job.plan = plan;
  w.together = fft_rows_together(&w.job);
  int64_t tasks = ceil_div(w.rows, w.together), grain = TASK / (a->n * w.together);
  int n = c->threads ? threads_count(c->threads) : 1;
  bool within = a->n >= LONG_ROW && tasks < 4 * n;
  if (within) w.within = c->threads;
  w.work_each = (fft_rows_work(&w.job, within ? n : 1) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  size_t bytes = w.work_each * (size_t)(within ? 1 : n) + ALIGNMENT;
  char *memory = mem_alloc(bytes);
  tme_status s = memory ? TME_OK : fail_memory(e, op_name(c->op), bytes);
  if (memory) {
    w.work = memory + (ALIGNMENT - (uintptr_t)memory % ALIGNMENT) % ALIGNMENT;
    if (within)
      some_rows(&w, 0, 0, tasks);
    else
      threads_for(c->threads, tasks, grain > 1 ? grain : 1, some_rows, &w);
  }
  mem_free(memory);
  fft_plan_release(plan);
  return s;
}
