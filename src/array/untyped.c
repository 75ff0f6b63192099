#include "array/untyped.h"
#include "array/apply.h"
#include "array/scope.h"
#include <float.h>
#include <math.h>
#include <string.h>

/* ---- values -------------------------------------------------------------------------------------------------------- */

op_number element_number(tme_dtype t, const char *data) {
  uint64_t bits[2] = {0, 0};
  double v[2];
  int unused = (int)(64 - 8 * tme_dtype_size(t));
  memcpy(&bits[0], data, tme_dtype_size(t));
  if (t == TME_BOOL || (dtype_is_int(t) && !dtype_is_signed(t))) return number_of_uint(bits[0]);
  if (dtype_is_int(t)) return number_of_int((int64_t)(bits[0] << unused) >> unused);
  literal_value(t, bits, v);
  return number_of_double(v[0]);
}

/* The values of a that are known, or of integers yet to be computed the least and the largest one: n elements of its
 * dtype. `own` is a scope for what is computed; NULL on failure. */
static const char *known_values(tme_scope *s, tme_scope *own, tme_array *a, int64_t *n) {
  *n = tme_array_size(a);
  if (array_buffer(a) || !*n) return tme_data(s, a);
  if (!dtype_is_int(a->type.dtype)) {
    *n = 0;
    return "";
  }
  *n = 2;
  tme_array *ends[2] = {tme_min(own, a, NULL, TME_ALL, false), tme_max(own, a, NULL, TME_ALL, false)};
  return tme_data(own, tme_stack(own, ends, 2, 0));
}

/* Whether dtype t holds all that dtype `from` does, as far as it matters: floats of the same size are not compared. */
static bool always_fits(tme_dtype from, tme_dtype t) {
  if (from == t || from == TME_BOOL) return true;
  if (!dtype_is_int(from)) return !dtype_is_int(t) && tme_dtype_size(dtype_real(t)) >= tme_dtype_size(dtype_real(from));
  uint64_t most = (dtype_is_signed(from) ? UINT64_MAX >> 1 : UINT64_MAX) >> (64 - 8 * tme_dtype_size(from));
  op_number hi = number_of_uint(most), lo = number_of_int(dtype_is_signed(from) ? -(int64_t)most - 1 : 0);
  return number_fits(&lo, t) && number_fits(&hi, t);
}

typedef enum finding { FAILED, NONE, FOUND } finding;

/* The first of the values that is negative (t none), or that t does not hold. */
static finding find(tme_scope *s, const char *what, tme_array *a, tme_dtype t, op_number *out) {
  tme_scope *own = tme_scope_new(s->engine);
  int64_t n = 0;
  const char *data = own ? known_values(s, own, a, &n) : NULL;
  finding found = data ? NONE : FAILED;
  if (!own)
    fail_memory(&s->err, what, sizeof *own);
  else if (!data)
    scope_fail(s, &own->err);
  tme_dtype part = dtype_real(a->type.dtype); /* of complex numbers both parts are looked at */
  if (part != a->type.dtype) n *= 2;
  for (int64_t i = 0; data && i < n && found == NONE; i++) {
    *out = element_number(part, data + (size_t)i * tme_dtype_size(part));
    if (t == TME_DTYPE_NONE ? number_value(out) < 0 : !number_fits(out, t)) found = FOUND;
  }
  tme_scope_free(own);
  return found;
}

bool untyped_fits(tme_scope *s, const char *what, tme_array *a, tme_dtype t) {
  op_number v = a->node->literal;
  finding found = NONE;
  if (t == TME_BOOL) return true; /* as != 0 */
  if (a->node->op == OP_literal)
    found = number_fits(&v, t) ? NONE : FOUND;
  else if (!always_fits(a->type.dtype, t))
    found = find(s, what, a, t, &v);
  if (found == FOUND) number_misfit(what, &v, t, &s->err);
  return found == NONE;
}

tme_status untyped_negative(tme_scope *s, tme_array *a, bool *out) {
  op_number v = a->node->literal;
  finding found = NONE;
  if (a->node->op == OP_literal)
    found = number_value(&v) < 0 ? FOUND : NONE;
  else if (dtype_is_signed(a->type.dtype))
    found = find(s, op_name(OP_pow), a, TME_DTYPE_NONE, &v);
  *out = found == FOUND;
  return found == FAILED ? s->err.code : TME_OK;
}

