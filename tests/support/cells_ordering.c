/* Cells of the operations that sort, search and count. */
#include "support/matrix.h"

typedef struct dims {
  int rank;
  int64_t shape[TME_MAX_RANK];
} dims;

/* The first ones are part of every run. */
static const dims shapes[] = {{2, {17, 33}}, {1, {300}}, {3, {3, 4, 5}}, {2, {3, 0}},
                              {2, {0, 3}},   {1, {1}},   {1, {20000}},   {2, {70, 2}}};
enum { CORE_SHAPES = 3 };

void cells_sort(matrix *m, int op) {
  for (int i = 0; i < TME_DTYPE_COUNT; i++) {
    tme_dtype t = (tme_dtype)i;
    if (!matrix_takes(m, t) || (op == OP_topk && dtype_is_complex(t))) continue;
    for (int k = 0; k < COUNT(shapes); k++)
      for (int axis = 0; axis < shapes[k].rank; axis++)
        for (int l = 0; l < LAYOUT_COUNT; l++) {
          bool turned = (k + l + axis) % 2;
          int64_t n = shapes[k].shape[axis];
          cell c;
          cell_init(&c, op, k < CORE_SHAPES && (!l || !k));
          operand *x = cell_in(&c, "x", t, shapes[k].rank, shapes[k].shape);
          x->layout = (layout)l;
          x->fill = FILL_MIXED;
          if (op == OP_topk) cell_int(&c, "k", l == 5 ? n : l == 4 ? n / 2 : n < 3 ? n : 3);
          cell_int(&c, "axis", turned ? axis - shapes[k].rank : axis);
          cell_int(&c, op == OP_topk ? "largest" : "descending", turned);
          matrix_add(m, &c);
        }
  }
}

void cells_partition(matrix *m, int op) {
  for (int i = 0; i < TME_DTYPE_COUNT; i++)
    for (int k = 0; matrix_takes(m, (tme_dtype)i) && k < CORE_SHAPES; k++)
      for (int l = 0; l < LAYOUT_COUNT; l++) {
        cell c;
        cell_init(&c, op, !l);
        cell_in(&c, "x", (tme_dtype)i, shapes[k].rank, shapes[k].shape)->layout = (layout)l;
        cell_int(&c, "kth", l % 2 ? -2 : 2);
        cell_int(&c, "axis", l % 2 ? 0 : -1);
        matrix_add(m, &c);
      }
}

/* Two operands of few different elements, so that they have some in common. */
static operand *few(cell *c, const char *name, tme_dtype t, int rank, const int64_t *shape, layout l) {
  operand *x = cell_in(c, name, t, rank, shape);
  x->layout = l;
  x->fill = dtype_is_float(t) && l % 2 ? FILL_CLASSES : FILL_INDEX;
  x->lo = t == TME_BOOL || !(dtype_is_signed(t) || dtype_is_float(t)) ? 0 : -5;
  x->hi = t == TME_BOOL ? 2 : 9;
  return x;
}

/* -1, none, fewer and more than there are. */
static const int64_t sizes[] = {-1, 0, 3, 400};

void cells_unique(matrix *m, int op) {
  for (int i = 0; i < TME_DTYPE_COUNT; i++)
    for (int k = 0; matrix_takes(m, (tme_dtype)i) && k < COUNT(shapes); k++)
      for (int n = 0; n < COUNT(sizes); n++) {
        cell c;
        cell_init(&c, op, !k || !n);
        few(&c, "x", (tme_dtype)i, shapes[k].rank, shapes[k].shape, (layout)((n + k) % LAYOUT_COUNT));
        cell_int(&c, "size", sizes[n]);
        matrix_add(m, &c);
      }
}

