#include "support/kernel_samples.h"
#include "base/libm.h"
#include <math.h>

int sample_lanes(const emit_target *t, tme_dtype type) { return t->vector_bytes / (int)tme_dtype_size(type); }

static int load(kernel *k, int buf, int ix) { return k_load(k, k_access_add(k, buf, ix)); }
static void store(kernel *k, int buf, int ix, int v) { k_store(k, k_access_add(k, buf, ix), v); }

static kernel *finish(kernel *k) {
  error e = {0};
  if (kernel_finish(k, &e) == TME_OK) return k;
  kernel_free(k);
  return NULL;
}

static tme_dtype widest(int n, const tme_dtype *in, tme_dtype out) {
  for (int i = 0; i < n; i++) {
    if (tme_dtype_size(in[i]) > tme_dtype_size(out)) out = in[i];
  }
  return out;
}

kernel *sample_map(const emit_target *t, int n_in, const tme_dtype *in, tme_dtype out, int64_t n, int unroll,
                   sample_fn *f) {
  kernel *k = kernel_new("map");
  int v[4], b[5];
  for (int i = 0; i < n_in; i++) b[i] = k_buf_add(k, BUF_IN, in[i], 0, n);
  b[n_in] = k_buf_add(k, BUF_OUT, out, 0, n);
  int axis = k_axis_add(k, n, AXIS_PARALLEL | AXIS_VECTOR, sample_lanes(t, widest(n_in, in, out)), unroll);
  int l = k_loop(k, axis), ix = ix_axis(k, axis);
  for (int i = 0; i < n_in; i++) v[i] = load(k, b[i], ix);
  store(k, b[n_in], ix, f(k, v));
  k_end(k, l);
  return finish(k);
}

kernel *sample_map_symbolic(const emit_target *t, tme_dtype type, sample_fn *f) {
  kernel *k = kernel_new("map_symbolic");
  int a = k_buf_add(k, BUF_IN, type, 0, INT64_MAX / 16), b = k_buf_add(k, BUF_OUT, type, 0, INT64_MAX / 16);
  int axis = k_axis_add(k, INT64_MAX / 16, AXIS_PARALLEL | AXIS_VECTOR, sample_lanes(t, type), 4);
  k->axes[axis].sym = 0;
  int l = k_loop(k, axis), ix = ix_axis(k, axis), v = load(k, a, ix);
  store(k, b, ix, f(k, &v));
  k_end(k, l);
  return finish(k);
}

kernel *sample_softmax(const emit_target *t, int64_t rows, int64_t columns) {
  kernel *k = kernel_new("softmax");
  int64_t n = rows * columns;
  int a = k_buf_add(k, BUF_IN, TME_F32, 0, n), b = k_buf_add(k, BUF_OUT, TME_F32, 0, n);
  int r = k_axis_add(k, rows, AXIS_PARALLEL, 1, 1);
  int c = k_axis_add(k, columns, AXIS_VECTOR | AXIS_REDUCE, sample_lanes(t, TME_F32), 4);
  int ix = ix_add(k, ix_mul(k, ix_axis(k, r), columns), ix_axis(k, c));
  int section = k_loop(k, r);
  int max = k_emit(k, K_ACC, TME_F32, k_const_f(k, TME_F32, -HUGE_VAL), K_MAX, -1, 0);
  int l = k_loop(k, c);
  k_emit(k, K_UPDATE, TME_F32, max, load(k, a, ix), -1, 0);
  k_end(k, l);
  int most = k_emit(k, K_READ, TME_F32, max, -1, -1, 0);
  int sum = k_emit(k, K_ACC, TME_F32, k_const_f(k, TME_F32, 0), K_ADD, -1, 0);
  l = k_loop(k, c);
  int x = k_emit(k, K_LIBM, TME_F32, k_bin(k, K_SUB, load(k, a, ix), most), -1, -1, LIBM_exp);
  k_emit(k, K_UPDATE, TME_F32, sum, x, -1, 0);
  store(k, b, ix, x);
  k_end(k, l);
  int total = k_emit(k, K_READ, TME_F32, sum, -1, -1, 0);
  l = k_loop(k, c);
  store(k, b, ix, k_bin(k, K_DIV, load(k, b, ix), total));
  k_end(k, l);
  k_end(k, section);
  return finish(k);
}

