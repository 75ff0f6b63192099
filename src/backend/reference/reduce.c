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
#define SUM(a, b) ((a) + (b))
#define PRODUCT(a, b) ((a) * (b))
#define EITHER(a, b) ((uint8_t)((a) | (b)))
#define BOTH(a, b) ((uint8_t)((a) & (b)))
#define LESS(a, b) ((b) < (a) ? (b) : (a))
#define MORE(a, b) ((b) > (a) ? (b) : (a))
#define LESS_OR_NAN(a, b) ((b) < (a) || (b) != (b) ? (b) : (a))
#define MORE_OR_NAN(a, b) ((b) > (a) || (b) != (b) ? (b) : (a))
#define NONZERO(x) ((x) != 0)

static c64 sum_of_c64(c64 a, c64 b) { return (c64){a.re + b.re, a.im + b.im}; }
static c128 sum_of_c128(c128 a, c128 b) { return (c128){a.re + b.re, a.im + b.im}; }
static c128 widen_c64(c64 a) { return (c128){a.re, a.im}; }
static c128 widen_c128(c128 a) { return a; }
static c64 narrow_c64(c128 a) { return (c64){(float)a.re, (float)a.im}; }
static c128 narrow_c128(c128 a) { return a; }
static c128 product_c128(c128 a, c128 b) { return (c128){a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re}; }

/* One reduction of one dtype, name_reduction: ELEMENT is the type in memory, ACC that of the sums. */
#define REDUCTION(name, ELEMENT, ACC, LOAD, STORE, NEUTRAL, COMBINE)                                                   \
  static void name##_block(void *acc, const char *data, const int64_t *offset, int count, int columns, int64_t step) { \
    const ELEMENT *x = (const ELEMENT *)(const void *)data;                                                            \
    ACC lane[LANES][COLUMNS], *out = acc;                                                                              \
    for (int l = 0; l < LANES; l++)                                                                                    \
      for (int j = 0; j < columns; j++) lane[l][j] = NEUTRAL;                                                          \
    for (int p = 0; p < count; p++) {                                                                                  \
      ACC *sum = lane[p % LANES];                                                                                      \
      const ELEMENT *row = x + offset[p];                                                                              \
      for (int j = 0; j < columns; j++) sum[j] = COMBINE(sum[j], LOAD(row[j * step]));                                 \
    }                                                                                                                  \
    for (int width = LANES / 2; width; width /= 2)                                                                     \
      for (int l = 0; l < width; l++)                                                                                  \
        for (int j = 0; j < columns; j++) lane[l][j] = COMBINE(lane[l][j], lane[l + width][j]);                        \
    for (int j = 0; j < columns; j++) out[j] = lane[0][j];                                                             \
  }                                                                                                                    \
  static void name##_combine(void *later, const void *earlier, int columns) {                                          \
    ACC *b = later;                                                                                                    \
    const ACC *a = earlier;                                                                                            \
    for (int j = 0; j < columns; j++) b[j] = COMBINE(a[j], b[j]);                                                      \
  }                                                                                                                    \
  static void name##_store(char *to, int64_t step, const void *acc, int columns) {                                     \
    const ACC *a = acc;                                                                                                \
    ELEMENT *out = (ELEMENT *)(void *)to;                                                                              \
    for (int j = 0; j < columns; j++) out[j * step] = STORE(a[j]);                                                     \
  }                                                                                                                    \
  static const reduction name##_reduction = {name##_block, name##_combine, name##_store};

/* ---- sum, prod ---------------------------------------------------------------------------------------------------- */

/* Integers and booleans are summed in 64 bits, whatever their sign. */
REDUCTION(sum_int, uint64_t, uint64_t, PLAIN, PLAIN, 0, SUM)
REDUCTION(prod_int, uint64_t, uint64_t, PLAIN, PLAIN, 1, PRODUCT)

#define ADDS_BOOL(id, element)
#define ADDS_UNSIGNED(id, element)
#define ADDS_SIGNED(id, element)
#define ADDS_FLOAT(id, element) REDUCTION(sum_##id, element, element, PLAIN, PLAIN, 0, SUM)
#define ADDS_NARROW(id, element) REDUCTION(sum_##id, element, float, id##_to_f32, id##_from_f32, 0, SUM)
#define ADDS_COMPLEX(id, element) REDUCTION(sum_##id, element, element, PLAIN, PLAIN, ((element){0, 0}), sum_of_##id)
#define DTYPE(ID, id, name, kind, element, ...) ADDS_##kind(id, element)
#include "base/dtypes.def"

