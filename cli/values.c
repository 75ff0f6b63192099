/* Values to what an operation's parameter wants. */
#include "eval.h"
#include <math.h>
#include <stdio.h>

const char *value_kind_name(value_kind k) {
  static const char *const names[] = {"none",    "a truth value", "a whole number", "a whole number", "a number",
                                      "a dtype", "a text",        "an array",       "a list",         "a tuple"};
  return names[k];
}

bool value_is_plain(const value *v) { return v->kind >= VALUE_BOOL && v->kind <= VALUE_FLOAT; }

bool value_is_complex(const value *v) {
  return v->kind == VALUE_ARRAY && tme_is_untyped(v->u.array) && tme_array_dtype(v->u.array) == TME_C128 &&
         !tme_array_rank(v->u.array);
}

value value_of_uint(uint64_t u) {
  return u > INT64_MAX ? (value){VALUE_UINT, {.u = u}} : (value){VALUE_INT, {.i = (int64_t)u}};
}

/* Of what is plain. */
static double number_of(const value *v) {
  switch (v->kind) {
  case VALUE_BOOL: return v->u.b;
  case VALUE_INT: return (double)v->u.i;
  case VALUE_UINT: return (double)v->u.u;
  default: return v->u.f;
  }
}

value value_of_array(tme_array *a) { return (value){VALUE_ARRAY, {.array = a}}; }

value *new_values(interp *in, size_t n) {
  value *v = arena_alloc(in->memory, n, sizeof *v);
  if (!v) problem_memory(in->problem);
  return v;
}

bool engine_problem(interp *in, size_t at) {
  const char *text = tme_error(in->scope);
  problem_at(in->problem, at, "%s", *text ? text : "failed without a reason");
  return false;
}

static bool wrong(interp *in, const value *v, size_t at, const char *what, const char *wanted) {
  return problem_at(in->problem, at, "%s: %s expected, got %s", what, wanted, value_kind_name(v->kind));
}

static bool is_list(const value *v) { return v->kind == VALUE_LIST || v->kind == VALUE_TUPLE; }

/* Nested lists of numbers: their shape, the kind that holds them all, their elements in order. */
typedef struct nest {
  int rank;
  int64_t shape[TME_MAX_RANK];
  value_kind kind;
  bool negative;
  double *floats, *imaginary;
  uint64_t *ints; /* in two's complement */
  int64_t n;      /* elements read so far */
} nest;

static bool nest_shape(interp *in, const value *v, size_t at, const char *what, nest *t) {
  while (is_list(v)) {
    if (t->rank == TME_MAX_RANK)
      return problem_at(in->problem, at, "%s: the list is nested more than %d levels deep", what, TME_MAX_RANK);
    t->shape[t->rank++] = v->u.list.n;
    if (v->u.list.n == 0) break;
    v = &v->u.list.items[0];
  }
  return true;
}

static bool nest_read(interp *in, const value *v, size_t at, const char *what, int depth, nest *t) {
  if (depth < t->rank) {
    if (!is_list(v) || v->u.list.n != t->shape[depth])
      return problem_at(in->problem, at, "%s: the lists within the list differ in length", what);
    for (int i = 0; i < v->u.list.n; i++)
      if (!nest_read(in, &v->u.list.items[i], at, what, depth + 1, t)) return false;
    return true;
  }
  if (is_list(v)) return problem_at(in->problem, at, "%s: the lists within the list differ in depth", what);
  if (v->kind > t->kind) t->kind = v->kind;
  if (value_is_complex(v)) {
    double parts[2];
    if (tme_read(in->scope, v->u.array, parts, sizeof parts) != TME_OK) return engine_problem(in, at);
    t->imaginary[t->n] = parts[1];
    t->floats[t->n++] = parts[0];
    return true;
  }
  if (!value_is_plain(v)) return wrong(in, v, at, what, "a list of numbers");
  t->negative |= v->kind == VALUE_INT && v->u.i < 0;
  t->ints[t->n] = v->kind == VALUE_BOOL ? v->u.b : v->kind == VALUE_FLOAT ? 0 : v->u.u;
  t->floats[t->n++] = number_of(v);
  return true;
}

