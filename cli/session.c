#include "session.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool valid_name(const char *s, size_t len) {
  static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
  if (len == 0 || (s[0] >= '0' && s[0] <= '9')) return false;
  for (size_t i = 0; i < len; i++)
    if (!strchr(letters, s[i]) && !(s[i] >= '0' && s[i] <= '9')) return false;
  for (operator_id i = OPERATOR_AND; i < OPERATOR_COUNT; i++)
    if (strlen(operators[i].text) == len && !memcmp(s, operators[i].text, len)) return false;
  return true;
}

/* The line of the source around `at`, cut to what fits, and a caret below. */
static void show_place(const char *source, size_t at) {
  enum { BEFORE = 70, AFTER = 30 };
  size_t begin = at, end = at, column = 0;
  while (begin > 0 && source[begin - 1] != '\n' && at - begin < BEFORE) begin--;
  while (source[end] && source[end] != '\n' && end - at < AFTER) end++;
  bool cut_front = begin > 0 && source[begin - 1] != '\n', cut_back = source[end] && source[end] != '\n';
  fprintf(stderr, "  %s", cut_front ? "..." : "");
  for (size_t i = begin; i < end; i++) {
    unsigned char c = (unsigned char)source[i];
    fputc(c < 0x20 || c == 0x7f ? ' ' : c, stderr);
    /* the later bytes of a UTF-8 character take no column */
    if (i < at && (c & 0xc0) != 0x80) column++;
  }
  fprintf(stderr, "%s\n  %*s^\n", cut_back ? "..." : "", (int)(column + (cut_front ? 3 : 0)), "");
}

int session_report(session *s) {
  complain(s->c, "%s", s->problem.text);
  if (s->problem.placed) show_place(s->source, s->problem.at);
  return EXIT_EVALUATION;
}

int session_engine_error(session *s) {
  const char *text = tme_error(s->in.scope);
  complain(s->c, "%s", *text ? text : "failed without a reason");
  return EXIT_EVALUATION;
}

static int out_of_memory(session *s) {
  problem_memory(&s->problem);
  return session_report(s);
}

/* The only step of 1 + 2j or 1 - 2j. */
static bool is_sum(const node *step) {
  return !step->next && (step->op == OPERATOR_ADD || step->op == OPERATOR_SUB) && step->child->kind == NODE_IMAGINARY;
}

/* Whether an expression is no more than a number or a truth value. */
static bool is_literal(const node *n) {
  static const char *const words[] = {"true", "True", "false", "False", "inf", "nan"};
  if (n->kind == NODE_UNARY && (n->op == OPERATOR_SUB || n->op == OPERATOR_ADD)) return is_literal(n->child);
  if (n->kind == NODE_CHAIN) return is_sum(n->child->next) && is_literal(n->child) && is_literal(n->child->next->child);
  if (n->kind != NODE_NAME) return n->kind == NODE_INT || n->kind == NODE_FLOAT || n->kind == NODE_IMAGINARY;
  for (size_t i = 0; i < sizeof words / sizeof *words; i++)
    if (strlen(words[i]) == n->name_len && !memcmp(words[i], n->name, n->name_len)) return true;
  return false;
}

/* The value of a text that is written as numbers are in an expression; VALUE_NONE if it must be a file. False with a
 * problem for digits that are no number. */
static bool read_literal(session *s, const char *text, value *out, problem *p) {
  *out = (value){.kind = VALUE_NONE};
  const statement *st = parse(&s->memory, text, p);
  if (st && !st->next && !st->targets && is_literal(st->value)) return eval_node(&s->in, st->value, out);
  text += strspn(text, "+-");
  bool digits = *text >= '0' && *text <= '9' && !text[strspn(text, "0123456789abcdefABCDEFxX")];
  return st || !digits;
}

/* NAME=FILE or NAME=NUMBER. */
static int add_input(session *s, const char *text) {
  const char *equals = strchr(text, '=');
  size_t len = equals ? (size_t)(equals - text) : 0;
  if (!equals) return usage_error(s->c, "'%s': an input is given as NAME=FILE or NAME=NUMBER", text);
  if (!valid_name(text, len)) return usage_error(s->c, "'%.*s' is not a valid name for an input", (int)len, text);
  if (interp_get(&s->in, text, len)) return usage_error(s->c, "the input '%.*s' is given twice", (int)len, text);
  if (!equals[1]) return usage_error(s->c, "the input '%.*s' names no file", (int)len, text);
  value v;
  problem p = {0};
  if (!read_literal(s, equals + 1, &v, &p)) return usage_error(s->c, "the input '%.*s': %s", (int)len, text, p.text);
  if (v.kind == VALUE_NONE) {
    tme_array *a = tme_load(s->in.scope, equals + 1);
    if (!a) return session_engine_error(s);
    v = value_of_array(a);
  }
  return interp_set(&s->in, text, len, v) ? 0 : out_of_memory(s);
}

