/* Elementwise operations: walks the operands and calls the loop of the operation and dtype. */
#include "backend/reference/elementwise.h"
#include "backend/reference/iter.h"
#include "base/convert.h"
#include <math.h>
#include <string.h>

enum { BLOCK = 256 };

/* NULL for narrow floats, which go through the loops of f32. */
static ew_loop *const *const tables[TME_DTYPE_COUNT] = {
#define TABLE_BOOL(id) ew_##id
#define TABLE_UNSIGNED(id) ew_##id
#define TABLE_SIGNED(id) ew_##id
#define TABLE_FLOAT(id) ew_##id
#define TABLE_NARROW(id) NULL
#define TABLE_COMPLEX(id) ew_##id
#define DTYPE(ID, id, name, kind, ...) [TME_##ID] = TABLE_##kind(id),
#include "base/dtypes.def"
};

/* ---- narrow floats ----------------------------------------------------------------------------------------------- */

/* x * y + z in f64, the sum rounded to odd: rounded to a narrow float after that, it is so once. */
static double fma_to_odd(double x, double y, double z) {
  double product = x * y, sum = product + z, of_z = sum - product, lost = (product - (sum - of_z)) + (z - of_z);
  int64_t bits;
  memcpy(&bits, &sum, sizeof bits);
  if (!(fabs(lost) > 0) || (bits & 1)) return sum;
  return nextafter(sum, lost > 0 ? (double)INFINITY : -(double)INFINITY);
}

static void narrow_fma(tme_dtype t, int64_t n, char *out, const char *const in[3], const int64_t step[3]) {
  double x[3][BLOCK];
  for (int a = 0; a < 3; a++) convert_run(t, in[a], step[a], TME_F64, x[a], 1, n);
  for (int64_t i = 0; i < n; i++) x[0][i] = fma_to_odd(x[0][i], x[1][i], x[2][i]);
  convert_run(TME_F64, x[0], 1, t, out, 1, n);
}

/* The neighbour among narrow floats, which the loop of f32 does not know: that of their bits without the sign. */
static void narrow_nextafter(tme_dtype t, int64_t n, char *out, const char *const in[3], const int64_t step[3]) {
  int64_t size = (int64_t)tme_dtype_size(t);
  uint32_t sign = (uint32_t)1 << (8 * size - 1);
  float v[2][BLOCK];
  for (int a = 0; a < 2; a++) convert_run(t, in[a], step[a], TME_F32, v[a], 1, n);
  for (int64_t i = 0; i < n; i++, out += size) {
    float x = v[0][i], y = v[1][i], sum = x + y;
    uint32_t bits = 0;
    memcpy(&bits, x == y || x == 0 ? in[1] + i * step[1] * size : in[0] + i * step[0] * size, (size_t)size);
    if (isnan(x) || isnan(y))
      convert_run(TME_F32, &sum, 1, t, &bits, 1, 1);
    else if (x == 0 && y != 0)
      bits = (bits & sign) | 1;
    else if (x != y)
      bits += (x < y) == (x > 0) ? 1 : UINT32_MAX;
    memcpy(out, &bits, (size_t)size);
  }
}

/* What the loops of f32 would round twice, or do not know; NULL for all else. */
typedef void narrow_loop(tme_dtype t, int64_t n, char *out, const char *const in[3], const int64_t step[3]);
static narrow_loop *of_narrow(int op) {
  return op == OP_fma ? narrow_fma : op == OP_nextafter ? narrow_nextafter : NULL;
}

static void own_narrow(narrow_loop *loop, tme_dtype t, int64_t n, char *out, const char *const in[3],
                       const int64_t step[3]) {
  int64_t size = (int64_t)tme_dtype_size(t);
  for (int64_t at = 0; at < n; at += BLOCK) {
    const char *from[3] = {in[0] + at * step[0] * size, in[1] + at * step[1] * size, in[2]};
    if (in[2]) from[2] += at * step[2] * size;
    loop(t, n - at < BLOCK ? n - at : BLOCK, out + at * size, from, step);
  }
}

/* A run of narrow floats, block by block through f32. Operands of other dtypes (a condition) are passed on. */
static void narrow_run(ew_loop *loop, tme_dtype t, const ref_call *c, int64_t n, char *out, const char *const in[3],
                       const int64_t step[3]) {
  float wide[3][BLOCK], result[BLOCK];
  bool narrows = c->out[0].type.dtype == t;
  int64_t width = (int64_t)tme_dtype_size(c->out[0].type.dtype);
  for (int64_t at = 0; at < n; at += BLOCK) {
    int64_t m = n - at < BLOCK ? n - at : BLOCK, s[3] = {0, 0, 0};
    const void *p[3] = {wide[0], wide[0], wide[0]};
    for (int a = 0; a < c->nin; a++) {
      size_t size = tme_dtype_size(c->in[a]->type.dtype);
      const char *from = in[a] + at * step[a] * (int64_t)size;
      s[a] = step[a];
      p[a] = from;
      if (c->in[a]->type.dtype != t) continue;
      s[a] = step[a] != 0;
      p[a] = wide[a];
      convert_run(t, from, step[a], TME_F32, wide[a], 1, step[a] ? m : 1);
    }
    loop(m, narrows ? (void *)result : out + at * width, p[0], p[1], p[2], s[0], s[1], s[2]);
    if (narrows) convert_run(TME_F32, result, 1, t, out + at * width, 1, m);
  }
}

tme_status ref_elementwise(ref_call *c, error *e) {
  const ref_array *out = &c->out[0];
  tme_dtype t = c->in[c->nin > 1 ? 1 : 0]->type.dtype;
  bool is_narrow = dtype_is_narrow(t);
  ew_loop *loop = tables[dtype_wide(t)][c->op];
  if (!loop) return fail(e, TME_ERR_UNSUPPORTED, "%s: no kernel for %s", op_name(c->op), tme_dtype_name(t));
  int64_t broadcast[3][TME_MAX_RANK];
  const int64_t *strides[ITER_MAX] = {out->strides, broadcast[0], broadcast[1], broadcast[2]};
  for (int a = 0; a < c->nin; a++) broadcast_strides(&out->type, c->in[a], broadcast[a]);
  ref_iter it;
  bool more = iter_start(&it, out->type.rank, out->type.shape, 1 + c->nin, strides);
  for (; more; more = iter_next(&it)) {
    const char *in[3] = {NULL, NULL, NULL};
    int64_t step[3] = {0, 0, 0};
    for (int a = 0; a < c->nin; a++) {
      in[a] = c->in[a]->data + it.offset[1 + a] * (int64_t)tme_dtype_size(c->in[a]->type.dtype);
      step[a] = it.step[1 + a];
    }
    char *to = out->data + it.offset[0] * (int64_t)tme_dtype_size(out->type.dtype);
    const char *y = c->nin > 1 ? in[1] : in[0], *z = c->nin > 2 ? in[2] : in[0];
    if (is_narrow && of_narrow(c->op))
      own_narrow(of_narrow(c->op), t, it.inner, to, in, step);
    else if (is_narrow)
      narrow_run(loop, t, c, it.inner, to, in, step);
    else
      loop(it.inner, to, in[0], y, z, step[0], step[1], step[2]);
  }
  return TME_OK;
}