kernel *sample_sum_rows(const emit_target *t, tme_dtype type, int64_t rows, int64_t columns, int unroll) {
  kernel *k = kernel_new("sum_rows");
  int a = k_buf_add(k, BUF_IN, type, 0, rows * columns), b = k_buf_add(k, BUF_OUT, type, 0, columns);
  int c = k_axis_add(k, columns, AXIS_PARALLEL | AXIS_VECTOR, sample_lanes(t, type), unroll);
  int r = k_axis_add(k, rows, AXIS_REDUCE, 1, 1);
  int section = k_loop(k, c);
  int sum = k_emit(k, K_ACC, type, k_const_f(k, type, 0), K_ADD, -1, 0);
  int l = k_loop(k, r);
  k_emit(k, K_UPDATE, type, sum, load(k, a, ix_add(k, ix_mul(k, ix_axis(k, r), columns), ix_axis(k, c))), -1, 0);
  k_end(k, l);
  store(k, b, ix_axis(k, c), k_emit(k, K_READ, type, sum, -1, -1, 0));
  k_end(k, section);
  return finish(k);
}

kernel *sample_reduce(const emit_target *t, tme_dtype type, k_op op, double init, int64_t rows, int64_t columns,
                      int unroll) {
  kernel *k = kernel_new("reduce");
  int a = k_buf_add(k, BUF_IN, type, 0, rows * columns), b = k_buf_add(k, BUF_OUT, type, 0, rows);
  int r = k_axis_add(k, rows, AXIS_PARALLEL, 1, 1);
  int c = k_axis_add(k, columns, AXIS_VECTOR | AXIS_REDUCE, sample_lanes(t, type), unroll);
  int section = k_loop(k, r);
  int acc = k_emit(k, K_ACC, type, k_const_f(k, type, init), (int)op, -1, 0);
  int l = k_loop(k, c);
  k_emit(k, K_UPDATE, type, acc, load(k, a, ix_add(k, ix_mul(k, ix_axis(k, r), columns), ix_axis(k, c))), -1, 0);
  k_end(k, l);
  store(k, b, ix_axis(k, r), k_emit(k, K_READ, type, acc, -1, -1, 0));
  k_end(k, section);
  return finish(k);
}

typedef struct product {
  kernel *k;
  int a, b, c;
  int64_t m, n, depth;
  int width;
  k_op dot; /* 0, or elements are pairs */
} product;

