/* Short forms for decompositions that work along one axis. Each returns the new node, or -1 as those of graph.h do. */
#ifndef TME_ALONG_H
#define TME_ALONG_H

#include "ir/graph.h"

/* The elements start, start + step, ... before stop. */
int along_steps(graph *g, int x, int axis, int64_t start, int64_t stop, int64_t step);
int along_part(graph *g, int x, int axis, int64_t start, int64_t stop);
/* n elements: cut off, or followed by zeros. */
int along_length(graph *g, int x, int axis, int64_t n);
int along_flip(graph *g, int x, int axis);
/* x, then y. */
int along_join(graph *g, int x, int y, int axis);
/* 0, 1, ... n - 1 along an axis of `rank`; the others have extent 1. */
int along_numbers(graph *g, tme_dtype t, int rank, int axis, int64_t n);
/* The same with the last two axes exchanged. */
int along_swap_last(graph *g, int x);

#endif
