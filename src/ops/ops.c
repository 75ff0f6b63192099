/* The table of ops.def with its signatures parsed, and arithmetic on shapes. */
#include "ops/ops.h"
#include "base/hash.h"
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static op_def table[OP_PUBLIC_COUNT] = {
#define ELEMENTWISE(n, r, s, expression, gradient, low, high, u, d)                                                    \
  {.name = #n,                                                                                                         \
   .signature = s,                                                                                                     \
   .doc = d,                                                                                                           \
   .family = FAMILY_elementwise,                                                                                       \
   .rule = RULE_##r,                                                                                                   \
   .outputs = 1,                                                                                                       \
   .lo = low,                                                                                                          \
   .hi = high,                                                                                                         \
   .ulp = u},
#define ELEMENTWISE_TWO(n, r, s, first, second, d)                                                                     \
  {.name = #n, .signature = s, .doc = d, .family = FAMILY_several, .rule = RULE_##r, .outputs = 2},
#define STRUCTURED(n, f, s, o, d)                                                                                      \
  {.name = #n, .signature = s, .doc = d, .family = FAMILY_##f, .rule = RULE_STRUCTURED, .outputs = o},
#include "ops/ops.def"
};

static const struct {
  const char *name;
  param_kind kind;
} kinds[] = {
    {"array", PARAM_ARRAY}, {"array?", PARAM_OPTIONAL}, {"arrays", PARAM_ARRAYS}, {"axis", PARAM_AXIS},
    {"axes", PARAM_AXES},   {"ints", PARAM_INTS},       {"perdim", PARAM_PERDIM}, {"int", PARAM_INT},
    {"bool", PARAM_BOOL},   {"float", PARAM_FLOAT},     {"number", PARAM_NUMBER}, {"dtype", PARAM_DTYPE},
};

const char *tme_param_kind_name(tme_param_kind k) {
  for (int i = 0; i < COUNT(kinds); i++)
    if ((int)kinds[i].kind == (int)k) return kinds[i].name;
  return "none";
}

/* Copies the text up to one of `stop`; returns what follows. */
static const char *word(const char *s, const char *stop, char *out, size_t size) {
  size_t n = strcspn(s, stop);
  snprintf(out, size, "%.*s", (int)n, s);
  return s + n;
}

static void parse_default(op_param *p, const char *s) {
  p->has_default = true;
  p->none = !strcmp(s, "none");
  if (p->none)
    p->value = p->kind == PARAM_FLOAT ? NAN : p->kind == PARAM_DTYPE ? TME_DTYPE_NONE : 0;
  else if (!strcmp(s, "true"))
    p->value = 1;
  else if (strcmp(s, "false"))
    p->value = strtod(s, NULL);
}

/* Gives the parameter its place among the inputs or in op_attrs. */
static int place(op_def *d, param_kind k, int next[4]) {
  switch (k) {
  case PARAM_ARRAY:
  case PARAM_OPTIONAL: return d->ninputs++;
  case PARAM_ARRAYS: d->ninputs = -1; return 0;
  case PARAM_FLOAT: return next[0]++;
  case PARAM_NUMBER: return next[3]++;
  case PARAM_AXES: return 2;
  case PARAM_INTS:
  case PARAM_PERDIM: return next[2]++;
  case PARAM_AXIS:
  case PARAM_INT:
  case PARAM_BOOL:
  case PARAM_DTYPE: return next[1]++;
  }
  return 0;
}

static void parse(op_def *d) {
  const char *s = d->signature;
  int next[4] = {0, 0, 0, 0};
  while (*s && d->nparams < OP_MAX_PARAMS) {
    op_param *p = &d->params[d->nparams++];
    char buf[16];
    s = word(s, ":,=", p->name, sizeof p->name);
    p->kind = PARAM_ARRAY;
    if (*s == ':') {
      s = word(s + 1, ",=", buf, sizeof buf);
      for (int i = 0; i < COUNT(kinds); i++)
        if (!strcmp(buf, kinds[i].name)) p->kind = kinds[i].kind;
    }
    if (*s == '=') {
      s = word(s + 1, ",", buf, sizeof buf);
      parse_default(p, buf);
    }
    p->slot = place(d, p->kind, next);
    while (*s == ',' || *s == ' ') s++;
  }
}

/* Operations by the hash of their names, each in the first free place from there on: 0, or 1 + its number. */
enum { PLACES = 1024 };
static uint16_t places[PLACES];
_Static_assert(PLACES >= 2 * OP_PUBLIC_COUNT, "searches are short");

static uint16_t *place_of(const char *name) {
  size_t at = hash_bytes(name, strlen(name)).lo % PLACES;
  while (places[at] && strcmp(table[places[at] - 1].name, name)) at = (at + 1) % PLACES;
  return &places[at];
}

static void parse_all(void) {
  for (int i = 0; i < OP_PUBLIC_COUNT; i++) {
    parse(&table[i]);
    *place_of(table[i].name) = (uint16_t)(i + 1);
  }
}

static void parse_once(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, parse_all);
}

const op_def *op_get(int op) {
  if (op < 0 || op >= OP_PUBLIC_COUNT) return NULL;
  parse_once();
  return &table[op];
}

int op_find(const char *name) {
  if (!name) return -1;
  parse_once();
  return *place_of(name) - 1;
}

const char *op_name(int op) {
  static const char *const nameless[OP_COUNT - OP_PUBLIC_COUNT] = {"leaf", "literal", "iota",
                                                                   "pick", "call",    "barrier"};
  if (op < 0 || op >= OP_COUNT) return "?";
  return op < OP_PUBLIC_COUNT ? table[op].name : nameless[op - OP_PUBLIC_COUNT];
}

int op_of_result(int op, int output) {
  static const uint16_t rows[OP_PUBLIC_COUNT][2] = {
#define ELEMENTWISE_TWO(name, rule, signature, first, second, doc) [OP_##name] = {OP_##first, OP_##second},
#include "ops/ops.def"
  };
  return rows[op][output];
}

const op_family_def *op_family_get(int op) {
  static const op_family_def families[FAMILY_COUNT] = {
#define FAMILY(n, c, reference, decomposes, checks, mlx, d, b)                                                         \
  {.name = #n, .compiled = CLASS_##c, .derivative = DERIVATIVE_##d, .batching = BATCHING_##b},
#include "ops/families.def"
  };
  return op < 0 || op >= OP_PUBLIC_COUNT ? NULL : &families[table[op].family];
}

op_class op_classify(int op) {
  switch (op) {
  case OP_leaf:
  case OP_literal:
  case OP_iota: return CLASS_SOURCE;
  case OP_pick: return CLASS_PICK;
  case OP_call:
  case OP_barrier: return CLASS_COMPOSITE;
  default: return op_family_get(op)->compiled;
  }
}

const op_rule_def *op_rule_get(op_rule r) {
  static const op_rule_def rules[] = {
#define RULE(n, t, g, words) {.name = #n, .text = words, .takes = t, .gives = g},
#include "ops/rules.def"
#undef RULE
  };
  return (int)r >= 0 && (int)r < COUNT(rules) ? &rules[r] : NULL;
}

int64_t type_size(const op_type *t) {
  int64_t n = 1;
  for (int d = 0; d < t->rank; d++) n *= t->shape[d];
  return n;
}

bool type_same_shape(const op_type *a, const op_type *b) {
  if (a->rank != b->rank) return false;
  for (int d = 0; d < a->rank; d++)
    if (a->shape[d] != b->shape[d]) return false;
  return true;
}

tme_status type_check_size(const op_type *t, const char *op, error *e) {
  /* An extent of 0 counts as 1, so that the strides of an empty array do not overflow either. */
  int64_t bytes = (int64_t)tme_dtype_size(t->dtype);
  bool fits = true;
  for (int d = 0; d < t->rank && fits; d++)
    fits = !__builtin_mul_overflow(bytes, t->shape[d] > 0 ? t->shape[d] : 1, &bytes);
  if (fits) return TME_OK;
  char shape[200];
  type_shape_text(t, shape);
  return fail(e, TME_ERR_MEMORY, "%s: shape %s of %s has more bytes than can be addressed", op, shape,
              tme_dtype_name(t->dtype));
}

void type_shape_text(const op_type *t, char out[static 200]) {
  size_t n = 0;
  out[n++] = '(';
  for (int d = 0; d < t->rank; d++)
    n += (size_t)snprintf(out + n, 200 - n, "%s%lld", d ? ", " : "", (long long)t->shape[d]);
  snprintf(out + n, 200 - n, t->rank == 1 ? ",)" : ")");
}

bool type_broadcast(const op_type *a, const op_type *b, op_type *out) {
  int rank = a->rank > b->rank ? a->rank : b->rank;
  int64_t shape[TME_MAX_RANK] = {0};
  for (int d = 0; d < rank; d++) {
    int da = d - (rank - a->rank), db = d - (rank - b->rank);
    int64_t na = da >= 0 ? a->shape[da] : 1, nb = db >= 0 ? b->shape[db] : 1;
    if (na != nb && na != 1 && nb != 1) return false;
    shape[d] = na == 1 ? nb : na;
  }
  out->rank = rank;
  memcpy(out->shape, shape, sizeof shape);
  return true;
}
