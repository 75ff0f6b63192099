/* Cells of the operations that move elements, gather them, or make arrays. */
#include "support/matrix.h"
#include <string.h>
#include <math.h>

typedef struct dims {
  int rank;
  int64_t shape[TME_MAX_RANK];
} dims;

#define NO TME_NONE

/* One call: x's shape and what the row's parameters are given, in the order of its signature. */
typedef struct call {
  int op;
  dims x;
  int n[3];
  int64_t v[3][TME_MAX_RANK];
} call;

static const call calls[] = {
    {OP_reshape, {3, {4, 6, 5}}, {2}, {{24, 5}}},
    {OP_reshape, {2, {12, 10}}, {4}, {{2, 3, -1, 5}}},
    {OP_reshape, {1, {1}}, {0}, {{0}}},
    {OP_reshape, {0, {0}}, {3}, {{1, 1, 1}}},
    {OP_reshape, {2, {0, 6}}, {3}, {{3, 0, 2}}},
    {OP_reshape, {8, {2, 1, 2, 3, 1, 2, 1, 2}}, {1}, {{-1}}},
    {OP_transpose, {3, {3, 4, 5}}, {-1}, {{0}}},
    {OP_transpose, {3, {3, 4, 5}}, {3}, {{1, -1, 0}}},
    {OP_transpose, {2, {33, 70}}, {2}, {{1, 0}}},
    {OP_transpose, {0, {0}}, {0}, {{0}}},
    {OP_transpose, {8, {2, 1, 2, 3, 1, 2, 1, 2}}, {8}, {{7, 0, 6, 1, 5, 2, 4, 3}}},
    {OP_transpose, {2, {0, 4}}, {-1}, {{0}}},
    {OP_slice, {1, {70}}, {1, 1, 1}, {{3}, {65}, {2}}},
    {OP_slice, {2, {9, 17}}, {2, 2, 2}, {{NO, 1}, {NO, -2}, {-1, 3}}},
    {OP_slice, {2, {9, 17}}, {2, 2, 2}, {{-3, -1}, {NO, NO}, {-2, -5}}},
    {OP_slice, {2, {9, 17}}, {2, -1, -1}, {{100, 2}, {0}, {0}}},
    {OP_slice, {3, {4, 5, 6}}, {-1, 3, -1}, {{0}, {-1, 2, NO}, {0}}},
    {OP_slice, {1, {5}}, {-1, -1, 1}, {{0}, {0}, {-1}}},
    {OP_slice, {1, {0}}, {-1, -1, 1}, {{0}, {0}, {-1}}},
    {OP_slice, {0, {0}}, {-1, -1, -1}, {{0}, {0}, {0}}},
    {OP_broadcast_to, {2, {1, 7}}, {3}, {{3, 5, 7}}},
    {OP_broadcast_to, {0, {0}}, {2}, {{4, 9}}},
    {OP_broadcast_to, {1, {1}}, {2}, {{0, 3}}},
    {OP_broadcast_to, {3, {2, 1, 3}}, {3}, {{2, 4, 3}}},
    {OP_squeeze, {4, {1, 3, 1, 5}}, {-1}, {{0}}},
    {OP_squeeze, {4, {1, 3, 1, 5}}, {1}, {{-2}}},
    {OP_squeeze, {3, {1, 1, 1}}, {2}, {{0, 2}}},
    {OP_squeeze, {2, {1, 0}}, {1}, {{0}}},
    {OP_flip, {2, {5, 9}}, {-1}, {{0}}},
    {OP_flip, {2, {5, 9}}, {1}, {{1}}},
    {OP_flip, {3, {2, 3, 4}}, {2}, {{0, -1}}},
    {OP_flip, {0, {0}}, {-1}, {{0}}},
    {OP_flip, {1, {0}}, {-1}, {{0}}},
    {OP_pad, {2, {5, 7}}, {2, 2}, {{1, 2}, {3, 0}}},
    {OP_pad, {1, {64}}, {1, 1}, {{0}, {0}}},
    {OP_pad, {3, {2, 3, 4}}, {3, 3}, {{0, 1, 0}, {2, 0, 5}}},
    {OP_pad, {2, {0, 3}}, {2, 2}, {{2, 1}, {0, 1}}},
    {OP_pad, {0, {0}}, {0, 0}, {{0}, {0}}},
};

