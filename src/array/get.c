/* Reading what an index names. */
#include "array/index.h"

/* From (axes before, the arrays', others) to (the arrays', axes before, others). */
static tme_array *arrays_in_front(tme_scope *own, const index_plan *p, tme_array *a) {
  int64_t axes[TME_MAX_RANK];
  int rank = tme_array_rank(a), arrays = p->common.rank;
  for (int d = 0; d < rank; d++) axes[d] = d < arrays ? p->first + d : d < arrays + p->first ? d - arrays : d;
  return tme_transpose(own, a, axes, a ? rank : TME_ALL);
}

static tme_array *pick(tme_scope *own, tme_array *x, index_plan *p) {
  op_type type;
  if (!index_places(own, p) || !index_result(own, p, &type)) return NULL;
  int all[TME_MAX_RANK];
  for (int d = 0; d < p->cut.rank; d++) all[d] = d;
  tme_array *a = index_cut(own, x, p, all, p->cut.rank);
  if (p->first >= 0) {
    op_type merged = index_merged(p);
    if (p->first < p->last) a = tme_reshape(own, a, merged.shape, merged.rank);
    a = tme_take(own, a, index_linear(own, p), p->first);
    if (p->in_front && p->first && p->common.rank) a = arrays_in_front(own, p, a);
  } else if (!type_size(&p->common)) {
    return tme_zeros(own, type.shape, type.rank, type.dtype); /* by a mask without axes that is false */
  }
  return a && type_same_shape(&a->type, &type) ? a : tme_reshape(own, a, type.shape, type.rank);
}

tme_array *tme_get(tme_scope *s, tme_array *x, const tme_index *ix, int n) {
  index_plan p;
  if (!s || !index_read(s, x, ix, n, &p)) return NULL;
  if (p.npicks) {
    tme_scope *own = scope_between(s, "index");
    return own ? scope_result(s, own, pick(own, x, &p)) : NULL;
  }
  tme_array *a = index_cut(s, x, &p, p.at, p.n);
  return a == x ? tme_keep(s, a) : a;
}
