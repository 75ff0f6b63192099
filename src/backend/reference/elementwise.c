/* Elementwise operations: walks the operands and calls the loop of the operation and dtype. */
#include "backend/reference/elementwise.h"
#include "backend/reference/iter.h"
#include <math.h>
#include <string.h>

enum { BLOCK = 256 };

static ew_loop *const *table_of(tme_dtype t) {
  switch (t) {
  case TME_BOOL: return ew_bool;
  case TME_U8: return ew_u8;
  case TME_U16: return ew_u16;
  case TME_U32: return ew_u32;
  case TME_U64: return ew_u64;
  case TME_I8: return ew_i8;
  case TME_I16: return ew_i16;
  case TME_I32: return ew_i32;
  case TME_I64: return ew_i64;
  case TME_F64: return ew_f64;
  case TME_C64: return ew_c64;
  case TME_C128: return ew_c128;
  default: return ew_f32;
  }
}

static uint16_t narrow(tme_dtype t, float v) { return t == TME_F16 ? f16_from_f32(v) : bf16_from_f32(v); }
static float widen(tme_dtype t, uint16_t v) { return t == TME_F16 ? f16_to_f32(v) : bf16_to_f32(v); }

/* The neighbour among 16-bit floats, which the loop of f32 does not know. */
static uint16_t next_half(tme_dtype t, uint16_t a, uint16_t b) {
  float x = widen(t, a), y = widen(t, b);
  if (isnan(x) || isnan(y)) return narrow(t, x + y);
  if (x == y) return b;
  if (x == 0) return (uint16_t)((b & 0x8000) | 1);
  return (uint16_t)((x < y) == (x > 0) ? a + 1 : a - 1);
}

/* x * y + z in f64, the sum rounded to odd: rounded to 16 bits after that, it is so once. */
static double fma_to_odd(double x, double y, double z) {
  double product = x * y, sum = product + z, of_z = sum - product, lost = (product - (sum - of_z)) + (z - of_z);
  int64_t bits;
  memcpy(&bits, &sum, sizeof bits);
  if (!(fabs(lost) > 0) || (bits & 1)) return sum;
  return nextafter(sum, lost > 0 ? (double)INFINITY : -(double)INFINITY);
}

/* What the loops of f32 would round twice, or do not know. */
static bool is_of_halves(int op) { return op == OP_nextafter || op == OP_fma; }

static void own_halves(int op, tme_dtype t, int64_t n, uint16_t *out, const char *const in[3], const int64_t step[3]) {
  const uint16_t *x = (const void *)in[0], *y = (const void *)in[1], *z = (const void *)in[2];
  for (int64_t i = 0; i < n; i++) {
    uint16_t a = x[i * step[0]], b = y[i * step[1]];
    if (op == OP_nextafter) {
      out[i] = next_half(t, a, b);
    } else {
      double v = fma_to_odd((double)widen(t, a), (double)widen(t, b), (double)widen(t, z[i * step[2]]));
      out[i] = t == TME_F16 ? f16_from_f64(v) : bf16_from_f64(v);
    }
  }
}

/* A run of 16-bit floats, block by block through f32. Operands of 1 byte (a condition) are passed on. */
static void half_run(ew_loop *loop, tme_dtype t, const ref_call *c, int64_t n, char *out, const char *const in[3],
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
      if (size == 1) continue;
      s[a] = step[a] != 0;
      p[a] = wide[a];
      for (int64_t i = 0; i < (step[a] ? m : 1); i++)
        wide[a][i] = widen(t, ((const uint16_t *)(const void *)from)[i * step[a]]);
    }
    loop(m, narrows ? (void *)result : out + at * width, p[0], p[1], p[2], s[0], s[1], s[2]);
    for (int64_t i = 0; narrows && i < m; i++) ((uint16_t *)(void *)out)[at + i] = narrow(t, result[i]);
  }
}

tme_status ref_elementwise(ref_call *c, error *e) {
  const ref_array *out = &c->out[0];
  tme_dtype t = c->in[c->nin > 1 ? 1 : 0]->type.dtype;
  bool half = t == TME_F16 || t == TME_BF16;
  ew_loop *loop = table_of(t)[c->op];
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
    if (half && is_of_halves(c->op))
      own_halves(c->op, t, it.inner, (uint16_t *)(void *)to, in, step);
    else if (half)
      half_run(loop, t, c, it.inner, to, in, step);
    else
      loop(it.inner, to, in[0], y, z, step[0], step[1], step[2]);
  }
  return TME_OK;
}