/* v, or a value near it that dtype t holds. */
static double held(tme_dtype t, double v) {
  op_number whole = number_of_double(dtype_is_int(t) || t == TME_BOOL ? trunc(v) : v);
  return number_fits(&whole, t) ? whole.v.f : v > 0;
}

static bool is_list(param_kind k) { return k == PARAM_INTS || k == PARAM_PERDIM || k == PARAM_AXES; }

static void add_call(matrix *m, const call *k, tme_dtype t, layout l, bool core) {
  cell c;
  cell_init(&c, k->op, core);
  operand *x = cell_in(&c, "x", t, k->x.rank, k->x.shape);
  x->layout = l;
  x->fill = FILL_MIXED;
  const op_def *d = op_get(k->op);
  for (int p = 1, list = 0; p < d->nparams; p++) {
    if (is_list(d->params[p].kind) && k->n[list] >= 0) cell_ints(&c, d->params[p].name, k->n[list], k->v[list]);
    list += is_list(d->params[p].kind);
  }
  if (k->op == OP_pad && !dtype_is_complex(t)) cell_float(&c, "value", held(t, l % 2 ? 3 : -1.5));
  matrix_add(m, &c);
}

static void new_axes(matrix *m, tme_dtype t) {
  static const dims shapes[] = {{2, {3, 5}}, {0, {0}}, {1, {0}}, {7, {2, 1, 2, 1, 3, 1, 2}}};
  for (int k = 0; k < COUNT(shapes); k++)
    for (int axis = -shapes[k].rank - 1; axis <= shapes[k].rank; axis++)
      for (int l = 0; l < LAYOUT_COUNT; l++) {
        cell c;
        cell_init(&c, OP_expand_dims, !k && !l);
        cell_in(&c, "x", t, shapes[k].rank, shapes[k].shape)->layout = (layout)l;
        cell_int(&c, "axis", axis);
        matrix_add(m, &c);
      }
  for (int l = 0; l < LAYOUT_COUNT; l++) {
    static const int64_t places[] = {0, -2};
    cell c;
    cell_init(&c, OP_expand_dims, !l);
    cell_in(&c, "x", t, 2, shapes[0].shape)->layout = (layout)l;
    cell_ints(&c, "axis", 2, places);
    matrix_add(m, &c);
  }
}

static void cells_of_shape(matrix *m, int op) {
  for (int i = 0; i < TME_DTYPE_COUNT; i++) {
    tme_dtype t = (tme_dtype)i;
    if (!matrix_takes(m, t)) continue;
    if (op == OP_expand_dims) new_axes(m, t);
    int nth = 0;
    for (int k = 0; k < COUNT(calls); k++) {
      if (calls[k].op != op) continue;
      bool core = nth++ < 2, each = op == OP_transpose || op == OP_pad;
      for (int l = 0; l < LAYOUT_COUNT; l++) add_call(m, &calls[k], t, (layout)l, core && (!l || each));
    }
  }
}

void cells_view(matrix *m, int op) { cells_of_shape(m, op); }
void cells_dims(matrix *m, int op) { cells_of_shape(m, op); }

/* ---- joins ------------------------------------------------------------------------------------------------------------- */

typedef struct join {
  int n, axis;
  dims part[4];
} join;

