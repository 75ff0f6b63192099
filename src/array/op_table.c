/* The list of operations as programs see it. */
#include "ops/ops.h"
#include <pthread.h>
#include <stdio.h>
#include <string.h>

static tme_op_info infos[OP_PUBLIC_COUNT];
static char places[OP_PUBLIC_COUNT][2 * OP_NAME];
static tme_param_info params[OP_PUBLIC_COUNT][OP_MAX_PARAMS];

static tme_arg value_of(const op_param *p) {
  if (!p->has_default || p->none) return (tme_arg){.kind = TME_ARG_ABSENT};
  if (p->kind == PARAM_CHOICE) return (tme_arg){.kind = TME_ARG_TEXT, .u.text = p->word};
  if (p->kind == PARAM_FLOAT) return (tme_arg){.kind = TME_ARG_FLOAT, .u.f = p->value};
  return (tme_arg){.kind = TME_ARG_INT, .u.i = (int64_t)p->value};
}

static void fill(void) {
  for (int op = 0; op < OP_PUBLIC_COUNT; op++) {
    const op_def *d = op_get(op);
    size_t n = strlen(d->module);
    bool prefixed = n && !strncmp(d->name, d->module, n) && d->name[n] == '_';
    snprintf(places[op], sizeof *places, "%s%s%s", d->module, n ? "." : "", d->name + (prefixed ? n + 1 : 0));
    infos[op] = (tme_op_info){.name = d->name,
                              .signature = d->signature,
                              .doc = d->doc,
                              .place = places[op],
                              .chapter = d->chapter,
                              .outputs = d->outputs,
                              .number = op,
                              .params = d->nparams};
    for (int i = 0; i < d->nparams; i++) {
      const op_param *p = &d->params[i];
      params[op][i] = (tme_param_info){.name = p->name,
                                       .kind = (tme_param_kind)p->kind,
                                       .optional = p->has_default,
                                       .value = value_of(p),
                                       .choices = p->choices};
    }
  }
}

int tme_op_count(void) { return OP_PUBLIC_COUNT; }

const tme_op_info *tme_op_get(int i) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, fill);
  return i >= 0 && i < OP_PUBLIC_COUNT ? &infos[i] : NULL;
}

const tme_op_info *tme_op_find(const char *name) { return tme_op_get(op_find(name)); }

const tme_param_info *tme_op_param(const tme_op_info *op, int i) {
  return op && i >= 0 && i < op->params ? &params[op->number][i] : NULL;
}
