/* The operands are evaluated, so that they are rounded to their dtypes: what is counted is what the operation reads. Then either the
 * results' size is computed first, or results of the largest size that it may be, which are cut. */
#include "array/sized.h"
#include "array/apply.h"
#include "array/scope.h"
#include <string.h>

typedef struct call {
  tme_scope *s; /* between the caller's and the evaluations */
  int op, nargs;
  tme_arg args[OP_MAX_PARAMS];
  tme_array *const *in;
  tme_array **out;
} call;

static const op_param *size_param(const op_def *d) {
  for (int i = 0; i < d->nparams; i++)
    if (!strcmp(d->params[i].name, "size")) return &d->params[i];
  return NULL;
}

/* ---- the size first ---------------------------------------------------------------------------------------------------- */

static tme_array *count_nonzero(const call *c) { return tme_count_nonzero(c->s, c->in[0], NULL, TME_ALL, false); }

static tme_array *count_numbers(const call *c) {
  if (!tme_array_size(c->in[0])) return tme_integer(c->s, 0);
  tme_array *most = tme_astype(c->s, tme_max(c->s, c->in[0], NULL, TME_ALL, false), TME_I64);
  /* A negative one is refused where it is met; one that is too large to count to, by the memory that it would take. */
  return tme_maximum(c->s, most, tme_integer(c->s, 0));
}

static bool counted(call *c, tme_array *count, int64_t more) {
  const int64_t *n = tme_data(c->s, tme_astype(c->s, count, TME_I64));
  if (!n) return false;
  int64_t size;
  if (__builtin_add_overflow(*n, more, &size)) size = INT64_MAX;
  const op_def *d = op_get(c->op);
  int at = (int)(size_param(d) - d->params);
  for (; c->nargs <= at; c->nargs++) c->args[c->nargs] = (tme_arg){.kind = TME_ARG_ABSENT};
  c->args[at] = arg_int(size);
  return apply(c->s, c->op, c->args, c->nargs, c->out) == TME_OK;
}

static bool make_places(call *c) { return counted(c, count_nonzero(c), 0); }
static bool make_counts(call *c) { return counted(c, count_numbers(c), tme_array_size(c->in[0]) > 0); }

/* ---- the largest size, cut --------------------------------------------------------------------------------------------- */

/* The first n elements of a vector that is evaluated; without what is behind them, where that is more. */
static tme_array *first(tme_scope *s, tme_array *x, int64_t n) {
  const int64_t begin = 0, step = 1;
  if (2 * n >= tme_array_size(x)) return tme_slice(s, x, &begin, &n, &step);
  return tme_from(s, tme_array_dtype(x), 1, &n, tme_data(s, x));
}

/* How many counts are not 0: those at the beginning. */
static int64_t used(const int64_t *counts, int64_t n) {
  int64_t lo = 0, hi = n;
  while (lo < hi) {
    int64_t mid = lo + (hi - lo) / 2;
    *(counts[mid] ? &lo : &hi) = counts[mid] ? mid + 1 : mid;
  }
  return lo;
}

static bool make_unique(call *c) {
  tme_array *all[4];
  int64_t most = tme_array_size(c->in[0]);
  bool places = c->op == OP_unique_inverse || c->op == OP_unique_all;
  tme_status s = places ? tme_unique_all(c->s, c->in[0], most, all) : tme_unique_counts(c->s, c->in[0], most, all);
  int outputs = places ? 4 : 2;
  if (s != TME_OK || tme_eval_all(c->s, all, outputs) != TME_OK) return false;
  tme_array *counts = all[outputs - 1];
  const int64_t *n = tme_data(c->s, counts);
  if (!n && most) return false;
  int64_t size = used(n, most);
  c->out[0] = first(c->s, all[0], size);
  if (c->op == OP_unique_counts) c->out[1] = first(c->s, counts, size);
  if (c->op == OP_unique_inverse) c->out[1] = all[2];
  if (c->op != OP_unique_all) return true;
  c->out[1] = first(c->s, all[1], size);
  c->out[2] = all[2];
  c->out[3] = first(c->s, counts, size);
  return true;
}

/* ---- sets -------------------------------------------------------------------------------------------------------------- */

static tme_array *flat(tme_scope *s, tme_array *x) { return tme_reshape(s, x, (const int64_t[]){-1}, 1); }

static bool make_set(call *c) {
  tme_scope *s = c->s;
  tme_array *x = flat(s, c->in[0]), *y = flat(s, c->in[1]), *both[] = {x, y};
  bool joined = c->op == OP_union1d || c->op == OP_setxor1d;
  tme_array *v = tme_unique_values(s, joined ? tme_concatenate(s, both, 2, 0) : x, -1);
  c->out[0] = v;
  if (c->op == OP_union1d || !v) return v != NULL;
  tme_array *chosen = tme_isin(s, v, y, c->op != OP_intersect1d);
  if (c->op == OP_setxor1d) chosen = tme_logical_or(s, chosen, tme_isin(s, v, x, true));
  c->out[0] = tme_take(s, v, flat(s, tme_argwhere(s, chosen, -1)), 0);
  return c->out[0] != NULL;
}

static const struct {
  int op;
  bool (*make)(call *c);
} ways[] = {
    {OP_argwhere, make_places},      {OP_flatnonzero, make_places},   {OP_bincount, make_counts},
    {OP_unique_values, make_unique}, {OP_unique_counts, make_unique}, {OP_unique_inverse, make_unique},
    {OP_unique_all, make_unique},    {OP_union1d, make_set},          {OP_intersect1d, make_set},
    {OP_setdiff1d, make_set},        {OP_setxor1d, make_set},
};

static bool (*way_of(const op_def *d))(call *c) {
  for (int i = 0; i < COUNT(ways); i++)
    if (op_get(ways[i].op) == d) return ways[i].make;
  return NULL;
}

bool sized_is_open(const op_def *d, const op_attrs *attrs) {
  return way_of(d) && *(const int64_t *)attrs_get(attrs, size_param(d)) < 0;
}

tme_status sized_apply(tme_scope *s, int op, const tme_arg *args, int nargs, tme_array *const *in, int nin,
                       tme_array **out) {
  const op_def *d = op_get(op);
  tme_array *made[OP_MAX_OUTPUTS] = {NULL};
  call c = {.s = scope_between(s, d->name), .op = op, .nargs = nargs, .in = in, .out = made};
  if (!c.s) return s->err.code;
  c.s->stop = s->stop;
  memcpy(c.args, args, (size_t)nargs * sizeof *args);
  bool ok = true;
  for (int i = 0; i < nin && ok; i++) ok = !in[i] || tme_eval(c.s, in[i]) == TME_OK;
  ok = ok && way_of(d)(&c);
  if (!ok && c.s->err.code == TME_ERR_NO_VALUE)
    fail(
        &s->err, TME_ERR_NO_VALUE,
        "%s: the size of the result is decided by values not known yet; give size, the number of elements that it is to have",
        d->name);
  else if (!ok)
    scope_fail(s, &c.s->err);
  for (int o = 0; o < d->outputs && ok; o++) {
    out[o] = tme_keep(s, made[o]);
    ok = out[o] != NULL;
  }
  tme_scope_free(c.s);
  return ok ? TME_OK : s->err.code;
}
