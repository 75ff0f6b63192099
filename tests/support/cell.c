/* Cells: calls as data. */
#include "support/matrix.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void cell_init(cell *c, int op, bool core) {
  memset(c, 0, sizeof *c);
  c->op = op;
  c->core = core;
}

static int param_of(const cell *c, const char *name) {
  const op_def *d = op_get(c->op);
  for (int p = 0; p < d->nparams; p++)
    if (!strcmp(d->params[p].name, name)) return p;
  return -1;
}

static cell_arg *argument(cell *c, const char *name) {
  int p = param_of(c, name);
  if (p >= 0) return &c->arg[p];
  fprintf(stderr, "%s has no parameter '%s'\n", op_name(c->op), name);
  abort();
}

const cell_arg *cell_get(const cell *c, const char *param) {
  int p = param_of(c, param);
  return p < 0 ? NULL : &c->arg[p];
}

void cell_int(cell *c, const char *param, int64_t v) {
  cell_arg *a = argument(c, param);
  a->kind = TME_ARG_INT;
  a->i = v;
}

void cell_float(cell *c, const char *param, double v) {
  cell_arg *a = argument(c, param);
  a->kind = TME_ARG_FLOAT;
  a->f = v;
}

void cell_ints(cell *c, const char *param, int n, const int64_t *v) {
  cell_arg *a = argument(c, param);
  a->kind = TME_ARG_INTS;
  a->n = n;
  if (n) memcpy(a->ints, v, sizeof *v * (size_t)n);
}

void cell_word(cell *c, const char *param, const char *word) {
  cell_arg *a = argument(c, param);
  a->kind = TME_ARG_TEXT;
  a->word = word;
}

operand *cell_in(cell *c, const char *param, tme_dtype t, int rank, const int64_t *shape) {
  const op_def *d = op_get(c->op);
  cell_arg *a = argument(c, param);
  bool list = d->params[param_of(c, param)].kind == PARAM_ARRAYS;
  operand *o = &c->in[c->nin];
  if (c->nin == CELL_INPUTS) abort();
  if (!a->n) a->first = c->nin;
  a->kind = list ? TME_ARG_ARRAYS : TME_ARG_ARRAY;
  a->n++;
  c->nin++;
  *o = (operand){.dtype = t, .rank = rank, .lo = -2, .hi = 2};
  if (rank) memcpy(o->shape, shape, sizeof *shape * (size_t)rank);
  if (d->family == FAMILY_elementwise) {
    o->lo = d->lo;
    o->hi = d->hi;
  }
  return o;
}

static uint64_t mix(uint64_t h, uint64_t v) {
  h ^= v + 0x9e3779b97f4a7c15u + (h << 6) + (h >> 2);
  return h * 0xff51afd7ed558ccdu ^ (h >> 29);
}

/* The name of the operation, not its number: adding a row must not turn the others. */
uint64_t cell_hash(const cell *c) {
  uint64_t h = 0xcbf29ce484222325u;
  for (const char *s = op_name(c->op); *s; s++) h = mix(h, (unsigned char)*s);
  for (int p = 0; p < OP_MAX_PARAMS; p++) {
    const cell_arg *a = &c->arg[p];
    uint64_t f;
    memcpy(&f, &a->f, sizeof f);
    h = mix(mix(mix(h, (uint64_t)a->kind), (uint64_t)a->i), f);
    for (int k = 0; a->kind == TME_ARG_INTS && k < a->n; k++) h = mix(h, (uint64_t)a->ints[k]);
    for (const char *s = a->word; s && *s; s++) h = mix(h, (unsigned char)*s);
  }
  for (int i = 0; i < c->nin; i++) {
    const operand *o = &c->in[i];
    h = mix(mix(mix(mix(h, (uint64_t)o->dtype), (uint64_t)o->layout), (uint64_t)o->fill), (uint64_t)o->rank);
    for (int k = 0; k < o->rank; k++) h = mix(h, (uint64_t)o->shape[k]);
  }
  return h ^ (h >> 31);
}

static void add_ints(text *t, int n, const int64_t *v) {
  text_add(t, "(");
  for (int k = 0; k < n; k++) {
    if (v[k] == TME_NONE)
      text_add(t, "%snone", k ? "," : "");
    else
      text_add(t, "%s%lld", k ? "," : "", (long long)v[k]);
  }
  text_add(t, ")");
}

void cell_text(const cell *c, char *out, size_t size) {
  static const char *const layouts[] = {"", " transposed", " negative", " broadcast", " steps", " mixed"};
  const op_def *d = op_get(c->op);
  text t = {0};
  text_add(&t, "%s(", d->name);
  for (int p = 0; p < d->nparams; p++) {
    const cell_arg *a = &c->arg[p];
    if (a->kind == TME_ARG_ABSENT) continue;
    text_add(&t, "%s%s=", t.s[t.len - 1] == '(' ? "" : ", ", d->params[p].name);
    if (a->kind == TME_ARG_INT) text_add(&t, "%lld", (long long)a->i);
    if (a->kind == TME_ARG_TEXT) text_add(&t, "%s", a->word);
    if (a->kind == TME_ARG_FLOAT) text_add(&t, "%g", a->f);
    if (a->kind == TME_ARG_INTS) add_ints(&t, a->n, a->ints);
    for (int i = a->first; (a->kind == TME_ARG_ARRAY || a->kind == TME_ARG_ARRAYS) && i < a->first + a->n; i++) {
      text_add(&t, "%s%s", i > a->first ? " " : "", tme_dtype_name(c->in[i].dtype));
      add_ints(&t, c->in[i].rank, c->in[i].shape);
      text_add(&t, "%s", layouts[c->in[i].layout]);
    }
  }
  text_add(&t, ")");
  snprintf(out, size, "%s", t.s ? t.s : "?");
  text_free(&t);
}

tme_status cell_apply(tme_scope *s, const cell *c, tme_array *const *in, tme_array **out) {
  const op_def *d = op_get(c->op);
  tme_arg args[OP_MAX_PARAMS];
  memset(args, 0, sizeof args);
  for (int p = 0; p < d->nparams; p++) {
    const cell_arg *a = &c->arg[p];
    args[p].kind = a->kind;
    args[p].n = a->n;
    switch (a->kind) {
    case TME_ARG_ARRAY: args[p].u.array = in[a->first]; break;
    case TME_ARG_ARRAYS: args[p].u.arrays = &in[a->first]; break;
    case TME_ARG_INT: args[p].u.i = a->i; break;
    case TME_ARG_INTS: args[p].u.ints = a->ints; break;
    case TME_ARG_FLOAT: args[p].u.f = a->f; break;
    case TME_ARG_TEXT: args[p].u.text = a->word; break;
    case TME_ARG_UINT: /* no cell has one */
    case TME_ARG_ABSENT: break;
    }
  }
  return tme_apply(s, d->name, args, d->nparams, out);
}
