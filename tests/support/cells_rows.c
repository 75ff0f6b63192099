/* Cells of reductions, statistics, softmax and the norms: what works along axes. */
#include "support/matrix.h"
#include <string.h>

typedef struct dims {
  int rank;
  int64_t shape[TME_MAX_RANK];
} dims;

/* The first ones are part of every run. */
static const dims shapes[] = {
    {2, {17, 33}}, {1, {70}},   {3, {3, 4, 5}}, {0, {0}},        {1, {1}},
    {2, {1, 9}},   {2, {9, 1}}, {2, {2, 64}},   {2, {64, 2}},    {2, {5, 257}},
    {2, {129, 3}}, {1, {4097}}, {3, {2, 1, 8}}, {3, {7, 2, 31}}, {4, {2, 3, 4, 5}},
    {1, {15}},     {1, {16}},   {1, {65}},      {2, {3, 100}},   {8, {2, 1, 2, 3, 1, 2, 2, 2}},
    {2, {0, 3}},   {2, {3, 0}}, {3, {2, 0, 4}}, {1, {0}},        {2, {33, 31}},
    {1, {3000}},
};
enum { CORE_SHAPES = 3 };

/* What each operation can be given. */
static bool takes(int op, tme_dtype t) {
  switch (op) {
  case OP_sum:
  case OP_prod:
  case OP_any:
  case OP_all:
  case OP_mean: return true;
  default: return !dtype_is_complex(t);
  }
}

static bool of_extremes(int op) { return op == OP_min || op == OP_max || op == OP_argmin || op == OP_argmax; }

/* Factors near 1, so that products neither vanish nor overflow in some order. */
static void set_domain(cell *c) {
  operand *x = &c->in[0];
  if (c->op == OP_prod) {
    x->lo = 0.7;
    x->hi = 1.4;
  }
  if (of_extremes(c->op) || c->op == OP_any || c->op == OP_all) x->fill = FILL_MIXED;
}

/* An extreme of nothing is an error, tested elsewhere. */
static bool has_value(const cell *c) {
  const operand *x = &c->in[0];
  const cell_arg *a = cell_get(c, "axis");
  if (!of_extremes(c->op)) return true;
  for (int d = 0; d < x->rank && a->kind == TME_ARG_ABSENT; d++)
    if (!x->shape[d]) return false;
  for (int k = 0; a->kind == TME_ARG_INTS && k < a->n; k++)
    if (!x->shape[a->ints[k] < 0 ? a->ints[k] + x->rank : a->ints[k]]) return false;
  return true;
}

static void reduce(matrix *m, int op, tme_dtype t, const dims *s, int naxes, const int64_t *axes, layout l, bool core,
                   unsigned turn) {
  cell c;
  cell_init(&c, op, core);
  cell_in(&c, "x", t, s->rank, s->shape)->layout = l;
  if (naxes >= 0) cell_ints(&c, "axis", naxes, axes);
  if (turn & 1) cell_int(&c, "keepdims", 1);
  if (cell_get(&c, "correction") && (turn & 2)) cell_float(&c, "correction", turn & 4 ? 1 : 0.5);
  if (cell_get(&c, "dtype") && turn % 5 == 2)
    cell_int(&c, "dtype", dtype_is_complex(t) ? TME_C64 : turn & 1 && op != OP_mean ? TME_I8 : TME_F32);
  set_domain(&c);
  if (has_value(&c)) matrix_add(m, &c);
}

/* Rows with NaN, infinities and zeros of both signs come out by class. */
static void classes(matrix *m, int op, tme_dtype t) {
  static const int64_t shape[] = {40, 33};
  if (!dtype_is_float(t)) return;
  for (int64_t axis = 0; axis < 2; axis++) {
    cell c;
    cell_init(&c, op, true);
    cell_in(&c, "x", t, 2, shape)->fill = FILL_CLASSES;
    if (op_get(op)->family == FAMILY_softmax)
      cell_int(&c, "axis", axis);
    else if (op_get(op)->family != FAMILY_norm)
      cell_ints(&c, "axis", 1, &axis);
    matrix_add(m, &c);
  }
}

