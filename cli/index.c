/* Indexing: a[1:, ::-1], whole numbers, ..., none, one array of whole numbers. */
#include "eval.h"
#include <stdio.h>

enum { MAX_PLACES = 4 * TME_MAX_RANK };

typedef enum place_kind { PLACE_SLICE, PLACE_INT, PLACE_NEW, PLACE_ARRAY } place_kind;

typedef struct place {
  place_kind kind;
  size_t at;
  int64_t start, stop, step; /* slice; a whole number in start */
  tme_array *array;
} place;

static bool slice_bounds(interp *in, const node *n, place *p) {
  int64_t *const bounds[3] = {&p->start, &p->stop, &p->step};
  for (int k = 0; k < 3; k++) {
    *bounds[k] = TME_NONE;
    value v;
    if (!n->bound[k]) continue;
    if (!eval_node(in, n->bound[k], &v)) return false;
    if (v.kind != VALUE_NONE && !value_int(in, &v, n->bound[k]->at, "slice", bounds[k])) return false;
  }
  if (p->step == 0) return problem_at(in->problem, n->bound[2]->at, "slice: a step of 0");
  return true;
}

static bool read_place(interp *in, const node *n, place *p) {
  *p = (place){.at = n->at};
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
  case VALUE_LIST:
    p->kind = PLACE_ARRAY;
    p->array = value_array(in, &v, n->at, "index");
    if (p->array && tme_array_dtype(p->array) == TME_BOOL)
      return problem_at(in->problem, n->at, "an index by truth values is not supported: use where(condition, x, y)");
    return p->array != NULL;
  default:
    return problem_at(in->problem, n->at, "index: whole numbers, slices, '...', none or an array expected, got %s",
                      value_kind_name(v.kind));
  }
}

/* The places of the index, the ellipsis and missing ones filled in: exactly `rank` beside the new axes. */
static bool read_places(interp *in, const node *index, int rank, place *places, int *count) {
  int n = 0, axes = 0, ellipsis = -1;
  for (const node *c = index->child; c; c = c->next) {
    if (n == MAX_PLACES) return problem_at(in->problem, c->at, "index: too many places");
    if (c->kind == NODE_ELLIPSIS) {
      if (ellipsis >= 0) return problem_at(in->problem, c->at, "index: more than one '...'");
      ellipsis = n;
      continue;
    }
    if (!read_place(in, c, &places[n])) return false;
    axes += places[n++].kind != PLACE_NEW;
  }
  if (axes > rank) return problem_at(in->problem, index->at, "index: %d places for an array of rank %d", axes, rank);
  int missing = rank - axes, at = ellipsis < 0 ? n : ellipsis;
  for (int i = n - 1; i >= at; i--) places[i + missing] = places[i];
  for (int i = at; i < at + missing; i++)
    places[i] = (place){.start = TME_NONE, .stop = TME_NONE, .step = TME_NONE, .at = index->at};
  *count = n + missing;
  return true;
}

/* The axes that a whole number drops: checked, and cut to extent 1 by the slice. */
static bool cut_integers(interp *in, tme_array *a, place *places, int n) {
  const int64_t *shape = tme_array_shape(a);
  for (int i = 0, axis = 0; i < n; i++) {
    if (places[i].kind == PLACE_INT) {
      int64_t at = places[i].start;
      if (at < -shape[axis] || at >= shape[axis])
        return problem_at(in->problem, places[i].at, "index: %lld is out of range for axis %d of extent %lld",
                          (long long)at, axis, (long long)shape[axis]);
      if (at < 0) at += shape[axis];
      places[i].start = at;
      places[i].stop = at + 1;
      places[i].step = 1;
    }
    axis += places[i].kind != PLACE_NEW;
  }
  return true;
}

/* NumPy moves the axis of an array that stands apart from a whole number to the front: refused rather than done
 * differently. */
static bool check_arrays(interp *in, const place *places, int n) {
  int array = -1, integer = -1;
  for (int i = 0; i < n; i++) {
    if (places[i].kind == PLACE_ARRAY && array >= 0)
      return problem_at(in->problem, places[i].at, "index: one array an index");
    if (places[i].kind == PLACE_ARRAY) array = i;
  }
  for (int i = 0; i < n && array >= 0; i++)
    if (places[i].kind == PLACE_INT) {
      integer = i;
      for (int k = integer < array ? integer : array; k <= (integer < array ? array : integer); k++)
        if (places[k].kind == PLACE_SLICE || places[k].kind == PLACE_NEW)
          return problem_at(in->problem, places[i].at,
                            "index: a whole number apart from an array: index twice, or use take(x, indices, axis=)");
    }
  return true;
}

static tme_array *index_array(interp *in, tme_array *a, const place *places, int n) {
  tme_scope *s = in->scope;
  int64_t start[TME_MAX_RANK], stop[TME_MAX_RANK], step[TME_MAX_RANK];
  bool sliced = false;
  for (int i = 0, axis = 0; i < n; i++) {
    const place *p = &places[i];
    if (p->kind == PLACE_NEW) continue;
    bool whole = p->kind == PLACE_ARRAY;
    start[axis] = whole ? TME_NONE : p->start;
    stop[axis] = whole ? TME_NONE : p->stop;
    step[axis] = whole ? TME_NONE : p->step;
    sliced |= start[axis] != TME_NONE || stop[axis] != TME_NONE || step[axis] != TME_NONE;
    axis++;
  }
  if (sliced) a = tme_slice(s, a, start, stop, step);
  /* From the last axis on, so that the axes before stay where they are. */
  int axis = 0;
  for (int i = 0; i < n; i++) axis += places[i].kind != PLACE_NEW;
  for (int i = n - 1; i >= 0; i--) {
    if (places[i].kind == PLACE_NEW) continue;
    axis--;
    if (places[i].kind == PLACE_INT) {
      a = tme_squeeze(s, a, &axis, 1);
    } else if (places[i].kind == PLACE_ARRAY) {
      a = tme_take(s, a, places[i].array, axis);
    }
  }
  for (int i = 0, at = 0; i < n && a; i++) {
    if (places[i].kind == PLACE_NEW) a = tme_expand_dims(s, a, at++);
    if (places[i].kind == PLACE_SLICE) at++;
    if (places[i].kind == PLACE_ARRAY) at += tme_array_rank(places[i].array);
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
    return problem_at(in->problem, index->child->at, "index: %lld is out of range for %d elements", (long long)at,
                      v->u.list.n);
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
  if (!read_places(in, index, tme_array_rank(a), places, &n) || !cut_integers(in, a, places, n) ||
      !check_arrays(in, places, n))
    return false;
  a = index_array(in, a, places, n);
  if (!a) return engine_problem(in, index->at);
  *out = value_of_array(a);
  return true;
}
