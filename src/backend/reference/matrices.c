#include "backend/reference/matrices.h"
#include "backend/reference/iter.h"
#include "base/convert.h"
#include <math.h>
#include <string.h>

/* What one thread computes with, and what it met. */
typedef struct thread {
  char *memory;
  matrices_work w;
  const char *failure; /* of the first matrix that failed */
  int64_t failed_matrix;
  error err;
} thread;

typedef struct batch {
  const matrices *m;
  int rank;
  int64_t strides[MATRICES_IN][TME_MAX_RANK]; /* over the batch dimensions */
  int64_t in_size[MATRICES_IN], out_size[MATRICES_OUT];
  thread *threads;
} batch;

matrices matrices_of(ref_call *c, matrices_fn *one) {
  const op_type *x = &c->in[0]->type;
  matrices m = {.c = c, .one = one, .dims = {2, 2}, .rows = x->shape[x->rank - 2], .columns = x->shape[x->rank - 1]};
  return m;
}

/* What f64, or with LAPACK f32, makes of the elements. */
static tme_dtype work_dtype(tme_dtype t, bool lapack) {
  bool single = lapack && dtype_real(t) != TME_F64;
  return dtype_is_complex(t) ? (single ? TME_C64 : TME_C128) : single ? TME_F32 : TME_F64;
}

/* A result's elements as the function leaves them. */
static tme_dtype result_dtype(tme_dtype t, tme_dtype out) {
  if (dtype_is_int(out)) return TME_I64;
  return dtype_is_complex(out) ? (dtype_real(t) == TME_F64 ? TME_C128 : TME_C64) : dtype_real(t);
}

/* The strides of a matrix, or vector, without gaps. */
static void dense_strides(const matrices *m, int dims, const int64_t *shape, int64_t strides[2]) {
  strides[0] = dims == 2 && m->row_major ? shape[1] : 1;
  strides[1] = m->row_major ? 1 : shape[0];
}

static void load(const batch *b, int i, const int64_t *offset, tme_dtype t, void *to) {
  const ref_array *x = b->m->c->in[i];
  int dims = b->m->dims[i], first = x->type.rank - dims;
  int64_t strides[2];
  dense_strides(b->m, dims, &x->type.shape[first], strides);
  convert_strided(dims, &x->type.shape[first], x->type.dtype,
                  x->data + offset[i] * (int64_t)tme_dtype_size(x->type.dtype), &x->strides[first], t, to, strides);
}

static void store(const batch *b, int o, int64_t matrix, const matrices_work *w) {
  const ref_array *out = &b->m->c->out[o];
  int dims = out->type.rank - b->rank;
  int64_t strides[2];
  char *to = out->data + matrix * b->out_size[o] * (int64_t)tme_dtype_size(out->type.dtype);
  double nan = NAN;
  if (w->failure) {
    convert_run(TME_F64, &nan, 0, out->type.dtype, to, 1, b->out_size[o]);
    return;
  }
  dense_strides(b->m, dims, &out->type.shape[b->rank], strides);
  convert_strided(dims, &out->type.shape[b->rank], result_dtype(w->t, out->type.dtype), w->out[o], strides,
                  out->type.dtype, to, &out->strides[b->rank]);
}

bool matrices_finite(tme_dtype t, const void *a, int64_t n) {
  bool finite = true;
  n *= dtype_is_complex(t) ? 2 : 1;
  if (dtype_real(t) == TME_F64) {
    const double *x = a;
    for (int64_t i = 0; i < n; i++) finite &= isfinite(x[i]) != 0;
  } else {
    const float *x = a;
    for (int64_t i = 0; i < n; i++) finite &= isfinite(x[i]) != 0;
  }
  return finite;
}

#define MIRROR(suffix, REAL)                                                                                           \
  static void mirror_##suffix(bool lower, int parts, int64_t n, REAL *a) {                                             \
    for (int64_t j = 0; j < n; j++) {                                                                                  \
      for (int64_t i = j + 1; i < n; i++) {                                                                            \
        REAL *low = a + (j * n + i) * parts, *high = a + (i * n + j) * parts;                                          \
        *(lower ? high : low) = *(lower ? low : high);                                                                 \
        if (parts == 2) *(lower ? high + 1 : low + 1) = -*(lower ? low + 1 : high + 1);                                \
      }                                                                                                                \
      if (parts == 2) a[2 * (j * n + j) + 1] = 0;                                                                      \
    }                                                                                                                  \
  }

MIRROR(f32, float)
MIRROR(f64, double)

/* The triangle's conjugate into the other one. */
static void mirror(tme_dtype t, char triangle, int64_t n, void *a) {
  int parts = dtype_is_complex(t) ? 2 : 1;
  if (dtype_real(t) == TME_F64)
    mirror_f64(triangle == 'L', parts, n, a);
  else
    mirror_f32(triangle == 'L', parts, n, a);
}

void matrices_clear(tme_dtype t, char triangle, int64_t rows, int64_t columns, void *a) {
  size_t size = tme_dtype_size(t);
  for (int64_t j = 0; j < columns; j++) {
    int64_t first = triangle == 'L' ? 0 : j + 1, end = triangle == 'L' ? (j < rows ? j : rows) : rows;
    if (first < end) memset((char *)a + (size_t)(j * rows + first) * size, 0, (size_t)(end - first) * size);
  }
}

