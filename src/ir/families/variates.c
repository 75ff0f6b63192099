/* What is drawn by rejection, and Sobol's points: types. */
#include "base/sobol.h"
#include "ir/families/random.h"

/* Parameters of counts. */
static tme_status infer_f64(op_call *c, int from, int to, error *e) {
  tme_dtype wide = TME_F64;
  return infer_floating(c, from, to, &wide, e);
}

tme_status infer_variates(op_call *c, op_type *out, error *e) {
  variates_attrs *a = &c->attrs->variates;
  int key = c->nin - 1;
  bool counts = c->op == OP_random_poisson || c->op == OP_random_binomial;
  tme_status s = infer_key(c, key, e);
  if (s == TME_OK) s = infer_drawn(c, 0, key, 0, &a->shape, out, e);
  if (s == TME_OK && counts) s = infer_counts(c, &a->dtype, e);
  if (s == TME_OK) s = counts ? infer_f64(c, 0, key, e) : infer_floating_in(c, 0, key, &a->dtype, TME_F64, e);
  out->dtype = a->dtype;
  return s;
}

/* The probabilities keep their dtype, which says how exactly they add up to 1. */
tme_status infer_simplex(op_call *c, op_type *out, error *e) {
  simplex_attrs *a = &c->attrs->simplex;
  int key = c->nin - 1, last = key - 1;
  const op_type *p = c->in[last];
  op_type batch = *p;
  if (batch.rank) batch.rank--;
  const op_type *in[3] = {last ? c->in[0] : &batch, last ? &batch : c->in[1], last ? c->in[2] : NULL};
  op_call vectors = *c;
  tme_dtype own = dtype_is_float(p->dtype) ? p->dtype : TME_F64;
  vectors.in = in;
  tme_status s = infer_key(c, key, e);
  if (s == TME_OK && !p->rank)
    s = fail(e, TME_ERR_SHAPE, "%s: %s has no dimensions, expected one or more", op_name(c->op), last ? "p" : "alpha");
  if (s == TME_OK) s = infer_drawn(&vectors, 0, key, 0, &a->shape, out, e);
  if (s == TME_OK && last) {
    s = infer_floating_in(c, last, key, &own, own, e);
    if (s == TME_OK) s = infer_f64(c, 0, last, e);
    if (s == TME_OK) s = infer_counts(c, &a->dtype, e);
  } else if (s == TME_OK) {
    s = infer_floating_in(c, 0, key, &a->dtype, TME_F64, e);
  }
  if (s == TME_OK && out->rank == TME_MAX_RANK)
    s = fail(e, TME_ERR_SHAPE, "%s: more than the %d dimensions supported", op_name(c->op), TME_MAX_RANK);
  if (s != TME_OK) return s;
  out->dtype = a->dtype;
  out->shape[out->rank++] = p->shape[p->rank - 1];
  return TME_OK;
}

tme_status infer_random_sobol(op_call *c, op_type *out, error *e) {
  random_sobol_attrs *a = &c->attrs->random_sobol;
  tme_status s = infer_key(c, 0, e);
  if (s == TME_OK) s = infer_floating(c, 0, 0, &a->dtype, e);
  if (s != TME_OK) return s;
  if (a->n < 0 || a->n > INT64_C(1) << 32)
    return fail(e, TME_ERR_ARGUMENT, "%s: n is %lld, expected 0 to 2^32", op_name(c->op), (long long)a->n);
  if (a->dims < 1 || a->dims > SOBOL_DIMENSIONS)
    return fail(e, TME_ERR_ARGUMENT, "%s: %lld dimensions, expected 1 to %d", op_name(c->op), (long long)a->dims,
                SOBOL_DIMENSIONS);
  *out = (op_type){.dtype = a->dtype, .rank = 2, .shape = {a->n, a->dims}};
  return TME_OK;
}
