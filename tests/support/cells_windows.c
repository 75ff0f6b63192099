/* Cells of windows, convolutions and poolings. */
#include "support/matrix.h"

typedef struct dims {
  int rank;
  int64_t shape[5];
} dims;

/* A list of as many numbers as it says; 0: not given. */
typedef struct list {
  int n;
  int64_t v[6];
} list;

static void give_list(cell *c, const char *param, const list *l) {
  if (l->n) cell_ints(c, param, l->n, l->v);
}

/* ---- sliding_window_view --------------------------------------------------------------------------------------------------- */

typedef struct view {
  dims x;
  list window, axis, stride, dilation;
} view;

static const view views[] = {
    {{2, {9, 17}}, {2, {3, 4}}, {0}, {0}, {0}},
    {{3, {2, 11, 5}}, {1, {3}}, {1, {1}}, {1, {2}}, {1, {2}}},
    {{1, {70}}, {1, {1}}, {0}, {1, {7}}, {0}},
    {{1, {5}}, {1, {5}}, {1, {-1}}, {0}, {0}},
    {{4, {2, 6, 7, 3}}, {2, {3, 2}}, {2, {-2, 1}}, {2, {1, 2}}, {2, {2, 1}}},
    {{2, {3, 20}}, {2, {4, 3}}, {2, {1, 1}}, {2, {2, 3}}, {2, {1, 2}}}, /* windows of windows */
    {{2, {0, 6}}, {1, {2}}, {1, {1}}, {0}, {0}},
    {{0, {0}}, {0}, {0}, {0}, {0}},
};

void cells_windows(matrix *m, int op) {
  for (int i = 0; i < TME_DTYPE_COUNT; i++) {
    tme_dtype t = (tme_dtype)i;
    if (!matrix_takes(m, t)) continue;
    for (int k = 0; k < COUNT(views); k++)
      for (int l = 0; l < LAYOUT_COUNT; l++) {
        cell c;
        cell_init(&c, op, k < 2 && !l);
        operand *x = cell_in(&c, "x", t, views[k].x.rank, views[k].x.shape);
        x->layout = (layout)l;
        x->fill = FILL_MIXED;
        cell_ints(&c, "window_shape", views[k].window.n, views[k].window.v);
        give_list(&c, "axis", &views[k].axis);
        give_list(&c, "stride", &views[k].stride);
        give_list(&c, "dilation", &views[k].dilation);
        matrix_add(m, &c);
      }
  }
}

/* ---- convolutions ----------------------------------------------------------------------------------------------------------- */

/* Channels last; the same with channels first is made of it. */
typedef struct convolved {
  int n; /* spatial axes */
  int64_t batch, channels, out, groups, extent[3], window[3];
  list stride, padding, dilation, more /* input_dilation, output_padding */;
} convolved;

static const convolved convolutions[] = {
    {2, 2, 3, 5, 1, {9, 8}, {3, 3}, {0}, {1, {1}}, {0}, {0}},
    {1, 2, 4, 6, 2, {19}, {4}, {1, {2}}, {2, {3, 1}}, {1, {2}}, {0}},
    {2, 1, 4, 8, 4, {7, 9}, {2, 3}, {0}, {2, {1, 0}}, {0}, {0}},
    {3, 1, 2, 3, 1, {4, 5, 6}, {2, 2, 3}, {3, {1, 2, 1}}, {1, {1}}, {0}, {0}},
    {3, 2, 4, 4, 2, {3, 4, 5}, {3, 1, 2}, {0}, {6, {1, 1, 0, 0, 2, 0}}, {3, {1, 2, 2}}, {0}},
    {2, 1, 1, 1, 1, {6, 6}, {1, 1}, {0}, {0}, {0}, {0}},
    {1, 3, 16, 33, 1, {40}, {5}, {1, {3}}, {1, {2}}, {0}, {1, {1}}},
    {2, 0, 3, 2, 1, {5, 5}, {2, 2}, {0}, {0}, {0}, {0}},
    {2, 2, 64, 70, 1, {6, 5}, {3, 3}, {0}, {1, {1}}, {0}, {0}},
    {1, 1, 0, 2, 1, {6}, {3}, {0}, {0}, {0}, {0}},
};

static int axes_of(int op) {
  switch (op) {
  case OP_conv1d:
  case OP_conv_transpose1d: return 1;
  case OP_conv2d:
  case OP_conv_transpose2d: return 2;
  case OP_conv3d:
  case OP_conv_transpose3d: return 3;
  default: return 0;
  }
}

