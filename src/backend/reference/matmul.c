/* matmul: one product per matrix of the batch, of packed operands. 16-bit operands are widened to f32. */
#include "backend/libraries.h"
#include "backend/reference/expr_scalar.h"
#include "backend/reference/iter.h"
#include "base/convert.h"
#include <limits.h>
#include <string.h>

/* c = a b, row-major: rows of c are sums of rows of b. A long sum of floats is one of sums of so many terms, which are added
 * with what that loses kept apart; `scratch` has two rows. */
enum { MOST_TERMS = 512 };

#define PRODUCT(suffix, TYPE, TERMS, ADD_PRODUCT, ADD_SUM, ADD_LOST)                                                   \
  static void product_##suffix(int64_t m, int64_t n, int64_t k, const void *pa, const void *pb, void *pc,              \
                               void *scratch) {                                                                        \
    const TYPE *a = pa, *b = pb;                                                                                       \
    TYPE *c = pc, *restrict part = scratch, *restrict lost = part + n;                                                 \
    memset(c, 0, sizeof *c *(size_t)(m * n));                                                                          \
    for (int64_t i = 0; i < m; i++) {                                                                                  \
      TYPE *restrict sum = c + i * n;                                                                                  \
      memset(lost, 0, sizeof *c *(size_t)n);                                                                           \
      for (int64_t first = 0, end; first < k; first = end) {                                                           \
        end = k - first < (TERMS) ? k : first + (TERMS);                                                               \
        memset(part, 0, sizeof *c *(size_t)n);                                                                         \
        for (int64_t l = first; l < end; l++) {                                                                        \
          const TYPE x = a[i * k + l], *row = b + l * n;                                                               \
          for (int64_t j = 0; j < n; j++) ADD_PRODUCT(part[j], x, row[j]);                                             \
        }                                                                                                              \
        for (int64_t j = 0; j < n; j++) ADD_SUM(sum[j], lost[j], part[j]);                                             \
      }                                                                                                                \
      for (int64_t j = 0; j < n; j++) ADD_LOST(sum[j], lost[j]);                                                       \
    }                                                                                                                  \
  }
#define SUMS(suffix, REAL)                                                                                             \
  static inline void add_##suffix(REAL *sum, REAL *lost, REAL v) {                                                     \
    REAL after = *sum + v, added = after - *sum;                                                                       \
    *lost += (*sum - (after - added)) + (v - added);                                                                   \
    *sum = after;                                                                                                      \
  }                                                                                                                    \
  static inline REAL total_##suffix(REAL sum, REAL lost) { return lost - lost == 0 ? sum + lost : sum; }               \
  static void add_parts_##suffix(int64_t n, const void *pv, void *psum, void *plost) {                                 \
    const REAL *v = pv;                                                                                                \
    REAL *sum = psum, *lost = plost;                                                                                   \
    for (int64_t i = 0; i < n; i++) add_##suffix(&sum[i], &lost[i], v[i]);                                             \
  }                                                                                                                    \
  static void add_lost_##suffix(int64_t n, const void *plost, void *psum) {                                            \
    const REAL *lost = plost;                                                                                          \
    REAL *sum = psum;                                                                                                  \
    for (int64_t i = 0; i < n; i++) sum[i] = total_##suffix(sum[i], lost[i]);                                          \
  }

SUMS(f32, float)
SUMS(f64, double)

#define ADD_FLOAT(s, x, y) (s) += (x) * (y)
#define ADD_SMALL(s, x, y) (s) = (uint8_t)((s) + (x) * (y))
#define ADD_SHORT(s, x, y) (s) = (uint16_t)((uint32_t)(s) + (uint32_t)(x) * (y))
#define ADD_COMPLEX(s, x, y) (s).re += (x).re * (y).re - (x).im * (y).im, (s).im += (x).re * (y).im + (x).im * (y).re

