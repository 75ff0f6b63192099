/* Replacing what an index names: a new array, of which slice_update and scatter make the parts. */
#include "array/index.h"
#include "array/untyped.h"
#include <string.h>

typedef struct put {
  tme_scope *own;
  const index_plan *p;
  tme_put_mode mode;
  tme_array *x, *cut; /* what slices and whole numbers leave of x */
  tme_array *values;  /* of x's dtype */
} put;

/* In x's dtype; what that cannot hold is an error. */
static tme_array *converted(tme_scope *own, tme_array *values, tme_dtype t) {
  if (dtype_is_complex(values->type.dtype) && !dtype_is_complex(t)) {
    fail(&own->err, TME_ERR_DTYPE, "put: values of %s do not go into %s", tme_dtype_name(values->type.dtype),
         tme_dtype_name(t));
    return NULL;
  }
  if (values->type.weak && !untyped_fits(own, "put", values, t)) return NULL;
  return values->type.dtype == t && !values->type.weak ? values : tme_astype(own, values, t);
}

/* As scatter combines: of bools a sum is true where a term is. */
static tme_array *combined(const put *u, tme_array *old, tme_array *values) {
  if (u->mode != TME_PUT_SET && u->x->type.dtype == TME_BOOL)
    return u->mode == TME_PUT_ADD || u->mode == TME_PUT_MAX ? tme_logical_or(u->own, old, values)
                                                            : tme_logical_and(u->own, old, values);
  switch (u->mode) {
  case TME_PUT_ADD: return tme_add(u->own, old, values);
  case TME_PUT_MULTIPLY: return tme_multiply(u->own, old, values);
  case TME_PUT_MIN: return tme_minimum(u->own, old, values);
  case TME_PUT_MAX: return tme_maximum(u->own, old, values);
  default: return values;
  }
}

static tme_array *shaped(const put *u, tme_array *a, const op_type *t) {
  return !a || type_same_shape(&a->type, t) ? a : tme_reshape(u->own, a, t->shape, t->rank);
}

/* The extents of the values along `rank` axes: ones in front of theirs, or some of theirs that are 1 left out. */
static bool aligned(const op_type *values, int rank, int64_t *extent) {
  for (int d = 0; d < values->rank - rank; d++)
    if (values->shape[d] != 1) return false;
  for (int d = 0; d < rank; d++) {
    int from = d + values->rank - rank;
    extent[d] = from < 0 ? 1 : values->shape[from];
  }
  return true;
}

/* Whether the values broadcast to the result; `extent` has their extents along its axes. */
static bool over_result(const put *u, const op_type *result, int64_t *extent) {
  bool fits = aligned(&u->values->type, result->rank, extent);
  for (int d = 0; d < result->rank && fits; d++) fits = extent[d] == 1 || extent[d] == result->shape[d];
  if (fits) return true;
  char a[SHAPE_TEXT], b[SHAPE_TEXT];
  type_shape_text(&u->values->type, a);
  type_shape_text(result, b);
  fail(&u->own->err, TME_ERR_SHAPE, "put: values of shape %s do not broadcast to shape %s, which the index gives", a,
       b);
  return false;
}

/* The shape of the values over what is cut, of extent 1 along the axes that arrays stand for; false if they are more than one
 * there, or do not broadcast. */
static bool over_cut(const put *u, op_type *out) {
  const index_plan *p = u->p;
  int64_t extent[INDEX_MOST + TME_MAX_RANK];
  if (!aligned(&u->values->type, p->n, extent)) return false;
  *out = (op_type){.rank = p->cut.rank};
  for (int d = 0; d < p->cut.rank; d++) out->shape[d] = 1;
  for (int i = 0; i < p->n; i++) {
    if (extent[i] != 1 && extent[i] != (p->at[i] < 0 ? 1 : p->cut.shape[p->at[i]])) return false;
    if (p->at[i] >= 0) out->shape[p->at[i]] = extent[i];
  }
  return true;
}

/* One mask, and the same values for all that it names: nothing needs to know where it is true. */
static tme_array *put_where(const put *u, const op_type *values) {
  const index_pick *pick = &u->p->pick[0];
  op_type mask = {.rank = u->p->cut.rank};
  for (int d = 0; d < mask.rank; d++)
    mask.shape[d] = d < pick->axis || d >= pick->axis + pick->span ? 1 : u->p->cut.shape[d];
  tme_array *new = combined(u, u->cut, shaped(u, u->values, values));
  return tme_where(u->own, shaped(u, pick->given, &mask), new, u->cut);
}

