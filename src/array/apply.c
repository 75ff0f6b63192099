/* From a call to a node: arguments, type inference, casts. */
#include "array/apply.h"
#include "array/compose.h"
#include "array/random.h"
#include "array/scope.h"
#include "array/sized.h"
#include "array/untyped.h"
#include <math.h>
#include <string.h>

enum { FEW = 8 };

typedef struct application {
  tme_scope *s;
  const op_def *def;
  int op, nin;
  bool failed;
  tme_array **in;
  op_attrs *attrs;
  op_type base; /* of check_power */
} application;

static bool refuse(application *c, const op_param *p, const char *expected) {
  fail(&c->s->err, TME_ERR_ARGUMENT, "%s: %s must be %s", c->def->name, p->name, expected);
  return false;
}

/* A NULL is most often the result of a call that failed: then its message stands. */
static bool take_array(application *c, const op_param *p, tme_array *a) {
  if (a && a->node->engine == c->s->engine) {
    c->in[c->nin++] = a;
    return true;
  }
  if (a)
    fail(&c->s->err, TME_ERR_ARGUMENT, "%s: operand '%s' belongs to another engine", c->def->name, p->name);
  else
    fail(&c->s->err, TME_ERR_ARGUMENT, "%s: operand '%s' is NULL", c->def->name, p->name);
  return false;
}

static bool take_list(application *c, const op_param *p, const tme_arg *a, op_list *l) {
  l->n = -1;
  if (a->kind == TME_ARG_ABSENT) return p->has_default || refuse(c, p, "given");
  if (a->kind == TME_ARG_INT) {
    l->n = 1;
    l->v[0] = a->u.i;
    return true;
  }
  if (a->kind != TME_ARG_INTS || a->n < 0 || (a->n && !a->u.ints)) return refuse(c, p, "a list of whole numbers");
  if (a->n > TME_MAX_RANK) {
    fail(&c->s->err, TME_ERR_ARGUMENT, "%s: %s has %d entries, more than the %d dimensions supported", c->def->name,
         p->name, a->n, TME_MAX_RANK);
    return false;
  }
  l->n = a->n;
  for (int i = 0; i < a->n; i++) l->v[i] = a->u.ints[i];
  return true;
}

static bool take_perdim(application *c, const op_param *p, const tme_arg *a, op_list *l) {
  if (!take_list(c, p, a, l)) return false;
  int rank = c->nin ? c->in[0]->type.rank : 0;
  if (l->n < 0 || l->n == rank) return true;
  fail(&c->s->err, TME_ERR_ARGUMENT, "%s: %s has %d entr%s, expected one for each of the array's axes, %d",
       c->def->name, p->name, l->n, l->n == 1 ? "y" : "ies", rank);
  return false;
}

static bool take_int(application *c, const op_param *p, const tme_arg *a, int64_t *v) {
  if (a->kind == TME_ARG_ABSENT) {
    *v = (int64_t)p->value;
    return p->has_default || refuse(c, p, "given");
  }
  if (a->kind != TME_ARG_INT) return refuse(c, p, "a whole number");
  *v = a->u.i;
  return true;
}

static bool take_bool(application *c, const op_param *p, const tme_arg *a, bool *v) {
  int64_t i = 0;
  bool ok = take_int(c, p, a, &i);
  *v = i != 0;
  return ok;
}

static bool take_dtype(application *c, const op_param *p, const tme_arg *a, tme_dtype *v) {
  int64_t i = 0;
  if (!take_int(c, p, a, &i)) return false;
  *v = (tme_dtype)i;
  if (i >= TME_DTYPE_NONE && i < TME_DTYPE_COUNT) return true;
  fail(&c->s->err, TME_ERR_ARGUMENT, "%s: there is no dtype number %lld", c->def->name, (long long)i);
  return false;
}

