/* Operands of products in panels, and how columns are cut into bands. */
#ifndef TME_PACK_H
#define TME_PACK_H

#include "lower/lower.h"

/* Bands of columns of a product. */
typedef struct bands {
  int64_t first, wide, count;
  int64_t panel; /* number of the first one */
} bands;
/* Whole bands of `wide` columns, and what remains: a band of as many vectors as it takes, the last of them ending with the
 * last column. Of bands of three vectors so many that pairs remain, which keep the arithmetic units busy, as one vector does
 * not; with `balance`, where there are few bands and each is a task, an even number of them, so that two threads can have
 * as many vectors. Columns of the band before are computed again rather than lanes masked. */
void bands_cut(int64_t n, int64_t wide, int lanes, bool balance, bands out[2]);

/* An operand of a product in panels, one for each band: pack.c. Its dimension kdim is summed over, cdim gives the
 * columns; the ones before the last two count the matrices. */
typedef struct packed {
  int node, kdim, cdim;
  int lanes, vectors; /* columns of a panel */
  int64_t K, N;
  bool by_rows;    /* neighbouring columns are neighbours in memory: it is read along rows, over all panels */
  tme_dtype dtype; /* of the copy */
  k_op dot;        /* K_NOP, or: what the pairs are for that it consists of, and K counts */
  int slot[2];     /* of the copy: real and imaginary part, -1 if there is none */
} packed;
/* Adds the step that copies and sets the slots. */
tme_status lower_pack(lowering *l, packed *p, error *e);
void packed_bands(const packed *p, bands out[2]);
/* Matrices of a type: its dimensions before the last two; the index of one in them; and the other way round: */
int64_t type_matrices(const op_type *t);
void packed_index(kernel *k, const op_type *t, int matrix, int *ix);
/* The number of the matrix that an operand of type t has at ix, an index of `rank` dimensions that it is broadcast to. */
int packed_matrix(kernel *k, const op_type *t, const int *ix, int rank);
expr_value packed_load(builder *b, const packed *p, int matrix, int panel, int row, int column);

#endif