#define SUM_F32(s, lost, v) add_f32(&(s), &(lost), v)
#define SUM_F64(s, lost, v) add_f64(&(s), &(lost), v)
#define SUM_C64(s, lost, v) add_f32(&(s).re, &(lost).re, (v).re), add_f32(&(s).im, &(lost).im, (v).im)
#define SUM_C128(s, lost, v) add_f64(&(s).re, &(lost).re, (v).re), add_f64(&(s).im, &(lost).im, (v).im)
#define LOST_F32(s, lost) (s) = total_f32(s, lost)
#define LOST_F64(s, lost) (s) = total_f64(s, lost)
#define LOST_C64(s, lost) (s).re = total_f32((s).re, (lost).re), (s).im = total_f32((s).im, (lost).im)
#define LOST_C128(s, lost) (s).re = total_f64((s).re, (lost).re), (s).im = total_f64((s).im, (lost).im)
#define SUM_INT(s, lost, v) (s) = (v) /* all terms are one sum */
#define LOST_INT(s, lost) (void)(lost)

PRODUCT(f32, float, MOST_TERMS, ADD_FLOAT, SUM_F32, LOST_F32)
PRODUCT(f64, double, MOST_TERMS, ADD_FLOAT, SUM_F64, LOST_F64)
PRODUCT(c64, c64, MOST_TERMS, ADD_COMPLEX, SUM_C64, LOST_C64)
PRODUCT(c128, c128, MOST_TERMS, ADD_COMPLEX, SUM_C128, LOST_C128)
PRODUCT(8, uint8_t, k, ADD_SMALL, SUM_INT, LOST_INT) /* integers wrap, whatever their sign */
PRODUCT(16, uint16_t, k, ADD_SHORT, SUM_INT, LOST_INT)
PRODUCT(32, uint32_t, k, ADD_FLOAT, SUM_INT, LOST_INT)
PRODUCT(64, uint64_t, k, ADD_FLOAT, SUM_INT, LOST_INT)

typedef void product_fn(int64_t m, int64_t n, int64_t k, const void *a, const void *b, void *c, void *scratch);

/* NULL of narrow floats, which are multiplied in f32, and of what has no products. */
static product_fn *product_of(tme_dtype t) {
  static product_fn *const products[TME_DTYPE_COUNT] = {
#define INTEGERS(bytes) (bytes) == 1 ? product_8 : (bytes) == 2 ? product_16 : (bytes) == 4 ? product_32 : product_64
#define PRODUCT_BOOL(id, element) NULL
#define PRODUCT_UNSIGNED(id, element) INTEGERS(sizeof(element))
#define PRODUCT_SIGNED(id, element) INTEGERS(sizeof(element))
#define PRODUCT_FLOAT(id, element) product_##id
#define PRODUCT_NARROW(id, element) NULL
#define PRODUCT_COMPLEX(id, element) product_##id
#define DTYPE(ID, id, name, kind, element, ...) [TME_##ID] = PRODUCT_##kind(id, element),
#include "base/dtypes.def"
  };
  return products[t];
}

/* An operand: its matrices and how they repeat over the batch. */
typedef struct operand {
  tme_dtype dtype;
  int64_t shape[2], strides[2], batch[TME_MAX_RANK];
  const char *data;
} operand;

static operand operand_of(const ref_array *x, bool left, const op_type *batch) {
  operand o = {.dtype = x->type.dtype, .data = x->data, .shape = {1, 1}};
  int rank = x->type.rank;
  if (rank == 1) {
    o.shape[left] = x->type.shape[0];
    o.strides[left] = x->strides[0];
    return o;
  }
  for (int d = 0; d < 2; d++) {
    o.shape[d] = x->type.shape[rank - 2 + d];
    o.strides[d] = x->strides[rank - 2 + d];
  }
  ref_array outer = *x;
  outer.type.rank = rank - 2;
  broadcast_strides(batch, &outer, o.batch);
  return o;
}

