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
   .module = MODULE,                                                                                                   \
   .chapter = CHAPTER,                                                                                                 \
   .doc = d,                                                                                                           \
   .family = FAMILY_elementwise,                                                                                       \
   .rule = RULE_##r,                                                                                                   \
   .outputs = 1,                                                                                                       \
   .lo = low,                                                                                                          \
   .hi = high,                                                                                                         \
   .ulp = u},
#define ELEMENTWISE_TWO(n, r, s, first, second, d)                                                                     \
  {.name = #n,                                                                                                         \
   .signature = s,                                                                                                     \
   .module = MODULE,                                                                                                   \
   .chapter = CHAPTER,                                                                                                 \
   .doc = d,                                                                                                           \
   .family = FAMILY_several,                                                                                           \
   .rule = RULE_##r,                                                                                                   \
   .outputs = 2},
#define STRUCTURED(n, f, s, o, d)                                                                                      \
  {.name = #n,                                                                                                         \
   .signature = s,                                                                                                     \
   .module = MODULE,                                                                                                   \
   .chapter = CHAPTER,                                                                                                 \
   .doc = d,                                                                                                           \
   .family = FAMILY_##f,                                                                                               \
   .rule = RULE_STRUCTURED,                                                                                            \
   .outputs = o},
#include "ops/ops.def"
};

/* Of each parameter, row by row: where it lies in op_attrs and its bytes, if it is no array; what a choice is among, and its default. */
static const struct {
  size_t offset, size;
  const char *choices, *word;
} fields[] = {
#include "ops/fields_generated.h"
};
static op_param params[COUNT(fields)];

static const struct {
  const char *name;
  param_kind kind;
} kinds[] = {
#define PARAM(name, id, field, parameter, argument) {name, PARAM_##id},
#include "ops/params.def"
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

int choice_find(const op_param *p, const char *name) {
  size_t length = strlen(name);
  int number = 0;
  for (const char *s = p->choices; *s; number++) {
    size_t n = strcspn(s, "|");
    if (n == length && !memcmp(s, name, n)) return number;
    s += n + (s[n] == '|');
  }
  return -1;
}

const char *choice_name(const op_param *p, int number, int *length) {
  const char *s = p->choices;
  for (; number > 0 && *s; number--) {
    s += strcspn(s, "|");
    s += *s == '|';
  }
  *length = (int)strcspn(s, "|");
  return s;
}

static void parse_kind(op_param *p, const char *kind) {
  if (p->choices) p->kind = PARAM_CHOICE;
  for (int i = 0; i < COUNT(kinds); i++)
    if (!strcmp(kind, kinds[i].name)) p->kind = kinds[i].kind;
}

static void parse_default(op_param *p, const char *s) {
  p->has_default = true;
  p->none = !strcmp(s, "none");
  if (p->kind == PARAM_CHOICE) {
    p->value = choice_find(p, s);
  } else if (p->none) {
    p->value = p->kind == PARAM_FLOAT           ? NAN
               : p->kind == PARAM_DTYPE         ? TME_DTYPE_NONE
               : p->kind == PARAM_OPTIONAL_AXIS ? TME_NO_AXIS
                                                : 0;
  } else if (!strcmp(s, "true")) {
    p->value = 1;
  } else if (strcmp(s, "false")) {
    p->value = strtod(s, NULL);
  }
}

/* `p`: the row's first parameter; returns the first of the next row. Rows that break a limit do not build: tools/genops.c. */
static op_param *parse(op_def *d, op_param *p) {
  d->params = p;
  d->key = -1;
  d->attrs_size = offsetof(op_attrs, max_any) + sizeof(bool);
  for (const char *s = d->signature; *s; d->nparams++, p++) {
    size_t field = (size_t)(p - params);
    char buf[OP_KIND];
    p->choices = fields[field].choices;
    p->word = fields[field].word;
    s = word(s, ":,=", p->name, sizeof p->name);
    p->kind = PARAM_ARRAY;
    if (*s == ':') {
      s = word(s + 1, ",=", buf, sizeof buf);
      parse_kind(p, buf);
    }
    if (*s == '=') {
      s = word(s + 1, ",", buf, sizeof buf);
      parse_default(p, buf);
    }
    if (p->kind == PARAM_ARRAYS)
      d->ninputs = -1;
    else if (p->kind == PARAM_ARRAY || p->kind == PARAM_OPTIONAL_ARRAY)
      p->input = d->ninputs++;
    if (p->kind == PARAM_OPTIONAL_ARRAY && !strcmp(p->name, "key")) d->key = p->input;
    p->offset = fields[field].offset;
    size_t end = p->offset + fields[field].size;
    if (end > d->attrs_size) d->attrs_size = end;
    s += strspn(s, ", ");
  }
  return p;
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
  op_param *next = params;
  size_t reach[FAMILY_COUNT] = {0};
  for (int i = 0; i < OP_PUBLIC_COUNT; i++) {
    op_def *d = &table[i];
    next = parse(d, next);
    *place_of(d->name) = (uint16_t)(i + 1);
    if (d->attrs_size > reach[d->family]) reach[d->family] = d->attrs_size;
  }
  for (int i = 0; i < OP_PUBLIC_COUNT; i++) table[i].attrs_size = reach[table[i].family];
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
  char shape[SHAPE_TEXT];
  type_shape_text(t, shape);
  return fail(e, TME_ERR_MEMORY, "%s: shape %s of %s has more bytes than can be addressed", op, shape,
              tme_dtype_name(t->dtype));
}

void type_shape_text(const op_type *t, char out[static SHAPE_TEXT]) {
  size_t n = 0;
  out[n++] = '(';
  for (int d = 0; d < t->rank; d++)
    n += (size_t)snprintf(out + n, SHAPE_TEXT - n, "%s%lld", d ? ", " : "", (long long)t->shape[d]);
  snprintf(out + n, SHAPE_TEXT - n, t->rank == 1 ? ",)" : ")");
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