/* ---- comparisons --------------------------------------------------------------------------------------------------- */

bool compare_literals(int op, const op_number *a, const op_number *b) {
  int order = number_compare(a, b);
  switch (op) {
  case OP_equal: return order == 0;
  case OP_not_equal: return order != 0;
  case OP_less: return order == -1;
  case OP_less_equal: return order == -1 || order == 0;
  case OP_greater: return order == 1;
  default: return order == 1 || order == 0;
  }
}

/* The comparison with its operands exchanged. */
static int mirrored(int op) {
  switch (op) {
  case OP_less: return OP_greater;
  case OP_less_equal: return OP_greater_equal;
  case OP_greater: return OP_less;
  case OP_greater_equal: return OP_less_equal;
  default: return op;
  }
}

/* For values of an integer dtype that holds v but for a fraction. */
static int without_fraction(int op, op_number *v) {
  if (number_whole(v, v)) return op;
  op_number floored = number_of_double(floor(v->v.f));
  number_whole(&floored, v);
  return op == OP_less ? OP_less_equal : op == OP_greater_equal ? OP_greater : op;
}

bool compare_literal(tme_scope *s, int *op, tme_array *in[2], node **own) {
  *own = NULL;
  int at = in[1]->node->op == OP_literal && in[1]->type.weak ? 1 : 0;
  if (in[at]->node->op != OP_literal || !in[at]->type.weak) return true;
  tme_array *x = in[1 - at];
  tme_dtype t = x->type.dtype;
  op_number v = in[at]->node->literal, whole;
  bool ints = dtype_is_int(t) || t == TME_BOOL;
  if (!ints && number_fits(&v, t)) return true; /* as the nearest float */
  if (!at) *op = mirrored(*op);
  in[0] = in[1] = x;
  if (!ints) {
    t = dtype_is_complex(t) ? TME_C128 : TME_F64;
  } else {
    int bits = t == TME_BOOL ? 1 : (int)(8 * tme_dtype_size(t)) - dtype_is_signed(t);
    op_number least = number_of_int(dtype_is_signed(t) ? -(INT64_MAX >> (63 - bits)) - 1 : 0);
    op_number most = number_of_uint(UINT64_MAX >> (64 - bits));
    bool inside = number_compare(&v, &least) + 1 > 0 && number_compare(&v, &most) <= 0;
    bool equality = *op == OP_equal || *op == OP_not_equal;
    if (!inside || (equality && !number_whole(&v, &whole))) { /* all elements give the same */
      *op = compare_literals(*op, &least, &v) ? OP_equal : OP_not_equal;
      return true;
    }
    *op = without_fraction(*op, &v);
  }
  *own = node_literal(s->engine, t, x->type.weak, v);
  if (*own) in[1] = &(*own)->out[0];
  return *own != NULL;
}

bool compare_mixes_signs(tme_array *const in[2]) {
  tme_dtype a = in[0]->type.dtype, b = in[1]->type.dtype, other = a == TME_U64 ? b : a;
  return (a == TME_U64 || b == TME_U64) && dtype_is_int(other) && dtype_is_signed(other);
}

tme_array *compare_mixed_signs(tme_scope *s, int op, tme_array *const in[2]) {
  tme_scope *own = scope_between(s, op_name(op));
  if (!own) return NULL;
  int at = in[0]->type.dtype == TME_U64 ? 1 : 0; /* the one with a sign */
  tme_array *negative = tme_less(own, in[at], tme_integer(own, 0)), *bits = tme_astype(own, in[at], TME_U64), *out;
  const tme_arg args[2] = {arg_array(at ? in[0] : bits), arg_array(at ? bits : in[1])};
  int below = at ? mirrored(op) : op; /* of a negative op_number and one that is not */
  bool holds = below == OP_less || below == OP_less_equal || below == OP_not_equal;
  apply(own, op, args, 2, &out);
  out = holds ? tme_logical_or(own, negative, out) : tme_logical_and(own, tme_logical_not(own, negative), out);
  return scope_result(s, own, out);
}
