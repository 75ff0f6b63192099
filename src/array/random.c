#include "array/random.h"
#include "array/array.h"
#include <math.h>
#include <string.h>

static tme_array *next_key(tme_scope *between) {
  static const op_type type = {.dtype = TME_U32, .rank = 1, .shape = {2}};
  static const int64_t strides[TME_MAX_RANK] = {1};
  context *c = context_of(between->engine);
  return array_of_buffer(between, &type, keys_next(&c->keys, c->pool), 0, strides, "key");
}

/* arange(n) of a whole number n. */
static tme_array *numbers_below(tme_scope *between, const op_def *d, tme_array *n) {
  const int64_t *value = tme_data(between, tme_astype(between, n, TME_I64));
  if (!value) {
    if (between->err.code == TME_ERR_NO_VALUE) {
      tme_clear_error(between);
      fail(&between->err, TME_ERR_NO_VALUE, "%s: the number is not known yet, and decides the result's shape", d->name);
    }
    return NULL;
  }
  if (*value >= 0) return tme_arange(between, 0, (double)*value, 1, TME_I64);
  fail(&between->err, TME_ERR_ARGUMENT, "%s: the number is %lld, expected 0 or more", d->name, (long long)*value);
  return NULL;
}

/* ---- parameters that are numbers --------------------------------------------------------------------------------------- */

static const op_number *number_of(const op_def *d, tme_array *const *in, const char *name) {
  for (int p = 0; p < d->nparams; p++) {
    if (d->params[p].kind > PARAM_ARRAYS || strcmp(d->params[p].name, name)) continue;
    const tme_array *a = in[d->params[p].input];
    return a && a->node->op == OP_literal ? &a->node->literal : NULL;
  }
  return NULL;
}

static tme_status check_order(tme_scope *s, const op_def *d, tme_array *const *in, const char *low, const char *high,
                              bool equal) {
  const op_number *a = number_of(d, in, low), *b = number_of(d, in, high);
  int order = a && b ? number_compare(a, b) : -1;
  if (order == -1 || (equal && order == 0)) return TME_OK;
  char v[2][32];
  number_text(a, v[0]);
  number_text(b, v[1]);
  return fail(&s->err, TME_ERR_ARGUMENT, "%s: %s is %s and %s is %s, expected a %s one", d->name, low, v[0], high, v[1],
              equal ? "larger or equal" : "larger");
}

static tme_status check_within(tme_scope *s, const op_def *d, tme_array *const *in, const char *name, double most,
                               const char *expected) {
  const op_number *n = number_of(d, in, name);
  if (!n || (number_value(n) >= 0 && number_value(n) <= most)) return TME_OK;
  char v[32];
  number_text(n, v);
  return fail(&s->err, TME_ERR_ARGUMENT, "%s: %s is %s, expected %s", d->name, name, v, expected);
}

/* The numbers that random_integers is to make are of the dtype. */
static tme_status check_integers(tme_scope *s, const op_def *d, tme_array *const *in, tme_dtype t) {
  if (t == TME_DTYPE_NONE) t = TME_I64;
  const op_number *low = number_of(d, in, "low"), *high = number_of(d, in, "high"), zero = number_of_int(0);
  op_number last;
  if (!in[1]) high = low, low = &zero;
  if (!dtype_is_int(t)) return TME_OK; /* which is refused */
  if (low && number_compare(low, &zero) && !number_fits(low, t)) return number_misfit(d->name, low, t, &s->err);
  if (!high || !number_whole(high, &last)) return TME_OK;
  if (!in[1] && number_compare(high, &zero) < 1)
    return fail(&s->err, TME_ERR_ARGUMENT, "%s: there are no whole numbers from 0 to below %lld", d->name,
                (long long)last.v.i);
  last = last.kind == NUMBER_UINT ? number_of_uint(last.v.u - 1) : number_of_int(last.v.i - (last.v.i > INT64_MIN));
  return number_fits(&last, t) ? TME_OK : number_misfit(d->name, &last, t, &s->err);
}

static tme_status check_numbers(tme_scope *s, const op_def *d, int op, tme_array *const *in, const op_attrs *attrs) {
  switch (op) {
  case OP_random_uniform: return check_order(s, d, in, "low", "high", true);
  case OP_random_truncated_normal: return check_order(s, d, in, "lower", "upper", true);
  case OP_random_bernoulli: return check_within(s, d, in, "p", 1, "a probability, 0 to 1");
  case OP_random_integers:
    if (check_order(s, d, in, "low", "high", false) != TME_OK) return s->err.code;
    return check_integers(s, d, in, attrs->random.dtype);
  default: return d->family == FAMILY_random ? check_within(s, d, in, "scale", INFINITY, "0 or more") : TME_OK;
  }
}

tme_status random_operands(tme_scope *s, tme_scope *between, const op_def *d, tme_array **in, const op_attrs *attrs) {
  int op = op_find(d->name);
  bool counts =
      (op == OP_random_choice || op == OP_random_permutation) && !in[0]->type.rank && dtype_is_int(in[0]->type.dtype);
  tme_status st = check_numbers(s, d, op, in, attrs);
  if (st != TME_OK) return st;
  if (counts) in[0] = numbers_below(between, d, in[0]);
  if (in[0] || !counts) {
    if (!in[d->key]) in[d->key] = next_key(between);
    if (in[d->key]) return TME_OK;
  }
  return scope_fail(s, &between->err);
}
