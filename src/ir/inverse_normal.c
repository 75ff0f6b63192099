/* With u = 1 - t and w = -log(1 - u^2), the quantile is u times a function of w that is nearly a straight line: rational minimax
 * approximations of it, by Remez's algorithm. The variable is that of M. Giles (Approximating the erfinv function, 2010). */
#include "ir/inverse_normal.h"

enum { MOST = 10 };

typedef struct rational {
  int above, below; /* coefficients, from the constant one on */
  double p[MOST], q[MOST];
} rational;

/* 0 <= w <= 21, to 9e-9 */
static const rational single = {
    7,
    6,
    {1.2533141261803606, 0.4472822338384524, 0.09089870391934068, 0.012496315131782945, 0.0011337252307130204,
     5.877215012060613e-05, 1.8745292393617887e-07},
    {1, 0.09507994128886325, 0.03460396004054123, 0.00230505542116858, 0.0002469217613816016, 3.68745594944486e-06}};
/* 0 <= w <= 6, to 1.1e-16 */
static const rational middle = {
    9,
    9,
    {1.2533141373155003, 0.5176418958238146, 0.1412146532948576, 0.0280311629564896, 0.004124230655573967,
     0.0004602052442263842, 3.808868791967625e-05, 2.141996515709383e-06, 6.38344937735905e-08},
    {1, 0.15121908890340968, 0.06005188977475319, 0.007308271458331539, 0.0011376860633350197, 0.00010158598966539305,
     6.668891830915645e-06, 3.323049052022072e-07, 2.6440766609952052e-09}};
/* 6 <= w <= 37, to 3.5e-14 */
static const rational tail = {10,
                              9,
                              {1.2537773440652527, 0.4548348520318572, 0.09850519149845045, 0.01465313778341825,
                               0.0016558812182007263, 0.00012027764332163316, 7.5352703593779565e-06,
                               4.417840833970802e-07, 4.406433507851229e-09, 3.898257422378045e-12},
                              {1, 0.10164088414155412, 0.0386072855416749, 0.003025845061968559, 0.0004069795431901062,
                               1.8251478406315213e-05, 1.6170063228007947e-06, 3.981477239000679e-08,
                               1.399823737277705e-10}};

static int polynomial(graph *g, int x, const double *c, int n) {
  tme_dtype t = x < 0 ? TME_F32 : graph_get(g, x)->type.dtype;
  int y = graph_number(g, t, c[n - 1]);
  for (int i = n - 2; i >= 0; i--) {
    int in[3] = {y, x, graph_number(g, t, c[i])};
    y = graph_op(g, OP_fma, in, 3, NULL);
  }
  return y;
}

int graph_inverse_normal(graph *g, int t) {
  if (t < 0) return -1;
  tme_dtype dtype = graph_get(g, t)->type.dtype;
  int u = graph_bin(g, OP_subtract, graph_number(g, dtype, 1), t);
  int rest = graph_bin(g, OP_multiply, t, graph_bin(g, OP_subtract, graph_number(g, dtype, 2), t));
  int w = graph_un(g, OP_negative, graph_un(g, OP_log, rest)), p, q;
  if (dtype == TME_F32) {
    p = polynomial(g, w, single.p, single.above), q = polynomial(g, w, single.q, single.below);
  } else {
    int far = graph_bin(g, OP_greater, w, graph_number(g, dtype, 6));
    int above[3] = {far, polynomial(g, w, tail.p, tail.above), polynomial(g, w, middle.p, middle.above)};
    int below[3] = {far, polynomial(g, w, tail.q, tail.below), polynomial(g, w, middle.q, middle.below)};
    p = graph_op(g, OP_where, above, 3, NULL), q = graph_op(g, OP_where, below, 3, NULL);
  }
  return graph_bin(g, OP_multiply, u, graph_bin(g, OP_divide, p, q));
}
