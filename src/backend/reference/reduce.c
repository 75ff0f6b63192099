/* sum, prod, min, max, any, all.
 *
 * The order of a sum depends on the number of elements alone: blocks of 128 elements in row-major order of the reduced
 * axes, each summed in 8 lanes, and the blocks' sums pairwise. Several neighbouring results are made at once, so that
 * reductions over leading axes read memory in order. */
#include "backend/reference/expr_scalar.h"
#include "backend/reference/iter.h"
#include <math.h>

enum { LANES = 8, COLUMNS = 16, SPAN = 128, LEVELS = 57 };

typedef struct reduction {
  void (*block)(void *acc, const char *data, const int64_t *offset, int count, int columns, int64_t step);
  void (*combine)(void *later, const void *earlier, int columns); /* into `later` */
  void (*store)(char *to, int64_t step, const void *acc, int columns);
} reduction;

#define PLAIN(x) (x)
#define NARROW(x) ((float)(x))
#define SUM(a, b) ((a) + (b))
#define PRODUCT(a, b) ((a) * (b))
#define EITHER(a, b) ((uint8_t)((a) | (b)))
#define BOTH(a, b) ((uint8_t)((a) & (b)))
#define LESS(a, b) ((b) < (a) ? (b) : (a))
#define MORE(a, b) ((b) > (a) ? (b) : (a))
#define LESS_OR_NAN(a, b) ((b) < (a) || (b) != (b) ? (b) : (a))
#define MORE_OR_NAN(a, b) ((b) > (a) || (b) != (b) ? (b) : (a))
#define NONZERO(x) ((x) != 0)

static c64 sum_c64(c64 a, c64 b) { return (c64){a.re + b.re, a.im + b.im}; }
static c128 sum_c128(c128 a, c128 b) { return (c128){a.re + b.re, a.im + b.im}; }
static c128 widen_c64(c64 a) { return (c128){a.re, a.im}; }
static c64 narrow_c128(c128 a) { return (c64){(float)a.re, (float)a.im}; }
static c128 product_c128(c128 a, c128 b) { return (c128){a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re}; }

#define FN(name) sum_f16_##name
#define ELEMENT uint16_t
#define ACC float
#define LOAD f16_to_f32
#define STORE f16_from_f32
#define NEUTRAL 0
#define COMBINE SUM
#include "backend/reference/reduce_loops.inc"

#define FN(name) sum_bf16_##name
#define ELEMENT uint16_t
#define ACC float
#define LOAD bf16_to_f32
#define STORE bf16_from_f32
#define NEUTRAL 0
#define COMBINE SUM
#include "backend/reference/reduce_loops.inc"

#define FN(name) sum_f32_##name
#define ELEMENT float
#define ACC float
#define LOAD PLAIN
#define STORE PLAIN
#define NEUTRAL 0
#define COMBINE SUM
#include "backend/reference/reduce_loops.inc"

#define FN(name) sum_f64_##name
#define ELEMENT double
#define ACC double
#define LOAD PLAIN
#define STORE PLAIN
#define NEUTRAL 0
#define COMBINE SUM
#include "backend/reference/reduce_loops.inc"

#define FN(name) sum_int_##name
#define ELEMENT uint64_t
#define ACC uint64_t
#define LOAD PLAIN
#define STORE PLAIN
#define NEUTRAL 0
#define COMBINE SUM
#include "backend/reference/reduce_loops.inc"

#define FN(name) sum_c64_##name
#define ELEMENT c64
#define ACC c64
#define LOAD PLAIN
#define STORE PLAIN
#define NEUTRAL ((c64){0, 0})
#define COMBINE sum_c64
#include "backend/reference/reduce_loops.inc"

#define FN(name) sum_c128_##name
#define ELEMENT c128
#define ACC c128
#define LOAD PLAIN
#define STORE PLAIN
#define NEUTRAL ((c128){0, 0})
#define COMBINE sum_c128
#include "backend/reference/reduce_loops.inc"

/* A product of n numbers is rounded n times, in whatever order: in twice the width nothing of it is left. */
#define FN(name) prod_f16_##name
#define ELEMENT uint16_t
#define ACC double
#define LOAD f16_to_f32
#define STORE f16_from_f64
#define NEUTRAL 1
#define COMBINE PRODUCT
#include "backend/reference/reduce_loops.inc"

#define FN(name) prod_bf16_##name
#define ELEMENT uint16_t
#define ACC double
#define LOAD bf16_to_f32
#define STORE bf16_from_f64
#define NEUTRAL 1
#define COMBINE PRODUCT
#include "backend/reference/reduce_loops.inc"

