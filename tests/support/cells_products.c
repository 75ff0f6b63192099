/* Cells of matmul, attention and the singular value decomposition. */
#include "support/matrix.h"
#include <math.h>
#include <string.h>

typedef struct dims {
  int rank;
  int64_t shape[5];
} dims;

/* ---- matmul ------------------------------------------------------------------------------------------------------------- */

static void product(matrix *m, int op, tme_dtype t, dims x, dims y, layout lx, layout ly, bool core) {
  cell c;
  cell_init(&c, op, core);
  cell_in(&c, "x", t, x.rank, x.shape)->layout = lx;
  cell_in(&c, "y", t, y.rank, y.shape)->layout = ly;
  matrix_add(m, &c);
}

/* Extents around the widths of tiles. */
static const int64_t extents[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 13, 15, 16, 17, 24, 31, 32, 33, 48, 63, 64, 65, 70};

static void squares(matrix *m, int op, tme_dtype t) {
  int n = COUNT(extents);
  for (int i = 0; i < n; i++)
    for (int k = 0; k < 6; k++) {
      /* every extent as every one of the three, beside changing others */
      int64_t a = extents[i], b = extents[(i * 5 + k * 7) % n], d = extents[(i * 3 + k * 11 + 4) % n];
      dims x = {2, {a, b}}, y = {2, {b, d}};
      if (k % 3 == 1) x = (dims){2, {b, a}}, y = (dims){2, {a, d}};
      if (k % 3 == 2) x = (dims){2, {b, d}}, y = (dims){2, {d, a}};
      product(m, op, t, x, y, LAYOUT_ROWS, LAYOUT_ROWS, false);
    }
}

static const dims forms[][2] = {
    {{1, {9}}, {1, {9}}},
    {{1, {7}}, {2, {7, 5}}},
    {{2, {5, 7}}, {1, {7}}},
    {{1, {6}}, {3, {4, 6, 3}}},
    {{3, {4, 3, 6}}, {1, {6}}},
    {{3, {2, 5, 6}}, {3, {2, 6, 7}}},
    {{3, {3, 5, 6}}, {2, {6, 7}}},
    {{2, {5, 6}}, {3, {3, 6, 7}}},
    {{4, {2, 1, 5, 6}}, {3, {3, 6, 4}}},
    {{2, {4, 0}}, {2, {0, 3}}},
    {{2, {0, 4}}, {2, {4, 3}}},
    {{3, {0, 2, 3}}, {3, {0, 3, 2}}},
    {{2, {1, 300}}, {2, {300, 1}}},
    {{2, {300, 1}}, {2, {1, 20}}},
    {{2, {130, 70}}, {2, {70, 90}}},
    {{2, {2, 700}}, {2, {700, 3}}},
    {{3, {17, 1, 33}}, {3, {1, 33, 19}}},
    {{2, {200, 5}}, {2, {5, 210}}},
    {{1, {0}}, {1, {0}}},
    {{4, {2, 3, 4, 5}}, {4, {1, 3, 5, 6}}},
};

void cells_matmul(matrix *m, int op) {
  for (int i = 0; i < TME_DTYPE_COUNT; i++) {
    tme_dtype t = (tme_dtype)i;
    if (t == TME_BOOL || !matrix_takes(m, t)) continue;
    dims x = {2, {37, 41}}, y = {2, {41, 29}}, x3 = {3, {2, 9, 12}}, y3 = {3, {2, 12, 17}};
    product(m, op, t, x, y, LAYOUT_ROWS, LAYOUT_ROWS, true);
    product(m, op, t, x3, y3, LAYOUT_ROWS, LAYOUT_ROWS, true);
    if (dtype_is_float(t)) {
      cell c;
      cell_init(&c, op, true);
      cell_in(&c, "x", t, x.rank, x.shape)->fill = FILL_CLASSES;
      cell_in(&c, "y", t, y.rank, y.shape)->fill = FILL_CLASSES;
      matrix_add(m, &c);
    }
    if (matrix_share() == SHARE_QUICK) continue;
    product(m, op, t, forms[1][0], forms[1][1], LAYOUT_ROWS, LAYOUT_ROWS, true);
    bool wide = dtype_is_float(t) || dtype_is_complex(t) || t == TME_U8 || t == TME_I64;
    for (int l = 0; l < LAYOUT_COUNT * LAYOUT_COUNT; l++)
      product(m, op, t, x, y, (layout)(l % LAYOUT_COUNT), (layout)(l / LAYOUT_COUNT),
              wide && (l < LAYOUT_COUNT || l % LAYOUT_COUNT == 0));
    for (int k = 0; k < COUNT(forms); k++)
      for (int l = 0; l < LAYOUT_COUNT; l++)
        product(m, op, t, forms[k][0], forms[k][1], (layout)l, (layout)((l + k) % LAYOUT_COUNT), !l && t == TME_F32);
    squares(m, op, t);
  }
}

/* ---- attention ------------------------------------------------------------------------------------------------------------ */

typedef struct attention {
  dims q, k, v, mask; /* mask.rank < 0: none */
  bool causal;
  double scale; /* 0: the default */
} attention;

