/* Cells of what is drawn: each with a key. */
#include "support/matrix.h"
#include <string.h>

typedef struct dims {
  int rank;
  int64_t shape[TME_MAX_RANK];
} dims;

static const dims shapes[] = {{2, {5, 9}}, {1, {700}}, {0, {0}}, {3, {2, 0, 3}}, {8, {2, 1, 2, 1, 2, 1, 2, 3}}};

static void draw_key(cell *c, int turn) {
  static const int64_t two = 2;
  static const layout layouts[] = {LAYOUT_ROWS, LAYOUT_NEGATIVE, LAYOUT_STEPS};
  operand *k = cell_in(c, "key", TME_U32, 1, &two);
  k->fill = FILL_INDEX;
  k->lo = 0;
  k->hi = 0x1p32;
  k->layout = layouts[turn % COUNT(layouts)];
}

static void set_range(operand *o, double lo, double hi) {
  o->lo = lo;
  o->hi = hi;
}

void cells_keys(matrix *m, int op) {
  static const int64_t widths[] = {1, 2, 4, 8};
  static const tme_dtype whole[] = {TME_I64, TME_U64, TME_U8, TME_I32};
  for (int k = 0; k < 4; k++)
    for (int i = 0; i < COUNT(shapes); i++) {
      cell c;
      cell_init(&c, op, true);
      if (op == OP_random_key || op == OP_random_fold_in) {
        operand *o = cell_in(&c, op == OP_random_key ? "seed" : "data", whole[k], 0, NULL);
        o->fill = FILL_INDEX;
        set_range(o, 0, whole[k] == TME_U8 ? 200 : whole[k] == TME_I32 ? 0x1p31 : 0x1p62);
      }
      if (op != OP_random_key) draw_key(&c, i + k);
      if (op == OP_random_split) cell_int(&c, "num", i * 7);
      if (op == OP_random_bits) {
        cell_ints(&c, "shape", shapes[i].rank, shapes[i].shape);
        cell_int(&c, "width", widths[k]);
      }
      matrix_add(m, &c);
    }
}

/* A parameter of one number, of numbers along the last axis, or of all. */
static void draw_param(cell *c, const char *name, tme_dtype t, const dims *s, int way, double lo, double hi) {
  if (!cell_get(c, name)) return;
  int rank = way == 0 || !s->rank ? 0 : way == 1 ? 1 : s->rank;
  operand *o = cell_in(c, name, t, rank, s->shape + s->rank - rank);
  set_range(o, lo, hi);
  if (rank > 1) o->layout = (layout)(s->rank % LAYOUT_COUNT);
  if (dtype_is_int(t)) o->fill = FILL_INDEX;
}

static void draw_params(cell *c, tme_dtype t, const dims *s, int way) {
  draw_param(c, "low", t, s, way, dtype_is_int(t) ? 0 : -3, dtype_is_int(t) ? 5 : 0);
  draw_param(c, "high", t, s, (way + 1) % 3, dtype_is_int(t) ? 6 : 1, dtype_is_int(t) ? 100 : 4);
  draw_param(c, "lower", t, s, way, -3, 0.5);
  draw_param(c, "upper", t, s, (way + 1) % 3, 1, 4);
  draw_param(c, "loc", t, s, way, -2, 2);
  draw_param(c, "scale", t, s, (way + 1) % 3, 0.5, 2);
  draw_param(c, "a", t, s, way, 0.25, 6);
  draw_param(c, "b", t, s, (way + 1) % 3, 0.25, 6);
  draw_param(c, "lam", t, s, way, 0, 40);
  draw_param(c, "p", t, s, way, 0, 1);
}

static bool is_required(int op) {
  const op_param *first = &op_get(op)->params[0];
  return first->kind == PARAM_ARRAY;
}

static void cells_of_numbers(matrix *m, int op, bool (*takes)(int op, tme_dtype t)) {
  for (int i = 0; i < TME_DTYPE_COUNT; i++) {
    tme_dtype t = (tme_dtype)i;
    if (!takes(op, t) || !matrix_takes(m, t)) continue;
    for (int k = 0; k < COUNT(shapes); k++)
      for (int way = is_required(op) ? 0 : -1; way < 3; way++) {
        cell c;
        cell_init(&c, op, k < 2);
        if (op == OP_random_binomial) draw_param(&c, "n", TME_I64, &shapes[k], (way + 2) % 3, 0, 90);
        if (way >= 0) draw_params(&c, t, &shapes[k], way);
        if (way < 2) cell_ints(&c, "shape", shapes[k].rank, shapes[k].shape);
        if (cell_get(&c, "dtype") && (k + way) % 2) cell_int(&c, "dtype", t);
        draw_key(&c, k + way + 1);
        matrix_add(m, &c);
      }
  }
}

