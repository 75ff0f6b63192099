/* Maps: elementwise groups, one value for each point of their space. */
#include "lower/cpu/measure.h"
#include "lower/cpu/rows.h"

enum {
  QUICK_FROM = 48 /* instructions of a map that takes one vector at a time at first */
};

void map_emit(row_group *r) {
  int i = r->G->seed;
  builder_store(&r->b, i, r->ix, builder_value(&r->b, i, r->ix, -1));
}

void map_set_lanes(row_group *r) {
  kernel *k = r->b.k;
  bool tiled = r->form == ROWS_TILES;
  for (int i = 0; i < k->naxes; i++) {
    k_axis *a = &k->axes[i];
    if (!(a->flags & AXIS_VECTOR)) continue;
    a->width = (uint16_t)cpu_lanes(rows_cpu(r), kernel_widest(k, i));
    int unroll = k->ninst < 160 ? 4 : 2;
    int64_t line = tiled ? tiles_line(r) / a->width : unroll;
    if (line < unroll) unroll = line > 1 ? (int)line : 1;
    bool quick = !tiled && unroll > 1 && k->ninst >= QUICK_FROM;
    if (quick) k->full_unroll = unroll;
    a->unroll = quick ? 1 : (uint8_t)unroll;
  }
  k->opt = k->ninst < 24 ? 0 : 1; /* long straight code spills without a register allocator */
}

void map_make_symbolic(row_group *r) {
  kernel *k = r->b.k;
  if (r->nruns != 1 || k->naxes != 1) return;
  for (int i = 0; i < k->nacc; i++) {
    int64_t factor;
    const k_access *a = &k->acc[i];
    const k_ix *x = &k->ix[a->ix];
    bool simple = a->guard < 0 && a->dyn < 0 && (x->op == IX_AXIS || (x->op == IX_CONST && x->c == 0)) &&
                  ix_affine(k, a->ix, r->runs[0].axis, &factor);
    if (!simple || k->bufs[a->buf].lo != 0) return;
  }
  for (int i = 0; i < k->ninst; i++)
    if (k->inst[i].op == K_INDEX) return;
  k_axis *a = &k->axes[r->runs[0].axis];
  int arg = builder_arg(&r->b, -1, 0, a->extent);
  for (int i = 0; i < k->nbufs; i++)
    if (k->bufs[i].hi == a->extent) k->bufs[i].hi = INT64_MAX / 16;
  a->sym = arg;
  a->extent = INT64_MAX / 16;
  /* the ranges of indices are part of the kernel's bytes: the same for all extents */
  for (int i = 0; i < k->nix; i++)
    if (k->ix[i].op == IX_AXIS && k->ix[i].a == r->runs[0].axis) k->ix[i].hi = a->extent - 1;
}