/* The source text of a node on one line, shortened; with "[i]" if `i` >= 0. NULL: out of memory. */
static const char *label_of(session *s, const node *n, int i) {
  enum { LONGEST = 60, ROOM = 96 };
  char *text = arena_alloc(&s->memory, ROOM, 1);
  if (!text) return NULL;
  size_t len = 0, k = n->at;
  for (; k < n->end && len < LONGEST; k++) text[len++] = strchr("\n\r\t", s->source[k]) ? ' ' : s->source[k];
  while (k < n->end && len && ((unsigned char)s->source[k] & 0xc0) == 0x80) len--, k--; /* no part of a character */
  if (k < n->end) text[len] = 0, len += (size_t)snprintf(text + len, ROOM - len, "...");
  if (i >= 0) snprintf(text + len, ROOM - len, "[%d]", i);
  return text;
}

/* What was computed from numbers alone has the precision that was asked for, else all its digits. */
static tme_array *settled(session *s, tme_array *a) {
  tme_dtype t = tme_array_dtype(a), asked = tme_engine_default_dtype(s->c->engine);
  if (!tme_is_untyped(a) || !s->c->precision_asked || (t != TME_F64 && t != TME_C128)) return a;
  if (t == TME_C128) asked = asked == TME_F64 ? TME_C128 : TME_C64;
  return tme_astype(s->in.scope, a, asked);
}

static bool add_result(session *s, const node *n, int i, const value *v) {
  result *r = &s->results[s->nresults];
  r->array = value_array(&s->in, v, n->at, "result");
  if (r->array) r->array = settled(s, r->array);
  if (!r->array) return engine_problem(&s->in, n->at);
  r->label = label_of(s, n, i);
  s->nresults++;
  return r->label || problem_memory(&s->problem);
}

static bool holds_arrays(const value *v) {
  if (v->kind != VALUE_TUPLE && v->kind != VALUE_LIST) return false;
  for (int i = 0; i < v->u.list.n; i++)
    if (!value_is_plain(&v->u.list.items[i]) && !value_is_complex(&v->u.list.items[i]))
      return v->kind == VALUE_TUPLE || v->u.list.items[i].kind == VALUE_ARRAY;
  return false;
}

/* The value of the last statement as results: the members of a tuple one by one. */
static bool collect_results(session *s, const value *v) {
  const statement *last = s->program;
  while (last->next) last = last->next;
  bool targets = last->targets && last->targets->next, tuple = !last->targets && last->value->kind == NODE_TUPLE;
  bool several = targets || tuple || holds_arrays(v);
  s->results = arena_alloc(&s->memory, several ? (size_t)v->u.list.n + 1 : 1, sizeof *s->results);
  if (!s->results) return problem_memory(&s->problem);
  const node *whole = last->targets ? last->targets : last->value;
  if (!several) return add_result(s, whole, -1, v);
  const node *part = targets ? last->targets : tuple ? last->value->child : NULL;
  for (int i = 0; i < v->u.list.n; i++) {
    if (!add_result(s, part ? part : whole, part ? -1 : i, &v->u.list.items[i])) return false;
    part = part ? part->next : NULL;
  }
  return s->nresults > 0 || problem_at(&s->problem, last->at, "the result is empty");
}

int session_open(session *s, cli *c, int argc, char **argv) {
  *s = (session){.c = c};
  if (argc < 1) return usage_error(c, "an expression is missing");
  s->source = argv[0];
  s->program = parse(&s->memory, s->source, &s->problem);
  if (!s->program) return session_report(s);
  c->options.untyped = 1;
  tme_engine *engine = cli_engine(c);
  if (!engine) return EXIT_USAGE;
  s->in = (interp){.scope = tme_scope_new(engine), .memory = &s->memory, .problem = &s->problem};
  if (!s->in.scope) return out_of_memory(s);
  double start = clock_ms();
  for (int i = 1; i < argc; i++) {
    int code = add_input(s, argv[i]);
    if (code) return code;
  }
  s->read_ms = clock_ms() - start;
  value v;
  if (!eval_program(&s->in, s->program, &v) || !collect_results(s, &v)) return session_report(s);
  return 0;
}

void session_close(session *s) {
  tme_scope_free(s->in.scope);
  arena_free(&s->memory);
}

tme_array **session_arrays(session *s) {
  tme_array **a = arena_alloc(&s->memory, (size_t)s->nresults, sizeof *a);
  if (!a) {
    out_of_memory(s);
    return NULL;
  }
  for (int i = 0; i < s->nresults; i++) a[i] = s->results[i].array;
  return a;
}
