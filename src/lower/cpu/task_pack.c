/* Per-task packing: panels of the right operand, of all its rows or of a block of them after the
 * other, and the sums that wait from one block to the next.
 *
 * A row of a block lies on another page than the one before, and all of them in a few sets of the caches: what is read in
 * that order waits for memory. So two panels take turns: one is packed beside the sums over the other, a row now and then,
 * and the panel after it is fetched. */
#include "kernel/kernel_util.h"
#include "lower/cpu/product.h"

bool task_packs_ahead(const product *p) {
  int i = product_source(p, p->right);
  return p->form == FORM_TASK_BLOCKED && (product_at(p, i)->op == OP_leaf || p->l->slot_of[i] >= 0);
}

void task_reserve(product *p, int64_t wide) {
  int64_t row = wide * p->task_panels, held = task_packs_ahead(p) ? 2 : p->task_panels;
  p->task_buf = builder_scratch(&p->b, product_element(p), held * p->kc * wide);
  if (p->form != FORM_TASK_BLOCKED) return;
  p->sums_buf = p->spill_buf[0] = builder_scratch(&p->b, p->acc, p->M * row);
  product_reserve_blocks(p, p->M * row);
}

int task_panel_axis(product *p, const packing_task *t) {
  kernel *k = p->b.k;
  int axis = k_axis_add(k, t->panels, 0, 1, 1);
  if (axis >= 0 && t->rest < t->panels)
    k->axes[axis].limit = ix_add(k, ix_const(k, t->c->count), ix_mul(k, t->band0, -1));
  return axis;
}

int task_column(product *p, const packing_task *t, int panel) {
  return product_column(p, t->c, ix_add(p->b.k, t->band0, panel));
}

int task_row(product *p, int block, int i) { return ix_add(p->b.k, ix_mul(p->b.k, block, p->kc), i); }

/* The panels of a block one after the other, then those of the next block. */
typedef struct task_place {
  int block, panel;
} task_place;

static task_place place_after(product *p, const packing_task *t, task_place at) {
  kernel *k = p->b.k;
  int panel = ix_add(k, at.panel, ix_const(k, 1)), through = ix_div(k, panel, t->panels), end = through;
  int next = ix_add(k, panel, ix_mul(k, through, -t->panels));
  if (t->rest < t->panels) { /* in the last task, which ends sooner */
    int sooner = ix_div(k, ix_add(k, ix_mul(k, t->last, t->panels), panel), t->panels + t->rest);
    end = ix_add(k, end, sooner);
    next = ix_add(k, next, ix_mul(k, sooner, -t->rest));
  }
  /* The remainder is for the bounds of indices. */
  return (task_place){.block = ix_add(k, at.block, end), .panel = ix_mod(k, next, t->panels)};
}

/* 0 or 1, and not that of the panel before. */
static int place_turn(product *p, const packing_task *t, task_place at) {
  kernel *k = p->b.k;
  int n = ix_add(k, ix_mul(k, at.block, t->panels), at.panel);
  if ((t->panels - t->rest) % 2) /* one more in the odd blocks of the last task */
    n = ix_add(k, n, ix_div(k, ix_add(k, ix_mod(k, at.block, 2), t->last), 2));
  return ix_mod(k, n, 2);
}

/* [panel][row][column]; where panels are copied ahead, of two in turn */
static int task_access(product *p, const packing_task *t, task_place at, int i, int j) {
  kernel *k = p->b.k;
  int n = task_packs_ahead(p) ? place_turn(p, t, at) : at.panel;
  return k_access_add(k, p->task_buf, ix_add(k, ix_mul(k, task_row(p, n, i), t->c->wide), j));
}

int task_value(product *p, const packing_task *t, int panel, int i, int j) {
  return k_load(p->b.k, task_access(p, t, (task_place){t->block, panel}, i, j));
}