static const join concatenations[] = {
    {2, 0, {{2, {3, 5}}, {2, {4, 5}}}},
    {3, -1, {{2, {3, 5}}, {2, {3, 1}}, {2, {3, 70}}}},
    {1, 0, {{1, {9}}}},
    {4, 1, {{3, {2, 1, 3}}, {3, {2, 0, 3}}, {3, {2, 16, 3}}, {3, {2, 2, 3}}}},
    {2, 0, {{1, {0}}, {1, {0}}}},
};
static const join stacks[] = {
    {3, 0, {{2, {3, 5}}, {2, {3, 5}}, {2, {3, 5}}}},
    {2, -1, {{2, {4, 9}}, {2, {4, 9}}}},
    {2, 1, {{1, {33}}, {1, {33}}}},
    {3, 0, {{0, {0}}, {0, {0}}, {0, {0}}}},
    {1, 0, {{1, {0}}}},
};

static void cells_of_join(matrix *m, int op) {
  const join *joins = op == OP_stack ? stacks : concatenations;
  for (int i = 0; i < TME_DTYPE_COUNT; i++) {
    tme_dtype t = (tme_dtype)i;
    if (!matrix_takes(m, t)) continue;
    for (int k = 0; k < COUNT(stacks); k++)
      for (int l = 0; l < LAYOUT_COUNT + 1; l++) {
        cell c;
        cell_init(&c, op, k < 2 || !l);
        for (int p = 0; p < joins[k].n; p++) {
          operand *o = cell_in(&c, "arrays", t, joins[k].part[p].rank, joins[k].part[p].shape);
          o->layout = (layout)((l + p) % LAYOUT_COUNT);
          o->fill = FILL_MIXED;
        }
        /* a part of another dtype is promoted */
        if (l == LAYOUT_COUNT && matrix_takes(m, TME_F64)) c.in[joins[k].n - 1].dtype = TME_F32;
        cell_int(&c, "axis", joins[k].axis);
        matrix_add(m, &c);
      }
  }
}

void cells_concatenate(matrix *m, int op) { cells_of_join(m, op); }
void cells_stack(matrix *m, int op) { cells_of_join(m, op); }

/* ---- take -------------------------------------------------------------------------------------------------------------- */

typedef struct gather {
  dims x, indices;
  int axis;
} gather;

static const gather gathers[] = {
    {{2, {9, 17}}, {1, {12}}, 0},     {{2, {9, 17}}, {2, {3, 5}}, -1},
    {{3, {4, 5, 6}}, {1, {70}}, 1},   {{1, {1000}}, {1, {257}}, 0},
    {{2, {9, 17}}, {0, {0}}, 1},      {{2, {9, 17}}, {1, {0}}, 0},
    {{3, {2, 3, 1}}, {2, {2, 2}}, 2}, {{4, {2, 3, 2, 2}}, {3, {1, 2, 3}}, 1},
};

/* Of indices. */
static const tme_dtype kinds[] = {TME_I64, TME_I32, TME_U8, TME_I8, TME_U64, TME_I16, TME_U16, TME_U32};

static void index_bounds(operand *n, int64_t extent) {
  n->fill = FILL_INDEX;
  n->hi = (double)(extent < 127 || tme_dtype_size(n->dtype) > 1 ? extent : 127);
  n->lo = dtype_is_signed(n->dtype) ? -n->hi : 0;
}

void cells_take(matrix *m, int op) {
  for (int i = 0; i < TME_DTYPE_COUNT; i++) {
    tme_dtype t = (tme_dtype)i;
    if (!matrix_takes(m, t)) continue;
    for (int k = 0; k < COUNT(gathers); k++)
      for (int l = 0; l < LAYOUT_COUNT; l++) {
        const gather *g = &gathers[k];
        cell c;
        cell_init(&c, op, k < 4 && (!l || k < 1));
        operand *x = cell_in(&c, "x", t, g->x.rank, g->x.shape);
        x->layout = (layout)l;
        x->fill = FILL_MIXED;
        operand *n = cell_in(&c, "indices", kinds[(k + l + i) % COUNT(kinds)], g->indices.rank, g->indices.shape);
        n->layout = (layout)((l * 5) % LAYOUT_COUNT);
        index_bounds(n, g->x.shape[g->axis < 0 ? g->axis + g->x.rank : g->axis]);
        cell_int(&c, "axis", g->axis);
        matrix_add(m, &c);
      }
  }
}