static bool takes_random(int op, tme_dtype t) { return op == OP_random_integers ? dtype_is_int(t) : dtype_is_float(t); }

static bool takes_floats(int op, tme_dtype t) {
  (void)op;
  return dtype_is_float(t);
}

void cells_random(matrix *m, int op) { cells_of_numbers(m, op, takes_random); }
void cells_variates(matrix *m, int op) { cells_of_numbers(m, op, takes_floats); }

/* Probabilities that add up to 1 in every dtype. */
static void draw_probabilities(cell *c, tme_dtype t, int rank, const int64_t *shape) {
  double p = 1 / (double)shape[rank - 1];
  set_range(cell_in(c, "p", t, rank, shape), p, p);
}

void cells_simplex(matrix *m, int op) {
  static const dims vectors[] = {{1, {4}}, {2, {3, 2}}, {3, {2, 1, 8}}, {2, {0, 4}}, {1, {1}}};
  for (int i = 0; i < TME_DTYPE_COUNT; i++) {
    tme_dtype t = (tme_dtype)i;
    if (!dtype_is_float(t) || !matrix_takes(m, t)) continue;
    for (int k = 0; k < COUNT(vectors); k++)
      for (int given = 0; given < 2; given++) {
        const dims *s = &vectors[k];
        int64_t shape[TME_MAX_RANK] = {5};
        memcpy(shape + 1, s->shape, sizeof *shape * (size_t)(s->rank - 1));
        cell c;
        cell_init(&c, op, k < 2);
        if (op == OP_random_multinomial) {
          draw_param(&c, "n", TME_I64, s, 0, 0, 50);
          draw_probabilities(&c, t, s->rank, s->shape);
        } else {
          set_range(cell_in(&c, "alpha", t, s->rank, s->shape), 0.25, 4);
        }
        if (given) cell_ints(&c, "shape", s->rank, shape);
        draw_key(&c, k + given);
        matrix_add(m, &c);
      }
  }
}

void cells_random_categorical(matrix *m, int op) {
  static const dims logits[] = {{2, {5, 9}}, {1, {70}}, {3, {3, 4, 5}}, {2, {0, 3}}, {2, {3, 1}}};
  static const int64_t more[] = {2, 3, 4};
  for (int i = 0; i < TME_DTYPE_COUNT; i++) {
    tme_dtype t = (tme_dtype)i;
    if ((!dtype_is_float(t) && t != TME_I32) || !matrix_takes(m, t)) continue;
    for (int k = 0; k < (t == TME_F32 ? COUNT(logits) : 2); k++)
      for (int way = 0; way < 3; way++) {
        cell c;
        cell_init(&c, op, k < 2);
        operand *x = cell_in(&c, "logits", t, logits[k].rank, logits[k].shape);
        x->layout = (layout)((k + way) % LAYOUT_COUNT);
        if (k == 2) cell_int(&c, "axis", way == 2 ? 2 : way);
        if (way == 1) cell_int(&c, "num_samples", 6);
        if (way == 2 && k == 2) cell_ints(&c, "shape", 3, (int64_t[]){more[0], 3, 4});
        if (way == 2 && k == 1) cell_ints(&c, "shape", 3, more);
        draw_key(&c, k + way);
        matrix_add(m, &c);
      }
  }
}

void cells_random_multivariate_normal(matrix *m, int op) {
  static const dims means[] = {{1, {3}}, {2, {4, 2}}, {1, {1}}, {3, {2, 1, 3}}};
  for (int i = 0; i < TME_DTYPE_COUNT; i++) {
    tme_dtype t = (tme_dtype)i;
    if (!dtype_is_float(t) || !matrix_takes(m, t)) continue;
    for (int k = 0; k < COUNT(means); k++)
      for (int given = 0; given < 2; given++) {
        int64_t n = means[k].shape[means[k].rank - 1], cov[3] = {means[k].rank == 2 ? 4 : 1, n, n};
        int64_t shape[TME_MAX_RANK] = {5};
        memcpy(shape + 1, means[k].shape, sizeof *shape * (size_t)(means[k].rank - 1));
        cell c;
        cell_init(&c, op, k < 2);
        cell_in(&c, "mean", t, means[k].rank, means[k].shape);
        set_range(cell_in(&c, "cov", t, k % 2 ? 3 : 2, cov + (k % 2 ? 0 : 1)), 0.5, 2);
        if (given) cell_ints(&c, "shape", means[k].rank, shape);
        draw_key(&c, k + given);
        matrix_add(m, &c);
      }
  }
}