static bool take_text(application *c, const op_param *p, const tme_arg *a, char *v) {
  *v = 0;
  if (a->kind == TME_ARG_ABSENT) return p->has_default || refuse(c, p, "given");
  if (a->kind != TME_ARG_TEXT || !a->u.text) return refuse(c, p, "a text");
  size_t length = strnlen(a->u.text, OP_TEXT);
  if (length == OP_TEXT) {
    fail(&c->s->err, TME_ERR_ARGUMENT, "%s: %s has more than %d bytes", c->def->name, p->name, OP_TEXT - 1);
    return false;
  }
  memcpy(v, a->u.text, length + 1);
  return true;
}

static bool take_choice(application *c, const op_param *p, const tme_arg *a, int *v) {
  *v = (int)p->value;
  if (a->kind == TME_ARG_ABSENT) return p->has_default || refuse(c, p, "given");
  if (a->kind != TME_ARG_TEXT || !a->u.text) return refuse(c, p, "a text");
  *v = choice_find(p, a->u.text);
  if (*v >= 0) return true;
  fail(&c->s->err, TME_ERR_ARGUMENT, "%s: %s is '%.64s', expected one of %s", c->def->name, p->name, a->u.text,
       p->choices);
  return false;
}

static bool take_float(application *c, const op_param *p, const tme_arg *a, double *v) {
  if (a->kind == TME_ARG_FLOAT)
    *v = a->u.f;
  else if (a->kind == TME_ARG_INT)
    *v = (double)a->u.i;
  else if (a->kind == TME_ARG_UINT)
    *v = (double)a->u.u;
  else if (a->kind != TME_ARG_ABSENT)
    return refuse(c, p, "a number");
  else
    *v = p->value;
  return a->kind != TME_ARG_ABSENT || p->has_default || refuse(c, p, "given");
}

static bool take_number(application *c, const op_param *p, const tme_arg *a, op_number *v) {
  if (a->kind == TME_ARG_INT)
    *v = number_of_int(a->u.i);
  else if (a->kind == TME_ARG_UINT)
    *v = number_of_uint(a->u.u);
  else if (a->kind == TME_ARG_FLOAT)
    *v = p->none && isnan(a->u.f) ? (op_number){0} : number_of_double(a->u.f);
  else if (a->kind != TME_ARG_ABSENT)
    return refuse(c, p, "a number");
  else
    *v = p->none ? (op_number){0} : number_of_int((int64_t)p->value);
  return a->kind != TME_ARG_ABSENT || p->has_default || refuse(c, p, "given");
}

static bool take_axes(application *c, const op_param *p, const tme_arg *a, op_axes *v) {
  tme_arg one = {.kind = TME_ARG_INT, .u.i = (int64_t)p->value};
  if (a->kind == TME_ARG_ABSENT && p->has_default && !p->none) a = &one;
  bool all = a->kind == TME_ARG_INTS && a->n == TME_ALL;
  v->given = a->kind == TME_ARG_ABSENT || all ? AXES_NONE : AXES_LIST;
  v->list.n = -1;
  return all || take_list(c, p, a, &v->list);
}

static bool take(application *c, const op_param *p, const tme_arg *a) {
  void *v = attrs_at(c->attrs, p);
  switch (p->kind) {
  case PARAM_ARRAY:
    if (a->kind != TME_ARG_ARRAY && a->kind != TME_ARG_ABSENT) return refuse(c, p, "an array");
    return take_array(c, p, a->kind == TME_ARG_ARRAY ? a->u.array : NULL);
  case PARAM_OPTIONAL_ARRAY:
    if (a->kind != TME_ARG_ARRAY && a->kind != TME_ARG_ABSENT) return refuse(c, p, "an array or nothing");
    if (a->kind == TME_ARG_ARRAY && a->u.array) return take_array(c, p, a->u.array);
    c->in[c->nin++] = NULL;
    return true;
  case PARAM_ARRAYS:
    if (a->kind != TME_ARG_ARRAYS || a->n < 0 || (a->n && !a->u.arrays)) return refuse(c, p, "a list of arrays");
    for (int i = 0; i < a->n; i++)
      if (!take_array(c, p, a->u.arrays[i])) return false;
    return true;
  case PARAM_AXES: return take_axes(c, p, a, v);
  case PARAM_INTS: return take_list(c, p, a, v);
  case PARAM_PERDIM: return take_perdim(c, p, a, v);
  case PARAM_FLOAT: return take_float(c, p, a, v);
  case PARAM_NUMBER: return take_number(c, p, a, v);
  case PARAM_AXIS:
  case PARAM_OPTIONAL_AXIS:
  case PARAM_INT: return take_int(c, p, a, v);
  case PARAM_BOOL: return take_bool(c, p, a, v);
  case PARAM_DTYPE: return take_dtype(c, p, a, v);
  case PARAM_TEXT: return take_text(c, p, a, v);
  case PARAM_CHOICE: return take_choice(c, p, a, v);
  }
  return false;
}