/* Tiles of `rows` by `columns` that start at (m0, n0), mt by nt of them. */
static void product_section(product *p, int64_t m0, int64_t n0, int64_t mt, int64_t nt, int64_t rows, int64_t columns) {
  kernel *k = p->k;
  if (!mt || !nt || !rows || !columns) return;
  int64_t vectors = (columns + p->width - 1) / p->width;
  int pm = k_axis_add(k, mt, AXIS_PARALLEL, 1, 1), pn = k_axis_add(k, nt, AXIS_PARALLEL, 1, 1);
  int q = k_axis_add(k, p->depth, AXIS_REDUCE, 1, 1), i = k_axis_add(k, rows, AXIS_UNROLL, 1, 1);
  int j = k_axis_add(k, columns, AXIS_VECTOR, p->width, (int)vectors);
  int row = ix_add(k, ix_const(k, m0), ix_add(k, ix_mul(k, ix_axis(k, pm), rows), ix_axis(k, i)));
  int column = ix_add(k, ix_const(k, n0), ix_add(k, ix_mul(k, ix_axis(k, pn), columns), ix_axis(k, j)));
  int lm = k_loop(k, pm), ln = k_loop(k, pn);
  tme_dtype t = p->dot == K_DOT_I16 ? TME_I32 : TME_F32;
  int acc = k_emit(k, K_ACC, t, k_emit(k, K_CONST, t, -1, -1, -1, 0), K_ADD, -1, (uint64_t)1 << i | (uint64_t)1 << j);
  int lq = k_loop(k, q), li = k_loop(k, i), lj = k_loop(k, j);
  int x = load(k, p->a, ix_add(k, ix_mul(k, row, p->depth), ix_axis(k, q)));
  int y = load(k, p->b, ix_add(k, ix_mul(k, ix_axis(k, q), p->n), column));
  k_emit(k, K_UPDATE, t, acc, x, y, p->dot);
  k_end(k, lj);
  k_end(k, li);
  k_end(k, lq);
  li = k_loop(k, i);
  lj = k_loop(k, j);
  store(k, p->c, ix_add(k, ix_mul(k, row, p->n), column), k_emit(k, K_READ, t, acc, -1, -1, 0));
  k_end(k, lj);
  k_end(k, li);
  k_end(k, ln);
  k_end(k, lm);
}

kernel *sample_dots(const emit_target *t, k_op dot, int64_t m, int64_t n, int64_t depth, int mr, int nv) {
  product p = {
      .k = kernel_new("matmul"), .m = m, .n = n, .depth = depth, .width = sample_lanes(t, TME_F32), .dot = dot};
  p.a = k_buf_add(p.k, BUF_IN, dot ? TME_U32 : TME_F32, 0, m * depth);
  p.b = k_buf_add(p.k, BUF_IN, dot ? TME_U32 : TME_F32, 0, depth * n);
  p.c = k_buf_add(p.k, BUF_OUT, dot == K_DOT_I16 ? TME_I32 : TME_F32, 0, m * n);
  int64_t nr = (int64_t)nv * p.width, mt = m / mr, nt = n / nr;
  product_section(&p, 0, 0, mt, nt, mr, nr);
  product_section(&p, mt * mr, 0, 1, nt, m % mr, nr);
  product_section(&p, 0, nt * nr, mt, 1, mr, n % nr);
  product_section(&p, mt * mr, nt * nr, 1, 1, m % mr, n % nr);
  p.k->opt = 2;
  return finish(p.k);
}

kernel *sample_matmul(const emit_target *t, int64_t m, int64_t n, int64_t depth, int mr, int nv) {
  return sample_dots(t, K_NOP, m, n, depth, mr, nv);
}

kernel *sample_strided(const emit_target *t, tme_dtype type, int64_t n, int64_t start, int64_t step) {
  kernel *k = kernel_new("strided");
  int64_t last = start + (n - 1) * step, lo = start < last ? start : last, hi = start < last ? last : start;
  int a = k_buf_add(k, BUF_IN, type, lo, hi + 1), b = k_buf_add(k, BUF_OUT, type, 0, n);
  int axis = k_axis_add(k, n, AXIS_PARALLEL | AXIS_VECTOR, sample_lanes(t, type), 2), l = k_loop(k, axis);
  store(k, b, ix_axis(k, axis), load(k, a, ix_add(k, ix_const(k, start), ix_mul(k, ix_axis(k, axis), step))));
  k_end(k, l);
  return finish(k);
}

kernel *sample_scatter(const emit_target *t, tme_dtype type, int64_t n, int64_t start, int64_t step) {
  kernel *k = kernel_new("scatter");
  int64_t last = start + (n - 1) * step, lo = start < last ? start : last, hi = start < last ? last : start;
  int a = k_buf_add(k, BUF_IN, type, 0, n), b = k_buf_add(k, BUF_OUT, type, lo, hi + 1);
  int axis = k_axis_add(k, n, AXIS_PARALLEL | AXIS_VECTOR, sample_lanes(t, type), 2), l = k_loop(k, axis);
  store(k, b, ix_add(k, ix_const(k, start), ix_mul(k, ix_axis(k, axis), step)), load(k, a, ix_axis(k, axis)));
  k_end(k, l);
  return finish(k);
}