/* A product of n numbers is rounded n times, in whatever order: in twice the width nothing of it is left. */
#define TO_f32(x) ((float)(x))
#define TO_f64(x) (x)
#define MULTIPLIES_BOOL(id, element)
#define MULTIPLIES_UNSIGNED(id, element)
#define MULTIPLIES_SIGNED(id, element)
#define MULTIPLIES_FLOAT(id, element) REDUCTION(prod_##id, element, double, PLAIN, TO_##id, 1, PRODUCT)
#define MULTIPLIES_NARROW(id, element) REDUCTION(prod_##id, element, double, id##_to_f32, id##_from_f64, 1, PRODUCT)
#define MULTIPLIES_COMPLEX(id, element)                                                                                \
  REDUCTION(prod_##id, element, c128, widen_##id, narrow_##id, ((c128){1, 0}), product_c128)
#define DTYPE(ID, id, name, kind, element, ...) MULTIPLIES_##kind(id, element)
#include "base/dtypes.def"

/* ---- min, max, any, all -------------------------------------------------------------------------------------------- */

REDUCTION(any, uint8_t, uint8_t, NONZERO, PLAIN, 0, EITHER)
REDUCTION(all, uint8_t, uint8_t, NONZERO, PLAIN, 1, BOTH)

#define ORDERS(id, element, ACC, LOAD, STORE, lowest, highest, less, more)                                             \
  REDUCTION(min_##id, element, ACC, LOAD, STORE, highest, less)                                                        \
  REDUCTION(max_##id, element, ACC, LOAD, STORE, lowest, more)
#define ORDERS_BOOL(id, element, most)
#define ORDERS_UNSIGNED(id, element, most) ORDERS(id, element, element, PLAIN, PLAIN, 0, most, LESS, MORE)
#define ORDERS_SIGNED(id, element, most) ORDERS(id, element, element, PLAIN, PLAIN, -(most)-1, most, LESS, MORE)
#define ORDERS_FLOAT(id, element, most)                                                                                \
  ORDERS(id, element, element, PLAIN, PLAIN, -INFINITY, INFINITY, LESS_OR_NAN, MORE_OR_NAN)
#define ORDERS_NARROW(id, element, most)                                                                               \
  ORDERS(id, element, float, id##_to_f32, id##_from_f32, -INFINITY, INFINITY, LESS_OR_NAN, MORE_OR_NAN)
#define ORDERS_COMPLEX(id, element, most)
#define DTYPE(ID, id, name, kind, element, held, digits, most, ...) ORDERS_##kind(id, element, most)
#include "base/dtypes.def"

/* ---- the choice --------------------------------------------------------------------------------------------------- */

/* Sums of integers are of 64 bits by inference. */
#define SUMS(op, id) &op##_##id##_reduction
#define SUMS_BOOL(op, id, element) NULL
#define SUMS_UNSIGNED(op, id, element) sizeof(element) == 8 ? &op##_int_reduction : NULL
#define SUMS_SIGNED SUMS_UNSIGNED
#define SUMS_FLOAT(op, id, element) SUMS(op, id)
#define SUMS_NARROW(op, id, element) SUMS(op, id)
#define SUMS_COMPLEX(op, id, element) SUMS(op, id)
#define ENDS_BOOL(op, id) ENDS_BOOL_##op
#define ENDS_BOOL_min &all_reduction
#define ENDS_BOOL_max &any_reduction
#define ENDS_UNSIGNED SUMS
#define ENDS_SIGNED SUMS
#define ENDS_FLOAT SUMS
#define ENDS_NARROW SUMS
#define ENDS_COMPLEX(op, id) NULL

/* NULL where there is none. */
static const reduction *choose(int op, tme_dtype t) {
  static const struct {
    const reduction *sum, *prod, *min, *max;
  } of[TME_DTYPE_COUNT] = {
#define DTYPE(ID, id, name, kind, element, ...)                                                                        \
  [TME_##ID] = {SUMS_##kind(sum, id, element), SUMS_##kind(prod, id, element), ENDS_##kind(min, id),                   \
                ENDS_##kind(max, id)},
#include "base/dtypes.def"
  };
  switch (op) {
  case OP_sum: return of[t].sum;
  case OP_prod: return of[t].prod;
  case OP_min: return of[t].min;
  case OP_max: return of[t].max;
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
  ref_space reduced = dims_of(&x->type, x->strides, c->attrs->reduce.axes.mask);
  ref_space kept = dims_of(&x->type, x->strides, ~c->attrs->reduce.axes.mask);
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
