/* Sums of products over axes that bear labels, two operands at a time. */
#ifndef TME_CONTRACT_H
#define TME_CONTRACT_H

#include "ir/graph.h"

enum { MOST_LABELS = 64 };

/* A value and the label of each of its axes: 0 <= label < MOST_LABELS. */
typedef struct labelled {
  int x;
  op_type type; /* shape and dtype of x */
  int8_t label[TME_MAX_RANK];
} labelled;

/* The sum over all labels that `out` (n of them, each once, each in an operand) lacks, with axes in that order. Axes with one
 * label are of one extent, or of 1, which stands for any; an operand may have a label several times. 16-bit floats are summed in
 * f32. The result has the operands' dtype. `term` is written to. */
int graph_contract(graph *g, labelled *term, int terms, const int8_t *out, int n);

/* The order in which graph_contract takes pairs, of operands that are sets of labels, each label once: the i-th pair becomes
 * operand pair[i][0], and pair[i][1] is the last one, which moves up. Up to 8 operands the one of fewest multiplications, beyond
 * that the pair next whose product is smallest beside them. `set`, of so many operands, is written to. */
void contract_order(uint64_t *set, int terms, uint64_t out, const double extent[static MOST_LABELS], int (*pair)[2]);

#endif
