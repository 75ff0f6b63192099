/* Reading an index: what it cuts off, and which axes its arrays stand for. */
#include "array/index.h"
#include "array/array.h"
#include "array/untyped.h"
#include <string.h>

typedef struct reader {
  tme_scope *s;
  const op_type *x;
  index_plan *p;
  int axis; /* of x, the next one */
  enum {
    BEFORE,
    AMONG,
    AFTER
  } state;   /* of arrays and whole numbers, which stand together unless something is between them */
  int stood; /* the axes of the result in front of them */
  bool apart, array;
} reader;

/* ---- one entry ------------------------------------------------------------------------------------------------------ */

static bool refuse(const reader *r, tme_status code, const char *fmt, ...) TME_PRINTF(3, 4);
static bool refuse(const reader *r, tme_status code, const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  vfail(&r->s->err, code, fmt, ap);
  va_end(ap);
  return false;
}

static bool holds_integers(const tme_array *a) {
  return dtype_is_int(a->type.dtype) || (a->type.weak && !type_size(&a->type)); /* as what an empty list is */
}

static bool check_array(const reader *r, const tme_array *a) {
  if (!a) return refuse(r, TME_ERR_ARGUMENT, "index: the array is NULL");
  if (a->node->engine != r->s->engine) return refuse(r, TME_ERR_ARGUMENT, "index: the array belongs to another engine");
  if (a->type.dtype == TME_BOOL || holds_integers(a)) return true;
  return refuse(r, TME_ERR_DTYPE, "arrays used as indices must be of integers or booleans, not %s",
                tme_dtype_name(a->type.dtype));
}

/* How many axes of x it stands for; -1 with an error. */
static int axes_of(const reader *r, const tme_index *ix) {
  switch (ix->kind) {
  case TME_INDEX_SLICE:
  case TME_INDEX_INT: return 1;
  case TME_INDEX_NEW_AXIS:
  case TME_INDEX_ELLIPSIS: return 0;
  case TME_INDEX_ARRAY:
    if (!check_array(r, ix->array)) return -1;
    return ix->array->type.dtype == TME_BOOL ? ix->array->type.rank : 1;
  }
  refuse(r, TME_ERR_ARGUMENT, "index: there is no kind number %d", (int)ix->kind);
  return -1;
}

static bool check_bounds(const reader *r, op_number k) {
  int64_t extent = r->x->shape[r->axis];
  if (k.kind == NUMBER_INT ? k.v.i >= -extent && k.v.i < extent : k.v.u < (uint64_t)extent) return true;
  char number[32];
  number_text(&k, number);
  return refuse(r, TME_ERR_INDEX, "index %s is out of bounds for axis %d with size %lld", number, r->axis,
                (long long)extent);
}

static bool add_slice(reader *r, int64_t start, int64_t stop, int64_t step, bool drop) {
  index_plan *p = r->p;
  int d = r->axis++;
  if (step == 0) return refuse(r, TME_ERR_ARGUMENT, "slice step cannot be zero");
  p->start[d] = start;
  p->stop[d] = stop;
  p->step[d] = step;
  int64_t extent = p->sliced.shape[d] = slice_extent(r->x->shape[d], &p->start[d], &p->stop[d], &p->step[d]);
  p->whole &= p->start[d] == 0 && p->step[d] == 1 && extent == r->x->shape[d];
  if (drop) return true;
  p->axis[p->cut.rank] = d;
  p->cut.shape[p->cut.rank++] = extent;
  return true;
}

/* A slice that is an axis of the result. */
static bool add_axis(reader *r, int64_t start, int64_t stop, int64_t step) {
  r->p->at[r->p->n++] = r->p->cut.rank;
  return add_slice(r, start, stop, step, false);
}

static bool add_whole(reader *r) { return add_slice(r, TME_NONE, TME_NONE, TME_NONE, false); }

static bool add_int(reader *r, int64_t v) {
  if (!check_bounds(r, number_of_int(v))) return false;
  if (v < 0) v += r->x->shape[r->axis];
  return add_slice(r, v, v + 1, 1, true);
}

