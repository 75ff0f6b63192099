/* Indexing: a[1:, ::-1], whole numbers, ..., none, arrays of whole numbers, masks. */
#include "eval.h"

/* The entries of an index and where they are written. */
typedef struct entries {
  int n;
  tme_index *ix;
  const node **from;
} entries;

static bool slice_bounds(interp *in, const node *n, tme_index *ix) {
  int64_t *const bounds[3] = {&ix->start, &ix->stop, &ix->step};
  for (int k = 0; k < 3; k++) {
    *bounds[k] = TME_NONE;
    value v;
    if (!n->bound[k]) continue;
    if (!eval_node(in, n->bound[k], &v)) return false;
    if (v.kind != VALUE_NONE && !value_int(in, &v, n->bound[k]->at, "slice", bounds[k])) return false;
    if (v.kind != VALUE_NONE) *bounds[k] = value_beside_none(*bounds[k]);
  }
  return true;
}

static bool read_entry(interp *in, const node *n, tme_index *ix) {
  *ix = (tme_index){.kind = TME_INDEX_SLICE};
  if (n->kind == NODE_SLICE) return slice_bounds(in, n, ix);
  ix->kind = TME_INDEX_ELLIPSIS;
  if (n->kind == NODE_ELLIPSIS) return true;
  value v;
  if (!eval_node(in, n, &v)) return false;
  switch (v.kind) {
  case VALUE_NONE: ix->kind = TME_INDEX_NEW_AXIS; return true;
  case VALUE_INT:
    ix->kind = TME_INDEX_INT;
    ix->start = v.u.i;
    return true;
  case VALUE_BOOL:
  case VALUE_ARRAY:
  case VALUE_LIST:
    ix->kind = TME_INDEX_ARRAY;
    ix->array = value_array(in, &v, n->at, "index");
    return ix->array != NULL;
  default:
    return problem_at(in->problem, n->at, "index: whole numbers, slices, '...', none or an array expected, got %s",
                      value_kind_name(v.kind));
  }
}

static bool read_entries(interp *in, const node *index, entries *e) {
  size_t n = 0;
  for (const node *c = index->child; c; c = c->next) n++;
  e->ix = arena_alloc(in->memory, n, sizeof *e->ix);
  e->from = arena_alloc(in->memory, n, sizeof *e->from);
  if (!e->ix || !e->from) return problem_memory(in->problem);
  for (const node *c = index->child; c; c = c->next) {
    e->from[e->n] = c;
    if (!read_entry(in, c, &e->ix[e->n++])) return false;
  }
  return true;
}

/* Whether the engine takes the first n entries, with slices of whole axes for the others. */
static bool takes(interp *in, tme_array *a, const entries *e, int n, tme_index *room) {
  int count = 0;
  bool ellipsis = false;
  for (int i = 0; i < e->n; i++) {
    const tme_index *ix = &e->ix[i];
    int axes = ix->kind == TME_INDEX_SLICE || ix->kind == TME_INDEX_INT;
    if (ix->kind == TME_INDEX_ARRAY) axes = tme_array_dtype(ix->array) == TME_BOOL ? tme_array_rank(ix->array) : 1;
    if (i < n || (ix->kind == TME_INDEX_ELLIPSIS && !ellipsis)) {
      room[count++] = *ix;
      ellipsis |= ix->kind == TME_INDEX_ELLIPSIS;
      continue;
    }
    for (int k = 0; k < axes; k++) room[count++] = (tme_index){TME_INDEX_SLICE, TME_NONE, TME_NONE, TME_NONE, NULL};
  }
  tme_scope *s = tme_scope_new(tme_scope_engine(in->scope));
  bool ok = tme_get(s, a, room, count) != NULL;
  tme_scope_free(s);
  return ok;
}

/* Where the entry is that the engine does not take, or the index if it is that as a whole. */
static size_t place_of_problem(interp *in, tme_array *a, const node *index, const entries *e) {
  tme_index *room = arena_alloc(in->memory, (size_t)e->n, TME_MAX_RANK * sizeof *room);
  int good = 0;
  while (room && good <= e->n && takes(in, a, e, good, room)) good++;
  return good && good <= e->n ? e->from[good - 1]->at : index->at;
}

static bool index_list(interp *in, const value *v, const node *index, value *out) {
  value i;
  int64_t at;
  if (index->child->next || index->child->kind == NODE_SLICE || index->child->kind == NODE_ELLIPSIS)
    return problem_at(in->problem, index->at, "index: one whole number expected for %s", value_kind_name(v->kind));
  if (!eval_node(in, index->child, &i) || !value_int(in, &i, index->child->at, "index", &at)) return false;
  if (at < -v->u.list.n || at >= v->u.list.n)
    return problem_at(in->problem, index->child->at, "index: %lld is out of range for %d element%s", (long long)at,
                      v->u.list.n, v->u.list.n == 1 ? "" : "s");
  *out = v->u.list.items[at < 0 ? at + v->u.list.n : at];
  return true;
}

bool eval_index(interp *in, const value *v, const node *index, value *out) {
  if (v->kind == VALUE_LIST || v->kind == VALUE_TUPLE) return index_list(in, v, index, out);
  if (v->kind != VALUE_ARRAY)
    return problem_at(in->problem, index->at, "index: %s has no elements", value_kind_name(v->kind));
  entries e = {0};
  if (!read_entries(in, index, &e)) return false;
  tme_array *a = tme_get(in->scope, v->u.array, e.ix, e.n);
  *out = value_of_array(a);
  return a || engine_problem(in, place_of_problem(in, v->u.array, index, &e));
}
