/* Indexing, by NumPy's rules: a[1:, ::-1], whole numbers, ..., none, arrays of whole numbers, masks. */
#include "index.h"

enum { MAX_PLACES = 4 * TME_MAX_RANK };

static bool slice_bounds(interp *in, const node *n, place *p) {
  int64_t *const bounds[3] = {&p->start, &p->stop, &p->step};
  for (int k = 0; k < 3; k++) {
    *bounds[k] = TME_NONE;
    value v;
    if (!n->bound[k]) continue;
    if (!eval_node(in, n->bound[k], &v)) return false;
    if (v.kind != VALUE_NONE && !value_int(in, &v, n->bound[k]->at, "slice", bounds[k])) return false;
    if (v.kind != VALUE_NONE) *bounds[k] = value_beside_none(*bounds[k]);
  }
  if (p->step == 0) return problem_at(in->problem, n->bound[2]->at, "slice: a step of 0");
  return true;
}

static bool read_array(interp *in, const value *v, const node *n, place *p, int *count) {
  tme_array *a = value_array(in, v, n->at, "index");
  if (!a) return false;
  if (tme_array_dtype(a) == TME_BOOL) return read_mask(in, a, n->at, p, count);
  if (v->kind == VALUE_LIST && tme_array_size(a) == 0) a = tme_astype(in->scope, a, TME_I64);
  if (!a) return engine_problem(in, n->at);
  if (tme_dtype_kind(tme_array_dtype(a)) != 'i' && tme_dtype_kind(tme_array_dtype(a)) != 'u')
    return problem_at(in->problem, n->at, "index: an array of whole numbers or truth values expected, got one of %s",
                      tme_dtype_name(tme_array_dtype(a)));
  p->kind = PLACE_ARRAY;
  p->array = a;
  return true;
}

/* `count` places, as many as there are axes that it stands for. */
static bool read_place(interp *in, const node *n, place *p, int *count) {
  *p = (place){.at = n->at, .extent = -1};
  *count = 1;
  if (n->kind == NODE_SLICE) return slice_bounds(in, n, p);
  value v;
  if (!eval_node(in, n, &v)) return false;
  switch (v.kind) {
  case VALUE_NONE: p->kind = PLACE_NEW; return true;
  case VALUE_INT:
    p->kind = PLACE_INT;
    p->start = v.u.i;
    return true;
  case VALUE_ARRAY:
  case VALUE_LIST: return read_array(in, &v, n, p, count);
  default:
    return problem_at(in->problem, n->at, "index: whole numbers, slices, '...', none or an array expected, got %s",
                      value_kind_name(v.kind));
  }
}

/* The places of the index, the ellipsis and missing ones filled in: exactly `rank` beside the new axes. */
static bool read_places(interp *in, const node *index, int rank, place *places, int *count) {
  int n = 0, axes = 0, ellipsis = -1;
  for (const node *c = index->child; c; c = c->next) {
    if (n > MAX_PLACES - TME_MAX_RANK) return problem_at(in->problem, c->at, "index: too many indices");
    if (c->kind == NODE_ELLIPSIS) {
      if (ellipsis >= 0) return problem_at(in->problem, c->at, "index: more than one '...'");
      ellipsis = n;
      continue;
    }
    int m;
    if (!read_place(in, c, &places[n], &m)) return false;
    axes += places[n].kind == PLACE_NEW ? 0 : m;
    n += m;
  }
  if (axes > rank)
    return problem_at(in->problem, index->at, "index: too many indices: %d for an array of rank %d", axes, rank);
  int missing = rank - axes, at = ellipsis < 0 ? n : ellipsis;
  for (int i = n - 1; i >= at; i--) places[i + missing] = places[i];
  for (int i = at; i < at + missing; i++)
    places[i] = (place){.start = TME_NONE, .stop = TME_NONE, .step = TME_NONE, .at = index->at, .extent = -1};
  *count = n + missing;
  return true;
}

