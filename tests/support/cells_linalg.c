/* Cells of linear algebra. Most matrices have a diagonal that outweighs the rest: they have an inverse, and, one triangle taken
 * as a Hermitian matrix, are positive definite. */
#include "support/matrix.h"
#include <math.h>

typedef struct dims {
  int rank;
  int64_t shape[5];
} dims;

/* Square ones first; on both sides of the extents where LAPACK begins. */
static const dims shapes[] = {{2, {5, 5}}, {2, {20, 20}},  {3, {3, 4, 4}}, {2, {1, 1}}, {2, {17, 17}},
                              {2, {0, 0}}, {3, {0, 2, 2}}, {2, {7, 5}},    {2, {5, 7}}, {3, {2, 21, 18}},
                              {2, {1, 9}}, {2, {9, 1}},    {2, {0, 3}},    {2, {3, 0}}};
enum { SQUARE = 7 };

/* The layout in which elements are repeated has no such diagonal. */
static layout layout_of(int k) {
  static const layout all[] = {LAYOUT_ROWS, LAYOUT_TRANSPOSED, LAYOUT_NEGATIVE, LAYOUT_STEPS, LAYOUT_MIXED};
  return all[k % COUNT(all)];
}
enum { LAYOUTS = 5 };

static bool is_wanted(const matrix *m, int i) {
  tme_dtype t = (tme_dtype)i;
  return matrix_takes(m, t) && t != TME_BOOL;
}

static operand *matrices(cell *c, const char *name, tme_dtype t, const dims *d, int turn) {
  operand *x = cell_in(c, name, t, d->rank, d->shape);
  x->layout = layout_of(turn);
  x->fill = FILL_DOMINANT;
  x->lo = -1;
  x->hi = 1;
  return x;
}

/* One matrix operand, and the values that a parameter takes in turn. */
static void cells_of_one(matrix *m, int op, int nshapes, void (*set)(cell *c, int turn)) {
  const char *name = op_get(op)->params[0].name;
  for (int i = 0; i < TME_DTYPE_COUNT; i++)
    for (int k = 0; is_wanted(m, i) && k < nshapes; k++)
      for (int l = 0; l < LAYOUTS; l++) {
        cell c;
        cell_init(&c, op, k < 2 && !l);
        matrices(&c, name, (tme_dtype)i, &shapes[k], l);
        if (set) set(&c, k + l);
        matrix_add(m, &c);
      }
}

static void set_upper(cell *c, int turn) {
  if (cell_get(c, "upper")) cell_int(c, "upper", turn % 2);
}

static void set_mode(cell *c, int turn) {
  if (cell_get(c, "mode")) cell_word(c, "mode", turn % 2 ? "complete" : "reduced");
  set_upper(c, turn);
}

void cells_factor(matrix *m, int op) { cells_of_one(m, op, op == OP_cholesky ? SQUARE : COUNT(shapes), set_mode); }
void cells_inverse(matrix *m, int op) { cells_of_one(m, op, SQUARE, set_upper); }
void cells_cholesky_inv(matrix *m, int op) { cells_of_one(m, op, SQUARE, set_upper); }
void cells_determinant(matrix *m, int op) { cells_of_one(m, op, SQUARE, NULL); }
void cells_pinv(matrix *m, int op) { cells_of_one(m, op, COUNT(shapes), NULL); }
void cells_matrix_rank(matrix *m, int op) { cells_of_one(m, op, COUNT(shapes), NULL); }

static void set_power(cell *c, int turn) {
  static const int64_t powers[] = {3, -2, 0, 1, 2, -1};
  cell_int(c, "n", powers[turn % COUNT(powers)]);
}

void cells_matrix_power(matrix *m, int op) { cells_of_one(m, op, SQUARE, set_power); }

static void set_small(cell *c, int turn) {
  (void)turn;
  c->in[0].fill = FILL_DOMAIN;
}

void cells_expm(matrix *m, int op) { cells_of_one(m, op, SQUARE, set_small); }

static void set_triangle(cell *c, int turn) {
  set_small(c, turn);
  if (cell_get(c, "uplo")) cell_word(c, "uplo", turn % 2 ? "U" : "L");
}

void cells_eigen(matrix *m, int op) { cells_of_one(m, op, SQUARE, set_triangle); }

static const char *const orders[] = {"fro", "1", "inf", "2", "nuc", "-1", "-inf", "-2"};

static void set_order(cell *c, int turn) {
  bool empty = !operand_size(&c->in[0]);
  cell_word(c, "ord", orders[turn % (empty ? 5 : COUNT(orders))]);
  if (cell_get(c, "keepdims")) cell_int(c, "keepdims", turn / 2 % 2);
  set_small(c, turn);
}

void cells_matrix_norm(matrix *m, int op) { cells_of_one(m, op, COUNT(shapes), set_order); }