void cells_sets(matrix *m, int op) {
  static const int64_t others[][2] = {{40, 1}, {0, 3}, {5, 5}};
  for (int i = 0; i < TME_DTYPE_COUNT; i++)
    for (int k = 0; matrix_takes(m, (tme_dtype)i) && k < COUNT(shapes); k++)
      for (int n = 0; n < COUNT(sizes); n++) {
        cell c;
        cell_init(&c, op, !k || !n);
        few(&c, "x", (tme_dtype)i, shapes[k].rank, shapes[k].shape, (layout)((n + k) % LAYOUT_COUNT));
        few(&c, "y", (tme_dtype)i, 2, others[(k + n) % COUNT(others)], LAYOUT_TRANSPOSED)->lo = 0;
        cell_int(&c, "size", sizes[n]);
        matrix_add(m, &c);
      }
}

void cells_isin(matrix *m, int op) {
  static const int64_t others[][2] = {{40, 1}, {0, 3}, {5, 5}};
  for (int i = 0; i < TME_DTYPE_COUNT; i++)
    for (int k = 0; matrix_takes(m, (tme_dtype)i) && k < COUNT(shapes); k++)
      for (int l = 0; l < LAYOUT_COUNT; l++) {
        cell c;
        cell_init(&c, op, !k || !l);
        few(&c, "x", (tme_dtype)i, shapes[k].rank, shapes[k].shape, (layout)l);
        few(&c, "y", l < 4 ? (tme_dtype)i : TME_F32, 2, others[(k + l) % COUNT(others)], LAYOUT_ROWS)->hi = 3;
        cell_int(&c, "invert", l % 2);
        matrix_add(m, &c);
      }
}

/* Of one element, so that it is sorted: the tests against NumPy have longer ones. */
void cells_search(matrix *m, int op) {
  static const int64_t lengths[] = {1, 0};
  bool digits = op == OP_digitize;
  for (int i = 0; i < TME_DTYPE_COUNT; i++)
    for (int k = 0; matrix_takes(m, (tme_dtype)i) && !dtype_is_complex((tme_dtype)i) && k < COUNT(shapes); k++)
      for (int l = 0; l < LAYOUT_COUNT; l++) {
        cell c;
        cell_init(&c, op, !k || !l);
        operand *x = cell_in(&c, digits ? "bins" : "x", (tme_dtype)i, 1, &lengths[l == 5]);
        x->lo = x->hi = 1;
        operand *v = cell_in(&c, digits ? "x" : "values", (tme_dtype)i, shapes[k].rank, shapes[k].shape);
        v->layout = (layout)l;
        v->fill = FILL_MIXED;
        if (digits)
          cell_int(&c, "right", l % 2);
        else
          cell_word(&c, "side", l % 2 ? "right" : "left");
        matrix_add(m, &c);
      }
}

void cells_count_nonzero(matrix *m, int op) {
  for (int i = 0; i < TME_DTYPE_COUNT; i++)
    for (int k = 0; matrix_takes(m, (tme_dtype)i) && k < COUNT(shapes); k++)
      for (int64_t axis = -1; axis < shapes[k].rank; axis++) {
        cell c;
        cell_init(&c, op, !k);
        few(&c, "x", (tme_dtype)i, shapes[k].rank, shapes[k].shape, (layout)((axis + 1 + k) % LAYOUT_COUNT));
        if (axis >= 0) cell_ints(&c, "axis", 1, &axis);
        cell_int(&c, "keepdims", axis % 2 != 0);
        matrix_add(m, &c);
      }
}

void cells_flatnonzero(matrix *m, int op) { cells_unique(m, op); }