#define FN(name) prod_f32_##name
#define ELEMENT float
#define ACC double
#define LOAD PLAIN
#define STORE NARROW
#define NEUTRAL 1
#define COMBINE PRODUCT
#include "backend/reference/reduce_loops.inc"

#define FN(name) prod_f64_##name
#define ELEMENT double
#define ACC double
#define LOAD PLAIN
#define STORE PLAIN
#define NEUTRAL 1
#define COMBINE PRODUCT
#include "backend/reference/reduce_loops.inc"

#define FN(name) prod_int_##name
#define ELEMENT uint64_t
#define ACC uint64_t
#define LOAD PLAIN
#define STORE PLAIN
#define NEUTRAL 1
#define COMBINE PRODUCT
#include "backend/reference/reduce_loops.inc"

#define FN(name) prod_c64_##name
#define ELEMENT c64
#define ACC c128
#define LOAD widen_c64
#define STORE narrow_c128
#define NEUTRAL ((c128){1, 0})
#define COMBINE product_c128
#include "backend/reference/reduce_loops.inc"

#define FN(name) prod_c128_##name
#define ELEMENT c128
#define ACC c128
#define LOAD PLAIN
#define STORE PLAIN
#define NEUTRAL ((c128){1, 0})
#define COMBINE product_c128
#include "backend/reference/reduce_loops.inc"

#define FN(name) min_f16_##name
#define ELEMENT uint16_t
#define ACC float
#define LOAD f16_to_f32
#define STORE f16_from_f32
#define NEUTRAL INFINITY
#define COMBINE LESS_OR_NAN
#include "backend/reference/reduce_loops.inc"

#define FN(name) min_bf16_##name
#define ELEMENT uint16_t
#define ACC float
#define LOAD bf16_to_f32
#define STORE bf16_from_f32
#define NEUTRAL INFINITY
#define COMBINE LESS_OR_NAN
#include "backend/reference/reduce_loops.inc"

#define FN(name) min_f32_##name
#define ELEMENT float
#define ACC float
#define LOAD PLAIN
#define STORE PLAIN
#define NEUTRAL INFINITY
#define COMBINE LESS_OR_NAN
#include "backend/reference/reduce_loops.inc"

#define FN(name) min_f64_##name
#define ELEMENT double
#define ACC double
#define LOAD PLAIN
#define STORE PLAIN
#define NEUTRAL INFINITY
#define COMBINE LESS_OR_NAN
#include "backend/reference/reduce_loops.inc"

#define FN(name) min_u8_##name
#define ELEMENT uint8_t
#define ACC uint8_t
#define LOAD PLAIN
#define STORE PLAIN
#define NEUTRAL UINT8_MAX
#define COMBINE LESS
#include "backend/reference/reduce_loops.inc"

#define FN(name) min_i8_##name
#define ELEMENT int8_t
#define ACC int8_t
#define LOAD PLAIN
#define STORE PLAIN
#define NEUTRAL INT8_MAX
#define COMBINE LESS
#include "backend/reference/reduce_loops.inc"

#define FN(name) min_u16_##name
#define ELEMENT uint16_t
#define ACC uint16_t
#define LOAD PLAIN
#define STORE PLAIN
#define NEUTRAL UINT16_MAX
#define COMBINE LESS
#include "backend/reference/reduce_loops.inc"

#define FN(name) min_i16_##name
#define ELEMENT int16_t
#define ACC int16_t
#define LOAD PLAIN
#define STORE PLAIN
#define NEUTRAL INT16_MAX
#define COMBINE LESS
#include "backend/reference/reduce_loops.inc"

#define FN(name) min_u32_##name
#define ELEMENT uint32_t
#define ACC uint32_t
#define LOAD PLAIN
#define STORE PLAIN
#define NEUTRAL UINT32_MAX
#define COMBINE LESS
#include "backend/reference/reduce_loops.inc"

#define FN(name) min_i32_##name
#define ELEMENT int32_t
#define ACC int32_t
#define LOAD PLAIN
#define STORE PLAIN
#define NEUTRAL INT32_MAX
#define COMBINE LESS
#include "backend/reference/reduce_loops.inc"

#define FN(name) min_u64_##name
#define ELEMENT uint64_t
#define ACC uint64_t
#define LOAD PLAIN
#define STORE PLAIN
#define NEUTRAL UINT64_MAX
#define COMBINE LESS
#include "backend/reference/reduce_loops.inc"

