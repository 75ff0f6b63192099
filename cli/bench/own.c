#include "bench/own.h"
#include "expr.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

static bool out_of_memory(const cli *c) {
  complain(c, "out of memory");
  return false;
}

static bool failed(const cli *c, const bench_case *k, tme_scope *s) {
  if (k->text)
    complain(c, "%s: %s", k->text, tme_error(s));
  else
    complain(c, "%s %s: %s", k->op, k->shape, tme_error(s));
  return false;
}

/* An array of numbers given in double. In f32 and integers it is converted here: a first call must not find the compiler
 * awake. */
static tme_array *from_doubles(tme_scope *s, tme_dtype dtype, const bench_input *in, const double *data) {
  int64_t n = bench_size(in);
  bool tokens = in->fill == FILL_TOKENS || (in->fill == FILL_WHOLE && dtype == TME_I64);
  if (!tokens && dtype != TME_F32) {
    tme_dtype wide = tme_dtype_kind(dtype) == 'c' ? TME_C128 : TME_F64;
    tme_array *a = tme_from(s, wide, in->rank, in->shape, data);
    return dtype == wide ? a : tme_astype(s, a, dtype);
  }
  void *out = malloc((size_t)n * (tokens ? sizeof(int64_t) : sizeof(float)));
  if (!out) return NULL;
  for (int64_t i = 0; i < n; i++)
    if (tokens)
      ((int64_t *)out)[i] = (int64_t)data[i];
    else
      ((float *)out)[i] = (float)data[i];
  tme_array *a = tme_from(s, tokens ? TME_I64 : TME_F32, in->rank, in->shape, out);
  free(out);
  return a;
}

static tme_array *from_file(tme_scope *s, tme_dtype dtype, const bench_case *k, const bench_input *in) {
  char path[BENCH_PATH + 128];
  snprintf(path, sizeof path, "%s:%s", k->file, in->name);
  tme_array *a = tme_load(s, path);
  if (in->transposed) a = tme_transpose(s, a, (int64_t[]){1, 0}, 2);
  const void *rows = a ? tme_data(s, a) : NULL;
  a = rows ? tme_from(s, tme_array_dtype(a), tme_array_rank(a), tme_array_shape(a), rows) : NULL;
  return a && tme_array_dtype(a) != dtype ? tme_astype(s, a, dtype) : a;
}

static tme_array *make_input(own *o, const bench_case *k, tme_dtype dtype, int i, int set) {
  if (k->in[i].name) return set == 0 ? from_file(o->scope, dtype, k, &k->in[i]) : o->in[0][i];
  if (k->in[i].fill == FILL_UNIFORM || k->in[i].fill == FILL_WHOLE) dtype = k->in[i].dtype;
  double *data = malloc((size_t)bench_size(&k->in[i]) * 2 * sizeof *data); /* complex numbers have two */
  if (!data) return NULL;
  bench_fill(k, i, set, data);
  tme_array *a = from_doubles(o->scope, dtype, &k->in[i], data);
  free(data);
  return a;
}

bool own_compile(own *o, const cli *c) {
  const bench_case *k = o->k;
  tme_array *in[BENCH_INPUTS], *out[BENCH_OUTPUTS];
  for (int i = 0; i < k->ninputs; i++) {
    const tme_array *a = o->in[0][i];
    in[i] = tme_input(o->scope, tme_array_dtype(a), tme_array_rank(a), tme_array_shape(a));
  }
  problem p = {0};
  bool built = k->text ? expression_build(k, o->scope, in, out, &p) : bench_build(k, o->scope, in, out);
  if (p.set) {
    complain(c, "%s: %s", k->text, p.text);
    return false;
  }
  if (built) o->function = tme_compile(o->scope, in, k->ninputs, out, k->noutputs);
  return o->function || failed(c, k, o->scope);
}

bool own_prepare(own *o, const cli *c, tme_engine *e, const bench_case *k, tme_dtype dtype) {
  *o = (own){.engine = e, .k = k, .scope = tme_scope_new(e)};
  if (!o->scope) return out_of_memory(c);
  for (int set = 0; set < 2; set++)
    for (int i = 0; i < k->ninputs; i++) {
      tme_array *a = make_input(o, k, dtype, i, set);
      if (!a && !*tme_error(o->scope)) return out_of_memory(c);
      if (!a || tme_eval(o->scope, a) != TME_OK) return failed(c, k, o->scope);
      o->in[set][i] = a;
    }
  return true;
}

double own_operations(own *o, const cli *c) {
  tme_array *out[BENCH_OUTPUTS];
  if (!bench_build(o->k, o->scope, o->in[0], out)) return failed(c, o->k, o->scope), -1;
  char *text = tme_explain(o->scope, out, o->k->noutputs, 0);
  if (!text) return failed(c, o->k, o->scope), -1;
  double n = 0;
  for (char *at = text; (at = strstr(at, " us, ")) != NULL;) { /* "about 12 us, 3456 operations" */
    double of_step = strtod(at + 5, &at);
    if (!strncmp(at, " operations", 11)) n += of_step;
  }
  tme_string_free(text);
  return n;
}

static bool call(own *o, tme_scope *s, tme_array **out) {
  const bench_case *k = o->k;
  if (o->function) return tme_call(s, o->function, o->in[o->set], k->ninputs, out) == TME_OK;
  return bench_build(k, s, o->in[o->set], out) && tme_eval_all(s, out, k->noutputs) == TME_OK;
}