typedef struct along {
  dims x, indices;
  int axis;
} along;

static const along alongs[] = {
    {{2, {9, 17}}, {2, {9, 5}}, -1}, {{2, {9, 17}}, {2, {12, 17}}, 0},    {{3, {4, 5, 6}}, {3, {1, 7, 6}}, 1},
    {{1, {1000}}, {1, {257}}, 0},    {{3, {3, 1, 4}}, {3, {3, 2, 1}}, 1}, {{2, {9, 17}}, {2, {9, 0}}, 1},
};

static operand *indices_along(cell *c, const along *g, tme_dtype t) {
  operand *n = cell_in(c, "indices", t, g->indices.rank, g->indices.shape);
  index_bounds(n, g->x.shape[g->axis < 0 ? g->axis + g->x.rank : g->axis]);
  return n;
}

void cells_take_along_axis(matrix *m, int op) {
  for (int i = 0; i < TME_DTYPE_COUNT; i++) {
    tme_dtype t = (tme_dtype)i;
    if (!matrix_takes(m, t)) continue;
    for (int k = 0; k < COUNT(alongs); k++)
      for (int l = 0; l < LAYOUT_COUNT; l++) {
        cell c;
        cell_init(&c, op, !k || !l);
        operand *x = cell_in(&c, "x", t, alongs[k].x.rank, alongs[k].x.shape);
        x->layout = (layout)l;
        x->fill = FILL_MIXED;
        indices_along(&c, &alongs[k], kinds[(k + l + i) % COUNT(kinds)])->layout = (layout)((l * 5) % LAYOUT_COUNT);
        cell_int(&c, "axis", alongs[k].axis);
        matrix_add(m, &c);
      }
  }
}

void cells_argwhere(matrix *m, int op) {
  static const dims shapes[] = {{2, {9, 17}}, {1, {300}}, {0, {0}}, {3, {2, 0, 3}}};
  static const int64_t sizes[] = {-1, 0, 7, 400};
  for (int i = 0; i < TME_DTYPE_COUNT; i++)
    for (int k = 0; matrix_takes(m, (tme_dtype)i) && k < COUNT(shapes); k++)
      for (int n = 0; n < COUNT(sizes); n++) {
        cell c;
        cell_init(&c, op, !k || !n);
        cell_in(&c, "x", (tme_dtype)i, shapes[k].rank, shapes[k].shape)->layout = (layout)((n + k) % LAYOUT_COUNT);
        cell_int(&c, "size", sizes[n]);
        matrix_add(m, &c);
      }
}

/* ---- other elements in some places -------------------------------------------------------------------------------------- */

/* How updates are combined, one way after the other; complex numbers have no order. */
static void turn_mode(cell *c, tme_dtype t, int turn) {
  static const char *const modes[] = {"set", "add", "multiply", "min", "max"};
  cell_word(c, "mode", modes[turn % (dtype_is_complex(t) ? 3 : COUNT(modes))]);
}

