/* sort, argsort, topk; partition and argpartition, which are sorted as a whole. */
#include "ir/graph.h"

tme_status infer_sort(op_call *c, op_type *out, error *e) {
  const op_type *x = c->in[0];
  sort_attrs *a = &c->attrs->sort;
  tme_status s = infer_axis(c, &a->axis, x->rank, e);
  if (s != TME_OK) return s;
  out[0] = *x;
  if (c->op == OP_argsort) out[0].dtype = TME_I64;
  if (c->op != OP_topk) return TME_OK;
  s = infer_takes(c, TAKES_BOOL | TAKES_INT | TAKES_FLOAT, "real numbers or booleans", e);
  if (s != TME_OK) return s;
  if (a->k < 0 || a->k > x->shape[a->axis])
    return fail(e, TME_ERR_ARGUMENT, "topk: k is %lld, expected 0 to %lld, the extent of axis %lld", (long long)a->k,
                (long long)x->shape[a->axis], (long long)a->axis);
  out[0].shape[a->axis] = a->k;
  out[1] = out[0];
  out[1].dtype = TME_I64;
  return TME_OK;
}

tme_status infer_partition(op_call *c, op_type *out, error *e) {
  const op_type *x = c->in[0];
  partition_attrs *a = &c->attrs->partition;
  tme_status s = infer_axis(c, &a->axis, x->rank, e);
  if (s != TME_OK) return s;
  int64_t n = x->shape[a->axis];
  if (a->kth < -n || a->kth >= n)
    return fail(e, TME_ERR_ARGUMENT, "%s: kth is %lld, out of range for axis %lld with extent %lld", op_name(c->op),
                (long long)a->kth, (long long)a->axis, (long long)n);
  *out = *x;
  if (c->op == OP_argpartition) out->dtype = TME_I64;
  return TME_OK;
}

int decompose_partition(graph *g, const g_site *s) {
  op_attrs sorted = {.sort = {.axis = s->attrs->partition.axis}};
  return graph_op(g, s->node->op == OP_partition ? OP_sort : OP_argsort, s->in, 1, &sorted);
}