/* The axes that a whole number drops: checked, and cut to extent 1 by the slice. Those of a mask fit. */
static bool check_axes(interp *in, tme_array *a, place *places, int n) {
  const int64_t *shape = tme_array_shape(a);
  for (int i = 0, axis = 0; i < n; i++) {
    place *p = &places[i];
    if (p->kind == PLACE_NEW) continue;
    if (p->extent >= 0 && p->extent != shape[axis])
      return problem_at(in->problem, p->at, "index: the mask has extent %lld where axis %d has %lld",
                        (long long)p->extent, axis, (long long)shape[axis]);
    if (p->kind == PLACE_INT) {
      int64_t at = p->start;
      if (at < -shape[axis] || at >= shape[axis])
        return problem_at(in->problem, p->at, "index: %lld is out of range for axis %d of extent %lld", (long long)at,
                          axis, (long long)shape[axis]);
      if (at < 0) at += shape[axis];
      p->start = at;
      p->stop = at + 1;
      p->step = 1;
    }
    axis++;
  }
  return true;
}

/* The slices, and the axes of whole numbers dropped: what is left are the axes of slices and arrays. */
static tme_array *cut(interp *in, tme_array *a, const place *places, int n) {
  int64_t start[TME_MAX_RANK], stop[TME_MAX_RANK], step[TME_MAX_RANK];
  int drop[TME_MAX_RANK], dropped = 0, axis = 0;
  bool sliced = false;
  for (int i = 0; i < n; i++) {
    const place *p = &places[i];
    if (p->kind == PLACE_NEW) continue;
    bool whole = p->kind == PLACE_ARRAY;
    start[axis] = whole ? TME_NONE : p->start;
    stop[axis] = whole ? TME_NONE : p->stop;
    step[axis] = whole ? TME_NONE : p->step;
    sliced |= start[axis] != TME_NONE || stop[axis] != TME_NONE || step[axis] != TME_NONE;
    if (p->kind == PLACE_INT) drop[dropped++] = axis;
    axis++;
  }
  if (sliced) a = tme_slice(in->scope, a, start, stop, step);
  return dropped ? tme_squeeze(in->scope, a, drop, dropped) : a;
}

/* NumPy's rule: the axes that arrays give stand where the arrays stood; in front of all others where a slice or a new axis
 * lies between arrays and whole numbers. */
static bool arrays_first(const place *places, int n) {
  int first = n, last = -1;
  for (int i = 0; i < n; i++) {
    if (places[i].kind != PLACE_ARRAY && places[i].kind != PLACE_INT) continue;
    if (first == n) first = i;
    last = i;
  }
  for (int i = first; i < last; i++)
    if (places[i].kind == PLACE_SLICE || places[i].kind == PLACE_NEW) return true;
  return false;
}

static tme_array *index_array(interp *in, tme_array *a, const place *places, int n) {
  a = cut(in, a, places, n);
  int arrays = 0, rank = 0;
  for (int i = 0; i < n; i++) arrays += places[i].kind == PLACE_ARRAY;
  bool first = arrays && arrays_first(places, n);
  if (arrays && a) a = gather(in, a, places, n, first, &rank);
  for (int i = 0, at = first ? rank : 0; i < n && a; i++) {
    if (places[i].kind == PLACE_NEW) a = tme_expand_dims(in->scope, a, at++);
    if (places[i].kind == PLACE_SLICE) at++;
    if (places[i].kind == PLACE_ARRAY && !first) {
      at += rank;
      rank = 0; /* all arrays give these axes together */
    }
  }
  return a;
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
  place places[MAX_PLACES + TME_MAX_RANK];
  int n = 0;
  tme_array *a = v->u.array;
  if (!read_places(in, index, tme_array_rank(a), places, &n) || !check_axes(in, a, places, n)) return false;
  a = index_array(in, a, places, n);
  if (!a) return engine_problem(in, index->at);
  *out = value_of_array(a);
  return true;
}