void cells_scatter(matrix *m, int op) {
  for (int i = 0; i < TME_DTYPE_COUNT; i++) {
    tme_dtype t = (tme_dtype)i;
    if (!matrix_takes(m, t)) continue;
    for (int k = 0; k < COUNT(gathers); k++)
      for (int l = 0; l < LAYOUT_COUNT; l++) {
        const gather *g = &gathers[k];
        int axis = g->axis < 0 ? g->axis + g->x.rank : g->axis;
        cell c;
        cell_init(&c, op, k < 4 && (!l || k < 1));
        operand *x = cell_in(&c, "x", t, g->x.rank, g->x.shape);
        x->layout = (layout)l;
        operand *n = cell_in(&c, "indices", kinds[(k + l + i) % COUNT(kinds)], g->indices.rank, g->indices.shape);
        index_bounds(n, g->x.shape[axis]);
        dims u = {0, {0}};
        for (int d = 0; d < axis; d++) u.shape[u.rank++] = g->x.shape[d];
        for (int d = 0; d < g->indices.rank; d++) u.shape[u.rank++] = g->indices.shape[d];
        for (int d = axis + 1; d < g->x.rank; d++) u.shape[u.rank++] = k % 2 ? 1 : g->x.shape[d];
        cell_in(&c, "updates", t, u.rank, u.shape)->layout = (layout)((l * 3) % LAYOUT_COUNT);
        cell_int(&c, "axis", g->axis);
        turn_mode(&c, t, k + l);
        matrix_add(m, &c);
      }
  }
}

void cells_put_along_axis(matrix *m, int op) {
  for (int i = 0; i < TME_DTYPE_COUNT; i++) {
    tme_dtype t = (tme_dtype)i;
    if (!matrix_takes(m, t)) continue;
    for (int k = 0; k < COUNT(alongs); k++)
      for (int l = 0; l < LAYOUT_COUNT; l++) {
        dims u = alongs[k].x;
        const dims *n = &alongs[k].indices;
        int axis = alongs[k].axis < 0 ? alongs[k].axis + u.rank : alongs[k].axis;
        u.shape[axis] = l % 2 ? 1 : n->shape[axis];
        cell c;
        cell_init(&c, op, !k || !l);
        cell_in(&c, "x", t, alongs[k].x.rank, alongs[k].x.shape)->layout = (layout)l;
        indices_along(&c, &alongs[k], kinds[(k + l + i) % COUNT(kinds)]);
        cell_in(&c, "updates", t, u.rank, u.shape)->layout = (layout)((l * 3) % LAYOUT_COUNT);
        cell_int(&c, "axis", axis);
        turn_mode(&c, t, k + l);
        matrix_add(m, &c);
      }
  }
}

void cells_slice_update(matrix *m, int op) {
  static const struct {
    dims x, updates;
    int64_t start[3], stop[3], step[3];
  } cases[] = {
      {{2, {9, 17}}, {2, {4, 8}}, {1, 0}, {9, 16}, {2, 2}},
      {{2, {9, 17}}, {1, {17}}, {8, TME_NONE}, {TME_NONE, TME_NONE}, {-3, -1}},
      {{1, {1000}}, {0, {0}}, {100}, {900}, {1}},
      {{3, {4, 5, 6}}, {3, {1, 5, 1}}, {0, TME_NONE, -2}, {4, TME_NONE, 99}, {1, 1, 1}},
      {{2, {5, 7}}, {2, {0, 7}}, {3, TME_NONE}, {3, TME_NONE}, {1, 1}},
  };
  for (int i = 0; i < TME_DTYPE_COUNT; i++) {
    tme_dtype t = (tme_dtype)i;
    if (!matrix_takes(m, t)) continue;
    for (int k = 0; k < COUNT(cases); k++)
      for (int l = 0; l < LAYOUT_COUNT; l++) {
        cell c;
        cell_init(&c, op, !k || !l);
        cell_in(&c, "x", t, cases[k].x.rank, cases[k].x.shape)->layout = (layout)l;
        cell_in(&c, "updates", t, cases[k].updates.rank, cases[k].updates.shape)->layout =
            (layout)((l * 3) % LAYOUT_COUNT);
        cell_ints(&c, "start", cases[k].x.rank, cases[k].start);
        cell_ints(&c, "stop", cases[k].x.rank, cases[k].stop);
        cell_ints(&c, "step", cases[k].x.rank, cases[k].step);
        matrix_add(m, &c);
      }
  }
}

