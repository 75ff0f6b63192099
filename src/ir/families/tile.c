/* tile: repeated along new axes of its own, each in front of the axis that it then becomes one with. */
#include "ir/graph.h"
#include <string.h>

tme_status infer_tile(op_call *c, op_type *out, error *e) {
  const op_type *x = c->in[0];
  op_list *times = &c->attrs->tile.repetitions;
  int rank = x->rank > times->n ? x->rank : times->n, fewer = rank - times->n;
  for (int d = rank - 1; d >= 0; d--) times->v[d] = d < fewer ? 1 : times->v[d - fewer];
  times->n = rank;
  out->dtype = x->dtype;
  out->rank = rank;
  for (int d = 0; d < rank; d++) {
    int lead = rank - x->rank;
    if (times->v[d] < 0)
      return fail(e, TME_ERR_ARGUMENT, "tile: repeated %lld times, expected 0 or more", (long long)times->v[d]);
    if (__builtin_mul_overflow(d < lead ? 1 : x->shape[d - lead], times->v[d], &out->shape[d]))
      return fail(e, TME_ERR_MEMORY, "tile: the extent of dimension %d overflows", d);
  }
  return TME_OK;
}

/* A repeated axis takes two dimensions, with those behind it that are not repeated; so many of them fit at once. */
enum { AT_ONCE = (TME_MAX_RANK - 2) / 2 };

int decompose_tile(graph *g, const g_site *s) {
  const int64_t *times = s->attrs->tile.repetitions.v;
  const op_type *type = &s->node->type;
  int x = s->in[0];
  const op_type t = graph_get(g, x)->type;
  int lead = type->rank - t.rank;
  int64_t done = 1, left = type_size(&t);
  if (!type_size(type)) return graph_broadcast(g, graph_number(g, type->dtype, 0), type->rank, type->shape);
  for (int d = 0; d < type->rank;) {
    int64_t from[TME_MAX_RANK] = {done}, to[TME_MAX_RANK] = {done};
    int n = 1;
    for (int axes = 0; d < type->rank && axes < AT_ONCE; axes++) {
      int64_t repeated = times[d], run = d < lead ? 1 : t.shape[d - lead];
      while (++d < type->rank && times[d] == 1) run *= d < lead ? 1 : t.shape[d - lead];
      from[n] = 1;
      to[n++] = repeated;
      from[n] = to[n] = run;
      n++;
      done *= repeated * run;
      left /= run;
    }
    from[n] = to[n] = left;
    x = graph_broadcast(g, graph_reshape(g, x, n + 1, from), n + 1, to);
  }
  return graph_reshape(g, x, type->rank, type->shape);
}
