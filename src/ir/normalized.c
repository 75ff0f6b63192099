#include "ir/normalized.h"

int graph_normalized(graph *g, int x, uint32_t axes, double eps, bool centred) {
  if (x < 0) return -1;
  op_type type = graph_get(g, x)->type;
  tme_dtype t = type.dtype;
  double count = 1;
  for (int d = 0; d < type.rank; d++)
    if (axes >> d & 1) count *= (double)type.shape[d];
  int n = graph_number(g, t, count);
  if (centred) x = graph_bin(g, OP_subtract, x, graph_bin(g, OP_divide, graph_reduce(g, OP_sum, x, axes, true), n));
  int square = graph_reduce(g, OP_sum, graph_bin(g, OP_multiply, x, x), axes, true);
  if (centred) { /* what the mean lost in rounding */
    int sum = graph_reduce(g, OP_sum, x, axes, true), left = graph_bin(g, OP_divide, sum, n);
    square = graph_centred(g, square, sum, left);
    x = graph_bin(g, OP_subtract, x, left);
  }
  int spread = graph_bin(g, OP_add, graph_bin(g, OP_divide, square, n), graph_number(g, t, eps));
  int scale = graph_bin(g, OP_divide, graph_number(g, t, 1), graph_un(g, OP_sqrt, spread)); /* once a row */
  return graph_bin(g, OP_multiply, x, scale);
}
