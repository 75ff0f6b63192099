#include "backend/reference/convert.h"
#include "backend/reference/iter.h"
#include <math.h>

enum { BLOCK = 256 };

/* A block on its way: int64 or uint64 of integers (exact), f64 of floats (exact). */
typedef struct block {
  enum { SIGNED, UNSIGNED, FLOATING } kind;
  union {
    int64_t i[BLOCK];
    uint64_t u[BLOCK];
    double f[BLOCK];
  } v;
} block;

#define LOAD(type, member, expression)                                                                                 \
  for (int64_t k = 0; k < n; k++) {                                                                                    \
    type x = ((const type *)src)[k * step];                                                                            \
    b->v.member[k] = expression;                                                                                       \
  }                                                                                                                    \
  break

static void load(block *b, tme_dtype t, const void *src, int64_t step, int64_t n) {
  b->kind = dtype_is_int(t) && dtype_is_signed(t) ? SIGNED : dtype_is_int(t) || t == TME_BOOL ? UNSIGNED : FLOATING;
  switch (t) {
  case TME_BOOL: LOAD(uint8_t, u, x != 0);
  case TME_U8: LOAD(uint8_t, u, x);
  case TME_U16: LOAD(uint16_t, u, x);
  case TME_U32: LOAD(uint32_t, u, x);
  case TME_U64: LOAD(uint64_t, u, x);
  case TME_I8: LOAD(int8_t, i, x);
  case TME_I16: LOAD(int16_t, i, x);
  case TME_I32: LOAD(int32_t, i, x);
  case TME_I64: LOAD(int64_t, i, x);
  case TME_F16: LOAD(uint16_t, f, (double)f16_to_f32(x));
  case TME_BF16: LOAD(uint16_t, f, (double)bf16_to_f32(x));
  case TME_F32: LOAD(float, f, (double)x);
  default: LOAD(double, f, x);
  }
}

static int64_t saturate(double v, double lo, double hi, int64_t least, int64_t most) {
  return isnan(v) ? 0 : v <= lo ? least : v >= hi ? most : (int64_t)v;
}

static uint64_t saturate_unsigned(double v, double hi, uint64_t most) {
  return isnan(v) || v <= 0 ? 0 : v >= hi ? most : (uint64_t)v;
}

/* An integer as an f64 that is to be rounded once more. */
#define TO_ODD(x) _Generic(x, int64_t : int_to_odd, uint64_t : uint_to_odd)(x)

/* from_int of an integer x, from_float of a double x. */
#define STORE(type, from_int, from_float)                                                                              \
  switch (b->kind) {                                                                                                   \
  case SIGNED:                                                                                                         \
    for (int64_t k = 0; k < n; k++) {                                                                                  \
      int64_t x = b->v.i[k];                                                                                           \
      ((type *)dst)[k * step] = (type)(from_int);                                                                      \
    }                                                                                                                  \
    break;                                                                                                             \
  case UNSIGNED:                                                                                                       \
    for (int64_t k = 0; k < n; k++) {                                                                                  \
      uint64_t x = b->v.u[k];                                                                                          \
      ((type *)dst)[k * step] = (type)(from_int);                                                                      \
    }                                                                                                                  \
    break;                                                                                                             \
  case FLOATING:                                                                                                       \
    for (int64_t k = 0; k < n; k++) {                                                                                  \
      double x = b->v.f[k];                                                                                            \
      ((type *)dst)[k * step] = (type)(from_float);                                                                    \
    }                                                                                                                  \
    break;                                                                                                             \
  }                                                                                                                    \
  break

static void store(const block *b, tme_dtype t, void *dst, int64_t step, int64_t n) {
  switch (t) {
  case TME_BOOL: STORE(uint8_t, x != 0, x != 0);
  case TME_U8: STORE(uint8_t, x, saturate_unsigned(x, UINT8_MAX, UINT8_MAX));
  case TME_U16: STORE(uint16_t, x, saturate_unsigned(x, UINT16_MAX, UINT16_MAX));
  case TME_U32: STORE(uint32_t, x, saturate_unsigned(x, UINT32_MAX, UINT32_MAX));
  case TME_U64: STORE(uint64_t, x, saturate_unsigned(x, 0x1p64, UINT64_MAX));
  case TME_I8: STORE(int8_t, x, saturate(x, INT8_MIN, INT8_MAX, INT8_MIN, INT8_MAX));
  case TME_I16: STORE(int16_t, x, saturate(x, INT16_MIN, INT16_MAX, INT16_MIN, INT16_MAX));
  case TME_I32: STORE(int32_t, x, saturate(x, INT32_MIN, INT32_MAX, INT32_MIN, INT32_MAX));
  case TME_I64: STORE(int64_t, x, saturate(x, -0x1p63, 0x1p63, INT64_MIN, INT64_MAX));
  case TME_F16: STORE(uint16_t, f16_from_f64((double)x), f16_from_f64(x));
  case TME_BF16: STORE(uint16_t, bf16_from_f64(TO_ODD(x)), bf16_from_f64(x));
  case TME_F32: STORE(float, x, x);
  default: STORE(double, x, x);
  }
}

void convert_run(tme_dtype from, const char *src, int64_t src_step, tme_dtype to, char *dst, int64_t dst_step,
                 int64_t n) {
  tme_dtype part_from = dtype_real(from), part_to = dtype_real(to);
  int64_t from_size = (int64_t)tme_dtype_size(part_from), to_size = (int64_t)tme_dtype_size(part_to);
  int64_t s = src_step * (dtype_is_complex(from) ? 2 : 1), d = dst_step * (dtype_is_complex(to) ? 2 : 1);
  block re, im = {.kind = FLOATING};
  for (int64_t at = 0; at < n; at += BLOCK) {
    int64_t m = n - at < BLOCK ? n - at : BLOCK;
    load(&re, part_from, src + at * s * from_size, s, m);
    if (dtype_is_complex(from)) load(&im, part_from, src + (at * s + 1) * from_size, s, m);
    if (dtype_is_complex(from) && to == TME_BOOL)
      for (int64_t k = 0; k < m; k++) re.v.f[k] = re.v.f[k] != 0 || im.v.f[k] != 0;
    if (dtype_is_complex(to) && !dtype_is_complex(from) && at == 0)
      for (int64_t k = 0; k < m; k++) im.v.f[k] = 0;
    store(&re, part_to, dst + at * d * to_size, d, m);
    if (dtype_is_complex(to)) store(&im, part_to, dst + (at * d + 1) * to_size, d, m);
  }
}

void convert_strided(int rank, const int64_t *shape, tme_dtype from, const char *src, const int64_t *src_strides,
                     tme_dtype to, char *dst, const int64_t *dst_strides) {
  if (from == to && from != TME_BOOL) {
    copy_strided(rank, shape, tme_dtype_size(from), src, src_strides, dst, dst_strides);
    return;
  }
  ref_iter it;
  const int64_t *strides[2] = {src_strides, dst_strides};
  for (bool more = iter_start(&it, rank, shape, 2, strides); more; more = iter_next(&it))
    convert_run(from, src + it.offset[0] * (int64_t)tme_dtype_size(from), it.step[0], to,
                dst + it.offset[1] * (int64_t)tme_dtype_size(to), it.step[1], it.inner);
}
