/* histogram, histogram2d. An element is in the bin between whose edges it lies, whatever a division would say. */
#include "backend/reference/combine.h"
#include "backend/reference/tally.h"
#include "base/convert.h"
#include <math.h>
#include <string.h>

enum { PIECE = 1 << 14 };

/* One array of numbers, and the edges of its bins. */
typedef struct axis {
  tme_dtype dtype;
  const char *data;
  void *copy;
  double *edges;
  int64_t bins;
  bool even; /* of one width: then a product finds the bin, or its neighbour */
  double low, high, scale;
} axis;

typedef struct plane {
  axis along[2];
  int naxes;
} plane;

static void load(const axis *a, int64_t from, int64_t n, double *to) {
  const char *p = a->data + (size_t)from * tme_dtype_size(a->dtype);
  const float *single = (const float *)(const void *)p;
  if (a->dtype != TME_F32)
    convert_run(a->dtype, p, 1, TME_F64, to, 1, n);
  else /* the most frequent ones take half of the time */
    for (int64_t i = 0; i < n; i++) to[i] = (double)single[i];
}

static int64_t search(const axis *a, double v) {
  int64_t lo = 0, hi = a->bins;
  while (hi - lo > 1) *(a->edges[(lo + hi) / 2] <= v ? &lo : &hi) = (lo + hi) / 2;
  return lo;
}

/* The last bin has its upper edge. */
static int64_t bin_of(const axis *a, double v) {
  if (!(v >= a->low && v <= a->high)) return -1;
  if (!a->even) return search(a, v);
  int64_t last = a->bins - 1, i = (int64_t)((v - a->low) * a->scale);
  i = i > last ? last : i;
  i -= i > 0 && v < a->edges[i];
  return i + (i < last && v >= a->edges[i + 1]);
}

static void find(const void *user, int64_t from, int64_t n, int64_t *bin) {
  const plane *p = user;
  double v[TALLY_BLOCK];
  for (int64_t i = 0; i < n; i++) bin[i] = 0;
  for (int k = 0; k < p->naxes; k++) {
    const axis *a = &p->along[k];
    load(a, from, n, v);
    for (int64_t i = 0; i < n; i++) {
      int64_t b = bin_of(a, v[i]);
      bin[i] = b < 0 || bin[i] < 0 ? -1 : bin[i] * a->bins + b;
    }
  }
}

/* The extremes of pieces. NaN makes both NaN. */
typedef struct extremes {
  const axis *a;
  int64_t n;
  double *of; /* two for each piece */
} extremes;

static void find_extremes(void *user, int thread, int64_t t0, int64_t t1) {
  (void)thread;
  const extremes *x = user;
  for (int64_t t = t0; t < t1; t++) {
    double lo = INFINITY, hi = -INFINITY, v[TALLY_BLOCK];
    int64_t end = (t + 1) * PIECE < x->n ? (t + 1) * PIECE : x->n, strange = 0;
    for (int64_t i = t * PIECE; i < end; i += TALLY_BLOCK) {
      int64_t n = end - i < TALLY_BLOCK ? end - i : TALLY_BLOCK;
      load(x->a, i, n, v);
      for (int64_t k = 0; k < n; k++) {
        lo = v[k] < lo ? v[k] : lo;
        hi = v[k] > hi ? v[k] : hi;
        strange += v[k] != v[k];
      }
    }
    x->of[2 * t] = strange ? NAN : lo;
    x->of[2 * t + 1] = strange ? NAN : hi;
  }
}

static tme_status set_range(const ref_call *c, axis *a, int64_t n, error *e) {
  int64_t pieces = ceil_div(n, PIECE);
  extremes x = {.a = a, .n = n, .of = mem_alloc((size_t)pieces * 2 * sizeof(double))};
  if (!x.of) return fail_memory(e, op_name(c->op), (size_t)pieces * 2 * sizeof(double));
  threads_for(c->threads, pieces, 1, find_extremes, &x);
  a->low = n ? x.of[0] : 0;
  a->high = n ? x.of[1] : 1;
  for (int64_t i = 1; i < pieces; i++) {
    a->low = x.of[2 * i] < a->low || isnan(x.of[2 * i]) ? x.of[2 * i] : a->low;
    a->high = x.of[2 * i + 1] > a->high || isnan(x.of[2 * i + 1]) ? x.of[2 * i + 1] : a->high;
  }
  mem_free(x.of);
  if (isfinite(a->low) && isfinite(a->high)) return TME_OK;
  return fail(e, TME_ERR_ARGUMENT, "%s: the elements are from %g to %g: give a range of finite numbers", op_name(c->op),
              a->low, a->high);
}

/* As numbers of the dtype that they are returned in. */
static void round_edges(axis *a, tme_dtype t) {
  uint64_t rounded[TALLY_BLOCK];
  for (int64_t i = 0; i <= a->bins; i += TALLY_BLOCK) {
    int64_t n = a->bins + 1 - i < TALLY_BLOCK ? a->bins + 1 - i : TALLY_BLOCK;
    convert_run(TME_F64, a->edges + i, 1, t, rounded, 1, n);
    convert_run(t, rounded, 1, TME_F64, a->edges + i, 1, n);
  }
}