static void load_all(const batch *b, const int64_t *offset, matrices_work *w) {
  const matrices *m = b->m;
  w->t = work_dtype(m->c->in[0]->type.dtype, w->lapack);
  for (int i = 0; i < m->c->nin; i++) load(b, i, offset, w->t, w->in[i]);
  if (m->triangle) mirror(w->t, m->triangle, m->rows, w->in[0]);
}

static void compute(const batch *b, int64_t matrix, thread *t) {
  const matrices *m = b->m;
  matrices_work *w = &t->w;
  int64_t offset[MATRICES_IN] = {0}, rest = matrix;
  for (int d = b->rank - 1; d >= 0; d--) {
    int64_t at = rest % m->c->out[0].type.shape[d];
    rest /= m->c->out[0].type.shape[d];
    for (int i = 0; i < m->c->nin; i++) offset[i] += at * b->strides[i][d];
  }
  w->failure = NULL;
  w->lapack = m->c->libraries && m->rows && m->columns && (m->rows > m->small || m->columns > m->small);
  load_all(b, offset, w);
  if (!m->any && !matrices_finite(w->t, w->in[0], m->rows * m->columns)) {
    w->failure = "the matrix holds NaN or infinity";
  } else if (!m->one(m, w, &t->err)) {
    w->lapack = false;
    load_all(b, offset, w);
    m->one(m, w, &t->err);
  }
  if (t->err.code != TME_OK) return;
  if (w->failure && (!t->failure || matrix < t->failed_matrix)) {
    t->failure = w->failure;
    t->failed_matrix = matrix;
  }
  for (int o = 0; o < m->c->nout; o++) store(b, o, matrix, w);
}

/* One block for the operands, the results and what is spare, each as large as it gets and aligned. */
static bool make_work(const batch *b, thread *t) {
  enum { PARTS = MATRICES_IN + MATRICES_OUT + 1, ALIGN = 64 };
  const matrices *m = b->m;
  size_t bytes[PARTS], total = 0;
  for (int p = 0; p < PARTS; p++) {
    int o = p - MATRICES_IN;
    int64_t n = p < MATRICES_IN ? b->in_size[p] : o < MATRICES_OUT ? b->out_size[o] : 0;
    bytes[p] = m->spare;
    if (o < MATRICES_OUT && !mul_size((size_t)n, sizeof(c128), &bytes[p])) return false;
    if (!add_size(bytes[p], ALIGN - 1, &bytes[p])) return false;
    bytes[p] -= bytes[p] % ALIGN;
    if (!add_size(total, bytes[p], &total)) return false;
  }
  char *next = t->memory = mem_alloc(total);
  for (int p = 0; next && p < PARTS; next += bytes[p++])
    *(p < MATRICES_IN ? &t->w.in[p] : p < PARTS - 1 ? &t->w.out[p - MATRICES_IN] : &t->w.spare) = next;
  return t->memory;
}

static void piece(void *user, int number, int64_t t0, int64_t t1) {
  const batch *b = user;
  thread *t = &b->threads[number];
  if (t->err.code != TME_OK) return;
  if (!t->memory && !make_work(b, t)) {
    fail_memory(&t->err, op_name(b->m->c->op), 0);
    return;
  }
  for (int64_t i = t0; i < t1 && t->err.code == TME_OK; i++) compute(b, i, t);
}

static tme_status run(batch *b, int64_t count, error *e) {
  const matrices *m = b->m;
  int n = m->c->threads ? threads_count(m->c->threads) : 1;
  b->threads = mem_calloc((size_t)n, sizeof *b->threads);
  if (!b->threads) return fail_memory(e, op_name(m->c->op), (size_t)n * sizeof *b->threads);
  double cost = (double)m->rows * (double)m->columns * (double)(m->rows < m->columns ? m->rows : m->columns);
  threads_for(m->c->threads, count, cost > 0x1p13 ? 1 : (int64_t)(0x1p14 / (cost + 1)) + 1, piece, b);
  tme_status s = TME_OK;
  for (int i = 0; i < n; i++) {
    const thread *t = &b->threads[i];
    if (t->err.code != TME_OK) s = fail(e, t->err.code, "%s", t->err.text);
    if (t->failure && (!m->c->failure || t->failed_matrix < m->c->failed_matrix)) {
      m->c->failure = t->failure;
      m->c->failed_matrix = t->failed_matrix;
    }
    mem_free(t->memory);
  }
  mem_free(b->threads);
  return s;
}

tme_status matrices_run(matrices *m, error *e) {
  const ref_call *c = m->c;
  batch b = {.m = m, .rank = c->in[0]->type.rank - m->dims[0]};
  if (c->nin > 1 && c->in[1]->type.rank - m->dims[1] > b.rank) b.rank = c->in[1]->type.rank - m->dims[1];
  op_type over = c->out[0].type;
  over.rank = b.rank;
  for (int i = 0; i < c->nin; i++) {
    op_type x = c->in[i]->type;
    x.rank -= m->dims[i];
    b.in_size[i] = 1;
    for (int d = x.rank; d < c->in[i]->type.rank; d++) b.in_size[i] *= x.shape[d];
    strides_broadcast(&over, &x, c->in[i]->strides, b.strides[i]);
  }
  for (int o = 0; o < c->nout; o++) {
    b.out_size[o] = 1;
    for (int d = b.rank; d < c->out[o].type.rank; d++) b.out_size[o] *= c->out[o].type.shape[d];
  }
  int64_t count = type_size(&over);
  return count ? run(&b, count, e) : TME_OK;
}
