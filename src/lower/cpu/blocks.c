/* Long sums. An accumulator that takes n terms may lose n / 2 units in the last place, and from 2^24 ones on an f32 stands
 * still. So it takes MOST_TERMS at most: the loops over a row are cut into blocks, each is summed from 0 on, and the sums of
 * the blocks are added with the errors of these additions kept apart (two numbers instead of one), once a block.
 *
 * Where a row is cut depends on its shape, the dtype of the sum and the lanes alone, as the order of a sum must. */
#include "lower/cpu/rows.h"
#include "lower/cpu/measure.h"

enum { MOST_TERMS = 512, BLOCK_TERMS = 256 };

static bool is_float_sum(const row_group *r, int i) {
  return rows_node(r, i)->op == OP_sum && dtype_is_float(dtype_held(rows_node(r, i)->type.dtype));
}

void blocks_find(row_group *r) {
  bool sums = false;
  r->sums.cut = -1;
  if (!rows_length(r)) return;
  for (int m = 0; m < r->G->nmembers; m++) sums |= is_float_sum(r, r->G->member[m]);
  int64_t terms = 1, strip = (int64_t)cpu_lanes(rows_cpu(r), rows_ordered_bytes(r)) * SUM_UNROLL;
  for (int i = r->nruns - 1; i >= 0 && sums && r->sums.cut < 0; i--) {
    if (!r->runs[i].reduced) continue;
    int64_t at_once = i == r->nruns - 1 ? strip : 1, steps = ceil_div(r->runs[i].extent, at_once);
    if (steps > MOST_TERMS / terms) {
      r->sums.cut = i;
      r->sums.block = (terms < BLOCK_TERMS ? BLOCK_TERMS / terms : 1) * at_once;
    }
    terms *= steps;
  }
  if (r->sums.cut >= 0)
    r->sums.axis = k_axis_add(r->b.k, ceil_div(r->runs[r->sums.cut].extent, r->sums.block), AXIS_REDUCE, 1, 1);
}

void blocks_limit(row_group *r, int axis, int64_t elements) {
  kernel *k = r->b.k;
  if (axis < 0 || r->sums.axis < 0) return;
  int64_t size = r->sums.block / elements;
  int first = ix_mul(k, ix_axis(k, r->sums.axis), size);
  k->axes[axis].first = first;
  k->axes[axis].limit = ix_add(k, first, ix_const(k, size));
}

bool blocks_sum(const row_group *r, const accumulator *a) { return r->sums.cut >= 0 && is_float_sum(r, a->node); }

int blocks_lost(kernel *k, int before, int v, int after) {
  int added = k_bin(k, K_SUB, after, before);
  int lost = k_bin(k, K_SUB, before, k_bin(k, K_SUB, after, added));
  return k_bin(k, K_ADD, lost, k_bin(k, K_SUB, v, added));
}

/* Of a sum that is infinite or NaN, nothing is known to be lost. */
int blocks_total(kernel *k, int sum, int lost) {
  tme_dtype t = (tme_dtype)(lost < 0 ? TME_F32 : k->inst[lost].dtype);
  int known = k_bin(k, K_EQ, k_bin(k, K_SUB, lost, lost), k_const_f(k, t, 0));
  return k_select(k, known, k_bin(k, K_ADD, sum, lost), sum);
}

static int parts_of(const row_group *r, const accumulator *a) {
  return dtype_is_complex(rows_node(r, a->node)->type.dtype) ? 2 : 1;
}

static int start_at_neutral(row_group *r, const accumulator *a) {
  return k_emit(r->b.k, K_ACC, a->dtype, rows_neutral(r->b.k, a->combine, a->dtype), (int)a->combine, -1, 0);
}

static int read(row_group *r, const accumulator *a, int acc) {
  return k_emit(r->b.k, K_READ, a->dtype, acc, -1, -1, 0);
}

void blocks_start(row_group *r, accumulator *a) {
  for (int w = 0; w < parts_of(r, a); w++) {
    a->sum[w] = start_at_neutral(r, a);
    a->lost[w] = start_at_neutral(r, a);
  }
}

void blocks_open(row_group *r, accumulator *a) {
  for (int w = 0; w < parts_of(r, a); w++) a->acc[w] = start_at_neutral(r, a);
}

void blocks_close(row_group *r, const accumulator *a) {
  kernel *k = r->b.k;
  for (int w = 0; w < parts_of(r, a); w++) {
    int v = read(r, a, a->acc[w]), before = read(r, a, a->sum[w]);
    k_emit(k, K_UPDATE, a->dtype, a->sum[w], v, -1, 0);
    int after = read(r, a, a->sum[w]);
    k_emit(k, K_UPDATE, a->dtype, a->lost[w], blocks_lost(k, before, v, after), -1, 0);
  }
}

expr_value blocks_result(row_group *r, const accumulator *a) {
  bool blocks = blocks_sum(r, a);
  int v[2] = {-1, -1};
  for (int w = 0; w < parts_of(r, a); w++) {
    v[w] = read(r, a, blocks ? a->sum[w] : a->acc[w]);
    if (blocks) v[w] = blocks_total(r->b.k, v[w], read(r, a, a->lost[w]));
  }
  return (expr_value){v[0], v[1]};
}