/* `a` in dtype t: a literal is made anew from what the caller gave, so that it is rounded once. A new reference, or
 * NULL when out of memory. */
static node *convert(tme_scope *s, tme_array *a, tme_dtype t) {
  node *n = a->node;
  if (n->op == OP_literal) return node_literal(s->engine, t, a->type.weak, n->literal);
  op_attrs attrs = {.cast = {t}};
  op_type type = a->type;
  type.dtype = t;
  return scope_node(s, node_new(s->engine, OP_astype, &a, 1, &attrs, &type, 1));
}

/* The value of full() is an argument of the plan as every other changing number is. */
static node *make_full(tme_engine *e, const op_attrs *attrs, const op_type *type) {
  node *value = node_literal(e, type->dtype, false, attrs->create.value);
  if (!value) return NULL;
  op_attrs shape = {.view = {.shape.n = type->rank}};
  memcpy(shape.view.shape.v, type->shape, sizeof type->shape);
  tme_array *in = &value->out[0];
  node *n = node_new(e, OP_broadcast_to, &in, 1, &shape, type, 1);
  node_release(value);
  return n;
}

/* A view of a computed array is computed. */
static node *make_view(tme_engine *e, int op, tme_array *x, const op_attrs *attrs, const op_type *type) {
  int64_t offset, strides[TME_MAX_RANK];
  if (!array_view_of(op, x, attrs, type, &offset, strides)) return NULL;
  node *n = node_new(e, op, NULL, 0, NULL, type, 1);
  if (n) array_set(&n->out[0], buffer_retain(array_buffer(x)), offset, strides);
  return n;
}

static node *make(application *c, tme_dtype *cast, const op_type *types) {
  tme_engine *e = c->s->engine;
  bool structured = c->def->family != FAMILY_elementwise;
  if (c->op == OP_clip) c->op = compose_clip(c->in, cast, &c->nin);
  if (c->op == OP_full) return scope_node(c->s, make_full(e, c->attrs, types));
  if (c->op == OP_astype && c->in[0]->node->op == OP_literal && c->in[0]->type.weak)
    return node_literal(e, types->dtype, false, c->in[0]->node->literal);
  if (op_is_view(c->op) && array_buffer(c->in[0])) {
    node *view = make_view(e, c->op, c->in[0], c->attrs, types);
    if (view) return view;
  }
  int done = 0;
  bool ok = true;
  for (; done < c->nin; done++) {
    if (cast[done] == TME_DTYPE_NONE || !c->in[done]) continue;
    node *n = convert(c->s, c->in[done], cast[done]);
    ok = n != NULL;
    if (!ok) break;
    c->in[done] = &n->out[0];
  }
  node *n = ok ? node_new(e, c->op, c->in, c->nin, structured ? c->attrs : NULL, types, c->def->outputs) : NULL;
  for (int i = 0; i < done; i++)
    if (cast[i] != TME_DTYPE_NONE && c->in[i]) node_release(c->in[i]->node);
  return scope_node(c->s, n);
}

/* The node's outputs to the scope. Takes over the reference, of which each output needs one. */
static bool give(application *c, node *n, tme_array **out) {
  int outputs = c->def->outputs;
  if (!n) return false;
  if (outputs > 1) atomic_fetch_add_explicit(&n->refs, outputs - 1, memory_order_relaxed);
  for (int i = 0; i < outputs; i++) out[i] = scope_add(c->s, &n->out[i]);
  return true;
}