/* Tiny calls are timed many at a time, so there is nothing here but what a user would write. */
double own_calls(own *o, const cli *c, int calls) {
  tme_array *out[BENCH_OUTPUTS];
  double start = clock_ms();
  for (int i = 0; i < calls; i++) {
    tme_scope *s = tme_scope_new(o->engine);
    if (!s) {
      out_of_memory(c);
      return -1;
    }
    bool ok = call(o, s, out);
    if (!ok) failed(c, o->k, s);
    tme_scope_free(s);
    if (!ok) return -1;
    o->set ^= 1;
  }
  return (clock_ms() - start) / calls;
}

/* So many indices of the first axis as are checked, evenly spread. */
static tme_array *some(const bench_case *k, tme_scope *s, tme_array *a) {
  int64_t start[TME_MAX_RANK], stop[TME_MAX_RANK], step[TME_MAX_RANK];
  if (!k->checked) return a;
  for (int d = 0; d < TME_MAX_RANK; d++) {
    start[d] = stop[d] = TME_NONE;
    step[d] = d == 0 ? k->in[0].shape[0] / k->checked : 1;
  }
  return tme_slice(s, a, start, stop, step);
}

/* A copy of an array of one engine in another one; floating numbers as f64. */
static tme_array *move(const cli *c, const bench_case *k, tme_scope *from, tme_array *a, tme_scope *to) {
  bool floating = a && tme_array_dtype(a) != TME_I64;
  tme_array *wide = floating ? tme_astype(from, a, TME_F64) : a;
  const void *data = wide ? tme_data(from, wide) : NULL;
  if (!data) {
    failed(c, k, from);
    return NULL;
  }
  tme_array *b = tme_from(to, tme_array_dtype(wide), tme_array_rank(wide), tme_array_shape(wide), data);
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
  out[0] = some(k, mine, out[0]);
  for (int i = 0; i < k->noutputs; i++)
    if (!(out[i] = move(c, k, mine, out[i], reference))) return false;
  for (int i = 0; i < k->ninputs; i++) {
    tme_array *a = k->in[i].cut ? some(k, mine, o->in[0][i]) : o->in[0][i];
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

static bool same_shape(const tme_array *a, const tme_array *b) {
  return tme_array_rank(a) == tme_array_rank(b) &&
         !memcmp(tme_array_shape(a), tme_array_shape(b), (size_t)tme_array_rank(a) * sizeof(int64_t));
}

/* max |x - y| / max |y|, or max |x - y| where all y are 0; what is infinite or no number in both is the same. */
static double difference(const double *x, const double *y, int64_t n, bool pairs) {
  double most = 0, largest = 0;
  for (int64_t i = 0; i < n; i += pairs ? 2 : 1) {
    double d = pairs ? hypot(x[i] - y[i], x[i + 1] - y[i + 1]) : fabs(x[i] - y[i]);
    double size = pairs ? hypot(y[i], y[i + 1]) : fabs(y[i]);
    bool same = x[i] == y[i] || (isnan(x[i]) && isnan(y[i]));
    if (pairs) same = same && (x[i + 1] == y[i + 1] || (isnan(x[i + 1]) && isnan(y[i + 1])));
    if (!same && !(d <= most)) most = isnan(d) ? (double)INFINITY : d;
    if (isfinite(size) && size > largest) largest = size;
  }
  return largest > 0 ? most / largest : most;
}

static bool measure_difference(own *o, const cli *c, tme_scope *s, double *error) {
  tme_array *out[BENCH_OUTPUTS];
  o->set = 0;
  if (!call(o, s, out)) return failed(c, o->k, s);
  tme_array *right = tme_load(s, o->k->expected);
  if (!right) return failed(c, o->k, s);
  *error = (double)INFINITY;
  if (!same_shape(out[0], right)) return true;
  bool pairs = tme_dtype_kind(tme_array_dtype(right)) == 'c';
  tme_dtype wide = pairs ? TME_C128 : TME_F64;
  const double *x = tme_data(s, tme_astype(s, out[0], wide)), *y = tme_data(s, tme_astype(s, right, wide));
  if (!x || !y) return failed(c, o->k, s);
  *error = difference(x, y, tme_array_size(right) * (pairs ? 2 : 1), pairs);
  return true;
}

bool own_difference(own *o, const cli *c, double *error) {
  tme_scope *s = tme_scope_new(o->engine);
  bool ok = s ? measure_difference(o, c, s, error) : out_of_memory(c);
  tme_scope_free(s);
  return ok;
}

/* The dtype by its name, the sizes as 64 bits. */
static bool add_to_hash(XXH64_state_t *h, tme_scope *s, tme_array *a) {
  const char *name = tme_dtype_name(tme_array_dtype(a));
  const int64_t rank = tme_array_rank(a);
  const void *elements = tme_data(s, a);
  if (!elements) return false;
  XXH64_update(h, name, strlen(name) + 1);
  XXH64_update(h, &rank, sizeof rank);
  XXH64_update(h, tme_array_shape(a), (size_t)rank * sizeof(int64_t));
  XXH64_update(h, elements, (size_t)tme_array_size(a) * tme_dtype_size(tme_array_dtype(a)));
  return true;
}

bool own_hash(own *o, const cli *c, char hash[static BENCH_HASH]) {
  tme_array *out[BENCH_OUTPUTS];
  tme_scope *s = tme_scope_new(o->engine);
  XXH64_state_t h;
  if (!s) return out_of_memory(c);
  o->set = 0;
  bool ok = call(o, s, out);
  XXH64_reset(&h, 0);
  for (int i = 0; ok && i < o->k->noutputs; i++) ok = add_to_hash(&h, s, out[i]);
  if (!ok) failed(c, o->k, s);
  snprintf(hash, BENCH_HASH, "%016llx", (unsigned long long)XXH64_digest(&h));
  tme_scope_free(s);
  return ok;
}

void own_free(own *o) {
  tme_function_free(o->function);
  tme_scope_free(o->scope);
  *o = (own){0};
}