static int vector_axis(product *p, int64_t wide, int vectors) {
  return k_axis_add(p->b.k, wide, AXIS_VECTOR, p->lanes, vectors);
}

void task_pack(product *p, const packing_task *t, int64_t first, int64_t rows) {
  if (!rows) return;
  kernel *k = p->b.k;
  int64_t wide = t->c->wide;
  int mark = builder_mark(&p->b), ak = k_axis_add(k, rows, 0, 1, 1);
  int apanel = task_packs_ahead(p) ? k_axis_add(k, 1, 0, 1, 1) : task_panel_axis(p, t);
  int aj = vector_axis(p, wide, (int)ceil_div(wide, p->lanes));
  int lk = k_loop(k, ak), lpanel = k_loop(k, apanel), lj = k_loop(k, aj);
  int col = ix_add(k, task_column(p, t, ix_axis(k, apanel)), ix_axis(k, aj));
  int i = ix_add(k, ix_axis(k, ak), ix_const(k, first));
  int value = product_right(p, t->batch, ix_const(k, 0), task_row(p, t->block, i), col).re;
  int to = task_access(p, t, (task_place){t->block, ix_axis(k, apanel)}, i, ix_axis(k, aj));
  k_store(k, to, k_cast(k, product_element(p), value));
  builder_forget(&p->b, mark);
  k_end(k, lj);
  k_end(k, lpanel);
  k_end(k, lk);
}

/* Where a value would be loaded from is fetched instead, and not converted. */
static void prefetch_value(kernel *k, int value) {
  while (value >= 0 && k->inst[value].op == K_CAST) {
    k->inst[value].op = K_NOP;
    value = k->inst[value].a;
  }
  if (value >= 0 && k->inst[value].op == K_LOAD)
    k->inst[value] = (k_inst){.op = K_PREFETCH, .a = -1, .b = -1, .c = -1, .imm = k->inst[value].imm};
}

/* The cache lines of row i of a panel. After the task's last one that is one of the next task. */
static void prefetch_row(product *p, const packing_task *t, task_place at, int i) {
  kernel *k = p->b.k;
  int64_t size = (int64_t)tme_dtype_size(product_at(p, product_source(p, p->right))->type.dtype),
          line = CACHE_LINE / size;
  int mark = builder_mark(&p->b);
  int row = task_row(p, at.block, i), task = ix_div(k, row, p->K);
  int band = ix_add(k, ix_add(k, t->band0, ix_mul(k, task, t->panels)), at.panel);
  int col = product_column(p, t->c, band);
  row = ix_mod(k, row, p->K);
  /* A row of the panel begins at a multiple of this unit in a line, and may end in one more of them. */
  int64_t unit = p->aligned ? gcd(t->c->wide, line) : 1, end = t->c->wide + line - unit;
  for (int64_t j = 0; j < end; j += line) {
    int from = ix_add(k, col, ix_const(k, j < t->c->wide ? j : t->c->wide - 1));
    prefetch_value(k, product_right(p, t->batch, ix_const(k, 0), row, from).re);
  }
  builder_forget(&p->b, mark);
}

/* A loop that runs once if n > 0, else not at all; -1, none, if n always is. */
static int loop_if(kernel *k, int n) {
  int64_t lo, hi;
  ix_range(k, n, &lo, &hi);
  if (lo > 0) return -1;
  int axis = k_axis_add(k, 1, 0, 1, 1);
  if (axis >= 0) k->axes[axis].limit = n;
  return k_loop(k, axis);
}

static void end_if(kernel *k, int loop) {
  if (loop >= 0) k_end(k, loop);
}