/* The same, with those of dtype `wide` as `narrow`. */
static bool give_narrowed(application *c, node *n, tme_dtype wide, tme_dtype narrow, tme_array **out) {
  int outputs = c->def->outputs, done = 0;
  node *own[OP_MAX_OUTPUTS];
  for (; n && done < outputs; done++) {
    own[done] = n->out[done].type.dtype == wide ? convert(c->s, &n->out[done], narrow) : node_retain(n);
    if (!own[done]) break;
  }
  bool ok = n && done == outputs;
  for (int i = 0; i < done; i++) {
    if (ok)
      out[i] = scope_add(c->s, own[i] == n ? &n->out[i] : &own[i]->out[0]);
    else
      node_release(own[i]);
  }
  node_release(n);
  return ok;
}

/* Untyped operands among the others: what the dtype that they are to have does not hold is an error. */
static bool check_untyped(application *c, const tme_dtype *cast) {
  for (int i = 0; i < c->nin; i++) {
    tme_array *a = c->in[i];
    if (!a || !a->type.weak || c->def->family == FAMILY_cast) continue;
    if (!untyped_fits(c->s, c->def->name, a, cast[i] == TME_DTYPE_NONE ? a->type.dtype : cast[i])) return false;
  }
  return true;
}

/* Integers to the power of untyped negative ones: of untyped integers floats, of others an error. */
static tme_status check_power(application *c, tme_dtype floating, const op_type **in) {
  if (c->op != OP_pow || !c->in[1]->type.weak || dtype_kind(c->in[0]->type.dtype) > TAKES_INT) return TME_OK;
  if (dtype_kind(c->in[1]->type.dtype) > TAKES_INT) return TME_OK;
  bool negative;
  tme_status s = untyped_negative(c->s, c->in[1], &negative);
  if (s != TME_OK || !negative) return s;
  if (!c->in[0]->type.weak)
    return fail(&c->s->err, TME_ERR_ARGUMENT,
                "pow: %s to the power of a negative whole number is none; take 1 / x ** n, or convert x with astype",
                tme_dtype_name(c->in[0]->type.dtype));
  c->base = *in[0];
  c->base.dtype = floating;
  in[0] = &c->base;
  return TME_OK;
}

/* Means and variances of integers that f32 does not hold are made in f64, lest numbers be rounded before they are centred. */
static bool is_of_wide_integers(const application *c) {
  if (c->op != OP_mean && c->op != OP_var && c->op != OP_std) return false;
  tme_dtype t = c->in[0]->type.dtype;
  return dtype_is_int(t) && tme_dtype_size(t) >= 4;
}

static tme_status infer(application *c, const op_type **in, tme_dtype *cast, tme_array **out) {
  const engine_config *config = &context_of(c->s->engine)->config;
  bool untyped = true, floats = false;
  for (int i = 0; i < c->nin; i++) {
    in[i] = c->in[i] ? &c->in[i]->type : NULL;
    if (!in[i] || in[i]->weak) continue;
    untyped = false;
    floats |= dtype_kind(in[i]->dtype) > TAKES_INT;
  }
  error *err = &c->s->err;
  op_call o = {.op = c->op,
               .nin = c->nin,
               .in = in,
               .attrs = c->def->family == FAMILY_elementwise ? NULL : c->attrs,
               .default_float = untyped ? config->untyped_dtype : config->default_dtype,
               .untyped = config->untyped,
               .cast = cast};
  /* Integers are not brought down to narrow floats: what is made of them is f32, and rounds once at the end. */
  tme_dtype narrow = TME_DTYPE_NONE;
  if (dtype_is_narrow(o.default_float) && c->nin && !floats && c->def->family != FAMILY_cast && c->def->key < 0) {
    narrow = o.default_float;
    o.default_float = dtype_wide(narrow);
  }
  if (o.default_float == TME_F32 && is_of_wide_integers(c)) {
    if (narrow == TME_DTYPE_NONE) narrow = TME_F32;
    o.default_float = TME_F64;
  }
  op_type types[OP_MAX_OUTPUTS];
  tme_status s = check_power(c, o.default_float, in);
  if (s == TME_OK) s = op_infer(&o, types, err);
  if (s != TME_OK) return s;
  if (c->op == OP_pow && in[0] == &c->base) cast[0] = c->base.dtype;
  if (!check_untyped(c, cast)) return err->code;
  if (!scope_reserve(c->s, c->def->outputs)) return fail_memory(err, c->def->name, sizeof *c->s->array);
  node *n = make(c, cast, types);
  bool ok = narrow == TME_DTYPE_NONE ? give(c, n, out) : give_narrowed(c, n, o.default_float, narrow, out);
  return ok ? TME_OK : fail_memory(err, c->def->name, sizeof *n);
}