static tme_array *complex_array(tme_scope *s, const nest *t) {
  tme_array *re = tme_from(s, TME_F64, t->rank, t->shape, t->floats);
  return tme_complex(s, re, tme_from(s, TME_F64, t->rank, t->shape, t->imaginary));
}

static tme_array *list_array(interp *in, const value *v, size_t at, const char *what) {
  nest t = {.kind = VALUE_BOOL};
  if (!nest_shape(in, v, at, what, &t)) return NULL;
  size_t size = 1;
  for (int i = 0; i < t.rank; i++)
    if (__builtin_mul_overflow(size, (size_t)t.shape[i], &size) || size > SIZE_MAX / 2) {
      problem_at(in->problem, at, "%s: the list is too large", what);
      return NULL;
    }
  t.floats = arena_alloc(in->memory, size + 1, sizeof *t.floats);
  t.imaginary = arena_alloc(in->memory, size + 1, sizeof *t.imaginary);
  t.ints = arena_alloc(in->memory, size + 1, sizeof *t.ints);
  if (!t.floats || !t.imaginary || !t.ints) {
    problem_memory(in->problem);
    return NULL;
  }
  if (!nest_read(in, v, at, what, 0, &t)) return NULL;
  tme_array *a;
  if (t.kind == VALUE_UINT && t.negative) {
    problem_at(in->problem, at, "%s: no dtype holds all whole numbers of the list", what);
    return NULL;
  }
  if (t.kind == VALUE_ARRAY)
    a = complex_array(in->scope, &t);
  else if (t.kind == VALUE_FLOAT || t.n == 0)
    a = tme_from(in->scope, TME_F64, t.rank, t.shape, t.floats);
  else
    a = tme_from(in->scope, t.kind == VALUE_UINT ? TME_U64 : TME_I64, t.rank, t.shape, t.ints);
  if (t.kind == VALUE_BOOL && t.n) a = tme_astype(in->scope, a, TME_BOOL);
  a = tme_untyped(in->scope, a);
  if (!a) engine_problem(in, at);
  return a;
}

tme_array *value_array(interp *in, const value *v, size_t at, const char *what) {
  tme_array *a = NULL;
  switch (v->kind) {
  case VALUE_ARRAY: return v->u.array;
  case VALUE_BOOL: a = tme_boolean(in->scope, v->u.b); break;
  case VALUE_INT: a = tme_integer(in->scope, v->u.i); break;
  case VALUE_UINT: a = tme_unsigned(in->scope, v->u.u); break;
  case VALUE_FLOAT: a = tme_number(in->scope, v->u.f); break;
  case VALUE_LIST:
  case VALUE_TUPLE: return list_array(in, v, at, what);
  case VALUE_NONE:
  case VALUE_TEXT:
  case VALUE_DTYPE: wrong(in, v, at, what, "an array"); return NULL;
  }
  if (!a) engine_problem(in, at);
  return a;
}

/* The one element of an array as a plain value, integers with all their bits. */
static bool item(interp *in, tme_array *a, size_t at, const char *what, const char *wanted, value *out) {
  tme_scope *s = in->scope;
  tme_dtype t = tme_array_dtype(a);
  if (tme_array_size(a) != 1)
    return problem_at(in->problem, at, "%s: %s expected, got an array of %lld elements", what, wanted,
                      (long long)tme_array_size(a));
  bool whole = tme_dtype_kind(t) == 'u' || tme_dtype_kind(t) == 'i';
  *out = (value){whole ? VALUE_INT : t == TME_BOOL ? VALUE_BOOL : VALUE_FLOAT, {.i = 0}};
  double f = 0;
  bool ok;
  if (!whole)
    ok = tme_item(s, a, &f) == TME_OK;
  else if (t == TME_U64)
    ok = tme_read(s, a, &out->u.u, sizeof out->u.u) == TME_OK;
  else
    ok = tme_read(s, tme_astype(s, a, TME_I64), &out->u.i, sizeof out->u.i) == TME_OK;
  if (!ok) return engine_problem(in, at);
  if (t == TME_U64) *out = value_of_uint(out->u.u);
  if (t == TME_BOOL) out->u.b = f != 0;
  if (out->kind == VALUE_FLOAT) out->u.f = f;
  return true;
}