kernel *sample_transpose(const emit_target *t, tme_dtype type, int64_t rows, int64_t columns, int side, int64_t tile,
                         int64_t far, int unit, bool guarded) {
  kernel *k = kernel_new("transpose");
  int64_t steps[] = {(columns - 1) * far, (rows - 1) * unit}, lo = 0, hi = 1;
  for (int i = 0; i < 2; i++) *(steps[i] < 0 ? &lo : &hi) += steps[i];
  int a = k_buf_add(k, BUF_IN, type, lo, hi), b = k_buf_add(k, BUF_OUT, type, 0, rows * columns);
  int p = k_axis_add(k, (rows + tile - 1) / tile, AXIS_PARALLEL, 1, 1), r = k_axis_add(k, tile, AXIS_VECTOR, 1, side);
  int q = k_axis_add(k, (columns + tile - 1) / tile, AXIS_PARALLEL, 1, 1);
  int c = k_axis_add(k, tile, AXIS_VECTOR, sample_lanes(t, type), 2);
  int row0 = ix_mul(k, ix_axis(k, p), tile), column0 = ix_mul(k, ix_axis(k, q), tile);
  if (rows % tile) k->axes[r].limit = ix_add(k, ix_const(k, rows), ix_mul(k, row0, -1));
  if (columns % tile) k->axes[c].limit = ix_add(k, ix_const(k, columns), ix_mul(k, column0, -1));
  int row = ix_add(k, row0, ix_axis(k, r)), column = ix_add(k, column0, ix_axis(k, c));
  int loops[] = {k_loop(k, p), k_loop(k, q), k_loop(k, r), k_loop(k, c)};
  int access = k_access_add(k, a, ix_add(k, ix_mul(k, row, unit), ix_mul(k, column, far)));
  if (guarded) k->acc[access].guard = k_bin(k, K_LT, k_index(k, column), k_const_i(k, TME_I64, columns - 1));
  store(k, b, ix_add(k, ix_mul(k, row, columns), column), k_load(k, access));
  for (int i = 3; i >= 0; i--) k_end(k, loops[i]);
  k->opt = 1;
  return finish(k);
}

kernel *sample_pad(const emit_target *t, tme_dtype type, int64_t n, int64_t pad) {
  kernel *k = kernel_new("pad");
  int a = k_buf_add(k, BUF_IN, type, 0, n), b = k_buf_add(k, BUF_OUT, type, 0, n + 2 * pad);
  int axis = k_axis_add(k, n + 2 * pad, AXIS_PARALLEL | AXIS_VECTOR, sample_lanes(t, type), 2), l = k_loop(k, axis);
  int from = ix_add(k, ix_axis(k, axis), ix_const(k, -pad)), i = k_index(k, from);
  int access = k_access_add(k, a, from);
  k->acc[access].guard =
      k_bin(k, K_AND, k_bin(k, K_GE, i, k_const_i(k, TME_I64, 0)), k_bin(k, K_LT, i, k_const_i(k, TME_I64, n)));
  store(k, b, ix_axis(k, axis), k_load(k, access));
  k_end(k, l);
  return finish(k);
}