/* The values as scatter takes them: axes before the arrays, the arrays', those of slices between, others. */
static tme_array *updates(const put *u, const int64_t *extent) {
  const index_plan *p = u->p;
  op_type without = {.rank = 0}; /* new axes */
  for (int i = 0, d = 0; i < p->n; i++) {
    int n = p->at[i] == INDEX_ARRAYS ? p->common.rank : 1;
    for (int end = d + n; d < end; d++)
      if (p->at[i] != INDEX_NEW) without.shape[without.rank++] = extent[d];
  }
  tme_array *a = shaped(u, u->values, &without);
  if (!p->in_front || !p->first) return a;
  int64_t axes[TME_MAX_RANK];
  for (int d = 0; d < without.rank; d++)
    axes[d] = d < p->first ? d + p->common.rank : d < p->first + p->common.rank ? d - p->first : d;
  return tme_transpose(u->own, a, axes, without.rank);
}

static tme_array *put_scattered(const put *u, const int64_t *extent) {
  static const char *const modes[] = {"set", "add", "multiply", "min", "max"};
  const index_plan *p = u->p;
  op_type merged = index_merged(p);
  tme_array *x = shaped(u, u->cut, &merged), *indices = index_linear(u->own, p);
  return shaped(u, tme_scatter(u->own, x, indices, updates(u, extent), p->first, modes[u->mode]), &p->cut);
}

/* What is cut with the values put into it; it may have extents of 1 where they are repeated. */
static tme_array *put_into_cut(const put *u, index_plan *p) {
  op_type values, result;
  int64_t extent[TME_MAX_RANK];
  bool alike = over_cut(u, &values);
  if (alike && p->npicks == 1 && p->pick[0].given->type.dtype == TME_BOOL) return put_where(u, &values);
  if (p->npicks && !index_places(u->own, p)) return NULL;
  if (!index_result(u->own, p, &result) || !over_result(u, &result, extent)) return NULL;
  if (p->first >= 0) return put_scattered(u, extent);
  if (p->npicks && !type_size(&p->common)) return u->cut; /* of masks without axes one is false */
  return combined(u, u->cut, shaped(u, u->values, &values));
}

/* That in place of what was cut. */
static tme_array *put_back(const put *u, tme_array *a) {
  const index_plan *p = u->p;
  if (!a) return NULL;
  op_type whole = p->sliced;
  for (int d = 0; d < whole.rank; d++) whole.shape[d] = 1;
  for (int d = 0; d < p->cut.rank; d++) whole.shape[p->axis[d]] = a->type.shape[d];
  a = shaped(u, a, &whole);
  if (!p->whole) return tme_slice_update(u->own, u->x, a, p->start, p->stop, p->step);
  return !a || type_same_shape(&a->type, &p->sliced) ? a : tme_broadcast_to(u->own, a, p->sliced.shape, p->sliced.rank);
}

static tme_array *put_all(put *u, index_plan *p) {
  int all[TME_MAX_RANK];
  for (int d = 0; d < p->cut.rank; d++) all[d] = d;
  bool replaced = u->mode == TME_PUT_SET && !p->npicks; /* all that is cut */
  if (!replaced && !(u->cut = index_cut(u->own, u->x, p, all, p->cut.rank))) return NULL;
  u->values = converted(u->own, u->values, u->x->type.dtype);
  return u->values ? put_back(u, put_into_cut(u, p)) : NULL;
}

tme_array *tme_put(tme_scope *s, tme_array *x, const tme_index *ix, int n, tme_array *values, tme_put_mode mode) {
  index_plan p;
  if (!s || !index_read(s, x, ix, n, &p)) return NULL;
  const char *wrong = !values                             ? "the values are NULL"
                      : values->node->engine != s->engine ? "the values belong to another engine"
                      : (unsigned)mode > TME_PUT_MAX      ? "there is no such mode"
                                                          : NULL;
  if (wrong) {
    fail(&s->err, TME_ERR_ARGUMENT, "put: %s", wrong);
    return NULL;
  }
  put u = {.own = scope_between(s, "put"), .p = &p, .mode = mode, .x = x, .values = values};
  return u.own ? scope_result(s, u.own, put_all(&u, &p)) : NULL;
}