#define FN(name) min_i64_##name
#define ELEMENT int64_t
#define ACC int64_t
#define LOAD PLAIN
#define STORE PLAIN
#define NEUTRAL INT64_MAX
#define COMBINE LESS
#include "backend/reference/reduce_loops.inc"

#define FN(name) max_f16_##name
#define ELEMENT uint16_t
#define ACC float
#define LOAD f16_to_f32
#define STORE f16_from_f32
#define NEUTRAL -INFINITY
#define COMBINE MORE_OR_NAN
#include "backend/reference/reduce_loops.inc"

#define FN(name) max_bf16_##name
#define ELEMENT uint16_t
#define ACC float
#define LOAD bf16_to_f32
#define STORE bf16_from_f32
#define NEUTRAL -INFINITY
#define COMBINE MORE_OR_NAN
#include "backend/reference/reduce_loops.inc"

#define FN(name) max_f32_##name
#define ELEMENT float
#define ACC float
#define LOAD PLAIN
#define STORE PLAIN
#define NEUTRAL -INFINITY
#define COMBINE MORE_OR_NAN
#include "backend/reference/reduce_loops.inc"

#define FN(name) max_f64_##name
#define ELEMENT double
#define ACC double
#define LOAD PLAIN
#define STORE PLAIN
#define NEUTRAL -INFINITY
#define COMBINE MORE_OR_NAN
#include "backend/reference/reduce_loops.inc"

#define FN(name) max_u8_##name
#define ELEMENT uint8_t
#define ACC uint8_t
#define LOAD PLAIN
#define STORE PLAIN
#define NEUTRAL 0
#define COMBINE MORE
#include "backend/reference/reduce_loops.inc"

#define FN(name) max_i8_##name
#define ELEMENT int8_t
#define ACC int8_t
#define LOAD PLAIN
#define STORE PLAIN
#define NEUTRAL INT8_MIN
#define COMBINE MORE
#include "backend/reference/reduce_loops.inc"

#define FN(name) max_u16_##name
#define ELEMENT uint16_t
#define ACC uint16_t
#define LOAD PLAIN
#define STORE PLAIN
#define NEUTRAL 0
#define COMBINE MORE
#include "backend/reference/reduce_loops.inc"

#define FN(name) max_i16_##name
#define ELEMENT int16_t
#define ACC int16_t
#define LOAD PLAIN
#define STORE PLAIN
#define NEUTRAL INT16_MIN
#define COMBINE MORE
#include "backend/reference/reduce_loops.inc"

#define FN(name) max_u32_##name
#define ELEMENT uint32_t
#define ACC uint32_t
#define LOAD PLAIN
#define STORE PLAIN
#define NEUTRAL 0
#define COMBINE MORE
#include "backend/reference/reduce_loops.inc"

#define FN(name) max_i32_##name
#define ELEMENT int32_t
#define ACC int32_t
#define LOAD PLAIN
#define STORE PLAIN
#define NEUTRAL INT32_MIN
#define COMBINE MORE
#include "backend/reference/reduce_loops.inc"

#define FN(name) max_u64_##name
#define ELEMENT uint64_t
#define ACC uint64_t
#define LOAD PLAIN
#define STORE PLAIN
#define NEUTRAL 0
#define COMBINE MORE
#include "backend/reference/reduce_loops.inc"

#define FN(name) max_i64_##name
#define ELEMENT int64_t
#define ACC int64_t
#define LOAD PLAIN
#define STORE PLAIN
#define NEUTRAL INT64_MIN
#define COMBINE MORE
#include "backend/reference/reduce_loops.inc"

#define FN(name) any_##name
#define ELEMENT uint8_t
#define ACC uint8_t
#define LOAD NONZERO
#define STORE PLAIN
#define NEUTRAL 0
#define COMBINE EITHER
#include "backend/reference/reduce_loops.inc"

#define FN(name) all_##name
#define ELEMENT uint8_t
#define ACC uint8_t
#define LOAD NONZERO
#define STORE PLAIN
#define NEUTRAL 1
#define COMBINE BOTH
#include "backend/reference/reduce_loops.inc"