void cells_reinterpret(matrix *m, int op) {
  static const dims shapes[] = {{2, {9, 16}}, {1, {64}}, {3, {3, 0, 16}}};
  for (int i = 0; i < TME_DTYPE_COUNT; i++)
    for (int to = 0; matrix_takes(m, (tme_dtype)i) && to < TME_DTYPE_COUNT; to++)
      for (int k = 0; k < COUNT(shapes); k++) {
        cell c;
        cell_init(&c, op, !k && (i == to || to == TME_U8));
        cell_in(&c, "x", (tme_dtype)i, shapes[k].rank, shapes[k].shape)->layout = (layout)((i + to + k) % LAYOUT_COUNT);
        cell_int(&c, "dtype", to);
        matrix_add(m, &c);
      }
}

/* ---- creation ------------------------------------------------------------------------------------------------------------- */

static bool makes(int op, tme_dtype t) {
  if (op == OP_arange) return t != TME_BOOL && !dtype_is_complex(t);
  return op != OP_linspace || dtype_is_float(t) || dtype_is_complex(t);
}

static void create_shapes(matrix *m, int op, tme_dtype t) {
  static const dims shapes[] = {{2, {5, 9}}, {1, {70}}, {0, {0}}, {3, {2, 0, 3}}, {8, {2, 1, 2, 1, 2, 1, 2, 3}}};
  for (int k = 0; k < COUNT(shapes); k++) {
    cell c;
    cell_init(&c, op, true);
    cell_ints(&c, "shape", shapes[k].rank, shapes[k].shape);
    if (op == OP_full) cell_float(&c, "value", held(t, k % 2 ? -3.75 : 2.5e4));
    cell_int(&c, "dtype", t);
    matrix_add(m, &c);
  }
}

static void create_ranges(matrix *m, int op, tme_dtype t) {
  static const double ranges[][3] = {{0, 10, 1}, {5, -20, -3},  {0, 0.5, 1}, {-2, 40, 0.37},
                                     {3, 2, 1},  {1, 2, 0.125}, {0, 3000, 7}};
  for (int k = 0; k < COUNT(ranges); k++) {
    bool whole = k < 2 || k == 4 || k == 6;
    op_number stop = number_of_double(ranges[k][1]);
    if (op == OP_arange && dtype_is_int(t) && !whole) continue;
    if ((op == OP_arange || !dtype_is_int(t)) && !number_fits(&stop, t)) continue;
    cell c;
    cell_init(&c, op, true);
    cell_float(&c, "start", ranges[k][0]);
    cell_float(&c, "stop", ranges[k][1]);
    if (op == OP_arange) {
      cell_float(&c, "step", ranges[k][2]);
    } else {
      cell_int(&c, "num", k == 4 ? 0 : k == 2 ? 1 : 3 + k * 17);
      cell_int(&c, "endpoint", k % 3 != 1);
    }
    cell_int(&c, "dtype", t);
    matrix_add(m, &c);
  }
}

static void create_eyes(matrix *m, int op, tme_dtype t) {
  static const int64_t eyes[][3] = {{5, 5, 0}, {3, 70, 2}, {7, 4, -3}, {4, 4, 9}, {0, 3, 0}, {6, -1, 1}};
  for (int k = 0; k < COUNT(eyes); k++) {
    cell c;
    cell_init(&c, op, true);
    cell_int(&c, "rows", eyes[k][0]);
    cell_int(&c, "columns", eyes[k][1]);
    cell_int(&c, "k", eyes[k][2]);
    cell_int(&c, "dtype", t);
    matrix_add(m, &c);
  }
}

void cells_create(matrix *m, int op) {
  for (int i = 0; i < TME_DTYPE_COUNT; i++) {
    tme_dtype t = (tme_dtype)i;
    if (!makes(op, t) || !matrix_takes(m, t)) continue;
    if (op == OP_eye)
      create_eyes(m, op, t);
    else if (op == OP_arange || op == OP_linspace)
      create_ranges(m, op, t);
    else
      create_shapes(m, op, t);
  }
}