kernel *sample_pad_rows(const emit_target *t, tme_dtype type, int64_t rows, int64_t columns, int64_t pad) {
  kernel *k = kernel_new("pad_rows");
  int64_t all = rows + 2 * pad;
  int a = k_buf_add(k, BUF_IN, type, 0, rows * columns), bias = k_buf_add(k, BUF_IN, type, 0, rows);
  int b = k_buf_add(k, BUF_OUT, type, 0, all * columns), copy = k_buf_add(k, BUF_OUT, type, 0, rows);
  int r = k_axis_add(k, all, AXIS_PARALLEL, 1, 1), c = k_axis_add(k, columns, AXIS_VECTOR, sample_lanes(t, type), 2);
  int outer = k_loop(k, r), row = ix_add(k, ix_axis(k, r), ix_const(k, -pad)), i = k_index(k, row);
  int inside =
      k_bin(k, K_AND, k_bin(k, K_GE, i, k_const_i(k, TME_I64, 0)), k_bin(k, K_LT, i, k_const_i(k, TME_I64, rows)));
  int element = k_access_add(k, a, ix_add(k, ix_mul(k, row, columns), ix_axis(k, c)));
  int one = k_access_add(k, bias, row), to = k_access_add(k, copy, row);
  k->acc[element].guard = k->acc[one].guard = k->acc[to].guard = inside;
  int x = k_load(k, one);
  k_store(k, to, x);
  int inner = k_loop(k, c);
  store(k, b, ix_add(k, ix_mul(k, ix_axis(k, r), columns), ix_axis(k, c)), k_bin(k, K_ADD, k_load(k, element), x));
  k_end(k, inner);
  k_end(k, outer);
  return finish(k);
}

kernel *sample_split(const emit_target *t, tme_dtype type, int64_t n, int64_t chunk, int unroll) {
  kernel *k = kernel_new("split");
  int64_t chunks = (n + chunk - 1) / chunk;
  int a = k_buf_add(k, BUF_IN, type, 0, n), b = k_buf_add(k, BUF_OUT, type, 0, n);
  int sums = k_buf_add(k, BUF_OUT, type, 0, chunks);
  int p = k_axis_add(k, chunks, AXIS_PARALLEL, 1, 1);
  int c = k_axis_add(k, chunk, AXIS_VECTOR | AXIS_REDUCE, sample_lanes(t, type), unroll);
  k->axes[c].limit = ix_add(k, ix_const(k, n), ix_mul(k, ix_axis(k, p), -chunk));
  int i = ix_add(k, ix_mul(k, ix_axis(k, p), chunk), ix_axis(k, c)), outer = k_loop(k, p);
  int acc = k_emit(k, K_ACC, type, k_const_i(k, type, 1), K_ADD, -1, 0), inner = k_loop(k, c);
  int x = load(k, a, i);
  store(k, b, i, k_bin(k, K_ADD, x, x));
  k_emit(k, K_UPDATE, type, acc, x, -1, 0);
  k_end(k, inner);
  store(k, sums, ix_axis(k, p), k_emit(k, K_READ, type, acc, -1, -1, 0));
  k_end(k, outer);
  return finish(k);
}

kernel *sample_blocks(const emit_target *t, tme_dtype type, int64_t rows, int64_t columns, int64_t block, int unroll,
                      bool down) {
  kernel *k = kernel_new("blocks");
  int a = k_buf_add(k, BUF_IN, type, 0, rows * columns), b = k_buf_add(k, BUF_OUT, type, 0, rows);
  int lanes = sample_lanes(t, type), p = k_axis_add(k, (columns + block - 1) / block, AXIS_REDUCE, 1, 1);
  int r = k_axis_add(k, rows, AXIS_PARALLEL | (down ? AXIS_VECTOR : 0), down ? lanes : 1, down ? unroll : 1);
  int c = k_axis_add(k, columns, AXIS_REDUCE | (down ? 0 : AXIS_VECTOR), down ? 1 : lanes, down ? 1 : unroll);
  k->axes[c].first = ix_mul(k, ix_axis(k, p), block);
  k->axes[c].limit = ix_add(k, k->axes[c].first, ix_const(k, block));
  int at = down ? ix_add(k, ix_mul(k, ix_axis(k, c), rows), ix_axis(k, r))
                : ix_add(k, ix_mul(k, ix_axis(k, r), columns), ix_axis(k, c));
  int section = k_loop(k, r), sum = k_emit(k, K_ACC, type, k_const_i(k, type, 0), K_ADD, -1, 0), outer = k_loop(k, p);
  int acc = k_emit(k, K_ACC, type, k_const_i(k, type, 0), K_ADD, -1, 0), inner = k_loop(k, c);
  k_emit(k, K_UPDATE, type, acc, load(k, a, at), -1, 0);
  k_end(k, inner);
  k_emit(k, K_UPDATE, type, sum, k_emit(k, K_READ, type, acc, -1, -1, 0), -1, 0);
  k_end(k, outer);
  store(k, b, ix_axis(k, r), k_emit(k, K_READ, type, sum, -1, -1, 0));
  k_end(k, section);
  return finish(k);
}

