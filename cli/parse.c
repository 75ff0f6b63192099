/* Tokens to a tree, by precedence climbing. */
#include "expr.h"
#include <string.h>

/* Brackets, signs and powers within each other: bounds the recursion here and in the evaluation. */
enum { MAX_DEPTH = 200 };

typedef struct parser {
  arena *memory;
  const char *source;
  const token *t; /* the next token */
  problem *p;
  int depth;
} parser;

static node *parse_binary(parser *ps, binding loosest);
static node *parse_expression(parser *ps) { return parse_binary(ps, BIND_OR); }

static bool at_mark(const parser *ps, char mark) { return ps->t->kind == TOKEN_PUNCTUATION && ps->t->mark == mark; }

static bool accept(parser *ps, char mark) {
  if (!at_mark(ps, mark)) return false;
  ps->t++;
  return true;
}

/* "syntax error: WANTED expected, found ')'" at the next token; NULL for `return`. */
static node *unexpected(parser *ps, const char *wanted) {
  const token *t = ps->t;
  if (t->kind == TOKEN_END)
    problem_at(ps->p, t->at, "syntax error: %s expected, but the expression ends here", wanted);
  else if (t->kind == TOKEN_SEPARATOR)
    problem_at(ps->p, t->at, "syntax error: %s expected, but the statement ends here", wanted);
  else
    problem_at(ps->p, t->at, "syntax error: %s expected, found '%.*s'", wanted, (int)(t->len < 40 ? t->len : 40),
               ps->source + t->at);
  return NULL;
}

static node *make(parser *ps, node_kind kind, size_t at) {
  node *n = arena_alloc(ps->memory, 1, sizeof *n);
  if (!n) {
    problem_memory(ps->p);
    return NULL;
  }
  n->kind = kind;
  n->at = at;
  n->end = ps->t->at + ps->t->len;
  return n;
}

static bool deeper(parser *ps) {
  if (++ps->depth <= MAX_DEPTH) return true;
  return problem_at(ps->p, ps->t->at, "nested more than %d levels deep: give parts of it names of their own",
                    MAX_DEPTH);
}

/* Where the text read so far ends. */
static size_t here(const parser *ps) { return ps->t[-1].at + ps->t[-1].len; }

static node *make_name(parser *ps, node_kind kind) {
  node *n = make(ps, kind, ps->t->at);
  if (!n) return NULL;
  n->name = ps->source + ps->t->at;
  n->name_len = ps->t->len;
  ps->t++;
  return n;
}

/* The elements up to the closing bracket, which is read, as children of `list`. */
static bool parse_elements(parser *ps, node *list, char close) {
  node **last = &list->child;
  while (!accept(ps, close)) {
    node *e = parse_expression(ps);
    if (!e) return false;
    *last = e;
    last = &e->next;
    if (!at_mark(ps, close) && !accept(ps, ',')) return unexpected(ps, close == ')' ? "',' or ')'" : "',' or ']'");
  }
  list->end = here(ps);
  return true;
}

static node *parse_bracketed(parser *ps) {
  bool round = at_mark(ps, '(');
  node *list = make(ps, round ? NODE_TUPLE : NODE_LIST, ps->t->at);
  if (!list || !deeper(ps)) return NULL;
  ps->t++;
  const token *first = ps->t;
  if (!parse_elements(ps, list, round ? ')' : ']')) return NULL;
  ps->depth--;
  /* (a) is a; (a,) is a tuple */
  const token *before_close = ps->t - 2;
  bool comma = before_close >= first && before_close->kind == TOKEN_PUNCTUATION && before_close->mark == ',';
  return round && list->child && !list->child->next && !comma ? list->child : list;
}

static node *parse_call(parser *ps) {
  node *call = make_name(ps, NODE_CALL);
  if (!call || !deeper(ps)) return NULL;
  ps->t++; /* ( */
  node **last = &call->child;
  bool keywords = false;
  while (!accept(ps, ')')) {
    node *arg = make(ps, NODE_ARGUMENT, ps->t->at);
    if (!arg) return NULL;
    const token *after = ps->t + 1;
    if (ps->t->kind == TOKEN_NAME && after->kind == TOKEN_PUNCTUATION && after->mark == '=') {
      keywords = true;
      arg->name = ps->source + ps->t->at;
      arg->name_len = ps->t->len;
      ps->t += 2;
    } else if (keywords) {
      problem_at(ps->p, ps->t->at, "syntax error: a positional argument follows one with a name");
      return NULL;
    }
    arg->child = parse_expression(ps);
    if (!arg->child) return NULL;
    arg->end = here(ps);
    *last = arg;
    last = &arg->next;
    if (!at_mark(ps, ')') && !accept(ps, ',')) return unexpected(ps, "',' or ')'");
  }
  ps->depth--;
  call->end = here(ps);
  return call;
}

