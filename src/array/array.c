/* Arrays from the caller's numbers and memory, what they are, and who holds them. */
#include "array/array.h"
#include <string.h>

tme_array *tme_keep(tme_scope *s, tme_array *a) {
  if (!s || !a) return NULL;
  if (a->node->engine != s->engine) {
    fail(&s->err, TME_ERR_ARGUMENT, "keep: the array belongs to another engine");
    return NULL;
  }
  if (!scope_reserve(s, 1)) {
    fail_memory(&s->err, "keep", sizeof *s->array);
    return NULL;
  }
  node_retain(a->node);
  return scope_add(s, a);
}

tme_array *tme_retain(tme_array *a) {
  if (a) node_retain(a->node);
  return a;
}

void tme_release(tme_array *a) {
  if (a) node_release(a->node);
}

tme_dtype tme_array_dtype(const tme_array *a) { return a ? a->type.dtype : TME_DTYPE_NONE; }
int tme_array_rank(const tme_array *a) { return a ? a->type.rank : 0; }
const int64_t *tme_array_shape(const tme_array *a) { return a ? a->type.shape : NULL; }
int64_t tme_array_size(const tme_array *a) { return a ? type_size(&a->type) : 0; }
bool tme_has_value(const tme_array *a) { return a && (array_buffer(a) || a->node->op == OP_literal); }

static tme_array *literal(tme_scope *s, tme_dtype t, op_number v, const char *what) {
  return s ? scope_take(s, node_literal(s->engine, t, true, v), what) : NULL;
}

tme_array *tme_number(tme_scope *s, double v) {
  return s ? literal(s, context_of(s->engine)->config.untyped_dtype, number_of_double(v), "number") : NULL;
}

tme_array *tme_integer(tme_scope *s, int64_t v) { return literal(s, TME_I64, number_of_int(v), "integer"); }

tme_array *tme_unsigned(tme_scope *s, uint64_t v) {
  return literal(s, v > INT64_MAX ? TME_U64 : TME_I64, number_of_uint(v), "unsigned");
}

tme_array *tme_boolean(tme_scope *s, bool v) { return literal(s, TME_BOOL, number_of_int(v), "boolean"); }

bool tme_is_untyped(const tme_array *a) { return a && a->type.weak; }

/* A view of all of it, which costs nothing. */
tme_array *tme_untyped(tme_scope *s, tme_array *a) {
  if (!s || !a || a->type.weak) return s ? a : NULL;
  if (a->node->engine != s->engine) {
    fail(&s->err, TME_ERR_ARGUMENT, "untyped: the array belongs to another engine");
    return NULL;
  }
  op_type type = a->type;
  type.weak = true;
  op_attrs shape = {.view = {.shape.n = type.rank}};
  memcpy(shape.view.shape.v, type.shape, sizeof type.shape);
  node *n;
  if (a->node->op == OP_literal) {
    n = node_literal(s->engine, type.dtype, true, a->node->literal);
  } else if (array_buffer(a)) {
    n = node_new(s->engine, OP_leaf, NULL, 0, NULL, &type, 1);
    if (n) array_set(&n->out[0], buffer_retain(array_buffer(a)), a->offset, a->strides);
  } else {
    n = node_new(s->engine, OP_reshape, &a, 1, &shape, &type, 1);
  }
  return scope_take(s, n, "untyped");
}

tme_status array_check(error *e, const char *what, tme_dtype t, int rank, const int64_t *shape, const void *data,
                       op_type *type) {
  if ((int)t < 0 || t >= TME_DTYPE_COUNT)
    return fail(e, TME_ERR_ARGUMENT, "%s: there is no dtype number %d", what, (int)t);
  if (rank < 0 || rank > TME_MAX_RANK)
    return fail(e, TME_ERR_ARGUMENT, "%s: %d dimensions, expected 0 to %d", what, rank, TME_MAX_RANK);
  if (rank && !shape) return fail(e, TME_ERR_ARGUMENT, "%s: the shape is NULL", what);
  *type = (op_type){.dtype = t, .rank = rank};
  for (int d = 0; d < rank; d++) {
    type->shape[d] = shape[d];
    if (shape[d] < 0)
      return fail(e, TME_ERR_ARGUMENT, "%s: dimension %d is negative (%lld)", what, d, (long long)shape[d]);
  }
  tme_status s = type_check_size(type, what, e);
  if (s == TME_OK && !data && type_size(type) > 0) s = fail(e, TME_ERR_ARGUMENT, "%s: the data is NULL", what);
  return s;
}

tme_array *array_of_buffer(tme_scope *s, const op_type *type, buffer *b, int64_t offset, const int64_t *strides,
                           const char *what) {
  node *n = b ? node_new(s->engine, OP_leaf, NULL, 0, NULL, type, 1) : NULL;
  if (n)
    array_set(&n->out[0], b, offset, strides);
  else
    buffer_release(b);
  return scope_take(s, n, what);
}

