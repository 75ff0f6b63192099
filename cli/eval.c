/* Walks the tree. The parser bounds its depth. */
#include "eval.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static bool same(const node *n, const char *text) {
  return strlen(text) == n->name_len && !memcmp(n->name, text, n->name_len);
}

static variable *find_variable(const interp *in, const char *name, size_t len) {
  variable *v = in->variables;
  while (v && (v->len != len || memcmp(v->name, name, len) != 0)) v = v->next;
  return v;
}

const value *interp_get(const interp *in, const char *name, size_t len) {
  const variable *v = find_variable(in, name, len);
  return v ? &v->value : NULL;
}

bool interp_set(interp *in, const char *name, size_t len, value v) {
  variable *old = find_variable(in, name, len);
  if (old) {
    old->value = v;
    return true;
  }
  variable *var = arena_alloc(in->memory, 1, sizeof *var);
  if (!var) return problem_memory(in->problem);
  *var = (variable){in->variables, name, len, v};
  in->variables = var;
  return true;
}

static const struct {
  const char *name;
  value value;
} constants[] = {
    {"true", {VALUE_BOOL, {.b = true}}},
    {"True", {VALUE_BOOL, {.b = true}}},
    {"false", {VALUE_BOOL, {.b = false}}},
    {"False", {VALUE_BOOL, {.b = false}}},
    {"none", {VALUE_NONE, {0}}},
    {"None", {VALUE_NONE, {0}}},
    {"newaxis", {VALUE_NONE, {0}}},
    {"inf", {VALUE_FLOAT, {.f = (double)INFINITY}}},
    {"nan", {VALUE_FLOAT, {.f = (double)NAN}}},
    {"pi", {VALUE_FLOAT, {.f = 3.14159265358979323846}}},
    {"e", {VALUE_FLOAT, {.f = 2.71828182845904523536}}},
};
enum { CONSTANTS = sizeof constants / sizeof *constants };

static bool unknown_name(interp *in, const node *n) {
  char text[64];
  snprintf(text, sizeof text, "%.*s", (int)(n->name_len < 60 ? n->name_len : 60), n->name);
  if (tme_op_find(text))
    return problem_at(in->problem, n->at, "'%s' is an operation: write %s(%s)", text, text,
                      tme_op_find(text)->signature);
  suggestion s;
  suggest_begin(&s, n->name, n->name_len);
  for (const variable *v = in->variables; v; v = v->next) suggest_offer(&s, v->name, v->len);
  for (int i = 0; i < CONSTANTS; i++) suggest_offer(&s, constants[i].name, strlen(constants[i].name));
  for (int t = 0; t < TME_DTYPE_COUNT; t++)
    suggest_offer(&s, tme_dtype_name((tme_dtype)t), strlen(tme_dtype_name((tme_dtype)t)));
  return problem_at(in->problem, n->at, "unknown name '%s'%s%s", text, suggest_text(&s),
                    s.best[0] ? "" : " (inputs are given as NAME=FILE)");
}

static bool eval_name(interp *in, const node *n, value *out) {
  const value *v = interp_get(in, n->name, n->name_len);
  if (v) {
    *out = *v;
    return true;
  }
  for (int i = 0; i < CONSTANTS; i++)
    if (same(n, constants[i].name)) {
      *out = constants[i].value;
      return true;
    }
  char text[32];
  if (n->name_len < sizeof text) {
    memcpy(text, n->name, n->name_len);
    text[n->name_len] = '\0';
    tme_dtype t = tme_dtype_parse(text);
    if (t != TME_DTYPE_NONE) {
      *out = (value){VALUE_DTYPE, {.dtype = t}};
      return true;
    }
  }
  return unknown_name(in, n);
}

static bool eval_list(interp *in, const node *n, value *out) {
  int count = 0;
  for (const node *c = n->child; c; c = c->next) count++;
  value *items = new_values(in, (size_t)count + 1);
  if (!items) return false;
  count = 0;
  for (const node *c = n->child; c; c = c->next)
    if (!eval_node(in, c, &items[count++])) return false;
  *out = (value){n->kind == NODE_LIST ? VALUE_LIST : VALUE_TUPLE, {.list = {items, count}}};
  return true;
}

static bool eval_binary(interp *in, operator_id op, const value *a, const value *b, size_t at, value *out) {
  if (value_is_plain(a) && value_is_plain(b) && fold_binary(op, a, b, out)) return true;
  tme_array *arrays[2] = {value_array(in, a, at, operators[op].text), NULL};
  if (arrays[0]) arrays[1] = value_array(in, b, at, operators[op].text);
  return arrays[1] && apply_arrays(in, operators[op].op, arrays, 2, at, out);
}

static bool eval_chain(interp *in, const node *n, value *out) {
  if (!eval_node(in, n->child, out)) return false;
  for (const node *step = n->child->next; step; step = step->next) {
    value left = *out, right;
    if (!eval_node(in, step->child, &right) || !eval_binary(in, step->op, &left, &right, step->at, out)) return false;
  }
  return true;
}