static const attention attentions[] = {
    {{2, {9, 8}}, {2, {11, 8}}, {2, {11, 5}}, {-1, {0}}, false, 0},
    {{3, {2, 33, 16}}, {3, {2, 33, 16}}, {3, {2, 33, 16}}, {-1, {0}}, true, 0},
    {{3, {2, 7, 3}}, {3, {2, 1024, 3}}, {3, {2, 1024, 18}}, {-1, {0}}, false, 0}, /* whole blocks of keys */
    {{3, {2, 7, 3}}, {3, {2, 1025, 3}}, {3, {2, 1025, 18}}, {-1, {0}}, false, 0},
    {{4, {1, 4, 17, 8}}, {4, {1, 2, 19, 8}}, {4, {1, 2, 19, 8}}, {-1, {0}}, false, 0}, /* grouped heads */
    {{4, {2, 6, 5, 4}}, {4, {2, 3, 7, 4}}, {4, {2, 3, 7, 6}}, {2, {5, 7}}, false, 0.5},
    {{4, {2, 4, 9, 16}}, {4, {2, 1, 9, 16}}, {4, {2, 1, 9, 16}}, {4, {2, 1, 9, 9}}, false, 0},
    {{2, {5, 8}}, {2, {12, 8}}, {2, {12, 8}}, {-1, {0}}, true, 0}, /* causal, more keys than queries */
    {{2, {12, 8}}, {2, {12, 8}}, {2, {12, 8}}, {2, {12, 12}}, true, 0},
    {{2, {1, 64}}, {2, {70, 64}}, {2, {70, 64}}, {-1, {0}}, false, 0.125},
    {{2, {70, 64}}, {2, {1, 64}}, {2, {1, 64}}, {-1, {0}}, false, 0},
    {{3, {3, 65, 31}}, {2, {65, 31}}, {2, {65, 33}}, {1, {65}}, false, 0},
    {{2, {3, 1}}, {2, {3, 1}}, {2, {3, 1}}, {-1, {0}}, false, 0},
    {{2, {4, 3}}, {2, {0, 3}}, {2, {0, 2}}, {-1, {0}}, false, 0}, /* no keys: zeros */
    {{2, {0, 3}}, {2, {4, 3}}, {2, {4, 2}}, {-1, {0}}, true, 0},
    {{2, {130, 32}}, {2, {200, 32}}, {2, {200, 32}}, {2, {130, 200}}, true, 0},
    {{3, {2, 7, 3}}, {3, {2, 1536, 3}}, {3, {2, 1536, 18}}, {-1, {0}}, true, 0},
    {{2, {9, 4}}, {2, {6, 4}}, {2, {6, 4}}, {-1, {0}}, true, 0}, /* causal, the first queries see no key */
};

static void attend(matrix *m, int op, tme_dtype t, const attention *a, bool additive, layout l, bool core) {
  cell c;
  cell_init(&c, op, core);
  cell_in(&c, "q", t, a->q.rank, a->q.shape)->layout = l;
  cell_in(&c, "k", t, a->k.rank, a->k.shape)->layout = (layout)((l * 2) % LAYOUT_COUNT);
  if (cell_get(&c, "v")) cell_in(&c, "v", t, a->v.rank, a->v.shape)->layout = (layout)((l * 5) % LAYOUT_COUNT);
  if (a->mask.rank >= 0) cell_in(&c, "mask", additive ? t : TME_BOOL, a->mask.rank, a->mask.shape);
  if (a->causal) cell_int(&c, "causal", 1);
  if (a->scale > 0) cell_float(&c, "scale", a->scale);
  matrix_add(m, &c);
}

static void cells_of_attention(matrix *m, int op) {
  for (int i = 0; i < TME_DTYPE_COUNT; i++) {
    tme_dtype t = (tme_dtype)i;
    if (!dtype_is_float(t) || !matrix_takes(m, t)) continue;
    for (int k = 0; k < COUNT(attentions); k++) {
      if (k > 6 && matrix_share() == SHARE_QUICK) break;
      for (int l = 0; l < LAYOUT_COUNT; l++) {
        attend(m, op, t, &attentions[k], false, (layout)l, !l);
        if (attentions[k].mask.rank >= 0) attend(m, op, t, &attentions[k], true, (layout)l, !l && t == TME_F32);
      }
    }
  }
}

void cells_attention(matrix *m, int op) { cells_of_attention(m, op); }
void cells_weights(matrix *m, int op) { cells_of_attention(m, op); }

/* ---- svd -------------------------------------------------------------------------------------------------------------------- */

void cells_svd(matrix *m, int op) {
  static const dims shapes[] = {{2, {7, 5}},       {2, {5, 7}}, {2, {6, 6}},   {2, {1, 9}},
                                {2, {9, 1}},       {2, {1, 1}}, {2, {33, 17}}, {3, {3, 4, 6}},
                                {4, {2, 1, 3, 2}}, {2, {0, 3}}, {2, {3, 0}},   {3, {0, 2, 2}}};
  bool vectors = op_get(op)->outputs == 3;
  for (int i = 0; i < TME_DTYPE_COUNT; i++) {
    tme_dtype t = (tme_dtype)i;
    if (!matrix_takes(m, t)) continue;
    for (int k = 0; k < COUNT(shapes); k++)
      for (int l = 0; l < LAYOUT_COUNT; l++) {
        cell c;
        cell_init(&c, op, k < 2 && !l);
        cell_in(&c, "x", t, shapes[k].rank, shapes[k].shape)->layout = (layout)l;
        if (vectors && (k + l) % 2) cell_int(&c, "full_matrices", 0);
        matrix_add(m, &c);
      }
  }
}
