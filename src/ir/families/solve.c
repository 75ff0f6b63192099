/* solve, solve_triangular, solve_banded: stacks of matrices and of their right sides, which broadcast. */
#include "ops/ops.h"

static tme_status check_band(const op_call *c, int64_t rows, error *e) {
  int64_t below = c->attrs->solve.below, above = c->attrs->solve.above;
  if (below < 0 || above < 0)
    return fail(e, TME_ERR_ARGUMENT, "%s: %lld diagonals below and %lld above the main one, expected 0 or more",
                op_name(c->op), (long long)below, (long long)above);
  if (below < rows && above < rows && below + above + 1 == rows) return TME_OK;
  return fail(e, TME_ERR_SHAPE,
              "%s: ab has %lld rows, expected those of %lld diagonals below, %lld above and the main one",
              op_name(c->op), (long long)rows, (long long)below, (long long)above);
}

tme_status infer_solve(op_call *c, op_type *out, error *e) {
  const op_type *a = c->in[0], *b = c->in[1];
  bool banded = c->op == OP_solve_banded;
  op_type batch;
  tme_status s = infer_matrices(c, 0, !banded, &batch, e);
  if (s == TME_OK && banded) s = check_band(c, a->shape[a->rank - 2], e);
  if (s != TME_OK) return s;
  char left[SHAPE_TEXT], right[SHAPE_TEXT];
  type_shape_text(a, left);
  type_shape_text(b, right);
  if (!b->rank) return fail(e, TME_ERR_SHAPE, "%s: b is a number, expected vectors or matrices", op_name(c->op));
  int64_t n = a->shape[a->rank - 1], rows = b->shape[b->rank - (b->rank > 1 ? 2 : 1)];
  if (rows != n)
    return fail(e, TME_ERR_SHAPE, "%s: b of shape %s has %lld rows, expected %lld for matrices of shape %s",
                op_name(c->op), right, (long long)rows, (long long)n, left);
  op_type stack = *b;
  stack.rank = b->rank > 1 ? b->rank - 2 : 0;
  if (!type_broadcast(&batch, &stack, out))
    return fail(e, TME_ERR_SHAPE, "%s: %s and %s: the batch dimensions do not broadcast", op_name(c->op), left, right);
  type_append(out, n);
  if (b->rank > 1) type_append(out, b->shape[b->rank - 1]);
  out->dtype = infer_float(c, infer_promote(c, 0, 2));
  for (int i = 0; i < 2; i++) infer_want(c, i, out->dtype);
  return TME_OK;
}
