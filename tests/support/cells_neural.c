/* Cells of what neural networks are made of, beside products: norms of channels, positions, tables, losses. */
#include "support/matrix.h"
#include <string.h>

typedef struct dims {
  int rank;
  int64_t shape[5];
} dims;

static void each_layout(matrix *m, int op, bool ints, void (*make)(cell *c, tme_dtype t, int l, int k), int shapes) {
  for (int i = 0; i < TME_DTYPE_COUNT; i++) {
    tme_dtype t = (tme_dtype)i;
    if (!(dtype_is_float(t) || (ints && dtype_is_int(t))) || !matrix_takes(m, t)) continue;
    for (int k = 0; k < shapes; k++)
      for (int l = 0; l < LAYOUT_COUNT; l++) {
        cell c;
        cell_init(&c, op, k < 2 && l < 2);
        make(&c, t, l, k);
        matrix_add(m, &c);
      }
  }
}

/* ---- norms of channels --------------------------------------------------------------------------------------------------------- */

static const dims images[] = {{4, {2, 5, 7, 6}}, {2, {9, 12}}, {3, {3, 33, 4}}, {5, {1, 2, 3, 2, 2}}, {3, {0, 4, 2}}};

static void channel_norm(cell *c, tme_dtype t, int l, int k) {
  dims s = images[k];
  bool first = l % 3 == 2 && s.rank > 2;
  int64_t channels = s.shape[s.rank - 1];
  if (first) {
    memmove(&s.shape[2], &s.shape[1], sizeof *s.shape * (size_t)(s.rank - 2));
    s.shape[1] = channels;
    cell_word(c, "layout", "channels_first");
  }
  cell_in(c, "x", t, s.rank, s.shape)->layout = (layout)l;
  if (c->op == OP_batch_norm) {
    cell_in(c, "mean", t, 1, &channels);
    operand *var = cell_in(c, "var", t, 1, &channels);
    var->lo = 0.5;
    var->hi = 3;
  }
  if (l & 1) cell_in(c, "weight", t, 1, &channels);
  if (l & 2) cell_in(c, "bias", t, 1, &channels)->layout = (layout)k;
  if (c->op == OP_group_norm) cell_int(c, "groups", 2);
  cell_float(c, "eps", 0.125);
}

void cells_channel_norm(matrix *m, int op) { each_layout(m, op, false, channel_norm, COUNT(images)); }

/* ---- positions, tables --------------------------------------------------------------------------------------------------------- */

static const dims lengths[] = {{3, {2, 9, 8}}, {4, {2, 3, 5, 10}}, {2, {17, 6}}, {3, {0, 4, 8}}};

static void rotary(cell *c, tme_dtype t, int l, int k) {
  static const int64_t half = 3;
  cell_in(c, "x", t, lengths[k].rank, lengths[k].shape)->layout = (layout)l;
  cell_int(c, "dims", 6);
  if (l & 1) cell_int(c, "traditional", 1);
  if (l & 2) {
    operand *o = cell_in(c, "offset", TME_I32, k == 1, lengths[k].shape);
    o->fill = FILL_INDEX;
    o->lo = 0;
    o->hi = 20;
  }
  if (l == 4) {
    operand *o = cell_in(c, "freqs", t, 1, &half);
    o->lo = 1;
    o->hi = 8;
  }
}

void cells_rope(matrix *m, int op) { each_layout(m, op, false, rotary, COUNT(lengths)); }

static void sinusoidal(cell *c, tme_dtype t, int l, int k) {
  cell_in(c, "positions", t, lengths[k].rank, lengths[k].shape)->layout = (layout)l;
  cell_int(c, "dims", 8);
  if (l & 1) cell_int(c, "halves", 1);
}

void cells_sinusoidal_positions(matrix *m, int op) { each_layout(m, op, false, sinusoidal, COUNT(lengths)); }

static const dims tables[] = {{2, {9, 17}}, {2, {30, 4}}, {1, {12}}, {3, {5, 2, 3}}};

static operand *places(cell *c, const char *param, int rank, const int64_t *shape, double n) {
  operand *o = cell_in(c, param, TME_I64, rank, shape);
  o->fill = FILL_INDEX;
  o->lo = 0;
  o->hi = n;
  return o;
}

static void table(cell *c, tme_dtype t, int l, int k) {
  static const int64_t shape[] = {3, 4};
  cell_in(c, "weight", t, tables[k].rank, tables[k].shape)->layout = (layout)l;
  places(c, "indices", k % 3, shape, (double)tables[k].shape[0]);
}

void cells_embedding(matrix *m, int op) { each_layout(m, op, true, table, COUNT(tables)); }

void cells_one_hot(matrix *m, int op) {
  for (int i = 0; i < TME_DTYPE_COUNT; i++) {
    tme_dtype t = (tme_dtype)i;
    if (!dtype_is_int(t) || !matrix_takes(m, t)) continue;
    for (int k = 0; k < COUNT(tables); k++)
      for (int l = 0; l < LAYOUT_COUNT; l++) {
        cell c;
        cell_init(&c, op, k < 2 && !l);
        operand *x = places(&c, "x", tables[k].rank, tables[k].shape, 9); /* some are no classes */
        x->dtype = t;
        x->layout = (layout)l;
        cell_int(&c, "classes", 7);
        if (l & 1) cell_int(&c, "dtype", t);
        matrix_add(m, &c);
      }
  }
}

