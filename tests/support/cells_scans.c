/* Cells of scans, of reductions of what is not NaN, and of what compares and integrates along axes. */
#include "support/matrix.h"
#include <string.h>

typedef struct dims {
  int rank;
  int64_t shape[TME_MAX_RANK];
} dims;

/* The first ones are part of every run; the longer ones have more than one chunk of a scan. */
static const dims shapes[] = {{2, {17, 33}},  {1, {70}},   {3, {3, 4, 5}},   {0, {0}},       {1, {1}},
                              {2, {9, 1}},    {1, {1300}}, {2, {2, 1100}},   {2, {1100, 3}}, {2, {3, 0}},
                              {3, {2, 0, 4}}, {1, {9000}}, {4, {2, 3, 4, 5}}};
enum { CORE_SHAPES = 3 };

static bool is_complex_op(int op) {
  return op == OP_cumsum || op == OP_cumprod || op == OP_cumulative_sum || op == OP_cumulative_prod ||
         op == OP_nansum || op == OP_nanprod;
}

static bool is_product(int op) { return op == OP_cumprod || op == OP_cumulative_prod || op == OP_nanprod; }

/* Calls f for each shape and axis, -1 for none. */
typedef void each_fn(matrix *m, int op, tme_dtype t, const dims *s, int axis, int turn);
static void each(matrix *m, int op, each_fn *f) {
  for (int i = 0; i < TME_DTYPE_COUNT; i++) {
    tme_dtype t = (tme_dtype)i;
    int turn = i;
    for (int k = 0; matrix_takes(m, t) && k < COUNT(shapes); k++) {
      if (k >= CORE_SHAPES && matrix_share() == SHARE_QUICK) break;
      for (int axis = -1; axis < shapes[k].rank; axis++) f(m, op, t, &shapes[k], axis, turn++);
    }
  }
}

static operand *start(cell *c, int op, tme_dtype t, const dims *s, int turn, const char *name) {
  cell_init(c, op, s < shapes + CORE_SHAPES);
  operand *x = cell_in(c, name, t, s->rank, s->shape);
  x->layout = (layout)(turn % LAYOUT_COUNT);
  if (is_product(op)) {
    x->lo = 0.7;
    x->hi = 1.4;
  } else if (turn % 3 == 0) {
    x->fill = FILL_CLASSES;
  }
  return x;
}

static void of_scan(matrix *m, int op, tme_dtype t, const dims *s, int axis, int turn) {
  bool standard = op == OP_cumulative_sum || op == OP_cumulative_prod;
  if ((dtype_is_complex(t) && !is_complex_op(op)) || (standard && axis < 0 && s->rank != 1)) return;
  cell c;
  start(&c, op, t, s, turn, "x");
  int64_t axes[1] = {turn & 1 ? axis : axis - s->rank};
  if (axis >= 0) cell_ints(&c, "axis", 1, axes);
  if (standard && (turn & 1)) cell_int(&c, "include_initial", 1);
  if (!standard && (turn & 1)) cell_int(&c, "reverse", 1);
  if (!standard && (turn & 2)) cell_int(&c, "inclusive", 0);
  if (cell_get(&c, "dtype") && turn % 5 == 0) cell_int(&c, "dtype", dtype_is_complex(t) ? TME_C128 : TME_F32);
  matrix_add(m, &c);
}

void cells_scan(matrix *m, int op) { each(m, op, of_scan); }

static void of_nan(matrix *m, int op, tme_dtype t, const dims *s, int axis, int turn) {
  bool extreme = op == OP_nanmin || op == OP_nanmax || op == OP_nanargmin || op == OP_nanargmax || op == OP_ptp;
  if (dtype_is_complex(t) && !is_complex_op(op)) return;
  if (op == OP_ptp && t == TME_BOOL) return;
  for (int d = 0; d < s->rank && extreme; d++)
    if (!s->shape[d]) return;
  cell c;
  start(&c, op, t, s, turn, "x");
  int64_t axes[1] = {axis};
  if (axis >= 0) cell_ints(&c, "axis", 1, axes);
  if (turn & 1) cell_int(&c, "keepdims", 1);
  if (cell_get(&c, "correction") && (turn & 2)) cell_float(&c, "correction", 1);
  matrix_add(m, &c);
}

void cells_nan_reduce(matrix *m, int op) { each(m, op, of_nan); }
void cells_ptp(matrix *m, int op) { each(m, op, of_nan); }

