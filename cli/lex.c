/* Source text to tokens. */
#include "expr.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const operator_row operators[OPERATOR_COUNT] = {
#define X(id, text, binds, op, prefix) {text, binds, op, prefix},
    OPERATORS(X)
#undef X
};

bool problem_at(problem *p, size_t at, const char *fmt, ...) {
  if (!p->set) {
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(p->text, sizeof p->text, fmt, ap);
    va_end(ap);
    p->set = p->placed = true;
    p->at = at;
  }
  return false;
}

bool problem_memory(problem *p) {
  if (!p->set) {
    snprintf(p->text, sizeof p->text, "out of memory");
    p->set = true;
  }
  return false;
}

static bool letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
static bool digit(char c) { return c >= '0' && c <= '9'; }

/* A number at s: fills in the token, or sets the problem. */
static bool lex_number(const char *source, token *t, problem *p) {
  const char *s = source + t->at;
  char *end;
  bool hex = s[0] == '0' && (s[1] == 'x' || s[1] == 'X');
  size_t whole = strspn(s, hex ? "0123456789abcdefABCDEFxX" : "0123456789");
  if (hex || (s[whole] != '.' && s[whole] != 'e' && s[whole] != 'E')) {
    errno = 0;
    t->kind = TOKEN_INT;
    t->i = strtoull(s, &end, hex ? 16 : 10);
    if (errno == ERANGE) return problem_at(p, t->at, "%.*s does not fit in 64 bits", (int)(end - s), s);
  } else {
    t->kind = TOKEN_FLOAT;
    t->f = strtod(s, &end);
  }
  if (!hex && (*end == 'j' || *end == 'J')) {
    t->kind = TOKEN_IMAGINARY;
    t->f = strtod(s, &end);
    end++;
  }
  t->len = (size_t)(end - s);
  if (letter(*end) || digit(*end)) return problem_at(p, t->at, "syntax error: invalid number");
  return true;
}

static void lex_name(const char *source, token *t) {
  const char *s = source + t->at;
  t->kind = TOKEN_NAME;
  while (letter(s[t->len]) || digit(s[t->len])) t->len++;
  for (operator_id i = OPERATOR_AND; i < OPERATOR_COUNT; i++)
    if (strlen(operators[i].text) == t->len && !memcmp(s, operators[i].text, t->len)) {
      t->kind = TOKEN_OPERATOR;
      t->op = i;
    }
}

/* From one quote to the next of the same kind. */
static bool lex_text(const char *source, token *t, problem *p) {
  const char *s = source + t->at, quote[] = {*s, '\n', '\0'};
  size_t n = strcspn(s + 1, quote);
  if (s[1 + n] != *s) return problem_at(p, t->at, "syntax error: a text ends with the quote that it begins with");
  t->kind = TOKEN_TEXT;
  t->len = n + 2;
  return true;
}

static bool lex_symbol(const char *source, token *t, problem *p) {
  const char *s = source + t->at;
  if (!strncmp(s, "...", 3)) {
    t->kind = TOKEN_ELLIPSIS;
    t->len = 3;
    return true;
  }
  /* Longer operators stand before the shorter ones that they begin with. */
  for (operator_id i = 0; i < OPERATOR_AND; i++)
    if (!strncmp(s, operators[i].text, strlen(operators[i].text))) {
      t->kind = TOKEN_OPERATOR;
      t->op = i;
      t->len = strlen(operators[i].text);
      return true;
    }
  if (strchr("()[],:.=", *s)) {
    t->kind = TOKEN_PUNCTUATION;
    t->mark = *s;
    t->len = 1;
    return true;
  }
  if ((unsigned char)*s < 0x20 || (unsigned char)*s >= 0x7f)
    return problem_at(p, t->at, "syntax error: unexpected character (byte 0x%02x)", (unsigned)(unsigned char)*s);
  return problem_at(p, t->at, "syntax error: unexpected character '%c'", *s);
}

token *lex(arena *memory, const char *source, problem *p) {
  /* Every token is at least one byte long. */
  token *tokens = arena_alloc(memory, strlen(source) + 1, sizeof *tokens);
  if (!tokens) {
    problem_memory(p);
    return NULL;
  }
  size_t n = 0, at = 0;
  long open = 0;
  for (;;) {
    at += strspn(source + at, open > 0 ? " \t\r\n" : " \t\r");
    if (source[at] == '#') {
      at += strcspn(source + at, "\n");
      continue;
    }
    token *t = &tokens[n++];
    t->at = at;
    char c = source[at];
    bool ok = true;
    if (c == '\0') {
      t->kind = TOKEN_END;
      return tokens;
    } else if (c == ';' || c == '\n') {
      t->kind = TOKEN_SEPARATOR;
      t->len = 1;
    } else if (digit(c) || (c == '.' && digit(source[at + 1]))) {
      ok = lex_number(source, t, p);
    } else if (letter(c)) {
      lex_name(source, t);
    } else if (c == '"' || c == '\'') {
      ok = lex_text(source, t, p);
    } else {
      ok = lex_symbol(source, t, p);
    }
    if (!ok) return NULL;
    if (t->kind == TOKEN_PUNCTUATION) open += (t->mark == '(' || t->mark == '[') - (t->mark == ')' || t->mark == ']');
    at += t->len;
  }
}