/* Those of a short list that is computed are checked now: the axis is known here. */
static bool check_known(const reader *r, const tme_array *a) {
  enum { SHORT = 512 };
  const buffer *b = array_buffer(a);
  if (!b || b->device || !buffer_is_ready(b) || type_size(&a->type) > SHORT) return true;
  array_view v = array_elements(a);
  size_t size = tme_dtype_size(v.dtype);
  char raw[SHORT * sizeof(int64_t)];
  view_pack(&v, (const char *)b->data + v.offset * (int64_t)size, raw);
  for (int64_t i = 0, n = type_size(&a->type); i < n; i++)
    if (!check_bounds(r, element_number(v.dtype, raw + (size_t)i * size))) return false;
  return true;
}

static bool add_array(reader *r, tme_array *a) {
  index_plan *p = r->p;
  bool mask = a->type.dtype == TME_BOOL;
  int span = mask ? a->type.rank : 1;
  r->array = true;
  p->pick[p->npicks++] = (index_pick){.given = a, .places = mask ? NULL : a, .axis = p->cut.rank, .span = span};
  for (int d = 0; mask && d < span; d++) /* one of extent 0 chooses nothing, as the array API standard has it */
    if (a->type.shape[d] != 0 && a->type.shape[d] != r->x->shape[r->axis + d])
      return refuse(r, TME_ERR_INDEX,
                    "boolean index did not match indexed array along axis %d; size of axis is %lld but size of "
                    "corresponding boolean axis is %lld",
                    r->axis + d, (long long)r->x->shape[r->axis + d], (long long)a->type.shape[d]);
  if (!mask && !check_known(r, a)) return false;
  if (span && p->first < 0) p->first = p->cut.rank;
  for (int d = 0; d < span; d++) add_whole(r);
  if (span) p->last = p->cut.rank - 1;
  return true;
}

/* ---- all of them ---------------------------------------------------------------------------------------------------- */

/* Where the entry stands among arrays and whole numbers. */
static void place(reader *r, bool advanced) {
  if (!advanced) {
    if (r->state == AMONG) r->state = AFTER;
    return;
  }
  if (r->state == BEFORE) r->stood = r->p->n;
  r->apart |= r->state == AFTER;
  r->state = AMONG;
}

static bool add(reader *r, const tme_index *ix, int missing) {
  place(r, ix->kind == TME_INDEX_INT || ix->kind == TME_INDEX_ARRAY);
  switch (ix->kind) {
  case TME_INDEX_SLICE: return add_axis(r, ix->start, ix->stop, ix->step);
  case TME_INDEX_INT: return add_int(r, ix->start);
  case TME_INDEX_NEW_AXIS: r->p->at[r->p->n++] = INDEX_NEW; return true;
  case TME_INDEX_ELLIPSIS:
    for (int i = 0; i < missing; i++) add_axis(r, TME_NONE, TME_NONE, TME_NONE);
    return true;
  case TME_INDEX_ARRAY: break;
  }
  return add_array(r, ix->array);
}

/* The number of axes that the entries leave to an ellipsis; -1 with an error. */
static int count_missing(const reader *r, const tme_index *ix, int n) {
  int axes = 0, ellipses = 0;
  for (int i = 0; i < n; i++) {
    int k = axes_of(r, &ix[i]);
    if (k < 0) return -1;
    axes += k;
    ellipses += ix[i].kind == TME_INDEX_ELLIPSIS;
  }
  if (ellipses > 1)
    refuse(r, TME_ERR_INDEX, "an index can only have a single ellipsis ('...')");
  else if (axes > r->x->rank)
    refuse(r, TME_ERR_INDEX, "too many indices for array: array is %d-dimensional, but %d were indexed", r->x->rank,
           axes);
  else
    return r->x->rank - axes;
  return -1;
}