static tme_status set_edges(const ref_call *c, axis *a, const ref_array *given, tme_dtype t, int64_t n, error *e) {
  if (given) {
    convert_run(t, given->data, given->strides[0], TME_F64, a->edges, 1, a->bins + 1);
    for (int64_t i = 0; i < a->bins; i++)
      if (!(a->edges[i] <= a->edges[i + 1]))
        return fail(e, TME_ERR_ARGUMENT, "%s: the edges do not rise: %g, %g", op_name(c->op), a->edges[i],
                    a->edges[i + 1]);
    a->low = a->edges[0];
    a->high = a->edges[a->bins];
    return TME_OK;
  }
  tme_status s = isnan(a->low) ? set_range(c, a, n, e) : TME_OK;
  if (a->low == a->high) {
    a->low -= 0.5;
    a->high += 0.5;
  }
  double step = (a->high - a->low) / (double)a->bins;
  for (int64_t i = 0; i < a->bins; i++) a->edges[i] = (double)i * step + a->low;
  a->edges[a->bins] = a->high;
  a->scale = (double)a->bins / (a->high - a->low);
  a->even = isfinite(a->scale);
  round_edges(a, t);
  return s;
}

/* Sums over their total and the area of their bins. */
static void divide(const plane *p, double *sums, int parts, int64_t n) {
  double total[2] = {0};
  for (int64_t i = 0; i < n * parts; i++) total[i % parts] += sums[i];
  double square = total[0] * total[0] + total[1] * total[1];
  for (int64_t i = 0; i < n; i++) {
    double area = 1;
    int64_t at = i;
    for (int k = p->naxes - 1; k >= 0; k--) {
      const axis *a = &p->along[k];
      area *= a->edges[at % a->bins + 1] - a->edges[at % a->bins];
      at /= a->bins;
    }
    double re = sums[i * parts], im = parts == 2 ? sums[i * parts + 1] : 0;
    if (parts == 1) {
      sums[i] = re / area / total[0];
      continue;
    }
    sums[i * parts] = (re * total[0] + im * total[1]) / square / area;
    sums[i * parts + 1] = (im * total[0] - re * total[1]) / square / area;
  }
}

static tme_status count(const ref_call *c, const plane *p, error *e) {
  bool flat = p->naxes == 1;
  const ref_array *weights = c->in[flat ? 2 : 4], *out = &c->out[0];
  int64_t bins = type_size(&out->type), n = type_size(&c->in[0]->type);
  tme_dtype wide = weights ? combine_dtype(weights->type.dtype) : TME_I64, sum = wide;
  bool density = c->attrs->histogram.density;
  if (density) sum = dtype_is_complex(wide) ? TME_C128 : TME_F64;
  size_t bytes;
  bool fits = mul_size((size_t)bins, tme_dtype_size(TME_C128), &bytes);
  void *sums = fits ? mem_alloc(bytes) : NULL;
  if (!sums) return fail_memory(e, op_name(c->op), fits ? bytes : SIZE_MAX);
  tme_status s = tally(c->threads, op_name(c->op), n, bins, find, p, weights, sums, e);
  if (s == TME_OK && density) {
    convert_run(wide, sums, 1, sum, sums, 1, bins); /* in blocks, of elements of one size */
    divide(p, sums, dtype_is_complex(sum) ? 2 : 1, bins);
  }
  if (s == TME_OK) convert_run(sum, sums, 1, out->type.dtype, out->data, 1, bins);
  mem_free(sums);
  return s;
}

tme_status ref_histogram(ref_call *c, error *e) {
  const histogram_attrs *a = &c->attrs->histogram;
  bool two = c->op == OP_histogram2d;
  double range[2][2] = {{two ? a->xlow : a->low, two ? a->xhigh : a->high}, {a->ylow, a->yhigh}};
  plane p = {.naxes = two ? 2 : 1};
  int64_t n = type_size(&c->in[0]->type);
  tme_status s = TME_OK;
  for (int k = 0; k < p.naxes && s == TME_OK; k++) {
    axis *along = &p.along[k];
    const ref_array *x = c->in[k], *edges = &c->out[1 + k];
    size_t bytes;
    *along = (axis){.dtype = x->type.dtype, .bins = edges->type.shape[0] - 1, .low = range[k][0], .high = range[k][1]};
    bool fits = mul_size((size_t)along->bins + 1, sizeof(double), &bytes);
    along->edges = fits ? mem_alloc(bytes) : NULL;
    if (!along->edges) s = fail_memory(e, op_name(c->op), fits ? bytes : SIZE_MAX);
    if (s == TME_OK) along->data = flat_elements(x, &along->copy, op_name(c->op), e);
    if (s == TME_OK && !along->data) s = e->code;
    if (s == TME_OK) s = set_edges(c, along, c->in[p.naxes + k], edges->type.dtype, n, e);
    if (s == TME_OK) convert_run(TME_F64, along->edges, 1, edges->type.dtype, edges->data, 1, along->bins + 1);
  }
  if (s == TME_OK) s = count(c, &p, e);
  for (int k = 0; k < p.naxes; k++) {
    mem_free(p.along[k].copy);
    mem_free(p.along[k].edges);
  }
  return s;
}