static void convolve(matrix *m, int op, tme_dtype t, const convolved *v, int l, bool core) {
  cell c;
  bool general = op == OP_conv_general, first = l % 3 == 2;
  bool transposed = op == OP_conv_transpose1d || op == OP_conv_transpose2d || op == OP_conv_transpose3d;
  int64_t x[5] = {v->batch}, w[5] = {v->out};
  int at = first ? 2 : 1;
  for (int i = 0; i < v->n; i++) {
    x[at + i] = v->extent[i];
    w[at + i] = v->window[i];
  }
  x[first ? 1 : v->n + 1] = v->channels;
  w[first ? 1 : v->n + 1] = v->channels / v->groups;
  if (first && transposed) {
    w[0] = v->channels;
    w[1] = v->out / v->groups;
  }
  cell_init(&c, op, core);
  cell_in(&c, "x", t, v->n + 2, x)->layout = (layout)(l % LAYOUT_COUNT);
  cell_in(&c, "weight", t, v->n + 2, w)->layout = (layout)(l * 5 % LAYOUT_COUNT);
  give_list(&c, "stride", &v->stride);
  give_list(&c, "padding", &v->padding);
  give_list(&c, general ? "kernel_dilation" : "dilation", &v->dilation);
  if (transposed) give_list(&c, "output_padding", &v->more);
  if (general && l % 2) {
    static const list spread = {1, {2}};
    give_list(&c, "input_dilation", &spread);
    cell_int(&c, "flip", 1);
  }
  if (!transposed && !v->padding.n && l % 2) cell_int(&c, "same", 1);
  if (v->groups > 1) cell_int(&c, "groups", v->groups);
  if (first) cell_word(&c, "layout", "channels_first");
  matrix_add(m, &c);
}

void cells_convolution(matrix *m, int op) {
  for (int i = 0; i < TME_DTYPE_COUNT; i++) {
    tme_dtype t = (tme_dtype)i;
    if (t == TME_BOOL || !matrix_takes(m, t)) continue;
    for (int k = 0, nth = 0; k < COUNT(convolutions); k++) {
      if (axes_of(op) && convolutions[k].n != axes_of(op)) continue;
      for (int l = 0; l < LAYOUT_COUNT; l++) convolve(m, op, t, &convolutions[k], l, nth < 2 && l < 3);
      nth++;
    }
  }
}

/* ---- poolings ---------------------------------------------------------------------------------------------------------------- */

typedef struct pooled {
  dims x;
  list window, stride, padding;
} pooled;

static const pooled poolings[] = {
    {{4, {2, 9, 8, 5}}, {1, {3}}, {1, {2}}, {1, {1}}},
    {{3, {2, 17, 4}}, {1, {2}}, {0}, {0}},
    {{5, {1, 5, 6, 4, 3}}, {3, {2, 3, 1}}, {3, {1, 2, 1}}, {6, {1, 0, 2, 1, 0, 0}}},
    {{4, {1, 20, 33, 1}}, {2, {5, 3}}, {1, {1}}, {0}},
    {{3, {0, 6, 2}}, {1, {2}}, {0}, {0}},
};

static void pool(matrix *m, int op, tme_dtype t, const pooled *p, int l, bool core) {
  cell c;
  bool first = l % 3 == 2, adaptive = op_get(op)->family == FAMILY_adaptive_pooling;
  int64_t x[5];
  int n = p->x.rank - 2;
  for (int d = 0; d < p->x.rank; d++) x[d] = p->x.shape[d];
  for (int i = 0; i < n && first; i++) x[2 + i] = p->x.shape[1 + i];
  if (first) x[1] = p->x.shape[n + 1];
  cell_init(&c, op, core);
  cell_in(&c, "x", t, p->x.rank, x)->layout = (layout)(l % LAYOUT_COUNT);
  give_list(&c, adaptive ? "size" : "window", &p->window);
  if (!adaptive) {
    give_list(&c, "stride", &p->stride);
    give_list(&c, "padding", &p->padding);
    if (!p->padding.n && l % 2) cell_int(&c, "same", 1);
  }
  if (op == OP_avg_pool && l % 4 < 2) cell_int(&c, "count_padding", 0);
  if (first) cell_word(&c, "layout", "channels_first");
  matrix_add(m, &c);
}

static void cells_of_pooling(matrix *m, int op) {
  for (int i = 0; i < TME_DTYPE_COUNT; i++) {
    tme_dtype t = (tme_dtype)i;
    if (dtype_is_complex(t) || (t == TME_BOOL && op != OP_max_pool) || !matrix_takes(m, t)) continue;
    for (int k = 0; k < COUNT(poolings); k++)
      for (int l = 0; l < LAYOUT_COUNT; l++) pool(m, op, t, &poolings[k], l, k < 2 && l < 3);
  }
}

void cells_pooling(matrix *m, int op) { cells_of_pooling(m, op); }
void cells_adaptive_pooling(matrix *m, int op) { cells_of_pooling(m, op); }
