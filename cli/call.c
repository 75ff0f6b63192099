/* Calls: arguments matched with an operation's signature. */
#include "eval.h"
#include <stdio.h>
#include <string.h>

/* Shorter names that people try. */
static const char *const aliases[][2] = {
    {"mul", "multiply"}, {"sub", "subtract"}, {"div", "divide"},
    {"neg", "negative"}, {"mm", "matmul"},    {"attention", "scaled_dot_product_attention"},
};

static const tme_op_info *find_operation(const char *name, size_t len) {
  char text[64];
  if (len >= sizeof text) return NULL;
  memcpy(text, name, len);
  text[len] = '\0';
  for (size_t i = 0; i < sizeof aliases / sizeof *aliases; i++)
    if (!strcmp(text, aliases[i][0])) return tme_op_find(aliases[i][1]);
  return tme_op_find(text);
}

static bool to_arrays(interp *in, const value *v, size_t at, const char *what, tme_arg *arg) {
  if (v->kind != VALUE_LIST && v->kind != VALUE_TUPLE)
    return problem_at(in->problem, at, "%s: a list of arrays expected, got %s", what, value_kind_name(v->kind));
  tme_array **arrays = arena_alloc(in->memory, (size_t)v->u.list.n + 1, sizeof *arrays);
  if (!arrays) return problem_memory(in->problem);
  for (int i = 0; i < v->u.list.n; i++)
    if (!(arrays[i] = value_array(in, &v->u.list.items[i], at, what))) return false;
  *arg = (tme_arg){.kind = TME_ARG_ARRAYS, .n = v->u.list.n, .u.arrays = arrays};
  return true;
}

static bool to_argument(interp *in, const tme_op_info *op, const tme_param_info *p, const value *v, size_t at,
                        tme_arg *arg) {
  static const int64_t neutral = TME_NONE;
  char what[128];
  snprintf(what, sizeof what, "%s: %s", op->name, p->name);
  if (v->kind == VALUE_NONE && p->optional) return true;
  switch (p->kind) {
  case TME_PARAM_ARRAY:
  case TME_PARAM_OPTIONAL_ARRAY:
    arg->kind = TME_ARG_ARRAY;
    arg->u.array = value_array(in, v, at, what);
    return arg->u.array != NULL;
  case TME_PARAM_ARRAYS: return to_arrays(in, v, at, what, arg);
  case TME_PARAM_FLOAT: arg->kind = TME_ARG_FLOAT; return value_float(in, v, at, what, &arg->u.f);
  case TME_PARAM_NUMBER: return value_number(in, v, at, what, arg);
  case TME_PARAM_AXES:
  case TME_PARAM_INTS:
  case TME_PARAM_PERDIM: {
    int64_t *ints;
    if (!value_ints(in, v, at, what, p->kind == TME_PARAM_PERDIM ? &neutral : NULL, &ints, &arg->n)) return false;
    arg->kind = TME_ARG_INTS;
    arg->u.ints = ints;
    return true;
  }
  case TME_PARAM_BOOL: {
    bool b;
    if (!value_bool(in, v, at, what, &b)) return false;
    arg->kind = TME_ARG_INT;
    arg->u.i = b;
    return true;
  }
  case TME_PARAM_DTYPE:
    if (v->kind != VALUE_DTYPE)
      return problem_at(in->problem, at, "%s: a dtype such as float32 expected, got %s", what,
                        value_kind_name(v->kind));
    arg->kind = TME_ARG_INT;
    arg->u.i = v->u.dtype;
    return true;
  case TME_PARAM_TEXT:
  case TME_PARAM_CHOICE: arg->kind = TME_ARG_TEXT; return value_text(in, v, at, what, &arg->u.text);
  case TME_PARAM_AXIS:
  case TME_PARAM_OPTIONAL_AXIS:
  case TME_PARAM_INT: break;
  }
  arg->kind = TME_ARG_INT;
  return value_int(in, v, at, what, &arg->u.i);
}

