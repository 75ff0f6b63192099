/* What layer, group and instance norms have in common. */
#ifndef TME_NORMALIZED_H
#define TME_NORMALIZED_H

#include "ir/graph.h"

/* x over the root of its mean square along the axes plus eps; `centred`: x less its mean along them. */
int graph_normalized(graph *g, int x, uint32_t axes, double eps, bool centred);

#endif
