/* The normal distribution's quantiles. */
#ifndef TME_IR_INVERSE_NORMAL_H
#define TME_IR_INVERSE_NORMAL_H

#include "ir/graph.h"

/* The x >= 0 beyond which, on both sides together, a standard normal number lies with probability t, 0 < t <= 1, of f32 or
 * f64: sqrt(2) erfinv(1 - t), of small t too. To 1e-7 for t >= 2^-31, in f64 to 4e-14 for t >= 2^-53. */
int graph_inverse_normal(graph *g, int t);

#endif
