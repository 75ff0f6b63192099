/* scaled_dot_product_attention and attention_weights, one query at a time: scores, their softmax, the weighted sum of the
 * values. What weighs 0 is not looked at; a query whose scores are all -infinity, or that has no keys, gives NaN. */
#include "backend/reference/rows.h"
#include "base/convert.h"
#include <math.h>
#include <string.h>

typedef struct attention {
  const ref_call *c;
  const ref_array *v, *mask;                                     /* NULL: the weights are the result; there is none */
  int64_t n, m, d, wide;                                         /* queries, keys, their width, width of the result */
  int64_t group;                                                 /* heads of q that share one of k and v */
  int64_t offset_q, offset_k, offset_v, offset_mask, offset_out; /* of the matrices at hand, in elements */
  double scale;
  bool causal;
  char *q, *k, *values, *scores, *row; /* wide; of rows of the result, two */
} attention;

/* Long sums are made of the sums of blocks. */
static int64_t block_end(int64_t first, int64_t all) {
  enum { BLOCK = 512 };
  return all - first < BLOCK ? all : first + BLOCK;
}

#define ATTENTION(suffix, REAL)                                                                                        \
  static void scores_##suffix(const attention *a, int64_t row, const int64_t *mask_strides) {                          \
    const ref_array *mask = a->mask;                                                                                   \
    const REAL *q = (const REAL *)(const void *)a->q, *k = (const REAL *)(const void *)a->k;                           \
    REAL *s = (REAL *)(void *)a->scores, scale = (REAL)a->scale;                                                       \
    for (int64_t j = 0; j < a->m; j++) {                                                                               \
      REAL dot = 0;                                                                                                    \
      for (int64_t first = 0, end; first < a->d; first = end) {                                                        \
        REAL part = 0;                                                                                                 \
        end = block_end(first, a->d);                                                                                  \
        for (int64_t l = first; l < end; l++) part += q[l] * k[j * a->d + l];                                          \
        dot += part;                                                                                                   \
      }                                                                                                                \
      s[j] = dot * scale;                                                                                              \
      if (mask) {                                                                                                      \
        tme_dtype t = mask->type.dtype;                                                                                \
        REAL add = 0;                                                                                                  \
        int64_t at = a->offset_mask + row * mask_strides[0] + j * mask_strides[1];                                     \
        const char *from = mask->data + at * (int64_t)tme_dtype_size(t);                                               \
        if (t == TME_BOOL) {                                                                                           \
          if (!*from) s[j] = -(REAL)INFINITY;                                                                          \
        } else {                                                                                                       \
          convert_run(t, from, 1, sizeof(REAL) == 4 ? TME_F32 : TME_F64, (char *)&add, 1, 1);                          \
          s[j] = add == -(REAL)INFINITY ? add : s[j] + add;                                                            \
        }                                                                                                              \
      }                                                                                                                \
      if (a->causal && j > row + a->m - a->n) s[j] = -(REAL)INFINITY;                                                  \
    }                                                                                                                  \
  }                                                                                                                    \
  static void row_##suffix(const attention *a) {                                                                       \
    const REAL *v = (const REAL *)(const void *)a->values;                                                             \
    REAL *s = (REAL *)(void *)a->scores, *sum = (REAL *)(void *)a->row, *part = sum + a->wide;                         \
    REAL most = row_max_##suffix(s, a->m);                                                                             \
    for (int64_t j = 0; j < a->m; j++) s[j] = (REAL)exp((double)(s[j] - most));                                        \
    REAL total = row_sum_##suffix(s, a->m);                                                                            \
    for (int64_t j = 0; j < a->m; j++) s[j] /= total;                                                                  \
    if (!a->v) return;                                                                                                 \
    memset(sum, 0, sizeof *sum *(size_t)a->wide);                                                                      \
    for (int64_t l = 0; l < a->wide && !a->m; l++) sum[l] = (REAL)NAN;                                                 \
    for (int64_t first = 0, end; first < a->m; first = end) {                                                          \
      end = block_end(first, a->m);                                                                                    \
      memset(part, 0, sizeof *part *(size_t)a->wide);                                                                  \
      for (int64_t j = first; j < end; j++)                                                                            \
        for (int64_t l = 0; l < a->wide && s[j] != 0; l++) part[l] += s[j] * v[j * a->wide + l];                       \
      for (int64_t l = 0; l < a->wide; l++) sum[l] += part[l];                                                         \
    }                                                                                                                  \
  }

ATTENTION(f32, float)
ATTENTION(f64, double)

/* A matrix of x, row-major and wide. */
static void pack(const ref_array *x, int64_t offset, char *to) {
  int r = x->type.rank;
  int64_t strides[2] = {x->type.shape[r - 1], 1};
  convert_strided(2, &x->type.shape[r - 2], x->type.dtype, x->data + offset * (int64_t)tme_dtype_size(x->type.dtype),
                  &x->strides[r - 2], rows_dtype(x->type.dtype), to, strides);
}