/* *v as a plain value. */
static bool plain(interp *in, const value *v, size_t at, const char *what, const char *wanted, value *out) {
  *out = *v;
  if (v->kind == VALUE_ARRAY) return item(in, v->u.array, at, what, wanted, out);
  return value_is_plain(v) || wrong(in, v, at, what, wanted);
}

bool value_float(interp *in, const value *v, size_t at, const char *what, double *out) {
  value p;
  if (!plain(in, v, at, what, "a number", &p)) return false;
  *out = number_of(&p);
  return true;
}

bool value_number(interp *in, const value *v, size_t at, const char *what, tme_arg *out) {
  value p;
  if (!plain(in, v, at, what, "a number", &p)) return false;
  *out = (tme_arg){.kind = TME_ARG_INT, .u.i = p.kind == VALUE_BOOL ? p.u.b : p.u.i};
  if (p.kind == VALUE_UINT) *out = (tme_arg){.kind = TME_ARG_UINT, .u.u = p.u.u};
  if (p.kind == VALUE_FLOAT) *out = (tme_arg){.kind = TME_ARG_FLOAT, .u.f = p.u.f};
  return true;
}

bool value_int(interp *in, const value *v, size_t at, const char *what, int64_t *out) {
  value p;
  if (!plain(in, v, at, what, "a whole number", &p)) return false;
  double f = number_of(&p);
  if (p.kind == VALUE_UINT || (p.kind == VALUE_FLOAT && (!(fabs(f) < 9e18) || f != trunc(f))))
    return problem_at(in->problem, at, "%s: a whole number expected, got %g", what, f);
  *out = p.kind == VALUE_FLOAT ? (int64_t)f : p.kind == VALUE_BOOL ? p.u.b : p.u.i;
  return true;
}

bool value_text(interp *in, const value *v, size_t at, const char *what, const char **out) {
  if (v->kind != VALUE_TEXT) return wrong(in, v, at, what, "a text in quotes");
  *out = v->u.text;
  return true;
}

bool value_bool(interp *in, const value *v, size_t at, const char *what, bool *out) {
  double f;
  if (v->kind == VALUE_BOOL) {
    *out = v->u.b;
    return true;
  }
  if (v->kind != VALUE_INT && v->kind != VALUE_UINT && v->kind != VALUE_ARRAY)
    return wrong(in, v, at, what, "true or false");
  if (!value_float(in, v, at, what, &f)) return false;
  *out = f != 0;
  return true;
}

int64_t value_beside_none(int64_t v) { return v == TME_NONE ? v + 1 : v; }

bool value_ints(interp *in, const value *v, size_t at, const char *what, const int64_t *none, int64_t **out, int *n) {
  *n = is_list(v) ? v->u.list.n : 1;
  const value *items = is_list(v) ? v->u.list.items : v;
  *out = arena_alloc(in->memory, (size_t)*n + 1, sizeof **out);
  if (!*out) return problem_memory(in->problem);
  for (int i = 0; i < *n; i++) {
    if (none && items[i].kind == VALUE_NONE)
      (*out)[i] = *none;
    else if (!value_int(in, &items[i], at, what, &(*out)[i]))
      return false;
    else if (none)
      (*out)[i] = value_beside_none((*out)[i]);
  }
  return true;
}
