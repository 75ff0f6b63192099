/* svd, svdvals: LAPACK's divide and conquer where it may be used, else Jacobi rotations in f64. */
#include "backend/libraries.h"
#include "backend/reference/iter.h"
#include "backend/reference/svd_jacobi.h"
#include "base/convert.h"
#include <math.h>
#include <string.h>

/* Buffers for one matrix, in the dtype that it is factored in. */
typedef struct work {
  int64_t m, n, k, u_columns, vt_rows;
  bool vectors;
  double *a, *u, *s, *vt;
} work;

static bool all_finite(const double *a, int64_t n) {
  for (int64_t i = 0; i < n; i++)
    if (!isfinite(a[i])) return false;
  return true;
}

static tme_dtype wide_dtype(tme_dtype t, tme_dtype real) {
  return dtype_is_complex(t) ? real == TME_F64 ? TME_C128 : TME_C64 : real;
}

static void load(const work *w, const ref_array *x, int64_t offset, tme_dtype t) {
  int r = x->type.rank;
  int64_t strides[2] = {w->n, 1};
  convert_strided(2, &x->type.shape[r - 2], x->type.dtype, x->data + offset * (int64_t)tme_dtype_size(x->type.dtype),
                  &x->strides[r - 2], t, (char *)w->a, strides);
}

static void store(const double *from, tme_dtype t, const ref_array *out, int64_t matrix, int64_t n) {
  char *to = out->data + matrix * n * (int64_t)tme_dtype_size(out->type.dtype);
  convert_run(t, (const char *)from, 1, out->type.dtype, to, 1, n);
}

static void store_nan(const ref_array *out, int64_t matrix, int64_t n) {
  double nan = NAN;
  char *to = out->data + matrix * n * (int64_t)tme_dtype_size(out->type.dtype);
  convert_run(TME_F64, (const char *)&nan, 0, out->type.dtype, to, 1, n);
}

/* Factors the matrix at `offset` of x; *t: the dtype of the results in w. */
static tme_status factor(const ref_call *c, const work *w, int64_t offset, tme_dtype *t, const char **failure,
                         error *e) {
  const ref_array *x = c->in[0];
  bool is_complex = dtype_is_complex(x->type.dtype), converged = true;
  *failure = NULL;
  *t = wide_dtype(x->type.dtype, TME_F64);
  load(w, x, offset, *t);
  if (!all_finite(w->a, w->m * w->n * (is_complex ? 2 : 1))) {
    *failure = "the matrix holds NaN or infinity";
    return TME_OK;
  }
  error own = {0};
  if (c->libraries && w->k) {
    tme_dtype single = wide_dtype(x->type.dtype, dtype_real(x->type.dtype) == TME_F64 ? TME_F64 : TME_F32);
    char job = !w->vectors ? 'N' : w->u_columns != w->k || w->vt_rows != w->k ? 'A' : 'S';
    load(w, x, offset, single);
    if (lapack_svd(single, job, w->m, w->n, w->a, w->u, w->s, w->vt, &converged, &own)) {
      *t = single;
      if (!converged) *failure = "the singular values did not converge";
      return own.code ? fail(e, own.code, "%s", own.text) : TME_OK;
    }
    load(w, x, offset, *t);
  }
  svd_matrix matrix = {is_complex, w->m, w->n, w->u_columns, w->vt_rows, w->a, w->u, w->s, w->vt};
  tme_status s = svd_jacobi(&matrix, &converged, e);
  if (!converged) *failure = "the singular values did not converge";
  return s;
}

static tme_status all_matrices(ref_call *c, const work *w, error *e) {
  const ref_array *x = c->in[0];
  int batch = x->type.rank - 2;
  const int64_t *strides[1] = {x->strides};
  int64_t matrix = 0, sizes[3] = {w->m * w->u_columns, w->k, w->vt_rows * w->n};
  const double *results[3] = {w->u, w->s, w->vt};
  ref_iter it;
  for (bool more = iter_start(&it, batch, x->type.shape, 1, strides); more; more = iter_next(&it)) {
    for (int64_t i = 0; i < it.inner; i++, matrix++) {
      tme_dtype t;
      const char *failure;
      tme_status s = factor(c, w, it.offset[0] + i * it.step[0], &t, &failure, e);
      if (s != TME_OK) return s;
      if (failure && !c->failure) {
        c->failure = failure;
        c->failed_matrix = matrix;
      }
      for (int o = 0; o < c->nout; o++) {
        int which = w->vectors ? o : 1;
        if (failure)
          store_nan(&c->out[o], matrix, sizes[which]);
        else
          store(results[which], which == 1 ? dtype_real(t) : t, &c->out[o], matrix, sizes[which]);
      }
    }
  }
  return TME_OK;
}

tme_status ref_svd(ref_call *c, error *e) {
  const op_type *x = &c->in[0]->type;
  work w = {.m = x->shape[x->rank - 2], .n = x->shape[x->rank - 1], .vectors = c->op == OP_svd};
  w.k = w.m < w.n ? w.m : w.n;
  bool full = w.vectors && c->attrs->svd.full_matrices;
  w.u_columns = full ? w.m : w.k;
  w.vt_rows = full ? w.n : w.k;
  size_t a, u, vt, total, part = (dtype_is_complex(x->dtype) ? 2 : 1) * sizeof(double),
                          s = (size_t)w.k * sizeof(double);
  bool fits = mul_size((size_t)(w.m * w.n), part, &a) && mul_size((size_t)(w.m * w.u_columns), part, &u) &&
              mul_size((size_t)(w.vt_rows * w.n), part, &vt) && add_size(a + s, u, &total) &&
              add_size(total, vt, &total);
  char *memory = fits ? mem_alloc(total) : NULL;
  if (!memory) return fail_memory(e, op_name(c->op), fits ? total : SIZE_MAX);
  w.a = (double *)(void *)memory;
  w.s = (double *)(void *)(memory + a);
  if (w.vectors) {
    w.u = (double *)(void *)(memory + a + s);
    w.vt = (double *)(void *)(memory + a + s + u);
  }
  tme_status status = all_matrices(c, &w, e);
  mem_free(memory);
  return status;
}