tme_array *tme_from(tme_scope *s, tme_dtype t, int rank, const int64_t *shape, const void *data) {
  op_type type;
  if (!s || array_check(&s->err, "from", t, rank, shape, data, &type) != TME_OK) return NULL;
  size_t bytes = (size_t)type_size(&type) * tme_dtype_size(t);
  int64_t strides[TME_MAX_RANK];
  type_strides(&type, strides);
  buffer *b = pool_get(context_of(s->engine)->pool, bytes);
  if (b && t == TME_BOOL) {
    const uint8_t *from = data;
    for (size_t i = 0; i < bytes; i++) ((uint8_t *)b->data)[i] = from[i] != 0;
  } else if (b && bytes) {
    memcpy(b->data, data, bytes);
  }
  return array_of_buffer(s, &type, b, 0, strides, "from");
}

tme_array *tme_input(tme_scope *s, tme_dtype t, int rank, const int64_t *shape) {
  op_type type;
  if (!s || array_check(&s->err, "input", t, rank, shape, s, &type) != TME_OK) return NULL;
  return scope_take(s, node_new(s->engine, OP_leaf, NULL, 0, NULL, &type, 1), "input");
}

/* Strides in bytes to strides in elements. */
static tme_status element_strides(error *e, const op_type *type, const int64_t *bytes, int64_t *strides) {
  int64_t size = (int64_t)tme_dtype_size(type->dtype);
  for (int d = 0; d < type->rank; d++) {
    if (bytes[d] % size)
      return fail(e, TME_ERR_ARGUMENT, "wrap: the stride of %lld bytes is not a multiple of the %lld of a %s",
                  (long long)bytes[d], (long long)size, tme_dtype_name(type->dtype));
    strides[d] = bytes[d] / size;
  }
  return TME_OK;
}

/* Strides as they are stored: along extents of 1, and where there are no elements, the caller's may be anything. */
static void usable_strides(const op_type *type, const int64_t *given, int64_t *out) {
  type_strides(type, out);
  if (!given || type_size(type) == 0) return;
  for (int d = 0; d < type->rank; d++)
    if (type->shape[d] > 1) out[d] = given[d];
}

/* Whether the bytes [from, to) around `data` can be addressed. */
static bool addressable(const void *data, int64_t from, int64_t to) {
  uintptr_t at = (uintptr_t)data, end;
  return at >= (uintptr_t)-from && !__builtin_add_overflow(at, (uintptr_t)to, &end);
}

tme_array *array_of_memory(tme_scope *s, const op_type *type, const int64_t *strides, const void *data,
                           void (*release)(void *user), void *user, const char *what) {
  static const uint64_t nothing[2];
  tme_dtype t = type->dtype;
  int64_t size = (int64_t)tme_dtype_size(t), align = dtype_is_complex(t) ? size / 2 : size, first, last;
  if (!data) data = nothing;
  if ((uintptr_t)data % (uintptr_t)align) {
    fail(&s->err, TME_ERR_ARGUMENT, "%s: the data of %s is not aligned to %lld bytes; copy it with tme_from", what,
         tme_dtype_name(t), (long long)align);
    return NULL;
  }
  array_view v = {.dtype = t, .rank = type->rank};
  memcpy(v.shape, type->shape, sizeof v.shape);
  usable_strides(type, strides, v.strides);
  if (!view_span(&v, &first, &last) || !addressable(data, first * size, last * size)) {
    fail(&s->err, TME_ERR_MEMORY, "%s: the strides reach beyond what can be addressed", what);
    return NULL;
  }
  buffer *b = buffer_wrap((const char *)data + first * size, (size_t)((last - first) * size), release, user);
  if (!b) {
    fail_memory(&s->err, what, sizeof *b);
    return NULL;
  }
  /* Until the array exists the memory stays the caller's. */
  void (*give_back)(void *) = b->release;
  b->release = NULL;
  tme_array *a = array_of_buffer(s, type, buffer_retain(b), -first, v.strides, what);
  if (a) b->release = give_back;
  buffer_release(b);
  return a;
}

tme_array *tme_wrap(tme_scope *s, tme_dtype t, int rank, const int64_t *shape, const int64_t *strides, const void *data,
                    void (*release)(void *user), void *user) {
  op_type type;
  int64_t elements[TME_MAX_RANK];
  if (!s || array_check(&s->err, "wrap", t, rank, shape, data, &type) != TME_OK) return NULL;
  if (strides && element_strides(&s->err, &type, strides, elements) != TME_OK) return NULL;
  return array_of_memory(s, &type, strides ? elements : NULL, data, release, user, "wrap");
}

array_view array_elements(const tme_array *a) {
  array_view v = {.buf = array_buffer(a), .dtype = a->type.dtype, .rank = a->type.rank, .offset = a->offset};
  memcpy(v.shape, a->type.shape, sizeof v.shape);
  memcpy(v.strides, a->strides, sizeof v.strides);
  return v;
}
