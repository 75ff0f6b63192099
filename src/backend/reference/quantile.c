/* median, quantile, percentile: keys of a row, of which those at the places asked for are selected; all are sorted where many are
 * asked for. The methods are those of Hyndman and Fan ("Sample quantiles in statistical packages", 1996) and of NumPy. */
#include "backend/reference/iter.h"
#include "backend/reference/sort_radix.h"
#include "base/convert.h"
#include <math.h>

enum { SELECTED = 3 /* quantiles: for more, sorting takes less time */ };

/* Between which elements of a sorted row a quantile is, and how far from the first one to the second. */
typedef struct place {
  int64_t from, to;
  double part;
} place;

/* At `index`, which counts from 0 and need not be whole. */
static place at_index(double index, int64_t n) {
  double low = floor(index);
  if (index < 0) return (place){0, 0, 0};
  if (index >= (double)(n - 1)) return (place){n - 1, n - 1, 0};
  return (place){(int64_t)low, (int64_t)low + 1, index - low};
}

static place whole(double index, int64_t n) { return at_index(floor(index), n); }

/* With the plotting positions a and b. */
static place between(double q, int64_t n, double a, double b) {
  return at_index((double)n * q + (a + q * (1 - a - b)) - 1, n);
}

static place place_of(int method, double q, int64_t n) {
  double all = (double)n * q, last = (double)(n - 1) * q;
  place p;
  switch (method) {
  case QUANTILE_METHOD_INVERTED_CDF: return whole(ceil(all - 1), n);
  case QUANTILE_METHOD_AVERAGED_INVERTED_CDF:
    p = at_index(all - 1, n);
    p.part = p.part > 0 ? 1 : 0.5;
    return p;
  case QUANTILE_METHOD_CLOSEST_OBSERVATION: {
    double index = all - 1.5, low = floor(index);
    return whole(index == low && fmod(fabs(low), 2) == 1 ? low : low + 1, n);
  }
  case QUANTILE_METHOD_INTERPOLATED_INVERTED_CDF: return between(q, n, 0, 1);
  case QUANTILE_METHOD_HAZEN: return between(q, n, 0.5, 0.5);
  case QUANTILE_METHOD_WEIBULL: return between(q, n, 0, 0);
  case QUANTILE_METHOD_MEDIAN_UNBIASED: return between(q, n, 1 / 3.0, 1 / 3.0);
  case QUANTILE_METHOD_NORMAL_UNBIASED: return between(q, n, 3 / 8.0, 3 / 8.0);
  case QUANTILE_METHOD_LOWER: return whole(last, n);
  case QUANTILE_METHOD_HIGHER: return whole(ceil(last), n);
  case QUANTILE_METHOD_NEAREST: return whole(rint(last), n);
  case QUANTILE_METHOD_MIDPOINT:
    p = at_index(last, n);
    p.part = p.part > 0 ? 0.5 : 0;
    return p;
  default: return at_index(last, n);
  }
}

typedef struct job {
  const ref_array *x;
  ref_space row, kept;
  const double *q;
  int64_t nq, rows;
  int method;
  bool skip_nan, sorted;
  ref_array *out;
  radix radix;
  char *rooms;
  size_t keys, room; /* bytes: of a row's keys, and of all that a thread needs */
} job;

static void gather(const job *j, int64_t i, char *keys) {
  tme_dtype t = j->x->type.dtype;
  int64_t size = (int64_t)tme_dtype_size(t), offset = 0;
  for (int d = j->kept.rank - 1; d >= 0; d--) {
    offset += i % j->kept.shape[d] * j->kept.stride[d];
    i /= j->kept.shape[d];
  }
  const int64_t *strides[1] = {j->row.stride};
  ref_iter it;
  for (bool more = iter_start(&it, j->row.rank, j->row.shape, 1, strides); more; more = iter_next(&it)) {
    keys_make(t, j->x->data + (offset + it.offset[0]) * size, it.step[0], it.inner, false, keys);
    keys += (size_t)it.inner * keys_size(t);
  }
}

static double number(const job *j, const void *key) {
  tme_dtype t = j->x->type.dtype;
  char element[sizeof(double)];
  double v;
  keys_read(t, key, 1, false, element);
  convert_run(t, element, 1, TME_F64, &v, 1, 1);
  return v;
}

/* The elements at both places of p. */
#define PICK(bits)                                                                                                     \
  static int64_t nans_##bits(tme_dtype t, const uint##bits##_t *keys, int64_t n) {                                     \
    int64_t found = 0;                                                                                                 \
    if (!dtype_is_float(t)) return 0;                                                                                  \
    for (int64_t i = 0; i < n; i++) found += keys[i] == (uint##bits##_t) - 1;                                          \
    return found;                                                                                                      \
  }                                                                                                                    \
  static void pick_##bits(const job *j, const uint##bits##_t *keys, uint##bits##_t *spare, const place *p,             \
                          double v[2]) {                                                                               \
    int64_t n = j->row.size, less, not_above = 0;                                                                      \
    uint##bits##_t at[2];                                                                                              \
    if (j->sorted) {                                                                                                   \
      at[0] = keys[p->from];                                                                                           \
      at[1] = keys[p->to];                                                                                             \
    } else {                                                                                                           \
      memcpy(spare, keys, (size_t)n * sizeof *spare);                                                                  \
      at[0] = at[1] = select_key_##bits(spare, spare + n, n, p->from, &less);                                          \
      if (p->to != p->from) {                                                                                          \
        uint##bits##_t next = (uint##bits##_t) - 1;                                                                    \
        for (int64_t i = 0; i < n; i++) {                                                                              \
          not_above += keys[i] <= at[0];                                                                               \
          next = keys[i] > at[0] && keys[i] < next ? keys[i] : next;                                                   \
        }                                                                                                              \
        if (not_above <= p->to) at[1] = next;                                                                          \
      }                                                                                                                \
    }                                                                                                                  \
    v[0] = number(j, &at[0]);                                                                                          \
    v[1] = number(j, &at[1]);                                                                                          \
  }
