#include "array/call.h"

static tme_status check(tme_scope *s, const subgraph *f, tme_array *const *in, int nin) {
  tme_status st = subgraph_check_count(f, nin, &s->err);
  if (st == TME_OK) st = subgraph_check_precision(f, context_of(s->engine)->config.default_dtype, &s->err);
  for (int k = 0; k < nin && st == TME_OK; k++) {
    if (!in[k]) return fail(&s->err, TME_ERR_ARGUMENT, "call: operand %d is NULL", k);
    if (in[k]->node->engine != s->engine)
      return fail(&s->err, TME_ERR_ARGUMENT, "call: operand %d belongs to another engine", k);
    st = subgraph_check_operand(f, k, &in[k]->type, &s->err);
  }
  return st;
}

tme_status array_call(tme_scope *s, subgraph *f, tme_array *const *in, int nin, tme_array **out) {
  int outputs = subgraph_graph(f)->nroots;
  for (int i = 0; i < outputs; i++) out[i] = NULL;
  tme_status st = check(s, f, in, nin);
  if (st != TME_OK) return st;
  node *n = scope_node(s, node_new(s->engine, OP_call, in, nin, NULL, subgraph_outputs(f), outputs));
  if (!n || !scope_reserve(s, outputs)) {
    node_release(n);
    return fail_memory(&s->err, "call", (size_t)outputs * sizeof **out);
  }
  n->sub = subgraph_retain(f);
  for (int i = 0; i < outputs; i++) {
    if (i) node_retain(n);
    out[i] = scope_add(s, &n->out[i]);
  }
  return TME_OK;
}

tme_array *array_barrier(tme_scope *s, tme_array *x) {
  if (!x || x->node->engine != s->engine) {
    fail(&s->err, TME_ERR_ARGUMENT, x ? "barrier: the array belongs to another engine" : "barrier: the array is NULL");
    return NULL;
  }
  return scope_take(s, node_new(s->engine, OP_barrier, &x, 1, NULL, &x->type, 1), "barrier");
}
