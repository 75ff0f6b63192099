/* Cells of Fourier transforms and what goes with them. */
#include "support/matrix.h"

typedef struct dims {
  int rank;
  int64_t shape[TME_MAX_RANK];
} dims;

/* Side by side, as a matrix, of odd factors, as a convolution; the first ones are part of every run. */
static const dims shapes[] = {
    {2, {9, 12}}, {2, {5, 96}},  {3, {2, 7, 3}}, {1, {1}},       {1, {67}},    {2, {97, 2}},
    {1, {1024}},  {1, {1000}},   {2, {3, 121}},  {2, {0, 4}},    {1, {509}},   {3, {4, 1, 8}},
    {1, {4100}},  {2, {33, 17}}, {1, {30030}},   {2, {10, 251}}, {1, {65536}},
};
enum { CORE_SHAPES = 3 };
static const char *const norms[] = {"backward", "ortho", "forward"};

static bool of_real(int op) { return op == OP_rfft || op == OP_rfftn || op == OP_rfft2 || op == OP_ihfft; }

/* The numbers of a row, if it is not given: of what becomes real twice as many, less two. */
static int64_t points(int op, int64_t extent) { return op == OP_irfft || op == OP_hfft ? 2 * (extent - 1) : extent; }

static void cells_of_rows(matrix *m, int op) {
  for (int i = 0; i < TME_DTYPE_COUNT; i++) {
    tme_dtype t = (tme_dtype)i;
    if (!matrix_takes(m, t) || (of_real(op) && dtype_is_complex(t))) continue;
    for (int k = 0; k < COUNT(shapes); k++) {
      const dims *s = &shapes[k];
      bool core = k < CORE_SHAPES;
      if (!core && matrix_share() == SHARE_QUICK) break;
      for (int l = 0; l < LAYOUT_COUNT; l++) {
        cell c;
        cell_init(&c, op, core && !l);
        cell_in(&c, "x", t, s->rank, s->shape)->layout = (layout)l;
        int64_t axis = l % s->rank, extent = s->shape[axis], n = (l + k) % 3 ? -1 : extent + (k & 1 ? 3 : -2);
        if (n < 1 && points(op, extent) < 1) n = 5;
        cell_int(&c, "axis", l & 1 ? axis : axis - s->rank);
        if (n > 0) cell_int(&c, "n", n);
        cell_word(&c, "norm", norms[(k + l) % COUNT(norms)]);
        matrix_add(m, &c);
      }
    }
  }
}

void cells_fft(matrix *m, int op) { cells_of_rows(m, op); }
void cells_hermitian(matrix *m, int op) { cells_of_rows(m, op); }

void cells_fftn(matrix *m, int op) {
  static const dims blocks[] = {{2, {6, 10}}, {3, {3, 4, 5}}, {2, {34, 20}}, {4, {2, 3, 1, 7}}, {3, {0, 4, 6}}};
  for (int i = 0; i < TME_DTYPE_COUNT; i++) {
    tme_dtype t = (tme_dtype)i;
    if (!matrix_takes(m, t) || (of_real(op) && dtype_is_complex(t))) continue;
    for (int k = 0; k < COUNT(blocks); k++)
      for (int l = 0; l < LAYOUT_COUNT; l++) {
        const dims *s = &blocks[k];
        int64_t axes[2] = {l % s->rank, (l + 1) % s->rank - s->rank}, extents[2] = {5, 6};
        cell c;
        cell_init(&c, op, !k || !l);
        cell_in(&c, "x", t, s->rank, s->shape)->layout = (layout)l;
        if (l & 1 || k > 2) cell_ints(&c, "axes", 2, axes);
        if (l & 2 || k > 2) cell_ints(&c, "s", 2, extents);
        cell_word(&c, "norm", norms[(k + l) % COUNT(norms)]);
        matrix_add(m, &c);
      }
  }
}

void cells_fftshift(matrix *m, int op) {
  static const dims blocks[] = {{2, {6, 9}}, {1, {7}}, {3, {2, 1, 5}}, {0, {0}}, {2, {0, 3}}};
  for (int i = 0; i < TME_DTYPE_COUNT; i++)
    for (int k = 0; matrix_takes(m, (tme_dtype)i) && k < COUNT(blocks); k++)
      for (int l = 0; l < LAYOUT_COUNT; l++) {
        int64_t last = -1;
        cell c;
        cell_init(&c, op, !k || !l);
        cell_in(&c, "x", (tme_dtype)i, blocks[k].rank, blocks[k].shape)->layout = (layout)l;
        if (blocks[k].rank && l & 1) cell_ints(&c, "axes", 1, &last);
        matrix_add(m, &c);
      }
}

void cells_frequencies(matrix *m, int op) {
  static const int64_t n[] = {1, 2, 5, 8, 1001};
  for (int i = 0; i < TME_DTYPE_COUNT; i++)
    for (int k = 0; matrix_takes(m, (tme_dtype)i) && dtype_is_float((tme_dtype)i) && k < COUNT(n); k++) {
      cell c;
      cell_init(&c, op, true);
      cell_int(&c, "n", n[k]);
      cell_int(&c, "dtype", i);
      if (k & 1) cell_float(&c, "d", 0.3);
      matrix_add(m, &c);
    }
}

/* ---- signals ------------------------------------------------------------------------------------------------------------------ */

