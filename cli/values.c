/* Values to what an operation's parameter wants. */
#include "eval.h"
#include <math.h>
#include <stdio.h>

const char *value_kind_name(value_kind k) {
  static const char *const names[] = {"none",    "a truth value", "a whole number", "a number",
                                      "a dtype", "an array",      "a list",         "a tuple"};
  return names[k];
}

bool value_is_plain(const value *v) { return v->kind == VALUE_BOOL || v->kind == VALUE_INT || v->kind == VALUE_FLOAT; }

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
  double *floats;
  int64_t *ints;
  int64_t n; /* elements read so far */
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
  if (!value_is_plain(v)) return wrong(in, v, at, what, "a list of numbers");
  if (v->kind > t->kind) t->kind = v->kind;
  t->ints[t->n] = v->kind == VALUE_BOOL ? v->u.b : v->kind == VALUE_INT ? v->u.i : 0;
  t->floats[t->n] = v->kind == VALUE_FLOAT ? v->u.f : (double)t->ints[t->n];
  t->n++;
  return true;
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
  t.ints = arena_alloc(in->memory, size + 1, sizeof *t.ints);
  if (!t.floats || !t.ints) {
    problem_memory(in->problem);
    return NULL;
  }
  if (!nest_read(in, v, at, what, 0, &t)) return NULL;
  tme_array *a;
  if (t.kind == VALUE_FLOAT || t.n == 0) {
    a = tme_astype(in->scope, tme_from(in->scope, TME_F64, t.rank, t.shape, t.floats),
                   tme_engine_default_dtype(tme_scope_engine(in->scope)));
  } else {
    a = tme_from(in->scope, TME_I64, t.rank, t.shape, t.ints);
    if (t.kind == VALUE_BOOL) a = tme_astype(in->scope, a, TME_BOOL);
  }
  if (!a) engine_problem(in, at);
  return a;
}

tme_array *value_array(interp *in, const value *v, size_t at, const char *what) {
  tme_array *a = NULL;
  switch (v->kind) {
  case VALUE_ARRAY: return v->u.array;
  case VALUE_BOOL: a = tme_boolean(in->scope, v->u.b); break;
  case VALUE_INT: a = tme_integer(in->scope, v->u.i); break;
  case VALUE_FLOAT: a = tme_number(in->scope, v->u.f); break;
  case VALUE_LIST:
  case VALUE_TUPLE: return list_array(in, v, at, what);
  case VALUE_NONE:
  case VALUE_DTYPE: wrong(in, v, at, what, "an array"); return NULL;
  }
  if (!a) engine_problem(in, at);
  return a;
}

static bool item(interp *in, const value *v, size_t at, const char *what, const char *wanted, double *out) {
  if (tme_array_size(v->u.array) != 1)
    return problem_at(in->problem, at, "%s: %s expected, got an array of %lld elements", what, wanted,
                      (long long)tme_array_size(v->u.array));
  return tme_item(in->scope, v->u.array, out) == TME_OK || engine_problem(in, at);
}

bool value_float(interp *in, const value *v, size_t at, const char *what, double *out) {
  switch (v->kind) {
  case VALUE_FLOAT: *out = v->u.f; return true;
  case VALUE_INT: *out = (double)v->u.i; return true;
  case VALUE_BOOL: *out = v->u.b; return true;
  case VALUE_ARRAY: return item(in, v, at, what, "a number", out);
  default: return wrong(in, v, at, what, "a number");
  }
}

bool value_int(interp *in, const value *v, size_t at, const char *what, int64_t *out) {
  double f;
  if (v->kind == VALUE_INT || v->kind == VALUE_BOOL) {
    *out = v->kind == VALUE_INT ? v->u.i : v->u.b;
    return true;
  }
  if (v->kind == VALUE_ARRAY) {
    if (!item(in, v, at, what, "a whole number", &f)) return false;
  } else if (v->kind == VALUE_FLOAT) {
    f = v->u.f;
  } else {
    return wrong(in, v, at, what, "a whole number");
  }
  if (!(fabs(f) < 9e18) || f != trunc(f))
    return problem_at(in->problem, at, "%s: a whole number expected, got %g", what, f);
  *out = (int64_t)f;
  return true;
}

bool value_bool(interp *in, const value *v, size_t at, const char *what, bool *out) {
  double f;
  if (v->kind == VALUE_BOOL) {
    *out = v->u.b;
    return true;
  }
  if (v->kind != VALUE_INT && v->kind != VALUE_ARRAY) return wrong(in, v, at, what, "true or false");
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
