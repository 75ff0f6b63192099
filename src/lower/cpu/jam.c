/* Unroll-and-jam: where lanes are strided in memory, but the iterations of a loop around them read element by element, an
 * emitter that has several of those at hand loads rows and transposes them in registers. */
#include "lower/cpu/measure.h"
#include "kernel/kernel_util.h"

enum {
  BLOCK_BYTES = 16, /* of a row of such a block */
  NEAR = 2,         /* lanes no farther apart need no transpose */
  LONGEST = 512     /* instructions of all iterations together: more cost more time to compile than they save */
};

/* Iterations of the loop that should be at hand; 1 if they depend on each other, or if nothing is gained. */
static int64_t worth(const kernel *k, int loop) {
  int axis = k->inst[loop].a, lanes = -1;
  int64_t n = 1, far, unit;
  for (int i = loop + 1; k->inst[i].op != K_END || k->inst[i].a != loop; i++) {
    const k_inst *in = &k->inst[i];
    if (in->op == K_END) lanes = -1;
    if (in->op == K_ACC || in->op == K_UPDATE) return 1;
    if (in->op == K_LOOP) {
      const k_axis *x = &k->axes[in->a];
      bool moves = x->limit >= 0 && (ix_axes(k, x->limit) >> axis & 1);
      if (!(x->flags & AXIS_VECTOR) || x->width < 2 || moves) return 1;
      lanes = in->a;
    }
    if (in->op != K_LOAD) continue;
    const k_access *x = &k->acc[in->imm];
    if (k->bufs[x->buf].role != BUF_IN) return 1;
    if (lanes < 0 || !ix_affine(k, x->ix, lanes, &far) || !ix_affine(k, x->ix, axis, &unit)) continue;
    if ((far >= -NEAR && far <= NEAR) || (unit != 1 && unit != -1)) continue;
    int64_t fit = BLOCK_BYTES / (int64_t)tme_dtype_size((tme_dtype)k->bufs[x->buf].dtype);
    if (fit > k->axes[lanes].width) fit = k->axes[lanes].width;
    if (fit > n) n = fit;
  }
  while (n > 1 && (n > k->axes[axis].extent || n * k->ninst > LONGEST)) n /= 2;
  return n;
}

void kernel_unroll_and_jam(kernel *k) {
  for (int a = 0; a < k->naxes; a++) {
    k_axis *x = &k->axes[a];
    int64_t n = x->flags || x->sym >= 0 ? 1 : BLOCK_BYTES;
    for (int i = 0; i < k->ninst && n > 1; i++) { /* what one of its loops does not bear, none may do */
      int64_t most = k->inst[i].op == K_LOOP && k->inst[i].a == a ? worth(k, i) : n;
      n = most < n ? most : n;
    }
    if (n < 2) continue;
    x->flags = AXIS_VECTOR;
    x->width = 1;
    x->unroll = (uint8_t)n;
    if (k->opt < 1) k->opt = 1; /* a block is many values at once */
  }
}
