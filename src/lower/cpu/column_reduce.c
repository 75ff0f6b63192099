/* Long rows are reduced to one row of sums: a task adds rows to sums in its scratch memory, a few rows at a time, so
 * that it reads each row in one line. In registers, only a few columns would fit, and every read would be on another
 * page. The order is that of all reductions: from the first row to the last, in blocks where there are many. */
#include "lower/cpu/rows.h"

enum { ROWS_AT_ONCE = 4 };

bool column_reduce_fits(const row_group *r) {
  const graph *g = r->b.l->g;
  int reduced = 0, last = r->nruns - 1;
  for (int i = 0; i < r->nruns; i++) reduced += r->runs[i].reduced;
  if (r->uncut || r->passes.n != 1 || !reduced || r->runs[last].reduced || r->runs[last].extent < COLUMNS / 2)
    return false;
  for (int m = 0; m < r->G->nmembers; m++) {
    int i = r->G->member[m];
    const op_type *t = &g->node[i].type;
    bool whole = rows_full(r, i) && r->b.l->f->stored[i];
    if (dtype_is_complex(t->dtype) || whole) return false;
  }
  return rows_length(r) > 0;
}

/* One row of scratch memory: sums, or what of them is kept beside. */
static int scratch_row(row_group *r, tme_dtype t) {
  const dim_run *last = &r->runs[r->nruns - 1];
  return builder_scratch(&r->b, t, last->chunk ? last->chunk : last->extent);
}

static int scratch_access(row_group *r, int buf) {
  return k_access_add(r->b.k, buf, ix_axis(r->b.k, r->runs[r->nruns - 1].axis));
}

/* sums = combine(sums, row) for `count` rows from `at` on, for all columns. */
static void add_rows(row_group *r, dim_run *inner, const accumulator *accs, int naccs, int at, int count) {
  builder *b = &r->b;
  kernel *k = b->k;
  int mark = builder_mark(b), loop = k_loop(k, r->runs[r->nruns - 1].axis);
  for (int i = 0; i < naccs; i++) {
    int sum = k_load(k, scratch_access(r, accs[i].acc[0]));
    for (int u = 0; u < count; u++) {
      inner->at = ix_add(k, at, ix_const(k, u));
      rows_set_indices(r);
      sum = k_bin(k, accs[i].combine, sum, rows_reduced_value(r, accs[i].node).re);
    }
    k_store(k, scratch_access(r, accs[i].acc[0]), sum);
  }
  builder_forget(b, mark);
  k_end(k, loop);
}

/* The block that was summed goes to the sum of those before it, and the next one begins. */
static void next_block(row_group *r, const accumulator *accs, int naccs) {
  kernel *k = r->b.k;
  int loop = k_loop(k, r->runs[r->nruns - 1].axis);
  for (int i = 0; i < naccs; i++) {
    if (!blocks_sum(r, &accs[i])) continue;
    int v = k_load(k, scratch_access(r, accs[i].acc[0])), before = k_load(k, scratch_access(r, accs[i].sum[0]));
    int lost = k_load(k, scratch_access(r, accs[i].lost[0])), after = k_bin(k, K_ADD, before, v);
    k_store(k, scratch_access(r, accs[i].sum[0]), after);
    k_store(k, scratch_access(r, accs[i].lost[0]), k_bin(k, K_ADD, lost, blocks_lost(k, before, v, after)));
    k_store(k, scratch_access(r, accs[i].acc[0]), rows_neutral(k, accs[i].combine, accs[i].dtype));
  }
  k_end(k, loop);
}

/* Rows of scratch memory with nothing in them; those of long sums are three. */
static void start(row_group *r, accumulator *accs, int naccs) {
  kernel *k = r->b.k;
  int loop = k_loop(k, r->runs[r->nruns - 1].axis);
  for (int i = 0; i < naccs; i++) {
    int *rows_of[] = {&accs[i].acc[0], &accs[i].sum[0], &accs[i].lost[0]};
    for (int j = 0; j < (blocks_sum(r, &accs[i]) ? 3 : 1); j++) {
      *rows_of[j] = scratch_row(r, accs[i].dtype);
      k_store(k, scratch_access(r, *rows_of[j]), rows_neutral(k, accs[i].combine, accs[i].dtype));
    }
  }
  k_end(k, loop);
}

void column_reduce_emit(row_group *r, accumulator *accs) {
  builder *b = &r->b;
  kernel *k = b->k;
  dim_run *inner = NULL;
  int naccs = rows_accumulators(r, accs), loops[TME_MAX_RANK + 1], nloops = 0;
  start(r, accs, naccs);
  for (int i = 0; i < r->nruns; i++)
    if (r->runs[i].reduced) inner = &r->runs[i];
  int count = (int)(inner - r->runs);
  for (int i = 0; i < count; i++) {
    if (i == r->sums.cut) {
      loops[nloops++] = k_loop(k, r->sums.axis);
      next_block(r, accs, naccs);
    }
    if (r->runs[i].reduced) loops[nloops++] = k_loop(k, r->runs[i].axis);
  }
  int64_t groups = inner->extent / ROWS_AT_ONCE, rest = inner->extent % ROWS_AT_ONCE;
  if (groups) {
    int axis = k_axis_add(k, groups, AXIS_REDUCE, 1, 1), block = -1;
    if (count == r->sums.cut) { /* what remains of the rows is of the last block */
      blocks_limit(r, axis, ROWS_AT_ONCE);
      block = k_loop(k, r->sums.axis);
      next_block(r, accs, naccs);
    }
    int loop = k_loop(k, axis);
    add_rows(r, inner, accs, naccs, ix_mul(k, ix_axis(k, axis), ROWS_AT_ONCE), ROWS_AT_ONCE);
    k_end(k, loop);
    if (block >= 0) k_end(k, block);
  }
  if (rest) add_rows(r, inner, accs, naccs, ix_const(k, groups * ROWS_AT_ONCE), (int)rest);
  while (nloops) k_end(k, loops[--nloops]);
  if (r->sums.cut >= 0) next_block(r, accs, naccs);
  inner->at = -1;
  rows_set_indices(r);
  int loop = k_loop(k, r->runs[r->nruns - 1].axis);
  for (int i = 0; i < naccs; i++) {
    bool blocks = blocks_sum(r, &accs[i]);
    int sum = k_load(k, scratch_access(r, blocks ? accs[i].sum[0] : accs[i].acc[0]));
    if (blocks) sum = blocks_total(k, sum, k_load(k, scratch_access(r, accs[i].lost[0])));
    r->passes.made[rows_at(r, accs[i].node)].re = sum;
  }
  rows_store(r);
  k_end(k, loop);
}