bool index_read(tme_scope *s, tme_array *x, const tme_index *ix, int n, index_plan *p) {
  reader r = {.s = s, .x = x ? &x->type : NULL, .p = p};
  if (!x) return refuse(&r, TME_ERR_ARGUMENT, "index: the array is NULL");
  if (x->node->engine != s->engine) return refuse(&r, TME_ERR_ARGUMENT, "index: the array belongs to another engine");
  if (n < 0 || (n && !ix)) return refuse(&r, TME_ERR_ARGUMENT, "index: the entries are missing");
  if (n > INDEX_MOST) return refuse(&r, TME_ERR_INDEX, "too many indices: %d, at most %d", n, INDEX_MOST);
  p->whole = true;
  p->in_front = false;
  p->npicks = p->n = 0;
  p->first = p->last = -1;
  p->sliced = p->cut = (op_type){.dtype = x->type.dtype};
  p->sliced.rank = x->type.rank;
  int missing = count_missing(&r, ix, n);
  if (missing < 0) return false;
  bool ellipsis = false;
  for (int i = 0; i < n; i++) {
    ellipsis |= ix[i].kind == TME_INDEX_ELLIPSIS;
    if (!add(&r, &ix[i], missing)) return false;
  }
  for (int i = 0; !ellipsis && i < missing; i++) add_axis(&r, TME_NONE, TME_NONE, TME_NONE);
  if (!r.array) return true;
  p->in_front = r.apart;
  int to = r.apart ? 0 : r.stood;
  memmove(p->at + to + 1, p->at + to, (size_t)(p->n++ - to) * sizeof *p->at);
  p->at[to] = INDEX_ARRAYS;
  return true;
}

/* ---- cutting -------------------------------------------------------------------------------------------------------- */

/* Of computed x: one view, whatever the index. */
static node *view_of(tme_scope *s, tme_array *x, const index_plan *p, const int *at, const op_type *type) {
  int64_t strides[TME_MAX_RANK], offset = x->offset;
  for (int d = 0; d < x->type.rank && type_size(type); d++) offset += p->start[d] * x->strides[d];
  for (int d = 0; d < type->rank; d++) {
    int from = at[d] < 0 ? -1 : p->axis[at[d]];
    strides[d] = from < 0 ? 1 : p->step[from] * x->strides[from];
  }
  node *n = node_new(s->engine, OP_leaf, NULL, 0, NULL, type, 1);
  if (n) array_set(&n->out[0], buffer_retain(array_buffer(x)), offset, strides);
  return n;
}

/* Of x that is yet to be computed: a slice, and the axes that are dropped or new by a reshape. */
static node *cut_later(tme_scope *s, tme_array *x, const index_plan *p, const op_type *type) {
  op_type sliced = p->sliced;
  op_attrs attrs = {.view = {.start.n = sliced.rank, .stop.n = sliced.rank, .step.n = sliced.rank}};
  size_t bytes = (size_t)sliced.rank * sizeof *p->start;
  memcpy(attrs.view.start.v, p->start, bytes);
  memcpy(attrs.view.stop.v, p->stop, bytes);
  memcpy(attrs.view.step.v, p->step, bytes);
  sliced.weak = type->weak;
  bool same = type_same_shape(type, &sliced);
  node *n = p->whole ? NULL : scope_node(s, node_new(s->engine, OP_slice, &x, 1, &attrs, &sliced, 1));
  if (same || (!p->whole && !n)) return n;
  attrs = (op_attrs){.view = {.shape.n = type->rank}};
  memcpy(attrs.view.shape.v, type->shape, sizeof type->shape);
  node *m = scope_node(s, node_new(s->engine, OP_reshape, n ? (tme_array *[]){n->out} : &x, 1, &attrs, type, 1));
  node_release(n);
  return m;
}

tme_array *index_cut(tme_scope *s, tme_array *x, const index_plan *p, const int *at, int n) {
  op_type type = {.dtype = x->type.dtype};
  if (n > TME_MAX_RANK) {
    fail(&s->err, TME_ERR_SHAPE, "index: the result would have %d dimensions, more than the %d supported", n,
         TME_MAX_RANK);
    return NULL;
  }
  for (; type.rank < n; type.rank++) type.shape[type.rank] = at[type.rank] < 0 ? 1 : p->cut.shape[at[type.rank]];
  type.weak = x->type.weak && (!n || context_of(s->engine)->config.untyped);
  if (p->whole && type_same_shape(&type, &x->type)) return x;
  return scope_take(s, array_buffer(x) ? view_of(s, x, p, at, &type) : cut_later(s, x, p, &type), "index");
}