/* The matrix as BLAS can take it in place: one stride is 1. */
static bool blas_layout(const operand *o, bool *transposed, int64_t *leading) {
  for (int t = 0; t < 2; t++) {
    int64_t rows = o->shape[t], columns = o->shape[1 - t], step = o->strides[t];
    if (columns > 1 && o->strides[1 - t] != 1) continue;
    if (rows == 1) step = columns;
    if (step < columns || step < 1 || step > INT_MAX) continue;
    *transposed = t;
    *leading = step;
    return true;
  }
  return false;
}

/* The matrix at `offset`, row-major in dtype `wide`: itself if it is that already, else packed into `buffer`. */
static const char *packed(const operand *o, int64_t offset, tme_dtype wide, char *buffer) {
  const char *from = o->data + offset * (int64_t)tme_dtype_size(o->dtype);
  int64_t strides[2] = {o->shape[1], 1};
  bool contiguous = (o->shape[0] < 2 || o->strides[0] == strides[0]) && (o->shape[1] < 2 || o->strides[1] == 1);
  if (wide == o->dtype && contiguous) return from;
  convert_strided(2, o->shape, o->dtype, from, o->strides, wide, buffer, strides);
  return buffer;
}

typedef struct matrices {
  const libraries *lib; /* NULL: plain C */
  tme_dtype wide;
  operand a, b;
  char *pack_a, *pack_b, *sums, *scratch; /* sums: NULL if the result is of the wide dtype */
} matrices;

/* The operands of one matrix as BLAS takes them. */
typedef struct blas_operands {
  const char *a, *b;
  int64_t lda, ldb;
  bool ta, tb;
} blas_operands;

/* The product over `terms` of the terms from `first` on. */
static void gemm(const matrices *p, const blas_operands *o, int64_t first, int64_t terms, char *to) {
  enum { ROW_MAJOR = 101, PLAIN = 111, TRANSPOSED = 112 };
  int64_t size = (int64_t)tme_dtype_size(p->wide);
  const void *a = o->a + first * (o->ta ? o->lda : 1) * size, *b = o->b + first * (o->tb ? 1 : o->ldb) * size;
  int m = (int)p->a.shape[0], n = (int)p->b.shape[1], opa = o->ta ? TRANSPOSED : PLAIN,
      opb = o->tb ? TRANSPOSED : PLAIN;
  if (p->wide == TME_F32)
    p->lib->sgemm(ROW_MAJOR, opa, opb, m, n, (int)terms, 1, a, (int)o->lda, b, (int)o->ldb, 0, (void *)to, n);
  else
    p->lib->dgemm(ROW_MAJOR, opa, opb, m, n, (int)terms, 1, a, (int)o->lda, b, (int)o->ldb, 0, (void *)to, n);
}

/* BLAS libraries cut the long sums of large products, but not those of products with few rows or columns. */
static bool needs_blocks(int64_t m, int64_t n, int64_t k) {
  enum { FEW = 16 };
  return k > MOST_TERMS && (m < FEW || n < FEW);
}

static bool call_blas(const matrices *p, int64_t at_a, int64_t at_b, char *to) {
  int64_t m = p->a.shape[0], n = p->b.shape[1], k = p->a.shape[1], size = (int64_t)tme_dtype_size(p->wide);
  if (!p->lib || m > INT_MAX || n > INT_MAX || k > INT_MAX || !m || !n || !k) return false;
  if (p->wide == TME_F32 ? !p->lib->sgemm : !p->lib->dgemm) return false;
  blas_operands o = {.a = p->a.data + at_a * (int64_t)tme_dtype_size(p->a.dtype),
                     .b = p->b.data + at_b * (int64_t)tme_dtype_size(p->b.dtype)};
  if (p->a.dtype != p->wide || !blas_layout(&p->a, &o.ta, &o.lda))
    o.a = packed(&p->a, at_a, p->wide, p->pack_a), o.lda = k;
  if (p->b.dtype != p->wide || !blas_layout(&p->b, &o.tb, &o.ldb))
    o.b = packed(&p->b, at_b, p->wide, p->pack_b), o.ldb = n;
  if (!needs_blocks(m, n, k)) {
    gemm(p, &o, 0, k, to);
    return true;
  }
  char *part = p->scratch, *lost = part + m * n * size;
  memset(to, 0, (size_t)(m * n * size));
  memset(lost, 0, (size_t)(m * n * size));
  for (int64_t first = 0; first < k; first += MOST_TERMS) {
    gemm(p, &o, first, k - first < MOST_TERMS ? k - first : MOST_TERMS, part);
    (p->wide == TME_F32 ? add_parts_f32 : add_parts_f64)(m * n, part, to, lost);
  }
  (p->wide == TME_F32 ? add_lost_f32 : add_lost_f64)(m * n, lost, to);
  return true;
}