PICK(32)
PICK(64)

/* From the nearer end, so that it is exact at both. */
static double mix(const double v[2], double part) {
  if (part == 0 || v[0] == v[1]) return v[0];
  double far = v[1] - v[0];
  return part < 0.5 ? v[0] + far * part : v[1] - far * (1 - part);
}

static void run_rows(void *user, int thread, int64_t t0, int64_t t1) {
  const job *j = user;
  tme_dtype t = j->x->type.dtype;
  char *counts = j->rooms + (size_t)thread * j->room, *keys = counts + j->room - 3 * j->keys, *spare = keys + j->keys;
  int64_t n = j->row.size;
  radix r = j->radix;
  r.count = (int64_t *)(void *)counts;
  bool narrow = keys_size(t) == sizeof(uint32_t);
  for (int64_t i = t0; i < t1; i++) {
    gather(j, i, keys);
    const uint32_t *keys_32 = (uint32_t *)(void *)keys;
    const uint64_t *keys_64 = (uint64_t *)(void *)keys;
    int64_t nans = narrow ? nans_32(t, keys_32, n) : nans_64(t, keys_64, n);
    if (j->sorted && narrow) keys_32 = sort_keys_32((uint32_t *)(void *)keys, (uint32_t *)(void *)spare, n, &r);
    if (j->sorted && !narrow) keys_64 = sort_keys_64((uint64_t *)(void *)keys, (uint64_t *)(void *)spare, n, &r);
    for (int64_t k = 0; k < j->nq; k++) {
      double v[2] = {NAN, NAN};
      place p = {0, 0, 0};
      if (nans < n && (!nans || j->skip_nan)) {
        p = place_of(j->method, j->q[k], n - nans);
        if (narrow)
          pick_32(j, keys_32, (uint32_t *)(void *)spare, &p, v);
        else
          pick_64(j, keys_64, (uint64_t *)(void *)spare, &p, v);
      }
      double y = mix(v, p.part);
      char *to = j->out->data + (size_t)(k * j->rows + i) * tme_dtype_size(j->out->type.dtype);
      convert_run(TME_F64, &y, 1, j->out->type.dtype, to, 1, 1);
    }
  }
}

/* The quantiles as parts of 1, for the caller to free. */
static double *quantiles(const ref_call *c, int64_t *n, error *e) {
  const ref_array *q = c->nin > 1 ? c->in[1] : NULL;
  double scale = c->op == OP_percentile || c->op == OP_nanpercentile ? 100 : 1;
  *n = q ? type_size(&q->type) : 1;
  size_t bytes = (size_t)*n * sizeof(double);
  double *v = mem_alloc(bytes);
  if (!v) {
    fail_memory(e, op_name(c->op), bytes);
    return NULL;
  }
  if (!q) {
    v[0] = 0.5;
    return v;
  }
  int64_t strides[TME_MAX_RANK];
  type_strides(&q->type, strides);
  convert_strided(q->type.rank, q->type.shape, TME_F64, q->data, q->strides, TME_F64, (char *)v, strides);
  for (int64_t i = 0; i < *n; i++) {
    if (v[i] >= 0 && v[i] <= scale) {
      v[i] /= scale;
      continue;
    }
    fail(e, TME_ERR_ARGUMENT, "%s: q is %g, expected 0 to %g", op_name(c->op), v[i], scale);
    mem_free(v);
    return NULL;
  }
  return v;
}

tme_status ref_quantile(ref_call *c, error *e) {
  const quantile_attrs *a = &c->attrs->quantile;
  const ref_array *x = c->in[0];
  job j = {.x = x,
           .row = dims_of(&x->type, x->strides, a->axes.mask),
           .kept = dims_of(&x->type, x->strides, ~a->axes.mask),
           .method = c->nin > 1 ? a->method : QUANTILE_METHOD_LINEAR,
           .skip_nan = c->op == OP_nanmedian || c->op == OP_nanquantile || c->op == OP_nanpercentile,
           .out = &c->out[0]};
  j.rows = j.kept.size;
  double *q = quantiles(c, &j.nq, e);
  if (!q) return e->code;
  j.q = q;
  j.sorted = j.nq > SELECTED;
  if (!j.rows || !j.nq) {
    mem_free(q);
    return TME_OK;
  }
  int rooms = c->threads ? threads_count(c->threads) : 1;
  bool apart = j.rows >= rooms;
  size_t all = 0, counts = radix_bytes(&j.radix, apart ? NULL : c->threads, j.row.size);
  bool fits = mul_size((size_t)j.row.size, keys_size(x->type.dtype), &j.keys) && j.keys < SIZE_MAX / 4;
  j.keys = (j.keys + 7) / 8 * 8;
  fits = fits && add_size(3 * j.keys, counts, &j.room) && mul_size(j.room, apart ? (size_t)rooms : 1, &all);
  j.rooms = fits ? mem_alloc(all) : NULL;
  tme_status s = TME_OK;
  if (!j.rooms)
    s = fail_memory(e, op_name(c->op), fits ? all : SIZE_MAX);
  else if (apart)
    threads_for(c->threads, j.rows, 1 + 4096 / j.row.size, run_rows, &j);
  else
    run_rows(&j, 0, 0, j.rows);
  mem_free(j.rooms);
  mem_free(q);
  return s;
}