void cells_bincount(matrix *m, int op) {
  static const int64_t lengths[] = {300, 0, 1, 20000};
  for (int i = 0; i < TME_DTYPE_COUNT; i++) {
    tme_dtype t = (tme_dtype)i;
    for (int k = 0; matrix_takes(m, t) && k < COUNT(lengths); k++)
      for (int n = 0; n < COUNT(sizes); n++) {
        cell c;
        cell_init(&c, op, !k || !n);
        /* the dtype is the numbers', or the weights' */
        bool whole = dtype_is_int(t) || t == TME_BOOL;
        operand *x = cell_in(&c, "x", whole ? t : TME_I32, 1, &lengths[k]);
        x->fill = FILL_INDEX;
        x->lo = 0;
        x->hi = t == TME_BOOL ? 2 : 50;
        x->layout = (layout)(n % 2 ? LAYOUT_NEGATIVE : LAYOUT_ROWS);
        if (!whole || n % 2) cell_in(&c, "weights", t, 1, &lengths[k])->layout = LAYOUT_STEPS;
        cell_int(&c, "minlength", k * 30);
        cell_int(&c, "size", sizes[n]);
        matrix_add(m, &c);
      }
  }
}

void cells_histogram(matrix *m, int op) {
  bool plane = op == OP_histogram2d;
  for (int i = 0; i < TME_DTYPE_COUNT; i++) {
    tme_dtype t = (tme_dtype)i;
    for (int k = 0; matrix_takes(m, t) && k < COUNT(shapes); k++)
      for (int l = 0; l < LAYOUT_COUNT; l++) {
        cell c;
        cell_init(&c, op, !k || !l);
        bool pairs = dtype_is_complex(t);
        cell_in(&c, "x", pairs ? TME_F32 : t, shapes[k].rank, shapes[k].shape)->layout = (layout)l;
        if (plane) cell_in(&c, "y", pairs ? TME_F64 : t, shapes[k].rank, shapes[k].shape);
        if (pairs || l % 3 == 1) cell_in(&c, "weights", t, shapes[k].rank, shapes[k].shape)->layout = LAYOUT_TRANSPOSED;
        if (l % 2) {
          cell_float(&c, plane ? "xlow" : "low", -1);
          cell_float(&c, plane ? "xhigh" : "high", 1.5);
        }
        cell_int(&c, plane ? "ybins" : "bins", l + 1);
        cell_int(&c, "density", l == 2);
        matrix_add(m, &c);
      }
  }
}

void cells_quantile(matrix *m, int op) {
  static const char *const methods[] = {"linear",
                                        "lower",
                                        "higher",
                                        "midpoint",
                                        "nearest",
                                        "inverted_cdf",
                                        "hazen",
                                        "weibull",
                                        "averaged_inverted_cdf",
                                        "median_unbiased",
                                        "normal_unbiased",
                                        "closest_observation",
                                        "interpolated_inverted_cdf"};
  static const int64_t few_q[] = {2, 3}, both[] = {0, -1};
  for (int i = 0; i < TME_DTYPE_COUNT; i++) {
    tme_dtype t = (tme_dtype)i;
    int turn = i;
    for (int k = 0; matrix_takes(m, t) && !dtype_is_complex(t) && k < COUNT(shapes); k++)
      for (int l = 0; l < LAYOUT_COUNT + 3; l++, turn++) {
        int64_t axis = l % shapes[k].rank;
        bool empty = false;
        for (int d = 0; d < shapes[k].rank; d++) empty |= !shapes[k].shape[d];
        if (empty && !shapes[k].shape[axis]) continue;
        cell c;
        cell_init(&c, op, k < 2);
        operand *x = cell_in(&c, "x", t, shapes[k].rank, shapes[k].shape);
        x->layout = (layout)(l % LAYOUT_COUNT);
        x->fill = l % 2 ? FILL_CLASSES : FILL_MIXED;
        if (cell_get(&c, "q")) {
          operand *q = cell_in(&c, "q", TME_F32, l % 3, few_q);
          q->lo = 0;
          q->hi = op == OP_percentile || op == OP_nanpercentile ? 100 : 1;
          cell_word(&c, "method", methods[turn % COUNT(methods)]);
        }
        if (l < LAYOUT_COUNT || empty)
          cell_ints(&c, "axis", 1, &axis);
        else if (l == LAYOUT_COUNT && shapes[k].rank > 1)
          cell_ints(&c, "axis", 2, both);
        cell_int(&c, "keepdims", l % 2);
        matrix_add(m, &c);
      }
  }
}