kernel *sample_rest(const emit_target *t, tme_dtype type, int64_t rows, int64_t columns, int64_t first, int unroll) {
  kernel *k = kernel_new("rest");
  int a = k_buf_add(k, BUF_IN, type, 0, rows * columns), b = k_buf_add(k, BUF_OUT, type, 0, rows);
  int r = k_axis_add(k, rows, AXIS_PARALLEL, 1, 1);
  int c = unroll ? k_axis_add(k, columns, AXIS_REDUCE | AXIS_VECTOR, sample_lanes(t, type), unroll)
                 : k_axis_add(k, columns, AXIS_REDUCE, 1, 1);
  k->axes[c].first = ix_const(k, first);
  int section = k_loop(k, r), acc = k_emit(k, K_ACC, type, k_const_i(k, type, 3), K_ADD, -1, 0), l = k_loop(k, c);
  k_emit(k, K_UPDATE, type, acc, load(k, a, ix_add(k, ix_mul(k, ix_axis(k, r), columns), ix_axis(k, c))), -1, 0);
  k_end(k, l);
  store(k, b, ix_axis(k, r), k_emit(k, K_READ, type, acc, -1, -1, 0));
  k_end(k, section);
  return finish(k);
}

kernel *sample_reshape(const emit_target *t, tme_dtype type, int64_t rows, int64_t columns, bool row_tasks) {
  kernel *k = kernel_new("reshape");
  int64_t n = rows * columns;
  int a = k_buf_add(k, BUF_IN, type, 0, n), b = k_buf_add(k, BUF_OUT, type, 0, n);
  int flat, outer = -1, inner;
  if (row_tasks) { /* a task is 7 elements, straight code */
    int r = k_axis_add(k, n / 7, AXIS_PARALLEL, 1, 1);
    int c = k_axis_add(k, 7, AXIS_PARALLEL | AXIS_VECTOR, 4, 2);
    flat = ix_add(k, ix_mul(k, ix_axis(k, r), 7), ix_axis(k, c));
    outer = k_loop(k, r);
    inner = k_loop(k, c);
  } else {
    int axis = k_axis_add(k, n, AXIS_PARALLEL | AXIS_VECTOR, sample_lanes(t, type), 2);
    flat = ix_axis(k, axis);
    inner = k_loop(k, axis);
  }
  store(k, b, flat, load(k, a, ix_add(k, ix_mul(k, ix_mod(k, flat, columns), rows), ix_div(k, flat, columns))));
  k_end(k, inner);
  if (outer >= 0) k_end(k, outer);
  return finish(k);
}