static tme_status compare(application *c, const op_type **in, tme_dtype *cast, tme_array **out) {
  node *a = c->in[0]->node, *b = c->in[1]->node, *own = NULL;
  if (a->op == OP_literal && b->op == OP_literal && c->in[0]->type.weak && c->in[1]->type.weak) {
    op_number v = number_of_int(compare_literals(c->op, &a->literal, &b->literal));
    *out = scope_take(c->s, node_literal(c->s->engine, TME_BOOL, true, v), c->def->name);
    return *out ? TME_OK : c->s->err.code;
  }
  if (!compare_literal(c->s, &c->op, c->in, &own)) return fail_memory(&c->s->err, c->def->name, sizeof(node));
  c->def = op_get(c->op);
  tme_status s = TME_OK;
  if (compare_mixes_signs(c->in)) {
    *out = compare_mixed_signs(c->s, c->op, c->in);
    if (!*out) s = c->s->err.code;
  } else {
    s = infer(c, in, cast, out);
  }
  node_release(own);
  return s;
}

/* Whether an axis may be left out, and is: then it is that of all elements. */
static bool takes_no_axis(application *c) {
  for (int p = 0; p < c->def->nparams; p++) {
    if (c->def->params[p].kind != PARAM_OPTIONAL_AXIS) continue;
    int64_t *axis = attrs_at(c->attrs, &c->def->params[p]);
    if (*axis != TME_NO_AXIS) return false;
    *axis = 0;
    return true;
  }
  return false;
}

/* Of the first operand, or of all in a list, the elements in row-major order; what changes some of x has the shape of x. */
static tme_status infer_of_all(application *c, const op_type **in, tme_dtype *cast, tme_array **out) {
  tme_scope *between = scope_between(c->s, c->def->name);
  if (!between) return c->s->err.code;
  tme_array *x = c->in[0];
  tme_status s = TME_OK;
  for (int i = 0; i < (c->def->ninputs < 0 ? c->nin : 1) && s == TME_OK; i++) {
    c->in[i] = tme_ravel(between, c->in[i]);
    if (!c->in[i]) s = scope_fail(c->s, &between->err);
  }
  if (s == TME_OK) s = infer(c, in, cast, out);
  if (s == TME_OK && (c->op == OP_scatter || c->op == OP_put_along_axis)) {
    out[0] = tme_reshape(c->s, out[0], x->type.shape, x->type.rank);
    if (!out[0]) s = c->s->err.code;
  }
  tme_scope_free(between);
  return s;
}

static tme_status infer_all(application *c, const op_type **in, tme_dtype *cast, tme_array **out) {
  return takes_no_axis(c) ? infer_of_all(c, in, cast, out) : infer(c, in, cast, out);
}

/* What is drawn with a key, of the engine's own where none is given. */
static tme_status draw(application *c, const op_type **in, tme_dtype *cast, tme_array **out) {
  tme_scope *between = scope_between(c->s, c->def->name);
  if (!between) return c->s->err.code;
  tme_status s = random_operands(c->s, between, c->def, c->in, c->attrs);
  if (s == TME_OK) s = infer(c, in, cast, out);
  tme_scope_free(between);
  return s;
}

static bool take_all(application *c, const tme_arg *args, int nargs) {
  static const tme_arg absent = {.kind = TME_ARG_ABSENT};
  for (int p = 0; p < c->def->nparams; p++)
    if (!take(c, &c->def->params[p], p < nargs ? &args[p] : &absent)) return false;
  return true;
}

