/* Cells of the elementwise rows, from their signatures and rules alone: a new row needs nothing here. Conversions too. */
#include "support/matrix.h"
#include <string.h>

/* Rows that meet every layout and dtype in each run; the others take turns. */
static bool representative(int op) { return op == OP_add || op == OP_where || op == OP_exp || op == OP_less; }

static bool takes(int op, tme_dtype t) {
  const op_def *d = op_get(op);
  if (d->rule == RULE_LOGIC) return true;
  return dtype_kind(t) & op_rule_get(d->rule)->takes;
}

/* Integers in a row of floats are converted to the engine's precision. */
static bool converts(int op, tme_dtype t) { return dtype_is_int(t) && takes(op, TME_F32); }

static void operands(cell *c, tme_dtype t, int rank, const int64_t *shape, layout l, fill f) {
  const op_def *d = op_get(c->op);
  for (int p = 0; p < d->nparams; p++) {
    if (d->params[p].kind != PARAM_ARRAY && d->params[p].kind != PARAM_OPTIONAL_ARRAY) continue;
    operand *o = cell_in(c, d->params[p].name, d->rule == RULE_WHERE && !p ? TME_BOOL : t, rank, shape);
    o->layout = l;
    o->fill = f;
  }
}

/* Every special value meets every other one. */
static void contiguous(matrix *m, int op, tme_dtype t, bool core) {
  int64_t n = op_get(op)->ninputs > 1 ? 1300 : 130;
  cell c;
  cell_init(&c, op, core);
  operands(&c, t, 1, &n, LAYOUT_ROWS, FILL_MIXED);
  matrix_add(m, &c);
}

static void layouts(matrix *m, int op, tme_dtype t, bool core) {
  static const int64_t shape[] = {5, 7, 19};
  for (int l = LAYOUT_TRANSPOSED; l < LAYOUT_COUNT; l++) {
    cell c;
    cell_init(&c, op, core);
    operands(&c, t, 3, shape, (layout)l, FILL_MIXED);
    matrix_add(m, &c);
    if (c.nin < 2) continue;
    /* each operand in a layout of its own */
    cell_init(&c, op, core);
    operands(&c, t, 3, shape, (layout)l, FILL_DOMAIN);
    for (int i = 1; i < c.nin; i++) c.in[i].layout = (layout)((l + i) % LAYOUT_COUNT);
    matrix_add(m, &c);
  }
}

static void ranks(matrix *m, int op, tme_dtype t) {
  static const int64_t ones[TME_MAX_RANK] = {1, 1, 1, 1, 1, 1, 1, 1}, empty[] = {3, 0, 2};
  static const int64_t shape[TME_MAX_RANK] = {2, 3, 1, 2, 2, 1, 3, 2};
  for (int rank = 0; rank <= TME_MAX_RANK; rank++)
    for (int l = 0; l < LAYOUT_COUNT; l++) {
      cell c;
      cell_init(&c, op, false);
      operands(&c, t, rank, shape, (layout)l, FILL_MIXED);
      matrix_add(m, &c);
    }
  cell c;
  cell_init(&c, op, false);
  operands(&c, t, TME_MAX_RANK, ones, LAYOUT_ROWS, FILL_DOMAIN);
  matrix_add(m, &c);
  for (int rank = 1; rank <= 3; rank++) {
    cell_init(&c, op, false);
    operands(&c, t, rank, &empty[rank == 1], LAYOUT_ROWS, FILL_DOMAIN);
    matrix_add(m, &c);
  }
}

static void sizes(matrix *m, int op, tme_dtype t) {
  static const int64_t n[] = {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 70, 4099};
  for (int k = 0; k < COUNT(n); k++) {
    cell c;
    cell_init(&c, op, false);
    operands(&c, t, 1, &n[k], LAYOUT_ROWS, FILL_MIXED);
    matrix_add(m, &c);
  }
}