static bool eval_unary(interp *in, const node *n, value *out) {
  value v;
  if (!eval_node(in, n->child, &v)) return false;
  if (value_is_plain(&v) && fold_unary(n->op, &v, out)) return true;
  tme_array *a = value_array(in, &v, n->at, operators[n->op].text);
  return a && apply_arrays(in, operators[n->op].prefix, &a, 1, n->at, out);
}

static bool shape_tuple(interp *in, tme_array *a, value *out) {
  int rank = tme_array_rank(a);
  value *items = new_values(in, (size_t)rank + 1);
  if (!items) return false;
  for (int i = 0; i < rank; i++) items[i] = (value){VALUE_INT, {.i = tme_array_shape(a)[i]}};
  *out = (value){VALUE_TUPLE, {.list = {items, rank}}};
  return true;
}

static bool eval_attribute(interp *in, const value *v, const node *n, value *out) {
  tme_array *a = value_array(in, v, n->at, "attribute");
  if (!a) return false;
  if (same(n, "T")) {
    a = tme_transpose(in->scope, a, NULL, TME_ALL);
    *out = value_of_array(a);
    return a || engine_problem(in, n->at);
  }
  if (same(n, "shape")) return shape_tuple(in, a, out);
  if (same(n, "dtype")) {
    *out = (value){VALUE_DTYPE, {.dtype = tme_array_dtype(a)}};
  } else if (same(n, "ndim")) {
    *out = (value){VALUE_INT, {.i = tme_array_rank(a)}};
  } else if (same(n, "size")) {
    *out = (value){VALUE_INT, {.i = tme_array_size(a)}};
  } else {
    return problem_at(in->problem, n->at, "an array has .T, .shape, .dtype, .ndim and .size, but no '.%.*s'",
                      (int)(n->name_len < 40 ? n->name_len : 40), n->name);
  }
  return true;
}

static bool eval_suffixed(interp *in, const node *n, value *out) {
  if (!eval_node(in, n->child, out)) return false;
  for (const node *suffix = n->child->next; suffix; suffix = suffix->next) {
    value v = *out;
    bool ok = suffix->kind == NODE_INDEX ? eval_index(in, &v, suffix, out) : eval_attribute(in, &v, suffix, out);
    if (!ok) return false;
  }
  return true;
}

/* An untyped array: the arithmetic of complex numbers is the engine's. */
static bool eval_imaginary(interp *in, const node *n, value *out) {
  tme_array *a = tme_untyped(in->scope, tme_from(in->scope, TME_C128, 0, NULL, (const double[]){0, n->f}));
  *out = value_of_array(a);
  return a || engine_problem(in, n->at);
}

static bool eval_text(interp *in, const node *n, value *out) {
  char *text = arena_alloc(in->memory, n->name_len + 1, 1);
  if (!text) return problem_memory(in->problem);
  memcpy(text, n->name, n->name_len);
  text[n->name_len] = 0;
  *out = (value){VALUE_TEXT, {.text = text}};
  return true;
}

bool eval_node(interp *in, const node *n, value *out) {
  switch (n->kind) {
  case NODE_INT: *out = value_of_uint(n->i); return true;
  case NODE_FLOAT: *out = (value){VALUE_FLOAT, {.f = n->f}}; return true;
  case NODE_IMAGINARY: return eval_imaginary(in, n, out);
  case NODE_TEXT: return eval_text(in, n, out);
  case NODE_NAME: return eval_name(in, n, out);
  case NODE_LIST:
  case NODE_TUPLE: return eval_list(in, n, out);
  case NODE_UNARY: return eval_unary(in, n, out);
  case NODE_CHAIN: return eval_chain(in, n, out);
  case NODE_CALL: return eval_call(in, n, out);
  case NODE_SUFFIXED: return eval_suffixed(in, n, out);
  case NODE_ELLIPSIS: return problem_at(in->problem, n->at, "'...' is allowed in an index alone");
  default: return problem_at(in->problem, n->at, "this has no value of its own");
  }
}

static bool assign(interp *in, const statement *st, const value *v) {
  int targets = 0;
  for (const node *t = st->targets; t; t = t->next) targets++;
  if (targets == 1) return interp_set(in, st->targets->name, st->targets->name_len, *v);
  bool several = v->kind == VALUE_TUPLE || v->kind == VALUE_LIST;
  if (!several || v->u.list.n != targets)
    return problem_at(in->problem, st->at, "%d names for %d value%s", targets, several ? v->u.list.n : 1,
                      several && v->u.list.n != 1 ? "s" : "");
  int i = 0;
  for (const node *t = st->targets; t; t = t->next)
    if (!interp_set(in, t->name, t->name_len, v->u.list.items[i++])) return false;
  return true;
}

bool eval_program(interp *in, const statement *program, value *out) {
  for (const statement *st = program; st; st = st->next)
    if (!eval_node(in, st->value, out) || (st->targets && !assign(in, st, out))) return false;
  return true;
}
