#include "bench.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool out_of_memory(const cli *c) {
  complain(c, "out of memory");
  return false;
}

static bool failed(const cli *c, const bench_case *k, tme_scope *s) {
  complain(c, "%s %s: %s", k->op, k->shape, tme_error(s));
  return false;
}

bool own_prepare(own *o, const cli *c, tme_engine *e, const bench_case *k, tme_dtype dtype) {
  *o = (own){.engine = e, .k = k, .scope = tme_scope_new(e)};
  if (!o->scope) return out_of_memory(c);
  for (int set = 0; set < 2; set++)
    for (int i = 0; i < k->ninputs; i++) {
      double *data = malloc((size_t)bench_size(&k->in[i]) * sizeof *data);
      if (!data) return out_of_memory(c);
      bench_fill(k, i, set, data);
      tme_array *a = tme_from(o->scope, TME_F64, k->in[i].rank, k->in[i].shape, data);
      free(data);
      a = dtype == TME_F64 ? a : tme_astype(o->scope, a, dtype);
      if (!a || tme_eval(o->scope, a) != TME_OK) return failed(c, k, o->scope);
      o->in[set][i] = a;
    }
  return true;
}

double own_call(own *o, const cli *c) {
  tme_array *out[BENCH_OUTPUTS];
  double start = clock_ms();
  tme_scope *s = tme_scope_new(o->engine);
  if (!s) {
    out_of_memory(c);
    return -1;
  }
  bool ok = bench_build(o->k, s, o->in[o->set], out) && tme_eval_all(s, out, o->k->noutputs) == TME_OK;
  double ms = clock_ms() - start;
  if (!ok) failed(c, o->k, s);
  tme_scope_free(s);
  o->set ^= 1;
  return ok ? ms : -1;
}

/* Every (rows / checked)-th row of the first input of a product. */
static tme_array *some_rows(const bench_case *k, tme_scope *s, tme_array *a) {
  if (!k->checked_rows) return a;
  int64_t start[2] = {TME_NONE, TME_NONE}, stop[2] = {TME_NONE, TME_NONE}, step[2] = {k->n / k->checked_rows, 1};
  return tme_slice(s, a, start, stop, step);
}

/* A copy of an array of one engine in another one, as f64. */
static tme_array *move(const cli *c, const bench_case *k, tme_scope *from, tme_array *a, tme_scope *to) {
  tme_array *wide = a ? tme_astype(from, a, TME_F64) : NULL;
  const void *data = wide ? tme_data(from, wide) : NULL;
  if (!data) {
    failed(c, k, from);
    return NULL;
  }
  tme_array *b = tme_from(to, TME_F64, tme_array_rank(wide), tme_array_shape(wide), data);
  if (!b) failed(c, k, to);
  return b;
}

/* max |x - y| / max |y|; NaN anywhere gives infinity. */
static bool compare(const cli *c, const bench_case *k, tme_scope *s, tme_array *x, tme_array *y, double *out) {
  const double *a = tme_data(s, x), *b = tme_data(s, y);
  if (!a || !b) return failed(c, k, s);
  double difference = 0, largest = 0;
  for (int64_t i = 0; i < tme_array_size(y); i++) {
    double d = fabs(a[i] - b[i]);
    if (!(d <= difference)) difference = isnan(d) ? (double)INFINITY : d;
    if (fabs(b[i]) > largest) largest = fabs(b[i]);
  }
  *out = difference / largest;
  return true;
}

/* For an SVD the product of its factors stands against the matrix: vectors are only unique up to sign. */
static bool compare_svd(const cli *c, const bench_case *k, tme_scope *s, tme_array *const *in, tme_array *const *usv,
                        double *out) {
  tme_array *product = tme_matmul(s, tme_multiply(s, usv[0], usv[1]), usv[2]);
  if (!product) return failed(c, k, s);
  return compare(c, k, s, product, in[0], out);
}

static bool measure_error(own *o, const cli *c, tme_scope *mine, tme_scope *reference, double *error) {
  const bench_case *k = o->k;
  tme_array *out[BENCH_OUTPUTS], *expected[BENCH_OUTPUTS], *in[BENCH_INPUTS];
  if (!bench_build(k, mine, o->in[0], out) || tme_eval_all(mine, out, k->noutputs) != TME_OK) return failed(c, k, mine);
  out[0] = some_rows(k, mine, out[0]);
  for (int i = 0; i < k->noutputs; i++)
    if (!(out[i] = move(c, k, mine, out[i], reference))) return false;
  for (int i = 0; i < k->ninputs; i++) {
    tme_array *a = i == 0 ? some_rows(k, mine, o->in[0][0]) : o->in[0][i];
    if (!(in[i] = move(c, k, mine, a, reference))) return false;
  }
  if (!strcmp(k->op, "svd")) return compare_svd(c, k, reference, in, out, error);
  if (!bench_build(k, reference, in, expected)) return failed(c, k, reference);
  return compare(c, k, reference, out[0], expected[0], error);
}

double own_error(own *o, const cli *c, tme_engine *plain) {
  double error = -1;
  tme_scope *mine = tme_scope_new(o->engine), *reference = tme_scope_new(plain);
  if (!mine || !reference)
    out_of_memory(c);
  else if (!measure_error(o, c, mine, reference, &error))
    error = -1;
  tme_scope_free(mine);
  tme_scope_free(reference);
  return error;
}

void own_free(own *o) {
  tme_scope_free(o->scope);
  *o = (own){0};
}
