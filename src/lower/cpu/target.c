/* What CPUs do with every kernel, and what products read. */
#include "lower/cpu/measure.h"
#include "lower/cpu/pairs.h"

/* The right operand of a product, or what it is converted from where that is narrower: it is converted as it is read. */
static int right_operand(const graph *g, int i) {
  if (graph_get(g, i)->op != OP_astype) return i;
  int x = graph_in(g, i, 0);
  return tme_dtype_size(graph_get(g, x)->type.dtype) < tme_dtype_size(graph_get(g, i)->type.dtype) ? x : i;
}

void cpu_product_operands(const lower_target *t, const graph *g, int node, int out[2]) {
  bool pairs = pairs_dot(g, node, cpu_of(t)) != K_NOP;
  int left = graph_in(g, node, 0), right = graph_in(g, node, 1);
  out[0] = pairs ? pairs_base(g, left) : left;
  out[1] = pairs ? pairs_base(g, right) : right_operand(g, right);
}

tme_status cpu_finish(const lower_target *t, kernel *k, error *e) {
  kernel_unroll_and_jam(k);
  tme_status status = kernel_finish(k, e);
  if (status == TME_OK) kernel_measure(k, cpu_of(t));
  return status;
}