static void multiply_batches(const matrices *p, const op_type *batch, ref_array *out) {
  int64_t m = p->a.shape[0], n = p->b.shape[1], k = p->a.shape[1], one = 1, out_batch[TME_MAX_RANK];
  int64_t size = (int64_t)tme_dtype_size(out->type.dtype);
  type_strides(batch, out_batch);
  const int64_t *strides[3] = {out_batch, p->a.batch, p->b.batch};
  ref_iter it;
  for (bool more = iter_start(&it, batch->rank, batch->shape, 3, strides); more; more = iter_next(&it)) {
    for (int64_t i = 0; i < it.inner; i++) {
      int64_t at_a = it.offset[1] + i * it.step[1], at_b = it.offset[2] + i * it.step[2];
      char *result = out->data + (it.offset[0] + i * it.step[0]) * m * n * size, *to = p->sums ? p->sums : result;
      if (!call_blas(p, at_a, at_b, to))
        product_of(p->wide)(m, n, k, packed(&p->a, at_a, p->wide, p->pack_a), packed(&p->b, at_b, p->wide, p->pack_b),
                            to, p->scratch);
      if (p->sums) convert_run(p->wide, to, one, out->type.dtype, result, one, m * n);
    }
  }
}

tme_status ref_matmul(ref_call *c, error *e) {
  const ref_array *x = c->in[0], *y = c->in[1];
  tme_dtype t = x->type.dtype;
  matrices p = {.wide = dtype_wide(t)};
  if (!product_of(p.wide)) return fail(e, TME_ERR_UNSUPPORTED, "matmul: no kernel for %s", tme_dtype_name(t));
  op_type batch = c->out[0].type;
  batch.rank -= (x->type.rank > 1) + (y->type.rank > 1);
  p.a = operand_of(x, true, &batch);
  p.b = operand_of(y, false, &batch);
  if (c->libraries && (p.wide == TME_F32 || p.wide == TME_F64)) p.lib = libraries_use();
  size_t size = tme_dtype_size(p.wide), m = (size_t)p.a.shape[0], n = (size_t)p.b.shape[1], k = (size_t)p.a.shape[1];
  p.pack_a = mem_alloc(m * k * size);
  p.pack_b = mem_alloc(k * n * size);
  p.sums = p.wide != t ? mem_alloc(m * n * size) : NULL;
  size_t spare = 2 * n * size * (p.lib && needs_blocks((int64_t)m, (int64_t)n, (int64_t)k) ? m : 1);
  p.scratch = mem_alloc(spare);
  tme_status s = TME_OK;
  if (p.pack_a && p.pack_b && p.scratch && (p.sums || p.wide == t))
    multiply_batches(&p, &batch, &c->out[0]);
  else
    s = fail_memory(e, "matmul", (m * k + k * n + m * n) * size + spare);
  if (p.lib) libraries_leave();
  mem_free(p.pack_a);
  mem_free(p.pack_b);
  mem_free(p.sums);
  mem_free(p.scratch);
  return s;
}