/* ---- halves, rows --------------------------------------------------------------------------------------------------------------- */

static const dims rows[] = {{2, {6, 10}}, {3, {4, 3, 8}}, {1, {12}}, {2, {0, 4}}};

static void halves(cell *c, tme_dtype t, int l, int k) {
  cell_in(c, "x", t, rows[k].rank, rows[k].shape)->layout = (layout)l;
  if (l & 1) cell_int(c, "axis", 0);
}

void cells_glu(matrix *m, int op) { each_layout(m, op, false, halves, COUNT(rows)); }
void cells_softmin(matrix *m, int op) { each_layout(m, op, false, halves, COUNT(rows)); }

/* ---- losses ---------------------------------------------------------------------------------------------------------------------- */

static void classify(cell *c, tme_dtype t, int l, int k) {
  dims s = rows[k], rest = {s.rank - 1, {0}};
  bool first = l & 1 && s.shape[0]; /* the axis */
  int64_t classes = s.shape[first ? 0 : s.rank - 1];
  for (int d = 0; d < rest.rank; d++) rest.shape[d] = s.shape[d + first];
  operand *x = cell_in(c, c->op == OP_nll_loss ? "inputs" : "logits", t, s.rank, s.shape);
  x->layout = (layout)l;
  if (c->op == OP_cross_entropy && l & 2) {
    operand *p = cell_in(c, "targets", t, s.rank, s.shape);
    p->lo = 0;
    p->hi = 1;
  } else {
    places(c, "targets", rest.rank, rest.shape, (double)classes);
  }
  if (first) cell_int(c, "axis", 0);
  if (c->op != OP_cross_entropy) return;
  if (l > 2) cell_in(c, "weights", t, rest.rank, rest.shape);
  if (l % 3) cell_float(c, "label_smoothing", 0.125);
}

static void lose(cell *c, tme_dtype t, int l, int k) {
  static const char *const reductions[] = {"mean", "none", "sum"};
  cell_word(c, "reduction", reductions[l % 3]);
  if (c->op == OP_cross_entropy || c->op == OP_nll_loss) {
    classify(c, t, l, k);
    return;
  }
  const op_def *d = op_get(c->op);
  for (int p = 0, nth = 0; p < d->nparams; p++) {
    if (d->params[p].kind != PARAM_ARRAY && (d->params[p].kind != PARAM_OPTIONAL_ARRAY || l < 3)) continue;
    bool narrower = nth && l == 4; /* broadcast */
    operand *x = cell_in(c, d->params[p].name, t, rows[k].rank, rows[k].shape);
    x->layout = (layout)((l + nth) % LAYOUT_COUNT);
    if (narrower) x->shape[0] = 1;
    if (c->op == OP_binary_cross_entropy && nth != 0) x->lo = 0, x->hi = 1;
    if (!strcmp(d->params[p].name, "var")) x->lo = 0.25;
    nth++;
  }
  if (c->op == OP_binary_cross_entropy && l & 1) {
    c->in[0].lo = 0.1;
    c->in[0].hi = 0.9;
    cell_int(c, "with_logits", 0);
  }
  if (cell_get(c, "axis") && l & 1) cell_int(c, "axis", 0);
}

void cells_losses(matrix *m, int op) { each_layout(m, op, false, lose, COUNT(rows)); }

/* ---- mixtures of experts ---------------------------------------------------------------------------------------------------------- */

static void routed(cell *c, tme_dtype t, int l, int k) {
  static const dims logits[] = {{2, {9, 5}}, {3, {2, 4, 8}}, {1, {3}}, {2, {0, 4}}};
  cell_in(c, "logits", t, logits[k].rank, logits[k].shape)->layout = (layout)l;
  if (l & 1) cell_in(c, "noise", t, logits[k].rank, logits[k].shape);
  cell_int(c, "k", 1 + l % 3);
  if (l & 2) cell_int(c, "capacity", 2);
}

void cells_moe_route(matrix *m, int op) { each_layout(m, op, false, routed, 4); }

static void mixed(cell *c, tme_dtype t, int l, int k) {
  static const dims examples[] = {{2, {9, 5}}, {3, {2, 4, 8}}, {1, {3}}, {2, {0, 4}}};
  dims x = examples[k], chosen = x;
  int64_t experts[] = {4, x.shape[x.rank - 1], 6};
  chosen.shape[x.rank - 1] = 2;
  cell_in(c, "x", t, x.rank, x.shape)->layout = (layout)l;
  cell_in(c, "weights", t, x.rank, chosen.shape);
  if (l & 1) experts[0] = 2;
  cell_in(c, "experts", t, 3, experts)->layout = (layout)(l * 2 % LAYOUT_COUNT);
  if (!(l & 1)) places(c, "indices", x.rank, chosen.shape, 4);
}

void cells_moe_mix(matrix *m, int op) { each_layout(m, op, false, mixed, 4); }
