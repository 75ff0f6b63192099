/* Cells of weights of a few bits. */
#include "support/matrix.h"

static const int64_t bits[] = {2, 3, 4, 5, 6, 8}, group_sizes[] = {32, 64, 128};

static bool takes(const matrix *m, tme_dtype t) { return dtype_is_float(t) && matrix_takes(m, t); }

static void format(cell *c, int64_t group_size, int64_t of_bits) {
  cell_int(c, "group_size", group_size);
  cell_int(c, "bits", of_bits);
}

void cells_quantize(matrix *m, int op) {
  static const int64_t shapes[][2] = {{3, 128}, {1, 384}, {0, 128}, {40, 256}};
  for (int i = 0; i < TME_DTYPE_COUNT; i++)
    for (int k = 0; k < 6 * COUNT(shapes); k++) {
      tme_dtype t = (tme_dtype)i;
      if (dtype_is_complex(t) || t == TME_BOOL || !matrix_takes(m, t)) continue;
      cell c;
      cell_init(&c, op, k < 6);
      cell_in(&c, "w", t, 2, shapes[k / 6])->layout = (layout)((k + i) % LAYOUT_COUNT);
      format(&c, group_sizes[(k + i) % 3], bits[k % 6]);
      matrix_add(m, &c);
    }
}

/* Words of `rows` rows for `columns` numbers each, with scales and biases. */
static void packed(cell *c, tme_dtype t, int64_t batch, int64_t rows, int64_t columns, int turn) {
  int64_t group_size = group_sizes[turn % 3], of_bits = bits[turn % 6];
  int64_t words[] = {batch, rows, columns / 32 * of_bits}, groups[] = {batch, rows, columns / group_size};
  int skip = batch ? 0 : 1;
  operand *w = cell_in(c, "w", TME_U32, 3 - skip, words + skip);
  w->fill = FILL_INDEX;
  w->lo = 0;
  w->hi = 4294967296.0;
  w->layout = (layout)(turn % LAYOUT_COUNT);
  cell_in(c, "scales", t, 3 - skip, groups + skip);
  cell_in(c, "biases", t, 3 - skip, groups + skip)->layout = (layout)(turn / 2 % LAYOUT_COUNT);
  format(c, group_size, of_bits);
}

void cells_dequantize(matrix *m, int op) {
  for (int i = 0; i < TME_DTYPE_COUNT; i++)
    for (int k = 0; k < 24 && takes(m, (tme_dtype)i); k++) {
      cell c;
      cell_init(&c, op, k < 6);
      packed(&c, (tme_dtype)i, k % 4 == 3 ? 2 : 0, k % 8 == 5 ? 0 : 7, k % 2 ? 128 : 640, k);
      matrix_add(m, &c);
    }
}

static void indices(cell *c, const char *param, int64_t n, int64_t below) {
  operand *x = cell_in(c, param, TME_I64, 1, &n);
  x->fill = FILL_INDEX;
  x->lo = 0;
  x->hi = (double)below;
}

void cells_qmm(matrix *m, int op) {
  static const int64_t rows[] = {1, 3, 4, 5, 33, 0};
  for (int i = 0; i < TME_DTYPE_COUNT; i++)
    for (int k = 0; k < 36 && takes(m, (tme_dtype)i); k++) {
      bool transpose = k % 4 != 3, gathers = op == OP_gather_qmm;
      int64_t inner = 256, x[] = {gathers ? 4 : 2, rows[k / 6], transpose ? inner : 9};
      int skip = !gathers && k % 2;
      cell c;
      cell_init(&c, op, k % 7 == 0);
      cell_in(&c, "x", (tme_dtype)i, 3 - skip, x + skip)->layout = (layout)(k % LAYOUT_COUNT);
      packed(&c, (tme_dtype)i, gathers ? 3 : 0, 9, inner, k);
      cell_int(&c, "transpose", transpose);
      if (gathers) indices(&c, "rhs_indices", 4, 3);
      if (gathers && k % 2) indices(&c, "lhs_indices", k % 3 ? 4 : 1, 4);
      matrix_add(m, &c);
    }
}
