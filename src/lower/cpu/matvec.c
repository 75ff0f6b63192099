/* A row times a matrix, or a few long rows: a task takes a stretch of the columns, keeps their sums in its scratch memory, and adds
 * the rows of the right operand to them, a few at a time. So the right operand, which is all the work, is read in long
 * lines and once. In a micro-tile every row of it would be on another page. The order of each sum is that of a tile. */
#include "lower/cpu/product.h"

enum {
  SHORTEST = 512,   /* columns of a task, at least: shorter lines are read more slowly */
  MOST_SUMS = 4096, /* of a task: what the first cache holds beside the lines */
  FEWEST_TASKS = 4, /* that the columns are cut into, where they are that many */
  AT_ONCE = 4       /* rows of the right operand that one pass over the sums takes; twice as many for one row of sums */
};

/* Columns of a task. No sum depends on it. */
static int64_t stretch_of(const product *p) {
  int64_t pieces = ceil_div(FEWEST_TASKS, p->batches), most = MOST_SUMS / p->M;
  int64_t stretch = (p->N / pieces + p->lanes - 1) / p->lanes * p->lanes;
  if (stretch > most) stretch = most;
  if (stretch < SHORTEST) stretch = SHORTEST;
  return stretch < p->N ? stretch : p->N;
}

/* sums[i][col] += left[i][k0 + u] * right[k0 + u][col] for u < count, for all rows i. */
static void add_rows(product *p, int64_t stretch, int aj, int batch, int col, int k0, int count) {
  builder *b = &p->b;
  kernel *k = b->k;
  int mark = builder_mark(b), lj = k_loop(k, aj), j = ix_axis(k, aj);
  for (int i = 0; i < (int)p->M; i++) {
    int row = ix_const(k, i), access = k_access_add(k, p->spill_buf[0], ix_add(k, j, ix_const(k, i * stretch)));
    int sum = k_load(k, access);
    for (int u = 0; u < count; u++) {
      int kk = ix_add(k, k0, ix_const(k, u));
      sum = product_sum(p, sum, product_left(p, batch, row, kk).re, product_right(p, batch, row, kk, col).re);
    }
    k_store(k, access, sum);
  }
  builder_forget(b, mark);
  k_end(k, lj);
}

static void close_block(product *p, int64_t stretch, int aj) {
  kernel *k = p->b.k;
  int lj = k_loop(k, aj);
  for (int i = 0; i < (int)p->M; i++) product_close_block(p, ix_add(k, ix_axis(k, aj), ix_const(k, i * stretch)));
  k_end(k, lj);
}

bool product_emit_matvec(product *p, const char *name) {
  if (!product_begin(p, name)) return false;
  builder *b = &p->b;
  kernel *k = b->k;
  int64_t stretch = stretch_of(p), stretches = ceil_div(p->N, stretch);
  int at_once = p->M == 1 ? 2 * AT_ONCE : AT_ONCE, mark = builder_mark(b);
  if (p->block < p->K) at_once = (int)gcd(p->block, at_once);
  int abatch = k_axis_add(k, p->batches, AXIS_PARALLEL, 1, 1), astretch = k_axis_add(k, stretches, AXIS_PARALLEL, 1, 1);
  int aj = k_axis_add(k, stretch, AXIS_VECTOR, p->lanes, 2);
  int col0 = ix_mul(k, ix_axis(k, astretch), stretch);
  if (aj >= 0 && p->N % stretch != 0)
    k->axes[aj].limit = ix_add(k, ix_mul(k, ix_axis(k, astretch), -stretch), ix_const(k, p->N));
  int batch = ix_axis(k, abatch), col = ix_add(k, col0, ix_axis(k, aj));
  p->spilled = true;
  p->spill_buf[0] = builder_scratch(b, p->acc, p->M * stretch);
  product_reserve_blocks(p, p->M * stretch);
  int lbatch = k_loop(k, abatch), lstretch = k_loop(k, astretch);

  int zero = p->block < p->K ? product_nothing(p) : product_zero(p), lj = k_loop(k, aj);
  for (int i = 0; i < (int)p->M; i++) {
    int at = ix_add(k, ix_axis(k, aj), ix_const(k, i * stretch));
    k_store(k, k_access_add(k, p->spill_buf[0], at), zero);
    product_begin_blocks(p, at);
  }
  k_end(k, lj);
  int64_t steps = p->K / at_once, rest = p->K % at_once;
  if (steps) {
    int astep = k_axis_add(k, steps, AXIS_REDUCE, 1, 1), lblocks = -1;
    if (p->block < p->K) {
      int64_t per = p->block / at_once;
      int ablocks = k_axis_add(k, ceil_div(steps, per), AXIS_REDUCE, 1, 1);
      int first = ix_mul(k, ix_axis(k, ablocks), per);
      if (astep >= 0) {
        k->axes[astep].first = first;
        k->axes[astep].limit = ix_add(k, first, ix_const(k, per));
      }
      lblocks = k_loop(k, ablocks);
      close_block(p, stretch, aj); /* the one before; nothing at first */
    }
    int lstep = k_loop(k, astep);
    add_rows(p, stretch, aj, batch, col, ix_mul(k, ix_axis(k, astep), at_once), at_once);
    builder_forget(b, mark);
    k_end(k, lstep);
    if (lblocks >= 0) k_end(k, lblocks);
  }
  if (rest) add_rows(p, stretch, aj, batch, col, ix_const(k, steps * at_once), (int)rest);
  if (p->block < p->K) close_block(p, stretch, aj);

  lj = k_loop(k, aj);
  for (int i = 0; i < (int)p->M; i++) {
    p->spill_at = ix_add(k, ix_axis(k, aj), ix_const(k, i * stretch));
    product_store(p, batch, ix_const(k, i), col);
  }
  builder_forget(b, mark);
  k_end(k, lj);
  k_end(k, lstretch);
  k_end(k, lbatch);
  return true;
}