void task_pack_ahead(product *p, const packing_task *t, int panel, int i) {
  kernel *k = p->b.k;
  task_place next = place_after(p, t, (task_place){t->block, panel});
  int lrow = loop_if(k, ix_add(k, ix_const(k, p->kc), ix_mul(k, i, -1)));
  /* Here and below remainders are what they are of: the bounds of indices do not know of conditions. */
  i = ix_mod(k, i, p->kc);
  prefetch_row(p, t, place_after(p, t, next), i);
  int none = ix_div(k, next.block, p->K / p->kc); /* 1 where there is no next panel */
  int lcopy = loop_if(k, ix_add(k, ix_const(k, 1), ix_mul(k, none, -1)));
  int mark = builder_mark(&p->b), aj = vector_axis(p, t->c->wide, (int)ceil_div(t->c->wide, p->lanes));
  int lj = k_loop(k, aj), j = ix_axis(k, aj), row = ix_mod(k, task_row(p, next.block, i), p->K);
  int band = ix_mod(k, ix_add(k, t->band0, next.panel), t->c->count);
  int value = product_right(p, t->batch, ix_const(k, 0), row, ix_add(k, product_column(p, t->c, band), j)).re;
  k_store(k, task_access(p, t, next, i, j), k_cast(k, product_element(p), value));
  builder_forget(&p->b, mark);
  k_end(k, lj);
  end_if(k, lcopy);
  end_if(k, lrow);
}

int task_sum(product *p, const packing_task *t, int row, int panel, int j) {
  kernel *k = p->b.k;
  int n = ix_add(k, ix_mul(k, row, p->task_panels), panel);
  return k_access_add(k, p->sums_buf, ix_add(k, ix_mul(k, n, t->c->wide), j));
}

/* What is done with every sum of the task. */
typedef enum sums_step { SUMS_BEGIN, SUMS_CLOSE, SUMS_STORE } sums_step;

void task_sums_axes(product *p, packing_task *t) {
  t->arow = k_axis_add(p->b.k, p->M, 0, 1, 1);
  t->apanel = task_panel_axis(p, t);
  t->acolumn = vector_axis(p, t->c->wide, EPILOGUE_VECTORS);
}

static void each_sum(product *p, const packing_task *t, sums_step what) {
  kernel *k = p->b.k;
  int mark = builder_mark(&p->b), arow = t->arow, apanel = t->apanel, aj = t->acolumn;
  int lrow = k_loop(k, arow), lpanel = k_loop(k, apanel), lj = k_loop(k, aj);
  int sum = task_sum(p, t, ix_axis(k, arow), ix_axis(k, apanel), ix_axis(k, aj)), at = sum < 0 ? -1 : k->acc[sum].ix;
  if (what == SUMS_STORE) {
    p->spill_at = at;
    product_store(p, t->batch, ix_axis(k, arow), ix_add(k, task_column(p, t, ix_axis(k, apanel)), ix_axis(k, aj)));
  } else if (what == SUMS_CLOSE) {
    product_close_block(p, at);
  } else {
    k_store(k, sum, product_zero(p));
    product_begin_blocks(p, at);
  }
  builder_forget(&p->b, mark);
  k_end(k, lj);
  k_end(k, lpanel);
  k_end(k, lrow);
}

void task_sums(product *p, const packing_task *t, bool epilogue) { each_sum(p, t, epilogue ? SUMS_STORE : SUMS_BEGIN); }

void task_close_block(product *p, const packing_task *t) {
  kernel *k = p->b.k;
  if (p->block == p->K) return;
  int64_t per = p->block / p->kc, blocks = p->K / p->kc;
  int next = ix_add(k, t->block, ix_const(k, 1)), ends = k_index(k, ix_mod(k, next, per));
  ends = k_bin(k, K_EQ, ends, k_const_i(k, TME_I64, 0));
  if (blocks % per) ends = k_bin(k, K_OR, ends, k_bin(k, K_EQ, k_index(k, next), k_const_i(k, TME_I64, blocks)));
  int once = k_axis_add(k, 1, 0, 1, 1), loop = k_loop_where(k, once, ends);
  each_sum(p, t, SUMS_CLOSE);
  k_end(k, loop);
}
