#include "backend/reference/rows.h"
#include "base/convert.h"
#include <math.h>

enum { LANES = 8, SPAN = 128, LEVELS = 57, TOGETHER = 8 };

tme_dtype rows_dtype(tme_dtype t) { return dtype_real(t) == TME_F64 ? TME_F64 : TME_F32; }

#define ROW_FUNCTIONS(suffix, REAL)                                                                                    \
  static REAL span_##suffix(const REAL *x, int64_t n) {                                                                \
    REAL lane[LANES] = {0};                                                                                            \
    for (int64_t i = 0; i < n; i++) lane[i % LANES] += x[i];                                                           \
    for (int width = LANES / 2; width; width /= 2)                                                                     \
      for (int l = 0; l < width; l++) lane[l] += lane[l + width];                                                      \
    return lane[0];                                                                                                    \
  }                                                                                                                    \
  REAL row_sum_##suffix(const REAL *x, int64_t n) {                                                                    \
    REAL waiting[LEVELS];                                                                                              \
    uint64_t spans = 0;                                                                                                \
    for (int64_t i = 0; i < n; i += SPAN, spans++) {                                                                   \
      REAL sum = span_##suffix(x + i, n - i < SPAN ? n - i : SPAN);                                                    \
      int l = 0;                                                                                                       \
      for (; spans >> l & 1; l++) sum = waiting[l] + sum;                                                              \
      waiting[l] = sum;                                                                                                \
    }                                                                                                                  \
    REAL sum = 0;                                                                                                      \
    for (int l = 0, first = 1; l < LEVELS; l++) {                                                                      \
      if (!(spans >> l & 1)) continue;                                                                                 \
      sum = first ? waiting[l] : waiting[l] + sum;                                                                     \
      first = 0;                                                                                                       \
    }                                                                                                                  \
    return sum;                                                                                                        \
  }                                                                                                                    \
  void row_centre_##suffix(REAL *x, int64_t n) {                                                                       \
    for (int pass = 0; pass < 2; pass++) {                                                                             \
      REAL mean = row_sum_##suffix(x, n) / (REAL)n;                                                                    \
      for (int64_t i = 0; i < n; i++) x[i] -= mean;                                                                    \
    }                                                                                                                  \
  }                                                                                                                    \
  REAL row_max_##suffix(const REAL *x, int64_t n) {                                                                    \
    REAL m = -(REAL)INFINITY;                                                                                          \
    for (int64_t i = 0; i < n; i++)                                                                                    \
      if (x[i] > m || x[i] != x[i]) m = x[i];                                                                          \
    return m;                                                                                                          \
  }

ROW_FUNCTIONS(f32, float)
ROW_FUNCTIONS(f64, double)

/* Which array of `t` a pass sees: complex elements are two reals. */
static tme_dtype part_dtype(const rows *r, const ref_array *a) {
  return r->parts == 2 ? dtype_real(a->type.dtype) : a->type.dtype;
}

/* Fills `count` neighbouring rows of n elements. */
static void gather(const rows *r, const char *from, const ref_space *row, int64_t step, int count, char *to) {
  tme_dtype t = part_dtype(r, r->x), wide = rows_dtype(t);
  int64_t size = (int64_t)tme_dtype_size(t), wide_size = (int64_t)tme_dtype_size(wide), at = 0;
  const int64_t *strides[1] = {row->stride};
  ref_iter it;
  for (bool more = iter_start(&it, row->rank, row->shape, 1, strides); more; more = iter_next(&it)) {
    for (int64_t i = 0; i < it.inner; i += SPAN) { /* in spans, so that the rows share cache lines */
      int64_t n = it.inner - i < SPAN ? it.inner - i : SPAN, offset = it.offset[0] + i * it.step[0];
      for (int j = 0; j < count; j++)
        convert_run(t, from + (offset + j * step) * size, it.step[0], wide, to + (j * row->size + at) * wide_size, 1,
                    n);
      at += n;
    }
  }
}