static void set_square_order(cell *c, int turn) { cell_word(c, "ord", orders[turn % COUNT(orders)]); }

void cells_cond(matrix *m, int op) { cells_of_one(m, op, 5, set_square_order); }

void cells_vector_norm(matrix *m, int op) {
  static const double ords[] = {2, 1, INFINITY, -INFINITY, 0, 3.5, -1};
  static const int64_t axes[][2] = {{1, 0}, {0, 1}, {-1, 0}};
  static const dims all[] = {{2, {9, 17}}, {3, {3, 4, 5}}, {2, {1, 300}}};
  for (int i = 0; i < TME_DTYPE_COUNT; i++)
    for (int k = 0; matrix_takes(m, (tme_dtype)i) && k < COUNT(all); k++)
      for (int o = 0; o < COUNT(ords); o++) {
        cell c;
        cell_init(&c, op, !k || !o);
        operand *x = cell_in(&c, "x", (tme_dtype)i, all[k].rank, all[k].shape);
        x->layout = (layout)((o + k) % LAYOUT_COUNT);
        x->lo = 0.5; /* of numbers next to 0 negative orders are as large as the format allows */
        cell_float(&c, "ord", ords[o]);
        cell_ints(&c, "axis", 1 + o % 2, axes[o % COUNT(axes)]);
        cell_int(&c, "keepdims", o / 2 % 2);
        matrix_add(m, &c);
      }
}

/* ---- equations ------------------------------------------------------------------------------------------------------------- */

static const dims sides[][2] = {{{2, {5, 5}}, {1, {5}}},
                                {{2, {20, 20}}, {2, {20, 3}}},
                                {{3, {3, 4, 4}}, {2, {4, 2}}},
                                {{2, {4, 4}}, {4, {2, 3, 4, 1}}},
                                {{2, {0, 0}}, {2, {0, 3}}},
                                {{2, {3, 3}}, {2, {3, 0}}},
                                {{4, {2, 1, 2, 2}}, {3, {3, 2, 2}}}};
static const dims tall[][2] = {{{2, {7, 4}}, {1, {7}}}, {{2, {4, 7}}, {2, {4, 3}}}, {{3, {2, 20, 5}}, {2, {20, 2}}}};
static const dims bands[][2] = {{{2, {4, 9}}, {1, {9}}}, {{2, {4, 20}}, {2, {20, 3}}}, {{3, {2, 4, 5}}, {2, {5, 2}}}};

static void equations(matrix *m, int op, const dims (*all)[2], int n, const char *name) {
  for (int i = 0; i < TME_DTYPE_COUNT; i++)
    for (int k = 0; is_wanted(m, i) && k < n; k++)
      for (int l = 0; l < LAYOUTS; l++) {
        cell c;
        cell_init(&c, op, k < 2 && !l);
        operand *a = matrices(&c, name, (tme_dtype)i, &all[k][0], l);
        operand *b = cell_in(&c, "b", (tme_dtype)i, all[k][1].rank, all[k][1].shape);
        b->layout = (layout)((l * 2 + k) % LAYOUT_COUNT);
        if (cell_get(&c, "upper")) cell_int(&c, "upper", (k + l) % 2);
        if (cell_get(&c, "below")) {
          /* nearly Toeplitz, with the roots of its polynomial on the circle: its inverse grows slowly */
          cell_int(&c, "below", 3);
          cell_int(&c, "above", 0);
          a->fill = FILL_DOMAIN;
          a->lo = 1;
          a->hi = 1.05;
        }
        matrix_add(m, &c);
      }
}

void cells_solve(matrix *m, int op) {
  if (op == OP_solve_banded)
    equations(m, op, bands, COUNT(bands), "ab");
  else
    equations(m, op, sides, COUNT(sides), "a");
}

void cells_lstsq(matrix *m, int op) {
  equations(m, op, sides, 4, "a");
  equations(m, op, tall, COUNT(tall), "a");
}

void cells_multi_dot(matrix *m, int op) {
  static const dims chains[][3] = {{{2, {3, 9}}, {2, {9, 2}}, {2, {2, 5}}},
                                   {{1, {6}}, {2, {6, 4}}, {1, {4}}},
                                   {{2, {2, 0}}, {2, {0, 3}}, {2, {3, 2}}}};
  for (int i = 0; i < TME_DTYPE_COUNT; i++)
    for (int k = 0; is_wanted(m, i) && k < COUNT(chains); k++)
      for (int l = 0; l < LAYOUT_COUNT; l++) {
        cell c;
        cell_init(&c, op, !l);
        for (int a = 0; a < 3; a++)
          cell_in(&c, "arrays", (tme_dtype)i, chains[k][a].rank, chains[k][a].shape)->layout =
              (layout)((l + a) % LAYOUT_COUNT);
        matrix_add(m, &c);
      }
}