static void cells_of_reduce(matrix *m, int op) {
  bool one_axis = op_get(op)->family == FAMILY_argreduce;
  for (int i = 0; i < TME_DTYPE_COUNT; i++) {
    tme_dtype t = (tme_dtype)i;
    if (!takes(op, t) || !matrix_takes(m, t)) continue;
    unsigned turn = 0;
    classes(m, op, t);
    for (int k = 0; k < COUNT(shapes); k++) {
      const dims *s = &shapes[k];
      bool core = k < CORE_SHAPES;
      if (!core && matrix_share() == SHARE_QUICK) break;
      reduce(m, op, t, s, -1, NULL, LAYOUT_ROWS, core, turn++);
      for (int64_t d = 0; d < s->rank; d++) {
        int64_t axes[2] = {turn & 2 ? d - s->rank : d, (d + 1) % (s->rank ? s->rank : 1)};
        reduce(m, op, t, s, 1, axes, LAYOUT_ROWS, core && k == 0, turn++);
        if (s->rank > 2 && !one_axis) reduce(m, op, t, s, 2, axes, LAYOUT_ROWS, false, turn++);
        /* sums meet every layout, the others one of them */
        for (int l = LAYOUT_TRANSPOSED; l < LAYOUT_COUNT; l++)
          if (op == OP_sum || (k + d + i) % (LAYOUT_COUNT - 1) == l - 1)
            reduce(m, op, t, s, 1, axes, (layout)l, k == 0 && op == OP_sum, turn++);
      }
      for (int l = LAYOUT_TRANSPOSED; l < LAYOUT_COUNT; l++) reduce(m, op, t, s, -1, NULL, (layout)l, false, turn++);
      if (!one_axis) reduce(m, op, t, s, 0, NULL, LAYOUT_ROWS, false, turn++);
    }
  }
}

void cells_reduce(matrix *m, int op) { cells_of_reduce(m, op); }
void cells_statistics(matrix *m, int op) { cells_of_reduce(m, op); }
void cells_argreduce(matrix *m, int op) { cells_of_reduce(m, op); }

void cells_softmax(matrix *m, int op) {
  for (int i = 0; i < TME_DTYPE_COUNT; i++) {
    tme_dtype t = (tme_dtype)i;
    if (dtype_is_complex(t) || !matrix_takes(m, t)) continue;
    classes(m, op, t);
    for (int k = 0; k < COUNT(shapes); k++) {
      const dims *s = &shapes[k];
      if (k >= CORE_SHAPES && matrix_share() == SHARE_QUICK) break;
      for (int d = -1; d < s->rank - 1; d++) {
        for (int l = 0; l < LAYOUT_COUNT; l++) {
          if (!s->rank) continue;
          cell c;
          cell_init(&c, op, k < CORE_SHAPES && !l && d < 1);
          operand *x = cell_in(&c, "x", t, s->rank, s->shape);
          cell_int(&c, "axis", d);
          x->layout = (layout)l;
          x->lo = -30;
          x->hi = 30;
          matrix_add(m, &c);
        }
      }
      for (int l = 0; l < LAYOUT_COUNT && s->rank > 1; l++) {
        static const int64_t axes[] = {0, -1};
        cell c;
        cell_init(&c, op, k < CORE_SHAPES && !l);
        cell_in(&c, "x", t, s->rank, s->shape)->layout = (layout)l;
        cell_ints(&c, "axis", COUNT(axes), axes);
        matrix_add(m, &c);
      }
    }
  }
}

void cells_norm(matrix *m, int op) {
  for (int i = 0; i < TME_DTYPE_COUNT; i++) {
    tme_dtype t = (tme_dtype)i;
    if (dtype_is_complex(t) || !matrix_takes(m, t)) continue;
    classes(m, op, t);
    for (int k = 0; k < COUNT(shapes); k++) {
      const dims *s = &shapes[k];
      if (!s->rank) continue;
      if (k >= CORE_SHAPES && matrix_share() == SHARE_QUICK) break;
      for (int l = 0; l < 4 * LAYOUT_COUNT; l++) {
        if (k >= CORE_SHAPES && (l + k + i) % 3) continue;
        cell c;
        cell_init(&c, op, k < CORE_SHAPES && l % LAYOUT_COUNT == 0);
        operand *x = cell_in(&c, "x", t, s->rank, s->shape);
        x->layout = (layout)(l % LAYOUT_COUNT);
        int64_t n = s->shape[s->rank - 1];
        int with = l / LAYOUT_COUNT;
        if (with & 1) cell_in(&c, "weight", t, 1, &n)->layout = (layout)(k % LAYOUT_COUNT);
        if ((with & 2) && cell_get(&c, "bias")) cell_in(&c, "bias", t, 1, &n);
        if (with & 2) cell_float(&c, "eps", 0.125);
        matrix_add(m, &c);
      }
    }
  }
}
