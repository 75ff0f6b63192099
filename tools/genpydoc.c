/* Prints what the docstrings of the Python package say of each operation besides its row: which dtypes it takes and gives, how
 * it fails, and an example with its result. All of it is found by trying the operation: examples are made of the kinds of its
 * parameters, of operands between the row's lo and hi, until one is computed. An operation for which none is found fails the
 * build. Run by the build, with the library just built. */
#include "ops/ops.h"
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tme/tme.h>

/* ---- what rows say that the table does not ------------------------------------------------------------------------- */

typedef struct row {
  const char *name, *first; /* of two results: the row of the first */
  op_family family;
  op_rule rule;
  double lo, hi;
} row;

static const row rows[] = {
#define ELEMENTWISE(name, rule, signature, expression, gradient, lo, hi, ulp, doc)                                     \
  {#name, NULL, FAMILY_elementwise, RULE_##rule, lo, hi},
#define ELEMENTWISE_TWO(name, rule, signature, first, second, doc) {#name, #first, FAMILY_several, RULE_##rule, 0, 0},
#define STRUCTURED(name, family, signature, outputs, doc) {#name, NULL, FAMILY_##family, RULE_STRUCTURED, 0, 0},
#include "ops/ops.def"
};

static const op_class classes[] = {
#define FAMILY(name, class, reference, decomposes, checks, mlx, derivative, batching) CLASS_##class,
#include "ops/families.def"
};

static const struct {
  unsigned takes;
  op_gives gives;
} rules[] = {
#define RULE(name, takes, gives, text) {takes, gives},
#include "ops/rules.def"
#undef RULE
    {0, GIVES_SAME}};

static const row *row_of(const char *name) {
  const row *r = rows;
  while (strcmp(r->name, name)) r++;
  return r;
}

static bool is_elementwise(const row *r) { return r->rule != RULE_STRUCTURED; }

/* Another library's function may give other numbers that are as right: singular vectors of the other sign. */
static bool is_unique(const row *r, int outputs) { return outputs == 1 || classes[r->family] != CLASS_LIBRARY; }

/* ---- candidates for the arguments ------------------------------------------------------------------------------------ */

enum { MOST = OP_MAX_PARAMS, FORMS = 17, ELEMENTS = 64, LONG = 8, TEXT = 4096, RANKS = 5 };

/* An operand as a list: what kind of numbers, in which shape. Long rows of whole numbers count. */
typedef struct form {
  char kind; /* 'f', 'i', 'b'; 'k': a key */
  int rank;
  int64_t shape[RANKS];
  bool definite; /* a matrix that is positive definite */
} form;

/* Those of floats first: most operations take them, and all operands alike. */
static const form forms[FORMS] = {
    {'f', 2, {2, 3}, false},    {'f', 2, {2, 2}, false},       {'f', 1, {3}, false},
    {'f', 3, {2, 2, 2}, false}, {'f', 4, {1, 2, 2, 1}, false}, {'f', 5, {1, 1, 2, 2, 1}, false},
    {'i', 1, {2}, false},       {'i', 2, {2, 2}, false},       {'b', 1, {3}, false},
    {'i', 1, {3}, false},       {'f', 2, {2, 2}, true},        {'i', 1, {64}, false},
    {'i', 1, {8}, false},       {'f', 1, {1}, false},          {'i', 2, {1, 64}, false},
    {'i', 2, {1, 8}, false},    {'f', 2, {1, 1}, false}};
enum { FLOAT_FORMS = 6, BOOLS = 8, WHOLE = 9 };

typedef struct operand {
  form f;
  double v[ELEMENTS];
} operand;

typedef struct given {
  tme_arg arg;
  operand array[2]; /* of arrays: both */
  int arrays;
  int64_t ints[3];
  char text[256]; /* as Python writes it */
  bool set;
} given;

typedef struct call {
  const tme_op_info *info;
  const row *row;
  given given[MOST];
  tme_array *lists[MOST][2];
} call;

static int64_t size_of(const form *f) {
  int64_t size = 1;
  for (int d = 0; d < f->rank; d++) size *= f->shape[d];
  return size;
}

/* Numbers that are easy to follow, ascending, `place` telling operands apart; rows of numbers for elementwise operations
 * are within lo..hi. */
static void values(const row *r, int place, operand *o) {
  static const double nice[][8] = {{-2, -1.25, -0.5, 0.25, 0.5, 1.5, 3, 7},
                                   {-1.5, -0.75, 0.125, 0.625, 1, 1.25, 2, 5},
                                   {-0.25, 0.375, 0.75, 1.125, 2.5, 4, 6, 8}};
  if (r->first) r = row_of(r->first);
  int n = (int)size_of(&o->f), found = 0;
  if (o->f.kind == 'i' && n >= LONG) {
    for (int i = 0; i < n; i++) o->v[i] = i;
    return;
  }
  if (o->f.kind != 'f') {
    static const int whole[2][3] = {{12, 10, 6}, {1, 2, 3}};
    for (int i = 0; i < n; i++)
      o->v[i] = o->f.kind == 'b' ? !(i >> (place % 2) & 1) : is_elementwise(r) ? whole[place > 0][i % 3] : (i + 1) % 2;
    return;
  }
  if (o->f.definite) {
    for (int i = 0; i < n; i++) o->v[i] = i % 3 ? 1 : 2;
    return;
  }
  if (!is_elementwise(r)) {
    for (int i = 0; i < n; i++) o->v[i] = (place ? 0.5 : 1) * (double)((i * (place + 1)) % 5 + i / 5 + 1);
    if (o->f.rank == 1)
      for (int i = 0; i < n; i++) o->v[i] = (double)i + 0.5 * place;
    return;
  }
  bool flags = r->rule == RULE_FLAG, compares = !flags && rules[r->rule].gives == GIVES_BOOL;
  const double *from = nice[compares ? 0 : place % 3];
  for (int i = flags ? 4 : 0; i < 8 && found < n; i += 2)
    if (from[i] >= r->lo && from[i] <= r->hi) o->v[found++] = from[i];
  for (int i = 1; i < 8 && found < n; i += 2)
    if (from[i] >= r->lo && from[i] <= r->hi) o->v[found++] = from[i];
  for (; found < n; found++) o->v[found] = r->lo + (r->hi - r->lo) * (found + 1) / (n + 1);
  /* What is told apart is to be seen. */
  if (compares && place && n > 2) {
    double last = o->v[n - 1];
    o->v[n - 1] = o->v[0];
    o->v[0] = last;
  }
  if (flags && n > 2) {
    o->v[1] = INFINITY;
    o->v[2] = NAN;
  }
}

static void write_value(char *to, size_t size, char kind, double v) {
  if (kind == 'b')
    snprintf(to, size, "%s", v != 0 ? "True" : "False");
  else if (kind == 'i')
    snprintf(to, size, "%.0f", v);
  else if (!isfinite(v))
    snprintf(to, size, "tme.%s", isnan(v) ? "nan" : "inf");
  else
    snprintf(to, size, v == floor(v) ? "%.1f" : "%g", v);
}

static void append(char *to, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void append(char *to, size_t size, const char *format, ...) {
  size_t n = strlen(to);
  va_list args;
  va_start(args, format);
  vsnprintf(to + n, size - n, format, args);
  va_end(args);
}

static void write_operand(char *to, size_t size, const operand *o) {
  if (o->f.kind == 'k') {
    append(to, size, "tme.random.key(%.0f)", o->v[1]);
    return;
  }
  int64_t n = size_of(&o->f);
  if (o->f.kind == 'i' && n >= LONG) {
    append(to, size, "%.*s*range(%lld)%.*s", o->f.rank, "[[", (long long)n, o->f.rank, "]]");
    return;
  }
  for (int64_t i = 0; i < n; i++) {
    char number[40];
    int begun = 0, ended = 0; /* rows, at this element */
    for (int64_t d = o->f.rank - 1, run = 1; d >= 0; d--) {
      run *= o->f.shape[d];
      begun += i % run == 0;
      ended += (i + 1) % run == 0;
    }
    write_value(number, sizeof number, o->f.kind, o->v[i]);
    append(to, size, "%s%.*s%s%.*s", i ? ", " : "", begun, "[[[[[", number, ended, "]]]]]");
  }
}

/* Of that dtype, or as lists of Python become operands. */
static tme_array *make(tme_scope *s, const operand *o, tme_dtype as) {
  tme_array *a = tme_from(s, TME_F64, o->f.rank, o->f.shape, o->v);
  if (o->f.kind == 'k') return tme_astype(s, a, as == TME_DTYPE_NONE ? TME_U32 : as);
  if (as != TME_DTYPE_NONE) return tme_astype(s, a, as);
  tme_dtype floating = tme_engine_default_dtype(tme_scope_engine(s));
  return tme_untyped(s, tme_astype(s, a, o->f.kind == 'f' ? floating : o->f.kind == 'b' ? TME_BOOL : TME_I64));
}

/* What only some operands may be. */
static const struct {
  const char *row, *parameter; /* row "": of all rows */
  operand operand;
} special[] = {
    {"", "key", {{'k', 1, {2}, false}, {0, 42}}},
    {"random_key", "seed", {{'i', 0, {0}, false}, {42}}},
    {"random_fold_in", "data", {{'i', 0, {0}, false}, {7}}},
    {"random_integers", "low", {{'i', 0, {0}, false}, {6}}},
    {"random_binomial", "p", {{'f', 0, {0}, false}, {0.5}}},
    {"random_multinomial", "p", {{'f', 1, {3}, false}, {0.25, 0.25, 0.5}}},
    {"random_multivariate_normal", "cov", {{'f', 2, {3, 3}, false}, {2, 1, 0, 1, 2, 0, 0, 0, 1}}},
};

static const operand *special_of(const call *c, int p) {
  for (size_t i = 0; i < sizeof special / sizeof *special; i++)
    if (!strcmp(special[i].parameter, tme_op_param(c->info, p)->name) &&
        (!*special[i].row || !strcmp(special[i].row, c->info->name)))
      return &special[i].operand;
  return NULL;
}

static void set_special(call *c, int p, const operand *o) {
  given *g = &c->given[p];
  g->arrays = 1;
  g->array[0] = *o;
  *g->text = 0;
  write_operand(g->text, sizeof g->text, o);
  g->set = true;
}

static void set_operands(call *c, int p, const form *f, int n, int place) {
  given *g = &c->given[p];
  g->arrays = n;
  *g->text = 0;
  if (n > 1) append(g->text, sizeof g->text, "[");
  for (int i = 0; i < n; i++) {
    g->array[i].f = *f;
    values(c->row, place + i, &g->array[i]);
    if (i) append(g->text, sizeof g->text, ", ");
    write_operand(g->text, sizeof g->text, &g->array[i]);
  }
  if (n > 1) append(g->text, sizeof g->text, "]");
  g->set = true;
}

static void set_ints(given *g, int n, const int64_t *v) {
  memcpy(g->ints, v, (size_t)n * sizeof *v);
  g->arg = (tme_arg){.kind = TME_ARG_INTS, .n = n, .u.ints = g->ints};
  strcpy(g->text, "[");
  for (int i = 0; i < n; i++) append(g->text, sizeof g->text, "%s%lld", i ? ", " : "", (long long)v[i]);
  append(g->text, sizeof g->text, "]");
  g->set = true;
}

static void set_int(given *g, int64_t v, const char *word) {
  g->arg = (tme_arg){.kind = TME_ARG_INT, .u.i = v};
  snprintf(g->text, sizeof g->text, "%s", word);
  g->set = true;
}

/* What an elementwise operation takes: its operands are vectors, of whole numbers or booleans where it takes no others. */
static const form *elementwise_form(const row *r, int place) {
  unsigned takes = rules[r->rule].takes;
  if (takes == TAKES_BOOL || (r->rule == RULE_WHERE && place == 0)) return &forms[BOOLS];
  return takes & TAKES_FLOAT ? &forms[2] : &forms[WHOLE];
}

static int place_of(const call *c, int p) {
  int place = 0;
  for (int i = 0; i < p; i++) place += tme_op_param(c->info, i)->kind == tme_op_param(c->info, p)->kind;
  return place;
}

/* How many candidates a parameter has; puts number `k` in its place. */
static int candidate(call *c, int p, int k) {
  static const int64_t extents[][3] = {{3, 2}, {2, 2, 3}, {2}, {6}, {1}}, border[] = {1, 1};
  static const int ranks[] = {2, 3, 1, 1, 1};
  const tme_param_info *info = tme_op_param(c->info, p);
  given *g = &c->given[p];
  int place = place_of(c, p);
  switch (info->kind) {
  case TME_PARAM_ARRAY:
  case TME_PARAM_OPTIONAL_ARRAY:
    if (special_of(c, p)) {
      set_special(c, p, special_of(c, p));
      return 1;
    }
    if (is_elementwise(c->row)) {
      set_operands(c, p, elementwise_form(c->row, p), 1, p);
      return 1;
    }
    set_operands(c, p, &forms[k], 1, place);
    return FORMS;
  case TME_PARAM_ARRAYS: set_operands(c, p, &forms[k], 2, place); return FORMS;
  case TME_PARAM_INTS: set_ints(g, ranks[k], extents[k]); return 5;
  case TME_PARAM_PERDIM: set_ints(g, 2 - k, border); return 2;
  case TME_PARAM_AXES: {
    int64_t last = 1 - k;
    set_ints(g, 1, &last);
    snprintf(g->text, sizeof g->text, "%lld", (long long)last);
    return 2;
  }
  case TME_PARAM_AXIS:
  case TME_PARAM_OPTIONAL_AXIS: set_int(g, 0, "0"); return 1;
  case TME_PARAM_INT: {
    static const char *const words[] = {"3", "1", "0", "2"};
    set_int(g, words[k][0] - '0', words[k]);
    return 4;
  }
  case TME_PARAM_BOOL: set_int(g, 1, "True"); return 1;
  case TME_PARAM_DTYPE: set_int(g, TME_I64, "tme.int64"); return 1;
  case TME_PARAM_NUMBER: set_int(g, 4 + 2 * place, place ? "6" : "4"); return 1;
  case TME_PARAM_FLOAT:
    g->arg = (tme_arg){.kind = TME_ARG_FLOAT, .u.f = 0.5};
    strcpy(g->text, "0.5");
    break;
  case TME_PARAM_TEXT:
    g->arg = (tme_arg){.kind = TME_ARG_TEXT, .u.text = k ? "ij->ji" : "ij,jk->ik"};
    snprintf(g->text, sizeof g->text, "'%s'", g->arg.u.text);
    g->set = true;
    return 2;
  case TME_PARAM_CHOICE: {
    /* The word lives as long as the call. */
    static char words[MOST][OP_KIND];
    snprintf(words[p], sizeof words[p], "%.*s", (int)strcspn(info->choices, "|"), info->choices);
    g->arg = (tme_arg){.kind = TME_ARG_TEXT, .u.text = words[p]};
    snprintf(g->text, sizeof g->text, "'%s'", words[p]);
  }
  }
  g->set = true;
  return 1;
}

/* ---- trying --------------------------------------------------------------------------------------------------------- */

/* The kind of the operands whose dtype is free: floats where there are some. */
static char free_kind(const call *c) {
  char kind = 0;
  for (int p = 0; p < c->info->params; p++)
    if (c->given[p].set && c->given[p].arrays && c->given[p].array[0].f.kind != 'k' &&
        (!kind || c->given[p].array[0].f.kind == 'f'))
      kind = c->given[p].array[0].f.kind;
  return kind;
}

/* Applies the call; operands whose dtype is free in dtype t unless that is TME_DTYPE_NONE. */
static bool apply(tme_scope *s, call *c, tme_dtype t, tme_array **out) {
  tme_arg args[MOST];
  char varied = free_kind(c);
  for (int p = 0; p < c->info->params; p++) {
    given *g = &c->given[p];
    args[p] = g->set ? g->arg : (tme_arg){.kind = TME_ARG_ABSENT};
    if (!g->set || !g->arrays) continue;
    for (int i = 0; i < g->arrays; i++)
      c->lists[p][i] = make(s, &g->array[i], g->array[i].f.kind == varied ? t : TME_DTYPE_NONE);
    bool list = tme_op_param(c->info, p)->kind == TME_PARAM_ARRAYS;
    args[p] = list ? (tme_arg){.kind = TME_ARG_ARRAYS, .n = g->arrays, .u.arrays = c->lists[p]}
                   : (tme_arg){.kind = TME_ARG_ARRAY, .u.array = c->lists[p][0]};
  }
  tme_clear_error(s);
  return tme_apply_op(s, c->info->number, args, c->info->params, out) == TME_OK;
}

static bool works(tme_engine *e, call *c) {
  tme_scope *s = tme_scope_new(e);
  tme_array *out[OP_MAX_OUTPUTS];
  bool ok = s && apply(s, c, TME_DTYPE_NONE, out) && tme_eval_all(s, out, c->info->outputs) == TME_OK;
  tme_scope_free(s);
  return ok;
}

static bool is_array_kind(tme_param_kind k) { return k == TME_PARAM_ARRAY || k == TME_PARAM_ARRAYS; }

/* All choices for the parameters from p on; `same` is the form of all arrays, -1: any. */
static bool search(tme_engine *e, call *c, int p, int same) {
  while (p < c->info->params && tme_op_param(c->info, p)->optional &&
         !(is_elementwise(c->row) && tme_op_param(c->info, p)->kind == TME_PARAM_OPTIONAL_ARRAY))
    p++;
  if (p == c->info->params) return works(e, c);
  bool fixed = same >= 0 && is_array_kind(tme_op_param(c->info, p)->kind);
  for (int k = fixed ? same : 0;; k++) {
    int n = candidate(c, p, is_elementwise(c->row) ? 0 : k);
    if (search(e, c, p + 1, same)) return true;
    if (fixed || k + 1 >= n) return false;
  }
}

/* An example says more where an axis, or the first bounds, are given too. */
static void embellish(tme_engine *e, call *c) {
  for (int p = 0; p < c->info->params; p++) {
    const tme_param_info *info = tme_op_param(c->info, p);
    if (!info->optional || c->given[p].set) continue;
    if (special_of(c, p) && special_of(c, p)->f.kind == 'k') set_special(c, p, special_of(c, p));
    if (!strncmp(c->info->name, "random_", 7) && !strcmp(info->name, "shape") && !c->given[0].set)
      set_ints(&c->given[p], 1, (int64_t[]){3});
    bool axis = info->kind == TME_PARAM_AXES || (info->kind == TME_PARAM_AXIS && !strcmp(info->name, "axis"));
    if (!axis && (info->kind != TME_PARAM_PERDIM || place_of(c, p))) continue;
    int n = candidate(c, p, 0), k = 0;
    while (!works(e, c) && ++k < n) candidate(c, p, k);
    if (k == n) memset(&c->given[p], 0, sizeof c->given[p]);
  }
}

static bool find(tme_engine *e, call *c) {
  bool found = false;
  for (int same = 0; same < FLOAT_FORMS && !found; same++) found = search(e, c, 0, same);
  if (!found) found = search(e, c, 0, -1);
  if (found) embellish(e, c);
  return found;
}

/* ---- dtypes ---------------------------------------------------------------------------------------------------------- */

/* What a dtype gives, a name for each result, equal ones once: "float32"; "" if it is refused. */
static void gives(tme_engine *e, call *c, tme_dtype t, char *to, size_t size) {
  tme_scope *s = tme_scope_new(e);
  tme_array *out[OP_MAX_OUTPUTS];
  *to = 0;
  if (apply(s, c, t, out)) {
    bool alike = true;
    for (int i = 1; i < c->info->outputs; i++) alike = alike && tme_array_dtype(out[i]) == tme_array_dtype(out[0]);
    for (int i = 0; i < (alike ? 1 : c->info->outputs); i++) {
      tme_dtype got = tme_array_dtype(out[i]);
      bool engine = got == tme_engine_default_dtype(e) && got != t;
      append(to, size, "%s%s", i ? ", " : "", engine ? "the engine's precision" : tme_dtype_name(got));
    }
  }
  tme_scope_free(s);
}

/* What all dtypes of a kind give: one name, "the same" or "" (refused). False if they differ. */
static bool kind_gives(tme_engine *e, call *c, char kind, const char *hint, char *to, size_t size) {
  bool same = true, one = true, any = false;
  for (int t = 0; t < TME_DTYPE_COUNT; t++) {
    if (tme_dtype_kind((tme_dtype)t) != kind) continue;
    char words[160];
    gives(e, c, (tme_dtype)t, words, sizeof words);
    same = same && !strcmp(words, tme_dtype_name((tme_dtype)t));
    if (!any) snprintf(to, size, "%s", words);
    one = one && !strcmp(words, to);
    any = true;
  }
  /* Of a kind with one dtype both are true: it stands with the next kind. */
  if (same && !(one && !strcmp(to, hint))) snprintf(to, size, "the same");
  return same || one;
}

/* "bool: int64; signed integers, floats: the same; refused: complex numbers" */
typedef struct parts {
  int n;
  char who[64][160], what[64][160], refused[256];
} parts;

static void add_part(parts *p, const char *who, const char *what) {
  if (!*what) {
    append(p->refused, sizeof p->refused, "%s%s", *p->refused ? ", " : "", who);
  } else if (p->n && !strcmp(p->what[p->n - 1], what)) {
    append(p->who[p->n - 1], sizeof p->who[0], ", %s", who);
  } else if (p->n < 64) {
    snprintf(p->who[p->n], sizeof p->who[0], "%s", who);
    snprintf(p->what[p->n++], sizeof p->what[0], "%s", what);
  }
}

static void print_dtypes(tme_engine *e, call *c, char *to, size_t size) {
  static const char kinds[] = {'b', 'u', 'i', 'f', 'c'};
  static const char *const names[] = {"bool", "unsigned integers", "signed integers", "floats", "complex numbers"};
  static parts all;
  memset(&all, 0, sizeof all);
  for (int k = 0; k < 5; k++) {
    char words[160], next[160] = "";
    if (k < 4) kind_gives(e, c, kinds[k + 1], "", next, sizeof next);
    if (kind_gives(e, c, kinds[k], next, words, sizeof words)) {
      add_part(&all, names[k], words);
      continue;
    }
    for (int t = 0; t < TME_DTYPE_COUNT; t++) {
      if (tme_dtype_kind((tme_dtype)t) != kinds[k]) continue;
      gives(e, c, (tme_dtype)t, words, sizeof words);
      add_part(&all, tme_dtype_name((tme_dtype)t), words);
    }
  }
  if (all.n == 1 && !*all.refused) snprintf(all.who[0], sizeof all.who[0], "all");
  for (int i = 0; i < all.n; i++) append(to, size, "%s%s: %s", i ? "; " : "", all.who[i], all.what[i]);
  if (*all.refused) append(to, size, "%srefused: %s", all.n ? "; " : "", all.refused);
}

/* ---- errors ----------------------------------------------------------------------------------------------------------- */

typedef struct failures {
  int n;
  tme_status status[4];
  char text[4][512];
} failures;

static void note(failures *f, const tme_scope *s) {
  tme_status st = tme_error_code(s);
  for (int i = 0; i < f->n; i++)
    if (f->status[i] == st) return;
  if (f->n == 4) return;
  f->status[f->n] = st;
  snprintf(f->text[f->n++], sizeof f->text[0], "%s", tme_error(s));
}

static void try_failure(tme_engine *e, call *c, tme_dtype t, failures *f) {
  tme_scope *s = tme_scope_new(e);
  tme_array *out[OP_MAX_OUTPUTS];
  if (!apply(s, c, t, out) || tme_eval_all(s, out, c->info->outputs) != TME_OK) note(f, s);
  tme_scope_free(s);
}

/* A dtype that it does not take, a shape that does not fit, an axis or element that is not there. */
static void find_failures(tme_engine *e, call *c, failures *f) {
  static const form odd = {'f', 1, {7}, false};
  for (int t = 0; t < TME_DTYPE_COUNT; t++) {
    char words[160];
    gives(e, c, (tme_dtype)t, words, sizeof words);
    if (!*words) try_failure(e, c, (tme_dtype)t, f);
  }
  for (int p = c->info->params - 1; p >= 0; p--) {
    const tme_param_info *info = tme_op_param(c->info, p);
    given kept = c->given[p];
    if (info->kind == TME_PARAM_ARRAY) {
      if (kept.array[0].f.kind == 'i' && free_kind(c) == 'f') {
        for (int i = 0; i < ELEMENTS; i++) c->given[p].array[0].v[i] = 9;
        try_failure(e, c, TME_DTYPE_NONE, f);
      }
      form f7 = odd;
      f7.kind = kept.array[0].f.kind;
      c->given[p].array[0].f = f7;
      for (int i = 0; i < 7; i++) c->given[p].array[0].v[i] = f7.kind == 'f' ? 0.5 : i % 2;
      try_failure(e, c, TME_DTYPE_NONE, f);
    } else if (info->kind == TME_PARAM_AXIS || info->kind == TME_PARAM_OPTIONAL_AXIS) {
      set_int(&c->given[p], 9, "9");
      try_failure(e, c, TME_DTYPE_NONE, f);
    } else if (info->kind == TME_PARAM_AXES || info->kind == TME_PARAM_INTS) {
      set_ints(&c->given[p], 1, (int64_t[]){info->kind == TME_PARAM_INTS ? -7 : 9});
      try_failure(e, c, TME_DTYPE_NONE, f);
    }
    c->given[p] = kept;
  }
}

/* ---- printing ---------------------------------------------------------------------------------------------------------- */

static void print_text(const char *s) {
  putchar('"');
  for (; *s; s++) {
    if (*s == '\n')
      printf("\\n");
    else if (*s == '"' || *s == '\\')
      printf("\\%c", *s);
    else
      putchar(*s);
  }
  putchar('"');
}

static void write_shape(char *to, size_t size, int rank, const int64_t *shape) {
  append(to, size, "(");
  for (int d = 0; d < rank; d++) append(to, size, "%s%lld", d ? ", " : "", (long long)shape[d]);
  append(to, size, rank == 1 ? ",)" : ")");
}

/* An empty line of the result would end it. */
static void write_result(char *to, size_t size, const char *shown) {
  for (; *shown; shown++) append(to, size, shown[0] == '\n' && shown[1] == '\n' ? "%c<BLANKLINE>" : "%c", *shown);
  append(to, size, "\n");
}

/* The call as Python, and its results as print() shows them; or their shapes. */
static void write_example(tme_engine *e, call *c, char *to, size_t size) {
  bool several = c->info->outputs > 1, unique = is_unique(c->row, c->info->outputs);
  append(to, size, unique ? ">>> print(%stme.%s(" : ">>> [x.shape for x in %stme.%s(", several && unique ? "*" : "",
         c->info->place);
  bool first = true, skipped = false;
  for (int p = 0; p < c->info->params; p++) {
    if (!c->given[p].set) {
      skipped = true;
      continue;
    }
    append(to, size, "%s", first ? "" : ", ");
    if (skipped || tme_op_param(c->info, p)->optional) append(to, size, "%s=", tme_op_param(c->info, p)->name);
    append(to, size, "%s", c->given[p].text);
    first = false;
  }
  append(to, size, "%s\n", !unique ? ")]" : several ? "), sep='\\n')" : "))");
  tme_scope *s = tme_scope_new(e);
  tme_array *out[OP_MAX_OUTPUTS];
  tme_format how;
  tme_format_init(&how, TME_FORMAT_NUMPY);
  bool ok = apply(s, c, TME_DTYPE_NONE, out);
  if (!unique) append(to, size, "[");
  for (int i = 0; ok && i < c->info->outputs; i++) {
    if (!unique) {
      append(to, size, "%s", i ? ", " : "");
      write_shape(to, size, tme_array_rank(out[i]), tme_array_shape(out[i]));
      continue;
    }
    char *shown = tme_format_array(s, out[i], &how);
    write_result(to, size, shown ? shown : "");
    tme_string_free(shown);
  }
  if (!unique) append(to, size, "]\n");
  tme_scope_free(s);
}

/* "x (2, 3), indices (2,): (2, 3)" */
static void write_shapes(tme_engine *e, call *c, char *to, size_t size) {
  int operands = 0;
  for (int p = 0; p < c->info->params; p++) {
    given *g = &c->given[p];
    for (int i = 0; g->set && i < g->arrays; i++) {
      if (g->arrays == 1) append(to, size, "%s%s ", operands ? ", " : "", tme_op_param(c->info, p)->name);
      if (g->arrays > 1) append(to, size, "%s", operands ? ", " : "");
      write_shape(to, size, g->array[i].f.rank, g->array[i].f.shape);
      operands++;
    }
  }
  if (is_elementwise(c->row))
    snprintf(to, size, "%s", operands > 1 ? "the operands are broadcast together" : "that of the operand");
  if (is_elementwise(c->row) || !operands) return;
  append(to, size, ": ");
  tme_scope *s = tme_scope_new(e);
  tme_array *out[OP_MAX_OUTPUTS];
  for (int i = 0; apply(s, c, TME_DTYPE_NONE, out) && i < c->info->outputs; i++) {
    append(to, size, "%s", i ? ", " : "");
    write_shape(to, size, tme_array_rank(out[i]), tme_array_shape(out[i]));
  }
  tme_scope_free(s);
}

static bool print_row(tme_engine *exact, tme_engine *narrow, const tme_op_info *info) {
  static call c;
  memset(&c, 0, sizeof c);
  c.info = info;
  c.row = row_of(info->name);
  if (!find(exact, &c)) {
    fprintf(
        stderr,
        "tools/genpydoc.c finds no example for %s(%s), which the Python package needs: give the parameters defaults, or "
        "candidate() there an argument that the operation takes\n",
        info->name, info->signature);
    return false;
  }
  static char dtypes[TEXT], shapes[TEXT], example[TEXT];
  *dtypes = *shapes = *example = 0;
  failures f = {0};
  bool arrays = false;
  for (int p = 0; p < info->params; p++)
    arrays |= c.given[p].set && c.given[p].arrays && c.given[p].array[0].f.kind != 'k';
  if (arrays) print_dtypes(narrow, &c, dtypes, sizeof dtypes);
  write_shapes(exact, &c, shapes, sizeof shapes);
  write_example(exact, &c, example, sizeof example);
  find_failures(exact, &c, &f);
  printf("{\"%s\", ", info->name);
  print_text(dtypes);
  printf(",\n ");
  print_text(shapes);
  printf(",\n ");
  print_text(example);
  printf(",\n {");
  for (int i = 0; i < f.n; i++) {
    printf("{(tme_status)%d, ", (int)f.status[i]);
    print_text(f.text[i]);
    printf("}, ");
  }
  printf("{TME_OK, NULL}}},\n");
  return true;
}

static tme_engine *open_engine(const char *precision) {
  tme_options o;
  char why[512];
  tme_options_init(&o);
  o.precision = precision;
  o.backend = "reference";
  o.cache_dir = "";
  o.threads = 1;
  tme_engine *e = tme_engine_open(&o, why, sizeof why);
  if (!e) fprintf(stderr, "tools/genpydoc.c: %s\n", why);
  return e;
}

int main(void) {
  /* Which dtype is the engine's is seen by one that nothing else gives. */
  tme_engine *exact = open_engine("float32"), *narrow = open_engine("bfloat16");
  bool ok = exact && narrow;
  printf(
      "/* What was found by trying the operations. Generated by tools/genpydoc.c; included by python/ext/doc.c. */\n");
  for (int i = 0; ok && i < tme_op_count(); i++) ok = print_row(exact, narrow, tme_op_get(i));
  tme_engine_free(exact);
  tme_engine_free(narrow);
  return !ok || fflush(stdout) || ferror(stdout);
}