/* Operands of different shapes: spread over missing and over single dimensions. */
static void broadcasts(matrix *m, int op, tme_dtype t) {
  static const struct {
    int rank[3];
    int64_t shape[3][4];
  } sets[] = {
      {{2, 2, 2}, {{5, 1}, {1, 17}, {5, 17}}}, {{3, 1, 2}, {{2, 3, 9}, {9}, {1, 9}}},
      {{0, 2, 1}, {{0}, {4, 33}, {1}}},        {{4, 3, 1}, {{2, 1, 3, 1}, {5, 1, 6}, {6}}},
      {{1, 3, 2}, {{1}, {0, 2, 3}, {2, 1}}},   {{2, 1, 0}, {{16, 64}, {64}, {0}}},
  };
  int n = op_get(op)->ninputs;
  for (int k = 0; n > 1 && k < COUNT(sets) * n; k++) {
    cell c;
    cell_init(&c, op, false);
    operands(&c, t, 0, NULL, (layout)(k % LAYOUT_COUNT), FILL_DOMAIN);
    for (int i = 0; i < n; i++) {
      int from = (i + k) % n;
      c.in[i].rank = sets[k / n].rank[from];
      memcpy(c.in[i].shape, sets[k / n].shape[from], sizeof sets[0].shape[0]);
    }
    matrix_add(m, &c);
  }
}

/* What a row is made of others for. */
static void composed(matrix *m, int op, tme_dtype t) {
  static const int64_t shape[] = {5, 33};
  static const int decimals[] = {2, -1, 1, -2, 7, 40, -18, -40};
  for (int k = 0; op == OP_round && k < COUNT(decimals); k++) {
    if (dtype_is_int(t) && decimals[k] < -18) continue;
    cell c;
    cell_init(&c, op, k < 2);
    operands(&c, t, 2, shape, (layout)(k % LAYOUT_COUNT), k < 4 ? FILL_DOMAIN : FILL_MIXED);
    cell_int(&c, "decimals", decimals[k]);
    matrix_add(m, &c);
  }
  for (int k = 0; op == OP_clip && k < 3; k++) {
    cell c;
    cell_init(&c, op, k < 2);
    cell_in(&c, "x", t, 2, shape)->fill = FILL_MIXED;
    if (k < 2) cell_in(&c, k ? "min" : "max", t, 1, &shape[1])->fill = FILL_MIXED;
    matrix_add(m, &c);
  }
}

/* Operands of two dtypes meet in a third. */
static void promotions(matrix *m, int op) {
  static const int64_t shape[] = {3, 11};
  for (int a = 0; a < TME_DTYPE_COUNT; a++)
    for (int b = 0; b < TME_DTYPE_COUNT; b++) {
      tme_dtype both = tme_dtype_promote((tme_dtype)a, (tme_dtype)b);
      if (a == b || both == TME_DTYPE_NONE || !takes(op, both) || !matrix_takes(m, both)) continue;
      cell c;
      cell_init(&c, op, op == OP_add);
      operands(&c, (tme_dtype)a, 2, shape, LAYOUT_ROWS, FILL_MIXED);
      c.in[c.nin - 1].dtype = (tme_dtype)b;
      matrix_add(m, &c);
    }
}

void cells_elementwise(matrix *m, int op) {
  for (int i = 0; i < TME_DTYPE_COUNT; i++) {
    tme_dtype t = (tme_dtype)i;
    bool own = takes(op, t);
    if (!matrix_takes(m, t) || (!own && !converts(op, t))) continue;
    contiguous(m, op, t, own);
    composed(m, op, t);
    if (matrix_share() == SHARE_QUICK || !own) continue;
    layouts(m, op, t, representative(op));
    ranks(m, op, t);
    sizes(m, op, t);
    broadcasts(m, op, t);
  }
  if (matrix_share() != SHARE_QUICK && op_get(op)->ninputs > 1) promotions(m, op);
}

/* Both results of one call. */
void cells_several(matrix *m, int op) { cells_elementwise(m, op); }

/* astype: every pair; what would drop an imaginary part is an error, not a cell. */
void cells_cast(matrix *m, int op) {
  static const int64_t shape[] = {7, 31};
  for (int a = 0; a < TME_DTYPE_COUNT; a++)
    for (int b = 0; b < TME_DTYPE_COUNT; b++) {
      bool drops = dtype_is_complex((tme_dtype)a) && !dtype_is_complex((tme_dtype)b) && b != TME_BOOL;
      if (drops || !matrix_takes(m, (tme_dtype)a) || !matrix_takes(m, (tme_dtype)b)) continue;
      for (int l = 0; l < LAYOUT_COUNT; l++) {
        cell c;
        cell_init(&c, op, l == 0 || (a + b) % LAYOUT_COUNT == l);
        operand *o = cell_in(&c, "x", (tme_dtype)a, 2, shape);
        cell_int(&c, "dtype", b);
        o->fill = FILL_MIXED;
        o->layout = (layout)l;
        o->lo = -300;
        o->hi = 300;
        matrix_add(m, &c);
      }
    }
}