static bool at_slice_end(const parser *ps) { return at_mark(ps, ':') || at_mark(ps, ',') || at_mark(ps, ']'); }

/* One place of an index: an expression, a slice or an ellipsis. */
static node *parse_place(parser *ps) {
  size_t at = ps->t->at;
  if (ps->t->kind == TOKEN_ELLIPSIS) {
    node *n = make(ps, NODE_ELLIPSIS, at);
    ps->t++;
    return n;
  }
  node *bound[3] = {NULL};
  int k = 0;
  bool slice = false;
  for (;;) {
    if (!at_slice_end(ps)) {
      bound[k] = parse_expression(ps);
      if (!bound[k]) return NULL;
    }
    if (k == 2 || !accept(ps, ':')) break;
    slice = true;
    k++;
  }
  if (!slice) return bound[0] ? bound[0] : unexpected(ps, "an index");
  node *n = make(ps, NODE_SLICE, at);
  if (!n) return NULL;
  memcpy(n->bound, bound, sizeof bound);
  n->end = here(ps);
  return n;
}

static node *parse_index(parser *ps) {
  node *index = make(ps, NODE_INDEX, ps->t->at);
  if (!index || !deeper(ps)) return NULL;
  ps->t++; /* [ */
  if (at_mark(ps, ']')) return unexpected(ps, "an index");
  node **last = &index->child;
  while (!accept(ps, ']')) {
    node *place = parse_place(ps);
    if (!place) return NULL;
    *last = place;
    last = &place->next;
    if (!at_mark(ps, ']') && !accept(ps, ',')) return unexpected(ps, "',' or ']'");
  }
  ps->depth--;
  index->end = here(ps);
  return index;
}

static node *parse_primary(parser *ps) {
  const token *t = ps->t;
  if (t->kind == TOKEN_NAME) {
    if (t[1].kind == TOKEN_PUNCTUATION && t[1].mark == '(') return parse_call(ps);
    return make_name(ps, NODE_NAME);
  }
  if (t->kind == TOKEN_INT || t->kind == TOKEN_FLOAT || t->kind == TOKEN_IMAGINARY) {
    node *n = make(ps, t->kind == TOKEN_INT ? NODE_INT : t->kind == TOKEN_FLOAT ? NODE_FLOAT : NODE_IMAGINARY, t->at);
    if (!n) return NULL;
    n->i = t->i;
    n->f = t->f;
    ps->t++;
    return n;
  }
  if (t->kind == TOKEN_TEXT) {
    node *n = make_name(ps, NODE_TEXT);
    if (!n) return NULL;
    n->name++;
    n->name_len -= 2;
    return n;
  }
  if (at_mark(ps, '(') || at_mark(ps, '[')) return parse_bracketed(ps);
  return unexpected(ps, "a value");
}

static node *parse_suffixed(parser *ps) {
  size_t at = ps->t->at;
  node *primary = parse_primary(ps);
  if (!primary || (!at_mark(ps, '.') && !at_mark(ps, '[') && !at_mark(ps, '('))) return primary;
  node *n = make(ps, NODE_SUFFIXED, at);
  if (!n) return NULL;
  n->child = primary;
  node **last = &primary->next;
  for (;;) {
    node *suffix;
    if (at_mark(ps, '[')) {
      suffix = parse_index(ps);
    } else if (accept(ps, '.')) {
      if (ps->t->kind != TOKEN_NAME) return unexpected(ps, "the name of an attribute");
      suffix = make_name(ps, NODE_ATTRIBUTE);
    } else if (at_mark(ps, '(')) {
      problem_at(ps->p, ps->t->at, "syntax error: only operations can be called, by their name");
      return NULL;
    } else {
      n->end = here(ps);
      return n;
    }
    if (!suffix) return NULL;
    *last = suffix;
    last = &suffix->next;
  }
}

static node *parse_unary(parser *ps, binding loosest);

/* operand ** exponent; the exponent may have a sign and further powers. */
static node *parse_power(parser *ps) {
  size_t at = ps->t->at;
  node *base = parse_suffixed(ps);
  if (!base || ps->t->kind != TOKEN_OPERATOR || ps->t->op != OPERATOR_POW) return base;
  node *chain = make(ps, NODE_CHAIN, at), *step = make(ps, NODE_STEP, ps->t->at);
  if (!chain || !step || !deeper(ps)) return NULL;
  step->op = OPERATOR_POW;
  ps->t++;
  step->child = parse_unary(ps, BIND_SIGN);
  if (!step->child) return NULL;
  ps->depth--;
  chain->child = base;
  base->next = step;
  chain->end = step->end = here(ps);
  return chain;
}