kernel *sample_take_rows(const emit_target *t, tme_dtype type, int64_t n, int64_t rows, int64_t columns) {
  kernel *k = kernel_new("take_rows");
  int a = k_buf_add(k, BUF_IN, type, 0, rows * columns), index = k_buf_add(k, BUF_IN, TME_I32, 0, n);
  int b = k_buf_add(k, BUF_OUT, type, 0, n * columns);
  int r = k_axis_add(k, n, AXIS_PARALLEL, 1, 1);
  int c = k_axis_add(k, columns, AXIS_PARALLEL | AXIS_VECTOR, sample_lanes(t, type), 2);
  int outer = k_loop(k, r), inner = k_loop(k, c);
  int access = k_access_add(k, a, ix_axis(k, c));
  k->acc[access].dyn = k_cast(k, TME_I64, load(k, index, ix_axis(k, r)));
  k->acc[access].dyn_scale = columns;
  store(k, b, ix_add(k, ix_mul(k, ix_axis(k, r), columns), ix_axis(k, c)), k_load(k, access));
  k_end(k, inner);
  k_end(k, outer);
  return finish(k);
}

kernel *sample_take(const emit_target *t, tme_dtype type, int64_t n, int64_t size) {
  kernel *k = kernel_new("take");
  int a = k_buf_add(k, BUF_IN, type, 0, size), index = k_buf_add(k, BUF_IN, TME_I64, 0, n);
  int b = k_buf_add(k, BUF_OUT, type, 0, n);
  int axis = k_axis_add(k, n, AXIS_PARALLEL | AXIS_VECTOR, sample_lanes(t, TME_I64), 2), l = k_loop(k, axis);
  int access = k_access_add(k, a, ix_const(k, 0));
  k->acc[access].dyn = load(k, index, ix_axis(k, axis));
  k->acc[access].dyn_scale = 1;
  store(k, b, ix_axis(k, axis), k_load(k, access));
  k_end(k, l);
  return finish(k);
}

kernel *sample_scratch(const emit_target *t, int64_t rows, int64_t columns) {
  kernel *k = kernel_new("scratch");
  int64_t n = rows * columns;
  int a = k_buf_add(k, BUF_IN, TME_F32, 0, n), b = k_buf_add(k, BUF_OUT, TME_F32, 0, n);
  int other = k_buf_add(k, BUF_SCRATCH, TME_F64, 0, 3), row = k_buf_add(k, BUF_SCRATCH, TME_F32, 0, columns);
  int r = k_axis_add(k, rows, AXIS_PARALLEL, 1, 1);
  int c = k_axis_add(k, columns, AXIS_VECTOR | AXIS_REDUCE, sample_lanes(t, TME_F32), 2);
  int ix = ix_add(k, ix_mul(k, ix_axis(k, r), columns), ix_axis(k, c)), section = k_loop(k, r);
  int acc = k_emit(k, K_ACC, TME_F32, k_const_f(k, TME_F32, HUGE_VAL), K_MIN, -1, 0), l = k_loop(k, c);
  int x = load(k, a, ix);
  k_emit(k, K_UPDATE, TME_F32, acc, x, -1, 0);
  store(k, row, ix_axis(k, c), x);
  k_end(k, l);
  int least = k_emit(k, K_READ, TME_F32, acc, -1, -1, 0);
  store(k, other, ix_const(k, 1), k_cast(k, TME_F64, least));
  int again = k_cast(k, TME_F32, load(k, other, ix_const(k, 1)));
  l = k_loop(k, c);
  store(k, b, ix, k_bin(k, K_SUB, load(k, row, ix_axis(k, c)), again));
  k_end(k, l);
  k_end(k, section);
  return finish(k);
}

static int chain(kernel *k, const int *v) {
  int x = v[0], p = k_const_f(k, TME_F32, 0.1);
  for (int i = 0; i < 9; i++) p = k_fma(k, p, x, k_const_f(k, TME_F32, 0.3 - 0.05 * i));
  p = k_bin(k, K_MUL, p, p);
  p = k_un(k, K_ABS, p);
  p = k_bin(k, K_ADD, p, x);
  return k_bin(k, K_MAX, p, k_const_f(k, TME_F32, 0));
}

kernel *sample_chain(const emit_target *t, int64_t n) {
  return sample_map(t, 1, (tme_dtype[]){TME_F32}, TME_F32, n, 4, chain);
}
