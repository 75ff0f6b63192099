/* Cells of weighted means, moments and covariances. */
#include "support/matrix.h"

typedef struct dims {
  int rank;
  int64_t shape[TME_MAX_RANK];
} dims;

void cells_moments(matrix *m, int op) {
  static const dims shapes[] = {{2, {17, 33}}, {1, {70}}, {3, {13, 4, 15}}, {2, {129, 16}}};
  for (int i = 0; i < TME_DTYPE_COUNT; i++) {
    tme_dtype t = (tme_dtype)i;
    if (!dtype_is_float(t) || !matrix_takes(m, t)) continue;
    for (int k = 0; k < COUNT(shapes); k++)
      for (int64_t axis = -1; axis < 1; axis++)
        for (int l = 0; l < LAYOUT_COUNT; l++) {
          cell c;
          cell_init(&c, op, !k && !l);
          cell_in(&c, "x", t, shapes[k].rank, shapes[k].shape)->layout = (layout)l;
          if (op == OP_moment) cell_int(&c, "order", (k + l) % 6);
          if (l % 2) cell_ints(&c, "axis", 1, &axis);
          if (l % 3 == 1) cell_int(&c, "keepdims", 1);
          if (l != LAYOUT_BROADCAST) matrix_add(m, &c); /* where all may be equal */
        }
  }
}

void cells_average(matrix *m, int op) {
  static const dims shapes[] = {{2, {17, 33}}, {1, {70}}, {3, {3, 4, 5}}, {0, {0}}};
  for (int i = 0; i < TME_DTYPE_COUNT; i++) {
    tme_dtype t = (tme_dtype)i;
    if (!matrix_takes(m, t)) continue;
    for (int k = 0; k < COUNT(shapes); k++)
      for (int way = 0; way < 3; way++) {
        const dims *s = &shapes[k];
        int64_t axis = s->rank - 1;
        cell c;
        cell_init(&c, op, k < 2);
        cell_in(&c, "x", t, s->rank, s->shape)->layout = (layout)((k + way) % LAYOUT_COUNT);
        if (way) {
          int rank = way == 1 || !s->rank ? s->rank : 1;
          operand *w = cell_in(&c, "weights", dtype_is_float(t) ? t : TME_F32, rank, s->shape + s->rank - rank);
          w->lo = 0.5;
          w->hi = 2;
        }
        if (way == 2 && s->rank) cell_ints(&c, "axis", 1, &axis);
        if (k % 2) cell_int(&c, "keepdims", 1);
        matrix_add(m, &c);
      }
  }
}

void cells_covariance(matrix *m, int op) {
  static const dims shapes[] = {{2, {5, 40}}, {1, {70}}, {2, {33, 9}}};
  for (int i = 0; i < TME_DTYPE_COUNT; i++) {
    tme_dtype t = (tme_dtype)i;
    if ((!dtype_is_float(t) && !dtype_is_complex(t)) || !matrix_takes(m, t)) continue;
    for (int k = 0; k < COUNT(shapes); k++)
      for (int way = 0; way < 4; way++) {
        const dims *s = &shapes[k];
        int64_t observations = s->shape[s->rank - 1];
        cell c;
        cell_init(&c, op, !k);
        cell_in(&c, "x", t, s->rank, s->shape)->layout = way % 2 ? LAYOUT_TRANSPOSED : LAYOUT_ROWS;
        if (way & 1) cell_in(&c, "y", t, 1, &observations);
        if ((way & 2) && op == OP_cov) {
          operand *w = cell_in(&c, "weights", dtype_real(t), 1, &observations);
          w->lo = 0.5;
          w->hi = 2;
          cell_float(&c, "correction", 0);
        }
        matrix_add(m, &c);
      }
  }
}