static node *parse_unary(parser *ps, binding loosest) {
  const token *t = ps->t;
  if (t->kind != TOKEN_OPERATOR) return parse_power(ps);
  if (!operators[t->op].prefix) return unexpected(ps, "a value");
  bool negation = t->op == OPERATOR_NOT;
  if (negation && loosest > BIND_NOT) {
    problem_at(ps->p, t->at, "syntax error: put brackets around 'not ...' here");
    return NULL;
  }
  node *n = make(ps, NODE_UNARY, t->at);
  if (!n || !deeper(ps)) return NULL;
  n->op = t->op;
  ps->t++;
  n->child = negation ? parse_binary(ps, BIND_NOT) : parse_unary(ps, BIND_SIGN);
  if (!n->child) return NULL;
  ps->depth--;
  n->end = here(ps);
  return n;
}

static node *parse_binary(parser *ps, binding loosest) {
  size_t at = ps->t->at;
  node *left = parse_unary(ps, loosest), *chain = NULL, **last = NULL;
  bool compared = false;
  while (left && ps->t->kind == TOKEN_OPERATOR) {
    const token *t = ps->t;
    binding binds = operators[t->op].binds;
    if (binds < loosest || binds == BIND_NONE) break;
    if (binds == BIND_COMPARE && compared) {
      problem_at(ps->p, t->at, "chained comparisons are not supported: write (a < b) & (b < c)");
      return NULL;
    }
    compared = binds == BIND_COMPARE;
    node *step = make(ps, NODE_STEP, t->at);
    if (!step) return NULL;
    if (!chain) {
      chain = make(ps, NODE_CHAIN, at);
      if (!chain) return NULL;
      chain->child = left;
      last = &left->next;
    }
    step->op = t->op;
    ps->t++;
    step->child = parse_binary(ps, binds + 1);
    if (!step->child) return NULL;
    chain->end = step->end = here(ps);
    *last = step;
    last = &step->next;
  }
  return chain ? chain : left;
}

/* a, b, c without brackets */
static node *parse_tuple(parser *ps) {
  size_t at = ps->t->at;
  node *first = parse_expression(ps);
  if (!first || !at_mark(ps, ',')) return first;
  node *tuple = make(ps, NODE_TUPLE, at), *last = first;
  if (!tuple) return NULL;
  tuple->child = first;
  while (accept(ps, ',')) {
    if (ps->t->kind == TOKEN_END || ps->t->kind == TOKEN_SEPARATOR) break;
    last->next = parse_expression(ps);
    last = last->next;
    if (!last) return NULL;
  }
  tuple->end = here(ps);
  return tuple;
}

/* Whether `name, name, ... =` comes next. */
static bool at_targets(const parser *ps) {
  for (const token *t = ps->t; t->kind == TOKEN_NAME; t += 2) {
    if (t[1].kind != TOKEN_PUNCTUATION) return false;
    if (t[1].mark == '=') return true;
    if (t[1].mark != ',') return false;
  }
  return false;
}

static statement *parse_statement(parser *ps) {
  statement *st = arena_alloc(ps->memory, 1, sizeof *st);
  if (!st) {
    problem_memory(ps->p);
    return NULL;
  }
  st->at = ps->t->at;
  if (at_targets(ps)) {
    node **last = &st->targets;
    do {
      node *target = make_name(ps, NODE_NAME);
      if (!target) return NULL;
      *last = target;
      last = &target->next;
    } while (accept(ps, ','));
    ps->t++; /* = */
  }
  st->value = parse_tuple(ps);
  if (!st->value) return NULL;
  if (at_mark(ps, '=')) {
    problem_at(ps->p, ps->t->at,
               st->targets ? "syntax error: one '=' a statement"
                           : "syntax error: only names can stand "
                             "to the left of '='");
    return NULL;
  }
  if (ps->t->kind != TOKEN_END && ps->t->kind != TOKEN_SEPARATOR) {
    unexpected(ps, "an operator or ';'");
    return NULL;
  }
  return st;
}

statement *parse(arena *memory, const char *source, problem *p) {
  const token *tokens = lex(memory, source, p);
  if (!tokens) return NULL;
  parser ps = {.memory = memory, .source = source, .t = tokens, .p = p};
  statement *first = NULL, **last = &first;
  for (;;) {
    while (ps.t->kind == TOKEN_SEPARATOR) ps.t++;
    if (ps.t->kind == TOKEN_END) break;
    *last = parse_statement(&ps);
    if (!*last) return NULL;
    last = &(*last)->next;
  }
  if (!first) unexpected(&ps, "an expression");
  return first;
}