static const reduction *choose(int op, tme_dtype t) {
#define CASE(type, op, suffix)                                                                                         \
  case type:                                                                                                           \
    return &op##_##suffix##_reduction
#define CASES_SUM(op)                                                                                                  \
  switch (t) {                                                                                                         \
    CASE(TME_F16, op, f16);                                                                                            \
    CASE(TME_BF16, op, bf16);                                                                                          \
    CASE(TME_F32, op, f32);                                                                                            \
    CASE(TME_F64, op, f64);                                                                                            \
    CASE(TME_C64, op, c64);                                                                                            \
    CASE(TME_C128, op, c128);                                                                                          \
    CASE(TME_I64, op, int);                                                                                            \
    CASE(TME_U64, op, int);                                                                                            \
  default: return NULL;                                                                                                \
  }
#define CASES_ORDER(op)                                                                                                \
  switch (t) {                                                                                                         \
    CASE(TME_F16, op, f16);                                                                                            \
    CASE(TME_BF16, op, bf16);                                                                                          \
    CASE(TME_F32, op, f32);                                                                                            \
    CASE(TME_F64, op, f64);                                                                                            \
    CASE(TME_U8, op, u8);                                                                                              \
    CASE(TME_U16, op, u16);                                                                                            \
    CASE(TME_U32, op, u32);                                                                                            \
    CASE(TME_U64, op, u64);                                                                                            \
    CASE(TME_I8, op, i8);                                                                                              \
    CASE(TME_I16, op, i16);                                                                                            \
    CASE(TME_I32, op, i32);                                                                                            \
    CASE(TME_I64, op, i64);                                                                                            \
  default: return NULL;                                                                                                \
  }
  switch (op) {
  case OP_sum: CASES_SUM(sum)
  case OP_prod: CASES_SUM(prod)
  case OP_min:
    if (t == TME_BOOL) return &all_reduction;
    CASES_ORDER(min)
  case OP_max:
    if (t == TME_BOOL) return &any_reduction;
    CASES_ORDER(max)
  case OP_any: return &any_reduction;
  default: return &all_reduction;
  }
}

/* The partial results that still wait for their partner, each of twice as many blocks as the one below. */
typedef union level {
  double f[COLUMNS];
  c128 z[COLUMNS];
  uint64_t u[COLUMNS];
} level;

/* The results of `columns` neighbouring rows, whose first elements lie `step` elements apart. */
static void reduce_columns(const reduction *r, const char *data, const ref_space *dims, int columns, int64_t step,
                           char *out, int64_t out_step) {
  level waiting[LEVELS], sum;
  uint64_t blocks = 0;
  int64_t offset[SPAN];
  int count = 0;
  ref_iter it;
  const int64_t *strides[1] = {dims->stride};
  bool more = iter_start(&it, dims->rank, dims->shape, 1, strides);
  int64_t i = 0;
  while (more) {
    for (; count < SPAN && i < it.inner; i++) offset[count++] = it.offset[0] + i * it.step[0];
    if (i == it.inner) {
      more = iter_next(&it);
      i = 0;
    }
    if (count < SPAN && more) continue;
    r->block(&sum, data, offset, count, columns, step);
    count = 0;
    int l = 0;
    for (; blocks >> l & 1; l++) r->combine(&sum, &waiting[l], columns);
    waiting[l] = sum;
    blocks++;
  }
  if (!blocks) r->block(&sum, data, offset, 0, columns, step);
  bool first = true;
  for (int l = 0; l < LEVELS; l++) {
    if (!(blocks >> l & 1)) continue;
    if (first)
      sum = waiting[l];
    else
      r->combine(&sum, &waiting[l], columns);
    first = false;
  }
  r->store(out, out_step, &sum, columns);
}

tme_status ref_reduce(ref_call *c, error *e) {
  const ref_array *x = c->in[0], *out = &c->out[0];
  const reduction *r = choose(c->op, x->type.dtype);
  if (!r) return fail(e, TME_ERR_UNSUPPORTED, "%s: no kernel for %s", op_name(c->op), tme_dtype_name(x->type.dtype));
  ref_space reduced = dims_of(&x->type, x->strides, c->attrs->axes);
  ref_space kept = dims_of(&x->type, x->strides, ~c->attrs->axes);
  op_type rows = {.rank = kept.rank};
  int64_t out_strides[TME_MAX_RANK], size = (int64_t)tme_dtype_size(x->type.dtype);
  for (int d = 0; d < kept.rank; d++) rows.shape[d] = kept.shape[d];
  type_strides(&rows, out_strides);
  ref_iter it;
  const int64_t *strides[2] = {out_strides, kept.stride};
  for (bool more = iter_start(&it, kept.rank, kept.shape, 2, strides); more; more = iter_next(&it)) {
    for (int64_t j = 0; j < it.inner; j += COLUMNS) {
      int columns = it.inner - j < COLUMNS ? (int)(it.inner - j) : COLUMNS;
      reduce_columns(r, x->data + (it.offset[1] + j * it.step[1]) * size, &reduced, columns, it.step[1],
                     out->data + (it.offset[0] + j * it.step[0]) * size, it.step[0]);
    }
  }
  return TME_OK;
}
