#include "backend/reference/iter.h"
#include "base/convert.h"
#include "support/arrays.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { GUARD = 64, GUARD_BYTE = 0x5a, MOST_INPUTS = 8 };

static array with_room(const op_type *t, int64_t elements) {
  array x = {.a = {.type = *t}, .bytes = (size_t)elements * tme_dtype_size(t->dtype)};
  x.block = malloc(x.bytes + 2 * GUARD);
  assert_non_null(x.block);
  memset(x.block, GUARD_BYTE, x.bytes + 2 * GUARD);
  memset(x.block + GUARD, 0, x.bytes);
  x.a.data = x.block + GUARD;
  type_strides(t, x.a.strides);
  return x;
}

array array_new(tme_dtype t, int rank, const int64_t *shape) {
  op_type type = {.dtype = t, .rank = rank};
  for (int d = 0; d < rank; d++) type.shape[d] = shape[d];
  return with_room(&type, type_size(&type));
}

void array_free(array *x) {
  for (size_t i = 0; x->block && i < GUARD; i++) {
    assert_int_equal(x->block[i], GUARD_BYTE);
    assert_int_equal(x->block[GUARD + x->bytes + i], GUARD_BYTE);
  }
  free(x->block);
  memset(x, 0, sizeof *x);
}

uint64_t random_bits(uint64_t *seed) {
  uint64_t z = (*seed += 0x9e3779b97f4a7c15u);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

double random_real(uint64_t *seed) { return (double)(random_bits(seed) >> 11) * 0x1p-53; }

static char *element(const array *x, int64_t i) {
  int64_t offset = 0;
  for (int d = x->a.type.rank - 1; d >= 0; d--) {
    offset += i % x->a.type.shape[d] * x->a.strides[d];
    i /= x->a.type.shape[d];
  }
  return x->a.data + offset * (int64_t)tme_dtype_size(x->a.type.dtype);
}

void array_get(const array *x, int64_t i, double v[2]) {
  convert_run(x->a.type.dtype, element(x, i), 1, TME_C128, (char *)v, 1, 1);
}

double array_real(const array *x, int64_t i) {
  double v[2];
  array_get(x, i, v);
  return v[0];
}

void array_set_real(array *x, int64_t i, double v) {
  convert_run(TME_F64, (const char *)&v, 1, x->a.type.dtype, element(x, i), 1, 1);
}

void array_fill(array *x, double lo, double hi, uint64_t *seed) {
  tme_dtype t = x->a.type.dtype;
  for (int64_t i = 0; i < type_size(&x->a.type); i++) {
    double v[2] = {lo + (hi - lo) * random_real(seed), lo + (hi - lo) * random_real(seed)};
    if (t == TME_BOOL) v[0] = (double)(random_bits(seed) & 1);
    if (dtype_is_int(t)) v[0] = floor(v[0]);
    convert_run(TME_C128, (const char *)v, 1, t, element(x, i), 1, 1);
  }
}

array array_layout(const array *x, int layout) {
  const op_type *t = &x->a.type;
  int64_t n = type_size(t), size = (int64_t)tme_dtype_size(t->dtype);
  array y = with_room(t, layout == LAYOUT_STRIDED ? 3 * n + 2 : n);
  int64_t step = 1;
  for (int d = 0; layout == LAYOUT_COLUMNS && d < t->rank; d++) {
    y.a.strides[d] = step;
    step *= t->shape[d] > 0 ? t->shape[d] : 1;
  }
  if (layout == LAYOUT_STRIDED) y.a.data += 2 * size;
  for (int d = 0; d < t->rank; d++) {
    if (layout == LAYOUT_STRIDED) y.a.strides[d] *= 3;
    if (layout != LAYOUT_REVERSED) continue;
    if (n) y.a.data += (t->shape[d] - 1) * y.a.strides[d] * size;
    y.a.strides[d] *= -1;
  }
  for (int64_t i = 0; i < n; i++) memcpy(element(&y, i), element(x, i), (size_t)size);
  return y;
}

tme_status array_run(int op, const array *in, int nin, const op_attrs *attrs, bool libraries, array *out, error *e) {
  const op_type *types[MOST_INPUTS];
  const ref_array *refs[MOST_INPUTS];
  array cast_in[MOST_INPUTS] = {{.block = NULL}};
  tme_dtype cast[MOST_INPUTS];
  op_type result[OP_MAX_OUTPUTS];
  ref_array made[OP_MAX_OUTPUTS];
  op_attrs a = {0};
  if (attrs) attrs_copy(op_get(op), &a, attrs);
  error own = {0};
  assert_true(nin <= MOST_INPUTS);
  for (int i = 0; i < nin; i++) {
    types[i] = in[i].block ? &in[i].a.type : NULL;
    refs[i] = in[i].block ? &in[i].a : NULL;
  }
  op_call c = {.op = op, .nin = nin, .in = types, .attrs = &a, .default_float = TME_F32, .cast = cast};
  tme_status s = op_infer(&c, result, &own);
  for (int i = 0; s == TME_OK && i < nin; i++) {
    if (cast[i] == TME_DTYPE_NONE) continue;
    cast_in[i] = array_new(cast[i], types[i]->rank, types[i]->shape);
    convert_strided(types[i]->rank, types[i]->shape, types[i]->dtype, in[i].a.data, in[i].a.strides, cast[i],
                    cast_in[i].a.data, cast_in[i].a.strides);
    refs[i] = &cast_in[i].a;
  }
  int outputs = op_get(op)->outputs;
  if (s == TME_OK) {
    for (int o = 0; o < outputs; o++) {
      out[o] = with_room(&result[o], type_size(&result[o]));
      made[o] = out[o].a;
    }
    ref_call call = {
        .op = op, .nin = nin, .in = refs, .attrs = &a, .out = made, .nout = outputs, .libraries = libraries};
    s = reference_run(&call, &own);
    if (s == TME_OK && call.failure) s = (fail)(&own, TME_ERR_NUMERIC, "%s", call.failure);
  }
  for (int i = 0; i < nin; i++) array_free(&cast_in[i]);
  if (e)
    *e = own;
  else if (s != TME_OK)
    fail_msg("%s: %s", op_name(op), own.text);
  return s;
}

op_attrs attrs_over(int op, uint32_t axes, bool keepdims) {
  switch (op_get(op)->family) {
  case FAMILY_reduce: return (op_attrs){.reduce = {.axes = axes_from_mask(axes), .keepdims = keepdims}};
  case FAMILY_statistics: return (op_attrs){.statistics = {.axes = axes_from_mask(axes), .keepdims = keepdims}};
  case FAMILY_argreduce: return (op_attrs){.argreduce = {axes_from_mask(axes), keepdims}};
  default: fail_msg("%s is no reduction", op_name(op)); return (op_attrs){0};
  }
}

array array_op(int op, const array *in, int nin, const op_attrs *attrs) {
  array out;
  array_run(op, in, nin, attrs, false, &out, NULL);
  return out;
}

static array literal(const g_node *n) {
  array x = with_room(&n->type, 1);
  size_t size = tme_dtype_size(n->type.dtype);
  for (int part = 0; part < (dtype_is_complex(n->type.dtype) ? 2 : 1); part++)
    memcpy(x.a.data + (size_t)part * size / 2, &n->bits[part], dtype_is_complex(n->type.dtype) ? size / 2 : size);
  return x;
}

static array iota(const g_node *n) {
  array x = with_room(&n->type, type_size(&n->type));
  int64_t inner = 1;
  for (int d = n->leaf + 1; d < n->type.rank; d++) inner *= n->type.shape[d];
  for (int64_t i = 0; i < type_size(&n->type); i++) array_set_real(&x, i, (double)(i / inner % n->type.shape[n->leaf]));
  return x;
}

array array_graph(const graph *g, int root, const array *leaves) {
  array *value = calloc((size_t)g->n, sizeof *value);
  assert_non_null(value);
  for (int i = 0; i < g->n; i++) {
    const g_node *n = &g->node[i];
    array in[MOST_INPUTS] = {{.block = NULL}};
    assert_int_equal(n->outputs, 1);
    for (int k = 0; k < n->nin; k++)
      if (graph_in(g, i, k) >= 0) in[k] = value[graph_in(g, i, k)];
    if (n->op == OP_leaf) {
      value[i] = array_layout(&leaves[n->leaf], LAYOUT_CONTIGUOUS);
    } else if (n->op == OP_literal) {
      value[i] = literal(n);
    } else if (n->op == OP_iota) {
      value[i] = iota(n);
    } else {
      value[i] = array_op(n->op, in, n->nin, graph_attrs(g, i));
      if (value[i].a.type.dtype != n->type.dtype || !type_same_shape(&value[i].a.type, &n->type))
        fail_msg("node %d, %s: its type is not what inference says", i, op_name(n->op));
    }
  }
  array result = value[root];
  value[root].block = NULL;
  for (int i = 0; i < g->n; i++) array_free(&value[i]);
  free(value);
  return result;
}