static void one_batch(const attention *a) {
  const ref_array *q = a->c->in[0], *out = &a->c->out[0];
  tme_dtype t = q->type.dtype, wide = rows_dtype(t);
  int64_t size = (int64_t)tme_dtype_size(t), mask_strides[TME_MAX_RANK] = {0};
  int rank = out->type.rank;
  if (a->mask) {
    op_type scores = out->type;
    scores.shape[rank - 1] = a->m;
    broadcast_strides(&scores, a->mask, mask_strides);
  }
  const int64_t *steps = &q->strides[q->type.rank - 2];
  for (int64_t i = 0; i < a->n; i++) {
    convert_run(t, q->data + (a->offset_q + i * steps[0]) * size, steps[1], wide, a->q, 1, a->d);
    if (wide == TME_F32) {
      scores_f32(a, i, &mask_strides[rank - 2]);
      row_f32(a);
    } else {
      scores_f64(a, i, &mask_strides[rank - 2]);
      row_f64(a);
    }
    convert_run(wide, a->row, 1, t, out->data + (a->offset_out + i * a->wide) * size, 1, a->wide);
  }
}

/* The offset of the matrix of x at a place of the batch of the result; k and v may have fewer heads. */
static int64_t matrix_at(const ref_array *x, const op_type *batch, const int64_t *index, int64_t group) {
  int64_t offset = 0;
  int own = x->type.rank - 2, lead = batch->rank - own;
  for (int d = 0; d < own; d++) {
    int64_t i = index[lead + d];
    if (d == own - 1) i /= group;
    if (x->type.shape[d] > 1) offset += i * x->strides[d];
  }
  return offset;
}

static void all_batches(attention *a) {
  const ref_call *c = a->c;
  op_type batch = c->out[0].type;
  batch.rank -= 2;
  int64_t count = 1, last_k = -1, last_v = -1, mask_strides[TME_MAX_RANK] = {0};
  bool fresh = true;
  for (int d = 0; d < batch.rank; d++) count *= batch.shape[d];
  if (a->mask) {
    op_type scores = c->out[0].type;
    scores.shape[scores.rank - 1] = a->m;
    broadcast_strides(&scores, a->mask, mask_strides);
  }
  for (int64_t b = 0; b < count; b++, fresh = false) {
    int64_t index[TME_MAX_RANK], rest = b;
    a->offset_mask = 0;
    for (int d = batch.rank - 1; d >= 0; d--) {
      index[d] = rest % batch.shape[d];
      rest /= batch.shape[d];
      a->offset_mask += index[d] * mask_strides[d];
    }
    a->offset_q = matrix_at(c->in[0], &batch, index, 1);
    a->offset_k = matrix_at(c->in[1], &batch, index, a->group);
    if (a->v) a->offset_v = matrix_at(a->v, &batch, index, a->group);
    a->offset_out = b * a->n * a->wide;
    if (fresh || a->offset_k != last_k) pack(c->in[1], a->offset_k, a->k);
    if (a->v && (fresh || a->offset_v != last_v)) pack(a->v, a->offset_v, a->values);
    last_k = a->offset_k;
    last_v = a->offset_v;
    one_batch(a);
  }
}

/* Heads of k and v that are neither one nor as many as the result's are shared by groups. */
static int64_t group_of(const attention *a) {
  const op_type *out = &a->c->out[0].type;
  for (int i = 1; i < (a->v ? 3 : 2); i++) {
    const op_type *t = &a->c->in[i]->type;
    if (t->rank < 3 || out->rank < 3) continue;
    int64_t heads = t->shape[t->rank - 3], all = out->shape[out->rank - 3];
    if (heads > 1 && heads < all) return all / heads;
  }
  return 1;
}

static tme_status compute(ref_call *c, bool values, error *e) {
  const op_type *q = &c->in[0]->type, *k = &c->in[1]->type, *out = &c->out[0].type;
  attention a = {.c = c, .n = q->shape[q->rank - 2], .d = q->shape[q->rank - 1], .m = k->shape[k->rank - 2]};
  a.v = values ? c->in[2] : NULL;
  a.mask = c->in[values ? 3 : 2];
  a.scale = values ? c->attrs->attention.scale : c->attrs->weights.scale;
  a.causal = values ? c->attrs->attention.causal : c->attrs->weights.causal;
  a.wide = out->shape[out->rank - 1];
  a.group = group_of(&a);
  size_t size = tme_dtype_size(rows_dtype(q->dtype)), d = (size_t)a.d, m = (size_t)a.m;
  size_t w = values ? (size_t)a.wide : 0, bytes = (d + m * d + m * w + m + 2 * w) * size;
  char *all = mem_alloc(bytes);
  if (!all) return fail_memory(e, op_name(c->op), bytes);
  a.q = all;
  a.k = a.q + d * size;
  a.values = a.k + m * d * size;
  a.scores = a.values + m * w * size;
  a.row = values ? a.scores + m * size : a.scores;
  all_batches(&a);
  mem_free(all);
  return TME_OK;
}

tme_status ref_attention(ref_call *c, error *e) { return compute(c, true, e); }
tme_status ref_weights(ref_call *c, error *e) { return compute(c, false, e); }