/* Lists of many arrays. */
static tme_status apply_many(application *c, const tme_arg *args, int nargs, int most, tme_array **out) {
  c->in = mem_calloc((size_t)most, sizeof *c->in);
  const op_type **types = mem_calloc((size_t)most, sizeof *types);
  tme_dtype *cast = mem_calloc((size_t)most, sizeof *cast);
  tme_status s;
  if (!c->in || !types || !cast)
    s = fail_memory(&c->s->err, c->def->name, (size_t)most * sizeof *types);
  else
    s = take_all(c, args, nargs) ? infer_all(c, types, cast, out) : c->s->err.code;
  mem_free(c->in);
  mem_free(types);
  mem_free(cast);
  return s;
}

tme_status apply(tme_scope *s, int op, const tme_arg *args, int nargs, tme_array **out) {
  const op_def *d = op_get(op);
  for (int i = 0; d && out && i < d->outputs; i++) out[i] = NULL;
  if (!s || !d) return TME_ERR_ARGUMENT;
  if (nargs < 0 || (nargs && !args) || !out)
    return fail(&s->err, TME_ERR_ARGUMENT, "%s: the arguments are missing", d->name);
  if (nargs > d->nparams)
    return fail(&s->err, TME_ERR_ARGUMENT, "%s(%s): %d arguments given, more than it has", d->name, d->signature,
                nargs);
  tme_array *in[FEW];
  const op_type *types[FEW];
  tme_dtype cast[FEW];
  op_attrs attrs;
  application c;
  c.s = s;
  c.def = d;
  c.op = op;
  c.nin = 0;
  c.in = in;
  c.attrs = &attrs;
  memset(&attrs, 0, d->attrs_size);
  if (d->ninputs < 0 && nargs > 0 && args[0].kind == TME_ARG_ARRAYS && args[0].u.arrays && args[0].n > FEW)
    return apply_many(&c, args, nargs, args[0].n, out);
  if (!take_all(&c, args, nargs)) return s->err.code;
  if (op == OP_round && attrs.elementwise.decimals) return compose_round(s, in[0], attrs.elementwise.decimals, out);
  if (op == OP_pad && attrs.view.mode != VIEW_MODE_CONSTANT) return compose_pad(s, in[0], &attrs, out);
  if ((op == OP_var || op == OP_std) && dtype_is_complex(in[0]->type.dtype))
    return compose_variance(s, op, in[0], args, nargs, out);
  if (op == OP_linspace && dtype_is_int(attrs.create.dtype)) return compose_linspace(s, &attrs, out);
  if (compose_has_dtype(op, &attrs)) return compose_in_dtype(s, op, in[0], &attrs, args, nargs, out);
  if (sized_is_open(d, &attrs)) return sized_apply(s, op, args, nargs, in, c.nin, out);
  if (d->key >= 0) return draw(&c, types, cast, out);
  return is_comparison(d->rule) ? compare(&c, types, cast, out) : infer_all(&c, types, cast, out);
}

tme_status tme_apply_op(tme_scope *s, int op, const tme_arg *args, int nargs, tme_array **out) {
  if (op >= 0 && op < OP_PUBLIC_COUNT) return apply(s, op, args, nargs, out);
  if (out) out[0] = NULL; /* every operation has one output at least */
  return s ? fail(&s->err, TME_ERR_ARGUMENT, "there is no operation number %d, expected 0 to %d", op,
                  OP_PUBLIC_COUNT - 1)
           : TME_ERR_ARGUMENT;
}

tme_status tme_apply(tme_scope *s, const char *op, const tme_arg *args, int nargs, tme_array **out) {
  int i = op_find(op);
  if (i >= 0) return apply(s, i, args, nargs, out);
  if (out) out[0] = NULL;
  return s ? fail(&s->err, TME_ERR_ARGUMENT, "there is no operation '%.64s'", op ? op : "") : TME_ERR_ARGUMENT;
}