/* Stores the results of one row. */
static void scatter(const rows *r, const char *from, const ref_space *row, char *to) {
  tme_dtype t = part_dtype(r, r->out), wide = rows_dtype(r->x->type.dtype);
  int64_t size = (int64_t)tme_dtype_size(t), wide_size = (int64_t)tme_dtype_size(wide);
  if (!r->whole) {
    convert_run(wide, from, 1, t, to, 1, 1);
    return;
  }
  const int64_t *strides[1] = {row->stride};
  ref_iter it;
  for (bool more = iter_start(&it, row->rank, row->shape, 1, strides); more; more = iter_next(&it)) {
    convert_run(wide, from, 1, t, to + it.offset[0] * size, it.step[0], it.inner);
    from += it.inner * wide_size;
  }
}

static void scale(ref_space *d, int64_t by) {
  for (int i = 0; i < d->rank; i++) d->stride[i] *= by;
}

static void run_pass(const rows *r, char *buffer) {
  const ref_array *x = r->x;
  ref_space row = dims_of(&x->type, x->strides, r->axes), kept = dims_of(&x->type, x->strides, ~r->axes);
  ref_space out_row = dims_of(&r->out->type, r->out->strides, r->whole ? r->axes : 0);
  ref_space out_kept = dims_of(&r->out->type, r->out->strides, ~r->axes);
  if (!r->whole) { /* one element per row, in order */
    op_type t = {.rank = kept.rank};
    for (int d = 0; d < kept.rank; d++) t.shape[d] = kept.shape[d];
    type_strides(&t, out_kept.stride);
    out_kept.rank = kept.rank;
  }
  scale(&row, r->parts);
  scale(&kept, r->parts);
  scale(&out_row, r->parts);
  scale(&out_kept, r->parts);
  tme_dtype wide = rows_dtype(x->type.dtype);
  int64_t from_size = (int64_t)tme_dtype_size(part_dtype(r, x)),
          to_size = (int64_t)tme_dtype_size(part_dtype(r, r->out));
  const int64_t *strides[2] = {kept.stride, out_kept.stride};
  ref_iter it;
  for (bool more = iter_start(&it, kept.rank, kept.shape, 2, strides); more; more = iter_next(&it)) {
    for (int64_t i = 0; i < it.inner; i += TOGETHER) {
      int count = it.inner - i < TOGETHER ? (int)(it.inner - i) : TOGETHER;
      gather(r, x->data + (r->part + it.offset[0] + i * it.step[0]) * from_size, &row, it.step[0], count, buffer);
      for (int j = 0; j < count; j++) {
        char *v = buffer + j * row.size * (int64_t)tme_dtype_size(wide);
        if (wide == TME_F32)
          r->f32(r, (float *)(void *)v, row.size);
        else
          r->f64(r, (double *)(void *)v, row.size);
        scatter(r, v, &out_row, r->out->data + (r->part + it.offset[1] + (i + j) * it.step[1]) * to_size);
      }
    }
  }
}

tme_status rows_run(rows *r, error *e) {
  int64_t n = dims_of(&r->x->type, r->x->strides, r->axes).size;
  size_t size = tme_dtype_size(rows_dtype(r->x->type.dtype)), bytes;
  /* A row without elements has a result all the same. */
  bool fits = mul_size((size_t)n, (TOGETHER + 1) * size, &bytes) && add_size(bytes, size, &bytes);
  char *buffer = fits ? mem_alloc(bytes) : NULL;
  if (!buffer) return fail_memory(e, "rows", fits ? bytes : SIZE_MAX);
  r->spare = buffer + (size_t)n * TOGETHER * size;
  r->parts = dtype_is_complex(r->x->type.dtype) ? 2 : 1;
  for (r->part = 0; r->part < r->parts; r->part++) run_pass(r, buffer);
  mem_free(buffer);
  return TME_OK;
}