/* The number of the parameter that an argument is for; -1 with a problem. */
static int find_parameter(interp *in, const tme_op_info *op, const node *arg, int position) {
  if (!arg->name) {
    if (position < op->params) return position;
    problem_at(in->problem, arg->at, "%s: too many arguments: %s(%s)", op->name, op->name, op->signature);
    return -1;
  }
  suggestion s;
  suggest_begin(&s, arg->name, arg->name_len);
  for (int i = 0; i < op->params; i++) {
    const char *name = tme_op_param(op, i)->name;
    if (strlen(name) == arg->name_len && !memcmp(name, arg->name, arg->name_len)) return i;
    suggest_offer(&s, name, strlen(name));
  }
  problem_at(in->problem, arg->at, "%s: there is no parameter '%.*s'%s: %s(%s)", op->name,
             (int)(arg->name_len < 40 ? arg->name_len : 40), arg->name, suggest_text(&s), op->name, op->signature);
  return -1;
}

static bool apply(interp *in, const tme_op_info *op, const tme_arg *args, int n, size_t at, value *out) {
  tme_array **results = arena_alloc(in->memory, (size_t)op->outputs, sizeof *results);
  if (!results) return problem_memory(in->problem);
  if (tme_apply_op(in->scope, op->number, args, n, results) != TME_OK) return engine_problem(in, at);
  if (op->outputs == 1) {
    *out = value_of_array(results[0]);
    return true;
  }
  value *items = new_values(in, (size_t)op->outputs);
  if (!items) return false;
  for (int i = 0; i < op->outputs; i++) items[i] = value_of_array(results[i]);
  *out = (value){VALUE_TUPLE, {.list = {items, op->outputs}}};
  return true;
}

bool apply_arrays(interp *in, const char *op, tme_array *const *arrays, int n, size_t at, value *out) {
  const tme_op_info *info = tme_op_find(op);
  if (!info) return problem_at(in->problem, at, "this build has no operation '%s'", op);
  tme_arg *args = arena_alloc(in->memory, (size_t)n, sizeof *args);
  if (!args) return problem_memory(in->problem);
  for (int i = 0; i < n; i++) args[i] = (tme_arg){.kind = TME_ARG_ARRAY, .u.array = arrays[i]};
  return apply(in, info, args, n, at, out);
}

static bool unknown_operation(interp *in, const node *call) {
  suggestion s;
  suggest_begin(&s, call->name, call->name_len);
  suggest_operations(&s);
  return problem_at(in->problem, call->at, "there is no operation '%.*s'%s%s",
                    (int)(call->name_len < 60 ? call->name_len : 60), call->name, suggest_text(&s),
                    s.best[0] ? "" : " (see: tme ops)");
}

bool eval_call(interp *in, const node *call, value *out) {
  const tme_op_info *op = find_operation(call->name, call->name_len);
  if (!op) return unknown_operation(in, call);
  tme_arg *args = arena_alloc(in->memory, (size_t)op->params, sizeof *args);
  bool *given = arena_alloc(in->memory, (size_t)op->params, sizeof *given);
  if (!args || !given) return problem_memory(in->problem);
  int position = 0;
  for (const node *arg = call->child; arg; arg = arg->next) {
    int k = find_parameter(in, op, arg, position++);
    if (k < 0) return false;
    const tme_param_info *p = tme_op_param(op, k);
    if (given[k]) return problem_at(in->problem, arg->at, "%s: '%s' is given twice", op->name, p->name);
    given[k] = true;
    value v;
    if (!eval_node(in, arg->child, &v) || !to_argument(in, op, p, &v, arg->child->at, &args[k])) return false;
  }
  for (int k = 0; k < op->params; k++) {
    const tme_param_info *p = tme_op_param(op, k);
    if (!given[k] && !p->optional)
      return problem_at(in->problem, call->at, "%s: '%s' is missing: %s(%s)", op->name, p->name, op->name,
                        op->signature);
  }
  return apply(in, op, args, op->params, call->at, out);
}
