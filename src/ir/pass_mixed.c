/* Precision "mixed": the f32 operands of products, convolutions and attention are rounded to bfloat16, whose range is that of f32; the
 * sums and the results stay f32. */
#include "ir/rewrite.h"

static bool narrows(const g_node *n, int k) {
  bool product = n->op == OP_matmul && k < 2;
  bool attention = n->op == OP_scaled_dot_product_attention && k < 3, weights = n->op == OP_attention_weights && k < 2;
  bool convolution = n->op < OP_PUBLIC_COUNT && op_get(n->op)->family == FAMILY_convolution && k < 2;
  return (product || attention || weights || convolution) && n->type.dtype == TME_F32;
}

static int narrow(graph *to, const graph *from, int i, int *in, void *unused) {
  (void)unused;
  const g_node *n = graph_get(from, i);
  for (int k = 0; k < n->nin; k++)
    if (in[k] >= 0 && narrows(n, k)) in[k] = graph_cast(to, graph_cast(to, in[k], TME_BF16), TME_F32);
  return REWRITE_KEEP;
}

graph *pass_mixed(const graph *g, error *e) { return graph_rewrite(g, NULL, narrow, NULL, "mixed precision", NULL, e); }