void cells_random_indices(matrix *m, int op) {
  static const int64_t extents[] = {64, 1, 0, 256};
  for (int i = 0; i < TME_DTYPE_COUNT; i++) {
    tme_dtype t = (tme_dtype)i;
    if (!dtype_is_float(t) || !matrix_takes(m, t)) continue;
    for (int k = 0; k < COUNT(extents); k++)
      for (int way = 0; way < 6; way++) {
        int64_t n = extents[k], shape[] = {2, n ? (n + 3) / 4 : 0};
        cell c;
        cell_init(&c, op, k < 2);
        cell_int(&c, "n", n);
        cell_int(&c, "replace", way & 1);
        if (way & 2 && n) draw_probabilities(&c, t, 1, &n);
        if (way >= 4 && n > 1) cell_ints(&c, "shape", 2, shape);
        draw_key(&c, k + way);
        matrix_add(m, &c);
      }
  }
}

static void cells_of_places(matrix *m, int op) {
  static const dims from[] = {{2, {8, 9}}, {1, {64}}, {3, {2, 4, 3}}};
  for (int i = 0; i < TME_DTYPE_COUNT; i++) {
    tme_dtype t = (tme_dtype)i;
    if (!matrix_takes(m, t)) continue;
    for (int k = 0; k < COUNT(from); k++)
      for (int way = 0; way < 4; way++) {
        int64_t n = from[k].shape[k == 2], some[] = {2, n / 2};
        cell c;
        cell_init(&c, op, !k);
        cell_in(&c, "x", t, from[k].rank, from[k].shape)->layout = (layout)((k + way) % LAYOUT_COUNT);
        cell_int(&c, "axis", k == 2);
        if (op == OP_random_choice) {
          cell_int(&c, "replace", way & 1);
          if (way & 2) draw_probabilities(&c, TME_F32, 1, &n);
          if (way) cell_ints(&c, "shape", 2, some);
        }
        draw_key(&c, k + way);
        matrix_add(m, &c);
      }
  }
}

void cells_random_choice(matrix *m, int op) { cells_of_places(m, op); }
void cells_random_permutation(matrix *m, int op) { cells_of_places(m, op); }

void cells_dropout(matrix *m, int op) {
  static const double rates[] = {0.5, 0.125, 0, 1};
  for (int i = 0; i < TME_DTYPE_COUNT; i++) {
    tme_dtype t = (tme_dtype)i;
    if (t == TME_BOOL || !matrix_takes(m, t)) continue;
    for (int k = 0; k < COUNT(shapes); k++)
      for (int way = 0; way < COUNT(rates); way++) {
        cell c;
        cell_init(&c, op, k < 2);
        cell_in(&c, "x", t, shapes[k].rank, shapes[k].shape)->layout = (layout)((k + way) % LAYOUT_COUNT);
        cell_float(&c, "rate", rates[way]);
        draw_key(&c, k + way);
        matrix_add(m, &c);
      }
  }
}

void cells_random_sobol(matrix *m, int op) {
  static const int64_t sizes[][2] = {{128, 3}, {70, 64}, {0, 2}, {1, 1}, {1000, 1}}, two = 2;
  for (int i = 0; i < TME_DTYPE_COUNT; i++) {
    tme_dtype t = (tme_dtype)i;
    if (!dtype_is_float(t) || !matrix_takes(m, t)) continue;
    for (int k = 0; k < COUNT(sizes); k++) {
      cell c;
      cell_init(&c, op, k < 2);
      cell_int(&c, "n", sizes[k][0]);
      cell_int(&c, "dims", sizes[k][1]);
      cell_int(&c, "dtype", t);
      if (k % 2) {
        operand *key = cell_in(&c, "scramble", TME_U32, 1, &two);
        key->fill = FILL_INDEX;
        set_range(key, 0, 0x1p32);
      }
      matrix_add(m, &c);
    }
  }
}