void cells_dct(matrix *m, int op) {
  static const dims blocks[] = {{2, {5, 8}}, {2, {4, 7}}, {1, {2}},   {3, {2, 3, 12}},
                                {2, {0, 6}}, {1, {67}},   {2, {2, 3}}};
  for (int i = 0; i < TME_DTYPE_COUNT; i++)
    for (int k = 0; matrix_takes(m, (tme_dtype)i) && k < COUNT(blocks); k++)
      for (int l = 0; l < LAYOUT_COUNT; l++) {
        cell c;
        cell_init(&c, op, !k || !l);
        cell_in(&c, "x", (tme_dtype)i, blocks[k].rank, blocks[k].shape)->layout = (layout)l;
        cell_int(&c, "type", 1 + (k + l) % 4);
        if (l & 1) cell_int(&c, "n", k & 1 ? 6 : 9);
        if (l & 2 && blocks[k].shape[0]) cell_int(&c, "axis", 0);
        cell_word(&c, "norm", norms[l % COUNT(norms)]);
        matrix_add(m, &c);
      }
}

void cells_stft(matrix *m, int op) {
  static const int64_t n_fft[] = {8, 6, 5, 1}, hop[] = {2, -1, 3, 1};
  for (int i = 0; i < TME_DTYPE_COUNT; i++) {
    tme_dtype t = (tme_dtype)i;
    if (!matrix_takes(m, t) || (op == OP_stft && dtype_is_complex(t))) continue;
    for (int k = 0; k < COUNT(n_fft); k++)
      for (int l = 0; l < LAYOUT_COUNT; l++) {
        int64_t spectra[] = {2, n_fft[k] / 2 + 1, 7}, signals[] = {2, 33};
        cell c;
        cell_init(&c, op, !k || !l);
        cell_in(&c, "x", t, op == OP_stft ? 2 : 3, op == OP_stft ? signals : spectra)->layout = (layout)l;
        cell_int(&c, "n_fft", n_fft[k]);
        cell_int(&c, "hop", hop[k]);
        if (l & 1) {
          operand *w = cell_in(&c, "window", dtype_is_float(t) ? t : TME_F32, 1, &n_fft[k]);
          w->lo = 0.5;
          w->hi = 1;
        }
        if (l & 2) cell_int(&c, "center", 0);
        if (l & 4 && op == OP_istft) cell_int(&c, "length", 40);
        matrix_add(m, &c);
      }
  }
}

void cells_window(matrix *m, int op) {
  static const int64_t n[] = {0, 1, 2, 5, 8, 300};
  for (int i = 0; i < TME_DTYPE_COUNT; i++)
    for (int k = 0; matrix_takes(m, (tme_dtype)i) && dtype_is_float((tme_dtype)i) && k < 2 * COUNT(n); k++) {
      cell c;
      cell_init(&c, op, true);
      cell_int(&c, "n", n[k / 2]);
      cell_int(&c, "dtype", i);
      cell_int(&c, "periodic", k % 2);
      if (cell_get(&c, "beta")) cell_float(&c, "beta", k % 3 * 7.5);
      matrix_add(m, &c);
    }
}

static const char *const modes[] = {"full", "same", "valid"};

void cells_convolve(matrix *m, int op) {
  static const int64_t n[][2] = {{300, 7}, {4, 9}, {1, 1}, {700, 650}, {5, 130}, {64, 6}};
  for (int i = 0; i < TME_DTYPE_COUNT; i++)
    for (int k = 0; matrix_takes(m, (tme_dtype)i) && i != TME_BOOL && k < COUNT(n); k++)
      for (int l = 0; l < LAYOUT_COUNT; l++) {
        cell c;
        cell_init(&c, op, !k || !l);
        cell_in(&c, "x", (tme_dtype)i, 1, &n[k][0])->layout = (layout)l;
        cell_in(&c, "y", (tme_dtype)i, 1, &n[k][1])->layout = (layout)((5 * l + k) % LAYOUT_COUNT);
        cell_word(&c, "mode", modes[(k + l) % COUNT(modes)]);
        matrix_add(m, &c);
      }
}

void cells_fftconvolve(matrix *m, int op) {
  static const dims pairs[][2] = {
      {{1, {30}}, {1, {7}}}, {{2, {6, 9}}, {2, {3, 4}}}, {{2, {2, 3}}, {2, {4, 5}}}, {{3, {2, 1, 8}}, {3, {2, 3, 5}}}};
  for (int i = 0; i < TME_DTYPE_COUNT; i++)
    for (int k = 0; matrix_takes(m, (tme_dtype)i) && k < COUNT(pairs); k++)
      for (int l = 0; l < LAYOUT_COUNT; l++) {
        int64_t last = -1;
        cell c;
        cell_init(&c, op, !k || !l);
        cell_in(&c, "x", (tme_dtype)i, pairs[k][0].rank, pairs[k][0].shape)->layout = (layout)l;
        cell_in(&c, "y", (tme_dtype)i, pairs[k][1].rank, pairs[k][1].shape)->layout =
            (layout)((5 * l + k) % LAYOUT_COUNT);
        if (k == 3) cell_ints(&c, "axes", 1, &last);
        cell_word(&c, "mode", modes[(k + l) % COUNT(modes)]);
        matrix_add(m, &c);
      }
}
