/* The arrays of an index: masks become the numbers of what is true, several arrays one. */
#include "array/apply.h"
#include "array/array.h"
#include "array/index.h"
#include <string.h>

/* The numbers of what is true, row-major. */
static tme_array *numbers_of_true(tme_scope *own, const uint8_t *m, int64_t size) {
  int64_t n = 0, k = 0, step = 1;
  for (int64_t i = 0; i < size; i++) n += m[i] != 0;
  buffer *b = pool_get(context_of(own->engine)->pool, ((size_t)n + 1) * sizeof(int64_t));
  int64_t *to = b ? b->data : NULL;
  for (int64_t i = 0; to && i < size; i++) { /* what is not true is written over: there is room for one more */
    to[k] = i;
    k += m[i] != 0;
  }
  op_type type = {.dtype = TME_I64, .rank = 1, .shape = {n}};
  return array_of_buffer(own, &type, b, 0, &step, "index");
}

static tme_status read_mask(tme_scope *own, index_pick *pick, op_type *shape) {
  const uint8_t *m = tme_data(own, pick->given);
  if (!m) {
    error why = own->err;
    tme_clear_error(own);
    return fail(&own->err, why.code, "index: the number of elements is that of a mask's true ones: %s", why.text);
  }
  *shape = (op_type){.rank = 1, .shape = {1}};
  if (!pick->span) {
    shape->shape[0] = *m != 0;
    return TME_OK;
  }
  pick->places = numbers_of_true(own, m, type_size(&pick->given->type));
  if (!pick->places) return own->err.code;
  shape->shape[0] = pick->places->type.shape[0];
  return TME_OK;
}

bool index_places(tme_scope *own, index_plan *p) {
  p->common = (op_type){.dtype = TME_I64};
  for (int i = 0; i < p->npicks; i++) {
    index_pick *pick = &p->pick[i];
    op_type shape, both = p->common;
    if (pick->given->type.dtype == TME_BOOL) {
      if (read_mask(own, pick, &shape) != TME_OK) return false;
    } else {
      shape = pick->given->type;
      if (!dtype_is_int(shape.dtype)) pick->places = tme_astype(own, pick->given, TME_I64); /* of no elements */
      if (!pick->places) return false;
    }
    if (!type_broadcast(&p->common, &shape, &both)) {
      char a[SHAPE_TEXT], b[SHAPE_TEXT];
      type_shape_text(&p->common, a);
      type_shape_text(&shape, b);
      fail(&own->err, TME_ERR_INDEX,
           "shape mismatch: indexing arrays could not be broadcast together with shapes %s %s", a, b);
      return false;
    }
    p->common.rank = both.rank;
    memcpy(p->common.shape, both.shape, sizeof both.shape);
  }
  return true;
}

bool index_result(tme_scope *s, const index_plan *p, op_type *out) {
  *out = (op_type){.dtype = p->cut.dtype};
  int rank = p->npicks ? p->n - 1 + p->common.rank : p->n;
  if (rank > TME_MAX_RANK) {
    fail(&s->err, TME_ERR_SHAPE, "index: the result would have %d dimensions, more than the %d supported", rank,
         TME_MAX_RANK);
    return false;
  }
  for (int i = 0; i < p->n; i++) {
    if (p->at[i] != INDEX_ARRAYS) {
      out->shape[out->rank++] = p->at[i] == INDEX_NEW ? 1 : p->cut.shape[p->at[i]];
      continue;
    }
    memcpy(out->shape + out->rank, p->common.shape, (size_t)p->common.rank * sizeof *out->shape);
    out->rank += p->common.rank;
  }
  return true;
}

op_type index_merged(const index_plan *p) {
  op_type t = {.dtype = p->cut.dtype};
  for (int d = 0; d < p->cut.rank; d++) {
    if (d <= p->first || d > p->last)
      t.shape[t.rank++] = p->cut.shape[d];
    else
      t.shape[p->first] *= p->cut.shape[d];
  }
  return t;
}

static tme_array *counted(tme_scope *own, int64_t extent) {
  const tme_arg args[] = {arg_int(extent), {.kind = TME_ARG_ABSENT}, {.kind = TME_ARG_ABSENT}, arg_int(TME_I64)};
  tme_array *out;
  apply(own, OP_arange, args, COUNT(args), &out);
  return out;
}

/* The array that stands for the axis; NULL: it is a slice's. */
static const index_pick *pick_over(const index_plan *p, int axis) {
  for (int i = 0; i < p->npicks; i++)
    if (p->pick[i].axis <= axis && axis < p->pick[i].axis + p->pick[i].span) return &p->pick[i];
  return NULL;
}

/* With axes of 1 behind its own. */
static tme_array *padded(tme_scope *own, tme_array *a, int ones) {
  if (!a || !ones) return a;
  op_type t = a->type;
  for (int i = 0; i < ones; i++) t.shape[t.rank++] = 1;
  return tme_reshape(own, a, t.shape, t.rank);
}

tme_array *index_linear(tme_scope *own, const index_plan *p) {
  op_type all = p->common;
  for (int d = p->first; d <= p->last; d++)
    if (!pick_over(p, d)) all.shape[all.rank++] = p->cut.shape[d];
  int between = all.rank - p->common.rank, behind = 0;
  int64_t step = 1;
  tme_array *sum = NULL;
  for (int d = p->last; d >= p->first;) {
    const index_pick *pick = pick_over(p, d);
    int start = pick ? pick->axis : d;
    int64_t extent = 1;
    for (; d >= start; d--) extent *= p->cut.shape[d];
    tme_array *a = pick ? pick->places : counted(own, extent);
    /* Gathered from 0, 1, 2, ..., whole numbers count from the start, and those out of range are an error. */
    bool alone = !sum && d < p->first;
    if (pick && !alone && pick->given->type.dtype != TME_BOOL) a = tme_take(own, counted(own, extent), a, 0);
    a = padded(own, a, pick ? between : behind++);
    if (sum) a = tme_add(own, tme_multiply(own, a, tme_integer(own, step)), sum);
    if (!a) return NULL;
    sum = a;
    step *= extent;
  }
  return type_same_shape(&sum->type, &all) ? sum : tme_broadcast_to(own, sum, all.shape, all.rank);
}