static void of_diff(matrix *m, int op, tme_dtype t, const dims *s, int axis, int turn) {
  if (axis < 0 || t == TME_BOOL) return;
  cell c;
  start(&c, op, t, s, turn, "x");
  cell_int(&c, "axis", axis);
  if (turn & 1) cell_int(&c, "n", turn % 4);
  dims part = *s;
  part.shape[axis] = 2;
  if (turn & 2) cell_in(&c, "prepend", t, part.rank, part.shape);
  if (turn & 4) cell_in(&c, "append", t, 0, NULL);
  matrix_add(m, &c);
}

void cells_diff(matrix *m, int op) { each(m, op, of_diff); }

static void of_trapezoid(matrix *m, int op, tme_dtype t, const dims *s, int axis, int turn) {
  if (axis < 0 || t == TME_BOOL) return;
  cell c;
  start(&c, op, t, s, 1, "y");
  cell_int(&c, "axis", axis);
  if (turn % 3 == 0) cell_in(&c, "x", t, s->rank, s->shape);
  if (turn % 3 == 1) cell_in(&c, "x", t, 1, &s->shape[axis]);
  if (turn % 3 == 2) cell_float(&c, "dx", 0.5);
  matrix_add(m, &c);
}

void cells_trapezoid(matrix *m, int op) { each(m, op, of_trapezoid); }

static void of_gradient(matrix *m, int op, tme_dtype t, const dims *s, int axis, int turn) {
  int order = 1 + turn % 2;
  if (axis < 0 || t == TME_BOOL || s->shape[axis] <= order) return;
  cell c;
  start(&c, op, t, s, 1, "y")->layout = (layout)(turn % LAYOUT_COUNT);
  cell_int(&c, "axis", axis);
  cell_int(&c, "edge_order", order);
  if (turn % 3 == 0) cell_in(&c, "x", t, 1, &s->shape[axis]);
  if (turn % 3 == 1) cell_float(&c, "dx", 0.3);
  matrix_add(m, &c);
}

void cells_gradient(matrix *m, int op) { each(m, op, of_gradient); }

static void of_imaginary(matrix *m, int op, tme_dtype t, const dims *s, int axis, int turn) {
  if (axis >= 0) return;
  cell c;
  start(&c, op, t, s, turn, "x")->fill = FILL_MIXED;
  matrix_add(m, &c);
}

void cells_imaginary(matrix *m, int op) { each(m, op, of_imaginary); }

static void of_power(matrix *m, int op, tme_dtype t, const dims *s, int axis, int turn) {
  if (axis >= 0) return;
  cell c;
  start(&c, op, t, s, turn, "x")->fill = FILL_DOMAIN;
  operand *y = cell_in(&c, "y", turn % 2 ? t : TME_F32, turn % 3 ? s->rank : 0, s->shape);
  c.in[0].lo = y->lo = 0.5;
  c.in[0].hi = y->hi = 4;
  matrix_add(m, &c);
}

void cells_float_power(matrix *m, int op) { each(m, op, of_power); }

/* Whole numbers, of which many are equal, and special values. */
static void of_two(matrix *m, int op, tme_dtype t, const dims *s, int axis, int turn) {
  if (axis >= 0) return;
  cell c;
  start(&c, op, t, s, turn, "x")->fill = turn & 1 ? FILL_MIXED : FILL_INDEX;
  operand *y = cell_in(&c, "y", t, s->rank, s->shape);
  y->fill = c.in[0].fill;
  if (turn & 1) cell_int(&c, "equal_nan", 1);
  if (cell_get(&c, "atol") && (turn & 2)) cell_float(&c, "atol", 1.5);
  for (int i = 0; i < 2; i++) {
    c.in[i].lo = 0;
    c.in[i].hi = 3;
  }
  matrix_add(m, &c);
}

void cells_closeness(matrix *m, int op) { each(m, op, of_two); }

static void of_activation(matrix *m, int op, tme_dtype t, const dims *s, int axis, int turn) {
  if (axis >= 0 || ((dtype_is_complex(t) || t == TME_BOOL) && op != OP_nan_to_num)) return;
  cell c;
  start(&c, op, t, s, turn, "x")->fill = FILL_MIXED;
  static const char *const numbers[] = {"negative_slope", "alpha", "lambd", "threshold", "value", "nan", "posinf"};
  for (int i = 0; i < COUNT(numbers); i++)
    if (cell_get(&c, numbers[i]) && ((turn & 1) || !strcmp(numbers[i], "threshold") || !strcmp(numbers[i], "value")))
      cell_float(&c, numbers[i], i ? 0.75 : -0.25);
  matrix_add(m, &c);
}

void cells_activation(matrix *m, int op) { each(m, op, of_activation); }
void cells_nan_to_num(matrix *m, int op) { each(m, op, of_activation); }
